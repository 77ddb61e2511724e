"""The systems stages: one library into a part; the parts of all libraries into the table."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import harness
from harness import UsageError
from harness.systems.measure.inputs import QUESTION, Combination, combinations
from harness.systems.measure.rows import COLUMNS, Answers, measurements, requests
from harness.systems.pages import findings_page, known, probes, specials, systems_page, table
from harness.systems.registry import Library, libraries, library_named
from harness.systems.run.supervise import Result, evaluate
from harness.tables import writer
from harness.tables.rows import Row
from harness.truth.arb import oracle, oracles
from harness.workflow import files
from harness.workflow.dependencies import sources
from harness.workflow.provenance import of_one_measurement, provenance

# A call takes up to 30 s where a compiler sees a format for the first time; ten times that is a hang.
CALL_LIMIT_S = 300.0


def systems_job(library: str, grid: str, out: Path) -> None:
    """Call all systems of a library on a grid, measure what they return, and write a part as JSON.

    The part holds rows of the table, what was returned at the probes, and audits of the reference.
    """
    entry = library_named(library)
    made_with = provenance(measuring())  # as it is when the part begins
    asked = combinations(library, grid)
    began = time.monotonic()
    results = answers(entry, asked)
    called = time.monotonic()
    done = measurements(asked, results)
    files.write_sealed(
        out,
        {
            "library": library,
            "grid": grid,
            "rows": done.rows,
            "special": done.special,
            "probes": [at_probes(c, a.grid) for c, a in zip(asked, results)],
            "audit": done.audits,
            "oracle": oracle(),
            "provenance": made_with,
        },
    )
    spent = f"{called - began:.0f} s in the library, {time.monotonic() - called:.0f} s measuring"
    print(f"{library}: {len(asked)} rows, {spent}", file=sys.stderr, flush=True)


def measuring() -> list[str]:
    """Return the files of the code that a part runs, as the workflow names them for its rule."""
    room = Path(harness.__file__).parent / "systems"
    return sorted({*sources([__name__]), *(p.relative_to(room.parents[1]).as_posix() for p in room.rglob("*.py"))})


def answers(library: Library, asked: list[Combination]) -> list[Answers]:
    """Return what a library answers in each combination, from one process if all goes well."""
    wanted = requests(asked)
    results = evaluate(library, [request for _, _, request in wanted], timeout_s=CALL_LIMIT_S)
    found: list[dict[str, Result]] = [{} for _ in asked]
    for (i, name, _), result in zip(wanted, results):
        found[i][name] = result
    return [Answers(**one) for one in found]


def at_probes(asked: Combination, result: Result) -> dict:
    """Return what came at a combination's probes: inputs and values, as short as they go in their formats; empty without a result."""
    if result.output is None:
        return {"x": [], "value": []}
    x, value = asked.inputs.probes, result.output[len(asked.inputs.ordinals) :]
    return {"x": _decimals(x), "value": _decimals(value)}


def _decimals(values: np.ndarray) -> list[str]:
    """Write numbers by the fewest digits that name them in their format, or in float32 for one that NumPy has no name for."""
    known = values.dtype in (np.float16, np.float32, np.float64)
    return [str(v) for v in (values if known else values.astype(np.float32))]


def read_part(path: Path) -> dict:
    """Read what `systems_job` wrote; UsageError where it is something else."""
    keys = ("library", "grid", "rows", "special", "probes", "audit", "provenance")
    return files.read_sealed(path, "a part that `harness systems` wrote", "measure the systems again", keys)


def systems_table_job(paths: list[Path], out: Path) -> None:
    """Make the systems' tables from the parts of all libraries, in the order of the register.

    OUT.csv is the table, OUT_special.csv that of special values, each with its Markdown, LaTeX and JSON; OUT_probes.csv
    holds what was returned at the probes, of which the pages are made.  UsageError where parts are of different grids, or
    were measured with different versions, sources or functions.
    """
    read = [read_part(p) for p in paths]
    made_with = of_one_measurement(
        [(p, part["provenance"]) for p, part in zip(paths, read)], "measure the systems again"
    )
    parts = in_order(read)
    rows: list[Row] = [row for part in parts for row in part["rows"]]
    extra = {
        "grid": parts[0]["grid"],
        "audit": {part["library"]: part["audit"] for part in parts},
        "oracle": oracles(part.get("oracle", "mpmath") for part in parts),
    }
    shown = table.shown(rows)
    writer.write(
        out.with_suffix(""),
        rows,
        COLUMNS,
        shown,
        QUESTION,
        note=table.NOTE,
        caption=table.CAPTION,
        extra=extra,
        measured_with=made_with,
    )
    specials.write(out.with_name(f"{out.stem}_special"), [row for part in parts for row in part["special"]], made_with)
    probes.write(out.with_name(f"{out.stem}_probes"), parts, made_with)


def systems_pages_job(table: Path, docs: Path, figures: Path) -> None:
    """Write docs/systems.md, docs/findings.md and the systems' figures from their table and the probes beside it.

    Where the table of every float32 input stands beside them, they speak from it.
    """
    from harness.systems.pages import figures as drawings  # loads the drawing library

    rows = known.rows_in(table)
    returned = probes.returned(rows, table.with_name(f"{table.stem}_probes.csv"))
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
