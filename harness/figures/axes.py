"""Where an input stands on a figure's axis: both tails and the neighbourhood of 0 (or of 0 and 1) in view.

The position is piecewise linear in log10 |x|: the decades where kernels fail are wide, those that
only repeat their neighbours are narrow.  Labelled ticks stand at the same place in every format.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.numbers.formats import Format
from harness.problems import Problem

Array = np.ndarray

# log10 |x| -> distance from the middle; the format's least and largest numbers end the lists.
REAL_KNOTS = ((-4.0, 0.6), (-2.0, 1.1), (0.0, 2.0), (3.0, 5.0), (4.0, 5.5))
REAL_LEAST, REAL_MOST = 0.12, 6.0
# log10 p below one half, and log10 (1 - p) above it, -> distance from the middle.
UNIT_KNOTS = ((-400.0, 4.6), (-16.0, 3.8), (-7.0, 2.4), (-2.0, 1.1), (math.log10(0.5), 0.0))
UNIT_END = 5.0  # where p = 0 and p = 1 stand


@dataclass(frozen=True)
class InputAxis:
    """Place the inputs of one problem: `positions`, `limits`, and ticks with their labels."""

    problem: Problem

    @property
    def limits(self) -> tuple[float, float]:
        """Return the positions of the axis's ends, with room beyond the outermost inputs that the domain allows."""
        if self.problem.input == "probability":
            return -UNIT_END - 0.25, UNIT_END + 0.25
        lo, _ = self.problem.domain
        return (-REAL_MOST if lo < -1 else -2.2 if lo < 0 else -0.1), REAL_MOST

    @property
    def label(self) -> str:
        """Return what is written along the axis: `logit x`, `probability p` or `input x`."""
        return {"logit": "logit x", "probability": "probability p"}.get(self.problem.input, "input x")

    def positions(self, values: Array, fmt: Format) -> Array:
        """Place inputs of a format, float64 of any shape, in their own order."""
        v = np.asarray(values, dtype=np.float64)
        if self.problem.input == "probability":
            return np.where(v < 0.5, -_unit(v), _unit(1 - v))
        size = np.clip(np.abs(v), fmt.smallest_subnormal, fmt.max)
        least, most = math.log10(fmt.smallest_subnormal), math.log10(fmt.max)
        knots = [(least, REAL_LEAST), *REAL_KNOTS, (most, REAL_MOST)]
        at = np.interp(np.log10(size), *np.array(knots).T)
        return np.where(v == 0, 0.0, np.copysign(at, v))

    @property
    def reach(self) -> tuple[float, float]:
        """Return between which positions every format has numbers of about the same place, and the domain allows them."""
        lo, hi = self.limits
        most = -UNIT_KNOTS[1][1] if self.problem.input == "probability" else -REAL_KNOTS[-1][1]
        return max(lo, most), min(hi, -most)

    def value(self, at: float) -> float:
        """Return the input at a position within `reach`, as `positions` places it."""
        knots = UNIT_KNOTS if self.problem.input == "probability" else REAL_KNOTS
        exponents, places = np.array(sorted(knots, key=lambda k: k[1])).T
        size = 10.0 ** float(np.interp(abs(at), places, exponents))
        if self.problem.input == "probability":
            return size if at < 0 else 1 - size
        return math.copysign(size, at)

    def ticks(self, wide: bool) -> tuple[list[float], list[str]]:
        """Return positions and labels of the ticks; fewer where the panel is not wide."""
        chosen = self._labelled(wide)
        lo, hi = self.limits
        kept = [(p, label) for p, label in chosen if lo <= p <= hi]
        return [p for p, _ in kept], [label for _, label in kept]

    def _labelled(self, wide: bool) -> list[tuple[float, str]]:
        if self.problem.input == "probability":
            a, b, c = (float(_unit(np.array(q))) for q in (1e-16, 1e-7, 0.01))
            few = [(-UNIT_END, "0"), (-b, "10⁻⁷"), (0.0, "0.5"), (b, "1−10⁻⁷"), (UNIT_END, "1")]
            return few + [(-a, "10⁻¹⁶"), (-c, "0.01"), (c, "0.99")] * wide
        labels = {1: "1", 100: "100"} | ({0.01: "0.01", 10: "10", 10**4: "10⁴"} if wide else {})
        at = [(_real(math.log10(x)), label) for x, label in labels.items()]
        return [(0.0, "0"), *at, *((-p, f"−{label}") for p, label in at)]

    def minor_ticks(self) -> list[float]:
        """Return where the unlabelled ticks stand: powers of ten, down to 10^-4 (10^-16 beside 0 and 1)."""
        if self.problem.input == "probability":
            at = [float(_unit(np.array(10.0**e))) for e in range(-16, 0)]
        else:
            at = [_real(e) for e in range(-4, 5)]
        lo, hi = self.limits
        return [p for a in at for p in (-a, a) if lo <= p <= hi]


def _real(exponent: float) -> float:
    """Return the distance from the middle of 10^exponent between the outermost knots of all formats."""
    return float(np.interp(exponent, *np.array(REAL_KNOTS).T))


def _unit(q: Array) -> Array:
    """Return the distance from the middle of q = min(p, 1 - p); q = 0 stands at the end."""
    at = np.interp(np.log10(np.maximum(q, 5e-324)), *np.array(UNIT_KNOTS).T)
    return np.where(q == 0, UNIT_END, at)
