"""The systems' table as people read it: one line for each system and format, the worst over its targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
from mpmath import mp

from harness.tables import views
from harness.tables.rows import Row
from harness.tables.text import OUTCOME_LABELS, decimal_input, percent, short
from harness.tables.views import Cells, Column

NOTE = (
    "One line for each system and format: the worst over its targets. ≥ marks a maximum over a sample: a lower bound. "
    "`near` is the largest error where the logit is at most 20 in size. Spurious outcomes are counts of inputs. "
    "`as replica` is the fraction of inputs at which the library returned, bit for bit, what the named replica "
    "computes. A result in another format was rounded into the working format, and that format is named after ←. "
    "The truth of a smoothed target is taken at the target that the smoothing makes."
)


def shown(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as a reader wants them."""
    groups: dict[tuple[object, object], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["kernel"], row["format"]), []).append(row)
    return views.shown([{**group[0], "targets": group} for group in groups.values()], COLUMNS)


def worst_of(group: Sequence[Row], column: str) -> Row | None:
    """Return the row with the largest value in a column; None where all are empty."""
    there = [r for r in group if r[column] != ""]
    return max(there, key=lambda r: mp.mpf(str(r[column])), default=None)


def _format(line: Cells) -> str:
    return line["format"] + (f" ← {line['upcast']}" if line["upcast"] else "")


def _largest(column: str) -> Callable[[Cells], str]:
    """Return what shows the largest error in a column."""

    def text(line: Cells) -> str:
        worst = worst_of(line["targets"], column)
        at_least = "" if line["exhaustive"] in (True, "true") else "≥ "
        return at_least + short(worst[column]) if worst else ""

    return text


def _where(column: str) -> Callable[[Cells], str]:
    """Return what shows the input and target of the largest error in a column."""

    def text(line: Cells) -> str:
        worst = worst_of(line["targets"], column)
        if worst is None:
            return ""
        target = f", {worst['target']}" if worst["target"] != "" else ""
        return decimal_input(str(worst[f"{column}_input"])) + target

    return text


def _spurious(line: Cells) -> str:
    counts = {label: sum(int(str(r[name] or 0)) for r in line["targets"]) for name, label in OUTCOME_LABELS.items()}
    return ", ".join(f"{label} {n}" for label, n in counts.items() if n)


def _agreement(line: Cells) -> str:
    found = [float(str(r["agreement"])) for r in line["targets"] if r["agreement"] != ""]
    return f"{line['replica']}: {percent(min(found)) if found else '–'}"


def _outcome(line: Cells) -> str:
    refusals = [o for o in ("unavailable", "refused") if any(int(str(r[o] or 0)) for r in line["targets"])]
    reason = next((str(r["reason"]) for r in line["targets"] if r["reason"]), "")
    return (refusals[0] if refusals else "answered") + (f": {reason}" if reason else "")


# A line holds the first row of its group, and the whole group, a row for each target, as `targets`.
COLUMNS = (
    *views.plain("library", "system", "problem", "mode"),
    Column("format", _format),
    Column("max error (ulp)", _largest("max_ulp")),
    Column("at input, target", _where("max_ulp")),
    Column("near (ulp)", _largest("near_ulp")),
    Column("near input, target", _where("near_ulp")),
    Column("spurious", _spurious),
    Column("as replica", _agreement),
    Column("outcome", _outcome),
)
