"""Mergeable statistics of one kernel, for each target, per cell and per row.

A row is problem x kernel x format x target; a cell is a range of its inputs.  A cell is always
seen by one summary alone, so that summaries of different cells merge exactly and in any order:
cells are laid side by side, counts are integers, and a maximum that occurs twice keeps the input
that is least in bit order.  The mean of a row is the exact sum of its cells, rounded once.
"""

from __future__ import annotations

import math

import numpy as np

from harness.errors import NONE, OUTCOMES, Errors

Array = np.ndarray

CELL_FIELDS = ("points", "max_ulp", "max_ulp_at", "sum_ulp", "median_ulp")
EXTREMES = ("max_rel", "max_abs")
NO_BAD_BELOW, NO_BAD_ABOVE = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Summary:
    """Hold the statistics of one kernel for T targets over C cells.

    Per cell, `points` of shape (C,) and arrays of shape (T, C): `max_ulp` (NONE where nothing was measured) with
    the ordinal of its input `max_ulp_at`, `sum_ulp`, `median_ulp` (NaN where a cell came in several
    blocks), and a count of each outcome.  Per row, arrays of shape (T,): `measured`,
    `correctly_rounded`, `max_rel`, `max_abs` and the ordinals of their inputs, and the two inputs nearest
    to the problem's centre that break the budget, `bad_below` and `bad_above`.
    """

    def __init__(self, targets: int, cells: Array):
        shape = (targets, len(cells))
        self.cells = cells
        self.points = np.zeros(len(cells), np.int64)
        self.max_ulp = np.full(shape, NONE)
        self.max_ulp_at = np.zeros(shape, np.int64)
        self.sum_ulp = np.zeros(shape)
        self.median_ulp = np.full(shape, np.nan)
        self.outcomes = {name: np.zeros(shape, np.int64) for name in OUTCOMES}
        self.measured = np.zeros(targets, np.int64)
        self.correctly_rounded = np.zeros(targets, np.int64)
        self.extreme = {name: np.full(targets, NONE) for name in EXTREMES}
        self.extreme_at = {name: np.zeros(targets, np.int64) for name in EXTREMES}
        self.bad_below = np.full(targets, NO_BAD_BELOW)
        self.bad_above = np.full(targets, NO_BAD_ABOVE)

    def update(self, block: Block, errors: Errors, budget: float) -> None:
        """Add the errors of one block of inputs."""
        columns = slice(block.first, block.first + block.cells)
        ulp = block.by_cell(errors.ulp)
        self.points[columns] += block.per_cell
        self._cell_maxima(block, errors, ulp, columns)
        self.sum_ulp[:, columns] += (ulp if errors.all_measured else np.maximum(ulp, 0)).sum(axis=2)
        if block.whole_cells:
            self.median_ulp[:, columns] = medians(ulp)
        for name, mask in errors.outcomes.items():
            self.outcomes[name][:, columns] += np.count_nonzero(block.by_cell(mask), axis=2)
        self._rows(block, errors)
        self._bad(block, errors, budget)

    def _cell_maxima(self, block: Block, errors: Errors, ulp: Array, columns: slice) -> None:
        top = errors.peak[:, None] if block.cells == 1 else ulp.max(axis=2)
        grown = top > self.max_ulp[:, columns]
        if grown.any():
            at = block.ordinals.reshape(block.cells, -1)[np.arange(block.cells), ulp.argmax(axis=2)]
            self.max_ulp[:, columns] = np.where(grown, top, self.max_ulp[:, columns])
            self.max_ulp_at[:, columns] = np.where(grown, at, self.max_ulp_at[:, columns])

    def _rows(self, block: Block, errors: Errors) -> None:
        most_absolute = errors.peak * errors.exact.most_ulp
        for t, correct in enumerate(errors.correctly_rounded):
            self.correctly_rounded[t] += np.count_nonzero(correct)
            self.measured[t] += len(correct) if errors.all_measured else np.count_nonzero(errors.ulp[t] >= 0)
            # A bound on the row's largest error often spares computing the errors.
            if errors.most_relative[t] > self.extreme["max_rel"][t]:
                self._extreme("max_rel", block, t, errors.relative(t))
            if most_absolute[t] > self.extreme["max_abs"][t]:
                self._extreme("max_abs", block, t, errors.absolute(t))

    def _extreme(self, name: str, block: Block, t: int, values: Array) -> None:
        at = int(values.argmax())
        if values[at] > self.extreme[name][t]:
            self.extreme[name][t] = values[at]
            self.extreme_at[name][t] = block.ordinals[at]

    def _bad(self, block: Block, errors: Errors, budget: float) -> None:
        """Note the inputs nearest to the centre that break the budget.

        Blocks come in bit order: below the centre the last bad input counts, above it the first.
        """
        if not errors.outcomes and not errors.peak.max() > budget:
            return
        split = int(np.searchsorted(block.ordinals, block.centre))
        for t in range(len(self.measured)):
            if split < len(block.ordinals) and self.bad_above[t] > block.ordinals[split]:
                above = np.nonzero(bad_points(errors, t, slice(split, None), budget))[0]
                if above.size:
                    self.bad_above[t] = min(self.bad_above[t], block.ordinals[split + above[0]])
            if split and self.bad_below[t] < block.ordinals[split - 1]:
                last = bad_points(errors, t, slice(split - 1, split), budget)  # in a tail, all are bad
                below = [split - 1] if last[0] else np.nonzero(bad_points(errors, t, slice(0, split), budget))[0]
                if len(below):
                    self.bad_below[t] = max(self.bad_below[t], block.ordinals[below[-1]])

    def mean_ulp(self, t: int) -> float:
        """Return the mean ulp error of a target over its measured points; NaN where there are none."""
        count = int(self.measured[t])
        try:
            return math.fsum(self.sum_ulp[t]) / count if count else math.nan
        except OverflowError:
            return math.inf


def merge(parts: list[Summary]) -> Summary:
    """Return the summary of all inputs of summaries that share no cell; ValueError if they do."""
    cells = np.concatenate([p.cells for p in parts])
    order = np.argsort(cells)
    if (np.diff(cells[order]) == 0).any():
        raise ValueError("summaries of the same cell cannot be merged")
    whole = Summary(len(parts[0].measured), cells[order])
    for name in CELL_FIELDS:
        setattr(whole, name, np.concatenate([getattr(p, name) for p in parts], axis=-1)[..., order])
    for name in OUTCOMES:
        whole.outcomes[name] = np.concatenate([p.outcomes[name] for p in parts], axis=1)[:, order]
    whole.measured = np.sum([p.measured for p in parts], axis=0)
    whole.correctly_rounded = np.sum([p.correctly_rounded for p in parts], axis=0)
    for name in EXTREMES:
        for p in parts:
            whole.extreme[name], whole.extreme_at[name] = larger(
                (whole.extreme[name], whole.extreme_at[name]), (p.extreme[name], p.extreme_at[name])
            )
    whole.bad_below = np.max([p.bad_below for p in parts], axis=0)
    whole.bad_above = np.min([p.bad_above for p in parts], axis=0)
    return whole


class Block:
    """Describe a run of inputs in bit order, the same number in each of its cells.

    `ordinals` has shape (cells * per_cell,); `first` is the position of its first cell in the
    summary; `whole_cells` says that no other block has inputs of these cells; `centre` is the
    ordinal of the problem's centre.
    """

    def __init__(self, ordinals: Array, cells: int, first: int, whole_cells: bool, centre: int):
        self.ordinals, self.cells, self.first = ordinals, cells, first
        self.per_cell = len(ordinals) // cells
        self.whole_cells, self.centre = whole_cells, centre

    def by_cell(self, values: Array) -> Array:
        """Arrange values of shape (T, points) as (T, cells, per_cell)."""
        return values.reshape(len(values), self.cells, self.per_cell)


def bad_points(errors: Errors, t: int, where: slice, budget: float) -> Array:
    """Tell where an error exceeds the budget or an outcome is spurious."""
    bad = errors.ulp[t, where] > budget
    for name, mask in errors.outcomes.items():
        if name != "capped":
            bad |= mask[t, where]
    return bad


def larger(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the larger values with their ordinals; of equal values, the one of the least ordinal."""
    take_b = (b[0] > a[0]) | ((b[0] == a[0]) & (b[1] < a[1]))
    return np.where(take_b, b[0], a[0]), np.where(take_b, b[1], a[1])


def medians(ulp: Array) -> Array:
    """Return the lower median of the measured errors along the last axis; NaN where there is none."""
    values = ulp.copy()
    unmeasured = values < 0
    measured = ulp.shape[2] - np.count_nonzero(unmeasured, axis=2)
    values[unmeasured] = np.inf
    values.sort(axis=2)
    middle = np.maximum(measured - 1, 0) // 2
    return np.where(measured > 0, np.take_along_axis(values, middle[..., None], axis=2)[..., 0], np.nan)
