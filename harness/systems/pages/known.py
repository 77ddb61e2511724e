"""The strongest that is known of a system: what every float32 input says, where that was swept, else the sample.

The table of systems keeps what its own sample measured.  Pages and figures speak from its rows as they are here: where
the table of every float32 input has the same call, mode and target in the same version, the figures of the logits
that models work with (`near_…`) are that table's, and `near_basis` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.systems.pages import probes
from harness.tables import writer
from harness.tables.basis import EVERY_INPUT, SAMPLE
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import Row
from harness.tables.usual import usual_range
from harness.workflow import files

# What a row of either table is of; results of another version are another thing.
KEY = ("library", "system", "problem", "mode", "format", "target", "version")


def rows_in(table: Path) -> list[Row]:
    """Read the systems' table, strengthened by that of every float32 input where one stands beside it."""
    swept = beside(table)
    rows = probes.rows_in(table)
    return strengthened(rows, [dict(r) for r in writer.read(swept).to_dict("records")] if swept.is_file() else [])


def beside(table: Path) -> Path:
    """Return where the table of every float32 input stands beside the systems' table, whether it is there or not."""
    return table.with_name(f"{table.stem}_exhaustive.csv")


def checksum_beside(table: Path) -> str:
    """Return the checksum of the table of every float32 input; empty where there is none."""
    return files.sha256(beside(table)) if beside(table).is_file() else ""


def strengthened(rows: Sequence[Row], swept: Sequence[Mapping]) -> list[Row]:
    """Return the systems' rows with `near_basis`, and the figures near 0 from the rows of every float32 input.

    A row of a smoothed target is never changed: its exact values are others.  Where the sample found a larger error
    than every input did, in arrays of another length, the sample's stands, as a sample's.
    """
    every = {tuple(str(r[c]) for c in KEY): r for r in swept if str(r["usual_max_ulp"]) != ""}
    found = []
    for row in rows:
        other = every.get(tuple(str(row[c]) for c in KEY)) if not row["label_smoothing"] else None
        basis = EVERY_INPUT if row["exhaustive"] in (True, "true") else SAMPLE
        weaker = other is not None and float(str(row["near_ulp"] or 0)) <= float(str(other["usual_max_ulp"])) * (
            1 + 1e-8
        )
        found.append({**row, "near_basis": basis, **(_near(row, other) if other is not None and weaker else {})})
    return found


def swept(row: Row) -> bool:
    """Tell whether a strengthened row's figures near 0 are those of every input where the systems' own table has a sample."""
    return row["near_basis"] == EVERY_INPUT and row["exhaustive"] not in (True, "true")


def _near(row: Row, other: Mapping) -> Row:
    """Return the near columns of a row from every input's: of outcomes, that there are some, as many as the sample at least."""
    fmt, problem = format_named(str(row["format"])), problem_named(str(row["problem"]))
    first, last = fmt.from_ordinal(np.array(usual_range(problem, fmt)))
    outcomes: Row = {}
    for outcome, column in OUTCOME_INPUTS.items():
        at = str(other[column])
        there = at != "" and float(first) <= float.fromhex(at) <= float(last)
        outcomes[f"near_{outcome}"] = max(int(str(row[f"near_{outcome}"] or 0)), int(there))
    return {
        "near_ulp": other["usual_max_ulp"], "near_ulp_input": other["usual_max_ulp_input"],
        "near_ulp_computed": "", "near_ulp_exact": "", **outcomes, "near_basis": EVERY_INPUT,
    }  # fmt: skip
