"""Tell a function that is another one, though no guess names it, from one that is inexact.

An inexact function is the problem somewhere: outside of a clamp, on one side of a cutoff; or it is near it everywhere, as with
an eps within the log; or its error goes up and down, as that of rounding and of tables does.  What differs by a thirtieth and
more at most moderate inputs, along a smooth curve, and agrees almost nowhere, is none of these: no formula of the problem
loses so much there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.checking.moderate import (
    APART,
    LEAST,
    Array,
    Call,
    ModerateValues,
    median,
    moderate_inputs,
    moderate_values,
)
from harness.checking.other_losses import DECLARE
from harness.checking.recognition import Recognition
from harness.numbers.formats import Format
from harness.problems import Problem

FAR = 2.0**-5  # by which another function differs, relatively, at half of the inputs at least
AGREEING = 0.25  # the share of inputs at which it may agree with the problem: where the two cross
MOST_EPS = 2.0**-4  # no one adds a larger eps within a log
MEANT = f"correct it, or, where it is meant, {DECLARE}"
STEPS = 64  # of a line through the moderate inputs, along which the difference is looked at
TURNS = 4.0  # ways up and down that a smooth difference goes, in its largest size: rounding and tables go many more


def unnamed(
    problem: Problem, fmt: Format, call: Call, hard: Sequence[ModerateValues], tolerance: float
) -> Recognition | None:
    """Return that `call` is no form of the problem, and where it differs most; None where it may be one."""
    if any(within_log(p.given, p.exact, tolerance) for p in hard):
        return None
    found = [p for p in hard if far_apart(p.given, p.exact, tolerance) and _smooth(problem, fmt, call, p, tolerance)]
    if not found:
        return None
    p, i = max(
        ((p, farthest(p.given, p.exact)) for p in found), key=lambda of: _differences(of[0].given, of[0].exact)[of[1]]
    )
    at = f"{problem.variable} = {p.x[i]:g}" + ("" if p.target is None else f", y = {p.target:g}")
    return Recognition(difference(p.given, p.exact, at, tolerance), at=(float(p.x[i]), p.target))


def difference(given: Array, exact: Array, at: str, tolerance: float, further: str = MEANT) -> str:
    """Write that a function is another one by its values at moderate inputs, of which `at` is where it differs most."""
    off, i, far = _differences(given, exact), farthest(given, exact), least_far(tolerance)
    told = f"it gives {given[i]:.4g} for {exact[i]:.4g} at {at}, and is off by more than {100 * far:.0f} % at {(off > far).sum()}"
    counted = f"{told} of the {len(off)} moderate inputs tried, which no rounding explains"
    return f"{counted}; {further}"


def least_far(tolerance: float) -> float:
    """Return the relative difference beyond which a value is another function's."""
    return max(FAR, APART * tolerance)


def far_apart(given: Array, exact: Array, tolerance: float) -> bool:
    """Tell whether values are far from the exact ones at half of the inputs at least, and near them at few."""
    if len(given) < LEAST:
        return False
    off = _differences(given, exact)
    return bool((off > least_far(tolerance)).mean() >= 0.5 and (off <= tolerance).mean() <= AGREEING)


def farthest(given: Array, exact: Array) -> int:
    """Return the place of the largest difference, relative to the values' size."""
    return int(np.argmax(_differences(given, exact)))


def _differences(given: Array, exact: Array) -> Array:
    return np.abs(given - exact) / np.maximum(np.abs(exact), max(median(np.abs(exact)) / 4, 1e-300))


def within_log(given: Array, exact: Array, tolerance: float) -> bool:
    """Tell whether values are -log(p + eps) where the exact ones are -log p."""
    if len(given) < LEAST or (exact < 0).any():
        return False
    eps = np.exp(-given) - np.exp(-exact)
    middle = median(eps)
    return bool(0 < middle <= MOST_EPS and np.abs(eps - middle).max() <= max(middle / 4, tolerance))


def _smooth(problem: Problem, fmt: Format, call: Call, p: ModerateValues, tolerance: float) -> bool:
    """Tell whether the difference from the problem runs up and down a few times at most along the moderate inputs."""
    ends = moderate_inputs(problem)
    line = moderate_values(problem, fmt, call, p.target, np.linspace(ends.min(), ends.max(), STEPS + 1))
    off = line.given - line.exact
    largest = float(np.abs(off).max(initial=0))
    return largest > 0 and float(np.abs(np.diff(off)).sum()) <= TURNS * largest
