"""Errors, tallies and summaries in numbers made up for it: each at the edge where a small slip would show.

Nothing here computes a problem: exact values, their ulps and the bounds on them are given, also such as no problem has, so
that each step says what it does.  benchmarks/mutants.py makes the slips.
"""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from mpmath import mp

from harness.sweep import summary as summaries
from harness.sweep.summary import NO_BAD_ABOVE, NO_BAD_BELOW, LargestErrors, Summary, larger, merge
from harness.sweep.tally import Block, Tally, bad_points, medians
from harness.truth import errors as module
from harness.truth.errors import HUGE, HUGE_SCALE, NONE, OPEN, OUTCOMES, RELATIVE_LIMIT, SPURIOUS, Errors, measure
from harness.truth.fast import Reference


def exact(value, ulp=1.0, *, low=None, scales=None, per_value=None, rounded=None, working=None, parts=None):
    """Exact values, rows by points, with what is not given made of what is."""
    value = np.array(value, float)
    ulp = np.broadcast_to(np.array(ulp, float), value.shape)
    low = None if low is None else np.broadcast_to(np.array(low, float), value.shape)
    per_value = np.broadcast_to(np.array(0.125 if per_value is None else per_value, float), value.shape).copy()
    rounded = value if rounded is None else np.array(rounded, float)
    working = rounded if working is None else np.array(working, float)
    return Reference(
        value, value, low, ulp, scales or (1 / ulp,), per_value, per_value.max(axis=1), ulp.max(axis=1), rounded, working,
        parts,
    )  # fmt: skip


def of(ulp, exact_, *, computed=None, most_relative=None, outcomes=None, measured=True):
    """Errors that are given."""
    ulp = np.array(ulp, float)
    most_relative = np.array(most_relative or [0.0] * len(ulp), float)
    computed = np.zeros_like(ulp) if computed is None else np.array(computed, float)
    return Errors(computed, ulp, ulp.max(axis=1), most_relative, ulp == 0, measured, exact_, outcomes or {})


def test_what_stored_summaries_rest_on():
    assert (NONE, OPEN, RELATIVE_LIMIT) == (-1.0, 2.0**-47, 2.0**700)
    assert (HUGE, HUGE_SCALE) == (2.0**960, -1100)
    assert SPURIOUS == ("spurious_nan", "spurious_inf", "spurious_zero", "wrong_sign") == OUTCOMES[:-1]
    assert OUTCOMES[-1] == "capped" and (NO_BAD_BELOW, NO_BAD_ABOVE) == (-(2**63), 2**63 - 1)


class TestErrors:
    def test_a_relative_error_is_the_ulp_error_times_the_ulp_by_the_value(self):
        errors = of([[3.0, 5.0], [7.0, NONE]], exact([[1.0, 1.0]] * 2, per_value=[[0.5, 0.25], [0.125, 0.5]]))
        assert errors.relative(0).tolist() == [1.5, 1.25]
        assert errors.relative(1).tolist() == [0.875, -0.5]

    def test_a_spurious_zero_is_off_by_the_value_itself(self):
        zero = np.array([[False, True], [True, False]])
        errors = of([[3.0, 5.0], [7.0, 2.0]], exact([[1.0, 1.0]] * 2), outcomes={"spurious_zero": zero})
        assert (errors.relative(0).tolist(), errors.relative(1).tolist()) == ([0.375, 1.0], [1.0, 0.25])

    def test_relative_errors_beyond_the_limit_are_infinite(self):
        ulp = [[2.0**700, 2.0**701, 3.0]]
        errors = of(ulp, exact([[1.0] * 3], per_value=1.0), most_relative=[2.0**701])
        assert errors.relative(0).tolist() == [2.0**700, np.inf, 3.0]
        assert of(ulp, exact([[1.0] * 3], per_value=1.0), most_relative=[1.0]).relative(0).tolist() == ulp[0]

    def test_an_absolute_error_is_the_ulp_error_times_the_ulp(self):
        errors = of([[3.0, NONE], [5.0, 0.0]], exact([[1.0, 1.0]] * 2, [[0.5, 2.0], [4.0, 1.0]]))
        assert (errors.absolute(0).tolist(), errors.absolute(1).tolist()) == ([1.5, -2.0], [20.0, 0.0])

    @pytest.mark.parametrize("how", ["huge", "parts"])
    def test_an_absolute_error_is_a_difference_where_ulps_do_not_tell(self, how):
        """Beyond HUGE, and where the exact value comes in parts, of which `high` lacks some."""
        parts = (
            (lambda: (np.array([[2.0, 3.0]]), np.array([[0.25, 0.0]]), np.array([[0.125, 0.0]])))
            if how == "parts"
            else None
        )
        given = exact([[2.0, 3.0]], 0.5, low=0.75, parts=parts)
        errors = of([[HUGE if how == "huge" else 1.0, NONE]], given, computed=[[5.0, 9.0]])
        assert errors.absolute(0).tolist() == [3 - 0.375, NONE]
        assert of([[0.0, 8.0]], given, computed=[[5.0, 9.0]]).absolute(0).tolist() == (
            [0.0, 4.0] if how == "huge" else [3 - 0.375, 6.0]
        )

    def test_a_bound_on_absolute_errors(self):
        rows = [[2.0, -3.0], [np.inf, 1.0]]
        assert of([[4.0, 1.0], [6.0, 2.0]], exact(rows, [[0.5, 2.0], [1.0, 1.0]])).most_absolute.tolist() == [8.0, 6.0]
        in_parts = of([[4.0, 1.0], [6.0, 2.0]], exact(rows, [[0.5, 2.0], [1.0, 1.0]], parts=lambda: ()))
        assert in_parts.most_absolute.tolist() == [8.0 + 3 * OPEN, 6.0 + OPEN]
        poles = of([[0.0, 0.0]] * 2, exact([[np.inf, 0.5], [np.inf, -np.inf]], parts=lambda: ()))
        assert poles.most_absolute.tolist() == [0.5 * OPEN, 0.0]

    def test_errors_are_not_changed(self):
        with pytest.raises(FrozenInstanceError):
            of([[1.0]], exact([[1.0]])).peak = 2.0

    def test_errors_are_huge_beyond_the_limit_in_any_row(self):
        given = exact([[1.0], [1.0]])
        assert [of([[a], [1.0]], given).huge for a in (HUGE, np.nextafter(HUGE, np.inf))] == [False, True]

    @pytest.mark.parametrize("powers", [(350, 350), (537, 537), (536, 537)])
    def test_huge_errors_are_the_difference_over_the_ulp_times_a_power_of_two(self, powers):
        """The inverse of the ulp comes in two factors, as one could overflow."""
        scales, size = tuple(np.full((1, 3), 2.0**p) for p in powers), 2.0**1020
        errors = of([[np.inf, HUGE, 5.0]], exact([[size] * 3], scales=scales), computed=[[-2 * size, 3 * size, 0.0]])
        product = float(mp.ldexp(3, 1020 + sum(powers) + HUGE_SCALE))
        assert errors.huge_ulp().tolist() == [[product, 0.0, 0.0]]


class TestMeasure:
    def test_an_error_is_the_difference_over_the_ulp_less_what_high_lacks(self):
        given = exact(
            [[2.0, 2.0, -2.0]], 0.5, low=[[0.25, -0.25, 0.25]], scales=(np.full((1, 3), 4.0), np.full((1, 3), 0.5))
        )
        errors = measure(np.array([[2.5, 2.5, -2.5]]), given, False)
        assert errors.ulp.tolist() == [[0.75, 1.25, 1.25]] and errors.peak.tolist() == [1.25]
        assert errors.most_relative.tolist() == [1.25 * 0.125] and errors.all_measured and errors.exact is given
        assert measure(np.array([[2.5, 2.0]]), exact([[2.0, 2.0]], 0.5), False).ulp.tolist() == [[1.0, 0.0]]

    def test_correctly_rounded_is_what_the_exact_value_rounds_to(self):
        given = exact([[2.25, 2.25]], rounded=[[2.0, 2.0]], working=[[2.0, 2.0]])
        assert measure(np.array([[2.0, 3.0]]), given, False).correctly_rounded.tolist() == [[True, False]]

    @pytest.mark.parametrize(
        ("ulp", "per_value", "most"),
        [(0.25, 8.0, 1.0), (0.25, 6.0, 1.0), (0.25, 2.0, 0.5), (0.5, 8.0, 4.0), (0.75, 0.5, 0.375), (0.75, 4.0, 3.0)],
    )
    def test_what_is_rounded_to_nearest_is_off_by_the_value_at_most(self, ulp, per_value, most):
        given = exact([[1.0]], per_value=per_value)
        assert measure(np.array([[1.0 + ulp]]), given, True).most_relative.tolist() == [most]

    @pytest.mark.parametrize(("ulp", "most"), [(0.5, 4.0), (0.75, 6.0), (0.25, 1.0)])
    def test_of_others_the_bound_is_the_product_of_the_largest(self, ulp, most):
        given = exact([[1.0, 1.0]], per_value=[[0.125, 8.0]])
        assert measure(np.array([[1.0 + ulp, 1.0]]), given, True).most_relative.tolist() == [most]

    @pytest.mark.parametrize(
        ("ulp", "most", "at", "closer"),
        [
            (0.25, 8.0, 8.0, False), (0.5, 8.0, 8.0, True), (0.75, 0.5, 0.5, False), (3.0, 0.25, 8.0, False), (3.0, 0.25, 0.25, False),
            (3.0, 1.0, 0.25, False), (3.0, 1.0, 0.5, True), (np.nan, 1.0, 0.0, True), (np.inf, 1.0, 0.5, True),
            (1.98, 0.5, 0.5, True), (1.96, 0.505, 0.5, False),
        ],
    )  # fmt: skip
    def test_a_closer_look_is_taken_only_where_the_value_may_be_lost(self, monkeypatch, ulp, most, at, closer):
        """Second row: the first is within half a unit.  `most` bounds what `at` is, the ulp by the value."""
        given = exact([[1.0, 1.0], [1.0, 1.0]], per_value=[[0.0, 0.0], [at, 0.0]])
        object.__setattr__(given, "most_ulp_per_value", np.array([0.0, most]))
        looked = []
        monkeypatch.setattr(module, "_closer", lambda *a: looked.append(a[1].tolist()))
        measure(np.array([[1.0, 1.0], [1.0 + ulp, 1.0]]), given, True)
        assert bool(looked) == closer


class TestCloser:
    def test_outcomes_by_value(self):
        inf, nan = np.inf, np.nan
        computed = [[0.0, nan, inf, -inf, -1.0, 0.0, 5.0, 1.0, 0.0]]
        value = [[1.0, 1.0, 1.0, 1.0, 1.0, inf, inf, 1.0, 0.25]]
        rounded = [[1.0, 1.0, 1.0, -inf, 1.0, inf, inf, 1.0, 0.0]]
        given = exact(value, rounded=rounded, per_value=2.0)
        errors = measure(np.array(computed), given, False)
        told = {name: np.nonzero(mask[0])[0].tolist() for name, mask in errors.outcomes.items()}
        assert told == {
            "spurious_nan": [1], "spurious_inf": [2], "capped": [5, 6], "spurious_zero": [0], "wrong_sign": [4],
        }  # fmt: skip
        assert errors.ulp.tolist() == [[1.0, NONE, NONE, NONE, 2.0, NONE, NONE, 0.0, 0.25]]
        assert (errors.peak.tolist(), errors.most_relative.tolist(), errors.all_measured) == ([2.0], [4.0], False)
        assert np.nonzero(errors.correctly_rounded[0])[0].tolist() == [3, 7, 8]

    @pytest.mark.parametrize(
        ("computed", "value", "nonnegative", "wrong"),
        [
            (-1.0, 1.0, False, True), (1.0, -1.0, False, True), (-1.0, 1.0, True, True), (1.0, 0.0, False, False),
            (-1.0, 0.0, False, False), (-1.0, 0.0, True, True), (1.0, 0.0, True, False), (2.0, 1.0, True, False),
            (-2.0, -1.0, False, False), (-1.0, np.inf, False, False), (1.0, -np.inf, False, False),
            (-np.inf, 1.0, True, False), (np.nan, -1.0, False, False), (0.0, -1.0, False, False),
        ],
    )  # fmt: skip
    def test_signs(self, computed, value, nonnegative, wrong):
        errors = measure(np.array([[computed, 8.0]]), exact([[value, 1.0]], per_value=8.0), nonnegative)
        assert errors.outcomes.get("wrong_sign", np.zeros((1, 2), bool)).tolist() == [[wrong, False]]

    def test_what_is_measured_is_all_or_not(self):
        assert measure(np.array([[0.0, 5.0]]), exact([[1.0, 1.0]], per_value=8.0), False).all_measured
        assert not measure(np.array([[0.0, np.nan]]), exact([[1.0, 1.0]], per_value=8.0), False).all_measured
        assert not measure(np.array([[0.0], [np.inf]]), exact([[1.0], [1.0]], per_value=8.0), False).all_measured

    def test_nan_is_right_where_it_stands_for_an_infinity(self):
        given = exact([[1.0, 9.0, 9.0]], rounded=[[1.0, np.inf, np.inf]], working=[[1.0, np.nan, np.inf]])
        errors = measure(np.array([[np.nan, np.nan, np.nan]]), given, False)
        assert errors.outcomes["spurious_nan"].tolist() == [[True, False, True]]
        assert errors.correctly_rounded.tolist() == [[False, True, False]]


def tally(ulp, ordinals=None, *, cells=1, first=0, whole=True, centre=0, beside=None, budget=4.0, peak=None, **more):
    """A tally of errors that are given."""
    errors = of(ulp, exact(np.ones_like(np.array(ulp, float))), **more)
    if peak is not None:
        object.__setattr__(errors, "peak", np.array(peak, float))
    ordinals = np.arange(len(ulp[0])) if ordinals is None else np.array(ordinals)
    return Tally(Block(ordinals, cells, first, whole, centre, beside), errors, budget)


BEYOND = float(np.nextafter(HUGE, np.inf))


class TestTally:
    def test_a_block_has_its_cells_side_by_side(self):
        block = Block(np.arange(-4, 8), 3, 5, True, 2)
        assert (block.per_cell, block.columns, block.split) == (4, slice(5, 8), 6)
        assert block.by_cell(np.arange(24).reshape(2, 12))[1].tolist() == [
            [12, 13, 14, 15],
            [16, 17, 18, 19],
            [20, 21, 22, 23],
        ]
        assert Block(np.arange(4), 1, 0, True, -1).split == 0 and Block(np.arange(4), 1, 0, True, 9).split == 4

    def test_the_largest_of_each_cell_is_at_its_first_input(self):
        found = tally([[1, 9, 9, 3, 4, 2], [5, 5, 1, 0, 8, 8]], [10, 11, 12, 13, 14, 15], cells=2)
        assert found.top.tolist() == [[9, 4], [5, 8]] and found.top_at.tolist() == [[11, 14], [10, 14]]

    def test_of_one_cell_the_largest_is_known(self):
        assert tally([[1, 2]], peak=[7]).top.tolist() == [[7]]
        assert tally([[1, 2]], cells=2, peak=[7]).top.tolist() == [[1, 2]]

    def test_among_infinite_ones_the_largest_is_that_of_the_scaled_errors(self):
        given = exact([[0.0] * 4], scales=(np.full((1, 4), 2.0**537), np.full((1, 4), 2.0**537)))
        computed = [[2.0**1000, 2.0**1001, 1.0, 0.0]]
        errors = of([[np.inf, np.inf, 5.0, HUGE]], given, computed=computed)
        found = Tally(Block(np.arange(20, 24), 2, 0, True, 0), errors, 4.0)
        assert found.top_at.tolist() == [[21, 23]] and found.top.tolist() == [[np.inf, HUGE]]
        assert found.huge_top.tolist() == [[2.0 ** (1001 + 1074 - 1100), 0.0]]
        assert found.huge_sums.tolist() == [[3 * 2.0 ** (1000 + 1074 - 1100), 0.0]]
        assert found.sums.tolist() == [[0.0, HUGE + 5.0]]
        assert (tally([[3.0, HUGE]]).huge_top, tally([[3.0, HUGE]]).huge_sums) == (0.0, 0.0)

    def test_what_was_not_measured_counts_nowhere(self):
        found = tally([[1, NONE, 4, 0], [NONE, NONE, 2, 3]], cells=2, measured=False)
        assert (found.sums.tolist(), found.measured.tolist()) == ([[1, 4], [0, 5]], [[1, 2], [0, 2]])
        assert tally([[1, 2, 4, 0], [1, 1, 1, 1]], cells=2).measured.tolist() == [[2, 2], [2, 2]]

    def test_beside_a_zero_no_mean_is_taken(self):
        beside = np.array([True, False, False, True])
        found = tally([[7, NONE, 4, 0], [1, 2, 3, 4]], cells=2, beside=beside, measured=False)
        assert (found.sums.tolist(), found.measured.tolist()) == ([[0, 4], [2, 3]], [[0, 1], [1, 1]])
        given = exact([[0.0, 0.0]], scales=(np.full((1, 2), 2.0**537), np.full((1, 2), 2.0**537)))
        errors = of([[np.inf, np.inf]], given, computed=[[2.0**1000, 2.0**1001]])
        found = Tally(Block(np.arange(2), 1, 0, True, 0, np.array([False, True])), errors, 4.0)
        assert found.huge_sums.tolist() == [[2.0 ** (1000 + 1074 - 1100)]]

    def test_outcomes_are_counted_by_cell(self):
        mask = np.array([[True, True, False, True], [False, False, False, True]])
        assert tally([[1] * 4] * 2, cells=2, outcomes={"capped": mask}).outcomes["capped"].tolist() == [[2, 1], [0, 1]]

    def test_correctly_rounded_are_counted_by_cell(self):
        assert tally([[0, 0, 1], [0, 2, 3]]).correctly_rounded.tolist() == [[2], [1]]
        assert tally([[0, 0, 1, 0], [0, 2, 3, 1]], cells=2).correctly_rounded.tolist() == [[2, 1], [1, 0]]

    def test_bounds_are_those_of_the_errors(self):
        found = tally([[1, 2]], most_relative=[0.75])
        assert found.most["max_rel"].tolist() == [0.75] and found.most["max_abs"].tolist() == [2.0]

    def test_the_largest_relative_and_absolute_error_and_their_inputs(self):
        given = exact([[1.0, 1.0, 1.0]] * 2, [[1.0, 4.0, 4.0]] * 2, per_value=[[2.0, 0.5, 0.5]] * 2)
        found = Tally(Block(np.array([30, 31, 32]), 1, 0, True, 0), of([[3, 2, 2], [1, 9, 9]], given), 4.0)
        assert (found.largest("max_rel", 0), found.largest("max_abs", 0)) == ((6.0, 30), (8.0, 31))
        assert (found.largest("max_rel", 1), found.largest("max_abs", 1)) == ((4.5, 31), (36.0, 31))
        assert found.largest("max_rel", 0) is found.largest("max_rel", 0)

    def test_an_error_is_bad_above_the_budget(self):
        assert [tally([[0, b]]).maybe_bad for b in (4.0, 4.5)] == [False, True]
        assert (
            tally([[0, 0], [0, 9]]).maybe_bad
            and tally([[0, 1]], outcomes={"capped": np.array([[True, False]])}).maybe_bad
        )
        errors = of([[4.0, 4.5, 0.0, 0.0]], exact([[1.0] * 4]), outcomes={
            "capped": np.array([[False, False, True, False]]), "spurious_nan": np.array([[False, False, False, True]]),
        })  # fmt: skip
        assert bad_points(errors, 0, slice(0, 4), 4.0).tolist() == [False, True, False, True]
        assert bad_points(errors, 0, slice(1, 3), 4.0).tolist() == [True, False]

    @pytest.mark.parametrize(
        ("bad", "below", "above"),
        [
            ([], None, None), ([0], -4, None), ([3], -1, None), ([4], None, 0), ([7], None, 3), ([0, 2], -2, None),
            ([5, 7], None, 1), ([2, 3, 4, 5], -1, 0), ([0, 7], -4, 3),
        ],
    )  # fmt: skip
    def test_the_bad_inputs_nearest_to_the_centre(self, bad, below, above):
        ulp = [[0.0] * 8, [9.0 if i in bad else 1.0 for i in range(8)]]
        found = tally(ulp, np.arange(-4, 4), budget=4.0)
        assert (found.last_bad_below(1), found.first_bad_above(1)) == (below, above)
        assert (found.last_bad_below(0), found.first_bad_above(0)) == (None, None)

    def test_medians_by_cell(self):
        values = np.array([[[0.0, 0.0, 1.0], [5.0, 3.0, 4.0]], [[NONE, 2.0, NONE], [NONE, 7.0, 6.0]]])
        assert medians(values).tolist() == [[0.0, 4.0], [2.0, 6.0]]
        assert values[1, 0].tolist() == [NONE, 2.0, NONE]
        assert np.isnan(medians(np.full((1, 2, 3), NONE))).tolist() == [[True, True]]
        assert tally([[3, 1, 2, 9]], cells=2).medians.tolist() == [[1.0, 2.0]]


class TestSummary:
    def test_nothing_is_known_at_first(self):
        empty = Summary(2, np.arange(3))
        assert empty.max_ulp.tolist() == [[NONE] * 3] * 2 and empty.points.tolist() == [0] * 3
        counts = (empty.measured, empty.correctly_rounded, *empty.outcomes.values())
        for zero in (empty.max_ulp_at, empty.sum_ulp, empty.huge_ulp, empty.huge_sum, *counts):
            assert zero.tolist() == [[0] * 3] * 2
        for zero in empty.extreme_at.values():
            assert zero.tolist() == [0, 0]
        assert np.isnan(empty.median_ulp).all() and [e.tolist() for e in empty.extreme.values()] == [[NONE] * 2] * 2
        assert empty.bad_below.tolist() == [NO_BAD_BELOW] * 2 and empty.bad_above.tolist() == [NO_BAD_ABOVE] * 2

    def test_blocks_add_up(self):
        summary = Summary(1, np.arange(3))
        mask = np.array([[True, False, False, True]])
        summary.add(tally([[1, 3, 2, 0]], [0, 1, 2, 3], cells=2, first=1, outcomes={"capped": mask}, most_relative=[9]))
        summary.add(tally([[3, 2, 1, 4]], [4, 5, 6, 7], cells=2, first=1, whole=False, outcomes={"capped": mask}))
        assert summary.points.tolist() == [0, 4, 4]
        assert summary.max_ulp.tolist() == [[NONE, 3.0, 4.0]] and summary.max_ulp_at.tolist() == [[0, 1, 7]]
        assert summary.sum_ulp.tolist() == [[0.0, 9.0, 7.0]] and summary.outcomes["capped"].tolist() == [[0, 2, 2]]
        assert summary.median_ulp[0, 1:].tolist() == [1.0, 0.0] and np.isnan(summary.median_ulp[0, 0])
        assert (summary.measured.tolist(), summary.correctly_rounded.tolist()) == ([[0, 4, 4]], [[0, 0, 1]])
        assert (summary.extreme["max_rel"].tolist(), summary.extreme_at["max_rel"].tolist()) == ([0.375], [1])
        assert (summary.extreme["max_abs"].tolist(), summary.extreme_at["max_abs"].tolist()) == ([4.0], [7])

    def test_the_largest_errors_alone_are_those_of_the_whole_summary(self):
        """Blocks of two rows, the larger errors now in the one, now in the other; outcomes in both."""
        whole, largest = Summary(2, np.arange(4)), LargestErrors(2)
        assert largest.max_ulp.tolist() == [NONE, NONE]
        for first, ulp in ((0, [[1, 7, NONE, NONE], [3, 1, 5, 0]]), (2, [[9, 1, 2, 3], [0, NONE, NONE, 4]])):
            nan, zero = np.array(ulp) < 0, np.array(ulp) == 0
            outcomes = {"spurious_nan": nan, "spurious_zero": zero}
            given = tally(ulp, np.arange(4) + 2 * first, cells=2, first=first, outcomes=outcomes, measured=False)
            whole.add(given)
            largest.add(given)
        assert largest.max_ulp.tolist() == whole.max_ulp.max(axis=1).tolist() == [9, 5]
        assert largest.measured.tolist() == whole.measured.sum(axis=1).tolist() == [6, 6]
        counts = {name: count.tolist() for name, count in largest.outcomes.items()}
        assert counts == {name: count.sum(axis=1).tolist() for name, count in whole.outcomes.items()}
        assert counts["spurious_nan"] == [2, 2] and counts["spurious_zero"] == [0, 2]

    def test_update_measures_and_adds(self):
        summary = Summary(1, np.arange(1))
        summary.update(Block(np.arange(3), 1, 0, True, 1), of([[5, 1, 3]], exact([[1.0] * 3])), 2.0)
        assert (summary.max_ulp.tolist(), summary.bad_below.tolist(), summary.bad_above.tolist()) == ([[5.0]], [0], [2])

    def test_among_infinite_errors_the_largest_scaled_one_is_kept(self):
        def scaled(*computed):
            given = exact([[0.0] * 2], scales=(np.full((1, 2), 2.0**537), np.full((1, 2), 2.0**537)))
            return of([[np.inf, np.inf]], given, computed=[computed])

        summary = Summary(1, np.arange(2))
        for first, sizes in ((0, (1000, 990)), (2, (1001, 980)), (4, (999, 981))):
            block = Block(np.arange(first, first + 2), 2, 0, True, 0)
            summary.add(Tally(block, scaled(*(2.0**s for s in sizes)), 4.0))
        assert summary.max_ulp_at.tolist() == [[2, 1]]
        assert summary.huge_ulp.tolist() == [[2.0**975, 2.0**964]]
        assert summary.huge_sum.tolist() == [[2.0**974 + 2.0**975 + 2.0**973, 2.0**964 + 2.0**954 + 2.0**955]]
        assert summary.worst_at(0) == 2
        with mp.workprec(2400):
            assert summary.mean_ulp(0) == mp.ldexp(mp.mpf(summary.huge_sum.sum()), 1100) / 6

    def test_the_first_of_the_largest_is_the_worst(self):
        summary = Summary(2, np.arange(3))
        summary.max_ulp[1], summary.max_ulp_at[1] = [1.0, 5.0, 5.0], [10, 20, 30]
        assert summary.worst_at(1) == 20
        summary.huge_ulp[1] = [9.0, 0.0, 2.0]
        assert summary.worst_at(1) == 30

    def test_a_mean_is_the_exact_sum_by_the_count(self):
        summary = Summary(3, np.arange(3))
        summary.sum_ulp[:] = [[1e16, 1.0, -1e16], [1.5e308, 1.5e308, 1.0], [0.0, 0.0, 0.0]]
        summary.measured[:] = [[1, 2, 1], [1, 0, 1], [0, 0, 0]]
        assert summary.mean_ulp(0) == 0.25 and summary.mean_ulp(1) == mp.mpf(1.5e308) and mp.isnan(summary.mean_ulp(2))
        summary.huge_sum[0] = [0.0, 2.0, 0.5]
        with mp.workprec(2400):
            assert summary.mean_ulp(0) == (mp.ldexp(5, 1099) + 1) / 4
            assert summary.total_ulp(0) == mp.ldexp(5, 1099) + 1
            assert summary.total_ulp(0, np.array([True, False, True])) == mp.ldexp(1, 1099)
            assert summary.total_ulp(1, np.zeros(3, bool)) == 0

    @pytest.mark.parametrize(
        ("ordinals", "centre", "known", "asked"),
        [
            ([0, 1, 2, 3], 2, (NO_BAD_BELOW, NO_BAD_ABOVE), ["above", "below"]), ([0, 1], 2, (NO_BAD_BELOW, NO_BAD_ABOVE), ["below"]),
            ([2, 3], 2, (NO_BAD_BELOW, NO_BAD_ABOVE), ["above"]), ([0, 1], 2, (0, NO_BAD_ABOVE), ["below"]), ([0, 1], 2, (1, 5), []),
            ([5, 6], 2, (0, 5), []), ([5, 6], 2, (0, 6), ["above"]), ([0, 1, 2, 3], 2, (1, 2), []),
        ],
    )  # fmt: skip
    def test_only_what_may_lie_nearer_is_asked_for(self, ordinals, centre, known, asked):
        summary, heard = Summary(1, np.arange(1)), []
        summary.bad_below[:], summary.bad_above[:] = known
        found = tally([[9.0] * len(ordinals)], ordinals, centre=centre)
        found.first_bad_above = lambda t: heard.append("above")
        found.last_bad_below = lambda t: heard.append("below")
        summary.note_bad(found)
        assert heard == asked and (summary.bad_below[0], summary.bad_above[0]) == known

    def test_nothing_is_asked_for_where_nothing_is_bad(self):
        summary, found = Summary(1, np.arange(1)), tally([[1.0, 2.0]], centre=1)
        found.first_bad_above = found.last_bad_below = None
        summary.note_bad(found)
        assert (summary.bad_below[0], summary.bad_above[0]) == (NO_BAD_BELOW, NO_BAD_ABOVE)

    def test_errors_are_computed_only_where_they_may_be_larger(self):
        summary, found, heard = Summary(2, np.arange(1)), tally([[1.0, 2.0], [3.0, 1.0]], most_relative=[0.5, 0.75]), []
        summary.extreme["max_rel"][:], summary.extreme["max_abs"][:] = [0.5, 0.25], [3.0, 3.0]
        summary.extreme_at["max_rel"][:] = [7, 8]
        found.largest = lambda name, t: heard.append((name, t)) or (0.25, 99)
        summary._extremes(found)
        assert heard == [("max_rel", 1)]
        assert (summary.extreme["max_rel"].tolist(), summary.extreme_at["max_rel"].tolist()) == ([0.5, 0.25], [7, 8])

    def test_parts_merge_in_any_order(self):
        parts = []
        for n, cells in enumerate(([4, 9], [2], [7])):
            part = Summary(2, np.array(cells))
            for t in (0, 1):
                part.max_ulp[t], part.max_ulp_at[t] = [10 * n + t + c for c in cells], cells
                part.sum_ulp[t], part.huge_ulp[t], part.huge_sum[t] = [[k * c + t for c in cells] for k in (2, 3, 4)]
                part.median_ulp[t] = [5 * c + t for c in cells]
                for k, counts in enumerate(part.outcomes.values()):
                    counts[t] = [k + t + c for c in cells]
            part.points[:] = cells
            for t in (0, 1):
                part.measured[t], part.correctly_rounded[t] = [[k * c + t for c in cells] for k in (6, 7)]
            part.extreme["max_rel"][:], part.extreme_at["max_rel"][:] = [5.0, n], [10 - n, n]
            part.extreme["max_abs"][:], part.extreme_at["max_abs"][:] = [-n, 7.0], [n, n]
            part.bad_below[:], part.bad_above[:] = [-9 + n, -5 - n], [9 - n, 5 + n]
            parts.append(part)
        for whole in (merge(parts), merge(parts[::-1])):
            assert whole.cells.tolist() == [2, 4, 7, 9] == whole.points.tolist()
            assert (
                whole.max_ulp.tolist() == [[12, 4, 27, 9], [13, 5, 28, 10]]
                and whole.max_ulp_at.tolist() == [[2, 4, 7, 9]] * 2
            )
            assert whole.sum_ulp.tolist() == [[4, 8, 14, 18], [5, 9, 15, 19]]
            assert whole.huge_ulp.tolist() == [[6, 12, 21, 27], [7, 13, 22, 28]]
            assert whole.huge_sum.tolist() == [[8, 16, 28, 36], [9, 17, 29, 37]]
            assert whole.median_ulp.tolist() == [[10, 20, 35, 45], [11, 21, 36, 46]]
            for k, name in enumerate(OUTCOMES):
                assert whole.outcomes[name].tolist() == [[k + 2, k + 4, k + 7, k + 9], [k + 3, k + 5, k + 8, k + 10]]
            assert whole.measured.tolist() == [[12, 24, 42, 54], [13, 25, 43, 55]]
            assert whole.correctly_rounded.tolist() == [[14, 28, 49, 63], [15, 29, 50, 64]]
            assert (whole.extreme["max_rel"].tolist(), whole.extreme_at["max_rel"].tolist()) == ([5.0, 2.0], [8, 2])
            assert (whole.extreme["max_abs"].tolist(), whole.extreme_at["max_abs"].tolist()) == ([0.0, 7.0], [0, 0])
            assert (whole.bad_below.tolist(), whole.bad_above.tolist()) == ([-7, -5], [7, 5])

    def test_a_cell_is_in_one_part_alone(self):
        with pytest.raises(ValueError, match="same cell"):
            merge([Summary(1, np.array([1, 5])), Summary(1, np.array([3, 5]))])
        assert merge([Summary(1, np.array([1, 5])), Summary(1, np.array([4, 6]))]).cells.tolist() == [1, 4, 5, 6]

    def test_of_equal_values_the_least_input_counts(self):
        a, b = (np.array([2.0, 3.0, 1.0]), np.array([5, 6, 7])), (np.array([2.0, 1.0, 4.0]), np.array([4, 1, 9]))
        for pair in ((a, b), (b, a)):
            assert [v.tolist() for v in larger(*pair)] == [[2.0, 3.0, 4.0], [4, 6, 9]]

    def test_a_sum_is_exact(self):
        assert summaries._whole(np.array([1.0, 2.0**-60, -1.0])) == mp.mpf(2.0**-60)
        assert summaries._whole(np.array([2.0**1023, 2.0**1023])) == mp.ldexp(1, 1024)


def test_a_block_of_nothing_but_wrong_signs():
    errors = measure(np.array([[-1.0, -2.0]]), exact([[1.0, 1.0]], per_value=8.0), True)
    assert errors.outcomes["wrong_sign"].tolist() == [[True, True]]


def test_an_error_of_0_counts_beside_one_that_does_not():
    beside = np.array([True, False, False])
    assert tally([[0.0, 0.0, 0.5]], beside=beside).measured.tolist() == [[2]]


def test_one_part_is_the_whole():
    part = Summary(2, np.array([3, 1]))
    part.measured[:] = [4, 5]
    assert merge([part]).cells.tolist() == [1, 3] and merge([part]).measured.tolist() == [[5, 4], [5, 4]]
