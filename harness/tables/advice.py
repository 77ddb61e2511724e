"""The cure of each row, chosen when all rows of a table are there.

A cure is named only where its own row in the same table, for the same problem, format and target, is within the budget
with no spurious outcome; see explain/remedies.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from mpmath import mp

from harness.explain.remedies import BUDGET, Cures, KernelFigure
from harness.tables.rows import Row
from harness.truth.errors import SPURIOUS

CuresOf = Callable[[Row], Cures]  # what is known of all kernels of a row's problem and format


def figure(row: Mapping[str, object]) -> KernelFigure:
    """Return what a row says of its kernel, whether it is as rows.py makes it or as a CSV file has it."""
    most = mp.mpf(str(row["max_ulp"])) if row["max_ulp"] != "" else mp.inf
    spurious = sum(int(str(row[name] or 0)) for name in SPURIOUS)
    return KernelFigure(
        str(row["kernel"]), most, spurious, int(str(row["capped"] or 0)), row["exhaustive"] in (True, "true")
    )


def advised(rows: Sequence[Row], budget: float = BUDGET, known: CuresOf | None = None) -> list[Row]:
    """Return rows with `remedy`, and in their `reason` the cure or what comes closest to one.

    A row within the budget needs none.  The kernels' figures are those of the rows themselves, unless `known` gives
    others, such as stronger ones.  A row without a reason, a recorded system's, is left as it is.
    """
    groups: dict[tuple[str, str], dict[str, list[KernelFigure]]] = {}
    for row in rows:
        by_target = groups.setdefault((str(row["problem"]), str(row["format"])), {})
        by_target.setdefault(str(row["target"]), []).append(figure(row))
    figures = {key: Cures(*key, by_target) for key, by_target in groups.items()}
    return [_advised(row, known or (lambda r: figures[str(r["problem"]), str(r["format"])]), budget) for row in rows]


def _advised(row: Row, known: CuresOf, budget: float) -> Row:
    own = figure(row)
    if not row["reason"] or (own.max_ulp <= budget and not own.spurious):
        return row
    cure, told = known(row).advice(str(row["target"]), own.kernel, budget)
    return {**row, "reason": f"{str(row['reason']).removesuffix('.')}; {told}.", "remedy": cure}


def unheld(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Return a sentence for each row whose remedy does not hold in the same table, by the remedy's own row there."""
    read = list(rows)
    own = {tuple(str(r[c]) for c in ("problem", "kernel", "format", "target")): figure(r) for r in read}
    wrong = []
    for r in read:
        at = tuple(str(r[c]) for c in ("problem", "remedy", "format", "target"))
        if r["remedy"] and not (at in own and own[at].holds()):
            known = own[at].text if at in own else "no row"
            wrong.append(
                f"{r['problem']} {r['kernel']} {r['format']} {r['target']}: {r['remedy']} is no remedy: {known}"
            )
    return wrong
