"""Race intervals for errors that look random: which of them to look at, when not all can be.

The search that owns the budget is passed in; see along.py for the reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.search.boxes import Array, split

if TYPE_CHECKING:
    from harness.search.along import LineSearch

ROUNDS = 5
ROUND_SHARE = 0.08  # of the budget, for the samples of one round
LOOKED_AT = 32  # times the budget: the inputs of the intervals that stay at the end
MOST_DROPPED = 4  # in one round, as a ratio of points
LEAST = 1 << 12  # points of an interval that is not divided further
FLAT = 64  # points that stand for all (see ExactValues.degrees): so few were seen by the samples
POWER = 8  # of the mean: high enough to see the tail, low enough not to follow single samples
SCALES = (8, 6, 4, 2)  # bits below a cell of the wider blocks whose samples an interval shares


class Samples:
    """Hold the points sampled so far in order, with the powers of their errors as fractions of the largest."""

    def __init__(self, points: Array, ulp: Array):
        self.points, self.ulp = points, ulp
        self._sort()

    def add(self, points: Array, ulp: Array) -> None:
        """Add points with their errors."""
        self.points, self.ulp = np.concatenate([self.points, points]), np.concatenate([self.ulp, ulp])
        self._sort()

    def _sort(self) -> None:
        order = np.argsort(self.points, kind="stable")
        self.points, self.ulp = self.points[order], np.clip(self.ulp[order], 0, 1e300)
        fraction = self.ulp / max(self.ulp.max(initial=0.0), 1e-300)
        self.sum = np.concatenate([[0.0], np.cumsum(fraction**POWER)])

    def measure(self, low: Array, high: Array) -> Array:
        """Return the power mean of each interval's errors, less what so few samples leave uncertain."""
        first, last = np.searchsorted(self.points, low), np.searchsorted(self.points, high)
        count = np.maximum(last - first, 1)
        mean = np.maximum(self.sum[last] - self.sum[first], 0) / count
        return mean ** (1 / POWER) * (1 - 1 / np.sqrt(2 * count))

    def score(self, low: Array, high: Array, cell_shift: int) -> Array:
        """Return the largest measure of each interval and of the aligned blocks that it lies in."""
        best = self.measure(low, high)
        for scale in SCALES:
            shift = max(0, cell_shift - scale)
            start = low >> shift << shift
            wider = self.measure(start, start + (1 << shift))
            best = np.where(high - low < 1 << shift, np.maximum(best, wider), best)
        return best


def race(search: LineSearch, low: Array, high: Array, steps: Array, points: Array, ulp: Array) -> None:
    """Spend what is left of a search's budget on the intervals that promise most, and look at the last.

    `low` and `high` are the cells; `steps` the inputs where the exact value passes a power of two;
    `points` and `ulp` the samples so far.
    """
    shift = search.line.fmt.cell_shift
    samples = Samples(points, ulp)
    share = int(search.budget * ROUND_SHARE)
    start, stop = banded(low, high, steps, shift)
    for number in range(ROUNDS + 1):
        order = np.argsort(-samples.score(start, stop, shift), kind="stable")[: share // 2]
        start, stop = start[order], stop[order]
        drawn, errors = search.sample(start[None], stop[None], max(2, share // max(1, len(start))))
        samples.add(drawn.ravel(), errors.ravel())
        order = np.argsort(-samples.score(start, stop, shift), kind="stable")
        start, stop = start[order], stop[order]
        degrees = search.exact.degrees(start, stop)
        start, stop, degrees = start[degrees > FLAT], stop[degrees > FLAT], degrees[degrees > FLAT]
        if number < ROUNDS:
            start, stop = split(*promising(start, stop, degrees, search.budget * LOOKED_AT, ROUNDS - number), 2 * LEAST)
    look_at(search, start, stop, degrees)


def banded(low: Array, high: Array, steps: Array, shift: int) -> tuple[Array, Array]:
    """Divide the cells at the given steps and at distances 2^6, 2^8, ... on both sides of them."""
    distance = 1 << np.arange(6, max(7, shift - 1), max(2, shift // 8))
    edges = (steps[:, None] + np.concatenate([-distance[::-1], [0], distance])).ravel()
    edges = np.unique(np.concatenate([low, high, edges[(edges > low.min()) & (edges < high.max())]]))
    return edges[:-1], edges[1:]


def promising(start: Array, stop: Array, degrees: Array, goal: float, rounds: int) -> tuple[Array, Array]:
    """Keep the first intervals, so that in so many equal rounds the points come down to the goal."""
    total = np.cumsum(degrees.astype(float))
    if not total.size:
        return start, stop
    ratio = np.clip((goal / total[-1]) ** (1 / rounds), 1 / MOST_DROPPED, 1)
    kept = max(FLAT, int(np.searchsorted(total, total[-1] * ratio)))
    return start[:kept], stop[:kept]


def look_at(search: LineSearch, start: Array, stop: Array, degrees: Array) -> None:
    """Look at whole intervals, or points spread over those where a few stand for all, or a run of a large one."""
    stride = -(-(stop - start) // degrees)
    count = np.minimum((stop - start) // stride, 2 * LEAST)
    kept = np.cumsum(count) <= search.budget * LOOKED_AT
    start, stop, stride, count = start[kept], stop[kept], stride[kept], count[kept]
    room = stop - start - (count - 1) * stride
    search.look_at(start + np.floor(search.rng.random(len(start)) * room).astype(np.int64), count, stride)
