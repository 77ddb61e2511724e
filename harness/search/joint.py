"""Search over inputs and targets together: boxes of both, lines for hard targets, then pairs bred in the best boxes.

A box is divided where its errors are largest, which finds corners; where errors are alike over a wide area, or
lie in a strip along a curve, pairs.py finds the worst.  The targets 0 and 1 have a line of inputs each, searched as
along.py does, and so have the worst pairs at last, along the target and then along the input.
"""

from __future__ import annotations

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search.along import LARGE, LESS, search_along
from harness.search.pairs import search_pairs
from harness.search.space import BoxSearch, SearchLine, SearchResult, Seed, binade_boxes

Array = np.ndarray
Point = tuple[int, ...]

# Of the budget; the lines of targets 0 and 1, of which other tables may have every input, and those at last.
SAMPLE_SHARE, SLOPE_SHARE, END_SHARE, PAIR_SHARE, LAST_SHARE = 0.0625, 0.0625, 0.02, 0.8, 0.02
LAST = 4  # pairs improved at last, along the target and then along the input


def search_jointly(problem: Problem, kernel: Kernel, fmt: Format, budget: int, seed: Seed) -> SearchResult:
    """Search for the pair of input and target of the largest ulp error with about `budget` evaluations.

    The result's `point` are the ordinals of both; deterministic under the seed.
    """
    run = BoxSearch(problem, kernel, fmt, lambda points: tuple(fmt.from_ordinal(p)[None] for p in points), budget, seed)
    share = int(budget * SAMPLE_SHARE)
    low, high = binade_boxes(fmt, problem.domain, share // 2)
    _, ulp = run.sample(low, high, max(2, share // low.shape[1]))
    run.found.sampled = run.found.ulp
    run.best_first(low, high, ulp.max(axis=1), budget * SLOPE_SHARE)

    def improved(point: Point, side: int, evaluations: float) -> Point:
        """Return the worst point of the line through a point along the input (side 0) or the target (side 1)."""
        fixed = fmt.from_ordinal(np.array(point[1 - side : 2 - side]))[0]
        line = SearchLine(problem, fmt, at=fixed) if side else SearchLine(problem, fmt, target=fixed)
        found = search_along(line, kernel, int(evaluations), seed)
        best = line.point(*found.point) if found.point else point  # no result on the line has an error
        run.found.add(found, best)
        return best

    ends = fmt.ordinal(np.array([0, 1], fmt.dtype))
    best = [improved((0, int(y)), 0, budget * END_SHARE / len(ends)) for y in ends]
    best.append(run.found.point)
    order = np.argsort(-ulp.max(axis=1), kind="stable")
    for_pairs = int(budget * PAIR_SHARE / (LESS if run.found.ulp > LARGE else 1))
    best += search_pairs(run, low[:, order], high[:, order], for_pairs)[:LAST]
    errors = run.visit(np.array(best).T)
    for n in np.argsort(-errors, kind="stable")[:LAST]:
        turned = improved(best[n], 1, budget * LAST_SHARE / (2 * LAST))
        improved(turned, 0, budget * LAST_SHARE / (2 * LAST))
    return run.found
