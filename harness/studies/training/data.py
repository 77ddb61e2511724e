"""The data sets of the study `training`: two that scikit-learn ships, and one that a plane separates.

scikit-learn==1.9.1 sklearn/datasets/data: breast_cancer (UCI, doi:10.24432/C5DW2B) and digits, the test
set of UCI's optical digits (doi:10.24432/C50P49).

Each seed draws its own training and test examples.  Features are standardised by the mean and the
standard deviation of the training examples, in float64; the networks round them into their format.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness import UsageError

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
        raise UsageError(f"unknown data set {name!r}; known data sets: {', '.join([*SHIPPED, 'separable'])}")
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
