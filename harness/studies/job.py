"""The stages of a study: one part is run, which may take minutes; all parts become tables, figures and a page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import UsageError
from harness.studies.page import page
from harness.studies.study import Frames, Tables, load, measure_of, study_of
from harness.tables import writer
from harness.workflow import files


def part_job(experiment: Path, part: str, out: Path) -> None:
    """Run one part of a study and write what it found as JSON."""
    question = load(experiment)
    if part not in question.parts:
        raise UsageError(f"{experiment} has no part {part!r}; its parts: {', '.join(question.parts)}")
    files.write_json(out, measure_of(question)(question.parameters, part))


def page_job(experiment: Path, parts: list[Path], root: Path, out: Path) -> None:
    """Write a study's tables and figures under `root`, and its page to `out`.

    `parts` are the files of all parts in the experiment's order.  What figures and page show is taken
    from the tables as their CSV files hold them.  Nothing is written before all of it is made.
    """
    from harness.figures import style  # loads the drawing library

    question = load(experiment)
    study = study_of(question)
    found = study.combine(question.parameters, [files.read_json(p, "what one part of a study found") for p in parts])
    if set(found) != set(question.tables):
        captions, given = (", ".join(sorted(names)) or "none" for names in (question.tables, found))
        raise UsageError(f"{experiment} has captions for the tables {captions}; its parts gave {given}")
    frames = _frames(found)
    with style.context(), _staged(root, out.parent) as (results, pages):
        files.write_text(pages / out.name, page(question, study, frames, root, out))
        for name, caption in question.tables.items():
            shown = study.shown(name, frames[name])
            writer.write(results / "tables" / name, found[name], list(frames[name]), shown, caption)
        for stem in question.figures:
            style.save(study.draw[stem](frames), results / "figures", stem)


@contextmanager
def _staged(*roots: Path) -> Iterator[list[Path]]:
    """Give an empty folder for each root, and move the files written into it under that root if all went well.

    So a study's files change together: what fails before the last of them is made leaves all as they were.
    """
    with ExitStack() as stack:
        folders = []
        for root in roots:
            root.mkdir(parents=True, exist_ok=True)
            folders.append(Path(stack.enter_context(TemporaryDirectory(dir=root, prefix=".staged-"))))
        yield folders
        for folder, root in zip(folders, roots, strict=True):
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                place = root / path.relative_to(folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)


def _frames(found: Tables) -> Frames:
    """Return each table as its CSV will hold it; ValueError where it has no rows, or rows of different columns."""
    frames: Frames = {}
    for name, rows in found.items():
        if not rows:
            raise ValueError(f"table {name} has no rows")
        columns = list(rows[0])
        odd = next((r for r in rows if list(r) != columns), None)
        if odd is not None:
            raise ValueError(f"table {name}: a row has the columns {list(odd)}, the first has {columns}")
        frames[name] = writer.read(StringIO(writer.to_csv(rows, columns)))
    return frames
