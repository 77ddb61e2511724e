"""Kernels of bce(p, y) = -(y log p + (1-y) log(1-p)): from a probability."""

from __future__ import annotations

from harness.kernels.families import CLIPPED, EPS_ADDED, NO_CLAMP, OTHER_CLAMPS
from harness.kernels.registry import Array, Parameter, kernel, like, machine_epsilon

EPS: dict[str, dict[str, Parameter]] = {e: {"eps": e} for e in ("1e-7", "1e-12", "1e-15")}
CLIP_EPS: dict[str, dict[str, Parameter]] = {**EPS, "machine_epsilon": {"eps": machine_epsilon}}


def clip(p: Array, eps: Array) -> Array:
    """Compute min(max(p, eps), 1 - eps), with 1 - eps rounded as it comes."""
    xp = p.__array_namespace__()
    return xp.minimum(xp.maximum(p, eps), like(1, p) - eps)


@kernel(
    "bce",
    "naive",
    family=NO_CLAMP,
    formula=r"-(y \log p + (1-y) \log(1-p))",
    source="textbook form",
    notes="0 * log 0 = NaN for a perfect hard prediction; 1 - p absorbs small p",
)
def naive(p: Array, y: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    return -(y * xp.log(p) + (one - y) * xp.log(one - p))


@kernel(
    "bce",
    "naive_log1p",
    family=NO_CLAMP,
    formula=r"-(y \log p + (1-y) \log\mathrm{1p}(-p))",
    source="textbook form",
    notes="0 * log 0 = NaN for a perfect hard prediction; otherwise a few ulp",
)
def naive_log1p(p: Array, y: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    return -(y * xp.log(p) + (one - y) * xp.log1p(-p))


@kernel(
    "bce",
    "clip",
    family=CLIPPED,
    formula=r"q = \min(\max(p, \epsilon), 1-\epsilon);\ -(y \log q + (1-y) \log(1-q))",
    source="keras==3.15.1 keras/src/backend/tensorflow/nn.py (1e-7); scikit-learn history (1e-15; machine epsilon)",
    notes="plateau at -log eps; no gradient outside [eps, 1-eps]; 1 - eps rounds to 1 once eps < 2^-(p+1)",
    variants=CLIP_EPS,
)
def clipped(p: Array, y: Array, eps: Array) -> Array:
    return naive(clip(p, eps), y)


@kernel(
    "bce",
    "add_eps",
    family=EPS_ADDED,
    formula=r"-(y \log(p + \epsilon) + (1-y) \log((1-p) + \epsilon))",
    source="widespread in tutorials; MXNet (1e-12), statsmodels (1e-20)",
    notes="biased everywhere; negative for a perfect prediction; eps vanishes beside 1",
    variants=EPS,
)
def add_eps(p: Array, y: Array, eps: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    return -(y * xp.log(p + eps) + (one - y) * xp.log((one - p) + eps))


@kernel(
    "bce",
    "clip_add_eps",
    family=EPS_ADDED,
    formula=r"q = \min(\max(p, \epsilon), 1-\epsilon);\ -(y \log(q + \epsilon) + (1-y) \log((1-q) + \epsilon))",
    source="tf_keras==2.21.0 tf_keras/src/backend.py",
    notes="plateau at -log 2 eps; biased by eps inside",
    variants={"1e-7": {"eps": "1e-7"}},
)
def clip_add_eps(p: Array, y: Array, eps: Array) -> Array:
    return add_eps(clip(p, eps), y, eps)


@kernel(
    "bce",
    "floor_both",
    family=OTHER_CLAMPS,
    formula=r"-(y \log \max(p, \epsilon) + (1-y) \log \max(1-p, \epsilon))",
    source="XGBoost src/metric/elementwise_metric.cu (1e-16); LightGBM (1e-12)",
    notes="p and 1-p are clamped apart, so both plateaus are -log eps; 1 - p absorbs small p",
    variants={"1e-7": {"eps": "1e-7"}, "1e-16": {"eps": "1e-16"}},
)
def floor_both(p: Array, y: Array, eps: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    return -(y * xp.log(xp.maximum(p, eps)) + (one - y) * xp.log(xp.maximum(one - p, eps)))


@kernel(
    "bce",
    "clip_logit",
    family=OTHER_CLAMPS,
    formula=r"q = \min(\max(p, \epsilon), 1-\epsilon);\ x = \log(q / (1-q));\ "
    r"\max(x, 0) - x y + \log\mathrm{1p}(e^{-|x|})",
    source="Keras 1.0-2.2.5, TensorFlow backend (source only): keras/backend/tensorflow_backend.py",
    notes="q / (1-q) carries the rounding of 1 - q into the logit; x - x y cancels for y = 1",
    variants={"1e-7": {"eps": "1e-7"}},
)
def clip_logit(p: Array, y: Array, eps: Array) -> Array:
    xp, zero, one = p.__array_namespace__(), like(0, p), like(1, p)
    q = clip(p, eps)
    x = xp.log(q / (one - q))
    return (xp.maximum(x, zero) - x * y) + xp.log1p(xp.exp(-xp.abs(x)))


@kernel(
    "bce",
    "clamp_log_100",
    family=OTHER_CLAMPS,
    formula=r"(y-1) \max(\log\mathrm{1p}(-p), -100) - y \max(\log p, -100)",
    source="torch==2.13.0 aten/src/ATen/native/Loss.cpp",
    notes="plateau at 100; a perfect prediction gives 0",
)
def clamp_log_100(p: Array, y: Array) -> Array:
    xp, one, floor = p.__array_namespace__(), like(1, p), like(-100, p)
    return (y - one) * xp.maximum(xp.log1p(-p), floor) - y * xp.maximum(xp.log(p), floor)


@kernel(
    "bce",
    "xlogy",
    family=NO_CLAMP,
    formula=r"-(\mathrm{xlogy}(y, p) + \mathrm{xlog1py}(1-y, -p))",
    source="SciPy==1.17.1 scipy.special.xlogy and xlog1py",
    notes="a term of zero weight is skipped; no clamp, no plateau: infinite exactly at p = 0 and p = 1",
)
def xlogy(p: Array, y: Array) -> Array:
    xp, zero, one = p.__array_namespace__(), like(0, p), like(1, p)
    z = one - y
    # The inner where keeps the skipped branch finite, and so its gradient.
    log_p = xp.log(xp.where(y == zero, one, p))
    log_q = xp.log1p(xp.where(z == zero, zero, -p))
    return -(y * log_p + z * log_q)
