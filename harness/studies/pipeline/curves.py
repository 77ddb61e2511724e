"""What the figures of the pipelines show: the largest errors, and the fewest digits, in each cell of logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.studies.pipeline.pipelines import Pair, PairSummaries
from harness.studies.pipeline.round_trip import EXACT, FORMULAS, digits, relative_errors
from harness.sweep.summary import Summary
from harness.tables.rows import Row
from harness.truth.certified import significant

LEAST, MOST = 2.0**-12, 2.0**11  # logits that are drawn, in size
FIGURES = 4  # significant digits


def drawn_cells(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of the cells that are drawn, and the least number in size of each."""
    grid = pair.grid
    low = grid.cells << grid.fmt.cell_shift
    ends = np.where(low >= 0, low, low + (1 << grid.fmt.cell_shift) - 1)
    value = grid.fmt.from_ordinal(ends).astype(np.float64)
    inside = np.nonzero((abs(value) >= LEAST) & (abs(value) < MOST))[0]
    return inside, value[inside]


def curve_rows(
    pair: Pair, sigmoid: str, found: PairSummaries, targets: np.ndarray, fused: str, drawn: Sequence[str]
) -> list[Row]:
    """Return, for each target and cell, the largest error of each part in ulps of the loss's format.

    `inf` where an outcome is infinite or NaN; the errors are those of the fast reference.
    """
    inside, value = drawn_cells(pair)
    summaries: dict[str, Summary] = {"quantisation": found.quantisation[sigmoid], "fused": found.fused[fused]}
    summaries |= {f"{k}_kernel": found.kernel[k] for k in drawn} | {f"{k}_whole": found.whole[k] for k in drawn}
    return [
        {
            "probability_format": pair.probability.name,
            "loss_format": pair.loss.name,
            "target": pair.loss.short(target),
            "logit": significant(value[i]),
            **{name: _error(s, t, int(c)) for name, s in summaries.items()},
        }
        for t, target in enumerate(targets)
        for i, c in enumerate(inside)
    ]


def _error(summary: Summary, t: int, cell: int) -> str:
    wrong = any(summary.outcomes[name][t, cell] for name in ("spurious_inf", "spurious_nan"))
    return "inf" if wrong else significant(max(summary.max_ulp[t, cell], 0), FIGURES)


def digit_rows(pair: Pair, sigmoid: str) -> list[Row]:
    """Return, for each cell, the fewest digits of the logit that come back, by formula."""
    inside, value = drawn_cells(pair)
    ordinals = pair.grid.ordinals()
    cell = pair.probability.cell(ordinals) - pair.grid.cells[0]
    kept = np.isin(cell, inside)
    cell, ordinals = cell[kept], ordinals[kept]
    worst = {}
    for formula in (EXACT, *FORMULAS):
        most = np.zeros(len(pair.grid.cells))
        np.maximum.at(most, cell, relative_errors(pair, sigmoid, formula, ordinals))
        worst[formula] = digits(most[inside], pair)
    return [
        {
            "probability_format": pair.probability.name,
            "loss_format": pair.loss.name,
            "logit": significant(value[i]),
            **{formula: significant(float(d[i]), FIGURES) for formula, d in worst.items()},
        }
        for i in range(len(inside))
    ]
