"""Draw a map of kernels and targets, and the fused forms' errors as the target nears 0 or 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures import style
from harness.figures.heatmap import Tile, TileLook, draw_tiles
from harness.figures.layout import Layout, line
from harness.numbers.formats import Format, format_named
from harness.studies.study import Frames
from harness.studies.targets.tables import FORMATS
from harness.truth.classes import bits
from harness.truth.errors import SPURIOUS

LOOK = TileLook(number_at=-0.45, mark_at=0.41, mark_step=0.145, mark_size=2.8, font_size=7.0, no_bit="")
ROW = 0.185  # inches


def map_figure(frames: Frames) -> Figure:
    """Draw the worst error of every kernel at every target, a panel for each format."""
    frame = frames["targets"]
    names = list(dict.fromkeys(zip(frame["problem"], frame["kernel"])))
    targets = list(dict.fromkeys(frame["target_name"]))
    formats = [name for name in FORMATS if name in set(frame["format"])]
    columns = min(2, len(formats))
    layout = Layout(
        11.0, -(-len(formats) // 2), columns, len(names) * ROW, left=1.85, right=0.1, top=0.78, bottom=0.92, gap_x=0.15,
        gap_y=0.62, least=len(targets) * 0.36,
    )  # fmt: skip
    figure = layout.figure("The worst error of every kernel at every target")
    for name, (row, column) in zip(formats, layout.places()):
        fmt = format_named(name)
        ax = layout.panel(figure, row, column, (-0.5, len(targets) - 0.5), (len(names) - 0.5, -0.5))
        rows = frame[frame["format"] == name]
        every = (rows["exhaustive"] == "true").all()
        layout.heading(ax, f"{fmt.name} (p = {fmt.precision}), {'every input' if every else 'sample: ≥'}")
        draw_tiles(ax, (len(names), len(targets)), _tiles(fmt, names, targets, rows), LOOK)
        layout.x_ticks(ax, range(len(targets)), [_label(t) for t in targets], name="target y")
        _kernels(ax, layout, names, layout.leftmost(column))
    _map_legend(figure)
    return figure


def _kernels(ax: Axes, layout: Layout, names: list[tuple[str, str]], named: bool) -> None:
    """Divide the two problems by a line; name kernels and problems left of the first panel of a row."""
    first = sum(problem == names[0][0] for problem, _ in names)
    ax.hlines([first - 0.5], *ax.get_xlim(), color="#000000", lw=0.8)
    if not named:
        return
    layout.y_ticks(ax, range(len(names)), [kernel for _, kernel in names], size=0)
    places = {names[-1][0]: (first + len(names)) / 2 - 0.5, names[0][0]: first / 2 - 0.5}
    for problem, middle in places.items():
        ax.text(-layout.points_across(124), middle, problem, transform=ax.get_yaxis_transform(),
                rotation=90, va="center", ha="center", weight="bold")  # fmt: skip


def _map_legend(figure: Figure) -> None:
    classes = style.class_handles(edge="#888888")
    figure.legend(handles=classes, loc="lower left", bbox_to_anchor=(0.01, 0.028), ncols=6, frameon=False)
    figure.legend(handles=style.outcome_handles(SPURIOUS), loc="lower left", bbox_to_anchor=(0.01, 0.0), ncols=4,
                  frameon=False, handletextpad=0.2)  # fmt: skip
    note = "Numbers: largest error in ulp; no bit right: 2^(p−1) ulp or more.  h = ⌊p/2⌋"
    figure.text(0.46, 0.012, note, va="bottom")


def _label(name: str) -> str:
    return name.replace("-", "−").replace("2^−p", "2⁻ᵖ").replace("2^−h", "2⁻ʰ")


def _tiles(fmt: Format, names: list[tuple[str, str]], targets: list[str], rows: pd.DataFrame) -> Iterator[Tile]:
    """Yield a tile for every kernel and target."""
    for r in rows.to_dict("records"):
        place = names.index((r["problem"], r["kernel"])), targets.index(r["target_name"])
        ulp = float(r["max_ulp"]) if r["max_ulp"] else math.nan
        yield Tile(*place, fmt, ulp, [o for o in SPURIOUS if r[o] not in ("", "0")])


def powers_figure(frames: Frames) -> Figure:
    """Draw the worst error of each fused kernel against the target, 0 at the left and 1 at the right."""
    frame = frames["targets_powers"]
    kernels = list(dict.fromkeys(frame["kernel"]))
    formats = [name for name in FORMATS if name in set(frame["format"])]
    layout = Layout(11.0, 1, len(formats), 2.4, left=0.62, right=0.25, top=0.66, bottom=0.86, gap_x=0.42, gap_y=0)
    figure = layout.figure("Worst error of the fused forms as the target nears 0 or 1")
    for column, name in enumerate(formats):
        p = format_named(name).precision
        ax = layout.panel(figure, 0, column, (-p, p), (-1, p + 1.5))
        layout.heading(ax, f"{name} (p = {p})")
        at = [1 - p, 1 - p // 2, 0, p // 2 - 1, p - 1]
        layout.x_ticks(ax, at, ["2⁻ᵖ", "2⁻ʰ", "½", "1−2⁻ʰ", "1−2⁻ᵖ"], name="target y")
        ticks = range(0, p + 1, next(s for s in (2, 5, 10, 20) if p / s <= 6))
        layout.y_ticks(ax, ticks, ["1" if e == 0 else "2" + str(e).translate(style.SUPERSCRIPT) for e in ticks])
        ax.axhline(bits(format_named(name)), **style.NO_BIT_RIGHT)
        for i, kernel in enumerate(kernels):
            _power_curve(ax, frame[(frame["format"] == name) & (frame["kernel"] == kernel)], i)
        if layout.leftmost(column):
            layout.y_label(ax, "worst error (ulp)", 36)
    handles = [*(style.line_handle(i, kernel) for i, kernel in enumerate(kernels)), style.no_bit_handle()]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.04, 0.0), ncols=5, frameon=False)
    figure.text(0.87, 0.035, "h = ⌊p/2⌋", va="bottom")
    return figure


def _power_curve(ax: Axes, rows: pd.DataFrame, i: int) -> None:
    """Draw one kernel's errors; 2^-k stands k - 1 left of 1/2, and 1 - 2^-k as far right of it."""
    x = (np.where(rows["near"] == "0", 1, -1) * (1 - rows["k"].astype(int))).to_numpy()
    height = np.log2(rows["max_ulp"].astype(float).to_numpy())
    order = np.argsort(x, kind="stable")
    colour, width, dashes = style.LINES[i]
    line(ax, x[order], height[order], color=colour, lw=width, ls=dashes, zorder=3 + i)


DRAW: Mapping[str, Callable[[Frames], Figure]] = {"targets_map": map_figure, "targets_powers": powers_figure}
