"""What a function's results depend on besides its inputs, found by asking for the same results in other company.

A loss of one input is a function of that input.  The same inputs are asked for again, among other elements, in another
order, in shorter arrays, one at a time, and at other addresses in memory.  Libraries compute the elements of an array
several at a time, and what is left over one by one, by other code; so a result may differ by a few ulp from one array to
another, which is said with the figures of each and is no fault.  What differs more, at more than a tenth of the inputs,
is not a function of its input: one sentence says of what it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness import UsageError
from harness.checking.parts import CalledPart
from harness.numbers.distinct import distinct
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.tables.usual import usual_range
from harness.truth.errors import measure
from harness.truth.fast import evaluate

Array = np.ndarray

POINTS = 240  # results of each call, all targets together
FEW_ULP = 8  # by which two ways through a library may differ
SHARE = 0.1  # of the inputs at which they may differ by more, where the formula magnifies a rounding
ALONE = 60  # of the inputs are asked for one at a time


@dataclass(frozen=True)
class Difference:
    """Hold how the results for the same inputs differ: the positions, and by how many steps from number to number.

    A NaN or an infinity for a number counts as the largest step there is.
    """

    at: Array
    steps: Array
    compared: int

    @property
    def found(self) -> bool:
        """Tell whether any result differs."""
        return len(self.at) > 0

    @property
    def fault(self) -> bool:
        """Tell whether more differs than two ways through a library can explain."""
        return int(np.count_nonzero(self.steps > FEW_ULP)) > SHARE * self.compared


def difference(fmt: Format, a: Array, b: Array) -> Difference:
    """Compare two arrays of results bit by bit; every NaN is the same, and both zeros are."""
    alike = (a == b) | (np.isnan(a) & np.isnan(b))
    at = np.flatnonzero(~alike)
    finite = np.isfinite(a[at]) & np.isfinite(b[at])
    apart = np.abs(fmt.ordinal(a[at]) - fmt.ordinal(b[at]))
    return Difference(at, np.where(finite, apart, np.iinfo(np.int64).max), len(a))


class Repeats:
    """Ask one part of a function for the same results once more, in several ways; `run` returns notes or raises UsageError."""

    def __init__(self, called: CalledPart, name: str, targets: Array | None, way: str):
        self.called, self.name, self.way = called, name, way
        self.what = "Its results" if called.part == "loss" else f"Its {called.part}s"
        self.fmt, self.problem = called.fmt, called.problem
        x = usual_inputs(self.problem, self.fmt, POINTS // (1 if targets is None else len(targets)))
        self.row, self.targets = x, targets
        self.x = x if targets is None else np.tile(x, len(targets))
        self.y = None if targets is None else np.repeat(targets, len(x))
        self.first = self.asked(self.x, self.y)

    def asked(self, x: Array, y: Array | None, how: str = "evaluate") -> Array:
        """Return the function's results for some inputs, asked for in one of its Subject's ways."""
        return self.called.on(x, y, how)

    def run(self) -> list[str]:
        """Return sentences on ways that differ by a few ulp; UsageError says what the results depend on."""
        self._again()
        if self.way != "whole":  # called for each input by itself: there is no company
            return []
        self._company()
        notes = [self._places(), self._alone(), self._addresses()]
        return [note for note in notes if note]

    def _again(self) -> None:
        second = self.asked(self.x, self.y)
        found = difference(self.fmt, self.first, second)
        if not found.found:
            return
        draws = self.called.on(self.x, self.y, "draws")
        why = "it draws random numbers" if draws else "it depends on earlier calls, on the time, or on chance"
        self._refuse(found, self.first, second, "when it is called again with the same inputs", why)

    def _company(self) -> None:
        """Put other numbers, among them the largest, in every second place; what is in the others must stay as it is."""
        for other in (self.x[::-1], np.resize(self._largest(), len(self.x))):
            x = self.x.copy()
            x[1::2] = other[1::2]
            found = difference(self.fmt, self.first[::2], self.asked(x, self.y)[::2])
            if found.fault:
                self._refuse(
                    found, self.first[::2], self.asked(x, self.y)[::2], "beside other numbers",
                    "it depends on the other elements of its array", every=2,
                )  # fmt: skip

    def _largest(self) -> Array:
        first, last = self.fmt.finite_ordinals(*self.problem.domain)
        return self.fmt.from_ordinal(np.array([first, last - 1]))

    def _places(self) -> str:
        """Ask in another order, and in a shorter array."""
        # A shuffle by multiples of the golden ratio; NumPy's generators would cost a tenth of a second to import.
        order = np.argsort(np.arange(len(self.x)) * 0x9E3779B1 % (1 << 32), kind="stable")
        moved = np.empty_like(self.first)
        moved[order] = self.asked(self.x[order], None if self.y is None else self.y[order])
        found = difference(self.fmt, self.first, moved)
        if found.fault:
            self._refuse(
                found, self.first, moved, "in another order", "it depends on the order or place of its array's elements"
            )
        part = len(self.x) * 2 // 5
        short = self.asked(self.x[:part], None if self.y is None else self.y[:part], "unpadded")
        shorter = difference(self.fmt, self.first[:part], short)
        if shorter.fault:
            how = f"in an array of {part} instead of {len(self.x)}"
            self._refuse(shorter, self.first[:part], short, how, "it depends on its array's length")
        return self._note(found, self.first, moved, "in another order") or self._note(
            shorter, self.first[:part], short, f"in an array of {part}"
        )

    def _alone(self) -> str:
        chosen = distinct(np.linspace(0, len(self.x) - 1, ALONE).astype(int))
        alone = self.asked(self.x[chosen], None if self.y is None else self.y[chosen], "alone")
        found = difference(self.fmt, self.first[chosen], alone)
        if found.fault:
            how = f"in an array of 1 instead of {len(self.x)}"
            self._refuse(found, self.first[chosen], alone, how, "it depends on its array's length", at=chosen)
        return self._note(found, self.first[chosen], alone, "one at a time", chosen)

    def _addresses(self) -> str:
        moved = self.asked(self.x, self.y, "elsewhere")
        found = difference(self.fmt, self.first, moved)
        if found.fault:
            how = "where its array begins at another address"
            self._refuse(found, self.first, moved, how, "it depends on the alignment of its array")
        return self._note(found, self.first, moved, "where its array begins at another address")

    def _refuse(
        self, found: Difference, a: Array, b: Array, how: str, why: str, every: int = 1, at: Array | None = None
    ) -> None:
        most = int(found.at[int(found.steps.argmax())])
        place = most * every if at is None else int(at[most])
        where = f"x = {self.fmt.short(self.x[place])}"
        if self.y is not None:
            where += f", y = {self.fmt.short(self.y[place])}"
        raise UsageError(
            f"{self.name} returns other results {how}: {float(a[most]):.6g}, then {float(b[most]):.6g} at {where}; {why}"
        )

    def _note(self, found: Difference, a: Array, b: Array, how: str, at: Array | None = None) -> str:
        """Write by how much results differ between two ways, and how large the errors are in each; "" where they do not."""
        if not found.found:
            return ""
        errors = [self._largest_error(values, at) for values in (a, b)]
        return (
            f"{self.what} differ {how}, at {len(found.at)} of {found.compared} inputs, by {int(found.steps.max())} ulp at "
            f"most: the largest error among them is {errors[0]:.3g} ulp in the one array and {errors[1]:.3g} ulp {how}."
        )

    def _largest_error(self, values: Array, at: Array | None) -> float:
        """Return the largest ulp error of results for the first inputs, or for those at some places."""
        x, y = self.x if at is None else self.x[at], self.y if at is None or self.y is None else self.y[at]
        most = 0.0
        for target in [None] if y is None else list(dict.fromkeys(y[: len(values)].tolist())):
            here = np.ones(len(values), bool) if target is None or y is None else y[: len(values)] == target
            column = None if target is None else np.array([[target]]).astype(self.fmt.dtype)
            with np.errstate(all="ignore"):
                exact = evaluate(self.problem, self.fmt, x[: len(values)][here][None, :], column)
                most = max(most, float(measure(values[here][None, :], exact, self.problem.nonnegative).ulp.max()))
        return most


def usual_inputs(problem: Problem, fmt: Format, count: int) -> Array:
    """Return inputs of the usual range, evenly spaced in value, without repeats: what people meet."""
    first, last = usual_range(problem, fmt)
    lo, hi = (float(v) for v in fmt.from_ordinal(np.array([first, last])))
    lo, hi = max(lo, -20.0), min(hi, 20.0)
    return distinct(np.linspace(lo, hi, count)[1:-1].astype(fmt.dtype))
