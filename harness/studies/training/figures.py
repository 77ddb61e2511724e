"""Draw what losses do to training: reported and true loss over the steps, and test error and ulp errors by loss."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures import style
from harness.figures.layout import Layout, line
from harness.figures.paper import PAPER, WIDTHS
from harness.numbers.formats import format_named
from harness.problems import antiderivative_of, problem_named
from harness.studies.study import Frames
from harness.studies.training.tables import FROM, SETTINGS, loss_name
from harness.truth.classes import bits

Array = np.ndarray

ROW = 0.155  # inches
LANE = 0.085  # inches from one setting's line to the next
NAMES, FEW = 44, 29  # characters of a line of names, and of one beside the panels of a narrow sheet
LOOK = {"usual": ("#0072B2", "o"), "high_rate": ("#E69F00", "s"), "wrong_start": ("#A31D22", "^")}
LEAST, MOST = -4.0, 4.0  # of the losses shown, log10
STEPS = (0, 1, 2, 5, 10, 20, 50, 100)
FIGURES_OF_ERROR = {"max_ulp": ("worst case", "x"), "weighted_p99_ulp": ("99th percentile", "s"),
                    "weighted_mean_ulp": ("mean", "o")}  # fmt: skip
HEADS = {**FROM, "bce_logits_grad": "gradient by the logit"}
TARGET_COLOURS = {"0": "#0072B2", "1": "#D55E00"}


def numbers(frame: pd.DataFrame, column: str) -> Array:
    """Return a column as float64; an empty cell is NaN."""
    return np.array([float(c or "nan") for c in frame[column]])


def loss_figure(setting: str, frames: Frames) -> Figure:
    """Draw the loss as reported against the true loss over the steps: a row a loss, a column a format."""
    frame = frames["training_curves"]
    frame = frame[frame["setting"] == setting]
    names, formats = list(dict.fromkeys(losses_of(frame))), list(frame["format"].unique())
    layout = Layout(9.0, len(names), len(formats), 0.72, left=1.75, right=0.15, top=0.62, bottom=0.95,
                    gap_x=0.2, gap_y=0.16)  # fmt: skip
    data, model = frame.iloc[0][["data", "model"]]
    ends, powers = _ends(frame)
    figure = layout.figure(f"Does the reported loss tell the truth? {SETTINGS[setting].capitalize()}, {data}, {model}")
    for row, column in layout.places():
        own = np.array([m == names[row] for m in losses_of(frame)])
        part = frame[own & (frame["format"] == formats[column])]
        steps = numbers(part, "step")
        ax = layout.panel(figure, row, column, (-3, steps[-1] + 3), (ends[0], ends[1] + 0.25 * (ends[1] - ends[0])))
        _curves(ax, part, steps, ends)
        last = layout.ends(row)
        ticks = [steps[-1] * i / 4 for i in range(5)]
        labels = [f"{t:.0f}" if last else "" for t in ticks]
        layout.x_ticks(ax, ticks, labels, name="step" if last else "")
        labels = [style.power_label(p).replace("-", "−") if layout.leftmost(column) else "" for p in powers]
        layout.y_ticks(ax, powers, labels)
        if layout.heads(row):
            layout.heading(ax, formats[column])
        if layout.leftmost(column):
            name = f"{names[row][1]}\n" + (f"+ {names[row][2]}\n" if names[row][2] else "") + FROM[names[row][0]]
            ax.text(-layout.points_across(30), 0.5, name, transform=ax.transAxes, ha="right", va="center")
    _loss_legend(figure)
    return figure


def _ends(frame: pd.DataFrame) -> tuple[tuple[float, float], list[int]]:
    """Return the ends of the axis of losses, log10, and the powers that are named."""
    with np.errstate(divide="ignore"):
        values = np.log10(np.concatenate([numbers(frame, c) for c in frame.columns if "_loss_" in c]))
    values = values[np.isfinite(values)]
    low, high = max(LEAST, np.floor(values.min())), min(MOST, np.ceil(values.max()))
    return (low, high), list(range(int(low), int(high) + 1))[:: 1 if high - low < 4 else 2]


def losses_of(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return problem, kernel and gradient of each row."""
    return list(zip(frame["problem"], frame["kernel"], frame["gradient"]))


def _curves(ax: Axes, part: pd.DataFrame, steps: Array, ends: tuple[float, float]) -> None:
    with np.errstate(divide="ignore"):
        value = {c: np.log10(numbers(part, c)) for c in part.columns if "_loss_" in c}
    low, high = (np.clip(value[f"true_loss_{w}"], *ends) for w in ("min", "max"))
    ax.fill_between(steps, low, high, where=np.isfinite(low), color="#CFE6F5", lw=0, zorder=1)
    line(ax, steps, value["true_loss_median"], color="#4FA8DC", lw=3, solid_capstyle="butt", zorder=2)
    line(ax, steps, value["reported_loss_median"], color="#000000", lw=1, ls=(0, (3, 1.5)), zorder=3)
    lost = numbers(part, "reported_loss_median")
    for outcome, kind in (("spurious_nan", np.isnan), ("spurious_inf", np.isposinf)):
        style.marks(ax, outcome, steps[kind(lost)], ends[1] + 0.125 * (ends[1] - ends[0]), "#000000", outcome)


def _loss_legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color="#4FA8DC", lw=3, label="true loss, median of the seeds"),
        Line2D([], [], color="#CFE6F5", lw=8, label="least to largest"),
        Line2D([], [], color="#000000", lw=1, ls=(0, (3, 1.5)), label="loss as reported, median"),
        *style.outcome_handles(["spurious_nan", "spurious_inf"]),
    ]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.02, 0.0), ncols=5, frameon=False,
                  columnspacing=1.6)  # fmt: skip


class Rows:
    """Place losses or kernels below one another, each problem under a heading of its own."""

    def __init__(self, frame: pd.DataFrame):
        self.at: dict[tuple[str, str, str], float] = {}
        self.heads: dict[str, float] = {}
        y = 0.0
        for who in dict.fromkeys(losses_of(frame)):
            if who[0] not in self.heads:
                self.heads[who[0]] = y
                y += 1
            self.at[who] = y
            y += 1
        self.count = y

    def layout(self, columns: int) -> Layout:
        """Return a layout of one row of panels that are high enough."""
        return Layout(10.0, 1, columns, ROW * self.count, left=2.5, right=0.2, top=0.62, bottom=0.85,
                      gap_x=0.22, gap_y=0)  # fmt: skip

    def panel(self, layout: Layout, figure: Figure, column: int, xlim: tuple[float, float], title: str) -> Axes:
        """Return a panel with a faint line for each loss, named in the first column."""
        ax = layout.panel(figure, 0, column, xlim, (self.count - 0.4, -0.6))
        for who, y in self.at.items():
            line(ax, xlim, [y, y], color="#E4E4E4", lw=0.5, zorder=0)
            if layout.leftmost(column):
                ax.text(-layout.points_across(4), y, loss_name(*who[1:]), ha="right", va="center_baseline",
                        transform=ax.get_yaxis_transform())  # fmt: skip
        for problem, y in self.heads.items():
            if layout.leftmost(column):
                ax.text(-layout.points_across(4), y, HEADS[problem], ha="right", va="center_baseline", weight="bold",
                        transform=ax.get_yaxis_transform())  # fmt: skip
        layout.heading(ax, title)
        return ax


def dot_figure(column: str, frames: Frames) -> Figure:
    """Draw the median of a column with its least and largest by loss and format, one mark a setting.

    It is drawn for the data set and model that the curves are of.  Losses of which the same is drawn share a row, and
    those of which nothing is have none.
    """
    frame = frames["training"]
    data, model = frames["training_curves"].iloc[0][["data", "model"]]
    end = _place(max(numbers(frames["training_curves"], "step")))
    frame = frame[(frame["data"] == data) & (frame["model"] == model)]
    formats, errors = list(frame["format"].unique()), column == "test_error"
    groups, blank = _alike(frame, column, errors)
    at, height = _group_places(groups)
    layout = Layout(10.0, 1, len(formats), height, left=3.05, right=0.2, top=0.62, bottom=1.05, gap_x=0.22, gap_y=0)
    question = "What does the loss do to the test error?" if errors else "At which step is the first value not finite?"
    figure = layout.figure(f"{question} {data}, {model}: least, median and largest of the seeds")
    for i, name in enumerate(formats):
        limits = (-4.0, 104.0) if errors else (-0.25, end + 0.15)
        ax = layout.panel(figure, 0, i, limits, (height, 0.0))
        layout.heading(ax, name)
        if layout.leftmost(i):
            _group_names(ax, layout, groups, at)
        ax.hlines([y for _, (y, _) in at.items()][1:], *limits, color="#DDDDDD", lw=0.5)
        _dots(ax, groups, at, name, errors)
        ticks = [0.0, 25.0, 50.0, 75.0, 100.0] if errors else [_place(float(s)) for s in STEPS]
        labels = ["0", "25", "50", "75", "100"] if errors else [str(s) for s in STEPS]
        layout.x_ticks(ax, ticks, labels, name="test error, % (100: lost)" if errors else "step")
    handles = [Line2D([], [], color=c, marker=m, ms=4, lw=1, label=SETTINGS[s]) for s, (c, m) in LOOK.items()]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.3, 0.0), ncols=3, frameon=False)
    if errors:
        note = "Losses share a row where no figure differs by more than 2 %; the first one's are drawn."
        figure.text(0.012, 0.3 / layout.height, note, va="bottom")
    if blank:
        note = "Always finite, in every format and setting: " + ", ".join(loss_name(*who[1:]) for who in blank) + "."
        figure.text(0.012, 0.3 / layout.height, textwrap.fill(note, 150), va="bottom")
    return figure


Drawn = tuple[float, float, float]  # least, median and largest, as places on the axis


def _alike(
    frame: pd.DataFrame, column: str, errors: bool
) -> tuple[dict[tuple[str, ...], dict[tuple[str, str], Drawn]], list[tuple[str, str, str]]]:
    """Group losses of one problem of which the same is drawn: what is drawn of each, by format and setting.

    Return beside the groups, named by their problem and losses, the losses of which nothing is drawn.
    """
    drawn: dict[tuple[str, str, str], dict[tuple[str, str], Drawn]] = {}
    for (_, row), who in zip(frame.iterrows(), losses_of(frame)):
        mine = drawn.setdefault(who, {})
        if row[f"{column}_median"] != "":
            places = (float(row[f"{column}_{w}"]) for w in ("min", "median", "max"))
            low, middle, high = (round(100 * v) if errors else _place(v) for v in places)
            mine[row["format"], row["setting"]] = (low, middle, high)
    groups: dict[tuple[str, ...], dict[tuple[str, str], Drawn]] = {}
    for who, mine in drawn.items():
        same = next((k for k, other in groups.items() if k[0] == who[0] and close(mine, other, errors)), None)
        if mine:
            found = groups.pop(same) if same else mine
            groups[(*(same or who[:1]), loss_name(*who[1:]))] = found
    order = [(who[0], loss_name(*who[1:])) for who in drawn]
    ranked = sorted(groups.items(), key=lambda item: order.index((item[0][0], item[0][1])))
    return dict(ranked), [who for who, mine in drawn.items() if not mine]


def close(a: dict[tuple[str, str], Drawn], b: dict[tuple[str, str], Drawn], errors: bool) -> bool:
    """Tell whether the same is drawn of two losses: the same steps, or test errors within 2 %."""
    apart = 2.0 if errors else 0.0
    return a.keys() == b.keys() and all(abs(x - y) <= apart for k in a for x, y in zip(a[k], b[k]))


def _group_places(groups: dict[tuple[str, ...], dict]) -> tuple[dict[tuple[str, ...], tuple[float, float]], float]:
    """Return top and height of each group's row, and of all rows together, in inches; a problem's first has a heading."""
    at, y, seen = {}, 0.0, set()
    for group in groups:
        lines = len(_wrapped(group)) + (group[0] not in seen)
        seen.add(group[0])
        height = max(ROW * lines + 0.08, LANE * (len(LOOK) + 1))
        at[group] = (y, height)
        y += height
    return at, y


def _wrapped(group: tuple[str, ...]) -> list[str]:
    paper = PAPER.get()
    return textwrap.wrap(", ".join(group[1:]), FEW if paper and paper.width < WIDTHS["page"] else NAMES)


def _group_names(ax: Axes, layout: Layout, groups: dict[tuple[str, ...], dict], at: dict) -> None:
    """Name the losses of each row, and above the first of a problem what they are computed from."""
    seen = set()
    for group in groups:
        y, height = at[group]
        place: dict[str, Any] = {"ha": "right", "va": "center_baseline", "transform": ax.get_yaxis_transform()}
        lines = _wrapped(group)
        if group[0] not in seen:
            lines = [HEADS[group[0]], *lines]
        for i, text in enumerate(lines):
            head = group[0] not in seen and i == 0
            up = y + height / 2 + ROW * (i - (len(lines) - 1) / 2)
            ax.text(-layout.points_across(4), up, text, weight="bold" if head else "normal", **place)
        seen.add(group[0])


def _dots(ax: Axes, groups: dict[tuple[str, ...], dict], at: dict, name: str, errors: bool) -> None:
    """Draw each group's settings below one another; where nothing is drawn in a format, all values are finite."""
    for group, drawn in groups.items():
        top, height = at[group]
        for i, (setting, (colour, marker)) in enumerate(LOOK.items()):
            if (name, setting) in drawn:
                low, middle, high = drawn[name, setting]
                y = top + height / 2 + LANE * (i - (len(LOOK) - 1) / 2)
                line(ax, [low, high], [y, y], color=colour, lw=1.2, zorder=2)
                line(ax, [middle], [y], color=colour, marker=marker, ms=4, mew=0, ls="none", zorder=3)
        if not errors and not any(key[0] == name for key in drawn):
            ax.text(0.5, top + height / 2, "always finite", transform=ax.get_yaxis_transform(), color="#777777",
                    ha="center", va="center_baseline", fontsize=7)  # fmt: skip


def _place(step: float) -> float:
    return float(np.log2(1 + step))


def error_figure(problem: str, frames: Frames) -> Figure:
    """Draw the worst error of each kernel beside mean and 99th percentile on the logits of trained models."""
    frame = frames["training_errors"]
    frame = frame[frame["problem"] == problem].assign(gradient="")
    rows, formats = Rows(frame), list(frame["format"].unique())
    layout = rows.layout(len(formats))
    what = "gradient" if antiderivative_of(problem_named(problem)) else "loss"
    figure = layout.figure(f"How wrong is the {what} on the logits of trained models, and how wrong can it be?")
    for i, name in enumerate(formats):
        none = bits(format_named(name)) * np.log10(2)  # no bit is right from here on
        limits = (-2.6, 1.25 * none + 1.2)
        ax = rows.panel(layout, figure, i, limits, name)
        ax.axvspan(none, limits[1], color="#F3E3E3", lw=0, zorder=-1)
        _marks(ax, rows, frame[frame["format"] == name], limits)
        step = 2 if none < 9 else 4
        powers = list(range(-2, int(limits[1]) + 1, step))
        layout.x_ticks(ax, powers, [style.power_label(p).replace("-", "−") for p in powers], name="error, ulp")
    _error_legend(figure)
    return figure


def _marks(ax: Axes, rows: Rows, frame: pd.DataFrame, limits: tuple[float, float]) -> None:
    """Draw one mark a figure, at the edge where it is beyond; infinite ones as a triangle there."""
    for (_, row), who in zip(frame.iterrows(), losses_of(frame)):
        y, colour = rows.at[who] + (-0.2 if row["target"] == "0" else 0.2), TARGET_COLOURS[row["target"]]
        for column, (_, marker) in FIGURES_OF_ERROR.items():
            value = float(row[column] or "nan")
            with np.errstate(divide="ignore"):
                at = float(np.clip(np.log10(value), limits[0] + 0.15, limits[1] - 0.25))
            shape = "^" if np.isinf(value) and column != "max_ulp" else ">" if at == limits[1] - 0.25 else marker
            face = "none" if column == "weighted_p99_ulp" else colour
            line(ax, [at], [y], ls="none", marker=shape, ms=3.6, mfc=face, mec=colour, mew=0.8, zorder=3)


def _error_legend(figure: Figure) -> None:
    marks = [
        *((label, marker) for label, marker in FIGURES_OF_ERROR.values()),
        ("beyond the axis", ">"),
        ("not finite", "^"),
    ]
    handles = [
        Line2D([], [], ls="none", marker=m, ms=4, mec="#000000", label=label,
               mfc="none" if label in ("99th percentile", "not finite") else "#000000")
        for label, m in marks
    ]  # fmt: skip
    targets = [Line2D([], [], color=c, lw=3, label=f"y = {y}") for y, c in TARGET_COLOURS.items()]
    shade = Line2D([], [], color="#F3E3E3", lw=8, label="no bit right")
    figure.legend(handles=[*targets, *handles, shade], loc="lower left", bbox_to_anchor=(0.02, 0.0), ncols=8,
                  frameon=False, columnspacing=1.3)  # fmt: skip


DRAW: dict[str, Callable[[Frames], Figure]] = {
    "training_test_error": partial(dot_figure, "test_error"),
    "training_nonfinite": partial(dot_figure, "first_nonfinite"),
    "training_loss_wrong_start": partial(loss_figure, "wrong_start"),
    "training_loss_high_rate": partial(loss_figure, "high_rate"),
    "training_errors_bce_logits": partial(error_figure, "bce_logits"),
    "training_errors_bce_logits_grad": partial(error_figure, "bce_logits_grad"),
}
