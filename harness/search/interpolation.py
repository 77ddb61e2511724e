"""Errors on runs of inputs from a few exact values: the exact value of all others is interpolated.

On a short run of inputs the exact value is a polynomial to far less than an ulp.  Its values at a few
nodes give the polynomial; the error at every other input then costs one evaluation of the kernel and some
twenty operations in float64, about a tenth of an exact value in 113 bits.  One node more checks the
polynomial, and a run where it is off is left out.  V. Lefèvre and J.-M. Muller (Worst cases for correct
rounding of the elementary functions in double precision, ARITH-15, 2001) search with linear polynomials
in the same way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.numbers.wide import ulp_of, wide_dtype, widened
from harness.problems import Problem

Array = np.ndarray
Inputs = Callable[[Array], tuple[Array, ...]]  # points of ordinals (d, n) to a kernel's arguments

NODES = 5  # evenly spread over a run; the polynomial through them has degree 4
CHECKED = 0.125  # where in a run the polynomial is checked
AT_RUN = NODES + 1  # exact values for a run
TOLERANCE = 2.0**-6  # ulps by which it may be off there


def exact_values(problem: Problem, fmt: Format, inputs: tuple[Array, ...]) -> Array:
    """Return the problem's values at inputs that broadcast to (1, n), in the wide format, shape (n,)."""
    wide = wide_dtype(fmt)
    return problem.fast(*(widened(v, wide) for v in inputs))[0]


def run_errors(problem: Problem, kernel: Kernel, fmt: Format, inputs: Inputs, points: Array) -> Array:
    """Return |computed - exact| / ulp(exact) at points (d, runs, n), shape (runs, n), to about TOLERANCE.

    The first coordinate rises along a run from its first point to its last, the others stay.  -1 where the
    computed value is NaN or infinite, and all along a run on which the polynomial is off by more than
    TOLERANCE at the point that checks it.
    """
    errors = np.full(points.shape[1:], -1.0)
    with np.errstate(all="ignore"):
        first, last = points[0, :, 0], points[0, :, -1]
        part = np.append(np.arange(NODES) / (NODES - 1), CHECKED)
        nodes = np.repeat(points[:, :, :1], AT_RUN, axis=2)
        nodes[0] += (part * (last - first)[:, None]).astype(np.int64)
        value = exact_values(problem, fmt, inputs(nodes.reshape(len(points), -1))).reshape(nodes.shape[1:])
        unit = ulp_of(value[:, :1], fmt)  # in which all is counted: below it float64 may have no numbers
        value = value / unit
        unit = unit.astype(np.float64)
        high = value[:, :1].astype(np.float64)
        low = (value[:, :1] - high.astype(value.dtype)).astype(np.float64)
        rise = (value - value[:, :1]).astype(np.float64)  # above the first node's value, which is high + low
        x = fmt.from_ordinal(nodes[0]).astype(np.float64)
        width = x[:, NODES - 1 : NODES] - x[:, :1]
        t = (x - x[:, :1]) / width
        terms = divided_differences(t[:, :NODES], rise[:, :NODES])
        good = np.nonzero(abs(newton(t[:, NODES], t.T, terms) - rise[:, NODES]) <= TOLERANCE)[0]
        if good.size:
            kept, high, low, unit = points[:, good], high[good], low[good], unit[good]
            computed = kernel(*inputs(kept.reshape(len(points), -1)))
            computed = np.broadcast_to(computed, (1, kept[0].size)).astype(np.float64).reshape(kept.shape[1:])
            along = (fmt.from_ordinal(kept[0]).astype(np.float64) - x[good, :1]) / width[good]
            risen = newton(along, t[good].T[..., None], terms[:, good, None])
            ulp = ulp_of((high + risen) * unit, fmt) / unit
            error = abs(computed / unit - high - low - risen) / ulp
            errors[good] = np.where(np.isfinite(computed), error, -1.0)
    return errors


def divided_differences(t: Array, values: Array) -> Array:
    """Return the Newton coefficients of the polynomials through values at t; shapes (runs, NODES), transposed."""
    terms = [values[:, 0]]
    for order in range(1, t.shape[1]):
        values = np.diff(values) / (t[:, order:] - t[:, :-order])
        terms.append(values[:, 0])
    return np.stack(terms)


def newton(t: Array, nodes: Array, terms: Array) -> Array:
    """Return terms[0] + (t - nodes[0]) (terms[1] + (t - nodes[1]) (terms[2] + ...)), by Horner's scheme."""
    value = terms[-1]
    for k in range(len(terms) - 2, -1, -1):
        value = value * (t - nodes[k]) + terms[k]
    return value
