"""`harness reference` at inputs of every size: its digits against Arb's, exact values, and what it refuses."""

import re
import time
from dataclasses import replace
from fractions import Fraction

import pytest
from mpmath import mp

from harness import UsageError
from harness.cli import reference as command
from harness.cli.main import main
from harness.cli.reference import reference
from harness.numbers.formats import parse_exact
from harness.problems import PROBLEMS
from harness.truth import digits as printing
from harness.truth.arb import ball
from harness.truth.certified import Undecided
from harness.truth.digits import bounds, certified, held

ONE_MORE, NINES = "0" * 2999 + "1", "9" * 3000  # 1e-3000 after a point; 1 - 1e-3000

# What is no rational number, at inputs that are tiny, huge, next to a zero, a pole or a turning point.
EXTREMES = [
    "bce_logits 1e-3000 0.5", "bce_logits -1e-3000 1", "bce_logits 1e300 0.5", "bce_logits -1e300 0",
    "bce_logits -1e300 0.1", f"bce_logits 3.7 0.{NINES}", "bce_logits -2.197224577336219382790490473845 0.1",
    "bce_logits_grad 1e-3000 0.5", "bce_logits_grad 1e-3000 0.35", "bce_logits_grad -1e-3000 0.35",
    "bce_logits_grad 1e300 1", "bce_logits_grad -1e300 0", "bce_logits_grad -2.197224577336219382790490473845 0.1",
    "bce_logits_grad 1000.1 1",
    "sigmoid 1e-3000", "sigmoid 1e300", "sigmoid -1e300", "sigmoid -1000.1",
    "softplus 1e-3000", "softplus -1e300", "softplus 1e300", "log_sigmoid 1e300", "log_sigmoid -1e300",
    "exp 1e-30000", "exp -1e300", "exp 1e300", "exp 1000.1",
    "log 1e-30000", f"log 1.{ONE_MORE}", f"log 0.{NINES}", "log 1e30000",
    "log1p 1e-3000", "log1p -1e-3000", f"log1p -0.{NINES}",
    "expm1 1e-3000", "expm1 -1e300", "expm1 1e300", "tanh 1e400", "tanh -1e-3000", "tanh 0.999",
    "log1mexp 1e-3000", "log1mexp 1e300", "log1mexp 0.1",
    f"logit 0.5{ONE_MORE}", "logit 1e-3000", f"logit 0.{NINES}",
    "binary_entropy 1e-3000", f"binary_entropy 0.{NINES}", f"binary_entropy 0.5{ONE_MORE}", "binary_entropy 0.1",
    "bce 1e-3000 0.1", "bce 0.1 0.1", f"bce 0.{NINES} 1", f"bce 0.1{ONE_MORE} 0.1", "bce 1e-3000 0",
    f"bernoulli_kl 0.1{ONE_MORE} 0.1", f"bernoulli_kl 1e-3000 0.{NINES}", f"bernoulli_kl 0.{NINES} 1e-3000",
    "focal 1e300", "focal -1e300", "focal 1e-3000", "focal 0.1",
    "focal_grad 1e30", "focal_grad -1e300", "focal_grad 0.1", "focal_grad 1e-3000",
    "focal_g0.5 1e300", "focal_g0.5 -1e-3000", "focal_g0.5_grad -0.7", "focal_g0.5_grad 1e300",
]  # fmt: skip

RATIONAL = [
    ("bce_logits_grad 0 0.5", 0), ("bce_logits_grad 0 0.35", "0.15"), ("bce_logits_grad 0 0.1", "0.4"),
    ("sigmoid 0", "0.5"), ("exp 0", 1), ("log 1", 0), ("log1p 0", 0), ("expm1 0", 0), ("tanh 0", 0), ("logit 0.5", 0),
    ("binary_entropy 0", 0), ("binary_entropy 1", 0), ("bce 0 0", 0), ("bce 1 1", 0),
    ("bce_grad 0.8 1", "-1.25"), ("bce_grad 0.1 0.1", 0), (f"bce_grad 0.1{ONE_MORE} 0.1", None), ("bce_grad 1e-3000 1", "-1e3000"),
    ("bernoulli_kl 0.1 0.1", 0), ("bernoulli_kl 0 0", 0), (f"bernoulli_kl 0.{NINES} 0.{NINES}", 0),
]  # fmt: skip


def point_of(case):
    """A line's problem and inputs, as text."""
    name, *inputs = case.split()
    return PROBLEMS[name], inputs


def printed(case, digits):
    problem, (x, *y) = point_of(case)
    return reference(problem.name, {problem.input: x}, y[0] if y else None, digits)


def off_by_units(case, text, digits):
    """How many units of its last digit a text is off, as a ball: Arb's value, the test's own arithmetic."""
    from flint import arb, ctx, fmpz

    problem, inputs = point_of(case)
    mantissa, _, exponent = text.partition("e")
    with ctx.workprec(60_000):
        units = arb(fmpz(mantissa.replace(".", "")))
        scale = arb(10) ** (fmpz(exponent.replace("+", "") or "0") - (digits - 1))
        return abs(ball(problem, [parse_exact(v) for v in inputs]) / scale - units)


@pytest.mark.parametrize("case", EXTREMES, ids=lambda case: re.sub("(0|9){100,}", "..", case))
class TestExtremes:
    def test_digits_are_those_of_arb(self, case):
        for digits in (1, 2, 30):
            off = off_by_units(case, printed(case, digits), digits)
            assert off <= 0.5 and off.is_finite()

    def test_a_wrong_last_digit_is_caught(self, case):
        """Negative control."""
        text = printed(case, 30)
        mantissa, mark, exponent = text.partition("e")
        wrong = mantissa[:-1] + str((int(mantissa[-1]) + 1) % 10) + mark + exponent
        assert off_by_units(case, wrong, 30) > 0.5


@pytest.mark.parametrize(("case", "value"), RATIONAL, ids=lambda v: re.sub("(0|9){100,}", "..", str(v)))
def test_rational_values_are_rounded_as_they_are(case, value):
    problem, inputs = point_of(case)
    exact = problem.rational(*(parse_exact(v) for v in inputs))
    assert exact is not None and (value is None or exact == Fraction(value))
    for digits in (1, 5):
        text = printed(case, digits)
        assert abs(Fraction(text) - exact) * 2 <= abs(exact) * Fraction(10) ** (1 - digits)


def test_ties_go_to_even():
    assert [printed(f"bce_logits_grad {x} 0.35", 1) for x in ("-1e-3000", "0", "1e-3000")] == ["1e-1", "2e-1", "2e-1"]
    assert [printed(f"bce_logits_grad {x} 0.25", 1) for x in ("-1e-3000", "0", "1e-3000")] == ["2e-1", "2e-1", "3e-1"]


def test_poles_are_infinite():
    assert [printed(c, 9) for c in ("bce 0 0.1", "bce 1 0.1", "log 0", "logit 1", "log1p -1")] == [
        "inf", "inf", "-inf", "inf", "-inf"
    ]  # fmt: skip


@pytest.mark.parametrize("case", ["bce_logits 3.7 0.1", "bce_grad 0.7 0.1", "focal_grad 0.1", "log 1e-999999"])
def test_ten_thousand_digits(case):
    assert off_by_units(case, printed(case, 10_000), 10_000) <= 0.51


def test_the_tail_of_a_confident_prediction():
    assert printed("bce_logits 300 1", 30) == "5.14820022241201378115486192107e-131"


@pytest.mark.parametrize("digits", [1, 5, 25, 100])
def test_certified_digits_are_rounded_correctly(digits):
    text = certified(PROBLEMS["exp"], (Fraction(1),), digits)
    with mp.workdps(digits + 30):
        assert abs(mp.mpf(text) - mp.e) <= mp.mpf(10) ** (1 - digits) / 2


class TestRefusals:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["exp", "--input", "1e999999"],
            ["bce_logits_grad", "--logit", "1e-999999", "--target", "0.35", "--digits", "1"],  # next to a tie
        ],
    )
    def test_what_takes_too_long_is_refused_in_one_sentence(self, capsys, monkeypatch, arguments):
        monkeypatch.setattr(command, "PATIENCE", 3.0)
        began = time.monotonic()
        status = main(["reference", *arguments])
        out, err = capsys.readouterr()
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert time.monotonic() - began < 10
        assert "takes more than" in err or "still open" in err

    def test_an_undecided_value_is_never_printed(self):
        """A form that says nothing of its value: an enclosure that stays wide."""
        vague = replace(PROBLEMS["exp"], terms=lambda x: (mp.mpf(0), [mp.mpf(2) ** mp.prec, -(mp.mpf(2) ** mp.prec)]))
        with pytest.raises(Undecided, match="still open"):
            certified(vague, (Fraction(1, 3),), 5, seconds=0.2)

    def test_a_number_that_python_would_not_read_is_read(self, capsys):
        assert parse_exact("0." + "3" * 100_000) == Fraction((10**100_000 - 1) // 3, 10**100_000)
        assert main(["reference", "log", "--input", "1" * 90_000]) == 0
        assert capsys.readouterr().out.startswith("2.0723")


class TestInputs:
    def test_they_are_held_between_neighbours(self):
        for value in (Fraction(1, 10), Fraction(-1, 3), 1 + Fraction(1, 10**50), Fraction(10) ** 400 / 7):
            low, high = held(value, 64)
            with mp.workprec(2000):
                below, above = (
                    (Fraction(int(mp.ldexp(v, 700))) / 2**700 for v in (low, high)) if abs(value) < 2 else (0, 0)
                )
            assert low < high
            assert not below or below < value < above
        assert len(set(held(Fraction(3, 8), 64))) == 1

    @pytest.mark.parametrize("case", EXTREMES[::2], ids=lambda case: re.sub("(0|9){100,}", "..", case))
    def test_bounds_hold_the_value(self, case):
        from flint import arb, ctx

        problem, inputs = point_of(case)
        point = [parse_exact(v) for v in inputs]
        for bits in (40, 64, 128):
            ends = bounds(problem, point, bits)
            if ends is not None and all(map(mp.isfinite, ends)):
                with ctx.workprec(60_000):
                    exact = ball(problem, point)
                    assert not exact < arb(ends[0]) and not exact > arb(ends[1])

    def test_inputs_rounded_to_nearest_would_be_caught(self, monkeypatch):
        """Negative control: one number for an input that has more bits, as if it were that."""
        monkeypatch.setattr(printing, "held", lambda v, bits: held(v, bits)[:1] * 2)
        with pytest.raises(UsageError, match="by mpmath, but Arb proves"):
            printed(f"log 1.{ONE_MORE[1000:]}", 30)
