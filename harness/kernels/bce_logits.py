"""Kernels of bce_logits(x, y) = y softplus(-x) + (1-y) softplus(x): from a logit."""

from __future__ import annotations

from harness.kernels import bce
from harness.kernels.activations import (
    CUTOFFS,
    sigmoid_reciprocal,
    softplus_maechler,
    softplus_naive,
    softplus_shifted,
    softplus_threshold20,
)
from harness.kernels.families import CLIPPED, EPS_ADDED, LINEAR_TERM, NO_CLAMP, OTHER_CLAMPS, TWO_SOFTPLUS
from harness.kernels.registry import Array, kernel, like

SIGMOID = r"p = 1/(1+e^{-x});\ "
ROUNDED = "sigma(x) rounds to 1 for x > (p+1) ln 2: what was lost there no kernel can recover"


@kernel(
    "bce_logits",
    "sigmoid_naive",
    family=NO_CLAMP,
    formula=SIGMOID + r"-(y \log p + (1-y) \log(1-p))",
    source="textbook form",
    notes=ROUNDED + "; then log 0 is infinite, and 0 * log 0 is NaN",
)
def sigmoid_naive(x: Array, y: Array) -> Array:
    return bce.naive(sigmoid_reciprocal(x), y)


@kernel(
    "bce_logits",
    "sigmoid_log1p",
    family=NO_CLAMP,
    formula=SIGMOID + r"-(y \log p + (1-y) \log\mathrm{1p}(-p))",
    source="textbook form",
    notes=ROUNDED + "; log1p cures small p only",
)
def sigmoid_log1p(x: Array, y: Array) -> Array:
    return bce.naive_log1p(sigmoid_reciprocal(x), y)


@kernel(
    "bce_logits",
    "sigmoid_clip",
    family=CLIPPED,
    formula=SIGMOID + r"q = \min(\max(p, \epsilon), 1-\epsilon);\ -(y \log q + (1-y) \log(1-q))",
    source="keras==3.15.1 keras/src/backend/numpy/nn.py (1e-7)",
    notes=ROUNDED + "; plateau at -log eps, where the gradient is 0",
    variants=bce.CLIP_EPS,
)
def sigmoid_clip(x: Array, y: Array, eps: Array) -> Array:
    return bce.clipped(sigmoid_reciprocal(x), y, eps)


@kernel(
    "bce_logits",
    "sigmoid_add_eps",
    family=EPS_ADDED,
    formula=SIGMOID + r"-(y \log(p + \epsilon) + (1-y) \log((1-p) + \epsilon))",
    source="widespread in tutorials",
    notes=ROUNDED + "; biased by eps everywhere",
    variants=bce.EPS,
)
def sigmoid_add_eps(x: Array, y: Array, eps: Array) -> Array:
    return bce.add_eps(sigmoid_reciprocal(x), y, eps)


@kernel(
    "bce_logits",
    "sigmoid_clip_add_eps",
    family=EPS_ADDED,
    formula=SIGMOID
    + r"q = \min(\max(p, \epsilon), 1-\epsilon);\ -(y \log(q + \epsilon) + (1-y) \log((1-q) + \epsilon))",
    source="tf_keras==2.21.0 tf_keras/src/backend.py, where the sigmoid is not recognised",
    notes=ROUNDED + "; plateau at -log 2 eps",
    variants={"1e-7": {"eps": "1e-7"}},
)
def sigmoid_clip_add_eps(x: Array, y: Array, eps: Array) -> Array:
    return bce.clip_add_eps(sigmoid_reciprocal(x), y, eps)


@kernel(
    "bce_logits",
    "sigmoid_clamp_log_100",
    family=OTHER_CLAMPS,
    formula=SIGMOID + r"(y-1) \max(\log\mathrm{1p}(-p), -100) - y \max(\log p, -100)",
    source="torch==2.13.0: torch.sigmoid, then binary_cross_entropy",
    notes=ROUNDED + "; the loss jumps to the clamp, 100",
)
def sigmoid_clamp_log_100(x: Array, y: Array) -> Array:
    return bce.clamp_log_100(sigmoid_reciprocal(x), y)


@kernel(
    "bce_logits",
    "softplus_naive",
    family=LINEAR_TERM,
    formula=r"\log(1+e^{x}) - x y",
    source="textbook form",
    notes="e^x overflows for large x; 1 + e^x absorbs e^x for negative x; cancels for y = 1 and large x",
)
def softplus_minus_xy(x: Array, y: Array) -> Array:
    return softplus_naive(x) - x * y


@kernel(
    "bce_logits",
    "lse_log",
    family=LINEAR_TERM,
    formula=r"(\max(x,0) - x y) + \log(1 + e^{-|x|})",
    source="Paddle (source only) paddle/phi/kernels/cpu/sigmoid_cross_entropy_with_logits_kernel.cc",
    notes="1 + e^{-|x|} absorbs the small term: a confident correct prediction costs exactly 0",
)
def lse_log(x: Array, y: Array) -> Array:
    xp, zero, one = x.__array_namespace__(), like(0, x), like(1, x)
    return (xp.maximum(x, zero) - x * y) + xp.log(one + xp.exp(-xp.abs(x)))


@kernel(
    "bce_logits",
    "lse_log1p",
    family=LINEAR_TERM,
    formula=r"(\max(x,0) - x y) + \log\mathrm{1p}(e^{-|x|})",
    source="tensorflow==2.21.0 tensorflow/python/ops/nn_impl.py",
    notes="max(x,0) - x y cancels for targets next to 1 and large x",
)
def lse_log1p(x: Array, y: Array) -> Array:
    xp, zero = x.__array_namespace__(), like(0, x)
    return (xp.maximum(x, zero) - x * y) + xp.log1p(xp.exp(-xp.abs(x)))


@kernel(
    "bce_logits",
    "linear_softplus",
    family=LINEAR_TERM,
    formula=r"(1-y) x + (\max(-x,0) + \log\mathrm{1p}(e^{-|x|}))",
    source="torch==2.13.0 aten/src/ATen/native/Loss.cpp: (1-y) x - logsigmoid(x)",
    notes="(1-y) x and softplus(-x) cancel for negative x: y = 0 loses every digit below about -p ln 2",
)
def linear_softplus(x: Array, y: Array) -> Array:
    return (like(1, x) - y) * x + softplus_shifted(-x)


@kernel(
    "bce_logits",
    "softplus_pair",
    family=TWO_SOFTPLUS,
    formula=r"y\,\mathrm{sp}(-x) + (1-y)\,\mathrm{sp}(x),\ \mathrm{sp}(t) = \max(t,0) + \log\mathrm{1p}(e^{-|t|})",
    source="optax==0.2.8 optax/losses/_classification.py, as log_sigmoid(x) and log_sigmoid(-x)",
    notes="a sum of terms that are not negative: no cancellation; 1 - y rounds for y below 2^-p",
)
def softplus_pair(x: Array, y: Array) -> Array:
    xp, zero, one = x.__array_namespace__(), like(0, x), like(1, x)
    tail = xp.log1p(xp.exp(-xp.abs(x)))
    return y * (xp.maximum(-x, zero) + tail) + (one - y) * (xp.maximum(x, zero) + tail)


@kernel(
    "bce_logits",
    "logaddexp",
    family=LINEAR_TERM,
    formula=r"\mathrm{logaddexp}(0, x) - x y",
    source="widespread with NumPy; CatBoost's log(1+e^x) - t x",
    notes="logaddexp(0, x) - x y cancels for y = 1 and large x",
)
def logaddexp(x: Array, y: Array) -> Array:
    return x.__array_namespace__().logaddexp(like(0, x), x) - x * y


@kernel(
    "bce_logits",
    "logaddexp_pair",
    family=TWO_SOFTPLUS,
    formula=r"y\,\mathrm{logaddexp}(0, -x) + (1-y)\,\mathrm{logaddexp}(0, x)",
    source="jax==0.10.2 jax.nn.log_sigmoid inside optax==0.2.8",
    notes="a sum of terms that are not negative: no cancellation",
)
def logaddexp_pair(x: Array, y: Array) -> Array:
    xp, zero, one = x.__array_namespace__(), like(0, x), like(1, x)
    return y * xp.logaddexp(zero, -x) + (one - y) * xp.logaddexp(zero, x)


@kernel(
    "bce_logits",
    "maechler",
    family=TWO_SOFTPLUS,
    formula=r"y\,\mathrm{log1pexp}(-x) + (1-y)\,\mathrm{log1pexp}(x),\ \text{branches as softplus maechler}",
    source="doi:10.32614/CRAN.package.Rmpfr (Maechler 2012)",
    notes="cutoffs derived for each format; no cancellation",
    variants={"": CUTOFFS},
)
def maechler(x: Array, y: Array, low: Array, mid: Array, high: Array) -> Array:
    one = like(1, x)
    return y * softplus_maechler(-x, low, mid, high) + (one - y) * softplus_maechler(x, low, mid, high)


@kernel(
    "bce_logits",
    "threshold20",
    family=TWO_SOFTPLUS,
    formula=r"y\,\mathrm{sp}(-x) + (1-y)\,\mathrm{sp}(x),\ \mathrm{sp}(t) = t \text{ for } t > 20,"
    r"\text{ else } \log\mathrm{1p}(e^t)",
    source="torch==2.13.0 torch.nn.functional.softplus, default threshold",
    notes="drops e^{-20} = 2e-9 in float64; in float16 e^t overflows from 11.09 up to 20",
)
def threshold20(x: Array, y: Array) -> Array:
    return y * softplus_threshold20(-x) + (like(1, x) - y) * softplus_threshold20(x)
