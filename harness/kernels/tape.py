"""Differentiate a kernel as written: a small reverse-mode tape over any array namespace.

The tape runs a kernel's own source, in the working format, and applies to each operation the
rule that frameworks use.  Dead zones, overflow and 0 * inf = NaN come out as autodiff gives
them.  Ties of maximum and minimum share the gradient, as in JAX; |x| has slope sign(x).
Everything is element by element, so adjoints keep their broadcast shape.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from harness.kernels.registry import Array, like

Pullback = Callable[[Array], Array]


class Traced:
    """Hold an array, and how its adjoint flows back to the arrays that it was made from."""

    __array_priority__ = 1000
    __array_ufunc__ = None  # NumPy arrays on the left give way to our operators

    def __init__(self, value: Array, parents: list[tuple[Traced, Pullback]], tape: list[Traced]):
        self.value, self.parents, self.tape = value, parents, tape
        tape.append(self)

    @property
    def dtype(self):  # type: ignore[no-untyped-def]
        return self.value.dtype

    def __array_namespace__(self) -> _TracedNamespace:
        return _TracedNamespace(self.value.__array_namespace__(), self.tape)

    def _make(self, value: Array, *parents: tuple[Array, Pullback]) -> Traced:
        return Traced(value, [(p, f) for p, f in parents if isinstance(p, Traced)], self.tape)

    def __neg__(self):  # type: ignore[no-untyped-def]
        return self._make(-self.value, (self, lambda g: -g))

    def __add__(self, other):  # type: ignore[no-untyped-def]
        return self._make(self.value + plain(other), (self, lambda g: g), (other, lambda g: g))

    __radd__ = __add__

    def __sub__(self, other):  # type: ignore[no-untyped-def]
        return self._make(self.value - plain(other), (self, lambda g: g), (other, lambda g: -g))

    def __rsub__(self, other):  # type: ignore[no-untyped-def]
        return self._make(plain(other) - self.value, (self, lambda g: -g))

    def __mul__(self, other):  # type: ignore[no-untyped-def]
        a, b = self.value, plain(other)
        return self._make(a * b, (self, lambda g: g * b), (other, lambda g: g * a))

    __rmul__ = __mul__

    def __truediv__(self, other):  # type: ignore[no-untyped-def]
        return self._divide(self, other)

    def __rtruediv__(self, other):  # type: ignore[no-untyped-def]
        return self._divide(other, self)

    def _divide(self, top: Array, bottom: Array) -> Traced:
        a, b = plain(top), plain(bottom)
        return self._make(a / b, (top, lambda g: g / b), (bottom, lambda g: -g * ((a / b) / b)))

    def __lt__(self, other):  # type: ignore[no-untyped-def]
        return self.value < plain(other)

    def __le__(self, other):  # type: ignore[no-untyped-def]
        return self.value <= plain(other)

    def __gt__(self, other):  # type: ignore[no-untyped-def]
        return self.value > plain(other)

    def __ge__(self, other):  # type: ignore[no-untyped-def]
        return self.value >= plain(other)

    def __eq__(self, other):  # type: ignore[no-untyped-def]
        return self.value == plain(other)

    __hash__ = object.__hash__


def plain(x: Array) -> Array:
    """Return the array without its trace."""
    return x.value if isinstance(x, Traced) else x


class _TracedNamespace:
    """Give the array functions that kernels use, each with its pullback."""

    def __init__(self, xp: Array, tape: list[Traced]):
        self.xp, self.tape = xp, tape

    def asarray(self, value: Array) -> Array:
        return self.xp.asarray(value)

    def _unary(self, x: Array, value: Array, pullback: Pullback) -> Array:
        return Traced(value, [(x, pullback)], self.tape) if isinstance(x, Traced) else value

    def exp(self, x: Array) -> Array:
        e = self.xp.exp(plain(x))
        return self._unary(x, e, lambda g: g * e)

    def log(self, x: Array) -> Array:
        a = plain(x)
        return self._unary(x, self.xp.log(a), lambda g: g / a)

    def log1p(self, x: Array) -> Array:
        a = plain(x)
        return self._unary(x, self.xp.log1p(a), lambda g: g / (like(1, a) + a))

    def expm1(self, x: Array) -> Array:
        e = self.xp.expm1(plain(x))
        return self._unary(x, e, lambda g: g * (e + like(1, e)))

    def sqrt(self, x: Array) -> Array:
        r = self.xp.sqrt(plain(x))
        return self._unary(x, r, lambda g: g / (like(2, r) * r))

    def tanh(self, x: Array) -> Array:
        t = self.xp.tanh(plain(x))
        return self._unary(x, t, lambda g: g * (like(1, t) - t * t))

    def abs(self, x: Array) -> Array:
        a = plain(x)
        return self._unary(x, self.xp.abs(a), lambda g: g * self.xp.sign(a))

    def maximum(self, x: Array, y: Array) -> Array:
        return self._choose(x, y, self.xp.maximum, lambda a, b: a > b)

    def minimum(self, x: Array, y: Array) -> Array:
        return self._choose(x, y, self.xp.minimum, lambda a, b: a < b)

    def _choose(self, x: Array, y: Array, pick: Array, wins: Array) -> Array:
        a, b = plain(x), plain(y)
        zero, half, one = like(0, a), like("0.5", a), like(1, a)

        def share(first: Array, second: Array) -> Array:
            weight = self.xp.where(wins(first, second), one, self.xp.where(first == second, half, zero))
            return lambda g: g * weight

        value = pick(a, b)
        parents = [(p, f) for p, f in ((x, share(a, b)), (y, share(b, a))) if isinstance(p, Traced)]
        return Traced(value, parents, self.tape) if parents else value

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        a, b = plain(x), plain(y)
        value, zero = self.xp.where(condition, a, b), like(0, a)
        branches = (
            (x, lambda g: self.xp.where(condition, g, zero)),
            (y, lambda g: self.xp.where(condition, zero, g)),
        )
        parents = [(p, f) for p, f in branches if isinstance(p, Traced)]
        return Traced(value, parents, self.tape) if parents else value

    def logaddexp(self, x: Array, y: Array) -> Array:
        a, b, exp = plain(x), plain(y), self.xp.exp
        value = self.xp.logaddexp(a, b)
        one = like(1, value)
        branches = (
            (x, lambda g: g / (one + exp(b - a))),
            (y, lambda g: g / (one + exp(a - b))),
        )
        parents = [(p, f) for p, f in branches if isinstance(p, Traced)]
        return Traced(value, parents, self.tape) if parents else value


def gradient(function: Callable[..., Array]) -> Callable[..., Array]:
    """Return the derivative of `function` with respect to its first argument, as autodiff gives it."""

    @wraps(function)
    def differentiated(x: Array, *rest: Array, **constants: Array) -> Array:
        tape: list[Traced] = []
        traced = Traced(x, [], tape)
        result = function(traced, *rest, **constants)
        if not isinstance(result, Traced):  # no path from the input: the derivative is 0
            return result - result
        adjoints: dict[int, Array] = {id(result): like(1, x)}
        for node in reversed(tape):
            g = adjoints.pop(id(node), None) if node is not traced else None
            if g is None:
                continue
            for parent, pullback in node.parents:
                part = pullback(g)
                key = id(parent)
                adjoints[key] = adjoints[key] + part if key in adjoints else part
        return adjoints[id(traced)]

    return differentiated
