"""Keras 3 on each of its backends: function and class form, and a sigmoid layer with a loss in a model.

The backend comes from KERAS_BACKEND, so each has a process of its own.  Losses come unreduced:
the function's mean over the last axis of an (n, 1) array is over one number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.systems.adapters import jax_, pytorch, tensorflow_
from harness.systems.registry import ALL_FORMATS, Call, System

Function = Callable[..., Any]  # tensors of shape (n,) in, tensor of shape (n,) out

# Exact in every format, and so are the targets 1 - s/2 and s/2 that it makes of 1 and 0.
SMOOTHING = 0.125


def _function(**arguments: Any) -> Callable[[], Function]:
    def build() -> Function:
        import keras

        return lambda p, y: keras.losses.binary_crossentropy(y[:, None], p[:, None], **arguments)

    return build


def _class(**arguments: Any) -> Callable[[], Function]:
    def build() -> Function:
        import keras

        loss = keras.losses.BinaryCrossentropy(reduction=None, **arguments)
        return lambda p, y: loss(y[:, None], p[:, None])

    return build


def _sigmoid_then_function() -> Function:
    import keras

    def run(x: Any, y: Any) -> Any:
        return keras.losses.binary_crossentropy(y[:, None], keras.activations.sigmoid(x[:, None]))

    return run


def _model(head: str, formats: tuple[str, ...]) -> Callable[[], Function]:
    """Return the builder of a compiled model's loss per sample: Dense(1) with weight 1, and a head.

    Heads: sigmoid; logits (from_logits=True); float32_sigmoid (the output layer in float32, as the guide
    on mixed precision asks).  The policy is that of the input's format: float32, float64, or mixed_*.
    """

    def make(dtype: str) -> Any:
        import keras

        policy = dtype if dtype in ("float32", "float64") else f"mixed_{dtype}"
        activation = "sigmoid" if head == "sigmoid" else None
        dense = keras.layers.Dense(1, activation=activation, kernel_initializer="ones", dtype=policy)
        layers = [keras.Input((1,), dtype=dtype), dense]
        if head == "float32_sigmoid":
            layers.append(keras.layers.Activation("sigmoid", dtype="float32"))
        model = keras.Sequential(layers)
        model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=head == "logits", reduction=None))
        return model

    def build() -> Function:
        import keras

        models = {dtype: make(dtype) for dtype in formats}

        def run(x: Any, y: Any) -> Any:
            model, inputs = models[keras.backend.standardize_dtype(x.dtype)], x[:, None]
            return model.compute_loss(x=inputs, y=y[:, None], y_pred=model(inputs, training=True))

        return run

    return build


def _load(library: str, build: Callable[[], Function], mode: str, gradient: bool) -> Callable[[], Call]:
    """Return the loader of a function on the library's backend."""

    def load() -> Call:
        backend = library.removeprefix("keras-")
        function = build()
        if backend == "tensorflow":
            return tensorflow_.load(function, mode, gradient)()
        if backend == "jax":
            return jax_.load(function, mode, gradient)()
        if backend == "torch":
            return pytorch.load(function, lambda f: f, gradient)()
        return _forward(function)

    return load


def _forward(function: Function) -> Call:
    import keras

    def call(*inputs: np.ndarray) -> np.ndarray:
        return keras.ops.convert_to_numpy(function(*map(keras.ops.convert_to_tensor, inputs)))

    return call


# modes of the plain calls, and of the models
MODES = {
    "keras-tensorflow": (("eager",), ("eager", "graph", "xla")),
    "keras-jax": (("eager",), ("jit",)),
    "keras-torch": (("eager",), ("eager",)),
    "keras-numpy": (("eager",), ("eager",)),
    "keras-openvino": (("eager",), ("eager",)),
}
WITHOUT_GRADIENTS = ("keras-numpy", "keras-openvino")
CALL, CLASS = "keras.losses.binary_crossentropy", "keras.losses.BinaryCrossentropy"
SMOOTH, LOGITS = {"label_smoothing": SMOOTHING}, {"from_logits": True}
# name, problem, form (which names the replica), builder, label smoothing
CALLS = (
    (CALL, "bce", "function", _function(), 0.0),
    (f"{CALL}(from_logits=True)", "bce_logits", "function", _function(**LOGITS), 0.0),
    (CLASS, "bce", "class", _class(), 0.0),
    (f"{CLASS}(from_logits=True)", "bce_logits", "class", _class(**LOGITS), 0.0),
    (f"{CALL}(label_smoothing=0.125)", "bce", "function", _function(**SMOOTH), SMOOTHING),
    (
        f"{CALL}(from_logits=True, label_smoothing=0.125)",
        "bce_logits",
        "function",
        _function(**LOGITS, **SMOOTH),
        SMOOTHING,
    ),
    (
        "keras.activations.sigmoid + binary_crossentropy",
        "bce_logits",
        "sigmoid",
        lambda: _sigmoid_then_function(),
        0.0,
    ),
)
# name, head, form
MODELS = (
    ("keras Dense(sigmoid) + BinaryCrossentropy", "sigmoid", "model"),
    ("keras Dense + BinaryCrossentropy(from_logits=True)", "logits", "class"),
    ("keras Dense + float32 sigmoid + BinaryCrossentropy", "float32_sigmoid", "float32_sigmoid"),
)
MODEL_FORMATS = (("model", ("float32", "float64")), ("model_mixed", ("float16", "bfloat16")))


def systems(library: str) -> list[System]:
    """Return the systems of Keras on one backend."""
    found, (plain, models) = [], MODES[library]
    for mode in plain:
        for name, problem, form, build, smoothing in CALLS:
            found += _pair(library, name, problem, form, build, mode, mode, ALL_FORMATS, smoothing)
    for mode in models:
        for name, head, form in MODELS:
            for prefix, formats in MODEL_FORMATS:
                build = _model(head, formats)
                found += _pair(library, name, "bce_logits", form, build, mode, f"{prefix}_{mode}", formats, 0.0)
    return found


def _pair(
    library: str,
    name: str,
    problem: str,
    form: str,
    build: Callable[[], Function],
    mode: str,
    label: str,
    formats: tuple[str, ...],
    smoothing: float,
) -> list[System]:
    """Return the loss and, where the backend has autodiff, its gradient."""
    found = []
    for gradient in (False,) if library in WITHOUT_GRADIENTS else (False, True):
        traced = mode == "xla" or (mode == "graph" and gradient)
        backend = library.removeprefix("keras-") + (f"_{mode}" if traced else "")
        found.append(
            System(
                name,
                library,
                problem + "_grad" * gradient,
                label,
                _load(library, build, mode, gradient),
                f"keras_{backend}_{form}",
                formats=formats,
                hard_targets=smoothing > 0,
                label_smoothing=smoothing,
            )
        )
    return found
