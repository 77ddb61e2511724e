"""A user's own loss: find the function that the command line names, and hold it to the contract of a kernel.

A kernel gets its inputs and targets as a row and a column and may rely on the harness; a user's function gets plain
one-dimensional arrays, x or x and y of the same shape, and is trusted with nothing: what it returns, raises and changes
is looked at on every call.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from harness import UsageError
from harness.kernels import Kernel, kernel_named, kernels_of
from harness.problems import Problem

Function = Callable[..., np.ndarray]


def find(target: str, problem: Problem) -> Kernel:
    """Return the kernel that TARGET names, or a function wrapped as one.

    TARGET is a kernel's name, path/to/file.py:function, or module:function, the module being looked for in the working
    directory too.  Raises UsageError, one sentence, where there is no such kernel, file, module or function, or where
    the file cannot be imported.
    """
    if ":" not in target:
        if target not in {k.name for k in kernels_of(problem.name)} and target.endswith(".py"):
            raise UsageError(f"{target!r} names a file without a function; write {target}:function")
        return kernel_named(problem.name, target)
    place, _, name = target.rpartition(":")
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    function = getattr(module, name, None)
    if not callable(function):
        known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise UsageError(f"{place} has no function {name!r}; its functions: {', '.join(known) or 'none'}")
    return Kernel(target, problem.name, Guarded(function, target), "", target, "")


def _from_file(path: Path) -> ModuleType:
    """Import a file as a module of its own name."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}; write path/to/file.py:function")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    try:
        spec.loader.exec_module(module)
    except BaseException as e:
        raise UsageError(f"{path} cannot be imported: {_one_line(e)}") from e
    return module


def _from_name(name: str) -> ModuleType:
    """Import a module by its dotted name, as Python does when it is run in the working directory."""
    sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except BaseException as e:
        raise UsageError(f"module {name!r} cannot be imported: {_one_line(e)}") from e
    finally:
        sys.path.remove("")


def _one_line(e: BaseException) -> str:
    """Write an exception as one line, since a user's may have many."""
    return f"{type(e).__name__}: {' '.join(str(e).split())}"


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
            return self._one(x[0])[None, :]
        return np.stack([self._one(x[0], np.broadcast_to(t, x[0].shape).copy()) for t in y[:, 0]])

    def _one(self, *inputs: np.ndarray) -> np.ndarray:
        given = [a.copy() for a in inputs]
        try:
            result = self.function(*given)
        except Exception as e:
            raise UsageError(f"{self.name} raised {_one_line(e)}") from e
        x = inputs[0]
        if any(a.tobytes() != b.tobytes() for a, b in zip(given, inputs)):
            raise UsageError(f"{self.name} changed its input; it must leave its arrays as they are")
        if not isinstance(result, np.ndarray) or result.shape != x.shape:
            shape = getattr(result, "shape", type(result).__name__)
            raise UsageError(
                f"{self.name} returned {shape} for an input of shape {x.shape}; return one value for each input"
            )
        if result.dtype != x.dtype:
            raise UsageError(f"{self.name} returned {result.dtype} for {x.dtype} inputs; compute and return {x.dtype}")
        return result
