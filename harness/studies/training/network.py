"""Small networks, many trained side by side, forward and backward strictly in one format.

Features, weights, activations, gradients and steps are numbers of the format.  Between the loss
kernels they are held in the accumulator's format (float32 for 16 bits, else the format itself),
which has them all exactly, and rounded into the format after each operation; so NumPy and ml_dtypes
compute with 16-bit arrays too.  A matrix product is summed up in the accumulator's format and
rounded once.

Arrays over runs have shape (seeds, settings).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.kernels import Kernel, kernel_named, kernels_of, like
from harness.kernels.tape import gradient, plain
from harness.numbers.formats import Format
from harness.problems import gradient_of, problem_named
from harness.studies.training.start import Setup

Array = np.ndarray

NEVER = -1
NOTED = ("true_loss", "gradient_norm", "gradient_error", "dead", "stuck")


@dataclass(frozen=True)
class DifferentiatedLoss:
    """Hold a loss kernel of bce_logits or bce, and the kernel of its gradient where that is not its own."""

    kernel: Kernel
    backward: str = ""

    @property
    def gradient(self) -> Kernel | None:
        """Return the kernel that is paired with the loss; None where the gradient is the loss's own."""
        slope = gradient_of(problem_named(self.kernel.problem))
        return kernel_named(slope.name, self.backward) if slope and self.backward else None

    def __call__(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss and its derivative by the logit, both in the format of x.

        A kernel of bce is given p = sigmoid(x), and its gradient is multiplied by p (1 - p), as in
        the libraries' own backward passes.
        """
        if self.kernel.problem == "bce_logits":
            return self._differentiated(x, y)
        p = kernel_named("sigmoid", "branched")(x)
        loss, slope = self._differentiated(p, y)
        return loss, slope * (p * (like(1, p) - p))

    def _differentiated(self, v: Array, y: Array) -> tuple[Array, Array]:
        if self.gradient:
            return self.kernel(v, y), self.gradient(v, y)
        seen: list[Array] = []

        def watched(*inputs: Array, **constants: Array) -> Array:
            seen.append(self.kernel.function(*inputs, **constants))
            return seen[0]

        slope = replace(self.kernel, function=gradient(watched))(v, y)
        return plain(seen[0]), slope


def losses(backward: Sequence[Sequence[str]]) -> list[DifferentiatedLoss]:
    """Return the kernels of bce_logits, then those of bce, with their own gradients and with those that are given.

    `backward` has (problem, kernel, kernel of the gradient).
    """
    found: list[DifferentiatedLoss] = []
    for problem in ("bce_logits", "bce"):
        found += [DifferentiatedLoss(k) for k in kernels_of(problem)]
        found += [DifferentiatedLoss(kernel_named(p, name), slope) for p, name, slope in backward if p == problem]
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

    def loss(self, loss: DifferentiatedLoss, logits: Array, targets: Array) -> tuple[Array, Array]:
        """Return each example's loss and its slope by the logit; the loss sees the format alone."""
        values, slope = loss(logits.astype(self.fmt.dtype), targets.astype(self.fmt.dtype))
        return values.astype(self.accumulator), slope.astype(self.accumulator)


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


@dataclass
class History:
    """Hold what happened to the runs of one loss in one format, an array of all seeds and settings for each figure.

    `reported` has shape (steps + 1, seeds, settings); each entry of `noted` has one array a noted
    step, NaN once every run is lost.  `first_loss` and `first_gradient` are the first steps at which
    the reported loss or any weight's gradient is not finite, NEVER where none.  `culprits` has, for
    each setting, the first logit at which a slope is not finite, with its target.
    """

    steps: list[int]  # those at which something is noted
    reported: Array
    first_loss: Array
    first_gradient: Array
    noted: dict[str, Array]
    culprits: dict[int, tuple[float, float]] = field(default_factory=dict)  # by setting: logit and target
    test_error: Array = field(default_factory=lambda: np.empty(0))
    logits: Array = field(default_factory=lambda: np.empty(0))  # (seeds, settings, all examples)
    targets: Array = field(default_factory=lambda: np.empty(0))

    @property
    def first_nonfinite(self) -> Array:
        """Return the first step at which loss or gradient is not finite."""
        never = np.iinfo(np.int64).max
        both = [np.where(f == NEVER, never, f) for f in (self.first_loss, self.first_gradient)]
        first = np.minimum(*both)
        return np.where(first == never, NEVER, first)


def train(loss: DifferentiatedLoss, fmt: Format, setup: Setup) -> History:
    """Train by full-batch gradient descent, all computed in the format, and note what happens.

    Stops early once no run has finite weights: nothing brings them back.
    """
    arithmetic, steps = Arithmetic(fmt), setup.parameters["steps"]
    x, y = setup.examples("train")
    x = arithmetic.rounded(x.astype(fmt.dtype))
    weights = [arithmetic.rounded(w.astype(fmt.dtype)) for w in setup.weights()]
    rate = arithmetic.rounded(setup.rates.astype(fmt.dtype))
    history = _empty(setup, y.shape[:2])
    with np.errstate(all="ignore"):
        for step in range(steps + 1):
            logits, inputs = forward(arithmetic, weights, x)
            values, slope = arithmetic.loss(loss, logits, y)
            slopes = backward(arithmetic, weights, inputs, slope)
            history.reported[step] = arithmetic.mean(values)
            _first(history.first_loss, step, ~np.isfinite(history.reported[step]))
            _first(history.first_gradient, step, ~finite(slopes))
            _blame(history, logits, y, slope)
            if step in history.steps:
                for name, noted in note(fmt, logits, y, slope, slopes).items():
                    history.noted[name][history.steps.index(step)] = noted
            if step < steps:
                weights = stepped(arithmetic, weights, slopes, rate)
                if not finite(weights).any():
                    break
        _finish(history, arithmetic, weights, setup)
    return history


def _empty(setup: Setup, shape: tuple[int, ...]) -> History:
    steps, every = setup.parameters["steps"], setup.parameters["note_every"]
    noted = list(range(0, steps + 1, every))
    return History(
        noted,
        np.full((steps + 1, *shape), np.nan),
        np.full(shape, NEVER),
        np.full(shape, NEVER),
        {name: np.full((len(noted), *shape), np.nan) for name in NOTED},
    )


def _first(first: Array, step: int, bad: Array) -> None:
    first[bad & (first == NEVER)] = step


def _blame(history: History, logits: Array, targets: Array, slope: Array) -> None:
    """Note the first example of each setting whose slope is not finite although its logit is."""
    bad = ~np.isfinite(slope) & np.isfinite(logits)
    for c in np.nonzero(bad.any(axis=(0, 2)))[0]:
        if int(c) not in history.culprits:
            seed, example = np.argwhere(bad[:, c])[0]
            history.culprits[int(c)] = float(logits[seed, c, example]), float(targets[seed, c, example])


def finite(arrays: list[Array]) -> Array:
    """Tell which runs have only finite numbers in arrays of shape (seeds, settings, inputs, outputs)."""
    return np.logical_and.reduce([np.isfinite(a).all(axis=(-2, -1)) for a in arrays])


def note(fmt: Format, logits: Array, targets: Array, slope: Array, slopes: list[Array]) -> dict[str, Array]:
    """Return the true mean loss, the gradient's norm, its error, and the shares of dead gradients.

    The true loss is that of the logits as they are: problem.fast in float64, each loss within
    2^-48 of its exact value, and so their mean, all of one sign.  The gradient's error is
    |slope - true| / |true| over the batch.  A gradient is dead where it is 0 and the true one rounds
    to something else; stuck, where besides the prediction is wrong, and so the true one above 1/2.
    """
    x, y, s = (a.astype(np.float64) for a in (logits, targets, slope))
    true = kernel_named("bce_logits_grad", "weighted_sigmoids")(x, y)
    dead = (s == 0) & (abs(true) > fmt.smallest_subnormal / 2)
    squares = [np.square(g.astype(np.float64)).sum(axis=(-2, -1)) for g in slopes]
    return {
        "true_loss": problem_named("bce_logits").fast(x, y).mean(axis=-1),
        "gradient_norm": np.sqrt(sum(squares)),
        "gradient_error": np.sqrt(np.square(s - true).sum(axis=-1) / np.square(true).sum(axis=-1)),
        "dead": np.where(np.isfinite(s).all(axis=-1), dead.mean(axis=-1), np.nan),
        "stuck": np.where(np.isfinite(s).all(axis=-1), (dead & (abs(true) > 0.5)).mean(axis=-1), np.nan),
    }


def _finish(history: History, arithmetic: Arithmetic, weights: list[Array], setup: Setup) -> None:
    """Note the test error, in which a logit that is not finite counts as wrong, and all logits."""
    logits, targets = [], []
    for which in ("train", "test"):
        x, y = setup.examples(which)
        x = arithmetic.rounded(x.astype(arithmetic.fmt.dtype))
        logits.append(forward(arithmetic, weights, x)[0].astype(np.float64))
        targets.append(y)
    right = np.isfinite(logits[1]) & ((logits[1] > 0) == (targets[1] == 1))
    history.test_error = 1 - right.mean(axis=-1)
    history.logits, history.targets = np.concatenate(logits, axis=-1), np.concatenate(targets, axis=-1)
