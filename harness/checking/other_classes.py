"""Guesses at a function of K classes that is another one: a multiple, smoothed labels, a mean, a loss of probabilities.

As for functions of one input (recognise.py), it is called on a few moderate rows, where every sensible formula is good
to some roundings, before any error is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from harness.checking.moderate import APART, COARSEST, ROUNDINGS, TRACE, Array, constant, same, written
from harness.checking.other_values import BASES
from harness.checking.recognition import Recognition
from harness.numbers.formats import Format
from harness.problems.classes import HESSIAN, ClassProblem

ROWS = 12
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
    return found_multiple


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
