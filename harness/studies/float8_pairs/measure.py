"""Measure every kernel on every pair of an 8-bit logit and an 8-bit target."""

from __future__ import annotations

import numpy as np
from mpmath import mp

from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.studies.study import Parameters, Tables
from harness.tables.rows import EXACT_DIGITS, Row, significant
from harness.truth.arb import cited
from harness.truth.certified import decimal, enclose, error_in_ulp
from harness.truth.errors import SPURIOUS, Errors, measure
from harness.truth.fast import evaluate

Array = np.ndarray

PROBLEMS = ("bce_logits", "bce_logits_grad")
FORMATS = ("float8_e4m3fn", "float8_e5m2")
DRAWN = ("sigmoid_naive", "sigmoid_clip_machine_epsilon", "linear_softplus", "lse_log1p")
# Classes of error: 4 ulp of 3 or 4 bits are already up to the whole value, so these are finer than elsewhere.
LIMITS = (0.5, 1.0, 2.0, 4.0, 8.0)
LETTERS = dict(zip(SPURIOUS, "nizs"))  # in the map, beside the digits of the classes


def run(parameters: Parameters, part: str) -> Tables:
    """Return a row for each kernel and 8-bit format over every pair, and the classes of error that the map shows."""
    found: Tables = {"float8_pairs": [], "float8_pairs_map": []}
    for problem in map(problem_named, PROBLEMS):
        for kernel in kernels_of(problem.name):
            for fmt in map(format_named, FORMATS):
                row, classes = pairs(problem, kernel, fmt)
                found["float8_pairs"].append(row)
                if problem.name == PROBLEMS[0] and kernel.name in DRAWN:
                    found["float8_pairs_map"] += classes
    return found


def pairs(problem: Problem, kernel: Kernel, fmt: Format) -> tuple[Row, list[Row]]:
    """Return a kernel's row over all 65,536 pairs, and the class of its error at each pair of the domain."""
    every = np.arange(256, dtype=np.uint8).view(fmt.dtype)
    with np.errstate(all="ignore"):
        computed = np.broadcast_to(kernel(every[None, :], every[:, None]), (256, 256)).astype(np.float64)
    x, y = (every.astype(np.float64)[None, :], every.astype(np.float64)[:, None])
    nan = np.isnan(x) | np.isnan(y)
    target = (y >= 0) & (y <= 1)
    inside, limits = target & np.isfinite(x), target & np.isinf(x)
    outside = ~target & ~nan
    extreme, classes = in_domain(problem, kernel, fmt)
    row: Row = {
        "problem": problem.name,
        "kernel": kernel.name,
        "format": fmt.name,
        "pairs": computed.size,
        "in_domain": int(inside.sum()),
        **extreme,
        "infinite_logit": int(limits.sum()),
        "limit_missed": sum(
            bool(missed(problem, fmt, x[0, j], y[i, 0], computed[i, j])) for i, j in np.argwhere(limits)
        ),
        "outside": int(outside.sum()),
        "outside_finite": int((outside & np.isfinite(computed)).sum()),
        "nan_pairs": int(nan.sum()),
        "nan_hidden": int((nan & ~np.isnan(computed)).sum()),
    }
    return row, classes


def missed(problem: Problem, fmt: Format, x: float, y: float, computed: float) -> bool:
    """Tell whether a kernel misses the limit at an infinite logit."""
    limit = enclose(problem, (mp.mpf(x), mp.mpf(y)), bits=128).value
    return float(fmt.round(limit)) != computed


def in_domain(problem: Problem, kernel: Kernel, fmt: Format) -> tuple[Row, list[Row]]:
    """Measure a kernel at every pair of the domain."""
    x = fmt.from_ordinal(np.arange(*fmt.finite_ordinals(-np.inf, np.inf)))[None, :]
    y = fmt.from_ordinal(np.arange(*fmt.finite_ordinals(-0.0, 1.0)))[:, None]  # 0 with either sign
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, x, y)
        computed = np.broadcast_to(kernel(x, y), exact.value.shape)
        errors = measure(computed, exact, problem.nonnegative)
    t, n = np.unravel_index(int(errors.ulp.argmax()), errors.ulp.shape)
    point = tuple(mp.mpf(float(v)) for v in (x[0, n], y[t, 0]))
    value = cited(problem, point)
    extreme: Row = {
        "max_ulp": significant(error_in_ulp(fmt, computed[t, n], value)),
        "max_ulp_input": fmt.hex(x[0, n]),
        "max_ulp_target": fmt.hex(y[t, 0]),
        "max_ulp_computed": fmt.hex(computed[t, n]),
        "max_ulp_exact": decimal(value, EXACT_DIGITS),
        "correctly_rounded": significant(np.count_nonzero(errors.correctly_rounded) / computed.size),
        **{name: int(errors.outcomes[name].sum()) if name in errors.outcomes else 0 for name in SPURIOUS},
    }
    return extreme, [
        {"kernel": kernel.name, "format": fmt.name, "target": fmt.short(y[i, 0]), "classes": letters(errors, i)}
        for i in range(y.size)
    ]


def letters(errors: Errors, i: int) -> str:
    """Write the class of each error of a row as a digit, or a letter where the outcome is spurious."""
    found = [str(c) for c in np.searchsorted(LIMITS, errors.ulp[i])]
    for name, letter in LETTERS.items():
        for n in np.nonzero(errors.outcomes.get(name, np.zeros_like(errors.ulp, bool))[i])[0]:
            found[n] = letter
    return "".join(found)
