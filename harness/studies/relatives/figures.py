"""Draw Maechler's figure of log1mexp, and the errors of naive and stable forms along the input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures import style
from harness.figures.bins import Curve
from harness.figures.catalogue import Family, Plan
from harness.figures.errors import error_figure
from harness.figures.layout import Layout, line
from harness.kernels import kernel_named
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.studies.study import Frames
from harness.truth.errors import OUTCOMES

FORMS = {"naive": "log(1 − e⁻ᵃ)", "expm1": "log(−expm1(−a))", "log1p": "log1p(−e⁻ᵃ)"}
LOG2 = math.log10(math.log(2))
TITLES = {
    "logit": "logit",
    "binary_entropy": "binary entropy",
    "bernoulli_kl": "divergence, y = {}",
    "focal": "focal loss, γ = 2",
    "focal_g0.5_grad": "focal gradient, γ = 1/2",
}


def draw_log1mexp(frames: Frames) -> Figure:
    """Draw the relative errors of the forms above, and the largest error by cutoff below."""
    formats = list(dict.fromkeys(frames["relatives_maechler"]["format"]))
    layout = Layout(11.0, 2, len(formats), 2.0, left=0.72, right=0.2, top=0.62, bottom=0.82, gap_x=0.5, gap_y=0.62)
    figure = layout.figure("Which form of log(1 − e⁻ᵃ), and where to change from one to the other?")
    for column, name in enumerate(formats):
        fmt = format_named(name)
        curves, cutoffs = (frames[t][frames[t]["format"] == name] for t in ("relatives_maechler", "relatives_cutoffs"))
        above = _relative(figure, layout, column, fmt, curves)
        below = _by_cutoff(figure, layout, column, cutoffs)
        layout.heading(above, style.format_title(fmt, fmt.bits <= 16))
        if layout.leftmost(column):
            layout.y_label(above, "relative error", 36)
            layout.y_label(below, "largest error (ulp)", 36)
    _legend(figure)
    return figure


def _relative(figure: Figure, layout: Layout, column: int, fmt: Format, rows: pd.DataFrame) -> Axes:
    at = np.log10(rows["a"].astype(float))
    low, high = -fmt.precision * math.log10(2) - 1.2, 0.3
    ax = layout.panel(figure, 0, column, (at.min(), at.max()), (low, high))
    _cutoff_line(ax)
    line(ax, [at.min(), at.max()], [-fmt.precision * math.log10(2)] * 2, color="#8C8C8C", lw=0.8, ls=(0, (4, 2)))
    for i, form in enumerate(FORMS):
        colour, width, dashes = style.LINES[i]
        error = np.log10(np.maximum(rows[form].astype(float), 1e-30))
        line(ax, at, np.clip(error, low, 0), color=colour, lw=width, ls=dashes, zorder=3 + i)
    step = max(1, round(-low / 4))
    ticks = list(range(0, math.floor(low), -step))
    layout.y_ticks(ax, ticks, [style.power_label(k) for k in ticks])
    every = max(1, round((at.max() - at.min()) / 3.5))
    ticks = [k for k in range(math.ceil(at.min()), math.floor(at.max()) + 1) if k % every == 0]
    layout.x_ticks(ax, ticks, [style.power_label(k) for k in ticks], name="a")
    return ax


def _by_cutoff(figure: Figure, layout: Layout, column: int, rows: pd.DataFrame) -> Axes:
    at, error = np.log10(rows["cutoff"].astype(float)), rows["max_ulp"].astype(float)
    mean = rows["mean_ulp"].astype(float)
    ax = layout.panel(figure, 1, column, (at.min(), at.max()), (0, 8))
    _cutoff_line(ax)
    line(ax, at, np.where(error <= 8, error, np.nan), color="#000000", lw=1.6, zorder=4)
    line(ax, at, mean * 4, color="#0072B2", lw=1.0, ls=(0, (3, 1.2)), zorder=5)
    ticks = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
    layout.x_ticks(ax, np.log10(ticks).tolist(), ["1/8", "1/4", "1/2", "1", "2", "4"], name="cutoff")
    layout.y_ticks(ax, [0, 2, 4, 6, 8], ["0", "2", "4", "6", "8"])
    return ax


def _cutoff_line(ax: Axes) -> None:
    ax.axvline(LOG2, color="#D55E00", lw=0.8, ls=(0, (1, 1)), zorder=2)


def _legend(figure: Figure) -> None:
    handles = [style.line_handle(i, label) for i, label in enumerate(FORMS.values())]
    handles += [
        Line2D([], [], color="#8C8C8C", lw=0.8, ls=(0, (4, 2)), label="2⁻ᵖ"),
        Line2D([], [], color="#D55E00", lw=0.8, ls=(0, (1, 1)), label="log 2"),
        Line2D([], [], color="#000000", lw=1.6, label="two branches: largest"),
        Line2D([], [], color="#0072B2", lw=1.0, ls=(0, (3, 1.2)), label="two branches: mean, times 4"),
    ]
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.03, 0.0), ncols=len(handles), frameon=False,
        columnspacing=1.4, handletextpad=0.5,
    )  # fmt: skip


@dataclass
class Drawn:
    """Give a figure its curves out of the table, as figures.curves.ErrorCurves does out of summaries."""

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


def draw_errors(frames: Frames) -> Figure:
    """Draw the errors of the forms along the input, a row for each problem, as every sweep's figure."""
    frame = frames["relatives_curves"]
    families = []
    for name, rows in frame.groupby("problem", sort=False):
        kernels = tuple(kernel_named(str(name), k) for k in dict.fromkeys(rows["kernel"]))
        title = TITLES[str(name)].format(rows["target"].iloc[0])
        families.append(Family(title, problem_named(str(name)), kernels))
    title = "Where do naive forms of the loss's relatives lose their digits, and which form keeps them?"
    plan = Plan("relatives_errors", "errors", title, "", tuple(families))
    return error_figure(plan, Drawn(frame))  # type: ignore[arg-type]  # of ErrorCurves it uses formats, curve, exhaustive


DRAW = {"relatives_log1mexp": draw_log1mexp, "relatives_errors": draw_errors}
