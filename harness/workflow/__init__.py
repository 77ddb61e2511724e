"""What every stage of the workflow stands on, whatever it measures.

experiments.py reads the questions; files.py writes a file whole or not at all; provenance.py says what a number's last
bits depend on; dependencies.py tells Snakemake which code a stage runs; progress.py says how far a long pass is.
"""
