"""SciPy's special functions, and the losses that users write with them."""

from __future__ import annotations

import numpy as np

from harness.kernels import activations
from harness.kernels.registry import Array
from harness.systems.casts import widen16to64
from harness.systems.commands import evaluated, printed
from harness.systems.registry import Library, System
from harness.systems.replicas import replica

LIBRARIES = (
    Library(
        "scipy",
        __name__,
        ("scipy",),
        {},
        "float32 functions use the C library's expf and log1pf, not NumPy's SIMD loops; xlog1py has its own log1p",
        order=70,
        default_format="float64",
        quick=True,
    ),
)

# -- calls, each as it is typed ----------------------------------------------------------------

LOSSES = "log_expit, xlog1py, xlogy"
# name, imported functions, expression, problem
CALLS = (
    ("scipy.special.expit", "expit", "expit(x)", "sigmoid"),
    ("scipy.special.log_expit", "log_expit", "log_expit(x)", "log_sigmoid"),
    ("scipy.special.logsumexp([0, x])", "logsumexp", "logsumexp(np.stack([np.zeros_like(x), x]), axis=0)", "softplus"),
    ("scipy.special.xlogy + xlog1py", LOSSES, "-(xlogy(y, x) + xlog1py(1 - y, -x))", "bce"),
    ("scipy.special.log_expit pair", LOSSES, "-(y * log_expit(x) + (1 - y) * log_expit(-x))", "bce_logits"),
)


def systems(library: str) -> list[System]:
    """Return the systems of scipy, each replicated by the replica called scipy."""
    found = []
    for name, functions, expression, problem in CALLS:
        imports = f"from scipy.special import {functions}"
        load, command = evaluated(imports, expression), printed(imports, expression)
        found.append(System(name, library, problem, "eager", load, "scipy", command=command))
    return found


# -- replicas ----------------------------------------------------------------------------------

SCIPY = "SciPy==1.17.1 scipy/special/_logit.h"
NARROW = "16-bit inputs come back as float64"
log_expit = widen16to64(activations.log_sigmoid_log_expit)

replica("sigmoid", "scipy", "1/(1+e^{-x})", SCIPY, NARROW)(widen16to64(activations.sigmoid_reciprocal))
replica("log_sigmoid", "scipy", r"x < 0: x - \log\mathrm{1p}(e^x);\ -\log\mathrm{1p}(e^{-x})", SCIPY, NARROW)(log_expit)


@replica(
    "softplus", "scipy", r"\log(e^0 + e^x),\ \text{shifted by the maximum}", SCIPY, "bfloat16 comes back as float64"
)
def scipy_logsumexp(x: Array) -> Array:
    """Compute logsumexp of 0 and x, which is softplus, from the larger of the two; bfloat16 comes as float64."""
    return activations.softplus_shifted(x.astype(np.float64) if x.dtype.name == "bfloat16" else x)


@replica("bce_logits", "scipy", r"-(y \log\sigma(x) + (1-y) \log\sigma(-x))", SCIPY, NARROW)
def scipy_pair(x: Array, y: Array) -> Array:
    """Compute the loss from log_expit on both sides."""
    return -(y * log_expit(x) + (y.dtype.type(1) - y) * log_expit(-x))


@widen16to64
def _xlogy_sum(p: Array, y: Array, z: Array) -> Array:
    return -(np.where(y == 0, 0, y * np.log(p)) + np.where(z == 0, 0, z * np.log1p(-p)))


@replica("bce", "scipy", r"-(\mathrm{xlogy}(y,p) + \mathrm{xlog1py}(1-y,-p))", SCIPY, NARROW)
def scipy_xlogy(p: Array, y: Array) -> Array:
    """Compute the loss from a probability; 1 - y is rounded in the format of y."""
    return _xlogy_sum(p, y, y.dtype.type(1) - y)
