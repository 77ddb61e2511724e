"""The register of replica kernels: the documented formula of each live system, in NumPy.

A replica stands in its library's adapter where no common kernel (harness.kernels) is that formula.  It
repeats the system's order of operations and the formats in between; exp, log and log1p are NumPy's,
where the system has its own.  A gradient is the derivative that the system's source states.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from harness.kernels import kernel_named
from harness.kernels.registry import Array, Kernel
from harness.systems.registry import System, adapter_modules

_REPLICAS: dict[tuple[str, str], Kernel] = {}


def replica(problem: str, name: str, formula: str, source: str, notes: str = "") -> Callable:
    """Declare the decorated function as a replica; ValueError for a second one of the same problem and name."""

    def declare(function: Callable[..., Array]) -> Callable[..., Array]:
        if (problem, name) in _REPLICAS:
            raise ValueError(f"replica {name!r} of {problem} is declared twice")
        _REPLICAS[problem, name] = Kernel(name, problem, function, formula, source, notes)
        return function

    return declare


def find(problem: str, name: str) -> Kernel:
    """Return a replica of any adapter, or a common kernel of that name; UsageError where there is neither."""
    for module in adapter_modules():
        import_module(module)
    return _REPLICAS.get((problem, name)) or kernel_named(problem, name)


def kernel_of(system: System) -> Kernel:
    """Return the kernel that replicates a system, a replica or a common kernel, by its problem and name."""
    return find(system.problem, system.replica)
