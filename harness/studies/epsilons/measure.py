"""Run every eps on the inputs of a format in one pass, against one reference, and write what it costs as rows.

Beside the summary that all tables are made from, a tally keeps the worst error in each bin of the
input, the largest bias and rounding by themselves, the largest loss, and where the gradient is 0.
A row has the contract's columns, then what its eps costs; extremes are computed again in mpmath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.division import sectioning
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.studies.epsilons.bias import BITS, bias, certified_parts, confident_bias
from harness.studies.epsilons.candidates import Bins, Candidate, candidates, inputs, ladder, probabilities, slope_of
from harness.studies.epsilons.choice import best_rows, circulating_rows, window_rows
from harness.studies.study import Parameters, Tables, joined
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET, audit_sample
from harness.sweep.summary import Summary
from harness.sweep.tally import Block
from harness.tables.outcomes import OutcomeInputs, followed
from harness.tables.rows import Row, places, row
from harness.truth.certified import significant
from harness.truth.classes import error_class
from harness.truth.errors import NONE, RELATIVE_LIMIT, Errors, measure
from harness.truth.fast import audit, evaluate

Array = np.ndarray

PROBLEMS = {"probability": "bce", "logit": "bce_logits"}  # what a part is named after
CHUNK = 1 << 14  # inputs at a time
TARGETS = (0.0, 1.0)
ERRORS = ("ulp", "rel", "abs")
# What became of an evaluation, from harmless to worst, as the outcomes of errors.py call it.
MARKED = ("spurious_zero", "wrong_sign", "spurious_inf", "spurious_nan")
LETTERS = "zsin"  # of these, in a profile
EMPTY = "."
CONFIDENT = 10.0  # the logit of a confident correct prediction, 1 - p = 4.54e-5
LONG = ("operation", "reason", "remedy")  # columns in words, which say the same of every eps


def run(parameters: Parameters, part: str) -> Tables:
    """Measure every eps in one format on probabilities or logits; the part is FORMAT-probability or FORMAT-logit."""
    name, _, what = part.partition("-")
    problem, fmt = problem_named(PROBLEMS[what]), format_named(name)
    grid, bins, every = Grid(parameters["grid"][name], problem, fmt), Bins(fmt, parameters), ladder(fmt, parameters)
    chosen = candidates(problem, every)
    tallies, ordinals = sweep(grid, chosen, bins), inputs(grid, every)
    found = [
        study_row(EpsAtTarget(grid, ordinals, bins, candidate, tally, t))
        for candidate, tally in zip(chosen, tallies)
        for t in range(len(TARGETS))
    ]
    return {"epsilons": found}


def combine(parameters: Parameters, parts: list[Tables]) -> Tables:
    """Join the parts, and make the tables of the best eps, of those in circulation, and of each format's window."""
    rows = joined(parameters, parts)["epsilons"]
    return {
        "epsilons_best": best_rows(rows, parameters),
        "epsilons_circulating": circulating_rows(rows),
        "epsilons_windows": window_rows(parameters),
        "epsilons": rows,
    }


# -- the pass ---------------------------------------------------------------------------------------


class Chunk:
    """Hold the inputs under way, with targets, exact loss and gradient, and each input's place in the bins."""

    def __init__(self, problem: Problem, fmt: Format, ordinals: Array, centre: int, bins: Bins):
        self.fmt, self.ordinals = fmt, ordinals
        self.block = Block(ordinals, 1, 0, whole_cells=False, centre=centre)
        self.x = fmt.from_ordinal(ordinals)[None, :]
        self.y = np.array(TARGETS).astype(fmt.dtype)[:, None]
        self.exact = evaluate(problem, fmt, self.x, self.y)
        self.slope = evaluate(slope_of(problem), fmt, self.x, self.y)
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


class EpsTally:
    """Hold what was found of one candidate; arrays have one row for each target."""

    def __init__(self, problem: Problem, fmt: Format, bins: Bins):
        shape = (len(TARGETS), bins.count)
        self.summary = Summary(len(TARGETS), np.zeros(1, np.int64))
        self.met = OutcomeInputs(problem, fmt, len(TARGETS))
        self.worst = {name: np.full(shape, NONE) for name in ERRORS}
        self.mark = np.zeros(shape, np.int64)  # 0, or 1 + place in MARKED of the worst outcome
        self.largest = {name: np.full(2, NONE) for name in ("bias", "rounding")}
        self.largest_at = {name: np.zeros(2, np.int64) for name in self.largest}
        self.largest_loss = np.full(2, -np.inf)
        self.slope_nan, self.slope_inf = np.zeros(2, np.int64), np.zeros(2, np.int64)
        self.dead_below = np.full(2, np.iinfo(np.int64).min)
        self.dead_above = np.full(2, np.iinfo(np.int64).max)

    def add(self, chunk: Chunk, candidate: Candidate) -> None:
        """Run a candidate and its gradient on a chunk of inputs, and add what is found to the tally."""
        computed = candidate.kernel(chunk.x, chunk.y)
        errors = measure(computed, chunk.exact, nonnegative=True)
        self.summary.update(chunk.block, errors, BUDGET)
        self.met.add(chunk.ordinals, errors)
        self._bins(chunk, errors)
        self._parts(chunk, errors, computed, candidate)
        self._slope(chunk, candidate.slope(chunk.x, chunk.y))
        loss = computed.astype(np.float64)
        self.largest_loss = np.maximum(self.largest_loss, np.where(np.isnan(loss), -np.inf, loss).max(axis=1))

    def _bins(self, chunk: Chunk, errors: Errors) -> None:
        relative = errors.ulp * chunk.exact.ulp_per_value
        relative[chunk.exact.high == 0] = NONE  # no relative error of an exact 0
        relative[relative > RELATIVE_LIMIT] = np.inf
        for name, values in zip(ERRORS, (errors.ulp, relative, errors.ulp * chunk.exact.ulp)):
            chunk.bin_maxima(self.worst[name], values)
        if errors.outcomes:
            marks = np.zeros(errors.ulp.shape, np.int64)
            for i, name in enumerate(MARKED):
                if name in errors.outcomes:
                    marks[errors.outcomes[name]] = 1 + i
            chunk.bin_maxima(self.mark, marks)

    def _parts(self, chunk: Chunk, errors: Errors, computed: Array, candidate: Candidate) -> None:
        """Keep the largest bias and the largest rounding, and where they are."""
        total, own = computed.astype(np.float64) - chunk.exact.high, np.zeros(errors.ulp.shape)
        if candidate.eps:
            own = bias(candidate.form, candidate.eps.rounded(chunk.fmt), chunk.a, chunk.log_a, chunk.b)
        for scale in chunk.exact.scales:
            total, own = total * scale, own * scale
        if chunk.exact.low is not None:
            total -= chunk.exact.low
        measured = (errors.ulp >= 0) & np.isfinite(chunk.log_a)
        for name, values in (("bias", np.abs(own)), ("rounding", np.abs(total - own))):
            known = np.where(measured & ~np.isnan(values), values, NONE)
            at = known.argmax(axis=1)
            top = known[[0, 1], at]
            grown = top > self.largest[name]
            self.largest_at[name] = np.where(grown, chunk.ordinals[at], self.largest_at[name])
            self.largest[name] = np.where(grown, top, self.largest[name])

    def _slope(self, chunk: Chunk, slope: Array) -> None:
        """Note where the gradient is 0 though the exact one does not round to 0; count NaN and infinities."""
        slope = slope.astype(np.float64)
        self.slope_nan += np.count_nonzero(np.isnan(slope) & ~np.isnan(chunk.slope.rounded), axis=1)
        self.slope_inf += np.count_nonzero(np.isinf(slope) & np.isfinite(chunk.slope.rounded), axis=1)
        for t, dead in enumerate((slope == 0) & (chunk.slope.rounded != 0)):
            at = chunk.ordinals[dead]
            below, above = at[at < chunk.block.centre], at[at > chunk.block.centre]
            if below.size:
                self.dead_below[t] = max(self.dead_below[t], below[-1])
            if above.size:
                self.dead_above[t] = min(self.dead_above[t], above[0])


def sweep(grid: Grid, chosen: Sequence[Candidate], bins: Bins) -> list[EpsTally]:
    """Run every candidate on the grid's inputs; AuditFailure where the reference breaks its bound."""
    problem, fmt = grid.problem, grid.fmt
    tallies = [EpsTally(problem, fmt, bins) for _ in chosen]
    with np.errstate(all="ignore"):
        sample = audit_sample(grid, grid.cells)
        for exact in (problem, slope_of(problem)):
            audit(exact, fmt, sample, np.array(TARGETS).astype(fmt.dtype))
        ordinals = inputs(grid, [c.eps for c in chosen if c.eps])
        for start in range(0, len(ordinals), CHUNK):
            chunk = Chunk(problem, fmt, ordinals[start : start + CHUNK], grid.centre, bins)
            for candidate, tally in zip(chosen, tallies):
                tally.add(chunk, candidate)
    return tallies


# -- the rows ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EpsAtTarget:
    """Hold one candidate's tally for one target, with what it was measured on."""

    grid: Grid
    ordinals: Array
    bins: Bins
    candidate: Candidate
    tally: EpsTally
    t: int

    @property
    def case(self) -> Case:
        """Return kernel, grid and target as the tables' rows want them."""
        target = self.grid.fmt.round(TARGETS[self.t])
        return Case(self.grid.problem, self.candidate.kernel.name, self.candidate.kernel, self.grid, target)

    @property
    def eps(self) -> float:
        """Return the eps as the format holds it; 0 for the form without one."""
        return self.candidate.eps.rounded(self.grid.fmt) if self.candidate.eps else 0.0


def study_row(found: EpsAtTarget) -> Row:
    """Return one row of the whole table: the contract's columns, then the eps, and what it costs."""
    eps, fmt = found.candidate.eps, found.grid.fmt
    loss = float(found.tally.largest_loss[found.t])
    of_contract = row(found.case, found.tally.summary, found.t)
    return {
        **{name: cell for name, cell in of_contract.items() if name not in LONG},
        "form": found.candidate.form or "stable",
        "eps": eps.name if eps else "",
        "known_as": eps.known_as if eps else "",
        "eps_in_format": fmt.hex(found.eps) if eps else "",
        "one_minus_eps": fmt.hex(float(fmt.round(1 - mp.mpf(found.eps)))) if eps else "",
        **_parts(found),
        **_ranges(found),
        "largest_loss": fmt.hex(loss),
        "confident_bias": significant(confident_bias(found.candidate.form, found.eps, CONFIDENT)),
        **_dead(found),
        "slope_nan": int(found.tally.slope_nan[found.t]),
        "slope_inf": int(found.tally.slope_inf[found.t]),
        "profile": profile(found),
        **_places(found, of_contract),
    }


def _places(found: EpsAtTarget, of_contract: Row) -> Row:
    """Return where each outcome happens, the usual range's largest error, and the condition number at the worst input."""
    met, t = found.tally.met, found.t
    located = {name: None if at is None else followed(found.case, name, at) for name, at in met.located[t].items()}
    return places(found.case, located, met.usual(t), of_contract)


def _parts(found: EpsAtTarget) -> Row:
    """Return the largest bias and the largest rounding, each by itself, with their inputs."""
    cells: Row = {}
    for i, name in enumerate(("bias", "rounding")):
        at, top = int(found.tally.largest_at[name][found.t]), found.tally.largest[name][found.t]
        value = certified_parts(found.case, found.candidate.form, found.eps, at)[i] if top >= 0 else mp.nan
        fmt = found.grid.fmt
        cells[f"max_{name}_ulp"] = significant(value)
        cells[f"max_{name}_input"] = fmt.hex(fmt.from_ordinal(np.array([at]))[0]) if top >= 0 else ""
    return cells


def _ranges(found: EpsAtTarget) -> Row:
    """Return the worst ulp, relative and absolute error for |logit| <= L; infinite with a spurious NaN or infinity."""
    cells: Row = {}
    for name in ERRORS:
        for limit in (*found.bins.ranges, np.inf):
            inside = found.bins.within(limit)
            spoilt = (found.tally.mark[found.t, inside] > MARKED.index("wrong_sign") + 1).any()
            worst = np.inf if spoilt else max(0.0, found.tally.worst[name][found.t, inside].max())
            cells[f"worst_{name}_{limit:g}".replace("inf", "all")] = significant(worst)
    return cells


def _dead(found: EpsAtTarget) -> Row:
    """Return the dead zone of the gradient: its ends towards 1/2, width in p, and what is left alive in logit."""
    lo, hi = (dead_end(found, towards) for towards in (1, -1))
    fmt, logit = found.grid.fmt, found.grid.problem.input == "logit"
    values = [None if o is None else float(fmt.from_ordinal(np.array([o]))[0]) for o in (lo, hi)]
    with mp.workprec(BITS[found.grid.problem.input]):
        p = [mp.mpf(end) if v is None else _probability(v, logit) for v, end in zip(values, (0, 1))]
        width = p[0] + (1 - p[1])
        at = [_logit(v, logit) for v in p] if not logit else [mp.mpf(v) if v is not None else None for v in values]
        ends = [sign * mp.inf if v is None else a for v, a, sign in zip(values, at, (-1, 1))]
        alive = mp.mpf(ends[1]) - mp.mpf(ends[0])
    texts = ["" if v is None else fmt.hex(v) for v in values]
    return {"dead_lo": texts[0], "dead_hi": texts[1], "dead_p": significant(width), "live_logit": significant(alive)}


def _probability(v: float, logit: bool) -> mpmath.mpf:
    return 1 / (1 + mp.exp(-mp.mpf(v))) if logit else mp.mpf(v)


def _logit(p: mpmath.mpf, logit: bool) -> mpmath.mpf:
    if p in (0, 1):
        return mp.inf if p else -mp.inf
    return mp.log(p) - mp.log1p(-p)


def dead_end(found: EpsAtTarget, towards: int) -> int | None:
    """Return the dead input nearest to the centre, below it (towards = 1) or above it (-1); None where none is.

    A sample's is refined between the dead input and the live one beside it.  For hard targets the
    exact gradient is not 0 between the centre and an input where it is not, so only the kernel's is asked.
    """
    end = int((found.tally.dead_below if towards == 1 else found.tally.dead_above)[found.t])
    if abs(end) > 1 << 62 and end in (np.iinfo(np.int64).min, np.iinfo(np.int64).max):
        return None
    if found.grid.exhaustive:
        return end
    place = int(np.searchsorted(found.ordinals, end))
    live = int(found.ordinals[place + towards])
    return sectioning(lambda ordinals: _slope(found, ordinals) != 0, live, end)[1]


def _slope(found: EpsAtTarget, ordinals: Array) -> Array:
    fmt = found.grid.fmt
    x, y = fmt.from_ordinal(ordinals)[None, :], np.full((1, 1), found.case.target)
    with np.errstate(all="ignore"):
        return found.candidate.slope(x, y)[0].astype(np.float64)


def profile(found: EpsAtTarget) -> str:
    """Return a letter for each bin from p = 0 to p = 1: the class 0 to 5 of its worst error, or an outcome.

    z spurious zero, s wrong sign, i spurious infinity, n spurious NaN; a dot where the format has no input.
    """
    letters = []
    for ulp, mark in zip(found.tally.worst["ulp"][found.t], found.tally.mark[found.t]):
        letters.append(LETTERS[mark - 1] if mark else EMPTY if ulp < 0 else str(error_class(ulp, found.grid.fmt)))
    return "".join(letters)
