"""What a function turned out to be that is not the problem, in words."""

from __future__ import annotations

from dataclasses import dataclass

from harness.problems import Problem
from harness.problems.problem import WEIGHTED

LEFT_OUT = "the problem takes no such weights: leave them out to have its errors measured"


@dataclass(frozen=True)
class Recognition:
    """Say which other function a function is: in a sentence, and with the option under which it is checked, if any.

    `of_array` tells that it is no function of one input at all, but of the array: a mean, or divided by the size.  `at` is
    where one that has no name differs most: an input, and its target.  `factor` says by what the problem is multiplied, where
    that is all.
    """

    sentence: str
    option: str = ""
    of_array: bool = False
    at: tuple[float, float | None] | None = None
    factor: str = ""


def weighted_as(problem: Problem, option: str, told: str) -> Recognition:
    """Recognise weights by the option that checks them, `--weights name=value,...`, where the problem takes such ones."""
    family = WEIGHTED.get(problem.base)
    names = [part.partition("=")[0] for part in option.removeprefix("--weights ").split(",")]
    if family is None or not set(names) <= set(family.takes):
        return Recognition(f"{told}; {LEFT_OUT}")
    return Recognition(f"{told}; check it with {option}", option)
