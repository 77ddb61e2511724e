"""The search stage: the worst input of every kernel of an experiment, found rather than visited.

An experiment with `search` visits no grid.  Its searches are dealt out to shards, each of which writes what it found,
and what it was measured with, as JSON; table.py makes the table of all of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness import UsageError
from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.search import SearchResult, search_worst
from harness.workflow import files
from harness.workflow.dependencies import sources
from harness.workflow.experiments import Experiment
from harness.workflow.provenance import commit, provenance
from harness.workflow.targets import targets_in

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
    """Run every n-th of an experiment's searches in a format, from number `shard` on, n its shards; write what they find.

    Like a sweep's summaries, the file says of itself what it is of and what it was measured with.
    """
    if not experiment.search:
        raise UsageError(f"{experiment.name} searches nothing: its file has no `search`; harness sweep visits its grid")
    shards = experiment.divided(fmt.name, shard)
    made_with = {**provenance(sources([__name__], experiment)), "commit": commit()}  # as they are when it begins
    budget, seeds = experiment.search["budget"], experiment.search["seeds"]
    found = []
    for problem, kernel, target in searches_of(experiment, fmt)[shard::shards]:
        results = {s: search_worst(problem, kernel, fmt, target, budget, s) for s in seeds}
        found.append(
            {
                "problem": problem.name,
                "kernel": kernel.name,
                "target": "" if target is None else fmt.hex(target),
                "seeds": {str(s): described(result) for s, result in results.items()},
            }
        )
    files.write_sealed(out, {
        "experiment": experiment.name, "experiment_sha256": experiment.digest, "format": fmt.name, "grid": "search",
        "shard": shard, "shards": shards, "targets": experiment.targets, "provenance": made_with, "found": found,
    })  # fmt: skip


def described(found: SearchResult) -> dict[str, object]:
    """Return what is kept of one search, no point where nothing finite was found; errors as text, since JSON has no infinity."""
    return {
        "point": list(found.point),
        "ulp": repr(found.ulp),
        "sampled": repr(found.sampled),
        "evaluations": found.evaluations,
        "interpolated": found.interpolated,
        "evaluations_to_best": found.trace[-1][0] if found.trace else 0,
    }
