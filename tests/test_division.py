"""Division of an interval down to neighbours: both methods, where they agree and where they do not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.numbers.division import SECTIONS, changes, halving, halving_one, sectioning, steps


@given(st.integers(-(2**40), 2**40), st.sampled_from([1, -1]), st.integers(1, 2**41), st.data())
def test_both_find_the_place_where_a_property_changes_once(inside, towards, apart, data):
    """In either direction, and to the neighbour."""
    outside = inside + towards * apart
    last = inside + towards * data.draw(st.integers(0, apart - 1))

    def holds(points):
        return points <= last if towards == 1 else points >= last

    assert halving_one(holds, inside, outside) == (last, last + towards)
    assert sectioning(holds, inside, outside) == (last, last + towards)


def test_they_differ_where_it_changes_more_than_once():
    """Without the property from 300 to 399 and from 900 on: sectioning finds the first change, halving another."""

    def holds(points):
        return (points < 300) | ((points >= 400) & (points < 900))

    assert sectioning(holds, 0, 1000) == (299, 300)
    assert halving_one(holds, 0, 1000) == (899, 900)
    assert sectioning(holds, 500, 350) == (400, 399)


def test_sectioning_asks_at_so_many_points_at_once_and_needs_few_rounds():
    asked = []

    def holds(points):
        asked.append(len(points))
        return points < 2**39 + 12345

    assert sectioning(holds, 0, 2**40) == (2**39 + 12344, 2**39 + 12345)
    assert max(asked) == SECTIONS and len(asked) == 5


def test_intervals_of_any_width_are_halved_together():
    inside, outside = np.array([0, 100, 7, 50]), np.array([1000, -100, 8, 53])
    last, first = halving(lambda points: abs(points) < 52, inside, outside)
    assert list(last) == [51, -51, 7, 51] and list(first) == [52, -52, 8, 52]
    none = np.empty(0, np.int64)
    assert all(end.size == 0 for end in halving(lambda points: points > 0, none, none))


def test_the_first_ordinal_of_each_new_label():
    assert list(changes(lambda points: points // 100, np.array([0, 90, 150, 210, 350]))) == [100, 200, 300]
    assert changes(lambda points: 0 * points, np.arange(9)).size == 0


def test_every_label_between_two_points_is_found_by_itself():
    points = np.array([0, 90, 550, 560, 240])
    found = [100, 200, 300, 400, 500]
    assert list(steps(lambda x: x // 100, points[:4], 5)) == found
    assert list(steps(lambda x: -(x // 100), points[:4], 5)) == found
    assert list(changes(lambda x: x // 100, points[:4])) == [100]  # negative control: one between two points
    assert list(steps(lambda x: x // 100, points[:4], 4)) == [100]
