"""Compare a live system with its replica kernel, bit for bit.

Both results are taken in the narrower of their two formats.  Two figures of each: over all points, and
without the points at which an input or a result is subnormal, which tells a system that flushes
subnormal numbers to zero from one that computes otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.numbers.formats import Format, format_of
from harness.systems.registry import System
from harness.systems.replicas import kernel_of


@dataclass(frozen=True)
class Agreement:
    """Say on how many inputs a system's result is its replica's, bit for bit, NaN equal to NaN, -0 to 0.

    `max_steps` is the largest difference, counted in neighbouring numbers of the format `compared_in`,
    infinite where only one of the two is finite; `at` is its input.  The figures ending in _flushed count
    points at which an input or a result is subnormal as identical.
    """

    points: int
    identical: float
    max_steps: float
    at: float
    system_value: float
    replica_value: float
    identical_flushed: float
    max_steps_flushed: float
    compared_in: str


def agreement(system: System, output: np.ndarray, x: np.ndarray, y: np.ndarray | None = None) -> Agreement:
    """Compare a system's output at inputs `x` and target `y` (one number, or x's shape) with its replica's."""
    inputs = [x]
    if y is not None:
        target = float(system.effective_target(float(y))) if y.ndim == 0 else y
        inputs.append(np.broadcast_to(np.asarray(target).astype(x.dtype), x.shape))
    with np.errstate(all="ignore"):
        expected = kernel_of(system)(*inputs)
        fmt = min(format_of(output.dtype), format_of(expected.dtype), key=lambda f: f.precision)
        output, expected = output.astype(fmt.dtype), expected.astype(fmt.dtype)
    steps = steps_apart(fmt, output, expected)
    subnormal = _subnormal(fmt, output) | _subnormal(fmt, expected) | _subnormal(format_of(x.dtype), x)
    normal = np.where(subnormal, 0, steps)
    worst = int(np.argmax(steps))
    return Agreement(
        len(x),
        float((steps == 0).mean()),
        float(steps[worst]),
        float(x[worst]),
        float(output[worst]),
        float(expected[worst]),
        float((normal == 0).mean()),
        float(normal.max()),
        fmt.name,
    )


def steps_apart(fmt: Format, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return how many numbers apart two arrays are, 0 for two NaN or two zeros."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    i, j = fmt.ordinal(a), fmt.ordinal(b)
    # Of one sign the difference is exact in int64; of two signs it could overflow there.
    one_sign = (i < 0) == (j < 0)
    apart = np.where(one_sign, np.abs(i - np.where(one_sign, j, i)), 0).astype(np.float64)
    apart = np.where(one_sign, apart, np.abs(i.astype(np.float64)) + np.abs(j.astype(np.float64)))
    finite = np.isfinite(a) & np.isfinite(b)
    return np.where(same, 0.0, np.where(finite, apart, np.inf))


def _subnormal(fmt: Format, values: np.ndarray) -> np.ndarray:
    v = np.abs(values.astype(np.float64))
    return (v > 0) & (v < fmt.min_normal)
