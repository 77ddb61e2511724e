"""Assert that a function stays within a budget in ulp: measured by the engine of `harness check`, told in one message.

The message of a failure has the verdict with its reason, the worst input in hex, and whether the comparison with a
tolerance that is usual in test suites would have noticed it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mpmath import mp

from harness import UsageError
from harness.checking.engine import check
from harness.checking.report import Report
from harness.tables.rows import Row
from harness.testing.control import control_of, require_caught

# What torch.testing.assert_close allows by default: relative and absolute tolerance of each format.
USUAL_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
}


def assert_ulp_within(
    function: Callable[..., Any] | str,
    problem: str,
    format: str,
    max_ulp: float = 4.0,
    *,
    targets: Iterable[float | str] | None = None,
    grid: str = "standard",
    weights: Mapping[str, float] | str | None = None,
    **options: Any,
) -> Report:
    """Raise AssertionError unless a function's errors stay within `max_ulp` ulp with no spurious outcome.

    Arguments are those of `harness.check`, `options` its others.  Returns the report.  Raises Void where the planted
    control is not caught: the worst form that is known of the problem, with its own error, passes the same budget.
    """
    targets = None if targets is None else tuple(targets)
    report = check(function, problem, format, targets=targets, grid=grid, max_ulp=max_ulp, weights=weights, **options)
    if not report.passed:
        raise AssertionError(failure(report))
    if control_of(problem, format) is None:
        raise UsageError(
            f"{problem} has no form that is known to be wrong in {format}: nothing can show that a check works"
        )
    require_caught(problem, format, targets, max_ulp, f"is within {max_ulp:g} ulp of {problem} in {format}")
    return report


def failure(report: Report) -> str:
    """Return what a failed assertion says: verdicts of the rows over the budget, and what a tolerance would have seen."""
    lines = [line for line in report.verdict.splitlines() if line.startswith("FAIL")]
    seen = [noticed(row) for row in report.failing]
    return "\n".join([*lines, *dict.fromkeys(filter(None, seen))])


def noticed(row: Row) -> str:
    """Say whether |computed - exact| <= atol + rtol |exact| holds at a row's worst input, by torch's tolerances.

    Nothing where nothing finite was measured or the format has no usual tolerance.
    """
    if row["max_ulp"] == "" or row["format"] not in USUAL_TOLERANCES:
        return ""
    rtol, atol = USUAL_TOLERANCES[str(row["format"])]
    computed, exact = mp.mpf(float.fromhex(str(row["max_ulp_computed"]))), mp.mpf(str(row["max_ulp_exact"]))
    within = abs(computed - exact) <= atol + rtol * abs(exact)
    would = "would not have noticed" if within else "would have noticed"
    return f"allclose with rtol {rtol:g} and atol {atol:g} {would} at {row['max_ulp_input']}."
