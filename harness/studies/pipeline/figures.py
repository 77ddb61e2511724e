"""Figures of the pipelines: where the digits of the loss go, and what is left of the logit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures import style
from harness.figures.apart import away, only
from harness.figures.axes import InputAxis
from harness.figures.layout import Layout, line
from harness.numbers.formats import Format, format_named
from harness.problems import PROBLEMS
from harness.studies.study import Frames
from harness.truth.classes import bits

# Column of the curves' table: what it shows.
PARTS = {
    "quantisation": "input quantisation: exact loss\nat the rounded probability",
    "naive_kernel": "kernel naive, at its probability",
    "clip_1e-7_kernel": "kernel clip_1e-7, at its\nprobability",
    "xlogy_kernel": "kernel xlogy, at its probability",
    "fused": "fused form, from the logit",
}
PARTS_NOTE = """\
Dashed line: 2^(p−1) ulp, no bit right.
Larger errors than fit are drawn just
below the upper edge.
Gaps: infinite or NaN.
Triangles: p is 0 or 1, and the exact
loss there is infinite."""
DIGITS_NOTE = """\
Grey line: the digits that the format of
the probability holds. Drawn are the
fewest digits in each cell of logits,
a formula's where they differ from the
exact logit's by 5 % of the grey line's."""
AXIS = InputAxis(PROBLEMS["bce_logits"])
LOWEST = -3.0  # log2 of the least error shown, in ulp
ABOVE = 3.0  # binades above 2^p in view: more is drawn at the edge


def parts_figure(target: str, frames: Frames) -> Figure:
    """Draw the parts of the error of every pair against the logit, for one target."""
    frame = frames["pipeline_curves"]
    pairs = _pairs(frame[frame["target"] == target])
    layout = Layout(11.0, *_shape(pairs), 2.1, left=0.62, right=0.12, top=0.62, bottom=0.62, gap_x=0.42, gap_y=0.72)
    title = "A pipeline from logit to loss: what the probability and what the kernel lost"
    figure = layout.figure(f"{title}, target {target}")
    for (a, b, group), (row, column) in zip(pairs, layout.places()):
        p = b.precision
        ax = _panel(figure, layout, (row, column), (a, b), (LOWEST - 1, p + ABOVE + 2.5), "error (ulp of the loss's format)")  # fmt: skip
        step = next(s for s in (2, 5, 10, 20) if p / s <= 6)
        layout.y_ticks(ax, range(0, p + 1, step), [_power_two(e) for e in range(0, p + 1, step)])
        ax.axhline(bits(b), **style.NO_BIT_RIGHT, zorder=1)
        x = AXIS.positions(group["logit"].astype(float).to_numpy(), a)
        for i, name in enumerate(PARTS):
            _curve(ax, x, group[name].astype(float).to_numpy(), i, p + ABOVE)
        pole = np.isinf(group["quantisation"].astype(float).to_numpy())
        style.marks(ax, "spurious_inf", x[pole], p + ABOVE + 1.3, style.LINES[0][0], "infinite")
    _legend(figure, layout, list(PARTS.values()), PARTS_NOTE)
    return figure


def digits_figure(frames: Frames) -> Figure:
    """Draw the digits of the logit that survive in the rounded probability."""
    frame = frames["pipeline_digits"]
    formulas = [c for c in frame.columns if c not in ("probability_format", "loss_format", "logit", "id")]
    pairs = _pairs(frame)
    layout = Layout(11.0, *_shape(pairs), 1.8, left=0.62, right=0.12, top=0.62, bottom=0.62, gap_x=0.42, gap_y=0.72)
    figure = layout.figure("Logit → rounded probability → logit: how many digits come back")
    for (a, b, group), (row, column) in zip(pairs, layout.places()):
        most = a.precision * math.log10(2)
        ax = _panel(figure, layout, (row, column), (a, b), (-0.06 * most, 1.1 * most), "decimal digits of the logit")
        step = next(s for s in (1, 2, 4) if most / s <= 5)
        layout.y_ticks(ax, range(0, int(most) + 1, step), [str(v) for v in range(0, int(most) + 1, step)])
        line(ax, _limits(), [most, most], color="#888888", lw=0.6)
        x = AXIS.positions(group["logit"].astype(float).to_numpy(), a)
        digits = {name: group[name].astype(float).to_numpy() for name in formulas}
        for i, name in enumerate(formulas):
            for side in (x < 0, x > 0):
                height = digits[name][side][np.argsort(x[side])]
                first = digits[formulas[0]][side][np.argsort(x[side])]
                apart = away(height, first, 0.05 * most) if i else np.full(len(height), True)
                _stroke(ax, np.sort(x[side]), only(height, apart), i)
    _legend(figure, layout, ["exact logit of the rounded\nprobability", *formulas[1:]], DIGITS_NOTE)
    return figure


def _panel(
    figure: Figure, layout: Layout, place: tuple[int, int], pair: tuple[Format, Format],
    limits: tuple[float, float], label: str,
) -> Axes:  # fmt: skip
    """Return the panel of a pair with its heading and the axis of logits; the first of a row has the label."""
    ax = layout.panel(figure, *place, _limits(), limits)
    layout.heading(ax, _title(*pair))
    layout.x_ticks(ax, *AXIS.ticks(False), minor=_minor(), name=AXIS.label)
    if layout.leftmost(place[1]):
        layout.y_label(ax, label, 36)
    return ax


def _pairs(frame: pd.DataFrame) -> list[tuple[Format, Format, pd.DataFrame]]:
    groups = frame.groupby(["probability_format", "loss_format"], sort=False)
    found = [(format_named(str(a)), format_named(str(b)), g) for (a, b), g in groups]  # type: ignore[misc]
    return sorted(found, key=lambda pair: pair[0] is not pair[1])  # stable: equal formats first


def _shape(pairs: Sequence[object]) -> tuple[int, int]:
    """Return rows and columns of panels, of which the last place is the legend's where there are several rows."""
    columns = min(4, len(pairs))
    return -(-len(pairs) // columns), columns


def _title(a: Format, b: Format) -> str:
    return f"{a.name} (p = {a.precision})" if a is b else f"{a.name} → {b.name}"


def _power_two(exponent: int) -> str:
    return "1" if exponent == 0 else "2" + str(exponent).translate(style.SUPERSCRIPT)


def _minor() -> list[float]:
    return [v for v in AXIS.minor_ticks() if _limits()[0] <= v <= _limits()[1]]


def _limits() -> tuple[float, float]:
    lo, hi = AXIS.positions(np.array([-(2.0**11), 2.0**11]), format_named("float64"))
    return float(lo), float(hi)


def _curve(ax: Axes, x: np.ndarray, ulp: np.ndarray, i: int, most: float) -> None:
    """Draw errors as log2, each sign of the logit by itself; infinite ones leave a gap."""
    with np.errstate(divide="ignore"):
        height = np.clip(np.log2(ulp), LOWEST - 0.5, most)
    height = np.where(np.isinf(ulp), np.nan, height)
    for side in (x < 0, x > 0):
        _stroke(ax, x[side], height[side], i)


def _stroke(ax: Axes, x: np.ndarray, height: np.ndarray, i: int) -> None:
    colour, width, dashes = style.LINES[i]
    order = np.argsort(x)
    line(ax, x[order], height[order], color=colour, lw=width, ls=dashes, zorder=3 + i, solid_capstyle="butt")


def _legend(figure: Figure, layout: Layout, labels: Sequence[str], note: str) -> None:
    """Put the legend where the eighth panel would be."""
    handles = [style.line_handle(i, label) for i, label in enumerate(labels)]
    x = (layout.left + 3 * (layout.panel_width + layout.gap_x)) / layout.width
    y = 1 - (layout.top + layout.panel_height + layout.gap_y) / layout.height
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(x - 0.01, y), frameon=False, handlelength=2.4,
                  labelspacing=0.5, borderaxespad=0)  # fmt: skip
    figure.text(x, layout.bottom / layout.height, note, va="bottom", ha="left", fontsize=7)


DRAW: Mapping[str, Callable[[Frames], Figure]] = {
    "pipeline_parts_y0": partial(parts_figure, "0"),
    "pipeline_parts_y1": partial(parts_figure, "1"),
    "pipeline_round_trip": digits_figure,
}
