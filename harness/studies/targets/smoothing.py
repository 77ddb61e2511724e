"""Label smoothing: two formulas in circulation, that one with s is the other with 2s, and what rounding does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from harness.kernels.registry import Array, like
from harness.numbers.formats import Format
from harness.numbers.wide import power_of_two_below, power_two, wide_dtype
from harness.problems import PROBLEMS
from harness.sweep.grid import Grid
from harness.tables.rows import Row
from harness.truth.certified import significant

Formula = Callable[[Array, Array], Array]
TARGETS = (1, 0)
SOFT = "0.9"


def keras(y: Array, s: Array) -> Array:
    """Compute y (1 - s) + 0.5 s, all in the format (the formula of keras==3.15.1 keras/src/losses/losses.py)."""
    return y * (like(1, s) - s) + like("0.5", s) * s


def keras_python(y: Array, s: Array) -> Array:
    """Compute the same with 1 - s and 0.5 s from a float64 s, each rounded once, as Keras does."""
    return y * (1 - s).astype(y.dtype) + (0.5 * s).astype(y.dtype)


def mixed(y: Array, s: Array) -> Array:
    """Compute y (1 - s) + s (1 - y), the other formula in circulation."""
    return y * (like(1, s) - s) + s * (like(1, s) - y)


FORMULAS: dict[str, Formula] = {"keras": keras, "keras_python": keras_python, "mixed": mixed}


def exact(formula: str, y: Fraction, s: Fraction) -> Fraction:
    """Return the exact value of a formula for the target y and the smoothing s: y (1 - s) plus s (1 - y) or s / 2."""
    return y * (1 - s) + (s * (1 - y) if formula == "mixed" else s / 2)


def identity_holds() -> bool:
    """Prove mixed(y, s) = keras(y, 2s): a polynomial of first degree in y and in s is fixed by four corners."""
    corners = [(Fraction(y), Fraction(s)) for y in (0, 1) for s in (0, 1)]
    return all(exact("mixed", y, s) == exact("keras", y, 2 * s) for y, s in corners)


def smoothing_rows(fmt: Format, smoothing: Sequence[str]) -> list[Row]:
    """Return the smoothed hard targets by formula, with the two parts of their error."""
    return [_smoothed(fmt, text, y, formula) for text in smoothing for y in TARGETS for formula in FORMULAS]


def _smoothed(fmt: Format, text: str, y: int, formula: str) -> Row:
    """Return one row; errors in ulps of the exact value, `unchanged` where smoothing left the target as it was."""
    s = np.array([np.float64(text) if formula == "keras_python" else fmt.round(text)])
    computed = FORMULAS[formula](np.array([y]).astype(fmt.dtype), s)[0]
    value = exact(formula, Fraction(y), Fraction(text))
    own = exact(formula, Fraction(y), Fraction(float(s[0])))
    ulp = fmt.ulp(value)
    return {
        "format": fmt.name,
        "s": text,
        "target": str(y),
        "formula": formula,
        "computed": fmt.hex(computed),
        "value": fmt.short(computed),
        "exact": significant(float(value)),
        "quantisation_ulp": significant(float(abs(own - value) / ulp)),
        "rounding_ulp": significant(float(abs(Fraction(float(computed)) - own) / ulp)),
        "unchanged": bool(float(computed) == y),
    }


def identity_rows(fmt: Format) -> list[Row]:
    """Compare mixed(s) with keras(2s) for every s in [0, 1/2] of the grid, at targets 0, 1 and a soft one.

    2s is exact.  Differences and errors in ulps of the exact value at the s that the format has.
    """
    grid = Grid("standard", PROBLEMS["bce"], fmt)
    ordinals = grid.ordinals()
    s = fmt.from_ordinal(ordinals)
    s = s[s <= np.asarray(0.5).astype(fmt.dtype)]
    return [_identity(fmt, s, np.asarray(fmt.round(text)), grid.exhaustive) for text in ("0", "1", SOFT)]


def _identity(fmt: Format, s: np.ndarray, y: np.ndarray, exhaustive: bool) -> Row:
    """Return one row; Keras's own parameter is 2s."""
    ones, twice = np.full(len(s), y), s + s
    found = {"mixed": mixed(ones, s), "keras": keras(ones, twice)}
    apart = abs(fmt.ordinal(found["mixed"]) - fmt.ordinal(found["keras"]))
    row: Row = {
        "format": fmt.name,
        "target": fmt.short(float(y)),
        "points": len(s),
        "exhaustive": exhaustive,
        "identity_exact": identity_holds(),
        "differ": int((apart > 0).sum()),
        "largest_difference_ulp": int(apart.max()),
        "largest_difference_s": fmt.hex(s[int(apart.argmax())]) if apart.any() else "",
    }
    for name, computed in found.items():
        error, at = worst(fmt, computed, y, s)
        parameter = s if name == "mixed" else twice
        unchanged = parameter[(computed == y) & (s > 0)]
        row |= {
            f"{name}_max_ulp": significant(float(error)),
            f"{name}_max_ulp_parameter": fmt.hex(parameter[at]) if error else "",
            f"{name}_unchanged_to": fmt.hex(unchanged.max()) if unchanged.size else "",
        }
    return row


def worst(fmt: Format, computed: np.ndarray, y: np.ndarray, s: np.ndarray) -> tuple[Fraction, int]:
    """Return the largest error of a smoothed target in ulps of the exact one, in fractions, and where it is."""
    wide = wide_dtype(fmt)
    target, at = Fraction(float(y)), s.astype(wide)
    with np.errstate(invalid="ignore"):  # the 113-bit format raises the flag without cause
        value = y.astype(wide) * (1 - 2 * at) + at
        error = abs(computed.astype(wide) - value) / np.maximum(power_of_two_below(value), power_two(fmt.emin, wide))
    chosen = np.nonzero(error >= error.max() * (1 - 2.0**-20))[0][:64]  # the wide format ranks, fractions decide

    def exactly(i: int) -> Fraction:
        v = exact("mixed", target, Fraction(float(s[i])))
        return abs(Fraction(float(computed[i])) - v) / fmt.ulp(v)

    at_worst = max((int(i) for i in chosen), key=lambda i: (exactly(i), -i))
    return exactly(at_worst), at_worst
