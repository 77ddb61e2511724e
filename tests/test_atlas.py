"""The atlas: known facts found by computation, planted faults described, sound kernels left alone."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import UsageError
from harness.kernels import Kernel, kernel_named, like
from harness.kernels.activations import sigmoid_reciprocal
from harness.numbers.formats import FORMATS, format_named
from harness.problems import PROBLEMS, gradient_of, problem_named
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.tables import atlas, contract, writer
from harness.tables.atlas.failures import Failure, Sample, failures, unbroken, with_known
from harness.tables.atlas.phrases import Phrases
from harness.tables.rows import COLUMNS, rows_of
from harness.workflow import files
from harness.workflow.targets import targets_in

FLOAT32 = FORMATS["float32"]
NAMES = ["sigmoid_naive", "sigmoid_clip_1e-7", "sigmoid_clip_1e-15", "softplus_pair", "maechler", "lse_log"]


def table(path, problem, names, fmt):
    """Sweep kernels on the quick grid and write their table."""
    targets = targets_in(fmt, ("0", "1", "0.1", "next_down_1"))
    grid = Grid("quick", PROBLEMS[problem], fmt, targets)
    kernels = [kernel_named(problem, name) for name in names]
    found = sweep(PROBLEMS[problem], kernels, grid, targets).summaries
    rows = [r for k in kernels for r in rows_of(PROBLEMS[problem], k, grid, targets, found[k.name])]
    writer.write(path, rows, COLUMNS, contract.readable(rows), problem)
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    paths = [table(folder / f"{p}.csv", p, NAMES, FLOAT32) for p in ("bce_logits", "bce_logits_grad")]
    atlas.atlas_job(paths, folder / "atlas")
    return folder, paths


@pytest.fixture(scope="module")
def rows(written):
    frame = writer.read(written[0] / "atlas.csv")
    assert tuple(frame.columns) == (*atlas.COLUMNS, "id")
    return {(r["problem"], r["kernel"]): r for r in frame.to_dict("records")}


def found_in(function, problem="bce_logits", fmt=FLOAT32):
    """Return a kernel's failures and their words."""
    kernel = Kernel("planted", problem, function, "", "", "")
    sample = Sample(PROBLEMS[problem], fmt)
    cases = sample.cases("planted", kernel)
    found = failures(sample, cases, *sample.run(kernel))
    phrases = Phrases(PROBLEMS[problem], fmt, cases)
    return found, [phrases.side([f], None)[0] for f in found], phrases


def sound(x, y):
    return kernel_named("bce_logits", "softplus_pair")(x, y)


def test_clip_plateaus_of_float32(rows):
    row = rows["bce_logits", "sigmoid_clip_1e-7"]
    assert row["plateau_y0"] == FLOAT32.hex(FLOAT32.parse("15.942385"))
    assert row["plateau_y1"] == FLOAT32.hex(FLOAT32.parse("16.118096"))
    assert "stuck at 15.942385" in row["failure"]
    assert row["verdict"] == "unsafe" and row["use_instead"] == "softplus_pair"


def test_naive_is_first_infinite_where_the_sigmoid_rounds_to_1(rows):
    """Every float32 between 16 and 17.5 is looked at, apart from the atlas's own search."""
    ends = FLOAT32.ordinal(np.array([16, 17.5], np.float32))
    x = FLOAT32.from_ordinal(np.arange(*ends))
    least = x[sigmoid_reciprocal(x) == 1][0]
    assert FLOAT32.hex(least) == "0x1.0a2b24p+4"
    found, texts, _ = found_in(kernel_named("bce_logits", "sigmoid_naive"))
    first = next(f for f in found if (f.kind, f.target, f.side) == ("inf", 0.0, 1))
    assert FLOAT32.from_ordinal(np.array([first.near]))[0] == least
    assert "infinite for x >= 16.635532 (true 16.6)" in texts
    assert "infinite for x >= 16.635532" in rows["bce_logits", "sigmoid_naive"]["failure"]


def test_clip_1e_15_is_naive_at_the_upper_end_of_float32(rows):
    clip, naive = (rows["bce_logits", k]["failure"] for k in ("sigmoid_clip_1e-15", "sigmoid_naive"))
    assert "infinite for x >= 16.635532" in clip and "infinite for x >= 16.635532" in naive
    assert "stuck at 34.538776" in clip and "stuck" not in naive
    assert rows["bce_logits", "sigmoid_clip_1e-15"]["plateau_y0"] == ""


def test_dead_gradient_is_stated_with_the_loss(rows):
    loss, gradient = rows["bce_logits", "sigmoid_clip_1e-7"], rows["bce_logits_grad", "sigmoid_clip_1e-7"]
    kernel = kernel_named("bce_logits_grad", "sigmoid_clip_1e-7")
    for end, target, towards in (("dead_lo", 1, 1), ("dead_hi", 0, -1)):
        assert loss[end] == gradient[end]
        at = FLOAT32.parse(loss[end])
        pair = np.array([at, FLOAT32.step(np.array([at]), towards)[0]])
        with np.errstate(all="ignore"):
            values = kernel(pair[None, :], np.full((1, 1), target, np.float32))[0]
        assert values[0] == 0 and values[1] != 0
    assert "Gradient, y = 0:" in loss["failure"] and "0 for x >= 16.635532 (true 1)" in loss["failure"]


def test_sound_kernels_are_called_safe(rows):
    row = rows["bce_logits", "softplus_pair"]
    assert (row["verdict"], row["fails"]) == ("safe for hard targets", "gradient") and row["use_instead"] == ""
    loss, gradient = row["failure"].split(". ", 1)
    assert loss == "y = 0 and 1: within 2.15 ulp at every x tried"
    assert gradient.startswith("Gradient, soft targets: over 4 ulp (>= ")
    assert row["max_basis_hard"] == row["safe_basis_hard"] == "sample"
    assert not any(row[c] for c in ("plateau_y0", "plateau_y1", "dead_lo", "dead_hi"))
    assert rows["bce_logits_grad", "softplus_pair"]["verdict"] == "safe for hard targets"
    assert "Soft targets: over 4 ulp" in rows["bce_logits_grad", "softplus_pair"]["failure"]


def test_lost_small_values_are_no_catastrophe(rows):
    row = rows["bce_logits", "lse_log"]
    assert row["verdict"] == "limited" and "0 for x <= -16.635532 (true 5.96e-08)" in row["failure"]


def test_safe_loss_with_nan_gradient_says_so_and_names_a_better_one(rows):
    row = rows["bce_logits", "maechler"]
    assert (row["verdict"], row["fails"]) == ("limited", "gradient") and row["use_instead"] == "softplus_pair"
    assert "Gradient, y = 0 and 1: NaN for x <= -88.72284; NaN for x >= 88.72284" in row["failure"]


def test_safe_ranges_are_the_intersections_of_the_table(rows, written):
    frame = writer.read(written[1][0])
    mine = frame[(frame["kernel"] == "sigmoid_naive") & frame["target"].isin(["0", "1"])]
    row = rows["bce_logits", "sigmoid_naive"]
    assert float.fromhex(row["safe_lo_hard"]) == max(map(float.fromhex, mine["safe_lo"]))
    assert float.fromhex(row["safe_hi_hard"]) == min(map(float.fromhex, mine["safe_hi"]))


def test_same_tables_give_the_same_bytes_and_a_page_to_read(written):
    folder, paths = written
    atlas.atlas_job(paths, folder / "again")
    for suffix in (".csv", ".md"):
        assert (folder / f"again{suffix}").read_bytes() == (folder / f"atlas{suffix}").read_bytes()
    text = (folder / "atlas.md").read_text()
    assert (
        "## bce_logits\n" in text and "| softplus_pair | float32 | safe for hard targets (gradient) | ⊆ all |" in text
    )
    assert r"\begin{tabular}" in (folder / "atlas.tex").read_text()


def test_tables_without_a_problem_of_the_atlas_are_refused(tmp_path):
    (tmp_path / "other.csv").write_text("problem,kernel,format\nexp,numpy,float32\n")
    with pytest.raises(UsageError, match=r"other\.csv has no row of bce_logits"):
        atlas.atlas_job([tmp_path / "other.csv"], tmp_path / "atlas")
    assert not (tmp_path / "atlas.csv").exists()


def test_tables_of_two_machines_are_refused(written, tmp_path):
    paths = [tmp_path / path.name for path in written[1]]
    for source, path in zip(written[1], paths):
        for suffix in (".csv", ".json"):
            shutil.copy(source.with_suffix(suffix), path.with_suffix(suffix))
    sidecar = paths[1].with_suffix(".json")
    told = json.loads(sidecar.read_text())
    assert json.loads((written[0] / "atlas.json").read_text())["provenance"]["sources"] != told["provenance"]["sources"]
    other = {**told, "provenance": {**told["provenance"], "simd": ["X86_V9"]}}
    files.write_json(sidecar, files.sealed(other, writer.SIDECAR_SEAL))
    with pytest.raises(UsageError, match="and with simd X86_V9; make the tables again"):
        atlas.atlas_job(paths, tmp_path / "atlas")
    assert not (tmp_path / "atlas.csv").exists()


# -- planted faults ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_nothing_is_found_in_a_sound_kernel(name):
    assert found_in(sound, fmt=FORMATS[name])[0] == []


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_planted_plateau_begins_at_its_first_input(name):
    fmt = FORMATS[name]
    found, texts, _ = found_in(lambda x, y: np.minimum(sound(x, y), like("8.5", x)), fmt=fmt)
    assert {f.kind for f in found} == {"stuck"} and all(f.value == 8.5 and f.to_end for f in found)
    above = next(f for f in found if f.side > 0)
    edge = fmt.from_ordinal(np.array([above.near, above.near - 1]))[None, :]
    at, before = sound(edge, np.zeros((1, 1), fmt.dtype))[0]
    assert at >= 8.5 > before and above.target == 0
    assert any(t.startswith("stuck at 8.5 for x >= 8.") for t in texts)


def test_planted_nan_is_found_from_its_first_input_to_its_last():
    def planted(x, y):
        return np.where((x >= 10) & (x < 12), like("nan", x), sound(x, y))

    found, texts, phrases = found_in(planted)
    assert [(f.kind, f.target, f.side) for f in found] == [("nan", 0.0, 1), ("nan", 1.0, 1)]
    assert phrases.hex(found[0].near) == "0x1.4p+3"
    assert phrases.hex(found[0].far) == FLOAT32.hex(FLOAT32.next_down(12.0))
    assert texts[0] == "NaN for 10 <= x <= 11.999999"


def test_planted_dead_zone_of_a_gradient():
    def planted(x, y):
        gradient = kernel_named("bce_logits_grad", "softplus_pair")(x, y)
        return np.where(abs(x) > like("9", x), like("0", x), gradient)

    found, texts, phrases = found_in(planted, "bce_logits_grad")
    assert {f.kind for f in found} == {"zero"} and len(found) == 4
    assert all(phrases.hex(f.near).lstrip("-") == FLOAT32.hex(FLOAT32.next_up(9.0)) for f in found)
    assert "0 for x >= 9.000001 (true 1)" in texts


def test_constant_error_where_the_truth_is_constant_too_is_no_plateau():
    def planted(x, y):
        gradient = kernel_named("bce_logits_grad", "softplus_pair")(x, y)
        return np.where((x > 20) & (y == 0), like("0.75", x), gradient)

    found, texts, phrases = found_in(planted, "bce_logits_grad")
    assert [(f.kind, f.target, f.to_end) for f in found] == [("inexact", 0.0, True)]
    assert phrases.hex(found[0].percent) == FLOAT32.hex(FLOAT32.next_up(20.0))
    assert texts == ["errors over 1 % from x = 20.01 at the latest (up to 25 % where tried)"]


def test_planted_negative_loss_and_bias():
    found, texts, _ = found_in(lambda x, y: sound(x, y) - like("1e-3", x))
    assert {"sign", "stuck"} & {f.kind for f in found} and any("-0.001" in t for t in texts)
    assert any(t.startswith("stuck at -0.001, below 0,") for t in texts)
    assert any(f.kind == "inexact" and f.percent is not None for f in found)


def test_planted_cap_at_a_pole():
    def planted(p, y):
        return np.minimum(kernel_named("bce", "xlogy")(p, y), like("1e4", p))

    found, texts, _ = found_in(planted, "bce")
    assert [f.kind for f in found] == ["capped", "capped"]
    assert sorted(texts) == ["10000 at p = 0 (true infinite)", "10000 at p = 1 (true infinite)"]


def test_a_run_that_is_broken_between_samples_begins_after_the_last_break():
    def holds(ordinals):
        return (ordinals >= 100) & (ordinals != 130) & (ordinals != 120)

    assert unbroken(holds, 100, 10**6) == 131
    assert unbroken(holds, 131, 10**6) == 131
    assert unbroken(lambda o: holds(-o), -100, -(10**6)) == -131


def test_outcomes_that_tables_know_nearer_to_the_centre_are_told():
    case = Case(
        problem_named("bce_logits"),
        "planted",
        sound,
        Grid("standard", problem_named("bce_logits"), FLOAT32),
        np.float32(1),
    )
    at = int(FLOAT32.ordinal(np.float32([20]))[0])
    seen = Failure("zero", 1.0, 1, at, at + 9, False)
    (told,) = with_known([seen], [case], {("1", "zero"): ["0x1p+4"]})
    assert FLOAT32.from_ordinal(np.array([told.scattered]))[0] == 16 and replace(told, scattered=None) == seen
    assert with_known([seen], [case], {("1", "zero"): ["0x1.8p+4"]}) == [seen]  # farther out
    assert [f.kind for f in with_known([seen], [case], {("1", "nan"): ["-0x1p+4"]})] == ["zero", "nan"]
    places = replace(seen, scattered=seen.near)
    (told,) = with_known([places], [case], {("1", "zero"): ["0x1p+4"]})
    assert told.near == told.scattered and FLOAT32.from_ordinal(np.array([told.near]))[0] == 16  # in places still
    stuck = Failure("stuck", 1.0, 1, at, at + 9, True, -1.0)
    assert with_known([stuck], [case], {("1", "sign"): [FLOAT32.hex(np.float32(20))]}) == [stuck]


ATLAS = writer.read(Path("results/tables/atlas.csv")).to_dict("records")
FROM = re.compile(r"errors over 1 % from [xp] = (\S+) at the latest")


def test_an_error_is_over_1_percent_at_the_input_that_the_atlas_prints():
    """Of every sentence of the kind: at one hard target at least, as clauses of both have what both share."""
    wrong = []
    for row in ATLAS:
        problem, fmt = problem_named(row["problem"]), format_named(row["format"])
        for clause in row["failure"].split(". "):
            of = gradient_of(problem) if clause.startswith("Gradient") else problem
            kernel = kernel_named(of.name, row["kernel"])
            targets = [
                fmt.dtype.type(t) for t in re.findall(r"y = ([01])", clause) + ["1"] * ("0 and 1" in clause)
            ] or [None]
            for text in FROM.findall(clause):
                at = fmt.ordinal(np.array([fmt.parse(text)]))
                cases = [
                    Case(of, kernel.name, kernel, Grid("standard", of, fmt), t if of.has_target else None)
                    for t in targets
                ]
                with np.errstate(all="ignore"):
                    over = [c.errors(at).relative(0)[0] > 0.01 for c in cases]
                if not any(over):
                    wrong.append((row["kernel"], row["format"], clause))
    assert wrong == []


def test_the_largest_error_over_soft_targets_is_a_lower_bound_in_the_atlas():
    soft = [row["failure"] for row in ATLAS if "oft targets: over 4 ulp" in row["failure"]]
    assert len(soft) > 20 and all("oft targets: over 4 ulp (>= " in text for text in soft)


def test_no_share_is_stated_of_a_format_in_which_the_budget_is_more():
    assert not [row for row in ATLAS if row["format"] == "bfloat16" and "over 1 %" in row["failure"]]
    assert [row for row in ATLAS if row["format"] == "float16" and "over 1 %" in row["failure"]]  # the control


def test_what_is_negative_goes_as_far_down_as_where_it_is_stuck():
    """In one clause no value that a run ends with lies below the least that is told of it."""
    for row in ATLAS:
        for clause in row["failure"].split(". "):
            down = [float(v) for v in re.findall(r"negative, down to (\S+)", clause)]
            stuck = [float(v) for v in re.findall(r"stuck at (\S+), below 0", clause)]
            assert not down or not stuck or min(down) <= min(stuck), (row["kernel"], row["format"], clause)
