"""What fixing a loss found: code, its errors beside those of the loss, what was changed, and its cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mpmath import mp
from tabulate import tabulate

from harness.checking.judge import ulps
from harness.checking.report import Report
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import Row
from harness.tables.usual import range_text, usual_range
from harness.truth.errors import SPURIOUS

HEADINGS = ("target", "usual max ulp, before", "after", "max ulp, before", "after", "spurious, before", "after")


@dataclass(frozen=True)
class FixedLoss:
    """Hold the code that replaces a loss, reports of the loss before and after, and what was changed of the function.

    `seconds` and `operations` are those of the loss and of the code: the least time of a call on 16,384 elements, and
    the NumPy operations.  `candidates` is how many expressions were measured.
    """

    name: str
    code: str
    changes: Sequence[str]
    before: Report
    after: Report
    seconds: tuple[float, float]
    operations: tuple[int, int]
    candidates: int

    @property
    def better(self) -> bool:
        """Tell whether the code errs less over the usual range, or as much and fails less often."""
        return _order(self.after) < _order(self.before)

    @property
    def cured(self) -> bool:
        """Tell whether the code is within the budget over the usual range for every target."""
        return all(within(row, self.after.max_ulp) for row in self.after.rows)

    @property
    def basis(self) -> str:
        """Say what the table's figures stand on: every input of the format, or a sample of it."""
        row = self.before.rows[0]
        if row["exhaustive"]:
            return f"every {row['format']} input"
        return f"a sample of {row['points']} {row['format']} inputs, so that maxima are lower bounds"

    def text(self) -> str:
        """Return what `harness fix` prints: the code, the error table, the changes and the cost, or that nothing is better."""
        if not self.better:
            return (
                f"{self.name}: nothing better was found among {self.candidates} candidates; as it stands it errs by up to "
                f"{ulps(max(map(usual_ulp, self.before.rows)))} ulp over the usual range"
            )
        before, after = self.seconds
        said = [
            f"{self.name} as {self.before.rows[0]['problem']} in {self.before.rows[0]['format']}: "
            f"the best of {self.candidates} candidates, ranked by every float16 input.",
            self.code,
            tabulate(self.rows(), HEADINGS, disable_numparse=True),
            f"Basis: {self.basis}. Usual is {self._usual()}.",
            *([f"Changed: {'; '.join(self.changes)}."] if self.changes else []),
            f"Cost: {after / before:.2g} times the time ({before * 1e6:.3g} and {after * 1e6:.3g} µs for 16,384 elements), "
            f"{self.operations[1]} NumPy operations for {self.operations[0]}.",
            self._verdict(),
        ]
        return "\n\n".join(said)

    def rows(self) -> list[tuple[str, ...]]:
        """Return the cells of the error table, a row for each target."""
        return [
            (
                str(a["target"]), ulps(a["usual_max_ulp"]), ulps(b["usual_max_ulp"]), ulps(a["max_ulp"]), ulps(b["max_ulp"]),
                str(spurious(a)), str(spurious(b)),
            )
            for a, b in zip(self.before.rows, self.after.rows)
        ]  # fmt: skip

    def _usual(self) -> str:
        where = range_text(problem_named(str(self.before.rows[0]["problem"])))
        return f"{where or 'every input'} with a normal exact value"

    def _verdict(self) -> str:
        budget = self.after.max_ulp
        if self.cured:
            tried = "" if self.after.rows[0]["exhaustive"] else " at every input tried"
            return f"It is within {budget:g} ulp{tried} over the usual range."
        over = [str(r["target"]) for r in self.after.rows if not within(r, budget)]
        of = f" for the targets {', '.join(over)}" if over != [""] else ""
        return f"It is better and yet not within {budget:g} ulp over the usual range{of}."

    def __str__(self) -> str:
        return self.text()


def usual_ulp(row: Row) -> float:
    """Return the largest error of a row over the usual range; infinite where nothing finite was measured."""
    return float(mp.mpf(str(row["usual_max_ulp"]))) if row["usual_max_ulp"] != "" else float("inf")


def spurious(row: Row) -> int:
    """Return how many outcomes of a row are spurious."""
    return sum(int(str(row[name])) for name in SPURIOUS)


def within(row: Row, max_ulp: float) -> bool:
    """Tell whether a row keeps a budget over the usual range, and has no spurious outcome there."""
    return usual_ulp(row) <= max_ulp and not fails_usually(row)


def fails_usually(row: Row) -> bool:
    """Tell whether any outcome is spurious at an input of the usual range; the row has those nearest to the centre."""
    problem, fmt = problem_named(str(row["problem"])), format_named(str(row["format"]))
    first, last = usual_range(problem, fmt)
    nearest = [str(row[column]) for column in OUTCOME_INPUTS.values() if row[column] != ""]
    ordinals = fmt.ordinal(np.array([float.fromhex(v) for v in nearest], float).astype(fmt.dtype))
    return any(first <= ordinal <= last for ordinal in ordinals)


def _order(report: Report) -> tuple[bool, float, int]:
    worst = max(map(usual_ulp, report.rows))
    over = worst if worst > report.max_ulp else 0.0
    return any(map(fails_usually, report.rows)), over, sum(map(spurious, report.rows))
