"""SciPy's special functions, and the losses that users write with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.systems.registry import Call, System

Array = np.ndarray


def _expit(x: Array) -> Array:
    from scipy.special import expit

    return expit(x)


def _log_expit(x: Array) -> Array:
    from scipy.special import log_expit

    return log_expit(x)


def _logsumexp(x: Array) -> Array:
    from scipy.special import logsumexp

    return logsumexp(np.stack([np.zeros_like(x), x]), axis=0)


def _xlogy_bce(p: Array, y: Array) -> Array:
    from scipy.special import xlog1py, xlogy

    return -(xlogy(y, p) + xlog1py(y.dtype.type(1) - y, -p))


def _log_expit_bce(x: Array, y: Array) -> Array:
    from scipy.special import log_expit

    return -(y * log_expit(x) + (y.dtype.type(1) - y) * log_expit(-x))


# name, function, problem, replica
CALLS = (
    ("scipy.special.expit", _expit, "sigmoid", "scipy"),
    ("scipy.special.log_expit", _log_expit, "log_sigmoid", "scipy"),
    ("scipy.special.logsumexp([0, x])", _logsumexp, "softplus", "scipy"),
    ("scipy.special.xlogy + xlog1py", _xlogy_bce, "bce", "scipy"),
    ("scipy.special.log_expit pair", _log_expit_bce, "bce_logits", "scipy"),
)


def _load(function: Callable[..., Array]) -> Callable[[], Call]:
    def load() -> Call:
        import scipy.special  # noqa: F401

        return function

    return load


def systems(library: str) -> list[System]:
    """Return the systems of scipy."""
    return [System(name, library, problem, "eager", _load(f), replica) for name, f, problem, replica in CALLS]
