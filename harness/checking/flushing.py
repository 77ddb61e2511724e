"""Subnormal numbers flushed to zero: told apart from other errors, as compilers for machine learning flush them on purpose.

XLA and TensorFlow put 0 in the place of a subnormal number, an input or a result.  At 1e-39 in float32 that is an error of
7·10^6 ulp, larger than any that the formula makes, and would be all that a verdict names.  So a function that flushes is
measured once more at the inputs at which neither the input nor the exact value is subnormal.  No formula cures a flush: a
check may be told to let it pass, where the function is within its budget everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.numbers.distinct import distinct
from harness.numbers.formats import Format
from harness.numbers.wide import wide_dtype, widened
from harness.problems import Problem
from harness.sweep.grid import Grid, visited
from harness.truth.errors import SPURIOUS, Array, Errors, measure
from harness.truth.fast import evaluate

Call = Callable[..., Any]
LEAST = 2  # subnormal numbers that must have been flushed, and none kept
BETWEEN = 64  # inputs tried between two of the grid, where the value passes the least normal number or NEAR times it
NEAR = 2.0**24  # numbers up to so many times the least normal one must be kept: a form that saturates is 0 there, too


@dataclass(frozen=True)
class Flushing:
    """Hold what a function flushes, and what it is worth where nothing is: its largest error, and spurious outcomes.

    `below` is the least normal number; `else_ulp` is −1 where nothing finite is left.
    """

    below: float
    inputs: bool
    results: bool
    else_ulp: float
    else_input: float
    spurious: int

    def within(self, max_ulp: float) -> bool:
        """Tell whether a function that flushes keeps a budget in ulp wherever nothing is flushed."""
        return 0 <= self.else_ulp <= max_ulp and not self.spurious

    def sentence(self, max_ulp: float) -> str:
        """Write the verdict's clause: what is flushed, then the largest error of the rest against a budget in ulp."""
        what = " and ".join(n for n, has in (("inputs", self.inputs), ("results", self.results)) if has)
        told = f"flushes subnormal {what} below {self.below:.3g} to 0"
        if self.else_ulp < 0:
            return f"{told}; else nothing finite is left"
        counted = f" and {self.spurious} spurious outcomes" if self.spurious else ""
        verdict = "within" if self.within(max_ulp) else "over"
        return (
            f"{told}; else the largest error found is {self.else_ulp:.3g} ulp, at {self.else_input:.4g}{counted}, "
            f"{verdict} the budget of {max_ulp:g}"
        )


@np.errstate(all="ignore")
def flushed(
    problem: Problem, fmt: Format, call: Call, target: float | None, grid: str = "standard", max_ulp: float = 4.0
) -> Flushing | None:
    """Return what a function flushes and how good it is else, for one target; None where it keeps subnormal numbers.

    `call(x)` or `call(x, y)` takes arrays of shape (n,) of the format and returns one of n values.  An exact value counts as
    subnormal where one within `max_ulp` ulp of it is: a function that is right to so much may return that, flushed.
    """
    few = _few(problem, fmt, target)
    given, exact = np.asarray(call(*_inputs(fmt, few, target))), _exact(problem, fmt, few, target)
    results = _results_flushed(fmt, given, exact)
    inputs = _inputs_flushed(fmt, call, few, given, exact, target)
    if not results and not inputs:
        return None
    every = Grid(grid, problem, fmt)
    largest, at, spurious = -1.0, 0.0, 0
    for block in every.blocks(every.cells):
        x = fmt.from_ordinal(block.ordinals)
        errors = _errors(problem, fmt, call, x, target)
        kept = ~((_subnormal(fmt, x) & inputs) | (_subnormal(fmt, errors.exact.high[0], max_ulp) & results))
        spurious += sum(int((m[0] & kept).sum()) for name, m in errors.outcomes.items() if name in SPURIOUS)
        ulp = np.where(kept, errors.ulp[0], -1.0)
        if len(ulp) and ulp.max() > largest:
            largest, at = float(ulp.max()), float(x[int(ulp.argmax())])
    return Flushing(float(fmt.min_normal), inputs, results, largest, at, spurious)


def _errors(problem: Problem, fmt: Format, call: Call, x: Array, target: float | None) -> Errors:
    column = () if target is None else (np.array([[target]]).astype(fmt.dtype),)
    exact = evaluate(problem, fmt, x[None, :], *column)
    return measure(np.asarray(call(*_inputs(fmt, x, target)))[None, :], exact, problem.nonnegative)


def _subnormal(fmt: Format, values: Array, ulps: float = 0.0) -> Array:
    """Tell which values are subnormal, or would be by so many ulp less."""
    size = np.abs(values.astype(np.float64))
    return (size > 0) & (size < fmt.min_normal + min(ulps * fmt.smallest_subnormal, fmt.min_normal))


def _few(problem: Problem, fmt: Format, target: float | None) -> Array:
    """Return the inputs of the quick grid, and more of them where the exact value is about the least normal number.

    In float64 e^x is subnormal for x from −745 to −708, and the quick grid may have no input there, or close above.
    """
    ordinals = visited("quick", problem, fmt)
    size = np.abs(_exact(problem, fmt, fmt.from_ordinal(ordinals), target).astype(np.float64))
    level = (size >= fmt.min_normal).astype(int) + (size >= NEAR * fmt.min_normal)
    passed = np.flatnonzero(np.diff(level))
    between = [np.linspace(ordinals[i], ordinals[i + 1], BETWEEN + 2).astype(np.int64) for i in passed]
    return fmt.from_ordinal(distinct(np.concatenate([ordinals, *between])))


def _inputs(fmt: Format, x: Array, target: float | None) -> tuple[Array, ...]:
    return (x,) if target is None else (x, np.full(len(x), target).astype(fmt.dtype))


def _exact(problem: Problem, fmt: Format, x: Array, target: float | None) -> Array:
    """Return the exact values to nearly the wide format's precision."""
    wide = wide_dtype(fmt)
    column = () if target is None else (np.array([[target]]).astype(wide),)
    return np.broadcast_to(problem.fast(widened(x, wide)[None, :], *column), (1, len(x)))[0]


def _results_flushed(fmt: Format, given: Array, exact: Array) -> bool:
    """Tell whether each result whose exact value is well inside the subnormal numbers is 0."""
    size = np.abs(exact.astype(np.float64))
    inside = (size > 2 * fmt.smallest_subnormal) & (size < fmt.min_normal)
    above = (size >= 2 * fmt.min_normal) & (size < NEAR * fmt.min_normal)
    zero = given == 0
    return bool(inside.sum() >= LEAST and zero[inside].all() and above.any() and not zero[above].any())


def _inputs_flushed(fmt: Format, call: Call, x: Array, given: Array, exact: Array, target: float | None) -> bool:
    """Tell whether a function gives at each subnormal input what it gives at 0, though the exact values differ there."""
    inside = _subnormal(fmt, x)
    zeros = (np.zeros(1, fmt.dtype), *(() if target is None else (np.full(1, target).astype(fmt.dtype),)))
    at_zero = np.asarray(call(*zeros)).astype(np.float64)[0]
    small = given[inside].astype(np.float64)
    if np.isnan(at_zero) or inside.sum() < LEAST or not (small == at_zero).all():
        return False
    size = np.abs(x.astype(np.float64))
    above = given[(size >= fmt.min_normal) & (size < NEAR * fmt.min_normal)]
    rounded = exact[inside].astype(np.float64).astype(fmt.dtype)
    return len(distinct(rounded.astype(np.float64))) >= LEAST and bool((above != at_zero).any())
