"""Formats at their edges, in values written out: limits, value order, rounding, and every byte of the text of a number.

benchmarks/mutants.py makes small slips in harness/numbers/formats.py, and what is here must notice.
"""

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from mpmath import mp

from harness import UsageError
from harness.numbers.formats import (
    CELL_FRACTION_BITS,
    FORMATS,
    floor_log2,
    format_named,
    format_of,
    parse_exact,
    round_half_even,
    to_fraction,
)

E4M3, E5M2, F16, BF16, F32, F64 = FORMATS.values()


def test_names_and_limits_are_those_of_the_types():
    assert list(FORMATS) == ["float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float32", "float64"]
    for name, fmt in FORMATS.items():
        info = ml_dtypes.finfo(fmt.dtype)
        assert fmt.name == name == str(fmt.dtype) and fmt.bits == info.bits == 8 * fmt.unsigned.itemsize
        assert fmt.unsigned.kind == "u" and fmt.has_inf == (name != "float8_e4m3fn")
        assert fmt.precision == info.nmant + 1 and fmt.machine_epsilon == float(info.eps)
        assert fmt.max == float(info.max) and fmt.min_normal == float(info.smallest_normal)
        assert fmt.smallest_subnormal == float(info.smallest_subnormal)
        assert format_of(fmt.dtype) is format_named(name) is fmt
    assert [f.max_ordinal for f in FORMATS.values()] == [126, 123, 31743, 32639, 2139095039, 9218868437227405311]
    assert [f.cell_shift for f in FORMATS.values()] == [0, 0, 7, 4, 20, 49] and CELL_FRACTION_BITS == 3


def test_a_format_is_not_changed():
    with pytest.raises(AttributeError):
        F32.precision = 25


def test_unknown_formats_are_refused():
    with pytest.raises(UsageError, match=r"unknown format 'float33'; known formats: .*float32"):
        format_named("float33")
    with pytest.raises(UsageError, match=r"int32 is not a known format; known formats: float8_e4m3fn, float8_e5m2"):
        format_of(np.dtype(np.int32))


class TestOrder:
    @pytest.mark.parametrize("fmt", [E4M3, E5M2], ids=lambda f: f.name)
    def test_every_pattern_of_eight_bits(self, fmt):
        patterns = np.arange(256, dtype=np.uint8)
        ordinals = fmt.ordinal(patterns.view(fmt.dtype))
        assert ordinals.tolist() == [*range(128), *range(-1, -129, -1)] and ordinals.dtype == np.int64
        assert fmt.from_ordinal(ordinals).view(np.uint8).tolist() == patterns.tolist()

    def test_ordinals_count_from_zero_both_ways(self):
        values = np.array([0.0, -0.0, 1.0, -1.0, 2.0**-149, -(2.0**-149)], np.float32)
        assert F32.ordinal(values).tolist() == [0, -1, 0x3F800000, -1 - 0x3F800000, 1, -2]
        assert F64.ordinal(np.array([1.0, -1.0])).tolist() == [0x3FF << 52, -1 - (0x3FF << 52)]
        assert F32.step(np.array([1.0, 0.0], np.float32), 2).tolist() == [1 + 2.0**-22, 2.0**-148]
        assert F32.step(np.array([0.0], np.float32), -2).tolist() == [-(2.0**-149)]

    def test_neighbours(self):
        assert (F16.next_up(1.0), F16.next_down(1.0)) == (1 + 2.0**-10, 1 - 2.0**-11)
        assert (F16.next_up(-1.0), F16.next_down(-1.0)) == (-1 + 2.0**-11, -1 - 2.0**-10)
        for zero in (0.0, -0.0):
            assert (F16.next_up(zero), F16.next_down(zero)) == (2.0**-24, -(2.0**-24))
        for fmt in (E4M3, F16, F64):
            below = fmt.next_down(fmt.max)
            assert below < fmt.max and fmt.next_up(below) == fmt.max and fmt.next_down(-below) == -fmt.max
            assert (fmt.next_up(fmt.max), fmt.next_down(-fmt.max)) == (math.inf, -math.inf)
            assert fmt.next_up(-fmt.max) == -below

    def test_a_cell_has_the_leading_bits(self):
        assert F16.cell(F16.ordinal(np.array([1.0, 1.124, 1.125, -1.0], np.float16))).tolist() == [120, 120, 121, -121]
        assert E5M2.cell(np.array([5, -5])).tolist() == [5, -5]

    def test_a_range_of_numbers_has_both_its_ends(self):
        assert F16.finite_ordinals() == (-31744, 31744)
        assert F16.finite_ordinals(lo=1.0) == (0x3C00, 31744) and F16.finite_ordinals(hi=1.0) == (-31744, 0x3C01)
        assert F16.finite_ordinals(-1.0, 2.0) == (-1 - 0x3C00, 0x4001)


class TestRounding:
    @pytest.mark.parametrize(
        ("fmt", "value", "rounded"),
        [
            (F16, Fraction(2049), 2048.0), (F16, Fraction(2051), 2052.0), (F16, 2 - Fraction(1, 2**40), 2.0),
            (F16, Fraction(65519), 65504.0), (F16, Fraction(65520), math.inf), (F16, Fraction(-65520), -math.inf),
            (F16, Fraction(1, 2**25), 0.0), (F16, Fraction(3, 2**25), 2.0**-23), (F16, Fraction(33, 2**30), 2.0**-25 * 2),
            (F16, -Fraction(3, 2**26), -(2.0**-24)), (F16, 2.0**-14 - 2.0**-26, 2.0**-14), (F16, 0.1, 0.0999755859375),
            (F16, mp.mpf(1) / 3, 0.333251953125), (F16, "0.1", 0.0999755859375), (F16, "-0x1.002p+0", -1.0),
            (F16, "0x1.006p+0", 1.001953125), (F16, 65504.0, 65504.0), (E5M2, Fraction(61439), 57344.0), (E5M2, Fraction(61440), math.inf),
            (E4M3, Fraction(463), 448.0), (E4M3, Fraction(-464), -448.0), (F32, Fraction(2**128), math.inf),
            (F32, Fraction(2**25 + 3), 2.0**25 + 4), (F64, Fraction(2**53 + 1), 2.0**53), (F64, Fraction(2**53 + 3), 2.0**53 + 4),
            (F64, "inf", math.inf), (F64, " -Infinity ", -math.inf), (F64, "+INF", math.inf), (F64, mp.inf, math.inf),
            (F64, -math.inf, -math.inf), (F32, "1e-46", 0.0), (F32, "1e39", math.inf), (F32, "-1e39", -math.inf),
        ],
    )  # fmt: skip
    def test_to_nearest_even_once(self, fmt, value, rounded):
        found = fmt.round(value)
        assert float(found) == rounded and found.dtype == fmt.dtype

    def test_the_sign_of_zero_is_that_of_the_text(self):
        for text, sign in (("0", 1), ("-0", -1), (" -0.0 ", -1), ("-1e-99", -1), ("1e-99", 1), ("0x0p+0", 1)):
            found = F32.round(text)
            assert found == 0 and math.copysign(1, found) == sign
        assert math.copysign(1, F32.round(Fraction(-1, 10**99))) == -1 and math.copysign(1, F32.round(Fraction(0))) == 1

    def test_what_overflows_where_there_is_no_infinity_is_nan(self):
        assert all(math.isnan(float(E4M3.round(v))) for v in (Fraction(480), Fraction(-480), math.nan, "nan", "-NaN"))
        assert math.isnan(F32.round("nan")) and math.isnan(F32.round(mp.nan))

    def test_the_middle_of_neighbours(self):
        for a, b in ((1.0, 1.0009765625), (-1.0, -1.0009765625), (0.0, 2.0**-24), (-0.0, -(2.0**-24))):
            for one, other in ((a, b), (b, a)):
                assert F16.midpoint(np.float16(one), np.float16(other)) == mp.mpf(a + b) / 2
        assert F16.midpoint(np.float16(65504), np.float16(np.inf)) == 65520
        assert F16.midpoint(np.float16(-np.inf), np.float16(-65504)) == -65520
        assert F64.midpoint(np.float64(F64.max), np.float64(np.inf)) == mp.ldexp(2**54 - 1, 970)
        largest, nothing = np.array([448.0, np.nan]).astype(E4M3.dtype)
        assert E4M3.midpoint(largest, nothing) == 464 and E4M3.midpoint(nothing, -largest) == -464

    def test_the_unit_in_the_last_place(self):
        assert [F16.ulp(v) for v in (1.0, 0.999, -2.0, 2.0**-14, 2.0**-15, 0.0)] == [
            Fraction(1, 2**n) for n in (10, 11, 9, 24, 24, 24)
        ]
        assert F64.ulp(mp.mpf(3)) == F64.ulp(Fraction(7, 2)) == Fraction(1, 2**51)

    def test_integers(self):
        assert [round_half_even(Fraction(n, 8), -1) for n in (1, 2, 3, 5, 6, 7, 9)] == [0, 0, 1, 1, 2, 2, 2]
        assert [round_half_even(Fraction(n), 3) for n in (3, 4, 5, 11, 12, 13)] == [0, 0, 1, 1, 2, 2]
        assert [round_half_even(Fraction(n, 2), 0) for n in (0, 1, 2, 3)] == [0, 0, 1, 2]

    def test_logarithms(self):
        values = (
            1,
            2,
            3,
            4,
            Fraction(3, 4),
            Fraction(1, 2),
            Fraction(1, 3),
            Fraction(5, 4),
            Fraction(7, 8),
            -8,
            Fraction(-9, 10),
        )
        assert [floor_log2(Fraction(v)) for v in values] == [0, 1, 1, 2, -1, -1, -2, 0, -1, 3, -1]


class TestText:
    @pytest.mark.parametrize(
        ("fmt", "value", "written"),
        [
            (F32, 1.0, "0x1p+0"), (F32, -1.5, "-0x1.8p+0"), (F32, 0.1, "0x1.99999ap-4"), (F32, 16.0, "0x1p+4"), (F32, 0.0, "0x0p+0"),
            (F32, -0.0, "-0x0p+0"), (F32, 2.0**-149, "0x1p-149"), (F32, F32.max, "0x1.fffffep+127"), (F64, 0.1, "0x1.999999999999ap-4"),
            (F64, 2.0**-1074, "0x0.0000000000001p-1022"), (F64, 1 + 2.0**-52, "0x1.0000000000001p+0"), (F32, 1.0625, "0x1.1p+0"),
            (F16, 1 + 2.0**-10, "0x1.004p+0"), (F64, math.inf, "inf"), (F64, -math.inf, "-inf"), (F64, math.nan, "nan"),
        ],
    )  # fmt: skip
    def test_hex_to_the_byte(self, fmt, value, written):
        given = np.array(value).astype(fmt.dtype)[()]
        assert fmt.hex(given) == written and (math.isnan(value) or fmt.parse(written) == given)

    @pytest.mark.parametrize(
        ("fmt", "value", "written"),
        [
            (F32, 0.1, "0.1"), (F32, 2.0, "2"), (F32, -0.0, "0"), (F32, 1 / 3, "0.33333334"), (F32, 2.0**-149, "1e-45"), (F16, 0.1, "0.1"),
            (F16, 1 / 3, "0.3333"), (F64, 0.1 + 0.2, "0.30000000000000004"), (F64, 1e16, "1e+16"), (F64, 9007199254740993, "9007199254740992"),
            (F64, 1e15, "1000000000000000"), (F64, -1e16, "-1e+16"), (F64, -2.5, "-2.5"), (F64, 1e22, "1e+22"), (F64, 1e-5, "1e-05"),
            (E5M2, 57344.0, "57344"), (F64, 2.0**-1074, "5e-324"), (F64, 9999999999999998.0, "9999999999999998"),
        ],
    )  # fmt: skip
    def test_short_to_the_byte(self, fmt, value, written):
        assert fmt.short(np.array(value).astype(fmt.dtype)[()]) == written

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("0x1.8p+3", 12), ("0X1.8P3", 12), ("-0x.8p-1", Fraction(-1, 4)), ("+0xff", 255), ("0x1.p0", 1), ("0x10.01p-4", 1 + Fraction(1, 4096)),
            (" 0x1p-0001 ", Fraction(1, 2)), ("0.5", Fraction(1, 2)), (".5", Fraction(1, 2)), ("5.", 5), ("-1.25e2", -125),
            ("+1E-3", Fraction(1, 1000)), ("12.5e+0001", 125), ("0.1", Fraction(1, 10)), ("1e000003", 1000), ("-0", 0),
            ("1" * 5000, Fraction(10**5000 - 1, 9)), ("1e123456", Fraction(10) ** 123456), ("0x1p999999", Fraction(2) ** 999999),
        ],
    )  # fmt: skip
    def test_numbers_are_read_exactly(self, text, value):
        assert parse_exact(text) == value

    @pytest.mark.parametrize(
        "text",
        [
            "",
            ".",
            "0x",
            "0x.",
            "0x.p1",
            "1e",
            "e5",
            "1e1234567",
            "0x1p1234567",
            "0x1p",
            "1.2.3",
            "--1",
            "inf",
            "1 2",
            "x" * 50,
        ],
    )
    def test_other_texts_are_refused(self, text):
        said = f"{text[:40]!r} is not a number; write a decimal such as 0.5 or a hex float such as 0x1p-1"
        with pytest.raises(UsageError) as refused:
            parse_exact(text)
        assert str(refused.value) == said

    def test_mpf_numbers_are_fractions_within_what_memory_holds(self):
        assert (
            to_fraction(mp.mpf(-0.375)) == Fraction(-3, 8)
            and to_fraction(mp.mpf(1.5)) == Fraction(3, 2)
            and to_fraction(mp.mpf(12)) == 12
            and to_fraction(mp.mpf(0)) == 0
        )
        assert to_fraction(0.1) == Fraction(0.1) and to_fraction(Fraction(1, 3)) == Fraction(1, 3)
        for exponent, within in ((39998, True), (39999, False), (-40002, True), (-40003, False)):
            bound = Fraction(2) ** (40000 if exponent > 0 else -40000)
            exact = 3 * Fraction(2) ** exponent
            assert to_fraction(mp.ldexp(3, exponent)) == (exact if within else bound)
            assert to_fraction(mp.ldexp(-3, exponent)) == -(exact if within else bound)

    def test_an_integer_of_many_bits_is_large(self):
        """Its last bit is 1, so that its exponent is 0."""
        with mp.workprec(40_010):
            assert to_fraction(mp.ldexp(1, 40_005) + 1) == Fraction(2) ** 40000
            assert to_fraction(mp.ldexp(1, 39_998) + 1) == 2**39_998 + 1
