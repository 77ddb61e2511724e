"""What known forms cost: nanoseconds an element, from a table that benchmarks/costs.py makes.

A timing never repeats, so no command takes one: all are read from results/tables/costs.csv.  There the forms of one
problem and format were timed in turns on the same inputs, the least of many times for each, and `ratio` is to the cheapest
of them; only ratios within such a group compare.  The JSON beside it says on which machine and with which versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from harness.problems.weights import MARK
from harness.tables import lines

TABLE = "costs"
COLUMNS = ("problem", "kernel", "format", "ns", "ratio", "version")
# Weighted losses are timed with these weights: a kernel of theirs does the same work for any other.
TIMED_WEIGHTS = {"bce_logits": "pos=3", "bce": "pos=3", "focal_bce_logits": "alpha=0.25"}

Costs = Mapping[tuple[str, str], Decimal]


def costs(folder: Path, problem: str, fmt: str) -> Costs:
    """Return the nanoseconds an element of each kernel and library's call of a problem in a format, by problem and name.

    Those of a weighted loss are of the weights that were timed.  Empty where the folder has no table of costs.
    """
    path = folder / f"{TABLE}.csv"
    if not path.is_file():
        return {}
    base, mark, _ = problem.partition(MARK)
    loss = base.removesuffix("_grad")
    timed = f"{base}{MARK}{TIMED_WEIGHTS[loss]}" if mark and loss in TIMED_WEIGHTS else problem
    return {(problem, row["kernel"]): Decimal(row["ns"]) for _, row in lines.read(path, {timed}, fmt)}
