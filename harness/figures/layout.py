"""Panels of a figure: where they stand, in inches, and their ticks, headings and keys.

A figure may have dozens of panels.  The library's own axis makes an object of every tick; here the ticks of a side are
one artist, so that all are drawn in a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from harness.figures.paper import PAPER, Paper

INCH = 72.0  # points
TICK, MINOR, PAD = 3.5, 1.8, 2.0  # points
LINE = 11.0  # points from one line of a key to the next
WIDE = 34  # characters of a key's title
CHARACTER = 4.6  # points: the width of one in a label of a tick


def line(ax: Axes, x: ArrayLike, y: ArrayLike, **look: Any) -> None:
    """Draw a line or markers; `plot` without its search for units, limits and cycles."""
    ax.add_artist(Line2D(x, y, **look))


def key_height(entries: Sequence[tuple[tuple | None, str]]) -> float:
    """Return how high a key of these entries is under its title, in inches."""
    return LINE / INCH * (1.4 + sum(_entry(label) for _, label in entries))


def _entry(label: str) -> float:
    """Return how many lines of a key an entry takes, with the space below it."""
    return 1.05 + 0.86 * label.count("\n")


@dataclass
class Layout:
    """Place rows x columns of equal panels within margins; everything in inches.

    `least` is how narrow a panel may become.  Under a Paper, width, margins and gaps are the sheet's, and the panels of
    a row that do not fit side by side go on below.
    """

    width: float
    rows: int
    columns: int
    panel_height: float
    left: float
    right: float
    top: float
    bottom: float
    gap_x: float
    gap_y: float
    least: float = 1.0

    def __post_init__(self) -> None:
        self.paper: Paper | None = PAPER.get()
        self.across, self.down = self.columns, self.rows  # panels side by side, and rows of them
        if self.paper is not None:
            self.width = self.paper.width
            for name in ("left", "right", "top", "bottom", "gap_x", "gap_y"):
                setattr(self, name, getattr(self.paper, name))
            self.across = self.paper.columns(self.columns, self.least)
            self.down = self.rows * -(-self.columns // self.across)

    def place(self, row: int, column: int) -> tuple[int, int]:
        """Return row and column of a panel as it is placed, which on a narrow sheet differ from those it is drawn as."""
        return row * -(-self.columns // self.across) + column // self.across, column % self.across

    def leftmost(self, column: int) -> bool:
        """Tell whether nothing stands left of a panel, so that it names what its row shares."""
        return column % self.across == 0

    def heads(self, row: int) -> bool:
        """Tell whether the panels of a row have headings: those of the first, and all where columns are broken."""
        return row == 0 or self.across < self.columns

    def ends(self, row: int) -> bool:
        """Tell whether the panels of a row name the axis below: those of the last, and all where columns are broken."""
        return row == self.rows - 1 or self.across < self.columns

    @property
    def height(self) -> float:
        """Return the height of the figure in inches: margins, panels and the gaps between them."""
        return self.top + self.bottom + self.down * self.panel_height + (self.down - 1) * self.gap_y

    @property
    def panel_width(self) -> float:
        """Return the width of one panel in inches: what margins and gaps leave, divided by the columns."""
        return (self.width - self.left - self.right - (self.across - 1) * self.gap_x) / self.across

    def figure(self, title: str) -> Figure:
        """Return an empty figure under its title, the question it answers; a paper has a caption for that."""
        figure = Figure(figsize=(self.width, self.height))
        if self.paper is not None:
            self.paper.title = title
            return figure
        figure.text(
            0.12 / self.width,
            1 - 0.1 / self.height,
            title,
            fontsize=11,
            fontweight="bold",
            va="top",
            ha="left",
        )
        return figure

    def panel(
        self, figure: Figure, row: int, column: int, xlim: tuple[float, float], ylim: tuple[float, float]
    ) -> Axes:
        """Return a framed panel without ticks at a row and column, both counted from 0 at the top left."""
        row, column = self.place(row, column)
        x = self.left + column * (self.panel_width + self.gap_x)
        y = self.height - self.top - (row + 1) * self.panel_height - row * self.gap_y
        box = (
            x / self.width,
            y / self.height,
            self.panel_width / self.width,
            self.panel_height / self.height,
        )
        ax = figure.add_axes(box)
        ax.set_axis_off()
        ax.set_xlim(*xlim)
        ax.set_ylim(*ylim)
        ax.add_patch(
            Rectangle(
                (0, 0),
                1,
                1,
                transform=ax.transAxes,
                fill=False,
                lw=0.7,
                ec="#000000",
                clip_on=False,
                zorder=20,
            )
        )
        if self.paper is not None:
            self.paper.panels.append((row, column, ax))
        return ax

    def points_up(self, points: float) -> float:
        """Return a height in points as a fraction of a panel."""
        return points / INCH / self.panel_height

    def points_across(self, points: float) -> float:
        """Return a width in points as a fraction of a panel."""
        return points / INCH / self.panel_width

    def x_ticks(
        self,
        ax: Axes,
        at: Sequence[float],
        labels: Sequence[str],
        minor: Sequence[float] = (),
        name: str = "",
    ) -> None:
        """Put ticks and labels below a panel, and the axis label if there is one."""
        base = ax.get_xaxis_transform()
        look = {
            "ls": "none",
            "marker": TICKDOWN,
            "color": "#000000",
            "mew": 0.6,
            "transform": base,
            "clip_on": False,
        }
        line(ax, at, [0] * len(at), ms=TICK, **look)
        line(ax, minor, [0] * len(minor), ms=MINOR, **look)
        if self.paper is not None:
            labels = self._apart(ax, at, labels)
        for x, label in zip(at, labels):
            ax.text(x, -self.points_up(TICK + PAD), label, transform=base, ha="center", va="top")
        if name:
            ax.text(0.5, -self.points_up(TICK + PAD + 11), name, transform=ax.transAxes, ha="center", va="top")

    def _apart(self, ax: Axes, at: Sequence[float], labels: Sequence[str]) -> list[str]:
        """Return the labels of an axis, those empty that would touch one that is kept: first the ends, then the middle."""
        lo, hi = ax.get_xlim()
        place = [(x - lo) / (hi - lo) * self.panel_width * INCH for x in at]
        half = [CHARACTER * len(label) / 2 + 2 for label in labels]
        order = sorted(range(len(labels)), key=lambda i: place[i])
        ranked = [*order[:1], *order[-1:], *order[len(order) // 2 :], *order]
        kept: list[int] = []
        for i in ranked:
            if i not in kept and all(abs(place[i] - place[k]) > half[i] + half[k] for k in kept):
                kept.append(i)
        return [label if i in kept else "" for i, label in enumerate(labels)]

    def y_ticks(self, ax: Axes, at: Sequence[float], labels: Sequence[str], size: float = TICK) -> None:
        """Put ticks and labels left of a panel."""
        base = ax.get_yaxis_transform()
        line(
            ax,
            [0] * len(at),
            at,
            ls="none",
            marker=TICKLEFT,
            ms=size,
            color="#000000",
            mew=0.6,
            transform=base,
            clip_on=False,
        )
        for y, label in zip(at, labels):
            ax.text(-self.points_across(size + PAD), y, label, transform=base, ha="right", va="center_baseline")

    def y_label(self, ax: Axes, text: str, points: float, weight: str = "normal") -> None:
        """Write an axis label, upright along the panel, so many points left of it."""
        ax.text(
            -self.points_across(points), 0.5, text, transform=ax.transAxes, rotation=90, weight=weight,
            ha="center", va="center", multialignment="center",
        )  # fmt: skip

    def heading(self, ax: Axes, text: str) -> None:
        """Write a panel's heading above its frame, centred and 4 points up; on a paper in lines as narrow as its panels."""
        if self.paper is not None:
            text = text.replace("), ", ")\n")
        ax.text(0.5, 1 + self.points_up(4), text, transform=ax.transAxes, ha="center", va="bottom", fontsize=9)

    def key(self, ax: Axes, title: str, entries: Sequence[tuple[tuple | None, str]]) -> None:
        """Name curves right of a panel: (colour, width, dashes) or None, and a label of one or more lines."""
        if self.paper is not None:
            looks = [(*(look or ("none", 0, "solid")), label) for look, label in entries]
            self.paper.keys += [Line2D([], [], color=c, lw=w, ls=d, label=label) for c, w, d, label in looks]
            return
        step, left = self.points_up(LINE), 1 + self.points_across(8)
        stroke = left + self.points_across(20)
        # Labels stand in one line, behind the strokes where there are any.
        text = left + self.points_across(25) if any(look is not None for look, _ in entries) else left
        y = 1.0
        for part in title.split(" + ") if len(title) > WIDE else [title]:
            ax.text(left, y, part, transform=ax.transAxes, weight="bold", va="center_baseline")
            y -= 1.15 * step
        outside = {"transform": ax.transAxes, "clip_on": False, "solid_capstyle": "butt"}
        for look, label in entries:
            if look is not None:
                colour, width, dashes = look
                line(ax, [left, stroke], [y, y], color=colour, lw=width, ls=dashes, **outside)
            ax.text(text, y + 0.5 * step, label, transform=ax.transAxes, va="top", linespacing=1.15)
            y -= step * _entry(label)

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield row and column of each panel, row by row from the top left."""
        for row in range(self.rows):
            for column in range(self.columns):
                yield row, column
