"""A loss as an expression: a tree of operations on the input x and the target y, with exact rational constants.

An expression is a nested tuple, its operation first: ("Log", ("Add", ("N", 1), ("Exp", ("X",)))) is log(1 + e^x).  A
constant is what its author wrote, 1e-7 as the fraction 1/10^7, so that rewriting is exact.  Differences are sums with
a negative, changes of format are left out, and comparisons are there as conditions of ("Where", condition, a, b).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from harness import UsageError
from harness.explain.followed import NotFollowed
from harness.explain.shadow import Shadow, nodes
from harness.sweep.own import one_line

Expression = tuple[Any, ...]

X, Y = ("X",), ("Y",)
# What the operation of each recorded name is called here, where it takes the same operands.
SAME = {
    "add": "Add", "multiply": "Mul", "divide": "Div", "negative": "Neg", "exp": "Exp", "expm1": "Expm1", "log": "Log",
    "log1p": "Log1p", "tanh": "Tanh", "sqrt": "Sqrt", "power": "Pow", "float_power": "Pow", "maximum": "Max",
    "minimum": "Min", "fmax": "Max", "fmin": "Min", "absolute": "Abs", "fabs": "Abs", "logaddexp": "Logaddexp",
    "expit": "Sigmoid", "xlogy": "Xlogy", "xlog1py": "Xlog1py", "logit": "Logit", "where": "Where",
    "less": "Less", "less_equal": "LessEqual", "greater": "Greater", "greater_equal": "GreaterEqual",
    "equal": "Equal", "not_equal": "NotEqual", "logical_not": "Not", "invert": "Not", "logical_and": "And",
    "bitwise_and": "And", "logical_or": "Or", "bitwise_or": "Or", "isnan": "IsNan", "isinf": "IsInf",
    "isfinite": "IsFinite", "isposinf": "IsInf", "isneginf": "IsInf",
}  # fmt: skip
CONDITIONS = {"Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual", "Not", "And", "Or", "IsNan", "IsInf",
              "IsFinite"}  # fmt: skip
COMPOSED: dict[str, Callable[..., Expression]] = {
    "subtract": lambda a, b: ("Add", a, ("Neg", b)),
    "square": lambda a: ("Mul", a, a),
    "reciprocal": lambda a: ("Div", number(1), a),
    "positive": lambda a: a,
    "astype": lambda a: a,
    "log_expit": lambda a: ("Neg", ("Softplus", ("Neg", a))),
    "entr": lambda a: ("Neg", ("Xlogy", a, a)),
    "rel_entr": lambda a, b: ("Xlogy", a, ("Div", a, b)),
}


def number(value: int | float | Fraction) -> Expression:
    """Return a constant; a float is the decimal that Python writes it by."""
    return ("N", value if isinstance(value, Fraction) else Fraction(repr(value)))


def is_number(e: Expression) -> bool:
    """Tell whether an expression is a constant."""
    return bool(e[0] == "N")


def parts(e: Expression) -> tuple[Expression, ...]:
    """Return the operands of an expression; none of a constant."""
    return () if is_number(e) else e[1:]


def rebuilt(e: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return an expression with a change made to each part, the innermost first."""

    @cache
    def of(part: Expression) -> Expression:
        return change(part if is_number(part) else (part[0], *map(of, part[1:])))

    return of(e)


def every(e: Expression) -> Iterator[Expression]:
    """Yield an expression's parts and itself, each once, operands first."""
    seen: dict[Expression, None] = {}

    def visit(part: Expression) -> None:
        if part not in seen:
            for operand in parts(part):
                visit(operand)
            seen[part] = None

    visit(e)
    yield from seen


# -- from what was recorded ----------------------------------------------------------------------------


def expression_of(result: Shadow, inputs: Sequence[np.ndarray]) -> Expression:
    """Return what a followed result was made from, as an expression; UsageError names what has no place in one."""
    found: dict[int, Expression] = {}
    for node in nodes(result):
        if node.name == "input":
            found[id(node)] = next(v for a, v in zip(inputs, (X, Y)) if a is node.computed)
        elif not node.operands:
            found[id(node)] = _constant(node)
        else:
            found[id(node)] = _operation(node, [found[id(o)] for o in node.operands])
    return found[id(result)]


def _constant(node: Shadow) -> Expression:
    if not math.isfinite(node.number):
        raise UsageError(f"a formula with the constant {node.number} cannot be rewritten")
    return number(node.number)


def _operation(node: Shadow, operands: list[Expression]) -> Expression:
    arithmetic = node.name not in ("where", "logical_not", "logical_and", "logical_or", "invert", "astype", "positive")
    if arithmetic or (node.name == "astype" and node.dtype != bool):
        operands = [("Where", o, number(1), number(0)) if o[0] in CONDITIONS else o for o in operands]
    if node.name in COMPOSED:
        return COMPOSED[node.name](*operands)
    if node.name not in SAME:
        raise UsageError(f"a formula with {node.name} cannot be rewritten: no rule speaks of it")
    return (SAME[node.name], *operands)


def recorded(
    tracer: Callable[..., Shadow], function: Callable[..., Any], name: str, inputs: Sequence[tuple[float, ...]]
) -> Expression:
    """Follow a function at several inputs, in float64, and return the one expression that it computes at all of them.

    UsageError where it does what cannot be followed, or where it computes another expression at another input, as code
    does that decides by an `if`.
    """
    found: dict[Expression, tuple[float, ...]] = {}
    for values in inputs:
        given = [np.array([v]) for v in values]
        try:
            found.setdefault(expression_of(tracer(function, *given), given), values)
        except NotFollowed as e:
            raise UsageError(f"{name} cannot be followed, so there is no formula to rewrite: {e}") from e
        except UsageError as e:
            raise UsageError(f"{name}: {e}") from e
        except Exception as e:
            raise UsageError(f"{name} cannot be followed, so there is no formula to rewrite: {one_line(e)}") from e
    if len(found) > 1:
        one, other = list(found.values())[:2]
        raise UsageError(
            f"{name} computes one formula at {one} and another at {other}; write its branches with np.where, both at once"
        )
    return next(iter(found))
