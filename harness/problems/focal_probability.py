"""The focal loss of a probability and a label, with its derivative: what Keras and many repositories compute after a sigmoid.

With l the label (smoothed, where that is asked for) and b = 1 - l it is F m^gamma c, where c = -(l log p + b log(1-p))
is the cross-entropy, m = l (1-p) + b p the probability of being wrong and F = weight alpha_t: a product of sums of terms
that are not negative.  The derivative in p is

    F m^gamma (gamma (b - l) c / m + (p - l) / (p (1-p))),

whose two terms may cancel where the label is soft; mpmath takes over where more than half is lost.  At p = sigma(x) the
loss is that of focal_weighted.py, so that it changes with the logit of p as that one does with x; m^gamma is good to the
same bits.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.numbers.formats import to_fraction
from harness.numbers.wide import exact_mpf, tiny
from harness.problems.focal_weighted import (
    DEFAULTS,
    EXTRA_BITS,
    LOST_BITS,
    OF_LABELS,
    close_sum,
    held,
    labels_of,
    problem_of_labels,
    rational_power,
)
from harness.problems.functions import log, log1p
from harness.problems.problem import UNIT, Array, Problem, Terms, WeightedFamily
from harness.problems.weights import Weights, in_wide, mpf_of

LOG_BITS = 16  # more than the size of gamma's exponent log m has before its point, the inputs being above 2^-16000

# -- mpmath forms ---------------------------------------------------------------------------------


def _bits(gamma: Fraction) -> int:
    return EXTRA_BITS + LOG_BITS + math.ceil(gamma).bit_length()


def _power(gamma: Fraction, wrong: mpmath.mpf) -> mpmath.mpf:
    return mp.exp(mpf_of(gamma) * mp.log(wrong)) if gamma else mp.mpf(1)


def _wrong(label: Fraction, p: mpmath.mpf) -> mpmath.mpf:
    return mpf_of(label) * mp.fsub(1, p, exact=True) + mpf_of(1 - label) * p


def _entropies(label: Fraction, p: mpmath.mpf) -> list[mpmath.mpf]:
    """Return the terms of c that have weight."""
    of_one, of_zero = -mpf_of(label) * log(p) if label else None, -mpf_of(1 - label) * log1p(-p) if label != 1 else None
    return [t for t in (of_one, of_zero) if t is not None]


def terms_of_loss(gamma: Fraction, label: Fraction, factor: Fraction, p: mpmath.mpf) -> Terms:
    """Return the loss as a sum; mpmath."""
    with mp.extraprec(_bits(gamma)):
        wrong = _wrong(label, p)
        if not wrong:
            return mp.mpf(0), []
        scale = mpf_of(factor) * _power(gamma, wrong)
        return mp.mpf(0), [scale * t for t in _entropies(label, p)]


def terms_of_slope(gamma: Fraction, label: Fraction, factor: Fraction, p: mpmath.mpf) -> Terms:
    """Return its derivative as a sum, infinite at a pole; mpmath."""
    with mp.extraprec(_bits(gamma)):
        b, wrong, q = 1 - label, _wrong(label, p), mp.fsub(1, p, exact=True)
        if not wrong:
            return mp.mpf(0), [] if gamma else [mpf_of(factor * (b - label))]
        if (not p and label) or (not q and b):
            return mp.mpf(0), [mp.inf if p else -mp.inf]
        scale = mpf_of(factor) * _power(gamma, wrong)
        turning = mpf_of(gamma * (b - label)) / wrong
        of_power = [turning * t for t in _entropies(label, p)] if gamma and b != label else []
        of_loss = [mpf_of(b) / q if b else mp.mpf(0), -mpf_of(label) / p if label else mp.mpf(0)]
        return mp.mpf(0), [scale * t for t in (*of_power, *of_loss) if t]


# -- rational values --------------------------------------------------------------------------------


def rational_loss(gamma: Fraction, label: Fraction, factor: Fraction, p: Fraction) -> Fraction | None:
    """Return 0 where a hard label is met: elsewhere a sum of logs with algebraic factors is transcendental (Baker)."""
    return Fraction(0) if p == label and p in (0, 1) else None


def rational_slope(gamma: Fraction, label: Fraction, factor: Fraction, p: Fraction) -> Fraction | None:
    """Return the derivative where it has no logarithm: without gamma, for the label 1/2, and where a hard label is met."""
    b = 1 - label
    if p == label and p in (0, 1):
        return Fraction(0) if gamma else factor * (b - label)
    if (p == 0 and label) or (p == 1 and b):
        return None
    of_loss = (b / (1 - p) if b else Fraction(0)) - (label / p if label else Fraction(0))
    if not gamma or (not of_loss and b == label):
        return factor * of_loss
    power = rational_power(Fraction(1, 2), gamma) if b == label else None
    return None if power is None else factor * power * of_loss


# -- forms for arrays ----------------------------------------------------------------------------------


def _parts(weights: Weights, p: Array, label: Array, other: Array) -> tuple[Array, Array, Array]:
    """Return m, c, and exp(gamma log m / 2), half of the exponent, so that nothing underflows on the way."""
    zero, one = 0 * p + 0 * label, 1 + 0 * p + 0 * label
    wrong = label * (1 - p) + other * p
    entropy = np.where(label == 0, zero, -label * np.log(np.where(label == 0, one, p + zero)))
    entropy = entropy + np.where(other == 0, zero, -other * wide.log1p(np.where(other == 0, zero, zero - p)))
    half, _ = in_wide(np.zeros((1, 1)).astype(p.dtype), lambda v: Fraction(weights.gamma or 0) / 2)
    log_wrong = np.log(np.where(wrong == 0, one, wrong))
    return wrong, entropy, wide.exp(half * log_wrong) if weights.gamma else one


def fast_loss(weights: Weights, p: Array, y: Array) -> Array:
    """Compute the loss in a wide format."""
    label, other, factor = labels_of(weights, y)
    wrong, entropy, root = _parts(weights, p, label, other)
    return np.where((wrong == 0) | (entropy == 0), 0 * wrong, np.maximum(root * entropy * root * factor, tiny(p.dtype)))


def fast_slope(weights: Weights, p: Array, y: Array) -> Array:
    """Compute its derivative in a wide format, by mpmath where the terms cancel."""
    label, other, factor = labels_of(weights, y)
    wrong, entropy, root = _parts(weights, p, label, other)
    gamma, _ = in_wide(np.zeros((1, 1)).astype(p.dtype), lambda v: Fraction(weights.gamma or 0))
    beyond = in_wide(y, weights.smoothed)[1]  # what the label in one number lacks of itself
    of_power = (
        gamma * (other - label) * entropy / np.where(wrong == 0, 1 + 0 * wrong, wrong) if weights.gamma else 0 * wrong
    )
    both = ((p - label) - beyond) / (p * (1 - p))
    of_loss = np.where(label == 0, other / (1 - p), np.where(other == 0, -label / p, both))
    total = of_power + of_loss
    cancels = abs(total) < np.maximum(abs(of_power), abs(of_loss)) / 2
    value = root * total * root * factor
    least = tiny(p.dtype)
    value = np.where((total != 0) & (abs(value) < least), np.copysign(least + 0 * value, total), value)
    value = np.where(wrong == 0, 0 * wrong if weights.gamma else factor * (other - label), value)
    value = np.where((p == 0) & (label != 0), -np.inf, np.where((p == 1) & (other != 0), np.inf, value))
    return _with_close_ones(weights, p, y, value, cancels & np.isfinite(value))


def _with_close_ones(weights: Weights, p: Array, y: Array, value: Array, cancels: Array) -> Array:
    """Put what mpmath gives in the place of values whose terms cancel."""
    columns, labels = np.broadcast_to(p, value.shape), np.broadcast_to(y, value.shape)
    for index in zip(*np.nonzero(cancels)):
        label = weights.smoothed(to_fraction(exact_mpf(labels[index])))
        exact = _resolved(Fraction(weights.gamma or 0), label, weights.factor(label), exact_mpf(columns[index]))
        value[index] = held(exact, value.dtype) if exact else 0 * value[index]
    return value


def _resolved(gamma: Fraction, label: Fraction, factor: Fraction, p: mpmath.mpf) -> mpmath.mpf:
    """Return the derivative by mpmath to CLOSE_BITS, 0 where it is 0."""
    known = rational_slope(gamma, label, factor, to_fraction(p))
    if known is not None:
        return mpf_of(known)
    return close_sum(lambda: terms_of_slope(gamma, label, factor, p)[1])


# -- the problems -----------------------------------------------------------------------------------------

D_DP = r"\frac{d}{dp}\,"
LABELS_TEXT = r"l = y(1-s) + s/2,\ m = l\,(1-p) + (1-l)\,p,\ c = -(l \log p + (1-l) \log(1-p))"


def _problem(name: str, weights: Weights, loss: bool) -> Problem:
    gamma = Fraction(weights.gamma or 0)
    terms, rational, fast = (
        (terms_of_loss, rational_loss, fast_loss) if loss else (terms_of_slope, rational_slope, fast_slope)
    )
    base, mark, text = name.partition("@")

    def of_label(label: Fraction) -> dict[str, float | None]:
        # Of a hard label the derivative in the logit has the slope 2 gamma + 1, and 1 / (p (1-p)) that of 1 at most.
        return {} if loss else {"log_slope": 2 * float(gamma) + 2 if label in (0, 1) else None}

    return problem_of_labels(
        name, weights, rf"{'' if loss else D_DP}w\,\alpha_t\,m^\gamma c,\ {LABELS_TEXT}",
        (partial(terms, gamma), partial(rational, gamma), partial(fast, weights)), of_label=of_label,
        input="probability", domain=UNIT, centre=0.5, nonnegative=loss, gradient=f"{base}_grad{mark}{text}" if loss else "",
        log_slope=float(gamma) + 1 if loss else None, lost_bits=LOST_BITS + (not loss),
    )  # fmt: skip


FOCAL_PROBABILITY = (
    WeightedFamily("focal_bce", OF_LABELS, partial(_problem, loss=True), "focal_bce_grad", DEFAULTS),
    WeightedFamily("focal_bce_grad", OF_LABELS, partial(_problem, loss=False), "", DEFAULTS),
)
