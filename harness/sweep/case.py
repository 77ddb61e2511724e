"""A case: one kernel, format and target, for which single inputs are looked at again after the sweep.

A sweep keeps of each input no more than its summary.  Tables, bounds, searches and the atlas come back to single
inputs: to compute an extreme anew, or to find where a range ends.  Inputs are given by their ordinals, the
positions of the format's numbers in order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import Grid
from harness.sweep.tally import bad_points
from harness.truth.arb import cited
from harness.truth.errors import Errors, measure
from harness.truth.fast import evaluate

Call = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Case:
    """One kernel (or recorded system) on one grid for one target: what a row of a table is about.

    `target` is a number of the grid's format, None for a problem without one.
    """

    problem: Problem
    name: str
    function: Call
    grid: Grid
    target: np.generic | None

    @property
    def fmt(self) -> Format:
        """Return the working format, which is that of the grid."""
        return self.grid.fmt

    def compute(self, ordinals: np.ndarray) -> np.ndarray:
        """Run the kernel on inputs given by their ordinals; shape (n,) of the format."""
        inputs = self._inputs(ordinals)
        with np.errstate(all="ignore"):
            return np.broadcast_to(self.function(*inputs), inputs[0].shape)[0]

    def exact(self, ordinal: int) -> mpmath.mpf:
        """Return the exact value at one input, an mpf of as many bits as `truth` gives."""
        values = [self.fmt.from_ordinal(np.array([ordinal]))[0]]
        if self.target is not None:
            values.append(self.target)
        return cited(self.problem, tuple(mp.mpf(float(v)) for v in values))

    def errors(self, ordinals: np.ndarray) -> Errors:
        """Measure the kernel's errors, in ulp of the exact value, at inputs given by their ordinals; shape (1, n)."""
        with np.errstate(all="ignore"):
            exact = evaluate(self.problem, self.fmt, *self._inputs(ordinals))
            return measure(self.compute(ordinals)[None, :], exact, self.problem.nonnegative)

    def bad(self, ordinals: np.ndarray, budget: float) -> np.ndarray:
        """Tell where an ulp error exceeds the budget or an outcome is spurious; shape (n,)."""
        return bad_points(self.errors(ordinals), 0, slice(None), budget)

    def capped(self, ordinals: np.ndarray) -> np.ndarray:
        """Tell at which inputs the exact value is infinite and the computed one is not; shape (n,)."""
        return self.errors(ordinals).outcomes.get("capped", np.zeros((1, len(ordinals)), bool))[0]

    def _inputs(self, ordinals: np.ndarray) -> tuple[np.ndarray, ...]:
        x = self.fmt.from_ordinal(ordinals)[None, :]
        return (x,) if self.target is None else (x, np.full((1, 1), self.target))
