"""statsmodels' log-likelihoods per observation, negated: Logit from a logit, Binomial from a probability."""

from __future__ import annotations

import numpy as np

from harness.systems.registry import Call, System

Array = np.ndarray


def _load_logit() -> Call:
    from statsmodels.discrete.discrete_model import Logit

    def call(x: Array, y: Array) -> Array:
        # One regressor with coefficient 1: the linear predictor is the logit itself.
        return -Logit(y, x[:, None]).loglikeobs(np.ones(1, x.dtype))

    return call


def _load_cdf() -> Call:
    from statsmodels.discrete.discrete_model import Logit

    model = Logit(np.array([0.0, 1.0]), np.ones((2, 1)))
    return lambda x: model.cdf(x)


def _load_binomial() -> Call:
    from statsmodels.genmod.families import Binomial

    family = Binomial()
    return lambda p, y: -family.loglike_obs(y, p)


def systems(library: str) -> list[System]:
    """Return the systems of statsmodels."""
    return [
        System(
            "statsmodels Logit.loglikeobs",
            library,
            "bce_logits",
            "eager",
            _load_logit,
            "statsmodels_logit",
            hard_targets=True,
        ),
        System("statsmodels Logit.cdf", library, "sigmoid", "eager", _load_cdf, "reciprocal"),
        System(
            "statsmodels Binomial.loglike_obs",
            library,
            "bce",
            "eager",
            _load_binomial,
            "statsmodels_binomial",
            "the likelihood of a soft target has gamma functions besides, so hard targets only",
            hard_targets=True,
        ),
    ]
