"""How the figures of a row are known: its bases, which say how strong each of its statements is.

    proved        follows from premises that the row names
    every_input   every input of the format in the problem's domain was visited
    search        the worst that a search found
    sample        the worst of the inputs that a sampled grid visits

A maximum over fewer than all inputs is a lower bound, and a safe range an outer bound: further inputs can only make
the one larger and the other narrower.  Both bases follow from the row's own columns, so that a table that was
swept before there were such columns gets them without a sweep.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.sweep.grid import GRIDS

if TYPE_CHECKING:
    import pandas as pd

PROVED, EVERY_INPUT, SEARCH, SAMPLE = "proved", "every_input", "search", "sample"
STRENGTH = (PROVED, EVERY_INPUT, SEARCH, SAMPLE)  # the strongest first
BASES = ("max_basis", "safe_basis")
# The columns of a sweep's table that stand before the bases; a study's own columns follow them.
LAST_BEFORE = ("remedy", "cause", "max_abs_input", "safe_hi")


def bases(row: Mapping[str, object]) -> dict[str, str]:
    """Return max_basis and safe_basis of a row of the contract, from its `grid`, `exhaustive` and what it states.

    Empty where nothing is stated: max_basis where no finite result was measured, safe_basis where no grid was swept.
    """
    if row["grid"] == SEARCH:
        return dict(zip(BASES, (SEARCH if row["max_ulp"] != "" else "", "")))
    swept = EVERY_INPUT if row["exhaustive"] in (True, "true") else SAMPLE
    ranged = row["grid"] in GRIDS and row["correctly_rounded"] != ""
    return dict(zip(BASES, (swept if row["max_ulp"] != "" else "", swept if ranged else "")))


def with_bases(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of the contract's columns with both bases, derived anew, behind the columns of every sweep."""
    bare = frame.drop(columns=[c for c in BASES if c in frame.columns])
    place = 1 + list(bare.columns).index(next(c for c in LAST_BEFORE if c in bare.columns))
    found = [bases({str(k): v for k, v in row.items()}) for row in bare.to_dict("records")]
    for i, column in enumerate(BASES):
        bare.insert(place + i, column, [b[column] for b in found])
    return bare
