"""The page docs/findings.md: causes first, then what is not traced to one.  Its facts are named here, its prose is
findings.md.j2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.numbers.formats import format_named
from harness.problems import antiderivative_of, gradient_of, problem_named
from harness.systems.commands import command
from harness.systems.pages.causes import Cause, found, tolerance
from harness.systems.pages.faults import Fault, faults
from harness.systems.pages.known_causes import CAUSES
from harness.systems.pages.notation import given, input_name, number, variable, version
from harness.systems.pages.probes import Returned
from harness.systems.pages.surprises import elsewhere, mixed, rank, surprises, who
from harness.systems.registry import library_named
from harness.tables.basis import EVERY_INPUT
from harness.tables.rows import Row
from harness.tables.templates import render
from harness.tables.usual import range_text
from harness.truth.classes import bits

TEMPLATE = Path(__file__).with_name("findings.md.j2")


UNTRACED = 5  # most of the surprises that are listed without a cause
MEETS = {
    1: "whoever follows the library's introductions",
    2: "who calls this loss, or runs it in this way",
    3: "few: the call is private, does not train, or runs in a format that is seldom asked of it",
}
DOES = {
    "invalid": "NaN or infinity ends the training",
    "dead": "the example is never learnt",
    "off": "the step is of the wrong size",
    "plateau": "the reported loss no longer tells how wrong the prediction is",
    "cancelled": "the curve of the loss is wrong where predictions are right",
    "faded": "what is learnt stops being learnt further",
    "narrowed": "digits are lost that the format has",
}


NO_NUMBER = {"near_spurious_nan": "NaN", "near_spurious_inf": "infinite"}


def page(every: list[Returned], causes: Sequence[Cause] = CAUSES) -> str:
    """Return the page in Markdown, from what all systems returned at the probes."""
    shown = sorted(found(causes, every), key=lambda pair: rank(pair[1]))
    listed = [{**facts(fault, every), **_of_cause(cause, fault, every)} for cause, fault in shown]
    rest = surprises(every, UNTRACED, lambda fault: any(cause.explains(fault) for cause, _ in shown))
    others = [{**facts(s.fault, every), "line": s.line} for s in rest]
    unnoticed = sum(not f["notices"] for f in listed)
    return render(
        TEMPLATE,
        combinations=sum(not library_named(str(r.row["library"])).source_only for r in every),
        causes=listed,
        others=others,
        libraries=_libraries(shown),
        unnoticed=unnoticed,
    )


def _libraries(shown: Sequence[tuple[Cause, Fault]]) -> int:
    return len({library_named(cause.library).family for cause, _ in shown})


def _of_cause(cause: Cause, fault: Fault, every: Sequence[Returned]) -> dict[str, object]:
    """Return what the template says of a cause beside the fault that shows it."""
    tests = tolerance(fault)
    calls = (f.returned.row for r in every for f in faults(r) if f.x == fault.x and cause.explains(f))
    return {
        "title": cause.title,
        "operation": cause.operation,
        "formula": cause.formula,
        "computed": number(cause.computed()),
        "since": cause.since,
        "mended": cause.mended,
        "issue": cause.issue,
        "line": cause.line or command(fault.returned.row, fault.x),
        "notices": tests.notices(fault),
        "tolerance": f"{tests.relative:g} · |truth|" + (f" + {tests.absolute:g}" if tests.absolute else ""),
        "tests": tests.function,
        "calls": list(dict.fromkeys(f"{r['system']} ({r['library']})" for r in calls if r["system"] != cause.system)),
    }


def facts(fault: Fault, every: list[Returned]) -> dict[str, object]:
    """Return what the template says of one fault."""
    row = fault.returned.row
    other = _counterpart(fault.returned, every)
    also, not_in = elsewhere(fault, every)
    return {
        "kind": fault.kind,
        "system": row["system"],
        "library": library_named(str(row["library"])).family,
        "backend": library_named(str(row["library"])).backend,
        "mixed": mixed(row),
        "format": row["format"],
        "mode": _mode(str(row["mode"])),
        "version": version(row),
        "input": input_name(row),
        "x": given(row, fault.x),
        "target": row["target"],
        "what": _what(fault.returned),
        "value": number(fault.value),
        "truth": number(fault.truth),
        "meets": MEETS[who(row)],
        "does": DOES[fault.kind],
        "other": other and {"what": _what(other), "value": number(other.at(fault.x)), "truth": number(other.truth(fault.x))},
        "also": [_mode(mode) for mode in also],
        "not_in": [_mode(mode) for mode in not_in],
        "every": _every(row),
    }  # fmt: skip


def _every(row: Row) -> dict[str, object] | None:
    """Return the largest error over every input of the row's format, and where; None where only a sample is known.

    With it what no error measures: whether NaN or infinity comes where it should not.
    """
    if row["near_basis"] != EVERY_INPUT or row["near_ulp"] == "":
        return None
    lost = float(str(row["near_ulp"])) >= 2.0 ** bits(format_named(str(row["format"])))
    x = given(row, float.fromhex(str(row["near_ulp_input"])))
    at = f"{variable(row)} = {x}"
    condition = range_text(problem_named(str(row["problem"]))).replace("<=", "≤")
    no_number = [label for name, label in NO_NUMBER.items() if int(str(row[name] or 0))]
    return {
        "ulp": f"{float(str(row['near_ulp'])):.4g}", "lost": lost, "at": at, "range": condition, "no_number": no_number,
    }  # fmt: skip


def _mode(name: str) -> str:
    return name.replace("_", " ")


def _what(returned: Returned) -> str:
    return "gradient" if returned.is_gradient else "loss"


def _counterpart(returned: Returned, every: list[Returned]) -> Returned | None:
    """Return the loss that belongs to a gradient, or the other way round, of the same call in the same combination."""
    other = antiderivative_of(returned.problem) or gradient_of(returned.problem)
    if other is None:
        return None
    row = returned.row
    wanted = {**{c: row[c] for c in ("library", "system", "mode", "format", "target")}, "problem": other.name}
    return next((r for r in every if all(r.row[c] == v for c, v in wanted.items())), None)
