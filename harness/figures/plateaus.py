"""Loss and gradient as computed, against the exact ones: plateaus, jumps to infinity, dead gradients.

Drawn are the inputs whose prediction is ever more wrong, where a loss should rise without end and its gradient stay
away from 0: there a clamp shows as a plateau, and training stops where the gradient is exactly 0.  The exact values are
drawn whole and each kernel where it is away from them (apart.py), so that none hides another that is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures import style
from harness.figures.apart import away, only
from harness.figures.catalogue import Plan
from harness.figures.curves import ErrorCurves
from harness.figures.layout import Layout, line
from harness.figures.paper import PAPER

# `lookup` is named so that an edit of how kernels are differentiated draws the plateaus again, see dependencies.py.
from harness.kernels import (
    Kernel,
    kernels_of,
    lookup,  # noqa: F401
)
from harness.numbers.formats import Format
from harness.problems import Problem, antiderivative_of, gradient_of
from harness.truth.fast import evaluate

Array = np.ndarray

# One of each kind of failure, and a form without any.
SHOWN = (
    "lse_log1p", "sigmoid_naive", "sigmoid_clip_1e-7", "sigmoid_clip_1e-15", "sigmoid_add_eps_1e-12",
    "sigmoid_clamp_log_100", "softplus_naive",
    "xlogy", "naive", "clip_1e-7", "clip_1e-15", "add_eps_1e-12", "clamp_log_100",
)  # fmt: skip
HIGH, LOW = 1.55, 1.1  # inches of a panel, on a screen and on paper
POINTS = 700
CLAMP_IN_VIEW = 112.0  # the highest loss shown, above the clamp at 100


@dataclass(frozen=True)
class Side:
    """Describe one target's panels: inputs to visit, where they are drawn, and the axis."""

    inputs: Array
    at: Array
    limits: tuple[float, float]
    ticks: tuple[list[float], list[str]]
    label: str


def plateau_figure(plan: Plan, drawn: ErrorCurves) -> Figure:
    """Draw a plan of kind `plateaus`: rows loss y = 0, loss y = 1, gradient y = 0, gradient y = 1."""
    loss = plan.families[0].problem
    gradient = gradient_of(loss)
    assert gradient is not None  # the catalogue plans plateaus for losses that have one
    names = _chosen([k.name for f in plan.families for k in f.kernels], SHOWN)
    height = LOW if PAPER.get() else HIGH
    layout = Layout(
        11.0, 4, len(drawn.formats), height, left=0.8, right=1.95, top=0.62, bottom=0.82, gap_x=0.4, gap_y=0.4
    )
    figure = layout.figure(plan.title)
    shown: set[str] = set()
    outcomes: set[str] = set()
    for row, (problem, target) in enumerate(((loss, 0.0), (loss, 1.0), (gradient, 0.0), (gradient, 1.0))):
        kernels = [k for n in names for k in kernels_of(problem.name) if k.name == n]
        by_format = [evaluated(problem, kernels, fmt, target) for fmt in drawn.formats]
        marked = [k.name for k in kernels if any(k.name in r.marked for r in by_format)]
        for column, (fmt, values) in enumerate(zip(drawn.formats, by_format)):
            axis = _axis(problem, values)
            ax = layout.panel(figure, row, column, values.side.limits, axis.limits(len(marked)))
            layout.x_ticks(ax, *values.side.ticks, name=values.side.label)
            layout.y_ticks(ax, *axis.ticks())
            shown |= _panel(ax, axis, values, marked)
            outcomes |= {o for n in values.marked for o in values.outcomes(n)}
            if layout.heads(row):
                layout.heading(ax, f"{fmt.name} (p = {fmt.precision})")
            if layout.leftmost(column):
                layout.y_label(ax, f"{'loss' if problem is loss else '|gradient|'}, y = {target:.0f}", 44, "bold")
    curves = [(i, n) for i, n in enumerate(names) if n in shown]
    plateau_legend(figure, layout, curves, [n for n in names if n not in shown], outcomes, spacing=0.6)
    return figure


def _chosen(names: list[str], wanted: tuple[str, ...]) -> list[str]:
    """Return all names where they are few; else the wanted ones that there are, or the first."""
    if len(names) <= len(style.LINES):
        return names
    return [n for n in wanted if n in names] or names[: len(style.LINES)]


def _side(problem: Problem, target: float, fmt: Format) -> Side:
    """Choose the inputs whose prediction is wrong: towards 0 for y = 1, towards 1 (or large x) for y = 0."""
    sign = 1 if target == 0 else -1
    if problem.input == "logit":
        x = np.unique((sign * np.linspace(-16, 116, POINTS)).astype(fmt.dtype).astype(np.float64))
        ticks = [0.0, sign * 50.0, sign * 100.0]
        return Side(x, x, (min(-15 * sign, 115 * sign), max(-15 * sign, 115 * sign)),
                    (ticks, [f"{t:.0f}".replace("-", "−") for t in ticks]), "logit x")  # fmt: skip
    # The least distance from 0 or 1 in the format, but no farther than the clamp at e^-100 shows.
    lowest = max(-50.0, np.log10(fmt.smallest_subnormal)) if target == 1 else -fmt.precision * np.log10(2.0)
    q = 10.0 ** np.linspace(lowest, np.log10(0.9), POINTS)
    p = np.unique((q if target == 1 else 1 - q).astype(fmt.dtype).astype(np.float64))
    p = p[(p > 0) & (p < 1)]
    at = np.log10(p) if target == 1 else np.log10(1 - p)
    third = max(1, int(-lowest / 3))
    exponents = list(range(0, int(lowest) - 1, -third))
    label = "probability p" if target == 1 else "1 − p"
    return Side(
        p,
        at,
        (-0.01 * lowest, 1.03 * lowest),
        ([float(e) for e in exponents], [style.power_label(e) for e in exponents]),
        label,
    )


def _axis(problem: Problem, values: WrongSide) -> Linear | Logarithmic:
    """Choose the axis of values: as far as the exact ones go, log10 for a gradient."""
    is_gradient = antiderivative_of(problem) is not None
    if is_gradient and problem.input == "logit":
        return Logarithmic(-40, 10, (-40, -20, 0))
    most = np.max(np.abs(values.exact[np.isfinite(values.exact)]))
    if is_gradient:
        hi = np.log10(most) + 1
        return Logarithmic(-0.1 * hi, hi, (0, int(hi / 2), 2 * int(hi / 2)))
    return Linear(min(CLAMP_IN_VIEW, 1.08 * most))


@dataclass(frozen=True)
class WrongSide:
    """Hold what a problem and its kernels are where the prediction is wrong: float64, shape (n,), by input.

    `exact` are the exact values, `rounded` the same rounded into the format, `computed` each kernel's.
    """

    side: Side
    exact: Array
    rounded: Array
    computed: dict[str, Array]

    @property
    def marked(self) -> list[str]:
        """Return the kernels that give NaN or infinity where a number is due."""
        return [name for name, values in self.computed.items() if self.spurious(values).any()]

    def outcomes(self, name: str) -> list[str]:
        """Return which of NaN and infinity a kernel gives where a number is due."""
        values = self.computed[name][self.spurious(self.computed[name])]
        return [o for o, kind in (("spurious_nan", np.isnan), ("spurious_inf", np.isinf)) if kind(values).any()]

    def spurious(self, computed: Array) -> Array:
        """Tell where a value is NaN or infinite and the rounded exact value is neither."""
        return ~np.isfinite(computed) & np.isfinite(self.rounded)


def evaluated(problem: Problem, kernels: list[Kernel], fmt: Format, target: float) -> WrongSide:
    """Evaluate the problem and kernels on the inputs whose prediction is wrong."""
    side = _side(problem, target, fmt)
    x, y = side.inputs.astype(fmt.dtype)[None, :], np.array([[target]]).astype(fmt.dtype)
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, x, y)
        computed = {k.name: np.broadcast_to(k(x, y), x.shape)[0].astype(np.float64) for k in kernels}
    return WrongSide(side, exact.value[0].astype(np.float64), exact.rounded[0], computed)


class Linear:
    """Place losses on a linear axis; beyond `most` they leave the panel."""

    def __init__(self, most: float):
        self.most, self.line = most, 0.075 * most  # line: distance of two lines of marks
        self.step = next(s for s in (1, 2, 5, 10, 20, 50) if 4 * s > most)
        self.first_line = most + 0.5 * self.line

    def limits(self, lines: int) -> tuple[float, float]:
        """Return the ends of the axis, with room for lines of marks."""
        return -0.05 * self.most, self.most + lines * self.line

    def ticks(self) -> tuple[list[float], list[str]]:
        """Return the positions of the ticks, every `step` from 0 to `most`, and their labels."""
        at = [float(i * self.step) for i in range(1 + int(self.most / self.step))]
        return at, [f"{v:.0f}" for v in at]

    def place(self, values: Array) -> Array:
        """Return heights; NaN where nothing finite was computed or the panel ends."""
        return np.where(values < self.most, values, np.nan)

    @property
    def tolerance(self) -> float:
        """Return how far from the exact value, in heights, a value is drawn by itself."""
        return 0.015 * self.most


class Logarithmic:
    """Place magnitudes on a logarithmic axis; an exact 0 stands on its own line below it."""

    def __init__(self, lo: float, hi: float, exponents: tuple[int, ...]):
        self.exponents = exponents
        self.lo, self.hi, self.line = lo, hi, 0.085 * (hi - lo)
        self.zero, self.edge, self.first_line = (
            lo - 1.7 * self.line,
            lo - 0.7 * self.line,
            hi + 0.6 * self.line,
        )

    def limits(self, lines: int) -> tuple[float, float]:
        """Return the ends of the axis, with room for lines of marks."""
        return self.zero - self.line, self.hi + (lines + 0.2) * self.line

    def ticks(self) -> tuple[list[float], list[str]]:
        """Return positions and labels, the line of zeros first."""
        return [self.zero, *map(float, self.exponents)], ["0", *map(style.power_label, self.exponents)]

    def place(self, values: Array) -> Array:
        """Return heights; NaN where nothing finite was computed."""
        with np.errstate(divide="ignore", invalid="ignore"):
            at = np.clip(np.log10(np.abs(values)), self.lo, self.hi)
        return np.where(values == 0, self.zero, np.where(np.isfinite(values), at, np.nan))

    @property
    def tolerance(self) -> float:
        """Return how far from the exact value, in heights, a value is drawn by itself."""
        return 0.015 * (self.hi - self.lo)


def _panel(ax: Axes, axis: Linear | Logarithmic, values: WrongSide, marked: list[str]) -> set[str]:
    """Draw one format's curves; return the kernels that are away from the exact values, or marked."""
    at, exact = values.side.at, axis.place(values.exact)
    if isinstance(axis, Logarithmic):
        ax.axhline(axis.edge, color="#888888", lw=0.5)
    line(ax, at, exact, color=style.TRUTH, lw=7, solid_capstyle="butt", zorder=1)
    found = set()
    for i, (name, computed) in enumerate(values.computed.items()):
        colour, width, dashes = style.LINES[i]
        height = axis.place(computed)
        apart = departed(axis, height, exact, computed)
        look = {"color": colour, "lw": width, "ls": dashes, "zorder": 3 + i, "solid_capstyle": "butt"}
        line(ax, at, only(height, apart), **look)
        found |= {name} if np.isfinite(height[apart]).any() or name in values.marked else set()
        if name in marked:
            up = axis.first_line + marked.index(name) * axis.line
            for outcome, kind in (("spurious_nan", np.isnan), ("spurious_inf", np.isinf)):
                where = values.spurious(computed) & kind(computed)
                style.marks(ax, outcome, at[where], up, colour, f"{name} {outcome}")
    return found


def departed(axis: Linear | Logarithmic, height: Array, exact: Array, computed: Array) -> Array:
    """Tell where a curve is away from the exact one; what is not finite has marks, and what is out of view no height."""
    in_view = np.where(np.isfinite(computed) & np.isfinite(height), exact, np.nan)
    return away(height, in_view, axis.tolerance) & np.isfinite(height)


def plateau_legend(
    figure: Figure, layout: Layout, curves: Sequence[tuple[int, str]], exact: Sequence[str], outcomes: set[str], spacing: float,
) -> None:  # fmt: skip
    """Name the curves right of the panels, each by its place in style.LINES and its name; those that are nowhere away from
    the exact values after them; and below the panels what marks and lines mean."""
    handles = [Line2D([], [], color=style.TRUTH, lw=7, label="exact"), *(style.line_handle(i, n) for i, n in curves)]
    if exact:
        handles.append(Line2D([], [], ls="none", label="nowhere away from exact:\n" + ",\n".join(exact)))
    place = (1 - (layout.right - 0.05) / layout.width, 1 - layout.top / layout.height)
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=place, frameon=False, handlelength=2.2,
                  labelspacing=spacing, borderaxespad=0)  # fmt: skip
    below: list[Line2D] = style.outcome_handles([o for o in ("spurious_nan", "spurious_inf") if o in outcomes])
    below.append(Line2D([], [], color="#888888", lw=0.5, label="below this line: gradient exactly 0, dead"))
    figure.legend(
        handles=below, loc="lower left", bbox_to_anchor=(0.03, 0.0), ncols=3, frameon=False, columnspacing=1.6
    )
    figure.text(0.97, 0.012, "Each curve is drawn where it is away from the exact one.", ha="right", va="bottom")
