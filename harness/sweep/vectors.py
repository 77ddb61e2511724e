"""Seeded vectors of logits: of several kinds, the same draws rounded into each format, with the classes asked for.

A vector has K logits, one for each class.  Arrays of them have the shape (vectors, K), a choice of one class
for each vector the shape (vectors,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.numbers.formats import Format

Array = np.ndarray
Draw = Callable[[np.random.Generator, int, int], Array]  # generator, vectors, K -> float64 (vectors, K)


def normal(sd: float, mean: float = 0.0) -> Draw:
    """Return a draw of independent normal logits with a standard deviation and a mean; shape (count, k)."""
    return lambda rng, count, k: rng.normal(mean, sd, (count, k))


def _dominant(rng: np.random.Generator, count: int, k: int) -> Array:
    """Draw normal logits of sd 1, one of them raised above all others by a gap from 2 to 30."""
    x = rng.normal(0, 1, (count, k))
    at = rng.integers(k, size=count)
    x[np.arange(count), at] = x.max(axis=1) + np.linspace(2, 30, count)
    return x


def _equal(rng: np.random.Generator, count: int, k: int) -> Array:
    """Draw one normal logit of sd 5 for all classes of a vector."""
    return np.repeat(rng.normal(0, 5, (count, 1)), k, axis=1)


def _masked(rng: np.random.Generator, count: int, k: int) -> Array:
    """Draw normal logits of sd 5 and mask every second class with -inf."""
    x = rng.normal(0, 5, (count, k))
    x[:, 1::2] = -np.inf
    return x


def _normalised(rng: np.random.Generator, count: int, k: int) -> Array:
    """Draw log-probabilities: normal logits of sd 5 less their log-sum-exp, whose own is near 0."""
    x = rng.normal(0, 5, (count, k))
    top = x.max(axis=1, keepdims=True)
    return x - (top + np.log(np.exp(x - top).sum(axis=1, keepdims=True)))


KINDS: dict[str, Draw] = {
    "normal_1": normal(1),
    "normal_5": normal(5),
    "normal_20": normal(20),
    "dominant": _dominant,
    "equal": _equal,
    "masked": _masked,
    "huge": normal(5, 1000),
    "low": normal(5, -1000),
    "normalised": _normalised,
}
CLASSES = ("top", "other")  # the largest logit, and another one that is not masked


@dataclass(frozen=True)
class Vectors:
    """Hold vectors of one kind: `x` in the format, shape (vectors, K), and the index of each class asked for."""

    fmt: Format
    kind: str
    x: Array
    classes: dict[str, Array]

    @property
    def k(self) -> int:
        """Return the number of classes K, the length of each vector."""
        return self.x.shape[1]

    @property
    def exact(self) -> Array:
        """Return the logits in float64, which holds them exactly."""
        return self.x.astype(np.float64)


def vectors(fmt: Format, kind: str, k: int, count: int, seed: int) -> Vectors:
    """Return seeded vectors; the draw depends on the kind, K and the seed, not on the format."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind), k])
    drawn = KINDS[kind](rng, count, k)
    x = drawn.astype(fmt.dtype)
    exact = x.astype(np.float64)
    top = exact.argmax(axis=1)
    order = rng.random((count, k))
    order[~np.isfinite(exact)] = -1
    order[np.arange(count), top] = -1
    return Vectors(fmt, kind, x, {"top": top, "other": order.argmax(axis=1)})


def kinds_of(k: int) -> list[str]:
    """Return the kinds that K classes allow: masking one of two leaves no other class."""
    return [kind for kind in KINDS if k > 2 or kind != "masked"]


# -- entries ---------------------------------------------------------------------------------------


def largest(x: Array) -> tuple[Array, Array]:
    """Return the index of each vector's first largest logit, and the logit, shape (vectors, 1)."""
    at = x.astype(np.float64).argmax(axis=1)
    return at, np.take_along_axis(x, at[:, None], axis=1)


def picked(x: Array, c: Array) -> Array:
    """Return x[i, c[i]], the entry of each vector's class: shape (vectors, K) and (vectors,) in, (vectors,) out."""
    return np.take_along_axis(x, c[:, None], axis=1)[:, 0]


def others(x: Array, at: Array) -> Array:
    """Return the logits without one entry of each vector, shape (vectors, K - 1)."""
    keep = np.arange(x.shape[1]) != at[:, None]
    return x[keep].reshape(len(x), -1)
