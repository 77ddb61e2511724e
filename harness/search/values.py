"""What the exact values alone say about where a large error may lie, without running the kernel.

The ulp halves where the exact value falls below a power of two, and the error of an intermediate
result that did not fall doubles there.  Where many inputs share one exact value to a small part
of an ulp, a few of them stand for all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.numbers.wide import ulp_of, wide_dtype, widened
from harness.search.lines import Line
from harness.search.visits import BLOCK

Array = np.ndarray

POINTS_PER_ULP = 8  # of the exact value, where inputs lie denser than results


class ExactValues:
    """Exact values on a line; ordinals have shape (n,)."""

    def __init__(self, line: Line):
        self.line, self.fmt = line, line.fmt
        self.wide = wide_dtype(line.fmt)

    def at(self, ordinals: Array) -> Array:
        """Return the exact values in the wide format."""
        return _in_blocks(self._at, ordinals)

    def _at(self, ordinals: Array) -> Array:
        return self.line.problem.fast(*(widened(v, self.wide) for v in self.line.inputs(ordinals)))[0]

    def binade(self, ordinals: Array) -> Array:
        """Return a label that differs between exact values of different sign or binade of the format."""
        return _in_blocks(self._binade, ordinals)

    def _binade(self, ordinals: Array) -> Array:
        value = self._at(ordinals).astype(np.float64)  # beyond its range: infinity, or 0
        beyond = 2 - self.fmt.emin
        exponent = np.clip(np.where(np.isfinite(value), np.frexp(value)[1], beyond), self.fmt.emin, beyond)
        return np.where(value == 0, self.fmt.emin, exponent) + np.where(value < 0, 4 * beyond, 0)

    def negative(self, ordinals: Array) -> Array:
        """Tell which exact values are negative.

        Near a zero of the exact value its binades are too many between two points to bisect each.
        """
        return _in_blocks(lambda block: self._at(block) < 0, ordinals)

    def degrees(self, low: Array, high: Array) -> Array:
        """Return how many points of each interval [low, high) stand for all of them."""
        first, last = self.at(low), self.at(high - 1)
        with np.errstate(all="ignore"):
            span = abs(last - first) / ulp_of(np.maximum(abs(first), abs(last)), self.fmt)
            points = np.minimum(POINTS_PER_ULP * (span + 1), 2.0**62).astype(np.float64)
        return np.minimum(high - low, np.where(np.isfinite(points), points, 2.0**62).astype(np.int64))


def _in_blocks(function: Callable[[Array], Array], ordinals: Array) -> Array:
    with np.errstate(all="ignore"):
        parts = [function(ordinals[i : i + BLOCK]) for i in range(0, max(1, len(ordinals)), BLOCK)]
    return np.concatenate(parts)
