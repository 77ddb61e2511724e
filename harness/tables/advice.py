"""The cure of each row, chosen when all rows of a table are there.

A cure is named only where it is within the budget with no spurious outcome over the whole row, for the same problem,
format and target: by its own row in the same table, or where that is of a sample by what tables of every input and
searches know better.  See explain/remedies.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mpmath import mp

from harness.explain.remedies import BUDGET, Cures, KernelFigure
from harness.tables.rows import Row
from harness.truth.errors import SPURIOUS

if TYPE_CHECKING:  # it loads pandas, which a check of one function does without
    from harness.tables.strongest import Key, Known

CuresOf = Callable[[Row], Cures]  # what is known of all kernels of a row's problem and format
KEY = ("problem", "kernel", "format", "target")
ADVICE = re.compile(r"; (\S+ (stays|keeps it) within [^;]*|no built-in kernel [^;]*(; \S+ comes closest, [^;]*)?)\.$")


def figure(row: Mapping[str, object]) -> KernelFigure:
    """Return what a row says of its kernel, whether it is as rows.py makes it or as a CSV file has it."""
    most = mp.mpf(str(row["max_ulp"])) if row["max_ulp"] != "" else mp.inf
    spurious = sum(int(str(row[name] or 0)) for name in SPURIOUS)
    return KernelFigure(
        str(row["kernel"]), most, spurious, int(str(row.get("capped") or 0)), row["exhaustive"] in (True, "true")
    )


def strongest_figure(row: Mapping[str, object], stronger: Known | None) -> KernelFigure:
    """Return what is known best of a row's kernel: every input's figure, else the largest error that any has seen."""
    own = figure(row)
    key: Key = (str(row["problem"]), str(row["kernel"]), str(row["format"]), str(row["target"]))
    others = [figure(other.cells) for other in (stronger.rows.get(key, []) if stronger else [])]
    complete = next((f for f in (own, *others) if f.every_input), None)
    return complete or replace(own, max_ulp=max(f.max_ulp for f in (own, *others)))


def cures_of(rows: Iterable[Mapping[str, object]], stronger: Known | None = None) -> CuresOf:
    """Return what is known of the kernels that have rows: what these say, or what is known better."""
    groups: dict[tuple[str, str], dict[str, list[KernelFigure]]] = {}
    for row in rows:
        by_target = groups.setdefault((str(row["problem"]), str(row["format"])), {})
        by_target.setdefault(str(row["target"]), []).append(strongest_figure(row, stronger))
    figures = {key: Cures(*key, by_target) for key, by_target in groups.items()}
    return lambda row: figures[str(row["problem"]), str(row["format"])]


def advised(
    rows: Sequence[Row], budget: float = BUDGET, known: CuresOf | None = None, closer: bool = False
) -> list[Row]:
    """Return rows with `remedy`, and in their `reason` the cure or what comes closest to one.

    A row within the budget needs none.  The kernels' figures are those of the rows themselves, unless `known` gives
    others, such as stronger ones.  A row without a reason, a recorded system's, is left as it is.  Advice that a row
    has already is taken off before.  With `closer`, what comes closest to a cure is named only where it is better than
    the row's own: who asks for one loss must not be shown a worse one.
    """
    cures = known or cures_of(rows)
    return [_advised(row, cures, budget, closer) for row in rows]


def _advised(row: Row, known: CuresOf, budget: float, closer: bool) -> Row:
    own, reason = figure(row), ADVICE.sub("", str(row["reason"])).removesuffix(".")
    if not reason or (own.max_ulp <= budget and not own.spurious):
        return row
    cure, told = known(row).advice(str(row["target"]), own.kernel, budget, own if closer else None)
    return {**row, "reason": f"{reason}; {told}.", "remedy": cure}


def unheld(rows: Iterable[Mapping[str, object]], stronger: Known | None = None) -> list[str]:
    """Return a sentence for each row whose remedy does not hold over the whole row, by the strongest figure known.

    The remedy must have a row of its own in the same table; `stronger` may know more than that.
    """
    read = list(rows)
    own = {tuple(str(r[c]) for c in KEY): r for r in read}
    wrong = []
    for r in read:
        if not r["remedy"]:
            continue
        there = own.get(tuple(str(r[c]) for c in ("problem", "remedy", "format", "target")))
        known = strongest_figure(there, stronger) if there else None
        if not (known and known.holds()):
            wrong.append(
                f"{' '.join(str(r[c]) for c in KEY)}: {r['remedy']} is no remedy: {known.text if known else 'no row'}"
            )
    return wrong
