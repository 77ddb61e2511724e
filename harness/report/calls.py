"""What the page says of each call of a library: its card in every format, from the systems' table and its probes.

A call's verdict follows the atlas's four rules, as far as the tables of systems can tell: `safe` and `safe for hard
targets` from the safe ranges of all modes and targets that were measured, `limited` from the probes, the round inputs
that pages cite; one probe that breaks the rule makes it `unsafe`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.numbers.formats import Format, format_named
from harness.problems import antiderivative_of, problem_named
from harness.report import wording
from harness.report.curves import truth_at
from harness.report.packing import numbers, scaled
from harness.systems.pages import probes
from harness.systems.pages.advice import KnownCall, better
from harness.systems.pages.advice import calls as known_calls
from harness.systems.pages.faults import KINDS, Fault
from harness.systems.pages.notation import given, number, version
from harness.systems.pages.probes import Returned
from harness.systems.registry import is_gradient
from harness.tables.atlas.verdicts import LIMITED, SAFE, SAFE_FOR_HARD, UNSAFE, VERDICTS, WORKING_LOGIT
from harness.tables.rows import Row
from harness.tables.text import safe

Facts = dict[str, Any]
# What a fault is called: of a loss or function, of a gradient.
NAMES = {
    "invalid": ("NaN or infinity", "NaN or infinity"),
    "dead": ("", "0: the gradient is dead"),
    "off": ("", "off by 10 % or more"),
    "plateau": ("off by 10 % or more where the loss is large", ""),
    "cancelled": ("wrong where the loss is small", ""),
    "faded": ("", "wrong where the gradient is small"),
    "narrowed": ("float64 inputs get float32 results", "float64 inputs get float32 results"),
}


def read(table: Path) -> tuple[list[Row], list[Returned]]:
    """Read the systems' table and what its rows returned at the probes, TABLE_probes.csv beside it."""
    rows = probes.rows_in(table)
    return rows, probes.returned(rows, table.with_name(f"{table.stem}_probes.csv"))


def cards(rows: Sequence[Row], returned: Sequence[Returned], table: str) -> list[Facts]:
    """Return a card for each call of each library, in the order of the table, with what it says in each format."""
    lines = {id(row): i + 2 for i, row in enumerate(rows)}
    every = known_calls(rows, returned)
    return [_card(call, [c for c in every if c.library == call.library], lines, table) for call in every]


def _card(call: KnownCall, there: Sequence[KnownCall], lines: dict[int, int], table: str) -> Facts:
    formats = dict.fromkeys(str(r["format"]) for r in call.rows)
    advice = better(call, there) if call.returned else {"advice": "nothing", "better": None, "dropped": []}
    return {
        "key": f"{call.library}/{call.name}",
        "kind": "call",
        "name": call.name,
        "also": call.also,
        "library": call.library,
        "problem": (antiderivative_of(call.problem) or call.problem).name,
        "input": call.problem.input,
        "gradient": not call.is_loss and is_gradient(call.problem),
        "version": next((version(r) for r in call.rows if r["version"]), version(call.rows[0])),
        "default": call.main,
        "instead": _instead(call, advice),
        "formats": {f: in_format(call, format_named(f), lines, table) for f in formats},
    }


def _instead(call: KnownCall, advice: dict[str, Any]) -> Facts:
    """Return which call does better, in a form that the page words; empty where none does."""
    if advice["better"] is None:
        return {}
    return {
        "key": f"{call.library}/{advice['better']['name']}",
        "name": advice["better"]["name"],
        "hard": advice["advice"] == "hard targets",
        "dropped": advice["dropped"],
    }


def in_format(call: KnownCall, fmt: Format, lines: dict[int, int], table: str) -> Facts:
    """Return what the card of a call says in one format: verdict, safe range, what fails first, the largest errors."""
    rows = [r for r in call.rows if r["format"] == fmt.name]
    measured = [r for r in rows if r["max_ulp"] != ""]
    if not measured:
        reason = next((str(r["reason"]) for r in rows if r["reason"]), "no reason was given")
        return {"verdict": "", "judged": f"no result: {reason}", "rows": _sources(rows, lines, table)}
    verdict, fails = verdict_of(measured, [r for r in call.returned if r.fmt.name == fmt.name])
    halves = (("loss" if call.is_loss else "", False), ("gradient", True))
    return {
        "verdict": verdict,
        "judged": f"{verdict} ({fails})" if fails else verdict,
        "safe": _safe(measured),
        "basis": str(measured[0]["safe_basis"]),
        "firsts": _firsts(call, fmt),
        "usual": _largest(measured, "near_ulp", halves, fmt),
        "largest": _largest(measured, "max_ulp", halves, fmt),
        "flushed": sum(int(str(r["flushed"] or 0)) for r in measured),
        "modes": [str(m).replace("_", " ") for m in dict.fromkeys(r["mode"] for r in measured)],
        "at": _where(call, fmt),
        "rows": _sources(rows, lines, table),
    }


def verdict_of(rows: Sequence[Row], returned: Sequence[Returned]) -> tuple[str, str]:
    """Return the verdict on a call in one format, all its modes together, and which half of a loss it is due to.

    Where a loss's gradient was not measured, that is said in place of the half.
    """
    halves = {g for r in rows for g in [is_gradient(str(r["problem"]))]}
    at = {}
    for gradient in halves:
        mine = [r for r in rows if is_gradient(str(r["problem"])) == gradient]
        at[gradient] = VERDICTS.index(_verdict(mine, [r for r in returned if r.is_gradient == gradient]))
    worst = max(at.values())
    loss = problem_named(str(rows[0]["problem"])).has_target
    if halves == {False} and loss:
        return VERDICTS[worst], "gradient not measured"
    if len(halves) == 1 or VERDICTS[worst] == SAFE:
        return VERDICTS[worst], ""
    names = [name for name, g in (("loss", False), ("gradient", True)) if at[g] == worst]
    return VERDICTS[worst], " and ".join(names)


def _verdict(rows: Sequence[Row], returned: Sequence[Returned]) -> str:
    """Return the first of the four verdicts that holds; of `limited` the probes decide."""
    whole = {str(r["target"]): True for r in rows}
    for r in rows:
        whole[str(r["target"])] &= safe(r).endswith("all") and not int(str(r["capped"] or 0))
    if all(whole[t] for t in whole if t in probes.HARD):
        return SAFE if all(whole.values()) else SAFE_FOR_HARD
    return LIMITED if returned and all(usable(r) for r in returned) else UNSAFE


def usable(returned: Returned) -> bool:
    """Tell whether every result at a probe in the working range is close to the exact value; see atlas/verdicts.py."""
    inside = returned.logit <= WORKING_LOGIT
    value, exact = returned.value[inside], returned.exact[inside]
    with np.errstate(invalid="ignore"):
        close = abs(value - exact) <= math.sqrt(returned.fmt.machine_epsilon) * np.maximum(1, abs(exact))
    return bool((close | (value == returned.rounded[inside])).all())


def _safe(rows: Sequence[Row]) -> str:
    """Write the narrowest safe range of a call's modes at hard targets, loss and gradient together."""
    hard = [r for r in rows if str(r["target"]) in probes.HARD]
    if any(r["safe_lo"] == "" for r in hard):
        return "none"
    low = max((str(r["safe_lo"]) for r in hard), key=float.fromhex)
    high = min((str(r["safe_hi"]) for r in hard), key=float.fromhex)
    every = all(r["exhaustive"] in (True, "true") for r in hard)
    return safe({**hard[0], "safe_lo": low, "safe_hi": high, "exhaustive": every}) if hard else ""


def _faults(call: KnownCall, fmt: Format) -> list[Fault]:
    """Return the faults of a format, one for each kind and half: the nearest to the centre."""
    found: dict[tuple[str, bool], Fault] = {}
    for kind in KINDS:
        for fault in call.faults.get(kind, ()):
            if fault.returned.fmt.name == fmt.name:
                found.setdefault((kind, fault.returned.is_gradient), fault)
    return sorted(found.values(), key=lambda f: f.logit)


def _firsts(call: KnownCall, fmt: Format) -> list[Facts]:
    """Return what fails first at the probes, the nearest to the centre before the others."""
    return [
        {
            "half": "gradient" if f.returned.is_gradient else "loss" if f.returned.problem.has_target else "",
            "what": NAMES[f.kind][f.returned.is_gradient],
            "target": str(f.returned.row["target"]),
            "mode": str(f.returned.row["mode"]).replace("_", " "),
            "input": {"decimal": given(f.returned.row, f.x), "hex": fmt.hex(f.x)},
            "computed": {"decimal": number(f.value).replace(".0e", "e"), "hex": ""},
            "exact": wording.exact(f.truth, fmt),
        }
        for f in _faults(call, fmt)
    ]


def _where(call: KnownCall, fmt: Format) -> dict[str, str]:
    """Return at which probe each kind of fault shows first, by kind; the page's table has a column for each."""
    found: dict[str, str] = {}
    for f in _faults(call, fmt):
        found.setdefault(f.kind, given(f.returned.row, f.x))
    return found


def _largest(rows: Sequence[Row], column: str, halves: Sequence[tuple[str, bool]], fmt: Format) -> list[Facts]:
    """Return the largest error in a column at hard targets, of a loss and of its gradient, with input and mode."""
    found = []
    for name, gradient in halves:
        mine = [r for r in rows if is_gradient(str(r["problem"])) == gradient and str(r["target"]) in probes.HARD]
        there = [r for r in mine if r[column] != ""]
        if there:
            top = max(there, key=lambda r: Decimal(str(r[column])))
            found.append(
                {
                    "half": name,
                    "error": wording.error(str(top[column]), fmt, str(top["max_basis"])),
                    "input": wording.given(fmt, float.fromhex(str(top[f"{column}_input"]))),
                    "target": str(top["target"]),
                    "mode": str(top["mode"]).replace("_", " "),
                    "basis": str(top["max_basis"]),
                    "table": "systems",
                }
            )
    return found


def _sources(rows: Sequence[Row], lines: dict[int, int], table: str) -> list[list[str]]:
    """Return where rows stand: table, line, target, basis and identifier of each."""
    return [
        [table, str(lines[id(r)]), str(r["target"]), str(r["max_basis"]), wording.identifier(r)]  # type: ignore[arg-type]
        for r in rows
    ]


# -- what calls returned at the probes, as points of the page's curves -----------------------------


def point_files(returned: Sequence[Returned]) -> dict[str, Any]:
    """Return what calls returned at the probes at hard targets, one value for each problem and format, by `PROBLEM.FORMAT`.

    Inputs and exact values are written once for each target; calls that returned the same share their values.
    """
    groups: dict[str, list[Returned]] = {}
    for one in returned:
        groups.setdefault(f"{one.problem.name}.{one.fmt.name}", []).append(one)
    return {name: _points(group) for name, group in groups.items()}


def _points(group: Sequence[Returned]) -> Facts:
    inputs: list[Facts] = []
    values: list[str] = []
    series = []
    for one in group:
        target, single = str(one.row["target"]), one.fmt.bits <= 32
        high, rest, envelope = _truth(one.problem.name, one.fmt.name, target, tuple(one.x))
        at = {
            "x": numbers(one.x, single),
            "exact": numbers(high, False),
            "envelope": scaled(envelope),
            "target": target,
        }
        at |= {} if single else {"rest": numbers(rest, False)}
        value = numbers(one.value, False)
        for known, new in ((inputs, at), (values, value)):
            if new not in known:
                known.append(new)  # type: ignore[attr-defined, arg-type]
        name = f"{one.row['library']}/{one.row['system']}"
        series.append([name, str(one.row["mode"]).replace("_", " "), inputs.index(at), values.index(value)])
    return {"inputs": inputs, "values": values, "series": series}


@cache
def _truth(problem: str, fmt: str, target: str, x: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    f = format_named(fmt)
    return truth_at(problem_named(problem), f, np.array(x).astype(f.dtype), f.parse(target) if target else None)
