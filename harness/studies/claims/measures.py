"""What the checks of claims measure with: exact values, kernels at a few inputs, worst errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.experiments import targets_in
from harness.explain.shadow import nodes, trace
from harness.formats import FORMATS as formats
from harness.grids import Grid
from harness.kernels import kernel_named
from harness.problems import problem_named
from harness.reference import error_in_ulp, significant, truth
from harness.rows import Case, row
from harness.studies.claims.libraries import Answers
from harness.sweep import sweep
from harness.tables import short

FORMATS = ("float16", "bfloat16", "float32", "float64")
LOG_LOSS = "__import__('sklearn.metrics').metrics.log_loss"
FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh", "logaddexp")


def number(value: object) -> mpmath.mpf:
    """Return a decimal as a number good to 200 bits."""
    with mp.workprec(200):
        return mp.mpf(value)


def exact(problem: str, *inputs: object) -> mpmath.mpf:
    """Return the exact value at inputs given as decimals."""
    return truth(problem_named(problem), tuple(number(v) for v in inputs))


def ulps(fmt: str, computed: object, value: mpmath.mpf) -> float:
    """Return how far a number is from an exact value, in ulps of a format."""
    return float(error_in_ulp(formats[fmt], computed, value))


def floats(*values: float) -> np.ndarray:
    """Return numbers as a float32 array."""
    return np.array(values, np.float32)


def run(problem: str, kernel: str, x: np.ndarray, y: Any = None) -> np.ndarray:
    """Run a kernel at inputs, with one target or one for each; shape (n,)."""
    inputs = (x,) if y is None else (x, np.broadcast_to(np.asarray(y).astype(x.dtype), x.shape))
    with np.errstate(all="ignore"):
        return np.broadcast_to(kernel_named(problem, kernel)(*inputs), x.shape)


@cache
def loss_row(kernel: str, fmt: str, target: str = "0") -> Mapping[str, Any]:
    """Return a table's row of a kernel of bce_logits, on the quick grid."""
    problem, k = problem_named("bce_logits"), kernel_named("bce_logits", kernel)
    grid = Grid("quick", problem, formats[fmt])
    targets = targets_in(formats[fmt], [target])
    summary = sweep(problem, [k], grid, targets).summaries[kernel]
    return row(Case(problem, kernel, k, grid, targets[0]), summary, 0)


def worst(kernel: str, fmt: str, target: str = "0") -> float:
    """Return the largest error of a kernel of bce_logits that the quick grid finds, in ulps."""
    return float(loss_row(kernel, fmt, target)["max_ulp"])


def first_bad(kernel: str, fmt: str, target: str = "0") -> float | None:
    """Return the first logit above 0, in the format, that is more than 4 ulp off or spurious; None if none is."""
    end = loss_row(kernel, fmt, target)["safe_hi"]
    if end == "":
        return 0.0
    last = float.fromhex(str(end))
    return None if last >= formats[fmt].max else formats[fmt].next_up(last)


def first_where(fmt: str, holds) -> float | None:  # type: ignore[no-untyped-def]
    """Return the first logit above 0 at which a property holds that holds from there on up to 1000; None if none."""
    f = formats[fmt]
    low, high = (int(f.ordinal(np.array([v]).astype(f.dtype))[0]) for v in (1.0, min(1000.0, f.max)))
    if not holds(f.from_ordinal(np.array([high])))[0]:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(f.from_ordinal(np.array([middle])))[0] else (middle, high)
    return float(f.from_ordinal(np.array([high]))[0])


def first_spurious(kernel: str, fmt: str, target: float = 0) -> float | None:
    """Return the first logit above 0 from which on a kernel of bce_logits gives NaN or infinity."""
    return first_where(fmt, lambda x: ~np.isfinite(run("bce_logits", kernel, x, target).astype(np.float64)))


def first_one(fmt: str) -> float | None:
    """Return the first logit whose sigmoid is computed as 1."""
    return first_where(fmt, lambda x: run("sigmoid", "branched", x) == 1)


def exact_plateau(eps: str) -> str:
    """Return −log(eps), where a clamped loss stops."""
    return short(significant(-mp.log(number(eps)), 3))


def function_calls(kernel: str) -> int:
    """Return how often a kernel of bce_logits calls exp, log and their like for one input."""
    result = trace(kernel_named("bce_logits", kernel), floats(3), floats(0))
    return sum(node.name in FUNCTIONS for node in nodes(result))


def digits(value: object, count: int) -> str:
    """Write a number with so many significant digits."""
    return significant(value, count)


def listed(values: Iterable[Any], count: int) -> str:
    """Write numbers with so many significant digits."""
    return "[" + ", ".join(significant(v if isinstance(v, mpmath.mpf) else float(v), count) for v in values) + "]"


def shown(value: Any) -> str:
    """Write a number with three digits; 'none' where there is none."""
    if value is None:
        return "none"
    v = float(value[0] if isinstance(value, list) else value)
    return f"{v:.3g}"


def by_format(values: Mapping[str, float | None]) -> str:
    """Write a number for each format, those without one as 'none'."""
    return ", ".join(f"{shown(v)} ({fmt})" for fmt, v in values.items())


def kind(value: Any) -> str:
    """Say what a library gave: the exception's name, or the value."""
    return value.split(":")[0] if isinstance(value, str) else shown(value)


def versions(*answers: Answers) -> str:
    """Join the versions of several libraries."""
    return ", ".join(a.version for a in answers)
