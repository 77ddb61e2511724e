"""The error rule of each operation that kernels use; see running_error.py for what the values mean.

Local errors: 0.5 ulp for + - * /, the measured number of ulps for each library function, none for
negation, absolute value, maximum, minimum and branches, nor where the result is proved to be a
number of the format.  Propagation uses the mean value theorem on the hull of computed and exact
values, so nothing is dropped as being of second order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.bounds import intervals
from harness.bounds.intervals import Interval, hull, magnitude, mignitude, product, up
from harness.bounds.running_error import RULES, Bounded, Condition, Setting
from harness.numbers.wide import power_of_two_below

Array = np.ndarray
Unary = Callable[[Array], Array]

BELOW_1 = np.nextafter(1.0, 0.0)


def _rounded(s: Setting, ends: Interval, exact: Interval, carried: Array, free: Array, multiple: Array) -> Bounded:
    """Return the result of + - * / whose unrounded ends are given; `free` marks exact results."""
    known = ~np.isnan(multiple)
    if known.any():
        by_multiple = intervals.multiply((multiple, multiple), s.x)
        ends = tuple(np.where(known, m, e) for m, e in zip(by_multiple, ends))  # type: ignore[assignment]
    computed = s.round(ends)
    # Half the smallest subnormal is no float64; a whole one then bounds it.
    half = np.maximum(s.ulp(magnitude(computed)) / 2, np.finfo(np.float64).smallest_subnormal)
    error = np.where(free, carried, up(carried + half))
    return Bounded(s, computed, exact, error, np.where(free, multiple, np.nan))


def _sum(interval_sum: Callable[[Interval, Interval], Interval], sign: float) -> Callable[..., Bounded]:
    """Return the rule of + or -.

    Multiples of a quantum q have a sum that is a multiple of q, and a number of the format
    if it is below 2^p q.
    """

    def rule(a: Bounded, b: Bounded) -> Bounded:
        s, multiple = a.setting, a.multiple + sign * b.multiple
        ends = interval_sum(a.computed, b.computed)
        size = np.where(np.isnan(multiple), magnitude(ends), abs(multiple) * magnitude(s.x))
        quantum = np.minimum(s.quantum(a.computed), s.quantum(b.computed))
        zero = [(v.computed[0] == 0) & (v.computed[1] == 0) for v in (a, b)]
        free = zero[0] | zero[1] | (size < quantum * 2.0**s.fmt.precision)
        exact = intervals.outward(interval_sum(a.exact, b.exact))
        return _rounded(s, ends, exact, up(a.error + b.error), free, multiple)

    return rule


def _multiply(a: Bounded, b: Bounded) -> Bounded:
    ends = intervals.multiply(a.computed, b.computed)
    exact = intervals.outward(intervals.multiply(a.exact, b.exact, zero_times_inf=0.0))
    # ab - a'b' = a (b - b') + b' (a - a') = b (a - a') + a' (b - b')
    carried = np.fmin(
        product(magnitude(a.computed), b.error) + product(magnitude(b.exact), a.error),
        product(magnitude(b.computed), a.error) + product(magnitude(a.exact), b.error),
    )
    multiple, free = np.full(1, np.nan), np.zeros(1, bool)
    for factor, other in ((a, b), (b, a)):
        value = factor.computed[0]
        known = (value == factor.computed[1]) & _scales(factor.setting, value, ends, grows=abs(value) >= 1)
        known &= np.isfinite(other.computed[0]) & np.isfinite(other.computed[1])  # 0 · inf is NaN
        free = free | known
        by_factor = np.where(value == 0, 0.0, value * other.multiple)
        multiple = np.where(known & np.isnan(multiple), by_factor, multiple)
    return _rounded(a.setting, ends, exact, up(carried), free, multiple)


def _scales(s: Setting, value: Array, ends: Interval, grows: Array) -> Array:
    """Tell where multiplication by a known number is exact: by 0, or a power of two without underflow."""
    power = abs(value) == power_of_two_below(np.ascontiguousarray(abs(value)))
    return (value == 0) | (power & (grows | (mignitude(ends) >= s.fmt.min_normal)))


def _divide(a: Bounded, b: Bounded) -> Bounded:
    ends = intervals.divide(a.computed, b.computed)
    exact = intervals.outward(intervals.divide(a.exact, b.exact))
    # a/b - a'/b' = ((a - a') - (a'/b') (b - b')) / b
    carried = (a.error + product(magnitude(exact), b.error)) / mignitude(b.computed)
    value = b.computed[0]
    free = (value == b.computed[1]) & (value != 0) & _scales(a.setting, value, ends, grows=abs(value) <= 1)
    multiple = np.where(free, a.multiple / value, np.nan)
    return _rounded(a.setting, ends, exact, up(up(carried)), free, multiple)


def _function(
    name: str,
    function: Unary,
    slope: Callable[[Interval], Array],
    floor: float,
    rounded: bool = False,
    below_1: Callable[[Interval], Array] = lambda a: np.zeros(1, bool),
) -> Callable[[Bounded], Bounded]:
    """Return the rule of an increasing library function; `slope` bounds its derivative on an interval.

    `below_1` tells of which arguments all values are less than 1 in size, where an ulp is half of that at 1.
    `floor` is the left end of its domain, to which exact arguments are held.  A function that is
    correctly `rounded` (IEEE 754 asks it of the square root) errs by half an ulp, others as measured.
    # ASSUME: library functions keep the exact value's sign.
    """

    def rule(a: Bounded) -> Bounded:
        s = a.setting
        true = intervals.increasing(function, a.computed)
        exact = intervals.increasing(function, (np.maximum(a.exact[0], floor), a.exact[1]))
        if not rounded:
            s.called.add(name)
        ulps = np.array(0.5) if rounded else s.functions[name].over(*a.computed)
        size = np.where(below_1(a.computed), np.minimum(magnitude(true), BELOW_1), magnitude(true))
        local = up(ulps * s.ulp(size))
        # ulp(r) <= max(|r| machine_epsilon, smallest_subnormal), with which the ends are monotone in r.
        at_ends = [
            np.minimum(local, ulps * np.maximum(abs(r) * s.fmt.machine_epsilon, s.fmt.smallest_subnormal)) for r in true
        ]
        lo, hi = s.inner((true[0] - up(at_ends[0]), true[1] + up(at_ends[1])))
        computed = (
            np.where(true[0] >= 0, np.maximum(lo, 0), lo),
            np.where(true[1] <= 0, np.minimum(hi, 0), hi),
        )
        steepest = slope(a.both) * (1 + intervals.FUNCTION_SLACK) + np.finfo(np.float64).tiny
        carried = product(steepest, a.error)
        return Bounded(s, computed, exact, up(carried + local), np.full((1, 1), np.nan))

    return rule


_LOGADDEXP_ZERO = _function("logaddexp", lambda v: np.logaddexp(0, v), lambda b: np.minimum(np.exp(b[1]), 1), -np.inf)


def _logaddexp(a: Bounded, b: Bounded) -> Bounded:
    """Bound logaddexp(0, b), an increasing function whose slope is at most 1 and at most e^b."""
    if not (a.multiple == 0).all():
        raise TypeError("an error bound is known for logaddexp(0, x) alone, with the constant first")
    return _LOGADDEXP_ZERO(b)


def _over(least: Array) -> Array:
    return np.where(least > 0, 1 / least, np.inf)


def _exactly(a: Bounded, change: Callable[[Interval], Interval], multiple: Array, error: Array) -> Bounded:
    return Bounded(a.setting, change(a.computed), change(a.exact), error, multiple)


def _negative(a: Bounded) -> Bounded:
    return _exactly(a, lambda e: (-e[1], -e[0]), -a.multiple, a.error)


def _abs(a: Bounded) -> Bounded:
    lo, hi = a.computed
    multiple = np.where(lo >= 0, a.multiple, np.where(hi <= 0, -a.multiple, np.nan))
    return _exactly(a, lambda e: (mignitude(e), magnitude(e)), multiple, a.error)


def _sign(a: Bounded) -> Bounded:
    change = np.where(a.error == 0, 0.0, np.inf)  # infinite: the distance of the two intervals decides
    return _exactly(a, lambda e: (np.sign(e[0]), np.sign(e[1])), np.where(a.multiple == 0, 0.0, np.nan), change)


def _pick(function: Callable[[Array, Array], Array]) -> Callable[..., Bounded]:
    """Return the rule of maximum or minimum: |max(a, b) - max(a', b')| <= max(|a - a'|, |b - b'|)."""

    def rule(a: Bounded, b: Bounded) -> Bounded:
        first, second = (a, b) if function is np.maximum else (b, a)  # `first` wins where it is above
        over, under = (
            (p.computed[0] >= q.computed[1]) & (p.exact[0] >= q.exact[1]) for p, q in ((first, second), (second, first))
        )
        error = np.where(over, a.error, np.where(under, b.error, np.maximum(a.error, b.error)))
        multiple = np.where(over, a.multiple, np.where(under, b.multiple, np.nan))
        ends = [tuple(function(u, v) for u, v in zip(p, q)) for p, q in ((a.computed, b.computed), (a.exact, b.exact))]
        return Bounded(a.setting, ends[0], ends[1], error, multiple)  # type: ignore[arg-type]

    return rule


def _where(condition: Condition, a: Bounded, b: Bounded) -> Bounded:
    def choose(if_true: Array, if_false: Array, open_: Array) -> Array:
        return np.where(condition.true, if_true, np.where(condition.false, if_false, open_))

    def ends(p: Interval, q: Interval) -> Interval:
        both = hull(p, q)
        return choose(p[0], q[0], both[0]), choose(p[1], q[1], both[1])

    error = choose(a.error, b.error, np.maximum(a.error, b.error))
    multiple = choose(a.multiple, b.multiple, np.where(a.multiple == b.multiple, a.multiple, np.nan))
    return Bounded(a.setting, ends(a.computed, b.computed), ends(a.exact, b.exact), error, multiple)


def _less(a: Bounded, b: Bounded) -> Condition:
    return Condition(a.computed[1] < b.computed[0], a.computed[0] >= b.computed[1])


def _less_equal(a: Bounded, b: Bounded) -> Condition:
    return Condition(a.computed[1] <= b.computed[0], a.computed[0] > b.computed[1])


def _equal(a: Bounded, b: Bounded) -> Condition:
    same = (a.computed[0] == b.computed[1]) & (a.computed[1] == b.computed[0])
    return Condition(same, (a.computed[1] < b.computed[0]) | (a.computed[0] > b.computed[1]))


RULES.update(
    {
        "negative": _negative,
        "add": _sum(intervals.add, 1.0),
        "subtract": _sum(intervals.subtract, -1.0),
        "multiply": _multiply,
        "divide": _divide,
        "abs": _abs,
        "sign": _sign,
        "maximum": _pick(np.maximum),
        "minimum": _pick(np.minimum),
        "where": _where,
        "less": _less,
        "less_equal": _less_equal,
        "greater": lambda a, b: _less(b, a),
        "greater_equal": lambda a, b: _less_equal(b, a),
        "equal": _equal,
        "exp": _function("exp", np.exp, lambda a: np.exp(a[1]), -np.inf, below_1=lambda a: a[1] < 0),
        "log": _function("log", np.log, lambda a: _over(a[0]), 0.0),
        "log1p": _function("log1p", np.log1p, lambda a: _over(1 + a[0]), -1.0),
        "expm1": _function("expm1", np.expm1, lambda a: np.exp(a[1]), -np.inf),
        "tanh": _function(
            "tanh", np.tanh, lambda a: 1 / np.cosh(mignitude(a)) ** 2, -np.inf, below_1=lambda a: np.isfinite(a[0])
        ),
        "sqrt": _function("sqrt", np.sqrt, lambda a: _over(2 * np.sqrt(np.maximum(a[0], 0))), 0.0, rounded=True),
        "logaddexp": _logaddexp,
    }
)
