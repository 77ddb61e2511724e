"""A table's CSV read line by line: its rows as text with the numbers of their lines, all of them or those of a few problems.

Loading pandas takes longer than most questions of a few rows; here the standard library reads, and a line of another
problem is passed over before it is taken apart.  A table that is not the one its sidecar was written with is refused.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from harness import UsageError
from harness.workflow import files

SIDECAR_SEAL = "seal"  # the key of a sidecar's own checksum; its `sha256` are the other files'
Numbered = list[tuple[int, dict[str, str]]]


def read(path: Path, problems: Collection[str] = (), fmt: str = "") -> Numbered:
    """Return the rows of a CSV, each with the number of its line, every cell as text.

    With `problems`, only the rows whose first cell, the problem, is one of them; with `fmt`, only those with a cell of that
    name.  No cell of a table has a line break.  UsageError where it is not there, is no CSV, or is not what the sidecar
    beside it has the checksum of.
    """
    as_signed(path)
    try:
        return _rows(path, problems, fmt)
    except (ValueError, csv.Error) as e:  # those of UTF-8 are of the first kind
        raise UsageError(f"{path} is no table: {e}; make it again") from e


def _rows(path: Path, problems: Collection[str], fmt: str) -> Numbered:
    with path.open(encoding="utf-8", newline="") as f:
        columns = next(csv.reader([f.readline()]), [])
        mark = f",{fmt}," if fmt else ","
        asked = ((i, line) for i, line in enumerate(f, 2) if mark in line)
        numbered = [(i, line) for i, line in asked if not problems or line.split(",", 1)[0] in problems]
    cells = csv.reader(line for _, line in numbered)
    return [(i, dict(zip(columns, row, strict=True))) for (i, _), row in zip(numbered, cells, strict=True)]


def as_signed(path: Path) -> None:
    """Raise UsageError where a table's CSV is not there, or is not the one that its sidecar, if it has one, was written with."""
    if not path.is_file():
        raise UsageError(f"there is no table {path}; make it first")
    sidecar = path.with_suffix(".json")
    for wait in (0.1, 0.2, 0.4, 0.0):
        if not sidecar.is_file() or described(path)["sha256"].get(path.name, "") == files.sha256(path):
            return
        time.sleep(wait)  # another job may be between renaming the one and the other
    raise UsageError(f"{path} does not match its checksum in {sidecar.name}; make the table again")


def described(path: Path) -> dict[str, Any]:
    """Return what the sidecar of a table says, by any path of the table's; UsageError where it is missing or none."""
    sidecar = path.with_suffix(".json")
    found = files.read_json(sidecar, "a table's sidecar")
    if not isinstance(found, dict) or not isinstance(found.get("sha256"), dict):
        raise UsageError(f"{sidecar} is not a table's sidecar (it has no checksums); make the table again")
    if SIDECAR_SEAL in found and not files.is_whole(found, SIDECAR_SEAL):  # those of before had none
        raise UsageError(f"{sidecar} does not match its own checksum; make the table again")
    if not isinstance(found.setdefault("provenance", {}), dict):
        raise UsageError(f"{sidecar} is not a table's sidecar (its provenance is none); make the table again")
    return found
