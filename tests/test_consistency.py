"""Each check without a sweep finds the cell that it is for, and nothing in rows that are committed."""

from pathlib import Path

import pytest

from harness.tables import remade, verify, views, writer
from harness.tables.basis import BASES
from harness.tables.contradictions import bounds_beside
from harness.tables.rows import CONTRACT
from harness.tables.special_values import special_values_job
from harness.workflow import files

TABLES = Path("results/tables")

# Table, line of the CSV, column, a false value, and what is said of it.
ALTERED = [
    ("softmax", 2, "max_ulp", "27.146077", "max_ulp_computed and max_ulp_exact make it"),
    ("systems", 230, "max_ulp", "0.5500031", "max_ulp_computed and max_ulp_exact make it"),
    ("targets_powers", 2, "max_ulp", "1.20234749", "max_ulp_computed and max_ulp_exact make it"),
    ("relatives_cutoff", 4, "log2_max_ulp", "2", "log2_computed and log2_exact make it"),
    ("worst_float64", 229, "max_basis", "every_input", "by its grid search"),
    ("worst_joint", 3, "exhaustive", "true", "of a search"),
    ("softmax", 2, "mean_ulp", "30", "more than max_ulp"),
    ("worst_float64", 63, "sampled_ulp", "9", "more than max_ulp"),
    ("worst_float64", 42, "points", "5", "of 5 points"),
    ("worst_float64", 42, "improvement", "7", "max_ulp / sampled_ulp"),
    ("pipeline", 8, "spurious_nan", "99999", "points"),
    ("systems", 230, "correctly_rounded", "1.5", "points have an outcome"),
    ("pipeline", 8, "nan_input", "", "nan_input is empty"),
    ("softmax", 2, "usual_max_ulp", "3", "max_ulp at the same input"),
    ("worst_joint", 20, "usual_max_ulp", "9.9", "more than max_ulp"),
    ("exhaustive_logits", 41, "condition", "7.620373563", "now 6.92761233"),
    ("exhaustive_logits", 43, "usual_max_ulp", "1.1", "usual_max_ulp is 1.1"),
    ("exhaustive_logits", 2, "zero_input", "-0x1.4p+4", "is nearer to the centre"),
    ("exhaustive_logits", 2, "zero_input", "0x1p+0", "which has no spurious_zero"),
    ("exhaustive_logits", 2, "points", "4278190081", "every input of the domain 4278190080"),
    ("exhaustive_logits", 3, "reason", "all is well", "reason is all is well, now"),
    ("exhaustive_logits", 3, "cause", "rounding", "cause is rounding, now"),
]


@pytest.mark.parametrize(("table", "line", "column", "value", "said"), ALTERED)
def test_a_false_cell_is_found_without_a_sweep(table, line, column, value, said):
    row = views.records(writer.read(TABLES / f"{table}.csv").iloc[[line - 2]])[0]
    assert wrong(row) == []
    assert any(said in text for text in wrong({**row, column: value}))


def wrong(row):
    """Return what verify says of one row, whose causes are explained again; of another table's, what it says itself."""
    if "problem" not in row:
        return verify.inconsistencies(row)
    return [text for _, text in verify.check_rows([row], 2, {2})[1]]


@pytest.mark.parametrize("table", sorted(p.stem for p in TABLES.glob("*.csv") if p.stem != "systems_probes"))
def test_every_table_of_the_contract_has_bases(table):
    columns = list(writer.read(TABLES / f"{table}.csv").columns)
    assert columns[: len(CONTRACT)] != list(CONTRACT) or set(BASES) <= set(columns)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "tables"
    folder.mkdir()
    for path in TABLES.resolve().iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def sign(path, told):
    """Write a table's sidecar, of what it told, with the checksum of the CSV as it is now."""
    told["sha256"][path.name] = files.sha256(path)
    files.write_json(path.with_suffix(".json"), files.sealed(told, writer.SIDECAR_SEAL))


class TestMadeAgain:
    """The atlas and the special values say nothing that can be held against a kernel row by row: they are made again."""

    @pytest.mark.parametrize(
        ("table", "column", "value"),
        [
            ("special_values", "computed", "0x1p+1"),
            ("systems_special", "expected", "0x1p+1"),
            ("systems_special", "outcome", "inexact"),
            ("atlas", "failure", "all is well"),
            ("atlas", "use_instead", "naive"),
        ],
    )
    def test_an_altered_cell_is_found(self, tables, table, column, value):
        stated = tables / f"{table}.csv"
        frame = writer.read(TABLES / stated.name)
        frame.loc[40, column] = value
        for suffix in (".csv", ".json"):
            stated.with_suffix(suffix).unlink(missing_ok=True)
        frame.to_csv(stated, index=False, lineterminator="\n")
        sign(stated, files.read_json(TABLES / f"{table}.json"))
        ((line, text),) = remade.unlike(stated)[1]
        assert line == 42 and text.startswith((f"{column} is {value}, made again ", f"{column} is {value}, now "))

    @pytest.mark.parametrize("table", ["special_values", "systems_special"])
    def test_what_is_true_stands(self, table):
        assert remade.unlike(TABLES / f"{table}.csv") == (0, [])

    def test_a_row_more_or_less_is_found(self, tmp_path):
        frame = writer.read(TABLES / "special_values.csv")
        every, less = (rows.to_csv(index=False, lineterminator="\n") for rows in (frame, frame[:-1]))
        (tmp_path / "all.csv").write_text(every)
        (tmp_path / "less.csv").write_text(less)
        assert list(remade.differences(tmp_path / "all.csv", less)) == [
            (len(frame) + 1, "all has no such row when it is made again")
        ]
        assert list(remade.differences(tmp_path / "less.csv", every)) == [
            (len(frame) + 1, "less has a further row when it is made again")
        ]

    def test_verify_makes_them_again(self, tmp_path):
        special_values_job(tmp_path / "tables" / "special_values.csv")
        assert "special_values: 8476 rows, checksums, made again" in verify.verify(tmp_path).text
        base = tmp_path / "tables" / "special_values"
        base.with_suffix(".csv").write_text(base.with_suffix(".csv").read_text().replace(",ok,", ",outside,", 1))
        sign(base.with_suffix(".csv"), files.read_json(base.with_suffix(".json")))
        assert "outcome is outside, made again ok" in verify.verify(tmp_path).text


class TestCellsThatAreNone:
    """A cell that is no number, or names no input, is told in a sentence; nothing breaks."""

    @pytest.mark.parametrize(
        ("table", "column", "value", "said"),
        [
            ("probabilities", "max_ulp_input", "-0x1p-1", "-0x1p-1 lies outside the domain of bce"),
            ("probabilities", "max_rel_input", "0x1p+1", "0x1p+1 lies outside the domain of bce"),
            ("probabilities", "max_ulp_exact", "one", "a cell is not what its column holds"),
            ("probabilities", "safe_lo", "left", "a cell is not what its column holds"),
        ],
    )
    def test_in_a_row(self, table, column, value, said):
        row = views.records(writer.read(TABLES / f"{table}.csv").iloc[[2]])[0]
        assert any(said in text for text in wrong({**row, column: value}))

    def test_a_count_in_a_table_that_is_then_not_compared(self, tables):
        for suffix in (".csv", ".json"):
            (tables / "primitives").with_suffix(suffix).unlink()
        frame = writer.read(TABLES / "primitives.csv")
        frame.loc[3, "points"] = "65280.5"
        frame.to_csv(tables / "primitives.csv", index=False, lineterminator="\n")
        found = verify.TableCheck(tables / "primitives.csv", "", {"rows": len(frame)})
        verify._read(found)
        assert found.wrong == [f"{tables / 'primitives.csv'}:5: points is 65280.5, no whole number"]
        assert found.frame is None

    def test_what_a_check_of_all_tables_cannot_read(self):
        assert "the tables cannot be compared: ValueError" in verify._read_in(lambda: float("one"))
        assert verify._read_in(lambda: 3) == 3


class TestBoundsBesideTheirTable:
    def rows(self, path, **changed):
        return [(f"{path.name}:{i}", {**r, **changed}) for i, r in enumerate(views.records(writer.read(path)), 2)]

    def test_both_have_the_same_largest_errors(self):
        for path in sorted(TABLES.glob("bounds_*.csv")):
            assert list(bounds_beside(self.rows(path), TABLES)) == []

    @pytest.mark.parametrize(
        ("column", "value"), [("max_ulp", "0.1"), ("max_ulp_input", "0x1p+0"), ("exhaustive", "x")]
    )
    def test_another_one_is_found(self, column, value):
        rows = self.rows(TABLES / "bounds_primitives.csv", **{column: value})
        found = list(bounds_beside(rows, TABLES))
        assert len(found) == len(rows)
        assert f"bounds_primitives.csv:2: {column} is {value}, primitives.csv has" in found[0]
