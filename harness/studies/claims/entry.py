"""What a claim is, how it is checked, and the list that its decorator enters it into."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.studies.claims.asking import LIBRARIES, Results, values_of
from harness.systems.registry import Unavailable
from harness.tables.rows import Row
from harness.tables.strongest import Known

VERDICTS = ("right", "wrong", "depends", "unavailable")
NOTHING = Known([])
NO_REASON = "the measurement says so; no reason is on record for this outcome"


@dataclass(frozen=True)
class Checked:
    """Hold what was measured, whether the statement holds, and for each verdict why it would be so.

    `holds` is True, False, or None where it depends on what the reason says.  A verdict that
    nobody expected, after a library's new version say, finds no reason here and the table says so.
    """

    measured: str
    holds: bool | None
    right: str = ""
    wrong: str = ""
    depends: str = ""
    versions: str = ""


@dataclass(frozen=True)
class Claim:
    """Hold a statement in circulation, where it is met, and the function that checks it.

    `lines` are the lines of Python that libraries are asked: for each library those whose values
    `check` gets as its arguments, one list per library, in order; before them, where `from_tables` is true,
    what the tables of other experiments know.  The verdict follows from what is
    measured and is nowhere written down.  `source` is a place that a reader can look up, where the statement is met: an
    address, or package==version and path.  Without one the statement is a common belief.
    """

    name: str
    statement: str
    check: Callable[..., Checked]
    source: str = ""
    lines: Mapping[str, Sequence[str]] | None = None
    from_tables: bool = False

    def row(self, results: Results, known: Known = NOTHING) -> Row:
        """Check the claim against what the libraries' lines gave and what is known, and return its row."""
        asked = self.lines or {}
        first = [known] if self.from_tables else []
        versions = ""
        try:
            found = self.check(*first, *(values_of(results, library, lines) for library, lines in asked.items()))
            verdict = {True: "right", False: "wrong", None: "depends"}[found.holds]
            versions = found.versions or ", ".join(results[k, v[0]].version for k, v in asked.items())
            reason = getattr(found, verdict) or NO_REASON
        except Unavailable as e:
            found, verdict, reason = Checked("", None), "unavailable", str(e)
        return {
            "claim": self.name,
            "statement": self.statement,
            "source": self.source,
            "verdict": verdict,
            "measured": found.measured,
            "reason": reason,
            "lines": "; ".join(line for lines in asked.values() for line in lines),
            "versions": versions,
        }


CLAIMS: list[Claim] = []
# What a reader can look up: an address, or a file of a package in a version.
LOOKED_UP = re.compile(r"https://[\w.-]+\.\w+/\S+( \(.+\))?|[\w.-]+==\d[\w.]* \S+\.py( \(.+\))?")


def claim(
    name: str, statement: str, source: str = "", from_tables: bool = False, **lines: Sequence[str]
) -> Callable[[Callable[..., Checked]], Callable[..., Checked]]:
    """Enter the decorated check into the list of claims.

    ValueError for a name in use, an unknown library, or a source that nobody can look up.

    With `from_tables` the check's first argument is what the tables of other experiments know.
    Each further keyword is a library (asking.LIBRARIES) with the lines that it is asked.
    """
    unknown = next((library for library in lines if library not in LIBRARIES), None)
    if unknown is not None:
        raise ValueError(f"claim {name!r} asks {unknown!r}, which is none of {', '.join(LIBRARIES)}")

    if source and not LOOKED_UP.fullmatch(source):
        raise ValueError(
            f"claim {name!r}: nobody can look up {source!r}; give an address, or package==version and path"
        )

    def enter(check: Callable[..., Checked]) -> Callable[..., Checked]:
        if any(c.name == name for c in CLAIMS):
            raise ValueError(f"claim {name!r} is entered twice")
        CLAIMS.append(Claim(name, statement, check, source, lines, from_tables))
        return check

    return enter


def in_order(claims: Sequence[Claim]) -> list[Claim]:
    """Return claims by name: a to z, then aa, ab and so on."""
    return sorted(claims, key=lambda c: (len(c.name), c.name))
