"""The exact function that a check or a reference is asked for: built in, weighted, or a user's own.

A user's own stands in a file, as what `harness.problem` returned or as a plain function in mpmath, which is then declared
with the domain of all numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness import UsageError, choices
from harness.checking.functions import named
from harness.problems import Problem, Weights, own, problem_named, weights_of
from harness.problems.problem import OWN
from harness.problems.weights import NAMES


def asked_problem(
    problem: str | Problem | None,
    weights: Weights | Mapping[str, float] | str | None = None,
    exact: str | None = None,
) -> Problem:
    """Return the problem that is asked for: by its name with weights, or the one that `exact`, FILE:NAME, declares.

    Raises UsageError where neither or both are given, for weights that the problem does not take, and for a file or a
    name in it that is not there.
    """
    if (problem is None) == (exact is None):
        raise UsageError("name the exact function once: --problem NAME, or --exact FILE:NAME for one of your own")
    chosen = weights_given(weights)
    if exact is not None:
        if chosen:
            raise UsageError("--weights belong to built-in problems; one of your own has `parameters`")
        return _own(exact)
    if isinstance(problem, Problem):
        if problem.name in OWN:
            own.confirm_gradient(problem)
        return problem if not chosen else problem_named(problem.name, chosen)
    return problem_named(str(problem), chosen)


def _own(target: str) -> Problem:
    found, _ = named(target)
    if isinstance(found, Problem):
        own.confirm_gradient(found)
        return found
    if not callable(found):
        raise UsageError(
            f"{target} is a {type(found).__name__}; name a function in mpmath, or what harness.problem returned"
        )
    return own.problem(found)


def weights_given(given: Weights | Mapping[str, float] | str | None) -> Weights:
    """Return weights however they are given: a Weights, a mapping, the text of --weights, or none."""
    if given is None or isinstance(given, Weights):
        return given or Weights()
    if isinstance(given, str):
        return weights_of(given)
    if not isinstance(given, Mapping):
        raise UsageError(f"weights {given!r} are none; write a dict such as {{'pos': 3}}, or the text 'pos=3'")
    unknown = [name for name in given if name not in NAMES]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no weight; known weights: {choices(unknown[0], NAMES)}")
    return Weights(**given)
