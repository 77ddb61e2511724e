"""Exact values, question by question: what problems made for a test must be given, and with how many bits they are asked.

A problem here is a few exact numbers, so that its value, the bound of its error and the side of every boundary are known
without any function.  benchmarks/mutants.py makes small slips in harness/truth/certified.py, and what is here must notice.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from gmpy2 import mpz
from mpmath import mp

from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.truth import certified
from harness.truth.certified import (
    Undecided,
    decimal,
    enclose,
    error_in_ulp,
    rational,
    round_to,
    side,
    significant,
    truth,
    ziv,
)

E4M3, F32, F64 = FORMATS["float8_e4m3fn"], FORMATS["float32"], FORMATS["float64"]
AT = (mp.mpf(3),)  # an input that says nothing
MANY = 20_000  # bits, of the test's own arithmetic


def two(exponent):
    """A power of two, exactly."""
    return mp.ldexp(1, exponent)


def made(exact, *terms, **fields):
    """A problem of one exact number and terms, which are functions of nothing or numbers, and the bits it is asked with."""
    asked = []

    def given(x):
        asked.append(mp.prec)
        return mp.mpf(exact), [+t() if callable(t) else +mp.mpf(t) for t in terms]

    unknown = {"rational": lambda *point: None, "ends": None}
    return replace(PROBLEMS["exp"], terms=given, **(unknown | fields)), asked


def exactly(value):
    """A number of any bits, as a fraction."""
    sign, mantissa, exponent, _ = value._mpf_
    return Fraction(-int(mantissa) if sign else int(mantissa)) * Fraction(2) ** exponent


class TestEnclosures:
    def test_the_radius_is_what_the_bound_says(self):
        found = enclose(made(3, 2, -4)[0], AT, 100)
        assert (found.value, found.exact, found.rest) == (1, 3, -2)
        assert found.rest_radius == 6 * two(4 - 100)
        with mp.workprec(200):
            assert found.radius == 6 * two(4 - 100) + two(1 - 100)
            assert (found.lower, found.upper) == (1 - found.radius, 1 + found.radius)
            assert found.lower < 1 < found.upper

    def test_an_infinite_value_is_its_own_ends(self):
        found = enclose(made(0, mp.ninf)[0], AT, 100)
        assert found.lower == found.upper == found.value == -mp.inf

    def test_only_numbers_that_memory_holds_are_rational(self):
        problem = replace(PROBLEMS["exp"], rational=lambda *point: point[0])
        for exponent, is_one in ((39_998, True), (39_999, False), (-40_000, True), (-40_001, False)):
            assert rational(problem, (two(exponent),)) == (Fraction(2) ** exponent if is_one else None)
        assert rational(problem, (mp.mpf(0), mp.mpf(1))) == 0
        for other in (mp.inf, mp.nan, two(50_000)):
            assert rational(problem, (mp.mpf(1), other)) is None is rational(problem, (other, mp.mpf(1)))

    def test_precision_doubles_until_there_is_an_answer(self):
        problem, asked = made(1)
        assert ziv(problem, AT, lambda e: mp.prec, 64) == 64 + 8
        assert ziv(problem, AT, lambda e: len(asked) if len(asked) == 4 else None, 64) == 4
        assert asked == [64, 64, 128, 256]
        with pytest.raises(Undecided) as raised:
            ziv(problem, (mp.mpf(0.1),), lambda e: None, 128)
        assert str(raised.value) == "exp at (0.10000000000000000555) is not decided by 8192 bits"
        assert asked[4:] == [128, 256, 512, 1024, 2048, 4096, 8192]


class TestSides:
    def test_proved_ends_are_asked_first(self):
        bits = []

        def ends(point, precision):
            bits.append(precision)
            return (mp.mpf(2), mp.mpf(3)) if precision == 128 else (mp.mpf(2.5), mp.mpf(2.75))

        problem, asked = made(2.625, ends=ends)
        for boundary, found, looked_at in (
            (1, 1, [128]), (4, -1, [128]), (2.25, 1, [128, 512]), (2.875, -1, [128, 512]),
            (2, 1, [128, 512]), (3, -1, [128, 512]),
        ):  # fmt: skip
            assert side(problem, AT, mp.mpf(boundary)) == found and bits == looked_at and asked == []
            bits.clear()
        for boundary, found in ((2.5, 1), (2.75, -1), (2.625 - 2.0**-40, 1)):  # what they leave open
            assert side(problem, AT, mp.mpf(boundary)) == found and bits == [128, 512] and asked == [128]
            bits.clear(), asked.clear()

    def test_where_there_is_no_proof_mpmath_is_asked(self):
        problem, asked = made(2, ends=lambda point, precision: None)
        assert side(problem, AT, mp.mpf(1)) == 1 and asked == [128]

    def test_what_is_not_known_as_rational_is_never_equal(self):
        with pytest.raises(Undecided):
            side(made(1)[0], AT, mp.mpf(1))
        assert side(made(1, rational=lambda x: Fraction(1))[0], AT, mp.mpf(1)) == 0


class TestRounding:
    @pytest.mark.parametrize(("off", "rounded"), [(-1, 1.0), (1, 1 + 2.0**-23)])
    def test_next_to_a_midpoint_the_side_decides(self, off, rounded):
        problem, asked = made(0, lambda: 1 + two(-24) + off * two(-200))
        assert round_to(problem, F32, AT) == rounded
        assert asked == [128, 128, 256]  # neighbours are found at once, the side with twice the bits

    @pytest.mark.parametrize(("off", "rounded"), [(-1, 448.0), (1, np.nan)])
    def test_next_to_overflow_it_does_too(self, off, rounded):
        for sign in (1, -1):
            found = float(round_to(made(0, lambda sign=sign: sign * (464 + off * two(-200)))[0], E4M3, AT))
            assert found == sign * rounded or (np.isnan(found) and np.isnan(rounded))
        found = round_to(made(0, lambda: F64.max + two(970) + off * two(600))[0], F64, AT)
        assert found == (F64.max if off < 0 else np.inf)

    def test_an_enclosure_that_is_too_wide_is_not_taken(self):
        """At 128 bits it reaches from 44 to what overflows."""
        problem, asked = made(0, lambda: two(131) + 300, lambda: -two(131))
        assert round_to(problem, E4M3, AT) == 288 and asked[:2] == [128, 256]

    def test_what_overflows_to_nan_is_nan(self):
        assert np.isnan(round_to(made(1000)[0], E4M3, AT)) and round_to(made(1)[0], E4M3, AT) == 1

    def test_a_rational_value_is_rounded_as_it_is(self):
        problem, asked = made(0, rational=lambda x: 1 + Fraction(1, 2**24))
        assert round_to(problem, F32, AT) == 1 and asked == []


class TestTruth:
    def test_bits_are_doubled_where_terms_cancel(self):
        """Terms that are 3 together and k in size: the radius (16 k + 6) 2^-P must be 3 * 2^-161 at most."""
        most = 3 * two(27) - mp.mpf(0.375)
        for sizes, bits in ((most, [192]), (most + mp.mpf(0.125), [192, 384]), (two(40), [192, 384])):
            problem, asked = made(0, (sizes + 3) / 2, (3 - sizes) / 2)
            assert truth(problem, AT) == 3 and asked == bits

    def test_the_value_is_that_of_enough_bits(self):
        problem, asked = made(0, lambda: two(100) + mp.mpf(1) / 3, lambda: -two(100))
        with mp.workprec(1000):
            assert abs(truth(problem, AT) - mp.mpf(1) / 3) <= two(-162)
        assert asked == [192, 384]

    def test_infinite_and_zero_are_themselves(self):
        assert truth(made(0, mp.ninf)[0], AT) == -mp.inf
        assert truth(made(5, rational=lambda x: Fraction(0))[0], AT) == 0
        assert certified._in_binade(made(0)[0], AT, mp.mpf(0), 100) == 0

    @pytest.mark.parametrize(("away", "asked_for"), [(161, [192, 128]), (160, [192])])
    def test_only_next_to_a_power_of_two_its_side_is_asked(self, away, asked_for):
        problem, asked = made(1, lambda: two(-away))
        with mp.workprec(400):
            assert truth(problem, AT) == 1 + two(-away)
        assert asked == asked_for


@pytest.mark.parametrize("sign", [1, -1])
class TestBinades:
    """Of values about 4: a value that is within 2^-100 of it, and where the truth is."""

    def moved(self, sign, value, off, known=None, exact=4):
        """What a value becomes where the truth is 4 + off (or what is known), and the bits asked with."""
        rational = lambda x: None if known is None else Fraction(sign * known)  # noqa: E731
        problem, asked = made(sign * exact, lambda: sign * off, rational=rational)
        with mp.workprec(MANY):
            return sign * certified._in_binade(problem, AT, sign * value, 100), asked

    def test_a_value_that_is_not_near_is_left(self, sign):
        with mp.workprec(MANY):
            for value in (
                4 + 4 * two(-100) + two(-125),
                4 - 4 * two(-100) - two(-125),
                4 + 4 * two(-99),
                mp.mpf(6),
                mp.mpf(5),
            ):
                assert self.moved(sign, value, mp.mpf(1)) == (value, [])

    def test_near_is_up_to_the_distance_itself(self, sign):
        with mp.workprec(MANY):
            for value in (4 + 4 * two(-100), 4 - 4 * two(-100)):
                assert self.moved(sign, value, two(-50) if value > 4 else -two(-50)) == (value, [128])

    def test_what_is_on_the_right_side_is_left(self, sign):
        with mp.workprec(MANY):
            for off in (two(-110), -two(-110)):
                assert self.moved(sign, 4 + off, off / 2)[0] == 4 + off

    def test_what_is_below_and_should_not_be_becomes_the_power(self, sign):
        with mp.workprec(MANY):
            assert self.moved(sign, 4 - two(-110), two(-300))[0] == 4
            assert self.moved(sign, 4 - two(-110), two(-300), known=4)[0] == 4
            assert self.moved(sign, mp.mpf(4), two(-300), known=4)[0] == 4

    def test_what_is_above_and_should_be_below_keeps_what_it_lacks(self, sign):
        with mp.workprec(MANY):
            for value in (4 + two(-110), mp.mpf(4)):
                assert self.moved(sign, value, -two(-500))[0] == 4 - two(-500)
                assert self.moved(sign, value, -two(-9000))[0] == 4 * (1 - two(-8192))


class TestDigits:
    @pytest.mark.parametrize("off", [-1, 0, 1])
    @pytest.mark.parametrize(
        ("value", "digits", "written"),
        [
            (Fraction(55, 10), 3, "5.50"), (Fraction(105, 100), 2, "1.0"), (Fraction(115, 100), 2, "1.2"), (Fraction(99, 10), 25, "9." + "9" + "0" * 23),
            (Fraction(9999, 1000), 3, "1.00e+1"), (Fraction(9999, 1000), 1, "1e+1"), (Fraction(1), 4, "1.000"), (Fraction(-9996, 10), 3, "-1.00e+3"),
            (Fraction(10**24 - 1, 10**23), 24, "9." + "9" * 23), (Fraction(1, 8), 2, "1.2e-1"), (Fraction(123456789012345678901234), 25, "1.234567890123456789012340e+23"),
            (Fraction(123456789012345678901234), 23, "1.2345678901234567890123e+23"), (Fraction(25), 1, "2e+1"), (Fraction(1, 3), 25, "3." + "3" * 24 + "e-1"),
        ],
    )  # fmt: skip
    def test_a_logarithm_that_is_one_off_is_put_right(self, value, digits, written, off, monkeypatch):
        exponent = next(e for e in range(-3, 30) if abs(value) < Fraction(10) ** (e + 1))
        monkeypatch.setattr(certified, "_floor_log10", lambda v: exponent + off)
        assert decimal(value, digits) == written

    def test_the_logarithm_is_rounded_down(self):
        for value, exponent in ((5, 0), (Fraction(1, 2000), -4), (99, 1), (Fraction(101, 1000), -1)):
            assert certified._floor_log10(Fraction(value)) == exponent
        assert [certified._floor_log10(mp.mpf(v)) for v in (5, 0.0005, 99, 123456)] == [0, -4, 1, 5]

    def test_next_to_a_power_of_ten_of_more_digits_than_the_logarithm_has(self):
        assert decimal(Fraction(10**60 - 1, 10**59), 70) == "9." + "9" * 59 + "0" * 10
        assert decimal(Fraction(10**60 - 1, 10**59), 9) == "1.00000000e+1"

    @pytest.mark.parametrize("digits", [1, 5, 9, 25, 500, 1000])
    @pytest.mark.parametrize("exponent", [100_000, -100_000])
    def test_numbers_beyond_a_fraction_are_scaled(self, exponent, digits):
        """2^100000 = 9.99002093014384507944032764...e+30102, and 1 / 2^100000, by integers alone."""
        power = 30_102 + 1100
        whole = 2**100_000 // 10 ** (30_102 - 1100) if exponent > 0 else 10 ** (power + 1) // 2**100_000
        text = mpz(whole).digits()
        kept, rest = int(text[:digits]), text[digits:]
        kept += int(rest[0]) >= 5  # no tie: its digits go on
        ten = 30_102 if exponent > 0 else -30_103
        carried = len(str(kept)) > digits
        units = str(kept)[:digits]
        mantissa = units[0] + ("." + units[1:] if digits > 1 else "")
        assert decimal(two(exponent), digits) == f"{mantissa}e{ten + carried:+d}"

    def test_up_to_a_size_a_tie_and_what_is_beside_it_are_told_apart(self):
        """Of (n + 1/2) 10^4996 + 1 and a number of its size, for even n: it rounds up."""
        with mp.workprec(MANY):
            for n in range(12344, 12364, 2):
                tie = (10 * n + 5) * 10**4995
                beside = [mp.mpf(tie + off) for off in (-1, 0, 1)]
                with mp.workprec(53):
                    assert [certified._scaled(v, 5000, 5) for v in beside] == [n, n, n + 1]

    def test_fractions_are_exact_however_large(self):
        value = Fraction(10**6000, 3)
        assert decimal(value, 5) == "3.3333e+5999" and decimal(1 / value, 5) == "3.0000e-6000"
        assert decimal(Fraction(25 * 10**6000), 1) == "2e+6001" and decimal(Fraction(35 * 10**6000), 1) == "4e+6001"

    @pytest.mark.parametrize("exponent", [10**30, 10**31 + 7])
    def test_an_exponent_of_thirty_digits(self, exponent):
        with mp.workprec(300):
            tens = exponent * mp.log10(2)
            units = 10 ** (tens - mp.floor(tens))
            written = f"{mp.nstr(units, 9)}e+{mpz(int(mp.floor(tens))).digits()}"
        assert decimal(mp.ldexp(1, exponent), 9) == written

    def test_digits_beyond_nine_or_fewer(self):
        assert (significant(5, 1), significant(50, 1), significant(0.5, 1)) == ("5", "5e+1", "0.5")
        assert significant(mp.mpf(1) / 3, 12) == "0.333333333333"
        with mp.workprec(200):  # its nearest float64 is 7.998046875, a tie that would be rounded up
            below = mp.mpf("7.998046874999999966")
        assert (significant(below), significant(float(below))) == ("7.99804687", "7.99804688")


class TestRuler:
    def test_a_ruler_of_more_than_one(self):
        assert error_in_ulp(F32, 2.0**25 + 8, mp.ldexp(1, 25)) == 2

    def test_the_tail_of_the_exact_value_counts(self):
        with mp.workprec(MANY):
            assert error_in_ulp(F32, np.float32(1), 1 - two(-8192)) == two(-8192 + 24)
            assert error_in_ulp(F32, np.float32(0.5), two(-40_005)) == two(148)
            assert error_in_ulp(F32, np.float32(0), two(-40_005)) == two(149 - 40_005)
