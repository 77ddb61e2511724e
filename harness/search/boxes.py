"""Intervals and boxes of the bit order: where a search starts, how it divides, samples and bisects.

A box has one side for the input and, where the target is searched too, one for the target; arrays
`low` and `high` of shape (d, boxes) hold the ordinals of half-open sides [low, high).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from harness.numbers.formats import Format

Array = np.ndarray

PARTS = 8  # into which a box is divided
PIECES = 4  # into which an interval is divided


def bisected(label: Callable[[Array], Array], points: Array) -> Array:
    """Return where labels change between given points in order: the first input of each new label."""
    labels = label(points)
    at = np.nonzero(labels[1:] != labels[:-1])[0]
    low, high, below = points[at], points[at + 1], labels[at]
    while (high - low).max(initial=0) > 1:
        middle = low + (high - low) // 2
        same = label(middle) == below
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.unique(high)


def spread_over(low: Array, high: Array, count: int) -> Array:
    """Return about `count` evenly spread ordinals of each interval [low, high), sorted, with the last of all."""
    width = (high - low)[:, None]
    return np.unique(np.append(low[:, None] + width // count * np.arange(count), high.max() - 1))


def cells(fmt: Format, start: int, stop: int, most: int) -> tuple[Array, Array]:
    """Return the cells of [start, stop), or larger intervals of a power of two, so that there are about `most`."""
    shift = max(fmt.cell_shift, ((stop - start) // max(1, most)).bit_length())
    return _divided_at(shift, start, stop)


def binades(fmt: Format, domain: tuple[float, float], most: int) -> tuple[Array, Array]:
    """Return boxes of a binade of inputs by a binade of targets, or of 2, 4 ... of each to have at most so many."""
    shift, sides = fmt.precision - 1, [fmt.finite_ordinals(*ends) for ends in (domain, (0.0, 1.0))]
    while math.prod(stop - start >> shift for start, stop in sides) > most:
        shift += 1
    x, y = (_divided_at(shift, *side) for side in sides)
    return tuple(np.stack([a.ravel() for a in np.meshgrid(p, q, indexing="ij")]) for p, q in zip(x, y))  # type: ignore[return-value]


def _divided_at(shift: int, start: int, stop: int) -> tuple[Array, Array]:
    index = np.arange(start >> shift, (stop - 1 >> shift) + 1)
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


def split(start: Array, stop: Array, least: int) -> tuple[Array, Array]:
    """Divide the intervals of at least so many points into PIECES."""
    large = stop - start >= least
    step, rest = np.divmod(stop[large] - start[large], PIECES)
    part = np.arange(PIECES + 1)
    edges = start[large][:, None] + step[:, None] * part + np.minimum(part, rest[:, None])
    return (
        np.concatenate([start[~large], edges[:, :-1].ravel()]),
        np.concatenate([stop[~large], edges[:, 1:].ravel()]),
    )


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
