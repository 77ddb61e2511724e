"""What `make` installs is pinned with hashes, and pyproject.toml, constraints.txt and requirements/ agree."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
RENEW = runpy.run_path(str(ROOT / "requirements" / "renew.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FILES = {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in RENEW["SETS"]}
PINNED = re.compile(r"^(\S+)==([^\s;\\]+)( ;[^\\]*)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+$")


def wanted(extra):
    """What the project with an extra asks for, extras of its own resolved, and what builds it."""
    optional = PROJECT["project"]["optional-dependencies"]
    found = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"], *optional[extra]]
    asked = [Requirement(text) for text in found]
    own = [r for r in asked if r.name == PROJECT["project"]["name"]]
    inner = [r for other in own for name in other.extras for r in wanted(name)]
    return [*(r for r in asked if r not in own), *inner]


def versions(text):
    """Package and version of each line of a list of versions."""
    pairs = [line.split("==") for line in text.splitlines() if "==" in line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def pins(name, files):
    """Package and version of each entry of a file and of that which it begins with; AssertionError for one without hashes."""
    found = {}
    for entry in RENEW["entries"](files[name]):
        pinned = PINNED.match(entry)
        assert pinned, f"{name}.txt: no pin with hashes: {entry[:200]}"
        found[canonicalize_name(pinned[1])] = pinned[2]
    return {**(pins("core", files) if "-r core.txt\n" in files[name] else {}), **found}


def disagreements(files, constraints):
    """Where files, constraints and project say different things, as sentences."""
    allowed = versions(constraints)
    for name, extra in RENEW["SETS"].items():
        there = pins(name, files)
        for asked in wanted(extra):
            version = there.get(canonicalize_name(asked.name))
            if version is None or version not in asked.specifier:
                yield f"{name}.txt has {asked.name} {version}, pyproject.toml asks for {asked}"
        for package, version in there.items():
            if allowed.get(package) != version:
                yield f"{name}.txt has {package} {version}, constraints.txt {allowed.get(package)}"


CONSTRAINTS = (ROOT / "constraints.txt").read_text()


def test_all_agree():
    assert not list(disagreements(FILES, CONSTRAINTS)), "run python requirements/renew.py"


def test_every_set_that_is_installed_has_a_file():
    installed = set(re.findall(r"\.venv/\.with-([a-z]+)", (ROOT / "Makefile").read_text()))
    assert installed <= {*FILES, "systems"} and {p.stem for p in (ROOT / "requirements").glob("*.txt")} == {
        *FILES,
        "build",
    }


def test_what_builds_is_in_its_file_as_in_core():
    assert RENEW["written"](FILES) == {**FILES, "build": (ROOT / "requirements" / "build.txt").read_text()}
    assert (ROOT / "Makefile").read_text().count("--no-build-isolation") == 2


def test_nothing_is_installed_without_hashes_but_the_libraries():
    lines = [line for line in (ROOT / "Makefile").read_text().splitlines() if "pip install" in line]
    assert all(("--require-hashes" in line) or ("--no-deps" in line) or ("[systems]" in line) for line in lines)


def test_no_place_is_named():
    for text in [*FILES.values(), CONSTRAINTS]:
        assert not re.search(r"://|index-url|find-links|trusted-host", text)


class TestPlanted:
    """Each disagreement is found."""

    def test_another_version(self):
        files = {**FILES, "core": re.sub(r"^mpmath==\S+", "mpmath==1.2.1", FILES["core"], flags=re.MULTILINE)}
        found = list(disagreements(files, CONSTRAINTS))
        assert any("pyproject.toml asks for mpmath" in text for text in found)
        assert any("has mpmath 1.2.1, constraints.txt 1.3.0" in text for text in found)

    def test_a_package_left_out(self):
        core = "".join(e for e in RENEW["entries"](FILES["core"]) if not e.startswith("click=="))
        assert any("core.txt has click None" in text for text in disagreements({**FILES, "core": core}, CONSTRAINTS))

    def test_a_changed_constraint(self):
        changed = re.sub(r"^click==\S+", "click==8.2.0", CONSTRAINTS, flags=re.MULTILINE)
        assert any("constraints.txt 8.2.0" in text for text in disagreements(FILES, changed))

    def test_an_entry_without_hashes(self):
        files = {**FILES, "core": FILES["core"] + "click==8.5.1\n"}
        with pytest.raises(AssertionError, match="no pin with hashes"):
            list(disagreements(files, CONSTRAINTS))


def test_the_other_files_hold_only_what_core_lacks():
    texts = {
        "core": "a==1 \\\n    --hash=sha256:1\n",
        "test": "a==1 \\\n    --hash=sha256:1\nb==2 \\\n    --hash=sha256:2\n",
    }
    files = RENEW["written"](texts)
    assert RENEW["entries"](files["test"]) == ["b==2 \\\n    --hash=sha256:2\n"] and "-r core.txt\n" in files["test"]
