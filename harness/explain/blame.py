"""Find the operation that a rounding error comes from.

From the result back to the inputs, each step asks which part of a value's error was
made by its own operation, applied to the computed operands, and which came with each operand,
the others being exact; it follows the largest.  The end is the root.  On the way, the amplifier
is the operation that multiplied the relative error most: a subtraction that cancels, or log near 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import pairwise

from mpmath import libmp
from mpmath.libmp import fone, fzero

from harness.explain import expansions
from harness.explain.expansions import Raw
from harness.explain.shadow import Shadow
from harness.numbers.formats import Format, format_of

ROUNDING_CAUSES = {
    "absorption": "a small term is lost in a sum",
    "cancellation": "a subtraction of nearly equal rounded numbers",
    "saturation": "a function that approaches 1 is rounded, to 1 or beside it",
    "overflow": "beyond the largest finite number",
    "underflow": "below the smallest normal number",
    "rounding": "nothing but accumulated roundings",
}
EVENTS = {
    "log of zero": "log(0) = -inf",
    "0 * inf": "NaN",
    "0 / 0": "NaN",
    "inf / inf": "NaN",
    "inf - inf": "NaN",
    "division by zero": "infinite",
}
NEAR_ONE = 2.0**-4  # of its argument there, log multiplies the relative error by 2^4 or more
AMPLIFIED_BITS = 3  # a relative error that grows less than eightfold in one operation is not singled out
PASSING = ("where", "maximum", "minimum", "negative", "absolute", "positive", "nan_to_num")  # round nothing
LOGARITHMS = ("log", "log1p", "logit", "xlogy", "xlog1py")
SATURATING = ("divide", "tanh", "expit", "reciprocal")


@dataclass(frozen=True)
class Diagnosis:
    """Hold a cause, the value whose operation it is, and what followed from it on the way to the result."""

    cause: str
    node: Shadow
    effects: tuple[str, ...] = ()


def exponent(a: Raw) -> float:
    """Return the binary exponent of a number: -inf of 0, inf of infinity and NaN."""
    return a[2] + a[3] if a[1] else -math.inf if a == fzero else math.inf


def blame(result: Shadow, fmt: Format) -> Diagnosis:
    """Explain why a result is not the exact value of its own formula."""
    path = _blame(result)
    amplifier, gain = _amplifier(path)
    cause, node = _cause(path, amplifier, gain, fmt)
    effects = [e for e in (event(n) for n in reversed(path[:-1])) if e and e != cause]
    return Diagnosis(cause, node, tuple(dict.fromkeys(effects)))


def _blame(result: Shadow) -> list[Shadow]:
    """Return the values from the result to the root of its error."""
    path, node = [result], result
    while node.operands:
        # In log(sqrt(1 + a)) the root of a sum that was rounded to 1 is correct, and not to blame.
        deeper = _near_one(node) and node.name not in ("add", "subtract", *SATURATING)
        argument = deeper and any(n.name in LOGARITHMS for n in path[:-1])
        if not (_passes(node) or _carries_one(node)) and not argument and as_good_as_rounded(node):
            break
        local = _local(node)
        if libmp.mpf_ge(libmp.mpf_shift(local, 1), node.error):
            break
        nxt = _largest_part(node)
        if nxt is None:
            break
        path.append(nxt)
        node = nxt
    return path


def _local(node: Shadow) -> Raw:
    """Return the error that an operation makes of the operands that were computed."""
    return expansions.gap(node.machine, node.exactly([o.machine for o in node.operands]))


def _carries_one(node: Shadow) -> bool:
    """Tell whether a value is 1 as a saturating function is, with nothing rounded since: 1 * expit(17) + 0."""
    while node.name not in SATURATING and abs(node.number) == 1 and node.operands and _local(node) == fzero:
        nxt = _largest_part(node)
        if nxt is None:
            return False
        node = nxt
    return node.name in SATURATING and abs(node.number) == 1


def _near_one(node: Shadow) -> bool:
    return abs(abs(node.number) - 1) < NEAR_ONE


def _passes(node: Shadow) -> bool:
    """Tell whether an operation rounds nothing; a change of format does not where the wider one is the new one."""
    return node.name in PASSING or (node.name == "astype" and node.number == node.operands[0].number)


def as_good_as_rounded(node: Shadow) -> bool:
    """Tell whether a value is the exact one rounded, which exact operands would not have bettered."""
    size = node.machine[0]
    if not size[1]:
        return False
    half_ulp = libmp.mpf_shift(fone, size[2] + size[3] - format_of(node.dtype).precision - 1)
    return libmp.mpf_le(node.error, half_ulp)


def _largest_part(node: Shadow) -> Shadow | None:
    """Return the operand whose error, alone, changes the value most."""
    wrong = [i for i, o in enumerate(node.operands) if o.error != fzero]
    if len(wrong) < 2:
        return node.operands[wrong[0]] if wrong else None

    def effect(i: int) -> Raw:
        mixed = [o.machine if i == j else o.exact for j, o in enumerate(node.operands)]
        return expansions.gap(node.exactly(mixed), node.exact)

    ordered = cmp_to_key(libmp.mpf_cmp)
    return node.operands[max(wrong, key=lambda i: ordered(effect(i)))]


def _lost(node: Shadow) -> float:
    """Return log2 of the relative error, at most 0: beyond that no digit is left to lose."""
    # Exponents may be integers beyond the range of floats: they meet infinities in comparisons alone.
    size, error = exponent(node.exact[0]), exponent(node.error)
    if abs(size) == math.inf:
        return 0.0
    return min(0.0, error if abs(error) == math.inf else error - size)


def _amplifier(path: list[Shadow]) -> tuple[int, float]:
    """Return the place of the operation that multiplied the relative error most, and the bits it added."""
    gains = [(_lost(a) - _lost(b), i) for i, (a, b) in enumerate(pairwise(path))]
    gain, place = max(gains, default=(0.0, 0))
    return place, gain


def _cause(path: list[Shadow], amplifier: int, gain: float, fmt: Format) -> tuple[str, Shadow]:
    root = path[-1]
    size = exponent(root.exact[0])
    happened = event(root)
    if happened:
        return happened, root
    if not math.isfinite(root.number) and abs(size) != math.inf:
        return "overflow", root
    if _lost(root) > 3 - fmt.precision and size <= fmt.emin:
        return "underflow", root
    if gain < AMPLIFIED_BITS:
        return "rounding", root
    if root.constant_value and root.name in ("add", "subtract"):
        return "absorption", root
    node, between = path[amplifier], path[amplifier + 1 :]
    saturated = [n for n in reversed(between) if n.name in SATURATING and abs(n.number) == 1]
    if saturated:
        return "saturation", saturated[0]
    if node.name in ("add", "subtract") and not (_made_one(between, root) and not node.number):
        return "cancellation", node
    if root.name in ("add", "subtract"):
        return "absorption", root
    if node.name in LOGARITHMS and (root.name in SATURATING or _near_one(root)):
        return "saturation", root
    return "rounding", node


def _made_one(between: list[Shadow], root: Shadow) -> bool:
    """Tell whether a sum with a saturating function made a value 1, as (1 + tanh(9)) / 2: then 1 - 1 is exact."""
    saturating = any(o.name in SATURATING and _near_one(o) for o in root.operands)
    return bool(between) and abs(between[0].number) == 1 and root.name in ("add", "subtract") and saturating


def event(node: Shadow) -> str | None:
    """Name what an operation did when its computed operands made it infinite or NaN."""
    values = [abs(o.number) for o in node.operands]
    if math.isfinite(node.number) or not values:
        return None
    if node.name in LOGARITHMS and values[-1] in (0.0, 1.0):
        return "log of zero"
    if node.name == "multiply" and 0.0 in values and math.inf in values:
        return "0 * inf"
    if node.name == "divide" and values[1] == 0:
        return "0 / 0" if values[0] == 0 else "division by zero"
    if node.name in ("divide", "add", "subtract") and values == [math.inf] * 2 and math.isnan(node.number):
        return "inf / inf" if node.name == "divide" else "inf - inf"
    return None
