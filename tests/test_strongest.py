"""What is said is said from the strongest measurement, and what contradicts a stronger one is found."""

import re
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from harness.kernels import kernel_named
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS, gradient_of
from harness.studies import study
from harness.tables import contract, contradictions, text, verify, writer
from harness.tables.basis import BASES, bases, with_bases
from harness.tables.latex import to_latex
from harness.tables.rows import COLUMNS, CONTRACT
from harness.tables.strongest import Known, rows_in
from harness.workflow import files

TABLES = Path("results/tables")
KEY = {"problem": "bce_logits", "kernel": "softplus_pair", "format": "float32", "target": "0"}
SWEPT = {
    **dict.fromkeys(CONTRACT, "0"), **KEY, "grid": "standard", "exhaustive": "false", "points": "100",
    "max_ulp": "2.5", "max_ulp_input": "0x1p+1", "mean_ulp": "0.1", "correctly_rounded": "0.9",
    "safe_lo": "-0x1p+6", "safe_hi": "0x1p+6", "capped": "0", "cause": "rounding",
}  # fmt: skip
EVERY = {**SWEPT, "grid": "exhaustive", "exhaustive": "true", "points": "4278190080"}
SEARCHED = {**SWEPT, **dict.fromkeys(CONTRACT[11:], ""), "grid": "search", "capped": "", "cause": ""}


def put(folder, name, *rows):
    """Write rows as a table's CSV into a results folder."""
    path = folder / "tables" / f"{name}.csv"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(writer.to_csv(rows, list(rows[0])))
    return path


def known(tmp_path, **tables):
    return Known.of(
        [put(tmp_path, name, *(rows if isinstance(rows, list) else [rows])) for name, rows in tables.items()]
    )


def figures(found):
    return found.figures(*KEY.values())


class TestBases:
    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            (EVERY, ("every_input", "every_input")),
            (SWEPT, ("sample", "sample")),
            (SEARCHED, ("search", "")),
            ({**EVERY, "max_ulp": "", "mean_ulp": ""}, ("", "every_input")),  # NaN everywhere, and that was seen
            ({**SWEPT, "max_ulp": "", "mean_ulp": "", "correctly_rounded": ""}, ("", "")),  # a library not installed
            ({**SWEPT, "grid": "vectors"}, ("sample", "")),
            ({**SWEPT, "exhaustive": True}, ("every_input", "every_input")),
        ],
    )
    def test_follow_from_the_row(self, row, expected):
        assert tuple(bases(row).values()) == expected

    @pytest.mark.parametrize("name", ["exhaustive_logits", "logits", "worst_float64"])
    def test_columns_are_added_once_behind_those_of_every_sweep(self, name):
        frame = writer.read(TABLES / f"{name}.csv")
        bare = frame.drop(columns=[c for c in BASES if c in frame.columns])
        found = with_bases(frame)
        assert with_bases(found).equals(found) and found.drop(columns=list(BASES)).equals(bare)
        if name != "worst_float64":
            order = [
                COLUMNS.index(c) for c in found.columns if c != "id"
            ]  # one that was swept before has not all of them
            assert order == sorted(order) and set(BASES) <= set(found.columns)

    def test_an_exhaustive_table_gets_them_without_a_sweep(self, tmp_path):
        from harness.tables.job import rewrite_job
        from harness.workflow import experiments

        for suffix in ("csv", "md", "tex", "json"):
            shutil.copy(TABLES / f"exhaustive_primitives.{suffix}", tmp_path)
        path = tmp_path / "exhaustive_primitives.csv"
        before, sidecar = writer.read(path), files.read_json(path.with_suffix(".json"))
        rewrite_job(experiments.load(Path("experiments/exhaustive_primitives.yaml")), path)
        frame, after = writer.read(path), files.read_json(path.with_suffix(".json"))
        assert set(frame["max_basis"]) == set(frame["safe_basis"]) == {"every_input"}
        assert frame[list(CONTRACT)].equals(before[list(CONTRACT)])
        assert after["provenance"] == sidecar["provenance"] and after["audit"] == sidecar["audit"]
        for name, digest in after["sha256"].items():
            assert files.sha256(tmp_path / name) == digest
        assert contract.NOTE in path.with_suffix(".md").read_text()


class TestShown:
    def test_a_sample_is_marked_and_the_whole_is_not(self):
        sampled, whole = contract.readable([SWEPT, EVERY]).to_dict("records")
        assert sampled["max error (ulp)"] == "≥ 2.5" and whole["max error (ulp)"] == "2.5"
        assert sampled["safe range"] == "⊆ [-64, 64]" and whole["safe range"] == "[-64, 64]"
        assert sampled["mean (ulp)"] == "~ 0.1" and whole["mean (ulp)"] == "0.1"
        assert sampled["correctly rounded"] == "~ 90 %" and whole["correctly rounded"] == "90 %"

    def test_nothing_is_marked_where_nothing_is_said(self):
        assert text.safe({**SWEPT, "safe_lo": "", "safe_hi": ""}) == "none"  # the centre was seen to be bad
        assert text.safe(SEARCHED) == ""

    def test_the_note_says_over_how_many_points(self):
        note = contract.note([SWEPT, {**SWEPT, "points": "120"}, {**EVERY, "format": "float16"}])
        assert note.endswith("Points in a row: float32 100 to 120 (sample), float16 4278190080 (every input).")

    def test_latex_has_the_signs(self):
        found = to_latex(contract.readable([SWEPT]), "t", "t")
        assert r"$\subseteq$" in found and r"\ge " in found


class TestStrongest:
    def test_every_input_speaks_before_any_sample(self, tmp_path):
        found = figures(known(tmp_path, sample={**SWEPT, "safe_hi": "0x1p+7"}, every=EVERY, worst=SEARCHED))
        assert (found.maximum.basis, found.maximum.table) == ("every_input", "every")
        assert (found.safe.hi, found.safe.basis, found.counts.basis) == ("0x1p+6", "every_input", "every_input")

    def test_without_it_the_largest_lower_bound(self, tmp_path):
        worst = {**SEARCHED, "max_ulp": "3.5"}
        found = figures(known(tmp_path, sample=SWEPT, other={**SWEPT, "max_ulp": "3"}, worst=worst))
        assert (found.maximum.ulp, found.maximum.basis, found.maximum.table) == ("3.5", "search", "worst")
        assert figures(known(tmp_path, sample={**SWEPT, "max_ulp": "4e400"}, worst=worst)).maximum.basis == "sample"

    def test_outer_bounds_are_intersected(self, tmp_path):
        other = {**SWEPT, "safe_lo": "-0x1p+7", "safe_hi": "0x1p+5"}
        found = figures(known(tmp_path, sample=SWEPT, other=other)).safe
        assert (found.lo, found.hi, found.basis, found.tables) == ("-0x1p+6", "0x1p+5", "sample", ("sample", "other"))

    @pytest.mark.parametrize(("at", "side"), [("0x1p+3", "hi"), ("-0x1p+3", "lo")])
    def test_a_searched_failure_ends_the_range(self, tmp_path, at, side):
        worst = {**SEARCHED, "max_ulp": "4.5", "max_ulp_input": at}
        found = figures(known(tmp_path, sample=SWEPT, worst=worst)).safe
        assert abs(float.fromhex(getattr(found, side))) == FORMATS["float32"].next_down(8.0)
        assert found.basis == "search"
        within = {**worst, "max_ulp": "4"}
        assert figures(known(tmp_path, sample=SWEPT, worst=within)).safe.hi == "0x1p+6"

    def test_an_empty_range_stays_empty(self, tmp_path):
        empty = {**SWEPT, "safe_lo": "", "safe_hi": ""}
        assert figures(known(tmp_path, sample=SWEPT, other=empty)).safe.lo == ""

    def test_a_search_over_targets_bounds_the_maximum_over_all(self, tmp_path):
        found = known(tmp_path, sample=SWEPT, joint={**SEARCHED, "target": "0.0001", "max_ulp": "4.4"})
        assert found.at_any_target("bce_logits", "softplus_pair", "float32").ulp == "4.4"
        assert figures(found).maximum.ulp == "2.5"

    def test_figures_of_several_are_complete_only_together(self, tmp_path):
        found = known(tmp_path, every=EVERY, other={**SWEPT, "target": "1", "max_ulp": "2.4"})
        names = ("bce_logits", "softplus_pair", ["float32"])
        assert found.largest(*names, ["0"]).said == "at most 2.5" and found.largest(*names, ["0"]).marked == "2.5"
        assert found.largest(*names, ["0", "1"]).said == "≥ 2.5"  # at 1 a sample alone, which may be surpassed
        assert found.largest(*names, ["0", "0.5"]).said == "≥ 2.5"  # at 0.5 nothing is known
        assert found.largest(*names, ["1"]).said == "≥ 2.4" and found.largest_at_any_target(*names).basis == "sample"
        assert found.largest(*names, ["0"], "2.6").said == "≥ 2.6"
        assert found.largest(*names, ["0"], "2.4").complete and found.largest(*names, ["0.5"], "2.4").said == "≥ 2.4"
        with pytest.raises(ValueError, match="no table"):
            found.largest(*names, ["0.5"])

    @pytest.mark.parametrize(("ulp", "most", "least"), [("2.8861", "2.89", "2.88"), ("3e400", "3e+400", "3e+400")])
    def test_what_is_printed_is_true(self, tmp_path, ulp, most, least):
        found = figures(known(tmp_path, every={**EVERY, "max_ulp": ulp})).maximum
        assert found.said == f"at most {most}" and replace(found, basis="search").said == f"≥ {least}"

    def test_a_study_speaks_from_its_own_new_table_and_from_those_beside(self, tmp_path):
        put(tmp_path, "own", {**SWEPT, "max_ulp": "9"})
        put(tmp_path, "other", {**SWEPT, "max_ulp": "2.6"})
        new = writer.read(put(tmp_path / "elsewhere", "own", {**SWEPT, "max_ulp": "3"}))
        assert figures(Known.with_tables({"own": new}, tmp_path / "tables")).maximum.ulp == "3"
        assert figures(Known.with_tables({}, tmp_path / "tables")).maximum.ulp == "9"

    def test_stronger_than_samples_are_searches_and_every_input(self, tmp_path):
        known(tmp_path, every=EVERY, worst=SEARCHED, sample=SWEPT, mixed=[EVERY, {**SWEPT, "target": "1"}])
        assert Known.beyond_samples(tmp_path / "tables").tables == ["every", "worst"]
        assert Known.beyond_samples(tmp_path / "tables", but="every").tables == ["worst"]

    def test_other_tables_are_passed_over(self, tmp_path):
        assert not rows_in(put(tmp_path, "systems", {**SWEPT, "system": "torch"}))
        assert not rows_in(put(tmp_path, "softmax", {**SWEPT, "k": "10"}))
        assert not rows_in(put(tmp_path, "curves", {"x": "1"}))

    def test_an_altered_file_is_read_again(self, tmp_path):
        assert figures(known(tmp_path, sample=SWEPT)).maximum.ulp == "2.5"
        assert figures(known(tmp_path, sample={**SWEPT, "max_ulp": "2.75"})).maximum.ulp == "2.75"


ATLAS = {
    "problem": "bce_logits", "kernel": "softplus_pair", "format": "float32",
    "safe_lo_hard": "-0x1p+6", "safe_hi_hard": "0x1p+6", "safe_lo_all": "-0x1p+6", "safe_hi_all": "0x1p+6",
    "max_ulp_hard": "2.5", "failure": "y = 0 and 1: within 2.5 ulp at every x",
}  # fmt: skip
BOUND = {**KEY, "bounded": "1", "max_bound_ulp": "3", "cells": "1016", "function_errors": "exhaustive"}
CURED = {"remedy": "lse_log1p"}
CAN = {
    "every": EVERY,
    "sample": {**SWEPT, "max_ulp": "2", "safe_hi": "0x1p+7"},
    "worst": {**SEARCHED, "max_ulp": "2.5"},
}
PLANTED = {
    "a sample's maximum above every input's": ({"sample": {**SWEPT, "max_ulp": "2.6"}}, "errs by 2.5 ulp at most"),
    "a search above every input's": ({"worst": {**SEARCHED, "max_ulp": "2.6"}}, "errs by 2.5 ulp at most"),
    "a search below a sample": ({"worst": {**SEARCHED, "max_ulp": "1.75"}}, r"\(search\), sample.csv:2 has 2 "),
    "a search over targets below one of them": (
        {"joint": {**SEARCHED, "target": "0.5", "max_ulp": "2.4"}}, "search over targets found; every has 2.5"
    ),
    "two sweeps over every input that differ": ({"again": {**EVERY, "max_ulp": "2.4"}}, "again.csv:2.*every.csv:2 has 2.5"),
    "a sample's range within every input's": ({"sample": {**SWEPT, "safe_hi": "0x1p+5"}}, "sample.csv:2 allows"),
    "a failure within every input's range": (
        {"every": {**EVERY, "max_ulp": "5", "max_ulp_input": "0x1p+3"}}, "every.csv:2 allows"
    ),
    "an atlas range too wide": ({"atlas": {**ATLAS, "safe_hi_hard": "0x1p+7"}}, "the tables allow"),
    "an atlas range for all targets too wide": ({"atlas": {**ATLAS, "safe_lo_all": "-0x1p+7"}}, "the tables allow"),
    "an atlas maximum too small": ({"atlas": {**ATLAS, "max_ulp_hard": "2.4"}}, "the tables have 2.5"),
    "an atlas statement exceeded": (
        {"atlas": {**ATLAS, "failure": "y = 0: within 2.49 ulp at every x tried"}}, "within 2.49 ulp for y = 0, every has 2.5"
    ),
    "an outcome nearer than the atlas has it": (
        {"every": {**EVERY, "zero_input": "0x1p+4"},
         "atlas": {**ATLAS, "failure": "y = 0: 0 for 17 <= x <= 20 and in places from 16.5 (true 1e-09). Gradient, y = 0: 0 for x >= 2"}},
        r"does not say of y = 0 that zero is at 0x1p\+4, as every.csv:2 does",
    ),
    "a cure that does not hold by a stronger table": (
        {"sample": [{**SWEPT, **CURED}, {**SWEPT, "kernel": "lse_log1p"}],
         "every": [{**EVERY, "kernel": "lse_log1p", "max_ulp": "4.5"}, EVERY]},
        "sample.csv: bce_logits softplus_pair float32 0: lse_log1p is no remedy: 4.5 ulp",
    ),
    "an a priori bound too small": ({"bounds_every": {**BOUND, "max_bound_ulp": "2.4"}}, "bounded by 2.4 ulp"),
    "an a priori bound of its own in another table": (
        {"bounds_other": {**BOUND, "max_bound_ulp": "2.75"}}, "bounds_other.csv:2: .* bounded by 2.75 ulp, in bounds_every.csv:2 by 3"
    ),
}  # fmt: skip


class TestContradictions:
    def found(self, folder, **planted):
        results = folder / "results"
        results.mkdir(exist_ok=True)
        for name, row in {**CAN, "atlas": ATLAS, "bounds_every": BOUND, **planted}.items():
            put(results, name, *(row if isinstance(row, list) else [row]))
        return [*contradictions.contradictions(results), *contradictions.shortfalls(results)]

    def test_nothing_is_found_in_tables_that_agree(self, tmp_path):
        assert self.found(tmp_path) == []

    @pytest.mark.parametrize(("planted", "said"), PLANTED.values(), ids=PLANTED)
    def test_each_kind_is_caught(self, tmp_path, planted, said):
        found = self.found(tmp_path, **planted)
        assert any(re.search(said, t) for t in found), found

    @pytest.mark.parametrize(
        "said", ["0 for 15 <= x <= 20", "0 for 17 <= x <= 20 and in places from 16", "stuck at 1 for x >= 9"]
    )
    def test_an_outcome_that_the_atlas_has(self, tmp_path, said):
        planted = {
            "every": {**EVERY, "zero_input": "0x1p+4"},
            "atlas": {**ATLAS, "failure": f"y = 0 and 1: {said} (true 2)"},
        }
        assert self.found(tmp_path, **planted) == []
        planted["atlas"]["failure"] = f"y = 1: {said}"
        assert self.found(tmp_path, **planted)  # negative control: of another target

    def test_a_bound_that_is_not_finite_everywhere_says_nothing(self, tmp_path):
        assert self.found(tmp_path, bounds_every={**BOUND, "max_bound_ulp": "2.4", "bounded": "0.9"}) == []

    def test_a_quoted_row_that_no_table_has(self, tmp_path):
        shown = contract.readable([EVERY])
        lines = writer.bare_markdown(shown)
        readme = tmp_path / "README.md"
        readme.write_text(f"(rows of `results/tables/every.md`):\n\n{lines}\n")
        assert self.found(tmp_path) == []
        readme.write_text(readme.read_text().replace("2.5", "2.4"))
        assert any("has no row" in text for text in self.found(tmp_path))

    def test_verify_says_so(self, tmp_path):
        results = tmp_path / "results"
        self.found(tmp_path)
        atlas = results / "tables" / "atlas.csv"
        files.write_json(atlas.with_suffix(".json"), {"rows": 1, "sha256": {atlas.name: files.sha256(atlas)}})
        assert verify.verify(results).ok
        self.found(tmp_path, worst={**SEARCHED, "max_ulp": "2.4"})
        found = verify.verify(results)  # as a lower bound it stays true
        assert found.ok and "a search fell short: worst.csv:2" in found.text
        self.found(tmp_path, sample={**SWEPT, "max_ulp": "2.6"})
        found = verify.verify(results)
        assert not found.ok and "errs by 2.5 ulp at most" in found.text

    def test_the_committed_results_hold(self):
        assert contradictions.contradictions(Path("results")) == []

    def test_the_readme_quotes_a_table(self):
        assert contradictions.README_TABLE.findall(Path("README.md").read_text(encoding="utf-8"))


# -- the studies' answers


@pytest.mark.parametrize(
    ("name", "kernel", "problem", "target"),
    [
        ("epsilons", "softplus_pair", "bce_logits", "1"),
        ("targets", "softplus_pair", "bce_logits", "0.3"),
        ("pipeline", "softplus_pair", "bce_logits", "0"),
        ("pipeline", "xlogy", "bce", "1"),
        ("training", "maechler", "bce_logits", "0"),
        ("relatives", "scipy", "logit", ""),
        ("relatives", "direct", "focal_grad", ""),
    ],
)
def test_an_answer_speaks_from_a_stronger_table(tmp_path, name, kernel, problem, target):
    question = study.load(Path(f"experiments/{name}.yaml"))
    code, frames = study.study_of(question), {t: writer.read(TABLES / f"{t}.csv") for t in question.tables}
    row = {**SEARCHED, "problem": problem, "kernel": kernel, "target": target, "max_ulp": "777"}
    before = code.answered(frames, Known.with_tables(frames, tmp_path / "tables"))
    put(tmp_path, "planted", row)
    after = code.answered(frames, Known.with_tables(frames, tmp_path / "tables"))
    assert "≥ 777" in after and "777" not in before


# -- the atlas's printed numbers ------------------------------------------------------------------

NUMBER = r"-?[0-9.]+(?:e[+-]?[0-9]+)?"
STATEMENT = re.compile(
    rf"(?:^|; |: )(NaN|infinite|-infinite|0|stuck at ({NUMBER})(?:, below 0,)?) "
    rf"(?:for (?:({NUMBER}) <= )?[xp] (?:(<=|>=) ({NUMBER}))|at [xp] = ({NUMBER}))"
)
HOLDS = {"NaN": np.isnan, "infinite": np.isposinf, "-infinite": np.isneginf, "0": lambda v: v == 0}


def statements():
    """Give every statement of the atlas on a run of inputs: its kernel, format, targets, what, and printed inputs."""
    for row in writer.read(TABLES / "atlas.csv").to_dict("records"):
        for clause in row["failure"].split(". "):
            problem = row["problem"]
            if clause.startswith("Gradient, "):
                problem, clause = gradient_of(PROBLEMS[problem]).name, clause.removeprefix("Gradient, ")
            of = contradictions.OF_TARGET.match(clause)
            targets = of[1].split(" and ") if of else [None]
            for what, stuck, low, _, end, at in STATEMENT.findall(clause):
                inputs = [t for t in (low, end, at) if t]
                yield problem, row["kernel"], row["format"], targets, what, stuck, inputs


def holds(problem, kernel, fmt, target, what, stuck, text):
    """Tell whether a kernel does at a printed input, parsed in the format, what is said of it."""
    x = np.array([[fmt.parse(text)]])
    with np.errstate(all="ignore"):
        value = kernel_named(problem, kernel)(*((x,) if target is None else (x, np.full((1, 1), fmt.parse(target)))))
        value = np.broadcast_to(value, (1, 1))[0, 0]
    if stuck:
        return value == fmt.parse(stuck) or (fmt.bits == 64 and abs(float(value) / float(stuck) - 1) < 1e-8)
    return bool(HOLDS[what](value))


def test_every_printed_input_of_the_atlas_satisfies_what_is_said_of_it():
    found = list(statements())
    assert len(found) > 400
    wrong = [
        (problem, kernel, name, target, what, text)
        for problem, kernel, name, targets, what, stuck, inputs in found
        for target in targets
        for text in inputs
        if not holds(problem, kernel, FORMATS[name], target, what, stuck, text)
    ]
    assert not wrong, wrong[:10]


def test_a_decimal_that_is_nearest_to_an_input_where_it_does_not_hold_yet_is_told_apart():
    """NaN from 0x1.9fe36cp+6, which to eight digits is 103.97208, nearest to its lower neighbour."""
    args = ("bce_logits_grad", "sigmoid_naive", FORMATS["float32"], "0", "NaN", "")
    assert not holds(*args, "103.97208") and holds(*args, "103.972084")


def test_ranges_of_every_input_are_those_of_the_exhaustive_table():
    rows = {(r["problem"], r["kernel"], r["format"]): r for r in writer.read(TABLES / "atlas.csv").to_dict("records")}
    naive = rows["bce_logits", "sigmoid_naive", "float32"]
    assert (naive["safe_lo_hard"], naive["safe_hi_hard"]) == ("-0x1.f17fa2p-8", "0x1.23421ep-2")
    assert naive["safe_basis_hard"] == naive["max_basis_hard"] == "every_input"
    page = (TABLES / "atlas.md").read_text(encoding="utf-8")
    assert "| sigmoid_naive | float32 | unsafe (loss and gradient) | [-0.007591, 0.2844] |" in page


def test_a_verdict_covers_loss_and_gradient_and_poles():
    rows = {(r["problem"], r["kernel"], r["format"]): r for r in writer.read(TABLES / "atlas.csv").to_dict("records")}
    for name in ("float16", "bfloat16", "float32", "float64"):
        for kernel in ("maechler", "threshold20"):
            row = rows["bce_logits", kernel, name]
            assert row["verdict"] in ("limited", "unsafe") and "gradient" in row["fails"]
        clamp = rows["bce", "clamp_log_100", name]
        assert clamp["verdict"] != "safe" and "loss" in clamp["fails"] and clamp["safe_hi_hard"] != "0x1p+0"


@pytest.mark.parametrize("decimal", ["2.15", "2.887"])
def test_words_are_read(decimal):
    failure = f"y = 0 and 1: within {decimal} ulp at every x tried. Gradient, y = 0: within 9 ulp at every x"
    assert list(contradictions.statements(failure)) == [("0", Decimal(decimal)), ("1", Decimal(decimal))]
