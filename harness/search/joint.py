"""Search over inputs and targets together: boxes of both, then lines through the worst points.

A box is divided where its errors are largest, which finds corners; but where errors are alike over
a wide area, or jump along a curve, the maximum is a point that boxes hardly meet.  So the worst
points are then improved along lines, inputs and targets in turn, each searched as along.py does.
"""

from __future__ import annotations

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search.along import search_along
from harness.search.space import BoxSearch, SearchLine, SearchResult, binade_boxes, errors_at

Array = np.ndarray

SAMPLE_SHARE, SLOPE_SHARE = 0.0625, 0.0625  # of the budget; lines take the rest
SAMPLED = 5  # targets of the largest errors in the sample, each of another binade
TURNS = 4  # points of different inputs improved along the target, and then along the input once more
LINES = 3 + SAMPLED + 2 * TURNS


def search_jointly(problem: Problem, kernel: Kernel, fmt: Format, budget: int, seed: int) -> SearchResult:
    """Search for the pair of input and target of the largest ulp error with about `budget` evaluations.

    The result's `point` are the ordinals of both; deterministic under the seed.
    """
    run = BoxSearch(
        lambda points: errors_at(problem, kernel, fmt, tuple(fmt.from_ordinal(p)[None] for p in points)), budget, seed
    )
    share = int(budget * SAMPLE_SHARE)
    low, high = binade_boxes(fmt, problem.domain, share // 2)
    points, ulp = run.sample(low, high, max(2, share // low.shape[1]))
    run.found.sampled = run.found.ulp
    run.best_first(low, high, ulp.max(axis=1), budget * SLOPE_SHARE)

    def improved(point: tuple[int, ...], side: int) -> tuple[float, tuple[int, ...]]:
        """Search the line through a point along the input (side 0) or the target (side 1)."""
        fixed = fmt.from_ordinal(np.array(point[1 - side : 2 - side]))[0]
        line = SearchLine(problem, fmt, at=fixed) if side else SearchLine(problem, fmt, target=fixed)
        found = search_along(line, kernel, (budget - spent) // LINES, seed)
        best = line.point(*found.point) if found.point else point  # no result on the line has an error
        run.found.add(found, best)
        return found.ulp, best

    spent = run.found.evaluations
    ends = tuple(int(v) for v in fmt.ordinal(np.array([0, 1], fmt.dtype)))
    targets = [*ends, run.found.point[1], *worst_targets(low[1], points[1], ulp)]
    at: list[int] = []
    for _, point in sorted((improved((0, y), 0) for y in targets), reverse=True):
        if point[0] not in at and len(at) < TURNS:
            at.append(point[0])
            improved(improved(point, 1)[1], 0)
    return run.found


def worst_targets(binade: Array, targets: Array, ulp: Array) -> list[int]:
    """Return the ordinals of the targets of the largest errors, from SAMPLED different binades.

    `binade` (boxes,) is where each box starts; `targets` and `ulp` (boxes, samples) are its samples.
    """
    order = np.argsort(-ulp.max(axis=1), kind="stable")
    first = order[np.sort(np.unique(binade[order], return_index=True)[1])][:SAMPLED]
    return [int(targets[box, np.argmax(ulp[box])]) for box in first]
