"""The table of an experiment that searches: a row for each kernel and target, made of what all shards found.

A row's maximum is computed again in mpmath like every other table's, and is a lower bound: no row is `exhaustive`.
Worst inputs are exchanged between the rows before, see exchange.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mpmath import mp

from harness.kernels import kernel_named
from harness.numbers.formats import Format, format_named
from harness.problems import problem_named
from harness.search.exchange import exchange
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.shards import whole
from harness.tables import contract, writer
from harness.tables.basis import BASES, bases
from harness.tables.identity import identifier
from harness.tables.job import check_agreement
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import CONTRACT, WHERE, Row, certified_extreme, places, significant
from harness.tables.text import short
from harness.tables.usual import is_usual
from harness.tables.views import Column, needed, shown
from harness.truth.arb import oracle
from harness.workflow import files
from harness.workflow.experiments import Experiment

# Columns beside the contract's.
FURTHER = (
    *BASES, "sampled_ulp", "improvement", "evaluations_to_best", "interpolated", "seed", "seeds", "least_ulp",
    "found_for", *WHERE,
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
    Column("id", identifier),
)
KEYS = ("experiment", "targets", "grid", "format", "shard", "shards", "provenance", "found")  # of a shard's file
CAPTION = "The largest errors that a search found, in units in the last place of the format"


def search_table_job(experiment: Experiment, parts: list[Path], out: Path) -> None:
    """Make the table of a search from what all its shards found, in the order of problems, kernels, formats and targets.

    `improvement` is max_ulp / sampled_ulp; empty where the sample saw no error, or one beyond float64.  The sidecar has
    the provenance of the searches.  Raises UsageError where a shard is missing, given twice, or of another search, and
    where an error that is computed again is not what the search found.
    """
    read = [(p, files.read_sealed(p, "what a search of one shard found", "search again", KEYS)) for p in parts]
    shards, told = whole(read, experiment), dict(read)
    rows = []
    for fmt in experiment.formats:
        found = [f for path in shards.paths[fmt.name] for f in told[path]["found"]]
        of_format = [row(f, fmt, shards.provenance) for f in found]
        exchange(of_format, fmt, experiment.search["joint"])
        rows += of_format
    for r in rows:
        if not r["max_ulp"]:
            continue
        sampled = mp.mpf(r["sampled_ulp"])
        r["improvement"] = significant(mp.mpf(r["max_ulp"]) / sampled, 4) if 0 < sampled < mp.inf else ""
        r |= bases(r) | _places(r)
    kernels = [(p.name, k.name) for p in experiment.problems for k in experiment.kernels[p.name]]
    formats = [f.name for f in experiment.formats]
    rows.sort(
        key=lambda r: (
            kernels.index((str(r["problem"]), str(r["kernel"]))),
            formats.index(str(r["format"])),
            float(str(r["target"] or 0)),
        )
    )
    read = readable(rows)
    writer.write(
        out.with_suffix(""), rows, (*CONTRACT, *FURTHER), read, experiment.question,
        caption=CAPTION, measured_with=shards.provenance,
        extra={**experiment.search, "oracle": oracle(), "experiment_sha256": experiment.digest},
    )  # fmt: skip


def _places(r: Row) -> Row:
    """Return the columns of WHERE: the condition number at the worst input, and the usual range's largest error if it is it.

    A search counts no outcomes, and what it finds beyond the usual range says nothing of the usual: these stay empty.
    """
    problem, fmt = problem_named(str(r["problem"])), format_named(str(r["format"]))
    kernel = kernel_named(problem.name, str(r["kernel"]))
    target = fmt.parse(str(r["target"])) if r["target"] else None
    case = Case(problem, kernel.name, kernel, Grid("standard", problem, fmt), target)
    at = int(fmt.ordinal(np.array([fmt.parse(str(r["max_ulp_input"]))]))[0])
    usual = at if is_usual(case, np.array([at]))[0] else None
    return places(case, dict.fromkeys(OUTCOME_INPUTS), usual, r)


def row(found: dict[str, Any], fmt: Format, provenance: dict) -> Row:
    """Return a table's row from the searches of one kernel by seed: the worst input of all, computed again in mpmath.

    Beside it the largest error of that seed's first sample and the least that a seed found, both in ulps.  Where a kernel
    gives nothing finite that could be wrong, the row says how much was tried and no more.
    """
    problem, kernel = problem_named(found["problem"]), kernel_named(found["problem"], found["kernel"])
    target = fmt.dtype.type(float.fromhex(found["target"])) if found["target"] else None
    seeds = found["seeds"]
    seed, best = max(seeds.items(), key=lambda item: float(item[1]["ulp"]))  # of equals, the first
    if target is None and problem.has_target and best["point"]:  # the target was searched too
        target = fmt.from_ordinal(np.array(best["point"][1:]))[0]
    case = Case(problem, kernel.name, kernel, Grid("standard", problem, fmt), target)
    stated: Row = {
        **dict.fromkeys((*CONTRACT, *FURTHER), ""),
        "problem": problem.name,
        "kernel": kernel.name,
        "format": fmt.name,
        "target": "" if target is None else fmt.short(target),
        "grid": "search",
        "points": sum(f["evaluations"] for f in seeds.values()),
        "exhaustive": "false",
        "interpolated": sum(f["interpolated"] for f in seeds.values()),
        "seed": int(seed),
        "seeds": len(seeds),
    }
    if best["point"]:
        stated |= certified_extreme(case, best["point"][0])
        stated |= {
            "sampled_ulp": significant(float(best["sampled"])),
            "evaluations_to_best": best["evaluations_to_best"],
            "least_ulp": significant(min(float(f["ulp"]) for f in seeds.values())),
        }
        check_agreement(stated, fmt, float(best["ulp"]), provenance)
    return stated


def readable(rows: list[Row]) -> pd.DataFrame:
    """Return what is shown of the rows, without the columns that only a sweep fills."""
    return shown(rows, needed(rows, VIEW))
