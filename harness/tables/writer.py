"""The one writer of tables: CSV with every digit, Markdown and LaTeX to read, JSON with checksums beside them.

The four files of a table are named alike and written together: a run that fails leaves the four that were there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import pandas as pd

from harness import UsageError
from harness.tables.identity import identified
from harness.tables.latex import to_latex
from harness.tables.lines import SIDECAR_SEAL, as_signed, described
from harness.tables.text import as_cell
from harness.workflow import files
from harness.workflow.provenance import provenance

SUMS = "sums"  # not a column: what a row's counts and mean are made of, see sums.py
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

    The CSV holds `columns` of the rows, with their `id` (see identity.py); Markdown and LaTeX hold what is `shown` of
    them, text in every cell.
    `markdown` is the Markdown file's whole text, where it is more than the title, the note and the table;
    `caption` is LaTeX's, where it is not the title; `extra` goes into the JSON, which
    holds the number of rows, where they come from, the checksums of the other three, and what counts and means are made
    of where the rows have it (see sums.py); `measured_with` is the
    provenance of the measurements, where they were made before this process, which is taken otherwise.
    """
    rows, columns = identified(rows, columns, path.stem)
    texts = {
        path.with_suffix(".csv"): to_csv(rows, columns),
        path.with_suffix(".md"): markdown or to_markdown(shown, title, note),
        path.with_suffix(".tex"): to_latex(shown, caption or title, path.stem),
    }
    checksums = {p.name: files.sha256_of(text) for p, text in texts.items()}
    made_of = {SUMS: [row[SUMS] for row in rows]} if all(SUMS in row for row in rows) else {}
    told = files.to_json(sidecar(path.stem, len(rows), checksums, {**(extra or {}), **made_of}, measured_with))
    files.write_texts({path.with_suffix(".json"): told, **texts})  # the first is renamed last


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
    rows, columns = identified(rows, columns, path.stem)
    texts = {path.with_suffix(".csv"): to_csv(rows, columns)}
    texts |= {path.with_suffix(suffix): text for suffix, text in (shown or {}).items()}
    told = described(path)
    told["sha256"] |= {p.name: files.sha256_of(text) for p, text in texts.items()}
    told["rows"] = len(rows)
    files.write_texts({path.with_suffix(".json"): files.to_json(files.sealed(told, SIDECAR_SEAL)), **texts})


def sidecar(
    table: str,
    rows: int,
    checksums: Mapping[str, str],
    extra: Mapping[str, object],
    measured_with: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return what a table's JSON file holds: number of rows, checksums by file name, further facts, provenance, its seal."""
    told = {"table": table, "rows": rows, "sha256": checksums, **extra, "provenance": measured_with or provenance()}
    return files.sealed(told, SIDECAR_SEAL)


def read(path: Path | TextIO, needed: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table's CSV with every cell as text, as written.

    Raises UsageError where it is not there, is no CSV, lacks a column that is needed, or is not what the sidecar beside
    it has the checksum of.
    """
    if isinstance(path, Path):
        as_signed(path)
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except ValueError as e:  # pandas' own errors and those of UTF-8 are of this kind
        raise UsageError(f"{path} is no table: {e}; make it again") from e
    for name in needed:
        if name not in frame.columns:
            raise UsageError(f"{path} is another table than is needed here: it has no column {name}")
    return frame


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
    return f"# {title}\n\n{note}\n\n{shown.map(in_cell).to_markdown(index=False, disable_numparse=True)}\n"


def bare_markdown(shown: pd.DataFrame) -> str:
    """Write a frame of text as a Markdown table without padding: one long cell would widen every row."""
    lines = [shown.columns, ["---"] * len(shown.columns), *shown.map(in_cell).itertuples(index=False)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def in_cell(text: object) -> str:
    """Write a text so that it stays in its cell of a Markdown table: a user's name may have a line end or a bar."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(str(text).split("\n")))
