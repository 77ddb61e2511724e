"""Explanations: well-known errors and their causes, users' functions, black boxes, the parts of an error."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import random
import re

import mpmath
import numpy as np
import pytest
from mpmath import mp

from harness import UsageError
from harness.explain import CAUSES, expansions, explain, explain_function
from harness.explain import explanation as explain_module
from harness.explain.condition import condition
from harness.explain.counterparts import OPERATIONS
from harness.explain.notation import magnitude, number, read_back
from harness.explain.remedies import Cures, KernelFigure, compute, measured
from harness.explain.shadow import Shadow, nodes, trace
from harness.kernels import Kernel, all_kernels, kernel_named, like
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS

FIRST_INFINITE = "0x1.0a2b24p+4"  # the least float32 x with fl(sigmoid(x)) = 1: 16.635532


def explained(problem, kernel, fmt, x, y=None):
    f = FORMATS[fmt]
    return explain(kernel_named(problem, kernel), PROBLEMS[problem], f, float(f.round(x)), y)


LOSS, SLOPE, F32, LOG_0 = "bce_logits", "bce_logits_grad", "float32", ("log of zero",)
WELL_KNOWN = [
    (LOSS, "sigmoid_naive", F32, FIRST_INFINITE, 0, "saturation", "1 / (1 + exp(-16.635532))", LOG_0),
    (LOSS, "sigmoid_naive", "float64", "1e300", 0, "saturation", "1 / (1 + exp(-1e+300))", LOG_0),
    (LOSS, "sigmoid_naive", F32, "10", 0, "cancellation", "1 - 1 / (1 + exp(-10))", ()),
    (LOSS, "sigmoid_naive", F32, "-100", 0.5, "overflow", "exp(100)", LOG_0),
    (LOSS, "sigmoid_clip_1e-7", F32, "20", 0, "clamp", "min(1, 1 - 1e-07)", ()),
    (LOSS, "sigmoid_clip_1e-7", "float64", "1e300", 0, "clamp", "min(1, 1 - 1e-07)", ()),
    (LOSS, "sigmoid_clip_1e-15", F32, "50", 0, "absorption", "1 - 1e-15", LOG_0),
    (LOSS, "sigmoid_clamp_log_100", F32, "50", 0, "saturation", "1 / (1 + exp(-50))", LOG_0),
    (LOSS, "sigmoid_add_eps_1e-7", F32, "3", 0, "added eps", "1 - 1 / (1 + exp(-3)) + 1e-07", ()),
    (LOSS, "sigmoid_clip_add_eps_1e-7", F32, "-37", 1, "clamp", "max(1 / (1 + exp(37)), 1e-07)", ()),
    (LOSS, "softplus_naive", F32, "100", 0, "overflow", "exp(100)", ()),
    (LOSS, "softplus_naive", "bfloat16", "87.5", 1, "cancellation", "log(1 + exp(87.5)) - 87.5 * 1", ()),
    (LOSS, "lse_log", F32, "-17.5", 0, "absorption", "1 + exp(-17.5)", ()),
    (LOSS, "lse_log", "float16", "-9", 0, "absorption", "1 + exp(-9)", ()),
    (LOSS, "linear_softplus", F32, "-17", 0, "cancellation", "(1 - 0) * (-17) + 17", ()),
    (LOSS, "threshold20", "float64", "0x1.4000000000001p+4", 0, "branch", "20.000000000000004 > 20", ()),
    (LOSS, "threshold20", "float16", "15", 0, "overflow", "exp(15)", ()),
    ("bce", "naive", F32, "0", 0, "0 * inf", "0 * log(0)", ()),
    ("bce", "clip_1e-15", "float16", "0", 0, "0 * inf", "0 * log(min(max(0, 0), 1 - 0))", ()),
    ("bce", "naive", F32, "1e-10", 0, "absorption", "1 - 1e-10", ()),
    ("bce", "clip_1e-7", "float64", "1e-300", 1, "clamp", "max(1e-300, 1e-07)", ()),
    ("bce", "clip_logit_1e-7", "float64", "0", 0.5, "clamp", "max(0, 1e-07)", ()),
    ("bce_grad", "direct", F32, "0", 0, "0 / 0", "(0 - 0) / (0 * (1 - 0))", ()),
    ("bce_grad", "direct_floor", F32, "1e-30", 0, "clamp", "max((1 - 1e-30) * 1e-30, 1e-12)", ()),
    (SLOPE, "sigmoid_clip_1e-7", F32, "-50", 1, "clamp", "max(1 / (exp(50) + 1), 1e-07)", ()),
    (SLOPE, "sigmoid_minus_target", F32, "30", 1, "saturation", "1 / (1 + exp(-30))", ()),
    (SLOPE, "sigmoid_naive", F32, "-100", 0, "overflow", "exp(100)", ("0 / 0",)),
    ("sigmoid", "ratio", F32, "100", None, "overflow", "exp(100)", ("inf / inf",)),
    ("sigmoid", "tanh", F32, "-20", None, "saturation", "tanh(0.5 * (-20))", ()),
    ("sigmoid", "tanh", F32, "-10", None, "cancellation", "1 + tanh(0.5 * (-10))", ()),
    ("log_sigmoid", "naive", F32, "-100", None, "overflow", "exp(100)", LOG_0),
    ("expm1", "naive", F32, "0x1p-30", None, "cancellation", "exp(9.313226e-10) - 1", ()),
    ("log1p", "naive", F32, "0x1p-30", None, "absorption", "1 + 9.313226e-10", ()),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "kernel", "fmt", "x", "y", "cause", "operation", "effects"), WELL_KNOWN)
def test_well_known_errors(problem, kernel, fmt, x, y, cause, operation, effects):
    e = explained(problem, kernel, fmt, x, y)
    assert (e.cause, e.operation, e.effects) == (cause, operation, effects)
    assert operation in e.reason and e.reason.endswith(".") and e.total_ulp > 4


# One kernel of each row above is right there: the explanation must not blame it.
@pytest.mark.parametrize(
    ("problem", "kernel", "fmt", "x", "y"),
    [
        ("bce_logits", "softplus_pair", "float32", FIRST_INFINITE, 0),
        ("bce_logits", "lse_log1p", "float32", "-17.5", 0),
        ("bce_logits", "threshold20", "float64", "20", 0),  # the branch is taken above 20, not at it
        ("bce", "xlogy", "float32", "0", 0),
        ("bce_grad", "split", "float32", "0", 0),
        ("bce_logits_grad", "weighted_sigmoids", "float32", "30", 1),
        ("sigmoid", "branched", "float32", "-100", None),
        ("exp", "numpy", "float32", "100", None),  # inf is the correct rounding
    ],
)
def test_good_kernels_are_only_rounded(problem, kernel, fmt, x, y):
    e = explained(problem, kernel, fmt, x, y)
    assert e.cause == "rounding" and e.total_ulp <= 4


def sample(seed, count):
    """Draw kernels, formats and critical inputs."""
    draw, kernels = random.Random(seed), all_kernels()
    for _ in range(count):
        k, f = draw.choice(kernels), FORMATS[draw.choice(["float16", "bfloat16", "float32", "float64"])]
        x = float(f.round(draw.choice(PROBLEMS[k.problem].critical_points(f))))
        y = float(f.round(draw.choice([0, 1, 0.1, 0.5]))) if PROBLEMS[k.problem].has_target else None
        if math.isfinite(x):
            yield k, PROBLEMS[k.problem], f, x, y


def arrays(fmt, *values):
    return tuple(np.full((1, 1), v).astype(fmt.dtype) for v in values if v is not None)


@pytest.mark.parametrize("seed", range(4))
def test_parts_add_up(seed):
    for k, problem, fmt, x, y in sample(seed, 60):
        e = explain(k, problem, fmt, x, y)
        about = (k.problem, k.name, fmt.name, x, y)
        computed = float(compute(k, *arrays(fmt, x, y)).item())
        np.testing.assert_equal(e.computed, computed, str(about))
        assert e.cause in CAUSES
        parts = (e.total_ulp, e.bias_ulp, e.rounding_ulp)
        if all(mpmath.isfinite(v) for v in parts):
            with mp.workprec(400):  # the three form a triangle: none is longer than the others together
                assert 2 * max(parts) <= sum(parts) * (1 + mp.mpf(2) ** -100) + mp.mpf(2) ** -60, about


@pytest.mark.parametrize("seed", range(2))
def test_only_formulas_that_promise_a_bias_have_one(seed):
    """A kernel without clamp, eps or branch is the problem itself in exact arithmetic."""
    pure = (
        "naive", "lse", "linear_softplus", "softplus_pair", "softplus_naive", "logaddexp", "sigmoid_naive",
        "ratio", "sigmoid_log1p", "reciprocal", "shifted", "tanh", "weighted_sigmoids",
        "sigmoid_minus_target",
    )  # fmt: skip
    for k, problem, fmt, x, y in sample(10 + seed, 250):
        if k.name.startswith(pure):
            e = explain(k, problem, fmt, x, y)
            about = (k.problem, k.name, fmt.name, x, y)
            assert not mpmath.isfinite(e.bias_ulp) or e.bias_ulp < mp.mpf(2) ** -60, about


def test_every_exact_counterpart_agrees_with_many_digits():
    """Including 1 - 1/(1 + e^-x), which no precision of 256 bits holds."""
    draw = random.Random(3)
    unary = {
        "exp": mp.exp,
        "expm1": lambda v: mp.exp(v) - 1,
        "tanh": mp.tanh,
        "expit": lambda v: 1 / (1 + mp.exp(-v)),
        "log_expit": lambda v: -mp.log(1 + mp.exp(-v)),
        "absolute": abs,
        "square": lambda v: v * v,
    }
    positive = {
        "log": mp.log,
        "log1p": lambda v: mp.log(1 + v),
        "sqrt": mp.sqrt,
        "reciprocal": lambda v: 1 / v,
    }
    with mp.workprec(6000):
        for _ in range(60):
            v = 2.0 ** draw.uniform(-60, 10.5)
            signed = draw.choice([-1, 1]) * v
            for names, value in ((unary, signed), (positive, v)):
                for name, exactly in names.items():
                    result = OPERATIONS[name](expansions.of(value))
                    assert close(result, exactly(mp.mpf(value))), (name, value)
            s, x = expansions.of(signed), mp.mpf(signed)
            rest = expansions.subtract(expansions.ONE, OPERATIONS["expit"](s))
            assert close(rest, 1 - 1 / (1 + mp.exp(-x)))
            assert close(expansions.log(rest), mp.log(1 - 1 / (1 + mp.exp(-x))))


def close(a, b):
    both = mp.make_mpf(a[0]) + mp.make_mpf(a[1])
    return abs(both - b) <= mp.ldexp(abs(b), -200)


def test_special_values_of_the_exact_counterparts():
    inf, nan, of = math.inf, math.nan, expansions.of
    for name, operands, expected in [
        ("multiply", (0.0, inf), nan), ("divide", (0.0, 0.0), nan), ("divide", (-1.0, 0.0), -inf),
        ("log", (0.0,), -inf), ("log", (-1.0,), nan), ("log1p", (-1.0,), -inf), ("subtract", (inf, inf), nan),
        ("maximum", (nan, 1.0), nan), ("exp", (-inf,), 0.0), ("add", (inf, 1.0), inf),
        ("divide", (inf, inf), nan), ("logaddexp", (-inf, -inf), -inf), ("xlogy", (0.0, 0.0), 0.0),
        ("tanh", (inf,), 1.0), ("tanh", (-inf,), -1.0), ("power", (-2.0, 3.0), -8.0),
    ]:  # fmt: skip
        result = OPERATIONS[name](*(of(v) for v in operands))
        assert result[0] == of(expected)[0], (name, operands)


# -- users' functions ---------------------------------------------------------------------------


def plain_clip(x, y):
    p = np.clip(1 / (1 + np.exp(-x)), 1e-7, 1 - 1e-7)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def plain_softplus(x, y):
    return np.log(1 + np.exp(x)) - x * y


def plain_where(x, y):
    return np.where(x > 20.0, x, np.log1p(np.exp(x))) - x * y


def plain_stable(x, y):
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


def in_double(x, y):
    wide = x.astype(np.float64)
    return (np.log(1 + np.exp(-np.abs(wide))) + np.maximum(wide, 0) - wide * y).astype(x.dtype)


def wrong_formula(x, y):
    return np.logaddexp(0, x) - x * y + np.square(x) * y


def buffer(x, y):
    """Compute from the arrays' memory, as compiled code does; float64 inside."""
    pairs = zip(np.frombuffer(x.tobytes(), x.dtype), np.frombuffer(y.tobytes(), y.dtype))
    return np.array([math.log(1 + math.exp(v)) - v * t for v, t in pairs], dtype=x.dtype)


def compiled_clip(x, y):
    x, y = (np.frombuffer(a.tobytes(), a.dtype) for a in (x, y))
    p = np.clip(1 / (1 + np.exp(-x)), np.float32(1e-7), np.float32(1) - np.float32(1e-7))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


@pytest.mark.parametrize(
    ("function", "fmt", "x", "y", "cause", "operation"),
    [
        (plain_clip, "float32", 20.0, 0.0, "clamp", "min(1, 0.999999881)"),
        (plain_clip, "float64", 20.0, 0.0, "clamp", "min(0.999999998, 0.9999999)"),
        (plain_softplus, "float32", 100.0, 0.0, "overflow", "exp(100)"),
        (plain_where, "float64", 21.0, 0.0, "branch", "21 > 20"),
        (in_double, "float32", -40.0, 0.0, "absorption", "1 + exp(-40)"),
        (wrong_formula, "float32", 2.0, 1.0, "formula", None),
    ],
)
def test_plain_numpy_is_followed(function, fmt, x, y, cause, operation):
    e = explain_function(function, PROBLEMS["bce_logits"], FORMATS[fmt], x, y)
    assert e.like is None and e.cause == cause
    assert operation in (None, e.operation)


def test_a_good_function_is_not_blamed():
    e = explain_function(plain_stable, PROBLEMS["bce_logits"], FORMATS["float32"], -30.0, 0.0)
    assert e.cause == "rounding" and e.total_ulp <= 1


def test_black_boxes():
    problem, f32 = PROBLEMS["bce_logits"], FORMATS["float32"]
    e = explain_function(buffer, problem, f32, -40.0, 0.0)
    assert "(operations that cannot be followed: an array's tobytes)" in e.reason
    assert (e.cause, e.operation) == ("zero", "") and mpmath.isnan(e.bias_ulp)
    e = explain_function(compiled_clip, problem, f32, 20.0, 0.0)
    assert (e.like, e.cause) == ("sigmoid_clip_1e-7", "clamp")
    assert e.reason.startswith("behaves like sigmoid_clip_1e-7: ")
    constants = [(3.5, "plateau"), (math.nan, "not a number"), (math.inf, "infinite"), (-1.0, "wrong sign")]
    for value, cause in constants:

        def constant(x, y, value=value):
            return np.array([value] * len(x), x.dtype)

        assert explain_function(constant, problem, f32, 20.0, 0.0).cause == cause


def test_a_function_of_the_c_library():
    """ctypes takes Python floats only: no operation of it can be followed."""
    name = ctypes.util.find_library("m")
    if name is None:
        pytest.skip("no C mathematics library to call")
    log, exp = (getattr(ctypes.CDLL(name), n) for n in ("log", "exp"))
    for f in (log, exp):
        f.argtypes, f.restype = [ctypes.c_double], ctypes.c_double

    def sigmoid_loss(x, y):
        p = [1 / (1 + exp(-float(v))) for v in x]
        return np.array([-log(q) if t else -log(1 - q) for q, t in zip(p, y)], dtype=x.dtype)

    e = explain_function(sigmoid_loss, PROBLEMS["bce_logits"], FORMATS["float64"], 40.0, 0.0)
    assert e.computed == math.inf and (e.cause == "infinite" or e.like == "sigmoid_naive")


def test_a_black_box_that_no_kernel_matches_has_no_twin():
    """A twin needs the same bits around the input, not just at it."""
    f32 = FORMATS["float32"]
    at = kernel_named("bce_logits", "sigmoid_clip_1e-7")(*arrays(f32, 20.0, 0.0)).item()

    def only_there(x, y):
        return np.array([at if v == 20 else 1.0 for v in x], x.dtype)

    e = explain_function(only_there, PROBLEMS["bce_logits"], f32, 20.0, 0.0)
    assert e.like is None and e.cause == "unknown"


# -- bad input, and planted faults ----------------------------------------------------------------


def test_bad_input_is_named():
    k, problem, f32 = kernel_named("bce_logits", "lse_log"), PROBLEMS["bce_logits"], FORMATS["float32"]
    for x, y, words in (
        (0.1, 0.0, "0.1 is not"),
        (math.inf, 0.0, "inf is not"),
        (1.0, None, "takes an input and a target"),
    ):
        with pytest.raises(UsageError, match=words):
            explain(k, problem, f32, x, y)
    with pytest.raises(UsageError, match="raised ZeroDivisionError"):
        explain_function(lambda x, y: 1 // 0, problem, f32, 1.0, 0.0)


def test_shadows_compute_what_arrays_compute():
    """Traced over Shadow too: the tape of a gradient kernel runs on Shadows."""
    for k, _, fmt, x, y in sample(20, 150):
        inputs = arrays(fmt, x, y)
        with np.errstate(all="ignore"):
            expected = np.asarray(k(*inputs))
        traced = trace(k, *inputs).computed
        assert traced.dtype == expected.dtype
        # As float64: a NaN of bfloat16 is not known as one to NumPy's testing.
        as_float64 = [np.ravel(v).astype(np.float64) for v in (traced, expected)]
        np.testing.assert_array_equal(*as_float64, f"{k.problem} {k.name}")


def test_constants_are_exact_as_the_format_holds_them():
    f16 = FORMATS["float16"]
    result = trace(lambda x: x + like("1e-15", x), *arrays(f16, 0.5))
    assert result.exact == expansions.of(0.5)
    constants = [
        n.number for n in nodes(trace(lambda x: x + 1e-7, *arrays(FORMATS["float32"], 0.5))) if n.constant_value
    ]
    assert constants == [float(np.float32(1e-7))]


@pytest.mark.parametrize(
    ("planted", "x", "y", "cause"),
    [
        # the threshold off by a binade; a stray eps; a clamp in a stable form; a wrong sign
        (lambda x, y: np.where(x > 10, x, np.log1p(np.exp(x))) - x * y, 11.0, 0.0, "branch"),
        (lambda x, y: plain_stable(x, y) + 1e-5, 1.0, 0.0, "added eps"),
        (lambda x, y: np.minimum(plain_stable(x, y), 16.0), 30.0, 0.0, "clamp"),
        (lambda x, y: np.maximum(x, 0) + x * y + np.log1p(np.exp(-np.abs(x))), 3.0, 1.0, "formula"),
    ],
)
def test_planted_faults_are_found(planted, x, y, cause):
    e = explain_function(planted, PROBLEMS["bce_logits"], FORMATS["float64"], x, y)
    assert e.cause == cause


def test_a_wrong_counterpart_would_be_noticed(monkeypatch):
    """Negative control: with log1p(a) taken as log(a) a stable kernel gets a bias."""
    monkeypatch.setitem(OPERATIONS, "log1p", expansions.log)
    e = explained("bce_logits", "lse_log1p", "float32", "3", 0)
    assert e.bias_ulp > 1


@pytest.mark.parametrize(
    ("fmt", "x"), [("float32", "-20.25"), ("float64", "-700.5"), ("float16", "3.25"), ("float32", "0")]
)
def test_a_formula_that_is_the_problem_has_no_bias(fmt, x):
    """What the truth does not resolve is no bias; one of 2^-100 is (negative control: 1e-30 is added)."""
    for kernel in ("softplus_pair", "lse_log1p"):
        assert explained("bce_logits", kernel, fmt, x, 0).bias_ulp == 0

    def almost(x, y):
        return kernel_named("bce_logits", "softplus_pair")(x, y) * like(1, x) + np.float32(1e-30)

    planted = Kernel("almost", "bce_logits", almost, "", "", "")
    found = explain_module.explain(planted, PROBLEMS["bce_logits"], FORMATS["float32"], 3.25, 0.0).bias_ulp
    assert 0 < found < 1e-20


def test_too_few_bits_are_noticed(monkeypatch):
    """A bias that is only a lack of bits goes away: log(1 + e^172) - 172 needs more than 256."""
    e = explained("softplus", "naive", "float64", "172")
    e2 = explained("bce_logits", "softplus_naive", "float64", "172", 1)
    assert e.bias_ulp < 1e-20 and e2.bias_ulp < 1e-10
    monkeypatch.setattr(explain_module, "MOST_BITS", 0)
    assert explained("bce_logits", "softplus_naive", "float64", "172", 1).bias_ulp > 1e-10


def test_a_shadow_is_not_taken_for_an_array():
    x = Shadow("input", (), np.array([1.0]))
    for wrong in (
        lambda: bool(x > x),
        lambda: np.asarray(x),
        lambda: np.sin(x),
        lambda: math.exp(x),
        lambda: x[0],
    ):
        with pytest.raises(TypeError):
            wrong()


def test_a_kernel_that_wraps_a_users_function_is_explained_as_one():
    from harness.sweep.own import Guarded

    k = Kernel("mine", "bce_logits", Guarded(plain_softplus, "mine"), "", "", "")
    e = explain(k, PROBLEMS["bce_logits"], FORMATS["float32"], 100.0, 0.0)
    assert (e.cause, e.operation) == ("overflow", "exp(100)")


def test_a_nan_is_named_in_the_reason():
    fmt, problem = FORMATS["float16"], PROBLEMS["bce_grad"]
    found = explain(kernel_named("bce_grad", "naive"), problem, fmt, np.float16(0), np.float16(0))
    assert "becomes nan." in found.reason


# -- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (0.49999999999999994, "float64", "0.49999999999999994"),
        (0.5, "float64", "0.5"),
        (float(np.float32(0.1)), "float32", "0.1"),
        (float(np.float32(0.1)), "float64", "0.100000001"),
        (16.635532, "float64", "16.6355"),
        (1 - 2.0**-24, "float32", "0.99999994"),
        (20.000000000000004, "float64", "20.000000000000004"),
        (math.inf, "float64", "inf"),
        (math.nan, "float64", "nan"),
    ],
)
def test_a_number_is_told_from_the_round_one_beside_it(value, dtype, text):
    assert number(value, np.dtype(dtype)) == text


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (88.72284, "float32", "88.72284"),
        (88.5, "float32", "88.5"),
        (0.1, "float64", "0.1"),
        (1 / 3, "float64", repr(1 / 3)),
    ],
)
def test_a_number_is_read_back_from_what_is_written(value, dtype, text):
    assert read_back(float(np.dtype(dtype).type(value)), np.dtype(dtype)) == text


def test_what_overflows_overflows_as_it_is_written():
    """exp of the written number is infinite, of the same number in six digits it is not."""
    e = explained("bce_logits", "softplus_naive", "float32", "0x1.62e43p+6", 1)
    (written,) = re.match(r"exp\(([0-9.]+)\) overflows to inf", e.reason).groups()
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(np.float32(written))) and np.isfinite(np.exp(np.float32(f"{float(written):.6g}")))


def test_one_minus_almost_a_half_does_not_read_as_exact():
    e = explained("bce", "naive", "float64", "0x1.fffffffffffffp-2", 0)
    assert "1 - 0.49999999999999994" in e.operation


@pytest.mark.parametrize(
    ("value", "fmt", "text"),
    [
        ("5.9604640274e-8", "float32", "5.96046e-8"),  # never without its exponent
        ("3.00927e-147782745434", "float64", "< 4.94e-324"),
        ("-1e-50", "float32", "> -1.4e-45"),
        ("1e39", "float32", "> 3.4e+38"),
        ("1e-45", "float32", "1e-45"),
        ("0", "float32", "0"),
    ],
)
def test_no_exact_value_has_an_exponent_that_the_format_lacks(value, fmt, text):
    assert magnitude(mp.mpf(value), FORMATS[fmt]) == text


# -- condition -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "values", "kappa"),
    [
        ("exp", (700.0,), "700"),  # x
        ("exp", (-1e308,), "1e308"),
        ("log", (math.exp(1),), None),
        ("log1p", (2.0**-1000,), None),
        ("sigmoid", (30.0,), None),  # x (1 - sigmoid(x)): the saturated value does not hide it
        ("sigmoid", (700.0,), None),
        ("tanh", (300.0,), None),
        ("bce_logits", (-20.0, 0.0), None),
        ("bce", (0.25, 0.0), None),
        ("logit", (0.75,), None),
    ],
)
def test_condition_numbers_by_hand(problem, values, kappa):
    with mp.workprec(4000):
        v = mp.mpf(values[0])
        exact = {
            "exp": lambda: abs(v),
            "log": lambda: 1 / mp.log(v),
            "log1p": lambda: v / ((1 + v) * mp.log(1 + v)),
            "sigmoid": lambda: v / (1 + mp.exp(v)),
            "tanh": lambda: v / (mp.sinh(v) * mp.cosh(v)),
            "bce_logits": lambda: abs(v) / (1 + mp.exp(-v)) / mp.log(1 + mp.exp(v)),
            "bce": lambda: v / (1 - v) / -mp.log(1 - v),
            "logit": lambda: 1 / ((1 - v) * mp.log(v / (1 - v))),
        }[problem]()
        assert abs(condition(PROBLEMS[problem], *values) - exact) <= exact * mp.mpf(10) ** -11


def test_condition_at_zeros_and_poles():
    assert condition(PROBLEMS["sigmoid"], 0.0) == 0
    assert condition(PROBLEMS["log"], 1.0) == mp.inf
    assert mpmath.isnan(condition(PROBLEMS["tanh"], 0.0)) and mpmath.isnan(condition(PROBLEMS["log"], 0.0))
    assert condition(PROBLEMS["logit"], 0.5) == mp.inf


# -- cures ----------------------------------------------------------------------------------------


def figures(**by_target):
    return Cures("bce_logits", "float32", {y: [KernelFigure(*f) for f in row] for y, row in by_target.items()})


def test_what_comes_closest_is_not_worse_than_the_loss_that_is_checked():
    """A form without spurious outcomes that errs by 10^23 ulp is no advice for a loss that errs by 10^7."""
    smooth, near = ("clip", mp.mpf(3e23), 0, 0, False), ("two_sigmoids", mp.mpf(8.5), 1, 0, False)
    own = KernelFigure("mine", mp.mpf(5e7), 566, 0, False)
    every, none = figures(a=[smooth, near]), figures(a=[smooth])
    assert "two_sigmoids comes closest" in every.advice("a", "mine", own=own)[1]
    assert none.advice("a", "mine", own=own) == ("", "no built-in kernel comes closer")
    assert "clip comes closest" in every.advice("a", "mine")[1]  # tables name it still, all of whose kernels have rows


@pytest.mark.parametrize(
    ("other", "own", "better"),
    [
        ((4.9, 0), (4.5, 37), True),  # no zeros any more, for a little more error
        ((9, 0), (4.5, 37), False),
        ((3e23, 0), (5e7, 566), False),
        ((2.3, 2), (2.3, 1), False),
        ((4.5, 3), (5, 0), False),
        ((4.5, 0), (5, 0), True),
        ((5, 9), (mp.inf, 9), True),
    ],
)
def test_a_figure_is_better_than_another(other, own, better):
    a, b = (KernelFigure("k", mp.mpf(ulp), spurious, 0, False) for ulp, spurious in (other, own))
    assert a.better(b) == better


def test_a_cure_holds_over_the_whole_row():
    row = [("naive", mp.mpf(1e9), 3, 0, False), ("lse_log1p", mp.mpf(2), 0, 0, False)]
    assert figures(a=row).advice("a", "naive") == ("lse_log1p", "lse_log1p stays within 4 ulp at every input tried")
    zeros = [row[0], ("lse_log1p", mp.mpf(2), 7, 0, False)]
    capped = [row[0], ("lse_log1p", mp.mpf(2), 0, 1, False)]
    wrong = [row[0], ("lse_log1p", mp.mpf(5), 0, 0, False)]
    for planted in (zeros, capped, wrong):
        cure, told = figures(a=planted).advice("a", "naive")
        assert cure == "" and "lse_log1p comes closest, with at least" in told
    assert "more than" in figures(a=[row[0], ("lse_log1p", mp.mpf("1e2000"), 0, 0, True)]).advice("a", "naive")[1]


def test_a_loss_whose_derivative_is_nan_is_the_last_to_be_advised():
    """maechler's loss is right, its derivative NaN."""
    row = [("maechler", mp.mpf(1), 0, 0, True), ("softplus_pair", mp.mpf(2), 0, 0, True)]
    assert figures(a=row).best("a").kernel == "softplus_pair"
    assert figures(a=row[:1]).best("a").kernel == "maechler"


def test_built_in_kernels_are_measured_on_every_input_of_a_small_format():
    found = measured("bce_logits", "float16", (0.0, 1.0))
    assert set(found.by_target) == {"0", "1"} and all(f.every_input for row in found.by_target.values() for f in row)
    for target in found.by_target:
        assert found.best(target).max_ulp <= 4
    naive = next(f for f in found.by_target["0"] if f.kernel == "sigmoid_naive")
    assert naive.spurious and not naive.holds()
