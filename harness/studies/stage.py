"""The stages of a study: run one part; make the tables, the figures and the page of all parts."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from harness import UsageError, store, tables
from harness.studies.page import page
from harness.studies.study import Frames, Tables, load, study_of


def part_job(experiment: Path, part: str, out: Path) -> None:
    """Run one part of a study and write what it found as JSON."""
    question = load(experiment)
    if part not in question.parts:
        raise UsageError(f"{experiment} has no part {part!r}; its parts: {', '.join(question.parts)}")
    store.write_json(out, study_of(question).run(question.parameters, part))


def page_job(experiment: Path, parts: list[Path], root: Path, out: Path) -> None:
    """Write a study's tables and figures under `root`, and its page to `out`.

    `parts` are the files of all parts in the experiment's order.  What figures and page show is taken
    from the tables as their CSV files hold them.  Nothing is written before all of it is made.
    """
    from harness.figures import style  # loads the drawing library

    question = load(experiment)
    study = study_of(question)
    found = study.combine(question.parameters, [json.loads(p.read_text(encoding="utf-8")) for p in parts])
    if set(found) != set(question.tables):
        raise UsageError(f"{experiment} has captions for {sorted(question.tables)}, its parts gave {sorted(found)}")
    frames = _frames(found)
    text = page(question, study, frames, root)
    with style.context():
        drawn = {stem: study.draw[stem](frames) for stem in question.figures}
        for name, caption in question.tables.items():
            shown = study.read(name, frames[name])
            tables.write_frame(root / "tables" / name, found[name], list(frames[name]), shown, caption)
        for stem, figure in drawn.items():
            style.save(figure, root / "figures", stem)
    store.write_text(out, text)


def _frames(found: Tables) -> Frames:
    """Return each table as its CSV will hold it; ValueError where its rows have different columns."""
    frames: Frames = {}
    for name, rows in found.items():
        columns = list(rows[0])
        odd = next((r for r in rows if list(r) != columns), None)
        if odd is not None:
            raise ValueError(f"table {name}: a row has the columns {list(odd)}, the first has {columns}")
        frames[name] = tables.read(StringIO(tables.to_csv(rows, columns)))
    return frames
