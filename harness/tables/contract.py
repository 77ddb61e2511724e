"""What is shown of a table of the contract's columns: one line for each kernel, format and target.

The contract (see rows.py) is what programs read; these are the columns that people read, each with its heading,
where its text comes from, and how it is written.
"""

from __future__ import annotations

import pandas as pd

from harness.tables.text import averaged, decimal_input, largest, percent, safe, spurious
from harness.tables.views import Column, Rows, needed, plain, records, shown

WHAT = (*plain("problem", "kernel", "format", "target"),)
LARGEST = (Column("max error (ulp)", largest), Column("at input", "max_ulp_input", decimal_input))
SWEPT = (
    Column("mean (ulp)", averaged("mean_ulp")),
    Column("correctly rounded", averaged("correctly_rounded", percent)),
    Column("spurious", spurious),
    Column("safe range", safe),
)
VIEW = (*WHAT, *LARGEST, *SWEPT)
NOTE = (
    "≥ marks a maximum over a sample: a lower bound. ⊆ marks a safe range on a sample: an outer bound. "
    "The safe range is where the error stays within 4 ulp with no spurious outcome. "
    "Means, shares and counts of spurious outcomes are over the bit patterns of the grid in the problem's domain, "
    "each once, NaN and infinities left out; means leave out results that are NaN or infinite, and poles; "
    "~ marks means and shares over a sample."
)


def readable(rows: Rows) -> pd.DataFrame:
    """Return what is shown of rows of the contract: three digits, at-least signs, inputs in decimal."""
    return shown(rows, needed(rows, VIEW))


def note(rows: Rows) -> str:
    """Return what stands above a table: NOTE, and over how many points the means and shares of each format are."""
    points: dict[tuple[str, str], list[int]] = {}
    for row in records(rows):
        points.setdefault((row["format"], row["exhaustive"]), []).append(int(row["points"]))
    counted = []
    for (fmt, exhaustive), found in points.items():
        span = " to ".join(str(n) for n in dict.fromkeys((min(found), max(found))))
        counted.append(f"{fmt} {span} ({'every input' if exhaustive == 'true' else 'sample'})")
    return f"{NOTE} Points in a row: {', '.join(counted)}."
