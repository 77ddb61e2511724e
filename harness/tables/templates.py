"""Pages and answers as Jinja templates: the prose stands in a file beside the code that computes its facts.

A template may use only facts that it is given by name: one that is missing raises, so that no page is ever
written with a hole in it.  Filters write numbers as the tables do.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

from harness.tables.text import percent, short


@cache
def environment() -> jinja2.Environment:
    """Return the settings of all templates: what is undefined raises; a tag alone on its line leaves no line."""
    made = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown
    )
    made.filters |= {"short": short, "percent": percent, "series": series}
    return made


def series(words: list[str], last: str = "and") -> str:
    """Write words one after another: `a`, `a and b`, `a, b and c`."""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def render(template: Path, **facts: object) -> str:
    """Fill a template file with facts; jinja2.UndefinedError where one that it uses is not given."""
    return fill(template.read_text(encoding="utf-8"), **facts)


def fill(text: str, **facts: object) -> str:
    """Fill a template given as text with facts; jinja2.UndefinedError where one that it uses is not given."""
    return environment().from_string(text).render(facts)
