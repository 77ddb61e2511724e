"""Measure kernels over a range of inputs that no table speaks of: every input of 16 bits, else a sample and a search.

All kernels see the same inputs, so that the exact values are computed once.  A sample of float32 or float64 is the quick grid's, thinned in float64,
others even in their values over the range and over what is usual of it, and the inputs that tables name; then each
kernel's surroundings of its worst input are looked at, twice.  What is found there is
a lower bound.  Each largest error is computed once more with mpmath.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from mpmath import mp

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import BLOCK, Grid
from harness.sweep.streaming import BUDGET
from harness.tables.basis import EVERY_INPUT, SAMPLE, SEARCH
from harness.tables.usual import usual_range
from harness.truth.certified import error_in_ulp, significant, truth
from harness.truth.errors import NONE, SPURIOUS, measure
from harness.truth.fast import evaluate

Array = np.ndarray
MOST = {32: 1 << 14, 64: 1024}  # numbers of the quick grid that a sample takes
EVEN = {32: 1024, 64: 256}  # numbers that lie evenly
ROUNDS, BESIDE = 2, 16  # of the search, and how many inputs on either side of the worst
Ends = tuple[int, int]


@dataclass(frozen=True)
class InputRange:
    """Hold the numbers of a format in a closed range, by the ordinals of its ends, as inputs of a problem."""

    problem: Problem
    fmt: Format
    first: int
    last: int

    @cached_property
    def whole(self) -> Ends:
        """Return the ordinals of the ends of the problem's domain."""
        start, stop = self.fmt.finite_ordinals(*self.problem.domain)
        return start, stop - 1

    @property
    def everything(self) -> bool:
        """Tell whether the range is the whole domain."""
        return (self.first, self.last) == self.whole

    @property
    def complete(self) -> bool:
        """Tell whether a measurement visits every number of the range."""
        return self.fmt.bits <= 16 or self.last - self.first < MOST[self.fmt.bits]

    def holds(self, ordinal: int) -> bool:
        """Tell whether a number of the format lies in the range."""
        return self.first <= ordinal <= self.last

    def ordinal(self, text: str) -> int:
        """Return the ordinal of an input as a table has it."""
        return int(self.fmt.ordinal(np.array([self.fmt.parse(text)]))[0])

    def text(self, ordinal: int) -> str:
        """Write an input as a table has it."""
        return self.fmt.hex(self.fmt.from_ordinal(np.array([ordinal]))[0])

    def sample(self, more: Iterable[int]) -> Array:
        """Return the ordinals that a measurement visits first, with those named besides, in order."""
        if self.complete:
            return np.arange(self.first, self.last + 1)
        count = EVEN[self.fmt.bits]
        low, high = usual_range(self.problem, self.fmt)
        usual = self._even(max(low, self.first), min(high, self.last), count)
        grid = Grid("quick", self.problem, self.fmt)
        cells = self.fmt.cell(np.array([self.first, self.last]))
        inside = grid.cells[(grid.cells >= cells[0]) & (grid.cells <= cells[1])]
        gridded = grid.ordinals(inside[:: 1 + len(inside) // MOST[self.fmt.bits]])
        critical = grid.critical_ordinals
        even = [gridded, self._even(self.first, self.last, count), usual]
        found = np.unique(np.concatenate([*even, critical, [self.first, self.last], np.array([*more], int)]))
        return found[(found >= self.first) & (found <= self.last)]

    def _even(self, first: int, last: int, count: int) -> Array:
        """Return ordinals whose numbers lie evenly between those of two others; none where these are in no order."""
        if first > last:
            return np.empty(0, np.int64)
        lo, hi = self.fmt.from_ordinal(np.array([first, last])).astype(np.float64)
        part = np.linspace(0, 1, count)
        return self.fmt.ordinal((lo * (1 - part) + hi * part).clip(lo, hi).astype(self.fmt.dtype))


@dataclass
class TargetFigures:
    """Hold what was seen of a kernel for one target: the largest error, outcomes by their nearest input, the safe range.

    Errors are in ulp, inputs by ordinal; `worst` is None where nothing finite was seen, and `low` and `high` are
    the nearest inputs below and above the centre where the error was over the budget, a pole capped, or an outcome
    spurious.
    """

    ulp: float = NONE
    worst: int | None = None
    outcomes: dict[str, int] = field(default_factory=dict)
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Measurement:
    """Hold what was seen of one kernel over a range, a `TargetFigures` for each target, and whether every input was."""

    kernel: Kernel
    inputs: InputRange
    targets: tuple[float | None, ...]
    seen: tuple[TargetFigures, ...]

    @property
    def basis(self) -> str:
        """Return how its largest error is known."""
        return EVERY_INPUT if self.inputs.complete else SEARCH

    @property
    def safe_basis(self) -> str:
        """Return how its safe range is known."""
        return EVERY_INPUT if self.inputs.complete else SAMPLE

    def largest(self, t: int) -> tuple[str, str]:
        """Return the largest error for a target and its input, as tables write them, by mpmath; empty where there is none."""
        seen = self.seen[t]
        if seen.worst is None:
            return "", ""
        fmt, problem = self.inputs.fmt, self.inputs.problem
        x = fmt.from_ordinal(np.array([seen.worst]))
        y = self.targets[t]
        values = (x,) if y is None else (x, np.array([y]).astype(fmt.dtype))
        with np.errstate(all="ignore"):
            computed = np.broadcast_to(self.kernel(*values), x.shape)[0]
        exact = truth(problem, tuple(mp.mpf(float(v[0])) for v in values))
        return significant(error_in_ulp(fmt, computed, exact)), self.inputs.text(seen.worst)

    def safe(self, t: int) -> tuple[str, str]:
        """Return the ends of the safe range for a target as far as the range goes; empty where it is empty or unknown."""
        seen, centre = self.seen[t], Grid("quick", self.inputs.problem, self.inputs.fmt).centre
        if not self.inputs.holds(centre) or centre in (seen.low, seen.high):
            return "", ""
        low = self.inputs.first if seen.low is None else seen.low + 1
        high = self.inputs.last if seen.high is None else seen.high - 1
        return self.inputs.text(low), self.inputs.text(high)


def measured(
    kernels: Sequence[Kernel], inputs: InputRange, targets: Array | None, more: Iterable[int] = ()
) -> list[Measurement]:
    """Measure kernels of one problem over a range, at the targets given (None: of a problem without), numbers of the format.

    `more` are further inputs to visit, by their ordinals.
    """
    count = 1 if targets is None else len(targets)
    seen = {k.name: tuple(TargetFigures() for _ in range(count)) for k in kernels}
    visited = inputs.sample(more)
    _visit(kernels, inputs, targets, visited, seen)
    span = 0 if inputs.complete else (inputs.last - inputs.first) // len(visited)
    for _ in range(ROUNDS if span else 0):
        left = [k for k in kernels if not any(s.outcomes for s in seen[k.name])]
        _visit(
            left, inputs, targets, _beside(inputs, [max(seen[k.name], key=lambda s: s.ulp) for k in left], span), seen
        )
        span = max(1, span // BESIDE)
    values = (None,) if targets is None else tuple(float(v) for v in targets)
    return [Measurement(k, inputs, values, seen[k.name]) for k in kernels]


def _beside(inputs: InputRange, seen: Iterable[TargetFigures], span: int) -> Array:
    """Return inputs on either side of the worst ones, no farther than the span, in order."""
    worst = np.unique([s.worst for s in seen if s.worst is not None]).astype(np.int64)
    offsets = np.unique(np.linspace(-span, span, 2 * BESIDE + 1).astype(np.int64))
    near = np.unique((worst[:, None] + np.concatenate([offsets, np.arange(-4, 5)])).ravel())
    return near[(near >= inputs.first) & (near <= inputs.last)]


def _visit(
    kernels: Sequence[Kernel],
    inputs: InputRange,
    targets: Array | None,
    ordinals: Array,
    seen: dict[str, tuple[TargetFigures, ...]],
) -> None:
    """Measure kernels at inputs, in blocks, and keep what is worse than what was seen."""
    centre = Grid("quick", inputs.problem, inputs.fmt).centre
    for i in range(0, len(ordinals), BLOCK):
        block = ordinals[i : i + BLOCK]
        x = inputs.fmt.from_ordinal(block)[None, :]
        values = (x,) if targets is None else (x, targets[:, None])
        with np.errstate(all="ignore"):
            exact = evaluate(inputs.problem, inputs.fmt, *values)
            for kernel in kernels:
                computed = np.broadcast_to(kernel(*values), exact.value.shape)
                errors = measure(computed, exact, inputs.problem.nonnegative)
                for t, kept in enumerate(seen[kernel.name]):
                    _keep(kept, block, errors.ulp[t], {n: m[t] for n, m in errors.outcomes.items()}, centre)


def _keep(kept: TargetFigures, block: Array, ulp: Array, outcomes: dict[str, Array], centre: int) -> None:
    top = int(ulp.argmax())
    if ulp[top] > kept.ulp:
        kept.ulp, kept.worst = float(ulp[top]), int(block[top])
    bad = ulp > BUDGET
    for name, mask in outcomes.items():
        bad |= mask
        if name in SPURIOUS and mask.any():
            near = int(block[mask][np.abs(block[mask] - centre).argmin()])
            if name not in kept.outcomes or abs(near - centre) < abs(kept.outcomes[name] - centre):
                kept.outcomes[name] = near
    below, above = block[bad & (block <= centre)], block[bad & (block >= centre)]
    if below.size:
        kept.low = max(int(below.max()), kept.low if kept.low is not None else int(below.max()))
    if above.size:
        kept.high = min(int(above.min()), kept.high if kept.high is not None else int(above.min()))
