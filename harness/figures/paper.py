"""A figure for a paper: the panels that are asked for, as wide as a column or a page, with text of 7 to 8 points.

Figures are laid out for a screen, in inches and points.  Under a Paper the same functions draw for a narrower sheet:
panels that do not fit side by side go below one another, margins and gaps are as wide as the text in them, and title,
keys and notes, which stand beside the panels on a screen, become one legend below them.  A drawing is made several times,
since how much room the text needs is known once it is drawn.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

from harness import UsageError

WIDTHS = {"column": 8.5 / 2.54, "page": 17.8 / 2.54}  # inches
SMALLEST, LARGEST = 7.0, 8.0  # points of text
PASSES = 3
MEASURED_AT = 150  # dots an inch
EDGE = 0.04  # inches left free at the sheet's edges and between what stands side by side
NOTE_CHARACTER = 0.53  # mean width of a character, in sizes of the font


@dataclass
class Paper:
    """Hold how wide the sheet is, and what the last drawing on it showed that text needs; all in inches."""

    width: float
    left: float = 0.5
    right: float = 0.1
    top: float = 0.3
    bottom: float = 0.6
    gap_x: float = 0.4
    gap_y: float = 0.5
    title: str = ""
    panels: list[tuple[int, int, Axes]] = field(default_factory=list)  # row and column on this sheet
    keys: list[Line2D] = field(default_factory=list)

    def columns(self, wanted: int, least: float) -> int:
        """Return how many of the wanted panels stand side by side, each at least so wide, evenly over the rows.

        Raises UsageError where not even one does.
        """
        room = self.width - self.left - self.right + self.gap_x
        fit = min(wanted, int(room / (least + self.gap_x)))
        if fit < 1:
            raise UsageError(
                f"a panel of this figure is {least + self.left + self.right:.1f} inches wide with its labels, "
                f"and the sheet {self.width:.2f}; ask for fewer formats, or for --width page"
            )
        return -(-wanted // -(-wanted // fit))

    def finish(self, figure: Figure) -> None:
        """Bring the text to its size, put keys and notes below the panels, and keep what room all of it needs."""
        figure.set_dpi(MEASURED_AT)
        for text in figure.findobj(Text):
            text.set_fontsize(min(max(text.get_fontsize(), SMALLEST), LARGEST))
        below = self._below(figure)
        renderer = FigureCanvasAgg(figure).get_renderer()
        self._measure(figure, renderer)
        self.bottom = self._lowest + below + 2 * EDGE

    def _below(self, figure: Figure) -> float:
        """Write keys, legends and notes at the foot, the notes lowest; return how high they are together."""
        entries: list[dict[str, Any]] = [{str(h.get_label()): h for h in self.keys}]
        for legend in figure.legends:
            texts = [t.get_text() for t in legend.get_texts()]
            entries.append({t: h for t, h in zip(texts, legend.legend_handles) if h is not None})
        notes = [line for t in figure.texts for line in t.get_text().split("\n")]
        for artist in [*figure.legends, *figure.texts]:
            artist.remove()
        characters = int((self.width - 2 * EDGE) * 72 / (NOTE_CHARACTER * SMALLEST))
        height, text = EDGE, "\n".join(textwrap.wrap(" ".join(notes), characters))
        if text:
            written = figure.text(
                EDGE / self.width, EDGE / figure.get_figheight(), text, va="bottom", fontsize=SMALLEST
            )
            height += _size(figure, written)[1] + EDGE
        for handles in reversed([h for h in entries if h]):
            height += self._legend(figure, handles, height)
        return height

    def _legend(self, figure: Figure, handles: dict[str, Any], up: float) -> float:
        """Place a legend so many inches up, in as many columns as fit; return its height."""
        place = (EDGE / self.width, up / figure.get_figheight())
        for count in range(min(len(handles), 7), 0, -1):
            legend = figure.legend(
                handles=list(handles.values()), labels=list(handles), loc="lower left", bbox_to_anchor=place, ncols=count,
                frameon=False, fontsize=LARGEST - 0.5, columnspacing=0.9, handletextpad=0.5, borderaxespad=0.0,
                borderpad=0.2, labelspacing=0.35, handlelength=1.7,
            )  # fmt: skip
            width, height = _size(figure, legend)
            if width <= self.width - EDGE or count == 1:
                break
            legend.remove()
        return height

    def _measure(self, figure: Figure, renderer: Any) -> None:
        """Keep how far the text of panels reaches beyond them: at the edges of the sheet, and between them."""
        last = max(row for row, _, _ in self.panels)
        end = max(column for _, column, _ in self.panels)
        reach = {(r, c): _overhang(ax, figure.dpi, renderer) for r, c, ax in self.panels}
        side = {name: _largest(reach, i) for i, name in enumerate(("left", "right", "above", "under"))}
        self.left = side["left"](lambda r, c: c == 0) + EDGE
        self.right = side["right"](lambda r, c: c == end) + EDGE
        self.top = side["above"](lambda r, c: r == 0) + EDGE
        self._lowest = side["under"](lambda r, c: r == last)
        # A gap is known once there is one; a pass whose panels stand otherwise leaves it, so that passes do not alternate.
        if end:
            between = side["left"](lambda r, c: c > 0), side["right"](lambda r, c: c < end)
            self.gap_x = max(sum(between) + EDGE, 0.1)
        if last:
            between = side["above"](lambda r, c: r > 0), side["under"](lambda r, c: r < last)
            self.gap_y = max(sum(between) + 1.5 * EDGE, 0.1)


PAPER: ContextVar[Paper | None] = ContextVar("paper", default=None)


def on_paper(draw: Callable[[], Figure], width: float) -> tuple[Figure, str]:
    """Draw a figure so many inches wide; return it, without its title, and the title."""
    paper = Paper(width)
    for _ in range(PASSES):
        paper.panels, paper.keys = [], []
        with _laid_on(paper):
            figure = draw()
        paper.finish(figure)
    return figure, paper.title


@contextmanager
def _laid_on(paper: Paper) -> Iterator[None]:
    token = PAPER.set(paper)
    try:
        yield
    finally:
        PAPER.reset(token)


def _largest(
    reach: Mapping[tuple[int, int], Sequence[float]], side: int
) -> Callable[[Callable[[int, int], bool]], float]:
    """Return the function that gives the largest overhang on one side of the panels that a condition chooses."""

    def largest(chosen: Callable[[int, int], bool]) -> float:
        return max((found[side] for place, found in reach.items() if chosen(*place)), default=0.0)

    return largest


def _overhang(ax: Axes, dpi: float, renderer: Any) -> tuple[float, float, float, float]:
    """Return by how many inches the text of a panel reaches out: left, right, above and under it."""
    box = ax.get_window_extent(renderer)
    texts = [t.get_window_extent(renderer) for t in ax.texts if t.get_text()]
    left, right, above, under = (
        max((f(t) for t in texts), default=0.0)
        for f in (
            lambda t: box.x0 - t.x0, lambda t: t.x1 - box.x1, lambda t: t.y1 - box.y1, lambda t: box.y0 - t.y0,
        )
    )  # fmt: skip
    return max(left, 0) / dpi, max(right, 0) / dpi, max(above, 0) / dpi, max(under, 0) / dpi


def _size(figure: Figure, artist: Text | Legend) -> tuple[float, float]:
    """Return width and height of a text or legend in inches."""
    extent = artist.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    return extent.width / figure.dpi, extent.height / figure.dpi
