"""Lines along which a search goes: every input for one target, or every target for one input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import NEIGHBOURS, Grid
from harness.truth.errors import measure
from harness.truth.fast import evaluate

Array = np.ndarray


@dataclass(frozen=True)
class Line:
    """All inputs of a problem for one target, or, with `at`, all targets in [0, 1] for that input.

    Both are None for a problem without targets.  Points on a line are ordinals of what varies.
    """

    problem: Problem
    fmt: Format
    target: np.generic | None = None
    at: np.generic | None = None

    @property
    def ends(self) -> tuple[int, int]:
        """Return the first ordinal and the one after the last."""
        return self.fmt.finite_ordinals(*((0.0, 1.0) if self.at is not None else self.problem.domain))

    @property
    def critical(self) -> Array:
        """Return the ordinals of critical points and their neighbours, sorted."""
        if self.at is None:
            return Grid("standard", self.problem, self.fmt).critical_ordinals
        start, stop = self.ends
        near = np.array([start, self.fmt.ordinal(np.array([0.5], self.fmt.dtype))[0], stop - 1])
        near = np.unique(near[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS + 1))
        return near[(near >= start) & (near < stop)]

    def inputs(self, ordinals: Array) -> tuple[Array, ...]:
        """Return the kernel's arguments at points of shape (n,): arrays that broadcast to (1, n)."""
        values = self.fmt.from_ordinal(ordinals)[None]
        if self.at is not None:
            return np.full_like(values, self.at), values
        return (values,) if self.target is None else (values, np.full((1, 1), self.target))

    def point(self, ordinal: int) -> tuple[int, ...]:
        """Return the ordinals of the input and, where the problem has one, of the target."""
        fixed = [int(self.fmt.ordinal(np.array([v]))[0]) for v in (self.at, self.target) if v is not None]
        return (*fixed, ordinal) if self.at is not None else (ordinal, *fixed)


def errors_at(problem: Problem, kernel: Kernel, fmt: Format, inputs: tuple[Array, ...]) -> Array:
    """Return the certified ulp errors, shape (n,), at inputs that broadcast to (1, n); negative where there is none."""
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, *inputs)
        computed = np.broadcast_to(kernel(*inputs), inputs[0].shape)
        return measure(computed, exact, problem.nonnegative).ulp[0]
