"""The stages of the sweep over every float32 input: a shard of all libraries, a library's rows, the table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import UsageError, choices
from harness.problems import problem_named
from harness.sweep import stored
from harness.sweep.case import Case
from harness.sweep.shards import merged, shards_in
from harness.sweep.streaming import audit_sample
from harness.sweep.summary import Summary
from harness.systems.exhaustive.calls import (
    FMT,
    FORMAT,
    SHARDS,
    TARGETS,
    Called,
    calls_of,
    cells_of,
    grid_of,
    groups,
    kind_of,
    meaning,
    members_of,
    mirrored,
)
from harness.systems.exhaustive.sweep import STRETCH, sweep
from harness.systems.exhaustive.table import CAPTION, COLUMNS, QUESTION, note, readable
from harness.systems.registry import Unavailable, library_named, systems_in
from harness.systems.run.kept import Worker
from harness.tables import writer
from harness.tables.outcomes import nearest_outcomes
from harness.tables.rows import Row, places, row
from harness.tables.usual import usual_extreme
from harness.truth.fast import audit, bound
from harness.workflow import files
from harness.workflow.dependencies import sources
from harness.workflow.progress import Progress
from harness.workflow.provenance import provenance


@contextmanager
def working(group: str) -> Iterator[tuple[list[tuple[Worker, list[Called]]], dict[str, str]]]:
    """Give the processes of a group's libraries that are here, each with its calls, and by name why the others are not."""
    found, reasons = [], {}
    with ExitStack() as stack:
        for library in members_of(group):
            calls = calls_of(library, group)
            try:
                worker = Worker(library, [(c.key, c.target) for c in calls], STRETCH)
            except Unavailable as error:
                reasons[library] = str(error)
                continue
            stack.callback(worker.close)
            found.append((worker, calls))
        yield found, reasons


def sweep_job(group: str, shard: int, out: Path) -> None:
    """Sweep one shard of every float32 input through a group of libraries into a summary file.

    A library that is not here is named with the reason.  UsageError for an unknown group, a shard that is not there, no
    library at all, or where one fails half way: then no file is written.
    """
    made_with = provenance(sources([__name__]))  # as they are when it begins
    every = [c for library in members_of(group) for c in calls_of(library, group)]
    problems = [problem_named(name) for name in dict.fromkeys(c.problem for c in every)]
    grid, cells = grid_of(problems[0]), cells_of(group, shard, problems[0])
    both = mirrored(problems)
    audits = {p.name: _audit(p.name, np.union1d(cells, -1 - cells) if both else cells) for p in problems}
    with working(group) as (workers, reasons):
        if not workers:
            raise UsageError(f"no library of {group} is here: {'; '.join(f'{n}: {r}' for n, r in reasons.items())}")
        size = grid.size(cells) * (2 if both else 1)
        progress = Progress(f"systems {group} shard {shard + 1} of {SHARDS[kind_of(group)]}", size)
        try:
            done = sweep(workers, grid, cells, both, progress)
        except Unavailable as error:
            raise UsageError(f"a library failed in the midst of the sweep: {error}") from error
        versions = [f"{worker.library}: {worker.version}" for worker, _ in workers]
    description = {
        "experiment": f"systems {group}", "experiment_sha256": meaning(group, every), "format": FORMAT,
        "grid": grid.name, "shard": shard, "shards": SHARDS[kind_of(group)], "targets": list(TARGETS), "audit": audits,
        "nanoseconds": done.clock.spent, "unavailable": reasons,
        "provenance": {**made_with, "libraries": versions},
    }  # fmt: skip
    stored.write_summaries(out, done.summaries(), description)


def _audit(problem: str, cells: np.ndarray) -> dict[str, float]:
    """Audit the reference of a problem in the given cells, at both targets; return what its file says of it."""
    asked = problem_named(problem)
    sample = audit_sample(grid_of(asked), cells)
    targets = np.array([float(t) for t in TARGETS], FMT.dtype) if asked.has_target else None
    with np.errstate(all="ignore"):
        worst = audit(asked, FMT, sample, targets)
    return {"log2_relative_error": round(worst, 2), "points": sample.size * (1 if targets is None else len(targets))}


@dataclass(frozen=True, eq=False)
class CalledKernel:
    """Stand in for a kernel: one call of a library's process, in arrays as long as those of the sweep."""

    worker: Worker
    position: int

    def __call__(self, x: np.ndarray, *target: np.ndarray) -> np.ndarray:
        """Return the results for x of shape (1, n) at the call's own target, shape (1, n)."""
        parts = [x[0, i : i + STRETCH] for i in range(0, x.shape[1], STRETCH)]
        found = [self.worker.answer(part, [self.position])[self.position].copy() for part in parts]
        return np.concatenate(found)[None, :]


def rows_job(library: str, paths: Sequence[Path], out: Path) -> None:
    """Make the rows of a library's calls from the files of all shards, as a part in JSON.

    Every extreme is computed again, by the library in a process of its own.  A library that was not there has its rows,
    which say why.  UsageError where a file is missing, of another sweep or another version of the library, or where
    the library computes something else now.
    """
    shards = shards_in(paths)
    told = stored.read_description(paths[0])
    members = members_of(group := str(told["experiment"]).removeprefix("systems "))
    if library not in members:
        raise UsageError(
            f"{library} has no call that is swept in {group}; those that have: {choices(library, members)}"
        )
    calls = calls_of(library, group)
    versions = dict(text.split(": ", 1) for text in shards.provenance["libraries"])
    if library in versions:
        rows = _measured(library, calls, merged(shards.paths[FORMAT]), versions[library])
    else:
        rows = _unavailable(library, group, told["unavailable"][library])
    measured_with = {k: v for k, v in shards.provenance.items() if k != "libraries"}
    files.write_sealed(out, {"library": library, "rows": rows, "provenance": measured_with})


def _unavailable(library: str, group: str, reason: str) -> list[Row]:
    """Return the rows of a library that was not there, or was not swept."""
    grids = [(c, grid_of(problem_named(c.problem))) for c in calls_of(library, group)]
    return [_named(c, "", g.size(g.cells), reason) for c, g in grids]


def _measured(library: str, calls: list[Called], whole: dict[str, dict[str, Summary]], version: str) -> list[Row]:
    """Return the rows of a library's calls from their summaries."""
    worker = Worker(library, [(c.key, c.target) for c in calls], STRETCH)
    try:
        if worker.version != version:
            raise UsageError(f"{library} was swept as {version} and is {worker.version} now; sweep again")
        return [_row(c, CalledKernel(worker, i), whole[c.problem][c.name], version) for i, c in enumerate(calls)]
    finally:
        worker.close()


def _row(called: Called, again: CalledKernel, summary: Summary, version: str) -> Row:
    """Return the row of one call; UsageError where what it computes again is not what was swept."""
    problem = problem_named(called.problem)
    target: Any = None if called.target == "" else FMT.parse(called.target)
    case, t = Case(problem, called.name, again, grid_of(problem), target), 0 if target is None else TARGETS.index(called.target)  # type: ignore[arg-type]  # fmt: skip
    located = nearest_outcomes(case, summary, t)
    found = row(case, summary, t, located=located)
    found |= places(case, located, usual_extreme(case, summary, t), found)
    _agrees(found, float(summary.max_ulp[t].max()))
    return {**_named(called, version, int(found["points"])), **found, "kernel": called.name}  # type: ignore[call-overload]


def _agrees(found: Row, swept: float) -> None:
    """Raise UsageError unless the largest error, computed again in mpmath, is the one that the sweep found."""
    if found["max_ulp"] == "":
        return
    again = float(str(found["max_ulp"]))
    if math.isfinite(swept) and abs(again - swept) > 2.0**FMT.precision * bound(FMT) + 1e-8 * swept:
        raise UsageError(
            f"{found['kernel']}, target {found['target'] or 'none'}, errs by {swept} ulp at {found['max_ulp_input']} by the "
            f"sweep and by {again} ulp now; sweep again"
        )


def _named(called: Called, version: str, points: int, reason: str = "") -> Row:
    """Return the columns that say what a row is of; with a reason, why all its points are unavailable."""
    entry = library_named(called.library)
    system = systems_in(entry.module, entry.name)[called.key]
    named = {
        "problem": called.problem, "kernel": called.name, "format": FORMAT, "target": called.target,
        "grid": "exhaustive", "points": points, "exhaustive": not reason, "reason": reason, "library": called.library,
        "system": system.name, "mode": system.mode, "version": version, "unavailable": points if reason else 0,
    }  # fmt: skip
    return {**dict.fromkeys(COLUMNS, ""), **named}


def table_job(paths: Sequence[Path], out: Path) -> None:
    """Make the table of the calls of all libraries from their parts; one without a part is listed as not swept."""
    kind, keys = "a part of a library's rows", ("library", "rows", "provenance")
    parts = [files.read_sealed(path, kind, "make the rows again", keys) for path in paths]
    given = {part["library"]: part["rows"] for part in parts}
    if len(given) < len(parts):
        raise UsageError("two parts are of one library; give one of each")
    members = [(group, library) for group, found in groups().items() for library in found]
    rows = [r for group, library in members for r in given.get(library, _unavailable(library, group, "was not swept"))]
    writer.write(
        out.with_suffix(""),
        rows,
        COLUMNS,
        readable(rows),
        QUESTION,
        note=note(rows),
        caption=CAPTION,
        measured_with=parts[0]["provenance"],
    )
