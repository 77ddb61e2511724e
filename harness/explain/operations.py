"""What each operation of a computation did to its result at one input: the table that `harness explain` prints.

An operation's local error is what it computed, less what it would have given exactly from the operands that it
computed with.  In the order of the computation, exact values give way to computed ones, one operation at a time: what
that changes in the result is the operation's effect.  The effects and the bias of the formula, where it is another than
the problem's, add up to the whole error, computed - truth, of which each has its share; a share is negative where an
operation makes good what others spoil.  Where the error is infinite or NaN, the operation that made it so has it all.
"""

from __future__ import annotations

from dataclasses import dataclass

import mpmath
from mpmath import mp
from tabulate import tabulate

from harness.explain import expansions
from harness.explain.bias import living
from harness.explain.expansions import Expansion, gap, is_finite
from harness.explain.notation import TRANSPARENT, expression, magnitude, number
from harness.explain.shadow import Shadow, nodes
from harness.numbers.formats import Format, format_of
from harness.truth.certified import significant

HIDDEN = (*TRANSPARENT, "negative")  # what rounds nothing has no row, unless it did
HEADINGS = ("operation", "computed", "exact", "local error, ulp", "amplification", "share")
LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class OperationError:
    """Hold one operation's part in the error of a result.

    `local_ulp` is its local error in ulps of what it should have given; `amplification` the relative change of the result
    over the relative local error that causes it, NaN where there is none; `share` its effect over the whole error.
    """

    node: Shadow
    local_ulp: mpmath.mpf
    amplification: mpmath.mpf
    share: mpmath.mpf


def operation_errors(result: Shadow, exact: mpmath.mpf) -> list[OperationError]:
    """Return the errors of all operations that a result was made from, operands first; `exact` is the truth."""
    every, alive, errors = nodes(result), living(result), []
    known: dict[int, Expansion] = {}  # the computed values that have taken the place of exact ones
    with mp.workprec(400):
        total = expansions.subtract(result.machine, _expansion(exact))
        before = result.exact
        for node in every:
            if not node.operands or id(node) not in alive:
                continue
            known[id(node)] = node.machine
            after = _evaluated(every, known)
            if not node.constant_value and node.dtype != bool and _shown(node):
                errors.append(_error(node, before, after, total))
            before = after
    return errors


def _expansion(v: mpmath.mpf) -> Expansion:
    return v._mpf_, expansions.ZERO[0]


def _shown(node: Shadow) -> bool:
    if node.name == "astype":
        return node.number != node.operands[0].number
    return node.name == "where" or (node.name not in HIDDEN and node.height > 0)


def _error(node: Shadow, before: Expansion, after: Expansion, total: Expansion) -> OperationError:
    given = node.exactly([o.machine for o in node.operands])
    size = mp.make_mpf(gap(node.machine, given))
    ulp = format_of(node.dtype).ulp(expansions.value(given) if is_finite(given) else format_of(node.dtype).max)
    effect = mp.make_mpf(gap(after, before))
    result, own = (abs(expansions.value(v)) for v in (before, given))
    if not size:
        amplification = mp.nan
    elif mpmath.isfinite(effect) and mpmath.isfinite(size) and result and own:
        amplification = (effect / result) / (size / own)
    else:
        amplification = mp.inf if effect else mp.mpf(0)
    return OperationError(node, size * ulp.denominator / ulp.numerator, amplification, _share(before, after, total))


def _share(before: Expansion, after: Expansion, total: Expansion) -> mpmath.mpf:
    if not is_finite(total):
        return mp.mpf(is_finite(before) and not is_finite(after))
    if not is_finite(before) or not is_finite(after) or total == expansions.ZERO:
        return mp.mpf(0)
    return expansions.value(expansions.subtract(after, before)) / expansions.value(total)


def _evaluated(every: list[Shadow], known: dict[int, Expansion]) -> Expansion:
    """Evaluate the last value exactly, from values that are given."""
    found = dict(known)
    for node in every:
        if id(node) not in found and any(id(o) in found for o in node.operands):
            found[id(node)] = node.exactly([found.get(id(o), o.exact) for o in node.operands])
    return found.get(id(every[-1]), every[-1].exact)


def table(result: Shadow, fmt: Format, exact: mpmath.mpf) -> str:
    """Write the operations as a table: computed, exact, local error, amplification, share; and the formula's own share."""
    shown = [
        (
            written(e.node),
            number(e.node.number, e.node.dtype),
            magnitude(expansions.value(e.node.exact), format_of(e.node.dtype)),
            _figure(e.local_ulp),
            _figure(e.amplification),
            percent(e.share),
        )
        for e in operation_errors(result, exact)
    ]
    return tabulate([*shown, *_bias(result, fmt, exact)], HEADINGS, disable_numparse=True)


def written(node: Shadow) -> str:
    """Write an operation, a branch with its condition."""
    if node.name != "where":
        return expression(node)
    return f"where({expression(node.operands[0])}): {expression(node)}"


def _bias(result: Shadow, fmt: Format, exact: mpmath.mpf) -> list[tuple[str, ...]]:
    """Return the row of the formula itself, evaluated exactly, where it is another than the problem's."""
    with mp.workprec(400):
        bias, total = (expansions.subtract(v, _expansion(exact)) for v in (result.exact, result.machine))
        ulp = fmt.ulp(exact if mpmath.isfinite(exact) else fmt.max)
        ulps = abs(expansions.value(bias)) * ulp.denominator / ulp.numerator
        if ulps < mp.ldexp(1, -40):
            return []
        share = _share(_expansion(exact), result.exact, total)
    values = magnitude(expansions.value(result.exact), fmt), magnitude(exact, fmt)
    return [("the formula itself (modelling bias)", *values, _figure(ulps), "", percent(share))]


def _figure(v: mpmath.mpf) -> str:
    """Write a figure with three digits; nothing for none."""
    return "" if mpmath.isnan(v) else significant(v, 3)


def percent(share: mpmath.mpf) -> str:
    """Write a share as a whole percentage; below LEAST_SHARE only that it is."""
    if share and abs(share) < LEAST_SHARE:
        return f"{'>' if share < 0 else '<'} {'-' if share < 0 else ''}0.01 %"
    return f"{float(100 * share):.3g} %"
