"""The function logit(p) = log(p / (1-p)) for 0 <= p <= 1: the logit of a probability, the inverse of sigmoid."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers import wide
from harness.problems.problem import UNIT, Array, Problem, Terms, only_at, with_extra_bits


def _terms_logit(p: mpmath.mpf) -> Terms:
    """Return log(p / (1-p)), between 1/4 and 3/4 as log1p((2p - 1) / (1-p))."""
    q = mp.fsub(1, p, exact=True)
    if not p or not q:
        return mp.mpf(0), [mp.inf if p else -mp.inf]
    return mp.mpf(0), [mp.log1p(mp.fsub(p, q, exact=True) / q) if 1 <= 4 * p <= 3 else mp.log(p / q)]


def _fast_logit(p: Array) -> Array:
    q = 1 - p
    middle = (p >= 0.25) & (p <= 0.75)
    return np.where(middle, wide.log1p(np.where(middle, (p - 0.5) * 2 / q, 0 * p)), np.log(p / q))


LOGIT = Problem(
    "logit", "probability", False, r"\log(p / (1-p))",
    domain=UNIT, centre=0.5, nonnegative=False, terms=with_extra_bits(_terms_logit), fast=_fast_logit,
    rational=only_at(Fraction(1, 2), 0),
)  # fmt: skip
