"""Kills, full disks, damaged files, strange surroundings: the part of benchmarks/crashes.py that takes seconds.

The program tries more of each, and the workflow itself; its table stands in docs/robustness.md.
"""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from disturbances import damage, disks, environments, kills, steps  # noqa: E402 - of programs beside the tests
from disturbances.place import SAME, SENTENCE, Place, content, one_sentence, surroundings  # noqa: E402

GOOD = (SAME, SENTENCE)
# No connection leaves the process: what the kernel does without a network, where it cannot be taken away.
GUARD = """
import socket

def refused(*arguments, **more):
    raise OSError(101, "Network is unreachable")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refused
"""
ASKING = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=2)"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("crashes"), steps.EXPERIMENTS, steps.whole)


def test_killed_workers_leave_nothing_behind(place):
    found = list(kills.worker_kills(place, 2))
    assert [outcome for _, outcome in found] == [SAME] * 2


def test_a_full_disk_loses_nothing(place):
    assert disks.full_disk(place, 2) in GOOD


@pytest.mark.parametrize("path", [steps.SUMMARIES[0], steps.SEARCH])
def test_a_damaged_file_is_found(place, path):
    assert damage.found_damaged(place, path, damage.READ[path], "cut off") == SENTENCE


def test_files_belong_to_whom_the_umask_says(place):
    assert environments.with_umask(place) == SAME


def test_a_place_that_needs_quotes_in_a_locale_without_letters(place):
    site = place.site('it\'s "here"', results=False)
    site.environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Kathmandu"}
    assert place.judged(site) == SAME


def guarded(folder):
    """The environment of a process that can open no connection."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(GUARD)
    return {"PYTHONPATH": str(folder)}


def test_no_network_is_needed(place, tmp_path):
    """Without it everything is made, the same bytes; that there was none is asked first."""
    site = place.site(results=False)
    site.environment = guarded(tmp_path / "guard")
    asked = subprocess.run([sys.executable, "-c", ASKING], env={**os.environ, **site.environment}, capture_output=True)
    assert asked.returncode and b"unreachable" in asked.stderr
    assert place.judged(site) == SAME


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode != 0,
    reason="this machine lets no process go without a network",
)
def test_none_is_needed_where_the_kernel_has_none(place):
    site = place.site(results=False)
    (site.folder / "whole.py").write_text(steps.WHOLE)
    line = "sweep experiments/small.yaml -f float16 --out results/summaries/small.float16.0.npz"
    command = ["unshare", "-rn", sys.executable, "-m", "whole", line]
    assert subprocess.run(command, cwd=site.folder, env=surroundings(), capture_output=True).returncode == 0
    key = steps.SUMMARIES[0]
    assert site.state()[key] == place.expected[key]


class TestJudge:
    """What the program calls whole is so."""

    def test_a_changed_byte_is_no_result(self, place):
        def spoiled(site):
            status = steps.whole(site)
            path = site.folder / "results/tables/small.md"
            path.write_text(path.read_text() + " ")
            return status

        assert place.judged(place.site(results=False), spoiled) == "differs: results/tables/small.md"

    def test_nor_is_a_file_left_over(self, place):
        site = place.site()
        (site.folder / "results/tables/.other-x.csv").write_text("half")
        assert "differs" in place.judged(site, lambda _: (0, ""))

    def test_nor_is_a_summary_with_another_number(self, place, tmp_path):
        path = tmp_path / "a.npz"
        shutil.copy(place.pristine / steps.SUMMARIES[0], path)
        before = content(path)
        from harness.sweep import stored

        summaries, told = stored.read_summaries(path)
        stored.write_summaries(path, summaries, {**told, "nanoseconds": {}})
        assert content(path) == before
        stored.write_summaries(path, summaries, {**told, "grid": "standard"})
        assert content(path) != before

    @pytest.mark.parametrize(
        ("status", "said", "one"),
        [
            (2, "harness: no room.\n", True),
            (0, "", False),
            (2, "", False),
            (3, "harness: a fault of the harness itself, KeyError\n", False),
            (1, "Traceback (most recent call last):\nharness: x\n", False),
            (2, "harness: a.\nharness: b.\n", False),
        ],
    )
    def test_a_sentence_is_one(self, status, said, one):
        assert one_sentence(status, said) is one


def test_the_page_has_a_place_for_every_program():
    page = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
    put = runpy.run_path(str(ROOT / "benchmarks" / "generated.py"))
    for program in ("fuzz", "planted", "crashes", "independent_truth"):
        assert page.count(f"<!-- benchmarks/{program}.py writes this -->") == 1
    with pytest.raises(ValueError, match="has no place for"):
        put["put_between"](ROOT / "docs" / "robustness.md", "benchmarks/none.py", "")
