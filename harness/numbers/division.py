"""Where a property changes between two floats: an interval divided until its ends are neighbours.

Floats are counted by their ordinals, integers in the order of the values (see formats.py), so that
neighbours differ by 1.  Between an input that has a property (its error is within a budget, say)
and one that has not there are two neighbours of which the same is true.  Two methods find them:

- halving asks at the middle and keeps the half whose ends differ: 1 question at a time, about
  log2 n of them between ends n apart;
- sectioning asks at 257 points at once and keeps the first section, seen from the end that has the
  property, whose ends differ: log2(n) / 8 rounds, each one call on an array.

Where the property changes once, both find that place.  Where it changes several times, as rounding
errors do, they may find different ones: halving finds some change, sectioning the change nearest to
the end that has the property, as far as its sections of the first round resolve it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.numbers.distinct import distinct

Array = np.ndarray
Property = Callable[[Array], Array]  # of ordinals, shape (n,), to truth values of the same shape

SECTIONS = 257  # points of one round of sectioning, both ends among them


def middle(low: Array, high: Array) -> Array:
    """Return low + ⌊(high − low) / 2⌋ for ordinals low <= high less than 2^63 apart."""
    return low + (high - low) // 2


def halving(holds: Property, inside: Array, outside: Array) -> tuple[Array, Array]:
    """Halve each interval until its ends are neighbours; return the last ordinals inside and the first outside.

    `inside` and `outside`, ordinals of shape (n,), are ends at which the property holds and does not;
    either may be the larger, and they are not asked again.  All intervals go on until the widest is
    done, so `holds` is asked at n points in each round, those of finished intervals included.
    """
    while abs(outside - inside).max(initial=0) > 1:
        between = middle(np.minimum(inside, outside), np.maximum(inside, outside))
        state = holds(between)
        inside, outside = np.where(state, between, inside), np.where(state, outside, between)
    return inside, outside


def halving_one(holds: Property, inside: int, outside: int) -> tuple[int, int]:
    """Halve one interval as `halving` does; return its ends when they are neighbours."""
    last, first = halving(holds, np.array([inside]), np.array([outside]))
    return int(last[0]), int(first[0])


def sectioning(holds: Property, inside: int, outside: int) -> tuple[int, int]:
    """Divide one interval at SECTIONS points at a time; return the last ordinal inside and the first outside.

    The property holds at `inside`, not at `outside`, and either may be the larger.  What `holds` says
    of the two ends is not used.
    # ASSUME: they are less than 2^53 apart, so that numpy.linspace ends at the end itself.
    """
    towards = 1 if outside > inside else -1
    while abs(outside - inside) > 1:
        steps = distinct(np.linspace(0, abs(outside - inside), SECTIONS).astype(np.int64))
        points = inside + towards * steps
        state = holds(points)
        state[0], state[-1] = True, False
        first = int(np.argmin(state))
        inside, outside = int(points[first - 1]), int(points[first])
    return inside, outside


def changes(label: Callable[[Array], Array], points: Array) -> Array:
    """Return where labels change between given ordinals in order: the first ordinal of each new label, sorted.

    `label` gives integers or truth values, shape (n,).  Each pair of neighbours in `points` whose labels
    differ is halved by "has the lower one's label"; a label that comes and goes between them is missed.
    """
    labels = label(points)
    at = np.flatnonzero(labels[1:] != labels[:-1])
    _, high = halving(lambda between: label(between) == labels[at], points[at], points[at + 1])
    return distinct(high)


def steps(label: Callable[[Array], Array], points: Array, most: int) -> Array:
    """Return where integer labels that rise or fall from point to point do so: the first ordinal of each, sorted.

    Unlike `changes` it finds every label that lies between those of two neighbours in `points`, each by halving for
    itself, if there are `most` or fewer; else, as there, one.
    """
    labels = label(points)
    rise = np.diff(labels)
    times = np.where(abs(rise) <= most, abs(rise), 1)
    at = np.repeat(np.arange(len(rise)), times)
    passed = np.arange(len(at)) - np.repeat(np.cumsum(times) - times, times)
    low, sign = labels[at], np.sign(rise[at])
    _, high = halving(lambda between: (label(between) - low) * sign <= passed, points[at], points[at + 1])
    return distinct(high)
