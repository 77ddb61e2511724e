"""Formats: exhaustively in 8 and 16 bits, by properties in 32 and 64."""

import math
import struct
from fractions import Fraction
from itertools import pairwise

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import UsageError
from harness.numbers.formats import FORMATS, Format, floor_log2, format_named, parse_exact

SMALL = [f for f in FORMATS.values() if f.bits <= 16]
LARGE = [f for f in FORMATS.values() if f.bits > 16]


def finite(fmt):
    """Return every finite number of a small format in its own order."""
    return fmt.from_ordinal(np.arange(*fmt.finite_ordinals()))


def fraction(value):
    return Fraction(float(value))


def nearest(fmt, v):
    """Round a fraction by its definition: the nearest of all numbers, the even pattern at a tie."""
    numbers = finite(fmt)
    values = numbers.astype(float)
    at = int(np.searchsorted(values, float(v)))
    around = range(max(0, at - 3), min(len(values), at + 4))
    least = min(abs(fraction(values[i]) - v) for i in around)
    ties = [i for i in around if abs(fraction(values[i]) - v) == least]
    even = [i for i in ties if int(numbers[i : i + 1].view(fmt.unsigned)[0]) % 2 == 0]
    return values[(even or ties)[0]]


@pytest.mark.parametrize("fmt", SMALL, ids=lambda f: f.name)
class TestEveryNumber:
    def test_ordinals_are_a_bijection_in_order(self, fmt):
        start, stop = fmt.finite_ordinals()
        ordinals, values = np.arange(start, stop), finite(fmt).astype(float)
        assert np.array_equal(fmt.ordinal(finite(fmt)), ordinals)
        assert np.isfinite(values).all() and values[-1] == fmt.max == float(ml_dtypes.finfo(fmt.dtype).max)
        assert (np.diff(values) >= 0).all() and np.count_nonzero(np.diff(values) == 0) == 1  # the zeros

    def test_limits(self, fmt):
        info = ml_dtypes.finfo(fmt.dtype)
        assert fmt.machine_epsilon == float(info.eps)
        assert fmt.min_normal == float(info.smallest_normal)
        assert fmt.smallest_subnormal == float(info.smallest_subnormal)

    def test_rounding_what_is_representable_changes_nothing(self, fmt):
        for v in finite(fmt)[:: 1 if fmt.bits == 8 else 7]:
            assert fmt.round(float(v)) == v and fmt.parse(fmt.hex(v)) == v and fmt.parse(fmt.short(v)) == v

    def test_midpoints_go_to_even_and_their_neighbours_to_the_nearest(self, fmt):
        values = np.unique(finite(fmt).astype(float))
        step = max(1, len(values) // 400)
        for a, b in zip(values[:-1:step], values[1::step]):
            middle = (fraction(a) + fraction(b)) / 2
            tiny = (fraction(b) - fraction(a)) / 2**80
            for v in (middle - tiny, middle, middle + tiny):
                assert float(fmt.round(v)) == nearest(fmt, v), (a, b)

    def test_ulp_is_the_distance_to_the_next_number(self, fmt):
        values = np.unique(abs(finite(fmt).astype(float)))
        for a, b in pairwise(values):
            assert fmt.ulp(a) == fraction(b) - fraction(a)
            assert fmt.ulp((fraction(a) + fraction(b)) / 2) == fmt.ulp(a)

    def test_neighbours(self, fmt):
        values = np.unique(finite(fmt).astype(float))
        for a, b in list(pairwise(values))[:: 1 if fmt.bits == 8 else 5]:
            assert (fmt.next_up(a), fmt.next_down(b)) == (b, a)
        assert fmt.next_up(fmt.max) == math.inf and fmt.next_down(-fmt.max) == -math.inf

    def test_cells_share_sign_exponent_and_three_bits(self, fmt):
        values = finite(fmt)
        cells = fmt.cell(fmt.ordinal(values))
        assert (np.diff(cells) >= 0).all()
        patterns = values.view(fmt.unsigned) >> fmt.cell_shift
        assert len(np.unique(cells)) == len(np.unique(patterns))
        normal = (values.astype(float) >= 1) & (values.astype(float) < 2)
        assert len(np.unique(cells[normal])) == min(8, 2 ** (fmt.precision - 1))


def test_a_ruler_taken_in_the_wrong_binade_is_noticed():
    """Negative control: at a power of two the ulp below is half of the ulp above."""
    fmt = FORMATS["float16"]
    below = Fraction(1) - Fraction(1, 2**30)
    assert fmt.ulp(below) == fmt.ulp(1.0) / 2


@pytest.mark.parametrize("fmt", LARGE, ids=lambda f: f.name)
class TestLargeFormats:
    @given(data=st.data())
    def test_against_numpy(self, fmt, data):
        width = 32 if fmt.bits == 32 else 64
        v = data.draw(st.floats(width=width, allow_nan=False, allow_infinity=False))
        x = np.array([v]).astype(fmt.dtype)
        assert fmt.from_ordinal(fmt.ordinal(x)).tobytes() == x.tobytes()
        up = float(np.nextafter(x[0], fmt.dtype.type(np.inf)))
        assert fmt.next_up(v) == up
        assert float(fmt.round(v)) == v and float(fmt.parse(fmt.hex(v))) == v and float(fmt.parse(fmt.short(v))) == v
        if v and abs(v) < fmt.max:
            assert fmt.ulp(v) == fraction(np.spacing(abs(x[0])))

    @given(v=st.fractions(min_value=-(10**30), max_value=10**30))
    def test_rounding_is_nearest(self, fmt, v):
        r = fraction(fmt.round(v))
        assert abs(r - v) <= fmt.ulp(v) / 2
        if fmt.bits == 64:
            assert float(r) == float(v)  # Python divides integers with one rounding

    @given(x=st.floats(min_value=1e-30, max_value=1e30))
    def test_round_of_mpf_does_not_round_twice(self, fmt, x):
        """A value next to a midpoint of the format by less than float64 can hold."""
        a = fraction(fmt.round(x))
        middle = a + fmt.ulp(a) / 2
        with mpmath.workprec(300):
            exact = mpmath.mpf(middle.numerator) / middle.denominator
            up, down = exact * (1 + mpmath.mpf(2) ** -120), exact * (1 - mpmath.mpf(2) ** -120)
            assert fraction(fmt.round(down)) == a
            assert fraction(fmt.round(up)) == a + fmt.ulp(a)


def test_subnormals_of_float64_are_rounded_once():
    fmt, least = FORMATS["float64"], Fraction(1, 2**1074)
    for k in range(1, 40):
        for num, expected in (
            (Fraction(2 * k + 1, 2) - Fraction(1, 2**70), k),
            (Fraction(2 * k + 1, 2) + Fraction(1, 2**70), k + 1),
        ):
            assert fraction(fmt.round(num * least)) == expected * least


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.1", Fraction(1, 10)), ("-1e-3", Fraction(-1, 1000)), ("0x1.8p+3", Fraction(12)), ("0x.8p0", Fraction(1, 2)), (".5", Fraction(1, 2))],
)  # fmt: skip
def test_numbers_are_read_exactly(text, value):
    assert parse_exact(text) == value


@pytest.mark.parametrize("text", ["", "one", "0x", "1e", "1_0", "0x1.8q3", "--1", "1e9999999999"])
def test_what_is_not_a_number_is_named(text):
    with pytest.raises(UsageError, match="not a number"):
        parse_exact(text)


def test_unknown_format_lists_the_known():
    with pytest.raises(UsageError, match="known formats: float8_e4m3fn"):
        format_named("float128")


@given(n=st.integers(1, 10**40), d=st.integers(1, 10**40))
def test_floor_log2(n, d):
    v = Fraction(n, d)
    assert Fraction(2) ** floor_log2(v) <= v < Fraction(2) ** (floor_log2(v) + 1)


def test_hex_is_c99():
    fmt = FORMATS["float64"]
    assert (fmt.hex(12.0), fmt.hex(-0.0), fmt.hex(0.1)) == ("0x1.8p+3", "-0x0p+0", "0x1.999999999999ap-4")
    assert struct.pack("d", float.fromhex(fmt.hex(5e-324))) == struct.pack("d", 5e-324)


def test_overflow():
    for fmt in FORMATS.values():
        beyond = fraction(fmt.max) + fmt.ulp(fmt.max) / 2
        expected = math.inf if fmt.has_inf else math.nan
        assert float(fmt.round(beyond - fmt.ulp(fmt.max) / 1024)) == fmt.max
        assert str(float(fmt.round(beyond + fmt.ulp(fmt.max) / 1024))) == str(expected)
        assert isinstance(fmt, Format)
