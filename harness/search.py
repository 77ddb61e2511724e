"""Search for the input of the largest error where not every input can be visited.

Best-first branch and sample.  The inputs are divided into boxes of the bit order, one side for
the input and, where the target is searched too, one for the target; each box is known by the
largest error sampled in it.  Round by round the most promising boxes are divided into eight and
each part is sampled, until parts are so small that every input in them is visited.  Branch and
saturation points need no special care: an error that is largest beside one draws the division
to it, down to the neighbouring numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from harness.errors import measure
from harness.formats import Format
from harness.grids import Grid
from harness.kernels import Kernel
from harness.problems import Problem
from harness.tiers import evaluate

Array = np.ndarray
Errors = Callable[[Array], Array]  # from ordinals (d, n) to ulp errors (n,), negative where there is none

PARTS = 8  # into which a box is divided
SAMPLES = 16  # points of a part, before it is divided again
CHOSEN = 48  # boxes divided in one round
NEAR = 256  # neighbours of each critical point, all visited
FIRST_SHARE = 0.25  # of the budget, for the first sample


@dataclass
class Found:
    """Hold the worst input found, and how the search came to it.

    `point` are the ordinals of the worst input (and target); `sampled` is the largest error of
    the first sample; `trace` the largest error after so many evaluations, at each improvement.
    """

    point: tuple[int, ...] = ()
    ulp: float = -1.0
    sampled: float = -1.0
    evaluations: int = 0
    trace: list[tuple[int, float]] = field(default_factory=list)

    def note(self, points: Array, errors: Array) -> None:
        """Count evaluations and keep the worst; of equals, the first."""
        self.evaluations += errors.size
        if errors.size and errors.max() > self.ulp:
            best = int(np.argmax(errors))
            self.ulp, self.point = float(errors[best]), tuple(int(v) for v in points[:, best])
            self.trace.append((self.evaluations, self.ulp))


def errors_of(problem: Problem, kernel: Kernel, fmt: Format, target: np.generic | None) -> Errors:
    """Return the error function of an input, or of an input and its target where `target` is None."""

    def errors(points: Array) -> Array:
        inputs = [fmt.from_ordinal(p)[None, :] for p in points]
        if target is not None:
            inputs.append(np.full((1, 1), target))
        with np.errstate(all="ignore"):
            exact = evaluate(problem, fmt, *inputs)
            computed = np.broadcast_to(kernel(*inputs), inputs[0].shape)
            return measure(computed, exact, problem.nonnegative).ulp[0]

    return errors


def search(
    problem: Problem, kernel: Kernel, fmt: Format, target: np.generic | None, budget: int = 1 << 20, seed: int = 0
) -> Found:
    """Return the worst input found with about `budget` evaluations; deterministic under the seed.

    With `target` None, a problem that has a target is searched over inputs and targets together.
    """
    grid, found, rng = Grid("standard", problem, fmt), Found(), np.random.default_rng(seed)
    errors = errors_of(problem, kernel, fmt, target)
    joint = problem.has_target and target is None

    def visit(low: Array, high: Array, samples: int) -> Array:
        """Sample each box [low, high) and return its largest error."""
        if not low.shape[1]:
            return np.empty(0)
        points = sampled(low, high, samples, rng)
        ulp = errors(points.reshape(len(low), -1))
        found.note(points.reshape(len(low), -1), ulp)
        return ulp.reshape(points.shape[1:]).max(axis=1)

    low, high = first_boxes(grid, joint)
    if not joint:
        near = np.unique(grid.critical_ordinals[:, None] + np.arange(-NEAR, NEAR + 1))[None]
        near = near[:, (near[0] >= grid.start) & (near[0] < grid.stop)]
        visit(near, near + 1, 1)
    best = visit(low, high, max(2, int(budget * FIRST_SHARE) // low.shape[1]))
    found.sampled = found.ulp
    while found.evaluations < budget and low.shape[1]:
        chosen = np.argsort(-best, kind="stable")[:CHOSEN]
        parts = divided(low[:, chosen], high[:, chosen])
        low, high, best = np.delete(low, chosen, 1), np.delete(high, chosen, 1), np.delete(best, chosen)
        small = np.prod((parts[1] - parts[0]).astype(float), axis=0) <= SAMPLES
        visit(parts[0][:, small], parts[1][:, small], SAMPLES)
        top = visit(parts[0][:, ~small], parts[1][:, ~small], SAMPLES)
        low, high = (np.concatenate([a, p[:, ~small]], axis=1) for a, p in ((low, parts[0]), (high, parts[1])))
        best = np.concatenate([best, top])
    return found


def first_boxes(grid: Grid, joint: bool) -> tuple[Array, Array]:
    """Return the cells; or, where the target is searched too, binades of inputs by binades of targets."""
    if not joint:
        low, high = _clipped(grid.cells, grid.fmt.cell_shift, grid.start, grid.stop)
        return low[None], high[None]
    shift = grid.fmt.precision - 1
    start, stop = grid.fmt.finite_ordinals(0.0, 1.0)
    x = _clipped(np.arange(grid.start >> shift, (grid.stop - 1 >> shift) + 1), shift, grid.start, grid.stop)
    y = _clipped(np.arange(start >> shift, (stop - 1 >> shift) + 1), shift, start, stop)
    return tuple(np.stack([a.ravel() for a in np.meshgrid(p, q, indexing="ij")]) for p, q in zip(x, y))  # type: ignore[return-value]


def _clipped(index: Array, shift: int, start: int, stop: int) -> tuple[Array, Array]:
    return np.maximum(index << shift, start), np.minimum((index + 1) << shift, stop)


def divided(low: Array, high: Array) -> tuple[Array, Array]:
    """Divide each box into PARTS of nearly equal size along its longest side; empty parts are left out."""
    width = high - low
    side = np.argmax(width, axis=0)
    boxes = np.arange(low.shape[1])
    step, rest = np.divmod(width[side, boxes], PARTS)
    edges = low[side, boxes][:, None] + step[:, None] * np.arange(PARTS + 1)
    edges += np.minimum(np.arange(PARTS + 1), rest[:, None])  # the first parts take what is left over
    first, last = (np.repeat(a, PARTS, axis=1) for a in (low, high))
    first[np.repeat(side, PARTS), np.arange(first.shape[1])] = edges[:, :-1].ravel()
    last[np.repeat(side, PARTS), np.arange(first.shape[1])] = edges[:, 1:].ravel()
    kept = (last > first).all(axis=0)
    return first[:, kept], last[:, kept]


def sampled(low: Array, high: Array, samples: int, rng: np.random.Generator) -> Array:
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
