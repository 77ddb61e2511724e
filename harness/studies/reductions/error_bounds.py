"""A priori bounds of the errors of sums and means, and the check that no measurement exceeds its bound.

A bound is relative to the sum, as no loss is negative, and holds for every batch of the size.  u = 2^-p is
half of the machine epsilon, and gamma(k) = k u / (1 - k u), the most that k roundings make of a factor.
A rule maps the number n of losses, their format and the share `early` of losses that are larger than the
sum before them (Kahan's exceptions; see `early_share`) to the bound, infinite where the theory says nothing.

Sources: N. J. Higham (2002), doi:10.1137/1.9780898718027, chapter 4 (by halves, Kahan);
S. M. Rump (2012), doi:10.1007/s10543-011-0342-4 ((n - 1) u without higher order terms);
N. J. Higham and T. Mary (2019), doi:10.1137/18M1226312 (sqrt(n) u, with high probability).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import mpmath
import numpy as np

from harness.numbers.formats import FORMATS, Format

Array = np.ndarray
Rule = Callable[[int, Format, float], float]
Lengths = Callable[[int], Array]  # of the rows of a batch of n

WIDER = {"float16": "float32", "bfloat16": "float32", "float32": "float64"}  # the next wider format
BUFFER = 8192  # float16 numbers that numpy's mean converts at a time


class BoundBroken(RuntimeError):
    """A measured error exceeds its a priori bound: the measurement or the bound is wrong."""


def check(error: float | mpmath.mpf, bound: float, what: str) -> bool:
    """Return whether an error is within its bound, which it always is where the bound is infinite.

    Raises BoundBroken, naming what was measured, where it is not; NaN is within no finite bound.
    """
    if math.isfinite(bound) and not error <= bound:
        raise BoundBroken(f"{what}: {float(error):.6g} exceeds its bound {bound:.6g}")
    return True


# -- arithmetic of bounds ------------------------------------------------------------------------


def unit(fmt: Format) -> float:
    """Return u = 2^-p, the largest relative error of rounding to nearest."""
    return math.ldexp(1.0, -fmt.precision)


def gamma(k: float, u: float) -> float:
    """Return k u / (1 - k u); infinite from k u = 1 on."""
    return k * u / (1 - k * u) if k * u < 1 else math.inf


def together(*bounds: float) -> float:
    """Return the bound of several relative errors one after another, (1 + b1)(1 + b2) ... - 1 without cancellation."""
    total = 0.0
    for b in bounds:
        total += b + total * b
    return total


# -- rules of sums -------------------------------------------------------------------------------


def one_by_one(n: int, fmt: Format, early: float) -> float:
    """Bound a sequential sum by (n - 1) u."""
    return (n - 1) * unit(fmt)


def height(n: int) -> int:
    """Return the height of the tree of a pairwise sum, ceil(log2 n)."""
    return (n - 1).bit_length()


def by_halves(n: int, fmt: Format, early: float) -> float:
    """Bound the relative error of a sum by halves: gamma(ceil(log2 n))."""
    return gamma(height(n), unit(fmt))


@cache
def numpy_height(n: int) -> int:
    """Return the most additions that a value passes through in numpy's sum of float32, float64 and float16.

    Source: numpy==2.4.6 numpy/_core/src/umath/loops_utils.h.src: 8 accumulators up to 128 values, halves above.
    """
    if n < 8:
        return max(0, n - 1)
    if n <= 128:
        return (n // 8 - 1) + 3 + n % 8
    half = n // 2 - n // 2 % 8
    return 1 + max(numpy_height(half), numpy_height(n - half))


def numpy_sum(n: int, fmt: Format, early: float) -> float:
    """Bound numpy's sum: pairwise; float16 is added in float32; bfloat16, of another package, one by one."""
    if fmt.name == "bfloat16":
        return one_by_one(n, fmt, early)
    if fmt.name == "float16":
        return together(gamma(numpy_height(n) + 1, unit(FORMATS["float32"])), unit(fmt))
    return gamma(numpy_height(n) + 1, unit(fmt))


def compensated(n: int, fmt: Format, early: float) -> float:
    """Bound Kahan's sum by (2 u + n u^2 + u early) / (1 - u - n u^2), infinite where 1 - u - n u^2 <= 0.

    With y = (x - c)(1 + d), |d| <= u, the sum and its correction obey (s - c) = (s' - c') + y exactly where
    |s'| >= |y| (then both subtractions are exact), so that s = sum x + sum d (x - c) + c, with |c| <= u s.
    A larger y leaves an error of at most u y in c.
    """
    u = unit(fmt)
    left = 1 - u - n * u * u
    return (2 * u + n * u * u + u * early) / left if left > 0 else math.inf


def compensated_in_lanes(lanes: int) -> Rule:
    """Return the rule of Kahan's sum in lanes side by side, then of the lanes' sums; every loss may come early."""
    return lambda n, fmt, early: together(compensated(n // lanes + 2, fmt, 1.0), compensated(lanes, fmt, 1.0))


def exact_sum(n: int, fmt: Format, early: float) -> float:
    """Bound an exact sum that is rounded to float64, then into the format."""
    return together(unit(fmt), 2.0**-53)


def in_wider(n: int, fmt: Format, early: float) -> float:
    """Bound a sequential sum in the next wider format, rounded once at the end."""
    return together(one_by_one(n, FORMATS[WIDER[fmt.name]], early), unit(fmt))


def rows_first(length: int) -> Rule:
    """Return the rule of a sequential sum of the sequential sums of whole rows of so many losses."""
    return lambda n, fmt, early: gamma(length + n // length - 2, unit(fmt))


# -- rules of means ------------------------------------------------------------------------------


def divided(rule: Rule) -> Rule:
    """Return the rule of a sum divided by n, where n and the quotient are rounded too."""
    return lambda n, fmt, early: together(rule(n, fmt, early), gamma(2, unit(fmt)))


def numpy_mean(n: int, fmt: Format, early: float) -> float:
    """Bound numpy's mean, which adds float16 in float32 by buffers of 8192, one after another."""
    if fmt.name != "float16":
        return divided(numpy_sum)(n, fmt, early)
    return together(gamma(numpy_height(min(n, BUFFER)) + -(-n // BUFFER) + 2, unit(FORMATS["float32"])), unit(fmt))


def mean_of_means(lengths: Lengths) -> Rule:
    """Return the rule of a mean of means: one row, its count and quotient, the rows, their count and quotient."""
    return lambda n, fmt, early: gamma(int(lengths(n).max()) + len(lengths(n)) + 2, unit(fmt))


def unknown(n: int, fmt: Format, early: float) -> float:
    """Return infinity, for sums of which the theory says nothing: there is no bound."""
    return math.inf


def early_share(losses: Array) -> float:
    """Return the share of the sum that comes in losses larger than the sum before them, the most of any batch.

    The sum so far is taken 2^-6 too small, which covers its own rounding in every format.
    """
    shares = []
    for batch in losses.astype(np.float64):
        before = np.cumsum(batch) - batch
        shares.append(batch[1:][batch[1:] > before[1:] * (1 - 2.0**-6)].sum() / max(batch.sum(), 1e-300))
    return float(max(shares))
