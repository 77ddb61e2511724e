"""Which of two kernels is faster, told in classes that a busy machine does not change.

A timing never repeats, so that no time and no ratio goes into a table.  Blocks of losses small
enough for the cache are computed by both kernels in turn, and the least of many times is taken
for each: another process only ever adds time.  The ratio is the median of five such rounds, and
kernels within a factor of 1.2 count as equally fast.
"""

from __future__ import annotations

import time

import numpy as np

from harness.kernels import kernel_named
from harness.numbers.formats import format_named

POINTS = 16384
REPEATS, ROUNDS = 40, 5
FACTOR = 1.2


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


def _seconds(kernel, x: np.ndarray, y: np.ndarray) -> float:  # type: ignore[no-untyped-def]
    began = time.perf_counter()
    kernel(x, y)
    return time.perf_counter() - began
