"""What the figures of one experiment are drawn from: each kernel's errors along the input, and its worst.

Summaries of every format are loaded once, and gathered into curves for the targets that figures show; the worst errors
are taken from the table, where they are certified.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from harness import UsageError
from harness.figures.bins import Curve, from_summaries, joined, near_ends
from harness.figures.catalogue import drawn_targets
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep import stored
from harness.sweep.grid import Grid
from harness.sweep.shards import shards_of
from harness.sweep.summary import Summary
from harness.tables import writer
from harness.tables.rows import CONTRACT
from harness.truth.errors import SPURIOUS
from harness.workflow.experiments import Experiment
from harness.workflow.targets import targets_in


class WorstErrors:
    """Hold what an experiment's table knows: the worst error of each kernel, and which formats' inputs were all visited."""

    def __init__(self, experiment: Experiment, table: pd.DataFrame):
        self.experiment, self.formats = experiment, experiment.formats
        self._worst = worst_of(table)
        whole = table.groupby("format")["exhaustive"].agg(lambda column: (column == "true").all())
        self._exhaustive = {str(name): bool(every) for name, every in whole.items()}

    def exhaustive(self, fmt: Format) -> bool:
        """Tell whether every input of a format was visited."""
        return self._exhaustive[fmt.name]

    def worst(self, problem: Problem, kernel: str, fmt: Format, hard: bool) -> tuple[float, list[str]]:
        """Return the table's largest ulp error and the outcomes that occurred, over hard or soft targets.

        Problems without a target count as hard.  The error is NaN where nothing finite was computed.
        Raises UsageError where the table has no such row.
        """
        key = (problem.name, kernel, fmt.name, hard)
        if key not in self._worst:
            raise UsageError(f"the table has no row of {problem.name} {kernel} in {fmt.name}; make it again")
        return self._worst[key]


class ErrorCurves(WorstErrors):
    """Hold the errors of an experiment's kernels along the input, and the worst of each from its table.

    Raises UsageError where a summary is missing, given twice, damaged, or of another sweep.
    """

    def __init__(self, experiment: Experiment, summary_paths: list[Path], table_csv: Path):
        super().__init__(experiment, writer.read(table_csv, CONTRACT))
        self._curves: dict[tuple[str, str, str, str | None], Curve] = {}
        shards = shards_of(experiment, summary_paths)
        for fmt in self.formats:
            self._gather(fmt, [stored.read_summaries(p)[0] for p in shards.paths[fmt.name]], shards.grid)

    def _gather(self, fmt: Format, shards: list[dict[str, dict[str, Summary]]], grid: str) -> None:
        self._exhaustive[fmt.name] = Grid(grid, self.experiment.problems[0], fmt).exhaustive
        for problem in self.experiment.problems:
            chosen: list[str | None] = [*drawn_targets(self.experiment)] if problem.has_target else [None]
            ends = self._near_ends(problem, fmt)
            for kernel in self.experiment.kernels[problem.name]:
                for i, target in enumerate(chosen):
                    t = 0 if target is None else row_of(fmt, self.experiment.targets, target)
                    curve = from_summaries(problem, fmt, [s[problem.name][kernel.name] for s in shards], t)
                    whole = joined(curve, ends[kernel.name][i]) if ends else curve
                    self._curves[problem.name, kernel.name, fmt.name, target] = whole

    def _near_ends(self, problem: Problem, fmt: Format) -> dict[str, list[Curve]]:
        if problem.input != "probability":
            return {}
        targets = targets_in(fmt, drawn_targets(self.experiment))
        return near_ends(problem, self.experiment.kernels[problem.name], fmt, targets)

    def curve(self, problem: Problem, kernel: str, fmt: Format, target: str | None) -> Curve:
        """Return the errors of one kernel along the input."""
        return self._curves[problem.name, kernel, fmt.name, target]


def row_of(fmt: Format, targets: list[str], target: str) -> int:
    """Return which row of a summary is a target's."""
    return int(np.flatnonzero(targets_in(fmt, targets) == targets_in(fmt, [target]))[0])


def worst_of(table: pd.DataFrame) -> dict[tuple[str, str, str, bool], tuple[float, list[str]]]:
    """Gather a table's rows by problem, kernel, format and whether the target is hard (or none)."""
    found: dict[tuple[str, str, str, bool], tuple[float, list[str]]] = {}
    for row in table.to_dict("records"):
        key = (row["problem"], row["kernel"], row["format"], row["target"] in ("", "0", "1"))
        ulp, outcomes = found.get(key, (math.nan, []))
        here = float(row["max_ulp"]) if row["max_ulp"] else math.nan
        seen = {*outcomes, *(name for name in SPURIOUS if int(row[name]))}
        found[key] = (float(np.fmax(ulp, here)), [name for name in SPURIOUS if name in seen])
    return found
