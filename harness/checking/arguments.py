"""The arguments of a check, looked at before anything runs: one sentence says which cannot be used, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any

import numpy as np

from harness import UsageError
from harness.checking.subject import Options
from harness.problems import Problem

REDUCTIONS = ("mean", "sum")


def listed(targets: Iterable[float | str] | float | str | None) -> tuple[float | str, ...]:
    """Return targets as a tuple: a single number or text is one target, None and an empty array are none."""
    if targets is None:
        return ()
    if isinstance(targets, (str, Real, np.generic)):
        return (targets,)  # type: ignore[return-value]
    try:
        return tuple(np.ravel(targets).tolist() if isinstance(targets, np.ndarray) else targets)  # type: ignore[arg-type]
    except TypeError as e:
        raise UsageError(f"targets {targets!r} are no numbers; write a list such as [0, 1]") from e


def positive(value: Any, what: str, unit: str) -> None:
    """Raise UsageError for what is no number above 0, infinity included."""
    if isinstance(value, bool) or not isinstance(value, (Real, np.generic)) or not float(value) > 0:  # type: ignore[arg-type]
        raise UsageError(f"{what} {value} is not a positive number of {unit}")


def callable_or_named(value: Any, what: str) -> None:
    """Raise UsageError for what is neither a function nor the text that names one."""
    if not (callable(value) or isinstance(value, str)):
        kind = "None" if value is None else f"of type {type(value).__name__}"
        raise UsageError(f"the {what} is {kind}; give a function, or the text path/to/file.py:function")


def look_at(
    function: str | Callable[..., Any],
    problem: str | Problem | None,
    exact: str | None,
    classes: int | None,
    limits: tuple[float, float, float],
    options: Options,
) -> None:
    """Raise UsageError for the first argument of `check` that cannot be used; `limits` are max_ulp, timeout and memory."""
    callable_or_named(function, "function")
    if options.gradient_function is not None:
        callable_or_named(options.gradient_function, "gradient's function")
    if not isinstance(problem, (str, Problem, type(None))):
        raise UsageError(f"the problem is of type {type(problem).__name__}; give its name, such as 'bce_logits'")
    if not isinstance(exact, (str, type(None))):
        raise UsageError(
            f"exact is of type {type(exact).__name__}; give the text FILE:NAME, or the problem itself as `problem`"
        )
    if classes is not None and (isinstance(classes, bool) or not isinstance(classes, (int, np.integer))):
        raise UsageError(f"classes {classes!r} is not a whole number")
    positive(limits[0], "--max-ulp", "ulps")
    positive(limits[1], "--timeout", "seconds")
    positive(limits[2], "--memory", "GiB")
    if options.reduction not in (None, *REDUCTIONS):
        raise UsageError(f"unknown reduction {options.reduction!r}; known reductions: {', '.join(REDUCTIONS)}")
