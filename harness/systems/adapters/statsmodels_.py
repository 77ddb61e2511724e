"""Log-likelihoods of statsmodels per observation, negated: Logit from a logit, Binomial from a probability."""

from __future__ import annotations

import numpy as np

from harness.kernels.registry import Array
from harness.systems.casts import widen16
from harness.systems.registry import Call, Library, System
from harness.systems.replicas import replica

LIBRARIES = (Library("statsmodels", __name__, ("statsmodels",), order=80, default_format="float64"),)

# -- calls -------------------------------------------------------------------------------------


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
    """Return the systems of statsmodels: Logit from a logit, Binomial from a probability."""
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


# -- replicas ----------------------------------------------------------------------------------


@replica(
    "bce_logits",
    "statsmodels_logit",
    r"-\log(1/(1+e^{-qx})),\ q = 2y-1",
    "statsmodels==0.15.0 statsmodels/discrete/discrete_model.py",
    "bfloat16 comes back as float32",
)
@widen16
def statsmodels_logit(x: Array, y: Array) -> Array:
    """Compute -log(1 / (1 + e^(-q x))) with q = 2 y - 1: -Logit.loglikeobs for hard targets."""
    q = 2 * y - 1
    return -np.log(1 / (1 + np.exp(-(q * x))))


@replica(
    "bce",
    "statsmodels_binomial",
    r"-(y \log((p + 10^{-20})/(1-p + 10^{-20})) + \log(1-p + 10^{-20}))",
    "statsmodels==0.15.0 statsmodels/genmod/families/family.py",
)
def statsmodels_binomial(p: Array, y: Array) -> Array:
    """Compute -(y log((p + e) / (1 - p + e)) + log(1 - p + e)), e = 1e-20: -Binomial.loglike_obs, hard targets."""
    # n is 1.0 in float64 there, and so is the sum.
    return -(y * np.log((p + 1e-20) / (1 - p + 1e-20)) + np.float64(1) * np.log(1 - p + 1e-20))
