"""Kernels of logit(p) = log(p / (1-p)): what the two logs, or the quotient, lose near p = 1/2."""

from __future__ import annotations

from harness.kernels.bce import clip
from harness.kernels.families import CLIPPED, NO_CLAMP
from harness.kernels.registry import Array, kernel, like

SCIPY = "SciPy==1.17.1 scipy.special"
TORCH = "torch==2.13.0"
EPS = {"1e-7": {"eps": "1e-7"}}


@kernel(
    "logit",
    "naive",
    family=NO_CLAMP,
    formula=r"\log(p / (1-p))",
    source="textbook form",
    notes="1 - p and the quotient round, which log magnifies near p = 1/2",
)
def logit_naive(p: Array) -> Array:
    return p.__array_namespace__().log(p / (like(1, p) - p))


@kernel(
    "logit",
    "difference_log",
    formula=r"\log p - \log(1-p)",
    source="textbook form",
    notes="the two logs cancel near p = 1/2; 1 - p absorbs small p, which costs little beside log p",
)
def logit_difference_log(p: Array) -> Array:
    xp = p.__array_namespace__()
    return xp.log(p) - xp.log(like(1, p) - p)


@kernel(
    "logit",
    "difference",
    formula=r"\log p - \log\mathrm{1p}(-p)",
    source=f"{TORCH} torch/distributions/utils.py probs_to_logits, without its clamp",
    notes="the two logs cancel near p = 1/2",
)
def logit_difference(p: Array) -> Array:
    xp = p.__array_namespace__()
    return xp.log(p) - xp.log1p(-p)


@kernel(
    "logit",
    "clip",
    family=CLIPPED,
    formula=r"q = \min(\max(p, \epsilon), 1-\epsilon);\ \log(q / (1-q))",
    source="Keras 1.0-2.2.5, TensorFlow backend (source only); torch.logit's eps",
    notes="plateaus at the clamp; where 1 - eps rounds to 1 the upper one is infinite",
    variants=EPS,
)
def logit_clip(p: Array, eps: Array) -> Array:
    return logit_naive(clip(p, eps))


@kernel(
    "logit",
    "scipy",
    formula=r"0.3 \le p \le 0.65: s = 2 (p - 1/2),\ \log\mathrm{1p}(s) - \log\mathrm{1p}(-s);\ \text{else } \log(p / (1-p))",
    source=f"{SCIPY}.logit (xsf log_exp.h)",
    notes="p - 1/2 is exact, and near 1/2 the two terms have opposite signs: no cancellation",
)
def logit_scipy(p: Array) -> Array:
    xp, half, two = p.__array_namespace__(), like("0.5", p), like(2, p)
    s = two * (p - half)
    middle = xp.log1p(s) - xp.log1p(-s)
    return xp.where(p < like("0.3", p), logit_naive(p), xp.where(p > like("0.65", p), logit_naive(p), middle))


@kernel(
    "logit",
    "log1p",
    formula=r"p \ge 1/4: \log\mathrm{1p}(2 (p - 1/2) / (1-p));\ \text{else } \log(p / (1-p))",
    source="identity",
    notes="one log1p of a quotient whose numerator is exact",
)
def logit_log1p(p: Array) -> Array:
    xp, one, half, two = p.__array_namespace__(), like(1, p), like("0.5", p), like(2, p)
    return xp.where(p < like("0.25", p), logit_naive(p), xp.log1p(two * (p - half) / (one - p)))
