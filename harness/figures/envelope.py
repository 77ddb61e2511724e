"""The condition envelope along the input: what an input that is off by half an ulp costs as a rule, whatever computes with it.

With κ the condition number (explain/condition.py) that is κ/4 to κ ulp, to first order.  The envelope max(½, κ/2) is
within a factor of two of it, and no bound: an error above twice the envelope is the kernel's own.  The envelope is a matter of the problem and the target alone, and the same in every format.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from harness.explain.condition import condition
from harness.figures.axes import REAL_KNOTS, InputAxis
from harness.problems import Problem, problem_named

Array = np.ndarray

POINTS = 72  # along a panel, at even distances


def envelope(problem: Problem, target: str | None) -> tuple[Array, Array]:
    """Return positions on the axis and max(½, κ/2) in ulp there, left to right; points without a κ are left out.

    None at all where the problem has a target and a panel is of several.
    """
    if problem.has_target and target is None:
        return np.empty(0), np.empty(0)
    at, ulp = _envelope(problem.name, target)
    return np.array(at), np.array(ulp)


@lru_cache(maxsize=64)
def _envelope(problem_name: str, target: str | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    problem = problem_named(problem_name)
    axis = InputAxis(problem)
    given = () if target is None else (float(target),)
    found = []
    for at in np.linspace(*axis.reach, POINTS):
        x = float(axis.value(at))
        if problem.input != "probability" and abs(at) < REAL_KNOTS[0][1]:
            continue  # nearer to 0 than formats have a common place
        if problem.domain[0] < x < problem.domain[1] and x:
            kappa = condition(problem, x, *given)
            if not math.isnan(float(kappa)):
                found.append((float(at), max(0.5, float(kappa) / 2)))
    return tuple(at for at, _ in found), tuple(ulp for _, ulp in found)
