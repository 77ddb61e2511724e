"""Race inputs over targets: the inputs that are worst for some target are tried with many others, the better ones with more.

Part of the error of a loss is its input's own: softplus(x) is off by what it is off by, whatever weight the target gives
it.  The worst inputs for one target are therefore bad for most, and with the right one, whose roundings and whose place
below a power of two add to it, worst of all.  A line of inputs shows the first; how the target adds to it looks random.
So many inputs begin with few targets each, and each time the best of them go on with more: some beside their best, some
anywhere, and some where the exact value is just below a power of two, above which a computed value is rounded to twice
as much.

Inputs are taken from every cell, since the worst of all crowd in one place and another may suit more targets; and from
lines of several targets, since of two functions that a loss adds up, the targets 0 and 1 each show one alone.
"""

from __future__ import annotations

import numpy as np

from harness.numbers.formats import Format
from harness.search.space import BoxSearch
from harness.truth.fast import evaluate

Array = np.ndarray

OF_CELL = 256  # of the inputs of a cell, the worst so many take part
PART = 2  # and have the largest of their errors divided by so much at least
FEWER, LAST = 4, 32  # one in FEWER goes on, until there are so many
LEAST = 16  # targets for each input at first
REACH = 2.0**26  # ordinals: how far from its best target another one lies at most, in float32 eight binades


class WorstInputs:
    """Keep the worst inputs of each cell of a line, as a search along it visits them or looks at them by interpolation."""

    def __init__(self, fmt: Format):
        self.fmt = fmt
        self.ordinals, self.ulp = np.empty(0, np.int64), np.empty(0)
        self._least = np.zeros(2 * (int(fmt.cell(np.array(fmt.max_ordinal))) + 1))  # of cells below 0 from the end
        self._kept = 0

    def add(self, ordinals: Array, ulp: Array) -> None:
        """Add inputs (n,) with their errors; those without one, or with less than a cell's worst, are left out."""
        worse = ulp > self._least[self.fmt.cell(ordinals)]
        if worse.any():
            self.ordinals = np.concatenate([self.ordinals, ordinals[worse]])
            self.ulp = np.concatenate([self.ulp, ulp[worse]])
            if len(self.ulp) > max(2 * self._kept, 1 << 16):
                self.keep()

    def keep(self) -> None:
        """Keep OF_CELL inputs of each cell, each once, in value order."""
        order = np.lexsort((-self.ulp, self.ordinals))
        order = order[np.append(True, np.diff(self.ordinals[order]) != 0)] if order.size else order
        ordinals, ulp = self.ordinals[order], self.ulp[order]
        cells, rank = self.fmt.cell(ordinals), ranks(self.fmt, ordinals, ulp)
        last = rank == OF_CELL - 1
        self._least[cells[last]] = ulp[last]
        chosen = rank < OF_CELL
        self.ordinals, self.ulp, self._kept = ordinals[chosen], ulp[chosen], len(chosen)


def ranks(fmt: Format, ordinals: Array, ulp: Array) -> Array:
    """Return how many inputs of the same cell have larger errors, for each; of equals, the earlier counts as larger."""
    cells = fmt.cell(ordinals)
    order, place = np.lexsort((-ulp, cells)), np.sort(cells)
    rank = np.empty(len(cells), np.int64)
    rank[order] = np.arange(len(cells)) - np.searchsorted(place, place)
    return rank


def raced(run: BoxSearch, points: Array, ulp: Array, evaluations: int) -> tuple[Array, Array]:
    """Return the best of pairs (2, n) with the targets that suit their inputs, the worst error first, and their errors.

    `points` has each input with a target, `ulp` the error there; about so many evaluations are spent, the same in each
    round, though LEAST targets an input at least: as many inputs of each cell take part as that can pay for once.
    """
    if not ulp.size:
        return points, ulp
    far = ulp * PART < ulp.max()
    points, ulp = points[:, ~far], ulp[~far]
    rank = ranks(run.fmt, points[0], ulp)
    taking_part = rank < max(1, np.searchsorted(np.cumsum(np.bincount(rank)), evaluations // LEAST, "right"))
    points, ulp = points[:, taking_part], ulp[taking_part]
    rounds = 1 + int(np.ceil(np.log(max(1, points.shape[1] / LAST)) / np.log(FEWER)))
    for left in range(rounds, 0, -1):
        n = points.shape[1]
        targets = _targets(run, points, max(LEAST, evaluations // rounds // n))
        errors = run.visit(np.stack([np.repeat(points[0], targets.shape[1]), targets.ravel()])).reshape(targets.shape)
        best = errors.argmax(axis=1)
        top = errors[np.arange(n), best]
        points[1] = np.where(top > ulp, targets[np.arange(n), best], points[1])
        ulp = np.maximum(ulp, top)
        order = np.lexsort((*points, -ulp))[: n if left == 1 else n // FEWER]
        points, ulp = points[:, order], ulp[order]
    return points, ulp


def _targets(run: BoxSearch, points: Array, count: int) -> Array:
    """Return so many targets for each pair (2, n) of an input with its best target, (n, count), a third of each sort.

    They lie evenly over (0, 1) and near its ends, where the binades of the distance are alike; beside the best target;
    and where the exact value is just below a power of two.
    """
    fmt, best, shape = run.fmt, points[1], (points.shape[1], count)
    one = int(fmt.ordinal(np.array(1, fmt.dtype)))
    near = np.exp2(-fmt.precision * run.rng.random(shape))
    values = np.choose(run.rng.integers(0, 4, shape), [run.rng.random(shape), run.rng.random(shape), near, 1 - near])
    away = run.rng.uniform(-1, 1, shape) * REACH ** run.rng.random(shape)
    beside = best[:, None] + np.rint(away).astype(np.int64)
    soft = (best > 0) & (best < one)
    sort = run.rng.integers(0, 3, shape)
    below = _below_powers(run, points, shape)
    values = np.where((sort == 1) & (below > 0) & (below < 1), below, values)
    return np.clip(np.where(soft[:, None] & (sort == 0), beside, fmt.ordinal(values.astype(fmt.dtype))), 0, one)


def _below_powers(run: BoxSearch, points: Array, shape: tuple[int, int]) -> Array:
    """Return targets at which the exact value is just below a power of two, NaN where it passes none.

    There an ulp is half of what it is above, and a computed value that comes to lie above is rounded to that.  A loss is
    linear in its target: c = L(x, 0) + y (L(x, 1) - L(x, 0)).  Half the powers are the next below the value at the best
    target; the others are any between the values at 0 and 1.
    """
    fmt, x = run.fmt, run.fmt.from_ordinal(points[0])[None]
    with np.errstate(all="ignore"):
        ends = np.array([[0], [1]], fmt.dtype)
        zero, unit = evaluate(run.problem, fmt, x, ends).high[:, :, None]
        best = zero + fmt.from_ordinal(points[1]).astype(float)[:, None] * (unit - zero)
        least, most = np.log2(np.minimum(zero, unit)), np.log2(np.maximum(zero, unit))
        any_power = np.floor(least + run.rng.random(shape) * (most - least)) + 1
        own = np.maximum(np.ceil(np.log2(best)) - 1, np.floor(least) + 1)
        power = np.where(run.rng.integers(0, 2, shape) == 0, own, any_power)
        size = 2.0**-fmt.precision
        below = np.where(
            run.rng.integers(0, 2, shape) == 0, size ** run.rng.random(shape), 8 * size * run.rng.random(shape)
        )
        return (np.exp2(power) * (1 - below) - zero) / (unit - zero)
