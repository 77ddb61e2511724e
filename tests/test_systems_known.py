"""Pages and figures of real libraries speak from every float32 input where that was swept, and say so; a sample stays one."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from harness.systems.pages import advice, figures, findings_page, known, probes
from harness.tables import writer
from harness.tables.contradictions import systems as contradictions

TABLE = Path("results/tables/systems.csv")
SIGMOID_CE, SOFTPLUS = "tf.nn.sigmoid_cross_entropy_with_logits", "torch.nn.functional.softplus"
# What every float32 input says where |x| <= 20; the samples of both calls have less.
PLANTED = {
    (SIGMOID_CE, "bce_logits", "0"): ("4.803", "-0x1.05a096p+1"),
    (SOFTPLUS, "softplus", ""): ("1.493", "-0x1.4p+2"),
}


@pytest.fixture(scope="module")
def sampled() -> list[dict]:
    wanted = [r for r in probes.rows_in(TABLE) if r["system"] in (SIGMOID_CE, SOFTPLUS) and r["format"] == "float32"]
    assert wanted
    return wanted


@pytest.fixture(scope="module")
def swept(sampled: list[dict]) -> list[dict]:
    """A row of every input for each planted figure, in the mode that runs by default."""
    found = []
    for row in sampled:
        key = row["system"], row["problem"], row["target"]
        if key in PLANTED and row["mode"] in ("graph", "eager" if row["library"] == "torch" else ""):
            ulp, x = PLANTED[key]
            kept = {c: row[c] for c in known.KEY}
            empty = dict.fromkeys(("nan_input", "inf_input", "zero_input", "sign_input"), "")
            found.append(
                {**kept, **empty, "kernel": "k", "usual_max_ulp": ulp, "usual_max_ulp_input": x, "max_ulp": "1e300"}
            )
    assert len(found) == len(PLANTED)
    return found


@pytest.fixture(scope="module")
def probed(sampled: list[dict], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What these calls returned at the probes."""
    every = writer.read(TABLE.with_name("systems_probes.csv"))
    path = tmp_path_factory.mktemp("known") / "probes.csv"
    every[every["id"].isin([r["id"] for r in sampled])].to_csv(path, index=False)
    return path


def told(rows: list[dict], name: str, probed: Path) -> str:
    every = probes.returned(rows, probed)
    (call,) = [c for c in advice.calls(rows, every) if c.name == name]
    return advice.line(call, [call])


def test_pages_say_what_every_input_says(sampled: list[dict], swept: list[dict], probed: Path) -> None:
    rows = known.strengthened(sampled, swept)
    text = told(rows, SIGMOID_CE, probed)
    assert "float32, every input (graph): loss 4.803 at x = −2.0439" in text
    assert ", y = 0" in text.partition("4.803")[2]
    assert "float32, every input (eager): 1.493 at x = −5" in told(rows, SOFTPLUS, probed)


def test_without_that_table_they_say_what_the_sample_says(sampled: list[dict], probed: Path) -> None:
    """The control: none of it comes from anywhere else."""
    rows = known.strengthened(sampled, [])
    assert {r["near_basis"] for r in rows} == {"sample"}
    assert "every input" not in told(rows, SIGMOID_CE, probed) + told(rows, SOFTPLUS, probed)
    assert "| float32: ≥ 1.247 |" in told(rows, SOFTPLUS, probed)


@pytest.mark.parametrize("column", ["version", "mode", "target"])
def test_what_is_of_another_call_is_not_taken(sampled: list[dict], swept: list[dict], column: str) -> None:
    rows = known.strengthened(sampled, [{**r, column: "another"} for r in swept])
    assert {r["near_basis"] for r in rows} == {"sample"}


def test_a_larger_error_on_the_sample_stands_and_contradicts(sampled, swept, tmp_path: Path) -> None:
    smaller = [{**r, "usual_max_ulp": "1.1"} for r in swept]
    assert {r["near_basis"] for r in known.strengthened(sampled, smaller)} == {"sample"}
    for name, rows in (("systems", sampled), ("swept", swept), ("smaller", smaller)):
        (tmp_path / f"{name}.csv").write_text(writer.to_csv(rows, list(rows[0])))
    (text,) = [t for t in contradictions(tmp_path / "systems.csv", tmp_path / "smaller.csv") if "target 0" in t]
    assert "errs by 1.1 ulp at most (every_input), systems.csv:" in text and "3.58" in text
    for name in ("swept", "none"):  # as large as the sample or larger; no such table
        assert contradictions(tmp_path / "systems.csv", tmp_path / f"{name}.csv") == []


def test_outcomes_count_where_the_nearest_input_is_one_that_models_meet(sampled: list[dict], swept: list[dict]) -> None:
    within, beyond = [{**r, "nan_input": x} for r, x in zip(swept, ("0x1.3p+4", "0x1.5p+4"))]
    rows = known.strengthened(sampled, [within, beyond])
    counts = {r["system"]: r["near_spurious_nan"] for r in rows if r["near_basis"] == "every_input"}
    assert counts == {within["system"]: 1, beyond["system"]: 0}


def test_figures_mark_what_is_of_every_input(sampled: list[dict], swept: list[dict]) -> None:
    for every in (swept, []):
        rows = known.strengthened(sampled, every)
        keys = [("tensorflow", SIGMOID_CE)]
        zero = [r for r in rows if r["problem"] == "bce_logits" and r["target"] == "0"]
        tiles = figures._tiles(keys, zero, figures.FORMATS)
        bold = [(t.ulp, t.bold) for t in tiles if t.fmt.name == "float32"]
        assert bold == ([(4.803, True)] if every else [(pytest.approx(3.58019835), False)])


def test_findings_say_it_too(sampled: list[dict], swept: list[dict]) -> None:
    row = next(r for r in known.strengthened(sampled, swept) if r["near_basis"] == "every_input")
    assert findings_page._every(row) is not None and findings_page._every({**row, "near_basis": "sample"}) is None


# -- infinite logits ---------------------------------------------------------------------------------

SPECIAL = Path("results/tables/systems_special.csv")
HARD_LABELS = ("statsmodels", "lightgbm", "xgboost", "catboost")  # refuse a label that is neither 0 nor 1
BCE = "torch:torch.nn.functional.binary_cross_entropy_with_logits:bce_logits:eager"


def missing(rows: list[dict[str, str]]) -> set[str]:
    """Calls of a loss from a logit, or of its gradient, that were not asked at both infinities for 0, 1 and a soft target."""
    asked: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for row in rows:
        if row["problem"].startswith("bce_logits") and row["library"] not in HARD_LABELS:
            target = row["target"] if row["target"] in ("0", "1") and not row["label_smoothing"] else "soft"
            asked.setdefault((row["kernel"], row["format"]), set()).add((row["input"], target))
    wanted = {(x, y) for x in ("-inf", "+inf") for y in ("0", "1", "soft")}
    plain = {
        key for key, at in asked.items() if ("-inf", "0") in at
    }  # of a call with smoothing alone every target is soft
    return {kernel for kernel, fmt in plain if not wanted <= asked[kernel, fmt]}


def test_infinite_logits_are_asked_for_hard_and_soft_targets() -> None:
    rows = list(csv.DictReader(SPECIAL.open(encoding="utf-8")))
    assert missing(rows) == set()
    assert missing([r for r in rows if r["kernel"] != BCE or r["input"] != "-inf" or r["target"] != "0.1"]) == {BCE}
    said = {(r["input"], r["target"]): r["computed"] for r in rows if r["kernel"] == BCE and r["format"] == "float32"}
    assert (said["-inf", "0.1"], said["+inf", "0.1"]) == ("nan", "inf")  # the exact loss is infinite at both
