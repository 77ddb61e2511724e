"""The study of softmax: forms against plain loops, truth against Arb and mpmath, bounds and their breach, the tables."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import flint
import numpy as np
import pytest
from mpmath import mp

from harness.numbers.formats import FORMATS, format_named
from harness.studies.reductions.error_bounds import BoundBroken, check, unit
from harness.studies.softmax import error_bounds, forms, measure
from harness.studies.softmax.error_bounds import Logits, bound, library, sum_error
from harness.studies.softmax.forms import LOSS, LSE, WAYS, way_named, ways_of
from harness.studies.softmax.measure import study_row, study_rows
from harness.sweep.vectors import KINDS, kinds_of, vectors
from harness.truth.softmax import SoftmaxTruth, evaluation

NAMES = ("float16", "bfloat16", "float32", "float64")
PARAMETERS = {"seed": 5, "vectors": {"2": 4, "7": 4, "300": 2}}


def truth(fmt_name: str, kind: str, k: int, target: str = "top") -> tuple[Any, list[Any], list[Any]]:
    """Return vectors, their log-sum-exps and the losses of a class."""
    v = vectors(format_named(fmt_name), kind, k, 3, 11)
    exact = [SoftmaxTruth(x) for x in v.exact]
    return v, [e.lse() for e in exact], [e.loss(int(c)) for e, c in zip(exact, v.classes[target])]


# -- truth ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_truth_agrees_with_ball_arithmetic(kind: str) -> None:
    before, flint.ctx.prec = flint.ctx.prec, 4000
    try:
        v, lse, loss = truth("float64", kind, 40, "other")
        for x, c, a, b in zip(v.exact, v.classes["other"], lse, loss):
            total = sum((flint.arb(float(t)).exp() for t in x if np.isfinite(t)), flint.arb(0)).log()
            for found, ball in ((a, total), (b, total - flint.arb(float(x[c])))):
                number = flint.arb(flint.fmpz(int(found.man))) * flint.arb(2) ** int(found.exp)
                number = -number if found < 0 else number
                assert abs(number - ball) < abs(ball) * flint.arb(2) ** -155
    finally:
        flint.ctx.prec = before


def test_the_truth_keeps_its_digits_where_the_shift_cancels_or_the_loss_is_tiny() -> None:
    x = np.array([700.0, 0.0, -30.0])
    with mp.workprec(4000):
        expected = mp.log1p(mp.exp(-700) + mp.exp(-730))
        assert abs(SoftmaxTruth(x).loss(0) / expected - 1) < mp.ldexp(1, -158)
    near = np.array([math.log(0.25), math.log(0.75)])
    with mp.workprec(4000):
        expected = mp.log(mp.fsum(mp.exp(mp.mpf(float(t))) for t in near))
        assert abs(SoftmaxTruth(near).lse() / expected - 1) < mp.ldexp(1, -158)


@pytest.mark.parametrize("x", [[np.inf, 1.0], [np.nan, 1.0], [-np.inf, -np.inf], [1e300, 0.0]])
def test_the_truth_refuses_what_it_cannot_bound(x: list[float]) -> None:
    with pytest.raises(ValueError, match="finite or -inf"):
        SoftmaxTruth(np.array(x))


# -- forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_forms_are_their_formulas_in_scalars_of_the_format(name: str) -> None:
    v = vectors(format_named(name), "normal_5", 9, 6, 3)
    for x, c, i in zip(v.x, v.classes["other"], range(6)):
        m, top = max(x), int(np.argmax(x.astype(float)))
        e = [np.exp(t - m) for t in x]
        total, rest = e[0], None
        for t in e[1:]:
            total = total + t
        for j, t in enumerate(e):
            if j != top:
                rest = t if rest is None else rest + t
        with np.errstate(divide="ignore"):
            minus_log = -np.log(e[c] / total)
        expected = {
            (LSE, "shifted"): m + np.log(total),
            (LSE, "log1p"): m + np.log1p(rest),
            (LOSS, "softmax"): minus_log,
            (LOSS, "difference"): (m + np.log(total)) - x[c],
            (LOSS, "log_softmax"): np.log(total) - (x[c] - m),
            (LOSS, "log1p"): (m - x[c]) + np.log1p(rest),
        }
        for key, value in expected.items():
            found = way_named(*key)(v.x, v.classes["other"])[i]
            assert found.dtype == v.fmt.dtype and float(found) == float(value), key


@pytest.mark.parametrize("name", NAMES)
def test_two_classes_have_the_bits_of_the_sigmoid_cross_entropy(name: str) -> None:
    row = measure.pair_rows(format_named(name), {"seed": 1, "pairs": 8})[0]
    assert row["log1p"] == row["losses"] and row["difference"] != row["losses"]


def test_special_values_are_alike_in_every_format_and_the_limits_where_forms_are_finite() -> None:
    rows = [measure.special_rows(FORMATS[name]) for name in NAMES]
    for row in rows[2]:
        if row["limit_softmax_ce"] == "inf" and "masked" in str(row["case"]):
            assert row["softmax_ce_log1p"] == "inf"
    by_case = {r["case"]: r for r in rows[2]}
    assert by_case["all masked"]["logsumexp_naive"] == "-inf" and by_case["all masked"]["logsumexp_shifted"] == "nan"

    def outcomes(rows: list[dict[str, object]]) -> list[list[str]]:
        kinds = {"nan": "nan", "inf": "inf", "-inf": "-inf", "0": "0"}
        return [
            [kinds.get(str(v), "finite") for n, v in r.items() if n.startswith(("logsum", "softmax"))] for r in rows
        ]

    assert all(outcomes(r) == outcomes(rows[2]) for r in rows)


# -- bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_exp_is_exact_where_the_bounds_say_so(name: str) -> None:
    x = np.array([0.0, -0.0, -np.inf]).astype(format_named(name).dtype)
    assert np.exp(x).astype(float).tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("name", NAMES)
def test_bounds_agree_with_their_first_order(name: str) -> None:
    fmt = format_named(name)
    if fmt.bits == 16:
        return  # u is too large for a first order to say much
    v, lse, _ = truth(name, "normal_1", 7)
    y = np.array([float(t) for t in lse])
    u, off, x = unit(fmt), library(fmt), v.exact
    d = x - x.max(axis=1, keepdims=True)
    e = np.exp(d)
    total = e.sum(axis=1)
    first = (
        sum_error("sequential", 7, fmt)
        + ((np.abs(d) * e).sum(axis=1) / total + 2 * off["exp"] * (total - 1) / total) * u
        + (2 * off["log"] * np.log(total) + np.abs(y)) * u
    )
    found = bound(error_bounds.shifted, Logits(x, v.classes["top"], y, fmt, "sequential"), False)
    assert np.allclose(found, first, rtol=1e-4, atol=0)


def wrong_shift(x: np.ndarray, add: forms.Add) -> np.ndarray:
    """Return m + log(sum exp(x - m)) with the second largest logit's last bit of the shift lost."""
    return forms.shifted(x, add) * (1 + 8 * np.finfo(x.dtype).eps).astype(x.dtype)


def one_dropped(x: np.ndarray, add: forms.Add) -> np.ndarray:
    """Return the log-sum-exp of all classes but the last."""
    return forms.shifted(x[:, :-1], add)


@pytest.mark.parametrize("fault", [wrong_shift, one_dropped])
def test_a_planted_fault_exceeds_its_bound(fault: Any) -> None:
    v, lse, _ = truth("float32", "normal_1", 7)
    sound = way_named(LSE, "shifted")
    assert study_row(sound, v, "", v.classes["top"], lse)["below"] is True
    with pytest.raises(BoundBroken, match="logsumexp shifted in float32, 7 normal_1 logits"):
        study_row(replace(sound, form=fault), v, "", v.classes["top"], lse)


@pytest.mark.parametrize(("stated", "used"), [("pairwise", "sequential"), ("wide_sum", "sequential")])
def test_the_bound_of_another_order_does_not_cover_a_sum_that_stagnates(stated: str, used: str) -> None:
    v, lse, _ = truth("bfloat16", "equal", 3000)
    way = way_named(LSE, "shifted")

    def form(x: np.ndarray, add: forms.Add) -> np.ndarray:
        return forms.shifted(x, forms.ADD[used])

    with pytest.raises(BoundBroken):
        study_row(replace(way, form=form, order=stated), v, "", v.classes["top"], lse)


def test_a_result_that_is_not_finite_breaks_a_finite_bound() -> None:
    for value in (math.inf, math.nan):
        with pytest.raises(BoundBroken):
            check(value, 1.0, "a test")
    check(math.inf, math.inf, "a test")


# -- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float16", "float32"])
def test_rows_are_complete_below_their_bounds_and_the_same_again(name: str) -> None:
    fmt = format_named(name)
    rows = study_rows(fmt, PARAMETERS)
    assert json.dumps(rows) == json.dumps(study_rows(fmt, PARAMETERS))
    assert all(r["below"] in (True, "") for r in rows)
    kinds = sum(len(kinds_of(k)) for k in (2, 7, 300))
    assert len(rows) == kinds * (len(ways_of(LSE, name)) + 2 * len(ways_of(LOSS, name)))
    shifted = [r for r in rows if "naive" not in str(r["kernel"]) and r["kernel"] != "softmax"]
    assert all(r["bounded"] == r["points"] for r in shifted)
    kind, k, index = str(rows[-1]["max_ulp_input"]).split(":")
    v = vectors(fmt, kind, int(k), PARAMETERS["vectors"][k], PARAMETERS["seed"])  # type: ignore[index]
    value = WAYS[-1](v.x, v.classes["other"])[int(index)]
    assert fmt.hex(value) == rows[-1]["max_ulp_computed"]


def test_outcomes_are_told_apart() -> None:
    fmt, tiny = format_named("float32"), mp.mpf(2) ** -40
    for value, outcome in (
        (0.0, "spurious_zero"),
        (np.nan, "spurious_nan"),
        (np.inf, "spurious_inf"),
        (-1.0, "wrong_sign"),
    ):
        assert evaluation(fmt, np.float32(value), tiny).outcome == outcome
    assert evaluation(fmt, np.float32(0), mp.mpf(2) ** -160).outcome == "finite"
    with pytest.raises(ArithmeticError, match="tie"):
        evaluation(fmt, np.float32(1), 1 + mp.mpf(2) ** -24)


def test_confident_predictions_lose_all_digits_but_with_log1p() -> None:
    _, summary = measure.gap_rows(format_named("float32"))
    by_name = {r["kernel"]: r for r in summary}
    for name in ("difference", "log_softmax", "softmax", "gradient_minus_one"):
        assert 16 <= float(str(by_name[name]["zero_from"])) <= 18  # 9 exp(-gap) < 2^-24 from 18.8 on, 2^-23 from 18.1
    assert float(str(by_name["log1p"]["right_to"])) > 95 and float(str(by_name["gradient_of_others"]["right_to"])) > 95


def test_equal_logits_stagnate_where_the_running_sum_of_ones_does() -> None:
    for name in ("float16", "bfloat16"):
        fmt = format_named(name)
        row = measure.equal_rows(fmt, {"equal": [30000]})[0]
        assert float.fromhex(str(row["sequential"])) == float(fmt.round(mp.log(2**fmt.precision)))
        assert float.fromhex(str(row["wide"])) == float(fmt.round(mp.log(30000)))
