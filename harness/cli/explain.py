"""What `harness explain` does: one input of one loss, operation by operation, and the reason in a sentence."""

from __future__ import annotations

from functools import partial

from harness import UsageError
from harness.explain import Explanation, explain
from harness.explain.explanation import traced_function
from harness.explain.notation import magnitude, number
from harness.explain.operations import table
from harness.explain.shadow import Shadow, trace
from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import problem_named
from harness.sweep import own
from harness.sweep.own import Guarded


def explanation(name: str, problem_name: str, fmt: Format, input_: str, target: str | None) -> str:
    """Return why a kernel or a user's function is wrong at one input: what it computed, each operation, the reason.

    `input_` and `target` are decimals or hex floats, rounded into the format.  Code that cannot be followed has no
    table, and the reason says what was not followed.  Raises UsageError for an unknown problem or function, a target
    that is missing or not asked for, and a number that the format does not have.
    """
    problem = problem_named(problem_name)
    if (target is not None) != problem.has_target:
        raise UsageError(f"{problem.name} {'needs --target' if problem.has_target else 'has no target; leave it out'}")
    kernel = own.find(name, problem)
    values = [float(fmt.parse(text)) for text in (input_, target) if text is not None]
    lo, hi = problem.domain
    if not lo <= values[0] <= hi:
        raise UsageError(f"--input {input_} is outside [{lo:g}, {hi:g}], the domain of {problem.name}")
    found = explain(kernel, problem, fmt, *values)
    given = [f"{letter} = {number(v, fmt.dtype)}" for letter, v in zip((problem.variable, "y"), values)]
    computed, exact = number(found.computed, fmt.dtype), magnitude(found.exact, fmt, 9)
    lines = [f"{name} as {problem.name} in {fmt.name} at {', '.join(given)}: {computed} for {exact}", ""]
    return "\n".join([*lines, *_traced(kernel, found, partial(_trace, kernel, problem_name, fmt, values), fmt), found.reason])


def _traced(kernel: Kernel, found: Explanation, traced: partial[Shadow], fmt: Format) -> list[str]:
    if found.like is not None or not found.operation:
        return []
    return [table(traced(), fmt, found.exact), ""]


def _trace(kernel: Kernel, problem_name: str, fmt: Format, values: list[float]) -> Shadow:
    problem = problem_named(problem_name)
    if isinstance(kernel.function, Guarded):
        return traced_function(kernel.function.function, problem, fmt, *values)
    return trace(kernel, *(fmt.dtype.type(v).reshape(1, 1) for v in values))
