"""What is asked of every system: formats, targets, and inputs; and the inputs as arrays that travel.

A system is called once for each format and target, on the inputs of the grid followed by the probes, the
round numbers that pages cite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from harness import UsageError
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.sweep.grid import Grid
from harness.systems.registry import ALL_FORMATS, System, systems_of
from harness.workflow.targets import targets_in

QUESTION = "How wrong are the losses of real libraries, as they are called?"
# Formats and targets of each grid; soft targets only of systems that take them.
ASKED = {"standard": (ALL_FORMATS, ("0", "1", "0.1")), "quick": (("float16", "float32"), ("0", "1"))}
HARD = ("0", "1")
# Logits that pages cite: halves up to 20, where models work, then every second number up to 112, beyond
# the clamp at 100 and float32's least number, e^-103.3.
NEAR = 20.0
_HALVES = np.arange(0, 2 * NEAR + 1) / 2
LOGIT_PROBES = np.concatenate([-np.arange(112, 20, -2.0), -_HALVES[:0:-1], _HALVES, np.arange(22, 114, 2.0)])
# Probabilities that pages cite: the powers of ten up to a half, and the same next to 1, and 0 and 1.
_TENTHS = 10.0 ** -np.arange(1, 17)
PROBABILITY_PROBES = np.concatenate([[0.0], _TENTHS[::-1], [0.5], 1 - _TENTHS, [1.0]])


def near_values(problem: Problem, count: int) -> np.ndarray:
    """Return that many inputs whose logits are evenly spread over ±NEAR."""
    logits = np.linspace(-NEAR, NEAR, count)
    return 1 / (1 + np.exp(-logits)) if problem.input == "probability" else logits


@dataclass(frozen=True, eq=False)
class Inputs:
    """Hold what a system is called with in one problem and format, thinned to `most` inputs.

    `ordinals` are the grid's inputs in value order, shape (n,); `x` are these inputs and then the probes.
    """

    grid: Grid
    most: int | None

    @cached_property
    def probes(self) -> np.ndarray:
        """Return the probes that the format and the domain have, each once."""
        values = PROBABILITY_PROBES if self.grid.problem.input == "probability" else LOGIT_PROBES
        rounded = np.unique(values.astype(self.grid.fmt.dtype).astype(np.float64))
        return rounded.astype(self.grid.fmt.dtype)

    @cached_property
    def ordinals(self) -> np.ndarray:
        """Return the grid's inputs, evenly thinned in value order where there are too many."""
        every = self.grid.ordinals()
        room = len(every) if self.most is None else self.most - len(self.probes)
        if room >= len(every):
            return every
        kept = np.append(self.grid.zeros, self.grid.centre)
        some = every[np.unique(np.linspace(0, len(every) - 1, room - len(kept)).astype(np.int64))]
        return np.union1d(some, kept)

    @cached_property
    def x(self) -> np.ndarray:
        """Return the inputs as one array of the format."""
        return np.concatenate([self.grid.fmt.from_ordinal(self.ordinals), self.probes])

    @property
    def exhaustive(self) -> bool:
        """Tell whether every input of the format is there."""
        return self.grid.exhaustive and self.most is None

    @cached_property
    def near(self) -> np.ndarray:
        """Tell which of the grid's inputs have a logit of at most NEAR in size; shape (n,)."""
        v = self.grid.fmt.from_ordinal(self.ordinals).astype(np.float64)
        if self.grid.problem.input != "probability":
            return np.abs(v) <= NEAR
        least = 1 / (1 + math.exp(NEAR))
        return (v >= least) & (1 - v >= least)


@dataclass(frozen=True)
class Combination:
    """Name one row of the table: a system in one format at one target (None where the problem has none).

    `given` is the target that the system is called with, `effective` the one that its label smoothing
    makes of it, at which the truth is taken; both 0-D arrays of the format.
    """

    system: System
    problem: Problem
    inputs: Inputs
    given: np.ndarray | None
    effective: np.ndarray | None

    @property
    def fmt(self) -> Format:
        """Return the working format, in which the system gets its inputs."""
        return self.inputs.grid.fmt

    @property
    def target(self) -> np.generic | None:
        """Return the effective target as a number of the format."""
        return None if self.effective is None else self.fmt.round(float(self.effective))


def combinations(library: str, grid: str) -> list[Combination]:
    """Return the rows that a library owes; UsageError for an unknown library or a grid that is not offered."""
    if grid not in ASKED:
        raise UsageError(f"systems are swept on the grids {' and '.join(ASKED)}, not on {grid!r}")
    return [
        Combination(system, problem, inputs(system.problem, name, grid, system.max_points, effective), *target)
        for system in systems_of(library)
        for problem in [problem_named(system.problem)]
        for name in ASKED[grid][0]
        if name in system.formats
        for asked in [targets(system, problem, format_named(name), grid)]
        for effective in [tuple(float(y) for _, y in asked if y is not None and problem.zero)]
        for target in asked
    ]


def targets(system: System, problem: Problem, fmt: Format, grid: str) -> list[tuple]:
    """Return pairs of given and effective targets; a pair of None where the problem has no target."""
    if not problem.has_target:
        return [(None, None)]
    found = []
    for given in targets_in(fmt, HARD if system.hard_targets else ASKED[grid][1]):
        exact = system.effective_target(float(given))
        effective = fmt.round(exact)
        if float(effective) != exact:
            raise ValueError(f"{system.key}: the smoothed target {exact} is not a number of {fmt.name}")
        found.append((np.array(given), np.array(effective)))
    return found


@cache
def inputs(problem: str, fmt: str, grid: str, most: int | None, effective: tuple[float, ...] = ()) -> Inputs:
    """Return the inputs of a problem in a format for the targets at which the truth is taken, the same object each time.

    It is sent to a library once.
    """
    return Inputs(Grid(grid, problem_named(problem), format_named(fmt), effective), most)
