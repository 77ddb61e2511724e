"""Where and how a kernel fails: runs of inputs with one kind of failure, each with exact ends.

Samples on either side of the problem's centre show which failures occur; the ends of each run are
then sectioned in value order by the kernel's own values.  Kinds:
    nan, inf, zero, sign   the outcomes of truth/errors.py
    stuck      one finite, nonzero value up to the end of the domain, where the exact value moves
    capped     finite at a pole, where the exact value is infinite
    inexact    none of these, and the error exceeds the budget
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from harness.numbers.distinct import distinct
from harness.numbers.division import sectioning
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.case import Call, Case
from harness.sweep.grid import Grid, spread
from harness.sweep.streaming import BUDGET
from harness.sweep.tally import bad_points
from harness.truth.errors import Errors, measure
from harness.truth.fast import evaluate

Test = Callable[[np.ndarray], np.ndarray]

OUTCOMES = {
    "nan": "spurious_nan",
    "inf": "spurious_inf",
    "zero": "spurious_zero",
    "sign": "wrong_sign",
    "capped": "capped",
}
OUTCOME_KINDS = tuple(OUTCOMES)[:-1]  # those that tables locate
# A failure that the kernel's own values show.  The exact value of a hard target never changes its sign.
STATES: dict[str, Test] = {
    "nan": np.isnan,
    "inf": np.isinf,
    "zero": lambda v: v == 0,
    "sign -1": lambda v: v < 0,
    "sign +1": lambda v: v > 0,
}
HARD = (0.0, 1.0)
# A constant over fewer samples is no plateau: neighbouring inputs may well share a value.
PLATEAU_SAMPLES = 3
PERCENT = 0.01
# Inputs sampled in each cell, besides the critical points; formats of up to 16 bits are visited whole.
PER_CELL = {32: 8, 64: 2}
RUN = 1 << 16  # inputs of a run that are looked at, to see whether it is unbroken


@dataclass(frozen=True)
class Failure:
    """Describe one kind of failure of one target on one side (-1 below the centre, +1 above).

    It holds for every input from the ordinal `near` outwards to `far`; `to_end` tells that `far` is
    the end of the domain.  `scattered` is the ordinal nearest to the centre at which it was seen
    before that, None where there is none; where it equals `near`, the failure holds in places only.
    `value` is computed at `near`, for `sign` the value furthest from 0 in the run.  Of an inexact run, `worst`
    is the largest relative error, and `percent` the ordinal from which on it exceeds 1 %.
    """

    kind: str
    target: float | None
    side: int
    near: int
    far: int
    to_end: bool
    value: float = 0.0
    scattered: int | None = None
    worst: float = 0.0
    percent: int | None = None

    def seen_from(self, at: int) -> Failure:
        """Return the failure where it was seen at an input nearer to the centre too; one in places reaches to there."""
        return replace(self, near=at if self.scattered == self.near else self.near, scattered=at)


class Sample:
    """Hold the sampled inputs of one problem and format with their exact values for hard targets."""

    def __init__(self, problem: Problem, fmt: Format):
        self.problem, self.fmt = problem, fmt
        self.grid = Grid("standard", problem, fmt)
        self.ordinals = self._chosen()
        self.targets = np.array(HARD).astype(fmt.dtype)[:, None] if problem.has_target else None

    def _chosen(self) -> np.ndarray:
        """Return the ordinals to look at: all in formats of up to 16 bits, else some of each cell."""
        grid = self.grid
        if self.fmt.bits <= 16:
            return np.arange(grid.start, grid.stop)
        sampled = spread(grid.cells, PER_CELL[self.fmt.bits], self.fmt.cell_shift).ravel()
        return np.union1d(sampled[(sampled >= grid.start) & (sampled < grid.stop)], grid.critical_ordinals)

    @cached_property
    def inputs(self) -> tuple[np.ndarray, ...]:
        """Return the inputs, shape (1, n), and the targets, shape (2, 1), if there are any."""
        x = self.fmt.from_ordinal(self.ordinals)[None, :]
        return (x,) if self.targets is None else (x, self.targets)

    @cached_property
    def exact(self):  # type: ignore[no-untyped-def]
        """Return the exact values at the inputs for each target as a fast.Reference, shape (targets, n)."""
        with np.errstate(all="ignore"):
            return evaluate(self.problem, self.fmt, *self.inputs)

    def run(self, kernel: Call) -> tuple[np.ndarray, Errors]:
        """Return a kernel's values at the inputs, shape (targets, n), and their errors."""
        with np.errstate(all="ignore"):
            computed = np.broadcast_to(kernel(*self.inputs), self.exact.value.shape)
            return computed, measure(computed, self.exact, self.problem.nonnegative)

    def cases(self, name: str, kernel: Call) -> list[Case]:
        """Return the kernel's case for each hard target, or its only one where the problem has no target."""
        chosen: Sequence = [None] if self.targets is None else list(self.targets[:, 0])
        return [Case(self.problem, name, kernel, self.grid, target) for target in chosen]


def failures(sample: Sample, cases: list[Case], computed: np.ndarray, errors: Errors) -> list[Failure]:
    """Return a kernel's failures, target by target, below the centre and above it."""
    with np.errstate(all="ignore"):
        return [
            failure
            for t, case in enumerate(cases)
            for side in (-1, 1)
            for failure in _Side(sample, case, t, side, computed, errors).failures()
        ]


def with_known(
    found: list[Failure], cases: list[Case], known: Mapping[tuple[str, str], Sequence[str]]
) -> list[Failure]:
    """Return failures with the outcomes that tables know nearer to the centre, by target as they write it and outcome.

    What the sample did not meet at all is a failure at one input.
    """
    found = list(found)
    for case in cases:
        target = None if case.target is None else float(case.target)
        written = "" if case.target is None else case.fmt.short(case.target)
        for kind in OUTCOME_KINDS:
            for text in known.get((written, kind), ()):
                at = int(case.fmt.ordinal(np.array([case.fmt.parse(text)]))[0])
                side = -1 if at < case.grid.centre else 1
                same = [f for f in found if (f.kind, f.target, f.side) == (kind, target, side)]
                seen = [side * (f.near if f.scattered is None else f.scattered) for f in same]
                if seen and side * at < min(seen):
                    found[found.index(same[0])] = same[0].seen_from(at)
                elif not seen and not any(f.target == target and _within(f, at) for f in found if f.kind == "stuck"):
                    found.append(Failure(kind, target, side, at, at, False, float(case.compute(np.array([at]))[0])))
    return found


def _within(f: Failure, at: int) -> bool:
    """Tell whether an ordinal lies in the run of a failure."""
    return f.side * f.near <= f.side * at <= f.side * f.far


class _Side:
    """Look at one target on one side, from the centre outwards."""

    def __init__(self, sample: Sample, case: Case, t: int, side: int, computed: np.ndarray, errors: Errors):
        split = int(np.searchsorted(sample.ordinals, sample.grid.centre))
        where = np.arange(split)[::-1] if side < 0 else np.arange(split, len(sample.ordinals))
        self.case, self.side = case, side
        self.target = None if case.target is None else float(case.target)
        self.ordinals, self.computed = sample.ordinals[where], computed[t, where]
        self.rounded = sample.exact.rounded[t, where]
        found = errors.outcomes
        outcomes = {kind: found[name][t, where] for kind, name in OUTCOMES.items() if name in found}
        self.capped = outcomes.pop("capped", np.zeros(len(where), bool))
        self.outcomes = {kind: mask for kind, mask in outcomes.items() if mask.any()}
        self.bad = bad_points(errors, t, slice(None), BUDGET)[where]
        self.relative = errors.relative(t)[where]

    def failures(self) -> list[Failure]:
        """Return the failures of this side, nearest to the centre first."""
        explained = np.zeros(len(self.computed), bool)
        found = list(self._stuck(explained))
        for kind, mask in self.outcomes.items():
            if (mask & ~explained).any():
                found.append(self._outcome(kind, mask & ~explained, explained))
        if self.capped[-1] and not explained[-1]:
            found.append(self._failure("capped", -1, -1, value=float(self.computed[-1])))
        if (self.bad & ~explained).any():
            found.append(self._inexact(np.nonzero(self.bad & ~explained)[0]))
        return sorted(found, key=lambda f: self.side * f.near)

    def _stuck(self, explained: np.ndarray) -> Iterator[Failure]:
        """Find a constant outer tail of finite nonzero values, and mark what it explains."""
        c, last = self.computed, self.computed[-1]
        start = _run_start(c == last, len(c) - 1)
        moves = (self.rounded[start:] != self.rounded[-1]).any()
        wrong = self.bad[-1] or self.capped[-1]
        if np.isfinite(last) and last != 0 and len(c) - start >= PLATEAU_SAMPLES and wrong and moves:
            explained[start:] = True
            yield self._failure("stuck", start, -1, self._values(lambda v: v == last), value=float(last))

    def _outcome(self, kind: str, mask: np.ndarray, explained: np.ndarray) -> Failure:
        """Find the outermost run of an outcome; the kernel's value alone decides where it ends."""
        seen = np.nonzero(mask)[0]
        largest = seen[np.argmax(abs(self.computed[seen].astype(np.float64)))]
        value = float(self.computed[largest])
        holds = STATES[kind if kind != "sign" else f"sign {np.sign(value):+.0f}"]
        states = holds(self.computed)
        beyond = np.nonzero(~states[seen[-1] :])[0]
        end = int(seen[-1] + beyond[0] - 1) if beyond.size else len(states) - 1
        start = int(seen[seen >= _run_start(states, end)][0])
        if kind == "sign":  # the run goes on where the value is stuck
            value = float(max(self.computed[start : end + 1], key=abs))
        explained[start : end + 1] = True
        explained[seen] = True
        if np.count_nonzero(seen >= start) < len(seen) / 2:
            return self._failure(kind, seen[0], seen[-1], value=value, scattered=int(self.ordinals[seen[0]]))
        scattered = int(self.ordinals[seen[0]]) if seen[0] < start else None
        return self._failure(kind, start, end, self._values(holds), value=value, scattered=scattered)

    def _inexact(self, at: np.ndarray) -> Failure:
        """Describe the inputs that exceed the budget and do nothing worse."""
        percent = None
        large = at[self.relative[at] > PERCENT]
        if large.size:
            percent = self._failure("inexact", large[0], large[0], partial(over_percent, self.case)).near
        return self._failure("inexact", at[0], at[-1], worst=float(self.relative[at].max()), percent=percent)

    def _values(self, holds: Test) -> Test:
        """Return a test of ordinals from a test of the kernel's values."""
        return lambda ordinals: holds(self.case.compute(ordinals))

    def _failure(self, kind: str, start: int, end: int, test: Test | None = None, **rest: Any) -> Failure:
        """Describe a run of samples; given a test of ordinals, divide its ends down to neighbours."""
        start, end = start % len(self.ordinals), end % len(self.ordinals)
        near, far = int(self.ordinals[start]), int(self.ordinals[end])
        to_end = end == len(self.ordinals) - 1
        if test and start:
            near = sectioning(test, near, int(self.ordinals[start - 1]))[0]
        if test and not to_end:
            far = sectioning(test, far, int(self.ordinals[end + 1]))[0]
        if test and kind != "inexact" and rest.get("scattered") != near:
            solid = unbroken(test, near, far)
            rest["scattered"] = rest.get("scattered") or (near if solid != near else None)
            near = solid
        return Failure(kind, self.target, self.side, near, far, to_end, **rest)


def over_percent(case: Case, ordinals: np.ndarray) -> np.ndarray:
    """Tell at which inputs the relative error exceeds PERCENT."""
    return case.errors(ordinals).relative(0) > PERCENT


def unbroken(test: Test, near: int, far: int) -> int:
    """Return the ordinal nearest to `near`, a run's end, from which on the test holds at all that are looked at up to `far`.

    Between two samples a run may be broken, most likely near that end, where the inputs that are looked at lie closest.
    """
    towards = 1 if far > near else -1
    while near != far:
        steps = distinct(np.geomspace(1, abs(far - near), RUN)[:-1].astype(np.int64))
        points = np.concatenate([[near], near + towards * steps, [far]])
        broken = np.nonzero(~test(points))[0]
        if not broken.size:
            break
        near = sectioning(test, int(points[broken[-1] + 1]), int(points[broken[-1]]))[0]
    return near


def _run_start(states: np.ndarray, end: int) -> int:
    """Return where the run of true states that ends at `end` begins."""
    breaks = np.nonzero(~states[: end + 1])[0]
    return int(breaks[-1]) + 1 if breaks.size else 0
