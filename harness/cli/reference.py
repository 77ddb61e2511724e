"""What `harness reference` does: one exact value printed, to digits that are certain.

It needs no kernel, only the truth.
"""

from __future__ import annotations

from fractions import Fraction

from harness import UsageError
from harness.checking.exact import asked_problem
from harness.numbers.formats import parse_exact
from harness.truth.arb import confirm_digits
from harness.truth.digits import certified
from harness.workflow.time_limit import time_limit

# Seconds after which `harness reference` refuses.
PATIENCE = 8.0


def reference(
    problem_name: str | None,
    inputs: dict[str, str | None],
    target: str | None,
    digits: int,
    weights: str | None = None,
    exact: str | None = None,
) -> str:
    """Return the exact value at an input as a decimal, correctly rounded to a number of significant digits.

    `inputs` has the texts given as logit, probability or input; one of them must fit the problem.  Decimals and hex
    floats are taken exactly as written, and Arb confirms the digits where it is installed.  `weights` and `exact` are those
    of `harness check`.  Raises UsageError for an
    input of another kind or outside the domain, for a target that is missing or not asked for, and where the digits
    cannot be decided in about PATIENCE seconds.
    """
    problem = asked_problem(problem_name, weights, exact)
    given = {name: text for name, text in inputs.items() if text is not None}
    if list(given) != [problem.input]:
        raise UsageError(f"{problem.name} takes --{problem.input} and nothing else as its input")
    lo, hi = problem.target_domain
    if (target is not None) != problem.has_target:
        need = (
            f"needs --target, a number in [{lo:g}, {hi:g}]"
            if problem.has_target
            else "has no target; leave out --target"
        )
        raise UsageError(f"{problem.name} {need}")
    slow = UsageError(f"{problem.name} to {digits} digits at this input takes more than {PATIENCE:g} s")
    with time_limit(PATIENCE, slow):
        point = [_exact(given[problem.input], problem.input, *problem.domain)]
        if target is not None:
            point.append(_exact(target, "target", lo, hi))
        found = certified(problem, point, digits, PATIENCE / 2)
        confirm_digits(problem, point, found)
        return found


def _exact(text: str, name: str, lo: float, hi: float) -> Fraction:
    value = parse_exact(text)
    if not lo <= value <= hi:
        raise UsageError(f"{name} {text[:40]} is outside [{lo:g}, {hi:g}]")
    return value
