"""Measure each pair of formats: rows whose every extreme is computed again in mpmath, ranges divided down to the last logit.

A part is a pair, written as `float16-float32`.  Its logits are visited once (pipelines.py); the rows
are made from the summaries of that pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
from mpmath import mp

from harness.kernels import kernel_named
from harness.numbers.division import halving_one
from harness.numbers.formats import Format
from harness.studies.pipeline.curves import curve_rows, digit_rows
from harness.studies.pipeline.pipelines import (
    AT_LOGIT,
    LOSS,
    PERCENT,
    Pair,
    PairSummaries,
    PercentSummary,
    Pipeline,
    relatively,
    visit,
)
from harness.studies.pipeline.round_trip import round_trip_rows
from harness.studies.study import Parameters, Tables
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET
from harness.sweep.summary import NO_BAD_ABOVE, NO_BAD_BELOW, Summary
from harness.sweep.tally import bad_points
from harness.tables.basis import BASES, bases
from harness.tables.rows import CONTRACT, WHERE, Row, extremes, places, safe_range
from harness.truth.arb import cited
from harness.truth.certified import error_in_ulp, significant
from harness.workflow.targets import targets_in

ALONE = "exact loss at p"  # beside the kernels: what the rounded probability alone allows
NEGLIGIBLE = 1e-300
PARTS = (
    "quantisation_ulp", "kernel_part_ulp", "kernel_max_ulp", "kernel_max_ulp_probability",
    "kernel_spurious_nan", "kernel_spurious_inf",
)  # fmt: skip
COLUMNS = (
    *CONTRACT, "max_rel_input", "max_abs_input", *BASES, "probability_format", "percent_lo", "percent_hi", *PARTS, *WHERE,
)  # fmt: skip


def run(parameters: Parameters, part: str) -> Tables:
    """Visit the logits of one pair of formats, written as `float16-float32`."""
    pair, sigmoid = Pair.named(part), parameters["sigmoid"]
    targets = targets_in(pair.loss, parameters["targets"])
    found = visit(pair, targets, sigmoid, parameters["sigmoids"], parameters["kernels"], parameters["fused"])
    pipelines = pipeline_rows(pair, sigmoid, found, targets)
    quantised = quantisation_rows(pair, found, targets)
    return {
        "pipeline": pipelines,
        "pipeline_quantisation": quantised,
        "pipeline_ranges": range_rows(pipelines, quantised, sigmoid, "safe"),
        "pipeline_percent": range_rows(pipelines, quantised, sigmoid, "percent"),
        "pipeline_round_trip": round_trip_rows(pair, sigmoid),
        "pipeline_curves": curve_rows(pair, sigmoid, found, targets, parameters["fused"][0], parameters["drawn"]),
        "pipeline_digits": digit_rows(pair, sigmoid),
    }


def range_rows(pipelines: Sequence[Row], quantised: Sequence[Row], sigmoid: str, ends: str) -> list[Row]:
    """Return the ranges of every way from the logit to the loss: fused, the rounded probability alone, kernels."""
    alone = [{**r, "format": r["loss_format"], "kernel": ALONE} for r in quantised if r["sigmoid"] == sigmoid]
    return [
        {
            "probability_format": r["probability_format"],
            "loss_format": r["format"],
            "target": r["target"],
            "way": str(r["kernel"]).partition("+")[2] or r["kernel"],
            "lo": r[f"{ends}_lo"],
            "hi": r[f"{ends}_hi"],
        }
        for r in (*pipelines, *alone)
    ]


@dataclass(frozen=True)
class Range(Case):
    """A case whose inputs are the probability's format's numbers: what a safe range is searched among."""

    pipeline: Pipeline
    relative: bool

    def bad(self, ordinals: np.ndarray, budget: float) -> np.ndarray:
        """Tell where an ulp error of the loss's format exceeds the budget or an outcome is spurious; shape (n,)."""
        pair = self.pipeline.pair
        x = pair.loss.from_ordinal(pair.embed(ordinals))[None, :]
        errors = self.pipeline.errors(x, np.full((1, 1), self.target))
        return bad_points(relatively(errors) if self.relative else errors, 0, slice(None), budget)

    def capped(self, ordinals: np.ndarray) -> np.ndarray:
        """Return False at each input: a loss has no pole at a finite logit."""
        return np.zeros(len(ordinals), bool)


def pipeline_rows(pair: Pair, sigmoid: str, found: PairSummaries, targets: np.ndarray) -> list[Row]:
    """Return a row for each fused form, then each kernel, and target."""
    forms = [(Pipeline(pair, None, kernel_named("bce_logits", n)), s, None) for n, s in found.fused.items()]
    chains = [
        (Pipeline(pair, sigmoid, kernel_named("bce", n)), s, found.kernel[n]) for n, s in found.whole.items()
    ]  # fmt: skip
    return [
        {column: row[column] for column in COLUMNS}
        for pipeline, whole, own in (*forms, *chains)
        for t, target in enumerate(targets)
        for contract in [_whole(pipeline, whole, t, target)]
        for row in [{**contract, **bases(contract), **_parts(pipeline, whole, own, t, target)}]
    ]


def _whole(pipeline: Pipeline, summary: PercentSummary, t: int, target: np.generic) -> Row:
    """Return the contract's columns: errors against the exact loss at the logit, in ulps of the loss's format."""
    pair, points = pipeline.pair, int(summary.points.sum())
    case = Case(AT_LOGIT, pipeline.name, pipeline, Grid("standard", AT_LOGIT, pair.loss), target)
    worst = extremes(case, summary, t)
    return {
        "problem": AT_LOGIT.name,
        "kernel": pipeline.name,
        "format": pair.loss.name,
        "target": pair.loss.short(target),
        "grid": pair.grid.name,
        "points": points,
        "exhaustive": pair.grid.exhaustive,
        **worst,
        **places(case, summary.met.located[t], summary.met.usual(t), worst),
        "mean_ulp": significant(summary.mean_ulp(t)),
        "correctly_rounded": significant(int(summary.correctly_rounded[t].sum()) / points),
        **{name: int(m[t].sum()) for name, m in summary.outcomes.items()},
        **safe_logits(pipeline, summary, t, target),
        "probability_format": pair.probability.name,
    }


def safe_logits(pipeline: Pipeline, summary: PercentSummary, t: int, target: np.generic) -> Row:
    """Return the ranges of logits around 0 within 4 ulp, safe_lo to safe_hi, and 5 %, percent_lo to percent_hi.

    Their ends are numbers of the probability's format; empty where 0 itself is beyond.
    """
    by_ulp = _range(pipeline, summary, t, target, BUDGET)
    by_percent = _range(pipeline, summary.percent, t, target, PERCENT)
    return {**by_ulp, "percent_lo": by_percent["safe_lo"], "percent_hi": by_percent["safe_hi"]}


def _range(pipeline: Pipeline, summary: Summary, t: int, target: np.generic, budget: float) -> Row:
    pair = pipeline.pair
    case = Range(AT_LOGIT, pipeline.name, pipeline, pair.grid, target, pipeline, budget == PERCENT)
    below, above = int(summary.bad_below[t]), int(summary.bad_above[t])
    if below != NO_BAD_BELOW:
        below = int(pair.restrict(np.array([below]))[0])
    if above != NO_BAD_ABOVE:
        above = int(pair.restrict(np.array([above]))[0])
    return safe_range(case, below, above, budget)


def _parts(pipeline: Pipeline, whole: PercentSummary, own: PercentSummary | None, t: int, target: np.generic) -> Row:
    """Return the two parts at the worst input, and the kernel's worst error at a probability that occurs."""
    if own is None or pipeline.kernel is None:
        return dict.fromkeys(PARTS, "")
    fmt = pipeline.pair.loss
    worst = whole.worst_at(t)
    at = own.worst_at(t)
    p = probability_at(pipeline, at)
    case = Case(LOSS, pipeline.kernel.name, pipeline.kernel, Grid("standard", LOSS, fmt), target)
    ordinal = int(fmt.ordinal(np.array([p]))[0])
    error = error_in_ulp(fmt, case.compute(np.array([ordinal]))[0], case.exact(ordinal))
    lost, kernel = parts_at(pipeline, worst, target)
    return {
        "quantisation_ulp": _part(lost),
        "kernel_part_ulp": _part(kernel),
        "kernel_max_ulp": significant(error),
        "kernel_max_ulp_probability": fmt.hex(p),
        "kernel_spurious_nan": int(own.outcomes["spurious_nan"][t].sum()),
        "kernel_spurious_inf": int(own.outcomes["spurious_inf"][t].sum()),
    }


def _part(value: mpmath.mpf) -> str:
    """Write a signed part; below 1e-300 it is written as 0, since exp(-1e38) has an exponent of 38 digits."""
    return significant(value if abs(value) > NEGLIGIBLE else 0)


def probability_at(pipeline: Pipeline, ordinal: int) -> np.generic:
    """Return the rounded probability at one logit, given by its ordinal in the loss's format."""
    assert pipeline.sigmoid is not None
    x = pipeline.pair.loss.from_ordinal(np.array([ordinal]))[None, :]
    with np.errstate(all="ignore"):
        return pipeline.pair.probabilities(pipeline.sigmoid, x)[0, 0]


def parts_at(pipeline: Pipeline, ordinal: int, target: np.generic) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return quantisation Q - L and kernel's part c - Q at one logit, with signs, in ulps of L.

    Both are infinite where the rounded probability is a pole and the kernel's result is finite.
    """
    fmt, y = pipeline.pair.loss, mp.mpf(float(target))
    x = fmt.from_ordinal(np.array([ordinal]))
    with np.errstate(all="ignore"):
        computed = mp.mpf(float(pipeline(x[None, :], np.full((1, 1), target))[0, 0]))
    at_logit = cited(AT_LOGIT, (mp.mpf(float(x[0])), y))
    at_probability = cited(LOSS, (mp.mpf(float(probability_at(pipeline, ordinal))), y))
    with mp.workprec(400):
        scale = mp.mpf(fmt.ulp(at_logit).denominator) / fmt.ulp(at_logit).numerator
        return (at_probability - at_logit) * scale, (computed - at_probability) * scale


def quantisation_rows(pair: Pair, found: PairSummaries, targets: np.ndarray) -> list[Row]:
    """Return what each sigmoid's rounded probability costs by itself, for each target."""
    return [
        _quantisation(Pipeline(pair, sigmoid, None), summary, t, target)
        for sigmoid, summary in found.quantisation.items()
        for t, target in enumerate(targets)
    ]


def _quantisation(pipeline: Pipeline, summary: PercentSummary, t: int, target: np.generic) -> Row:
    pair, fmt = pipeline.pair, pipeline.pair.loss
    worst = summary.worst_at(t)
    x, p = fmt.from_ordinal(np.array([worst]))[0], probability_at(pipeline, worst)
    y = mp.mpf(float(target))
    at_logit, at_probability = cited(AT_LOGIT, (mp.mpf(float(x)), y)), cited(LOSS, (mp.mpf(float(p)), y))
    with mp.workprec(400):
        error = abs(at_probability - at_logit) * fmt.ulp(at_logit).denominator / fmt.ulp(at_logit).numerator
    return {
        "probability_format": pair.probability.name,
        "loss_format": fmt.name,
        "sigmoid": pipeline.sigmoid,
        "target": fmt.short(target),
        "points": int(summary.points.sum()),
        "exhaustive": pair.grid.exhaustive,
        "max_ulp": significant(error),
        "max_ulp_input": fmt.hex(x),
        "max_ulp_probability": fmt.hex(p),
        "mean_ulp": significant(summary.mean_ulp(t)),
        "infinite": int(summary.outcomes["spurious_inf"][t].sum()),
        "zero": int(summary.outcomes["spurious_zero"][t].sum()),
        **safe_logits(pipeline, summary, t, target),
        **saturation(pipeline),
    }


def saturation(pipeline: Pipeline) -> Row:
    """Return the last logits whose probability is not yet 0 or 1; empty where it never is."""
    pair = pipeline.pair
    grid: Grid = pair.grid
    return {
        "not_0_from": _last(pipeline, grid, grid.start, 0.0),
        "not_1_to": _last(pipeline, grid, grid.stop - 1, 1.0),
    }


def _last(pipeline: Pipeline, grid: Grid, end: int, value: float) -> str:
    """Return the logit nearest to `end` whose probability differs from `value`; sigma is monotone."""
    fmt: Format = grid.fmt
    good, bad = grid.centre, end

    def saturated(ordinal: int) -> bool:
        return float(probability_at(pipeline, int(pipeline.pair.embed(np.array([ordinal]))[0]))) == value

    if not saturated(bad):
        return ""
    last = halving_one(lambda ordinals: np.array([saturated(int(o)) for o in ordinals]), bad, good)[1]
    return fmt.hex(fmt.from_ordinal(np.array([last]))[0])
