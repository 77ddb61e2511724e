"""The forms that the study measures: how each is computed, with its bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.numbers.formats import FORMATS, format_of
from harness.studies.reductions.methods import WIDER
from harness.studies.softmax import bounds, forms
from harness.studies.softmax.forms import ADD, Add

Array = np.ndarray
LSE, LOSS = "logsumexp", "softmax_ce"


@dataclass(frozen=True)
class Way:
    """Hold one form with the order of its sum; `everywhere`: all in the next wider format, rounded once."""

    problem: str
    name: str
    form: Callable[..., Array]
    rule: bounds.Bound
    order: str = "sequential"
    everywhere: bool = False

    def __call__(self, x: Array, c: Array) -> Array:
        """Return one value for each vector, in the format of x; c is ignored by a log-sum-exp."""
        inner = x.astype(FORMATS[WIDER[format_of(x.dtype).name]].dtype) if self.everywhere else x
        with np.errstate(all="ignore"):
            return _call(self, inner, c, ADD[self.order]).astype(x.dtype)

    def in_format(self, name: str) -> bool:
        """Tell whether the form exists: a wider format than float64 does not."""
        return name in WIDER or not (self.everywhere or self.order == "wide_sum")


def _call(way: Way, x: Array, c: Array, add: Add) -> Array:
    return way.form(x, add) if way.problem == LSE else way.form(x, c, add)


WAYS = (
    Way(LSE, "naive", forms.naive, bounds.naive),
    Way(LSE, "shifted", forms.shifted, bounds.shifted),
    Way(LSE, "shifted_pairwise", forms.shifted, bounds.shifted, "pairwise"),
    Way(LSE, "shifted_wide_sum", forms.shifted, bounds.shifted, "wide_sum"),
    Way(LSE, "shifted_wide", forms.shifted, bounds.shifted, everywhere=True),
    Way(LSE, "log1p", forms.log1p, bounds.log1p),
    Way(LSE, "log1p_pairwise", forms.log1p, bounds.log1p, "pairwise"),
    Way(LSE, "log1p_wide", forms.log1p, bounds.log1p, everywhere=True),
    Way(LOSS, "naive_softmax", forms.naive_softmax, bounds.naive_softmax),
    Way(LOSS, "softmax", forms.softmax, bounds.softmax),
    Way(LOSS, "difference", forms.difference, bounds.difference),
    Way(LOSS, "log_softmax", forms.log_softmax, bounds.log_softmax),
    Way(LOSS, "log_softmax_wide", forms.log_softmax, bounds.log_softmax, everywhere=True),
    Way(LOSS, "log1p", forms.log1p_loss, bounds.log1p_loss),
    Way(LOSS, "log1p_pairwise", forms.log1p_loss, bounds.log1p_loss, "pairwise"),
    Way(LOSS, "log1p_wide", forms.log1p_loss, bounds.log1p_loss, everywhere=True),
)


def ways_of(problem: str, fmt_name: str) -> list[Way]:
    """Return the forms of a problem that a format has."""
    return [way for way in WAYS if way.problem == problem and way.in_format(fmt_name)]


def way_named(problem: str, name: str) -> Way:
    """Return one form."""
    return next(way for way in WAYS if (way.problem, way.name) == (problem, name))
