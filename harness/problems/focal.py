"""The focal loss of a hard target, for the two exponents that are common, and its derivative.

The focal loss of Lin et al. (2017), doi:10.1109/ICCV.2017.324, is here a function of the logit x of
the true class: the logit itself where y = 1, minus the logit where y = 0.  The `fast` forms err by at
most 32 half-ulps, 2^-48 in float64 and 2^-108 in quad, with functions of up to 2 ulp: most in the
gradient, q^2 (2 (1-q) s + q), whose relative errors add up to 10 f + 10 half-ulps for functions of f ulp.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.numbers.wide import tiny
from harness.problems.problem import REAL, Array, Problem, Terms, with_extra_bits

# With q = sigma(-x), s = softplus(-x): the loss is q^gamma s, its derivative -q^gamma (gamma (1-q) s + q).


def _terms_focal(gamma: float, x: mpmath.mpf) -> Terms:
    """For x < 0: s = |x| + t, q^gamma = e^(-gamma t), where t = log(1 + e^-|x|); so the loss is |x| and a rest."""
    tail = mp.log1p(mp.exp(-abs(x)))
    if x < 0:
        rest = [abs(x) * mp.expm1(-gamma * tail), tail * mp.exp(-gamma * tail)]
        return abs(x), rest if tail else []
    # x + tail would be rounded, which costs e^-(x + tail) a factor of x.
    return mp.mpf(0), [mp.exp(-gamma * x) * mp.exp(-gamma * tail) * tail] if tail else []


def _terms_focal_grad(gamma: float, x: mpmath.mpf) -> Terms:
    """For x < 0 the derivative is -1 and a rest: -q^(gamma+1) = -1 - expm1(-(gamma+1) t)."""
    e = mp.exp(-abs(x))
    tail = mp.log1p(e)
    if x < 0:
        weighted = gamma * mp.exp(-gamma * tail) * (e / (1 + e)) * (abs(x) + tail) if e else mp.mpf(0)
        return mp.mpf(-1), [-mp.expm1(-(gamma + 1) * tail), -weighted]
    power, q = mp.exp(-gamma * x) * mp.exp(-gamma * tail), e / (1 + e)
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


def _focal(name: str, gradient: str, hessian: str, gamma: float, power: str) -> tuple[Problem, Problem]:
    """Return the loss and its derivative; `power` is gamma as formulas write it."""
    loss = Problem(
        name, "logit", False, rf"\sigma(-x)^{{{power}}} \log(1 + e^{{-x}})",
        domain=REAL, centre=0.0, nonnegative=True,
        terms=with_extra_bits(partial(_terms_focal, gamma)), fast=partial(_fast_focal, gamma), gradient=gradient,
        hessian=hessian,
    )  # fmt: skip
    slope = Problem(
        gradient, "logit", False,
        rf"-\sigma(-x)^{{{power}}} ({power}\,\sigma(x) \log(1 + e^{{-x}}) + \sigma(-x))",
        domain=REAL, centre=0.0, nonnegative=False, monotone_beyond=20.0,
        terms=with_extra_bits(partial(_terms_focal_grad, gamma)), fast=partial(_fast_focal_grad, gamma),
        between=partial(_between_focal_grad, gamma), log_slope=2 * gamma + 1,
    )  # fmt: skip
    return loss, slope


FOCAL = (
    *_focal("focal", "focal_grad", "focal_hess", 2.0, "2"),
    *_focal("focal_g0.5", "focal_g0.5_grad", "focal_hess@gamma=0.5", 0.5, "1/2"),
)
