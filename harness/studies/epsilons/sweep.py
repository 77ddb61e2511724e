"""One pass over the inputs of a problem and format: every eps against one reference.

Beside the summary that all tables are made from, a tally keeps the worst error in each bin of the
input, the largest bias and rounding by themselves, the largest loss, and where the gradient is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.numbers.formats import Format
from harness.problems import Problem, problem_named
from harness.studies.epsilons.bias import bias
from harness.studies.epsilons.ladder import Bins, Candidate, inputs, probabilities
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET, audit_sample
from harness.sweep.summary import Summary
from harness.sweep.tally import Block
from harness.truth.errors import NONE, RELATIVE_LIMIT, Errors, measure
from harness.truth.fast import Reference, audit, evaluate

Array = np.ndarray

CHUNK = 1 << 14
TARGETS = (0.0, 1.0)
ERRORS = ("ulp", "rel", "abs")
# What became of an evaluation, from harmless to worst, as the outcomes of errors.py call it.
MARKED = ("spurious_zero", "wrong_sign", "spurious_inf", "spurious_nan")


class Part:
    """Hold the chunk under way: inputs, targets, exact loss and gradient, and each input's place in the bins."""

    def __init__(self, problem: Problem, fmt: Format, ordinals: Array, centre: int, bins: Bins):
        self.fmt, self.ordinals = fmt, ordinals
        self.block = Block(ordinals, 1, 0, whole_cells=False, centre=centre)
        self.x = fmt.from_ordinal(ordinals)[None, :]
        self.y = np.array(TARGETS).astype(fmt.dtype)[:, None]
        self.exact: Reference = evaluate(problem, fmt, self.x, self.y)
        self.slope: Reference = evaluate(problem_named(f"{problem.name}_grad"), fmt, self.x, self.y)
        p, q = probabilities(problem, self.x[0])
        self.a, self.b = np.stack([q, p]), np.stack([p, q])  # of the target, and of the other
        with np.errstate(all="ignore"):
            self.log_a = -self.exact.high  # the exact loss is -log a
        places = bins.of(p, q)
        self.starts = np.nonzero(np.diff(places, prepend=-1))[0]
        self.places = places[self.starts]

    def bin_maxima(self, into: Array, values: Array) -> None:
        """Raise each bin's maximum by values of shape (targets, points)."""
        into[:, self.places] = np.maximum(into[:, self.places], np.maximum.reduceat(values, self.starts, axis=1))


class Tally:
    """Hold what was found of one candidate; arrays have one row for each target."""

    def __init__(self, bins: Bins):
        shape = (len(TARGETS), bins.count)
        self.summary = Summary(len(TARGETS), np.zeros(1, np.int64))
        self.worst = {name: np.full(shape, NONE) for name in ERRORS}
        self.mark = np.zeros(shape, np.int64)  # 0, or 1 + place in MARKED of the worst outcome
        self.part = {name: np.full(2, NONE) for name in ("bias", "rounding")}
        self.part_at = {name: np.zeros(2, np.int64) for name in self.part}
        self.largest_loss = np.full(2, -np.inf)
        self.slope_nan, self.slope_inf = np.zeros(2, np.int64), np.zeros(2, np.int64)
        self.dead_below = np.full(2, np.iinfo(np.int64).min)
        self.dead_above = np.full(2, np.iinfo(np.int64).max)

    def add(self, part: Part, candidate: Candidate) -> None:
        """Add one chunk of inputs."""
        computed = candidate.kernel(part.x, part.y)
        errors = measure(computed, part.exact, nonnegative=True)
        self.summary.update(part.block, errors, BUDGET)
        self._bins(part, errors)
        self._parts(part, errors, computed, candidate)
        self._slope(part, candidate.slope(part.x, part.y))
        loss = computed.astype(np.float64)
        self.largest_loss = np.maximum(self.largest_loss, np.where(np.isnan(loss), -np.inf, loss).max(axis=1))

    def _bins(self, part: Part, errors: Errors) -> None:
        relative = errors.ulp * part.exact.ulp_per_value
        relative[part.exact.high == 0] = NONE  # no relative error of an exact 0
        relative[relative > RELATIVE_LIMIT] = np.inf
        for name, values in zip(ERRORS, (errors.ulp, relative, errors.ulp * part.exact.ulp)):
            part.bin_maxima(self.worst[name], values)
        if errors.outcomes:
            marks = np.zeros(errors.ulp.shape, np.int64)
            for i, name in enumerate(MARKED):
                if name in errors.outcomes:
                    marks[errors.outcomes[name]] = 1 + i
            part.bin_maxima(self.mark, marks)

    def _parts(self, part: Part, errors: Errors, computed: Array, candidate: Candidate) -> None:
        """Keep the largest bias and the largest rounding, and where they are."""
        total, own = computed.astype(np.float64) - part.exact.high, np.zeros(errors.ulp.shape)
        if candidate.eps:
            own = bias(candidate.form, candidate.eps.rounded(part.fmt), part.a, part.log_a, part.b)
        for scale in part.exact.scales:
            total, own = total * scale, own * scale
        if part.exact.low is not None:
            total -= part.exact.low
        measured = (errors.ulp >= 0) & np.isfinite(part.log_a)
        for name, values in (("bias", np.abs(own)), ("rounding", np.abs(total - own))):
            known = np.where(measured & ~np.isnan(values), values, NONE)
            at = known.argmax(axis=1)
            top = known[[0, 1], at]
            grown = top > self.part[name]
            self.part_at[name] = np.where(grown, part.ordinals[at], self.part_at[name])
            self.part[name] = np.where(grown, top, self.part[name])

    def _slope(self, part: Part, slope: Array) -> None:
        """Note where the gradient is 0 though the exact one does not round to 0; count NaN and infinities."""
        slope = slope.astype(np.float64)
        self.slope_nan += np.count_nonzero(np.isnan(slope) & ~np.isnan(part.slope.rounded), axis=1)
        self.slope_inf += np.count_nonzero(np.isinf(slope) & np.isfinite(part.slope.rounded), axis=1)
        for t, dead in enumerate((slope == 0) & (part.slope.rounded != 0)):
            at = part.ordinals[dead]
            below, above = at[at < part.block.centre], at[at > part.block.centre]
            if below.size:
                self.dead_below[t] = max(self.dead_below[t], below[-1])
            if above.size:
                self.dead_above[t] = min(self.dead_above[t], above[0])


def sweep(grid: Grid, candidates: Sequence[Candidate], bins: Bins) -> list[Tally]:
    """Run every candidate on the grid's inputs; fast.AuditFailure where the reference breaks its bound."""
    problem, fmt = grid.problem, grid.fmt
    tallies = [Tally(bins) for _ in candidates]
    with np.errstate(all="ignore"):
        sample = audit_sample(grid, grid.cells)
        for name in (problem.name, f"{problem.name}_grad"):
            audit(problem_named(name), fmt, sample, np.array(TARGETS).astype(fmt.dtype))
        ordinals = inputs(grid, [c.eps for c in candidates if c.eps])
        for chunk in _chunks(ordinals):
            part = Part(problem, fmt, chunk, grid.centre, bins)
            for candidate, tally in zip(candidates, tallies):
                tally.add(part, candidate)
    return tallies


def _chunks(ordinals: Array) -> Iterator[Array]:
    """Divide inputs into chunks in bit order."""
    for start in range(0, len(ordinals), CHUNK):
        yield ordinals[start : start + CHUNK]
