"""Floating-point formats: limits, value order, neighbours, cells, rounding, and hex text.

Everything here is exact.  A format with precision p and exponent range [emin, emax] holds
the numbers k * 2^(e - p + 1) with |k| < 2^p and emin <= e <= emax.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
from gmpy2 import mpz

from harness import UsageError, choices

# Cells share sign, exponent field and the top 3 fraction bits: eight cells per binade.
CELL_FRACTION_BITS = 3


@dataclass(frozen=True)
class Format:
    """Describe one binary floating-point format.

    `precision` is p, the significand's bits with the hidden one; `max_ordinal` is the bit
    pattern of the largest finite number; `has_inf` is False for float8_e4m3fn, which
    overflows to NaN.
    """

    name: str
    dtype: np.dtype
    precision: int
    emin: int
    max_ordinal: int
    has_inf: bool = True

    @property
    def bits(self) -> int:
        """Return the width of a number in bits: 8, 16, 32 or 64."""
        return self.dtype.itemsize * 8

    @cached_property
    def unsigned(self) -> np.dtype:
        """Return the unsigned integer type of the same width."""
        return np.dtype(f"u{self.dtype.itemsize}")

    @property
    def machine_epsilon(self) -> float:
        """Return 2^(1-p), the gap between 1 and the next number."""
        return math.ldexp(1.0, 1 - self.precision)

    @property
    def smallest_subnormal(self) -> float:
        """Return 2^(emin-p+1), the least positive number."""
        return math.ldexp(1.0, self.emin - self.precision + 1)

    @property
    def min_normal(self) -> float:
        """Return 2^emin, the least positive number that has all p bits."""
        return math.ldexp(1.0, self.emin)

    @cached_property
    def max(self) -> float:
        """Return the largest finite number, whose ordinal is `max_ordinal`."""
        return float(self.from_ordinal(np.array(self.max_ordinal)))

    @property
    def cell_shift(self) -> int:
        """Return how many low bits of a pattern vary within one cell."""
        return max(0, self.precision - 1 - CELL_FRACTION_BITS)

    def ordinal(self, values: np.ndarray) -> np.ndarray:
        """Map numbers to int64 in their own order: +0 to 0, -0 to -1, neighbours one apart."""
        pattern = np.asarray(values, dtype=self.dtype).view(self.unsigned)
        sign = 1 << (self.bits - 1)
        magnitude = (pattern & self.unsigned.type(sign - 1)).astype(np.int64)
        return np.where(pattern >= sign, -1 - magnitude, magnitude)

    def from_ordinal(self, ordinals: np.ndarray) -> np.ndarray:
        """Map ordinals back to numbers; the inverse of `ordinal`."""
        n = np.asarray(ordinals, dtype=np.int64)
        sign = self.unsigned.type(1 << (self.bits - 1))
        pattern = np.where(n < 0, -1 - n, n).astype(self.unsigned)
        return np.where(n < 0, pattern | sign, pattern).view(self.dtype)

    def step(self, value: np.ndarray, steps: int) -> np.ndarray:
        """Return the number `steps` places above (below, if negative) in value order."""
        return self.from_ordinal(self.ordinal(value) + steps)

    def next_up(self, value: float) -> float:
        """Return the least number of the format above `value`, as nextafter does."""
        return self._neighbour(value, +1)

    def next_down(self, value: float) -> float:
        """Return the greatest number of the format below `value`."""
        return self._neighbour(value, -1)

    def _neighbour(self, value: float, direction: int) -> float:
        ordinal = self._exact_ordinal(value)
        if value == 0:  # both zeros are one number
            ordinal = 0 if direction > 0 else -1
        limit = self.max_ordinal
        if not -1 - limit <= ordinal + direction <= limit:
            return math.copysign(math.inf, direction)
        return float(self.from_ordinal(np.array(ordinal + direction)))

    def cell(self, ordinals: np.ndarray) -> np.ndarray:
        """Return the cell of each ordinal, an int64 in the same order as the inputs."""
        return np.asarray(ordinals, dtype=np.int64) >> self.cell_shift

    def finite_ordinals(self, lo: float = -math.inf, hi: float = math.inf) -> tuple[int, int]:
        """Return the half-open range of ordinals of the finite numbers in [lo, hi].

        A bound of 0 includes +0 only when it is the lower end.
        """
        start = -1 - self.max_ordinal if lo == -math.inf else self._exact_ordinal(lo)
        stop = self.max_ordinal if hi == math.inf else self._exact_ordinal(hi)
        return start, stop + 1

    def _exact_ordinal(self, value: float) -> int:
        return int(self.ordinal(np.array(value).astype(self.dtype)))

    # -- exact rounding --------------------------------------------------------------------

    def ulp(self, exact: mpmath.mpf | Fraction | float) -> Fraction:
        """Return ulp(v) = 2^(max(floor(log2|v|), emin) - (p-1)), exactly; ulp(0) is the least subnormal."""
        return Fraction(2) ** self._quantum(to_fraction(exact))

    def _quantum(self, v: Fraction) -> int:
        """Return log2 of ulp(v)."""
        exponent = max(floor_log2(v), self.emin) if v else self.emin
        return exponent - self.precision + 1

    def round(self, exact: mpmath.mpf | Fraction | float | str) -> Any:
        """Round an exact number once, to nearest even, into a NumPy scalar of the format.

        Raises UsageError where a text is not a number.
        """
        special = _special(exact)
        if special is not None:
            return np.asarray(special).astype(self.dtype)[()]
        v = parse_exact(exact) if isinstance(exact, str) else to_fraction(exact)
        quantum = self._quantum(v)
        k = round_half_even(abs(v), quantum)
        # k = 2^p is the next binade's first number; the bit pattern carries over by itself.
        magnitude = k + (quantum - self.emin + self.precision - 1) * 2 ** (self.precision - 1)
        negative = v < 0 or (isinstance(exact, str) and exact.strip().startswith("-"))
        if magnitude > self.max_ordinal:
            overflow = math.inf if self.has_inf else math.nan
            return np.asarray(-overflow if negative else overflow).astype(self.dtype)[()]
        return self.from_ordinal(np.array(-1 - magnitude if negative else magnitude))[()]

    def midpoint(self, a: np.generic, b: np.generic) -> mpmath.mpf:
        """Return the number halfway between two neighbours, exactly; overflow, also to NaN, counts as max + ulp(max)."""
        low, *high = sorted(size for v in (a, b) if math.isfinite(size := abs(float(v))))
        sign = -1 if float(a) < 0 or float(b) < 0 else 1
        with mpmath.workprec(128):
            beyond = mpmath.mpf(self.max) + mpmath.mpf(self.ulp(self.max).numerator)
            return sign * (mpmath.mpf(low) + (mpmath.mpf(high[0]) if high else beyond)) / 2

    def parse(self, text: str) -> np.generic:
        """Read a decimal or C99 hex number into the format, rounding once to nearest even."""
        return self.round(text)

    def hex(self, value: np.generic | float) -> str:
        """Write a number as a C99 hex float without trailing zeros, such as 0x1.8p+3."""
        v = float(value)
        if not math.isfinite(v):
            return str(v)
        return re.sub(r"\.?0*p", "p", v.hex())

    def short(self, value: np.generic | float) -> str:
        """Write a number as the shortest decimal that rounds back to it in this format."""
        v = float(value)
        for digits in range(1, 18):
            text = f"{v:.{digits}g}"
            if float(self.round(text)) == v:
                return repr(float(text)) if v != int(v) or abs(v) >= 1e16 else str(int(v))
        raise AssertionError(f"no short decimal for {v!r}")  # 17 digits always suffice


def _special(value: object) -> float | None:
    """Return inf, -inf or nan as a float; None for an ordinary number or other text."""
    if isinstance(value, str):
        match = re.fullmatch(r"([+-]?)(inf|infinity|nan)", value.strip().lower())
        return float(match.group(0)) if match else None
    if isinstance(value, Fraction):
        return None
    v = value if isinstance(value, mpmath.mpf) else mpmath.mpf(float(value))  # type: ignore[arg-type]
    return None if mpmath.isfinite(v) else float(v)


def to_fraction(value: mpmath.mpf | Fraction | float) -> Fraction:
    """Convert a finite number to an exact fraction.

    Magnitudes outside [2^-40000, 2^40000] become that bound: both lie far outside every format,
    and exp(-1e308) as a fraction would not fit in memory.
    """
    if not isinstance(value, mpmath.mpf):
        return value if isinstance(value, Fraction) else Fraction(float(value))
    sign, mantissa, exponent, bits = value._mpf_
    if mantissa and abs(exponent + bits) > 40000:
        mantissa, exponent = 1, 40000 if exponent + bits > 0 else -40000
    signed = -int(mantissa) if sign else int(mantissa)
    if exponent >= 0:
        return Fraction(signed << int(exponent))
    return Fraction(signed, 1 << -int(exponent))


def parse_exact(text: str) -> Fraction:
    """Read a decimal or C99 hex number exactly.

    Raises UsageError, naming the text, where it is neither, or has an exponent of more than six digits.
    """
    t = text.strip().lower()
    match = re.fullmatch(r"([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?0*[0-9]{1,6}))?", t)
    if match and (match[2] or match[3]):
        digits = int(mpz(match[2] + match[3], 16))
        value = Fraction(digits) * Fraction(2) ** (int(match[4] or 0) - 4 * len(match[3]))
        return -value if match[1] == "-" else value
    decimal = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(?:e([+-]?0*[0-9]{1,6}))?", t)
    if decimal:
        whole, _, fraction = t.partition("e")[0].partition(".")
        digits = int(mpz((whole + fraction).lstrip("+")))  # int() ends at 4300 digits
        return digits * Fraction(10) ** (int(decimal[2] or 0) - len(fraction))
    raise UsageError(f"{text[:40]!r} is not a number; write a decimal such as 0.5 or a hex float such as 0x1p-1")


def floor_log2(v: Fraction) -> int:
    """Return floor(log2 |v|) of a nonzero fraction, exactly."""
    n, d = abs(v.numerator), v.denominator
    e = n.bit_length() - d.bit_length()
    return e if (n >= d << e if e >= 0 else n << -e >= d) else e - 1


def round_half_even(v: Fraction, quantum: int) -> int:
    """Return a non-negative v / 2^quantum rounded to an integer, ties to even."""
    n, d = v.numerator, v.denominator
    n, d = (n << -quantum, d) if quantum < 0 else (n, d << quantum)
    k, rest = divmod(n, d)
    return k + (2 * rest > d or (2 * rest == d and k & 1))


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("float8_e4m3fn", np.dtype(ml_dtypes.float8_e4m3fn), 4, -6, 0x7E, has_inf=False),
        Format("float8_e5m2", np.dtype(ml_dtypes.float8_e5m2), 3, -14, 0x7B),
        Format("float16", np.dtype(np.float16), 11, -14, 0x7BFF),
        Format("bfloat16", np.dtype(ml_dtypes.bfloat16), 8, -126, 0x7F7F),
        Format("float32", np.dtype(np.float32), 24, -126, 0x7F7FFFFF),
        Format("float64", np.dtype(np.float64), 53, -1022, 0x7FEFFFFFFFFFFFFF),
    )
}


def format_named(name: str) -> Format:
    """Return the format called `name`; UsageError lists the known ones."""
    if name not in FORMATS:
        raise UsageError(f"unknown format {name!r}; known formats: {choices(name, FORMATS)}")
    return FORMATS[name]


def format_of(dtype: np.dtype) -> Format:
    """Return the format of a NumPy dtype; UsageError where it is none of those under test."""
    for f in FORMATS.values():
        if f.dtype == dtype:
            return f
    raise UsageError(f"{dtype} is not a known format; known formats: {', '.join(FORMATS)}")
