"""What is known of one form over a range of inputs and some targets: from the tables where they speak of it, else measured.

The tables speak of a problem's whole domain.  Of a part of it they say something only where every input was visited, no
outcome is spurious and the largest error of all happens inside: then it is the largest of the part too.  Everything
else is measured (measuring.py), with the inputs that the tables name among those visited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.kernels import Kernel
from harness.recommend.measuring import InputRange, Measurement, measured
from harness.sweep.grid import Grid
from harness.tables import lines
from harness.tables.basis import SAMPLE, STRENGTH
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.strongest import Known, Maximum, TableRow, intersection, rows_from, together

LIBRARY_TABLES = ("systems", "systems_exhaustive")
PLAIN_MODES = ("eager", "default", "per_sample")  # as users call them who ask for nothing further
NO_LIBRARIES = ("replica",)


@dataclass(frozen=True)
class RangeFigures:
    """State what is known over a range at some targets: the largest error, spurious outcomes by input, the safe range.

    `outcomes` maps an outcome to an input (hex) and target where it happens, the input empty where the tables count it
    without naming one.  `safe` has the ends of the safe range (hex, empty where it is empty) and `safe_basis` how it
    is known, both empty where nothing is.
    """

    maximum: Maximum | None
    outcomes: Mapping[str, tuple[str, str]]
    safe: tuple[str, str]
    safe_basis: str


@dataclass(frozen=True)
class RangeRequest:
    """Hold what is asked: inputs of a problem in a format, targets as numbers (None: a problem without), soft or hard."""

    inputs: InputRange
    targets: np.ndarray | None
    soft: bool

    @cached_property
    def names(self) -> list[str]:
        """Return the targets as tables write them."""
        return [""] if self.targets is None else [self.inputs.fmt.short(v) for v in self.targets]

    def of(self, problem: str, kernel: str) -> list[tuple[str, str, str, str]]:
        """Return the keys of a kernel's rows, one for each target."""
        return [(problem, kernel, self.inputs.fmt.name, name) for name in self.names]


def kernels_known(known: Known, kernels: Sequence[Kernel], asked: RangeRequest) -> dict[str, RangeFigures]:
    """Return what is known of kernels of one problem, by name; what no table says is measured."""
    problem = asked.inputs.problem.name
    found = {k.name: said(known, asked, k.name) or failing(known, asked, k.name) for k in kernels}
    open_ = [k for k in kernels if found[k.name] is None]
    more = [o for k in open_ for key in asked.of(problem, k.name) for o in named_inputs(known, key, asked.inputs)]
    if open_:
        found |= {
            m.kernel.name: _of_measurement(m, known, asked) for m in measured(open_, asked.inputs, asked.targets, more)
        }
    return {name: over for name, over in found.items() if over is not None}


def said(known: Known, asked: RangeRequest, kernel: str) -> RangeFigures | None:
    """Return what the tables say of a kernel over the range at all targets; None where they do not speak of it."""
    keys = asked.of(asked.inputs.problem.name, kernel)
    parts = [_said_at(known, asked.inputs, key) for key in keys if key in known.rows]
    if not parts or None in parts or (len(parts) < len(keys) and not asked.soft):
        return None
    of_targets = [p for p in parts if p is not None]
    whole = _over_targets(of_targets)
    return with_joint(whole, known, asked, kernel) if asked.soft else whole


def failing(known: Known, asked: RangeRequest, kernel: str) -> RangeFigures | None:
    """Return the spurious outcomes that the tables name inside the range, None where they name none.

    A kernel that is excluded for them need not be measured; its largest error is the largest that the tables name there.
    """
    rows = [(key, row) for key in asked.of(asked.inputs.problem.name, kernel) for row in known.rows.get(key, [])]
    inside = {
        name: (row.cells[column], key[3])
        for key, row in reversed(rows)
        for name, column in OUTCOME_INPUTS.items()
        if row.cells.get(column) and asked.inputs.holds(asked.inputs.ordinal(row.cells[column]))
    }
    if not inside:
        return None
    there = [row for _, row in rows if row.max_basis and asked.inputs.holds(asked.inputs.ordinal(row.cells["max_ulp_input"]))]  # fmt: skip
    top = max(there, key=lambda row: row.max_ulp, default=None)
    most = Maximum(str(top.max_ulp), top.cells["max_ulp_input"], "", "", SAMPLE, top.table) if top else None
    safe = [known.figures(*key).safe for key in asked.of(asked.inputs.problem.name, kernel)]
    parts = [RangeFigures(None, {}, (s.lo, s.hi) if s else ("", ""), s.basis if s else "") for s in safe]
    return replace(_over_targets(parts), maximum=most, outcomes=inside)


def _said_at(known: Known, inputs: InputRange, key: tuple[str, str, str, str]) -> RangeFigures | None:
    figures = known.figures(*key)
    if figures.counts is None:
        return None
    spurious = {name: count for name, count in figures.counts.outcomes.items() if count}
    if not inputs.everything:
        most = figures.maximum
        inside = most is not None and most.complete and inputs.holds(inputs.ordinal(most.input))
        if spurious or not inside:
            return None
    named = {name: next((r.cells.get(c) for r in known.rows[key] if r.cells.get(c)), "") or "" for name, c in OUTCOME_INPUTS.items()}  # fmt: skip
    safe = figures.safe
    return RangeFigures(
        figures.maximum,
        {name: (named[name], key[3]) for name in spurious},
        (safe.lo, safe.hi) if safe else ("", ""),
        safe.basis if safe else "",
    )


def _over_targets(parts: Sequence[RangeFigures]) -> RangeFigures:
    """Return what is known at all of some targets from what is known at each."""
    maxima = [p.maximum for p in parts]
    outcomes = {name: at for part in reversed(parts) for name, at in part.outcomes.items()}
    bases = [p.safe_basis for p in parts]
    known = all(bases)
    return RangeFigures(
        together(maxima) if any(maxima) else None,
        outcomes,
        intersection([p.safe for p in parts]) if known else ("", ""),
        max(bases, key=STRENGTH.index) if known else "",
    )


def with_joint(over: RangeFigures, known: Known, asked: RangeRequest, kernel: str) -> RangeFigures:
    """Return what is known at any target in [0, 1]: what a search over inputs and targets found counts, and nothing is complete."""
    joint = known.at_any_target(asked.inputs.problem.name, kernel, asked.inputs.fmt.name)
    maxima = [m for m in (over.maximum, joint) if m and (asked.inputs.everything or asked.inputs.holds(asked.inputs.ordinal(m.input)))]  # fmt: skip
    top = together(maxima) if maxima else over.maximum
    return replace(over, maximum=replace(top, basis=SAMPLE) if top and top.complete else top)


def named_inputs(known: Known, key: tuple[str, str, str, str], inputs: InputRange) -> list[int]:
    """Return the inputs of a range, by ordinal, that the rows of a key name: those of largest errors and of outcomes."""
    columns = ("max_ulp_input", "usual_max_ulp_input", *OUTCOME_INPUTS.values())
    texts = {row.cells[c] for row in known.rows.get(key, []) for c in columns if row.cells.get(c)}
    return [o for o in map(inputs.ordinal, sorted(texts)) if inputs.holds(o)]


def _of_measurement(m: Measurement, known: Known, asked: RangeRequest) -> RangeFigures:
    """Return what was measured, with the safe range that tables know where they know one."""
    problem, parts = asked.inputs.problem.name, []
    for t, (name, seen) in enumerate(zip(asked.names, m.seen)):
        ulp, at = m.largest(t)
        safe = known.figures(problem, m.kernel.name, asked.inputs.fmt.name, name).safe
        centred = asked.inputs.holds(Grid("quick", asked.inputs.problem, asked.inputs.fmt).centre)
        parts.append(
            RangeFigures(
                Maximum(ulp, at, "", "", m.basis, "") if ulp else None,
                {o: (asked.inputs.text(where), name) for o, where in seen.outcomes.items()},
                (safe.lo, safe.hi) if safe else m.safe(t),
                safe.basis if safe else m.safe_basis if centred else "",
            )
        )
    whole = _over_targets(parts)
    return with_joint(whole, known, asked, m.kernel.name) if asked.soft else whole


# -- calls of libraries --------------------------------------------------------------------------------


def libraries_known(folder: Path, problem: str, fmt: str) -> tuple[Known, list[str]]:
    """Return what the tables of systems say of a problem in a format, and the names of the calls that make sense here.

    Those are the plain calls of libraries that compute in the format that they are given.
    """
    rows: list[TableRow] = []
    for path in (folder / f"{name}.csv" for name in LIBRARY_TABLES):
        if path.is_file():
            rows += rows_from(path.stem, lines.read(path, {problem}, fmt))
    rows = [r for r in rows if r.cells["max_ulp"] and makes_sense(r.cells)]
    return Known(rows), list(dict.fromkeys(r.cells["kernel"] for r in rows))


def makes_sense(cells: Mapping[str, str]) -> bool:
    """Tell whether a row is of a plain call of a library, in the working format, without smoothing of its own."""
    other = any(cells.get(c) not in (None, "", "0") for c in ("upcast", "label_smoothing", "refused", "unavailable"))
    return cells["library"] not in NO_LIBRARIES and cells["mode"] in PLAIN_MODES and not other
