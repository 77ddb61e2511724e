"""The inner range: inputs around the centre at which a kernel is proved to keep the budget, from premises that are named.

A sample ends a safe range at the first failure that it finds, which is an outer bound.  An a priori bound that lies
within the budget, piece after piece from the centre outwards, holds at every input in between: the inner range lies
inside the safe range, and both together are a bracket.  Within a piece every result then has the exact value's sign and
is no zero and no infinity, as the bound is less than the least exact value there.  Where no bound says enough of a few
neighbouring inputs (0, the domain's ends, where the ulp doubles, the least subnormal numbers), each of them is computed.

What is proved is proved from premises, and `Premises` writes them down.  The arithmetic is that of IEEE 754.  A function
of a library errs by no more, cell for cell, than was measured (function_errors.py), at every argument or on a sample
with a margin, and its results have the exact sign: of float64 nobody has seen every argument, so that this stays a
premise.  Between three points of a piece the formula's own bias varies no more than among them (bound.py).  The
reference errs by no more than its stated bound (truth/fast.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.bounds.bound import PieceBounds, bound_pieces
from harness.bounds.function_errors import FunctionErrors
from harness.bounds.pieces import Pieces, exact_range
from harness.bounds.running_error import Setting
from harness.sweep.case import Case
from harness.sweep.streaming import BUDGET
from harness.sweep.tally import bad_points

Array = np.ndarray

PARTS = 8  # into which a piece is divided whose bound is too wide for it
LAST = 4  # times that the piece at which a range ends is divided
WINDOW = 128  # pieces ahead that are divided together; as soon as more parts are open, no more are divided
FEW = 1024  # inputs that are computed rather than divided
WORTH = 4.0  # times the budget: a larger bound comes not from the width of its piece
SAMPLED, AT_EVERY = "on a sample with a margin", "at every argument"


@dataclass(frozen=True)
class InnerRange:
    """State the ordinals of the first and the last input that are proved to keep the budget, both None where none is.

    `computed` tells whether some inputs, of which no bound says enough, were computed instead.
    """

    first: int | None
    last: int | None
    computed: bool


@dataclass(frozen=True)
class KernelPieces:
    """Hold one kernel's pieces in value order: bounds in ulps and where the budget is proved to hold, shape (T, P)."""

    first: Array
    last: Array
    ulps: Array
    holds: Array
    called: frozenset[str]
    functions: Mapping[str, FunctionErrors]

    @classmethod
    def joined(cls, parts: Sequence[PieceBounds], kernel: str, functions: Mapping[str, FunctionErrors]) -> KernelPieces:
        """Join what successive parts of the cells say of one kernel."""
        return cls(
            np.concatenate([p.pieces.first for p in parts]),
            np.concatenate([p.pieces.last for p in parts]),
            np.concatenate([p.ulps[kernel] for p in parts], axis=1),
            np.concatenate([proved(p.pieces, p.ulps[kernel]) for p in parts], axis=1),
            frozenset().union(*(p.called[kernel] for p in parts)),
            functions,
        )


def proved(pieces: Pieces, ulps: Array) -> Array:
    """Tell in which pieces a bound keeps the budget and is less than the least exact value, so that no sign is lost."""
    with np.errstate(all="ignore"):
        ulp = Setting(pieces.fmt, {}, pieces.x).ulp(pieces.smallest)
        return (ulps <= BUDGET) & (ulps * ulp < pieces.smallest) & ~pieces.pole


def inner_range(case: Case, found: KernelPieces, t: int) -> InnerRange:
    """Return the inner range of a kernel for target number t: the pieces around the centre that hold, one after another."""
    walk = Walk(case, found, t)
    centre = int(np.searchsorted(found.last, case.grid.centre))
    if not walk.holds(centre, 1):
        return InnerRange(None, None, False)
    low, high = (walk.end(centre, side) for side in (-1, 1))
    return InnerRange(low, high, walk.computed)


class Walk:
    """Go from piece to piece of one target; `computed` tells whether some inputs were computed on the way.

    Where not every input was seen, pieces whose bounds are not much too large are divided: exact values and
    intermediate results vary less in a part, and so does the ulp, by a factor of 2 where it changes.
    """

    def __init__(self, case: Case, found: KernelPieces, t: int):
        self.case, self.found = case, found
        self.ulps, self.proved, self.computed = found.ulps[t], found.holds[t].copy(), False
        self.divided = np.zeros(len(self.proved), bool)

    def holds(self, at: int, side: int) -> bool:
        """Tell whether a piece keeps the budget: as proved, or where it is one input, as computed, no pole being capped."""
        if self.proved[at]:
            return True
        if self.found.first[at] == self.found.last[at]:
            return bool(self._as_computed(self.found.first[at : at + 1])[0])
        if not self.case.grid.exhaustive and not self.divided[at]:
            self._divide(at, side)
        return bool(self.proved[at])

    def end(self, at: int, side: int) -> int:
        """Return the last input in one direction up to which all pieces hold, beginning with this one."""
        while 0 <= at + side < len(self.proved) and self.holds(at + side, side):
            at += side
        first, last = int(self.found.first[at]), int(self.found.last[at])
        beyond = at + side
        if not self.case.grid.exhaustive and 0 <= beyond < len(self.proved):
            reached = self._part(int(self.found.first[beyond]), int(self.found.last[beyond]), side)
            if reached is not None:
                return reached
        return last if side > 0 else first

    def _as_computed(self, ordinals: Array) -> Array:
        """Tell which inputs keep the budget as computed, no pole being capped."""
        self.computed = True
        errors = self.case.errors(ordinals)
        capped = errors.outcomes.get("capped", np.zeros((1, len(ordinals)), bool))[0]
        return ~(bad_points(errors, 0, slice(None), BUDGET) | capped)

    def _divide(self, at: int, side: int) -> None:
        """Divide the pieces ahead that a narrower bound may prove, and prove those all of whose parts hold."""
        ahead = (
            np.arange(at, min(at + WINDOW, len(self.proved)))
            if side > 0
            else np.arange(max(0, at - WINDOW + 1), at + 1)
        )
        self.divided[ahead] = True
        wide = self.found.first[ahead] < self.found.last[ahead]
        open_ = ahead[wide & ~self.proved[ahead] & (self.ulps[ahead] <= WORTH * BUDGET)]
        first, last, owner = self.found.first[open_], self.found.last[open_], open_
        failed = np.empty(0, np.int64)
        while 0 < len(first) <= WINDOW:
            first, last, owner = _divided(first, last, owner)
            few = last - first < FEW
            open_parts = ~self._proved(first, last)
            for i in np.flatnonzero(open_parts & few):
                if owner[i] not in failed and not self._as_computed(np.arange(first[i], last[i] + 1)).all():
                    failed = np.append(failed, owner[i])
            kept = open_parts & ~few & ~np.isin(owner, failed)
            first, last, owner = first[kept], last[kept], owner[kept]
        self.proved[np.setdiff1d(open_, np.append(failed, owner))] = True

    def _proved(self, first: Array, last: Array) -> Array:
        """Bound the kernel over other pieces, given by their first and last inputs."""
        case = self.case
        targets = None if case.target is None else np.array([case.target])
        with np.errstate(all="ignore"):
            least, most = exact_range(case.problem, case.fmt, targets, first, last)
        pieces = Pieces(case.fmt, first, last, np.zeros(len(first), np.int64), least, most)
        bounds = bound_pieces(case.problem, [case.function], pieces, targets, self.found.functions)  # type: ignore[list-item]
        return proved(pieces, bounds.ulps[case.name])[0]

    def _part(self, first: int, last: int, side: int) -> int | None:
        """Return how far, in one direction, the piece beyond the range still holds; None where not at all."""
        reached = None
        for _ in range(LAST):
            starts, stops, _ = _divided(np.array([first]), np.array([last]), np.zeros(1, np.int64))
            outwards = slice(None, None, side)
            fails = np.flatnonzero(~self._proved(starts, stops)[outwards])
            if not len(fails):  # its whole could not be proved, yet all its parts can
                return last if side > 0 else first
            if fails[0]:
                reached = int((stops if side > 0 else starts[::-1])[fails[0] - 1])
            first, last = (int(ends[outwards][fails[0]]) for ends in (starts, stops))
            if first == last:
                break
        return reached


def _divided(first: Array, last: Array, owner: Array) -> tuple[Array, Array, Array]:
    """Divide pieces into PARTS of nearly equal size, or into single inputs; `owner` goes with each part."""
    share = np.arange(PARTS + 1)
    width, rest = np.divmod((last + 1 - first)[:, None], PARTS)
    edges = first[:, None] + width * share + np.minimum(share, rest)
    starts, stops = edges[:, :-1].ravel(), edges[:, 1:].ravel() - 1
    kept = starts <= stops
    return starts[kept], stops[kept], np.repeat(owner, PARTS)[kept]


@dataclass(frozen=True)
class Premises:
    """Name what an inner range rests on: the functions' largest errors in ulps, how they were found, and the rest."""

    functions: Mapping[str, str]  # largest error by name, nine digits, rounded up
    source: str
    computed: bool

    @property
    def text(self) -> str:
        """Write the premises, parted by semicolons; docs/method.md says what each means."""
        errs = [f"{name} <= {ulp} ulp" for name, ulp in sorted(self.functions.items())]
        parts = ["IEEE 754", *([f"{' and '.join(errs)} {self.source}", "signs"] if errs else []), "bias", "reference"]
        return "; ".join([*parts, *(["some inputs as computed"] if self.computed else [])])
