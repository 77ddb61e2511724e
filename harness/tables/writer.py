"""The one writer of tables: CSV with every digit, Markdown and LaTeX to read, JSON with checksums beside them.

The four files of a table are named alike and written together: a run that fails leaves the four that were there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import pandas as pd

from harness.tables.identity import identified
from harness.tables.latex import to_latex
from harness.tables.text import as_cell
from harness.workflow import files
from harness.workflow.provenance import provenance

Rows = Iterable[Mapping[str, object]]


def write(
    path: Path,
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[str],
    shown: pd.DataFrame,
    title: str,
    *,
    note: str = "",
    markdown: str = "",
    caption: str = "",
    extra: Mapping[str, object] | None = None,
    measured_with: Mapping[str, object] | None = None,
) -> None:
    """Write a table as PATH.csv, .md, .tex and .json, all of them or none.

    The CSV holds `columns` of the rows, those of the contract with their `id` (see identity.py); Markdown and LaTeX hold what is `shown` of them, text in every cell.
    `markdown` is the Markdown file's whole text, where it is more than the title, the note and the table;
    `caption` is LaTeX's, where it is not the title; `extra` goes into the JSON, which
    holds the number of rows, where they come from, and the checksums of the other three; `measured_with` is the
    provenance of the measurements, where they were made before this process, which is taken otherwise.
    """
    rows, columns = identified(rows, columns)
    texts = {
        path.with_suffix(".csv"): to_csv(rows, columns),
        path.with_suffix(".md"): markdown or to_markdown(shown, title, note),
        path.with_suffix(".tex"): to_latex(shown, caption or title, path.stem),
    }
    checksums = {p.name: files.sha256_of(text) for p, text in texts.items()}
    described = files.to_json(sidecar(path.stem, len(rows), checksums, extra or {}, measured_with))
    files.write_texts({path.with_suffix(".json"): described, **texts})  # the first is renamed last


def write_again(
    path: Path,
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[str],
    shown: Mapping[str, str] | None = None,
) -> None:
    """Write a table again from what its own CSV says: further columns that follow from others, another way to show it.

    `shown` holds the new texts by suffix (".md", ".tex").  The JSON keeps all that it says of where the rows come
    from; number of rows and checksums are those of the new files.
    """
    rows, columns = identified(rows, columns)
    texts = {path.with_suffix(".csv"): to_csv(rows, columns)}
    texts |= {path.with_suffix(suffix): text for suffix, text in (shown or {}).items()}
    described = files.read_json(path.with_suffix(".json"), "a table's sidecar")
    described["sha256"] |= {p.name: files.sha256_of(text) for p, text in texts.items()}
    described["rows"] = len(rows)
    files.write_texts({path.with_suffix(".json"): files.to_json(described), **texts})


def sidecar(
    table: str,
    rows: int,
    checksums: Mapping[str, str],
    extra: Mapping[str, object],
    measured_with: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return what a table's JSON file holds: number of rows, checksums by file name, further facts, provenance."""
    return {"table": table, "rows": rows, "sha256": checksums, **extra, "provenance": measured_with or provenance()}


def read(path: Path | TextIO) -> pd.DataFrame:
    """Read a table's CSV with every cell as text, as written."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def to_csv(rows: Rows, columns: Sequence[str]) -> str:
    """Write rows as CSV with the given columns, see `as_cell`; cells that a row lacks are empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([as_cell(row.get(column)) for column in columns] for row in rows)
    return buffer.getvalue()


def to_markdown(shown: pd.DataFrame, title: str, note: str = "") -> str:
    """Write what is shown of a table as Markdown under its title.

    A table with a note under its title is padded, so that the file can be read as it is.
    """
    if not note:
        return f"# {title}\n\n{bare_markdown(shown)}"
    return f"# {title}\n\n{note}\n\n{shown.to_markdown(index=False, disable_numparse=True)}\n"


def bare_markdown(shown: pd.DataFrame) -> str:
    """Write a frame of text as a Markdown table without padding: one long cell would widen every row."""
    lines = [shown.columns, ["---"] * len(shown.columns), *shown.itertuples(index=False)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
