"""Weighted cross-entropies: of a binary target, from a probability and from a logit, and their derivatives.

With A and B of a label (see weights.py) the loss is A softplus(-x) + B softplus(x), and with S = A + B and r = A / S it
is S times the plain loss of the label r.  A, B, S and r are rational numbers, exact in every form: where a product with
the input is a binary number, it is the exact part that the value saturates at.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.numbers.formats import to_fraction
from harness.numbers.wide import from_mpf, tiny
from harness.problems.cross_entropy import CROSS_ENTROPY
from harness.problems.functions import log, log1p, near_half, sigmoid, tail
from harness.problems.problem import REAL, Array, Problem, Terms, WeightedFamily, with_extra_bits
from harness.problems.weights import Weights, in_wide, mpf_of, scaled

TAKES = ("pos", "weight", "alpha", "smoothing")
WEIGHTED_TEXT = r"y' = y(1-s) + s/2,\ a = w\,p\,y',\ b = w\,(1-y'),\ \text{both times } \alpha y' + (1-\alpha)(1-y')\text{ if given}"

# -- mpmath forms ---------------------------------------------------------------------------------


def whole_and_rest(*parts: tuple[mpmath.mpf, bool]) -> Terms:
    """Return numbers as the exact part of a sum, as far as they are exact, and the others as its terms."""
    exact = [value for value, known in parts if known]
    whole = mp.mpf(0)
    for value in exact:
        whole = mp.fadd(whole, value, exact=True) if mpmath.isfinite(value) else value
    return whole, [value for value, known in parts if not known]


def rational_part(value: Fraction) -> tuple[mpmath.mpf, bool]:
    """Return a rational number as mpmath has it, and whether that is exact."""
    return scaled(value, mp.mpf(1))


def _terms_loss_logits(a: Fraction, b: Fraction, x: mpmath.mpf) -> Terms:
    whole, rest = whole_and_rest(scaled(a if x < 0 else b, abs(x)))
    return whole, [*rest, mpf_of(a + b) * tail(x)]


def _terms_grad_logits(a: Fraction, b: Fraction, x: mpmath.mpf) -> Terms:
    if abs(x) < 1:
        whole, rest = whole_and_rest(rational_part((b - a) / 2))
        return whole, [*rest, mpf_of(a + b) * near_half(x)]
    whole, rest = whole_and_rest(rational_part(b if x > 0 else -a))
    return whole, [*rest, mpf_of(a + b) * (-sigmoid(-x) if x > 0 else sigmoid(x))]


def _terms_hess_logits(a: Fraction, b: Fraction, x: mpmath.mpf) -> Terms:
    e = mp.exp(-abs(x))
    return mp.mpf(0), [mpf_of(a + b) * e / (1 + e) ** 2]


def _terms_loss(a: Fraction, b: Fraction, p: mpmath.mpf) -> Terms:
    of_one, of_zero = -mpf_of(a) * log(p) if a else None, -mpf_of(b) * log1p(-p) if b else None
    return mp.mpf(0), [t for t in (of_one, of_zero) if t is not None]


def _terms_grad(a: Fraction, b: Fraction, p: mpmath.mpf) -> Terms:
    q = mp.fsub(1, p, exact=True)
    of_one = (-mpf_of(a) / p if p else -mp.inf) if a else None
    of_zero = (mpf_of(b) / q if q else mp.inf) if b else None
    return mp.mpf(0), [t for t in (of_one, of_zero) if t is not None]


# -- rational values --------------------------------------------------------------------------------


def _never(a: Fraction, b: Fraction, x: Fraction) -> Fraction | None:
    return None


def _rational_loss(a: Fraction, b: Fraction, p: Fraction) -> Fraction | None:
    return Fraction(0) if (p == 0 and not a) or (p == 1 and not b) else None


def _rational_grad(a: Fraction, b: Fraction, p: Fraction) -> Fraction | None:
    """Return b/(1-p) - a/p, rational everywhere but at the poles."""
    if (p == 0 and a) or (p == 1 and b):
        return None
    return (b / (1 - p) if b else Fraction(0)) - (a / p if a else Fraction(0))


def _rational_hess_logits(a: Fraction, b: Fraction, x: Fraction) -> Fraction | None:
    return (a + b) / 4 if x == 0 else None


def _rational_grad_logits(a: Fraction, b: Fraction, x: Fraction) -> Fraction | None:
    return (b - a) / 2 if x == 0 else None


# -- forms for arrays ----------------------------------------------------------------------------------


def _classes(weights: Weights, y: Array) -> tuple[Array, Array, Array]:
    """Return A, B and A + B of labels, each rounded once."""
    a, _ = in_wide(y, lambda v: weights.of_classes(v)[0])
    b, _ = in_wide(y, lambda v: weights.of_classes(v)[1])
    s, _ = in_wide(y, lambda v: sum(weights.of_classes(v), Fraction(0)))
    return a, b, s


def _tail(x: Array) -> Array:
    return wide.log1p(wide.exp(-np.abs(x)))


def _fast_loss_logits(weights: Weights, x: Array, y: Array) -> Array:
    a, b, s = _classes(weights, y)
    return np.where(x < 0, a, b) * np.abs(x) + np.maximum(s * _tail(x), tiny(x.dtype))


def _split_loss_logits(weights: Weights, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return the loss as A |x| or B |x|, which takes two numbers, and (A + B) log(1 + e^-|x|)."""
    a, a_low = in_wide(y, lambda v: weights.of_classes(v)[0])
    b, b_low = in_wide(y, lambda v: weights.of_classes(v)[1])
    s = _classes(weights, y)[2]
    size = np.abs(x)
    whole, rest = wide.product(np.where(x < 0, a, b) + 0 * x, size + 0 * y)
    return whole, rest + np.where(x < 0, a_low, b_low) * size, np.maximum(s * _tail(x), tiny(x.dtype))


def _exact_parts_loss_logits(weights: Weights, x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """Return the same, and where A |x| or B |x| is exact: where A and B are numbers of the wide format."""
    lost = [in_wide(y, lambda v, i=i: weights.of_classes(v)[i])[1] for i in (0, 1)]  # type: ignore[misc]
    first, second, rest = _split_loss_logits(weights, x, y)
    return first, second, rest, np.broadcast_to((lost[0] == 0) & (lost[1] == 0), first.shape)


def _fast_grad_logits(weights: Weights, x: Array, y: Array) -> Array:
    """Compute S (sigmoid(x) - r) as the plain derivative is, by the distance from logit(r); see cross_entropy.py."""
    a, b, _ = _classes(weights, y)
    e = wide.exp(-np.abs(x))
    larger, smaller = 1 / (1 + e), e / (1 + e)
    of_one = np.maximum(a * np.where(x <= 0, larger, smaller), np.where(a == 0, 0 * a, 0 * a + tiny(x.dtype)))
    of_zero = np.maximum(b * np.where(x >= 0, larger, smaller), np.where(b == 0, 0 * b, 0 * b + tiny(x.dtype)))
    value = of_zero - of_one
    soft = (a != 0) & (b != 0)
    if not soft.any():
        return value
    high, low = _logit_of_share(weights, y)
    d = (x - high) - low
    near = (abs(d) <= 1) & soft
    if near.any():
        share, _ = in_wide(y, lambda v: _share(weights, v))
        other, _ = in_wide(y, lambda v: 1 - _share(weights, v))
        scale, _ = in_wide(y, lambda v: _share(weights, v) * weights.of_classes(v)[1])  # S r (1 - r)
        z, w = np.where(d <= 0, share, other), np.where(d <= 0, other, share)
        close = scale * wide.expm1(-abs(d)) / (w + z * wide.exp(-abs(d)))
        value = np.where(near, np.where(d <= 0, close, -close), value)
    return value


def _fast_hess_logits(weights: Weights, x: Array, y: Array) -> Array:
    e = wide.exp(-np.abs(x))
    return np.maximum(_classes(weights, y)[2] * (e / ((1 + e) * (1 + e))), tiny(x.dtype))


def _share(weights: Weights, y: Fraction) -> Fraction:
    """Return r = A / (A + B), the label of the plain loss that the weighted one is a multiple of."""
    a, b = weights.of_classes(y)
    return a / (a + b)


def _logit_of_share(weights: Weights, y: Array) -> tuple[Array, Array]:
    """Return logit(r) = log(A / B) as two numbers of the format, 0 where r is 0 or 1."""
    high, low = np.zeros_like(y), np.zeros_like(y)
    with mp.workprec(400):
        for index, value in np.ndenumerate(y):
            a, b = weights.of_classes(to_fraction(wide.exact_mpf(value)))
            if a and b:
                logit = mp.log(mpf_of(a / b))
                high[index] = from_mpf(logit, y.dtype)
                low[index] = from_mpf(logit - wide.exact_mpf(high[index]), y.dtype)
    return high, low


def _fast_loss(weights: Weights, p: Array, y: Array) -> Array:
    a, b, _ = _classes(weights, y)
    zero = np.zeros_like(p)
    return np.where(a == 0, zero, -a * np.log(p)) + np.where(b == 0, zero, -b * wide.log1p(-p))


def _fast_grad(weights: Weights, p: Array, y: Array) -> Array:
    """Compute S (p - r) / (p (1 - p)), which does not cancel; of one class alone, its own term."""
    a, b, s = _classes(weights, y)
    high, low = in_wide(y, lambda v: _share(weights, v))
    both = s * ((p - high) - low) / (p * (1 - p))
    return np.where(a == 0, b / (1 - p), np.where(b == 0, -a / p, both))


# -- the problems -----------------------------------------------------------------------------------------

OfClasses = Callable[[Fraction, Fraction, mpmath.mpf], Terms]
RationalOfClasses = Callable[[Fraction, Fraction, Fraction], Fraction | None]
FORMS: dict[str, tuple[OfClasses, RationalOfClasses, Callable[[Weights, Array, Array], Array], str]] = {
    "bce": (_terms_loss, _rational_loss, _fast_loss, r"-(a \log p + b \log(1-p))"),
    "bce_logits": (
        _terms_loss_logits, _never, _fast_loss_logits, r"a\,\mathrm{softplus}(-x) + b\,\mathrm{softplus}(x)",
    ),
    "bce_grad": (_terms_grad, _rational_grad, _fast_grad, r"b/(1-p) - a/p"),
    "bce_logits_grad": (_terms_grad_logits, _rational_grad_logits, _fast_grad_logits, r"b\,\sigma(x) - a\,\sigma(-x)"),
    "bce_logits_hess": (_terms_hess_logits, _rational_hess_logits, _fast_hess_logits, r"(a + b)\,\sigma(x)\,\sigma(-x)"),
}  # fmt: skip


def _weighted(plain: Problem, name: str, weights: Weights) -> Problem:
    """Return a plain problem with weights: the same domain, centre and shape."""
    terms, rational, fast, formula = FORMS[plain.name]
    mark = name[len(plain.name) :]

    def at(y: Fraction) -> Problem:
        a, b = weights.of_classes(y)
        return replace(
            made, has_target=False, at=None,
            terms=with_extra_bits(lambda x: terms(a, b, x)), rational=lambda x: rational(a, b, x),
        )  # fmt: skip

    made = replace(
        plain,
        name=name,
        formula=rf"{formula},\ {WEIGHTED_TEXT}:\ \mathrm{{{weights.text}}}",
        gradient=GRADIENTS.get(plain.name, "") and GRADIENTS[plain.name] + mark,
        hessian=plain.hessian and HESSIAN + mark,
        weights=weights,
        at=at,
        terms=with_extra_bits(lambda x, y: terms(*weights.of_classes(to_fraction(y)), x)),
        rational=lambda x, y: rational(*weights.of_classes(y), x),
        fast=lambda x, y: fast(weights, x, y),
        split=(lambda x, y: _split_loss_logits(weights, x, y)) if plain.split else None,
        exact_parts=(lambda x, y: _exact_parts_loss_logits(weights, x, y)) if plain.split else None,
    )
    return made


def _family(plain: Problem) -> WeightedFamily:
    gradient = GRADIENTS.get(plain.name, "")
    second = HESSIAN if plain.hessian else ""
    return WeightedFamily(
        plain.name, TAKES, lambda name, weights: _weighted(plain, name, weights), gradient, hessian=second
    )


# The plain second derivative is sigmoid_grad, which has no label; of a weighted loss it is A + B times that.
HESSIAN = "bce_logits_hess"
GRADIENTS = {p.name: p.gradient for p in CROSS_ENTROPY if p.gradient} | {"bce_logits_grad": HESSIAN}
SECOND = Problem(
    HESSIAN, "logit", True, "", domain=REAL, centre=0.0, nonnegative=True, monotone_beyond=math.ulp(0.0),
    terms=_terms_hess_logits, fast=_fast_hess_logits, log_slope=1.0,
)  # fmt: skip
WEIGHTED_CROSS_ENTROPY = tuple(map(_family, (*CROSS_ENTROPY, SECOND)))
