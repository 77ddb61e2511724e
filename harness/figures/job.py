"""The figure stage: draw every planned figure of an experiment and write it."""

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


def draw_all(experiment: Experiment, summary_paths: list[Path], table_csv: Path, out_dir: Path) -> list[Path]:
    """Draw every figure of an experiment; return the files, PNG and SVG, in order of the plans."""
    drawn = ErrorCurves(experiment, summary_paths, table_csv)
    written: list[Path] = []
    with style.context():
        for plan in plans(experiment):
            written += style.save(DRAW[plan.kind](plan, drawn), out_dir, plan.name)
    return written
