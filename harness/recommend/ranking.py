"""Rank the known forms of a problem: by the larger of their loss's and their gradient's largest error, then by cost.

A form is a kernel of the loss with its gradient: its own formula differentiated as written, or one of the formulas that
are declared for the gradient, which goes with any loss.  Calls of libraries stand beside them where tables speak of the
range.  A form that gives NaN, infinity, 0 or a wrong sign inside the range, where the exact value is none, is excluded;
where every form of the gradient does, as each must somewhere near a zero that no number of the format is, that excludes
none, is said, and forms are ranked by the other half first.  On the Pareto front are the forms than which no other is both no more wrong and no more costly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import numpy as np

from harness import UsageError
from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import Format
from harness.problems import Problem, gradient_of
from harness.recommend.costs import Costs, costs
from harness.recommend.known import RangeFigures, RangeRequest, kernels_known, libraries_known, said
from harness.recommend.measuring import InputRange
from harness.recommend.written import KnownForm
from harness.tables.strongest import Known, intersection

UNKNOWN = Decimal("Infinity")


@dataclass(frozen=True)
class Ranked:
    """Hold a form, or a library's call, with what is known of its two halves, its cost and what it is excluded for.

    `form` is None for a call; `gradient` where there is none, or none is known.  `ns` is the cost of both halves an
    element, None where it was not timed.  `complete` tells whether all that is asked is known, `unweighed` names the half,
    loss or gradient, that every form has wrong: it does not count.
    """

    name: str
    form: KnownForm | None
    loss: RangeFigures
    gradient: RangeFigures | None
    ns: Decimal | None
    excluded: tuple[str, ...] = ()
    complete: bool = True
    front: bool = False
    unweighed: tuple[str, ...] = ()

    @property
    def halves(self) -> list[RangeFigures]:
        """Return what is known of the loss and, where something is, of the gradient."""
        return [half for half in (self.loss, self.gradient) if half is not None]

    @cached_property
    def error(self) -> Decimal:
        """Return the larger of both largest errors, of the halves that count; infinite where one is not known."""
        counted = [h for name, h in (("loss", self.loss), ("gradient", self.gradient)) if name not in self.unweighed]
        return _largest(counted) if self.complete else UNKNOWN

    @property
    def safe(self) -> tuple[str, str]:
        """Return the ends of the range in which both halves are safe, hex; empty where there is none."""
        return intersection([h.safe for h in self.halves])


@dataclass(frozen=True)
class Ranking:
    """Hold what was asked, the forms in order, those excluded, and what all forms give wrongly, by half."""

    asked: RangeRequest
    forms: tuple[Ranked, ...]
    excluded: tuple[Ranked, ...]
    unavoidable: tuple[str, ...]

    @property
    def best(self) -> Ranked:
        """Return the first form that is no library's call: the one whose code is printed."""
        return next(r for r in (*self.forms, *self.excluded) if r.form is not None)


def ranking(problem: Problem, fmt: Format, ends: tuple[int, int] | None, targets: np.ndarray | None, soft: bool, folder: Path) -> Ranking:  # fmt: skip
    """Rank the known forms of a problem in a format.

    `ends` are the ordinals of the range's ends, None for the whole domain; `targets` numbers of the format, None for a
    problem without; `folder` holds the tables.  UsageError for a problem without kernels.
    """
    slope = gradient_of(problem)
    names = {p.name for p in (problem, slope) if p}
    known = Known.of_problems(folder, names, fmt.name)
    asked = RangeRequest(inputs_of(problem, fmt, ends), targets, soft)
    losses = [k for k in kernels_of(problem.name) if not (k.hard_targets_only and soft)]
    if not losses:
        raise UsageError(f"no kernel of {problem.name} is known that could be recommended")
    of_loss = kernels_known(known, losses, asked)
    slopes, of_slope = [], {}
    if slope is not None:
        of_gradient = RangeRequest(inputs_of(slope, fmt, ends), targets if slope.has_target else None, soft)
        slopes = kernels_of(slope.name)
        of_slope = kernels_known(known, slopes, of_gradient)
    timed = {**costs(folder, problem.name, fmt.name), **(costs(folder, slope.name, fmt.name) if slope else {})}
    found = _forms(losses, slopes, of_loss, of_slope, timed)
    return _ranked(asked, [*found, *_calls(folder, asked, slope, timed)])


def inputs_of(problem: Problem, fmt: Format, ends: tuple[int, int] | None) -> InputRange:
    """Return the inputs of a range that are in the problem's domain; UsageError where there are none."""
    start, stop = fmt.finite_ordinals(*problem.domain)
    first, last = (start, stop - 1) if ends is None else (max(start, ends[0]), min(stop - 1, ends[1]))
    if first > last:
        lo, hi = problem.domain
        raise UsageError(f"--range has no number of {fmt.name} in [{lo:g}, {hi:g}], the domain of {problem.name}")
    return InputRange(problem, fmt, first, last)


def _forms(
    losses: Sequence[Kernel],
    slopes: Sequence[Kernel],
    of_loss: dict[str, RangeFigures],
    of_slope: dict[str, RangeFigures],
    timed: Costs,
) -> list[Ranked]:
    """Return every loss with its own gradient and with each formula of the gradient that goes with any loss."""
    named = {k.name for k in losses}
    found = []
    for loss in losses:
        chosen: list[Kernel | None] = [k for k in slopes if k.name == loss.name or k.name not in named]
        chosen = chosen or [None]
        for slope in chosen:
            form = KnownForm(loss, slope)
            keys = [(k.problem, k.name) for k in (loss, slope) if k]
            ns = sum(timed[key] for key in keys) if all(key in timed for key in keys) else None
            gradient = of_slope[slope.name] if slope else None
            found.append(Ranked(form.name, form, of_loss[loss.name], gradient, Decimal(ns) if ns is not None else None))
    return found


def _calls(folder: Path, asked: RangeRequest, slope: Problem | None, timed: Costs) -> list[Ranked]:
    """Return the calls of libraries of which the tables speak over the range."""
    problem, fmt = asked.inputs.problem, asked.inputs.fmt
    known, names = libraries_known(folder, problem.name, fmt.name)
    of_slope = RangeRequest(replace(asked.inputs, problem=slope), asked.targets, asked.soft) if slope else None
    gradients = libraries_known(folder, slope.name, fmt.name)[0] if slope else None
    found = []
    for name in names:
        loss = said(known, asked, name)
        if loss is None:
            continue
        library, rest = name.split(":", 1)
        system, _, mode = rest.rsplit(":", 2)
        twin = f"{library}:{system}:{slope.name}:{mode}" if slope else ""
        gradient = said(gradients, of_slope, twin) if gradients and of_slope else None
        keys = [(problem.name, name), *([(slope.name, twin)] if slope else [])]
        ns = Decimal(sum(timed[k] for k in keys)) if all(k in timed for k in keys) else None
        found.append(
            Ranked(f"{library}: {system}", None, loss, gradient, ns, complete=slope is None or gradient is not None)
        )
    return found


def _ranked(asked: RangeRequest, found: Sequence[Ranked]) -> Ranking:
    """Exclude, rank and mark the front."""
    halves = {"loss": lambda r: r.loss, "gradient": lambda r: r.gradient}
    own = [r for r in found if r.form is not None]
    unavoidable = [
        half
        for half, of in halves.items()
        if all(of(r) is not None and of(r).outcomes for r in own)  # type: ignore[union-attr, no-untyped-call]
    ]
    counted = tuple(unavoidable) if len(unavoidable) == 1 else ()
    kept: list[Ranked] = []
    excluded: list[Ranked] = []
    for r in found:
        reasons = tuple(
            f"{half}:{outcome}"
            for half, over in (("loss", r.loss), ("gradient", r.gradient))
            if over is not None and half not in unavoidable
            for outcome in over.outcomes
        )
        (excluded if reasons else kept).append(replace(r, excluded=reasons, unweighed=counted))
    return Ranking(
        asked, tuple(_marked(sorted(kept, key=_place))), tuple(sorted(excluded, key=_place)), tuple(unavoidable)
    )


def _largest(halves: Sequence[RangeFigures | None]) -> Decimal:
    known = [Decimal(h.maximum.ulp) if h.maximum else UNKNOWN for h in halves if h is not None]
    return max(known, default=UNKNOWN)


def _place(r: Ranked) -> tuple[bool, Decimal, Decimal, Decimal, bool]:
    """Return what forms are ranked by: known throughout, the error in three digits, that of a half left out, the cost, a kernel first."""
    left_out = _three_digits(_largest(r.halves)) if r.unweighed else Decimal(0)
    return not r.complete, _three_digits(r.error), left_out, r.ns if r.ns is not None else UNKNOWN, r.form is None


def _three_digits(error: Decimal) -> Decimal:
    return error if error == UNKNOWN else Decimal(f"{error:.2e}")


def _marked(forms: Sequence[Ranked]) -> list[Ranked]:
    """Return forms in order of their error with those on the Pareto front marked: cheaper than all that are less wrong.

    Where nothing was timed, that is the first.
    """
    least: Decimal | None = None
    marked = []
    for i, r in enumerate(forms):
        timed = r.ns if r.ns is not None else UNKNOWN
        front = r.complete and r.error != UNKNOWN and (i == 0 or (least is not None and timed < least))
        least = timed if least is None else min(least, timed)
        marked.append(replace(r, front=front))
    return marked
