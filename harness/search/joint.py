"""Search over inputs and targets together: boxes of both, windows and pairs in the best boxes, then races of bad inputs.

A box is divided where its errors are largest, which finds corners.  Where errors are alike over a wide area, or lie in a
strip along a curve, windows.py climbs small boxes of neighbouring inputs and targets, and pairs.py breeds bad inputs with
bad targets from anywhere in a box.  The targets 0 and 1 have a line of inputs each, searched as along.py does with as
much as finds the true maximum there in float32; the worst inputs of these lines, and of lines at the targets that turn out
worst, race over all targets, see race.py.  The worst pairs at last have lines of their own, along the target, then the input.
"""

from __future__ import annotations

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search.along import LARGE, LESS, search_along
from harness.search.pairs import search_pairs
from harness.search.race import WorstInputs, raced
from harness.search.space import BoxSearch, SearchLine, SearchResult, Seed, binade_boxes
from harness.search.windows import search_windows

Array = np.ndarray
Point = tuple[int, ...]

# Of the budget; the lines of targets 0 and 1, of which other tables may have every input, those of other targets, and
# those at last.
SAMPLE_SHARE, SLOPE_SHARE, WINDOW_SHARE, PAIR_SHARE = 0.0625, 0.0625, 0.1, 0.2
END_SHARE, LINE_SHARE, RACE_SHARE, LAST_SHARE = 0.125, 0.12, 0.24, 0.1
RACES, LINES = 3, 2  # races, each of the worst inputs of so many lines
LAST = 4  # pairs of each sort improved at last, along the target and then along the input


class PairSearch(BoxSearch):
    """Hold one search for a pair of input and target; points are the ordinals of both."""

    def __init__(self, problem: Problem, kernel: Kernel, fmt: Format, budget: int, seed: Seed):
        super().__init__(
            problem, kernel, fmt, lambda points: tuple(fmt.from_ordinal(p)[None] for p in points), budget, seed
        )
        self.seed = seed

    def along(self, point: Point, side: int, evaluations: float, worst: WorstInputs | None = None) -> Point:
        """Return the worst point of the line through a point along the input (side 0) or the target (side 1)."""
        fixed = self.fmt.from_ordinal(np.array([point[1 - side]]))[0]
        at = {"at": fixed} if side else {"target": fixed}
        line = SearchLine(self.problem, self.fmt, **at)
        found = search_along(line, self.kernel, int(evaluations), self.seed, worst)
        best = line.point(*found.point) if found.point else point  # no result on the line has an error
        self.found.add(found, best)
        return best

    def race(self, targets: list[int], line: float, evaluations: int) -> tuple[Array, Array]:
        """Race the worst inputs of the lines of these targets, of so many evaluations each; return pairs and errors."""
        points, ulp = [np.empty((2, 0), np.int64)], [np.empty(0)]
        for target in targets:
            worst = WorstInputs(self.fmt)
            self.along((0, target), 0, line, worst)
            worst.keep()
            points.append(np.stack([worst.ordinals, np.full(len(worst.ordinals), target)]))
            ulp.append(worst.ulp)
        return raced(self, np.concatenate(points, axis=1), np.concatenate(ulp), evaluations)


def search_jointly(problem: Problem, kernel: Kernel, fmt: Format, budget: int, seed: Seed) -> SearchResult:
    """Search for the pair of input and target of the largest ulp error with about `budget` evaluations.

    The result's `point` are the ordinals of both; deterministic under the seed.
    """
    run = PairSearch(problem, kernel, fmt, budget, seed)
    share = int(budget * SAMPLE_SHARE)
    low, high = binade_boxes(fmt, problem.domain, share // 2)
    _, ulp = run.sample(low, high, max(2, share // low.shape[1]))
    run.found.sampled = run.found.ulp
    run.best_first(low, high, ulp.max(axis=1), budget * SLOPE_SHARE)
    more = LESS if run.found.ulp > LARGE else 1  # as a line spends less by itself then, and noise adds little
    order = np.argsort(-ulp.max(axis=1), kind="stable")
    boxes, most = (low[:, order], high[:, order]), budget / more
    climbed = search_windows(run, boxes, boxes, int(most * WINDOW_SHARE))
    best = [run.found.point, *((int(x), int(y)) for x, y in climbed.T[:LAST])]
    best += search_pairs(run, *boxes, int(most * PAIR_SHARE))[:LAST]
    best += _races(run, budget * END_SHARE * more, budget * LINE_SHARE, int(most * RACE_SHARE))
    for point in best:
        turned = run.along(point, 1, budget * LAST_SHARE / (2 * len(best)))
        run.along(turned, 0, budget * LAST_SHARE / (2 * len(best)))
    return run.found


def _races(run: PairSearch, ends: float, lines: float, evaluations: int) -> list[Point]:
    """Race first over the targets 0 and 1, then over those of the worst pairs so far; return the worst pairs of all.

    `ends` are the evaluations of the lines of 0 and 1, `lines` those of all others.
    """
    targets = [int(y) for y in run.fmt.ordinal(np.array([0, 1], run.fmt.dtype))]
    done, pairs, ulp = set(), np.empty((2, 0), np.int64), np.empty(0)
    for turn in range(RACES):
        each = ends / len(targets) if not turn else lines / (LINES * (RACES - 1))
        done |= set(targets)
        found = run.race(targets, each, evaluations // RACES)
        pairs, ulp = np.concatenate([pairs, found[0]], axis=1), np.concatenate([ulp, found[1]])
        ranked = [run.found.point[1], *(int(y) for y in pairs[1, np.argsort(-ulp, kind="stable")])]
        targets = [y for y in dict.fromkeys(ranked) if y not in done][:LINES]
    order = np.argsort(-ulp, kind="stable")[:LAST]
    return [(int(x), int(y)) for x, y in pairs[:, order].T]
