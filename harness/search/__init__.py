"""Search for a kernel's worst input where not every input can be visited: in float64, and over inputs and targets together.

`search_worst` finds the worst input of one kernel.  space.py has what is searched; along.py and joint.py are the
two methods; noise.py looks for where errors that look random are largest, windows.py and pairs.py climb to the worst
of them, race.py tries bad inputs with many targets, interpolation.py looks at many inputs from a few exact values;
published.py has the inputs that others have found, exchange.py tries each row's on all; job.py runs an experiment's
searches, table.py makes their table.
"""

from __future__ import annotations

import zlib

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search.along import search_along
from harness.search.joint import search_jointly
from harness.search.space import SearchLine, SearchResult

__all__ = ["SearchResult", "search_worst"]


def search_worst(
    problem: Problem, kernel: Kernel, fmt: Format, target: np.generic | None, budget: int = 1 << 20, seed: int = 0
) -> SearchResult:
    """Search for the input of a kernel's largest ulp error with about `budget` evaluations.

    With `target` None, a problem that has a target is searched over inputs and targets in [0, 1] together.
    What is found is a lower bound of the maximum; it is deterministic under the seed.  Another kernel or
    target is searched at other points, so that what is found for one can be new to the other: see exchange.py.
    """
    seeds = (seed, zlib.crc32(f"{problem.name} {kernel.name} {fmt.name} {target}".encode()))
    if problem.has_target and target is None:
        return search_jointly(problem, kernel, fmt, budget, seeds)
    return search_along(SearchLine(problem, fmt, target), kernel, budget, seeds)
