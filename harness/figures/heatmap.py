"""The worst error of each kernel in each format, as a table of colours and numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure

from harness.figures import style
from harness.figures.bins import SPURIOUS
from harness.figures.catalogue import HARD, Plan
from harness.figures.frame import Layout, line
from harness.figures.material import Material
from harness.numbers.formats import Format

Cell = tuple[int, int, Format, float, Sequence[str]]  # row, column, format, largest error (NaN: none), outcomes
ROW = 0.185  # inches
NONE_MEASURED = len(style.CLASSES)
DARK = 4  # the first class with white writing
COLOURS = ListedColormap([to_rgb(c) for _, c in style.CLASSES] + [to_rgb("#FFFFFF")])


def worst_figure(plan: Plan, material: Material) -> Figure:
    """Draw a plan of kind `worst`: for losses and gradients, hard targets beside soft ones."""
    names, groups = plan.kernel_labels(), _groups(plan, material)
    formats = len(material.formats)
    layout = Layout(
        7.4,
        1,
        len(groups),
        len(names) * ROW,
        left=1.95,
        right=0.1,
        top=0.88,
        bottom=0.58,
        gap_x=0.15,
        gap_y=0,
    )
    figure = layout.figure(plan.title)
    for column, (title, hard) in enumerate(groups):
        ax = layout.panel(figure, 0, column, (-0.5, formats - 0.5), (len(names) - 0.5, -0.5))
        ax.text(0.5, 1 + layout.points_up(27), title, transform=ax.transAxes, ha="center", weight="bold")
        for i, fmt in enumerate(material.formats):
            head = f"{fmt.name}\n{'all inputs' if material.exhaustive(fmt) else '≥, sample'}"
            ax.text(i, 1 + layout.points_up(3), head, transform=ax.get_xaxis_transform(), ha="center", va="bottom")
        cells(ax, (len(names), formats), _worst(plan, material, hard))
        ax.hlines(plan.family_edges(), *ax.get_xlim(), color="#000000", lw=0.8)
        if column == 0:
            layout.y_ticks(ax, range(len(names)), names, size=0)
    _legend(figure)
    return figure


def _groups(plan: Plan, material: Material) -> list[tuple[str, bool]]:
    """Return the panels: hard and soft targets, as the experiment has them; one without targets."""
    if not plan.families[0].problem.has_target:
        return [("", True)]
    there = [t in HARD for t in material.experiment.targets]
    return [(title, flag) for title, flag in (("hard targets", True), ("soft targets", False)) if flag in there]


def _worst(plan: Plan, material: Material, hard: bool) -> Iterator[Cell]:
    """Give the largest error of every kernel and format, with the outcomes that it has anywhere."""
    for row, (problem, kernel) in enumerate((f.problem, k.name) for f in plan.families for k in f.kernels):
        for column, fmt in enumerate(material.formats):
            yield row, column, fmt, *material.worst(problem, kernel, fmt, hard)


def cells(ax: Axes, shape: tuple[int, int], found: Iterable[Cell], left: float = 0.42, apart: float = 0.105,
          **writing: Any) -> None:  # fmt: skip
    """Draw a coloured cell, a number, and a mark for each outcome, for every error found; other cells stay white.

    Panels have rows and columns at whole numbers.  A number starts `left` of its cell's middle, the marks
    stand `apart`, from the right; `writing` are properties of the numbers.
    """
    classes = np.full(shape, NONE_MEASURED)
    marks: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for row, column, fmt, ulp, outcomes in found:
        classes[row, column] = index = NONE_MEASURED if math.isnan(ulp) else style.error_class(ulp, fmt)
        ink = "#FFFFFF" if NONE_MEASURED > index >= DARK else "#000000"
        ax.text(column - left, row, number(ulp, fmt), color=ink, ha="left", va="center_baseline", **writing)
        for i, outcome in enumerate(outcomes):
            marks.setdefault((outcome, ink), []).append((column + 0.42 - apart * i, row))
    ax.imshow(classes, cmap=COLOURS, vmin=-0.5, vmax=COLOURS.N - 0.5, aspect="auto", interpolation="nearest")
    edges = [np.arange(n - 1) + 0.5 for n in classes.shape]
    ax.hlines(edges[0], *ax.get_xlim(), color="#FFFFFF", lw=0.6)
    ax.vlines(edges[1], *ax.get_ylim(), color="#FFFFFF", lw=0.6)
    for (outcome, ink), places in marks.items():
        marker = style.OUTCOME_LOOK[outcome][1]
        line(ax, *zip(*places), ls="none", marker=marker, ms=3.1, mfc="none", mec=ink, mew=0.7, label=outcome)


def number(ulp: float, fmt: Format) -> str:
    """Write an error briefly; 'none' from 2^(p-1) ulp on (no bit is right), a dash where there is none."""
    if math.isnan(ulp):
        return "–"
    if ulp >= 2.0 ** style.bits(fmt):
        return "none"
    if ulp < 9.95:
        return f"{ulp:.1f}"
    if ulp < 9999.5:
        return f"{ulp:.0f}"
    mantissa, exponent = f"{ulp:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _legend(figure: Figure) -> None:
    figure.legend(handles=style.outcome_handles(SPURIOUS), loc="lower left", bbox_to_anchor=(0.01, 0.0),
                  ncols=4, frameon=False, columnspacing=1.4, handletextpad=0.2)  # fmt: skip
    note = "Numbers: largest error in ulp; none: no bit is right, 2^(p−1) ulp or more.  "
    note += "Colours: share of the bits lost."
    figure.text(0.02, 0.36 / figure.get_figheight(), note, va="center")
