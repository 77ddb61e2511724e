"""The logit taken back from a rounded probability: how many of its digits survive, and from where on none does.

digits = -log10(|x' - x| / |x|), from 0 up to the format's own p log10 2; x' is the logit of the rounded
probability, exactly or as a formula gives it in the loss's format.  The logit is lost where the relative
error is 1 or more, infinities and NaN included.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from mpmath import mp

from harness.kernels.registry import Array, like
from harness.numbers.division import halving_one
from harness.numbers.wide import wide_dtype
from harness.studies.pipeline.pipelines import Pair
from harness.tables.rows import Row
from harness.truth.certified import significant

EXACT = "exact"
OCTAVES = (1, 2, 4, 8, 16, 32)  # logits of each [k, 2k) have a column


def ratio(p: Array) -> Array:
    """Compute log(p / (1 - p)) for 0 < p < 1 in the format of `p`; infinite at 0 and 1."""
    return p.__array_namespace__().log(p / (like(1, p) - p))


def difference(p: Array) -> Array:
    """Compute log p - log1p(-p) for 0 < p < 1 in the format of `p`; infinite at 0 and 1."""
    xp = p.__array_namespace__()
    return xp.log(p) - xp.log1p(-p)


def naive_difference(p: Array) -> Array:
    """Compute log p - log(1 - p) for 0 < p < 1 in the format of `p`; infinite where 1 - p rounds to 0."""
    xp = p.__array_namespace__()
    return xp.log(p) - xp.log(like(1, p) - p)


def inverse_tanh(p: Array) -> Array:
    """Compute 2 artanh(2 p - 1), in which 2 p - 1 is exact for p >= 1/4."""
    xp, one, two = p.__array_namespace__(), like(1, p), like(2, p)
    return two * xp.atanh(two * p - one)


FORMULAS: dict[str, Callable[[Array], Array]] = {
    "log(p/(1-p))": ratio,
    "log p - log1p(-p)": difference,
    "log p - log(1-p)": naive_difference,
    "2 artanh(2p-1)": inverse_tanh,
}


def relative_errors(pair: Pair, sigmoid: str, formula: str, ordinals: np.ndarray) -> np.ndarray:
    """Return |x' - x| / |x| at logits given by ordinals of the probability's format; inf where x' is not finite."""
    x = pair.loss.from_ordinal(pair.embed(ordinals))
    wide = wide_dtype(pair.loss)
    with np.errstate(all="ignore"):
        p = pair.probabilities(sigmoid, x[None, :])[0]
        back = difference(p.astype(wide)) if formula == EXACT else FORMULAS[formula](p).astype(wide)
        exact = x.astype(wide)
        error = (abs(back - exact) / abs(exact)).astype(np.float64)
    return np.where(np.isnan(error), np.inf, error)


def digits(error: np.ndarray | float, pair: Pair) -> np.ndarray:
    """Return the decimal digits that a relative error leaves, between 0 and the probability format's own."""
    most = pair.probability.precision * math.log10(2)
    with np.errstate(divide="ignore"):
        return np.clip(-np.log10(error), 0, most)


def round_trip_rows(pair: Pair, sigmoid: str) -> list[Row]:
    """Return a row for the exact logit of the rounded probability and for each formula."""
    ordinals = pair.grid.ordinals()
    x = pair.probability.from_ordinal(ordinals).astype(np.float64)
    rows = []
    for formula in (EXACT, *FORMULAS):
        error = relative_errors(pair, sigmoid, formula, ordinals)
        row: Row = {
            "probability_format": pair.probability.name,
            "loss_format": pair.loss.name,
            "formula": formula,
            "exhaustive": pair.grid.exhaustive,
            "digits_of_format": significant(pair.probability.precision * mp.log10(2), 4),
        }
        for k in OCTAVES:
            for sign, side in ((1, "positive"), (-1, "negative")):
                inside = (sign * x >= k) & (sign * x < 2 * k)
                row[f"digits_{side}_{k}"] = significant(float(digits(error[inside].max(), pair)), 4)
        rows.append({**row, **_limits(pair, sigmoid, formula, ordinals, x, error)})
    return rows


def _limits(pair: Pair, sigmoid: str, formula: str, ordinals: np.ndarray, x: np.ndarray, error: np.ndarray) -> Row:
    """Return the last logits outwards that keep a digit, and the last towards 0."""
    kept = error < 1
    found: Row = {}
    for name, sign in (("positive", 1), ("negative", -1)):
        side = ordinals[kept & (sign * x > 0)]
        visited = ordinals[sign * x > 0]
        ends = (side.max(), side.min()) if sign > 0 else (side.min(), side.max())
        for word, end, outwards in (("largest", ends[0], sign), ("smallest", ends[1], -sign)):
            beyond = visited[(visited - end) * outwards > 0]
            if not beyond.size:
                found[f"{word}_{name}"] = pair.probability.hex(pair.probability.from_ordinal(np.array([end]))[0])
                continue
            bad = int(beyond.min() if outwards > 0 else beyond.max())
            found[f"{word}_{name}"] = _last_kept(pair, sigmoid, formula, int(end), bad)
    return found


def _last_kept(pair: Pair, sigmoid: str, formula: str, good: int, bad: int) -> str:
    """Return the last logit that keeps a digit between one that does and one that does not."""

    def lost(ordinals: np.ndarray) -> np.ndarray:
        return relative_errors(pair, sigmoid, formula, ordinals) >= 1

    last = halving_one(lost, bad, good)[1]
    return pair.probability.hex(pair.probability.from_ordinal(np.array([last]))[0])
