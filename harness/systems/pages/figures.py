"""Figures that put real libraries side by side: largest errors where models work, and plateaus."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures import style
from harness.figures.apart import only
from harness.figures.heatmap import ROW, Tile, TileLook, draw_tiles, outcome_legend
from harness.figures.layout import Layout, line
from harness.figures.plateaus import Linear, Logarithmic, departed, plateau_legend
from harness.numbers.formats import format_named
from harness.systems.pages import FIGURES
from harness.systems.pages.known import swept
from harness.systems.pages.probes import Returned
from harness.systems.registry import differentiated, is_gradient, libraries, library_named, system_of, systems_of
from harness.tables.rows import Row
from harness.truth.errors import SPURIOUS

FORMATS = ("float16", "bfloat16", "float32", "float64")
OF_LOGITS, OF_PROBABILITIES, PLATEAUS = FIGURES
# The loss of each figure; its gradient stands beside it.
LOSSES = {OF_LOGITS: "bce_logits", OF_PROBABILITIES: "bce"}
TITLES = {
    OF_LOGITS: "Which library's loss from a logit can be trusted where |x| ≤ 20?",
    OF_PROBABILITIES: "Which library's loss from a probability can be trusted where the logit is within ±20?",
}
LOOK = TileLook(number_at=-0.43, mark_at=0.39, mark_step=0.12, mark_size=2.9, font_size=7.0, no_bit="")
TICKS = (0.0, 20.0, 40.0, 60.0)


def draw(rows: Sequence[Row], returned: Sequence[Returned], out: Path) -> list[Path]:
    """Draw every figure of the systems, as PNG, SVG and PDF; return the files."""
    written: list[Path] = []
    with style.context():
        for name, loss in LOSSES.items():
            written += style.save(worst_figure(rows, loss, TITLES[name]), out, name)
        written += style.save(plateau_figure(returned), out, PLATEAUS)
    return written


# -- largest errors -----------------------------------------------------------------------------

Key = tuple[str, str]  # library and call


def worst_figure(rows: Sequence[Row], loss: str, title: str, formats: Sequence[str] = FORMATS) -> Figure:
    """Draw a table of colours and numbers: calls x formats, for loss and gradient and each hard target."""
    problems = (loss, differentiated(loss))
    mine = [r for r in rows if r["problem"] in problems and not r["label_smoothing"]]
    keys = list(dict.fromkeys((str(r["library"]), str(r["system"])) for r in mine))
    tall = max(1, len(keys))  # an empty table still has its figure
    layout = Layout(13.0, 1, 4, tall * ROW, left=4.35, right=0.1, top=0.88, bottom=0.78, gap_x=0.15, gap_y=0,
                    least=max(0.75, len(formats) * 0.36))  # fmt: skip
    figure = layout.figure(title)
    panels = [(p, t) for p in problems for t in ("0", "1")]
    for column, (problem, target) in enumerate(panels):
        ax = layout.panel(figure, 0, column, (-0.5, len(formats) - 0.5), (tall - 0.5, -0.5))
        what = "gradient" if is_gradient(problem) else "loss"
        _headings(ax, layout, f"{what}, y = {target}", mine, formats)
        if keys:
            there = [r for r in mine if r["problem"] == problem and r["target"] == target]
            draw_tiles(ax, (tall, len(formats)), _tiles(keys, there, formats), LOOK)
        ax.hlines(_edges(keys), *ax.get_xlim(), color="#000000", lw=0.8)
        if layout.leftmost(column):
            layout.y_ticks(ax, range(len(keys)), [_label(k) for k in keys], size=0)
    _worst_legend(figure, any(map(swept, mine)))
    return figure


def _headings(ax: Axes, layout: Layout, title: str, rows: Sequence[Row], formats: Sequence[str]) -> None:
    """Write a panel's title, and above each column its format and whether every input was visited."""
    ax.text(0.5, 1 + layout.points_up(27), title, transform=ax.transAxes, ha="center", weight="bold")
    place, up = ax.get_xaxis_transform(), 1 + layout.points_up(3)
    for i, name in enumerate(formats):
        kind = "all inputs" if format_named(name).bits <= 16 and _exhaustive(rows, name) else "≥, sample"
        ax.text(i, up, f"{name}\n{kind}", transform=place, ha="center", va="bottom", fontsize=6.5)


def _exhaustive(rows: Sequence[Row], fmt: str) -> bool:
    return all(r["exhaustive"] in (True, "true") for r in rows if r["format"] == fmt)


def _label(key: Key) -> str:
    library, name = library_named(key[0]), key[1]
    where = "source" if library.source_only else library.backend
    return f"{name}  [{where}]" if where else name


def _edges(keys: Sequence[Key]) -> list[float]:
    """Return between which rows one library ends and the next begins."""
    return [i - 0.5 for i in range(1, len(keys)) if keys[i][0] != keys[i - 1][0]]


def _tiles(keys: Sequence[Key], rows: Sequence[Row], formats: Sequence[str]) -> Iterator[Tile]:
    """Yield a tile for every call and format: the worst over the modes, with every outcome that any of them has."""
    for i, key in enumerate(keys):
        for j, name in enumerate(formats):
            there = [r for r in rows if (r["library"], r["system"]) == key and r["format"] == name]
            ulp = max((float(str(r["near_ulp"])) for r in there if r["near_ulp"] != ""), default=math.nan)
            outcomes = [o for o in SPURIOUS if any(int(str(r[f"near_{o}"] or 0)) for r in there)]
            refused = any(int(str(r["refused"] or 0)) for r in there)
            # The largest of several modes stands out where it is that of every input, and not of a sample.
            every = any(swept(r) and float(str(r["near_ulp"])) == ulp for r in there)
            yield Tile(i, j, format_named(name), ulp, outcomes, "refused" if refused else "", every)


def _worst_legend(figure: Figure, bold: bool) -> None:
    outcome_legend(figure)
    place = (0.01, 0.2 / figure.get_figheight())
    figure.legend(handles=style.class_handles(), loc="lower left", bbox_to_anchor=place, ncols=6, frameon=False,
                  columnspacing=1.4)  # fmt: skip
    note = (
        "Numbers: largest error in ulp, the worst over all modes; –: not measured.  Marks: outcomes in the same range."
    )
    figure.text(0.015, 0.56 / figure.get_figheight(), note, va="center")
    if bold:
        told = "Bold: over every float32 input, in the mode that runs by default."
        figure.text(0.5, 0.16 / figure.get_figheight(), told, va="center", weight="bold")


# -- plateaus -----------------------------------------------------------------------------------


def plateau_figure(returned: Sequence[Returned], formats: Sequence[str] = FORMATS) -> Figure:
    """Draw loss and gradient against the logit, as the default calls return them: rows loss and gradient by target."""
    layout = Layout(13.0, 4, len(formats), 1.6, left=0.8, right=3.0, top=0.62, bottom=0.85, gap_x=0.4, gap_y=0.42)
    figure = layout.figure(
        "What do the calls that introductions show return for a wrong prediction, run as they run by default?"
    )
    loss = LOSSES[OF_LOGITS]
    rows, calls = [(p, t) for p in (loss, differentiated(loss)) for t in ("0", "1")], _calls_by_default(returned)
    shown: set[int] = set()
    outcomes: set[str] = set()
    for i, (problem, target) in enumerate(rows):
        gradient = is_gradient(problem)
        axis = Logarithmic(-40, 10, (-40, -20, 0)) if gradient else Linear(112.0)
        for j, fmt in enumerate(formats):
            sign = 1 if target == "0" else -1
            across = (-20.0, 62.0) if target == "0" else (-62.0, 20.0)
            ax = layout.panel(figure, i, j, across, axis.limits(len(calls) // 2))
            layout.x_ticks(
                ax,
                [sign * v for v in TICKS],
                [f"{sign * v + 0.0:.0f}".replace("-", "−") for v in TICKS],
                name="logit x",
            )
            layout.y_ticks(ax, *axis.ticks())
            found = _curves(ax, axis, [_returned(there, fmt, problem, target) for there in calls.values()])
            shown, outcomes = shown | found[0], outcomes | found[1]
            if layout.heads(i):
                layout.heading(ax, f"{fmt} (p = {format_named(fmt).precision})")
            if layout.leftmost(j):
                layout.y_label(ax, f"{'|gradient|' if gradient else 'loss'}, y = {target}", 44, "bold")
    named = [(i % len(style.LINES), _break(call)) for i, call in enumerate(calls) if i in shown]
    exact = [_break(call) for i, call in enumerate(calls) if i not in shown and calls[call]]
    plateau_legend(figure, layout, named, exact, outcomes, spacing=0.8)
    return figure


def _calls_by_default(returned: Sequence[Returned]) -> dict[Key, list[Returned]]:
    """Return what the calls that adapters mark as default returned, by call, in the order of the libraries."""
    found: dict[Key, list[Returned]] = {}
    for library in libraries():
        for system in systems_of(library.name):
            if system.by_default:
                found.setdefault((library.name, system.name), [])
    for one in returned:
        if system_of(one.row).by_default:
            found[str(one.row["library"]), str(one.row["system"])].append(one)
    return found


def _returned(there: Sequence[Returned], fmt: str, problem: str, target: str) -> Returned | None:
    wanted = {"problem": problem, "format": fmt, "target": target}
    return next((r for r in there if all(r.row[c] == v for c, v in wanted.items())), None)


def _curves(ax: Axes, axis: Linear | Logarithmic, found: Sequence[Returned | None]) -> tuple[set[int], set[str]]:
    """Draw the exact values, and each default call that answered where it is away from them; marks for NaN and infinity.

    Return which calls are drawn or marked, and which outcomes.
    """
    there = [(i, a) for i, a in enumerate(found) if a is not None]
    if isinstance(axis, Logarithmic):
        ax.axhline(axis.edge, color="#888888", lw=0.5)
    if there:
        first = there[0][1]
        line(ax, first.x, axis.place(first.exact), color=style.TRUTH, lw=7, solid_capstyle="butt", zorder=1)
    shown: set[int] = set()
    outcomes: set[str] = set()
    marked = 0
    for i, a in there:
        colour, width, dashes = style.LINES[i % len(style.LINES)]
        height = axis.place(a.value)
        apart = departed(axis, height, axis.place(a.exact), a.value)
        look = {"color": colour, "lw": width, "ls": dashes, "zorder": 3 + i, "solid_capstyle": "butt"}
        line(ax, a.x, only(height, apart), **look)
        spurious = ~np.isfinite(a.value) & np.isfinite(a.rounded)
        if apart.any() or spurious.any():
            shown.add(i)
        up = axis.first_line + marked * axis.line
        marked += bool(spurious.any())
        for outcome, kind in (("spurious_nan", np.isnan), ("spurious_inf", np.isinf)):
            where = spurious & kind(a.value)
            style.marks(ax, outcome, a.x[where], up, colour, outcome)
            outcomes |= {outcome} if where.any() else set()
    return shown, outcomes


def _break(call: Key) -> str:
    """Write a call on two or three lines."""
    library, name = call
    return f"{name.removeprefix('torch.nn.functional.').replace(' + ', chr(10) + '+ ')}\n({library})"
