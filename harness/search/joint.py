"""Search over inputs and targets together: boxes of both, then lines through the worst points.

A box is divided where its errors are largest, which finds corners; but where errors are alike over
a wide area, or lie in a strip along a curve, the maximum is a point that boxes hardly meet.  A line of
inputs for one target does cross the strip.  So many targets get a short search along their line, then
others near the best of them.  A pair is bad by luck or because the input's own part of the error is: of all inputs
that were bad, those go on that stay bad for the targets beside theirs.  They are improved along the target,
and the worst pairs along the input once more.  Each line is searched as along.py does.
"""

from __future__ import annotations

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search.along import search_along
from harness.search.noise import WINDOW_BITS, run_points, upper_ends
from harness.search.space import BoxSearch, SearchLine, SearchResult, Seed, binade_boxes

Array = np.ndarray

SAMPLE_SHARE, SLOPE_SHARE = 0.0625, 0.0625  # of the budget
SAMPLED = 45  # targets of the largest errors in the sample, each of another binade
BEST, NEIGHBOURS = 12, 2  # the targets that are best, and how many near each
NEAR_BITS = 3  # within a binade's eighth part
BESIDE = 256  # targets beside its own, for which a bad input is tried
TURNS = 3  # of improvement along the target and along the input once more
ALONG_TARGET, ALONG_INPUT = 16, 4  # lines of each kind in a turn
# Of the budget, for all lines of each kind.
FIRST_SHARE, NEAR_SHARE, TARGET_SHARE, INPUT_SHARE = 0.15, 0.15, 0.4, 0.175


def search_jointly(problem: Problem, kernel: Kernel, fmt: Format, budget: int, seed: Seed) -> SearchResult:
    """Search for the pair of input and target of the largest ulp error with about `budget` evaluations.

    The result's `point` are the ordinals of both; deterministic under the seed.
    """
    run = BoxSearch(problem, kernel, fmt, lambda points: tuple(fmt.from_ordinal(p)[None] for p in points), budget, seed)
    share = int(budget * SAMPLE_SHARE)
    low, high = binade_boxes(fmt, problem.domain, share // 2)
    points, ulp = run.sample(low, high, max(2, share // low.shape[1]))
    run.found.sampled = run.found.ulp
    run.best_first(low, high, ulp.max(axis=1), budget * SLOPE_SHARE)

    seen: list[tuple[int, ...]] = []

    def improved(point: tuple[int, ...], side: int, evaluations: float) -> tuple[float, tuple[int, ...]]:
        """Search the line through a point along the input (side 0) or the target (side 1)."""
        fixed = fmt.from_ordinal(np.array(point[1 - side : 2 - side]))[0]
        line = SearchLine(problem, fmt, at=fixed) if side else SearchLine(problem, fmt, target=fixed)
        found = search_along(line, kernel, int(evaluations), seed)
        best = line.point(*found.point) if found.point else point  # no result on the line has an error
        run.found.add(found, best)
        seen.extend(line.point(n) for n in found.runners_up)
        return found.ulp, best

    ends = tuple(int(v) for v in fmt.ordinal(np.array([0, 1], fmt.dtype)))
    targets = [*ends, run.found.point[1], *worst_targets(low[1], points[1], ulp)]
    lines = [improved((0, y), 0, budget * FIRST_SHARE / len(targets)) for y in targets]
    near = targets_near([point[1] for _, point in sorted(lines, reverse=True)[:BEST]], fmt, run.rng)
    lines += [improved((0, y), 0, budget * NEAR_SHARE / len(near)) for y in near]
    done: set[int] = set()
    for _ in range(TURNS):
        bad = [p for p in bad_by_themselves(run, [point for _, point in lines] + seen) if p[0] not in done]
        done.update(p[0] for p in bad[:ALONG_TARGET])
        turned = [improved(p, 1, budget * TARGET_SHARE / (TURNS * ALONG_TARGET)) for p in bad[:ALONG_TARGET]]
        for _, point in sorted(turned, reverse=True)[:ALONG_INPUT]:
            lines.append(improved(point, 0, budget * INPUT_SHARE / (TURNS * ALONG_INPUT)))
    return run.found


def bad_by_themselves(run: BoxSearch, pairs: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Order pairs of different inputs by where the errors of an input end for the targets beside its own, the worst first.

    Of the pairs with one input the first stays.  Costs AT_RUN evaluations a pair.
    """
    first = dict(reversed([(x, y) for x, y in pairs]))
    points = np.array([list(first.values()), list(first)])  # targets come first: runs go along them
    turned = BoxSearch(run.problem, run.kernel, run.fmt, lambda p: run.inputs(p[::-1]), run.budget, 0)
    width = np.array([[1 << max(0, run.fmt.precision - 1 - WINDOW_BITS)], [0]])
    low = np.maximum(points - width // 2, [[0], [-(1 << 62)]])
    one = int(run.fmt.ordinal(np.array([1], run.fmt.dtype))[0])
    high = np.minimum(points + width // 2 + 1, [[one + 1], [1 << 62]])
    ends = upper_ends(turned.look_at_runs(run_points(low, high, BESIDE, 1 << 62, run.rng)))
    run.found.add(turned.found, turned.found.point[::-1])
    order = np.argsort(-ends.sum(axis=0), kind="stable")
    return [(int(x), int(y)) for y, x in points[:, order].T]


def targets_near(targets: list[int], fmt: Format, rng: np.random.Generator) -> list[int]:
    """Return the ordinals of NEIGHBOURS random targets in [0, 1] within an eighth of a binade of each given one."""
    width = 1 << max(0, fmt.precision - 1 - NEAR_BITS)
    near = np.array(targets)[:, None] + rng.integers(-width, width, (len(targets), NEIGHBOURS), endpoint=True)
    return [int(y) for y in np.clip(near, 0, fmt.ordinal(np.array([1], fmt.dtype))[0]).ravel()]


def worst_targets(binade: Array, targets: Array, ulp: Array) -> list[int]:
    """Return the ordinals of the targets of the largest errors, from SAMPLED different binades.

    `binade` (boxes,) is where each box starts; `targets` and `ulp` (boxes, samples) are its samples.
    """
    order = np.argsort(-ulp.max(axis=1), kind="stable")
    first = order[np.sort(np.unique(binade[order], return_index=True)[1])][:SAMPLED]
    return [int(targets[box, np.argmax(ulp[box])]) for box in first]
