"""A study's page: question, answer, method, tables, figures, and the command that makes them again."""

from __future__ import annotations

import os
from pathlib import Path

from harness import tables
from harness.studies.study import Frames, Question, Study

HEAD = """# {question}

{answer}

Generated from the tables below by `snakemake {name}`; do not edit.

## Method

{method}
"""
SHOWN = 60  # rows of a table on the page


def page(question: Question, study: Study, frames: Frames, root: Path) -> str:
    """Return the page in Markdown; its links lead from docs/questions to the results."""
    text = [
        HEAD.format(
            question=question.question,
            answer=" ".join(study.answer(frames)),
            name=question.name,
            method=question.method.strip(),
        )
    ]
    up = os.path.join("..", "..", root)
    for stem, caption in question.figures.items():
        text.append(f"## {caption}\n\n![{caption}]({up}/figures/{stem}.png)\n")
    for name, caption in question.tables.items():
        shown = study.read(name, frames[name])
        more = f" The first {SHOWN} of {len(shown)} rows:" if len(shown) > SHOWN else ""
        links = ", ".join(f"[{kind}]({up}/tables/{name}.{kind})" for kind in ("csv", "md", "tex", "json"))
        text.append(f"## {caption}\n\nWhole table: {links}.{more}\n\n{tables.bare_markdown(shown.head(SHOWN))}")
    text.append(f"## Reproduce\n\n```sh\nsnakemake {question.name}\n```\n")
    return "\n".join(text)
