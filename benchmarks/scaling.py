"""Time sweeps of growing size, and two processes against one.

    python benchmarks/scaling.py [LOG2_OF_THE_LARGEST]

All kernels of bce_logits in float32 with targets 0 and 1, on so many inputs in whole cells that
are spread over the range, so that cost per input is that of the exhaustive sweep.
"""

import argparse
import resource
import statistics
import time
from multiprocessing import get_context

from harness.workflow.targets import targets_in
from harness.numbers.formats import format_named
from harness.sweep.grid import Grid
from harness.kernels import kernels_of
from harness.problems import problem_named
from harness.sweep.streaming import sweep

import numpy as np


PAIRS, PAIRED = 5, 23  # of two processes and one, in turns; log2 of the inputs of each


def run(log2: int, part: int = 0, parts: int = 1) -> float:
    """Sweep 2^log2 inputs, or one part of their cells; return seconds."""
    fmt, problem = format_named("float32"), problem_named("bce_logits")
    grid = Grid("exhaustive", problem, fmt)
    count = max(1, (1 << log2) >> fmt.cell_shift)
    cells = np.unique(np.linspace(0, len(grid.cells) - 1, count).astype(int))
    began = time.perf_counter()
    sweep(problem, kernels_of(problem.name), grid, targets_in(fmt, ("0", "1")), grid.cells[cells[part::parts]])
    return time.perf_counter() - began


def main(largest: int) -> None:
    """Print inputs per second by size, peak memory, and the speed-up of two processes."""
    kernels = len(kernels_of("bce_logits"))
    for log2 in range(20, largest + 1, 2):
        seconds = run(log2)
        rate = 2**log2 / seconds
        print(
            f"2^{log2} inputs: {seconds:7.2f} s, {rate:.3g} inputs/s, {1e9 / rate / kernels / 2:.1f} ns per kernel and target"
        )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    with get_context("spawn").Pool(2) as pool:
        pool.starmap(run, [(20, 0, 1)] * 2)  # start both workers
        ratios = []
        for _ in range(PAIRS):
            began = time.perf_counter()
            pool.starmap(run, [(PAIRED, 0, 2), (PAIRED, 1, 2)])
            between = time.perf_counter()
            pool.apply(run, (PAIRED,))
            ratios.append((time.perf_counter() - between) / (between - began))
    print(
        f"two processes are {statistics.median(ratios):.2f} times as fast as one"
        f" (median of {PAIRS} pairs of 2^{PAIRED} inputs, {min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log2_of_the_largest", nargs="?", type=int, default=24)
    main(parser.parse_args().log2_of_the_largest)
