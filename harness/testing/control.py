"""The planted control of an assertion: a form of the problem that is known to be wrong, which the assertion must catch.

Of a problem's kernels it is the one that breaks the budget of the tables by most on a quick grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from mpmath import mp

from harness.checking.engine import check
from harness.checking.judge import over
from harness.kernels import kernels_of
from harness.sweep.streaming import BUDGET


class Void(AssertionError):
    """A check that passed and that a form known to be wrong passes too: it shows nothing."""


@cache
def control_of(problem: str, format: str) -> str | None:
    """Return the name of the worst kernel of a problem in a format; None where all stay within the tables' budget."""
    worst: tuple[bool, mp.mpf, str] | None = None
    for kernel in kernels_of(problem):
        for row in check(kernel.name, problem, format, grid="quick").rows:
            error = mp.mpf(str(row["max_ulp"])) if row["max_ulp"] != "" else mp.inf
            found = over(row, BUDGET), error, kernel.name
            worst = max(worst, found) if worst else found
    return worst[2] if worst and worst[0] else None


def caught(control: str, problem: str, format: str, targets: Sequence[float | str] | None, max_ulp: float) -> bool:
    """Tell whether a control's error, whatever else it does, breaks a budget in ulp on a quick grid."""
    rows = check(control, problem, format, targets=targets, grid="quick").rows
    return any(mp.mpf(str(row["max_ulp"])) > max_ulp for row in rows if row["max_ulp"] != "")


def require_caught(problem: str, format: str, targets: Sequence[float | str] | None, max_ulp: float, what: str) -> None:
    """Raise Void where the problem's control, if it has one, is within a budget too; `what` says of which budget."""
    control = control_of(problem, format)
    if control is not None and not caught(control, problem, format, targets, max_ulp):
        raise Void(f"void: {control}, which is known to be wrong, {what} too")
