"""Heat maps: the worst error of each kernel in each format, as a table of colours and numbers.

A tile's colour is the class of its error (see truth/classes.py), so that formats can be compared; the number is the
error in ulp; marks are outcomes.  Systems and studies draw their own maps of such tiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures import style
from harness.figures.catalogue import HARD, Plan
from harness.figures.curves import ErrorCurves
from harness.figures.layout import Layout, line
from harness.numbers.formats import Format
from harness.truth.classes import bits, error_class
from harness.truth.errors import SPURIOUS

ROW = 0.185  # inches
NO_BIT = "no bit right"
COLOURS = style.class_colours()


@dataclass(frozen=True)
class Tile:
    """Describe one coloured field of a heat map: where it stands, the error it shows, and what happened besides.

    `ulp` is NaN where nothing was measured; `text` is written instead of the number, where there is any; `bold` sets
    it off from those around it.
    """

    row: int
    column: int
    fmt: Format
    ulp: float
    outcomes: Sequence[str] = ()
    text: str = ""
    bold: bool = False

    @property
    def index(self) -> int:
        """Return the class of the error, blank where there is none."""
        return style.BLANK if math.isnan(self.ulp) else error_class(self.ulp, self.fmt)


@dataclass(frozen=True)
class TileLook:
    """Say where within a tile, whose sides are 1, the number begins and the marks stand, and how large they are.

    Tiles too narrow for the words have no writing where no bit is right: their colour, which the legend names, says so,
    and leaves the room to the marks.
    """

    number_at: float = -0.42  # from the middle
    mark_at: float = 0.42  # of the first mark; the others to the left of it
    mark_step: float = 0.14
    mark_size: float = 3.1  # points
    font_size: float | None = None  # points; the figure's own unless said otherwise
    no_bit: str = NO_BIT  # what is written where no bit is right


LOOK = TileLook(number_at=-0.47, mark_at=0.44, mark_step=0.075)
NARROW = TileLook(mark_step=0.13, mark_size=2.9, font_size=7.5, no_bit="")
LEAST_TILE = 0.9  # inches: the words, and marks of four outcomes


def worst_figure(plan: Plan, drawn: ErrorCurves) -> Figure:
    """Draw a plan of kind `worst`: for losses and gradients, hard targets beside soft ones."""
    names, groups = plan.kernel_labels(), _groups(plan, drawn)
    formats = len(drawn.formats)
    layout = Layout(
        10.6, 1, len(groups), len(names) * ROW, left=1.95, right=0.1, top=0.88, bottom=0.74, gap_x=0.15, gap_y=0,
        least=max(0.75, formats * 0.48),
    )  # fmt: skip
    look = LOOK if layout.panel_width / formats >= LEAST_TILE else NARROW
    figure = layout.figure(plan.title)
    for column, (title, hard) in enumerate(groups):
        ax = layout.panel(figure, 0, column, (-0.5, formats - 0.5), (len(names) - 0.5, -0.5))
        ax.text(0.5, 1 + layout.points_up(27), title, transform=ax.transAxes, ha="center", weight="bold")
        for i, fmt in enumerate(drawn.formats):
            head = f"{fmt.name}\n{'all inputs' if drawn.exhaustive(fmt) else '≥, sample'}"
            ax.text(i, 1 + layout.points_up(3), head, transform=ax.get_xaxis_transform(), ha="center", va="bottom")
        draw_tiles(ax, (len(names), formats), _tiles(plan, drawn, hard), look)
        ax.hlines(plan.family_edges(), *ax.get_xlim(), color="#000000", lw=0.8)
        if layout.leftmost(column):
            layout.y_ticks(ax, range(len(names)), names, size=0)
    _legend(figure)
    return figure


def _groups(plan: Plan, drawn: ErrorCurves) -> list[tuple[str, bool]]:
    """Return the panels: hard and soft targets, as the experiment has them; one without targets."""
    if not plan.families[0].problem.has_target:
        return [("", True)]
    there = [t in HARD for t in drawn.experiment.targets]
    return [(title, flag) for title, flag in (("hard targets", True), ("soft targets", False)) if flag in there]


def _tiles(plan: Plan, drawn: ErrorCurves, hard: bool) -> Iterator[Tile]:
    """Yield a tile for every kernel and format."""
    for row, (problem, kernel) in enumerate((f.problem, k.name) for f in plan.families for k in f.kernels):
        for column, fmt in enumerate(drawn.formats):
            ulp, outcomes = drawn.worst(problem, kernel, fmt, hard)
            yield Tile(row, column, fmt, ulp, outcomes)


def draw_tiles(ax: Axes, shape: tuple[int, int], tiles: Iterable[Tile], look: TileLook) -> None:
    """Draw a heat map of rows x columns: a colour for each tile's class of error, its number, a mark for each outcome.

    What no tile covers is left white.
    """
    classes = np.full(shape, style.BLANK)
    marks: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for tile in tiles:
        classes[tile.row, tile.column] = tile.index
        ink, text = style.ink(tile.index), tile.text or number(tile.ulp, tile.fmt, look.no_bit)
        ax.text(tile.column + look.number_at, tile.row, text, color=ink, ha="left", va="center_baseline",
                fontsize=look.font_size, weight="bold" if tile.bold else None)  # fmt: skip
        for i, outcome in enumerate(tile.outcomes):
            at = (tile.column + look.mark_at - look.mark_step * i, tile.row)
            marks.setdefault((outcome, ink), []).append(at)
    ax.imshow(classes, cmap=COLOURS, vmin=-0.5, vmax=COLOURS.N - 0.5, aspect="auto", interpolation="nearest")
    rows, columns = (np.arange(n - 1) + 0.5 for n in shape)
    ax.hlines(rows, *ax.get_xlim(), color=style.WHITE, lw=0.6)
    ax.vlines(columns, *ax.get_ylim(), color=style.WHITE, lw=0.6)
    for (outcome, ink), places in marks.items():
        marker = style.OUTCOME_LOOK[outcome][1]
        outline: dict[str, Any] = {"mfc": "none", "mec": ink, "mew": 0.7}
        line(ax, *zip(*places), ls="none", marker=marker, ms=look.mark_size, label=outcome, **outline)


def number(ulp: float, fmt: Format, no_bit: str = NO_BIT) -> str:
    """Write an error briefly; `no_bit` from 2^(p-1) ulp on, a dash where there is none."""
    if math.isnan(ulp):
        return "–"
    if ulp >= 2.0 ** bits(fmt):
        return no_bit
    if ulp < 9.95:
        return f"{ulp:.1f}"
    if ulp < 9999.5:
        return f"{ulp:.0f}"
    mantissa, exponent = f"{ulp:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def outcome_legend(figure: Figure) -> None:
    """Name the marks of a heat map at the lower left."""
    figure.legend(handles=style.outcome_handles(SPURIOUS), loc="lower left", bbox_to_anchor=(0.01, 0.0),
                  ncols=4, frameon=False, columnspacing=1.4, handletextpad=0.2)  # fmt: skip


def _legend(figure: Figure) -> None:
    outcome_legend(figure)
    place = (0.01, 0.2 / figure.get_figheight())
    figure.legend(handles=style.class_handles(), loc="lower left", bbox_to_anchor=place, ncols=6, frameon=False,
                  columnspacing=1.4)  # fmt: skip
    note = "Numbers: largest error in ulp; no bit right: 2^(p−1) ulp or more.  Colours: share of the bits lost."
    figure.text(0.02, 0.53 / figure.get_figheight(), note, va="center")
