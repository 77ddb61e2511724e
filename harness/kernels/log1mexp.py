"""Kernels of log1mexp(a) = log(1 - e^-a): one form is good for small a, another for large a.

log1mexp_neg(x) = log(1 - e^x) is the same at a = -x, written for x.  Their derivatives, -1 / (1 - e^a) and the same of
-x, have the losses' forms as autodiff gives them, and forms of their own.
"""

from __future__ import annotations

import math

from harness.kernels.activations import MAECHLER
from harness.kernels.registry import Array, kernel, like
from harness.numbers.formats import Format


@kernel(
    "log1mexp",
    "naive",
    formula=r"\log(1 - e^{-a})",
    source="textbook form",
    notes="1 - e^-a cancels for small a and is 1 for large a",
)
def log1mexp_naive(a: Array) -> Array:
    xp = a.__array_namespace__()
    return xp.log(like(1, a) - xp.exp(-a))


@kernel(
    "log1mexp",
    "expm1",
    formula=r"\log(-\mathrm{expm1}(-a))",
    source=MAECHLER,
    notes="-expm1(-a) approaches 1 for large a, and the log of it 0; for small a, good",
)
def log1mexp_expm1(a: Array) -> Array:
    xp = a.__array_namespace__()
    return xp.log(-xp.expm1(-a))


@kernel(
    "log1mexp",
    "log1p",
    formula=r"\log\mathrm{1p}(-e^{-a})",
    source=MAECHLER,
    notes="e^-a approaches 1 for small a, where log1p is singular; for large a, good",
)
def log1mexp_log1p(a: Array) -> Array:
    xp = a.__array_namespace__()
    return xp.log1p(-xp.exp(-a))


def log_2(fmt: Format) -> float:
    """Give log 2, where e^-a = 1 - e^-a = 1/2."""
    return math.log(2)


@kernel(
    "log1mexp",
    "maechler",
    formula=r"a \le \log 2: \log(-\mathrm{expm1}(-a));\ \text{else } \log\mathrm{1p}(-e^{-a})",
    source=MAECHLER + "; Stan's log1m_exp, LogExpFunctions.jl and TensorFlow Probability use the same cutoff",
    notes="each form where it is good",
    variants={"": {"cutoff": log_2}},
)
def log1mexp_maechler(a: Array, cutoff: Array) -> Array:
    xp = a.__array_namespace__()
    return xp.where(a <= cutoff, log1mexp_expm1(a), log1mexp_log1p(a))


# -- the same for x <= 0 ------------------------------------------------------------------------------


@kernel(
    "log1mexp_neg",
    "naive",
    formula=r"\log(1 - e^{x})",
    source="textbook form",
    notes="1 - e^x cancels for x next to 0 and is 1 for very negative x",
)
def log1mexp_neg_naive(x: Array) -> Array:
    xp = x.__array_namespace__()
    return xp.log(like(1, x) - xp.exp(x))


@kernel(
    "log1mexp_neg",
    "log1p",
    formula=r"\log\mathrm{1p}(-e^{x})",
    source="widespread; optax and torch users' log(1 - p) from log p",
    notes="e^x approaches 1 next to 0, where log1p is singular; for very negative x, good",
)
def log1mexp_neg_log1p(x: Array) -> Array:
    return log1mexp_log1p(-x)


@kernel(
    "log1mexp_neg",
    "maechler",
    formula=r"x \ge -\log 2: \log(-\mathrm{expm1}(x));\ \text{else } \log\mathrm{1p}(-e^{x})",
    source=MAECHLER + "; Stan's log1m_exp and LogExpFunctions.jl's log1mexp",
    notes="each form where it is good",
    variants={"": {"cutoff": log_2}},
)
def log1mexp_neg_maechler(x: Array, cutoff: Array) -> Array:
    return log1mexp_maechler(-x, cutoff)


# -- derivatives ----------------------------------------------------------------------------------------


@kernel(
    "log1mexp_grad",
    "reciprocal",
    formula=r"1 / \mathrm{expm1}(a)",
    source="identity",
    notes="e^a overflows for large a, which gives 0 where a subnormal is due",
)
def log1mexp_grad_reciprocal(a: Array) -> Array:
    return like(1, a) / a.__array_namespace__().expm1(a)


@kernel(
    "log1mexp_grad",
    "quotient",
    formula=r"e^{-a} / -\mathrm{expm1}(-a)",
    source="identity",
    notes="no cancellation and no overflow",
)
def log1mexp_grad_quotient(a: Array) -> Array:
    xp = a.__array_namespace__()
    return xp.exp(-a) / -xp.expm1(-a)


@kernel(
    "log1mexp_neg_grad",
    "quotient",
    formula=r"e^{x} / \mathrm{expm1}(x)",
    source="identity",
    notes="no cancellation and no overflow",
)
def log1mexp_neg_grad_quotient(x: Array) -> Array:
    return -log1mexp_grad_quotient(-x)
