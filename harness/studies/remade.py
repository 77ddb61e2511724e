"""The tables of studies, made again and compared cell by cell: what `harness verify --deep` does with them.

A study's rows are not those of one kernel over one grid, so none can be held against a kernel by itself: each study is
run again as a whole, from its experiment file.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby
from pathlib import Path

from harness import UsageError
from harness.studies.job import csv_of, cured
from harness.studies.study import Question, Tables, load, measure_of, study_of
from harness.tables.remade import differences
from harness.tables.resweep import on_all_cores
from harness.workflow.experiments import files as experiment_files

ASKS_LIBRARIES = ("claims",)  # they answer in minutes, each release otherwise; `make questions` asks them again

Texts = list[str]


def studies(results: Path) -> tuple[Texts, Texts]:
    """Run every study again that a results folder has tables of; return a line for each study, and what is otherwise.

    The experiment files are those of the folder `experiments` beside the results; without it a line says so.
    """
    folder = results.resolve().parent / "experiments"
    if not folder.is_dir():
        return [f"studies: not made again, there is no folder {folder}"], []
    questions = [load(path) for path in experiment_files(folder)[1].values()]
    there = [q for q in questions if all((results / "tables" / f"{name}.csv").is_file() for name in q.tables)]
    asked = [q for q in there if q.name not in ASKS_LIBRARIES]
    calls = [(q, partial(_part, q, part)) for q in asked for part in q.parts]
    found = zip((q for q, _ in calls), on_all_cores([call for _, call in calls]))
    lines = [f"{q.name}: not made again, its answers are those of libraries" for q in there if q not in asked]
    wrong: Texts = []
    for question, parts in groupby(found, key=lambda pair: pair[0]):
        made = [tables for _, tables in parts]
        refused = next((text for text in made if isinstance(text, str)), None)
        if refused:
            lines.append(f"{question.name}: not made again, {refused}")
            continue
        lines.append(f"{question.name}: {len(question.tables)} tables made again")
        wrong += _unlike(question, [tables for tables in made if not isinstance(tables, str)], results)
    return lines, wrong


def _part(question: Question, part: str) -> Tables | str:
    """Return what one part finds; a sentence where it lacks a library."""
    try:
        return measure_of(question)(question.parameters, part)
    except UsageError as e:
        return str(e)


def _unlike(question: Question, parts: list[Tables], results: Path) -> Texts:
    """Return where a study's tables differ from those that its parts make now."""
    wrong: Texts = []
    for name, rows in study_of(question).combine(question.parameters, parts).items():
        path = results / "tables" / f"{name}.csv"
        text = csv_of(name, cured(name, rows, path.parent))
        wrong += [f"{path}:{line}: {said}" for line, said in differences(path, text)]
    return wrong
