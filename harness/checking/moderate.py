"""What a function gives at moderate inputs, and how such values are compared: well above rounding.

Moderate are logits of 1/2 to 5/2 in size and probabilities of 1/8 to 7/8, at which a naive formula loses a few bits at
most, so that what differs there is another function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.numbers.formats import Format
from harness.problems import Problem

Array = np.ndarray
Call = Callable[..., Any]

LOGITS = (-2.5, -2.0, -1.5, -1.0, -0.75, -0.5, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5)
PROBABILITIES = (0.125, 0.1875, 0.25, 0.3125, 0.375, 0.4375, 0.5625, 0.625, 0.6875, 0.75, 0.8125, 0.875)
POSITIVE = (0.25, 0.375, 0.5, 0.625, 0.75, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0)
SOFT = (0.25, 0.75)
# What a guess may leave open: the roundings of a sensible formula at these inputs, in machine epsilons of the values'
# size, and the trace of an eps of 1e-5, that a weighted loss may have besides.  Another function differs by APART times
# that, or it is no other.
ROUNDINGS = 8
TRACE = 2.0**-12
APART = 4
COARSEST = 0.25  # for a format of 8 bits: too few for more than multiples of the problem
LEAST = 6  # values that a guess must hold at
BOUNDS = (0.5, 1000.0)  # of c in c tanh(x / c)


@dataclass(frozen=True)
class ModerateValues:
    """Hold what a function gave at moderate inputs for one target, and the problem's values there, all in float64."""

    x: Array
    target: float | None
    given: Array
    exact: Array


def tolerance_of(fmt: Format) -> float:
    """Return what a guess may leave open in a format, relative to the values' size."""
    return min(max(ROUNDINGS * fmt.machine_epsilon, TRACE), COARSEST)


def moderate_inputs(problem: Problem) -> Array:
    """Return moderate inputs of a problem, in float64: inside its domain, and none at its centre."""
    if problem.input == "probability":
        return np.array(PROBABILITIES)
    lo, hi = problem.domain
    if hi == 0:
        return -np.array(POSITIVE)
    return np.array(POSITIVE if lo == 0 else LOGITS if math.isinf(lo) else [v for v in LOGITS if lo < v < hi])


def exactly(problem: Problem, x: Array, y: Array | float | None = None) -> Array:
    """Return the problem's values at float64 inputs, and targets, to nearly the precision of float64."""
    with np.errstate(all="ignore"):
        if y is None:
            return np.asarray(problem.fast(x[None, :]))[0]
        targets = np.broadcast_to(y, x.shape)
        return np.array([problem.fast(a[None, None], b[None, None])[0, 0] for a, b in zip(x, targets)])


def moderate_values(
    problem: Problem, fmt: Format, call: Call, target: float | None, x: Array | None = None
) -> ModerateValues:
    """Call a function at moderate inputs and one target; where it or the problem is not finite is left out."""
    inputs = [(moderate_inputs(problem) if x is None else x).astype(fmt.dtype)]
    wide = inputs[0].astype(np.float64)
    if target is not None:
        inputs.append(np.full(len(wide), target).astype(fmt.dtype))
    given = np.asarray(call(*inputs)).astype(np.float64)
    exact = exactly(problem, wide, None if target is None else float(fmt.dtype.type(target)))
    kept = np.isfinite(given) & np.isfinite(exact)
    return ModerateValues(wide[kept], target, given[kept], exact[kept])


def median(values: Array) -> float:
    """Return the median of some numbers; NumPy's own would import numpy.ma, a twentieth of a second of each check."""
    order = np.sort(values)
    return float(order[(len(order) - 1) // 2] + order[len(order) // 2]) / 2


def same(given: Array, expected: Array, tolerance: float) -> bool:
    """Tell whether values agree to within a tolerance, relative to their size, or for small ones to that of the rest."""
    if len(given) < LEAST:
        return False
    size = np.maximum(np.abs(expected), median(np.abs(expected)) / 4)
    return bool((np.abs(given - expected) <= tolerance * size).all())


def constant(values: Array, tolerance: float) -> float | None:
    """Return what values have in common, rounded to what people write, None where they differ."""
    if len(values) < LEAST or not np.isfinite(values).all():
        return None
    middle = median(values)
    if np.abs(values - middle).max() > tolerance * max(abs(middle), tolerance):
        return None
    return rounded(middle, tolerance)


def rounded(value: float, tolerance: float) -> float:
    """Return the number of fewest digits within a relative tolerance, the value itself if that has more than four."""
    for digits in range(1, 5):
        short = float(f"{value:.{digits}g}")
        if abs(short - value) <= tolerance * abs(value):
            return short
    return value


def whole_or_rounded(value: float, near: float) -> float:
    """Return a number as people write it: a whole one if that is within `near`, else the one of fewest digits."""
    whole = float(round(value))
    return whole if abs(value - whole) <= near else rounded(value, near)


def ratio_of(p: ModerateValues, tolerance: float) -> float | None:
    """Return the constant by which values are a multiple of the problem's; 0 where they are all 0."""
    if not p.given.any():
        return 0.0
    with np.errstate(all="ignore"):
        return constant(p.given / p.exact, tolerance) if (p.exact != 0).all() else None


def solved(function: Callable[[float], float], ends: tuple[float, float]) -> float:
    """Return where a function that runs one way is 0 between positive ends; NaN where it is not."""
    low, high = ends
    first, last = function(low), function(high)
    if not (math.isfinite(first) and math.isfinite(last)) or first * last > 0:
        return math.nan
    for _ in range(80):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if function(middle) * first > 0 else (low, middle)
    return math.sqrt(low * high)


def written(value: float) -> str:
    """Write a number with four digits, as sentences have it."""
    return f"{value:.4g}"


def close(a: float, b: float, tolerance: float) -> bool:
    """Tell whether a is within a relative tolerance of b."""
    return abs(a - b) <= tolerance * abs(b)
