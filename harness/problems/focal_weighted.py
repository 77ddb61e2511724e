"""The focal loss of a label, and of the true class for any gamma, with their derivatives: weighted losses.

With l the label (smoothed, where that is asked for) and b = 1 - l, the focal loss of a logit x is F m^gamma c, where
c = l softplus(-x) + b softplus(x) is the cross-entropy, m = l sigma(-x) + b sigma(x) the probability of being wrong and
F = weight alpha_t: what Keras, torchvision and optax compute.  Its value at x for l is that at -x for b, so that all
forms take |x| and the label that belongs to it.  There, with e = e^-|x| and t = log(1 + e),

    c = t + b |x|,    m = (l e + b) / (1 + e),    m' / m = e (b - l) / ((1 + e) (l e + b)),    c' = (b - l e) / (1 + e)

and as |x| grows the loss becomes the line F b^gamma b |x|.  The loss of the true class is that of l = 1.

m^gamma is exp(gamma log m).  The exponent is at most 1248 in size where the result is no stand-in for 0, and its error,
of up to 7 half-ulps of its own size and 12 gamma of those of 1, goes into the result whole: below 2^14 half-ulps for
gamma up to 100.  So the fast forms are good to 2^-38 and 2^-97 (see `lost_bits`), and in the derivatives, whose two
terms may cancel, mpmath takes over where more than half is lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import gmpy2
import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.numbers.formats import to_fraction
from harness.numbers.wide import exact_mpf, from_mpf, power_two, tiny
from harness.problems.focal import FOCAL
from harness.problems.problem import REAL, Array, Problem, Terms, WeightedFamily
from harness.problems.weighted import whole_and_rest
from harness.problems.weights import Weights, decimal_text, in_wide, mpf_of, scaled

LOST_BITS = 10
SHORT_BITS = 1 << 16  # of a rational power; a longer one is below every stand-in for 0
EXTRA_BITS = 32  # of the working precision, for a dozen operations and log b of a b next to 0 or 1
CLOSE_BITS = 140  # what a derivative is good to where mpmath computes it

# -- mpmath forms: of |x| and the label that belongs to it ----------------------------------------------


def rational_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """Return base^exponent of numbers that are not negative where it is rational and short, else None; 0^0 is 1."""
    if not exponent or base == 1:
        return Fraction(1)
    if not base:
        return Fraction(0)
    roots = [gmpy2.iroot(gmpy2.mpz(n), exponent.denominator) for n in (base.numerator, base.denominator)]
    most = exponent.numerator * max(int(root).bit_length() for root, _ in roots)
    if not all(exact for _, exact in roots) or most > SHORT_BITS:
        return None
    top, bottom = (int(root) ** exponent.numerator for root, _ in roots)
    return Fraction(top, bottom)


def bits_beyond(gamma: Fraction, b: Fraction, x: mpmath.mpf) -> int:
    """Return how many bits more an exponent of the size of gamma log m needs."""
    size = max(0, mpmath.mag(x)) if not b and x and mpmath.isfinite(x) else 0
    return EXTRA_BITS + max(0, math.ceil(gamma).bit_length()) + size


def log_wrong(label: Fraction, b: Fraction, e: mpmath.mpf, t: mpmath.mpf, x: mpmath.mpf) -> mpmath.mpf:
    """Return log m, m being the probability of being wrong at x >= 0."""
    return mp.log(mpf_of(label) * e + mpf_of(b)) - t if b else -x - t


def power_of(gamma: Fraction, log_base: mpmath.mpf) -> mpmath.mpf:
    """Return base^gamma from the logarithm of the base."""
    return mp.exp(mpf_of(gamma) * log_base)


def _line(gamma: Fraction, factor: Fraction, b: Fraction, x: mpmath.mpf) -> tuple[mpmath.mpf, bool]:
    """Return factor b^gamma x, and whether that is exact."""
    power = rational_power(b, gamma)
    if power is not None:
        return scaled(factor * power, x)
    return mpf_of(factor) * power_of(gamma, mp.log(mpf_of(b))) * x, False


def _beyond(gamma: Fraction, label: Fraction, b: Fraction, e: mpmath.mpf) -> mpmath.mpf:
    """Return (m / b)^gamma - 1."""
    return mp.expm1(mpf_of(gamma) * mp.log1p(mpf_of((label - b) / b) * e / (1 + e)))


def _terms_loss(gamma: Fraction, label: Fraction, factor: Fraction, x: mpmath.mpf) -> Terms:
    """Return the loss at x >= 0 as a line and what it lacks of it."""
    b = 1 - label
    with mp.extraprec(bits_beyond(gamma, b, x)):
        e = mp.exp(-x)
        t = mp.log1p(e)
        if not t:
            return whole_and_rest(_line(gamma, factor * b, b, x)) if b else (mp.mpf(0), [])
        power = power_of(gamma, log_wrong(label, b, e, t, x))
        if x < 1 or not b:
            return mp.mpf(0), [mpf_of(factor) * power * (t + mpf_of(b) * x)]
        line = _line(gamma, factor * b, b, x)
        whole, rest = whole_and_rest(line)
        return whole, [*rest, mpf_of(factor) * power * t, line[0] * _beyond(gamma, label, b, e)]


def _terms_slope(gamma: Fraction, label: Fraction, factor: Fraction, x: mpmath.mpf) -> Terms:
    """Return the derivative at x >= 0 as what it becomes for large x and what it lacks of that."""
    b = 1 - label
    with mp.extraprec(bits_beyond(gamma, b, x)):
        e = mp.exp(-x)
        t = mp.log1p(e)
        if not e:
            return whole_and_rest(_line(gamma, factor * b, b, mp.mpf(1))) if b else (mp.mpf(0), [])
        power = mpf_of(factor) * power_of(gamma, log_wrong(label, b, e, t, x))
        if not b:
            return mp.mpf(0), [-power * mpf_of(gamma) * t / (1 + e), -power * e / (1 + e)]
        turning = mpf_of(b - label) * e / ((1 + e) * (mpf_of(label) * e + mpf_of(b)))
        of_power = power * mpf_of(gamma) * turning * (t + mpf_of(b) * x)
        if x < 1:
            loss = [mpf_of(b - label) / (1 + e), -mpf_of(label) * mp.expm1(-x) / (1 + e)]
            return mp.mpf(0), [of_power, *(power * part for part in loss)]
        line = _line(gamma, factor * b, b, mp.mpf(1))
        whole, rest = whole_and_rest(line)
        return whole, [*rest, line[0] * _beyond(gamma, label, b, e), -power * e / (1 + e), of_power]


def _mirrored(terms: Terms, sign: int) -> Terms:
    return (terms[0], terms[1]) if sign > 0 else (-terms[0], [-t for t in terms[1]])


def terms_of_loss(weights: Weights, label: Fraction, factor: Fraction, x: mpmath.mpf) -> Terms:
    """Return the exact part and the rest of the focal loss of a smoothed label; mpmath."""
    return _terms_loss(Fraction(weights.gamma or 0), 1 - label if x < 0 else label, factor, abs(x))


def terms_of_slope(weights: Weights, label: Fraction, factor: Fraction, x: mpmath.mpf) -> Terms:
    """Return the exact part and the rest of its derivative; mpmath."""
    below = x < 0
    found = _terms_slope(Fraction(weights.gamma or 0), 1 - label if below else label, factor, abs(x))
    return _mirrored(found, -1 if below else 1)


def rational_slope(weights: Weights, label: Fraction, factor: Fraction, x: Fraction) -> Fraction | None:
    """Return the derivative at x = 0 where it is rational: of the label 1/2, and without gamma."""
    if x == 0 and (label == Fraction(1, 2) or not weights.gamma):
        return factor * (Fraction(1, 2) - label)
    return None


def _never(weights: Weights, label: Fraction, factor: Fraction, x: Fraction) -> Fraction | None:
    return None


# -- forms for arrays ---------------------------------------------------------------------------------------


def parts_of(weights: Weights, x: Array, label: Array, other: Array) -> tuple[Array, ...]:
    """Return of |x| and the label that belongs to it: label, b, e, t, c, and exp(gamma log m / 2).

    Half of the exponent: the other factors come between two halves, so that nothing underflows on the way.
    """
    size = np.abs(x) + 0 * label
    mine, b = np.where(x < 0, other, label), np.where(x < 0, label, other)
    e = wide.exp(-size)
    t = wide.log1p(e)
    wrong = (mine * e + b) / (1 + e)
    log_wrong = np.where(b == 0, -size - t, np.log(np.where(b == 0, 1 + 0 * wrong, wrong)))
    half, _ = in_wide(np.zeros((1, 1)).astype(x.dtype), lambda v: Fraction(weights.gamma or 0) / 2)
    # A product of 0 and an infinity is none: without gamma the power is 1.
    exponent = half * np.maximum(log_wrong, -(half * 0 + 2.0**900)) if weights.gamma else 0 * log_wrong
    return mine, b, e, t, t + b * size, wide.exp(exponent)


def _fast_loss(weights: Weights, x: Array, label: Array, other: Array, factor: Array) -> Array:
    *_, loss, root = parts_of(weights, x, label, other)
    return np.maximum(root * loss * root * factor, tiny(x.dtype))


def _fast_slope(weights: Weights, x: Array, label: Array, other: Array, factor: Array) -> tuple[Array, Array]:
    """Return the derivative, and where more than half of it cancels."""
    mine, b, e, _, loss, root = parts_of(weights, x, label, other)
    gamma, _ = in_wide(np.zeros((1, 1)).astype(x.dtype), lambda v: Fraction(weights.gamma or 0))
    # m'/m = e (b-l) / ((1+e) (l e + b)), which is -1/(1+e) where b = 0, however small e is
    turning = np.where(b == 0, 0 * e - 1, e * (b - mine) / np.where(b == 0, 1 + 0 * e, mine * e + b)) / (1 + e)
    of_power = gamma * turning * loss
    # c' = b - e / (1+e), below 1 as (b - l - l expm1(-|x|)) / (1+e), which does not cancel for l = 1/2
    near, level, fall = np.abs(x) < 1, (b - mine) / (1 + e), -np.maximum(e, tiny(x.dtype)) / (1 + e)
    rise = -mine * wide.expm1(-np.abs(x)) / (1 + e)
    of_loss = np.where(b == 0, fall, np.where(near, level + rise, b + fall))
    size_of_loss = np.where(b == 0, -fall, np.where(near, np.maximum(abs(level), abs(rise)), np.maximum(b, -fall)))
    total = of_power + of_loss
    cancels = abs(total) < np.maximum(abs(of_power), size_of_loss) / 2
    value = root * total * root * factor
    least = tiny(x.dtype)
    value = np.where((total != 0) & (abs(value) < least), np.copysign(least + 0 * value, total), value)
    return np.where(x < 0, -value, value), cancels


def exact_parts(weights: Weights, loss: bool, x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """Return the line that the loss becomes, or its slope, as two numbers, the rest's sign, and where both are known.

    To first order in e, what the loss lacks of F b^(gamma+1) |x| is F b^gamma e (1 - g |x|), and its derivative of
    F b^(gamma+1) the same with g (|x| - 1) - 1 in brackets, g = gamma (b - l).  Where e is below 2^-40 that is far below
    a unit in the last place of the line, and no more than its sign counts.
    """
    label, other, _ = labels_of(weights, y)
    mine, b = np.where(x < 0, other, label), np.where(x < 0, label, other)
    size, gamma = np.abs(x), Fraction(weights.gamma or 0)
    e, steep = wide.exp(-size), in_wide(np.zeros((1, 1)).astype(x.dtype), lambda v: gamma)[0] * (b - mine)

    def slope_of(v: Fraction) -> Fraction:
        power = rational_power(v, gamma)
        return Fraction(0) if power is None else power * v

    lines = [in_wide(y, lambda v, f=f: weights.factor(weights.smoothed(v)) * slope_of(f(v)))  # type: ignore[misc]
             for f in (lambda v: 1 - weights.smoothed(v), weights.smoothed)]  # fmt: skip
    (high, lost), (other_high, other_lost) = lines
    line, gone = np.where(x < 0, other_high, high), np.where(x < 0, other_lost, lost)
    bracket = 1 - steep * size if loss else steep * (size - 1) - 1
    rest = np.maximum(line * e, tiny(x.dtype)) * np.sign(bracket)
    clear = abs(bracket) * 2.0**10 > abs(steep) * (size + 1) + 1
    known = (e < 2.0**-40) & (line != 0) & (gone == 0) & clear
    if loss:
        return *wide.product(line, size + 0 * y), rest, known
    flipped = np.where(x < 0, -1 + 0 * rest, 1 + 0 * rest)
    return line * flipped, 0 * rest, rest * flipped, known


def _resolved(weights: Weights, label: Fraction, factor: Fraction, x: mpmath.mpf) -> mpmath.mpf:
    """Return the derivative by mpmath to CLOSE_BITS, 0 where it is 0."""
    known = rational_slope(weights, label, factor, to_fraction(x))
    if known is not None:
        return mpf_of(known)

    def terms() -> list[mpmath.mpf]:
        whole, rest = terms_of_slope(weights, label, factor, x)
        return [whole, *rest]

    return close_sum(terms)


def close_sum(terms: Callable[[], Sequence[mpmath.mpf]]) -> mpmath.mpf:
    """Return the sum of terms, computed at mpmath's precision, to CLOSE_BITS however much cancels; it must not be 0."""
    bits = 2 * CLOSE_BITS
    while True:
        with mp.workprec(bits):
            parts = terms()
            value = mp.fsum(parts)
            if mp.ldexp(abs(value), bits - CLOSE_BITS - 4) >= sum(abs(t) for t in parts):
                return value
        bits *= 2


def held(exact: mpmath.mpf, wide_dtype: np.dtype) -> object:
    """Return a number in a wide format, the stand-in for one that is too small to matter."""
    least = exact_mpf(tiny(wide_dtype))
    if not exact or abs(exact) < least:
        return from_mpf(mp.sign(exact), wide_dtype) * tiny(wide_dtype)  # type: ignore[operator]
    size = mpmath.mag(exact)
    return from_mpf(mp.ldexp(exact, -size), wide_dtype) * power_two(size, wide_dtype)


def labels_of(weights: Weights, y: Array) -> tuple[Array, Array, Array]:
    """Return the smoothed labels, what they lack of 1, and weight alpha_t, each rounded once."""
    return (
        in_wide(y, weights.smoothed)[0],
        in_wide(y, lambda v: 1 - weights.smoothed(v))[0],
        in_wide(y, lambda v: weights.factor(weights.smoothed(v)))[0],
    )


def fast_loss(weights: Weights, x: Array, y: Array) -> Array:
    """Compute the focal loss of labels in a wide format."""
    return _fast_loss(weights, x, *labels_of(weights, y))


def fast_slope(weights: Weights, x: Array, y: Array) -> Array:
    """Compute its derivative in a wide format, by mpmath where the terms cancel."""
    value, cancels = _fast_slope(weights, x, *labels_of(weights, y))
    columns, labels = np.broadcast_to(x, value.shape), np.broadcast_to(y, value.shape)
    for index in zip(*np.nonzero(cancels)):
        label = weights.smoothed(to_fraction(exact_mpf(labels[index])))
        exact = _resolved(weights, label, weights.factor(label), exact_mpf(columns[index]))
        value[index] = held(exact, value.dtype)
    return value


# -- the problems ---------------------------------------------------------------------------------------------

LABELS_TEXT = r"l = y(1-s) + s/2,\ m = l\,\sigma(-x) + (1-l)\,\sigma(x),\ c = l\,\mathrm{softplus}(-x) + (1-l)\,\mathrm{softplus}(x)"


Forms = tuple[Callable[..., Terms], Callable[..., Fraction | None], Callable[[Array, Array], Array]]


def problem_of_labels(
    name: str, weights: Weights, formula: str, forms: Forms, *,
    of_label: Callable[[Fraction], dict[str, Any]] = lambda label: {}, **fields: Any,
) -> Problem:  # fmt: skip
    """Return a problem of labels, smoothed and weighted, from forms of one label.

    `forms` are terms(label, factor, x) and rational(label, factor, x), in exact numbers, and fast(x, y) on arrays; `fields`
    are the problem's others, and `of_label` gives those that are another's for one label.
    """
    terms, rational, fast = forms

    def given(y: Fraction) -> tuple[Fraction, Fraction]:
        label = weights.smoothed(y)
        return label, weights.factor(label)

    def at(y: Fraction) -> Problem:
        fixed = given(y)
        return replace(
            made, has_target=False, at=None, terms=partial(terms, *fixed), rational=partial(rational, *fixed),
            **of_label(fixed[0]),
        )  # fmt: skip

    made = Problem(
        name=name, has_target=True, formula=rf"{formula},\ \mathrm{{{weights.text}}}", monotone_beyond=math.inf,
        terms=lambda x, y: terms(*given(to_fraction(y)), x), rational=lambda x, y: rational(*given(y), x),
        fast=fast, weights=weights, at=at, **fields,
    )  # fmt: skip
    return made


def _of_labels(name: str, weights: Weights) -> Problem:
    """Return the focal loss of a logit and a label."""
    forms = partial(terms_of_loss, weights), partial(_never, weights), partial(fast_loss, weights)
    return problem_of_labels(
        name, weights, rf"w\,\alpha_t\,m^\gamma c,\ {LABELS_TEXT}", forms,
        input="logit", domain=REAL, centre=0.0, nonnegative=True, gradient=_named(name, "grad"), hessian=_named(name, "hess"),
        exact_parts=partial(exact_parts, weights, True), log_slope=float(Fraction(weights.gamma or 0) + 1), lost_bits=LOST_BITS,
    )  # fmt: skip


def _of_labels_grad(name: str, weights: Weights) -> Problem:
    forms = partial(terms_of_slope, weights), partial(rational_slope, weights), partial(fast_slope, weights)
    steep = 2 * float(weights.gamma or 0) + 1  # where the label is hard
    return problem_of_labels(
        name, weights, rf"\frac{{d}}{{dx}}\,w\,\alpha_t\,m^\gamma c,\ {LABELS_TEXT}", forms,
        of_label=lambda label: {"log_slope": steep if label in (0, 1) else None},
        input="logit", domain=REAL, centre=0.0, nonnegative=False, exact_parts=partial(exact_parts, weights, False),
        lost_bits=LOST_BITS + 1,
    )  # fmt: skip


def _named(name: str, derivative: str) -> str:
    """Return the name of a loss's derivative, `grad` or `hess`, with the loss's weights."""
    base, mark, text = name.partition("@")
    return f"{base}_{derivative}{mark}{text}"


def _true_class(plain: Problem, name: str, weights: Weights) -> Problem:
    """Return the focal loss of the true class's logit, or its derivative: the label form at y = 1."""
    loss = bool(plain.gradient)
    terms, fast = (terms_of_loss, fast_loss) if loss else (terms_of_slope, fast_slope)
    gamma, factor, one = Fraction(weights.gamma or 0), Fraction(weights.weight or 1), Fraction(1)
    rational = _never if loss else rational_slope
    return replace(
        plain,
        name=name,
        formula=rf"w \cdot {plain.formula},\ \text{{with }}\mathrm{{{weights.text}}}".replace(
            "^{2}", f"^{{{decimal_text(gamma)}}}"
        ).replace(r"(2\,", rf"({decimal_text(gamma)}\,"),
        gradient=_named(name, "grad") if loss else "",
        hessian=_named(name, "hess") if loss else "",
        terms=lambda x: terms(weights, one, factor, x),
        rational=lambda x: rational(weights, one, factor, x),
        fast=lambda x: fast(weights, x, np.ones((1, 1)).astype(x.dtype)),
        exact_parts=lambda x: exact_parts(weights, loss, x, np.ones((1, 1)).astype(x.dtype)),
        monotone_beyond=0.0 if loss else math.inf,
        between=None,
        log_slope=None if loss else float(2 * gamma + 1),
        lost_bits=LOST_BITS + (not loss),
        weights=weights,
    )


def _family(plain: Problem) -> WeightedFamily:
    return WeightedFamily(
        plain.name, ("gamma", "weight"), lambda name, weights: _true_class(plain, name, weights),
        plain.gradient, DEFAULTS, plain.hessian,
    )  # fmt: skip


DEFAULTS = (("gamma", Fraction(2)),)
OF_LABELS = ("alpha", "gamma", "smoothing", "weight")
WEIGHTED_FOCAL = (
    *(_family(p) for p in FOCAL[:2]),
    WeightedFamily(
        "focal_bce_logits", OF_LABELS, _of_labels, "focal_bce_logits_grad", DEFAULTS, "focal_bce_logits_hess"
    ),
    WeightedFamily("focal_bce_logits_grad", OF_LABELS, _of_labels_grad, "", DEFAULTS),
)
