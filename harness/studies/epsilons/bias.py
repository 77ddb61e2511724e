"""The modelling bias of an eps in closed form: what the formula costs before anything is rounded.

With a the probability that the prediction gives to the target (p for y = 1, 1 - p for y = 0) and
b = 1 - a, the loss is -log a, and the kernel's own formula minus it is

    clamp:  a < eps: log a - log eps;   b < eps: log(1 - b) - log(1 - eps);   0 between
    added:  -log(1 + eps / a)

with eps as the format holds it.  No difference of nearly equal numbers is left, so that float64
is enough for whole arrays; what a table states is computed again in mpmath.
"""

from __future__ import annotations

import mpmath
import numpy as np
from mpmath import mp

from harness.sweep.case import Case
from harness.truth.arb import cited

Array = np.ndarray

# For probabilities 1 - 2^-1074 is exact and 300 bits are left; for logits 1 - p is e^-x / (1 + e^-x).
BITS = {"probability": 1400, "logit": 300}


def bias(form: str, eps: float, a: Array, log_a: Array, b: Array) -> Array:
    """Return the bias of a form for arrays of a, log a and b = 1 - a in float64."""
    if not eps:
        return np.zeros_like(a)
    if form == "added":
        with np.errstate(all="ignore"):
            ratio = eps / a
            # eps / a beyond float64: log(1 + t) is log t there.
            return -np.where(np.isfinite(ratio), np.log1p(ratio), np.log(eps) - log_a)
    if form == "clamp":
        with np.errstate(all="ignore"):
            low = np.where(a > eps / 2, np.log1p((a - eps) / eps), log_a - np.log(eps))
            return np.where(a < eps, low, np.where(b < eps, np.log1p((eps - b) / (1 - eps)), 0.0))
    return np.zeros_like(a)


def exact_bias(form: str, eps: float, a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    """Return the bias in mpmath, at the caller's precision; a > 0."""
    e = mp.mpf(eps)
    if form == "added":
        return -mp.log1p(e / a)
    if form == "clamp" and a < e:
        return mp.log(a / e)
    if form == "clamp" and b < e:
        return mp.log1p((e - b) / (1 - e))
    return mp.mpf(0)


def exact_pair(problem_input: str, x: float, y: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return a and b at one input in mpmath, at the caller's precision."""
    v = mp.mpf(x)
    p, q = (v, 1 - v) if problem_input == "probability" else (1 / (1 + mp.exp(-v)), 1 / (1 + mp.exp(v)))
    return (p, q) if y == 1 else (q, p)


def certified_parts(case: Case, form: str, eps: float, ordinal: int) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return bias and rounding at one input, in mpmath, in ulps of the exact value; both without sign."""
    x = float(case.fmt.from_ordinal(np.array([ordinal]))[0])
    computed, ulp = case.compute(np.array([ordinal]))[0], case.fmt.ulp(case.exact(ordinal))
    bits = BITS[case.problem.input]
    with mp.workprec(bits):
        a, b = exact_pair(case.problem.input, x, float(case.target))  # type: ignore[arg-type]
        own = exact_bias(form, eps, a, b)
        exact = cited(case.problem, (mp.mpf(x), mp.mpf(float(case.target))), bits)  # type: ignore[arg-type]
        rest = mp.mpf(float(computed)) - exact - own
        scale = mp.mpf(ulp.denominator) / ulp.numerator
        return abs(own) * scale, abs(rest) * scale


def confident_bias(form: str, eps: float, logit: float) -> mpmath.mpf:
    """Return the relative bias of the loss at a correct prediction of so large a logit, in mpmath."""
    with mp.workprec(BITS["logit"]):
        a, b = exact_pair("logit", logit, 1.0)
        return abs(exact_bias(form, eps, a, b)) / -mp.log1p(-b)
