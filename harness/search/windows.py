"""Climb errors that look random: in a narrow window bad inputs combine to worse ones.

Where an error is a sum of roundings no neighbour of a bad input is bad, and yet there is something to climb.  In a
window so narrow that every intermediate result follows a straight line to a small part of its ulp, its rounding depends
on where between two numbers that line stands at the input, its phase; and phases are linear in the input: that of
a + b - c is the sum of a's and b's less c's, whatever the formula.  If a, b and c are bad, all their phases are near the
worst ones, and so are those of a + b - c.  So a window of 2^26 inputs gives its worst after a few thousand, of which
each generation takes the bad ones and looks at their combinations.  An intermediate result that bends as x² or e^x does is
off its line by about w² 2^-p ulps at w inputs from the window's middle, p the format's precision: w is 2^(p/2) at most.

How bad the worst input of a window is changes slowly from window to window, so windows beside the worst are climbed next.
"""

from __future__ import annotations

import numpy as np

from harness.numbers.formats import Format
from harness.search.space import BoxSearch

Array = np.ndarray
Boxes = tuple[Array, Array]  # low and high, (d, n) each, of half-open sides

FIRST, CHILDREN, PARENTS = 1024, 256, 32  # inputs of a window at first, in each generation, and those it is made of
GENERATIONS, LATER = 12, 36  # for all windows of a round, and then for the best of them
GOING_ON = 4  # one in so many windows
IN_ALL = FIRST + GENERATIONS * CHILDREN + LATER * CHILDREN // GOING_ON  # inputs looked at for a window
AT_ONCE = 256  # windows
NARROWER = 8  # a window is up to so many times halved, at random: steep lines bend sooner
ROUNDS, FEWER = 5, 3  # of windows in all cells, in the best of FEWER, and so on
LEAST_WINDOWS = 2  # in a cell


def half_width_bits(precision: int) -> int:
    """Return the largest b for windows of ± 2^b inputs: (p - 3) / 2, so that lines bend by 2^-3 ulp or so."""
    return max(1, (precision - 3) // 2)


def climbable(fmt: Format) -> bool:
    """Tell whether a window has more inputs than climbing it looks at: in float64, but not in float32."""
    return 2 << half_width_bits(fmt.precision) > IN_ALL


class Windows:
    """Hold windows [low, high) of shape (d, windows), with the PARENTS worst inputs found in each and their errors."""

    def __init__(self, run: BoxSearch, low: Array, high: Array):
        self.run, self.low, self.high = run, low, high
        self.points = np.empty((*low.shape, 0), np.int64)
        self.ulp = np.empty((low.shape[1], 0))
        self.look_at(random_in(run, low[..., None], high[..., None], FIRST))

    def look_at(self, points: Array) -> None:
        """Measure the errors at points (d, windows, n), and keep the worst of them and of those known, each once."""
        ulp = self.errors(points)
        points, ulp = np.concatenate([self.points, points], axis=2), np.concatenate([self.ulp, ulp], axis=1)
        order = np.lexsort((*points, -ulp)) if len(points) > 1 else np.argsort(points[0], axis=1)
        points, ulp = np.take_along_axis(points, order[None], 2), np.take_along_axis(ulp, order, 1)
        ulp[:, 1:][(points[..., 1:] == points[..., :-1]).all(axis=0)] = -1.0
        worst = np.argpartition(-ulp, PARENTS - 1, axis=1)[:, :PARENTS]
        worst = np.take_along_axis(worst, np.argsort(-np.take_along_axis(ulp, worst, 1), axis=1, kind="stable"), 1)
        self.points, self.ulp = np.take_along_axis(points, worst[None], 2), np.take_along_axis(ulp, worst, 1)

    def errors(self, points: Array) -> Array:
        """Return the errors in ulps at points (d, windows, n): along a line by interpolation, else from exact values."""
        if len(points) > 1:
            return self.run.visit(points.reshape(len(points), -1)).reshape(points.shape[1:])
        points.sort(axis=2)  # a run rises from one end of the window to the other
        points[..., 0], points[..., -1] = self.low, self.high - 1
        return self.run.look_at_runs(points)

    def climb(self, generations: int) -> None:
        """Look at combinations a + b - c of three of the worst inputs, and at others in place of those outside."""
        low, high = self.low[..., None], self.high[..., None]
        for _ in range(generations):
            chosen = self.run.rng.integers(0, PARENTS, (3, 1, self.low.shape[1], CHILDREN))
            a, b, c = (np.take_along_axis(self.points, i, 2) for i in chosen)
            points = a + b - c
            inside = ((points >= low) & (points < high)).all(axis=0)
            self.look_at(np.where(inside, points, random_in(self.run, low, high, CHILDREN)))

    def take(self, kept: Array) -> None:
        """Go on with the windows of these numbers alone."""
        self.low, self.high = self.low[:, kept], self.high[:, kept]
        self.points, self.ulp = self.points[:, kept], self.ulp[kept]


def random_in(run: BoxSearch, low: Array, high: Array, count: int) -> Array:
    """Return so many random points in each box; the boxes' arrays have a last axis of length 1, which that becomes."""
    return low + np.floor(run.rng.random((*low.shape[:-1], count)) * (high - low)).astype(np.int64)


def beside(run: BoxSearch, points: Array) -> Array:
    """Return a point beside each one (d, n): up to 2^k inputs away, k random up to the size of a cell."""
    least = half_width_bits(run.fmt.precision)
    most = max(least + 1, run.fmt.cell_shift)
    reach = 2.0 ** (least + (most - least) * run.rng.random(points.shape))
    return points + np.rint(run.rng.uniform(-1, 1, points.shape) * reach).astype(np.int64)


def climbed(run: BoxSearch, centres: Array, cells: Boxes, owners: Array) -> tuple[Array, Array, Array]:
    """Climb a window of random width around each centre (d, n), which lies in a cell and belongs to the owner numbered.

    All get GENERATIONS, the best of each owner LATER ones.  Returns the worst inputs (d, m), errors and owners of these.
    """
    most = half_width_bits(run.fmt.precision)
    half = 1 << run.rng.integers(max(0, most - NARROWER), most, len(owners), endpoint=True)
    windows = Windows(run, np.maximum(centres - half, cells[0]), np.minimum(centres + half + 1, cells[1]))
    windows.climb(GENERATIONS)
    order = np.lexsort((-windows.ulp[:, 0], owners))
    rank = np.arange(len(order)) - np.searchsorted(owners[order], owners[order])
    kept = order[rank * GOING_ON < np.bincount(owners)[owners[order]]]
    windows.take(kept)
    windows.climb(LATER)
    return windows.points[..., 0], windows.ulp[:, 0], owners[kept]


def search_windows(run: BoxSearch, cells: Boxes, spots: Boxes, inputs: int) -> Array:
    """Climb windows in cells, of which the most promising come first, until about so many inputs are looked at.

    A spot, one in each cell, is where the worst of the cell is thought to lie.  Every cell gets windows, then those with
    the worst inputs get more, and so on: so that many places of the same middling limit do not hide
    one of a higher.  Returns the worst point of each cell that got windows, (d, n), the worst first.
    """
    each = inputs // ROUNDS // IN_ALL  # windows in a round
    low, high = spots
    if not each:
        return np.empty((len(low), 0), np.int64)
    kept = np.arange(min(low.shape[1], max(1, each // LEAST_WINDOWS)))
    best = random_in(run, low[:, kept, None], high[:, kept, None], 1)[..., 0]
    worst = np.full(len(kept), -1.0)
    for _ in range(ROUNDS):
        owners = np.repeat(kept, each // len(kept))
        for start in range(0, len(owners), AT_ONCE):
            here = owners[start : start + AT_ONCE]
            centres = chosen_centres(run, taken(cells, here), taken(spots, here), best[:, here])
            points, ulp, owner = climbed(run, centres, taken(cells, here), here)
            for n in range(len(ulp)):
                if ulp[n] > worst[owner[n]]:
                    worst[owner[n]], best[:, owner[n]] = ulp[n], points[:, n]
        kept = kept[np.argsort(-worst[kept], kind="stable")[: max(1, len(kept) // FEWER)]]
    return best[:, np.argsort(-worst, kind="stable")]


def taken(boxes: Boxes, numbers: Array) -> Boxes:
    """Return the boxes of these numbers, in their order."""
    return boxes[0][:, numbers], boxes[1][:, numbers]


def chosen_centres(run: BoxSearch, cells: Boxes, spots: Boxes, best: Array) -> Array:
    """Return a centre (d, n) in each cell: a third each at its spot, anywhere, and beside its worst input, `best`."""
    way = run.rng.integers(0, 3, best.shape[1])
    spot, anywhere = (random_in(run, low[..., None], high[..., None], 1)[..., 0] for low, high in (spots, cells))
    return np.clip(np.choose(way, [spot, anywhere, beside(run, best)]), cells[0], cells[1] - 1)
