"""Bound and measurement against the input: a row of panels for each of a few kernels, a column a format.

Where there is one format only, the kernels stand side by side.

The horizontal axis is that of all figures of errors (figures/axes.py), the vertical one log2 of the error in
ulps; the measured error is an area, its bound a line that must lie above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.bounds.bound import Comparison
from harness.figures import style
from harness.figures.axes import InputAxis
from harness.figures.bins import STEPS, step_of
from harness.figures.errors import LEAST, shown
from harness.figures.layout import Layout, line
from harness.numbers.formats import FORMATS, Format
from harness.problems import Problem
from harness.truth.classes import bits

Array = np.ndarray

GOOD, BAD = 2, 1  # how many kernels are drawn, of the best and of the worst
# Light area under a dark line: told apart in grey as well.
AREA, LINE, NONE_FINITE = "#9CCDEB", "#000000", "#D55E00"
GAP = 5  # steps of the axis without an input, over which no line is drawn
WIDE, NARROW = 11.0, 5.6  # inches: the figure, and one that has a single panel


@dataclass(frozen=True)
class FigureData:
    """Hold what one figure shows: one target's comparisons by format and kernel, each with one row."""

    problem: Problem
    target: str | None
    compared: Mapping[str, Mapping[str, Comparison]]
    exhaustive: Mapping[str, bool]

    @property
    def title(self) -> str:
        """Return the question that the figure answers, naming problem and target, as its title."""
        of = f"{self.problem.name}, target y = {self.target}" if self.target else self.problem.name
        return f"Does the bound of {of} lie above every error measured?"


@dataclass(frozen=True)
class Stairs:
    """Hold bound and measurement in ulps over stretches of the axis, from `left` to `right`, shape (n,).

    NaN where nothing was measured.  A stretch is a cell, or the cells that fall into one step.
    """

    left: Array
    right: Array
    bound: Array
    measured: Array

    def run(self, values: Array) -> tuple[Array, Array]:
        """Return the corners of a line over the stretches, broken where there is no input between them."""
        apart = np.append(self.left[1:] != self.right[:-1], True)
        x = np.stack([self.left, self.right, self.right], axis=1)
        return x.ravel(), np.stack([values, values, np.where(apart, np.nan, values)], axis=1).ravel()


def chosen(compared: Mapping[str, Mapping[str, Comparison]]) -> list[str]:
    """Return the kernels to draw: the two best and the worst, by the share of bits lost, over all formats."""
    names = list(next(iter(compared.values())))
    lost = dict.fromkeys(names, 0.0)
    for fmt, by_kernel in compared.items():
        known = np.stack([~np.isnan(both.measured) for both in by_kernel.values()]).any(axis=0)
        for name, both in by_kernel.items():
            lost[name] += _lost(both.measured[known], FORMATS[fmt])
    ranked = sorted(names, key=lambda n: lost[n])
    if len(names) <= GOOD + BAD:
        return ranked
    worst = max(ranked[GOOD:], key=lambda n: (lost[n], -names.index(n)))  # of several, the one declared first
    return [*ranked[:GOOD], worst]


def _lost(measured: Array, fmt: Format) -> float:
    """Return the share of bits lost at worst; all of them where a result is missing that others have."""
    if np.isnan(measured).any():
        return 1.0
    most = bits(fmt)
    return float(np.log2(np.clip(measured.max(), 1.0, 2.0**most))) / most


def stairs(problem: Problem, fmt: Format, both: Comparison) -> Stairs:
    """Place the cells of one row on the axis, those of one step together with their largest values."""
    axis, (start, stop) = InputAxis(problem), fmt.finite_ordinals(*problem.domain)
    first = both.cells << fmt.cell_shift
    ends = (np.clip(o, start, stop - 1) for o in (first, first + (1 << fmt.cell_shift) - 1))
    left, right = (axis.positions(fmt.from_ordinal(o).astype(np.float64), fmt) for o in ends)
    starts = np.unique(step_of(axis, (left + right) / 2), return_index=True)[1]
    last = np.append(starts[1:], len(left)) - 1
    bound, measured = (np.fmax.reduceat(v[0], starts) for v in (both.bound, both.measured))
    return Stairs(*_joined(axis, left[starts], right[last]), bound, measured)


def _joined(axis: InputAxis, left: Array, right: Array) -> tuple[Array, Array]:
    """Let neighbours meet halfway, and give a lone input, such as p = 0, a width."""
    step = (axis.limits[1] - axis.limits[0]) / STEPS
    near = left[1:] - right[:-1] <= GAP * step
    middle = (left[1:] + right[:-1]) / 2
    left, right = left.copy(), right.copy()
    left[1:], right[:-1] = np.where(near, middle, left[1:]), np.where(near, middle, right[:-1])
    lone = left == right
    return np.where(lone, left - 2 * step, left), np.where(lone, right + 2 * step, right)


def bounds_figure(data: FigureData) -> Figure:
    """Draw bounds and measurements of the chosen kernels."""
    names, formats = chosen(data.compared), [FORMATS[f] for f in data.compared]
    layout = _layout(len(names), len(formats))
    narrow = layout.width == NARROW
    figure = layout.figure(data.title.replace(" lie ", "\nlie ") if narrow else data.title)
    beside = len(formats) == 1  # one format: a column for each kernel
    for row, column in layout.places():
        name, fmt = names[column if beside else row], formats[0 if beside else column]
        both = data.compared[fmt.name][name]
        ax = _panel(figure, layout, (row, column), data.problem, fmt, layout.ends(row))
        _draw(ax, stairs(data.problem, fmt, both), fmt, f"{name} {fmt.name}")
        title = style.format_title(fmt, data.exhaustive[fmt.name])
        if beside or layout.paper:
            lines = [name, title, f"median bound / measured: {_ratio(both, fmt)}"]
            layout.heading(ax, "\n".join(lines if layout.paper else [lines[0], lines[2]]))
        elif layout.heads(row):
            layout.heading(ax, title)
        if layout.leftmost(column):
            layout.y_label(ax, "error (ulp)", 36)
        if fmt is formats[-1] and not beside and not layout.paper:
            layout.key(ax, name, _ratios(data, name))
    if beside and not layout.paper:
        head = style.format_title(formats[0], data.exhaustive[formats[0].name])
        figure.text(
            0.12 / layout.width, 1 - (0.54 if narrow else 0.32) / layout.height, head, va="top", ha="left", fontsize=9
        )
    _legend(figure)
    return figure


def _layout(kernels: int, formats: int) -> Layout:
    if formats == 1:
        # One panel alone is not stretched over the page.
        wide, top, low = (WIDE, 1.0, 0.95) if kernels > 1 else (NARROW, 1.22, 1.15)
        return Layout(wide, 1, kernels, 2.4, left=0.62, right=0.2, top=top, bottom=low, gap_x=0.45, gap_y=0.2)
    return Layout(WIDE, kernels, formats, 1.55, left=0.62, right=2.25, top=0.62, bottom=0.78, gap_x=0.36, gap_y=0.2)


def _ratios(data: FigureData, name: str) -> list[tuple[None, str]]:
    """Say how far the bound lies above the measurement, format by format."""
    entries: list[tuple[None, str]] = [(None, "median bound / measured")]
    for fmt, by_kernel in data.compared.items():
        entries.append((None, f"{fmt}: {_ratio(by_kernel[name], FORMATS[fmt])}"))
    return entries


def _ratio(both: Comparison, fmt: Format) -> str:
    """Write how far the bound lies above the measurement, in the median."""
    ratio = both.median_ratio(fmt)
    return "no error of ½ ulp" if np.isnan(ratio) else f"{ratio:.3g}"


def _panel(figure: Figure, layout: Layout, place: tuple[int, int], problem: Problem, fmt: Format, last: bool) -> Axes:
    """Make a panel with log2 of the error from 2^-4 ulp to where no bit is right, and a strip above."""
    axis, most = InputAxis(problem), bits(fmt)
    ax = layout.panel(figure, *place, axis.limits, (LEAST - 0.03 * most, _strip(fmt) + 0.08 * (most - LEAST)))
    top = int(most * np.log10(2.0))
    exponents = range(0, top + 1, max(1, round(top / 3)))
    at = [e / np.log10(2.0) for e in exponents]
    layout.y_ticks(ax, at, [style.power_label(e) for e in exponents])
    lo, hi = axis.limits
    line(ax, [lo, hi], [most, most], **style.NO_BIT_RIGHT, zorder=1)
    line(ax, [lo, hi, np.nan] * len(at), np.repeat(at, 3), color="#DDDDDD", lw=0.5, zorder=0)
    x, labels = axis.ticks(wide=False)
    layout.x_ticks(ax, x, labels if last else (), axis.minor_ticks(), axis.label if last else "")
    return ax


def _strip(fmt: Format) -> float:
    """Return at which height a panel says that no bound is finite."""
    return bits(fmt) + 0.1 * (bits(fmt) - LEAST)


def _draw(ax: Axes, found: Stairs, fmt: Format, label: str) -> None:
    x, measured = found.run(shown(found.measured, fmt))
    ax.fill_between(x, LEAST, measured, color=AREA, lw=0, zorder=2)
    bound = np.where(np.isinf(found.bound), np.nan, shown(found.bound, fmt))
    line(ax, *found.run(bound), color=LINE, lw=0.8, zorder=4, solid_joinstyle="miter", label=f"{label} bound")
    strip = np.where(np.isinf(found.bound), _strip(fmt), np.nan)
    look: dict[str, Any] = {"color": NONE_FINITE, "lw": 5.0, "solid_capstyle": "butt", "zorder": 4}
    line(ax, *found.run(strip), label=f"{label} none", **look)


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=LINE, lw=0.8, label="bound of each cell"),
        Patch(facecolor=AREA, lw=0, label="largest error measured in it"),
        Line2D([], [], color=NONE_FINITE, lw=5.0, solid_capstyle="butt", label="no finite bound"),
        style.no_bit_handle(" or more"),
        Patch(facecolor=style.WHITE, edgecolor="#BBBBBB", lw=0.4, label="blank: nothing finite computed, or a pole"),
    ]
    columns = len(handles) if figure.get_figwidth() > NARROW else 2
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.03, 0.0), ncols=columns, frameon=False,
        columnspacing=1.3, handletextpad=0.4,
    )  # fmt: skip


def draw(data: FigureData, folder: Path, name: str) -> list[Path]:
    """Draw one figure and write it as PNG, SVG and PDF."""
    with style.context():
        return style.save(bounds_figure(data), folder, name)
