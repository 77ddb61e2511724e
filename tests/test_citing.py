"""Rows for papers: their identifiers, how they are chosen, set in LaTeX, cited and compared."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from harness import UsageError
from harness.cli.main import main
from harness.tables import citation, difference, writer
from harness.tables.identity import identifier, identifier_in, key_of
from harness.tables.latex import CM, _breakable, _cell, column, escaped, fitted, to_latex
from harness.tables.selection import chosen
from harness.workflow import files

TABLES = Path("results/tables")
CONTRACTS = sorted(
    p for p in TABLES.glob("*.csv") if p.read_text(encoding="utf-8").startswith("problem,kernel,format,target,grid")
)
ROW = {"problem": "bce", "kernel": "naive", "format": "float32", "target": "0", "grid": "standard"}


# ---- identifiers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda p: p.stem)
def test_every_row_has_an_identifier_of_its_own(path):
    frame = writer.read(path)
    assert list(frame["id"]) == [identifier(row) for row in frame.to_dict("records")]
    assert frame["id"].is_unique


@pytest.mark.parametrize("name", ROW)
def test_an_identifier_follows_what_was_measured(name):
    assert identifier(ROW) == identifier({**ROW, "max_ulp": "3"}) == identifier({**ROW, "version": ""})
    assert identifier(ROW) != identifier({**ROW, name: "other"})
    assert identifier(ROW) != identifier({**ROW, "version": "2.13.0"})


@pytest.mark.parametrize("table", ["logits", "worst_joint", "atlas", "bounds_logits", "claims", "softmax_special"])
def test_identifiers_are_in_every_rendering(table):
    row = writer.read(TABLES / f"{table}.csv").iloc[0]
    for kind in ("csv", "md", "tex"):
        assert row["id"] in (TABLES / f"{table}.{kind}").read_text(encoding="utf-8")


# Points of curves and cells of a map, which their figure stands for, and what systems returned, by their rows' ids.
WITHOUT = {"float8_pairs_map", "pipeline_curves", "relatives_curves", "training_curves", "systems_probes"}
OTHERS = sorted({p.stem for p in TABLES.glob("*.csv")} - {p.stem for p in CONTRACTS} - WITHOUT)


def test_rows_of_other_tables_have_identifiers_too():
    ids = []
    for table in OTHERS:
        frame = writer.read(TABLES / f"{table}.csv")
        assert list(frame["id"]) == [identifier_in(table, row) for row in frame.to_dict("records")], table
        ids += list(frame["id"])
    assert len(set(ids)) == len(ids)
    row = writer.read(TABLES / "claims.csv").iloc[0]
    assert identifier_in("claims", {**row, "verdict": "true"}) == row["id"]  # what came out does not count
    assert identifier_in("claims", {**row, "claim": "zz"}) != row["id"] != identifier_in("claims_beliefs", row)


@pytest.fixture(scope="module")
def targets():
    """All that the workflow makes by name."""
    listed = subprocess.run([sys.executable, "-m", "snakemake", "--list"], capture_output=True, text=True, check=True)
    return set(listed.stdout.split())


@pytest.mark.parametrize("table", OTHERS)
def test_rows_of_other_tables_are_cited(table, targets, capsys):
    row = writer.read(TABLES / f"{table}.csv").iloc[-1]
    assert main(["cite", row["id"]]) == 0
    said = capsys.readouterr().out
    assert f"results/tables/{table}.csv" in said and "@dataset{" in said
    assert all(row[name] in said for name in key_of(table))
    made = said.splitlines()[-1].split()
    assert made[:2] == ["python", "benchmarks/costs.py"] or made[-1] in targets


# ---- conditions -----------------------------------------------------------------------------------

FRAME = pd.DataFrame(
    {
        "kernel": ["naive", "lse_log1p", "clip_1e-7"],
        "format": ["float32", "float32", "float64"],
        "target": ["0", "1", "0.5"],
        "max_ulp": ["1e400", "1.5", ""],
        "max_ulp_input": ["0x1p+3", "-0x1p+0", "0x0p+0"],
        "exhaustive": ["true", "false", "false"],
    }
)


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("format == float32 and target == 0", [0]),
        ("format == 'float32' and not target == 0", [1]),
        ("max_ulp > 4", [0]),
        ("max_ulp < 4", [1]),
        ("max_ulp_input > -2 and max_ulp_input <= 8", [0, 1, 2]),
        ("kernel in ['clip_1e-7', naive]", [0, 2]),
        ("kernel not in [naive]", [1, 2]),
        ("0 < target <= 0.5", [2]),
        ("target == 0.50", [2]),
        ("exhaustive", [0]),
        ("max_ulp == ''", [2]),
    ],
)
def test_a_condition_chooses_rows(condition, kept):
    assert list(chosen(FRAME, condition).index) == kept


@pytest.mark.parametrize(
    "condition",
    ["", "format ==", "fmt == float32", "format == float32 and f()", "kernel == clip_1e-7", "__import__('os')", "format + 1 == 2",
     "target == 0; 1", "[format]", "format < [1]", "lambda: format", "format is float32"],
)  # fmt: skip
def test_what_is_no_condition_is_refused_in_a_sentence(condition):
    with pytest.raises(UsageError) as e:
        chosen(FRAME, condition)
    assert "\n" not in str(e.value) and "--where" in str(e.value)


# ---- rows, cite, diff -------------------------------------------------------------------------------


def test_rows_in_each_form(capsys):
    asked = [
        "rows",
        "logits",
        "--where",
        "format == float32 and target == 0",
        "--columns",
        "kernel,max_ulp,max_ulp_input,safe",
    ]
    found = {
        form: (main([*asked, f"--{form}"]), capsys.readouterr().out) for form in ("latex", "markdown", "csv", "html")
    }
    assert all(status == 0 for status, _ in found.values())
    assert found["csv"][1].startswith("kernel,max_ulp,max_ulp_input,safe_lo,safe_hi\n")
    assert "≥" in found["markdown"][1] and "⊆" in found["markdown"][1]
    assert r"\begin{tabular}" in found["latex"][1] and r"\ge " in found["latex"][1] and "?" not in found["latex"][1]
    assert "<table" in found["html"][1]
    plain = {form: text.replace("\\allowbreak{}", "").replace("\\_", "_") for form, (_, text) in found.items()}
    assert all("lse_log1p" in text for text in plain.values())


def asked_for(capsys, *words):
    """What a command prints that succeeds."""
    assert main(list(words)) == 0
    return capsys.readouterr().out


def test_a_caption_names_what_no_column_does(capsys):
    shown = ["rows", "exhaustive_logits", "--columns", "kernel,max_ulp,spurious", "--latex", "--where"]
    one, all_ = (asked_for(capsys, *shown, condition) for condition in ("target == 0", "max_ulp < 3"))
    assert "float32 over every input, target 0." in one and "target 0" not in all_  # negative control
    assert "NaN 1020169704" in one and one.count("float32 over") == 1


@pytest.mark.parametrize("table", sorted(p.stem for p in TABLES.glob("*.csv")))
def test_some_rows_of_every_table_can_be_had(table, capsys, tmp_path):
    """Shown as a reader would: no underscore in a heading, no hex float, no number of more than ten digits but a count."""
    frame = writer.read(TABLES / f"{table}.csv")
    path = tmp_path / f"{table}.csv"
    path.write_text(writer.to_csv(frame.iloc[[0, -1]].to_dict("records"), list(frame.columns)), encoding="utf-8")
    said = asked_for(capsys, "rows", str(path), "--markdown").split("\n\n")[0]
    assert not re.search(r"\b0x[01]\.", said) and "_" not in said.splitlines()[0]
    assert not re.search(r"(?!0\.9{10})\d\.\d{10}", said)  # a target is told whole


def test_a_librarys_call_is_shown_by_its_name_and_a_verdict_by_its_range(capsys):
    calls = asked_for(capsys, "rows", "systems", "--where", "library == optax and target == 0")
    assert "optax.sigmoid_binary_cross_entropy |" in calls and ":bce_logits:" not in calls
    atlas = asked_for(
        capsys, "rows", "atlas", "--where", "problem == bce and format == float16", "--latex", "--width", "column"
    )
    assert (
        "{safe range}" in atlas and "instead}" in atlas and "safe for hard targets & all" in atlas and "≤" not in atlas
    )
    named = asked_for(
        capsys, "rows", "logits", "--columns", "id,points", "--where", "format == float32 and target == 0"
    )
    assert all(len(line.split("|")[1].strip()) == 10 for line in named.splitlines()[2:] if line.startswith("|"))
    assert "| 261783" in named


@pytest.mark.parametrize(
    ("text", "set_"),
    [
        ("[-1.087e-07, 3.403e+38]", r"[$-1.087{\times}\allowbreak 10^{-7}$, $3.403{\times}\allowbreak 10^{38}$]"),
        ("stops at -14.5, off by 1e-07.", r"stops at $-$14.5, off by $10^{-7}$."),
        ("sigmoid_clip_1e-7", r"sigmoid\_clip\_1e-7"),
        (
            "5e12345678 1234567e89 2026-11-26 2.21.0 1-1e-15 float32",
            "5e12345678 1234567e89 2026-11-26 2.21.0 1-1e-15 float32",
        ),
    ],
)
def test_powers_of_ten_are_typeset_and_names_stay(text, set_):
    assert _cell(text, column("c", [text])).replace(r"\allowbreak{}", "") == set_
    assert "e" not in re.sub(r"\\[a-z]+", "", _cell("3.403e+38 ", column("c", ["3.403e+38 ", "a"])))


def test_words_break_behind_signs_and_inside_only_where_they_must():
    narrow, wide = (_breakable("sigmoid_clip BCEWithLogitsLoss", em) for em in (6.0, 20.0))
    assert wide == r"sigmoid\_\allowbreak{}clip BCEWithLogitsLoss"
    assert narrow == r"sigmoid\_\allowbreak{}clip BCEWith\allowbreak{}LogitsLoss"


@pytest.mark.parametrize(
    "asked",
    [["rows", "nothing"], ["rows", "logits", "--columns", "max_ulb"], ["rows", "logits", "--where", "format == f"], ["cite", "zz"],
     ["cite", "0000000000"], ["cite", "0x12", "--results", "nowhere"], ["diff", "nowhere", "results"]],
)  # fmt: skip
def test_mistakes_are_named_in_one_sentence(asked, capsys):
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert said.startswith("harness: ") and said.count("\n") == 1


@pytest.mark.parametrize("table", ["logits", "primitives"])
def test_the_command_of_a_citation_measures_the_row_again(table, capsys):
    frame = writer.read(TABLES / f"{table}.csv")
    row = frame[frame["format"] == "float16"].iloc[2]
    cited = citation.found(Path("results"), row["id"])
    assert main(citation.command(cited).split()[1:]) in (0, 1)
    (again,) = json.loads(capsys.readouterr().out)
    for name in ("points", "max_ulp_input", "max_ulp_computed", "max_ulp_exact", "safe_lo", "safe_hi"):
        assert str(again[name]) == row[name]
    assert float(again["mean_ulp"]) == float(row["mean_ulp"])


def test_a_citation_says_what_is_needed(capsys):
    row = writer.read(TABLES / "exhaustive_logits.csv").iloc[0]
    assert main(["cite", row["id"]]) == 0
    said = capsys.readouterr().out
    for words in (
        "every input",
        "@dataset{",
        row["max_ulp_input"],
        "numpy",
        "glibc",
        "harness check",
        row["id"],
        "date ",
    ):
        assert words in said


def test_a_citation_names_the_input_and_the_call_as_a_reader_does():
    of = {
        name: writer.read(TABLES / f"{name}.csv").iloc[-1]["id"]
        for name in ("probabilities", "logits", "systems", "softmax")
    }
    said = {name: citation.note(citation.found(Path("results"), identifier_)) for name, identifier_ in of.items()}
    assert " at p = " in said["probabilities"] and " at x = " in said["logits"]
    assert "==" not in said["systems"] and ":bce" not in said["systems"]
    assert re.search(r" at x = [a-z]+\w*:\d+:\d+;", said["softmax"])  # the name of a vector


@pytest.fixture()
def two(tmp_path):
    """Two result sets of one table, alike."""
    for name in ("one", "two"):
        (tmp_path / name / "tables").mkdir(parents=True)
        for table in ("exhaustive_primitives", "claims"):
            for kind in ("csv", "json"):
                shutil.copy(TABLES / f"{table}.{kind}", tmp_path / name / "tables")
    return tmp_path / "one", tmp_path / "two"


def edited(results, table="exhaustive_primitives", **cells):
    path = results / "tables" / f"{table}.csv"
    frame = writer.read(path)
    small = frame["max_ulp"].astype(float).idxmin() if "max_ulp" in frame else 0
    for name, value in cells.items():
        frame.loc[small, name] = value
    path.write_text(writer.to_csv(frame.to_dict("records"), list(frame.columns)), encoding="utf-8")
    described = json.loads(path.with_suffix(".json").read_text())
    described["sha256"][path.name] = files.sha256(path)
    files.write_json(path.with_suffix(".json"), files.sealed(described, writer.SIDECAR_SEAL))


def test_sets_that_are_alike_have_no_difference(two):
    assert difference.difference(*two).same


@pytest.mark.parametrize(
    ("column", "value"), [("max_ulp", "0.75"), ("spurious_nan", "3"), ("points", "5"), ("safe_hi", "0x1p+0")]
)
def test_a_changed_row_is_found(two, column, value):
    edited(two[1], **{column: value})
    (found,) = difference.difference(*two).changed.to_dict("records")
    assert found["column"] == column and found["after"] == value


@pytest.mark.parametrize(("spread", "found"), [(0, ["verdict", "measured"]), (2, ["verdict"])])
def test_a_changed_verdict_of_a_claim_is_found(two, spread, found):
    edited(two[1], "claims", verdict="true", measured="other")
    if spread:
        path = two[1] / "tables" / "claims.json"
        described = json.loads(path.read_text())
        described["provenance"]["simd"] = ["X86_V4"]
        files.write_json(path, files.sealed(described, writer.SIDECAR_SEAL))
    changed = difference.difference(*two).changed
    assert list(changed["column"]) == found and set(changed["table"]) == {"claims"}


def test_what_other_functions_move_is_no_difference_and_more_is(two):
    path = two[1] / "tables" / "exhaustive_primitives.json"
    described = json.loads(path.read_text())
    described["provenance"]["simd"] = ["X86_V4"]
    files.write_json(path, files.sealed(described, writer.SIDECAR_SEAL))
    edited(two[1], max_ulp="1.9")
    assert difference.difference(*two).same
    edited(two[1], max_ulp="9")
    assert not difference.difference(*two).same


# ---- LaTeX ------------------------------------------------------------------------------------------

LONG_WORDS = pd.DataFrame(
    {"kernel": ["sigmoid_clip_1e-7"] * 3, "reason": ["anticonstitutionnellement_" * 4] * 3, "id": ["0123456789"] * 3}
)


def test_numbers_are_set_by_siunitx_and_signs_are_kept():
    text = to_latex(pd.DataFrame({"kernel": ["a_b", "c"], "max": ["≥ 1.5e+300", "0.5"]}), "What was measured", "t")
    assert "S[table-format=>1.1e3]" in text and r"a\_b & \ge 1.5e300 \\" in text


def test_a_table_that_is_too_wide_loses_columns_in_the_stated_order():
    columns = [column(n, ["x" * 22]) for n in ("kernel", "mean (ulp)", "at input", "safe range", "id")]
    kept, _, lost = fitted(columns, CM["column"])
    assert lost[:2] == ["mean (ulp)", "at input"] and kept[-1].heading == "id" and kept[0].heading == "kernel"


@pytest.mark.parametrize("text", ["50 % & $x_1^2$ #{~}\\", "⊆ [−1, 2]", "κ/2 ≥ ½"])
def test_signs_are_escaped(text):
    assert all(c.isascii() for c in escaped(text))


compiled = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "latex.py"))


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed; .ci/run compiles every table")
class TestCompiled:
    """With a real TeX engine; all tables are compiled by benchmarks/latex.py."""

    @pytest.mark.parametrize("name", compiled["CLASSES"])
    def test_tables_have_no_overfull_box(self, name, tmp_path):
        paths = [TABLES / f"{t}.tex" for t in ("exhaustive_logits", "claims_limits", "relatives")]
        (tmp_path / "long.tex").write_text(to_latex(LONG_WORDS, "Long words", "long"), encoding="utf-8")
        pages, found = compiled["compiled"]([*paths, tmp_path / "long.tex"], compiled["CLASSES"][name])
        assert pages and found == []

    def test_an_overfull_box_is_found(self, tmp_path):
        (tmp_path / "wide.tex").write_text("\\noindent\\rule{60cm}{1pt}\n", encoding="utf-8")
        _, found = compiled["compiled"]([tmp_path / "wide.tex"], compiled["CLASSES"]["one column"])
        assert len(found) == 1 and found[0].startswith("wide: Overfull")
