"""What reruns what, and what the README promises."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import harness
from harness.cli.main import cli
from harness.kernels import all_kernels
from harness.workflow import experiments
from harness.workflow.dependencies import imports, sources

ROOT = Path(__file__).parent.parent


def code(stage, experiment):
    return sources([f"harness.{stage}"], experiments.load(ROOT / "experiments" / f"{experiment}.yaml"))


class TestDependencies:
    def test_a_sweep_depends_on_its_own_kernels_only(self):
        assert "harness/kernels/bce_logits.py" in code("sweep.job", "logits")
        assert "harness/kernels/primitives.py" not in code("sweep.job", "logits")
        assert "harness/kernels/bce_logits.py" not in code("sweep.job", "primitives")
        assert {"harness/kernels/tape.py", "harness/kernels/bce_logits.py"} <= set(code("sweep.job", "gradients"))

    def test_a_sweep_does_not_depend_on_what_comes_after(self):
        later = {
            "harness/tables/writer.py",
            "harness/tables/rows.py",
            "harness/cli/main.py",
            "harness/tables/verify.py",
        }
        assert not later & set(code("sweep.job", "logits"))
        assert {"harness/tables/writer.py", "harness/tables/rows.py"} <= set(code("tables.job", "logits"))

    def test_a_page_depends_on_the_template_that_its_module_names(self):
        assert "harness/tables/atlas/atlas.md.j2" in sources(["harness.tables.atlas"])
        assert not [f for f in code("sweep.job", "logits") if f.endswith(".j2")]

    def test_what_a_module_really_loads_is_listed(self):
        """Negative control of the static look: import the stage and see which files were loaded."""
        script = (
            "import sys, harness.sweep.job\n"
            "print('\\n'.join(sorted(m for m in sys.modules if m.startswith('harness.'))))"
        )
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
        loaded = {m for m in done.stdout.split() if not m.startswith("harness.kernels")}
        listed = {f[:-3].removesuffix("/__init__").replace("/", ".") for f in code("sweep.job", "logits")}
        assert loaded <= listed

    def test_a_kernel_never_imports_the_reference(self):
        for path in (ROOT / "harness" / "kernels").glob("*.py"):
            found = imports(f"harness.kernels.{path.stem}" if path.stem != "__init__" else "harness.kernels")
            forbidden = {"harness.truth.certified", "harness.truth.fast", "harness.problems"}
            if path.stem == "lookup":  # which is no kernel: it asks a problem for the name of its gradient
                forbidden -= {"harness.problems"}
            assert not forbidden & set(found), path
        assert "harness.kernels.lookup" not in {k.function.__module__ for k in all_kernels()}


def plan(folder, *arguments):
    """Return what a dry run of Snakemake in a folder prints."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores=1", "--nolock", "--workflow-profile=none"]
    done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def test_the_workflow_plans_every_main_result():
    planned = plan(ROOT, "--forceall", "all")
    for rule in ("sweep", "table", "figures_logits", "atlas_table", "special_values"):
        assert re.search(rf"^{rule}\s", planned, re.MULTILINE), rule


@pytest.fixture
def clone(tmp_path):
    """What Snakemake sees of a fresh clone: code, experiments, and committed results, newer than the code."""
    for name in ("experiments", "harness", "results/tables", "results/figures", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "Snakefile", tmp_path)
    for path in [*tmp_path.glob("results/*/*"), *tmp_path.glob("docs/**/*")]:
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "rules"),
    [
        ("all", ("sweep", "table", "figures_logits", "special_values", "atlas_table")),
        ("exhaustive", ("sweep", "table", "bounds_table_exhaustive_logits")),
        ("worst", ("search", "search_table")),
        ("bounds_logits", ("sweep", "bounds_table_logits")),
        ("claims", ("part", "page_claims")),
        ("systems", ("library", "systems_table", "systems_pages")),
    ],
)
def test_a_clean_clone_takes_no_committed_table_as_made(clone, asked, rules):
    planned = plan(clone, asked)
    for rule in rules:
        assert re.search(rf"^{rule}\s", planned, re.MULTILINE), rule


def test_parsing_changes_no_file(clone):
    def states():
        return {p: p.stat().st_mtime_ns for p in clone.rglob("*") if p.is_file() and ".snakemake" not in p.parts}

    before = states()
    plan(clone, "special_values")
    assert states() == before


def test_nothing_is_to_be_done_where_the_measurements_are_there(clone):
    """The negative control: tables newer than their measurements, or asked for without them, are taken as made."""
    table = "results/tables/exhaustive_logits.csv"
    assert "Nothing to be done" in plan(clone, table)
    for path in re.findall(r"results/summaries/\S+?\.npz", plan(clone, "exhaustive")):
        (clone / path).parent.mkdir(exist_ok=True)
        (clone / path).touch()
    for path in clone.glob("results/*/*.*"):
        if path.parent.name != "summaries":
            path.touch()
    assert "Nothing to be done" in plan(clone, "exhaustive")
    (clone / table).unlink()
    assert re.search(r"^table\s", plan(clone, "exhaustive"), re.MULTILINE)


class TestPackaging:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def test_the_citation_has_the_version(self):
        citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
        assert citation["version"] == harness.__version__

    def test_the_conda_environment_has_the_dependencies(self):
        environment = yaml.safe_load((ROOT / "environment.yaml").read_text(encoding="utf-8"))
        assert environment["dependencies"][-1]["pip"] == self.project["dependencies"]


class TestReadme:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("command", re.findall(r"^(?:\$ )?harness (\w+)", text, re.MULTILINE))
    def test_commands_exist(self, command):
        assert command in cli.commands

    def test_linked_files_exist(self):
        for link in re.findall(r"\]\(([^)#]+)\)", self.text):
            assert (ROOT / link).exists(), link

    def test_make_targets_exist(self):
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for target in re.findall(r"`make (\w+)`", self.text):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

    def test_its_rows_stand_in_the_committed_table(self):
        committed = subprocess.run(
            ["git", "show", "HEAD:results/tables/exhaustive_logits.md"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        rows = {_squeezed(line) for line in committed.splitlines()}
        quoted = [_squeezed(line) for line in self.text.splitlines() if "| float32 |" in line]
        assert len(quoted) >= 5
        assert set(quoted) <= rows


def _squeezed(line):
    return "|".join(cell.strip() for cell in line.split("|"))
