"""How explanations write operations: as people do, with the computed numbers in them, 1 / (1 + exp(-16.635532)).

Six digits are enough for most.  Where the operation gives 0, 1, infinity or NaN, its numbers have as many as its format
reads them back from: exp(88.72284) overflows in float32, exp(88.7228) does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np

from harness.explain.shadow import Shadow, taken
from harness.numbers.formats import Format
from harness.truth.certified import significant

Write = Callable[[float, np.dtype | None], str]
COMPARISONS = {
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
}  # fmt: skip
OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", **COMPARISONS}
SHORT = {"absolute": "abs", "maximum": "max", "minimum": "min"}
TRANSPARENT = ("where", "astype", "positive")
READABLE = 40  # characters of an operation in a sentence
SAYS_NOTHING, LONGER = ("1 / 1", "log(1)", "sqrt(1)"), 80  # what reads as exact is written out
DIGITS = 6
TELLING = (0.0, 1.0, -1.0)  # an operation that gives one of these, infinity or NaN may have crossed a threshold
ROUND = 3  # a number written with so many digits less than it may have looks as if it were exact


def expression(node: Shadow) -> str:
    """Write an operation, its operands as formulas if they are short and as numbers if not."""
    write = number if math.isfinite(node.number) and node.number not in TELLING else read_back
    shortest = _parts(node, 1, write, top=True)[0]
    deepest, longest = (9, LONGER) if shortest in SAYS_NOTHING else (6, READABLE)
    written = (_parts(node, depth, write, top=True)[0] for depth in range(deepest, 1, -1))
    return next((text for text in written if len(text) <= longest), shortest)


def _parts(node: Shadow, depth: int, write: Write, top: bool = False) -> tuple[str, int]:
    """Return the text and how tightly it binds: a comparison 0, a sum 1, a product 2, the rest 3."""
    while node.name in TRANSPARENT:
        node = taken(node)
    if node.height == 0 or (node.height > depth and not top):
        text = write(node.number, node.dtype)
        return text, 1 if text.startswith("-") else 3
    operands = node.operands[:1] if node.name == "nan_to_num" else node.operands  # without what replaces an infinity
    parts = [_parts(o, depth - 1, write) for o in operands]
    if node.name == "negative":
        return "-" + _within(parts[0], 2), 1
    if node.name not in OPERATORS:
        return f"{SHORT.get(node.name, node.name)}({', '.join(text for text, _ in parts)})", 3
    binds = {"multiply": 2, "divide": 2}.get(node.name, 0 if node.name in COMPARISONS else 1)
    left, right = _within(parts[0], binds), _within(parts[1], binds + 1)
    if left == right and node.name in COMPARISONS:
        left, right = (repr(o.number) for o in node.operands)
    return f"{left} {OPERATORS[node.name]} {right}", binds


def _within(part: tuple[str, int], least: int) -> str:
    text, binds = part
    return text if binds >= least else f"({text})"


def number(v: float, dtype: np.dtype | None = None) -> str:
    """Write a number with 6 digits, or with as many as tell it from the round number that they make of it.

    0.49999999999999994 is not 0.5; but float32's nearest number to 0.1 is 0.1, when `dtype` says that it is of
    float32 (it is of float64 unless it says so), and 16.635532 is 16.6355.
    """
    for digits in (DIGITS, 9, 12, 15):
        text = f"{v:.{digits}g}"
        if _same(text, v, dtype) or not (abs(float(text)) in (0.0, 1.0) or _looks_exact(text, digits)):
            return text
    return repr(v)


def read_back(v: float, dtype: np.dtype | None = None) -> str:
    """Write a number with 6 digits, or with as many as its format reads it back from."""
    texts = (f"{v:.{digits}g}" for digits in range(DIGITS, 17))
    return next((text for text in texts if _same(text, v, dtype)), repr(v))


def _same(text: str, v: float, dtype: np.dtype | None) -> bool:
    """Tell whether a decimal is the number as its format would read it."""
    return float(text) == v or (dtype is not None and float(np.array(float(text)).astype(dtype)) == v) or v != v


def _looks_exact(text: str, digits: int) -> bool:
    """Tell whether a decimal of at most `digits` digits has so few that a reader takes it for the whole number."""
    return len(text.lower().partition("e")[0].strip("-").replace(".", "").strip("0")) <= digits - ROUND


def magnitude(v: mpmath.mpf, fmt: Format, digits: int = DIGITS) -> str:
    """Write an exact value with a number of digits; where no number of the format is near it, on which side it lies.

    Below half the least positive number or beyond the largest, what is told is that number, and not a power of
    ten that no one can meet.
    """
    if mpmath.isfinite(v) and abs(v) > fmt.max:
        return f"< -{_plain(fmt.max)}" if v < 0 else f"> {_plain(fmt.max)}"
    if v and abs(v) < mpmath.mpf(fmt.smallest_subnormal) / 2:
        return f"> -{_plain(fmt.smallest_subnormal)}" if v < 0 else f"< {_plain(fmt.smallest_subnormal)}"
    return significant(v, digits) or "nan"


def _plain(v: float) -> str:
    return significant(v, 3)


def decimal_magnitude(text: str, fmt: Format, digits: int = 9) -> str:
    """Write an exact value that a table gives as a decimal, see `magnitude`; nothing for nothing."""
    return magnitude(mpmath.mpf(text), fmt, digits) if text else ""
