"""The function log1mexp(a) = log(1 - e^-a) for a >= 0: the log of a probability from minus the log of its complement."""

from __future__ import annotations

import math

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.numbers.wide import tiny
from harness.problems.problem import Array, Problem, Terms, exponential_points, with_extra_bits


def _terms_log1mexp(a: mpmath.mpf) -> Terms:
    if not a:
        return mp.mpf(0), [-mp.inf]
    return mp.mpf(0), [mp.log1p(-mp.exp(-a)) if a > 1 else mp.log(-mp.expm1(-a))]


def _fast_log1mexp(a: Array) -> Array:
    far = -np.maximum(wide.exp(-a), tiny(a.dtype))
    return np.where(a > 1, wide.log1p(np.where(a > 1, far, 0 * a)), np.log(-wide.expm1(-a)))


LOG1MEXP = Problem(
    "log1mexp", "input", False, r"\log(1 - e^{-a})",
    domain=(0.0, math.inf), centre=math.log(2), nonnegative=False,
    terms=with_extra_bits(_terms_log1mexp), fast=_fast_log1mexp,
    critical=exponential_points, inside=(("exp", -1),),
)  # fmt: skip
