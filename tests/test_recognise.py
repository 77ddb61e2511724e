"""Another function is told from an inexact one; no registered kernel of any problem and format is taken for another."""

from __future__ import annotations

import numpy as np
import pytest

from harness.checking import recognise as module
from harness.checking import unnamed
from harness.checking.recognise import recognise
from harness.kernels import Kernel, all_kernels, kernel_named
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def bce(x, y):
    return softplus(x) - x * y


def of_probability(p, y):
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def focal(gamma, one=1.0, zero=1.0):
    return lambda x, y: np.where(
        y == 1, one * sigmoid(-x) ** gamma * softplus(-x), zero * sigmoid(x) ** gamma * softplus(x)
    )


def true_class(x, y):
    return sigmoid(np.where(y == 1, x, -x))


def asymmetric(positive, negative, shift):
    def loss(x, y):
        wrong = np.maximum(sigmoid(x) - shift, 0)
        return np.where(y == 1, sigmoid(-x) ** positive * softplus(-x), wrong**negative * -np.log1p(-wrong))

    return loss


def entropy(x):
    return sigmoid(x) * softplus(-x) + sigmoid(-x) * softplus(x)


def through_8_bits(x):
    return x.astype(FORMATS["float8_e4m3fn"].dtype).astype(np.float64)


def cutoff(x, y):
    return np.where(x > 0, x, np.log1p(np.exp(np.minimum(x, 0)))) - x * y


def by_table(x, y):
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.floor(3 * abs(x)) / 3))


def exp_of_bits(x):
    """Compute e^x to 4 % by writing x / ln 2 into the exponent's bits, see Schraudolph, doi:10.1162/089976699300016467."""
    bits = (2**23 / np.log(2) * x + (127 * 2**23 - 366393)).astype(np.int32)
    return bits.view(np.float32).astype(np.float64)


PUBLISHED = [
    (lambda x, y: bce(x, y) + (1 - true_class(x, y)), "PolyLoss (Poly-1) with eps = 1; declare it with --exact"),
    (lambda x, y: bce(x, y) - (1 - true_class(x, y)), "PolyLoss (Poly-1) with eps = -1"),
    (lambda x, y: bce(x, y) + 0.1 * (1 - true_class(x, y)), "PolyLoss (Poly-1) with eps = 0.1"),
    (lambda x, y: 0.1 * bce(x, y) + 4 * (1 - true_class(x, y)), "the symmetric cross-entropy"),
    (lambda x, y: 4 * (1 - true_class(x, y)), "the reverse cross-entropy"),
    (lambda x, y: np.abs(sigmoid(x) - y), "the mean absolute error of the probability"),
    (lambda x, y: (sigmoid(x) - y) ** 2, "the Brier score"),
    (lambda x, y: (1 - true_class(x, y) ** 0.7) / 0.7, "q = 0.7, p being the probability of the true class: this looks like the generalised"),
    (lambda x, y: bce(x, y) - 0.1 * entropy(x), "the cross-entropy - 0.1 H(p)"),
    (lambda x, y: bce(x, y) + 0.01 * x**2, "the cross-entropy + 0.01 x^2"),
    (lambda x, y: softplus(np.where(y == 1, 0.35 - x, x)), "at x for y = 0 and at x - 0.35 for y = 1: this looks like a margin"),
    (lambda x, y: bce(x - 1, y), "the problem at x - 1 in the place of x"),
    (lambda x, y: bce(10 * np.tanh(x / 10), y), "c tanh(x / c), c = 10"),
    (asymmetric(0, 4, 0.05), "-log(p) at y = 1, (1 - r)^4 times -log(r) at y = 0"),
    (asymmetric(1, 4, 0), "(1 - p) times -log(p) at y = 1, (1 - p)^4 times -log(p) at y = 0"),
    (lambda x, y: np.maximum(0, 1 - (2 * y - 1) * x), "the hinge loss"),
    (lambda x, y: np.exp(-(2 * y - 1) * x), "the exponential loss"),
    (lambda x, y: np.maximum(x, 0) - x * y, "max(x, 0) without the log(1 + e^-|x|) beside it"),
]  # fmt: skip
NAMELESS = [
    (lambda x, y: np.zeros_like(x) + y, "it gives 1 for 0.07889 at x = 2.5, y = 1"),
    (lambda x, y: 4 * bce(x / 2, y), "which no rounding explains; correct it, or, where it is meant, declare it with --exact"),
    (lambda x, y: np.log1p(bce(x, y)), "it gives 1.275 for 2.579 at x = 2.5, y = 0, and is off by more than 3 % at 11 of the 12"),
    (lambda x, y: 1 - (2 * sigmoid(x) * y + 1) / (sigmoid(x) + y + 1), "which no rounding explains"),
    (lambda x, y: (1 - true_class(x, y)) + (1 - true_class(x, y)) ** 2 / 2, "it gives 1.351 for 2.579"),
]  # fmt: skip
OTHERS = [
    ("bce_logits", lambda x, y: 3 * y * softplus(-x) + (1 - y) * softplus(x),
     "3 times the problem at y = 1, equal at y = 0: this looks like pos_weight = 3; check it with --weights pos=3"),
    ("bce_logits", lambda x, y: 2 * bce(x, y), "--weights weight=2"),
    ("bce_logits", lambda x, y: 0.25 * y * softplus(-x) + 0.75 * (1 - y) * softplus(x), "--weights alpha=0.25"),
    ("bce_logits", lambda x, y: 2 * y * softplus(-x) + 5 * (1 - y) * softplus(x), "--weights weight=5,pos=0.4"),
    ("bce_logits", lambda x, y: y * softplus(-x), "the term of y = 0 is missing"),
    ("bce_logits", lambda x, y: -bce(x, y), "a missing minus"),
    ("bce_logits", lambda x, y: bce(x, y) / np.log(2), "logarithms to base 2"),
    ("log", lambda x: np.log10(x), "logarithms to base 10"),
    ("bce_logits", lambda x, y: bce(x, y) / x.size, "divided by the number of inputs"),
    ("bce_logits", lambda x, y: np.full_like(x, bce(x, y).mean()), "--reduction mean"),
    ("bce_logits", lambda x, y: np.full_like(x, bce(x, y).sum()), "--reduction sum"),
    ("bce_logits", lambda x, y: bce(x, 1 - y), "0 and 1 exchanged in the targets"),
    ("bce_logits", lambda x, y: bce(x, 0.9 * y + 0.05), "--weights smoothing=0.1"),
    ("bce_logits", lambda x, y: 5 * (0.8 * y + 0.1) * softplus(-x) + (0.9 - 0.8 * y) * softplus(x),
     "check it with --weights smoothing=0.2,pos=5"),
    ("bce_logits", lambda x, y: 3 * bce(x, 0.9 * y + 0.05), "check it with --weights smoothing=0.1,weight=3"),
    ("sigmoid_grad", lambda x: 2 * sigmoid(x) * sigmoid(-x), "2 times the problem everywhere: this looks like a weight; the problem takes"),
    ("bce_logits", lambda x, y: bce(x, 0.9 * y), "the targets 0 and 1 taken as 0 and 0.9"),
    ("bce_logits", lambda x, y: softplus(-y * x), "a loss for targets -1 and 1"),
    ("bce_logits", of_probability, "--problem bce"),
    ("bce", bce, "the input is taken for a logit, not for a probability"),
    ("bce_logits", lambda x, y: bce(y, x), "arguments swapped"),
    ("bce", lambda p, y: of_probability(np.clip(y, 1e-7, 1 - 1e-7), p), "arguments swapped"),
    ("bce_logits", lambda x, y: bce(sigmoid(x), y), "a sigmoid taken twice"),
    ("bce_logits", focal(2), "--problem focal_bce_logits --weights gamma=2"),
    ("bce_logits", focal(2, 0.25, 0.75), "--weights gamma=2,alpha=0.25"),
    ("focal", lambda x: sigmoid(-x) ** 3 * softplus(-x), "--problem focal --weights gamma=3"),
    ("bce_logits", lambda x, y: bce(x / 2, y), "a temperature of 2"),
    ("softplus", lambda x: softplus(2 * x) / 2, "beta = 2"),
    ("softplus", lambda x: softplus(-x), "-x in the place of x"),
    ("sigmoid", np.tanh, "--problem tanh"),
    ("sigmoid", lambda x: 1 - sigmoid(x), "-x in the place of x"),
    ("bce_logits", lambda x, y: bce(x, y) + 0.1, "0.1 more than the problem everywhere"),
    ("bce_logits", lambda x, y: sigmoid(x) - y, "--problem bce_logits_grad"),
    ("bce_logits_grad", lambda x, y: sigmoid(x), "the target is not used"),
    ("bce_logits_grad", lambda x, y: np.where(y == 1, -3 * sigmoid(-x), sigmoid(x)), "--weights pos=3"),
    ("log1mexp", lambda x: np.log1p(-np.exp(x)), "the other sign of the input; check it with --problem log1mexp_neg"),
    ("log1mexp_neg", lambda x: np.log1p(-np.exp(-x)), "check it with --problem log1mexp"),
    ("bernoulli_kl", of_probability, "equal at y = 0 and y = 1, but at soft targets the values of bce"),
    ("bce_logits", lambda x, y: softplus(np.where(y > 0.5, -x, x)), "a loss for hard targets; check it with --target 0"),
    *(("bce_logits", loss, said) for loss, said in PUBLISHED),
    ("bce", lambda p, y: of_probability(p, y) + np.abs(p - y), "PolyLoss (Poly-1) with eps = 1"),
    ("softplus", lambda x: softplus(x) + sigmoid(x), "PolyLoss (Poly-1) with eps = 1"),
    *(("bce_logits", loss, said) for loss, said in NAMELESS),
    ("bce_logits_grad", lambda x, y: (sigmoid(x) - y) * (1 + sigmoid(x)), "which no rounding explains"),
]  # fmt: skip
INEXACT = [
    ("bce_logits", lambda x, y: -(y * np.log(sigmoid(x) + 1e-5) + (1 - y) * np.log(1 - sigmoid(x) + 1e-5))),
    ("bce_logits", lambda x, y: -(y * np.log(sigmoid(x) + 0.01) + (1 - y) * np.log(1 - sigmoid(x) + 0.01))),
    ("bce_logits", lambda x, y: of_probability(np.clip(sigmoid(x), 0.1, 0.9), y)),
    *(
        ("bce_logits", lambda x, y, e=eps: -(y * np.log(sigmoid(x) + e) + (1 - y) * np.log(sigmoid(-x) + e)))
        for eps in (1e-4, 3e-4, 1e-3, 3e-3)
    ),
    ("bce_logits", lambda x, y: np.full_like(x, np.nan)),
    ("log1mexp", lambda x: np.full_like(x, np.nan)),
    ("log1mexp", lambda x: np.log1p(-np.exp(x)) + 0.01),
    ("bce_logits", lambda x, y: -(y * np.log(sigmoid(x) + 0.05) + (1 - y) * np.log(1 - sigmoid(x) + 0.05))),
    ("bce_logits", cutoff),
    ("bce_logits", lambda x, y: bce(*(a.astype(np.float16) for a in (x, y)))),
    ("bce_logits", lambda x, y: np.maximum(x, 0) - x * y + through_8_bits(np.log1p(through_8_bits(np.exp(-abs(x)))))),
    ("bce_logits", by_table),
    ("bce_logits", lambda x, y: np.maximum(x, 0) - x * y + np.log1p((1 - abs(x) / 16) ** 16)),
    ("bce_logits", lambda x, y: np.maximum(x, 0) - x * y + np.log1p(exp_of_bits(-abs(x)))),
    ("bce_logits", lambda x, y: np.minimum(bce(x, y), 2.0)),
    ("logit", lambda p: np.log(np.clip(p, 1e-6, 1 - 1e-6)) - np.log1p(-np.clip(p, 1e-6, 1 - 1e-6))),
]


def told(problem, function, fmt):
    def call(*given):
        with np.errstate(all="ignore"):
            return np.asarray(function(*(a.astype(np.float64) for a in given))).astype(FORMATS[fmt].dtype)

    found = recognise(PROBLEMS[problem], FORMATS[fmt], call)
    return "" if found is None else found.sentence


@pytest.mark.parametrize("fmt", ["float32", "float64"])
@pytest.mark.parametrize(("problem", "function", "said"), OTHERS, ids=[said for *_, said in OTHERS])
def test_another_function_is_recognised(problem, function, said, fmt):
    assert said in told(problem, function, fmt)


@pytest.mark.parametrize("fmt", ["float16", "bfloat16"])
@pytest.mark.parametrize(("problem", "function", "said"), OTHERS[:8], ids=[said for *_, said in OTHERS[:8]])
def test_a_short_format_is_enough_for_weights(problem, function, said, fmt):
    assert said.split(":")[0] in told(problem, function, fmt)


@pytest.mark.parametrize("fmt", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize(("problem", "function"), INEXACT)
def test_what_is_only_wrong_is_no_other_function(problem, function, fmt):
    assert told(problem, function, fmt) == ""


def test_a_weighted_loss_with_an_eps_is_recognised_all_the_same():
    def weighted(x, y):
        p = np.clip(sigmoid(x), 1e-7, 1 - 1e-7)
        return -(3 * y * np.log(p + 1e-6) + (1 - y) * np.log(1 - p + 1e-6))

    for fmt in ("float32", "float64"):
        assert "pos_weight = 3" in told("bce_logits", weighted, fmt)


def as_function(kernel: Kernel):
    return lambda *given: np.broadcast_to(kernel(*(a[None, :] for a in given)), (1, len(given[0])))[0]


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
def test_no_kernel_is_taken_for_another_function(fmt):
    with np.errstate(all="ignore"):
        for kernel in all_kernels():
            found = recognise(PROBLEMS[kernel.problem], fmt, as_function(kernel))
            assert found is None, (kernel.problem, kernel.name, found)


def test_a_planted_lack_of_tolerance_takes_kernels_for_others(monkeypatch):
    """Without room for rounding, a clamped loss in bfloat16 would be another function: the test above would notice."""
    monkeypatch.setattr(module, "APART", 0)
    with np.errstate(all="ignore"):
        kernel = kernel_named("bce_logits", "sigmoid_naive")
        assert recognise(PROBLEMS["bce_logits"], FORMATS["bfloat16"], as_function(kernel)) is not None


def test_a_planted_lack_of_scruple_takes_a_cutoff_and_a_table_for_other_functions(monkeypatch):
    """What agrees in places, or errs up and down, is inexact; without these two rules it would be another function."""
    monkeypatch.setattr(unnamed, "AGREEING", 1.0)
    assert "no rounding explains" in told("bce_logits", cutoff, "float32")
    monkeypatch.setattr(unnamed, "FAR", 0.001)
    assert told("bce_logits", by_table, "float32") == ""
    monkeypatch.setattr(unnamed, "TURNS", np.inf)
    assert "no rounding explains" in told("bce_logits", by_table, "float32")
