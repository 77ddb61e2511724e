"""What the tables of other experiments know about a kernel's worst error, and the strongest of it.

A sweep over every float32 number, or a search of float64, knows more than the standard grid's sample, and a claim
speaks from what is known best.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.tables.writer import read
from harness.workflow.provenance import functions_differ

Cells = Mapping[str, str]  # a row of a table: what each column holds, as text
BASES = ("every_input", "search", "sample")  # the strongest first


@dataclass(frozen=True)
class ClaimTables:
    """Hold rows of tables by problem, kernel, format and target."""

    rows: Mapping[tuple[str, str, str, str], list[Cells]] = field(default_factory=dict)

    def of(self, problem: str, kernel: str, fmt: str, target: str) -> list[Cells]:
        """Return the rows of a kernel; none where no table has it."""
        return self.rows.get((problem, kernel, fmt, target), [])


def tables(paths: Iterable[str | Path]) -> ClaimTables:
    """Read tables; those that are missing, or were made with other functions than this machine's, know nothing."""
    rows: dict[tuple[str, str, str, str], list[Cells]] = {}
    for path in map(Path, paths):
        sidecar = path.with_suffix(".json")
        if not path.exists() or functions_differ(json.loads(sidecar.read_text(encoding="utf-8"))["provenance"]):
            continue
        for cells in read(path).to_dict("records"):
            key = (cells["problem"], cells["kernel"], cells["format"], cells["target"])
            rows.setdefault(key, []).append(cells)
    return ClaimTables(rows)


def basis(cells: Cells) -> str:
    """Return how the figures of a row are known."""
    return "every_input" if cells["exhaustive"] == "true" else "search" if cells["grid"] == "search" else "sample"


def strongest(rows: Iterable[Cells]) -> Cells:
    """Return the row that knows most of the largest error: one of every input, else the one with the largest.

    ValueError where there is no row.
    """
    found = list(rows)
    complete = [cells for cells in found if basis(cells) == BASES[0]]
    return max(complete or found, key=lambda cells: float(cells["max_ulp"] or "inf"))  # empty: nothing was finite
