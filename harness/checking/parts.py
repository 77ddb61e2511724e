"""A part of a function under check (its loss, its gradient) as a kernel that a sweep can call.

A sweep asks block by block, in thousands of small calls.  Each would cost a message to another process, and a library
that compiles for every length would compile for each; so the inputs of a grid, which are known beforehand, are sent many
blocks at a time, all targets in one array, and the results are handed out as the blocks come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from harness.explain.explanation import Explanation
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import Grid

ON_CPU, ON_DEVICE = 1 << 18, 1 << 24  # results of one call

Ask = Callable[..., Any]


class CalledPart:
    """Call one part of a function under check on inputs as a kernel gets them, and explain its errors.

    `ask(method, *arguments)` calls the function's Subject, wherever that is; `evaluations` counts results.
    """

    def __init__(self, ask: Ask, part: str, problem: Problem, fmt: Format, at_once: int = ON_CPU):
        self.ask, self.part, self.problem, self.fmt, self.at_once = ask, part, problem, fmt, at_once
        self.filled: np.ndarray | None = None  # the target that a function wants, for a part whose problem has none
        self._ahead: Iterator[tuple[np.ndarray, np.ndarray]] | None = None

    def __call__(self, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """Return the results for x of shape (1, n) and y of shape (T, 1): shape (T, n)."""
        if self._ahead is not None:
            expected, results = next(self._ahead)
            assert np.array_equal(expected, self.fmt.ordinal(x[0])), "a sweep visits its grid in order"
            return results
        return self._results(x[0], y)

    def on(self, x: np.ndarray, y: np.ndarray | None = None, how: str = "evaluate") -> np.ndarray:
        """Return the results for arrays of one dimension and one length, asked for in one of the Subject's ways."""
        if y is None and self.filled is not None:
            y = np.full(len(x), self.filled[0])
        return self.ask(how, self.part, *((x,) if y is None else (x, y)))

    def explained(self, problem: Problem, fmt: Format, x: object, y: object = None) -> Explanation:
        """Explain the error at one input, and target, where the function is: see explain/explanation.py."""
        y = self.filled[0] if y is None and self.filled is not None else y
        values = [None if v is None else float(v) for v in (x, y)]  # type: ignore[arg-type]
        return self.ask("explain", self.part, problem.name, *values)

    def plan(self, grid: Grid, targets: np.ndarray | None) -> None:
        """Expect the blocks of a grid in their order: the next calls are those of a sweep over all its cells."""
        self._ahead = self._blocks(grid, targets)

    def forget(self) -> None:
        """Expect no sweep any more."""
        self._ahead = None

    def _blocks(self, grid: Grid, targets: np.ndarray | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        column = None if targets is None else targets[:, None]
        inputs = max(1, self.at_once // (1 if targets is None else len(targets)))
        waiting: list[np.ndarray] = []
        for block in grid.blocks(grid.cells):
            waiting.append(block.ordinals)
            if sum(map(len, waiting)) >= inputs:
                yield from self._together(waiting, column)
                waiting = []
        if waiting:
            yield from self._together(waiting, column)

    def _together(self, blocks: list[np.ndarray], column: np.ndarray | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        results = self._results(self.fmt.from_ordinal(np.concatenate(blocks)), column)
        start = 0
        for ordinals in blocks:
            yield ordinals, np.ascontiguousarray(results[:, start : start + len(ordinals)])
            start += len(ordinals)

    def _results(self, x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        """Return the results for n inputs and a column of T targets, asked for in one array: shape (T, n)."""
        if y is None:
            return self.on(x)[None, :]
        return self.on(np.tile(x, len(y)), np.repeat(y[:, 0], len(x))).reshape(len(y), len(x))
