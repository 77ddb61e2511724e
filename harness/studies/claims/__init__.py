"""Claims in circulation about cross-entropy losses, each checked by code; entries.py has the list."""

from __future__ import annotations

import pandas as pd

from harness.rows import Row
from harness.studies.claims.entries import CLAIMS
from harness.studies.claims.entry import VERDICTS, Claim
from harness.studies.study import Frames, Parameters, Study, Tables


def rows_of(claims: list[Claim]) -> list[Row]:
    """Check claims and return a row for each."""
    return [claim.row() for claim in claims]


def run(parameters: Parameters, part: str) -> Tables:
    """Check every claim of the list."""
    return {"claims": rows_of(CLAIMS)}


def answer(frames: Frames) -> list[str]:
    """Count the verdicts and name those that are right."""
    table = frames["claims"]
    count = {v: int((table["verdict"] == v).sum()) for v in VERDICTS}
    right = ", ".join(table[table["verdict"] == "right"]["claim"])
    by_name = table.set_index("claim")
    missing = (
        f" ({count['unavailable']} could not be checked, their library being absent)" if count["unavailable"] else ""
    )
    return [
        f"Of {len(table)} statements, {count['right']} {'is' if count['right'] == 1 else 'are'} right"
        f"{f' ({right})' if right else ''}, {count['wrong']} {'is' if count['wrong'] == 1 else 'are'} wrong, and "
        f"{count['depends']} {'depends' if count['depends'] == 1 else 'depend'} on the format, the library or the input{missing}.",
        f"Neither folklore cure works: clipping at 1e-15 is {by_name['measured']['f']}, adding 1e-7 is {by_name['measured']['j']}."
        if {by_name["verdict"][n] for n in "fj"} == {"wrong"}
        else f"Clipping at 1e-15: {by_name['verdict']['f']}; adding 1e-7: {by_name['verdict']['j']}.",
        f"The log-sum-exp form needs {by_name['measured']['k']}.",
    ]


def reading(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it is read."""
    return frame.rename(columns={"claim": ""})


STUDY = Study(run, answer, reading={"claims": reading})
