"""Properties that need no truth to be broken: a loss below 0, a value that falls where it should rise, a lost symmetry.

L(x, 1) = L(−x, 0), sigmoid rises, no loss is negative: who stops training early or bisects on a loss relies on such
facts, and a result may break them while its error stays small.  Which of them a problem has is seen from its own exact
values, so that nothing is listed by name.  They are reported beside the errors; none decides a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.numbers.distinct import distinct
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import visited
from harness.truth.errors import Array
from harness.truth.fast import evaluate

Call = Callable[..., Any]
RUN = 2  # each input of a sample is followed by its neighbour, that steps from one number to the next are seen, too
LEAST_ULP = 1.0  # by which two values that should be equal differ before it is told
MIRRORED = (0.25, 0.5, 0.75, 1.25, 2.0)  # inputs at which a symmetry of the exact values is looked for, 1/2 + x/8 if p


@dataclass(frozen=True)
class BrokenProperty:
    """Say which property is broken and where: worst at `input`, for a target if the problem has one, `count` times."""

    name: str
    sentence: str
    input: float
    target: float | None
    count: int


def broken_properties(problem: Problem, fmt: Format, call: Call, grid: str = "standard") -> list[BrokenProperty]:
    """Return the properties that a function breaks: sign, direction, symmetry, each at its worst.

    `call(x)` or `call(x, y)` takes arrays of shape (n,) of the format and returns one of n values.  Every number of a
    format of up to 16 bits is looked at, unless the grid is quick, and of others a sample; targets are 0 and 1.
    """
    x = _visited(problem, fmt, grid)
    found: list[BrokenProperty | None] = []
    for target in (0.0, 1.0) if problem.has_target else (None,):
        given, exact = _values(problem, fmt, call, x, target)
        if problem.nonnegative:
            found.append(_sign(fmt, x, given, target))
        found.append(_direction(fmt, x, given, exact, target))
    found.append(_symmetry(problem, fmt, call, x, given, exact))
    return [f for f in found if f is not None]


def property_results(problem: Problem, fmt: Format, grid: str = "standard") -> int:
    """Return how many results `broken_properties` asks a function for, at most: of a symmetry without a target, half."""
    return len(_visited(problem, fmt, grid)) * ((2 if problem.has_target else 1) + (_sign_of_symmetry(problem) != 0))


def _visited(problem: Problem, fmt: Format, grid: str) -> Array:
    if fmt.bits <= 16 and grid != "quick":
        return fmt.from_ordinal(visited("standard", problem, fmt))
    ordinals = distinct(visited("quick", problem, fmt)[:, None] + np.arange(RUN))
    return fmt.from_ordinal(ordinals[ordinals < fmt.finite_ordinals(*problem.domain)[1]])


def _values(problem: Problem, fmt: Format, call: Call, x: Array, target: float | None) -> tuple[Array, Array]:
    """Return what the function gives, and the exact values rounded into the format."""
    inputs = (x,) if target is None else (x, np.full(len(x), target).astype(fmt.dtype))
    given = np.asarray(call(*inputs))
    column = () if target is None else (np.array([[target]]).astype(fmt.dtype),)
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, x[None, :], *column).rounded_working
    return given, np.broadcast_to(exact, (1, len(x)))[0]


def _ulps(fmt: Format, difference: float, at: float) -> float:
    """Return a difference in ulps of a value, infinite where it is; at a pole, of the largest number there is."""
    return (
        abs(difference) / float(fmt.ulp(at if math.isfinite(at) else fmt.max))
        if math.isfinite(difference)
        else math.inf
    )


def _number(fmt: Format, v: Any) -> str:
    return fmt.short(v) if math.isfinite(v) else str(float(v))


def _at(target: float | None) -> str:
    return "" if target is None else f" for y = {target:g}"


def _sign(fmt: Format, x: Array, given: Array, target: float | None) -> BrokenProperty | None:
    with np.errstate(invalid="ignore"):
        below = given < 0
    if not below.any():
        return None
    worst = int(np.argmin(np.where(below, given.astype(np.float64), 0.0)))
    told = f"below 0{_at(target)}, where no exact value is: {_number(fmt, given[worst])} at {_number(fmt, x[worst])}"
    return BrokenProperty("sign", told, float(x[worst]), target, int(below.sum()))


def _direction(fmt: Format, x: Array, given: Array, exact: Array, target: float | None) -> BrokenProperty | None:
    """Find where a value falls though the exact one rises, or the other way round.

    Where the rounded exact values stand still, they go on as they do elsewhere, if that is one way throughout.
    """
    wide, rounded = given.astype(np.float64), exact.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        step, way = np.diff(wide), np.sign(np.diff(rounded))
        moves = way[np.isfinite(way) & (way != 0)]
        if len(moves) and (moves == moves[0]).all():
            way = np.where(way == 0, moves[0], way)
        against = np.isfinite(step) & (step * way < 0)
    if not against.any():
        return None
    sizes = [_ulps(fmt, float(step[i]), float(rounded[i])) for i in np.flatnonzero(against)]
    i = int(np.flatnonzero(against)[int(np.argmax(sizes))])
    verbs = ("falls", "rise") if way[i] > 0 else ("rises", "fall")
    told = f"{verbs[0]}{_at(target)} where it should {verbs[1]}, by {max(sizes):.3g} ulp: {_number(fmt, given[i])} at "
    told += f"{_number(fmt, x[i])}, {_number(fmt, given[i + 1])} at {_number(fmt, x[i + 1])}"
    return BrokenProperty("direction", told, float(x[i + 1]), target, int(against.sum()))


def _symmetry(problem: Problem, fmt: Format, call: Call, x: Array, given: Array, exact: Array) -> BrokenProperty | None:
    """Find where a symmetry is lost; `given` and `exact` are the values at x, for the target 1 where there is one.

    With a target, x and -x are two pairs, f(x, 1) and f(-x, 0), f(-x, 1) and f(x, 0): both are looked at.
    """
    sign = _sign_of_symmetry(problem)
    if not sign:
        return None
    probability = problem.input == "probability"
    one = fmt.dtype.type(1)
    # Of probabilities below 1/2, those that are no 1 - q of a q of the format have no mirror image.
    kept = (one - (one - x) == x) if probability else np.ones(len(x), bool)
    if not problem.has_target:
        kept &= x >= (0.5 if probability else 0)
    x, given, exact = x[kept], given[kept], exact[kept]
    own, other = (1.0, 0.0) if problem.has_target else (None, None)
    mirror = sign * _values(problem, fmt, call, one - x if probability else -x, other)[0].astype(np.float64)
    wide = given.astype(np.float64)
    apart = ~((wide == mirror) | (np.isnan(wide) & np.isnan(mirror)))
    sizes = [_ulps(fmt, wide[i] - mirror[i], float(exact[i])) for i in np.flatnonzero(apart)]
    if not sizes or max(sizes) <= LEAST_ULP:
        return None
    i = int(np.flatnonzero(apart)[int(np.argmax(sizes))])
    far = f"by up to {max(sizes):.3g} ulp" if math.isfinite(max(sizes)) else "without bound"
    pair = f"{_number(fmt, given[i])} and {_number(fmt, fmt.dtype.type(mirror[i]))} at {_number(fmt, x[i])}"
    told = f"{_symmetric(problem, sign)} is broken {far}: {pair}"
    return BrokenProperty("symmetry", told, float(x[i]), own, int(sum(s > LEAST_ULP for s in sizes)))


def _symmetric(problem: Problem, sign: float) -> str:
    mirror = "1 - p" if problem.input == "probability" else "-x"
    left, right = (
        f"f({v}{t})" for v, t in zip((problem.variable, mirror), (", 1", ", 0") if problem.has_target else ("", ""))
    )
    return f"{left} = {'-' if sign < 0 else ''}{right}"


def _sign_of_symmetry(problem: Problem) -> float:
    """Return s where f(x, 1) = s f(−x, 0), or for a probability f(p, 1) = s f(1 − p, 0), and 0 where neither holds."""
    if problem.input not in ("logit", "probability") and not math.isinf(problem.domain[0]):
        return 0.0
    x = np.array(MIRRORED)
    x = 0.5 + x / 8 if problem.input == "probability" else x
    mirror = 1 - x if problem.input == "probability" else -x
    targets = ([[1.0]], [[0.0]]) if problem.has_target else ((), ())
    with np.errstate(all="ignore"):
        a, b = (problem.fast(v[None, :], *(np.array([t]) for t in y)) for v, y in zip((x, mirror), targets))
    for sign in (1.0, -1.0):
        if np.allclose(a, sign * b, rtol=1e-12, atol=0):
            return sign
    return 0.0
