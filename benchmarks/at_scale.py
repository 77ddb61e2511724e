"""What float64 would cost at 10^12 and 10^14 inputs: core hours, shards, storage, merging, from measured rates.

    PYTHONPATH=. python benchmarks/at_scale.py results/summaries            prints the table, within a minute
    PYTHONPATH=. python benchmarks/at_scale.py results/summaries --write    and writes it into docs/howto/cluster.md

Time goes with the inputs: some cells, spread over all, are swept with few inputs each and with many, and what the
difference takes is the cost of one more, with all kernels and targets.  What a sweep leaves does not go with the inputs: it
is a summary for each cell, kernel and target, and all shards together have the same cells however many inputs each
holds.  That is taken from summary files that there are, which are merged here.  Only what every file has besides, and
the time to open it, goes with the number of shards.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import harness  # noqa: F401  before NumPy, whose loops it chooses
from generated import put_between, table
from harness.numbers.formats import format_named
from harness.sweep import stored
from harness.sweep.grid import BLOCK, POINTS_PER_CELL, Grid
from harness.sweep.shards import merged
from harness.sweep.streaming import sweep
from harness.workflow import experiments
from harness.workflow.experiments import Experiment
from harness.workflow.targets import targets_in

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "howto" / "cluster.md"
INPUTS = (10**12, 10**14)
BITS = 64
SOME_CELLS, FEW = 16, 8
HOUR = 3600.0
SHARD_HOURS = 1.0  # that a shard should take: queues take such jobs soon, and one that is lost costs little
HEADINGS = (
    "inputs",
    "share of all",
    "inputs a cell",
    "core hours",
    "shards",
    "hours a shard",
    "MiB of summaries",
    "seconds to merge",
)


@dataclass(frozen=True)
class Measured:
    """Hold what the sweeps of all shards of one format took and left, and what merging them took."""

    cells: int
    kernels: int
    targets: int
    rate: float  # nanoseconds of a core for one more input, with all kernels and targets
    held: int  # bytes of summaries
    besides: float  # bytes that a file has besides
    merging: float  # seconds, for all cells
    opening: float  # seconds, for a file


@dataclass(frozen=True)
class Needed:
    """Hold what so many inputs need: core hours, shards, bytes of summaries, seconds to merge."""

    inputs: int
    core_hours: float
    shards: int
    size: float
    merging: float


def seconds(experiment: Experiment, inputs: int) -> float:
    """Return the processor time of a sweep of some cells with so many inputs each."""
    (problem,), fmt = experiment.problems, format_named("float64")
    targets = targets_in(fmt, experiment.targets) if problem.has_target else None
    before, POINTS_PER_CELL["standard"][BITS] = POINTS_PER_CELL["standard"][BITS], inputs
    try:
        grid = Grid("standard", problem, fmt, targets)
        began = time.process_time()
        sweep(problem, experiment.kernels[problem.name], grid, targets, grid.cells[1 :: len(grid.cells) // SOME_CELLS])
        return time.process_time() - began
    finally:
        POINTS_PER_CELL["standard"][BITS] = before


def rate(experiment: Experiment) -> float:
    """Return nanoseconds of a core for one more input of a cell, with all kernels and targets."""
    seconds(experiment, FEW)  # what is made once is made before
    few, many = (seconds(experiment, inputs) for inputs in (FEW, BLOCK))
    return (many - few) * 1e9 / (SOME_CELLS * (BLOCK - FEW))


def measured(experiment: Experiment, paths: Sequence[Path]) -> Measured:
    """Sweep some cells, and read and merge all shards of the experiment in float64, each under a clock."""
    began = time.process_time()
    told = [stored.read_description(path) for path in paths]
    opening = (time.process_time() - began) / len(paths)
    began = time.process_time()
    (by_kernel,) = merged(paths).values()
    merging = time.process_time() - began
    held = sum(
        m.compress_size for path in paths for m in zipfile.ZipFile(path).infolist() if m.filename.endswith(".npy")
    )
    one = next(iter(by_kernel.values()))
    return Measured(
        cells=len(one.cells), kernels=len(by_kernel), targets=len(told[0]["targets"]),
        rate=rate(experiment),
        held=held, besides=(sum(path.stat().st_size for path in paths) - held) / len(paths),
        merging=merging, opening=opening,
    )  # fmt: skip


def needed(inputs: int, of: Measured) -> Needed:
    """Return what so many inputs need: shards of an hour, or as many as there are cells, since a cell is never divided."""
    core_hours = inputs * of.rate * 1e-9 / HOUR
    shards = min(math.ceil(core_hours / SHARD_HOURS), of.cells)
    return Needed(inputs, core_hours, shards, of.held + shards * of.besides, of.merging + shards * of.opening)


def rows(of: Measured) -> list[list[str]]:
    """Return the table's lines, one for each number of inputs."""
    return [
        [f"10^{round(math.log10(n.inputs))}", f"{n.inputs / 2.0**BITS:.1e}", f"{n.inputs / of.cells:,.0f}",
         f"{n.core_hours:,.0f}", f"{n.shards:,}", f"{n.core_hours / n.shards:.1f}", f"{n.size / 2**20:,.0f}", f"{n.merging:,.0f}"]
        for n in (needed(inputs, of) for inputs in INPUTS)
    ]  # fmt: skip


def text(of: Measured) -> str:
    """Return what is written into the page."""
    return (
        f"Measured: {of.kernels} kernels, {of.targets} targets, {of.cells:,} cells. One more input with all of them costs "
        f"{of.rate:,.0f} ns of one core, {of.rate / of.kernels / of.targets:.0f} ns a result. Summaries take "
        f"{of.held / 2**20:,.0f} MiB and merge in {of.merging:.1f} s.\n\n{table(HEADINGS, rows(of))}"
    )


def main() -> int:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("summaries", type=Path, help="a folder of summaries, as results/summaries")
    parser.add_argument("--experiment", default="logits", help="an experiment of one problem that has float64")
    parser.add_argument("--write", action="store_true", help="write the table into docs/howto/cluster.md")
    asked = parser.parse_args()
    paths = sorted(asked.summaries.glob(f"{asked.experiment}.float64.*.npz"))
    if not paths:
        parser.error(f"{asked.summaries} has no {asked.experiment}.float64.*.npz; run make first")
    found = text(measured(experiments.load(ROOT / "experiments" / f"{asked.experiment}.yaml"), paths))
    print(found)
    if asked.write:
        put_between(PAGE, "benchmarks/at_scale.py", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
