"""The loss that all of this is about: cross-entropy of a binary target, from a probability and from a logit.

Its derivatives are problems of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.numbers.wide import exact_mpf, from_mpf
from harness.problems.functions import fast_exp, fast_tail, log, log1p, near_half, sigmoid, tail
from harness.problems.problem import REAL, UNIT, Array, Problem, Terms

# -- mpmath forms -------------------------------------------------------------------------------


def _weighted(*pairs: tuple[mpmath.mpf, Callable[[], mpmath.mpf]]) -> list[mpmath.mpf]:
    """Multiply weight by value, leaving out terms of zero weight."""
    return [w * f() for w, f in pairs if w != 0]


def _over(v: mpmath.mpf) -> mpmath.mpf:
    return 1 / v if v else mp.inf


def _complement(y: mpmath.mpf) -> mpmath.mpf:
    return mp.fsub(1, y, exact=True)


def _terms_bce_logits(x: mpmath.mpf, y: mpmath.mpf) -> Terms:
    weight = -y if x < 0 else _complement(y)
    return (mp.fmul(weight, x, exact=True) if weight else mp.mpf(0)), [tail(x)]


def _terms_bce_logits_grad(x: mpmath.mpf, y: mpmath.mpf) -> Terms:
    if abs(x) < 1:
        return mp.fsub(0.5, y, exact=True), [near_half(x)]
    if x > 0:
        return _complement(y), [-sigmoid(-x)]
    return -y, [sigmoid(x)]


def _terms_bce(p: mpmath.mpf, y: mpmath.mpf) -> Terms:
    return mp.mpf(0), _weighted((-y, lambda: log(p)), (-_complement(y), lambda: log1p(-p)))


def _terms_bce_grad(p: mpmath.mpf, y: mpmath.mpf) -> Terms:
    return mp.mpf(0), _weighted((-y, lambda: _over(p)), (_complement(y), lambda: _over(_complement(p))))


# -- rational values ----------------------------------------------------------------------------


def _rational_bce(p: Fraction, y: Fraction) -> Fraction | None:
    return Fraction(0) if p == y and p in (0, 1) else None


def _rational_bce_grad(p: Fraction, y: Fraction) -> Fraction | None:
    """Return (1-y)/(1-p) - y/p, rational everywhere but at the poles."""
    if (p == 0 and y != 0) or (p == 1 and y != 1):
        return None
    return ((1 - y) / (1 - p) if y != 1 else Fraction(0)) - (y / p if y else Fraction(0))


def _rational_bce_logits_grad(x: Fraction, y: Fraction) -> Fraction | None:
    return Fraction(1, 2) - y if x == 0 else None


# -- forms for arrays ---------------------------------------------------------------------------


def _fast_bce_logits(x: Array, y: Array) -> Array:
    return np.where(x < 0, -y, 1 - y) * x + fast_tail(x)


def _line_bce_logits(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return w x, w being -y for x < 0 and else 1 - y, as two numbers, and where their sum is exactly that."""
    weight, lost = wide.total(1 + 0 * y, -y)
    weight, lost = np.where(x < 0, -y, weight), np.where(x < 0, 0 * y, lost)
    whole, rest = wide.product(weight, x + 0 * y)
    more, beyond = wide.product(lost, x + 0 * y)
    second, left = wide.total(rest, more)
    return whole, second, (beyond == 0) & (left == 0)


def _split_bce_logits(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return the loss as w x, which takes two numbers, and log(1 + e^-|x|)."""
    whole, rest, _ = _line_bce_logits(x, y)
    return whole, rest, fast_tail(x) + 0 * y


def _exact_parts_bce_logits(x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """Return the same, and where w x is exactly the two numbers."""
    whole, rest, known = _line_bce_logits(x, y)
    return whole, rest, fast_tail(x) + 0 * y, known


def _fast_bce_logits_grad(x: Array, y: Array) -> Array:
    """Compute sigmoid(x) - y without cancellation, by the distance d = x - logit(y).

    |d| > 1: (1-y) sigmoid(x) - y sigmoid(-x), whose terms differ by a factor of e^|d|.
    |d| <= 1: z w expm1(-|d|) / (w + z exp(-|d|)), where (z, w) is (y, 1-y) for d <= 0 and
    (1-y, y) for d > 0, with the sign turned; logit(y) is held to twice the wide precision.
    """
    e = fast_exp(-np.abs(x))
    larger, smaller = 1 / (1 + e), e / (1 + e)  # sigmoid(|x|), sigmoid(-|x|)
    value = (1 - y) * np.where(x >= 0, larger, smaller) - y * np.where(x <= 0, larger, smaller)
    soft = np.where((y == 0) | (y == 1), 0 * y + 0.5, y)
    high, low = _logit_pair(soft)
    d = (x - high) - low
    near = (abs(d) <= 1) & (soft == y)
    if near.any():
        z, w = np.where(d <= 0, soft, 1 - soft), np.where(d <= 0, 1 - soft, soft)
        close = z * w * wide.expm1(-abs(d)) / (w + z * wide.exp(-abs(d)))
        value = np.where(near, np.where(d <= 0, close, -close), value)
    return value


def _logit_pair(y: Array) -> tuple[Array, Array]:
    """Return logit(y) = high + low to twice the format's precision, by mpmath."""
    high, low = np.empty_like(y), np.empty_like(y)
    with mp.workprec(400):
        for index, value in np.ndenumerate(y):
            v = exact_mpf(value)
            logit = mp.log(v) - mp.log1p(-v)
            high[index] = from_mpf(logit, y.dtype)
            low[index] = from_mpf(logit - exact_mpf(high[index]), y.dtype)
    return high, low


def _fast_bce(p: Array, y: Array) -> Array:
    zero = np.zeros_like(p)
    return np.where(y == 0, zero, -y * np.log(p)) + np.where(y == 1, zero, (y - 1) * wide.log1p(-p))


def _fast_bce_grad(p: Array, y: Array) -> Array:
    return np.where(y == 0, 1 / (1 - p), np.where(y == 1, -1 / p, (p - y) / (p * (1 - p))))


CROSS_ENTROPY = (
    Problem(
        "bce", "probability", True, r"-(y \log p + (1-y) \log(1-p))",
        domain=UNIT, centre=0.5, nonnegative=True, monotone_beyond=math.inf,
        terms=_terms_bce, fast=_fast_bce, gradient="bce_grad",
        rational=_rational_bce, log_slope=1.0,
    ),
    Problem(
        "bce_logits", "logit", True, r"y\,\mathrm{softplus}(-x) + (1-y)\,\mathrm{softplus}(x)",
        domain=REAL, centre=0.0, nonnegative=True, monotone_beyond=math.inf,
        terms=_terms_bce_logits, fast=_fast_bce_logits, gradient="bce_logits_grad", hessian="sigmoid_grad",
        split=_split_bce_logits, exact_parts=_exact_parts_bce_logits,
        log_slope=1.0,
    ),
    Problem(
        "bce_grad", "probability", True, r"(1-y)/(1-p) - y/p",
        domain=UNIT, centre=0.5, nonnegative=False,
        terms=_terms_bce_grad, fast=_fast_bce_grad, rational=_rational_bce_grad, zero=lambda y: y,
    ),
    Problem(
        "bce_logits_grad", "logit", True, r"\sigma(x) - y",
        domain=REAL, centre=0.0, nonnegative=False,
        terms=_terms_bce_logits_grad, fast=_fast_bce_logits_grad, rational=_rational_bce_logits_grad,
        zero=lambda y: mp.log(y) - mp.log1p(-y),
    ),
)  # fmt: skip
