"""Small networks, many side by side, forward and backward strictly in one format.

Features, weights, activations, gradients and steps are numbers of the format.  Between the loss
kernels they are held in the accumulator's format (float32 for 16 bits, else the format itself),
which has them all exactly, and rounded into the format after each operation; so NumPy and ml_dtypes
compute with 16-bit arrays too.  A matrix product is summed up in the accumulator's format and
rounded once.

Layers before a relu start as in He et al. (2015), doi:10.1109/ICCV.2015.123.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from harness.kernels import Kernel, kernel_named, kernels_of, like
from harness.kernels.tape import gradient, plain
from harness.numbers.formats import Format

Array = np.ndarray


@dataclass(frozen=True)
class Method:
    """Hold a loss kernel of bce_logits or bce, and the kernel of its gradient where that is not its own."""

    loss: Kernel
    backward: str = ""

    def __call__(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss and its derivative by the logit, both in the format of x.

        A kernel of bce is given p = sigmoid(x), and its gradient is multiplied by p (1 - p), as in
        the libraries' own backward passes.
        """
        if self.loss.problem == "bce_logits":
            return self._differentiated(x, y)
        p = kernel_named("sigmoid", "branched")(x)
        loss, slope = self._differentiated(p, y)
        return loss, slope * (p * (like(1, p) - p))

    def _differentiated(self, v: Array, y: Array) -> tuple[Array, Array]:
        if self.backward:
            return self.loss(v, y), kernel_named(self.loss.problem + "_grad", self.backward)(v, y)
        seen: list[Array] = []

        def watched(*inputs: Array, **constants: Array) -> Array:
            seen.append(self.loss.function(*inputs, **constants))
            return seen[0]

        slope = replace(self.loss, function=gradient(watched))(v, y)
        return plain(seen[0]), slope


def methods(backward: Sequence[Sequence[str]]) -> list[Method]:
    """Return the kernels of bce_logits, then those of bce, with their own gradients and with those that are given.

    `backward` has (problem, kernel, kernel of the gradient).
    """
    found: list[Method] = []
    for problem in ("bce_logits", "bce"):
        found += [Method(k) for k in kernels_of(problem)]
        found += [Method(kernel_named(p, name), slope) for p, name, slope in backward if p == problem]
    return found


@dataclass(frozen=True)
class Arithmetic:
    """Round into a working format what the accumulator's format has summed up."""

    fmt: Format

    @property
    def accumulator(self) -> np.dtype:
        """Return float32 for formats of 16 bits, else the format itself."""
        return np.dtype(np.float32) if self.fmt.bits <= 16 else self.fmt.dtype

    def rounded(self, values: Array) -> Array:
        """Round values into the format once; the result is held in the accumulator's format."""
        if values.dtype == self.fmt.dtype:
            return values
        return values.astype(self.fmt.dtype).astype(self.accumulator)

    def mean(self, values: Array) -> Array:
        """Return the mean along the last axis: summed up and divided in the accumulator's format, then rounded."""
        return self.rounded(values.astype(self.accumulator).mean(axis=-1))

    def loss(self, method: Method, logits: Array, targets: Array) -> tuple[Array, Array]:
        """Return each example's loss and its slope by the logit; the method sees the format alone."""
        loss, slope = method(logits.astype(self.fmt.dtype), targets.astype(self.fmt.dtype))
        return loss.astype(self.accumulator), slope.astype(self.accumulator)


def augmented(x: Array) -> Array:
    """Append a feature that is 1, whose weights are the biases."""
    return np.concatenate([x, np.ones((*x.shape[:-1], 1), x.dtype)], axis=-1)


def forward(arithmetic: Arithmetic, weights: Sequence[Array], x: Array) -> tuple[Array, list[Array]]:
    """Return logits (..., n) of examples x (..., n, features), and the input of each layer.

    Layers are products with relu between them; weights have shape (..., inputs + 1, outputs).
    """
    inputs: list[Array] = []
    for w in weights:
        inputs.append(augmented(np.maximum(x, 0) if inputs else x))
        x = arithmetic.rounded(inputs[-1] @ w)
    return x[..., 0], inputs


def backward(arithmetic: Arithmetic, weights: Sequence[Array], inputs: list[Array], slope: Array) -> list[Array]:
    """Return the gradient of the mean loss by each weight, from the slope (..., n) of each example's loss.

    The division by n belongs to the sum over examples, before the one rounding.
    """
    delta, found = slope[..., None], []
    for w, a in zip(reversed(weights), reversed(inputs)):
        total = np.swapaxes(a, -1, -2) @ delta
        found.append(arithmetic.rounded(total / total.dtype.type(slope.shape[-1])))
        if len(found) < len(weights):
            passed = arithmetic.rounded(delta @ np.swapaxes(w[..., :-1, :], -1, -2))
            delta = np.where(a[..., :-1] > 0, passed, 0)  # relu passes on what its output let through
    return found[::-1]


def stepped(arithmetic: Arithmetic, weights: Sequence[Array], slopes: Sequence[Array], rate: Array) -> list[Array]:
    """Return the weights after one step of gradient descent, w - rate * gradient, each operation rounded."""
    rounded = arithmetic.rounded
    return [rounded(w - rounded(rate * g)) for w, g in zip(weights, slopes)]


def initial(widths: Sequence[int], seed: int, gain: float) -> list[Array]:
    """Return float64 weights of layers of the given widths: normal, variance 2 / inputs before a relu, 1 / inputs last.

    The last layer is `gain` times as large; biases are 0.
    """
    draw = np.random.Generator(np.random.PCG64([seed, 2]))
    weights = []
    for i, (rows, columns) in enumerate(pairwise(widths)):
        scale = gain / np.sqrt(rows) if i == len(widths) - 2 else np.sqrt(2 / rows)
        drawn = draw.standard_normal((rows, columns)) * scale
        weights.append(np.concatenate([drawn, np.zeros((1, columns))]))
    return weights
