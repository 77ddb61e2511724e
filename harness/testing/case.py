"""What a parametrised test checks: a problem, a format and a budget, and for budgets the function too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import UsageError
from harness.checking.report import Report
from harness.testing import budgets
from harness.testing.assertion import assert_ulp_within


@dataclass(frozen=True)
class UlpCase:
    """Hold one case of a marked test; `function` is None where the test gives it."""

    problem: str
    format: str
    max_ulp: float
    function: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    budget: budgets.Budget | None = None

    @property
    def name(self) -> str:
        """Return how pytest names the case."""
        return "-".join(filter(None, [self.function, self.problem, self.format]))

    def check(self, function: Callable[..., Any] | str | None = None) -> Report | None:
        """Assert that a function, by default the budget's, stays within; AssertionError says at which input it does not."""
        if self.budget is not None and function is None:
            budgets.assert_kept(self.budget)
            return None
        called = function if function is not None else self.function
        if called is None:
            raise UsageError("ulp_case.check needs the function to check")
        return assert_ulp_within(called, self.problem, self.format, self.max_ulp, **self.options)


def format_cases(problem: str, formats: Iterable[str], max_ulp: float = 4.0, **options: Any) -> list[UlpCase]:
    """Return a case of each format."""
    return [UlpCase(problem, name, max_ulp, options=options) for name in formats]


def budget_cases(path: Path) -> list[UlpCase]:
    """Return a case of each budget of a file; UsageError where it is not one that `harness budget` wrote."""
    return [UlpCase(b.problem, b.format, 0.0, b.function, budget=b) for b in budgets.read(path)]
