"""TensorFlow's fused losses and activations: eager, in a graph, and compiled by XLA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.systems.registry import Call, System

Function = Callable[..., Any]  # tensors in, tensor out


def _sigmoid_ce(x: Any, y: Any) -> Any:
    import tensorflow as tf

    return tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x)


def _weighted_ce(x: Any, y: Any) -> Any:
    import tensorflow as tf

    return tf.nn.weighted_cross_entropy_with_logits(labels=y, logits=x, pos_weight=tf.ones((), x.dtype))


def _sigmoid(x: Any) -> Any:
    import tensorflow as tf

    return tf.math.sigmoid(x)


def _softplus(x: Any) -> Any:
    import tensorflow as tf

    return tf.math.softplus(x)


def _log_sigmoid(x: Any) -> Any:
    import tensorflow as tf

    return tf.math.log_sigmoid(x)


def differentiated(function: Function) -> Function:
    """Return d(function)/d(first argument) per element, by tf.GradientTape."""

    def gradient(x: Any, *rest: Any) -> Any:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x, *rest)
        return tape.gradient(value, x)

    return gradient


def load(function: Function, mode: str, gradient: bool) -> Callable[[], Call]:
    """Return the loader of a function in a mode: eager, graph (tf.function) or xla (jit_compile)."""

    def loaded() -> Call:
        import tensorflow as tf

        run = differentiated(function) if gradient else function
        if mode != "eager":
            run = tf.function(run, jit_compile=mode == "xla")
        return lambda *inputs: np.asarray(run(*map(tf.constant, inputs)))

    return loaded


# name, function, problem
CALLS = (
    ("tf.nn.sigmoid_cross_entropy_with_logits", _sigmoid_ce, "bce_logits"),
    ("tf.nn.weighted_cross_entropy_with_logits", _weighted_ce, "bce_logits"),
    ("tf.math.sigmoid", _sigmoid, "sigmoid"),
    ("tf.math.softplus", _softplus, "softplus"),
    ("tf.math.log_sigmoid", _log_sigmoid, "log_sigmoid"),
)
MODES = ("eager", "graph", "xla")


def _replica(function: Function, mode: str, gradient: bool) -> str:
    if function is _sigmoid_ce:
        return f"tensorflow_{'graph' if mode == 'graph' else 'eager'}" if gradient else "lse_log1p"
    if function is _weighted_ce:
        return f"tf_weighted_{'graph' if mode == 'graph' else 'eager'}" if gradient else "linear_softplus"
    if function is _sigmoid:
        return "xla" if mode == "xla" else "eigen"
    return "tensorflow_eigen" if function is _softplus else "tensorflow"


def systems(library: str) -> list[System]:
    """Return the systems of tensorflow."""
    found = []
    for name, function, problem in CALLS:
        for mode in MODES:
            for gradient in (False, True) if problem == "bce_logits" else (False,):
                loader, replica = load(function, mode, gradient), _replica(function, mode, gradient)
                found.append(System(name, library, problem + "_grad" * gradient, mode, loader, replica))
    return found
