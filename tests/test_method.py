"""The figures that docs/method.md quotes of libraries are those of the tables, and of the libraries where they are installed."""

import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp

from harness.kernels import kernel_named
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.systems.measure.rows import FURTHER
from harness.tables.writer import read
from harness.truth.errors import measure
from harness.truth.fast import evaluate

METHOD = Path("docs/method.md").read_text(encoding="utf-8")
CALL = "keras.losses.BinaryCrossentropy(from_logits=True)"
QUOTED = re.search(
    rf"Keras ([\d.]+) on TensorFlow is an example: for float16 logits and y = 0,\s+`{re.escape(CALL)}` returns float32\. "
    r"It errs by at\s+most ([\d.]+) float16-ulp as returned, and by\s+([\d.]+) as the tables show it",
    METHOD,
)


def test_the_figure_of_a_wider_result_is_the_tables():
    rows = read(Path("results/tables/systems.csv")).to_dict("records")
    (row,) = [
        r for r in rows
        if (r["library"], r["system"], r["mode"], r["format"], r["problem"], r["target"])
        == ("keras-tensorflow", CALL, "eager", "float16", "bce_logits", "0")
    ]  # fmt: skip
    assert QUOTED and row["version"].startswith(f"keras=={QUOTED[1]} ")
    assert (row["upcast"], row["exhaustive"]) == ("float32", "true") and f"{float(row['max_ulp']):.5f}" == QUOTED[3]


def test_the_figure_of_a_wider_result_as_returned_is_the_librarys():
    """As returned it is in no table: the library is called, at every float16 logit."""
    pytest.importorskip("tensorflow", reason="the figure is of Keras on TensorFlow")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    keras = pytest.importorskip("keras", reason="the figure is of Keras on TensorFlow")
    assert QUOTED
    if keras.__version__ != QUOTED[1]:
        pytest.skip(f"the figure is of Keras {QUOTED[1]}, here is {keras.__version__}")
    fmt = FORMATS["float16"]
    x = fmt.from_ordinal(np.arange(*fmt.finite_ordinals(-np.inf, np.inf)))
    loss = keras.losses.BinaryCrossentropy(from_logits=True, reduction=None)
    returned = np.asarray(loss(np.zeros((len(x), 1), np.float16), x[:, None]))
    assert returned.dtype == np.float32
    exact = evaluate(PROBLEMS["bce_logits"], fmt, x[None, :], np.zeros((1, 1), np.float16)).value[0]
    exponent = np.maximum(np.frexp(exact)[1] - 1, -14)  # of exact values that are 0 in float64, that of the least
    off = np.abs(returned - exact) / np.ldexp(1.0, exponent - (fmt.precision - 1))
    assert f"{off.max():.5f}" == QUOTED[2]


def test_every_column_of_the_systems_table_is_explained():
    """Of a group that shares a beginning, that is named."""
    named = set(re.findall(r"`(\w+\*?)`", METHOD))
    groups = {name.removesuffix("*") for name in named if name.endswith("*")}
    unexplained = [c for c in FURTHER if c not in named and not any(c.startswith(g) for g in groups)]
    assert not unexplained, unexplained
    assert "planted_column" not in named and not any("planted_column".startswith(g) for g in groups)


def largest_ratio(sampled, every):
    """The function, name and ratio of the largest quotient of a float32 maximum over every input and that of the sample."""
    maxima = {(r["problem"], r["kernel"]): float(r["max_ulp"]) for r in sampled if r["format"] == "float32"}
    ratios = {
        r["problem"]: float(r["max_ulp"]) / maxima[r["problem"], "numpy"] for r in every if r["kernel"] == "numpy"
    }
    return max(ratios.items(), key=lambda found: found[1])


def test_the_margin_of_a_sample_is_the_tables():
    quoted = re.search(r"the largest ratio is ([\d.]+) \((\w+); (\w+) has ([\d.]+)\)", METHOD)
    sampled, every = (
        read(Path(f"results/tables/{name}.csv")).to_dict("records") for name in ("primitives", "exhaustive_primitives")
    )
    every = [r for r in every if r["format"] == "float32"]
    name, ratio = largest_ratio(sampled, every)
    assert quoted and (quoted[2], quoted[1]) == (name, f"{ratio:.3f}")
    name, ratio = largest_ratio(sampled, [r for r in every if r["problem"] != name])
    assert (quoted[3], quoted[4]) == (name, f"{ratio:.3f}")


def test_the_centre_of_every_problem_is_named():
    said = re.search(r"The centre is (.*?)\.\n", METHOD, re.DOTALL)
    named = {"log": 1.0, "log1mexp": math.log(2), "log1mexp_neg": -math.log(2)}
    usual = {"logit": 0.0, "probability": 0.5, "input": 0.0}
    assert said and said[1] == (
        "logit 0, probability 1/2, 1 for log, log 2 for log1mexp, −log 2 for log1mexp_neg, and 0 for the others"
    )

    def odd(centres):
        return [
            p.name for p in PROBLEMS.values()
            if p.centre != centres.get(p.name.removesuffix("_grad"), usual[p.input])
        ]  # fmt: skip

    assert odd(named) == []
    assert odd({"log": 1.0}) == ["log1mexp", "log1mexp_grad", "log1mexp_neg", "log1mexp_neg_grad"]


@pytest.mark.parametrize(("x", "over"), [("0x1.01d70ap+6", True), ("0x1.fffffep+6", False), ("0x1.8p+5", None)])
def test_half_an_ulp_of_an_input_costs_between_a_quarter_of_kappa_and_kappa(x, over):
    """For exp κ is |x|.  At the first the cost exceeds max(1/2, κ/2), which is no bound."""
    with mp.workprec(200):
        at = mp.mpf(float.fromhex(x)) * (-1 if over is False else 1)
        half = mp.mpf(2) ** (math.floor(math.log2(abs(at))) - 24)
        value = mp.exp(at)
        ulp = mp.mpf(2) ** (int(mp.floor(mp.log(value, 2))) - 23)
        cost, kappa = abs(mp.exp(at + half) - value) / ulp, abs(at)
        assert kappa / 4 * (1 - mp.mpf(2) ** -16) <= cost <= kappa * (1 + mp.mpf(2) ** -16)
        assert over is not True or cost > 1.9 * kappa / 2


def test_the_fast_tiers_errors_are_shares_of_the_value_and_not_of_themselves():
    fmt, problem = FORMATS["float32"], PROBLEMS["softplus"]
    x = np.linspace(-10, 10, 400).astype(np.float32)[None, :]
    computed = kernel_named("softplus", "shifted")(x)
    errors = measure(computed, evaluate(problem, fmt, x), problem.nonnegative)
    relative, absolute, own = errors.relative(0), errors.absolute(0), 0.0
    with mp.workprec(200):
        for i, at in enumerate(x[0]):
            value = mp.log1p(mp.exp(mp.mpf(float(at))))
            off = abs(mp.mpf(float(computed[0, i])) - value)
            r = off / value
            assert abs(relative[i] - r) <= (1 + r) * mp.mpf(2) ** -48
            assert abs(absolute[i] - off) <= value * mp.mpf(2) ** -48
            own = max(own, float(abs(relative[i] / r - 1)))
    assert own > 2.0**-40  # as shares of themselves they are off by far more than 2^-48
