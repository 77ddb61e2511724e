"""Claims: verdicts follow from what is measured, and one entry is all that a new claim needs."""

import pytest

from harness.studies.claims import answer, entries, rows_of
from harness.studies.claims import measures as m
from harness.studies.claims.entry import CLAIMS, VERDICTS, Checked, Claim, claim
from harness.studies.claims.libraries import NotThere, ask
from harness.tables import to_csv

ISSUE = list("abcdefghijk")
# Claims that need no library.
ALONE = [c for c in CLAIMS if c.name in "abcfijkopqrstuv"]


def test_the_list_begins_with_the_eleven_and_names_are_single():
    names = [c.name for c in entries.CLAIMS]
    assert names[:11] == ISSUE and len(set(names)) == len(names) >= 19


def test_one_entry_is_enough(monkeypatch):
    monkeypatch.setattr("harness.studies.claims.entry.CLAIMS", added := [])

    @claim("new", "Two is three.")
    def check() -> Checked:
        return Checked("2", 2 == 3, "it is not")

    assert rows_of(added) == [
        {
            "claim": "new",
            "statement": "Two is three.",
            "measured": "2",
            "verdict": "wrong",
            "reason": "it is not",
            "versions": "",
        }
    ]
    with pytest.raises(ValueError, match="twice"):
        claim("new", "Again.")(check)


def test_verdicts_need_no_library_and_repeat():
    first = rows_of(ALONE)
    assert {r["claim"]: r["verdict"] for r in first if r["claim"] in "abik"} == {
        "a": "wrong",
        "b": "wrong",
        "i": "wrong",
        "k": "right",
    }
    assert all(r["verdict"] in VERDICTS[:3] and r["measured"] and r["reason"] for r in first)
    assert to_csv(rows_of(ALONE), list(first[0])) == to_csv(first, list(first[0]))


def test_a_true_statement_would_be_called_right(monkeypatch):
    """Negative control: with a stable kernel in the place of the faulty one, the same checks say right."""
    real = m.loss_row.__wrapped__
    monkeypatch.setattr(m, "loss_row", lambda kernel, fmt, target="0": real("softplus_pair", fmt, target))
    verdicts = {c.name: c.row()["verdict"] for c in CLAIMS if c.name in "fjor"}
    assert verdicts == dict.fromkeys("fjor", "right")


def test_a_missing_library_is_told():
    def check() -> Checked:
        return Checked(str(ask("no_such_library", "1").values), True, "")

    row = Claim("x", "It works.", check).row()
    assert row["verdict"] == "unavailable" and "no_such_library" in row["reason"]


def test_a_library_answers_in_its_own_process():
    found = ask("numpy", "np.float32([1, 2])", "1 / 0", "float('inf')")
    assert found.values == [[1.0, 2.0], "ZeroDivisionError: division by zero", [float("inf")]]
    assert found.version.startswith("numpy 2")
    with pytest.raises(NotThere, match="numpy cannot be run"):
        ask("numpy", "__import__('os')._exit(3)")


def test_the_answer_counts_the_table():
    import pandas as pd

    rows = [{"claim": n, "verdict": "wrong", "measured": "m", "reason": "r"} for n in "fjk"]
    told = " ".join(answer({"claims": pd.DataFrame(rows)}))
    rows[2]["verdict"] = "right"
    assert told != " ".join(answer({"claims": pd.DataFrame(rows)})) and "3 statements" in told
