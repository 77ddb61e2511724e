"""Train with one loss in one format: several seeds and settings at once, and what is noted of them.

Arrays over runs have shape (seeds, settings).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from harness import UsageError
from harness.kernels import kernel_named
from harness.numbers.formats import Format
from harness.problems import problem_named
from harness.studies.training.data import split
from harness.studies.training.network import Arithmetic, Method, backward, forward, initial, stepped

Array = np.ndarray

NEVER = -1
NOTED = ("true_loss", "gradient_norm", "gradient_error", "dead", "stuck")


@dataclass(frozen=True)
class Task:
    """Describe what is trained: a data set, a model, and the settings' learning rates and gains."""

    data: str
    model: str
    parameters: Mapping[str, Any]

    @cached_property
    def splits(self) -> list:
        """Return the examples of each seed."""
        return [split(self.data, seed, self.parameters["examples"]) for seed in range(self.parameters["seeds"])]

    @property
    def settings(self) -> Mapping[str, Mapping[str, float]]:
        """Return the model's settings by name, each a learning rate and a gain."""
        return self.parameters["models"][self.model]["settings"]

    @property
    def rates(self) -> Array:
        """Return the learning rates, broadcast against weights (seeds, settings, inputs, outputs)."""
        return np.array([s["rate"] for s in self.settings.values()])[None, :, None, None]

    def weights(self) -> list[Array]:
        """Return the weights at the start in float64, one array (seeds, settings, inputs + 1, outputs) a layer."""
        hidden = self.parameters["models"][self.model]["hidden"]
        widths = [self.splits[0].train_x.shape[1], *hidden, 1]
        found = [[initial(widths, seed, s["gain"]) for s in self.settings.values()] for seed in range(len(self.splits))]
        return [np.array([[run[layer] for run in row] for row in found]) for layer in range(len(widths) - 1)]

    def examples(self, which: str) -> tuple[Array, Array]:
        """Return features (seeds, 1, n, features) and targets (seeds, settings, n) of `train` or `test`."""
        x = np.stack([getattr(s, f"{which}_x") for s in self.splits])[:, None]
        y = np.stack([getattr(s, f"{which}_y") for s in self.splits])[:, None]
        return x, np.repeat(y, len(self.settings), axis=1)


def task_named(part: str, parameters: Mapping[str, Any]) -> Task:
    """Return the task of a part DATA-MODEL; UsageError for an unknown model."""
    data, _, model = part.rpartition("-")
    if model not in parameters["models"]:
        raise UsageError(f"unknown model {model!r} in part {part!r}; known models: {', '.join(parameters['models'])}")
    return Task(data, model, parameters)


@dataclass
class Run:
    """Hold what happened to the runs of one method in one format.

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


def train(method: Method, fmt: Format, task: Task) -> Run:
    """Train by full-batch gradient descent, all computed in the format, and note what happens.

    Stops early once no run has finite weights: nothing brings them back.
    """
    arithmetic, steps = Arithmetic(fmt), task.parameters["steps"]
    x, y = task.examples("train")
    x = arithmetic.rounded(x.astype(fmt.dtype))
    weights = [arithmetic.rounded(w.astype(fmt.dtype)) for w in task.weights()]
    rate = arithmetic.rounded(task.rates.astype(fmt.dtype))
    run = _empty(task, y.shape[:2])
    with np.errstate(all="ignore"):
        for step in range(steps + 1):
            logits, inputs = forward(arithmetic, weights, x)
            loss, slope = arithmetic.loss(method, logits, y)
            slopes = backward(arithmetic, weights, inputs, slope)
            run.reported[step] = arithmetic.mean(loss)
            _first(run.first_loss, step, ~np.isfinite(run.reported[step]))
            _first(run.first_gradient, step, ~finite(slopes))
            _blame(run, logits, y, slope)
            if step in run.steps:
                for name, values in note(fmt, logits, y, slope, slopes).items():
                    run.noted[name][run.steps.index(step)] = values
            if step < steps:
                weights = stepped(arithmetic, weights, slopes, rate)
                if not finite(weights).any():
                    break
        _finish(run, arithmetic, weights, task)
    return run


def _empty(task: Task, shape: tuple[int, ...]) -> Run:
    steps, every = task.parameters["steps"], task.parameters["note_every"]
    noted = list(range(0, steps + 1, every))
    return Run(
        noted,
        np.full((steps + 1, *shape), np.nan),
        np.full(shape, NEVER),
        np.full(shape, NEVER),
        {name: np.full((len(noted), *shape), np.nan) for name in NOTED},
    )


def _first(first: Array, step: int, bad: Array) -> None:
    first[bad & (first == NEVER)] = step


def _blame(run: Run, logits: Array, targets: Array, slope: Array) -> None:
    """Note the first example of each setting whose slope is not finite although its logit is."""
    bad = ~np.isfinite(slope) & np.isfinite(logits)
    for c in np.nonzero(bad.any(axis=(0, 2)))[0]:
        if int(c) not in run.culprits:
            seed, example = np.argwhere(bad[:, c])[0]
            run.culprits[int(c)] = float(logits[seed, c, example]), float(targets[seed, c, example])


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


def _finish(run: Run, arithmetic: Arithmetic, weights: list[Array], task: Task) -> None:
    """Note the test error, in which a logit that is not finite counts as wrong, and all logits."""
    logits, targets = [], []
    for which in ("train", "test"):
        x, y = task.examples(which)
        x = arithmetic.rounded(x.astype(arithmetic.fmt.dtype))
        logits.append(forward(arithmetic, weights, x)[0].astype(np.float64))
        targets.append(y)
    right = np.isfinite(logits[1]) & ((logits[1] > 0) == (targets[1] == 1))
    run.test_error = 1 - right.mean(axis=-1)
    run.logits, run.targets = np.concatenate(logits, axis=-1), np.concatenate(targets, axis=-1)
