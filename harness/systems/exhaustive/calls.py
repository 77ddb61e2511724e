"""Which calls are swept over every float32 input, and how the inputs are divided into shards.

They are the calls that a library's introductions show, loss and gradient at both hard targets, in the mode in which
they run by default, or in their only one; and the activations of the same libraries in that mode.  Libraries are swept
in groups, against one reference: those whose calls take one kind of input.  Keras on each backend is a group of its
own, with twice as many calls as others, so that a run that is cut off has finished some of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness import UsageError, choices
from harness.numbers.formats import format_named
from harness.problems import Problem, problem_named
from harness.sweep.grid import Grid
from harness.systems.registry import Library, System, libraries, library_named, systems_of

FORMAT, TARGETS = "float32", ("0", "1")
FMT = format_named(FORMAT)
# By kind of input, how many shards a group has: a few minutes each, which is what a run that is cut off loses.
SHARDS = {"logit": 16, "probability": 4}


@dataclass(frozen=True)
class Called:
    """Name one thing that is swept: a library's system, by its key, at one target ("" where it takes none)."""

    library: str
    key: str
    problem: str
    target: str

    @property
    def name(self) -> str:
        """Return the library and the system's key, under which summaries are kept."""
        return f"{self.library}:{self.key}"


def swept_systems(library: str) -> list[System]:
    """Return the systems of a library that are swept, in the order in which it declares them."""
    every = [s for s in systems_of(library) if FORMAT in s.formats and s.max_points is None]
    by_default = {s.mode for s in every if s.by_default}
    modes: dict[str, set[str]] = {}
    for s in every:
        modes.setdefault(s.name, set()).add(s.mode)

    def shown(s: System) -> bool:
        if not problem_named(s.problem).has_target:
            return s.mode in by_default
        only = library_named(library).trains and len(modes[s.name]) == 1
        return s.taught and (s.mode in by_default or only)

    return [s for s in every if shown(s)]


def calls_of(library: str, group: str) -> list[Called]:
    """Return what is swept of a library in a group, by problem; nothing where it belongs to another."""
    if group.partition("-")[2] != _alone(library_named(library)):
        return []
    found = [(s, problem_named(s.problem)) for s in swept_systems(library)]
    mine = sorted(((s, p) for s, p in found if p.input == kind_of(group)), key=lambda pair: pair[1].name)
    return [Called(library, s.key, p.name, t) for s, p in mine for t in (TARGETS if p.has_target else ("",))]


def groups() -> dict[str, list[str]]:
    """Return the libraries of each group; a group is named by its kind of input and, where it is of one library alone, that."""
    members = dict.fromkeys(map(_alone, libraries()))
    names = ["-".join(filter(None, [kind, member])) for kind in SHARDS for member in members]
    found = {name: [entry.name for entry in libraries() if calls_of(entry.name, name)] for name in names}
    return {name: members for name, members in found.items() if members}


def _alone(library: Library) -> str:
    """Return the name of a library that is a group of its own, one backend of a product; empty for any other."""
    return library.name if library.product else ""


def kind_of(group: str) -> str:
    """Return the kind of input of a group: `logit` or `probability`."""
    return group.partition("-")[0]


def members_of(group: str) -> list[str]:
    """Return the libraries of a group; UsageError lists the known ones."""
    known = groups()
    if group not in known:
        raise UsageError(f"unknown group of libraries {group!r}; known groups: {choices(group, known)}")
    return known[group]


def grid_of(problem: Problem) -> Grid:
    """Return the grid of every float32 input in a problem's domain."""
    return Grid("exhaustive", problem, FMT)


def mirrored(problems: Iterable[Problem]) -> bool:
    """Tell whether every domain holds -x with x, so that one reference serves both."""
    return all(p.domain[0] == -p.domain[1] for p in problems)


def cells_of(group: str, shard: int, problem: Problem) -> np.ndarray:
    """Return the cells of one shard, in order; those above 0 where the domain is mirrored.

    UsageError for a shard that is not there.
    """
    shards = SHARDS[kind_of(group)]
    if not 0 <= shard < shards:
        raise UsageError(f"there is no shard {shard}; they are counted from 0 to {shards - 1}")
    cells = grid_of(problem).cells
    return (cells[cells >= 0] if mirrored([problem]) else cells)[shard::shards]


def meaning(group: str, calls: Sequence[Called]) -> str:
    """Return a digest of what is swept: the calls, their targets, the format and the division into shards."""
    asked = [group, FORMAT, SHARDS[kind_of(group)], *([c.name, c.problem, c.target] for c in calls)]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
