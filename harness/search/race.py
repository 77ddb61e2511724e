"""Race intervals for errors that look random: which of them to visit, when not all can be.

The search that owns the budget is passed in; see search.py for the reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.search.worst import Search

Array = np.ndarray

ROUNDS = 5
ROUND_SHARE = 0.04  # of the budget, for the samples of one round
GOAL = 8  # times the budget: the points of the intervals that stay at the end
MOST_DROPPED = 4  # in one round, as a ratio of points
LEAST = 1 << 10  # points of an interval that is not divided further
PIECES = 4  # into which larger ones are divided
FLAT = 64  # points that stand for all (see Candidates.degrees): so few were seen by the samples
SPREAD = 4.0  # standard deviations: the sum of a few roundings seldom goes further
SCALES = (8, 6, 4, 2)  # bits below a cell of the wider blocks whose samples an interval shares
VISIT_SHARE = 0.7  # of what is left after the rounds; the cells take the rest
CHUNKS = 6  # in which the best intervals are visited, each against a new record
WHOLE = 1  # of these, visited without screening: the record is still low
ARMS, STAGES = 384, 4  # cells of the second race, and its rounds, after each of which a quarter stays
CLOSE = 0.97  # of the record: what counts as close to it
TOP = 256  # samples that count as close at first


class Samples:
    """Hold the points sampled so far in order, with their errors as fractions of the largest."""

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
        self.sum, self.square = (np.concatenate([[0.0], np.cumsum(v)]) for v in (fraction, fraction * fraction))

    def measure(self, low: Array, high: Array) -> Array:
        """Return mean + SPREAD standard deviations of each interval, less one standard error."""
        first, last = np.searchsorted(self.points, low), np.searchsorted(self.points, high)
        count = np.maximum(last - first, 1)
        mean = (self.sum[last] - self.sum[first]) / count
        variance = (self.square[last] - self.square[first]) / count - mean * mean
        return (mean + SPREAD * np.sqrt(np.maximum(variance, 0))) * (1 - 1 / np.sqrt(2 * count))

    def score(self, low: Array, high: Array, cell_shift: int) -> Array:
        """Return the largest measure of each interval and of the aligned blocks that it lies in."""
        best = self.measure(low, high)
        for scale in SCALES:
            shift = max(0, cell_shift - scale)
            start = low >> shift << shift
            wider = self.measure(start, start + (1 << shift))
            best = np.where(high - low < 1 << shift, np.maximum(best, wider), best)
        return best


def race(search: Search, low: Array, high: Array, steps: Array, points: Array, ulp: Array) -> None:
    """Spend what is left of a search's budget on the intervals and the cells that promise most.

    `low` and `high` are the cells; `steps` the inputs where the exact value passes a power of two;
    `points` and `ulp` the samples so far.
    """
    shift = search.grid.fmt.cell_shift
    samples = Samples(points, ulp)
    cells = np.argsort(-samples.measure(low, high), kind="stable")[:ARMS]
    start, stop = banded(low, high, steps, shift)
    order = np.argsort(-samples.score(start, stop, shift), kind="stable")
    start, stop = start[order], stop[order]
    for number in range(ROUNDS + 1):
        start, stop = start[: int(search.budget * ROUND_SHARE) // 2], stop[: int(search.budget * ROUND_SHARE) // 2]
        each = max(2, int(search.budget * ROUND_SHARE) // max(1, len(start)))
        drawn, errors = search.sample(start[None], stop[None], each)
        samples.add(drawn.ravel(), errors.ravel())
        order = np.argsort(-samples.score(start, stop, shift), kind="stable")
        start, stop = start[order], stop[order]
        degrees = search.candidates.degrees(start, stop)
        start, stop, degrees = start[degrees > FLAT], stop[degrees > FLAT], degrees[degrees > FLAT]
        if number < ROUNDS:
            start, stop = split(*promising(start, stop, degrees, search.budget * GOAL, ROUNDS - number))
    visit_intervals(search, start, stop, np.minimum(degrees, 2 * LEAST), int(search.left * VISIT_SHARE))
    race_cells(search, low[cells], high[cells], float(np.sort(samples.ulp)[-min(TOP, len(samples.ulp))]))


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


def split(start: Array, stop: Array) -> tuple[Array, Array]:
    """Divide the intervals of at least 2 LEAST points into PIECES."""
    large = stop - start >= 2 * LEAST
    step, rest = np.divmod(stop[large] - start[large], PIECES)
    part = np.arange(PIECES + 1)
    edges = start[large][:, None] + step[:, None] * part + np.minimum(part, rest[:, None])
    return (
        np.concatenate([start[~large], edges[:, :-1].ravel()]),
        np.concatenate([stop[~large], edges[:, 1:].ravel()]),
    )


def visit_intervals(search: Search, start: Array, stop: Array, degrees: Array, evaluations: int) -> None:
    """Visit intervals in order: whole ones, or points spread over those where a few stand for all."""
    first = 0
    for chunk in range(CHUNKS):
        count = evaluations // CHUNKS
        pool = count * (search.candidates.worth(search.found.ulp) if chunk >= WHOLE else 1)
        last = first + int(np.searchsorted(np.cumsum(degrees[first:]), pool)) + 1
        drawn = [
            a + ((np.arange(n) + search.rng.random(n)) * ((b - a) / n)).astype(np.int64)
            for a, b, n in zip(start[first:last], stop[first:last], degrees[first:last])
        ]
        first = last
        if drawn:
            search.visit_screened(np.concatenate(drawn), count, search.found.ulp)


def race_cells(search: Search, low: Array, high: Array, close: float) -> None:
    """Race whole cells by how often their errors come close to the record; the last stage goes for it alone."""
    for stage in range(STAGES):
        each = search.left // (STAGES - stage) // max(1, len(low))
        close = min(close, CLOSE * search.found.ulp) if stage == 0 else CLOSE * search.found.ulp
        rate = np.zeros(len(low))
        for n in range(len(low)):
            for_rate = 0 if stage == STAGES - 1 else 2 * each // 3
            pool = cell_pool(search, int(low[n]), int(high[n]), int(each * search.candidates.worth(search.found.ulp)))
            part = len(pool) * for_rate // max(1, each)
            ulp = search.visit_screened(pool[:part], for_rate, close)
            rate[n] = np.count_nonzero(ulp >= close)
            search.visit_screened(pool[part:], each - for_rate, search.found.ulp)
        kept = np.argsort(-rate, kind="stable")[: max(1, len(low) // 4)]
        low, high = low[kept], high[kept]


def cell_pool(search: Search, low: int, high: int, points: int) -> Array:
    """Return so many random points of a cell, or all of it."""
    if points * 2 >= high - low:
        return np.arange(low, high)
    return low + np.floor(search.rng.random(points) * (high - low)).astype(np.int64)
