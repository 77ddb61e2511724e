"""Guesses at a function that takes other targets than it is given: smoothed or exchanged ones, or the labels -1 and 1.

Each returns a Recognition where the values at moderate inputs are what it guesses, to within a tolerance, and None else.
"""

from __future__ import annotations

import math

import numpy as np

from harness.checking.moderate import (
    APART,
    COARSEST,
    LEAST,
    SOFT,
    Call,
    ModerateValues,
    exactly,
    median,
    moderate_inputs,
    moderate_values,
    rounded,
    same,
    whole_or_rounded,
    written,
)
from harness.checking.recognition import Recognition, weighted_as
from harness.numbers.formats import Format
from harness.problems import PROBLEMS, Problem

TARGET = 2.0**-4  # to this, guesses at targets agree with each other, whatever the format


def other_targets(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise other targets: inverted, smoothed, or −1 and 1; where the problem is linear in its target."""
    if len(hard) != 2 or not _linear(problem) or len(hard[0].x) != len(hard[1].x):
        return None
    zero, one = hard
    slope, near = one.exact - zero.exact, min(4 * tolerance, TARGET)
    kept = np.abs(slope) > median(np.abs(slope)) / 4
    effective = []
    for p in hard:
        # What the values leave open of a target is absolute, not relative.
        t = ((p.given - zero.exact)[kept]) / slope[kept]
        if len(t) < LEAST or np.ptp(t) > near:
            return None
        effective.append(whole_or_rounded(median(t), near))
    low, high = effective
    if (low, high) == (0.0, 1.0):
        return None
    if (low, high) == (1.0, 0.0):
        return Recognition(
            "the problem with 0 and 1 exchanged in the targets: this looks like 1 - y for y, or -x for x"
        )
    told = f"the targets 0 and 1 taken as {written(low)} and {written(high)}"
    if low == high:
        return Recognition(f"{told}: the target is not used")
    if (low, high) == (-1.0, 1.0):
        return Recognition(f"{told}: this looks like 2y - 1 in the place of y")
    if abs(low + high - 1) <= 2 * near and 0 < low < 0.5:
        smoothing = written(rounded(2 * low, near))
        return weighted_as(
            problem, f"--weights smoothing={smoothing}", f"{told}: this looks like label smoothing {smoothing}"
        )
    return Recognition(f"{told}: this looks like smoothed targets; smooth them before the loss")


def smoothed_and_weighted(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise smoothed targets together with a weight, of class 1 or of all: a f(x, 0) + b f(x, 1) at either target."""
    if len(hard) != 2 or not _linear(problem) or len(hard[0].x) != len(hard[1].x):
        return None
    both = np.stack([p.exact for p in hard], axis=1)
    parts = []
    for p in hard:
        part = np.linalg.lstsq(both, p.given, rcond=None)[0]
        if not same(p.given, both @ part, tolerance) or not (part > 0).all():
            return None
        parts.append(part)
    (zero_of_zero, one_of_zero), (zero_of_one, one_of_one) = parts
    weight, positive = zero_of_zero + zero_of_one, one_of_zero + one_of_one
    moved, near = zero_of_one / weight, min(8 * tolerance, TARGET)
    if not 2 * near < moved < 0.5 or abs(one_of_zero / positive - moved) > near:
        return None  # what an eps within the log moves is less
    found = {"smoothing": 2 * moved, "pos": positive / weight, "weight": weight}
    written_out = {name: written(rounded(float(value), near)) for name, value in found.items()}
    told = ",".join(f"{name}={value}" for name, value in written_out.items() if value != "1")
    return weighted_as(
        problem, f"--weights {told}", f"smoothed targets and a weight: this looks like {told.replace(',', ', ')}"
    )


def signed_labels(problem: Problem, hard: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a loss for the labels -1 and 1: log(1 + e^(-y x)) is log 2 for the label 0."""
    if problem.input != "logit" or len(hard) != 2 or not same(hard[1].given, hard[1].exact, tolerance):
        return None
    if not same(hard[0].given, np.full_like(hard[0].given, math.log(2)), tolerance):
        return None
    return Recognition("log 2 for every input at y = 0: this looks like a loss for targets -1 and 1; give it 2y - 1")


def between_targets(problem: Problem, fmt: Format, call: Call, tolerance: float) -> Recognition | None:
    """Recognise another problem that differs from this one at soft targets alone, as a divergence does."""
    if tolerance >= COARSEST:
        return None
    soft = [moderate_values(problem, fmt, call, t) for t in SOFT]
    if all(same(p.given, p.exact, APART * tolerance) for p in soft):
        return None
    for other in PROBLEMS.values():
        if other.name == problem.name or not other.has_target or other.input != problem.input:
            continue
        if all(same(p.given, exactly(other, p.x, p.target), tolerance) for p in soft):
            told = f"equal at y = 0 and y = 1, but at soft targets the values of {other.name}"
            return Recognition(f"{told}; check it with --problem {other.name}", f"--problem {other.name}")
    return _of_hard_targets(soft, tolerance)


def _of_hard_targets(soft: list[ModerateValues], tolerance: float) -> Recognition | None:
    """Recognise a loss for hard targets alone: the problem at 0 and 1, and far from it between them."""
    from harness.checking.unnamed import far_apart, farthest

    far = next((p for p in soft if far_apart(p.given, p.exact, tolerance)), None)
    if far is None:
        return None
    i = farthest(far.given, far.exact)
    told = (
        f"equal at y = 0 and y = 1, but at y = {far.target:g} {far.given[i]:.4g} for {far.exact[i]:.4g} at {far.x[i]:g}"
    )
    return Recognition(f"{told}: this looks like a loss for hard targets; check it with --target 0 --target 1",
                       "--target 0 --target 1")  # fmt: skip


def _linear(problem: Problem) -> bool:
    x = moderate_inputs(problem)
    low, high, half = (exactly(problem, x, t) for t in (0.0, 1.0, 0.5))
    return bool(np.allclose((low + high) / 2, half, rtol=1e-9, atol=1e-12))
