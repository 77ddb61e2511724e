"""Rows of a table for a paper or a page: chosen, in few columns, in the form that is asked for.

Without a choice of columns the table is shown as its Markdown file shows it; columns that are named are those of the
CSV, with three digits and inputs in decimal, but in CSV, which keeps every digit.  `safe` stands for the safe range,
`spurious` for the counts of spurious outcomes.  Tables of other columns than the contract's are shown whole, but for
columns that are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness import UsageError
from harness.tables import contract, writer
from harness.tables.basis import EVERY_INPUT
from harness.tables.citation import versions
from harness.tables.identity import IDENTITY
from harness.tables.latex import to_latex
from harness.tables.rows import CONTRACT
from harness.tables.selection import chosen, columns_in
from harness.tables.text import OUTCOME_LABELS, averaged, decimal_input, largest, percent, safe, short, spurious
from harness.tables.views import Cells, Column, as_it_is, needed, plain
from harness.tables.views import shown as view
from harness.workflow import files

WRITTEN: dict[str, Callable[[Cells], str]] = {
    "max_ulp": largest,
    "mean_ulp": averaged("mean_ulp"),
    "correctly_rounded": averaged("correctly_rounded", percent),
    "safe": safe,
    "spurious": spurious,
}
MADE_OF = {"safe": ["safe_lo", "safe_hi"], "spurious": list(OUTCOME_LABELS)}  # columns of the CSV
# What is shown of a library's call, whose `kernel` repeats the rest.
OF_CALLS = (*plain("library", "system", "mode"), *contract.VIEW[:1], *contract.VIEW[2:])
NAMES = ("id", "kernel", "system", "library", "version", "claim", "statement")  # whatever they look like
UNSEEN = ("library", "system", "kernel", "mode", "target")
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
    title = ", ".join([caption(frame, path), *_unseen(frame, read)])
    if form == "latex":
        return to_latex(read, title, path.stem, width) + f"% Below the table: {in_latex(told)}\n"
    return _html(read, title, told)


def _hard_range(row: Cells) -> str:
    """Write the range that is safe for hard targets, of a row with a verdict."""
    known = {"grid": "", "mean_ulp": "of none", "exhaustive": row["safe_basis_hard"] == EVERY_INPUT}
    return safe({**row, **known, "safe_lo": row["safe_lo_hard"], "safe_hi": row["safe_hi_hard"]})


OF_VERDICTS = (
    *plain("problem", "kernel", "format", "verdict"),
    Column("safe range", _hard_range),
    Column("use instead", "use_instead"),
    Column("what fails", "failure", lambda text: text.replace("<=", "≤").replace(">=", "≥")),
)


def _columns_of(name: str) -> list[str]:
    return MADE_OF.get(name, [name])


def shown(frame: pd.DataFrame, names: Sequence[str] | None) -> pd.DataFrame:
    """Return what people read of rows: the columns of the Markdown table, or those named, and `id`."""
    swept = list(frame.columns[: len(CONTRACT)]) == list(CONTRACT)
    if names is None and swept and "system" in frame.columns:
        return view(frame, needed(frame, OF_CALLS))
    if names is None and swept:
        return contract.readable(frame)
    if names is None and "verdict" in frame.columns and "use_instead" in frame.columns:
        return view(frame, OF_VERDICTS)
    if names is None:
        return view(frame, [Column(n.replace("_", " "), n, _source(n)[1]) for n in frame.columns if any(frame[n])])
    columns_in(frame, [c for n in names for c in _columns_of(n)])
    named = [Column(HEADINGS.get(n, n), *_source(n)) for n in names]
    if "id" in frame.columns and "id" not in names:
        named.append(Column("id", "id"))
    return view(frame, named)


def _source(name: str) -> tuple[Any, Any]:
    """Return where a column's text comes from and how it is written."""
    if name in WRITTEN:
        return WRITTEN[name], str
    if name in NAMES:
        return name, as_it_is
    return name, decimal_input if name.endswith("_input") else short if name.endswith("_ulp") else _written


def _written(cell: str) -> str:
    """Write a cell that is a decimal number in three digits, a hex float in four, anything else as it is."""
    if cell.lstrip("-").startswith("0x"):
        return decimal_input(cell)
    try:
        return cell if cell.isdigit() else short(float(cell) and cell)
    except ValueError:
        return cell


def caption(frame: pd.DataFrame, path: Path) -> str:
    """Return a caption that says what was measured of which problems in which formats; of other tables, their title."""
    if set(IDENTITY) <= set(frame.columns):
        return contract.caption(frame)
    told = path.with_suffix(".md")
    title = files.read_text(told, "a table").partition("\n")[0] if told.is_file() else ""
    return title[2:] if title.startswith("# ") and not title.endswith("?") else f"Rows of the table {path.stem}"


def _unseen(frame: pd.DataFrame, read: pd.DataFrame) -> list[str]:
    """Return what is the same in all rows and in no column that is shown: without it a reader would take rows for more."""
    alike = [c for c in UNSEEN if c in frame.columns and c not in read.columns and frame[c].nunique() == 1]
    return [
        f"{c} {frame[c].iloc[0]}"
        for c in alike
        if frame[c].iloc[0] and not (c == "kernel" and "system" in frame.columns)
    ]


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
