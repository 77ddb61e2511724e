"""Where the gradient of the focal loss stops being a number, and what it is at a logit of 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from mpmath import mp

from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import Format
from harness.problems import Problem, problem_named
from harness.sweep.grid import Grid
from harness.tables.rows import Case, Row
from harness.truth.certified import significant

Array = np.ndarray


def gradient_rows(fmt: Format) -> list[Row]:
    """Return a row for each gamma and each form: the last finite gradients on both sides, and the one at 0."""
    problems = [problem_named(name) for name in ("focal_grad", "focal_g0.5_grad")]
    return [_row(problem, kernel, fmt) for problem in problems for kernel in kernels_of(problem.name)]


def _row(problem: Problem, kernel: Kernel, fmt: Format) -> Row:
    grid = Grid("standard", problem, fmt)
    case = Case(problem, kernel.name, kernel, grid, None)
    exact, computed = case.exact(0), mp.mpf(float(case.compute(np.array([0]))[0]))
    return {
        "problem": problem.name,
        "kernel": kernel.name,
        "format": fmt.name,
        "finite_from": _last_finite(case, grid, -1),
        "finite_to": _last_finite(case, grid, 1),
        "at_0": significant(computed),
        "at_0_rel": significant(abs(computed - exact) / abs(exact)),
    }


def _last_finite(case: Case, grid: Grid, side: int) -> str:
    """Return the last logit on one side of 0 before the first with a gradient that is no number; empty where all are."""

    def finite(ordinals: Array) -> Array:
        return np.isfinite(case.compute(ordinals).astype(np.float64))

    visited = np.concatenate([b.ordinals for b in grid.blocks(grid.cells)])
    outward = visited[visited >= 0] if side > 0 else visited[visited < 0][::-1]
    bad = np.flatnonzero(~finite(outward))
    if not bad.size:
        return ""
    last = bisect(finite, int(outward[bad[0] - 1]), int(outward[bad[0]])) if bad[0] else int(outward[0])
    return grid.fmt.hex(grid.fmt.from_ordinal(np.array([last]))[0])


def bisect(holds: Callable[[Array], Array], good: int, bad: int) -> int:
    """Return an ordinal that holds next to one that does not, between one of each."""
    while abs(bad - good) > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(np.array([middle]))[0] else (good, middle)
    return good
