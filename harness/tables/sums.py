"""What the counts and the mean of a row are made of: those of a few of its cells, and those of all others.

A count or a mean follows from no single input.  A table's sidecar therefore has, for each row of a sweep, how many
inputs, errors and outcomes are in a sample of its cells and in the rest, and the sums of the errors.  Both together must
give what the row says; and the sample can be swept again in no time.  See resweep.py.

The sample is stratified: middle cells of equal stretches of the whole range, and of the moderate inputs, from 1/16 to
32 in size, where people's inputs lie and kernels differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from mpmath import mp

from harness.kernels import Kernel
from harness.numbers.distinct import distinct
from harness.problems import Problem
from harness.sweep.grid import Grid
from harness.sweep.summary import SUM_BITS, Summary
from harness.tables.rows import Row, rows_of
from harness.tables.writer import SUMS
from harness.truth.certified import significant
from harness.truth.errors import OUTCOMES

Array = np.ndarray

COUNTS = ("points", "measured", "correctly_rounded", *OUTCOMES)
OF = f"{', '.join(COUNTS)}, sum of ulp errors"
DIGITS = 25  # of a sum: so many that the mean's nine follow
BETWEEN = " | "  # the sample and the others
LARGE = 1 << 24  # a grid of more inputs is of every float32 input, 2^20 of them in each cell
# Sampled cells of a large grid and of others: of the whole range, and of its moderate inputs.
FEW, SOME = (1, 2), (3, 6)
MODERATE = 2.0**-4, 2.0**5


def rows_with_sums(problem: Problem, kernel: Kernel, grid: Grid, targets: Array | None, summary: Summary) -> list[Row]:
    """Return a kernel's rows, see `rows_of`, with what their counts and means are made of, under SUMS."""
    rows, here = rows_of(problem, kernel, grid, targets, summary), np.isin(summary.cells, sampled_cells(grid))
    return [
        {**row, SUMS: BETWEEN.join([sums(summary, t, here), sums(summary, t, ~here)])} for t, row in enumerate(rows)
    ]


def sampled_cells(grid: Grid) -> Array:
    """Return the sampled cells of a grid, in value order."""
    everywhere, moderate = FEW if grid.size(grid.cells) > LARGE else SOME
    least, most = MODERATE
    middle = (grid.cells << grid.fmt.cell_shift) + ((1 << grid.fmt.cell_shift) >> 1)
    size = np.abs(grid.fmt.from_ordinal(np.clip(middle, grid.start, grid.stop - 1)).astype(np.float64))
    return distinct(_middles(grid.cells, everywhere), _middles(grid.cells[(size >= least) & (size < most)], moderate))


def _middles(cells: Array, count: int) -> Array:
    """Return the middle cells of equal stretches."""
    return cells[((np.arange(count) + 0.5) * len(cells) / count).astype(int)] if len(cells) else cells


def sums(summary: Summary, t: int, cells: Array | slice = slice(None)) -> str:
    """Write the counts of some cells, a mask of the summary's, or of all, in the order of COUNTS, and their errors' sum in ulp."""
    counted = [
        summary.points,
        *(c[t] for c in (summary.measured, summary.correctly_rounded, *summary.outcomes.values())),
    ]
    with mp.workprec(SUM_BITS):
        total = significant(summary.total_ulp(t, cells), DIGITS)
    return " ".join([*(str(int(c[cells].sum())) for c in counted), total])


def sampled(text: str) -> str:
    """Return the sample's part of what `with_sums` wrote."""
    return text.partition(BETWEEN)[0]


def unlike(row: Mapping[str, str], text: str) -> Iterator[str]:
    """Tell where a row's counts, share and mean are not those of its sample and the others together."""
    parts = [part.split() for part in text.split(BETWEEN)]
    whole = dict(zip(COUNTS, (sum(int(part[i]) for part in parts) for i in range(len(COUNTS)))))
    measured, points = whole.pop("measured"), whole["points"]
    with mp.workprec(400):
        mean = sum(mp.mpf(part[-1]) for part in parts) / measured if measured else mp.nan
    share = whole.pop("correctly_rounded") / points
    now = {**whole, "mean_ulp": significant(mean), "correctly_rounded": significant(share)}
    for name, value in now.items():
        if row[name] != str(value):
            yield f"{name} is {row[name] or 'empty'}, the sums of its cells make it {value}"
