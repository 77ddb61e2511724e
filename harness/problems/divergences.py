"""Binary entropy, and the divergence of a Bernoulli distribution from a target."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.numbers.wide import FLOAT64
from harness.problems.problem import UNIT, Array, Problem, Terms, with_extra_bits

# The wide formats' terms of (atanh r - r) / r^3, for r^2 <= 1/9: 9^-k is below the last bit.
SERIES = {True: 18, False: 37}

# -- binary entropy -----------------------------------------------------------------------------


def _terms_entropy(p: mpmath.mpf) -> Terms:
    q = mp.fsub(1, p, exact=True)
    return mp.mpf(0), [-p * mp.log(p), -q * mp.log1p(-p)] if p and q else []


def _fast_entropy(p: Array) -> Array:
    inside = np.where((p == 0) | (p == 1), 0 * p + 0.5, p)
    return np.where(inside == p, -p * np.log(inside) - (1 - p) * wide.log1p(-inside), 0 * p)


def _between_entropy(start: Array, stop: Array) -> tuple[Array, Array]:
    """Return the maximum, log 2 at 1/2, where it lies between."""
    return np.full_like(start, np.nan), np.where((start < 0.5) & (stop > 0.5), math.log(2), np.nan)


# -- Bernoulli divergence -------------------------------------------------------------------------
# D(y || p) = y log(y/p) + (1-y) log((1-y)/(1-p)) = d(y, p) + d(1-y, 1-p), where
# d(a, b) = a log(a/b) + b - a = a (u - log(1+u)), u = (b-a)/a, is never negative.


def _deviance(a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    difference = mp.fsub(b, a, exact=True)
    if not a or not b:
        return mp.inf if a else b
    u = difference / a
    if 2 * b < a:
        return a * (u - mp.log(b / a))
    with mp.extraprec(max(0, -mpmath.mag(u))):  # u - log(1+u) = u^2/2 - ... cancels
        return a * (difference / a - mp.log1p(difference / a))


def _terms_kl(p: mpmath.mpf, y: mpmath.mpf) -> Terms:
    if p == y:
        return mp.mpf(0), []
    return mp.mpf(0), [_deviance(y, p), _deviance(mp.fsub(1, y, exact=True), mp.fsub(1, p, exact=True))]


def _fast_deviance(a: Array, b: Array, difference: Array) -> Array:
    """Compute d(a, b), difference being b - a.

    -1/2 <= u <= 1: with r = u / (2+u), u - log(1+u) = r (u - 2 r^2 (1/3 + r^2/5 + r^4/7 + ...)).
    """
    safe = np.where(a == 0, 0 * a + 1, a)
    u = difference / safe
    near = (u >= -0.5) & (u <= 1)
    v = np.where(near, u, 0 * u)
    value = a * np.where(near, _series(v), u - np.log(np.where(near, 0 * u + 1, b / safe)))
    return np.where(a + 0 * u == 0, b + 0 * u, value)


def _series(u: Array) -> Array:
    r = u / (2 + u)
    square, total = r * r, 0 * u
    for k in range(SERIES[u.dtype == FLOAT64], 0, -1):
        total = total * square + (1 + 0 * u[..., :1]) / (2 * k + 1)
    return r * (u - 2 * square * total)


def _fast_kl(p: Array, y: Array) -> Array:
    return _fast_deviance(y, p, p - y) + _fast_deviance(1 - y, 1 - p, y - p)


def _between_kl(start: Array, stop: Array, y: Array) -> tuple[Array, Array]:
    """Return the minimum, 0 at p = y, where it lies between."""
    least = np.where((start < y) & (stop > y), 0.0, np.nan)
    return least, np.full_like(least, np.nan)


DIVERGENCES = (
    Problem(
        "binary_entropy", "probability", False, r"-(p \log p + (1-p) \log(1-p))",
        domain=UNIT, centre=0.5, nonnegative=True, monotone_beyond=math.inf,
        terms=with_extra_bits(_terms_entropy), fast=_fast_entropy, between=_between_entropy,
        rational=lambda p: Fraction(0) if p in (0, 1) else None, log_slope=1.0,
    ),
    Problem(
        "bernoulli_kl", "probability", True, r"y \log(y/p) + (1-y) \log((1-y)/(1-p))",
        domain=UNIT, centre=0.5, nonnegative=True, monotone_beyond=math.inf,
        terms=with_extra_bits(_terms_kl), fast=_fast_kl, between=_between_kl,
        rational=lambda p, y: Fraction(0) if p == y else None, zero=lambda y: y,
    ),
)  # fmt: skip
