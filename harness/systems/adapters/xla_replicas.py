"""Replica kernels of TensorFlow, XLA and JAX: their branches, and the orders in which gradients add up."""

from __future__ import annotations

import numpy as np

from harness.kernels import activations, bce_logits
from harness.kernels.registry import Array, like
from harness.systems.adapters.replicas import in32, replica
from harness.systems.adapters.torch_replicas import sigmoid32

reciprocal = activations.sigmoid_reciprocal

# -- TensorFlow --------------------------------------------------------------------------------

TF = "tensorflow==2.21.0 tensorflow/python/ops/nn_impl.py and math_grad.py"


def eigen_sigmoid(x: Array) -> Array:
    """Compute e^x / (1 + e^x), or 1 where e^x overflows: Eigen's scalar_logistic_op."""
    e = np.exp(x)
    return np.where(np.isinf(e), like(1, x), e / (like(1, x) + e))


def _tail_gradient(x: Array) -> Array:
    """Compute the derivative of log1p(e^{-|x|}): -+ e (1/(1+e)), as TensorFlow's rules multiply it."""
    e = np.exp(-np.abs(x))
    t = (like(1, x) / (like(1, x) + e)) * e
    return np.where(x >= like(0, x), -t, t)


def tf_fused_eager(x: Array, y: Array) -> Array:
    """Compute ([x >= 0] - y) + tail', the order in which the eager tape adds."""
    return (np.where(x >= like(0, x), like(1, x), like(0, x)) - y) + _tail_gradient(x)


def tf_fused_graph(x: Array, y: Array) -> Array:
    """Compute (tail' + [x >= 0]) - y, the order in which a graph adds."""
    return (_tail_gradient(x) + np.where(x >= like(0, x), like(1, x), like(0, x))) - y


def _weighted_parts(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return (1-y), tail' with |x|' = 0 at 0, and relu(-x)' = -[x < 0]."""
    zero, one = like(0, x), like(1, x)
    e = np.exp(-np.abs(x))
    return one - y, (-(np.sign(x))) * ((one / (one + e)) * e), np.where(x < zero, -one, zero)


def tf_weighted_eager(x: Array, y: Array) -> Array:
    """Compute ((1-y) + relu') + tail', the order in which the eager tape adds."""
    linear, tail, relu = _weighted_parts(x, y)
    return (linear + relu) + tail


def tf_weighted_graph(x: Array, y: Array) -> Array:
    """Compute (1-y) + (relu' + tail'), the order in which a graph adds."""
    linear, tail, relu = _weighted_parts(x, y)
    return linear + (relu + tail)


def tf_softplus(x: Array) -> Array:
    """Compute TensorFlow's branches; its epsilon of float16 is Eigen's 2^-13, not 2^-10."""
    epsilon = 2.0**-13 if x.dtype == np.float16 else float(np.finfo(x.dtype).eps) if x.dtype.itemsize > 2 else 2.0**-7
    t = np.log(np.asarray(epsilon).astype(x.dtype)) + like(2, x)
    e = np.exp(x)
    return np.where(x > -t, x, np.where(x < t, e, np.log1p(e)))


def tf_log_reciprocal(q: Array, y: Array) -> Array:
    """Compute -y (1/q) + (1-y) (1/(1-q))."""
    one = like(1, q)
    return -y * (one / q) + (one - y) * (one / (one - q))


def tf_clip_gradient(p: Array, y: Array) -> Array:
    """Compute the derivative of Keras's clipped loss: 0 outside [eps, 1-eps]."""
    eps = like("1e-7", p)
    high = like(1, p) - eps
    g = tf_log_reciprocal(np.minimum(np.maximum(p, eps), high), y)
    return np.where((p < eps) | (p > high), like(0, p), g)


replica("sigmoid", "eigen", r"e^x/(1+e^x)", "eigen scalar_logistic_op (Eigen/src/Core/functors/UnaryFunctors.h)")(
    eigen_sigmoid
)
replica("softplus", "tensorflow_eigen", r"\text{as softplus tensorflow}", TF)(tf_softplus)
replica("log_sigmoid", "tensorflow", r"-\mathrm{softplus}(-x)", TF)(lambda x: -tf_softplus(-x))
replica("bce_logits_grad", "tf_weighted_eager", r"((1-y) - [x < 0]) \mp e(1/(1+e))", TF)(tf_weighted_eager)
replica("bce_logits_grad", "tf_weighted_graph", r"(1-y) + (-[x < 0] \mp e(1/(1+e)))", TF)(tf_weighted_graph)
replica("bce_logits_grad", "tensorflow_eager", r"([x \ge 0] - y) \mp e(1/(1+e)),\ e = e^{-|x|}", TF)(tf_fused_eager)
replica("bce_logits_grad", "tensorflow_graph", r"([x \ge 0] \mp e(1/(1+e))) - y", TF)(tf_fused_graph)
replica("bce_grad", "tensorflow_clip", r"-y (1/q) + (1-y)(1/(1-q)),\ 0\ \text{outside}", TF)(tf_clip_gradient)

replica("sigmoid", "xla", r"1/(1+e^{-x})", "XLA: HLO logistic", "bfloat16 is computed in float32")(
    lambda x: sigmoid32(x) if x.dtype != np.float16 else reciprocal(x)
)

# -- JAX ---------------------------------------------------------------------------------------


def jax_pair_gradient(x: Array, y: Array) -> Array:
    """Compute -y exp(-x - sp(-x)) + (1-y) exp(x - sp(x)): logaddexp's own derivative."""

    def slope(v: Array) -> Array:
        zero, out = like(0, v), activations.softplus_shifted(v)  # an infinite one counts as 0 there
        top: Array = np.where(np.isposinf(v), zero, v)
        return np.exp(top - np.where(np.isposinf(out), zero, out))

    return -y * slope(-x) + (like(1, x) - y) * slope(x)


replica(
    "bce_logits_grad",
    "jax",
    r"(1-y) e^{x - \mathrm{sp}(x)} - y e^{-x - \mathrm{sp}(-x)}",
    "jax==0.10.2 jax/_src/numpy/ufuncs.py: logaddexp",
    "x - softplus(x) cancels for large x",
)(jax_pair_gradient)
JAX = "jax==0.10.2 jax/_src/nn/functions.py"
X32 = "float64 inputs are rounded to float32 first, without a warning"
for _problem, _name, _function in (
    ("sigmoid", "reciprocal", reciprocal),
    ("softplus", "shifted", activations.softplus_shifted),
    ("log_sigmoid", "negated_softplus", activations.log_sigmoid_negated_softplus),
    ("bce_logits", "softplus_pair", bce_logits.softplus_pair),
    ("bce_logits_grad", "jax", jax_pair_gradient),
):
    replica(_problem, f"{_name}_x32", rf"\text{{{_name} in float32}}", JAX, X32)(in32(_function))
