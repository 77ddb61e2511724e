"""Rank candidates by their true errors: every float16 input there is, or a format's standard grid, against the exact function.

Of each candidate two things are looked at: its largest error in ulp over the usual range, where the exact value is a
normal number, and how often it fails altogether, there and beyond.  One that is another function already at moderate
inputs is none: an error of a rule, not of rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from harness.checking.moderate import APART, ROUNDINGS, moderate_values, same
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import BLOCK, Grid
from harness.tables.usual import usual_range
from harness.truth.errors import SPURIOUS, measure
from harness.truth.fast import Reference, evaluate

Array = np.ndarray


@dataclass(frozen=True)
class Figure:
    """Hold what was measured of a candidate: its largest error, in ulp, and counts of spurious outcomes.

    `usual_spurious` counts those of the usual range, `spurious` all.  OTHER is that of another function.
    """

    max_ulp: float
    usual_spurious: int
    spurious: int

    def key(self, max_ulp: float) -> tuple[Any, ...]:
        """Return what figures are ordered by: failures in the usual range, the error if over the budget, failures, the error.

        Within the budget errors are told apart by whole ulps only, so that a simpler form is not given up for less.
        """
        if self.max_ulp > max_ulp:
            return self.usual_spurious > 0, self.max_ulp, self.spurious > 0, 0.0
        return self.usual_spurious > 0, 0.0, self.spurious > 0, math.ceil(self.max_ulp)


OTHER = Figure(math.inf, 1, 1)


def ranking_of(problem: Problem, fmt: Format, targets: Array | None) -> RewritingRanking:
    """Return the ranking of a problem in a format at targets; the last few are remembered with their exact values."""
    return _ranking(problem, fmt, None if targets is None else targets.tobytes())


@lru_cache(maxsize=4)  # losses of one problem are often fixed one after the other
def _ranking(problem: Problem, fmt: Format, targets: bytes | None) -> RewritingRanking:
    return RewritingRanking(problem, fmt, None if targets is None else np.frombuffer(targets, fmt.dtype))


class RewritingRanking:
    """Measure candidates of a problem on one grid, whose exact values are computed once.

    In formats of up to 16 bits the grid is every input of the domain, else the standard one.
    """

    def __init__(self, problem: Problem, fmt: Format, targets: Array | None):
        self.problem, self.fmt = problem, fmt
        self.targets = [None] if targets is None else [float(y) for y in targets.astype(fmt.dtype)]
        self.column = None if targets is None else targets.astype(fmt.dtype)[:, None]
        grid = Grid("standard", problem, fmt, targets)
        self.exhaustive = grid.exhaustive
        ordinals = grid.ordinals()
        first, last = usual_range(problem, fmt)
        self.blocks: list[tuple[tuple[Array, ...], Reference, Array]] = []
        with np.errstate(all="ignore"):
            for i in range(0, len(ordinals), BLOCK):
                part = ordinals[i : i + BLOCK]
                x = fmt.from_ordinal(part)[None, :]
                inputs = (x,) if self.column is None else (x, self.column)
                exact = evaluate(problem, fmt, *inputs)
                size = np.abs(exact.high)
                normal = (size >= fmt.min_normal) & (size <= fmt.max)
                self.blocks.append((inputs, exact, normal & (part >= first) & (part <= last)))

    def figure(self, function: Callable[..., Any]) -> Figure:
        """Measure one candidate; OTHER for one that raises, or is another function."""
        if self._is_another(function):
            return OTHER
        most, usual_bad, bad = 0.0, 0, 0
        with np.errstate(all="ignore"):
            for inputs, exact, usual in self.blocks:
                computed = np.broadcast_to(function(*inputs), exact.value.shape)
                errors = measure(np.ascontiguousarray(computed), exact, self.problem.nonnegative)
                spurious = np.zeros(usual.shape, bool)
                for name in SPURIOUS:
                    spurious |= errors.outcomes.get(name, False)
                usual_bad, bad = usual_bad + int((spurious & usual).sum()), bad + int(spurious.sum())
                most = max(most, float(np.where(usual, errors.ulp, 0).max(initial=0)))
        return Figure(most, usual_bad, bad)

    def _is_another(self, function: Callable[..., Any]) -> bool:
        """Tell whether values at moderate inputs are further from the problem's than a sensible formula's roundings."""

        def call(*inputs: Array) -> Array:
            with np.errstate(all="ignore"):
                return np.broadcast_to(function(*inputs), inputs[0].shape)

        tolerance = APART * ROUNDINGS * float(self.fmt.machine_epsilon)
        try:
            found = [moderate_values(self.problem, self.fmt, call, y) for y in self.targets]
        except Exception:
            return True
        return not all(same(values.given, values.exact, tolerance) for values in found)
