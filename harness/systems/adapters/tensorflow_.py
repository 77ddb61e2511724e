"""TensorFlow's fused losses and activations: eager, in a graph, and compiled by XLA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.kernels import activations
from harness.kernels.registry import Array, like
from harness.systems.casts import inside32
from harness.systems.commands import shell
from harness.systems.registry import Call, Library, Point, System, differentiated
from harness.systems.replicas import replica

OWN_MATHS = "its exp, log and log1p of float32 and float64 are not NumPy's, and differ in the last places"
FLUSH = "subnormal numbers of float32 and bfloat16 are flushed to zero"
LIBRARIES = (
    Library(
        "tensorflow",
        __name__,
        ("tensorflow",),
        {},
        f"{FLUSH}; {OWN_MATHS}; XLA's log1p of float16 is not computed in float32, and differs from NumPy's",
        order=20,
        quick=True,
    ),
)

# -- calls -------------------------------------------------------------------------------------

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


def derivative(function: Function) -> Function:
    """Return the function's derivative by its first argument, element by element, by tf.GradientTape."""

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

        run = derivative(function) if gradient else function
        if mode != "eager":
            run = tf.function(run, jit_compile=mode == "xla")
        return lambda *inputs: np.asarray(run(*map(tf.constant, inputs)))

    return loaded


def printing(imports: str, loss: str, mode: str, gradient: bool) -> Callable[[Point], str]:
    """Return the writer of a line that prints a loss of the tensors x and y in a mode, or its gradient."""
    if mode == "eager" and gradient:
        shown = f"t = tf.GradientTape().__enter__(); t.watch(x); print(t.gradient({loss}, x).numpy().item())"
    elif mode == "eager":
        shown = f"print({loss}.numpy().item())"
    else:
        step = f"tf.gradients({loss}, x)[0]" if gradient else loss
        compiled = ", jit_compile=True" if mode == "xla" else ""
        shown = f"print(tf.function(lambda x, y: {step}{compiled})(x, y).numpy().item())"
    return lambda at: shell(
        f"import {imports}; x = tf.constant([{at.x}], tf.{at.fmt}); y = tf.constant([{at.y}], tf.{at.fmt}); {shown}"
    )


MODES = ("eager", "graph", "xla")
GRAPH = ("eager", "graph", "eager")  # a graph adds up a gradient's terms in an order of its own; XLA does not
# name, function, the same as it is typed, problem, replica of the value in each of MODES, and of the gradient
CALLS: tuple[tuple[str, Function, str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "tf.nn.sigmoid_cross_entropy_with_logits",
        _sigmoid_ce,
        "tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x)",
        "bce_logits",
        ("lse_log1p",) * 3,
        tuple(f"tensorflow_{order}" for order in GRAPH),
    ),
    (
        "tf.nn.weighted_cross_entropy_with_logits",
        _weighted_ce,
        "tf.nn.weighted_cross_entropy_with_logits(y, x, pos_weight=1.0)",
        "bce_logits",
        ("linear_softplus",) * 3,
        tuple(f"tf_weighted_{order}" for order in GRAPH),
    ),
    ("tf.math.sigmoid", _sigmoid, "", "sigmoid", ("eigen", "eigen", "xla"), ()),
    ("tf.math.softplus", _softplus, "", "softplus", ("tensorflow_eigen",) * 3, ()),
    ("tf.math.log_sigmoid", _log_sigmoid, "", "log_sigmoid", ("tensorflow",) * 3, ()),
)


def systems(library: str) -> list[System]:
    """Return the systems of tensorflow: losses and activations with gradients, in every mode, and their lines."""
    return [
        System(
            name,
            library,
            differentiated(problem, gradient),
            mode,
            load(function, mode, gradient),
            replicas[gradient][i],
            command=printing("tensorflow as tf", typed, mode, gradient) if typed else None,
            taught=function is _sigmoid_ce,
            by_default=function is _sigmoid_ce and mode == "graph",
        )
        for name, function, typed, problem, *replicas in CALLS
        for i, mode in enumerate(MODES)
        for gradient in ((False, True) if replicas[True] else (False,))
    ]


# -- replicas: the branches, and the orders in which gradients add up --------------------------

reciprocal = activations.sigmoid_reciprocal
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
    """Compute -y (1/q) + (1-y) (1/(1-q)), the gradient of the logs as TensorFlow multiplies it out."""
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
    lambda x: inside32(reciprocal)(x) if x.dtype != np.float16 else reciprocal(x)
)
