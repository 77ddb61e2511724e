"""scikit-learn's log_loss and the loss inside its linear models and gradient boosting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.systems.registry import Call, System

Array = np.ndarray


def _load_log_loss() -> Call:
    """Return log_loss per sample: its own code, its last step, the average, recorded instead of taken."""
    from sklearn.metrics import _classification as module
    from sklearn.metrics import log_loss

    def call(p: Array, y: Array) -> Array:
        recorded: list[Array] = []

        def record(loss: Array, **rest: object) -> float:
            recorded.append(np.asarray(loss))
            return 0.0

        average, module._average = module._average, record
        try:
            log_loss(y, p, labels=[0, 1])
        finally:
            module._average = average
        return recorded[0]

    return call


def _load_half_binomial(method: str) -> Callable[[], Call]:
    def load() -> Call:
        from sklearn._loss import HalfBinomialLoss

        loss = HalfBinomialLoss()

        def call(x: Array, y: Array) -> Array:
            if method == "loss_gradient":
                return loss.loss_gradient(y_true=y, raw_prediction=x)[1]
            if method == "loss_gradient[0]":
                return loss.loss_gradient(y_true=y, raw_prediction=x)[0]
            return getattr(loss, method)(y_true=y, raw_prediction=x)

        return call

    return load


def systems(library: str) -> list[System]:
    """Return the systems of sklearn."""
    half = "sklearn HalfBinomialLoss"
    grad = "bce_logits_grad"
    return [
        System(
            "sklearn.metrics.log_loss",
            library,
            "bce",
            "per_sample",
            _load_log_loss,
            "clip_machine_epsilon",
            "the average over samples is recorded before it is taken",
            hard_targets=True,
        ),
        System(f"{half}.loss", library, "bce_logits", "eager", _load_half_binomial("loss"), "sklearn_loss"),
        System(f"{half}.gradient", library, grad, "eager", _load_half_binomial("gradient"), "sklearn_gradient"),
        System(
            f"{half}.loss_gradient",
            library,
            "bce_logits",
            "eager",
            _load_half_binomial("loss_gradient[0]"),
            "sklearn_loss_gradient",
        ),
        System(
            f"{half}.loss_gradient",
            library,
            grad,
            "eager",
            _load_half_binomial("loss_gradient"),
            "sklearn_pair_gradient",
        ),
    ]
