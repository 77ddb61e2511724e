"""The table of special values: what every kernel makes of infinities, NaN, zeros and the domain's ends.

What is expected there, and what the outcomes mean, is in special_points.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import FORMATS, Format
from harness.problems import PROBLEMS, Problem
from harness.sweep.streaming import BUDGET
from harness.tables import templates, writer
from harness.tables.rows import Row
from harness.tables.special_points import OUTCOMES, SpecialPoint, outcome, points_of
from harness.truth.arb import oracle
from harness.workflow.dependencies import kernel_sources, sources
from harness.workflow.provenance import provenance

COLUMNS = ("problem", "kernel", "format", "input", "input_value", "target", "computed", "expected", "outcome")
NAMES = ("float16", "bfloat16", "float32", "float64")
TITLE = "Special values: infinities, NaN, zeros and the ends of domains"
PAGE = Path(__file__).with_name("special_values.md.j2")


def rows_of(problem: Problem, kernel: Kernel, fmt: Format, points: Sequence[SpecialPoint]) -> list[Row]:
    """Run one kernel on special points and return a row for each."""
    inputs = [np.array([[p.value for p in points]], dtype=fmt.dtype)]
    if problem.has_target:
        inputs.append(np.array([[p.target for p in points]], dtype=fmt.dtype))
    with np.errstate(all="ignore"):
        computed = np.broadcast_to(kernel(*inputs), inputs[0].shape)[0]
    return [
        {
            "problem": problem.name, "kernel": kernel.name, "format": fmt.name,
            "input": p.name, "input_value": fmt.hex(p.value),
            "target": "" if p.target is None else f"{float(p.target):g}",
            "computed": fmt.hex(v), "expected": "" if p.expected is None else fmt.hex(p.expected),
            "outcome": outcome(problem, fmt, p, float(v)),
        }
        for p, v in zip(points, computed, strict=True)
    ]  # fmt: skip


def rows() -> list[Row]:
    """Return the rows of every kernel of every problem, formats one after the other."""
    found: list[Row] = []
    for problem in PROBLEMS.values():
        points = {name: points_of(problem, FORMATS[name]) for name in NAMES}
        for kernel in kernels_of(problem.name):
            for name in NAMES:
                found += rows_of(problem, kernel, FORMATS[name], points[name])
    return found


def special_values_job(out: Path) -> None:
    """Write the table, OUT.csv, .md, .tex and .json."""
    found = rows()
    read = unexpected(found)
    page = templates.render(
        PAGE, title=TITLE, budget=f"{BUDGET:g}",
        counted=writer.bare_markdown(counted(found)), unexpected=writer.bare_markdown(read),
    )  # fmt: skip
    writer.write(
        out.with_suffix(""), found, COLUMNS, read, TITLE,
        markdown=page, extra={"oracle": oracle()}, measured_with=provenance({*sources([__name__]), *kernel_sources()}),
    )  # fmt: skip


def counted(found: Sequence[Row]) -> pd.DataFrame:
    """Return how often each outcome occurs, problem by problem."""
    tally = Counter((r["problem"], r["outcome"]) for r in found)
    problems = dict.fromkeys(r["problem"] for r in found)
    return pd.DataFrame([{"problem": p, **{o: str(tally[p, o]) for o in OUTCOMES}} for p in problems])


def unexpected(found: Sequence[Row]) -> pd.DataFrame:
    """Return what is not as expected: one line for each outcome of a kernel, with all its inputs."""
    groups: dict[tuple, list[Row]] = {}
    for r in found:
        if r["outcome"] not in ("ok", "outside"):
            groups.setdefault((r["problem"], r["kernel"], r["outcome"]), []).append(r)
    lines = [(*key, _where(members)) for key, members in groups.items()]
    return pd.DataFrame(lines, columns=["problem", "kernel", "outcome", "where"])


def _where(members: Sequence[Row]) -> str:
    """Write inputs, targets and formats, inputs together that fail alike."""
    formats: dict[tuple, list[str]] = {}
    for r in members:
        formats.setdefault((r["input"], r["target"]), []).append(str(r["format"]))
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for name, _ in formats):
        targets: dict[str, list[str]] = {}
        for (_, target), where in ((k, v) for k, v in formats.items() if k[0] == name):
            only = "" if len(where) == len(NAMES) else f" in {', '.join(where)}"
            targets.setdefault(only, []).append(target)
        said = [(f"y = {', '.join(t)}" if t[0] else "") + only for only, t in targets.items()]
        alike.setdefault("; ".join(s.strip() for s in said), []).append(name)
    return ". ".join(f"{', '.join(names)}{': ' if said else ''}{said}" for said, names in alike.items())
