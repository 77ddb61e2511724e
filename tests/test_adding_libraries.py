"""A library is one adapter file and one extra: an adapter in a temporary folder is found in every place, nothing else edited."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from harness.cli.main import main
from harness.systems import adapters, registry
from harness.tables import writer

ADAPTER = r'''
"""A loss as a user types it in NumPy."""

import numpy as np

from harness.systems.commands import evaluated, printed
from harness.systems.registry import Library, System
from harness.systems.replicas import replica

LIBRARIES = (Library("typed", __name__, ("numpy",), quick=True),)
LOSS = "np.log(1 + np.exp(x)) - y * x"


def systems(library):
    load, command = evaluated("", LOSS), printed("", LOSS)
    return [System("typed.loss", library, "bce_logits", "eager", load, "typed", command=command, by_default=True)]


@replica("bce_logits", "typed", r"\log(1 + e^x) - y x", "this file")
def loss(x, y):
    return np.log(x.dtype.type(1) + np.exp(x)) - y * x
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    """A folder of adapters with one file in it, beside those of the package."""
    folder = tmp_path_factory.mktemp("adapters")
    (folder / "typed_.py").write_text(ADAPTER)
    importlib.invalidate_caches()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapters, "__path__", [*adapters.__path__, str(folder)])
        yield folder


@pytest.fixture(scope="module")
def part(folder: Path) -> Path:
    """What a sweep of the library leaves."""
    path = folder / "typed.json"
    assert main(["systems", "typed", "--grid", "quick", "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def table(folder: Path, part: Path) -> Path:
    assert main(["systems-table", str(part), "--out", str(folder / "tables/systems.csv")]) == 0
    return folder / "tables/systems.csv"


@pytest.fixture(scope="module")
def pages(folder: Path, table: Path) -> Path:
    assert (
        main(["systems-pages", str(table), "--docs", str(folder / "docs"), "--figures", str(folder / "figures")]) == 0
    )
    return folder / "docs"


def test_it_is_listed_before_those_that_are_source_only(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["list", "systems"]) == 0
    assert re.search(r"^typed +typed\.loss +eager +bce_logits$", capsys.readouterr().out, re.MULTILINE)
    names = [entry.name for entry in registry.libraries()]
    assert names[-2:] == ["typed", "replica"] and registry.library_named("typed").quick


def test_it_is_swept_in_a_process_of_its_own_and_agrees_with_its_replica(part: Path) -> None:
    rows = json.loads(part.read_text())["rows"]
    assert [(r["format"], r["target"]) for r in rows] == [(f, y) for f in ("float16", "float32") for y in ("0", "1")]
    for r in rows:
        assert (r["refused"], r["unavailable"], r["version"]) == (0, 0, f"numpy=={np.__version__}")
        assert r["agreement"] == "1" and r["spurious_inf"] > 0


def test_it_is_in_the_table(folder: Path, table: Path) -> None:
    frame = writer.read(table)
    assert set(frame["kernel"]) == {"typed:typed.loss:bce_logits:eager"} and len(frame) == 4
    assert "typed.loss" in (folder / "tables/systems.md").read_text()


def test_it_is_on_the_pages_and_its_line_prints_what_it_returned(pages: Path) -> None:
    systems, findings = ((pages / f"{name}.md").read_text() for name in ("systems", "findings"))
    assert "\n## typed\n" in systems and re.search(r"\| `typed.loss` \| float\d+: x ≥ .*: ∞ for ", systems)
    assert "Replicas are the same bit for bit, on every input tried in all 4 combinations." in systems
    (section,) = (text for text in findings.split("\n## ") if "`typed.loss`, float32: the loss is ∞\n" in text)
    (line,) = re.findall(r"```sh\n(.*)\n```", section)
    typed = line.replace("python -c", f"{sys.executable} -W ignore -c")
    assert subprocess.run(typed, shell=True, capture_output=True, text=True, check=True).stdout.strip() == "inf"


def test_it_is_in_the_figures(folder: Path, table: Path, pages: Path) -> None:
    from harness.systems.pages import FIGURES, figures, known, probes

    assert sorted(p.stem for p in (folder / "figures").glob("*.svg")) == sorted(FIGURES)
    rows = known.rows_in(table)
    worst = figures.worst_figure(rows, "bce_logits", "")
    assert "typed.loss" in [text.get_text() for text in worst.findobj(Text)]
    plateaus = figures.plateau_figure(probes.returned(rows, table.with_name("systems_probes.csv")))
    assert "typed.loss\n(typed)" in [text.get_text() for text in plateaus.findobj(Text)]


def test_a_name_that_is_taken_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "second_torch.py").write_text(
        ADAPTER.split("@replica")[0].replace('"typed", __name__', '"torch", __name__')
    )
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(tmp_path)])
    with pytest.raises(
        ValueError, match=r"'torch' is declared by harness\.systems\.adapters\.torch_ and .*second_torch"
    ):
        registry.libraries()


def test_every_library_of_the_package_has_its_extra() -> None:
    declared = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (every,) = declared["systems"]
    summed = set(every.removeprefix("xent-harness[").removesuffix("]").split(","))
    for entry in registry.libraries():
        if entry.source_only or entry.name == "typed":
            continue
        assert entry.family in declared, f"pyproject.toml has no extra {entry.family!r} for {entry.module}"
        assert entry.family in summed, f"pyproject.toml: the extra 'systems' leaves out {entry.family!r}"
