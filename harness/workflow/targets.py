"""Targets: those that every table has, and texts read as numbers of a format."""

from __future__ import annotations

import math

import numpy as np

from harness import UsageError
from harness.numbers.formats import Format

# Targets that depend on the format are written as these words.
NEAREST = {"next_up_0": lambda fmt: fmt.next_up(0.0), "next_down_1": lambda fmt: fmt.next_down(1.0)}
STANDARD_TARGETS: tuple[str, ...] = ("0", "1", "0.05", "0.1", "0.5", "0.9", "0.95", *NEAREST)


def targets_in(
    fmt: Format, targets: list[str] | tuple[str, ...], domain: tuple[float, float] = (0.0, 1.0)
) -> np.ndarray:
    """Return targets as numbers of the format, in the order given, each rounded once.

    `all` stands for every number of the format in the domain.  Raises UsageError for a target that is
    not a finite number in it.
    """
    lo, hi = domain
    if list(targets) == ["all"]:
        return fmt.from_ordinal(np.arange(*fmt.finite_ordinals(lo, hi)))
    values = []
    for text in targets:
        value = NEAREST[text](fmt) if text in NEAREST else float(fmt.parse(text))
        if not (math.isfinite(value) and lo <= value <= hi):
            raise UsageError(f"target {text!r} is not a number in [{lo:g}, {hi:g}]")
        values.append(value)
    return np.array(values).astype(fmt.dtype)
