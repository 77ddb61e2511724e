"""A study's page in docs/questions/: question, answer, method, figures, tables, and the commands that make them again."""

from __future__ import annotations

import os
from pathlib import Path

import jinja2

from harness import UsageError
from harness.studies.study import Frames, Question, Study
from harness.tables import templates, writer
from harness.tables.strongest import Known

MOST = 60  # lines of a table on the page


def page(question: Question, study: Study, frames: Frames, root: Path, out: Path) -> str:
    """Return the page in Markdown, whose links lead from the folder of `out` to the results under `root`.

    The answer speaks from the strongest that the frames and the tables under `root` know.  UsageError where it uses a
    fact that nothing computes.
    """
    known = Known.with_tables(frames, root / "tables")
    results, top = (Path(os.path.relpath(p, out.parent)).as_posix() for p in (root, Path()))
    tables = []
    for name, caption in question.tables.items():
        shown = study.shown(name, frames[name])
        markdown = writer.bare_markdown(shown.head(MOST))
        tables.append({"name": name, "caption": caption, "markdown": markdown, "lines": len(shown)})
    titles = [*question.figures.values(), *question.tables.values()]
    return templates.render(
        Path(__file__).with_name("page.md.j2"),
        question=question,
        answer=_answer(question, study, frames, known),
        contents=[(title, anchor(title)) for title in titles] if len(titles) > 2 else [],
        tables=tables,
        most=MOST,
        results=results,
        top=top,
    )


def _answer(question: Question, study: Study, frames: Frames, known: Known) -> str:
    """Return a study's answer; UsageError where its template uses a fact that nothing computes, or cannot be read."""
    try:
        return study.answered(frames, known)
    except jinja2.TemplateError as e:
        raise UsageError(f"harness/studies/{question.name}/answer.md.j2: {e}") from e


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading: lower case, letters, digits, - and _ only, spaces as -."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")
