"""Error curves of the page: for each step of the input's axis the worst input that a sweep visited there.

The axis shows both tails, see figures/axes.py.  Summaries say at which input of a cell the error is largest; of a
step's cells the largest is kept, and at its input the kernel and the exact value are computed again, so that a reader
can point at an input and get both to the last digit.  Beside each curve stands how its errors are distributed over all
inputs of the format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.figures.axes import InputAxis
from harness.figures.bins import end_points, step_of
from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.numbers.wide import power_two, quad, widened
from harness.problems import Problem
from harness.report.packing import numbers, scaled, small
from harness.sweep import stored
from harness.sweep.grid import Grid
from harness.sweep.summary import Summary
from harness.truth.errors import NONE, OUTCOMES, measure
from harness.truth.fast import evaluate
from harness.workflow.experiments import Experiment
from harness.workflow.targets import targets_in

Array = np.ndarray
HARD = ("0", "1")
LEAST_STEP = -72  # of the input, relative: 41 bits of the difference of two quad values are left
LEAST = 5e-324  # of float64
# Errors from 2^-4 ulp on, in whole powers of two up to where no bit is right.
LEAST_POWER = -4


def curve_files(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Return the curves of an experiment, one value for each problem and format, by `PROBLEM.FORMAT`.

    `folder` holds summaries; a format of which a shard is missing there is left out.  Raises UsageError where a
    summary is damaged.
    """
    found: dict[str, Any] = {}
    for fmt in experiment.formats:
        paths = [folder / f"{experiment.name}.{fmt.name}.{i}.npz" for i in range(experiment.shards_of(fmt.name))]
        if not all(path.exists() for path in paths):
            continue
        read = [stored.read_summaries(path) for path in paths]
        for problem in experiment.problems:
            kernels = experiment.kernels[problem.name]
            if not all(k.name in parts[problem.name] for parts, _ in read for k in kernels):
                continue
            shards = [[parts[problem.name][k.name] for parts, _ in read] for k in kernels]
            targets = targets_in(fmt, experiment.targets) if problem.has_target else None
            grid = Grid(read[0][1]["grid"], problem, fmt, targets)
            found[f"{problem.name}.{fmt.name}"] = curves_of(grid, kernels, shards, experiment.targets)
    return found


def curves_of(
    grid: Grid, kernels: Sequence[Kernel], shards: Sequence[Sequence[Summary]], targets: list[str]
) -> dict[str, Any]:
    """Return the curves of one problem and format: for each kernel and hard target one, equal ones written once.

    `shards` holds the summaries of each kernel, which share no cell.
    """
    problem, fmt = grid.problem, grid.fmt
    chosen: Sequence[str] = HARD if problem.has_target else ("",)
    curves: list[dict[str, str]] = []
    index: dict[str, dict[str, int]] = {}
    for target in chosen:
        y = targets_in(fmt, [target])[0] if target else None
        t = int(np.flatnonzero(targets_in(fmt, targets) == y)[0]) if target else 0
        ends = _ends(problem, fmt, kernels, y)
        worst = [_worst(grid, _row(s, t), ends[i] if ends else None) for i, s in enumerate(shards)]
        at = np.unique(np.concatenate([w["ordinal"] for w in worst]))
        exact, rest, envelope = truth_at(problem, fmt, fmt.from_ordinal(at), y)
        for kernel, found in zip(kernels, worst):
            here = np.searchsorted(at, found["ordinal"])
            curve = _curve(fmt, kernel, y, at[here], exact[here], rest[here], envelope[here])
            curve |= {"median": scaled(found["median"]), "flags": small(found["flags"]), **found["spread"]}
            if curve not in curves:
                curves.append(curve)
            index.setdefault(kernel.name, {})[target] = curves.index(curve)
    return {"exhaustive": grid.exhaustive, "index": index, "curves": curves}


def _curve(
    fmt: Format, kernel: Kernel, y: Any, at: Array, exact: Array, rest: Array, envelope: Array
) -> dict[str, str]:
    """Compute a kernel at some inputs, and write inputs, values, exact values and envelope."""
    x = fmt.from_ordinal(at)
    inputs = (x[None, :],) if y is None else (x[None, :], np.full((1, 1), y))
    with np.errstate(all="ignore"):
        computed = np.broadcast_to(kernel(*inputs), (1, len(x)))[0]
    single = fmt.bits <= 32
    return {
        "x": numbers(x.astype(np.float64), single),
        "value": numbers(computed.astype(np.float64), single),
        "exact": numbers(exact, False),
        **({} if single else {"rest": numbers(rest, False)}),
        "envelope": scaled(envelope),
    }


def truth_at(problem: Problem, fmt: Format, x: Array, y: Any) -> tuple[Array, Array, Array]:
    """Return exact values at inputs of a format as a float64 and the rest, and the condition envelope, each of shape (n,).

    The value's relative error is that of the fast reference in quad, 2^-107; one that float64 has no number for, nearer
    to 0 than its least, is written as that least number, and its rest takes it back.  The envelope is max(½, κ/2) ulp, κ from a
    quotient of differences, and NaN where the value is beyond the wide format's range.
    """
    with np.errstate(all="ignore"):
        wide = widened(x.astype(np.float64)[None, :], quad())
        shrunk = wide - wide * power_two(LEAST_STEP, quad())
        target = [] if y is None else [widened(np.full((1, 1), float(y)), quad())]
        value, nearer = problem.fast(wide, *target)[0], problem.fast(shrunk, *target)[0]
        high = value.astype(np.float64)
        rest = (value - high.astype(quad())).astype(np.float64)
        rest = np.where(np.isfinite(high) & np.isfinite(rest), rest, 0.0)
        lost = (high == 0) & (value != 0)  # nearer to 0 than float64 reaches: told by a value that its rest takes back
        high = np.where(lost, np.where(value < 0, -LEAST, LEAST), high)
        rest = np.where(lost, -high, rest)
        quotient = np.abs((value - nearer) / value).astype(np.float64) * 2.0**-LEAST_STEP
        known = (np.abs(high) > 0) & np.isfinite(high) & ~lost
    return high, rest, np.where(known, np.maximum(0.5, quotient / 2), np.nan)


def _row(shards: Sequence[Summary], t: int) -> dict[str, Array]:
    """Return what the shards of one kernel hold of a target in each cell that was visited: arrays of shape (cells,)."""
    flags = [sum((p.outcomes[name][t] > 0).astype(np.int64) << i for i, name in enumerate(OUTCOMES)) for p in shards]
    row = {
        "cells": np.concatenate([p.cells for p in shards]),
        "top": np.concatenate([p.max_ulp[t] for p in shards]),
        "at": np.concatenate([p.max_ulp_at[t] for p in shards]),
        "median": np.concatenate([p.median_ulp[t] for p in shards]),
        "flags": np.concatenate(flags),
    }
    seen = np.concatenate([p.points for p in shards]) > 0
    return {name: values[seen] for name, values in row.items()}


def _worst(grid: Grid, row: dict[str, Array], ends: dict[str, Array] | None) -> dict[str, Any]:
    """Return for each step of the axis the worst input: its ordinal, the median of the step and outcomes as bits."""
    fmt, axis = grid.fmt, InputAxis(grid.problem)
    first = np.maximum(row["cells"] << fmt.cell_shift, grid.start)
    points = {**row, "ordinal": np.where(row["top"] == NONE, first, row["at"])}
    if ends is not None:  # next to 0 and 1 points stand for the cells, which are too wide there
        middle = fmt.from_ordinal((row["cells"] << fmt.cell_shift) + (1 << fmt.cell_shift) // 2)
        kept = (middle.astype(np.float64) < 0.5) & (row["cells"] > 0)
        points = {name: np.concatenate([points[name][kept], ends[name]]) for name in ends}
    at = axis.positions(fmt.from_ordinal(points["ordinal"]).astype(np.float64), fmt)
    return {**_steps(axis, at, points), "spread": _spread(row, fmt)}


def _steps(axis: InputAxis, at: Array, points: dict[str, Array]) -> dict[str, Array]:
    """Keep of each step of the axis the input of the largest error, the median of medians, and every outcome."""
    order = np.lexsort((points["top"], step_of(axis, at)))
    step = step_of(axis, at)[order]
    last = np.append(np.flatnonzero(np.diff(step)), len(step) - 1)  # the largest of its step
    starts = np.append(0, last[:-1] + 1)
    medians = points["median"][np.lexsort((points["median"], step_of(axis, at)))]  # NaN comes last in its step
    known = np.add.reduceat(~np.isnan(medians), starts, dtype=np.int64)
    middle = np.where(known > 0, medians[starts + np.maximum(known - 1, 0) // 2], np.nan)
    flags = np.bitwise_or.reduceat(points["flags"][order], starts)
    return {"ordinal": points["ordinal"][order][last], "median": middle, "flags": flags}


def _spread(row: dict[str, Array], fmt: Format) -> dict[str, str]:
    """Return how errors are distributed: which share of the cells has a largest, and a median, error of at least 2^k ulp.

    k runs from LEAST_POWER to the format's precision; a share is of 255.  Cells hold equally many numbers, so that it
    is a share of the format's inputs; a cell without a finite result counts as beyond every error.
    """
    powers = 2.0 ** np.arange(LEAST_POWER, fmt.precision + 1)
    nothing = row["top"] == NONE
    found = {}
    for name, values in (("share_top", row["top"]), ("share_median", row["median"])):
        size = np.sort(np.where(nothing, np.inf, np.nan_to_num(values, nan=0.0)))
        share = 1 - np.searchsorted(size, powers, side="left") / max(1, len(size))
        found[name] = small(np.rint(share * 255))
    return found


def _ends(problem: Problem, fmt: Format, kernels: Sequence[Kernel], y: Any) -> list[dict[str, Array]] | None:
    """Measure kernels of a probability at points next to 0 and 1; None for other inputs."""
    if problem.input != "probability":
        return None
    x = end_points(fmt).astype(fmt.dtype)[None, :]
    inputs = (x,) if y is None else (x, np.full((1, 1), y))
    found = []
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, *inputs)
        for kernel in kernels:
            errors = measure(np.broadcast_to(kernel(*inputs), exact.value.shape), exact, problem.nonnegative)
            nothing = np.zeros(x.shape[1], bool)
            masks = [errors.outcomes[name][0] if name in errors.outcomes else nothing for name in OUTCOMES]
            flags = np.sum([mask.astype(np.int64) << i for i, mask in enumerate(masks)], axis=0)
            ulp = errors.ulp[0]
            median = np.where(ulp == NONE, np.nan, ulp)
            found.append({"ordinal": fmt.ordinal(x[0]), "top": ulp, "median": median, "flags": flags})
    return found
