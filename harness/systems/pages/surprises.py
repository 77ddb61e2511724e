"""Where libraries surprise their users: the first fault of each call that a rule finds, in the order of docs/findings.md.

Three questions order them, one after another, so that a reader who weighs them otherwise can still follow the list:
  who meets it    1: whoever runs a call that the library's introductions show, as it runs by default, or in mixed
                  precision; 2: who calls a public loss otherwise; 3: who calls a private one, one that does not train,
                  or one in a format that is neither the library's own nor float32
  what it does    NaN or infinity; a dead gradient; a gradient that is off; a wrong prediction's loss that is off; then
                  loss or gradient of a right prediction; then lost precision
  at which logit  the smaller first
Of equals the order of the libraries decides.  What is shown, public or the default is said by each library's adapter.
"""

from __future__ import annotations

from collections.abc import Callable
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
    """Hold the first fault of a call, the line that reproduces it, and the modes that share it or do not."""

    fault: Fault
    line: str
    also: tuple[str, ...]
    not_in: tuple[str, ...]


def family(row: Row) -> str:
    """Return what a user calls a row's library."""
    return library_named(str(row["library"])).family


def who(row: Row) -> int:
    """Tell who meets what a row does: 1 whoever follows an introduction, 2 who calls a public loss, 3 few."""
    library, system = library_named(str(row["library"])), system_of(row)
    usual = row["format"] in (library.default_format, "float32") or mixed(row)
    if not library.trains or not system.public or not usual:
        return 3
    by_default = str(row["mode"]).endswith(library.default_mode) and row["format"] == library.default_format
    return 1 if system.taught and (by_default or mixed(row)) else 2


def mixed(row: Row) -> bool:
    """Tell whether a row is of a model in mixed precision."""
    return "mixed" in str(row["mode"]) or "model_autocast" in str(row["mode"])


def surprises(
    every: list[Returned], most: int = MOST, told: Callable[[Fault], bool] = lambda _: False
) -> list[Surprise]:
    """Return the first, one for each call, in mixed precision or not, of wrong and of right predictions.

    Faults that are told already are left out.
    """
    groups: dict[tuple, list[tuple[tuple, Fault, str]]] = {}
    for order, returned in enumerate(every):
        row = returned.row
        if str(row["target"]) not in ("0", "1") or row["label_smoothing"]:
            continue
        for fault in faults(returned):
            line = None if told(fault) else command(row, fault.x)
            if line is not None:
                key = (family(row), row["system"], mixed(row), fault.kind in RIGHT)
                groups.setdefault(key, []).append(((*rank(fault), order), fault, line))
    best = sorted((min(group, key=lambda g: g[0]) for group in groups.values()), key=lambda g: g[0])[:most]
    return [Surprise(fault, line, *elsewhere(fault, every)) for _, fault, line in best]


def rank(fault: Fault) -> tuple[int, int, bool, float]:
    """Return where a fault stands: who meets it, what it does, whether the value is 0, and at which size of logit."""
    return who(fault.returned.row), KINDS.index(fault.kind), fault.value != 0, fault.logit


def elsewhere(fault: Fault, every: list[Returned]) -> tuple[tuple[str, ...], tuple[str, ...]]:
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
