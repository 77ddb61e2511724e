"""The search over inputs and targets, function by function: races, lines at a target, and how a budget is divided.

Errors are given, and what the parts of a search are asked for is remembered.  benchmarks/mutants.py makes small slips in
harness/search/race.py and joint.py, and what is here must notice.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from pretended import BF16, E4M3, F32, Pretended, hashed, same

from harness.search import joint, race
from harness.search.joint import PairSearch, search_jointly
from harness.search.race import WorstInputs, raced
from harness.search.space import SearchResult, binade_boxes


def lists(*arrays):
    return [a.tolist() for a in arrays]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Eight of a cell and 64 targets for each input: cells of bfloat16 have 16 numbers.  Gives what they are otherwise."""
    chosen = race.OF_CELL, race.LEAST
    monkeypatch.setattr(race, "OF_CELL", 8)
    monkeypatch.setattr(race, "LEAST", 64)
    return chosen


class TestWorstInputs:
    def test_eight_of_a_cell_stay_in_bit_order(self):
        """Cells of bfloat16 have 16 numbers: the 8 worst of each, whatever their sign, and of equals the first."""
        worst = WorstInputs(BF16)
        ordinals = np.array([5, 4, 3, 2, 1, 0, 15, 14, 13, 12, -1, -16, 16, 31, 0x7F7F, -1 - 0x7F7F])
        worst.add(ordinals, np.array([5, 4, 3, 2, 9, 8, 7, 6, 1, 2, 1, 3, 1, 2, 7, 8.0]))
        worst.keep()
        assert worst.ordinals.tolist() == [-1 - 0x7F7F, -16, -1, 0, 1, 2, 3, 4, 5, 14, 15, 16, 31, 0x7F7F]
        assert worst.ulp.tolist() == [8, 3, 1, 8, 9, 2, 3, 4, 5, 6, 7, 1, 2, 7]

    def test_what_is_no_worse_than_a_full_cell_is_left_out(self):
        worst = WorstInputs(BF16)
        worst.add(np.arange(16, 24), np.arange(8) + 2.0)
        worst.add(np.arange(32, 39), np.arange(7) + 2.0)  # a place is free
        worst.keep()
        worst.add(np.array([24, 25, 26, 39, 40]), np.array([2.0, 1.0, 2.5, 1.0, 0.0]))
        assert worst.ordinals.tolist()[15:] == [26, 39]
        worst.add(np.array([27, 41]), np.array([-1.0, -1.0]))
        assert len(worst.ordinals) == 17
        worst.keep()
        assert worst.ordinals.tolist() == [*range(17, 24), 26, *range(32, 40)]
        worst.add(np.array([27]), np.array([2.5]))
        assert len(worst.ordinals) == 16

    def test_every_cell_has_a_place_of_its_own(self):
        worst, cells = WorstInputs(BF16), np.arange(-0x7F8, 0x7F8)
        worst.add((16 * cells[:, None] + np.arange(8)).ravel(), np.repeat(cells + 3000.0, 8))
        worst.keep()
        worst.add(16 * cells + 8, cells + 3000.0)
        assert len(worst.ulp) == 8 * len(cells)
        worst.add(16 * cells + 9, cells + 3000.5)
        assert worst.ordinals[8 * len(cells) :].tolist() == (16 * cells + 9).tolist()

    def test_256_of_a_cell_take_part_with_16_targets_each_at_first(self, monkeypatch, small):
        monkeypatch.setattr(race, "OF_CELL", small[0])
        monkeypatch.setattr(race, "LEAST", small[1])
        monkeypatch.setattr(race, "_below_powers", lambda run, points, shape: np.full(shape, np.nan))
        worst, run = WorstInputs(F32), Pretended(hashed, F32)
        worst.add(np.arange(300), np.ones(300))
        worst.keep()
        assert len(worst.ulp) == 256
        raced(run, np.stack([np.arange(33), np.zeros(33, int)]), np.ones(33), 33 * 16)
        assert run.asked[0].shape == (2, 33 * 16)

    def test_each_is_kept_once_with_its_worst_error(self):
        worst = WorstInputs(BF16)
        worst.add(np.array([7, 7, 9, 7]), np.array([1.0, 3.0, 2.0, 2.0]))
        worst.keep()
        assert worst.ordinals.tolist() == [7, 9] and worst.ulp.tolist() == [3, 2]
        none = WorstInputs(BF16)
        none.keep()
        assert none.ordinals.size == none.ulp.size == 0

    def test_what_is_held_is_sifted_from_65536_on_and_when_it_has_doubled(self):
        worst = WorstInputs(BF16)
        worst.add(np.zeros(65536, int), np.ones(65536))
        assert len(worst.ulp) == 65536
        worst.add(np.zeros(1, int), np.ones(1))
        assert len(worst.ulp) == 1
        many = WorstInputs(F32)  # cells of 2^20
        ordinals = np.arange(0, 40000 * 8) // 8 * 2**10 + np.arange(40000 * 8) % 8
        few = ordinals[np.arange(len(ordinals)) % 1024 == 0]
        many.add(few, np.ones(len(few)))
        many._kept = 40000
        many.add(np.zeros(80000 - len(few), int), np.ones(80000 - len(few)))
        assert len(many.ulp) == 80000
        many.add(np.zeros(1, int), np.ones(1))
        assert len(many.ulp) < 400 and many._kept == len(many.ulp)


class TestRaces:
    @pytest.fixture(autouse=True)
    def without_powers(self, monkeypatch):
        """The pretended search has no exact value, so no targets where it is just below a power of two."""
        monkeypatch.setattr(race, "_below_powers", lambda run, points, shape: np.full(shape, np.nan))

    def race(self, n, evaluations, ulp=None, fmt=BF16, targets=None):
        run = Pretended(hashed, fmt)
        points = np.stack([np.arange(n) * 3, np.full(n, 100) if targets is None else targets])
        start = np.ones(n) if ulp is None else ulp
        return run, *raced(run, points.copy(), start.copy(), evaluations)

    @pytest.mark.parametrize(
        ("n", "evaluations", "rounds"),
        [
            (32, 6400, [(32, 200)]),
            (33, 33 * 2 * 70, [(33, 70), (8, 288)]),
            (128, 128 * 64, [(128, 64), (32, 128)]),
            (129, 129 * 64, [(129, 64), (32, 86), (8, 344)]),
            (128, 127 * 64, [(120, 64), (30, 135)]),
            (128, 0, [(24, 64)]),  # one of each cell
            (1, 65, [(1, 65)]),
            (0, 1000, [(0, 1000)]),
        ],
    )
    def test_one_in_four_goes_on_until_there_are_32(self, n, evaluations, rounds):
        run, points, ulp = self.race(n, evaluations)
        assert [p.shape[1] for p in run.asked if p.size] == [count * each for count, each in rounds if count]
        assert points.shape == (2, rounds[-1][0]) and (np.diff(ulp) <= 0).all()
        for asked, (count, each) in zip(run.asked, rounds):
            assert (np.diff(asked[0].reshape(count, each), axis=1) == 0).all()

    def test_each_input_has_its_worst_target_and_the_worst_is_first(self):
        run, points, ulp = self.race(20, 20 * 100)
        (asked,) = run.asked
        found = dict(zip(points[0].tolist(), ulp.tolist()))
        for x in range(0, 60, 3):
            there = asked[:, asked[0] == x]
            assert found[x] == hashed(there).max()
        assert (hashed(points) == ulp).all() and len(found) == 20

    def test_what_is_worse_already_keeps_its_target(self):
        _, points, ulp = self.race(4, 4 * 64, np.array([9.0, 50.0, 25.0, 24.0]))
        assert points.tolist() == [[3, 6], [100, 100]] and ulp.tolist() == [50, 25]  # less than half is not taken
        assert self.race(2, 2 * 64, np.array([0.4, 0.3]))[1].shape == (2, 2)
        assert self.race(2, 64, np.array([0.3, 0.4]))[1][0].tolist() == [
            3
        ]  # the worse of a cell, where one is paid for
        flat = Pretended(lambda points: points[0] * 0.0 + 2, BF16)
        points, ulp = raced(flat, np.array([[1, 2, 3], [100, 99, 98]]), np.array([2.0, 2.0, 1.5]), 3 * 64)
        assert points[:, :2].tolist() == [[2, 1], [99, 100]] and ulp.tolist() == [2, 2, 2] and points[1, 2] != 98

    @pytest.mark.parametrize(
        ("n", "fmt", "digest"), [(200, BF16, "23c3dcf2"), (40, F32, "5240a9eb")], ids=("bfloat16", "float32")
    )
    def test_a_race_visits_the_same_pairs(self, n, fmt, digest):
        targets = np.arange(n) * 7919 % int(fmt.ordinal(np.ones(1, fmt.dtype))[0])
        run, points, _ = self.race(n, n * 200, fmt=fmt, targets=targets)
        run.asked.append(points)
        assert run.digest() == digest

    def test_targets_are_even_near_the_ends_or_beside(self):
        one = 0x3F80
        run = Pretended(hashed, BF16)
        for row, at in zip(race._targets(run, np.array([[5, 6], [1, one - 1]]), 1000), (1, one - 1)):
            assert (abs(row - at) <= 1).mean() > 0.1  # the least and the largest between 0 and 1 have some beside
        found = race._targets(run, np.array([[5, 6, 7], [0, one, 0x3000]]), 20000)
        assert found.shape == (3, 20000) and found.min() == 0 and found.max() == one
        values = BF16.from_ordinal(found).astype(float)
        for row in (0, 1):  # a half even over [0, 1), a quarter each towards 0 and 1
            assert abs((values[row] < 0.25).mean() - (0.25 / 2 + 0.75 / 4 + np.log2(4 / 3) / 8 / 4)) < 0.01
            assert (values[row] == 1).mean() < 0.003 and (found[row] == 0x3000).sum() <= 2
        beside = (abs(found[2] - 0x3000) <= 2).mean()  # a third; uniform in a reach of 2^0 to 2^26
        assert abs(beside - (np.log2(2.5) + 1 / np.log(2)) / 26 / 3) < 0.005


class TestBelowPowers:
    """Targets just below powers of two of the pretended loss L(x, y) = 5.5 + y (x - 5.5), of bfloat16, 8 bits."""

    @pytest.fixture
    def run(self, monkeypatch):
        """A search whose exact values are of that loss."""

        def evaluate(problem, fmt, x, y):
            return SimpleNamespace(high=5.5 + y.astype(float) * (x.astype(float) - 5.5))

        monkeypatch.setattr(race, "evaluate", evaluate)
        return Pretended(hashed, BF16)

    def value(self, run, x, y, best=0.0):
        points = np.stack([BF16.ordinal(np.array([v]).astype(BF16.dtype)) for v in (x, best)])
        return 5.5 + race._below_powers(run, points, (1, y))[0] * (x - 5.5)

    def shares(self, value):
        """The share of each power of two that a value lies at most an eighth below."""
        power = np.exp2(np.ceil(np.log2(value)))
        near = 1 - value / power <= 1 / 8
        return {p: (power[near] == p).mean() for p in (1, 2, 4, 8, 16, 32, 64) if (power[near] == p).any()}

    def test_half_are_below_the_next_power_and_the_others_below_any(self, run):
        found = self.shares(self.value(run, 40.0, 20000))  # 8, 16 and 32 lie between 5.5 and 40
        steps = np.log2(40 / 5.5)
        assert abs(found[8] - (0.5 + np.log2(8 / 5.5) / steps / 2)) < 0.03
        assert abs(found[16] - 1 / steps / 2) < 0.03 and abs(found[32] - 1 / steps / 2) < 0.03

    def test_the_next_power_is_below_the_value_at_the_best_target(self, run):
        assert self.shares(self.value(run, 40.0, 20000, best=0.9))[32] > 0.6  # 36.55: the next below is 32
        assert self.shares(self.value(run, 40.0, 20000, best=0.3))[8] > 0.55  # 15.85
        falling = self.shares(self.value(run, 1.5, 20000))  # 4 and 2 lie between 5.5 and 1.5
        assert falling[4] > 0.6 and falling[4] + falling[2] > 0.8

    def test_half_of_the_distances_are_eight_ulps_at_most_and_the_others_have_any_binade(self, run):
        value = self.value(run, 40.0, 8000)
        below = 1 - value / np.exp2(np.ceil(np.log2(value)))
        assert below.min() >= 0 and below.max() <= 1
        assert abs((below <= 8 * 2.0**-8).mean() - (0.5 + 0.5 * 3 / 8)) < 0.02
        assert abs((below <= 4 * 2.0**-8).mean() - (0.25 + 0.5 * 2 / 8)) < 0.02

    def test_where_no_power_is_passed_targets_are_as_without(self, run):
        points = np.stack([BF16.ordinal(np.array([v]).astype(BF16.dtype)) for v in (5.5, 0.0)])  # 5.5 at any target
        assert not np.isfinite(race._below_powers(run, points, (1, 1000))).any()
        targets = race._targets(run, points, 1000)
        assert targets.min() >= 0 and targets.max() <= 0x3F80 and len(np.unique(targets)) > 200

    @pytest.mark.parametrize("best", [0.0, 0.5])
    def test_a_third_of_the_targets_are_such(self, run, best):
        points = np.stack([BF16.ordinal(np.array([v]).astype(BF16.dtype)) for v in (40.0, best)])
        y = BF16.from_ordinal(race._targets(run, points, 9000)[0]).astype(float)
        value = 5.5 + y * 34.5
        near = np.min([abs(value / power - 1) for power in (8, 16, 32)], axis=0) < 16 * 2.0**-8
        assert 0.25 < near.mean() < 0.5

    @pytest.mark.parametrize(
        "x", [7.0, 4.5]
    )  # 8 lies beyond y = 1, and 4 does; of other powers, none or 8 before y = 0
    def test_targets_beyond_0_and_1_are_others_instead(self, run, x):
        points = np.stack([BF16.ordinal(np.array([v]).astype(BF16.dtype)) for v in (x, 0.0)])
        targets = race._targets(run, points, 9000)[0]
        assert (targets == 0).mean() < 0.002 and (targets == 0x3F80).mean() < 0.05


class Stubs:
    """Parts of the search over targets that say what they are asked for."""

    def __init__(self, monkeypatch, fmt=E4M3):
        self.calls = []
        for name in ("search_along", "raced", "search_windows", "search_pairs"):
            monkeypatch.setattr(joint, name, getattr(self, name))
        self.fmt, self.found = fmt, SearchResult((7,), 3.0, 1.0, 10, 0, [(1, 3.0)])

    def search_along(self, line, kernel, budget, seed, worst):
        self.calls.append(("along", line.at, line.target, kernel, budget, seed, worst is not None))
        if worst is not None:
            worst.add(np.array([3, 5, 4]), np.array([1.0, 2.0, 0.5]))
        return self.found

    def raced(self, run, points, ulp, evaluations):
        self.calls.append(("raced", *lists(points, ulp), evaluations))
        self.turn = sum(c[0] == "raced" for c in self.calls)
        return points + 1, ulp + self.turn

    def search_windows(self, run, cells, spots, inputs):
        self.calls.append(("windows", cells is spots, *lists(*cells), inputs))
        return np.array([[1, 2, 3, 4, 5], [11, 12, 13, 14, 15]])

    def search_pairs(self, run, low, high, evaluations):
        self.calls.append(("pairs", *lists(low, high), evaluations))
        return [(20 + n, 30 + n) for n in range(6)]


class TestPairSearch:
    def test_points_are_ordinals_of_both(self):
        run = PairSearch(same(), None, E4M3, 5, 9)
        assert lists(*run.inputs(np.array([[56, 64], [48, 56]]))) == [[[1, 2]], [[0.5, 1]]] and run.seed == 9

    def test_lines_through_a_point(self, monkeypatch):
        stubs = Stubs(monkeypatch)
        run = PairSearch(same(), "kernel", E4M3, 1000, (1, 2))
        assert run.along((64, 48), 0, 99.9) == (7, 48)
        assert run.along((64, 48), 1, 50) == (64, 7)
        assert stubs.calls == [
            ("along", None, 0.5, "kernel", 99, (1, 2), False),
            ("along", 2.0, None, "kernel", 50, (1, 2), False),
        ]
        assert (run.found.point, run.found.ulp, run.found.evaluations) == ((7, 48), 3.0, 20)
        stubs.found = SearchResult(evaluations=4)
        assert run.along((64, 48), 1, 50) == (64, 48) and run.found.evaluations == 24

    def test_a_race_is_of_the_worst_inputs_of_lines(self, monkeypatch):
        stubs = Stubs(monkeypatch)
        run = PairSearch(same(), "kernel", E4M3, 1000, 1)
        points, ulp = run.race([48, 56], 80.5, 30)
        assert [c[1:5] + c[6:] for c in stubs.calls[:2]] == [
            (None, 0.5, "kernel", 80, True),
            (None, 1.0, "kernel", 80, True),
        ]
        pairs = [[3, 4, 5] * 2, [48] * 3 + [56] * 3]
        assert stubs.calls[2] == ("raced", pairs, [1, 0.5, 2] * 2, 30)
        assert points.tolist() == [[4, 5, 6] * 2, [49] * 3 + [57] * 3] and ulp.tolist() == [2, 1.5, 3] * 2
        assert run.race([], 80.5, 30)[0].shape == (2, 0)


class TestJointly:
    def test_races_go_on_at_the_targets_of_the_worst_pairs(self, monkeypatch):
        called = []
        pairs = [
            (np.array([[1, 2, 3], [40, 41, 40]]), np.array([1.0, 5.0, 3.0])),
            (np.array([[4, 5], [43, 44]]), np.array([4.0, 6.0])),
            (np.array([[6, 7], [45, 46]]), np.array([2.0, 5.0])),
        ]
        run = PairSearch(same(), None, E4M3, 1000, 1)
        run.found.point = (9, 56)  # the target 1 is done

        def raced_(targets, line, evaluations):
            called.append((targets, line, evaluations))
            return pairs[len(called) - 1]

        run.race = raced_
        best = joint._races(run, 100.0, 60.0, 31)
        assert called == [([0, 56], 50.0, 10), ([41, 40], 15.0, 10), ([44, 43], 15.0, 10)]
        assert best == [(5, 44), (2, 41), (7, 46), (4, 43)] and all(type(v) is int for pair in best for v in pair)
        called.clear()
        run.found.point = (9, 47)
        joint._races(run, 100.0, 60.0, 31)
        assert [c[0] for c in called] == [[0, 56], [47, 41], [44, 43]]

    @pytest.mark.parametrize("large", [False, True])
    def test_a_budget_is_divided(self, monkeypatch, large):
        stubs, calls, size = Stubs(monkeypatch), [], 1025.0 if large else 1024.0
        stubs.calls = calls
        budget = 16000

        def sample(run, low, high, samples):
            calls.append(("sampled", *lists(low, high), samples))
            run.found.ulp, run.found.point = 5.0, (1, 1)
            return None, np.stack([np.arange(low.shape[1]) % 7, np.zeros(low.shape[1])], axis=1)

        def best_first(run, low, high, best, evaluations):
            calls.append(("slopes", *lists(low, high, best), evaluations))
            run.found.ulp, run.found.point = size, (50, 51)

        def races(run, ends, lines, evaluations):
            calls.append(("races", ends, lines, evaluations))
            return [(40, 41), (42, 43)]

        def along(run, point, side, evaluations, worst=None):
            calls.append(("line", point, side, evaluations))
            return (point[0] + 100, point[1])

        for name, function in (("sample", sample), ("best_first", best_first), ("along", along)):
            monkeypatch.setattr(PairSearch, name, function)
        monkeypatch.setattr(joint, "_races", races)
        found = search_jointly(same((0.5, 2.0)), "kernel", E4M3, budget, 1)
        low, high = binade_boxes(E4M3, (0.5, 2.0), 500)
        n = low.shape[1]
        best = np.arange(n) % 7
        order = np.argsort(-best, kind="stable")
        boxes, less = lists(low[:, order], high[:, order]), 4 if large else 1
        assert calls[:6] == [
            ("sampled", *lists(low, high), 1000 // n),
            ("slopes", *lists(low, high, best), 1000.0),
            ("windows", True, *boxes, 1600 // less),
            ("pairs", *boxes, 3200 // less),
            ("races", 2000.0 * less, 1920.0, 3840 // less),
            ("line", (50, 51), 1, 1600 / 22),
        ]
        ends = [
            (50, 51),
            (1, 11),
            (2, 12),
            (3, 13),
            (4, 14),
            (20, 30),
            (21, 31),
            (22, 32),
            (23, 33),
            (40, 41),
            (42, 43),
        ]
        lines = [
            entry for x, y in ends for entry in (("line", (x, y), 1, 1600 / 22), ("line", (x + 100, y), 0, 1600 / 22))
        ]
        assert calls[5:] == lines and (found.sampled, found.ulp) == (5.0, size)

    def test_a_box_has_two_samples_at_least(self, monkeypatch):
        counted = []

        def sample(run, low, high, samples):
            counted.append((low.shape[1], samples))
            raise KeyboardInterrupt

        monkeypatch.setattr(PairSearch, "sample", sample)
        for budget in (16 * 20, 16 * 28, 16 * 2):
            with pytest.raises(KeyboardInterrupt):
                search_jointly(same((0.5, 2.0)), None, E4M3, budget, 1)
        boxes = [binade_boxes(E4M3, (0.5, 2.0), most)[0].shape[1] for most in (10, 14, 1)]
        assert counted == [(n, 2) for n in boxes] and boxes[:2] == [8, 24]
