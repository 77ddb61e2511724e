"""Formats in between: the casts that libraries put around a formula, as wrappers of a replica's function.

Each takes a function of arrays of one format and returns another.  They say where float16 and bfloat16
(or every format) are computed in a wider one, and whether the result comes back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.kernels.registry import Array

Function = Callable[..., Array]


def inside32(function: Function) -> Function:
    """Compute 16-bit formats in float32, and round the result back once."""

    def run(*inputs: Array) -> Array:
        if inputs[0].dtype.itemsize > 2:
            return function(*inputs)
        return function(*(v.astype(np.float32) for v in inputs)).astype(inputs[0].dtype)

    return run


def widen16(function: Function) -> Function:
    """Compute 16-bit formats in float32, and leave the result there."""
    return lambda *inputs: function(*(v.astype(np.float32) if v.dtype.itemsize == 2 else v for v in inputs))


def widen16to64(function: Function) -> Function:
    """Compute 16-bit formats in float64, and leave the result there."""
    return lambda *inputs: function(*(v.astype(np.float64) if v.dtype.itemsize == 2 else v for v in inputs))


def in32(function: Function) -> Function:
    """Compute every format in float32, float64 too, and leave the result there."""
    return lambda *inputs: function(*(v.astype(np.float32) for v in inputs))


def in64(function: Function) -> Function:
    """Compute every format in float64, and leave the result there."""
    return lambda *inputs: function(*(v.astype(np.float64) for v in inputs))


def inside64(function: Function) -> Function:
    """Compute every format in float64, and round the result back once."""
    return lambda *inputs: in64(function)(*inputs).astype(inputs[0].dtype)


def narrow64(function: Function) -> Function:
    """Compute float64 in float32, and leave the result there."""
    return lambda *inputs: function(*(v.astype(np.float32) if v.dtype == np.float64 else v for v in inputs))
