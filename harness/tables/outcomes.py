"""Where each outcome happens: the input nearest to the problem's centre that gives NaN, infinity, 0 or a wrong sign.

A summary counts the outcomes of each cell.  The nearest cell on either side of the centre that has one is measured
again at the grid's inputs; on a sample the outcome is then followed towards the centre, between the input found and
the sampled one before it, down to neighbouring inputs.  "Nearest" is by distance in value, |x − centre|; of two inputs
equally near the lower is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from harness.numbers.division import sectioning
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.case import Case
from harness.sweep.grid import BLOCK
from harness.sweep.summary import Summary
from harness.tables.usual import normal, usual_range
from harness.truth.errors import NONE, Errors

Array = np.ndarray

# The column of each outcome.
COLUMNS = {
    "spurious_nan": "nan_input",
    "spurious_inf": "inf_input",
    "spurious_zero": "zero_input",
    "wrong_sign": "sign_input",
}

# What a computed value with the outcome looks like, whatever the exact one is.
MARKS: dict[str, Callable[[Array], Array]] = {
    "spurious_nan": np.isnan,
    "spurious_inf": np.isinf,
    "spurious_zero": lambda v: v == 0,
    "wrong_sign": lambda v: (v != 0) & np.isfinite(v),
}


def nearest_outcomes(case: Case, summary: Summary, t: int) -> Mapping[str, int | None]:
    """Return, by outcome, the ordinal of the input nearest to the centre that has it; None where none has.

    On a sampled grid that is the nearest found: its neighbour towards the centre has not that outcome, but an input
    nearer to the centre that no sample met may have it.
    """
    return {name: _nearest(case, summary, t, name) for name in COLUMNS}


def _nearest(case: Case, summary: Summary, t: int, name: str) -> int | None:
    having = summary.cells[summary.outcomes[name][t] > 0]
    if not len(having):
        return None
    centre = case.grid.centre
    middle = int(case.fmt.cell(np.array([centre]))[0])
    found = [
        _from_centre(case, name, having[having >= middle], 1),
        _from_centre(case, name, having[having <= middle][::-1], -1),
    ]
    sides = [followed(case, name, o) for o in found if o is not None]
    return min(sides, key=lambda o: (_distance(case, o), o), default=None)


def _distance(case: Case, ordinal: int) -> float:
    return float(_distances(case.problem, case.fmt, np.array([ordinal]))[0])


def _distances(problem: Problem, fmt: Format, ordinals: Array) -> Array:
    """Return half the distance of each input from the problem's centre: the distance itself may overflow."""
    return np.abs(fmt.from_ordinal(ordinals).astype(np.float64) / 2 - problem.centre / 2)


def _from_centre(case: Case, name: str, cells: Array, direction: int) -> int | None:
    """Return the first of the grid's inputs from the centre in one direction that has an outcome.

    `cells`, in that direction, have it; only in the centre's own cell may it lie on the other side.
    """
    for cell in cells[:2]:
        for ordinals in _outwards(case, int(cell), direction):
            mask = case.errors(ordinals).outcomes.get(name)
            if mask is not None and mask[0].any():
                return int(ordinals[int(mask[0].argmax())])
    return None


def _outwards(case: Case, cell: int, direction: int) -> Iterator[Array]:
    """Yield the grid's inputs of one cell on one side of the centre, the centre itself above it, nearest first."""
    sampled = case.grid.ordinals(np.array([cell]))
    beyond = sampled[sampled >= case.grid.centre] if direction > 0 else sampled[sampled < case.grid.centre][::-1]
    for i in range(0, len(beyond), BLOCK):
        yield beyond[i : i + BLOCK]


def followed(case: Case, name: str, ordinal: int) -> int:
    """Return the last input that has an outcome from a sampled one towards the centre; itself on an exhaustive grid."""
    grid = case.grid
    if grid.exhaustive or ordinal == grid.centre:
        return ordinal
    good = grid.neighbour(ordinal, 1 if ordinal < grid.centre else -1)
    for has in (_as_computed(case, name, ordinal), _as_measured(case, name)):
        if not has(np.array([good]))[0]:
            first = sectioning(lambda ordinals, has=has: ~has(ordinals), good, ordinal)[1]  # type: ignore[misc]
            if _as_measured(case, name)(np.array([first]))[0]:
                return first
    return ordinal


def _as_computed(case: Case, name: str, ordinal: int) -> Callable[[Array], Array]:
    """Return the outcome's mark in the computed values alone, which cost a hundredth of measured ones."""
    if name != "wrong_sign":
        return lambda ordinals: MARKS[name](case.compute(ordinals))
    negative = bool(np.signbit(case.compute(np.array([ordinal]))[0]))

    def signed(ordinals: Array) -> Array:
        computed = case.compute(ordinals)
        return (computed != 0) & (np.signbit(computed) == negative)

    return signed


def _as_measured(case: Case, name: str) -> Callable[[Array], Array]:
    def has(ordinals: Array) -> Array:
        mask = case.errors(ordinals).outcomes.get(name)
        return np.zeros(len(ordinals), bool) if mask is None else mask[0]

    return has


class OutcomeInputs:
    """Note, as a study visits its inputs, where each outcome happens nearest to the centre, and the usual range's maximum.

    For what cannot be measured again cell by cell: recorded results, inputs beside a grid's, pairs of formats.
    `located` has for each of T targets a mapping of outcome to the ordinal of its input, None where there is none.
    """

    def __init__(self, problem: Problem, fmt: Format, targets: int):
        self.problem, self.fmt = problem, fmt
        self.located: list[dict[str, int | None]] = [dict.fromkeys(COLUMNS) for _ in range(targets)]
        self._ulp, self._at = np.full(targets, NONE), np.zeros(targets, np.int64)  # of the usual range
        self._usual = usual_range(problem, fmt)

    def add(self, ordinals: Array, errors: Errors) -> None:
        """Add the errors, of shape (T, n), at inputs in value order."""
        distances = _distances(self.problem, self.fmt, ordinals) if errors.outcomes else None
        for name in COLUMNS:
            if name in errors.outcomes:
                for t, mask in enumerate(errors.outcomes[name]):
                    self._nearest(t, name, ordinals[mask], distances[mask])  # type: ignore[index]
        self._note_usual(ordinals, errors)

    def usual(self, t: int) -> int | None:
        """Return the ordinal of a target's largest error in the usual range; None where nothing finite was measured there."""
        return int(self._at[t]) if self._ulp[t] != NONE else None

    def _nearest(self, t: int, name: str, ordinals: Array, distances: Array) -> None:
        if not len(ordinals):
            return
        best, before = int(ordinals[distances.argmin()]), self.located[t][name]
        both = [best] if before is None else sorted([best, before])  # of two equally near, the lower
        self.located[t][name] = min(both, key=lambda o: float(_distances(self.problem, self.fmt, np.array([o]))[0]))

    def _note_usual(self, ordinals: Array, errors: Errors) -> None:
        inside = (ordinals >= self._usual[0]) & (ordinals <= self._usual[1])
        if not inside.any():
            return
        ulp = np.where(inside & normal(self.fmt, errors), errors.ulp, NONE)
        at = ulp.argmax(axis=1)
        top = ulp[np.arange(len(at)), at]
        grown = top > self._ulp
        self._ulp, self._at = np.where(grown, top, self._ulp), np.where(grown, ordinals[at], self._at)
