"""The table stage: the summary files of an experiment, one for each format and shard, merged into its table."""

from __future__ import annotations

import math
from pathlib import Path

from mpmath import mp

from harness import UsageError
from harness.numbers.formats import Format
from harness.problems import problem_named
from harness.sweep import stored
from harness.sweep.grid import Grid
from harness.sweep.shards import merged, shards_of
from harness.tables import contract, views, writer
from harness.tables.advice import advised, cures_of
from harness.tables.basis import with_bases
from harness.tables.latex import to_latex
from harness.tables.rows import COLUMNS, CONTRACT, Row
from harness.tables.strongest import Known
from harness.tables.sums import rows_with_sums
from harness.truth.arb import oracle
from harness.truth.certified import significant
from harness.truth.fast import bound
from harness.workflow.experiments import Experiment
from harness.workflow.provenance import functions_differ
from harness.workflow.targets import targets_in


def table_job(experiment: Experiment, inputs: list[Path], out: Path) -> None:
    """Write an experiment's table, OUT.csv, .md, .tex and .json, from the summaries of all its formats and shards.

    Rows stand in the order of problems, formats, kernels and targets.  Their cures hold by the strongest that the tables
    beside OUT know: a sample's rows are judged by those of every input and of searches.  Raises UsageError where a summary is missing,
    given twice, damaged, or of another sweep, and where an error that is computed again is not what the sweep found.
    """
    shards = shards_of(experiment, inputs)
    rows: list[Row] = []
    audit: dict[str, dict] = {}
    for fmt in experiment.formats:
        summaries = merged(shards.paths[fmt.name])
        for problem in experiment.problems:
            targets = targets_in(fmt, experiment.targets) if problem.has_target else None
            g = Grid(shards.grid, problem, fmt, targets)
            for kernel in experiment.kernels[problem.name]:
                summary = summaries[problem.name][kernel.name]
                made = rows_with_sums(problem, kernel, g, targets, summary)
                for t, row in enumerate(made):
                    check_agreement(row, fmt, float(summary.max_ulp[t].max()), shards.provenance)
                rows += made
        audit[fmt.name] = _worst_audit(shards.paths[fmt.name])
    order = {p.name: i for i, p in enumerate(experiment.problems)}
    rows.sort(key=lambda r: order[str(r["problem"])])
    rows = advised(rows, known=cures_of(rows, Known.beyond_samples(out.parent, out.stem)))
    writer.write(
        out.with_suffix(""), rows, COLUMNS, contract.readable(rows), experiment.question,
        note=contract.note(rows), caption=contract.caption(rows), measured_with=shards.provenance,
        extra={"grid": shards.grid, "audit": audit, "oracle": oracle(), "experiment_sha256": experiment.digest},
    )  # fmt: skip


def rewrite_job(experiment: Experiment, path: Path) -> None:
    """Write a sweep's table again from its own CSV, without a sweep: the bases of its figures, cures, Markdown and LaTeX."""
    frame = with_bases(writer.read(path, CONTRACT))
    rows: list[Row] = [{**row} for row in views.records(frame)]
    rows = advised(rows, known=cures_of(rows, Known.beyond_samples(path.parent, path.stem)))
    frame = frame.assign(**{name: [str(row[name]) for row in rows] for name in ("reason", "remedy")})
    shown, title = contract.readable(frame), experiment.question
    texts = {
        ".md": writer.to_markdown(shown, title, contract.note(frame)),
        ".tex": to_latex(shown, contract.caption(frame), path.stem),
    }
    writer.write_again(path, views.records(frame), list(frame.columns), texts)


def check_agreement(row: Row, fmt: Format, swept: float, provenance: dict) -> None:
    """Raise UsageError unless a row's largest error, computed again in mpmath, is the one that the sweep found.

    The sweep measures |computed - reference|, and the reference is off by at most bound * 2^p ulp of the format.  Its
    arithmetic in float64 is good to a few 2^-52 of the error, and the row has nine digits: 10^-8 covers both.  Where
    the kernel itself computes something else now, with other functions than those under the sweep, they disagree.
    """
    if row["max_ulp"] == "" or math.isinf(swept):  # nothing finite, or more than the sweep can hold
        return
    again = mp.mpf(str(row["max_ulp"]))
    if abs(again - swept) > 2.0**fmt.precision * bound(fmt, problem_named(str(row["problem"]))) + 1e-8 * swept:
        other = functions_differ(provenance)
        raise UsageError(
            f"{row['kernel']} of {row['problem']} in {row['format']}, target {row['target'] or 'none'}, errs by "
            f"{significant(swept)} ulp at {row['max_ulp_input']} by the sweep and by {row['max_ulp']} ulp now"
            f"{f' (the sweep was {other})' if other else ''}; sweep again"
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
