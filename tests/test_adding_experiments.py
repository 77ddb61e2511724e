"""To add an experiment is to write one file: it is then listed, swept, tabled, drawn, and planned by the workflow."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import list as listing
from harness.cli.main import main
from harness.figures.catalogue import figure_names
from harness.tables import writer
from harness.workflow import experiments

ROOT = Path(__file__).parent.parent
YAML = """
question: Which of two kernels is better in half precision?
problems: [bce_logits]
kernels: [sigmoid_clip_1e-7, lse_log1p]
formats: [float16]
targets: [0, 1]
shards: {float16: 2}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What a user has: the repository's experiments, and one file more."""
    folder = tmp_path_factory.mktemp("user") / "experiments"
    shutil.copytree(ROOT / "experiments", folder)
    (folder / "half.yaml").write_text(YAML)
    return folder


@pytest.fixture(scope="module")
def results(folder):
    """Run the stages as the Snakefile does."""
    yaml, results = str(folder / "half.yaml"), folder.parent / "results"
    summaries = [str(results / "summaries" / f"half.float16.{i}.npz") for i in range(2)]
    for i, path in enumerate(summaries):
        assert main(["sweep", yaml, "--format", "float16", "--shard", str(i), "--grid", "quick", "--out", path]) == 0
    table = str(results / "tables" / "half.csv")
    assert main(["table", yaml, *summaries, "--out", table]) == 0
    assert main(["figures", yaml, *summaries, "--table", table, "--out", str(results / "figures")]) == 0
    return results


def test_it_is_listed(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert "half" in [line.split()[0] for line in listing.text("experiments", None).splitlines()]


def test_it_has_its_table(results):
    rows = writer.read(results / "tables" / "half.csv")
    assert set(rows["kernel"]) == {"sigmoid_clip_1e-7", "lse_log1p"} and len(rows) == 4
    assert {p.suffix for p in (results / "tables").glob("half.*")} == {".csv", ".md", ".tex", ".json"}


def test_it_has_figures_of_its_own_name(folder, results):
    names = figure_names(experiments.load(folder / "half.yaml"))
    assert {"half_bce_logits_map_y0", "half_bce_logits_errors_y1", "half_bce_logits_worst"} <= set(names)
    assert all(n.startswith("half_") for n in names)
    written = sorted(p.name for p in (results / "figures").iterdir())
    assert written == sorted(f"{n}.{kind}" for n in names for kind in ("pdf", "png", "svg"))


def test_no_two_experiments_draw_the_same_file(folder):
    drawn = [experiments.load(p) for p in experiments.files(folder)[0].values()]
    names = [n for e in drawn if e.figures for n in figure_names(e)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("more", "figures"), [("", True), ("figures: false\n", False)])
def test_the_workflow_plans_it(folder, tmp_path, more, figures):
    shutil.copytree(ROOT / "harness", tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(folder, tmp_path / "experiments")
    shutil.copy(ROOT / "Snakefile", tmp_path)
    path = tmp_path / "experiments" / "half.yaml"
    path.write_text(path.read_text() + more)
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores=1", "--nolock", "--workflow-profile=none"]
    done = subprocess.run([*command, "half"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    planned = done.stdout + done.stderr
    assert "results/summaries/half.float16.1.npz" in planned and "results/tables/half.csv" in planned
    assert ("results/figures/half_bce_logits_map_y0.png" in planned) == figures
