"""The wide formats at their edges: conversions, splittings and rulers of float64 and of 113 bits, against exact numbers.

benchmarks/mutants.py makes small slips in harness/numbers/wide.py, and what is here must notice.
"""

from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp

from harness.numbers import wide
from harness.numbers.formats import FORMATS, to_fraction
from harness.numbers.wide import FLOAT64, exact_mpf, power_two, quad

QUAD = quad()
BOTH = pytest.mark.parametrize("dtype", [FLOAT64, QUAD], ids=["float64", "quad"])


def quads(*values):
    """Numbers of 113 bits: exact sums of float64 numbers, each given as a tuple of them."""
    parts = [v if isinstance(v, tuple) else (v,) for v in values]
    return sum_of(
        np.array([p[k] if k < len(p) else 0.0 for p in parts]).astype(QUAD) for k in range(max(map(len, parts)))
    )


def sum_of(arrays):
    """The sum of arrays, in order."""
    first, *others = arrays
    for a in others:
        first = first + a
    return first


def exactly(values):
    """Fractions of numbers of a wide format."""
    return [to_fraction(exact_mpf(v)) for v in values]


def test_each_working_format_has_its_wide_one():
    assert [wide.wide_dtype(f) == QUAD for f in FORMATS.values()] == [False] * 5 + [True]


@BOTH
def test_powers_of_two_are_exact_over_the_whole_range(dtype):
    far = 1000 if dtype == FLOAT64 else 16000
    for e in (0, 1, -1, 15, -17, 53, far, -far, far - 3):
        assert exactly([power_two(e, dtype)]) == [Fraction(2) ** e]
    assert exactly([wide.tiny(dtype), wide.huge(dtype)]) == (
        [Fraction(2) ** -1000, Fraction(2) ** 1000]
        if dtype == FLOAT64
        else [Fraction(2) ** -1800, Fraction(2) ** 16000]
    )


class TestWidened:
    def test_every_kind_of_number_is_itself(self):
        values = [1.0, -1.0, 0.1, -3.5e300, 2.0**-1022, -(2.0**-1022), 1 + 2.0**-52, 1.7976931348623157e308]
        with_ends = [*values, 0.0, 2.0**-1074, -(2.0**-1023), 5.0]
        for given in (values, with_ends):
            found = wide.widened(np.array([given]), QUAD)
            assert found.shape == (1, len(given)) and found.dtype == QUAD
            assert exactly(found[0]) == [Fraction(v) for v in given]
        ends = wide.widened(np.array([np.inf, -np.inf, np.nan, 1.0]), QUAD).astype(float)
        assert ends[:2].tolist() == [np.inf, -np.inf] and np.isnan(ends[2]) and ends[3] == 1
        assert wide.widened(np.array([1.5], np.float16), FLOAT64).tolist() == [1.5]
        assert wide.widened(np.array([[2.0], [3.0]]), QUAD).astype(float).tolist() == [[2.0], [3.0]]
        assert wide.widened(np.array([]), QUAD).shape == (0,)

    @pytest.mark.parametrize(
        "value", [np.inf, -np.inf, 0.0, -0.0, 2.0**-1023, -(2.0**-1074), 2.0**-1022, 1.9 * 2.0**1023]
    )
    def test_each_alone_is_itself(self, value):
        """Without another beside it for which the plain conversion is asked."""
        found = wide.widened(np.array([value]), QUAD).astype(float)
        assert found.tolist() == [value] and np.signbit(found).tolist() == [np.signbit(value)]
        assert not np.isfinite(value) or exactly(wide.widened(np.array([value]), QUAD)) == [Fraction(value)]

    def test_numbers_with_all_their_bits_are_not_converted_by_numpy(self):
        """Which takes many times as long; what is beyond them, at either end, is."""

        class Asked(np.ndarray):
            def astype(self, *_, **__):
                raise LookupError

        for ordinary in ([2.0**-1022, 1.0], [1.9 * 2.0**1023, 1.0], [-(2.0**-1022)], [0.1, -3.0]):
            found = wide.widened(np.array([ordinary]).view(Asked), QUAD)
            assert exactly(found[0]) == [Fraction(v) for v in ordinary]
        for other in (0.0, 2.0**-1023, np.inf, np.nan):
            with pytest.raises(LookupError):
                wide.widened(np.array([[1.0, other]]).view(Asked), QUAD)


class TestScalars:
    def test_to_mpmath_exactly(self):
        values = quads((1.0, 2.0**-112), (-3.0, 2.0**-100), 0.0, 2.0**-1074)
        assert exactly(values) == [
            1 + Fraction(1, 2**112), -3 + Fraction(1, 2**100), 0, Fraction(1, 2**1074),
        ]  # fmt: skip
        assert exact_mpf(0.1) == mp.mpf(0.1) and exact_mpf(np.float32(0.1)) == mp.mpf(float(np.float32(0.1)))
        low = power_two(-8000, QUAD) * power_two(-8382, QUAD)
        assert exactly([low, low * 2.0**-1, low * 2.0**-112]) == [Fraction(2) ** e for e in (-16382, -16383, -16494)]

    def test_fields(self):
        assert wide.quad_fields(quads(1.0)[0:1]) == (0, -112, 1 << 112)
        assert wide.quad_fields(quads((-1.5, -(2.0**-112)))) == (1, -112, (3 << 111) + 1)
        assert wide.quad_fields(quads(0.0)) == (0, -16494, 0)

    def test_from_mpmath(self):
        with mp.workprec(200):
            third = mp.mpf(1) / 3
            assert wide.from_mpf(third, FLOAT64) == float(third)
            assert abs(exact_mpf(wide.from_mpf(third, QUAD)) - third) <= mp.ldexp(third, -112)
            assert exactly([wide.from_mpf(1 + mp.ldexp(1, -60) + mp.ldexp(1, -112), QUAD)]) == [
                1 + Fraction(1, 2**60) + Fraction(1, 2**112)
            ]


@BOTH
class TestFunctions:
    def test_near_zero_no_library_is_asked(self, dtype, monkeypatch):
        bits = 54 if dtype == FLOAT64 else 114
        x = np.array([2.0**-bits, -(2.0**-bits), 0.0]).astype(dtype)
        asked = []

        def without(name):
            def call(x, out, where):
                asked.extend(np.asarray(where).tolist())
                return out

            monkeypatch.setattr(np, name, call)

        for name in ("exp", "log1p", "expm1"):
            without(name)
        assert wide.exp(x).astype(float).tolist() == [1.0] * 3
        assert wide.log1p(x).astype(float).tolist() == wide.expm1(x).astype(float).tolist() == x.astype(float).tolist()
        assert asked == [False] * 9
        wide.exp(np.array([1.5 * 2.0**-bits, -(2.0 ** (1 - bits)), 1.0]).astype(dtype))
        assert asked[9:] == [True] * 3

    def test_elsewhere_it_is(self, dtype):
        x = np.array([1.0, -0.5]).astype(dtype)
        for ours, theirs in ((wide.exp, mp.exp), (wide.log1p, mp.log1p), (wide.expm1, mp.expm1)):
            with mp.workprec(200):
                for v, found in zip((1, -0.5), ours(x)):
                    assert abs(exact_mpf(found) / theirs(mp.mpf(v)) - 1) < (2.0**-51 if dtype == FLOAT64 else 2.0**-110)

    def test_products_and_sums_in_two_parts_are_exact(self, dtype):
        rng = np.random.default_rng(1)
        a, b = (rng.standard_normal(40).astype(dtype) / 3 * np.array(2.0**s).astype(dtype) for s in (0, 5))
        for function, exact in ((wide.product, lambda x, y: x * y), (wide.total, lambda x, y: x + y)):
            whole, rest = function(a, b)
            for x, y, w, r in zip(exactly(a), exactly(b), exactly(whole), exactly(rest)):
                assert w + r == exact(x, y) and abs(r) * 2 ** (52 if dtype == FLOAT64 else 112) <= abs(w)
            assert (rest != 0).any()

    def test_a_product_beyond_the_range_has_no_second_part(self, dtype):
        """Where splitting a factor would overflow."""
        large = power_two(1020, dtype) if dtype == FLOAT64 else power_two(16000, dtype) * power_two(370, dtype)
        whole, rest = wide.product(np.array([large * 1.5]), np.array([1.25]).astype(dtype))
        assert whole[0] == large * 1.875 and rest[0] == 0

    def test_every_bit_of_the_factors_counts(self, dtype):
        """Factors of random bits, so that a half of a bit too many makes a product that is rounded."""
        rng, bits = np.random.default_rng(2), 53 if dtype == FLOAT64 else 113
        a, b = (
            sum_of(
                (1 + rng.integers(0, 2**24, 400) / 2**24).astype(dtype) * power_two(-24 * k, dtype) for k in range(5)
            )
            for _ in range(2)
        )
        whole, rest = wide.product(a, b)
        assert max(f.numerator for f in exactly(a)).bit_length() >= bits - 1  # their last bits are not all 0
        assert [w + r for w, r in zip(exactly(whole), exactly(rest))] == [x * y for x, y in zip(exactly(a), exactly(b))]

    def test_of_an_infinite_product_nothing_more_is_known(self, dtype):
        whole, rest = wide.product(np.array([np.inf]).astype(dtype), np.array([1.5]).astype(dtype))
        assert whole[0] == np.inf and np.isnan(rest[0])

    def test_a_shape_is_kept(self, dtype):
        fmt = FORMATS["float32" if dtype == FLOAT64 else "float64"]
        values = np.array([[1.0, 3.0], [0.5, 8.0]]).astype(dtype)
        for found in (wide.power_of_two_below(values), wide.ulp_of(values, fmt) / power_two(1 - fmt.precision, dtype)):
            assert found.astype(float).tolist() == [[1.0, 2.0], [0.5, 8.0]]

    def test_rulers(self, dtype):
        fmt = FORMATS["float32" if dtype == FLOAT64 else "float64"]
        p, emin, far = fmt.precision, fmt.emin, 1000 if dtype == FLOAT64 else 15000
        values = np.array([1.0, 1.5, -1.9999999, 0.5, 0.4999999, 0.0]).astype(dtype)
        ends = np.array([power_two(e, dtype) for e in (emin, emin - 1, emin + 1, far)])
        assert exactly(wide.power_of_two_below(abs(values[:5]))) == [1, 1, 1, Fraction(1, 2), Fraction(1, 4)]
        least = Fraction(2) ** (emin + 1 - p)
        ulp = Fraction(2) ** (1 - p)
        assert exactly(wide.ulp_of(abs(values), fmt)) == [ulp, ulp, ulp, ulp / 2, ulp / 4, least]
        assert exactly(wide.ulp_of(ends, fmt)) == [least, least, 2 * least, Fraction(2) ** (far + 1 - p)]
        assert exactly(wide.ulp_of(np.array([np.inf]).astype(dtype), fmt)) == [
            Fraction(2) ** ((1023 if dtype == FLOAT64 else 16000) + 1 - p)
        ]

    def test_what_is_near_a_power_of_two(self, dtype):
        bits, last = (40, 52) if dtype == FLOAT64 else (100, 112)
        reach = 1 << (last + 1 - bits)

        def near(steps, power=1.0):
            one = np.array([power]).astype(dtype)
            unit = power_two(-last if steps >= 0 else -last - 1, dtype)
            return wide.near_power(one + np.array([float(steps)]).astype(dtype) * unit * one, bits).tolist() == [True]

        assert near(0) and near(reach - 1) and near(1 - reach) and near(-reach)
        assert not near(reach) and not near(reach + 1) and not near(-reach - 1) and not near(1 << (last - 1))
        assert near(reach - 1, 8.0) and not near(reach, 8.0) and near(-reach, 0.25) and not near(-reach - 1, 0.25)
        assert dtype == FLOAT64 or not (near(1 << 64) or near(-(1 << 65)))  # a bit of the high word alone
        assert wide.near_power(np.array([0.0, np.inf, 1.5, -1.0]).astype(dtype), bits).tolist() == [
            True,
            True,
            False,
            True,
        ]


class TestHighAndLow:
    def test_exponents(self):
        assert wide.exponents(quads(1.0, 2.0, 0.25, 2.0**-1000)).tolist() == [0, 1, -2, -1000]

    def test_high_is_the_nearest_and_low_the_rest_in_ulps(self):
        given = [(1.0, 2.0**-53, 2.0**-112), (1.0, 2.0**-53), (1 + 2.0**-52, 2.0**-53), (-1.0, -(2.0**-54)), (3.0, 2.0**-52, -(2.0**-110)),
                 (2.0, -(2.0**-60)), (0.1, 2.0**-60), (-0.1, 2.0**-100), (2.0**-1000, 2.0**-1060), (2.0**1000, -(2.0**940))]  # fmt: skip
        values = quads(*given)
        ulps = wide.ulp_of(abs(values), FORMATS["float64"])
        high, low = wide.high_and_low(values, ulps)
        for v, u, h, rest in zip(exactly(values), exactly(ulps), high, low):
            assert h == float(FORMATS["float64"].round(v))
            assert abs(Fraction(rest) * u - (v - Fraction(h))) <= abs(v - Fraction(h)) * Fraction(1, 2**53)

    def test_at_the_ends(self):
        least = power_two(-1074, QUAD)
        values = np.array(
            [
                least / 4,
                least * 1.5,
                power_two(1030, QUAD),
                np.array(np.inf).astype(QUAD)[()],
                quads(1.0)[0],
                quads(-0.0)[0],
            ]
        )
        ulps = np.array([least, least, power_two(978, QUAD), power_two(971, QUAD), power_two(-52, QUAD), least])
        high, low = wide.high_and_low(values, ulps)
        largest = np.finfo(float).max
        assert high.tolist() == [0.0, 2.0**-1073, largest, np.inf, 1.0, 0.0]
        assert low[[0, 1, 4, 5]].tolist() == [0.25, -0.5, 0.0, 0.0]
        assert low[2] == float((Fraction(2) ** 1030 - Fraction(largest)) / Fraction(2) ** 978)
        negative, _ = wide.high_and_low(-values[2:4], ulps[2:4])
        assert negative.tolist() == [-largest, -np.inf]

    def test_numbers_with_all_their_bits_need_no_arithmetic(self, monkeypatch):
        monkeypatch.setattr(wide, "_high_and_low_at_the_ends", None)
        values = np.array([power_two(-1022, QUAD), quads(1.0)[0], power_two(1022, QUAD)])
        high, low = wide.high_and_low(values, wide.ulp_of(values, FORMATS["float64"]))
        assert (high.tolist(), low.tolist()) == ([2.0**-1022, 1.0, 2.0**1022], [0.0] * 3)
        for beyond in (-1023, 1023):
            with pytest.raises(TypeError):
                wide.high_and_low(np.array([power_two(beyond, QUAD)]), values[:1])

    def test_of_an_infinity_in_its_own_ulps_as_much_is_left_out(self):
        values = np.array([np.inf, -np.inf]).astype(QUAD)
        high, low = wide.high_and_low(values, wide.ulp_of(values, FORMATS["float64"]))
        assert high.tolist() == low.tolist() == [np.inf, -np.inf]

    def test_blocks_that_lie_at_one_end_only(self):
        """Beside an ordinary number, one that float64 rounds at its ends: below, and above."""
        least = power_two(-1074, QUAD)
        ulps = np.array([least, power_two(-52, QUAD)])
        high, low = wide.high_and_low(np.array([least * 1.25, quads(1.0)[0]]), ulps)
        assert (high.tolist(), low.tolist()) == ([2.0**-1074, 1.0], [0.25, 0.0])
        ulps = np.array([power_two(978, QUAD), power_two(-52, QUAD)])
        high, low = wide.high_and_low(np.array([power_two(1030, QUAD), quads(1.0)[0]]), ulps)
        assert high.tolist() == [np.finfo(float).max, 1.0] and low[1] == 0

    def test_what_rounds_up_to_2_to_1024_has_the_largest_number(self):
        largest = np.finfo(float).max
        high, low = wide.high_and_low(quads((largest, 2.0**970)), np.array([power_two(971, QUAD)]))
        assert (high.tolist(), low.tolist()) == ([largest], [0.5])

    def test_nothing_left_out_is_nothing_in_any_unit(self):
        values = np.array([[power_two(1023, QUAD), np.array(np.inf).astype(QUAD)[()]], [least_normal(), quads(0.0)[0]]])
        ulps = np.array(
            [[power_two(971, QUAD), power_two(971, QUAD)], [power_two(-1074, QUAD), power_two(-1074, QUAD)]]
        )
        high, low = wide.high_and_low(values, ulps)
        assert high.tolist() == [[2.0**1023, np.inf], [2.0**-1022, 0.0]]
        assert low.tolist() == [[0.0, np.inf], [0.0, 0.0]]


def least_normal():
    """The least number that has all of float64's bits, as one of 113 bits."""
    return power_two(-1022, QUAD)
