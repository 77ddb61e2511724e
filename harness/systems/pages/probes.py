"""What systems returned at the probes, the round inputs that pages cite, beside the truth there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.systems.registry import is_gradient
from harness.tables.rows import Row
from harness.truth.arb import cited
from harness.truth.fast import evaluate


@dataclass(frozen=True)
class Returned:
    """Hold what a system returned at the probes in one format at one target: float64 arrays of shape (n,)."""

    row: Row
    x: np.ndarray
    value: np.ndarray
    exact: np.ndarray
    rounded: np.ndarray

    @property
    def fmt(self) -> Format:
        """Return the working format, that of the inputs."""
        return format_named(str(self.row["format"]))

    @property
    def problem(self) -> Problem:
        """Return the exact function that the system is measured against."""
        return problem_named(str(self.row["problem"]))

    @property
    def is_gradient(self) -> bool:
        """Tell whether the system returns a gradient: its problem is another's derivative."""
        return is_gradient(self.problem)

    @property
    def logit(self) -> np.ndarray:
        """Return the size of the inputs' logits; infinite at the probabilities 0 and 1."""
        if self.problem.input != "probability":
            return np.abs(self.x)
        with np.errstate(divide="ignore"):
            return np.abs(np.log(self.x) - np.log1p(-self.x))

    def at(self, x: float) -> float:
        """Return what the system returned at a probe `x`, which must be one of `self.x`."""
        return float(self.value[np.searchsorted(self.x, x)])

    def truth(self, x: float) -> mpmath.mpf:
        """Return the exact value at a probe, in mpmath."""
        point = (mp.mpf(x),) if self.row["target"] == "" else (mp.mpf(x), mp.mpf(float(self.target)))
        return cited(self.problem, point)

    @property
    def target(self) -> np.generic:
        """Return the target at which the truth is taken, in the working format."""
        return self.fmt.parse(str(self.row["target"]))


def returned(parts: list[dict]) -> list[Returned]:
    """Return what the systems returned at the probes, without those that returned nothing."""
    found = []
    for part in parts:
        for row, probes in zip(part["rows"], part["probes"]):
            if probes["x"]:
                x, value = (np.array([float(v) for v in probes[name]]) for name in ("x", "value"))
                exact, rounded = _exact(row["problem"], row["format"], row["target"], tuple(x))
                found.append(Returned(row, x, value, exact, rounded))
    return found


@cache
def _exact(problem: str, fmt: str, target: str, x: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return exact values, and the same rounded into the format."""
    f = format_named(fmt)
    inputs = [np.array(x).astype(f.dtype)[None, :]]
    if target:
        inputs.append(np.array([[f.parse(target)]]))
    with np.errstate(all="ignore"):
        exact = evaluate(problem_named(problem), f, *inputs)
        return exact.value[0].astype(np.float64), exact.rounded[0]
