"""The fast reference, function by function: what it must settle, round and measure of planted values, and what it must ask.

A problem here is a table: at each point the number that its fast form gives and its exact value, a rational number, so that
every rounding, ulp and error is known without any function, and which points mpmath would be asked for is written down.
benchmarks/mutants.py makes small slips in harness/truth/fast.py, and what is here must notice.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp

from harness.numbers.formats import FORMATS, to_fraction
from harness.numbers.wide import FLOAT64, huge, quad, tiny, wide_dtype
from harness.problems import PROBLEMS
from harness.truth import fast

F32, F64 = FORMATS["float32"], FORMATS["float64"]
WORKING = pytest.mark.parametrize("fmt", [F32, F64], ids=["float32", "float64"])
WIDE = pytest.mark.parametrize("dtype", [FLOAT64, quad()], ids=["float64", "quad"])


def two(exponent):
    """A power of two, exactly."""
    return Fraction(2) ** exponent


def widely(dtype, values):
    """Numbers of a wide format, in the shape of lists of fractions, floats, or numbers of the format."""
    if isinstance(values, list):
        return np.stack([widely(dtype, v) for v in values]) if values else np.empty(0, dtype)
    if not isinstance(values, (Fraction, int)):
        return np.asarray(values).astype(dtype)
    found, left = np.asarray(0.0).astype(dtype), Fraction(values)
    while left:
        part = float(max(-F64.max, min(left, F64.max)))
        found, left = found + np.asarray(part).astype(dtype), left - Fraction(part)
    return np.asarray(found)


def planted(fmt, value, exact, x=None, y=None, **fields):
    """A problem that has these values (rows of lists) in the wide format and exactly, its inputs, and the points asked for.

    The inputs are 1, 2, 3 ... and the targets of several rows 0, 1, 2 ... where they are not given.
    """
    x = np.array([range(1, len(value[0]) + 1) if x is None else x]).astype(fmt.dtype)
    y = np.arange(len(value))[:, None] if y is None and len(value) > 1 else y
    inputs = [x] if y is None else [x, np.asarray(y).astype(fmt.dtype)]
    every = np.broadcast_arrays(*(a.astype(float) for a in inputs), np.empty((len(value), 1)))[:-1]
    points = list(zip(*(map(Fraction, a.ravel().tolist()) for a in every)))
    table = dict(zip(points, (v for row in exact for v in row)))
    asked, given = [], widely(wide_dtype(fmt), value)

    def rational(*point):
        asked.append(tuple(map(float, point)))
        known = table[point]
        return known if isinstance(known, Fraction) else None

    def terms(*point):
        known = table[tuple(map(to_fraction, point))]
        return mp.mpf(0), [
            mp.mpf(known.numerator) / known.denominator if isinstance(known, Fraction) else mp.mpf(known)
        ]

    made = {"fast": lambda *inputs: given, "rational": rational, "terms": terms, "ends": None}
    return replace(PROBLEMS["exp"], **(made | {"monotone_beyond": np.inf} | fields)), inputs, asked


def evaluated(fmt, *arguments, **fields):
    """What the reference says of a planted problem, and the inputs of the points asked for."""
    problem, inputs, asked = planted(fmt, *arguments, **fields)
    with np.errstate(all="ignore"):
        return fast.evaluate(problem, fmt, *inputs), [point[0] for point in asked]


def parts(fmt, *columns):
    """The exact parts of inputs 1, 2, 3 ..., a tuple (first, second, rest, known) for each."""
    first, second, rest = (widely(wide_dtype(fmt), [column[k] for column in columns]) for k in range(3))
    known = np.array([column[3] for column in columns])

    def given(x):
        return tuple(a[x.astype(np.int64) - 1] for a in (first, second, rest, known))

    return given


class TestBound:
    def test_the_constants_are_those_of_the_table_that_explains_them(self):
        rows = [line.split("|") for line in fast.__doc__.splitlines() if "| 2^-" in line]
        assert len(rows) == 2
        for _, _, dtype, bits, halves, ulps, _ in rows:
            wide = FLOAT64 if dtype.strip() == "float64" else quad()
            precision = 53 if wide == FLOAT64 else 113
            assert float(bits.strip().removeprefix("2^-")) == fast.BOUND_BITS[wide == FLOAT64]
            assert float(halves) == 2.0 ** (precision - fast.BOUND_BITS[wide == FLOAT64])
            assert ulps.split() == [str(fast.FUNCTION_ULP[wide == FLOAT64]), "ulp"]

    def test_what_a_problem_loses_is_taken_off(self):
        weaker = replace(PROBLEMS["exp"], lost_bits=10)
        assert (fast.bound(F32), fast.bound(F32, PROBLEMS["exp"]), fast.bound(F32, weaker)) == (
            2.0**-48,
            2.0**-48,
            2.0**-38,
        )
        assert (fast.bound(F64), fast.bound(F64, weaker)) == (2.0**-107, 2.0**-97)


class TestOpen:
    """What the bound leaves open is decided by the exact value, and nothing else is asked for."""

    @WORKING
    @pytest.mark.parametrize("lost", [0, 3])
    def test_roundings_are_up_to_the_distance_itself(self, fmt, lost):
        """Of values 1 + 1.5 ulp and a little, whose exact value is on the other side of the midpoint.

        The next distance that is told from it is one of float64, in which `low` is held where the values are of quad.
        """
        ulp, step = two(1 - fmt.precision), two(-52) if fmt is F32 else two(-106)
        reach, middle = 4 * Fraction(fast.bound(fmt)) * 2**lost, 1 + 3 * ulp / 2
        value = [middle + reach, middle + reach + step, middle - reach, middle - reach - step]
        exact = [middle - two(-200)] * 2 + [middle + two(-200)] * 2
        found, asked = evaluated(fmt, [value], [exact], lost_bits=lost)
        assert asked == [1, 3]
        assert [Fraction(v) for v in found.rounded[0]] == [1 + ulp, 1 + 2 * ulp, 1 + 2 * ulp, 1 + ulp]
        assert found.rounded_working.dtype == fmt.dtype and (found.rounded_working == found.rounded).all()

    @WORKING
    def test_ties_go_to_even(self, fmt):
        ulp = two(1 - fmt.precision)
        ties = [sign * (1 + (k + Fraction(1, 2)) * ulp) for sign in (1, -1) for k in range(6)]
        found, asked = evaluated(fmt, [ties], [ties])
        assert asked == list(range(1, 13))
        assert found.rounded_working[0].tolist() == [fmt.round(v) for v in ties]

    @WORKING
    def test_next_to_a_midpoint_of_any_sign_the_exact_value_decides(self, fmt):
        """And beyond the largest number, where half an ulp more is infinite."""
        ulp = two(1 - fmt.precision)
        middles = [
            sign * m
            for sign in (1, -1)
            for m in (1 + ulp / 2, 2 + 3 * ulp, Fraction(fmt.max) * (1 + ulp / (4 - 2 * ulp)))
        ]
        for off in (-1, 1):
            exact = [m + off * two(-300) for m in middles]
            found, _ = evaluated(fmt, [middles], [exact])
            assert found.rounded_working[0].tolist() == [fmt.round(v) for v in exact]

    @WORKING
    def test_next_to_a_power_of_two_the_exact_value_has_its_own_ulp(self, fmt):
        powers = [sign * two(e) for sign in (1, -1) for e in (0, -10, 7)]
        for off in (-1, 0, 1):
            exact = [p + off * two(-200) for p in powers]
            found, asked = evaluated(fmt, [powers], [exact])
            assert found.ulp[0].tolist() == [fmt.ulp(v) for v in exact] and asked == [1, 2, 3, 4, 5, 6]

    @WORKING
    def test_the_ulp_is_no_less_below_the_least_normal_number(self, fmt):
        """There it is that of subnormal numbers, on either side of 2^emin, which none need tell apart."""
        least, off = two(fmt.emin), two(fmt.emin - 300)
        value = [least, 2 * least, 2 * least, 4 * least]
        exact = [least - off, 2 * least - off, 2 * least + off, 4 * least - off]
        found, asked = evaluated(fmt, [value], [exact])
        assert found.ulp[0].tolist() == [fmt.ulp(v) for v in exact] and asked == [2, 3, 4]

    @WORKING
    def test_stand_ins_zeros_and_poles_are_not_asked_for(self, fmt):
        wide = wide_dtype(fmt)
        value = [huge(wide), -huge(wide), tiny(wide), 0, np.inf]
        found, asked = evaluated(fmt, [value], [[two(20_000), -two(20_000), two(-3000), Fraction(0), mp.inf]])
        assert asked == [] and found.rounded[0].tolist() == [np.inf, -np.inf, 0, 0, np.inf]

    @WORKING
    def test_one_value_of_many_decided_by_its_parts_is_not_asked_for(self, fmt):
        for value in (Fraction(1), 1 + two(-fmt.precision)):
            given = parts(fmt, (value, 0, -two(-200), True), (0, 0, 0, False))
            found, asked = evaluated(fmt, [[value, Fraction(5, 4)]], [[value, Fraction(5, 4)]], exact_parts=given)
            assert asked == [] and found.rounded[0].tolist() == [1, 1.25]
            assert found.ulp[0, 1] == 2 * found.ulp[0, 0] if value == 1 else found.ulp[0, 1] == found.ulp[0, 0]


class TestReferences:
    @WORKING
    def test_the_most_of_a_row_is_of_that_row(self, fmt):
        value = [[Fraction(3, 2), Fraction(5, 4), Fraction(7, 2)], [Fraction(5, 8), Fraction(3, 16), Fraction(5, 32)]]
        found, asked = evaluated(fmt, value, value)
        ulp = float(fmt.ulp(1.0))
        assert asked == [] and found.most_ulp.tolist() == [2 * ulp, ulp / 2]
        assert found.ulp_per_value.tolist() == [
            [ulp / 1.5, ulp / 1.25, ulp / 1.75],
            [ulp / 1.25, ulp / 1.5, ulp / 1.25],
        ]
        assert found.most_ulp_per_value.tolist() == [ulp / 1.25, ulp / 1.25]

    def test_what_high_leaves_out(self):
        value = [[1 + two(-60), Fraction(3)]]
        assert evaluated(F64, value, value)[0].beyond_high.tolist() == [[2.0**-60, 0]]
        assert evaluated(F32, [[Fraction(5, 4)]], [[Fraction(5, 4)]])[0].beyond_high.tolist() == [[0]]

    @WORKING
    def test_what_high_leaves_out_by_parts(self, fmt):
        """Of 5/4 + 2^-120 + 2^-122 as two parts and a rest; of a pole nothing is left out."""
        wide = wide_dtype(fmt)
        split = tuple(widely(wide, [[v, v]]) for v in (Fraction(5, 4), two(-120), two(-122)))
        found, _ = evaluated(fmt, [[Fraction(5, 4), np.inf]], [[Fraction(5, 4), mp.inf]], split=lambda x: split)
        assert found.beyond_high.tolist() == [[2.0**-120 + 2.0**-122, 0]]

    def test_a_float64_number_in_two_parts_rounds_by_the_second(self):
        """Where the first is off: by half an ulp at most it stands, by more it moves by one."""
        low = np.array([[0.0, 0.5, -0.5, 0.75, -0.75, 1.0]])
        rounded, distance = fast._nearest_float64(np.full((1, 6), 4.0), low, np.full((1, 6), 0.125))
        assert rounded.tolist() == [[4.0, 4.0, 4.0, 4.125, 3.875, 4.125]]
        assert distance.tolist() == [[0.0, 0.5, 0.5, 0.75, 0.75, 1.0]]

    def test_two_scales_are_as_large_as_each_other(self):
        value = widely(quad(), [Fraction(1), two(-1022), 3 * two(1022), two(-1074), two(500), huge(quad())])
        exponents = np.array([-52, -1074, 971, -1074, 448, 1023])
        with np.errstate(all="ignore"):
            *_, ulp, (first, second) = fast._split(value, fast.ulp_of(value, F64))
        assert ulp.tolist() == np.ldexp(1.0, exponents).tolist()
        logs = np.log2([first, second])
        assert logs.sum(axis=0).tolist() == (-exponents).tolist() and (abs(logs[0] - logs[1]) <= 1).all()

    def test_the_ulp_of_each_value(self):
        """Of the least number and a quarter, with either sign; of 0 as of `tiny`; of a pole as of 2^53 ulp."""
        high, low = np.array([2.0**-1074, -(2.0**-1074), 1.5, 0.0, np.inf]), np.array([0.25, -0.25, 0.0, 0.0, np.inf])
        scales = tuple(np.ldexp(1.0, e) for e in ([537, 537, 26, 537, 0], [537, 537, 26, 537, 0]))
        found = fast._ulp_per_value(high, low, scales)
        assert found.tolist() == [0.8, 0.8, 2.0**-52 / 1.5, 2.0 ** (1800 - 1074), 2.0**-53]


class TestParts:
    @WIDE
    def test_sides_are_told_where_the_sum_is_no_remnant(self, dtype):
        """Of parts next to 2: where off + rest is 2^-18 of their sizes or less, nothing is told."""
        e, one = two(-18), Fraction(1)
        columns = [
            (3 * one, e, -(1 - e), True, None), (3 * one, e, -(1 - e - two(-40)), True, True),
            (one, -e, 1 - e, True, None), (one, -e, 1 - e - two(-40), True, False),
            (3 * one, e, one, False, None), (3 * one, e, -(1 - e), False, None), (2 * one, one * 0, one * 0, True, None),
            (2 * one, -one, one / 4, True, False), (2 * one, one / 2, -one / 4, True, True), (5 * one / 2, -one, one / 4, True, False),
        ]  # fmt: skip
        given = tuple(widely(dtype, [c[k] for c in columns]) for k in range(3))
        assert self.told(dtype, given, np.array([c[3] for c in columns]), widely(dtype, [2 * one] * len(columns))) == [
            c[4] for c in columns
        ]

    @WIDE
    def test_numbers_next_to_overflow_are_told_nothing_of(self, dtype):
        """Beyond 2^-80 of `huge` a product's second part is not known."""
        most = huge(dtype) * 2.0**-80
        first = widely(dtype, [most, -most, most * (1 + 2.0**-50), -most * (1 + 2.0**-50)])
        ones = np.ones(4).astype(dtype)
        assert self.told(dtype, (first, ones, 0 * ones), np.full(4, True), first) == [True, True, None, None]

    @staticmethod
    def told(dtype, given, known, boundary):
        """True for above, False for below, None where it is left open."""

        def exact_parts(x):
            return tuple(a[x.astype(np.int64)] for a in (*given, known))

        n = len(known)
        problem, at = replace(PROBLEMS["exp"], exact_parts=exact_parts), (np.zeros(n, int), np.arange(n))
        above, clear = fast._sides_by_parts(problem, [np.arange(n)[None].astype(dtype)], at, boundary)
        return [bool(a) if c else None for a, c in zip(above, clear)]

    def test_parts_are_asked_for_at_the_points_alone(self):
        shapes = []

        def exact_parts(x, y):
            shapes.append((x.shape, y.shape))
            return x + 10 * y, 0 * x, y * 1.0, x > y

        x, y = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[5.0], [1.0], [3.0]])
        at = np.array([0, 2, 2, 1]), np.array([3, 1, 0, 2])
        first, second, rest, known = fast._parts_at(exact_parts, [x, y], at)
        assert first.tolist() == [54, 32, 31, 13] and second.tolist() == [0] * 4
        assert rest.tolist() == [5, 3, 3, 1] and known.tolist() == [False, False, False, True]
        assert shapes == [((1, 1), (1, 1)), ((1, 1), (1, 1)), ((1, 2), (1, 1))]
        varying = fast._parts_at(exact_parts, [x, x[:, ::-1]], (np.array([0, 0]), np.array([3, 1])))
        assert varying[0].tolist() == [14, 32] and shapes[3:] == [((1, 2), (1, 2))]

    @WORKING
    def test_roundings_of_any_sign(self, fmt):
        """Next to a midpoint the rest decides; where it is not known the exact value does, here a tie."""
        ulp = two(1 - fmt.precision)
        sizes = (1 + 3 * ulp / 2, Fraction(fmt.max) * (1 + ulp / (4 - 2 * ulp)))
        middles = [sign * m for sign in (1, -1) for m in sizes for _ in range(2)]
        rests = [off * two(-150) for _ in range(4) for off in (1, -1)]
        columns = [(m, Fraction(0), r, True) for m, r in zip(middles, rests)] + [
            (middles[0], Fraction(0), rests[1], False)
        ]
        values = [*middles, middles[0]]
        found, asked = evaluated(fmt, [values], [values], exact_parts=parts(fmt, *columns))
        right = [*(fmt.round(m + r) for m, r in zip(middles, rests)), fmt.round(middles[0])]
        assert found.rounded_working[0].tolist() == right and asked == [9]

    @WORKING
    def test_ulps_of_any_sign(self, fmt):
        """Next to a power of two likewise; where it is not known the exact value is the power itself."""
        powers = [sign * two(e) for sign in (1, -1) for e in (0, -9) for _ in range(2)]
        rests = [off * two(-150) for _ in range(4) for off in (1, -1)]
        columns = [(p, Fraction(0), r, True) for p, r in zip(powers, rests)] + [
            (powers[0], Fraction(0), rests[1], False)
        ]
        values = [*powers, powers[0]]
        found, asked = evaluated(fmt, [values], [values], exact_parts=parts(fmt, *columns))
        right = [*(fmt.ulp(p + r) for p, r in zip(powers, rests)), fmt.ulp(powers[0])]
        assert found.ulp[0].tolist() == right and asked == [9]


class TestSettling:
    """Open points are settled by what is said of them; which are asked for, and in what order, is written down."""

    def settled(self, x, says, value=None, y=None, open_=None, beyond=0.0):
        says = np.array(says)
        value = np.ones(says.shape) if value is None else np.array(value)
        inputs, asked, points = [np.array([x])] + ([] if y is None else [np.array(y)]), [], []

        def decide(point, t, n):
            asked.append((t, n))
            points.append(tuple(map(float, point)))
            return says[t, n]

        found, open_ = np.full(says.shape, -1), np.full(says.shape, True) if open_ is None else np.array(open_)
        fast._settle(replace(PROBLEMS["exp"], monotone_beyond=beyond), inputs, value, found, open_, decide)
        return found.tolist(), asked if len(says) > 1 else [n for _, n in asked], points

    def test_a_run_is_halved_where_its_ends_differ(self):
        says = [0, 0, 0, 1, 1, 1, 1, 1]
        found, asked, _ = self.settled(np.arange(8.0), [says])
        assert found == [says] and asked == [0, 7, 0, 3, 0, 1, 2, 3, 2, 3, 4, 7]

    def test_a_point_alone_is_asked_for_once(self):
        assert self.settled([2.0], [[1]])[:2] == ([[1]], [0])

    def test_a_run_is_in_the_order_of_its_inputs(self):
        assert self.settled([3.0, 1.0, 4.0, 2.0], [[7, 7, 7, 7]])[:2] == ([[7] * 4], [1, 2])

    def test_a_run_is_of_one_value(self):
        values = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]
        found, asked, _ = self.settled(np.arange(9.0), [[5] * 9], [values])
        assert found == [[5] * 9] and asked == [0, 2, 3, 5, 6, 8]

    def test_a_run_is_on_one_side_of_0(self):
        """Of a function that turns between: both ends are alike, and the middle is not."""
        says = [1, 0, 0, 0, 0, 1]
        found, asked, _ = self.settled([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0], [says], beyond=1.0)
        assert found == [says] and asked == [0, 2, 0, 1, 0, 1, 2, 3, 5, 3, 4, 5]

    def test_only_where_the_function_is_monotone(self):
        says = [0, 1, 0, 0, 0]
        found, asked, _ = self.settled([1.0, 1.5, 2.0, 3.0, 4.0], [says], beyond=2.0)
        assert found == [says] and asked == [2, 4, 0, 1]

    def test_where_targets_vary_each_point_is_alone(self):
        says = [0, 1, 0]
        assert self.settled([1.0, 2.0, 3.0], [says], y=[[1.0, 5.0, 2.0]])[:2] == ([says], [0, 1, 2])
        assert self.settled([1.0, 2.0], [[0, 1]], y=[[1.0, 5.0]])[:2] == ([[0, 1]], [0, 1])

    def test_one_target_a_row_leaves_runs(self):
        found, asked, points = self.settled(
            [1.0, 2.0, 3.0, 4.0], [[9] * 4, [8] * 4, [3, 4, 4, 4]], y=[[0.0], [0.5], [1.0]],
            open_=[[False] * 4, [False, True, True, True], [True] * 4],
        )  # fmt: skip
        assert found == [[-1] * 4, [-1, 8, 8, 8], [3, 4, 4, 4]]
        assert asked == [(1, 1), (1, 3), (2, 0), (2, 3), (2, 0), (2, 1), (2, 0), (2, 1), (2, 2), (2, 3)]
        assert points[:4] == [(2.0, 0.5), (4.0, 0.5), (1.0, 1.0), (4.0, 1.0)]
        assert self.settled([1.0, 2.0, 3.0], [[6] * 3], y=[[0.5]])[1] == [0, 2]


class TestAudit:
    def audited(self, fmt, value, exact):
        problem, inputs, _ = planted(fmt, [value], [exact], x=[0.1 * (k + 1) for k in range(len(value))])
        return fast.audit(problem, fmt, inputs[0][0])

    @WORKING
    def test_up_to_the_bound_itself_it_holds(self, fmt):
        most = two(-48) if fmt is F32 else two(-107)
        assert self.audited(fmt, [1 + most, Fraction(2)], [Fraction(1), Fraction(2)]) == (-48 if fmt is F32 else -107)
        assert self.audited(fmt, [Fraction(3), Fraction(2)], [Fraction(3), Fraction(2)]) == -np.inf

    def test_where_there_is_no_input_nothing_is_off(self):
        assert self.audited(F32, [], []) == -np.inf

    def test_beyond_it_the_worst_is_named_and_of_several_the_first(self):
        one = Fraction(1)
        with pytest.raises(fast.AuditFailure) as raised:
            self.audited(F32, [one, 1 + two(-47), 1 + two(-46), 1 - two(-46)], [one] * 4)
        assert str(raised.value) == (
            "the fast reference of exp in float32 is off by 2^-46.0 relative at (0.30000001192092895508); "
            "its stated bound is 2^-48"
        )

    @WIDE
    def test_stand_ins_must_stand_for_what_is_beyond_them(self, dtype):
        least, most = (two(-1000), two(1000)) if dtype == FLOAT64 else (two(-1800), two(16000))
        for given, exact, is_right in (
            (tiny(dtype), least, True), (tiny(dtype), least / 8, True), (tiny(dtype), 2 * least, False),
            (tiny(dtype), Fraction(0), False), (-tiny(dtype), -least / 2, True), (-tiny(dtype), -2 * least, False),
            (huge(dtype), most, True), (huge(dtype), 2 * most, True), (huge(dtype), most / 2, False),
            (-huge(dtype), -4 * most, True), (-huge(dtype), -most / 4, False),
        ):  # fmt: skip
            assert self.error(dtype, given, exact) == (0 if is_right else mp.inf), (given, exact)

    @WIDE
    def test_a_pole_must_be_one_and_a_zero_too(self, dtype):
        for given, exact, error in (
            (np.inf, mp.inf, 0), (-np.inf, -mp.inf, 0), (np.inf, -mp.inf, mp.inf), (np.inf, Fraction(1), mp.inf),
            (np.nan, Fraction(1), mp.inf), (0.0, Fraction(0), 0), (1.0, Fraction(0), mp.inf),
            (0.5, Fraction(1, 2), 0), (5.0, Fraction(4), 0.25), (-5.0, Fraction(-4), 0.25), (0.0, Fraction(4), 1),
        ):  # fmt: skip
            assert self.error(dtype, given, exact) == error, (given, exact)

    @staticmethod
    def error(dtype, given, exact):
        fmt = F32 if dtype == FLOAT64 else F64
        problem, _, _ = planted(fmt, [[given]], [[exact]])
        return fast._relative_error(problem, (mp.mpf(1),), widely(dtype, [given])[0], 150, dtype)
