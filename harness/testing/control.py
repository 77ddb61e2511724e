"""The planted control of an assertion: a form of the problem that is known to be wrong, which the assertion must catch.

Of a problem's kernels it is the one that breaks the budget of the tables by most on a quick grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from harness.checking.engine import targets_of
from harness.kernels import Kernel, kernel_named, kernels_of
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET, largest_errors
from harness.sweep.summary import LargestErrors
from harness.truth.errors import SPURIOUS


class Void(AssertionError):
    """A check that passed and that a form known to be wrong passes too: it shows nothing."""


@cache
def control_of(problem: str, format: str) -> str | None:
    """Return the name of the worst kernel of a problem in a format; None where all stay within the tables' budget."""
    kernels = kernels_of(problem)
    if not kernels:
        return None
    of, fmt = problem_named(problem), format_named(format)
    found = {name: (failed(e, BUDGET), e.max_ulp.max()) for name, e in _largest(of, fmt, kernels, None).items()}
    worst = max(found, key=lambda name: (*found[name], name))
    return worst if found[worst][0] else None


def failed(errors: LargestErrors, budget: float) -> bool:
    """Tell whether an error exceeds a budget, an outcome is spurious, or nothing finite is known of a target."""
    spurious = any(errors.outcomes[name].any() for name in SPURIOUS)
    return spurious or bool((errors.max_ulp > budget).any()) or not errors.measured.all()


def caught(control: str, problem: str, format: str, targets: Sequence[float | str] | None, max_ulp: float) -> bool:
    """Tell whether a control's error, whatever else it does, breaks a budget in ulp on a quick grid."""
    kernel = kernel_named(problem, control)
    errors = _largest(problem_named(problem), format_named(format), [kernel], targets)[control]
    return bool((errors.max_ulp > max_ulp).any())


def _largest(
    problem: Problem, fmt: Format, kernels: Sequence[Kernel], targets: Sequence[float | str] | None
) -> dict[str, LargestErrors]:
    values = targets_of(problem, fmt, targets) if problem.has_target else None
    return largest_errors(problem, kernels, Grid("quick", problem, fmt, values), values)


def require_caught(problem: str, format: str, targets: Sequence[float | str] | None, max_ulp: float, what: str) -> None:
    """Raise Void where the problem's control, if it has one, is within a budget too; `what` says of which budget."""
    control = control_of(problem, format)
    if control is not None and not caught(control, problem, format, targets, max_ulp):
        raise Void(f"void: {control}, which is known to be wrong, {what} too")
