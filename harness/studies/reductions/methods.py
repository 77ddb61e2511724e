"""Ways of adding up a batch and of taking its mean, each with the bound of its error.

A method takes losses of shape (batches, n) in the working format and returns one value of that format for
each batch; every addition is rounded into the format, unless the method says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from harness.numbers.formats import FORMATS, Format
from harness.studies.reductions import error_bounds
from harness.studies.reductions.error_bounds import WIDER, Lengths, Rule

Array = np.ndarray

BLOCK = 1 << 20  # losses added at a time; the result does not depend on it
LANES = 1024
ROW, SHORT_ROW, MIXED_ROWS = 100, 224, (20, 180)  # losses in a row, before the rows are added up

ALL = 10**8
LOOPED = 10**6  # a step needs the one before it: interpreted, 1e8 would take minutes
LISTED = 10**7  # math.fsum takes Python numbers, one at a time


# -- sums ----------------------------------------------------------------------------------------


def _blocks(x: Array) -> Iterator[Array]:
    for start in range(0, x.shape[1], BLOCK):
        yield x[:, start : start + BLOCK]


def sequential(x: Array, dtype: np.dtype | None = None) -> Array:
    """Return ((x1 + x2) + x3) + ..., every partial sum rounded into x's format, or into `dtype`."""
    total: Array | None = None
    for block in _blocks(x):
        values = block.astype(dtype or x.dtype, copy=False)
        if total is not None:
            values = np.concatenate([total[:, None], values], axis=1)
        total = np.add.accumulate(values, axis=1)[:, -1]
    assert total is not None
    return total


def pairwise(x: Array) -> Array:
    """Return the sum by halves: neighbours are added, then neighbouring sums; of height ceil(log2 n)."""
    if x.shape[1] > BLOCK:
        return _levels(np.stack([_levels(block) for block in _blocks(x)], axis=1))
    return _levels(x)


def _levels(x: Array) -> Array:
    while x.shape[1] > 1:
        even = x.shape[1] // 2 * 2
        added = x[:, 0:even:2] + x[:, 1:even:2]
        x = np.concatenate([added, x[:, even:]], axis=1) if even < x.shape[1] else added
    return x[:, 0]


def kahan(x: Array) -> Array:
    """Return Kahan's compensated sum: y = x - c, t = s + y, c = (t - s) - y, s = t."""
    if len(x) == 1:
        return np.array([_compensated(x[0])])  # scalars are faster than arrays of one element
    return _compensated(np.ascontiguousarray(x.T))


def _compensated(values: Iterable[Any]) -> Any:
    """Return Kahan's sum of scalars, or of arrays element by element."""
    steps = iter(values)
    s = next(steps)
    c = s - s
    for v in steps:
        y = v - c
        t = s + y
        c = (t - s) - y
        s = t
    return s


def kahan_lanes(x: Array) -> Array:
    """Return Kahan's sum in LANES lanes side by side, as vector units do it, and of the lanes' sums."""
    whole = x.shape[1] // LANES * LANES
    rest = np.zeros((len(x), LANES), x.dtype)
    rest[:, : x.shape[1] - whole] = x[:, whole:]
    lanes = [_compensated(chain(b[:whole].reshape(-1, LANES), [last])) for b, last in zip(x, rest)]
    return kahan(np.stack(lanes))


def fsum(x: Array) -> Array:
    """Return math.fsum, the exact sum rounded to float64, rounded into the format."""
    batches = [chain.from_iterable(b.tolist() for b in np.split(batch, range(BLOCK, len(batch), BLOCK))) for batch in x]
    return np.array([math.fsum(values) for values in batches]).astype(x.dtype)


def wide(x: Array) -> Array:
    """Return the sequential sum in the wider format, rounded once at the end."""
    return sequential(x, _wider(x.dtype).dtype).astype(x.dtype)


def _wider(dtype: np.dtype) -> Format:
    return next(FORMATS[WIDER[f.name]] for f in FORMATS.values() if f.dtype == dtype)


def rows_then_all(x: Array) -> Array:
    """Return the sum of the sums of rows of ROW losses, both sequential."""
    return sequential(row_sums(x, ROW))


def row_sums(x: Array, length: int) -> Array:
    """Return the sequential sum of each whole row of so many losses, shape (batches, rows)."""
    rows = x.shape[1] // length
    parts = []
    for batch in x:
        grid = batch[: rows * length].reshape(rows, length)
        parts.append(np.concatenate([np.add.accumulate(part, axis=1)[:, -1] for part in _row_blocks(grid)]))
    return np.stack(parts)


def _row_blocks(grid: Array) -> Iterator[Array]:
    step = max(1, BLOCK // grid.shape[1])
    for start in range(0, len(grid), step):
        yield grid[start : start + step]


# -- means ---------------------------------------------------------------------------------------


def _count(x: Array, n: int) -> Array:
    """Return n rounded into the format of x; infinite where it overflows."""
    return np.asarray(n, np.float64).astype(x.dtype)


def mean_sequential(x: Array) -> Array:
    """Return the sequential sum divided by n, which is rounded into the format first."""
    return sequential(x) / _count(x, x.shape[1])


def mean_wide(x: Array) -> Array:
    """Return the sequential sum divided by n, both in the wider format, rounded once at the end."""
    total = sequential(x, _wider(x.dtype).dtype)
    return (total / _count(total, x.shape[1])).astype(x.dtype)


def running_mean(x: Array) -> Array:
    """Return m_n, where m_k = m_(k-1) + (x_k - m_(k-1)) / k, with k rounded into the format."""
    counts = np.arange(1, x.shape[1] + 1, dtype=np.float64).astype(x.dtype)
    if len(x) == 1:
        m = x[0, 0]
        for k, v in zip(counts[1:], x[0, 1:]):
            m = m + (v - m) / k
        return np.array([m])
    m = x[:, 0].copy()
    for k, v in zip(counts[1:], np.ascontiguousarray(x[:, 1:].T)):
        m = m + (v - m) / k
    return m


def mean_of_means(x: Array, lengths: Array) -> Array:
    """Return the mean of the rows' means; rows of at most two lengths, those of the first length before."""
    means, start = [], 0
    for length in dict.fromkeys(lengths.tolist()):
        count = int((lengths == length).sum())
        part = x[:, start : start + count * length]
        means.append(row_sums(part, length) / _count(x, length))
        start += count * length
    return sequential(np.concatenate(means, axis=1)) / _count(x, len(lengths))


def equal_rows(n: int) -> Array:
    """Return the lengths of rows that n losses fill: ROW each; n is a multiple of ROW."""
    return np.full(n // ROW, ROW)


def short_last_row(n: int) -> Array:
    """Return rows of SHORT_ROW losses, and the rest in a shorter one."""
    rest = [n % SHORT_ROW] if n % SHORT_ROW else []
    return np.array([SHORT_ROW] * (n // SHORT_ROW) + rest)


def mixed_rows(n: int) -> Array:
    """Return as many rows of the first as of the second of MIXED_ROWS, the short ones before."""
    each = n // sum(MIXED_ROWS)
    return np.repeat(MIXED_ROWS, each)


# -- what is measured ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Reduction:
    """Hold one way of reducing a batch.

    `bound` is the largest relative error that rounding can cause, infinite where the theory says nothing;
    `most` the largest batch that it is run on; `rows(n)` the lengths of the rows whose means it averages,
    one for each row (none where it takes the mean itself).
    """

    name: str
    quantity: str  # "sum" or "mean"
    reduce: Callable[[Array], Array]
    bound: Rule
    most: int
    least: int = 1
    formats: tuple[str, ...] = ("float16", "bfloat16", "float32", "float64")
    rows: Lengths | None = None


def _of_means(name: str, lengths: Lengths, least: int) -> Reduction:
    """Return the mean of the means of rows of these lengths."""

    def reduce(x: Array) -> Array:
        return mean_of_means(x, lengths(x.shape[1]))

    return Reduction(name, "mean", reduce, error_bounds.mean_of_means(lengths), ALL, least, rows=lengths)


WITH_WIDER = tuple(WIDER)
METHODS = (
    Reduction("sequential", "sum", sequential, error_bounds.one_by_one, ALL),
    Reduction("pairwise", "sum", pairwise, error_bounds.by_halves, ALL),
    Reduction("numpy", "sum", lambda x: x.sum(axis=1), error_bounds.numpy_sum, ALL),
    Reduction("kahan", "sum", kahan, error_bounds.compensated, LOOPED),
    Reduction("kahan_lanes", "sum", kahan_lanes, error_bounds.compensated_in_lanes(LANES), ALL, least=10 * LANES),
    Reduction("fsum", "sum", fsum, error_bounds.exact_sum, LISTED),
    Reduction("wide", "sum", wide, error_bounds.in_wider, ALL, formats=WITH_WIDER),
    Reduction("rows_then_all", "sum", rows_then_all, error_bounds.rows_first(ROW), ALL, least=ROW),
    Reduction("sequential", "mean", mean_sequential, error_bounds.divided(error_bounds.one_by_one), ALL),
    Reduction("numpy", "mean", lambda x: x.mean(axis=1), error_bounds.numpy_mean, ALL),
    Reduction("wide", "mean", mean_wide, error_bounds.divided(error_bounds.in_wider), ALL, formats=WITH_WIDER),
    Reduction("running", "mean", running_mean, error_bounds.unknown, LOOPED),
    _of_means("means_equal_rows", equal_rows, 300),
    _of_means("means_short_last_row", short_last_row, 300),
    _of_means("means_mixed_rows", mixed_rows, 1000),
)
