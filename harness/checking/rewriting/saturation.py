"""All expressions that the rules make equal to one another, found by egglog, and the best of them taken out.

The e-graph holds them as classes of equal expressions whose operands are classes in turn.  From each class the few
cheapest are taken, by a cost that stands for what rounding may do to an operation: differences cost most, stable
functions little.  It only orders what is to be measured.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from harness import UsageError
from harness.checking.rewriting.expression import Expression, X, Y, is_number
from harness.checking.rewriting.rules import Rule, program

# Rounds of rewriting: identities until they give nothing new, INNER rounds at most, then terms regrouped once.
OUTER, INNER = 4, 6
MOST_NODES = 900  # of the e-graph, after which no further round is begun
KEPT = 6  # expressions of each class
MEMBERS = 12  # of each class, the operations that may be more than the first of them
MOST_PASSES = 24  # over all classes; where an expression would be deeper, it is not among the cheapest
Weight = tuple[float, int]  # a cost, and a sign
Member = tuple[Any, ...]  # an operation on classes; of a constant, its value
Cost = Callable[[Expression, Sequence[Weight]], Weight]

MISSING = "harness fix rewrites by egglog, which is not installed; pip install 'xent-harness[fix]' brings it"


def equal_expressions(
    starts: Iterable[Expression], rules: tuple[Rule, ...], costs: Sequence[Cost]
) -> dict[Expression, list[Expression]]:
    """Return for each expression those that the rules make equal to it: KEPT by each cost, the cheapest first.

    UsageError where egglog is not installed.
    """
    try:
        from egglog.bindings import EGraph
    except ModuleNotFoundError as missing:
        raise UsageError(MISSING) from missing
    return {e: _equal_to(e, EGraph(), rules, costs) for e in dict.fromkeys(starts)}


def _equal_to(e: Expression, graph: Any, rules: tuple[Rule, ...], costs: Sequence[Cost]) -> list[Expression]:
    """Return what the rules make equal to one expression, of an e-graph of its own."""

    def run(text: str) -> Any:
        return graph.run_program(*graph.parse_program(text))

    run(program(rules))
    run(f"(Start {written(e)})")
    for rules_applied in (*["identities"] * INNER, "regrouping") * OUTER:
        if _nodes(run("(print-size)")) < MOST_NODES:
            run(f"(run {rules_applied} 1)")
    classes = Classes(json.loads(graph.serialize([]).to_json()))
    found = [classes.cheapest(cost)[classes.start] for cost in costs]
    return list(dict.fromkeys(itertools.chain.from_iterable(found)))


def _nodes(outputs: Sequence[Any]) -> int:
    return sum(int(n) for n in re.findall(r", (\d+)\)", repr(outputs)))


def written(e: Expression) -> str:
    """Write an expression in egglog's language."""
    if is_number(e):
        return f"(N (bigrat (bigint {e[1].numerator}) (bigint {e[1].denominator})))"
    return f"({' '.join([e[0], *map(written, e[1:])])})"


class Classes:
    """Hold the classes of an e-graph, from its JSON form: of each class the operations on other classes that it equals."""

    def __init__(self, graph: Mapping[str, Any]):
        nodes, data = graph["nodes"], graph["class_data"]
        real = {name for name, d in data.items() if d["type"] in ("Real", "Condition")}
        numbers = {n["eclass"]: _fraction(n["op"]) for n in nodes.values() if n["op"].startswith("Ratio")}
        [begun] = [n["children"] for n in nodes.values() if n["op"] == "Start"]
        self.start = nodes[begun[0]]["eclass"]
        members: dict[str, set[Member]] = {name: set() for name in real}
        for node in nodes.values():
            if node["op"] == "N":
                members[node["eclass"]].add(("N", numbers[nodes[node["children"][0]]["eclass"]]))
            elif node["eclass"] in real:
                members[node["eclass"]].add((node["op"], *(nodes[c]["eclass"] for c in node["children"])))
        # Sorted, so that every run takes the same of equally cheap expressions.
        self.members = {name: sorted(found, key=str) for name, found in sorted(members.items())}

    def cheapest(self, cost: Cost) -> dict[str, list[Expression]]:
        """Return the KEPT cheapest expressions of each class, the cheapest first.

        First the cheapest of each is found; then, of the operations that cost least with those, the others.
        """
        taken = Extraction(cost)
        first = self._passes(taken, self.members, {name: [] for name in self.members}, 1)
        fewer = self._reached(lambda name: taken.cheapest_members(self.members[name], first))
        best = self._passes(taken, fewer, first, KEPT)
        return {name: [taken.known[i] for i in found] for name, found in best.items()}

    def _reached(self, members_of: Callable[[str], list[Member]]) -> dict[str, list[Member]]:
        """Return the members to choose from, of the classes that the start's are made of by these alone."""
        found: dict[str, list[Member]] = {}
        waiting = [self.start]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = members_of(name)
                waiting += [part for op, *parts in found[name] if op != "N" for part in parts]
        return dict(sorted(found.items()))

    def _passes(
        self,
        taken: Extraction,
        members: Mapping[str, Sequence[Member]],
        begun: Mapping[str, Sequence[int]],
        kept: int,
    ) -> dict[str, list[int]]:
        """Take expressions from each class, again where those of an operand's class have changed."""
        best = {name: list(found) for name, found in begun.items()}
        changed = set(members)
        for _ in range(MOST_PASSES):
            again = [n for n, found in members.items() if any(part in changed for m in found for part in m[1:])]
            again = list(members) if len(changed) == len(members) else again
            changed = set()
            for name in again:
                found = taken.cheapest(members[name], best, kept)
                if found != best[name]:
                    best[name] = found
                    changed.add(name)
            if not changed:
                break
        return best


class Extraction:
    """Hold the expressions that are made while they are taken from an e-graph: each once, by a number, with its cost."""

    def __init__(self, cost: Cost):
        self.cost = cost
        self.known: list[Expression] = []
        self.costs: list[Weight] = []
        self.numbers: dict[tuple[Any, ...], int] = {}

    def cheapest(self, members: Sequence[Member], best: Mapping[str, Sequence[int]], kept: int) -> list[int]:
        """Return the cheapest expressions of a class by its members and the best of their operands' classes."""
        found: set[int] = set()
        for member in members:
            found.update(self._made(member, best, kept))
        return sorted(found, key=lambda i: (self.costs[i][0], i))[:kept]

    def cheapest_members(self, members: Sequence[Member], best: Mapping[str, Sequence[int]]) -> list[Member]:
        """Return the MEMBERS members of a class that cost least with the best of their operands' classes."""
        costs = [
            (min((self.costs[i][0] for i in self._made(m, best, 1)), default=math.inf), str(m), m) for m in members
        ]
        return [member for cost, _, member in sorted(costs, key=lambda c: c[:2])[:MEMBERS] if cost < math.inf]

    def _made(self, member: Member, best: Mapping[str, Sequence[int]], kept: int) -> Iterator[int]:
        op, *operands = member
        if op == "N":
            yield self.number(("N", operands[0]), ())
            return
        for ranks in _ranks(tuple(len(best[o]) for o in operands), kept):
            parts = [best[o][rank] for o, rank in zip(operands, ranks)]
            if not self._idle(op, parts):
                yield self.number((op,), sorted(parts) if op in ("Add", "Mul") else parts)

    def _idle(self, op: str, parts: Sequence[int]) -> bool:
        """Tell whether an operation leaves what a cheaper expression has: -(-a), a + 0, 1 a, (-1) a, 1 + 2."""
        if op == "Neg":
            return bool(self.known[parts[0]][0] == "Neg")
        nothing = {"Add": 0, "Mul": 1}.get(op)
        if op in FOLDED and all(self.known[i][0] == "N" for i in parts):
            return True
        constants = [self.known[i][1] for i in parts if self.known[i][0] == "N"]
        return (nothing is not None and nothing in constants) or (op == "Mul" and -1 in constants)

    def number(self, head: tuple[Any, ...], parts: Sequence[int]) -> int:
        """Return the number of an expression by its head and the numbers of its parts; a new one if it is new."""
        key = (*head, *parts)
        if key not in self.numbers:
            expression = (*head, *(self.known[i] for i in parts))
            self.numbers[key] = len(self.known)
            self.known.append(expression)
            self.costs.append(self.cost(expression, [self.costs[i] for i in parts]))
        return self.numbers[key]


@cache
def _ranks(lengths: tuple[int, ...], kept: int) -> list[tuple[int, ...]]:
    """Return which of the operands' best to combine: of sums of sorted lists, the least `kept` are among these."""
    choices = itertools.product(*(range(n) for n in lengths))
    return [ranks for ranks in choices if math.prod(r + 1 for r in ranks) <= kept]


def _fraction(text: str) -> Fraction:
    numerator, denominator = re.findall(r"-?\d+", text)
    return Fraction(int(numerator), int(denominator))


# -- costs ---------------------------------------------------------------------------------------------

FUNCTIONS = {"Softplus": 2.0, "Sigmoid": 2.0, "Logaddexp": 2.5, "Xlogy": 1.5, "Xlog1py": 1.5, "Log1mexp": 2.0, "Logit": 2.0,
             "BinaryKl": 3.0, "Exp": 3.0, "Expm1": 2.0, "Log": 3.0, "Log1p": 2.0, "Tanh": 2.0, "Pow": 4.0, "Div": 2.0,
             "Where": 3.0}  # fmt: skip
FOLDED = ("Add", "Mul", "Div", "Neg", "Pow")  # what of constants is a constant
LEAVES = ("X", "Y", "N")
LEAF = 0.1
LOG_OF_COMPUTED = 8.0  # near 1 a log magnifies the rounding of what it is given
DIFFERENCE = 12.0  # of two values that are computed, which may cancel
POSITIVE = ("Softplus", "Sigmoid", "Exp", "Sqrt", "Abs", "BinaryKl")


@dataclass(frozen=True)
class RoundingWeight:
    """Weigh an expression by what rounding may do to its operations: differences of computed values cost most.

    `unit` tells that the input is a probability.
    """

    unit: bool

    def __call__(self, e: Expression, operands: Sequence[Weight]) -> Weight:
        """Return the cost of an expression and its sign, 0 where that is not known, from those of its parts."""
        name, signs = e[0], [sign for _, sign in operands]
        sign = self._sign(e, signs)
        own = LEAF if name in LEAVES else FUNCTIONS.get(name, 1.0)
        if name == "Add":
            inner = [part[1] if part[0] == "Neg" else part for part in e[1:]]
            alike = signs[0] == signs[1] != 0
            own = 1.0 if alike or all(part[0] in LEAVES for part in inner) else DIFFERENCE
        elif name in ("Log", "Xlogy") and e[-1][0] not in LEAVES:
            own = LOG_OF_COMPUTED
        return own + sum(cost for cost, _ in operands), sign

    def _sign(self, e: Expression, signs: Sequence[int]) -> int:
        name = e[0]
        if name == "N":
            return (e[1] > 0) - (e[1] < 0)
        if name in POSITIVE or name == "Y" or (name == "X" and self.unit):
            return 1
        if name == "Neg":
            return -signs[0]
        if name in ("Mul", "Div"):
            return signs[0] * signs[1]
        if name == "Add":
            below_one = e[1:] in ((ONE, ("Neg", Y)), (("Neg", Y), ONE)) or (self.unit and e[1:] in LESS_X)
            return 1 if below_one else signs[0] if signs[0] == signs[1] else 0
        return self._sign_of_log(e, signs)

    def _sign_of_log(self, e: Expression, signs: Sequence[int]) -> int:
        """Return the sign of a logarithm: of a probability, of 1 + a, of a value above 1."""
        name = e[0]
        if name == "Log1mexp" or (name == "Log" and e[1] == X and self.unit):
            return -1
        if name in ("Log1p", "Expm1"):
            return signs[0]
        if name == "Xlogy" and e[2] == X and self.unit:
            return -signs[0]
        return signs[0] * signs[1] if name == "Xlog1py" else 0


ONE = ("N", Fraction(1))
LESS_X = ((ONE, ("Neg", X)), (("Neg", X), ONE))


def by_size(e: Expression, operands: Sequence[Weight]) -> Weight:
    """Weigh an expression by its operations, a leaf counting a little."""
    return (LEAF if e[0] in LEAVES else 1.0) + sum(cost for cost, _ in operands), 0
