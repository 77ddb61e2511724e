"""What is changed of a function before its formula is rewritten: guards taken off, targets taken as 0 or 1.

A clip, an eps, a threshold is no part of the exact function; it was put there so that the formula does not fail, and it
is itself an error.  A rewritten formula does not fail and needs none.  So the formula without them is rewritten as well
as the formula as it stands.  These are changes of the function, not identities: each is said, and it is valid because
what results is measured against the exact function.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from harness.checking.rewriting.code import constant
from harness.checking.rewriting.expression import CONDITIONS, Expression, X, Y, every, is_number, number, parts, rebuilt

SMALL = Fraction(1, 1000)  # what an eps is at most
LARGE = 8  # a clip of a logit, or of a log, is at least so far out


@dataclass(frozen=True)
class Variant:
    """Hold an expression to rewrite and the sentences that say what was changed of the function, if anything."""

    expression: Expression
    changes: tuple[str, ...]


def variants(e: Expression, has_target: bool) -> list[Variant]:
    """Return the expression as it stands, without guards, and for hard targets extended linearly to soft ones."""
    found = [Variant(e, ())]
    bare, removed = without_guards(e)
    if removed:
        found.append(Variant(bare, removed))
    if has_target and Y in every(bare):
        said = (*removed, "taken at the targets 0 and 1 and extended linearly between them")
        found.append(Variant(extended(bare), said))
    return found


def without_guards(e: Expression) -> tuple[Expression, tuple[str, ...]]:
    """Return an expression without clips, eps and thresholds, and a sentence on each that was removed."""
    said: dict[str, None] = {}

    def bare(part: Expression) -> Expression:
        kept, sentence = _bare(part)
        if sentence:
            said[sentence] = None
        return kept

    return rebuilt(e, bare), tuple(said)


def _bare(e: Expression) -> tuple[Expression, str]:
    if e[0] in ("Max", "Min", "Add") and any(map(is_number, parts(e))):
        limit, value = sorted(parts(e), key=lambda part: not is_number(part))
        if is_number(value):
            return e, ""
        if e[0] == "Add":
            return _without_eps(e, limit[1], value)
        if _guards(e[0], limit[1]):
            return value, f"the clip at {constant(limit[1])} is removed"
    if e[0] == "Where" and e[1][0] in CONDITIONS and Y not in every(e[1]):
        return _without_threshold(e)
    return e, ""


def _guards(name: str, limit: Fraction) -> bool:
    """Tell whether max(a, limit), or min, is a guard: next to 0 or 1 from inside, at 1, or far out; max(a, 0) is none."""
    if name == "Max":
        return 0 < limit <= SMALL or limit <= -LARGE
    return 0 <= 1 - limit <= SMALL or limit >= LARGE


def _without_eps(e: Expression, eps: Fraction, value: Expression) -> tuple[Expression, str]:
    if 0 < abs(eps) <= SMALL:
        return value, f"the eps {constant(eps)} is removed"
    if 0 < abs(eps - 1) <= SMALL:
        return ("Add", number(1), value), f"the eps in {constant(eps)} is removed"
    return e, ""


def _without_threshold(e: Expression) -> tuple[Expression, str]:
    """Take the longer of two branches that a condition on the input chooses between: the other replaces it somewhere."""
    longer = max(e[2:], key=lambda part: sum(1 for _ in every(part)))
    if e[2] == e[3] or all(map(is_number, e[2:])) or X not in every(longer):
        return e, ""
    return longer, "one branch is taken for all inputs"


def extended(e: Expression) -> Expression:
    """Return y f(x, 1) + (1 - y) f(x, 0) of an expression f(x, y): what a loss that is linear in its target is."""
    at = [rebuilt(e, lambda part, value=value: _decided(number(value) if part == Y else part)) for value in (1, 0)]  # type: ignore[misc]
    return ("Add", ("Mul", Y, at[0]), ("Mul", ("Add", number(1), ("Neg", Y)), at[1]))


def _decided(e: Expression) -> Expression:
    """Return a branch whose condition compares two constants, and what a 0, or a 1, leaves of a product or a sum.

    0 a is 0 here though a may be infinite: the exact function's limit.
    """
    if e[0] == "Where" and e[1][0] in ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"):
        name, first, second = e[1]
        if is_number(first) and is_number(second):
            a, b = first[1], second[1]
            holds = {"Equal": a == b, "NotEqual": a != b, "Greater": a > b, "GreaterEqual": a >= b, "Less": a < b,
                     "LessEqual": a <= b}[name]  # fmt: skip
            return e[2] if holds else e[3]
    if e[0] == "Neg" and is_number(e[1]):
        return number(-e[1][1])
    if e[0] in ("Mul", "Add") and all(map(is_number, e[1:])):
        return number(e[1][1] * e[2][1] if e[0] == "Mul" else e[1][1] + e[2][1])
    nothing = {"Mul": 1, "Add": 0}.get(e[0])
    if e[0] in ("Mul", "Xlogy", "Xlog1py") and number(0) in e[1:2] + (e[2:3] if e[0] == "Mul" else ()):
        return number(0)
    if nothing is not None and number(nothing) in e[1:]:
        return e[2] if e[1] == number(nothing) else e[1]
    return e
