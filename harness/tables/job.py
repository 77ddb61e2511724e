"""The table stage: the summary files of an experiment, one for each format and shard, merged into its table."""

from __future__ import annotations

from pathlib import Path

from harness.sweep import stored
from harness.sweep.grid import Grid
from harness.sweep.shards import merged, shards_of
from harness.tables import contract, views, writer
from harness.tables.basis import with_bases
from harness.tables.rows import COLUMNS, Row, rows_of
from harness.truth.arb import oracle
from harness.workflow.experiments import Experiment, targets_in


def table_job(experiment: Experiment, inputs: list[Path], out: Path) -> None:
    """Write an experiment's table, OUT.csv, .md, .tex and .json, from the summaries of all its formats and shards.

    Rows stand in the order of problems, formats, kernels and targets.  Raises UsageError where a summary is missing,
    given twice, damaged, or of another sweep.
    """
    shards = shards_of(experiment, inputs)
    rows: list[Row] = []
    audit: dict[str, dict] = {}
    for fmt in experiment.formats:
        summaries = merged(shards.paths[fmt.name])
        for problem in experiment.problems:
            targets = targets_in(fmt, experiment.targets) if problem.has_target else None
            g = Grid(shards.grid, problem, fmt)
            for kernel in experiment.kernels[problem.name]:
                rows += rows_of(problem, kernel, g, targets, summaries[problem.name][kernel.name])
        audit[fmt.name] = _worst_audit(shards.paths[fmt.name])
    order = {p.name: i for i, p in enumerate(experiment.problems)}
    rows.sort(key=lambda r: order[str(r["problem"])])
    writer.write(
        out.with_suffix(""), rows, COLUMNS, contract.readable(rows), experiment.question,
        note=contract.note(rows), extra={"grid": shards.grid, "audit": audit, "oracle": oracle()},
    )  # fmt: skip


def rewrite_job(experiment: Experiment, path: Path) -> None:
    """Write a sweep's table again from its own CSV, without a sweep: the bases of its figures, Markdown and LaTeX."""
    frame = with_bases(writer.read(path))
    shown, title = contract.readable(frame), experiment.question
    texts = {
        ".md": writer.to_markdown(shown, title, contract.note(frame)),
        ".tex": writer.to_latex(shown, title, path.stem),
    }
    writer.write_again(path, views.records(frame), list(frame.columns), texts)


def _worst_audit(paths: list[Path]) -> dict:
    """Return each problem's worst audited relative error (log2) and the number of audited points."""
    worst: dict[str, dict] = {}
    for path in paths:
        for problem, found in stored.read_description(path)["audit"].items():
            kept = worst.setdefault(problem, {"log2_relative_error": -1e9, "points": 0})
            kept["log2_relative_error"] = max(kept["log2_relative_error"], found["log2_relative_error"])
            kept["points"] += found["points"]
    return worst
