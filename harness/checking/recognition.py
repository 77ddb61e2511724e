"""What a function turned out to be that is not the problem, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recognition:
    """Say which other function a function is: in a sentence, and with the option under which it is checked, if any.

    `of_array` tells that it is no function of one input at all, but of the array: a mean, or divided by the size.  `at` is
    where one that has no name differs most: an input, and its target.
    """

    sentence: str
    option: str = ""
    of_array: bool = False
    at: tuple[float, float | None] | None = None
