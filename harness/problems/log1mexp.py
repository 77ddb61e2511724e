"""The log of a probability from the log of its complement, in both sign conventions, with derivatives.

log1mexp(a) = log(1 - e^-a) for a >= 0, as Maechler has it; log1mexp_neg(x) = log(1 - e^x) for x <= 0, as Stan's
log1m_exp and LogExpFunctions.jl have it.
"""

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


def _terms_grad(a: mpmath.mpf) -> Terms:
    """Return 1 / (e^a - 1) as e^-a / (1 - e^-a), which does not overflow."""
    return mp.mpf(0), [mp.exp(-a) / -mp.expm1(-a) if a else mp.inf]


def _fast_grad(a: Array) -> Array:
    return np.maximum(wide.exp(-a) / -wide.expm1(-a), tiny(a.dtype))


def _negated(terms: Terms) -> Terms:
    return -terms[0], [-t for t in terms[1]]


LOG1MEXP = (
    Problem(
        "log1mexp", "input", False, r"\log(1 - e^{-a})",
        domain=(0.0, math.inf), centre=math.log(2), nonnegative=False,
        terms=with_extra_bits(_terms_log1mexp), fast=_fast_log1mexp, gradient="log1mexp_grad",
        critical=exponential_points, inside=(("exp", -1),),
    ),
    Problem(
        "log1mexp_grad", "input", False, r"1 / (e^a - 1)",
        domain=(0.0, math.inf), centre=math.log(2), nonnegative=True,
        terms=with_extra_bits(_terms_grad), fast=_fast_grad, critical=exponential_points, inside=(("exp", -1),),
    ),
    Problem(
        "log1mexp_neg", "input", False, r"\log(1 - e^{x})",
        domain=(-math.inf, 0.0), centre=-math.log(2), nonnegative=False,
        terms=with_extra_bits(lambda x: _terms_log1mexp(-x)), fast=lambda x: _fast_log1mexp(np.abs(x)),
        gradient="log1mexp_neg_grad", critical=exponential_points, inside=(("exp", 1),),
    ),
    Problem(
        "log1mexp_neg_grad", "input", False, r"-1 / (e^{-x} - 1)",
        domain=(-math.inf, 0.0), centre=-math.log(2), nonnegative=False,
        terms=with_extra_bits(lambda x: _negated(_terms_grad(-x))), fast=lambda x: -_fast_grad(np.abs(x)),
        critical=exponential_points, inside=(("exp", 1),),
    ),
)  # fmt: skip
