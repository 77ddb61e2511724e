"""The search along a line, function by function: what exact values tell, edges and jumps, what samples promise, the shares.

The value is the input itself or two numbers given, and errors are given.  benchmarks/mutants.py makes small slips in
harness/search/along.py, and what is here must notice.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from pretended import BF16, E4M3, F16, F32, F64, same

from harness.search import along
from harness.search.along import ExactValues, LineSearch, SampledErrors, banded, cells_of, look_for_noise, search_along
from harness.search.space import SearchLine, SearchResult, cell_intervals


def lists(*arrays):
    return [a.tolist() for a in arrays]


def exact(fast, fmt=F32):
    return ExactValues(SearchLine(same(fast=fast), fmt))


def two_values(first, last):
    """A problem whose value is one number at the ordinals below 0 and another from there on."""
    return lambda x: np.where(np.signbit(x.astype(float)), np.array(first, x.dtype), np.array(last, x.dtype))


class TestExactValues:
    def test_binades_are_labelled_apart_by_sign_and_held_to_the_format(self):
        values = [
            0.0,
            -0.0,
            1.0,
            0.99,
            2.0**-7,
            2.0**-6,
            2.0**-9,
            100.0,
            128.0,
            2.0**10,
            math.inf,
            math.nan,
            -1.0,
            -math.inf,
        ]
        labels = [-6, -6, 1, 0, -6, -5, -6, 7, 8, 8, 8, 8, 33, 40]
        assert exact(lambda x: np.array([values]), E4M3).binade(np.arange(len(values))).tolist() == labels

    def test_zero_is_not_negative(self):
        assert exact(lambda x: np.array([[-1.0, 0.0, -0.0, 0.5]])).negative(np.arange(4)).tolist() == [
            True,
            False,
            False,
            False,
        ]

    def test_values_are_asked_for_in_blocks(self):
        asked = []
        values = exact(lambda x: asked.append(x.shape) or x.copy())
        assert values.at(np.arange(16385)).shape == (16385,) and asked == [(1, 16384), (1, 1)]
        assert values.at(np.empty(0, int)).shape == (0,) and asked[2:] == [(1, 0)]

    @pytest.mark.parametrize(
        ("first", "last", "points"),
        [
            (1.0, 1.0, 8), (1.0, 1 + 3 * 2.0**-23, 32), (1 + 3 * 2.0**-23, 1.0, 32), (-1.0, -4.0, 8 * (3 * 2**21 + 1)),
            (-4.0, -1.0, 8 * (3 * 2**21 + 1)), (0.0, 2.0**-149, 16),
            (math.inf, 1.0, 10**9), (1.0, math.nan, 10**9),
        ],
    )  # fmt: skip
    def test_so_many_points_stand_for_all_as_the_ends_are_ulps_apart(self, first, last, points):
        low, high = np.array([-5, -(10**9) // 2]), np.array([2, 10**9 // 2])
        found = exact(two_values(first, last)).degrees(low, high)
        assert found[0] == min(7, points) and found[1] == points

    def test_the_ends_are_the_first_and_the_last_input(self):
        one, two = F32.ordinal(np.array([1.0, 2.0], np.float32))
        stepped = exact(lambda x: np.where(x >= 2, 1 + 10 * 2.0**-23, 1.0))
        assert stepped.degrees(np.array([one, one]), np.array([two, two + 1])).tolist() == [8, 88]

    def test_they_are_2_to_the_62_at_most(self):
        low, high = np.array([-(2**61) - 2**60]), np.array([2**61 + 2**60])
        for first, last in ((math.nan, 1.0), (-math.inf, 1.0), (1.0, math.inf)):
            assert exact(two_values(first, last), F64).degrees(low, high).tolist() == [2**62]
        wide = exact(lambda x: two_values(-(2.0**1000), 2.0**1000)(x) * np.array(2.0**100, x.dtype), F64)
        assert wide.degrees(low, high).tolist() == [2**56]  # and of finite values far fewer


class Line(LineSearch):
    """A search along a line whose errors are a function of the ordinals; `asked` has those of each visit."""

    def __init__(self, ulp, fmt=F32, budget=1 << 16, domain=(-np.inf, np.inf), **line):
        super().__init__(SearchLine(same(domain), fmt, **line), None, budget, 0)
        self.ulp_at, self.asked = ulp, []

    def errors(self, points):
        self.asked.append(points[0].tolist())
        return np.asarray(self.ulp_at(points[0]), float)


class TestEdges:
    def test_the_kernel_is_given_the_line_and_the_worst_are_kept(self):
        told = []

        class Worst:
            def add(self, ordinals, ulp):
                told.append((ordinals.tolist(), ulp.tolist()))

        run = LineSearch(SearchLine(same(), E4M3), None, 5, 0, Worst())
        assert lists(*run.inputs(np.array([[56, 64]]))) == [[[1, 2]]]
        run.looked_at(np.array([[3, 4]]), np.array([1.0, 2.0]))
        assert told == [([3, 4], [1, 2])]
        LineSearch(SearchLine(same(), E4M3), None, 5, 0).looked_at(np.array([[3]]), np.array([1.0]))

    def test_neighbours_are_visited_as_far_as_the_line_goes(self):
        run = Line(lambda n: n, E4M3, domain=(0.0, 1.0))  # [0, 57)
        run.visit_beside(np.array([1, 2, 20, 55]), 2)
        run.visit_beside(np.empty(0, int), 2)
        assert run.asked == [[0, 1, 2, 3, 4, 18, 19, 20, 21, 22, 53, 54, 55, 56]]

    def edges(self, monkeypatch, budget, jumps, cells):
        """Edges of the line from -1 to 1 in float16, and what is visited beside."""
        beside, spread = [], []
        run = Line(lambda n: n, F16, budget, (-1.0, 1.0))
        run.visit_beside = lambda ordinals, neighbours: beside.append((ordinals.tolist(), neighbours))
        run.jumps = lambda points, ulp: spread.append((points.tolist(), ulp.tolist())) or np.array(jumps)
        real = along.spread_over
        monkeypatch.setattr(
            along, "spread_over", lambda low, high, count: spread.append(count) or real(low, high, count)
        )
        low, high = cell_intervals(F16, *run.line.ends, cells)
        steps = run.edges(low, high, np.array([7, 3, 5]), np.array([1.0, 2.0, 3.0]))
        return steps.tolist(), beside, spread, len(low)

    def test_binades_and_zeros_are_found_and_jumps_of_sorted_samples(self, monkeypatch):
        ones = [1024 * k for k in range(1, 16)]
        below = [-1 - n + 1 for n in ones if n < 15360]  # the first number of a lower binade, seen from below
        steps, beside, spread, cells = self.edges(monkeypatch, 1 << 14, [40, 2048], 1000)
        expected = sorted({*ones, *below, -1})
        # -1 itself begins its binade, so the first below it is the next; least binades are subnormal and one.
        assert -1 in steps and set(ones[1:]) <= set(steps) and all(abs(v) % 1024 in (0, 1, 1023) for v in steps)
        assert len(steps) <= len(expected) + 2
        assert beside[0] == ([-1], 2)
        assert beside[1] == (sorted({*steps, 40, 2048}), 1024 // (2 * (len(steps) + 2)))
        assert spread == [65536 // cells, ([3, 5, 7], [2, 3, 1])]

    def test_every_binade_is_found_on_both_sides_of_a_zero(self, monkeypatch):
        """x - 5/8 at float16 numbers, 2^-11 apart there, rises through nine binades to 0 and through ten above."""
        monkeypatch.setattr(along, "LABELLED", 1)
        problem = replace(same(fast=lambda x: x.astype(np.float64) - 0.625), domain=(0.25, 1.0))
        run = LineSearch(SearchLine(problem, F16), None, 1 << 14, 0)
        run.visit_beside = lambda *_: None
        run.jumps = lambda *_: np.empty(0, int)
        low, high = cell_intervals(F16, *run.line.ends, 1)
        found = F16.from_ordinal(run.edges(low, high, np.array([low[0]]), np.array([0.0]))).astype(float) - 0.625
        above = {2.0**-k for k in range(2, 12)}  # the least step of float16 there is 2^-11
        assert above <= set(found) and len([v for v in found if v < 0]) == 9

    def test_a_large_budget_goes_64_beside(self, monkeypatch):
        assert self.edges(monkeypatch, 1 << 20, [5], 1)[1][1][1] == 64

    def test_where_nothing_changes_nothing_is_visited(self):
        run = Line(lambda n: n * 0, F16, 1 << 14, (1.0, 1.5))
        assert run.edges(*cell_intervals(F16, *run.line.ends, 10), np.array([15360]), np.array([0.0])).size == 0
        assert run.asked == []

    def test_one_jump_has_half_of_the_share(self):
        run, beside = Line(lambda n: n * 0, F16, 320, (1.0, 1.5)), []
        run.jumps = lambda points, ulp: np.array([15400])
        run.visit_beside = lambda ordinals, neighbours: beside.append((ordinals.tolist(), neighbours))
        run.edges(*cell_intervals(F16, *run.line.ends, 10), np.array([15360]), np.array([0.0]))
        assert beside == [([], 2), ([15400], 10)]

    def test_more_cells_than_labels_have_one_each(self, monkeypatch):
        monkeypatch.setattr(along, "LABELLED", 3)
        assert self.edges(monkeypatch, 1 << 14, [5], 1000)[2][0] == 1


class TestJumps:
    def test_the_input_above_the_jump_is_found(self):
        run = Line(lambda n: np.where(n < 13, 0.0, 5.0))
        assert run.jumps(np.array([0, 8, 16]), np.array([0.0, 0.0, 5.0])).tolist() == [1, 13]

    def test_of_two_equal_differences_the_lower(self):
        run = Line(lambda n: np.select([n < 2, n < 6], [0.0, 1.0], 3.0))
        assert run.jumps(np.array([0, 8]), np.array([0.0, 3.0])).tolist() == [2]
        run = Line(lambda n: np.select([n < 2, n < 6], [0.0, 1.0], 3.5))
        assert run.jumps(np.array([0, 8]), np.array([0.0, 3.5])).tolist() == [6]

    def test_where_the_kind_turns_comes_before_all(self):
        run = Line(lambda n: np.select([n < 3, n < 6], [0.0, 1e9], -1.0))
        assert run.jumps(np.array([0, 8]), np.array([0.0, -1.0])).tolist() == [6]
        run = Line(lambda n: np.select([n < 3, n < 6], [-1.0, 1e9], 0.0))
        assert run.jumps(np.array([0, 8]), np.array([-1.0, 0.0])).tolist() == [3]

    def test_the_largest_are_taken_as_far_as_the_budget_goes(self):
        points = np.arange(0, 101 * 8, 8)
        ulp = np.where(np.arange(101) % 2, np.arange(101) + 1.0, 0.0)
        ulp[50] = -1.0
        for budget, most in ((16 * 32 * 3, 3), (16 * 32 * 4 - 1, 3), (1 << 20, 64)):
            run = Line(lambda n: ulp[n // 8], F32, budget)
            found = run.jumps(points, ulp).tolist()
            assert len(found) == most
            if most == 3:  # both sides of what has no error, and the larger of the last two
                assert found == [400, 408, 792]

    def test_two_without_an_error_differ_by_nothing(self):
        run = Line(lambda n: np.where(n < 20, -1.0, 2.0), F32, 16 * 32)
        assert run.jumps(np.array([0, 8, 16, 24]), np.array([-1.0, -1.0, -1.0, 2.0])).tolist() == [20]
        for last, found in ((0.5, [9, 24]), (0.0, [1, 9])):  # more than by nothing, and of equals the first
            run = Line(lambda n: n * 0.0, F32, 16 * 32 * 2)
            assert run.jumps(np.array([0, 8, 16, 24]), np.array([-1.0, -1.0, 0.0, last])).tolist() == found

    def test_ranks_are_logarithms(self):
        with np.errstate(all="raise"):
            assert along._rank(np.array([-1.0, 0.0, 0.5])).tolist() == [math.inf, 0.0, math.log1p(0.5)]


class TestSamples:
    def test_the_mean_of_eighth_powers_less_what_few_leave_uncertain(self):
        samples = SampledErrors(np.array([3, 1, 2, 9]), np.array([2.0, 1.0, -1.0, 4.0]))
        assert samples.points.tolist() == [1, 2, 3, 9]
        assert samples.sum.tolist() == [0, 2.0**-16, 2.0**-16, 2.0**-16 + 2.0**-8, 2.0**-16 + 2.0**-8 + 1]
        low, high = np.array([1, 1, 2, 4, 0, 9]), np.array([2, 4, 3, 9, 100, 10])
        expected = [
            0.25 * (1 - 0.5**0.5),
            ((2.0**-16 + 2.0**-8) / 3) ** 0.125 * (1 - 6**-0.5),
            0.0,
            0.0,
            ((2.0**-16 + 2.0**-8 + 1) / 4) ** 0.125 * (1 - 8**-0.5),
            1 - 0.5**0.5,
        ]
        assert samples.measure(low, high).tolist() == pytest.approx(expected, rel=1e-12)

    def test_errors_of_nothing_and_of_more_than_1e300(self):
        assert SampledErrors(np.array([1, 2]), np.array([0.0, -1.0])).sum.tolist() == [0, 0, 0]
        assert SampledErrors(np.array([1, 2]), np.array([1e300, 1e305])).sum.tolist() == [0, 1, 2]
        assert SampledErrors(np.array([1, 2]), np.array([0.25, 0.5])).sum.tolist() == [0, 2.0**-8, 1 + 2.0**-8]

    @pytest.mark.parametrize("shift", [12, 9, 3, 1])
    def test_an_interval_shares_what_its_blocks_have(self, shift):
        rng = np.random.default_rng(5)
        points = rng.integers(-5000, 5000, 700)
        samples = SampledErrors(points, rng.random(700) ** 8)
        low = rng.integers(-5000, 5000, 400)
        high = low + 2 ** rng.integers(0, 12, 400)
        for a, b, found in zip(low.tolist(), high.tolist(), samples.score(low, high, shift).tolist(), strict=True):
            spans = [(a, b)]
            for bits in (shift - 8, shift - 6, shift - 4, shift - 2):
                size = 2 ** max(0, bits)
                if b - a < size:
                    spans.append((a // size * size, a // size * size + size))
            assert found == max(samples.measure(np.array([s]), np.array([e]))[0] for s, e in spans)

    @pytest.mark.parametrize("size", [16, 64, 256, 1024])
    def test_the_blocks_are_of_four_sizes(self, size):
        """All samples of one block are bad, and none beside it: of all sizes its own says most."""
        points = np.arange(4096)
        samples = SampledErrors(points, np.where(points < size, 1.0, 0.0))
        assert samples.score(np.array([0]), np.array([1]), 12).tolist() == [1 - 1 / np.sqrt(2 * size)]


class TestNoise:
    def noise(self, monkeypatch, fmt, ulp, found=((), ())):
        called = []
        boxes = tuple(np.array([side], np.int64) for side in found)
        monkeypatch.setattr(
            along,
            "search_noise",
            lambda run, low, high, inputs: called.append((low.tolist(), high.tolist(), inputs)) or boxes,
        )
        monkeypatch.setattr(
            along,
            "search_windows",
            lambda run, cells, spots, inputs: called.append((lists(*cells), lists(*spots), inputs)),
        )
        run = Line(lambda n: n, fmt, 1000)
        run.found.ulp = ulp
        points = np.append(np.arange(64, 129), 200)
        samples = SampledErrors(points, np.append(np.ones(65), 0.5))
        look_for_noise(run, np.array([0, 64, 129]), np.array([64, 129, 1000]), np.array([40]), samples)
        return called

    def test_the_promising_are_first_and_flat_ones_are_left_out(self, monkeypatch):
        """A step at 40, with others at 104 and 296: of 64 inputs or fewer all were seen by the samples."""
        called = self.noise(monkeypatch, F32, 1024.0)
        assert called == [([[129, 296]], [[296, 1000]], 64000)]
        assert self.noise(monkeypatch, F32, 1025.0)[0][2] == 16000

    def test_the_most_promising_interval_is_the_first(self, monkeypatch):
        called = []
        monkeypatch.setattr(along, "search_noise", lambda run, low, high, inputs: called.append(lists(low, high)))
        points = np.concatenate([np.arange(0, 100), np.arange(200, 300)])
        ulp = np.repeat([0.25, 1.0], 100)
        cells = np.array([0, 100, 200]), np.array([100, 165, 300])
        run = Line(lambda n: n, F32, 1000)
        look_for_noise(run, *cells, np.empty(0, int), SampledErrors(points, ulp))
        assert called == [[[[200, 0, 100]], [[300, 100, 165]]]]  # of the others the wider block decides, for both alike
        called.clear()
        look_for_noise(run, np.array([0, 64]), np.array([64, 129]), np.empty(0, int), SampledErrors(points, ulp))
        assert called == [[[[64]], [[129]]]]

    def test_windows_are_climbed_in_the_cells_of_what_noise_ended_with(self, monkeypatch):
        called = self.noise(monkeypatch, F64, 1.0, ((129,), (1000,)))
        assert called == [
            ([[129]], [[1000]], 5120),
            ([[[0]], [[1 << 49]]], [[[129]], [[1000]]], 15360),
        ]  # the next step is far
        assert len(self.noise(monkeypatch, F64, 1.0)) == 1 == len(self.noise(monkeypatch, F32, 1.0, ((129,), (1000,))))

    def test_the_first_spot_of_each_cell(self):
        line = SearchLine(same((0.0, 2.0)), BF16)  # cells of 16, up to ordinal 0x4000 = 2
        last = 0x4000
        spots = np.array([[37, 15, 33, last, 8]]), np.array([[39, 17, 40, last + 1, 9]])
        cells, first = cells_of(spots, line)
        assert lists(*cells) == [[[32, 0, last]], [[48, 16, last + 1]]]
        assert lists(*first) == [[[37, 15, last]], [[39, 17, last + 1]]]
        line = SearchLine(same((float(BF16.from_ordinal(np.array([3]))[0]), 2.0)), BF16)
        assert cells_of((np.array([[5]]), np.array([[6]])), line)[0][0].tolist() == [[3]]

    @pytest.mark.parametrize(
        ("shift", "powers"),
        [
            (4, [6]),
            (9, [6]),
            (10, [6, 8]),
            (12, [6, 8, 10]),
            (20, [6, 8, 10, 12, 14, 16, 18]),
            (49, [6, 12, 18, 24, 30, 36, 42]),
        ],
    )
    def test_cells_are_divided_at_distances_from_steps(self, shift, powers):
        far, step = 1 << 55, 12345
        low, high = np.array([-far, 0]), np.array([0, far])
        edges = sorted([-far, 0, far, step, *(step - 2**k for k in powers), *(step + 2**k for k in powers)])
        assert lists(*banded(low, high, np.array([step]), shift)) == [edges[:-1], edges[1:]]

    def test_what_is_outside_is_left_out(self):
        assert lists(*banded(np.array([0, 50]), np.array([50, 100]), np.array([40]), 4)) == [[0, 40, 50], [40, 50, 100]]
        assert lists(*banded(np.array([0]), np.array([100]), np.array([36]), 4)) == [[0, 36], [36, 100]]


class TestShares:
    def search(self, monkeypatch, fmt, budget, domain=(1.0, 4.0), **line):
        calls = []

        class Recorded(Line):
            def __init__(self, line, kernel, budget, seed, worst):
                calls.append(("made", kernel, budget, seed, worst))
                super().__init__(lambda n: n, fmt, budget, line.problem.domain)
                self.line = line

            def visit_beside(self, ordinals, neighbours):
                calls.append(("beside", ordinals.tolist(), neighbours))
                self.found.ulp += 1

            def sample(self, low, high, samples):
                calls.append(("sampled", low.tolist(), high.tolist(), samples))
                self.found.ulp = 5.0
                return np.arange(2 * low.size).reshape(1, -1, 2), np.arange(2.0 * low.size).reshape(-1, 2)

            def edges(self, low, high, points, ulp):
                calls.append(("edges", *lists(low, high, points, ulp)))
                return "steps"

            def best_first(self, low, high, best, evaluations):
                calls.append(("slopes", *lists(low, high, best), evaluations))

        def noise(run, low, high, steps, samples):
            calls.append(("noise", *lists(low, high), steps, *lists(samples.points, samples.sum)))

        monkeypatch.setattr(along, "LineSearch", Recorded)
        monkeypatch.setattr(along, "look_for_noise", noise)
        monkeypatch.setattr(along, "published", lambda problem, fmt: np.array([77]))
        line = SearchLine(same(domain), fmt, **line)
        return line, search_along(line, "kernel", budget, 9, "worst"), calls

    def test_a_budget_is_divided(self, monkeypatch):
        line, found, calls = self.search(monkeypatch, BF16, 10000)
        critical = line.critical.tolist()
        low, high = cell_intervals(BF16, *line.ends, 500)
        n = len(low)
        points, ulp = np.arange(2 * n), np.arange(2.0 * n)
        assert calls == [
            ("made", "kernel", 10000, 9, "worst"),
            ("beside", critical, 625 // len(critical)),
            ("sampled", [low.tolist()], [high.tolist()], 1000 // n),
            ("beside", [77], 64),
            ("edges", *lists(low, high, points, ulp)),
            ("slopes", [low.tolist()], [high.tolist()], ulp[1::2].tolist(), 1250.0),
            ("noise", *lists(low, high), "steps", points.tolist(), SampledErrors(points, ulp).sum.tolist()),
        ]
        assert isinstance(found, SearchResult) and (found.sampled, found.ulp) == (5.0, 6.0)

    def test_at_most_256_beside_and_at_least_2_samples(self, monkeypatch):
        assert self.search(monkeypatch, BF16, 1 << 20)[2][1][2] == 256
        calls = self.search(monkeypatch, BF16, 30, (-np.inf, np.inf))[2]
        low, high = cell_intervals(BF16, *SearchLine(same(), BF16).ends, 1)
        assert calls[2] == ("sampled", [low.tolist()], [high.tolist()], 2) and len(low) == 2

    def test_cells_are_half_as_many_as_samples(self, monkeypatch):
        calls = self.search(monkeypatch, F32, 6000, (-np.inf, np.inf))[2]
        low, high = cell_intervals(F32, *SearchLine(same(), F32).ends, 300)  # of 2^24 numbers each
        assert calls[2] == ("sampled", [low.tolist()], [high.tolist()], 2) and high[1] - low[1] == 2**24

    def test_on_a_line_of_targets_nothing_is_published(self, monkeypatch):
        calls = self.search(monkeypatch, BF16, 10000, at=BF16.round(1))[2]
        assert [c[0] for c in calls] == ["made", "beside", "sampled", "edges", "slopes", "noise"]
