"""The pass over a grid: block by block, all kernels of a problem against one reference.

What takes most of the time is done once where it can be: the reference for a block is computed once for all kernels,
and kernels whose results agree in every bit share one tally.  Memory stays that of a block, however large the grid.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from harness.kernels import Kernel
from harness.numbers.distinct import distinct
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import Grid
from harness.sweep.memory import keep_freed_memory
from harness.sweep.summary import LargestErrors, Summary
from harness.sweep.tally import Block, Tally
from harness.truth.errors import measure
from harness.truth.fast import Reference, audit, evaluate

# The ulp error up to which an input belongs to the safe range.
BUDGET = 4.0
# Of a kernel's results every so many are compared first with those of others.
SOME = 509
# Audit: one point in each of so many cells, evenly spread over the whole range, and the critical ones.
AUDIT_CELLS = 64


@dataclass
class Clock:
    """Add up nanoseconds by stage: kernel, reference, errors (measures and summary)."""

    spent: dict[str, int] = field(default_factory=lambda: {"kernel": 0, "reference": 0, "errors": 0})
    last: int = 0

    def start(self) -> None:
        """Begin a stage: from now on time counts for the stage that is stopped next."""
        self.last = time.perf_counter_ns()

    def stop(self, stage: str) -> None:
        """Add the nanoseconds since the last start or stop to a stage, and begin the next."""
        now = time.perf_counter_ns()
        self.spent[stage] += now - self.last
        self.last = now


@dataclass(frozen=True)
class Sweep:
    """Hold what one pass found: a summary for each kernel, its audit, and where the time went."""

    summaries: dict[str, Summary]
    audit_log2: float  # log2 of the fast reference's largest relative error in the audited sample
    audit_points: int
    clock: Clock


def sweep(
    problem: Problem,
    kernels: Sequence[Kernel],
    grid: Grid,
    targets: np.ndarray | None,
    cells: np.ndarray | None = None,
    budget: float = BUDGET,
    progress: Callable[[int], Any] = lambda points: None,
    audited_share: int = 1,
) -> Sweep:
    """Evaluate all kernels on a grid's cells (all of them by default) and summarise their errors.

    `targets` has shape (T,) in the working format, or is None.  Of the audit's points each target has every
    `audited_share`-th, so that all targets together have all of them.  Raises fast.AuditFailure where the fast
    reference breaks its bound, ValueError for a grid that was not made for the targets.
    """
    keep_freed_memory()
    cells = grid.cells if cells is None else cells
    rows = 1 if targets is None else len(targets)
    summaries = {k.name: Summary(rows, cells) for k in kernels}
    clock = Clock()
    with np.errstate(all="ignore"):
        worst, points = audited(problem, grid, targets, cells, audited_share)
        clock.start()
        for block, inputs, exact in exact_blocks(problem, grid, targets, cells):
            clock.stop("reference")
            tallies = Tallies(block, exact, problem.nonnegative, budget)
            for k in kernels:
                computed = k(*inputs)
                clock.stop("kernel")
                summaries[k.name].add(tallies.of(computed))
                clock.stop("errors")
            progress(len(block.ordinals))
            clock.start()
    return Sweep(summaries, worst, points, clock)


def largest_errors(
    problem: Problem, kernels: Sequence[Kernel], grid: Grid, targets: np.ndarray | None, cells: np.ndarray | None = None
) -> dict[str, LargestErrors]:
    """Evaluate all kernels as `sweep` does, and keep of each target only the largest error and the counts of outcomes.

    Nothing is audited here; see `audited`.
    """
    rows = 1 if targets is None else len(targets)
    found = {k.name: LargestErrors(rows) for k in kernels}
    with np.errstate(all="ignore"):
        for block, inputs, exact in exact_blocks(problem, grid, targets, grid.cells if cells is None else cells):
            tallies = Tallies(block, exact, problem.nonnegative, BUDGET)
            for k in kernels:
                found[k.name].add(tallies.of(k(*inputs)))
    return found


def exact_blocks(
    problem: Problem, grid: Grid, targets: np.ndarray | None, cells: np.ndarray
) -> Iterator[tuple[Block, tuple[np.ndarray, ...], Reference]]:
    """Yield the blocks of a grid's cells, each with its inputs as a kernel takes them and the exact values there.

    Raises ValueError for a grid that was not made for the targets.
    """
    if not grid.made_for(targets):
        raise ValueError(f"a {grid.name} grid of {problem.name} was made for other targets: give them to Grid")
    column = None if targets is None else targets[:, None]
    for block in grid.blocks(cells):
        x = grid.fmt.from_ordinal(block.ordinals)[None, :]
        inputs = (x,) if column is None else (x, column)
        yield block, inputs, _exact(problem, grid.fmt, inputs)


def audited(
    problem: Problem, grid: Grid, targets: np.ndarray | None, cells: np.ndarray, share: int
) -> tuple[float, int]:
    """Audit the fast reference on a sample of a grid's cells; return log2 of its largest relative error, and how many points.

    Each target has every `share`-th point of the sample.  Raises fast.AuditFailure where it breaks its bound.
    """
    sample = audit_sample(grid, cells)
    rows = 1 if targets is None else len(targets)
    share = min(share, rows)
    each = [
        (sample[i::share].tobytes(), None if targets is None else targets[i::share].tobytes()) for i in range(share)
    ]
    return max(_audited(problem, grid.fmt, *part) for part in each), sample.size * rows // share


# The references of a sweep, while they are remembered: at most so many exact values, of six float64 numbers each.
MOST_REMEMBERED = 1 << 22
_remembered: dict[tuple[Any, ...], Reference] | None = None


@contextmanager
def remembering() -> Iterator[None]:
    """Remember exact values within the block, where the same grid is swept more than once."""
    global _remembered
    _remembered = {}
    try:
        yield
    finally:
        _remembered = None


def _exact(problem: Problem, fmt: Format, inputs: tuple[np.ndarray, ...]) -> Reference:
    if _remembered is None:
        return evaluate(problem, fmt, *inputs)
    key = (problem, fmt, *(a.tobytes() for a in inputs))
    if key not in _remembered:
        found = evaluate(problem, fmt, *inputs)
        if sum(r.value.size for r in _remembered.values()) + found.value.size > MOST_REMEMBERED:
            return found
        _remembered[key] = found
    return _remembered[key]


@lru_cache(maxsize=256)  # kernels of the same problem are often swept twice: a user's, and those that may cure it
def _audited(problem: Problem, fmt: Format, sample: bytes, targets: bytes | None) -> float:
    """Return log2 of the fast reference's largest relative error at some inputs and targets, given as bytes."""
    column = None if targets is None else np.frombuffer(targets, fmt.dtype)
    return audit(problem, fmt, np.frombuffer(sample, fmt.dtype), column)


class Tallies:
    """Measure the results of kernels in one block; those that agree in every bit are measured once.

    Most do agree over most of the range: in the tails a clip or an eps is all that is left of the input.
    """

    def __init__(self, block: Block, exact: Reference, nonnegative: bool, budget: float):
        self.block, self.exact, self.nonnegative, self.budget = block, exact, nonnegative, budget
        self.known: dict[bytes, list[tuple[np.ndarray, Tally]]] = {}

    def of(self, computed: np.ndarray) -> Tally:
        """Return the tally of one kernel's results, shape (targets, points); results that agree in every bit share it."""
        if computed.shape != self.exact.value.shape:  # a kernel that ignores its target
            computed = np.broadcast_to(computed, self.exact.value.shape)
        bits = computed.view(np.dtype(f"u{computed.itemsize}"))
        alike = self.known.setdefault(bits[:, ::SOME].tobytes(), [])
        for other, tally in alike:
            if np.array_equal(bits, other):
                return tally
        tally = Tally(self.block, measure(computed, self.exact, self.nonnegative), self.budget)
        alike.append((bits, tally))
        return tally


def audit_sample(grid: Grid, cells: np.ndarray) -> np.ndarray:
    """Return the inputs at which the fast reference is audited.

    One point of each of AUDIT_CELLS cells, spread over the whole range and so over both tails,
    and every fourth neighbour of the critical points that lie in these cells.
    """
    fmt: Format = grid.fmt
    chosen = cells[distinct(np.linspace(0, len(cells) - 1, AUDIT_CELLS).astype(int))]
    middle = (chosen << fmt.cell_shift) + (1 << fmt.cell_shift) // 3
    critical = grid.critical_ordinals
    critical = critical[np.isin(fmt.cell(critical), cells)][::4]
    ordinals = distinct(middle, critical)
    return fmt.from_ordinal(ordinals[(ordinals >= grid.start) & (ordinals < grid.stop)])
