"""The page docs/systems.md: versions, calls and replicas of each library.

Its facts are named here, its prose is systems.md.j2.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.systems.pages.advice import HEADS, calls, line, narrowing
from harness.systems.pages.known import swept
from harness.systems.pages.notation import version
from harness.systems.pages.probes import Returned
from harness.systems.registry import library_named
from harness.tables.rows import Row
from harness.tables.templates import render
from harness.tables.text import percent

TEMPLATE = Path(__file__).with_name("systems.md.j2")


def page(rows: Sequence[Row], returned: Sequence[Returned]) -> str:
    """Return the page in Markdown, from the rows of the table and what all systems returned at the probes."""
    every = calls(rows, returned)
    libraries = []
    for name in dict.fromkeys(c.library for c in every):
        there, mine = [c for c in every if c.library == name], [r for r in rows if r["library"] == name]
        entry = library_named(name)
        libraries.append(
            {
                "name": name,
                "source_only": entry.source_only,
                "versions": list(dict.fromkeys(version(r) for r in mine if r["version"])),
                "notes": entry.notes,
                "lines": [line(c, there) for c in there],
                "narrowing": [c.name for c in there if narrowing(c)],
                **_outcomes(mine),
                **_replicas(mine),
            }
        )
    return render(TEMPLATE, heads=HEADS, libraries=libraries, swept=any(map(swept, rows)))


def _outcomes(rows: Sequence[Row]) -> dict[str, object]:
    """Return how many rows have results, why the others have none, and which systems print."""
    done = [r for r in rows if _count(r, "refused") == _count(r, "unavailable") == 0]
    failures = []
    for outcome in ("refused", "unavailable"):
        reasons: dict[str, list[Row]] = {}
        for r in rows:
            if _count(r, outcome):
                reasons.setdefault(str(r["reason"]), []).append(r)
        for reason, there in reasons.items():
            where = list(dict.fromkeys(f"`{r['system']}` in {r['format']}" for r in there))
            failures.append({"outcome": outcome, "where": where, "reason": reason})
    printing = list(dict.fromkeys(str(r["system"]) for r in done if r["reason"]))
    return {"rows": len(rows), "done": len(done), "failures": failures, "printing": printing}


def _replicas(rows: Sequence[Row]) -> dict[str, object]:
    """Return on how many inputs the replicas agree, and whether these are only some; compared 0 where nothing is."""
    there = sorted((r for r in rows if r["agreement"] != ""), key=_agreement)
    least = there[0] if there else None
    return {
        "compared": len(there),
        "whole": sum(_agreement(r) == 1 for r in there),
        "tried": any(r["exhaustive"] != "true" for r in there),
        "least": least and {**least, "percent": percent(_agreement(least))},
    }


def _agreement(row: Row) -> float:
    return float(str(row["agreement"]))


def _count(row: Row, column: str) -> int:
    return int(str(row[column] or 0))
