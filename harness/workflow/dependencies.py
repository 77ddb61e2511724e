"""Which source files a stage depends on, so that an edit reruns what depends on it and nothing else.

Snakemake compares the times of files and does not look into Python modules.  So the modules that a stage imports are
found here by reading the sources, and named as inputs of its rule.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import harness
from harness.problems import antiderivative_of
from harness.workflow.experiments import Experiment

ROOT = Path(harness.__file__).parent
# The package imports every module of kernels; a sweep depends only on those that it runs.  The harness itself names what
# it offers to users, and imports none of it until it is asked for.
ALL_KERNELS = "harness.kernels"
NOT_FOLLOWED = ("harness", ALL_KERNELS)


def sources(modules: Iterable[str], experiment: Experiment | None = None) -> list[str]:
    """Return the files of modules and of all that they import, all the way down, and those of an experiment's kernels.

    Modules are dotted names; those outside the harness do not count.  Paths are relative to the project's top, sorted.
    """
    wanted = list(modules)
    if experiment is not None:
        wanted += [k.function.__module__ for ks in experiment.kernels.values() for k in ks]
        if any(antiderivative_of(p) is not None for p in experiment.problems):  # their kernels are differentiated
            wanted += ["harness.kernels.lookup"]
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in found and _file(name) is not None:
            found.add(name)
            wanted += () if name in NOT_FOLLOWED else imports(name)
    files = [f for f in map(_file, found) if f is not None] + [t for name in found for t in templates(name)]
    return sorted(str(f.relative_to(ROOT.parent)) for f in files)


def kernel_sources() -> list[str]:
    """Return the files of all kernels, for what may use any; paths as `sources` gives them."""
    folder = ROOT.joinpath(*ALL_KERNELS.split(".")[1:])
    return sorted(str(path.relative_to(ROOT.parent)) for path in folder.glob("*.py"))


@cache
def imports(module: str) -> tuple[str, ...]:
    """Return the harness modules that a module imports, wherever in its source."""
    names: list[str] = []
    for node in _statements(ast.parse(_text(module)).body):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    packages = [".".join(n.split(".")[:i]) for n in names for i in range(1, n.count(".") + 1)]
    return tuple(n for n in dict.fromkeys([*packages, *names]) if n.split(".")[0] == "harness" and _file(n) is not None)


def templates(module: str) -> tuple[Path, ...]:
    """Return the templates (*.j2) that a module names in quotes and that stand in its folder."""
    path = _file(module)
    assert path is not None
    named = [path.with_name(name) for name in re.findall(r"""["']([\w.]+\.j2)["']""", _text(module))]
    return tuple(t for t in named if t.is_file())


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield statements and those within them: ten times fewer than all nodes, and each stage of a run asks."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, part, []))


@cache
def _text(module: str) -> str:
    path = _file(module)
    assert path is not None
    return path.read_text(encoding="utf-8")


def _file(module: str) -> Path | None:
    base = ROOT.parent.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
