"""What goes wrong at the probes, the round inputs that pages cite: each effect by a rule, none by name.

| kind      | of         | rule, at an input with a finite exact value v, the result not being v rounded     |
| invalid   | both       | NaN or infinite                                                                    |
| dead      | a gradient | 0 where |v| >= 0.1: a wrong prediction that is never mended                        |
| off       | a gradient | off by 10 % or more where |v| >= 0.1                                               |
| plateau   | a loss     | off by 10 % or more where v >= 1: a wrong prediction                               |
| cancelled | a loss     | off by 50 % or more where v < 1: a right prediction                                |
| faded     | a gradient | off by 50 % or more where |v| < 0.1                                                |
| narrowed  | both       | float64 inputs, and every result is a float32 number                               |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.formats import Format, format_named
from harness.problems import problem_named
from harness.tables.rows import Row
from harness.truth.arb import cited
from harness.truth.fast import evaluate

KINDS = ("invalid", "dead", "off", "plateau", "cancelled", "faded", "narrowed")
LARGE_GRADIENT, LARGE_LOSS = 0.1, 1.0
SLIGHTLY, MOSTLY = 0.1, 0.5


@dataclass(frozen=True)
class Answer:
    """Hold what a system returned at the probes in one format at one target: float64 arrays of shape (n,)."""

    row: Row
    x: np.ndarray
    value: np.ndarray
    exact: np.ndarray
    rounded: np.ndarray

    @property
    def fmt(self) -> Format:
        """Return the working format."""
        return format_named(str(self.row["format"]))

    @property
    def is_gradient(self) -> bool:
        """Tell whether the problem is a gradient."""
        return str(self.row["problem"]).endswith("_grad")

    @property
    def logit(self) -> np.ndarray:
        """Return the size of the inputs' logits; infinite at the probabilities 0 and 1."""
        if problem_named(str(self.row["problem"])).input != "probability":
            return np.abs(self.x)
        with np.errstate(divide="ignore"):
            return np.abs(np.log(self.x) - np.log1p(-self.x))

    def at(self, x: float) -> float:
        """Return the value at a probe."""
        return float(self.value[np.searchsorted(self.x, x)])

    def truth(self, x: float) -> mpmath.mpf:
        """Return the exact value at a probe, in mpmath."""
        point = (mp.mpf(x),) if self.row["target"] == "" else (mp.mpf(x), mp.mpf(float(self.target)))
        return cited(problem_named(str(self.row["problem"])), point)

    @property
    def target(self) -> np.generic:
        """Return the target at which the truth is taken, in the working format."""
        return self.fmt.parse(str(self.row["target"]))


@dataclass(frozen=True)
class Effect:
    """Name one effect of a system at the probe `x`, whose logit has the size `logit`."""

    kind: str
    answer: Answer
    x: float
    logit: float

    @property
    def value(self) -> float:
        """Return what the system returned there."""
        return self.answer.at(self.x)

    @property
    def truth(self) -> mpmath.mpf:
        """Return the exact value there."""
        return self.answer.truth(self.x)


def answers(parts: list[dict]) -> list[Answer]:
    """Return what the systems returned at the probes, without those that returned nothing."""
    found = []
    for part in parts:
        for row, probes in zip(part["rows"], part["probes"]):
            if probes["x"]:
                x, value = (np.array([float(v) for v in probes[name]]) for name in ("x", "value"))
                exact, rounded = _exact(row["problem"], row["format"], row["target"], tuple(x))
                found.append(Answer(row, x, value, exact, rounded))
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


def effects(answer: Answer) -> Iterator[Effect]:
    """Yield the effects of one answer, each at the probe nearest to the centre, and where a 0 comes first."""
    for kind, where in masks(answer).items():
        for shown in (where, where & (answer.value == 0)):
            if shown.any():
                i = int(np.argmin(np.where(shown, answer.logit, np.inf)))
                i = i if shown[i] else int(np.argmax(shown))  # all of them at p = 0 or 1
                yield Effect(kind, answer, float(answer.x[i]), float(answer.logit[i]))


def masks(answer: Answer) -> dict[str, np.ndarray]:
    """Return for each kind where it shows."""
    value, exact, gradient = answer.value, answer.exact, answer.is_gradient
    with np.errstate(all="ignore"):
        size, finite = np.abs(exact), np.isfinite(answer.rounded)
        relative = np.where(exact == 0, np.where(value == 0, 0, np.inf), np.abs(value - exact) / size)
        wrong = (
            finite & np.isfinite(value) & (value.astype(answer.fmt.dtype) != answer.rounded.astype(answer.fmt.dtype))
        )
    large = size >= (LARGE_GRADIENT if gradient else LARGE_LOSS)
    off = wrong & large & (relative >= SLIGHTLY)
    lost = wrong & ~large & (relative >= MOSTLY)
    nothing = np.zeros(len(value), bool)
    with np.errstate(over="ignore"):
        single = value.astype(np.float32).astype(np.float64)
    narrow = answer.fmt.name == "float64" and np.array_equal(value, single, equal_nan=True)
    return {
        "invalid": finite & ~np.isfinite(value),
        "dead": off & (value == 0) if gradient else nothing,
        "off": off & (value != 0) if gradient else nothing,
        "plateau": nothing if gradient else off,
        "cancelled": nothing if gradient else lost,
        "faded": lost if gradient else nothing,
        "narrowed": wrong if narrow else nothing,
    }
