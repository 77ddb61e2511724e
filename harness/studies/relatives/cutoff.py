"""Maechler's figure of log1mexp: two forms against a, and the best cutoff between them.

A two-branch form with cutoff c takes log(-expm1(-a)) for a <= c and log1p(-e^-a) above.
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


@dataclass(frozen=True)
class Window:
    """Hold inputs around log 2 in order, the ulp errors of both branches there, and the worst beyond.

    `before` is the largest error of the lower branch at inputs below with its ordinal, `after` that of
    the upper one above.
    """

    fmt: Format
    ordinals: Array
    below: Array
    above: Array
    before: tuple[float, int]
    after: tuple[float, int]

    @property
    def a(self) -> Array:
        """Return the inputs a in order, in float64, which holds those of every format exactly."""
        return self.fmt.from_ordinal(self.ordinals).astype(np.float64)

    def largest(self) -> tuple[Array, Array]:
        """Return, for cutoffs before each input and after the last, the largest error of either branch; shape (n + 1,)."""
        low = np.maximum.accumulate(np.append(self.before[0], self.below))
        high = np.maximum.accumulate(np.append(self.above, self.after[0])[::-1])[::-1]
        return low, high

    def mean(self) -> Array:
        """Return, for the same cutoffs, the mean error over the inputs of the window."""
        low, high = np.append(0, np.cumsum(self.below)), np.append(np.cumsum(self.above[::-1])[::-1], 0)
        return (low + high) / len(self.ordinals)

    def position(self, cutoff: float) -> int:
        """Return how many inputs are at most the cutoff."""
        return int(np.searchsorted(self.a, cutoff, side="right"))


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
    """Return ordinals of cells, shape (cells, n): every input, or so many of each."""
    size = 1 << fmt.cell_shift
    return spread(cells, size if fmt.bits <= 16 else min(points, size), fmt.cell_shift)


def window(fmt: Format, summaries: dict[str, Summary], points: int) -> Window:
    """Measure both branches around log 2; beyond, the sweep's summaries have their largest errors."""
    cells = cells_between(fmt, *WINDOW)
    ordinals = inputs_of(fmt, cells, points).ravel()
    below, above = (errors_at(name, fmt, ordinals).ulp[0] for name in (BELOW, ABOVE))
    before = _worst(summaries[BELOW], summaries[BELOW].cells < cells[0])
    after = _worst(summaries[ABOVE], summaries[ABOVE].cells > cells[-1])
    return Window(fmt, ordinals, below, above, before, after)


def _worst(summary: Summary, chosen: Array) -> tuple[float, int]:
    """Return the largest error in the chosen cells, with the ordinal of its input."""
    at = int(np.argmax(np.where(chosen, summary.max_ulp[0], -1)))
    return float(summary.max_ulp[0, at]), int(summary.max_ulp_at[0, at])


def cutoff_row(seen: Window) -> Row:
    """Return the cutoffs of the least largest error, the error there and at log 2, and likewise the mean."""
    fmt = seen.fmt
    low, high = seen.largest()
    largest, mean = np.maximum(low, high), seen.mean()
    best = np.flatnonzero(largest == largest.min())
    natural, likeliest = seen.position(float(fmt.round(math.log(2)))), int(mean.argmin())
    return {
        "format": fmt.name,
        "points": len(seen.ordinals),
        "exhaustive": fmt.bits <= 16,
        "best_from": significant(_cutoff(seen, int(best[0]))),
        "best_to": significant(_cutoff(seen, int(best[-1]))),
        "best_max_ulp": _certified(seen, int(best[0])),
        "log2_max_ulp": _certified(seen, natural),
        "quarter_max_ulp": _certified(seen, seen.position(0.25)),
        "one_max_ulp": _certified(seen, seen.position(1.0)),
        "two_max_ulp": _certified(seen, seen.position(2.0)),
        "mean_best": significant(_cutoff(seen, likeliest)),
        "mean_best_ulp": significant(float(mean[likeliest])),
        "mean_log2_ulp": significant(float(mean[natural])),
    }


def _cutoff(seen: Window, position: int) -> float:
    """Return the least cutoff with so many inputs at or below it."""
    return float(seen.a[max(position - 1, 0)])


def _certified(seen: Window, position: int) -> str:
    """Return the largest error over all inputs with a cutoff, computed again in mpmath."""
    found = [(*seen.before, BELOW), (*seen.after, ABOVE)]
    for errors, first, name in ((seen.below[:position], 0, BELOW), (seen.above[position:], position, ABOVE)):
        if errors.size:
            found.append((float(errors.max()), int(seen.ordinals[first + errors.argmax()]), name))
    _, ordinal, name = max(found)
    case = Case(PROBLEM, name, kernel_named("log1mexp", name), Grid("standard", PROBLEM, seen.fmt), None)
    return str(certified_extreme(case, ordinal)["max_ulp"])


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
