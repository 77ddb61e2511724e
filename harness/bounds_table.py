"""The table of a priori bounds: a row for each problem, kernel, format and target."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Context
from pathlib import Path

import numpy as np
import pandas as pd

from harness import store, tables
from harness.bounds import Comparison
from harness.rows import Case, Row, certified_extreme, significant
from harness.summary import Summary

COLUMNS = (
    "problem", "kernel", "format", "target", "cells", "bounded", "active", "median_ratio",
    "max_ulp", "max_bound_ulp", "function_errors", "max_ulp_input", "exhaustive",
)  # fmt: skip
TITLE = "A priori bounds beside measured errors"
NOTE = (
    "Each bound holds for a cell of inputs. 'bounded' is the share of measured cells whose bound is finite; "
    "'bound / measured' is its median over active cells, those that measure half an ulp or more. "
    "≥ marks a maximum over a sample: a lower bound. 'function errors' says how the errors of exp, log and "
    "their like, on which bounds stand, were found: at every input (exhaustive), or on a sample with a margin."
)
DIGITS = 9


def row_of(case: Case, summary: Summary, both: Comparison, t: int) -> Row:
    """Return one row; the largest error is computed again in mpmath, as in every table."""
    found: Row = {
        "problem": case.problem.name,
        "kernel": case.name,
        "format": case.fmt.name,
        "target": "" if case.target is None else case.fmt.short(case.target),
        "exhaustive": case.grid.exhaustive,
        "cells": int(np.isfinite(both.bound).sum() + np.isinf(both.bound).sum()),
        "active": int(both.active.sum()),
        "median_ratio": significant(both.median_ratio),
        **dict.fromkeys(("bounded", "max_ulp", "max_ulp_input", "max_bound_ulp"), ""),
    }
    finite = both.bound[np.isfinite(both.bound)]
    if found["cells"]:
        worst = certified_extreme(case, int(summary.max_ulp_at[t, int(np.argmax(summary.max_ulp[t]))]))
        found |= {name: worst[name] for name in ("max_ulp", "max_ulp_input")}
        found["bounded"] = significant(finite.size / int(str(found["cells"])))
    if finite.size:
        found["max_bound_ulp"] = upward(float(finite.max()))
    return found


def upward(bound: float) -> str:
    """Write a bound with nine significant digits, rounded up, so that it stays a bound."""
    return significant(str(Context(prec=DIGITS, rounding=ROUND_CEILING).create_decimal(bound)), DIGITS)


def _write(path: Path, rows: list[Row], grid: str, found: list[Found]) -> None:
    """Write the table; the JSON says on which errors of the functions the bounds stand."""
    frame = readable(rows)
    store.write_text(path.with_suffix(".csv"), tables.to_csv(rows, COLUMNS))
    store.write_text(path.with_suffix(".md"), tables.to_markdown(frame, TITLE, NOTE))
    store.write_text(path.with_suffix(".tex"), tables.to_latex(frame, TITLE, path.stem))
    used = {
        f.fmt.name: {
            "source": f.source,
            "max_ulp": {name: upward(float(e.levels[0].max())) for name, e in f.functions.items()},
        }
        for f in found
    }
    tables.write_sidecar(path, len(rows), {"grid": grid, "function_errors": used})


def readable(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as a reader wants them: three digits, shares in percent, at-least signs."""
    several, targets = len({r["problem"] for r in rows}) > 1, any(r["target"] for r in rows)
    return pd.DataFrame(
        {
            **({"problem": r["problem"]} if several else {}),
            "kernel": r["kernel"],
            "format": r["format"],
            **({"target": r["target"]} if targets else {}),
            "cells": str(r["cells"]),
            "bounded": tables.percent(r["bounded"]),
            "active": str(r["active"]),
            "bound / measured": tables.short(r["median_ratio"]),
            "max error (ulp)": ("" if r["exhaustive"] or not r["max_ulp"] else "≥ ") + tables.short(r["max_ulp"]),
            "max bound (ulp)": tables.short(r["max_bound_ulp"]),
            "function errors": r["function_errors"],
        }
        for r in rows
    )
