"""Turn summaries into the rows of a table: the contract's columns, every extreme certified.

The sweep says where the extremes are; here each is computed again, the kernel at that one input
and the truth in mpmath, confirmed by Arb where that is installed, and safe ranges are bisected to the last input within the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mpmath
import numpy as np
from mpmath import mp

from harness.explain import explain
from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET
from harness.sweep.summary import NO_BAD_ABOVE, NO_BAD_BELOW, Summary
from harness.sweep.tally import bad_points
from harness.truth.arb import cited
from harness.truth.certified import decimal, error_in_ulp, significant
from harness.truth.errors import RELATIVE_LIMIT, Errors, measure
from harness.truth.fast import evaluate

CONTRACT = (
    "problem", "kernel", "format", "target", "grid", "points", "exhaustive",
    "max_ulp", "max_ulp_input", "max_ulp_computed", "max_ulp_exact",
    "mean_ulp", "max_rel", "max_abs", "correctly_rounded",
    "spurious_nan", "spurious_inf", "spurious_zero", "wrong_sign",
    "safe_lo", "safe_hi",
)  # fmt: skip
FURTHER = (
    "capped", "max_rel_input", "max_abs_input",
    "bias_ulp", "rounding_ulp", "cause", "operation", "reason", "remedy",
)  # fmt: skip
COLUMNS = CONTRACT + FURTHER
EXACT_DIGITS = 25
SECTIONS = 257  # points of one step of the search for a boundary

Call = Callable[..., np.ndarray]
Row = dict[str, object]


@dataclass(frozen=True)
class Case:
    """One kernel, format and target: what a row is about."""

    problem: Problem
    name: str
    function: Call
    grid: Grid
    target: np.generic | None

    @property
    def fmt(self) -> Format:
        """Return the working format."""
        return self.grid.fmt

    def compute(self, ordinals: np.ndarray) -> np.ndarray:
        """Run the kernel on inputs given by their ordinals; shape (n,)."""
        inputs = self._inputs(ordinals)
        with np.errstate(all="ignore"):
            return np.broadcast_to(self.function(*inputs), inputs[0].shape)[0]

    def exact(self, ordinal: int) -> mpmath.mpf:
        """Return the truth at one input, by both oracles."""
        values = [self.fmt.from_ordinal(np.array([ordinal]))[0]]
        if self.target is not None:
            values.append(self.target)
        return cited(self.problem, tuple(mp.mpf(float(v)) for v in values))

    def errors(self, ordinals: np.ndarray) -> Errors:
        """Measure the kernel at inputs given by their ordinals; arrays of shape (1, n)."""
        with np.errstate(all="ignore"):
            exact = evaluate(self.problem, self.fmt, *self._inputs(ordinals))
            return measure(self.compute(ordinals)[None, :], exact, self.problem.nonnegative)

    def bad(self, ordinals: np.ndarray, budget: float) -> np.ndarray:
        """Tell where an ulp error exceeds the budget or an outcome is spurious; shape (n,)."""
        return bad_points(self.errors(ordinals), 0, slice(None), budget)

    def _inputs(self, ordinals: np.ndarray) -> tuple[np.ndarray, ...]:
        x = self.fmt.from_ordinal(ordinals)[None, :]
        return (x,) if self.target is None else (x, np.full((1, 1), self.target))


def rows_of(
    problem: Problem, kernel: Kernel, grid: Grid, targets: np.ndarray | None, summary: Summary, budget: float = BUDGET
) -> list[Row]:
    """Return the rows of one kernel's summary, one for each target."""
    chosen = [None] if targets is None else list(targets)
    return [
        row(Case(problem, kernel.name, kernel, grid, target), summary, t, budget) for t, target in enumerate(chosen)
    ]


def row(case: Case, summary: Summary, t: int, budget: float = BUDGET) -> Row:
    """Return one row: counts from the summary, extremes computed again, safe range bisected."""
    points = int(summary.points.sum())
    counts = {name: int(m[t].sum()) for name, m in summary.outcomes.items()}
    found = {
        "problem": case.problem.name,
        "kernel": case.name,
        "format": case.fmt.name,
        "target": "" if case.target is None else case.fmt.short(case.target),
        "grid": case.grid.name,
        "points": points,
        "exhaustive": case.grid.exhaustive,
        **extremes(case, summary, t, budget),
        "mean_ulp": significant(summary.mean_ulp(t)),
        "correctly_rounded": significant(int(summary.correctly_rounded[t]) / points),
        **counts,
        **safe_range(case, int(summary.bad_below[t]), int(summary.bad_above[t]), budget),
    }
    return {column: found[column] for column in COLUMNS}


def extremes(case: Case, summary: Summary, t: int, budget: float = BUDGET) -> Row:
    """Return the maxima with their inputs, computed again in mpmath; empty where nothing was finite."""
    if not summary.measured[t]:
        return dict.fromkeys([*COLUMNS[7:11], "max_rel", "max_abs", *FURTHER[1:]], "")
    relative_at, absolute_at = (int(summary.extreme_at[name][t]) for name in ("max_rel", "max_abs"))
    worst_at = int(summary.max_ulp_at[t, int(np.argmax(summary.max_ulp[t]))])
    return {
        **certified_extreme(case, worst_at),
        **why(case, telling_input(summary, t, worst_at, budget)),
        "max_rel": significant(difference(case, relative_at, relative=True)),
        "max_rel_input": _hex(case.fmt, relative_at),
        "max_abs": significant(difference(case, absolute_at, relative=False)),
        "max_abs_input": _hex(case.fmt, absolute_at),
    }


def certified_extreme(case: Case, ordinal: int) -> Row:
    """Return the ulp error at one input, with the input, the computed and the exact value."""
    computed, exact = case.compute(np.array([ordinal]))[0], case.exact(ordinal)
    return {
        "max_ulp": significant(error_in_ulp(case.fmt, computed, exact)),
        "max_ulp_input": _hex(case.fmt, ordinal),
        "max_ulp_computed": case.fmt.hex(computed),
        "max_ulp_exact": decimal(exact, EXACT_DIGITS),
    }


def telling_input(summary: Summary, t: int, worst_at: int, budget: float) -> int:
    """Return which input to explain: the worst, or where that is within the budget, a spurious one."""
    if summary.max_ulp[t].max() <= budget:
        if summary.bad_above[t] != NO_BAD_ABOVE:
            return int(summary.bad_above[t])
        if summary.bad_below[t] != NO_BAD_BELOW:
            return int(summary.bad_below[t])
    return worst_at


def why(case: Case, ordinal: int) -> Row:
    """Return the parts of the error at one input, the operation that causes it, and the form that avoids it.

    Empty for a system, whose recorded outputs cannot be traced.
    """
    if not isinstance(case.function, Kernel):
        return dict.fromkeys(FURTHER[3:], "")
    x = case.fmt.from_ordinal(np.array([ordinal]))[0]
    found = explain(case.function, case.problem, case.fmt, x, case.target)
    return {
        "bias_ulp": significant(found.bias_ulp),
        "rounding_ulp": significant(found.rounding_ulp),
        "cause": found.cause,
        "operation": found.operation,
        "reason": found.reason,
        "remedy": found.remedy or "",
    }


def difference(case: Case, ordinal: int, relative: bool) -> mpmath.mpf:
    """Return the absolute or relative error at one input, in mpmath; beyond 2^700 relative is infinite."""
    computed, exact = case.compute(np.array([ordinal]))[0], case.exact(ordinal)
    with mp.workprec(400):
        difference = abs(mp.mpf(float(computed)) - exact)
        if not relative or not difference:
            return difference
        ratio = difference / abs(exact) if exact else mp.inf
        return ratio if ratio <= RELATIVE_LIMIT else mp.inf


def safe_range(case: Case, bad_below: int, bad_above: int, budget: float) -> Row:
    """Return safe_lo and safe_hi, the ends of the inputs around the centre that keep the budget.

    On a sampled grid the boundary lies between the bad input nearest to the centre and the good
    sample before it; it is found by repeated division, each time at the first bad point.
    Both are empty where the centre itself is bad.
    """
    grid = case.grid
    lo, hi = grid.start, grid.stop - 1
    if bad_below != NO_BAD_BELOW:
        lo = _boundary(case, bad_below, grid.centre, budget) + 1
    if bad_above != NO_BAD_ABOVE:
        hi = _boundary(case, bad_above, grid.centre, budget) - 1
    if lo > grid.centre or hi < grid.centre:
        return {"safe_lo": "", "safe_hi": ""}
    return {"safe_lo": _hex(case.fmt, lo), "safe_hi": _hex(case.fmt, hi)}


def _boundary(case: Case, bad: int, centre: int, budget: float) -> int:
    """Return the bad input found nearest to the centre, its neighbour towards the centre being good."""
    towards = 1 if bad < centre else -1
    if case.grid.exhaustive or bad == centre:
        return bad
    good = case.grid.neighbour(bad, towards)
    while abs(bad - good) > 1:
        steps = np.unique(np.linspace(0, abs(bad - good), SECTIONS).astype(np.int64))
        line = good - towards * steps
        wrong = case.bad(line, budget)
        wrong[0], wrong[-1] = False, True
        first = int(np.argmax(wrong))
        good, bad = int(line[first - 1]), int(line[first])
    return bad


def _hex(fmt: Format, ordinal: int) -> str:
    return fmt.hex(fmt.from_ordinal(np.array([ordinal]))[0])
