"""The page docs/findings.md: the likeliest surprises.  Its facts are named here, its prose is findings.md.j2."""

from __future__ import annotations

from pathlib import Path

from harness.numbers.formats import format_named
from harness.problems import antiderivative_of, gradient_of, problem_named
from harness.systems.pages.notation import given, input_name, number, variable, version
from harness.systems.pages.probes import Returned
from harness.systems.pages.surprises import MOST, Surprise, mixed, surprises
from harness.systems.registry import library_named
from harness.tables.basis import EVERY_INPUT
from harness.tables.rows import Row
from harness.tables.templates import render
from harness.tables.usual import range_text
from harness.truth.classes import bits

TEMPLATE = Path(__file__).with_name("findings.md.j2")


def page(every: list[Returned]) -> str:
    """Return the page in Markdown, from what all systems returned at the probes."""
    found = surprises(every)
    listed = [facts(surprise, every) for surprise in found]
    return render(TEMPLATE, most=min(MOST, len(found)), combinations=len(every), surprises=listed)


def facts(surprise: Surprise, every: list[Returned]) -> dict[str, object]:
    """Return what the template says of one surprise."""
    fault, row = surprise.fault, surprise.fault.returned.row
    other = _counterpart(fault.returned, every)
    return {
        "kind": fault.kind,
        "system": row["system"],
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
        "weights": surprise.weights,
        "likelihood": surprise.likelihood,
        "other": other and {"what": _what(other), "value": number(other.at(fault.x)), "truth": number(other.truth(fault.x))},
        "also": [_mode(mode) for mode in surprise.also],
        "not_in": [_mode(mode) for mode in surprise.not_in],
        "every": _every(row),
        "line": surprise.line,
    }  # fmt: skip


def _every(row: Row) -> dict[str, object] | None:
    """Return the largest error over every input of the row's format, and where; None where only a sample is known."""
    if row["near_basis"] != EVERY_INPUT or row["near_ulp"] == "":
        return None
    lost = float(str(row["near_ulp"])) >= 2.0 ** bits(format_named(str(row["format"])))
    x = given(row, float.fromhex(str(row["near_ulp_input"])))
    at = f"{variable(row)} = {x}"
    condition = range_text(problem_named(str(row["problem"]))).replace("<=", "≤")
    return {"ulp": f"{float(str(row['near_ulp'])):.4g}", "lost": lost, "at": at, "range": condition}


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
