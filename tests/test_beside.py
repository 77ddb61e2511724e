"""What `check` says beside the errors: other functions, flushed subnormal numbers, broken properties, what a bias costs."""

from __future__ import annotations

import textwrap
import warnings

import numpy as np
import pytest

from harness.checking.beside import shape
from harness.checking.flushing import flushed
from harness.checking.properties import broken_properties, property_results
from harness.cli.main import main
from harness.kernels import kernel_named
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS

F32 = FORMATS["float32"]

SMALL = """
import numpy as np

def focal(x):
    p, q = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))
    return -(q**2) * np.log(p) - p**2 * 0 * np.log(q)

def divergence(p, y):
    return y * np.log(y / p) + (1 - y) * np.log((1 - y) / (1 - p))

def logit(p):
    q = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(q) - np.log1p(-q)

def eps(x, y):
    p = 1 / (1 + np.exp(-x))
    return -(y * np.log(p + 1e-5) + (1 - y) * np.log(1 - p + 1e-5))

def stable(x, y):
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))

def by_size(x, y):
    return stable(x, y) / x.size

def mean(x, y):
    return np.full_like(x, stable(x, y).mean())

calls = 0

def counter(x, y):
    global calls
    calls += 1
    return (stable(x, y) * calls).astype(x.dtype)

def half(x):
    return np.log(np.sqrt(1 + np.exp(x))) * 2

def weighted(x, y):
    return 3 * y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)

def clip(x, y):
    p = np.clip(1 / (1 + np.exp(-x)), 1e-7, 1 - 1e-7)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))

def weighted_naive(x, y):
    return 3 * y * np.log(1 + np.exp(-x)) + (1 - y) * np.log(1 + np.exp(x))

def reduced(x, y):
    ce = stable(x, y)
    pt = np.exp(-ce)
    return np.where(pt < 0.5, x.dtype.type(1), ((1 - pt) / x.dtype.type(0.5)) ** 2) * ce

def cut(x, y):
    return np.where(x > 4, x, np.log1p(np.exp(np.minimum(x, 4)))) - x * y + np.where(x < -4, np.exp(x) / 8, 0 * x)

def flushing(x, y):
    tiny = np.float32(1.1754944e-38)
    loss = stable(np.where(np.abs(x) < tiny, np.float32(0), x), y)
    return np.where(np.abs(loss) < tiny, np.float32(0), loss)

def flushing_nan(x, y):
    return flushing(x, y) + 0 * np.exp(-x)
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("losses") / "small.py"
    path.write_text(textwrap.dedent(SMALL))
    return path


def checked(capsys, small, name, problem, *more, fmt="float32"):
    status = main(["check", f"{small}:{name}", "-p", problem, "-f", fmt, "-g", "quick", *more])
    out, err = capsys.readouterr()
    return status, "\n".join(line for line in out.splitlines() if line[:4] in ("PASS", "FAIL", "NOTE")), err


@pytest.mark.parametrize(
    ("name", "problem", "more", "fmt", "said"),
    [
        ("focal", "focal", [], "float32", ["spurious NaN, the nearest at 88.72", "then 0 * inf: the value < 1.4e-45 becomes nan"]),
        ("divergence", "bernoulli_kl", ["-t", "0"], "float32",
         ["nothing finite", "the nearest at 0.5", "0 * log(0 / 0.5) = nan (0 * inf): the loss 0.693147 becomes nan"]),
        ("logit", "logit", [], "float32", ["max(", ", 1e-06) clamps to 1e-06", "scipy stays within 4 ulp"]),
        ("eps", "bce_logits", ["-t", "1"], "float32",
         ["adds an eps (modelling bias)", "What that costs for |x| <= 20: 11.5127 for 20 at -20."]),
        ("half", "softplus", [], "float32", ["1 + exp(-16.635532) rounds to 1 (absorption)"]),
        ("weighted", "bce_logits", ["-t", "1"], "float32",
         ["another function than bce_logits: 3 times the problem at y = 1, equal at y = 0: this looks like pos_weight = 3"]),
        ("flushing", "bce_logits", ["-t", "1"], "float32",
         ["It flushes subnormal results below 1.18e-38 to 0; else the largest error found is 2.", "within the budget of 4"]),
    ],
)  # fmt: skip
def test_small_losses_get_the_reason_that_matters(capsys, small, name, problem, more, fmt, said):
    status, verdict, err = checked(capsys, small, name, problem, *more, fmt=fmt)
    assert (status, err) == (1, "")
    assert all(part in verdict for part in said), verdict


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("by_size", "it depends on its array's length: it is the problem divided by the number of inputs"),
        ("mean", "it depends on the other elements of its array: every result is the mean of the problem's values"),
        ("counter", "it depends on earlier calls"),
    ],
)
def test_what_is_no_function_of_its_input_is_refused(capsys, small, name, said):
    status, out, err = checked(capsys, small, name, "bce_logits", "-t", "1")
    assert (status, out) == (2, "") and said in err and err.count("\n") == 1


def test_a_bias_keeps_its_cure_and_another_function_gets_none(capsys, small):
    assert "stays within 4 ulp" in checked(capsys, small, "eps", "bce_logits", "-t", "1")[1]
    assert "stays within" not in checked(capsys, small, "weighted", "bce_logits", "-t", "1")[1]


def test_each_target_has_its_own_verdict(capsys, small):
    """A weight of the positive class changes nothing at y = 0, where the loss cancels and is the problem all the same."""
    verdict = checked(capsys, small, "weighted_naive", "bce_logits", "-t", "0", "-t", "1")[1]
    zero, one = (line for line in verdict.splitlines() if line.startswith("FAIL"))
    assert "(absorption): the loss" in zero and "At another target it is another function: 3 times" in zero
    assert "stays within" not in verdict
    # Negative control: at y = 1 it is another function, and nothing else is said.
    assert "another function than bce_logits: 3 times the problem at y = 1" in one and "absorption" not in one


def test_another_function_on_one_side_of_a_branch_gets_no_cure(capsys, small):
    verdict = checked(capsys, small, "reduced", "bce_logits", "-t", "1")[1]
    assert "another function than bce_logits: on one side of a branch it gives" in verdict
    assert "6 of the 12 moderate inputs" in verdict and "stays within" not in verdict
    # Negative control: a cutoff beyond moderate inputs is a bias, and has a cure.
    verdict = checked(capsys, small, "cut", "bce_logits", "-t", "0")[1]
    assert "selects another formula (modelling bias)" in verdict and "stays within 4 ulp" in verdict


def test_a_cost_is_ascribed_only_to_an_operation_that_acts_there(capsys, small):
    """What is worst in ulps is the lower end of a clip; 20 becomes 15.9 by its upper end.  An eps costs what it costs."""
    verdict = checked(capsys, small, "clip", "bce_logits", "-t", "0")[1]
    assert "max(1 / (1 + exp(3.40282e+38)), 1e-07) clamps to 1e-07" in verdict
    assert "For |x| <= 20 the loss is off most at 20: 15.9424 for 20." in verdict and "What that costs" not in verdict
    assert "the loss is off most" not in checked(capsys, small, "eps", "bce_logits", "-t", "1")[1]


@pytest.mark.parametrize(
    ("operation", "other", "same"),
    [
        ("1 / (1 + exp(-87.3)) + 1e-05", "1 / (1 + exp(20)) + 1e-05", True),
        ("1 - (-2.5e-08)", "1 - 3", True),
        ("max(expit(-3.4e+38), 1e-07)", "min(expit(20), 0.999999881)", False),
        ("log1p(-inf)", "log(0)", False),
        ("log2(1) * 3", "log10(1) * 3", False),
    ],
)
def test_the_same_operation_is_known_at_another_input(operation, other, same):
    assert (shape(operation) == shape(other)) is same


def test_nan_comes_before_what_is_flushed_and_keeps_its_cure(capsys, small):
    verdict = checked(capsys, small, "flushing_nan", "bce_logits", "-t", "1")[1]
    reason, _, flush = verdict.partition(" It flushes subnormal results")
    assert "exp(88.72284) overflows to inf, then 0 * inf: the loss 88.7228 becomes nan; " in reason
    assert "stays within 4 ulp" in reason and "roundings accumulate" not in verdict and "spurious outcomes" in flush
    # Negative control: where the flush is all that is wrong, nothing else is named, and no cure.
    alone = checked(capsys, small, "flushing", "bce_logits", "-t", "1")[1]
    assert "stays within 4 ulp" not in alone and "overflows" not in alone


def as_function(problem, name):
    kernel = kernel_named(problem, name)

    def called(*given):
        with np.errstate(all="ignore"):
            return np.broadcast_to(kernel(*(a[None, :] for a in given)), (1, len(given[0])))[0]

    return called


def flushes(function, inputs=True, results=True):
    """Put 0 in the place of subnormal inputs and results, as compilers do."""

    def zero(a):
        return np.where(np.abs(a) < F32.min_normal, np.zeros_like(a), a)

    return lambda *given: (zero if results else np.asarray)(
        function(*((zero if inputs else np.asarray)(a) for a in given))
    )


@pytest.mark.parametrize(
    ("problem", "kernel", "target", "inputs", "results"),
    [
        ("bce_logits", "lse_log1p", 1.0, False, True),
        ("log1p", "numpy", None, True, True),
        ("log", "numpy", None, True, False),
        ("exp", "numpy", None, False, True),
        ("tanh", "numpy", None, True, True),
    ],
)
def test_flushing_is_told_from_other_errors(problem, kernel, target, inputs, results):
    found = flushed(PROBLEMS[problem], F32, flushes(as_function(problem, kernel)), target, "quick")
    assert found is not None and (found.inputs, found.results) == (inputs, results)
    assert found.below == float(np.float32(2.0**-126)) and found.within(4)
    assert flushed(PROBLEMS[problem], F32, as_function(problem, kernel), target, "quick") is None


@pytest.mark.parametrize(
    ("problem", "kernel"), [("sigmoid", "tanh"), ("tanh", "naive"), ("bce_logits", "sigmoid_naive"), ("expm1", "naive")]
)
def test_a_form_that_saturates_does_not_flush(problem, kernel):
    target = 0.0 if PROBLEMS[problem].has_target else None
    assert flushed(PROBLEMS[problem], F32, as_function(problem, kernel), target, "quick") is None


def test_what_is_wrong_besides_is_measured_where_nothing_is_flushed():
    """A planted fault of 1 % at 3 is what is left when the flushed numbers are left out."""

    def planted(x):
        return np.where(np.abs(x - 3) < 0.25, np.float32(1.01), np.float32(1)) * flushes(as_function("exp", "numpy"))(x)

    found = flushed(PROBLEMS["exp"], F32, planted, None, "quick")
    assert found is not None and not found.within(4) and abs(found.else_input - 3) <= 0.25


def names(problem, function, fmt="float32"):
    with np.errstate(all="ignore"):
        return _names(problem, function, fmt)


def _names(problem, function, fmt):
    return {b.name: b for b in broken_properties(PROBLEMS[problem], FORMATS[fmt], function)}


@pytest.mark.parametrize(
    ("problem", "kernel"), [("bce", "naive"), ("log1p", "numpy"), ("sigmoid", "tanh"), ("exp", "numpy")]
)
def test_sound_kernels_keep_their_properties(problem, kernel):
    assert names(problem, as_function(problem, kernel), "float16") == {}


def test_a_sigmoid_that_falls_is_located():
    """As some libraries' in bfloat16: 0.996 at 5.5, 0.992 at 5.75."""
    sigmoid = as_function("sigmoid", "reciprocal")

    def falling(x):
        return np.where(np.abs(x.astype(np.float64) - 5.75) < 0.01, np.full_like(x, 0.9921875), sigmoid(x))

    found = names("sigmoid", falling, "bfloat16")
    assert set(found) == {"direction"} and found["direction"].input == 5.75
    assert "falls where it should rise, by 2 ulp: 1 at 5.72, 0.992 at 5.75" in found["direction"].sentence


def test_a_loss_below_zero_and_a_lost_symmetry_are_located():
    loss = as_function("bce_logits", "lse_log1p")
    assert "sign" not in names("bce_logits", loss) and "symmetry" not in names("bce_logits", loss)
    below = names("bce_logits", lambda x, y: np.where((x == 2) & (y == 1), np.float32(-1), loss(x, y)))["sign"]
    assert (below.input, below.target, below.count) == (2.0, 1.0, 1)
    skewed = names("bce_logits", lambda x, y: loss(x, y) * np.where(y == 1, np.float32(1.01), np.float32(1)))[
        "symmetry"
    ]
    assert "f(x, 1) = f(-x, 0) is broken" in skewed.sentence
    assert "symmetry" in names("tanh", lambda x: np.where(x < 0, np.float32(0.99), np.float32(1)) * np.tanh(x))
    assert "symmetry" not in names("tanh", np.tanh)


def test_both_pairs_of_a_symmetry_are_looked_at():
    """With a target x and -x are two pairs: f(x, 1) and f(-x, 0), f(-x, 1) and f(x, 0)."""
    loss = as_function("bce_logits", "lse_log1p")

    def infinite(x, y):
        return np.where((x < -16) & (y == 1), np.float32(np.inf), loss(x, y))

    broken = names("bce_logits", infinite)["symmetry"]
    assert broken.input < -16 and "is broken without bound: inf and" in broken.sentence
    naive = as_function("bce", "naive")
    assert "symmetry" not in names("bce", naive)
    left = names("bce", lambda p, y: np.where((p < 0.25) & (y == 1), np.float32(9), naive(p, y)))["symmetry"]
    assert left.input < 0.25


def test_values_that_are_not_finite_raise_no_warning():
    def huge(x, y):
        return np.where(x > 1, np.float32(np.inf), np.where(x > 0, -np.finfo(np.float32).max, np.float32(np.nan)))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names("bce_logits", huge)
        names("bce_logits_grad", huge)


def test_properties_ask_for_as_many_results_as_is_told():
    counted = []
    for name, kernel in (("bce_logits", "lse_log1p"), ("log1p", "numpy"), ("sigmoid_grad", "two_sigmoids")):
        of = as_function(name, kernel)
        broken_properties(PROBLEMS[name], F32, lambda *a, of=of: (counted.append(len(a[0])), of(*a))[1], "quick")
        told = property_results(PROBLEMS[name], F32, "quick")
        assert told * (0.7 if name == "sigmoid_grad" else 1) <= sum(counted) <= told
        counted.clear()


def test_a_problem_without_a_property_is_not_asked_for_it():
    assert names("log1p", lambda x: np.log1p(x) * 1) == {}
    assert "sign" not in names("bce_logits_grad", as_function("bce_logits_grad", "weighted_sigmoids"))
