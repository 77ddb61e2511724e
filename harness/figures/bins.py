"""Errors along the input as curves: the cells of a summary that fall into one step of the axis, taken together.

A format has thousands of cells and a panel 160 steps; of a step's cells the largest error, the median and every outcome
are kept.  Next to 0 and 1, where the cells of a probability are too wide for what happens, points are measured here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.figures.axes import InputAxis
from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.summary import Summary
from harness.truth.errors import NONE, OUTCOMES, Errors, measure
from harness.truth.fast import evaluate

Array = np.ndarray

# Steps of the axis: about one for each point (1/72 inch) of a panel.
STEPS = 160
POINTS_PER_BINADE = 64  # of 1 - p, and of p in the first cell
COMPLETE = 10  # binades of which all points are taken: those of a 16-bit significand


@dataclass(frozen=True)
class Curve:
    """Hold the errors of one kernel at steps of the axis, each array of shape (n,) with n <= STEPS.

    `at` is the mean position of the step's cells, `top` the largest ulp error (NaN where none was
    measured), `median` the median of the cells' medians, and `outcomes` tells where each occurred.
    """

    at: Array
    top: Array
    median: Array
    outcomes: dict[str, Array]

    @property
    def occurring(self) -> list[str]:
        """Return the names of the outcomes that occur at any step of the axis."""
        return [name for name in OUTCOMES if self.outcomes[name].any()]

    def same(self, other: Curve) -> bool:
        """Tell whether two curves are drawn alike, outcomes included."""
        return (
            np.array_equal(self.at, other.at)
            and np.array_equal(self.top, other.top, equal_nan=True)
            and np.array_equal(self.median, other.median, equal_nan=True)
            and all(np.array_equal(self.outcomes[name], other.outcomes[name]) for name in OUTCOMES)
        )


def step_of(axis: InputAxis, at: Array) -> Array:
    """Return which step of the axis a position falls into."""
    lo, hi = axis.limits
    return np.clip((at - lo) / (hi - lo) * STEPS, 0, STEPS - 1).astype(np.int64)


def from_summaries(problem: Problem, fmt: Format, parts: list[Summary], t: int) -> Curve:
    """Return the curve of one kernel and target from the summaries of its shards.

    Curves of probabilities leave out the ends, see `near_ends`.
    """
    axis = InputAxis(problem)
    cells, points = (np.concatenate([getattr(p, name) for p in parts]) for name in ("cells", "points"))
    middle = fmt.from_ordinal((cells << fmt.cell_shift) + (1 << fmt.cell_shift) // 2)
    values = np.clip(middle.astype(np.float64), *problem.domain)
    kept = points > 0
    if problem.input == "probability":
        kept &= (values < 0.5) & (cells > 0)
    order = np.argsort(cells)
    order = order[kept[order]]

    def row(arrays: list[Array]) -> Array:
        return np.concatenate([a[t] for a in arrays])[order]

    outcomes = {name: row([p.outcomes[name] for p in parts]) > 0 for name in OUTCOMES}
    top, median = row([p.max_ulp for p in parts]), row([p.median_ulp for p in parts])
    return _curve(axis, axis.positions(values[order], fmt), top, median, outcomes)


def _curve(axis: InputAxis, at: Array, top: Array, median: Array, outcomes: dict[str, Array]) -> Curve:
    """Gather cells in order of position into steps."""
    _, starts, counts = np.unique(step_of(axis, at), return_index=True, return_counts=True)
    largest = np.maximum.reduceat(top, starts)
    return Curve(
        np.add.reduceat(at, starts) / counts,
        np.where(largest == NONE, np.nan, largest),
        _medians(median, starts, counts),
        {name: np.logical_or.reduceat(mask, starts) for name, mask in outcomes.items()},
    )


def _medians(values: Array, starts: Array, counts: Array) -> Array:
    """Return the lower median of each run of values, NaN left out; NaN where nothing is left."""
    runs = np.repeat(np.arange(len(starts)), counts)
    ordered = values[np.lexsort((values, runs))]  # NaN comes last in its run
    known = np.add.reduceat(~np.isnan(values), starts, dtype=np.int64)
    return np.where(known > 0, ordered[starts + np.maximum(known - 1, 0) // 2], np.nan)


def joined(a: Curve, b: Curve) -> Curve:
    """Return one curve with the steps of two, in order of position."""
    at = np.concatenate([a.at, b.at])
    order = np.argsort(at, kind="stable")
    top, median = (np.concatenate([getattr(a, n), getattr(b, n)])[order] for n in ("top", "median"))
    outcomes = {name: np.concatenate([a.outcomes[name], b.outcomes[name]])[order] for name in OUTCOMES}
    return Curve(at[order], top, median, outcomes)


def end_points(fmt: Format) -> Array:
    """Return probabilities next to 0 and 1, float64, sorted: those of the first cell, and those from 1/2 on.

    The first cell holds p = 0 beside the least numbers; from 1/2 to 1 there are eight cells, far too
    wide for what happens where 1 - p is small.  With k = 1 ... 2^(precision-1), p = 1 - k 2^-precision is
    every number of [1/2, 1); 16-bit formats take all, wider ones POINTS_PER_BINADE of each binade of k.
    """
    k = _spread(fmt.precision - 1)
    first = fmt.from_ordinal(np.append(0, _spread(fmt.cell_shift)[:-1])).astype(np.float64)
    return np.concatenate([first, 1 - k[::-1] * 2.0**-fmt.precision, [1.0]])


def _spread(binades: int) -> Array:
    """Return integers from 1 to 2^binades: all of them in 16 bits, else evenly in their logarithm."""
    if binades <= COMPLETE:
        return np.arange(1, (1 << binades) + 1)
    exponents = np.linspace(0, binades, binades * POINTS_PER_BINADE + 1)
    return np.unique(np.rint(2.0**exponents).astype(np.int64))


def near_ends(problem: Problem, kernels: list[Kernel], fmt: Format, targets: Array | None) -> dict[str, list[Curve]]:
    """Measure kernels of a probability next to 0 and 1; return their curves by kernel and target."""
    p = end_points(fmt)
    x = p.astype(fmt.dtype)[None, :]
    axis = InputAxis(problem)
    at = axis.positions(p, fmt)
    found: dict[str, list[Curve]] = {}
    inputs = (x,) if targets is None else (x, targets[:, None])
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, *inputs)
        for kernel in kernels:
            computed = np.broadcast_to(kernel(*inputs), exact.value.shape)
            errors = measure(computed, exact, problem.nonnegative)
            found[kernel.name] = [_points_curve(axis, at, errors, t) for t in range(len(computed))]
    return found


def _points_curve(axis: InputAxis, at: Array, errors: Errors, t: int) -> Curve:
    """Gather single points into steps; each is a cell of its own."""
    nothing = np.zeros(len(at), bool)
    outcomes = {name: errors.outcomes[name][t] if name in errors.outcomes else nothing for name in OUTCOMES}
    ulp = errors.ulp[t]
    return _curve(axis, at, ulp, np.where(ulp == NONE, np.nan, ulp), outcomes)
