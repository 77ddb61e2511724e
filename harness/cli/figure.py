"""One figure for a paper: which figure a name means, which of its panels and curves are asked for, and the file.

Figures of sweeps are drawn from the summaries that `make` leaves, those of worst errors and plateaus from the tables
alone; figures of studies and of systems from their tables, of which the rows that are not asked for are left out.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness import UsageError
from harness.figures import style
from harness.figures.catalogue import Family, Plan, plans
from harness.figures.curves import ErrorCurves, WorstErrors
from harness.figures.job import DRAW
from harness.figures.paper import WIDTHS, on_paper
from harness.numbers.formats import format_named
from harness.studies import study
from harness.systems.pages import FIGURES as OF_SYSTEMS
from harness.tables import writer
from harness.workflow import experiments
from harness.workflow.experiments import Experiment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXPERIMENTS = Path("experiments")
SCREEN = "screen"
# What can be chosen of a study's figure: `kernel`, `format`, `problem`, and the columns that have them.
Columns = Mapping[str, tuple[str, ...]]
FORMAT: Columns = {"format": ("format",)}
KERNELS: Columns = {**FORMAT, "kernel": ("kernel",)}
PROBLEMS: Columns = {**KERNELS, "problem": ("problem",)}
PAIRS: Columns = {"format": ("probability_format",)}
CHOICES: list[tuple[Columns, tuple[str, ...]]] = [
    (FORMAT, ("epsilons_probability", "epsilons_logit", "epsilons_best", "softmax_gap", "relatives_log1mexp")),
    (FORMAT, ("reductions_sums", "reductions_means", "reductions_stagnation")),
    (PAIRS, ("pipeline_parts_y0", "pipeline_parts_y1", "pipeline_round_trip")),
    (KERNELS, ("training_test_error", "training_nonfinite", "training_loss_wrong_start", "training_loss_high_rate")),
    (KERNELS, ("training_errors_bce_logits", "training_errors_bce_logits_grad", "targets_powers", "softmax_growth")),
    (PROBLEMS, ("targets_map", "relatives_errors")),
]


@dataclass(frozen=True)
class Chosen:
    """Hold what of a figure is asked for: names of kernels (or of systems), formats and problems; all where none is."""

    kernel: Sequence[str] = ()
    format: Sequence[str] = ()
    problem: Sequence[str] = ()
    target: str | None = None

    def among(self, what: str, names: Sequence[str]) -> list[str]:
        """Return which of the names that a figure has are asked for; UsageError for one that it has not."""
        asked = getattr(self, what)
        for name in asked:
            if name not in names:
                raise UsageError(f"the figure has no {what} {name!r}; {_nearest(name, names)}")
        return [n for n in names if n in asked or not asked]

    def refuse(self, name: str, allowed: Sequence[str]) -> None:
        """Raise UsageError where something is asked for that cannot be chosen in a figure."""
        for what in ("kernel", "format", "problem"):
            if getattr(self, what) and what not in allowed:
                there = " and ".join(f"--{a}" for a in allowed) or "nothing"
                raise UsageError(f"--{what} cannot be chosen in {name}; {there} can")


def figure_job(name: str, chosen: Chosen, width: str, results: Path, out: Path) -> Path:
    """Draw a figure as wide as a column, a page or as on the screen, and write it as PDF, SVG or PNG; return the path.

    Raises UsageError where there is no such figure, kernel, format or problem in it, or where what it is drawn from is
    missing.
    """
    if out.suffix.lstrip(".") not in style.FORMS:
        raise UsageError(f"--out {out} must end in .{', .'.join(style.FORMS)}")
    draw = _drawing(name, chosen, results)
    with style.context():
        figure = draw() if width == SCREEN else on_paper(draw, WIDTHS[width])[0]
        return style.save(figure, out.parent, out.stem, [out.suffix[1:]])[0]


def _drawing(name: str, chosen: Chosen, results: Path) -> Callable[[], Figure]:
    """Return the function that draws a figure of a name, without regard to the sheet."""
    swept, studied = experiments.files(EXPERIMENTS)
    questions = {stem: q for path in studied.values() for q in [study.load(path)] for stem in q.figures}
    if name in questions:
        return _of_study(name, questions[name], chosen, results)
    if name in OF_SYSTEMS:
        return _of_systems(name, chosen, results)
    loaded = [experiments.load(path) for path in swept.values()]
    found = {plan.name: (e, plan) for e in loaded if e.figures for plan in plans(e)}
    if name not in found and chosen.target is not None:
        name = f"{name}_y{chosen.target.replace('.', '_')}"
    if name.startswith("bounds_"):
        experiment = name.removeprefix("bounds_").rsplit("_bce")[0]
        raise UsageError(f"figures of bounds are drawn with their table: run `snakemake bounds_{experiment}`")
    if name not in found:
        raise UsageError(f"there is no figure {name!r}; {_nearest(name, [*found, *questions, *OF_SYSTEMS])}")
    return _of_sweep(*found[name], chosen, results)


def _nearest(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, 1, 0.5)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"


# -- sweeps -----------------------------------------------------------------------------------------


def _of_sweep(experiment: Experiment, plan: Plan, chosen: Chosen, results: Path) -> Callable[[], Figure]:
    table = results / "tables" / f"{experiment.name}.csv"
    problems = chosen.among("problem", list(dict.fromkeys(f.problem.name for f in plan.families)))
    families = [f for f in plan.families if f.problem.name in problems]
    kernels = chosen.among("kernel", list(dict.fromkeys(k.name for f in families for k in f.kernels)))
    kept = [replace(f, kernels=tuple(k for k in f.kernels if k.name in kernels)) for f in families]
    kept = [f for f in kept if f.kernels]
    formats = chosen.among("format", [f.name for f in experiment.formats])
    drawn: Any
    if plan.kind in ("worst", "plateaus"):
        drawn = WorstErrors(experiment, writer.read(table))
    else:
        paths = sorted((results / "summaries").glob(f"{experiment.name}.*.npz"))
        if not paths:
            raise UsageError(
                f"{plan.name} is drawn from summaries, which `snakemake {experiment.name}` makes; run it first"
            )
        drawn = ErrorCurves(experiment, paths, table)
    drawn.formats = [format_named(f) for f in formats]
    asked = replace(plan, families=tuple(_merged(plan, kept)))
    return lambda: DRAW[plan.kind](asked, drawn)


def _merged(plan: Plan, families: list[Family]) -> list[Family]:
    """Join the families of errors of one problem, whose one key names every curve; UsageError where that is too many."""
    if plan.kind != "errors" or len(families) == 1:
        return families
    if len({f.problem.name for f in families}) > 1:
        names = ", ".join(dict.fromkeys(f.problem.name for f in families))
        raise UsageError(f"{plan.name} shows several problems; choose one by --problem: {names}")
    kernels = tuple(k for f in families for k in f.kernels)
    if len(kernels) > len(style.LINES):
        names = ", ".join(k.name for k in kernels)
        raise UsageError(f"a panel shows {len(style.LINES)} kernels at most; choose some by --kernel: {names}")
    return [Family("", families[0].problem, kernels)]


# -- studies and systems ----------------------------------------------------------------------------


def _of_study(stem: str, question: study.Question, chosen: Chosen, results: Path) -> Callable[[], Figure]:
    columns: Columns = next((c for c, stems in CHOICES if stem in stems), {})
    chosen.refuse(stem, list(columns))
    frames = {t: writer.read(results / "tables" / f"{t}.csv") for t in question.tables}
    for what, names in columns.items():
        held = [f for f in frames.values() if set(names) <= set(f.columns)]
        among = chosen.among(what, list(dict.fromkeys(v for f in held for c in names for v in f[c])))
        frames = {t: _rows(f, names, among) for t, f in frames.items()}
    draw = study.study_of(question).draw[stem]
    return lambda: draw(frames)


def _rows(frame: pd.DataFrame, columns: Sequence[str], values: Sequence[str]) -> pd.DataFrame:
    """Return the rows of a table whose columns have one of the values; all of a table that has no such column."""
    for column in columns:
        if column in frame.columns:
            frame = frame[frame[column].isin(values)]
    return frame


def _of_systems(name: str, chosen: Chosen, results: Path) -> Callable[[], Figure]:
    from harness.systems.pages import figures, known, probes

    chosen.refuse(name, ["kernel", "format"])
    rows = known.rows_in(results / "tables" / "systems.csv")
    formats = tuple(chosen.among("format", figures.FORMATS))
    calls = chosen.among("kernel", list(dict.fromkeys(str(r["system"]) for r in rows)))
    if name in figures.LOSSES:
        kept = [r for r in rows if r["system"] in calls]
        return lambda: figures.worst_figure(kept, figures.LOSSES[name], figures.TITLES[name], formats)
    returned = [r for r in probes.returned(rows, results / "tables" / "systems_probes.csv") if r.row["system"] in calls]
    return lambda: figures.plateau_figure(returned, formats)
