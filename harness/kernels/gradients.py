"""Kernels of the gradients of bce and bce_logits that are formulas of their own.

The loss kernels differentiated as written are kernels of the gradients, too: lookup.py makes them.
"""

from __future__ import annotations

from harness.kernels.activations import sigmoid_branched, sigmoid_reciprocal
from harness.kernels.families import GRADIENT_FORMULAS
from harness.kernels.registry import Array, kernel, like


@kernel(
    "bce_grad",
    "direct",
    family=GRADIENT_FORMULAS,
    formula=r"(p - y) / (p (1 - p))",
    source="textbook form",
    notes="0 / 0 = NaN for a perfect hard prediction; p (1-p) underflows to subnormals for tiny p",
)
def bce_direct(p: Array, y: Array) -> Array:
    return (p - y) / (p * (like(1, p) - p))


@kernel(
    "bce_grad",
    "direct_floor",
    family=GRADIENT_FORMULAS,
    formula=r"(p - y) / \max((1 - p) p, 10^{-12})",
    source="torch==2.13.0 aten/src/ATen/native/Loss.cpp, backward of binary_cross_entropy",
    notes="the gradient is capped at 1e12 and fades to 0 with p for y = 0; the floor is 0 in float16",
    variants={"": {"floor": "1e-12"}},
)
def bce_direct_floor(p: Array, y: Array, floor: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    return (p - y) / xp.maximum((one - p) * p, floor)


@kernel(
    "bce_grad",
    "split",
    family=GRADIENT_FORMULAS,
    formula=r"y = 0: 1/(1-p);\ y = 1: -1/p;\ \text{else } (1-y)/(1-p) - y/p",
    source="the exact derivative, term by term, with zero weights skipped",
    notes="cancels near p = y",
)
def bce_split(p: Array, y: Array) -> Array:
    xp, zero, one = p.__array_namespace__(), like(0, p), like(1, p)
    z = one - y
    return xp.where(z == zero, zero, z / xp.where(z == zero, one, one - p)) - xp.where(
        y == zero, zero, y / xp.where(y == zero, one, p)
    )


@kernel(
    "bce_logits_grad",
    "sigmoid_minus_target",
    family=GRADIENT_FORMULAS,
    formula=r"1/(1+e^{-x}) - y",
    source="the custom derivative of fused losses: tensorflow==2.21.0, torch==2.13.0 (logit form)",
    notes="cancels near sigma(x) = y: for y = 1 and large x the gradient is exactly 0",
)
def sigmoid_minus_target(x: Array, y: Array) -> Array:
    return sigmoid_reciprocal(x) - y


@kernel(
    "bce_logits_grad",
    "weighted_sigmoids",
    family=GRADIENT_FORMULAS,
    formula=r"(1-y)\,\sigma(x) - y\,\sigma(-x)",
    source="the derivative of y softplus(-x) + (1-y) softplus(x), branched sigmoid",
    notes="no loss for hard targets; cancels only near sigma(x) = y, where the gradient itself is 0",
)
def weighted_sigmoids(x: Array, y: Array) -> Array:
    return (like(1, x) - y) * sigmoid_branched(x) - y * sigmoid_branched(-x)
