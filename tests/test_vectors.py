"""Golden vectors: answers certified again, what they kill computed again, both runners, and planted faults in all of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from harness.cli.main import main
from harness.kernels import kernel_named, kernels_of
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.systems.registry import systems_of
from harness.tables import lines
from harness.tables.strongest import Known
from harness.tables.verify import Verification
from harness.tables.writer import to_csv
from harness.testing.vectors import verified
from harness.testing.vectors.choosing import CandidateInputs, cover, failing, forms, run, ulps
from harness.testing.vectors.job import COLUMNS, FORMATS, MOST, PROBLEMS, chosen, write
from harness.testing.vectors.planted import PLANTED, planted_in

ROOT = Path(__file__).parent.parent
FOLDER, TABLES = ROOT / "results" / "vectors", ROOT / "results" / "tables"
PAGE = (ROOT / "docs" / "vectors.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "docs" / "examples"
EACH = [(p, f) for p in PROBLEMS for f in FORMATS]


def rows(problem, fmt):
    return [row for _, row in lines.read(FOLDER / f"{problem}.{fmt}.csv")]


def given(problem, fmt):
    """The vectors of a file as inputs, with the rounded answers."""
    dtype, read = format_named(fmt).dtype, rows(problem, fmt)
    x, expected = (np.array([float.fromhex(r[c]) for r in read]).astype(dtype) for c in ("input", "rounded"))
    y = (
        np.array([float.fromhex(r["target"]) for r in read]).astype(dtype)
        if problem_named(problem).has_target
        else None
    )
    return CandidateInputs(x, y, tuple(r["purpose"] for r in read), expected)


def kills():
    return [row for _, row in lines.read(FOLDER / "kills.csv")]


# -- the files --------------------------------------------------------------------------------------------


def test_there_are_files_of_each_problem_and_format_and_none_is_long():
    for problem, fmt in EACH:
        found = rows(problem, fmt)
        assert 20 < len(found) <= MOST and tuple(found[0]) == COLUMNS
        assert len({(r["input"], r["target"]) for r in found}) == len(found)


def test_every_fifth_answer_is_that_of_mpmath_and_checksums_hold():
    said, wrong = verified.vectors(FOLDER, every=5)
    assert wrong == [] and re.fullmatch(r"vectors: \d+ in 32 files, answers computed again", said[0])


@pytest.mark.parametrize(("column", "change"), [("rounded", "0x1p+0"), ("exact", "1.5"), ("condition", "2")])
def test_a_wrong_answer_is_found(column, change, tmp_path):
    folder = Path(shutil.copytree(FOLDER, tmp_path / "vectors"))
    path = folder / "sigmoid.float32.csv"
    cells = rows("sigmoid", "float32")
    cells[10][column] = change
    path.write_text(to_csv(cells, COLUMNS), encoding="utf-8")
    described = json.loads((folder / "kills.json").read_text())
    described["vectors"] = {"sigmoid.float32": len(cells)}
    (folder / "kills.json").write_text(json.dumps(described))
    wrong = verified.vectors(folder)[1]
    assert any("sigmoid.float32.csv is missing or not as" in w for w in wrong)
    assert any("sigmoid.float32.csv:12:" in w for w in wrong)
    assert not Verification(["a"], []).and_of(["b"], wrong).ok and Verification(["a"], []).and_of(["b"], []).ok


@pytest.mark.parametrize(
    ("problem", "fmt"),
    [("bce_logits", "float32"), ("bce_grad", "float16"), ("log1mexp", "float64"), ("softplus", "bfloat16")],
)
def test_the_same_tables_make_the_same_vectors(problem, fmt):
    assert chosen(problem_named(problem), format_named(fmt), TABLES).rows == rows(problem, fmt), (
        "run: snakemake vectors"
    )


@pytest.mark.parametrize(("problem", "fmt"), [("bce", "float64"), ("sigmoid", "float16")])
def test_parquet_has_what_the_csv_has(problem, fmt, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(FOLDER / f"{problem}.{fmt}.parquet").to_pylist()
    assert [{**r, "kills": str(r["kills"])} for r in table] == rows(problem, fmt)
    write(tmp_path / "again.csv", rows(problem, fmt))
    assert (tmp_path / "again.parquet").read_bytes() == (FOLDER / f"{problem}.{fmt}.parquet").read_bytes()


def test_the_command_says_what_it_needs(tmp_path, capsys):
    assert main(["vectors", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "has none of the tables" in capsys.readouterr().err and not (tmp_path / "out").exists()


# -- what they kill -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_table_of_kills_is_what_forms_do_at_the_vectors(problem):
    for name in FORMATS:
        fmt, vectors = format_named(name), given(problem, name)
        table = {r["form"]: r for r in kills() if (r["problem"], r["format"]) == (problem, name)}
        right = kernel_named(problem, next(form for form, r in table.items() if r["kind"] == "control"))
        assert not failing(fmt, run(fmt, right, vectors), vectors.expected).any()  # the correct form survives
        found = {f.name: failing(fmt, run(fmt, f.function, vectors), vectors.expected) for f in forms(problem_named(problem), fmt, right)}  # fmt: skip
        counted = {form: int(r["killed_by"]) for form, r in table.items() if r["kind"] != "control"}
        assert counted == {form: int(found[form].sum()) for form in counted}
        assert all(not fails.any() for form, fails in found.items() if form not in counted)
        total = sum(fails.astype(int) for form, fails in found.items() if form in counted)
        assert [int(r["kills"]) for r in rows(problem, name)] == total.tolist()


def test_every_planted_fault_and_both_torch_forms_are_killed():
    table = {(r["problem"], r["format"], r["form"]): int(r["killed_by"]) for r in kills()}
    for problem, fmt in EACH:
        for fault in planted_in(problem_named(problem)):
            assert table[problem, fmt, fault.name] >= 1
    for fmt in FORMATS:
        for call in ("torch.nn.functional.binary_cross_entropy_with_logits", "torch.sigmoid + binary_cross_entropy"):
            assert table["bce_logits", fmt, f"torch: {call}"] >= 1
    assert len(PLANTED) >= 15 and all(fault.where for fault in PLANTED)


def test_every_form_that_the_tables_know_to_be_bad_is_killed():
    killed = {(r["problem"], r["format"], r["form"]) for r in kills() if int(r["killed_by"])}
    bad = set()
    for fmt in FORMATS:
        known = Known.of_problems(TABLES, set(PROBLEMS), fmt)
        for problem in PROBLEMS:
            targets = ("0", "1") if problem_named(problem).has_target else ("",)
            for kernel in kernels_of(problem):
                figures = [known.figures(problem, kernel.name, fmt, t) for t in targets]
                over = any(f.maximum and Decimal(f.maximum.ulp) > 5 for f in figures)  # of the rounded value: half more
                if over or any(f.counts and any(f.counts.outcomes.values()) for f in figures):
                    bad.add((problem, fmt, kernel.name))
    assert len(bad) > 200 and bad <= killed


def test_the_cover_kills_each_form_as_often_as_it_can_and_a_column_less_does_not():
    table = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]], bool)
    assert sorted(cover(table, range(4), often=1)) == [2, 3]
    assert sorted(cover(table, range(4), often=2)) == [0, 1, 2, 3]
    picked = cover(table, range(4), often=1)
    assert not table[:, picked[1:]].any(axis=1).all()


def test_the_rule_of_runners():
    fmt = format_named("float32")
    one, small = np.float32(1), np.float32(fmt.smallest_subnormal)
    given_ = [(one, one), (np.nextafter(one, np.float32(2)), one), (one * np.float32(1 + 2**-20), one)]
    given_ += [(0, small), (-small, small), (small, 0), (np.nan, np.nan), (np.nan, one), (np.inf, fmt.max)]
    computed, expected = (np.array(v, np.float32) for v in zip(*given_))
    assert failing(fmt, computed, expected).tolist() == [False, False, True, True, True, False, False, True, True]
    assert ulps(fmt, np.array([1.0, 0.999, 0.0])).tolist() == [2.0**-23, 2.0**-24, 2.0**-149]


@pytest.mark.parametrize(
    "name", ["torch.nn.functional.binary_cross_entropy_with_logits", "torch.sigmoid + binary_cross_entropy"]
)
@pytest.mark.parametrize("fmt", ["float32", "float64"])
def test_torch_itself_fails_where_its_small_losses_are_lost(name, fmt):
    pytest.importorskip("torch")
    system = next(s for s in systems_of("torch") if s.name == name and s.problem == "bce_logits" and s.mode == "eager")
    vectors = given("bce_logits", fmt)
    at = np.isfinite(vectors.x)  # its BCE refuses NaN
    x, y, expected = vectors.x[at], vectors.y[at], vectors.expected[at]
    fails = failing(format_named(fmt), system.load()(x, y), expected)
    assert (fails & (y == 0) & (expected > 0)).any() and not (fails & (x == 0)).any()


# -- runners ------------------------------------------------------------------------------------------------


def test_the_example_in_python_finds_the_worst_input(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    runner, example = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(runner + example.replace("from vectors import failures\n", ""), {})
    assert "worst" in capsys.readouterr().out and len(runner.splitlines()) <= 28


def test_the_runner_in_python_follows_the_rule():
    defined = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], defined)

    for problem, name in (("bce_logits", "float16"), ("bce", "float64"), ("sigmoid", "float32")):
        fmt, vectors = format_named(name), given(problem, name)
        for kernel in kernels_of(problem):
            wrong = defined["failures"](FOLDER / f"{problem}.{name}.csv", kernel, fmt.dtype)
            expected = failing(fmt, run(fmt, kernel, vectors), vectors.expected)
            assert len(wrong) == expected.sum()


RIGHT = "float t = log1pf(expf(-fabsf(x))); return y * (fmaxf(-x, 0) + t) + (1 - y) * (fmaxf(x, 0) + t);"
WRONG = "return fmaxf(x, 0) - x * y + logf(1 + expf(-fabsf(x)));"


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
@pytest.mark.parametrize(("body", "status"), [(RIGHT, 0), (WRONG, 1)])
def test_the_runner_in_c(body, status, tmp_path):
    (tmp_path / "loss.c").write_text(f"#include <math.h>\nfloat loss(float x, float y) {{ {body} }}\n")
    sources = [str(EXAMPLES / "vectors.c"), str(tmp_path / "loss.c")]
    built = ["cc", "-std=c99", "-Wall", "-pedantic", *sources, "-lm", "-o", str(tmp_path / "vectors")]
    assert subprocess.run(built, capture_output=True, text=True, check=True).stderr == ""

    def ran(rows):
        return subprocess.run([tmp_path / "vectors"], input=rows, capture_output=True, text=True)

    rows = (FOLDER / "bce_logits.float32.csv").read_text(encoding="utf-8")
    assert ran(rows).returncode == status and bool(ran(rows).stdout) == bool(status), ran(rows).stdout
    assert ran(rows.splitlines()[0]).returncode == 2


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
def test_the_runner_in_c_follows_the_rule(tmp_path):
    """On rows whose answers were put wrong: the two runners say the same of each."""
    defined = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], defined)
    (tmp_path / "loss.c").write_text("float loss(float x, float y) { return x + 0 * y; }\n")
    built = ["cc", str(EXAMPLES / "vectors.c"), str(tmp_path / "loss.c"), "-lm", "-o", str(tmp_path / "vectors")]
    subprocess.run(built, check=True)
    values = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        1 + 4 * 2.0**-23,
        1 + 5 * 2.0**-23,
        2.0**-149,
        float("inf"),
        float("-inf"),
        float("nan"),
    ]
    for computed in values:
        for rounded in values:
            ulp = np.spacing(np.float32(abs(rounded))) if np.isfinite(rounded) else ""
            cells = [computed.hex(), "0x0p+0", rounded.hex(), "0", float(ulp).hex() if ulp else ""]
            row = f"input,target,rounded,exact,ulp\n{','.join(cells)}\n"
            ran = subprocess.run([tmp_path / "vectors"], input=row, capture_output=True, text=True)
            assert ran.returncode == (not defined["passes"](computed, rounded, cells[4])), (
                computed,
                rounded,
                ran.stdout,
            )


def test_both_runners_have_twenty_lines():
    in_python = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    for source in (in_python, (EXAMPLES / "vectors.c").read_text(encoding="utf-8")):
        assert len(source.splitlines()) <= 20
