"""The methods of the study with their bounds, and the check that no measurement exceeds its bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from harness.numbers.formats import FORMATS, Format
from harness.studies.reductions import methods as m
from harness.studies.reductions.methods import WIDER, Method, gamma, together, unit

Array = np.ndarray
Lengths = Callable[[int], Array]  # of the rows of a batch of n

ALL = 10**8
LOOPED = 10**6  # a step needs the one before it: interpreted, 1e8 would take minutes
BUFFER = 8192
LISTED = 10**7  # math.fsum takes Python numbers, one at a time


class BoundBroken(RuntimeError):
    """A measured error exceeds its a priori bound: the measurement or the bound is wrong."""


def height(n: int) -> int:
    """Return the height of the tree of a pairwise sum, ceil(log2 n)."""
    return (n - 1).bit_length()


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


def _kahan(n: int, u: float, early: float) -> float:
    """Return (2 u + n u^2) / (1 - u - n u^2), and u times the share of losses larger than the sum so far.

    With y = (x - c)(1 + d), |d| <= u, the sum and its correction obey (s - c) = (s' - c') + y exactly where
    |s'| >= |y| (then both subtractions are exact), so that s = sum x + sum d (x - c) + c, with |c| <= u s.
    A larger y leaves an error of at most u y in c.
    """
    left = 1 - u - n * u * u
    return (2 * u + n * u * u + u * early) / left if left > 0 else math.inf


def _numpy(n: int, fmt: Format, early: float) -> float:
    """Return numpy's bound: pairwise; float16 is added in float32; bfloat16, of another package, one by one."""
    if fmt.name == "bfloat16":
        return (n - 1) * unit(fmt)
    if fmt.name == "float16":
        return together(gamma(numpy_height(n) + 1, unit(FORMATS["float32"])), unit(fmt))
    return gamma(numpy_height(n) + 1, unit(fmt))


def _numpy_mean(n: int, fmt: Format, early: float) -> float:
    """Return the bound of numpy's mean, which adds float16 in float32 by buffers of 8192, one after another."""
    if fmt.name != "float16":
        return _mean(_numpy(n, fmt, early), unit(fmt))
    return together(gamma(numpy_height(min(n, BUFFER)) + -(-n // BUFFER) + 2, unit(FORMATS["float32"])), unit(fmt))


def _lanes(n: int, fmt: Format, early: float) -> float:
    u = unit(fmt)
    return together(_kahan(n // m.LANES + 2, u, 1.0), _kahan(m.LANES, u, 1.0))


def _wide(n: int, fmt: Format, early: float) -> float:
    return together((n - 1) * unit(FORMATS[WIDER[fmt.name]]), unit(fmt))


def _mean(bound: float, u: float) -> float:
    """Return the bound of a sum divided by n, which is rounded too."""
    return together(bound, gamma(2, u))


def _means(lengths: Lengths) -> Callable[[int, Format, float], float]:
    """Return the bound of a mean of means: one row, its count and quotient, the rows, their count and quotient."""
    return lambda n, fmt, early: gamma(int(lengths(n).max()) + len(lengths(n)) + 2, unit(fmt))


def _mean_of(lengths: Lengths) -> Callable[[Array], Array]:
    """Return the method that averages the means of rows of these lengths."""
    return lambda x: m.mean_of_means(x, lengths(x.shape[1]))


WITH_WIDER = tuple(WIDER)
METHODS = (
    Method("sequential", "sum", m.sequential, lambda n, f, e: (n - 1) * unit(f), ALL),
    Method("pairwise", "sum", m.pairwise, lambda n, f, e: gamma(height(n), unit(f)), ALL),
    Method("numpy", "sum", lambda x: x.sum(axis=1), _numpy, ALL),
    Method("kahan", "sum", m.kahan, lambda n, f, e: _kahan(n, unit(f), e), LOOPED),
    Method("kahan_lanes", "sum", m.kahan_lanes, _lanes, ALL, least=10 * m.LANES),
    Method("fsum", "sum", m.fsum, lambda n, f, e: together(unit(f), 2.0**-53), LISTED),
    Method("wide", "sum", m.wide, _wide, ALL, formats=WITH_WIDER),
    Method("rows_then_all", "sum", m.rows_then_all, lambda n, f, e: gamma(m.ROW + n // m.ROW - 2, unit(f)), ALL, least=m.ROW),
    Method("sequential", "mean", m.mean_sequential, lambda n, f, e: _mean((n - 1) * unit(f), unit(f)), ALL),
    Method("numpy", "mean", lambda x: x.mean(axis=1), _numpy_mean, ALL),
    Method("wide", "mean", m.mean_wide, lambda n, f, e: _mean(_wide(n, f, e), unit(f)), ALL, formats=WITH_WIDER),
    Method("running", "mean", m.running_mean, lambda n, f, e: math.inf, LOOPED),
    Method("means_equal_rows", "mean", _mean_of(m.equal_rows), _means(m.equal_rows), ALL, 300, rows=m.equal_rows),
    Method("means_short_last_row", "mean", _mean_of(m.short_last_row), _means(m.short_last_row), ALL, 300,
           rows=m.short_last_row),
    Method("means_mixed_rows", "mean", _mean_of(m.mixed_rows), _means(m.mixed_rows), ALL, 1000, rows=m.mixed_rows),
)  # fmt: skip


def early_share(losses: np.ndarray) -> float:
    """Return the share of the sum that comes in losses larger than the sum before them, the most of any batch.

    The sum so far is taken 2^-6 too small, which covers its own rounding in every format.
    """
    shares = []
    for batch in losses.astype(np.float64):
        before = np.cumsum(batch) - batch
        shares.append(batch[1:][batch[1:] > before[1:] * (1 - 2.0**-6)].sum() / max(batch.sum(), 1e-300))
    return float(max(shares))


def check(measured: float, bound: float, what: str) -> bool:
    """Return whether a relative error is within its bound; BoundBroken, naming the measurement, if it is not."""
    if measured > bound:
        raise BoundBroken(f"{what}: the relative error {measured:.6g} exceeds its bound {bound:.6g}")
    return True
