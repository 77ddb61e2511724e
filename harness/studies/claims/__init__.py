"""Claims in circulation about cross-entropy losses, each checked by code.

A claim is one entry in of_formulas.py, of_probabilities.py or, where it is about a library, of_libraries.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.studies.claims import (  # noqa: F401 - they enter their claims
    limits,
    of_formulas,
    of_libraries,
    of_probabilities,
)
from harness.studies.claims.asking import LIBRARIES, Answers, ask_all
from harness.studies.claims.entry import CLAIMS, VERDICTS, Claim, in_order
from harness.studies.study import Frames, Parameters, Study, Tables
from harness.tables.rows import Row


def checked(claims: Sequence[Claim]) -> Tables:
    """Ask the libraries once, check the claims, and return a row for each claim and for each library."""
    answers = ask_all([(k, line) for c in claims for k, lines in (c.lines or {}).items() for line in lines])
    return {"claims": [c.row(answers) for c in in_order(claims)], "claims_libraries": _libraries(answers)}


def run(parameters: Parameters, part: str) -> Tables:
    """Check every claim of the list; find where the forms that they are about fail."""
    return {**checked(CLAIMS), "claims_limits": limits.rows()}


def _libraries(answers: Answers) -> list[Row]:
    """Return what became of the lines of each library."""
    rows: list[Row] = []
    for name, known in LIBRARIES.items():
        own = [result for (library, _), result in answers.items() if library == name]
        if own:
            missing = [r.reason for r in own if r.status == "unavailable"]
            rows.append(
                {
                    "library": known,
                    "versions": next((r.version for r in own if r.version), ""),
                    "lines": len(own),
                    "answered": sum(r.status == "ok" for r in own),
                    "refused": sum(r.status == "refused" for r in own),
                    "unavailable": len(missing),
                    "reason": missing[0] if missing else "",
                }
            )
    return rows


def answer(frames: Frames) -> list[str]:
    """Count the verdicts, say what the usual cures do, and what to do instead."""
    table = frames["claims"]
    names = {v: list(table[table["verdict"] == v]["claim"]) for v in VERDICTS}
    measured = table.set_index("claim")["measured"]
    verdict = table.set_index("claim")["verdict"]
    unavailable = f", and {len(names['unavailable'])} could not be checked for want of a library"
    # `measured` reads on as the end of a sentence in these three.
    return [
        f"Of {len(table)} statements in circulation {_are(names['right'], 'right')}, {_are(names['wrong'], 'wrong')} and "
        f"{len(names['depends'])} right only for some format, label or library{unavailable if names['unavailable'] else ''}.",
        f"The usual cures are {_both(verdict['f'], verdict['j'])}: with target 0 the loss of a clipped probability (1e-15) is "
        f"{measured['f']}, with 1e-7 added inside the logarithms {measured['j']}.",
        f"Take the loss from the logit, in a form that needs no cure: the log-sum-exp form is {measured['k']}; for soft "
        "labels take the sum of two softplus terms.",
    ]


def _are(names: list[str], verdict: str) -> str:
    listed = f" ({', '.join(names)})" if 0 < len(names) <= 3 else ""
    return f"{len(names)} {'is' if len(names) == 1 else 'are'} {verdict}{listed}"


def _both(first: str, second: str) -> str:
    return first if first == second else f"{first} and {second}"


def reading(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the claims as they are read: the verdict beside the statement, without lines and versions."""
    met = frame["source"].map(lambda kind: f" [{kind}]" if kind else "")
    return pd.DataFrame(
        {
            "": frame["claim"],
            "statement": frame["statement"] + met,
            "verdict": frame["verdict"],
            "measured": frame["measured"],
            "reason": frame["reason"],
        }
    )


STUDY = Study(run, answer, limits.DRAW, reading={"claims": reading, "claims_limits": limits.reading})
