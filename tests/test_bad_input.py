"""Bad input: one sentence and exit status 2, never a traceback, never half a result; a crash of the harness is status 3.

benchmarks/fuzz.py runs all of tests/bad_input.py and more; here is the part of it that takes seconds.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bad_input
import click
import numpy as np
import pytest
import yaml
from bad_input import CHILDREN, COMMANDS, SLOW, TEXTS, Spoiled, judge, run, tried, with_field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import Crash, UsageError, choices
from harness.cli.main import PIPE_CLOSED, cli, main
from harness.workflow import experiments, files

DRAWN = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
CORPUS = [c for c in bad_input.corpus() if c.arguments[0] not in (*SLOW, *CHILDREN)]
# Each way to spoil a file meets each command in the full program; here each command meets some, and each way some.
FILES = [c for i, c in enumerate(c for c in CORPUS if c.kind.startswith("a file")) if i % 9 == 0]
BY_HAND = [c for c in CORPUS if not c.kind.startswith("a file")]


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    return bad_input.world(tmp_path_factory.mktemp("bad") / "world")


@pytest.fixture
def here(master, tmp_path, monkeypatch):
    """A copy of the world, as the working directory."""
    monkeypatch.chdir(shutil.copytree(master, tmp_path / "world"))
    return Path()


def assert_refused(case, master, place):
    judged = tried(case, master, place)
    assert judged.ok, (case.arguments, case.name, judged)


@pytest.mark.parametrize("case", BY_HAND, ids=lambda c: f"{c.kind}: {c.name}")
def test_what_was_found_by_hand(case, master, tmp_path):
    judged = tried(case, master, tmp_path / "copy")
    assert (judged.status, judged.verdict) == (2, "refused"), judged


def test_spoiled_files(master, tmp_path):
    assert {c.name.split(": ")[1] for c in FILES} == set(bad_input.SPOILED)
    for case in FILES:
        assert_refused(case, master, tmp_path / "copy")


def test_every_command_is_fuzzed():
    assert set(COMMANDS) == set(cli.commands)


@DRAWN
@given(data=st.data())
def test_any_text_as_an_option(master, tmp_path_factory, data):
    command = data.draw(st.sampled_from([c for c in COMMANDS if c not in (*SLOW, *CHILDREN)]))
    option, line = data.draw(st.sampled_from(list(bad_input.optioned(command))))
    text = data.draw(st.one_of(st.sampled_from(TEXTS), st.text(max_size=20)).filter(lambda t: "\0" not in t))
    case = Spoiled("drawn", f"{option} {text!r}", [*line, text])
    assert_refused(case, master, tmp_path_factory.getbasetemp() / "copy")


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANYTHING = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3), max_leaves=6
)


@DRAWN
@given(data=st.data())
def test_any_value_of_a_field(master, tmp_path_factory, data):
    name, text, schema, command = data.draw(st.sampled_from(bad_input.EXPERIMENTS))
    key, value = data.draw(st.sampled_from(bad_input.fields(schema))), data.draw(ANYTHING)

    def spoil(folder):
        (folder / "experiments" / f"{name}.yaml").write_text(with_field(text, key, value), errors="surrogatepass")

    case = Spoiled("drawn", f"{key}: {value!r}", [command, *COMMANDS[command][0]], spoil)
    assert_refused(case, master, tmp_path_factory.getbasetemp() / "copy")


def test_random_damage(master, tmp_path):
    cases = bad_input.damaged(bad_input.random.Random(7))
    for case in (next(cases) for _ in range(40)):
        assert_refused(case, master, tmp_path / "copy")


class TestNames:
    @pytest.mark.parametrize("name", ["a$b", "a b", "a'b", "-a", "a.b", "ä", "a;b", "a{b}", "a*"])
    def test_a_name_that_a_shell_would_quote_is_refused(self, here, name):
        path = here / "experiments" / f"{name}.yaml"
        shutil.copy(here / "experiments" / "small.yaml", path)
        with pytest.raises(UsageError, match="cannot be an experiment's name"):
            experiments.load(path)

    @pytest.mark.parametrize("name", ["small", "a-b", "A_1", "2x"])
    def test_others_are_taken(self, here, name):
        path = here / "experiments" / f"{name}.yaml"
        path.write_text(bad_input.SWEEP)
        assert experiments.load(path).name == name

    @pytest.mark.parametrize("table", ["a b", "../a", "a$b", "a/b"])
    def test_so_are_the_names_of_a_study_s_tables(self, here, table):
        text = with_field(bad_input.STUDY, "tables", {table: "A table"})
        (here / "experiments" / "asked.yaml").write_text(text)
        assert run("study", "experiments/asked.yaml", "--part", "all", "--out", "new.json").verdict == "refused"

    @pytest.mark.parametrize(
        ("arguments", "meant"),
        [
            (["list", "kernals"], "kernels"),
            (["chek"], "check"),
            (["list", "kernels", "--problem", "bce_logit"], "bce_logits"),
            (["check", "lse_log2p", "-p", "bce_logits", "-f", "float16"], "lse_log1p"),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "flaot16"], "float16"),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "float16", "-g", "quik"], "quick"),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "float16", "--library", "tensorfow"], "tensorflow"),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "float16", "--weights", "poss=3"], "pos"),
            (["check", "loss.py:goood", "-p", "bce_logits", "-f", "float16"], "good"),
            (["rows", "smal"], "small"),
            (["rows", "small", "--columns", "kernal"], "kernel"),
            (["study", "experiments/asked.yaml", "--part", "al", "--out", "new.json"], "all"),
            (["systems", "scipi", "--out", "new.json"], "scipy"),
            (["systems-sweep", "logits", "--out", "new.npz"], "logit"),
        ],
    )
    def test_the_nearest_is_named(self, here, arguments, meant):
        judged = run(*arguments)
        assert judged.verdict == "refused" and f"did you mean {meant}?" in judged.error, judged

    def test_a_key_of_an_experiment_too(self, here):
        (here / "experiments" / "small.yaml").write_text(bad_input.SWEEP.replace("formats", "format"))
        assert "did you mean formats?" in run("sweep", "experiments/small.yaml", "-f", "float16", "--out", "n").error

    def test_nothing_is_guessed_where_none_is_near(self):
        assert choices("frobnicate", ["sweep", "table"]) == "sweep, table"
        assert choices("x", []) == "none"


class TestCrash:
    """What the harness itself does wrong has an exit status of its own, and that is never the one of a budget."""

    def planted(self, monkeypatch, error):
        def fail():
            raise error

        monkeypatch.setitem(cli.commands, "list", click.Command("list", callback=fail))
        return main(["list"])

    @pytest.mark.parametrize(
        ("error", "status", "said"),
        [
            (TypeError("unsupported"), 3, "a fault of the harness itself, TypeError at test_bad_input.py"),
            (KeyError("x"), 3, "a fault of the harness itself, KeyError"),
            (RecursionError(), 3, "a fault of the harness itself, RecursionError"),
            (MemoryError(), 3, "out of memory; nothing was written"),
            (Crash("f ran out of time"), 3, "f ran out of time"),
            (UsageError("x is\nno name"), 2, "harness: x is no name\n"),
            (PermissionError(13, "Permission denied", "/x"), 2, "/x: Permission denied"),
            (OSError(28, "No space left on device"), 2, "No space left on device"),
            (ModuleNotFoundError("no module", name="snakemake"), 2, "snakemake is not installed"),
            (ModuleNotFoundError("no module", name="numpy"), 3, "a fault of the harness itself"),
        ],
    )
    def test_each_ends_in_one_sentence(self, monkeypatch, capsys, error, status, said):
        assert self.planted(monkeypatch, error) == status
        out, err = capsys.readouterr()
        assert said in err and err.count("\n") == 1 and out == "" and "Traceback" not in err

    def test_an_array_too_large_is_out_of_memory(self, monkeypatch, capsys):
        monkeypatch.setitem(cli.commands, "list", click.Command("list", callback=lambda: np.empty(1 << 58)))
        assert main(["list"]) == 3
        assert "out of memory" in capsys.readouterr().err

    def test_where_it_was_is_told_to_who_asks(self, monkeypatch, capsys):
        monkeypatch.setenv("HARNESS_TRACEBACK", "1")
        assert self.planted(monkeypatch, TypeError("unsupported")) == 3
        assert "Traceback" in capsys.readouterr().err

    def test_a_reader_that_goes_away_is_no_verdict(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "harness", "list", "kernels"],
            stdout=writer,
            stderr=subprocess.PIPE,
        )
        os.close(writer)
        assert done.returncode == PIPE_CLOSED and not done.stderr

    def test_letters_that_the_terminal_lacks_are_no_reason_to_fail(self):
        line = "from harness.cli.main import main; raise SystemExit(main(['reference', '≥']))"
        done = subprocess.run(
            [sys.executable, "-c", line],
            env={**os.environ, "PYTHONIOENCODING": "latin-1"},
            capture_output=True,
        )
        assert done.returncode == 2 and b"\\u2265" in done.stderr and b"Traceback" not in done.stderr


class TestJudge:
    """The judge finds what it is there to find."""

    @pytest.mark.parametrize(
        ("status", "out", "err", "changed", "verdict"),
        [
            (2, "", "harness: no.\n", False, "refused"),
            (2, "", "Traceback\n  File\nharness: no.\n", False, "refused in more than one sentence"),
            (2, "half a table\n", "harness: no.\n", False, "refused in more than one sentence"),
            (2, "", "harness: no.\n", True, bad_input.PARTIAL),
            (3, "", "harness: a fault of the harness itself, KeyError\n", False, "crashed"),
            (3, "", "harness: f ran out of time\n", False, "a user's function crashed"),
            (0, "a table\n", "", True, "used"),
        ],
    )
    def test_planted(self, status, out, err, changed, verdict):
        after = {"x": b"1", **({".x-tmp": b""} if changed else {})}
        assert judge(status, out, err, {"x": b"1"}, after).verdict == verdict

    def test_an_exception_is_one(self, here, monkeypatch):
        monkeypatch.setattr(bad_input, "main", lambda _: 1 / 0)
        judged = run("list")
        assert not judged.ok and judged.verdict == "traceback of ZeroDivisionError"

    def test_a_temporary_file_left_behind_is_found(self, here, monkeypatch):
        monkeypatch.setattr(bad_input, "main", lambda _: (Path(".x-tmp").touch(), 2)[1])
        assert not run("list").ok


class TestSealed:
    def test_one_digit_changed_is_found(self, tmp_path):
        path = tmp_path / "part.json"
        files.write_sealed(path, {"ulp": "1.5", "rows": [1, 2]})
        assert files.read_sealed(path, "a part", "again") == {"ulp": "1.5", "rows": [1, 2]}
        path.write_text(path.read_text().replace("1.5", "1.6"))
        with pytest.raises(UsageError, match="does not match its checksum; again"):
            files.read_sealed(path, "a part", "again")

    def test_keys_are_asked_for(self, tmp_path):
        files.write_sealed(tmp_path / "part.json", {"rows": []})
        with pytest.raises(UsageError, match="keys are missing"):
            files.read_sealed(tmp_path / "part.json", "a part", "again", ("found",))


def test_no_alias_is_taken(here):
    (here / "experiments" / "small.yaml").write_text("question: &a What?\nproblems: [*a]\nformats: [float16]\n")
    with pytest.raises(UsageError, match="aliases"):
        experiments.load(here / "experiments" / "small.yaml")
    assert yaml.safe_load(bad_input.SWEEP)["grid"] == "quick"
