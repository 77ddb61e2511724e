"""The identifier of a row: ten hex digits by which a figure can be cited, found and measured again.

It is a hash of what was measured, not of what came out: the problem, the kernel or the system with its version, the
format, the target and the grid.  The same measurement has the same identifier in every table and every release; a
library's next version has another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import pandas as pd

from harness.tables.text import as_cell

IDENTITY = ("problem", "kernel", "format", "target", "grid")
# What tells rows apart besides, in the tables that have it: a library's version, the classes of a softmax, the kind of
# vectors that it gets, the width of a probability.
BESIDES = ("version", "k", "kind", "probability_format")
DIGITS = 10


def identifier(row: Mapping[str, object]) -> str:
    """Return the identifier of a row of the contract's columns: 40 bits of a SHA-256, as hex digits."""
    named = [as_cell(row[name]) for name in IDENTITY]
    named += [f"{name}={as_cell(row[name])}" for name in BESIDES if row.get(name, "") != ""]
    return hashlib.sha256("|".join(named).encode()).hexdigest()[:DIGITS]


def identified(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> tuple[list[dict], list[str]]:
    """Return rows and columns with `id`, the last column unless it is there; unchanged in a table of other columns."""
    if not set(IDENTITY) <= set(columns):
        return [dict(row) for row in rows], list(columns)
    named = [{**row, "id": identifier(row)} for row in rows]
    return named, [*columns, *(["id"] if "id" not in columns else [])]


def with_id(shown: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return what is shown of rows of the contract, a line for each, with the column `id`; anything else as it is."""
    if not set(IDENTITY) <= set(rows.columns) or len(shown) != len(rows) or "id" in shown.columns:
        return shown
    return shown.assign(id=[identifier(row) for row in rows.to_dict("records")])
