"""The errors of loss kernels on the logits that trained models give, beside their worst case.

The distribution is a count of logits in each cell (eight a binade) and target.  A cell's weight is
spread evenly over inputs of it: every one in 16 bits, POINTS of them in wider formats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.kernels import kernel_named, kernels_of
from harness.numbers.formats import FORMATS, Format, format_named
from harness.problems import Problem, problem_named
from harness.studies.training.network import DifferentiatedLoss, History, train
from harness.studies.training.start import Setup, setup_named
from harness.sweep.case import Case
from harness.sweep.grid import Grid, spread
from harness.sweep.streaming import sweep
from harness.tables.advice import advised
from harness.tables.rows import Row
from harness.tables.sums import rows_with_sums
from harness.truth.certified import error_in_ulp, significant
from harness.truth.errors import NONE, measure
from harness.truth.fast import evaluate

Array = np.ndarray

STABLE = ("bce_logits", "softplus_pair")  # trains these models; others are compared with its test error
FINE = FORMATS["float32"]  # whose cells the logits are counted in
POINTS = 128  # of a cell
TARGETS = (0, 1)
SHARE = 0.99


def logits_of_trained(parameters: Mapping[str, Any], parts: Sequence[str]) -> list[tuple[Setup, History]]:
    """Train with the stable loss in float64 on every data set and model."""
    loss = DifferentiatedLoss(kernel_named(*STABLE))
    setups = [setup_named(part, parameters) for part in parts]
    return [(setup, train(loss, FORMATS["float64"], setup)) for setup in setups]


def distribution(trained: Sequence[tuple[Setup, History]]) -> list[Row]:
    """Count the logits of all examples, rounded to float32, by target, cell and setting."""
    settings = list(trained[0][0].settings)
    counts: dict[tuple[int, int], list[int]] = {}
    for _, history in trained:
        for c in range(len(settings)):
            logits, targets = history.logits[:, c].astype(np.float32), history.targets[:, c]
            for y in TARGETS:
                cells, number = np.unique(FINE.cell(FINE.ordinal(logits[targets == y])), return_counts=True)
                for one, n in zip(cells, number):
                    counts.setdefault((y, int(one)), [0] * len(settings))[c] += int(n)
    return [
        {"target": y, **_ends(one), **{f"count_{s}": n for s, n in zip(settings, counts[y, one])}}
        for y, one in sorted(counts)
    ]


def _ends(one: int) -> Row:
    ends = FINE.from_ordinal(np.array([one << FINE.cell_shift, ((one + 1) << FINE.cell_shift) - 1]))
    return {"least": FINE.hex(ends[0]), "largest": FINE.hex(ends[1])}


def weights(rows: Sequence[Row], settings: Sequence[str]) -> tuple[Array, Array]:
    """Return the cells of a distribution, ascending, and their counts (targets, cells) in the given settings."""
    cells = FINE.cell(FINE.ordinal(np.array([float.fromhex(str(r["least"])) for r in rows], np.float32)))
    every = np.unique(cells)
    counts = np.zeros((len(TARGETS), len(every)))
    for r, one in zip(rows, cells):
        counts[TARGETS.index(int(str(r["target"]))), np.searchsorted(every, one)] = sum(
            int(str(r[f"count_{s}"])) for s in settings
        )
    return every, counts


def inputs(fmt: Format, cells: Array, counts: Array) -> tuple[Array, Array]:
    """Return ordinals (n,) of a format's inputs in cells of float32, and their weights (targets, n).

    Cells are alike in every format; where float16 is subnormal its own, wider ones are taken.
    """
    middle = FINE.from_ordinal((cells << FINE.cell_shift) + (1 << FINE.cell_shift - 1)).astype(np.float64)
    own = fmt.cell(fmt.ordinal(middle.astype(fmt.dtype)))
    ordinals = spread(own, min(1 << fmt.cell_shift, POINTS), fmt.cell_shift)
    even = np.repeat(counts[:, :, None] / ordinals.shape[1], ordinals.shape[1], axis=2)
    return ordinals.ravel(), even.reshape(len(counts), -1)


def weighted(ulp: Array, weight: Array) -> tuple[float, float, int]:
    """Return the weighted mean of finite results, the share of others, and the position of the 99th percentile.

    The percentile is the least error such that 99 % of the weight has no larger one; a result that
    is not finite counts as larger than any.
    """
    met = np.nonzero(weight)[0]
    ulp, weight, measured = ulp[met], weight[met], ulp[met] != NONE
    total, finite = math.fsum(weight), math.fsum(weight[measured])
    mean = math.fsum((ulp * weight)[measured]) / finite if finite else math.nan
    order = np.argsort(np.where(measured, ulp, np.inf), kind="stable")
    position = int(np.searchsorted(np.cumsum(weight[order]), SHARE * total))
    return mean, math.fsum(weight[~measured]) / total, int(met[order[min(position, len(order) - 1)]])


def error_rows(parameters: Mapping[str, Any], rows: Sequence[Row]) -> list[Row]:
    """Return the contract's row of every kernel, format and target, with the weighted figures."""
    cells, counts = weights(rows, parameters["realistic"])
    found = []
    for problem in (problem_named(name) for name in parameters["problems"]):
        by_format = {name: _of_format(problem, format_named(name), cells, counts) for name in parameters["formats"]}
        for i, _ in enumerate(kernels_of(problem.name)):
            found += [row for name in parameters["formats"] for row in by_format[name][i]]
    return advised(found)


def _of_format(problem: Problem, fmt: Format, cells: Array, counts: Array) -> list[list[Row]]:
    targets = np.array(TARGETS).astype(fmt.dtype)
    grid = Grid("standard", problem, fmt, targets)
    kernels = kernels_of(problem.name)
    summaries = sweep(problem, kernels, grid, targets).summaries
    ordinals, weight = inputs(fmt, cells, counts)
    x, y = fmt.from_ordinal(ordinals)[None, :], targets[:, None]
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, x, y)
        ulps = [measure(np.broadcast_to(k(x, y), exact.value.shape), exact, problem.nonnegative).ulp for k in kernels]
    return [
        [
            {**row, **_figures(Case(problem, k.name, k, grid, targets[t]), ordinals, ulp[t], weight[t])}
            for t, row in enumerate(rows_with_sums(problem, k, grid, targets, summaries[k.name]))
        ]
        for k, ulp in zip(kernels, ulps)
    ]


def _figures(case: Case, ordinals: Array, ulp: Array, weight: Array) -> Row:
    """Return the weighted columns; the percentile's error is computed again in mpmath."""
    mean, others, at = weighted(ulp, weight)
    ordinal = int(ordinals[at])
    computed = case.compute(np.array([ordinal]))[0]
    p99 = error_in_ulp(case.fmt, computed, case.exact(ordinal)) if np.isfinite(computed) else np.inf
    return {
        "weighted_mean_ulp": significant(mean),
        "weighted_p99_ulp": significant(p99),
        "weighted_p99_input": case.fmt.hex(case.fmt.from_ordinal(np.array([ordinal]))[0]),
        "weighted_nonfinite": significant(others),
    }
