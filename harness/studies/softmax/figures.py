"""Figures of K classes: error against K with the bounds, and error against the lead of a right class's logit."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures import style
from harness.figures.layout import Layout, line
from harness.numbers.formats import format_named
from harness.studies.reductions.error_bounds import unit
from harness.studies.study import Frames

GREY = "#8C8C8C"
GROWTH = ("shifted", "log1p", "naive", "shifted_pairwise", "log1p_pairwise", "shifted_wide")
BOUNDED = (("shifted", "solid"), ("shifted_pairwise", (0, (1, 1.2))), ("shifted_wide", (0, (5, 1.5, 1, 1.5))))
GAPS = ("softmax", "difference", "log_softmax", "naive_softmax", "log1p", "log_softmax_wide", "log1p_wide")
TOP = 0.5  # log10 of the error at the top edge


def draw_growth(frames: Frames) -> Figure:
    """Draw the largest absolute error of each log-sum-exp against K, a panel for each format, with the bounds."""
    frame = frames["softmax_growth"]
    formats = list(dict.fromkeys(frame["format"]))
    layout = _layout(formats)
    figure = layout.figure(
        "How does the error of a log-sum-exp of normal logits (sd 1) grow with the number of classes?"
    )
    powers = range(1, 17, 3)
    for column, name in enumerate(formats):
        there = frame[frame["format"] == name]
        low = math.floor(math.log10(unit(format_named(name)))) - 0.6
        high = 0.4 + math.log10(max(float(v) for c in ("max_abs", "bound_abs") for v in there[c] if v))
        ax = layout.panel(figure, 0, column, (0.5, 16.5), (low, high))
        for kernel, dashes in BOUNDED:
            rows = there[there["kernel"] == kernel]
            line(ax, *_log(rows, "bound_abs", low), color=GREY, lw=0.9, ls=dashes, zorder=2)
        for i, kernel in enumerate(GROWTH):
            rows = there[there["kernel"] == kernel]
            if len(rows):
                _curve(ax, *_log(rows, "max_abs", low), i)
        layout.heading(ax, _heading(name))
        layout.x_ticks(ax, powers, [f"2{str(k).translate(style.SUPERSCRIPT)}" for k in powers], name="K")
        _powers(layout, ax, low, high)
        if layout.leftmost(column):
            layout.y_label(ax, "absolute error", 34)
    _legend(figure, [(i, kernel) for i, kernel in enumerate(GROWTH)], 0.3)
    bounds = [Line2D([], [], color=GREY, lw=0.9, ls=d, label=f"bound, {k.replace('_', ' ')}") for k, d in BOUNDED]
    figure.legend(handles=bounds, loc="lower left", bbox_to_anchor=_place(figure, 0.1), ncols=3, frameon=False)
    return figure


def draw_gap(frames: Frames) -> Figure:
    """Draw the relative error of the loss against the gap, a panel for each format; an error of 0 at the bottom."""
    frame = frames["softmax_gap"]
    formats = list(dict.fromkeys(frame["format"]))
    layout = _layout(formats)
    figure = layout.figure("How wrong is the loss of a right prediction that leads nine others at 0 by a gap?")
    for column, name in enumerate(formats):
        there = frame[frame["format"] == name]
        gap = there["gap"].astype(float)
        low = math.floor(math.log10(unit(format_named(name)))) - 2
        ax = layout.panel(figure, 0, column, (0, gap.max() * 1.02), (low, TOP))
        for i, kernel in enumerate(GAPS):
            known = there[kernel] != ""
            if known.any():
                errors = np.maximum(there[kernel][known].astype(float), 1e-300)
                _curve(ax, gap[known], np.clip(np.log10(errors), low + 0.15, TOP - 0.1), i)
        layout.heading(ax, _heading(name))
        step = 5 if gap.max() < 30 else 25 if gap.max() < 200 else 200
        ticks = list(range(0, int(gap.max()) + 1, step))
        layout.x_ticks(ax, ticks, [str(t) for t in ticks], name="gap")
        _powers(layout, ax, low, TOP)
        if layout.leftmost(column):
            layout.y_label(ax, "relative error", 34)
    _legend(figure, [(i, kernel) for i, kernel in enumerate(GAPS)], 0.3)
    note = "1: the loss came out as 0 (above 1: as infinity, the exponential having overflowed)"
    figure.text(0.015, 0.15 / figure.get_figheight(), note, va="bottom", fontsize=8)
    return figure


def _layout(formats: list[str]) -> Layout:
    return Layout(11.0, 1, len(formats), 2.9, left=0.75, right=0.2, top=0.62, bottom=1.05, gap_x=0.48, gap_y=0)


def _heading(name: str) -> str:
    return f"{name} (u = 2{str(-format_named(name).precision).translate(style.SUPERSCRIPT)})"


def _log(rows: pd.DataFrame, column: str, low: float) -> tuple[np.ndarray, np.ndarray]:
    """Return log2 K and log10 of a column, where it is finite."""
    known = rows[rows[column] != ""]
    values = np.maximum(known[column].astype(float), 1e-300)
    return np.log2(known["k"].astype(float)), np.clip(np.log10(values), low + 0.1, None)


def _curve(ax: Axes, x: np.ndarray, y: np.ndarray, i: int) -> None:
    colour, width, dashes = style.LINES[i]
    line(ax, x, y, color=colour, lw=width, ls=dashes, zorder=3 + i)


def _powers(layout: Layout, ax: Axes, low: float, high: float) -> None:
    step = 4 if high - low > 10 else 2 if high - low > 6 else 1
    at = [k for k in range(math.floor(high), math.ceil(low) - 1, -1) if k % step == 0]
    layout.y_ticks(ax, at, [style.power_label(k) for k in at])


def _legend(figure: Figure, entries: list[tuple[int, str]], inches: float) -> None:
    handles = [style.line_handle(i, name.replace("_", " ")) for i, name in entries]
    place = _place(figure, inches)
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=place, ncols=7, frameon=False, columnspacing=1.3)


def _place(figure: Figure, inches: float) -> tuple[float, float]:
    return 0.01, inches / figure.get_figheight()


DRAW = {"softmax_growth": draw_growth, "softmax_gap": draw_gap}
