"""The numerical core, statement by statement: what each must say at the inputs where a small slip would show.

benchmarks/planted.py plants such slips, one at a time, and names the test here, or elsewhere, that finds each.
"""

import math
import os
import runpy
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp

from harness.kernels import kernel_named
from harness.numbers.formats import FORMATS, floor_log2, round_half_even
from harness.problems import PROBLEMS
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.summary import NO_BAD_ABOVE, NO_BAD_BELOW, Summary, larger, merge
from harness.sweep.tally import Block, Tally, bad_points, medians
from harness.tables import rows, text
from harness.truth import certified, fast
from harness.truth.errors import HUGE_SCALE, NONE, measure
from harness.truth.fast import evaluate

F16, F32, F64 = FORMATS["float16"], FORMATS["float32"], FORMATS["float64"]
E5M2, E4M3 = FORMATS["float8_e5m2"], FORMATS["float8_e4m3fn"]


def measured(name, inputs, computed, fmt=F32, target=None):
    """The errors of computed values of a problem at inputs, one row."""
    problem, x = PROBLEMS[name], np.array([inputs]).astype(fmt.dtype)
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, x, *([] if target is None else [np.array([[target]]).astype(fmt.dtype)]))
        return measure(np.array([computed]).astype(fmt.dtype), exact, problem.nonnegative)


def outcomes(*arguments, **more):
    return {name: mask[0].tolist() for name, mask in measured(*arguments, **more).outcomes.items()}


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "written"),
        [
            (1.0, "0x1p+0"),
            (1.5, "0x1.8p+0"),
            (-10.0, "-0x1.4p+3"),
            (0.1, "0x1.99999ap-4"),
            (0.0, "0x0p+0"),
            (-0.0, "-0x0p+0"),
            (2.0**-149, "0x1p-149"),
            (math.inf, "inf"),
            (-math.inf, "-inf"),
            (math.nan, "nan"),
        ],
    )
    def test_hex(self, value, written):
        assert F32.hex(np.float32(value)) == written
        assert math.isnan(value) or float.fromhex(written) == float(np.float32(value))

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            (0.1, "0.1"),
            (3.0, "3"),
            (-0.5, "-0.5"),
            (1e20, "1e+20"),
            (2.0**-149, "1e-45"),
            (1 / 3, "0.33333334"),
            (0, "0"),
        ],
    )
    def test_short(self, value, written):
        assert F32.short(np.float32(value)) == written
        assert F64.short(np.float64(0.1) + np.float64(0.2)) == "0.30000000000000004"

    def test_ties_go_to_even(self):
        assert [round_half_even(Fraction(n, 2), 0) for n in (1, 3, 5, 7)] == [0, 2, 2, 4]
        assert [round_half_even(Fraction(n, 4), 0) for n in (1, 3, 5, 7)] == [0, 1, 1, 2]

    def test_floor_log2_at_powers_of_two(self):
        for e in (-1074, -1, 0, 1, 1023):
            assert floor_log2(Fraction(2) ** e) == e and floor_log2(Fraction(2) ** e * Fraction(99, 100)) == e - 1

    def test_an_ulp_is_never_below_the_least_subnormal(self):
        least = Fraction(2) ** -149
        assert F32.ulp(0.0) == F32.ulp(2.0**-149) == F32.ulp(2.0**-126) == least
        assert F32.ulp(2.0**-125) == 2 * least and F32.ulp(1.0) == Fraction(2) ** -23 == 2 * F32.ulp(0.999)

    def test_midpoints_of_either_sign(self):
        for a, b in ((1.0, 1.0 + 2.0**-23), (-1.0, -1.0 - 2.0**-23), (0.0, 2.0**-149), (-(2.0**-149), -0.0)):
            assert F32.midpoint(np.float32(a), np.float32(b)) == (mp.mpf(a) + mp.mpf(b)) / 2
        assert F32.midpoint(np.float32(F32.max), np.float32(np.inf)) == mp.mpf(2) ** 128 - mp.mpf(2) ** 103
        assert F32.midpoint(np.float32(-F32.max), np.float32(-np.inf)) == mp.mpf(2) ** 103 - mp.mpf(2) ** 128

    def test_both_zeros_have_the_same_neighbours(self):
        for zero in (0.0, -0.0):
            assert (F32.next_up(zero), F32.next_down(zero)) == (2.0**-149, -(2.0**-149))

    def test_a_range_has_both_its_ends(self):
        start, stop = F32.finite_ordinals(0.0, 1.0)
        assert (start, float(F32.from_ordinal(np.array([stop - 1]))[0])) == (0, 1.0)
        assert F32.finite_ordinals() == (-1 - F32.max_ordinal, F32.max_ordinal + 1)


class TestErrors:
    @pytest.mark.parametrize(("fmt", "x"), [(F32, 10.0), (F32, -10.0), (F64, 10.0), (F64, -10.0)])
    def test_each_error_is_what_it_says(self, fmt, x):
        """A result a step above e^x: its error in ulp, relative to e^x, and absolute."""
        with mp.workprec(200):
            exact = mp.exp(x)
            computed = fmt.next_up(float(fmt.round(exact)))
            off = mp.mpf(computed) - exact
            errors = measured("exp", [x], [computed], fmt)
            assert abs(errors.ulp[0, 0] * float(fmt.ulp(exact)) / off - 1) < 1e-6
            assert abs(errors.relative(0)[0] * exact / off - 1) < 1e-6
            assert abs(errors.absolute(0)[0] / off - 1) < 1e-6

    def test_a_zero_is_spurious_down_to_the_least_number(self):
        """sigmoid(-100) = 3.7e-44 is below 2^-126 and no zero; sigmoid(-104) = 6.8e-46 rounds to 0."""
        assert outcomes("sigmoid", [-80.0, -100.0, -104.0], [0, 0, 0]) == {"spurious_zero": [True, True, False]}

    def test_a_zero_alone_is_looked_at(self):
        """Its relative error is exactly 1, and it may be the only one of its block."""
        assert outcomes("exp", [-1.0], [0.0]) == {"spurious_zero": [True]}

    def test_no_sign_is_wrong_where_the_exact_value_is_0(self):
        assert outcomes("tanh", [0.0, 0.0], [1e-45, -1e-45]) == {}

    def test_below_0_is_wrong_where_the_problem_cannot_be(self):
        assert outcomes("bce", [1.0, 1.0], [1e-45, -1e-45], target=1) == {"wrong_sign": [False, True]}

    @pytest.mark.parametrize("sign", [1, -1])
    def test_the_other_sign_is_wrong_in_either_direction(self, sign):
        assert outcomes("tanh", [sign * 1.0], [-sign * 0.75]) == {"wrong_sign": [True]}

    def test_at_a_pole_a_finite_value_is_capped_and_nothing_else(self):
        errors = measured("log", [0.0, 0.0, 0.0], [0.0, -100.0, 100.0])
        assert {n: m[0].tolist() for n, m in errors.outcomes.items()} == {"capped": [True, True, True]}
        assert errors.ulp[0].tolist() == [NONE] * 3
        assert not bad_points(errors, 0, slice(None), 4.0).any()

    def test_every_other_outcome_is_bad(self):
        for name, x, computed in (
            ("exp", -1.0, 0.0), ("exp", 0.0, np.nan), ("exp", 1.0, np.inf), ("exp", 0.0, -1.0), ("exp", 0.0, 2.0),
        ):  # fmt: skip
            assert bad_points(measured(name, [x], [computed]), 0, slice(None), 4.0).all(), (x, computed)

    def test_an_infinity_is_right_where_the_value_rounds_to_it(self):
        errors = measured("exp", [89.0, 89.0, 88.0, 88.0], [np.inf, -np.inf, np.inf, -np.inf])
        assert errors.outcomes["spurious_inf"][0].tolist() == [False, True, True, True]

    def test_nan_is_right_where_a_format_overflows_to_it(self):
        errors = measured("exp", [8.0, 1.0], [np.nan, np.nan], E4M3)
        assert errors.outcomes["spurious_nan"][0].tolist() == [False, True]
        assert errors.correctly_rounded[0].tolist() == [True, False]

    def test_errors_beyond_float64_are_kept_scaled(self):
        errors = measured("exp", [-745.0], [1e300], F64)
        with mp.workprec(200):
            exact = mp.ldexp(mp.mpf(1e300) / mp.mpf(2) ** -1074, HUGE_SCALE)
            assert errors.ulp[0, 0] == np.inf and abs(errors.huge_ulp()[0, 0] / exact - 1) < 1e-12


class TestReference:
    def test_next_to_a_power_of_two_one_point_is_settled_beside_others(self):
        """sigmoid(40) is below 1, which float64 makes of it: its ulp is that of numbers below 1."""
        exact = evaluate(PROBLEMS["sigmoid"], F32, np.array([[40.0, 0.25, -3.0]], np.float32))
        assert exact.ulp[0].tolist() == [2.0**-24, 2.0**-24, 2.0**-28]
        assert exact.ulp_per_value[0, 0] == 2.0**-24

    def test_what_is_next_to_a_midpoint_rounds_to_its_own_side(self):
        """sigmoid(x) = 1/2 + x/4 - x^3/48 ...: a little nearer to 1/2 than the midpoint, on either side."""
        x = np.array([[2.0**-23, -(2.0**-24), 3 * 2.0**-23]], np.float32)
        exact = evaluate(PROBLEMS["sigmoid"], F32, x)
        assert exact.rounded[0].tolist() == [0.5, 0.5, 0.5 + 2.0**-24]

    def test_the_largest_number_is_no_overflow(self):
        found = fast._overflow(F32, np.array([F32.max, F32.max * 1.0000001, -F32.max * 1.0000001]))
        assert found.tolist() == [F32.max, np.inf, -np.inf]

    def test_an_audit_fails_where_the_bound_does_not_hold(self):
        problem, x = PROBLEMS["exp"], np.array([0.5, 1.5], np.float32)
        assert fast.audit(problem, F32, x) < -48
        broken = replace(problem, fast=lambda x: np.exp(x) * (1 + 2.0**-46))
        with pytest.raises(fast.AuditFailure, match="exp in float32"):
            fast.audit(broken, F32, x)

    def test_sides(self):
        point = (mp.mpf(2),)
        assert certified.side(PROBLEMS["log"], point, mp.mpf(0.5)) == 1
        assert certified.side(PROBLEMS["log"], point, mp.mpf(0.75)) == -1
        zero = (mp.mpf(0),)
        assert [certified.side(PROBLEMS["tanh"], zero, mp.mpf(b)) for b in (-1, 0, 1)] == [1, 0, -1]

    def test_the_ruler_is_the_ulp_of_the_exact_value(self):
        with mp.workprec(200):
            exact = 2 - mp.ldexp(1, -30)
            assert certified.error_in_ulp(F32, np.float32(2), exact) == mp.ldexp(1, -30 + 23)
            assert certified.error_in_ulp(F32, np.float32(1), mp.mpf(0)) == mp.ldexp(1, 149)

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            (1, "1"), (0, "0"), (0.5, "0.5"), (123456789, "123456789"), (1234567890, "1.23456789e+9"), (1e-5, "0.00001"),
            (1e-6, "1e-6"), (mp.inf, "inf"), (mp.nan, ""), (mp.mpf(10) ** 400, "1e+400"), (-2.5, "-2.5"), (100, "100"),
        ],
    )  # fmt: skip
    def test_nine_digits(self, value, written):
        assert certified.significant(value) == written

    def test_digits_round_to_nearest_even(self):
        assert [certified.decimal(Fraction(n, 2), 1) for n in (5, 7, 9, 19)] == ["2", "4", "4", "1e+1"]
        assert certified.decimal(Fraction(-1, 8), 2) == "-1.2e-1"


def block(count, *, first=0, centre=0, cells=1, beside=None, fmt=E5M2):
    return Block(np.arange(first, first + count), cells, 0, True, centre, beside)


def tallied(ulps, **more):
    """The tally of results of e^0 = 1 in float32 that are off by the given ulps, or NaN."""
    computed = [np.nan if u is None else 1 + u * 2.0**-23 for u in ulps]
    return Tally(block(len(ulps), **more), measured("exp", [0.0] * len(ulps), computed), 4.0)


class TestTally:
    def test_a_lower_median(self):
        assert medians(np.array([[[3.0, 1.0, 2.0, NONE, 5.0, 4.0]]])).tolist() == [[3.0]]
        assert medians(np.array([[[4.0, 1.0, 3.0, 2.0]]])).tolist() == [[2.0]]
        assert np.isnan(medians(np.array([[[NONE, NONE]]]))).all()

    def test_sums_and_counts_leave_out_what_was_not_measured(self):
        tally = tallied([1, None, 3, None])
        assert (tally.sums.tolist(), tally.measured.tolist()) == ([[4.0]], [[2]])
        assert tally.outcomes["spurious_nan"].tolist() == [[2]]

    def test_of_equal_errors_the_first_counts(self):
        tally = tallied([1, 7, 2, 7], first=10)
        assert (tally.top.tolist(), tally.top_at.tolist()) == ([[7.0]], [[11]])

    def test_means_leave_out_what_lies_beside_a_zero(self):
        tally = tallied([1, 900, 3, 2], beside=np.array([False, True, False, False]))
        assert (tally.sums.tolist(), tally.measured.tolist(), tally.top.tolist()) == ([[6.0]], [[3]], [[900.0]])

    def test_the_bad_inputs_nearest_to_the_centre(self):
        tally = tallied([9, 0, 9, 0, 0, 9, 0, 9], first=-4)
        assert (tally.first_bad_above(0), tally.last_bad_below(0)) == (1, -2)
        assert tallied([0, 0, 0, 0, 9, 0], first=-4).first_bad_above(0) == 0  # the centre is above itself

    def test_a_summary_keeps_the_nearest_of_several_blocks(self):
        summary = Summary(1, np.arange(1))
        for first in (-8, -4, 0, 4):
            summary.add(tallied([9, 0, 9, 0], first=first))
        assert (summary.bad_below.tolist(), summary.bad_above.tolist()) == ([-2], [0])
        assert (summary.points.tolist(), summary.measured.tolist()) == ([16], [[16]])

    def test_of_equal_extremes_the_least_input_counts(self):
        a, b = (np.array([2.0]), np.array([5])), (np.array([2.0]), np.array([3]))
        assert larger(a, b)[1].tolist() == larger(b, a)[1].tolist() == [3]

    def test_merged_summaries_count_all(self):
        parts = []
        for cell in (1, 0):
            parts.append(Summary(1, np.array([cell])))
            parts[-1].add(tallied([1, 2 + cell, None, 9], first=4 * cell))
        whole = merge(parts)
        assert whole.cells.tolist() == [0, 1] and whole.max_ulp.tolist() == [[9.0, 9.0]]
        assert whole.sum_ulp.tolist() == [[12.0, 13.0]] and whole.measured.tolist() == [[3, 3]]
        assert (whole.bad_above.tolist(), whole.worst_at(0)) == ([2], 3)
        assert float(whole.mean_ulp(0)) == pytest.approx(25 / 6, rel=1e-15)


def function_of(values):
    """A function of one format that returns given values, by ordinal, and else the rounded exact ones of tanh."""

    def call(x):
        ordinals = E5M2.ordinal(x)
        exact = evaluate(PROBLEMS["tanh"], E5M2, x).rounded_working
        given = np.array([[values.get(int(o), np.nan) for o in line] for line in ordinals]).astype(E5M2.dtype)
        return np.where(np.isin(ordinals, list(values)), given, exact).astype(E5M2.dtype)

    return call


def made(values, grid="exhaustive"):
    """A case of tanh in eight bits, and its summary."""
    problem = PROBLEMS["tanh"]
    case = Case(problem, "planted", function_of(values), Grid(grid, problem, E5M2), None)
    summary = Summary(1, case.grid.cells)
    for part in case.grid.blocks(case.grid.cells):
        with np.errstate(all="ignore"):
            summary.update(part, case.errors(part.ordinals), 4.0)
    return case, summary


class TestRows:
    def test_only_a_row_of_every_input_says_so(self):
        for grid, said in (("exhaustive", True), ("standard", True), ("quick", False)):
            row = rows.row(*made({}, grid), 0)
            assert row["exhaustive"] is said and text.at_least({"exhaustive": row["exhaustive"]}) == (
                "" if said else "≥ "
            )

    def test_shares_are_of_all_points(self):
        row = rows.row(*made({50: np.nan, 51: np.nan}), 0)
        points = 2 * (E5M2.max_ordinal + 1)
        assert (row["points"], row["spurious_nan"]) == (points, 2)
        assert row["correctly_rounded"] == certified.significant((points - 2) / points)

    def test_a_row_with_nothing_finite_has_no_figures(self):
        every = dict.fromkeys(range(-1 - E5M2.max_ordinal, E5M2.max_ordinal + 1), np.nan)
        row = rows.row(*made(every), 0)
        empty = ("max_ulp", "max_ulp_input", "max_rel", "max_abs", "mean_ulp", "safe_lo", "safe_hi")
        assert [row[name] for name in empty] == [""] * len(empty)
        assert row["spurious_nan"] == row["points"] and row["correctly_rounded"] == "0"
        some = rows.row(*made({at: np.nan for at in every if at > 0}), 0)
        assert all(some[name] for name in empty)

    def test_a_safe_range_ends_before_what_is_bad(self):
        case, summary = made({10: 1.0, -20: -1.0})
        assert (summary.bad_below[0], summary.bad_above[0]) == (-20, 10)
        found = rows.safe_range(case, -20, 10, 4.0)
        assert [int(E5M2.ordinal(np.array([E5M2.parse(found[c])]))[0]) for c in ("safe_lo", "safe_hi")] == [-19, 9]

    def test_a_bad_centre_leaves_no_safe_range(self):
        case, _ = made({})
        assert case.grid.centre == 0
        assert rows.safe_range(case, NO_BAD_BELOW, 0, 4.0) == {"safe_lo": "", "safe_hi": ""}
        whole = rows.safe_range(case, NO_BAD_BELOW, NO_BAD_ABOVE, 4.0)
        assert [float.fromhex(whole[c]) for c in ("safe_lo", "safe_hi")] == [-E5M2.max, E5M2.max]

    @pytest.mark.parametrize(
        ("target", "lo", "hi"), [(0, 0.0, "below 1"), (1, "above 0", 1.0), (0.5, "above 0", "below 1")]
    )
    def test_a_capped_pole_ends_the_safe_range(self, target, lo, hi):
        least, most = (
            float(v) for v in E5M2.from_ordinal(E5M2.ordinal(np.array([0, 1], E5M2.dtype)) + np.array([1, -1]))
        )
        bce, y = PROBLEMS["bce"], E5M2.dtype.type(target)

        def ends(function):
            case = Case(bce, "planted", function, Grid("exhaustive", bce, E5M2), y)
            found = rows.safe_range(case, NO_BAD_BELOW, NO_BAD_ABOVE, 4.0)
            return [float.fromhex(found[c]) for c in ("safe_lo", "safe_hi")]

        sound = kernel_named("bce", "xlogy").function
        assert ends(lambda p, y: np.minimum(sound(p, y), E5M2.dtype.type(100))) == [
            {"above 0": least}.get(lo, lo),
            {"below 1": most}.get(hi, hi),
        ]
        assert ends(sound) == [0.0, 1.0]  # negative control

    def test_extremes_are_those_of_the_input_that_they_name(self):
        row = rows.row(*made({60: 2.0, 5: 0.5}), 0)
        x, exact = float(E5M2.from_ordinal(np.array([60]))[0]), mp.tanh(mp.mpf(1))
        assert x == 1.0 and row["max_abs_input"] == "0x1p+0"
        assert row["max_abs"] == certified.significant(2 - exact)
        least = float(E5M2.from_ordinal(np.array([5]))[0])
        with mp.workprec(400):
            small = mp.tanh(mp.mpf(least))
            assert row["max_rel"] == certified.significant((mp.mpf(0.5) - small) / small)
        assert float(row["mean_ulp"]) > 0 and row["max_ulp_input"] == E5M2.hex(least)


class TestWords:
    def test_directed_digits(self):
        assert (text.upward("1.2341"), text.downward("1.2349"), text.short("1.2349")) == ("1.24", "1.23", "1.23")
        assert (text.upward("-1.2349"), text.downward("-1.2341")) == ("-1.23", "-1.24")

    def test_a_sampled_mean_is_an_estimate(self):
        write = text.averaged("mean_ulp")
        assert write({"mean_ulp": "0.25", "exhaustive": "false"}) == "~ 0.25"
        assert write({"mean_ulp": "0.25", "exhaustive": "true"}) == "0.25"


PLANTED = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "planted.py"))


class TestPlanted:
    """What is planted in this core is found; benchmarks/planted.py plants all, and writes the table."""

    def test_every_fault_can_be_planted(self):
        faults = PLANTED["FAULTS"]
        assert len(faults) >= 40 and len({f.name for f in faults}) == len(faults)
        assert all(f.source() != f.path.read_text(encoding="utf-8") for f in faults)
        names = {f"{c}::{n}" for c, cls in globals().items() if c.startswith("Test") for n in dir(cls)}
        assert {f.test.removeprefix(PLANTED["CORE"]) for f in faults} <= names

    def test_some_are_found(self):
        program = Path(PLANTED["__file__"])
        environment = {**os.environ, "PYTHONPATH": str(program.parent.parent)}
        done = subprocess.run(
            [sys.executable, program, *PLANTED["QUICK"]], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0 and f"{len(PLANTED['QUICK'])} of {len(PLANTED['QUICK'])} found" in done.stdout, done

    def test_a_fault_that_changes_nothing_survives(self):
        changed = replace(PLANTED["FAULTS"][0], planted=PLANTED["FAULTS"][0].there)
        assert changed.source() == changed.path.read_text(encoding="utf-8")
        with pytest.raises(ValueError, match="0 times, not once"):
            replace(changed, there="no such piece of source").source()
