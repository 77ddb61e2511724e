"""Cells divided into pieces so narrow that exact values and intermediates hardly vary in them.

An error bound holds for the worst input of its interval, in units of the least ulp there.  Over a
cell of logits, eight wide, e^x varies by e^8, and the bound would be too large by that.  So a
piece is halved until the ulp-relevant exact values, and the distance to the ends of the domain,
vary by at most a quarter, or it is one input wide.  Zero, and the ends of the domain with their
poles, are pieces of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness import UsageError
from harness.bounds import intervals
from harness.numbers.division import middle
from harness.numbers.formats import Format
from harness.numbers.wide import wide_dtype
from harness.problems import Problem, gradient_of
from harness.workflow.targets import STANDARD_TARGETS, targets_in

Array = np.ndarray

RATIO = 1.25  # of the exact values within a piece; also of the distances to the domain's ends
WIDTH = 0.25  # of a piece of the real line, e^0.25 = 1.28
# Relative slack for the fast exact values (2^-48, see truth/fast.py) and the arithmetic on them.
SLACK = 2.0**-46


@dataclass(frozen=True)
class Pieces:
    """Hold P pieces in value order: first and last ordinals, cell positions, exact values of T targets.

    `first`, `last` and `cell` have shape (P,), `least` and `most` (T, P): float64 bounds of the
    exact value over the piece.
    """

    fmt: Format
    first: Array
    last: Array
    cell: Array
    least: Array
    most: Array

    @property
    def x(self) -> tuple[Array, Array]:
        """Return the least and the greatest input of each piece, float64 of shape (1, P)."""
        low, high = (self.fmt.from_ordinal(n).astype(np.float64)[None, :] for n in (self.first, self.last))
        return low, high

    @property
    def pole(self) -> Array:
        """Tell which pieces are a pole: one input, at which the exact value is infinite."""
        return (self.least == np.inf) | (self.most == -np.inf)

    @property
    def smallest(self) -> Array:
        """Return the least magnitude of the exact values; 0 where their sign changes."""
        return np.maximum(np.maximum(self.least, -self.most), 0)


def divide(problem: Problem, fmt: Format, targets: Array | None, cells: Array) -> Pieces:
    """Halve cells (sorted) until each piece is narrow or one input; targets (T,) in the working format, or None.

    Pieces are narrow for the standard targets too, so that the bound of one of these is the same in every experiment.
    """
    first, last = _whole(problem, fmt, cells)
    bounded = slice(None)
    if targets is not None:
        bounded = slice(len(targets))
        targets = np.concatenate([targets, np.setdiff1d(targets_in(fmt, STANDARD_TARGETS), targets)])
    done: list[tuple[Array, ...]] = []
    with np.errstate(all="ignore"):
        while first.size:
            least, most = exact_range(problem, fmt, targets, first, last)
            split = (last > first) & (_varies(fmt, least, most) | _wide(problem, fmt, first, last))
            done.append((first[~split], last[~split], least[bounded, ~split], most[bounded, ~split]))
            start, stop = first[split], last[split]
            half = middle(start, stop)
            first, last = np.concatenate([start, half + 1]), np.concatenate([half, stop])
    columns = [np.concatenate(parts, axis=-1) for parts in zip(*done)]
    order = np.argsort(columns[0])
    first, last, least, most = (c[..., order] for c in columns)
    return Pieces(fmt, first, last, np.searchsorted(cells, fmt.cell(first)), least, most)


def _whole(problem: Problem, fmt: Format, cells: Array) -> tuple[Array, Array]:
    """Return the cells' first and last ordinals within the domain, zeros and the domain's ends cut out."""
    start, stop = fmt.finite_ordinals(*problem.domain)
    edges = np.concatenate([cells << fmt.cell_shift, (cells + 1) << fmt.cell_shift])
    edges = np.unique(np.concatenate([edges, [start, start + 1, -1, 0, 1, stop - 1, stop]]))
    first, last = edges[:-1], edges[1:] - 1
    kept = (first >= start) & (last < stop) & np.isin(fmt.cell(first), cells)
    return first[kept], last[kept]


def exact_range(problem: Problem, fmt: Format, targets: Array | None, first: Array, last: Array) -> tuple[Array, Array]:
    """Return bounds of the exact value over pieces, shape (T, P); both are infinite at a pole alone.

    A monotone problem has its bounds at the ends.  The losses, which are not, are convex in their
    input: they lie below their values at the ends, and above the tangents there.  Others say what
    they reach between the ends.
    """
    a, b = (_float64(exact_values(problem, fmt, targets, n)) for n in (first, last))
    least, most = np.minimum(a, b), np.maximum(a, b)
    start, stop = (fmt.from_ordinal(n).astype(np.float64)[None, :] for n in (first, last))
    if problem.between is not None:
        given = () if targets is None else (targets.astype(np.float64)[:, None],)
        lower, upper = problem.between(start, stop, *given)
        least, most = np.fmin(least, lower), np.fmax(most, upper)
    elif not problem.monotone:
        slope = gradient_of(problem)
        if slope is None:
            raise UsageError(f"{problem.name} is not monotone: bounds need its `gradient`, or `between`")
        at_a, at_b = (_float64(exact_values(slope, fmt, targets, n)) for n in (first, last))
        tangents = np.maximum(a + at_a * (stop - start), b - at_b * (stop - start))
        least = np.where((at_a < 0) & (at_b > 0), np.maximum(tangents, 0), least)
    # Outward by one float64 besides, as a 0 may stand for an underflow.
    below, above = intervals.outward((least - SLACK * abs(least), most + SLACK * abs(most)))
    return np.where(np.isinf(least), least, below), np.where(np.isinf(most), most, above)


def _float64(wide: Array) -> Array:
    """Round to float64, with overflow held at its largest number: infinity is for poles."""
    limit = np.finfo(np.float64).max
    return np.where(np.isinf(wide), wide.astype(np.float64), np.clip(wide.astype(np.float64), -limit, limit))


def exact_values(problem: Problem, fmt: Format, targets: Array | None, ordinals: Array) -> Array:
    """Return exact values in the wide format, shape (T, P); a row of one where there are no targets."""
    wide = wide_dtype(fmt)
    x = fmt.from_ordinal(ordinals).astype(wide)[None, :]
    return problem.fast(x) if targets is None else problem.fast(x, targets.astype(wide)[:, None])


def _varies(fmt: Format, least: Array, most: Array) -> Array:
    """Tell where some target's ulp varies; below the smallest normal number it does not."""
    lo = np.maximum(np.maximum(np.maximum(least, -most), 0), fmt.min_normal)
    hi = np.maximum(np.maximum(abs(least), abs(most)), fmt.min_normal)
    return (~(hi <= RATIO * lo) & np.isfinite(least)).any(axis=0)


def _wide(problem: Problem, fmt: Format, first: Array, last: Array) -> Array:
    """Tell which pieces are too wide: by WIDTH on the real line, by RATIO in the distance to the domain's ends."""
    lo, hi = (fmt.from_ordinal(n).astype(np.float64) for n in (first, last))
    finite = [end for end in problem.domain if np.isfinite(end)]
    if finite:
        return np.logical_or.reduce(
            [np.maximum(abs(lo - e), abs(hi - e)) > RATIO * np.minimum(abs(lo - e), abs(hi - e)) for e in finite]
        )
    # Beyond this e^-|x| is 0 beside every number, and e^|x| has overflowed.
    active = np.log(2) * (fmt.precision - fmt.emin + 2)
    return (hi - lo > WIDTH) & (np.minimum(abs(lo), abs(hi)) < active)
