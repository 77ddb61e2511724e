"""Differentiate a kernel as written: a small reverse-mode tape over any array namespace.

The tape runs a kernel's own source, in the working format, and applies to each operation the
rule that frameworks use.  Dead zones, overflow and 0 * inf = NaN come out as autodiff gives
them.  Ties of maximum and minimum share the gradient, as in JAX; |x| has slope sign(x).
Everything is element by element, so adjoints keep their broadcast shape.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from harness.kernels.duck_array import DuckArray
from harness.kernels.registry import Array, like

Pullback = Callable[[Array], Array]
# What an operation gives: its value, and for each operand how an adjoint flows back to it; no rule for a comparison.
Ruled = tuple[Array, tuple[Pullback | None, ...]]


class Traced(DuckArray):
    """Hold an array, the operation that made it, and how its adjoint flows back to the operands.

    `parents` has the operands that are traced themselves, each with its pullback.
    """

    def __init__(self, value: Array, parents: list[tuple[Traced, Pullback]], tape: list[Traced], name: str = "input"):
        self.value, self.parents, self.tape, self.name = value, parents, tape, name
        tape.append(self)

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        """Return the working format of the array, as an array has it."""
        return self.value.dtype

    def constant(self, value: Array) -> Array:
        """Return a constant as it is: nothing flows back to it."""
        return self.value.__array_namespace__().asarray(value)

    def takes(self, other: Any) -> bool:
        """Take whatever the array itself takes, and other traced arrays."""
        return True

    def apply(self, name: str, *operands: Array) -> Array:
        """Apply an operation by its rule; a result that depends on no traced operand is no longer traced."""
        if name not in RULES:
            raise TypeError(f"no derivative is known for {name}; known operations: {', '.join(RULES)}")
        value, pullbacks = RULES[name](self.value.__array_namespace__(), *map(plain, operands))
        parents = [(o, back) for o, back in zip(operands, pullbacks) if isinstance(o, Traced) and back]
        return Traced(value, parents, self.tape, name) if parents else value

    # The traced operand comes first, on whichever side of the sign it stood: explanations quote the operation.
    __radd__, __rmul__ = DuckArray.__add__, DuckArray.__mul__


def plain(x: Array) -> Array:
    """Return the array that a traced value holds; any other value is returned as it is."""
    return x.value if isinstance(x, Traced) else x


# -- rules: of the array namespace and the operands' values ---------------------------------------


def _negative(xp: Any, a: Array) -> Ruled:
    return -a, (lambda g: -g,)


def _add(xp: Any, a: Array, b: Array) -> Ruled:
    return a + b, (lambda g: g, lambda g: g)


def _subtract(xp: Any, a: Array, b: Array) -> Ruled:
    return a - b, (lambda g: g, lambda g: -g)


def _multiply(xp: Any, a: Array, b: Array) -> Ruled:
    return a * b, (lambda g: g * b, lambda g: g * a)


def _divide(xp: Any, a: Array, b: Array) -> Ruled:
    return a / b, (lambda g: g / b, lambda g: -g * ((a / b) / b))


def _exp(xp: Any, a: Array) -> Ruled:
    e = xp.exp(a)
    return e, (lambda g: g * e,)


def _log(xp: Any, a: Array) -> Ruled:
    return xp.log(a), (lambda g: g / a,)


def _log1p(xp: Any, a: Array) -> Ruled:
    return xp.log1p(a), (lambda g: g / (like(1, a) + a),)


def _expm1(xp: Any, a: Array) -> Ruled:
    e = xp.expm1(a)
    return e, (lambda g: g * (e + like(1, e)),)


def _sqrt(xp: Any, a: Array) -> Ruled:
    r = xp.sqrt(a)
    return r, (lambda g: g / (like(2, r) * r),)


def _power(xp: Any, a: Array, b: Array) -> Ruled:
    """Differentiate a^b in a alone: exponents are constants here."""
    return xp.power(a, b), (lambda g: g * (b * xp.power(a, b - like(1, b))),)


def _tanh(xp: Any, a: Array) -> Ruled:
    t = xp.tanh(a)
    return t, (lambda g: g * (like(1, t) - t * t),)


def _abs(xp: Any, a: Array) -> Ruled:
    return xp.abs(a), (lambda g: g * xp.sign(a),)


def _maximum(xp: Any, a: Array, b: Array) -> Ruled:
    return xp.maximum(a, b), (lambda g: g * _share(xp, a > b, a == b, a), lambda g: g * _share(xp, b > a, b == a, a))


def _minimum(xp: Any, a: Array, b: Array) -> Ruled:
    return xp.minimum(a, b), (lambda g: g * _share(xp, a < b, a == b, a), lambda g: g * _share(xp, b < a, b == a, a))


def _where(xp: Any, condition: Array, a: Array, b: Array) -> Ruled:
    zero = like(0, a)
    return xp.where(condition, a, b), (
        None,
        lambda g: xp.where(condition, g, zero),
        lambda g: xp.where(condition, zero, g),
    )


def _logaddexp(xp: Any, a: Array, b: Array) -> Ruled:
    value = xp.logaddexp(a, b)
    one = like(1, value)
    return value, (lambda g: g / (one + xp.exp(b - a)), lambda g: g / (one + xp.exp(a - b)))


def _share(xp: Any, wins: Array, ties: Array, like_this: Array) -> Array:
    """Return the operand's part of the adjoint: all where it wins, half at a tie, else none."""
    zero, half, one = like(0, like_this), like("0.5", like_this), like(1, like_this)
    return xp.where(wins, one, xp.where(ties, half, zero))


def _without_derivative(name: str) -> Callable[..., Ruled]:
    def rule(xp: Any, *operands: Array) -> Ruled:
        return getattr(xp, name)(*operands), ()

    return rule


COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal")
RULES: dict[str, Callable[..., Ruled]] = {
    "negative": _negative, "add": _add, "subtract": _subtract, "multiply": _multiply, "divide": _divide,
    "exp": _exp, "log": _log, "log1p": _log1p, "expm1": _expm1, "sqrt": _sqrt, "power": _power, "tanh": _tanh, "abs": _abs,
    "maximum": _maximum, "minimum": _minimum, "where": _where, "logaddexp": _logaddexp,
    **{name: _without_derivative(name) for name in COMPARISONS},
}  # fmt: skip


def gradient(function: Callable[..., Array]) -> Callable[..., Array]:
    """Return the derivative of `function` with respect to its first argument, as autodiff gives it.

    It takes the arguments of `function`, arrays of one format, and returns an array of that format; 0 where the
    input has no part in the result.  TypeError for an operation without a rule.
    """

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
