"""The rows of the study: the contract's columns, then what an eps costs; extremes computed again in mpmath."""

from __future__ import annotations

from dataclasses import dataclass

import mpmath
import numpy as np
from mpmath import mp

from harness.studies.epsilons.bias import BITS, certified_parts, confident_bias
from harness.studies.epsilons.ladder import Bins, Candidate
from harness.studies.epsilons.sweep import ERRORS, MARKED, TARGETS, Tally
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.tables.rows import SECTIONS, Row, row
from harness.truth.certified import significant

Array = np.ndarray

CONFIDENT = 10.0  # the logit of a confident correct prediction, 1 - p = 4.54e-5
CLASSES = (4.0, 0.25, 0.5, 0.75, 1.0)  # ulp, then shares of the p - 1 bits: the classes of figures/style.py
LETTERS = "zsin"  # of MARKED, in a profile
EMPTY = "."
LONG = ("operation", "reason", "remedy")  # columns in words, which say the same of every eps


@dataclass(frozen=True)
class Found:
    """Hold one candidate's tally for one target, with what it was measured on."""

    grid: Grid
    ordinals: Array
    bins: Bins
    candidate: Candidate
    tally: Tally
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


def study_row(found: Found) -> Row:
    """Return one row of the whole table."""
    eps, fmt = found.candidate.eps, found.grid.fmt
    loss = float(found.tally.largest_loss[found.t])
    return {
        **{name: cell for name, cell in row(found.case, found.tally.summary, found.t).items() if name not in LONG},
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
    }


def _parts(found: Found) -> Row:
    """Return the largest bias and the largest rounding, each by itself, with their inputs."""
    cells: Row = {}
    for i, name in enumerate(("bias", "rounding")):
        at, top = int(found.tally.part_at[name][found.t]), found.tally.part[name][found.t]
        value = certified_parts(found.case, found.candidate.form, found.eps, at)[i] if top >= 0 else mp.nan
        fmt = found.grid.fmt
        cells[f"max_{name}_ulp"] = significant(value)
        cells[f"max_{name}_input"] = fmt.hex(fmt.from_ordinal(np.array([at]))[0]) if top >= 0 else ""
    return cells


def _ranges(found: Found) -> Row:
    """Return the worst ulp, relative and absolute error for |logit| <= L; infinite with a spurious NaN or infinity."""
    cells: Row = {}
    for name in ERRORS:
        for limit in (*found.bins.ranges, np.inf):
            inside = found.bins.within(limit)
            spoilt = (found.tally.mark[found.t, inside] > MARKED.index("wrong_sign") + 1).any()
            worst = np.inf if spoilt else max(0.0, found.tally.worst[name][found.t, inside].max())
            cells[f"worst_{name}_{limit:g}".replace("inf", "all")] = significant(worst)
    return cells


def _dead(found: Found) -> Row:
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


def dead_end(found: Found, towards: int) -> int | None:
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
    while abs(live - end) > 1:
        line = live - towards * np.unique(np.linspace(0, abs(live - end), SECTIONS).astype(np.int64))
        dead = _slope(found, line) == 0
        dead[0], dead[-1] = False, True
        first = int(np.argmax(dead))
        live, end = int(line[first - 1]), int(line[first])
    return end


def _slope(found: Found, ordinals: Array) -> Array:
    fmt = found.grid.fmt
    x, y = fmt.from_ordinal(ordinals)[None, :], np.full((1, 1), found.case.target)
    with np.errstate(all="ignore"):
        return found.candidate.slope(x, y)[0].astype(np.float64)


def profile(found: Found) -> str:
    """Return a letter for each bin from p = 0 to p = 1: the class 0 to 5 of its worst error, or an outcome.

    z spurious zero, s wrong sign, i spurious infinity, n spurious NaN; a dot where the format has no input.
    """
    letters = []
    for ulp, mark in zip(found.tally.worst["ulp"][found.t], found.tally.mark[found.t]):
        letters.append(
            LETTERS[mark - 1] if mark else EMPTY if ulp < 0 else str(error_class(ulp, found.grid.fmt.precision))
        )
    return "".join(letters)


def error_class(ulp: float, precision: int) -> int:
    """Return 0 within 4 ulp, else 1 to 5 by the share of bits lost, log2(ulp) / (p - 1), as figures colour it."""
    if ulp <= CLASSES[0]:
        return 0
    share = np.log2(ulp) / (precision - 1)
    return 1 + sum(bool(share >= bound) for bound in CLASSES[1:])
