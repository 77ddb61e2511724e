"""Errors and outcomes of computed values against exact ones.

ulp error = |computed - exact| / ulp(exact), relative error = |computed - exact| / |exact|,
absolute error = |computed - exact|; exact is never rounded first.  Errors exist for finite
results at points where the exact value is finite; elsewhere they are NONE.  Where both are 0 all
errors are 0, whatever the zeros' signs; where only the exact value is, the relative error is infinite.

Outcomes, counted apart:
    spurious_nan   NaN, and the exact value is a number
    spurious_inf   infinite, and the exact value rounds to something else
    spurious_zero  0, and the exact value rounds to a nonzero number
    wrong_sign     nonzero, of the other sign than the exact value (or below 0 where the
                   problem cannot be, as at the exact value 0)
    capped         finite, at a pole, where the exact value is infinite
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness.truth.fast import Reference

Array = np.ndarray

NONE = -1.0
OPEN = 2.0**-47  # of a value: more than the fast reference leaves open, and the rounding of this bound
# Relative errors beyond this are infinite.  An exact value below 2^-1000 (2^-1800 for float64) is replaced by that
# stand-in, see numbers/wide.py: of a nonzero result, no less than 2^-149 (2^-1074), the quotient is then at least 2^851
# (2^726), and nothing more is known of it.  The limit is below both, so that no such quotient is ever stated; where the
# exact value is 0 the quotient is of that size too.  mpmath's rows follow the same limit, so as to agree with the sweep.
RELATIVE_LIMIT = 2.0**700
# Ulp errors beyond this, possible in float64 alone, are kept times 2^-1100: the largest is about 2^2098 ulp.
HUGE, HUGE_SCALE = 2.0**960, -1100
OUTCOMES = ("spurious_nan", "spurious_inf", "spurious_zero", "wrong_sign", "capped")
# Those that count as failures; `capped`, a finite value at a pole, is shown but not counted.
SPURIOUS = OUTCOMES[:4]


@dataclass(frozen=True)
class Errors:
    """Hold the errors of one kernel, float64 arrays of shape (targets, points).

    `ulp` is NONE where there is no error; `peak` is its largest in each row, shape (targets,), and
    `most_relative` bounds the relative errors of each row from above.  An ulp error beyond 1.8e308,
    possible in float64 alone, is infinite here; `huge_ulp` has it.  `outcomes` maps the name of an outcome to a mask
    and holds only those that occur.
    """

    computed: Array
    ulp: Array
    peak: Array
    most_relative: Array
    correctly_rounded: Array
    all_measured: bool
    exact: Reference
    outcomes: dict[str, Array] = field(default_factory=dict)

    def relative(self, t: int) -> Array:
        """Return the relative errors of a row, negative where there is none."""
        relative = self.ulp[t] * self.exact.ulp_per_value[t]
        zero = self.outcomes.get("spurious_zero")
        if zero is not None:
            relative[zero[t]] = 1.0  # |0 - v| / |v|, not the product of two rounded factors
        if self.most_relative[t] > RELATIVE_LIMIT:
            relative[relative > RELATIVE_LIMIT] = np.inf
        return relative

    def absolute(self, t: int) -> Array:
        """Return the absolute errors of a row, negative where there is none.

        To the tier's bound, 2^-48 for most problems (2^-107 in float64), times the exact value, which is more of a small error:
        of half an ulp in float32 up to 2^-23.  Where values are unbounded, from their exact parts: then times the rest alone.
        """
        if self.exact.parts is None and self.peak[t] < HUGE:
            return self.ulp[t] * self.exact.ulp[t]
        absolute = np.abs(self.computed[t].astype(np.float64) - self.exact.high[t] - self.exact.beyond_high[t])
        return np.where(self.ulp[t] >= 0, absolute, NONE)

    @property
    def most_absolute(self) -> Array:
        """Return a bound from above on the absolute errors of each row, shape (T,)."""
        most = self.peak * self.exact.most_ulp
        if self.exact.parts is None:
            return most
        return most + OPEN * np.where(np.isfinite(self.exact.high), abs(self.exact.high), 0).max(axis=1)

    @property
    def huge(self) -> bool:
        """Tell whether there may be ulp errors that are kept scaled."""
        return bool((self.peak > HUGE).any())

    def huge_ulp(self) -> Array:
        """Return the ulp errors beyond HUGE times 2^HUGE_SCALE, 0 for all others.

        The factors come in an order in which nothing overflows or underflows: half the difference, at most 2^1024,
        by turns with 1 / ulp's two factors of at most 2^537.
        """
        half = np.abs(self.computed.astype(np.float64) / 2 - self.exact.high / 2)
        for scale in self.exact.scales:
            half = half * 2.0 ** ((HUGE_SCALE + 1) // len(self.exact.scales)) * scale
        extra = HUGE_SCALE + 1 - (HUGE_SCALE + 1) // len(self.exact.scales) * len(self.exact.scales)
        return np.where(self.ulp > HUGE, half * 2.0**extra, 0.0)


def measure(computed: Array, exact: Reference, nonnegative: bool) -> Errors:
    """Measure computed values of the working format against exact ones of the same shape.

    A row needs a closer look only where a value is not correctly rounded and the relative error may
    reach 1: a NaN, an infinity, a spurious zero and a wrong sign all do.
    """
    ulp = computed.astype(np.float64)  # exact
    ulp -= exact.high  # exact where the two are close, else good to 2^-53
    for scale in exact.scales:
        ulp *= scale
    if exact.low is not None:
        ulp -= exact.low
    np.abs(ulp, out=ulp)
    peak = ulp.max(axis=1)
    correct = computed == exact.rounded_working
    most_relative = peak * exact.most_ulp_per_value
    most_relative[(peak < 0.5) & (most_relative > 1)] = 1  # rounding to nearest errs by the value at most
    for t in range(len(peak)):
        if not peak[t] < 0.5 and not most_relative[t] < 0.99 and not (ulp[t] * exact.ulp_per_value[t]).max() < 0.99:
            return _closer(computed, ulp, peak, correct, exact, nonnegative)
    return Errors(computed, ulp, peak, most_relative, correct, True, exact)


def _closer(computed: Array, ulp: Array, peak: Array, correct: Array, exact: Reference, nonnegative: bool) -> Errors:
    """Look for outcomes; a block without NaN and infinity takes the short way."""
    outcomes: dict[str, Array] = {}
    all_measured = bool(np.isfinite(peak).all())
    if not all_measured:
        ulp, correct, outcomes = _unmeasured(computed, ulp, correct, exact)
        peak = ulp.max(axis=1)
    zero = computed == 0
    if zero.any():
        _note(outcomes, "spurious_zero", zero & (exact.rounded != 0) & ~np.isinf(exact.value))
    if not nonnegative or (computed < 0).any():  # a minimum would be NaN beside a NaN
        other = (computed < 0) != (exact.value < 0)
        if not nonnegative:
            other &= exact.value != 0
        _note(outcomes, "wrong_sign", other & ~zero & np.isfinite(computed) & ~np.isinf(exact.value))
    return Errors(computed, ulp, peak, peak * exact.most_ulp_per_value, correct, all_measured, exact, outcomes)


def _unmeasured(computed: Array, ulp: Array, correct: Array, exact: Reference) -> tuple[Array, Array, dict[str, Array]]:
    """Take NaN, infinities and poles out of the errors and count them as outcomes."""
    nan, finite, pole = np.isnan(computed), np.isfinite(computed), np.isinf(exact.value)
    # A format without infinity overflows to NaN: that NaN is then the rounded value.
    overflow_nan = nan & np.isinf(exact.rounded) & np.isnan(exact.rounded_working)
    outcomes: dict[str, Array] = {}
    _note(outcomes, "spurious_nan", nan & ~overflow_nan)
    _note(outcomes, "spurious_inf", np.isinf(computed) & (computed != exact.rounded))
    _note(outcomes, "capped", finite & pole)
    return np.where(finite & ~pole, ulp, NONE), correct | overflow_nan, outcomes


def _note(outcomes: dict[str, Array], name: str, mask: Array) -> None:
    if mask.any():
        outcomes[name] = mask
