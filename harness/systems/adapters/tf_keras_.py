"""The package tf_keras, the legacy Keras 2 on TensorFlow: function, class, and a sigmoid layer with a loss in a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from harness.kernels import bce_logits, kernel_named
from harness.kernels.registry import Array, like
from harness.systems.adapters import tensorflow_
from harness.systems.adapters.keras_ import SIGMOID_LAYER, printing_model
from harness.systems.adapters.keras_.backends import CLIP, SHIFTED, Backend, clipped_p, inside_clip, product_left
from harness.systems.adapters.keras_.forms import declare
from harness.systems.commands import shell
from harness.systems.registry import Call, Library, Point, System, differentiated

LIBRARIES = (
    Library(
        "tf_keras",
        __name__,
        ("tf_keras", "tensorflow"),
        {},
        f"{tensorflow_.FLUSH}; {tensorflow_.OWN_MATHS}",
        order=40,
    ),
)

# -- calls -------------------------------------------------------------------------------------

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


Building = Callable[[], Function]
KERAS, IMPORTS = "tf_keras.losses", "tensorflow as tf, tf_keras"
# name, the same as it is typed, problem, builder, form (which names the replica)
CALLS: tuple[tuple[str, str, str, Building, str], ...] = (
    (
        f"{KERAS}.binary_crossentropy",
        f"{KERAS}.binary_crossentropy(y, x)",
        "bce",
        lambda: _function,
        "function",
    ),
    (
        f"{KERAS}.binary_crossentropy(from_logits=True)",
        f"{KERAS}.binary_crossentropy(y, x, from_logits=True)",
        "bce_logits",
        lambda: _function_logits,
        "function",
    ),
    (
        f"{KERAS}.BinaryCrossentropy",
        f"{KERAS}.BinaryCrossentropy()(y, x)",
        "bce",
        lambda: _class,
        "function",
    ),
    (
        "tf_keras.activations.sigmoid + binary_crossentropy",
        f"{KERAS}.binary_crossentropy(y, tf_keras.activations.sigmoid(x))",
        "bce_logits",
        lambda: _sigmoid_then_function,
        "sigmoid",
    ),
)
MODEL = "tf_keras Dense(sigmoid) + BinaryCrossentropy"
MODEL_FORMATS = (("model", ("float32", "float64")), ("model_mixed", ("float16", "bfloat16")))


def _load(build: Building, mode: str, gradient: bool) -> Callable[[], Call]:
    return lambda: tensorflow_.load(build(), mode, gradient)()


def systems(library: str) -> list[System]:
    """Return the systems of tf_keras: functions, classes, and a sigmoid layer with a loss in a model."""
    return [*_calls(library), *_models(library)]


def _calls(library: str) -> list[System]:
    return [
        System(
            name,
            library,
            differentiated(problem, gradient),
            "eager",
            _load(build, "eager", gradient),
            f"tf_keras_{form}",
            command=tensorflow_.printing(IMPORTS, typed, "eager", gradient),
        )
        for name, typed, problem, build, form in CALLS
        for gradient in (False, True)
    ]


def _models(library: str) -> list[System]:
    return [
        System(
            MODEL,
            library,
            differentiated("bce_logits", gradient),
            f"{prefix}_{mode}",
            _load(partial(_model, formats), mode, gradient),
            "tf_keras_graph_sigmoid" if gradient and mode == "graph" else "tf_keras_sigmoid",
            formats=formats,
            command=_printing_model(f"{prefix}_{mode}", gradient),
            taught=True,
        )
        for mode in ("eager", "graph")
        for prefix, formats in MODEL_FORMATS
        for gradient in (False, True)
    ]


def _printing_model(mode: str, gradient: bool) -> Callable[[Point], str]:
    write = printing_model("tf_keras", SIGMOID_LAYER, mode, gradient)
    return lambda at: shell(write(at))


# -- replicas ----------------------------------------------------------------------------------


def _add_eps(p: Array, y: Array) -> Array:
    return kernel_named("bce", "clip_add_eps_1e-7")(p, y)


def _add_eps_grad(p: Array, y: Array) -> Array:
    one, eps, q = like(1, p), like("1e-7", p), clipped_p(p)
    g = -y * (one / (q + eps)) + (one - y) * (one / ((one - q) + eps))
    return inside_clip(p, g)


LEGACY = (CLIP + r"-(y \log(q+\epsilon) + (1-y) \log((1-q)+\epsilon))", SHIFTED)
_eager = Backend(
    "tf_keras",
    "tf_keras==2.21.0 tf_keras/src/backend.py",
    LEGACY,
    _add_eps,
    _add_eps_grad,
    bce_logits.lse_log1p,
    tensorflow_.tf_fused_eager,
    tensorflow_.eigen_sigmoid,
    product_left,
    recovers=True,
)
for _backend in (_eager, replace(_eager, name="tf_keras_graph", fused_grad=tensorflow_.tf_fused_graph)):
    declare(_backend)
