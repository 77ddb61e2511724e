"""Draw the diagram of docs/architecture.md from the imports: `python docs/architecture.py` writes it anew.

Each room of harness/ is a box, with its docstring's first sentence; an arrow leads from a room to one that builds on
it.  Arrows that follow from others are left out, so that the picture stays readable.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "harness"
# From the ground up: a room imports itself and the rooms before it, nothing else.
ROOMS = (
    "numbers", "problems", "truth", "kernels", "workflow", "sweep", "explain",
    "tables", "figures", "search", "bounds", "systems", "recommend", "checking", "testing", "studies", "report", "cli",
)  # fmt: skip
BEGIN, END = "<!-- diagram: written by docs/architecture.py -->\n", "<!-- end of diagram -->\n"


def rooms() -> dict[str, set[str]]:
    """Return each room of the package with the rooms that its modules import."""
    found = {room: {n for path in (PACKAGE / room).rglob("*.py") for n in imported(path)} for room in ROOMS}
    return {room: names & (set(ROOMS) - {room}) for room, names in found.items()}


def imported(path: Path) -> set[str]:
    """Return the rooms that a module imports, wherever in its source."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "harness":
            dotted = [node.module] if "." in node.module else [f"harness.{a.name}" for a in node.names]
            names |= {name.split(".")[1] for name in dotted}
        elif isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("harness.")}
    return names


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out the arrows that follow from others."""
    below: dict[str, set[str]] = {}
    for room in ROOMS:
        below[room] = set(graph[room]).union(*(below[other] for other in graph[room]))
    return {room: {o for o in others if not any(o in below[p] for p in others - {o})} for room, others in graph.items()}


def purpose(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ")


def mermaid() -> str:
    """Write the diagram, rooms from the ground up."""
    arrows = reduced(rooms())
    lines = ["flowchart BT", *(f"    {room}" for room in ROOMS)]
    lines += [f"    {other} --> {room}" for room in ROOMS for other in sorted(arrows[room], key=ROOMS.index)]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def table() -> str:
    """Write what each room is for, from the ground up."""
    lines = [f"| [{room}](../harness/{room}) | {purpose(room)} |" for room in ROOMS]
    return "| room | what it is for |\n| --- | --- |\n" + "\n".join(lines) + "\n"


def drawn(page: str) -> str:
    """Return the page with its diagram as the imports are now."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return before + BEGIN + mermaid() + "\n" + table() + END + after


def main() -> int:
    """Write the page; with --check, only tell whether it is as the imports are."""
    path = DOCS / "architecture.md"
    page = path.read_text(encoding="utf-8")
    if "--check" in sys.argv[1:]:
        return int(drawn(page) != page)
    path.write_text(drawn(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
