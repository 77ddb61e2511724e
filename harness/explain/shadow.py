"""Shadow values: what the machine computed, beside the exact value of the same expression.

A kernel's own source runs on Shadows (a user's NumPy code does, too), and each result remembers
the operation and its operands.  Constants are exact as the working format holds them, so that an
eps rounded to 0 is 0 in both.  A comparison follows the computed values, so that the exact value
belongs to the branch that the machine took; maximum and minimum, being continuous, are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from harness.explain import expansions
from harness.explain.counterparts import OPERATIONS
from harness.explain.expansions import Expansion, Raw
from harness.kernels.duck_array import DuckArray
from harness.numbers.formats import format_of

Array = np.ndarray


class Shadow(DuckArray):
    """Hold one computed value (an array of size 1), its exact value, and where it came from."""

    def __init__(self, name: str, operands: tuple[Shadow, ...], computed: Array):
        self.name, self.operands, self.computed = name, operands, computed
        # A constant does not depend on the inputs.
        known = bool(operands) and all(o.constant_value for o in operands)
        self.constant_value: bool = known or name == "constant"

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        """Return the format of the computed value, as an array has it."""
        return self.computed.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the computed value, as an array has it; its size is 1."""
        return self.computed.shape

    @cached_property
    def number(self) -> float:
        """Return the computed value as a Python float, which holds every format's exactly."""
        return float(self.computed.item())

    @cached_property
    def machine(self) -> Expansion:
        """Return the computed value as an expansion, for comparing with the exact one."""
        return expansions.of(self.number)

    @cached_property
    def exact(self) -> Expansion:
        """Return the exact value of the same expression."""
        if not self.operands:
            return self.machine
        return self.exactly([o.exact for o in self.operands])

    def exactly(self, operands: list[Expansion]) -> Expansion:
        """Apply the operation exactly, to operands of the caller's choice."""
        if self.name == "where":
            return operands[1] if self.operands[0].number else operands[2]
        if self.dtype == bool:
            return self.machine
        return OPERATIONS[self.name](*operands)

    @cached_property
    def error(self) -> Raw:
        """Return |computed - exact|: infinite where just one is a number, 0 where both are the same infinity or NaN."""
        return expansions.gap(self.machine, self.exact)

    @cached_property
    def height(self) -> int:
        """Return the operations between the value and the inputs, a change of sign or format counting 0."""
        passed = self.name in ("negative", "absolute", "astype") and self.operands[0].height == 0
        return 0 if not self.operands or passed else 1 + max(o.height for o in self.operands)

    def constant(self, value: Any) -> Shadow:
        """Return a constant as a Shadow: an array of a format, or a Python number, which takes this value's format."""
        kind = np.result_type(self.dtype, value) if isinstance(value, (bool, int, float)) else None
        array = np.asarray(value, dtype=kind)
        if array.size != 1 or array.dtype == object:
            raise TypeError("only a single number can be a constant")
        return Shadow("constant", (), array)

    def apply(self, name: str, *operands: Any) -> Shadow:
        """Apply the operation that NumPy calls `name`; TypeError where it has no exact counterpart."""
        return self._operate(getattr(np, name), *operands)

    def _operate(self, function: Callable[..., Any], *operands: Any) -> Shadow:
        name = function.__name__
        shadows = tuple(o if isinstance(o, Shadow) else self.constant(o) for o in operands)
        computed = function(*(s.computed for s in shadows))
        if name != "where" and computed.dtype != bool and name not in OPERATIONS:
            raise TypeError(f"{name} has no exact counterpart")
        return Shadow(name, shadows, computed)

    def takes(self, other: Any) -> bool:
        """Take arrays and numbers, too; a tape's value takes the operation over."""
        return isinstance(other, OPERANDS)

    def __pow__(self, other: Any) -> Shadow:
        return self.apply("power", self, other)

    def __rpow__(self, other: Any) -> Shadow:
        return self.apply("power", other, self)

    def __ne__(self, other: object) -> Any:
        return self._binary("not_equal", other)

    def __invert__(self) -> Shadow:
        return self.apply("logical_not", self)

    def __and__(self, other: Any) -> Any:
        return self.apply("logical_and", self, other)

    def __or__(self, other: Any) -> Any:
        return self.apply("logical_or", self, other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError("the truth value of an array decides nothing; use np.where")

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise TypeError("a Shadow is no plain array")

    def astype(self, dtype: Any, **_: Any) -> Shadow:
        """Round into another format; of the exact value, nothing changes."""
        return Shadow("astype", (self,), self.computed.astype(dtype))

    def copy(self) -> Shadow:
        """Return the value itself, as it never changes."""
        return self

    # -- plain NumPy code ------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:  # type: ignore[override]
        if method != "__call__" or options or not all(isinstance(v, OPERANDS) for v in inputs):
            return NotImplemented
        return self._operate(ufunc, *inputs)

    def __array_function__(self, function: Any, _types: Any, args: Any, options: Mapping[str, Any]) -> Any:
        rule = FUNCTIONS.get(function.__name__)
        return rule(self, *args, **options) if rule else NotImplemented


OPERANDS = (Shadow, np.ndarray, np.generic, bool, int, float)


def _clip(like: Shadow, a: Any, low: Any = None, high: Any = None) -> Shadow:
    """Compute min(max(a, low), high), as np.clip does."""
    value = a if low is None else like.apply("maximum", a, low)
    return value if high is None else like.apply("minimum", value, high)


def _full(like: Shadow, _: Any, value: Any) -> Shadow:
    return like.constant(np.full(like.shape, value, like.dtype))


# NumPy functions that are no ufuncs, on a Shadow and the arguments.
FUNCTIONS: dict[str, Callable[..., Shadow]] = {
    "clip": _clip,
    "where": lambda like, condition, a, b: like.apply("where", condition, a, b),
    "full_like": _full,
    "zeros_like": lambda like, a: _full(like, a, 0),
    "ones_like": lambda like, a: _full(like, a, 1),
    "copy": lambda like, a: a,
}


def nan_to_num(a: Shadow, computed: Array, nan: float = 0.0, above: Any = None, below: Any = None) -> Shadow:
    """Return what nan_to_num computed of a value; None stands for the largest and the least number of its format.

    It is no branch: where the exact value is a number, nothing is replaced in it.
    """
    most = float(format_of(a.dtype).max)
    instead = (nan, most if above is None else above, -most if below is None else below)
    put = (Shadow("constant", (), np.broadcast_to(np.asarray(v, a.dtype), a.shape)) for v in instead)
    return Shadow("nan_to_num", (a, *put), computed)


def trace(function: Callable[..., Any], *inputs: Array) -> Shadow:
    """Run a function on the Shadows of arrays of size 1; TypeError where it cannot be followed."""
    shadows = [Shadow("input", (), a) for a in inputs]
    with np.errstate(all="ignore"):
        result = function(*shadows)
    if not isinstance(result, Shadow):
        raise TypeError(f"the function returned {type(result).__name__}")
    return result


def nodes(result: Shadow) -> list[Shadow]:
    """Return all values that a result was made from, operands before results."""
    order: list[Shadow] = []
    seen: set[int] = set()

    def visit(node: Shadow) -> None:
        if id(node) not in seen:
            seen.add(id(node))
            for operand in node.operands:
                visit(operand)
            order.append(node)

    visit(result)
    return order


def taken(node: Shadow) -> Shadow:
    """Return the operand that a where, or a change of format, passes on."""
    return node.operands[0 if node.name != "where" else 1 if node.operands[0].number else 2]
