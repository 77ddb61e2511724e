"""The documentation: every code block of its pages runs, or is marked with a reason and listed here; the site builds."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from contextlib import redirect_stdout
from pathlib import Path
from unittest import SkipTest

import pytest
import yaml
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from harness.cli.main import main
from harness.kernels import registry
from harness.problems import PROBLEMS
from harness.studies import study
from harness.tables.meanings import MEANINGS
from harness.workflow import experiments

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [p for p in PAGES if "_build" not in p.parts]
# The lines of these need the libraries that they are about; tests/test_adding_libraries.py runs such a line.
LIBRARIES = ("docs/findings.md",)
# What does not run here: page, first words.  The reason stands beside each block, in the page.
UNRUN = [
    ("README.md", "make          # installs"),
    ("README.md", ".venv/bin/harness verify results/"),
    ("README.md", ".venv/bin/harness diff results other/results"),
    ("CONTRIBUTING.md", "make          # the main job"),
    ("docs/fix.md", "harness fix my_loss.py:loss"),
    ("docs/howto/cluster.md", ".venv/bin/pip install -c constraints.txt -e '.[slurm]'"),
    ("docs/howto/figure.md", "snakemake logits"),
    ("docs/own_loss.md", "import harness\n\n\ndef loss(input, target):"),
    *(
        (f"docs/questions/{name}.md", f"snakemake {name}")
        for name in sorted(experiments.files(ROOT / "experiments")[1])
    ),
    ("docs/tutorial/first_table.md", "make quick"),
]
NOT_CODE = ("mermaid", "text")
# Files that pages speak of and that a reader has: losses, right but for their rounding, and one that overflows.
MY_LOSS = """
import numpy as np


def loss(x, y):
    return np.log1p(np.exp(x)) - x * y
"""
LOSSES = """
import numpy as np


def loss(x, y):  # that of class 1 three times
    tail = np.log1p(np.exp(-np.abs(x)))
    return 3 * y * (np.maximum(-x, 0) + tail) + (1 - y) * (np.maximum(x, 0) + tail)


def softplus(x):
    t = x.dtype.type(0.5)
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x) * t)) / t


class FocalLoss:
    def __call__(self, x, y):
        a, g = x.dtype.type(0.25), x.dtype.type(1.5)
        p = 1 / (1 + np.exp(-x))
        return -a * y * (1 - p) ** g * np.log(p) - (1 - a) * (1 - y) * p**g * np.log(1 - p)


def cross_entropy(logits, labels):
    shifted = logits - logits.max(1, keepdims=True)
    return np.log(np.exp(shifted).sum(1)) - np.take_along_axis(shifted, labels[:, None], 1)[:, 0]


def soft_loss(logits, labels):
    shifted = logits - logits.max(1, keepdims=True)
    return np.log(np.exp(shifted).sum(1)) * labels.sum(1) - (shifted * labels).sum(1)
"""


# -- how a block runs ---------------------------------------------------------------------------------


def python(example: Example) -> None:
    """Run a block of Python; one that begins with a file's name is that file."""
    if named := re.match(r"# (\w+\.py)\b", example.parsed):
        Path(named[1]).write_text(example.parsed, encoding="utf-8")
    else:
        PythonEvaluator()(example)


def command(line: str) -> tuple[int, str]:
    """Run a line of a shell that calls the harness or pytest; return the exit status, and the standard output."""
    words = shlex.split(line, comments=True)
    if words[0].endswith("harness"):
        with redirect_stdout(io.StringIO()) as out:
            return main(words[1:]), out.getvalue()
    assert words[0] == "pytest", f"no way to run {line!r}: mark it with its reason"
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def shell(example: Example) -> None:
    """Run each line; its exit status is 0, or the one that a comment behind it says."""
    for line in filter(str.strip, example.parsed.splitlines()):
        said = re.search(r"# exit status (\d)", line)
        status, out = command(line)
        assert status == int(said[1] if said else 0), f"{line}: exit status {status}\n{out}"


def console(example: Example) -> None:
    """Run what stands behind each $, and compare what it prints."""
    for line, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n?)*)", example.parsed, re.MULTILINE):
        out = command(line)[1]
        assert [s.rstrip() for s in out.rstrip().splitlines()] == shown.rstrip().splitlines(), line


def data(example: Example) -> None:
    """Read a block of YAML, as an experiment or a study where it is one."""
    held = yaml.safe_load(example.parsed)
    if "question" not in held:
        return
    folder = Path("read")
    folder.mkdir(exist_ok=True)
    for schema in ("schema.yaml", "study_schema.yaml"):
        (folder / schema).write_bytes((ROOT / "experiments" / schema).read_bytes())
    (folder / "read.yaml").write_text(example.parsed, encoding="utf-8")
    (study.load if held.get("study") else experiments.load)(folder / "read.yaml")


RUN = {
    "python": python,
    "sh": shell,
    "console": console,
    "yaml": data,
    "toml": lambda example: bool(tomllib.loads(example.parsed)) and None,
}
SYBIL = Sybil([*(CodeBlockParser(language, evaluator) for language, evaluator in RUN.items()), SkipParser()])


def run_page(path: Path) -> list[Example]:
    """Run a page's blocks in order, in the folder that the process is in; return those that a mark keeps from running."""
    document = SYBIL.parse(path)
    document.namespace["installed"] = lambda name: importlib.util.find_spec(name) is not None
    kept = []
    for example in document.examples():
        try:
            example.evaluate()
        except SkipTest:
            kept.append(example)
    return kept


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what a reader has; the registers of problems and kernels are afterwards as they were."""
    (tmp_path / "losses.py").write_text(LOSSES, encoding="utf-8")
    (tmp_path / "my_loss.py").write_text(MY_LOSS, encoding="utf-8")
    for name in ("results", "experiments"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    for folder in (EXAMPLES, tmp_path):
        monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    before = dict(PROBLEMS), dict(registry._KERNELS), set(sys.modules)
    yield tmp_path
    for now, then in zip((PROBLEMS, registry._KERNELS), before):
        now.clear()
        now.update(then)
    for name in [
        n for n in sys.modules if n not in before[2] and any((f / f"{n}.py").exists() for f in (EXAMPLES, tmp_path))
    ]:
        del sys.modules[name]


# -- the pages ----------------------------------------------------------------------------------------

RUNNING = [p for p in PAGES if p.relative_to(ROOT).as_posix() not in LIBRARIES]


@pytest.mark.parametrize("path", RUNNING, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_block_of_a_page_runs(path, place):
    run_page(path)


def marked(path: Path) -> list[tuple[str, str]]:
    """The blocks of a page that a mark keeps from running, with their reasons."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(
        r'^<!-- skip: next (?:if\(.*?reason=)?"(.+?)"\)? -->\n\n```\w+\n(.*?)^```', text, re.MULTILINE | re.DOTALL
    )
    assert len(found) == len(re.findall(r"^<!-- skip", text, re.MULTILINE)), (
        f"{path}: a mark without its reason or its block"
    )
    return found


def test_what_does_not_run_is_listed_with_its_reason():
    found = [(p.relative_to(ROOT).as_posix(), block) for p in PAGES for _, block in marked(p)]
    unlisted = [f"{p}: {b}" for p, b in found if not any(p == page and b.startswith(first) for page, first in UNRUN)]
    assert unlisted == [] and len(found) == len(UNRUN)


def test_every_block_says_its_language():
    for path in PAGES:
        text, opening = path.read_text(encoding="utf-8"), True
        for line in re.findall(r"^ *(?:```|~~~)(.*)$", text, re.MULTILINE):
            if opening:
                assert line in (*RUN, *NOT_CODE) or line.startswith("{"), f"{path}: ```{line}"
            opening = not opening
        assert opening, path


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("```python\nassert 1 + 1 == 3\n```\n", "AssertionError"),
        ("```sh\nharness reference bce_logits --logit 300 --target 1 --digit 30\n```\n", "exit status 2"),
        ("```sh\nharness list grids  # exit status 1\n```\n", "exit status 0"),
        ("```console\n$ harness reference bce_logits --logit 300 --target 1 --digits 3\n5.15e-132\n```\n", "5.15e-132"),
        ("```yaml\nquestion: Why?\nproblems: [bce]\nformats: [float16]\ngird: quick\n```\n", "gird"),
        ("```toml\na = [\n```\n", "Invalid value"),
        ("```sh\nmake quick\n```\n", "no way to run"),
    ],
)
def test_a_planted_block_that_is_wrong_is_found(block, said, place, capsys):
    (place / "page.md").write_text(f"# Page\n\n{block}", encoding="utf-8")
    with pytest.raises(Exception) as e:
        run_page(place / "page.md")
    assert said in f"{e.type.__name__} {e.value} {capsys.readouterr().err}"


# -- how pages read -----------------------------------------------------------------------------------

MOST_WORDS = 30
# Pages of questions have a test of their own (tests/test_studies.py); those of libraries and of published losses quote
# what was measured in their tables, and the list of plain words is a list.
QUOTED = ("docs/systems.md", "docs/findings.md", "docs/published.md")
WRITTEN = [p for p in PAGES if p.parent.name != "questions" and p.relative_to(ROOT).as_posix() not in QUOTED]


def long_sentences(text: str) -> list[str]:
    """The sentences, list items and cells of a page that have more words than a breath; code and links count as one."""
    text = re.sub(r"^(```|~~~)[^`]*?^\1[^\n]*$|<!--.*?-->|\{.*?\}", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`]*`", "code", re.sub(r"\]\([^)]*\)", "]", text))
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.)\s?)| \| ", text)
    sentences = [s.strip() for part in parts for s in re.split(r"(?<=[.!?:])\s+", part.replace("\n", " "))]
    return [
        s for s in sentences if len(re.findall(r"\S*\w\S*", s)) > MOST_WORDS and not s.startswith("arithmetic, at,")
    ]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_sentence_of_a_page_is_longer_than_a_breath(path):
    assert long_sentences(path.read_text(encoding="utf-8")) == []


def test_a_planted_long_sentence_is_found():
    words = "word " * 31
    for text in (f"A. {words}. B.", f"- A.\n- {words}", f"| a | {words} |", f"1. A:\n   {words}"):
        assert len(long_sentences(text)) == 1, text
    assert long_sentences(f"```sh\n{words}\n```\n\nA {'word ' * 15}. B {'word ' * 15}. `{words}`") == []


# -- the reference ------------------------------------------------------------------------------------

REFERENCE = runpy.run_path(str(ROOT / "docs" / "reference.py"))


def test_every_column_has_its_meaning_and_every_meaning_its_column():
    named = {column for columns in REFERENCE["TABLES"].values() for column in columns}
    assert named == set(MEANINGS)


def test_every_key_of_a_schema_is_told():
    told = REFERENCE["keys"](ROOT / "experiments" / "schema.yaml")
    assert "| `question` | text | required |" in told and "| `search.budget` | integer ≥ 4096 | `1048576` |" in told


def test_the_page_of_commands_has_all():
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert ".. click:: harness.cli.main:cli" in page and ":nested: full" in page
