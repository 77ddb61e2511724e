"""Search for the largest of errors that look random, by the upper end of their distribution.

Most errors of a good kernel are sums of roundings.  From one input to the next they look random, while
how large they can be changes slowly, with jumps where an intermediate result passes a power of two, where a
table inside a function goes to its next entry or where a formula begins.  No neighbour of a bad input
is bad for that, so nothing can be climbed.  What can be found is where the distribution reaches farthest: a
run of a few hundred inputs, random in a window of a box, shows its upper end much better than its largest
error does.  The boxes whose runs reach farthest are divided, a part gets a run of its own, and so on: the
evaluations gather where large errors are frequent, and stay spread where all is alike.
"""

from __future__ import annotations

import math

import numpy as np

from harness.search.interpolation import AT_RUN
from harness.search.space import BoxSearch, divide_boxes

Array = np.ndarray

LEAST, MOST = 256, 1024  # inputs of a run
TOP = 64  # one in so many, and 8 at least, are the largest errors of a run, which stand for its upper end
FEW = 4  # of these, to tell a tail from a group
FIRST_SHARE = 0.25  # of the inputs, for the boxes as they come, in runs of the least size
PARTS = 4  # into which a box is divided
ROUNDS = 64  # of division
GREEDY = 2  # each so many-th round takes the boxes of the largest errors, whatever may lie beyond
WINDOW_BITS = 10  # a run goes over 2^-10 of its input at most
FARTHER = 8  # scales beyond the mean of a run's largest errors: as far as e^8 times as many inputs would reach
NARROWINGS, NARROWED = 4, 4  # how often, and by how many bits, a run is narrowed where it cannot be interpolated


def upper_ends(errors: Array) -> Array:
    """Return m and s of each run of errors (runs, n), shape (2, runs): where the largest lie, and their scale.

    m is the mean of the largest errors, one in TOP, and s their mean excess over the least of them, or that of the
    FEW largest where it is less: where the largest form a group, as beside a power of two, beyond which
    errors count twice, nothing lies far beyond them.  If the tail falls exponentially, both are its scale.
    """
    count = max(8, errors.shape[1] // TOP)
    top = np.sort(np.clip(np.partition(errors, errors.shape[1] - count, axis=1)[:, -count:], 0, 1e300), axis=1)
    mean = top.mean(axis=1)
    return np.stack([mean, np.minimum(mean - top[:, 0], top[:, -FEW:].mean(axis=1) - top[:, -FEW])])


def run_size(inputs: int, evaluations: int) -> int:
    """Return of how many inputs runs are, a power of two, so that so many evaluations of AT_RUN a run see all inputs."""
    return int(np.clip(2 ** round(math.log2(max(1, inputs * AT_RUN / max(1, evaluations)))), LEAST, MOST))


def promise(ends: Array, record: float) -> Array:
    """Return (m - record) / s: but for a constant the logarithm of the chance that an input beats the record."""
    return (ends[0] - record) / np.maximum(ends[1], 1e-9 * max(record, 0.0) + 1e-300)


def run_points(low: Array, high: Array, inputs: int, widest: int, rng: np.random.Generator) -> Array:
    """Return the points (d, boxes, inputs) of a run in each box [low, high).

    The first coordinate rises through a window of at most `widest` ordinals, from its first to its last, by
    random steps, or one by one where it holds no more than `inputs`; the others are random and stay.
    """
    at = low + np.floor(rng.random(low.shape) * (high - low)).astype(np.int64)
    width = np.minimum(high[0] - low[0], widest)
    at[0] = low[0] + np.floor(rng.random(len(width)) * (high[0] - low[0] - width + 1)).astype(np.int64)
    part = np.sort(rng.random((len(width), inputs)), axis=1)
    part[:, 0], part[:, -1] = 0.0, 1.0
    step = np.where(
        width[:, None] > inputs,
        np.rint(part * (width - 1)[:, None]).astype(np.int64),
        np.minimum(np.arange(inputs), width[:, None] - 1),
    )
    points = np.repeat(at[..., None], inputs, axis=2)
    points[0] += step
    return points


def probe(run: BoxSearch, low: Array, high: Array, inputs: int) -> Array:
    """Return the upper ends of the errors of a run in each box; -1 where no window was narrow enough to interpolate."""
    ends = np.stack([np.full(low.shape[1], -1.0), np.zeros(low.shape[1])])
    left, widest = np.arange(low.shape[1]), 1 << max(1, run.fmt.precision - 1 - WINDOW_BITS)
    for _ in range(NARROWINGS):
        if left.size:
            errors = run.look_at_runs(run_points(low[:, left], high[:, left], inputs, widest, run.rng))
            seen = errors.max(axis=1) >= 0
            ends[:, left[seen]] = upper_ends(errors[seen])
            left, widest = left[~seen], max(1, widest >> NARROWED)
    return ends


def search_noise(run: BoxSearch, low: Array, high: Array, inputs: int) -> tuple[Array, Array]:
    """Look at about so many inputs, in boxes (d, n) that come in the order of their promise, and in parts of the best.

    Returns the boxes that it ends with, `low` and `high`, those first whose errors would reach farthest.

    A part is judged by the mean of what its own run says and what its box was judged by, so that no single
    run decides.  Parts of no more inputs than a run are seen and done with.  No more than what is left of the
    budget is spent, or a quarter of it where less is left.
    """
    spendable = max(run.budget - run.found.evaluations, run.budget // 4)
    stop, size = run.found.evaluations + spendable, run_size(inputs, spendable)
    first = max(1, int(min(inputs, spendable * size / AT_RUN) * FIRST_SHARE / LEAST))
    low, high = low[:, :first], high[:, :first]
    ends = probe(run, low, high, LEAST)
    left = min(inputs - ends.shape[1] * LEAST, (stop - run.found.evaluations) * size // AT_RUN) // size
    at_once = max(1, left // (PARTS * ROUNDS))
    turn = 0
    while left > 0 and low.shape[1] and run.found.evaluations < stop:
        rank = promise(ends, run.found.ulp) if turn % GREEDY else ends[0]
        chosen = np.argsort(-rank, kind="stable")[:at_once]
        part_low, part_high, box = divide_boxes(low[:, chosen], high[:, chosen], PARTS, size)
        own = probe(run, part_low, part_high, size)
        own = np.where(own[0] < 0, own, (own + ends[:, chosen][:, box]) / 2)
        left, turn = left - own.shape[1], turn + 1
        large = np.prod((part_high - part_low).astype(float), axis=0) > size
        low = np.concatenate([np.delete(low, chosen, 1), part_low[:, large]], axis=1)
        high = np.concatenate([np.delete(high, chosen, 1), part_high[:, large]], axis=1)
        ends = np.concatenate([np.delete(ends, chosen, 1), own[:, large]], axis=1)
    order = np.argsort(-(ends[0] + FARTHER * ends[1]), kind="stable")
    return low[:, order], high[:, order]
