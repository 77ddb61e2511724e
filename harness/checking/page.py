"""Write a report as one HTML page that needs nothing beside it: verdict, figure, table, special inputs."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
from matplotlib.figure import Figure

from harness import __version__
from harness.checking.judge import HEADINGS, cells, first_line
from harness.checking.picture import draw
from harness.numbers.formats import format_named
from harness.problems import problem_named

TEMPLATE = Path(__file__).with_name("report.html.j2")


def page(report: Any) -> str:
    """Return the page of a Report (see report.py) as text."""
    names = list(dict.fromkeys(str(r["problem"]) for r in report.rows))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=f"{report.rows[0]['kernel']} as {' and '.join(names)} in {report.rows[0]['format']}",
        verdict="PASS" if report.passed else "FAIL",
        summary=first_line(report.rows),
        verdicts=report.verdict.splitlines(),
        notes=report.said,
        headings=HEADINGS,
        parts=[_part(report, name) for name in names],
        provenance=f"Measured by xent-harness {__version__}.",
    )


def _part(report: Any, name: str) -> Mapping[str, object]:
    rows = [r for r in report.rows if r["problem"] == name]
    return {
        "name": name,
        "picture": _svg(report, name) if name in report.summaries else "",
        "rows": [cells(r) for r in rows],
        "special": report.special.get(name, ()),
    }


def _svg(report: Any, name: str) -> str:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    onto(figure.add_subplot(), report, name)
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "harness", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def onto(ax: Any, report: Any, name: str) -> None:
    """Draw the errors of one of a report's problems on matplotlib axes."""
    rows = [r for r in report.rows if r["problem"] == name]
    fmt = format_named(str(rows[0]["format"]))
    draw(ax, problem_named(name), fmt, report.summaries[name], [str(r["target"]) for r in rows], report.max_ulp)
