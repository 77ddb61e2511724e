"""Where training starts: the data sets, the initial weights and the settings of the study `training`.

Two data sets come with scikit-learn (scikit-learn==1.9.1 sklearn/datasets/data): breast_cancer (UCI,
doi:10.24432/C5DW2B) and digits, the test set of UCI's optical digits (doi:10.24432/C50P49).  The third one a
plane separates.

Each seed draws its own training and test examples, and its own weights.  Features are standardised by the mean
and the standard deviation of the training examples, in float64; the networks round them into their format.
Layers before a relu start as in He et al. (2015), doi:10.1109/ICCV.2015.123.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from harness import UsageError, choices

Array = np.ndarray

MARGIN = 0.5  # of the separable data, in standard deviations of a feature
FEATURES, EXAMPLES = 10, 1200  # of the separable data


@dataclass(frozen=True)
class Split:
    """Hold training and test examples in float64: features (examples, features), targets 0 or 1 (examples,)."""

    train_x: Array
    train_y: Array
    test_x: Array
    test_y: Array


def split(name: str, seed: int, size: int) -> Split:
    """Return `size` training examples of a data set, drawn by the seed; all others are test examples.

    Raises UsageError for an unknown data set, and where scikit-learn is needed and not installed.
    """
    if name == "separable":
        x, y = separable(seed)
    elif name in SHIPPED:
        x, y = shipped(name)
    else:
        raise UsageError(f"unknown data set {name!r}; known data sets: {choices(name, [*SHIPPED, 'separable'])}")
    order = np.random.Generator(np.random.PCG64([seed, 1])).permutation(len(y))
    first, rest = order[:size], order[size:]
    mean, deviation = x[first].mean(axis=0), x[first].std(axis=0)
    x = (x - mean) / np.where(deviation > 0, deviation, 1.0)  # a pixel that is always 0 stays so
    return Split(x[first], y[first], x[rest], y[rest])


def separable(seed: int) -> tuple[Array, Array]:
    """Return normal features and targets that a plane through 0 divides, no example within MARGIN of it."""
    draw = np.random.Generator(np.random.PCG64([seed, 0]))
    x = draw.standard_normal((EXAMPLES, FEATURES))
    direction = draw.standard_normal(FEATURES)
    direction /= np.sqrt(np.add.reduce(direction * direction))
    side = np.add.reduce(x * direction, axis=1)  # not a BLAS product: its last bit differs between machines
    y = (side > 0).astype(np.float64)
    return x + np.where(side > 0, MARGIN, -MARGIN)[:, None] * direction, y


def shipped(name: str) -> tuple[Array, Array]:
    """Return a data set that scikit-learn ships; UsageError where it is not installed."""
    try:
        from sklearn import datasets
    except ImportError as e:
        raise UsageError(
            f"the data set {name} comes with scikit-learn, which is not installed; pip install '.[questions]' brings it"
        ) from e
    return SHIPPED[name](datasets)


def _breast_cancer(datasets) -> tuple[Array, Array]:  # type: ignore[no-untyped-def]
    data = datasets.load_breast_cancer()
    return data.data, data.target.astype(np.float64)


def _digits(datasets) -> tuple[Array, Array]:  # type: ignore[no-untyped-def]
    """Tell odd digits (1) from even ones (0)."""
    data = datasets.load_digits()
    return data.data, (data.target % 2).astype(np.float64)


SHIPPED = {"breast_cancer": _breast_cancer, "digits": _digits}


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


@dataclass(frozen=True)
class Setup:
    """Hold what a part trains: a data set, a model, and the study's parameters, which have its settings.

    Everything in it is computed when asked for.
    """

    data: str
    model: str
    parameters: Mapping[str, Any]

    @cached_property
    def splits(self) -> list[Split]:
        """Return the training and test examples of each seed, in the order of the seeds."""
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


def setup_named(part: str, parameters: Mapping[str, Any]) -> Setup:
    """Return the setup of a part DATA-MODEL; UsageError for an unknown model."""
    data, _, model = part.rpartition("-")
    if model not in parameters["models"]:
        raise UsageError(
            f"unknown model {model!r} in part {part!r}; known models: {choices(model, parameters['models'])}"
        )
    return Setup(data, model, parameters)
