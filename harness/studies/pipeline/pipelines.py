"""A pipeline logit -> probability in format A -> loss in format B, and the three errors that it makes.

With L the exact loss at the logit, Q the exact loss at the rounded probability and c the computed
loss, all errors in ulps of B:
    whole         |c - L| / ulp(L)
    quantisation  |Q - L| / ulp(L)   what the rounded probability lost; infinite where it is 0 or 1
    kernel        |c - Q| / ulp(Q)   the kernel at the input that it was given
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.kernels import Kernel, kernel_named
from harness.numbers.formats import Format, format_named
from harness.problems import PROBLEMS
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET, audit_sample
from harness.sweep.summary import Summary
from harness.sweep.tally import Block, Tally
from harness.tables.outcomes import OutcomeInputs
from harness.truth.errors import NONE, Errors, measure
from harness.truth.fast import Reference, audit, evaluate

Array = np.ndarray

LOSS, AT_LOGIT, SIGMOID = PROBLEMS["bce"], PROBLEMS["bce_logits"], PROBLEMS["sigmoid"]
PERCENT = 0.05  # the relative error of a range in which a loss is still of the right size
CORRECTLY_ROUNDED = "correctly_rounded"  # not a kernel: the exact sigmoid, rounded once


@dataclass(frozen=True)
class Pair:
    """Hold the formats of the probability (and the logit) and of the loss; the second holds the first's numbers."""

    probability: Format
    loss: Format

    @classmethod
    def named(cls, part: str) -> Pair:
        """Return the pair written as `float16-float32`; UsageError for an unknown format."""
        first, _, second = part.partition("-")
        return cls(format_named(first), format_named(second))

    @property
    def grid(self) -> Grid:
        """Return the logits that are visited: the standard grid of the probability's format."""
        return Grid("standard", AT_LOGIT, self.probability)

    def embed(self, ordinals: Array) -> Array:
        """Map ordinals of the probability's format to those of the same numbers in the loss's."""
        return self.loss.ordinal(self.probability.from_ordinal(ordinals).astype(self.loss.dtype))

    def restrict(self, ordinals: Array) -> Array:
        """Map ordinals of the loss's format back to those of the same numbers in the probability's: undo `embed`."""
        return self.probability.ordinal(self.loss.from_ordinal(ordinals).astype(self.probability.dtype))

    def blocks(self) -> Iterator[Block]:
        """Yield the visited logits by cells of their own format, as ordinals of the loss's format."""
        centre = int(self.embed(np.array([self.grid.centre]))[0])
        for b in self.grid.blocks(self.grid.cells):
            yield Block(self.embed(b.ordinals), b.cells, b.first, b.whole_cells, centre)

    def probabilities(self, sigmoid: str, x: Array) -> Array:
        """Return sigma(x) computed and stored in the probability's format; x and the result in the loss's."""
        logit = x.astype(self.probability.dtype)
        if sigmoid == CORRECTLY_ROUNDED:
            p = evaluate(SIGMOID, self.probability, logit).rounded_working
        else:
            p = kernel_named("sigmoid", sigmoid)(logit)
        return p.astype(self.loss.dtype)


@dataclass(frozen=True)
class Pipeline:
    """Hold one way from the logit to the loss; without a sigmoid it is a fused form."""

    pair: Pair
    sigmoid: str | None
    kernel: Kernel | None  # None: the exact loss, which leaves the quantisation alone

    @property
    def name(self) -> str:
        """Return the row's name, such as sigmoid[float16]+naive, or logit[float16]+softplus_pair."""
        before = "logit" if self.sigmoid is None else "sigmoid"
        return f"{before}[{self.pair.probability.name}]+{self.kernel.name if self.kernel else 'exact'}"

    def __call__(self, x: Array, y: Array) -> Array:
        """Compute the loss in the loss's format; x of shape (1, n) and y of shape (T, 1) in that format."""
        assert self.kernel is not None
        given = x if self.sigmoid is None else self.pair.probabilities(self.sigmoid, x)
        return np.broadcast_to(self.kernel(given, y), np.broadcast_shapes(x.shape, y.shape))

    def errors(self, x: Array, y: Array) -> Errors:
        """Measure the whole, or the quantisation alone where there is no kernel, against the loss at the logit."""
        with np.errstate(all="ignore"):
            exact = evaluate(AT_LOGIT, self.pair.loss, x, y)
            if self.kernel is not None:
                return measure(self(x, y), exact, AT_LOGIT.nonnegative)
            assert self.sigmoid is not None
            return quantisation(exact, loss_at(self.pair.loss, self.pair.probabilities(self.sigmoid, x), y))


def loss_at(fmt: Format, p: Array, y: Array) -> Reference:
    """Return the exact loss at probabilities of shape (1, n), each different one evaluated once."""
    distinct, place = np.unique(fmt.ordinal(p[0]), return_inverse=True)
    e = evaluate(LOSS, fmt, fmt.from_ordinal(distinct)[None, :], y)
    return Reference(
        e.value[:, place], e.high[:, place], None if e.low is None else e.low[:, place], e.ulp[:, place],
        tuple(s[:, place] for s in e.scales), e.ulp_per_value[:, place], e.most_ulp_per_value, e.most_ulp,
        e.rounded[:, place], e.rounded_working[:, place],
    )  # fmt: skip


def quantisation(at_logit: Reference, at_probability: Reference) -> Errors:
    """Measure the exact loss at the rounded probability against the exact loss at the logit."""
    pole = np.isinf(at_probability.value)
    there = np.where(pole, at_logit.value, at_probability.value)
    distance = abs(there - at_logit.value) / at_logit.ulp.astype(there.dtype)
    ulp = np.where(pole, NONE, distance.astype(np.float64))
    masks = {"spurious_inf": pole, "spurious_zero": (there == 0) & (at_logit.rounded != 0)}
    peak = ulp.max(axis=1)
    return Errors(
        there.astype(np.float64), ulp, peak, peak * at_logit.most_ulp_per_value, (ulp >= 0) & (ulp <= 0.5),
        not pole.any(), replace(at_logit, parts=None),  # what is compared is no number of a format: no parts are needed
        {name: mask for name, mask in masks.items() if mask.any()},
    )  # fmt: skip


def relatively(errors: Errors) -> Errors:
    """Return the errors with relative ones in place of those in ulps, for a range within a share of the value."""
    rows = [errors.relative(t) for t in range(len(errors.ulp))]
    return replace(errors, ulp=np.stack(rows), peak=np.array([r.max() for r in rows]))


class PercentSummary(Summary):
    """Add to a summary the inputs nearest to 0 whose relative error exceeds PERCENT: `percent.bad_below`, `bad_above`.

    And in `met` where outcomes happen: inputs are numbers of the pair's first format, measured in its second, `fmt`.
    """

    def __init__(self, targets: int, cells: Array, fmt: Format):
        super().__init__(targets, cells)
        self.percent = Summary(targets, cells)
        self.met = OutcomeInputs(AT_LOGIT, fmt, targets)

    def update(self, block: Block, errors: Errors, budget: float = BUDGET) -> None:
        """Add the errors of one block of inputs."""
        super().update(block, errors, budget)
        self.percent.note_bad(Tally(block, relatively(errors), PERCENT))
        self.met.add(block.ordinals, errors)


@dataclass
class PairSummaries:
    """Hold the summaries of a pair by name: of sigmoids, of kernels as a whole and by themselves, of fused forms."""

    quantisation: dict[str, PercentSummary] = field(default_factory=dict)
    whole: dict[str, PercentSummary] = field(default_factory=dict)
    kernel: dict[str, PercentSummary] = field(default_factory=dict)
    fused: dict[str, PercentSummary] = field(default_factory=dict)


def visit(
    pair: Pair, targets: Array, sigmoid: str, sigmoids: Sequence[str], names: Sequence[str], fused: Sequence[str]
) -> PairSummaries:
    """Visit a pair's logits once and summarise every error; targets of shape (T,) in the loss's format.

    `sigmoid` is the one that the kernels called `names` get their probabilities from; of `sigmoids`
    the quantisation alone is measured.  Raises fast.AuditFailure where the reference breaks its bound.
    """

    def empty(keys: Sequence[str]) -> dict[str, PercentSummary]:
        return {k: PercentSummary(len(targets), pair.grid.cells, pair.loss) for k in keys}

    found = PairSummaries(empty(sigmoids), empty(names), empty(names), empty(fused))
    with np.errstate(all="ignore"):
        _audit(pair, sigmoid, targets)
        for block in pair.blocks():
            _update(found, pair, sigmoid, block, targets[:, None])
    return found


def _audit(pair: Pair, sigmoid: str, targets: Array) -> None:
    """Hold the fast reference to its bound at a sample of the logits, and at their probabilities."""
    sample = audit_sample(pair.grid, pair.grid.cells).astype(pair.loss.dtype)
    audit(AT_LOGIT, pair.loss, sample, targets)
    audit(LOSS, pair.loss, np.unique(pair.probabilities(sigmoid, sample[None, :])[0]), targets)


def _update(found: PairSummaries, pair: Pair, sigmoid: str, block: Block, y: Array) -> None:
    """Add one block of logits to every summary; y of shape (T, 1)."""
    x = pair.loss.from_ordinal(block.ordinals)[None, :]
    exact = evaluate(AT_LOGIT, pair.loss, x, y)
    for name, seen in found.fused.items():
        seen.update(block, measure(kernel_named(AT_LOGIT.name, name)(x, y), exact, True))
    for name, seen in found.quantisation.items():
        p = pair.probabilities(name, x)
        at_p = loss_at(pair.loss, p, y)
        seen.update(block, quantisation(exact, at_p))
        for k in found.whole if name == sigmoid else ():
            computed = kernel_named(LOSS.name, k)(p, y)
            found.whole[k].update(block, measure(computed, exact, True))
            found.kernel[k].update(block, measure(computed, at_p, True))
