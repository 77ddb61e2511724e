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
import inspect
import json
import os
import pickle
import random
import resource
import sys
import tempfile
import textwrap
import time
import tomllib
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness  # noqa: F401  before NumPy, whose loops it chooses
import gmpy2  # noqa: F401
import ml_dtypes  # noqa: F401
import mpmath  # noqa: F401
import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import parso
import pytest
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator

from generated import put_between, table
from planted import Planter

ROOT = Path(__file__).parent.parent
STORE = ROOT / "build" / "mutants"
KILLED, SURVIVED = "killed", "survived"
SEED = 1
SECONDS, BYTES = 60, 4 << 30  # of a processor and of memory, for the tests of one mutant; what takes more is killed

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
        (CORE + "TestReference", TRUTH + "TestUndecided", "tests/test_reference.py::test_poles_are_infinite"),
    ),
    "fast": (
        ("harness/truth/fast.py",),
        (CORE + "TestReference", CORE + "TestErrors", TRUTH + "test_ulps_next_to_a_power_of_two"),
    ),
    "rows": (("harness/tables/rows.py",), (CORE + "TestRows", CORE + "TestWords")),
    "search": (
        tuple(f"harness/search/{n}.py" for n in ("space", "along", "interpolation", "noise", "windows", "pairs", "joint")),
        tuple("tests/test_search.py::" + t for t in (
            "test_a_narrow_spike_is_found_at_its_tip", "test_a_saturation_point_is_halved_to_by_the_kind_of_result",
            "test_a_run_that_is_no_polynomial_is_left_out", "test_interpolated_errors_hold_where_results_are_subnormal",
            "test_noise_is_looked_for_where_it_is_largest_not_where_a_sample_happened_to_be",
            "test_the_end_of_a_tail_decides_and_not_a_group_of_large_errors",
            "test_boxes_are_divided_along_the_target_before_runs_become_short",
            "test_windows_are_climbed_to_what_random_inputs_do_not_reach", "test_scattered_errors_cannot_be_climbed",
            "test_parts_of_bad_pairs_make_worse_ones", "test_no_input_has_all_of_the_pairs_kept",
        )),
    ),
}  # fmt: skip

BINARY, COMPARED = "core/ReplaceBinaryOperator_", "core/ReplaceComparisonOperator_"
OPERATORS = (
    "core/NumberReplacer", "core/AddNot", "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd", "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue", "core/ReplaceBreakWithContinue", "core/ReplaceContinueWithBreak",
    "core/ReplaceUnaryOperator_Delete_Not", "core/ReplaceUnaryOperator_Delete_USub",
    "core/ReplaceUnaryOperator_Delete_Invert", "core/ZeroIterationForLoop", "core/ExceptionReplacer",
    *(BINARY + o for o in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "LShift_RShift",
                           "RShift_LShift", "BitAnd_BitOr", "BitOr_BitAnd", "BitXor_BitAnd", "Pow_Mul")),
    *(COMPARED + o for o in ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_GtE", "LtE_Gt", "Gt_LtE",
                             "GtE_Lt", "Is_IsNot", "IsNot_Is")),
)  # fmt: skip
SWAPPED = {"any": "all", "max": "min", "maximum": "minimum", "argmax": "argmin", "floor": "ceil", "lower": "upper"}
SWAPPED |= {new: old for old, new in SWAPPED.items()}


class SwapName(Operator):
    """Put a function's opposite in its place: Cosmic Ray has no such operator, and arrays have many such functions."""

    def mutation_positions(self, node: Any) -> Iterator[tuple]:
        """Yield where a name stands that has an opposite."""
        if node.type == "name" and node.value in SWAPPED:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return the name's opposite."""
        node.value = SWAPPED[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple:
        """Return none: they serve Cosmic Ray's own tests."""
        return ()


@dataclass(frozen=True)
class Mutant:
    """Hold one slip: the module's file, the outermost function that it is in ("" outside of any), and the sources.

    `constants` are what it assigns where it is outside and nothing else outside of functions reads them.
    """

    path: str
    function: str
    there: str
    planted: str
    source: str
    constants: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return what tells it from all others."""
        return hashlib.sha256(f"{self.path}\0{self.source}".encode()).hexdigest()[:16]

    @property
    def module(self) -> str:
        """Return the module's name, as `Planter` asks for it."""
        return self.path.removesuffix(".py").replace("/", ".")


class Source:
    """Be what `Planter` takes for a fault: a module's other source."""

    def __init__(self, mutant: Mutant):
        self.module, self.path, self._text = mutant.module, ROOT / mutant.path, mutant.source

    def source(self) -> str:
        """Return the mutant's source."""
        return self._text


def mutants_of(path: str) -> list[Mutant]:
    """Return all mutants of a module's file, each once, in the order of its lines; none that is the same program."""
    text = (ROOT / path).read_text(encoding="utf-8")
    tree, lines, found = ast.parse(text), text.splitlines(keepends=True), []
    functions, constants = spans(tree), constants_of(path, tree)
    for first, last, margin in statements(tree):
        before, here, after = lines[: first - 1], lines[first - 1 : last], lines[last:]
        for changed in changes(textwrap.dedent("".join(here))):
            new = textwrap.indent(changed, margin)
            line, there, planted = difference(here, new.splitlines(keepends=True))
            line += first - 1
            names = next((names for start, end, names in constants if start <= line <= end), ())
            source = "".join([*before, new, *after])
            found.append((line, Mutant(path, within(functions, line), there, planted, source, names)))
    return [mutant for _, mutant in sorted(found, key=lambda pair: pair[0])]


def statements(tree: ast.Module) -> Iterator[tuple[int, int, str]]:
    """Yield first and last line, and the margin, of each statement of a module, and of its classes instead of these.

    So what stands before a class, as that it is frozen, is left alone.
    """
    for node in tree.body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            first = min([inner.lineno, *(d.lineno for d in getattr(inner, "decorator_list", []))])
            yield first, inner.end_lineno or 0, " " * inner.col_offset


def changes(block: str) -> Iterator[str]:
    """Yield each other program that the operators make of a statement."""
    tree, seen = parso.parse(block), {program(block)}
    nodes, stored = list(ast_nodes(tree)), pickle.dumps(tree)
    for name in (*OPERATORS, ""):
        operator = get_operator(name)() if name else SwapName()
        for occurrence in range(sum(len(list(operator.mutation_positions(n))) for n in nodes)):
            changed = MutationVisitor(occurrence, operator).walk(pickle.loads(stored)).get_code()
            what = program(changed)
            if what not in seen:
                seen.add(what)
                yield changed


def program(text: str) -> str:
    """Return what a source does: its tree without annotations, which nothing evaluates here."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def spans(tree: ast.Module) -> list[tuple[int, int, str]]:
    """Return first and last line of the body of each outermost function, and its qualified name."""
    found = []
    for node, prefix in [(n, "") for n in tree.body] + [
        (n, f"{c.name}.") for c in tree.body if isinstance(c, ast.ClassDef) for n in c.body
    ]:
        if isinstance(node, ast.FunctionDef):
            found.append((node.body[0].lineno, node.end_lineno or 0, prefix + node.name))
    return found


def constants_of(path: str, tree: ast.Module) -> list[tuple[int, int, tuple[str, ...]]]:
    """Return first and last line, and the names, of each assignment of names that nothing reads at import."""
    module, found = path.removesuffix(".py").replace("/", "."), []
    importers = [t for t in map(parsed, ROOT.glob("harness/**/*.py")) if module in t[0]]
    for node in tree.body:
        if names := assigned(node):
            here = {n for other in tree.body if other is not node for n in read_at_import(other)}
            there = {n for text, other in importers for n in read_at_import(other)}
            if not (here | there) & set(names):
                found.append((node.lineno, node.end_lineno or 0, names))
    return found


def assigned(node: ast.stmt) -> tuple[str, ...]:
    """Return the names that a statement assigns; none where it does anything else."""
    if not isinstance(node, ast.Assign) or len(node.targets) > 1:
        return ()
    return tuple(n.id for n in ast.walk(node.targets[0]) if isinstance(n, ast.Name))


@functools.cache
def parsed(path: Path) -> tuple[str, ast.Module]:
    """Return a file's text and its tree."""
    text = path.read_text(encoding="utf-8")
    return text, ast.parse(text)


def read_at_import(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement reads when its module is imported: not those in the bodies of functions."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    inner = [*node.decorator_list, node.args] if isinstance(node, ast.FunctionDef) else ast.iter_child_nodes(node)
    for child in () if isinstance(node, ast.Lambda) else inner:
        yield from read_at_import(child)


def within(functions: list[tuple[int, int, str]], line: int) -> str:
    """Return which function's body a line is in; "" where in none."""
    return next((name for first, last, name in functions if first <= line <= last), "")


def difference(old: list[str], new: list[str]) -> tuple[int, str, str]:
    """Return the first line that differs, counted from 1, and what stands there and is planted, on one line each."""
    first = next(i for i, (a, b) in enumerate(zip(old, new)) if a != b)
    most = min(len(old), len(new)) - first
    last = next((i for i, (a, b) in enumerate(zip(reversed(old), reversed(new))) if i == most or a != b), most)
    there, planted = (" ".join("".join(lines[first : len(lines) - last]).split()) for lines in (old, new))
    return first + 1, there, planted


# -- trying one ------------------------------------------------------------------------------------------------------


class Children:
    """Run functions in forks of this process, so many at once; each returns a text of what it found."""

    def __init__(self, most: int, done: Callable[[Any, str], None]):
        self.most, self.done = most, done
        self.running: dict[int, tuple[Any, Any]] = {}

    def start(self, what: Any, run: Callable[[], str], seconds: float) -> None:
        """Start one once there is room: `done` gets `what` and its text, or what ended it."""
        while len(self.running) >= self.most:
            self.wait()
        said = tempfile.TemporaryFile()  # noqa: SIM115  closed once its child has ended
        pid = os.fork()
        if not pid:
            try:
                gc.disable()  # a collection would touch, and so copy, every page that is shared with the parent
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 1), os.dup2(null, 2)
                resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
                used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, used + BYTES))
                said.write(run().encode())
            except BaseException as e:  # of pytest's own, or of an import: the tests do not run
                said.write(f"stopped: {type(e).__name__}".encode())
            said.flush()
            os._exit(0)
        self.running[pid] = what, said

    def wait(self) -> None:
        """Wait for one to end."""
        pid, status = os.wait()
        what, said = self.running.pop(pid)
        said.seek(0)
        code = os.waitstatus_to_exitcode(status)
        self.done(what, said.read().decode() if not code else f"stopped: signal {-code}")
        said.close()

    def finish(self) -> None:
        """Wait for all."""
        while self.running:
            self.wait()


def first_failure(items: Sequence[pytest.Item]) -> str:
    """Run tests until one fails; return its name and the digest of its source, or nothing."""
    from _pytest.runner import runtestprotocol

    for item, following in zip(items, [*items[1:], None]):
        if any(r.failed for r in runtestprotocol(item, log=False, nextitem=following)):
            return f"{item.nodeid} {digest_of_test(item)}"
    return ""


def digest_of_test(item: pytest.Item) -> str:
    """Return a digest of a test function's source."""
    return hashlib.sha256(inspect.getsource(item.function).encode()).hexdigest()[:8]


class Loop:
    """Be the pytest plugin that does something else with the collected tests than run them."""

    def __init__(self, take: Callable[[list[pytest.Item]], Any]):
        self.take, self.found = take, None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Hand the tests over."""
        if session.testsfailed:
            raise session.Interrupted("tests cannot be collected")
        self.found = self.take(session.items)
        return True


def with_tests(tests: Sequence[str], take: Callable[[list[pytest.Item]], Any]) -> Any:
    """Collect tests and return what `take` makes of them.

    Plain assertions: pytest's own hook, which rewrites them, would load a module before `Planter` could.
    """
    from hypothesis import settings

    settings.register_profile("mutants", derandomize=True, database=None, deadline=None)
    settings.load_profile("mutants")
    loop, there = Loop(take), [t for t in tests if (ROOT / t.partition("::")[0]).exists()]
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain"]
    if (status := pytest.main([*options, *there], plugins=[loop])) or loop.found is None:
        raise RuntimeError(f"the tests were not collected: {status}")
    return loop.found


def anew(mutant: Mutant, tests: Sequence[str]) -> str:
    """Import everything with a mutant's module, and run all the tests."""
    sys.meta_path.insert(0, Planter(Source(mutant)))  # type: ignore[arg-type]
    return with_tests(tests, lambda items: (first_failure(items),))[0]


class Loaded:
    """Know what a process has loaded of some files: their functions, and what keeps results of them."""

    def __init__(self, paths: Sequence[str]):
        self.files = {str(ROOT / p): p for p in paths}
        self.functions: dict[tuple[str, str], list[types.FunctionType]] = {}
        self.caches, self.kept = [], []
        names = {p.removesuffix(".py").replace("/", ".") for p in paths}
        for o in gc.get_objects():
            if isinstance(o, types.FunctionType) and o.__code__.co_filename in self.files:
                key = self.files[o.__code__.co_filename], o.__code__.co_qualname
                self.functions.setdefault(key, []).append(o)
            elif isinstance(o, functools._lru_cache_wrapper) and o.__module__.startswith("harness."):
                self.caches.append(o)
            elif type(o).__module__ in names and hasattr(o, "__dict__"):
                kept = [n for n, v in vars(type(o)).items() if isinstance(v, functools.cached_property)]
                self.kept.append((o, kept))

    def take(self, mutant: Mutant) -> None:
        """Put a mutant's code in a function's place, and forget what the function has returned."""
        file = str(ROOT / mutant.path)
        if mutant.constants:
            self.assign(mutant)
            return
        codes = [c for c in nested(compile(mutant.source, file, "exec")) if c.co_qualname == mutant.function]
        functions = self.functions[mutant.path, mutant.function]
        if len(codes) != 1:
            raise RuntimeError(f"{mutant.function} is there {len(codes)} times")
        for f in functions:
            f.__code__ = codes[0]
        for cache in self.caches:
            cache.cache_clear()
        for o, names in self.kept:
            for name in names:
                o.__dict__.pop(name, None)

    def assign(self, mutant: Mutant) -> None:
        """Put a mutant's constants in the place of those that the module has, and all that have them from it."""
        module = sys.modules[mutant.module]
        statement = next(n for n in ast.parse(mutant.source).body if assigned(n) == mutant.constants)
        new = dict(vars(module))
        exec(compile(ast.Module([statement], []), mutant.path, "exec"), new)
        for name in mutant.constants:
            old = vars(module)[name]
            for other in [m for m in list(sys.modules.values()) if getattr(m, "__dict__", {}).get(name) is old]:
                setattr(other, name, new[name])

    def called(self, item: pytest.Item) -> tuple[float, list[str]]:
        """Run a test; return the seconds that it took and which functions of the files it called."""
        found: set[str] = set()

        def note(frame: types.FrameType, event: str, _: object) -> None:
            code = frame.f_code
            if event == "call" and code.co_filename in self.files:
                found.add(f"{self.files[code.co_filename]} {code.co_qualname.partition('.<locals>')[0]}")

        began = time.process_time()
        sys.setprofile(note)
        try:
            failed = first_failure([item])
        finally:
            sys.setprofile(None)
        if failed:
            raise RuntimeError(f"a test fails without any mutant: {failed}")
        return time.process_time() - began, sorted(found)


def nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield all code objects within one, itself left out."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from nested(constant)


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
