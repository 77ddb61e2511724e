"""What the checks of claims measure with: exact values, kernels at a few inputs, first failures, worst errors, speed.

Speed is told in classes that a busy machine does not change: a timing never repeats, so that no time
and no ratio goes into a table.  Blocks of losses small enough for the cache are computed by both kernels
in turn, and the least of many times is taken for each: another process only ever adds time.  The ratio is
the median of five such rounds, and kernels within a factor of 1.2 count as equally fast.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.explain.shadow import nodes, trace
from harness.kernels import Kernel, kernel_named, kernels_of
from harness.numbers.division import halving_one
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.tables.rows import row
from harness.truth.certified import error_in_ulp, significant, truth
from harness.truth.fast import evaluate
from harness.workflow.experiments import targets_in

FORMATS = ("float16", "bfloat16", "float32", "float64")
FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh", "logaddexp")
POINTS = 16384  # logits of a block to time
REPEATS, ROUNDS = 40, 5
FACTOR = 1.2
OFF = 0.05  # the relative error of a loss that is no longer of the right size
LOSS = problem_named("bce_logits")

Property = Callable[[np.ndarray], np.ndarray]


def number(value: object) -> mpmath.mpf:
    """Return a decimal as a number good to 200 bits."""
    with mp.workprec(200):
        return mp.mpf(value)


def exact(problem: str, *inputs: object) -> mpmath.mpf:
    """Return the exact value at inputs given as decimals."""
    return truth(problem_named(problem), tuple(number(v) for v in inputs))


def ulps(fmt: str, computed: object, value: mpmath.mpf) -> float:
    """Return how far a number is from an exact value, in ulps of a format."""
    return float(error_in_ulp(format_named(fmt), computed, value))


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
    """Return a table's row of a kernel of bce_logits, on the standard grid."""
    k, grid, targets = kernel_named("bce_logits", kernel), _grid(fmt), targets_in(format_named(fmt), [target])
    summary = sweep(LOSS, [k], grid, targets).summaries[kernel]
    return row(Case(LOSS, kernel, k, grid, targets[0]), summary, 0)


def worst(kernel: str, fmt: str, target: str = "0") -> float:
    """Return the largest error of a kernel of bce_logits that the standard grid finds, in ulps."""
    return float(loss_row(kernel, fmt, target)["max_ulp"])


def found(kernel: str, fmt: str, target: str = "0") -> str:
    """Write the largest error, after ≥ where not every input was visited."""
    at_least = "" if loss_row(kernel, fmt, target)["exhaustive"] else "≥ "
    return at_least + shown(worst(kernel, fmt, target))


@cache
def first_off(kernel: str, fmt: str, target: str = "0", side: int = 1) -> float | None:
    """Return the logit nearest to 0, on one side of it, whose loss is infinite, NaN or more than 5 % off.

    None if none is.  Every logit of a 16-bit format is tried; elsewhere those of the standard grid,
    and what lies between the last good one and the first bad one is divided down to neighbours.
    Losses below the least normal number, which has no digits to lose, do not count.
    """
    f, grid = format_named(fmt), _grid(fmt)
    ordinals = np.unique(grid.ordinals())
    away = ordinals[ordinals >= grid.centre] if side > 0 else ordinals[ordinals <= grid.centre][::-1]

    def off(points: np.ndarray) -> np.ndarray:
        return _off(kernel, fmt, f.from_ordinal(points), target)

    bad = off(away)
    if not bad.any():
        return None
    i = int(np.argmax(bad))
    return _value(fmt, int(away[0]) if i == 0 else _divide(int(away[i - 1]), int(away[i]), off))


def first_where(fmt: str, holds: Property) -> float | None:
    """Return the first logit from 1 to 1000 at which a property holds that holds from there on; None if none."""
    f = format_named(fmt)
    low, high = (int(f.ordinal(np.array([v]).astype(f.dtype))[0]) for v in (1.0, min(1000.0, f.max)))
    if not holds(f.from_ordinal(np.array([high])))[0]:
        return None
    return _value(fmt, _divide(low, high, lambda ordinals: holds(f.from_ordinal(ordinals))))


def first_spurious(kernel: str, fmt: str, target: float = 0) -> float | None:
    """Return the first logit above 0 from which on a kernel of bce_logits gives NaN or infinity."""
    return first_where(fmt, lambda x: ~np.isfinite(run("bce_logits", kernel, x, target).astype(np.float64)))


def first_one(fmt: str) -> float | None:
    """Return the first logit whose sigmoid is computed as 1."""
    return first_where(fmt, lambda x: run("sigmoid", "branched", x) == 1)


def negative_kernels(fmt: str, target: str) -> list[str]:
    """Return the kernels of bce_logits that give a negative loss somewhere on the standard grid."""
    summaries = sweep(LOSS, kernels_of("bce_logits"), _grid(fmt), targets_in(format_named(fmt), [target])).summaries
    return [name for name, s in summaries.items() if s.outcomes["wrong_sign"].sum()]


def plateau(eps: str) -> float:
    """Return −log(eps), where a clamped loss stops."""
    return float(-mp.log(number(eps)))


def function_calls(kernel: str) -> int:
    """Return how often a kernel of bce_logits calls exp, log and their like for one input."""
    result = trace(kernel_named("bce_logits", kernel), floats(3), floats(0))
    return sum(node.name in FUNCTIONS for node in nodes(result))


def ratio(kernel: str, against: str, fmt: str) -> float:
    """Return the time of a kernel of bce_logits over that of another, on logits of N(0, 4²) with labels 0 and 1."""
    draw, dtype = np.random.default_rng(0), format_named(fmt).dtype
    x = (4 * draw.standard_normal(POINTS)).astype(dtype)
    y = (draw.random(POINTS) < 0.5).astype(dtype)
    kernels = [kernel_named("bce_logits", name) for name in (kernel, against)]
    rounds = []
    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            times = [[_seconds(k, x, y) for k in kernels] for _ in range(REPEATS)]
            least = np.array(times).min(axis=0)
            rounds.append(least[0] / least[1])
    return float(np.median(rounds))


def pace(kernel: str, against: str, fmt: str) -> str:
    """Return whether a kernel is `faster`, `as fast` or `slower` than another."""
    r = ratio(kernel, against, fmt)
    return "faster" if r < 1 / FACTOR else "slower" if r > FACTOR else "as fast"


def _seconds(kernel: Kernel, x: np.ndarray, y: np.ndarray) -> float:
    began = time.perf_counter()
    kernel(x, y)
    return time.perf_counter() - began


def digits(value: object, count: int) -> str:
    """Write a number with so many significant digits."""
    return significant(value, count)


def listed(values: Iterable[Any], count: int) -> str:
    """Write numbers with so many significant digits."""
    return "[" + ", ".join(significant(v if isinstance(v, mpmath.mpf) else float(v), count) for v in values) + "]"


def shown(value: Any) -> str:
    """Write a number with three digits; 'none' where there is none."""
    return "none" if value is None else f"{float(value) + 0.0:.3g}"  # + 0.0: no sign on a zero


def by_format(values: Mapping[str, float | str | None]) -> str:
    """Write a number for each format, those without one as 'none'."""
    return ", ".join(f"{v if isinstance(v, str) else shown(v)} ({fmt})" for fmt, v in values.items())


@cache
def _grid(fmt: str) -> Grid:
    return Grid("standard", LOSS, format_named(fmt))


def _off(kernel: str, fmt: str, x: np.ndarray, target: str) -> np.ndarray:
    """Tell where a kernel's loss, if it is a normal number, is more than 5 % off or not a number; shape (n,)."""
    f = format_named(fmt)
    y = targets_in(f, [target])[:, None]
    with np.errstate(all="ignore"):
        exact_loss = evaluate(LOSS, f, x[None, :], y).value[0]
        computed = run("bce_logits", kernel, x, y[0]).astype(exact_loss.dtype)
        return ~(abs(computed - exact_loss) <= OFF * exact_loss) & (exact_loss >= f.min_normal)


def _divide(without: int, with_: int, holds: Property) -> int:
    """Return the ordinal at which a property sets in, going from one that is without it to one that has it."""
    return halving_one(holds, with_, without)[0]


def _value(fmt: str, ordinal: int) -> float:
    return float(format_named(fmt).from_ordinal(np.array([ordinal]))[0])
