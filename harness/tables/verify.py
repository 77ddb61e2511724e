"""What `harness verify` does: does a results folder still say what is true?

For every table it compares the checksums of its files; for every row of a kernel it computes the largest errors once
more, the kernel at that input and the truth in mpmath, and looks at both sides of each end of the safe range.  What no
single input shows, counts, means and shares, is held against the sums of the row's cells, of which some are swept again
(sums.py), and so are some whole rows, all on request (resweep.py).  The atlas and the special values are made again
(remade.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness import UsageError
from harness.kernels import kernel_named, kernels_of
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.sweep.case import Case
from harness.sweep.grid import GRIDS, Grid
from harness.sweep.own import one_line
from harness.sweep.streaming import BUDGET
from harness.tables import remade, resweep, singles, views, writer
from harness.tables.consistency import inconsistencies
from harness.tables.contradictions import contradictions, shortfalls
from harness.tables.rows import CONTRACT, certified_extreme, difference
from harness.tables.singles import ordinal_of
from harness.tables.strongest import Known
from harness.tables.sums import LARGE, unlike
from harness.tables.writer import SUMS
from harness.truth.certified import significant
from harness.truth.errors import OUTCOMES
from harness.workflow import files
from harness.workflow.provenance import functions_differ

CHUNK = 100  # rows that a process checks before it takes others
# What is raised over a cell that is no number, no input, or names nothing that there is.
UNREADABLE = (ValueError, ArithmeticError, LookupError, UsageError)

Record = Mapping[str, str]  # a row as its table has it, cell by cell
Texts = list[str]


@dataclass(frozen=True)
class Verification:
    """Hold the outcome: a line for each table, and each disagreement."""

    lines: list[str]
    wrong: list[str]

    @property
    def ok(self) -> bool:
        """Tell whether nothing disagreed, in any file or row."""
        return not self.wrong

    @property
    def text(self) -> str:
        """Return what the user reads: a line for each table, up to 50 disagreements, and how many there are."""
        shown = self.wrong[:50] + ([f"and {len(self.wrong) - 50} more"] if len(self.wrong) > 50 else [])
        return "\n".join([*self.lines, *shown, "verified" if self.ok else f"{len(self.wrong)} disagreements"])

    def and_of(self, lines: Sequence[str], wrong: Sequence[str]) -> Verification:
        """Return this outcome with the lines and disagreements of a further check."""
        return Verification([*self.lines, *lines], [*self.wrong, *wrong])


def verify(results: Path, *, deep: bool = False, exhaustive: bool = False) -> Verification:
    """Check every table of a results folder; UsageError where there is none.

    Checksums come first: a table whose files are not what its sidecar says is not read.  Then every row's extremes and
    ends are computed again, and some rows are swept again and compared cell by cell, all with `deep`; those over every
    float32 input, which take hours, only with `exhaustive` as well.
    """
    sidecars = sorted((results / "tables").glob("*.json"))
    if not sidecars:
        raise UsageError(f"{results} has no tables (no {results}/tables/*.json); run `make results` first")
    tables = [_files(sidecar) for sidecar in sidecars]
    for table in tables:
        if not table.wrong:
            _read(table)
    whole = not any(t.wrong for t in tables)  # damaged tables cannot be compared
    compared = _rows([t for t in tables if not t.wrong], [contradictions, shortfalls] if whole else [], results)
    _sweeps([t for t in tables if t.frame is not None and resweep.swept(t.frame)], deep, exhaustive)
    for table in tables:
        other = functions_differ(table.described.get("provenance", {})) if table.changed else ""
        table.line += f"; {other}" if other else ""
    lines = [t.line for t in tables]
    wrong = [text for t in tables for text in (*t.wrong, *t.disagreements)]
    if whole:
        contradicted, short = compared
        wrong += contradicted
        lines += [f"a search fell short: {text}" for text in short]
    return Verification(lines, wrong)


@dataclass
class TableCheck:
    """Hold what is found of one table: a line to print, faults of its files, and false statements by line of the CSV."""

    path: Path  # the CSV
    line: str
    described: dict = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    changed: list[tuple[int, str]] = field(default_factory=list)
    frame: pd.DataFrame | None = None  # the rows, where they are of the contract
    again: int = 0  # rows with the kernel run again

    @property
    def sums(self) -> list[str]:
        """Return what counts and means are made of, a text for each row; none of a table that has it of no row."""
        return self.described.get(SUMS, [])

    @property
    def disagreements(self) -> list[str]:
        """Return the false statements as sentences, in the order of the lines, each once."""
        return list(dict.fromkeys(f"{self.path}:{line}: {text}" for line, text in sorted(self.changed)))


def _files(sidecar: Path) -> TableCheck:
    """Compare a table's files with the checksums of its sidecar."""
    found = TableCheck(sidecar.with_suffix(".csv"), f"{sidecar.stem}: unreadable")
    try:
        found.described = writer.described(sidecar)
    except UsageError as e:
        found.wrong = [str(e)]
        return found
    checksums = found.described["sha256"]
    for name in dict.fromkeys([*checksums, found.path.name]):
        path = sidecar.parent / name
        if not path.is_file():
            found.wrong.append(f"{path} is missing")
        elif name not in checksums:
            found.wrong.append(f"{path} has no checksum in {sidecar.name}")
        elif files.sha256(path) != checksums[name]:
            found.wrong.append(f"{path} does not match its checksum in {sidecar.name}")
    found.line = f"{sidecar.stem}: not read, its files are not those of {sidecar.name}"
    return found


def _read(table: TableCheck) -> None:
    """Read a table's rows, and keep them where they are of the contract; others are only compared with themselves."""
    frame, expected = writer.read(table.path), table.described.get("rows")
    if len(frame) != expected:
        table.wrong.append(f"{table.path} has {len(frame)} rows, {table.path.stem}.json says {expected}")
    table.line = f"{table.path.stem}: {len(frame)} rows"
    if list(frame.columns[: len(CONTRACT)]) == list(CONTRACT):
        table.wrong += [f"{table.path}:{text}" for text in uncounted(frame)]
        if table.wrong:
            return
        table.frame = frame
        if table.sums and len(table.sums) != len(frame):
            table.wrong.append(
                f"{table.path.stem}.json has the sums of {len(table.sums)} rows, and there are {len(frame)}"
            )
            table.described.pop(SUMS)
        told = zip(views.records(frame), table.sums) if table.sums else ()
        try:
            table.changed += [(i + 2, text) for i, (row, sums) in enumerate(told) for text in unlike(row, sums)]
        except UNREADABLE as e:
            table.wrong.append(f"{table.path.stem}.json has sums that are no numbers: {one_line(e)}")
    else:
        table.line += ", checksums"
        table.changed += [(i + 2, text) for i, row in enumerate(views.records(frame)) for text in inconsistencies(row)]


def _rows(tables: Sequence[TableCheck], beside: Sequence[Callable[[Path], Texts]], results: Path) -> list[Texts]:
    """Compare every row with the kernel and the truth at the inputs that it names, and return what checks beside find.

    Tables that are made again as a whole are compared with that.
    """
    calls: list[partial] = [partial(check, results) for check in beside]
    owners = []
    for table in tables:
        if beside and table.path.stem in remade.TABLES:
            calls.append(partial(remade.unlike, table.path))
            owners.append(table)
            table.line += f", {remade.SAID.get(table.path.stem, 'made again')}"
        if table.frame is None:
            continue
        records = table.frame.to_dict("records")
        explained = {int(i) + 2 for i in resweep.explained(table.frame)}
        for first in range(0, len(records), CHUNK):
            calls.append(partial(check_rows, records[first : first + CHUNK], first + 2, explained))
            owners.append(table)
    found = list(resweep.on_all_cores([partial(_read_in, call) for call in calls]))
    for table, of_table in zip(owners, found[len(beside) :], strict=True):
        again, changed = (0, [(1, of_table)]) if isinstance(of_table, str) else of_table
        table.again += again
        table.changed += changed
    for table in tables:
        table.line += f", {table.again} with the kernel run again" if table.frame is not None else ""
    return [[texts] if isinstance(texts, str) else texts for texts in found[: len(beside)]]


def _read_in(call: Callable[[], Any]) -> Any:
    """Return what a check finds; a sentence where a cell is not what its column holds."""
    try:
        return call()
    except UNREADABLE as e:
        return f"a cell is not what its column holds, and the tables cannot be compared: {one_line(e)}"


def check_rows(records: Sequence[Record], line: int, explained: Set[int]) -> tuple[int, list[tuple[int, str]]]:
    """Check rows of a table of which the first is in the given line; return of how many the kernel ran, and what is wrong.

    `explained` has the lines of which the causes are explained again.
    """
    again, wrong = 0, []
    for number, record in enumerate(records, line):
        case = _case(record)
        again += case is not None
        try:
            wrong += [(number, text) for text in _row(record, case, number in explained)]
        except UNREADABLE as e:
            wrong.append((number, f"a cell is not what its column holds: {one_line(e)}"))
    return again, wrong


def uncounted(frame: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of a table in which a count is no whole number, with a sentence."""
    for name in ("points", *OUTCOMES):
        odd = frame.index[~frame[name].str.fullmatch(r"\d*")] if name in frame else ()
        yield from (f"{i + 2}: {name} is {frame.loc[i, name]}, no whole number" for i in odd)


def _sweeps(tables: list[TableCheck], deep: bool, exhaustive: bool) -> None:
    """Sweep rows of the tables again, on all cores at once, and note where they differ."""
    owned = [
        (t, task)
        for t in tables
        for task in resweep.tasks(
            t.frame, t.sums, Known.beyond_samples(t.path.parent, t.path.stem), deep=deep, exhaustive=exhaustive
        )
    ]
    found = [(t, task, f) for (t, task), f in zip(owned, resweep.run([task for _, task in owned]))]
    for table in tables:
        mine = [(task, f) for t, task, f in found if t is table]
        table.changed += [wrong for _, f in mine for wrong in f.wrong]
        parts: dict[tuple[str, str, str], list] = {}
        for task, f in mine:
            if isinstance(task.cells, int):
                parts.setdefault((task.problem, task.fmt, task.grid), []).append((task, f))
        for together in parts.values():
            table.changed += resweep.whole(together[0][0], [f for _, f in together])
        rows = {line for task, _ in mine if task.cells != "some" for line in task.lines.values()}
        table.line += f", {len(rows)} swept again" if rows else ""
        sampled = [(task, f) for task, f in mine if task.cells == "some"]
        table.line += f", {sum(len(task.lines) for task, _ in sampled)} in some cells" if sampled else ""
        large = [(task, f) for task, f in sampled if _size(task) > LARGE]
        if large:
            hours = sum(f.seconds * _size(task) / f.points for task, f in large) / 3600
            table.line += f" (all cells: --deep --exhaustive, about {hours:.1f} h divided by the cores)"


def _size(task: resweep.Task) -> int:
    """Return the number of inputs of a task's rows."""
    grid = Grid(task.grid, problem_named(task.problem), format_named(task.fmt))
    return grid.size(grid.cells)


def _case(row: Record) -> Case | None:
    """Return the row's kernel with its grid; None for a system, which is not run here."""
    if row["problem"] and row["kernel"] in {k.name for k in kernels_of(row["problem"])}:
        problem, fmt = problem_named(row["problem"]), format_named(row["format"])
        kernel = kernel_named(problem.name, row["kernel"])
        target = fmt.parse(row["target"]) if row["target"] else None
        grid = row["grid"] if row["grid"] in GRIDS else "standard"  # a search visits no grid
        return Case(problem, kernel.name, kernel, Grid(grid, problem, fmt), target)
    return None


def _row(row: Record, case: Case | None, explained: bool) -> list[str]:
    """Return what a row says otherwise than the kernel and the truth do now."""
    unlike = inconsistencies(row) + ([] if case is None else singles.unlike(row, case, explained))
    if case is None or not row["max_ulp_input"]:
        return unlike
    at = ordinal_of(case, row["max_ulp_input"])
    found = certified_extreme(case, at)
    if row["grid"] in GRIDS:
        found["max_rel"] = significant(difference(case, ordinal_of(case, row["max_rel_input"]), relative=True))
        found["max_abs"] = significant(difference(case, ordinal_of(case, row["max_abs_input"]), relative=False))
    wrong = unlike + [f"{name} is {row[name]}, now {value}" for name, value in found.items() if row[name] != value]
    return wrong + (_safe_range(row, case) if row["grid"] in GRIDS else [])


def _safe_range(row: Record, case: Case) -> list[str]:
    """Check that each end is good and that what lies beyond it is not."""
    if not row["safe_lo"]:
        bad = case.bad(np.array([case.grid.centre - 1, case.grid.centre]), BUDGET)
        return [] if bad.any() else ["safe range is empty although the centre is good"]
    lo, hi = (ordinal_of(case, row[c]) for c in ("safe_lo", "safe_hi"))
    wrong = []
    for name, end, beyond in (("safe_lo", lo, lo - 1), ("safe_hi", hi, hi + 1)):
        ends = np.array([end, min(max(beyond, case.grid.start), case.grid.stop - 1)])
        bad = case.bad(ends, BUDGET) | case.capped(ends)
        if bad[0]:
            wrong.append(f"{name} {row[name]} is not within the budget")
        if ends[1] == beyond and not bad[1]:
            wrong.append(f"the input beyond {name} {row[name]} is within the budget")
    return wrong
