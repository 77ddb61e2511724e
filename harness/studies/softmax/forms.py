"""Ways of computing log-sum-exp and softmax cross-entropy, strictly in the format of the logits.

A form takes logits of shape (vectors, K) and, for the cross-entropy, the index of each vector's
class; m is the largest logit, c the class.

    naive            log(sum exp(x))
    shifted          m + log(sum exp(x - m))
    log1p            m + log1p(sum of exp(x_i - m) over i other than the first largest)

    naive_softmax    -log(exp(x_c) / sum exp(x))
    softmax          -log(exp(x_c - m) / sum exp(x - m))
    difference       (m + log(sum exp(x - m))) - x_c
    log_softmax      log(sum exp(x - m)) - (x_c - m)
    log1p            (m - x_c) + log1p(sum of exp(x_i - m) over i other than the first largest)

Where c is the largest, the last is log1p(sum over i != c of exp(x_i - x_c)).  Sums run one by one;
`_pairwise` adds by halves, `_wide_sum` in the next wider format and rounds the sum, `_wide` does
everything there and rounds once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.numbers.formats import FORMATS, format_of
from harness.studies.reductions.error_bounds import WIDER
from harness.studies.reductions.methods import pairwise, sequential, wide
from harness.studies.softmax import error_bounds
from harness.sweep.vectors import largest, others, picked

Array = np.ndarray
Add = Callable[[Array], Array]

LSE, LOSS = "logsumexp", "softmax_ce"
ADD: dict[str, Add] = {"sequential": sequential, "pairwise": pairwise, "wide_sum": wide}


# -- log-sum-exp ---------------------------------------------------------------------------------


def naive(x: Array, add: Add) -> Array:
    """Return log(sum exp(x)), shape (vectors,); infinite from where exp overflows."""
    return np.log(add(np.exp(x)))


def shifted(x: Array, add: Add) -> Array:
    """Return m + log(sum exp(x - m)), m the largest logit; shape (vectors,)."""
    _, m = largest(x)
    return m[:, 0] + np.log(add(np.exp(x - m)))


def log1p(x: Array, add: Add) -> Array:
    """Return m + log1p(sum of exp(x_i - m) over i other than the first largest); shape (vectors,)."""
    at, m = largest(x)
    return m[:, 0] + np.log1p(add(np.exp(others(x, at) - m)))


# -- softmax cross-entropy -----------------------------------------------------------------------


def naive_softmax(x: Array, c: Array, add: Add) -> Array:
    """Return -log(exp(x_c) / sum exp(x)), shape (vectors,); NaN from where exp overflows."""
    e = np.exp(x)
    return -np.log(picked(e, c) / add(e))


def softmax(x: Array, c: Array, add: Add) -> Array:
    """Return -log(exp(x_c - m) / sum exp(x - m))."""
    e = np.exp(x - largest(x)[1])
    return -np.log(picked(e, c) / add(e))


def difference(x: Array, c: Array, add: Add) -> Array:
    """Return lse(x) - x_c with the shifted log-sum-exp."""
    return shifted(x, add) - picked(x, c)


def log_softmax(x: Array, c: Array, add: Add) -> Array:
    """Return log(sum exp(x - m)) - (x_c - m), the negative of log_softmax as libraries compute it."""
    a = x - largest(x)[1]
    return np.log(add(np.exp(a))) - picked(a, c)


def log1p_loss(x: Array, c: Array, add: Add) -> Array:
    """Return (m - x_c) + log1p(sum of exp(x_i - m) over i other than the first largest); shape (vectors,)."""
    at, m = largest(x)
    return (m[:, 0] - picked(x, c)) + np.log1p(add(np.exp(others(x, at) - m)))


def sigmoid_loss(x: Array, c: Array) -> Array:
    """Return the sigmoid cross-entropy of the difference of two logits, max(d, 0) + log1p(exp(-|d|)), d = x_o - x_c."""
    d = picked(x, 1 - c) - picked(x, c)
    return np.maximum(d, np.zeros_like(d)) + np.log1p(np.exp(-np.abs(d)))


# -- what is measured ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """Hold one form with the order of its sum; `everywhere`: all in the next wider format, rounded once."""

    problem: str
    name: str
    form: Callable[..., Array]
    rule: error_bounds.Bound
    order: str = "sequential"
    everywhere: bool = False

    def __call__(self, x: Array, c: Array) -> Array:
        """Return one value for each vector, in the format of x; c is ignored by a log-sum-exp."""
        inner = x.astype(FORMATS[WIDER[format_of(x.dtype).name]].dtype) if self.everywhere else x
        with np.errstate(all="ignore"):
            classes = () if self.problem == LSE else (c,)
            return self.form(inner, *classes, ADD[self.order]).astype(x.dtype)

    @property
    def plain(self) -> bool:
        """Tell whether all of it runs in the format, sums one by one."""
        return self.order == "sequential" and not self.everywhere

    def in_format(self, name: str) -> bool:
        """Tell whether the form exists: a wider format than float64 does not."""
        return name in WIDER or not (self.everywhere or self.order == "wide_sum")


WAYS = (
    Way(LSE, "naive", naive, error_bounds.naive),
    Way(LSE, "shifted", shifted, error_bounds.shifted),
    Way(LSE, "shifted_pairwise", shifted, error_bounds.shifted, "pairwise"),
    Way(LSE, "shifted_wide_sum", shifted, error_bounds.shifted, "wide_sum"),
    Way(LSE, "shifted_wide", shifted, error_bounds.shifted, everywhere=True),
    Way(LSE, "log1p", log1p, error_bounds.log1p),
    Way(LSE, "log1p_pairwise", log1p, error_bounds.log1p, "pairwise"),
    Way(LSE, "log1p_wide", log1p, error_bounds.log1p, everywhere=True),
    Way(LOSS, "naive_softmax", naive_softmax, error_bounds.naive_softmax),
    Way(LOSS, "softmax", softmax, error_bounds.softmax),
    Way(LOSS, "difference", difference, error_bounds.difference),
    Way(LOSS, "log_softmax", log_softmax, error_bounds.log_softmax),
    Way(LOSS, "log_softmax_wide", log_softmax, error_bounds.log_softmax, everywhere=True),
    Way(LOSS, "log1p", log1p_loss, error_bounds.log1p_loss),
    Way(LOSS, "log1p_pairwise", log1p_loss, error_bounds.log1p_loss, "pairwise"),
    Way(LOSS, "log1p_wide", log1p_loss, error_bounds.log1p_loss, everywhere=True),
)


def ways_of(problem: str, fmt_name: str) -> list[Way]:
    """Return the forms of a problem that a format has."""
    return [way for way in WAYS if way.problem == problem and way.in_format(fmt_name)]


def way_named(problem: str, name: str) -> Way:
    """Return the way of a problem that has a name; StopIteration where there is none."""
    return next(way for way in WAYS if (way.problem, way.name) == (problem, name))
