"""Which inputs are visited: all of a format's numbers in the problem's domain, or a sample of every cell.

A cell holds the numbers that share sign, exponent and the three leading bits of the fraction, eight cells to a binade,
so that a sample is as dense near 2^-100 as near 1.  Inputs are given by ordinals, their positions in the order of the
format's numbers.  There are three grids:

| grid       | 8 and 16 bits     | float32                  | float64                  |
| exhaustive | every input       | every input              | refused                  |
| standard   | every input       | 64 a cell, and critical  | 8 a cell, and critical   |
| quick      | 4 a cell, critical| 2 a cell, and critical   | 1 a cell, and critical   |

`critical` points stand for the 8 neighbours on either side of each of the problem's critical points, and on a sample
of the zero that its exact value has for each target, as sigmoid(x) - y has at x = logit(y): there a difference cancels,
and the error in ulp grows without bound in a few inputs of which no even sample need have one.
A cell's points are its first, its last, and others spread by the golden ratio.  A grid comes in
blocks of whole cells (or equal parts of one), whose division does not depend on the shards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache

import numpy as np

from harness import UsageError, choices
from harness.numbers.distinct import distinct
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.tally import Block

GRIDS = ("exhaustive", "standard", "quick")
POINTS_PER_CELL = {"standard": {32: 64, 64: 8}, "quick": {8: 4, 16: 4, 32: 2, 64: 1}}
NEIGHBOURS = 8
# Points of one block: large enough to hide NumPy's overhead, small enough for the cache.
BLOCK = 1 << 14


class Grid:
    """Give the inputs of one problem in one format, in value order, as ordinals.

    `exhaustive` tells whether every number of the domain is visited: it is so in 8 and 16 bits on the standard grid
    too.  `targets` are those that will be measured, numbers of the format, or None: of a problem whose zero moves with
    the target, a sample is only of the targets that it was made for (`made_for`).  `start`, `stop` and `centre` are
    ordinals, the domain being [start, stop); `cells` holds the numbers of all its cells.  Raises UsageError for an
    unknown grid, and for float64 exhaustively.
    """

    def __init__(self, name: str, problem: Problem, fmt: Format, targets: Iterable[float] | None = None):
        if name not in GRIDS:
            raise UsageError(f"unknown grid {name!r}; known grids: {choices(name, GRIDS)}")
        self.exhaustive = name == "exhaustive" or (name == "standard" and fmt.bits <= 16)
        if self.exhaustive and fmt.bits > 32:
            raise UsageError(f"{fmt.name} has too many inputs for the exhaustive grid; use standard or quick")
        self.name, self.problem, self.fmt = name, problem, fmt
        self.targets = frozenset(map(float, () if targets is None else targets))
        self.start, self.stop = fmt.finite_ordinals(*problem.domain)
        self.centre = int(fmt.ordinal(np.array([problem.centre]).astype(fmt.dtype))[0])
        first, last = (int(c) for c in fmt.cell(np.array([self.start, self.stop - 1])))
        self.cells = np.arange(first, last + 1)

    def shard_cells(self, shard: int, shards: int) -> np.ndarray:
        """Return the cells of one shard: every `shards`-th, so that shards cost alike."""
        return self.cells[shard::shards]

    def size(self, cells: np.ndarray) -> int:
        """Return how many inputs the given cells hold, or about how many a sample has."""
        width = 1 << self.fmt.cell_shift
        if self.exhaustive:
            inside = np.minimum((cells + 1) * width, self.stop) - np.maximum(cells * width, self.start)
            return int(inside.sum())
        return len(cells) * min(width, POINTS_PER_CELL[self.name][self.fmt.bits])

    def blocks(self, cells: np.ndarray) -> Iterator[Block]:
        """Yield the given cells' inputs: full cells together, each special cell by itself.

        A cell is special where the domain cuts it or a sample adds critical points to it.
        """
        size = 1 << self.fmt.cell_shift
        if self.exhaustive and size > BLOCK:
            yield from self._split(cells)
            return
        critical = np.empty(0, np.int64) if self.exhaustive else self.critical_ordinals
        count = size if self.exhaustive else min(size, POINTS_PER_CELL[self.name][self.fmt.bits])
        special = np.isin(cells, self.fmt.cell(critical))
        special |= (cells * size < self.start) | ((cells + 1) * size > self.stop)
        for i, j in _runs(special, max(1, BLOCK // count)):
            even = ordinals = spread(cells[i:j], count, self.fmt.cell_shift).ravel()
            if special[i]:
                ordinals = distinct(even, critical[self.fmt.cell(critical) == cells[i]])
                ordinals = ordinals[(ordinals >= self.start) & (ordinals < self.stop)]
            beside = self._beside_zero(ordinals, even) if special[i] and self.zeros.size else None
            yield Block(ordinals, j - i, i, whole_cells=True, centre=self.centre, beside_zero=beside)

    def ordinals(self, cells: np.ndarray | None = None) -> np.ndarray:
        """Return the inputs of the given cells (all cells by default) as one array of ordinals in value order."""
        chosen = self.cells if cells is None else cells
        return np.concatenate([block.ordinals for block in self.blocks(chosen)])

    def _beside_zero(self, ordinals: np.ndarray, even: np.ndarray) -> np.ndarray:
        """Tell which inputs are visited only because they lie beside a zero of the exact value."""
        away = np.abs(ordinals[:, None] - self.zeros).min(axis=1)
        return (away <= NEIGHBOURS) & ~np.isin(ordinals, even)

    def _split(self, cells: np.ndarray) -> Iterator[Block]:
        """Yield large cells in equal parts."""
        size = 1 << self.fmt.cell_shift
        for i, cell in enumerate(cells):
            for part in range(int(cell) * size, (int(cell) + 1) * size, BLOCK):
                ordinals = np.arange(max(part, self.start), min(part + BLOCK, self.stop))
                if ordinals.size:
                    yield Block(ordinals, 1, i, whole_cells=False, centre=self.centre)

    def neighbour(self, ordinal: int, direction: int) -> int:
        """Return the sampled input next to a sampled one, above it (direction 1) or below (-1)."""
        cell = int(self.fmt.cell(np.array([ordinal]))[0])
        nearby = self.cells[(self.cells >= cell - 1) & (self.cells <= cell + 1)]
        sampled = self.ordinals(nearby)
        beyond = sampled[(sampled - ordinal) * direction > 0]
        return int(beyond.min() if direction > 0 else beyond.max())

    def made_for(self, targets: Iterable[float] | None) -> bool:
        """Tell whether the grid visits what it must for these targets: the zeros, or every input."""
        moves = targets is not None and not self.exhaustive and self.problem.zero is not None
        return not moves or self.targets.issuperset(float(y) for y in targets if 0 < y < 1)  # type: ignore[union-attr]

    @cached_property
    def zeros(self) -> np.ndarray:
        """Return the ordinals of the numbers nearest to the zeros of the exact value, sorted; none where all are visited."""
        if self.exhaustive:
            return np.empty(0, np.int64)
        nearest = [self.fmt.round(v) for v in self.problem.zeros(sorted(self.targets))]
        return distinct(self.fmt.ordinal(np.array(nearest, self.fmt.dtype)))

    @cached_property
    def critical_ordinals(self) -> np.ndarray:
        """Return the neighbours of the critical points and of the zeros within the domain, sorted."""
        centres = np.append(_critical(self.problem, self.fmt), self.zeros)
        around = centres[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS + 1)
        ends = np.concatenate([self.start + np.arange(NEIGHBOURS), self.stop - 1 - np.arange(NEIGHBOURS)])
        all_ = distinct(around, ends)
        return all_[(all_ >= self.start) & (all_ < self.stop)]


@lru_cache(maxsize=64)  # a check makes ten grids of one problem
def _critical(problem: Problem, fmt: Format) -> np.ndarray:
    """Return the ordinals of a problem's critical points, in the order in which it names them."""
    points = [float(fmt.round(v)) for v in problem.critical_points(fmt)]
    finite = np.array([v for v in points if math.isfinite(v)]).astype(fmt.dtype)
    return fmt.ordinal(finite)


@lru_cache(maxsize=8)
def visited(name: str, problem: Problem, fmt: Format) -> np.ndarray:
    """Return all inputs of a grid, made for no targets, as ordinals in value order; read-only, as they are remembered."""
    ordinals = Grid(name, problem, fmt).ordinals()
    ordinals.flags.writeable = False
    return ordinals


def spread(cells: np.ndarray, count: int, shift: int) -> np.ndarray:
    """Return `count` ordinals of each cell in order, shape (cells, count): every one, or the ends and others.

    The others follow the golden ratio, on from cell to cell, so that neighbouring cells see
    different fractions.
    """
    size, base = 1 << shift, cells[:, None] << shift
    if count == size:
        return base + np.arange(size)
    golden = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: its multiples are evenly spread modulo 2^64
    index = cells.astype(np.uint64)[:, None] * np.uint64(count) + np.arange(count, dtype=np.uint64)
    offset = np.right_shift(index * np.uint64(golden), np.uint64(64 - shift)).astype(np.int64)
    if count > 1:
        offset[:, 0], offset[:, -1] = 0, size - 1
    return base + np.sort(offset, axis=1)


def _runs(special: np.ndarray, size: int) -> Iterator[tuple[int, int]]:
    """Divide positions into runs of at most `size`, each special one alone."""
    i = 0
    while i < len(special):
        j = i + 1
        if not special[i]:
            while j < len(special) and j - i < size and not special[j]:
                j += 1
        yield i, j
        i = j
