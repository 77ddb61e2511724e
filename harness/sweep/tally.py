"""What the errors of one block of inputs add to a summary: maxima, sums, medians and counts.

A block is up to 2^14 inputs in value order.  Each figure is computed when first asked for: most change no maximum, and kernels whose results agree
in every bit share one tally.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from harness.truth.errors import HUGE, Errors

Array = np.ndarray


class Block:
    """Describe a run of inputs in value order, the same number in each of its cells.

    `ordinals` has shape (cells * per_cell,); `first` is the position of its first cell in the
    summary; `whole_cells` says that no other block has inputs of these cells; `centre` is the
    ordinal of the problem's centre.  `beside_zero` tells of which inputs means are not taken: the neighbours of a zero
    of the exact value that a sample visits besides, None where there are none.  Their errors in ulp have no bound, and
    a sample has 10^4 times as many of them as the format has.
    """

    def __init__(
        self, ordinals: Array, cells: int, first: int, whole_cells: bool, centre: int, beside_zero: Array | None = None
    ):
        self.ordinals, self.cells, self.first, self.beside_zero = ordinals, cells, first, beside_zero
        self.per_cell = len(ordinals) // cells
        self.whole_cells, self.centre = whole_cells, centre

    @property
    def columns(self) -> slice:
        """Return the positions of its cells in the summary."""
        return slice(self.first, self.first + self.cells)

    @cached_property
    def split(self) -> int:
        """Return how many of its inputs lie below the problem's centre."""
        return int(np.searchsorted(self.ordinals, self.centre))

    def by_cell(self, values: Array) -> Array:
        """Arrange values of shape (T, points) as (T, cells, per_cell)."""
        return values.reshape(len(values), self.cells, self.per_cell)

    def count(self, mask: Array) -> Array:
        """Count what a mask of shape (T, points) has in each cell, shape (T, cells)."""
        if self.cells == 1:  # a tenth of the time that it takes along an axis
            return np.array([[np.count_nonzero(row)] for row in mask])
        return np.count_nonzero(self.by_cell(mask), axis=2)


class Tally:
    """Hold the statistics of one kernel's errors in one block for T targets.

    Per cell, arrays of shape (T, cells): `top` and the ordinal of its input `top_at`, `sums`, `medians`, and
    `outcomes` by name, `measured` and `correctly_rounded`.  A bad input is one whose error exceeds the budget or whose
    outcome is spurious.
    """

    def __init__(self, block: Block, errors: Errors, budget: float):
        self.block, self.errors, self.budget = block, errors, budget
        self._ulp = block.by_cell(errors.ulp)
        self._found: dict[tuple, Any] = {}

    @cached_property
    def top(self) -> Array:
        """Return the largest ulp error in each cell, shape (T, cells); negative where nothing was measured."""
        return self.errors.peak[:, None] if self.block.cells == 1 else self._ulp.max(axis=2)

    @cached_property
    def top_at(self) -> Array:
        """Return the ordinal of the input of each cell's largest error, the least in value; shape (T, cells)."""
        ordinals = self.block.ordinals.reshape(self.block.cells, -1)
        worst = self._ulp.argmax(axis=2)
        if self.errors.huge:
            worst = np.where(np.isinf(self.top), self._huge.argmax(axis=2), worst)
        return ordinals[np.arange(self.block.cells), worst]

    @cached_property
    def sums(self) -> Array:
        """Return the sum of the measured ulp errors up to HUGE in each cell, those beside a zero left out; shape (T, cells)."""
        ulp = self._ulp if self.errors.all_measured else np.maximum(self._ulp, 0)
        if self.errors.huge:
            ulp = np.where(ulp > HUGE, 0, ulp)
        return self._meant(ulp).sum(axis=2)

    def _meant(self, by_cell: Array) -> Array:
        """Return values by cell with 0 at the inputs of which no mean is taken."""
        beside = self.block.beside_zero
        return by_cell if beside is None else np.where(beside.reshape(self.block.cells, -1), 0, by_cell)

    @cached_property
    def _huge(self) -> Array:
        """Return the errors beyond HUGE times 2^HUGE_SCALE, cell by cell."""
        return self.block.by_cell(self.errors.huge_ulp())

    @cached_property
    def huge_top(self) -> Array | float:
        """Return the largest ulp error of each cell times 2^HUGE_SCALE where it is beyond HUGE, else 0."""
        return self._huge.max(axis=2) if self.errors.huge else 0.0

    @cached_property
    def huge_sums(self) -> Array | float:
        """Return the sum of the errors beyond HUGE, which `sums` leaves out, times 2^HUGE_SCALE."""
        return self._meant(self._huge).sum(axis=2) if self.errors.huge else 0.0

    @cached_property
    def medians(self) -> Array:
        """Return the lower median of the measured ulp errors in each cell, shape (T, cells)."""
        return medians(self._ulp)

    @cached_property
    def outcomes(self) -> dict[str, Array]:
        """Return by name how many inputs of each cell have the outcome, shape (T, cells); only those that occur."""
        return {name: self.block.count(mask) for name, mask in self.errors.outcomes.items()}

    @cached_property
    def measured(self) -> Array:
        """Return of how many errors `sums` are, shape (T, cells): of finite results at finite exact values."""
        if self.block.beside_zero is not None:
            return self.block.count((self.errors.ulp >= 0) & ~self.block.beside_zero)
        if self.errors.all_measured:
            return np.full(self._ulp.shape[:2], self.block.per_cell)
        return self.block.count(self.errors.ulp >= 0)

    @cached_property
    def correctly_rounded(self) -> Array:
        """Return how many results in each cell are the exact value rounded to nearest even, shape (T, cells)."""
        return self.block.count(self.errors.correctly_rounded)

    @cached_property
    def most(self) -> dict[str, Array]:
        """Return bounds from above on the largest relative and absolute error of each row."""
        return {
            "max_rel": self.errors.most_relative,
            "max_abs": self.errors.most_absolute,
        }

    def largest(self, name: str, t: int) -> tuple[float, int]:
        """Return a row's largest relative ("max_rel") or absolute ("max_abs") error and the ordinal of its input."""

        def found() -> tuple[float, int]:
            values = self.errors.relative(t) if name == "max_rel" else self.errors.absolute(t)
            at = int(values.argmax())
            return float(values[at]), int(self.block.ordinals[at])

        return self._once((name, t), found)

    @cached_property
    def maybe_bad(self) -> bool:
        """Tell whether there may be a bad input."""
        return bool(self.errors.outcomes) or bool(self.errors.peak.max() > self.budget)

    def first_bad_above(self, t: int) -> int | None:
        """Return the ordinal of the first bad input of a row from the problem's centre upwards."""

        def found() -> int | None:
            above = np.nonzero(self._bad(t, slice(self.block.split, None)))[0]
            return int(self.block.ordinals[self.block.split + above[0]]) if above.size else None

        return self._once(("above", t), found)

    def last_bad_below(self, t: int) -> int | None:
        """Return the ordinal of the last bad input of a row below the problem's centre."""

        def found() -> int | None:
            split = self.block.split
            if self._bad(t, slice(split - 1, split))[0]:  # in a tail, all are bad
                return int(self.block.ordinals[split - 1])
            below = np.nonzero(self._bad(t, slice(0, split)))[0]
            return int(self.block.ordinals[below[-1]]) if below.size else None

        return self._once(("below", t), found)

    def _bad(self, t: int, where: slice) -> Array:
        return bad_points(self.errors, t, where, self.budget)

    def _once(self, key: tuple, compute: Callable[[], Any]) -> Any:
        if key not in self._found:
            self._found[key] = compute()
        return self._found[key]


def bad_points(errors: Errors, t: int, where: slice, budget: float) -> Array:
    """Tell where an error exceeds the budget or an outcome is spurious."""
    bad = errors.ulp[t, where] > budget
    for name, mask in errors.outcomes.items():
        if name != "capped":
            bad |= mask[t, where]
    return bad


def medians(ulp: Array) -> Array:
    """Return the lower median of the measured errors along the last axis; NaN where there is none."""
    values = ulp.copy()
    unmeasured = values < 0
    measured = ulp.shape[2] - np.count_nonzero(unmeasured, axis=2)
    values[unmeasured] = np.inf
    values.sort(axis=2)
    middle = np.maximum(measured - 1, 0) // 2
    return np.where(measured > 0, np.take_along_axis(values, middle[..., None], axis=2)[..., 0], np.nan)
