"""The house: which rooms there are, and that imports go one way through them."""

import ast
import runpy
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "harness"
ARCHITECTURE = runpy.run_path(str(ROOT / "docs" / "architecture.py"))
ROOMS = ARCHITECTURE["ROOMS"]


def modules(package):
    """The package's modules: dotted name and source."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path.read_text(encoding="utf-8")


def imported(source, names):
    """The package's modules that a source imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module in names:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in names else node.module


def arrows(package):
    """Each module with those that it imports; a package's own namesake, `harness`, is no room."""
    found = dict(modules(package))
    return {name: sorted(set(imported(text, found)) - {name}) for name, text in found.items()}


def room(module):
    return module.split(".")[1] if "." in module else ""


def upward(package):
    """Imports that go from a room to one above it."""
    place = {name: i for i, name in enumerate(ROOMS)}
    return [
        f"{a} imports {b}"
        for a, others in arrows(package).items()
        for b in others
        if room(a) in place and room(b) in place and place[room(b)] > place[room(a)]
    ]


def circle(package):
    """The modules of an import circle; empty where there is none."""
    try:
        TopologicalSorter(arrows(package)).prepare()
    except CycleError as e:
        return e.args[1]
    return []


def test_the_rooms_are_those_listed():
    there = {p.name for p in PACKAGE.iterdir() if not p.name.startswith("__pycache__")}
    assert there == {*ROOMS, "__init__.py", "__main__.py"}


def test_imports_go_one_way():
    assert upward(PACKAGE) == []


def test_no_circle():
    assert circle(PACKAGE) == []


def test_the_diagram_is_drawn_from_the_imports():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert ARCHITECTURE["drawn"](page) == page, "run `python docs/architecture.py`"
    planted = page.replace("numbers --> problems", "problems --> numbers")
    assert planted != page and ARCHITECTURE["drawn"](planted) == page


def twice():
    """Classes that are defined under one name in two places."""
    places = {}
    for name, text in modules(PACKAGE):
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(name)
    return {name: where for name, where in places.items() if len(where) > 1}


def test_one_word_for_one_thing():
    assert twice() == {}


@pytest.fixture
def toy(tmp_path):
    """A package with one module in two rooms."""
    for name, text in {"truth/fast.py": "", "sweep/grid.py": "from harness.truth import fast\n"}.items():
        path = tmp_path / "harness" / name
        path.parent.mkdir(parents=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return tmp_path / "harness"


def test_a_planted_import_upwards_is_found(toy):
    assert upward(toy) == []
    (toy / "truth/fast.py").write_text("def late():\n    from harness.sweep.grid import Grid\n")
    assert upward(toy) == ["harness.truth.fast imports harness.sweep.grid"]


def test_a_planted_circle_is_found(toy):
    assert circle(toy) == []
    (toy / "truth/fast.py").write_text("import harness.sweep.grid\n")
    assert {"harness.truth.fast", "harness.sweep.grid"} <= set(circle(toy))
