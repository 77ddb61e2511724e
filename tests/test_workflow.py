"""What reruns what, and what the README promises."""

import logging
import os
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
from harness.workflow.progress import duration, tell_time_left

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
            known = {n for n in found if n.startswith(("harness.truth", "harness.problems"))}
            known -= {"harness.problems.weights"}  # the type of a parameter, which says nothing of a value
            known -= {"harness.problems"} if "harness.problems.weights" in found else set()  # the folder that it is in
            if path.stem == "lookup":  # which is no kernel: it asks a problem for the name of its gradient
                known = set()
            assert not known, path
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
    for name in ("Snakefile", "environment.yaml"):
        shutil.copy(ROOT / name, tmp_path)
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


def run(folder, *arguments):
    """Run Snakemake in a folder without any Python on PATH; return its exit status and what it says."""
    command = [sys.executable, "-m", "snakemake", "--cores=1", "--workflow-profile=none", *arguments]
    bare = folder / "bin"
    bare.mkdir(exist_ok=True)
    for name in ("bash", "tee", "sh"):
        if not (bare / name).exists():
            (bare / name).symlink_to(shutil.which(name))
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PATH": str(bare)})
    return done.returncode, done.stdout + done.stderr


def test_a_job_that_fails_leaves_the_committed_table(clone):
    """Snakemake deletes outputs before a job; a stage that then fails must not take the committed table with it.

    The job runs again when next asked for, though the table is newer than all that it is made of.
    """
    stems = [clone / f"results/tables/special_values.{kind}" for kind in ("csv", "md", "tex", "json")]
    before = {path: path.read_bytes() for path in stems}
    module = clone / "harness" / "tables" / "special_values.py"
    whole = module.read_text(encoding="utf-8")
    module.write_text(whole + "\n\nraise RuntimeError('planted')\n", encoding="utf-8")
    status, said = run(clone, "-f", "results/tables/special_values.csv")
    assert status != 0
    assert {path: path.read_bytes() for path in stems} == before
    module.write_text(whole, encoding="utf-8")
    assert re.search(
        r"^special_values\s", plan(clone, "--rerun-incomplete", "results/tables/special_values.csv"), re.MULTILINE
    )
    status, said = run(clone, "--rerun-incomplete", "results/tables/special_values.csv")
    assert status == 0, said[-2000:]
    assert {path: path.read_bytes() for path in stems[:3]} == {path: before[path] for path in stems[:3]}


def test_every_committed_file_is_protected(clone):
    """No rule names a table, a figure or a page as an output that Snakemake would delete first."""
    text = (ROOT / "Snakefile").read_text(encoding="utf-8")
    outputs = re.findall(r"^ +output:\n(.*?)^ +log:", text, re.MULTILINE | re.DOTALL)
    assert len(outputs) >= 10
    for line in "".join(outputs).splitlines():
        if re.search(r"/tables/|/figures/|docs/[a-z]+(/.*)?\.md", line):
            assert "update(" in line, line


class TestTimeLeft:
    def test_a_run_tells_how_long_it_still_takes(self, capsys):
        logger = logging.Logger("run")
        tell_time_left(logger)
        tell_time_left(logger)
        logger.handlers[0].began -= 60
        for done in (0, 1, 3, 4):
            logger.info(None, extra={"done": done, "total": 4})
        assert capsys.readouterr().err.splitlines() == [
            "about 3 min left for 3 of 4 jobs",
            "about 20 s left for 1 of 4 jobs",
        ]

    @pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (99.4, "99 s"), (720, "12 min"), (6600, "1 h 50 min")])
    def test_durations(self, seconds, text):
        assert duration(seconds) == text


class TestPackaging:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def test_the_citation_has_the_version(self):
        citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
        assert citation["version"] == harness.__version__

    def test_the_conda_environment_has_the_dependencies(self):
        environment = yaml.safe_load((ROOT / "environment.yaml").read_text(encoding="utf-8"))
        declared = self.project["dependencies"] + self.project["optional-dependencies"]["workflow"]
        assert sorted(environment["dependencies"][-1]["pip"]) == sorted(declared)


class TestReadme:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("command", re.findall(r"^(?:\$ )?\.venv/bin/harness (\w+)", text, re.MULTILINE))
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
