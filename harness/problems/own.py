"""Exact functions of one's own: `harness.problem` declares one in mpmath, with its domain.

Such a function is written once, for mpmath, as its formula reads.  It is certified at every value: Arb runs the same
source in ball arithmetic (see balls.py), whose radius proves how far the value may be off, and mpmath at two
precisions must agree with it and with itself; the precision doubles until all three do.  So cancellation, however
bad, costs time and not truth; a value that stays open is refused in one sentence.

Where a function comes nearer and nearer to a line, as softplus(x) does to x, no precision tells it from the line in the
end.  It then returns a pair, the line and the rest: (max(x, 0), log1p(exp(-|x|))).
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import mpmath
import numpy as np
from mpmath import libmp, mp

from harness import UsageError
from harness.numbers.formats import parse_exact
from harness.numbers.wide import FLOAT64, exact_mpf, from_mpf, huge, power_two, tiny
from harness.problems.balls import Arb, Ball, Unclear, exact_arb, in_balls
from harness.problems.problem import OWN, PROBLEMS, WEIGHTED, Array, Problem, Terms, gradient_of
from harness.problems.weights import AND, MARK, decimal_text

# Beyond so many bits a value stays open.
MOST_BITS = 1 << 15
# What `fast` is good to, beyond what its wide format is asked for: 2^-48 and 2^-107 (truth/fast.py).
EXACT_BITS = 256  # values that need more for being exact are left to Ziv's loop
FAST_BITS = {True: 64, False: 124}
INPUTS = ("input", "logit", "probability")
# Where a declared gradient is compared with a quotient of differences, and how finely.
SHARES = (0.137, 0.391, 0.613, 0.871)  # of the way through the domain, or through NEAR on both sides of its centre
NEAR, SOME = 8.0, 3
QUOTIENT_BITS, STEP_BITS = 200, 50

CONVERTS = (
    "must compute with mpmath's functions of its argument as it is, and not convert it by float() or another library"
)

Exact = Callable[..., Any]


class Pole(Unclear):
    """A division by 0 on the way to a value."""


@dataclass(frozen=True)
class ExactFunction:
    """Hold a function written in mpmath, its twin in balls, its parameters, and the name that sentences have."""

    name: str
    function: Exact
    twin: Exact
    parameters: tuple[tuple[str, Fraction], ...]

    def balls(self, point: Sequence[Any], bits: int) -> tuple[Arb, Arb]:
        """Return balls of the line and of the rest at exact inputs, of a single value 0 and itself.

        Unclear where they are not finite or a branch is open.
        """
        from flint import arb, ctx

        with ctx.workprec(bits):
            given = {name: Ball(exact_arb(v)) for name, v in self.parameters}
            found = self._called(self.twin, [Ball(exact_arb(v)) for v in point], given)
            line, rest = found if isinstance(found, tuple) and len(found) == 2 else (0, found)
            balls = exact_arb(line), exact_arb(rest)
        if not all(isinstance(b, arb) and b.is_finite() for b in balls):
            raise Unclear("a ball is not finite")
        return balls

    def value(self, point: Sequence[Any], bits: int) -> tuple[Any, Any]:
        """Return the line and the rest by mpmath at a working precision."""
        with mp.workprec(bits):
            given = {name: _mpf(v) for name, v in self.parameters}
            found = self._called(self.function, [_mpf(v) for v in point], given)
            line, rest = found if isinstance(found, tuple) and len(found) == 2 else (mp.mpf(0), found)
            return mp.mpf(line), mp.mpf(rest)

    def _called(self, function: Exact, point: Sequence[Any], given: Mapping[str, Any]) -> Any:
        try:
            return function(*point, **given)
        except (Unclear, UsageError):
            raise
        except ZeroDivisionError as e:
            raise Pole(str(e)) from e
        except Exception as e:
            text = " ".join(str(e).split())
            if "Ball" in text:  # of a float(x), or of a function of math or NumPy
                raise UsageError(f"the exact function {self.name} {CONVERTS} ({type(e).__name__}: {text})"[:300]) from e
            raise UsageError(f"the exact function {self.name} raised {type(e).__name__}: {text}"[:300]) from e

    def at(self, point: Sequence[Any]) -> str:
        """Write a point as sentences have it."""
        with mp.workprec(64):
            return ", ".join(mpmath.nstr(_mpf(v), 17) for v in point)


def _mpf(value: Any) -> mpmath.mpf:
    """Return a number in mpmath: an mpf as it is, a rational one rounded to the working precision."""
    if isinstance(value, Fraction):
        return mp.make_mpf(libmp.from_rational(value.numerator, value.denominator, mp.prec, "n"))
    return value


# -- certified values -------------------------------------------------------------------------------------


def certified_terms(exact: ExactFunction, *point: Any) -> Terms:
    """Return the exact line and the rest, good to the working precision; UsageError where it stays open.

    The rest is mpmath's, at a precision at which Arb's ball is as narrow as is asked for and holds it, and mpmath at
    twice the precision agrees.  Infinite where mpmath has a pole.
    """
    if not all(mpmath.isfinite(v) for v in point):
        return mp.mpf(0), [_limit(exact, point)]
    wanted, bits = mp.prec, mp.prec + 32
    while bits <= max(MOST_BITS, 4 * wanted):
        found = _agreed(exact, point, wanted, bits)
        if found is not None:
            return found
        bits *= 2
    pole = _infinity(exact, point)
    if pole is not None:
        return mp.mpf(0), [pole]
    raise UsageError(
        f"the exact function {exact.name} at ({exact.at(point)}) is not certified by {bits // 2} bits: Arb's ball stays "
        "wide or mpmath differs from it; write it without cancellation, or return the pair (line, rest) that it approaches"
    )


def _agreed(exact: ExactFunction, point: Sequence[Any], wanted: int, bits: int) -> Terms | None:
    """Return line and rest where ball, mpmath, and mpmath at twice the bits agree to the bits that are wanted."""
    try:
        line, rest = exact.balls(point, bits)
        if not _narrow(rest, wanted + 4) or not (line.is_exact() or _narrow(line, wanted + 4)):
            return None
        (whole, once), (again, twice) = exact.value(point, bits), exact.value(point, 2 * bits)
    except Unclear:
        return None
    with mp.workprec(2 * bits):
        for a, b, ball in ((whole, again, line), (once, twice, rest)):
            if abs(a - b) > mp.ldexp(abs(b), -wanted - 3) or not _within(a, ball, wanted + 3):
                return None
    if line.is_exact():
        return _exact_mpf(line), [once]
    return mp.mpf(0), [whole, once]


def _narrow(ball: Arb, bits: int) -> bool:
    """Tell whether a ball's radius is at most 2^-bits of its midpoint; an exact 0 is."""
    return bool(ball.is_exact() or ball.rel_accuracy_bits() >= bits)


def _within(value: mpmath.mpf, ball: Arb, bits: int) -> bool:
    """Tell whether a number lies in a ball, or as near to it as 2^-bits of itself."""
    from flint import arb, ctx

    with ctx.workprec(mp.prec + 64):
        return bool(abs(arb(value) - ball).abs_lower() <= abs(arb(value)) * arb(2) ** -bits)


def _exact_mpf(ball: Arb) -> mpmath.mpf:
    """Return the midpoint of a ball as an mpf, exactly."""
    mantissa, exponent = ball.mid().man_exp()
    return mp.make_mpf(libmp.from_man_exp(int(mantissa), int(exponent)))


def _infinity(exact: ExactFunction, point: Sequence[Any]) -> mpmath.mpf | None:
    """Return the infinity that mpmath gives at a pole; None where it gives none, UsageError where it divides by 0."""
    try:
        _, value = exact.value(point, 64)
    except Pole:
        raise UsageError(
            f"the exact function {exact.name} divides by 0 at ({exact.at(point)}): leave that pole out of the domain, or "
            "return mp.inf or -mp.inf there"
        ) from None
    except (Unclear, UsageError):
        return None
    return value if mpmath.isinf(value) else None


def _limit(exact: ExactFunction, point: Sequence[Any]) -> mpmath.mpf:
    """Return what mpmath's own arithmetic makes of an infinite input; NaN where it makes nothing of it."""
    try:
        line, rest = exact.value(point, 64)
    except (Unclear, UsageError):
        return mp.nan
    return line + rest


def exact_value(exact: ExactFunction, *point: Fraction) -> Fraction | None:
    """Return the value at rational inputs where every operation on the way to it is exact in Arb; else None."""
    try:
        line, rest = exact.balls(point, EXACT_BITS)
    except (Unclear, UsageError):
        return None
    if not (line.is_exact() and rest.is_exact()):
        return None
    return sum((Fraction(int(m)) * Fraction(2) ** int(e) for m, e in (line.man_exp(), rest.man_exp())), Fraction(0))


def certified_ends(exact: ExactFunction, point: Sequence[Fraction], bits: int) -> tuple[mpmath.mpf, mpmath.mpf] | None:
    """Return the ends of Arb's ball at rational inputs, taken exactly; None where it is no number."""
    try:
        line, rest = exact.balls(point, bits)
    except Unclear:
        return None
    from flint import ctx

    with ctx.workprec(bits + 64):
        ball = line + rest
        return _exact_mpf(ball.lower()), _exact_mpf(ball.upper())


# -- whole arrays ------------------------------------------------------------------------------------------


def by_balls(exact: ExactFunction, *inputs: Array) -> Array:
    """Return the exact values in a wide format, one by one from Arb's balls, with the stand-ins of all fast forms."""
    wide_dtype = inputs[0].dtype
    shape = np.broadcast_shapes(*(a.shape for a in inputs))
    columns = [np.broadcast_to(a, shape) for a in inputs]
    value = np.empty(shape, wide_dtype)
    for index in np.ndindex(shape):
        value[index] = _in_wide(exact, tuple(exact_mpf(a[index]) for a in columns), wide_dtype)
    return value


def _in_wide(exact: ExactFunction, point: tuple[mpmath.mpf, ...], wide_dtype: np.dtype) -> Any:
    from flint import ctx

    needed = FAST_BITS[wide_dtype == FLOAT64]
    bits = 2 * needed
    while bits <= MOST_BITS:
        try:
            line, rest = exact.balls(point, bits)
        except Unclear:
            bits *= 2
            continue
        with ctx.workprec(bits):
            ball = line + rest
        if _narrow(ball, needed):
            return _held(_exact_mpf(ball), wide_dtype)
        bits *= 2
    pole = _infinity(exact, point)
    if pole is None:
        raise UsageError(f"the exact function {exact.name} at ({exact.at(point)}) is not enclosed by {bits // 2} bits")
    return np.asarray(float(pole)).astype(wide_dtype)[()]


def _held(exact: mpmath.mpf, wide_dtype: np.dtype) -> Any:
    """Return a number in a wide format, stand-ins for those that are too small or too large to matter."""
    if not exact:
        return np.zeros(1).astype(wide_dtype)[0]
    size = mpmath.mag(exact)
    sign = np.asarray(float(mp.sign(exact))).astype(wide_dtype)[()]
    if size <= (-1000 if wide_dtype == FLOAT64 else -1800):
        return sign * tiny(wide_dtype)
    if size > (1000 if wide_dtype == FLOAT64 else 16000):
        return sign * huge(wide_dtype)
    return from_mpf(mp.ldexp(exact, -size), wide_dtype) * power_two(size, wide_dtype)  # type: ignore[operator]


# -- declaring one ------------------------------------------------------------------------------------------


def problem(
    function: Exact | None = None,
    *,
    name: str | None = None,
    domain: tuple[float, float] = (-math.inf, math.inf),
    centre: float | None = None,
    input: str = "input",
    parameters: Mapping[str, Any] | None = None,
    targets: Sequence[float | str] | None = None,
    target_domain: tuple[float, float] = (0.0, 1.0),
    nonnegative: bool = False,
    critical: Sequence[float] = (),
    gradient: Exact | None = None,
    rational: Callable[..., Fraction | int | None] | None = None,
    fast: Callable[..., Array] | None = None,
    formula: str = "",
) -> Any:
    """Declare an exact function written in mpmath as a problem to check losses against; also as a decorator.

    `function` is f(x), or f(x, y) with a target, given mpmath's numbers, and returns a number, or a pair (line, rest)
    whose sum is the value and whose line is exact; further keyword arguments are `parameters`, decimals or hex floats
    taken as written, which the problem's name carries.  `domain` is the closed interval of its inputs, `centre` where the
    safe range starts (by default 0, or the middle or the end of the domain), `input` what they are: logit, probability or
    input.  `targets` are those that a check has by default, within `target_domain`.  `critical` are inputs that every
    grid visits; `nonnegative` says that no value is below 0; `gradient` is the exact derivative in the input, a function of
    the same arguments; `rational` gives the value at rational inputs at which it is a rational number.  `fast` may give
    whole NumPy arrays of values, without cancellation, to 2^-48 in float64 and 2^-107 in quad; it is audited, and without
    it every value is computed by Arb, some 20,000 a second of a short formula.

    Returns the Problem, which `harness.check` takes and `problem_named` finds by its name.  Raises UsageError for a
    domain, parameter or name that cannot be used, and where Arb lacks a function that it needs.
    """
    options = {k: v for k, v in locals().items() if k != "function"}
    if function is None:
        return partial(problem, **options)
    chosen = _parameters(parameters or {})
    text = AND.join(f"{k}={decimal_text(v)}" for k, v in chosen)
    base = str(name or getattr(function, "__name__", ""))
    if not base.replace("_", "a").isalnum():
        raise UsageError(f"{base!r} is no name for a problem: letters, digits and _ alone; give name=")
    own = f"{base}{MARK}{text}" if text else base
    slope = "" if gradient is None else f"{base}_grad{own[len(base) :]}"
    made = _made(function, own, slope, chosen, options)
    if gradient is not None:
        other = {
            **options,
            "critical": [*critical],
            "nonnegative": False,
            "rational": None,
            "fast": None,
            "formula": "",
        }
        declare(_made(gradient, slope, "", chosen, other))
    return declare(made)


def confirm_gradient(declared: Problem) -> None:
    """Raise UsageError where the gradient that is declared is not the derivative, as quotients of differences tell it.

    Certified values at a few inputs near the centre are compared; where a value is none, nothing is.
    """
    slope = gradient_of(declared)
    if slope is None:
        return
    targets = [(parse_exact(t),) for t in (declared.targets or ("0", "1"))[:SOME]] if declared.has_target else [()]
    lo, hi = (max(declared.domain[0], declared.centre - NEAR), min(declared.domain[1], declared.centre + NEAR))
    with mp.workprec(QUOTIENT_BITS):
        step = mp.ldexp(mp.mpf(hi) - mp.mpf(lo), -STEP_BITS)
        for share, target in product(SHARES, targets):
            x, y = mp.mpf(lo) + share * (mp.mpf(hi) - mp.mpf(lo)), [_mpf(v) for v in target]
            try:
                less, more, given = (
                    mp.fsum(_parts(of, v, *y)) for of, v in ((declared, x - step), (declared, x + step), (slope, x))
                )
            except UsageError:
                continue
            seen = (more - less) / (2 * step)
            allowed = mp.ldexp(abs(seen), -30) + mp.ldexp(1 + abs(more), -60)
            if mpmath.isfinite(seen) and not abs(seen - given) <= allowed:
                at = ", ".join(f"{letter} = {mpmath.nstr(v, 6)}" for letter, v in zip(("x", "y"), (x, *y)))
                raise UsageError(
                    f"the gradient declared of {declared.name} is not its derivative: at {at} it is {mpmath.nstr(given, 6)}, "
                    f"and the derivative is {mpmath.nstr(seen, 6)}; correct it, or leave it out"
                )


def _parts(of: Problem, *point: mpmath.mpf) -> list[mpmath.mpf]:
    line, rest = of.terms(*point)
    return [line, *rest]


def _parameters(given: Mapping[str, Any]) -> tuple[tuple[str, Fraction], ...]:
    """Return parameters as exact numbers; a float stands for the shortest decimal that is it."""
    found = []
    for name, value in given.items():
        exact = Fraction(value) if isinstance(value, (int, Fraction)) else parse_exact(str(value))
        decimal_text(exact)
        found.append((name, exact))
    return tuple(found)


def _made(function: Exact, name: str, slope: str, chosen: tuple, options: Mapping[str, Any]) -> Problem:
    lo, hi = options["domain"]
    if not lo < hi or options["input"] not in INPUTS:
        raise UsageError(f"{name}: a domain (lo, hi) with lo < hi is needed, and an input of {', '.join(INPUTS)}")
    exact = ExactFunction(name, function, in_balls(function), chosen)
    has_target = _arity(function, dict(chosen)) == 2
    rational, points = options["rational"], tuple(options["critical"])
    return Problem(
        name, options["input"], has_target, options["formula"] or rf"\text{{{name.replace('_', ' ')}}}",
        domain=(lo, hi), centre=_centre(lo, hi, options["centre"]), nonnegative=options["nonnegative"],
        monotone_beyond=math.inf, terms=partial(certified_terms, exact),
        fast=options["fast"] or partial(by_balls, exact), gradient=slope,
        critical=(lambda fmt: [*points]) if points else None,
        rational=(lambda *point: _fraction(rational(*point))) if rational else partial(exact_value, exact),
        ends=partial(certified_ends, exact),
        targets=tuple(map(str, options["targets"])) if options["targets"] is not None else (),
        target_domain=options["target_domain"],
    )  # fmt: skip


def _fraction(value: Fraction | int | None) -> Fraction | None:
    return None if value is None else Fraction(value)


def _centre(lo: float, hi: float, given: float | None) -> float:
    if given is not None:
        if not lo <= given <= hi:
            raise UsageError(f"the centre {given:g} is outside the domain [{lo:g}, {hi:g}]")
        return float(given)
    if math.isfinite(lo) and math.isfinite(hi):
        return (lo + hi) / 2
    return 0.0 if lo <= 0 <= hi else (lo if math.isfinite(lo) else hi)


def _arity(function: Exact, parameters: Mapping[str, Any]) -> int:
    """Return how many inputs a function takes besides its parameters: 1 or 2; UsageError for another number."""
    free = [
        p for p in inspect.signature(function).parameters.values()
        if p.name not in parameters and p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]  # fmt: skip
    missing = [n for n in parameters if n not in inspect.signature(function).parameters]
    if len(free) not in (1, 2) or missing:
        what = f"has no parameter {missing[0]!r}" if missing else f"takes {len(free)} inputs"
        raise UsageError(f"the exact function {getattr(function, '__name__', 'given')} {what}; it takes x, or x and y")
    return len(free)


def declare(made: Problem) -> Problem:
    """Add a problem of one's own, in the place of an earlier one of the name; UsageError for the name of a built-in one."""
    if made.name in PROBLEMS or made.base in WEIGHTED:
        raise UsageError(f"{made.name} is a built-in problem; give another name")
    if made.name in OWN:
        _forget()
    OWN[made.name] = made
    return made


def _forget() -> None:
    """Empty the harness's caches: values are kept by the problem's name, which now is another function's."""
    for module in [m for n, m in sys.modules.items() if n.startswith("harness.")]:
        for value in list(vars(module).values()):
            if hasattr(value, "cache_clear"):
                value.cache_clear()
