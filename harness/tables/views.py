"""What people read of a table: columns as data, each with a heading, where its text comes from, and how it is written.

A CSV file has every column and digit.  What Markdown, LaTeX and the pages show of it is a view: fewer columns,
three digits, counts in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd

from harness.tables.text import as_cell

Cells = Mapping[str, Any]  # a row: column name to what the CSV holds there
Rows: TypeAlias = pd.DataFrame | Sequence[Cells]  # a whole table, or rows of one


def as_it_is(text: str) -> str:
    """Return a cell as the CSV has it."""
    return text


@dataclass(frozen=True)
class Column:
    """Describe one column that people read: its heading, where its text comes from, how it is written.

    `source` names the CSV's column, or is a function of the whole row where several make one text;
    `write` turns the cell into what is shown.
    """

    heading: str
    source: str | Callable[[Cells], str]
    write: Callable[[str], str] = as_it_is

    def text(self, row: Cells) -> str:
        """Return the text that the column shows of a row, written from its source cell or by its source function."""
        return self.write(row[self.source]) if isinstance(self.source, str) else self.source(row)


# What is shown of a table: columns, or where one line is made of several rows, a function of the whole table.
View = Sequence[Column] | Callable[[pd.DataFrame], pd.DataFrame]


def records(rows: Rows) -> list[dict[str, str]]:
    """Return rows as their CSV has them: every cell as text."""
    found = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
    return [{str(name): as_cell(cell) for name, cell in row.items()} for row in found]


def shown(rows: Rows, columns: Sequence[Column]) -> pd.DataFrame:
    """Return what is shown of rows: a line for each, a text for each column."""
    return pd.DataFrame(
        [[column.text(row) for column in columns] for row in records(rows)], columns=[c.heading for c in columns]
    )


def needed(rows: Rows, columns: Sequence[Column]) -> list[Column]:
    """Return the columns without `problem` where all rows are of one, and without `target` where no row has one."""
    found = records(rows)
    idle = {"problem": len({r["problem"] for r in found}) < 2, "target": not any(r["target"] for r in found)}
    return [c for c in columns if not idle.get(str(c.source), False)]


def plain(*names: str, **headings: str) -> list[Column]:
    """Return columns that are shown as the CSV has them: by their own names, or as `column=heading`."""
    return [Column(name, name) for name in names] + [Column(heading, name) for name, heading in headings.items()]


def pick(frame: pd.DataFrame, **where: str) -> pd.DataFrame:
    """Return the rows where the columns have these values."""
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame
