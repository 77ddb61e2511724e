"""Search for the input of the largest error where not every input can be visited.

Errors are large in three ways, and the budget is divided among them:

- at edges: beside critical points, beside the points where the exact value passes a power of
  two, and where the computed value turns to another kind or the error jumps; the last three are
  bisected to neighbouring numbers;
- on slopes: best-first, the intervals with the largest error sampled are divided, until every
  input in them is visited;
- as noise: errors that look random inside an interval.  Intervals race: in each round all are
  sampled, those of the largest errors (in a power mean) stay and are divided; at the end every
  input of the last ones is looked at, its error interpolated: see interpolation.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from harness.errors import measure
from harness.formats import Format
from harness.grids import Grid
from harness.kernels import Kernel
from harness.problems import Problem
from harness.search.boxes import bisected, divided, first_boxes, sampled, spread_over
from harness.search.interpolation import AT_RUN, run_errors
from harness.search.race import race
from harness.search.values import BLOCK, ExactValues
from harness.tiers import evaluate

Array = np.ndarray
Errors = Callable[[Array], Array]  # from ordinals (d, n) to ulp errors (n,), negative where there is none

SAMPLES = 16  # points of a part, before it is divided again
CHOSEN = 48  # boxes divided in one round
NEAR = 256  # neighbours of each critical point, all visited
BESIDE = 64  # neighbours of each bisected point, where the budget allows
FIRST_SHARE, EDGE_SHARE, SLOPE_SHARE = 0.1, 0.0625, 0.125  # of the budget; noise takes what is left
LABELLED = 1 << 16  # points at which the exact value's binade is looked at
JUMPS = 64  # largest differences of neighbouring samples, bisected


@dataclass
class Found:
    """Hold the worst input found, and how the search came to it.

    `point` are the ordinals of the worst input (and target); `sampled` is the largest error of
    the first sample; `evaluations` counts exact values, each with the kernel's; `interpolated` the inputs
    where only the kernel was computed and the exact value interpolated; `trace` is the largest error
    after so many evaluations, at each improvement, all with exact values.
    """

    point: tuple[int, ...] = ()
    ulp: float = -1.0
    sampled: float = -1.0
    evaluations: int = 0
    interpolated: int = 0
    trace: list[tuple[int, float]] = field(default_factory=list)

    def note(self, points: Array, errors: Array) -> None:
        """Count evaluations and keep the worst; of equals, the first."""
        self.evaluations += errors.size
        if errors.size and errors.max() > self.ulp:
            best = int(np.argmax(errors))
            self.ulp, self.point = float(errors[best]), tuple(int(v) for v in points[:, best])
            self.trace.append((self.evaluations, self.ulp))


def errors_of(problem: Problem, kernel: Kernel, fmt: Format, target: np.generic | None) -> Errors:
    """Return the error function of an input, or of an input and its target where `target` is None."""

    def errors(points: Array) -> Array:
        inputs = [fmt.from_ordinal(p)[None, :] for p in points]
        if target is not None:
            inputs.append(np.full((1, 1), target))
        with np.errstate(all="ignore"):
            exact = evaluate(problem, fmt, *inputs)
            computed = np.broadcast_to(kernel(*inputs), inputs[0].shape)
            return measure(computed, exact, problem.nonnegative).ulp[0]

    return errors


class Search:
    """Hold one search: its inputs, its budget, and what it has found so far."""

    def __init__(
        self, problem: Problem, kernel: Kernel, fmt: Format, target: np.generic | None, budget: int, seed: int
    ):
        self.grid, self.found, self.budget = Grid("standard", problem, fmt), Found(), budget
        self.rng = np.random.default_rng(seed)
        self.errors = errors_of(problem, kernel, fmt, target)
        self.exact = ExactValues(problem, fmt, target)
        self.run_errors = partial(run_errors, kernel, fmt, target, self.exact)

    @property
    def left(self) -> int:
        """Return how many evaluations are left."""
        return self.budget - self.found.evaluations

    def visit(self, points: Array) -> Array:
        """Compute the kernel at points of shape (d, n); return its errors, NONE where there is none."""
        parts = [self.errors(points[:, i : i + BLOCK]) for i in range(0, points.shape[1], BLOCK)]
        ulp = np.concatenate([np.empty(0), *parts])
        self.found.note(points, ulp)
        return ulp

    def sample(self, low: Array, high: Array, samples: int) -> tuple[Array, Array]:
        """Sample each box [low, high); return points (d, boxes, samples) and errors (boxes, samples)."""
        points = sampled(low, high, samples, self.rng)
        return points, self.visit(points.reshape(len(low), -1)).reshape(points.shape[1:])

    def look_at(self, start: Array, count: Array, stride: Array) -> None:
        """Look at runs of inputs by interpolation, and visit those that beat the record."""
        self.found.evaluations += start.size * AT_RUN
        with np.errstate(all="ignore"):
            for ordinals, error in self.run_errors(start, count, stride):
                self.found.interpolated += ordinals.size
                worst = int(np.argmax(error))
                if error[worst] > self.found.ulp:
                    self.visit(ordinals[None, worst : worst + 1])

    def beside(self, ordinals: Array, neighbours: int) -> None:
        """Visit the neighbours of given inputs on both sides."""
        if ordinals.size:
            near = np.unique((ordinals[:, None] + np.arange(-neighbours, neighbours + 1)).ravel())
            self.visit(near[(near >= self.grid.start) & (near < self.grid.stop)][None])

    def edges(self, low: Array, high: Array, points: Array, ulp: Array) -> Array:
        """Bisect binades of the exact value and jumps of the error, visit beside them; return the former."""
        labelled = spread_over(low, high, max(1, LABELLED // len(low)))
        steps = bisected(self.exact.binade, labelled)
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

    def slopes(self, low: Array, high: Array, best: Array, evaluations: float) -> None:
        """Divide the boxes of the largest errors, best first, until the evaluations are spent."""
        stop = self.found.evaluations + evaluations
        while self.found.evaluations < stop and low.shape[1]:
            chosen = np.argsort(-best, kind="stable")[:CHOSEN]
            first, last = divided(low[:, chosen], high[:, chosen])
            small = np.prod((last - first).astype(float), axis=0) <= SAMPLES
            for part in (small, ~small):
                _, ulp = self.sample(first[:, part], last[:, part], SAMPLES)
            low = np.concatenate([np.delete(low, chosen, 1), first[:, ~small]], axis=1)
            high = np.concatenate([np.delete(high, chosen, 1), last[:, ~small]], axis=1)
            best = np.concatenate([np.delete(best, chosen), ulp.max(axis=1, initial=-1.0)])


def search(
    problem: Problem, kernel: Kernel, fmt: Format, target: np.generic | None, budget: int = 1 << 20, seed: int = 0
) -> Found:
    """Return the worst input found with about `budget` evaluations; deterministic under the seed.

    With `target` None, a problem that has a target is searched over inputs and targets together,
    by sample and slopes alone.
    """
    joint = problem.has_target and target is None
    run = Search(problem, kernel, fmt, target, budget, seed)
    if not joint:
        run.beside(run.grid.critical_ordinals, NEAR)
    low, high = first_boxes(run.grid, joint)
    samples = max(2, int(budget * (0.25 if joint else FIRST_SHARE)) // low.shape[1])
    points, ulp = run.sample(low, high, samples)
    run.found.sampled = run.found.ulp
    if joint:
        run.slopes(low, high, ulp.max(axis=1), run.left)
        return run.found
    steps = run.edges(low[0], high[0], points.ravel(), ulp.ravel())
    run.slopes(low, high, ulp.max(axis=1), budget * SLOPE_SHARE)
    race(run, low[0], high[0], steps, points.ravel(), ulp.ravel())
    return run.found
