"""Ground truth by mpmath: enclosures, certified digits, and correctly rounded values.

A problem is an exact number plus terms that are computed at P bits.  Every mpmath function used
is good to 1 unit in the last of its P bits and a term takes at most 8 such operations, so the terms
lie within 2^(4-P) * sum |terms| of their exact sum.  P doubles until the question asked is decided
(Ziv's loop).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.formats import Format, to_fraction
from harness.problems import Problem

START_BITS = 128
# Beyond this a question stays open only at exact ties of rational values: the values have
# denominators of at most 2^2200, so a distance below 2^-8000 is none.
LIMIT_BITS = 8192

Point = tuple[mpmath.mpf, ...]
Decided = TypeVar("Decided")


@dataclass(frozen=True)
class Enclosure:
    """Hold a value, a proved bound on its absolute error, and what it is the sum of."""

    value: mpmath.mpf
    radius: mpmath.mpf
    exact: mpmath.mpf
    rest: mpmath.mpf
    rest_radius: mpmath.mpf

    @property
    def lower(self) -> mpmath.mpf:
        """Return a number that is not above the truth."""
        return self.value - self.radius if mpmath.isfinite(self.value) else self.value

    @property
    def upper(self) -> mpmath.mpf:
        """Return a number that is not below the truth."""
        return self.value + self.radius if mpmath.isfinite(self.value) else self.value


def enclose(problem: Problem, point: Point, bits: int) -> Enclosure:
    """Return the exact value at exact inputs, within 2^(4-bits) of the sum of its terms' sizes."""
    with mp.workprec(bits):
        exact, terms = problem.terms(*point)
        rest = mp.fsum(terms)
        value = exact + rest
        rest_radius = mp.ldexp(sum((abs(t) for t in terms), mp.mpf(0)), 4 - bits)
        return Enclosure(value, rest_radius + mp.ldexp(abs(value), 1 - bits), exact, rest, rest_radius)


def ziv(problem: Problem, point: Point, decide: Callable[[Enclosure], Decided | None], start: int) -> Decided | None:
    """Double the precision until `decide` answers; None where LIMIT_BITS do not suffice."""
    bits = start
    while bits <= max(start, LIMIT_BITS):
        enclosure = enclose(problem, point, bits)
        with mp.workprec(bits + 8):
            answer = decide(enclosure)
        if answer is not None:
            return answer
        bits *= 2
    return None


def side(problem: Problem, point: Point, boundary: mpmath.mpf) -> int:
    """Return the sign of the exact value minus an exact number; 0 where they are equal."""

    def decide(e: Enclosure) -> int | None:
        distance = mp.fsub(e.exact, boundary, exact=True) + e.rest
        return int(mpmath.sign(distance)) if abs(distance) > e.rest_radius else None

    return ziv(problem, point, decide, START_BITS) or 0


def round_to(problem: Problem, fmt: Format, point: Point) -> np.generic:
    """Return the exact value rounded once to nearest even in the format."""

    def decide(e: Enclosure) -> tuple[np.generic, np.generic] | None:
        """Return the two numbers that the value may round to, once they are equal or neighbours."""
        a, b = fmt.round(e.lower), fmt.round(e.upper)
        same = a == b or (np.isnan(a) and np.isnan(b))
        neighbours = fmt.next_up(float(a)) == float(b) or (float(a) == fmt.max and np.isnan(b))
        return (a, b) if same or neighbours else None

    found = ziv(problem, point, decide, START_BITS)
    assert found is not None  # at LIMIT_BITS no enclosure is wider than a neighbour's distance
    a, b = found
    if a == b or np.isnan(a):
        return b  # the ends of an exact 0 are -0 and +0
    middle = fmt.midpoint(a, b)
    return (fmt.round(middle), b, a)[side(problem, point, middle)]


def truth(problem: Problem, point: Point, bits: int = 160) -> mpmath.mpf:
    """Return the exact value with a relative error of at most 2^-bits; 0 only where it is 0.

    It lies in the exact value's binade: 1 - e^-1000 does not become 1, whose ulp is twice as large.
    """

    def decide(e: Enclosure) -> mpmath.mpf | None:
        small = not mpmath.isfinite(e.value) or e.radius <= mp.ldexp(abs(e.value), -bits - 1)
        return e.value if small else None

    value = ziv(problem, point, decide, bits + 32)
    return mp.mpf(0) if value is None else _in_binade(problem, point, value, bits + 1)


def _in_binade(problem: Problem, point: Point, value: mpmath.mpf, bits: int) -> mpmath.mpf:
    """Move a value that is within 2^-bits of a power of two to the exact value's side of it.

    What the exact value lacks of the power is kept where it is no less than 2^-LIMIT_BITS, else that stands for it.
    """
    if not mpmath.isfinite(value) or not value:
        return value
    with mp.workprec(bits + 64):
        sign, below = mpmath.sign(value), mp.ldexp(1, mpmath.mag(value) - 1)
        power = below if abs(value) < 1.5 * below else 2 * below
        if abs(abs(value) - power) > mp.ldexp(power, -bits):
            return value
        inside = side(problem, point, sign * power) * sign < 0
    if inside == (abs(value) < power):
        return value
    if not inside:
        return sign * power
    nearer = enclose(problem, point, LIMIT_BITS).value
    with mp.workprec(LIMIT_BITS + 8):
        return nearer if abs(nearer) < power else sign * power * (1 - mp.ldexp(1, -LIMIT_BITS))


def certified(problem: Problem, point: Point, digits: int) -> str:
    """Return the exact value correctly rounded to `digits` significant decimal digits.

    Both ends of the enclosure must print alike; a digit that could be wrong is never shown.
    """

    def decide(e: Enclosure) -> str | None:
        a, b = decimal(e.lower, digits), decimal(e.upper, digits)
        return a if a == b else None

    text = ziv(problem, point, decide, max(START_BITS, 4 * digits + 32))
    return decimal(enclose(problem, point, LIMIT_BITS).value, digits) if text is None else text


def decimal(value: mpmath.mpf, digits: int) -> str:
    """Write a number with `digits` significant digits, correctly rounded, as 1.234e-5."""
    if not mpmath.isfinite(value):
        return str(float(value))
    if not value:
        return "0.0"
    exponent = _floor_log10(value)
    with mp.workprec(mp.prec + 4 * digits + 64 + max(0, int(abs(exponent)).bit_length() * 2)):
        if abs(exponent) > 5000:  # a fraction of that size would be slow; the enclosure decides
            scaled = mp.nint(abs(value) * mp.mpf(10) ** (digits - 1 - exponent))
            units = int(scaled)
        else:
            units = round(abs(to_fraction(value)) * Fraction(10) ** (digits - 1 - exponent))
    if units >= 10**digits:
        units, exponent = units // 10, exponent + 1
    text = str(units)
    mantissa = text[0] + ("." + text[1:] if digits > 1 else "")
    sign = "-" if value < 0 else ""
    return f"{sign}{mantissa}e{exponent:+d}" if exponent else sign + mantissa


def significant(value: object, digits: int = 9) -> str:
    """Write a number with 9 significant digits, rounded exactly; integers plainly, NaN as nothing."""
    v = mp.mpf(value)
    if mpmath.isnan(v):
        return ""
    if not mpmath.isfinite(v) or not v:
        return str(float(v)).removesuffix(".0")
    text = decimal(v, digits)
    exponent = int(text.partition("e")[2] or 0)
    if not -5 <= exponent < digits:
        mantissa = text.partition("e")[0].rstrip("0").removesuffix(".")
        return f"{mantissa}e{exponent:+d}"
    plain = f"{Decimal(text):f}"
    return plain.rstrip("0").removesuffix(".") if "." in plain else plain


def _floor_log10(value: mpmath.mpf) -> int:
    with mp.workprec(max(mp.prec, 64) + int(abs(mpmath.mag(value))).bit_length() + 32):
        guess = int(mp.floor(mp.log10(abs(value))))
        power = mp.mpf(10) ** (guess + 1)
        return guess + 1 if abs(value) >= power else guess


def error_in_ulp(fmt: Format, computed: object, exact: mpmath.mpf) -> mpmath.mpf:
    """Return |computed - exact| / ulp(exact) of a finite computed value."""
    with mp.workprec(400):
        c = mp.make_mpf(mpmath.libmp.from_float(float(computed)))  # type: ignore[arg-type]
        ulp = fmt.ulp(exact)
        # The subtraction must not round away the exact value's tail.
        difference = abs(mp.fsub(c, exact, exact=abs(mpmath.mag(exact)) < 40000)) if exact else abs(c)
        return difference * ulp.denominator / ulp.numerator
