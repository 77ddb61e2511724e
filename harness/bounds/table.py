"""The table of a priori bounds: a row for each problem, kernel, format and target.

It says how much of a kernel's range a bound covers (`bounded`), how far it lies above what was measured
(`median_ratio`), and the largest bound and measurement (`max_bound_ulp`, `max_ulp`, in ulps).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Context
from pathlib import Path

import numpy as np
import pandas as pd

from harness.bounds.bound import Comparison
from harness.bounds.inner import InnerRange, Premises
from harness.numbers.formats import Format
from harness.sweep.case import Case
from harness.sweep.summary import Summary
from harness.tables import writer
from harness.tables.identity import with_id
from harness.tables.rows import Row, certified_extreme, significant
from harness.tables.strongest import INNER
from harness.tables.text import largest, percent, short
from harness.tables.views import Column, needed, plain, shown

COLUMNS = (
    "problem", "kernel", "format", "target", "cells", "bounded", "active", "median_ratio",
    "max_ulp", "max_bound_ulp", "function_errors", "max_ulp_input", "exhaustive", *INNER,
)  # fmt: skip
TITLE = "A priori bounds beside measured errors"
NOTE = (
    "Each bound holds for a cell of inputs. 'bounded' is the share of measured cells whose bound is finite; "
    "'bound / measured' is its median over active cells, those that measure half an ulp or more; both count "
    "as 2^(p-1) ulp at most, where no bit is right. 'max bound' is the largest finite one: a larger 'max error' "
    "is in a cell that has none. ≥ marks a maximum over a sample: a lower bound. 'function errors' says how the "
    "errors of exp, log and their like, on which bounds stand, were found: at every input (exhaustive), or on "
    "a sample with a margin."
)
VIEW = (
    *plain("problem", "kernel", "format", "target", "cells"),
    Column("bounded", "bounded", percent),
    Column("active", "active"),
    Column("bound / measured", "median_ratio", short),
    Column("max error (ulp)", largest),
    Column("max bound (ulp)", "max_bound_ulp", short),
    Column("function errors", "function_errors"),
)
DIGITS = 9


def row_of(case: Case, summary: Summary, both: Comparison, t: int) -> Row:
    """Return the row of target number t; the largest error is computed again in mpmath, as in every table.

    cells: how many were measured; bounded: the share of them with a finite bound; active: how many
    measure half an ulp or more; median_ratio: of bound / measured over those; empty where there is none.
    """
    finite, cells = both.bound[np.isfinite(both.bound)], int(np.count_nonzero(~np.isnan(both.bound)))
    found: Row = {
        "problem": case.problem.name,
        "kernel": case.name,
        "format": case.fmt.name,
        "target": "" if case.target is None else case.fmt.short(case.target),
        "exhaustive": case.grid.exhaustive,
        "cells": cells,
        "active": int(both.active.sum()),
        "median_ratio": significant(both.median_ratio(case.fmt)),
        **dict.fromkeys(("bounded", "max_ulp", "max_ulp_input", "max_bound_ulp"), ""),
    }
    if cells:
        worst = certified_extreme(case, summary.worst_at(t))
        found |= {name: worst[name] for name in ("max_ulp", "max_ulp_input")}
        found["bounded"] = significant(finite.size / cells)
    if finite.size:
        found["max_bound_ulp"] = upward(float(finite.max()))
    return found


def inner_columns(fmt: Format, inner: InnerRange, premises: Premises) -> Row:
    """Return the columns of an inner range: its ends, hex, and its premises; all empty where nothing is proved."""
    if inner.first is None or inner.last is None:
        return dict.fromkeys(INNER, "")
    ends = fmt.from_ordinal(np.array([inner.first, inner.last]))
    return dict(zip(INNER, (*map(fmt.hex, ends), premises.text)))


def upward(bound: float) -> str:
    """Write a bound with nine significant digits, rounded up, so that it stays a bound."""
    return significant(str(Context(prec=DIGITS, rounding=ROUND_CEILING).create_decimal(bound)), DIGITS)


def write(path: Path, rows: Sequence[Row], extra: dict, made_with: dict) -> None:
    """Write PATH.csv, .md, .tex and .json; `extra` goes into the JSON, and what the measurements were made with."""
    writer.write(path, rows, COLUMNS, readable(rows, path.stem), TITLE, note=NOTE, extra=extra, measured_with=made_with)


def readable(rows: Sequence[Row], table: str) -> pd.DataFrame:
    """Return what is shown of a table's rows: three digits, shares in percent, at-least signs, identifiers."""
    return with_id(shown(rows, needed(rows, VIEW)), pd.DataFrame(rows), table)
