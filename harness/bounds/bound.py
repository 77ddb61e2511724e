"""A priori bounds beside the measurements: for every kernel, how large its error can be in a cell.

    |computed - exact| <= rounding + bias

`rounding` bounds |c - f|, the computed value against the kernel's own formula in exact
arithmetic, by running error analysis over each piece of a cell (running_error.py, pieces.py).
`bias` bounds |f - g|, that formula against the problem: both are evaluated in the wide format at
the ends and the middle of each piece.
# ASSUME: within a piece, |f - g| exceeds the largest of its three values by no more than they
# differ among themselves.
Where intervals alone say more, |c - g| <= the distance between the intervals of c and g, that is used.

A measurement above its bound means that one of the two is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import harness.bounds.rules  # noqa: F401  (the rules that Bounded applies)
from harness.bounds.function_errors import FunctionErrors
from harness.bounds.intervals import distance
from harness.bounds.pieces import SLACK, Pieces, divide, exact_values
from harness.bounds.running_error import Bounded, Setting
from harness.kernels import Kernel
from harness.kernels.duck_array import DuckArray
from harness.numbers.formats import Format
from harness.numbers.wide import wide_dtype
from harness.problems import Problem
from harness.sweep.summary import Summary
from harness.truth import fast

Array = np.ndarray


class BoundExceeded(RuntimeError):
    """A measurement lies above its bound; the message is the one sentence that a user sees."""


class InTwoFormats(DuckArray):
    """Carry computed values with those of the same formula in the wide format, branches as computed."""

    def __init__(self, computed: Array, wide: Array):
        self.computed, self.wide, self.dtype = computed, wide, computed.dtype

    def constant(self, value: Array) -> InTwoFormats:
        """Return constants of the working format in both formats, the wide one holding them exactly."""
        return InTwoFormats(value, value.astype(self.wide.dtype))

    def apply(self, name: str, *operands: InTwoFormats | Array) -> InTwoFormats | Array:
        """Apply a NumPy function to both; comparisons give plain arrays of truth values."""
        function = getattr(np, name)
        computed = function(*(v.computed if isinstance(v, InTwoFormats) else v for v in operands))
        if computed.dtype == bool:
            return computed
        return InTwoFormats(computed, function(*(v.wide if isinstance(v, InTwoFormats) else v for v in operands)))


@dataclass(frozen=True)
class Violation:
    """Name a cell in which the measured error exceeds its bound; both in ulps."""

    target: int
    cell: int
    input: int  # ordinal of the input with the largest measured error
    measured: float
    bound: float


@dataclass(frozen=True)
class Comparison:
    """Hold bound and measured maximum of each cell, in ulps, shape (T, C); NaN where nothing was measured."""

    cells: Array
    bound: Array
    measured: Array

    @property
    def active(self) -> Array:
        """Tell which cells measure half an ulp or more, but not infinity; below, the last rounding was kind."""
        return (self.measured >= 0.5) & np.isfinite(self.measured)

    @property
    def finite(self) -> float:
        """Return the fraction of active cells whose bound is finite; NaN where no cell is active."""
        return float(np.isfinite(self.bound[self.active]).mean()) if self.active.any() else float("nan")

    def median_ratio(self, fmt: Format) -> float:
        """Return the median of bound / measured over active cells; NaN where no cell is active.

        Beyond 2^(p-1) ulp no bit is right and more means nothing: either counts as 2^(p-1) at most.
        """
        lost = 2.0 ** (fmt.precision - 1)
        ratio = np.minimum(self.bound, lost)[self.active] / np.minimum(self.measured, lost)[self.active]
        return float(np.median(ratio)) if ratio.size else float("nan")


@dataclass(frozen=True)
class PieceBounds:
    """Hold the pieces of some cells with each kernel's bound there, in ulps, shape (T, P), and the library functions it calls."""

    pieces: Pieces
    ulps: Mapping[str, Array]
    called: Mapping[str, frozenset[str]]

    def by_cell(self, cells: int) -> dict[str, Array]:
        """Return each kernel's bound in each of so many cells, shape (T, cells): the largest of its pieces'."""
        starts = np.searchsorted(self.pieces.cell, np.arange(cells))
        return {name: np.maximum.reduceat(ulps, starts, axis=1) for name, ulps in self.ulps.items()}


def bound_ulp(
    problem: Problem,
    kernels: Sequence[Kernel],
    fmt: Format,
    targets: Array | None,
    cells: Array,
    functions: Mapping[str, FunctionErrors],
) -> dict[str, Array]:
    """Return for each kernel's name a bound on its ulp error in each cell, shape (T, C).

    `targets` have shape (T,) in the working format, or are None (T = 1); `cells` are sorted.
    Infinite where nothing is claimed: overflow, NaN, or intervals that hold a singularity; 0 where
    the cell has nothing but poles.
    """
    return bound_pieces(problem, kernels, divide(problem, fmt, targets, cells), targets, functions).by_cell(len(cells))


def bound_pieces(
    problem: Problem,
    kernels: Sequence[Kernel],
    pieces: Pieces,
    targets: Array | None,
    functions: Mapping[str, FunctionErrors],
) -> PieceBounds:
    """Return what `bound_ulp` does, piece by piece, with the library functions that each kernel calls."""
    ulps, called = {}, {}
    with np.errstate(all="ignore"):
        for k in kernels:
            setting = Setting(pieces.fmt, functions, pieces.x)
            ulps[k.name] = _bound(problem, k, pieces, targets, setting)
            called[k.name] = frozenset(setting.called)
    return PieceBounds(pieces, ulps, called)


def _bound(problem: Problem, kernel: Kernel, pieces: Pieces, targets: Array | None, setting: Setting) -> Array:
    x = Bounded.of_input(setting)
    value = kernel(x) if targets is None else kernel(x, x.constant(targets[:, None]))
    total = value.error + _bias(problem, kernel, pieces, targets)
    total = np.fmin(total, distance(value.computed, (pieces.least, pieces.most))) * (1 + SLACK)
    ulps = total / setting.ulp(pieces.smallest)
    ulps = np.where(np.isfinite(total), ulps, np.inf)
    return np.where(pieces.pole, 0, ulps)  # poles are not measured


def _bias(problem: Problem, kernel: Kernel, pieces: Pieces, targets: Array | None) -> Array:
    """Bound the distance of the kernel's formula from the problem over each piece, shape (T, P)."""
    ordinals = np.stack([pieces.first, pieces.first + (pieces.last - pieces.first) // 2, pieces.last])
    x = pieces.fmt.from_ordinal(ordinals.ravel())[None, :]
    inputs = (x,) if targets is None else (x, targets[:, None])
    wide = wide_dtype(pieces.fmt)
    value = kernel(*(InTwoFormats(v, v.astype(wide)) for v in inputs)).wide
    difference = value - exact_values(problem, pieces.fmt, targets, ordinals.ravel())
    d = np.moveaxis(difference.reshape(len(difference), 3, -1), 1, 0)
    least, most = np.minimum(np.minimum(d[0], d[1]), d[2]), np.maximum(np.maximum(d[0], d[1]), d[2])
    bias = np.maximum(-least, most) + (most - least)
    return np.where(bias == 0, 0.0, np.nextafter(bias.astype(np.float64), np.inf))


def check_bounds(summary: Summary, bound: Array, fmt: Format) -> list[Violation]:
    """Return the cells whose measured maximum exceeds the bound: a bound or a measurement is wrong.

    A measurement is only as good as its reference: 2^p times its relative error, in ulps.
    """
    resolution = fast.bound(fmt) * 2.0**fmt.precision
    return [
        Violation(
            int(t),
            int(summary.cells[c]),
            int(summary.max_ulp_at[t, c]),
            float(summary.max_ulp[t, c]),
            float(bound[t, c]),
        )
        for t, c in zip(*np.nonzero(summary.max_ulp > bound + resolution))
    ]


def compare(summary: Summary, bound: Array) -> Comparison:
    """Return bound and measurement of each cell, for figures and for tables of tightness."""
    measured = np.where(summary.max_ulp >= 0, summary.max_ulp, np.nan)
    return Comparison(summary.cells, np.where(np.isnan(measured), np.nan, bound), measured)
