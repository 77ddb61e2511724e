"""Parts of benchmarks/mutants.py: what the slips are, and how one is tried."""
