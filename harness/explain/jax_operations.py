"""Follow JAX code: the operations that JAX itself traces, run one by one with their exact counterparts beside them.

JAX turns a function into a list of primitive operations, whatever was nested in it (jit, gradients, its own library's
functions).  That list is run here operation by operation, each giving what JAX computes for it and the exact value of
what it stands for (see shadow.py).  A jitted function may be compiled into other operations than those; then its result
differs in bits, and it counts as not followed.  JAX is not imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.explain.followed import NotFollowed
from harness.explain.shadow import Shadow

Array = np.ndarray
Rule = Callable[..., Shadow]

# The name that NumPy or scipy.special has for a primitive of JAX.
ALIKE = {
    "add": "add", "add_any": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "neg": "negative",
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log1p": "log1p", "tanh": "tanh", "logistic": "expit",
    "max": "maximum", "min": "minimum", "abs": "absolute", "sign": "sign", "sqrt": "sqrt", "pow": "power",
    "square": "square", "sinh": "sinh", "cosh": "cosh", "atanh": "arctanh", "lt": "less", "le": "less_equal",
    "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal", "and": "logical_and",
    "or": "logical_or", "not": "logical_not", "is_finite": "isfinite",
}  # fmt: skip
PASSING = (
    "broadcast_in_dim", "reshape", "squeeze", "expand_dims", "copy", "copy_p", "stop_gradient", "reduce_sum",
    "reduce_max", "reduce_min", "reduce_prod", "transpose", "slice", "rev", "optimization_barrier", "split", "gather",
)  # fmt: skip
NESTED = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def _select(computed: Array, _: Mapping[str, Any], which: Shadow, *cases: Shadow) -> Shadow:
    if len(cases) != 2 or which.dtype != bool:
        raise NotFollowed("JAX's select_n among more than two")
    return Shadow("where", (which, cases[1], cases[0]), computed)


def _clamp(computed: Array, _: Mapping[str, Any], low: Shadow, x: Shadow, high: Shadow) -> Shadow:
    above = Shadow("maximum", (x, low), np.maximum(x.computed, low.computed))
    return Shadow("minimum", (above, high), computed)


def _integer_power(computed: Array, params: Mapping[str, Any], x: Shadow) -> Shadow:
    return Shadow("power", (x, Shadow("constant", (), np.asarray(float(params["y"]), x.dtype))), computed)


def _rsqrt(computed: Array, _: Mapping[str, Any], x: Shadow) -> Shadow:
    return Shadow("reciprocal", (Shadow("sqrt", (x,), np.sqrt(x.computed)),), computed)


def _converted(computed: Array, _: Mapping[str, Any], x: Shadow) -> Shadow:
    return x if x.dtype == computed.dtype else Shadow("astype", (x,), computed)


def _alike(name: str) -> Rule:
    return lambda computed, _, *operands: Shadow(name, operands, computed)


RULES: Mapping[str, Rule] = {
    **{name: _alike(numpy) for name, numpy in ALIKE.items()},
    **dict.fromkeys(PASSING, lambda computed, _, x, *rest: x),
    "select_n": _select, "clamp": _clamp, "integer_pow": _integer_power, "rsqrt": _rsqrt,
    "convert_element_type": _converted, "dot_general": lambda computed, _, a, b: Shadow("multiply", (a, b), computed),
}  # fmt: skip


class _Run:
    """Run a list of primitives on values of one element, and keep what is known of each."""

    def __init__(self, list_: Any, constants: Sequence[Any]):
        self.list = list_
        self.values: dict[Any, Any] = dict(zip(list_.constvars, constants))
        self.known: dict[Any, Shadow | None] = {}

    def __call__(self, values: Sequence[Any], known: Sequence[Shadow | None]) -> tuple[list[Any], list[Shadow | None]]:
        """Return the results' values, and Shadows of those that were made from the inputs."""
        for variable, value, node in zip(self.list.invars, values, known):
            self.values[variable], self.known[variable] = value, node
        for equation in self.list.eqns:
            self._step(equation)
        return [self._value(v) for v in self.list.outvars], [self._node(v) for v in self.list.outvars]

    def _value(self, variable: Any) -> Any:
        return variable.val if hasattr(variable, "val") else self.values[variable]

    def _node(self, variable: Any) -> Shadow | None:
        return None if hasattr(variable, "val") else self.known.get(variable)

    def _step(self, equation: Any) -> None:
        values, nodes = [self._value(v) for v in equation.invars], [self._node(v) for v in equation.invars]
        inner = next((equation.params[name] for name in NESTED if name in equation.params), None)
        if inner is not None:
            body, constants = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())
            results, made = _Run(body, constants)(values, nodes)
        else:
            found = equation.primitive.bind(*values, **equation.params)
            results = list(found) if equation.primitive.multiple_results else [found]
            made = [self._made(equation, values, nodes, r) for r in results]
        for variable, result, node in zip(equation.outvars, results, made):
            self.values[variable], self.known[variable] = result, node

    def _made(self, equation: Any, values: Sequence[Any], nodes: Sequence[Shadow | None], result: Any) -> Shadow | None:
        if all(node is None for node in nodes):
            return None
        name, computed = equation.primitive.name, np.asarray(result)
        if computed.size != 1:
            raise NotFollowed(f"JAX's {name} with {computed.size} results for one element")
        if name not in RULES:
            raise NotFollowed(f"JAX's {name}, which has no exact counterpart here")
        operands = [Shadow("constant", (), np.asarray(v)) if n is None else n for v, n in zip(values, nodes)]
        return RULES[name](computed, equation.params, *operands)


def follow_jax(function: Callable[..., Any], *inputs: Array) -> Shadow:
    """Run a function of JAX arrays on arrays of size 1 and return its result with all it was made from.

    Raises NotFollowed, a TypeError, naming what could not be followed.
    """
    import jax

    given = [jax.numpy.asarray(a) for a in inputs]
    traced = jax.make_jaxpr(function)(*given)
    nodes = [Shadow("input", (), a) for a in inputs]
    with np.errstate(all="ignore"):
        _, made = _Run(traced.jaxpr, traced.consts)(given, nodes)
    if len(made) != 1 or made[0] is None:
        raise NotFollowed("a result that is made of no input, or several results")
    node = made[0]
    return (
        node if node.shape == inputs[0].shape else Shadow("positive", (node,), node.computed.reshape(inputs[0].shape))
    )
