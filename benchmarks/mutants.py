"""Mutants of the numerical core: every small slip of some kinds, one at a time, and whether the modules' own tests notice.

    PYTHONPATH=. python benchmarks/mutants.py                all modules: under an hour on two cores
    PYTHONPATH=. python benchmarks/mutants.py errors tally   some of them
    PYTHONPATH=. python benchmarks/mutants.py --sample 60    a fixed sample of all: about a minute
    PYTHONPATH=. python benchmarks/mutants.py --write        what is known so far into docs/robustness.md; runs nothing

Cosmic Ray (extra `mutants`) says what the slips are.  No file is changed: a fork of a process that has loaded the harness
and collected the tests takes the slip's code for the function's, and runs the tests that call the function, the quickest
first, until one fails.  Where a slip lies outside functions, a fork that has loaded only the libraries imports all anew.
What came of each is kept in build/mutants, and is not tried again while the module's source is the same and, of a killed
one, the test that killed it, of a survivor all its tests.  Exit status 1 where a survivor has no line in
equivalent_mutants.toml.
"""

from __future__ import annotations

import argparse
import ast
import functools
import gc
import hashlib
import json
import os
import random
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import harness  # noqa: F401  before NumPy, whose loops it chooses
import gmpy2  # noqa: F401
import ml_dtypes  # noqa: F401
import mpmath  # noqa: F401
import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pytest

from generated import put_between, table
from mutation.slips import ROOT, Mutant, mutants_of
from mutation.trials import SECONDS, Children, Loaded, anew, first_failure, with_tests

STORE = ROOT / "build" / "mutants"
KILLED, SURVIVED = "killed", "survived"
SEED = 1

CORE, TRUTH = "tests/test_core.py::", "tests/test_truth.py::"
NUMBERS = (CORE + "TestNumbers", "tests/test_core_numbers.py")
# Of each module its files and the tests that must notice; the quick ones, as others call nearly everything.
MODULES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "errors": (("harness/truth/errors.py",), (CORE + "TestErrors", "tests/test_core_errors.py")),
    "tally": (("harness/sweep/tally.py",), (CORE + "TestTally", CORE + "TestErrors", "tests/test_core_errors.py")),
    "summary": (("harness/sweep/summary.py",), (CORE + "TestTally", CORE + "TestRows", "tests/test_core_errors.py")),
    "formats": (("harness/numbers/formats.py",), NUMBERS),
    "wide": (
        ("harness/numbers/wide.py",),
        ("tests/test_core_wide.py", *(TRUTH + t for t in ("test_113_bits_are_rounded_once", "test_near_zero_the_wide_functions_are_known"))),
    ),
    "certified": (
        ("harness/truth/certified.py",),
        (
            CORE + "TestReference", "tests/test_core_certified.py", TRUTH + "TestUndecided",
            "tests/test_reference.py::test_poles_are_infinite",
        ),
    ),
    "fast": (
        ("harness/truth/fast.py",),
        (CORE + "TestReference", CORE + "TestErrors", "tests/test_core_fast.py", TRUTH + "test_ulps_next_to_a_power_of_two"),
    ),
    "rows": (("harness/tables/rows.py",), (CORE + "TestRows", CORE + "TestWords", "tests/test_core_rows.py")),
    "space": (("harness/search/space.py",), ("tests/test_core_search.py",)),
    "along": (("harness/search/along.py",), ("tests/test_core_along.py",)),
    "interpolation": (("harness/search/interpolation.py",), ("tests/test_core_runs.py",)),
    "noise": (("harness/search/noise.py",), ("tests/test_core_runs.py",)),
    "windows": (("harness/search/windows.py",), ("tests/test_core_climbing.py",)),
    "pairs": (("harness/search/pairs.py",), ("tests/test_core_climbing.py",)),
    "race": (("harness/search/race.py",), ("tests/test_core_joint.py",)),
    "joint": (("harness/search/joint.py",), ("tests/test_core_joint.py",)),
}  # fmt: skip


# -- trying all ------------------------------------------------------------------------------------------------------


class Results:
    """Keep what came of the mutants of one module, in build/mutants."""

    def __init__(self, name: str):
        self.file = STORE / f"{name}.json"
        self.known: dict[str, str] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def note(self, mutant: Mutant, said: str) -> None:
        """Note one: "" of a survivor with the digest of its tests, else what killed it."""
        self.known[mutant.key] = said
        STORE.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self.known, indent=0, sort_keys=True))

    def of(self, mutant: Mutant, tests: Sequence[str], now: bool = True) -> str:
        """Return what is known of a mutant: KILLED, SURVIVED, or "" where it must be tried.

        Unless it is asked what holds `now`, one that survived earlier tests counts as a survivor until it is tried again.
        """
        said = self.known.get(mutant.key, "")
        if said.startswith(SURVIVED):
            return SURVIVED if not now or said == f"{SURVIVED} {digest_of_tests(tests)}" else ""
        if not said or said.startswith("stopped"):
            return KILLED if said else ""
        node, _, digest = said.rpartition(" ")
        return KILLED if digest in tests_there(node.partition("::")[0]).get(node.partition("[")[0], ()) else ""


@functools.cache
def digest_of_tests(tests: Sequence[str]) -> str:
    """Return a digest of the files that tests are in."""
    files = sorted({t.partition("::")[0] for t in tests})
    texts = [(ROOT / f).read_bytes() for f in files if (ROOT / f).exists()]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:8]


@functools.cache
def tests_there(path: str) -> dict[str, set[str]]:
    """Return the digests of the sources of a file's tests, by the name that pytest gives them."""
    found: dict[str, set[str]] = {}
    file = ROOT / path
    if not file.exists():
        return found
    text = file.read_text(encoding="utf-8")
    lines, tree = text.splitlines(keepends=True), ast.parse(text)
    for node, prefix in [(n, "") for n in tree.body] + [
        (n, f"{c.name}::") for c in tree.body if isinstance(c, ast.ClassDef) for n in c.body
    ]:
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            source = "".join(lines[first - 1 : node.end_lineno])
            found.setdefault(f"{path}::{prefix}{node.name}", set()).add(hashlib.sha256(source.encode()).hexdigest()[:8])
    return found


def try_all(name: str, mutants: list[Mutant], processes: int) -> None:
    """Try the mutants of one module that nothing is known of, and note what came of each."""
    paths, tests = MODULES[name]
    results = Results(name)
    left = [m for m in mutants if not results.of(m, tests)]

    def done(mutant: Mutant, said: str) -> None:
        results.note(mutant, said or f"{SURVIVED} {digest_of_tests(tests)}")
        print(f"{name} | {mutant.function or 'outside'} | {mutant.planted} | {said or SURVIVED}", flush=True)

    children = Children(processes, done)
    for mutant in (m for m in left if not (m.function or m.constants)):
        children.start(mutant, functools.partial(anew, mutant, tests), SECONDS)
    children.finish()
    inside = [m for m in left if m.function or m.constants]
    if inside and not (master := os.fork()):  # a process of its own, as this one must stay without the harness
        status = 1
        try:
            with_tests(tests, lambda items: (try_inside(paths, items, inside, Children(processes, done)),))
            status = 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    if inside and os.waitpid(master, 0)[1]:
        raise SystemExit(f"{name}: the tests fail without any mutant, or were not collected")


def try_inside(paths: Sequence[str], items: list[pytest.Item], mutants: list[Mutant], children: Children) -> None:
    """Try mutants of functions in forks of this process, each with the tests that call the function."""
    loaded, by_name = Loaded(paths), {item.nodeid: item for item in items}
    said: list[str] = []
    watch = Children(1, lambda _, text: said.append(text))
    watch.start(None, lambda: json.dumps({i.nodeid: loaded.called(i) for i in items}), 3600)
    watch.finish()
    called: dict[str, tuple[float, list[str]]] = json.loads(said[0])
    gc.freeze()
    for mutant in mutants:
        wanted = f"{mutant.path} {mutant.function}"
        callers = [n for n, (_, functions) in called.items() if mutant.constants or wanted in functions]
        callers.sort(key=lambda n: called[n][0])
        seconds = 10 + 3 * sum(called[n][0] for n in callers)
        children.start(mutant, functools.partial(tried, loaded, mutant, [by_name[n] for n in callers]), seconds)
    children.finish()


def tried(loaded: Loaded, mutant: Mutant, items: list[pytest.Item]) -> str:
    """Take a mutant's code and run tests; return which failed."""
    loaded.take(mutant)
    return first_failure(items)


# -- telling ---------------------------------------------------------------------------------------------------------


def explained() -> dict[tuple[str, str], str]:
    """Return why mutants are equivalent, by function and by what is planted, from equivalent_mutants.toml."""
    text = Path(__file__).with_name("equivalent_mutants.toml").read_text(encoding="utf-8")
    return {
        (entry["function"], " ".join(line.split())): entry["why"]
        for entry in tomllib.loads(text)["equivalent"]
        for line in entry["lines"]
    }


def named(mutant: Mutant) -> str:
    """Return a mutant's function as `errors.measure`."""
    return f"{Path(mutant.path).stem}.{mutant.function}" if mutant.function else Path(mutant.path).stem


def told() -> str:
    """Return the tables: of each module the counts, or `not run`; then every survivor, and why it is one."""
    rows, survivors, why = [], [], explained()
    for name, (paths, tests) in MODULES.items():
        results, files = Results(name), ", ".join(f"`{path}`" for path in paths)
        mutants = all_mutants(name) if results.known else []
        outcomes = [results.of(m, tests, now=False) for m in mutants]
        if not outcomes or not all(outcomes):
            rows.append((name, files, *["not run"] * 5))
            continue
        alive = [m for m, outcome in zip(mutants, outcomes) if outcome == SURVIVED]
        equivalent = sum((named(m), m.planted) in why for m in alive)
        killed = len(mutants) - len(alive)
        share = f"{100 * killed / len(mutants):.1f} %"
        rows.append((name, files, str(len(mutants)), str(killed), share, str(equivalent), str(len(alive) - equivalent)))
        survivors += [
            (f"`{named(m)}`", f"`{m.there}`", f"`{m.planted}`", why.get((named(m), m.planted), "not explained"))
            for m in alive
        ]
    headings = ("module", "files", "mutants", "killed", "share", "survivors explained", "not explained")
    return table(headings, rows) + "\n" + table(("function", "there", "planted", "why no test can tell"), survivors)


def all_mutants(name: str) -> list[Mutant]:
    """Return the mutants of a module's files."""
    return [m for path in MODULES[name][0] for m in mutants_of(path)]


def main() -> int:
    """Try the mutants, print what came of each, and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *MODULES], help="of modules; all by default")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many of each module, always the same ones")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write what is known into docs/robustness.md; run nothing")
    asked = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    if asked.write:
        put_between(ROOT / "docs" / "robustness.md", "benchmarks/mutants.py", told())
        return 0
    why, alive = explained(), []
    for name in [n for n in MODULES if n in (asked.names or MODULES)]:
        chosen = all_mutants(name)
        if asked.sample is not None:
            chosen = random.Random(SEED).sample(chosen, min(asked.sample, len(chosen)))
        try_all(name, chosen, asked.processes)
        results = Results(name)
        survived = [m for m in chosen if results.of(m, MODULES[name][1]) != KILLED]
        print(f"{name}: {len(chosen) - len(survived)} of {len(chosen)} killed", flush=True)
        alive += [m for m in survived if (named(m), m.planted) not in why]
    for m in alive:
        print(f"not explained: {named(m)}: {m.planted}")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
