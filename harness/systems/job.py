"""The systems stages: one library into a part; the parts of all libraries into the table."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from harness import UsageError
from harness.systems.measure.measured import COLUMNS, measured
from harness.systems.measure.question import QUESTION, Task, tasks
from harness.systems.pages import effects, findings_page, guide_page, reading
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
    asked = tasks(library, grid)
    began = time.monotonic()
    results = answers(entry, asked)
    called = time.monotonic()
    done = measured(asked, results)
    files.write_json(
        out,
        {
            "library": library,
            "grid": grid,
            "rows": done.rows,
            "probes": [probes(*pair) for pair in zip(asked, results)],
            "audit": done.audits,
            "oracle": oracle(),
            "provenance": provenance(),
        },
    )
    spent = f"{called - began:.0f} s in the library, {time.monotonic() - called:.0f} s measuring"
    print(f"{library}: {len(asked)} rows, {spent}", file=sys.stderr, flush=True)


def answers(library: Library, asked: list[Task]) -> list[Result]:
    """Return what a library returns for each task, from one process if all goes well."""
    requests = [Request(t.system.key, t.inputs.x, t.given) for t in asked]
    return evaluate(library, requests, timeout_s=CALL_LIMIT_S)


def probes(task: Task, result: Result) -> dict:
    """Return a task's probes: inputs and what was returned there, as shortest decimals of float64; empty without a result."""
    if result.output is None:
        return {"x": [], "value": []}
    x, value = task.inputs.probes, result.output[len(task.inputs.ordinals) :]
    return {"x": _decimals(x), "value": _decimals(value)}


def _decimals(values: np.ndarray) -> list[str]:
    return [repr(v) for v in values.astype(np.float64).tolist()]


def read_part(path: Path) -> dict:
    """Read what `systems_job` wrote; UsageError where it is something else."""
    try:
        part = json.loads(path.read_text(encoding="utf-8"))
        if not {"library", "grid", "rows", "probes", "audit"} <= set(part):
            raise ValueError("keys are missing")
    except (OSError, ValueError) as e:
        raise UsageError(f"{path} is not a part that `harness systems` wrote ({e})") from e
    return part


def systems_table_job(paths: list[Path], out: Path) -> None:
    """Make the systems' table from the parts of all libraries, in the order of the registry."""
    parts = in_order([read_part(p) for p in paths])
    rows: list[Row] = [row for part in parts for row in part["rows"]]
    path = out.with_suffix("")
    files.write_text(path.with_suffix(".csv"), writer.to_csv(rows, COLUMNS))
    frame = reading.frame(rows)
    files.write_text(path.with_suffix(".md"), writer.to_markdown(frame, QUESTION, reading.NOTE))
    files.write_text(path.with_suffix(".tex"), writer.to_latex(frame, QUESTION, path.stem))
    audit = {part["library"]: part["audit"] for part in parts}
    writer.write_sidecar(
        path,
        len(rows),
        {"grid": parts[0]["grid"], "audit": audit, "oracle": oracles(part.get("oracle", "mpmath") for part in parts)},
    )


def systems_pages_job(paths: list[Path], docs: Path, figures: Path) -> None:
    """Write docs/systems.md, docs/findings.md and the figures of the systems from the parts of all libraries."""
    from harness.systems.pages import figures as drawings  # loads the drawing library

    parts = in_order([read_part(p) for p in paths])
    rows: list[Row] = [row for part in parts for row in part["rows"]]
    returned = effects.answers(parts)
    files.write_text(docs / "systems.md", guide_page.page(rows, returned))
    files.write_text(docs / "findings.md", findings_page.page(returned))
    drawings.draw(rows, returned, figures)


def in_order(parts: list[dict]) -> list[dict]:
    """Return parts in the registry's order; UsageError where two are of one library or the grids differ."""
    names = [entry.name for entry in libraries()]
    parts = sorted(parts, key=lambda part: names.index(part["library"]))
    given = [part["library"] for part in parts]
    for name in set(given):
        if given.count(name) > 1:
            raise UsageError(f"two parts are of the library {name!r}; give one of each")
    if len({part["grid"] for part in parts}) > 1:
        raise UsageError("the parts are of different grids; sweep all libraries on one grid")
    return parts
