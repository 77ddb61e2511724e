"""How a slip is tried: in a fork of a process that has loaded everything, by the tests that call what it is in."""

from __future__ import annotations

import ast
import functools
import gc
import hashlib
import inspect
import os
import resource
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mutation.slips import ROOT, Mutant, Source, assigned
from planted import Planter

SECONDS, BYTES = 60, 4 << 30  # of a processor and of memory, for the tests of one mutant; what takes more is killed


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
