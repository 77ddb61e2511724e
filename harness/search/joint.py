"""Search over inputs and targets together: boxes of both, lines for hard targets, then windows and pairs in the best boxes.

A box is divided where its errors are largest, which finds corners.  Where errors are alike over a wide area, or lie in a
strip along a curve, windows.py climbs small boxes of neighbouring inputs and targets, and pairs.py breeds bad inputs with
bad targets from anywhere in a box.  The targets 0 and 1 have a line of inputs each, searched as along.py does with as
much as finds the true maximum there in float32; and so have the worst pairs at last, along the target, then the input.
"""

from __future__ import annotations

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search.along import LARGE, LESS, search_along
from harness.search.pairs import search_pairs
from harness.search.space import BoxSearch, SearchLine, SearchResult, Seed, binade_boxes
from harness.search.windows import search_windows

Array = np.ndarray
Point = tuple[int, ...]

# Of the budget; the lines of targets 0 and 1, of which other tables may have every input, and those at last.
SAMPLE_SHARE, SLOPE_SHARE, END_SHARE, WINDOW_SHARE, PAIR_SHARE, LAST_SHARE = 0.0625, 0.0625, 0.125, 0.25, 0.4, 0.1
LAST = 4  # pairs of each sort improved at last, along the target and then along the input


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
    more = LESS if run.found.ulp > LARGE else 1  # as such a line spends less by itself
    best = [improved((0, int(y)), 0, budget * END_SHARE * more / len(ends)) for y in ends]
    best.append(run.found.point)
    order = np.argsort(-ulp.max(axis=1), kind="stable")
    boxes, most = (low[:, order], high[:, order]), budget / (LESS if run.found.ulp > LARGE else 1)
    climbed = search_windows(run, boxes, boxes, int(most * WINDOW_SHARE))
    best += [(int(x), int(y)) for x, y in climbed.T[:LAST]]
    best += search_pairs(run, *boxes, int(most * PAIR_SHARE))[:LAST]
    for point in best:
        turned = improved(point, 1, budget * LAST_SHARE / (2 * len(best)))
        improved(turned, 0, budget * LAST_SHARE / (2 * len(best)))
    return run.found
