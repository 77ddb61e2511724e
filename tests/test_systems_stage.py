"""The systems stages: rows are measured and certified, bad libraries keep their rows, pages say what was returned."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mpmath
import numpy as np
import pytest

from harness import UsageError
from harness.cli.main import main
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.systems import adapters, job, registry
from harness.systems.commands import command
from harness.systems.measure import alone, inputs
from harness.systems.measure.rows import COLUMNS, flushed
from harness.systems.pages import FIGURES, advice, faults, findings_page, notation, probes, surprises, systems_page
from harness.systems.pages import known as strengthened
from harness.systems.run.supervise import Request, evaluate
from harness.tables import writer
from harness.truth.fast import evaluate as evaluate_fast
from harness.workflow import files

FAKE = """
import os, signal, time
import numpy as np
from harness.systems.registry import Library, System

__version__ = "0.1"

LIBRARIES = [
    Library(name, __name__, ("fake_library",), {"PYTHONPATH": os.path.dirname(__file__)}, "it is a fake")
    for name in ("fake", "absent")
]

def right(x, y):
    x64, y64 = x.astype(float), y.astype(float)
    return (y64 * np.logaddexp(0, -x64) + (1 - y64) * np.logaddexp(0, x64)).astype(x.dtype)

def planted(x, y):
    return np.where(x == 3, -right(x, y), right(x, y))

def smoothed(x, y):
    return right(x, (y * 0.875 + 0.0625).astype(x.dtype))

def upcast(x, y):
    return right(x.astype(float), y.astype(float))

def raising(x, y):
    raise TypeError("no half precision")

def printing(x, y):
    print("epoch 1")
    return right(x, y)

def crashing(x, y):
    os.kill(os.getpid(), signal.SIGSEGV)

def hanging(x, y):
    time.sleep(60)

def dead(x, y):
    p = np.minimum(1 / (1 + np.exp(-x)), x.dtype.type(1 - 2.0**-11))
    return np.where(p < 0.998, p, 0).astype(x.dtype) - y

def flushing(x, y):
    value = right(x, y)
    return np.where(value < 2.0**-14, value * 0, value)

def uneven(x, y):
    value = right(x, y)
    return value if len(x) > 1 else np.where(value > 1, value + 3 * np.spacing(value), value)

def picky(x, y):
    if not np.isfinite(x).all() or not len(x):
        raise ValueError("not finite")
    return right(x, y)

def missing():
    import no_such_library

def systems(library):
    def make(call, problem="bce_logits", replica="lse_log1p", load=None, **rest):
        return System(call.__name__, library, problem, "eager", load or (lambda: call), replica, formats=("float16",), **rest)

    if library == "absent":
        return [make(right, load=missing)]
    found = [make(f) for f in (right, planted, upcast, raising, printing, crashing, hanging, flushing, uneven, picky)]
    found += [make(smoothed, label_smoothing=0.125, hard_targets=True)]
    return [*found, make(dead, problem="bce_logits_grad", replica="sigmoid_minus_target", hard_targets=True)]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("systems")
    (folder / "fake_library.py").write_text(FAKE)
    return folder


@pytest.fixture(scope="module")
def known(folder: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(job, "CALL_LIMIT_S", 2.0)
        patch.setattr(adapters, "__path__", [*adapters.__path__, str(folder)])
        yield folder


@pytest.fixture(scope="module")
def parts(known: Path) -> list[dict]:
    for name in ("fake", "absent"):
        assert main(["systems", name, "--grid", "quick", "--out", str(known / f"{name}.json")]) == 0
    return job.in_order([job.read_part(known / f"{name}.json") for name in ("absent", "fake")])


def _rows(parts: list[dict], name: str) -> list[dict]:
    return [r for r in parts[0]["rows"] if r["system"] == name]


# -- rows -----------------------------------------------------------------------------------------


def test_every_system_has_its_rows_and_says_what_became_of_them(parts: list[dict]) -> None:
    n = _rows(parts, "right")[0]["points"]
    for name, refused, unavailable, reason in (
        ("right", 0, 0, ""),
        ("raising", n, 0, "TypeError: no half precision"),
        ("crashing", 0, n, "crashed with signal 11 (SIGSEGV)"),
        ("hanging", 0, n, "timed out after 2 s"),
        ("printing", 0, 0, "printed to standard output: epoch 1"),
    ):
        rows = _rows(parts, name)
        assert [r["target"] for r in rows] == ["0", "1"], name
        for r in rows:
            assert (r["refused"], r["unavailable"], r["reason"]) == (refused, unavailable, reason)
            assert (r["max_ulp"] == "") == bool(refused or unavailable)
    (absent, _) = parts[1]["rows"]
    assert absent["reason"] == "not installed: No module named 'no_such_library'" and absent["unavailable"] == n


def test_a_right_system_is_right_and_a_planted_fault_is_found(parts: list[dict]) -> None:
    for r in _rows(parts, "right"):
        assert 0.4 < float(r["max_ulp"]) <= 0.51 and float(r["agreement"]) > 0.9
        assert (r["correctly_rounded"], r["wrong_sign"], r["version"]) == ("1", 0, "fake_library==0.1")
    for r in _rows(parts, "planted"):
        assert float.fromhex(r["max_ulp_input"]) == float.fromhex(r["near_ulp_input"]) == 3.0
        assert (r["wrong_sign"], r["near_wrong_sign"]) == (1, 1) and float(r["max_ulp"]) > 500
        assert float.fromhex(r["safe_hi"]) < 3 and float(r["agreement"]) < 1


def test_extremes_are_certified(parts: list[dict]) -> None:
    for r in _rows(parts, "planted") + _rows(parts, "dead"):
        with mpmath.workprec(300):
            x, y = mpmath.mpf(float.fromhex(r["max_ulp_input"])), int(r["target"])
            loss = mpmath.log1p(mpmath.exp(x if y == 0 else -x))
            exact = loss if r["problem"] == "bce_logits" else 1 / (1 + mpmath.exp(-x)) - y
            ulp = mpmath.ldexp(1, max(math.floor(mpmath.log(abs(exact), 2)), -14) - 10)
            assert abs(mpmath.mpf(r["max_ulp_exact"]) - exact) <= abs(exact) * mpmath.mpf(10) ** -24
            error = abs(mpmath.mpf(float.fromhex(r["max_ulp_computed"])) - exact) / ulp
            assert abs(error - mpmath.mpf(r["max_ulp"])) <= error * mpmath.mpf(10) ** -8


def test_a_result_in_another_format_is_named_and_rounded(parts: list[dict]) -> None:
    for r in _rows(parts, "upcast"):
        assert r["upcast"] == "float64" and float(r["max_ulp"]) <= 0.51 and r["correctly_rounded"] == "1"
    assert all(r["upcast"] == "" for r in _rows(parts, "right"))


def test_the_truth_of_a_smoothed_target_is_at_the_smoothed_target(parts: list[dict]) -> None:
    rows = _rows(parts, "smoothed")
    assert [(r["target"], r["label_smoothing"]) for r in rows] == [("0.0625", "0.125"), ("0.9375", "0.125")]
    assert all(float(r["max_ulp"]) <= 0.51 for r in rows)


def test_too_many_inputs_are_thinned_evenly_and_not_called_exhaustive() -> None:
    few, every = (
        inputs.inputs("bce_logits", "float16", "standard", 300),
        inputs.inputs("bce_logits", "float16", "standard", None),
    )
    assert len(few.x) <= 300 < len(every.x) and not few.exhaustive and every.exhaustive
    assert 0 in few.ordinals and every.ordinals[0] == few.ordinals[0] and every.ordinals[-1] == few.ordinals[-1]


def test_targets_and_formats_are_those_that_a_system_takes() -> None:
    asked = inputs.combinations("xgboost", "standard")
    assert {(t.fmt.name, float(t.given)) for t in asked} == {("float32", 0.0), ("float32", 1.0)}  # type: ignore[arg-type]
    assert all(len(t.inputs.x) <= 4096 for t in asked)
    soft = [t for t in inputs.combinations("optax", "standard") if t.fmt.name == "bfloat16" and t.system.mode == "jit"]
    assert {float(t.given) for t in soft} == {0.0, 1.0, 0.10009765625}  # type: ignore[arg-type]


def test_an_input_that_was_not_recorded_is_never_looked_up(parts: list[dict]) -> None:
    for r in _rows(parts, "planted"):
        given = inputs.inputs("bce_logits", "float16", "quick", None)
        at = [given.grid.fmt.parse(r[c]) for c in ("safe_lo", "safe_hi", "max_ulp_input", "near_ulp_input")]
        assert np.isin(given.grid.fmt.ordinal(np.array(at)), given.ordinals).all()


# -- table ----------------------------------------------------------------------------------------


def test_the_table_has_the_contract_first_and_every_row(known: Path, parts: list[dict]) -> None:
    paths = [str(known / f"{name}.json") for name in ("absent", "fake")]
    assert main(["systems-table", *paths, "--out", str(known / "tables/systems.csv")]) == 0
    frame = writer.read(known / "tables/systems.csv")
    assert tuple(frame.columns) == COLUMNS and len(frame) == sum(len(p["rows"]) for p in parts)
    assert not frame.duplicated(["problem", "kernel", "format", "target"]).any()
    assert json.loads((known / "tables/systems.json").read_text())["rows"] == len(frame)
    text = (known / "tables/systems.md").read_text()
    assert "refused: TypeError: no half precision" in text and "float16 ← float64" in text
    assert main(["verify", str(known)]) == 0


def test_parts_that_cannot_be_merged_are_refused(known: Path, parts: list[dict], capsys: pytest.CaptureFixture) -> None:
    path = str(known / "fake.json")
    assert main(["systems-table", path, path, "--out", str(known / "x.csv")]) == 2
    assert "two parts are of the library 'fake'" in capsys.readouterr().err
    assert main(["systems", "fake", "--grid", "exhaustive", "--out", path]) == 2
    assert "standard and quick, not on 'exhaustive'" in capsys.readouterr().err
    assert main(["systems", "nope", "--out", path]) == 2
    assert "unknown library 'nope'" in capsys.readouterr().err
    with pytest.raises(UsageError, match="different grids"):
        job.in_order([parts[0], {**parts[1], "grid": "standard"}])
    with pytest.raises(UsageError, match="unknown library 'gone'"):
        job.in_order([{**parts[0], "library": "gone"}])
    fake, absent = (known / f"{name}.json" for name in ("fake", "absent"))
    told = json.loads(absent.read_text())
    files.write_sealed(known / "other.json", {**told, "provenance": {**told["provenance"], "libc": "glibc 2.1"}})
    assert main(["systems-table", str(fake), str(known / "other.json"), "--out", str(known / "x.csv")]) == 2
    assert "and with libc glibc 2.1; measure the systems again" in capsys.readouterr().err
    assert not (known / "x.csv").exists()
    (known / "broken.json").write_text("[]")
    with pytest.raises(UsageError, match="not a part"):
        job.read_part(known / "broken.json")


# -- faults and pages -----------------------------------------------------------------------------


def _answer(problem: str, x: float, value: float, fmt: str = "float32", target: str = "0") -> probes.Returned:
    row = {"problem": problem, "format": fmt, "target": target, "label_smoothing": "", "library": "torch",
           "system": "torch.sigmoid + binary_cross_entropy", "mode": "eager", "version": "torch==0",
           "near_basis": "sample"}  # fmt: skip
    exact, rounded = probes._exact(problem, fmt, target, (x,))
    return probes.Returned(row, np.array([x]), np.array([value]), exact, rounded)


@pytest.mark.parametrize(
    "problem, x, value, kinds",
    [
        ("bce_logits", 9.0, math.nan, ["invalid"]),
        ("bce_logits", 9.0, 15.9424, ["plateau"]),
        ("bce_logits", -20.0, 0.0, ["cancelled", "cancelled"]),
        ("bce_logits_grad", 9.0, 0.0, ["dead", "dead"]),
        ("bce_logits_grad", 0.0, 1.0, ["off"]),
        ("bce_logits_grad", -20.0, 0.0, ["faded", "faded"]),
        ("bce_logits", 9.0, 9.0, []),
        ("bce_logits", -20.0, 2.0e-9, []),
        ("bce_logits_grad", 9.0, 0.9, []),
    ],
)
def test_faults_are_found_by_rule(problem: str, x: float, value: float, kinds: list[str]) -> None:
    assert [e.kind for e in faults.faults(_answer(problem, x, value))] == kinds


def test_a_zero_that_is_the_rounded_truth_is_no_fault() -> None:
    assert not list(faults.faults(_answer("bce_logits", -20.0, 0.0, "float16")))
    assert not list(faults.faults(_answer("bce_logits", 9.0, float(np.float32(9.00012340)), "float32")))


def test_float32_results_of_float64_inputs_are_found() -> None:
    (found,) = faults.faults(_answer("bce_logits", 0.0, float(np.float32(math.log(2))), "float64"))
    assert found.kind == "narrowed"
    assert not list(faults.faults(_answer("bce_logits", 0.0, math.log(2), "float64")))


def test_findings_are_in_the_pages_order_and_a_mended_call_leaves_it() -> None:
    far, near = _answer("bce_logits_grad", 40.0, 0.0), _answer("bce_logits", 9.0, 15.9)
    found = surprises.surprises([far, near])
    assert [f.fault.x for f in found] == [40.0]  # a dead gradient comes before a loss that is off
    assert surprises.rank(found[0].fault)[:2] == (1, 1) and [f.fault.x for f in surprises.surprises([far])] == [40.0]
    mended = replace(near, value=near.rounded)
    assert surprises.surprises([mended]) == []
    page = findings_page.page([near])
    assert "the loss is 15.9, where it should be 9.00012\n" in page and "follows the library's introductions" in page


@pytest.fixture(scope="module")
def table(known: Path, parts: list[dict]) -> Path:
    paths = [str(known / f"{name}.json") for name in ("absent", "fake")]
    assert main(["systems-table", *paths, "--out", str(known / "tables/systems.csv")]) == 0
    return known / "tables/systems.csv"


def test_pages_say_what_the_fakes_do(table: Path) -> None:
    rows = strengthened.rows_in(table)
    page = systems_page.page(rows, probes.returned(rows, table.with_name("systems_probes.csv")))
    assert "| `crashing` | no result: crashed with signal 11 (SIGSEGV) |" in page
    assert "Prints to standard output: `printing`." in page
    assert "| `dead` |  |  | float16: x ≥ 6.5, y = 0 |" in page
    assert re.search(r"\| `right` \|(  \|){6} float16: ≥ 0\.4999 \| – \|", page)
    assert "| `planted` |  | float16: x = 3, y = 0: −3.04883 for 3.04859 |" in page
    assert "| `right` |\n" in page and "Why not everywhere:\n\n- it is a fake." in page
    assert "no result: not installed: No module named 'no_such_library' |" in page


def _calls(**answers: list[probes.Returned]) -> list[advice.KnownCall]:
    """Return calls of torch by name; those named pos_weight_* stand for one that takes a pos_weight."""
    named = {
        True: "torch.nn.functional.binary_cross_entropy_with_logits",
        False: "torch.sigmoid + binary_cross_entropy",
    }
    return [
        advice.KnownCall(
            "torch",
            n,
            [
                a.row | {"near_ulp": "1", "exhaustive": True, "flushed": 0, "system": named[n.startswith("pos_weight")]}
                for a in there
            ],
            there,
        )
        for n, there in answers.items()
    ]


BAD, GOOD = (("bce_logits", 9.0, 15.9),), (("bce_logits", 9.0, 9.000123),)


def test_advice_goes_to_a_call_that_is_better() -> None:
    made = _calls(bad=[_answer(*BAD[0])], good=[_answer(*GOOD[0])])
    assert "| `good` |" in advice.line(made[0], made)
    assert "| – |" in advice.line(made[1], made)


@pytest.mark.parametrize(("near", "advised"), [("5", "–"), ("1", "`of_logits`"), ("0.5", "`of_logits`")])
def test_a_call_is_not_advised_for_its_logits_alone(near: str, advised: str) -> None:
    """Of two calls without faults, the one from logits where it was measured to be no worse."""
    made = _calls(
        of_probabilities=[_answer("bce", 0.5, float(np.float32(math.log(2))))],
        of_logits=[_answer("bce_logits", 0.0, float(np.float32(math.log(2))))],
    )
    made[0].rows[0]["system"] = "torch.nn.functional.binary_cross_entropy"
    made[1].rows[0]["near_ulp"] = near
    assert f"| {advised} |" in advice.line(made[0], made)


def test_a_gradient_is_never_advised_in_place_of_a_loss() -> None:
    gradient = _answer("bce_logits_grad", 9.0, float(np.float32(1 / (1 + math.exp(-9)))))
    made = _calls(bad=[_answer(*BAD[0])], gradient=[gradient])
    assert "| – |" in advice.line(made[0], made)
    # The other way round: a loss whose gradient was not measured is not advised to one that has both.
    both = _calls(both=[_answer(*BAD[0]), gradient], good=[_answer(*GOOD[0])])
    assert "| – |" in advice.line(both[0], both)
    # The control: with a gradient of its own it is.
    both = _calls(both=[_answer(*BAD[0]), gradient], good=[_answer(*GOOD[0]), gradient])
    assert "| `good` |" in advice.line(both[0], both)


def test_advice_says_which_argument_it_drops() -> None:
    made = _calls(pos_weight_bad=[_answer(*BAD[0])], good=[_answer(*GOOD[0])])
    assert "| `good`, where pos_weight is not needed |" in advice.line(made[0], made)
    made = _calls(pos_weight_bad=[_answer(*BAD[0])], good=[_answer(*GOOD[0])], pos_weight_good=[_answer(*GOOD[0])])
    assert "| `pos_weight_good` |" in advice.line(made[0], made)


@pytest.mark.parametrize(
    "dead, wording",
    [
        ([0.0], "x = 0"),
        ([-9.0], "x = −9"),
        ([-5.0, -9.0, -20.0], "x ≤ −5"),
        ([-5.0, -9.0], "−9 ≤ x ≤ −5"),
        ([-1.0, -9.0, -20.0], "−20 ≤ x ≤ −1 (3 of 4 probes)"),
        ([0.0, -1.0, -5.0, -9.0, -20.0], "x ≤ 0"),
    ],
)
def test_an_end_is_left_open_only_of_what_shows_at_every_probe_beyond(dead: list[float], wording: str) -> None:
    x = np.array([-20.0, -9.0, -5.0, -1.0, 0.0, 1.0])
    exact, rounded = probes._exact("bce_logits_grad", "float32", "1", tuple(x))
    value = np.where(np.isin(x, dead), 0.0, rounded.astype(np.float64))
    answer = replace(_answer("bce_logits_grad", 1.0, 0.0, target="1"), x=x, value=value, exact=exact, rounded=rounded)
    (call,) = _calls(call=[answer])
    assert f"| float32: {wording}, y = 1 |" in advice.line(call, [call])


def test_modes_that_begin_elsewhere_are_not_lumped_together() -> None:
    x = np.array([-20.0, -9.0, -5.0, 0.0])
    exact, rounded = probes._exact("bce_logits_grad", "float32", "1", tuple(x))
    answers = []
    for mode, dead in (("eager", [-5.0, -9.0, -20.0]), ("compile", [-20.0]), ("autocast_bfloat16", [])):
        value = np.where(np.isin(x, dead), 0.0, rounded.astype(np.float64))
        one = replace(_answer("bce_logits_grad", 1.0, 0.0, target="1"), x=x, value=value, exact=exact, rounded=rounded)
        answers.append(replace(one, row=one.row | {"mode": mode}))
    (call,) = _calls(call=answers)
    assert "| float32: x ≤ −5, y = 1 (eager) |" in advice.line(call, [call])
    (call,) = _calls(call=[answers[0], answers[2]])
    assert "(eager only)" in advice.line(call, [call])


# -- flushed subnormals, single elements, special values ------------------------------------------


def test_flushed_results_and_inputs_are_told_from_other_faults() -> None:
    fmt = format_named("float32")
    problem = problem_named("softplus")
    x = np.array([-104.5, -95.0, -80.0, 0.0, 1.0], np.float32)
    exact = evaluate_fast(problem, fmt, x[None, :])
    right = exact.rounded_working[0].copy()
    assert not flushed(fmt, x, right, exact).any()
    at = right.copy()
    at[[1, 2]] = 0  # a subnormal value, which was flushed, and a normal one, which was not
    assert flushed(fmt, x, at, exact).tolist() == [False, True, False, False, False]


def test_an_input_taken_for_0_is_told_from_a_clamp() -> None:
    fmt, problem = format_named("float32"), problem_named("log")
    x = np.array([0.0, 1e-40, 2.0**-126, 0.5], np.float32)
    exact = evaluate_fast(problem, fmt, x[None, :])
    taken = exact.rounded_working[0].copy()
    taken[1] = taken[0]
    assert flushed(fmt, x, taken, exact).tolist() == [False, True, False, False]
    clamped = np.log(np.maximum(x, np.float32(1e-7)))
    assert not flushed(fmt, x, clamped, exact).any()


def test_one_fault_does_not_hide_the_rest(parts: list[dict]) -> None:
    row = _rows(parts, "flushing")[1]
    assert row["flushed"] > 0 and float(row["max_ulp"]) > 10 > 0.51 >= float(row["unflushed_max_ulp"])
    assert row["spurious_zero"] == row["flushed"] and row["unflushed_spurious_zero"] == 0
    for r in _rows(parts, "right"):
        assert (r["flushed"], r["unflushed_max_ulp"]) == (0, r["max_ulp"])


def test_a_value_that_depends_on_its_place_in_the_batch_is_found(parts: list[dict]) -> None:
    (none, row) = _rows(parts, "uneven")  # the target 1 is sampled
    assert none["alone_points"] == "" and row["alone_points"] > 10
    assert (row["alone_max_steps"], float(row["alone_max_ulp"]) > 2) == ("3", True)
    assert float.fromhex(row["alone_value"]) != float.fromhex(row["batch_value"])
    (_, even) = _rows(parts, "right")
    assert (even["alone_max_steps"], even["alone_max_steps_input"]) == ("0", "")


def _special(parts: list[dict], name: str) -> dict[tuple, dict]:
    return {(r["input"], r["target"]): r for r in parts[0]["special"] if r["system"] == name}


def test_special_values_are_those_that_came(parts: list[dict]) -> None:
    right, picky = _special(parts, "right"), _special(parts, "picky")
    assert {x for x, _ in right} == {"-inf", "+inf", "NaN", "-0", "+0", alone.EMPTY}
    # y softplus(-x) + (1 - y) softplus(x) at +inf, y = 1 is 0 + 0 * inf in it, and 0 in the limit.
    found = right["+inf", "1"]
    assert (found["computed"], found["expected"], found["outcome"]) == ("nan", "0x0p+0", "nan")
    assert (right["+inf", "0"]["outcome"], right["NaN", "1"]["outcome"], right["-0", "1"]["outcome"]) == ("ok",) * 3
    assert right[alone.EMPTY, "0"]["outcome"] == "ok"
    # One refusal does not take the others along.
    assert (picky["NaN", "1"]["outcome"], picky["NaN", "1"]["reason"]) == ("refused", "ValueError: not finite")
    assert picky["+0", "1"]["outcome"] == "ok" and picky[alone.EMPTY, "1"]["outcome"] == "refused"
    assert all(r["outcome"] == "unavailable" for r in _special(parts, "crashing").values())


def test_the_table_of_special_values_says_what_differs(table: Path) -> None:
    page = table.with_name("systems_special.md").read_text()
    assert "| fake: right | bce_logits | eager | nan | " in page
    assert "+inf, y = 1" in page and "| fake: picky | bce_logits | eager | refused | " in page


def test_probes_of_another_run_are_refused(table: Path) -> None:
    rows = strengthened.rows_in(table)
    with pytest.raises(UsageError, match="rows that the table lacks"):
        probes.returned(rows[1:][:1], table.with_name("systems_probes.csv"))


def test_pages_and_figures_are_written(known: Path, table: Path) -> None:
    assert main(["systems-pages", str(table), "--docs", str(known / "docs"), "--figures", str(known / "figures")]) == 0
    assert sorted(p.name for p in (known / "docs").iterdir()) == ["findings.md", "systems.md"]
    assert sorted(p.stem for p in (known / "figures").glob("*.png")) == sorted(FIGURES)


# -- the lines that reproduce ---------------------------------------------------------------------


def test_every_taught_call_has_a_line() -> None:
    for entry in registry.libraries():
        for system in registry.systems_of(entry.name):
            if system.taught and entry.trains:
                row = {"library": entry.name, "system": system.name, "problem": system.problem,
                       "mode": system.mode, "format": "float16", "target": "1"}  # fmt: skip
                assert command(row, 9.0) or system.mode in ("compile", "autocast_bfloat16"), system.key


@pytest.mark.parametrize("library", ["torch", "sklearn", "scipy", "optax"])
def test_a_line_prints_what_the_system_returned(library: str) -> None:
    pytest.importorskip(library)
    chosen = []
    for system in registry.systems_of(library):
        fmt = "float32" if "float32" in system.formats else system.formats[0]
        row = {
            "library": library,
            "system": system.name,
            "problem": system.problem,
            "mode": system.mode,
            "format": fmt,
            "target": "1",
        }
        if "bce" in system.problem and system.mode != "jit_x32" and (text := command(row, 0.75)):
            x = np.array([0.75]).astype(format_named(fmt).dtype)
            chosen.append((text, Request(system.key, x, np.ones((), x.dtype))))
    for (text, _), result in zip(chosen, evaluate(library, [r for _, r in chosen])):
        assert result.output is not None, result.reason
        typed = text.replace("python -c", f"{sys.executable} -c")
        printed = subprocess.run(typed, shell=True, capture_output=True, text=True, check=True).stdout
        # NumPy prints a float32 by the digits that name it among float32 numbers.
        assert np.float64(printed.split()[-1]).astype(result.output.dtype) == result.output[0], text


def test_a_library_is_run_without_what_changes_numpys_promotion():
    """numpy-quaddtype takes part in promotion: beside it np.clip(bfloat16, 0.5, 1) is float64, not float32."""
    script = (
        "import sys\n"
        "from harness.systems.run import worker\n"
        "from harness.systems.registry import libraries, systems_of\n"
        "found = [systems_of(library.name) for library in libraries()]\n"
        "print('numpy_quaddtype' in sys.modules)\n"
    )
    shown = [
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.strip()
        for text in (script, "import sys, harness.numbers.wide as w; w.quad(); print('numpy_quaddtype' in sys.modules)")
    ]
    assert shown == ["False", "True"]


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (1 - 1e-13, "1 − 1e−13"),
        (1 - 1e-16, "1 − 1e−16"),
        (0.99999999, "0.99999999"),
        (1 - 2.0**-40, "0.9999999999990905"),
        (-14.5, "−14.5"),
    ],
)
def test_rows_of_nines_are_written_by_what_is_missing(x: float, text: str) -> None:
    found = notation.given({"format": "float64", "problem": "bce"}, x)
    first, *rest = (float(part) for part in found.replace("−", "-").split(" ") if part != "-")
    assert found == text and first - sum(rest) == x
