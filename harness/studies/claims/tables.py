"""What is shown of the claims and of the limits, and what the answer is told."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.studies.claims.entry import VERDICTS
from harness.studies.claims.instruments import FORMATS
from harness.studies.study import Frames
from harness.tables.basis import EVERY_INPUT
from harness.tables.strongest import Known
from harness.tables.text import short
from harness.tables.views import Column, plain


def _limits(frame: pd.DataFrame) -> pd.DataFrame:
    """Show a line for each kernel: the nearest wrong logits on either side of 0 in each format, – for none.

    A format whose logits were not all tried says so in its heading.
    """
    ends = frame[["right_prediction", "wrong_prediction"]].map(lambda cell: short(cell) if cell else "–")
    cells = ends["right_prediction"] + " / " + ends["wrong_prediction"]
    searched = (frame[["right_basis", "wrong_basis"]] != EVERY_INPUT).any(axis=1)
    shown = {}
    for fmt in FORMATS:
        own = frame["format"] == fmt
        shown[fmt + (", of those tried" if searched[own].any() else "")] = list(cells[own])
    return pd.DataFrame({"kernel": frame["kernel"].unique(), **shown})


CLAIM, JUDGED = plain("claim", "statement"), plain("verdict", "measured", "reason")
VIEWS = {
    "claims": [*CLAIM, Column("circulates", "source"), *JUDGED],
    "claims_beliefs": [*CLAIM, *JUDGED],
    "claims_limits": _limits,
}


def facts(frames: Frames, known: Known) -> dict[str, Any]:
    """Sort the claims by verdict, and give verdict and measurement of those that the answer quotes."""
    table, beliefs = frames["claims"], frames["claims_beliefs"]
    verdict, measured = (table.set_index("claim")[column] for column in ("verdict", "measured"))
    return {
        "statements": len(table),
        **{v: list(table["claim"][table["verdict"] == v]) for v in VERDICTS},
        "beliefs": len(beliefs),
        **{f"beliefs_{v}": list(beliefs["claim"][beliefs["verdict"] == v]) for v in VERDICTS},
        # What was measured reads on as the end of a sentence in these three.
        "clip_verdict": verdict["f"],
        "clip": measured["f"],
        "added_verdict": verdict["j"],
        "added": measured["j"],
        "log_sum_exp": measured["k"],
    }
