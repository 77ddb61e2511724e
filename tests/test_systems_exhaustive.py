"""Every input through libraries: planted faults between samples are found, and what a table says is the library's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import UsageError
from harness.cli.main import main
from harness.problems import problem_named
from harness.sweep.streaming import sweep as swept_upwards
from harness.systems import adapters, registry
from harness.systems.exhaustive import calls, job
from harness.systems.exhaustive import sweep as passing
from harness.systems.exhaustive.calls import FMT, Called, grid_of
from harness.systems.exhaustive.references import FORMS, References, form_of
from harness.systems.exhaustive.repeated import RepeatedTallies
from harness.systems.run.kept import Worker
from harness.tables import writer
from harness.truth.fast import bound, evaluate

# A library with a fault at one input, one that is wrong over whole blocks, one that is not there, and one that crashes.
ADAPTER = """
import os
import numpy as np
from harness.systems.registry import Library, System

__version__ = "0.1"
SETTINGS = {"PYTHONPATH": os.path.dirname(__file__)}
LIBRARIES = [Library(name, __name__, ("planted_library",), SETTINGS) for name in ("planted", "flat", "absent", "crashing")]

def loss(x, y):
    e = np.where(y == 1, -x, x)
    right = np.maximum(e, 0) + np.log1p(np.exp(-np.abs(e)))
    if len(x) < 64:
        return right  # the scalar path has no fault
    return np.where((x == np.float32(3)) & (y == 1), right * np.float32(1.25), right)

def flat(x):
    return np.where(x < -100, np.float32(7), np.where(x > 100, np.float32(np.nan), np.float32(0.5)))

def crash(x, y):
    os._exit(3)

def missing():
    import no_such_library

def systems(library):
    load = {"planted": lambda: loss, "absent": missing, "crashing": lambda: crash}.get(library)
    if library == "flat":
        return [System("flat.sigmoid", library, "sigmoid", "eager", lambda: flat, "inside32"),
                System("flat.loss", library, "bce_logits", "eager", lambda: loss, "lse_log1p", taught=True, by_default=True)]
    return [System("planted.loss", library, "bce_logits", "eager", load, "lse_log1p", taught=True, by_default=True),
            System("planted.loss", library, "bce_logits", "jit", load, "lse_log1p", taught=True)]
"""
CORE, TAIL = 3.0, 1e20  # a cell where results differ from input to input, and one where most do not


def cell(value: float) -> int:
    return int(FMT.cell(FMT.ordinal(np.array([value], np.float32)))[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    """Two shards of one cell each, and its mirror image, of libraries that are planted here."""
    folder = tmp_path_factory.mktemp("exhaustive")
    (folder / "planted_library.py").write_text(ADAPTER)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(adapters, "__path__", [*adapters.__path__, str(folder)])
        planted = [entry for entry in registry.libraries() if entry.name in ("planted", "flat", "absent")]
        patch.setattr(calls, "libraries", lambda: planted)
        patch.setattr(calls, "SHARDS", {"logit": 2, "probability": 1})
        patch.setattr(job, "SHARDS", {"logit": 2, "probability": 1})
        patch.setattr(job, "cells_of", lambda group, shard, problem: np.array([cell((CORE, TAIL)[shard])]))
        yield folder


@pytest.fixture(scope="module")
def shards(folder: Path) -> list[str]:
    paths = [str(folder / f"logit.{i}.npz") for i in range(2)]
    for i, path in enumerate(paths):
        assert main(["systems-sweep", "logit", "--shard", str(i), "--out", path]) == 0
    return paths


@pytest.fixture(scope="module")
def table(folder: Path, shards: list[str]) -> list[dict]:
    parts = [str(folder / f"{name}.json") for name in ("planted", "flat", "absent")]
    for part in parts:
        assert main(["systems-rows", Path(part).stem, *shards, "--out", part]) == 0
    assert main(["systems-exhaustive-table", *parts, "--out", str(folder / "t.csv")]) == 0
    return writer.read(folder / "t.csv").to_dict("records")


def test_what_is_swept_are_calls_that_run_by_default_and_their_activations() -> None:
    assert calls.groups()["logit"] == ["torch", "tensorflow", "optax"]
    assert calls.groups()["probability"] == ["sklearn"]
    torch = {(s.name, s.mode) for s in calls.swept_systems("torch")}
    assert ("torch.nn.functional.softplus", "eager") in torch and {mode for _, mode in torch} == {"eager"}
    assert [s.mode for s in calls.swept_systems("sklearn")] == ["per_sample"]
    assert not calls.swept_systems("keras-numpy") and not calls.swept_systems("scipy")


def test_a_planted_fault_is_in_the_table_as_the_long_array_has_it(table: list[dict]) -> None:
    right, planted = [r for r in table if r["library"] == "planted"]
    assert (right["target"], planted["target"]) == ("0", "1") and planted["version"] == "planted_library==0.1"
    assert float(right["max_ulp"]) < 3
    assert float.fromhex(planted["max_ulp_input"]) == 3 and float(planted["max_ulp"]) > 1e6
    assert planted["max_basis"] == "every_input" and planted["usual_max_ulp"] == planted["max_ulp"]


def test_outcomes_of_whole_blocks_are_counted_and_located(table: list[dict]) -> None:
    (flat,) = [r for r in table if r["problem"] == "sigmoid"]
    width = 1 << FMT.cell_shift
    assert int(flat["points"]) == 4 * width and int(flat["spurious_nan"]) == width
    least = FMT.from_ordinal(np.array([cell(TAIL) << FMT.cell_shift]))[0]
    assert float.fromhex(flat["nan_input"]) == least
    assert (
        float.fromhex(flat["max_ulp_input"]) == -FMT.from_ordinal(np.array([(cell(TAIL) + 1 << FMT.cell_shift) - 1]))[0]
    )


def test_a_library_that_is_not_there_has_its_rows_and_the_reason(table: list[dict], folder: Path) -> None:
    absent = [r for r in table if r["library"] == "absent"]
    assert [r["target"] for r in absent] == ["0", "1"] and all("not installed" in r["reason"] for r in absent)
    assert all(r["max_ulp"] == r["max_basis"] == "" and int(r["unavailable"]) > 4e9 for r in absent)
    note = (folder / "t.md").read_text()
    assert "Unavailable: absent (not installed" in note and "absent:" not in note.partition("|")[2]


def test_results_are_as_those_of_a_sweep_of_one_problem_in_bit_order() -> None:
    """Pairs of blocks, shared references, repeated errors: the summary of a sweep that knows none of it is the same."""
    cells, grid = np.array([cell(v) for v in (5e-8, 90.0)]), grid_of(problem_named("bce_logits"))

    class Planted:
        name, calls = "planted", [Called("planted", "k", "bce_logits", t) for t in ("0", "1")]

        def answer(self, x: np.ndarray) -> list[np.ndarray]:
            return [self(x[None], np.array([[t]], np.float32))[0] for t in (0, 1)]

        def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
            """Clip, so that there are plateaus, zeros and ties; NaN where x is in a narrow range."""
            e = np.maximum(np.where(y == 1, -x, x), np.float32(-80))
            found = (np.maximum(e, 0) + np.log1p(np.exp(-np.abs(e)))).astype(np.float32)
            return np.where((x > 91) & (x < 91.5), np.float32(np.nan), np.where(found < 1e-30, 0, found))

    planted = Planted()
    (mine,) = passing.sweep([(planted, planted.calls)], grid, cells, True).summaries()["bce_logits"].values()  # type: ignore[list-item]
    every = np.union1d(cells, -1 - cells)
    done = swept_upwards(grid.problem, [planted], grid, np.array([0, 1], np.float32), every)  # type: ignore[list-item]
    theirs = done.summaries["planted"]
    for name in ("cells", "points", "max_ulp", "max_ulp_at", "measured", "correctly_rounded", "bad_below", "bad_above"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
    for name in theirs.outcomes:
        np.testing.assert_array_equal(mine.outcomes[name], theirs.outcomes[name], err_msg=name)
    np.testing.assert_allclose(mine.sum_ulp, theirs.sum_ulp, rtol=1e-12)
    for name in theirs.extreme:
        np.testing.assert_allclose(mine.extreme[name], theirs.extreme[name], rtol=1e-12)
        np.testing.assert_array_equal(mine.extreme_at[name], theirs.extreme_at[name], err_msg=name)
    assert theirs.outcomes["spurious_nan"].any() and theirs.outcomes["spurious_zero"].any()


@pytest.mark.parametrize(("problem", "target"), FORMS)
@pytest.mark.parametrize("start", [1e-20, 0.4, 17.0, 1e20])
def test_references_of_two_functions_are_those_of_each_problem(problem: str, target: str, start: float) -> None:
    ordinals = int(FMT.ordinal(np.array([start], np.float32))[0]) + np.arange(512)
    x = FMT.from_ordinal(ordinals)
    references, form = References(x), form_of(problem, target)
    for mirror in (False, True):
        there = -x[::-1] if mirror else x
        columns = [] if target == "" else [np.full((1, 1), float(target), np.float32)]
        with np.errstate(all="ignore"):
            theirs, mine = evaluate(problem_named(problem), FMT, there[None], *columns), references.of(form, mirror)
            same = references.unchanging(form, mirror)
        np.testing.assert_allclose(mine.value, theirs.value, rtol=2 * bound(FMT))
        for name in ("rounded", "rounded_working", "ulp"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
        if same is not None:
            np.testing.assert_array_equal(np.broadcast_to(same.rounded, theirs.rounded.shape), theirs.rounded)
        # Negative control: the other sign of the argument is another function.
        wrong = references.of((form[0], form[1], -form[2], form[3]), mirror)
        assert start == 1e-20 or not np.array_equal(wrong.rounded, theirs.rounded)


def test_an_exact_value_that_changes_within_a_block_is_not_taken_for_one() -> None:
    with np.errstate(all="ignore"):
        tiny, core = (References(np.array([v, 2 * v], np.float32)) for v in (1e-20, 0.4))
        assert tiny.unchanging(form_of("bce_logits", "0")) is not None
        assert core.unchanging(form_of("bce_logits", "0")) is None


def test_results_that_differ_in_one_bit_are_not_taken_for_equal() -> None:
    x = np.linspace(1e-20, 2e-20, 8, dtype=np.float32)
    with np.errstate(all="ignore"):
        same = References(x).unchanging(form_of("sigmoid", ""))
    assert same is not None
    tallies = RepeatedTallies(passing.Block(FMT.ordinal(x), 1, 0, False, 0), same, True)
    results = np.full((1, 8), 0.5, np.float32)
    tally = tallies.of(results)
    assert tally is not None and tally.measured[0] == 8
    results[0, 5] = np.nextafter(np.float32(0.5), np.float32(1))
    assert tallies.of(results) is None


def test_short_inputs_are_made_a_stretch(folder: Path) -> None:
    worker = Worker("planted", [("planted.loss:bce_logits:eager", "1")], 256)
    try:
        assert worker.answer(np.array([3.0], np.float32))[0, 0] > 1.2 * np.log1p(np.exp(-3.0))
    finally:
        worker.close()
    alone = Worker("planted", [("planted.loss:bce_logits:eager", "1")], 1)  # the control
    try:
        assert alone.answer(np.array([3.0], np.float32))[0, 0] < 1.1 * np.log1p(np.exp(-3.0))
    finally:
        alone.close()


def test_a_library_that_crashes_is_named_with_how_it_ended(folder: Path) -> None:
    worker = Worker("crashing", [("planted.loss:bce_logits:eager", "0")], 16)
    try:
        with pytest.raises(registry.Unavailable, match="exit code 3"):
            worker.answer(np.zeros(16, np.float32))
    finally:
        worker.close()


def test_what_is_missing_is_refused_with_a_sentence(folder: Path, shards: list[str]) -> None:
    with pytest.raises(UsageError, match="unknown group of libraries 'torch'; known groups: logit"):
        job.sweep_job("torch", 0, folder / "no.npz")
    with pytest.raises(UsageError, match="there is no shard 2"):
        calls.cells_of("logit", 2, problem_named("softplus"))
    with pytest.raises(UsageError, match="1 of 2 shards"):
        job.rows_job("planted", [Path(shards[0])], folder / "no.json")
    with pytest.raises(UsageError, match="scipy has no call that is swept in logit"):
        job.rows_job("scipy", [Path(p) for p in shards], folder / "no.json")
    assert not (folder / "no.npz").exists() and not (folder / "no.json").exists()


def test_what_the_library_computes_otherwise_now_is_refused(folder: Path, shards: list[str], monkeypatch) -> None:
    paths = [Path(p) for p in shards]
    (folder / "planted_library.py").write_text(ADAPTER.replace('"0.1"', '"0.2"'))
    with pytest.raises(UsageError, match=r"swept as planted_library==0\.1 and is planted_library==0\.2 now"):
        job.rows_job("planted", paths, folder / "no.json")
    (folder / "planted_library.py").write_text(ADAPTER.replace("1.25", "1.125"))
    with pytest.raises(UsageError, match=r"by the sweep and by .* ulp now; sweep again"):
        job.rows_job("planted", paths, folder / "no.json")
    (folder / "planted_library.py").write_text(ADAPTER)


def test_every_cell_is_in_one_shard_with_its_mirror_image() -> None:
    problem = problem_named("bce_logits")
    cells = np.concatenate([calls.cells_of("logit", i, problem) for i in range(calls.SHARDS["logit"])])
    np.testing.assert_array_equal(np.union1d(cells, -1 - cells), grid_of(problem).cells)
    one = replace(passing.Stretch(np.arange(4), 0, False), mirrored=True)
    np.testing.assert_array_equal(
        one.x, np.concatenate([FMT.from_ordinal(np.arange(4)), -FMT.from_ordinal(np.arange(4))[::-1]])
    )
