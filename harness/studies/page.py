"""A study's page: question, answer, method, figures, tables, and the commands that make them again."""

from __future__ import annotations

import os
from pathlib import Path

from harness.studies.study import Frames, Question, Study
from harness.tables import writer

HEAD = """# {question}

{answer}

Generated from the tables below by `snakemake {name}`; do not edit.

{contents}
## Method

{method}
"""
FIGURE = """### {caption}

![{caption}]({up}/figures/{stem}.png)

[SVG]({up}/figures/{stem}.svg)
"""
TABLE = """### {caption}

{shown}
{rows}: [CSV]({up}/tables/{name}.csv) with every digit and column, [Markdown]({up}/tables/{name}.md), \
[LaTeX]({up}/tables/{name}.tex), [versions and checksums]({up}/tables/{name}.json).
"""
REPRODUCE = """## Reproduce

`make questions` installs what is needed and answers all questions; this one alone:

```sh
snakemake {name}
```

{parts}. [{experiment}]({up}/{experiment}) has the question and the parameters, [{code}]({up}/{code}) the code.
"""
SHOWN = 60  # rows of a table on the page


def page(question: Question, study: Study, frames: Frames, root: Path, out: Path) -> str:
    """Return the page in Markdown, whose links lead from the folder of `out` to the results under `root`."""
    results, top = (Path(os.path.relpath(p, out.parent)).as_posix() for p in (root, Path()))
    contents = _contents(question)
    answer = "\n".join(f"- {sentence}" for sentence in study.answer(frames))
    text = [
        HEAD.format(
            question=question.question,
            answer=answer,
            name=question.name,
            method=question.method.strip(),
            contents=contents,
        )
    ]
    if question.figures:
        text.append("## Figures\n")
    text += [FIGURE.format(caption=caption, up=results, stem=stem) for stem, caption in question.figures.items()]
    text.append("## Tables\n")
    for name, caption in question.tables.items():
        shown = study.read(name, frames[name])
        rows = f"The first {SHOWN} of {len(shown)} rows" if len(shown) > SHOWN else f"All {len(shown)} rows"
        table = writer.bare_markdown(shown.head(SHOWN))
        text.append(TABLE.format(caption=caption, shown=table, rows=rows, up=results, name=name))
    text.append(_reproduce(question, top))
    return "\n".join(text)


def _contents(question: Question) -> str:
    """Return a line that leads to each figure and table; empty where the page is short."""
    titles = [*question.figures.values(), *question.tables.values()]
    if len(titles) < 3:
        return ""
    names = [f"[{title}](#{anchor(title)})" for title in titles]
    return f"On this page: {'; '.join(names)}.\n"


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading: lower case, letters, digits, - and _ only, spaces as -."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def _reproduce(question: Question, top: str) -> str:
    package = Path("harness/studies") / question.name
    code = package.as_posix() if package.is_dir() else f"{package.as_posix()}.py"
    count = len(question.parts)
    parts = "It runs as one job" if count == 1 else f"It runs as {count} jobs that can run side by side"
    return REPRODUCE.format(
        name=question.name, parts=parts, up=top, experiment=f"experiments/{question.name}.yaml", code=code
    )
