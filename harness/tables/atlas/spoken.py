"""What the atlas speaks from: for each kernel and format a row for every target that a table knows, the strongest each."""

from __future__ import annotations

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.tables.basis import EVERY_INPUT, PROVED, STRENGTH
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import Row
from harness.tables.strongest import INNER, Known, SafeRange, TableRow
from harness.tables.text import as_cell


def spoken_rows(known: Known, problem: Problem, kernel: Kernel, fmt: Format) -> list[Row]:
    """Return a row for each target that the tables know of a kernel in a format, its figures the strongest.

    Each has problem, kernel, format, target, max_ulp with its input and basis, the ends of the safe range and
    their basis, the ends of what is known to lie inside it with the premises (a range that is known has itself inside), the counts of spurious outcomes, and `exhaustive` where its maximum is every input's.
    """
    keys = known.keys_of.get((problem.name, kernel.name, fmt.name), [])
    rows = [_spoken(known, key, known.rows[key]) for key in keys]
    return [_with_inner(r) for r in rows if r]


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


def located(known: Known, problem: Problem, kernel: Kernel, fmt: Format) -> dict[tuple[str, str], list[str]]:
    """Return the inputs at which tables located an outcome of a kernel in a format, by target and kind (nan, inf, zero, sign)."""
    found: dict[tuple[str, str], list[str]] = {}
    for key in known.keys_of.get((problem.name, kernel.name, fmt.name), []):
        for row in known.rows[key]:
            for column in OUTCOME_INPUTS.values():
                if row.cells.get(column):
                    found.setdefault((key[3], column.removesuffix("_input")), []).append(row.cells[column])
    return found
