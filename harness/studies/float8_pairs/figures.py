"""Draw a map of every pair of an 8-bit logit and an 8-bit target: the class of the error in colour."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.figures import style
from harness.figures.layout import Layout
from harness.numbers.formats import Format, format_named
from harness.studies.float8_pairs.measure import DRAWN, FORMATS, LETTERS
from harness.studies.study import Frames
from harness.truth.errors import SPURIOUS

# Of the classes, in the order of the digits.
LABELS = ("correctly rounded", "up to 1 ulp", "up to 2", "up to 4", "up to 8", "more")


def figure(frames: Frames) -> Figure:
    """Draw the class of each pair, a panel for each drawn kernel and format."""
    table = frames["float8_pairs_map"]
    colours = [c for _, c in style.CLASSES] + ["#000000", "#0072B2", "#56B4E9", "#CC79A7"]
    code = {c: i for i, c in enumerate([*map(str, range(len(LABELS))), *LETTERS.values()])}
    layout = Layout(7.4, 2, len(DRAWN), 1.5, left=0.95, right=0.1, top=0.8, bottom=1.0, gap_x=0.12, gap_y=0.5)
    whole = layout.figure("What is left of the loss in 8 bits, at every logit and target")
    for row, column in layout.places():
        fmt = format_named(FORMATS[row])
        chosen = table[(table["format"] == fmt.name) & (table["kernel"] == DRAWN[column])]
        image = np.array([[code[c] for c in classes] for classes in chosen["classes"]])
        ax = layout.panel(whole, row, column, (-0.5, image.shape[1] - 0.5), (-0.5, image.shape[0] - 0.5))
        ax.imshow(image, cmap=ListedColormap([to_rgb(c) for c in colours]), vmin=-0.5, vmax=len(colours) - 0.5,
                  aspect="auto", interpolation="nearest", origin="lower")  # fmt: skip
        _ticks(layout, ax, fmt, row, column)
        layout.heading(ax, DRAWN[column].replace("clip_", "clip_\n") if layout.heads(row) else "")
    labels = [*LABELS, *(style.outcome_label(name) for name in SPURIOUS)]
    patches = [Patch(fc=c, ec="#000000", lw=0.4, label=label) for c, label in zip(colours, labels)]
    whole.legend(
        handles=patches, loc="lower left", bbox_to_anchor=(0.1, 0.0), ncols=5, frameon=False, columnspacing=1.4
    )
    return whole


def _ticks(layout: Layout, ax: Axes, fmt: Format, row: int, column: int) -> None:
    logits, targets = (-1.0, 0.0, 1.0), (0.0, 0.0625, 1.0)
    first = fmt.finite_ordinals(-np.inf, np.inf)[0]
    at = [int(fmt.ordinal(np.array([v]).astype(fmt.dtype))[0]) - first for v in logits]
    layout.x_ticks(ax, at, [f"{v:g}".replace("-", "−") for v in logits], name="logit x, in bit order" if row else "")
    if layout.leftmost(column):
        up = [int(fmt.ordinal(np.array([v]).astype(fmt.dtype))[0]) for v in targets]
        layout.y_ticks(ax, up, [f"{v:g}" for v in targets])
        layout.y_label(ax, f"{fmt.name}\ntarget y", 48)


DRAW = {"float8_pairs": figure}
