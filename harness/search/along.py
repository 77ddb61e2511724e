"""Search one line of inputs for the largest error where not every input can be visited.

A float64 line has about 2^63 inputs; a search visits 2^20.  Errors are large in three ways, and
the budget of evaluations is divided among them:

- at edges: beside critical points and inputs published as bad for a function inside, beside the points
  where the exact value passes zero or a power of two (its ulp halves below one, and the error of an
  intermediate result that did not fall doubles there), and where the computed value turns to
  another kind or the error jumps; the last three are halved to neighbouring numbers;
- on slopes: best-first, the intervals with the largest error sampled are divided, until every
  input in them is visited;
- as noise: errors that look random inside an interval; noise.py looks for where the largest of them lie, and
  windows.py climbs to them where a window holds enough inputs for that, as in float64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.kernels import Kernel
from harness.numbers.division import changes, halving, steps
from harness.numbers.wide import ulp_of
from harness.search.interpolation import exact_values
from harness.search.noise import search_noise
from harness.search.published import published
from harness.search.race import WorstInputs
from harness.search.space import (
    BLOCK,
    BoxSearch,
    SearchLine,
    SearchResult,
    Seed,
    cell_intervals,
    spread_over,
)
from harness.search.windows import Boxes, climbable, search_windows

Array = np.ndarray

# Shares of the budget; noise takes what is left.
FIRST_SHARE, EDGE_SHARE, SLOPE_SHARE = 0.1, 0.0625, 0.125
# Edges.
NEAR = 256  # neighbours of each critical point, where the budget allows
BESIDE = 64  # neighbours of each edge, where the budget allows
LEAST_BESIDE = 2  # neighbours of each zero
LABELLED = 1 << 16  # points at which the exact value's binade is looked at
BINADES = (
    64  # between two labelled points, each found where there are no more: near a zero an input has them in one cell
)
JUMPS = 64  # largest differences of neighbouring samples, halved, where the budget allows
# Noise.
LOOKED_AT = 64.0  # times the budget: the inputs looked at by interpolation in runs, where the rest of it allows
BEFORE, CLIMBED = 0.08, 0.24  # of these, in runs to find the cells in which windows are climbed, and in the windows
LARGE, LESS = 1024.0, 4  # ulps of a record from which on noise adds little, and is looked at so much less
FLAT = 64  # points that stand for all (see ExactValues.degrees): so few were seen by the samples
POINTS_PER_ULP = 8  # of the exact value, where inputs lie denser than results
POWER = 8  # of the mean: high enough to see the tail, low enough not to follow single samples
SCALES = (8, 6, 4, 2)  # bits below a cell of the wider blocks whose samples an interval shares


class ExactValues:
    """Tell from a line's exact values alone where large errors may lie; ordinals have shape (n,)."""

    def __init__(self, line: SearchLine):
        self.line, self.fmt = line, line.fmt

    def at(self, ordinals: Array) -> Array:
        """Return the exact values in the wide format."""
        return _in_blocks(self._at, ordinals)

    def _at(self, ordinals: Array) -> Array:
        return exact_values(self.line.problem, self.fmt, self.line.inputs(ordinals))

    def binade(self, ordinals: Array) -> Array:
        """Label exact values by sign and binade of the format: ⌊log2 |v|⌋ + 1, held to [emin, 2 - emin], apart by sign."""
        return _in_blocks(self._binade, ordinals)

    def _binade(self, ordinals: Array) -> Array:
        value = self._at(ordinals).astype(np.float64)  # beyond its range: infinity, or 0
        beyond = 2 - self.fmt.emin
        exponent = np.clip(np.where(np.isfinite(value), np.frexp(value)[1], beyond), self.fmt.emin, beyond)
        return np.where(value == 0, self.fmt.emin, exponent) + np.where(value < 0, 4 * beyond, 0)

    def negative(self, ordinals: Array) -> Array:
        """Tell which exact values are negative."""
        return _in_blocks(lambda block: self._at(block) < 0, ordinals)

    def degrees(self, low: Array, high: Array) -> Array:
        """Return how many points of each interval [low, high) stand for all: min(high - low, 8 (span + 1)).

        `span` is how many ulps the exact values at both ends are apart.  Where many inputs share one exact
        value to a small part of an ulp, and one rounded argument of what follows, a few show all errors.
        """
        first, last = self.at(low), self.at(high - 1)
        with np.errstate(all="ignore"):
            span = abs(last - first) / ulp_of(np.maximum(abs(first), abs(last)), self.fmt)
            points = (POINTS_PER_ULP * (span + 1)).astype(np.float64)  # 2^57 or so at most, or not finite
        return np.minimum(high - low, np.where(np.isfinite(points), points, 2.0**62).astype(np.int64))


def _in_blocks(function: Callable[[Array], Array], ordinals: Array) -> Array:
    with np.errstate(all="ignore"):
        parts = [function(ordinals[i : i + BLOCK]) for i in range(0, max(1, len(ordinals)), BLOCK)]
    return np.concatenate(parts)


class LineSearch(BoxSearch):
    """Hold one search along a line: its points, its budget, and what it has found so far."""

    def __init__(self, line: SearchLine, kernel: Kernel, budget: int, seed: Seed, worst: WorstInputs | None = None):
        super().__init__(line.problem, kernel, line.fmt, lambda points: line.inputs(points[0]), budget, seed)
        self.line, self.worst = line, worst
        self.exact = ExactValues(line)

    def looked_at(self, points: Array, ulp: Array) -> None:
        """Keep the worst inputs, where they are asked for."""
        if self.worst is not None:
            self.worst.add(points[0], ulp)

    def visit_beside(self, ordinals: Array, neighbours: int) -> None:
        """Visit given inputs and so many neighbours on both sides, as far as the line goes."""
        if ordinals.size:
            near = np.unique((ordinals[:, None] + np.arange(-neighbours, neighbours + 1)).ravel())
            start, stop = self.line.ends
            self.visit(near[(near >= start) & (near < stop)][None])

    def edges(self, low: Array, high: Array, points: Array, ulp: Array) -> Array:
        """Find binades and zeros of the exact value and jumps of the error, visit beside them; return the former.

        `low` and `high` are the cells, `points` and `ulp` the samples in them, of shape (n,).
        """
        labelled = spread_over(low, high, max(1, LABELLED // len(low)))
        zeros = changes(self.exact.negative, labelled)
        self.visit_beside(zeros, LEAST_BESIDE)
        # On each side of a zero, which may be a critical point, binades rise or fall, and to it by more than BINADES.
        labelled = np.unique(np.concatenate([labelled, zeros - 1, zeros, self.line.critical]))
        binades = np.union1d(steps(self.exact.binade, labelled, BINADES), zeros)
        order = np.argsort(points, kind="stable")
        jumps = self.jumps(points[order], ulp[order])
        share = int(self.budget * EDGE_SHARE) // (2 * max(1, len(binades) + len(jumps)))
        self.visit_beside(np.union1d(binades, jumps), min(BESIDE, share))
        return binades

    def jumps(self, points: Array, ulp: Array) -> Array:
        """Halve the largest differences of neighbouring samples in log(1 + ulp); return the input above each.

        Of two halves the one with the larger difference goes on, and a half without an error on one
        side alone before all.
        """
        rank = _rank(ulp)
        with np.errstate(invalid="ignore"):
            size = np.nan_to_num(abs(np.diff(rank)), nan=0.0, posinf=np.inf)
        most = min(JUMPS, int(self.budget * EDGE_SHARE) // self.fmt.bits)
        at = np.sort(np.argsort(-size, kind="stable")[:most])
        below, above = rank[at], rank[at + 1]

        def in_upper_half(middle: Array) -> Array:
            nonlocal below, above
            between = _rank(self.visit(middle[None]))
            with np.errstate(invalid="ignore"):
                upper = np.nan_to_num(abs(above - between)) > np.nan_to_num(abs(between - below))
            below, above = np.where(upper, between, below), np.where(upper, above, between)
            return upper

        return halving(in_upper_half, points[at], points[at + 1])[1]


def _rank(ulp: Array) -> Array:
    """Return log(1 + ulp), infinite where there is no error."""
    return np.where(ulp < 0, np.inf, np.log1p(np.maximum(ulp, 0)))


class SampledErrors:
    """Hold the points of the first sample in order, with the powers of their errors as fractions of the largest."""

    def __init__(self, points: Array, ulp: Array):
        order = np.argsort(points, kind="stable")
        self.points, ulp = points[order], np.clip(ulp[order], 0, 1e300)
        fraction = ulp / max(ulp.max(initial=0.0), 1e-300)
        self.sum = np.concatenate([[0.0], np.cumsum(fraction**POWER)])

    def measure(self, low: Array, high: Array) -> Array:
        """Return (mean e^8)^(1/8) (1 - 1/√(2n)) of the n samples in each interval: less what so few leave uncertain.

        e is a sample's error as a fraction of the largest of all.
        """
        first, last = np.searchsorted(self.points, low), np.searchsorted(self.points, high)
        count = np.maximum(last - first, 1)
        mean = (self.sum[last] - self.sum[first]) / count
        return mean ** (1 / POWER) * (1 - 1 / np.sqrt(2 * count))

    def score(self, low: Array, high: Array, cell_shift: int) -> Array:
        """Return the largest measure of each interval and of the aligned blocks that it lies in."""
        best = self.measure(low, high)
        for scale in SCALES:
            shift = max(0, cell_shift - scale)
            start = low >> shift << shift
            wider = self.measure(start, start + (1 << shift))
            best = np.where(high - low < 1 << shift, np.maximum(best, wider), best)
        return best


def look_for_noise(run: LineSearch, low: Array, high: Array, binades: Array, samples: SampledErrors) -> None:
    """Spend what is left of a search's budget on noise, beginning with the intervals that promise most by their samples.

    `low` and `high` are the cells; `binades` the inputs where the exact value passes a power of two.
    """
    fmt = run.line.fmt
    start, stop = banded(low, high, binades, fmt.cell_shift)
    order = np.argsort(-samples.score(start, stop, fmt.cell_shift), kind="stable")
    start, stop = start[order], stop[order]
    varied = run.exact.degrees(start, stop) > FLAT
    inputs = int(run.budget * LOOKED_AT / (LESS if run.found.ulp > LARGE else 1))
    windows = climbable(fmt)
    boxes = search_noise(run, start[varied][None], stop[varied][None], int(inputs * (BEFORE if windows else 1)))
    if windows and boxes[0].size:
        search_windows(run, *cells_of(boxes, run.line), int(inputs * CLIMBED))


def cells_of(spots: Boxes, line: SearchLine) -> tuple[Boxes, Boxes]:
    """Return the cells of a line in which spots (1, n) lie, with the first spot in each, in the spots' order."""
    shift = line.fmt.cell_shift
    first = np.sort(np.unique(spots[0][0] >> shift, return_index=True)[1])
    low, high = (side[:, first] for side in spots)
    ends = line.ends
    return (np.maximum(low >> shift << shift, ends[0]), np.minimum(((low >> shift) + 1) << shift, ends[1])), (low, high)


def banded(low: Array, high: Array, edges: Array, shift: int) -> tuple[Array, Array]:
    """Divide the cells at the given edges and at distances 2^6, 2^8, ... on both sides of them."""
    distance = 1 << np.arange(6, max(7, shift - 1), max(2, shift // 8))
    edges = (edges[:, None] + np.concatenate([-distance, [0], distance])).ravel()
    edges = np.unique(np.concatenate([low, high, edges[(edges > low.min()) & (edges < high.max())]]))
    return edges[:-1], edges[1:]


def search_along(
    line: SearchLine, kernel: Kernel, budget: int, seed: Seed, worst: WorstInputs | None = None
) -> SearchResult:
    """Search a line with about `budget` evaluations for the point of the largest error; deterministic under the seed.

    The error found is a lower bound of the line's maximum, in ulps.  `worst` is given the inputs that it looks at.
    """
    run = LineSearch(line, kernel, budget, seed, worst)
    critical = line.critical
    run.visit_beside(critical, min(NEAR, int(budget * EDGE_SHARE) // len(critical)))
    share = int(budget * FIRST_SHARE)
    low, high = cell_intervals(line.fmt, *line.ends, share // 2)
    points, ulp = run.sample(low[None], high[None], max(2, share // len(low)))
    run.found.sampled = run.found.ulp
    if line.at is None:
        run.visit_beside(published(line.problem, line.fmt), BESIDE)
    binades = run.edges(low, high, points.ravel(), ulp.ravel())
    run.best_first(low[None], high[None], ulp.max(axis=1), budget * SLOPE_SHARE)
    look_for_noise(run, low, high, binades, SampledErrors(points.ravel(), ulp.ravel()))
    return run.found
