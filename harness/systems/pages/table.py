"""The systems' table as people read it: one line for each system and format, the worst over its targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
from mpmath import mp

from harness.tables import views
from harness.tables.rows import Row
from harness.tables.text import OUTCOME_LABELS, decimal_input, largest, percent, spurious
from harness.tables.views import Cells, Column

CAPTION = "Errors of the losses and gradients of real libraries, in units in the last place of the format: the worst over the targets"
NOTE = (
    "One line for each system and format: the worst over its targets; `id` is that of the row with the largest error. ≥ marks a maximum over a sample: a lower bound. "
    "`near` is the largest error where the logit is at most 20 in size. Spurious outcomes are counts of inputs. "
    "`as replica` is the fraction of inputs at which the library returned, bit for bit, what the named replica "
    "computes. A result in another format was rounded into the working format, and that format is named after ←. "
    "`flushed` counts results that are 0 where the exact value rounds to a subnormal number, whatever the reason, or that take a subnormal input for 0; the largest error "
    "without them stands beside it. `alone` is the largest difference, in neighbouring numbers, between a result in a "
    "long array and the same input's in an array of one, on a sample. "
    "The truth of a smoothed target is taken at the target that the smoothing makes."
)


def shown(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as a reader wants them."""
    groups: dict[tuple[object, object], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["kernel"], row["format"]), []).append(row)
    return views.shown([folded(group) for group in groups.values()], COLUMNS)


def folded(group: Sequence[Row]) -> Row:
    """Fold the rows of a system and format, one a target, into one: the worst errors, counts added, the least agreement."""
    refusals = [o for o in ("unavailable", "refused") if any(int(str(r[o] or 0)) for r in group)]
    agreements = [float(str(r["agreement"])) for r in group if r["agreement"] != ""]
    return {
        **group[0],
        **_worst(group, "max_ulp"),
        **_worst(group, "near_ulp"),
        **_worst(group, "unflushed_max_ulp"),
        **_worst(group, "alone_max_steps"),
        "flushed": sum(int(str(r["flushed"] or 0)) for r in group),
        **{name: sum(int(str(r[name] or 0)) for r in group) for name in OUTCOME_LABELS},
        "agreement": min(agreements, default=""),
        "outcome": refusals[0] if refusals else "answered",
        "reason": next((r["reason"] for r in group if r["reason"]), ""),
    }


def _worst(group: Sequence[Row], column: str) -> Row:
    """Return the largest value in a column, with its input and target; empty where all are."""
    there = [r for r in group if r[column] != ""]
    worst = max(there, key=lambda r: mp.mpf(str(r[column])), default=None)
    names = (column, f"{column}_input", "target")
    value, x, target = (worst[name] for name in names) if worst else ("", "", "")
    named = (worst or group[0])["id"]
    return {column: value, f"{column}_input": x, f"{column}_target": target, f"{column}_id": named}


def _format(row: Cells) -> str:
    return row["format"] + (f" ← {row['upcast']}" if row["upcast"] else "")


def _where(column: str) -> Callable[[Cells], str]:
    """Return what shows the input and target of the largest error in a column."""

    def text(row: Cells) -> str:
        target = row[f"{column}_target"]
        return decimal_input(row[f"{column}_input"]) + (f", {target}" if target else "")

    return text


COLUMNS = (
    *views.plain("library", "system", "problem", "mode"),
    Column("format", _format),
    Column("max error (ulp)", largest),
    Column("at input, target", _where("max_ulp")),
    Column("near (ulp)", lambda row: largest(row, "near_ulp")),
    Column("near input, target", _where("near_ulp")),
    Column("flushed", "flushed"),
    Column("without flushed (ulp)", lambda row: largest(row, "unflushed_max_ulp")),
    Column("alone (steps)", "alone_max_steps"),
    Column("spurious", spurious),
    Column("as replica", lambda row: f"{row['replica']}: {percent(row['agreement']) or '–'}"),
    Column("id", "max_ulp_id"),
    Column("outcome", lambda row: row["outcome"] + (f": {row['reason']}" if row["reason"] else "")),
)
