"""The second derivative of the focal loss of a label in its logit: the Hessian that boosting libraries ask of an objective.

In the words of focal_weighted.py, of |x| and the label that belongs to it, with r = m'/m and tau = tanh(|x|/2),

    L'' = F m^gamma (gamma (gamma - 1) r^2 c - gamma r tau c + 2 gamma r c' + e / (1 + e)^2),    c' = (b - l e) / (1 + e)

since m'' = -m' tau.  It is the same at -x for b, tends to 0 on either side, and for gamma > 0 is below 0 where a prediction
is wrong enough: there a Newton step goes the wrong way.  Every term has a factor e, or for b = 0 one of c, so that the fast
form takes e out and sums what is left, near 1 in size; where more than half of that cancels, 113 bits sum it again, and
mpmath where too few of them are left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.numbers.formats import to_fraction
from harness.numbers.wide import exact_mpf, from_mpf, quad, tiny
from harness.problems.focal_weighted import (
    DEFAULTS,
    LABELS_TEXT,
    LOST_BITS,
    OF_LABELS,
    bits_beyond,
    close_sum,
    labels_of,
    log_wrong,
    parts_of,
    power_of,
    problem_of_labels,
    rational_power,
)
from harness.problems.problem import REAL, Array, Problem, Terms, WeightedFamily
from harness.problems.weights import Weights, in_wide, mpf_of

NAME, OF_TRUE_CLASS = "focal_bce_logits_hess", "focal_hess"
LEFT = 2.0**-40  # of the terms' size: what a sum in 113 bits must leave

# -- mpmath forms ---------------------------------------------------------------------------------------


def terms_of_hessian(weights: Weights, label: Fraction, factor: Fraction, x: mpmath.mpf) -> Terms:
    """Return the second derivative of the focal loss of a smoothed label as a sum; mpmath."""
    gamma, size = Fraction(weights.gamma or 0), abs(x)
    mine = 1 - label if x < 0 else label
    with mp.extraprec(bits_beyond(gamma, 1 - mine, size)):
        e = mp.exp(-size)
        if not e:
            return mp.mpf(0), []
        power = mpf_of(factor) * power_of(gamma, log_wrong(mine, 1 - mine, e, mp.log1p(e), size))
        return mp.mpf(0), [power * term for term in _bracket(gamma, mine, e, size)]


def _bracket(gamma: Fraction, label: Fraction, e: mpmath.mpf, x: mpmath.mpf) -> list[mpmath.mpf]:
    """Return the terms beside F m^gamma at x > 0."""
    b, more = 1 - label, 1 + e
    turning = mpf_of(b - label) * e / (more * (mpf_of(label) * e + mpf_of(b)))
    loss = mp.log1p(e) + mpf_of(b) * x
    return [
        mpf_of(gamma * (gamma - 1)) * turning * turning * loss,
        mpf_of(gamma) * turning * loss * mp.expm1(-x) / more,
        2 * mpf_of(gamma) * turning * mpf_of(b) / more,
        -2 * mpf_of(gamma) * turning * mpf_of(label) * e / more,
        e / (more * more),
    ]


def rational_hessian(weights: Weights, label: Fraction, factor: Fraction, x: Fraction) -> Fraction | None:
    """Return the second derivative at x = 0 where it is rational: of the label 1/2, and for a gamma of 0 or 1."""
    gamma, d = Fraction(weights.gamma or 0), 1 - 2 * label
    power = rational_power(Fraction(1, 2), gamma)
    if x or power is None or (d and gamma not in (0, 1)):
        return None
    return factor * power * (gamma * d * d / 2 + Fraction(1, 4))


# -- forms for arrays -------------------------------------------------------------------------------------


def _rest(weights: Weights, x: Array, label: Array, other: Array) -> tuple[Array, Array, Array, Array]:
    """Return e, the root of m^gamma, the sum that is left when e is taken out, and the size of its largest term."""
    mine, b, e, t, loss, root = parts_of(weights, x, label, other)
    gamma, _ = in_wide(np.zeros((1, 1)).astype(x.dtype), lambda v: Fraction(weights.gamma or 0))
    one, right = 1 + 0 * loss, b == 0
    more, tau = 1 + e, -wide.expm1(-np.abs(x)) / (1 + e)
    # r / e and c, or for b = 0, where m' / m is -1 / (1 + e), r and c / e, which is 1 where e is 0
    turning = np.where(right, -one, (b - mine) / np.where(right, one, mine * e + b)) / more
    of_e = np.where(right, np.where(e > 0, t / np.where(e > 0, e, one), one), loss)
    terms = [
        gamma * (gamma - 1) * turning * turning * np.where(right, one, e) * of_e,
        -gamma * turning * tau * of_e,
        2 * gamma * turning * b / more,
        -2 * gamma * turning * mine * np.where(right, one, e) / more,
        one / (more * more),
    ]
    total, most = terms[0], abs(terms[0])
    for term in terms[1:]:
        total, most = total + term, np.maximum(most, abs(term))
    return e, root, total, most


def fast_hessian(weights: Weights, x: Array, y: Array) -> Array:
    """Compute the second derivative of the focal loss of labels in a wide format."""
    label, other, factor = labels_of(weights, y)
    e, root, total, most = _rest(weights, x, label, other)
    columns, targets = np.broadcast_to(x, total.shape), np.broadcast_to(y, total.shape)
    for t in np.nonzero((abs(total) < most / 2).any(axis=1))[0]:
        at = np.nonzero(abs(total[t]) < most[t] / 2)[0]
        total[t, at] = _summed_again(weights, columns[t, at], targets[t, at])
    least = tiny(x.dtype)
    value = root * e * total * root * factor
    return np.where((total * factor != 0) & (abs(value) < least), np.copysign(least + 0 * value, total), value)


def _summed_again(weights: Weights, x: Array, y: Array) -> Array:
    """Return the sum that is left when e is taken out, at points of shape (n,) where it cancels."""
    wider, left = quad(), np.ones(len(x), bool)
    found = x.copy()
    if x.dtype != wider:
        _, _, total, most = _rest(weights, x[None, :].astype(wider), *labels_of(weights, y[None, :].astype(wider))[:2])
        found, left = total[0].astype(x.dtype), abs(total[0]) < most[0] * np.asarray(LEFT).astype(wider)
    for i in np.nonzero(left)[0]:
        found[i] = _resolved(weights, x[i], y[i])
    return found


def _resolved(weights: Weights, x: object, y: object) -> object:
    """Return that sum at one input by mpmath, however much cancels."""
    at, label = exact_mpf(x), weights.smoothed(to_fraction(exact_mpf(y)))
    mine, dtype = 1 - label if at < 0 else label, np.asarray(x).dtype

    def terms() -> list[mpmath.mpf]:
        with mp.extraprec(bits_beyond(Fraction(weights.gamma or 0), 1 - mine, abs(at))):
            e = mp.exp(-abs(at))
            return [term / e for term in _bracket(Fraction(weights.gamma or 0), mine, e, abs(at))]

    return from_mpf(close_sum(terms), dtype)


# -- the problems -----------------------------------------------------------------------------------------


def _of_labels(name: str, weights: Weights) -> Problem:
    forms = partial(terms_of_hessian, weights), partial(rational_hessian, weights), partial(fast_hessian, weights)
    return problem_of_labels(
        name, weights, rf"\frac{{d^2}}{{dx^2}}\,w\,\alpha_t\,m^\gamma c,\ {LABELS_TEXT}", forms,
        input="logit", domain=REAL, centre=0.0, nonnegative=False, lost_bits=LOST_BITS + 1,
    )  # fmt: skip


def _of_the_true_class(name: str, weights: Weights) -> Problem:
    """Return the second derivative of the true class's focal loss: that of the label 1."""
    whole = _of_labels(name, weights)
    at: Callable[[Fraction], Problem] | None = whole.at
    assert at is not None
    return replace(
        at(Fraction(1)),
        formula=rf"\frac{{d^2}}{{dx^2}}\,w\,\sigma(-x)^\gamma \log(1 + e^{{-x}}),\ \mathrm{{{weights.text}}}",
        fast=lambda x: fast_hessian(weights, x, np.ones((1, 1)).astype(x.dtype)),
    )


FOCAL_HESSIANS = (
    WeightedFamily(NAME, OF_LABELS, _of_labels, "", DEFAULTS),
    WeightedFamily(OF_TRUE_CLASS, ("gamma", "weight"), _of_the_true_class, "", DEFAULTS),
)
