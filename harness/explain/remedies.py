"""Find the form that avoids an error: a built-in kernel of the same problem that holds for every input measured.

Many a bad kernel happens to be right at one input; such a one is no advice.  So a cure is named only where its
figure, over the whole row of a table (a problem, format and target), stays within the budget without a spurious
outcome.  Where there is none, the kernel that comes closest is named with its figure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context
from functools import cache, cached_property, lru_cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.kernels import Kernel, kernels_of
from harness.numbers.distinct import distinct
from harness.numbers.formats import Format, format_named
from harness.problems import PROBLEMS, Problem, gradient_of, problem_named
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET, audited, largest_errors
from harness.sweep.summary import LargestErrors
from harness.truth.certified import error_in_ulp, truth
from harness.truth.errors import SPURIOUS
from harness.truth.fast import evaluate

FEW_CELLS = 24  # in which most kernels that cure nothing fail
AUDITED_SHARE = 3  # of a weighted problem, or one of one's own, each target is audited at every third point
LITTLE_ULP = 2 * BUDGET  # what errs by no more is worth its fewer outcomes, even beside a smaller error
MOST_ULP = 1e99  # no one can meet a larger error: it is written as more than this

Array = np.ndarray


def compute(function: Callable[..., Any], *inputs: Array) -> Array:
    """Run a kernel on inputs of shape (1, n) and a target of shape (1, 1); shape (n,)."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(function(*inputs), inputs[0].shape)[0]


def total_ulp(fmt: Format, computed: float, exact: mpmath.mpf) -> mpmath.mpf:
    """Return the error of a computed value in ulps; 0 where an overflow is the correct rounding.

    Infinite where just one of the two is finite, or the computed value is NaN.
    """
    if math.isfinite(computed) and mpmath.isfinite(exact):
        return error_in_ulp(fmt, computed, exact)
    return mp.mpf(0) if np.array_equal(computed, float(fmt.round(exact)), equal_nan=True) else mp.inf


def critical(problem: Problem, fmt: Format) -> Array:
    """Return the problem's critical points as numbers of the format."""
    points = {float(fmt.round(v)) for v in problem.critical_points(fmt)}
    return np.array(sorted(v for v in points if math.isfinite(v))).astype(fmt.dtype)


@lru_cache(maxsize=4096)  # many kernels are worst at the same input
def exact_at(problem_name: str, values: tuple[float, ...]) -> mpmath.mpf:
    """Return the truth at an input, and target."""
    return truth(problem_named(problem_name), tuple(mp.mpf(v) for v in values))


@dataclass(frozen=True)
class KernelFigure:
    """Hold what is known of one kernel over a whole row: its largest ulp error, and how many spurious outcomes.

    `max_ulp` is infinite where nothing finite was measured.  `capped` counts the poles at which it is finite.
    `every_input` tells whether it was measured at every input, or on a sample.
    """

    kernel: str
    max_ulp: mpmath.mpf
    spurious: int
    capped: int
    every_input: bool

    def holds(self, budget: float = BUDGET) -> bool:
        """Tell whether it stays within the budget with no spurious outcome and no pole capped."""
        return bool(self.max_ulp <= budget) and not self.spurious and not self.capped

    def better(self, other: KernelFigure) -> bool:
        """Tell whether it errs less than another and has no spurious outcomes of its own, or has fewer and errs little."""
        if self.spurious < other.spurious:
            return bool(self.max_ulp < other.max_ulp or self.max_ulp <= LITTLE_ULP)
        return bool(self.max_ulp < other.max_ulp) and (not self.spurious or other.spurious > 0)

    @property
    def text(self) -> str:
        """Write the figure, as a bound from below where it is a sample's."""
        if self.max_ulp > MOST_ULP:
            error = f"more than {MOST_ULP:.0e} ulp" if mpmath.isfinite(self.max_ulp) else "nothing finite"
        else:
            three = Context(prec=3, rounding=ROUND_HALF_EVEN if self.every_input else ROUND_FLOOR)
            shown = float(three.create_decimal_from_float(float(self.max_ulp)))
            error = f"{'' if self.every_input else 'at least '}{shown:.3g} ulp"
        counted = ((self.spurious, "spurious outcome"), (self.capped, "capped pole"))
        return " and ".join([error, *(f"{n} {what}{'s' if n > 1 else ''}" for n, what in counted if n)])


@dataclass(frozen=True)
class Cures:
    """Hold the figures of all kernels of a problem in a format, among which cures are sought.

    They are by the target as a table writes it, "" for a problem without one.
    """

    problem: str
    fmt: str
    by_target: Mapping[str, Sequence[KernelFigure]]

    @cached_property
    def _held(self) -> Counter[str]:
        """Count for how many targets each kernel holds."""
        return Counter(f.kernel for row in self.by_target.values() for f in row if f.holds())

    def best(self, target: str, budget: float = BUDGET) -> KernelFigure | None:
        """Return the figure of the cure for one target, None where no kernel holds there.

        Of several, one whose derivative does not fail where the loss is right (see `trainable`) goes first, then the
        one that holds for most targets, then the one with the least error for this target, then the first declared.
        """
        good = [f for f in self.by_target[target] if f.holds(budget)]
        good.sort(key=lambda f: (-self._held[f.kernel], f.max_ulp))
        # Derivatives cost time: those of later ones are looked at only where that of the first fails.
        return next((f for f in good if trainable(self.problem, self.fmt, f.kernel)), good[0] if good else None)

    def closest(self, target: str, own: KernelFigure | None = None) -> KernelFigure | None:
        """Return the figure nearest to a cure: no spurious outcome, no pole capped, then the least error.

        Beside the `own` figure of a loss, only among those that are better than it.
        """
        found = [f for f in self.by_target[target] if own is None or f.better(own)]
        return min(found, key=lambda f: (f.spurious > 0, f.capped > 0, f.max_ulp), default=None)

    def advice(
        self, target: str, kernel: str, budget: float = BUDGET, own: KernelFigure | None = None
    ) -> tuple[str, str]:
        """Return the name of the cure, "" where there is none, and what to say: the cure, or what comes closest.

        Beside the `own` figure of a loss only what is better than it comes close.
        """
        cure = self.best(target, budget)
        if cure:
            where = "every input" if cure.every_input else "every input tried"
            return cure.kernel, f"{cure.kernel} stays within {budget:g} ulp at {where}"
        nearest = self.closest(target, own)
        if nearest is None or nearest.kernel == kernel:
            return "", "no built-in kernel comes closer"
        return (
            "",
            f"no built-in kernel stays within {budget:g} ulp; {nearest.kernel} comes closest, with {nearest.text}",
        )


@cache
def trainable(problem_name: str, format_name: str, kernel: str) -> bool:
    """Tell whether a loss kernel's derivative is finite at all critical inputs where the exact one rounds to finite.

    True for a problem that names no gradient.  Targets are 0, 1/2 and 1.
    """
    problem, fmt = problem_named(problem_name), format_named(format_name)
    slope = gradient_of(problem)
    of_kernel = next((k for k in kernels_of(slope.name) if k.name == kernel), None) if slope else None
    if slope is None or of_kernel is None:
        return True
    inputs, finite = _critical_slopes(slope, fmt, critical(problem, fmt).tobytes())
    with np.errstate(all="ignore"):
        computed = np.broadcast_to(of_kernel(*inputs), finite.shape)
    return bool((np.isfinite(computed) | ~finite).all())


@lru_cache(maxsize=64)
def _critical_slopes(slope: Problem, fmt: Format, points: bytes) -> tuple[tuple[Array, ...], Array]:
    """Return inputs of a gradient at points given as bytes, and where its exact value rounds to a finite number."""
    x, targets = np.frombuffer(points, fmt.dtype)[None, :], np.array([[0.0], [0.5], [1.0]]).astype(fmt.dtype)
    inputs = (x, targets) if slope.has_target else (x,)
    with np.errstate(all="ignore"):
        return inputs, np.isfinite(evaluate(slope, fmt, *inputs).rounded)


def audited_share(problem: Problem, targets: Array | None) -> int:
    """Return at which share of the audit's points a check audits each target: all of them together have every point.

    The tables' sweeps have audited each target of a built-in problem at every point.
    """
    return len(targets) if targets is not None and problem.name in PROBLEMS else AUDITED_SHARE


@cache
def measured(problem_name: str, format_name: str, targets: tuple[float, ...] | None, budget: float = BUDGET) -> Cures:
    """Measure a problem's built-in kernels on the standard grid; `targets` is None for a problem without.

    Kernels that break the budget for every target in a few cells can cure nothing: they keep their figures from
    there, as long as each target has a cure without them.  So do those that break it there for more targets than a cure
    does on the whole grid, which goes before them.
    """
    problem, fmt = problem_named(problem_name), format_named(format_name)
    values = None if targets is None else np.array(targets).astype(fmt.dtype)
    kernels, grid = kernels_of(problem_name), Grid("standard", problem, fmt, values)
    if not kernels:  # of a problem of one's own
        return _cures(problem, fmt, values, {})
    few = grid.cells[distinct(np.linspace(0, len(grid.cells) - 1, FEW_CELLS).astype(int))]
    found = _figures(problem, kernels, grid, values, few)
    most = {k.name: sum(f.holds() for f in found[k.name]) for k in kernels}  # targets that it may hold for
    left = [k for k in kernels if any(f.holds(budget) for f in found[k.name])]
    whole: dict[str, list[KernelFigure]] = {}
    for held in sorted({most[k.name] for k in left}, reverse=True):
        if _better_than(held, whole, problem, fmt, budget):
            break
        whole |= _figures(problem, [k for k in left if most[k.name] == held], grid, values)
    found |= whole
    if not all(any(f[t].holds(budget) for f in found.values()) for t in range(1 if values is None else len(values))):
        found |= _figures(problem, [k for k in kernels if k not in left], grid, values)
    return _cures(problem, fmt, values, found)


def _better_than(
    held: int, whole: Mapping[str, Sequence[KernelFigure]], problem: Problem, fmt: Format, budget: float
) -> bool:
    """Tell whether each target has a cure, measured on the whole grid, that no kernel which holds for `held` targets beats.

    Of several cures, the one that holds for most targets goes first: see `Cures.best`.
    """
    sure = [
        figures
        for name, figures in whole.items()
        if sum(f.holds() for f in figures) > held and trainable(problem.name, fmt.name, name)
    ]
    return bool(whole) and all(any(f.holds(budget) for f in of_target) for of_target in zip(*sure)) and bool(sure)


def _figures(
    problem: Problem, kernels: Sequence[Kernel], grid: Grid, targets: Array | None, cells: Array | None = None
) -> dict[str, list[KernelFigure]]:
    """Measure kernels over a grid's cells, all by default; return for each its figures, one for each target.

    The fast reference is audited over the whole grid, whichever cells these are: once for all of them.
    """
    audited(problem, grid, targets, grid.cells, audited_share(problem, targets))
    rows = 1 if targets is None else len(targets)
    found = largest_errors(problem, kernels, grid, targets, cells)
    return {name: [_figure(name, errors, t, grid) for t in range(rows)] for name, errors in found.items()}


def _cures(problem: Problem, fmt: Format, targets: Array | None, found: Mapping[str, list[KernelFigure]]) -> Cures:
    names = [""] if targets is None else [fmt.short(v) for v in targets]
    by_target = {name: [figures[t] for figures in found.values()] for t, name in enumerate(names)}
    return Cures(problem.name, fmt.name, by_target)


def _figure(kernel: str, errors: LargestErrors, t: int, grid: Grid) -> KernelFigure:
    most = mp.mpf(float(errors.max_ulp[t])) if errors.measured[t] else mp.inf
    counts = {name: int(of_target[t]) for name, of_target in errors.outcomes.items()}
    return KernelFigure(kernel, most, sum(counts[o] for o in SPURIOUS), counts["capped"], grid.exhaustive)
