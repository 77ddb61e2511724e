"""Closed intervals of real numbers, whole arrays at once, in float64 with outward rounding.

An interval is a pair of float64 arrays (lower, upper).  Ends of + - * / are correctly rounded and
then moved one float64 outward; ends of functions lie within NumPy's stated 4 ulp and are moved by
2^-50 of themselves.  NaN ends stand for "nothing is known", and pass through every operation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Interval = tuple[Array, Array]

# 8 ulp of float64: twice what NumPy states for its functions.
FUNCTION_SLACK = 2.0**-50


def up(v: Array) -> Array:
    """Return a number above v; 0 stays 0, as a bound of 0 says that nothing was rounded."""
    return np.where(v == 0, v, np.nextafter(v, np.inf))


def outward(ends: Interval) -> Interval:
    """Move both ends outward by one float64, which covers one correctly rounded operation."""
    return np.nextafter(ends[0], -np.inf), np.nextafter(ends[1], np.inf)


def product(a: Array, b: Array) -> Array:
    """Return a * b for bounds, above the true product, with 0 * inf = 0.

    A product of nonzero bounds that underflows is one step up from 0.
    """
    ab = np.nextafter(a * b, np.inf)
    return np.where((a == 0) | (b == 0), 0.0, ab)


def magnitude(ends: Interval) -> Array:
    """Return the largest |v| of the numbers v in each interval."""
    return np.maximum(abs(ends[0]), abs(ends[1]))


def mignitude(ends: Interval) -> Array:
    """Return the least |v|: 0 where the interval holds 0."""
    lo, hi = ends
    return np.maximum(np.maximum(lo, -hi), 0 * lo)


def add(a: Interval, b: Interval) -> Interval:
    """Return the ends of a + b, each rounded to nearest."""
    return a[0] + b[0], a[1] + b[1]


def subtract(a: Interval, b: Interval) -> Interval:
    """Return the ends of a - b, each rounded to nearest."""
    return a[0] - b[1], a[1] - b[0]


def multiply(a: Interval, b: Interval, zero_times_inf: float = np.nan) -> Interval:
    """Return the ends of a * b, each rounded to nearest.

    Computed values meet 0 * inf = NaN; exact values are numbers, whose product with 0 is 0.
    """
    products = [u * v for u in a for v in b]
    if not np.isnan(zero_times_inf):
        unknown = np.isnan(a[0]) | np.isnan(a[1]) | np.isnan(b[0]) | np.isnan(b[1])
        products = [np.where(np.isnan(p) & ~unknown, zero_times_inf, p) for p in products]
    return _least(products), _greatest(products)


def divide(a: Interval, b: Interval) -> Interval:
    """Return the ends of a / b, each rounded to nearest; NaN where b holds 0."""
    quotients = [u / v for u in a for v in b]
    holds_zero = (b[0] <= 0) & (b[1] >= 0)
    ends = _least(quotients), _greatest(quotients)
    return np.where(holds_zero, np.nan, ends[0]), np.where(holds_zero, np.nan, ends[1])


def hull(a: Interval, b: Interval) -> Interval:
    """Return the least interval that holds both; NaN where an end of either is NaN."""
    return np.minimum(a[0], b[0]), np.maximum(a[1], b[1])


def increasing(function: Callable[..., Array], *arguments: Interval) -> Interval:
    """Return an enclosure of a function that increases in each argument and whose sign NumPy gets right."""
    lo, hi = function(*(a[0] for a in arguments)), function(*(a[1] for a in arguments))
    limit = np.finfo(np.float64).max  # a value that overflows float64 is still a number
    lo, hi = np.where(lo == np.inf, limit, lo), np.where(hi == -np.inf, -limit, hi)
    below, above = outward((lo - abs(lo) * FUNCTION_SLACK, hi + abs(hi) * FUNCTION_SLACK))
    return np.where(lo >= 0, np.maximum(below, 0), below), np.where(hi <= 0, np.minimum(above, 0), above)


def distance(a: Interval, b: Interval) -> Array:
    """Return the largest |u - v| with u in a and v in b, rounded up."""
    return np.nextafter(np.maximum(a[1] - b[0], b[1] - a[0]), np.inf)


def _least(values: list[Array]) -> Array:
    return np.minimum(np.minimum(values[0], values[1]), np.minimum(values[2], values[3]))


def _greatest(values: list[Array]) -> Array:
    return np.maximum(np.maximum(values[0], values[1]), np.maximum(values[2], values[3]))
