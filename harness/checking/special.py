"""What a function makes of infinities, NaN and an empty batch, which a sweep's maxima say nothing about.

They are reported beside the verdict and are no part of it: what a loss should do with a NaN is for its author to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness import UsageError
from harness.checking.parts import CalledPart
from harness.tables.special_points import SpecialPoint, outcome, points_of

NAMES = ("-inf", "+inf", "NaN")
SAID = {
    "inexact": "off", "nan": "NaN for a number", "inf": "infinite for a number", "zero": "0 for another number",
    "sign": "of the wrong sign", "finite": "finite for infinity", "number": "a number for NaN",
    "raises": "raises", "shape": "of another shape",
}  # fmt: skip


@dataclass(frozen=True)
class SpecialResult:
    """Hold what came of one special input and target: the computed and the expected value, and the outcome in a word."""

    input: str
    target: str
    computed: str
    expected: str
    outcome: str


def special_results(called: CalledPart) -> list[SpecialResult]:
    """Call a part on each special input by itself, with each of a few targets, and on an empty batch."""
    points = [p for p in points_of(called.problem, called.fmt) if p.name in NAMES]
    return [_at(called, p) for p in points if p.expected is not None] + [_empty(called)]


def _at(called: CalledPart, point: SpecialPoint) -> SpecialResult:
    fmt = called.fmt
    inputs = [np.array([v]).astype(fmt.dtype) for v in (point.value, point.target) if v is not None]
    target = "" if point.target is None else f"{float(point.target):g}"
    try:
        computed = called.on(inputs[0], inputs[1] if len(inputs) > 1 else None)[0]
    except UsageError as e:
        return SpecialResult(point.name, target, str(e), fmt.hex(point.expected), "raises")
    found = outcome(called.problem, fmt, point, float(computed))
    return SpecialResult(point.name, target, fmt.hex(computed), fmt.hex(point.expected), found)


def _empty(called: CalledPart) -> SpecialResult:
    nothing = np.empty(0, called.fmt.dtype)
    try:
        called.on(nothing, nothing if called.problem.has_target else None)
    except UsageError as e:
        return SpecialResult("an empty batch", "", str(e), "an empty array", "raises")
    return SpecialResult("an empty batch", "", "an empty array", "an empty array", "ok")


def sentence(found: Sequence[SpecialResult]) -> str:
    """Write what is not as expected, in one line; that all is, where it is."""
    wrong: dict[tuple[str, str], list[str]] = {}
    for r in found:
        if r.outcome not in ("ok", "outside"):
            wrong.setdefault((r.input, SAID[r.outcome]), []).append(r.target)
    names = list(dict.fromkeys(r.input for r in found))
    if not wrong:
        return f"At {', '.join(names)}: as expected."
    told = [f"{what} at {name}{_targets(targets)}" for (name, what), targets in wrong.items()]
    return f"Beside: {'; '.join(told)}; otherwise as expected at {', '.join(names)}."


def _targets(targets: Sequence[str]) -> str:
    return f" (y = {', '.join(targets)})" if any(targets) else ""
