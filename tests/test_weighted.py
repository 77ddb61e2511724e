"""Weighted losses: their names, their exact forms against plain ones and Arb, their bounds, kernels and checks."""

import runpy
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp

from harness import UsageError
from harness.checking.engine import check
from harness.cli.main import main
from harness.kernels import kernel_named, kernels_of
from harness.numbers.formats import FORMATS
from harness.problems import (
    PROBLEMS,
    WEIGHTED,
    Weights,
    antiderivative_of,
    focal_hessian,
    gradient_of,
    problem_named,
    weights_of,
)
from harness.problems.problem import hessian_of
from harness.sweep.grid import Grid
from harness.sweep.streaming import audit_sample
from harness.truth.arb import WEIGHTED_FORMS, OracleDisagreement, cited
from harness.truth.certified import enclose, round_to, truth
from harness.truth.fast import AuditFailure, audit, bound, bound_bits, evaluate

COUNTING = runpy.run_path(str(Path(__file__).parent / "test_fast_bound.py"))
NAMES = (
    "bce@pos=3", "bce_grad@alpha=0.1+smoothing=0.1", "bce_logits@pos=3", "bce_logits@alpha=0.3+smoothing=0.25",
    "bce_logits_grad@pos=0.1+weight=7", "focal@gamma=1.3", "focal_grad@weight=0.5+gamma=3", "focal_bce_logits",
    "focal_bce_logits@alpha=0.25+gamma=0.7+smoothing=0.1", "focal_bce_logits_grad@gamma=1.5",
    "focal_bce", "focal_bce@alpha=0.25+gamma=1.3+smoothing=0.1", "focal_bce_grad@gamma=3", "focal_bce_grad@gamma=0.5+alpha=0.1",
    "bce_logits_hess@pos=3", "bce_logits_hess@alpha=0.25+smoothing=0.1", "focal_bce_logits_hess",
    "focal_bce_logits_hess@alpha=0.25+gamma=0.7+smoothing=0.1", "focal_hess@gamma=3",
)  # fmt: skip
LABELS = (0.0, 1.0, 0.5, 0.75, 2.0**-20)


def points(problem, fmt, every):
    """Inputs spread over the range, with targets."""
    grid = Grid("quick", problem, fmt)
    x = audit_sample(grid, grid.cells)[::every]
    for v in x[np.isfinite(x.astype(float))]:
        for y in LABELS if problem.has_target else (None,):
            yield tuple(mp.mpf(float(a)) for a in (v, y) if a is not None)


class TestNames:
    def test_a_name_carries_its_weights_in_one_spelling(self):
        one = problem_named("bce_logits", Weights(pos=3.0))
        assert one.name == "bce_logits@pos=3" and one.base == "bce_logits"
        assert one is problem_named("bce_logits@pos=3") is problem_named("bce_logits", weights_of("pos=3.0"))
        assert one is problem_named("bce_logits", Weights(pos="0x1.8p+1", weight=1, smoothing=0))
        both = problem_named("bce_logits@smoothing=0.1+pos=3")
        assert both.name == "bce_logits@pos=3+smoothing=0.1"
        assert not set(both.name) & set(" []{}(),;'\"$&|*?!~#%:/\\<>")

    def test_weights_that_change_nothing_are_none(self):
        assert problem_named("bce", Weights(pos=1, weight=1, smoothing=0)) is PROBLEMS["bce"]
        assert problem_named("focal@gamma=2") is PROBLEMS["focal"]
        assert problem_named("focal_bce_logits@gamma=2").name == "focal_bce_logits"

    def test_a_gradient_has_the_weights_of_its_loss(self):
        for name in ("bce_logits@pos=3", "focal_bce_logits", "focal@gamma=1.5"):
            loss = problem_named(name)
            assert antiderivative_of(gradient_of(loss)) is loss
        assert hessian_of(problem_named("bce_logits@pos=3")).name == "bce_logits_hess@pos=3"
        assert hessian_of(problem_named("focal_bce_logits@gamma=3")).name == "focal_bce_logits_hess@gamma=3"
        assert hessian_of(problem_named("focal")).name == "focal_hess"
        assert hessian_of(problem_named("focal_bce")) is None
        assert gradient_of(problem_named("bce_logits_grad@pos=3")).name == "bce_logits_hess@pos=3"

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("bce_logits@pos=0", r"pos=0 is outside \[0.001, 1000\]"), ("bce_logits@pos=x", "pos=x is not a number"),
            ("bce_logits@gamma=2", "bce_logits has no gamma; its weights: pos, weight, alpha, smoothing"),
            ("focal@alpha=0.2", "focal has no alpha"), ("sigmoid@pos=2", "sigmoid takes no weights"),
            ("bce@size=2", "'size=2' is no weight"), ("bce@pos=2+pos=3", "pos is given twice"),
            ("nothing@pos=2", "unknown problem 'nothing'"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_used_is_said(self, name, said):
        with pytest.raises(UsageError, match=said):
            problem_named(name)


class TestExact:
    """By second forms: Arb's, and the plain problems that a weighted one is made of."""

    @pytest.mark.parametrize("name", NAMES)
    def test_arb_confirms_it_and_the_fast_form_keeps_its_bound(self, name):
        problem, fmt = problem_named(name), FORMATS["float32"]
        found = [p for p in points(problem, fmt, 9) if not _pole(problem, p)]
        for point in found:
            cited(problem, point)
        assert len(found) >= 10
        x = np.array([float(p[0]) for p in found]).astype(fmt.dtype)
        y = np.array(LABELS).astype(fmt.dtype) if problem.has_target else None
        with np.errstate(all="ignore"):
            for f in ("float32", "float64"):
                given = FORMATS[f].dtype
                at = audit(problem, FORMATS[f], np.unique(x)[::3].astype(given), None if y is None else y.astype(given))
                assert at <= np.log2(bound(FORMATS[f], problem))

    def test_every_family_has_a_form_of_arb(self):
        assert list(WEIGHTED_FORMS) == list(WEIGHTED)

    @pytest.mark.parametrize("name", ["bce_logits@pos=3", "focal_bce_logits@gamma=1.5"])
    def test_a_planted_fault_is_caught(self, name):
        problem = problem_named(name)

        def wrong(*point):
            whole, rest = problem.terms(*point)
            return whole, [*rest, mp.mpf(2) ** -60]

        with pytest.raises(OracleDisagreement, match="by mpmath, but Arb proves"):
            cited(replace(problem, terms=wrong), (mp.mpf(0.75), mp.mpf(0.25)))
        faulty = replace(problem, fast=lambda x, y: problem.fast(x, y) * (1 + 2.0**-30))
        with np.errstate(all="ignore"), pytest.raises(AuditFailure):
            audit(faulty, FORMATS["float32"], np.array([0.75], np.float32), np.array([0.25], np.float32))

    def test_it_is_the_sum_of_weighted_plain_losses(self):
        """pos w l sp(-x) + w (1-l) sp(x), by the plain problem at both hard labels."""
        plain, weighted = PROBLEMS["bce_logits"], problem_named("bce_logits@pos=3+weight=0.7+smoothing=0.1")
        for x in (-40.5, -0.25, 0.0, 3.0, 700.0):
            for y in (0.0, 0.25, 1.0):
                with mp.workprec(300):
                    one, zero = (truth(plain, (mp.mpf(x), mp.mpf(t)), 250) for t in (1, 0))
                    label = mp.mpf(y) * 9 / 10 + mp.mpf(1) / 20
                    expected = (3 * label * one + (1 - label) * zero) * 7 / 10
                    assert abs(truth(weighted, (mp.mpf(x), mp.mpf(y)), 200) - expected) <= mp.ldexp(expected, -190)

    def test_the_focal_losses_agree(self):
        """True class, label form and the plain problem; and gamma = 0 is the cross-entropy."""
        at = (mp.mpf(-1.5), mp.mpf(7.25), mp.mpf(120))
        for x in at:
            known = truth(PROBLEMS["focal"], (x,))
            assert abs(truth(problem_named("focal_bce_logits"), (x, mp.mpf(1))) - known) <= mp.ldexp(known, -155)
            assert abs(truth(problem_named("focal_bce_logits"), (-x, mp.mpf(0))) - known) <= mp.ldexp(known, -155)
            plain = truth(PROBLEMS["bce_logits"], (x, mp.mpf(0.25)))
            assert abs(truth(problem_named("focal_bce_logits@gamma=0"), (x, mp.mpf(0.25))) - plain) <= mp.ldexp(
                plain, -155
            )
        half = truth(PROBLEMS["focal_g0.5"], at[:1])
        assert abs(truth(problem_named("focal@gamma=0.5"), at[:1]) - half) <= mp.ldexp(half, -155)

    @pytest.mark.parametrize(
        "name",
        [
            "bce_logits@pos=3", "focal_bce_logits@alpha=0.25+gamma=1.5", "bce@smoothing=0.1", "bce_logits_grad@pos=3",
            "focal_bce@alpha=0.25+gamma=1.5", "focal_bce@smoothing=0.1",
        ],
    )  # fmt: skip
    def test_gradients_are_slopes(self, name):
        loss = problem_named(name)
        slope = gradient_of(loss)
        with mp.workprec(400):
            for x, y in ((0.25, 0.0), (0.25, 1.0), (0.625, 0.25)):
                h = mp.ldexp(1, -60)
                near = [truth(loss, (mp.mpf(x) + s * h, mp.mpf(y)), 300) for s in (1, -1)]
                exact = truth(slope, (mp.mpf(x), mp.mpf(y)))
                assert abs((near[0] - near[1]) / (2 * h) - exact) <= abs(exact) * mp.ldexp(1, -100)

    @pytest.mark.parametrize(
        "name", ["focal_bce_logits", "focal_bce_logits@alpha=0.25+gamma=1.5+smoothing=0.1", "focal"]
    )
    def test_hessians_are_slopes_of_gradients(self, name):
        loss = problem_named(name)
        slope, second = gradient_of(loss), hessian_of(loss)
        with mp.workprec(400):
            h = mp.ldexp(1, -60)
            for x, y in ((0.25, 0.0), (-2.5, 1.0), (0.625, 0.25), (-40.0, 0.5)):
                at = (mp.mpf(y),) if loss.has_target else ()
                near = [truth(slope, (mp.mpf(x) + s * h, *at), 300) for s in (1, -1)]
                exact = truth(second, (mp.mpf(x), *at))
                assert abs((near[0] - near[1]) / (2 * h) - exact) <= abs(exact) * mp.ldexp(1, -100)

    def test_a_hessian_without_gamma_is_that_of_the_cross_entropy(self):
        second = problem_named("focal_bce_logits_hess@gamma=0")
        for x in (-30.5, -0.25, 0.0, 3.0):
            known = truth(PROBLEMS["sigmoid_grad"], (mp.mpf(x),))
            assert abs(truth(second, (mp.mpf(x), mp.mpf(0.75))) - known) <= mp.ldexp(known, -155)
        assert second.rational(Fraction(0), Fraction(3, 4)) == Fraction(1, 4)
        assert problem_named("focal_bce_logits_hess@gamma=1").rational(Fraction(0), Fraction(0)) == Fraction(3, 8)

    def test_next_to_its_zero_a_hessian_is_summed_again(self):
        """Of 53 bits no more than 13 are left there; without the second sum the audit fails."""
        problem, fmt = problem_named("focal_bce_logits_hess"), FORMATS["float32"]
        with mp.workprec(200):
            zero = mp.findroot(lambda v: truth(problem, (v, mp.mpf(0))), (2, 3), solver="anderson")
        x, y = np.array([float(zero)]).astype(fmt.dtype), np.array([0.0], fmt.dtype)
        with np.errstate(all="ignore"):
            assert audit(problem, fmt, x, y) <= np.log2(bound(fmt, problem))
            with pytest.MonkeyPatch.context() as patched, pytest.raises(AuditFailure):
                patched.setattr(focal_hessian, "_summed_again", lambda weights, x, y: _once(weights, x, y))
                audit(problem, fmt, x, y)

    def test_of_a_probability_it_is_the_loss_of_its_logit(self):
        for text in ("gamma=1.5", "alpha=0.25+gamma=3+smoothing=0.1"):
            of_p, of_x = problem_named(f"focal_bce@{text}"), problem_named(f"focal_bce_logits@{text}")
            for p in (0.75, 0.125, 2.0**-60):
                with mp.workprec(600):
                    x = mp.log(mp.mpf(p)) - mp.log1p(-mp.mpf(p))
                for y in (0, 1, 0.5):
                    one, other = truth(of_p, (mp.mpf(p), mp.mpf(y))), truth(of_x, (x, mp.mpf(y)))
                    assert abs(one / other - 1) < mp.ldexp(1, -145)

    def test_ends_of_a_focal_loss_of_a_probability(self):
        loss, slope = problem_named("focal_bce"), problem_named("focal_bce_grad")
        assert [_limit(loss, mp.mpf(p), y) for p, y in ((0, 0), (0, 1), (1, 1), (1, 0.5))] == [0, mp.inf, 0, mp.inf]
        ends = [_limit(slope, mp.mpf(p), y) for p, y in ((0, 0), (0, 1), (1, 1), (1, 0.5), (0, 0.5))]
        assert ends == [0, -mp.inf, 0, mp.inf, -mp.inf]
        with np.errstate(all="ignore"):
            found = slope.fast(np.array([[0.0, 1.0]]), np.array([[0.0], [1.0], [0.5]]))
        assert found.tolist() == [[0, np.inf], [-np.inf, 0], [-np.inf, np.inf]]

    def test_symmetry(self):
        """Both labels swap with the sign of the logit where no class is weighed more."""
        for name in ("bce_logits@smoothing=0.1+weight=3", "focal_bce_logits@gamma=1.5"):
            loss = problem_named(name)
            for x in (0.5, 17.0):
                assert truth(loss, (mp.mpf(x), mp.mpf(1))) == truth(loss, (mp.mpf(-x), mp.mpf(0)))

    def test_limits_at_infinite_logits(self):
        """As the plain losses have them: 0 or infinity of a loss, A and B of its gradient."""
        for name in ("bce_logits@pos=3", "bce_logits@weight=0.1", "focal_bce_logits@gamma=1.5"):
            loss = problem_named(name)
            found = [_limit(loss, x, y) for x in (-mp.inf, mp.inf) for y in (0, 1, 0.5)]
            assert found == [0, mp.inf, mp.inf, mp.inf, 0, mp.inf]
        slope = gradient_of(problem_named("bce_logits@pos=3"))
        assert [_limit(slope, x, y) for x in (-mp.inf, mp.inf) for y in (0, 1)] == [0, -3, 1, 0]
        focal = gradient_of(problem_named("focal_bce_logits@gamma=1.5"))
        assert [_limit(focal, x, y) for x in (-mp.inf, mp.inf) for y in (0, 1)] == [0, -1, 1, 0]

    def test_values_next_to_a_line_are_rounded_as_mpmath_does(self):
        """3 |x| is half-way between two numbers for every fourth x; what is beside it decides, however small."""
        fmt, rng = FORMATS["float32"], np.random.default_rng(4)
        x = -np.exp2(rng.uniform(2, 100, 60)).astype(fmt.dtype)
        for name in ("bce_logits@pos=3", "focal_bce_logits@alpha=0.25+gamma=3", "focal_bce_logits_grad"):
            problem = problem_named(name)
            with np.errstate(all="ignore"):
                found = evaluate(problem, fmt, x[None], np.array([[1.0]], fmt.dtype))
            for value, at in zip(found.rounded_working[0], x):
                assert value == round_to(problem, fmt, (mp.mpf(float(at)), mp.mpf(1))), at

    def test_a_rest_on_the_wrong_side_would_be_seen(self):
        """Negative control of the last."""
        problem, fmt = problem_named("bce_logits@pos=3"), FORMATS["float32"]
        x, y = np.array([[-4194305.0, -8388611.0]], fmt.dtype), np.array([[1.0]], fmt.dtype)  # 3 |x| is a midpoint
        parts = problem.exact_parts
        turned = replace(problem, exact_parts=lambda *given: (*parts(*given)[:2], -parts(*given)[2], parts(*given)[3]))
        with np.errstate(all="ignore"):
            right, wrong = (evaluate(p, fmt, x, y).rounded for p in (problem, turned))
        assert (right > wrong).any()


def _once(weights, x, y):
    return focal_hessian._rest(weights, x[None], *focal_hessian.labels_of(weights, y[None])[:2])[2][0]


def _limit(problem, x, y):
    return enclose(problem, (x, mp.mpf(y)), 128).value


def _pole(problem, point):
    return problem.input == "probability" and not 0 < point[0] < 1


class TestBounds:
    @pytest.mark.parametrize(
        "name", ["bce@pos=3+smoothing=0.1", "bce_logits@pos=3+alpha=0.1", "bce_logits_grad@pos=0.1+smoothing=0.1"]
    )
    def test_the_sums_of_weighted_forms(self, name):
        problem, fmt = problem_named(name), FORMATS["float32"]
        sums = [COUNTING["most"](problem, fmt, 2 * ulp)[0] for ulp in (1, 2)]
        assert sums[1] + 4 <= 32 and sums[0] + 4 <= 64

    @pytest.mark.parametrize("name", ["focal@gamma=1.3", "focal_bce_logits@gamma=100+smoothing=0.1"])
    def test_focal_forms_keep_their_weaker_bound(self, name):
        problem = problem_named(name)
        sums = [COUNTING["most"](problem, FORMATS["float32"], 2 * ulp)[0] for ulp in (1, 2)]
        assert 32 < max(sums) + 4 * 12 < 2 ** (53 - bound_bits(np.dtype(np.float64), problem))


class TestChecks:
    def test_kernels_take_the_weights(self):
        x, y = np.array([[-5.0, 0.5, 9.0]]), np.array([[0.0], [1.0], [0.25]])
        for name in ("bce_logits@pos=3+smoothing=0.1", "focal_bce_logits@alpha=0.25+gamma=1.5", "bce@pos=3"):
            problem = problem_named(name)
            given = (1 / (1 + np.exp(-x)), y) if problem.input == "probability" else (x, y)
            exact = problem.fast(*given)
            for kernel in kernels_of(name):
                assert kernel.problem == name and kernel is kernel_named(name, kernel.name)
                tolerance = 1e-3 if "clip" in kernel.name else 1e-10
                np.testing.assert_allclose(kernel(*given), exact, rtol=tolerance, err_msg=kernel.name)
            slope = gradient_of(problem)
            for kernel in kernels_of(slope.name):
                if "clip" not in kernel.name:
                    np.testing.assert_allclose(kernel(*given), slope.fast(*given), rtol=1e-9, err_msg=kernel.name)

    def test_a_weighted_loss_is_held_to_its_own_problem(self):
        def loss(x, y):
            t = np.log1p(np.exp(-abs(x)))
            return x.dtype.type(3) * y * (np.maximum(-x, 0) + t) + (1 - y) * (np.maximum(x, 0) + t)

        asked = {"targets": [0], "grid": "quick"}
        report = check(loss, "bce_logits", "bfloat16", weights={"pos": 3}, **asked)
        assert report.passed and report.rows[0]["problem"] == "bce_logits@pos=3"
        plain = check(loss, "bce_logits", "bfloat16", targets=[1], grid="quick")
        assert not plain.passed  # three times the plain loss

    def test_an_objective_with_weights_is_checked_by_both_parts(self):
        def objective(preds, dtrain):
            y, p = dtrain.get_label(), 1 / (1 + np.exp(-preds))
            scale = np.where(y == 1, np.float32(3), np.float32(1))
            return scale * (p - y), scale * p * (1 - p)

        report = check(objective, "bce_logits@pos=3", "float32", targets=[0, 1], grid="quick")
        assert [r["problem"].split("@")[0] for r in report.rows] == ["bce_logits_grad"] * 2 + ["bce_logits_hess"] * 2
        assert not report.passed and "another function" not in report.text()
        plain = check(objective, "bce_logits", "float32", targets=[0, 1], grid="quick")
        assert "3 times the problem at y = 1" in plain.text()

    def test_a_focal_objective_is_checked_by_both_parts(self):
        def objective(preds, dtrain, wrong=1):
            x, y, one = preds, dtrain.get_label(), preds.dtype.type(1)
            p, q = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))
            m, loss = np.where(y == 1, q, p), np.where(y == 1, np.logaddexp(0, -x), np.logaddexp(0, x)).astype(x.dtype)
            sign, turn = 1 - 2 * y, np.where(y == 1, p, q)
            first = sign * (2 * turn * loss + m)
            second = 2 * sign * turn * ((sign * turn - (p - q)) * loss + 2 * sign * m) + p * q
            return m * m * first, m * m * second * one * wrong

        asked = {"targets": [0, 1], "grid": "quick", "max_ulp": 2.0**11}
        rows = check(objective, "focal_bce_logits", "bfloat16", **asked).rows
        assert [r["problem"] for r in rows] == ["focal_bce_logits_grad"] * 2 + ["focal_bce_logits_hess"] * 2
        assert all(r["cause"] != "another function" for r in rows)
        half = check(
            lambda preds, dtrain: objective(preds, dtrain, preds.dtype.type(0.5)),
            "focal_bce_logits",
            "bfloat16",
            **asked,
        )
        assert "0.5 times the problem everywhere" in str(half.rows[-1]["reason"])  # a wrong Hessian is told

    def test_a_focal_loss_of_a_probability_is_told_and_checked(self):
        def loss(p, y):
            wrong = y * (1 - p) + (1 - y) * p
            with np.errstate(all="ignore"):
                entropy = -np.where(y == 1, np.log(p), np.log1p(-p))
            return np.where(y == 1, x25(p), 3 * x25(p)) * wrong * wrong * entropy

        def x25(p):
            return np.full_like(p, 0.25)

        asked = {"targets": [0, 1], "grid": "quick"}
        found = check(loss, "bce", "float32", **asked).rows[0]["reason"]
        assert "check it with --problem focal_bce --weights gamma=2,alpha=0.25" in found
        assert check(loss, "focal_bce", "float32", weights="gamma=2,alpha=0.25", max_ulp=8, **asked).passed

    def test_a_cure_is_named(self):
        report = check("sigmoid_naive", "bce_logits@pos=3", "bfloat16", targets=[0])
        assert report.rows[0]["remedy"] in ("softplus_pair", "softplus_halves")

    def test_reference_takes_the_same_weights(self, capsys):
        for arguments in (["bce_logits", "--weights", "pos=3"], ["bce_logits@pos=3"]):
            assert main(["reference", *arguments, "--logit", "0.1", "--target", "0.3", "--digits", "20"]) == 0
            with mp.workprec(200):
                x, y = mp.mpf(1) / 10, mp.mpf(3) / 10
                exact = 3 * y * mp.log1p(mp.exp(-x)) + (1 - y) * mp.log1p(mp.exp(x))
                assert abs(mp.mpf(capsys.readouterr().out) - exact) < mp.mpf(10) ** -18
        assert main(["reference", "bce_logits@pos=3", "--weights", "pos=3", "--logit", "1", "--target", "0"]) == 2
        assert "carries its weights already" in capsys.readouterr().err


class TestNewFunctions:
    """sigmoid_grad, and log1mexp in both signs with its derivatives: identities that need no truth."""

    def test_identities(self):
        named = PROBLEMS.__getitem__
        with mp.workprec(300):
            for x in (-40.5, -0.25, 0.0, 3.0):
                s, other = (truth(named("sigmoid"), (mp.mpf(v),), 250) for v in (x, -x))
                assert abs(truth(named("sigmoid_grad"), (mp.mpf(x),)) - s * other) <= mp.ldexp(s * other, -150)
            for a in (1e-6, 0.3, 0.7, 5.0, 800.0):
                a = mp.mpf(a)
                assert truth(named("log1mexp_neg"), (-a,)) == truth(named("log1mexp"), (a,))
                slope = truth(named("log1mexp_grad"), (a,))
                assert abs(slope * mp.expm1(a) - 1) <= mp.ldexp(1, -150)
                assert truth(named("log1mexp_neg_grad"), (-a,)) == -slope

    def test_gradients_are_declared(self):
        assert gradient_of(PROBLEMS["sigmoid"]) is PROBLEMS["sigmoid_grad"]
        assert gradient_of(PROBLEMS["log1mexp_neg"]) is PROBLEMS["log1mexp_neg_grad"]


def test_coefficients_of_labels():
    weights = Weights(pos=3, alpha="0.25", smoothing="0.1", weight=2)
    label = Fraction(1, 4) * Fraction(9, 10) + Fraction(1, 20)
    scale = 2 * (Fraction(1, 4) * label + Fraction(3, 4) * (1 - label))
    assert weights.of_classes(Fraction(1, 4)) == (scale * 3 * label, scale * (1 - label))
