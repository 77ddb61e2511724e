"""The errors of whole runs of inputs from a few exact values.

On a short run of inputs the exact value is a polynomial to far less than an ulp.  Its values at a
few nodes give the polynomial; the error of every other input then costs one run of the kernel and
some twenty operations in float64.  One node more checks the polynomial, and a run where it is off
is left out.  V. Lefèvre and J.-M. Muller (Worst cases for correct rounding of the elementary
functions in double precision, ARITH-15, 2001) search with linear polynomials in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.kernels import Kernel
from harness.numbers.wide import ulp_of
from harness.search.values import ExactValues

Array = np.ndarray

NODES = 5  # evenly spread over a run; the polynomial through them has degree 4
CHECKED = 0.125  # where in a run the polynomial is checked
AT_RUN = NODES + 1  # exact values for a run
TOLERANCE = 2.0**-6  # ulps by which it may be off there


def run_errors(
    exact: ExactValues, kernel: Kernel, start: Array, count: Array, stride: Array
) -> Iterator[tuple[Array, Array]]:
    """Yield, run by run, its ordinals and their errors in ulps, to about TOLERANCE; -1 where there is none.

    A run is the `count` ordinals `start`, `start + stride`, ...; arrays of shape (runs,).
    """
    fmt = exact.fmt
    part = np.append(np.arange(NODES) / (NODES - 1), CHECKED)
    nodes = start[:, None] + (part * (count - 1)[:, None]).astype(np.int64) * stride[:, None]
    value = exact.at(nodes.ravel()).reshape(nodes.shape)
    high = value[:, 0].astype(np.float64)
    low = (value[:, 0] - high.astype(value.dtype)).astype(np.float64)
    rise = (value - value[:, :1]).astype(np.float64)  # above the first node's value, which is high + low
    x = fmt.from_ordinal(nodes).astype(np.float64)
    width = x[:, NODES - 1] - x[:, 0]
    t = (x - x[:, :1]) / width[:, None]
    terms = divided_differences(t[:, :NODES], rise[:, :NODES])
    off = abs(newton(t[:, NODES], t.T, terms) - rise[:, NODES]) / ulp_of(high, fmt)
    for n in np.nonzero(off <= TOLERANCE)[0]:
        ordinals = start[n] + stride[n] * np.arange(count[n])
        computed = kernel(*exact.line.inputs(ordinals))
        computed = np.broadcast_to(computed, (1, len(ordinals)))[0].astype(np.float64)
        risen = newton((fmt.from_ordinal(ordinals).astype(np.float64) - x[n, 0]) / width[n], t[n], terms[:, n])
        error = abs(computed - high[n] - low[n] - risen) / ulp_of(high[n] + risen, fmt)
        yield ordinals, np.where(np.isfinite(computed), error, -1.0)


def divided_differences(t: Array, values: Array) -> Array:
    """Return the Newton coefficients of the polynomials through values at t; shapes (runs, NODES), transposed."""
    terms = [values[:, 0]]
    for order in range(1, t.shape[1]):
        values = np.diff(values) / (t[:, order:] - t[:, :-order])
        terms.append(values[:, 0])
    return np.stack(terms)


def newton(t: Array, nodes: Array, terms: Array) -> Array:
    """Return the values at t of the polynomial with these Newton coefficients at these nodes."""
    value = terms[-1]
    for k in range(len(terms) - 2, -1, -1):
        value = value * (t - nodes[k]) + terms[k]
    return value
