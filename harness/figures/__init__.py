"""Figures: where each kernel fails, how its loss and gradient run, and how wrong it is at worst.

`figure_names` and `captions` need no drawing library, so that a workflow knows its outputs before it
runs; `draw` makes them.
"""

from __future__ import annotations

from pathlib import Path

from harness.figures.catalogue import captions, figure_names
from harness.workflow.experiments import Experiment

__all__ = ["captions", "draw", "figure_names"]


def draw(experiment: Experiment, summary_paths: list[Path], table_csv: Path, out_dir: Path) -> list[Path]:
    """Draw every figure of an experiment as PNG and as SVG; return the files in order of `figure_names`.

    Raises UsageError where a format has no summary file or the table lacks a row.
    """
    from harness.figures.job import draw_all  # loads the drawing library

    return draw_all(experiment, summary_paths, table_csv, out_dir)
