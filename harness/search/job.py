"""The search stage: the worst input of every kernel of an experiment, found rather than visited."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from mpmath import mp

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search.worst import Found, search
from harness.sweep.grid import Grid
from harness.tables import writer
from harness.tables.rows import CONTRACT, Case, Row, certified_extreme, significant
from harness.truth.arb import oracle, oracles
from harness.workflow import files
from harness.workflow.experiments import Experiment, targets_in

# Columns beside the contract's, and how they and those of it that a search fills are headed for reading.
FURTHER = ("sampled_ulp", "improvement", "evaluations_to_best", "interpolated", "seed", "seeds", "least_ulp")
HEADINGS = {
    "sampled_ulp": "first sample (ulp)",
    "improvement": "gain",
    "evaluations_to_best": "found after",
    "least_ulp": "least of the seeds (ulp)",
}
Task = tuple[Problem, Kernel, np.generic | None]


def tasks(experiment: Experiment, fmt: Format) -> list[Task]:
    """Return what is searched: each kernel for each target, or once where targets are searched too."""
    found: list[Task] = []
    for problem in experiment.problems:
        several = problem.has_target and not experiment.search["joint"]
        targets = list(targets_in(fmt, experiment.targets)) if several else [None]
        found += [(problem, k, t) for k in experiment.kernels[problem.name] for t in targets]
    return found


def search_job(experiment: Experiment, fmt: Format, shard: int, out: Path) -> None:
    """Search one shard of an experiment's tasks in a format and write their rows as JSON."""
    mine = tasks(experiment, fmt)[shard :: experiment.shards_of(fmt.name)]
    budget, seeds = experiment.search["budget"], experiment.search["seeds"]
    rows = [row(*task, fmt, {s: search(*task[:2], fmt, task[2], budget, s) for s in seeds}) for task in mine]
    files.write_json(out, rows)


def row(problem: Problem, kernel: Kernel, target: np.generic | None, fmt: Format, searches: dict[int, Found]) -> Row:
    """Return a table's row: the worst input of all seeds certified, what was gained over the sample, and how well the seeds agree."""
    seed, found = max(searches.items(), key=lambda item: item[1].ulp)  # of equals, the first
    if len(found.point) == 2:  # the target was searched too
        target = fmt.from_ordinal(np.array(found.point[1:]))[0]
    case = Case(problem, kernel.name, kernel, Grid("standard", problem, fmt), target)
    return {
        **dict.fromkeys(CONTRACT, ""),
        "problem": problem.name,
        "kernel": kernel.name,
        "format": fmt.name,
        "target": "" if target is None else fmt.short(target),
        "grid": "search",
        "points": sum(f.evaluations for f in searches.values()),
        "exhaustive": "false",
        **certified_extreme(case, found.point[0]),
        "sampled_ulp": significant(found.sampled),
        "evaluations_to_best": found.trace[-1][0],
        "interpolated": sum(f.interpolated for f in searches.values()),
        "seed": seed,
        "seeds": len(searches),
        "least_ulp": significant(min(f.ulp for f in searches.values())),
        "oracle": oracle(),
    }


def search_table_job(experiment: Experiment, parts: list[Path], out: Path) -> None:
    """Make the table of a search from the rows of all its shards, in the order of the tasks."""
    rows = [r for part in parts for r in json.loads(part.read_text(encoding="utf-8"))]
    for r in rows:
        sampled = mp.mpf(r["sampled_ulp"])
        r["improvement"] = significant(mp.mpf(r["max_ulp"]) / sampled, 4) if 0 < sampled < mp.inf else ""
    kernels = [(p.name, k.name) for p in experiment.problems for k in experiment.kernels[p.name]]
    formats = [f.name for f in experiment.formats]
    rows.sort(
        key=lambda r: (
            kernels.index((r["problem"], r["kernel"])),
            formats.index(r["format"]),
            float(r["target"] or 0),
        )
    )
    shown = readable(rows)
    extra = {**experiment.search, "oracle": oracles(str(r.get("oracle", "mpmath")) for r in rows)}
    writer.write_frame(out.with_suffix(""), rows, (*CONTRACT, *FURTHER), shown, experiment.question, extra)


def readable(rows: list[Row]) -> pd.DataFrame:
    """Return the rows as a reader wants them, without the columns that only a sweep fills."""
    frame = writer.readable(rows).drop(columns=[writer.READING[c] for c in ("mean", "correct", "spurious", "safe")])
    for name, heading in HEADINGS.items():
        frame[heading] = [writer.short(r[name]) if name != "evaluations_to_best" else str(r[name]) for r in rows]
    return frame.replace("inf", "> 1.8e+308")  # more than float64 holds, in which errors are searched
