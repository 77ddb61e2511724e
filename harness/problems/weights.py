"""Weights: the numbers that turn a loss into a family of losses, such as pos_weight, alpha and gamma.

A loss that weighs its classes, smooths its labels or focuses on what is hard is another exact function: to
measure it against the plain one would call the weight an error.  So weights make a problem of their own, whose name
carries them: `bce_logits@pos=3`, `focal_bce_logits@gamma=1.5+alpha=0.25`.  The name holds no bracket, quote, comma or
space, so that a shell, a YAML list, a CSV field and a file's name all take it as it is.

With y' = y (1 - smoothing) + smoothing / 2 and alpha_t = alpha y' + (1 - alpha) (1 - y'), or 1 where there is no
alpha, the weighted cross-entropy is weight alpha_t (pos y' l_1 + (1 - y') l_0), l_1 and l_0 being the losses of the
two classes: a plain sum A l_1 + B l_0, whose A and B are rational numbers, since every weight is taken exactly
as it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

import mpmath
import numpy as np
from mpmath import libmp, mp

from harness import UsageError, choices
from harness.numbers.formats import parse_exact, to_fraction
from harness.numbers.wide import exact_mpf, from_mpf

MARK, AND = "@", "+"
Number = int | float | str | Fraction
# The closed intervals of weights.  Products of a factor and a value above the wide formats' stand-ins for 0 must be
# normal numbers: 2^20 is room enough for two factors of 1000.  More than 100 for gamma costs more bits than are kept.
ALLOWED = {
    "pos": (Fraction(1, 1000), Fraction(1000)),
    "weight": (Fraction(1, 1000), Fraction(1000)),
    "alpha": (Fraction(1, 1000), Fraction(999, 1000)),
    "gamma": (Fraction(0), Fraction(100)),
    "smoothing": (Fraction(0), Fraction(1)),
}
NEUTRAL = {"pos": Fraction(1), "weight": Fraction(1), "smoothing": Fraction(0)}


@dataclass(frozen=True)
class Weights:
    """Hold the weights of a loss, each a rational number, None where it is not given.

    `pos` multiplies the loss of class 1 (pos_weight), `weight` the whole loss (a sample weight), `alpha` the loss of
    class 1 and 1 - alpha that of class 0, `gamma` is the focal loss's exponent, `smoothing` moves labels towards 1/2.
    Given as int, str (a decimal or hex float), Fraction or float; a float stands for the shortest decimal that is it.
    A weight that changes nothing (pos = 1, weight = 1, smoothing = 0) is none.  Raises UsageError for one outside its
    range, or that no decimal is.
    """

    pos: Number | None = None
    weight: Number | None = None
    alpha: Number | None = None
    gamma: Number | None = None
    smoothing: Number | None = None

    def __post_init__(self) -> None:
        for name in NAMES:
            value = getattr(self, name)
            if value is not None:
                exact = _number(name, value)
                object.__setattr__(self, name, None if exact == NEUTRAL.get(name) else exact)

    def given(self) -> dict[str, Fraction]:
        """Return the weights that are given, by name, in the order in which names have them."""
        return {name: value for name in NAMES if (value := getattr(self, name)) is not None}

    def __bool__(self) -> bool:
        """Tell whether any weight is given."""
        return bool(self.given())

    @property
    def text(self) -> str:
        """Write them as the problem's name has them: pos=3+smoothing=0.1."""
        return AND.join(f"{name}={decimal_text(value)}" for name, value in self.given().items())

    def smoothed(self, y: Fraction) -> Fraction:
        """Return the label y (1 - smoothing) + smoothing / 2."""
        s = Fraction(self.smoothing or 0)
        return y * (1 - s) + s / 2

    def factor(self, y: Fraction) -> Fraction:
        """Return weight alpha_t of a smoothed label."""
        alpha = Fraction(1) if self.alpha is None else Fraction(self.alpha) * y + (1 - Fraction(self.alpha)) * (1 - y)
        return Fraction(self.weight or 1) * alpha

    def of_classes(self, y: Fraction) -> tuple[Fraction, Fraction]:
        """Return A and B, what the losses of class 1 and of class 0 are multiplied by for a label y."""
        label = self.smoothed(y)
        return self.factor(label) * Fraction(self.pos or 1) * label, self.factor(label) * (1 - label)


NAMES = tuple(f.name for f in fields(Weights))


def _number(name: str, value: Number) -> Fraction:
    """Return a weight exactly, or say in a sentence why it is none."""
    try:
        exact = Fraction(value) if isinstance(value, (int, Fraction)) else parse_exact(str(value))
    except UsageError:
        raise UsageError(f"{name}={value} is not a number; write a decimal such as {name}=0.5") from None
    low, high = ALLOWED[name]
    if not low <= exact <= high:
        raise UsageError(f"{name}={value} is outside [{decimal_text(low)}, {decimal_text(high)}]")
    rest = exact.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        raise UsageError(f"{name}={value} is no decimal number; write one, such as {name}={float(exact):.6g}")
    return exact


def decimal_text(value: Number) -> str:
    """Write a decimal fraction with all its digits and without an exponent: 0.25, 3."""
    exact = Fraction(value)
    quotient = Context(prec=2000).divide(Decimal(exact.numerator), Decimal(exact.denominator))
    return f"{quotient.normalize(Context(prec=2000)):f}"


def weights_of(text: str) -> Weights:
    """Read weights as names have them, pos=3+smoothing=0.1; commas are taken for + as well.

    Raises UsageError for an unknown weight, one without a number, or one given twice.
    """
    found: dict[str, str] = {}
    for part in text.replace(",", AND).split(AND):
        name, mark, value = part.strip().partition("=")
        if name not in NAMES or not mark:
            raise UsageError(f"{part.strip()!r} is no weight; write one of {choices(name.strip(), NAMES)}")
        if name in found:
            raise UsageError(f"{name} is given twice, as {found[name]} and as {value}")
        found[name] = value
    return Weights(**found)


# -- rational factors of numbers -------------------------------------------------------------------


def mpf_of(value: Fraction) -> mpmath.mpf:
    """Return a rational number rounded to mpmath's working precision."""
    return mp.make_mpf(libmp.from_rational(value.numerator, value.denominator, mp.prec, "n"))


def scaled(weight: Fraction, x: mpmath.mpf) -> tuple[mpmath.mpf, bool]:
    """Return weight times x, and whether that is exact: it is where the product is a binary number."""
    if not weight or not mpmath.isfinite(x):
        return (x * int(weight.numerator) if weight else mp.mpf(0)), True
    product = mp.fmul(x, int(weight.numerator), exact=True)
    twos = (weight.denominator & -weight.denominator).bit_length() - 1
    odd = weight.denominator >> twos
    sign, mantissa, exponent, _ = product._mpf_
    if mantissa % odd:
        return product / int(weight.denominator), False
    whole = -int(mantissa // odd) if sign else int(mantissa // odd)
    return mp.make_mpf(libmp.from_man_exp(whole, exponent - twos)), True


def in_wide(y: np.ndarray, function: Callable[[Fraction], Fraction]) -> tuple[np.ndarray, np.ndarray]:
    """Return a rational function of numbers of a wide format as two arrays of it that add up to twice its precision."""
    high, low = np.empty_like(y), np.empty_like(y)
    for index, value in np.ndenumerate(y):
        high[index], low[index] = pair(function(to_fraction(exact_mpf(value))), y.dtype)
    return high, low


@lru_cache(maxsize=4096)
def pair(value: Fraction, dtype: np.dtype) -> tuple[object, object]:
    """Return a rational number as two of a wide format that add up to it, to twice the format's precision."""
    with mp.workprec(400):
        exact = mpf_of(value)
        high = from_mpf(exact, dtype)
        return high, from_mpf(exact - exact_mpf(high), dtype)
