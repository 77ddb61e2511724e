"""Tell a different function from an inexact one, before any error is measured.

A loss that weighs its positive examples by 3 is no wrong cross-entropy but another function, and an error of 10^7 ulp
says nothing of it.  So a function is first called at a few moderate inputs, where every sensible formula is good to some
roundings, and held against the problem and against what people compute in its place: a multiple of it, a weight for
one class, smoothed or inverted targets, other problems, swapped arguments, a mean.  Each guess has at most two
parameters, which few of the values fix and all others must then confirm to within roundings.  What no guess explains,
such as an eps within the log, is an error, and is measured as one.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.checking.moderate import (
    APART,
    COARSEST,
    LEAST,
    Call,
    ModerateValues,
    moderate_values,
    same,
    tolerance_of,
)
from harness.checking.other_inputs import another_problem, mirrored, other_domain, scaled, squashed, swapped
from harness.checking.other_targets import between_targets, other_targets, signed_labels, smoothed_and_weighted
from harness.checking.other_values import by_size, modulated, multiple, reduced, shifted
from harness.checking.recognition import Recognition
from harness.numbers.formats import Format
from harness.problems import Problem

Guess = Callable[[], Recognition | None]


def recognise(problem: Problem, fmt: Format, call: Call, soft: bool = True) -> Recognition | None:
    """Return which other function `call` is, None where it is the problem or nothing that is known.

    `call(x)` or `call(x, y)` takes arrays of shape (n,) of the format and returns one of n values; what it raises is
    passed on.  `soft` tells whether what it gives at soft targets matters: where just hard ones are asked for, it does not.
    """
    tolerance = tolerance_of(fmt)
    hard = [moderate_values(problem, fmt, call, t) for t in ((0.0, 1.0) if problem.has_target else (None,))]
    if all(same(p.given, p.exact, APART * tolerance) for p in hard):
        return between_targets(problem, fmt, call, tolerance) if problem.has_target and soft else None
    everywhere = all(len(p.x) >= LEAST for p in hard)  # and not NaN, as logits given to a loss of probabilities are
    guesses: list[Guess] = (
        [
            lambda: reduced(problem, hard, tolerance),
            lambda: by_size(problem, fmt, call, hard, tolerance),
            lambda: multiple(problem, hard, tolerance),
        ]
        if everywhere
        else []
    )
    if "@" in problem.name:  # of a weighted problem the plain one is no multiple
        guesses.insert(0, lambda: another_problem(problem, fmt, call, tolerance))
    if tolerance < COARSEST:
        guesses += [
            lambda: another_problem(problem, fmt, call, tolerance),
            lambda: swapped(problem, fmt, call, tolerance),
            lambda: other_domain(problem, fmt, call, hard, tolerance),
        ]
    if tolerance < COARSEST and everywhere:
        guesses += [
            lambda: other_targets(problem, hard, tolerance),
            lambda: smoothed_and_weighted(problem, hard, tolerance),
            lambda: signed_labels(problem, hard, tolerance),
            lambda: mirrored(problem, hard, tolerance),
            lambda: squashed(problem, hard, tolerance),
            lambda: modulated(problem, hard, tolerance),
            lambda: scaled(problem, hard, tolerance),
            lambda: shifted(problem, hard, tolerance),
        ]
    if tolerance < COARSEST and everywhere:
        guesses += _further(problem, fmt, call, hard, tolerance)
    return next((found for guess in guesses if (found := guess()) is not None), None)


def _further(problem: Problem, fmt: Format, call: Call, hard: list[ModerateValues], tolerance: float) -> list[Guess]:
    """Return the guesses that are left where the function is no change of the problem; imported where one is needed."""
    from harness.checking.other_losses import other_loss
    from harness.checking.unnamed import unnamed

    return [lambda: other_loss(problem, fmt, hard, tolerance), lambda: unnamed(problem, fmt, call, hard, tolerance)]
