"""Guesses at a function whose values are the problem's, changed: a multiple, a weight for one class, a focal loss, a mean.

Each returns a Recognition where the values at moderate inputs are what it guesses, to within a tolerance, and None else.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from harness.checking.moderate import (
    APART,
    LEAST,
    TRACE,
    Array,
    Call,
    ModerateValues,
    close,
    median,
    moderate_inputs,
    moderate_values,
    ratio_of,
    rounded,
    same,
    whole_or_rounded,
    written,
)
from harness.checking.recognition import Recognition, weighted_as
from harness.numbers.formats import Format
from harness.problems import Problem

BASES = {1 / math.log(2): "2", 1 / math.log(10): "10"}


def reduced(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a mean or a sum over the array, given for every element."""
    for name, reduce in (("mean", np.mean), ("sum", np.sum)):
        values = [(p.given, np.full_like(p.exact, reduce(p.exact))) for p in hard]
        spread = all(float(np.ptp(p.exact)) > 0 and float(np.ptp(p.given)) == 0 for p in hard)
        if spread and all(same(a, b, tolerance) for a, b in values):
            said = f"it depends on the other elements of its array: every result is the {name} of the problem's values"
            told = f"{said}; return one value for each input, or check the {name} itself with --reduction {name}"
            return Recognition(told, f"--reduction {name}", True)
    return None


def by_size(
    problem: Problem, fmt: Format, call: Call, hard: list[ModerateValues], tolerance: float
) -> Recognition | None:
    """Recognise a result that is divided by the number of elements: its ratio changes with the array's length."""
    some = [moderate_values(problem, fmt, call, p.target, moderate_inputs(problem)[:LEAST]) for p in hard]
    ratios = [(ratio_of(p, tolerance), ratio_of(q, tolerance)) for p, q in zip(hard, some)]
    whole = len(moderate_inputs(problem))
    if all(a and b and close(a * whole, 1, tolerance) and close(b * LEAST, 1, tolerance) for a, b in ratios):
        return Recognition(
            "it depends on its array's length: it is the problem divided by the number of inputs; leave out the division",
            of_array=True,
        )
    return None


def multiple(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a multiple of the problem: sign, another base, weights of the classes."""
    ratios = [ratio_of(p, tolerance) for p in hard]
    if any(r is None for r in ratios):
        return None
    known = [float(r) for r in ratios if r is not None]
    one = [close(r, 1, 2 * tolerance) for r in known]
    if all(one):
        return None
    if len(known) == 1 or close(known[0], known[1], tolerance):
        return _everywhere(problem, known[0], tolerance)
    negative, positive = known
    told = f"{_times(positive, one[1])} at y = 1, {_times(negative, one[0])} at y = 0"
    if 0.0 in known:
        missing = "y = 1" if positive == 0 else "y = 0"
        return Recognition(f"{told}: the term of {missing} is missing")
    if one[0]:
        option, like = f"--weights pos={written(positive)}", f"pos_weight = {written(positive)}"
    elif close(positive + negative, 1, 2 * tolerance):
        option, like = f"--weights alpha={written(positive)}", f"alpha = {written(positive)}"
    else:
        ratio = written(rounded(positive / negative, tolerance))
        option, like = f"--weights weight={written(negative)},pos={ratio}", "weights of the classes"
    return replace(weighted_as(problem, option, f"{told}: this looks like {like}"), factor=told)


def _times(ratio: float, equal: bool) -> str:
    return "equal" if equal else f"{written(ratio)} times the problem"


def _everywhere(problem: Problem, ratio: float, tolerance: float) -> Recognition:
    if ratio == 0:
        return Recognition("0 everywhere")
    if ratio < 0 and not close(ratio, -1, APART * tolerance):
        return Recognition(
            f"{written(ratio)} times the problem everywhere: this looks like a missing minus, and a weight"
        )
    if close(ratio, -1, APART * tolerance):
        return Recognition("the problem with its sign turned, everywhere: this looks like a missing minus")
    told = f"{written(ratio)} times the problem everywhere"
    for value, base in BASES.items():
        if close(abs(ratio), value, tolerance):
            return Recognition(f"{told}, which is 1/ln {base}: this looks like logarithms to base {base}")
    option = f"--weights weight={written(ratio)}"
    return replace(weighted_as(problem, option, f"{told}: this looks like a weight"), factor=told)


def shifted(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a constant that is added to the problem."""
    shifts = []
    for p in hard:
        size = median(np.abs(p.exact))
        difference = p.given - p.exact
        if len(difference) < LEAST or np.ptp(difference) > 2 * tolerance * size:
            return None
        shifts.append(rounded(median(difference), tolerance))
    if not close(shifts[0], shifts[-1], 8 * tolerance):
        return None
    more = "more" if shifts[0] > 0 else "less"
    return Recognition(
        f"{written(abs(shifts[0]))} {more} than the problem everywhere: this looks like an added constant"
    )


def modulated(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise the focal loss: a multiple of the problem times (1 - p)^gamma, p being that of the true class."""
    if problem.input not in ("logit", "probability") or not problem.nonnegative:
        return None
    found = []
    for p in hard:
        wrong = p.x if problem.input == "probability" else 1 / (1 + np.exp(-p.x))
        wrong = 1 - wrong if p.target in (None, 1.0) else wrong
        own, none = _power(p.exact, wrong, TRACE)
        power, weight = _power(p.given, wrong, 2 * tolerance)
        if none != 1 or (power - own < max(0.1, 8 * tolerance) and own == 0):
            return None
        found.append((power, weight))
    gamma, weights = found[0][0], [w for _, w in found]
    if math.isnan(gamma) or not close(found[-1][0], gamma, 8 * tolerance):
        return None
    weight, none = weights[-1], close(weights[-1], 1, 8 * tolerance) and close(weights[0], 1, 8 * tolerance)
    alpha = len(weights) == 2 and not none and close(sum(weights), 1, 8 * tolerance)
    named = f"gamma = {written(gamma)}" + ("" if none else f", {'alpha' if alpha else 'weight'} = {written(weight)}")
    told = f"the cross-entropy times {'' if none else 'a weight and '}(1 - p)^{written(gamma)}"
    said = f"{told}, p being the probability of the true class: this looks like the focal loss with {named}"
    if not none and not alpha and not close(weights[0], weights[-1], 8 * tolerance):
        return Recognition(f"{said}, which the harness has with alpha alone")
    loss = "focal" if not problem.has_target else "focal_bce" if problem.input == "probability" else "focal_bce_logits"
    option = f"--problem {loss} --weights {named.replace(' ', '')}"
    return Recognition(f"{said}; check it with {option}", option)


def _power(values: Array, wrong: Array, tolerance: float) -> tuple[float, float]:
    """Return gamma and w where values are w q^gamma (-log(1 - q)), q being `wrong`; NaN where they are not.

    log(values / -log(1 - q)) = gamma log q + log w: two unknowns, which a line through all values has.
    """
    entropy = -np.log1p(-wrong)
    if not (values > 0).all():
        return math.nan, math.nan
    gamma, weight = (float(v) for v in np.polyfit(np.log(wrong), np.log(values / entropy), 1))
    gamma, weight = whole_or_rounded(gamma, tolerance), rounded(math.exp(weight), tolerance)
    fits = same(values, weight * wrong**gamma * entropy, tolerance)
    return (gamma, weight) if fits else (math.nan, math.nan)
