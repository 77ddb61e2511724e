"""Guesses at a function that is a problem of another input: a sigmoid taken twice, swapped arguments, another problem.

Each returns a Recognition where the values at moderate inputs are what it guesses, to within a tolerance, and None else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from harness.checking.moderate import (
    APART,
    LEAST,
    LOGITS,
    POSITIVE,
    PROBABILITIES,
    SOFT,
    Array,
    Call,
    ModerateValues,
    exactly,
    moderate_inputs,
    moderate_values,
    rounded,
    same,
    written,
)
from harness.checking.recognition import Recognition
from harness.numbers.formats import Format
from harness.problems import PROBLEMS, Problem


def another_problem(problem: Problem, fmt: Format, call: Call, tolerance: float) -> Recognition | None:
    """Recognise another problem of the harness, such as a probability's loss given logits."""
    for other in PROBLEMS.values():
        if other.name == problem.name or other.has_target != problem.has_target:
            continue
        x = moderate_inputs(problem) if other.input == problem.input else _shared(problem, other)
        targets = (None,) if not problem.has_target else (0.0, 1.0)
        probes = [moderate_values(problem, fmt, call, t, x) for t in targets]
        pairs = [(p.given, exactly(other, p.x, p.target)) for p in probes]
        if len(x) < LEAST or not all(np.isfinite(b).all() and same(a, b, tolerance) for a, b in pairs):
            continue
        if all(same(p.exact, b, APART * tolerance) for p, (_, b) in zip(probes, pairs)):
            continue  # at these inputs nobody can tell the two apart
        return Recognition(f"the values of {other.name}{_kind(problem, other)}; check it with --problem {other.name}",
                           f"--problem {other.name}")  # fmt: skip
    return None


def other_domain(
    problem: Problem, fmt: Format, call: Call, hard: list[ModerateValues], tolerance: float
) -> Recognition | None:
    """Recognise a problem with another domain, where the function is NaN inside this one's: the other sign of the input."""
    if problem.has_target or any(len(p.x) for p in hard):
        return None
    for other in PROBLEMS.values():
        if other.has_target or other.input != problem.input or other.domain == problem.domain:
            continue
        p = moderate_values(other, fmt, call, None)
        if same(p.given, p.exact, tolerance):
            told = f"NaN in this problem's domain, and the values of {other.name} in its own"
            return Recognition(
                f"{told}: this looks like the other sign of the input; check it with --problem {other.name}",
                f"--problem {other.name}",
            )
    return None


def _shared(problem: Problem, other: Problem) -> Array:
    """Return inputs that lie inside both problems' domains."""
    lo, hi = (f(a, b) for f, a, b in zip((max, min), problem.domain, other.domain))
    return np.array([v for v in sorted({*PROBABILITIES, *POSITIVE, *LOGITS}) if lo < v < hi])


def _kind(problem: Problem, other: Problem) -> str:
    if other.input != problem.input and {other.input, problem.input} == {"logit", "probability"}:
        return f": the input is taken for a {other.input}, not for a {problem.input}"
    return ", not of this problem"


def swapped(problem: Problem, fmt: Format, call: Call, tolerance: float) -> Recognition | None:
    """Recognise f(y, x): the first argument taken for the target; asked at soft targets, which an input may be, too."""
    if not problem.has_target:
        return None
    for target in SOFT:
        p = moderate_values(problem, fmt, call, target, np.array(PROBABILITIES))
        expected = exactly(problem, np.full_like(p.x, target), p.x)
        if not same(p.given, expected, tolerance) or same(p.exact, expected, APART * tolerance):
            return None
    return Recognition(
        "the problem with its arguments swapped: this looks like f(y, x); check a function f(x, y) of it"
    )


def mirrored(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise the problem at -x, or at 1 - p."""
    told = "1 - p in the place of p" if problem.input == "probability" else "-x in the place of x"
    for sign in (1.0, -1.0):
        pairs = []
        for p in hard:
            mirror = 1 - p.x if problem.input == "probability" else -p.x
            lo, hi = problem.domain
            if len(mirror) < LEAST or (mirror < lo).any() or (mirror > hi).any():
                return None
            pairs.append((p.given, sign * exactly(problem, mirror, p.target)))
        if all(same(a, b, tolerance) for a, b in pairs):
            return Recognition(
                f"{'minus ' if sign < 0 else ''}the problem at the mirrored input: this looks like {told}"
            )
    return None


def squashed(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a sigmoid taken twice: the loss of sigmoid(x) where x is the logit already."""
    if problem.input != "logit":
        return None
    sigmoid = [1 / (1 + np.exp(-p.x)) for p in hard]
    if all(same(p.given, exactly(problem, s, p.target), tolerance) for p, s in zip(hard, sigmoid)):
        return Recognition("the problem at sigmoid(x): this looks like a sigmoid taken twice; leave one out")
    return None


def scaled(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise f(k x) and f(k x) / k: a temperature, or a beta."""
    if problem.input == "probability" or not math.isinf(problem.domain[0]):
        return None
    for divided in (False, True):
        for k in _factors(problem, hard[0], divided):
            of_factor, of_twice = (
                [exactly(problem, f * p.x, p.target) / (f if divided else 1) for p in hard] for f in (k, 2 * k)
            )
            if not all(same(p.given, b, tolerance) for p, b in zip(hard, of_factor)):
                continue
            # A factor so large that twice it makes no difference is none: max(x, 0) is no softplus.
            if not all(same(a, b, APART * tolerance) for a, b in zip(of_factor, of_twice)):
                return _factor(k, divided)
    return None


def _factors(problem: Problem, p: ModerateValues, divided: bool) -> Iterator[float]:
    """Yield the k for which f(k x), or f(k x) / k, is the value given at one input, by halving a range of them."""
    if len(p.x) < LEAST:
        return
    at = int(np.argmax(p.x))
    x, given = p.x[at : at + 1], p.given[at]

    def excess(k: float) -> float:
        return float(exactly(problem, k * x, p.target)[0] / (k if divided else 1) - given)

    ends = np.geomspace(0.05, 20, 41)
    values = [excess(float(k)) for k in ends]
    for a, b, va, vb in zip(ends, ends[1:], values, values[1:]):
        if math.isfinite(va) and math.isfinite(vb) and va * vb <= 0:
            for _ in range(60):
                middle = math.sqrt(a * b)
                a, b, va = (middle, b, excess(middle)) if excess(middle) * va > 0 else (a, middle, va)
            yield rounded(math.sqrt(a * b), 1e-6)


def _factor(k: float, divided: bool) -> Recognition:
    if divided:
        return Recognition(
            f"the problem at {written(k)} x, divided by {written(k)}: this looks like beta = {written(k)}"
        )
    return Recognition(f"the problem at {written(k)} x: this looks like a temperature of {written(1 / k)}")
