"""The figure stage: an experiment's summaries and table, drawn as every figure that the catalogue plans for it."""

from __future__ import annotations

from pathlib import Path

from harness.figures import style
from harness.figures.catalogue import plans
from harness.figures.curves import ErrorCurves
from harness.figures.errors import error_figure
from harness.figures.heatmap import worst_figure
from harness.figures.map import map_figure
from harness.figures.plateaus import plateau_figure
from harness.workflow.experiments import Experiment

DRAW = {"errors": error_figure, "map": map_figure, "plateaus": plateau_figure, "worst": worst_figure}


def figures_job(experiment: Experiment, inputs: list[Path], table: Path, out: Path) -> list[Path]:
    """Draw every figure of an experiment into the folder `out`, as PNG, SVG and PDF; return the files in order of the plans.

    `inputs` are the summaries of all its formats and shards, `table` is its CSV.  Raises UsageError where a summary
    is missing, given twice, damaged, or of another sweep, or where the table lacks a row.
    """
    drawn = ErrorCurves(experiment, inputs, table)
    written: list[Path] = []
    with style.context():
        for plan in plans(experiment):
            written += style.save(DRAW[plan.kind](plan, drawn), out, plan.name)
    return written
