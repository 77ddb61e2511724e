"""docs/systems.md: what a user should know of each system, in two sentences made from table and probes.

The first says where it goes wrong, the second which call does better.  A system here is a call by its
name: loss and gradient, all modes and formats together; hard targets without smoothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mpmath import mp

from harness.rows import Row
from harness.systems.effects import KINDS, Answer, Effect, effects
from harness.systems.findings import DOUBLE, family
from harness.systems.wording import given, number, size, variable

ORDER = ("bfloat16", "float16", "float32", "float64")
PHRASES = {
    "invalid": "{noun} is {value} {at}, where it should be {truth}",
    "dead": "its gradient dies {at}: 0 for {truth}",
    "off": "its gradient is off {at}: {value} for {truth}",
    "plateau": "its loss leaves the truth for a wrong prediction {at}: {value} for {truth}",
    "cancelled": "{noun} loses a small value {at}: {value} for {truth}",
    "faded": "its gradient loses a small value {at}: {value} for {truth}",
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
        # A value that is lost whole tells more than one that is half lost: of each format it comes first.
        return {k: sorted(found[k], key=lambda e: e.logit) for k in KINDS if k in found}

    @property
    def from_logits(self) -> bool:
        """Tell whether the call takes logits."""
        return not str(self.rows[0]["problem"]).startswith("bce") or "bce_logits" in str(self.rows[0]["problem"])

    @property
    def is_loss(self) -> bool:
        """Tell whether the call is a loss."""
        return str(self.rows[0]["problem"]).startswith("bce")

    def reach(self) -> float:
        """Return the least size of a logit at which something goes wrong in the main format; infinite where nothing does."""
        return min((e.logit for es in self.effects.values() for e in es if e.answer.fmt.name == self.main), default=math.inf)


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
    clauses = [_clause(kind, found, call) for kind, found in call.effects.items()]
    first = "; ".join(clauses) or f"nothing goes wrong at the inputs that were probed ({_near(call)})"
    return f"{first[0].upper()}{first[1:]}. {_advice(call, every)}"


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
    every = {str(a.row["mode"]) for a in call.answers if a.fmt.name == shown.answer.fmt.name and a.row["problem"] == row["problem"]}
    if set(modes) != every and modes:
        text += f" ({', '.join(m.replace('_', ' ') for m in modes)} only)"
    others = [f"{given(e.answer.row, e.x)} in {f}" for f, e in there.items() if e is not shown]
    return text + (f" (and from {', '.join(others)})" if others and kind != "narrowed" else "")


def _near(call: Call) -> str:
    """Write the largest error in the main format among logits of at most 20 in size."""
    ulps = [str(r["near_ulp"]) for r in call.rows if r["format"] == call.main and r["near_ulp"] != ""]
    return f"error of at most {size(max(ulps, key=mp.mpf))} ulp for |x| ≤ 20 in {call.main}" if ulps else "nothing was measured"


def _advice(call: Call, every: Sequence[Call]) -> str:
    """Name the call of the same library that stays right for the largest logits, if it does better than this one."""
    loss = [c for c in every if c.library == call.library and c.is_loss and c.from_logits and c.answers]
    if not call.is_loss:
        loss = [c for c in every if c.library == call.library and c.rows[0]["problem"] == call.rows[0]["problem"] and c.answers]
    best = max(loss, key=Call.reach, default=call)
    if best is call or best.name == call.name or best.reach() <= call.reach() and (call.from_logits or not call.is_loss):
        also = _softplus(call, every)
        return also or f"No other call of {family(call.library)} that was measured stays right for longer."
    limit = best.reach()
    until = f"there nothing goes wrong below |x| = {number(limit)}" if math.isfinite(limit) else "there nothing goes wrong at the probes"
    return f"Use `{best.name}` instead: {until} in {best.main}."


def _softplus(call: Call, every: Sequence[Call]) -> str:
    """Name softplus where a library's losses are worse than its softplus: it is the loss of a hard target."""
    if not call.is_loss:
        return ""
    found = [c for c in every if c.library == call.library and c.rows[0]["problem"] == "softplus" and c.reach() > call.reach()]
    return f"For hard targets `{found[0].name}` of (1 − 2y)x is the same loss and stays right for longer." if found else ""


def _reasons(call: Call) -> str:
    return "; ".join(dict.fromkeys(str(r["reason"]) for r in call.rows if r["reason"])) or "no reason was given"
