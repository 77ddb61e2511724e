"""The stated bound of the fast reference against the sum of its operations' errors, counted one by one.

`Counted` is an array that runs a problem's own fast form and carries, beside each value, a first-order bound of its
relative error in units of u = 2^-53 (half an ulp): + − × ÷ √ add one u, a function adds what is assumed of it, and an
operand's error is weighted by the condition of the operation in it.  What is exact adds nothing: an operation on exact
operands that leaves no remainder, and a multiplication by a power of two.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.numbers.formats import FORMATS
from harness.numbers.wide import FLOAT64, huge, tiny
from harness.problems import PROBLEMS
from harness.tables import writer
from harness.truth.fast import BOUND_BITS, FUNCTION_ULP, evaluate

METHOD = Path("docs/method.md").read_text(encoding="utf-8")
TARGETS = np.array([0.0, 1.0, 0.05, 0.1, 0.5, 0.75, 0.9, 0.95, 2.0**-149, 2.0**-30, 1 - 2.0**-24])
# By how much the relative error of an argument v counts in the result: |v f'(v) / f(v)|.
CONDITION = {
    np.exp: lambda v, f: abs(v),
    np.log: lambda v, f: 1 / abs(f),
    np.log1p: lambda v, f: abs(v / ((1 + v) * f)),
    np.expm1: lambda v, f: abs(v * (1 + f) / f),
    np.tanh: lambda v, f: abs(v * (1 - f * f) / f),
}


class Counted:
    """Values with a bound of their relative errors, in u."""

    __array_priority__ = 1000

    def __init__(self, value, error, function):
        self.value, self.function = np.asarray(value, np.float64), function
        self.error = np.broadcast_to(np.where(self.value == 0, 0.0, error), self.value.shape)

    dtype = property(lambda self: self.value.dtype)
    shape = property(lambda self: self.value.shape)

    def __array__(self, dtype=None, copy=None):
        return self.value

    def __getitem__(self, index):
        return Counted(self.value[index], self.error[index], self.function)

    def copy(self):
        return self

    def _parts(self, other):
        if isinstance(other, Counted):
            return other.value, other.error
        return np.asarray(other, np.float64), np.float64(0)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, where=True):
        (a, ea), *rest = [self._parts(v) for v in inputs]
        with np.errstate(all="ignore"):
            v = ufunc(a, *(b for b, _ in rest))
            if ufunc in CONDITION:
                return Counted(v, np.nan_to_num(ea * CONDITION[ufunc](a, v)) + self.function, self.function)
            if ufunc in (np.negative, np.absolute):
                return Counted(v, ea, self.function)
            if ufunc is np.sqrt:
                return Counted(v, ea / 2 + 1, self.function)
            b, eb = rest[0]
            if ufunc in (np.maximum, np.minimum):
                return Counted(v, np.where(v == a, ea, eb), self.function)
            if ufunc in (np.add, np.subtract):
                given, step = (ea * abs(a) + eb * abs(b)) / abs(v), _remainder(a, b if ufunc is np.add else -b) != 0
                return Counted(v, given + np.where((ea == 0) & (eb == 0), step, 1), self.function)
            if ufunc in (np.multiply, np.divide):
                scale = ((eb == 0) & _power_of_two(b)) | ((ea == 0) & _power_of_two(a) & (ufunc is np.multiply))
                return Counted(v, ea + eb + np.where(scale, 0, 1), self.function)
        return v  # a comparison

    def __array_function__(self, function, types, arguments, keywords):
        if function is np.where:
            condition, (a, ea), (b, eb) = arguments[0], self._parts(arguments[1]), self._parts(arguments[2])
            return Counted(np.where(condition, a, b), np.where(condition, ea, eb), self.function)
        made = {np.zeros_like: np.zeros, np.ones_like: np.ones, np.empty_like: np.empty}
        return made[function](self.shape)


def _operator(ufunc, swapped=False):
    return lambda a, b=None: ufunc(a) if b is None else (ufunc(b, a) if swapped else ufunc(a, b))


for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "neg": np.negative, "abs": np.absolute,
    "eq": np.equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}.items():  # fmt: skip
    setattr(Counted, f"__{_name}__", _operator(_ufunc))
    setattr(Counted, f"__r{_name}__", _operator(_ufunc, swapped=True))


def _remainder(a, b):
    """What a + b leaves out when it is rounded (Knuth's two-sum)."""
    s = a + b
    t = s - a
    return (a - (s - t)) + (b - t)


def _power_of_two(v):
    return abs(np.frexp(v)[0]) == 0.5


def inputs(problem, fmt, count=6001):
    lo, hi = fmt.finite_ordinals(*problem.domain)
    spread = np.linspace(lo, hi - 1, count).astype(np.int64)
    middle = fmt.ordinal(np.linspace(*(max(v, -40) if v < 0 else min(v, 40) for v in problem.domain), count))
    near = fmt.ordinal(np.array(problem.critical_points(fmt)))[:, None] + np.arange(-8, 9)
    targets = fmt.ordinal(np.outer(TARGETS, [0.25, 0.4999, 0.5, 0.5001, 1, 1.9999, 2, 2.0001, 4]).ravel())
    ordinals = np.concatenate([spread, middle, near.ravel(), targets])
    x = fmt.from_ordinal(np.unique(ordinals[abs(ordinals) <= fmt.max_ordinal])).astype(np.float64)
    return x[(x >= problem.domain[0]) & (x <= problem.domain[1])]


def most(problem, fmt, function):
    """The largest sum of errors, in u, with the input and the target where it is."""
    x = inputs(problem, fmt)[None, :]
    y = np.unique(TARGETS.astype(fmt.dtype)).astype(np.float64)[:, None]
    given = [x, y] if problem.has_target else [x]
    with np.errstate(all="ignore"):
        found = problem.fast(*(Counted(v, 0, function) for v in given))
        error = np.where(np.isfinite(found.value), found.error, 0)
        stand_in = (abs(found.value) <= tiny(FLOAT64)) | (abs(found.value) >= huge(FLOAT64))
    error = np.where(stand_in, 0, error)
    t, n = np.unravel_index(int(np.argmax(error)), error.shape)
    return float(error[t, n]), float(x[0, n]), float(y[t, 0]) if problem.has_target else None


def up(u):
    """A sum as the table has it: one decimal, rounded up."""
    return f"{math.ceil(10 * u - 1e-6) / 10:.1f}"


@pytest.fixture(scope="module")
def sums():
    """Each problem's largest sum with functions of 1, 2 and 4 ulp."""
    fmt = FORMATS["float32"]  # which holds the numbers of all narrower formats
    return {name: [most(p, fmt, 2 * ulp)[0] for ulp in (1, 2, 4)] for name, p in PROBLEMS.items()}


def test_no_sum_exceeds_the_stated_bound(sums):
    quad, double, _ = np.array(list(sums.values())).T
    assert FUNCTION_ULP == {True: 2, False: 1}
    assert double.max() <= 2 ** (53 - BOUND_BITS[True]) == 32
    assert quad.max() <= 2 ** (113 - BOUND_BITS[False]) == 64


def test_the_premise_is_needed(sums):
    """Negative control: what NumPy promises of its functions, 4 ulp, would not do for three problems."""
    assert [name for name, (_, _, four) in sums.items() if four > 32] == ["bernoulli_kl", "focal", "focal_grad"]


def test_a_form_that_cancels_is_found():
    """Negative control."""
    faulty = replace(PROBLEMS["expm1"], fast=lambda x: np.exp(x) - np.ones_like(x))
    assert most(faulty, FORMATS["float32"], 4)[0] > 1e6


def test_the_worst_known_functions_keep_the_premise():
    rows = writer.read(Path("results/tables/worst_float64.csv"))
    functions = rows[(rows.kernel == "numpy") & rows.problem.isin(["exp", "log", "log1p", "expm1", "tanh"])]
    assert len(functions) == 5 and functions.max_ulp.astype(float).max() <= FUNCTION_ULP[True]
    assert f"{functions.max_ulp.astype(float).max():.4f} ulp" in METHOD


def test_method_has_these_sums(sums):
    lines = [f"| `{name}` | {' | '.join(map(up, found))} |" for name, found in sums.items()]
    assert "\n".join(lines) in METHOD, "\n".join(lines)


def test_method_has_what_the_audits_found():
    found = {True: -np.inf, False: -np.inf}
    for path in Path("results/tables").glob("*.json"):
        for fmt, problems in json.loads(path.read_text(encoding="utf-8")).get("audit", {}).items():
            if fmt in FORMATS:
                worst = max(p["log2_relative_error"] for p in problems.values())
                found[fmt != "float64"] = max(found[fmt != "float64"], worst)
    double, quad = (math.floor(-10 * found[narrow]) / 10 for narrow in (True, False))
    said = f"2^−{double} at most in float64, 2^−{quad} in quad"
    assert said in METHOD, said


def test_a_loss_next_to_its_line_is_rounded_and_measured_as_without_its_parts():
    """Where w |x| is exact, the parts say what mpmath says, for every target; the control turns the rest round."""
    problem = PROBLEMS["bce_logits"]
    for name, least in (("float16", 100), ("bfloat16", 100), ("float32", 300)):
        fmt = FORMATS[name]
        y = np.unique(TARGETS.astype(fmt.dtype))[:, None]
        sizes = np.exp2(np.linspace(1, np.log2(fmt.max / 2), 400)).astype(fmt.dtype)
        powers = np.exp2(np.arange(1, 15)).astype(fmt.dtype)
        x = np.unique(np.concatenate([sizes, -sizes, powers, -powers]))[None, :]
        with np.errstate(all="ignore"):
            found, plain = (evaluate(p, fmt, x, y) for p in (problem, replace(problem, exact_parts=None)))
            known = problem.exact_parts(x.astype(FLOAT64), y.astype(FLOAT64))[3]
        assert known.sum() > least
        for field in ("ulp", "rounded", "ulp_per_value"):
            assert np.array_equal(getattr(found, field), getattr(plain, field)), (name, field)


def test_a_rest_turned_round_would_be_seen():
    """Negative control of the last."""
    problem, fmt = PROBLEMS["bce_logits"], FORMATS["float32"]
    x, y = np.exp2(np.arange(4, 20))[None, :].astype(fmt.dtype), np.zeros((1, 1), fmt.dtype)
    parts = problem.exact_parts
    turned = replace(problem, exact_parts=lambda *given: (*parts(*given)[:2], -parts(*given)[2], parts(*given)[3]))
    with np.errstate(all="ignore"):
        right, wrong = (evaluate(p, fmt, x, y).ulp for p in (problem, turned))
    assert (right > wrong).any()
