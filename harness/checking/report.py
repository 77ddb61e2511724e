"""What a check found: the rows of its table, the verdict on each, and what else there is to say.

A Report is read in a notebook (`.table`, `.worst`, `.plot()`), printed (`.text()`), or kept (`.to_json()`,
`.to_html(path)`).  pandas and matplotlib are loaded when they are asked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mpmath import mp

from harness.checking.judge import over, table_text, verdict
from harness.checking.special import SpecialResult, sentence
from harness.checking.subject import Loaded
from harness.sweep.summary import Summary
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import CONTRACT, Row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Report:
    """Hold the rows of one check and the budget they are judged by.

    `notes` are sentences about the function and how it was called; `special` has by problem what it makes of infinities,
    NaN and an empty batch; `summaries` has the errors of every cell by problem, from which `plot` draws; `loaded` is what
    the function turned out to be, None for a built-in kernel.
    """

    rows: Sequence[Row]
    max_ulp: float
    notes: Sequence[str] = ()
    special: Mapping[str, Sequence[SpecialResult]] = field(default_factory=dict)
    summaries: Mapping[str, Summary] = field(default_factory=dict, repr=False)
    loaded: Loaded | None = None

    @property
    def passed(self) -> bool:
        """Tell whether every row is within the budget and has no spurious outcome."""
        return not any(over(r, self.max_ulp) for r in self.rows)

    @property
    def verdict(self) -> str:
        """Return the verdicts, a line for each row: PASS or FAIL, the errors, and the reason."""
        return "\n".join(verdict(r, self.max_ulp) for r in self.rows)

    @property
    def worst(self) -> Row:
        """Return the row that is worst: the most spurious outcomes where it gave nothing finite, else the largest error."""
        return max(self.rows, key=lambda r: mp.mpf(str(r["max_ulp"])) if r["max_ulp"] != "" else mp.inf)

    @property
    def table(self) -> pd.DataFrame:
        """Return the rows as a pandas table with the contract's columns first, numbers as numbers."""
        import pandas as pd

        return pd.DataFrame([{k: _json(k, v) for k, v in row.items()} for row in self.rows])

    def text(self) -> str:
        """Return what `harness check` prints: a table for each problem, then the verdicts and the notes."""
        names = dict.fromkeys(r["problem"] for r in self.rows)
        tables = [table_text([r for r in self.rows if r["problem"] == name]) for name in names]
        notes = [f"NOTE  {note}" for note in (*self.notes, *map(sentence, self.special.values()))]
        return "\n\n".join([*tables, "\n".join([*self.verdict.splitlines(), *notes])])

    def to_json(self) -> str:
        """Write the rows as a JSON list of objects with the table's columns; numbers as numbers."""
        return json.dumps([{k: _json(k, v) for k, v in row.items()} for row in self.rows], indent=1)

    def __str__(self) -> str:
        return self.text()


TEXT = (
    "problem",
    "kernel",
    "format",
    "grid",
    "max_ulp_input",
    "max_ulp_computed",
    "max_ulp_exact",
    "safe_lo",
    "safe_hi",
    *OUTCOME_INPUTS.values(),
    "usual_max_ulp_input",
)


NUMBERS = {*CONTRACT, "usual_max_ulp", "condition"} - {*TEXT}


def _json(column: str, value: object) -> object:
    """Turn a table's text into a JSON value: null for nothing, infinities as text."""
    if value == "":
        return None
    if isinstance(value, (bool, int)) or column not in NUMBERS:
        return value
    number = float(str(value))
    return number if math.isfinite(number) else str(value)
