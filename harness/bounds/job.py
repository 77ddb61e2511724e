"""The bounds stage: a priori bounds beside what an experiment measured, as a table and as figures.

Nothing is written where a measurement exceeds its bound: the bound or the measurement is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from harness import UsageError
from harness.bounds import table
from harness.bounds.bound import BoundExceeded, Comparison, PieceBounds, Violation, bound_pieces, check_bounds, compare
from harness.bounds.function_errors import MEASURED_AS, FunctionErrors, function_errors
from harness.bounds.inner import AT_EVERY, SAMPLED, KernelPieces, Premises, inner_range
from harness.bounds.pieces import divide
from harness.figures.catalogue import drawn_targets
from harness.kernels import Kernel
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.shards import Shards, merged, shards_in, shards_of
from harness.sweep.summary import Summary
from harness.tables.rows import Row
from harness.truth.arb import oracle
from harness.workflow.experiments import Experiment
from harness.workflow.provenance import of_one_measurement
from harness.workflow.targets import targets_in

CELLS = 2048  # bounded together


@dataclass(frozen=True)
class Exceeded:
    """Name a row of the table that breaks its bound, and the cell where it breaks it."""

    case: Case
    violation: Violation

    @property
    def text(self) -> str:
        """Return where the measurement lies above the bound."""
        case, v = self.case, self.violation
        target = "" if case.target is None else f", target {case.fmt.short(case.target)}"
        at = case.fmt.hex(case.fmt.from_ordinal(np.array([v.input]))[0])
        return (
            f"{case.name} of {case.problem.name} in {case.fmt.name}{target}, input {at}: "
            f"measured {v.measured:.9g} ulp, bound {v.bound:.9g} ulp"
        )


@dataclass
class FormatBounds:
    """Hold what one format gave: rows, violations, and for figures the drawn target's comparisons."""

    fmt: Format
    exhaustive: bool
    functions: dict[str, FunctionErrors]
    source: str  # of the functions' errors: exhaustive or sampled
    rows: list[Row]
    exceeded: list[Exceeded]
    drawn: dict[tuple[str, str], Comparison]  # by problem and kernel, one target

    @cached_property
    def largest(self) -> dict[str, str]:
        """Return the largest error of each function, in ulps, rounded up."""
        return {name: table.upward(float(e.levels[0].max())) for name, e in self.functions.items()}

    @property
    def functions_described(self) -> dict:
        """Return on which errors of the functions the bounds stand, the largest of each in ulps."""
        return {"source": self.source, "max_ulp": self.largest}

    def premises(self, called: Iterable[str], computed: bool) -> Premises:
        """Return what an inner range rests on, given the functions that the kernel calls."""
        source = AT_EVERY if self.source == "exhaustive" else SAMPLED
        return Premises({name: self.largest[name] for name in called}, source, computed)


def figure_names(experiment: Experiment) -> list[str]:
    """Return the stems of the figures of an experiment's bounds, one a problem."""
    return [f"bounds_{experiment.name}_{p.name}" for p in experiment.problems]


def bounds_job(
    experiment: Experiment, inputs: Sequence[Path], exhaustive: Sequence[Path], out: Path, folder: Path
) -> None:
    """Bound every kernel of an experiment, compare with its summaries, write the table and the figures.

    `exhaustive` are summary files of the primitives over every input, for formats that the standard
    grid only samples.  Raises BoundExceeded, and writes nothing, where a measurement lies above its
    bound; UsageError where a summary is missing or of another experiment.
    """
    shards = shards_of(experiment, inputs)
    known, functions_with = _known_functions(exhaustive)
    made_with = shards.provenance
    if functions_with:  # other modules swept them, by the same functions
        of_one_measurement([(inputs[0], made_with), (exhaustive[0], functions_with)], "sweep again", code=False)
    found = [_bounds_in(experiment, fmt, shards, known.get(fmt.name)) for fmt in experiment.formats]
    _raise_if_exceeded(found)
    from harness.bounds.figure import FigureData, draw  # loads the drawing library

    order = {p.name: i for i, p in enumerate(experiment.problems)}
    rows = sorted((r for f in found for r in f.rows), key=lambda r: order[str(r["problem"])])
    target = drawn_targets(experiment)[0]
    for problem, name in zip(experiment.problems, figure_names(experiment)):
        by_format = {
            f.fmt.name: {k.name: f.drawn[problem.name, k.name] for k in experiment.kernels[problem.name]} for f in found
        }
        whole = {f.fmt.name: f.exhaustive for f in found}
        draw(FigureData(problem, target if problem.has_target else None, by_format, whole), folder, name)
    used = {f.fmt.name: f.functions_described for f in found}
    table.write(
        out.with_suffix(""), rows, {"grid": shards.grid, "function_errors": used, "oracle": oracle()}, made_with
    )


def _bounds_in(experiment: Experiment, fmt: Format, shards: Shards, known: dict[str, Summary] | None) -> FormatBounds:
    """Bound and compare all problems and kernels in one format."""
    summaries, grid = merged(shards.paths[fmt.name]), shards.grid
    functions = function_errors(fmt, known)
    whole = known is not None or fmt.bits <= 16
    exhaustive = Grid(grid, experiment.problems[0], fmt).exhaustive
    found = FormatBounds(fmt, exhaustive, functions, "exhaustive" if whole else "sampled", [], [], {})
    for problem in experiment.problems:
        kernels, measured = experiment.kernels[problem.name], summaries[problem.name]
        targets = targets_in(fmt, experiment.targets) if problem.has_target else None
        parts = _in_parts(problem, kernels, fmt, targets, measured[kernels[0].name].cells, functions)
        bounds = {k.name: np.concatenate([bound[k.name] for bound, _ in parts], axis=1) for k in kernels}
        drawn = _drawn_row(fmt, experiment) if problem.has_target else 0
        for k in kernels:
            cases = _cases(problem, k, Grid(grid, problem, fmt, targets), targets)
            held = KernelPieces.joined([pieces for _, pieces in parts], k.name, functions)
            _add(found, cases, measured[k.name], bounds[k.name], held, drawn)
    return found


def _in_parts(
    problem: Problem,
    kernels: Sequence[Kernel],
    fmt: Format,
    targets: np.ndarray | None,
    cells: np.ndarray,
    functions: Mapping[str, FunctionErrors],
) -> list[tuple[dict[str, np.ndarray], PieceBounds]]:
    """Return the bounds of some cells at a time, so that intermediate results stay small: by cell, and by piece."""
    parts = []
    for i in range(0, len(cells), CELLS):
        some = cells[i : i + CELLS]
        found = bound_pieces(problem, kernels, divide(problem, fmt, targets, some), targets, functions)
        parts.append((found.by_cell(len(some)), found))
    return parts


def _cases(problem: Problem, kernel: Kernel, grid: Grid, targets: np.ndarray | None) -> list[Case]:
    chosen = [None] if targets is None else list(targets)
    return [Case(problem, kernel.name, kernel, grid, target) for target in chosen]


def _add(
    found: FormatBounds, cases: list[Case], summary: Summary, bound: np.ndarray, held: KernelPieces, drawn: int
) -> None:
    """Add one kernel's violations, rows and curve."""
    found.exceeded += [Exceeded(cases[v.target], v) for v in check_bounds(summary, bound, found.fmt)]
    both = compare(summary, bound)
    for t, case in enumerate(cases):
        row = table.row_of(case, summary, _only(both, t), t)
        inner = inner_range(case, held, t)
        premises = found.premises(held.called, inner.computed)
        found.rows.append({**row, "function_errors": found.source, **table.inner_columns(case.fmt, inner, premises)})
    found.drawn[cases[0].problem.name, cases[0].name] = _only(both, drawn)


def _only(both: Comparison, t: int) -> Comparison:
    """Return the comparison of one target."""
    return replace(both, bound=both.bound[t : t + 1], measured=both.measured[t : t + 1])


def _raise_if_exceeded(found: list[FormatBounds]) -> None:
    """Raise BoundExceeded naming the worst violation, if there is any."""
    exceeded = [e for f in found for e in f.exceeded]
    if not exceeded:
        return
    worst = max(exceeded, key=lambda e: e.violation.measured / max(e.violation.bound, 2.0**-60))
    more = f" ({len(exceeded)} cells exceed their bounds, this one the most)" if len(exceeded) > 1 else ""
    raise BoundExceeded(f"{worst.text}{more}: one of the two is wrong, and nothing was written")


def _drawn_row(fmt: Format, experiment: Experiment) -> int:
    """Return which row of a summary is the drawn target's."""
    values = targets_in(fmt, experiment.targets)
    return int(np.flatnonzero(values == targets_in(fmt, drawn_targets(experiment)[:1]))[0])


def _known_functions(paths: Sequence[Path]) -> tuple[dict[str, dict[str, Summary]], dict]:
    """Read exhaustive errors of the library's functions, by format, and what they were measured with.

    UsageError where inputs are left out.
    """
    if not paths:
        return {}, {}
    shards = shards_in(paths)
    if shards.grid != "exhaustive":
        raise UsageError(f"{paths[0]} is of the {shards.grid} grid; give summaries of the exhaustive one")
    found: dict[str, dict[str, Summary]] = {}
    for name, files in shards.paths.items():
        summaries = merged(files)
        for problem, kernel in MEASURED_AS.values():
            if kernel not in summaries.get(problem, {}):
                raise UsageError(f"the summaries of the functions in {name} lack {kernel} of {problem}")
        found[name] = {function: summaries[p][k] for function, (p, k) in MEASURED_AS.items()}
    return found, shards.provenance
