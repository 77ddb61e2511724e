"""Time the sweep's inner loop: nanoseconds per kernel and point, by stage.

    python benchmarks/inner_loop.py [FORMAT] [PROBLEM]

Each kernel is also timed by itself on the same blocks, in turn with the measures, so that their
ratio holds on a noisy machine.
"""

import sys
import time

from harness.errors import measure
from harness.experiments import targets_in
from harness.formats import format_named
from harness.grids import Grid
from harness.kernels import kernels_of
from harness.memory import keep_freed_memory
from harness.problems import problem_named
from harness.summary import Summary
from harness.sweep import BUDGET
from harness.tiers import evaluate

import numpy as np


REPEATS = 7
# Where floats lie: the middle of the range, the active part, and the saturated tails.
LOGITS = (1e-20, 0.01, 0.7, 3.0, 9.0, 15.0, 40.0, 80.0, 1e9)


def best(function, *arguments) -> float:
    """Return the least time of several calls, in nanoseconds."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter_ns()
        function(*arguments)
        times.append(time.perf_counter_ns() - began)
    return min(times)


def digest(summary, block, computed, exact, nonnegative) -> None:
    """Measure and summarise one block, as the sweep does."""
    summary.update(block, measure(computed, exact, nonnegative), BUDGET)


def main(format_name: str = "float32", problem_name: str = "bce_logits") -> None:
    """Print a line for each kernel and the mean of all."""
    fmt, problem = format_named(format_name), problem_named(problem_name)
    grid = Grid("exhaustive" if fmt.bits <= 32 else "standard", problem, fmt)
    targets = targets_in(fmt, ("0", "1"))[:, None]
    centres = fmt.ordinal(np.array([s * v for v in LOGITS for s in (-1, 1)]).astype(fmt.dtype))
    blocks = [next(iter(grid.blocks(np.array([cell])))) for cell in np.unique(fmt.cell(centres))]
    inputs = [fmt.from_ordinal(b.ordinals)[None, :] for b in blocks]
    values = sum(x.size * len(targets) for x in inputs)
    np.seterr(all="ignore")
    keep_freed_memory()  # as sweeps do
    reference = sum(best(evaluate, problem, fmt, x, targets) for x in inputs) / values
    exacts = [evaluate(problem, fmt, x, targets) for x in inputs]
    print(
        f"{problem.name} in {fmt.name}, {len(blocks)} blocks of {blocks[0].ordinals.size} inputs, 2 targets; ns per value"
    )
    print(f"{'kernel':32s} {'kernel':>8s} {'errors':>8s} {'ratio':>6s}")
    totals = np.zeros(2)
    kernels = kernels_of(problem.name)
    for kernel in kernels:
        spent = np.zeros(2)
        for block, x, exact in zip(blocks, inputs, exacts):
            computed = np.broadcast_to(kernel(x, targets), exact.value.shape)
            summary = Summary(len(targets), np.array([0]))
            block.first = 0
            measured = best(digest, summary, block, computed, exact, problem.nonnegative)
            spent += best(kernel, x, targets), measured
        totals += spent
        print(f"{kernel.name:32s} {spent[0] / values:8.2f} {spent[1] / values:8.2f} {spent[1] / spent[0]:6.2f}")
    totals /= values * len(kernels)
    print(f"{'mean of all kernels':32s} {totals[0]:8.2f} {totals[1]:8.2f} {totals[1] / totals[0]:6.2f}")
    print(f"reference: {reference:.2f} ns per value, {reference / len(kernels):.2f} per kernel")


if __name__ == "__main__":
    main(*sys.argv[1:])
