"""docs/systems.md: what a user should know of each system, in two sentences made from table and probes.

The first says where it goes wrong, the second which call does better.  A system here is a call by its
name: loss and gradient, all modes and formats together; hard targets without smoothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.systems.pages.effects import KINDS, Answer, Effect, effects
from harness.systems.pages.findings import DOUBLE
from harness.systems.pages.wording import given, number, variable
from harness.tables.rows import Row

GRAVE, SLIGHT = ("invalid", "dead", "off", "plateau", "narrowed"), ("cancelled", "faded")
SMALL = 100.0  # ulp: up to two digits
ORDER = ("bfloat16", "float16", "float32", "float64")
PHRASES = {
    "invalid": "{noun} is {value} {at}, where it should be {truth}",
    "dead": "its gradient dies {at}: 0 for {truth}",
    "off": "its gradient is off {at}: {value} for {truth}",
    "plateau": "its loss leaves the truth for a wrong prediction {at}: {value} for {truth}",
    "cancelled": "{noun} is wrong where it is small {at}: {value} for {truth}",
    "faded": "its gradient is wrong where it is small {at}: {value} for {truth}",
    "narrowed": "float64 inputs get float32 results",
}
NOUNS = {"sigmoid": "the sigmoid", "softplus": "softplus", "log_sigmoid": "log sigmoid"}


@dataclass(frozen=True)
class Call:
    """Gather what is known of one call of one library."""

    library: str
    name: str
    rows: list[Row]
    answers: list[Answer]

    @cached_property
    def main(self) -> str:
        """Return the format that a user gets by default, or the first that there is."""
        there = [str(r["format"]) for r in self.rows]
        default = "float64" if self.library in DOUBLE else "float32"
        return default if default in there else there[0]

    @cached_property
    def effects(self) -> dict[str, list[Effect]]:
        """Return the effects at hard targets by kind, the nearest to the centre first."""
        found: dict[str, list[Effect]] = {}
        for answer in self.answers:
            if str(answer.row["target"]) in ("", "0", "1") and not answer.row["label_smoothing"]:
                for effect in effects(answer):
                    found.setdefault(effect.kind, []).append(effect)
        return {k: sorted(found[k], key=lambda e: e.logit) for k in KINDS if k in found}

    def first(self, kind: str) -> tuple[bool, float]:
        """Return how soon a kind shows, the main format before the others."""
        e = min(self.effects[kind], key=lambda e: (e.answer.fmt.name != self.main, e.logit))
        return e.answer.fmt.name != self.main, e.logit

    @property
    def from_logits(self) -> bool:
        """Tell whether the call takes logits."""
        return not str(self.rows[0]["problem"]).startswith("bce") or "bce_logits" in str(self.rows[0]["problem"])

    @property
    def is_loss(self) -> bool:
        """Tell whether the call is a loss."""
        return str(self.rows[0]["problem"]).startswith("bce")

    @cached_property
    def reach(self) -> tuple[float, float]:
        """Return the least sizes of a logit at which a grave and a slight effect show in the main format; infinite for none."""
        return self._least(GRAVE), self._least(SLIGHT)

    @cached_property
    def near(self) -> float:
        """Return the largest ulp error in the main format where the logit is at most 20 in size; infinite where unknown."""
        found = [float(str(r["near_ulp"])) for r in self.rows if r["format"] == self.main and r["near_ulp"] != ""]
        return max(found, default=math.inf)

    @property
    def owner(self) -> str:
        """Return whose calls may be advised instead: the library's own; of a replica, those of the same product."""
        if self.library != "replica":
            return self.library
        return self.name.split(":")[0] if ":" in self.name else re.split(r"[ .]", self.name)[0]

    def _least(self, kinds: tuple[str, ...]) -> float:
        there = [e for kind in kinds for e in self.effects.get(kind, ()) if e.answer.fmt.name == self.main]
        return min((e.logit for e in there), default=math.inf)


def calls(rows: Sequence[Row], answers: Sequence[Answer]) -> list[Call]:
    """Return the calls in the order of the table; smoothed ones are left to the table."""
    found: dict[tuple, Call] = {}
    for row in rows:
        if not row["label_smoothing"]:
            key = (row["library"], row["system"])
            found.setdefault(key, Call(str(row["library"]), str(row["system"]), [], [])).rows.append(row)
    for answer in answers:
        key = (answer.row["library"], answer.row["system"])
        if key in found:
            found[key].answers.append(answer)
    return list(found.values())


def sentences(call: Call, every: Sequence[Call]) -> str:
    """Return what a user should know of a call, in two sentences."""
    if not call.answers:
        return f"Gave no result: {_reasons(call)}."
    clauses = [_clause(kind, call.effects[kind], call) for kind in _told(call)]
    first = "; ".join(clauses) or _near(call)
    return f"{first[0].upper()}{first[1:]}. {_advice(call, every)}"


def _told(call: Call) -> list[str]:
    """Return which kinds are told: of two that say nearly the same, one; a dead gradient tells more than one that is off."""
    kinds = list(call.effects)
    if {"dead", "off"} <= set(kinds):
        kinds.remove("dead" if call.first("dead")[0] > call.first("off")[0] else "off")
    if {"cancelled", "faded"} <= set(kinds):
        kinds.remove(max("cancelled", "faded", key=call.first))
    return kinds


def _clause(kind: str, found: list[Effect], call: Call) -> str:
    """Write one kind of effect: values in the main format, and where it begins in the others."""
    nearest = {f: next((e for e in found if e.answer.fmt.name == f), None) for f in ORDER}
    there = {f: e for f, e in nearest.items() if e is not None}
    shown = there.get(call.main) or next(iter(there.values()))
    row = shown.answer.row
    at = f"from {variable(row)} = {given(row, shown.x)} (y = {row['target']}) in {shown.answer.fmt.name}"
    if row["target"] == "":
        at = at.replace(" (y = )", "")
    noun = "its gradient" if shown.answer.is_gradient else NOUNS.get(str(row["problem"]), "its loss")
    text = PHRASES[kind].format(noun=noun, at=at, value=number(shown.value), truth=number(shown.truth))
    modes = dict.fromkeys(str(e.answer.row["mode"]) for e in found if e.answer.fmt.name == shown.answer.fmt.name)
    every = {
        str(a.row["mode"])
        for a in call.answers
        if a.fmt.name == shown.answer.fmt.name and a.row["problem"] == row["problem"]
    }
    if set(modes) != every and modes:
        text += f" ({', '.join(m.replace('_', ' ') for m in modes)} only)"
    others = [f"{given(e.answer.row, e.x)} in {f}" for f, e in there.items() if e is not shown]
    return text + (f" (and from {', '.join(others)})" if others and kind != "narrowed" else "")


def _near(call: Call) -> str:
    """Say that no probe shows an effect, and how large errors are all the same."""
    if math.isinf(call.near):
        return "no probe shows a failure"
    size = f"{call.near:.2g} ulp where |x| ≤ 20 in {call.main}"
    if call.near <= SMALL:
        return f"right everywhere it was probed, within {size}"
    return f"never far off where it was probed, but up to {math.log10(call.near):.0f} decimal digits are lost: {size}"


def _advice(call: Call, every: Sequence[Call]) -> str:
    """Name the call of the same owner that does best, if it does better than this one."""
    mine = [c for c in every if c.owner == call.owner and c.main == call.main and c.answers]
    if call.is_loss:
        rivals = [c for c in mine if c.is_loss and c.from_logits]
    else:
        rivals = [c for c in mine if c.rows[0]["problem"] == call.rows[0]["problem"]]
    best = max(rivals, key=_merit, default=call)
    if best is not call and (best.from_logits > call.from_logits or _clearly(best, call)):
        return f"Use `{best.name}` instead: {_standing(best)}."
    soft = [c for c in mine if c.rows[0]["problem"] == "softplus" and c.reach > call.reach] if call.is_loss else []
    if soft:
        return f"For hard targets `{soft[0].name}` of (1 − 2y)x is the same loss: {_standing(soft[0])}."
    return "Nothing else that was measured of this library is clearly better."


def _clearly(best: Call, call: Call) -> bool:
    """Tell whether a call is better by more than small values that are lost or a few digits."""
    return best.reach[0] > call.reach[0] or (best.reach >= call.reach and call.near > SMALL * best.near)


def _merit(call: Call) -> tuple:
    return *call.reach, -call.near


def _standing(call: Call) -> str:
    """Say how far a call can be relied on in its main format."""
    grave, slight = call.reach
    if math.isinf(grave) and math.isinf(slight):
        return f"there no probe shows a failure in {call.main}"
    if math.isinf(grave):
        return f"there only small values are wrong, from |x| = {number(slight)} on in {call.main}"
    return f"there nothing goes wrong below |x| = {number(min(grave, slight))} in {call.main}"


def _reasons(call: Call) -> str:
    return "; ".join(dict.fromkeys(str(r["reason"]) for r in call.rows if r["reason"])) or "no reason was given"
