"""What each backend of Keras 3 computes: losses and gradients from p and from x, and the sigmoid between.

The replicas in forms.py put each form's casts around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.kernels import activations, bce_logits, gradients, kernel_named
from harness.kernels import bce as probability
from harness.kernels.registry import Array, like
from harness.systems.adapters.jax_ import jax_pair_gradient
from harness.systems.adapters.tensorflow_ import eigen_sigmoid, tf_clip_gradient, tf_fused_eager, tf_fused_graph
from harness.systems.adapters.torch_ import (
    sigmoid32,
    torch_floor,
    torch_logits,
    torch_logits_grad,
    torch_sigmoid_backward,
)
from harness.systems.casts import inside32, narrow64

Function = Callable[..., Array]


@dataclass(frozen=True)
class Backend:
    """Hold what a backend computes: losses and gradients from p and from x, the sigmoid and its backward.

    `formulas` are those of bce and fused (LaTeX).  `recovers`: a sigmoid's output is traced back to its
    logit; `mean` is that over one number.
    """

    name: str
    source: str
    formulas: tuple[str, str]
    bce: Function
    bce_grad: Function
    fused: Function
    fused_grad: Function
    sigmoid: Function
    backward: Function
    recovers: bool = False
    mean: Function = lambda v: v


def clipped_p(p: Array) -> Array:
    """Compute min(max(p, 1e-7), 1 - 1e-7), the bounds rounded into the format."""
    return probability.clip(p, like("1e-7", p))


def inside_clip(p: Array, g: Array) -> Array:
    """Pass a gradient where the clip to [1e-7, 1 - 1e-7] changes nothing; 0 outside."""
    return np.where(clipped_p(p) == p, g, like(0, p))


def _clipped(p: Array, y: Array) -> Array:
    return kernel_named("bce", "clip_1e-7")(p, y)


def _clipped_grad(p: Array, y: Array) -> Array:
    return kernel_named("bce_grad", "clip_1e-7")(p, y)


def _product(p: Array, g: Array) -> Array:
    return g * (p * (like(1, p) - p))


def product_left(p: Array, g: Array) -> Array:
    """Compute (g p) (1 - p), the sigmoid's backward as TensorFlow multiplies it."""
    return (g * p) * (like(1, p) - p)


def xla_sigmoid(x: Array) -> Array:
    """Compute 1/(1+e^{-x}); from bfloat16 the result stays in float32, a rounding that TensorFlow's XLA leaves out."""
    return activations.sigmoid_reciprocal(x.astype(np.float32) if x.dtype.name == "bfloat16" else x)


def _float32_mean(v: Array) -> Array:
    """Round float64 through float32: Keras on JAX and on torch takes the mean in float32."""
    return v.astype(np.float32).astype(v.dtype)


def _numpy_bce(p: Array, y: Array) -> Array:
    """Compute the backend's own lines: np.clip with Python scalars makes float32 of bfloat16."""
    q = np.clip(p, 1e-7, 1.0 - 1e-7)
    return -(y * np.log(q) + (1.0 - y) * np.log(1.0 - q))


def openvino(function: Function) -> Function:
    """Compute float16 and float64 in float32, and bfloat16 as it comes."""

    def run(*inputs: Array) -> Array:
        return narrow64(inside32(function) if inputs[0].dtype == np.float16 else function)(*inputs)

    return run


def _openvino_sigmoid(x: Array) -> Array:
    """Compute 1/(1+e^{-x}); from float16 the result stays in float32."""
    return narrow64(activations.sigmoid_reciprocal)(x.astype(np.float32) if x.dtype == np.float16 else x)


def _openvino_fused(x: Array, y: Array) -> Array:
    """Compute y sp(-x) + (1-y) sp(x) with sp(x) = log(1 + e^x), or x where e^x overflows."""

    def softplus(v: Array) -> Array:
        e = np.exp(v)
        return np.where(np.isinf(e), v, np.log(like(1, v) + e))

    return y * softplus(-x) + (like(1, x) - y) * softplus(x)


CLIP = r"q = \min(\max(p, \epsilon), 1-\epsilon);\ "
LOGS = CLIP + r"-(y \log q + (1-y) \log(1-q))"
SHIFTED = r"(\max(x,0) - x y) + \log\mathrm{1p}(e^{-|x|})"
PAIR = r"-y \log\sigma(x) - (1-y) \log\sigma(-x)"
TF, JAX = (LOGS, SHIFTED), (LOGS, PAIR)
TORCH = (CLIP + r"(y-1) \max(\log\mathrm{1p}(-q), -100) - y \max(\log q, -100)", r"(1-y) x - \log\sigma(x)")
NUMPY = (LOGS, r"p = \sigma(x);\ " + LOGS)
OPENVINO = (LOGS, r"y \log(1+e^{-x}) + (1-y) \log(1+e^{x})")
SOURCE = "keras==3.15.1 keras/src/backend/{}/nn.py, keras/src/losses"
_eager = Backend(
    "keras_tensorflow",
    SOURCE.format("tensorflow"),
    TF,
    _clipped,
    tf_clip_gradient,
    bce_logits.lse_log1p,
    tf_fused_eager,
    eigen_sigmoid,
    product_left,
    recovers=True,
)
BACKENDS = (
    _eager,
    replace(_eager, name="keras_tensorflow_graph", fused_grad=tf_fused_graph),
    replace(_eager, name="keras_tensorflow_xla", sigmoid=xla_sigmoid),
    Backend(
        "keras_jax",
        SOURCE.format("jax"),
        JAX,
        _clipped,
        _clipped_grad,
        bce_logits.softplus_pair,
        jax_pair_gradient,
        activations.sigmoid_reciprocal,
        _product,
        mean=_float32_mean,
    ),
    Backend(
        "keras_torch",
        SOURCE.format("torch"),
        TORCH,
        lambda p, y: probability.clamp_log_100(clipped_p(p), y),
        lambda p, y: inside_clip(p, torch_floor(clipped_p(p), y)),
        torch_logits,
        torch_logits_grad,
        sigmoid32,
        torch_sigmoid_backward,
        mean=_float32_mean,
    ),
    Backend(
        "keras_numpy",
        SOURCE.format("numpy"),
        NUMPY,
        narrow64(_numpy_bce),
        gradients.bce_direct,
        narrow64(lambda x, y: _numpy_bce(activations.sigmoid_reciprocal(x), y)),
        gradients.sigmoid_minus_target,
        narrow64(activations.sigmoid_reciprocal),
        _product,
    ),
    Backend(
        "keras_openvino",
        SOURCE.format("openvino"),
        OPENVINO,
        openvino(_clipped),
        _clipped_grad,
        openvino(_openvino_fused),
        gradients.sigmoid_minus_target,
        _openvino_sigmoid,
        _product,
    ),
)
