"""PyTensor's activations and losses as symbols, with the rewrites of its default mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.kernels import activations, kernel_named
from harness.kernels.registry import Array, like
from harness.systems.registry import Call, Library, System, differentiated
from harness.systems.replicas import replica

LIBRARIES = (
    Library(
        "pytensor",
        __name__,
        ("pytensor",),
        {},
        "compiled by Numba with fastmath, which lets infinities become NaN and reorders products",
        order=90,
    ),
)

# -- calls -------------------------------------------------------------------------------------

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


# name, function, inputs, problem, replicas of the value and, if it is taken, of the gradient
CALLS: tuple[tuple[str, Callable[..., Symbol], int, str, tuple[str, ...]], ...] = (
    ("pytensor.tensor.sigmoid", _sigmoid, 1, "sigmoid", ("reciprocal",)),
    ("pytensor.tensor.softplus", _softplus, 1, "softplus", ("maechler64",)),
    ("pytensor log(sigmoid(x))", _log_sigmoid, 1, "log_sigmoid", ("pytensor",)),
    ("pytensor log of probability", _bce, 2, "bce", ("naive_log1p", "naive_log1p")),
    ("pytensor log of sigmoid", _sigmoid_bce, 2, "bce_logits", ("pytensor", "pytensor")),
)


def systems(library: str) -> list[System]:
    """Return the systems of pytensor: its functions and their gradients, compiled in its default mode."""
    return [
        System(
            name,
            library,
            differentiated(problem, bool(gradient)),
            "default",
            _load(function, inputs, bool(gradient)),
            replica,
        )
        for name, function, inputs, problem, replicas in CALLS
        for gradient, replica in enumerate(replicas)
    ]


# -- replicas ----------------------------------------------------------------------------------

PYTENSOR = "pytensor==3.0.7 pytensor/tensor/rewriting/math.py: log(sigmoid(x)) becomes -softplus(-x)"


def _softplus64(x: Array) -> Array:
    return kernel_named("softplus", "maechler64")(x)


replica("log_sigmoid", "pytensor", r"-\mathrm{softplus}(-x)", PYTENSOR)(lambda x: -_softplus64(-x))
replica("bce_logits", "pytensor", r"y\,\mathrm{softplus}(-x) + (1-y)\,\mathrm{softplus}(x)", PYTENSOR)(
    lambda x, y: y * _softplus64(-x) + (like(1, x) - y) * _softplus64(x)
)


@replica("bce_logits_grad", "pytensor", r"-y (1-\sigma(x)) + (1-y)\,\sigma(x)", PYTENSOR, "1 - sigma cancels")
def pytensor_gradient(x: Array, y: Array) -> Array:
    """Compute the gradient as PyTensor's rewrites leave it."""
    one, s = like(1, x), activations.sigmoid_reciprocal(x)
    return -y * (one - s) + (one - y) * s
