"""The register of kernels: each way of computing a problem, declared once by decorator.

A kernel is written against the array API (`xp = x.__array_namespace__()`), so that one source
serves NumPy arrays, the tape that differentiates it, the shadow values that explain its error,
and the intervals that bound it.  A new kernel is one function with one decorator, in any module of
this folder; config, tables, figures, docs and tests pick it up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np

from harness.kernels.families import OTHER
from harness.numbers.formats import Format, format_of
from harness.problems.weights import Weights

Array = Any  # anything with dtype, arithmetic operators and __array_namespace__
# A parameter's value: a decimal that is rounded once into the format, or a rule of the format.
Parameter = str | Callable[[Format], Any]


@dataclass(frozen=True)
class Kernel:
    """Describe one kernel and call it.

    `formula` is in evaluation order (LaTeX); `source` is a DOI, or package==version and path;
    `notes` say where precision is lost; `family` is what it is drawn with, see families.py;
    `hard_targets_only` says that it answers nothing sensible for targets other than 0 and 1.  Calling it
    with arrays of one format computes strictly in that format, element by element, with inputs broadcast
    against each other.
    """

    name: str
    problem: str
    function: Callable[..., Array]
    formula: str
    source: str
    notes: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    family: str = OTHER
    hard_targets_only: bool = False

    def __call__(self, *inputs: Array) -> Array:
        """Compute the kernel on arrays of one format."""
        constants = {name: like(value, inputs[0]) for name, value in self.parameters.items()}
        return self.function(*inputs, **constants)


_KERNELS: dict[tuple[str, str], Kernel] = {}
_WEIGHTED: dict[tuple[str, str], Kernel] = {}  # of families of weighted losses


def register(kernel: Kernel) -> None:
    """Add a kernel; a second kernel of the same problem and name is an error."""
    key = (kernel.problem, kernel.name)
    if key in _KERNELS:
        raise ValueError(f"kernel {kernel.name!r} of {kernel.problem} is declared twice")
    _KERNELS[key] = kernel


def kernel(
    problem: str,
    name: str,
    *,
    formula: str,
    source: str,
    notes: str,
    family: str = OTHER,
    hard_targets_only: bool = False,
    variants: Mapping[str, Mapping[str, Parameter]] | None = None,
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Declare the decorated function as a kernel of `problem`.

    `variants` maps a suffix of the name to the parameters' values: one kernel each.  ValueError for a
    problem and name that are declared already.
    """

    def declare(function: Callable[..., Array]) -> Callable[..., Array]:
        # What is declared is the docstring: nothing is written twice.
        function.__doc__ = function.__doc__ or f"Compute {formula}; {notes}.\n\nSource: {source}."
        for suffix, parameters in (variants or {"": {}}).items():
            slug = f"{name}_{suffix}" if suffix else name
            fields = slug, problem, function, formula, source, notes, parameters
            register(Kernel(*fields, family=family, hard_targets_only=hard_targets_only))
        return function

    return declare


def weighted_kernel(
    family_of_losses: str, name: str, *, formula: str, source: str, notes: str, family: str = OTHER,
    parameters: Mapping[str, Parameter] | None = None,
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:  # fmt: skip
    """Declare the decorated f(x, y, weights, ...) as a kernel of every weighted loss of a family, such as bce_logits.

    It takes the weights of the loss (problems/weights.py), and rounds each into the format by `like`.  ValueError for a
    family and name that are declared already.
    """

    def declare(function: Callable[..., Array]) -> Callable[..., Array]:
        if (family_of_losses, name) in _WEIGHTED:
            raise ValueError(f"kernel {name!r} of weighted {family_of_losses} is declared twice")
        fields = name, family_of_losses, function, formula, source, notes, parameters or {}
        _WEIGHTED[family_of_losses, name] = Kernel(*fields, family=family)
        return function

    return declare


def declared_weighted(family: str, weights: Weights, problem: str) -> list[Kernel]:
    """Return the kernels of a weighted loss, `problem`, in order of declaration: those of its family, given its weights."""
    return [_with_weights(base, name, weights, problem) for base, name in _WEIGHTED if base == family]


@cache  # the same object each time
def _with_weights(family: str, name: str, weights: Weights, problem: str) -> Kernel:
    kernel = _WEIGHTED[family, name]
    bound = partial(kernel.function, weights=weights)
    bound.__module__ = kernel.function.__module__  # type: ignore[attr-defined]  # what a rerun depends on
    return replace(kernel, problem=problem, function=bound)


def declared(problem: str | None = None) -> list[Kernel]:
    """Return the declared kernels, of a problem or of all, in order of declaration; lookup.py adds derivatives."""
    return [k for k in _KERNELS.values() if problem in (None, k.problem)]


def like(value: Parameter | int, x: Array) -> Array:
    """Return a constant in the format of `x`, rounded into it once."""
    constant = _rounded(value if callable(value) else str(value), np.dtype(x.dtype))
    return x.__array_namespace__().asarray(constant)


@cache
def _rounded(value: Parameter, dtype: np.dtype) -> np.ndarray:
    fmt = format_of(dtype)
    constant = np.asarray(fmt.round(value(fmt) if callable(value) else value))
    constant.setflags(write=False)  # shared by every call
    return constant


def machine_epsilon(fmt: Format) -> float:
    """Give the format's machine epsilon as a parameter."""
    return fmt.machine_epsilon
