"""Exact arithmetic on expansions: numbers held as an unevaluated sum head + tail.

A kernel's own formula, evaluated exactly, meets 1 + e^-1e30 and then 1 - 1/(1 + e^-1e30).  No
affordable precision holds such a number in one piece; as an expansion it is (1, e^-1e30), whatever
the exponents.  Heads and tails are mpmath numbers of 256 bits (see `working_bits`) without exponent
limits, the head being the sum rounded.  Results are good to about 2^-256 relative to the head; where
heads cancel, to what the tails hold, so a doubtful result is computed again with more bits.

Source: D. M. Priest (1991), doi:10.1109/ARITH.1991.145549 (expansions); T. J. Dekker (1971),
doi:10.1007/BF01397083 (the sum of two numbers and its error).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mpmath
from mpmath import libmp
from mpmath.libmp import finf, fnan, fninf, fone, fzero, mpf_abs, mpf_mul, mpf_neg

Raw = Any  # mpmath's number without its class: (sign, mantissa, exponent, bits of the mantissa)
Expansion = tuple[Raw, Raw]

_bits = 256  # products of four float64 numbers are still exact
# exp of more than 2^LIMIT would not fit in memory; it counts as infinite, exp of less than -2^LIMIT as 0.
LIMIT = 20_000


@contextmanager
def working_bits(bits: int) -> Iterator[None]:
    """Compute with so many bits in each part."""
    global _bits
    before, _bits = _bits, bits
    try:
        yield
    finally:
        _bits = before


def _add(a: Raw, b: Raw) -> Raw:
    return libmp.mpf_add(a, b, _bits, "n")


def _subtract(a: Raw, b: Raw) -> Raw:
    return libmp.mpf_sub(a, b, _bits, "n")


def _multiply(a: Raw, b: Raw) -> Raw:
    return mpf_mul(a, b, _bits, "n")


def _divide(a: Raw, b: Raw) -> Raw:
    return libmp.mpf_div(a, b, _bits, "n")


def _exponent(a: Raw) -> int:
    return a[2] + a[3]


def two_sum(a: Raw, b: Raw) -> Expansion:
    """Return a + b as an expansion, without error."""
    if not a[1] or not b[1]:  # zero, infinite, NaN
        return (b if a == fzero else a if b == fzero else _add(a, b)), fzero
    if _exponent(a) < _exponent(b):
        a, b = b, a
    head = _add(a, b)
    return head, _subtract(b, _subtract(head, a))


def of(value: float) -> Expansion:
    """Return a floating-point number, infinity or NaN as an expansion."""
    return libmp.from_float(float(value)), fzero


def value(a: Expansion) -> mpmath.mpf:
    """Return an expansion as an mpmath number, its tail left out."""
    return mpmath.mp.make_mpf(a[0])


def is_nan(a: Expansion) -> bool:
    """Tell whether a value is undefined, such as log(-1): NaN."""
    return a[0] == fnan


def is_finite(a: Expansion) -> bool:
    """Tell whether a value is a number: neither NaN nor infinite."""
    return a[0] not in (fnan, finf, fninf)


ZERO, ONE, TWO = of(0.0), of(1.0), of(2.0)


def negative(a: Expansion) -> Expansion:
    """Return -a exactly, head and tail negated."""
    return mpf_neg(a[0]), mpf_neg(a[1])


def absolute(a: Expansion) -> Expansion:
    """Return |a| exactly; the sign is that of the head."""
    return negative(a) if a[0][0] or a[0] == fninf else a


def add(a: Expansion, b: Expansion) -> Expansion:
    """Return a + b, tails included, normalised into head and tail."""
    head, rest = two_sum(a[0], b[0])
    if a[1] == fzero and b[1] == fzero:
        return head, rest
    return two_sum(head, _add(rest, _add(a[1], b[1])))


def subtract(a: Expansion, b: Expansion) -> Expansion:
    """Return a - b, that is a + (-b): where the heads cancel, the tails decide."""
    return add(a, negative(b))


def multiply(a: Expansion, b: Expansion) -> Expansion:
    """Return a b; 0 * inf = NaN."""
    if not a[0][1] or not b[0][1]:
        return mpf_mul(a[0], b[0]), fzero
    product = mpf_mul(a[0], b[0])
    head = libmp.mpf_pos(product, _bits, "n")
    rest = libmp.mpf_sub(product, head)
    if a[1] != fzero or b[1] != fzero:
        rest = _add(rest, _add(_multiply(a[0], b[1]), _multiply(a[1], b[0])))
    return two_sum(head, rest)


def divide(a: Expansion, b: Expansion) -> Expansion:
    """Return a / b; a / 0 is infinite with the sign of a, as exact zeros have no sign, and 0 / 0 = NaN."""
    if b[0] == fzero:
        sign = compare(a, ZERO) if not is_nan(a) else 0
        return (fnan if not sign else finf if sign > 0 else fninf), fzero
    if not a[0][1] or not b[0][1]:
        return _divide(a[0], b[0]), fzero
    quotient = _divide(a[0], b[0])
    rest = _subtract(a[0], mpf_mul(quotient, b[0]))
    if a[1] != fzero or b[1] != fzero:
        rest = _add(rest, _subtract(a[1], _multiply(quotient, b[1])))
    return two_sum(quotient, _divide(rest, b[0]))


def compare(a: Expansion, b: Expansion) -> int:
    """Return the sign of a - b, neither being NaN.  Heads are rounded sums, so they come first."""
    return libmp.mpf_cmp(a[0], b[0]) or libmp.mpf_cmp(a[1], b[1])


def maximum(a: Expansion, b: Expansion) -> Expansion:
    """Return the larger of two expansions, NaN if either is."""
    if is_nan(a) or is_nan(b):
        return fnan, fzero
    return a if compare(a, b) >= 0 else b


def minimum(a: Expansion, b: Expansion) -> Expansion:
    """Return the smaller of two expansions, NaN if either is."""
    return negative(maximum(negative(a), negative(b)))


def _raw_expm1(a: Raw) -> Raw:
    """Return e^a - 1 for |a| < 1."""
    if _exponent(a) < -_bits:
        return _add(a, _multiply(a, libmp.mpf_shift(a, -1)))
    return _subtract(libmp.mpf_exp(a, _bits + 16 - _exponent(a), "n"), fone)


def exp(a: Expansion) -> Expansion:
    """Return e^a; for |a| < 1 as 1 + (e^a - 1), which keeps a tiny a in the tail."""
    head, tail = a
    if not head[1]:
        return libmp.mpf_exp(head, _bits, "n"), fzero
    if _exponent(head) > LIMIT:
        return (fzero if head[0] else finf), fzero
    if _exponent(head) <= 0:
        rest = _raw_expm1(head)
        return two_sum(fone, _add(rest, _multiply(tail, _add(fone, rest))))
    result = libmp.mpf_exp(head, _bits, "n")
    return two_sum(result, _multiply(result, tail))


def log(a: Expansion) -> Expansion:
    """Return log a; log 0 = -inf, and NaN below 0."""
    head, tail = a
    if head[0] or not head[1]:
        return (fninf if head == fzero else finf if head == finf else fnan), fzero
    ratio = _divide(tail, head)  # at most 2^-bits: two terms of log(1 + ratio) are enough
    rest = _subtract(ratio, _multiply(ratio, libmp.mpf_shift(ratio, -1)))
    return two_sum(libmp.mpf_log(head, _bits, "n"), rest)


def sqrt(a: Expansion) -> Expansion:
    """Return the square root of a >= 0, NaN below 0: the head's root, and the rest over twice that."""
    head, tail = a
    if head[0] or not head[1]:
        return (head if head in (fzero, finf) else fnan), fzero
    root = libmp.mpf_sqrt(head, _bits, "n")
    rest = _add(_subtract(head, mpf_mul(root, root)), tail)
    return two_sum(root, _divide(libmp.mpf_shift(rest, -1), root))


def gap(a: Expansion, b: Expansion) -> Raw:
    """Return |a - b|: infinite where just one is finite, 0 for equal infinities and two NaNs."""
    if is_finite(a) and is_finite(b):
        return mpf_abs(subtract(a, b)[0])
    return fzero if a[0] == b[0] else finf
