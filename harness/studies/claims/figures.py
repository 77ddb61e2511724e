"""Draw from which logit on the forms that claims are about are wrong."""

from __future__ import annotations

from matplotlib.figure import Figure

from harness.figures.layout import Layout, line
from harness.studies.claims.instruments import FARTHEST, FORMATS
from harness.studies.claims.measure import KERNELS
from harness.studies.study import Frames

MARKERS = (("o", "#0072B2"), ("s", "#D55E00"), ("^", "#000000"), ("d", "#009E73"))


def figure(frames: Frames) -> Figure:
    """Draw the table: a row for each kernel, right predictions on the left, wrong ones on the right."""
    table = frames["claims_limits"]
    layout = Layout(7.4, 1, 2, 0.34 * len(KERNELS), left=1.65, right=0.15, top=0.62, bottom=0.95, gap_x=0.15, gap_y=0)
    whole = layout.figure("At which logit is the loss first more than 5 % off? (y = 0)")
    sides = (("right_prediction", "right predictions", -1), ("wrong_prediction", "wrong predictions", 1))
    for column, (name, title, side) in enumerate(sides):
        limits = (-1.08 * FARTHEST, 0.0) if side < 0 else (0.0, 1.08 * FARTHEST)
        ax = layout.panel(whole, 0, column, limits, (len(KERNELS) - 0.4, -0.6))
        ax.hlines(range(len(KERNELS)), *limits, color="#DDDDDD", lw=0.6)
        for i, (fmt, (marker, colour)) in enumerate(zip(FORMATS, MARKERS)):
            part = table[table["format"] == fmt].set_index("kernel")[name]
            places = [(float(part[k]), row + 0.2 * (i - 1.5)) for row, k in enumerate(KERNELS) if part[k] != ""]
            line(ax, *zip(*places), ls="none", marker=marker, ms=4.2, color=colour, label=fmt)
        ticks = [side * v for v in range(0, int(FARTHEST) + 1, 10)]
        layout.x_ticks(ax, ticks, [str(v).replace("-", "−") for v in ticks], name="logit x")
        layout.heading(ax, title)
        if layout.leftmost(column):
            layout.y_ticks(ax, range(len(KERNELS)), KERNELS, size=0)
            handles, labels = ax.get_legend_handles_labels()
    whole.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.2, 0.06), ncols=4, frameon=False)
    note = f"No mark: nowhere up to ±{FARTHEST:g}, as far as tried in float64, where the loss is a normal number."
    whole.text(0.22, 0.03, note, va="center")
    return whole


DRAW = {"claims_limits": figure}
