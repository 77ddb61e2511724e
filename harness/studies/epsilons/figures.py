"""Figures of what an eps costs: heat maps of eps by input, and worst error and largest loss against eps."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.figures import style
from harness.figures.layout import Layout, line
from harness.numbers.formats import Format, format_named
from harness.studies.epsilons.measure import EMPTY, LETTERS, MARKED
from harness.studies.study import Frames

Array = np.ndarray

FLAT = ("#56B4E9", "#CC79A7", "#B5B5B5", "#6E6E6E")  # of MARKED, under their marks
BLANK = len(style.CLASSES) + len(FLAT)
COLOURS = style.class_colours(*FLAT)
MARK_STEP = (5, 7)  # a mark every so many rows and columns
ROWS = (("clamp", "0"), ("clamp", "1"), ("added", "0"), ("added", "1"))
TITLES = {"bce": "a probability", "bce_logits": "a logit, by its sigmoid"}


def powers(frame: pd.DataFrame, **where: str) -> pd.DataFrame:
    """Return the rows of one panel whose eps is a power of two, from the largest eps down."""
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame[frame["eps"].str.startswith("2^")]


def heat_map(problem: str, frames: Frames) -> Figure:
    """Draw the class of the worst error by eps and input: a column for each format, a row for form and target."""
    frame, windows = frames["epsilons"], frames["epsilons_windows"]
    formats = list(dict.fromkeys(frame["format"]))
    layout = Layout(11.0, 4, len(formats), 1.5, left=0.95, right=0.12, top=0.66, bottom=1.2, gap_x=0.5, gap_y=0.34)
    figure = layout.figure(f"How wrong is the loss of {TITLES[problem]}, for each eps?")
    for row, (form, target) in enumerate(ROWS):
        for column, name in enumerate(formats):
            there = powers(frame, problem=problem, format=name, form=form, target=target)
            codes = np.array([[_code(letter) for letter in text] for text in there["profile"]])
            ax = layout.panel(figure, row, column, (-0.5, codes.shape[1] - 0.5), (len(codes) - 0.5, -0.5))
            ax.imshow(codes, cmap=COLOURS, vmin=-0.5, vmax=BLANK + 0.5, aspect="auto", interpolation="nearest")
            _marks(ax, codes)
            fmt = format_named(name)
            layout.y_ticks(ax, *_eps_ticks(list(there["eps"])))
            edges = windows[windows["format"] == name].iloc[0]["bins"].split()
            label = {"bce": "probability p", "bce_logits": "logit x"}[problem] if layout.ends(row) else ""
            layout.x_ticks(ax, *_input_ticks([float(e) for e in edges], problem), name=label)
            exponents = [-int(e.removeprefix("2^")) for e in there["eps"]]
            ax.axhline(exponents.index(fmt.precision) + 0.5, color="#000000", lw=0.8, ls=(0, (4, 2)))
            if layout.heads(row):
                layout.heading(ax, style.format_title(fmt, there.iloc[0]["exhaustive"] == "true"))
            if layout.leftmost(column):
                layout.y_label(ax, f"{form}, y = {target}\neps", 40)
    _legend(figure)
    return figure


def _code(letter: str) -> int:
    if letter == EMPTY:
        return BLANK
    return len(style.CLASSES) + LETTERS.index(letter) if letter in LETTERS else int(letter)


def _marks(ax: Axes, codes: Array) -> None:
    """Mark cells with an outcome, thinned to a grid, so that grey print tells them apart."""
    rows, columns = np.indices(codes.shape)
    shown = (rows % MARK_STEP[0] == 1) & (columns % MARK_STEP[1] == 3)
    for i, outcome in enumerate(MARKED):
        y, x = np.nonzero((codes == len(style.CLASSES) + i) & shown)
        line(ax, x, y, ls="none", marker=style.OUTCOME_LOOK[outcome][1], ms=2.6, mfc="none", mec="#000000", mew=0.6)


def _eps_ticks(names: list[str]) -> tuple[list[float], list[str]]:
    """Return places and labels of five eps."""
    at = [round(i) for i in np.linspace(0, len(names) - 1, 5)]
    return [float(i) for i in at], [_power(names[i]) for i in at]


def _input_ticks(edges: list[float], problem: str) -> tuple[list[float], list[str]]:
    """Return places and labels of the input's ends, its middle, and a power of two half way between.

    `edges` are the -log2 of the bins' lower edges, ascending in p; the first bin is p = 0.
    """
    half = len(edges) // 2
    k, last = edges[half], 2 * len(edges) + 1
    if problem == "bce_logits":
        labels = ["−∞", f"−{k * np.log(2):.3g}", "0", f"{k * np.log(2):.3g}", "∞"]
    else:
        labels = ["0", _power(f"2^-{k:.0f}"), "½", "1−" + _power(f"2^-{k:.0f}"), "1"]
    return [0.0, half + 0.5, last / 2, last - half - 0.5, float(last)], labels


def _power(text: str) -> str:
    return "2" + text.removeprefix("2^").translate(style.SUPERSCRIPT)


def _legend(figure: Figure) -> None:
    classes = style.class_handles()
    figure.legend(handles=classes, loc="lower left", bbox_to_anchor=(0.01, 0.46 / figure.get_figheight()), ncols=6,
                  frameon=False, columnspacing=1.4)  # fmt: skip
    outcomes = [Patch(fc=c, ec="#000000", lw=0.4) for c in FLAT]
    handles = [(patch, mark) for patch, mark in zip(outcomes, style.outcome_handles(MARKED))]
    labels = [style.outcome_label(o) for o in MARKED]
    figure.legend(handles=handles, labels=labels, loc="lower left", bbox_to_anchor=(0.01, 0.24 / figure.get_figheight()),
                  ncols=4, frameon=False, columnspacing=1.4)  # fmt: skip
    note = "Below the dashed line 1 − eps rounds to 1.  Both axes go by powers of two: of eps, with larger steps below, and of min(p, 1 − p)."
    figure.text(0.02, 0.14 / figure.get_figheight(), note, va="center")


# -- against eps --------------------------------------------------------------------------------


def best_curves(frames: Frames) -> Figure:
    """Draw worst error within |logit| <= 10 and largest loss against eps, for probabilities, both targets."""
    frame = frames["epsilons"]
    formats = list(dict.fromkeys(frame["format"]))
    layout = Layout(11.0, 2, len(formats), 1.9, left=0.85, right=0.25, top=0.62, bottom=1.0, gap_x=0.5, gap_y=0.5)
    figure = layout.figure("What does a smaller eps buy, and what does it cost?  Loss of a probability")
    for column, name in enumerate(formats):
        fmt = format_named(name)
        names = list(powers(frame, format=name, form="clamp", target="0", problem="bce")["eps"])
        for row, quantity in enumerate(("worst_ulp_10", "largest_loss")):
            low, high = ((-1.0, fmt.precision + 4.0), (0.0, -np.log(fmt.smallest_subnormal) * 1.02))[row]
            ax = layout.panel(figure, row, column, (-0.5, len(names) - 0.5), (low, high * 1.08))
            _curves(ax, frame, name, quantity, high)
            layout.x_ticks(ax, *_eps_ticks(names), name="eps")
            layout.y_ticks(ax, *(_ulp_ticks(fmt) if row == 0 else _loss_ticks(high)))
            ax.axvline(names.index(f"2^-{fmt.precision}") + 0.5, color="#888888", lw=0.7, ls=(0, (4, 2)))
            if layout.heads(row):
                layout.heading(ax, style.format_title(fmt, name in ("float16", "bfloat16")))
            if layout.leftmost(column):
                layout.y_label(ax, ("worst error (ulp)", "largest loss")[row], 30)
    labels = [f"{form}, y = {target}" for form, target in ROWS]
    handles = [style.line_handle(i, label) for i, label in enumerate(labels)]
    place = (0.01, 0.22 / figure.get_figheight())
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=place, ncols=4, frameon=False)
    note = (
        "Worst error within |logit| ≤ 10.  Right of the dashed line 1 − eps rounds to 1.  At the top edge: infinite.  "
        "eps goes by powers of two, with larger steps at the right."
    )
    figure.text(0.02, 0.14 / figure.get_figheight(), note, va="center")
    return figure


def _ulp_ticks(fmt: Format) -> tuple[list[float], list[str]]:
    at = [0, fmt.precision // 2, fmt.precision]
    return [float(v) for v in at], ["1", *(_power(f"2^{v}") for v in at[1:])]


def _loss_ticks(high: float) -> tuple[list[float], list[str]]:
    step = next(s for s in (5, 25, 200) if 5 * s > high)
    at = range(0, int(high) + 1, step)
    return [float(v) for v in at], [str(v) for v in at]


def _curves(ax: Axes, frame: pd.DataFrame, name: str, quantity: str, high: float) -> None:
    """Draw a curve for each form and target; infinite values at the top edge."""
    for i, (form, target) in enumerate(ROWS):
        rows = powers(frame, problem="bce", format=name, form=form, target=target)
        if quantity == "largest_loss":
            values = np.array([float.fromhex(v) for v in rows[quantity]])
        else:
            values = np.log2(np.maximum([float(v) for v in rows[quantity]], 0.5))
        colour, width, dashes = style.LINES[i]
        line(
            ax, np.arange(len(values)), np.minimum(values, high * 1.04), color=colour, lw=width, ls=dashes, zorder=3 + i
        )


DRAW = {
    "epsilons_probability": partial(heat_map, "bce"),
    "epsilons_logit": partial(heat_map, "bce_logits"),
    "epsilons_best": best_curves,
}
