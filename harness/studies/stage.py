"""The stages of a study: run one part; make the tables, the figures and the page of all parts."""

from __future__ import annotations

import json
from pathlib import Path

from harness import UsageError, store, tables
from harness.studies.page import page
from harness.studies.study import Frames, Question, Study, load, study_of


def part_job(experiment: Path, part: str, out: Path) -> None:
    """Run one part of a study and write what it found as JSON."""
    question = load(experiment)
    if part not in question.parts:
        raise UsageError(f"{experiment} has no part {part!r}; its parts: {', '.join(question.parts)}")
    store.write_json(out, study_of(question).run(question.parameters, part))


def page_job(experiment: Path, parts: list[Path], root: Path, out: Path) -> None:
    """Write a study's tables and figures under `root`, and its page to `out`.

    `parts` are the files of all parts in the experiment's order.  What the page says is taken from
    the tables as they were written.
    """
    question = load(experiment)
    study = study_of(question)
    found = study.combine(question.parameters, [json.loads(p.read_text(encoding="utf-8")) for p in parts])
    if set(found) != set(question.tables):
        raise UsageError(f"{experiment} has captions for {sorted(question.tables)}, its parts gave {sorted(found)}")
    frames: Frames = {}
    for name, caption in question.tables.items():
        path = root / "tables" / name
        _write_table(study, name, found[name], caption, path)
        frames[name] = tables.read(path.with_suffix(".csv"))
    _draw(question, study, frames, root / "figures")
    store.write_text(out, page(question, study, frames, root))


def _write_table(study: Study, name: str, rows: list, caption: str, path: Path) -> None:
    columns = list(rows[0])
    odd = next((r for r in rows if list(r) != columns), None)
    if odd is not None:
        raise ValueError(f"table {name}: a row has the columns {list(odd)}, the first has {columns}")
    tables.write_frame(path, rows, columns, lambda frame: study.read(name, frame), caption)


def _draw(question: Question, study: Study, frames: Frames, folder: Path) -> None:
    from harness.figures import style  # loads the drawing library

    with style.context():
        for stem in question.figures:
            style.save(study.draw[stem](frames), folder, stem)
