"""Search one line of inputs for the largest error where not every input can be visited.

A float64 line has about 2^63 inputs; a search visits 2^20.  Errors are large in three ways, and
the budget of evaluations is divided among them:

- at edges: beside critical points and inputs published as bad for a function inside, beside the points
  where the exact value passes zero or a power of two (its ulp halves below one, and the error of an
  intermediate result that did not fall doubles there), and where the computed value turns to
  another kind or the error jumps; the last three are halved to neighbouring numbers;
- on slopes: best-first, the intervals with the largest error sampled are divided, until every
  input in them is visited;
- as noise: errors that look random inside an interval.  Intervals race: in each round all are
  sampled, those of the largest errors (in a power mean) stay and are divided; at the end every
  input of the last ones is looked at with the kernel alone, and the exact value interpolated.

Interpolation: on a short run of inputs the exact value is a polynomial to far less than an ulp.  Its
values at a few nodes give the polynomial; the error of every other input then costs one run of the kernel
and some twenty operations in float64.  One node more checks the polynomial, and a run where it is
off is left out.  V. Lefèvre and J.-M. Muller (Worst cases for correct rounding of the elementary
functions in double precision, ARITH-15, 2001) search with linear polynomials in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from harness.kernels import Kernel
from harness.numbers.division import changes, halving
from harness.numbers.wide import ulp_of, wide_dtype, widened
from harness.search.published import published
from harness.search.space import (
    BLOCK,
    BoxSearch,
    SearchLine,
    SearchResult,
    cell_intervals,
    divide_intervals,
    errors_at,
    spread_over,
)

Array = np.ndarray

# Shares of the budget; noise takes what is left.
FIRST_SHARE, EDGE_SHARE, SLOPE_SHARE = 0.1, 0.0625, 0.125
# Edges.
NEAR = 256  # neighbours of each critical point, where the budget allows
BESIDE = 64  # neighbours of each edge, where the budget allows
LABELLED = 1 << 16  # points at which the exact value's binade is looked at
JUMPS = 64  # largest differences of neighbouring samples, halved
# The race.
ROUNDS = 5
ROUND_SHARE = 0.08  # of the budget, for the samples of one round
LOOKED_AT = 32  # times the budget: the inputs of the intervals that stay at the end
MOST_DROPPED = 4  # in one round, as a ratio of points
LEAST = 1 << 12  # points of an interval that is not divided further
FLAT = 64  # points that stand for all (see ExactValues.degrees): so few were seen by the samples
POINTS_PER_ULP = 8  # of the exact value, where inputs lie denser than results
POWER = 8  # of the mean: high enough to see the tail, low enough not to follow single samples
SCALES = (8, 6, 4, 2)  # bits below a cell of the wider blocks whose samples an interval shares
# Interpolation.
NODES = 5  # evenly spread over a run; the polynomial through them has degree 4
CHECKED = 0.125  # where in a run the polynomial is checked
AT_RUN = NODES + 1  # exact values for a run
TOLERANCE = 2.0**-6  # ulps by which it may be off there


class ExactValues:
    """Tell from a line's exact values alone where large errors may lie; ordinals have shape (n,)."""

    def __init__(self, line: SearchLine):
        self.line, self.fmt = line, line.fmt
        self.wide = wide_dtype(line.fmt)

    def at(self, ordinals: Array) -> Array:
        """Return the exact values in the wide format."""
        return _in_blocks(self._at, ordinals)

    def _at(self, ordinals: Array) -> Array:
        return self.line.problem.fast(*(widened(v, self.wide) for v in self.line.inputs(ordinals)))[0]

    def binade(self, ordinals: Array) -> Array:
        """Label exact values by sign and binade of the format: ⌊log2 |v|⌋ + 1, held to [emin, 2 - emin], apart by sign."""
        return _in_blocks(self._binade, ordinals)

    def _binade(self, ordinals: Array) -> Array:
        value = self._at(ordinals).astype(np.float64)  # beyond its range: infinity, or 0
        beyond = 2 - self.fmt.emin
        exponent = np.clip(np.where(np.isfinite(value), np.frexp(value)[1], beyond), self.fmt.emin, beyond)
        return np.where(value == 0, self.fmt.emin, exponent) + np.where(value < 0, 4 * beyond, 0)

    def negative(self, ordinals: Array) -> Array:
        """Tell which exact values are negative.

        Near a zero of the exact value its binades are too many between two points to halve for each.
        """
        return _in_blocks(lambda block: self._at(block) < 0, ordinals)

    def degrees(self, low: Array, high: Array) -> Array:
        """Return how many points of each interval [low, high) stand for all: min(high - low, 8 (span + 1)).

        `span` is how many ulps the exact values at both ends are apart.  Where many inputs share one exact
        value to a small part of an ulp, and one rounded argument of what follows, a few show all errors.
        """
        first, last = self.at(low), self.at(high - 1)
        with np.errstate(all="ignore"):
            span = abs(last - first) / ulp_of(np.maximum(abs(first), abs(last)), self.fmt)
            points = np.minimum(POINTS_PER_ULP * (span + 1), 2.0**62).astype(np.float64)
        return np.minimum(high - low, np.where(np.isfinite(points), points, 2.0**62).astype(np.int64))


def _in_blocks(function: Callable[[Array], Array], ordinals: Array) -> Array:
    with np.errstate(all="ignore"):
        parts = [function(ordinals[i : i + BLOCK]) for i in range(0, max(1, len(ordinals)), BLOCK)]
    return np.concatenate(parts)


def run_errors(
    exact: ExactValues, kernel: Kernel, start: Array, count: Array, stride: Array
) -> Iterator[tuple[Array, Array]]:
    """Yield, run by run, its ordinals and their errors in ulps, to about TOLERANCE; -1 where there is none.

    A run is the `count` ordinals `start`, `start + stride`, ...; arrays of shape (runs,).  Runs on which
    the polynomial is off by more than TOLERANCE at the point that checks it are left out.
    """
    fmt = exact.fmt
    part = np.append(np.arange(NODES) / (NODES - 1), CHECKED)
    nodes = start[:, None] + (part * (count - 1)[:, None]).astype(np.int64) * stride[:, None]
    value = exact.at(nodes.ravel()).reshape(nodes.shape)
    high = value[:, 0].astype(np.float64)
    low = (value[:, 0] - high.astype(value.dtype)).astype(np.float64)
    rise = (value - value[:, :1]).astype(np.float64)  # above the first node's value, which is high + low
    x = fmt.from_ordinal(nodes).astype(np.float64)
    width = x[:, NODES - 1] - x[:, 0]
    t = (x - x[:, :1]) / width[:, None]
    terms = divided_differences(t[:, :NODES], rise[:, :NODES])
    off = abs(newton(t[:, NODES], t.T, terms) - rise[:, NODES]) / ulp_of(high, fmt)
    for n in np.nonzero(off <= TOLERANCE)[0]:
        ordinals = start[n] + stride[n] * np.arange(count[n])
        computed = kernel(*exact.line.inputs(ordinals))
        computed = np.broadcast_to(computed, (1, len(ordinals)))[0].astype(np.float64)
        risen = newton((fmt.from_ordinal(ordinals).astype(np.float64) - x[n, 0]) / width[n], t[n], terms[:, n])
        error = abs(computed - high[n] - low[n] - risen) / ulp_of(high[n] + risen, fmt)
        yield ordinals, np.where(np.isfinite(computed), error, -1.0)


def divided_differences(t: Array, values: Array) -> Array:
    """Return the Newton coefficients of the polynomials through values at t; shapes (runs, NODES), transposed."""
    terms = [values[:, 0]]
    for order in range(1, t.shape[1]):
        values = np.diff(values) / (t[:, order:] - t[:, :-order])
        terms.append(values[:, 0])
    return np.stack(terms)


def newton(t: Array, nodes: Array, terms: Array) -> Array:
    """Return terms[0] + (t - nodes[0]) (terms[1] + (t - nodes[1]) (terms[2] + ...)), by Horner's scheme."""
    value = terms[-1]
    for k in range(len(terms) - 2, -1, -1):
        value = value * (t - nodes[k]) + terms[k]
    return value


class LineSearch(BoxSearch):
    """Hold one search along a line: its points, its budget, and what it has found so far."""

    def __init__(self, line: SearchLine, kernel: Kernel, budget: int, seed: int):
        super().__init__(lambda points: errors_at(line.problem, kernel, line.fmt, line.inputs(points[0])), budget, seed)
        self.line, self.kernel = line, kernel
        self.exact = ExactValues(line)

    def look_at_runs(self, start: Array, count: Array, stride: Array) -> None:
        """Look at runs of inputs by interpolation, and visit those that beat the record; see `run_errors`."""
        self.found.evaluations += start.size * AT_RUN
        with np.errstate(all="ignore"):
            for ordinals, error in run_errors(self.exact, self.kernel, start, count, stride):
                self.found.interpolated += ordinals.size
                worst = int(np.argmax(error))
                if error[worst] > self.found.ulp:
                    self.visit(ordinals[None, worst : worst + 1])

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
        steps = np.union1d(changes(self.exact.binade, labelled), changes(self.exact.negative, labelled))
        order = np.argsort(points, kind="stable")
        jumps = self.jumps(points[order], ulp[order])
        share = int(self.budget * EDGE_SHARE) // (2 * max(1, len(steps) + len(jumps)))
        self.visit_beside(np.union1d(steps, jumps), min(BESIDE, share))
        return steps

    def jumps(self, points: Array, ulp: Array) -> Array:
        """Halve the largest differences of neighbouring samples in log(1 + ulp); return the input above each.

        Of two halves the one with the larger difference goes on, and a half without an error on one
        side alone before all.
        """
        rank = _rank(ulp)
        with np.errstate(invalid="ignore"):
            size = np.nan_to_num(abs(np.diff(rank)), nan=0.0, posinf=np.inf)
        at = np.sort(np.argsort(-size, kind="stable")[:JUMPS])
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
    """Hold the points sampled so far in order, with the powers of their errors as fractions of the largest."""

    def __init__(self, points: Array, ulp: Array):
        self.points, self.ulp = points, ulp
        self._sort()

    def add(self, points: Array, ulp: Array) -> None:
        """Add points with their errors."""
        self.points, self.ulp = np.concatenate([self.points, points]), np.concatenate([self.ulp, ulp])
        self._sort()

    def _sort(self) -> None:
        order = np.argsort(self.points, kind="stable")
        self.points, self.ulp = self.points[order], np.clip(self.ulp[order], 0, 1e300)
        fraction = self.ulp / max(self.ulp.max(initial=0.0), 1e-300)
        self.sum = np.concatenate([[0.0], np.cumsum(fraction**POWER)])

    def measure(self, low: Array, high: Array) -> Array:
        """Return (mean e^8)^(1/8) (1 - 1/√(2n)) of the n samples in each interval: less what so few leave uncertain.

        e is a sample's error as a fraction of the largest of all.
        """
        first, last = np.searchsorted(self.points, low), np.searchsorted(self.points, high)
        count = np.maximum(last - first, 1)
        mean = np.maximum(self.sum[last] - self.sum[first], 0) / count
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


def race(run: LineSearch, low: Array, high: Array, steps: Array, points: Array, ulp: Array) -> None:
    """Spend what is left of a search's budget on the intervals that promise most, and look at the last.

    `low` and `high` are the cells; `steps` the inputs where the exact value passes a power of two;
    `points` and `ulp` the samples so far.
    """
    shift = run.line.fmt.cell_shift
    samples = SampledErrors(points, ulp)
    share = int(run.budget * ROUND_SHARE)
    start, stop = banded(low, high, steps, shift)
    for number in range(ROUNDS + 1):
        order = np.argsort(-samples.score(start, stop, shift), kind="stable")[: share // 2]
        start, stop = start[order], stop[order]
        drawn, errors = run.sample(start[None], stop[None], max(2, share // max(1, len(start))))
        samples.add(drawn.ravel(), errors.ravel())
        order = np.argsort(-samples.score(start, stop, shift), kind="stable")
        start, stop = start[order], stop[order]
        degrees = run.exact.degrees(start, stop)
        start, stop, degrees = start[degrees > FLAT], stop[degrees > FLAT], degrees[degrees > FLAT]
        if number < ROUNDS:
            kept = promising(start, stop, degrees, run.budget * LOOKED_AT, ROUNDS - number)
            start, stop = divide_intervals(*kept, 2 * LEAST)
    look_at_intervals(run, start, stop, degrees)


def banded(low: Array, high: Array, steps: Array, shift: int) -> tuple[Array, Array]:
    """Divide the cells at the given steps and at distances 2^6, 2^8, ... on both sides of them."""
    distance = 1 << np.arange(6, max(7, shift - 1), max(2, shift // 8))
    edges = (steps[:, None] + np.concatenate([-distance[::-1], [0], distance])).ravel()
    edges = np.unique(np.concatenate([low, high, edges[(edges > low.min()) & (edges < high.max())]]))
    return edges[:-1], edges[1:]


def promising(start: Array, stop: Array, degrees: Array, goal: float, rounds: int) -> tuple[Array, Array]:
    """Keep the first intervals, so that in so many equal rounds the points come down to the goal."""
    total = np.cumsum(degrees.astype(float))
    if not total.size:
        return start, stop
    ratio = np.clip((goal / total[-1]) ** (1 / rounds), 1 / MOST_DROPPED, 1)
    kept = max(FLAT, int(np.searchsorted(total, total[-1] * ratio)))
    return start[:kept], stop[:kept]


def look_at_intervals(run: LineSearch, start: Array, stop: Array, degrees: Array) -> None:
    """Look at whole intervals, or points spread over those where a few stand for all, or a run of a large one."""
    stride = -(-(stop - start) // degrees)
    count = np.minimum((stop - start) // stride, 2 * LEAST)
    kept = np.cumsum(count) <= run.budget * LOOKED_AT
    start, stop, stride, count = start[kept], stop[kept], stride[kept], count[kept]
    room = stop - start - (count - 1) * stride
    run.look_at_runs(start + np.floor(run.rng.random(len(start)) * room).astype(np.int64), count, stride)


def search_along(line: SearchLine, kernel: Kernel, budget: int, seed: int) -> SearchResult:
    """Search a line with about `budget` evaluations for the point of the largest error; deterministic under the seed.

    The error found is a lower bound of the line's maximum, in ulps.
    """
    run = LineSearch(line, kernel, budget, seed)
    critical = line.critical
    run.visit_beside(critical, min(NEAR, int(budget * EDGE_SHARE) // len(critical)))
    share = int(budget * FIRST_SHARE)
    low, high = cell_intervals(line.fmt, *line.ends, share // 2)
    points, ulp = run.sample(low[None], high[None], max(2, share // len(low)))
    run.found.sampled = run.found.ulp
    if line.at is None:
        run.visit_beside(published(line.problem, line.fmt), BESIDE)
    steps = run.edges(low, high, points.ravel(), ulp.ravel())
    run.best_first(low[None], high[None], ulp.max(axis=1), budget * SLOPE_SHARE)
    race(run, low, high, steps, points.ravel(), ulp.ravel())
    return run.found
