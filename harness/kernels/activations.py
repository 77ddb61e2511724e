"""Kernels of the functions that losses are built from: sigmoid, softplus, log_sigmoid.

Each is a plain function of an array, used by the loss kernels as well as declared here.
"""

from __future__ import annotations

import math

from harness.kernels.registry import Array, kernel, like
from harness.numbers.formats import Format

MAECHLER = "M. Maechler (2012), Accurately Computing log(1-exp(-|a|)), CRAN package Rmpfr, vignette log1mexp-note"


@kernel(
    "sigmoid",
    "reciprocal",
    formula=r"1 / (1 + e^{-x})",
    source="SciPy==1.17.1 scipy/special/_logit.h",
    notes="e^{-x} overflows for very negative x, which gives 0 where a subnormal is due",
)
def sigmoid_reciprocal(x: Array) -> Array:
    xp, one = x.__array_namespace__(), like(1, x)
    return one / (one + xp.exp(-x))


@kernel(
    "sigmoid",
    "ratio",
    formula=r"e^{x} / (1 + e^{x})",
    source="textbook form",
    notes="inf / inf = NaN once e^x overflows",
)
def sigmoid_ratio(x: Array) -> Array:
    xp, one = x.__array_namespace__(), like(1, x)
    e = xp.exp(x)
    return e / (one + e)


@kernel(
    "sigmoid",
    "branched",
    formula=r"t = e^{-|x|};\ x \ge 0: 1 / (1 + t);\ x < 0: t / (1 + t)",
    source="PyTensor and many others: the two-branch form",
    notes="no overflow; correct to a few ulp in both tails",
)
def sigmoid_branched(x: Array) -> Array:
    xp, zero, one = x.__array_namespace__(), like(0, x), like(1, x)
    t = xp.exp(-xp.abs(x))
    return xp.where(x >= zero, one, t) / (one + t)


@kernel(
    "sigmoid",
    "tanh",
    formula=r"\tfrac12 (1 + \tanh(x/2))",
    source="identity; jax==0.10.2 XLA logistic used it for a time",
    notes="1 + tanh cancels for negative x: no correct digit below about -p ln 2",
)
def sigmoid_tanh(x: Array) -> Array:
    xp, one, half = x.__array_namespace__(), like(1, x), like("0.5", x)
    return half * (one + xp.tanh(half * x))


@kernel(
    "sigmoid_grad",
    "product",
    formula=r"s = 1 / (1 + e^{-x});\ s (1 - s)",
    source="textbook form; the backward pass of most libraries, which keep s",
    notes="1 - s cancels for large x: 0 once s rounds to 1",
)
def sigmoid_grad_product(x: Array) -> Array:
    s = sigmoid_reciprocal(x)
    return s * (like(1, x) - s)


@kernel(
    "sigmoid_grad",
    "two_sigmoids",
    formula=r"\sigma(x)\,\sigma(-x),\ \text{branched sigmoids}",
    source="identity",
    notes="no cancellation and no overflow",
)
def sigmoid_grad_two_sigmoids(x: Array) -> Array:
    return sigmoid_branched(x) * sigmoid_branched(-x)


@kernel(
    "sigmoid_grad",
    "exponential",
    formula=r"t = e^{-|x|};\ (t / (1 + t)) / (1 + t)",
    source="identity",
    notes="no cancellation and no overflow; one exponential",
)
def sigmoid_grad_exponential(x: Array) -> Array:
    xp, one = x.__array_namespace__(), like(1, x)
    t = xp.exp(-xp.abs(x))
    return (t / (one + t)) / (one + t)


@kernel(
    "softplus",
    "naive",
    formula=r"\log(1 + e^{x})",
    source="textbook form",
    notes="1 + e^x absorbs e^x for negative x; e^x overflows for large x",
)
def softplus_naive(x: Array) -> Array:
    xp, one = x.__array_namespace__(), like(1, x)
    return xp.log(one + xp.exp(x))


@kernel(
    "softplus",
    "log1p",
    formula=r"\log\mathrm{1p}(e^{x})",
    source="textbook form",
    notes="e^x overflows for large x",
)
def softplus_log1p(x: Array) -> Array:
    xp = x.__array_namespace__()
    return xp.log1p(xp.exp(x))


@kernel(
    "softplus",
    "shifted_log",
    formula=r"\max(x, 0) + \log(1 + e^{-|x|})",
    source="Paddle (source only), without log1p",
    notes="1 + e^{-|x|} absorbs the small term: 0 for very negative x",
)
def softplus_shifted_log(x: Array) -> Array:
    xp, zero, one = x.__array_namespace__(), like(0, x), like(1, x)
    return xp.maximum(x, zero) + xp.log(one + xp.exp(-xp.abs(x)))


@kernel(
    "softplus",
    "shifted",
    formula=r"\max(x, 0) + \log\mathrm{1p}(e^{-|x|})",
    source="the log-sum-exp form; tensorflow==2.21.0 tensorflow/python/ops/nn_impl.py",
    notes="no cancellation and no overflow",
)
def softplus_shifted(x: Array) -> Array:
    xp, zero = x.__array_namespace__(), like(0, x)
    return xp.maximum(x, zero) + xp.log1p(xp.exp(-xp.abs(x)))


@kernel(
    "softplus",
    "logaddexp",
    formula=r"\mathrm{logaddexp}(0, x)",
    source="jax==0.10.2 jax/_src/nn/functions.py; NumPy's logaddexp",
    notes="one library call; NumPy computes float16 in float32 inside it",
)
def softplus_logaddexp(x: Array) -> Array:
    return x.__array_namespace__().logaddexp(like(0, x), x)


def cutoff_exp(fmt: Format) -> float:
    """Give the x below which log1p(e^x) = e^x to half an ulp: e^x / 2 <= 2^-(p+1), so x = -p ln 2."""
    return -fmt.precision * math.log(2)


def cutoff_linear_exp(fmt: Format) -> float:
    """Give the x above which x + e^-x is enough: the next term, e^{-2x}/2 <= x 2^-(p+1).

    The least such x solves x = (p ln 2 - ln x) / 2, which contracts from x = 1.
    """
    return _fixed_point(lambda x: (fmt.precision * math.log(2) - math.log(x)) / 2)


def cutoff_linear(fmt: Format) -> float:
    """Give the x above which x alone is enough: the next term, e^-x <= x 2^-(p+1)."""
    return _fixed_point(lambda x: (fmt.precision + 1) * math.log(2) - math.log(x))


def _fixed_point(step) -> float:  # type: ignore[no-untyped-def]
    x = 2.0
    for _ in range(200):
        x = step(x)
    return x


CUTOFFS = {"low": cutoff_exp, "mid": cutoff_linear_exp, "high": cutoff_linear}
FLOAT64_CUTOFFS = {"low": "-37", "mid": "18", "high": "33.3"}


@kernel(
    "softplus",
    "maechler",
    formula=r"x \le c_0: e^x;\ x \le c_1: \log\mathrm{1p}(e^x);\ x \le c_2: x + e^{-x};\ \text{else } x",
    source=MAECHLER,
    notes="cutoffs derived for each format from its precision",
    variants={"": CUTOFFS},
)
@kernel(
    "softplus",
    "maechler64",
    formula=r"x \le -37: e^x;\ x \le 18: \log\mathrm{1p}(e^x);\ x \le 33.3: x + e^{-x};\ \text{else } x",
    source=MAECHLER + "; PyTensor and Theano used these cutoffs in every format",
    notes="float64's cutoffs in every format: e^x overflows before 18 in float16",
    variants={"": FLOAT64_CUTOFFS},
)
def softplus_maechler(x: Array, low: Array, mid: Array, high: Array) -> Array:
    xp = x.__array_namespace__()
    e = xp.exp(x)
    return xp.where(x <= low, e, xp.where(x <= mid, xp.log1p(e), xp.where(x <= high, x + xp.exp(-x), x)))


@kernel(
    "softplus",
    "threshold20",
    formula=r"x > 20: x;\ \text{else } \log\mathrm{1p}(e^x)",
    source="torch==2.13.0 aten/src/ATen/native/cpu/Activation.cpp",
    notes="20 is too early for float64, where e^-20 is 2e-9, and too late for float16, where e^x overflows at 11.09",
)
def softplus_threshold20(x: Array) -> Array:
    xp = x.__array_namespace__()
    return xp.where(x > like(20, x), x, xp.log1p(xp.exp(x)))


def tensorflow_threshold(fmt: Format) -> float:
    """Give t = log(machine epsilon) + 2, TensorFlow's softplus threshold."""
    return math.log(fmt.machine_epsilon) + 2


@kernel(
    "softplus",
    "tensorflow",
    formula=r"t = \log\varepsilon_{mach} + 2;\ x > -t: x;\ x < t: e^x;\ \text{else } \log\mathrm{1p}(e^x)",
    source="tensorflow==2.21.0 tensorflow/core/kernels/softplus_op.h",
    notes="at the thresholds the neglected term is e^2 = 7.4 times machine epsilon",
    variants={"": {"t": tensorflow_threshold}},
)
def softplus_tensorflow(x: Array, t: Array) -> Array:
    xp = x.__array_namespace__()
    e = xp.exp(x)
    return xp.where(x > -t, x, xp.where(x < t, e, xp.log1p(e)))


@kernel(
    "log_sigmoid",
    "naive",
    formula=r"\log(1 / (1 + e^{-x}))",
    source="textbook form",
    notes="sigma(x) rounds to 1 for large x: the result is 0 there; e^{-x} overflows for very negative x",
)
def log_sigmoid_naive(x: Array) -> Array:
    return x.__array_namespace__().log(sigmoid_reciprocal(x))


@kernel(
    "log_sigmoid",
    "negated_softplus",
    formula=r"-(\max(-x, 0) + \log\mathrm{1p}(e^{-|x|}))",
    source="jax==0.10.2 jax/_src/nn/functions.py: log_sigmoid(x) = -softplus(-x)",
    notes="no cancellation and no overflow",
)
def log_sigmoid_negated_softplus(x: Array) -> Array:
    return -softplus_shifted(-x)


@kernel(
    "log_sigmoid",
    "torch",
    formula=r"\min(x, 0) - \log\mathrm{1p}(e^{-|x|})",
    source="torch==2.13.0 aten/src/ATen/native/cpu/Activation.cpp",
    notes="no cancellation: both terms are at most 0",
)
def log_sigmoid_torch(x: Array) -> Array:
    xp, zero = x.__array_namespace__(), like(0, x)
    return xp.minimum(x, zero) - xp.log1p(xp.exp(-xp.abs(x)))


@kernel(
    "log_sigmoid",
    "log_expit",
    formula=r"x < 0: x - \log\mathrm{1p}(e^{x});\ \text{else } -\log\mathrm{1p}(e^{-x})",
    source="SciPy==1.17.1 scipy/special/_logit.h",
    notes="the same sums as torch's form, by branches",
)
def log_sigmoid_log_expit(x: Array) -> Array:
    xp, zero = x.__array_namespace__(), like(0, x)
    log1p = xp.log1p(xp.exp(-xp.abs(x)))
    return xp.where(x < zero, x - log1p, -log1p)
