"""Users' code followed operation by operation: masks, in-place changes, branches, torch; and the table of operations."""

from __future__ import annotations

import inspect
import math
import sys
from functools import partial
from math import exp  # a name of this module's own, which following must see

import numpy as np
import pytest
from mpmath import mp

import harness
from harness.cli.main import main
from harness.explain import expansions, explain_function
from harness.explain.followed import NotFollowed, follow
from harness.explain.operations import operation_errors, written
from harness.explain.shadow import trace
from harness.explain.torch_operations import RULES, follow_torch, to_array, to_tensor
from harness.kernels import kernel_named
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS, problem_named

F32 = FORMATS["float32"]
LOSS, SOFTPLUS = PROBLEMS["bce_logits"], PROBLEMS["softplus"]


def why(function, x, y=None, problem=LOSS, fmt="float32"):
    f = FORMATS[fmt]
    return explain_function(function, problem, f, float(f.round(x)), y)


# -- NumPy ------------------------------------------------------------------------------------------


def clamp_by_mask(x, y):
    p = 1 / (1 + np.exp(-x))
    p[p < 1e-7] = 1e-7
    p[p > 1 - 1e-7] = 1 - 1e-7
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def parts_by_mask(x, y):
    out = np.zeros(x.shape, x.dtype)
    positive = x > 0
    out[positive] = np.log1p(np.exp(-x[positive]))
    out[~positive] = np.log1p(np.exp(x[~positive])) - x[~positive]
    out += (1 - y) * x
    return out


def scalars(x, y):
    return np.array([math.log(1 + exp(v)) - v * t for v, t in zip(x, y)], dtype=x.dtype)


def made_finite(x, y):
    with np.errstate(over="ignore"):
        loss = np.log(1 + np.exp(x)) - x * y
    return np.nan_to_num(np.asarray(loss, dtype=x.dtype))


def into_arrays(x, y):
    e = np.empty_like(x)
    np.negative(np.abs(x), out=e)
    np.exp(e, out=e)
    np.log1p(e, out=e)
    return e + np.maximum(x, 0) - x * y


def in_pieces(x, y):
    return np.piecewise(x, [x > 10, x <= 10], [lambda v: v, lambda v: np.log1p(np.exp(v))]) - x * y


def scaled_in_place(x, y):
    loss = np.where(y == 1, np.logaddexp(0, -x), np.logaddexp(0, x))
    loss *= 2
    loss /= 2
    return loss.clip(0, 50)


FOLLOWED = [clamp_by_mask, parts_by_mask, scalars, made_finite, into_arrays, in_pieces, scaled_in_place]


@pytest.mark.parametrize("function", FOLLOWED)
@pytest.mark.parametrize("fmt", ["float16", "bfloat16", "float32", "float64"])
def test_what_is_followed_computes_what_the_code_computes(function, fmt):
    if function is scalars and fmt == "bfloat16" and "numpy_quaddtype" in sys.modules:
        pytest.skip("numpy-quaddtype, which another test has loaded, gives bfloat16 scalars another format in NumPy")
    dtype = FORMATS[fmt].dtype
    for x in (-40.0, -3.0, 0.0, 5.0, 30.0, 100.0):
        for y in (0.0, 1.0):
            given = [np.array([v]).astype(dtype) for v in (x, y)]
            with np.errstate(all="ignore"):
                expected = function(*(a.copy() for a in given))
            found = follow(function, *given)
            assert found.dtype == expected.dtype and found.shape == (1,)
            np.testing.assert_array_equal(found.computed.astype(np.float64), expected.astype(np.float64))


@pytest.mark.parametrize(
    ("function", "x", "fmt", "cause", "operation"),
    [
        (clamp_by_mask, 20.0, "float32", "clamp", "min(1, 0.999999881)"),
        (clamp_by_mask, -40.0, "float32", "clamp", "max(1 / (1 + exp(40)), 1e-07)"),
        (parts_by_mask, -40.0, "float32", "cancellation", "40 + (1 - 0) * (-40)"),
        (scalars, -40.0, "float64", "absorption", "1 + exp(-40)"),
        (made_finite, 100.0, "float32", "overflow", "exp(100)"),
        (in_pieces, 20.0, "float64", "branch", "20 <= 10"),
        (scaled_in_place, 60.0, "float32", "clamp", "min(60, 50)"),
    ],
)
def test_what_is_to_blame(function, x, fmt, cause, operation):
    found = why(function, x, 0.0, fmt=fmt)
    assert (found.cause, found.operation, found.like) == (cause, operation, None)


@pytest.mark.parametrize("x", [9.0, 12.0])
def test_a_guarded_branch_is_blamed_for_its_cutoff(x):
    guarded = lambda x: np.where(x > 8, x, np.log1p(np.exp(np.minimum(x, 8))))  # noqa: E731
    found = why(guarded, x, problem=SOFTPLUS)
    assert (found.cause, found.operation) == ("branch", f"{x:g} > 8")
    clamped = lambda x: np.log1p(np.exp(np.minimum(x, 8)))  # noqa: E731  # the control: a clamp that is no guard
    assert why(clamped, x, problem=SOFTPLUS).operation == f"min({x:g}, 8)"


def cut(at):
    return lambda x, y: np.where(x > at, x, np.log(1 + np.exp(x))) - y * x


@pytest.mark.parametrize("x", [40.0, 60.0, 720.0])  # at 720 the formula that is not selected overflows
def test_a_cutoff_beyond_which_both_formulas_round_alike_is_not_blamed(x):
    found = why(cut(37), x, 1.0, fmt="float64")
    assert (found.cause, found.operation) == ("cancellation", f"{x:g} - 1 * {x:g}")
    # Negative control: at a lower cutoff the formulas differ by more than rounding.
    found = why(cut(8), 12.0, 1.0, fmt="float64")
    assert (found.cause, found.operation) == ("branch", "12 > 8")


@pytest.mark.parametrize(
    ("x", "operation"),
    [
        ("-0x1.0a2b24p+4", "1 + exp(-16.635532)"),
        ("-17.5", "1 + exp(-17.5)"),
        ("-12", "1 + exp(-12)"),
        ("-15.95", "sqrt(1 + exp(-15.95))"),  # here 1 + e is right to 0.01 ulp, and its root is rounded to 1
    ],
)
def test_the_rounded_argument_is_blamed_and_not_the_log(x, operation):
    found = why(lambda x: np.log(np.sqrt(1 + np.exp(x))) * 2, x, problem=SOFTPLUS)
    assert found.operation == operation and found.cause in ("absorption", "saturation")


def focal(x, y):  # as torchvision has it
    p = 1 / (1 + np.exp(-x))
    p_t = p * y + (1 - p) * (1 - y)
    return (y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)) * (1 - p_t) ** 2


def by_tanh(x, y):
    p = 0.5 * (1 + np.tanh(x / 2))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


@pytest.mark.parametrize(
    ("function", "problem", "x", "cause", "operation"),
    [
        (focal, "focal_bce_logits", 17.0, "saturation", "1 / (1 + exp(-17))"),
        (by_tanh, "bce_logits", 17.318, "absorption", "1 + tanh(17.318 / 2)"),
        # Negative controls: a subtraction of rounded numbers that are not 1 does cancel.
        (focal, "focal_bce_logits", 12.0, "cancellation", "1 - 0.999994"),
        (lambda x, y: np.logaddexp(0, x) - x * y, "bce_logits", 18.0, "cancellation", "logaddexp(0, 18) - 18 * 1"),
    ],
)
def test_what_is_rounded_to_1_is_blamed_and_not_the_exact_subtraction(function, problem, x, cause, operation):
    found = why(function, x, 1.0, problem_named(problem))
    assert (found.cause, found.operation) == (cause, operation)
    # The table blames the same: what is named, or an operation in it, has the largest share.
    result = follow(function, np.float32([x]), np.float32([1]))
    largest = max(operation_errors(result, found.exact), key=lambda e: abs(e.share))
    assert cause == "cancellation" or written(largest.node) in operation


def naive(x, y):
    p = 1 / (1 + np.exp(-x))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


@pytest.mark.parametrize(
    ("options", "becomes"), [({}, "3.40282e+38"), ({"posinf": 0.0}, "0"), ({"nan": 0.0, "posinf": 7.0}, "7")]
)
def test_nan_to_num_is_no_branch_and_what_made_the_infinity_is_to_blame(options, becomes):
    def finite(x, y):
        return np.nan_to_num(naive(x, y), **options)

    found = why(finite, 32.0, 0.0)
    assert (found.cause, found.operation, found.bias_ulp) == ("saturation", "1 / (1 + exp(-32))", 0)
    assert f"then nan_to_num turns inf into {becomes}: the loss 32 becomes" in found.reason
    result = follow(finite, np.float32([32]), np.float32([0]))
    shares = {written(e.node): float(e.share) for e in operation_errors(result, found.exact)}
    assert shares["1 + exp(-32)"] == pytest.approx(1)
    # Negative controls: without an infinity nothing is said of it; one that is exact is a bias.
    assert "nan_to_num" not in why(finite, 12.0, 0.0).reason
    found = why(lambda x, y: np.nan_to_num(np.log(x - x), neginf=-5.0), 12.0, 0.0)
    assert found.cause == "clamp" and "nan_to_num" in found.operation


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda x, y: np.array([float(v) for v in x], x.dtype), "float()"),
        (lambda x, y: np.frombuffer(x.tobytes(), x.dtype), "tobytes"),
        (lambda x, y: np.sin(x), "sin"),
        (lambda x, y: np.sort(x), "np.sort"),
        (lambda x, y: np.add.accumulate(x), "np.add.accumulate"),
        (lambda x, y: np.ones(3)[:1], "ndarray"),
    ],
)
def test_what_is_not_followed_is_named(function, named):
    with pytest.raises(NotFollowed) as raised:
        follow(function, np.ones(1), np.ones(1))
    assert named in str(raised.value)


def by_average(x, y):
    return np.average(np.log(1 + np.exp(x)) - x * y)


def by_weighted_average(x, y):
    return np.average(np.log(1 + np.exp(x)) - x * y, weights=2 * np.ones_like(x))


def by_products(x, y):
    p = 1 / (1 + np.exp(-x))
    return -(np.dot(y, np.log(p)) + (1 - y) @ np.log(1 - p)) / len(x)


def by_columns(x, y):
    loss = (np.log(1 + np.exp(x)) - x * y).reshape(-1, 1)
    return np.ones_like(x).reshape(1, -1).dot(loss)[0] + np.vdot(x, 0 * y) + np.inner(0 * x, y)


@pytest.mark.parametrize("reduced", [by_average, by_weighted_average, by_products, by_columns])
def test_averages_and_products_of_one_element_are_followed(reduced, tmp_path, capsys):
    given = np.float32([2]), np.float32([1])
    assert np.array_equal(np.ravel(follow(reduced, *given).computed), np.ravel(reduced(*given)))
    path = tmp_path / "reduced.py"
    path.write_text("import numpy as np\n\n\n" + inspect.getsource(reduced))
    asked = ["explain", f"{path}:{reduced.__name__}", "-p", "bce_logits", "-f", "float32", "--input", "17", "-t", "1"]
    assert main(asked) == 2 and "add --reduction mean" in capsys.readouterr().err
    assert main([*asked, "--reduction", "mean"]) == 0
    assert "local error, ulp" in capsys.readouterr().out
    # Negative control: what is no product of single elements is named.
    with pytest.raises(NotFollowed, match=r"np\.dot of arrays of several elements"):
        follow(lambda x, y: np.dot(x, np.ones((1, 2), np.float32)), *given)


def test_following_leaves_numpy_math_and_the_module_as_they_were():
    before = np.asarray, np.zeros, math.exp, exp
    follow(scalars, np.ones(1), np.ones(1))
    with pytest.raises(ZeroDivisionError):
        follow(lambda x, y: 1 // 0, np.ones(1), np.ones(1))
    assert before == (np.asarray, np.zeros, math.exp, exp)


def test_a_planted_branch_of_rounding_is_traced_to_the_rounding():
    """1 + e rounds to 1 and so takes the branch, which the exact value would not have taken."""

    def branched(x):
        u = 1 + np.exp(x)
        return np.where(u == 1, np.float32(0), np.log(u))

    assert why(branched, -17.5, problem=SOFTPLUS).operation == "1 + exp(-17.5)"


# -- operations -------------------------------------------------------------------------------------


def shares(problem, name, x, y, fmt=F32):
    given = [np.full((1, 1), v).astype(fmt.dtype) for v in (x, y) if v is not None]
    result = trace(kernel_named(problem, name), *given)
    exact = PROBLEMS[problem].terms(*(mp.mpf(v) for v in (x, y) if v is not None))
    with mp.workprec(400):
        truth = exact[0] + mp.fsum(exact[1])
        bias = expansions.value(expansions.subtract(result.exact, (truth._mpf_, expansions.ZERO[0])))
        error = mp.mpf(result.number) - truth
        return {written(e.node): e for e in operation_errors(result, truth)}, bias / error if error else mp.mpf(0)


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [("sigmoid_naive", 10, 0), ("lse_log1p", 3, 0.25), ("sigmoid_clip_1e-7", 12, 0), ("softplus_pair", -2, 1)],
)
def test_shares_add_up_to_the_whole_error(name, x, y):
    found, bias = shares("bce_logits", name, float(x), float(y))
    assert abs(sum(e.share for e in found.values()) + bias - 1) < 1e-6


def test_the_operation_that_makes_a_result_infinite_has_it_all():
    found, _ = shares("bce_logits", "sigmoid_naive", 16.75, 0.0)
    assert found["1 + exp(-16.75)"].share == 1
    assert sum(e.share for e in found.values()) == 1


def test_local_errors_are_those_of_the_operations():
    found, _ = shares("bce_logits", "sigmoid_naive", 10.0, 0.0)
    add = found["1 + exp(-10)"]
    assert 0 < add.local_ulp <= 0.5 and add.share > 0.5 and add.amplification > 1000
    assert found["1 - 1 / (1 + exp(-10))"].local_ulp == 0  # the subtraction that cancels is exact


def test_explain_prints_the_operations(capsys, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import numpy as np\ndef f(x):\n    return np.log(np.sqrt(1 + np.exp(x))) * 2\n")
    asked = ["explain", f"{path}:f", "-p", "softplus", "-f", "float32", "--input=-17.5"]
    assert main(asked) == 0
    out = capsys.readouterr().out
    assert "1 + exp(-17.5)" in out and "100 %" in out and out.rstrip().endswith("the value 2.511e-8 becomes 0.")
    path.write_text("import numpy as np\ndef f(x):\n    return np.frombuffer(np.exp(x).tobytes(), x.dtype).copy()\n")
    assert main(asked) == 0
    out = capsys.readouterr().out
    assert "operation  " not in out and "cannot be followed: an array's tobytes" in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-p", "softplus", "--input", "1", "-t", "1"], "has no target"),
        (["-p", "bce_logits", "--input", "1"], "needs --target"),
        (["-p", "bce", "--input", "2", "-t", "1"], "outside [0, 1]"),
        (["-p", "bce_logits", "--input", "one", "-t", "1"], "'one' is not a number"),
    ],
)
def test_explain_refuses_in_a_sentence(capsys, more, said):
    assert main(["explain", "naive", "-f", "float32", *more]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


# -- torch --------------------------------------------------------------------------------------------


def torch_functions():
    """Losses of torch with the problem they are of, and what is to blame at one input for y = 0."""
    import torch
    import torch.nn.functional as fn

    def clamped(x, y):
        p = torch.sigmoid(x) * 1
        p[p < 1e-7] = 1e-7
        p = p.clamp(max=1 - 1e-7)
        return -(y * p.log() + (1 - y) * (1 - p).log())

    def by_mask(x, y):
        out, m = torch.zeros_like(x), x > 0
        out[m] = torch.log1p(torch.exp(-x[m])) + x[m] * (1 - y[m])
        out[~m] = torch.log1p(torch.exp(x[~m])) - x[~m] * y[~m]
        return out

    def gradient(x, y):
        x = x.detach().requires_grad_(True)
        return torch.autograd.grad(clamped(x, y).sum(), x)[0]

    class Loss(torch.nn.Module):
        def forward(self, x, y):
            return torch.nan_to_num(fn.binary_cross_entropy(torch.sigmoid(x), y, reduction="none"))

    return [
        (clamped, "bce_logits", 20.0, "clamp", "min(1, 0.999999881)"),
        (by_mask, "bce_logits", 3.0, "rounding", None),
        (gradient, "bce_logits_grad", 20.0, "branch", "max(expit(20) * 1, 1e-07) <= 0.9999999"),
        (Loss(), "bce_logits", 20.0, "saturation", "expit(20)"),
        (lambda x, y: fn.softplus(x) - x * y, "bce_logits", 22.0, "rounding", None),
        (lambda x, y: fn.binary_cross_entropy_with_logits(x, y, reduction="none"), "bce_logits", -40.0, "cancellation",
         "(1 - 0) * (-40) - log_expit(-40)"),
        (lambda x, y: -fn.logsigmoid(-x) - x * y, "bce_logits", -3.0, "rounding", None),
    ]  # fmt: skip


def of_numpy(function):
    def called(*given):
        return to_array(function(*map(to_tensor, given)))

    called.follow = partial(follow_torch, function)
    return called


def test_torch_is_followed_through_its_dispatcher():
    pytest.importorskip("torch", reason="torch is an extra")
    for function, problem, x, cause, operation in torch_functions():
        found = why(of_numpy(function), x, 0.0, PROBLEMS[problem])
        assert found.like is None and found.cause == cause and operation in (None, found.operation)


def test_torch_computes_what_is_recorded():
    pytest.importorskip("torch", reason="torch is an extra")
    for function, *_ in torch_functions():
        for fmt in ("float32", "bfloat16", "float64"):
            given = [np.array([v]).astype(FORMATS[fmt].dtype) for v in (-3.0, 1.0)]
            found = follow_torch(function, *given)
            expected = to_array(function(*map(to_tensor, given)))
            assert found.dtype == expected.dtype and found.computed.item() == expected.item()
            assert abs(float(expansions.value(found.exact)) - float(expected.item())) < 0.05


def test_what_torch_does_otherwise_is_named():
    torch = pytest.importorskip("torch", reason="torch is an extra")
    ones = np.ones(1, np.float32)
    for function, named in (
        (lambda x: torch.special.i0(x), "i0"),
        (lambda x: torch.tensor([x.item()]), "item()"),
        (lambda x: torch.from_numpy(np.log(x.numpy())), "dispatcher"),
    ):
        with pytest.raises(NotFollowed, match=named.replace("(", r"\(").replace(")", r"\)")):
            follow_torch(function, ones)


def test_a_planted_wrong_rule_of_torch_is_noticed(monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is an extra")
    monkeypatch.setitem(RULES, "log1p", RULES["log"])
    found = follow_torch(lambda x: torch.log1p(x), np.ones(1, np.float32))
    assert abs(float(expansions.value(found.exact)) - found.number) > 0.5


# -- JAX ----------------------------------------------------------------------------------------------


def test_jax_is_followed_by_its_own_primitives():
    jax = pytest.importorskip("jax", reason="JAX is an extra")
    from harness.explain.jax_operations import follow_jax

    jnp = jax.numpy

    @jax.jit
    def clipped(x, y):
        p = jnp.clip(jax.nn.sigmoid(x), 1e-7, 1 - 1e-7)
        return -(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))

    def naive(x, y):
        return -(y * jnp.log(jax.nn.sigmoid(x)) + (1 - y) * jnp.log(1 - jax.nn.sigmoid(x)))

    def slope(x, y):
        return jax.grad(lambda v: (jax.nn.softplus(v) - v * y).sum())(x)

    for function, problem, cause, operation in (
        (clipped, "bce_logits", "clamp", "min(0.999999881, max(1e-07, expit(20)))"),
        (naive, "bce_logits", "saturation", "expit(20)"),
        (slope, "bce_logits_grad", "rounding", None),
    ):

        def called(*given, function=function):
            return np.array(function(*(jnp.asarray(a) for a in given)))

        called.follow = partial(follow_jax, function)
        found = why(called, 20.0, 0.0, PROBLEMS[problem])
        assert (found.like, found.cause) == (None, cause) and operation in (None, found.operation)
    with pytest.raises(NotFollowed, match="sin"):
        follow_jax(jnp.sin, np.ones(1, np.float32))


# -- TensorFlow -----------------------------------------------------------------------------------------


def tensorflow_functions(tf):
    """TensorFlow code, the problem, the input, and what is to blame there; None where that is no matter."""

    def clipped(x, y):
        p = tf.clip_by_value(tf.sigmoid(x), 1e-7, 1 - 1e-7)
        return -(y * tf.math.log(p) + (1 - y) * tf.math.log(1 - p))

    def naive(x, y):
        return -(y * tf.math.log(tf.sigmoid(x)) + (1 - y) * tf.math.log(1 - tf.sigmoid(x)))

    def slope(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = naive(x, y)
        return tape.gradient(loss, x)

    @tf.function
    def nested(x, y):
        return tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x)

    def guarded(x, y):
        z = tf.where(y == 1, -x, x)
        return tf.where(z > 8, z, tf.math.log1p(tf.exp(tf.minimum(z, 8))))

    return [
        (clipped, "bce_logits", 20.0, "clamp", "min(expit(20), 0.999999881)"),
        (naive, "bce_logits", 20.0, "saturation", "expit(20)"),
        (slope, "bce_logits_grad", 20.0, "saturation", "expit(20)"),
        (nested, "bce_logits", -3.0, "rounding", None),
        (guarded, "bce_logits", 9.0, "branch", "9 > 8"),
        (lambda x, y: tf.nn.softplus(x) - x * y, "bce_logits", 3.0, "rounding", None),
    ]  # fmt: skip


def of_tensorflow(function):
    from harness.checking.libraries import arrays_of
    from harness.explain.tensorflow_operations import REPEATED

    arrays = arrays_of("tensorflow")

    def called(*given):
        found = arrays.taken(function(*(arrays.given(np.repeat(a, REPEATED)) for a in given)))
        return found[: len(given[0])]

    called.follow = lambda *given: arrays.followed(function, *given)
    return called


def test_tensorflow_is_followed_by_the_operations_of_its_graph():
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is an extra")
    for function, problem, x, cause, operation in tensorflow_functions(tf):
        found = why(of_tensorflow(function), x, 0.0, PROBLEMS[problem])
        assert (found.not_followed, found.cause) == ("", cause) and operation in (None, found.operation), found


def test_every_rule_of_tensorflow_stands_for_what_it_computes():
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is an extra")
    from harness.explain.tensorflow_operations import follow_tensorflow

    def slope_of(function):
        def sloped(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                result = function(x)
            return tape.gradient(result, x)

        return sloped

    m = tf.math
    ones = [
        tf.nn.softplus, tf.nn.relu, tf.sigmoid, tf.tanh, m.rsqrt, m.reciprocal, m.log_sigmoid, m.square, m.expm1, m.log1p,
        *map(slope_of, (tf.nn.softplus, tf.sigmoid, tf.tanh, m.reciprocal, m.log_sigmoid, m.sqrt, m.log1p, m.square, tf.nn.relu)),
        lambda x: m.squared_difference(x, 0.25), lambda x: tf.clip_by_value(x, 0.5, 2.0), lambda x: m.xlogy(x, x),
        lambda x: tf.add_n([x, x * x, x]), lambda x: tf.cast(tf.cast(x, tf.float64) * 2, x.dtype),
        lambda x: m.divide_no_nan(x, x + 1), lambda x: tf.ones_like(x) - tf.zeros_like(x) + x, lambda x: m.xlog1py(x, x),
        lambda x: tf.where(m.logical_and(x > 0, m.logical_not(m.is_nan(x))), x**3, -x),
    ]  # fmt: skip
    for fmt in ("float32", "float64", "bfloat16"):
        for function in ones:
            if fmt == "bfloat16" and function in ones[-3:]:
                continue  # of which TensorFlow has none in bfloat16, or Python's constants are of another format
            given = np.array([0.75]).astype(FORMATS[fmt].dtype)
            found = follow_tensorflow(function, given)
            assert abs(float(expansions.value(found.exact)) - found.number) < 0.02, function


def test_what_tensorflow_does_otherwise_is_named():
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is an extra")
    from harness.explain.tensorflow_operations import follow_tensorflow

    @tf.function
    def branching(x):
        if tf.reduce_max(x) > 3:
            return tf.nn.softplus(x)
        return x

    ones = np.ones(1, np.float32)
    for function, named in (
        (tf.math.lgamma, "Lgamma, which has no exact counterpart"),
        (branching, "StatelessIf"),
        (lambda x: x * tf.range(1024, dtype=tf.float32), "differ from element to element"),
        (lambda x: tf.constant([1.0]), "made of no input"),
    ):
        with pytest.raises(NotFollowed, match=named):
            follow_tensorflow(function, ones)


def rewritten_functions(tf):
    """Losses in a tf.function, whose graphs TensorFlow rewrites: log(1 + x) as log1p(x), 1 / x by another operation."""
    m = tf.math
    return [
        (lambda x, y: m.log(1 + tf.exp(x)) - x * y, "exp(100) overflows to inf", 100.0),
        (lambda x, y: -(y * m.log(1 / (1 + tf.exp(-x))) + (1 - y) * m.log(1 - 1 / (1 + tf.exp(-x)))), "", 19.1),
        (lambda x, y: tf.maximum(x, 0.0) - x * y + m.log1p(tf.exp(-tf.abs(x))), "", -0.7),
        (lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(y, x), "", -0.7),
        (lambda x, y: (tf.nn.softplus(x[:, None]) - x[:, None] * y[:, None])[:, 0], "", -0.7),
    ]


def sloped(tf, function):
    def slope(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = function(x, y)
        return tape.gradient(result, x)

    return slope


def test_a_graph_that_tensorflow_rewrites_is_followed_as_it_runs(monkeypatch):
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is an extra")
    from harness.explain import tensorflow_operations

    for loss, said, at in rewritten_functions(tf):
        for of, problem in ((lambda f: f, "bce_logits"), (lambda f: sloped(tf, f), "bce_logits_grad")):
            for x in (at, -17.25, 0.4, 6.2):
                found = why(of_tensorflow(of(tf.function(loss))), x, 0.0, PROBLEMS[problem])
                assert found.not_followed == "", (found, x)
            if problem == "bce_logits":
                assert said in why(of_tensorflow(of(tf.function(loss))), at, 0.0).reason

    def no_optimiser(*_):
        raise ImportError("tf_optimizer")

    monkeypatch.setattr(tensorflow_operations, "_Rewritten", no_optimiser)  # then it is named, with both values
    found = why(of_tensorflow(tf.function(rewritten_functions(tf)[0][0])), 3.0, 0.0)
    assert (
        "a tf.function, which TensorFlow rewrites or compiles before it runs: its operations as written give 3.0485"
        in found.not_followed
    )


def test_a_planted_wrong_rule_of_tensorflow_is_noticed(monkeypatch):
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is an extra")
    from harness.explain import tensorflow_operations

    monkeypatch.setitem(tensorflow_operations.RULES, "Log1p", tensorflow_operations.RULES["Log"])
    found = tensorflow_operations.follow_tensorflow(tf.math.log1p, np.ones(1, np.float32))
    assert abs(float(expansions.value(found.exact)) - found.number) > 0.5


def drawing(x, y):
    return np.log(1 + np.exp(x)) - x * y + np.random.rand(len(x)).astype(x.dtype) * x.dtype.type(0)


def drawing_rows(x, c):
    return np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), c] + 0 * np.random.rand(len(x)).astype(x.dtype)


def test_compiled_code_gets_numpy_s_own_arrays():
    """numpy.random makes its results by np.empty; one of followed values in their place would end the process."""
    report = harness.check(drawing, "bce_logits", "float16", targets=[0], grid="quick")
    assert "cannot be followed" not in report.verdict and "rounds to" in report.verdict
    report = harness.check(drawing_rows, "softmax_ce", "float16", classes=3, grid="quick")
    assert "overflows to inf" in report.verdict or "cancellation" in report.verdict, report.verdict
