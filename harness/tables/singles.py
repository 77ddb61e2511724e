"""What a row of a kernel states of single inputs beside its extremes, made again from the row alone.

The usual range's largest error and the condition number at the worst input are computed as the table stage does; an
outcome's input must have the outcome, and no input looked at between it and the centre may; and the causes are
explained again at the inputs that the row names.  Only what an input outside the row tells, such as the first bad input
of a range in which nothing else is wrong, stays with a sweep: see resweep.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from mpmath import mp

from harness.sweep.case import Case
from harness.sweep.grid import GRIDS
from harness.sweep.streaming import BUDGET
from harness.tables.advice import ADVICE
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import certified_extreme, condition_at, why
from harness.tables.usual import is_usual
from harness.truth.errors import SPURIOUS

Record = Mapping[str, str]  # a row as its table has it, cell by cell
EXPLAINED = ("bias_ulp", "rounding_ulp", "cause", "operation", "reason")


def ordinal_of(case: Case, text: str) -> int:
    """Return the ordinal of an input that a table names; ValueError where it is none of the problem's."""
    at = int(case.fmt.ordinal(np.array([case.fmt.parse(text)]))[0])
    if not case.grid.start <= at < case.grid.stop:
        raise ValueError(f"{text} lies outside the domain of {case.problem.name}")
    return at


def unlike(row: Record, case: Case, explained: bool) -> list[str]:
    """Return what a row says otherwise than its kernel does now, as sentences; its causes only where it is `explained`.

    Raises ValueError where a cell names no input.
    """
    for column, text in row.items():
        if text and (column.endswith("_input") or column in ("safe_lo", "safe_hi")):
            ordinal_of(case, text)
    checks = (points, condition, usual, outcomes, *([causes] if explained else []))
    return [text for check in checks for text in check(row, case)]


def points(row: Record, case: Case) -> Iterator[str]:
    """Tell where a row over every input has another number of points than the domain has inputs."""
    if row["grid"] in GRIDS and case.grid.exhaustive and int(row["points"]) != case.grid.size(case.grid.cells):
        yield f"points is {row['points']}, every input of the domain {case.grid.size(case.grid.cells)}"


def condition(row: Record, case: Case) -> Iterator[str]:
    """Tell where the condition number at the worst input is another."""
    if "condition" in row:
        now = condition_at(case, row["max_ulp_input"])
        if row["condition"] != now:
            yield f"condition is {row['condition'] or 'empty'}, now {now or 'empty'}"


def usual(row: Record, case: Case) -> Iterator[str]:
    """Tell where the usual range's largest error is another, is at no usual input, or is less than the error at one."""
    if "usual_max_ulp_input" not in row:
        return
    at, worst = row["usual_max_ulp_input"], row["max_ulp_input"]
    if at and at != worst:
        now = certified_extreme(case, ordinal_of(case, at))["max_ulp"]
        if row["usual_max_ulp"] != now:
            yield f"usual_max_ulp is {row['usual_max_ulp'] or 'empty'}, now {now}"
        if not is_usual(case, np.array([ordinal_of(case, at)]))[0]:
            yield f"usual_max_ulp_input is {at}, which is no usual input"
    if bool(at) != bool(row["usual_max_ulp"]):
        yield f"usual_max_ulp is {row['usual_max_ulp'] or 'empty'} and usual_max_ulp_input is {at or 'empty'}"
    worst_is_usual = bool(worst) and is_usual(case, np.array([ordinal_of(case, worst)]))[0]
    if worst_is_usual and row["usual_max_ulp"] != row["max_ulp"]:
        yield f"usual_max_ulp is {row['usual_max_ulp'] or 'empty'}, and the worst input {worst} is a usual one"
    if at and at == worst and not worst_is_usual:
        yield f"usual_max_ulp_input is {at}, which is no usual input"


def outcomes(row: Record, case: Case) -> Iterator[str]:
    """Tell which input of an outcome has it not, and where an input nearer to the centre has it.

    Looked at are the neighbour towards the centre and, where every input was visited, those 2, 4, 8 ... beyond it.
    """
    for name, column in OUTCOME_INPUTS.items():
        if row.get(column):
            at = ordinal_of(case, row[column])
            ordinals = np.array([at, *nearer(row, case, at)])
            having = case.errors(ordinals).outcomes.get(name, np.zeros((1, len(ordinals)), bool))[0]
            if not having[0]:
                yield f"{column} is {row[column]}, which has no {name}"
            elif having[1:].any():
                found = case.fmt.hex(case.fmt.from_ordinal(ordinals[1:][having[1:]])[-1])
                yield f"{column} is {row[column]}, and {found} is nearer to the centre"


def nearer(row: Record, case: Case, at: int) -> list[int]:
    """Return some inputs on one side of the centre that are nearer to it; of a sweep's sample the neighbour alone.

    None of a study's sample: it has inputs beside its grid's, between which an outcome is not always followed.
    """
    distance, towards = abs(case.grid.centre - at), 1 if at < case.grid.centre else -1
    steps = [1 << i for i in range(distance.bit_length())]
    if not case.grid.exhaustive:
        steps = steps[:1] if "remedy" in row else []
    ordinals = np.array([at + towards * step for step in steps], np.int64)
    values = case.fmt.from_ordinal(ordinals)
    return [int(o) for o, v in zip(ordinals, values) if v != case.fmt.from_ordinal(np.array([at]))[0]]  # -0 is 0


def causes(row: Record, case: Case) -> Iterator[str]:
    """Tell which cell of what explains a row's errors is another; none where its inputs are not all named."""
    telling = telling_inputs(row, case)
    if telling is not None and set(EXPLAINED) & row.keys():
        worst = ordinal_of(case, row["max_ulp_input"]) if row["max_ulp_input"] else None
        for column, value in why(case, worst, telling).items():
            if column in row and column in EXPLAINED and unadvised(row[column]) != unadvised(str(value)):
                yield f"{column} is {row[column] or 'empty'}, now {value or 'empty'}"


def telling_inputs(row: Record, case: Case) -> list[int] | None:
    """Return the inputs that were explained (see rows.py), from what a row says; None where it does not name them.

    A study that gives a cause without a reason explains the worst error first, whatever outcomes there are.
    """
    first = [row[column] for column in ("nan_input", "inf_input") if row.get(column) and "reason" in row][:1]
    found = [ordinal_of(case, at) for at in first]
    within = not row["max_ulp"] or mp.mpf(row["max_ulp"]) <= BUDGET
    if within and any(int(row[name] or 0) for name in SPURIOUS):
        return found or None
    return found + ([ordinal_of(case, row["max_ulp_input"])] if row["max_ulp_input"] else [])


def unadvised(text: str) -> str:
    """Return a cell without the cure that a reason ends in, which depends on other rows."""
    return ADVICE.sub("", text).removesuffix(".")
