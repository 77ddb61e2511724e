"""Exact functions that losses are built from: sigmoid and its derivative, softplus and log_sigmoid; exp, log, log1p, expm1 and tanh.

`tiny` and `huge` stand for exact values that underflow or overflow the wide format: 0 and inf
would be wrong.  Both lie far outside the formats under test.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.numbers.formats import Format
from harness.numbers.wide import huge, tiny
from harness.problems.problem import REAL, Array, Problem, Terms, exponential_points, only_at, with_extra_bits

# -- mpmath forms -------------------------------------------------------------------------------


def tail(x: mpmath.mpf) -> mpmath.mpf:
    """Return log(1 + e^-|x|), what softplus(x) and max(x, 0) differ by; mpmath."""
    return mp.log1p(mp.exp(-abs(x)))


def sigmoid(x: mpmath.mpf) -> mpmath.mpf:
    """Return 1 / (1 + e^-x) in mpmath, to a few units of the working precision."""
    return 1 / (1 + mp.exp(-x))


def log(v: mpmath.mpf) -> mpmath.mpf:
    """Return log v in mpmath for v >= 0; -inf at 0."""
    return mp.log(v) if v else -mp.inf


def log1p(v: mpmath.mpf) -> mpmath.mpf:
    """Return log(1 + v), -inf at -1; mpmath."""
    return mp.log1p(v) if v != -1 else -mp.inf


def near_half(x: mpmath.mpf) -> mpmath.mpf:
    """Return sigmoid(x) - 1/2 = tanh(x/2) / 2, which does not cancel near 0; mpmath."""
    return mp.tanh(x / 2) / 2


def _terms_sigmoid(x: mpmath.mpf) -> Terms:
    if abs(x) < 1:
        return mp.mpf(0.5), [near_half(x)]
    return (mp.mpf(1), [-sigmoid(-x)]) if x > 0 else (mp.mpf(0), [sigmoid(x)])


def _terms_sigmoid_grad(x: mpmath.mpf) -> Terms:
    """Return sigmoid(x) sigmoid(-x) = (1 - tanh(x/2)^2) / 4, from |x| = 1 on as e / (1 + e)^2 with e = e^-|x|."""
    if abs(x) < 1:
        return mp.mpf(0.25), [-(mp.tanh(x / 2) ** 2) / 4]
    e = mp.exp(-abs(x))
    return mp.mpf(0), [e / (1 + e) ** 2]


def _terms_exp(x: mpmath.mpf) -> Terms:
    return (mp.mpf(1), [mp.expm1(x)]) if abs(x) < 1 else (mp.mpf(0), [mp.exp(x)])


def _terms_expm1(x: mpmath.mpf) -> Terms:
    return (mp.mpf(-1), [mp.exp(x)]) if x < -1 else (mp.mpf(0), [mp.expm1(x)])


def _terms_tanh(x: mpmath.mpf) -> Terms:
    if abs(x) < 1:
        return mp.mpf(0), [mp.tanh(x)]
    sign = mpmath.sign(x)
    return sign, [-sign * 2 * sigmoid(-2 * abs(x))]


def _terms_log(x: mpmath.mpf) -> Terms:
    return mp.mpf(0), [log(x)]


def _terms_log1p(x: mpmath.mpf) -> Terms:
    return mp.mpf(0), [log1p(x)]


# -- forms for arrays ---------------------------------------------------------------------------


def fast_exp(x: Array) -> Array:
    """Compute e^x in the wide format, held between `tiny` and `huge`."""
    return np.minimum(np.maximum(wide.exp(x), tiny(x.dtype)), huge(x.dtype))


def _fast_expm1(x: Array) -> Array:
    return np.minimum(wide.expm1(x), huge(x.dtype))


def fast_tail(x: Array) -> Array:
    """Compute log(1 + e^-|x|) in the wide format, no less than `tiny`."""
    return np.maximum(wide.log1p(wide.exp(-np.abs(x))), tiny(x.dtype))


def _fast_sigmoid(x: Array) -> Array:
    e = fast_exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(e), e) / (1 + e)


def _fast_sigmoid_grad(x: Array) -> Array:
    e = fast_exp(-np.abs(x))
    return np.maximum(e / ((1 + e) * (1 + e)), tiny(x.dtype))


def _between_sigmoid_grad(start: Array, stop: Array) -> tuple[Array, Array]:
    """Return the maximum, 1/4 at 0, where it lies between."""
    return np.full_like(start, np.nan), np.where((start < 0) & (stop > 0), 0.25, np.nan)


def _split_softplus(x: Array) -> tuple[Array, Array, Array]:
    """Return softplus(x) as max(x, 0) and log(1 + e^-|x|)."""
    return np.maximum(x, np.zeros_like(x)), np.zeros_like(x), fast_tail(x)


def _split_log_sigmoid(x: Array) -> tuple[Array, Array, Array]:
    """Return log sigmoid(x) as min(x, 0) and -log(1 + e^-|x|)."""
    return np.minimum(x, np.zeros_like(x)), np.zeros_like(x), -fast_tail(x)


def _fast_softplus(x: Array) -> Array:
    return np.maximum(x, np.zeros_like(x)) + fast_tail(x)


# -- critical inputs ----------------------------------------------------------------------------


def log_points(fmt: Format, shift: float) -> list[float]:
    """Return where logs of shift + x change: libraries reduce the argument at sqrt(2) and sqrt(1/2); the format's limits."""
    limits = [fmt.smallest_subnormal, fmt.min_normal, fmt.machine_epsilon, -fmt.machine_epsilon, fmt.max]
    return [math.sqrt(2) - shift, math.sqrt(0.5) - shift, *limits]


FUNCTIONS = (
    Problem(
        "sigmoid", "logit", False, r"1 / (1 + e^{-x})",
        domain=REAL, centre=0.0, nonnegative=True,
        terms=_terms_sigmoid, fast=_fast_sigmoid, rational=only_at(0, Fraction(1, 2)), gradient="sigmoid_grad",
    ),
    Problem(
        "sigmoid_grad", "logit", False, r"\sigma(x) (1 - \sigma(x))",
        domain=REAL, centre=0.0, nonnegative=True, monotone_beyond=math.ulp(0.0),  # on either side of its maximum at 0
        terms=with_extra_bits(_terms_sigmoid_grad), fast=_fast_sigmoid_grad, between=_between_sigmoid_grad,
        rational=only_at(0, Fraction(1, 4)), log_slope=1.0,
    ),
    Problem(
        "softplus", "logit", False, r"\log(1 + e^x)",
        domain=REAL, centre=0.0, nonnegative=True,
        terms=lambda x: (max(x, mp.mpf(0)), [tail(x)]), fast=_fast_softplus, split=_split_softplus,
    ),
    Problem(
        "log_sigmoid", "logit", False, r"\log \sigma(x)",
        domain=REAL, centre=0.0, nonnegative=False,
        terms=lambda x: (min(x, mp.mpf(0)), [-tail(x)]), fast=lambda x: -_fast_softplus(-x), split=_split_log_sigmoid,
    ),
    Problem(
        "exp", "input", False, r"e^x",
        domain=REAL, centre=0.0, nonnegative=True, terms=_terms_exp, fast=fast_exp,
        critical=exponential_points, inside=(("exp", 1),), rational=only_at(0, 1),
    ),
    Problem(
        "log", "input", False, r"\log x",
        domain=(0.0, math.inf), centre=1.0, nonnegative=False, terms=_terms_log, fast=np.log,
        critical=partial(log_points, shift=0.0), inside=(("log", 1),), rational=only_at(1, 0),
    ),
    Problem(
        "log1p", "input", False, r"\log(1 + x)",
        domain=(-1.0, math.inf), centre=0.0, nonnegative=False, terms=_terms_log1p, fast=wide.log1p,
        critical=partial(log_points, shift=1.0), inside=(("log1p", 1),), rational=only_at(0, 0),
    ),
    Problem(
        "expm1", "input", False, r"e^x - 1",
        domain=REAL, centre=0.0, nonnegative=False, terms=_terms_expm1, fast=_fast_expm1,
        critical=exponential_points, inside=(("expm1", 1),), rational=only_at(0, 0),
    ),
    Problem(
        "tanh", "input", False, r"\tanh x",
        domain=REAL, centre=0.0, nonnegative=False, terms=_terms_tanh, fast=np.tanh,
        critical=exponential_points, inside=(("tanh", 1),), rational=only_at(0, 0),
    ),
)  # fmt: skip
