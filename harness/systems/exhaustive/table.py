"""The table of every float32 input as people read it: a line for each call and target, what models meet first."""

from __future__ import annotations

import pandas as pd

from harness.tables.contract import LARGEST, SWEPT
from harness.tables.identity import identifier
from harness.tables.rows import COLUMNS as SWEPT_COLUMNS
from harness.tables.text import decimal_input, largest
from harness.tables.views import Column, Rows, plain, records, shown

QUESTION = "How wrong are the calls that introductions show, over every float32 input?"
COLUMNS = (*SWEPT_COLUMNS, "library", "system", "mode", "version", "unavailable")
NOTE = (
    "Every finite float32 input went through each call, in arrays of 2^18: one element by itself may take another path. "
    "They are the calls that introductions show, in the mode in which they run by default, and the activations of the "
    "same libraries. `near` is the largest error where the logit is at most 20 in size. "
    "The safe range is where the error stays within 4 ulp with no spurious outcome. "
    "Means, shares and counts are over the bit patterns in the problem's domain, each once; means leave out results that "
    "are NaN or infinite."
)
VIEW = (
    *plain("library", "system", "problem", "mode", "target"),
    Column("near (ulp)", lambda row: largest(row, "usual_max_ulp")),
    Column("near input", "usual_max_ulp_input", decimal_input),
    *LARGEST,
    *SWEPT,
    Column("id", identifier),
)
CAPTION = (
    "Errors of the calls that introductions show, over every float32 input, in units in the last place, against "
    "certified values; near: logits of at most 20 in size"
)


def readable(rows: Rows) -> pd.DataFrame:
    """Return what is shown of the rows that were measured."""
    return shown([r for r in records(rows) if not r["reason"]], VIEW)


def note(rows: Rows) -> str:
    """Return what stands above the table: NOTE, and which libraries were not measured, and why."""
    missing = dict.fromkeys((r["library"], r["reason"]) for r in records(rows) if r["reason"])
    return NOTE + "".join(f" Unavailable: {library} ({reason})." for library, reason in missing)
