"""Mergeable statistics of one kernel, for each target, per cell and per row.

A row is problem x kernel x format x target; a cell is a range of its inputs.  A cell is always
seen by one summary alone, so that summaries of different cells merge exactly and in any order:
cells are laid side by side, counts are integers, and a maximum that occurs twice keeps the input
that is least in value.  The mean of a row is the exact sum of its cells, rounded once.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
from mpmath import mp

from harness.sweep.tally import Block, Tally
from harness.truth.errors import HUGE_SCALE, NONE, OUTCOMES, Errors

Array = np.ndarray

CELL_FIELDS = (
    "points", "measured", "correctly_rounded", "max_ulp", "max_ulp_at", "sum_ulp", "huge_ulp", "huge_sum", "median_ulp",
)  # fmt: skip
EXTREMES = ("max_rel", "max_abs")
SUM_BITS = 2400  # hold sums of up to 2^2098 ulp whole
NO_BAD_BELOW, NO_BAD_ABOVE = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Summary:
    """Hold the statistics of one kernel for T targets over C cells.

    Per cell, `points` of shape (C,) and arrays of shape (T, C): `max_ulp` (NONE where nothing was measured) with
    the ordinal of its input `max_ulp_at`, `sum_ulp` and the number of errors in it, `measured`, `median_ulp` (NaN where a
    cell came in several blocks), how many results are `correctly_rounded`, and a count of each outcome.  Errors beyond
    2^960 ulp count in `huge_ulp`, the largest, and `huge_sum` instead of `sum_ulp`, both times 2^-1100.  Per row, arrays
    of shape (T,): `max_rel`, `max_abs` and the ordinals of their inputs, and the two inputs nearest to the problem's
    centre that break the budget, `bad_below` and `bad_above`.
    """

    def __init__(self, targets: int, cells: Array):
        shape = (targets, len(cells))
        self.cells = cells
        self.points = np.zeros(len(cells), np.int64)
        self.max_ulp = np.full(shape, NONE)
        self.max_ulp_at = np.zeros(shape, np.int64)
        self.sum_ulp = np.zeros(shape)
        self.huge_ulp, self.huge_sum = np.zeros(shape), np.zeros(shape)
        self.median_ulp = np.full(shape, np.nan)
        self.outcomes = {name: np.zeros(shape, np.int64) for name in OUTCOMES}
        self.measured, self.correctly_rounded = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.extreme = {name: np.full(targets, NONE) for name in EXTREMES}
        self.extreme_at = {name: np.zeros(targets, np.int64) for name in EXTREMES}
        self.bad_below = np.full(targets, NO_BAD_BELOW)
        self.bad_above = np.full(targets, NO_BAD_ABOVE)

    def update(self, block: Block, errors: Errors, budget: float) -> None:
        """Add the errors of one block of inputs."""
        self.add(Tally(block, errors, budget))

    def add(self, tally: Tally) -> None:
        """Add the tally of one block of inputs."""
        columns = tally.block.columns
        self.points[columns] += tally.block.per_cell
        grown = (tally.top > self.max_ulp[:, columns]) | (tally.huge_top > self.huge_ulp[:, columns])
        if grown.any():
            self.max_ulp[:, columns] = np.where(grown, tally.top, self.max_ulp[:, columns])
            self.max_ulp_at[:, columns] = np.where(grown, tally.top_at, self.max_ulp_at[:, columns])
            self.huge_ulp[:, columns] = np.where(grown, tally.huge_top, self.huge_ulp[:, columns])
        self.sum_ulp[:, columns] += tally.sums
        self.huge_sum[:, columns] += tally.huge_sums
        if tally.block.whole_cells:
            self.median_ulp[:, columns] = tally.medians
        for name, counts in tally.outcomes.items():
            self.outcomes[name][:, columns] += counts
        self.measured[:, columns] += tally.measured
        self.correctly_rounded[:, columns] += tally.correctly_rounded
        self._extremes(tally)
        self.note_bad(tally)

    def _extremes(self, tally: Tally) -> None:
        for name in EXTREMES:
            # A bound on a row's largest error often spares computing the errors.
            for t in np.nonzero(tally.most[name] > self.extreme[name])[0]:
                value, at = tally.largest(name, int(t))
                if value > self.extreme[name][t]:
                    self.extreme[name][t], self.extreme_at[name][t] = value, at

    def note_bad(self, tally: Tally) -> None:
        """Note the inputs nearest to the centre that break the budget.

        Blocks come in value order: below the centre the last bad input counts, above it the first.
        """
        if not tally.maybe_bad:
            return
        ordinals, split = tally.block.ordinals, tally.block.split
        for t in range(len(self.bad_above)):
            if split < len(ordinals) and self.bad_above[t] > ordinals[split]:
                above = tally.first_bad_above(t)
                self.bad_above[t] = min(self.bad_above[t], NO_BAD_ABOVE if above is None else above)
            if split and self.bad_below[t] < ordinals[split - 1]:
                below = tally.last_bad_below(t)
                self.bad_below[t] = max(self.bad_below[t], NO_BAD_BELOW if below is None else below)

    def worst_at(self, t: int) -> int:
        """Return the ordinal of the input with a target's largest ulp error; of several, the least in value."""
        largest = self.max_ulp[t] == self.max_ulp[t].max()
        return int(self.max_ulp_at[t, int(np.argmax(np.where(largest, self.huge_ulp[t], -1.0)))])

    def mean_ulp(self, t: int) -> mpmath.mpf:
        """Return the mean ulp error of a target over its measured points; NaN where there are none."""
        count = int(self.measured[t].sum())
        if not count:
            return mp.nan
        with mp.workprec(SUM_BITS):
            return self.total_ulp(t) / count

    def total_ulp(self, t: int, cells: Array | slice = slice(None)) -> mpmath.mpf:
        """Return the exact sum of what some cells, all by default, have as sums of ulp errors, for a target."""
        with mp.workprec(SUM_BITS):
            return _whole(self.sum_ulp[t, cells]) + mp.ldexp(_whole(self.huge_sum[t, cells]), -HUGE_SCALE)


class LargestErrors:
    """Hold the largest ulp error of one kernel for T targets over all its inputs, shape (T,), and its outcomes' counts.

    They are those of its Summary: `max_ulp` (NONE where nothing was measured), `measured`, and `outcomes` by name.
    """

    def __init__(self, targets: int):
        self.max_ulp = np.full(targets, NONE)
        self.measured = np.zeros(targets, np.int64)
        self.outcomes = {name: np.zeros(targets, np.int64) for name in OUTCOMES}

    def add(self, tally: Tally) -> None:
        """Add the tally of one block of inputs."""
        self.max_ulp = np.maximum(self.max_ulp, tally.errors.peak)
        self.measured += tally.measured.sum(axis=1)
        for name, mask in tally.errors.outcomes.items():
            self.outcomes[name] += np.count_nonzero(mask, axis=1)


def _whole(values: Array) -> mpmath.mpf:
    """Return the exact sum of float64 numbers, rounded once to float64 where that holds it."""
    scale = 64  # so that no partial sum overflows
    return (
        mp.ldexp(mp.mpf(math.fsum(np.ldexp(values, -scale))), scale)
        if values.max(initial=0) > 2.0**900
        else mp.mpf(math.fsum(values))
    )


def merge(parts: list[Summary]) -> Summary:
    """Return the summary of all inputs of summaries that share no cell; ValueError if they do."""
    cells = np.concatenate([p.cells for p in parts])
    order = np.argsort(cells)
    if (np.diff(cells[order]) == 0).any():
        raise ValueError("summaries of the same cell cannot be merged")
    whole = Summary(len(parts[0].bad_above), cells[order])
    for name in CELL_FIELDS:
        setattr(whole, name, np.concatenate([getattr(p, name) for p in parts], axis=-1)[..., order])
    for name in OUTCOMES:
        whole.outcomes[name] = np.concatenate([p.outcomes[name] for p in parts], axis=1)[:, order]
    for name in EXTREMES:
        for p in parts:
            whole.extreme[name], whole.extreme_at[name] = larger(
                (whole.extreme[name], whole.extreme_at[name]), (p.extreme[name], p.extreme_at[name])
            )
    whole.bad_below = np.max([p.bad_below for p in parts], axis=0)
    whole.bad_above = np.min([p.bad_above for p in parts], axis=0)
    return whole


def larger(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the larger values with their ordinals; of equal values, the one of the least ordinal."""
    take_b = (b[0] > a[0]) | ((b[0] == a[0]) & (b[1] < a[1]))
    return np.where(take_b, b[0], a[0]), np.where(take_b, b[1], a[1])
