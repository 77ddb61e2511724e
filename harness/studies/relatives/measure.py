"""Sweep every form of the loss's relatives in one format, and compare their worst errors along the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.figures.bins import Curve, from_summaries, joined, near_ends
from harness.kernels import kernel_named, kernels_of
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.studies.relatives.cutoff import cutoff_row, cutoff_rows, maechler_rows, window
from harness.studies.relatives.gradient import gradient_rows
from harness.studies.study import Parameters, Tables
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.sweep.summary import Summary
from harness.tables.advice import advised
from harness.tables.rows import Row
from harness.tables.sums import rows_with_sums
from harness.truth.certified import significant
from harness.truth.errors import OUTCOMES
from harness.workflow.targets import targets_in

NAMES = (
    "log1mexp", "logit", "binary_entropy", "bernoulli_kl", "focal", "focal_grad", "focal_g0.5", "focal_g0.5_grad",
)  # fmt: skip
RELATIVES = tuple(problem_named(name) for name in NAMES)
FIGURES = 4  # significant digits of a curve


def run(parameters: Parameters, part: str) -> Tables:
    """Sweep every form in one format; the part is the format's name."""
    fmt = format_named(part)
    rows: list[Row] = []
    found: dict[str, dict[str, Summary]] = {}
    for problem in RELATIVES:
        targets = targets_in(fmt, parameters["targets"]) if problem.has_target else None
        grid, kernels = Grid("standard", problem, fmt, targets), kernels_of(problem.name)
        found[problem.name] = sweep(problem, kernels, grid, targets).summaries
        rows += [r for k in kernels for r in rows_with_sums(problem, k, grid, targets, found[problem.name][k.name])]
    seen = window(fmt, found["log1mexp"], parameters["points_per_cell"])
    return {
        "relatives": advised(rows),
        "relatives_cutoff": [cutoff_row(seen)],
        "relatives_gradient": gradient_rows(fmt),
        "relatives_maechler": maechler_rows(fmt, parameters["points_per_cell"]),
        "relatives_cutoffs": cutoff_rows(seen, parameters["cutoffs"]),
        "relatives_curves": curve_rows(fmt, found, parameters),
    }


def curve_rows(fmt: Format, found: Mapping[str, Mapping[str, Summary]], parameters: Parameters) -> list[Row]:
    """Return, for each step of the axis, the largest and the median error of each drawn form, and its outcomes."""
    targets, drawn_target = parameters["targets"], parameters["drawn_target"]
    rows: list[Row] = []
    for name, kernels in parameters["drawn"].items():
        problem = problem_named(name)
        t = targets.index(drawn_target) if problem.has_target else 0
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
