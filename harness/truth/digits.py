"""The digits of an exact value at rational inputs: what `harness reference` prints.

An input such as 0.1 is no binary number, and 1 + 1e-3000 has more bits than most questions need.  At a
working precision of P bits each input is therefore held between two neighbouring numbers of P bits (one
number, where it has no more bits), and the value between bounds that hold wherever in that box the inputs
lie.  P doubles until both bounds print alike: Ziv's loop, with the inputs in it.  Nothing is taken for
granted of how many bits an input has, and a value that the loop leaves open is refused.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import mpmath
from mpmath import mp

from harness.problems import Problem
from harness.truth.certified import START_BITS, Undecided, decimal, enclose

# A step of the loop costs up to this many times the one before, with twice the bits.
GROWTH = 4

Ends = tuple[mpmath.mpf, mpmath.mpf]


def certified(problem: Problem, point: Sequence[Fraction], digits: int, seconds: float = 10.0) -> str:
    """Return the exact value correctly rounded to `digits` significant decimal digits, ties to even.

    A rational value is rounded as it is.  Any other lies between two bounds that must print alike, so a digit
    that could be wrong is never shown.  Raises Undecided where the next step of Ziv's loop would end after `seconds`.
    """
    if problem.at is not None:
        problem, point = problem.at(point[1]), point[:1]
    known = problem.rational(*point)
    if known is not None:
        return decimal(known, digits)
    bits, start = max(START_BITS, 4 * digits + 32), time.monotonic()
    began = start
    while True:
        ends = bounds(problem, point, bits)
        if ends is not None and (text := _printed(ends, bits, digits)):
            return text
        now = time.monotonic()
        if now - start + GROWTH * (now - began) > seconds:
            raise Undecided(
                f"{problem.name} to {digits} digits at this input is still open with {bits} bits, and more take too long"
            )
        bits, began = 2 * bits, now


def _printed(ends: Ends, bits: int, digits: int) -> str:
    """Write both bounds, moved out by what writing itself may err; return the text if it is one, else nothing."""
    with mp.workprec(bits + 8):
        lower, upper = ends
        if mpmath.isinf(lower) and lower == upper:
            return decimal(lower, digits)
        if not (mpmath.isfinite(lower) and mpmath.isfinite(upper)) or lower * upper <= 0:
            return decimal(lower, digits) if lower == upper == 0 else ""
        room = mp.ldexp(max(abs(lower), abs(upper)), -bits)
        if upper - lower > abs(upper) * mp.mpf(10) ** (1 - digits):
            return ""
        text = decimal(lower - room, digits)
        return text if text == decimal(upper + room, digits) else ""


def bounds(problem: Problem, point: Sequence[Fraction], bits: int) -> Ends | None:
    """Return numbers not above and not below the exact value at rational inputs; None where P bits give none.

    A problem that is monotone in each input has its extremes over a box at the corners.  Of any other its
    `log_slope` says by how much one corner's value differs from all others in the box.
    """
    if problem.ends is not None:
        return problem.ends(point, bits)
    box = [held(v, bits) for v in point]
    corners = list(product(*(dict.fromkeys(ends) for ends in box)))
    if problem.log_slope is not None and len(corners) > 1:
        return _widened(problem, box, bits)
    if len(corners) > 1 and not problem.monotone:
        if len(box) == 1:
            raise Undecided(f"{problem.name} is not monotone: give its input as a binary number, such as 0x1.8p+0")
        if box[0][0] <= box[1][1] and box[1][0] <= box[0][1]:
            return None  # p may be y, where the problem turns
    with mp.workprec(bits + 8):
        found = [enclose(problem, corner, bits) for corner in corners]
        return min(e.lower for e in found), max(e.upper for e in found)


def held(value: Fraction, bits: int) -> Ends:
    """Return the largest number of P bits that is not above a rational, and the least that is not below it."""
    low, high = (
        mpmath.libmp.from_rational(value.numerator, value.denominator, bits, direction) for direction in ("f", "c")
    )
    return mp.make_mpf(low), mp.make_mpf(high)


def _widened(problem: Problem, box: list[Ends], bits: int) -> Ends | None:
    """Return one corner's bounds, moved out by what `log_slope` allows within the box; None where that is too much."""
    assert problem.log_slope is not None
    with mp.workprec(bits + 8):
        one = enclose(problem, tuple(low for low, _ in box), bits)
        if not mpmath.isfinite(one.value):
            return one.value, one.value
        change = mp.mpf(0)
        for i, (low, high) in enumerate(box):
            unit = problem.input == "probability" or i == 1
            room = min(low, 1 - high) if unit else mp.mpf(1)
            if high != low:
                if room <= 0:
                    return None
                # |d logit p| <= |dp| / (p (1-p)) <= 2 |dp| / min(p, 1-p)
                change += (problem.log_slope if i == 0 else 1) * 2 * (high - low) / room
        if change > 0.25:
            return None
        most = 2 * change * max(abs(one.lower), abs(one.upper))  # e^c - 1 <= 2 c for c <= 1
        return one.lower - most, one.upper + most
