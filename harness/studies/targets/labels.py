"""Labels outside [0, 1], and NaN: what every kernel makes of them, and with what gradient.

The exact formulas at y = -1 are softplus(x) + x for a logit and log p - 2 log(1-p) for a probability: unbounded
below, with slopes 1 + sigma(x) and 1/p + 2/(1-p) that are never 0.  y = 2 is the mirror image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.kernels import (
    Kernel,
    gradients,  # noqa: F401  (registers the gradients)
    kernel_named,
    kernels_of,
)
from harness.numbers.formats import Format
from harness.problems import PROBLEMS, Problem, gradient_of
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET
from harness.tables.rows import Row
from harness.truth.certified import significant
from harness.truth.errors import measure
from harness.truth.fast import evaluate

# Label: the target that is meant.
LABELS = {"-1": 0.0, "2": 1.0, "nan": math.nan}
SLOPES = ("gradient_low", "gradient_high")
MOST = 100.0  # logits visited, in size
WRONG_SIDE = {"logit": (-10.0, 10.0), "probability": (2.0**-7, 1 - 2.0**-7)}  # where gradients are shown


def label_rows(fmt: Format) -> list[Row]:
    """Return a row for every kernel of both losses and every label."""
    return [
        _row(problem, kernel, fmt, label)
        for label in LABELS
        for problem in (PROBLEMS["bce_logits"], PROBLEMS["bce"])
        for kernel in kernels_of(problem.name)
    ]


def accepted_rows(rows: Sequence[Row]) -> list[Row]:
    """Count, for each label and problem, what the kernels did with it; the lowest loss and the flattest slope."""
    found = []
    for label, name in dict.fromkeys((str(r["label"]), str(r["problem"])) for r in rows):
        group = [r for r in rows if (r["label"], r["problem"]) == (label, name)]
        least = [float.fromhex(str(r["least"])) for r in group if r["least"]]
        slopes = [abs(float.fromhex(str(r[c]))) for r in group for c in SLOPES if str(r[c]) != "nan"]
        found.append(
            {
                "label": label,
                "problem": name,
                "format": group[0]["format"],
                "kernels": len(group),
                "finite_everywhere": sum(r["finite"] == r["points"] for r in group),
                "finite_somewhere": sum(r["finite"] != 0 for r in group),
                "negative_somewhere": sum(r["negative"] != 0 for r in group),
                "least": significant(min(least)) if least else "",
                "least_slope": significant(min(slopes)) if slopes else "",
                "largest_slope": significant(max(slopes)) if slopes else "",
            }
        )
    return found


def inputs(problem: Problem, fmt: Format) -> np.ndarray:
    """Return the visited inputs, shape (1, n): the quick grid, logits within MOST."""
    grid = Grid("quick", problem, fmt)
    x = fmt.from_ordinal(grid.ordinals())
    return x[abs(x.astype(np.float64)) <= MOST][None, :]


def _row(problem: Problem, kernel: Kernel, fmt: Format, label: str) -> Row:
    x, intended = inputs(problem, fmt), LABELS[label]
    y = np.array([[float(label)]]).astype(fmt.dtype)
    with np.errstate(all="ignore"):
        computed = np.broadcast_to(kernel(x, y), x.shape)
    values = computed[0].astype(np.float64)
    finite = np.isfinite(values)
    lowest = int(np.where(finite, values, np.inf).argmin())
    return {
        "problem": problem.name,
        "kernel": kernel.name,
        "format": fmt.name,
        "label": label,
        "intended": "" if math.isnan(intended) else f"{intended:.0f}",
        "points": len(values),
        "finite": int(finite.sum()),
        "nan": int(np.isnan(values).sum()),
        "inf": int(np.isinf(values).sum()),
        "negative": int((values < 0).sum()),
        "right": _right(problem, fmt, x, computed, intended),
        "least": fmt.hex(computed[0, lowest]) if finite.any() else "",
        "least_input": fmt.hex(x[0, lowest]) if finite.any() else "",
        **_slopes(problem, kernel, fmt, y),
        "verdict": verdict(values),
    }


def _right(problem: Problem, fmt: Format, x: np.ndarray, computed: np.ndarray, intended: float) -> int:
    """Return how many losses are within the budget of the loss of the intended label."""
    if math.isnan(intended):
        return 0
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, x, np.array([[intended]]).astype(fmt.dtype))
        ulp = measure(computed, exact, problem.nonnegative).ulp[0]
    return int(((ulp >= 0) & (ulp <= BUDGET)).sum())


def _slopes(problem: Problem, kernel: Kernel, fmt: Format, y: np.ndarray) -> Row:
    """Return the kernel's own gradient at an input of each side."""
    x = np.array([WRONG_SIDE[problem.input]]).astype(fmt.dtype)
    slope = gradient_of(problem)
    assert slope is not None  # both losses declare theirs
    with np.errstate(all="ignore"):
        g = np.broadcast_to(kernel_named(slope.name, kernel.name)(x, y), x.shape)[0]
    return {"gradient_low": fmt.hex(g[0]), "gradient_high": fmt.hex(g[1])}


def verdict(values: Sequence[float] | np.ndarray) -> str:
    """Say in a few words what a label did: refused (no finite loss), negative losses, or finite ones."""
    v = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(v)
    if not finite.any():
        return "NaN or infinite"
    if (v[finite] < 0).any():
        return "accepted, negative" if finite.all() else "accepted in part, negative"
    return "accepted" if finite.all() else "accepted in part"
