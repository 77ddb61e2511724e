"""What a claim is, and how it is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.rows import Row
from harness.studies.claims.libraries import NotThere

VERDICTS = ("right", "wrong", "depends", "unavailable")


@dataclass(frozen=True)
class Checked:
    """Hold what was measured, whether the statement holds, and why.

    `holds` is True, False, or None where it depends on what `reason` says.
    """

    measured: str
    holds: bool | None
    reason: str
    versions: str = ""


@dataclass(frozen=True)
class Claim:
    """Hold a statement in circulation and the function that checks it.

    `check` measures; the verdict follows from what it measures and is nowhere written down.  It
    raises libraries.NotThere where the library that the statement is about cannot be run.
    """

    name: str
    statement: str
    check: Callable[[], Checked]

    def row(self) -> Row:
        """Check the claim and return its row."""
        try:
            found = self.check()
            verdict = {True: "right", False: "wrong", None: "depends"}[found.holds]
        except NotThere as e:
            found, verdict = Checked("", None, str(e)), "unavailable"
        return {
            "claim": self.name,
            "statement": self.statement,
            "measured": found.measured,
            "verdict": verdict,
            "reason": found.reason,
            "versions": found.versions,
        }


CLAIMS: list[Claim] = []


def claim(name: str, statement: str) -> Callable[[Callable[[], Checked]], Callable[[], Checked]]:
    """Enter the decorated check into the list of claims; a second claim of one name is an error."""

    def enter(check: Callable[[], Checked]) -> Callable[[], Checked]:
        if any(c.name == name for c in CLAIMS):
            raise ValueError(f"claim {name!r} is entered twice")
        CLAIMS.append(Claim(name, statement, check))
        return check

    return enter
