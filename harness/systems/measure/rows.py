"""Measure what the systems returned: the rows of the table, every extreme certified in mpmath.

A result in another format is rounded into the working format once, and `upcast` names that format.
Nothing is called again: what a system computed at an input is what was recorded there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.numbers.formats import Format, format_of
from harness.sweep.case import Case
from harness.sweep.streaming import BUDGET, audit_sample
from harness.sweep.summary import NO_BAD_ABOVE, NO_BAD_BELOW, Summary
from harness.sweep.tally import Block
from harness.systems.measure import alone
from harness.systems.measure.agreement import agreement
from harness.systems.measure.inputs import Combination, Inputs
from harness.systems.run.supervise import Request, Result
from harness.tables.basis import BASES, bases
from harness.tables.identity import identifier
from harness.tables.outcomes import OutcomeInputs
from harness.tables.rows import CONTRACT, WHERE, Row, certified_extreme, extremes, places, significant
from harness.truth.errors import NONE, SPURIOUS, Errors, measure
from harness.truth.fast import Reference, audit, evaluate

NEAR_COLUMNS = ("near_ulp", "near_ulp_input", "near_ulp_computed", "near_ulp_exact")
FLUSHED_COLUMNS = ("flushed", "unflushed_max_ulp", "unflushed_max_ulp_input", "unflushed_spurious_zero")
FURTHER = (
    "system", "version", "mode", "refused", "unavailable", "reason",
    "replica", "agreement", "replica_max_steps", "upcast",
    "library", "label_smoothing", "replica_max_steps_input", "agreement_flushed", "replica_max_steps_flushed",
    *NEAR_COLUMNS, *(f"near_{name}" for name in SPURIOUS), "capped", "max_rel_input", "max_abs_input",
    "id", *FLUSHED_COLUMNS, *alone.COLUMNS, *BASES, *WHERE,
)  # fmt: skip
COLUMNS = CONTRACT + FURTHER
EXTREMES = tuple(name for name in COLUMNS if name.startswith("max_"))


@dataclass(frozen=True)
class Answers:
    """Hold what a system answered in one combination: on the grid and probes, one input at a time, and to an empty batch."""

    grid: Result
    alone: Result | None = None
    empty: Result | None = None


def requests(combinations: Sequence[Combination]) -> list[tuple[int, str, Request]]:
    """Return what is asked: a combination's position, which of its answers (see Answers), and the request.

    All grids come first: what is called alone may make a library compile its calls anew.  Empty batches come last,
    being the likeliest to end the process.
    """
    found = [(i, "grid", Request(c.system.key, c.inputs.x, c.given)) for i, c in enumerate(combinations)]
    extra = [(i, alone.requests_alone(c)) for i, c in enumerate(combinations)]
    for position, name in enumerate(("alone", "empty")):
        found += [(i, name, pair[position]) for i, pair in extra if pair]
    return found


@dataclass
class Measurements:
    """Hold the rows of a library in the order of its combinations, those of its special values, and audits of the reference."""

    rows: list[Row]
    special: list[Row] = field(default_factory=list)
    audits: dict[str, dict] = field(default_factory=dict)


def measurements(combinations: Sequence[Combination], every: Sequence[Answers], budget: float = BUDGET) -> Measurements:
    """Return the row of every combination, in order; fast.AuditFailure where the fast reference breaks its bound."""
    results = [a.grid for a in every]
    done = Measurements([{} for _ in combinations])
    for indices in _alike(combinations):
        first = combinations[indices[0]]
        with np.errstate(all="ignore"):
            answered = any(results[i].status == "ok" for i in indices)
            exact = _exact(first, done.audits) if answered else None
            for i in indices:
                done.rows[i] = _named(combinations[i], results[i])
                if exact is not None and results[i].status == "ok":
                    done.rows[i] |= _answered(combinations[i], every[i], exact, budget)
                done.rows[i] |= bases(done.rows[i])
    done.special = [r for c, a in zip(combinations, every) for r in alone.special_rows(c, a.alone, a.empty)]
    return done


def _alike(combinations: Sequence[Combination]) -> Iterator[list[int]]:
    """Yield the indices of combinations that have problem, inputs and effective target in common."""
    groups: dict[tuple, list[int]] = {}
    for i, asked in enumerate(combinations):
        target = None if asked.effective is None else float(asked.effective)
        groups.setdefault((asked.problem.name, id(asked.inputs), target), []).append(i)
    yield from groups.values()


def _exact(asked: Combination, audits: dict[str, dict]) -> Reference:
    """Return the exact values at a combination's inputs and target, after an audit of the fast reference there."""
    grid, target = asked.inputs.grid, asked.effective
    column = None if target is None else target.reshape(1, 1)
    sample = audit_sample(grid, grid.cells)
    worst = audit(asked.problem, asked.fmt, sample, None if target is None else target.reshape(1))
    kept = audits.setdefault(f"{asked.problem.name} {asked.fmt.name}", {"log2_relative_error": -1e9, "points": 0})
    kept["log2_relative_error"] = round(max(kept["log2_relative_error"], worst), 2)
    kept["points"] += sample.size
    x = asked.fmt.from_ordinal(asked.inputs.ordinals)[None, :]
    return evaluate(asked.problem, asked.fmt, x, *([] if column is None else [column]))


def _named(asked: Combination, result: Result) -> Row:
    """Return a row's first columns, and its outcome where there is no result."""
    system, n = asked.system, len(asked.inputs.ordinals)
    named = {
        **dict.fromkeys(COLUMNS, ""),
        "problem": asked.problem.name,
        "kernel": f"{system.library}:{system.key}",
        "format": asked.fmt.name,
        "target": "" if asked.target is None else asked.fmt.short(asked.target),
        "grid": asked.inputs.grid.name,
        "points": n,
        "exhaustive": asked.inputs.exhaustive,
        "system": system.name,
        "library": system.library,
        "version": result.version,
        "mode": system.mode,
        "refused": n if result.status == "refused" else 0,
        "unavailable": n if result.status == "unavailable" else 0,
        "reason": result.reason
        or (f"printed to standard output: {' '.join(result.printed.split())}" if result.printed else ""),
        "replica": system.replica,
        "label_smoothing": f"{system.label_smoothing:g}" if system.label_smoothing else "",
    }
    return {**named, "id": identifier(named)}


def _answered(asked: Combination, answers: Answers, exact: Reference, budget: float) -> Row:
    """Return the columns that need a result: errors, outcomes, safe range, and the replica's agreement."""
    assert answers.grid.output is not None
    inputs, fmt = asked.inputs, asked.fmt
    recorded = answers.grid.output[: len(inputs.ordinals)]
    computed = recorded.astype(fmt.dtype)
    errors = measure(computed[None, :], exact, asked.problem.nonnegative)
    # The rows need no statistics per cell: all inputs are one.
    summary = Summary(1, np.zeros(1, np.int64))
    block = Block(inputs.ordinals, 1, 0, whole_cells=False, centre=inputs.grid.centre)
    summary.update(block, errors, budget)
    case = recorded_case(asked, computed)
    returned = format_of(recorded.dtype)
    worst, met = extremes(case, summary, 0, budget), OutcomeInputs(case.problem, fmt, 1)
    met.add(inputs.ordinals, errors)
    return {
        **{name: v for name, v in worst.items() if name in EXTREMES},
        **places(case, met.located[0], met.usual(0), worst),
        **_near(case, inputs, errors),
        **_flushed(case, inputs, errors, computed),
        **alone.alone_row(asked, recorded, answers.alone),
        "mean_ulp": significant(summary.mean_ulp(0)),
        "correctly_rounded": significant(int(summary.correctly_rounded[0].sum()) / len(computed)),
        **{name: int(m[0].sum()) for name, m in summary.outcomes.items()},
        **_safe_range(inputs, int(summary.bad_below[0]), int(summary.bad_above[0]), errors.outcomes.get("capped")),
        **_agreement(asked, recorded),
        "upcast": returned.name if returned != fmt else "",
    }


def recorded_case(asked: Combination, computed: np.ndarray) -> Case:
    """Return the case whose function looks up what was recorded at the grid's inputs."""
    ordinals = asked.inputs.ordinals

    def look_up(x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        return computed[np.searchsorted(ordinals, asked.fmt.ordinal(x[0]))][None, :]

    return Case(asked.problem, asked.system.key, look_up, asked.inputs.grid, asked.target)


def _near(case: Case, inputs: Inputs, errors: Errors) -> Row:
    """Return the largest error, certified, and the outcomes among the logits that models work with."""
    ulp = np.where(inputs.near, errors.ulp[0], NONE)
    worst = int(np.argmax(ulp))
    found: Row = dict.fromkeys(NEAR_COLUMNS, "")
    if ulp[worst] >= 0:
        certified = certified_extreme(case, int(inputs.ordinals[worst]))
        found = {name: certified[name.replace("near", "max")] for name in NEAR_COLUMNS}
    masks = {name: errors.outcomes[name][0] for name in SPURIOUS if name in errors.outcomes}
    return found | {f"near_{name}": int((masks[name] & inputs.near).sum()) if name in masks else 0 for name in SPURIOUS}


def flushed(fmt: Format, x: np.ndarray, computed: np.ndarray, exact: Reference) -> np.ndarray:
    """Tell where a system flushed a subnormal number to zero; arrays of shape (n,), `x` in value order.

    Either the exact value rounds to a subnormal number and 0 was returned; or the input is subnormal, the result is
    not the exact value rounded, and it is what was returned at x = 0, bit for bit, but not at the least normal input
    of that sign that was visited: it was taken for 0, and a clamp that covers normal numbers too is not the reason.
    """
    rounded = np.abs(exact.rounded[0].astype(np.float64))
    results = (computed == 0) & (rounded > 0) & (rounded < fmt.min_normal)
    size, wrong = np.abs(x.astype(np.float64)), computed != exact.rounded_working[0]
    inputs = np.zeros(len(x), bool)
    zero = np.nonzero(size == 0)[0]
    for side in (x > 0, x < 0):
        subnormal, normal = side & (size > 0) & (size < fmt.min_normal), np.nonzero(side & (size >= fmt.min_normal))[0]
        if zero.size and normal.size:
            at_zero, least = computed[zero[0]], computed[normal[np.argmin(size[normal])]]
            if not _same(at_zero, least):
                inputs |= subnormal & wrong & _same(computed, at_zero)
    return results | inputs


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Tell where two arrays are equal, NaN equal to NaN."""
    return (a == b) | (np.isnan(a) & np.isnan(b))


def _flushed(case: Case, inputs: Inputs, errors: Errors, computed: np.ndarray) -> Row:
    """Return how many results are flushed, and what is left without them: the largest error, certified, and zeros."""
    mask = flushed(case.fmt, case.fmt.from_ordinal(inputs.ordinals), computed, errors.exact)
    ulp = np.where(mask, NONE, errors.ulp[0])
    worst = int(np.argmax(ulp))
    found: Row = dict.fromkeys(FLUSHED_COLUMNS, "")
    if ulp[worst] >= 0:
        certified = certified_extreme(case, int(inputs.ordinals[worst]))
        found |= {f"unflushed_{name}": certified[name] for name in ("max_ulp", "max_ulp_input")}
    zeros = errors.outcomes["spurious_zero"][0] if "spurious_zero" in errors.outcomes else np.zeros(len(mask), bool)
    return found | {"flushed": int(mask.sum()), "unflushed_spurious_zero": int((zeros & ~mask).sum())}


def _safe_range(inputs: Inputs, bad_below: int, bad_above: int, capped: np.ndarray | None) -> Row:
    """Return the ends of the visited inputs around the centre that keep the budget; empty where it is bad itself.

    Poles that are capped, a mask of shape (1, n), lie at the domain's ends and are left out.  On a sample they are the last good samples: a library is not called again to look between two.
    """
    ordinals, centre = inputs.ordinals, inputs.grid.centre
    lo = 0 if bad_below == NO_BAD_BELOW else int(np.searchsorted(ordinals, bad_below)) + 1
    hi = (len(ordinals) if bad_above == NO_BAD_ABOVE else int(np.searchsorted(ordinals, bad_above))) - 1
    if lo > hi or bad_above == centre or not ordinals[lo] <= centre <= ordinals[hi]:
        return {"safe_lo": "", "safe_hi": ""}
    if capped is not None:
        lo, hi = lo + int(capped[0, lo]), hi - int(capped[0, hi])
    fmt = inputs.grid.fmt
    ends = fmt.from_ordinal(ordinals[[lo, hi]])
    return {"safe_lo": fmt.hex(ends[0]), "safe_hi": fmt.hex(ends[1])}


def _agreement(asked: Combination, recorded: np.ndarray) -> Row:
    found = agreement(asked.system, recorded, asked.fmt.from_ordinal(asked.inputs.ordinals), asked.given)
    return {
        "agreement": significant(found.identical),
        "replica_max_steps": significant(found.max_steps),
        "replica_max_steps_input": float(found.at).hex() if found.max_steps else "",
        "agreement_flushed": significant(found.identical_flushed),
        "replica_max_steps_flushed": significant(found.max_steps_flushed),
    }
