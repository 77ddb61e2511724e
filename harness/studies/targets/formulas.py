"""What NumPy makes of formulas with integer, boolean, -1/1 and 1/2 labels: result type, exception, right or wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp

from harness.kernels import kernels_of
from harness.numbers.formats import Format
from harness.problems import PROBLEMS
from harness.tables.rows import Row
from harness.truth.arb import cited
from harness.truth.certified import significant

Array = Any
LOGIT = 1.5  # a number of every format
# Relative: a label that was understood, whatever the rounding and the kernel's eps; a wrong one is off by more.
NEAR = 0.05
PAIRS = {"0/1": (0, 1), "-1/1": (-1, 1), "1/2": (1, 2), "NaN": (np.nan, np.nan)}


@dataclass(frozen=True)
class Labels:
    """Hold labels of a negative and a positive example, and how they are written; dtype None: the working format."""

    coding: str
    dtype: str | None

    def array(self, fmt: Format) -> np.ndarray:
        """Return the labels of the negative and the positive example as an array of shape (2,) of their type."""
        return np.array(PAIRS[self.coding]).astype(fmt.dtype if self.dtype is None else self.dtype)

    @property
    def name(self) -> str:
        """Return how the labels are called in the table."""
        return f"{self.coding} {self.dtype or 'float'}"


LABELS = (
    *(Labels("0/1", d) for d in (None, "bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64")),
    *(Labels("-1/1", d) for d in (None, "int8", "int64")),
    *(Labels("1/2", d) for d in (None, "uint8", "int64")),
    Labels("NaN", None),
)
# As people write them, with Python's own constants; x is a logit, p a probability, y the labels.
LOGIT_FORMULAS: dict[str, Callable[[Array, Array], Array]] = {
    "maximum(x, 0) - x*y + log1p(exp(-abs(x)))": lambda x, y: np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x))),
    "(1 - y)*x + logaddexp(0, -x)": lambda x, y: (1 - y) * x + np.logaddexp(0 * x, -x),
    "y*logaddexp(0, -x) + (1 - y)*logaddexp(0, x)": lambda x, y: (
        y * np.logaddexp(0 * x, -x) + (1 - y) * np.logaddexp(0 * x, x)
    ),
    "log1p(exp(-(2*y - 1)*x))": lambda x, y: np.log1p(np.exp(-(2 * y - 1) * x)),
    "log1p(exp(-y*x))": lambda x, y: np.log1p(np.exp(-y * x)),
    "log1p(exp(where(y, -x, x)))": lambda x, y: np.log1p(np.exp(np.where(y, -x, x))),
    "log1p(exp(where(y == 1, -x, x)))": lambda x, y: np.log1p(np.exp(np.where(y == 1, -x, x))),
    "log1p(exp(where(y > 0, -x, x)))": lambda x, y: np.log1p(np.exp(np.where(y > 0, -x, x))),
}
PROBABILITY_FORMULAS: dict[str, Callable[[Array, Array], Array]] = {
    "-(y*log(p) + (1 - y)*log(1 - p))": lambda p, y: -(y * np.log(p) + (1 - y) * np.log(1 - p)),
    "-y*log(p) - (1 - y)*log(1 - p)": lambda p, y: -y * np.log(p) - (1 - y) * np.log(1 - p),
    "(y - 1)*log1p(-p) - y*log(p)": lambda p, y: (y - 1) * np.log1p(-p) - y * np.log(p),
    "-log(where(y, p, 1 - p))": lambda p, y: -np.log(np.where(y, p, 1 - p)),
    "-log(1 - abs(y - p))": lambda p, y: -np.log(1 - np.abs(y - p)),
}


# What a label goes through first; `x*y` has a logit of the working format.
EXPRESSIONS: dict[str, Callable[[Array, Array], Array]] = {
    "-y": lambda x, y: -y,
    "1 - y": lambda x, y: 1 - y,
    "2*y - 1": lambda x, y: 2 * y - 1,
    "y*(1 - s) + 0.5*s, s = 0.1": lambda x, y: y * (1 - 0.1) + 0.5 * 0.1,
    "x*y": lambda x, y: x * y,
}


def promotion_rows(fmt: Format) -> list[Row]:
    """Return what NumPy makes of 0/1 labels of each type: the result's type and its two values, or the exception."""
    x = np.array([1, 1]).astype(fmt.dtype)
    rows: list[Row] = []
    by_type = {label.dtype or fmt.name: label for label in LABELS if label.coding == "0/1"}
    for given, labels in by_type.items():
        for name, expression in EXPRESSIONS.items():
            result, error = outcome(expression, x, labels.array(fmt))
            row: Row = {"format": fmt.name, "labels": given, "expression": name}
            values = "" if result is None else ", ".join(f"{float(v):.4g}" for v in result)
            rows.append({**row, "result": error if result is None else str(result.dtype), "values": values})
    return rows


def formula_rows(fmt: Format) -> list[Row]:
    """Return a row for every formula, then every kernel, and every kind of labels."""
    x = np.array([LOGIT, LOGIT]).astype(fmt.dtype)
    p = np.array([fmt.round(str(1 / (1 + np.exp(-LOGIT))))] * 2)
    forms = [("bce_logits", n, f, x) for n, f in LOGIT_FORMULAS.items()]
    forms += [("bce", n, f, p) for n, f in PROBABILITY_FORMULAS.items()]
    for problem, given in (("bce_logits", x), ("bce", p)):
        forms += [(problem, f"kernel {k.name}", k, given) for k in kernels_of(problem)]
    return [_row(fmt, *form, labels) for form in forms for labels in LABELS]


def _row(fmt: Format, problem: str, name: str, formula: Callable, given: np.ndarray, labels: Labels) -> Row:
    result, error = outcome(formula, given, labels.array(fmt))
    row: Row = {"problem": problem, "formula": name, "format": fmt.name, "labels": labels.name}
    if result is None:
        return {**row, "result": "", "negative": "", "positive": "", "outcome": error}
    values = [float(v) for v in result]
    good = labels.coding != "NaN" and all(
        np.isfinite(v) and _near(problem, float(given[i]), i, v) for i, v in enumerate(values)
    )
    return {
        **row,
        "result": str(result.dtype),
        "negative": significant(values[0], 4) or "nan",
        "positive": significant(values[1], 4) or "nan",
        "outcome": described(good, bool(np.isfinite(values).all()), result.dtype == fmt.dtype, str(result.dtype)),
    }


def outcome(formula: Callable, given: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray | None, str]:
    """Run a formula; return its two losses, or None and the exception's name."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(formula(given, labels)), ""
    except Exception as e:
        return None, type(e).__name__


def described(good: bool, finite: bool, kept: bool, dtype: str) -> str:
    """Say what became of a formula: right, finite and wrong, or not a number, and the result's type if another."""
    word = "right" if good else "finite, wrong" if finite else "NaN or infinite"
    return word if kept else f"{word}, {dtype}"


def _near(problem: str, given: float, label: int, value: float) -> bool:
    exact = cited(PROBLEMS[problem], (mp.mpf(given), mp.mpf(label)))
    return bool(abs(value - exact) <= NEAR * exact)
