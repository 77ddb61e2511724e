"""Bounds of the absolute error of the forms: nothing of higher order is dropped.

A rule (`naive`, `shifted`, ...) maps vectors of logits to one bound for each, shape (vectors,): whatever the
rounding errors, the form's result is no farther from the exact value; infinite or NaN where an exponential
or a sum may overflow, so that nothing is promised.  Rules follow Blanchard, Higham and Higham (2021), doi:10.1093/imanum/draa038: the error of a
log-sum-exp is that of the arguments of exp (|x_i - m| u each), of exp, of the sum, of the logarithm
and of the last addition.  To first order, with u = 2^-p, d_i = x_i - m <= 0, e_i = exp(d_i),
S = sum e_i, a library function off by E ulp (a relative error of at most 2 E u), and a sum of K
non-negative terms off by s S,

    naive       (2 E_exp + 2 E_log |y|) u + s
    shifted     (sum |d_i| e_i / S + 2 E_exp + 2 E_log log S + |y|) u + s
    log1p       the same with R = S - 1 in the numerators, and 1 + R = S below: R/S times as much

in absolute terms; s is (K - 1) u one by one (Rump 2012, doi:10.1007/s10543-011-0342-4) and
h u / (1 - h u), h = ceil(log2 K), by halves (Higham 2002, doi:10.1137/1.9780898718027, section 4.2).
E is measured here (harness.bounds.function_errors); a correctly rounded function has E = 1/2.
As (K - 1) u exceeds 1 in the 16-bit formats, what is computed below are the expressions before
linearisation, with the least subnormal added where a result may be one, and with what monotone
rounding gives: a sum of non-negative terms is no less than any term, nor (one by one) more than K
times the power of two above the largest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from harness.bounds.function_errors import function_errors
from harness.numbers.formats import FORMATS, Format
from harness.studies.reductions.error_bounds import WIDER, Rule, by_halves, in_wider, one_by_one, unit
from harness.sweep.vectors import others, picked

Array = np.ndarray
Bound = Callable[["Logits"], Array]
SLACK = 1 + 1e-9  # the bounds themselves are computed in float64, from 65,536 terms at most
SUM_SLACK = 1e-11  # relative error of such a sum in float64, K 2^-53, where another is subtracted from it


@cache
def library(fmt: Format) -> dict[str, float]:
    """Return the largest errors of exp, log and log1p in ulp, over all arguments that the forms give them."""
    found = function_errors(fmt)
    limits = {"exp": -fmt.max, "log": 0.0, "log1p": 0.0}
    return {name: float(found[name].over(np.array([lo]), np.array([fmt.max]))[0]) for name, lo in limits.items()}


SUMS: dict[str, Rule] = {"sequential": one_by_one, "pairwise": by_halves, "wide_sum": in_wider}


def sum_error(order: str, n: int, fmt: Format) -> float:
    """Return the largest relative error of a sum of n non-negative terms, added in this order."""
    return SUMS[order](n, fmt, 0.0) if n > 1 else 0.0  # no rule of these depends on the share of early terms


@dataclass(frozen=True)
class Logits:
    """Hold what a bound depends on: logits in float64, class, exact values, working format, order of the sum."""

    x: Array
    c: Array
    y: Array
    fmt: Format
    order: str

    @property
    def top(self) -> Array:
        """Return the index of the largest logit of each vector, the first of equals; shape (vectors,)."""
        return self.x.argmax(axis=1)

    @property
    def d(self) -> Array:
        """Return d = x - m <= 0, each logit less the largest of its vector; shape (vectors, K)."""
        return self.x - picked(self.x, self.top)[:, None]

    def rounded(self, error: Array) -> Array:
        """Return the error of a last rounding to nearest of y with an error that it had before, both together."""
        u, least = unit(self.fmt), self.fmt.smallest_subnormal
        return error + np.maximum(u * (np.abs(self.y) + error), least / 2)

    def of_library(self, name: str, value: Array, error: Array | float) -> Array:
        """Return the error of a library function whose exact result lies within `error` of a value."""
        u, least = unit(self.fmt), self.fmt.smallest_subnormal
        return library(self.fmt)[name] * np.maximum(2 * u * (np.abs(value) + error), least)


@dataclass(frozen=True)
class Sum:
    """Hold an exact sum, and by how much the computed one may exceed it or fall below it."""

    value: Array
    above: Array
    below: Array

    def log_error(self, offset: float = 0.0) -> Array:
        """Return the change of log(offset + sum) within the error; infinite where the sum may overflow or become 0."""
        total = offset + self.value
        return np.maximum(np.log1p(self.above / total), -np.log1p(-np.minimum(self.below / total, 1.0)))


def exponentials(v: Logits, arguments: Array, shifted: bool) -> tuple[Array, Array]:
    """Return exp of the arguments, and its absolute error when computed, after a rounded subtraction if shifted."""
    e = np.exp(arguments)
    size = np.where(np.isfinite(arguments), np.abs(arguments), 0.0)
    moved = e * np.expm1(size * unit(v.fmt)) if shifted else np.zeros_like(e)
    error = moved + v.of_library("exp", e, moved)
    known = np.isneginf(arguments) | (arguments == 0 if shifted else False)  # exp(-inf) = 0, exp(0) = 1 exactly
    return e, np.where(known, 0.0, error)


def summed(v: Logits, e: Array, error: Array) -> Sum:
    """Return the sum of computed exponentials; `above` is infinite where it may overflow.

    One by one, K terms of at most a power of two never add up to more than K times it: so many equal
    ones are added exactly until they stagnate, and rounding is monotone.
    """
    value, before = e.sum(axis=1), error.sum(axis=1)
    after = before + sum_error(v.order, e.shape[1], v.fmt) * (value + before)
    below = np.minimum(after, value - np.maximum((e - error).max(axis=1), 0.0) + SUM_SLACK * value)
    above = after
    if v.order == "sequential":
        most = e.shape[1] * 2.0 ** np.ceil(np.log2((e + error).max(axis=1)))
        above = np.minimum(after, most - value + SUM_SLACK * value)
    return Sum(value, np.where(value + above < v.fmt.max, above, np.inf), below)


def _log(v: Logits, s: Sum, name: str) -> Array:
    """Return the error of log(s) or log1p(s), of its argument and its own."""
    error = s.log_error(1.0 if name == "log1p" else 0.0)
    return error + v.of_library(name, np.log1p(s.value) if name == "log1p" else np.log(s.value), error)


def _shifted_log(v: Logits) -> Array:
    return _log(v, summed(v, *exponentials(v, v.d, True)), "log")


def _rest_log1p(v: Logits) -> Array:
    return _log(v, summed(v, *exponentials(v, others(v.d, v.top), True)), "log1p")


def _gap(v: Logits) -> Array:
    """Return the error of m - x_c."""
    return np.abs(picked(v.d, v.c)) * unit(v.fmt)


def naive(v: Logits) -> Array:
    """Bound log(sum exp(x)); infinite or NaN where an exponential may overflow. Absolute, shape (vectors,)."""
    return _log(v, summed(v, *exponentials(v, v.x, False)), "log")


def shifted(v: Logits) -> Array:
    """Bound m + log(sum exp(x - m)), m the largest logit. Absolute, shape (vectors,)."""
    return v.rounded(_shifted_log(v))


def log1p(v: Logits) -> Array:
    """Bound m + log1p(sum of exp(x_i - m) over i other than the first largest). Absolute, shape (vectors,)."""
    return v.rounded(_rest_log1p(v))


def difference(v: Logits) -> Array:
    """Bound shifted(x) - x_c, two roundings: of the log-sum-exp, whose size is y + x_c, and of the difference."""
    return v.rounded(shifted(replace(v, y=v.y + picked(v.x, v.c))))


def log_softmax(v: Logits) -> Array:
    """Bound log(sum exp(x - m)) - (x_c - m)."""
    return v.rounded(_shifted_log(v) + _gap(v))


def log1p_loss(v: Logits) -> Array:
    """Bound (m - x_c) + log1p(rest); where c is the largest, nothing is rounded at the end."""
    error = _rest_log1p(v) + _gap(v)
    return np.where(picked(v.d, v.c) == 0, error, v.rounded(error))


def _quotient(v: Logits, arguments: Array, shift: bool) -> Array:
    """Bound -log(e_c / sum e): relative errors of e_c, of the sum and of the quotient, and of the logarithm."""
    e, error = exponentials(v, arguments, shift)
    s, share, wrong = summed(v, e, error), picked(e, v.c), picked(error, v.c)
    p = share / s.value
    down = np.minimum(wrong / share, 1.0)
    of_share = np.maximum(np.log1p(wrong / share), -np.log1p(-down))
    before = of_share + s.log_error()
    # The quotient, at worst exp(-before) p, is rounded to nearest; a 0 makes the loss infinite.
    rounding = np.maximum(unit(v.fmt), v.fmt.smallest_subnormal / 2 / (p * np.exp(-before)))
    change = before - np.log1p(-np.minimum(rounding, 1.0))
    return change + v.of_library("log", v.y, change)


def naive_softmax(v: Logits) -> Array:
    """Bound -log(exp(x_c) / sum exp(x)); infinite or NaN where it may overflow. Absolute, shape (vectors,)."""
    return _quotient(v, v.x, False)


def softmax(v: Logits) -> Array:
    """Bound -log(exp(x_c - m) / sum exp(x - m))."""
    return _quotient(v, v.d, True)


def bound(rule: Bound, v: Logits, everywhere: bool) -> Array:
    """Return a form's bound; `everywhere` computes in the next wider format and rounds once at the end."""
    with np.errstate(all="ignore"):
        found = v.rounded(rule(replace(v, fmt=FORMATS[WIDER[v.fmt.name]]))) if everywhere else rule(v)
    return np.where(np.isnan(found), math.inf, found * SLACK)
