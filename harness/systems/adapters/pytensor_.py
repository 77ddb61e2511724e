"""PyTensor's activations and losses as symbols, with the rewrites of its default mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.systems.registry import Call, System

Symbol = Any


def _sigmoid(x: Symbol) -> Symbol:
    import pytensor.tensor as pt

    return pt.sigmoid(x)


def _softplus(x: Symbol) -> Symbol:
    import pytensor.tensor as pt

    return pt.softplus(x)


def _log_sigmoid(x: Symbol) -> Symbol:
    import pytensor.tensor as pt

    return pt.log(pt.sigmoid(x))


def _bce(p: Symbol, y: Symbol) -> Symbol:
    import pytensor.tensor as pt

    return -(y * pt.log(p) + (1 - y) * pt.log(1 - p))


def _sigmoid_bce(x: Symbol, y: Symbol) -> Symbol:
    return _bce(_sigmoid(x), y)


def _load(function: Callable[..., Symbol], inputs: int, gradient: bool) -> Callable[[], Call]:
    def load() -> Call:
        import pytensor
        import pytensor.tensor as pt

        compiled: dict[str, Call] = {}

        def compile_for(dtype: str) -> Call:
            symbols = [pt.vector(f"v{i}", dtype=dtype) for i in range(inputs)]
            value = function(*symbols)
            value = pytensor.grad(value.sum(), symbols[0]) if gradient else value
            return pytensor.function(symbols, value)

        def call(*arrays: np.ndarray) -> np.ndarray:
            dtype = arrays[0].dtype.name
            if dtype not in compiled:
                compiled[dtype] = compile_for(dtype)
            return compiled[dtype](*arrays)

        return call

    return load


# name, function, inputs, problem, replica, replica of the gradient
CALLS = (
    ("pytensor.tensor.sigmoid", _sigmoid, 1, "sigmoid", "reciprocal", ""),
    ("pytensor.tensor.softplus", _softplus, 1, "softplus", "maechler64", ""),
    ("pytensor log(sigmoid(x))", _log_sigmoid, 1, "log_sigmoid", "pytensor", ""),
    ("pytensor log of probability", _bce, 2, "bce", "naive_log1p", "naive_log1p"),
    ("pytensor log of sigmoid", _sigmoid_bce, 2, "bce_logits", "pytensor", "pytensor"),
)


def systems(library: str) -> list[System]:
    """Return the systems of pytensor."""
    found = []
    for name, function, inputs, problem, replica, grad_replica in CALLS:
        found.append(System(name, library, problem, "default", _load(function, inputs, False), replica))
        if grad_replica:
            load = _load(function, inputs, True)
            found.append(System(name, library, problem + "_grad", "default", load, grad_replica))
    return found
