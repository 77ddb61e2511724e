"""How wrong the library's own functions are: their measured errors, per cell of the argument.

Every kernel stands on exp, log and their like; a bound on its error needs theirs, in ulps of the result.
They are the kernels `numpy` of the primitives, whose largest errors the harness measures itself: at every
input of a 16-bit format, and of float32 where the exhaustive sweep was made, else on a sample with a margin.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.kernels import kernel_named
from harness.kernels.primitives import MEASURED_AS
from harness.numbers.formats import Format
from harness.problems import problem_named
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.sweep.summary import Summary
from harness.truth import fast

Array = np.ndarray

# ASSUME: no maximum of a cell exceeds four times the largest that was sampled in it and in its two
# neighbours, nor twice the whole sample's maximum.  Sweeps over every float32 input found 1.9 times
# (a cell of exp), and 1.753 times (log1p: 1.293 ulp, 0.738 on the sample).
SAMPLED_FACTOR, SAMPLED_MARGIN = 4.0, 2.0


class FunctionErrors:
    """Give the largest ulp error of one function over a range of arguments, from its maxima per cell."""

    def __init__(self, fmt: Format, first_cell: int, maxima: Array):
        self.fmt, self.first = fmt, first_cell
        # levels[k][i] is the maximum over the 2^k cells from i on.
        self.levels = [maxima]
        while 2 << (len(self.levels) - 1) <= len(maxima):
            last, half = self.levels[-1], 1 << (len(self.levels) - 1)
            self.levels.append(np.maximum(last[:-half], last[half:]))

    def over(self, lo: Array, hi: Array) -> Array:
        """Return the maximum over arguments between lo and hi, numbers of the format held in float64."""
        i, j = (self._cell(v) for v in (lo, hi))
        level = np.frexp((j - i + 1).astype(np.float64))[1] - 1
        found = np.empty(level.shape)
        for k in np.unique(level):
            at = level == k
            found[at] = np.maximum(self.levels[k][i[at]], self.levels[k][j[at] - (1 << k) + 1])
        return found

    def _cell(self, v: Array) -> Array:
        cells = self.fmt.cell(self.fmt.ordinal(np.nan_to_num(v).astype(self.fmt.dtype)))
        return np.clip(cells - self.first, 0, len(self.levels[0]) - 1)


def function_errors(fmt: Format, exhaustive: Mapping[str, Summary] | None = None) -> dict[str, FunctionErrors]:
    """Return the measured errors of each library function in a format.

    `exhaustive` gives summaries over all inputs by function, as `snakemake exhaustive` makes them
    for float32.  Functions without one are measured here: formats of up to 16 bits at every
    input, in a fraction of a second; float32 and float64 on the standard grid, with the margin
    for what a sample may miss.
    """
    return {name: _errors(fmt, name, (exhaustive or {}).get(name)) for name in MEASURED_AS}


def _errors(fmt: Format, name: str, known: Summary | None) -> FunctionErrors:
    problem, kernel = problem_named(MEASURED_AS[name][0]), kernel_named(*MEASURED_AS[name])
    grid = Grid("standard", problem, fmt)
    summary = known or sweep(problem, [kernel], grid, None).summaries[kernel.name]
    maxima = summary.max_ulp[0]
    whole = maxima.max()
    if known is None and not grid.exhaustive:
        around = np.pad(maxima, 1, mode="edge")
        near = np.maximum(np.maximum(around[:-2], around[2:]), maxima)
        whole *= SAMPLED_MARGIN
        maxima = np.minimum(SAMPLED_FACTOR * near, whole)
    resolution = fast.bound(fmt) * 2.0**fmt.precision  # of the measurement
    return FunctionErrors(fmt, int(summary.cells[0]), np.where(maxima < 0, whole, maxima) + resolution)
