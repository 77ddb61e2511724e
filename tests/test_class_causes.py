"""Functions of K classes that fail: where, and why, by their own operations or by the form that they behave like."""

from __future__ import annotations

import numpy as np
import pytest

from harness import UsageError
from harness.checking.class_causes import caused
from harness.checking.class_forms import FORMS, form_like
from harness.checking.class_rows import rows_of_target
from harness.checking.engine import check
from harness.cli.main import main
from harness.explain.expansions import value
from harness.explain.follow_vectors import follow_vectors
from harness.explain.followed import NotFollowed
from harness.numbers.formats import FORMATS
from harness.truth.softmax import evaluation

try:
    from scipy.special import log_softmax, logsumexp, softmax
except ImportError:  # an extra
    log_softmax = logsumexp = softmax = None

F32 = FORMATS["float32"]
needs_scipy = pytest.mark.skipif(softmax is None, reason="SciPy is an extra")
X = np.array([[1.5, -0.25, 3.0, 0.75, -2.0], [0.5, 0.5, -4.0, 2.0, 1.0]], np.float32)
C = np.array([2, 0])


def picked(x, c):
    return np.take_along_axis(x, c[:, None], axis=1)[:, 0]


def one_hot(x, c):
    m = x.max(axis=1, keepdims=True)
    log_share = x - m - np.log(np.exp(x - m).sum(axis=1, keepdims=True))
    return -(np.eye(x.shape[1], dtype=x.dtype)[c] * log_share).sum(axis=1)


def naive(x, c):
    return np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), c]


def with_eps(x, c):
    share = np.exp(x - np.max(x, -1)[:, None])
    share /= share.sum(-1, keepdims=True)
    return -np.log(picked(share, c) + x.dtype.type(1e-7))


def clipped(x, c):
    share = np.exp(x - x.max(axis=1, keepdims=True))
    share = np.clip(share / share.sum(axis=1, keepdims=True), x.dtype.type(1e-6), x.dtype.type(1))
    return -np.log(picked(share, c)).ravel()


def in_a_loop(x, c):
    loss = np.zeros(len(x), x.dtype)
    for i in range(len(x)):
        loss[i] = np.log(np.sum(np.exp(x[i]))) - x[i, c[i]]
    return loss


def masked(x, c):
    loss = naive(x, c)
    loss[loss > 2] = 2
    return loss


def of_scipy(x, c):
    return logsumexp(x, axis=-1) - picked(x, c)


def of_scipy_softmax(x, c):
    return -np.log(picked(softmax(x, axis=1), c))


def of_scipy_log_softmax(x, c):
    return -picked(log_softmax(x, axis=1), c)


SCIPY = [of_scipy, of_scipy_softmax, of_scipy_log_softmax]


FOLLOWED = [
    one_hot, naive, with_eps, clipped, in_a_loop, masked,
    lambda x, c: np.logaddexp.reduce(x, axis=1) - picked(x, c),
    lambda x, c: np.mean(np.where(x > 0, x, np.exp(np.minimum(x, 0))), axis=1) + np.sqrt(c + x.dtype.type(1)).astype(x.dtype),
    lambda x, c: np.nan_to_num(np.log(np.concatenate([np.exp(x), np.ones_like(x)], axis=1).sum(axis=1)) - picked(x, c)),
    lambda x, c: np.sort(x, axis=1)[:, -1] + np.log1p(np.sort(np.exp(x - x.max(1, keepdims=True)))[:, :-1].sum(1)) - picked(x, c),
]  # fmt: skip


# What SciPy makes of bfloat16 depends on what else is loaded.
CASES = [
    *((function, fmt) for function in FOLLOWED for fmt in ("float16", "bfloat16", "float32", "float64")),
    *(pytest.param(f, fmt, marks=needs_scipy) for f in SCIPY for fmt in ("float16", "float32", "float64")),
]


class TestFollowing:
    @pytest.mark.parametrize(("function", "fmt"), CASES)
    def test_what_is_followed_is_what_is_computed(self, function, fmt):
        x = X.astype(FORMATS[fmt].dtype)
        found, own = follow_vectors(function, x, C), function(x, C)
        assert [node.number for node in found] == own.astype(float).tolist() and own.dtype == found[0].dtype

    @pytest.mark.parametrize(
        "function", [one_hot, naive, in_a_loop, *(pytest.param(f, marks=needs_scipy) for f in SCIPY)]
    )
    def test_the_exact_value_is_that_of_the_formula(self, function):
        for node, row, c in zip(follow_vectors(function, X, C), X.astype(float), C):
            assert abs(float(value(node.exact)) - (np.log(np.exp(row).sum()) - row[c])) < 1e-12

    @pytest.mark.parametrize(
        ("function", "said"),
        [
            (lambda x, c: np.einsum("ij->i", x), "np.einsum"), (lambda x, c: np.arange(2.0), "a result of type ndarray"),
            (lambda x, c: x.cumsum(axis=1)[:, -1], "an array's cumsum"),
            (lambda x, c: x[:, 0] * float(x[0, 0]), "a Python number is made"),
        ],
    )  # fmt: skip
    def test_what_is_not_is_named(self, function, said):
        with pytest.raises(NotFollowed, match=said):
            follow_vectors(function, X, C)

    def test_a_long_row_is_followed_and_one_of_many_thousands_refused(self):
        x = np.zeros((1, 1500), np.float32)
        assert follow_vectors(naive, x, C[:1])[0].number == naive(x, C[:1])[0]
        with pytest.raises(NotFollowed, match="more than 2048 numbers"):
            follow_vectors(naive, np.zeros((1, 5000), np.float32), C[:1])


def reasons(function, problem="softmax_ce", fmt="float32", **options):
    report = check(function, problem, fmt, **{"classes": 4, "grid": "quick", **options})
    return [str(r["reason"]) for r in report.rows]


class TestReasons:
    @pytest.mark.parametrize(
        ("function", "said"),
        [
            (one_hot, ["The first NaN, at the logits -7.17521 -inf 4.47046 -inf, label 2: 0 * (-inf) = nan (0 * inf): the loss 8.7568e-6 becomes nan.",
                       "The first zero, at the logits 22.3405 -0.0870342 1.67382 0.831175, label 0: 1 + exp(0.83117545 - 22.340487) rounds to 1 (absorption): the loss 1.69578e-9 becomes 0."]),
            (naive, ["The first inf, at the logits 1006.01 990.57 1001.4 998.664, label 0: exp(1006.0144) overflows to inf: the loss 0.0104743 becomes inf.",
                     "leaves little but the rounding of its terms (cancellation)",
                     "The largest finite error, at the logits 34.4263 0 0 0, label 0: 0 for 3.3571e-15, by the same cause."]),
            (with_eps, ["0.9999999 + 1e-07 adds an eps (modelling bias): the loss 1.08282e-7 becomes 0."]),
            (clipped, ["exp(22.340487 - 22.340487) / 1 rounds to 1 (saturation): the loss 1.69578e-9 becomes 0."]),
        ],
    )  # fmt: skip
    def test_an_outcome_has_its_row_and_its_operation(self, function, said):
        top = reasons(function)[0]
        for sentence in said:
            assert sentence in top, top
        assert "On these rows (m - x_c) + log1p(rest)" in top

    def test_a_clamp_and_a_soft_label(self):
        assert "max(1.4013e-45, 1e-06) clamps to 1e-06 (modelling bias)" in reasons(clipped)[1]

        def soft(x, t):
            share = np.exp(x - x.max(axis=1, keepdims=True))
            return -(t * np.log(share / share.sum(axis=1, keepdims=True))).sum(axis=1)

        assert ", labels 0." in reasons(soft, labels="soft")[0] and "(0 * inf)" in reasons(soft, labels="soft")[0]

    def test_a_derivative_has_its_class(self):
        slope = lambda x, c: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) - np.eye(4, dtype=x.dtype)[c]  # noqa: E731
        top = reasons(slope, "softmax_ce_grad")[0]
        assert (
            "label 0, class 0: exp(1006.0144) overflows to inf, then inf / inf: the gradient -0.0104196 becomes nan"
            in top
        )

    def test_many_classes_are_shortened_and_the_label_s_logit_named(self):
        assert (
            "... (30 of them), label " in reasons(naive, classes=30)[0]
            and ", whose logit is " in reasons(naive, classes=30)[0]
        )

    def test_one_row_at_a_time(self):
        single = lambda x, c: np.log(np.sum(np.exp(x))) - x[c]  # noqa: E731
        assert "exp(1006.0144) overflows to inf" in reasons(single, each=True)[0]
        mean = lambda x, c: naive(x, c).mean()  # noqa: E731
        assert "exp(1006.0144) overflows to inf" in reasons(mean, reduction="mean")[0]

    def test_what_keeps_its_budget_has_no_cause(self):
        report = check(one_hot, "softmax_ce", "float32", classes=4, grid="quick", max_ulp=1e9)
        assert report.rows[1]["cause"] == "0 * inf"
        given = rows_of_target(F32, 3, "quick", "other", "integer", 0)
        right = [F32.round(given.exact(i)) for i in range(len(given.logits))]
        found = [evaluation(F32, c, given.exact(i), open_ties=True) for i, c in enumerate(right)]
        places = [(i, None) for i in range(len(right))]
        assert caused(F32, given, places, found, [m.outcome for m in found], 4, None) == {}


def hidden(form):
    """Return a form as compiled code is: nothing of it can be followed."""
    return lambda x, *labels: np.frombuffer(form(np.array(x), *labels).tobytes(), x.dtype).copy()


class TestForms:
    @pytest.mark.parametrize("name", [*FORMS["softmax_ce"]])
    def test_code_that_cannot_be_followed_is_explained_by_its_form(self, name):
        said = " ".join(reasons(hidden(FORMS["softmax_ce"][name])))
        assert f"behaves like {name}: " in said and "not followed" not in said

    def test_a_form_with_an_error_of_its_own_is_like_none(self):
        """Negative control: one row that is NaN, or larger errors, and the form is not claimed."""
        given = rows_of_target(F32, 4, "quick", "top", "integer", 0)
        exact = [given.exact(i) for i in range(len(given.logits))]
        with np.errstate(all="ignore"):
            computed = FORMS["softmax_ce"]["-log_softmax(x)_c"](given.logits, given.labels)

        def like(values):
            found = [evaluation(F32, c, e, open_ties=True) for c, e in zip(values, exact)]
            return form_like("softmax_ce", given, found, [m.outcome for m in found], exact)

        assert like(computed)[0] == "-log_softmax(x)_c"
        for changed in (
            np.where(np.arange(len(computed)) == 4, np.float32(np.nan), computed),
            computed * np.float32(1.001),
        ):
            assert like(changed) is None
        said = reasons(hidden(lambda x, c: np.where(x[:, 0] > 0, naive(x, c), one_hot(x, c))))[0]
        assert "operations that cannot be followed: an array's tobytes" in said


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path):
        (tmp_path / "ce.py").write_text(
            "import numpy as np\n\n\ndef lse(x):\n    return np.log(np.exp(x).sum(axis=1))\n\n\n"
            "def ce(x, c):\n    return lse(x) - x[np.arange(len(x)), c]\n\n\n"
            "def slope(x, c):\n    return np.exp(x) / np.exp(x).sum(axis=1)[:, None] - np.eye(x.shape[1], dtype=x.dtype)[c]\n"
        )
        return tmp_path / "ce.py"

    @pytest.mark.parametrize(
        ("name", "asked", "said"),
        [
            ("ce", ["softmax_ce", "--input", "15 -3 0", "--target", "0"], "exp(15) overflows to inf: the loss 3.21132e-7 becomes inf"),
            ("lse", ["logsumexp", "--input", "0x1.ep+3 -3 -inf"], "exp(15) + exp(-3)"),
            ("slope", ["softmax_ce_grad", "--input", "1.5 -3 9; 2; class 2"], "label 2, class 2"),
        ],
    )  # fmt: skip
    def test_one_row_is_explained_operation_by_operation(self, capsys, file, name, asked, said):
        assert main(["explain", f"{file}:{name}", "-f", "float16", "-p", *asked]) == 0
        out = capsys.readouterr().out
        assert said in out and "local error, ulp" in out, out

    @pytest.mark.parametrize(
        ("target", "asked", "said"),
        [
            ("ce", ["softmax_ce", "--input", "15 -3 0"], "needs a label"), ("ce", ["softmax_ce", "--input", "15"], "a row of logits"),
            ("ce", ["softmax_ce", "--input", "1 2 3", "--target", "3"], "the label '3' is no number from 0 to 2"),
            ("ce", ["softmax_ce", "--input", "1 2 3", "--target", "0.5 0.5"], "has 2 numbers for 3 classes"),
            ("slope", ["softmax_ce_grad", "--input", "1 2 3", "--target", "1"], "the class ('; class 0')"),
            ("lse", ["logsumexp", "--input", "1 2 x"], "'x' is not a number"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_used_is_said(self, capsys, file, target, asked, said):
        assert main(["explain", f"{file}:{target}", "-f", "float16", "-p", *asked]) == 2
        assert said in capsys.readouterr().err

    def test_a_kernel_has_no_classes(self, capsys):
        with pytest.raises(UsageError, match="no function of K classes"):
            from harness.checking.explaining import explanation

            explanation("logaddexp", "softmax_ce", F32, "1 2", "0")
