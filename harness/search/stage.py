"""The search stage: the worst input of every kernel of an experiment, found rather than visited."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from harness import store, tables
from harness.experiments import Experiment, targets_in
from harness.formats import Format
from harness.grids import Grid
from harness.kernels import Kernel
from harness.problems import Problem
from harness.rows import CONTRACT, Case, Row, certified_extreme, significant
from harness.search.worst import Found, search

FURTHER = ("sampled_ulp", "improvement", "evaluations_to_best", "interpolated", "seed")
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
    budget, seed = experiment.search["budget"], experiment.search["seed"]
    rows = [row(*task, fmt, search(*task[:2], fmt, task[2], budget, seed), seed) for task in mine]
    store.write_json(out, rows)


def row(problem: Problem, kernel: Kernel, target: np.generic | None, fmt: Format, found: Found, seed: int) -> Row:
    """Return a table's row: the worst input certified, and what the search gained over its sample."""
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
        "points": found.evaluations,
        "exhaustive": "false",
        **certified_extreme(case, found.point[0]),
        "sampled_ulp": significant(found.sampled),
        "improvement": significant(found.ulp / found.sampled if found.sampled > 0 else np.nan, 4),
        "evaluations_to_best": found.trace[-1][0],
        "interpolated": found.interpolated,
        "seed": seed,
    }


def search_table_job(experiment: Experiment, parts: list[Path], out: Path) -> None:
    """Make the table of a search from the rows of all its shards, in the order of the tasks."""
    rows = [r for part in parts for r in json.loads(part.read_text(encoding="utf-8"))]
    kernels = [(p.name, k.name) for p in experiment.problems for k in experiment.kernels[p.name]]
    formats = [f.name for f in experiment.formats]
    rows.sort(
        key=lambda r: (
            kernels.index((r["problem"], r["kernel"])),
            formats.index(r["format"]),
            float(r["target"] or 0),
        )
    )
    tables.write(out.with_suffix(""), rows, experiment.question, (*CONTRACT, *FURTHER), {"search": experiment.search})
