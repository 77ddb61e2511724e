"""NumPy's loops: the same on every x86-64 machine, and named where they are not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness import UsageError
from harness.workflow.dependencies import sources
from harness.workflow.provenance import (
    all_sources,
    commit,
    digest,
    functions_differ,
    measured_alike,
    of_one_measurement,
    provenance,
)

VARIABLE = "NPY_DISABLE_CPU_FEATURES"
FEATURES = "import numpy as np; print(*np.show_config(mode='dicts')['SIMD Extensions'].get('found', []))"
WIDER = {"X86_V4", "AVX512_ICL", "AVX512_SPR"}


def features(script: str, **variables: str) -> set[str]:
    """Return the CPU features that NumPy uses in a Python process of its own."""
    environment = {k: v for k, v in os.environ.items() if k != VARIABLE} | variables
    command = [sys.executable, "-c", script]
    return set(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split())


def test_the_harness_takes_no_loops_that_other_machines_lack():
    own = features(FEATURES)
    assert features(f"import harness; {FEATURES}") == own - WIDER


def test_the_users_choice_of_loops_stands():
    """Negative control: without the harness's choice a machine with AVX-512 shows it."""
    own = features(FEATURES)
    assert features(f"import harness; {FEATURES}", **{VARIABLE: ""}) == own
    assert features(f"import harness; {FEATURES}", **{VARIABLE: "X86_V3"}) == own - {"X86_V3"}


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("simd", ["X86_V9"], "made with simd X86_V9;"),
        ("simd", [], "simd none;"),
        ("libc", "glibc 2.1", "libc glibc 2.1;"),
    ],
)
def test_what_differs_is_named(key, value, text):
    assert text in functions_differ(provenance() | {key: value})


def test_what_does_not_touch_the_functions_does_not_count():
    assert functions_differ(provenance() | {"sources": "0", "python": "3.99"}) == ""
    assert functions_differ({}) == ""


def test_provenance_names_the_package_and_its_sources_and_no_commit():
    found = provenance(sources(["harness.sweep.job"]))
    assert found["version"] == harness.__version__ and "commit" not in found
    assert len(found["sources"]) == 64 and found["sources"] != provenance()["sources"]
    assert {"harness/__init__.py", "harness/tables/atlas/atlas.md.j2"} <= set(all_sources())


def test_the_digest_is_of_names_and_contents(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.workflow.provenance.ROOT", tmp_path / "harness")
    for name, text in {"a.py": "1\n", "b.py": "2\n"}.items():
        (tmp_path / name).write_text(text)
    before = digest(["a.py", "b.py"])
    assert digest(["b.py", "a.py"]) == before
    (tmp_path / "a.py").write_bytes(b"1\r\n")
    assert digest(["a.py", "b.py"]) == before
    (tmp_path / "a.py").write_text("3\n")
    assert digest(["a.py", "b.py"]) != before
    (tmp_path / "a.py").write_text("2\n")
    (tmp_path / "b.py").write_text("1\n")
    assert digest(["a.py", "b.py"]) != before


def test_measured_alike_counts_what_figures_depend_on():
    one = provenance()
    assert measured_alike(one, one) == ""
    assert measured_alike(one, {**one, "packages": {**one["packages"], "pandas": "0"}}) == ""
    assert measured_alike(one, {**one, "python": "3.99"}).endswith(" and with python 3.99")


def test_files_of_one_measurement_agree_but_for_the_commit():
    one = {**provenance(), "commit": "a"}
    files = [(Path("a.json"), one), (Path("b.json"), {**one, "commit": "b"})]
    assert of_one_measurement(files, "again") == provenance()
    files.append((Path("c.json"), {**one, "sources": "0"}))
    with pytest.raises(
        UsageError, match=r"^a\.json and c\.json were measured with sources .* and with sources 0; again$"
    ):
        of_one_measurement(files, "again")
    assert "sources" not in of_one_measurement(files, "again", code=False)
    with pytest.raises(UsageError, match="and with libc b; again"):
        of_one_measurement([*files, (Path("d.json"), {**one, "libc": "b"})], "again", code=False)


class TestCommit:
    """The commit is the harness's own: with -dirty where sources differ, unknown inside somebody else's repository."""

    @pytest.fixture
    def checkout(self, tmp_path):
        """A repository with the package at its top."""
        for name in ("harness/__init__.py", "pyproject.toml", "README.md"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("\n")
        self.git(tmp_path, "init", "-q")
        self.git(tmp_path, "add", "-A")
        self.commit(tmp_path)
        return tmp_path

    def git(self, folder: Path, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    def commit(self, folder: Path) -> None:
        self.git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "m")

    def test_of_a_checkout(self, checkout):
        head = self.git(checkout, "rev-parse", "HEAD")
        assert commit(checkout / "harness") == head
        (checkout / "README.md").write_text("edited\n")
        assert commit(checkout / "harness") == head
        (checkout / "harness" / "__init__.py").write_text("edited\n")
        assert commit(checkout / "harness") == f"{head}-dirty"

    @pytest.mark.parametrize("place", ["venv/lib/site-packages/harness", "vendored/harness"])
    def test_of_a_package_inside_another_repository(self, checkout, place):
        package = checkout / place
        shutil.copytree(checkout / "harness", package)
        shutil.copy(checkout / "pyproject.toml", package.parent)
        assert commit(package) == "unknown"
        self.git(checkout, "add", "-A")
        self.commit(checkout)
        assert commit(package) == "unknown"

    def test_of_no_checkout(self, tmp_path):
        (tmp_path / "harness").mkdir()
        assert commit(tmp_path / "harness") == "unknown"

    @pytest.mark.parametrize("damaged", ["HEAD", "objects", "config"])
    def test_of_a_repository_that_cannot_be_read(self, checkout, damaged):
        """Nothing is guessed: it is said that there is one, and why it is not read."""
        place = checkout / ".git" / damaged
        shutil.rmtree(place) if place.is_dir() else place.write_text("[no repository\n")
        assert commit(checkout / "harness").startswith("unreadable (fatal: ")

    def test_where_there_is_no_git(self, checkout, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        assert commit(checkout / "harness") == "unreadable (No such file or directory)"
