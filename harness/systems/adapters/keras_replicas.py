"""Replica kernels of Keras 3 and tf_keras: the casts of each form around what the backend computes."""

from __future__ import annotations

import numpy as np

from harness.kernels.registry import Array
from harness.systems.adapters.keras_backends import BACKENDS, Backend, Function
from harness.systems.adapters.replicas import in32, replica

FORMS = {
    "function": "in the format of p or x",
    "class": "both inputs are cast to float32 first",
    "sigmoid": "p = sigma(x) in the format of x, or the logit itself where it is recovered",
    "model": "p = sigma(x) in the format of x, the loss in float32; a cast between them hides the logit",
    "float32_sigmoid": "x is cast to float32 first, then p = sigma(x), or the logit itself where it is recovered",
}


def _declare(b: Backend) -> None:
    """Declare the replicas of each form on one backend."""

    def sigmoid_loss(x: Array, y: Array) -> Array:
        return b.fused(x, y) if b.recovers else b.bce(b.sigmoid(x), y)

    def sigmoid_grad(x: Array, y: Array) -> Array:
        p = b.sigmoid(x)
        return b.fused_grad(x, y) if b.recovers else b.backward(p, b.bce_grad(p, y))

    def model(x: Array, y: Array) -> Array:
        # The class casts p to float32; only where that is no cast does the logit come through.
        return sigmoid_loss(x, y) if x.dtype == np.float32 else in32(b.bce)(b.sigmoid(x), y)

    def model_grad(x: Array, y: Array) -> Array:
        if x.dtype == np.float32:
            return sigmoid_grad(x, y)
        p = b.sigmoid(x).astype(x.dtype)
        return b.backward(p, in32(b.bce_grad)(p, y).astype(x.dtype))

    def cast_back(function: Function) -> Function:
        return lambda x, y: in32(function)(x, y).astype(x.dtype)

    def in_mean(function: Function) -> Function:
        return lambda x, y: b.mean(function(x, y))

    forms: tuple[tuple[str, str, Function], ...] = (
        ("bce", "function", in_mean(b.bce)),
        ("bce_grad", "function", b.bce_grad),
        ("bce", "class", in32(b.bce)),
        ("bce_grad", "class", cast_back(b.bce_grad)),
        ("bce_logits", "function", in_mean(b.fused)),
        ("bce_logits_grad", "function", b.fused_grad),
        ("bce_logits", "class", in32(b.fused)),
        ("bce_logits_grad", "class", cast_back(b.fused_grad)),
        ("bce_logits", "sigmoid", in_mean(sigmoid_loss)),
        ("bce_logits_grad", "sigmoid", sigmoid_grad),
        ("bce_logits", "model", model),
        ("bce_logits_grad", "model", model_grad),
        ("bce_logits", "float32_sigmoid", in32(sigmoid_loss)),
        ("bce_logits_grad", "float32_sigmoid", cast_back(sigmoid_grad)),
    )
    for problem, form, function in forms:
        formula = b.formulas["logits" in problem and (b.recovers or form not in ("sigmoid", "model"))]
        if problem.endswith("_grad"):
            formula = rf"\partial \left[{formula}\right]"
        replica(problem, f"{b.name}_{form}", formula, b.source, FORMS[form])(function)


for _backend in BACKENDS:
    _declare(_backend)
