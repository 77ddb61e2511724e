"""A part of a function under check (its loss, its gradient) as a kernel that a sweep can call.

A sweep asks block by block, in thousands of small calls.  Each would cost a message to another process, and a library
that compiles for every length would compile for each; so the inputs of a grid, which are known beforehand, are sent many
blocks at a time, all targets in one array, and the results are handed out as the blocks come.

A library may compute an element alone otherwise than in a long array.  What a row says afterwards is of the array: results
of a sweep over a sample are kept and given again, and fewer inputs than a vectorised loop takes are asked for many times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from mpmath import mp

from harness.explain.explanation import Explanation
from harness.explain.remedies import total_ulp
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import Grid

ON_CPU, ON_DEVICE = 1 << 18, 1 << 24  # results of one call
MOST_KEPT = 1 << 24  # results of a sweep; those over every float32 input are too many
LONG = 256  # elements: more than any vectorised loop takes at once

Ask = Callable[..., Any]


class CalledPart:
    """Call one part of a function under check on inputs as a kernel gets them, and explain its errors.

    `ask(method, *arguments)` calls the function's Subject, wherever that is; `evaluations` counts results.
    """

    def __init__(self, ask: Ask, part: str, problem: Problem, fmt: Format, at_once: int = ON_CPU):
        self.ask, self.part, self.problem, self.fmt, self.at_once = ask, part, problem, fmt, at_once
        self.filled: np.ndarray | None = None  # the target that a function wants, for a part whose problem has none
        self._ahead: Iterator[tuple[np.ndarray, np.ndarray]] | None = None
        self._kept: SweepResults | None = None

    def __call__(self, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """Return the results for x of shape (1, n) and y of shape (T, 1): shape (T, n)."""
        if self._ahead is not None:
            expected, results = next(self._ahead)
            assert np.array_equal(expected, self.fmt.ordinal(x[0])), "a sweep visits its grid in order"
            if self._kept is not None:
                self._kept.add(expected, results)
            return results
        found = None if self._kept is None else self._kept.results(self.fmt.ordinal(x[0]), y)
        return self._in_array(x[0], y) if found is None else found

    def on(self, x: np.ndarray, y: np.ndarray | None = None, how: str = "evaluate") -> np.ndarray:
        """Return the results for arrays of one dimension and one length, asked for in one of the Subject's ways."""
        if y is None and self.filled is not None:
            y = np.full(len(x), self.filled[0])
        return self.ask(how, self.part, *((x,) if y is None else (x, y)))

    def explained(self, problem: Problem, fmt: Format, x: object, y: object = None) -> Explanation:
        """Explain the error at one input, and target, where the function is: see explain/explanation.py."""
        y = self.filled[0] if y is None and self.filled is not None else y
        values = [None if v is None else float(v) for v in (x, y)]  # type: ignore[arg-type]
        found: Explanation = self.ask("explain", self.part, problem.name, *values)
        given = [np.full((1, 1), v).astype(fmt.dtype) for v in values[: 1 + problem.has_target]]
        swept = float(self(*given)[0, 0])
        return found if np.array_equal(swept, found.computed, equal_nan=True) else _in_the_array(found, swept, fmt)

    def plan(self, grid: Grid, targets: np.ndarray | None) -> None:
        """Expect the blocks of a grid in their order: the next calls are those of a sweep over all its cells.

        Calls after the sweep get what it got, where that was not too much to keep.
        """
        self._ahead = self._blocks(grid, targets)
        results = grid.size(grid.cells) * (1 if targets is None else len(targets))
        self._kept = SweepResults(targets) if results <= MOST_KEPT else None

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

    def _in_array(self, x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        """Return the results, asked for in an array of LONG elements at least: shape (T, n)."""
        return self._results(np.resize(x, max(len(x), LONG)), y)[:, : len(x)]

    def _results(self, x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        """Return the results for n inputs and a column of T targets, asked for in one array: shape (T, n)."""
        if y is None:
            return self.on(x)[None, :]
        return self.on(np.tile(x, len(y)), np.repeat(y[:, 0], len(x))).reshape(len(y), len(x))


class SweepResults:
    """Keep the results of a sweep, by input and target; `targets` has shape (T,) or is None."""

    def __init__(self, targets: np.ndarray | None):
        self.targets = targets
        self._ordinals: list[np.ndarray] = []
        self._results: list[np.ndarray] = []

    def add(self, ordinals: np.ndarray, results: np.ndarray) -> None:
        """Keep the results of a block, shape (T, n), whose ordinals are beyond those of all blocks before it."""
        self._ordinals.append(ordinals)
        self._results.append(results)

    def results(self, ordinals: np.ndarray, y: np.ndarray | None) -> np.ndarray | None:
        """Return the results at inputs and targets of shape (T, 1); None where one of them was not in the sweep."""
        if len(self._ordinals) != 1:
            self._ordinals = [np.concatenate(self._ordinals)]
            self._results = [np.concatenate(self._results, axis=1)]
        known = self._ordinals[0]
        at = np.minimum(np.searchsorted(known, ordinals), len(known) - 1)
        rows = np.array([[True]]) if y is None else y == self.targets
        if not (known[at] == ordinals).all() or not rows.any(axis=1).all():
            return None
        return self._results[0][rows.argmax(axis=1)][:, at]


def _in_the_array(alone: Explanation, swept: float, fmt: Format) -> Explanation:
    """Return the explanation of a result that an element has in a long array, where alone it has another."""
    error = total_ulp(fmt, swept, alone.exact)
    many, one = (fmt.short(v) if np.isfinite(v) else str(v) for v in (swept, alone.computed))
    told = (
        f"in a long array the result is {many}, one element at a time {one}: the library's two ways of computing differ; "
        f"of the one element: {alone.reason}"
    )
    rounding = mp.nan if alone.bias_ulp else error  # its exact formula was followed for the one element
    return replace(alone, computed=swept, total_ulp=error, rounding_ulp=rounding, reason=told)
