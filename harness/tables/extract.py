"""Rows of a table for a paper or a page: chosen, in few columns, in the form that is asked for.

Without a choice of columns the table is shown as its Markdown file shows it; columns that are named are those of the
CSV, with three digits and inputs in decimal, but in CSV, which keeps every digit.  `safe` stands for the safe range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness import UsageError
from harness.tables import contract, writer
from harness.tables.identity import IDENTITY
from harness.tables.latex import to_latex
from harness.tables.rows import CONTRACT
from harness.tables.selection import chosen, columns_in
from harness.tables.text import averaged, decimal_input, largest, percent, safe, short
from harness.tables.views import Cells, Column
from harness.tables.views import shown as view

WRITTEN: dict[str, Callable[[Cells], str]] = {
    "max_ulp": largest,
    "mean_ulp": averaged("mean_ulp"),
    "correctly_rounded": averaged("correctly_rounded", percent),
    "safe": safe,
}
HEADINGS = {
    "max_ulp": "max error (ulp)",
    "max_ulp_input": "at input",
    "mean_ulp": "mean (ulp)",
    "correctly_rounded": "correctly rounded",
    "safe": "safe range",
    "usual_max_ulp": "usual max (ulp)",
}


def extract(path: Path, condition: str | None, names: Sequence[str] | None, form: str, width: str) -> str:
    """Return rows of a CSV table as latex, markdown, csv or html; UsageError where no row or no such column is there."""
    frame = writer.read(path)
    if condition:
        frame = chosen(frame, condition).reset_index(drop=True)
    if frame.empty:
        raise UsageError(f"no row of {path} has {condition}")
    if form == "csv":
        columns = columns_in(frame, [c for n in names or frame.columns for c in _columns_of(n)])
        return writer.to_csv(frame.to_dict("records"), columns)  # type: ignore[arg-type]
    read = shown(frame, names)
    if form == "markdown":
        return read.to_markdown(index=False, disable_numparse=True) + "\n"
    title = caption(frame, path.stem)
    return to_latex(read, title, path.stem, width) if form == "latex" else _html(read, title)


def _columns_of(name: str) -> list[str]:
    return ["safe_lo", "safe_hi"] if name == "safe" else [name]


def shown(frame: pd.DataFrame, names: Sequence[str] | None) -> pd.DataFrame:
    """Return what people read of rows: the columns of the Markdown table, or those named, and `id`."""
    swept = list(frame.columns[: len(CONTRACT)]) == list(CONTRACT)
    if names is None:
        return contract.readable(frame) if swept else frame
    columns_in(frame, [c for n in names for c in _columns_of(n)])
    named = [Column(HEADINGS.get(n, n), *_source(n)) for n in names]
    if "id" in frame.columns and "id" not in names:
        named.append(Column("id", "id"))
    return view(frame, named)


def _source(name: str) -> tuple[Any, Any]:
    """Return where a column's text comes from and how it is written."""
    if name in WRITTEN:
        return WRITTEN[name], str
    return name, decimal_input if name.endswith("_input") else _written


def _written(cell: str) -> str:
    """Write a cell that is a decimal number in three digits, a hex float in four, anything else as it is."""
    if cell.lstrip("-").startswith("0x"):
        return decimal_input(cell)
    try:
        return cell if cell.isdigit() else short(float(cell) and cell)
    except ValueError:
        return cell


def caption(frame: pd.DataFrame, table: str) -> str:
    """Return a caption that says what was measured of which problems in which formats."""
    if set(IDENTITY) <= set(frame.columns):
        return contract.caption(frame)
    return f"Rows of the table {table}"


def _html(shown: pd.DataFrame, title: str) -> str:
    """Write a table as HTML that stands alone in a page; great_tables escapes what it is given as text."""
    from great_tables import GT

    return GT(shown).tab_header(title=title).as_raw_html() + "\n"
