"""When a running sum ceases to grow: predicted for equal losses, and measured.

A sum s stagnates once a loss is at most half an ulp of s: for equal losses c at the first power of
two S = 2^k with c <= 2^(k-p), unless that is beyond the largest number, and the sum overflows.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from harness.numbers.formats import Format, floor_log2

Array = np.ndarray

BLOCK = 1 << 20
SHORTFALLS = (0.01, 0.1, 0.5)


def _step(fmt: Format, s: Fraction, c: Fraction) -> Fraction | None:
    """Return s + c rounded into the format; None where it overflows."""
    rounded = float(fmt.round(s + c))
    return Fraction(rounded) if abs(rounded) <= fmt.max else None


def predicted(fmt: Format, loss: float) -> tuple[float, int]:
    """Return the last sum of equal losses and the n that reaches it first; infinite where it overflows.

    Within a binade every step grows the sum by the same number, from the second step on (a tie goes
    to an even sum, and stays even), so that the steps up to the next power of two are counted at once.
    """
    c = Fraction(loss)
    s, n = c, 1
    while True:
        top = Fraction(2) ** (floor_log2(s) + 1)
        for _ in range(2):
            after = _step(fmt, s, c)
            if after is None:
                return float("inf"), n + 1
            if after == s:
                return float(s), n
            growth, s, n = after - s, after, n + 1
        if s < top:
            steps = max(0, -(-(top - max(c, growth) - s) // growth))  # up to the last step that stays below `top`
            s, n = s + steps * growth, n + steps


def measured(fmt: Format, loss: float, most: int) -> tuple[float, int] | None:
    """Return the same by adding up to `most` losses; None where the sum still grows then."""
    block = np.full(BLOCK, loss).astype(fmt.dtype)
    total, n = block[:1], 1
    while n < most:
        with np.errstate(over="ignore"):
            sums = np.add.accumulate(np.concatenate([total, block]))
        still = np.nonzero(sums[1:] == sums[:-1])[0]
        if still.size:
            return float(sums[still[0]]), n + int(still[0])
        total, n = sums[-1:], n + BLOCK
    return None


def shortfall(losses: Array, accumulator: Format, fmt: Format) -> dict[str, object]:
    """Follow a running sum in one format beside float64: from which n it falls short, and where it last grew.

    `overflow_n` is the first n whose exact sum is beyond the largest number of `fmt`.  Empty where
    something does not happen within the losses.
    """
    sums, exact = np.zeros(1, accumulator.dtype), np.zeros(1)
    found: dict[str, object] = {f"short_{share:g}_n": "" for share in SHORTFALLS}
    found |= {"overflow_n": "", "last_growth_n": 0}
    for start in range(0, len(losses), BLOCK):
        block = losses[start : start + BLOCK]
        with np.errstate(over="ignore"):
            sums = np.add.accumulate(np.concatenate([sums[-1:], block.astype(accumulator.dtype)]))
        exact = np.cumsum(np.concatenate([exact[-1:], block.astype(np.float64)]))
        short = 1 - sums[1:].astype(np.float64) / exact[1:]
        for share in SHORTFALLS:
            _first(found, f"short_{share:g}_n", short >= share, start)
        _first(found, "overflow_n", exact[1:] >= fmt.max + fmt.ulp(fmt.max) / 2, start)
        grew = np.nonzero(sums[1:] != sums[:-1])[0]
        if grew.size:
            found["last_growth_n"] = start + 1 + int(grew[-1])
    return {**found, "n": len(losses), "sum": float(sums[-1]), "exact": float(exact[-1])}


def _first(found: dict[str, object], name: str, happens: Array, start: int) -> None:
    if found[name] == "" and happens.any():
        found[name] = start + 1 + int(np.argmax(happens))
