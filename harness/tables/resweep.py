"""Sweep rows of a table again and compare every cell: what `harness verify` does beyond single inputs.

Counts, means, shares and the cause of an error follow from no single input, so rows are made anew by the sweep that made
them.  How many is a matter of time: of a table whose rows are of one format and grid, `few` takes some, spread over
problems and formats, the same ones every time; `deep` takes all.  Rows over every float32 input take hours and are
swept again only if asked for.  Of every other row some cells are swept again: their counts and sums must be those that
the sidecar has of them (see sums.py), and what is found there may not exceed what the row says of all: no larger error,
no more outcomes, no bad input within the safe range.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, zip_longest
from typing import Any

import numpy as np
import pandas as pd
from mpmath import mp

from harness.explain.remedies import Cures, KernelFigure
from harness.kernels import Kernel, kernel_named, kernels_of
from harness.numbers.formats import Format, format_named
from harness.problems import problem_named
from harness.sweep.grid import GRIDS, Grid
from harness.sweep.streaming import sweep
from harness.sweep.summary import Summary, merge
from harness.tables.advice import advised, strongest_figure
from harness.tables.rows import rows_of
from harness.tables.strongest import Known
from harness.tables.sums import LARGE, OF, sampled, sampled_cells, sums
from harness.tables.text import as_cell
from harness.truth.errors import OUTCOMES

# A table of a sweep has these; others may share the contract's columns and mean something else by them.
SWEPT = ("mean_ulp", "correctly_rounded", "capped", "max_rel_input", "max_abs_input", "rounding_ulp", "remedy")
# Of one table without `deep`: at most so many rows, and rows of so many inputs in all.
ROWS, POINTS = 24, 1 << 20
EXPLAINED = 256  # rows of one table whose causes are explained again; the tables over every input have fewer
PARTS = 48  # of a sweep over every float32 input


Figures = dict[str, list[KernelFigure]]


@dataclass(frozen=True)
class Task:
    """Hold rows of one problem, format and grid that are swept again together.

    `lines` says in which line of the CSV, and `stated` what its row says, by kernel and target as the table writes it.
    `sums` has what the sidecar says of the sampled cells; none in tables that were made before there were any.  `cells`
    is "all", "some", or i of PARTS.
    """

    problem: str
    fmt: str
    grid: str
    stated: dict[tuple[str, str], dict[str, str]]
    lines: dict[tuple[str, str], int]
    cells: str | int
    sums: dict[tuple[str, str], str]
    figures: Figures  # of all kernels of the problem and format, by target, from which a cure is chosen

    def made_grid(self) -> Grid:
        """Return the grid of the sweep that made the table: for all targets of the problem and format, not only these rows'."""
        problem, fmt = problem_named(self.problem), format_named(self.fmt)
        return Grid(self.grid, problem, fmt, [float(fmt.parse(y)) for y in self.figures if y])


@dataclass
class Found:
    """Hold what sweeping a task again showed: disagreements by line, seconds and inputs; summaries of a part."""

    wrong: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0
    points: int = 0
    summaries: dict[str, Summary] = field(default_factory=dict)


def swept(frame: pd.DataFrame) -> bool:
    """Tell whether a table's rows are those of sweeps of kernels."""
    return set(SWEPT) <= set(frame.columns) and bool(len(frame)) and set(frame["grid"]) <= set(GRIDS)


def tasks(frame: pd.DataFrame, made_of: Sequence[str], stronger: Known, *, deep: bool, exhaustive: bool) -> list[Task]:
    """Return what of a swept table is swept again: some rows whole, with `deep` all, and some cells of all others.

    Large rows are swept whole only if also `exhaustive`.  `made_of` has the sidecar's sums of every row, or nothing.
    Cures are chosen by the table's own figures and stronger ones, as they were when it was made.
    """
    found: list[Task] = []
    large = frame["points"].astype(int) > LARGE
    small = frame[~large] if deep else few(frame[~large])
    summed = frame[~large] if made_of and not deep else frame[:0]
    for chosen, cells in (
        (small, ["all"]), (summed, ["some"]), (frame[large], [*range(PARTS)] if deep and exhaustive else ["some"]),
    ):  # fmt: skip
        for (problem, fmt, grid), rows in chosen.groupby(["problem", "format", "grid"], sort=False):
            known = {k.name for k in kernels_of(problem)}
            together = rows[rows["kernel"].isin(known)]
            alone = not deep and cells == ["all"]  # rows that were drawn have few targets in common
            for group in [g for _, g in together.groupby("kernel")] if alone else [together]:
                if len(group):
                    figures = _figures(frame[(frame["problem"] == problem) & (frame["format"] == fmt)], stronger)
                    found += [_task(problem, fmt, grid, group, part, made_of, figures) for part in cells]
    return found


def few(frame: pd.DataFrame) -> pd.DataFrame:
    """Return at most ROWS rows of POINTS inputs in all, taken from each problem and format in turn.

    Which of a problem and format comes first is drawn by a digest of what the row is about, so that a change of what it
    says does not move the choice.
    """
    chosen: list[Any] = []
    points = 0
    for index in drawn(frame, ["problem", "format"]):
        size = int(frame.loc[index, "points"])
        if len(chosen) < ROWS and points + size <= POINTS:
            chosen.append(index)
            points += size
    return frame.loc[sorted(chosen)]


def explained(frame: pd.DataFrame) -> set[Any]:
    """Return which rows are explained again: EXPLAINED of them, taken from each kernel of a problem and format in turn."""
    return set(islice(drawn(frame, ["problem", "format", "kernel"]), EXPLAINED))


def drawn(frame: pd.DataFrame, of: list[str]) -> Iterator[Any]:
    """Yield the index of each row, one of each group in turn, a group's own in the order of a digest of what it is about."""
    strata = []
    for _, rows in frame.groupby(of, sort=False):
        names = rows[["problem", "kernel", "format", "target"]].agg(" ".join, axis=1)
        strata.append(sorted(rows.index, key=lambda i: hashlib.sha256(names[i].encode()).digest()))
    return (i for turn in zip_longest(*strata) for i in turn if i is not None)


def _figures(rows: pd.DataFrame, stronger: Known) -> Figures:
    """Return what is known best of all kernels that a table has of a problem and format, by target."""
    found: Figures = {}
    for row in rows.to_dict("records"):
        found.setdefault(row["target"], []).append(strongest_figure({str(k): v for k, v in row.items()}, stronger))
    return found


def _task(
    problem: str, fmt: str, grid: str, rows: pd.DataFrame, cells: Any, made_of: Sequence[str], figures: Figures
) -> Task:
    records = {(r["kernel"], r["target"]): {str(k): v for k, v in r.items()} for r in rows.to_dict("records")}
    lines = {(r["kernel"], r["target"]): int(str(i)) + 2 for i, r in rows.iterrows()}
    sums = {key: sampled(made_of[line - 2]) for key, line in lines.items()} if made_of else {}
    return Task(problem, fmt, grid, records, lines, cells, sums, figures)


def run(chosen: Sequence[Task]) -> Iterator[Found]:
    """Sweep tasks again, on all cores where there is enough to do, in the order given."""
    return on_all_cores([partial(again, task) for task in chosen])


def on_all_cores(calls: Sequence[Callable[[], Any]]) -> Iterator[Any]:
    """Yield what each call returns, in the order given; they run in processes, one for each core."""
    workers = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, len(calls))
    if workers < 2:
        yield from (call() for call in calls)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from (running.result() for running in [pool.submit(call) for call in calls])


def again(task: Task) -> Found:
    """Sweep a task's rows again and say where a cell differs from what is stated."""
    began = time.monotonic()
    problem, fmt = problem_named(task.problem), format_named(task.fmt)
    grid = task.made_grid()
    kernels = [kernel_named(problem.name, name) for name in dict.fromkeys(k for k, _ in task.stated)]
    texts = list(dict.fromkeys(target for _, target in task.stated))
    targets = np.array([fmt.parse(t) for t in texts]).astype(fmt.dtype) if problem.has_target else None
    cells = _cells(grid, task.cells)
    summaries = sweep(problem, kernels, grid, targets, cells).summaries
    found = Found(points=grid.size(cells))
    if isinstance(task.cells, int):
        found.summaries = summaries
    else:
        for kernel in kernels:
            found.wrong += compare(task, kernel, grid, targets, texts, summaries[kernel.name])
    found.seconds = time.monotonic() - began
    return found


def whole(task: Task, parts: Sequence[Found]) -> list[tuple[int, str]]:
    """Compare the rows of a task that was swept in parts with what is stated."""
    problem, fmt = problem_named(task.problem), format_named(task.fmt)
    grid = task.made_grid()
    texts = list(dict.fromkeys(target for _, target in task.stated))
    targets = np.array([fmt.parse(t) for t in texts]).astype(fmt.dtype) if problem.has_target else None
    wrong = []
    for name in parts[0].summaries:
        summary = merge([p.summaries[name] for p in parts])
        wrong += compare(task, kernel_named(problem.name, name), grid, targets, texts, summary)
    return wrong


def _cells(grid: Grid, which: str | int) -> np.ndarray:
    """Return the cells of a task: all, the sampled ones, or a part."""
    if which == "all":
        return grid.cells
    if which == "some":
        return sampled_cells(grid)
    return grid.shard_cells(int(which), PARTS)


def compare(
    task: Task, kernel: Kernel, grid: Grid, targets: np.ndarray | None, texts: Sequence[str], summary: Summary
) -> list[tuple[int, str]]:
    """Return, by line, what a kernel's rows say otherwise than its summary."""
    if task.cells == "some":
        pairs = [(t, task.stated.get((kernel.name, text))) for t, text in enumerate(texts)]
        said = [(texts[t], text) for t, row in pairs if row for text in exceeded(row, grid.fmt, summary, t)]
        for t, text in enumerate(texts):
            made_of, now = task.sums.get((kernel.name, text)), sums(summary, t)
            if made_of not in (None, now):
                said.append((text, f"its sampled cells have {made_of} ({OF}), swept again {now}"))
        return [(task.lines[kernel.name, target], text) for target, text in said]
    wrong = []
    cures = Cures(task.problem, task.fmt, task.figures)
    for row in advised(rows_of(grid.problem, kernel, grid, targets, summary), known=lambda _: cures):
        key = kernel.name, str(row["target"])
        stated = task.stated.get(key, {})
        cells = {column: as_cell(value) for column, value in row.items() if column in stated}
        wrong += [
            (task.lines[key], f"{column} is {stated[column] or 'empty'}, swept again {cell or 'empty'}")
            for column, cell in cells.items()
            if stated[column] != str(cell)
        ]
    return wrong


def exceeded(row: dict[str, str], fmt: Format, summary: Summary, t: int) -> list[str]:
    """Return where some cells of a row show more than it says of all of them."""
    wrong = []
    top = float(summary.max_ulp[t].max())
    if top > float(mp.mpf(row["max_ulp"] or 0)) * (1 + 1e-8) + 2.0 ** (fmt.precision - 48):
        wrong.append(f"max_ulp is {row['max_ulp'] or 'empty'}, and {top:.9g} is found in some cells")
    for name in OUTCOMES:
        count = int(summary.outcomes[name][t].sum())
        if count > int(row[name]):
            wrong.append(f"{name} is {row[name]}, and {count} are found in some cells")
    if row["safe_lo"]:
        lo, hi = (int(fmt.ordinal(np.array([fmt.parse(row[end])]))[0]) for end in ("safe_lo", "safe_hi"))
        bad = [b for b in (int(summary.bad_below[t]), int(summary.bad_above[t])) if lo <= b <= hi]
        if bad:
            at = fmt.hex(fmt.from_ordinal(np.array(bad[:1]))[0])
            wrong.append(f"the safe range has an input that breaks the budget, {at}")
    points, correct = int(row["points"]), float(row["correctly_rounded"]) * int(row["points"])
    here = int(summary.correctly_rounded[t].sum())
    missed = int(summary.points.sum()) - here
    if here > correct + 1e-8 * points or missed > points - correct + 1e-8 * points:
        wrong.append(f"correctly_rounded is {row['correctly_rounded']}, which some cells contradict")
    return wrong
