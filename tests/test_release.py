"""A release says one version and one date everywhere, and its description names every table."""

import importlib.util
import json
import re
import runpy
import subprocess
from pathlib import Path

import pytest
import yaml

from harness import __version__

CITATION = yaml.safe_load(Path("CITATION.cff").read_text(encoding="utf-8"))


def said(path: str) -> tuple[str, str]:
    """Version and date as a file says them."""
    text = Path(path).read_text(encoding="utf-8")
    if path.endswith(".json"):
        held = json.loads(text)
        return held["version"], held["publication_date"]
    if path.endswith(".cff"):
        return str(CITATION["version"]), str(CITATION["date-released"])
    return re.search(r"^## (\d\S*) \((\d{4}-\d\d-\d\d)\)$", text, re.MULTILINE).groups()  # type: ignore[union-attr, return-value]


@pytest.mark.parametrize("path", ["CITATION.cff", ".zenodo.json", "CHANGELOG.md"])
def test_one_version_and_one_date(path):
    assert said(path) == (__version__, str(CITATION["date-released"]))
    assert 'version = { attr = "harness.__version__" }' in Path("pyproject.toml").read_text(encoding="utf-8")


def test_the_archive_is_told_what_the_citation_says():
    archive = json.loads(Path(".zenodo.json").read_text(encoding="utf-8"))
    assert archive["title"] == CITATION["title"] and archive["license"] == CITATION["license"]
    assert archive["description"] == CITATION["abstract"].strip() and archive["keywords"] == CITATION["keywords"]
    assert [a["name"] for a in archive["creators"]] == [a["name"] for a in CITATION["authors"]]


@pytest.mark.skipif(not importlib.util.find_spec("rocrate"), reason="rocrate is not installed: `make crate` brings it")
def test_the_crate_names_every_table_and_has_the_same_bytes_each_time(tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "one.csv").write_text("a\n1\n", encoding="utf-8")
    crate = runpy.run_path("docs/crate.py")["crate"]
    first, second = (json.dumps(crate(tmp_path, Path("CITATION.cff"))) for _ in range(2))
    assert first == second and '"tables/one.csv"' in first
    (tables / "one.csv").write_text("a\n2\n", encoding="utf-8")
    assert json.dumps(crate(tmp_path, Path("CITATION.cff"))) != first  # negative control


def wrong_with(tags: list[str], changes: str) -> list[str]:
    """What keeps a commit with these tags from being the release that its files say it is."""
    found = [f"tag {tag}, but version {__version__}" for tag in tags if tag != f"v{__version__}"]
    return found + ["changes that are in no release"] * (bool(tags) and "## Unreleased" in changes)


def test_a_tag_is_the_version_and_leaves_no_change_unreleased():
    told = subprocess.run(["git", "tag", "--points-at", "HEAD"], capture_output=True, text=True)
    tags = [tag for tag in told.stdout.split() if re.match(r"v\d", tag)]  # none where there is no repository
    assert wrong_with(tags, Path("CHANGELOG.md").read_text(encoding="utf-8")) == []
    assert wrong_with([f"v{__version__}"], "## 1.0.0 (2026-11-26)") == []
    assert len(wrong_with(["v0.0.0"], "## Unreleased")) == 2  # negative control
