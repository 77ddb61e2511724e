"""Blocks over which the exact value does not change: one error stands for all, where the results do not change either.

Most of float32 is like that: below 2^-54 softplus is log 2 and sigmoid 1/2 to more bits than the reference has, and
from 40 on sigmoid is 1.  A monotone function that is the same at both ends of a block, rounded and in its ulp too, is
the same between them, to within the reference's bound.  Every result is still looked at: only where all of a block are
equal in every bit is the error of the first taken as that of all.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from harness.sweep.streaming import BUDGET
from harness.sweep.tally import Block, Tally, bad_points
from harness.truth.errors import Errors, measure
from harness.truth.fast import Reference

Array = np.ndarray
SAME = ("value", "ulp", "rounded", "rounded_working")


def unchanging(ends: Reference) -> Reference | None:
    """Return a reference of one point that stands for all between two, shape (1, 2); None where the two differ."""
    if any(a[0, 0] != a[0, 1] for a in (getattr(ends, name) for name in SAME)):
        return None
    one = {name: getattr(ends, name)[:, :1] for name in (*SAME, "high", "ulp_per_value")}
    parts = ends.parts
    return replace(
        ends,
        **one,
        scales=tuple(s[:, :1] for s in ends.scales),
        parts=None if parts is None else lambda: tuple(a[:, :1] for a in parts()),  # type: ignore[arg-type,return-value]
    )


class RepeatedTallies:
    """Measure results that are the same at every input of a block, against an exact value that is the same, once for each."""

    def __init__(self, block: Block, exact: Reference, nonnegative: bool):
        self.block, self.exact, self.nonnegative = block, exact, nonnegative
        self.known: dict[bytes, RepeatedTally] = {}

    def of(self, computed: Array) -> Tally | None:
        """Return the tally of results of shape (1, points); None where they are not all equal in every bit."""
        bits = computed.view(np.dtype(f"u{computed.itemsize}"))
        first = bits[0, :1]
        if (bits != first).any():
            return None
        key = first.tobytes()
        if key not in self.known:
            self.known[key] = RepeatedTally(self.block, measure(computed[:, :1], self.exact, self.nonnegative))
        return self.known[key]


class RepeatedTally(Tally):
    """Hold the statistics of a block at each of whose inputs one error occurs, shape (1, 1).  For formats without huge errors."""

    def __init__(self, block: Block, errors: Errors):
        super().__init__(Block(block.ordinals[:1], 1, block.first, block.whole_cells, block.centre), errors, BUDGET)
        self.block, self.times = block, len(block.ordinals)

    @cached_property
    def sums(self) -> Array:
        """Return the sum of the errors; 0 where there are none."""
        return np.maximum(self._ulp, 0).sum(axis=2) * self.times

    @cached_property
    def outcomes(self) -> dict[str, Array]:
        """Return by name how many inputs have an outcome: all that there are."""
        return {name: mask * self.times for name, mask in self.errors.outcomes.items() if mask.any()}

    @cached_property
    def measured(self) -> Array:
        """Return how many inputs have an error: all or none."""
        return (self.errors.ulp >= 0) * self.times

    @cached_property
    def correctly_rounded(self) -> Array:
        """Return how many results are the exact value rounded: all or none."""
        return self.errors.correctly_rounded * self.times

    def _bad(self, t: int, where: slice) -> Array:
        return np.broadcast_to(bad_points(self.errors, t, slice(None), self.budget), self.times)[where]
