"""Replica kernels: the documented formula of each live system, in NumPy, where no common kernel is it.

A replica repeats a system's order of operations and the formats in between; exp, log, log1p are
NumPy's, where the system has its own.  A gradient is the derivative that the system's source states.
`find` looks here, in the modules beside this one, and among harness.kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np

from harness.kernels import kernel_named
from harness.kernels.registry import Array, Kernel
from harness.systems.registry import System

_REPLICAS: dict[tuple[str, str], Kernel] = {}


def replica(problem: str, name: str, formula: str, source: str, notes: str = "") -> Callable:
    """Declare the decorated function as a replica; a second one of the same problem and name is an error."""

    def declare(function: Callable[..., Array]) -> Callable[..., Array]:
        if (problem, name) in _REPLICAS:
            raise ValueError(f"replica {name!r} of {problem} is declared twice")
        _REPLICAS[problem, name] = Kernel(name, problem, function, formula, source, notes)
        return function

    return declare


def find(problem: str, name: str) -> Kernel:
    """Return a replica, or a common kernel of that name; UsageError where there is neither."""
    for module in ("torch_replicas", "xla_replicas", "keras_replicas", "formulas", "ancestors"):
        import_module(f"harness.systems.adapters.{module}")
    return _REPLICAS.get((problem, name)) or kernel_named(problem, name)


def kernel_of(system: System) -> Kernel:
    """Return the kernel that replicates a system."""
    return find(system.problem, system.replica)


# -- formats in between ------------------------------------------------------------------------


def inside32(function: Callable[..., Array]) -> Callable[..., Array]:
    """Compute 16-bit formats in float32, and round the result back once."""

    def run(*inputs: Array) -> Array:
        if inputs[0].dtype.itemsize > 2:
            return function(*inputs)
        return function(*(v.astype(np.float32) for v in inputs)).astype(inputs[0].dtype)

    return run


def widen16(function: Callable[..., Array]) -> Callable[..., Array]:
    """Compute 16-bit formats in float32, and leave the result there."""

    def run(*inputs: Array) -> Array:
        narrow = inputs[0].dtype.itemsize == 2
        return function(*(v.astype(np.float32) if narrow else v for v in inputs))

    return run


def in32(function: Callable[..., Array]) -> Callable[..., Array]:
    """Compute every format in float32, float64 too, and leave the result there."""
    return lambda *inputs: function(*(v.astype(np.float32) for v in inputs))


def in64(function: Callable[..., Array]) -> Callable[..., Array]:
    """Compute every format in float64, and leave the result there."""
    return lambda *inputs: function(*(v.astype(np.float64) for v in inputs))
