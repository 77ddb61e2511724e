"""The atlas: where each kernel is safe in each format, what fails beyond, and what to use instead.

failures.py finds the runs of inputs at which a kernel fails, phrases.py words them, verdicts.py judges, and entries.py
makes the table's rows of it.
"""

from harness.tables.atlas.entries import COLUMNS, atlas_job

__all__ = ["COLUMNS", "atlas_job"]
