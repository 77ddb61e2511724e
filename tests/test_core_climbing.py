"""Climbing in windows and breeding pairs: random numbers and errors are known, formats are sizes alone.

What a whole climb looks at is held by a digest of the points: a search of a given budget must look at the same.
benchmarks/mutants.py makes small slips in harness/search/windows.py and pairs.py, and what is here must notice.
"""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
from pretended import E4M3, F16, F32, F64, Numbers, Pretended, hashed, hashed_finely

from harness.search import pairs, windows
from harness.search.pairs import bred, kept, search_pairs
from harness.search.windows import (
    Windows,
    beside,
    chosen_centres,
    climbable,
    climbed,
    half_width_bits,
    random_in,
    search_windows,
    taken,
)

SMALL = SimpleNamespace(precision=27, cell_shift=23)  # windows of up to ± 2^12 inputs
LEAST = SimpleNamespace(precision=15, cell_shift=3)


def lists(*arrays):
    return [a.tolist() for a in arrays]


class Known(Numbers):
    """Random numbers that are known: uniform ones are stretched from [0, 1), integers are given in order."""

    def __init__(self, *numbers, integers=()):
        super().__init__(*numbers)
        self.given = list(integers)

    def uniform(self, low, high, shape):
        return low + (high - low) * self.random(shape)

    def integers(self, low, high, shape):
        taken_ = np.array([self.given.pop(0) for _ in range(int(np.prod(shape)))]).reshape(shape)
        assert (taken_ >= low).all() and (taken_ < high).all()
        return taken_


class Climbing(Pretended):
    """A search of which every run can be interpolated."""

    def look_at_runs(self, points):
        return self.runs(points)


class TestWindows:
    def test_lines_bend_by_an_eighth_of_an_ulp_or_so(self):
        assert [half_width_bits(p) for p in (53, 24, 11, 8, 7, 6, 5, 4, 3)] == [25, 10, 4, 2, 2, 1, 1, 1, 1]

    def test_float64_has_windows_to_climb_and_float32_has_not(self, monkeypatch):
        assert [climbable(f) for f in (F64, F32, F16, E4M3)] == [True, False, False, False]
        assert [climbable(SimpleNamespace(precision=p)) for p in (26, 27)] == [False, True] and windows.IN_ALL == 6400
        monkeypatch.setattr(windows, "IN_ALL", 8192)
        assert not climbable(SMALL)
        monkeypatch.setattr(windows, "IN_ALL", 8191)
        assert climbable(SMALL)

    def test_random_points_lie_in_their_boxes(self):
        run = SimpleNamespace(rng=Numbers(0.0, 0.5, 0.999, 0.25))
        points = random_in(run, np.array([[[10], [0]]]), np.array([[[20], [7]]]), 2)
        assert points.tolist() == [[[10, 15], [6, 1]]]

    def test_points_beside_are_near_or_a_cell_away(self):
        for fmt, least, most in ((SMALL, 12, 23), (LEAST, 6, 7), (F64, 25, 49)):
            run = SimpleNamespace(fmt=fmt, rng=Known(0.0, 1.0, 0.5, 1.0, 0.0, 0.75))
            found = beside(run, np.array([[1000, 2000, 3000]])) - [[1000, 2000, 3000]]
            assert found.tolist() == [[2**least, -(2**most), round(2 ** (least + (most - least) / 2) / 2)]]

    @pytest.mark.parametrize("d", [1, 2])
    def test_the_worst_are_kept_each_once_and_the_worst_first(self, d):
        """1024 looks at 100 points, all of which are seen."""
        weights = np.array([[1000], [10]])[-d:]

        def code(points):
            return np.tensordot(weights[:, 0], points, 1)

        run = Climbing(lambda points: (code(points) * 37 % 4999) / 8.0, SMALL)
        low, high = np.array([[0, 50], [3, 3]])[:d], np.array([[100, 150], [13, 13]])[:d]
        if d == 2:
            high[0] = low[0] + 10
        found = Windows(run, low, high)
        assert found.points.shape == (d, 2, 32) and found.ulp.shape == (2, 32)
        for n in (0, 1):
            every = (
                np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low[:, n], high[:, n]))), -1).reshape(-1, d).T
            )
            worst = np.sort((code(every) * 37 % 4999) / 8.0)[::-1][:32]
            assert found.ulp[n].tolist() == worst.tolist()
            assert ((code(found.points[:, n]) * 37 % 4999) / 8.0).tolist() == worst.tolist()
        asked = run.asked[0]
        assert asked.size == d * 2 * 1024
        if d == 1:  # runs rise from one end to the other
            assert asked.shape == (1, 2, 1024) and (np.diff(asked) >= 0).all()
            assert asked[0, :, 0].tolist() == [0, 50] and asked[0, :, -1].tolist() == [99, 149]
        before = found.points.copy(), found.ulp.copy()
        found.look_at(found.points[..., :5].copy())
        assert (found.ulp == before[1]).all() and (found.points == before[0]).all()  # what is known changes nothing

    def test_of_many_windows_none_has_another_than_the_worst(self):
        """A partition at another place than the last of the parents is right in all but one of 2000 windows or so."""
        rng, count = np.random.default_rng(5), 6000
        ulp, found = rng.random((count, 288)), Windows.__new__(Windows)
        found.run = Climbing(lambda points: ulp[:, 32:], SMALL)
        found.low, found.high = np.zeros((1, count), int), np.full((1, count), 2**20)
        found.points, found.ulp = np.tile(np.arange(1, 33), (1, count, 1)), ulp[:, :32]
        found.look_at(np.tile(np.arange(100, 356), (1, count, 1)))
        assert (found.ulp == np.sort(ulp, axis=1)[:, :-33:-1]).all()

    def test_fewer_points_than_parents_leave_places_without_an_error(self):
        for d in (1, 2):
            found = Windows(
                Climbing(lambda points: points[-1] + 1.0, SMALL), np.zeros((d, 1), int), np.array([[1], [3]])[-d:]
            )
            assert found.ulp[0].tolist() == [3, 2, 1] + [-1] * 29

    @pytest.mark.parametrize(("d", "digest"), [(1, "85e335f3"), (2, "0942e4fb")])
    def test_a_climb_combines_the_worst(self, d, digest):
        run = Climbing(hashed_finely, SMALL)
        low = np.array([[0, 10**6], [100, 0]])[:d]
        found = Windows(run, low, low + np.array([[5000, 70], [40, 300]])[:d])
        found.climb(3)
        found.take(np.array([1]))
        found.climb(2)
        assert [p.size // d for p in run.asked] == [2048, 512, 512, 512, 256, 256]
        assert found.points.shape == (d, 1, 32) and (found.points >= low[:, 1:, None]).all()
        run.asked.append(found.points)
        assert run.digest() == digest

    def test_combinations_are_a_plus_b_less_c(self):
        run = Climbing(lambda points: points[0] * 0.0 + 1, SMALL)
        found = Windows(run, np.array([[0]]), np.array([[1000]]))
        found.points = (np.arange(32) ** 2 % 500)[None, None]
        run.rng = Known(0.25, integers=[*[7] * 256, *[3] * 256, *[5] * 256])
        found.climb(1)
        assert run.asked[-1][0, 0, 1:-1].tolist() == [49 + 9 - 25] * 254
        run.rng = Known(0.25, integers=[*[1] * 256, *[1] * 256, *[20] * 256])  # 1 + 1 - 400 is outside
        found.points = (np.arange(32) ** 2 % 500)[None, None]
        found.climb(1)
        assert run.asked[-1][0, 0, 1:-1].tolist() == [250] * 254

    @pytest.mark.parametrize(
        ("fmt", "d", "digest"),
        [(SMALL, 1, "c3d78c48"), (LEAST, 1, "9af3f633"), (SMALL, 2, "76990c2e")],
        ids=("line", "narrow", "pairs"),
    )
    def test_the_best_of_each_owner_go_on(self, fmt, d, digest):
        run = Climbing(hashed_finely, fmt)
        owners = np.array([0, 0, 0, 0, 0, 2, 2, 2, 2, 3])
        low = np.repeat(np.arange(10)[None] * 10**5, d, axis=0)
        cells = low, low + 9000
        points, ulp, found = climbed(run, low + np.arange(10) * 900, cells, owners)
        assert found.tolist() == [0, 0, 2, 3] and points.shape == (d, 4) and ulp.shape == (4,)
        assert [p.size // d for p in run.asked] == [10 * 1024] + [10 * 256] * 12 + [4 * 256] * 36
        assert (hashed_finely(points) == ulp).all()
        assert run.digest() == digest

    def test_a_third_each_of_the_centres_is_at_the_spot_anywhere_and_beside(self):
        run = SimpleNamespace(fmt=SMALL, rng=Known(0.5, integers=[0, 1, 2, 2]))
        cells = np.array([[0, 0, 0, 600]]), np.array([[1000, 1000, 10**6, 700]])
        spots = np.array([[10, 10, 10, 10]]), np.array([[20, 20, 20, 20]])
        best = np.array([[5, 5, 5000, 5000]])
        assert chosen_centres(run, cells, spots, best).tolist() == [[15, 500, 5000, 699]]
        run.rng = Known(0.5, integers=[2])
        assert chosen_centres(
            run, (np.array([[600]]), np.array([[700]])), taken(spots, [0]), np.array([[5]])
        ).tolist() == [[600]]

    def test_boxes_are_taken_by_number(self):
        boxes = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[7, 8, 9], [0, 1, 2]])
        assert lists(*taken(boxes, np.array([2, 0, 2]))) == [[[3, 1, 3], [6, 4, 6]], [[9, 7, 9], [2, 0, 2]]]

    @pytest.mark.parametrize(
        ("each", "count", "d", "rounds", "digest"),
        [
            (600, 400, 1, [[256, 256, 88], [256, 256, 88], [256, 256, 82], [256, 256, 82], [256, 256, 88]], "fe844c5c"),
            (20, 4, 2, [[20], [20], [20], [20], [20]], "184d2320"),
            (1, 5, 1, [[1]] * 5, "74b5507f"),
            (7, 9, 1, [[6], [7], [7], [7], [7]], "6b2dfe40"),
        ],
    )
    def test_every_cell_gets_windows_and_then_the_worst(self, each, count, d, rounds, digest, monkeypatch):
        run, sizes, told = Climbing(hashed_finely, SMALL), [], []

        def climb(run, centres, cells, owners):
            sizes.append(len(owners))
            assert (centres >= cells[0]).all() and (centres < cells[1]).all()
            told.extend([centres, *cells, owners])
            ulp = hashed(centres)[::2]  # a third has none, and a third none that counts
            return centres[:, ::2], np.where(ulp < 3, -1.0, np.where(ulp < 6, 0.0, ulp)), owners[::2]

        monkeypatch.setattr(windows, "climbed", climb)
        low = np.repeat(np.arange(count)[None] << 30, d, axis=0)
        cells, spots = (low, low + 2**30), (low + 2**20, low + 2**20 + 1000)
        worst = search_windows(run, cells, spots, 5 * 6400 * each + 5 * 6400 - 1)
        assert [n for r in rounds for n in r] == sizes
        text = b"".join(np.ascontiguousarray(a, "<i8").tobytes() for a in [*told, worst])
        assert hashlib.sha256(text).hexdigest()[:8] == digest

    def test_too_few_inputs_for_a_window_are_none(self):
        box = np.zeros((2, 3), int), np.ones((2, 3), int)
        assert search_windows(Climbing(hashed_finely, SMALL), box, box, 5 * 6400 - 1).shape == (2, 0)


class TestPairs:
    def test_the_worst_come_first_each_once(self):
        points = np.array([[1, 2, 3, 2, 5, 4], [9, 8, 7, 8, 6, 6]])
        ulp = np.array([1.0, 3.0, 2.0, 3.0, 3.0, 3.0])
        found, errors = kept(points, ulp, 4)
        assert found.T.tolist() == [[4, 6], [5, 6], [2, 8], [3, 7]] and errors.tolist() == [3, 3, 3, 2]
        assert kept(points, ulp, 1)[0].T.tolist() == [[4, 6]] == kept(points, ulp, 0)[0].T.tolist()
        same_target = kept(np.array([[1, 1, 2], [5, 6, 5]]), np.array([1.0, 1.0, 1.0]), 9)[0]
        assert same_target.T.tolist() == [[1, 5], [2, 5], [1, 6]]

    @pytest.mark.parametrize("side", [0, 1])
    @pytest.mark.parametrize(("most", "share"), [(319, 4), (320, 5), (639, 9), (640, 10), (10, 4)])
    def test_no_input_or_target_has_more_than_its_share(self, side, most, share):
        points = np.zeros((2, 40), int)
        points[side] = np.arange(40) // 20
        points[1 - side] = np.arange(40)
        found, errors = kept(points, 100.0 - np.arange(40), most)
        assert found[1 - side].tolist() == [*range(share), *range(20, 20 + share)][:most]
        assert errors.tolist() == [100 - n for n in found[1 - side]]

    @pytest.mark.parametrize(("children", "digest"), [(64, "8c1f2c56"), (700, "124bdf76")])
    def test_generations_of_children(self, children, digest):
        run = Climbing(hashed, SMALL)
        box = np.array([[1000], [50]]), np.array([[101000], [4050]])
        rng = np.random.default_rng(3)
        points, ulp = bred(run, rng.integers(*box, (2, 4 * children)), box, children)
        assert [p.shape for p in run.asked] == [(2, 4 * children)] + [(2, children)] * 48
        assert points.shape == (2, children // 8) and (hashed(points) == ulp).all() and (np.diff(ulp) <= 0).all()
        assert all(((p >= box[0]) & (p < box[1])).all() for p in run.asked)
        run.asked.append(points)
        assert run.digest() == digest

    def test_a_quarter_each_goes_beside(self):
        """Of children of the pair (500, 70): way 0 moves the input, way 1 the target, 2 and 3 neither."""
        run = Climbing(lambda points: points[0] * 0.0 + 1, SMALL)
        ways, ones = [0, 1, 2, 3] * 16, [0] * 64
        # away: (-1 + 2 * 0.75) * 1024^0.5, of all
        run.rng = Known(*[0.75] * 64, *[0.5] * 64, integers=(ones + ones + ways) * 48)
        box = np.array([[0], [0]]), np.array([[1024], [100]])
        bred(run, np.array([[500], [70]]), box, 64)
        assert run.asked[1].T[:4].tolist() == [[516, 70], [500, 86], [500, 70], [500, 70]]

    @pytest.mark.parametrize(
        ("evaluations", "boxes", "rounds"),
        [
            (5 * 1664 * 40 - 1, 300, [(39, 32), (9, 142), (2, 639), (1, 1279), (1, 1279)]),
            (5 * 1664 * 40, 30, [(30, 42), (7, 182), (1, 1280), (1, 1280), (1, 1280)]),
            (5 * 1664 * 1000, 300, [(256, 125), (64, 500), (16, 2000), (4, 8000), (1, 32000)]),
            (10, 5, [(1, 32)] * 5),
        ],
    )
    def test_the_worst_boxes_go_on_with_more(self, evaluations, boxes, rounds, monkeypatch):
        run, called = Climbing(hashed, SMALL), []
        low = np.stack([np.arange(boxes) * 1000, np.arange(boxes) * 10])
        high = low + np.array([[1000], [10]])

        def breed(run, points, box, children):
            n = int(box[0][0, 0]) // 1000
            assert lists(*box) == [low[:, n : n + 1].tolist(), high[:, n : n + 1].tolist()]
            assert ((points >= box[0]) & (points < box[1])).all() and len(np.unique(points[0])) > 1
            called.append((n, points.shape[1], children))
            return points[:, :3], np.array([n * 7 % 5 + n / 1000.0, 0, 0])

        monkeypatch.setattr(pairs, "bred", breed)
        found = search_pairs(run, low, high, evaluations)
        at, ranked = 0, [*range(boxes)]
        for turn, (count, children) in enumerate(rounds):
            here = called[at : at + count]
            assert [n for n, _, _ in here] == ranked[:count] and {c for *_, c in here} == {children}
            fresh = 4 * children
            assert {p for _, p, _ in here} == {fresh + (3 if turn else 0)}
            ranked = sorted(ranked[:count], key=lambda n: -(n * 7 % 5 + n / 1000.0))
            at += count
        assert at == len(called) and len(found) == 3 and all(type(v) is int for pair in found for v in pair)
        assert {x // 1000 for x, _ in found} == {ranked[0]}
