"""The rows of a table: what a summary says of one kernel, format and target, in the contract's columns.

A sweep only says where the largest errors are.  Whatever a row states of a single input is computed again here, the
kernel at that input and the truth in mpmath, confirmed by Arb where that is installed, so that it can be cited; and on
a sampled grid the ends of the safe range are searched down to neighbouring inputs.  `harness verify` does the same once
more with what a table says.  What cures an error is chosen when all rows of a table are there, see
advice.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import mpmath
import numpy as np
from mpmath import mp

from harness.explain import Explanation, explain
from harness.explain.condition import condition
from harness.kernels import Kernel
from harness.numbers.division import sectioning
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET
from harness.sweep.summary import NO_BAD_ABOVE, NO_BAD_BELOW, Summary
from harness.tables.basis import BASES, bases
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.outcomes import nearest_outcomes
from harness.tables.usual import usual_extreme
from harness.truth.certified import decimal, error_in_ulp, significant
from harness.truth.errors import RELATIVE_LIMIT

CONTRACT = (
    "problem", "kernel", "format", "target", "grid", "points", "exhaustive",
    "max_ulp", "max_ulp_input", "max_ulp_computed", "max_ulp_exact",
    "mean_ulp", "max_rel", "max_abs", "correctly_rounded",
    "spurious_nan", "spurious_inf", "spurious_zero", "wrong_sign",
    "safe_lo", "safe_hi",
)  # fmt: skip
EXTREME = ("max_ulp", "max_ulp_input", "max_ulp_computed", "max_ulp_exact")
WHY = ("bias_ulp", "rounding_ulp", "cause", "operation", "reason", "remedy")
FURTHER = ("capped", "max_rel_input", "max_abs_input", *WHY)
WHERE = (*OUTCOME_INPUTS.values(), "usual_max_ulp", "usual_max_ulp_input", "condition")
COLUMNS = CONTRACT + FURTHER + BASES + WHERE
EXACT_DIGITS = 25

Row = dict[str, object]
Located = Mapping[str, int | None]  # by outcome, the ordinal of the input nearest to the centre that has it


def rows_of(
    problem: Problem, kernel: Kernel, grid: Grid, targets: np.ndarray | None, summary: Summary, budget: float = BUDGET
) -> list[Row]:
    """Return the rows of one kernel's summary of the grid's cells, one for each target; the safe range is for a budget in ulp.

    To a row's columns (see `row`) those of WHERE are added: where each outcome happens, the usual range, and the
    condition number at the worst input.
    """
    rows = []
    for t, target in enumerate([None] if targets is None else list(targets)):
        case = Case(problem, kernel.name, kernel, grid, target)
        located = nearest_outcomes(case, summary, t)
        found = row(case, summary, t, budget, located)
        found |= places(case, located, usual_extreme(case, summary, t), found)
        rows.append({column: found[column] for column in COLUMNS})
    return rows


def places(case: Case, located: Located, usual: int | None, worst: Row) -> Row:
    """Return the columns of WHERE, empty where there is no such input; `worst` has the row's EXTREME.

    `usual` is the ordinal of the usual range's largest error, which is computed again in mpmath as the others are; often it
    is the row's.
    """
    extreme: Row = dict.fromkeys(EXTREME, "") if usual is None else worst
    if usual is not None and _hex(case.fmt, usual) != worst["max_ulp_input"]:
        extreme = certified_extreme(case, usual)
    return {
        **{OUTCOME_INPUTS[name]: "" if at is None else _hex(case.fmt, at) for name, at in located.items()},
        "usual_max_ulp": extreme["max_ulp"],
        "usual_max_ulp_input": extreme["max_ulp_input"],
        "condition": condition_at(case, str(worst["max_ulp_input"])),
    }


def condition_at(case: Case, worst_at: str) -> str:
    """Return the condition number at a row's worst input, as the table writes it; empty without such an input."""
    if not worst_at:
        return ""
    target = [] if case.target is None else [float(case.target)]
    return significant(condition(case.problem, float.fromhex(worst_at), *target))


def row(case: Case, summary: Summary, t: int, budget: float = BUDGET, located: Located | None = None) -> Row:
    """Return the row of a summary's target `t`: its counts, extremes computed again, and the safe range for a budget in ulp.

    `located` has the inputs of its outcomes, where they are known: NaN and infinity are what is explained first.
    """
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
        **extremes(case, summary, t, budget, located),
        "mean_ulp": significant(summary.mean_ulp(t)),
        "correctly_rounded": significant(int(summary.correctly_rounded[t].sum()) / points),
        **counts,
        **safe_range(case, int(summary.bad_below[t]), int(summary.bad_above[t]), budget),
    }
    found |= bases(found)
    return {column: found[column] for column in CONTRACT + FURTHER + BASES}


def extremes(case: Case, summary: Summary, t: int, budget: float = BUDGET, located: Located | None = None) -> Row:
    """Return the largest ulp, relative and absolute error of a target with their inputs, and what is to be explained.

    All are computed again in mpmath.  Where the kernel gave nothing finite to measure, all but the explanation is empty.
    """
    if not summary.measured[t].any():
        empty = dict.fromkeys([*EXTREME, *WHY, "max_rel", "max_rel_input", "max_abs", "max_abs_input"], "")
        return {**empty, **why(case, None, telling_inputs(summary, t, budget, located))}
    relative_at, absolute_at = (int(summary.extreme_at[name][t]) for name in ("max_rel", "max_abs"))
    worst_at = summary.worst_at(t)
    return {
        **certified_extreme(case, worst_at),
        **why(case, worst_at, telling_inputs(summary, t, budget, located)),
        "max_rel": significant(difference(case, relative_at, relative=True)),
        "max_rel_input": _hex(case.fmt, relative_at),
        "max_abs": significant(difference(case, absolute_at, relative=False)),
        "max_abs_input": _hex(case.fmt, absolute_at),
    }


def certified_extreme(case: Case, ordinal: int) -> Row:
    """Return what a row cites: the ulp error at one input (EXTREME), with the input, the computed and the exact value.

    The exact value has EXACT_DIGITS decimal digits, each of them certain.
    """
    computed, exact = case.compute(np.array([ordinal]))[0], case.exact(ordinal)
    return {
        "max_ulp": significant(error_in_ulp(case.fmt, computed, exact)),
        "max_ulp_input": _hex(case.fmt, ordinal),
        "max_ulp_computed": case.fmt.hex(computed),
        "max_ulp_exact": decimal(exact, EXACT_DIGITS),
    }


def telling_inputs(summary: Summary, t: int, budget: float, located: Located | None) -> list[int]:
    """Return which inputs to explain, the most telling first; none where nothing was measured and nothing is spurious.

    NaN comes first, else infinity; then the worst error, where that is within the budget another spurious input.
    """
    bad = [int(o) for o in (summary.bad_above[t], summary.bad_below[t]) if o not in (NO_BAD_ABOVE, NO_BAD_BELOW)]
    outcomes = [o for name in ("spurious_nan", "spurious_inf") if (o := (located or {}).get(name)) is not None][:1]
    within = summary.max_ulp[t].max() <= budget
    if within and bad:
        return outcomes or bad[:1]
    return [*outcomes, *([summary.worst_at(t)] if summary.measured[t].any() else [])]


def why(case: Case, worst_at: int | None, telling: list[int]) -> Row:
    """Return the parts of the worst error, the operation that causes what is most telling, and the reasons.

    The second input's reason is added where it has another cause than the first's.  Empty for a system, whose recorded
    outputs cannot be traced.
    """
    if not isinstance(case.function, Kernel) or not telling:
        return dict.fromkeys(WHY, "")
    explained = {ordinal: _explained(case, ordinal) for ordinal in {*telling, worst_at} if ordinal is not None}
    found, worst = [explained[ordinal] for ordinal in telling], explained.get(worst_at)  # type: ignore[arg-type]
    reasons = [e.reason for i, e in enumerate(found) if not i or e.cause != found[0].cause]
    return {
        "bias_ulp": significant(worst.bias_ulp) if worst else "",
        "rounding_ulp": significant(worst.rounding_ulp) if worst else "",
        "cause": found[0].cause,
        "operation": found[0].operation,
        "reason": " The largest finite error: ".join(reasons),
        "remedy": "",
    }


def _explained(case: Case, ordinal: int) -> Explanation:
    x = case.fmt.from_ordinal(np.array([ordinal]))[0]
    return explain(case.function, case.problem, case.fmt, x, case.target)  # type: ignore[arg-type]


def difference(case: Case, ordinal: int, relative: bool) -> mpmath.mpf:
    """Return |computed - exact| at one input, or if `relative` that divided by |exact|, to 400 bits.

    A relative error beyond RELATIVE_LIMIT is infinite, as it is where the exact value is 0 and the computed is not.
    """
    computed, exact = case.compute(np.array([ordinal]))[0], case.exact(ordinal)
    with mp.workprec(400):
        difference = abs(mp.mpf(float(computed)) - exact)
        if not relative or not difference:
            return difference
        ratio = difference / abs(exact) if exact else mp.inf
        return ratio if ratio <= RELATIVE_LIMIT else mp.inf


def safe_range(case: Case, bad_below: int, bad_above: int, budget: float) -> Row:
    """Return safe_lo and safe_hi, the ends of the inputs around the centre that keep the budget, capped poles left out.

    A clamped loss keeps within the budget of every finite exact value, and still says 100 where the loss is infinite.
    On a sampled grid the boundary lies between the bad input nearest to the centre and the good
    sample before it; it is found by sectioning, each time at the first bad point (see division.py).
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
    low, high = case.capped(np.array([lo, hi])).astype(int)  # poles are ends of the domain
    return {"safe_lo": _hex(case.fmt, lo + low), "safe_hi": _hex(case.fmt, hi - high)}


def _boundary(case: Case, bad: int, centre: int, budget: float) -> int:
    """Return the bad input found nearest to the centre, its neighbour towards the centre being good."""
    towards = 1 if bad < centre else -1
    if case.grid.exhaustive or bad == centre:
        return bad
    good = case.grid.neighbour(bad, towards)
    return sectioning(lambda ordinals: ~case.bad(ordinals, budget), good, bad)[1]


def _hex(fmt: Format, ordinal: int) -> str:
    return fmt.hex(fmt.from_ordinal(np.array([ordinal]))[0])
