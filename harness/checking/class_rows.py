"""The rows that a loss of K classes is checked on, and the stable form that it is held beside.

The rows are the same for every function: equal logits, one class that leads by more and more, wide spreads, masked
classes (-inf), large offsets, log-probabilities, and random ones, all rounded into the format and then taken as exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import mpmath
import numpy as np

from harness import UsageError
from harness.numbers.formats import Format
from harness.sweep.vectors import KINDS, kinds_of, largest, others, picked, vectors
from harness.truth.softmax import LARGEST_GAP, SoftmaxTruth

Array = np.ndarray
SEED = 18
COUNT = {"standard": 16, "quick": 4}  # rows of a kind, fewer for many classes
MOST_LOGITS = 1 << 18
MOST_SLOPES = 1 << 15  # derivatives, each with an exact value of its own


@dataclass(frozen=True)
class ClassRows:
    """Hold rows of logits, shape (rows, K), and labels: shape (rows,) or, one-hot and soft, (rows, K)."""

    logits: Array
    labels: Array | None
    weights: Sequence[Sequence[Fraction]] | None

    def exact(self, i: int) -> mpmath.mpf:
        """Return the exact value of a row."""
        truth = SoftmaxTruth(self.logits[i].astype(np.float64))
        return truth.lse() if self.weights is None else truth.soft_loss(self.weights[i])

    def gradient(self, i: int) -> list[mpmath.mpf]:
        """Return the exact derivative of a row's value in each of its logits."""
        truth = SoftmaxTruth(self.logits[i].astype(np.float64))
        return truth.gradient(None if self.weights is None else self.weights[i])

    def hessian(self, i: int) -> list[mpmath.mpf]:
        """Return the exact second derivative of a row's value in each of its logits by itself."""
        return SoftmaxTruth(self.logits[i].astype(np.float64)).hessian(
            None if self.weights is None else self.weights[i]
        )

    def hex(self, fmt: Format, i: int, class_: int | None = None) -> str:
        """Write a row's logits in hex, a space between them, and behind semicolons its label and the class of a derivative."""
        return self._hex(fmt, i) + ("" if class_ is None else f"; class {class_}")

    def _hex(self, fmt: Format, i: int) -> str:
        text = " ".join(fmt.hex(v) for v in self.logits[i])
        if self.labels is None:
            return text
        label = self.labels[i]
        return f"{text}; {int(label)}" if np.ndim(label) == 0 else f"{text}; {' '.join(fmt.hex(v) for v in label)}"


def logits_of(
    fmt: Format, classes: int, grid: str, most: int = MOST_LOGITS
) -> dict[str, tuple[Array, dict[str, Array]]]:
    """Return rows by kind, each with the index of the largest logit and of another one; about `most` logits in all."""
    if grid not in COUNT:
        raise UsageError(f"a loss of K classes is checked on the rows of grid {' or '.join(COUNT)}, not {grid!r}")
    count = max(1, min(COUNT[grid], most // classes // (len(KINDS) + 2)))
    drawn = {kind: vectors(fmt, kind, classes, count, SEED) for kind in kinds_of(classes)}
    rows = {kind: (v.x, v.classes) for kind, v in drawn.items()}
    steps = np.linspace(0, 1, count)
    top = min(float(fmt.max) / 4, LARGEST_GAP / 2)
    lead = np.zeros((count, classes))
    lead[:, 0] = -np.log(fmt.smallest_subnormal) * steps
    spread = np.linspace(-1, 1, classes)[None, :] * np.exp2(-10 + (10 + np.log2(top)) * steps)[:, None] / 2
    for kind, x in (("lead", lead), ("spread", spread)):
        at = x.argmax(axis=1)
        rows[kind] = x.astype(fmt.dtype), {"top": at, "other": (at + 1) % classes}
    return rows


def rows_of_target(
    fmt: Format, classes: int, grid: str, target: str, labels: str, smoothing: Fraction, most: int = MOST_LOGITS
) -> ClassRows:
    """Return all rows with the labels of one target: `top`, `other`, `soft`, or "" for a function without labels."""
    kinds = logits_of(fmt, classes, grid, most)
    if smoothing:  # a masked class has weight then
        kinds.pop("masked", None)
    x = np.concatenate([rows for rows, _ in kinds.values()])
    if not target:
        return ClassRows(x, None, None)
    if target == "soft":
        drawn = np.random.default_rng(SEED).dirichlet(np.ones(classes), len(x))
        given = np.where(np.isneginf(x.astype(np.float64)), 0.0, drawn).astype(fmt.dtype)
        exact = [[Fraction(float(v)) for v in row] for row in given]
    else:
        at = np.concatenate([chosen[target] for _, chosen in kinds.values()]).astype(np.int64)
        hot = (np.arange(classes) == at[:, None]).astype(fmt.dtype)
        given = at if labels == "integer" else hot
        exact = [[Fraction(int(v)) for v in row] for row in hot.astype(np.int64)]
    smooth = [[t * (1 - smoothing) + smoothing / classes for t in row] for row in exact] if smoothing else exact
    return ClassRows(x, given, smooth)


def stable(x: Array, labels: Array | None) -> Array:
    """Compute (m - x_c) + log1p(sum of exp(x_i - m) over i other than the first largest), or m + that log1p."""
    at, m = largest(x)
    rest = np.log1p(np.exp(others(x, at) - m).sum(axis=1, dtype=x.dtype))
    if labels is None:
        return m[:, 0] + rest
    if labels.ndim == 1:
        return (m[:, 0] - picked(x, labels)) + rest
    gaps = np.where(labels == 0, labels, labels * (m - x + rest[:, None]))
    return gaps.sum(axis=1, dtype=x.dtype)


def stable_gradient(x: Array, labels: Array | None) -> Array:
    """Compute e_i / sum of e_j, e_i = exp(x_i - m), less the label; for a hard one -(sum of the others' e_j) / sum of e_j."""
    exponentials = np.exp(x - largest(x)[1])
    total = exponentials.sum(axis=1, dtype=x.dtype)[:, None]
    if labels is None:
        return exponentials / total
    hot = np.eye(x.shape[1], dtype=x.dtype)[labels] if labels.ndim == 1 else labels
    plain = exponentials / total - hot
    if not np.isin(hot, (0, 1)).all():
        return plain
    rest = np.where(hot == 1, 0 * hot, exponentials).sum(axis=1, dtype=x.dtype)[:, None]
    return np.where(hot == 1, -rest / total, plain)


def stable_hessian(x: Array, labels: Array | None) -> Array:
    """Compute (e_i / s) (r_i / s), e_i = exp(x_i - m), s the sum of all, r_i that of the others; times the sum of soft labels."""
    at, m = largest(x)
    exponentials = np.exp(x - m)
    total = exponentials.sum(axis=1, dtype=x.dtype)[:, None]
    of_others = np.exp(others(x, at) - m).sum(axis=1, dtype=x.dtype)[:, None]
    rest = np.where(np.arange(x.shape[1]) == np.reshape(at, (-1, 1)), of_others, total - exponentials)
    found = (exponentials / total) * (rest / total)
    return found if labels is None or labels.ndim == 1 else labels.sum(axis=1, dtype=x.dtype)[:, None] * found
