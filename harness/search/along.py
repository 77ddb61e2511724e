"""Search one line for the input of the largest error where not every input can be visited.

Errors are large in three ways, and the budget is divided among them:

- at edges: beside critical points and inputs published as bad for a function inside, beside the points
  where the exact value passes zero or a power of two, and where the computed value turns to another
  kind or the error jumps; the last three are bisected to neighbouring numbers;
- on slopes: best-first, the intervals with the largest error sampled are divided, until every
  input in them is visited;
- as noise: errors that look random inside an interval.  Intervals race: in each round all are
  sampled, those of the largest errors (in a power mean) stay and are divided; at the end every
  input of the last ones is looked at, its error interpolated: see interpolation.py.
"""

from __future__ import annotations

import numpy as np

from harness.kernels import Kernel
from harness.search.boxes import bisected, cells, spread_over
from harness.search.interpolation import AT_RUN, run_errors
from harness.search.lines import Line, errors_at
from harness.search.published import published
from harness.search.race import race
from harness.search.values import ExactValues
from harness.search.visits import Found, Visits

Array = np.ndarray

NEAR = 256  # neighbours of each critical point, where the budget allows
BESIDE = 64  # neighbours of each bisected point, where the budget allows
FIRST_SHARE, EDGE_SHARE, SLOPE_SHARE = 0.1, 0.0625, 0.125  # of the budget; noise takes what is left
LABELLED = 1 << 16  # points at which the exact value's binade is looked at
JUMPS = 64  # largest differences of neighbouring samples, bisected


class LineSearch(Visits):
    """Hold one search along a line: its points, its budget, and what it has found so far."""

    def __init__(self, line: Line, kernel: Kernel, budget: int, seed: int):
        super().__init__(lambda points: errors_at(line.problem, kernel, line.fmt, line.inputs(points[0])), budget, seed)
        self.line, self.kernel = line, kernel
        self.exact = ExactValues(line)

    def look_at(self, start: Array, count: Array, stride: Array) -> None:
        """Look at runs of inputs by interpolation, and visit those that beat the record."""
        self.found.evaluations += start.size * AT_RUN
        with np.errstate(all="ignore"):
            for ordinals, error in run_errors(self.exact, self.kernel, start, count, stride):
                self.found.interpolated += ordinals.size
                worst = int(np.argmax(error))
                if error[worst] > self.found.ulp:
                    self.visit(ordinals[None, worst : worst + 1])

    def beside(self, ordinals: Array, neighbours: int) -> None:
        """Visit the neighbours of given inputs on both sides."""
        if ordinals.size:
            near = np.unique((ordinals[:, None] + np.arange(-neighbours, neighbours + 1)).ravel())
            start, stop = self.line.ends
            self.visit(near[(near >= start) & (near < stop)][None])

    def edges(self, low: Array, high: Array, points: Array, ulp: Array) -> Array:
        """Bisect binades and zeros of the exact value and jumps of the error, visit beside them; return the former."""
        labelled = spread_over(low, high, max(1, LABELLED // len(low)))
        steps = np.union1d(bisected(self.exact.binade, labelled), bisected(self.exact.negative, labelled))
        order = np.argsort(points, kind="stable")
        jumps = self.jumps(points[order], ulp[order])
        share = int(self.budget * EDGE_SHARE) // (2 * max(1, len(steps) + len(jumps)))
        self.beside(np.union1d(steps, jumps), min(BESIDE, share))
        return steps

    def jumps(self, points: Array, ulp: Array) -> Array:
        """Bisect the largest differences of neighbouring samples; return the input above each.

        Of two halves the one with the larger difference goes on, and a half without an error on one
        side alone before all.
        """
        rank = np.where(ulp < 0, np.inf, np.log1p(np.maximum(ulp, 0)))
        with np.errstate(invalid="ignore"):
            size = np.nan_to_num(abs(np.diff(rank)), nan=0.0, posinf=np.inf)
        at = np.sort(np.argsort(-size, kind="stable")[:JUMPS])
        low, high, below, above = points[at], points[at + 1], rank[at], rank[at + 1]
        while (high - low).max(initial=0) > 1:
            middle = low + (high - low) // 2
            error = self.visit(middle[None])
            between = np.where(error < 0, np.inf, np.log1p(np.maximum(error, 0)))
            with np.errstate(invalid="ignore"):
                upper = np.nan_to_num(abs(above - between)) > np.nan_to_num(abs(between - below))
            low, below = np.where(upper, middle, low), np.where(upper, between, below)
            high, above = np.where(upper, high, middle), np.where(upper, above, between)
        return high


def search_along(line: Line, kernel: Kernel, budget: int, seed: int) -> Found:
    """Return the worst point found on a line with about `budget` evaluations; deterministic under the seed."""
    run = LineSearch(line, kernel, budget, seed)
    critical = line.critical
    run.beside(critical, min(NEAR, int(budget * EDGE_SHARE) // len(critical)))
    share = int(budget * FIRST_SHARE)
    low, high = cells(line.fmt, *line.ends, share // 2)
    points, ulp = run.sample(low[None], high[None], max(2, share // len(low)))
    run.found.sampled = run.found.ulp
    if line.at is None:
        run.beside(published(line.problem, line.fmt), BESIDE)
    steps = run.edges(low, high, points.ravel(), ulp.ravel())
    run.slopes(low[None], high[None], ulp.max(axis=1), budget * SLOPE_SHARE)
    race(run, low, high, steps, points.ravel(), ulp.ravel())
    return run.found
