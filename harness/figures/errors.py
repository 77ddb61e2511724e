"""Error against the input: a row of panels for each family of kernels, a column for each format.

Kernels whose errors coincide are drawn once and named together; the first of a row is drawn whole, the others where
they are away from it (apart.py); outcomes are marked above the highest error.
Behind them a tinted band is the usual range (tables/usual.py), which is to be read first, and a grey area ends at the
condition envelope: what lies above it is the kernel's own doing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.figures import style
from harness.figures.apart import away, only
from harness.figures.axes import InputAxis
from harness.figures.bins import STEPS, Curve
from harness.figures.catalogue import Family, Plan
from harness.figures.curves import ErrorCurves
from harness.figures.envelope import envelope
from harness.figures.layout import Layout, key_height, line
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.tables import usual
from harness.truth.classes import bits
from harness.truth.errors import OUTCOMES

Array = np.ndarray

LEAST = -4.0  # log2 of the smallest error shown, 2^-4 ulp
ALIKE = 1.0  # curves no farther apart than a factor of 2 in error, log2, are one
NOTE = 30  # characters of a legend line
ROW, ALL_ROWS = 1.5, 6.3  # inches: most of one row, and of all


def error_figure(plan: Plan, drawn: ErrorCurves) -> Figure:
    """Draw a plan of kind `errors`: a row of panels for each family, a column for each format, and a key."""
    several = len({f.problem.name for f in plan.families}) > 1
    rows = [FamilyRow(family, plan.target, drawn) for family in plan.families]
    gap = 0.26 if several else 0.16
    height = max(min(ROW, ALL_ROWS / len(rows)), *(key_height(r.entries()) - gap for r in rows))
    layout = Layout(
        11.0, len(rows), len(drawn.formats), height, left=0.62, right=2.25, top=0.62, bottom=0.95, gap_x=0.36, gap_y=gap,
    )  # fmt: skip
    figure = layout.figure(plan.title)
    for row, panels in enumerate(rows):
        # Rows of one problem share their inputs; those of several problems name their own.
        for column, fmt in enumerate(drawn.formats):
            ax = panels.panel(figure, layout, row, column, several or layout.ends(row), layout.ends(row))
            if layout.heads(row):
                layout.heading(ax, style.format_title(fmt, drawn.exhaustive(fmt)))
            if layout.leftmost(column):
                layout.y_label(ax, "error (ulp)", 36)
        layout.key(ax, panels.family.title, panels.entries())
    if any(len(r.style_of) > 1 for r in rows):
        _how_drawn(figure, layout)
    banded = list(dict.fromkeys(usual.range_text(f.problem) for f in plan.families))
    occurred: set[str] = set().union(*(r.outcomes for r in rows))
    _legend(figure, [o for o in OUTCOMES if o in occurred], [text for text in banded if text])
    return figure


def _how_drawn(figure: Figure, layout: Layout) -> None:
    """Say above the keys that only the first of a row is drawn whole."""
    x, y = 1 - (layout.right - 0.11) / layout.width, 1 - (layout.top - 0.14) / layout.height
    figure.text(
        x, y, "The first of a row is drawn whole,\nthe others where they differ from it.", va="bottom", fontsize=7
    )


class FamilyRow:
    """Hold the curves of one family in every format, and draw its panels.

    `twins` maps each kernel of a format to the first whose curve is alike; only that is drawn.
    """

    def __init__(self, family: Family, target: str | None, drawn: ErrorCurves):
        self.family, self.target, self.formats = family, target, drawn.formats
        self.names = [k.name for k in family.kernels]
        self.curves = {
            f.name: {n: drawn.curve(family.problem, n, f, target) for n in self.names} for f in drawn.formats
        }
        self.twins = {f.name: twins_of(self.curves[f.name], f) for f in drawn.formats}
        own = [n for n in self.names if any(t[n] == n for t in self.twins.values())]
        self.style_of = {n: i for i, n in enumerate(own)}
        found = {n: {o for c in self.curves.values() for o in c[n].occurring} for n in own}
        self.outcomes: set[str] = set().union(*found.values())
        # Kernels with outcomes each have a line of marks above the highest error.
        self.marked = [n for n in own if found[n]]

    def panel(self, figure: Figure, layout: Layout, row: int, column: int, ticks: bool, last: bool) -> Axes:
        """Draw one format's curves in log2 ulp against the input, with guides, ticks and marks of outcomes above."""
        fmt, axis = self.formats[column], InputAxis(self.family.problem)
        most = bits(fmt)
        step = 0.1 * (most - LEAST)
        ylim = (LEAST - 0.03 * most, most + step * (len(self.marked) + 0.6))
        ax = layout.panel(figure, row, column, axis.limits, ylim)
        _background(ax, self.family.problem, self.target, fmt, axis)
        _guides(ax, layout, fmt)
        at, labels = axis.ticks(wide=False)
        layout.x_ticks(ax, at, labels if ticks else (), axis.minor_ticks(), axis.label if last else "")
        first = self.curves[fmt.name][self.names[0]]
        for name in self.style_of:
            if self.twins[fmt.name][name] == name:
                curve = self.curves[fmt.name][name]
                _draw(ax, curve, None if curve is first else first, self.style_of[name], fmt, axis)
                for outcome in OUTCOMES if name in self.marked else ():
                    height = most + step * (self.marked.index(name) + 0.6)
                    colour = style.LINES[self.style_of[name]][0]
                    style.marks(ax, outcome, curve.at[curve.outcomes[outcome]], height, colour, f"{name} {outcome}")
        return ax

    def entries(self) -> list[tuple[tuple | None, str]]:
        """Return what the key says of the curves: how each is drawn, and which kernels it stands for."""
        labels = legend_labels(self.names, self.twins)
        # A kernel that has other twins in other formats has no line of its own.
        lines = {n: style.LINES[i] for n, i in self.style_of.items()}
        return [(lines.get(n), label) for n, label in labels.items()]


def twins_of(curves: dict[str, Curve], fmt: Format) -> dict[str, str]:
    """Map each kernel to the first one whose curve is alike, itself if it is the first."""
    found: dict[str, str] = {}
    for name, curve in curves.items():
        found[name] = next((o for o in found if found[o] == o and alike(curve, curves[o], fmt)), name)
    return found


def alike(a: Curve, b: Curve, fmt: Format) -> bool:
    """Tell whether two curves have the same outcomes, and errors as drawn no farther apart than a factor of two."""
    same = np.array_equal(a.at, b.at) and all(np.array_equal(a.outcomes[o], b.outcomes[o]) for o in OUTCOMES)
    return same and not away(shown(a.top, fmt), shown(b.top, fmt), ALIKE).any()


def legend_labels(names: Sequence[str], twins: dict[str, dict[str, str]]) -> dict[str, str]:
    """Name each curve with the kernels that it stands for: in every format, or in the formats listed."""
    ends = [i for i, c in enumerate(names[0], 1) if c == "_" and all(n.startswith(names[0][:i]) for n in names)]
    shared = max(ends, default=0)
    labels: dict[str, str] = {}
    for name in names:
        of = {f: t[name] for f, t in twins.items()}
        first = next(iter(of.values()))
        if first != name and set(of.values()) == {first}:
            labels[first] += f",\n{name}"
            continue
        labels[name] = name
        for other in dict.fromkeys(o for o in of.values() if o != name):
            short = "…" + other[shared:] if shared else other
            note = f"= {short} in {_formats([f for f, o in of.items() if o == other], list(of))}"
            labels[name] += "\n" + textwrap.fill(note, NOTE, subsequent_indent="   ")
    return labels


def _formats(some: list[str], every: list[str]) -> str:
    left_out = [f for f in every if f not in some]
    return f"all but {left_out[0]}" if len(left_out) == 1 and len(some) > 1 else ", ".join(some)


def _background(ax: Axes, problem: Problem, target: str | None, fmt: Format, axis: InputAxis) -> None:
    """Draw the usual range, where not all inputs are usual, and the area under the condition envelope."""
    if usual.range_text(problem):
        ends = fmt.from_ordinal(np.array(usual.usual_range(problem, fmt))).astype(np.float64)
        ax.axvspan(*axis.positions(ends, fmt), zorder=-2, label="usual range", **style.USUAL)
    at, ulp = envelope(problem, target)
    if problem.input == "probability":  # no further than the format has probabilities
        least, most = axis.positions(np.array([fmt.smallest_subnormal, fmt.next_down(1.0)]), fmt)
        at, ulp = at[(at >= least) & (at <= most)], ulp[(at >= least) & (at <= most)]
    height = shown(ulp, fmt)
    ax.fill_between(at, ax.get_ylim()[0], height, zorder=-1, **style.ENVELOPE_AREA)
    line(ax, at, height, zorder=1, label="condition envelope", **style.ENVELOPE)


def _guides(ax: Axes, layout: Layout, fmt: Format) -> None:
    """Draw the ticks of log2 error at powers of ten, and the line above which no bit is right."""
    most = bits(fmt)
    top = int(most * np.log10(2.0))
    exponents = range(0, top + 1, max(1, round(top / 3)))
    at = [e / np.log10(2.0) for e in exponents]
    layout.y_ticks(ax, at, [style.power_label(e) for e in exponents])
    lo, hi = ax.get_xlim()
    line(ax, [lo, hi, np.nan] * len(at), np.repeat(at, 3), color="#DDDDDD", lw=0.5, zorder=0)
    ax.axhline(most, **style.NO_BIT_RIGHT, zorder=1)


def _draw(ax: Axes, curve: Curve, first: Curve | None, i: int, fmt: Format, axis: InputAxis) -> None:
    """Draw a curve, and its median thin: whole, or where it is away from the first of the panel."""
    colour, width, dashes = style.LINES[i]
    at, top, median = _parted(curve, axis)
    top, median = shown(top, fmt), shown(median, fmt)
    if first is not None and np.array_equal(first.at, curve.at):
        drawn = away(top, shown(_parted(first, axis)[1], fmt), ALIKE / 2)
        top, median = only(top, drawn), only(median, drawn)
    line(ax, at, top, color=colour, lw=width, ls=dashes, zorder=3 + i, solid_capstyle="butt")
    line(ax, at, median, color=colour, lw=0.6, alpha=0.75, zorder=2)


def _parted(curve: Curve, axis: InputAxis) -> tuple[Array, Array, Array]:
    """Return position, largest and median error, broken where the format has no input.

    A lone point, such as p = 0, gets a width.
    """
    lo, hi = axis.limits
    step = (hi - lo) / STEPS
    gap = 5 * step if axis.problem.input == "probability" else np.inf
    far = np.flatnonzero(np.diff(curve.at) > gap) + 1
    pieces: list[Array] = []
    for part in np.split(np.arange(len(curve.at)), far):
        at = curve.at[part] if len(part) > 1 else curve.at[part] + np.array([-2, 2]) * step
        rows = np.broadcast_to([curve.top[part], curve.median[part]], (2, len(at)))
        pieces += [np.vstack([at, rows]), np.full((3, 1), np.nan)]
    return tuple(np.hstack(pieces))  # type: ignore[return-value]


def shown(ulp: Array, fmt: Format) -> Array:
    """Return log2 of errors, held between 2^-4 ulp and where no bit is right."""
    with np.errstate(divide="ignore"):
        return np.clip(np.log2(ulp), LEAST, bits(fmt))


def _legend(figure: Figure, outcomes: list[str], usual_ranges: list[str]) -> None:
    """Say what lines, areas and marks mean, in two rows."""
    grey = "#444444"
    handles = [
        Line2D([], [], color=grey, lw=2.2, label="largest error of each cell"),
        Line2D([], [], color=grey, lw=0.6, label="median of each cell"),
        style.no_bit_handle(),
        style.envelope_handle(),
        *(style.usual_handle(text) for text in usual_ranges),
        *style.outcome_handles(outcomes),
    ]
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.03, 0.0), ncols=(len(handles) + 1) // 2, frameon=False,
        columnspacing=1.3, handletextpad=0.4,
    )  # fmt: skip
