"""The sweep stage: one shard of an experiment in one format, into a summary file.

A shard is every n-th cell of each problem's grid, so that shards cost alike and can run at once.
"""

from __future__ import annotations

from pathlib import Path

from harness.numbers.formats import Format
from harness.sweep import stored
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.sweep.summary import Summary
from harness.workflow.dependencies import sources
from harness.workflow.experiments import Experiment
from harness.workflow.progress import Progress
from harness.workflow.provenance import commit, provenance
from harness.workflow.targets import targets_in


def sweep_job(experiment: Experiment, fmt: Format, shard: int, grid: str, out: Path) -> None:
    """Sweep one shard of one format, all problems and kernels of an experiment, into a summary file.

    `shard` counts from 0; `grid` is exhaustive, standard or quick, whatever the experiment's own is.  The file says of
    itself what it is of and measured with, how far the reference was off where it was audited (log2 of the relative error), and where the
    time went (nanoseconds).  Raises UsageError for a grid that the format cannot have, AuditFailure where the
    reference breaks its bound; then no file is written.
    """
    shards = experiment.divided(fmt.name, shard)
    made_with = {**provenance(sources([__name__], experiment)), "commit": commit()}  # as they are when it begins
    summaries: dict[str, dict[str, Summary]] = {}
    audits, clocks = {}, {}
    for problem in experiment.problems:
        targets = targets_in(fmt, experiment.targets) if problem.has_target else None
        g = Grid(grid, problem, fmt, targets)
        cells = g.shard_cells(shard, shards)
        progress = Progress(f"{experiment.name} {problem.name} {fmt.name} shard {shard + 1} of {shards}", g.size(cells))
        done = sweep(problem, experiment.kernels[problem.name], g, targets, cells, progress=progress)
        summaries[problem.name] = done.summaries
        audits[problem.name] = {"log2_relative_error": round(done.audit_log2, 2), "points": done.audit_points}
        clocks[problem.name] = done.clock.spent
    description = {
        "experiment": experiment.name, "experiment_sha256": experiment.digest, "format": fmt.name, "grid": grid,
        "shard": shard, "shards": shards, "targets": experiment.targets, "audit": audits,
        "nanoseconds": clocks, "provenance": made_with,
    }  # fmt: skip
    stored.write_summaries(out, summaries, description)
