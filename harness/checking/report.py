"""What a check found: the rows of its table, the verdict on each, and what else there is to say.

A Report is read in a notebook (`.table`, `.worst`, `.plot()`), printed (`.text()`), or kept (`.to_json()`,
`.to_html(path)`).  pandas and matplotlib are loaded when they are asked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mpmath import mp

from harness import UsageError
from harness.checking.judge import passes, table_text, verdict
from harness.checking.special import SpecialResult, sentence
from harness.checking.subject import Loaded
from harness.sweep.summary import Summary
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import CONTRACT, Row
from harness.workflow.files import write_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Report:
    """Hold the rows of one check and the budget they are judged by.

    `notes` are sentences about the function and how it was called; `special` has by problem what it makes of infinities,
    NaN and an empty batch; `summaries` has the errors of every cell by problem, from which `plot` draws; `loaded` is what
    the function turned out to be, None for a built-in kernel.  With `allow_flush` a row passes that flushed subnormal numbers
    alone put over the budget.
    """

    rows: Sequence[Row]
    max_ulp: float
    notes: Sequence[str] = ()
    special: Mapping[str, Sequence[SpecialResult]] = field(default_factory=dict)
    summaries: Mapping[str, Summary] = field(default_factory=dict, repr=False)
    loaded: Loaded | None = None
    allow_flush: bool = False

    @property
    def passed(self) -> bool:
        """Tell whether every row is within the budget and has no spurious outcome, allowed flushes apart."""
        return not self.failing

    @property
    def failing(self) -> list[Row]:
        """Return the rows that do not pass."""
        return [r for r in self.rows if not passes(r, self.max_ulp, self.allow_flush)]

    @property
    def verdict(self) -> str:
        """Return the verdicts, a line for each row: PASS or FAIL, the errors, and the reason.

        Where a gradient or a Hessian is judged beside a loss, each line names its problem.
        """
        named = len({r["problem"] for r in self.rows}) > 1
        return "\n".join(verdict(r, self.max_ulp, self.allow_flush, named) for r in self.rows)

    @property
    def worst(self) -> Row:
        """Return the row of the largest error, or one that has nothing finite, with numbers as numbers."""
        row = max(self.rows, key=lambda r: mp.mpf(str(r["max_ulp"])) if r["max_ulp"] != "" else mp.inf)
        return {k: _json(k, v) for k, v in row.items()}

    @property
    def said(self) -> list[str]:
        """Return what there is to say beside the verdicts: the notes, and a sentence on special inputs of each problem."""
        return list(dict.fromkeys([*self.notes, *map(sentence, self.special.values())]))

    @property
    def table(self) -> pd.DataFrame:
        """Return the rows as a pandas table with the contract's columns first, numbers as numbers."""
        import pandas as pd

        return pd.DataFrame(self._records())

    def plot(self, ax: Axes | None = None, problem: str | None = None) -> Axes:
        """Draw the largest errors along the input, a line for each target, and return the matplotlib axes.

        Draws on `ax`, by default on those of a new figure; `problem` chooses among the checked ones, by default the first.
        UsageError for a problem that was not checked.
        """
        from harness.checking.page import onto

        name = problem or next(iter(self.summaries), "")
        if not self.summaries:
            raise UsageError("a check of K classes has no input to draw its errors along; see .table")
        if name not in self.summaries:
            raise UsageError(f"{name!r} was not checked; checked: {', '.join(self.summaries)}")
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.figure(figsize=(9, 3.6), layout="constrained").add_subplot()
        onto(ax, self, name)
        return ax

    def text(self) -> str:
        """Return what `harness check` prints: a table for each problem, then the verdicts and the notes."""
        names = dict.fromkeys(r["problem"] for r in self.rows)
        tables = [table_text([r for r in self.rows if r["problem"] == name]) for name in names]
        notes = [f"NOTE  {note}" for note in self.said]
        return "\n\n".join([*tables, "\n".join([*self.verdict.splitlines(), *notes])])

    def to_json(self) -> str:
        """Write the rows as a JSON list of objects with the table's columns; numbers as numbers.

        A user's function has four more: `library`, `device`, `notes` and `special`, what it makes of special inputs.
        """
        return json.dumps(self._records(), indent=1)

    def to_html(self, path: str | Path) -> None:
        """Write the report as one HTML page, with its figure, to a file."""
        from harness.checking.page import page

        write_text(Path(path), page(self))

    def _records(self) -> list[dict[str, object]]:
        found = [{k: _json(k, v) for k, v in row.items()} for row in self.rows]
        if self.loaded is None:
            return found
        for record in found:
            special = [asdict(r) for r in self.special.get(str(record["problem"]), ())]
            more = {"library": self.loaded.library, "device": self.loaded.device, "notes": list(self.notes)}
            record.update(more, special=special)
        return found

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


# What the targets of functions of K classes are called: see classes.py.
TARGETS_OF_CLASSES = ("top", "other", "soft")
NUMBERS = {*CONTRACT, "usual_max_ulp", "condition"} - {*TEXT}


def _json(column: str, value: object) -> object:
    """Turn a table's text into a JSON value: null for nothing, infinities as text."""
    if value == "":
        return None
    if isinstance(value, (bool, int)) or column not in NUMBERS or value in TARGETS_OF_CLASSES:
        return value
    number = float(str(value))
    return number if math.isfinite(number) else str(value)
