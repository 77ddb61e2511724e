"""Relatives of the cross-entropy, naive against stable: log1mexp, logit, entropy, divergence, focal loss."""

from __future__ import annotations

from harness.kernels import kernels_of
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.studies.relatives.answer import answer
from harness.studies.relatives.curves import curve_rows
from harness.studies.relatives.cutoff import cutoff_row, cutoff_rows, maechler_rows, window
from harness.studies.relatives.figures import DRAW
from harness.studies.relatives.gradient import gradient_rows
from harness.studies.relatives.reading import READING
from harness.studies.study import Parameters, Study, Tables
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.sweep.summary import Summary
from harness.tables.rows import Row, rows_of
from harness.workflow.experiments import targets_in

NAMES = (
    "log1mexp", "logit", "binary_entropy", "bernoulli_kl", "focal", "focal_grad", "focal_g0.5", "focal_g0.5_grad",
)  # fmt: skip
RELATIVES = tuple(problem_named(name) for name in NAMES)


def run(parameters: Parameters, part: str) -> Tables:
    """Sweep every form in one format; the part is the format's name."""
    fmt = format_named(part)
    rows: list[Row] = []
    found: dict[str, dict[str, Summary]] = {}
    for problem in RELATIVES:
        grid, kernels = Grid("standard", problem, fmt), kernels_of(problem.name)
        targets = targets_in(fmt, parameters["targets"]) if problem.has_target else None
        found[problem.name] = sweep(problem, kernels, grid, targets).summaries
        rows += [r for k in kernels for r in rows_of(problem, k, grid, targets, found[problem.name][k.name])]
    seen = window(fmt, found["log1mexp"], parameters["points_per_cell"])
    return {
        "relatives": rows,
        "relatives_cutoff": [cutoff_row(seen)],
        "relatives_gradient": gradient_rows(fmt),
        "relatives_maechler": maechler_rows(fmt, parameters["points_per_cell"]),
        "relatives_cutoffs": cutoff_rows(seen, parameters["cutoffs"]),
        "relatives_curves": curve_rows(
            fmt, found, parameters["drawn"], parameters["targets"], parameters["drawn_target"]
        ),
    }


STUDY = Study(run, answer, draw=DRAW, reading=READING)
