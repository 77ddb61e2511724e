"""Common forms of a loss of K classes, by which one whose code cannot be followed is explained.

Most such losses, in whatever library, are one of a few formulas, and each of those fails on its own rows: where a class is
masked, where a logit is large, where the label's class leads.  A function that has the same outcomes on every row, and about
the same errors on those where it errs, is told to behave like that form, and the form is followed in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import mpmath
import numpy as np

from harness.checking.class_rows import Array, ClassRows
from harness.numbers.formats import format_of
from harness.truth.softmax import Evaluation, evaluation

Form = Callable[..., Array]
ALIKE = 2.0  # errors within this factor of each other are about the same
NEARLY_ALL = 0.9  # of the results: where nearly equal numbers are subtracted, a library's own exp decides what is left
LARGE_ULP = 16.0  # errors below this differ from one library's exp to the next


def _shifted(x: Array) -> Array:
    return x - x.max(axis=1, keepdims=True)


def _log_sum(x: Array) -> Array:
    return np.log(np.exp(x).sum(axis=1, keepdims=True, dtype=x.dtype))


def _hot(x: Array, labels: Array) -> Array:
    return np.eye(x.shape[1], dtype=x.dtype)[labels] if labels.ndim == 1 else labels


def _own(values: Array, labels: Array) -> Array:
    if labels.ndim == 1:
        return np.take_along_axis(values, labels[:, None], axis=1)[:, 0]
    return np.where(labels == 0, labels, labels * values).sum(axis=1, dtype=values.dtype)


def _shares(x: Array) -> Array:
    exponentials = np.exp(x)
    return exponentials / exponentials.sum(axis=1, keepdims=True, dtype=x.dtype)


def _log_softmax(x: Array) -> Array:
    return _shifted(x) - _log_sum(_shifted(x))


def _sums(x: Array) -> Array:
    return x.max(axis=1, keepdims=True) + _log_sum(_shifted(x))


LOSSES: Mapping[str, Form] = {
    "-log_softmax(x)_c": lambda x, t: -_own(_log_softmax(x), t),
    "-(sum of t_i log_softmax(x)_i), t the one-hot label": lambda x, t: -(_hot(x, t) * _log_softmax(x)).sum(axis=1, dtype=x.dtype),
    "log(sum of exp(x_i)) - x_c": lambda x, t: _log_sum(x)[:, 0] - _own(x, t),
    "(m + log(sum of exp(x_i - m))) - x_c": lambda x, t: (x.max(axis=1) + _log_sum(_shifted(x))[:, 0]) - _own(x, t),
    "-log(softmax(x)_c)": lambda x, t: -_own(np.log(_shares(_shifted(x))), t),
    "-log(softmax(x)_c), its exponentials not shifted": lambda x, t: -_own(np.log(_shares(x)), t),
}  # fmt: skip
SUMS: Mapping[str, Form] = {
    "m + log(sum of exp(x_i - m))": lambda x: x.max(axis=1) + _log_sum(_shifted(x))[:, 0],
    "log(sum of exp(x_i))": lambda x: _log_sum(x)[:, 0],
}
SLOPES: Mapping[str, Form] = {
    "softmax(x) - t": lambda x, t: _shares(_shifted(x)) - _hot(x, t),
    "softmax(x) - t, its exponentials not shifted": lambda x, t: _shares(x) - _hot(x, t),
    "exp(log_softmax(x)) - t": lambda x, t: np.exp(_log_softmax(x)) - _hot(x, t),
    "exp(x - (m + log(sum of exp(x_i - m)))) - t": lambda x, t: np.exp(x - _sums(x)) - _hot(x, t),
}
SECOND: Mapping[str, Form] = {
    "p (1 - p), p = softmax(x)": lambda x, t: _shares(_shifted(x)) * (x.dtype.type(1) - _shares(_shifted(x))),
}
SHARES: Mapping[str, Form] = {
    "softmax(x)": lambda x: _shares(_shifted(x)),
    "softmax(x), its exponentials not shifted": _shares,
    "exp(log_softmax(x))": lambda x: np.exp(_log_softmax(x)),
    "exp(x - (m + log(sum of exp(x_i - m))))": lambda x: np.exp(x - _sums(x)),
}
FORMS: Mapping[str, Mapping[str, Form]] = {
    "softmax_ce": LOSSES, "logsumexp": SUMS, "softmax_ce_grad": SLOPES, "softmax": SHARES, "softmax_ce_hess": SECOND,
}  # fmt: skip


def form_like(
    problem: str, given: ClassRows, found: Sequence[Evaluation], kinds: Sequence[str], exact: Sequence[mpmath.mpf]
) -> tuple[str, Form] | None:
    """Return the form of a problem that has a function's outcomes and about its errors, with its name: of several the one that returns the same most often.

    `found`, `kinds` and `exact` have the function's results, their outcomes and the exact values, row by row.
    """
    fmt, labels = format_of(given.logits.dtype), [a for a in (given.labels,) if a is not None]
    best, most = None, -1
    for name, form in FORMS.get(problem, {}).items():
        with np.errstate(all="ignore"):
            computed = np.asarray(form(given.logits, *labels)).reshape(-1)
        own = [evaluation(fmt, c, e, open_ties=True) for c, e in zip(computed, exact)]
        equal = sum(float(a.computed) == float(b.computed) for a, b in zip(own, found))
        alike = [_alike(a, b, kind) for a, b, kind in zip(own, found, kinds)]
        finite = all(a.finite == b.finite for a, b in zip(own, found))
        if equal > most and finite and sum(alike) >= NEARLY_ALL * len(alike):
            best, most = (name, form), equal
    return best


def _alike(form: Evaluation, function: Evaluation, kind: str) -> bool:
    """Tell whether a form's result has the outcome of a function's, and about its error."""
    if kind != "capped" and form.outcome != kind:
        return False
    if not form.finite or not function.finite:
        return form.finite == function.finite
    low, high = sorted(float(min(v.ulp, 1e300)) for v in (form, function))
    return high <= LARGE_ULP or high <= ALIKE * low
