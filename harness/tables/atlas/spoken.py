"""What the atlas speaks from: for each kernel and format a row for every target that a table knows, the strongest each.

A pole at which a kernel gives a finite value ends the safe range here: a clamped loss keeps within the budget of every
finite exact value, and still says 100 where the loss is infinite.
"""

from __future__ import annotations

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.tables.basis import EVERY_INPUT, PROVED, STRENGTH
from harness.tables.rows import Row
from harness.tables.strongest import INNER, Ends, Known, SafeRange, TableRow
from harness.tables.text import as_cell


def spoken_rows(known: Known, problem: Problem, kernel: Kernel, fmt: Format) -> list[Row]:
    """Return a row for each target that the tables know of a kernel in a format, its figures the strongest.

    Each has problem, kernel, format, target, max_ulp with its input and basis, the ends of the safe range without
    capped poles and their basis, the ends of what is known to lie inside it with the premises (a range that is known
    has itself inside), the counts of spurious outcomes, and `exhaustive` where its maximum is every input's.
    """
    keys = known.keys_of.get((problem.name, kernel.name, fmt.name), [])
    rows = [_spoken(known, key, known.rows[key]) for key in keys]
    return [_with_inner({**r, **_without_poles(r, problem, kernel, fmt)}) for r in rows if r]


def weakest(bases: list[str]) -> str:
    """Return the weakest of some bases, on which a statement made of all of them stands."""
    return max(bases, key=STRENGTH.index, default="")


def _spoken(known: Known, key: tuple[str, str, str, str], rows: list[TableRow]) -> Row:
    """Return the strongest figures of one key as a row; empty where nothing bounds its safe range."""
    figures = known.figures(*key)
    if figures.safe is None:
        return {}
    top, counts = figures.maximum, figures.counts
    every_input = top is not None and top.basis == EVERY_INPUT
    return {
        **dict(zip(("problem", "kernel", "format", "target"), key)),
        "exhaustive": as_cell(every_input),
        "max_ulp": top.ulp if top else "",
        "max_ulp_input": top.input if top else "",
        "max_basis": top.basis if top else "",
        "safe_lo": figures.safe.lo,
        "safe_hi": figures.safe.hi,
        "safe_basis": figures.safe.basis,
        **dict(zip(INNER, _inner(figures.safe))),
        "capped": max((int(r.cells.get("capped") or 0) for r in rows), default=0),
        **(counts.outcomes if counts else {}),
    }


def _inner(safe: SafeRange) -> tuple[str, str, str]:
    """Return the ends of what is proved of a safe range, and the premises; all empty where nothing is."""
    return (safe.inner.lo, safe.inner.hi, safe.inner.premises) if safe.inner else ("", "", "")


def _with_inner(row: Row) -> Row:
    """Return a row whose range is proved where inner and outer range meet, and stands inside itself where it is known."""
    ends = {"safe_inner_lo": row["safe_lo"], "safe_inner_hi": row["safe_hi"]}
    if row["safe_basis"] in (PROVED, EVERY_INPUT):
        return {**row, **ends, "safe_premises": row["safe_premises"] if row["safe_basis"] == PROVED else ""}
    return {**row, "safe_basis": PROVED} if row["safe_lo"] and all(row[c] == v for c, v in ends.items()) else row


def _without_poles(row: Row, problem: Problem, kernel: Kernel, fmt: Format) -> Row:
    """Return the ends of a row's safe range, moved inwards by one input where the kernel caps a pole there."""
    ends: Ends = (str(row["safe_lo"]), str(row["safe_hi"]))
    if not row["capped"] or not ends[0]:
        return {}
    target = fmt.parse(str(row["target"])) if row["target"] else None
    case = Case(problem, kernel.name, kernel, Grid("standard", problem, fmt), target)
    at = fmt.ordinal(np.array([fmt.parse(end) for end in ends]))
    capped = case.errors(at).outcomes.get("capped", np.zeros((1, 2), bool))[0]
    low, high = fmt.from_ordinal(at + np.where(capped, [1, -1], 0))
    return {"safe_lo": fmt.hex(low), "safe_hi": fmt.hex(high)}
