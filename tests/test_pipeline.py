"""Pipelines logit -> probability -> loss: each part of the error against mpmath, by formulas of the test's own."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from mpmath import mp

from harness.kernels import kernel_named
from harness.problems import PROBLEMS
from harness.studies.pipeline.measure import Range, run, saturation
from harness.studies.pipeline.pipelines import CORRECTLY_ROUNDED, LOSS, Pair, Pipeline, loss_at, quantisation
from harness.studies.pipeline.round_trip import EXACT, relative_errors, round_trip_rows
from harness.sweep.streaming import BUDGET
from harness.truth.fast import evaluate
from harness.workflow.targets import targets_in

EXPERIMENT = yaml.safe_load((Path(__file__).parent.parent / "experiments" / "pipeline.yaml").read_text("utf-8"))
PARTS, PARAMETERS = EXPERIMENT["parts"], EXPERIMENT["parameters"]
LOGITS = (-40.0, -9.0, -2.5, -0.125, 0.5, 3.0, 5.0, 7.5, 12.0)


@pytest.fixture(scope="module")
def mixed():
    """The tables of one mixed pair."""
    return run(PARAMETERS, "bfloat16-float32")


def distance(pair, x, y, p):
    """Return |L(p) - L(x)| in ulps of the loss's format, from textbook forms at 2000 bits; None at a pole."""
    with mp.workprec(2000):
        s = mp.mpf(x)
        at_logit = y * mp.log(1 + mp.exp(-s)) + (1 - y) * mp.log(1 + mp.exp(s))
        q = mp.mpf(p)
        if (q == 0 and y) or (q == 1 and y != 1):
            return None
        at_p = -(y * mp.log(q) if y else 0) - ((1 - y) * mp.log(1 - q) if y != 1 else 0)
        ulp = mp.mpf(2) ** (max(int(mp.floor(mp.log(at_logit, 2))), pair.loss.emin) + 1 - pair.loss.precision)
        return abs(at_p - at_logit) / ulp


def check_quantisation(pair, probabilities):
    x = np.array([LOGITS]).astype(pair.loss.dtype)
    y = targets_in(pair.loss, ("0", "1", "0.9"))[:, None]
    with np.errstate(all="ignore"):
        p = probabilities("branched", x)
        stored = pair.probabilities("branched", x)[0]
        found = quantisation(evaluate(PROBLEMS["bce_logits"], pair.loss, x, y), loss_at(pair.loss, p, y))
    for t in range(len(y)):
        for n, v in enumerate(LOGITS):
            expected = distance(pair, v, mp.mpf(float(y[t, 0])), float(stored[n]))
            if expected is None:
                assert found.outcomes["spurious_inf"][t, n]
            else:
                assert found.ulp[t, n] == pytest.approx(float(expected), rel=1e-6, abs=2.0**-20)


@pytest.mark.parametrize("part", PARTS)
def test_quantisation_against_textbook_forms(part):
    pair = Pair.named(part)
    check_quantisation(pair, pair.probabilities)


def test_a_probability_that_was_not_rounded_is_caught():
    """Negative control: the sigmoid computed and kept in the loss's format."""
    pair = Pair.named("float16-float32")
    with pytest.raises(AssertionError):
        check_quantisation(pair, Pair.named("float32-float32").probabilities)


@pytest.mark.parametrize("part", PARTS)
def test_a_pipeline_of_the_built_in_kernels_is_the_built_in_logit_kernel(part):
    pair = Pair.named(part)
    if pair.probability is not pair.loss:
        return
    x = pair.loss.from_ordinal(np.concatenate([b.ordinals for b in pair.blocks()])[::7])[None, :]
    y = targets_in(pair.loss, ("0", "1", "0.9"))[:, None]
    for name in ("naive", "clip_1e-7", "clamp_log_100"):
        with np.errstate(all="ignore"):
            chained = Pipeline(pair, "reciprocal", kernel_named("bce", name))(x, y)
            whole = kernel_named("bce_logits", f"sigmoid_{name}")(x, y)
        assert chained.tobytes() == whole.tobytes()


def test_parts_add_up_to_the_whole(mixed):
    checked = 0
    for row in mixed["pipeline"]:
        if row["quantisation_ulp"] not in ("", "inf"):
            parts = float(row["quantisation_ulp"]) + float(row["kernel_part_ulp"])
            assert abs(parts) == pytest.approx(float(row["max_ulp"]), rel=1e-8, abs=1e-6)
            checked += 1
    assert checked > 8


def test_ends_of_safe_ranges_are_good_and_what_lies_beyond_is_not(mixed):
    pair = Pair.named("bfloat16-float32")
    fmt, grid = pair.probability, pair.grid
    for row in mixed["pipeline"]:
        before, _, name = row["kernel"].partition("+")
        chained = before.startswith("sigmoid")
        kernel = kernel_named("bce" if chained else "bce_logits", name)
        way = Pipeline(pair, "branched" if chained else None, kernel)
        target = pair.loss.parse(row["target"])
        case = Range(PROBLEMS["bce_logits"], way.name, way, grid, target, way, False)
        if not row["safe_lo"]:
            assert case.bad(np.array([grid.centre - 1, grid.centre]), BUDGET).any()
            continue
        lo, hi = (int(fmt.ordinal(np.array([fmt.parse(row[c])]))[0]) for c in ("safe_lo", "safe_hi"))
        assert not case.bad(np.arange(lo, hi + 1), BUDGET).any()
        for beyond in (lo - 1, hi + 1):
            assert not grid.start <= beyond < grid.stop or case.bad(np.array([beyond]), BUDGET)[0]


@pytest.mark.parametrize("part", ["float16-float16", "bfloat16-bfloat16", "float32-float32", "float64-float64"])
def test_saturation_at_the_closed_form(part):
    """The sigmoid is 1 once 1 + e^-x rounds to 1, e^-x <= 2^-p; its rounded exact value, once e^-x <= 2^-(p+1)."""
    pair = Pair.named(part)
    p = pair.probability.precision
    for sigmoid, bits in (("branched", p), ("reciprocal", p), (CORRECTLY_ROUNDED, p + 1)):
        last = float.fromhex(saturation(Pipeline(pair, sigmoid, None))["not_1_to"])
        assert last == pytest.approx(bits * math.log(2), rel=4 * pair.probability.machine_epsilon)


def test_the_exact_round_trip_against_mpmath():
    for part in ("bfloat16-bfloat16", "float32-float64", "float64-float64"):
        pair = Pair.named(part)
        x = np.array([v for v in LOGITS if v < 6]).astype(pair.probability.dtype)
        found = relative_errors(pair, "branched", EXACT, pair.probability.ordinal(x))
        p = pair.probabilities("branched", x.astype(pair.loss.dtype)[None, :])[0]
        for error, v, q in zip(found, x, p):
            with mp.workprec(300):
                back = mp.log(mp.mpf(float(q)) / (1 - mp.mpf(float(q))))
                expected = abs(back - mp.mpf(float(v))) / abs(mp.mpf(float(v)))
            assert error == pytest.approx(float(expected), rel=1e-9, abs=2.0 ** (10 - 2 * pair.probability.precision))


def test_no_digit_is_left_beyond_the_last_logit_of_the_round_trip():
    pair = Pair.named("float16-float16")
    fmt = pair.probability
    for row in round_trip_rows(pair, "branched"):
        formula = str(row["formula"])
        for column, direction in (("largest_positive", 1), ("largest_negative", -1)):
            last = int(fmt.ordinal(np.array([fmt.parse(str(row[column]))]))[0])
            beyond = last + direction * np.arange(1, 200)
            assert relative_errors(pair, "branched", formula, np.array([last]))[0] < 1
            assert (relative_errors(pair, "branched", formula, beyond) >= 1).all()


def test_embedding_keeps_the_number():
    pair = Pair.named("bfloat16-float32")
    ordinals = np.arange(*pair.probability.finite_ordinals())
    there = pair.embed(ordinals)
    assert (pair.restrict(there) == ordinals).all()
    assert (pair.loss.from_ordinal(there) == pair.probability.from_ordinal(ordinals).astype(np.float32)).all()


def test_a_part_is_the_same_bytes_twice(mixed):
    assert json.dumps(mixed) == json.dumps(run(PARAMETERS, "bfloat16-float32"))


def test_the_kernels_own_error_is_that_of_a_probability_that_occurs(mixed):
    """Its worst probability is one of the sigmoid's values, and its error there is the row's."""
    pair = Pair.named("bfloat16-float32")
    row = next(r for r in mixed["pipeline"] if r["kernel"].endswith("+naive_log1p") and r["target"] == "0.9")
    p = pair.loss.parse(row["kernel_max_ulp_probability"])
    x = np.concatenate([pair.loss.from_ordinal(b.ordinals) for b in pair.blocks()])[None, :]
    assert (pair.probabilities("branched", x) == p).any()
    y = np.array([[pair.loss.parse("0.9")]])
    exact = evaluate(LOSS, pair.loss, np.array([[p]]), y)
    computed = kernel_named("bce", "naive_log1p")(np.array([[p]]), y)
    error = abs(float(computed[0, 0]) - float(exact.value[0, 0])) / float(exact.ulp[0, 0])
    assert error == pytest.approx(float(row["kernel_max_ulp"]), rel=1e-6)
