"""Find the form that avoids an error: a built-in kernel of the same problem that is right at this input."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.sweep.tally import bad_points
from harness.truth.certified import error_in_ulp, truth
from harness.truth.errors import measure
from harness.truth.fast import evaluate

BUDGET = 4.0  # ulps
SPREAD = 256  # inputs besides the critical points that a ranking looks at

Array = np.ndarray


def compute(function: Callable[..., Any], *inputs: Array) -> Array:
    """Run a kernel on inputs of shape (1, n) and a target of shape (1, 1); shape (n,)."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(function(*inputs), inputs[0].shape)[0]


def total_ulp(fmt: Format, computed: float, exact: mpmath.mpf) -> mpmath.mpf:
    """Return the error of a computed value in ulps; 0 where an overflow is the correct rounding.

    Infinite where just one of the two is finite, or the computed value is NaN.
    """
    if math.isfinite(computed) and mpmath.isfinite(exact):
        return error_in_ulp(fmt, computed, exact)
    return mp.mpf(0) if np.array_equal(computed, float(fmt.round(exact)), equal_nan=True) else mp.inf


def critical(problem: Problem, fmt: Format) -> Array:
    """Return the problem's critical points as numbers of the format."""
    points = {float(fmt.round(v)) for v in problem.critical_points(fmt)}
    return np.array(sorted(v for v in points if math.isfinite(v))).astype(fmt.dtype)


@lru_cache(maxsize=4096)  # many kernels are worst at the same input
def exact_at(problem_name: str, values: tuple[float, ...]) -> mpmath.mpf:
    """Return the truth at an input, and target."""
    return truth(problem_named(problem_name), tuple(mp.mpf(v) for v in values))


@lru_cache(maxsize=4096)
def remedy(problem_name: str, format_name: str, values: tuple[float, ...]) -> str | None:
    """Name a built-in kernel within 4 ulp at this very input: of those, the one that fails least elsewhere.

    Many a bad kernel happens to be right at one input; such a one is no advice.
    """
    fmt, exact = format_named(format_name), exact_at(problem_name, values)
    inputs = tuple(np.full((1, 1), v).astype(fmt.dtype) for v in values)
    for kernel in _ranking(problem_name, format_name):
        if total_ulp(fmt, float(compute(kernel, *inputs).item()), exact) <= BUDGET:
            return kernel.name
    return None


@cache
def _ranking(problem_name: str, format_name: str) -> list[Kernel]:
    """Return a problem's kernels, first those that break the budget at the fewest of some hundred inputs."""
    problem, fmt, kernels = problem_named(problem_name), format_named(format_name), kernels_of(problem_name)
    first, last = fmt.finite_ordinals(*problem.domain)
    spread = fmt.from_ordinal(np.linspace(first, last - 1, SPREAD).astype(np.int64))
    x = np.unique(np.append(spread, critical(problem, fmt)).astype(np.float64)).astype(fmt.dtype)[None, :]
    # A kernel that is good for one target alone is no advice: hard ones, soft ones, and next to 1.
    targets = np.array([[0.0], [0.05], [0.5], [fmt.next_down(1.0)], [1.0]]).astype(fmt.dtype)
    inputs = (x, targets) if problem.has_target else (x,)
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, *inputs)
        shape = exact.value.shape
        measured = [measure(np.broadcast_to(k(*inputs), shape), exact, problem.nonnegative) for k in kernels]
    bad = [sum(int(bad_points(m, t, slice(None), BUDGET).sum()) for t in range(shape[0])) for m in measured]
    return [k for _, k in sorted(zip(bad, kernels), key=lambda pair: pair[0])]
