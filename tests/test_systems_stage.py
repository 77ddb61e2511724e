"""The systems stages: rows are measured and certified, bad libraries keep their rows, pages say what was returned."""

from __future__ import annotations

import json
import math
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
from harness.systems import adapters, job, registry
from harness.systems.commands import command
from harness.systems.measure import inputs
from harness.systems.measure.rows import COLUMNS
from harness.systems.pages import FIGURES, advice, faults, findings_page, probes, surprises, systems_page
from harness.systems.run.supervise import Request, evaluate
from harness.tables import writer

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

def missing():
    import no_such_library

def systems(library):
    def make(call, problem="bce_logits", replica="lse_log1p", load=None, **rest):
        return System(call.__name__, library, problem, "eager", load or (lambda: call), replica, formats=("float16",), **rest)

    if library == "absent":
        return [make(right, load=missing)]
    found = [make(f) for f in (right, planted, upcast, raising, printing, crashing, hanging)]
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
    (known / "broken.json").write_text("[]")
    with pytest.raises(UsageError, match="not a part"):
        job.read_part(known / "broken.json")


# -- faults and pages -----------------------------------------------------------------------------


def _answer(problem: str, x: float, value: float, fmt: str = "float32", target: str = "0") -> probes.Returned:
    row = {"problem": problem, "format": fmt, "target": target, "label_smoothing": "", "library": "torch",
           "system": "torch.sigmoid + binary_cross_entropy", "mode": "eager", "version": "torch==0"}  # fmt: skip
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


def test_findings_are_ranked_by_likelihood_and_a_mended_call_leaves_the_page() -> None:
    far, near = _answer("bce_logits_grad", 40.0, 0.0), _answer("bce_logits", 9.0, 15.9)
    found = surprises.surprises([far, near])
    assert [f.fault.x for f in found] == [9.0] and found[0].likelihood == 27
    assert [f.fault.x for f in surprises.surprises([far])] == [40.0]
    mended = replace(near, value=near.rounded)
    assert surprises.surprises([mended]) == []
    page = findings_page.page([far, near])
    assert "the loss is 15.9, where it should be 9.00012" in page and "3 × 3 × 3 = 27" in page


def test_pages_say_what_the_fakes_do(parts: list[dict]) -> None:
    answers = probes.returned(parts)
    page = systems_page.page([r for p in parts for r in p["rows"]], answers)
    assert "`crashing`: Gave no result: crashed with signal 11 (SIGSEGV)." in page
    assert "Prints to standard output: `printing`." in page
    assert "`dead`: Its gradient dies from x = 6.5 (y = 0) in float16: 0 for 0.998499; " in page
    assert "`right`: Right everywhere it was probed, within 0.5 ulp where |x| ≤ 20 in float16." in page
    assert (
        "`planted`: Its loss leaves the truth for a wrong prediction from x = 3 (y = 0) in float16: −3.04883 for 3.04859"
        in page
    )
    assert "Use `right` instead" in page and "Why not everywhere: it is a fake." in page
    assert "Gave no result: not installed: No module named 'no_such_library'." in page


def test_advice_goes_to_a_call_that_is_better() -> None:
    bad, good = _answer("bce_logits", 9.0, 15.9), _answer("bce_logits", 9.0, 9.000123)
    made = [advice.KnownCall("torch", n, [a.row | {"near_ulp": "1"}], [a]) for n, a in (("bad", bad), ("good", good))]
    assert "Use `good` instead" in advice.sentences(made[0], made)
    assert "Nothing else" in advice.sentences(made[1], made)


def test_pages_and_figures_are_written(known: Path, parts: list[dict]) -> None:
    paths = [str(known / f"{name}.json") for name in ("absent", "fake")]
    assert main(["systems-pages", *paths, "--docs", str(known / "docs"), "--figures", str(known / "figures")]) == 0
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
