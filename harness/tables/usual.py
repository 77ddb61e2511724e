"""The usual range: the largest error over the inputs that people meet, before what happens beyond them.

Usual are logits up to 20 in size, probabilities between those that belong to them, σ(−20) ≤ p and 1 − p ≥ σ(−20), and
for other inputs (those of exp, log and the like) all; each where the exact value is a normal number of the format.
A maximum over a sample is a lower bound here as elsewhere.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from mpmath import mp

from harness.numbers.distinct import distinct
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.sweep.case import Case
from harness.sweep.grid import BLOCK
from harness.sweep.summary import Summary
from harness.truth.errors import NONE, Errors

LOGIT = 20  # an edge of cells in every format
AT_ONCE = 16  # cells measured again together, where they are small

Array = np.ndarray


def usual_range(problem: Problem, fmt: Format) -> tuple[int, int]:
    """Return the ordinals [first, last] of the usual inputs of a problem that are numbers of the format."""
    return _usual_range(problem.name, fmt.name)


@lru_cache(maxsize=256)
def _usual_range(problem_name: str, format_name: str) -> tuple[int, int]:
    problem, fmt = problem_named(problem_name), format_named(format_name)
    start, stop = fmt.finite_ordinals(*problem.domain)
    if problem.input == "input":
        return start, stop - 1
    if problem.input == "logit":
        ends = fmt.ordinal(np.array([-LOGIT, LOGIT]).astype(fmt.dtype))
        return int(ends[0]), int(ends[1])
    with mp.workprec(400):
        least = 1 / (1 + mp.exp(LOGIT))
        lo, hi = (int(fmt.ordinal(np.array([fmt.round(v)]))[0]) for v in (least, 1 - least))
        values = fmt.from_ordinal(np.array([lo, hi]))
        return lo + (mp.mpf(float(values[0])) < least), hi - (mp.mpf(float(values[1])) > 1 - least)


def range_text(problem: Problem) -> str:
    """Write the usual range as a condition on the input; "" where all inputs are usual."""
    return {"logit": f"|x| <= {LOGIT}", "probability": f"sigmoid(-{LOGIT}) <= p <= sigmoid({LOGIT})"}.get(
        problem.input, ""
    )


def usual_extreme(case: Case, summary: Summary, t: int) -> int | None:
    """Return the ordinal of the usual input of the largest ulp error; None where nothing finite was measured there.

    The cells' own maxima, in falling order, are bounds of what lies in the range: the first whose input is a usual
    one is the answer.  Cells whose input is not are measured again at the grid's inputs that are.
    """
    first, last = usual_range(case.problem, case.fmt)
    ends = case.fmt.cell(np.array([first, last]))
    inside = (summary.cells >= ends[0]) & (summary.cells <= ends[1])
    cells, most, at = summary.cells[inside], summary.max_ulp[t, inside].copy(), summary.max_ulp_at[t, inside].copy()
    settled = np.zeros(len(cells), bool)
    at_once = AT_ONCE if case.grid.size(cells[:1]) <= BLOCK else 1
    while len(cells):
        top = int(most.argmax())
        if most[top] == NONE:
            return None
        if settled[top] or is_usual(case, at[top : top + 1])[0]:
            return int(at[top])
        chosen = np.argsort(-most, kind="stable")[:at_once]
        chosen = np.sort(chosen[~settled[chosen]])
        most[chosen], at[chosen] = _largest(case, cells[chosen])
        settled[chosen] = True
    return None


def is_usual(case: Case, ordinals: Array) -> Array:
    """Tell which inputs are in the usual range and have a normal exact value."""
    first, last = usual_range(case.problem, case.fmt)
    return (ordinals >= first) & (ordinals <= last) & normal(case.fmt, case.errors(ordinals))[0]


def normal(fmt: Format, errors: Errors) -> Array:
    """Tell where the exact value is a normal number of the format, in the shape of the errors."""
    size = np.abs(errors.exact.high)
    return (size >= fmt.min_normal) & (size <= fmt.max)


def _largest(case: Case, cells: Array) -> tuple[Array, Array]:
    """Return the largest error over the grid's usual inputs of each cell, NONE where there are none, with its input."""
    first, last = usual_range(case.problem, case.fmt)
    sampled = case.grid.ordinals(cells)
    chosen = sampled[(sampled >= first) & (sampled <= last)]
    most, at = np.full(len(cells), NONE), np.zeros(len(cells), np.int64)
    for i in range(0, len(chosen), BLOCK):
        part = chosen[i : i + BLOCK]
        errors = case.errors(part)
        ulp = np.where(normal(case.fmt, errors)[0], errors.ulp[0], NONE)
        place = np.searchsorted(cells, case.fmt.cell(part))
        for j in distinct(place):
            here = np.flatnonzero(place == j)
            top = here[int(ulp[here].argmax())]
            if ulp[top] > most[j]:
                most[j], at[j] = ulp[top], part[top]
    return most, at
