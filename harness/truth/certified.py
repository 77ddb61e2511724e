"""Ground truth by mpmath: enclosures, and what can be decided from them.

A problem is an exact number E plus terms t that are computed at P bits, each with a relative error of at most
2^(3-P), what 4 operations of one unit in the last of P bits (2^(1-P)) make where no operation's condition exceeds 1.
Those with larger conditions or more operations are computed with 16 bits more, which leaves them 2^18 units.
Their sum is rounded once more, so

    |computed sum - sum t|  <=  2^(4-P) * sum |t|            rest_radius
    |value - (E + sum t)|   <=  2^(4-P) * sum |t| + 2^(1-P) * |value|   radius

Weights are in the terms: a target times a log is one term.  Terms of both signs are allowed, and only cost what the
bound says, since it is relative to the sum of their sizes.  A question (a side, a rounding, a digit) is decided where
both ends of the enclosure give one answer; until then P doubles (Ziv's loop).  It ends: a value that is no rational
number is no tie, and one that is, is compared as a rational number.  Where LIMIT_BITS do not suffice, Undecided is
raised and nothing is returned.

# ASSUME: mpmath's exp, expm1, log, log1p and tanh err by at most one unit in the last place, as its documentation aims
at and does not prove.  truth/arb.py checks it, by proof, at every value that is cited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

import mpmath
import numpy as np
from gmpy2 import mpz
from mpmath import mp

from harness import UsageError
from harness.numbers.formats import Format, to_fraction
from harness.problems import Problem

START_BITS = 128  # what a question starts with, and ample beside the bits that a number or a logarithm has already
# Questions that stay open beyond this are refused.  Ties of rational values, the only ones that no precision decides,
# are not among them: they are decided in rational numbers.
LIMIT_BITS = 8192

Point = tuple[mpmath.mpf, ...]
Decided = TypeVar("Decided")


class Undecided(UsageError):
    """A question about an exact value that stays open: no answer is made up."""


@dataclass(frozen=True)
class Enclosure:
    """Hold a value, a bound of its absolute error (proved, if mpmath keeps its word), and what it is the sum of."""

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
    """Return the exact value at exact inputs, within 2^(4-bits) of the sum of its terms' sizes.

    Inputs have at most `bits` bits, so that -x, |x| and x/2 are exact; others are held between two that have:
    see truth/digits.py.
    """
    with mp.workprec(bits):
        exact, terms = problem.terms(*point)
        rest = mp.fsum(terms)
        value = exact + rest
        rest_radius = mp.ldexp(sum((abs(t) for t in terms), mp.mpf(0)), 4 - bits)
        return Enclosure(value, rest_radius + mp.ldexp(abs(value), 1 - bits), exact, rest, rest_radius)


def rational(problem: Problem, point: Point) -> Fraction | None:
    """Return the exact value where it is a rational number and the inputs are finite; else None."""
    if not all(mpmath.isfinite(v) and (not v or abs(mpmath.mag(v)) < 40_000) for v in point):
        return None
    return problem.rational(*(to_fraction(v) for v in point))


def ziv(problem: Problem, point: Point, decide: Callable[[Enclosure], Decided | None], start: int) -> Decided:
    """Double the precision until `decide` answers; Undecided where LIMIT_BITS do not suffice."""
    bits = start
    while bits <= max(start, LIMIT_BITS):
        enclosure = enclose(problem, point, bits)
        with mp.workprec(bits + 8):
            answer = decide(enclosure)
        if answer is not None:
            return answer
        bits *= 2
    at = ", ".join(mpmath.nstr(v, 20) for v in point)
    raise Undecided(f"{problem.name} at ({at}) is not decided by {bits // 2} bits")


def side(problem: Problem, point: Point, boundary: mpmath.mpf) -> int:
    """Return the sign of the exact value minus an exact number; 0 where they are equal, which only rationals can be."""
    known = rational(problem, point)
    if known is not None:
        difference = known - to_fraction(boundary)
        return (difference > 0) - (difference < 0)
    for bits in (START_BITS, 4 * START_BITS) if problem.ends else ():
        ends = problem.ends(point, bits) if problem.ends else None  # one proof is quicker than what Ziv's loop asks for
        if ends is not None and ends[0] > boundary:
            return 1
        if ends is not None and ends[1] < boundary:
            return -1

    def decide(e: Enclosure) -> int | None:
        distance = mp.fsub(e.exact, boundary, exact=True) + e.rest
        return int(mpmath.sign(distance)) if abs(distance) > e.rest_radius else None

    return ziv(problem, point, decide, START_BITS)


def round_to(problem: Problem, fmt: Format, point: Point) -> np.generic:
    """Return the exact value rounded once to nearest even in the format."""

    def decide(e: Enclosure) -> tuple[np.generic, np.generic] | None:
        """Return the two numbers that the value may round to, once they are equal or neighbours."""
        a, b = fmt.round(e.lower), fmt.round(e.upper)
        same = a == b or (np.isnan(a) and np.isnan(b))
        # By ordinal, NaN of either sign is next to the largest number of that sign.
        neighbours = fmt.next_up(float(a)) == float(b) or (float(a) == fmt.max and np.isnan(b))
        return (a, b) if same or neighbours else None

    known = rational(problem, point)
    if known is not None:
        return fmt.round(known)
    a, b = ziv(problem, point, decide, START_BITS)
    if a == b or (np.isnan(a) and np.isnan(b)):
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

    if rational(problem, point) == 0:
        return mp.mpf(0)
    return _in_binade(problem, point, ziv(problem, point, decide, bits + 32), bits + 1)


def _in_binade(problem: Problem, point: Point, value: mpmath.mpf, bits: int) -> mpmath.mpf:
    """Move a value that is within 2^-bits of a power of two to the exact value's side of it.

    What the exact value lacks of the power is kept where it is no less than 2^-LIMIT_BITS, else that stands for it.
    """
    if not mpmath.isfinite(value) or not value:
        return value
    with mp.workprec(bits + START_BITS):
        sign, below = mpmath.sign(value), mp.ldexp(1, mpmath.mag(value) - 1)
        power = below if abs(value) < 1.5 * below else 2 * below
        if abs(abs(value) - power) > mp.ldexp(power, -bits):
            return value
        inside = side(problem, point, sign * power) == -sign
    if inside == (abs(value) < power):
        return value
    if not inside:
        return sign * power
    nearer = enclose(problem, point, LIMIT_BITS).value
    with mp.workprec(LIMIT_BITS + 8):
        return nearer if abs(nearer) < power else sign * power * (1 - mp.ldexp(1, -LIMIT_BITS))


def decimal(value: mpmath.mpf | Fraction, digits: int) -> str:
    """Write a number with `digits` significant digits, rounded to nearest even, as 1.234e-5.

    A fraction, and an mpf between 1e-5000 and 1e5000, is rounded exactly.  Any other mpf is first scaled by a power of
    ten, which moves it by less than 2^-(P+32) of itself, P being mpmath's working precision.
    """
    if isinstance(value, mpmath.mpf) and not mpmath.isfinite(value):
        return str(float(value))
    if not value:
        return "0.0"
    exponent = _floor_log10(value) - 1  # at first too small, as next to a power of ten the logarithm may be one off
    while (units := _scaled(value, exponent, digits)) > 10**digits:
        exponent += 1
    if units == 10**digits:
        units, exponent = 10 ** (digits - 1), exponent + 1
    text = mpz(units).digits()  # Python's own text of an integer ends at 4300 digits
    mantissa = text[0] + ("." + text[1:] if digits > 1 else "")
    sign = "-" if value < 0 else ""
    return f"{sign}{mantissa}e{mpz(exponent):+d}" if exponent else sign + mantissa


def _scaled(value: mpmath.mpf | Fraction, exponent: int, digits: int) -> int:
    """Return |value| * 10^(digits - 1 - exponent) rounded to an integer, ties to even."""
    power = digits - 1 - exponent
    if isinstance(value, Fraction) or abs(exponent) <= 5000:
        exact = abs(value if isinstance(value, Fraction) else to_fraction(value))
        n, d = exact.numerator * mpz(10) ** max(power, 0), exact.denominator * mpz(10) ** max(-power, 0)
        whole, rest = divmod(n, d)
        return int(whole + (2 * rest > d or (2 * rest == d and whole % 2)))
    with mp.workprec(mp.prec + 4 * digits + START_BITS + power.bit_length()):
        return int(mp.nint(abs(value) * mp.exp(power * mp.ln10)))


def significant(value: object, digits: int = 9) -> str:
    """Write a number with 9 significant digits, rounded exactly; integers plainly, NaN as nothing.

    An mpf counts with all its bits, however few the working precision has.
    """
    v = value if isinstance(value, mpmath.mpf) else mp.mpf(value)
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


def _floor_log10(value: mpmath.mpf | Fraction) -> int:
    """Return floor(log10 |v|), perhaps one off next to a power of ten."""
    if isinstance(value, Fraction):
        with mp.workprec(START_BITS):
            return int(mp.floor(mp.log10(mp.mpf(abs(value.numerator))) - mp.log10(mp.mpf(value.denominator))))
    with mp.workprec(int(abs(mpmath.mag(value))).bit_length() + START_BITS):
        return int(mp.floor(mp.log10(abs(value))))


def error_in_ulp(fmt: Format, computed: object, exact: mpmath.mpf) -> mpmath.mpf:
    """Return |computed - exact| / ulp(exact) of a finite computed value."""
    with mp.workprec(400):
        c = mp.make_mpf(mpmath.libmp.from_float(float(computed)))  # type: ignore[arg-type]
        ulp = fmt.ulp(exact)
        # mpmath rounds a difference, not what it is of: the exact value's tail counts, however long it is.
        return abs(c - exact) * ulp.denominator / ulp.numerator
