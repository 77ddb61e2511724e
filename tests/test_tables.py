"""A table's files: written together or not at all, what is shown of a row, and JSON read with one sentence on what is wrong."""

import json
import re

import pandas as pd
import pytest

from harness import UsageError
from harness.tables import contract, text, views, writer
from harness.tables.latex import to_latex
from harness.tables.views import Column, plain
from harness.workflow import files

ROWS = [
    {"kernel": "a_b", "exhaustive": True, "n": 1, "unseen": 3},
    {"kernel": "c", "exhaustive": False, "n": 22},
]
COLUMNS = ("kernel", "exhaustive", "n")
SHOWN = views.shown(ROWS, [Column("name", "kernel"), Column("count", lambda r: "≥ " + r["n"])])
SUFFIXES = (".csv", ".md", ".tex", ".json")


def held(base):
    return {s: base.with_suffix(s).read_bytes() for s in SUFFIXES if base.with_suffix(s).exists()}


def test_four_files_with_checksums(tmp_path):
    base = tmp_path / "deep" / "small"
    writer.write(base, ROWS, COLUMNS, SHOWN, "A title", extra={"grid": "quick"})
    found = held(base)
    assert found[".csv"] == b"kernel,exhaustive,n\na_b,true,1\nc,false,22\n"
    assert found[".md"].decode() == "# A title\n\n| name | count |\n| --- | --- |\n| a_b | ≥ 1 |\n| c | ≥ 22 |\n"
    assert r"a\_b & \ge 1 \\" in found[".tex"].decode() and r"\begin{tabular}{@{}lS[" in found[".tex"].decode()
    described = json.loads(found[".json"])
    assert (described["table"], described["rows"], described["grid"]) == ("small", 2, "quick")
    assert described["sha256"] == {f"small{s}": files.sha256(base.with_suffix(s)) for s in SUFFIXES[:3]}
    assert sorted(p.name for p in base.parent.iterdir()) == sorted(f"small{s}" for s in SUFFIXES)


@pytest.mark.parametrize(
    "wrong", [{"extra": {"audit": float("nan")}}, {"markdown": "\ud800"}], ids=["JSON", "a character that is none"]
)
def test_what_cannot_be_written_leaves_all_four(tmp_path, wrong):
    base = tmp_path / "small"
    with pytest.raises(ValueError):
        writer.write(base, ROWS, COLUMNS, SHOWN, "A title", **wrong)
    assert list(tmp_path.iterdir()) == []
    writer.write(base, ROWS, COLUMNS, SHOWN, "A title")
    before = held(base)
    with pytest.raises(ValueError):
        writer.write(base, ROWS[:1], COLUMNS, SHOWN, "Another title", **wrong)
    assert held(base) == before and len(before) == 4


def test_a_note_stands_under_the_title():
    noted = writer.to_markdown(SHOWN, "T", "What it says.")
    assert noted.startswith("# T\n\nWhat it says.\n\n| name   | count   |\n")


def test_long_columns_share_the_width_of_the_page():
    shown = views.shown([{"a": "x" * 31, "b": "x" * 30, "c": "x" * 40}], plain("a", "b", "c"))
    widths = re.findall(r"p\{([0-9.]+)em\}", to_latex(shown, "t", "t"))
    assert len(widths) == 3 and widths[0] < widths[2]


def test_columns_that_say_nothing_are_left_out():
    rows = [{"problem": "bce", "target": "", "kernel": k} for k in "ab"]
    columns = plain("problem", "kernel", "target")
    assert [c.heading for c in views.needed(rows, columns)] == ["kernel"]
    rows += [{"problem": "exp", "target": "0.5", "kernel": "c"}]
    assert views.needed(rows, columns) == columns


def test_what_is_shown_of_a_row():
    row = {
        "problem": "exp", "kernel": "numpy", "format": "float32", "target": "", "exhaustive": False,
        "grid": "standard", "max_ulp": "1.23456e+400", "max_ulp_input": "0x1.8p+1", "mean_ulp": "0.25", "correctly_rounded": "0.98765",
        "spurious_nan": 0, "spurious_inf": 3, "spurious_zero": "", "wrong_sign": 1,
        "safe_lo": "-0x1.0p+0", "safe_hi": "0x1.4p+3",
    }  # fmt: skip
    (line,) = contract.readable([row]).to_dict("records")
    assert line == {
        "kernel": "numpy", "format": "float32", "max error (ulp)": "≥ 1.23e+400", "at input": "3", "mean (ulp)": "~ 0.25",
        "correctly rounded": "~ 98.8 %", "spurious": "inf 3, sign 1", "safe range": "⊆ [-1, 10]", "id": "5fee68c46c",
    }  # fmt: skip
    assert text.largest({**row, "exhaustive": "true"}) == "1.23e+400" and text.largest({**row, "max_ulp": ""}) == ""
    assert text.safe({**row, "safe_lo": "", "safe_hi": ""}) == "none"


def test_json_that_is_not_there_or_none_is_named(tmp_path):
    path = tmp_path / "part.json"
    with pytest.raises(UsageError, match=r"part\.json is not there; it should be what a part found"):
        files.read_json(path, "what a part found")
    path.write_text('{"rows": [')
    with pytest.raises(UsageError, match=r"part\.json is not a JSON file \(Expecting value"):
        files.read_json(path)
    files.write_json(path, {"rows": ["½"]})
    assert files.read_json(path) == {"rows": ["½"]}


def test_a_name_stays_in_its_cell_of_a_markdown_table():
    shown = pd.DataFrame({"kernel": ["Loss(a|b)", "two\nlines", r"is \| so"], "error": ["1", "2", "3"]})
    for written in (writer.bare_markdown(shown), writer.to_markdown(shown, "Errors", "A note.")):
        lines = [line for line in written.splitlines() if line.startswith("|")]
        assert len(lines) == 5 and all(len(re.split(r"(?<!\\)\|", line)) == 4 for line in lines)
