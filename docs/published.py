"""Write docs/published.md: what `harness check` says of losses as libraries publish them, see docs/examples/published.py.

python docs/published.py        writes the page; a minute
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import harness
from harness.checking.beside import COSTS
from harness.checking.judge import ulps
from harness.problems import problem_named
from harness.tables.rows import Row
from harness.tables.text import OUTCOME_LABELS

DOCS = Path(__file__).parent
PAGE = DOCS / "published.md"
EXAMPLES = DOCS / "examples" / "published.py"
FORMAT = "float32"
EVERY = "at every input tried"  # of the cure's row, which is of one format and target
HEAD = f"""# Published losses, checked

What `harness check` says of losses as libraries and repositories publish them, in {FORMAT} on the standard grid, for the
targets 0 and 1. Each is rewritten in NumPy in its shortest form in [examples/published.py](examples/published.py), which
names its source. The operations, their order and their constants are the library's; the functions exp and log are NumPy's.

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
    row = worst(report)
    where = f"{FORMAT}, y = {row['target']}" if row["target"] != "" else FORMAT
    said = "passes." if report.passed else str(row["reason"]).replace(EVERY, f"{EVERY} ({where})")
    cells = [name, f"`{source}`", f"`{problem}`", ulps(row["usual_max_ulp"]), ulps(row["max_ulp"]), outcomes(row), said]
    return "| " + " | ".join(str(c).replace("|", r"\|") for c in cells) + " |"


def worst(report: harness.Report) -> Row:
    """Return the row to show: the one of which it is told what it costs, then most spurious outcomes and largest error."""

    def badness(row: Row) -> tuple[bool, int, float]:
        return COSTS in str(row["reason"]), sum(int(row[o]) for o in OUTCOME_LABELS), float(row["max_ulp"] or "inf")

    return max(report.rows, key=badness)


def outcomes(row: Row) -> str:
    """Write the spurious outcomes of a row."""
    return ", ".join(f"{row[o]} {label}" for o, label in OUTCOME_LABELS.items() if row[o]) or "none"


if __name__ == "__main__":
    PAGE.write_text(HEAD + "".join(f"{line(f)}\n" for f in published().values()), encoding="utf-8")
