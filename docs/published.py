"""Write docs/published.md: what `harness check` says of losses as libraries publish them, see docs/examples/published.py.

python docs/published.py        writes the page; a minute
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np

import harness
from harness.checking.beside import COSTS
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.tables.rows import Row
from harness.tables.strongest import Known
from harness.tables.text import OUTCOME_LABELS, downward
from harness.truth.errors import measure
from harness.truth.fast import evaluate

DOCS = Path(__file__).parent
TABLES = DOCS.parent / "results" / "tables"
PAGE = DOCS / "published.md"
EXAMPLES = DOCS / "examples" / "published.py"
FORMAT = "float32"
MAXIMA = ("usual_max_ulp", "max_ulp")
EVERY = "at every input tried"  # of the cure's row, which is of one format and target
HEAD = f"""# Published losses, checked

What `harness check` says of losses as libraries and repositories publish them, in {FORMAT} on the standard grid, for the
targets 0 and 1. Each is rewritten in NumPy in its shortest form in [examples/published.py](examples/published.py), which
names its source. The operations, their order and their constants are the library's; the functions exp and log are NumPy's.

A maximum is the largest of that grid and of the inputs at which a table has the largest error of a kernel of the problem.
Not every input was visited, so each is a lower bound, after ≥.

The row is that of the worse target, and the sentence the verdict's reason. A loss that is weighted, smoothed or focused is
another function than the problem, which is not wrong: the reason says how to check it as what it is.

| loss | source | as | max ulp, usual | max ulp | spurious | what `check` says |
| --- | --- | --- | --- | --- | --- | --- |
"""


def published() -> dict[str, Callable]:
    """Return the functions of the examples by name."""
    return {f.__name__: f for f in runpy.run_path(str(EXAMPLES))["PUBLISHED"]}


def line(function: Callable) -> str:
    """Return the table's line on one function, as `harness.check` judges it now."""
    problem, name, source = (part.strip() for part in function.__doc__.split("|"))
    targets = (0, 1) if problem_named(problem).has_target else None
    report = harness.check(function, problem, FORMAT, targets=targets)
    row = worst([beyond_the_grid(function, problem, row) for row in report.rows])
    where = f"{FORMAT}, y = {row['target']}" if row["target"] != "" else FORMAT
    said = "passes." if report.passed else str(row["reason"]).replace(EVERY, f"{EVERY} ({where})")
    cells = [name, f"`{source}`", f"`{problem}`", *(f"≥ {downward(row[c])}" for c in MAXIMA), outcomes(row), said]
    return "| " + " | ".join(str(c).replace("|", r"\|") for c in cells) + " |"


def beyond_the_grid(function: Callable, problem: str, row: Row) -> Row:
    """Return a row with its maxima raised to the errors at the inputs where tables have the largest of any kernel."""
    return {
        **row,
        **{c: max(str(row[c] or 0), error_at(function, problem, str(row["target"]), c), key=Decimal) for c in MAXIMA},
    }


def error_at(function: Callable, problem: str, target: str, column: str) -> str:
    """Return the largest error of a function, float32, at the inputs that the tables name beside a column of maxima; else 0."""
    fmt, exactly = format_named(FORMAT), problem_named(problem)
    inputs = worst_inputs(problem, target, f"{column}_input")
    if not inputs:
        return "0"
    x = np.array([fmt.parse(v) for v in inputs])
    y = [np.full(len(x), float(target), x.dtype)] if target else []
    with np.errstate(all="ignore"):
        computed = np.asarray(function(x.copy(), *y))[None, :]
        exact = evaluate(exactly, fmt, x[None, :], *(v[:1, None] for v in y))
        found = measure(computed, exact, exactly.nonnegative).ulp[0]
    return repr(float(found.max())) if (found >= 0).any() else "0"


@cache
def worst_inputs(problem: str, target: str, column: str) -> tuple[str, ...]:
    """Return the inputs that the tables name of any kernel of a problem at a target, in a column."""
    rows = [r for key, rows in known().rows.items() if key[0] == problem and key[2:] == (FORMAT, target) for r in rows]
    return tuple(sorted({r.cells[column] for r in rows if r.cells.get(column)}))


@cache
def known() -> Known:
    """Read the project's tables."""
    return Known.of(sorted(TABLES.glob("*.csv")))


def worst(rows: list[Row]) -> Row:
    """Return the row to show: the one of which it is told what it costs, then most spurious outcomes and largest error."""

    def badness(row: Row) -> tuple[bool, int, float]:
        return COSTS in str(row["reason"]), sum(int(row[o]) for o in OUTCOME_LABELS), float(row["max_ulp"] or "inf")

    return max(rows, key=badness)


def outcomes(row: Row) -> str:
    """Write the spurious outcomes of a row."""
    return ", ".join(f"{row[o]} {label}" for o, label in OUTCOME_LABELS.items() if row[o]) or "none"


if __name__ == "__main__":
    PAGE.write_text(HEAD + "".join(f"{line(f)}\n" for f in published().values()), encoding="utf-8")
