"""What is shown of a table of the contract's columns: one line for each kernel, format and target.

The contract (see rows.py) is what programs read; these are the columns that people read, each with its heading,
where its text comes from, and how it is written.
"""

from __future__ import annotations

import pandas as pd

from harness.tables.text import decimal_input, largest, percent, safe, short, spurious
from harness.tables.views import Column, Rows, needed, plain, shown

WHAT = (*plain("problem", "kernel", "format", "target"),)
LARGEST = (Column("max error (ulp)", largest), Column("at input", "max_ulp_input", decimal_input))
SWEPT = (
    Column("mean (ulp)", "mean_ulp", short),
    Column("correctly rounded", "correctly_rounded", percent),
    Column("spurious", spurious),
    Column("safe range", safe),
)
VIEW = (*WHAT, *LARGEST, *SWEPT)
NOTE = (
    "≥ marks a maximum over a sample: a lower bound. Spurious outcomes are counts of inputs. "
    "The safe range is where the error stays within 4 ulp with no spurious outcome."
)


def readable(rows: Rows) -> pd.DataFrame:
    """Return what is shown of rows of the contract: three digits, at-least signs, inputs in decimal."""
    return shown(rows, needed(rows, VIEW))
