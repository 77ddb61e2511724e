"""The bounds stage: what it writes, and that a measurement above its bound stops it before it writes anything."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib.collections
import numpy as np
import pytest

from harness import UsageError
from harness.bounds import figure as figure
from harness.bounds import job as bounds_stage
from harness.bounds import table as bounds_table
from harness.bounds.bound import BoundExceeded, Comparison
from harness.bounds.figure import FigureData, bounds_figure, chosen, stairs
from harness.bounds.function_errors import MEASURED_AS
from harness.bounds.job import bounds_job, figure_names
from harness.cli.main import main
from harness.figures import legible, style
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.sweep import stored
from harness.sweep.job import sweep_job
from harness.sweep.shards import merged
from harness.tables import verify, writer
from harness.workflow import experiments
from harness.workflow.experiments import Experiment

SCHEMA = Path(__file__).parent.parent / "experiments" / "schema.yaml"
YAML = """
question: Do the bounds of a few kernels hold in half precision?
problems: [bce_logits]
kernels: [sigmoid_naive, sigmoid_clip_1e-7, lse_log1p, softplus_pair]
formats: [float16]
targets: [0.1, 0]
shards: {float16: 2}
"""
PRIMITIVES = """
question: How wrong are the functions?
problems: [softplus, exp, log, log1p, expm1, tanh]
formats: [float16]
grid: exhaustive
"""
F16 = FORMATS["float16"]


def make(folder: Path, name: str, text: str, grid: str) -> tuple[Experiment, list[Path]]:
    """Write an experiment's YAML, sweep it, and return it with its summary files."""
    folder.mkdir(exist_ok=True)
    shutil.copy(SCHEMA, folder)
    (folder / f"{name}.yaml").write_text(text)
    experiment = experiments.load(folder / f"{name}.yaml")
    paths = []
    for fmt in experiment.formats:
        for shard in range(experiment.shards_of(fmt.name)):
            paths.append(folder / f"{name}.{fmt.name}.{shard}.npz")
            sweep_job(experiment, fmt, shard, grid, paths[-1])
    return experiment, paths


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Experiment, list[Path]]:
    return make(tmp_path_factory.mktemp("swept"), "small", YAML, "quick")


@pytest.fixture(scope="module")
def primitives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make(tmp_path_factory.mktemp("primitives"), "functions", PRIMITIVES, "exhaustive")[1]


@pytest.fixture(scope="module")
def results(swept: tuple[Experiment, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results folder with the table and the figure, made by the command."""
    folder = tmp_path_factory.mktemp("results")
    assert main(command(swept[1], folder)) == 0
    return folder


def command(paths: list[Path], folder: Path) -> list[str]:
    """Return the arguments of `harness bounds` that write into a results folder."""
    out = ["--out", str(folder / "tables" / "bounds_small.csv"), "--figures", str(folder / "figures")]
    return ["bounds", str(paths[0].parent / "small.yaml"), *map(str, paths), *out]


def contents(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def planted(paths: list[Path], folder: Path, factor: float, kernels: int = 1) -> list[Path]:
    """Copy summaries with the first kernels' largest errors multiplied, and with the experiment's YAML."""
    folder.mkdir()
    for name in ("small.yaml", "schema.yaml"):
        shutil.copy(paths[0].parent / name, folder)
    copies = []
    for path in paths:
        summaries, description = stored.read_summaries(path)
        for name in list(summaries["bce_logits"])[-kernels:]:
            summaries["bce_logits"][name].max_ulp *= factor
        copies.append(folder / path.name)
        stored.write_summaries(copies[-1], summaries, description)
    return copies


# -- what is written --------------------------------------------------------------------------


def test_table_and_figure_are_written(swept: tuple[Experiment, list[Path]], results: Path) -> None:
    assert figure_names(swept[0]) == ["bounds_small_bce_logits"]
    assert set(contents(results)) == {
        *(f"tables/bounds_small.{s}" for s in ("csv", "md", "tex", "json")),
        *(f"figures/bounds_small_bce_logits.{s}" for s in ("pdf", "png", "svg")),
    }


def test_a_row_for_each_kernel_format_and_target(results: Path) -> None:
    frame = writer.read(results / "tables" / "bounds_small.csv")
    assert tuple(frame.columns) == (*bounds_table.COLUMNS, "id")
    assert list(frame["target"]) == ["0.1", "0"] * 4
    assert set(frame["function_errors"]) == {"exhaustive"} and set(frame["exhaustive"]) == {"false"}
    good = frame[frame["kernel"].isin(["softplus_pair", "lse_log1p"])]
    assert (good["bounded"].astype(float) == 1).all()
    assert (good["max_bound_ulp"].astype(float) >= good["max_ulp"].astype(float)).all()
    assert (good["median_ratio"].astype(float) >= 1).all()


def test_columns_are_what_summaries_say(swept: tuple[Experiment, list[Path]], results: Path) -> None:
    row = writer.read(results / "tables" / "bounds_small.csv").iloc[-1]
    summary = merged(swept[1])["bce_logits"]["softplus_pair"]
    assert int(row["cells"]) == np.count_nonzero(summary.max_ulp[1] >= 0)
    assert int(row["active"]) == np.count_nonzero(summary.max_ulp[1] >= 0.5)
    assert float(row["max_ulp"]) == pytest.approx(summary.max_ulp[1].max(), rel=1e-8)


def test_markdown_marks_samples_and_the_json_checks(results: Path) -> None:
    markdown = (results / "tables" / "bounds_small.md").read_text()
    rows = [line for line in markdown.splitlines() if line.startswith("| s") or line.startswith("| l")]
    assert len(rows) == 8 and all("≥" in line for line in rows)
    assert (results / "tables" / "bounds_small.tex").read_text().count(r"\\") >= 8
    sidecar = json.loads((results / "tables" / "bounds_small.json").read_text())
    assert sidecar["rows"] == 8 and sidecar["grid"] == "quick"
    assert set(sidecar["function_errors"]["float16"]["max_ulp"]) == set(MEASURED_AS)
    assert verify.verify(results).ok


def test_the_same_bytes_again(swept: tuple[Experiment, list[Path]], results: Path, tmp_path: Path) -> None:
    assert main(command(swept[1][::-1], tmp_path)) == 0
    again, before = contents(tmp_path), contents(results)
    assert {k: v for k, v in again.items() if "json" not in k} == {k: v for k, v in before.items() if "json" not in k}


def test_bounds_do_not_depend_on_how_cells_are_divided(
    swept: tuple[Experiment, list[Path]], results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds_stage, "CELLS", 37)
    assert main(command(swept[1], tmp_path)) == 0
    name = "tables/bounds_small.csv"
    assert (tmp_path / name).read_bytes() == (results / name).read_bytes()


@pytest.mark.parametrize("bound", [1.0, 1.00000000001, 0.1, 123456789.5, 1e300 / 3])
def test_a_bound_is_written_rounded_up(bound: float) -> None:
    written = float(bounds_table.upward(bound))
    assert bound <= written <= bound * (1 + 1e-8)


# -- negative controls ------------------------------------------------------------------------


def test_a_violation_stops_the_run_and_writes_nothing(
    swept: tuple[Experiment, list[Path]], results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(results, tmp_path / "results")
    before = contents(tmp_path / "results")
    paths = planted(swept[1], tmp_path / "planted", 8.0)
    assert main(command(paths, tmp_path / "results")) == 1
    assert contents(tmp_path / "results") == before
    said = capsys.readouterr().err
    for part in ("softplus_pair of bce_logits in float16, target 0", "input ", "0x", "measured ", "bound "):
        assert part in said
    assert said.count("\n") == 1 and "Traceback" not in said


def test_a_violation_leaves_an_empty_folder_empty(swept: tuple[Experiment, list[Path]], tmp_path: Path) -> None:
    paths = planted(swept[1], tmp_path / "planted", 8.0, kernels=4)
    assert main(command(paths, tmp_path / "results")) == 1
    assert not (tmp_path / "results").exists()


def test_the_sentence_names_measurement_and_bound_of_the_worst_cell(
    swept: tuple[Experiment, list[Path]], tmp_path: Path
) -> None:
    """Plant one violation, and find its numbers in the sentence."""
    paths = planted(swept[1], tmp_path / "planted", 1.0)
    summaries, description = stored.read_summaries(paths[0])
    summary = summaries["bce_logits"]["lse_log1p"]
    at = int(np.argmax(summary.max_ulp[1]))
    summary.max_ulp[1, at] = 12345.5
    stored.write_summaries(paths[0], summaries, description)
    x = F16.hex(F16.from_ordinal(summary.max_ulp_at[1, at : at + 1])[0])
    experiment = experiments.load(tmp_path / "planted" / "small.yaml")
    with pytest.raises(BoundExceeded, match=r"measured 12345\.5 ulp, bound \d+(\.\d+)? ulp: one") as raised:
        bounds_job(experiment, paths, [], tmp_path / "t.csv", tmp_path)
    assert f"lse_log1p of bce_logits in float16, target 0, input {x}:" in str(raised.value)


# -- exhaustive errors of the functions ---------------------------------------------------------


def test_exhaustive_functions_give_the_same_bounds_as_measuring_them(
    swept: tuple[Experiment, list[Path]], primitives: list[Path], results: Path, tmp_path: Path
) -> None:
    assert main([*command(swept[1], tmp_path), "--functions", str(primitives[0])]) == 0
    name = "tables/bounds_small.csv"
    assert (tmp_path / name).read_bytes() == (results / name).read_bytes()


def test_given_function_errors_are_used(
    swept: tuple[Experiment, list[Path]], primitives: list[Path], tmp_path: Path
) -> None:
    """Plant functions that are said to be better than they are: bounds fall below measurements."""
    summaries, description = stored.read_summaries(primitives[0])
    for problem, kernel in MEASURED_AS.values():
        summaries[problem][kernel].max_ulp *= 0.25
    stored.write_summaries(tmp_path / "better.npz", summaries, description)
    assert main([*command(swept[1], tmp_path), "--functions", str(tmp_path / "better.npz")]) == 1


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"grid": "standard"}, "exhaustive"),
        ({"shards": 3}, "1 of 3 shards"),
    ],
)
def test_functions_that_leave_inputs_out_are_refused(
    swept: tuple[Experiment, list[Path]],
    primitives: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict,
    sentence: str,
) -> None:
    summaries, description = stored.read_summaries(primitives[0])
    stored.write_summaries(tmp_path / "part.npz", summaries, {**description, **change})
    assert main([*command(swept[1], tmp_path / "r"), "--functions", str(tmp_path / "part.npz")]) == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "r").exists()


def test_functions_of_another_machine_are_refused(
    swept: tuple[Experiment, list[Path]],
    primitives: list[Path],
    results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A bound stands on the errors of the functions under the measurement, not on those of others."""
    summaries, description = stored.read_summaries(primitives[0])
    other = {**description["provenance"], "libc": "glibc 2.1"}
    stored.write_summaries(tmp_path / "other.npz", summaries, {**description, "provenance": other})
    assert main([*command(swept[1], tmp_path / "r"), "--functions", str(tmp_path / "other.npz")]) == 2
    assert "and with libc glibc 2.1; sweep again" in capsys.readouterr().err and not (tmp_path / "r").exists()
    told = json.loads((results / "tables" / "bounds_small.json").read_text())["provenance"]
    swept_with = stored.read_description(swept[1][0])["provenance"]
    assert told == {k: v for k, v in swept_with.items() if k != "commit"}


# -- input that cannot be used ------------------------------------------------------------------


def test_unusable_summaries_are_refused(
    swept: tuple[Experiment, list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment, paths = swept
    with pytest.raises(UsageError, match=r"1 of 2 shards of small in float16"):
        bounds_job(experiment, paths[:1], [], tmp_path / "t.csv", tmp_path)
    with pytest.raises(UsageError, match="another experiment, targets or grid"):
        bounds_job(replace(experiment, targets=["0", "1"]), paths, [], tmp_path / "t.csv", tmp_path)
    with pytest.raises(UsageError, match="0 shards of small in float32"):
        more = replace(experiment, formats=[F16, FORMATS["float32"]])
        bounds_job(more, paths, [], tmp_path / "t.csv", tmp_path)
    assert main(command([paths[0], tmp_path / "no.npz"], tmp_path)) == 2
    assert "no.npz is not a whole summary file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# -- the figure -------------------------------------------------------------------------------


def compared(values: dict[str, list[float]]) -> dict[str, dict[str, Comparison]]:
    """Return comparisons in float16 of kernels with the given measurements, the bounds twice as large."""
    cells = np.arange(len(next(iter(values.values()))))
    rows = {name: np.array([v]) for name, v in values.items()}
    return {"float16": {name: Comparison(cells, 2 * v, v) for name, v in rows.items()}}


def test_the_two_best_and_the_worst_are_drawn() -> None:
    values = {"bad": [1.0, 500.0], "poor": [1.0, 20.0], "good": [1.0, 2.0], "best": [0.5, 0.6]}
    assert chosen(compared(values)) == ["best", "good", "bad"]
    assert chosen(compared({"bad": [9.0], "good": [1.0]})) == ["good", "bad"]


def test_a_pole_does_not_count_against_kernels_but_a_lone_failure_does() -> None:
    values = {"a": [9.0, np.nan], "b": [1.0, np.nan], "c": [2.0, np.nan], "d": [3.0, np.nan]}
    assert chosen(compared(values)) == ["b", "c", "a"]
    assert chosen(compared({**values, "e": [1.0, 1.0]}))[0] == "e"


@pytest.mark.parametrize("problem", ["bce_logits", "bce", "log1p"])
def test_stairs_lie_in_order_and_keep_the_largest_values(problem: str) -> None:
    p = PROBLEMS[problem]
    start, stop = F16.finite_ordinals(*p.domain)
    cells = np.arange(start >> F16.cell_shift, ((stop - 1) >> F16.cell_shift) + 1)
    measured = np.random.default_rng(1).uniform(0.5, 9, (1, len(cells)))
    found = stairs(p, F16, Comparison(cells, measured + 1, measured))
    assert (found.left < found.right).all() and (found.left[1:] >= found.right[:-1]).all()
    assert found.measured.max() == measured.max() and found.bound.max() == measured.max() + 1
    assert (found.bound >= found.measured).all()


def test_infinite_bounds_are_marked_and_unmeasured_cells_left_blank() -> None:
    cells = np.arange(60, 120)
    measured = np.full((1, 60), 2.0)
    bound = np.full((1, 60), 3.0)
    bound[0, 20:40], bound[0, 40:], measured[0, 40:] = np.inf, np.nan, np.nan
    both = {"float16": {"k": Comparison(cells, bound, measured)}}
    with style.context():
        drawn = bounds_figure(FigureData(PROBLEMS["bce_logits"], "0", both, {"float16": True}))
    lines = {str(line.get_label()): line for line in drawn.axes[0].lines}
    found = stairs(PROBLEMS["bce_logits"], F16, both["float16"]["k"])
    for name, here in (("bound", np.isfinite(found.bound)), ("none", np.isinf(found.bound))):
        x, y = (np.asarray(v) for v in lines[f"k float16 {name}"].get_data())
        assert here.any() and set(x[np.isfinite(y)]) == {*found.left[here], *found.right[here]}


@pytest.mark.parametrize("kernels", [1, 2, 3])
def test_the_panels_of_one_format_stand_side_by_side_and_none_is_stretched(kernels: int) -> None:
    data = FigureData(
        PROBLEMS["bce_logits"], "0", compared({f"kernel_{i}": [1.0, 9.0] for i in range(kernels)}), {"float16": True}
    )
    with style.context():
        drawn = bounds_figure(data)
        boxes = [ax.get_window_extent() for ax in drawn.axes]
        assert legible.overlapping(drawn) == [] and legible.beyond(drawn) == []
    assert len({round(b.y0) for b in boxes}) == 1 and max(b.width / b.height for b in boxes) < 2.1
    as_wide_as_the_page = data.title  # negative control: in one line this title does not fit a single panel
    drawn.texts[0].set_text(as_wide_as_the_page)
    assert (legible.beyond(drawn) != []) == (kernels == 1)


def test_the_bound_is_drawn_above_the_measurement(swept: tuple[Experiment, list[Path]], tmp_path: Path) -> None:
    """Read the drawn curves back: the line of the bound over the upper edge of the area."""
    seen: list[FigureData] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure, "draw", lambda data, folder, name: seen.append(data))
        bounds_job(swept[0], swept[1], [], tmp_path / "t.csv", tmp_path)
    with style.context():
        drawn = bounds_figure(seen[0])
    assert seen[0].target == "0" and "target y = 0" in seen[0].title
    for name, ax in zip(chosen(seen[0].compared), drawn.axes):
        (area,) = [c for c in ax.collections if isinstance(c, matplotlib.collections.PolyCollection)]
        found = stairs(PROBLEMS["bce_logits"], F16, seen[0].compared["float16"][name])
        x, y = found.run(figure.shown(found.measured, F16))
        top = {(a, b) for path in area.get_paths() for a, b in path.vertices}
        assert {(a, b) for a, b in zip(x, y) if np.isfinite(b)} <= top
        line = next(v for v in ax.lines if v.get_label() == f"{name} float16 bound")
        bound = np.asarray(line.get_ydata())
        both = np.isfinite(bound) & np.isfinite(y)
        assert both.any() and (bound[both] >= y[both]).all()
