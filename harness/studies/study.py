"""What a study is: an experiment file, and a module that answers its question.

The file (experiments/NAME.yaml) holds the question, the method in words, the parameters, the parts
that run as jobs of their own, and a caption for each table and figure.  The module
(harness/studies/NAME.py) holds a `STUDY`: functions that run a part, and draw and answer from the
finished tables, read back from their CSV files.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness import UsageError
from harness.tables import contract
from harness.tables.rows import CONTRACT, Row
from harness.workflow.experiments import read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Parameters = Mapping[str, Any]
Tables = dict[str, list[Row]]  # name of a table: its rows, cells as the CSV shows them
Frames = dict[str, pd.DataFrame]  # name of a table: what its CSV holds, every cell as text


@dataclass(frozen=True)
class Question:
    """Hold a study's experiment file."""

    name: str
    question: str
    method: str
    parameters: dict[str, Any]
    parts: list[str]
    tables: dict[str, str]  # name: caption
    figures: dict[str, str]  # stem: caption


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
    """Hold the functions that answer a question.

    run(parameters, part) -> tables: the rows that one part finds; every cell is text (numbers by
        `rows.significant`, inputs by `Format.hex`), a whole number or a truth value.
    answer(frames) -> three sentences; every number in them is taken from the frames.
    draw: for each figure's stem, frames -> Figure.
    combine(parameters, parts) -> tables: one part after another unless said otherwise.
    reading: for a table's name, frame -> what the page, Markdown and LaTeX show of it.
    """

    run: Callable[[Parameters, str], Tables]
    answer: Callable[[Frames], list[str]]
    draw: Mapping[str, Callable[[Frames], Figure]] = field(default_factory=dict)
    combine: Callable[[Parameters, list[Tables]], Tables] = joined
    reading: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = field(default_factory=dict)

    def read(self, name: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Return what is shown of a table."""
        return self.reading.get(name, readable)(frame)


def load(path: Path) -> Question:
    """Read a study's file; UsageError names the key or the value that is wrong."""
    data = read(path, path.parent / "study_schema.yaml")
    return Question(
        path.stem,
        data["question"],
        data["method"],
        data.get("parameters", {}),
        data.get("parts", ["all"]),
        data["tables"],
        data.get("figures", {}),
    )


def study_of(question: Question) -> Study:
    """Return the code of a study; UsageError where its file and its module disagree about figures."""
    module = f"harness.studies.{question.name}"
    if importlib.util.find_spec(module) is None:
        raise UsageError(f"experiments/{question.name}.yaml is a study, but has no code: there is no module {module}")
    study: Study = importlib.import_module(module).STUDY
    if set(study.draw) != set(question.figures):
        raise UsageError(
            f"experiments/{question.name}.yaml has captions for {', '.join(question.figures) or 'no figure'}; "
            f"harness.studies.{question.name} draws {', '.join(study.draw) or 'none'}"
        )
    return study
