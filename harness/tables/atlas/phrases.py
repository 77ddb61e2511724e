"""A kernel's failures in words that a practitioner can act on: from which input on, what happens, and how large it is.

Every number in them is computed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

import mpmath
import numpy as np

from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.case import Case
from harness.sweep.streaming import BUDGET
from harness.tables.atlas.failures import PERCENT, Failure, over_percent

DIGITS = 9  # they tell float32 apart
EXACT_DIGITS = 17  # they tell float64 apart
ABOUT = 4
Ends = tuple[float, float] | None  # a safe range, None where it is empty


class Phrases:
    """Write the failures of one kernel, whose cases stand for its targets."""

    def __init__(self, problem: Problem, fmt: Format, cases: list[Case]):
        self.problem, self.fmt, self.grid = problem, fmt, cases[0].grid
        self.case = {None if c.target is None else float(c.target): c for c in cases}
        self.variable = problem.variable

    def side(self, found: Sequence[Failure], safe: Ends, sure: bool = True) -> list[str]:
        """Write a target's failures on one side, nearest to the centre first.

        Where the first one is inexact, the safe range ends where it begins; `sure` tells that this is no outer bound.
        """
        texts = []
        for i, f in enumerate(found):
            if f.kind == "inexact":
                texts.append(self._inexact(f, safe if i == 0 else None, sure, last=f is found[-1]))
            else:
                texts.append(self.failure(f))
        return texts

    def failure(self, f: Failure) -> str:
        """Write one failure of any kind but inexact."""
        where = self._where(f)
        if f.kind == "nan":
            return f"NaN {where}"
        value = ("-" if f.value < 0 else "") + "infinite" if math.isinf(f.value) else self.number(f.value)
        if f.kind == "sign":
            what = "negative, down to" if self.problem.nonnegative else "wrong sign, up to"
            return f"{what} {value}{self._tried} {where}"
        if f.kind != "stuck":
            return f"{value} {where} (true {self._true(f.near, f)})"
        below = ", below 0," if f.value < 0 and self.problem.nonnegative else ""
        end = self.grid.stop - 1 if f.side > 0 else self.grid.start
        return f"stuck at {value}{below} {where} (true {self._true(f.near, f)} to {self._true(end, f)})"

    def number(self, value: float, digits: int = DIGITS, towards: int = 0) -> str:
        """Write a number of the format in as many significant digits as tell it apart, at most `digits`.

        Where these do not, the text is rounded to nearest, or upwards (`towards` 1) or downwards (-1).  Rounding into
        the format keeps order, so that the text, parsed in the format, is then no less (no more) than the number: what
        holds from it on holds from there on.
        """
        texts = (f"{value:.{n}g}" for n in range(1, digits + 1))
        with np.errstate(over="ignore"):
            text = next((t for t in texts if np.asarray(float(t)).astype(self.fmt.dtype) == value), "")
        if not text:
            rounding = (ROUND_HALF_EVEN, ROUND_CEILING, ROUND_FLOOR)[towards]
            text = str(Context(prec=digits, rounding=rounding).create_decimal_from_float(float(value)))
        given = len(Decimal(text).as_tuple().digits)
        shown = max(given, 6) if 1 <= abs(value) < 1e6 else given  # no 1e+04
        return f"{float(text) + 0.0:.{shown}g}"  # + 0.0: no minus at 0

    def exactly(self, value: float) -> str:
        """Write a number of the format in as few significant digits as tell it from all others."""
        return self.number(value, EXACT_DIGITS)

    def hex(self, ordinal: int) -> str:
        """Write the input with an ordinal as C99 hex, exactly."""
        return self.fmt.hex(self._value(ordinal))

    @property
    def _tried(self) -> str:
        """Return what is added to the largest of what was seen, where not every input was."""
        return "" if self.fmt.bits <= 16 else " where tried"

    @property
    def in_percent(self) -> bool:
        """Tell whether an error over 1 % exceeds the budget, so that such errors are all that were looked for."""
        return BUDGET * self.fmt.machine_epsilon < PERCENT

    def fading(self, f: Failure) -> str:
        """Write from where on errors exceed 1 %: where every input was visited the last that does not, else the first seen.

        In a format in which the budget is more than that, from where on they exceed the budget.
        """
        if not self.in_percent:
            return f"errors over {BUDGET:g} ulp beyond {self.variable} = {self.number(self._value(f.near - f.side), towards=-f.side)}"
        assert f.percent is not None
        if self.fmt.bits <= 16:
            return f"errors over 1 % beyond {self.variable} = {self._about(self._value(f.percent - f.side), -f.side)}"
        text = self._about(self._value(f.percent), f.side)
        with np.errstate(all="ignore"):
            holds = over_percent(self.case[f.target], self.fmt.ordinal(np.array([self.fmt.parse(text)])))[0]
        if not holds:
            text = self.exactly(self._value(f.percent))
        return f"errors over 1 % from {self.variable} = {text} at the latest"

    def range(self, lo: str, hi: str, every_input: bool = True) -> str:
        """Write a range of inputs, given as hex floats; an end that is the domain's goes unsaid.

        The written range lies within the given one; of one that is an outer bound only, ⊆ stands before it and it
        holds the given one.
        """
        if not lo:
            return "none"
        ends, inward = (self.hex(self.grid.start), self.hex(self.grid.stop - 1)), 1 if every_input else -1
        low, high = self._about(float.fromhex(lo), inward), self._about(float.fromhex(hi), -inward)
        outer = "" if every_input else "⊆ "
        if (lo, hi) == ends:
            return outer + "all"
        if lo == ends[0]:
            return f"{outer}{self.variable} <= {high}"
        return outer + (f"{self.variable} >= {low}" if hi == ends[1] else f"[{low}, {high}]")

    def _about(self, value: float, towards: int = 0) -> str:
        """Write a number in 4 digits, rounded as `number` does; in more where it is next to 1."""
        texts = (self.number(value, digits, towards) for digits in (ABOUT, DIGITS))
        return next((text for text in texts if value == 1 or float(text) != 1), self.exactly(value))

    def _inexact(self, f: Failure, safe: Ends, sure: bool, last: bool) -> str:
        """Write where digits are lost; how many at worst, where nothing worse follows."""
        worst = f" ({_worst(f.worst)}{self._tried})" if last else ""
        if f.percent is not None and self.in_percent:
            return self.fading(f) + worst
        end, sure = (safe[f.side > 0], sure) if safe else (self._value(f.near), self.fmt.bits <= 16)
        late = "" if sure else " at the latest"
        return f"errors over {BUDGET:g} ulp beyond {self.variable} = {self.number(end, towards=-f.side)}{late}{worst}"

    def _where(self, f: Failure) -> str:
        """Write the inputs for which a failure holds."""
        v, ends = self.variable, (self._value(f.near), self._value(f.far))
        if f.near == f.far:
            return f"at {v} = {self.exactly(ends[0])}"
        near, far = self.number(ends[0], towards=f.side), self.number(ends[1], towards=-f.side)
        # A run that is broken nearer to the centre may not hold beside its end, which fewer digits would name.
        broken = f.scattered is not None and f.scattered != f.near
        if broken or f.side * float(near) >= f.side * float(far):
            near, far = map(self.exactly, ends)
        if f.to_end:
            text = f"for {v} {'>=' if f.side > 0 else '<='} {near}"
        else:
            low, high = (near, far) if f.side > 0 else (far, near)
            text = f"{'in places ' if f.scattered == f.near else ''}for {low} <= {v} <= {high}"
        if f.scattered is None or not broken:
            return text
        earlier, here = (self.number(self._value(at), 3, -f.side) for at in (f.scattered, f.near))
        return text if earlier == here else f"{text} and in places from {earlier}"

    def _value(self, ordinal: int) -> float:
        return float(self.fmt.from_ordinal(np.array([ordinal]))[0])

    def _true(self, ordinal: int, f: Failure) -> str:
        """Write the exact value at an input in 3 significant digits; 0 where it is beyond float64."""
        exact = self.case[f.target].exact(ordinal)
        if not mpmath.isfinite(exact):
            return "-infinite" if exact < 0 else "infinite"
        return f"{float(exact):.3g}"


def _worst(relative: float) -> str:
    """Write the largest relative error."""
    if relative < PERCENT:
        return f"relative error up to {relative:.1e}"
    return f"up to {100 * relative:.3g} %" if relative < 10 else f"up to {relative:.2g} times the true value"


def by_target(texts: Mapping[float | None, list[str]]) -> list[str]:
    """Join each target's phrases to a clause; those that all targets share come once."""
    shared = [t for t in next(iter(texts.values())) if all(t in other for other in texts.values())]
    shared = [t for t in shared if len(shared) > 1 or not t.startswith("otherwise")]
    if None in texts:
        return ["; ".join(shared)]
    clauses = ["y = 0 and 1: " + "; ".join(shared)] if shared else []
    for target, phrases in texts.items():
        own = [t for t in phrases if t not in shared]
        if own:
            clauses.append(f"y = {target:g}: " + "; ".join(own))
    return clauses
