"""Find kernels: those that are declared, and for a gradient those that autodiff makes of its loss's kernels.

Where a problem names its gradient, every kernel of the problem has a twin of the same name for the gradient: the
same source, differentiated as written.  A kernel that is declared for the gradient by that name, a backward
pass of its own, takes the twin's place.
"""

from __future__ import annotations

from dataclasses import replace

from harness import UsageError, choices
from harness.kernels.registry import Kernel, declared, declared_weighted
from harness.kernels.tape import gradient
from harness.problems import PROBLEMS, Problem, antiderivative_of, plugins, problem_named

_DERIVATIVES: dict[
    tuple[str, str], tuple[Kernel, Kernel]
] = {}  # by problem and name: the loss's kernel, its derivative


def kernels_of(problem: str) -> list[Kernel]:
    """Return the kernels of a problem: derivatives of its loss's kernels, then those declared, in order of declaration.

    A weighted loss has the kernels of its family, with its weights.
    """
    try:
        found = problem_named(problem)
    except UsageError:  # kernels of a problem without an entry
        return declared(problem)
    own, loss = _own(found), antiderivative_of(found)
    if loss is None:
        return own
    names = {k.name for k in own}
    return [*(derivative(k, loss) for k in _own(loss) if k.name not in names), *own]


def _own(problem: Problem) -> list[Kernel]:
    if problem.weights:
        return declared_weighted(problem.base, problem.weights, problem.name)
    return declared(problem.name)


def all_kernels() -> list[Kernel]:
    """Return every kernel, twins included, in the order of the problems; problems without an entry come last."""
    return [k for name in dict.fromkeys([*PROBLEMS, *(k.problem for k in declared())]) for k in kernels_of(name)]


def kernel_named(problem: str, name: str) -> Kernel:
    """Return one kernel, of the harness or of an installed package; UsageError lists the known names of the problem."""
    known = {k.name: k for k in kernels_of(problem)}
    if name not in known:
        plugins.loaded(plugins.KERNELS)
        known = {k.name: k for k in kernels_of(problem)}
    if name not in known:
        raise UsageError(f"unknown kernel {name!r} of {problem}; known kernels: {choices(name, known)}")
    return known[name]


def derivative(kernel: Kernel, loss: Problem) -> Kernel:
    """Return a loss kernel differentiated as written, a kernel of the loss's gradient; the same object each time."""
    key = loss.gradient, kernel.name
    if key not in _DERIVATIVES or _DERIVATIVES[key][0] is not kernel:
        made = replace(
            kernel,
            problem=loss.gradient,
            function=gradient(kernel.function),
            formula=rf"\frac{{\partial}}{{\partial {loss.variable}}}\left[{kernel.formula}\right]",
            notes="reverse-mode autodiff of the formula as written; " + kernel.notes,
        )
        _DERIVATIVES[key] = kernel, made
    return _DERIVATIVES[key][1]
