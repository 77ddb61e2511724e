"""Special inputs and what is expected of a loss there: infinities, NaN, zeros and the domain's ends.

These are the inputs that a sweep's maxima say nothing about, and that reach losses from masks and overflows.
The expected value is the exact one rounded into the format; at an infinite input it is the limit,
which the problem's own terms take on there (their zero weights drop out).  Outcomes:
    ok        the expected value, or within the budget of it where it is an ordinary number
    inexact   an ordinary number beyond the budget
    nan       NaN, and a number is expected
    inf       infinite, and a finite number is expected
    zero      0, and another number is expected
    sign      of the other sign than expected, or negative where the problem cannot be
    finite    finite, and infinity is expected
    number    a number, and NaN is expected, since NaN went in
    outside   the input lies outside the domain: nothing is expected
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.streaming import BUDGET
from harness.truth.arb import cited
from harness.truth.certified import enclose, error_in_ulp, round_to

OUTCOMES = ("ok", "inexact", "nan", "inf", "zero", "sign", "finite", "number", "outside")
TARGETS = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class SpecialPoint:
    """Hold a special input with its target and what is expected there, exact and rounded; None outside the domain."""

    name: str
    value: Any
    target: Any
    exact: mpmath.mpf | None
    expected: Any


def inputs_of(problem: Problem, fmt: Format) -> dict[str, float]:
    """Return the special inputs of a problem by name: the same for all, then its domain's finite ends."""
    found = {"-inf": -math.inf, "+inf": math.inf, "NaN": math.nan, "-0": -0.0, "+0": 0.0}
    if problem.input == "probability":
        least, below_1 = fmt.smallest_subnormal, fmt.next_down(1.0)
        found |= {"smallest subnormal": least, "largest below 1": below_1, "1": 1.0}
    if problem.domain[0] not in (-math.inf, 0.0):
        found |= {f"{problem.domain[0]:g}": problem.domain[0]}
    return found


def points_of(problem: Problem, fmt: Format) -> list[SpecialPoint]:
    """Return every special input and target of a problem with the value that is expected there."""
    targets = np.array(TARGETS).astype(fmt.dtype) if problem.has_target else [None]
    found = []
    for name, v in inputs_of(problem, fmt).items():
        value = np.asarray(v).astype(fmt.dtype)[()]
        for target in targets:
            exact, expected = expected_at(problem, fmt, v, target)
            found.append(SpecialPoint(name, value, target, exact, expected))
    return found


def expected_at(problem: Problem, fmt: Format, value: float, target: Any) -> tuple[mpmath.mpf | None, Any]:
    """Return the exact value, or limit, and its rounding; NaN for NaN, None outside the domain."""
    if math.isnan(value):
        return mp.nan, np.asarray(math.nan).astype(fmt.dtype)[()]
    if not problem.domain[0] <= value <= problem.domain[1]:
        return None, None
    point = tuple(mp.mpf(float(v)) for v in (value, target) if v is not None)
    if math.isinf(value):
        limit = enclose(problem, point, bits=128).value
        return limit, fmt.round(limit)
    exact = cited(problem, point)
    return exact, round_to(problem, fmt, point)


def outcome(problem: Problem, fmt: Format, point: SpecialPoint, computed: float) -> str:
    """Return what became of one evaluation, as the module describes it."""
    if point.expected is None or point.exact is None:
        return "outside"
    expected = float(point.expected)
    if computed == expected or (math.isnan(expected) and math.isnan(computed)):
        return "ok"
    if math.isnan(expected):
        return "number"
    if math.isnan(computed):
        return "nan"
    opposite = computed < 0 < expected or expected < 0 < computed  # a product would underflow to 0
    if opposite or (expected == 0 and computed < 0 and problem.nonnegative):
        return "sign"
    if math.isinf(expected):
        return "finite"
    if math.isinf(computed):
        return "inf"
    if computed == 0:
        return "zero"
    return "ok" if error_in_ulp(fmt, computed, point.exact) <= BUDGET else "inexact"
