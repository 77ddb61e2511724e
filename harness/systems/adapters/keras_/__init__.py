"""Keras 3 on each of its backends: function and class form, and a sigmoid layer with a loss in a model.

The backend comes from KERAS_BACKEND, so each has a process of its own.  Losses come unreduced:
the function's mean over the last axis of an (n, 1) array is over one number.  What the backends compute
stands in backends.py, the casts that each form puts around it in forms.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.systems.adapters import jax_, tensorflow_, torch_
from harness.systems.adapters.keras_.backends import BACKENDS
from harness.systems.adapters.keras_.forms import declare
from harness.systems.adapters.tensorflow_ import FLUSH, OWN_MATHS
from harness.systems.commands import shell
from harness.systems.registry import Call, Library, Point, System, differentiated

MEAN32 = "the function form takes float64's mean in float32, and calls the result float64"
CLASS32 = "the class form casts float64 to float32"


def _library(backend: str, notes: str, environment: dict[str, str] | None = None, **rest: Any) -> Library:
    versions = ("keras",) if backend == "numpy" else ("keras", backend)
    settings, notes = {"KERAS_BACKEND": backend, **(environment or {})}, f"{notes}; {CLASS32}"
    return Library(f"keras-{backend}", __name__, versions, settings, notes, order=30, product="keras", **rest)


LIBRARIES = (
    _library(
        "tensorflow",
        f"{FLUSH}; {OWN_MATHS}; under XLA a bfloat16 sigmoid goes into the loss unrounded",
        default_mode="xla",
        quick=True,
    ),
    _library("jax", f"{FLUSH}; {OWN_MATHS}; {MEAN32}", jax_.ENVIRONMENT, default_mode="jit"),
    _library("torch", f"{OWN_MATHS}; {MEAN32}", default_mode="eager"),
    _library("numpy", "convert_to_tensor makes float32 of float64", trains=False),
    _library(
        "openvino",
        "softplus is log(1 + exp x); float64 and float16 are computed in float32; what it does with bfloat16 is "
        "not replicated",
        trains=False,
    ),
)
# Modes of the models; plain calls are eager on every backend.
MODES = {
    "tensorflow": ("eager", "graph", "xla"),
    "jax": ("jit",),
    "torch": ("eager",),
    "numpy": ("eager",),
    "openvino": ("eager",),
}
for _backend in BACKENDS:
    declare(_backend)

# -- calls -------------------------------------------------------------------------------------

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


def _load(backend: str, build: Callable[[], Function], mode: str, gradient: bool) -> Callable[[], Call]:
    """Return the loader of a function on a backend."""

    def load() -> Call:
        function = build()
        if backend == "tensorflow":
            return tensorflow_.load(function, mode, gradient)()
        if backend == "jax":
            return jax_.load(function, mode, gradient)()
        if backend == "torch":
            return torch_.load(function, lambda f: f, gradient)()
        return _forward(function)

    return load


def _forward(function: Function) -> Call:
    import keras

    def call(*inputs: np.ndarray) -> np.ndarray:
        return keras.ops.convert_to_numpy(function(*map(keras.ops.convert_to_tensor, inputs)))

    return call


# -- the lines that users type -----------------------------------------------------------------


def _printing(backend: str, loss: str, gradient: bool) -> Callable[[Point], str]:
    """Return the writer of a line that prints a loss of the tensors x and y on a backend, or its gradient."""
    watch, imports, shown = {
        "tensorflow": ("t = tf.GradientTape().__enter__(); t.watch(x); ", ", tensorflow as tf", f"t.gradient({loss}, x)"),
        "jax": ("", ", jax", f"jax.grad(lambda x: {loss}.sum())(x)"),
        "torch": ("x.requires_grad_(); ", ", torch", f"torch.autograd.grad({loss}.sum(), x)"),
    }[backend] if gradient else ("", "", "")  # fmt: skip
    printed = f"float({shown}[0])" if gradient else f"keras.ops.convert_to_numpy({loss}).item()"

    def write(at: Point) -> str:
        inputs = "".join(
            f"{v} = keras.ops.convert_to_tensor([{value}], '{at.fmt}'); " for v, value in (("x", at.x), ("y", at.y))
        )
        return _shell(backend, at, f"import keras{imports}; {inputs}{watch}print({printed})")

    return write


def _printing_model(backend: str, layers: tuple[str, str, bool], mode: str, gradient: bool) -> Callable[[Point], str]:
    write = printing_model("keras", layers, mode, gradient)
    return lambda at: _shell(backend, at, write(at))


def _shell(backend: str, at: Point, python: str) -> str:
    return shell(python, KERAS_BACKEND=backend, **(jax_.x64(at.fmt) if backend == "jax" else {}))


# Keras' own name of how fit() runs a step, for each mode.
STEP = {"eager": "run_eagerly=True", "graph": "jit_compile=False", "xla": "jit_compile=True", "jit": "jit_compile=True"}


def printing_model(keras: str, layers: tuple[str, str, bool], mode: str, gradient: bool) -> Callable[[Point], str]:
    """Return the writer of Python with compile and evaluate, or with one step of gradient descent, whose bias is then -gradient.

    `keras` is the import name; `layers` are the last layer's activation, further layers, and from_logits.
    """
    activation, further, logits = layers
    step, mixed = STEP[mode.rpartition("_")[2]], "mixed" in mode

    def write(at: Point) -> str:
        policy = f"{keras}.mixed_precision.set_global_policy('{'mixed_' if mixed else ''}{at.fmt}'); "
        stack = f"{keras}.Input((1,)), {keras}.layers.Dense(1, {activation}, kernel_initializer='ones'){further}"
        model = f"import {keras}, numpy as np; {policy}m = {keras}.Sequential([{stack}]); "
        loss = f"loss={keras}.losses.BinaryCrossentropy(from_logits={logits}), {step}"
        data = f"np.array([[{at.x}]]), np.array([[{at.y}.]])"
        if not gradient:
            return f"{model}m.compile({loss}); print(m.evaluate({data}, verbose=0))"
        # Scaled, the gradient of float16 is not the one that was measured, and an infinite one moves nothing.
        plain = ", auto_scale_loss=False" if mixed and at.fmt == "float16" and keras == "keras" else ""
        descent = f"m.compile({keras}.optimizers.SGD(1.0), {loss}{plain}); m.fit({data}, verbose=0)"
        return f"{model}{descent}; print(float(-m.get_weights()[1][0]))"

    return write


# -- the systems -------------------------------------------------------------------------------

CALL, CLASS = "keras.losses.binary_crossentropy", "keras.losses.BinaryCrossentropy"
SMOOTH, LOGITS = {"label_smoothing": SMOOTHING}, {"from_logits": True}
# name, the same as it is typed, problem, form (which names the replica), builder, label smoothing
CALLS: tuple[tuple[str, str, str, str, Callable[[], Function], float], ...] = (
    (CALL, f"{CALL}(y, x)", "bce", "function", _function(), 0.0),
    (
        f"{CALL}(from_logits=True)",
        f"{CALL}(y, x, from_logits=True)",
        "bce_logits",
        "function",
        _function(**LOGITS),
        0.0,
    ),
    (CLASS, f"{CLASS}()(y, x)", "bce", "class", _class(), 0.0),
    (f"{CLASS}(from_logits=True)", f"{CLASS}(from_logits=True)(y, x)", "bce_logits", "class", _class(**LOGITS), 0.0),
    (f"{CALL}(label_smoothing=0.125)", "", "bce", "function", _function(**SMOOTH), SMOOTHING),
    (
        f"{CALL}(from_logits=True, label_smoothing=0.125)",
        "",
        "bce_logits",
        "function",
        _function(**LOGITS, **SMOOTH),
        SMOOTHING,
    ),
    (
        "keras.activations.sigmoid + binary_crossentropy",
        f"{CALL}(y, keras.activations.sigmoid(x))",
        "bce_logits",
        "sigmoid",
        lambda: _sigmoid_then_function(),
        0.0,
    ),
)
# name, head, the last layers as they are typed (see printing_model), form, whether introductions teach it
SIGMOID_LAYER = ("'sigmoid'", "", False)
MODELS = (
    ("keras Dense(sigmoid) + BinaryCrossentropy", "sigmoid", SIGMOID_LAYER, "model", True),
    ("keras Dense + BinaryCrossentropy(from_logits=True)", "logits", ("None", "", True), "class", True),
    (
        "keras Dense + float32 sigmoid + BinaryCrossentropy",
        "float32_sigmoid",
        ("None", ", keras.layers.Activation('sigmoid', dtype='float32')", False),
        "float32_sigmoid",
        False,
    ),
)
MODEL_FORMATS = (("model", ("float32", "float64")), ("model_mixed", ("float16", "bfloat16")))


def systems(library: str) -> list[System]:
    """Return the systems of Keras on one backend."""
    (entry,) = (entry for entry in LIBRARIES if entry.name == library)
    return [*_calls(entry), *_models(entry)]


def _gradients(library: Library) -> tuple[bool, ...]:
    """Return the values of `gradient`: the loss, and where the backend has autodiff, its derivative."""
    return (False, True) if library.trains else (False,)


def _calls(library: Library) -> list[System]:
    return [
        System(
            name,
            library.name,
            differentiated(problem, gradient),
            "eager",
            _load(library.backend, build, "eager", gradient),
            f"keras_{library.backend}_{form}",
            hard_targets=smoothing > 0,
            label_smoothing=smoothing,
            command=_printing(library.backend, typed, gradient) if typed else None,
        )
        for name, typed, problem, form, build, smoothing in CALLS
        for gradient in _gradients(library)
    ]


def _models(library: Library) -> list[System]:
    found, backend = [], library.backend
    for mode in MODES[backend]:
        for name, head, layers, form, taught in MODELS:
            for prefix, formats in MODEL_FORMATS:
                for gradient in _gradients(library):
                    traced = f"_{mode}" if mode == "xla" or (mode == "graph" and gradient) else ""
                    found.append(
                        System(
                            name,
                            library.name,
                            differentiated("bce_logits", gradient),
                            f"{prefix}_{mode}",
                            _load(backend, _model(head, formats), mode, gradient),
                            f"keras_{backend}{traced}_{form}",
                            formats=formats,
                            command=_printing_model(backend, layers, f"{prefix}_{mode}", gradient),
                            taught=taught,
                            by_default=head == "sigmoid" and mode == library.default_mode,
                        )
                    )
    return found
