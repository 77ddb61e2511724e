"""Texts of a figure that overlap one another, or that marks overprint: what a reader cannot read.

Only what is drawn counts, each text by the box that its letters fill, less a little at every side, since the boxes of
neighbours may touch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SLACK = 0.8  # points that a box is taken in at each side


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of texts that overlap, and text and `mark` where a marker without a line lies on a text."""
    texts = _boxes(figure)
    found = [(a, b) for i, (a, box) in enumerate(texts) for b, other in texts[:i] if box.overlaps(other)]
    marks = list(_marks(figure))
    return [*found, *((text, "mark") for text, box in texts if any(box.contains(x, y) for x, y in marks))]


def beyond(figure: Figure) -> list[str]:
    """Return the texts that reach beyond the figure's edges."""
    whole = figure.bbox
    return [
        text for text, b in _boxes(figure) if b.x0 < whole.x0 or b.y0 < whole.y0 or b.x1 > whole.x1 or b.y1 > whole.y1
    ]


def _boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """Return each text that is drawn with its box, in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # a legend places its texts when it is drawn
    slack = SLACK * figure.dpi / 72
    texts = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
    return [(t.get_text(), _taken_in(t.get_window_extent(canvas.get_renderer()), slack)) for t in texts]


def _taken_in(box: Bbox, slack: float) -> Bbox:
    return Bbox.from_extents(box.x0 + slack, box.y0 + slack, box.x1 - slack, box.y1 - slack)


def _marks(figure: Figure) -> Iterator[tuple[float, float]]:
    """Yield where markers without a line stand, in pixels: the left edge and the middle of each."""
    for ax in figure.axes:
        for line in ax.lines:
            if line.get_linestyle() == "None" and str(line.get_marker()) in "xos^d":
                half = line.get_markersize() / 2 * figure.dpi / 72
                for x, y in line.get_transform().transform(np.column_stack(line.get_data())):
                    yield x - half, y
                    yield x, y
