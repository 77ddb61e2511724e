"""Claims in circulation about cross-entropy losses, each checked by code."""

from __future__ import annotations

from mpmath import mp

from harness.problems import problem_named
from harness.reference import decimal, truth
from harness.rows import Row
from harness.studies.study import Frames, Parameters, Study, Tables

LOGITS = (2.0, -1.0, 0.5)


def run(parameters: Parameters, part: str) -> Tables:
    """Check every claim."""
    problem = problem_named("bce_logits")
    values = [decimal(truth(problem, (mp.mpf(x), mp.mpf(y))), 8) for x, y in zip(LOGITS, (1, 0, 1))]
    stated = (0.126928, 0.31326166, 0.6224593)
    wrong = [v for v, s in zip(values, stated) if abs(float(v) - s) > 5e-9]
    claim: Row = {
        "claim": f"The losses of logits {LOGITS} with labels (1, 0, 1) are {stated}",
        "measured": ", ".join(values),
        "verdict": "wrong" if wrong else "right",
        "reason": f"the last digits of {', '.join(wrong)} are off" if wrong else "every digit holds",
    }
    return {"claims": [claim]}


def answer(frames: Frames) -> list[str]:
    """Count the verdicts."""
    counts = frames["claims"]["verdict"].value_counts()
    return [f"Of {len(frames['claims'])} statements, {counts.get('right', 0)} are right."]


STUDY = Study(run, answer)
