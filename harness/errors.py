"""Errors and outcomes of computed values against exact ones.

ulp error = |computed - exact| / ulp(exact), relative error = |computed - exact| / |exact|,
absolute error = |computed - exact|; exact is never rounded first.  Errors exist for finite
results at points where the exact value is finite; elsewhere they are NONE.

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

from harness.tiers import Exact

Array = np.ndarray

NONE = -1.0
# Relative errors beyond this are infinite: where the exact value underflows the wide format, only
# their order of magnitude is known.
RELATIVE_LIMIT = 2.0**700
OUTCOMES = ("spurious_nan", "spurious_inf", "spurious_zero", "wrong_sign", "capped")


@dataclass(frozen=True)
class Errors:
    """Hold the errors of one kernel, float64 arrays of shape (targets, points).

    An ulp error beyond 1.8e308, possible in float64 alone, is infinite here.  `outcomes` maps
    the name of an outcome to a mask; it is empty where every point is fine.
    """

    ulp: Array
    relative: Array
    absolute: Array
    correctly_rounded: Array
    all_finite: bool
    outcomes: dict[str, Array] = field(default_factory=dict)


def measure(computed: Array, exact: Exact, nonnegative: bool) -> Errors:
    """Measure computed values of the working format against exact ones of the same shape.

    A NaN, an infinity, a spurious zero and a wrong sign each make the relative error NaN or at
    least 1, so that one maximum tells whether any point needs the outcome masks.
    """
    wide = computed.astype(np.float64)  # exact
    ulp = np.subtract(wide, exact.high)  # exact where the two are close, else good to 2^-53
    for scale in exact.scales:
        ulp *= scale
    if exact.low is not None:
        ulp -= exact.low
    np.abs(ulp, out=ulp)
    relative, absolute = ulp * exact.ulp_per_value, ulp * exact.ulp
    correct = computed == exact.rounded_working
    if relative.max() < 0.99:
        return Errors(ulp, relative, absolute, correct, True)
    return _with_outcomes(wide, (ulp, relative, absolute), correct, exact, nonnegative)


def _with_outcomes(
    computed: Array, errors: tuple[Array, Array, Array], correct: Array, exact: Exact, nonnegative: bool
) -> Errors:
    nan, finite, pole = np.isnan(computed), np.isfinite(computed), np.isinf(exact.value)
    # A format without infinity overflows to NaN: that NaN is then the rounded value.
    overflow_nan = nan & np.isinf(exact.rounded) & np.isnan(exact.rounded_working)
    zero = computed == 0
    other_sign = (computed < 0) != (exact.value < 0)
    if not nonnegative:
        other_sign &= exact.value != 0
    outcomes = {
        "spurious_nan": nan & ~overflow_nan,
        "spurious_inf": np.isinf(computed) & (computed != exact.rounded),
        "spurious_zero": zero & (exact.rounded != 0) & ~pole,
        "wrong_sign": finite & ~zero & other_sign & ~pole,
        "capped": finite & pole,
    }
    measured = finite & ~pole
    ulp, relative, absolute = (np.where(measured, e, NONE) for e in errors)
    relative[relative > RELATIVE_LIMIT] = np.inf
    return Errors(ulp, relative, absolute, correct | overflow_nan, bool(measured.all()), outcomes)
