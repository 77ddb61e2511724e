"""Intervals and boxes of the bit order: where a search starts, how it divides, samples and bisects.

A box has one side for the input and, where the target is searched too, one for the target; arrays
`low` and `high` of shape (d, boxes) hold the ordinals of half-open sides [low, high).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.grids import Grid

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
