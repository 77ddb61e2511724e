"""The eps of the study, the kernels that take one, the inputs, and the bins that a heat map shows.

An eps is a power of two, from 2^-1 down to below the least subnormal of the format, where it rounds
to 0, or one of the values in circulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.kernels import Kernel, kernel_named
from harness.kernels.tape import gradient
from harness.numbers.formats import Format
from harness.problems import Problem, gradient_of, problem_named
from harness.sweep.grid import Grid

Array = np.ndarray

# How a loss uses its eps, and the registered kernel of each problem that does so.
FORMS = {
    "clamp": {"bce": "clip_1e-7", "bce_logits": "sigmoid_clip_1e-7"},
    "added": {"bce": "add_eps_1e-7", "bce_logits": "sigmoid_add_eps_1e-7"},
}
STABLE = {"bce": "xlogy", "bce_logits": "softplus_pair"}  # the forms without eps, to compare with
CIRCULATING = ("1e-6", "1e-7", "1e-8", "1e-12", "1e-15", "1e-16")
NEIGHBOURS = 3  # inputs on either side of eps, and of 1 - eps
MOST_BINS = 48  # on each side of one half
NEAR, NEAR_POINTS = 40.0, 2560  # logits where the sample has more points: its cells there are wider than a bin


@dataclass(frozen=True)
class Eps:
    """Hold an eps: its name in tables, the value before it is rounded into a format, its other name."""

    name: str
    text: str
    known_as: str = ""

    def rounded(self, fmt: Format) -> float:
        """Return the eps as the format holds it."""
        return float(fmt.round(self.text))


@dataclass(frozen=True)
class Candidate:
    """Hold one kernel of the study, its gradient, its form (empty for the stable one) and its eps."""

    kernel: Kernel
    slope: Kernel
    form: str
    eps: Eps | None


def least_exponent(fmt: Format) -> int:
    """Return k, where 2^-k is the least subnormal."""
    return -(fmt.emin - fmt.precision + 1)


def exponents(fmt: Format, dense: int, step: int) -> list[int]:
    """Return the k of the powers 2^-k: every one up to `dense`, then every `step`-th, then past the subnormals."""
    least = least_exponent(fmt)
    return sorted({*range(1, min(dense, least) + 1), *range(dense, least, step), least, least + 1, least + 2})


def ladder(fmt: Format, parameters: Mapping[str, Any]) -> list[Eps]:
    """Return every eps of a format, the powers of two first, those in circulation after them."""
    known = {fmt.precision - 1: "machine epsilon", -fmt.emin: "least normal", least_exponent(fmt): "least subnormal"}
    powers = sorted({*exponents(fmt, parameters["dense"][fmt.name], parameters["step"][fmt.name]), *known})
    return [Eps(f"2^-{k}", f"0x1p-{k}", known.get(k, "")) for k in powers] + [Eps(e, e, e) for e in CIRCULATING]


def candidates(problem: Problem, every: Sequence[Eps]) -> list[Candidate]:
    """Return the stable kernel, then each form with each eps; none of them is registered."""
    stable = kernel_named(problem.name, STABLE[problem.name])
    found = [Candidate(stable, _slope(stable), "", None)]
    for form, by_problem in FORMS.items():
        model = kernel_named(problem.name, by_problem[problem.name])
        stem = model.name.removesuffix("1e-7")
        for eps in every:
            kernel = replace(model, name=stem + eps.name, parameters={"eps": eps.text})
            found.append(Candidate(kernel, _slope(kernel), form, eps))
    return found


def slope_of(problem: Problem) -> Problem:
    """Return the gradient of a loss of the study; both have one."""
    found = gradient_of(problem)
    assert found is not None
    return found


def _slope(kernel: Kernel) -> Kernel:
    """Return the gradient of a kernel as written."""
    problem = slope_of(problem_named(kernel.problem))
    return replace(kernel, problem=problem.name, function=gradient(kernel.function))


def inputs(grid: Grid, every: Sequence[Eps]) -> Array:
    """Return the ordinals of the grid's inputs; where it is a sample also those around each clamp and small logits."""
    ordinals = grid.ordinals()
    if grid.exhaustive:
        return ordinals
    eps = np.array([e.rounded(grid.fmt) for e in every])
    eps = eps[eps > 0]
    low, high, near = eps, 1 - eps, np.empty(0)
    if grid.problem.input == "logit":
        low = np.log(eps) - np.log1p(-eps)
        high, near = -low, np.linspace(-NEAR, NEAR, NEAR_POINTS)
    around = grid.fmt.ordinal(np.concatenate([low, high]).astype(grid.fmt.dtype))[:, None]
    around = (around + np.arange(-NEIGHBOURS, NEIGHBOURS + 1)).ravel()
    ordinals = np.union1d(ordinals, grid.fmt.ordinal(near.astype(grid.fmt.dtype)))
    return np.union1d(ordinals, around[(around >= grid.start) & (around < grid.stop)])


class Bins:
    """Divide the inputs by s = min(p, 1 - p), on either side of p = 1/2; bins run from p = 0 to p = 1.

    `edges` are 0, powers of two of the ladder below 1/2 (at most MOST_BINS), and sigma(-L) for each
    of the ranges |logit| <= L, ascending; a bin holds edges[b] <= s < edges[b + 1].
    """

    def __init__(self, fmt: Format, parameters: Mapping[str, Any]):
        powers = exponents(fmt, parameters["dense"][fmt.name], parameters["step"][fmt.name])
        kept = powers[:: -(-len(powers) // MOST_BINS)]
        self.ranges = {float(limit): float(1 / (1 + np.exp(np.float64(limit)))) for limit in parameters["ranges"]}
        self.edges = np.array(sorted({0.0, *(2.0**-k for k in kept if 1 < k < 1075), *self.ranges.values()}))

    @property
    def count(self) -> int:
        """Return the number of bins on both sides of p = 1/2 together."""
        return 2 * len(self.edges)

    def of(self, p: Array, q: Array) -> Array:
        """Return the bin of each input from p and 1 - p, float64."""
        b = np.searchsorted(self.edges, np.minimum(p, q), side="right") - 1
        return np.where(p < q, b, self.count - 1 - b)

    def within(self, limit: float) -> Array:
        """Tell which bins hold the inputs with |logit| <= limit; all of them for an infinite limit."""
        inside = self.edges >= self.ranges.get(limit, 0.0)
        return np.concatenate([inside, inside[::-1]])


def probabilities(problem: Problem, values: Array) -> tuple[Array, Array]:
    """Return p and 1 - p of inputs in float64, each with a small relative error."""
    v = values.astype(np.float64)
    if problem.input == "probability":
        return v, 1 - v
    t = np.exp(-np.abs(v))
    large, small = 1 / (1 + t), t / (1 + t)
    return np.where(v >= 0, large, small), np.where(v >= 0, small, large)
