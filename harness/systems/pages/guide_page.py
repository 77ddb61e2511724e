"""docs/systems.md as a page: a section for each library, with its versions, its calls, and how its replicas agree."""

from __future__ import annotations

from collections.abc import Sequence

from harness.systems.pages.effects import Answer
from harness.systems.pages.guide import Call, calls, sentences
from harness.systems.pages.wording import version
from harness.systems.registry import library_named
from harness.tables.rows import Row
from harness.tables.writer import percent

INTRODUCTION = """# What to know about the losses of real libraries

Generated from what the libraries returned in this run; do not edit. Every number is in `results/tables/systems.csv` or
was returned at one of the round inputs that are probed: logits −112 to 112, in halves up to ±20, and probabilities
10⁻¹⁶ to 1 − 10⁻¹⁶. “From x = 17” means that 17 is the probe nearest to the centre at which it shows; modes
and hard targets are taken together. A loss leaves the truth where it is off by 10 % or more and should be 1 or
more; a gradient is off, or dies, by the same measure where it should be 0.1 or more in size; a small value is wrong where it is off by half.

The largest errors side by side, where the logit is at most 20 in size:
[from logits](../results/figures/systems_logits.png), [from probabilities](../results/figures/systems_probabilities.png);
loss and gradient of the calls that introductions show: [plateaus](../results/figures/systems_plateaus.png).
The likeliest surprises: [findings](findings.md).
"""


def page(rows: Sequence[Row], answers: Sequence[Answer]) -> str:
    """Return the page in Markdown."""
    every = calls(rows, answers)
    names = dict.fromkeys(c.library for c in every)
    return INTRODUCTION + "".join(_section(name, [c for c in every if c.library == name], rows) for name in names)


def _section(name: str, there: list[Call], rows: Sequence[Row]) -> str:
    mine = [r for r in rows if r["library"] == name]
    versions = dict.fromkeys(version(r) for r in mine if r["version"])
    heading = "Source only: replicas" if name == "replica" else name
    listed = [f"- `{c.name}`: {sentences(c, there)}" for c in there]
    return "\n".join(
        [
            f"\n## {heading}\n",
            f"{', '.join(versions) or 'not installed'}. {_outcomes(mine)}\n",
            *listed,
            "",
            _replicas(name, mine),
            "",
        ]
    )


def _outcomes(rows: Sequence[Row]) -> str:
    """Write how many rows have results, and why the others have none."""
    done = [r for r in rows if _count(r, "refused") == _count(r, "unavailable") == 0]
    text = [f"{len(done)} of {len(rows)} combinations of call, mode, format and target gave results."]
    for outcome in ("refused", "unavailable"):
        reasons: dict[str, list[Row]] = {}
        for r in rows:
            if _count(r, outcome):
                reasons.setdefault(str(r["reason"]), []).append(r)
        for reason, there in reasons.items():
            where = ", ".join(dict.fromkeys(f"`{r['system']}` in {r['format']}" for r in there))
            text.append(f"{outcome.capitalize()}: {where} ({reason}).")
    printed = dict.fromkeys(f"`{r['system']}`" for r in done if r["reason"])
    return " ".join(text + ([f"Prints to standard output: {', '.join(printed)}."] if printed else []))


def _replicas(name: str, rows: Sequence[Row]) -> str:
    """Write on how many inputs the replicas agree, and why not on others."""
    there = sorted((r for r in rows if r["agreement"] != ""), key=_agreement)
    found = [_agreement(r) for r in there]
    if name == "replica" or not found:
        return "No library is called: these are formulas from the sources named, in NumPy." if name == "replica" else ""
    whole = sum(v == 1 for v in found)
    if whole == len(found):
        return f"Replicas: bit for bit the same on every input in all {whole} combinations."
    text = f"Replicas: bit for bit the same on every input in {whole} of {len(found)} combinations; in the others on {percent(found[0])} of inputs or more, the least of `{there[0]['system']}` in {there[0]['format']}."
    notes = library_named(name).notes
    return text + (f" Why not everywhere: {notes}." if notes else "")


def _agreement(row: Row) -> float:
    return float(str(row["agreement"]))


def _count(row: Row, column: str) -> int:
    return int(str(row[column] or 0))
