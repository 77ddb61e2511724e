"""The table stage: the summary files of an experiment, merged, into its table."""

from __future__ import annotations

from pathlib import Path

from harness.sweep import stored
from harness.sweep.grid import Grid
from harness.sweep.job import merged
from harness.tables import writer
from harness.tables.rows import Row, rows_of
from harness.truth.arb import oracle
from harness.workflow.experiments import Experiment, targets_in


def table_job(experiment: Experiment, inputs: list[Path], out: Path) -> None:
    """Make an experiment's table from the summaries of all its formats and shards."""
    grid = stored.read_description(inputs[0])["grid"]
    rows: list[Row] = []
    audit: dict[str, dict] = {}
    for fmt in experiment.formats:
        shards = [p for p in inputs if p.name.split(".")[-3] == fmt.name]
        summaries = merged(shards)
        for problem in experiment.problems:
            targets = targets_in(fmt, experiment.targets) if problem.has_target else None
            g = Grid(grid, problem, fmt)
            for kernel in experiment.kernels[problem.name]:
                summary = stored.summary_of(summaries, problem.name, kernel.name)
                rows += rows_of(problem, kernel, g, targets, summary)
        audit[fmt.name] = _worst_audit(shards)
    order = {p.name: i for i, p in enumerate(experiment.problems)}
    rows.sort(key=lambda r: order[str(r["problem"])])
    writer.write(
        out.with_suffix(""), rows, experiment.question, extra={"grid": grid, "audit": audit, "oracle": oracle()}
    )


def _worst_audit(paths: list[Path]) -> dict:
    """Return each problem's worst audited relative error (log2) and the number of audited points."""
    worst: dict[str, dict] = {}
    for path in paths:
        for problem, found in stored.read_description(path)["audit"].items():
            kept = worst.setdefault(problem, {"log2_relative_error": -1e9, "points": 0})
            kept["log2_relative_error"] = max(kept["log2_relative_error"], found["log2_relative_error"])
            kept["points"] += found["points"]
    return worst
