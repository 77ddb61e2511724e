"""The wide formats in which whole arrays of exact values are held: float64 and 113-bit quad.

float64 serves working formats of up to 32 bits, quad (numpy-quaddtype, 15 exponent bits)
serves float64.  Each is wider than its working formats in precision and in range.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mp
from numpy_quaddtype import QuadPrecDType, QuadPrecision

from harness.formats import Format

Array = np.ndarray

FLOAT64 = np.dtype(np.float64)
QUAD = QuadPrecDType()
BIAS = 16383  # of quad's exponent field


def wide_dtype(fmt: Format) -> np.dtype:
    """Return the wide format that holds a working format's exact values."""
    return QUAD if fmt.bits > 32 else FLOAT64


@cache
def power_two(exponent: int, wide: np.dtype) -> Any:
    """Return 2^exponent in a wide format."""
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
    if not isinstance(value, QuadPrecision):
        return mp.make_mpf(mpmath.libmp.from_float(float(value)))  # type: ignore[arg-type]
    sign, exponent, significand = quad_fields(np.asarray(value))
    return mp.make_mpf(mpmath.libmp.from_man_exp(-significand if sign else significand, exponent))


def quad_fields(value: np.ndarray) -> tuple[int, int, int]:
    """Split a finite 113-bit number into sign, exponent of the last bit, and integer significand."""
    low, high = (int(v) for v in np.atleast_1d(value).view(np.uint64))
    exponent = high >> 48 & 0x7FFF
    fraction = (high & (1 << 48) - 1) << 64 | low
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


def power_of_two_below(values: Array) -> Array:
    """Return 2^floor(log2 |v|) for normal finite v; its exponent field and nothing else."""
    if values.dtype == FLOAT64:
        return (values.view(np.uint64) & np.uint64(0x7FF << 52)).view(np.float64)
    return _power(_field(values))


def ulp_of(sizes: Array, fmt: Format) -> Array:
    """Return the working format's ulp at sizes >= 0, finite and in the wide format: 2^(max(e, emin) + 1 - p)."""
    if sizes.dtype == FLOAT64:
        return np.maximum(power_of_two_below(sizes), power_two(fmt.emin, FLOAT64)) * power_two(
            1 - fmt.precision, FLOAT64
        )
    return _power(np.maximum(_field(sizes), BIAS + fmt.emin) + (1 - fmt.precision))


def near_power(sizes: Array, bits: int) -> Array:
    """Tell which sizes >= 0 may be within a factor 1 +- 2^-bits of a power of two; 0 is among them.

    Half that distance below a power of two is twice as many numbers as above it.
    """
    if sizes.dtype == FLOAT64:
        reach = 1 << (53 - bits)
        return ((sizes.view(np.int64) + reach) & ((1 << 52) - 1)) < 2 * reach
    words, most = _words(sizes), (1 << 48) - 1
    low, high = words[..., 0], words[..., 1] & np.uint64(most)
    reach = 1 << (113 - bits)
    return ((high == 0) & (low < reach)) | ((high == most) & (low >= 2**64 - reach))


def over_power(values: Array, powers: Array) -> Array:
    """Return values / powers of two, exactly: where the quotient is normal, as all of ours are, exponents subtract."""
    if values.dtype == FLOAT64:
        return values / powers
    words, field = _words(values).copy(), _field(values)
    by = np.where((field == 0) | (field == 0x7FFF), 0, _field(powers) - BIAS)  # 0, infinity and NaN stay
    words[..., 1] -= (by << 48).view(np.uint64)
    return words.reshape(*values.shape[:-1], -1).view(values.dtype)


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
    return words.reshape(*field.shape[:-1], -1).view(QUAD)
