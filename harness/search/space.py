"""What a search goes through: lines and boxes of inputs counted in value order, and how boxes are searched best-first.

Inputs are counted by their ordinals, integers in the order of the values, so every format is a range
of integers and its halves hold equally many floats.  A line varies one argument of a kernel and
fixes the other.  A box has one side for the input and, where the target is searched too, one for the
target; arrays `low` and `high` of shape (d, boxes) hold the ordinals of half-open sides [low, high),
and points have shape (d, n).  A search pays for each error that it computes from a budget, keeps
the largest, and divides the boxes where errors are largest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search.interpolation import AT_RUN, Inputs, run_errors
from harness.sweep.grid import NEIGHBOURS, Grid
from harness.truth.errors import measure
from harness.truth.fast import evaluate

Array = np.ndarray
Seed = int | tuple[int, ...]  # as numpy.random.default_rng takes it

BLOCK = 1 << 14  # points at a time: small enough for the cache
BOX_PARTS = 8  # into which a box is divided
SAMPLES = 16  # points of a part, before it is divided again
CHOSEN = 48  # boxes divided in one round
VISITED = 4  # inputs of a block of runs that beat the record most


@dataclass(frozen=True)
class SearchLine:
    """All inputs of a problem for one target, or, with `at`, all targets in [0, 1] for that input.

    Both are None for a problem without targets.  Points on a line are ordinals of what varies.
    """

    problem: Problem
    fmt: Format
    target: np.generic | None = None
    at: np.generic | None = None

    @property
    def ends(self) -> tuple[int, int]:
        """Return the first ordinal and the one after the last."""
        return self.fmt.finite_ordinals(*((0.0, 1.0) if self.at is not None else self.problem.domain))

    @property
    def critical(self) -> Array:
        """Return the ordinals of critical points (of targets: 0, 1/2, 1) and their neighbours, sorted."""
        if self.at is None:
            targets = None if self.target is None else [float(self.target)]
            return Grid("standard", self.problem, self.fmt, targets).critical_ordinals
        start, stop = self.ends
        near = np.array([start, self.fmt.ordinal(np.array([0.5], self.fmt.dtype))[0], stop - 1])
        near = np.unique(near[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS + 1))
        return near[(near >= start) & (near < stop)]

    def inputs(self, ordinals: Array) -> tuple[Array, ...]:
        """Return the kernel's arguments at points of shape (n,): arrays that broadcast to (1, n)."""
        values = self.fmt.from_ordinal(ordinals)[None]
        if self.at is not None:
            return np.full_like(values, self.at), values
        return (values,) if self.target is None else (values, np.full((1, 1), self.target))

    def point(self, ordinal: int) -> tuple[int, ...]:
        """Return the ordinals of the input and, where the problem has one, of the target."""
        fixed = [int(self.fmt.ordinal(np.array([v]))[0]) for v in (self.at, self.target) if v is not None]
        return (*fixed, ordinal) if self.at is not None else (ordinal, *fixed)


def errors_at(problem: Problem, kernel: Kernel, fmt: Format, inputs: tuple[Array, ...]) -> Array:
    """Compute |computed - exact| / ulp(exact), shape (n,), at inputs that broadcast to (1, n), from audited exact values.

    Negative where there is no error: the computed value is NaN or infinite, or the exact value has a pole.
    """
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, *inputs)
        computed = np.broadcast_to(kernel(*inputs), inputs[0].shape)
        return measure(computed, exact, problem.nonnegative).ulp[0]


def cell_intervals(fmt: Format, start: int, stop: int, most: int) -> tuple[Array, Array]:
    """Return the cells of [start, stop), or larger intervals of a power of two, so that there are about `most`."""
    shift = max(fmt.cell_shift, ((stop - start) // max(1, most)).bit_length())
    return _divided_at(shift, start, stop)


def binade_boxes(fmt: Format, domain: tuple[float, float], most: int) -> tuple[Array, Array]:
    """Return boxes of a binade of inputs by a binade of targets, or of 2, 4 ... of each to have at most so many."""
    shift, sides = fmt.precision - 1, [fmt.finite_ordinals(*ends) for ends in (domain, (0.0, 1.0))]
    while math.prod(stop - start >> shift for start, stop in sides) > most:
        shift += 1
    x, y = (_divided_at(shift, *side) for side in sides)
    return tuple(np.stack([a.ravel() for a in np.meshgrid(p, q, indexing="ij")]) for p, q in zip(x, y))  # type: ignore[return-value]


def _divided_at(shift: int, start: int, stop: int) -> tuple[Array, Array]:
    """Divide [start, stop) at the multiples of 2^shift."""
    low = np.maximum(np.arange(start >> shift, (stop - 1 >> shift) + 1) << shift, start)
    return low, np.append(low[1:], stop)  # the multiple after the last may be 2^63


def spread_over(low: Array, high: Array, count: int) -> Array:
    """Return about `count` evenly spread ordinals of each interval [low, high), sorted, with the last of all."""
    width = (high - low)[:, None]
    return np.unique(np.append(low[:, None] + width // count * np.arange(count), high.max() - 1))


def divide_boxes(low: Array, high: Array, parts: int = BOX_PARTS, run: int = 1) -> tuple[Array, Array, Array]:
    """Divide each box into so many parts of nearly equal size along its longest side; empty parts are left out.

    The first side counts in runs of so many inputs, so that it is not divided into less while another can be.
    Returns the parts' `low` and `high`, and the index of the box that each is a part of.
    """
    width = high - low
    side = np.argmax(np.concatenate([width[:1] // run, width[1:]]), axis=0)
    boxes = np.arange(low.shape[1])
    step, rest = np.divmod(width[side, boxes], parts)
    edges = low[side, boxes][:, None] + step[:, None] * np.arange(parts + 1)
    edges += np.minimum(np.arange(parts + 1), rest[:, None])  # the first parts take what is left over
    first, last = (np.repeat(a, parts, axis=1) for a in (low, high))
    first[np.repeat(side, parts), np.arange(first.shape[1])] = edges[:, :-1].ravel()
    last[np.repeat(side, parts), np.arange(first.shape[1])] = edges[:, 1:].ravel()
    kept = (last > first).all(axis=0)
    return first[:, kept], last[:, kept], np.repeat(boxes, parts)[kept]


def sample_boxes(low: Array, high: Array, samples: int, rng: np.random.Generator) -> Array:
    """Return points of each box, shape (d, boxes, samples): both ends and random ones between.

    A box of no more points than samples is visited whole, its last point repeated.
    """
    width = high - low
    points = np.floor(rng.random((*low.shape, samples)) * width[..., None]).astype(np.int64)
    points[..., :1], points[..., -1:] = 0, width[..., None] - 1
    whole = np.prod(width.astype(float), axis=0) <= samples
    small = width[:, whole]
    every = np.minimum(np.arange(samples), np.prod(small, axis=0)[:, None] - 1)
    for side in range(len(low)):
        later = np.prod(small[side + 1 :], axis=0)[:, None]  # 1 for the last side
        points[side, whole] = every // later % small[side][:, None]
    return low[..., None] + points


@dataclass
class SearchResult:
    """Hold the worst input found, and how the search came to it.

    `point` are the ordinals of the worst input (and target, where that was searched too), `ulp` the error
    there; `sampled` is the largest error of the first sample; `evaluations` counts exact values, each
    with the kernel's; `interpolated` the inputs where only the kernel was computed and the exact value
    interpolated; `trace` is the largest error after so many evaluations, at each improvement, all
    with exact values.  Errors are in ulps, -1 where none was found.
    """

    point: tuple[int, ...] = ()
    ulp: float = -1.0
    sampled: float = -1.0
    evaluations: int = 0
    interpolated: int = 0
    trace: list[tuple[int, float]] = field(default_factory=list)

    def note(self, points: Array, errors: Array) -> None:
        """Count evaluations and keep the worst; of equals, the first."""
        self.evaluations += errors.size
        if errors.size and errors.max() > self.ulp:
            best = int(np.argmax(errors))
            self.ulp, self.point = float(errors[best]), tuple(int(v) for v in points[:, best])
            self.trace.append((self.evaluations, self.ulp))

    def add(self, part: SearchResult, point: tuple[int, ...]) -> None:
        """Add what a part of the search found, whose worst is at a point of the whole."""
        self.trace += [(self.evaluations + n, ulp) for n, ulp in part.trace if ulp > self.ulp]
        self.evaluations += part.evaluations
        self.interpolated += part.interpolated
        if part.ulp > self.ulp:
            self.ulp, self.point = part.ulp, point


class BoxSearch:
    """Search boxes for large errors: visit points, sample, look at runs, divide best-first; `found` has the worst so far.

    `inputs` maps points (d, n) of ordinals to the kernel's arguments; `budget` is in evaluations.
    Deterministic under the seed.
    """

    def __init__(self, problem: Problem, kernel: Kernel, fmt: Format, inputs: Inputs, budget: int, seed: Seed):
        self.problem, self.kernel, self.fmt, self.inputs = problem, kernel, fmt, inputs
        self.budget, self.found = budget, SearchResult()
        self.rng = np.random.default_rng(seed)

    def errors(self, points: Array) -> Array:
        """Compute the errors in ulps at points (d, n), shape (n,), negative where there is none."""
        return errors_at(self.problem, self.kernel, self.fmt, self.inputs(points))

    def visit(self, points: Array) -> Array:
        """Compute the errors at points of shape (d, n), a block at a time; note and return them."""
        parts = [self.errors(points[:, i : i + BLOCK]) for i in range(0, points.shape[1], BLOCK)]
        ulp = np.concatenate([np.empty(0), *parts])
        self.found.note(points, ulp)
        self.looked_at(points, ulp)
        return ulp

    def looked_at(self, points: Array, ulp: Array) -> None:
        """Take note of errors (n,) at points (d, n), exact or by interpolation; nothing here."""

    def sample(self, low: Array, high: Array, samples: int) -> tuple[Array, Array]:
        """Sample each box [low, high); return points (d, boxes, samples) and errors (boxes, samples)."""
        points = sample_boxes(low, high, samples, self.rng)
        return points, self.visit(points.reshape(len(low), -1)).reshape(points.shape[1:])

    def look_at_runs(self, points: Array) -> Array:
        """Look at runs (d, runs, n) by interpolation, visit those that beat the record; return errors (runs, n).

        Where nothing could be interpolated or there is no error they are negative: see `run_errors`.
        """
        errors = np.empty(points.shape[1:])
        at_once = max(1, BLOCK // points.shape[2])
        for i in range(0, points.shape[1], at_once):
            block = points[:, i : i + at_once]
            part = run_errors(self.problem, self.kernel, self.fmt, self.inputs, block)
            errors[i : i + at_once] = part
            self.looked_at(block.reshape(len(block), -1), part.ravel())
            self.found.evaluations += part.shape[0] * AT_RUN
            self.found.interpolated += int(np.count_nonzero(part.max(axis=1) >= 0)) * part.shape[1]
            if part.max() > self.found.ulp:
                best = np.argsort(-part, axis=None, kind="stable")[:VISITED]
                beating = np.sort(best[part.ravel()[best] > self.found.ulp])
                self.visit(block.reshape(len(block), -1)[:, beating])
        return errors

    def best_first(self, low: Array, high: Array, best: Array, evaluations: float) -> None:
        """Divide the boxes of the largest errors sampled, `best`, until so many evaluations are spent.

        Parts of at most SAMPLES points are visited whole and done with.
        """
        stop = self.found.evaluations + evaluations
        while self.found.evaluations < stop and low.shape[1]:
            affordable = int(stop - self.found.evaluations) // (BOX_PARTS * SAMPLES)
            chosen = np.argsort(-best, kind="stable")[: max(1, min(CHOSEN, affordable))]
            first, last, _ = divide_boxes(low[:, chosen], high[:, chosen])
            small = np.prod((last - first).astype(float), axis=0) <= SAMPLES
            for part in (small, ~small):
                _, ulp = self.sample(first[:, part], last[:, part], SAMPLES)
            low = np.concatenate([np.delete(low, chosen, 1), first[:, ~small]], axis=1)
            high = np.concatenate([np.delete(high, chosen, 1), last[:, ~small]], axis=1)
            best = np.concatenate([np.delete(best, chosen), ulp.max(axis=1, initial=-1.0)])
