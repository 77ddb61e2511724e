"""Find the operation that a modelling bias comes from: a clamp, an added eps, a branch.

Each of them is left out in turn, in exact arithmetic; the one without which the formula comes
nearest to the problem is the cause.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from mpmath.libmp import fzero

from harness.explain.blame import Diagnosis, as_good_as_rounded, blame, event, exponent
from harness.explain.expansions import Expansion, compare, gap, is_finite, is_nan
from harness.explain.shadow import Shadow, nodes, taken
from harness.numbers.formats import format_of

Changes = dict[int, Shadow]  # by the id of a value, the value that takes its place

BIAS_CAUSES = {
    "clamp": "a minimum or maximum replaced the value",
    "added eps": "a small constant was added",
    "branch": "a threshold took another formula",
    "formula": "the formula is another than the problem's",
}
COMPARED: dict[str, Callable[[int], bool]] = {
    "less": lambda sign: sign < 0, "less_equal": lambda sign: sign <= 0, "greater": lambda sign: sign > 0,
    "greater_equal": lambda sign: sign >= 0, "equal": lambda sign: sign == 0, "not_equal": lambda sign: sign != 0,
}  # fmt: skip
GUARDS = ("clamp", "added eps")
LEAST_GAIN_BITS = 1  # a bias is explained if it shrinks by half
MOST_ALONE = 32  # guards, branches or events that are looked at one by one: a row of logits may have many alike
EPS_LIMIT = 2.0**-6  # no one adds a larger eps


def bias(result: Shadow, truth: Expansion) -> Diagnosis:
    """Explain why the formula, evaluated exactly, differs from the problem."""
    every, alive = nodes(result), living(result)
    options = _options(every)
    # A clamp and an eps may hide each other, so each pair is tried where no single one explains, then all.  A guard in
    # the branch not taken, as in where(x > 16, x, log1p(exp(min(x, 16)))), is never the cause: the cutoff is.
    pairs = [
        (a if id(a.node) in alive else b, {**with_a, **with_b})
        for (a, with_a), (b, with_b) in combinations(options[:MOST_ALONE], 2)
        if id(a.node) in alive or id(b.node) in alive
    ]
    guards = [(finding, changes) for finding, changes in options if finding.cause in GUARDS]
    together = [(guards[0][0], {k: v for _, changes in guards for k, v in changes.items()})] if guards else []
    for tried in (options[:MOST_ALONE], pairs, together):
        best, least = None, exponent(gap(result.exact, truth)) - LEAST_GAIN_BITS
        for finding, changes in tried:
            left = exponent(gap(_without(every, changes), truth))
            if left < least:
                best, least = (finding, changes), left
        if best:
            return _flipped(best[0].node) or _only_rounded(every, best[1]) or best[0]
    # What keeps the formula finite, at the price of a bias, leaves inf or NaN when it is left out.
    kept = [finding for finding, changes in guards if not is_finite(_without(every, changes))]
    return kept[0] if kept else Diagnosis("formula", result)


def living(result: Shadow) -> set[int]:
    """Return the ids of the values that a result was made from, without those of branches not taken."""
    found: set[int] = set()
    waiting = [result]
    while waiting:
        node = waiting.pop()
        if id(node) not in found:
            found.add(id(node))
            waiting += [node.operands[0], taken(node)] if node.name == "where" else node.operands
    return found


def _flipped(node: Shadow) -> Diagnosis | None:
    """Explain a branch that exact operands would not have taken: what made them wrong is the cause, not the branch."""
    condition = node.operands[0] if node.name == "where" else node
    wrong = [o for o in condition.operands if not is_finite(o.machine) and is_finite(o.exact)]
    if node.name != "where" or condition.dtype != bool or not (wrong or _decides_otherwise(condition)):
        return None
    culprit = wrong[0] if wrong else max(condition.operands, key=lambda o: exponent(o.error))
    return blame(culprit, format_of(culprit.dtype))


def _decides_otherwise(condition: Shadow) -> bool:
    """Tell whether a comparison of the exact operands has another answer than that of the computed ones."""
    if condition.name not in COMPARED or any(is_nan(o.exact) or is_nan(o.machine) for o in condition.operands):
        return False
    return COMPARED[condition.name](compare(*(o.exact for o in condition.operands))) != bool(condition.number)


def _only_rounded(every: list[Shadow], changes: Changes) -> Diagnosis | None:
    """Explain branches whose values are the other formulas' exact ones, rounded: what follows them is to blame.

    Beyond a cutoff at 18, r + e^-r is log(1 + e^r) to half an ulp; that the loss then cancels has nothing to do with it.
    """
    copies: dict[int, Shadow] = {}
    for node in every:
        other = changes.get(id(node))
        if other is not None:
            copies[id(node)] = Shadow("input", (), node.computed)
            copies[id(node)].exact = copies.get(id(other), other).exact
            if node.name != "where" or not as_good_as_rounded(copies[id(node)]):
                return None
        elif any(id(o) in copies for o in node.operands):
            copies[id(node)] = Shadow(node.name, tuple(copies.get(id(o), o) for o in node.operands), node.computed)
    result = copies.get(id(every[-1]), every[-1])
    found = blame(result, format_of(result.dtype))
    blamed = next((node for node in every if copies.get(id(node)) is found.node), found.node)
    return Diagnosis(found.cause, blamed, found.effects)


def _options(every: list[Shadow]) -> list[tuple[Diagnosis, Changes]]:
    """Return each clamp, added constant and branch, and which operand stands for a value without it."""
    options: list[tuple[Diagnosis, Changes]] = []
    branches: dict[int, Changes] = {}  # by the condition: a gradient switches on it more than once
    clamps: dict[frozenset[int], tuple[Diagnosis, Changes]] = {}
    for node in every:
        if node.name == "where":
            _add_branch(node, options, branches, clamps)
            continue
        guard = _guard(node)
        if guard is not None:
            finding = Diagnosis("clamp" if node.name != "add" else "added eps", node)
            options.append((finding, {id(node): guard}))
            clamps[frozenset(id(o) for o in node.operands)] = options[-1]
    return options


def _add_branch(
    node: Shadow,
    options: list[tuple[Diagnosis, Changes]],
    branches: dict[int, Changes],
    clamps: dict[frozenset[int], tuple[Diagnosis, Changes]],
) -> None:
    """Add the branch not taken: to the clamp whose gradient it is, to its condition, or as an option."""
    condition, other = node.operands[0], node.operands[2 if node.operands[0].number else 1]
    switch = _is_weight(node)
    if switch and (node.number == 1 or condition.name == "equal"):
        return  # the gradient passes; a tie is part of another switch
    clamp = clamps.get(frozenset(id(o) for o in condition.operands)) if switch else None
    if clamp:
        clamp[1][id(node)] = other
    elif id(condition) in branches:
        branches[id(condition)][id(node)] = other
    else:
        branches[id(condition)] = {id(node): other}
        options.append((Diagnosis("clamp" if switch else "branch", node), branches[id(condition)]))


def _is_weight(node: Shadow) -> bool:
    """Tell whether a value is a constant, whatever the branch: the 0, 1/2 or 1 of a clamp's gradient."""
    return node.constant_value or (node.name == "where" and all(_is_weight(o) for o in node.operands[1:]))


def _guard(node: Shadow) -> Shadow | None:
    """Return the operand that a clamp, or nan_to_num, replaced, or that a small constant was added to."""
    if node.name == "nan_to_num":
        return None if is_finite(node.operands[0].exact) else node.operands[0]
    if len(node.operands) != 2 or node.operands[0].constant_value == node.operands[1].constant_value:
        return None
    constant, other = sorted(node.operands, key=lambda o: not o.constant_value)
    clamped = node.name in ("maximum", "minimum") and node.exact == constant.exact
    return other if clamped or (node.name == "add" and 0 < abs(constant.number) < EPS_LIMIT) else None


def _without(every: list[Shadow], changes: Changes) -> Expansion:
    """Evaluate the last value exactly, with operands in place of some values."""
    changed: dict[int, Expansion] = {}
    for node in every:
        instead = changes.get(id(node))
        if instead is not None:
            changed[id(node)] = changed.get(id(instead), instead.exact)
        elif any(id(o) in changed for o in node.operands):
            changed[id(node)] = node.exactly([changed.get(id(o), o.exact) for o in node.operands])
    return changed.get(id(every[-1]), every[-1].exact)


def undefined(result: Shadow) -> Diagnosis:
    """Explain why the formula itself, evaluated exactly, is infinite or NaN at these inputs."""
    events: list[tuple[str, Shadow]] = []
    for node in nodes(result):
        what = event(node)
        if what and not (is_nan(result.exact) and not is_nan(node.exact)):  # an infinity on the way to NaN is harmless
            events.append((what, node))
    for what, node in events[:MOST_ALONE]:
        if _reaches(result, [node]):
            return Diagnosis(what, node)
    # Of a row of logits several elements may each be NaN: all of a kind together are the cause, and the first is named.
    for what in dict.fromkeys(what for what, _ in events):
        found = [node for kind, node in events if kind == what]
        if _reaches(result, found):
            return Diagnosis(what, found[0])
    return Diagnosis("formula", result)


def _reaches(result: Shadow, culprits: list[Shadow]) -> bool:
    """Tell whether the result would be a number, or another infinity, if the culprits were finite."""
    ones = {id(c): Shadow("constant", (), np.ones((), c.dtype)) for c in culprits}
    return gap(_without(nodes(result), ones), result.exact) != fzero
