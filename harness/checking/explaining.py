"""One input of one loss, operation by operation, and the reason in a sentence: what `harness explain` prints."""

from __future__ import annotations

from contextlib import closing

from harness import UsageError
from harness.checking.child import MEMORY_GIB, started
from harness.checking.subject import Options, Subject
from harness.explain import Explanation, explain
from harness.explain.notation import magnitude, number
from harness.explain.operations import table
from harness.explain.shadow import trace
from harness.kernels import kernel_named
from harness.numbers.formats import Format
from harness.problems import Problem, problem_named
from harness.problems.classes import CLASS_PROBLEMS


def explanation(
    target_name: str,
    problem_name: str,
    fmt: Format,
    input_: str,
    target: str | None = None,
    timeout: float = 60.0,
    options: Options | None = None,
) -> str:
    """Return why a kernel or a user's function is wrong at one input: what it computed, each operation, the reason.

    `input_` and `target` are decimals or hex floats, rounded into the format.  Code that cannot be followed has no
    table, and the reason says what was not followed.  Of K classes, `input_` is a row of logits: see class_explaining.py.  Raises UsageError for an unknown problem or function, a target
    that is missing or not asked for, and a number outside the domain; Crash as `check` does.
    """
    if problem_name in CLASS_PROBLEMS:
        from harness.checking.class_explaining import class_explanation

        return class_explanation(target_name, problem_name, fmt, input_, target, timeout, options or Options())
    problem = problem_named(problem_name)
    values = _values(problem, fmt, input_, target)
    if ":" not in target_name:
        kernel = kernel_named(problem.name, target_name)
        found = explain(kernel, problem, fmt, *values)
        result = trace(kernel, *(fmt.dtype.type(v).reshape(1, 1) for v in values))
        return _text(target_name, problem, fmt, values, found, table(result, fmt, found.exact))
    subject = Subject(target_name, problem, fmt, options or Options())
    with closing(started(subject, timeout, MEMORY_GIB, False)) as process:
        part = process.ask("load").parts[0]
        at = problem.name, values[0], values[1] if problem.has_target else None
        found = process.ask("explain", part, *at)
        operations = process.ask("operations", part, *at) if not found.not_followed else ""
        return _text(target_name, problem, fmt, values, found, operations)


def _values(problem: Problem, fmt: Format, input_: str, target: str | None) -> list[float]:
    if (target is not None) != problem.has_target:
        raise UsageError(f"{problem.name} {'needs --target' if problem.has_target else 'has no target; leave it out'}")
    values = [float(fmt.parse(text)) for text in (input_, target) if text is not None]
    for value, name, text, (lo, hi) in zip(values, ("input", "target"), (input_, target), (problem.domain, (0.0, 1.0))):
        if not lo <= value <= hi:
            raise UsageError(f"--{name} {text} is outside [{lo:g}, {hi:g}]")
    return values


def _text(name: str, problem: Problem, fmt: Format, values: list[float], found: Explanation, operations: str) -> str:
    given = ", ".join(f"{letter} = {number(v, fmt.dtype)}" for letter, v in zip((problem.variable, "y"), values))
    computed, exact = number(found.computed, fmt.dtype), magnitude(found.exact, fmt, 9)
    line = f"{name} as {problem.name} in {fmt.name} at {given}: {computed} for {exact}"
    named = f"(operations that cannot be followed: {found.not_followed})"
    beside = f"Not followed: {found.not_followed}." if found.not_followed and named not in found.reason else ""
    return "\n\n".join(part for part in (line, operations, found.reason, beside) if part)
