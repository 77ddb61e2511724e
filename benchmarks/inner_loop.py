"""Time the sweep's inner loop: nanoseconds per kernel and value, by stage.

    python benchmarks/inner_loop.py [FORMAT] [PROBLEM]

Each kernel is swept by itself over the same cells, so that nothing is shared; the last lines are of all kernels in one
sweep, where results that agree are measured once.  Kernel and measures take turns block by block, so that their
ratio holds on a noisy machine.
"""

import argparse

from harness.workflow.targets import targets_in
from harness.numbers.formats import format_named
from harness.sweep.grid import Grid
from harness.kernels import kernels_of
from harness.problems import problem_named
from harness.sweep.streaming import sweep

import numpy as np

# Where floats lie: the middle of the range, the active part, and the saturated tails.
INPUTS = (1e-20, 0.01, 0.7, 3.0, 9.0, 15.0, 40.0, 80.0, 1e9)


def main(format_name: str, problem_name: str) -> None:
    """Print a line for each kernel, and the mean of a sweep of all."""
    fmt, problem = format_named(format_name), problem_named(problem_name)
    grid = Grid("exhaustive" if fmt.bits <= 32 else "standard", problem, fmt)
    targets = targets_in(fmt, ("0", "1")) if problem.has_target else None
    lo, hi = problem.domain
    inside = [s * v for v in INPUTS for s in (-1, 1) if lo <= s * v <= hi and abs(v) < fmt.max]
    cells = np.unique(fmt.cell(fmt.ordinal(np.array(inside).astype(fmt.dtype))))
    values = grid.size(cells) * (1 if targets is None else len(targets))
    kernels = kernels_of(problem.name)

    def report(name: str, some: list) -> float:
        """Sweep some kernels and print a line; return the reference's nanoseconds per kernel and value."""
        clock = sweep(problem, some, grid, targets, cells).clock
        kernel, errors, reference = (
            clock.spent[stage] / values / len(some) for stage in ("kernel", "errors", "reference")
        )
        print(f"{name:32s} {kernel:8.2f} {errors:8.2f} {errors / kernel:6.2f}", flush=True)
        return reference

    print(f"{problem.name} in {fmt.name}, {values} values of {len(cells)} cells; ns per kernel and value")
    print(f"{'kernel':32s} {'kernel':>8s} {'errors':>8s} {'ratio':>6s}")
    for kernel in kernels:
        report(kernel.name, [kernel])
    print(f"the reference, which they share: {report('all in one sweep', kernels):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format", nargs="?", default="float32")
    parser.add_argument("problem", nargs="?", default="bce_logits")
    asked = parser.parse_args()
    main(asked.format, asked.problem)
