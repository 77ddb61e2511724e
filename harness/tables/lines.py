"""A table's CSV read line by line: its rows as text with the numbers of their lines, all of them or those of a few problems.

Loading pandas takes longer than most questions of a few rows; here the standard library reads, and a line of another
problem is passed over before it is taken apart.
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from harness import UsageError
from harness.tables.sidecars import as_signed


def read(path: Path, problems: Collection[str] = (), fmt: str = "") -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a CSV, each with the number of its line, every cell as text.

    With `problems`, only the rows whose first cell, the problem, is one of them; with `fmt`, only those with a cell of that
    name.  No cell of a table has a line break.  UsageError where it is no table, or not the one that its sidecar is of.
    """
    as_signed(path)
    try:
        with path.open(encoding="utf-8", newline="") as f:
            columns = next(csv.reader([f.readline()]), [])
            mark = f",{fmt}," if fmt else ","
            asked = ((i, line) for i, line in enumerate(f, 2) if mark in line)
            numbered = [(i, line) for i, line in asked if not problems or line.split(",", 1)[0] in problems]
        cells = csv.reader(line for _, line in numbered)
        return [(i, dict(zip(columns, row, strict=True))) for (i, _), row in zip(numbered, cells, strict=True)]
    except (ValueError, csv.Error) as e:  # UTF-8's errors are of the first kind, as is a row of another length
        raise UsageError(f"{path} is no table: {e}; make it again") from e
