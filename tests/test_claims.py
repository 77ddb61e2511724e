"""Claims: verdicts follow from what is measured, and one entry is all that a new claim needs."""

import csv
import json
import math
from functools import partial
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest

from harness.numbers.formats import format_named
from harness.studies.claims import instruments as m
from harness.studies.claims import measure
from harness.studies.claims.asking import LIBRARIES, LineValue, ask, value_of
from harness.studies.claims.entry import CLAIMS, LOOKED_UP, NO_REASON, VERDICTS, Checked, Claim, claim, in_order
from harness.studies.claims.first import First, first
from harness.studies.study import load, study_of
from harness.systems.registry import Library, Unavailable
from harness.tables.rows import CONTRACT
from harness.tables.strongest import Known
from harness.tables.text import downward, short
from harness.tables.writer import to_csv
from harness.workflow import files
from harness.workflow.provenance import functions_differ

ISSUE = list("abcdefghijk")
BY_NAME = {c.name: c for c in CLAIMS}
ALONE = [c for c in in_order(CLAIMS) if not c.lines]
KNOWN = measure.made_here(["results/tables/exhaustive_logits.csv", "results/tables/worst_float64.csv"])
NUMPY = Library("numpy", "", ("numpy",))


def judged(tables):
    """The rows of all claims, those in circulation and those believed, in order."""
    return sorted([*tables["claims"], *tables["claims_beliefs"]], key=lambda r: (len(r["claim"]), r["claim"]))


@pytest.fixture(scope="module")
def rows():
    """The claims that need no library, checked."""
    return judged(measure.checked(ALONE))


def test_the_list_begins_with_the_eleven_and_names_are_single():
    names = [c.name for c in in_order(CLAIMS)]
    assert names[:11] == ISSUE and len(set(names)) == len(names) >= 19
    assert [n for n in names if len(n) == 1] == names[:26] and names[26:28] == ["aa", "ab"]


def test_one_entry_is_enough_to_be_in_the_table(monkeypatch, rows):
    monkeypatch.setattr(measure, "CLAIMS", listed := [*ALONE[:1]])
    monkeypatch.setattr("harness.studies.claims.entry.CLAIMS", listed)
    monkeypatch.setattr(measure, "limit_rows", lambda known: [])

    @claim("new", "Two is three.", "https://example.org/two")
    def check() -> Checked:
        return Checked("2", 2 == 3, wrong="it is not")

    table = judged(measure.run({}, "all"))
    assert [r["claim"] for r in table] == ["a", "new"]
    told = {
        "statement": "Two is three.",
        "source": "https://example.org/two",
        "verdict": "wrong",
        "measured": "2",
        "reason": "it is not",
    }
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
    assert to_csv(judged(measure.checked(ALONE)), list(rows[0])) == to_csv(rows, list(rows[0]))


def test_a_true_statement_would_be_called_right(monkeypatch):
    """Negative control: with a stable kernel in the place of the faulty one, the same checks say right."""
    stable, run = m.loss_row.__wrapped__, m.run
    monkeypatch.setattr(m, "loss_row", lambda kernel, fmt, target="0": stable("softplus_pair", fmt, target))
    monkeypatch.setattr(m, "first_off", lambda *a: First(None, "search"))
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
            bad = m.first_wrong(KNOWN, kernel, "float32", side).value
            good = f.next_down(bad) if side > 0 else f.next_up(bad)
            for x, off in ((bad, True), (good, False)):
                exact = mpmath.log1p(mpmath.exp(mpmath.mpf(x)))
                computed = mpmath.mpf(float(m.run("bce_logits", kernel, m.floats(x), 0)[0]))
                assert (abs(computed - exact) > m.OFF * exact) == off, (kernel, x)
    assert m.first_wrong(KNOWN, "softplus_pair", "float32") == First(None, "every_input")
    assert m.first_off("softplus_pair", "float32") == First(None, "search")
    sides = (m.first_off("sigmoid_naive", "bfloat16"), m.first_off("linear_softplus", "bfloat16", -1))
    assert sides[0].value > sides[1].value and {first.basis for first in sides} == {"every_input"}


def test_no_logit_nearer_to_0_than_the_one_named_is_more_than_5_percent_off():
    """An independent scan of every float32 number, and of dense probes in float64, against the committed table."""
    with Path("results/tables/claims_limits.csv").open() as file:
        table = {(r["kernel"], r["format"]): r for r in csv.DictReader(file)}
    for kernel, start in (("linear_softplus", -2.0), ("sigmoid_naive", -8.0)):
        named = float(table[kernel, "float32"]["right_prediction"])
        assert table[kernel, "float32"]["right_basis"] == "every_input"
        nearest, ordinals = None, format_named("float32").ordinal(m.floats(start, named))
        for begin in range(int(ordinals[0]), int(ordinals[1]) - 1, -(1 << 20)):
            x = format_named("float32").from_ordinal(np.arange(begin, max(begin - (1 << 20), int(ordinals[1]) - 1), -1))
            exact = np.logaddexp(0, x.astype(np.float64))
            wrong = abs(m.run("bce_logits", kernel, x, 0) - exact) > m.OFF * exact
            if wrong.any():
                nearest = float(x[np.argmax(wrong)])
                break
        assert nearest == named, kernel
        double = float(table[kernel, "float64"]["right_prediction"])
        assert table[kernel, "float64"]["right_basis"] == "search"
        x = np.linspace(start, np.nextafter(double, 0), 1 << 22)
        exact = np.logaddexp(0, x)
        assert not (abs(m.run("bce_logits", kernel, x, 0) - exact) > m.OFF * exact).any(), kernel


@pytest.mark.parametrize("name", ["bfloat16", "float32", "float64"])
def test_the_first_is_found_where_a_property_comes_and_goes(name):
    """Negative control: halving between a good sample and a bad one steps over the islands before it."""
    f = format_named(name)

    def holds(x):
        x = np.asarray(x, np.float64)
        return (x >= 32) | ((x >= 9.5) & (x < 9.75)) | ((x >= 14) & (x < 20))

    assert first(f, 1.0, 1000.0, holds) == First(9.5, "search" if name == "float64" else "every_input")
    assert first(f, 1.0, 1000.0, holds, walked=False) == First(9.5, "search")
    assert first(f, -1.0, -1000.0, lambda x: holds(-x), walked=False) == First(-9.5, "search")
    assert first(f, 1.0, 9.0, holds).value is None
    low, high = (int(o) for o in f.ordinal(np.array([1.0, 1000.0]).astype(f.dtype)))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(f.from_ordinal(np.array([middle])))[0] else (middle, high)
    assert float(f.from_ordinal(np.array([high]))[0]) != 9.5


def test_a_single_number_is_found_by_walking_and_may_be_missed_by_a_search():
    f, lone = format_named("float32"), float(np.float32(3.1415927))
    alone = partial(np.equal, np.float32(lone))
    assert first(f, 1.0, 50.0, alone) == First(lone, "every_input")
    assert first(f, 1.0, 50.0, alone, walked=False) == First(None, "search")


def test_five_percent_is_judged_as_by_mpmath():
    """Blocks over which the loss is monotone are judged at their ends, near points by mpmath."""
    f = format_named("float32")
    for low, high in ((-14.5, -14.3), (16.6, 16.7), (-2.001, -2.0)):
        x = np.linspace(low, high, 101).astype(np.float32)
        with mpmath.workdps(40):
            exact = [mpmath.log1p(mpmath.exp(mpmath.mpf(float(v)))) for v in x]
            computed = [mpmath.mpf(float(v)) for v in m.run("bce_logits", "sigmoid_naive", x, 0)]
            off = [not abs(c - e) <= m.OFF * e for c, e in zip(computed, exact, strict=True)]
        assert list(m.off("sigmoid_naive", f, x)) == off
        assert any(off) == (low > -2.0 or high < -2.0)


# -- what other tables know -------------------------------------------------------------------------


def cells(**changed):
    """A row of a table, as far as it matters here."""
    row = {**dict.fromkeys(CONTRACT, "0"), "problem": "bce_logits", "kernel": "lse_log1p", "format": "float32"}
    return {**row, "target": "0", "grid": "standard", "exhaustive": "false", "max_ulp": "2.15", **changed}


def test_tables_that_are_missing_or_of_other_functions_know_nothing(tmp_path):
    path = tmp_path / "t.csv"
    write = {"libc": "another"}
    for recorded, count in (({}, 1), (write, 0)):
        path.write_text(to_csv([cells()], list(cells())))
        files.write_json(path.with_suffix(".json"), {"sha256": {path.name: files.sha256(path)}, "provenance": recorded})
        assert len(measure.made_here([path, tmp_path / "none.csv"]).rows) == count


def test_claims_speak_from_every_input_where_a_table_has_it(tmp_path):
    assert KNOWN.rows, "results/tables/exhaustive_logits.csv was made with other functions"
    told = BY_NAME["t"].row({}, KNOWN)
    assert "2.89 (float32)" in told["measured"] and "≥ 2.89" not in told["measured"]
    assert "≥ 2.14 (float32)" in BY_NAME["t"].row({})["measured"]  # negative control: without the table
    assert m.found(KNOWN, "lse_log1p", "float32") == "2.89" and m.found(KNOWN, "lse_log1p", "float64").startswith("≥ ")
    assert m.worst(KNOWN, "lse_log1p", "float64") > m.worst(Known([]), "lse_log1p", "float64")
    best = {"exhaustive": "true", "max_ulp": "0.5", "max_ulp_input": "0x1p+0"}
    path = tmp_path / "planted.csv"
    path.write_text(to_csv([cells(format=f, **best) for f in m.FORMATS], list(cells())))
    planted = Known.of([path])
    assert BY_NAME["t"].row({}, planted)["verdict"] == "right"


def test_where_the_sigmoid_is_1_is_where_the_reason_says():
    for fmt in m.FORMATS:
        f = format_named(fmt)
        computed, due = m.first_one(fmt).value, m.first_rounded_to_one(fmt)
        with mpmath.workdps(60):
            for x, bits in ((computed, f.precision), (due, f.precision + 1)):
                # The first number of the format that is at least `bits` ln 2, to a few numbers for exp's own error.
                assert f.next_down(f.next_down(x)) <= bits * mpmath.log(2) <= f.next_up(x), (fmt, bits)
            assert f.round(1 / (1 + mpmath.exp(-mpmath.mpf(due)))) == 1
            assert f.round(1 / (1 + mpmath.exp(-mpmath.mpf(f.next_down(due))))) < 1


def test_differences_from_1_are_exact_above_a_half_and_not_below():
    assert m.exact_differences(0.5, 1) == (1 << 23, 1 << 23)
    assert m.exact_differences(0.25, 0.5) == (1 << 22, 1 << 23)  # negative control: every other one is rounded


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
        written = short(r["max_ulp"]) if r["exhaustive"] == "true" else f"≥ {downward(r['max_ulp'])}"
        assert m.found(Known([]), kernel, fmt) == written


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
        "m": ([100, 100, -1, 100, 100], "right", [101, 100, -1, 300, 500], "wrong"),
        "w": ([0, 15, 15, 0], "right", [0, 15, float("nan"), 0], "wrong"),
        "ad": ([100, 1], "right", [100, 0], "wrong"),
        "n": ([1, 1, 1], "right", [1, 1, float("nan")], "depends"),
    }
    for name, (yes, expected, no, otherwise) in cases.items():
        verdicts = [{True: "right", False: "wrong", None: "depends"}[_holds(name, v)] for v in (yes, no)]
        assert verdicts == [expected, otherwise], name


def test_the_clamp_holds_of_a_loss_and_not_of_a_sum():
    assert _holds("m", [100, 100, -1, 300, 500]) is None


def test_statements_about_shapes_and_labels_decide_by_the_answers():
    """Negative control: the answers that a statement expects make it right, mixed ones make it depend."""
    nan, refused = float("nan"), "ValueError"
    cases = {
        "ae": ([[1, 0.3], [1, 0.3], [4]], [[4, 0.1], [4, 0.1], [4]], [[1, 0.3], [4, 0.1], [4]]),
        "af": ([[0.3, 0.3, 1.2], [0.3, 0.3]], [[1.2, 0.3, 1.2], [1.2, 0.3]], [[0.3, 0.3, 1.2], [1.2, 0.3]]),
        "ag": ([[20, 40, 15.9, 16.1], [20, 40], [20, 40]], [[15.9, 16.1] * 2, [15.9, 16.1], [15.9, 16.1]],
               [[20, 40, 15.9, 16.1], [15.9, 16.1], [20, 40]]),
        "ah": ([[0.5] * 3] * 3, [[nan] * 3] * 3, [[0.5] * 3, [nan] * 3, [0.5] * 3]),
        "ai": ([[3] * 3, [3] * 3, [3] * 6, [3] * 3], [[refused] * 3, [refused] * 3, [refused] * 6, [refused] * 3],
               [[3] * 3, [refused] * 3, [refused] * 3 + [3] * 3, [3] * 3]),
        "aj": ([[0.7, 0.6, 0.6]] * 3 + [[refused]], [[0.7, 0.7, 0.6]] * 3 + [[refused]],
               [[0.7, 0.6, 0.6]] * 2 + [[refused, refused, 0.6], [refused]]),
        "ak": ([[refused]] * 4 + [[4]], [[0.5]] * 4 + [[4]], [[refused]] * 3 + [[0.5], [4]]),
        "al": ([[-math.inf, -math.inf, refused], *[[-math.inf]] * 4], [[refused] * 3, *[[refused]] * 4],
               [[-math.inf, -math.inf, refused], [refused], *[[-math.inf]] * 3]),
    }  # fmt: skip
    for name, (no, yes, mixed) in cases.items():
        asked = BY_NAME[name]
        known = [Known([])] if asked.from_tables else []
        for given, holds in ((no, False), (yes, True), (mixed, None)):
            assert [len(v) for v in given] == [len(lines) for lines in asked.lines.values()], name
            found = asked.check(*known, *([_answer(v) for v in values] for values in given))
            assert found.holds is holds, (name, given)


def _answer(value: float | str) -> LineValue:
    return LineValue(math.nan, value) if isinstance(value, str) else LineValue(float(value))


def _holds(name: str, values: list[float]) -> bool | None:
    return BY_NAME[name].check([LineValue(float(v)) for v in values]).holds


def committed():
    """The committed rows of all claims, by name."""
    found = []
    for name in ("claims", "claims_beliefs"):
        with Path(f"results/tables/{name}.csv").open() as file:
            found += csv.DictReader(file)
    return {r["claim"]: r for r in sorted(found, key=lambda r: (len(r["claim"]), r["claim"]))}


def test_the_committed_table_has_the_figures_that_the_libraries_gave():
    table = committed()
    told = {
        "m": ("depends", "is 300"),
        "ae": ("wrong", "0.30809307"),
        "af": ("wrong", "sum 0.30809307, mean 0.30809307"),
        "ag": ("wrong", "[20.0, 40.0]"),
        "ah": ("wrong", "Keras [0.52692795, 0.5132617, 0.524077]"),
        "ai": ("depends", "[2.9957, 1.6094, 4.4998]"),
        "aj": ("wrong", "0.6931 to 0.6123"),
        "ak": ("wrong", "ValueError"),
        "al": ("wrong", "-inf"),
    }
    for name, (verdict, part) in told.items():
        assert table[name]["verdict"] == verdict and part in table[name]["measured"], name
    assert "15.942385, 16.118095" in table["ag"]["measured"]
    assert "Keras on TensorFlow 1, Keras on torch 1, torch's own reduction='none' 4" in table["ae"]["measured"]
    for name in "pt":
        assert table[name]["measured"] == BY_NAME[name].row({}, KNOWN)["measured"]


def test_the_answer_counts_the_table():
    rows = [{"claim": n, "verdict": "wrong", "measured": f"m{n}", "reason": "r"} for n in [*"fjk", "x"]]
    beliefs = [{"claim": n, "verdict": "wrong", "measured": "", "reason": "r"} for n in "yz"]
    study = study_of(load(Path("experiments/claims.yaml")))

    def told():
        frames = {"claims": pd.DataFrame(rows), "claims_beliefs": pd.DataFrame(beliefs)}
        return study.answered(frames, Known([]))

    before = told()
    rows[3]["verdict"] = beliefs[0]["verdict"] = "right"
    after = told()
    assert "Of 4 statements in circulation none is right, 4 are wrong" in before
    assert "Of 2 common beliefs none is right, 2 are wrong" in before
    assert "1 is right (x), 3 are wrong" in after and "1 is right (y), 1 is wrong (z)" in after
    assert all(f"{said} m{n}." in before for n, said in (("f", "is"), ("j", "is"), ("k", "form is")))


def test_a_statement_stands_with_where_it_circulates_and_a_belief_without():
    def table(name: str) -> list[dict[str, str]]:
        with Path(f"results/tables/{name}.csv").open() as file:
            return list(csv.DictReader(file))

    assert len(table("claims")) >= 10 and all(LOOKED_UP.fullmatch(r["source"]) for r in table("claims"))
    assert all(r["source"] == "" and r["verdict"] in VERDICTS for r in table("claims_beliefs"))
    assert {n: r["source"] for n, r in committed().items()} == {c.name: c.source for c in CLAIMS}
    page = Path("docs/questions/claims.md").read_text(encoding="utf-8")
    circulating, believed = page.split("### Common beliefs, for which no source is on record")
    for r in committed().values():
        assert r["statement"] in (circulating if r["source"] else believed) and r["source"] in circulating


@pytest.mark.parametrize("source", ["tutorials", "documentation of torch", "http://a.b", "torch 2.13 nn/loss.py"])
def test_a_source_that_nobody_can_look_up_is_refused(source):
    with pytest.raises(ValueError, match="nobody can look up"):
        claim("planted", "Two is three.", source)


def test_the_table_has_every_claim_and_only_missing_libraries_leave_one_open():
    def table(name: str) -> list[dict[str, str]]:
        with Path(f"results/tables/{name}.csv").open() as file:
            return list(csv.DictReader(file))

    claims = committed()
    absent = {r["library"] for r in table("claims_libraries") if r["unavailable"] != "0"}
    assert list(claims) == [c.name for c in in_order(CLAIMS)]
    for name, r in claims.items():
        asked = {LIBRARIES[library] for library in BY_NAME[name].lines}
        assert (r["verdict"] == "unavailable") == bool(asked & absent), name
        assert r["versions"] or not asked or asked & absent, name
        assert r["reason"] not in ("", NO_REASON), name
    assert set(load(Path("experiments/claims.yaml")).tables) == {
        "claims",
        "claims_beliefs",
        "claims_limits",
        "claims_libraries",
    }
