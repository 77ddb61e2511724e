"""Claims: verdicts follow from what is measured, and one entry is all that a new claim needs."""

import csv
import json
from pathlib import Path

import mpmath
import pandas as pd
import pytest

from harness.numbers.formats import format_named
from harness.studies.claims import instruments as m
from harness.studies.claims import measure
from harness.studies.claims.asking import LIBRARIES, LineValue, ask, value_of
from harness.studies.claims.entry import CLAIMS, NO_REASON, VERDICTS, Checked, Claim, claim, in_order
from harness.studies.study import load, study_of
from harness.systems.registry import Library, Unavailable
from harness.tables.writer import to_csv
from harness.workflow.provenance import functions_differ

ISSUE = list("abcdefghijk")
BY_NAME = {c.name: c for c in CLAIMS}
ALONE = [c for c in in_order(CLAIMS) if not c.lines]
NUMPY = Library("numpy", "", ("numpy",))


@pytest.fixture(scope="module")
def rows():
    """The claims that need no library, checked."""
    return measure.checked(ALONE)["claims"]


def test_the_list_begins_with_the_eleven_and_names_are_single():
    names = [c.name for c in in_order(CLAIMS)]
    assert names[:11] == ISSUE and len(set(names)) == len(names) >= 19
    assert [n for n in names if len(n) == 1] == names[:26] and names[26:28] == ["aa", "ab"]


def test_one_entry_is_enough_to_be_in_the_table(monkeypatch, rows):
    monkeypatch.setattr(measure, "CLAIMS", listed := [*ALONE[:1]])
    monkeypatch.setattr("harness.studies.claims.entry.CLAIMS", listed)
    monkeypatch.setattr(measure, "limit_rows", lambda: [])

    @claim("new", "Two is three.", "tests")
    def check() -> Checked:
        return Checked("2", 2 == 3, wrong="it is not")

    table = measure.run({}, "all")["claims"]
    assert [r["claim"] for r in table] == ["a", "new"]
    told = {"statement": "Two is three.", "source": "tests", "verdict": "wrong", "measured": "2", "reason": "it is not"}
    assert told.items() <= table[1].items() and list(table[1]) == list(rows[0])
    with pytest.raises(ValueError, match="twice"):
        claim("new", "Again.")(check)
    with pytest.raises(ValueError, match="asks 'theano', which is none of keras"):
        claim("other", "It works.", theano=["1"])


def test_verdicts_need_no_library_and_repeat(rows):
    verdicts = {r["claim"]: r["verdict"] for r in rows}
    assert {verdicts[n] for n in "abcfij"} == {"wrong"}
    assert all(r["verdict"] in VERDICTS[:3] and r["measured"] and r["reason"] not in ("", NO_REASON) for r in rows)
    m.loss_row.cache_clear()
    m.first_off.cache_clear()
    assert to_csv(measure.checked(ALONE)["claims"], list(rows[0])) == to_csv(rows, list(rows[0]))


def test_a_true_statement_would_be_called_right(monkeypatch):
    """Negative control: with a stable kernel in the place of the faulty one, the same checks say right."""
    stable, run = m.loss_row.__wrapped__, m.run
    monkeypatch.setattr(m, "loss_row", lambda kernel, fmt, target="0": stable("softplus_pair", fmt, target))
    monkeypatch.setattr(m, "first_off", lambda *a: None)
    monkeypatch.setattr(m, "run", lambda problem, kernel, *a: run(problem, _stable(problem, kernel), *a))
    verdicts = {n: BY_NAME[n].row({})["verdict"] for n in "fjoruxz"}
    assert verdicts == dict.fromkeys("fjoruxz", "right")


def _stable(problem: str, kernel: str) -> str:
    return {"bce_logits": "softplus_pair", "bce_logits_grad": "sigmoid_minus_target"}.get(problem, kernel)


def test_the_first_two_are_right_with_the_right_numbers():
    with mpmath.workdps(40):
        loss = [mpmath.log1p(mpmath.exp(-x)) + (1 - y) * x for x, y in ((2, 1), (-1, 0), (0.5, 1))]
        assert BY_NAME["a"].row({})["measured"] == m.listed(loss, 8)
        soft = [
            mpmath.log1p(mpmath.exp(-x)) + (1 - mpmath.mpf(y)) * x for x, y in ((2, "0.8"), (-1, "0.2"), (0.5, "0.9"))
        ]
        assert BY_NAME["b"].row({})["measured"] == m.digits(sum(soft) / 3, 7)


def test_where_a_loss_goes_wrong_is_the_first_float_at_which_it_does():
    f = format_named("float32")
    with mpmath.workdps(40):
        for kernel, side in (("sigmoid_clip_1e-7", 1), ("sigmoid_add_eps_1e-7", 1), ("linear_softplus", -1)):
            bad = m.first_off(kernel, "float32", "0", side)
            good = f.next_down(bad) if side > 0 else f.next_up(bad)
            for x, off in ((bad, True), (good, False)):
                exact = mpmath.log1p(mpmath.exp(mpmath.mpf(x)))
                computed = mpmath.mpf(float(m.run("bce_logits", kernel, m.floats(x), 0)[0]))
                assert (abs(computed - exact) > m.OFF * exact) == off, (kernel, x)
    assert m.first_off("softplus_pair", "float32") is None
    assert m.first_off("sigmoid_naive", "bfloat16") > m.first_off("linear_softplus", "bfloat16", "0", -1)


def test_worst_errors_are_those_of_the_table_of_kernels():
    other = functions_differ(json.loads(Path("results/tables/logits.json").read_text())["provenance"])
    if other:
        pytest.skip(f"results/tables/logits.csv was {other}")
    with Path("results/tables/logits.csv").open() as file:
        table = {
            (r["kernel"], r["format"], r["target"]): r for r in csv.DictReader(file) if r["problem"] == "bce_logits"
        }
    for kernel, fmt in (("lse_log1p", "float32"), ("sigmoid_naive", "float32"), ("lse_log1p", "float16")):
        r = table[kernel, fmt, "0"]
        at_least = "" if r["exhaustive"] == "true" else "≥ "
        assert m.found(kernel, fmt) == at_least + m.shown(float(r["max_ulp"]))


def test_pace_tells_the_slower_kernel_from_the_faster():
    assert m.pace("sigmoid_naive", "sigmoid_naive", "float64") == "as fast"
    assert m.pace("lse_log1p", "sigmoid_naive", "float64") == "faster"
    assert m.pace("sigmoid_naive", "lse_log1p", "float64") == "slower"


def test_an_outcome_that_nobody_expected_has_no_reason():
    row = Claim("x", "It works.", lambda: Checked("3", True, wrong="it broke")).row({})
    assert (row["verdict"], row["reason"]) == ("right", NO_REASON)


def test_a_library_answers_in_its_own_process():
    found = [value_of("numpy", r) for r in ask(NUMPY, ["np.float32(1) + 2", "1 / 0", "numpy.inf", "__name__"])]
    assert found[0] == LineValue(3.0) and str(found[0]) == "3"
    assert found[1].raised == "ZeroDivisionError" == str(found[1])
    assert found[2].value == float("inf")
    assert found[3].raised in ("NameError", "ValueError")


def test_a_missing_or_a_crashing_library_is_told():
    missing, crashing = (
        ask(Library("gone", "", ("no_such_library",)), ["1"]),
        ask(NUMPY, ["1", "__import__('os')._exit(3)"]),
    )
    with pytest.raises(Unavailable, match="gone: not installed: No module named 'no_such_library'"):
        value_of("gone", missing[0])
    assert value_of("numpy", crashing[0]) == LineValue(1.0)
    with pytest.raises(Unavailable, match="exit code 3"):
        value_of("numpy", crashing[1])
    asked = Claim("x", "It works.", lambda torch: Checked("1", True), "", {"torch": ["1"]})
    row = asked.row({("torch", "1"): missing[0]})
    assert (row["verdict"], row["measured"], row["lines"]) == ("unavailable", "", "1")
    assert row["reason"] == "torch: not installed: No module named 'no_such_library'"


def test_library_claims_decide_by_the_answers():
    """Negative control: answers that would make a statement true make it right, whatever the library does today."""
    cases = {
        "e": ([16.1, 16.1], "right", [15.9, 16.1], "wrong"),
        "m": ([100, 100, -1], "right", [101, 100, -1], "wrong"),
        "w": ([0, 15, 15, 0], "right", [0, 15, float("nan"), 0], "wrong"),
        "ad": ([100, 1], "right", [100, 0], "wrong"),
        "n": ([1, 1, 1], "right", [1, 1, float("nan")], "depends"),
    }
    for name, (yes, first, no, second) in cases.items():
        verdicts = [{True: "right", False: "wrong", None: "depends"}[_holds(name, v)] for v in (yes, no)]
        assert verdicts == [first, second], name


def _holds(name: str, values: list[float]) -> bool | None:
    return BY_NAME[name].check([LineValue(float(v)) for v in values]).holds


def test_the_answer_counts_the_table():
    names = [*"fjk", "x"]
    rows = [{"claim": n, "verdict": "wrong", "measured": f"m{n}", "reason": "r"} for n in names]
    study = study_of(load(Path("experiments/claims.yaml")))
    told = study.answered({"claims": pd.DataFrame(rows)}).splitlines()
    rows[3]["verdict"] = "right"
    changed = study.answered({"claims": pd.DataFrame(rows)}).splitlines()
    assert len(told) == 3 and "Of 4 statements" in told[0] and "(x)" in changed[0] and "(x)" not in told[0]
    assert "mf" in told[1] and "mj" in told[1] and "mk" in told[2]


def test_the_table_has_every_claim_and_only_missing_libraries_leave_one_open():
    def table(name: str) -> list[dict[str, str]]:
        with Path(f"results/tables/{name}.csv").open() as file:
            return list(csv.DictReader(file))

    claims = {r["claim"]: r for r in table("claims")}
    absent = {r["library"] for r in table("claims_libraries") if r["unavailable"] != "0"}
    assert list(claims) == [c.name for c in in_order(CLAIMS)]
    for name, r in claims.items():
        asked = {LIBRARIES[library] for library in BY_NAME[name].lines}
        assert (r["verdict"] == "unavailable") == bool(asked & absent), name
        assert r["versions"] or not asked or asked & absent, name
        assert r["reason"] not in ("", NO_REASON), name
    assert set(load(Path("experiments/claims.yaml")).tables) == {"claims", "claims_limits", "claims_libraries"}
