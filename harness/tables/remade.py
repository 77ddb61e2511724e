"""Tables that are made again as a whole, since that takes seconds: what `harness verify` does with them.

The atlas says in words what other tables know, and the special values are those of kernels at a few points: no row says
enough of itself to be held against the kernel alone.  Each is made anew, from the tables beside it, and compared cell
by cell.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from io import StringIO
from itertools import zip_longest
from pathlib import Path

from harness.tables import views, writer
from harness.tables.atlas import atlas_job
from harness.tables.special_values import special_values_job

Numbered = list[tuple[int, str]]  # lines of the CSV, and what is wrong in each


def _atlas(path: Path, out: Path) -> None:
    """Make the atlas again of the tables that its sidecar names."""
    atlas_job([path.parent / name for name in writer.described(path)["tables"]], out)


JOBS: dict[str, Callable[[Path, Path], None]] = {  # by name of the table: the table as it is, and where to make it
    "atlas": _atlas,
    "special_values": lambda _, out: special_values_job(out),
}


def unlike(path: Path) -> tuple[int, Numbered]:
    """Make one of these tables again; return 0, of how many rows a kernel ran at their inputs, and where its cells differ."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / path.name
        JOBS[path.stem](path, out)
        return 0, list(differences(path, out.read_text(encoding="utf-8")))


def differences(stated: Path, now: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a table and what is otherwise in the same table made again, a CSV file's text, cell by cell."""
    rows = zip_longest(*(views.records(writer.read(table)) for table in (stated, StringIO(now))), fillvalue={})
    for line, (row, again) in enumerate(rows, 2):
        if not row or not again:
            yield line, f"{stated.stem} has {'no such row' if row else 'a further row'} when it is made again"
            return
        for column in dict.fromkeys([*row, *again]):
            if row.get(column) != again.get(column):
                yield line, f"{column} is {row.get(column) or 'empty'}, made again {again.get(column) or 'empty'}"
