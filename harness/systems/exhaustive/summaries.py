"""Summaries of what is swept in pairs of blocks: upwards above 0, downwards below it, each target by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.sweep.summary import CELL_FIELDS, EXTREMES, Summary
from harness.sweep.tally import Tally
from harness.truth.errors import OUTCOMES

ROW_FIELDS = ("bad_below", "bad_above")


class SummaryDownwards(Summary):
    """Take blocks from the last to the first in value order; of equal maxima the least input's is kept all the same.

    For formats whose errors are never beyond float64's range.
    """

    def add(self, tally: Tally) -> None:
        """Add the tally of a block, all of whose inputs lie below those of the blocks before."""
        columns = tally.block.columns
        tied = tally.top == self.max_ulp[:, columns]
        super().add(tally)
        if tied.any():
            self.max_ulp_at[:, columns] = np.where(tied, tally.top_at, self.max_ulp_at[:, columns])

    def _extremes(self, tally: Tally) -> None:
        for name in EXTREMES:
            for t in np.nonzero(tally.most[name] >= self.extreme[name])[0]:
                value, at = tally.largest(name, int(t))
                if value >= self.extreme[name][t]:
                    self.extreme[name][t], self.extreme_at[name][t] = value, at


def side_by_side(parts: Sequence[Summary]) -> Summary:
    """Return one summary of the same cells whose targets are those of all parts, in order."""
    whole = Summary(sum(len(p.bad_above) for p in parts), parts[0].cells)
    for name in (*CELL_FIELDS, *ROW_FIELDS):
        if name != "points":
            setattr(whole, name, np.concatenate([getattr(p, name) for p in parts]))
    whole.points = parts[0].points
    whole.outcomes = {name: np.concatenate([p.outcomes[name] for p in parts]) for name in OUTCOMES}
    whole.extreme = {name: np.concatenate([p.extreme[name] for p in parts]) for name in EXTREMES}
    whole.extreme_at = {name: np.concatenate([p.extreme_at[name] for p in parts]) for name in EXTREMES}
    return whole
