"""Where each kernel fails: a strip for each kernel along the input, one panel for each format.

Colour is the class of the largest error at each step of the axis; hatching is an outcome, such as a spurious NaN.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from harness.figures import style
from harness.figures.axes import InputAxis
from harness.figures.bins import STEPS, Curve
from harness.figures.catalogue import Plan
from harness.figures.curves import ErrorCurves
from harness.figures.layout import Layout
from harness.numbers.formats import Format
from harness.truth.classes import error_class
from harness.truth.errors import OUTCOMES

Array = np.ndarray

STRIP = 0.155  # inches
COLOURS = style.class_colours()


def map_figure(plan: Plan, drawn: ErrorCurves) -> Figure:
    """Draw a plan of kind `map`, two formats to a row."""
    names = plan.kernel_labels()
    rows = -(-len(drawn.formats) // 2)
    layout = Layout(
        11.0, rows, 2, len(names) * STRIP, left=2.05, right=0.15, top=0.62, bottom=0.98, gap_x=0.2, gap_y=0.62
    )
    figure = layout.figure(plan.title)
    # Problems without a target share the widest of their axes.
    axis = max((InputAxis(f.problem) for f in plan.families), key=lambda a: a.limits[1] - a.limits[0])
    for (row, column), fmt in zip(layout.places(), drawn.formats):
        ax = layout.panel(figure, row, column, axis.limits, (len(names) - 0.5, -0.5))
        layout.heading(ax, style.format_title(fmt, drawn.exhaustive(fmt)))
        at, labels = axis.ticks(wide=True)
        layout.x_ticks(ax, at, labels, axis.minor_ticks(), axis.label)
        if layout.leftmost(column):
            layout.y_ticks(ax, range(len(names)), names, size=1.5)
        _panel(ax, plan, fmt, axis, drawn)
    _legend(figure)
    return figure


def _panel(ax: Axes, plan: Plan, fmt: Format, axis: InputAxis, drawn: ErrorCurves) -> None:
    curves = [drawn.curve(f.problem, k.name, fmt, plan.target) for f in plan.families for k in f.kernels]
    image = np.array([strip(c, fmt, axis) for c in curves])
    ax.imshow(
        image, cmap=COLOURS, vmin=-0.5, vmax=COLOURS.N - 0.5, aspect="auto", interpolation="nearest",
        extent=(*axis.limits, len(curves) - 0.5, -0.5),
    )  # fmt: skip
    for outcome, boxes in _boxes(curves, axis).items():
        _, _, face, ink, hatch = style.OUTCOME_LOOK[outcome]
        path = Path.make_compound_path(*boxes)  # one for all: a hatch is costly to draw
        ax.add_patch(PathPatch(path, facecolor=face, edgecolor=ink, hatch=hatch, lw=0, label=outcome))
    ax.hlines(np.arange(0.5, len(curves) - 1), *axis.limits, color="#FFFFFF", lw=0.8)
    ax.hlines(plan.family_edges(), *axis.limits, color="#000000", lw=0.8)


def _boxes(curves: list[Curve], axis: InputAxis) -> dict[str, list[Path]]:
    """Return for each outcome the boxes, a strip high, where it occurs."""
    found: dict[str, list[Path]] = {}
    for row, curve in enumerate(curves):
        for outcome, lo, hi in runs(curve, axis):
            corners = [(lo, row - 0.5), (hi, row - 0.5), (hi, row + 0.5), (lo, row + 0.5), (lo, row - 0.5)]
            found.setdefault(outcome, []).append(Path(corners, closed=True))
    return found


def strip(curve: Curve, fmt: Format, axis: InputAxis) -> Array:
    """Return the class of error at each step of the axis; a step between two cells takes the nearer one.

    Where nothing was measured and no outcome drawn over it, infinity or NaN was due: the best class.
    """
    classes = np.array([0 if np.isnan(u) else error_class(u, fmt) for u in curve.top])
    nearest, inside = _nearest(curve, axis)
    return np.where(inside, classes[nearest], style.BLANK)


def _nearest(curve: Curve, axis: InputAxis) -> tuple[Array, Array]:
    """Return for each step of the axis the nearest point of a curve, and whether it has inputs."""
    lo, hi = axis.limits
    centre = lo + (np.arange(STEPS) + 0.5) * (hi - lo) / STEPS
    after = np.clip(np.searchsorted(curve.at, centre), 1, len(curve.at) - 1)
    nearest = np.where(centre - curve.at[after - 1] < curve.at[after] - centre, after - 1, after)
    # The widest cells are four steps apart.  Farther off the format has no inputs, but for the
    # middle of an axis of numbers, where the first cell spans many of them.
    inside = np.abs(curve.at[nearest] - centre) < 3 * (hi - lo) / STEPS
    if axis.problem.input != "probability":
        inside |= (centre > curve.at[0]) & (centre < curve.at[-1])
    return nearest, inside


def runs(curve: Curve, axis: InputAxis) -> Iterator[tuple[str, float, float]]:
    """Yield outcome, start and end (positions) of each stretch of steps where an outcome occurs.

    Where several do, the first in the order of OUTCOMES is shown.
    """
    lo, hi = axis.limits
    width = (hi - lo) / STEPS
    nearest, inside = _nearest(curve, axis)
    masks = [curve.outcomes[name][nearest] & inside for name in OUTCOMES]
    which = np.where(np.any(masks, axis=0), np.argmax(masks, axis=0), -1)
    edges = np.flatnonzero(np.diff(which, prepend=-2, append=-2))
    for start, stop in itertools.pairwise(edges):
        if which[start] >= 0:
            yield OUTCOMES[which[start]], lo + start * width, lo + stop * width


def _legend(figure: Figure) -> None:
    handles = style.class_handles()
    handles.append(Patch(facecolor=style.WHITE, edgecolor="#000000", lw=0.4, label="no such input"))
    look = {
        "frameon": False,
        "columnspacing": 1.6,
        "handletextpad": 0.5,
        "handlelength": 2.4,
        "handleheight": 1.1,
    }
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.01, 0.25 / figure.get_figheight()),
        ncols=7,
        **look,
    )
    figure.legend(handles=style.outcome_patches(), loc="lower left", bbox_to_anchor=(0.01, 0.0), ncols=5, **look)
