"""The surprises that a user is most likely to meet, ranked by a rule that docs/findings.md states.

likelihood = call x format x input, each 1 to 3:
  call    3: in the library's own introductions to binary classification; 2: public, written for it; 1: else
  format  3: the library's default; 2: mixed precision or autocast, or float32 where float64 is the default; 1: else
  input   3: a logit of at most 10 in size; 2: of at most 20, or a probability of 0 or 1; 1: else
Of equal likelihood, the graver kind comes first, then the smaller logit, then the order of the libraries.
What is taught, public or the default is said by each library's adapter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.systems.commands import command
from harness.systems.pages.faults import KINDS, Fault, faults, masks
from harness.systems.pages.probes import Returned
from harness.systems.registry import library_named, system_of
from harness.tables.rows import Row

MOST = 10
RIGHT = ("cancelled", "faded", "narrowed")  # kinds that show for right predictions


@dataclass(frozen=True)
class Surprise:
    """Hold the likeliest fault of a call, the line that reproduces it, and the modes that share it or do not."""

    fault: Fault
    weights: tuple[int, int, int]
    line: str
    also: tuple[str, ...]
    not_in: tuple[str, ...]

    @property
    def likelihood(self) -> int:
        """Return the product of the weights of call, format and input: 1 to 27."""
        return math.prod(self.weights)


def family(row: Row) -> str:
    """Return what a user calls a row's library."""
    return library_named(str(row["library"])).family


def weights(fault: Fault) -> tuple[int, int, int]:
    """Return the weights of call, format and input."""
    row = fault.returned.row
    default = library_named(str(row["library"])).default_format
    second = row["format"] == "float32" or mixed(row)
    ends = fault.x in (0, 1) and fault.logit == math.inf
    at = 3 if fault.logit <= 10 else 2 if fault.logit <= 20 or ends else 1
    return _call(row), 3 if row["format"] == default else 2 if second else 1, at


def _call(row: Row) -> int:
    """Return the weight of a call: 3 for one that is taught, in the mode that it takes of itself."""
    library, system = library_named(str(row["library"])), system_of(row)
    if not library.trains:
        return 1
    otherwise = not str(row["mode"]).endswith(library.default_mode)
    return (2 if otherwise else 3) if system.taught else 2 if system.public else 1


def mixed(row: Row) -> bool:
    """Tell whether a row is of a model in mixed precision."""
    return "mixed" in str(row["mode"]) or "model_autocast" in str(row["mode"])


def surprises(every: list[Returned], most: int = MOST) -> list[Surprise]:
    """Return the likeliest, one for each call, in mixed precision or not, of wrong and of right predictions."""
    groups: dict[tuple, list[tuple[tuple, Fault, str]]] = {}
    for order, returned in enumerate(every):
        row = returned.row
        if str(row["target"]) not in ("0", "1") or row["label_smoothing"]:
            continue
        for fault in faults(returned):
            line = command(row, fault.x)
            if line is not None:
                key = (family(row), row["system"], mixed(row), fault.kind in RIGHT)
                groups.setdefault(key, []).append((_rank(fault, order), fault, line))
    best = sorted((min(group, key=lambda g: g[0]) for group in groups.values()), key=lambda g: g[0])[:most]
    return [Surprise(fault, weights(fault), line, *_elsewhere(fault, every)) for _, fault, line in best]


def _rank(fault: Fault, order: int) -> tuple:
    likelihood = math.prod(weights(fault))
    return -likelihood, KINDS.index(fault.kind), fault.value != 0, fault.logit, order


def _elsewhere(fault: Fault, every: list[Returned]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the other modes and backends in which the same call goes wrong at the same input, and those where not."""
    row, found = fault.returned.row, ([], [])  # type: ignore[var-annotated]
    same = ("system", "problem", "format", "target")
    for other in every:
        if other is fault.returned or any(other.row[c] != row[c] for c in same):
            continue
        if family(other.row) == family(row):
            at = other.x == fault.x
            wrong = any((mask & at).any() for mask in masks(other).values())
            found[0 if wrong else 1].append(f"{other.row['library']} {other.row['mode']}")
    return tuple(found[0]), tuple(found[1])
