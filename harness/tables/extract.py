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
from harness.tables.citation import versions
from harness.tables.identity import IDENTITY
from harness.tables.latex import to_latex
from harness.tables.rows import CONTRACT
from harness.tables.selection import chosen, columns_in
from harness.tables.text import averaged, decimal_input, largest, percent, safe, short
from harness.tables.views import Cells, Column
from harness.tables.views import shown as view
from harness.workflow import files

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
    read, told = shown(frame, names), below(frame, path)
    if form == "markdown":
        return read.to_markdown(index=False, disable_numparse=True) + f"\n\n{told}\n"
    title = caption(frame, path.stem)
    if form == "latex":
        return to_latex(read, title, path.stem, width) + f"% Below the table: {in_latex(told)}\n"
    return _html(read, title, told)


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


def below(frame: pd.DataFrame, path: Path) -> str:
    """Return what an author writes below rows of a table: unit, basis, formats, grid, points, versions, where they are from."""
    if not set(CONTRACT) <= set(frame.columns):
        return f"From {path.name}; {measured_by(path)}."
    whole = frame["exhaustive"] == "true"
    rows = {"over every input": frame[whole], "over a sample, a lower bound (≥)": frame[~whole]}
    kinds = [f"{text} in {', '.join(dict.fromkeys(of['format']))}" for text, of in rows.items() if len(of)]
    points = [int(n) for n in frame["points"]]
    several = f"{min(points)} to {max(points)}" if min(points) < max(points) else str(points[0])
    grids = ", ".join(dict.fromkeys(frame["grid"]))
    return (
        f"Errors in units in the last place (ulp) of the exact value, {'; '.join(kinds)}; grid {grids}, {several} points a row; "
        f"{measured_by(path)}; rows of {path.name}."
    )


def measured_by(path: Path) -> str:
    """Return with which versions a table was measured, as its sidecar says, if it has one."""
    sidecar = path.with_suffix(".json")
    return versions(files.read_json(sidecar, "a table's sidecar").get("provenance", {}) if sidecar.is_file() else {})


def in_latex(text: str) -> str:
    """Return a sentence as TeX sets it: ≥ in mathematics, and what is a command to it escaped."""
    return text.replace("_", r"\_").replace("%", r"\%").replace("&", r"\&").replace("≥", r"$\ge$")


def _html(shown: pd.DataFrame, title: str, told: str) -> str:
    """Write a table as HTML that stands alone in a page; great_tables escapes what it is given as text."""
    from great_tables import GT

    return GT(shown).tab_header(title=title).tab_source_note(told).as_raw_html() + "\n"
