"""Duck arrays: run a kernel's own source on other values than arrays.

A duck array stands for an array of one working format: a value with its derivative, an exact twin,
an interval.  Operators and the functions of its array namespace all become `apply(name, *operands)`,
by NumPy's names, so that a kind of value is written as one rule per operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


class DuckArray:
    """Turn operators into `apply`; a kind of value defines `dtype`, `constant` and `apply`."""

    __array_ufunc__ = None  # NumPy arrays on the left give way to these operators
    dtype: np.dtype

    def constant(self, value: Array) -> Any:
        """Return an array of the working format as an operand of this kind of value."""
        raise NotImplementedError

    def apply(self, name: str, *operands: Any) -> Any:
        """Apply the operation that NumPy calls `name` to values of this kind and constants of the working format."""
        raise NotImplementedError

    def takes(self, other: Any) -> bool:
        """Tell whether a value may be the other operand: one of the same kind, unless a kind says otherwise.

        A value that stands on this one, such as a tape's, is refused, and so takes the operation over.
        """
        return isinstance(other, type(self))

    def __array_namespace__(self) -> Namespace:
        return Namespace(self)

    def _binary(self, name: str, other: Any) -> Any:
        return self.apply(name, self, other) if self.takes(other) else NotImplemented

    def _reflected(self, name: str, other: Any) -> Any:
        return self.apply(name, other, self) if self.takes(other) else NotImplemented

    def __neg__(self) -> Any:
        return self.apply("negative", self)

    def __abs__(self) -> Any:
        return self.apply("abs", self)

    def __add__(self, other: Any) -> Any:
        return self._binary("add", other)

    def __radd__(self, other: Any) -> Any:
        return self._reflected("add", other)

    def __sub__(self, other: Any) -> Any:
        return self._binary("subtract", other)

    def __rsub__(self, other: Any) -> Any:
        return self._reflected("subtract", other)

    def __mul__(self, other: Any) -> Any:
        return self._binary("multiply", other)

    def __rmul__(self, other: Any) -> Any:
        return self._reflected("multiply", other)

    def __truediv__(self, other: Any) -> Any:
        return self._binary("divide", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._reflected("divide", other)

    def __lt__(self, other: Any) -> Any:
        return self._binary("less", other)

    def __le__(self, other: Any) -> Any:
        return self._binary("less_equal", other)

    def __gt__(self, other: Any) -> Any:
        return self._binary("greater", other)

    def __ge__(self, other: Any) -> Any:
        return self._binary("greater_equal", other)

    def __eq__(self, other: object) -> Any:
        return self._binary("equal", other)

    __hash__ = object.__hash__


class Namespace:
    """Give kernels their array functions: each name is a function that calls `apply` of the value it came from."""

    def __init__(self, origin: DuckArray):
        self.origin = origin

    def asarray(self, value: Array) -> Any:
        """Return a constant of the working format as an operand."""
        return self.origin.constant(value)

    def __getattr__(self, name: str) -> Any:
        return lambda *operands: self.origin.apply(name, *operands)
