"""Which eps in a loss: clamp and added eps from 2^-1 to below the subnormals, in every format."""

from __future__ import annotations

from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.studies.epsilons.answer import answer
from harness.studies.epsilons.choice import best_rows, circulating_rows, window_rows
from harness.studies.epsilons.figures import draw_best, draw_map
from harness.studies.epsilons.ladder import Bins, candidates, inputs, ladder
from harness.studies.epsilons.reading import READING
from harness.studies.epsilons.rows import Found, study_row
from harness.studies.epsilons.sweep import TARGETS, sweep
from harness.studies.study import Parameters, Study, Tables, joined
from harness.sweep.grid import Grid

PROBLEMS = {"probability": "bce", "logit": "bce_logits"}


def run(parameters: Parameters, part: str) -> Tables:
    """Measure every eps in one format on probabilities or logits; the part is FORMAT-probability or FORMAT-logit."""
    name, _, what = part.partition("-")
    problem, fmt = problem_named(PROBLEMS[what]), format_named(name)
    grid, bins, every = Grid(parameters["grid"][name], problem, fmt), Bins(fmt, parameters), ladder(fmt, parameters)
    chosen = candidates(problem, every)
    tallies, ordinals = sweep(grid, chosen, bins), inputs(grid, every)
    found = [
        study_row(Found(grid, ordinals, bins, candidate, tally, t))
        for candidate, tally in zip(chosen, tallies)
        for t in range(len(TARGETS))
    ]
    return {"epsilons": found}


def combine(parameters: Parameters, parts: list[Tables]) -> Tables:
    """Join the parts, and make the tables of the best eps, of those in circulation, and of each format's window."""
    rows = joined(parameters, parts)["epsilons"]
    return {
        "epsilons_best": best_rows(rows, parameters),
        "epsilons_circulating": circulating_rows(rows),
        "epsilons_windows": window_rows(parameters),
        "epsilons": rows,
    }


STUDY = Study(
    run,
    answer,
    draw={
        "epsilons_probability": draw_map("bce"),
        "epsilons_logit": draw_map("bce_logits"),
        "epsilons_best": draw_best,
    },
    combine=combine,
    reading=READING,
)
