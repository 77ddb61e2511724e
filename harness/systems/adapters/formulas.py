"""Replica kernels of scikit-learn, SciPy, statsmodels, PyTensor and the boosted-tree libraries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.kernels import activations, kernel_named
from harness.kernels.registry import Array, like
from harness.systems.adapters.replicas import in64, replica, widen16

# -- scikit-learn ------------------------------------------------------------------------------

SKLEARN = "scikit-learn==1.9.1 sklearn/_loss/_loss.pyx.tp"
DOUBLE = "double inside, rounded to the format at the end"


def inside64(function: Callable[..., Array]) -> Callable[..., Array]:
    """Compute in float64, and round the result back once."""
    return lambda *inputs: in64(function)(*inputs).astype(inputs[0].dtype)


def _log1pexp(x: Array) -> Array:
    e = np.exp(x)
    low, middle = np.where(x <= -37, e, np.log1p(e)), np.log(1 + e)
    high = np.where(x <= 33.3, x + np.exp(-x), x)
    return np.where(x <= -2, low, np.where(x <= 18, middle, high))


@replica("bce_logits", "sklearn_loss", r"\mathrm{log1pexp}(x) - y x", SKLEARN, DOUBLE)
@inside64
def sklearn_loss(x: Array, y: Array) -> Array:
    """Compute CyHalfBinomialLoss.cy_loss."""
    return _log1pexp(x) - y * x


@replica(
    "bce_logits",
    "sklearn_loss_gradient",
    r"x \le -37: e^x - yx;\ \le -2: \log\mathrm{1p}(e^x) - yx;\ \le 18: \log\mathrm{1p}(e^{-x}) + (1-y)x;\ e^{-x} + (1-y)x",
    SKLEARN,
    DOUBLE,
)
@inside64
def sklearn_loss_gradient(x: Array, y: Array) -> Array:
    """Compute the loss of cy_grad: the same function by other branches."""
    e, f = np.exp(x), np.exp(-x)
    low = np.where(x <= -37, e, np.log1p(e)) - y * x
    return np.where(x <= -2, low, np.where(x <= 18, np.log1p(f), f) + (1 - y) * x)


@replica(
    "bce_logits_grad",
    "sklearn_gradient",
    r"x > -37: ((1-y) - y e^{-x}) / (1 + e^{-x});\ e^x - y",
    SKLEARN,
    DOUBLE,
)
@inside64
def sklearn_gradient(x: Array, y: Array) -> Array:
    """Compute cy_gradient."""
    f = np.exp(-x)
    return np.where(x > -37, ((1 - y) - y * f) / (1 + f), np.exp(x) - y)


@replica(
    "bce_logits_grad",
    "sklearn_pair_gradient",
    r"x \le -37: e^x - y;\ \le -2: ((1-y) e^x - y) / (1 + e^x);\ ((1-y) - y e^{-x}) / (1 + e^{-x})",
    SKLEARN,
    DOUBLE,
)
@inside64
def sklearn_pair_gradient(x: Array, y: Array) -> Array:
    """Compute the gradient that comes with sklearn_loss_gradient."""
    e, f = np.exp(x), np.exp(-x)
    low = np.where(x <= -37, e - y, ((1 - y) * e - y) / (1 + e))
    return np.where(x <= -2, low, ((1 - y) - y * f) / (1 + f))


# -- SciPy, statsmodels, PyTensor --------------------------------------------------------------

SCIPY = "SciPy==1.17.1 scipy/special/_logit.h"
NARROW = "16-bit inputs come back as float64"


def _narrow64(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda *inputs: function(*(v.astype(np.float64) if v.dtype.itemsize == 2 else v for v in inputs))


replica("sigmoid", "scipy", "1/(1+e^{-x})", SCIPY, NARROW)(_narrow64(activations.sigmoid_reciprocal))
replica("log_sigmoid", "scipy", r"x < 0: x - \log\mathrm{1p}(e^x);\ -\log\mathrm{1p}(e^{-x})", SCIPY, NARROW)(
    _narrow64(activations.log_sigmoid_log_expit)
)


def _scipy_pair(x: Array, y: Array) -> Array:
    log_expit = _narrow64(activations.log_sigmoid_log_expit)
    return -(y * log_expit(x) + (y.dtype.type(1) - y) * log_expit(-x))


replica(
    "softplus",
    "scipy",
    r"\log(e^0 + e^x),\ \text{shifted by the maximum}",
    SCIPY,
    "bfloat16 comes back as float64",
)(lambda x: activations.softplus_shifted(x.astype(np.float64) if x.dtype.name == "bfloat16" else x))
replica("bce_logits", "scipy", r"-(y \log\sigma(x) + (1-y) \log\sigma(-x))", SCIPY, NARROW)(_scipy_pair)
replica("bce", "scipy", r"-(\mathrm{xlogy}(y,p) + \mathrm{xlog1py}(1-y,-p))", SCIPY, NARROW)(
    lambda p, y: _narrow64(
        lambda p, y, z: -(np.where(y == 0, 0, y * np.log(p)) + np.where(z == 0, 0, z * np.log1p(-p)))
    )(p, y, y.dtype.type(1) - y)
)


@replica(
    "bce_logits",
    "statsmodels_logit",
    r"-\log(1/(1+e^{-qx})),\ q = 2y-1",
    "statsmodels==0.15.0 statsmodels/discrete/discrete_model.py",
    "bfloat16 comes back as float32",
)
@widen16
def statsmodels_logit(x: Array, y: Array) -> Array:
    """Compute -Logit.loglikeobs."""
    q = 2 * y - 1
    return -np.log(1 / (1 + np.exp(-(q * x))))


@replica(
    "bce",
    "statsmodels_binomial",
    r"-(y \log((p + 10^{-20})/(1-p + 10^{-20})) + \log(1-p + 10^{-20}))",
    "statsmodels==0.15.0 statsmodels/genmod/families/family.py",
)
def statsmodels_binomial(p: Array, y: Array) -> Array:
    """Compute -Binomial.loglike_obs for hard targets."""
    # n is 1.0 in float64 there, and so is the sum.
    return -(y * np.log((p + 1e-20) / (1 - p + 1e-20)) + np.float64(1) * np.log(1 - p + 1e-20))


PYTENSOR = "pytensor==3.0.7 pytensor/tensor/rewriting/math.py: log(sigmoid(x)) becomes -softplus(-x)"


def _softplus64(x: Array) -> Array:
    return kernel_named("softplus", "maechler64")(x)


replica("log_sigmoid", "pytensor", r"-\mathrm{softplus}(-x)", PYTENSOR)(lambda x: -_softplus64(-x))
replica("bce_logits", "pytensor", r"y\,\mathrm{softplus}(-x) + (1-y)\,\mathrm{softplus}(x)", PYTENSOR)(
    lambda x, y: y * _softplus64(-x) + (like(1, x) - y) * _softplus64(x)
)


@replica("bce_logits_grad", "pytensor", r"-y (1-\sigma(x)) + (1-y)\,\sigma(x)", PYTENSOR, "1 - sigma cancels")
def pytensor_gradient(x: Array, y: Array) -> Array:
    """Compute the gradient as PyTensor's rewrites leave it."""
    one, s = like(1, x), activations.sigmoid_reciprocal(x)
    return -y * (one - s) + (one - y) * s


# -- boosted trees -----------------------------------------------------------------------------


@replica(
    "bce_logits",
    "xgboost",
    r"p = 1/(e^{\min(-x, 88.7)} + 1 + 10^{-16});\ -y\log\max(p,10^{-16}) - (1-y)\log\max(1-p,10^{-16})",
    "xgboost==3.2.0 src/common/math.h, src/metric/elementwise_metric.cu",
    "float32; a term of zero weight is skipped",
)
def xgboost_logloss(x: Array, y: Array) -> Array:
    """Compute XGBoost's sigmoid and logloss."""
    f32 = np.float32
    p = f32(1) / ((np.exp(np.minimum(-x.astype(f32), f32(88.7))) + f32(1)) + f32(1e-16))
    return np.where(y == 1, -np.log(np.maximum(p, f32(1e-16))), -np.log(np.maximum(f32(1) - p, f32(1e-16))))


def _lightgbm(x: Array, y: Array, floor: np.floating) -> Array:
    p = 1 / (1 + np.exp(-x.astype(np.float64)))
    q = np.where(y > 0, p, 1 - p)
    return np.where(q > floor, -np.log(q), np.float64(-np.log(floor)))


replica(
    "bce_logits",
    "lightgbm",
    r"q = y > 0\ ?\ p : 1-p;\ -\log\max(q, 10^{-15})",
    "lightgbm==4.7.0 src/metric/binary_metric.hpp",
    "double; the floor and its log are float32",
)(lambda x, y: _lightgbm(x, y, np.float32(1e-15)))
replica(
    "bce_logits",
    "lightgbm_cross_entropy",
    r"-\log\max(q, 10^{-12})",
    "lightgbm==4.7.0 src/metric/xentropy_metric.hpp",
    "double",
)(lambda x, y: _lightgbm(x, y, np.float64(1e-12)))


@replica(
    "bce_logits",
    "catboost",
    r"(\mathrm{finite}(e^x)\ ?\ \log(1+e^x) : x) - y x",
    "catboost==1.2.10 catboost/libs/metrics/metric.cpp",
    "double",
)
def catboost_logloss(x: Array, y: Array) -> Array:
    """Compute CatBoost's Logloss."""
    e = np.exp(x.astype(np.float64))
    return np.where(np.isfinite(e), np.log(1 + e), x) - y * x
