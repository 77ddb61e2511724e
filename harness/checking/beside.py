"""What a check finds besides errors: another function, flushed subnormal numbers, broken properties.

A verdict that names an error of 10^7 ulp and a cure helps no one whose loss is weighted, or whose compiler flushes
subnormal numbers; so both are looked for, and take the place of the reason that a row would have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from harness import UsageError
from harness.checking.flushing import Flushing, flushed
from harness.checking.judge import FLUSH, OTHER, over
from harness.checking.moderate import LEAST, ModerateValues, moderate_values, same, tolerance_of
from harness.checking.parts import CalledPart
from harness.checking.properties import BrokenProperty, broken_properties
from harness.checking.recognise import recognise
from harness.checking.recognition import Recognition
from harness.explain.bias import BIAS_CAUSES
from harness.explain.explanation import noun_of
from harness.numbers.distinct import distinct
from harness.sweep.case import Case
from harness.sweep.grid import Grid, visited
from harness.tables.advice import ADVICE
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import Row
from harness.tables.text import decimal_input
from harness.tables.usual import range_text, usual_range

COSTS = "What that costs"
# A number in an operation as it is written, in parentheses where it is negative; no digit of a name such as log1p.
NUMBER = re.compile(r"(?<![\w.])(?:(?<!\w)\(-(?:inf|[\d.]+(?:e[+-]?\d+)?)\)|-?(?:inf|nan|[\d.]+(?:e[+-]?\d+)?))")
OTHERWISE = ("formula", "branch", "clamp")  # of a formula that is followed: what may make it another function
DOUBLED = (
    "XGBoost takes 2 p (1 - p) for the softmax of K classes, as a bound of the whole matrix; of one logit p (1 - p) is exact: "
    "halve it to have its errors measured"
)
LEAST_ABSOLUTE = 1e-3  # of a value, or of 1: what is off by less costs nothing


def other_function(called: CalledPart, name: str, targets: np.ndarray | None = None) -> Recognition | None:
    """Return which other function a part is, None for none that is known; UsageError for a mean, a sum, or a share.

    Where only hard `targets` are asked for, what it is at soft ones does not matter.
    """
    soft = targets is None or not np.isin(targets.astype(np.float64), (0, 1)).all()
    found = recognise(called.problem, called.fmt, lambda x, y=None: called.on(x, y, "unpadded"), soft)
    if found is not None and found.of_array:
        raise UsageError(f"{name} is no function of its input alone; {found.sentence}")
    return None if found is not None and found.at is not None and _is_inexact(called, *found.at) else found


def beside_gradient(found: Recognition | None, gradient: Recognition | None) -> Recognition | None:
    """Return what a Hessian was recognised as, a multiple with advice that fits its gradient, which has weights or has none."""
    if found is None or not found.factor:
        return found
    if gradient is not None and gradient.option.startswith("--weights"):
        option = gradient.option
        return Recognition(f"{found.factor}, as its gradient is weighted; check both with {option}", option)
    alone = f"{found.factor}, but its gradient is not"
    if found.factor.startswith("2 times the problem everywhere"):
        return Recognition(f"{alone}: {DOUBLED}")
    return Recognition(f"{alone}: scale both or neither to have its errors measured")


def _is_inexact(called: CalledPart, x: float, target: float | None) -> bool:
    """Tell whether what differs at one input is the problem all the same, as its operations show: with an eps, or rounded away."""
    found = called.explained(called.problem, called.fmt, x, target)
    return not found.not_followed and found.cause not in OTHERWISE


def reasoned(rows: Sequence[Row], other: Recognition | None, called: CalledPart, max_ulp: float) -> list[Row]:
    """Return rows whose reasons tell another function, flushed subnormal numbers, and what a bias costs."""
    own = [other is not None and over(row, max_ulp) and _is_problem(row, called) for row in rows]
    told = [_uncured(row) if kept else as_other([row], other, max_ulp)[0] for row, kept in zip(rows, own)]
    told = [_as_half(row, called) if over(row, max_ulp) and row["cause"] == "branch" else row for row in told]
    met = as_met(as_flushed(told, called, max_ulp), called, max_ulp)
    return [_beside_other(row, other) if kept and other else row for row, kept in zip(met, own)]


def _as_half(row: Row, called: CalledPart) -> Row:
    """Return a row that a branch spoils as another function's, where all moderate inputs on one side of it are far off."""
    from harness.checking.unnamed import difference, farthest, least_far

    p = _moderate(row, called)
    tolerance = tolerance_of(called.fmt)
    far = np.abs(p.given - p.exact) > least_far(tolerance) * np.abs(p.exact)
    one_side = int(np.count_nonzero(np.diff(far[np.argsort(p.x)]))) == 1
    if not one_side or far.sum() < LEAST or not same(p.given[~far], p.exact[~far], tolerance):
        return row
    at = f"{called.problem.variable} = {p.x[farthest(p.given, p.exact)]:g}"
    told = f"on one side of a branch {difference(p.given, p.exact, at, tolerance)}."
    return {**row, "cause": OTHER, "operation": "", "remedy": "", "reason": told}


def _moderate(row: Row, called: CalledPart) -> ModerateValues:
    """Return what the function and the problem are at moderate inputs and a row's target."""
    target = None if row["target"] == "" else float(str(row["target"]))
    return moderate_values(called.problem, called.fmt, lambda x, y=None: called.on(x, y, "unpadded"), target)


def _is_problem(row: Row, called: CalledPart) -> bool:
    """Tell whether a function that is another one is the problem all the same at a row's target."""
    if row["target"] == "":
        return False
    found = _moderate(row, called)
    return same(found.given, found.exact, tolerance_of(called.fmt))


def _uncured(row: Row) -> Row:
    """Return a row without the cure that its reason names: a kernel of the problem would change the loss elsewhere."""
    return {**row, "remedy": "", "reason": ADVICE.sub(".", str(row["reason"]))}


def _beside_other(row: Row, other: Recognition) -> Row:
    """Return a row with its own reason, and after it what the function is at other targets."""
    return {**row, "reason": f"{row['reason']} At another target it is another function: {other.sentence}."}


def as_other(rows: Sequence[Row], other: Recognition | None, max_ulp: float) -> list[Row]:
    """Return rows whose reason, where they break the budget, is the other function that theirs is; no cure is named."""
    if other is None:
        return list(rows)
    told = {"cause": OTHER, "operation": "", "remedy": "", "reason": f"{other.sentence}."}
    return [{**row, **told} if over(row, max_ulp) else row for row in rows]


def as_flushed(rows: Sequence[Row], called: CalledPart, max_ulp: float) -> list[Row]:
    """Return rows whose reason, where they break the budget and the function flushes, tells that from the rest."""
    return [_as_flushed(row, called, max_ulp) if over(row, max_ulp) and row["cause"] != OTHER else row for row in rows]


def _as_flushed(row: Row, called: CalledPart, max_ulp: float) -> Row:
    target = None if row["target"] == "" else float(str(row["target"]))
    found = flushed(called.problem, called.fmt, called.on, target, str(row["grid"]), max_ulp)
    if found is None:
        return row
    sentence = f"It {found.sentence(max_ulp)}."
    if found.within(max_ulp):
        return {**row, "cause": FLUSH, "operation": "", "remedy": "", "reason": sentence}
    explained = [
        called.explained(called.problem, called.fmt, x, target) for x in _telling_elsewhere(row, found, max_ulp)
    ]
    first = explained[0]
    reasons = [e.reason for i, e in enumerate(explained) if not i or e.cause != first.cause]
    cure = ADVICE.search(str(row["reason"]))
    told = " The largest finite error: ".join(reasons).removesuffix(".") + (cure.group() if cure else ".")
    return {**row, "cause": first.cause, "operation": first.operation, "reason": f"{told} {sentence}"}


def _telling_elsewhere(row: Row, found: Flushing, max_ulp: float) -> list[float]:
    """Return the inputs to explain where nothing is flushed: that of NaN, else of infinity, then that of the largest error."""
    spurious = [str(row[OUTCOME_INPUTS[name]]) for name in ("spurious_nan", "spurious_inf")]
    inputs = [float.fromhex(at) for at in spurious if at][:1]
    return [*inputs, found.else_input] if found.else_ulp > max_ulp or not inputs else inputs


def as_met(rows: Sequence[Row], called: CalledPart, max_ulp: float) -> list[Row]:
    """Return rows whose reason, where a formula is biased, ends with what that costs at inputs that people meet.

    An eps of 1e-5 is an error of 10^300 ulp where the loss is next to nothing, and no one minds; that 20 becomes 11.5 is
    what spoils a training.
    """
    return [_as_met(row, called) if over(row, max_ulp) and row["cause"] in BIAS_CAUSES else row for row in rows]


def _as_met(row: Row, called: CalledPart) -> Row:
    problem, fmt = called.problem, called.fmt
    usual = range_text(problem)
    if not usual:
        return row
    target = None if row["target"] == "" else float(str(row["target"]))
    first, last = usual_range(problem, fmt)
    ordinals = visited("quick", problem, fmt)
    ordinals = distinct(np.array([first, last]), ordinals[(ordinals >= first) & (ordinals <= last)])
    case = Case(
        problem, called.part, called, Grid("quick", problem, fmt), None if target is None else fmt.dtype.type(target)
    )
    errors = case.errors(ordinals)
    given, exact = errors.computed[0].astype(np.float64), errors.exact.high[0]
    off = np.where(np.isfinite(given) & np.isfinite(exact), np.abs(given - exact), -1.0)
    i = int(np.argmax(off))
    if off[i] <= LEAST_ABSOLUTE * max(1.0, abs(float(exact[i]))):
        return row
    at = decimal_input(fmt.hex(fmt.from_ordinal(ordinals[i : i + 1])[0]))
    acts = called.explained(problem, fmt, fmt.from_ordinal(ordinals[i : i + 1])[0], target)
    same = acts.cause == row["cause"] and shape(acts.operation) == shape(str(row["operation"]))
    said = f"{COSTS} for {usual}: " if same else f"For {usual} the {noun_of(problem)} is off most at {at}: "
    told = f"{said}{given[i]:.6g} for {exact[i]:.6g}{f' at {at}' if same else ''}."
    return {**row, "reason": f"{row['reason']} {told}"}


def shape(operation: str) -> str:
    """Return an operation with a mark in the place of each number, so that the same one is known at another input."""
    return NUMBER.sub("#", operation)


def broken_notes(problem_name: str, broken: Sequence[BrokenProperty]) -> list[str]:
    """Write the properties that a function breaks, one note for each kind."""
    kinds = dict.fromkeys(b.name for b in broken)
    return [f"{problem_name}: {'; '.join(b.sentence for b in broken if b.name == kind)}" for kind in kinds]


def property_notes(called: CalledPart, other: Recognition | None, grid: str) -> list[str]:
    """Return notes on the properties of a problem that a part breaks; none where it is another function."""
    if other is not None:
        return []
    return broken_notes(called.problem.name, broken_properties(called.problem, called.fmt, called.on, grid))
