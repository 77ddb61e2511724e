"""Every float32 input through the calls that introductions show: loss and gradient, at both hard targets.

A sampled maximum is a lower bound; this one is the maximum.  One process sweeps one shard of one library, the library
being loaded in it: it calls blocks of 16,384 inputs, more often than inputs could travel to another process.  A shard
that was written need not be swept again.  The rows are made as those of any sweep, every extreme computed again by the
library at that input, in a block as long as those of the sweep, for an array of one takes another path through it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import cast

import numpy as np

from harness import UsageError
from harness.kernels import Kernel
from harness.numbers.formats import format_named
from harness.problems import Problem, problem_named
from harness.sweep import stored
from harness.sweep.case import Case
from harness.sweep.grid import BLOCK, Grid
from harness.sweep.shards import merged, shards_in
from harness.sweep.streaming import sweep
from harness.systems.registry import Call, System, libraries, library_named, systems_of
from harness.tables import contract, writer
from harness.tables.rows import COLUMNS, Row, row
from harness.workflow import files
from harness.workflow.progress import Progress
from harness.workflow.provenance import provenance
from harness.workflow.targets import targets_in

FORMAT, TARGETS = "float32", ["0", "1"]
SHARDS = 16  # a library's: a few minutes each, what a run that is cut off loses
QUESTION = "How wrong are the calls that introductions show, over every float32 input?"
# Shards run at once, one a core; threads of one block wait for each other where the cores are taken.
ONE_THREAD = {
    "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "TF_CPP_MIN_LOG_LEVEL": "3",
}  # fmt: skip
FURTHER = ("library", "system", "mode", "version")


@dataclass(frozen=True, eq=False)
class Called:
    """Stand in for a kernel: a system, called in this process, one target after the other."""

    system: System

    @property
    def name(self) -> str:
        """Return the system's key, under which its summary is kept."""
        return self.system.key

    @cached_property
    def call(self) -> Call:
        """Return the library's call; the first time, import the library."""
        return self.system.load()

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the results for x of shape (1, n) and y of shape (T, 1) in x's format: shape (T, n).

        What is shorter than a block is made as long as one by repeating it.
        """
        given = x[0] if x.size >= BLOCK else np.resize(x[0], BLOCK)
        found = [self.call(given.copy(), np.full(given.shape, t, given.dtype)) for t in y[:, 0]]
        return np.stack([np.asarray(v)[: x.size].astype(x.dtype) for v in found])


def taught(library: str) -> list[Called]:
    """Return the calls of a library that introductions show, in the mode in which they run by default, by problem."""
    every = systems_of(library)
    modes = {s.mode for s in every if s.by_default}
    chosen = [s for s in every if s.taught and s.mode in modes and FORMAT in s.formats and s.max_points is None]
    return sorted(map(Called, chosen), key=lambda c: c.system.problem)


def swept_libraries() -> list[str]:
    """Return the libraries that have such calls."""
    return [entry.name for entry in libraries() if taught(entry.name)]


def by_problem(library: str) -> list[tuple[Problem, list[Called]]]:
    """Return a library's calls by their problem; UsageError where it has none."""
    os.environ.update({**ONE_THREAD, **library_named(library).environment})  # before the library is imported
    found = [(problem_named(p), list(c)) for p, c in groupby(taught(library), key=lambda c: c.system.problem)]
    if not found:
        raise UsageError(f"{library} has no call that is swept; those that have: {', '.join(swept_libraries())}")
    return found


def meaning(library: str) -> str:
    """Return a digest of what is swept: a library's calls, targets, format and division into shards."""
    asked = [*(c.system.key for c in taught(library)), *TARGETS, FORMAT, SHARDS]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def sweep_job(library: str, shard: int, out: Path, grid: str = "exhaustive") -> None:
    """Sweep one shard of a library's calls into a summary file; UsageError for a shard that is not there."""
    if not 0 <= shard < SHARDS:
        raise UsageError(f"there is no shard {shard}; they are counted from 0 to {SHARDS - 1}")
    fmt = format_named(FORMAT)
    summaries, audits, clocks = {}, {}, {}
    for problem, calls in by_problem(library):
        targets = targets_in(fmt, TARGETS)
        g = Grid(grid, problem, fmt, targets)
        cells = g.shard_cells(shard, SHARDS)
        progress = Progress(f"{library} {problem.name} shard {shard + 1} of {SHARDS}", g.size(cells))
        done = sweep(problem, cast(list[Kernel], calls), g, targets, cells, progress=progress)
        summaries[problem.name] = done.summaries
        audits[problem.name] = {"log2_relative_error": round(done.audit_log2, 2), "points": done.audit_points}
        clocks[problem.name] = done.clock.spent
    description = {
        "experiment": f"systems {library}", "experiment_sha256": meaning(library), "format": FORMAT, "grid": grid, "shard": shard, "shards": SHARDS,
        "targets": TARGETS, "audit": audits, "nanoseconds": clocks, "provenance": provenance(),
    }  # fmt: skip
    stored.write_summaries(out, summaries, description)


def rows_job(library: str, paths: Sequence[Path], out: Path) -> None:
    """Make the rows of a library's calls from the files of all its shards, as a part in JSON."""
    from harness.systems.run.worker import version_of

    fmt, shards = format_named(FORMAT), shards_in(paths)
    whole, version = merged(shards.paths[FORMAT]), version_of(library_named(library).versions)
    rows: list[Row] = []
    for problem, calls in by_problem(library):
        grid = Grid(shards.grid, problem, fmt, targets_in(fmt, TARGETS))
        for called in calls:
            s = called.system
            named = {"kernel": f"{library}:{s.key}", "library": library, "system": s.name, "mode": s.mode}
            for t, target in enumerate(targets_in(fmt, TARGETS)):
                case = Case(problem, called.name, called, grid, target)
                rows.append({**row(case, whole[problem.name][called.name], t), **named, "version": version})
    files.write_json(out, {"library": library, "rows": rows})


def table_job(paths: Sequence[Path], out: Path) -> None:
    """Make the table of the calls of all libraries from their parts."""
    rows = [r for path in paths for r in files.read_json(path, "a part of a library's rows")["rows"]]
    shown = contract.readable(rows)
    writer.write(
        out.with_suffix(""),
        rows,
        (*COLUMNS, *FURTHER),
        shown,
        QUESTION,
        note=contract.NOTE,
        caption=contract.caption(rows),
    )
