"""Maechler's figure of log1mexp: two forms against a, and the best cutoff between them.

A two-branch form with cutoff c takes log(-expm1(-a)) for a <= c and log1p(-e^-a) above.  Both branches are measured over
the window of a in which cutoffs are tried, at every input of formats up to 32 bits; what either errs by beyond, where
no cutoff matters, is a figure of its own, taken from the sweep.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.kernels import kernel_named
from harness.numbers.formats import Format
from harness.problems import problem_named
from harness.sweep.case import Case
from harness.sweep.grid import Grid, spread
from harness.sweep.summary import Summary
from harness.tables.rows import Row, certified_extreme
from harness.truth.certified import significant
from harness.truth.errors import Errors, measure
from harness.truth.fast import evaluate

Array = np.ndarray

PROBLEM = problem_named("log1mexp")
BELOW, ABOVE = "expm1", "log1p"  # kernels of the two branches
DRAWN = (BELOW, ABOVE, "naive")
WINDOW = (2.0**-3, 4.0)  # the cutoffs that are tried
BLOCK = 1 << 20  # inputs that are measured together


@dataclass(frozen=True)
class Window:
    """Hold inputs around log 2 in order, the ulp errors of both branches there, and the worst of either beyond.

    `exhaustive` tells whether every input is there; `beyond` is the largest error of the lower branch at smaller inputs
    and of the upper one at larger, with its ordinal and kernel, and `beyond_exhaustive` whether all of those were visited.
    """

    fmt: Format
    ordinals: Array
    below: Array
    above: Array
    exhaustive: bool
    beyond: tuple[float, int, str]
    beyond_exhaustive: bool

    def largest(self) -> tuple[Array, Array]:
        """Return, for cutoffs before each input and after the last, the largest error of each branch; shape (n + 1,)."""
        low = np.maximum.accumulate(np.append(0, self.below))
        high = np.maximum.accumulate(np.append(self.above, 0)[::-1])[::-1]
        return low, high

    def mean(self) -> Array:
        """Return, for the same cutoffs, the mean error over the inputs of the window."""
        low, high = np.append(0, np.cumsum(self.below)), np.append(np.cumsum(self.above[::-1])[::-1], 0)
        return (low + high) / len(self.ordinals)

    def position(self, cutoff: float) -> int:
        """Return how many inputs are at most the cutoff."""
        nearest = self.fmt.round(cutoff)
        last = int(self.fmt.ordinal(np.array([nearest]))[0]) - (float(nearest) > cutoff)
        return int(np.searchsorted(self.ordinals, last, side="right"))

    def cutoff(self, position: int) -> float:
        """Return the least cutoff with so many inputs at or below it."""
        return float(self.fmt.from_ordinal(self.ordinals[[max(position - 1, 0)]])[0])


def errors_at(name: str, fmt: Format, ordinals: Array) -> Errors:
    """Measure one kernel of log1mexp at inputs given by their ordinals; arrays of shape (1, n)."""
    x = fmt.from_ordinal(ordinals)[None, :]
    with np.errstate(all="ignore"):
        return measure(kernel_named("log1mexp", name)(x), evaluate(PROBLEM, fmt, x), PROBLEM.nonnegative)


def cells_between(fmt: Format, low: float, high: float) -> Array:
    """Return the cells from that of `low` to that before `high`."""
    first, last = (int(c) for c in fmt.cell(fmt.ordinal(np.array([low, high]).astype(fmt.dtype))))
    return np.arange(first, last)


def inputs_of(fmt: Format, cells: Array, points: int) -> Array:
    """Return ordinals of cells, shape (cells, n): every input of a 16-bit format, or so many of each."""
    size = 1 << fmt.cell_shift
    return spread(cells, size if fmt.bits <= 16 else min(points, size), fmt.cell_shift)


def window(fmt: Format, summaries: dict[str, Summary], points: int, every: int = 32) -> Window:
    """Measure both branches around log 2: at every input of formats up to `every` bits, or so many of each cell.

    Beyond, the sweep's summaries have their largest errors.
    """
    cells, complete = cells_between(fmt, *WINDOW), fmt.bits <= every
    ordinals = spread(cells, 1 << fmt.cell_shift if complete else points, fmt.cell_shift).ravel()
    below, above = np.empty(len(ordinals)), np.empty(len(ordinals))
    for i in range(0, len(ordinals), BLOCK):
        part = slice(i, i + BLOCK)
        for branch, name in ((below, BELOW), (above, ABOVE)):
            branch[part] = errors_at(name, fmt, ordinals[part]).ulp[0]
    before = (*_worst(summaries[BELOW], summaries[BELOW].cells < cells[0]), BELOW)
    after = (*_worst(summaries[ABOVE], summaries[ABOVE].cells > cells[-1]), ABOVE)
    return Window(fmt, ordinals, below, above, complete, max(before, after), fmt.bits <= 16)


def _worst(summary: Summary, chosen: Array) -> tuple[float, int]:
    """Return the largest error in the chosen cells, with the ordinal of its input."""
    at = int(np.argmax(np.where(chosen, summary.max_ulp[0], -1)))
    return float(summary.max_ulp[0, at]), int(summary.max_ulp_at[0, at])


def cutoff_row(seen: Window) -> Row:
    """Return the cutoffs of the least largest error in the window, the error there and at log 2, and likewise the mean."""
    fmt = seen.fmt
    low, high = seen.largest()
    largest, mean = np.maximum(low, high), seen.mean()
    best = np.flatnonzero(largest == largest.min())
    natural, likeliest = seen.position(float(fmt.round(math.log(2)))), int(mean.argmin())
    return {
        "format": fmt.name,
        "points": len(seen.ordinals),
        "exhaustive": seen.exhaustive,
        "best_from": significant(seen.cutoff(int(best[0]))),
        "best_to": significant(seen.cutoff(int(best[-1]))),
        "best_max_ulp": _certified(seen, int(best[0])),
        "log2_max_ulp": _certified(seen, natural),
        "quarter_max_ulp": _certified(seen, seen.position(0.25)),
        "one_max_ulp": _certified(seen, seen.position(1.0)),
        "two_max_ulp": _certified(seen, seen.position(2.0)),
        "mean_best": significant(seen.cutoff(likeliest)),
        "mean_best_ulp": significant(float(mean[likeliest])),
        "mean_log2_ulp": significant(float(mean[natural])),
        "beyond_max_ulp": str(_at(seen, *seen.beyond[1:])["max_ulp"]),
        "beyond_exhaustive": seen.beyond_exhaustive,
        **{f"log2_{name}": _largest(seen, natural)[f"max_ulp_{name}"] for name in ("input", "computed", "exact")},
    }


def _certified(seen: Window, position: int) -> str:
    """Return the largest error in the window with a cutoff, computed again in mpmath."""
    return str(_largest(seen, position)["max_ulp"])


def _largest(seen: Window, position: int) -> Row:
    """Return the largest error in the window with a cutoff, its input, and what is computed and exact there, certified."""
    found = [
        (float(errors.max()), int(seen.ordinals[first + errors.argmax()]), name)
        for errors, first, name in ((seen.below[:position], 0, BELOW), (seen.above[position:], position, ABOVE))
        if errors.size
    ]
    return _at(seen, *max(found)[1:])


def _at(seen: Window, ordinal: int, name: str) -> Row:
    """Return a branch's error at one input, certified."""
    case = Case(PROBLEM, name, kernel_named("log1mexp", name), Grid("standard", PROBLEM, seen.fmt), None)
    return certified_extreme(case, ordinal)


def cutoff_rows(seen: Window, count: int) -> list[Row]:
    """Return the largest and the mean error for so many cutoffs, evenly spaced in their logarithm."""
    low, high = seen.largest()
    mean = seen.mean()
    rows: list[Row] = []
    for c in np.geomspace(*WINDOW, count):
        at = seen.position(float(c))
        rows.append(
            {
                "format": seen.fmt.name,
                "cutoff": significant(float(c), 6),
                "max_ulp": significant(float(max(low[at], high[at])), 6),
                "mean_ulp": significant(float(mean[at]), 6),
            }
        )
    return rows


def maechler_rows(fmt: Format, points: int) -> list[Row]:
    """Return the largest relative error of each form in each cell from 2^-(p+2) to where e^-a is below 2^-(p+2).

    An infinite result counts as an error of 1.
    """
    least = max(2.0 ** -(fmt.precision + 2), fmt.min_normal)
    cells = cells_between(fmt, least, 2 * fmt.precision * math.log(2))
    ordinals = inputs_of(fmt, cells, min(points, 64))
    largest = {}
    for name in DRAWN:
        errors = errors_at(name, fmt, ordinals.ravel())
        relative = errors.relative(0)
        largest[name] = np.where(relative < 0, 1.0, relative).reshape(ordinals.shape).max(axis=1)
    return [
        {
            "format": fmt.name,
            "a": significant(float(fmt.from_ordinal(ordinals[i, :1])[0]), 6),
            **{name: significant(float(v[i]), 4) for name, v in largest.items()},
        }
        for i in range(len(cells))
    ]
