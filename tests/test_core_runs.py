"""Errors on runs by interpolation, and where runs reach farthest: exact values, nodes and random numbers are known.

What a whole search for noise looks at is held by a digest of the points: a search of a given budget must look at the same.
benchmarks/mutants.py makes small slips in harness/search/interpolation.py and noise.py, and what is here must notice.
"""

from dataclasses import replace

import numpy as np
import pytest
from pretended import E4M3, F32, F64, Numbers, Pretended, hashed, same

from harness.kernels import kernel_named
from harness.search import noise
from harness.search.interpolation import divided_differences, exact_values, newton, run_errors
from harness.search.noise import probe, promise, run_points, run_size, search_noise, upper_ends

ONE = 0x3F800000  # the ordinal of 1 in float32
ONE64 = 0x3FF0000000000000


def lists(*arrays):
    return [a.tolist() for a in arrays]


def kernel(function):
    return replace(kernel_named("exp", "numpy"), function=function)


def line(fmt):
    return lambda points: tuple(fmt.from_ordinal(p)[None] for p in points)


def run(start, count=65, stride=1):
    return start + stride * np.arange(count)


class TestPolynomials:
    def test_coefficients_are_divided_differences(self):
        t, values = np.array([[0.0, 1.0, 3.0], [0.0, 0.5, 1.0]]), np.array([[1.0, 3.0, 19.0], [4.0, 5.0, 4.0]])
        assert divided_differences(t, values).tolist() == [[1, 4], [2, 2], [2, -4]]
        t = np.array([[0.0, 1.0, 2.0, 4.0, 7.0]])
        assert divided_differences(t, t**3)[:, 0].tolist() == [0, 1, 3, 1, 0]

    def test_horners_scheme(self):
        nodes, terms = np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
        assert newton(np.array([4.0, 0.5]), nodes, terms).tolist() == [1 + 4 * (2 + 3 * 3), 1 + 0.5 * (2 - 0.5 * 3)]
        assert newton(4.0, [0.0, 1.0, 2.0], [1.0, 2.0, 3.0, 5.0]) == 1 + 4 * (2 + 3 * (3 + 2 * 5))


class TestRunErrors:
    def test_exact_values_are_wide(self):
        assert exact_values(same(), F32, (np.array([[1.5, 2.0]], np.float32),)).tolist() == [1.5, 2.0]

    def test_five_nodes_and_one_to_check_are_asked_for(self):
        asked = []
        problem = same(fast=lambda x: asked.append(x.copy()) or x.copy())
        points = np.stack([run(ONE), run(ONE + 1000, stride=2)])[None]
        errors = run_errors(problem, kernel(lambda x: x), F32, line(F32), points)
        offsets = (asked[0][0] - 1) * 2**23
        assert offsets.tolist() == [0, 16, 32, 48, 64, 8, 1000, 1032, 1064, 1096, 1128, 1016]
        assert (errors == 0).all() and errors.shape == (2, 65)

    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_run_is_taken_where_the_check_is_off_by_the_tolerance_at_most(self, sign):
        for off, taken in ((2.0**-6, True), (2.0**-6 + 2.0**-26, False)):
            at = 1 + 8 * 2.0**-23
            problem = same(fast=lambda x, off=off, at=at: np.where(x == at, x + sign * off * 2.0**-23, x))
            called = []
            itself = kernel(lambda x, called=called: called.append(1) or x)
            found = run_errors(problem, itself, F32, line(F32), run(ONE)[None, None])
            assert (found == (0 if taken else -1)).all() and bool(called) == taken

    def test_only_good_runs_are_computed(self):
        """Of three runs the second is no polynomial; the third has another size."""
        points = np.stack([run(ONE), run(ONE + 2**16), run(ONE + 2**23)])[None]
        bad = float(F32.from_ordinal(points[0, 1, 8:9])[0])
        problem = same(fast=lambda x: np.where(x == bad, x * 1.5, x))
        computed = []

        def shifted(x):
            computed.append(x.shape)
            return (x + np.where(x < 1.5, 3 * 2.0**-23, 5 * 2.0**-22)).astype(np.float32)

        found = run_errors(problem, kernel(shifted), F32, line(F32), points)
        assert found.tolist() == [[3.0] * 65, [-1.0] * 65, [5.0] * 65] and computed == [(1, 130)]

    def test_ulps_are_those_of_each_value(self):
        """Across 2, where the ulp doubles, from 2 - 32 ulp to 2 + 32 ulp; and a constant for all."""
        points = run(ONE + 2**23 - 32)[None, None]
        found = run_errors(same(), kernel(lambda x: x + np.float32(2.0**-22)), F32, line(F32), points)[0]
        assert found[:31].tolist() == [2.0] * 31 and found[33:].tolist() == [1.0] * 32 and found[32] == 1.0
        found = run_errors(same(), kernel(lambda x: np.full((1, 1), 2, np.float32)), F32, line(F32), points)[0]
        assert found.tolist() == [*range(32, 0, -1), *range(33)]

    def test_results_that_are_no_numbers_have_no_error(self):
        points = run(ONE)[None, None]
        there = lambda x: np.select([x == x[0, 5], x == x[0, 7]], [np.nan, np.inf], x).astype(np.float32)  # noqa: E731
        found = run_errors(same(), kernel(there), F32, line(F32), points)[0]
        assert found[[5, 7]].tolist() == [-1, -1] and found[[0, 6, 64]].tolist() == [0, 0, 0]

    @pytest.mark.parametrize(("fmt", "start"), [(F32, ONE), (F64, ONE64)])
    def test_a_quartic_is_interpolated(self, fmt, start):
        """On a run of a quarter of a binade, where no polynomial of degree 3 is near; one of degree 5 is not enough."""
        stride = 2 ** (fmt.precision - 3 - 8)
        points = run(start, 257, stride)[None, None]
        x = fmt.from_ordinal(points[0, 0]).astype(float)
        poly = lambda x: (x - 1) * (x - 1) * (x - 1) * (x - 1) + x  # noqa: E731
        computed = kernel(lambda x: (poly(x.astype(float)) * (1 + 8 * fmt.machine_epsilon)).astype(fmt.dtype))
        found = run_errors(same(fast=poly), computed, fmt, line(fmt), points)[0]
        exact = poly(x.astype(np.longdouble))
        direct = abs(computed(fmt.from_ordinal(points[0])).astype(np.longdouble)[0] - exact)
        assert abs(found - direct / fmt.machine_epsilon).max() < 2.0**-5 and found.max() > 4
        fifth = same(fast=lambda x: (x - 1) * (poly(x) - x) + x)
        assert (run_errors(fifth, computed, fmt, line(fmt), points) == -1).all()

    def test_what_float64_cannot_hold_counts(self):
        """The value is x + 2^-60: float64 numbers err by 2^-8 ulp, and those one above by 1 - 2^-8."""
        problem = same(fast=lambda x: x + np.array(2.0**-60).astype(x.dtype))
        for steps, error in ((0, 2.0**-8), (1, 1 - 2.0**-8), (-1, 1 + 2.0**-8)):
            above = kernel(lambda x, steps=steps: x + steps * 2.0**-52)
            assert (run_errors(problem, above, F64, line(F64), run(ONE64)[None, None]) == error).all()

    def test_of_two_sides_the_first_rises(self):
        points = np.stack([np.stack([run(ONE), run(ONE + 50)]), np.repeat([[ONE + 7], [ONE + 2**22]], 65, axis=1)])
        asked = []
        problem = same(fast=lambda x, y: asked.append((x.copy(), y.copy())) or x * y)
        found = run_errors(problem, kernel(lambda x, y: x * y), F32, line(F32), points)
        assert ((asked[0][0] - 1) * 2**23).tolist() == [[0, 16, 32, 48, 64, 8, 50, 66, 82, 98, 114, 58]]
        assert asked[0][1].tolist() == [[1 + 7 * 2.0**-23] * 6 + [1.5] * 6]
        x, y = (F32.from_ordinal(p).astype(float) for p in points)
        direct = abs((x * y).astype(np.float32) - x * y) * 2**23
        assert abs(found - direct).max() < 1e-6 and found.max() > 0.4 and found.shape == (2, 65)


class TestRuns:
    def test_upper_ends_are_a_mean_and_the_less_of_two_scales(self):
        top = np.array([[3, 1, 2, 16, 4, 6, 5, 7], [1, 5, 1, 1, 1, 1, 1, 1], [1e305] * 8], float)
        errors = np.concatenate([np.full((3, 8), -1.0), top], axis=1)
        assert upper_ends(errors).tolist() == [[5.5, 1.5, 1e300], [3.5, 0.5, 0.0]]
        assert upper_ends(np.concatenate([np.full((1, 12), -1.0), np.full((1, 4), 2.0)], axis=1)).tolist() == [
            [1.0],
            [0.0],
        ]

    def test_one_in_64_are_the_largest(self):
        for n, count in ((575, 8), (576, 9), (639, 9), (640, 10), (1024, 16)):
            mean, scale = upper_ends(np.arange(n, dtype=float)[None])[:, 0]
            assert mean == n - 1 - (count - 1) / 2 and scale == 1.5

    def test_runs_are_of_so_many_inputs_that_the_budget_sees_all(self):
        assert [run_size(n * 100, 600) for n in (1, 362, 363, 724, 725, 10**6)] == [256, 256, 512, 512, 1024, 1024]
        assert [run_size(86, e) for e in (0, 1, 2)] == [512, 512, 256] and run_size(0, 100) == 256

    def test_promises_are_distances_in_scales(self):
        ends = np.array([[3.0, 1.0, 2.5], [0.5, 0.25, 0.0]])
        assert promise(ends, 2.0).tolist() == pytest.approx([2.0, -4.0, 0.25e9], rel=1e-12)
        assert promise(np.array([[0.0], [0.0]]), -1.0).tolist() == pytest.approx([1e300])
        assert promise(np.array([[0.0], [1e-299]]), -1.0).tolist() == pytest.approx([1e299])

    def test_a_run_rises_through_a_window(self):
        low, high = np.array([[100, 50, 0], [7, 0, 3]]), np.array([[1100, 53, 5], [17, 4, 4]])
        numbers = Numbers(*[0.25] * 3, 0.5, 0.75, 0.5, 0.5, 0.9, 0.9, 0.3, 0.1, 0.2, 0.5, 0.4, *[0.6] * 10)
        points = run_points(low, high, 5, 101, numbers)
        assert points[0].tolist() == [[550, 570, 580, 590, 650], [50, 51, 52, 52, 52], [0, 1, 2, 3, 4]]
        assert points[1].tolist() == [[12] * 5, [3] * 5, [3] * 5]
        points = run_points(low[:, :1], high[:, :1], 5, 101, Numbers(0.9999))
        assert points[0].tolist() == [[999, 1099, 1099, 1099, 1099]]  # the last window ends where the box does
        numbers = Numbers(0.9, 0.9, 0.5, 0.55, 0.45, 0.5, 0.5)
        points = run_points(np.array([[0]]), np.array([[6]]), 5, 6, numbers)
        assert points.tolist() == [[[0, 2, 2, 2, 5]]]  # six numbers, of which a run has five

    @pytest.mark.parametrize(("fmt", "sizes"), [(F32, [8192, 512, 32, 2]), (E4M3, [2, 1, 1, 1])])
    def test_windows_become_narrower_until_they_can_be_interpolated(self, fmt, sizes):
        """Box k can from window k on, the last one never."""
        seen, widths = [], []

        class Narrow(Pretended):
            def look_at_runs(self, points):
                width = points[0, :, -1] - points[0, :, 0] + 1
                widths.append(width.tolist())
                seen.append((points[0, :, 0] // 10**5).tolist())
                errors = np.tile(np.arange(256.0), (points.shape[1], 1))
                box = points[0, :, 0] // 10**5
                errors[box >= len(seen)] = -1.0
                errors[box < len(seen)] *= (box + 1)[box < len(seen)][:, None]
                return errors

        low = np.arange(5)[None] * 10**5
        ends = probe(Narrow(None, fmt), low, low + 10**5, 256)
        assert seen == [[0, 1, 2, 3, 4], [1, 2, 3, 4], [2, 3, 4], [3, 4]]
        assert widths == [[size] * (5 - n) for n, size in enumerate(sizes)]
        mean, scale = upper_ends(np.arange(256.0)[None])[:, 0]
        assert ends.tolist() == [[mean, 2 * mean, 3 * mean, 4 * mean, -1], [scale, 2 * scale, 3 * scale, 4 * scale, 0]]
        seen.clear()
        probe(Narrow(None, fmt), low[:, :1], low[:, :1] + 10**5, 256)
        assert seen == [[0]]

    def test_errors_of_0_are_errors_and_the_narrowest_box_has_its_one_input(self):
        for largest in (0.0, 0.5):
            noisy = Noisy(lambda points, largest=largest: np.where(points[0] % 2, largest, -1.0), E4M3)
            probe(noisy, np.array([[0]]), np.array([[100]]), 256)
            assert len(noisy.asked) == 1
        noisy = Noisy(lambda points: points[0] * 0.0 - 1, E4M3)
        low = np.arange(20)[None] * 3
        probe(noisy, low, low + 1, 256)
        assert len(noisy.asked) == 4 and all((p == low[..., None]).all() for p in noisy.asked)


class Noisy(Pretended):
    """A search of which every run can be interpolated, save where errors are negative, at 6 evaluations each."""

    def look_at_runs(self, points):
        errors = self.runs(points)
        self.found.evaluations += 6 * points.shape[1]
        self.found.ulp = max(self.found.ulp, errors.max(initial=-1.0))
        return errors


def bumpy(points):
    """Errors that are larger in some places, and in one of them none."""
    x = points[0]
    return np.select(
        [x >> 14 == 77, x >> 16 == 12, x >> 18 == 9], [-1.0, hashed(points) + 6, hashed(points) / 2 + 6], hashed(points)
    )


class TestSearchForNoise:
    def boxes(self, n, d=1):
        low = np.zeros((d, n), np.int64)
        low[0] = np.arange(n) << 16
        high = low + (1 << 16)
        high[1:] = 64
        return low, high

    def test_first_all_boxes_as_they_come_as_far_as_a_quarter_goes(self):
        """600 evaluations: runs of 512 see 38400 inputs, a quarter of them in 37 runs of 256."""
        noisy = Noisy(bumpy, budget=600)
        search_noise(noisy, *self.boxes(100), 38400)
        assert noisy.asked[0].shape == (1, 37, 256) and (noisy.asked[0][0, :, 0] >> 16).tolist() == [*range(37)]
        assert all(p.shape[2] == 512 for p in noisy.asked[1:])
        assert noisy.found.evaluations <= 600 + 24 and sum(p.size for p in noisy.asked) <= 38400 + 4 * 512

    @pytest.mark.parametrize(
        ("budget", "spent", "inputs", "count", "d", "digest", "ends"),
        [
            (600, 0, 38400, 100, 1, "e8a10ea9", "ff9ad0ab"),
            (600, 500, 38400, 100, 1, "5d75f4fa", "df84a2f9"),
            (4000, 0, 300000, 40, 1, "60478355", "2fe23d26"),
            (3000, 0, 200000, 20, 2, "e7cf5c51", "3ef7dab6"),
            (100, 0, 1000, 3, 1, "de545ac3", "10b0bf34"),
            (100000, 0, 30000, 3, 1, "1f13b586", "17606409"),
            (8, 8, 300, 2, 1, "abda3fdc", "db3a7e47"),
        ],
    )
    def test_a_search_looks_at_the_same_points(self, budget, spent, inputs, count, d, digest, ends):
        noisy = Noisy(bumpy, budget=budget)
        noisy.found.evaluations = spent
        found = search_noise(noisy, *self.boxes(count, d), inputs)
        assert noisy.digest() == digest
        noisy.asked = list(found)
        assert noisy.digest() == ends


class TestDivisions:
    """Boxes whose upper ends are given, at 6 evaluations each; of the boxes probed the low and high ends are known."""

    def search(
        self, monkeypatch, budget, inputs, count, ends=lambda low: low * 0 + 1, spent=0, width=2**40, costs=None
    ):
        run, calls = Noisy(None, budget=budget), []
        run.found.evaluations, run.found.ulp = spent, 9.0

        def given(run, low, high, size):
            calls.append((low[0].tolist(), high[0].tolist(), size))
            run.found.evaluations += 6 * low.shape[1] if costs is None else costs[len(calls) - 1]
            return (
                np.stack([np.asarray(ends(low[0]), float), np.ones(low.shape[1])])
                if callable(ends)
                else np.array(ends[len(calls) - 1])
            )

        monkeypatch.setattr(noise, "probe", given)
        low = np.arange(count)[None] * width
        found = search_noise(run, low, low + width, inputs)
        return calls, found

    @pytest.mark.parametrize(("runs", "at_once"), [(256, 1), (511, 1), (512, 2), (767, 2), (768, 3)])
    def test_in_64_rounds_the_inputs_are_seen(self, monkeypatch, runs, at_once):
        calls, _ = self.search(monkeypatch, 10**6, 256 * (4 + runs), 4)
        assert [len(c[0]) for c in calls[:2]] == [4, 4 * at_once] and {c[2] for c in calls} == {256}
        assert sum(len(c[0]) for c in calls[1:]) == -(-runs // (4 * at_once)) * 4 * at_once

    def test_or_what_is_left_of_the_budget_is_spent(self, monkeypatch):
        calls, _ = self.search(monkeypatch, 120 + 6 * 767, 10**9, 20)
        assert [len(c[0]) for c in calls[:2]] == [20, 8] and calls[1][2] == 1024

    def test_parts_of_no_more_inputs_than_a_run_are_done_with(self, monkeypatch):
        for width, rounds in ((1000, 2), (1024, 2), (1028, 6)):
            calls, found = self.search(monkeypatch, 10**5, 10**5, 1, width=width)
            assert len(calls) == rounds and found[0].shape == (1, 0)
            assert calls[1] == ([*range(0, width, width // 4)], [*range(width // 4, width + 1, width // 4)], 256)

    def test_it_ends_with_the_inputs_or_the_evaluations(self, monkeypatch):
        for inputs, rounds in ((256, 1), (511, 1), (512, 2), (1536, 3)):
            assert len(self.search(monkeypatch, 10**6, inputs, 1)[0]) == rounds
        for budget, spent, costs in ((30, 0, 30), (10**6, 0, 10**6), (120, 100, 30)):  # a quarter at least
            calls, _ = self.search(monkeypatch, budget, 10**5, 1, spent=spent, costs=[0, costs])
            assert len(calls) == 2
            calls, _ = self.search(monkeypatch, budget, 10**5, 1, spent=spent, costs=[0, costs - 1, 10**9])
            assert len(calls) == 3

    def test_the_largest_errors_are_divided_and_the_next_time_what_may_reach_farthest(self, monkeypatch):
        ends = [[[8, 5], [0.1, 4]], [[0.0] * 4] * 2, [[0.0] * 4] * 2]
        calls, _ = self.search(monkeypatch, 10**6, 2048, 2, ends, width=4000)
        assert [c[0][0] for c in calls] == [0, 0, 4000]

    def test_a_part_is_judged_by_its_own_run_and_its_box(self, monkeypatch):
        """8 + 8 * 2 halved with each: 15.85, 13.5 and 16.8; the fourth has no run, and comes after the other box, at 3."""
        ends = [[[8, 3], [2, 0]], [[0.5, 1, 0, -1], [0.9, 0.25, 1.2, 0]]]
        calls, found = self.search(monkeypatch, 10**6, 2048, 2, ends, costs=[0, 10**9], width=4000)
        assert len(calls) == 2 and lists(*found) == [[[2000, 0, 1000, 4000, 3000]], [[3000, 1000, 2000, 8000, 4000]]]
