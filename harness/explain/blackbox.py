"""Judge a function whose operations cannot be followed, such as compiled code: by its values alone.

They say what is wrong (NaN, 0, a plateau ...) and which built-in kernel returns the same.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np

from harness import UsageError
from harness.explain.remedies import compute, critical
from harness.kernels import Kernel, kernels_of
from harness.numbers.distinct import distinct
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.own import Guarded
from harness.truth.certified import Point, round_to

Array = np.ndarray

# The share of inputs with the same bits that makes a function behave like a kernel; not all, as two
# libraries' exp and log differ here and there.
ALIKE = 0.95
FURTHER_CELLS = 4  # the farthest neighbours are 2^4 cells, two binades, away

CAUSES = {
    "not a number": "NaN where the truth is a number",
    "infinite": "infinite where the truth rounds to something else",
    "zero": "0 where the truth rounds to something else",
    "wrong sign": "of the other sign than the truth",
    "plateau": "constant here, where the truth is not",
    "rounding": "off by a few ulp",
    "unknown": "finite and wrong",
}


def same(a: Array, b: Array) -> Array:
    """Tell where two arrays agree, NaN agreeing with NaN."""
    return (a == b) | (np.isnan(a) & np.isnan(b))


def neighbours(problem: Problem, fmt: Format, x: Array) -> Array:
    """Return the input and others around it, from next to it to two binades away."""
    steps = [s << k for k in range(fmt.cell_shift + FURTHER_CELLS + 1) for s in (1, -1)]
    ordinals = int(fmt.ordinal(x).item()) + np.array([0, *steps])
    first, last = fmt.finite_ordinals(*problem.domain)
    return fmt.from_ordinal(ordinals[(ordinals >= first) & (ordinals < last)])


def twin(problem: Problem, fmt: Format, inputs: tuple[Array, ...], function: Guarded) -> Kernel | None:
    """Return the built-in kernel with the same bits at the input and most others, if there is one.

    The others are neighbours and, as many a kernel is 0 in the same tail, the problem's critical points.
    """
    x = np.append(neighbours(problem, fmt, inputs[0]), critical(problem, fmt))[None, :]
    try:
        values = compute(function, x, *inputs[1:])
    except UsageError:  # it raises at a neighbour
        return None
    best, share = None, 0.0
    for kernel in kernels_of(problem.name):
        alike = same(compute(kernel, x, *inputs[1:]), values)
        if alike[0] and float(alike.mean()) > share:
            best, share = kernel, float(alike.mean())
    return best if share >= ALIKE else None


def cause(computed: float, exact: mpmath.mpf) -> str | None:
    """Classify a wrong result by its value: a key of CAUSES, None if it is finite and of the right sign."""
    if math.isnan(computed):
        return "not a number"
    if math.isinf(computed):
        return "infinite"
    if computed == 0:
        return "zero"
    return "wrong sign" if mpmath.sign(exact) * computed < 0 else None


def flat(problem: Problem, fmt: Format, inputs: tuple[Array, ...], function: Guarded) -> bool:
    """Tell whether the function is constant for a cell on either side, and its truth is not."""
    cell = 1 << fmt.cell_shift
    at = int(fmt.ordinal(inputs[0]).item())
    first, last = fmt.finite_ordinals(*problem.domain)
    for side in (at - cell, at + cell):
        line = distinct(np.linspace(at, min(max(side, first), last - 1), 9).astype(np.int64))
        x = fmt.from_ordinal(line)
        values = compute(function, x[None, :], *inputs[1:])
        truths = {float(round_to(problem, fmt, _point(v, inputs))) for v in (x[0], x[-1])}
        if len(line) > 1 and same(values, values[0]).all() and len(truths) > 1:
            return True
    return False


def _point(x: np.generic, inputs: tuple[Array, ...]) -> Point:
    return tuple(mpmath.mpf(float(v)) for v in (x, *(a.item() for a in inputs[1:])))
