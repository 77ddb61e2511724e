"""The exact functions: domain, reference forms, poles and critical points.

Each problem has two independent forms.  `terms` gives an exact mpmath number and others, good to
the working precision, that sum to the value.  Where the value saturates, as sigmoid(x) does at 1,
the exact number is what it saturates at, so that the small rest decides every rounding.  `fast` is
written for whole arrays of a wider format (see wide.py), without cancellation anywhere.  Zero
weights drop their term: 0 * log 0 = 0, the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import mpmath
import numpy as np
from mpmath import mp

from harness import UsageError
from harness.numbers import wide
from harness.numbers.formats import Format
from harness.numbers.wide import exact_mpf, from_mpf, huge, tiny

Terms = tuple[mpmath.mpf, list[mpmath.mpf]]
Array = np.ndarray


@dataclass(frozen=True)
class Problem:
    """Describe an exact function of an input and, for losses, a target.

    `domain` is the closed interval of inputs; `centre` is where the safe range starts;
    beyond `monotone_beyond` in size, on either side of 0, it is monotone in the input for every target,
    which allows a rounding to be decided for a whole run of inputs at its ends.  A problem that is
    neither monotone throughout nor convex has `between(start, stop, *target)`, float64 bounds (least, most) of
    what it may reach between two inputs beyond its values at them, NaN where there is no such value.
    `gradient` names the problem that is its derivative in the input, "" where none is declared.
    """

    name: str
    input: str  # "logit", "probability" or "input"
    has_target: bool
    formula: str
    domain: tuple[float, float]
    centre: float
    nonnegative: bool
    terms: Callable[..., Terms]
    fast: Callable[..., Array]
    monotone_beyond: float = 0.0
    between: Callable[..., tuple[Array, Array]] | None = None
    gradient: str = ""

    @property
    def monotone(self) -> bool:
        """Tell whether the function is monotone throughout."""
        return self.monotone_beyond == 0

    def critical_points(self, fmt: Format) -> list[float]:
        """Return the critical inputs of a format: fixed ones, saturation, overflow, branch points."""
        p, log2 = fmt.precision, math.log(2)
        found = [self.centre]
        if self.input == "logit" or self.name in ("exp", "expm1", "tanh", "log1mexp"):
            top, bottom = math.log(fmt.max), math.log(fmt.min_normal)
            least = math.log(fmt.smallest_subnormal)
            saturation = [p * log2, (p + 1) * log2, (p + 1) * log2 / 2, math.log(fmt.machine_epsilon) + 2]
            clamps = [math.log(1e7), math.log(1e12), math.log(1e15), 100.0]
            size = [
                0.0,
                log2 / 2,
                log2,
                1.5 * log2,
                1.0,
                18.0,
                20.0,
                33.3,
                37.0,
                top,
                -bottom,
                -least,
                *saturation,
                *clamps,
            ]
            found += [*size, *(-s for s in size)]
        if self.input == "probability":
            small = [fmt.smallest_subnormal, fmt.min_normal, fmt.machine_epsilon, 1e-7, 1e-12, 1e-15, 1e-16]
            found += [0.0, 1.0, 0.5, *small, *(1 - s for s in small), math.exp(-100)]
        if self.name in ("log", "log1p"):
            # Libraries reduce the argument of log at sqrt(2) and sqrt(1/2).
            found += [math.sqrt(2) - (self.name == "log1p"), math.sqrt(0.5) - (self.name == "log1p")]
            found += [fmt.smallest_subnormal, fmt.min_normal, fmt.machine_epsilon, -fmt.machine_epsilon, fmt.max]
        return [v for v in found if self.domain[0] <= v <= self.domain[1]]


# -- mpmath forms -----------------------------------------------------------------------------


def _tail(x: mpmath.mpf) -> mpmath.mpf:
    return mp.log1p(mp.exp(-abs(x)))


def _sigmoid(x: mpmath.mpf) -> mpmath.mpf:
    return 1 / (1 + mp.exp(-x))


def _weighted(*pairs: tuple[mpmath.mpf, Callable[[], mpmath.mpf]]) -> list[mpmath.mpf]:
    """Multiply weight by value, leaving out terms of zero weight."""
    return [w * f() for w, f in pairs if w != 0]


def _log(v: mpmath.mpf) -> mpmath.mpf:
    return mp.log(v) if v else -mp.inf


def _log1p(v: mpmath.mpf) -> mpmath.mpf:
    return mp.log1p(v) if v != -1 else -mp.inf


def _over(v: mpmath.mpf) -> mpmath.mpf:
    return 1 / v if v else mp.inf


def _complement(y: mpmath.mpf) -> mpmath.mpf:
    return mp.fsub(1, y, exact=True)


def _terms_bce_logits(x: mpmath.mpf, y: mpmath.mpf) -> Terms:
    weight = -y if x < 0 else _complement(y)
    return (mp.fmul(weight, x, exact=True) if weight else mp.mpf(0)), [_tail(x)]


def _terms_bce_logits_grad(x: mpmath.mpf, y: mpmath.mpf) -> Terms:
    if x > 0:
        return _complement(y), [-_sigmoid(-x)]
    return -y, [_sigmoid(x)]


def _terms_bce(p: mpmath.mpf, y: mpmath.mpf) -> Terms:
    return mp.mpf(0), _weighted((-y, lambda: _log(p)), (-_complement(y), lambda: _log1p(-p)))


def _terms_bce_grad(p: mpmath.mpf, y: mpmath.mpf) -> Terms:
    return mp.mpf(0), _weighted((-y, lambda: _over(p)), (_complement(y), lambda: _over(_complement(p))))


def _terms_sigmoid(x: mpmath.mpf) -> Terms:
    return (mp.mpf(1), [-_sigmoid(-x)]) if x > 0 else (mp.mpf(0), [_sigmoid(x)])


def _terms_exp(x: mpmath.mpf) -> Terms:
    return (mp.mpf(1), [mp.expm1(x)]) if abs(x) < 1 else (mp.mpf(0), [mp.exp(x)])


def _terms_expm1(x: mpmath.mpf) -> Terms:
    return (mp.mpf(-1), [mp.exp(x)]) if x < -1 else (mp.mpf(0), [mp.expm1(x)])


def _terms_tanh(x: mpmath.mpf) -> Terms:
    if abs(x) < 1:
        return mp.mpf(0), [mp.tanh(x)]
    sign = mpmath.sign(x)
    return sign, [-sign * 2 * _sigmoid(-2 * abs(x))]


def _terms_log(x: mpmath.mpf) -> Terms:
    return mp.mpf(0), [_log(x)]


def _terms_log1p(x: mpmath.mpf) -> Terms:
    return mp.mpf(0), [_log1p(x)]


# -- forms for arrays -------------------------------------------------------------------------
# `tiny` and `huge` stand for exact values that underflow or overflow the wide format: 0 and inf
# would be wrong.  Both lie far outside the formats under test.


def _exp(x: Array) -> Array:
    return np.minimum(np.maximum(wide.exp(x), tiny(x.dtype)), huge(x.dtype))


def _fast_expm1(x: Array) -> Array:
    return np.minimum(wide.expm1(x), huge(x.dtype))


def _fast_tail(x: Array) -> Array:
    return np.maximum(wide.log1p(wide.exp(-np.abs(x))), tiny(x.dtype))


def _fast_sigmoid(x: Array) -> Array:
    e = _exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(e), e) / (1 + e)


def _fast_softplus(x: Array) -> Array:
    return np.maximum(x, np.zeros_like(x)) + _fast_tail(x)


def _fast_bce_logits(x: Array, y: Array) -> Array:
    return np.where(x < 0, -y, 1 - y) * x + _fast_tail(x)


def _fast_bce_logits_grad(x: Array, y: Array) -> Array:
    """Compute sigmoid(x) - y without cancellation, by the distance d = x - logit(y).

    |d| > 1: (1-y) sigmoid(x) - y sigmoid(-x), whose terms differ by a factor of e^|d|.
    |d| <= 1: z w expm1(-|d|) / (w + z exp(-|d|)), where (z, w) is (y, 1-y) for d <= 0 and
    (1-y, y) for d > 0, with the sign turned; logit(y) is held to twice the wide precision.
    """
    e = _exp(-np.abs(x))
    larger, smaller = 1 / (1 + e), e / (1 + e)  # sigmoid(|x|), sigmoid(-|x|)
    value = (1 - y) * np.where(x >= 0, larger, smaller) - y * np.where(x <= 0, larger, smaller)
    soft = np.where((y == 0) | (y == 1), 0 * y + 0.5, y)
    high, low = _logit_pair(soft)
    d = (x - high) - low
    near = (abs(d) <= 1) & (soft == y)
    if near.any():
        z, w = np.where(d <= 0, soft, 1 - soft), np.where(d <= 0, 1 - soft, soft)
        close = z * w * wide.expm1(-abs(d)) / (w + z * wide.exp(-abs(d)))
        value = np.where(near, np.where(d <= 0, close, -close), value)
    return value


def _logit_pair(y: Array) -> tuple[Array, Array]:
    """Return logit(y) = high + low to twice the format's precision, by mpmath."""
    high, low = np.empty_like(y), np.empty_like(y)
    with mp.workprec(400):
        for index, value in np.ndenumerate(y):
            v = exact_mpf(value)
            logit = mp.log(v) - mp.log1p(-v)
            high[index] = from_mpf(logit, y.dtype)
            low[index] = from_mpf(logit - exact_mpf(high[index]), y.dtype)
    return high, low


def _fast_bce(p: Array, y: Array) -> Array:
    zero = np.zeros_like(p)
    return np.where(y == 0, zero, -y * np.log(p)) + np.where(y == 1, zero, (y - 1) * wide.log1p(-p))


def _fast_bce_grad(p: Array, y: Array) -> Array:
    return np.where(y == 0, 1 / (1 - p), np.where(y == 1, -1 / p, (p - y) / (p * (1 - p))))


REAL = (-math.inf, math.inf)

PROBLEMS: dict[str, Problem] = {
    q.name: q
    for q in (
        Problem(
            "bce", "probability", True, r"-(y \log p + (1-y) \log(1-p))",
            domain=(0.0, 1.0), centre=0.5, nonnegative=True, monotone_beyond=math.inf,
            terms=_terms_bce, fast=_fast_bce, gradient="bce_grad",
        ),
        Problem(
            "bce_logits", "logit", True, r"y\,\mathrm{softplus}(-x) + (1-y)\,\mathrm{softplus}(x)",
            domain=REAL, centre=0.0, nonnegative=True, monotone_beyond=math.inf,
            terms=_terms_bce_logits, fast=_fast_bce_logits, gradient="bce_logits_grad",
        ),
        Problem(
            "bce_grad", "probability", True, r"(1-y)/(1-p) - y/p",
            domain=(0.0, 1.0), centre=0.5, nonnegative=False,
            terms=_terms_bce_grad, fast=_fast_bce_grad,
        ),
        Problem(
            "bce_logits_grad", "logit", True, r"\sigma(x) - y",
            domain=REAL, centre=0.0, nonnegative=False,
            terms=_terms_bce_logits_grad, fast=_fast_bce_logits_grad,
        ),
        Problem(
            "sigmoid", "logit", False, r"1 / (1 + e^{-x})",
            domain=REAL, centre=0.0, nonnegative=True,
            terms=_terms_sigmoid, fast=_fast_sigmoid,
        ),
        Problem(
            "softplus", "logit", False, r"\log(1 + e^x)",
            domain=REAL, centre=0.0, nonnegative=True,
            terms=lambda x: (max(x, mp.mpf(0)), [_tail(x)]), fast=_fast_softplus,
        ),
        Problem(
            "log_sigmoid", "logit", False, r"\log \sigma(x)",
            domain=REAL, centre=0.0, nonnegative=False,
            terms=lambda x: (min(x, mp.mpf(0)), [-_tail(x)]), fast=lambda x: -_fast_softplus(-x),
        ),
        Problem(
            "exp", "input", False, r"e^x",
            domain=REAL, centre=0.0, nonnegative=True, terms=_terms_exp, fast=_exp,
        ),
        Problem(
            "log", "input", False, r"\log x",
            domain=(0.0, math.inf), centre=1.0, nonnegative=False, terms=_terms_log, fast=np.log,
        ),
        Problem(
            "log1p", "input", False, r"\log(1 + x)",
            domain=(-1.0, math.inf), centre=0.0, nonnegative=False, terms=_terms_log1p, fast=wide.log1p,
        ),
        Problem(
            "expm1", "input", False, r"e^x - 1",
            domain=REAL, centre=0.0, nonnegative=False, terms=_terms_expm1, fast=_fast_expm1,
        ),
        Problem(
            "tanh", "input", False, r"\tanh x",
            domain=REAL, centre=0.0, nonnegative=False, terms=_terms_tanh, fast=np.tanh,
        ),
    )
}  # fmt: skip


def problem_named(name: str) -> Problem:
    """Return the problem called `name`; UsageError lists the known ones."""
    if name not in PROBLEMS:
        raise UsageError(f"unknown problem {name!r}; known problems: {', '.join(PROBLEMS)}")
    return PROBLEMS[name]


def gradient_of(problem: Problem) -> Problem | None:
    """Return the derivative of a problem in its input; None where none is declared."""
    return PROBLEMS[problem.gradient] if problem.gradient else None


def antiderivative_of(problem: Problem) -> Problem | None:
    """Return the loss whose gradient a problem is; None where it is no gradient."""
    return next((p for p in PROBLEMS.values() if p.gradient == problem.name), None)
