"""What the checks of claims measure with: exact values, kernels at a few inputs, first failures, worst errors, speed.

Speed is told in classes that a busy machine does not change: a timing never repeats, so that no time
and no ratio goes into a table.  Blocks of losses small enough for the cache are computed by both kernels
in turn, and the least of many times is taken for each: another process only ever adds time.  The ratio is
the median of five such rounds, and kernels within a factor of 1.2 count as equally fast.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.explain.shadow import nodes, trace
from harness.kernels import Kernel, kernel_named, kernels_of
from harness.numbers.division import halving_one
from harness.numbers.formats import Format, format_named
from harness.problems import problem_named
from harness.studies.claims.first import EVERY_INPUT, SEARCH, First, Property, first
from harness.studies.claims.known import Cells, ClaimTables, basis
from harness.studies.claims.known import strongest as best
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.tables.rows import row
from harness.truth.certified import error_in_ulp, significant, truth
from harness.workflow.targets import targets_in

FORMATS = ("float16", "bfloat16", "float32", "float64")
FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh", "logaddexp")
POINTS = 16384  # logits of a block to time
REPEATS, ROUNDS = 40, 5
FACTOR = 1.2
OFF = 0.05  # the relative error of a loss that is no longer of the right size
OPEN = 2.0**-40  # nearer than this to OFF, float64 does not decide
FARTHEST = 50.0  # the logit up to which a form is said to fail
LOSS = problem_named("bce_logits")


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


def carried(fmt: str, small: float, x: float) -> float:
    """Return by how many of its ulps log1p(exp(−|x|)) is off because of an exp that came out as `small`."""
    f, value = format_named(fmt), exact("bce_logits", -abs(x), 0)
    with mp.workprec(200):
        return float(abs(mp.log1p(mpmath.mpf(float(small))) - value) / float(f.ulp(value)))


def floats(*values: float) -> np.ndarray:
    """Return numbers as a float32 array."""
    return np.array(values, np.float32)


def run(problem: str, kernel: str, x: np.ndarray, y: Any = None) -> np.ndarray:
    """Run a kernel at inputs, with one target or one for each; shape (n,)."""
    inputs = (x,) if y is None else (x, np.broadcast_to(np.asarray(y).astype(x.dtype), x.shape))
    with np.errstate(all="ignore"):
        return np.broadcast_to(kernel_named(problem, kernel)(*inputs), x.shape)


@cache
def loss_row(kernel: str, fmt: str, target: str = "0") -> Cells:
    """Return a table's row of a kernel of bce_logits, on the standard grid."""
    k, grid, targets = kernel_named("bce_logits", kernel), _grid(fmt), targets_in(format_named(fmt), [target])
    summary = sweep(LOSS, [k], grid, targets).summaries[kernel]
    cells = row(Case(LOSS, kernel, k, grid, targets[0]), summary, 0)
    return {name: str(v).lower() if isinstance(v, bool) else str(v) for name, v in cells.items()}


def strongest(known: ClaimTables, kernel: str, fmt: str, target: str = "0") -> Cells:
    """Return what is known best of a kernel of bce_logits: the row of another table, or that of the standard grid."""
    rows = known.of("bce_logits", kernel, fmt, target)
    if any(basis(cells) == "every_input" for cells in rows):
        return best(rows)
    return best([*rows, loss_row(kernel, fmt, target)])


def worst(known: ClaimTables, kernel: str, fmt: str, target: str = "0") -> float:
    """Return the largest error of a kernel of bce_logits that is known, in ulps."""
    return float(strongest(known, kernel, fmt, target)["max_ulp"])


def found(known: ClaimTables, kernel: str, fmt: str, target: str = "0") -> str:
    """Write the largest error that is known, after ≥ where not every input was visited."""
    cells = strongest(known, kernel, fmt, target)
    return ("" if basis(cells) == "every_input" else "≥ ") + shown(float(cells["max_ulp"]))


@cache
def first_off(kernel: str, fmt: str, side: int = 1, good_to: float | None = None) -> First:
    """Return the logit nearest to 0, on one side of it, at which the loss with y = 0 is more than 5 % off or not finite.

    Logits up to ±50 count, and of those whose loss is a normal number: a subnormal one has no digits to lose.  Every
    one is tried in float16 and bfloat16, and in float32 where a sweep over every input has shown the loss to be good
    up to `good_to`; else probes are.
    """
    f = format_named(fmt)
    stop = float(np.copysign(FARTHEST, side))
    if good_to is not None and abs(good_to) >= FARTHEST:
        return First(None, EVERY_INPUT)
    return first(f, good_to or 0.0, stop, partial(off, kernel, f), f.bits < 32 or good_to is not None)


def first_wrong(known: ClaimTables, kernel: str, fmt: str, side: int = 1) -> First:
    """Return what `first_off` does, from where the strongest sweep says that the loss stops being good to 4 ulps."""
    rows = [cells for cells in known.of("bce_logits", kernel, fmt, "0") if basis(cells) == "every_input"]
    end = rows[0]["safe_hi" if side > 0 else "safe_lo"] if rows and fmt == "float32" else ""
    return first_off(kernel, fmt, side, float.fromhex(end) if end else None)


def first_where(fmt: str, holds: Property) -> First:
    """Return the first logit from 1 to 1000 at which a property holds."""
    f = format_named(fmt)
    return first(f, 1.0, min(1000.0, f.max), holds)


def first_spurious(kernel: str, fmt: str, target: float = 0) -> First:
    """Return the first logit above 1 at which a kernel of bce_logits gives NaN or infinity."""
    return first_where(fmt, lambda x: ~np.isfinite(run("bce_logits", kernel, x, target).astype(np.float64)))


def first_one(fmt: str) -> First:
    """Return the first logit whose sigmoid is computed as 1."""
    return first_where(fmt, lambda x: run("sigmoid", "branched", x) == 1)


def first_rounded_to_one(fmt: str) -> float:
    """Return the first logit whose exact sigmoid rounds to 1; it is monotone, so that halving finds it."""
    f = format_named(fmt)
    below, at = (int(o) for o in f.ordinal(np.array([1.0, min(1000.0, f.max)]).astype(f.dtype)))

    def is_one(ordinals: np.ndarray) -> np.ndarray:
        return np.array([f.round(exact("sigmoid", float(x))) == 1 for x in f.from_ordinal(ordinals)])

    return float(f.from_ordinal(np.array([halving_one(is_one, at, below)[0]]))[0])


def negative_kernels(known: ClaimTables, fmt: str, target: str) -> list[str]:
    """Return the kernels of bce_logits of which a negative loss is known."""
    kernels = kernels_of("bce_logits")
    rows = {k.name: [c for c in known.of("bce_logits", k.name, fmt, target) if c["wrong_sign"]] for k in kernels}
    unknown = [k for k in kernels if not rows[k.name]]
    counts = {name: max(int(cells["wrong_sign"]) for cells in own) for name, own in rows.items() if own}
    if unknown:
        summaries = sweep(LOSS, unknown, _grid(fmt), targets_in(format_named(fmt), [target])).summaries
        counts |= {name: int(summary.outcomes["wrong_sign"].sum()) for name, summary in summaries.items()}
    return [k.name for k in kernels if counts[k.name]]


def not_finite(known: ClaimTables, kernel: str, fmt: str, target: str) -> str:
    """Write at how many of the logits that the strongest row visited a kernel of bce_logits gives NaN or infinity."""
    cells = strongest(known, kernel, fmt, target)
    return f"{int(cells['spurious_nan']) + int(cells['spurious_inf'])} of {cells['points']} {fmt} logits"


def exact_differences(low: float, high: float) -> tuple[int, int]:
    """Return for how many float32 p in [low, high) 1 − p needs no rounding, and how many there are."""
    f = format_named("float32")
    start, stop = (int(o) for o in f.ordinal(floats(low, high)))
    p = f.from_ordinal(np.arange(start, stop))
    # In float64 the difference is exact: it spans less than 53 bits for p of at least 2^-29.
    return int((1 - p.astype(np.float64) == np.float32(1) - p).sum()), stop - start


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
    number = value.value if isinstance(value, First) else value
    return "none" if number is None else f"{float(number) + 0.0:.3g}"  # + 0.0: no sign on a zero


def by_format(values: Mapping[str, First | float | str]) -> str:
    """Write a number for each format, those without one as 'none', and say where it is the first of a search."""
    return ", ".join(f"{v if isinstance(v, str) else shown(v)} ({fmt}{_tried(v)})" for fmt, v in values.items())


def _tried(value: object) -> str:
    return ", of those tried" if isinstance(value, First) and value.basis == SEARCH else ""


@cache
def _grid(fmt: str) -> Grid:
    return Grid("standard", LOSS, format_named(fmt))


def off(kernel: str, fmt: Format, x: np.ndarray) -> np.ndarray:
    """Tell where a kernel's loss with y = 0, if it is a normal number, is more than 5 % off or not a number; shape (n,).

    The logits come in order.  Where the float64 loss leaves a point open, mpmath decides it.
    """
    computed = run("bce_logits", kernel, x, 0).astype(np.float64)
    ends = _softplus(x[[0, -1]].astype(np.float64))
    # The loss is monotone: between its ends nothing is off if the least and the largest result are right for both.
    if (1 - OFF) * ends.max() * (1 + OPEN) <= computed.min() and computed.max() <= (1 + OFF) * ends.min() * (1 - OPEN):
        return np.zeros(x.shape, bool)
    value = _softplus(x.astype(np.float64))
    with np.errstate(all="ignore"):
        apart = abs(computed - value)
    normal = value >= fmt.min_normal
    bad = ~(apart <= OFF * value) & normal
    for i in np.flatnonzero((abs(apart - OFF * value) <= OPEN * value) & normal):
        true = truth(LOSS, (mpmath.mpf(float(x[i])), mpmath.mpf(0)))
        bad[i] = abs(mpmath.mpf(float(computed[i])) - true) > OFF * true
    return bad


def _softplus(x: np.ndarray) -> np.ndarray:
    """Return the loss with y = 0 in float64, which OPEN holds.

    # ASSUME: NumPy's exp and log1p err by at most 4 ulp, so that the relative error is below 2^-49.
    """
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))
