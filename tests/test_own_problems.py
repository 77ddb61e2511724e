"""Exact functions of one's own: declared, certified, refused; the worked examples; and what a package ships."""

import math
import subprocess
import sys
import textwrap
from pathlib import Path

import mpmath
import numpy as np
import pytest
from mpmath import exp, log, mp

import harness
from harness import UsageError
from harness.checking.engine import check
from harness.checking.exact import asked_problem
from harness.cli.main import main
from harness.explain.remedies import exact_at
from harness.numbers.formats import FORMATS
from harness.problems import OWN, PROBLEMS, gradient_of, own, problem_named
from harness.problems.balls import Ball, Unclear, exact_arb, in_balls
from harness.problems.own import problem
from harness.truth.certified import round_to, truth
from harness.truth.fast import audit, evaluate

EXAMPLES = "docs/examples/own_problems.py"
F16 = FORMATS["float16"]


@pytest.fixture(autouse=True)
def register():
    """Leave the register as it was."""
    before = dict(OWN)
    yield
    OWN.clear()
    OWN.update(before)


def naive(x):
    return log(1 + exp(x))


def through_another(x):
    return naive(x) + 0


class TestBalls:
    @pytest.mark.parametrize("function", [naive, through_another, lambda x: mpmath.log(1 + mp.exp(x))])
    def test_the_same_source_runs_in_balls(self, function):
        from flint import ctx

        with ctx.workprec(200):
            ball = in_balls(function)(Ball(exact_arb(mp.mpf(0.75)))).arb
        with mp.workprec(300):
            exact = mp.log(1 + mp.exp(mp.mpf(0.75)))
        assert ball.rel_accuracy_bits() > 180 and abs(ball - exact_arb(exact)) < exact_arb(2) ** -180
        assert function(mp.mpf(0.75)) == naive(mp.mpf(0.75))  # the function itself is as it was

    def test_a_branch_that_a_ball_leaves_open_is_not_taken(self):
        third = Ball(exact_arb(1) / 3)
        assert third < 1 and not third > 1 and third != 2
        for open_ in (lambda: 3 * third > 1, lambda: 3 * third == 1, lambda: bool(3 * third - 1)):
            with pytest.raises(Unclear):
                open_()

    def test_what_arb_has_not_is_named(self):
        with pytest.raises(UsageError, match=r"knows no mp\.quad; known: "):
            in_balls(lambda x: mp.quad(lambda t: t, [0, x]))(Ball(exact_arb(1)))


class TestCertified:
    def test_cancellation_costs_no_digit(self):
        found = problem(naive, name="naive_softplus_1")
        for x in (-800.0, -40.5, 0.0, 3.25):
            exact = truth(PROBLEMS["softplus"], (mp.mpf(x),))
            assert abs(truth(found, (mp.mpf(x),)) - exact) <= mp.ldexp(exact, -155)
        x = np.array([-100.0, -40.5, -1e-3, 0.0, 3.25, 50.0], np.float32)
        with np.errstate(all="ignore"):
            for fmt in (FORMATS["float32"], FORMATS["float64"]):
                assert audit(found, fmt, x.astype(fmt.dtype)) < -52
                assert (
                    evaluate(found, fmt, x.astype(fmt.dtype)[None]).rounded
                    == evaluate(PROBLEMS["softplus"], fmt, x.astype(fmt.dtype)[None]).rounded
                ).all()

    def test_fixed_precision_would_be_wrong(self):
        """Negative control: what certification is for."""
        with mp.workdps(100):
            assert naive(mp.mpf(-800)) == 0

    def test_a_value_that_is_exact_is_known_to_be(self):
        found = problem(lambda x, y: mp.exp(x) - y * x, name="exact_1", target_domain=(0, 9))
        assert round_to(found, F16, (mp.mpf(0), mp.mpf(3))) == 1 and truth(found, (mp.mpf(0), mp.mpf(3))) == 1

    def test_mpmath_and_arb_must_agree(self, monkeypatch):
        """Negative control: a function that is another one in balls."""
        monkeypatch.setattr(own, "MOST_BITS", 1 << 10)
        found = problem(lambda x: mp.exp(x) * (2 if isinstance(x, Ball) else 1), name="two_faced")
        with pytest.raises(UsageError, match=r"two_faced at \(0\.75\) is not certified by"):
            truth(found, (mp.mpf(0.75),))

    def test_a_line_and_a_rest(self):
        """No precision tells softplus(2^100) from 2^100; the pair does."""
        pair = problem(lambda x: (x if x > 0 else 0, mp.log1p(mp.exp(-abs(x)))), name="pair_1")
        with np.errstate(all="ignore"):
            x = np.array([[2.0**100, 8192.0]], np.float32)
            assert (evaluate(pair, FORMATS["float32"], x).rounded == x).all()
            with pytest.raises(UsageError, match=r"is not decided by|not enclosed|not certified"):
                evaluate(problem(naive, name="naive_2"), FORMATS["float32"], x)

    def test_a_pole_is_infinite(self):
        found = problem(lambda x: 1 / mp.mpf(x) if x else mp.inf, name="pole_1", domain=(0.0, math.inf), centre=1.0)
        with np.errstate(all="ignore"):
            assert np.isinf(evaluate(found, F16, np.array([[0.0]], np.float16)).value).all()

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"domain": (1, 0)}, "a domain .lo, hi. with lo < hi"), ({"input": "number"}, "an input of input, logit"),
            ({"name": "bce"}, "bce is a built-in problem"), ({"name": "a b"}, "is no name for a problem"),
            ({"parameters": {"t": "half"}}, "'half' is not a number"), ({"parameters": {"t": 2}}, "has no parameter 't'"),
            ({"centre": 3, "domain": (0, 1)}, "the centre 3 is outside"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_declared_is_said(self, options, said):
        with pytest.raises(UsageError, match=said):
            problem(naive, **options)

    def test_it_can_be_declared_again(self):
        first, at = problem(lambda x: mp.exp(x), name="again"), (mp.mpf(1),)
        assert first is problem_named("again") and exact_at("again", (1.0,)) == truth(first, at)
        second = problem(lambda x: mp.exp(2 * x), name="again")
        assert second is problem_named("again") and exact_at("again", (1.0,)) == truth(second, at) != truth(first, at)


# -- the worked examples -------------------------------------------------------------------------------

WORKED = [
    ("naive_softplus", "softplus_t", "float16", (), False), ("good_softplus", "softplus_t", "bfloat16", (), True),
    ("naive_gaussian", "gaussian_nll", "float16", ("0",), False),
    ("naive_poly1", "poly1", "float16", ("0",), False), ("good_poly1", "poly1", "bfloat16", ("1",), True),
    ("eps_poisson", "poisson_nll", "float16", ("1",), False), ("good_poisson", "poisson_nll", "float16", ("0",), True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("loss", "exact", "fmt", "targets", "passes"), WORKED, ids=lambda v: v if isinstance(v, str) else ""
)
def test_worked_examples(loss, exact, fmt, targets, passes):
    asked = {"exact": f"{EXAMPLES}:{exact}", "targets": targets or None, "grid": "quick"}
    report = check(f"{EXAMPLES}:{loss}", None, fmt, **asked)
    assert report.passed == passes, report.verdict
    assert report.rows[0]["problem"] == {"softplus_t": "softplus_t@t=0.5", "poly1": "poly1@eps=1"}.get(exact, exact)


def test_worked_truths_against_formulas_of_their_own():
    names = "softplus_t", "gaussian_nll", "poisson_nll", "poly1"
    softplus, gaussian, poisson, poly1 = (asked_problem(None, exact=f"{EXAMPLES}:{n}") for n in names)
    with mp.workprec(400):
        for x in (-20.5, 0.25, 7.0):
            v = mp.mpf(x)
            assert abs(truth(softplus, (v,)) - 2 * mp.log(2 * mp.cosh(v / 4)) - v / 2) < mp.ldexp(1, -150)
            assert abs(truth(gaussian, (v, mp.mpf(3))) - v / 2 - mp.mpf(9) / 2 / mp.exp(v)) < mp.ldexp(1, -120)
            assert abs(truth(poly1, (v, mp.mpf(1))) - mp.log1p(mp.exp(-v)) - 1 / (1 + mp.exp(v))) < mp.ldexp(1, -140)
            assert abs(truth(gradient_of(poisson), (v, mp.mpf(5))) - mp.exp(v) + 5) < mp.ldexp(1, -140)


def test_reference_of_ones_own(capsys):
    asked = ["--exact", f"{EXAMPLES}:poisson_nll", "--input", "0.1", "--target", "3", "--digits", "30"]
    assert main(["reference", *asked]) == 0
    with mp.workdps(60):
        exact = mp.exp(mp.mpf(1) / 10) - mp.mpf(3) / 10
        assert abs(mp.mpf(capsys.readouterr().out) - exact) < mp.mpf(10) ** -29
    assert main(["reference", *asked[:2], "--input", "100", "--target", "3"]) == 2
    assert "input 100 is outside [-80, 80]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--exact", f"{EXAMPLES}:gone"], "has no function 'gone'"), (["--exact", "gone.py:f"], "there is no file gone.py"),
        ([], "name the exact function once"), (["--exact", f"{EXAMPLES}:np"], "name a function in mpmath"),
        (["--exact", f"{EXAMPLES}:softplus_t", "--weights", "pos=3"], "--weights belong to built-in problems"),
        (["--exact", f"{EXAMPLES}:softplus_t", "--problem", "bce"], "name the exact function once"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_said(capsys, arguments, said):
    assert main(["check", f"{EXAMPLES}:good_softplus", "--format", "float16", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


DECLARED = """
import harness
import numpy as np
from mpmath import mp


@harness.problem(name="right_cosh", domain=(-10.0, 10.0), gradient=lambda x: mp.tanh(x))
def right(x):
    return mp.log(mp.cosh(x))


@harness.problem(name="wrong_cosh", domain=(-10.0, 10.0), gradient=lambda x: 2 * mp.tanh(x))
def wrong(x):
    return mp.log(mp.cosh(x))


@harness.problem(name="kinked", domain=(-10.0, 10.0), gradient=lambda x, y: x - y if abs(x - y) <= 1 else mp.sign(x - y))
def kinked(x, y):
    return (x - y) ** 2 / 2 if abs(x - y) <= 1 else abs(x - y) - mp.mpf("0.5")


@harness.problem(name="own_pole", domain=(-5.0, 5.0))
def pole(x):
    return 1 / x


@harness.problem(name="converted")
def converted(x):
    return float(x) * 2


def cosh(x):
    return np.log(np.cosh(x))


def twice(x):
    return 2 * np.log(np.cosh(x))


def huber(x, y):
    return np.where(abs(x - y) <= 1, (x - y) ** 2 / 2, abs(x - y) - x.dtype.type(0.5))


def inverse(x):
    return 1 / x
"""


@pytest.mark.parametrize(
    ("loss", "exact", "status", "said"),
    [
        ("cosh", "wrong", 2, "the gradient declared of wrong_cosh is not its derivative: at x = -5.808 it is -1.99996, and"),
        ("cosh", "right", 1, "FAIL"), ("huber", "kinked", 1, "FAIL  target"),
        ("inverse", "pole", 2, "divides by 0 at (0.0): leave that pole out of the domain"),
        ("inverse", "converted", 2, "must compute with mpmath's functions of its argument as it is, and not convert it by float()"),
        ("twice", "right", 1, "2 times the problem everywhere: this looks like a weight; the problem takes no such weights"),
    ],
)  # fmt: skip
def test_what_is_declared_is_looked_at(loss, exact, status, said, tmp_path, capsys):
    path = tmp_path / "declared.py"
    path.write_text(DECLARED)
    assert main(["check", f"{path}:{loss}", "--exact", f"{path}:{exact}", "-f", "float32", "-g", "quick"]) == status
    told = "".join(capsys.readouterr())
    assert said in told and "--weights" not in told


# -- what a package ships -------------------------------------------------------------------------------

SHIPPED = '''
"""A problem, a kernel of it and one of the harness's own, and an adapter."""

import harness
from harness.kernels.registry import kernel, like
from harness.systems.registry import Library, System
from mpmath import mp

harness.problem(lambda x: mp.exp(2 * x), name="shipped_exp")


@kernel("shipped_exp", "square", formula="(e^x)^2", source="this test", notes="overflows early")
def square(x):
    e = x.__array_namespace__().exp(x)
    return e * e


@kernel("exp", "shipped_halves", formula="(e^{x/2})^2", source="this test", notes="none")
def halves(x):
    h = x.__array_namespace__().exp(x * like("0.5", x))
    return h * h


LIBRARIES = (Library("shipped", __name__, ("numpy",)),)


def systems(library):
    return [System("shipped exp", library, "exp", "eager", lambda: square, "numpy")]
'''
USER = """
from harness import UsageError
from harness.cli import list as listing
from harness.kernels import kernel_named, kernels_of
from harness.problems import PROBLEMS, problem_named
from harness.systems.registry import libraries, library_named, systems_of

before = [k.name for k in kernels_of("exp")]
assert problem_named("shipped_exp").name == "shipped_exp" and "shipped_exp" not in PROBLEMS
assert kernel_named("shipped_exp", "square").source == "this test"
assert kernel_named("exp", "shipped_halves").notes == "none"
assert "shipped_exp" in listing.text("problems", None) and "shipped_halves" in listing.text("kernels", "exp")
assert library_named("shipped").module == "shipped_losses" and "shipped exp" in listing.text("systems", None)
assert [s.problem for s in systems_of("shipped")] == ["exp"]
assert "shipped" not in [entry.name for entry in libraries()]
try:
    problem_named("not_shipped")
except UsageError as e:
    assert "unknown problem 'not_shipped'" in str(e) and "shipped_exp" in str(e)
print("all there")
"""


@pytest.fixture
def distribution(tmp_path):
    """A folder with an installed distribution that ships a module."""
    (tmp_path / "shipped_losses.py").write_text(SHIPPED)
    info = tmp_path / "shipped_losses-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shipped-losses\nVersion: 1.0\n")
    groups = ("problems", "kernels", "systems")
    (info / "entry_points.txt").write_text("".join(f"[xent_harness.{g}]\nmine = shipped_losses\n" for g in groups))
    return tmp_path


def ran(folder, source):
    done = [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(folder)!r}, {str(Path.cwd())!r}]\n{source}"]
    return subprocess.run(done, capture_output=True, text=True)


def test_a_package_ships_problems_kernels_and_systems(distribution):
    done = ran(distribution, textwrap.dedent(USER))
    assert done.stdout == "all there\n", done.stderr


def test_without_the_package_nothing_is_there_and_a_broken_one_is_named(tmp_path, distribution):
    ask = (
        "from harness.problems import problem_named\ntry: problem_named('shipped_exp')\nexcept Exception as e: print(e)"
    )
    assert "unknown problem 'shipped_exp'" in ran("/nowhere", ask).stdout
    (distribution / "shipped_losses.py").write_text("1 / 0")
    said = ran(distribution, ask).stdout
    assert said.startswith(
        "the entry point mine = shipped_losses of xent_harness.problems cannot be loaded: ZeroDivision"
    )


def test_it_is_declared_through_the_package():
    assert harness.problem is problem
