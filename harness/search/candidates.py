"""What the exact values alone say about where a large error may lie, without running the kernel.

A computed value is a whole number of ulps, so the error at an input is n + d or n + 1 - d ulps,
where d is the distance of the exact value from the nearest number of the format and n is some
whole number.  An input can beat a record by a little only where n + d or n + 1 - d lies a little
above it: the rest need not be computed.  Where many inputs share one exact value to a small part
of an ulp, a few of them stand for all.  The ulp halves where the exact value falls below a power
of two, and the error of an intermediate result that did not fall doubles there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.formats import Format
from harness.problems import Problem
from harness.wide import FLOAT64, huge, power_of_two_below, power_two, wide_dtype

Array = np.ndarray

BLOCK = 1 << 14  # inputs at a time: small enough for the cache
POINTS_PER_ULP = 8  # of the exact value, where inputs lie denser than results
SCREENED = 16  # at most so many inputs are screened for each one computed
RISE = 0.05  # by which a record is expected to be beaten, as a fraction of it


class Candidates:
    """Judge inputs of one problem in one format by their exact values; ordinals have shape (n,)."""

    def __init__(self, problem: Problem, fmt: Format, target: np.generic | None):
        self.problem, self.fmt = problem, fmt
        self.wide = wide_dtype(fmt)
        self.target = [] if target is None else [np.full((1, 1), target).astype(self.wide)]

    @property
    def screens(self) -> bool:
        """Tell whether inputs are screened: in float64 the exact value costs more than the kernel."""
        return self.wide == FLOAT64

    def fraction(self, ordinals: Array) -> Array:
        """Return the distance of each exact value from the nearest multiple of its ulp, in ulps."""
        return _in_blocks(self._fraction, ordinals)

    def _fraction(self, ordinals: Array) -> Array:
        value = self._exact(ordinals)
        in_ulps = value / self._ulp(value)
        return abs(in_ulps - np.rint(in_ulps)).astype(np.float64)

    def binade(self, ordinals: Array) -> Array:
        """Return a label that differs between exact values of different sign or binade of the format."""
        return _in_blocks(self._binade, ordinals)

    def _binade(self, ordinals: Array) -> Array:
        value = self._exact(ordinals).astype(np.float64)  # beyond its range: infinity, or 0
        beyond = 2 - self.fmt.emin
        exponent = np.clip(np.where(np.isfinite(value), np.frexp(value)[1], beyond), self.fmt.emin, beyond)
        return np.where(value == 0, self.fmt.emin, exponent) + np.where(value < 0, 4 * beyond, 0)

    def degrees(self, low: Array, high: Array) -> Array:
        """Return how many points of each interval [low, high) stand for all of them."""
        first, last = (_in_blocks(self._exact, o) for o in (low, high - 1))
        with np.errstate(all="ignore"):
            span = abs(last - first) / self._ulp(np.maximum(abs(first), abs(last)))
            points = np.minimum(POINTS_PER_ULP * (span + 1), 2.0**62).astype(np.float64)
        return np.minimum(high - low, np.where(np.isfinite(points), points, 2.0**62).astype(np.int64))

    def worth(self, record: float) -> float:
        """Return how many inputs to screen for each one that is computed.

        A share of 2 RISE record of all inputs can beat the record by so much.
        """
        if not self.screens:
            return 1.0
        return float(np.clip(0.5 / (RISE * max(record, RISE)), 1, SCREENED))

    def screened(self, ordinals: Array, count: int, record: float) -> Array:
        """Return the `count` inputs whose possible errors lie nearest above a record, in their order.

        Where nothing is worth screening, the first of them.
        """
        if len(ordinals) <= count or not self.screens:
            return ordinals[: max(0, count)]
        d, part = self.fraction(ordinals), record - np.floor(record)
        above = np.minimum((d - part) % 1.0, (1 - d - part) % 1.0)
        return ordinals[np.sort(np.argpartition(above, count)[:count])]

    def _exact(self, ordinals: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.problem.fast(self.fmt.from_ordinal(ordinals)[None, :].astype(self.wide), *self.target)[0]

    def _ulp(self, value: Array) -> Array:
        size = np.minimum(abs(value), huge(self.wide))
        least = power_two(self.fmt.emin, self.wide)
        return np.maximum(power_of_two_below(size), least) * power_two(1 - self.fmt.precision, self.wide)


def _in_blocks(function: Callable[[Array], Array], ordinals: Array) -> Array:
    with np.errstate(all="ignore"):
        parts = [function(ordinals[i : i + BLOCK]) for i in range(0, len(ordinals), BLOCK)]
    return np.concatenate(parts) if parts else np.empty(0)
