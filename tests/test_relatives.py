"""The relatives of the cross-entropy: exact forms against Arb and identities, kernels, Maechler's cutoff."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from flint import arb, ctx, fmpq
from mpmath import mp

from harness.kernels import kernel_named, kernels_of
from harness.kernels.registry import Kernel, like
from harness.numbers.formats import FORMATS, to_fraction
from harness.problems import PROBLEMS
from harness.studies import study
from harness.studies.relatives import cutoff as maechler
from harness.studies.relatives import figures
from harness.studies.relatives.gradient import gradient_rows
from harness.studies.relatives.measure import RELATIVES, run
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.tables.strongest import Known
from harness.tables.text import as_cell, short
from harness.tables.writer import read
from harness.truth.certified import truth
from harness.truth.errors import measure
from harness.truth.fast import AuditFailure, audit, evaluate

EXPERIMENT = yaml.safe_load((Path(__file__).parent.parent / "experiments" / "relatives.yaml").read_text("utf-8"))
PARAMETERS = EXPERIMENT["parameters"]
FLOAT32 = FORMATS["float32"]
FOCAL = {"focal": 2, "focal_g0.5": 0.5}  # problem: gamma


@pytest.fixture(scope="module")
def bfloat16():
    """The tables of one format."""
    return run(PARAMETERS, "bfloat16")


def exact(v):
    """Return a float as an exact ball."""
    f = to_fraction(float(v))
    return arb(fmpq(f.numerator, f.denominator))


def agree(value, ball):
    """Tell whether an mpf lies within 2^-100 of itself of a ball's values."""
    sign, mantissa, exponent, _ = value._mpf_
    mid = arb(-int(mantissa) if sign else int(mantissa)) * arb(2) ** int(exponent)
    return bool(abs(ball - mid) <= abs(mid) * arb(2) ** -100)


# -- exact forms: a second form of each, by Arb ---------------------------------------------------


def softplus(x):
    return (1 + x.exp()).log()


def power(q, gamma):
    return q**2 if gamma == 2 else q.sqrt()


def focal(gamma):
    return lambda x: power(1 / (1 + x.exp()), gamma) * softplus(-x)


def focal_grad(gamma):
    """The derivative by the product rule: (q^g)' s + q^g s', q' = -q (1-q), s' = -q."""

    def slope(x):
        q = 1 / (1 + x.exp())
        return -(gamma * power(q, gamma) * (1 - q) * softplus(-x)) - power(q, gamma) * q

    return slope


SECOND = {
    "log1mexp": lambda a: (2 * (a / 2).sinh()).log() - a / 2,
    "logit": lambda p: 2 * (2 * p - 1).atanh(),
    "binary_entropy": lambda p: arb(2).log() - p * (2 * p).log() - (1 - p) * (2 - 2 * p).log(),
    "bernoulli_kl": lambda p, y: sum((w * (w.log() - v.log()) for w, v in ((y, p), (1 - y, 1 - p)) if w != 0), arb(0)),
    **{name: focal(int(g) if g == 2 else arb(g)) for name, g in FOCAL.items()},
    **{PROBLEMS[name].gradient: focal_grad(int(g) if g == 2 else arb(g)) for name, g in FOCAL.items()},
}


def points(problem, fmt):
    """Return inputs spread over the part of the domain that Arb reaches, and the target's neighbours."""
    grid = Grid("quick", problem, fmt)
    x = np.unique(fmt.from_ordinal(grid.critical_ordinals[::5]).astype(float))
    x = x[(abs(x) < 1500) & (x != 0) & ~((x == 1) & (problem.input == "probability"))]
    if not problem.has_target:
        return [(v,) for v in x]
    found = [(v, y) for v in x[::3] for y in (0.0, 0.25, float(fmt.round("0.95")), 1.0)]
    near = [(float(v), y) for y in (0.25, 0.5) for v in fmt.step(np.array([y]).astype(fmt.dtype), 1)]
    return found + near


@pytest.mark.parametrize("fmt", ["bfloat16", "float64"])
@pytest.mark.parametrize("problem", RELATIVES, ids=lambda p: p.name)
class TestSecondForm:
    def test_truth(self, problem, fmt):
        ctx.prec = 7000
        checked = 0
        for point in points(problem, FORMATS[fmt]):
            found = truth(problem, tuple(mp.mpf(v) for v in point), 120)
            assert agree(found, SECOND[problem.name](*(exact(v) for v in point))), point
            checked += 1
        assert checked >= 15

    def test_a_planted_fault_is_caught(self, problem, fmt):
        def wrong(*point):
            whole, terms = problem.terms(*point)
            return whole, [*terms, terms[0] * mp.mpf(2) ** -60]

        ctx.prec = 2000
        point = (0.75, 0.25) if problem.has_target else (0.75,)
        found = truth(replace(problem, terms=wrong), tuple(mp.mpf(v) for v in point), 120)
        assert not agree(found, SECOND[problem.name](*(exact(v) for v in point)))


class TestIdentities:
    """No truth is needed for these."""

    def test_logit_undoes_the_sigmoid_and_log1mexp_itself(self):
        with mp.workprec(300):
            for x in (-40.5, -2.0, 0.25, 7.0):
                p = truth(PROBLEMS["sigmoid"], (mp.mpf(x),), 250)
                assert abs(truth(PROBLEMS["logit"], (p,)) - x) < mp.mpf(2) ** -180
            for a in (1e-6, 0.3, 0.7, 5.0):  # e^-a + e^-b = 1 is symmetric
                b = -truth(PROBLEMS["log1mexp"], (mp.mpf(a),), 250)
                assert abs(truth(PROBLEMS["log1mexp"], (b,)) + a) < mp.mpf(2) ** -140

    def test_divergence_is_cross_entropy_less_entropy(self):
        with mp.workprec(400):
            for p, y in ((0.3, 0.31), (1e-9, 0.95), (0.5, 0.25), (0.75, 1.0)):
                point = (mp.mpf(p), mp.mpf(y))
                parts = truth(PROBLEMS["bce"], point, 350) - truth(PROBLEMS["binary_entropy"], (mp.mpf(y),), 350)
                found = truth(PROBLEMS["bernoulli_kl"], point)
                assert abs(found - parts) <= abs(found) * mp.mpf(2) ** -140

    @pytest.mark.parametrize("name", FOCAL)
    def test_gradient_is_the_limit_of_differences(self, name):
        h = mp.mpf(2) ** -60
        with mp.workprec(400):
            for x in (-30.0, -1.5, 0.0, 0.5, 20.0):
                a, b = (truth(PROBLEMS[name], (mp.mpf(x) + s * h,), 350) for s in (1, -1))
                slope = truth(PROBLEMS[PROBLEMS[name].gradient], (mp.mpf(x),))
                assert abs((a - b) / (2 * h) - slope) <= abs(slope) * mp.mpf(2) ** -100

    def test_zeros_and_poles(self):
        assert truth(PROBLEMS["bernoulli_kl"], (mp.mpf("0.3"), mp.mpf("0.3"))) == 0
        assert truth(PROBLEMS["logit"], (mp.mpf(0.5),)) == 0 and truth(PROBLEMS["logit"], (mp.mpf(0),)) == -mp.inf
        assert truth(PROBLEMS["binary_entropy"], (mp.mpf(1),)) == 0
        assert truth(PROBLEMS["log1mexp"], (mp.mpf(0),)) == -mp.inf


@pytest.mark.parametrize("fmt", ["float32", "float64"])
def test_fast_divergence_is_within_its_bound_next_to_the_target(fmt):
    """The audit of a sweep seldom meets p = y (1 + tiny): here are nothing else."""
    f = FORMATS[fmt]
    for target in (2.0**-40, 0.05, 0.5, 0.95, f.next_down(1.0)):
        y = np.array([target]).astype(f.dtype)
        steps = [s * 2**k for k in range(0, f.precision - 1, 6) for s in (1, -1)]
        x = f.from_ordinal(f.ordinal(y) + np.array([s for s in steps if target < 0.9 or s < 0]))
        x = np.append(x, np.array([0.5, 1.99, 2.01]).astype(f.dtype) * y)
        with np.errstate(all="ignore"):
            audit(PROBLEMS["bernoulli_kl"], f, x[x < 1], y)


def test_a_divergence_by_plain_differences_fails_its_audit():
    """Negative control."""
    faulty = replace(
        PROBLEMS["bernoulli_kl"], fast=lambda p, y: y * np.log(y / p) + (1 - y) * np.log((1 - y) / (1 - p))
    )
    with pytest.raises(AuditFailure, match="bernoulli_kl"):
        audit(faulty, FLOAT32, np.array([0.25 + 2.0**-20], np.float32), np.array([0.25], np.float32))


# -- kernels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "kernel"),
    [("log1mexp", "maechler"), ("logit", "scipy"), ("binary_entropy", "xlog1py"), ("bernoulli_kl", "deviance"),
     ("focal", "branched"), ("focal_grad", "direct"), ("focal_g0.5_grad", "direct")],
)  # fmt: skip
def test_stable_forms_keep_their_digits_at_every_bfloat16(problem, kernel, bfloat16):
    rows = [r for r in bfloat16["relatives"] if (r["problem"], r["kernel"]) == (problem, kernel)]
    for row in rows:
        assert float(row["max_ulp"]) < 6 and row["exhaustive"]
        assert [row[c] for c in ("spurious_nan", "spurious_inf", "spurious_zero", "wrong_sign")] == [0] * 4


def test_kernels_are_one_function_where_nothing_cancels():
    """In float64 at easy points, all forms of a problem agree, clamps and eps included."""
    easy = {"log1mexp": [0.4, 0.9, 2.0], "logit": [0.2, 0.7], "binary_entropy": [0.2, 0.6], "bernoulli_kl": [0.1, 0.8]}
    for problem in RELATIVES:
        x = np.array([easy.get(problem.name, [-2.5, 0.75, 3.0])])
        inputs = (x, np.array([[0.3]])) if problem.has_target else (x,)
        exact_values = problem.fast(*inputs)
        for kernel in kernels_of(problem.name):
            np.testing.assert_allclose(
                kernel(*inputs), exact_values, rtol=1e-5, err_msg=f"{problem.name} {kernel.name}"
            )


def test_focal_gradients_are_not_a_number_once_p_rounds_to_1():
    """sqrt(1 - p) has an infinite slope at p = 1, and the cross-entropy is not 0 there: inf; 0 / 0 where it is."""
    x = np.array([16.0, 17.5, 30.0, 60.0], np.float32)
    with np.errstate(all="ignore"):
        naive = kernel_named("focal_g0.5_grad", "sigmoid_naive")(x)
        direct = kernel_named("focal_g0.5_grad", "direct")(x)
        square = kernel_named("focal_grad", "sigmoid_naive")(x)
    assert np.isfinite(naive).tolist() == [True, False, False, False]
    assert (direct < 0).all() and np.isfinite(square).all()


def test_the_last_finite_gradient_is_the_last():
    fmt = FORMATS["float16"]
    for row in gradient_rows(fmt):
        kernel = kernel_named(str(row["problem"]), str(row["kernel"]))
        for column, side in (("finite_from", -1), ("finite_to", 1)):
            if row[column]:
                last = fmt.ordinal(np.array([fmt.parse(str(row[column]))]))
                x = fmt.from_ordinal(last + side * np.array([0, 1]))
                with np.errstate(all="ignore"):
                    assert np.isfinite(kernel(x)).tolist() == [True, False], row
    at_0 = {(r["problem"], r["kernel"]): float(str(r["at_0_rel"])) for r in gradient_rows(fmt)}
    assert at_0["focal_grad", "direct"] < 1e-3 < at_0["focal_grad", "branched"]


# -- the cutoff --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen():
    """Both branches of log1mexp at every float16 around log 2."""
    fmt, problem = FORMATS["float16"], PROBLEMS["log1mexp"]
    return maechler.window(
        fmt, sweep(problem, kernels_of("log1mexp"), Grid("standard", problem, fmt), None).summaries, 64
    )


@pytest.mark.parametrize("value", [0.2, math.log(2), 1.5])
def test_the_largest_error_by_cutoff_is_that_of_the_two_branch_kernel(seen, value):
    fmt, problem = seen.fmt, PROBLEMS["log1mexp"]
    two = kernel_named("log1mexp", "maechler")
    kernel = Kernel("two", "log1mexp", two.function, "", "", "", {"cutoff": lambda _: value})
    grid = Grid("standard", problem, fmt)
    whole = sweep(problem, [kernel], grid, None).summaries["two"]
    low, high = seen.largest()
    at = seen.position(float(fmt.round(value)))
    assert max(low[at], high[at], seen.beyond[0]) == whole.max_ulp.max() and seen.exhaustive and seen.beyond_exhaustive


def test_log_2_is_among_the_best_cutoffs_in_16_bits(seen, bfloat16):
    row = maechler.cutoff_row(seen)
    assert float(row["best_from"]) < math.log(2) < float(row["best_to"])
    assert row["best_max_ulp"] == row["log2_max_ulp"]
    assert float(row["two_max_ulp"]) > 2 * float(row["log2_max_ulp"])
    assert bfloat16["relatives_cutoff"][0]["best_max_ulp"] == bfloat16["relatives_cutoff"][0]["log2_max_ulp"]


def test_positions_and_cutoffs_are_inverse(seen):
    a = seen.fmt.from_ordinal(seen.ordinals).astype(float)
    for value in (0.125, 0.3, math.log(2), 1.0, 3.9999):
        assert seen.position(value) == (a <= value).sum() and seen.cutoff(seen.position(value)) <= value


def test_float32_around_log_2_is_every_input():
    """The worst of the committed table is not on the grid that 4096 inputs of each cell make."""
    row = next(
        r for r in read(Path("results/tables/relatives_cutoff.csv")).to_dict("records") if r["format"] == "float32"
    )
    assert (row["points"], row["exhaustive"], row["log2_input"]) == (str(5 << 23), "true", "0x1.03cbf8p+0")
    figures = [float(row[c]) for c in ("log2_max_ulp", "best_max_ulp", "best_from", "best_to")]
    assert figures == pytest.approx([4.0712, 3.5557, 1.03958, 1.04227], rel=1e-5)
    at = FLOAT32.ordinal(np.array([float.fromhex(row["log2_input"])], np.float32))
    assert float(row["log2_max_ulp"]) == pytest.approx(maechler.errors_at("log1p", FLOAT32, at).ulp[0, 0], rel=1e-6)
    sampled = maechler.inputs_of(FLOAT32, FLOAT32.cell(at), 4096).ravel()
    assert at[0] not in sampled and maechler.errors_at("log1p", FLOAT32, sampled).ulp.max() < 4


def test_exchanged_branches_are_caught(seen):
    """Negative control: the forms the wrong way round are best nowhere near log 2."""
    row = maechler.cutoff_row(replace(seen, below=seen.above, above=seen.below))
    assert not float(row["best_from"]) < math.log(2) < float(row["best_to"])


def test_the_two_forms_cross_near_log_2():
    rows = maechler.maechler_rows(FLOAT32, 64)
    a, below, above = (np.array([float(r[c]) for r in rows]) for c in ("a", "expm1", "log1p"))
    assert (below[a < 0.25] < above[a < 0.25]).all() and (below[a > 2] > above[a > 2]).all()


# -- the study -----------------------------------------------------------------------------------------


def test_a_part_is_the_same_bytes_twice(bfloat16):
    assert json.dumps(bfloat16) == json.dumps(run(PARAMETERS, "bfloat16"))


def test_rows_of_a_table_have_the_same_columns(bfloat16):
    for name, rows in bfloat16.items():
        assert rows and len({tuple(r) for r in rows}) == 1, name
    assert set(bfloat16) == set(EXPERIMENT["tables"])
    assert set(figures.DRAW) == set(EXPERIMENT["figures"])


def test_curves_show_the_largest_error_of_the_sweep(bfloat16):
    rows = [r for r in bfloat16["relatives_curves"] if (r["problem"], r["kernel"]) == ("focal", "torchvision")]
    table = next(r for r in bfloat16["relatives"] if (r["problem"], r["kernel"]) == ("focal", "torchvision"))
    assert max(float(r["max_ulp"]) for r in rows if r["max_ulp"]) == pytest.approx(float(table["max_ulp"]), rel=1e-3)


def test_a_kernel_of_the_wrong_sign_is_seen():
    """Negative control for the new problems' outcomes."""
    problem, x = PROBLEMS["bernoulli_kl"], np.array([[0.25, 0.5]], np.float32)
    y = np.array([[0.3]], np.float32)
    found = measure(
        like(-1, x) * kernel_named("bernoulli_kl", "deviance")(x, y), evaluate(problem, FLOAT32, x, y), True
    )
    assert found.outcomes["wrong_sign"].all()


def test_the_answer_has_numbers_of_the_tables(bfloat16):
    """The rows of one format stand in for all four."""
    frames = {
        name: pd.concat(
            [pd.DataFrame(rows).assign(format=f).map(as_cell) for f in EXPERIMENT["parts"]],
            ignore_index=True,
        )
        for name, rows in bfloat16.items()
    }
    code = study.study_of(study.load(Path(__file__).parent.parent / "experiments" / "relatives.yaml"))
    answer = code.answered(frames, Known.with_tables(frames, Path("nowhere")))
    assert not re.search(r"\bnan\b", answer)
    worst = max(float(r["max_ulp"]) for r in bfloat16["relatives"] if r["kernel"] == "deviance")
    assert f"{short(worst)} ulp (divergence)" in answer
    for name, frame in frames.items():
        shown = code.shown(name, frame)
        assert len(shown) and not (shown == "nan").to_numpy().any()
