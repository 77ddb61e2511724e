"""The fast reference: exact values of whole arrays in a wide format, audited against mpmath.

| working formats | wide format      | relative error bound | as half ulps | its functions err by at most |
| up to 32 bits   | float64          | 2^-48                | 32           | 2 ulp                        |
| float64         | quad (113 bits)  | 2^-107               | 64           | 1 ulp                        |

+ - x / and sqrt are correctly rounded and cost half an ulp, u; a function costs what is assumed of it; an
operand's error counts by the condition of the operation in it.  The sum is largest for focal_grad: 29.9 u with
functions of 2 ulp, 20.0 u with 1 ulp (tests/test_fast_bound.py counts every problem's own form, operation by
operation).  With functions of 4 ulp, NumPy's stated limit, three problems would exceed 32 u: 2 ulp is a premise,
and not NumPy's promise.  The worst that is known of NumPy's float64 functions here is 1.1994 ulp (tanh); SLEEF
states 1 ulp.  Because these are premises, every sweep audits the bound against mpmath and stops where it fails.

A value of the working format is at most 2^p ulp of it, so the bound is 2^-24 ulp at most in formats of up to
32 bits and 2^-54 ulp in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.distinct import distinct
from harness.numbers.formats import Format
from harness.numbers.wide import (
    FLOAT64,
    exact_mpf,
    exponents,
    high_and_low,
    huge,
    near_power,
    power_of_two_below,
    power_two,
    quad,
    tiny,
    ulp_of,
    wide_dtype,
    widened,
)
from harness.problems import Problem
from harness.truth.certified import side, truth

Array = np.ndarray

BOUND_BITS = {True: 48, False: 107}
# ASSUME: what the wide format's functions err by at most, in ulps: float64 and quad.
FUNCTION_ULP = {True: 2, False: 1}


def bound(fmt: Format, problem: Problem | None = None) -> float:
    """Return the stated relative error bound of the fast reference for a working format, of a problem whose own is weaker."""
    return 2.0 ** -bound_bits(wide_dtype(fmt), problem)


def bound_bits(wide: np.dtype, problem: Problem | None) -> int:
    """Return the bits of the stated bound in a wide format, less those that the problem's fast form loses."""
    return BOUND_BITS[wide == FLOAT64] - (problem.lost_bits if problem else 0)


class AuditFailure(RuntimeError):
    """The fast reference broke its stated bound: no figure of the sweep can be trusted."""


@dataclass(frozen=True)
class Reference:
    """Hold exact values with what the error measures need of them; all arrays of one shape.

    `value` is in the wide format.  The rest is float64: `high` is the value rounded, `low` what
    that left out, in ulps (None where the wide format is float64), `ulp` = ulp(value) in the
    working format, `scales` two powers of two of about one size, whose product is 1 / ulp(value)
    (one alone could overflow), `ulp_per_value` = ulp / |value|, `most_...` the maximum of
    each row, shape (T,), and `rounded` the value rounded to nearest even
    into the working format, with overflow as infinity.  `rounded_working` is that in the
    working format itself.  `parts`, where the values are unbounded, gives the value as exact parts and a rest, see
    Problem.split.
    """

    value: Array
    high: Array
    low: Array | None
    ulp: Array
    scales: tuple[Array, ...]
    ulp_per_value: Array
    most_ulp_per_value: Array
    most_ulp: Array
    rounded: Array
    rounded_working: Array
    parts: Callable[[], tuple[Array, Array, Array]] | None = None

    @cached_property
    def beyond_high(self) -> Array:
        """Return what `high` leaves out of the value, float64: to twice the wide precision where there are parts."""
        if self.parts is None:
            return np.zeros_like(self.high) if self.low is None else self.low * self.ulp
        first, second, rest = self.parts()
        left = (first - self.high.astype(first.dtype)) + (second + rest)
        return np.where(np.isfinite(self.high), left.astype(np.float64), 0.0)


def evaluate(problem: Problem, fmt: Format, x: Array, y: Array | None = None) -> Reference:
    """Return the exact values at inputs x of shape (1, n) and targets y of shape (T, 1).

    What the bound leaves open at a point is decided by mpmath: on which side of a power of two the
    value lies, where its ulp changes, and how it rounds.
    """
    wide = wide_dtype(fmt)
    inputs = [widened(a, wide) for a in (x, y) if a is not None]
    value = problem.fast(*inputs)
    settle = partial(_settle, problem, inputs, value)
    ulp = ulp_of(value, fmt)  # a pole, which has no error, gets some finite ulp
    open_ = near_power(value, bound_bits(wide, problem))
    if open_.any():
        open_ &= (abs(value) > 1.5 * power_two(fmt.emin, wide)) & (abs(value) < huge(wide))
        if problem.exact_parts is not None and open_.any():
            _ulps_by_parts(problem, fmt, inputs, value, ulp, open_)
        settle(ulp, open_, partial(_ulp_at, problem, fmt, value))
    high, low, ulp64, scales = _split(value, ulp)
    rounded, distance = _nearest(fmt, value, ulp) if low is None else _nearest_float64(high, low, ulp64)
    # |value| <= 2^p ulp: nearer than this to a midpoint, the bound leaves the rounding open.
    distance -= 0.5
    open_ = np.abs(distance, out=distance) <= 2.0 ** (fmt.precision + 1) * bound(fmt, problem)
    if problem.exact_parts is not None and open_.any():
        _rounded_by_parts(problem, fmt, inputs, value, ulp, rounded, open_)
    settle(rounded, open_, partial(_rounded_at, problem, fmt, value, ulp))
    ratio = ulp / np.maximum(abs(value), tiny(wide)) if low is None else _ulp_per_value(high, low, scales)
    return Reference(
        value, high, low, ulp64, scales, ratio, ratio.max(axis=1), ulp64.max(axis=1), rounded,
        rounded.astype(fmt.dtype), partial(problem.split, *inputs) if problem.split else None,
    )  # fmt: skip


def _nearest(fmt: Format, value: Array, ulp: Array) -> tuple[Array, Array]:
    """Round to the working format, held in float64; return that and the distance from it, in ulps."""
    in_ulps = value / ulp
    nearest = np.rint(in_ulps)
    return _overflow(fmt, nearest * ulp), abs(in_ulps - nearest)


def _nearest_float64(high: Array, low: Array, ulp: Array) -> tuple[Array, Array]:
    """Do the same where the working format is float64: `high` is at most an ulp off, where it is subnormal."""
    distance = abs(low)
    return high + np.where(distance > 0.5, np.copysign(ulp, low), 0), distance


def _sides_by_parts(
    problem: Problem, inputs: list[Array], at: tuple[Array, ...], boundary: Array
) -> tuple[Array, Array]:
    """Return where the value is above a boundary at points, and where an exact part and the rest beside it tell.

    3 x, of an x of 24 bits, is half-way between two numbers of 24 bits for every fourth x: what is beside it decides.
    """
    assert problem.exact_parts is not None
    first, second, rest, known = _parts_at(problem.exact_parts, inputs, at)
    off = (first - boundary) + second  # the first difference is exact, the two being close
    apart = off + rest
    clear = known & (abs(apart) > (abs(off) + abs(rest)) * 2.0**-18)
    return apart > 0, clear & (abs(first) <= huge(first.dtype) * 2.0**-80)


def _parts_at(exact_parts: Callable[..., tuple[Array, ...]], inputs: list[Array], at: tuple[Array, ...]) -> list[Array]:
    """Return the parts at points (rows, columns) alone, a row at a time: they are few beside all of a block."""
    rows, columns = at
    found: list[Array] = []
    for row in distinct(rows):
        here = np.flatnonzero(rows == row)
        of_row = [a[row % len(a)] for a in inputs]
        given = [(a if len(a) == 1 else a[columns[here]])[None, :] for a in of_row]
        parts = exact_parts(*given)
        found = found or [np.empty(len(rows), v.dtype) for v in parts]
        for whole, part in zip(found, parts):
            whole[here] = part
    return found


def _rounded_by_parts(
    problem: Problem, fmt: Format, inputs: list[Array], value: Array, ulp: Array, rounded: Array, open_: Array
) -> None:
    """Round in place what parts decide, and leave the rest open."""
    at = np.nonzero(open_)
    unit, low = ulp[at], np.floor(value[at] / ulp[at])
    above, clear = _sides_by_parts(problem, inputs, at, (low + 0.5) * unit)
    chosen = tuple(a[clear] for a in at)
    rounded[chosen] = _overflow(fmt, ((low + above) * unit)[clear].astype(np.float64))
    open_[chosen] = False


def _ulps_by_parts(problem: Problem, fmt: Format, inputs: list[Array], value: Array, ulp: Array, open_: Array) -> None:
    """Put in place the ulps, next to a power of two, that parts decide, and leave the rest open."""
    at = np.nonzero(open_)
    near = value[at]
    power = power_of_two_below(1.25 * abs(near))
    above, clear = _sides_by_parts(problem, inputs, at, np.copysign(power, near))
    inside = above == np.signbit(near)  # nearer to 0 than the power of two
    chosen = tuple(a[clear] for a in at)
    ulp[chosen] = (np.where(inside, power / 2, power) * power_two(1 - fmt.precision, value.dtype))[clear]
    open_[chosen] = False


Decide = Callable[[tuple[mpmath.mpf, ...], int, int], object]


def _settle(problem: Problem, inputs: list[Array], value: Array, settled: Array, open_: Array, decide: Decide) -> None:
    """Put in place, at open points, what `decide` says of a point at row t and column n."""
    (x,), *targets = inputs
    alone = any(y.shape[1] > 1 for y in targets)  # they vary too
    for t in np.flatnonzero(open_.any(axis=1)):

        def at(n: int, t: int = int(t)) -> object:
            point = tuple(exact_mpf(a[t % a.shape[0], n % a.shape[1]]) for a in inputs)
            return decide(point, t, n)

        columns = np.flatnonzero(open_[t])
        together = np.full(len(columns), False) if alone else abs(x[columns]) >= problem.monotone_beyond
        for run in [*_runs(columns[together], x, value[t]), *columns[~together, None]]:
            _settle_run(settled[t], run, at)


def _runs(columns: Array, x: Array, value: Array) -> list[Array]:
    """Divide columns into runs of equal wide value and of inputs of one sign, each in the order of its inputs.

    Where a monotone function lies on one side of a number at both ends of a run, it does so between.  One that is
    monotone on either side of 0 may turn there.
    """
    columns = columns[np.argsort(x[columns], kind="stable")]
    ends = (np.diff(value[columns]) != 0) | np.diff(np.signbit(x[columns]))
    return np.split(columns, np.flatnonzero(ends) + 1) if columns.size else []


def _settle_run(settled: Array, run: Array, at: Callable[[int], object]) -> None:
    """Settle a run in place: where both ends are alike all are, else each half by itself."""
    first = at(int(run[0]))
    if len(run) == 1 or first == at(int(run[-1])):
        settled[run] = first
        return
    for half in np.array_split(run, 2):
        _settle_run(settled, half, at)


def _ulp_at(problem: Problem, fmt: Format, value: Array, point: tuple[mpmath.mpf, ...], t: int, n: int) -> object:
    """Return the ulp of an exact value next to a power of two, below which it is halved."""
    near = value[t, n]
    (power,) = power_of_two_below(1.25 * abs(value[t, n, None]))
    inside = side(problem, point, exact_mpf(np.copysign(power, near))) == -np.sign(near)  # nearer to 0
    return (power / 2 if inside else power) * power_two(1 - fmt.precision, value.dtype)


def _rounded_at(
    problem: Problem, fmt: Format, value: Array, ulps: Array, point: tuple[mpmath.mpf, ...], t: int, n: int
) -> float:
    """Return which neighbour of a midpoint mpmath finds nearest to the exact value."""
    ulp = ulps[t, n]
    low = np.floor(value[t, n] / ulp)
    which = side(problem, point, exact_mpf((low + 0.5) * ulp))
    even = low if float(low) % 2 == 0 else low + 1
    return float(_overflow(fmt, np.asarray(float((even, low + 1, low)[which] * ulp))))


def _split(value: Array, ulp: Array) -> tuple[Array, Array | None, Array, tuple[Array, ...]]:
    """Return high, low, ulp and scales; see Reference."""
    if value.dtype == FLOAT64:
        return value, None, ulp, (1 / ulp,)
    high, low = high_and_low(value, ulp)
    exponent = np.minimum(exponents(ulp), 1023)
    half = exponent // 2
    scales = np.ldexp(1.0, -half), np.ldexp(1.0, half - exponent)
    return high, low, np.ldexp(1.0, exponent), scales


def _ulp_per_value(high: Array, low: Array, scales: tuple[Array, ...]) -> Array:
    """Return ulp / |value| from the parts of quad values; those of 0 and of a pole are finite too."""
    in_ulps = abs(high * scales[0] * scales[1] + low)  # the products are exact
    least = float(tiny(quad()) / power_two(-1074, quad()))
    return 1 / np.clip(in_ulps, least, 2.0**53)


def _overflow(fmt: Format, rounded: Array) -> Array:
    """Turn values beyond the largest finite number into infinities."""
    beyond = abs(rounded) > fmt.max
    return np.where(beyond, np.copysign(np.inf, rounded), rounded) if beyond.any() else rounded


def audit(problem: Problem, fmt: Format, x: Array, y: Array | None = None) -> float:
    """Measure the fast reference against mpmath; return log2 of the largest relative error.

    x has shape (n,), y shape (T,) or None.  Values that the wide format replaces by `tiny` or
    `huge` must truly lie beyond them.  Raises AuditFailure, naming the worst input, where the
    stated bound does not hold.
    """
    wide = wide_dtype(fmt)
    columns = [a.astype(wide) for a in ((x[None, :],) if y is None else (x[None, :], y[:, None]))]
    value = problem.fast(*columns)
    bits, worst, worst_at = bound_bits(wide, problem) + 40, mp.mpf(0), None
    for index in np.ndindex(value.shape):
        point = tuple(exact_mpf(np.broadcast_to(a, value.shape)[index]) for a in columns)
        error = _relative_error(problem, point, value[index], bits, wide)
        if not error <= worst:
            worst, worst_at = error, point
    if not worst <= bound(fmt, problem):
        at = ", ".join(mpmath.nstr(v, 20) for v in worst_at or ())
        raise AuditFailure(
            f"the fast reference of {problem.name} in {fmt.name} is off by 2^{float(mp.log(worst, 2)):.1f} "
            f"relative at ({at}); its stated bound is 2^-{bits - 40}"
        )
    return float(mp.log(worst, 2)) if worst else float("-inf")


def _relative_error(problem: Problem, point: tuple, fast: object, bits: int, wide: np.dtype) -> mpmath.mpf:
    exact = truth(problem, point, bits)
    if not np.isfinite(fast):  # type: ignore[call-overload]
        return mp.mpf(0) if exact == float(fast) else mp.inf  # type: ignore[arg-type]
    approximate = exact_mpf(fast)
    least, most = exact_mpf(tiny(wide)), exact_mpf(huge(wide))
    if abs(approximate) == least:
        return mp.mpf(0) if 0 < abs(exact) <= least else mp.inf
    if abs(approximate) == most:
        return mp.mpf(0) if abs(exact) >= most else mp.inf
    if exact == approximate:
        return mp.mpf(0)
    with mp.workprec(bits):
        return abs(approximate - exact) / abs(exact) if exact else mp.inf
