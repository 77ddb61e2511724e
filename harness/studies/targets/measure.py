"""Measure what kernels make of targets from 0 to 1: the worst error over all inputs, and how it grows towards 1.

Beside that a part holds what labels, smoothing and NumPy's types do, each measured in a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from harness.kernels import kernel_named
from harness.numbers.formats import Format, format_named
from harness.problems import PROBLEMS
from harness.studies.study import Parameters, Tables
from harness.studies.targets.formulas import formula_rows, promotion_rows
from harness.studies.targets.labels import accepted_rows, label_rows
from harness.studies.targets.smoothing import identity_rows, smoothing_rows
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.tables.advice import advised
from harness.tables.rows import Row, certified_extreme
from harness.tables.sums import rows_with_sums


def run(parameters: Parameters, part: str) -> Tables:
    """Return the rows of every table of the study in one format, which is the part."""
    fmt = format_named(part)
    labels = in_fresh_process(label_rows, fmt)
    return {
        "targets": map_rows(fmt, parameters["grid"].get(part, "standard"), parameters["kernels"]),
        "targets_powers": power_rows(fmt, parameters["step"].get(part, 1), parameters["fused"]),
        "targets_smoothing": smoothing_rows(fmt, parameters["smoothing"]),
        "targets_identity": identity_rows(fmt),
        "targets_labels": labels,
        "targets_accepted": accepted_rows(labels),
        "targets_promotion": in_fresh_process(promotion_rows, fmt),
        "targets_formulas": in_fresh_process(formula_rows, fmt),
    }


def in_fresh_process(rows: Callable[[Format], list[Row]], fmt: Format) -> list[Row]:
    """Return rows measured in a process that has loaded no quad numbers: these change what types NumPy promotes to."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(rows, fmt).result()


def named_targets(fmt: Format) -> dict[str, float]:
    """Return the map's targets by name; all are numbers of the format."""
    p, h = fmt.precision, fmt.precision // 2
    return {
        "0": 0.0,
        "least": fmt.smallest_subnormal,
        "2^-p": 2.0**-p,
        "2^-h": 2.0**-h,
        "1/4": 0.25,
        "1/2": 0.5,
        "3/4": 0.75,
        "1-2^-h": 1 - 2.0**-h,
        "1-2^-p": 1 - 2.0**-p,
        "1": 1.0,
    }


def map_rows(fmt: Format, grid: str, kernels: Mapping[str, Sequence[str]]) -> list[Row]:
    """Return the contract's row, and the target's name, of every kernel and target, problem by problem."""
    names = list(named_targets(fmt))
    targets = np.array(list(named_targets(fmt).values())).astype(fmt.dtype)
    rows = []
    for problem, chosen in ((PROBLEMS[name], kernels[name]) for name in kernels):
        g = Grid(grid, problem, fmt, targets)
        ks = [kernel_named(problem.name, name) for name in chosen]
        summaries = sweep(problem, ks, g, targets).summaries
        for k in ks:
            found = rows_with_sums(problem, k, g, targets, summaries[k.name])
            rows += [{**row, "target_name": name} for row, name in zip(found, names)]
    return advised(rows)


def powers(fmt: Format, step: int) -> list[tuple[int, str, float]]:
    """Return (k, side, target) of the targets 2^-k and 1 - 2^-k, k = 1, 1 + step ... p, and p itself."""
    ks = sorted({*range(1, fmt.precision + 1, step), fmt.precision})
    return [(k, "0", 2.0**-k) for k in ks] + [(k, "1", 1 - 2.0**-k) for k in ks]


def power_rows(fmt: Format, step: int, fused: Sequence[str]) -> list[Row]:
    """Return the worst error found for each fused kernel and target next to 0 (side 0) or to 1 (side 1)."""
    problem, chosen = PROBLEMS["bce_logits"], powers(fmt, step)
    grid, kernels = Grid("quick", problem, fmt), [kernel_named("bce_logits", name) for name in fused]
    targets = np.array([v for _, _, v in chosen]).astype(fmt.dtype)
    summaries = sweep(problem, kernels, grid, targets).summaries
    rows: list[Row] = []
    for kernel in kernels:
        for t, (k, side, _) in enumerate(chosen):
            case = Case(problem, kernel.name, kernel, grid, targets[t])
            extreme = certified_extreme(case, summaries[kernel.name].worst_at(t))
            head = {"kernel": kernel.name, "format": fmt.name, "near": side, "k": k}
            rows.append({**head, "target": fmt.short(targets[t]), **extreme})
    return rows
