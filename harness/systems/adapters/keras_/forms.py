"""Replica kernels of Keras 3 and tf_keras: the casts of each form around what the backend computes."""

from __future__ import annotations

import numpy as np

from harness.kernels.registry import Array
from harness.systems.adapters.keras_.backends import Backend, Function
from harness.systems.casts import in32
from harness.systems.registry import differentiated
from harness.systems.replicas import replica

FORMS = {
    "function": "in the format of p or x",
    "class": "both inputs are cast to float32 first",
    "sigmoid": "p = sigma(x) in the format of x, or the logit itself where it is recovered",
    "model": "p = sigma(x) in the format of x, the loss in float32; a cast between them hides the logit",
    "float32_sigmoid": "x is cast to float32 first, then p = sigma(x), or the logit itself where it is recovered",
}


def declare(b: Backend) -> None:
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

    # problem, form, the loss and its gradient, and whether the logit is there to compute from
    forms: tuple[tuple[str, str, Function, Function, bool], ...] = (
        ("bce", "function", in_mean(b.bce), b.bce_grad, False),
        ("bce", "class", in32(b.bce), cast_back(b.bce_grad), False),
        ("bce_logits", "function", in_mean(b.fused), b.fused_grad, True),
        ("bce_logits", "class", in32(b.fused), cast_back(b.fused_grad), True),
        ("bce_logits", "sigmoid", in_mean(sigmoid_loss), sigmoid_grad, b.recovers),
        ("bce_logits", "model", model, model_grad, b.recovers),
        ("bce_logits", "float32_sigmoid", in32(sigmoid_loss), cast_back(sigmoid_grad), True),
    )
    for problem, form, loss, gradient, from_logit in forms:
        formula, name, notes = b.formulas[from_logit], f"{b.name}_{form}", FORMS[form]
        replica(problem, name, formula, b.source, notes)(loss)
        replica(differentiated(problem), name, rf"\partial \left[{formula}\right]", b.source, notes)(gradient)
