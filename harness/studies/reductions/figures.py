"""Figures of sums and means: their errors against the number of losses with the bounds, and where sums stagnate."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures import style
from harness.figures.apart import away, only
from harness.figures.layout import Layout, line
from harness.numbers.formats import Format, format_named
from harness.studies.reductions.error_bounds import height, unit
from harness.studies.study import Frames

TOP = 0.4  # log10 of the relative error at the top edge
CURVES = {
    "sum": ("sequential", "pairwise", "numpy", "kahan_lanes", "kahan", "wide", "rows_then_all"),
    "mean": ("sequential", "numpy", "wide", "running", "means_equal_rows", "means_short_last_row", "means_mixed_rows"),
}
BOUNDS = (
    ("(n − 1) u, sequential", lambda n, u: (n - 1) * u, "solid"),
    ("√n u, probable", lambda n, u: math.sqrt(n) * u, (0, (4, 2))),
    ("⌈log₂ n⌉ u, pairwise", lambda n, u: height(n) * u, (0, (1, 1.2))),
    ("2 u, Kahan", lambda n, u: 2 * u, (0, (5, 1.5, 1, 1.5))),
)  # fmt: skip
GREY = "#8C8C8C"
SAME = 0.04  # log10: errors no farther apart than a tenth are one
Curve = dict[float, float]  # heights by place


def draw_sums(frames: Frames) -> Figure:
    """Draw the errors of sums against the number of losses, with their bounds."""
    return growth(frames["reductions"], "sum", "How does the error of a sum of losses grow with their number?")


def draw_means(frames: Frames) -> Figure:
    """Draw the errors of means against the number of losses, with their bounds."""
    return growth(frames["reductions"], "mean", "How does the error of a mean of losses grow with their number?")


def growth(frame: pd.DataFrame, quantity: str, title: str) -> Figure:
    """Draw relative error against n, a panel for each format; an error of 0 stands at the bottom."""
    formats = list(dict.fromkeys(frame["format"]))
    layout = Layout(11.0, 1, len(formats), 2.9, left=0.75, right=0.2, top=0.62, bottom=1.05, gap_x=0.48, gap_y=0)
    figure = layout.figure(title)
    lost = False
    for column, name in enumerate(formats):
        fmt = format_named(name)
        low = math.floor(math.log10(unit(fmt))) - 1.5
        ax = layout.panel(figure, 0, column, (-0.2, 8.2), (low, TOP))
        rows = frame[(frame["format"] == name) & (frame["quantity"] == quantity)]
        _bounds(ax, fmt, quantity)
        first: Curve = {}
        for i, method in enumerate(CURVES[quantity]):
            there = rows[rows["method"] == method]
            lost |= _curve(ax, there, first, i, low)
            first = first or _heights(there, low)
        layout.heading(ax, f"{name} (u = 2{str(-fmt.precision).translate(style.SUPERSCRIPT)})")
        layout.x_ticks(ax, range(0, 9, 2), [style.power_label(k) for k in range(0, 9, 2)], range(1, 9, 2), "n")
        step = 4 if low < -10 else 2 if low < -5 else 1
        at = list(range(0, math.floor(low), -step))
        layout.y_ticks(ax, at, [style.power_label(k) for k in at])
        if layout.leftmost(column):
            layout.y_label(ax, "relative error", 34)
    _legend(figure, quantity, lost)
    return figure


def _bounds(ax: Axes, fmt: Format, quantity: str) -> None:
    n = np.unique(np.geomspace(2, 1e8, 200).astype(np.int64))
    for _, rule, dashes in BOUNDS if quantity == "sum" else BOUNDS[:2]:
        values = np.log10([rule(int(k), unit(fmt)) for k in n])
        line(ax, np.log10(n), np.where(values < TOP, values, np.nan), color=GREY, lw=0.9, ls=dashes, zorder=2)


def _heights(rows: pd.DataFrame, low: float) -> Curve:
    """Return log10 of one method's worst error by log10 of the number of losses."""
    known = rows[(rows["max_rel"] != "") & (rows["n"] != "1")]  # one loss is its own sum
    errors = np.clip(np.log10(np.maximum(known["max_rel"].astype(float), 1e-300)), low + 0.15, TOP)
    return dict(zip(np.log10(known["n"].astype(float)), errors))


def _curve(ax: Axes, rows: pd.DataFrame, first: Curve, i: int, low: float) -> bool:
    """Draw one method's worst error where it is away from the first's; a cross ends it where the result is not finite.

    Return whether there is such a cross.
    """
    found = _heights(rows, low)
    at, height = np.array(list(found)), np.array(list(found.values()))
    apart = away(height, np.array([first.get(x, np.nan) for x in at]), SAME)
    colour, width, dashes = style.LINES[i]
    line(ax, at, only(height, apart), color=colour, lw=width, ls=dashes, zorder=3 + i)
    lost = rows[rows["max_rel"] == ""]
    if len(lost):
        x = math.log10(float(lost.iloc[0]["n"]))
        line(ax, [x], [TOP - 0.12 * (i + 1)], ls="none", marker="x", ms=3.5, mec=colour, mew=1.0, zorder=10)
    return bool(len(lost))


def _legend(figure: Figure, quantity: str, lost: bool) -> None:
    handles = [style.line_handle(i, name.replace("_", " ")) for i, name in enumerate(CURVES[quantity])]
    place = (0.01, 0.3 / figure.get_figheight())
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=place, ncols=7, frameon=False, columnspacing=1.3)
    rules = BOUNDS if quantity == "sum" else BOUNDS[:2]
    bounds = [Line2D([], [], color=GREY, lw=0.9, ls=dashes, label=label) for label, _, dashes in rules]
    if lost:
        bounds.append(Line2D([], [], ls="none", marker="x", ms=3.5, mec="#000000", label="overflow from here"))
    place = (0.01, 0.1 / figure.get_figheight())
    figure.legend(handles=bounds, loc="lower left", bbox_to_anchor=place, ncols=5, frameon=False, columnspacing=1.3)
    note = f"{CURVES[quantity][0].capitalize()} is drawn whole, the others where they differ from it."
    figure.text(0.99, 0.17 / figure.get_figheight(), note, ha="right", va="bottom")


def draw_stagnation(frames: Frames) -> Figure:
    """Draw the sequential sum as a share of the exact one against n, for every format."""
    frame = frames["reductions"]
    rows = frame[(frame["quantity"] == "sum") & (frame["method"] == "sequential")]
    layout = Layout(6.4, 1, 1, 2.6, left=0.7, right=1.5, top=0.62, bottom=0.5, gap_x=0, gap_y=0)
    figure = layout.figure("What is left of a running sum of n losses?")
    ax = layout.panel(figure, 0, 0, (-0.2, 8.2), (-0.04, 1.12))
    entries: list[tuple[tuple | None, str]] = []
    for i, name in enumerate(dict.fromkeys(rows["format"])):
        there = rows[rows["format"] == name]
        share = [float.fromhex(c) / float(e) for c, e in zip(there["computed"], there["exact"])]
        colour, width, dashes = style.LINES[i]
        line(ax, np.log10(there["n"].astype(float)), share, color=colour, lw=width, ls=dashes, zorder=3 + i)
        entries.append(((colour, width, dashes), name))
    layout.x_ticks(ax, range(0, 9), [style.power_label(k) for k in range(0, 9)], name="n")
    layout.y_ticks(ax, [0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    layout.y_label(ax, "running sum / exact sum", 40)
    layout.key(ax, "sum in", entries)
    return figure


DRAW = {"reductions_sums": draw_sums, "reductions_means": draw_means, "reductions_stagnation": draw_stagnation}
