"""What people wrote for reading, as parts of the page: questions, findings and claims, Markdown turned into HTML.

Figures stay in their files, and links to files lead from the page's folder to where they lie in the project.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from harness.tables import writer

Facts = dict[str, Any]
UP = "../.."  # from the page's folder, results/report, to the project's


def questions(folder: Path) -> list[Facts]:
    """Return the pages about questions in a folder: name, title, answer (what stands before the method), and the rest."""
    found = []
    for path in sorted(folder.glob("*.md")):
        title, answer, rest = divided(path.read_text(encoding="utf-8"))
        place = f"{UP}/docs/questions"
        of = f"the question {path.stem}"
        texts = {"answer": html(answer, place, of), "rest": html(rest, place, of)}
        found.append({"name": path.stem, "title": title, **texts})
    return found


def divided(page: str) -> tuple[str, str, str]:
    """Divide a page about a question into its title, its answer and its method and tables; figures are left out."""
    title, _, text = page.removeprefix("# ").partition("\n")
    answer, _, rest = text.partition("\nGenerated from ")
    rest = re.sub(r"\A.*\n|^On this page:.*\n", "", rest, flags=re.MULTILINE) if rest else ""
    rest = re.sub(r"^## Figures\n.*?(?=^## |\Z)", "", rest, flags=re.MULTILINE | re.DOTALL)
    return title, answer, rest[rest.find("## ") :] if "## " in rest else ""


def findings(page: Path) -> Facts:
    """Return the page of findings: its introduction, and each finding's title and text; empty where there is none."""
    if not page.exists():
        return {"introduction": "", "list": []}
    before, *sections = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    introduction = before.partition("\n")[2]
    place = f"{UP}/docs"
    found = []
    for i, section in enumerate(sections, 1):
        title, _, text = section.partition("\n")
        of = f"finding {i}"
        found.append({"title": html(title, place, of, inline=True), "text": html(text, place, of)})
    return {"introduction": html(introduction, place, "the ranking"), "list": found}


def claims(table: Path) -> list[dict[str, str]]:
    """Return the rows of a table of claims, every cell as text, each with its table and line; empty where there is none."""
    if not table.exists():
        return []
    rows = writer.read(table).to_dict("records")
    return [
        {**{str(k): str(v) for k, v in r.items()}, "table": table.stem, "line": str(i)} for i, r in enumerate(rows, 2)
    ]


def html(text: str, place: str, of: str, inline: bool = False) -> str:
    """Turn Markdown into HTML: headings a level lower, tables that scroll by themselves, links as seen from the page.

    `place` is the folder of the Markdown file, as seen from the page's; tables are called `Table 1 of …`.
    Links within a file become text: the part of an address behind # is the page's own.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parseInline(text) if inline else parser.parse(text)
    for token in _every(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    written = parser.renderer.render(tokens, parser.options, {})
    written = re.sub(r'<a href="#[^"]*">(.*?)</a>', r"\1", written, flags=re.DOTALL)
    written = re.sub(r"<p><img [^>]*></p>\n?|<img [^>]*>", "", written)
    written = re.sub(r'href="(?![a-z]+:)([^"]*)"', lambda m: f'href="{_path(place, m[1])}"', written)
    first, *others = written.split("<table>")
    regions = [
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table {i} of {of}">'
        for i in range(1, len(others) + 1)
    ]
    written = first + "".join(f"{region}<table>{other}" for region, other in zip(regions, others))
    return written.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')


def _every(tokens: Sequence[Token]) -> list[Token]:
    return [t for token in tokens for t in (token, *_every(token.children or ()))]


def _path(place: str, link: str) -> str:
    """Return a link of a file in `place` as seen from the page's folder, steps up and down cancelled."""
    parts: list[str] = []
    for part in f"{place}/{link}".split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
