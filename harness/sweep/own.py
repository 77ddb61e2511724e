"""A user's own loss: find the function, and hold it to the contract of a kernel."""

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
    """Return what TARGET names: a kernel's name, path/to/file.py:function, or module:function.

    Raises UsageError, one sentence, where there is no such kernel, file, module or function.
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
    sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except BaseException as e:
        raise UsageError(f"module {name!r} cannot be imported: {_one_line(e)}") from e
    finally:
        sys.path.remove("")


def _one_line(e: BaseException) -> str:
    return f"{type(e).__name__}: {' '.join(str(e).split())}"


class Guarded:
    """Call a user's f(x) or f(x, y) on one-dimensional arrays, one target at a time, and check what it does."""

    def __init__(self, function: Function, name: str):
        self.function, self.name = function, name

    def __call__(self, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """Return the results for x of shape (1, n) and y of shape (T, 1), shape (T, n).

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
