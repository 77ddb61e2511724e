"""tf_keras, the legacy Keras 2 on TensorFlow: function, class, and a sigmoid layer with a loss in a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.systems.adapters import tensorflow_
from harness.systems.registry import ALL_FORMATS, System

Function = Callable[..., Any]  # tensors of shape (n,) in, tensor of shape (n,) out


def _function(x: Any, y: Any) -> Any:
    from tf_keras.losses import binary_crossentropy

    return binary_crossentropy(y[:, None], x[:, None])


def _function_logits(x: Any, y: Any) -> Any:
    from tf_keras.losses import binary_crossentropy

    return binary_crossentropy(y[:, None], x[:, None], from_logits=True)


def _class(x: Any, y: Any) -> Any:
    from tf_keras.losses import BinaryCrossentropy

    return BinaryCrossentropy(reduction="none")(y[:, None], x[:, None])


def _sigmoid_then_function(x: Any, y: Any) -> Any:
    from tf_keras.activations import sigmoid
    from tf_keras.losses import binary_crossentropy

    return binary_crossentropy(y[:, None], sigmoid(x[:, None]))


def _model(formats: tuple[str, ...]) -> Function:
    """Return the loss per sample of Dense(1, 'sigmoid') with weight 1, under each format's policy."""
    import tf_keras

    models, loss = {}, tf_keras.losses.BinaryCrossentropy(reduction="none")
    for name in formats:
        policy = name if name in ("float32", "float64") else f"mixed_{name}"
        dense = tf_keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones", dtype=policy)
        models[name] = tf_keras.Sequential([tf_keras.Input((1,), dtype=name), dense])

    def run(x: Any, y: Any) -> Any:
        return loss(y[:, None], models[x.dtype.name](x[:, None], training=True))

    return run


def systems(library: str) -> list[System]:
    """Return the systems of tf_keras."""
    call = "tf_keras.losses.binary_crossentropy"
    every = (
        (call, "bce", "eager", lambda: _function, "function", ALL_FORMATS),
        (
            f"{call}(from_logits=True)",
            "bce_logits",
            "eager",
            lambda: _function_logits,
            "function",
            ALL_FORMATS,
        ),
        ("tf_keras.losses.BinaryCrossentropy", "bce", "eager", lambda: _class, "function", ALL_FORMATS),
        (
            "tf_keras.activations.sigmoid + binary_crossentropy",
            "bce_logits",
            "eager",
            lambda: _sigmoid_then_function,
            "sigmoid",
            ALL_FORMATS,
        ),
    )
    models = tuple(
        (
            "tf_keras Dense(sigmoid) + BinaryCrossentropy",
            "bce_logits",
            f"{prefix}_{mode}",
            lambda f=formats: _model(f),
            "sigmoid",
            formats,
        )
        for mode in ("eager", "graph")
        for prefix, formats in (("model", ("float32", "float64")), ("model_mixed", ("float16", "bfloat16")))
    )
    found = []
    for name, problem, mode, build, form, formats in every + models:
        traced = "graph" if mode.endswith("graph") else "eager"
        for gradient in (False, True):

            def load(build: Any = build, traced: str = traced, gradient: bool = gradient) -> Any:
                return tensorflow_.load(build(), traced, gradient)()

            replica = f"tf_keras_graph_{form}" if gradient and traced == "graph" else f"tf_keras_{form}"
            found.append(System(name, library, problem + "_grad" * gradient, mode, load, replica, formats=formats))
    return found
