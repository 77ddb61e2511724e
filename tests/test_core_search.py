"""What a search goes through, function by function: lines, boxes and their parts, samples, the record, best-first.

Formats are small and errors are given, so that every point that must be visited is known by hand.  benchmarks/mutants.py
makes small slips in harness/search/space.py, and what is here must notice.
"""

from dataclasses import replace

import numpy as np
from pretended import BF16, E4M3, F16, F32, F64, Numbers, Pretended, same

from harness.kernels import kernel_named
from harness.problems import PROBLEMS
from harness.search import space
from harness.search.space import (
    SearchLine,
    SearchResult,
    binade_boxes,
    cell_intervals,
    divide_boxes,
    errors_at,
    sample_boxes,
    spread_over,
)


def lists(*arrays):
    return [a.tolist() for a in arrays]


class TestLines:
    def test_a_line_goes_over_the_domain_or_over_all_targets(self):
        problem = same((-2.0, 4.0))
        assert SearchLine(problem, E4M3).ends == (-1 - 64, 72 + 1)
        assert SearchLine(problem, E4M3, at=E4M3.round(3)).ends == (0, 56 + 1)

    def test_the_critical_targets_are_0_a_half_and_1(self):
        line = SearchLine(PROBLEMS["bce_logits"], F16, at=F16.round(1))
        expected = [*range(9), *range(0x3800 - 8, 0x3800 + 9), *range(0x3C00 - 8, 0x3C00 + 1)]
        assert line.critical.tolist() == expected

    def test_a_zero_of_the_exact_value_is_critical(self):
        problem = PROBLEMS["bce_logits_grad"]
        zero = int(F32.ordinal(np.array([-np.log(3.0)], np.float32))[0])  # of sigmoid(x) - 1/4
        near = SearchLine(problem, F32, F32.round(0.25)).critical
        assert set(range(zero - 7, zero + 8)) <= set(near.tolist())
        assert zero not in SearchLine(problem, F32).critical

    def test_the_kernel_is_given_what_varies_and_what_is_fixed(self):
        ordinals = np.array([0, 56, 64])
        (x,) = SearchLine(same(), E4M3).inputs(ordinals)
        assert x.tolist() == [[0, 1, 2]] and x.dtype == E4M3.dtype
        x, y = SearchLine(same(), E4M3, target=E4M3.round(0.5)).inputs(ordinals)
        assert x.tolist() == [[0, 1, 2]] and y.tolist() == [[0.5]] and y.dtype == E4M3.dtype
        x, y = SearchLine(same(), E4M3, at=E4M3.round(4)).inputs(ordinals[:2])
        assert x.tolist() == [[4, 4]] and y.tolist() == [[0, 1]] and x.dtype == E4M3.dtype

    def test_a_point_has_the_input_first(self):
        assert SearchLine(same(), E4M3).point(7) == (7,)
        assert SearchLine(same(), E4M3, target=E4M3.round(1)).point(7) == (7, 56)
        assert SearchLine(same(), E4M3, at=E4M3.round(2)).point(7) == (64, 7)

    def test_errors_are_in_ulps_and_negative_where_there_is_none(self):
        off = np.array([[0.0, 0.25, np.nan, np.inf, -0.5]], np.float32)
        kernel = replace(kernel_named("exp", "numpy"), function=lambda x, y: off[:, : x.shape[1]])
        problem = same(
            fast=lambda x, y: np.zeros_like(x) + 1.0, terms=lambda x, y: (x * 0 + 1, []), rational=lambda x, y: 1
        )
        inputs = np.ones((1, 5), np.float32), np.zeros((1, 1), np.float32)
        found = errors_at(problem, kernel, F32, inputs)
        assert found.shape == (5,) and found[[0, 1, 4]].tolist() == [2.0**23, 0.75 * 2**23, 1.5 * 2**23]
        assert (found[[2, 3]] < 0).all()
        one = replace(kernel, function=lambda x, y: np.full((1, 1), 1 + 2.0**-23, np.float32))
        assert errors_at(problem, one, F32, inputs).tolist() == [1] * 5  # a constant is one of all inputs

    def test_only_where_the_value_is_never_negative_a_sign_is_wrong(self):
        kernel = replace(kernel_named("exp", "numpy"), function=lambda x: -x)
        inputs = (np.full((1, 1), 2.0**-149, np.float32),)
        assert errors_at(same(), kernel, F32, inputs) == errors_at(same(nonnegative=True), kernel, F32, inputs) == [2]


class TestIntervals:
    def test_cells_are_cut_at_the_ends(self):
        assert lists(*cell_intervals(BF16, -20, 33, 1000)) == [[-20, -16, 0, 16, 32], [-16, 0, 16, 32, 33]]
        assert lists(*cell_intervals(BF16, -16, 32, 1000)) == [[-16, 0, 16], [0, 16, 32]]

    def test_the_last_of_few_intervals_of_float64_ends_with_the_line(self):
        """The next multiple of 2^60 is 2^63, which int64 has not."""
        low, high = cell_intervals(F64, *F64.finite_ordinals(), 17)
        assert low[-1] == 7 << 60 and high[-1] == F64.max_ordinal + 1 and (low < high).all()
        points = sample_boxes(low[None], high[None], 16, np.random.default_rng(0))
        assert np.isfinite(F64.from_ordinal(points)).all()

    def test_so_few_that_there_are_about_so_many(self):
        assert lists(*cell_intervals(BF16, 0, 256, 3)) == [[0, 128], [128, 256]]
        assert lists(*cell_intervals(BF16, 0, 256, 2)) == [[0], [256]]
        assert lists(*cell_intervals(BF16, 0, 300, 2)) == [[0, 256], [256, 300]]
        assert lists(*cell_intervals(BF16, 0, 300, 1)) == [[0], [300]] == lists(*cell_intervals(BF16, 0, 300, 0))
        assert lists(*cell_intervals(BF16, 300, 600, 1)) == [[300, 512], [512, 600]]

    def test_boxes_are_of_a_binade_by_a_binade_or_more_of_each(self):
        """From 1/2 to 2, and the targets from 0 to 1: 2 by 7 whole binades, with 9 by 8 numbers more at the ends."""
        low, high = binade_boxes(E4M3, (0.5, 2.0), 14)
        assert lists(low[0], high[0]) == [np.repeat(n, 8).tolist() for n in ([48, 56, 64], [56, 64, 65])]
        assert lists(low[1], high[1]) == [[*range(0, 57, 8)] * 3, [*range(8, 57, 8), 57] * 3]
        assert lists(*binade_boxes(E4M3, (0.5, 2.0), 10**6)) == lists(low, high)
        low, high = binade_boxes(E4M3, (0.5, 2.0), 13)
        assert lists(low[0], high[0]) == [[48] * 4 + [64] * 4, [64] * 4 + [65] * 4]
        assert lists(low[1], high[1]) == [[0, 16, 32, 48] * 2, [16, 32, 48, 57] * 2]

    def test_points_spread_over_intervals_have_the_last_of_all(self):
        assert spread_over(np.array([0, 10]), np.array([10, 13]), 4).tolist() == [0, 2, 4, 6, 10, 12]
        assert spread_over(np.array([5, 16]), np.array([16, 48]), 1).tolist() == [5, 16, 47]

    def test_the_longest_side_is_divided_and_the_first_parts_take_the_rest(self):
        low, high = np.array([[0, 5, 0, 0], [0, 1, 0, 0]]), np.array([[19, 7, 2, 8], [3, 21, 2, 8]])
        first, last, box = divide_boxes(low, high, 4)
        assert first[0].tolist() == [0, 5, 10, 15, 5, 5, 5, 5, 0, 1, 0, 2, 4, 6]
        assert last[0].tolist() == [5, 10, 15, 19, 7, 7, 7, 7, 1, 2, 2, 4, 6, 8]
        assert first[1].tolist() == [0, 0, 0, 0, 1, 6, 11, 16, 0, 0, 0, 0, 0, 0]
        assert last[1].tolist() == [3, 3, 3, 3, 6, 11, 16, 21, 2, 2, 8, 8, 8, 8]
        assert box.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3]

    def test_the_first_side_counts_in_runs(self):
        for width, divided in ((127, 1), (128, 0), (135, 0)):  # 7 or 8 runs of 16, beside 8 targets
            first, last, _ = divide_boxes(np.zeros((2, 1), int), np.array([[width], [8]]), 2, run=16)
            assert (last - first)[divided].max() < (width, 8)[divided]
            assert (last - first)[1 - divided].tolist() == [(width, 8)[1 - divided]] * 2

    def test_a_box_is_divided_into_eight_by_numbers_unless_it_is_said(self):
        first, _, _ = divide_boxes(np.zeros((2, 1), int), np.array([[80], [79]]))
        assert first.tolist() == [[*range(0, 80, 10)], [0] * 8]


class TestSamples:
    def test_both_ends_and_random_ones_between(self):
        points = sample_boxes(np.array([[100, 7000]]), np.array([[1100, 7005]]), 4, Numbers(0.9, 0.5, 0.0625, 0.2))
        assert points.tolist() == [[[100, 600, 162, 1099], [7000, 7002, 7000, 7004]]]

    def test_a_box_of_no_more_points_is_visited_whole(self):
        low, high = np.array([[10, 0, 5], [20, 0, 0]]), np.array([[12, 2, 6], [23, 4, 1]])
        points = sample_boxes(low, high, 6, Numbers(0.0))
        assert points[:, 0].tolist() == [[10, 10, 10, 11, 11, 11], [20, 21, 22, 20, 21, 22]]
        assert points[:, 1].tolist() == [[0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 3]]  # of 8: both ends
        assert points[:, 2].tolist() == [[5] * 6, [0] * 6]  # the only one
        points = sample_boxes(np.array([[100, 7]]), np.array([[103, 11]]), 4, Numbers(0.0))
        assert points.tolist() == [[[100, 101, 102, 102], [7, 8, 9, 10]]]

    def test_three_sides(self):
        points = sample_boxes(np.array([[0], [0], [0]]), np.array([[2], [3], [2]]), 12, Numbers(0.0))[:, 0]
        assert points.T.tolist() == [[x, y, z] for x in (0, 1) for y in (0, 1, 2) for z in (0, 1)]


class TestRecord:
    def test_nothing_is_found_at_first(self):
        result = SearchResult()
        assert result == SearchResult((), -1.0, -1.0, 0, 0, []) and result.trace is not SearchResult().trace
        result.note(np.array([[5, 6]]), np.array([-1.0, -1.0]))
        assert result == SearchResult((), -1.0, -1.0, 2, 0, [])

    def test_of_equals_the_first_and_a_record_is_traced(self):
        result = SearchResult()
        result.note(np.array([[5, 6, 7], [1, 2, 3]]), np.array([0.0, 2.0, 2.0]))
        result.note(np.array([[8], [4]]), np.array([2.0]))
        result.note(np.empty((2, 0), int), np.empty(0))
        assert (result.point, result.ulp, result.evaluations, result.trace) == ((6, 2), 2.0, 4, [(3, 2.0)])
        result.note(np.array([[9, 9], [4, 5]]), np.array([2.5, 1.0]))
        assert (result.point, result.ulp, result.evaluations, result.trace) == ((9, 4), 2.5, 6, [(3, 2.0), (6, 2.5)])

    def test_a_part_is_added_at_a_point_of_the_whole(self):
        result = SearchResult((1, 2), 3.0, 2.0, 10, 100, [(4, 3.0)])
        result.add(SearchResult((7,), 3.0, 3.0, 5, 50, [(1, 2.0), (5, 3.0)]), (7, 7))
        assert result == SearchResult((1, 2), 3.0, 2.0, 15, 150, [(4, 3.0)])
        result.add(SearchResult((8,), 5.0, 1.0, 6, 0, [(1, 3.0), (2, 4.0), (6, 5.0)]), (8, 8))
        assert result == SearchResult((8, 8), 5.0, 2.0, 21, 150, [(4, 3.0), (17, 4.0), (21, 5.0)])


class TestVisits:
    def test_points_are_visited_in_blocks(self):
        run = Pretended(lambda points: points[0] / 2)
        ulp = run.visit(np.arange(16385)[None])
        assert (ulp == np.arange(16385) / 2).all() and [p.shape for p in run.asked] == [(1, 16384), (1, 1)]
        assert (run.found.point, run.found.evaluations) == ((16384,), 16385)
        assert run.visit(np.empty((1, 0), int)).shape == (0,) and run.found.evaluations == 16385

    def test_who_looks_is_told(self):
        run, told = Pretended(lambda points: points[0]), []
        run.looked_at = lambda points, ulp: told.append((points.tolist(), ulp.tolist()))
        run.visit(np.array([[3, 4]]))
        assert told == [([[3, 4]], [3, 4])]

    def test_boxes_are_sampled_in_their_shape(self):
        run = Pretended(lambda points: points[0] * 1000 + points[1])
        run.rng = Numbers(0.5)
        points, ulp = run.sample(np.array([[0, 8], [0, 16]]), np.array([[4, 16], [4, 32]]), 3)
        assert points.tolist() == [[[0, 2, 3], [8, 12, 15]], [[0, 2, 3], [16, 24, 31]]]
        assert ulp.tolist() == [[0, 2002, 3003], [8016, 12024, 15031]]

    def test_what_runs_promise_is_visited(self, monkeypatch):
        """Blocks of two runs; of each block the four that beat the record most, in order, one error exactly visited."""
        n, asked = space.BLOCK // 2, []
        run, told = Pretended(lambda points: points[0] * 0 + 3.0), []
        planted = {(0, 5): 3.5, (0, 9): 9.0, (1, 1): 4.0, (1, 7): 5.0, (1, 2): 3.75, (2, 0): 3.0, (4, 3): 3.25}

        def runs(problem, kernel, fmt, inputs, block):
            asked.append(block[0, :, 0].tolist())
            errors = np.full(block.shape[1:], -1.0)
            errors[block[0, :, 0] == 3 * n] = 0.0  # interpolated without any error
            for (row, at), ulp in planted.items():
                errors[block[0] == row * n + at] = ulp
            return errors

        monkeypatch.setattr(space, "run_errors", runs)
        run.looked_at = lambda points, ulp: told.append((points.shape, ulp.shape))
        points = np.stack([np.arange(5 * n).reshape(5, n), np.arange(5 * n).reshape(5, n)])
        errors = run.look_at_runs(points)
        assert asked == [[0, n], [2 * n, 3 * n], [4 * n]]
        assert lists(*(p[0] for p in run.asked)) == [[9, n + 1, n + 2, n + 7], [4 * n + 3]]
        assert errors.shape == (5, n) and errors[4, 3] == 3.25 and errors[3, 0] == 0 and errors[0, 0] == -1
        assert run.found.evaluations == 5 * 6 + 4 + 1 and run.found.interpolated == 5 * n
        assert told == [((2, 2 * n), (2 * n,)), ((2, 4), (4,)), ((2, 2 * n), (2 * n,)), ((2, n), (n,)), ((2, 1), (1,))]

    def test_fewer_beat_the_record_and_long_runs_are_looked_at_one_by_one(self, monkeypatch):
        n = space.BLOCK + 1
        run, counted = Pretended(lambda points: points[0] * 0 + 1.0), []

        def runs(problem, kernel, fmt, inputs, block):
            counted.append(block.shape)
            return np.where(block[0] == 7, 2.0, -1.0)

        monkeypatch.setattr(space, "run_errors", runs)
        run.look_at_runs(np.arange(2 * n).reshape(1, 2, n))
        assert counted == [(1, 1, n)] * 2 and lists(*run.asked) == [[[7]]]
        assert (run.found.interpolated, run.found.evaluations) == (n, 13)


class Boxes(Pretended):
    """Boxes on a line, the error of a part being its first ordinal; the boxes of each sample are remembered."""

    def __init__(self):
        super().__init__(lambda points: points[0])
        self.sampled = []

    def sample(self, low, high, samples):
        self.sampled.append((low[0].tolist(), high[0].tolist(), samples))
        return super().sample(low, high, samples)


class TestBestFirst:
    def test_the_best_is_divided_until_the_budget_is_spent(self):
        whole, other = [*range(2000, 4049, 256)], [*range(0, 1281, 160)]
        parts = [*range(whole[-2], whole[-1] + 1, 32)]
        one, next_one = (whole[:-1], whole[1:], 16), (parts[:-1], parts[1:], 16)
        both = (whole[:-1] + other[:-1], whole[1:] + other[1:], 16)
        for evaluations, looked in ((128, [one]), (129, [one, next_one]), (255, [one, next_one]), (256, [both])):
            run = Boxes()
            run.visit(np.array([[0] * 100]))
            run.best_first(np.array([[0, 2000]]), np.array([[1280, 4048]]), np.array([1.0, 2.0]), evaluations)
            assert run.sampled == [entry for large in looked for entry in (([], [], 16), large)]
            assert run.found.evaluations == 100 + 8 * sum(len(entry[0]) for entry in looked) * 2

    def test_small_parts_are_visited_whole_and_done_with(self):
        run = Boxes()
        run.best_first(np.array([[0, 1000]]), np.array([[128, 1136]]), np.array([2.0, 1.0]), 1e9)
        small, large = [*range(0, 129, 16)], [*range(1000, 1137, 17)]
        assert run.sampled[:2] == [(small[:-1], small[1:], 16), (large[:-1], large[1:], 16)]
        assert run.sampled[2][0][:9] == [1119, 1122, 1124, 1126, 1128, 1130, 1132, 1134, 1102]  # the best of them first
        visited = np.concatenate([p[0] for p in run.asked])
        assert set(visited.tolist()) == {*range(128), *range(1000, 1136)}
        assert run.found.evaluations == (8 + 8 + 64) * 16 and len(run.sampled) == 4

    def test_parts_without_an_error_come_last(self):
        run = Boxes()
        run.ulp_at = lambda points: np.where(points[0] == 128, 0.0, -1.0)
        run.best_first(np.array([[0]]), np.array([[512]]), np.array([-1.0]), 129)
        assert [entry[0] for entry in run.sampled if entry[0]] == [[*range(0, 512, 64)], [*range(128, 192, 8)]]

    def test_of_two_sides_the_points_count(self):
        """4 by 32 numbers: parts of 4 by 4, which are 16 points; 4 by 40 leave eight of 4 by 5, divided into five each."""
        for height, count in ((32, 8 * 16), (40, 8 * 16 + 8 * 5 * 16)):
            run = Boxes()
            run.best_first(np.zeros((2, 1), int), np.array([[4], [height]]), np.array([1.0]), 1e9)
            assert run.found.evaluations == count
            assert len(np.unique(np.concatenate(run.asked, axis=1), axis=1).T) == 4 * height

    def test_48_boxes_are_divided_at_once_and_of_equals_the_first(self):
        low = np.arange(60)[None] * 1000
        best = np.ones(60)
        best[59] = 2.0
        run = Boxes()
        run.best_first(low, low + 1000, best, 60 * 128)
        first = next(entry for entry in run.sampled if entry[0])
        assert sorted({v // 1000 for v in first[0]}) == [*range(47), 59] and len(first[0]) == 48 * 8
        run = Boxes()
        run.best_first(low, low + 1000, best, 3 * 128)
        assert [entry[0][0] for entry in run.sampled if entry[0]] == [59000] and run.found.evaluations == 384
