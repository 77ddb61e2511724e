"""The house: which rooms there are, and that imports go one way through them."""

import ast
import re
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
    """Each module with those that it imports; a package's own namesake, `harness`, is no room: it offers others lazily."""
    found = dict(modules(package))
    return {name: sorted(set(imported(text, found)) - {name}) for name, text in found.items() if name != package.name}


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


GLOSSARY = (ROOT / "docs" / "method.md").read_text(encoding="utf-8").partition("## Words")[2].partition("\n## ")[0]


def one(word):
    """A word in the singular, as far as the words of this project go."""
    for ending, instead in (("ies", "y"), ("ches", "ch"), ("sses", "ss"), ("xes", "x")):
        if word.endswith(ending):
            return word.removesuffix(ending) + instead
    return word if word.endswith(("ss", "is", "as")) else word.removesuffix("s")


def entries(glossary):
    """The words that the glossary explains, each as it stands there."""
    cells = re.findall(r"^\| ([^|]+?) \|", glossary, re.MULTILINE)
    return [word for cell in cells if cell not in ("word", "---") for word in cell.split(", ")]


def plain(glossary):
    """The plain words that names of classes are made of besides."""
    return glossary.partition("plain words: ")[2].partition(".")[0].split(", ")


def public_classes(package):
    for _, text in modules(package):
        yield from (n.name for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name[0] != "_")


def parts(name):
    """A class's name split at its capitals, in the singular."""
    return [one(part.lower()) for part in re.findall("[A-Z][a-z0-9]*", name)]


def unexplained(package, glossary):
    """Words in the names of classes that the glossary neither explains nor takes as plain."""
    known = {one(word) for entry in [*entries(glossary), *plain(glossary)] for word in entry.lower().split()}
    return [f"{part} in {name}" for name in public_classes(package) for part in parts(name) if part not in known]


def unused(package, glossary):
    """Words of the glossary that no source uses, and plain words that no class's name has."""
    text = "\n".join(path.read_text("utf-8") for path in package.rglob("*") if path.suffix in (".py", ".j2")).lower()
    named = {part for name in public_classes(package) for part in parts(name)}
    gone = [word for word in entries(glossary) if not all(one(part) in text for part in word.lower().split())]
    return gone + [word for word in plain(glossary) if one(word) not in named]


def test_every_class_is_named_by_words_of_the_glossary():
    assert unexplained(PACKAGE, GLOSSARY) == [], "explain the word in docs/method.md, under Words"
    assert unused(PACKAGE, GLOSSARY) == [], "the word has gone from the code: leave it out of docs/method.md"


def test_a_planted_word_is_found(toy):
    glossary = (
        "| word | meaning |\n| --- | --- |\n| grid, line search | … |\n| shard | … |\n\nplain words: file, sum.\n"
    )
    (toy / "sweep/grid.py").write_text("class Frobnicator: ...\nclass LineSearches: ...\nclass GridFile: ...\n")
    assert unexplained(toy, glossary) == ["frobnicator in Frobnicator"]
    assert unused(toy, glossary) == ["shard", "sum"]
    (toy / "sweep/grid.py").write_text("class ShardFrobnicators: ...\n")
    assert unexplained(toy, glossary) == ["frobnicator in ShardFrobnicators"]


def test_no_word_is_explained_twice():
    words = entries(GLOSSARY)
    assert len(words) > 80 and len(words) == len(set(words))


DECLARING = {
    "kernel",
    "weighted_kernel",
    "form",
    "claim",
}  # decorators whose arguments are the docstring, see kernels/registry.py


def public(tree):
    """A module and its public classes, functions and methods, each with the name it is known by."""
    yield "the module", tree
    for node in () if isinstance(tree, ast.FunctionDef) else ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield from ((node.name if name == "the module" else f"{node.name}.{name}", n) for name, n in public(node))


def declares(node):
    """Whether a decorator says of a function what a docstring would."""
    calls = [d.func for d in getattr(node, "decorator_list", ()) if isinstance(d, ast.Call)]
    return any(isinstance(f, ast.Name) and f.id in DECLARING for f in calls)


def says_something(name, text):
    """Whether a docstring begins with a sentence that has more in it than the name."""
    first = (text or "").split("\n\n")[0].rstrip()
    begins = re.match("[A-Z`]", first) and first[-1] in ".:?"
    known = {"return", "tell", "whether", "the", "a", "an", "of", *re.findall("[a-z0-9]+", name.lower())}
    return bool(begins and len(first.split()) >= 5 and set(re.findall("[a-z0-9]+", first.lower())) - known)


def undescribed(package):
    return [
        f"{name} of {module}"
        for module, text in modules(package)
        for name, node in public(ast.parse(text))
        if not declares(node) and not says_something(name, ast.get_docstring(node))
    ]


def test_whatever_is_public_is_described_in_a_sentence():
    assert undescribed(PACKAGE) == []
    assert sum(1 for _, text in modules(PACKAGE) for _ in public(ast.parse(text))) > 1000


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("def f(): ...", True),
        ("def f():\n    'Return the f of the f.'", True),
        ("def error(): 'error of computed values against exact ones.'", True),
        ("def error(): 'Return errors of computed values against exact ones'", True),
        ("class F: ...", True),
        ("class F:\n    'Hold the formats of one room.'\n    def f(self): ...", True),
        ("class F:\n    'Hold the formats of one room.'\n    def _f(self): ...", False),
        ("@cache(1)\ndef f(x): ...", True),
        ("@kernel('bce', 'f')\ndef f(x): ...", False),
        ("def error():\n    'Return |computed - exact| in ulp.'", False),
    ],
)
def test_a_planted_lack_of_a_sentence_is_found(toy, planted, found):
    for path in toy.rglob("*.py"):
        path.write_text("'Stand for a room of the house.'\n")
    assert undescribed(toy) == []
    (toy / "sweep/grid.py").write_text(f"'Stand for a room of the house.'\n{planted}\n")
    assert bool(undescribed(toy)) == found
    (toy / "sweep/grid.py").write_text("")
    assert undescribed(toy) == ["the module of harness.sweep.grid"]


PAGES = ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/method.md", "benchmarks/README.md")


def missing(page, text):
    """Paths that a page names and that are not there: links, and what stands in backticks with a slash or a suffix."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    quoted = [word for quote in re.findall(r"`([^`\n]+)`", text) for word in quote.split()]
    named = [word for word in quoted if re.fullmatch(r"[\w./]*/[\w./]*|[\w./]+\.(py|md|yaml|csv|toml|txt|j2)", word)]
    made = (
        "NAME",
        "my_",
        "results/summaries",
        "results/quick",
        "results/report",
        "docs/_build",
        "docs/questions/NAME",
        ".venv/",
    )
    bases = (ROOT, PACKAGE, (ROOT / page).parent)
    return [
        path
        for path in [*(link for link in links if "://" not in link), *named]
        if not any(word in path for word in made) and not any((base / path).exists() for base in bases)
    ]


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert missing(page, text) == []
    planted = text + "\nSee [there](docs/gone.md), `harness/gone/`, `sweep/gone.py` and `python benchmarks/gone.py`.\n"
    assert missing(page, planted) == ["docs/gone.md", "harness/gone/", "sweep/gone.py", "benchmarks/gone.py"]


def test_a_newcomer_finds_the_way_in():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"]({page})" in text for page in PAGES[1:4])
