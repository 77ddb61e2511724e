"""Functions of K classes: their rows, exact values of integer, one-hot and soft labels, and what a check says."""

from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp

from harness import UsageError
from harness.checking.class_rows import logits_of, rows_of_target, stable, stable_gradient, stable_hessian
from harness.checking.classes import row_of
from harness.checking.engine import check
from harness.checking.other_classes import recognise_classes
from harness.cli.main import main
from harness.numbers.formats import FORMATS
from harness.problems.classes import CLASS_PROBLEMS
from harness.tables.rows import COLUMNS
from harness.truth.softmax import SoftmaxTruth

F32 = FORMATS["float32"]
OF_THREE = {"classes": 3, "grid": "quick", "max_ulp": 64}


def logsoftmax(x, c):
    a = x - x.max(axis=1, keepdims=True)
    return np.log(np.exp(a).sum(axis=1, dtype=x.dtype)) - np.take_along_axis(a, c[:, None], axis=1)[:, 0]


def lse(x):
    m = x.max(axis=1)
    return m + np.log(np.exp(x - m[:, None]).sum(axis=1, dtype=x.dtype))


class TestRows:
    def test_they_are_the_same_each_time_and_of_every_kind(self):
        one, two = logits_of(F32, 10, "standard"), logits_of(F32, 10, "standard")
        assert {"equal", "masked", "lead", "spread", "huge", "normal_20"} <= {*one}
        for kind, (x, chosen) in one.items():
            assert np.array_equal(x, two[kind][0]) and x.dtype == F32.dtype and x.shape[1] == 10
            top = x.astype(float).argmax(axis=1)
            assert (x[np.arange(len(x)), top] == x[np.arange(len(x)), chosen["top"]]).all()
            assert (chosen["other"] != chosen["top"]).all()
        assert len(np.unique(one["equal"][0][0])) == 1 and np.isneginf(one["masked"][0]).any()
        assert one["lead"][0].max() > 100 and np.ptp(one["spread"][0][-1]) > 500

    @pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
    def test_every_format_has_them(self, name):
        given = rows_of_target(FORMATS[name], 4, "quick", "soft", "soft", Fraction(0))
        assert all(mp.isfinite(given.exact(i)) for i in range(len(given.logits)))

    def test_a_row_is_written_in_hex(self):
        given = rows_of_target(F32, 3, "quick", "top", "integer", Fraction(0))
        text, _, label = given.hex(F32, 5).partition("; ")
        assert [float.fromhex(v) for v in text.split()] == given.logits[5].astype(float).tolist()
        assert int(label) == given.labels[5]


class TestTruth:
    def test_soft_labels_against_plain_mpmath(self):
        x, t = np.array([1.0, -2.5, -np.inf, 30.0]), [Fraction(1, 3), Fraction(1, 2), Fraction(0), Fraction(1, 6)]
        with mp.workprec(600):
            total = mp.log(mp.fsum(mp.exp(mp.mpf(v)) for v in x if np.isfinite(v)))
            parts = [mp.mpf(w.numerator) / w.denominator * (total - mp.mpf(v)) for w, v in zip(t, x) if w]
            exact = mp.fsum(parts)
            assert abs(SoftmaxTruth(x).soft_loss(t) - exact) <= mp.ldexp(exact, -155)
        assert SoftmaxTruth(x).soft_loss([Fraction(0), Fraction(0), Fraction(1), Fraction(0)]) == mp.inf

    def test_a_hard_label_is_the_class(self):
        x = np.array([0.5, 3.0, -700.0])
        for c in range(3):
            hot = [Fraction(int(i == c)) for i in range(3)]
            assert abs(SoftmaxTruth(x).soft_loss(hot) / SoftmaxTruth(x).loss(c) - 1) < mp.ldexp(1, -150)

    def test_two_classes_are_the_sigmoid_cross_entropy(self):
        from harness.problems import PROBLEMS
        from harness.truth.certified import truth

        exact = truth(PROBLEMS["bce_logits"], (mp.mpf(4.25), mp.mpf(0.25)))
        found = SoftmaxTruth(np.array([4.25, 0.0])).soft_loss([Fraction(1, 4), Fraction(3, 4)])
        assert abs(found / exact - 1) < mp.ldexp(1, -150)


class TestSlopes:
    def test_of_two_classes_they_are_the_sigmoid_and_its_loss_gradient(self):
        with mp.workprec(400):
            sigmoid = 1 / (1 + mp.exp(-mp.mpf(60.5)))
            share, other = SoftmaxTruth(np.array([60.5, 0.0])).gradient(None)
            right, _ = SoftmaxTruth(np.array([60.5, 0.0])).gradient([Fraction(1), Fraction(0)])
            soft, _ = SoftmaxTruth(np.array([60.5, 0.0])).gradient([Fraction(1, 4), Fraction(3, 4)])
            for found, exact in (
                (share, sigmoid), (other, 1 - sigmoid), (right, sigmoid - 1), (soft, sigmoid - mp.mpf(0.25)),
            ):  # fmt: skip
                assert abs(found / exact - 1) < mp.ldexp(1, -155)

    def test_what_is_rational_is_exact_and_a_masked_class_has_none(self):
        found = SoftmaxTruth(np.array([3.0, 3.0, -np.inf, 3.0, 3.0])).gradient([Fraction(1, 4)] * 4 + [Fraction(0)])
        assert found[0] == 0 and found[2] == mp.mpf(-0.25) and found[4] == mp.mpf(0.25)

    def test_it_is_the_difference_of_losses(self):
        x, t = np.array([1.0, -2.5, 0.75]), [Fraction(1, 8), Fraction(1, 2), Fraction(3, 8)]
        for i, slope in enumerate(SoftmaxTruth(x).gradient(t)):
            step = np.eye(3)[i] * 2.0**-20
            with mp.workprec(200):
                near = (SoftmaxTruth(x + step).soft_loss(t) - SoftmaxTruth(x - step).soft_loss(t)) * 2**19
            assert abs(slope - near) < 1e-12

    def test_a_hessian_is_the_second_difference_of_losses(self):
        x, t = np.array([1.0, -2.5, 0.75]), [Fraction(1, 8), Fraction(1, 2), Fraction(3, 8)]
        with mp.workprec(200):
            middle = SoftmaxTruth(x).soft_loss(t)
            for i, second in enumerate(SoftmaxTruth(x).hessian(t)):
                step = np.eye(3)[i] * 2.0**-20
                near = SoftmaxTruth(x + step).soft_loss(t) + SoftmaxTruth(x - step).soft_loss(t) - 2 * middle
                assert abs(second / (near * 2**40) - 1) < 1e-11
            exponential = mp.exp(mp.mpf(-60.5))
            for found in SoftmaxTruth(np.array([60.5, 0.0])).hessian(None):  # of which 1 - p would leave nothing
                assert abs(found * (1 + exponential) ** 2 / exponential - 1) < mp.ldexp(1, -155)
        masked = SoftmaxTruth(np.array([3.0, -np.inf, 3.0, 3.0, 3.0])).hessian(None)
        assert masked == [mp.mpf(3) / 16, 0, *[mp.mpf(3) / 16] * 3]

    def test_the_usual_gradient_fails_at_the_label_and_the_stable_one_does_not(self):
        def usual(x, c):
            e = np.exp(x - x.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True, dtype=x.dtype) - np.eye(x.shape[1], dtype=x.dtype)[c]

        asked = {"classes": 4, "grid": "quick", "max_ulp": 16}
        report = check(usual, "softmax_ce_grad", "float32", **asked)
        top = report.rows[0]
        assert not report.passed and "; class " in top["max_ulp_input"] and "; class " in report.text()
        assert top["points"] == 4 * len(logits_of(F32, 4, "quick")) * 4
        beside = check(stable, "softmax_ce", "float32", gradient_function=stable_gradient, **asked)
        assert [r["problem"] for r in beside.rows] == ["softmax_ce@classes=4"] * 2 + ["softmax_ce_grad@classes=4"] * 2
        # The difference x_i - m, rounded, is worth up to 50 ulp of its exponential.
        assert all(float(str(r["max_ulp"])) < 64 for r in beside.rows[2:])

    def test_a_softmax_by_itself_and_what_has_no_gradient(self):
        soft = lambda x: stable_gradient(x, None)  # noqa: E731
        assert check(soft, "softmax", "float64", classes=3, grid="quick", max_ulp=16).rows[0]["points"] % 3 == 0
        with pytest.raises(UsageError, match="softmax has no gradient declared"):
            check(soft, "softmax", "float64", classes=3, grid="quick", gradient=True)
        with pytest.raises(UsageError, match="NumPy has no autodiff"):
            check(stable, "softmax_ce", "float64", classes=3, grid="quick", gradient=True)

    def test_a_planted_error_is_measured(self):
        """Negative control: one derivative off by exactly eight ulps."""
        given = rows_of_target(F32, 3, "quick", "top", "integer", Fraction(0))
        right = np.array([[F32.round(v) for v in given.gradient(i)] for i in range(len(given.logits))])
        assert float(str(row_of("planted", "softmax_ce_grad", F32, "top", given, right, True)["max_ulp"])) <= 0.5
        right[7, 2] = F32.step(right[7:8, 2], 8)[0]
        row = row_of("planted", "softmax_ce_grad", F32, "top", given, right, True)
        assert 7.4 < float(str(row["max_ulp"])) < 8.6 and row["max_ulp_input"] == given.hex(F32, 7, 2)


class TestObjectives:
    """Functions of K classes that return gradient and Hessian, as boosting libraries want them."""

    def check(self, function, **more):
        report = check(function, "softmax_ce", "float32", **OF_THREE, **more)
        assert [r["problem"] for r in report.rows] == ["softmax_ce_grad@classes=3"] * 2 + [
            "softmax_ce_hess@classes=3"
        ] * 2
        return report

    def test_both_parts_are_checked_whole_or_flattened(self):
        def whole(y_true, y_pred):
            return stable_gradient(y_pred, y_true), stable_hessian(y_pred, y_true)

        def flat(predt, dtrain):
            return tuple(v.reshape(-1, 1) for v in whole(dtrain.get_label(), predt))

        report = self.check(whole)
        assert report.passed and "the exact derivative is -1" in report.text()
        assert [r["max_ulp"] for r in self.check(flat).rows] == [r["max_ulp"] for r in report.rows]

    def test_what_is_wrong_of_the_second_part_alone_is_told(self):
        """A Hessian that cancels, and the double one of XGBoost."""

        def cancels(predt, dtrain):
            p = stable_gradient(predt, None)
            return stable_gradient(predt, dtrain.get_label()), p * (1 - p)

        def doubled(predt, dtrain):
            return stable_gradient(predt, dtrain.get_label()), 2 * stable_hessian(predt, None)

        rows = self.check(cancels).rows
        assert all(float(r["max_ulp"]) < 64 for r in rows[:2]) and all(float(r["max_ulp"]) > 1e5 for r in rows[2:])
        assert all("(e_i / s) (r_i / s)" in r["reason"] for r in rows[2:])
        assert all("XGBoost takes 2 p (1 - p)" in r["reason"] for r in self.check(doubled).rows[2:])

    def test_a_softmax_taken_twice_is_named(self):
        def softmax(x):
            e = np.exp(x - x.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        def of_logits(x, labels):
            return -np.log(softmax(x))[np.arange(len(x)), labels]

        def told(f):
            found = check(f, "softmax_ce", "float32", classes=3, grid="quick")
            return " ".join(r["reason"] for r in found.rows)

        assert "a softmax taken twice" in told(lambda x, labels: of_logits(softmax(x), labels))
        assert "a missing logarithm" in told(lambda x, labels: -softmax(x)[np.arange(len(x)), labels])
        assert "taken twice" not in told(of_logits) and "missing" not in told(of_logits)

    def test_what_cannot_be_used_is_said(self):
        one = lambda predt, dtrain: (predt, predt[:, 0])  # noqa: E731
        with pytest.raises(
            UsageError, match=r"returned a hessian of shape \(2,\) for logits of shape \(2, 3\); an objective"
        ):
            check(one, "softmax_ce", "float32", **OF_THREE)
        both = lambda x: (stable_gradient(x, None), stable_hessian(x, None))  # noqa: E731
        assert "Its hessian is not checked" in check(both, "logsumexp", "float32", **OF_THREE).text()
        with pytest.raises(UsageError, match="can be checked: Its gradient is not checked: no problem is declared"):
            check(both, "softmax", "float32", **OF_THREE)


def of_hard(x, c, form):
    """A loss of logits in float64, from the losses of all classes and that of the label."""
    a = x.astype(np.float64) - x.astype(np.float64).max(axis=1, keepdims=True)
    losses = np.log(np.exp(a).sum(axis=1, keepdims=True)) - a
    return form(losses, np.take_along_axis(losses, c[:, None], axis=1)[:, 0]).astype(x.dtype)


def of_own(x, c):
    return np.take_along_axis(x, c[:, None], axis=1)[:, 0]


def of_logits(x, c):
    return of_hard(x, c, lambda every, own: own)


def shares(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def recognised(function, fmt):
    """Say which other function of five classes it is, computed in float64 and rounded; "" for none."""
    call = lambda x, c: np.asarray(function(x.astype(np.float64), c)).astype(x.dtype)  # noqa: E731
    found = recognise_classes(CLASS_PROBLEMS["softmax_ce"], FORMATS[fmt], 5, "integer", call)
    return "" if found is None else found.sentence


class TestOthers:
    @pytest.mark.parametrize(
        ("function", "said"),
        [
            (lambda x, c: of_hard(x, c, lambda every, own: 3 * own), "3 times the problem everywhere: this looks like a weight"),
            (lambda x, c: of_hard(x, c, lambda every, own: -own), "its sign turned"),
            (lambda x, c: of_hard(x, c, lambda every, own: own / np.log(2)), "logarithms to base 2"),
            (lambda x, c: of_hard(x, c, lambda every, own: 0.9 * own + 0.1 * every.mean(axis=1)), "--weights smoothing=0.1"),
            (lambda x, c: of_hard(x, c, lambda every, own: np.full_like(own, own.mean())), "--reduction mean"),
            (lambda p, c: -np.log(np.take_along_axis(p, c[:, None], axis=1)[:, 0]), "a loss of probabilities"),
        ],
    )  # fmt: skip
    def test_another_function_is_told_from_an_inexact_one(self, function, said):
        for fmt in ("float32", "float64"):
            with np.errstate(all="ignore"):
                row = check(function, "softmax_ce", fmt, classes=4, grid="quick").rows[-1]
            assert said in row["reason"] and row["cause"] == "another function", row["reason"]

    @pytest.mark.parametrize(
        ("function", "said"),
        [
            (lambda x, c: of_logits(x, c) + 1 - np.exp(-of_logits(x, c)), "PolyLoss (Poly-1) with eps = 1; a function of K classes"),
            (lambda x, c: (1 - np.exp(-0.7 * of_logits(x, c))) / 0.7, "the generalised cross-entropy"),
            (lambda x, c: ((shares(x) - np.eye(x.shape[1])[c]) ** 2).sum(axis=1), "sum (p_i - t_i)^2: this looks like the Brier"),
            (lambda x, c: of_logits(x, c) + 0.1 * (shares(x) * np.log(shares(x))).sum(axis=1), "a confidence penalty"),
            (lambda x, c: of_logits(x, c) + 0.01 * np.log(np.exp(x).sum(axis=1)) ** 2, "the z-loss added"),
            (lambda x, c: of_logits(x / 2, c), "a temperature of 2"),
            (lambda x, c: of_logits(5 * np.tanh(x / 5), c), "c = 5: this looks like bounded logits"),
            (lambda x, c: of_logits(x - 0.35 * np.eye(x.shape[1])[c], c), "0.35 taken from the label's logit: this looks like a margin"),
            (lambda x, c: (1 - np.exp(-of_logits(x, c))) ** 2 * of_logits(x, c), "the focal loss with gamma = 2"),
            (lambda x, c: np.where(c == 2, 0, of_logits(x, c)), "0 for every row with the label 2, the problem elsewhere: this looks like ignore"),
            (lambda x, c: np.array([1, 2, 0.5, 1, 3])[c] * of_logits(x, c), "times 1, 2, 0.5, 1, 3 for the labels 0, 1, 2, 3, 4: this looks like"),
            (lambda x, c: of_logits(shares(x), c), "the problem at softmax(x): this looks like a softmax taken twice; give it the logits themselves"),
        ],
    )  # fmt: skip
    def test_a_published_loss_is_named_and_what_has_no_name_is_no_error_either(self, function, said):
        for fmt in ("float32", "float64"):
            assert said in recognised(function, fmt)

    @pytest.mark.parametrize(
        "function",
        [
            lambda x, c: -np.log(np.exp(-of_logits(x, c)) + 0.01),
            lambda x, c: -np.log(np.maximum(np.exp(-of_logits(x, c)), 0.05)),
            lambda x, c: np.log(np.exp(x.astype(np.float16)).sum(axis=1)) - of_own(x, c),
            lambda x, c: np.where(of_own(x, c) > 0, of_logits(x, c), of_logits(x, c) + 1),
        ],
        ids=["eps", "clip", "float16", "half"],
    )
    def test_what_is_wrong_in_places_or_a_little_is_no_other(self, function):
        for fmt in ("float16", "bfloat16", "float32", "float64"):
            assert recognised(function, fmt) == ""

    @pytest.mark.parametrize("fmt", [*FORMATS])
    def test_what_is_only_inexact_is_no_other(self, fmt):
        for labels in ("integer", "onehot"):
            found = recognise_classes(CLASS_PROBLEMS["softmax_ce"], FORMATS[fmt], 5, labels, stable)
            assert found is None, found
            slope = recognise_classes(CLASS_PROBLEMS["softmax_ce_grad"], FORMATS[fmt], 5, labels, stable_gradient)
            second = recognise_classes(CLASS_PROBLEMS["softmax_ce_hess"], FORMATS[fmt], 5, labels, stable_hessian)
            assert slope is None and second is None, (slope, second)
        assert recognise_classes(CLASS_PROBLEMS["logsumexp"], FORMATS[fmt], 5, "integer", stable) is None
        assert recognise_classes(CLASS_PROBLEMS["softmax"], FORMATS[fmt], 5, "integer", stable_gradient) is None


class TestArguments:
    def test_labels_may_come_first_and_by_name(self):
        asked = {"classes": 3, "grid": "quick"}
        first = check(lambda labels, logits: stable(logits, labels), "softmax_ce", "float32", **asked)
        assert first.rows[0]["max_ulp"] == check(stable, "softmax_ce", "float32", **asked).rows[0]["max_ulp"]
        with pytest.raises(UsageError, match="also needs 'weight'"):
            check(lambda logits, labels, weight: logits, "softmax_ce", "float32", **asked)

    def test_one_row_at_a_time(self):
        one = lambda x, c: stable(x[None, :], np.array([c]))[0]  # noqa: E731
        report = check(one, "softmax_ce", "float32", classes=3, grid="quick", each=True)
        assert "called for each row by itself" in report.text()


class TestCheck:
    def test_a_stable_form_passes_and_a_naive_one_does_not(self, tmp_path):
        asked = {"classes": 5, "grid": "quick"}
        good = check(lambda x, c: stable(x, c), "softmax_ce", "float64", max_ulp=16, **asked)
        assert good.passed and [r["target"] for r in good.rows] == ["top", "other"]
        bad = check(logsoftmax, "softmax_ce", "float32", **asked)
        top, other = bad.rows
        assert not bad.passed and int(top["spurious_zero"]) > 0 and float(str(other["max_ulp"])) < 4
        assert top["problem"] == "softmax_ce@classes=5" and list(top) == list(COLUMNS)
        assert top["zero_input"].count(" ") == 5 and "ulp" in top["reason"]
        bad.to_html(tmp_path / "page.html")
        assert "softmax_ce@classes=5" in (tmp_path / "page.html").read_text(encoding="utf-8")
        with pytest.raises(UsageError, match="has no input to draw"):
            bad.plot()
        assert "FAIL  target top" in bad.text() and "ignore_index" in bad.text() and bad.table.shape[0] == 2

    def test_labels_of_every_kind(self):
        def soft(x, t):
            a = x - x.max(axis=1, keepdims=True)
            loss = np.log(np.exp(a).sum(axis=1, dtype=x.dtype))[:, None] - a
            return np.where(t == 0, t, t * loss).sum(axis=1, dtype=x.dtype)

        for labels in ("onehot", "soft"):
            report = check(soft, "softmax_ce", "float64", classes=3, labels=labels, grid="quick")
            assert float(str(report.rows[-1]["max_ulp"])) < 8
        report = check(soft, "softmax_ce", "float64", classes=3, labels="onehot", grid="quick", weights="smoothing=0.1")
        assert report.rows[0]["problem"] == "softmax_ce@classes=3+smoothing=0.1" and not report.passed

    def test_a_log_sum_exp(self):
        report = check(lse, "logsumexp", "float64", classes=4, grid="quick")
        assert report.rows[0]["target"] == "" and int(report.rows[0]["spurious_nan"]) == 0

    def test_a_planted_error_is_measured(self):
        """Negative control: one result off by exactly eight ulps."""
        given = rows_of_target(F32, 3, "quick", "other", "integer", Fraction(0))
        right = np.array([F32.round(given.exact(i)) for i in range(len(given.logits))])
        row = row_of("planted", "softmax_ce", F32, "other", given, right, True)
        assert float(str(row["max_ulp"])) <= 0.5
        right[7] = F32.step(right[7:8], 8)[0]
        row = row_of("planted", "softmax_ce", F32, "other", given, right, True)
        assert 7.4 < float(str(row["max_ulp"])) < 8.6 and row["max_ulp_input"] == given.hex(F32, 7)

    def test_a_reduction_is_undone(self):
        mean = lambda x, c: logsoftmax(x, c).mean()  # noqa: E731
        asked = {"classes": 3, "grid": "quick"}
        one = check(mean, "softmax_ce", "float32", reduction="mean", **asked)
        assert one.rows[0]["max_ulp"] == check(logsoftmax, "softmax_ce", "float32", **asked).rows[0]["max_ulp"]
        with pytest.raises(UsageError, match=r"returned one number for 2 rows.*add --reduction mean"):
            check(mean, "softmax_ce", "float32", **asked)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({}, "softmax_ce needs --classes"), ({"classes": 1}, "a number from 2"),
            ({"classes": 3, "weights": "pos=3"}, "softmax_ce has no pos; its weights: smoothing"),
            ({"classes": 3, "labels": "names"}, "labels 'names' are unknown"),
            ({"classes": 3, "grid": "exhaustive"}, "grid standard or quick, not 'exhaustive'"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_used_is_said(self, options, said):
        with pytest.raises(UsageError, match=said):
            check(logsoftmax, "softmax_ce", "float32", **options)
        with pytest.raises(UsageError, match="--classes belongs to logsumexp, softmax_ce"):
            check(logsoftmax, "bce", "float32", classes=3)

    def test_on_the_command_line(self, capsys, tmp_path):
        (tmp_path / "ce.py").write_text(
            "import numpy as np\ndef lse(x): return np.log(np.exp(x).sum(axis=1, dtype=x.dtype))\n"
        )
        asked = ["--problem", "logsumexp", "--classes", "4", "--format", "float16", "--grid", "quick"]
        assert main(["check", f"{tmp_path}/ce.py:lse", *asked]) == 1
        assert "logsumexp@classes=4 in float16" in capsys.readouterr().out
