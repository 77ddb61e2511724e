"""The systems' table as people read it: one line for each system and format, the worst over its targets."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from mpmath import mp

from harness.tables.rows import Row
from harness.tables.writer import SPURIOUS, decimal_input, percent, short

NOTE = (
    "One line for each system and format: the worst over its targets. ≥ marks a maximum over a sample: a lower bound. "
    "`near` is the largest error where the logit is at most 20 in size. Spurious outcomes are counts of inputs. "
    "`as replica` is the fraction of inputs at which the library returned, bit for bit, what the named replica "
    "computes. A result in another format was rounded into the working format, and that format is named after ←. "
    "The truth of a smoothed target is taken at the target that the smoothing makes."
)
Group = list[Row]


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as a reader wants them."""
    groups: dict[tuple[object, object], Group] = {}
    for row in rows:
        groups.setdefault((row["kernel"], row["format"]), []).append(row)
    return pd.DataFrame([_line(group) for group in groups.values()])


def _line(group: Group) -> dict[str, str]:
    worst, near = (worst_of(group, column) for column in ("max_ulp", "near_ulp"))
    first = group[0]
    at_least = "" if first["exhaustive"] in (True, "true") else "≥ "
    reason = next((str(r["reason"]) for r in group if r["reason"]), "")
    return {
        "library": str(first["library"]),
        "system": str(first["system"]),
        "problem": str(first["problem"]),
        "mode": str(first["mode"]),
        "format": str(first["format"]) + (f" ← {first['upcast']}" if first["upcast"] else ""),
        "max error (ulp)": at_least + short(worst["max_ulp"]) if worst else "",
        "at input, target": _at(worst, "max_ulp_input") if worst else "",
        "near (ulp)": at_least + short(near["near_ulp"]) if near else "",
        "near input, target": _at(near, "near_ulp_input") if near else "",
        "spurious": _spurious(group),
        "as replica": f"{first['replica']}: {_agreement(group)}",
        "outcome": _outcome(group) + (f": {reason}" if reason else ""),
    }


def worst_of(group: Sequence[Row], column: str) -> Row | None:
    """Return the row with the largest value in a column; None where all are empty."""
    there = [r for r in group if r[column] != ""]
    return max(there, key=lambda r: mp.mpf(str(r[column])), default=None)


def _at(row: Row, column: str) -> str:
    return decimal_input(str(row[column])) + (f", {row['target']}" if row["target"] != "" else "")


def _spurious(group: Group) -> str:
    counts = {label: sum(int(str(r[name] or 0)) for r in group) for name, label in SPURIOUS.items()}
    return ", ".join(f"{label} {n}" for label, n in counts.items() if n)


def _agreement(group: Group) -> str:
    found = [float(str(r["agreement"])) for r in group if r["agreement"] != ""]
    return percent(min(found)) if found else "–"


def _outcome(group: Group) -> str:
    for outcome in ("unavailable", "refused"):
        if any(int(str(r[outcome] or 0)) for r in group):
            return outcome
    return "answered"
