"""Ways of computing log-sum-exp and softmax cross-entropy, strictly in the format of the logits.

A form takes logits of shape (vectors, K) and, for the cross-entropy, the index of each vector's
class; m is the largest logit, c the class.

    naive            log(sum exp(x))
    shifted          m + log(sum exp(x - m))
    log1p            m + log1p(sum of exp(x_i - m) over i other than the first largest)

    naive_softmax    -log(exp(x_c) / sum exp(x))
    softmax          -log(exp(x_c - m) / sum exp(x - m))
    difference       (m + log(sum exp(x - m))) - x_c
    log_softmax      log(sum exp(x - m)) - (x_c - m)
    log1p            (m - x_c) + log1p(sum of exp(x_i - m) over i other than the first largest)

Where c is the largest, the last is log1p(sum over i != c of exp(x_i - x_c)).  Sums run one by one;
`_pairwise` adds by halves, `_wide_sum` in the next wider format and rounds the sum, `_wide` does
everything there and rounds once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.studies.reductions.methods import pairwise, sequential, wide

Array = np.ndarray
Add = Callable[[Array], Array]

ADD: dict[str, Add] = {"sequential": sequential, "pairwise": pairwise, "wide_sum": wide}


def largest(x: Array) -> tuple[Array, Array]:
    """Return the index of each vector's first largest logit, and the logit, shape (vectors, 1)."""
    at = x.astype(np.float64).argmax(axis=1)
    return at, np.take_along_axis(x, at[:, None], axis=1)


def picked(x: Array, c: Array) -> Array:
    """Return each vector's entry of its class."""
    return np.take_along_axis(x, c[:, None], axis=1)[:, 0]


def others(x: Array, at: Array) -> Array:
    """Return the logits without one entry of each vector, shape (vectors, K - 1)."""
    keep = np.arange(x.shape[1]) != at[:, None]
    return x[keep].reshape(len(x), -1)


# -- log-sum-exp ---------------------------------------------------------------------------------


def naive(x: Array, add: Add) -> Array:
    """Return log(sum exp(x))."""
    return np.log(add(np.exp(x)))


def shifted(x: Array, add: Add) -> Array:
    """Return m + log(sum exp(x - m))."""
    _, m = largest(x)
    return m[:, 0] + np.log(add(np.exp(x - m)))


def log1p(x: Array, add: Add) -> Array:
    """Return m + log1p(rest)."""
    at, m = largest(x)
    return m[:, 0] + np.log1p(add(np.exp(others(x, at) - m)))


# -- softmax cross-entropy -----------------------------------------------------------------------


def naive_softmax(x: Array, c: Array, add: Add) -> Array:
    """Return -log(exp(x_c) / sum exp(x))."""
    e = np.exp(x)
    return -np.log(picked(e, c) / add(e))


def softmax(x: Array, c: Array, add: Add) -> Array:
    """Return -log(exp(x_c - m) / sum exp(x - m))."""
    e = np.exp(x - largest(x)[1])
    return -np.log(picked(e, c) / add(e))


def difference(x: Array, c: Array, add: Add) -> Array:
    """Return lse(x) - x_c with the shifted log-sum-exp."""
    return shifted(x, add) - picked(x, c)


def log_softmax(x: Array, c: Array, add: Add) -> Array:
    """Return log(sum exp(x - m)) - (x_c - m), the negative of log_softmax as libraries compute it."""
    a = x - largest(x)[1]
    return np.log(add(np.exp(a))) - picked(a, c)


def log1p_loss(x: Array, c: Array, add: Add) -> Array:
    """Return (m - x_c) + log1p(rest)."""
    at, m = largest(x)
    return (m[:, 0] - picked(x, c)) + np.log1p(add(np.exp(others(x, at) - m)))


def sigmoid_loss(x: Array, c: Array) -> Array:
    """Return the sigmoid cross-entropy of the difference of two logits, max(d, 0) + log1p(exp(-|d|)), d = x_o - x_c."""
    d = picked(x, 1 - c) - picked(x, c)
    return np.maximum(d, np.zeros_like(d)) + np.log1p(np.exp(-np.abs(d)))
