"""JAX's activations, and optax's loss: op by op, under jit, and under jit without 64-bit types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.systems.registry import ALL_FORMATS, Call, System

Function = Callable[..., Any]  # arrays in, array out


def _sigmoid(x: Any) -> Any:
    import jax

    return jax.nn.sigmoid(x)


def _softplus(x: Any) -> Any:
    import jax

    return jax.nn.softplus(x)


def _log_sigmoid(x: Any) -> Any:
    import jax

    return jax.nn.log_sigmoid(x)


def _optax(x: Any, y: Any) -> Any:
    import optax

    return optax.sigmoid_binary_cross_entropy(x, y)


def differentiated(function: Function) -> Function:
    """Return d(function)/d(first argument) per element, by jax.vjp."""

    def gradient(x: Any, *rest: Any) -> Any:
        import jax

        value, pullback = jax.vjp(lambda v: function(v, *rest), x)
        return pullback(jax.numpy.ones_like(value))[0]

    return gradient


def load(function: Function, mode: str, gradient: bool) -> Callable[[], Call]:
    """Return the loader of a function in a mode: eager, jit, or jit_x32 (JAX's default widths)."""

    def loaded() -> Call:
        import jax

        run = differentiated(function) if gradient else function
        run = jax.jit(run) if mode != "eager" else run

        def call(*inputs: np.ndarray) -> np.ndarray:
            with jax.enable_x64(mode != "jit_x32"):
                return np.asarray(run(*map(jax.numpy.asarray, inputs)))

        return call

    return loaded


# library, name, function, problem of the value, its replica, replica of the gradient
CALLS = (
    ("jax", "jax.nn.sigmoid", _sigmoid, "sigmoid", "reciprocal", ""),
    ("jax", "jax.nn.softplus", _softplus, "softplus", "shifted", ""),
    ("jax", "jax.nn.log_sigmoid", _log_sigmoid, "log_sigmoid", "negated_softplus", ""),
    ("optax", "optax.sigmoid_binary_cross_entropy", _optax, "bce_logits", "softplus_pair", "jax"),
)


def systems(library: str) -> list[System]:
    """Return the systems of jax or of optax."""
    found = []
    for owner, name, function, problem, replica, grad_replica in CALLS:
        if owner != library:
            continue
        for mode in ("eager", "jit", "jit_x32"):
            # Only float64 inputs meet the default widths.
            x32 = mode == "jit_x32"
            formats = ("float64",) if x32 else ALL_FORMATS
            for gradient in (False, True) if grad_replica else (False,):
                kernel = (grad_replica if gradient else replica) + ("_x32" if x32 else "")
                loader = load(function, mode, gradient)
                found.append(System(name, library, problem + "_grad" * gradient, mode, loader, kernel, formats=formats))
    return found
