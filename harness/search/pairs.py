"""Climb errors of pairs of input and target that look random: parts of bad pairs put together make worse ones.

Part of an error is the input's own, whatever the target: a loss has functions of the input alone inside.  Part is the
target's, and part the pair's, as the rounding of their product.  So the input of one bad pair with the target of another
is bad more often than a random pair is, and so is the input of a bad pair with any target beside.  In each generation pairs
are made in these ways and the worst of all kept; no input or target may have many of them, or one would soon have all.
Many boxes of pairs begin with few pairs each; those with the worst go on with more.
"""

from __future__ import annotations

import numpy as np

from harness.search.space import BoxSearch

Array = np.ndarray

ROUNDS, BOXES, FEWER = 5, 256, 4  # of boxes at first; one in FEWER goes on to the next round
GENERATIONS, FIRST = 48, 4  # of children, and so many times as many random pairs at first
CHILDREN = 8  # for each pair that is kept
SHARE, LEAST = 64, 4  # of the pairs kept at most one in SHARE has the same input or target, or LEAST
WAYS = 4  # both from bad pairs, twice; another input beside; another target beside


def search_pairs(run: BoxSearch, low: Array, high: Array, evaluations: int) -> list[tuple[int, ...]]:
    """Search for bad pairs in boxes (2, n), the most promising first, with about so many evaluations.

    Returns the worst pairs of the last box, from the worst on.
    """
    spent = evaluations // ROUNDS
    number = np.arange(min(BOXES, low.shape[1], max(1, spent // (CHILDREN * LEAST * (GENERATIONS + FIRST)))))
    known = [np.empty((2, 0), np.int64)] * low.shape[1]
    worst = np.empty(low.shape[1])
    for _ in range(ROUNDS):
        children = max(CHILDREN * LEAST, spent // len(number) // (GENERATIONS + FIRST))
        for n in number:
            box = low[:, n, None], high[:, n, None]
            fresh = run.rng.integers(*box, (2, FIRST * children))
            known[n], ulp = bred(run, np.concatenate([known[n], fresh], axis=1), box, children)
            worst[n] = ulp[0]
        number = number[np.argsort(-worst[number], kind="stable")[: max(1, len(number) // FEWER)]]
    return [(int(x), int(y)) for x, y in known[number[0]].T]


def bred(run: BoxSearch, points: Array, box: tuple[Array, Array], children: int) -> tuple[Array, Array]:
    """Return the pairs (2, n) kept after GENERATIONS of so many children, the worst first, and their errors."""
    reach = int((box[1] - box[0]).max())
    points, ulp = kept(points, run.visit(points), children // CHILDREN)
    for _ in range(GENERATIONS):
        one, other = run.rng.integers(0, points.shape[1], (2, children))
        made = np.stack([points[0, one], points[1, other]])
        way = run.rng.integers(0, WAYS, children)
        away = run.rng.uniform(-1, 1, children) * float(reach) ** run.rng.random(children)
        for side in (0, 1):
            made[side] += np.where(way == side, np.rint(away).astype(np.int64), 0)
        made = np.clip(made, box[0], box[1] - 1)
        points, ulp = np.concatenate([points, made], axis=1), np.concatenate([ulp, run.visit(made)])
        points, ulp = kept(points, ulp, children // CHILDREN)
    return points, ulp


def kept(points: Array, ulp: Array, most: int) -> tuple[Array, Array]:
    """Return the `most` worst of pairs (2, n), each once and the worst first, none with an input or target of too many."""
    order = np.lexsort((*points, -ulp))
    again = (np.diff(points[:, order]) == 0).all(axis=0)
    order = order[np.append(True, ~again)]
    for side in (0, 1):
        grouped = order[np.lexsort((np.arange(len(order)), points[side, order]))]
        rank = np.arange(len(grouped)) - np.searchsorted(points[side, grouped], points[side, grouped])
        chosen = grouped[rank < max(LEAST, most // SHARE)]
        order = chosen[np.argsort(-ulp[chosen], kind="stable")]
    order = order[: max(1, most)]
    return points[:, order], ulp[order]
