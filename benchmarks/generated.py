"""Tables that programs of this folder write into pages: as Markdown, between two comments that name the program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def put_between(page: Path, program: str, text: str) -> None:
    """Write a text into a page between the comments that name a program; ValueError where the page has none."""
    begin, end = f"<!-- {program} writes this -->\n", f"<!-- end of {program} -->\n"
    before, mark, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not mark or not closed:
        raise ValueError(f"{page} has no place for {program}")
    page.write_text(f"{before}{begin}{text}{end}{after}", encoding="utf-8")
