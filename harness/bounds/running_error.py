"""Running error analysis: computed values, exact values of the same formula, and their distance.

A kernel is run on Bounded values in place of arrays, and each operation carries an error bound along,
as rules.py says.  A Bounded value says, for every input of an interval and every target: the computed
value c lies in `computed`, the value f of the kernel's own formula in exact arithmetic lies in
`exact`, and |c - f| <= `error`.  Where a formula branches, f follows the branch that the computation takes.
Bounds and ends are float64, rounded outward.

Source: N. J. Higham (2002), doi:10.1137/1.9780898718027, section 3.3 (running error analysis).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.bounds.function_errors import FunctionErrors
from harness.bounds.intervals import Interval, distance, hull, mignitude
from harness.kernels.duck_array import DuckArray
from harness.numbers.formats import Format
from harness.numbers.wide import power_of_two_below

Array = np.ndarray


# The rule of each operation, by NumPy's name; rules.py fills it in.
RULES: dict[str, Callable[..., Bounded | Condition]] = {}


@dataclass(frozen=True)
class Condition:
    """Say where a comparison of computed values is surely true, surely false; elsewhere it is undecided.

    Truth values of shape (T, P), for T targets and P intervals of inputs.
    """

    true: Array
    false: Array


@dataclass(frozen=True)
class Setting:
    """Hold what all values of one run share: format, the functions' errors, intervals of the input of shape (1, P).

    `called` gathers the names of the functions that the run calls.
    """

    fmt: Format
    functions: Mapping[str, FunctionErrors]
    x: Interval
    called: set[str] = field(default_factory=set)

    def ulp(self, v: Array) -> Array:
        """Return max(2^⌊log2 |v|⌋, 2^emin) 2^(1-p), the working format's ulp at |v|; infinite at infinity."""
        at = np.maximum(power_of_two_below(np.ascontiguousarray(abs(v))), self.fmt.min_normal)
        return np.maximum(at * self.fmt.machine_epsilon, self.fmt.smallest_subnormal)

    def round(self, ends: Interval) -> Interval:
        """Round ends to nearest in the working format; rounding is monotone, so they stay ends.

        The ends come rounded to float64.  Rounding twice is harmless: 53 >= 2 p + 2 for all
        formats of up to 32 bits, and float64 itself is not rounded again.
        """
        return self._to_grid(ends[0], np.rint), self._to_grid(ends[1], np.rint)

    def inner(self, ends: Interval) -> Interval:
        """Move ends inward to numbers of the working format, which computed values are, if any lies between."""
        lo, hi = self._to_grid(ends[0], np.ceil), self._to_grid(ends[1], np.floor)
        return np.where(lo > hi, ends[0], lo), np.where(lo > hi, ends[1], hi)

    def _to_grid(self, v: Array, rounding: Callable[[Array], Array]) -> Array:
        if self.fmt.bits > 32:
            return v
        ulp = self.ulp(v)
        rounded = np.where(np.isinf(v), v, rounding(v / ulp) * ulp)
        return np.where(abs(rounded) > self.fmt.max, np.copysign(np.inf, rounded), rounded)

    def quantum(self, ends: Interval) -> Array:
        """Return a power of two of which every computed value in the interval is a multiple."""
        ulp = self.ulp(mignitude(ends))
        k = np.nan_to_num(abs(ends[0]) / ulp, posinf=0).astype(np.int64)
        last_bit = np.where(k == 0, np.inf, (k & -k) * ulp)  # 0 is a multiple of everything
        return np.where(ends[0] == ends[1], last_bit, ulp)


class Bounded(DuckArray):
    """Hold intervals and an error bound for each target and each interval of inputs, shape (T, P); see above.

    `multiple` is m where the value is exactly m x, computed and exact alike, else NaN: with it
    max(x, 0) - x y is known to be 0, not some number within the interval's width.
    """

    def __init__(self, setting: Setting, computed: Interval, exact: Interval, error: Array, multiple: Array):
        self.setting, self.dtype = setting, setting.fmt.dtype
        unknown = np.isnan(computed[0]) | np.isnan(computed[1])  # perhaps NaN: then no comparison is decided
        computed = np.where(unknown, np.nan, computed[0]), np.where(unknown, np.nan, computed[1])
        self.computed, self.multiple = computed, multiple
        lost = ~(np.isfinite(computed[0]) & np.isfinite(computed[1]))
        error = np.fmin(np.where(lost, np.inf, error), distance(computed, exact))
        self.error = np.where(np.isnan(error), np.inf, error)
        below = np.where(self.error == 0, computed[0], np.nextafter(computed[0] - self.error, -np.inf))
        above = np.where(self.error == 0, computed[1], np.nextafter(computed[1] + self.error, np.inf))
        self.exact = np.fmax(exact[0], below), np.fmin(exact[1], above)

    @classmethod
    def of_input(cls, setting: Setting) -> Bounded:
        """Return the input itself, exact in every piece: shape (1, P), error 0."""
        return cls(setting, setting.x, setting.x, np.zeros((1, 1)), np.ones((1, 1)))

    def constant(self, value: Array) -> Bounded:
        """Lift constants of the working format, of shape () or (T, 1): exact values without width."""
        v = np.atleast_2d(value.astype(np.float64))
        return Bounded(self.setting, (v, v), (v, v), 0 * v, np.where(v == 0, 0.0, np.nan))

    def apply(self, name: str, *operands: Bounded) -> Bounded | Condition:
        """Apply the operation of this NumPy name by its rule; TypeError where there is none."""
        if name not in RULES:
            raise TypeError(f"no error bound is known for {name}; known operations: {', '.join(RULES)}")
        with np.errstate(all="ignore"):
            return RULES[name](*operands)

    @property
    def both(self) -> Interval:
        """Return the hull of the computed and the exact values, which the mean value theorem needs."""
        return hull(self.computed, self.exact)
