"""Find the first number of a format, going away from a start, at which something holds.

What holds from some logit on in exact arithmetic comes and goes in a format: 1 − p is a whole number of ulps, so
that its error swings with p, and a loss is more than 5 % off, then right again, then off for good.  No halving finds
the first such number.  Formats of up to 32 bits are therefore walked number by number.  float64 is searched: probes
are spread over the whole way, evenly over its numbers and evenly over their values, and then, ever closer, over what
lies before the first one at which it holds; where that moves the first one, the search begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.numbers.formats import Format
from harness.tables.basis import EVERY_INPUT, SEARCH

Property = Callable[[np.ndarray], np.ndarray]  # of numbers of the format, in order along the way; shape (n,)

BLOCK = 1 << 14  # small enough for the cache, and for a monotone value to change little over it
PROBES = 1 << 16


@dataclass(frozen=True)
class First:
    """Hold the first number at which something holds, None where it nowhere does, and how that is known.

    `basis` is `every_input` where every number before it (all numbers, if it is None) was tried, `search` where
    numbers were probed: then an earlier one may have been missed.
    """

    value: float | None
    basis: str


def first(fmt: Format, start: float, stop: float, holds: Property, walked: bool = True) -> First:
    """Return the first number from `start` to `stop`, both included, in either direction, at which a property holds.

    Every number is tried in formats of up to 32 bits; float64, and any format with `walked` false, is searched.
    """
    if fmt.bits > 32 or not walked:
        return First(_search(fmt, start, stop, holds), SEARCH)
    return First(_walk(fmt, start, stop, holds), EVERY_INPUT)


def _walk(fmt: Format, start: float, stop: float, holds: Property) -> float | None:
    """Try every number on the way."""
    low, high = _ordinals(fmt, start, stop)
    step = 1 if high >= low else -1
    for begin in range(low, high + step, step * BLOCK):
        numbers = fmt.from_ordinal(np.arange(begin, begin + step * min(BLOCK, abs(high - begin) + 1), step))
        found = holds(numbers)
        if found.any():
            return float(numbers[np.argmax(found)])
    return None


def _search(fmt: Format, start: float, stop: float, holds: Property) -> float | None:
    """Try probes until none before the first one found has the property."""
    low, high = _ordinals(fmt, start, stop)
    found = None
    while True:
        # The last probe is the one already found, if there is one, and comes out again where none is nearer.
        nearer = next(
            (n for p in _probes(fmt, low, high) if (n := _first_of(fmt, p, holds)) not in (None, found)), None
        )
        if nearer is None:
            return None if found is None else _number(fmt, found)
        found = high = nearer


def _first_of(fmt: Format, ordinals: np.ndarray, holds: Property) -> int | None:
    found = holds(fmt.from_ordinal(ordinals))
    return int(ordinals[np.argmax(found)]) if found.any() else None


def _probes(fmt: Format, low: int, high: int) -> Iterator[np.ndarray]:
    """Yield sets of ordinals from one to another: over all numbers, over their values, and ever closer to the end."""
    yield _spread(low, high)
    begin, end = _number(fmt, low), _number(fmt, high)
    yield fmt.ordinal((begin + (end - begin) * np.linspace(0, 1, PROBES)).astype(fmt.dtype))
    width = abs(high - low) // 4
    while width >= PROBES // 4:
        yield _spread(high - width if high > low else high + width, high)
        width //= 4


def _spread(low: int, high: int) -> np.ndarray:
    """Return ordinals spread evenly from one to another, each once, in order: all of them if there are few."""
    size = abs(high - low)
    count = min(size + 1, PROBES)
    # In whole numbers: ordinals of float64 have more digits than a float64 holds.
    steps = np.arange(count, dtype=np.int64)
    quotient, rest = divmod(size, max(count - 1, 1))
    away = steps * quotient + steps * rest // max(count - 1, 1)
    return low + away if high >= low else low - away


def _ordinals(fmt: Format, *values: float) -> list[int]:
    return [int(o) for o in fmt.ordinal(np.array(values).astype(fmt.dtype))]


def _number(fmt: Format, ordinal: int) -> float:
    return float(fmt.from_ordinal(np.array([ordinal]))[0])
