"""Which summary files belong together: a sweep is run in shards, one file each, and read again as a whole.

Every file says of itself which experiment, format, targets and grid it is of, which of how many shards, and what it was
measured with.  Files are put together by that; their names say nothing.  Those of an experiment that was edited in the
meantime are refused, and so are those of different versions, sources or functions: a table is of one sweep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import UsageError
from harness.sweep import stored
from harness.sweep.summary import Summary, merge
from harness.workflow.experiments import Experiment
from harness.workflow.provenance import of_one_measurement

File = tuple[Path, dict]  # a summary file and what it says of itself


@dataclass(frozen=True)
class Shards:
    """Hold the summary files of one sweep: its grid, by format the files of all its shards in order, and its provenance.

    `provenance` is what all were measured with, see workflow/provenance.py, without the commit.
    """

    grid: str
    paths: dict[str, list[Path]]
    provenance: dict = field(default_factory=dict, compare=False)


def shards_of(experiment: Experiment, paths: Sequence[Path]) -> Shards:
    """Return the complete shards of an experiment's formats among summary files, in any order.

    Raises UsageError for a shard that is missing or given twice, a file of another experiment, other targets or
    another grid than the first, one that lacks a kernel of the experiment, one swept when the experiment said
    something else, and one measured with other versions, sources or functions than the first.
    """
    files = [(path, stored.read_description(path)) for path in paths]
    if files:
        _alike(files, experiment.name, experiment.targets)
    for path, told in files:
        _with_kernels(path, told, experiment)
    return whole(files, experiment)


def whole(files: Sequence[File], experiment: Experiment) -> Shards:
    """Return the complete shards of an experiment's formats among files of any kind that say of themselves what they are of.

    Raises UsageError as `shards_of` does, which also looks at the kernels.
    """
    if not files:
        raise UsageError(f"0 shards of {experiment.name} in {experiment.formats[0].name} were given; give each once")
    _alike(files, experiment.name, experiment.targets)
    found = {f.name: _in_order(files, f.name, experiment.name) for f in experiment.formats}
    return Shards(files[0][1]["grid"], found, _of_one_sweep(files, experiment.digest))


def shards_in(paths: Sequence[Path]) -> Shards:
    """Return the complete shards of every format that summary files of one experiment, whichever it is, are of.

    Raises UsageError for no file at all, and as `shards_of` does.
    """
    if not paths:
        raise UsageError("no summary file was given; sweep first")
    files = [(path, stored.read_description(path)) for path in paths]
    first = files[0][1]
    _alike(files, first["experiment"], first["targets"])
    formats = dict.fromkeys(told["format"] for _, told in files)
    found = {f: _in_order(files, f, first["experiment"]) for f in formats}
    return Shards(first["grid"], found, _of_one_sweep(files, first.get("experiment_sha256", "")))


def merged(paths: Sequence[Path]) -> dict[str, dict[str, Summary]]:
    """Read the shards of one format and merge them: {problem: {kernel: summary}}.

    Raises UsageError where a file is damaged; ValueError where two files share a cell.
    """
    parts = [stored.read_summaries(p)[0] for p in paths]
    return {
        problem: {kernel: merge([part[problem][kernel] for part in parts]) for kernel in parts[0][problem]}
        for problem in parts[0]
    }


def _alike(files: Sequence[File], experiment: str, targets: list[str]) -> None:
    """Raise UsageError unless all files are of this experiment with these targets, and of one grid."""
    for path, told in files:
        asked = (experiment, targets, files[0][1]["grid"])
        if (told["experiment"], told["targets"], told["grid"]) != asked:
            raise UsageError(f"{path} is of another experiment, targets or grid than {asked}; sweep again")


def _in_order(files: Sequence[File], fmt: str, experiment: str) -> list[Path]:
    """Return the files of a format in the order of their shards; UsageError unless each is there once."""
    mine = sorted((told["shard"], told["shards"], path) for path, told in files if told["format"] == fmt)
    given, of = [shard for shard, _, _ in mine], f"{experiment} in {fmt}"
    divisions = sorted({shards for _, shards, _ in mine})
    if len(divisions) > 1:
        raise UsageError(f"{of} is divided into {' and into '.join(map(str, divisions))} shards; sweep again")
    for shard in given:
        if given.count(shard) > 1:
            raise UsageError(f"shard {shard} of {of} was given twice; give each once")
    if not divisions or len(given) != divisions[0]:
        count = f"{len(given)} of {divisions[0]}" if divisions else "0"
        raise UsageError(f"{count} shards of {of} were given; give each once")
    return [path for _, _, path in mine]


def _of_one_sweep(files: Sequence[File], digest: str) -> dict:
    """Return what all files were measured with; UsageError where they differ, or are of an experiment as it was once."""
    for path, told in files:
        if "experiment_sha256" not in told:
            raise UsageError(f"{path} does not say what the experiment was when it was swept; sweep again")
        if told["experiment_sha256"] != digest:
            raise UsageError(f"{path} was swept when {told['experiment']} said something else than now; sweep again")
    return of_one_measurement([(path, told["provenance"]) for path, told in files], "sweep again")


def _with_kernels(path: Path, told: Mapping, experiment: Experiment) -> None:
    """Raise UsageError where a file lacks a kernel of the experiment."""
    for problem in experiment.problems:
        for kernel in experiment.kernels[problem.name]:
            if kernel.name not in told["kernels"].get(problem.name, ()):
                raise UsageError(f"{path} lacks {kernel.name} of {problem.name}; sweep again")
