"""The stages of a study: one part is run, which may take minutes; all parts become tables, figures and a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path

from harness import UsageError, choices
from harness.studies.page import page
from harness.studies.study import Frames, Question, Tables, load, measure_of, study_of
from harness.tables import writer
from harness.tables.advice import advised, cures_of
from harness.tables.identity import identified
from harness.tables.rows import Row
from harness.tables.strongest import Known, of_contract
from harness.workflow import files
from harness.workflow.provenance import of_one_measurement, provenance


def part_job(experiment: Path, part: str, out: Path) -> None:
    """Run one part of a study and write what it found, and what it was measured with, as JSON."""
    question = load(experiment)
    if part not in question.parts:
        raise UsageError(f"{experiment} has no part {part!r}; its parts: {choices(part, question.parts)}")
    made_with = provenance(question.measuring)  # as it is when the part begins
    found = measure_of(question)(question.parameters, part)
    files.write_sealed(
        out,
        {
            "study": question.name,
            "part": part,
            "study_sha256": question.digest,
            "provenance": made_with,
            "tables": found,
        },
    )


def read_parts(question: Question, paths: Sequence[Path]) -> tuple[list[Tables], dict]:
    """Read a study's parts in its order: what each found, and what all were measured with.

    UsageError where a file is no part, is of another study, or is missing or given twice; where a part was run when the
    study's parts or parameters were others; and where two were measured with other versions, sources or functions.
    """
    keys, kind = ("study", "part", "study_sha256", "provenance", "tables"), "what one part of a study found"
    read = [(path, files.read_sealed(path, kind, "run the part again", keys)) for path in paths]
    for path, found in read:
        if (found["study"], found["study_sha256"]) != (question.name, question.digest):
            raise UsageError(
                f"{path} is of another study, or was run when {question.name} said something else; run it again"
            )
    given = [found["part"] for _, found in read]
    if sorted(given) != sorted(question.parts):
        raise UsageError(f"the parts of {question.name} are {', '.join(question.parts)}; given are {', '.join(given)}")
    made_with = of_one_measurement([(path, found["provenance"]) for path, found in read], "run the parts again")
    by_name = {found["part"]: found["tables"] for _, found in read}
    return [by_name[part] for part in question.parts], made_with


def page_job(experiment: Path, parts: list[Path], root: Path, out: Path) -> None:
    """Write a study's tables and figures under `root`, and its page to `out`.

    `parts` are the files of all parts.  What figures and page show is taken
    from the tables as their CSV files hold them.  Nothing is written before all of it is made.
    """
    from harness.figures import style  # loads the drawing library

    question = load(experiment)
    study = study_of(question)
    measured, made_with = read_parts(question, parts)
    found = study.combine(question.parameters, measured)
    found = {name: cured(name, rows, root / "tables") for name, rows in found.items()}
    if set(found) != set(question.tables):
        captions, given = (", ".join(sorted(names)) or "none" for names in (question.tables, found))
        raise UsageError(f"{experiment} has captions for the tables {captions}; its parts gave {given}")
    frames = _frames(found)
    with style.context(), _staged(root, out.parent) as (results, pages):
        files.write_text(pages / out.name, page(question, study, frames, root, out))
        for name, caption in question.tables.items():
            shown = study.shown(name, frames[name])
            writer.write(
                results / "tables" / name, found[name], list(frames[name]), shown, caption,
                measured_with=made_with, extra={"study_sha256": question.digest},
            )  # fmt: skip
        for stem in question.figures:
            style.save(study.draw[stem](frames), results / "figures", stem)


def cured(name: str, rows: list[Row], folder: Path) -> list[Row]:
    """Return a table's rows with cures that hold by the strongest that a folder's tables know, if it names any."""
    if not rows or not of_contract(rows[0]) or "remedy" not in rows[0]:
        return rows
    return advised(rows, known=cures_of(rows, Known.beyond_samples(folder, name)))


@contextmanager
def _staged(*roots: Path) -> Iterator[list[Path]]:
    """Give an empty folder for each root, and move the files written into it under that root if all went well.

    So a study's files change together: what fails before the last of them is made leaves all as they were.
    """
    with ExitStack() as stack:
        folders = []
        for root in roots:
            folders.append(stack.enter_context(files.staging(root)))
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
        frames[name] = writer.read(StringIO(csv_of(name, rows)))
    return frames


def csv_of(name: str, rows: list[Row]) -> str:
    """Return what a table's CSV file will hold; all rows have the columns of the first."""
    return writer.to_csv(*identified(rows, [column for column in rows[0] if column != writer.SUMS], name))
