"""What a study is: an experiment file, and a folder of code that answers its question.

The file (experiments/NAME.yaml) holds the question, the method in words, the parameters, the parts that run
as jobs of their own, and a caption for each table and figure.  The folder (harness/studies/NAME/) holds

    measure.py     run(parameters, part) -> tables: the rows that one part finds; and, where the parts are not
                   simply joined, combine(parameters, parts) -> tables
    tables.py      VIEWS: what is shown of each table; facts(frames, known): what the answer is told, by name
    figures.py     DRAW: for each figure's stem a function that draws it from the tables
    answer.md.j2   the answer: a recommendation, at most three short sentences, and details; every number a fact

Facts and figures are taken from the finished tables, as their CSV files hold them.  What an answer says of a kernel's
largest error it takes from `known`, the strongest that these and all tables beside them know (tables/strongest.py): a
study's own tables are of samples, which sweeps over every input and searches surpass.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness import UsageError
from harness.tables import contract, templates, views
from harness.tables.identity import with_id
from harness.tables.rows import CONTRACT, Row
from harness.tables.strongest import Known
from harness.tables.views import View
from harness.workflow.dependencies import kernel_sources, sources
from harness.workflow.experiments import named, read, schema_beside
from harness.workflow.files import sha256_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Parameters = Mapping[str, Any]
Tables = dict[str, list[Row]]  # name of a table: its rows, cells as the CSV shows them
Frames = dict[str, pd.DataFrame]  # name of a table: what its CSV holds, every cell as text
ROOM = "harness.studies"
# What each module of a study's folder must hold, as a user is told.
HELD = {
    "measure": ["run(parameters, part)"],
    "tables": ["VIEWS", "facts(frames, known)"],
    "figures": ["DRAW"],
}


@dataclass(frozen=True)
class Question:
    """Hold a study's experiment file: what is asked, how, in which parts, and what is made of it."""

    name: str
    question: str
    method: str
    parameters: dict[str, Any]
    parts: list[str]
    tables: dict[str, str]  # name: caption
    figures: dict[str, str]  # stem: caption

    @property
    def digest(self) -> str:
        """Return the SHA-256, 64 hex digits, of what is measured: parts and parameters; what is said of it does not count."""
        return sha256_of(json.dumps([self.parts, self.parameters], sort_keys=True))

    @property
    def measuring(self) -> list[str]:
        """Return the files of the code that the parts run, see workflow/dependencies.py."""
        return sorted({*sources([__name__, f"{ROOM}.{self.name}.measure"]), *kernel_sources()})


def joined(parameters: Parameters, parts: list[Tables]) -> Tables:
    """Return each table as the rows of all parts, one part after another."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: [row for part in parts for row in part.get(name, [])] for name in names}


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table as a reader wants it: the contract's columns in few words, others as they are."""
    if list(frame.columns[: len(CONTRACT)]) == list(CONTRACT):
        return contract.readable(frame)
    return frame


@dataclass(frozen=True)
class Study:
    """Hold what a study's folder gives; see above.

    Cells of `run`'s rows are text (numbers by `significant`, inputs by `Format.hex`), whole numbers or truth
    values.  `answer` is the template's text.
    """

    run: Callable[[Parameters, str], Tables]
    answer: str
    facts: Callable[[Frames, Known], dict[str, Any]]
    draw: Mapping[str, Callable[[Frames], Figure]] = field(default_factory=dict)
    combine: Callable[[Parameters, list[Tables]], Tables] = joined
    views: Mapping[str, View] = field(default_factory=dict)

    def shown(self, name: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Return what Markdown, LaTeX and the page show of a table: with `id`, where a line is a row that has one."""
        view = self.views.get(name, readable)
        return with_id(view(frame) if callable(view) else views.shown(frame, view), frame, name)

    def answered(self, frames: Frames, known: Known) -> str:
        """Return the answer; jinja2.UndefinedError where it uses a fact that nothing computes."""
        return templates.fill(self.answer, **self.facts(frames, known))


def load(path: Path) -> Question:
    """Read a study's file; UsageError names the key or the value that is wrong."""
    name = named(path)
    data = read(path, schema_beside(path, "study_schema.yaml"))
    return Question(
        name,
        data["question"],
        data["method"],
        data.get("parameters", {}),
        data.get("parts", ["all"]),
        data["tables"],
        data.get("figures", {}),
    )


def folder_of(question: Question) -> Path:
    """Return the folder of a study's code; UsageError where there is none."""
    found = importlib.util.find_spec(f"{ROOM}.{question.name}")
    if found is None or not found.submodule_search_locations:
        raise UsageError(
            f"experiments/{question.name}.yaml is a study, but has no code: there is no folder {_place(question)}"
        )
    return Path(next(iter(found.submodule_search_locations)))


def measure_of(question: Question) -> Callable[[Parameters, str], Tables]:
    """Return the function that runs a study's parts, without loading what tables and figures need.

    UsageError says what the study's folder lacks.
    """
    folder_of(question)
    return _module(question, "measure").run


def study_of(question: Question) -> Study:
    """Return the code of a study; UsageError says what its folder lacks, or where file and folder disagree."""
    folder = folder_of(question)
    measure, tables = (_module(question, name) for name in ("measure", "tables"))
    draw = _module(question, "figures").DRAW if (folder / "figures.py").exists() else {}
    template = folder / "answer.md.j2"
    if not template.exists():
        raise UsageError(f"{_place(question)} has no answer.md.j2, the answer, which opens with a recommendation")
    if set(draw) != set(question.figures):
        raise UsageError(
            f"experiments/{question.name}.yaml has captions for {', '.join(question.figures) or 'no figure'}; "
            f"{_place(question)} draws {', '.join(draw) or 'none'}"
        )
    unknown = [name for name in tables.VIEWS if name not in question.tables]
    if unknown:
        raise UsageError(
            f"{_place(question)}/tables.py shows {', '.join(unknown)}; experiments/{question.name}.yaml has captions "
            f"for the tables {', '.join(question.tables)}"
        )
    combine = getattr(measure, "combine", joined)
    return Study(measure.run, template.read_text(encoding="utf-8"), tables.facts, draw, combine, tables.VIEWS)


def _module(question: Question, name: str) -> Any:
    """Return a module of a study's folder; UsageError where it, or a name that it must hold, is missing."""
    module = f"{ROOM}.{question.name}.{name}"
    if importlib.util.find_spec(module) is None:
        raise UsageError(f"{_place(question)} has no {name}.py, which holds {' and '.join(HELD[name])}")
    code = importlib.import_module(module)
    missing = [text for text in HELD[name] if not hasattr(code, text.partition("(")[0])]
    if missing:
        raise UsageError(f"{_place(question)}/{name}.py has no {' and no '.join(missing)}")
    return code


def _place(question: Question) -> str:
    return f"harness/studies/{question.name}"
