"""An exact function of one's own, run in ball arithmetic: its own mpmath source, with balls in mpmath's place.

A ball is a midpoint and a radius that holds every rounding by proof (Arb, from python-flint).  `in_balls` gives a function
that is written in mpmath a twin whose `mp`, `mpmath` and the functions imported from it are those of balls; nothing
of the function itself is changed.  What a ball does not settle, such as a branch on a value whose sign is open, raises
Unclear, and is asked again with more bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any

import mpmath
from mpmath import mp

from harness import UsageError

Arb = Any  # flint.arb, which has no types
# Functions by mpmath's names that Arb has by another, or as a method of the same name.
METHODS = (
    "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "asinh",
    "acosh", "atanh", "gamma", "rgamma", "digamma", "erf", "erfc", "zeta", "sec", "csc", "cot", "coth", "lambertw", "ei", "li",
    "floor", "ceil",
)  # fmt: skip
RENAMED = {"ln": "log", "loggamma": "lgamma", "psi0": "digamma", "factorial": "fac"}
CONSTANTS = {"pi": "pi", "e": "const_e", "euler": "const_euler", "ln2": "const_log2", "ln10": "const_log10"}
INFINITE = {"inf": math.inf, "ninf": -math.inf, "nan": math.nan}
# mpmath's functions by themselves, of which many do not know their name.
IMPORTABLE = {v: n for n, v in vars(mpmath).items() if isinstance(v, (FunctionType, MethodType))}


class Unclear(ArithmeticError):
    """What a ball leaves open at its width: the sign of a value that a branch asks for, or a value itself."""


class Ball:
    """Hold a number of Arb and compute with it as mpmath's numbers do; a comparison that is not certain raises Unclear."""

    __slots__ = ("arb",)

    def __init__(self, number: Arb):
        self.arb = number

    def __add__(self, other: Any) -> Ball:
        return Ball(self.arb + exact_arb(other))

    def __radd__(self, other: Any) -> Ball:
        return Ball(exact_arb(other) + self.arb)

    def __sub__(self, other: Any) -> Ball:
        return Ball(self.arb - exact_arb(other))

    def __rsub__(self, other: Any) -> Ball:
        return Ball(exact_arb(other) - self.arb)

    def __mul__(self, other: Any) -> Ball:
        return Ball(self.arb * exact_arb(other))

    def __rmul__(self, other: Any) -> Ball:
        return Ball(exact_arb(other) * self.arb)

    def __truediv__(self, other: Any) -> Ball:
        return Ball(self.arb / exact_arb(other))

    def __rtruediv__(self, other: Any) -> Ball:
        return Ball(exact_arb(other) / self.arb)

    def __pow__(self, other: Any) -> Ball:
        return Ball(self.arb**other) if isinstance(other, int) else Ball(self.arb ** exact_arb(other))

    def __rpow__(self, other: Any) -> Ball:
        return Ball(exact_arb(other) ** self.arb)

    def __neg__(self) -> Ball:
        return Ball(-self.arb)

    def __pos__(self) -> Ball:
        return self

    def __abs__(self) -> Ball:
        return Ball(abs(self.arb))

    def __lt__(self, other: Any) -> bool:
        return _less(self.arb, exact_arb(other))

    def __gt__(self, other: Any) -> bool:
        return _less(exact_arb(other), self.arb)

    def __le__(self, other: Any) -> bool:
        return not _less(exact_arb(other), self.arb)

    def __ge__(self, other: Any) -> bool:
        return not _less(self.arb, exact_arb(other))

    def __eq__(self, other: object) -> bool:
        number = exact_arb(other)
        if self.arb == number:
            return True
        if self.arb.overlaps(number):
            raise Unclear("two balls overlap")
        return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return self != 0


def _less(a: Arb, b: Arb) -> bool:
    if a < b:
        return True
    if a >= b:
        return False
    raise Unclear("two balls overlap")


def exact_arb(value: Any) -> Arb:
    """Return a ball of a number: of a text the decimal's, of any other number its own, exactly."""
    from flint import arb, fmpq

    if isinstance(value, Ball):
        return value.arb
    if isinstance(value, str):
        return arb(value)
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    if isinstance(value, mpmath.mp.constant):
        return _constant(value)
    if isinstance(value, (int, float, mpmath.mpf)):
        return arb(value)
    raise TypeError(f"{type(value).__name__} is no number that a ball can be computed with")


def _constant(value: Any) -> Arb:
    from flint import arb

    name = next((n for n in CONSTANTS if getattr(mp, n) is value), None)
    if name is None:
        raise UsageError(f"Arb has no constant mp.{value.name}; known: {', '.join(CONSTANTS)}")
    return getattr(arb, CONSTANTS[name])()


class BallFunctions:
    """Stand for mpmath, or for `mp`: its functions of balls, by its names; UsageError for one that is not known here."""

    def __getattr__(self, name: str) -> Any:
        if name in CONSTANTS:
            return Ball(_constant(getattr(mp, name)))
        if name in INFINITE:  # a pole, of which a ball says nothing
            return Ball(exact_arb(INFINITE[name]))
        if name == "mp":
            return self
        method = RENAMED.get(name, name)
        if name in OTHERS:
            return OTHERS[name]
        if method in METHODS or name in RENAMED:
            return lambda value: Ball(getattr(exact_arb(value), method)())
        raise UsageError(
            f"Arb's proof of an exact function knows no mp.{name}; known: {', '.join(sorted([*METHODS, *RENAMED, *OTHERS]))}"
        )


def _sum(values: Any) -> Ball:
    total = Ball(exact_arb(0))
    for value in values:
        total = total + value
    return total


OTHERS: dict[str, Callable[..., Any]] = {
    "mpf": lambda value: Ball(exact_arb(value)),
    "mpmathify": lambda value: Ball(exact_arb(value)),
    "convert": lambda value: Ball(exact_arb(value)),
    "fabs": lambda value: abs(Ball(exact_arb(value))),
    "fsum": _sum,
    "power": lambda a, b: Ball(exact_arb(a)) ** b,
    "sign": lambda value: Ball(exact_arb((Ball(exact_arb(value)) > 0) - (Ball(exact_arb(value)) < 0))),
    "hypot": lambda a, b: (Ball(exact_arb(a)) ** 2 + Ball(exact_arb(b)) ** 2).__pow__(Fraction(1, 2)),
    "log2": lambda value: Ball(exact_arb(value).log() / exact_arb(2).log()),
    "log10": lambda value: Ball(exact_arb(value).log() / exact_arb(10).log()),
    "fadd": lambda a, b, **_: Ball(exact_arb(a)) + b,
    "fsub": lambda a, b, **_: Ball(exact_arb(a)) - b,
    "fmul": lambda a, b, **_: Ball(exact_arb(a)) * b,
    "fdiv": lambda a, b, **_: Ball(exact_arb(a)) / b,
    "ldexp": lambda a, n: Ball(exact_arb(a)) * (Ball(exact_arb(2)) ** n),
}

# -- a function's twin ---------------------------------------------------------------------------------


def in_balls(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of balls with the code of one that is written in mpmath.

    Wherever the function, those of its own module that it calls, and what they close over name mpmath, `mp`, or a
    function or constant imported from it, the twin has that of balls.  UsageError, when the twin is called, for
    a function of mpmath that Arb has not.
    """
    return Twins().of(function)


class Twins:
    """Make the twins of a function and of those that it calls, each once."""

    def __init__(self) -> None:
        self.names: dict[int, dict[str, Any]] = {}  # by the identity of a module's own names

    def of(self, value: Any) -> Any:
        """Return what stands for a value in ball arithmetic; whatever has nothing to do with mpmath is itself."""
        if value is mpmath or value is mp:
            return BallFunctions()
        if isinstance(value, (FunctionType, MethodType)) and value in IMPORTABLE:  # `from mpmath import exp`
            return getattr(BallFunctions(), IMPORTABLE[value])
        if isinstance(value, mp.constant):
            return Ball(_constant(value))
        if isinstance(value, partial):
            return partial(self.of(value.func), *value.args, **value.keywords)
        if isinstance(value, FunctionType) and not value.__module__.startswith("mpmath"):
            return self._function(value)
        return value

    def _function(self, function: FunctionType) -> FunctionType:
        cells = tuple(CellType(self.of(c.cell_contents)) for c in function.__closure__ or ()) or None
        names = self._names(function.__globals__)
        twin = FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
        twin.__kwdefaults__ = function.__kwdefaults__
        return twin

    def _names(self, own: dict[str, Any]) -> dict[str, Any]:
        """Return a module's names with their twins; its own functions refer to these."""
        if id(own) not in self.names:
            twins = self.names[id(own)] = dict(own)
            for name, value in own.items():
                if not isinstance(value, FunctionType) or value.__globals__ is own or value in IMPORTABLE:
                    twins[name] = self.of(value)
        return self.names[id(own)]
