"""What the documentation's reference says of tables and experiments, in Markdown, from the code that writes and reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.bounds import table as bounds
from harness.search import table as search
from harness.studies import study
from harness.tables import contract, rows, special_values, writer
from harness.tables.atlas import entries as atlas
from harness.tables.meanings import MEANINGS
from harness.tables.views import Column
from harness.workflow import experiments

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "tables"
# Columns by the name that a page asks for, as the modules declare them.
TABLES: dict[str, Sequence[str]] = {
    "contract": rows.CONTRACT,
    "sweep": (*(c for c in rows.COLUMNS if c not in rows.CONTRACT), "id"),
    "search": [c for c in search.FURTHER if c not in rows.COLUMNS],
    "bounds": [c for c in bounds.COLUMNS if c not in rows.CONTRACT],
    "atlas": [c for c in atlas.COLUMNS if c not in rows.CONTRACT],
    "special_values": [c for c in special_values.COLUMNS if c not in rows.CONTRACT],
}


def columns(which: str) -> str:
    """Return the columns of a table with their meanings, and `shown` or `studies` with what people read of them."""
    if which == "shown":
        return _table(["heading", "made from"], _headings(contract.VIEW))
    if which == "studies":
        return "\n\n".join(_study(path) for path in experiments.files(ROOT / "experiments")[1].values())
    return _table(["column", "what it holds"], ((f"`{name}`", MEANINGS[name]) for name in TABLES[which]))


def keys(path: Path) -> str:
    """Return the keys of a schema's files: name, what they hold, the default, the description."""
    schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    return _table(["key", "holds", "default", "what it says"], _keys(schema, schema.get("required", [])))


def _keys(schema: dict[str, Any], required: Sequence[str], before: str = "") -> Iterator[tuple[str, ...]]:
    for name, value in schema["properties"].items():
        default = "required" if name in required else _written(value["default"]) if "default" in value else ""
        yield f"`{before}{name}`", _kind(value), default, value.get("description", "").replace("|", "\\|").strip()
        if "properties" in value:
            yield from _keys(value, value.get("required", []), f"{before}{name}.")


def _kind(value: dict[str, Any]) -> str:
    """Say what a value of a schema may be."""
    if "oneOf" in value:
        return ", or ".join(_kind(v) for v in value["oneOf"])
    if "const" in value:
        return _written(value["const"])
    if "enum" in value:
        return ", ".join(_written(v) for v in value["enum"])
    if value["type"] == "array":
        return f"list of {_kind(value['items'])}"
    named = [value["type"]] if isinstance(value["type"], str) else value["type"]
    least = f" ≥ {value['minimum']}" if "minimum" in value else ""
    return " or ".join({"object": "mapping", "string": "text"}.get(n, n) for n in named) + least


def _written(value: object) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _study(path: Path) -> str:
    """Return the columns of each table of a study, as the committed CSV files begin."""
    question = study.load(path)
    lines = []
    for name, caption in question.tables.items():
        held = writer.read(RESULTS / f"{name}.csv").columns
        contracted = list(held[: len(rows.CONTRACT)]) == list(rows.CONTRACT)
        own = [f"`{c}`" for c in held if not (contracted and c in MEANINGS)]
        first = ["those of the contract and beside it"] if contracted else []
        lines.append((f"`{name}`", caption, ", ".join(first + own)))
    return f"### {question.name}\n\n{question.question}\n\n{_table(['table', 'what it has', 'columns'], lines)}"


def _headings(view: Sequence[Column]) -> Iterator[tuple[str, str]]:
    for column in view:
        source = (
            f"`{column.source}`" if isinstance(column.source, str) else (column.source.__doc__ or "").split("\n")[0]
        )
        yield column.heading, source


def _table(heads: Sequence[str], lines: Iterable[tuple[str, ...]]) -> str:
    body = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *body])
