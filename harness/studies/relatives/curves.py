"""The errors of some forms along the input, as rows of a table and as the curves of a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from harness.figures.bins import Curve, from_summaries, joined, near_ends
from harness.kernels import kernel_named
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.sweep.summary import Summary
from harness.tables.rows import Row
from harness.truth.certified import significant
from harness.truth.errors import OUTCOMES
from harness.workflow.experiments import targets_in

FIGURES = 4  # significant digits


def curve_rows(fmt: Format, found: Mapping[str, Mapping[str, Summary]], drawn: Mapping[str, Sequence[str]],
               targets: Sequence[str], drawn_target: str) -> list[Row]:  # fmt: skip
    """Return, for each step of the axis, the largest and the median error of each drawn form, and its outcomes."""
    rows: list[Row] = []
    for name, kernels in drawn.items():
        problem = problem_named(name)
        t = list(targets).index(drawn_target) if problem.has_target else 0
        for kernel, curve in _curves(problem, fmt, kernels, found[name], t, drawn_target).items():
            for i in range(len(curve.at)):
                rows.append(
                    {
                        "problem": name,
                        "kernel": kernel,
                        "format": fmt.name,
                        "target": drawn_target if problem.has_target else "",
                        "position": significant(float(curve.at[i]), 8),
                        "max_ulp": significant(float(curve.top[i]), FIGURES),
                        "median_ulp": significant(float(curve.median[i]), FIGURES),
                        "outcomes": " ".join(o for o in OUTCOMES if curve.outcomes[o][i]),
                    }
                )
    return rows


def _curves(problem: Problem, fmt: Format, kernels: Sequence[str], summaries: Mapping[str, Summary], t: int,
            target: str) -> dict[str, Curve]:  # fmt: skip
    found = {name: from_summaries(problem, fmt, [summaries[name]], t) for name in kernels}
    if problem.input != "probability":
        return found
    y = targets_in(fmt, [target]) if problem.has_target else None
    ends = near_ends(problem, [kernel_named(problem.name, name) for name in kernels], fmt, y)
    return {name: joined(curve, ends[name][0]) for name, curve in found.items()}


@dataclass
class Drawn:
    """Give a figure its curves out of the table, as figures.material.Material does out of summaries."""

    frame: pd.DataFrame
    formats: list[Format] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.formats = [format_named(name) for name in dict.fromkeys(self.frame["format"])]
        self._groups = dict(list(self.frame.groupby(["problem", "kernel", "format"], sort=False)))

    def curve(self, problem: Problem, kernel: str, fmt: Format, target: str | None) -> Curve:
        """Return the errors of one form along the input."""
        rows = self._groups[problem.name, kernel, fmt.name]
        at, top, median = (pd.to_numeric(rows[c]).to_numpy() for c in ("position", "max_ulp", "median_ulp"))
        seen = [set(text.split()) for text in rows["outcomes"]]
        return Curve(at, top, median, {o: np.array([o in s for s in seen]) for o in OUTCOMES})

    def exhaustive(self, fmt: Format) -> bool:
        """Tell whether every input of a format was visited."""
        return fmt.bits <= 16
