"""What a user should know of each system, a line of a table: its facts are found here, advice.md.j2 writes its cells.

Most cells say where something goes wrong, the last one which call does better.  A system here is a call by its
name: loss and gradient, all modes and formats together; hard targets without smoothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.numbers.formats import format_named
from harness.problems import Problem, problem_named
from harness.systems.pages.faults import KINDS, Fault, faults
from harness.systems.pages.known import swept
from harness.systems.pages.notation import given, number, variable
from harness.systems.pages.probes import Returned
from harness.systems.registry import is_gradient, library_named, system_of
from harness.tables.basis import EVERY_INPUT
from harness.tables.rows import Row
from harness.tables.templates import render
from harness.truth.classes import bits

HEADS = (
    "call", "NaN or ∞", "loss stands still", "gradient dies", "small losses lost", "small gradients lost",
    "0 for subnormals", "largest error, ulp", "use instead",
)  # fmt: skip
TEMPLATE = Path(__file__).with_name("advice.md.j2")
GRAVE, SLIGHT = ("invalid", "dead", "off", "plateau", "narrowed"), ("cancelled", "faded")
SMALL = 100.0  # ulp: up to two digits
ORDER = ("bfloat16", "float16", "float32", "float64")
# For y = 0 and y = 1 a loss from a logit is this problem's value at (1 - 2y) x.
OF_HARD_TARGETS = "softplus"


@dataclass(frozen=True)
class KnownCall:
    """Gather what is known of one call of one library."""

    library: str
    name: str
    rows: list[Row]
    returned: list[Returned]

    @cached_property
    def main(self) -> str:
        """Return the format that a user gets by default, or the first that there is."""
        there = [str(r["format"]) for r in self.rows]
        default = library_named(self.library).default_format
        return default if default in there else there[0]

    @cached_property
    def answered(self) -> bool:
        """Tell whether anything was returned in the main format."""
        return any(r.fmt.name == self.main for r in self.returned)

    @cached_property
    def faults(self) -> dict[str, list[Fault]]:
        """Return the faults at hard targets by kind, the nearest to the centre first."""
        found: dict[str, list[Fault]] = {}
        for returned in self.returned:
            if str(returned.row["target"]) in ("", "0", "1") and not returned.row["label_smoothing"]:
                for fault in faults(returned):
                    found.setdefault(fault.kind, []).append(fault)
        return {k: sorted(found[k], key=lambda f: f.logit) for k in KINDS if k in found}

    def first(self, kind: str) -> tuple[bool, float]:
        """Return how soon a kind shows, the main format before the others."""
        f = min(self.faults[kind], key=lambda f: (f.returned.fmt.name != self.main, f.logit))
        return f.returned.fmt.name != self.main, f.logit

    @property
    def problem(self) -> Problem:
        """Return the exact function, of several (a loss and its gradient) the first."""
        return problem_named(str(self.rows[0]["problem"]))

    @property
    def from_logits(self) -> bool:
        """Tell whether the call takes logits rather than probabilities, so that nothing is lost before it."""
        return self.problem.input != "probability"

    @property
    def is_loss(self) -> bool:
        """Tell whether the call gives a loss; one that gives nothing but a gradient does not."""
        return self.problem.has_target and False in self.roles

    @cached_property
    def roles(self) -> frozenset[bool]:
        """Return what was measured: False for the function itself, True for its gradient."""
        return frozenset(is_gradient(str(r["problem"])) for r in self.rows)

    @property
    def also(self) -> str:
        """Return another public name of the call, empty where it has none."""
        return system_of(self.rows[0]).also

    @cached_property
    def options(self) -> frozenset[str]:
        """Return the call's arguments that change the loss, such as pos_weight."""
        return frozenset().union(*(system_of(r).options for r in self.rows))

    @cached_property
    def reach(self) -> tuple[float, float]:
        """Return the least sizes of a logit at which a grave and a slight fault show in the main format; infinite for none."""
        return self._least(GRAVE), self._least(SLIGHT)

    @cached_property
    def reach_of_value(self) -> tuple[float, float]:
        """Return the same of the function itself, its gradient left out."""
        return self._least(GRAVE, False), self._least(SLIGHT, False)

    @cached_property
    def near(self) -> float:
        """Return the largest ulp error in the main format where the logit is at most 20 in size; infinite where unknown."""
        found = [float(str(r["near_ulp"])) for r in self.rows if r["format"] == self.main and r["near_ulp"] != ""]
        return max(found, default=math.inf)

    @property
    def owner(self) -> str:
        """Return whose calls may be advised instead: the library's own; of a replica, those of the same product."""
        if not library_named(self.library).source_only:
            return self.library
        return self.name.split(":")[0] if ":" in self.name else re.split(r"[ .]", self.name)[0]

    def _least(self, kinds: tuple[str, ...], gradient: bool | None = None) -> float:
        there = [
            f
            for kind in kinds
            for f in self.faults.get(kind, ())
            if f.returned.fmt.name == self.main and gradient in (None, f.returned.is_gradient)
        ]
        return min((f.logit for f in there), default=math.inf)


def calls(rows: Sequence[Row], returned: Sequence[Returned]) -> list[KnownCall]:
    """Return the calls in the order of the table; smoothed ones are left to the table."""
    found: dict[tuple, KnownCall] = {}
    for row in rows:
        if not row["label_smoothing"]:
            key = (row["library"], row["system"])
            found.setdefault(key, KnownCall(str(row["library"]), str(row["system"]), [], [])).rows.append(row)
    for one in returned:
        key = (one.row["library"], one.row["system"])
        if key in found:
            found[key].returned.append(one)
    return list(found.values())


# -- the facts of a line ----------------------------------------------------------------------


def line(call: KnownCall, every: Sequence[KnownCall]) -> str:
    """Return what a user should know of a call as a line of a Markdown table; HEADS has what its cells are."""
    kinds = _told(call)
    return render(
        TEMPLATE,
        name=call.name,
        also=call.also,
        reasons="" if call.returned else _reasons(call),
        faults={k: _fault(k, call.faults[k], call) if k in kinds else None for k in KINDS},
        flushed=_flushed(call),
        main=call.main,
        near=_near(call),
        every=_every(call),
        **(better(call, every) if call.returned else {}),
    ).strip()


def narrowing(call: KnownCall) -> bool:
    """Tell whether float64 inputs get float32 results."""
    return "narrowed" in call.faults


def _told(call: KnownCall) -> list[str]:
    """Return which kinds are told: of a gradient that dies and is off, the one that shows first."""
    kinds = [k for k in call.faults if k != "narrowed"]
    if {"dead", "off"} <= set(kinds):
        kinds.remove("dead" if call.first("dead")[0] > call.first("off")[0] else "off")
    return kinds


def _fault(kind: str, found: list[Fault], call: KnownCall) -> dict[str, object]:
    """Return the facts of one kind of fault: the value in the main format, and where it begins in the others."""
    nearest = {f: next((e for e in found if e.returned.fmt.name == f), None) for f in ORDER}
    there = {f: e for f, e in nearest.items() if e is not None}
    shown = there.get(call.main) or next(iter(there.values()))
    row, fmt = shown.returned.row, shown.returned.fmt.name
    modes = dict.fromkeys(str(e.returned.row["mode"]) for e in found if _alike(e, shown))
    any_way = {str(e.returned.row["mode"]) for e in found if e.returned.fmt.name == fmt}
    every = {str(r.row["mode"]) for r in call.returned if r.fmt.name == fmt and r.row["problem"] == row["problem"]}
    return {
        "gradient": shown.returned.is_gradient,
        "where": _where(shown),
        "target": row["target"],
        "format": fmt,
        "value": number(shown.value),
        "truth": number(shown.truth),
        "modes": [m.replace("_", " ") for m in modes] if set(modes) != every else [],
        "only": any_way <= set(modes),
        "others": [{"format": f, "x": given(e.returned.row, e.x)} for f, e in there.items() if e is not shown],
    }


def _alike(fault: Fault, other: Fault) -> bool:
    """Tell whether the same is said of two modes: a fault of one problem, format and target, at the same probes."""
    same = all(fault.returned.row[c] == other.returned.row[c] for c in ("problem", "format", "target"))
    return same and (fault.x, fault.extent) == (other.x, other.extent)


def _where(fault: Fault) -> str:
    """Write at which probes a fault shows, checked at every probe beyond the first: x ≥ 17, −92 ≤ x ≤ −14.5, x = 0."""
    row, found = fault.returned.row, fault.extent
    v, first, last = variable(row), given(row, fault.x), given(row, found.last)
    if found.wording == "at":
        return f"{v} = {first}"
    if found.wording == "from":
        return f"{v} {'≥' if found.last > fault.x else '≤'} {first}"
    low, high = (first, last) if found.last > fault.x else (last, first)
    part = f" ({found.shown} of {found.between} probes)" if found.wording == "some" else ""
    return f"{low} ≤ {v} ≤ {high}{part}"


def _flushed(call: KnownCall) -> list[str]:
    """Return the formats in which results are 0 where the exact value rounds to a subnormal, with modes unless in all."""
    told, formats = [], list(dict.fromkeys(str(r["format"]) for r in call.rows))
    for fmt in formats:
        there = [r for r in call.rows if r["format"] == fmt and r["flushed"] != ""]
        modes = _modes(r for r in there if int(str(r["flushed"])))
        if modes:
            told.append(fmt if len(modes) == len(_modes(there)) else f"{fmt} ({', '.join(modes)})")
    return ["all"] if told == formats else told


def _near(call: KnownCall) -> dict[str, object]:
    """Return the largest error in the main format: of a sample, a lower bound, told where no sweep knows as much."""
    mine = [r for r in call.rows if r["format"] == call.main]
    sampled = any(r["near_basis"] != EVERY_INPUT for r in mine)
    known = max((float(str(r["near_ulp"])) for r in mine if swept(r) and r["near_ulp"] != ""), default=-1.0)
    return {
        "told": not math.isinf(call.near) and call.near > known,
        "sample": sampled,
        "others": known >= 0,
        "ulp": f"{call.near:.4g}",
        "lost": call.near >= 2.0 ** bits(format_named(call.main)),
    }


def _every(call: KnownCall) -> dict[str, object] | None:
    """Return what every float32 input says of a call, loss and gradient each by its worst target; None where none was swept."""
    found = [r for r in call.rows if swept(r)]
    if not found:
        return None
    worst: dict[str, Row] = {}
    for r in sorted(found, key=lambda r: -float(str(r["near_ulp"]))):
        worst.setdefault(str(r["problem"]), r)
    roles = [worst[str(r["problem"])] for r in found if r is worst[str(r["problem"])]]
    return {"format": found[0]["format"], "modes": _modes(found), "roles": [_role(r) for r in roles]}


def _modes(rows: Iterable[Row]) -> list[str]:
    """Return the modes of rows as pages write them, each once."""
    return list(dict.fromkeys(str(r["mode"]).replace("_", " ") for r in rows))


def _role(row: Row) -> dict[str, object]:
    """Return how wrong a loss or its gradient is at worst, and where."""
    fmt, ulp = format_named(str(row["format"])), float(str(row["near_ulp"]))
    problem = problem_named(str(row["problem"]))
    return {
        "of": "gradient" if is_gradient(problem) else "loss" if problem.has_target else "",
        "variable": variable(row),
        "ulp": f"{ulp:.4g}",
        "lost": ulp >= 2.0 ** bits(fmt),
        "x": given(row, float.fromhex(str(row["near_ulp_input"]))),
        "target": row["target"],
    }


def better(call: KnownCall, every: Sequence[KnownCall]) -> dict[str, object]:
    """Return the facts of the call of the same owner that does best, if it does better than this one.

    `advice` is instead, hard targets or nothing; `better` has the other call's name, and `dropped` the arguments of this
    one that it lacks.
    """
    mine = [c for c in every if c.owner == call.owner and c.main == call.main and c.answered]
    if call.is_loss:
        rivals = [c for c in mine if c.is_loss and c.from_logits]
    else:
        rivals = [c for c in mine if c.problem == call.problem]
    # One of which the gradient was not measured is never advised to who may need it.
    rivals = [c for c in rivals if c.roles >= call.roles]
    kept = [c for c in rivals if c.options >= call.options]
    for among in (kept, rivals):
        best = max(among, key=_merit, default=call)
        if best is not call and (_no_worse(best, call) or _clearly(best, call)):
            return {"advice": "instead", "better": {"name": best.name}, "dropped": sorted(call.options - best.options)}
    soft = [c for c in mine if c.problem.name == OF_HARD_TARGETS] if call.is_loss else []
    soft = [c for c in soft if c.reach_of_value > call.reach_of_value]
    if soft:
        return {"advice": "hard targets", "better": {"name": soft[0].name}, "dropped": sorted(call.options)}
    return {"advice": "nothing", "better": None, "dropped": []}


def _clearly(best: KnownCall, call: KnownCall) -> bool:
    """Tell whether a call is better by more than small values that are lost or a few digits."""
    return best.reach[0] > call.reach[0] or (best.reach >= call.reach and call.near > SMALL * best.near)


def _no_worse(best: KnownCall, call: KnownCall) -> bool:
    """Tell whether a call takes logits where the other does not, and shows no fault sooner and no larger error.

    Of errors that leave no bit right none is larger.
    """
    lost = 2.0 ** bits(format_named(call.main))
    sooner = best.reach[0] < call.reach[0] or best.reach[1] < call.reach[1]
    return best.from_logits > call.from_logits and not sooner and min(best.near, lost) <= call.near


def _merit(call: KnownCall) -> tuple:
    return *call.reach, -call.near


def _reasons(call: KnownCall) -> str:
    return "; ".join(dict.fromkeys(str(r["reason"]) for r in call.rows if r["reason"])) or "no reason was given"
