"""Draw a check's errors along the input: for each target the largest error of every stretch, and where outcomes are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.figures import style
from harness.figures.axes import InputAxis
from harness.figures.bins import Curve, from_summaries
from harness.figures.errors import LEAST, shown
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.summary import Summary
from harness.truth.classes import bits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = 0.03  # of the height: between one target's line of marks and the next


def draw(ax: Axes, problem: Problem, fmt: Format, summary: Summary, targets: Sequence[str], max_ulp: float) -> None:
    """Draw log2 of the largest errors on axes, a line for each target, with ticks at powers of ten and the budget."""
    axis, most = InputAxis(problem), float(bits(fmt))
    for t, target in enumerate(targets):
        curve = from_summaries(problem, fmt, [summary], t)
        look = f"C{t % 10}"
        ax.plot(curve.at, shown(curve.top, fmt), color=look, lw=1.2, label=f"y = {target}" if target else None)
        _mark(ax, curve, most * (1 + MARKS * (1 + t)), look, last=t == len(targets) - 1)
    ax.axhline(float(np.log2(max_ulp)), color="#888888", lw=0.8, ls=":", label=f"budget, {max_ulp:g} ulp")
    ax.axhline(most, **style.NO_BIT_RIGHT, label="no bit right")
    at, labels = axis.ticks(wide=True)
    ax.set_xticks(at, labels)
    ax.set_xlim(*axis.limits)
    ax.set_ylim(LEAST, most * (1 + MARKS * (2 + len(targets))))
    powers = range(0, int(most * np.log10(2.0)) + 1, max(1, round(most / 10)))
    ax.set_yticks([p / np.log10(2.0) for p in powers], [style.power_label(p) for p in powers])
    ax.set_xlabel(axis.label)
    ax.set_ylabel("largest error (ulp)")
    ax.legend(fontsize="small", frameon=False, ncols=2)


def _mark(ax: Axes, curve: Curve, height: float, colour: str, last: bool) -> None:
    """Mark where a target's outcomes are, above the highest error; the key names them once."""
    for name in curve.occurring:
        label, marker = style.OUTCOME_LOOK[name][:2]
        at = curve.at[curve.outcomes[name]]
        ax.plot(
            at,
            np.full(len(at), height),
            ls="none",
            marker=marker,
            ms=3,
            mfc="none",
            mec=colour,
            label=label if last else None,
        )
