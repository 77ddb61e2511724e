"""The search stage: the worst input of every kernel of an experiment, found rather than visited.

An experiment with `search` visits no grid.  Its searches are dealt out to shards, each of which writes its
rows as JSON; the table is made of all of them.  A row's maximum is computed again in mpmath like every other
table's, and is a lower bound: no row is `exhaustive`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from mpmath import mp

from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search import SearchResult, search_worst
from harness.search.exchange import exchange
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.tables import contract, writer
from harness.tables.basis import BASES, bases
from harness.tables.rows import CONTRACT, Row, certified_extreme, significant
from harness.tables.text import short
from harness.tables.views import Column, needed, shown
from harness.truth.arb import oracle, oracles
from harness.workflow import files
from harness.workflow.experiments import Experiment, targets_in

# Columns beside the contract's.
FURTHER = (
    *BASES, "sampled_ulp", "improvement", "evaluations_to_best", "interpolated", "seed", "seeds", "least_ulp",
    "found_for",
)  # fmt: skip


def searched(value: str) -> str:
    """Write an error in three digits; an infinite one is more than float64 holds, in which errors are searched."""
    return "> 1.8e+308" if value == "inf" else short(value)


VIEW = (
    *contract.WHAT,
    *contract.LARGEST,
    Column("first sample (ulp)", "sampled_ulp", searched),
    Column("gain", "improvement", searched),
    Column("found after", "evaluations_to_best"),
    Column("least of the seeds (ulp)", "least_ulp", searched),
    Column("found for", "found_for"),
)
Searched = tuple[Problem, Kernel, np.generic | None]  # problem, kernel, target


def searches_of(experiment: Experiment, fmt: Format) -> list[Searched]:
    """Return what is searched: each kernel for each target, or once where targets are searched too."""
    found: list[Searched] = []
    for problem in experiment.problems:
        several = problem.has_target and not experiment.search["joint"]
        targets = list(targets_in(fmt, experiment.targets)) if several else [None]
        found += [(problem, k, t) for k in experiment.kernels[problem.name] for t in targets]
    return found


def search_job(experiment: Experiment, fmt: Format, shard: int, out: Path) -> None:
    """Run every n-th of an experiment's searches in a format, from number `shard` on, n its shards; write their rows as JSON."""
    mine = searches_of(experiment, fmt)[shard :: experiment.shards_of(fmt.name)]
    budget, seeds = experiment.search["budget"], experiment.search["seeds"]
    rows = []
    for problem, kernel, target in mine:
        results = {s: search_worst(problem, kernel, fmt, target, budget, s) for s in seeds}
        rows.append(row(problem, kernel, target, fmt, results))
    files.write_json(out, rows)


def row(
    problem: Problem, kernel: Kernel, target: np.generic | None, fmt: Format, searches: dict[int, SearchResult]
) -> Row:
    """Return a table's row from the searches of one kernel by seed: the worst input of all, computed again in mpmath.

    Beside it the largest error of that seed's first sample and the least that a seed found, both in ulps.
    """
    seed, found = max(searches.items(), key=lambda item: item[1].ulp)  # of equals, the first
    if len(found.point) == 2:  # the target was searched too
        target = fmt.from_ordinal(np.array(found.point[1:]))[0]
    case = Case(problem, kernel.name, kernel, Grid("standard", problem, fmt), target)
    stated: Row = {
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
        "found_for": "",
        "oracle": oracle(),
    }
    return stated | bases(stated)


def search_table_job(experiment: Experiment, parts: list[Path], out: Path) -> None:
    """Make the table of a search from the rows of all its shards, in the order of problems, kernels, formats and targets.

    Worst inputs are exchanged between the rows first, see exchange.py.
    `improvement` is max_ulp / sampled_ulp; empty where the sample saw no error, or one beyond float64.
    """
    rows = [r for part in parts for r in files.read_json(part, "what a search of one shard found")]
    for fmt in experiment.formats:
        exchange([r for r in rows if r["format"] == fmt.name], fmt, experiment.search["joint"])
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
    read = readable(rows)
    extra = {**experiment.search, "oracle": oracles(str(r.get("oracle", "mpmath")) for r in rows)}
    writer.write(
        out.with_suffix(""), rows, (*CONTRACT, *FURTHER), read, experiment.question,
        column_format=writer.wrapped(read), extra=extra,
    )  # fmt: skip


def readable(rows: list[Row]) -> pd.DataFrame:
    """Return what is shown of the rows, without the columns that only a sweep fills."""
    return shown(rows, needed(rows, VIEW))
