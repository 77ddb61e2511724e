"""Guesses at a function of K classes that is another one: a multiple, smoothed labels, a mean, a loss of probabilities.

As for functions of one input (recognise.py), it is called on a few moderate rows, where every sensible formula is good
to some roundings, before any error is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from harness.checking.moderate import (
    APART,
    BOUNDS,
    COARSEST,
    ROUNDINGS,
    TRACE,
    Array,
    ModerateValues,
    constant,
    rounded,
    same,
    solved,
    written,
)
from harness.checking.other_values import BASES
from harness.checking.recognition import Recognition
from harness.numbers.formats import Format
from harness.problems.classes import HESSIAN, ClassProblem

ROWS = 12
SHIFTS = 4  # how often each label is tried, with another row each time
UNDECLARED = "a function of K classes cannot be declared, so its own errors are not measured"
Call = Callable[[Array, "Array | None"], Array]


def moderate_rows(fmt: Format, classes: int, probabilities: bool) -> Array:
    """Return rows of logits between -5/4 and 5/4, or of numbers that are probabilities, too; no two alike."""
    i, j = np.arange(ROWS)[:, None], np.arange(classes)[None, :]
    x = ((7 * i + 5 * j + i * j) % 11 - 5) / 4
    if probabilities:
        x = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    return x.astype(fmt.dtype)


def exact_losses(x: Array) -> Array:
    """Return the cross-entropy of every class of rows of moderate logits, in float64."""
    wide = x.astype(np.float64)
    return np.log(np.exp(wide).sum(axis=1, keepdims=True)) - wide


def recognise_classes(problem: ClassProblem, fmt: Format, classes: int, labels: str, call: Call) -> Recognition | None:
    """Return which other function of K classes `call(logits, labels)` is, None where it is the problem or nothing known.

    A loss is asked with hard labels, given as class numbers or one-hot; derivatives are held against their multiples alone.
    """
    tolerance = min(max(ROUNDINGS * fmt.machine_epsilon, TRACE), COARSEST)
    at = np.arange(ROWS) % classes
    hot = np.eye(classes)[at]
    given_labels = None if not problem.has_target else at if labels == "integer" else hot.astype(fmt.dtype)
    found = []
    for probabilities in (False, True):
        x = moderate_rows(fmt, classes, probabilities)
        with np.errstate(all="ignore"):
            given = np.asarray(call(x, given_labels)).astype(np.float64)
        losses = exact_losses(x)
        found.append((x.astype(np.float64), given, losses, _exact(problem, losses, x, hot)))
    x, given, losses, exact = found[0]
    if same(given.ravel(), exact.ravel(), APART * tolerance):
        return None
    if problem.has_target and not problem.each_class:
        x, given_p, *_ = found[1]
        if same(given_p, -np.log(x[np.arange(ROWS), at]), tolerance):
            return Recognition(
                "a loss of probabilities: it takes what is given for them; give it softmax(x), or check a function of logits"
            )
        smoothing = _smoothing(given, losses, at, tolerance)
        if smoothing:
            return smoothing
    if same(given.ravel(), np.full(given.size, exact.mean()), tolerance):
        return Recognition(
            "every result is the mean of the problem's values; check it with --reduction mean", "--reduction mean", True
        )
    found_multiple = _multiple(given.ravel(), exact.ravel(), tolerance)
    if found_multiple and problem.name == HESSIAN and same(given.ravel(), 2 * exact.ravel(), tolerance):
        return Recognition(
            "2 times the diagonal of the second derivatives: XGBoost takes 2 p (1 - p), a bound of the whole matrix, for it; "
            "halve it to have its errors measured"
        )
    if found_multiple is None and problem.has_target and not problem.each_class:
        found_multiple = _by_label(fmt, classes, labels, call, at, tolerance)
    return found_multiple or _further(problem, fmt, found[0], at, tolerance)


def _by_label(fmt: Format, classes: int, labels: str, call: Call, at: Array, tolerance: float) -> Recognition | None:
    """Recognise a factor for each label: weights of the classes, or a label that is ignored."""
    x = moderate_rows(fmt, classes, False)
    losses = exact_losses(x)
    ratios: dict[int, list[float]] = {}
    for shift in range(SHIFTS):
        label = (at + shift) % classes
        given_labels = label if labels == "integer" else np.eye(classes)[label].astype(fmt.dtype)
        with np.errstate(all="ignore"):
            given = np.asarray(call(x, given_labels)).astype(np.float64)
        for c, ratio in zip(label, given / losses[np.arange(ROWS), label]):
            ratios.setdefault(int(c), []).append(float(ratio))
    known = {c: float(np.median(r)) for c, r in sorted(ratios.items())}
    if any(
        not np.isfinite(r).all() or max(abs(v - known[c]) for v in r) > tolerance * max(known[c], 1)
        for c, r in ratios.items()
    ):
        return None
    ignored = [c for c, factor in known.items() if factor == 0]
    if ignored and all(abs(factor - 1) <= tolerance for factor in known.values() if factor):
        which = ", ".join(map(str, ignored))
        return Recognition(
            f"0 for every row with the label {which}, the problem elsewhere: this looks like ignore_index = {which}; "
            "check it with an index that is no class"
        )
    factors = ", ".join(written(rounded(factor, tolerance)) for factor in known.values())
    return Recognition(
        f"the problem times {factors} for the labels {', '.join(map(str, known))}: this looks like weights of the classes; "
        "leave them out"
    )


def _further(
    problem: ClassProblem, fmt: Format, seen: tuple[Array, Array, Array, Array], at: Array, tolerance: float
) -> Recognition | None:
    """Recognise a published loss, or a function that is another one without a name; imported where it is needed."""
    from harness.checking.other_losses import published_loss
    from harness.checking.unnamed import difference, far_apart, farthest, within_log

    if tolerance >= COARSEST:
        return None
    x, given, losses, exact = seen
    if problem.has_target and not problem.each_class:
        chances = np.exp(-losses)
        own = chances[np.arange(ROWS), at]
        probe = ModerateValues(np.log(own) - np.log1p(-own), None, given, exact)
        named = published_loss(
            [probe], [_terms(x, losses, chances, own)], tolerance, ROUNDINGS * fmt.machine_epsilon, UNDECLARED
        ) or _of_logits(x, given, at, tolerance)
        if named:
            return named
        if within_log(given, exact, tolerance):
            return None
    if not far_apart(given.ravel(), exact.ravel(), tolerance):
        return None
    i = farthest(given.ravel(), exact.ravel()) // (given.size // ROWS)
    where = f"the logits {' '.join(f'{v:g}' for v in x[i])}" + (f", label {at[i]}" if problem.has_target else "")
    return Recognition(
        difference(given.ravel(), exact.ravel(), where, tolerance, f"correct it, if it is not meant; {UNDECLARED}")
    )


def _terms(x: Array, losses: Array, chances: Array, own: Array) -> Mapping[str, Array]:
    """Return what may be added to a cross-entropy of K classes, by the names of other_losses.py."""
    squares = (chances**2).sum(axis=1) - 2 * own + 1
    log_sum = (losses + x)[:, 0]
    terms = {"(1 - p)": 1 - own, "(1 - p)^2": (1 - own) ** 2, "H(p)": (chances * losses).sum(axis=1)}
    return {**terms, "lse^2": log_sum**2, "sum (p_i - t_i)^2": squares}


def _of_logits(x: Array, given: Array, at: Array, tolerance: float) -> Recognition | None:
    """Recognise the loss of other logits: softmax(x), k x, a temperature of 1 / k, or c tanh(x / c)."""
    rows = np.arange(ROWS)
    chances = np.exp(-exact_losses(x))
    if same(given, exact_losses(chances)[rows, at], tolerance):
        return Recognition(
            "the problem at softmax(x): this looks like a softmax taken twice; give it the logits themselves"
        )
    if same(given, -chances[rows, at], tolerance):
        return Recognition("-p, p being the probability of the true class: this looks like a missing logarithm")
    i = int(np.argmax(np.abs(exact_losses(x)[rows, at] - math.log(x.shape[1]))))
    forms: Sequence[tuple[Callable[[float], Array], tuple[float, float], Callable[[float], str]]] = (
        (lambda k: k * x, (0.05, 20.0), lambda k: f"{written(k)} x: this looks like a temperature of {written(1 / k)}"),
        (lambda c: c * np.tanh(x / c), BOUNDS, lambda c: f"c tanh(x / c), c = {written(c)}: this looks like bounded logits"),
    )  # fmt: skip
    for logits, ends, said in forms:
        found = solved(lambda k: float(exact_losses(logits(k))[i, at[i]] - given[i]), ends)  # noqa: B023 - called here
        found = rounded(found, 8 * tolerance)
        if math.isfinite(found) and same(given, exact_losses(logits(found))[rows, at], tolerance):
            return Recognition(f"the problem at {said(found)}; {UNDECLARED}")
    return None


def _exact(problem: ClassProblem, losses: Array, x: Array, hot: Array) -> Array:
    wide = x.astype(np.float64)
    if problem.each_class:
        share = np.exp(-losses)
        if problem.name == HESSIAN:
            return share * (1 - share)
        return share - hot if problem.has_target else share
    return (losses * hot).sum(axis=1) if problem.has_target else (losses + wide)[:, 0]


def _smoothing(given: Array, losses: Array, at: Array, tolerance: float) -> Recognition | None:
    """Recognise (1 - s) L_c + s mean of all L: labels that are smoothed inside the loss."""
    own, mean = losses[np.arange(ROWS), at], losses.mean(axis=1)
    kept = np.abs(mean - own) > np.median(np.abs(mean - own)) / 4
    if kept.sum() < ROWS // 2:
        return None
    s = float(np.median((given - own)[kept] / (mean - own)[kept]))
    s = float(f"{s:.2g}") if math.isfinite(s) else 0.0
    if not 0 < s <= 1 or not same(given, own + s * (mean - own), tolerance):
        return None
    option = f"--weights smoothing={written(s)}"
    return Recognition(
        f"the labels are smoothed: this looks like label smoothing {written(s)}; check it with {option}", option
    )


def _multiple(given: Array, exact: Array, tolerance: float) -> Recognition | None:
    kept = np.abs(exact) > np.median(np.abs(exact)) / 4
    with np.errstate(all="ignore"):
        ratio = constant(given[kept] / exact[kept], tolerance)
    if ratio is None or not same(given, ratio * exact, tolerance):
        return None
    if abs(ratio + 1) <= APART * tolerance:
        return Recognition("the problem with its sign turned, everywhere: this looks like a missing minus")
    told = f"{written(ratio)} times the problem everywhere"
    for value, base in BASES.items():
        if abs(abs(ratio) - value) <= tolerance * value:
            return Recognition(f"{told}, which is 1/ln {base}: this looks like logarithms to base {base}")
    return Recognition(f"{told}: this looks like a weight; leave it out")
