"""The pass over one shard: blocks of every library's results against one reference, measured while the next are computed.

A stretch of inputs goes to the libraries, each a process of its own, one after the other; meanwhile the stretch before is
measured here, block by block.  Results that agree in every bit, of whatever library, are measured once.  Where a
domain is symmetric, half a stretch is the mirror image of the other half: those inputs share their references.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.problems import problem_named
from harness.sweep.grid import Grid
from harness.sweep.memory import keep_freed_memory
from harness.sweep.streaming import BUDGET, Clock, Tallies
from harness.sweep.summary import Summary, merge
from harness.sweep.tally import Block
from harness.systems.exhaustive.calls import FMT, Called
from harness.systems.exhaustive.references import Form, References, form_of
from harness.systems.exhaustive.repeated import RepeatedTallies
from harness.systems.exhaustive.summaries import SummaryDownwards, side_by_side
from harness.systems.run.kept import Worker

STRETCH = 1 << 18  # inputs that go to a library at once: its calls cost up to a millisecond each, whatever their length
BLOCK = (
    1 << 16
)  # inputs that are measured at once: 46 calls share them, and each costs some microseconds whatever its length
Array = np.ndarray
Results = dict[Called, Array]  # shape (n,) each


@dataclass(frozen=True)
class Stretch:
    """Hold a run of ordinals in value order within one cell, at `position` among the cells, and whether its mirror image belongs to it."""

    ordinals: Array
    position: int
    mirrored: bool

    @property
    def x(self) -> Array:
        """Return the inputs that go to the libraries: the run, then its mirror image, each in value order."""
        above = FMT.from_ordinal(self.ordinals)
        return np.concatenate([above, -above[::-1]]) if self.mirrored else above


def stretches(grid: Grid, cells: Array, mirrored: bool) -> Iterator[Stretch]:
    """Yield every input of the given cells, cell by cell in value order; for a mirrored domain the cells are those above 0."""
    width, size = STRETCH // (2 if mirrored else 1), 1 << FMT.cell_shift
    for position, cell in enumerate(cells):
        for start in range(int(cell) * size, (int(cell) + 1) * size, width):
            ordinals = np.arange(max(start, grid.start), min(start + width, grid.stop))
            if ordinals.size:
                yield Stretch(ordinals, position, mirrored)


@dataclass
class Shard:
    """Gather the summaries of one shard, of every call: above 0 (`up`), and below it if the domain is mirrored (`down`).

    `cells` are those of the shard, without mirror images; `calls` all have one domain and one centre.
    """

    calls: Sequence[Called]
    cells: Array
    mirrored: bool
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        below = (-1 - self.cells)[::-1]
        self.up = {c: Summary(1, self.cells) for c in self.calls}
        self.down = {c: SummaryDownwards(1, below) for c in self.calls} if self.mirrored else {}
        self.centre = _centre(self.calls)
        # Calls with one form and one sign rule share their tallies, whatever their problem is called.
        self.alike: dict[tuple[Form, bool], list[Called]] = {}
        for c in self.calls:
            key = (form_of(c.problem, c.target), problem_named(c.problem).nonnegative)
            self.alike.setdefault(key, []).append(c)

    def add(self, stretch: Stretch, results: Results) -> None:
        """Measure the results at a stretch's inputs, a block and its mirror image at a time."""
        n = len(stretch.ordinals)
        for start in range(0, n, BLOCK):
            stop = min(start + BLOCK, n)
            ordinals = stretch.ordinals[start:stop]
            references = References(FMT.from_ordinal(ordinals))
            self._add(Block(ordinals, 1, stretch.position, False, self.centre), references, results, slice(start, stop))
            if self.mirrored:
                there = Block((-1 - ordinals)[::-1], 1, len(self.cells) - 1 - stretch.position, False, self.centre)
                self._add(there, references, results, slice(2 * n - stop, 2 * n - start), mirror=True)

    def _add(self, block: Block, references: References, results: Results, where: slice, mirror: bool = False) -> None:
        summaries = self.down if mirror else self.up
        for (form, nonnegative), calls in self.alike.items():
            self.clock.start()
            same = references.unchanging(form, mirror)
            repeated = None if same is None else RepeatedTallies(block, same, nonnegative)
            self.clock.stop("reference")
            left = []
            for c in calls:
                tally = None if repeated is None else repeated.of(results[c][None, where])
                if tally is None:
                    left.append(c)
                else:
                    summaries[c].add(tally)
            self.clock.stop("errors")
            if not left:
                continue
            exact = references.of(form, mirror)
            self.clock.stop("reference")
            tallies = Tallies(block, exact, nonnegative, BUDGET)
            for c in left:
                summaries[c].add(tallies.of(results[c][None, where]))
            self.clock.stop("errors")

    def summaries(self) -> dict[str, dict[str, Summary]]:
        """Return the summaries of the whole shard: {problem: {call's name: summary of all its targets}}."""
        found: dict[str, dict[str, list[Summary]]] = {}
        for c in self.calls:
            whole = merge([self.up[c], self.down[c]]) if self.mirrored else self.up[c]
            found.setdefault(c.problem, {}).setdefault(c.name, []).append(whole)
        return {p: {name: side_by_side(parts) for name, parts in named.items()} for p, named in found.items()}


def _centre(calls: Sequence[Called]) -> int:
    """Return the ordinal of the centre that the calls' problems have in common."""
    centres = {problem_named(c.problem).centre for c in calls}
    assert len(centres) == 1
    return int(FMT.ordinal(np.array(list(centres), FMT.dtype))[0])


def answers(workers: Sequence[tuple[Worker, Sequence[Called]]], stretch: Stretch, clock: Clock) -> Results:
    """Return what all libraries answer at a stretch's inputs, asked one after the other."""
    clock.start()
    x = stretch.x
    found = {c: values for worker, calls in workers for c, values in zip(calls, worker.answer(x))}
    clock.stop("kernel")
    return found


def sweep(
    workers: Sequence[tuple[Worker, Sequence[Called]]],
    grid: Grid,
    cells: Array,
    mirrored: bool,
    progress: Callable[[int], Any] = lambda points: None,
) -> Shard:
    """Sweep the given cells, and if `mirrored` their mirror images, through the calls of all workers."""
    keep_freed_memory()
    shard, waiting = Shard([c for _, calls in workers for c in calls], cells, mirrored), Clock()
    with np.errstate(all="ignore"), ThreadPoolExecutor(1) as pool:
        computed: list[tuple[Stretch, Future[Results]]] = []
        for stretch in stretches(grid, cells, mirrored):
            # Asked before the one before is measured: of a worker's two places one is read, the other written.
            computed.append((stretch, pool.submit(answers, workers, stretch, waiting)))
            if len(computed) > 1:
                _measure(shard, *computed.pop(0), progress)
        for left in computed:
            _measure(shard, *left, progress)
    shard.clock.spent["kernel"] = waiting.spent["kernel"]
    return shard


def _measure(shard: Shard, stretch: Stretch, results: Future[Results], progress: Callable[[int], Any]) -> None:
    shard.add(stretch, results.result())
    progress(len(stretch.x))
