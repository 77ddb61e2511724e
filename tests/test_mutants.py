"""The program that makes mutants of the numerical core: what it makes, how a fork takes one, and what it keeps."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cosmic_ray", reason="needs the extra `mutants`; .ci/run installs it")
sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import mutants as program
from mutation import slips, trials

from harness.sweep import tally

PATH = "harness/sweep/tally.py"
MADE = {m.planted: m for m in slips.mutants_of(PATH)}
THIRD = "middle = np.maximum(measured - 1, 0) // 3"


def in_a_fork(run):
    heard = []
    children = trials.Children(1, lambda what, said: heard.append((what, said)))
    children.start("one", run, 60)
    children.finish()
    return heard


def test_a_mutant_is_another_program_and_says_where():
    assert (
        THIRD in MADE
        and MADE[THIRD].there == "middle = np.maximum(measured - 1, 0) // 2"
        and MADE[THIRD].function == "medians"
    )
    assert "bad = errors.ulp[t, where] >= budget" in MADE and 'if name == "capped":' in MADE
    original = slips.program((slips.ROOT / PATH).read_text(encoding="utf-8"))
    assert all(slips.program(m.source) != original for m in MADE.values())
    assert len({m.key for m in MADE.values()}) == len(MADE)


def test_annotations_are_no_program():
    assert slips.program("def f(x: int | None) -> int: ...") == slips.program("def f(x): ...")
    assert not list(slips.changes("def f(x: int | None = None) -> int: ...\n"))


def test_what_is_no_python_is_no_mutant():
    assert not list(slips.changes("def f(a): return {**a, None: None}\n")) and slips.program("{*a, b: c}") == ""


def test_opposites_are_made_too():
    assert "def f(a): return a.all()\n" in list(slips.changes("def f(a): return a.any()\n"))


def test_constants_are_those_that_nothing_reads_at_import():
    tree = ast.parse("A = 1\nB, C = 2, A\nD = 4\ndef f(x=D): return B\nE: int = 5\n")
    assert [names for *_, names in slips.constants_of("harness/none.py", tree)] == [("B", "C")]


def test_a_fork_takes_the_code_of_a_mutant_and_this_process_does_not():
    loaded, ulp = trials.Loaded([PATH]), np.array([[[1.0, 2.0, 3.0, 4.0]]])

    def run():
        loaded.take(MADE[THIRD])
        return str(tally.medians(ulp))

    assert in_a_fork(run) == [("one", "[[2.]]")] == in_a_fork(lambda: str(tally.medians(ulp)))[:1]
    ulp = np.arange(1.0, 9.0)[None, None]
    assert in_a_fork(run) == [("one", "[[3.]]")] and str(tally.medians(ulp)) == "[[4.]]"


def test_what_does_not_end_or_does_not_run_is_stopped():
    def endless():
        while True:
            pass

    def broken():
        raise ImportError

    heard = []
    children = trials.Children(1, lambda what, said: heard.append(said))
    children.start(None, endless, 0)
    children.start(None, broken, 60)
    children.finish()
    assert heard[0].startswith("stopped: signal") and heard[1] == "stopped: ImportError"


def test_a_kill_is_known_as_long_as_the_test_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "STORE", tmp_path)
    mutant, tests = MADE[THIRD], ("tests/test_core_errors.py",)
    name = "tests/test_core_errors.py::TestTally::test_medians_by_cell"
    (digest,) = program.tests_there("tests/test_core_errors.py")[name]
    for said, known in (
        (f"{name}[1-2] {digest}", program.KILLED),
        (f"{name} 00000000", ""),
        ("stopped: signal 9", program.KILLED),
        (f"{program.SURVIVED} {program.digest_of_tests(tests)}", program.SURVIVED),
        (f"{program.SURVIVED} 00000000", ""),
    ):
        program.Results("tally").note(mutant, said)
        assert program.Results("tally").of(mutant, tests) == known
    assert program.Results("tally").of(MADE['if name == "capped":'], tests) == ""


def test_every_explanation_is_of_a_mutant():
    explained = program.explained()
    files = {Path(p).stem: p for paths, _ in program.MODULES.values() for p in paths}
    there = {
        (program.named(m), m.planted)
        for stem in {function.partition(".")[0] for function, _ in explained}
        for m in slips.mutants_of(files[stem])
    }
    assert set(explained) <= there and all(explained.values())
