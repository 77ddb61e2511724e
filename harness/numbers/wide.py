"""The wide formats in which whole arrays of exact values are held: float64 and 113-bit quad.

float64 serves working formats of up to 32 bits, quad (numpy-quaddtype, 15 exponent bits)
serves float64.  Each is wider than its working formats in precision and in range.

numpy-quaddtype is loaded when quad is first asked for, and never in the processes of real libraries: it takes part in
NumPy's promotion, so that clipping a bfloat16 array between Python numbers gives float64 where it gave float32.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.formats import Format

Array = np.ndarray

FLOAT64 = np.dtype(np.float64)
BIAS = 16383  # of quad's exponent field
_SIGN = 1 << 63
_FRACTION = (1 << 48) - 1  # of quad's high word: the fraction's upper bits


@cache
def quad() -> np.dtype:
    """Return NumPy's 113-bit format, loading numpy-quaddtype when it is first asked for."""
    from numpy_quaddtype import QuadPrecDType

    return QuadPrecDType()


def wide_dtype(fmt: Format) -> np.dtype:
    """Return the wide format that holds a working format's exact values."""
    return quad() if fmt.bits > 32 else FLOAT64


def widened(values: Array, wide: np.dtype) -> Array:
    """Return numbers of a working format in its wide format, exactly."""
    if wide == FLOAT64:
        return values.astype(FLOAT64)
    bits = np.ascontiguousarray(values, np.float64).view(np.uint64)
    field = bits >> np.uint64(52) & np.uint64(0x7FF)
    if field.min(initial=1) < 1 or field.max(initial=1) > 2046:  # 0, subnormal, infinite or NaN
        return values.astype(wide)
    words = np.empty((*values.shape, 2), np.uint64)
    words[..., 0] = bits << np.uint64(60)
    words[..., 1] = (bits & np.uint64(_SIGN - 1)) >> np.uint64(4)
    words[..., 1] += np.uint64((BIAS - 1023) << 48)
    words[..., 1] |= bits & np.uint64(_SIGN)
    return words.view(quad()).squeeze(-1)


@cache
def power_two(exponent: int, wide: np.dtype) -> Any:
    """Return 2^exponent in a wide format, exactly, as a product of 16 float64 powers.

    A single float64 has not the range of quad.
    """
    parts = [exponent // 16] * 15
    product = np.asarray(1.0).astype(wide)[()]
    for part in [*parts, exponent - sum(parts)]:
        product = product * np.asarray(2.0**part).astype(wide)[()]
    return product


@cache
def tiny(wide: np.dtype) -> Any:
    """Return the stand-in for nonzero values too small to matter: below 2^-700 least subnormals."""
    return power_two(-1000 if wide == FLOAT64 else -1800, wide)


@cache
def huge(wide: np.dtype) -> Any:
    """Return the stand-in for finite values that overflow every working format."""
    return power_two(1000 if wide == FLOAT64 else 16000, wide)


def exact_mpf(value: object) -> mpmath.mpf:
    """Convert a NumPy or 113-bit scalar to mpmath exactly, whatever the working precision."""
    if type(value).__name__ != "QuadPrecision":  # of numpy-quaddtype, which need not be loaded
        return mp.make_mpf(mpmath.libmp.from_float(float(value)))  # type: ignore[arg-type]
    sign, exponent, significand = quad_fields(np.asarray(value))
    return mp.make_mpf(mpmath.libmp.from_man_exp(-significand if sign else significand, exponent))


def quad_fields(value: np.ndarray) -> tuple[int, int, int]:
    """Split a finite 113-bit number into sign, exponent of the last bit, and integer significand."""
    low, high = (int(v) for v in np.atleast_1d(value).view(np.uint64))
    exponent = high >> 48 & 0x7FFF
    fraction = (high & _FRACTION) << 64 | low
    if exponent:
        fraction |= 1 << 112
    return high >> 63, max(exponent, 1) - 16383 - 112, fraction


def from_mpf(value: mpmath.mpf, dtype: np.dtype) -> object:
    """Convert an mpf to the wide format to within 2^-112 (2^-53 in float64)."""
    first = np.asarray(float(value)).astype(dtype)[()]
    if dtype == np.float64:
        return first
    with mp.workprec(400):
        rest = value - mp.mpf(float(value))
        second = mp.mpf(float(rest))
        third = rest - second
    return first + np.asarray(float(second)).astype(dtype)[()] + np.asarray(float(third)).astype(dtype)[()]


def exp(x: Array) -> Array:
    """Return e^x; near 0, where that is 1 to half an ulp, without asking the library: see log1p."""
    return np.exp(x, out=np.ones_like(x), where=~_near_zero(x))


def log1p(x: Array) -> Array:
    """Return log(1+x); near 0, where that is x to half an ulp, without asking the library.

    Intermediate results of SLEEF's quad functions underflow there, which makes them up to five times as slow.
    """
    return np.log1p(x, out=x.copy(), where=~_near_zero(x))


def expm1(x: Array) -> Array:
    """Return e^x - 1; near 0, where that is x to half an ulp, without asking the library: see log1p."""
    return np.expm1(x, out=x.copy(), where=~_near_zero(x))


def _near_zero(x: Array) -> Array:
    """Tell where |x| <= 2^-(P+1), P being the wide format's precision."""
    return abs(x) <= power_two(-54 if x.dtype == FLOAT64 else -114, x.dtype)


def product(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a b as the rounded product and what the rounding left out, exactly (Dekker 1971, doi:10.1007/BF01397083).

    Both are exact where neither overflows nor underflows; where the product is beyond 2^900 (2^16000 in quad) the
    second is 0.
    """
    whole = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    rest = ((a_high * b_high - whole) + a_high * b_low + a_low * b_high) + a_low * b_low
    return whole, np.where(np.isfinite(rest), rest, 0 * whole)


def _halves(a: Array) -> tuple[Array, Array]:
    """Return two numbers of half the precision that add up to a (Veltkamp's splitting)."""
    scaled = a * (power_two(27 if a.dtype == FLOAT64 else 57, a.dtype) + 1)
    high = scaled - (scaled - a)
    return high, a - high


def total(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a + b as the rounded sum and what the rounding left out, exactly (Knuth's two-sum)."""
    whole = a + b
    part = whole - a
    return whole, (a - (whole - part)) + (b - part)


def power_of_two_below(values: Array) -> Array:
    """Return 2^floor(log2 |v|) for normal finite v; its exponent field and nothing else."""
    if values.dtype == FLOAT64:
        return (values.view(np.uint64) & np.uint64(0x7FF << 52)).view(np.float64)
    return _power(_field(values))


def ulp_of(values: Array, fmt: Format) -> Array:
    """Return the working format's ulp at values of the wide format: 2^(max(e, emin) + 1 - p), finite for infinities."""
    if values.dtype == FLOAT64:
        power = np.clip(power_of_two_below(values), power_two(fmt.emin, FLOAT64), power_two(1023, FLOAT64))
        return power * power_two(1 - fmt.precision, FLOAT64)
    return _power(np.clip(_field(values), BIAS + fmt.emin, BIAS + 16000) + (1 - fmt.precision))


def near_power(values: Array, bits: int) -> Array:
    """Tell which values may be within a factor 1 +- 2^-bits of a power of two in size; 0 and infinities are among them.

    Half that distance below a power of two is twice as many numbers as above it.
    """
    if values.dtype == FLOAT64:
        reach = 1 << (53 - bits)
        return ((values.view(np.int64) + reach) & ((1 << 52) - 1)) < 2 * reach
    words = _words(values)
    low, high = words[..., 0], words[..., 1] & np.uint64(_FRACTION)
    reach = 1 << (113 - bits)
    return ((high == 0) & (low < reach)) | ((high == _FRACTION) & (low >= 2**64 - reach))


def exponents(powers: Array) -> Array:
    """Return log2 of powers of two in quad."""
    return _field(powers) - BIAS


def high_and_low(values: Array, ulps: Array) -> tuple[Array, Array]:
    """Return quad values rounded to float64, and what that leaves out, exactly divided by powers of two `ulps`.

    Beyond float64's range `high` is infinite where the value is, else its largest number.
    """
    field = _field(values)
    if field.min() < BIAS - 1022 or field.max() > BIAS + 1022:
        return _high_and_low_at_the_ends(values, ulps)
    words = _words(values)
    sign, fraction = words[..., 1] & np.uint64(_SIGN), words[..., 1] & np.uint64(_FRACTION)
    bits = (
        sign
        | ((field - (BIAS - 1023)) << 52).view(np.uint64)
        | fraction << np.uint64(4)
        | words[..., 0] >> np.uint64(60)
    )
    rest = (words[..., 0] & np.uint64((1 << 60) - 1)).view(np.int64)  # the last 60 of 113 bits
    up = rest + (bits & np.uint64(1)).view(np.int64) > 1 << 59  # to nearest, ties to even
    high = (bits + up).view(np.float64)  # a carry out of the fraction goes into the exponent, as it should
    rest -= up.astype(np.int64) << 60
    np.negative(rest, out=rest, where=sign != 0)
    return high, np.ldexp(rest.astype(np.float64), field - 112 - _field(ulps))


def _high_and_low_at_the_ends(values: Array, ulps: Array) -> tuple[Array, Array]:
    """Do the same by arithmetic, where values are 0, subnormal in float64, or beyond it."""
    limit = np.finfo(np.float64).max
    rounded = values.astype(np.float64)
    high = np.clip(rounded, -limit, limit)
    low = _over_power(values - high.astype(values.dtype), ulps).astype(np.float64)
    return np.where(np.isinf(values), rounded, high), low


def _over_power(values: Array, powers: Array) -> Array:
    """Return values / powers of two, exactly: where the quotient is normal, as all of ours are, exponents subtract."""
    words, field = _words(values).copy(), _field(values)
    by = np.where((field == 0) | (field == 0x7FFF), 0, exponents(powers))  # 0, infinity and NaN stay
    words[..., 1] -= (by << 48).view(np.uint64)
    return words.view(values.dtype).squeeze(-1)


def _words(values: Array) -> Array:
    """View a quad array as pairs of 64-bit words, the low one first."""
    return np.ascontiguousarray(values).view(np.uint64).reshape(*values.shape, 2)


def _field(values: Array) -> Array:
    """Return the exponent fields of a quad array."""
    return (_words(values)[..., 1] >> np.uint64(48)).view(np.int64) & 0x7FFF


def _power(field: Array) -> Array:
    """Return the quad array of these exponent fields: powers of two, or 0 where the field is 0."""
    words = np.zeros((*field.shape, 2), np.uint64)
    words[..., 1] = field.view(np.uint64) << np.uint64(48)
    return words.view(quad()).squeeze(-1)
