"""The report stage: one page and its data, in a folder of its own that works without a network.

The page is made of the tables alone, whatever of them there is beside the atlas.  Error curves need the summaries of
the main sweeps, which are made by the same `make` and not committed: without them the page has every figure and no
curve, and says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import harness
from harness import UsageError
from harness.figures.axes import REAL_KNOTS, REAL_LEAST, REAL_MOST, UNIT_END, UNIT_KNOTS, InputAxis
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS, problem_named
from harness.report import calls, formulas, texts
from harness.report.curves import LEAST_POWER, curve_files
from harness.report.packing import script
from harness.tables import templates, writer
from harness.tables.identity import key_of
from harness.tables.rows import CONTRACT
from harness.tables.strongest import Known, header
from harness.workflow import files
from harness.workflow.experiments import Experiment

PAGE = Path(__file__).with_name("page")
TEMPLATE = PAGE / "index.html.j2"
STYLE = PAGE / "page.css"
CLAIMS = ("claims", "claims_beliefs")  # tables of statements that are judged: in circulation, and believed
SCRIPTS = ("data.js", "numbers.js", "listing.js", "choose.js", "curves.js", "rows.js", "reading.js", "route.js")
SHOWN_FORMATS = ("float16", "bfloat16", "float32", "float64")


def report_job(experiments: Sequence[Experiment], results: Path, docs: Path, out: Path) -> None:
    """Write the page OUT/index.html with its style, scripts and data, from the tables in RESULTS/tables and the docs.

    `experiments` are those whose summaries, in RESULTS/summaries, give the error curves.  All files are written or
    none.  Raises UsageError where there is no atlas, or a summary is damaged.
    """
    tables = results / "tables"
    data = {**curves(experiments, results / "summaries"), **shown_tables(tables)}
    systems = tables / "systems.csv"
    rows, returned = calls.read(systems) if systems.exists() else ([], [])
    data |= {f"probes.{name}": value for name, value in calls.point_files(returned).items()}
    data["reading"] = {
        "questions": texts.questions(docs / "questions"),
        "findings": texts.findings(docs / "findings.md"),
        "claims": [row for name in CLAIMS for row in texts.claims(tables / f"{name}.csv")],
    }
    cards = [*formula_cards(tables), *calls.cards(rows, returned, systems.stem)]
    scripts = {f"{name}.js": script(name, value) for name, value in data.items()}
    scripts["core.js"] = script("core", core(cards, data, docs.parent / "CITATION.cff"))
    written = {out / "data" / name: text for name, text in scripts.items()}
    written |= {out / name: (PAGE / name).read_text(encoding="utf-8") for name in (STYLE.name, *SCRIPTS)}
    written[out / "plotly.min.js"] = (package_files("plotly") / "package_data/plotly.min.js").read_text("utf-8")
    facts = {"version": harness.__version__, "scripts": SCRIPTS, "style": STYLE.name}
    files.write_texts({out / "index.html": templates.render(TEMPLATE, **facts), **written})
    for old in set((out / "data").glob("*.js")) - set(written):
        old.unlink()


def formula_cards(tables: Path) -> list[dict[str, Any]]:
    """Return the cards of the formulas; UsageError where there is no atlas to take them from."""
    atlas = tables / "atlas.csv"
    if not atlas.exists():
        raise UsageError(f"{atlas} is not there; the report needs it: run make, or harness atlas")
    return formulas.cards(atlas, Known.beside([atlas]))


def curves(experiments: Sequence[Experiment], summaries: Path) -> dict[str, Any]:
    """Return the curves of the experiments that have summaries, by the names of their files."""
    found = [curve_files(experiment, summaries) for experiment in experiments if not experiment.search]
    return {f"curves.{name}": value for some in found for name, value in some.items()}


def shown_tables(tables: Path) -> dict[str, Any]:
    """Return the tables that the page shows row by row, whole, as CSV: the contract's, the atlas and the claims."""
    found = {}
    for path in sorted(tables.glob("*.csv")):
        columns = header(path)
        if columns[: len(CONTRACT)] == list(CONTRACT) or path.stem in ("atlas", *CLAIMS):
            found[f"table.{path.stem}"] = {"csv": files.read_text(path, "a table"), **described(path)}
    return found


def described(path: Path) -> dict[str, Any]:
    """Return what a table's sidecar says of it: question or title, checksum, and what it was measured with."""
    sidecar = path.with_suffix(".json")
    told = writer.described(path) if sidecar.exists() else {}
    made = told.get("provenance", {})
    title = _title(path.with_suffix(".md"))
    return {
        "title": title,
        "rows": told.get("rows", len(writer.read(path))),
        "sha256": told.get("sha256", {}).get(path.name, ""),
        "version": made.get("version", ""),
        "sources": made.get("sources", "")[:12],
        "packages": made.get("packages", {}),
        "key": list(key_of(path.stem)),
    }


def _title(markdown: Path) -> str:
    """Return the heading of a table's Markdown, its name where there is none."""
    if not markdown.exists():
        return markdown.stem
    with markdown.open(encoding="utf-8") as f:
        first = f.readline().strip()
    return first.removeprefix("# ") if first.startswith("# ") else markdown.stem


def core(cards: Sequence[Mapping[str, Any]], data: Mapping[str, Any], cited: Path) -> dict[str, Any]:
    """Return what the page needs at once: cards, formats, problems with their axes, and which data there are."""
    listed = {name.removeprefix("table."): value for name, value in data.items() if name.startswith("table.")}
    return {
        "version": harness.__version__,
        "cards": cards,
        "formats": {
            name: {"precision": f.precision, "emin": f.emin, "max": f.max, "least": f.smallest_subnormal}
            for name, f in FORMATS.items()
            if name in SHOWN_FORMATS
        },
        "problems": {name: _problem(name) for name in PROBLEMS if any(c["problem"] == name for c in cards)
                     or any(d.startswith((f"curves.{name}.", f"probes.{name}.")) for d in data)},
        "knots": {"real": REAL_KNOTS, "least": REAL_LEAST, "most": REAL_MOST, "unit": UNIT_KNOTS, "end": UNIT_END},
        "least_power": LEAST_POWER,
        "data": sorted(data),
        "tables": {name: {k: v for k, v in value.items() if k != "csv"} for name, value in listed.items()},
        "citation": citation(cited),
    }  # fmt: skip


def _problem(name: str) -> dict[str, Any]:
    problem = problem_named(name)
    axis = InputAxis(problem)
    at, labels = axis.ticks(wide=True)
    return {
        "input": problem.input,
        "label": axis.label,
        "target": problem.has_target,
        "limits": axis.limits,
        "ticks": at,
        "labels": labels,
        "gradient": problem.gradient,
    }


def citation(path: Path) -> dict[str, str]:
    """Return title, version and date of the project's CITATION.cff; empty texts where it says none."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = {
        key: re.search(rf"^{key}: *(.+)$", text, re.MULTILINE)
        for key in ("title", "version", "date-released", "repository-code")
    }
    return {
        key: json.loads(m[1]) if m and m[1].startswith('"') else m[1].strip("'") if m else ""
        for key, m in found.items()
    }
