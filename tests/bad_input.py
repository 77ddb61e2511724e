"""Bad input, collected: a small world of every kind of file, ways to spoil it, and the judge of what a command did.

tests/test_bad_input.py runs a corpus and what Hypothesis draws; benchmarks/fuzz.py runs all of it for as long as it is
asked to.  A command may do three things with its input: use it (exit status 0, or 1 where that is its answer), or refuse
it in one sentence on standard error (status 2) and leave every file as it was, or say that a user's own function crashed
(status 3).  Everything else is a fault.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
from reduced import HUNT, SWEEP

from harness.cli.main import cli, main
from harness.workflow import files
from harness.workflow.time_limit import time_limit

ROOT = Path(__file__).parent.parent
STUDY = """
study: true
question: Is it?
method: It is.
tables: {planted: A table}
"""
LOSS = """
import numpy as np
NOT_A_FUNCTION = 3
def good(x, y):
    return np.logaddexp(0, x).astype(x.dtype) - x * y
def raises(x, y):
    raise KeyError("weights are missing")
"""
EXPERIMENTS = (
    ("small", SWEEP, "schema.yaml", "sweep"),
    ("hunt", HUNT, "schema.yaml", "search"),
    ("asked", STUDY, "study_schema.yaml", "study"),
)
# Values that are right, and take minutes.
LONG = (("grid", "exhaustive"), ("targets", "all"), ("search", "{'budget': 1000000000000}"))
SECONDS = 600.0  # that a command may take over bad input, on a machine that has twenty others too
PARTIAL = "wrote files although it failed"


@dataclass
class Judged:
    """Hold what a command did: its exit status and the verdict, one of a few words."""

    status: int
    verdict: str
    error: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether it used its input or refused it as it should."""
        return self.verdict in ("used", "refused", "its answer is no", "a user's function crashed")


def world(folder: Path) -> Path:
    """Make a folder with a valid file of every kind that a command reads, and return it."""
    (folder / "experiments").mkdir(parents=True)
    for name in ("schema.yaml", "study_schema.yaml"):
        shutil.copy(ROOT / "experiments" / name, folder / "experiments")
    for name, text in {"small": SWEEP, "hunt": HUNT, "asked": STUDY}.items():
        (folder / "experiments" / f"{name}.yaml").write_text(text)
    (folder / "loss.py").write_text(LOSS)
    (folder / "docs").mkdir()
    (folder / "text.txt").write_text("These are words.\n")
    with contextlib.chdir(folder):
        for i in range(2):
            _made("sweep", "experiments/small.yaml", "-f", "float16", "--shard", str(i), "--out", f"s{i}.npz")
        _made("table", "experiments/small.yaml", "s0.npz", "s1.npz", "--out", "results/tables/small.csv")
        _made("search", "experiments/hunt.yaml", "-f", "float16", "--out", "hunt.json")
        _made("search-table", "experiments/hunt.yaml", "hunt.json", "--out", "results/tables/hunt.csv")
        _made("atlas", "results/tables/small.csv", "--out", "results/tables/atlas.csv")
    told = json.loads((folder / "results/tables/small.json").read_text())["provenance"]
    part = {"study": "asked", "part": "all", "study_sha256": "0" * 64, "provenance": told, "tables": {"planted": []}}
    files.write_sealed(folder / "part.json", part)
    systems = {"library": "scipy", "grid": "quick", "rows": [], "special": [], "probes": [], "audit": {}}
    files.write_sealed(folder / "systems.json", {**systems, "provenance": told})
    files.write_sealed(folder / "rows.json", {"library": "scipy", "rows": [], "provenance": told})
    return folder


def _made(*arguments: str) -> None:
    judged = run(*arguments)
    assert judged.status == 0, (arguments, judged)


# Every command with a line that it can use in the world, and the files that it reads.
COMMANDS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "list": (["kernels", "--problem", "bce_logits"], ()),
    "check": (["lse_log1p", "-p", "bce_logits", "-f", "float16", "-g", "quick", "-t", "0", "--json"], ()),
    "explain": (["lse_log1p", "-p", "bce_logits", "-f", "float16", "--input", "2", "-t", "0"], ()),
    "reference": (["bce_logits", "--logit", "3", "--target", "0.5", "--digits", "20"], ()),
    "figure": (["small_bce_logits_plateaus", "--out", "new.pdf"], ("results/tables/small.csv",)),
    "verify": (["results"], ("results/tables/small.csv", "results/tables/small.json")),
    "budget": (["lse_log1p", "-p", "bce_logits", "-f", "float16", "-g", "quick", "--out", "new.yaml"], ()),
    "fix": (["lse_log1p", "-p", "bce_logits", "-f", "float16", "-t", "0"], ()),
    "recommend": (
        ["-p", "bce_logits", "-f", "float16", "--targets", "hard", "--library", "numpy", "--json"],
        ("results/tables/small.csv", "results/tables/small.json"),
    ),
    "vectors": (["results/tables", "--out", "new"], ("results/tables/small.csv",)),
    "rows": (
        ["small", "--columns", "kernel,max_ulp", "--csv"],
        ("results/tables/small.csv", "results/tables/small.json"),
    ),
    "cite": (["0123456789"], ("results/tables/small.csv", "results/tables/small.json")),
    "diff": (["results", "results"], ("results/tables/small.csv", "results/tables/small.json")),
    "sweep": (["experiments/small.yaml", "-f", "float16", "--out", "new.npz"], ("experiments/small.yaml",)),
    "table": (
        ["experiments/small.yaml", "s0.npz", "s1.npz", "--out", "new.csv"],
        ("experiments/small.yaml", "s0.npz", "s1.npz"),
    ),
    "rewrite": (
        ["experiments/small.yaml", "results/tables/small.csv"],
        ("experiments/small.yaml", "results/tables/small.csv", "results/tables/small.json"),
    ),
    "figures": (
        ["experiments/small.yaml", "s0.npz", "s1.npz", "--table", "results/tables/small.csv", "--out", "drawn"],
        ("s1.npz", "results/tables/small.csv", "results/tables/small.json"),
    ),
    "bounds": (
        ["experiments/small.yaml", "s0.npz", "s1.npz", "--out", "new.csv", "--figures", "drawn"],
        ("s0.npz", "s1.npz"),
    ),
    "search": (["experiments/hunt.yaml", "-f", "float16", "--out", "new.json"], ("experiments/hunt.yaml",)),
    "search-table": (
        ["experiments/hunt.yaml", "hunt.json", "--out", "new.csv"],
        ("experiments/hunt.yaml", "hunt.json"),
    ),
    "special": (["--out", "new.csv"], ()),
    "atlas": (
        ["results/tables/small.csv", "--out", "new.csv"],
        ("results/tables/small.csv", "results/tables/small.json"),
    ),
    "study": (["experiments/asked.yaml", "--part", "all", "--out", "new.json"], ("experiments/asked.yaml",)),
    "page": (
        ["experiments/asked.yaml", "part.json", "--results", "results", "--out", "docs/new.md"],
        ("experiments/asked.yaml", "part.json"),
    ),
    "systems": (["scipy", "-g", "quick", "--out", "new.json"], ()),
    "systems-table": (["systems.json", "--out", "new.csv"], ("systems.json",)),
    "systems-pages": (
        ["results/tables/small.csv", "--docs", "docs", "--figures", "drawn"],
        ("results/tables/small.csv",),
    ),
    "systems-sweep": (["logit", "--shard", "9999", "--out", "new.npz"], ()),
    "systems-rows": (["scipy", "s0.npz", "s1.npz", "--out", "new.json"], ("s0.npz",)),
    "systems-exhaustive-table": (["rows.json", "--out", "new.csv"], ("rows.json",)),
    "report": (["experiments/small.yaml", "--out", "page"], ("experiments/small.yaml", "results/tables/atlas.csv")),
}
CHILDREN = ("check", "explain", "budget", "fix")  # they start processes of their own
OUTPUTS = (
    "--out",
    "--html",
    "--docs",
    "--figures",
)  # any text is a file's name, and it takes a command its time to write it
SLOW = (
    "special",
    "systems",
    "recommend",
    "figure",
    "vectors",
    "report",
    "figures",
    "bounds",
    "verify",
)  # seconds where they use their input


def run(*arguments: str) -> Judged:
    """Run a command in the folder where it is, and judge what it did there."""
    before = snapshot(Path())
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("always")
        try:
            with time_limit(SECONDS, TimeoutError("too slow")):
                status = main(list(arguments))
        except BaseException as e:
            return Judged(-1, f"traceback of {type(e).__name__}", f"{e}")
    return judge(status, out.getvalue(), err.getvalue(), before, snapshot(Path()))


def judge(status: int, out: str, err: str, before: dict[str, bytes], after: dict[str, bytes]) -> Judged:
    """Judge a command by its exit status, what it said, and what became of the files."""
    one_sentence = err.startswith("harness: ") and err.count("\n") == 1 and not out
    if status == 0:
        return Judged(status, "used")
    if before != after:
        return Judged(status, PARTIAL, err)
    if status == 1:
        return Judged(status, "its answer is no", err)
    if status == 2:
        return Judged(status, "refused" if one_sentence else "refused in more than one sentence", err)
    own = "a fault of the harness" in err or "out of memory" in err or not one_sentence
    return Judged(status, "crashed" if own else "a user's function crashed", err)


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder with their bytes, links and folders by name; compiled Python is left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if "__pycache__" not in path.parts:
            found[str(path)] = path.read_bytes() if path.is_file() else b""
    return found


# ---- files spoiled --------------------------------------------------------------------------------------------


def nested(depth: int = 100_000) -> bytes:
    """Return brackets in brackets, which are both YAML and JSON."""
    return b"[" * depth + b"]" * depth


def _remove(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _holding(data: bytes) -> Callable[[Path], None]:
    return lambda path: (path.write_bytes(data), None)[1]


SPOILED: dict[str, Callable[[Path], None]] = {
    "missing": _remove,
    "a folder": _folder,
    "a link to itself": _link_to_itself,
    "empty": _holding(b""),
    "cut off": _half,
    "one bit flipped": _flipped,
    "binary": _holding(bytes(range(256)) * 8),
    "not UTF-8": _holding("question: wie groß\n".encode("latin-1")),
    "deeply nested": _holding(nested()),
    "null": _holding(b"null\n"),
    "a number": _holding(b"7\n"),
    "an empty list": _holding(b"[]\n"),
    "an empty object": _holding(b"{}\n"),
    "not a number": _holding(b'{"sha256": NaN, "rows": 1e999}'),
    "UTF-16": _holding("question: What?\n".encode("utf-16")),
    "half a surrogate pair": _holding(b'{"sha256": "\\ud800"}'),
    "an alias bomb": _holding(b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
    "no date": _holding(b"question: 2026-99-99\n"),
    "a Python object": _holding(b"!!python/object/apply:os.system ['true']\n"),
    "a zip of nothing": _holding(b"PK\x05\x06" + bytes(18)),
    "a table of another kind": _holding(b"a,b\n1,2\n"),
    "ragged": _holding(b"a,b\n1,2,3,4\n"),
}

# ---- texts for options, values for fields -----------------------------------------------------------------------

TEXTS = [
    "", " ", "-", "--", "-1", "0", "1", "2", "1e400", "-1e400", "nan", "inf", "-inf", "0x", "0x1p", "0x1p99999999", "1e999999",
    "0x1p-999999", "9" * 5000, "1e" + "9" * 5000, "½", "٣", "１", "1_0", "1,5", "true", "None", "a b", "a'b", 'a"b', "a\nb", "a\tb",
    "$(true)", "; true", ".", "/dev/null", "text.txt/x/y", "x" * 300, "a/" * 3000, "%s{}",
    "{0.__class__}", "\\", "é", "\u202e", "\udc80", "🙂", "text.txt", "text.txt/x", "experiments", "loss.py", "loss.py:",
    "loss.py:good", "loss.py:raises", "loss.py:NOT_A_FUNCTION", "loss.py:good(", "loss.py:good()", "loss.py:__import__('os')",
    "loss.py:(lambda: 0)()", "os:system", "numpy:nope", "a.b:c", ":", "::", "bce_logits", "bce_logits@pos=3", "bce_logits@pos=",
    "bce_logits@@", "bce@pos=1e999", "lse_log1p", "float16", "float17", "exhaustive", "quick", "pos=3", "pos=-1", "pos=nan",
    "=", "kernel,,kernel", "max_ulp > 4", "max_ulp >", "__import__('os')", "kernel == (1", "1 in 2", "not kernel",
    "kernel in max_ulp", "kernel == [1, [2]]", "-kernel == 1", "(" * 500 + "1" + ")" * 500, "0.5", "1e-400", "12345678901234567890",
]  # fmt: skip
VALUES: list[object] = [
    None, True, False, 0, -1, 1, 2, 7.5, 4096.0, 10**6, 10**30, -(10**30), float("nan"), float("inf"), 1e400, "", " ", "a b", "0", "all",
    "bce_logits", "float16", "exhaustive", "½", "nan", [], [None], [[]], {}, {"float16": 2}, {"float16": 10**9}, {"float16": True},
    {1: 1}, {None: 1}, {"functions": "nowhere"}, [0, 0], ["0", 0], [0.1, "next_up_0"], [-0.0], ["-0"], [1e-400], ["1e-9999"],
    [float("nan")], [True], ["bce_logits", "sigmoid"], ["bce"], ["logsumexp"], ["bce_logits@pos=3"], ["lse_log1p"], ["float32"],
    ["float8_e4m3fn"], {"budget": 4096.0}, {"budget": 10**12}, {"seeds": [10**30]}, {"seeds": [1.0]}, {"joint": True}, "x" * 10**5,
]  # fmt: skip


def optioned(command: str) -> Iterator[tuple[str, list[str]]]:
    """Give each option and argument of a command, by its name, with the line up to where its text stands."""
    line, _ = COMMANDS[command]
    for parameter in cli.commands[command].params:
        if isinstance(parameter, click.Option) and not parameter.is_flag and parameter.opts[-1] != "--help":
            yield max(parameter.opts, key=len), [command, *_without(line, parameter.opts), max(parameter.opts, key=len)]
    yield "arguments", [command, *_options_alone(line)]


def _without(line: list[str], names: list[str]) -> list[str]:
    kept, skip = [], False
    for word in line:
        if not skip and word not in names:
            kept.append(word)
        skip = word in names
    return kept


def _options_alone(line: list[str]) -> list[str]:
    first = next((i for i, word in enumerate(line) if word.startswith("-")), len(line))
    return line[first:]


def fields(name: str) -> list[str]:
    """Return the keys that an experiment's file of a kind may have, those inside `search` and the like with a dot."""
    import yaml

    schema = yaml.safe_load((ROOT / "experiments" / name).read_text())
    inner = [f"{k}.{i}" for k, v in schema["properties"].items() for i in v.get("properties", {})]
    return [*schema["properties"], *inner, "unknown_key"]


def with_field(text: str, key: str, value: object) -> str:
    """Return an experiment's YAML with one of its keys set to a value."""
    import yaml

    data = yaml.safe_load(text)
    outer, _, inner = key.partition(".")
    data[outer] = {**(data.get(outer) or {}), inner: value} if inner else value
    return yaml.safe_dump(data, allow_unicode=True)


@dataclass
class Spoiled:
    """Hold one case: which kind of input is bad, how, what is done to the world first, and the command."""

    kind: str
    name: str
    arguments: list[str]
    spoil: Callable[[Path], None] = field(default=lambda folder: None)


def corpus() -> Iterator[Spoiled]:
    """Give each kind of bad file to each command that reads one, and what the world's own files hold wrongly."""
    for command, (line, read) in COMMANDS.items():
        for path in read:
            for how, spoil in SPOILED.items():
                yield Spoiled(f"a file of `{command}`", f"{path}: {how}", [command, *line], _at(path, spoil))
    yield from _lines()


def _at(path: str, spoil: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda folder: spoil(folder / path)


def _lines() -> Iterator[Spoiled]:
    """Give the kinds of bad input that were once found by hand."""

    def case(name: str, line: str, spoil: Callable[[Path], None] = lambda folder: None) -> Spoiled:
        return Spoiled("found by hand", name, line.split(), spoil)

    def elsewhere(folder: Path) -> None:
        (folder / "elsewhere.yaml").write_text(SWEEP.replace("problems", "problem"))

    def twice(folder: Path) -> None:
        shutil.copy(folder / "s0.npz", folder / "again.npz")

    def named_badly(folder: Path) -> None:
        shutil.copy(folder / "experiments/small.yaml", folder / "experiments/a$b.yaml")

    def resealed(folder: Path) -> None:
        found = json.loads((folder / "hunt.json").read_text())
        files.write_sealed(folder / "part.json", {k: v for k, v in found.items() if k != files.SEAL})

    yield case("YAML outside experiments/", "sweep elsewhere.yaml -f float16 --out new.npz", elsewhere)
    yield case("search without a budget", "search experiments/small.yaml -f float16 --out new.json")
    yield case("a search swept as a table", "table experiments/hunt.yaml hunt.json --out new.csv")
    yield case("a sweep searched as a table", "search-table experiments/small.yaml s0.npz --out new.csv")
    yield case("a shard given twice", "table experiments/small.yaml s0.npz s0.npz --out new.csv")
    yield case(
        "a shard given twice, copied", "table experiments/small.yaml s0.npz s1.npz again.npz --out new.csv", twice
    )
    yield case("a search's shard given twice", "search-table experiments/hunt.yaml hunt.json hunt.json --out new.csv")
    yield case("a part given twice", "systems-table systems.json systems.json --out new.csv")
    yield case("rows given twice", "systems-exhaustive-table rows.json rows.json --out new.csv")
    yield case("a part of another kind", "page experiments/asked.yaml part.json --results r --out new.md", resealed)
    yield case("a search given as a study's part", "page experiments/asked.yaml hunt.json --results r --out new.md")
    yield case("a study's part given as a search", "search-table experiments/hunt.yaml part.json --out new.csv")
    yield case("a sweep given as systems", "systems-rows scipy s0.npz s1.npz --out new.json")
    yield case("no atlas among the tables", "systems-pages results/tables/hunt.csv --docs docs --figures drawn")
    yield case("a study swept", "sweep experiments/asked.yaml -f float16 --out new.npz")
    yield case("a sweep studied", "study experiments/small.yaml --part all --out new.json")
    yield case("a name that a shell would quote", "sweep experiments/a$b.yaml -f float16 --out new.npz", named_badly)
    yield case("a shard that is not there", "sweep experiments/small.yaml -f float16 --shard 2 --out new.npz")
    yield case("a negative shard", "sweep experiments/small.yaml -f float16 --shard -1 --out new.npz")
    for command, (line, _) in COMMANDS.items():
        yield Spoiled("an option that is not there", command, [command, *line, "--no-such-option", "1"])
        for option in ("--out", "--docs", "--figures", "--html"):
            if option in line or (option, command) == ("--html", "check"):
                for place in ("text.txt/new", "/proc/new"):
                    words = [*_without([command, *line], [option]), option, place]
                    if command not in SLOW:
                        yield Spoiled(f"an unwritable {option}", f"{command} {place}", words)


def option_cases(command: str) -> Iterator[Spoiled]:
    """Give each bad text to each option of a command."""
    for option, line in optioned(command):
        for text in TEXTS:
            if option not in OUTPUTS or command not in (*SLOW, *CHILDREN) or text in ("", "text.txt/x/y", "x" * 300):
                yield Spoiled(f"an option of `{command}`", f"{option} {text[:40]!r}", [*line, text])


def field_cases() -> Iterator[Spoiled]:
    """Give each field of an experiment each bad value."""
    for name, text, schema, command in EXPERIMENTS:
        for key in fields(schema):
            for value in VALUES:
                if (key, str(value)) in LONG or key == "search.budget":
                    continue
                line = [command, *COMMANDS[command][0]]
                yield Spoiled(f"a field of `{name}`", f"{key}: {str(value)[:40]}", line, _field(name, text, key, value))


def _field(name: str, text: str, key: str, value: object) -> Callable[[Path], None]:
    return lambda folder: (
        (folder / "experiments" / f"{name}.yaml").write_text(with_field(text, key, value), errors="surrogateescape"),
        None,
    )[1]


def damaged(rng: random.Random) -> Iterator[Spoiled]:
    """Give files with random damage, for ever."""
    reading = [(c, p) for c, (_, read) in COMMANDS.items() for p in read if c not in SLOW]
    while True:
        command, path = rng.choice(reading)
        how = rng.choice(("a bit flipped", "cut off", "bytes put in", "bytes overwritten"))
        seed = rng.random()
        yield Spoiled("random damage", f"{how}", [command, *COMMANDS[command][0]], _at(path, _damage(how, seed)))


def _damage(how: str, seed: float) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        rng, data = random.Random(seed), bytearray(path.read_bytes())
        at, some = rng.randrange(len(data)), rng.randbytes(rng.randint(1, 64))
        if how == "a bit flipped":
            data[at] ^= 1 << rng.randrange(8)
        elif how == "cut off":
            del data[at:]
        elif how == "bytes put in":
            data[at:at] = some
        else:
            data[at : at + len(some)] = some
        path.write_bytes(bytes(data))

    return spoil


def tried(case: Spoiled, master: Path, place: Path) -> Judged:
    """Run a case in a copy of the world, made at `place` and removed again."""
    shutil.copytree(master, place, symlinks=True)
    try:
        case.spoil(place)
        with contextlib.chdir(place):
            return run(*case.arguments)
    finally:
        os.chdir(ROOT)
        shutil.rmtree(place, ignore_errors=True)
