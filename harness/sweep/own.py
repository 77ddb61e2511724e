"""A user's own loss on NumPy arrays, held to the contract of a kernel.

A kernel gets its inputs and targets as a row and a column and may rely on the harness; a user's function gets plain
one-dimensional arrays, x or x and y of the same shape, and is trusted with nothing: what it returns, raises and changes
is looked at on every call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from harness import UsageError

Function = Callable[..., Any]


def one_line(e: BaseException) -> str:
    """Write an exception as one line of printable characters, since a user's may have many, of any kind, or fail itself."""
    try:
        text = "".join(c if c.isprintable() else " " for c in str(e))
    except Exception:
        text = ""
    return f"{type(e).__name__}: {' '.join(text.split())}"[:300].rstrip(": ")


def accepted(result: Any, x: np.ndarray, name: str) -> np.ndarray:
    """Return a result that is a plain array of the inputs' shape and format; UsageError says what else it is.

    `name` is what the user called the function; it begins every sentence about it.
    """
    masked = sys.modules.get("numpy.ma")  # a twentieth of a second to import, and only who has it can return one
    if masked is not None and isinstance(result, masked.MaskedArray):
        raise UsageError(f"{name} returned a masked array; return a plain array, with every value filled in")
    if not isinstance(result, np.ndarray):
        raise UsageError(
            f"{name} returned a {type(result).__name__} for an input of shape {x.shape}; return an array with one value "
            "for each input"
        )
    if type(result) is not np.ndarray:
        raise UsageError(f"{name} returned a {type(result).__name__}; return a plain numpy.ndarray")
    if result.dtype.names is not None:
        raise UsageError(f"{name} returned an array of records; return an array of {x.dtype}")
    if result.dtype == object:
        raise UsageError(f"{name} returned an array of Python objects; return an array of {x.dtype}")
    if result.shape != x.shape:
        raise UsageError(
            f"{name} returned {result.shape} for an input of shape {x.shape}; return one value for each input"
        )
    if result.dtype != x.dtype:
        clip = "" if x.dtype.type.__module__ == "numpy" else " (np.clip does not: np.minimum and np.maximum do)"
        raise UsageError(f"{name} returned {result.dtype} for {x.dtype} inputs; compute and return {x.dtype}{clip}")
    if not result.flags.writeable:
        raise UsageError(f"{name} returned a read-only array, a view of other memory; return a copy of it")
    return result


class Guarded:
    """Call a user's f(x) or f(x, y) on one-dimensional arrays, one target at a time, and check what it does.

    `name` is what the user called it; it begins every sentence about it.
    """

    def __init__(self, function: Function, name: str):
        self.function, self.name = function, name

    def __call__(self, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """Return the results for x of shape (1, n) and y of shape (T, 1), as a kernel does: shape (T, n).

        Raises UsageError where the function raises, changes its input, or returns another shape
        or format.
        """
        if y is None:
            return self.called(x[0])[None, :]
        return np.stack([self.called(x[0], np.broadcast_to(t, x[0].shape).copy()) for t in y[:, 0]])

    def called(self, *inputs: np.ndarray) -> np.ndarray:
        """Return the results for one-dimensional inputs of one shape; raises as a call does."""
        given = [a.copy() for a in inputs]
        try:
            result = self.function(*given)
        except Exception as e:
            raise UsageError(f"{self.name} raised {one_line(e)}") from e
        if any(a.tobytes() != b.tobytes() for a, b in zip(given, inputs)):
            raise UsageError(f"{self.name} changed its input; it must leave its arrays as they are")
        return accepted(result, inputs[0], self.name)
