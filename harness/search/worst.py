"""Search for the worst input of a kernel, or for its worst pair of input and target."""

from __future__ import annotations

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search.along import search_along
from harness.search.joint import search_jointly
from harness.search.lines import Line
from harness.search.visits import Found


def search(
    problem: Problem, kernel: Kernel, fmt: Format, target: np.generic | None, budget: int = 1 << 20, seed: int = 0
) -> Found:
    """Return the worst input found with about `budget` evaluations; deterministic under the seed.

    With `target` None, a problem that has a target is searched over inputs and targets together.
    """
    if problem.has_target and target is None:
        return search_jointly(problem, kernel, fmt, budget, seed)
    return search_along(Line(problem, fmt, target), kernel, budget, seed)
