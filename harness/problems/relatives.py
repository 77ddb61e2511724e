"""Relatives of the cross-entropy: log1mexp, logit, binary entropy, Bernoulli divergence, focal loss.

They are problems like those of problems.py, which registers them.  The focal loss of Lin et al.
(2017), doi:10.1109/ICCV.2017.324, is here a function of the logit x of the true class: the logit
itself where y = 1, minus the logit where y = 0.  `terms` are computed with 16 bits more than asked
for, as they take more than 8 operations.  `fast` forms err by at most 32 half-ulps, 2^-48 in float64
and 2^-108 in quad, with functions of up to 2 ulp: most in the gradient, q^2 (2 (1-q) s + q), whose
relative errors add up to 10 f + 10 half-ulps for functions of f ulp.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.numbers.wide import FLOAT64, tiny
from harness.problems.exact import Array, Problem, Terms

EXTRA_BITS = 16
# The wide formats' terms of (atanh r - r) / r^3, for r^2 <= 1/9: 9^-k is below the last bit.
SERIES = {True: 18, False: 37}
FOCAL = {"focal": 2.0, "focal_g0.5": 0.5}  # problem: gamma


def _precisely(terms: Callable[..., Terms]) -> Callable[..., Terms]:
    """Compute terms with EXTRA_BITS more."""

    def precise(*point: mpmath.mpf) -> Terms:
        with mp.extraprec(EXTRA_BITS):
            return terms(*point)

    return precise


# -- log1mexp, logit, binary entropy ------------------------------------------------------------


def _terms_log1mexp(a: mpmath.mpf) -> Terms:
    if not a:
        return mp.mpf(0), [-mp.inf]
    return mp.mpf(0), [mp.log1p(-mp.exp(-a)) if a > 1 else mp.log(-mp.expm1(-a))]


def _fast_log1mexp(a: Array) -> Array:
    far = -np.maximum(wide.exp(-a), tiny(a.dtype))
    return np.where(a > 1, wide.log1p(np.where(a > 1, far, 0 * a)), np.log(-wide.expm1(-a)))


def _terms_logit(p: mpmath.mpf) -> Terms:
    """Return log(p / (1-p)), between 1/4 and 3/4 as log1p((2p - 1) / (1-p))."""
    q = mp.fsub(1, p, exact=True)
    if not p or not q:
        return mp.mpf(0), [mp.inf if p else -mp.inf]
    return mp.mpf(0), [mp.log1p(mp.fsub(p, q, exact=True) / q) if 1 <= 4 * p <= 3 else mp.log(p / q)]


def _fast_logit(p: Array) -> Array:
    q = 1 - p
    middle = (p >= 0.25) & (p <= 0.75)
    return np.where(middle, wide.log1p(np.where(middle, (p - 0.5) * 2 / q, 0 * p)), np.log(p / q))


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


# -- focal loss -------------------------------------------------------------------------------------
# With q = sigma(-x), s = softplus(-x): the loss is q^gamma s, its derivative -q^gamma (gamma (1-q) s + q).


def _terms_focal(gamma: float, x: mpmath.mpf) -> Terms:
    """For x < 0: s = |x| + t, q^gamma = e^(-gamma t), where t = log(1 + e^-|x|); so the loss is |x| and a rest."""
    tail = mp.log1p(mp.exp(-abs(x)))
    if x < 0:
        rest = [abs(x) * mp.expm1(-gamma * tail), tail * mp.exp(-gamma * tail)]
        return abs(x), rest if tail else []
    return mp.mpf(0), [mp.exp(-gamma * (x + tail)) * tail] if tail else []


def _terms_focal_grad(gamma: float, x: mpmath.mpf) -> Terms:
    """For x < 0 the derivative is -1 and a rest: -q^(gamma+1) = -1 - expm1(-(gamma+1) t)."""
    e = mp.exp(-abs(x))
    tail = mp.log1p(e)
    if x < 0:
        weighted = gamma * mp.exp(-gamma * tail) * (e / (1 + e)) * (abs(x) + tail) if e else mp.mpf(0)
        return mp.mpf(-1), [-mp.expm1(-(gamma + 1) * tail), -weighted]
    power, q = mp.exp(-gamma * (x + tail)), e / (1 + e)
    return mp.mpf(0), [-power * gamma * tail / (1 + e), -power * q] if e else []


def _factors(x: Array, least: Any) -> tuple[Array, Array, Array]:
    """Return q = sigma(-x), 1 - q and s = softplus(-x); `least` stands in for what underflows."""
    e, one = np.maximum(wide.exp(-abs(x)), least), 1 + 0 * x
    q, p = np.where(x > 0, e, one) / (1 + e), np.where(x > 0, one, e) / (1 + e)
    return q, p, np.maximum(-x, 0 * x) + wide.log1p(e)


def _power(q: Array, gamma: float) -> Array:
    return q * q if gamma == 2 else np.sqrt(q)


def _fast_focal(gamma: float, x: Array) -> Array:
    q, _, s = _factors(x, tiny(x.dtype))
    return np.maximum(_power(q, gamma) * s, tiny(x.dtype))


def _fast_focal_grad(gamma: float, x: Array) -> Array:
    q, p, s = _factors(x, tiny(x.dtype))
    return -np.maximum(_power(q, gamma) * (gamma * p * s + q), tiny(x.dtype))


def _between_focal_grad(gamma: float, start: Array, stop: Array) -> tuple[Array, Array]:
    """Return the bounds that hold as q and s fall and 1 - q grows."""
    (q, p, s), (r, o, t) = _factors(start, 0.0), _factors(stop, 0.0)
    return -_power(q, gamma) * (gamma * o * s + q), -_power(r, gamma) * (gamma * p * t + r)


# -- registration -------------------------------------------------------------------------------------

UNIT, REAL = (0.0, 1.0), (-math.inf, math.inf)


def _focal(name: str, gamma: float) -> tuple[Problem, Problem]:
    power = {2.0: "2", 0.5: "1/2"}[gamma]
    loss = Problem(
        name, "logit", False, rf"\sigma(-x)^{{{power}}} \log(1 + e^{{-x}})",
        domain=REAL, centre=0.0, nonnegative=True,
        terms=_precisely(partial(_terms_focal, gamma)), fast=partial(_fast_focal, gamma), gradient=f"{name}_grad",
    )  # fmt: skip
    slope = Problem(
        f"{name}_grad", "logit", False,
        rf"-\sigma(-x)^{{{power}}} ({power}\,\sigma(x) \log(1 + e^{{-x}}) + \sigma(-x))",
        domain=REAL, centre=0.0, nonnegative=False, monotone_beyond=20.0,
        terms=_precisely(partial(_terms_focal_grad, gamma)), fast=partial(_fast_focal_grad, gamma),
        between=partial(_between_focal_grad, gamma),
    )  # fmt: skip
    return loss, slope


RELATIVES = (
    Problem(
        "log1mexp", "input", False, r"\log(1 - e^{-a})",
        domain=(0.0, math.inf), centre=math.log(2), nonnegative=False,
        terms=_precisely(_terms_log1mexp), fast=_fast_log1mexp,
    ),
    Problem(
        "logit", "probability", False, r"\log(p / (1-p))",
        domain=UNIT, centre=0.5, nonnegative=False, terms=_precisely(_terms_logit), fast=_fast_logit,
    ),
    Problem(
        "binary_entropy", "probability", False, r"-(p \log p + (1-p) \log(1-p))",
        domain=UNIT, centre=0.5, nonnegative=True, monotone_beyond=math.inf,
        terms=_precisely(_terms_entropy), fast=_fast_entropy, between=_between_entropy,
    ),
    Problem(
        "bernoulli_kl", "probability", True, r"y \log(y/p) + (1-y) \log((1-y)/(1-p))",
        domain=UNIT, centre=0.5, nonnegative=True, monotone_beyond=math.inf,
        terms=_precisely(_terms_kl), fast=_fast_kl, between=_between_kl,
    ),
    *(problem for name, gamma in FOCAL.items() for problem in _focal(name, gamma)),
)  # fmt: skip
