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
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import Grid
from harness.sweep.memory import keep_freed_memory
from harness.sweep.summary import Summary
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
    if not grid.made_for(targets):
        raise ValueError(f"a {grid.name} grid of {problem.name} was made for other targets: give them to Grid")
    keep_freed_memory()
    fmt, cells = grid.fmt, grid.cells if cells is None else cells
    column = None if targets is None else targets[:, None]
    rows = 1 if targets is None else len(targets)
    summaries = {k.name: Summary(rows, cells) for k in kernels}
    clock = Clock()
    with np.errstate(all="ignore"):
        sample = audit_sample(grid, cells)
        share = min(audited_share, rows)
        worst = max(
            _audited(problem, fmt, sample[i::share].tobytes(), None if targets is None else targets[i::share].tobytes())
            for i in range(share)
        )
        for block in grid.blocks(cells):
            clock.start()
            x = fmt.from_ordinal(block.ordinals)[None, :]
            inputs = (x,) if column is None else (x, column)
            exact = _exact(problem, fmt, inputs)
            clock.stop("reference")
            tallies = Tallies(block, exact, problem.nonnegative, budget)
            for k in kernels:
                computed = k(*inputs)
                if computed.shape != exact.value.shape:  # a kernel that ignores its target
                    computed = np.broadcast_to(computed, exact.value.shape)
                clock.stop("kernel")
                summaries[k.name].add(tallies.of(computed))
                clock.stop("errors")
            progress(len(block.ordinals))
    return Sweep(summaries, worst, sample.size * rows // share, clock)


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


@lru_cache(maxsize=8)  # kernels of the same problem are often swept twice: a user's, and those that may cure it
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
    chosen = cells[np.unique(np.linspace(0, len(cells) - 1, AUDIT_CELLS).astype(int))]
    middle = (chosen << fmt.cell_shift) + (1 << fmt.cell_shift) // 3
    critical = grid.critical_ordinals
    critical = critical[np.isin(fmt.cell(critical), cells)][::4]
    ordinals = np.union1d(middle, critical)
    return fmt.from_ordinal(ordinals[(ordinals >= grid.start) & (ordinals < grid.stop)])
