"""One line of code that reproduces what a system returned at one input, as a user would write it.

A line prints one number.  Keras takes its backend from the environment, so its lines set that first.
"""

from __future__ import annotations

from harness.numbers.formats import format_named
from harness.tables.rows import Row

TORCH = {
    "torch.nn.functional.binary_cross_entropy": "F.binary_cross_entropy(x, y)",
    "torch.nn.functional.binary_cross_entropy_with_logits": "F.binary_cross_entropy_with_logits(x, y)",
    "torch.sigmoid + binary_cross_entropy": "F.binary_cross_entropy(x.sigmoid(), y)",
}
TORCH_MODELS = {
    "torch.nn.Linear + BCEWithLogitsLoss": "torch.nn.BCEWithLogitsLoss()(m(x), y)",
    "torch.nn.Linear + Sigmoid + BCELoss": "torch.nn.BCELoss()(m(x).sigmoid(), y)",
}
TENSORFLOW = {
    "tf.nn.sigmoid_cross_entropy_with_logits": "tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x)",
    "tf.nn.weighted_cross_entropy_with_logits": "tf.nn.weighted_cross_entropy_with_logits(y, x, pos_weight=1.0)",
}
KERAS = {
    "keras.losses.binary_crossentropy": "keras.losses.binary_crossentropy(y, x)",
    "keras.losses.binary_crossentropy(from_logits=True)": "keras.losses.binary_crossentropy(y, x, from_logits=True)",
    "keras.losses.BinaryCrossentropy": "keras.losses.BinaryCrossentropy()(y, x)",
    "keras.losses.BinaryCrossentropy(from_logits=True)": "keras.losses.BinaryCrossentropy(from_logits=True)(y, x)",
    "keras.activations.sigmoid + binary_crossentropy": "keras.losses.binary_crossentropy(y, keras.activations.sigmoid(x))",
}
# output layer's activation, further layers, from_logits
KERAS_MODELS = {
    "keras Dense(sigmoid) + BinaryCrossentropy": ("'sigmoid'", "", "False"),
    "keras Dense + BinaryCrossentropy(from_logits=True)": ("None", "", "True"),
    "keras Dense + float32 sigmoid + BinaryCrossentropy": (
        "None", ", keras.layers.Activation('sigmoid', dtype='float32')", "False",
    ),
}  # fmt: skip
TF_KERAS = {
    "tf_keras.losses.binary_crossentropy": "tf_keras.losses.binary_crossentropy(y, x)",
    "tf_keras.losses.binary_crossentropy(from_logits=True)": "tf_keras.losses.binary_crossentropy(y, x, from_logits=True)",
    "tf_keras.losses.BinaryCrossentropy": "tf_keras.losses.BinaryCrossentropy()(y, x)",
    "tf_keras.activations.sigmoid + binary_crossentropy": "tf_keras.losses.binary_crossentropy(y, tf_keras.activations.sigmoid(x))",
}
SKLEARN = {
    "sklearn.metrics.log_loss": "log_loss(y, x, labels=[0, 1])",
    "sklearn HalfBinomialLoss.loss": "HalfBinomialLoss().loss(y_true=y, raw_prediction=x)[0]",
    "sklearn HalfBinomialLoss.gradient": "HalfBinomialLoss().gradient(y_true=y, raw_prediction=x)[0]",
}
SCIPY = {
    "scipy.special.xlogy + xlog1py": "-(xlogy(y, x) + xlog1py(1 - y, -x))[0]",
    "scipy.special.log_expit pair": "-(y * log_expit(x) + (1 - y) * log_expit(-x))[0]",
}
# Keras' own name of how fit() runs a step, for each of TensorFlow's modes.
STEP = {"eager": "run_eagerly=True", "graph": "jit_compile=False", "xla": "jit_compile=True", "jit": "jit_compile=True"}


def line(row: Row, x: float) -> str | None:
    """Return a line of shell that prints the loss or gradient of a row's system at an input; None where there is none."""
    python = _python(row, x)
    if python is None:
        return None
    library = str(row["library"])
    setting = ""
    if library.startswith("keras-"):
        setting = f"KERAS_BACKEND={library.removeprefix('keras-')} "
    if library in ("jax", "optax", "keras-jax") and row["format"] == "float64" and row["mode"] != "jit_x32":
        setting += "JAX_ENABLE_X64=1 "
    return f'{setting}python -c "{python}"'


def _python(row: Row, x: float) -> str | None:
    library, name, mode = str(row["library"]), str(row["system"]), str(row["mode"])
    fmt = format_named(str(row["format"]))
    text = fmt.short(x)
    at = (text if "." in text or "e" in text else text + ".", str(row["target"]), fmt.name)
    gradient = str(row["problem"]).endswith("_grad")
    if library == "torch":
        return _torch(name, mode, gradient, *at)
    if library.startswith("keras-") and name in KERAS_MODELS:
        return _keras_model("keras", name, mode, gradient, *at)
    if library == "tf_keras" and name.removeprefix("tf_") in KERAS_MODELS:
        return _keras_model("tf_keras", name, mode, gradient, *at)
    if library in ("tensorflow", "tf_keras"):
        return _tensorflow(name, mode, gradient, *at)
    if library.startswith("keras-"):
        backend = library.removeprefix("keras-")
        return _keras(name, backend, gradient, *at) if name in KERAS else None
    if library == "optax":
        return _optax(mode, gradient, *at)
    return _array(library, name, *at)


def _torch(name: str, mode: str, gradient: bool, x: str, y: str, fmt: str) -> str | None:
    imports, context, made = "import torch, torch.nn.functional as F", "", ""
    kept = fmt
    if name in TORCH_MODELS and mode.startswith("model_autocast_"):
        context = f"torch.autocast('cpu', torch.{fmt}).__enter__(); "
        made = "m = torch.nn.Linear(1, 1); m.weight.data[:] = 1; m.bias.data[:] = 0; "
        kept, loss = "float32", TORCH_MODELS[name]
    elif name in TORCH and mode == "eager":
        loss = TORCH[name]
    else:
        return None
    inputs = f"x = torch.tensor([{x}], dtype=torch.{kept}, requires_grad=True); y = torch.tensor([{y}.], dtype=torch.{kept}); "
    shown = f"torch.autograd.grad({loss}, x)[0]" if gradient else loss
    return f"{imports}; {context}{made}{inputs}print({shown}.item())"


def _tensorflow(name: str, mode: str, gradient: bool, x: str, y: str, fmt: str) -> str | None:
    loss = TENSORFLOW.get(name) or TF_KERAS.get(name)
    if loss is None:
        return None
    imports = "import tensorflow as tf, tf_keras" if name in TF_KERAS else "import tensorflow as tf"
    inputs = f"x = tf.constant([{x}], tf.{fmt}); y = tf.constant([{y}], tf.{fmt})"
    start = f"{imports}; {inputs}; "
    if mode == "eager":
        if not gradient:
            return f"{start}print({loss}.numpy().item())"
        return f"{start}t = tf.GradientTape().__enter__(); t.watch(x); print(t.gradient({loss}, x).numpy().item())"
    compiled = ", jit_compile=True" if mode == "xla" else ""
    step = f"tf.gradients({loss}, x)[0]" if gradient else loss
    return f"{start}print(tf.function(lambda x, y: {step}{compiled})(x, y).numpy().item())"


def _keras(name: str, backend: str, gradient: bool, x: str, y: str, fmt: str) -> str | None:
    loss = KERAS[name]
    inputs = "; ".join(f"{v} = keras.ops.convert_to_tensor([{value}], '{fmt}')" for v, value in (("x", x), ("y", y)))
    if not gradient:
        return f"import keras; {inputs}; print(({loss}).numpy().item())"
    if backend == "tensorflow":
        watched = "t = tf.GradientTape().__enter__(); t.watch(x); "
        return f"import keras, tensorflow as tf; {inputs}; {watched}print(float(t.gradient({loss}, x)[0]))"
    if backend == "jax":
        return f"import keras, jax; {inputs}; print(float(jax.grad(lambda x: {loss}.sum())(x)[0]))"
    if backend == "torch":
        return (
            f"import keras, torch; {inputs}; x.requires_grad_(); print(float(torch.autograd.grad({loss}.sum(), x)[0]))"
        )
    return None


def _keras_model(keras: str, name: str, mode: str, gradient: bool, x: str, y: str, fmt: str) -> str:
    """Return a line with compile and evaluate, or with one step of gradient descent, whose bias is then -gradient."""
    activation, further, logits = KERAS_MODELS[name.removeprefix("tf_")]
    policy = f"{keras}.mixed_precision.set_global_policy('{'mixed_' if 'mixed' in mode else ''}{fmt}'); "
    layers = f"{keras}.Input((1,)), {keras}.layers.Dense(1, {activation}, kernel_initializer='ones'){further}"
    model = f"import {keras}, numpy as np; {policy}m = {keras}.Sequential([{layers}]); "
    loss = f"loss={keras}.losses.BinaryCrossentropy(from_logits={logits}), {STEP[mode.rpartition('_')[2]]}"
    data = f"np.array([[{x}]]), np.array([[{y}.]])"
    if not gradient:
        return f"{model}m.compile({loss}); print(m.evaluate({data}, verbose=0))"
    descent = f"m.compile({keras}.optimizers.SGD(1.0), {loss}); m.fit({data}, verbose=0)"
    return f"{model}{descent}; print(float(-m.get_weights()[1][0]))"


def _optax(mode: str, gradient: bool, x: str, y: str, fmt: str) -> str:
    call = "optax.sigmoid_binary_cross_entropy"
    call = f"jax.grad({call})" if gradient else call
    call = call if mode == "eager" else f"jax.jit({call})"
    return f"import jax, optax, jax.numpy as jnp; print(float({call}(*jnp.array([{x}, {y}], '{fmt}'))))"


def _array(library: str, name: str, x: str, y: str, fmt: str) -> str | None:
    if fmt == "bfloat16":
        return None
    inputs = f"import numpy as np; x, y = np.array([[{x}], [{y}]], '{fmt}')"
    if library == "sklearn" and name in SKLEARN:
        where = "sklearn.metrics import log_loss" if "log_loss" in name else "sklearn._loss import HalfBinomialLoss"
        return f"from {where}; {inputs}; print({SKLEARN[name]})"
    if library == "scipy" and name in SCIPY:
        return f"from scipy.special import log_expit, xlog1py, xlogy; {inputs}; print({SCIPY[name]})"
    return None
