"""The systems stages: one library into a part; the parts of all libraries into the table."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from harness import UsageError
from harness.systems.measure.inputs import QUESTION, Combination, combinations
from harness.systems.measure.rows import COLUMNS, measurements
from harness.systems.pages import findings_page, probes, systems_page, table
from harness.systems.registry import Library, libraries, library_named
from harness.systems.run.supervise import Request, Result, evaluate
from harness.tables import writer
from harness.tables.rows import Row
from harness.truth.arb import oracle, oracles
from harness.workflow import files
from harness.workflow.provenance import provenance

# A call takes up to 30 s where a compiler sees a format for the first time; ten times that is a hang.
CALL_LIMIT_S = 300.0


def systems_job(library: str, grid: str, out: Path) -> None:
    """Call all systems of a library on a grid, measure what they return, and write a part as JSON.

    The part holds rows of the table, what was returned at the probes, and audits of the reference.
    """
    entry = library_named(library)
    asked = combinations(library, grid)
    began = time.monotonic()
    results = answers(entry, asked)
    called = time.monotonic()
    done = measurements(asked, results)
    files.write_json(
        out,
        {
            "library": library,
            "grid": grid,
            "rows": done.rows,
            "probes": [at_probes(*pair) for pair in zip(asked, results)],
            "audit": done.audits,
            "oracle": oracle(),
            "provenance": provenance(),
        },
    )
    spent = f"{called - began:.0f} s in the library, {time.monotonic() - called:.0f} s measuring"
    print(f"{library}: {len(asked)} rows, {spent}", file=sys.stderr, flush=True)


def answers(library: Library, asked: list[Combination]) -> list[Result]:
    """Return what a library returns for each combination, from one process if all goes well."""
    requests = [Request(t.system.key, t.inputs.x, t.given) for t in asked]
    return evaluate(library, requests, timeout_s=CALL_LIMIT_S)


def at_probes(asked: Combination, result: Result) -> dict:
    """Return what came at a combination's probes: inputs and values as shortest decimals of float64; empty without a result."""
    if result.output is None:
        return {"x": [], "value": []}
    x, value = asked.inputs.probes, result.output[len(asked.inputs.ordinals) :]
    return {"x": _decimals(x), "value": _decimals(value)}


def _decimals(values: np.ndarray) -> list[str]:
    return [repr(v) for v in values.astype(np.float64).tolist()]


def read_part(path: Path) -> dict:
    """Read what `systems_job` wrote; UsageError where it is something else."""
    kind = "a part that `harness systems` wrote"
    part = files.read_json(path, kind)
    if not {"library", "grid", "rows", "probes", "audit"} <= set(part):
        raise UsageError(f"{path} is not {kind} (keys are missing)")
    return part


def systems_table_job(paths: list[Path], out: Path) -> None:
    """Make the systems' table from the parts of all libraries, in the order of the register."""
    parts = in_order([read_part(p) for p in paths])
    rows: list[Row] = [row for part in parts for row in part["rows"]]
    extra = {
        "grid": parts[0]["grid"],
        "audit": {part["library"]: part["audit"] for part in parts},
        "oracle": oracles(part.get("oracle", "mpmath") for part in parts),
    }
    shown = table.shown(rows)
    writer.write(out.with_suffix(""), rows, COLUMNS, shown, QUESTION, note=table.NOTE, extra=extra)


def systems_pages_job(paths: list[Path], docs: Path, figures: Path) -> None:
    """Write docs/systems.md, docs/findings.md and the figures of the systems from the parts of all libraries."""
    from harness.systems.pages import figures as drawings  # loads the drawing library

    parts = in_order([read_part(p) for p in paths])
    rows: list[Row] = [row for part in parts for row in part["rows"]]
    returned = probes.returned(parts)
    files.write_text(docs / "systems.md", systems_page.page(rows, returned))
    files.write_text(docs / "findings.md", findings_page.page(returned))
    drawings.draw(rows, returned, figures)


def in_order(parts: list[dict]) -> list[dict]:
    """Return parts in the register's order; UsageError where one is of no library, two of one, or the grids differ."""
    names = [entry.name for entry in libraries()]
    parts = sorted(parts, key=lambda part: names.index(library_named(part["library"]).name))
    given = [part["library"] for part in parts]
    for name in set(given):
        if given.count(name) > 1:
            raise UsageError(f"two parts are of the library {name!r}; give one of each")
    if len({part["grid"] for part in parts}) > 1:
        raise UsageError("the parts are of different grids; sweep all libraries on one grid")
    return parts
