"""Planted faults: small wrong kernels, made of a right one, that golden vectors must tell from it.

Each stands for a mistake that implementations make: one coefficient off, a cutoff in the wrong place, a branch that is
missing, subnormal numbers flushed to 0, a constant of the next narrower format, small losses lost.  A fault is planted in
the problems where it changes results by more than the budget, which `where` says; every one of them must be killed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.kernels.registry import Array
from harness.numbers.formats import Format, format_named
from harness.problems import Problem

Function = Callable[..., Array]
NARROWER = {"float64": "float32", "float32": "bfloat16", "bfloat16": "float8_e4m3fn", "float16": "float8_e4m3fn"}
# Problems by what their results can be; log1mexp is a function of a >= 0.
LOGIT = ("bce_logits", "bce_logits_grad", "sigmoid", "softplus", "log_sigmoid")
ALL = (*LOGIT, "bce", "bce_grad", "log1mexp")
TARGETED = ("bce_logits", "bce_logits_grad", "bce", "bce_grad")
UNBOUNDED = ("bce_logits", "softplus", "log_sigmoid", "bce", "bce_grad", "log1mexp")
SMALL = (*LOGIT, "bce", "log1mexp")  # with results down to the least subnormal number
FROM_SMALL = ("bce", "bce_grad", "log1mexp")  # of which a subnormal input changes the result
CLAMP = 8.0  # every format has larger results of every problem in UNBOUNDED


@dataclass(frozen=True)
class PlantedFault:
    """Describe a fault: its name, what is wrong in words, the problems it is planted in, and how it is made of a right form.

    `make(right, problem, fmt)` returns a function of the inputs, arrays of the format.
    """

    name: str
    told: str
    where: tuple[str, ...]
    make: Callable[[Function, Problem, Format], Function]


def _of_result(change: Callable[[Array, Array, Format], Array]) -> Callable[[Function, Problem, Format], Function]:
    """Return how a fault is made that changes results: change(result, x, fmt)."""
    return lambda right, problem, fmt: lambda *inputs: change(right(*inputs), inputs[0], fmt)


def _of_target(change: Callable[[Array], Array]) -> Callable[[Function, Problem, Format], Function]:
    """Return how a fault is made that changes targets."""
    return lambda right, problem, fmt: lambda x, y: right(x, change(y))


def _scaled(r: Array, factor: float) -> Array:
    return r * r.dtype.type(factor)


def _narrow_constant(r: Array, x: Array, fmt: Format) -> Array:
    """Multiply by 0.1 of the next narrower format over 0.1, a factor that no format but a wider one holds, in float64."""
    narrow = format_named(NARROWER[fmt.name])
    return (r.astype(np.float64) * (float(narrow.round("0.1")) / 0.1)).astype(r.dtype)


def _narrower(r: Array, x: Array, fmt: Format) -> Array:
    return r.astype(format_named(NARROWER[fmt.name]).dtype).astype(r.dtype)


def _flushed_inputs(right: Function, problem: Problem, fmt: Format) -> Function:
    def flushed(x: Array, *rest: Array) -> Array:
        return right(np.where(abs(x) < x.dtype.type(fmt.min_normal), x.dtype.type(0), x), *rest)

    return flushed


def _wrong_cutoff(right: Function, problem: Problem, fmt: Format) -> Function:
    """Take the leading term alone too early: from half of p ln 2 on for a logit, below 1/4 for a probability."""
    cutoff = (fmt.precision - 6) * math.log(2) / 2

    def early(x: Array, *rest: Array) -> Array:
        y = rest[0] if rest else x.dtype.type(0)
        one, zero = x.dtype.type(1), x.dtype.type(0)
        if problem.input == "probability":
            leading = {
                "bce": lambda: (one - y) * x - y * np.log(np.where(x == zero, one, x)),
                "bce_grad": lambda: (one - y) * (one + x) - y / np.where(x == zero, one, x),
            }[problem.name]()
            return np.where((x < x.dtype.type(0.25)) & (x > zero), leading, right(x, *rest))
        leading = {
            "bce_logits": lambda: (one - y) * x,
            "bce_logits_grad": lambda: one - y + zero * x,
            "sigmoid": lambda: one + zero * x,
            "softplus": lambda: x,
            "log_sigmoid": lambda: zero * x,
            "log1mexp": lambda: zero * x,
        }[problem.name]()
        return np.where((x > x.dtype.type(cutoff)) & np.isfinite(x), leading, right(x, *rest))

    return early


def _missing_branch(r: Array, x: Array, fmt: Format) -> Array:
    """Compute inf / inf where e^|x| overflows."""
    return np.where((abs(x) > x.dtype.type(math.log(fmt.max))) & np.isfinite(x), r.dtype.type(np.nan), r)


def _where(mask: Array, r: Array, value: float) -> Array:
    return np.where(mask, r.dtype.type(value), r)


PLANTED = (
    PlantedFault("coefficient", "one coefficient is off by 16 machine epsilons", ALL, _of_result(lambda r, x, f: _scaled(r, 1 + 16 * f.machine_epsilon))),
    PlantedFault("one_binade", "the same, for x in [1/4, 1/2) alone", ALL, _of_result(lambda r, x, f: np.where((x >= x.dtype.type(0.25)) & (x < x.dtype.type(0.5)), _scaled(r, 1 + 16 * f.machine_epsilon), r))),
    PlantedFault("narrow_constant", "a constant is one of the next narrower format", ALL, _of_result(_narrow_constant)),
    PlantedFault("narrower", "the result goes through the next narrower format", ALL, _of_result(_narrower)),
    PlantedFault("wrong_cutoff", "the leading term alone is taken too early", ALL, _wrong_cutoff),
    PlantedFault("missing_branch", "no branch where e^|x| overflows", (*LOGIT, "log1mexp"), _of_result(_missing_branch)),
    PlantedFault("flushed_results", "subnormal results are flushed to 0", SMALL, _of_result(lambda r, x, f: _where(abs(r) < r.dtype.type(f.min_normal), r, 0))),
    PlantedFault("flushed_inputs", "subnormal inputs are flushed to 0", FROM_SMALL, _flushed_inputs),
    PlantedFault("lost_small", "results below half of machine epsilon are 0", SMALL, _of_result(lambda r, x, f: _where(abs(r) < r.dtype.type(f.machine_epsilon / 2), r, 0))),
    PlantedFault("clamped", "results are clamped at 8 in size", UNBOUNDED, _of_result(lambda r, x, f: np.sign(r) * np.minimum(abs(r), r.dtype.type(CLAMP)))),
    PlantedFault("sign_at_zero", "the sign is swapped at x = 0", ALL, _of_result(lambda r, x, f: np.where(x == x.dtype.type(0), -r, r))),
    PlantedFault("nan_at_zero", "NaN at x = 0", ALL, _of_result(lambda r, x, f: _where(x == x.dtype.type(0), r, np.nan))),
    PlantedFault("nan_at_infinity", "NaN at an infinite x", (*LOGIT, "log1mexp"), _of_result(lambda r, x, f: _where(np.isinf(x), r, np.nan))),
    PlantedFault("finite_at_pole", "the largest number in place of infinity", UNBOUNDED, _of_result(lambda r, x, f: np.where(np.isinf(r), np.sign(r) * r.dtype.type(f.max), r))),
    PlantedFault("nan_lost", "a number for NaN", ALL, _of_result(lambda r, x, f: _where(np.isnan(x), r, 1))),
    PlantedFault("rounded_target", "targets are taken for labels 0 and 1", TARGETED, _of_target(lambda y: np.rint(y.astype(np.float64)).astype(y.dtype))),
    PlantedFault("swapped_target", "the target of the other class is taken", TARGETED, _of_target(lambda y: y.dtype.type(1) - y)),
)  # fmt: skip


def planted_in(problem: Problem) -> list[PlantedFault]:
    """Return the faults that are planted in a problem, in order."""
    return [fault for fault in PLANTED if problem.name in fault.where]
