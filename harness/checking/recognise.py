"""Tell a different function from an inexact one, before any error is measured.

A loss that weighs its positive examples by 3 is no wrong cross-entropy but another function, and an error of 10^7 ulp
says nothing of it.  So a function is first called at a few moderate inputs, where every sensible formula is good to some
roundings, and held against the problem and against what people compute in its place: a multiple of it, a weight for
one class, smoothed or inverted targets, other problems, swapped arguments, a mean.  Each guess has at most two
parameters, which few of the values fix and all others must then confirm to within roundings.  What no guess explains,
such as an eps within the log, is an error, and is measured as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.checking.moderate import (
    APART,
    COARSEST,
    LEAST,
    LOGITS,
    POSITIVE,
    PROBABILITIES,
    ROUNDINGS,
    SOFT,
    TRACE,
    Array,
    Call,
    ModerateValues,
    close,
    exactly,
    moderate_inputs,
    moderate_values,
    ratio_of,
    rounded,
    same,
    written,
)
from harness.numbers.formats import Format
from harness.problems import PROBLEMS, Problem

Guess = Callable[[], "Recognition | None"]

TARGET = 2.0**-4  # to this, guesses at targets agree with each other, whatever the format


@dataclass(frozen=True)
class Recognition:
    """Say which other function a function is: in a sentence, and with the option under which it is checked, if any.

    `of_array` tells that it is no function of one input at all, but of the array: a mean, or divided by the size.
    """

    sentence: str
    option: str = ""
    of_array: bool = False


def recognise(problem: Problem, fmt: Format, call: Call) -> Recognition | None:
    """Return which other function `call` is, None where it is the problem or nothing that is known.

    `call(x)` or `call(x, y)` takes arrays of shape (n,) of the format and returns one of n values; what it raises is
    passed on.
    """
    tolerance = min(max(ROUNDINGS * fmt.machine_epsilon, TRACE), COARSEST)
    hard = [moderate_values(problem, fmt, call, t) for t in ((0.0, 1.0) if problem.has_target else (None,))]
    if all(same(p.given, p.exact, APART * tolerance) for p in hard):
        return _between(problem, fmt, call, tolerance) if problem.has_target else None
    everywhere = all(len(p.x) >= LEAST for p in hard)  # and not NaN, as logits given to a loss of probabilities are
    guesses: list[Guess] = (
        [
            lambda: _reduced(problem, hard, tolerance),
            lambda: _by_size(problem, fmt, call, hard, tolerance),
            lambda: _multiple(problem, hard, tolerance),
        ]
        if everywhere
        else []
    )
    if "@" in problem.name:  # of a weighted problem the plain one is no multiple
        guesses.insert(0, lambda: _another(problem, fmt, call, tolerance))
    if tolerance < COARSEST:
        guesses += [lambda: _another(problem, fmt, call, tolerance), lambda: _swapped(problem, fmt, call, tolerance)]
    if tolerance < COARSEST and everywhere:
        guesses += [
            lambda: _targets(problem, hard, tolerance),
            lambda: _labels(problem, hard, tolerance),
            lambda: _mirrored(problem, hard, tolerance),
            lambda: _squashed(problem, hard, tolerance),
            lambda: _modulated(problem, hard, tolerance),
            lambda: _scaled(problem, hard, tolerance),
            lambda: _shifted(problem, hard, tolerance),
        ]
    return next((found for guess in guesses if (found := guess()) is not None), None)


# -- guesses ----------------------------------------------------------------------------------------

BASES = {1 / math.log(2): "2", 1 / math.log(10): "10"}


def _reduced(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a mean or a sum over the array, given for every element."""
    for name, reduce in (("mean", np.mean), ("sum", np.sum)):
        values = [(p.given, np.full_like(p.exact, reduce(p.exact))) for p in hard]
        spread = all(float(np.ptp(p.exact)) > 0 and float(np.ptp(p.given)) == 0 for p in hard)
        if spread and all(same(a, b, tolerance) for a, b in values):
            said = f"it depends on the other elements of its array: every result is the {name} of the problem's values"
            told = f"{said}; return one value for each input, or check the {name} itself with --reduction {name}"
            return Recognition(told, f"--reduction {name}", True)
    return None


def _by_size(
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


def _multiple(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a multiple of the problem: sign, another base, weights of the classes."""
    ratios = [ratio_of(p, tolerance) for p in hard]
    if any(r is None for r in ratios):
        return None
    known = [float(r) for r in ratios if r is not None]
    one = [close(r, 1, 2 * tolerance) for r in known]
    if all(one):
        return None
    if len(known) == 1 or close(known[0], known[1], tolerance):
        return _everywhere(known[0], tolerance)
    negative, positive = known
    told = f"{_times(positive, one[1])} at y = 1, {_times(negative, one[0])} at y = 0"
    if 0.0 in known:
        missing = "y = 1" if positive == 0 else "y = 0"
        return Recognition(f"{told}: the term of {missing} is missing")
    if one[0]:
        option = f"--weights pos={written(positive)}"
        return Recognition(f"{told}: this looks like pos_weight = {written(positive)}; check it with {option}", option)
    if close(positive + negative, 1, 2 * tolerance):
        option = f"--weights alpha={written(positive)}"
        return Recognition(f"{told}: this looks like alpha = {written(positive)}; check it with {option}", option)
    option = f"--weights weight={written(negative)},pos={written(rounded(positive / negative, tolerance))}"
    return Recognition(f"{told}: this looks like weights of the classes; check it with {option}", option)


def _times(ratio: float, equal: bool) -> str:
    return "equal" if equal else f"{written(ratio)} times the problem"


def _everywhere(ratio: float, tolerance: float) -> Recognition:
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
    return Recognition(f"{told}: this looks like a weight; check it with {option}", option)


def _targets(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise other targets: inverted, smoothed, or −1 and 1; where the problem is linear in its target."""
    if len(hard) != 2 or not _linear(problem) or len(hard[0].x) != len(hard[1].x):
        return None
    zero, one = hard
    slope, near = one.exact - zero.exact, min(4 * tolerance, TARGET)
    kept = np.abs(slope) > np.median(np.abs(slope)) / 4
    effective = []
    for p in hard:
        # What the values leave open of a target is absolute, not relative.
        t = ((p.given - zero.exact)[kept]) / slope[kept]
        if len(t) < LEAST or np.ptp(t) > near:
            return None
        effective.append(_target(float(np.median(t)), near))
    low, high = effective
    if (low, high) == (0.0, 1.0):
        return None
    if (low, high) == (1.0, 0.0):
        return Recognition(
            "the problem with 0 and 1 exchanged in the targets: this looks like 1 - y for y, or -x for x"
        )
    told = f"the targets 0 and 1 taken as {written(low)} and {written(high)}"
    if low == high:
        return Recognition(f"{told}: the target is not used")
    if (low, high) == (-1.0, 1.0):
        return Recognition(f"{told}: this looks like 2y - 1 in the place of y")
    if abs(low + high - 1) <= 2 * near and 0 < low < 0.5:
        smoothing = written(rounded(2 * low, near))
        option = f"--weights smoothing={smoothing}"
        return Recognition(f"{told}: this looks like label smoothing {smoothing}; check it with {option}", option)
    return Recognition(f"{told}: this looks like smoothed targets; smooth them before the loss")


def _target(value: float, near: float) -> float:
    """Return a target as people write it, if one is within `near`."""
    whole = float(round(value))
    return whole if abs(value - whole) <= near else rounded(value, near)


def _labels(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a loss for the labels -1 and 1: log(1 + e^(-y x)) is log 2 for the label 0."""
    if problem.input != "logit" or len(hard) != 2 or not same(hard[1].given, hard[1].exact, tolerance):
        return None
    if not same(hard[0].given, np.full_like(hard[0].given, math.log(2)), tolerance):
        return None
    return Recognition("log 2 for every input at y = 0: this looks like a loss for targets -1 and 1; give it 2y - 1")


def _between(problem: Problem, fmt: Format, call: Call, tolerance: float) -> Recognition | None:
    """Recognise another problem that differs from this one at soft targets alone, as a divergence does."""
    if tolerance >= COARSEST:
        return None
    soft = [moderate_values(problem, fmt, call, t) for t in SOFT]
    if all(same(p.given, p.exact, APART * tolerance) for p in soft):
        return None
    for other in PROBLEMS.values():
        if other.name == problem.name or not other.has_target or other.input != problem.input:
            continue
        if all(same(p.given, exactly(other, p.x, p.target), tolerance) for p in soft):
            told = f"equal at y = 0 and y = 1, but at soft targets the values of {other.name}"
            return Recognition(f"{told}; check it with --problem {other.name}", f"--problem {other.name}")
    return None


def _linear(problem: Problem) -> bool:
    x = moderate_inputs(problem)
    low, high, half = (exactly(problem, x, t) for t in (0.0, 1.0, 0.5))
    return bool(np.allclose((low + high) / 2, half, rtol=1e-9, atol=1e-12))


def _mirrored(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
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


def _another(problem: Problem, fmt: Format, call: Call, tolerance: float) -> Recognition | None:
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


def _shared(problem: Problem, other: Problem) -> Array:
    """Return inputs that lie inside both problems' domains."""
    lo, hi = (f(a, b) for f, a, b in zip((max, min), problem.domain, other.domain))
    return np.array([v for v in sorted({*PROBABILITIES, *POSITIVE, *LOGITS}) if lo < v < hi])


def _kind(problem: Problem, other: Problem) -> str:
    if other.input != problem.input and {other.input, problem.input} == {"logit", "probability"}:
        return f": the input is taken for a {other.input}, not for a {problem.input}"
    return ", not of this problem"


def _swapped(problem: Problem, fmt: Format, call: Call, tolerance: float) -> Recognition | None:
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


def _squashed(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a sigmoid taken twice: the loss of sigmoid(x) where x is the logit already."""
    if problem.input != "logit":
        return None
    sigmoid = [1 / (1 + np.exp(-p.x)) for p in hard]
    if all(same(p.given, exactly(problem, s, p.target), tolerance) for p, s in zip(hard, sigmoid)):
        return Recognition("the problem at sigmoid(x): this looks like a sigmoid taken twice; leave one out")
    return None


def _modulated(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
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
    asked = named.replace(" ", "")
    option = f"--problem {'focal_bce_logits' if problem.has_target else 'focal'} --weights {asked}"
    if problem.input == "probability" or (len(weights) == 2 and not none and not alpha):
        return Recognition(f"{said}, of which the harness has the form from logits")
    return Recognition(f"{said}; check it with {option}", option)


def _power(values: Array, wrong: Array, tolerance: float) -> tuple[float, float]:
    """Return gamma and w where values are w q^gamma (-log(1 - q)), q being `wrong`; NaN where they are not.

    log(values / -log(1 - q)) = gamma log q + log w: two unknowns, which a line through all values has.
    """
    entropy = -np.log1p(-wrong)
    if not (values > 0).all():
        return math.nan, math.nan
    gamma, weight = (float(v) for v in np.polyfit(np.log(wrong), np.log(values / entropy), 1))
    gamma, weight = _target(gamma, tolerance), rounded(math.exp(weight), tolerance)
    fits = same(values, weight * wrong**gamma * entropy, tolerance)
    return (gamma, weight) if fits else (math.nan, math.nan)


def _scaled(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise f(k x) and f(k x) / k: a temperature, or a beta."""
    if problem.input == "probability" or not math.isinf(problem.domain[0]):
        return None
    for divided in (False, True):
        for k in _factors(problem, hard[0], divided):
            pairs = [(p.given, exactly(problem, k * p.x, p.target) / (k if divided else 1)) for p in hard]
            if all(same(a, b, tolerance) for a, b in pairs):
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


def _shifted(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a constant that is added to the problem."""
    shifts = []
    for p in hard:
        size = float(np.median(np.abs(p.exact)))
        difference = p.given - p.exact
        if len(difference) < LEAST or np.ptp(difference) > 2 * tolerance * size:
            return None
        shifts.append(rounded(float(np.median(difference)), tolerance))
    if not close(shifts[0], shifts[-1], 8 * tolerance):
        return None
    more = "more" if shifts[0] > 0 else "less"
    return Recognition(
        f"{written(abs(shifts[0]))} {more} than the problem everywhere: this looks like an added constant"
    )
