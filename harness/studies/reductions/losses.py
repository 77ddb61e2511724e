"""The losses that are added up, and their exact sums.

The logits are normal with standard deviation 3, the targets Bernoulli with probability sigma(x), so
that the model is calibrated; the losses are those of the pair of softplus in the working format.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from harness.kernels import kernel_named
from harness.numbers.formats import Format

Array = np.ndarray

BLOCK = 1 << 20
STABLE = "softplus_pair"
LIMBS = (30, 30, 40)  # bits behind the point, one after another: losses are multiples of 2^-100


def losses(fmt: Format, n: int, parameters: Mapping[str, Any]) -> Array:
    """Return n losses in the format, shape (n,), from the parameters `seed` and `sd`.

    Each block of 2^20 has a seed of its own, so the first losses do not depend on n.  The losses of the
    16-bit formats are looked up: there are 2^17 of them.
    """
    found = np.empty(n, fmt.dtype)
    table = _table(fmt) if fmt.bits == 16 else None
    for i, start in enumerate(range(0, n, BLOCK)):
        rng = np.random.default_rng([parameters["seed"], i])
        kind = np.float64 if fmt.bits == 64 else np.float32
        x = (rng.standard_normal(BLOCK, dtype=kind) * kind(parameters["sd"])).astype(fmt.dtype)
        v = x.astype(kind)
        y = rng.random(BLOCK, dtype=kind) * (1 + np.exp(np.negative(v))) < 1
        count = min(BLOCK, n - start)
        x, y = x[:count], y[:count]
        if table is not None:
            found[start : start + count] = table[y.astype(np.intp), x.view(np.uint16)]
        else:
            found[start : start + count] = kernel_named("bce_logits", STABLE)(x, y.astype(fmt.dtype))
    return found


def _table(fmt: Format) -> Array:
    """Return the loss of every pattern of a 16-bit format, for the targets 0 and 1, shape (2, 65536)."""
    x = np.arange(1 << 16, dtype=np.uint16).view(fmt.dtype)
    y = np.array([0, 1]).astype(fmt.dtype)
    with np.errstate(all="ignore"):
        return kernel_named("bce_logits", STABLE)(x[None, :], y[:, None])


def exact_sums(x: Array) -> list[Fraction]:
    """Return the exact sum of each row of an array of non-negative losses below 2^12.

    A loss is split into three integers behind the point, whose sums fit in 64 bits; ValueError where a
    loss has more bits than they hold.
    """
    totals = [0] * len(x)
    for start in range(0, x.shape[1], BLOCK):
        rest, behind = x[:, start : start + BLOCK].astype(np.float64), sum(LIMBS)
        for limb in LIMBS:
            rest, behind = np.ldexp(rest, limb), behind - limb
            whole = np.floor(rest)
            rest -= whole
            parts = whole.astype(np.int64).sum(axis=1)
            totals = [total + (int(part) << behind) for total, part in zip(totals, parts)]
        if rest.any():
            raise ValueError(f"a loss is not a multiple of 2^-{sum(LIMBS)}")
    return [Fraction(t, 1 << sum(LIMBS)) for t in totals]
