"""What every search does: visit points, count the evaluations, keep the worst, and follow slopes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from harness.search.boxes import divided, sampled

Array = np.ndarray

BLOCK = 1 << 14  # points at a time: small enough for the cache
SAMPLES = 16  # points of a part, before it is divided again
CHOSEN = 48  # boxes divided in one round


@dataclass
class Found:
    """Hold the worst input found, and how the search came to it.

    `point` are the ordinals of the worst input (and target, where that was searched too); `sampled` is
    the largest error of the first sample; `evaluations` counts exact values, each with the kernel's;
    `interpolated` the inputs where only the kernel was computed and the exact value interpolated;
    `trace` is the largest error after so many evaluations, at each improvement, all with exact values.
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

    def add(self, part: Found, point: tuple[int, ...]) -> None:
        """Add what a part of the search found, whose worst is at a point of the whole."""
        self.trace += [(self.evaluations + n, ulp) for n, ulp in part.trace if ulp > self.ulp]
        self.evaluations += part.evaluations
        self.interpolated += part.interpolated
        if part.ulp > self.ulp:
            self.ulp, self.point = part.ulp, point


class Visits:
    """Compute errors at points (d, n) of ordinals under a budget of evaluations."""

    def __init__(self, errors: Callable[[Array], Array], budget: int, seed: int):
        self.errors, self.budget, self.found = errors, budget, Found()
        self.rng = np.random.default_rng(seed)

    def visit(self, points: Array) -> Array:
        """Compute the kernel at points of shape (d, n); return its errors, negative where there is none."""
        parts = [self.errors(points[:, i : i + BLOCK]) for i in range(0, points.shape[1], BLOCK)]
        ulp = np.concatenate([np.empty(0), *parts])
        self.found.note(points, ulp)
        return ulp

    def sample(self, low: Array, high: Array, samples: int) -> tuple[Array, Array]:
        """Sample each box [low, high); return points (d, boxes, samples) and errors (boxes, samples)."""
        points = sampled(low, high, samples, self.rng)
        return points, self.visit(points.reshape(len(low), -1)).reshape(points.shape[1:])

    def slopes(self, low: Array, high: Array, best: Array, evaluations: float) -> None:
        """Divide the boxes of the largest errors, best first, until the evaluations are spent."""
        stop = self.found.evaluations + evaluations
        while self.found.evaluations < stop and low.shape[1]:
            chosen = np.argsort(-best, kind="stable")[:CHOSEN]
            first, last = divided(low[:, chosen], high[:, chosen])
            small = np.prod((last - first).astype(float), axis=0) <= SAMPLES
            for part in (small, ~small):
                _, ulp = self.sample(first[:, part], last[:, part], SAMPLES)
            low = np.concatenate([np.delete(low, chosen, 1), first[:, ~small]], axis=1)
            high = np.concatenate([np.delete(high, chosen, 1), last[:, ~small]], axis=1)
            best = np.concatenate([np.delete(best, chosen), ulp.max(axis=1, initial=-1.0)])
