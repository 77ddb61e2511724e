"""The strongest that the tables know of one kernel, format and target, and how it is known.

Several tables measure the same thing: a sampled sweep, a sweep over every input, a search for the worst.  What is
said on pages is said from the strongest of them (see basis.py).  Of a largest error every input's stands; without
it the largest that any sample or search found, a lower bound.  Of a safe range every input's stands; without it the
intersection of all that samples allow, cut before every input at which a table has an error beyond the budget: an
outer bound.  Beside that stands the inner range, proved from premises that the tables of bounds name.  Both are a
bracket; where they meet, the safe range is known, on the basis `proved`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.numbers.formats import Format, format_named
from harness.problems import problem_named
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET
from harness.tables import lines
from harness.tables.basis import EVERY_INPUT, PROVED, SAMPLE, SEARCH, bases
from harness.tables.rows import CONTRACT
from harness.tables.text import downward, short, upward
from harness.truth.errors import SPURIOUS
from harness.workflow import files

if TYPE_CHECKING:  # what a process asks of a few problems it reads without pandas
    import pandas as pd

# Tables of which a row is not told by problem, kernel, format and target alone.
KEYED_FURTHER = frozenset({"system", "probability_format", "k"})

# Columns of the tables of bounds: the inner range, and what it is proved from (see bounds/inner.py).
INNER = ("safe_inner_lo", "safe_inner_hi", "safe_premises")

Key = tuple[str, str, str, str]  # problem, kernel, format and target, as the tables write them
Ends = tuple[str, str]  # of a safe range, hex floats; both empty where it is empty


@dataclass(frozen=True)
class TableRow:
    """Hold one row of a table, its cells as text, with where it stands: the table's name and the line of its CSV."""

    table: str
    line: int
    cells: dict[str, str]

    @property
    def key(self) -> Key:
        """Return what the row is of."""
        c = self.cells
        return c["problem"], c["kernel"], c["format"], c["target"]

    @property
    def max_basis(self) -> str:
        """Return how the largest error is known; empty where there is none."""
        return self.cells["max_basis"]

    @property
    def safe_basis(self) -> str:
        """Return how the safe range is known; empty where nothing was swept."""
        return self.cells["safe_basis"]

    @property
    def max_ulp(self) -> Decimal:
        """Return the largest error in ulp, as the table states it, which may lie beyond float64's range."""
        return Decimal(self.cells["max_ulp"])

    @property
    def where(self) -> str:
        """Return the table and the line."""
        return f"{self.table}.csv:{self.line}"


@dataclass(frozen=True)
class Maximum:
    """State the largest error known: the text of its ulp, its input, the basis, and the table it stands in."""

    ulp: str
    input: str
    computed: str
    exact: str
    basis: str
    table: str

    @property
    def complete(self) -> bool:
        """Tell whether nothing larger can be found: it is proved, or of every input."""
        return self.basis in (PROVED, EVERY_INPUT)

    @property
    def said(self) -> str:
        """Write it as the end of "errs by ... ulp", in three digits: `at most 2.89`, or `≥ 2.73` where more may be found.

        The printed number is rounded away from what would be false.
        """
        return f"at most {upward(self.ulp)}" if self.complete else f"≥ {downward(self.ulp)}"

    @property
    def marked(self) -> str:
        """Write it alone, in three digits, after ≥ where more may be found."""
        return short(self.ulp) if self.complete else f"≥ {downward(self.ulp)}"


@dataclass(frozen=True)
class InnerBound:
    """State the ends (hex) of a range that is proved to lie inside a safe range, the premises, and the table."""

    lo: str
    hi: str
    premises: str
    table: str


@dataclass(frozen=True)
class SafeRange:
    """State a safe range: its ends (hex; both empty where it is empty), the basis, and the tables it was taken from.

    On the basis `every_input` or `proved` it is the safe range itself, on any other an outer bound of it; `inner` is
    what is then proved of it.
    """

    lo: str
    hi: str
    basis: str
    tables: tuple[str, ...]
    inner: InnerBound | None = None


@dataclass(frozen=True)
class Counts:
    """State how many of so many points had which spurious outcome, the basis, and the table."""

    outcomes: dict[str, int]
    points: int
    basis: str
    table: str


@dataclass(frozen=True)
class Figures:
    """Hold the strongest figures of one key; None where no table has one."""

    maximum: Maximum | None
    safe: SafeRange | None
    counts: Counts | None


class Known:
    """Hold the rows of several tables, to be asked for the strongest figures."""

    def __init__(self, rows: Iterable[TableRow], inner: Iterable[tuple[Key, InnerBound]] = ()):
        self.rows: dict[Key, list[TableRow]] = {}
        for row in rows:
            self.rows.setdefault(row.key, []).append(row)
        self.keys_of: dict[tuple[str, str, str], list[Key]] = {}  # by problem, kernel and format
        for key in self.rows:
            self.keys_of.setdefault(key[:3], []).append(key)
        self.inner: dict[Key, InnerBound] = {}
        for key, bound in inner:
            self.inner[key] = wider(self.inner[key], bound) if key in self.inner else bound

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Known:
        """Read tables (CSV), of the contract and of bounds; others, or told by further columns, are passed over."""
        chosen = list(paths)
        return cls((r for path in chosen for r in rows_in(path)), (b for path in chosen for b in inner_in(path)))

    @classmethod
    def of_problems(cls, folder: Path, problems: Collection[str], fmt: str) -> Known:
        """Read what the tables of a folder, which may not be there, say of some problems in a format, without pandas."""
        paths = sorted(folder.glob("*.csv"))
        rows = (r for path in paths if is_contract(path) for r in rows_from(path.stem, lines.read(path, problems, fmt)))
        return cls(rows, (bound for path in paths for bound in inner_in(path, problems)))

    @classmethod
    def beside(cls, paths: Sequence[Path]) -> Known:
        """Read the given tables and every other that stands in their folders."""
        return cls.of([*(p.resolve() for p in paths), *beside(paths)])

    @classmethod
    def with_tables(cls, frames: Mapping[str, pd.DataFrame], folder: Path) -> Known:
        """Hold the tables that are given, by name, and every other that stands in a folder, which may not be there yet."""
        others = [p for p in sorted(folder.glob("*.csv")) if p.stem not in frames]
        given = (row for name, frame in frames.items() if of_contract(frame.columns) for row in rows_of(name, frame))
        return cls([*(row for path in others for row in rows_in(path)), *given])

    @classmethod
    def beyond_samples(cls, folder: Path, but: str = "") -> Known:
        """Read the tables of a folder that are stronger than a sample in every row, one left out.

        They are sweeps over every input and searches, whose figures stand on no other table.
        """
        return cls(row for path in beyond_samples(folder, but) for row in rows_in(path))

    @property
    def tables(self) -> list[str]:
        """Return the names of the tables that have rows here."""
        return sorted({row.table for rows in self.rows.values() for row in rows})

    def largest(
        self, problem: str, kernel: str, formats: Iterable[str], targets: Iterable[str] = ("",), seen: str = ""
    ) -> Maximum:
        """Return the largest error known in any of some formats at any of some targets, as a figure of them all.

        It is complete only where that of each format and target is.  `seen` is what was seen there besides, by a table of
        another kind.  ValueError where neither is anything.
        """
        maxima = [self.figures(problem, kernel, f, t).maximum for f in formats for t in targets]
        if seen and not any(maxima):
            return Maximum(seen, "", "", "", SAMPLE, "")
        found = together(maxima)
        return Maximum(seen, "", "", "", SAMPLE, "") if seen and Decimal(seen) > Decimal(found.ulp) else found

    def largest_at_any_target(self, problem: str, kernel: str, formats: Iterable[str]) -> Maximum:
        """Return the largest error known in any of some formats at whatever target; ValueError where there is none."""
        return together([self.at_any_target(problem, kernel, f) for f in formats])

    def figures(self, problem: str, kernel: str, fmt: str, target: str = "") -> Figures:
        """Return the strongest figures for a problem, kernel, format and target, named as the tables name them."""
        rows = self.rows.get((problem, kernel, fmt, target), [])
        return Figures(_maximum(rows), _safe(rows, self.inner.get((problem, kernel, fmt, target))), _counts(rows))

    def at_any_target(self, problem: str, kernel: str, fmt: str) -> Maximum | None:
        """Return the largest error known at whatever target: a lower bound of that over all targets.

        A search over inputs and targets together enters here, at the target that it found.
        """
        rows = [r for key in self.keys_of.get((problem, kernel, fmt), []) for r in self.rows[key]]
        top = max((r for r in rows if r.max_basis), key=lambda r: r.max_ulp, default=None)
        if top is None:
            return None
        found = _stated(top)
        one_target = problem_named(problem).has_target
        return Maximum(**{**found.__dict__, "basis": SAMPLE}) if one_target and found.basis == EVERY_INPUT else found


def together(maxima: Sequence[Maximum | None]) -> Maximum:
    """Return the largest of some errors as the figure of all; complete only where all are known, and completely.

    ValueError where none is known.
    """
    known = [m for m in maxima if m]
    if not known:
        raise ValueError("no table has a finite error of any of what is asked")
    top = max(known, key=lambda m: Decimal(m.ulp))
    whole = len(known) == len(maxima) and all(m.complete for m in known)
    return replace(top, basis=SAMPLE) if top.complete and not whole else top


def rows_in(path: Path) -> tuple[TableRow, ...]:
    """Return the rows of a contract's table, their bases derived where the file has none; empty for another table."""
    stat = path.stat()
    return _rows_in(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _rows_in(path: Path, changed: int, size: int) -> tuple[TableRow, ...]:
    """Read a table once for each state of its file."""
    return tuple(rows_from(path.stem, lines.read(path))) if is_contract(path) else ()


def rows_of(name: str, frame: pd.DataFrame) -> list[TableRow]:
    """Return the rows of a contract's table as its CSV holds them, their bases derived where it has none."""
    records = frame.to_dict("records")
    return rows_from(name, [(i + 2, {str(k): str(v) for k, v in cells.items()}) for i, cells in enumerate(records)])


def rows_from(name: str, numbered: Iterable[tuple[int, dict[str, str]]]) -> list[TableRow]:
    """Return the rows of a contract's table from the numbers of their lines and their cells."""
    return [TableRow(name, line, {**bases(cells), **cells}) for line, cells in numbered]


def inner_in(path: Path, problems: Collection[str] = ()) -> list[tuple[Key, InnerBound]]:
    """Return the inner ranges that a table of bounds proves, by what they are of, for some problems or for all.

    Empty for another table.
    """
    if not has_inner(path):
        return []
    found = []
    for _, row in lines.read(path, problems):
        lo, hi, premises = (row[c] for c in INNER)
        if lo:
            key = row["problem"], row["kernel"], row["format"], row["target"]
            found.append((key, InnerBound(lo, hi, premises, path.stem)))
    return found


def wider(a: InnerBound, b: InnerBound) -> InnerBound:
    """Return of two inner ranges around one centre the one that holds the other; else both, with both premises."""
    ends = min(a.lo, b.lo, key=float.fromhex), max(a.hi, b.hi, key=float.fromhex)
    alone = next((bound for bound in (a, b) if (bound.lo, bound.hi) == ends), None)
    return alone or InnerBound(*ends, f"{a.premises}; {b.premises}", a.table)


def has_inner(path: Path) -> bool:
    """Tell whether a table has the columns of an inner range."""
    return set(INNER) <= set(header(path))


def is_contract(path: Path) -> bool:
    """Tell whether a table has the contract's columns, and each row is told by the first four of them alone."""
    return of_contract(header(path))


def header(path: Path) -> list[str]:
    """Return what the first line of a file says, divided at commas: a table's columns; of a file that is none, anything."""
    with path.open(encoding="utf-8", errors="replace") as f:
        return f.readline().strip().split(",")


def of_contract(columns: Iterable[str]) -> bool:
    """Tell what `is_contract` does, of a table's columns."""
    names = list(columns)
    return names[: len(CONTRACT)] == list(CONTRACT) and not KEYED_FURTHER & set(names)


def beside(paths: Iterable[Path]) -> list[Path]:
    """Return the tables of the contract and of bounds in the folders of the given ones, these left out, in order."""
    given = {p.resolve() for p in paths}
    others = {p for folder in {p.parent for p in given} for p in folder.glob("*.csv")} - given
    return [p for p in sorted(others) if is_contract(p) or has_inner(p)]


def beyond_samples(folder: Path, but: str = "") -> list[Path]:
    """Return the contract's tables of a folder that have no figure of a sample, in order, one left out unread."""
    return [
        path
        for path in sorted(folder.glob("*.csv"))
        if path.stem != but
        and (rows := rows_in(path))
        and not any(SAMPLE in (row.max_basis, row.safe_basis) for row in rows)
    ]


def checksums_beside(paths: Iterable[Path]) -> dict[str, str]:
    """Return the checksums, by name, of the tables of the contract and of bounds beside the given ones."""
    return checksums(beside(paths))


def checksums(paths: Iterable[Path]) -> dict[str, str]:
    """Return the checksums of tables by name."""
    return {p.name: files.sha256(p) for p in paths}


def _stated(row: TableRow) -> Maximum:
    c = row.cells
    return Maximum(
        c["max_ulp"], c["max_ulp_input"], c["max_ulp_computed"], c["max_ulp_exact"], row.max_basis, row.table
    )


def _maximum(rows: Sequence[TableRow]) -> Maximum | None:
    """Return every input's maximum, else the largest found; of equals the first."""
    measured = [r for r in rows if r.max_basis]
    every = [r for r in measured if r.max_basis not in (SEARCH, SAMPLE)]
    return _stated(max(every or measured, key=lambda r: r.max_ulp)) if measured else None


def _counts(rows: Sequence[TableRow]) -> Counts | None:
    """Return the counts over every input, else over the most points."""
    swept = [r for r in rows if r.safe_basis]
    if not swept:
        return None
    best = max(swept, key=lambda r: (r.safe_basis == EVERY_INPUT, int(r.cells["points"])))
    outcomes = {name: int(best.cells[name]) for name in SPURIOUS}
    return Counts(outcomes, int(best.cells["points"]), best.safe_basis, best.table)


def _safe(rows: Sequence[TableRow], inner: InnerBound | None) -> SafeRange | None:
    """Return every input's safe range, else the intersection of the outer bounds that samples and maxima give.

    Where that is the inner range, both are the safe range.
    """
    swept = [r for r in rows if r.safe_basis]
    every = next((r for r in swept if r.safe_basis not in (SEARCH, SAMPLE)), None)
    if every:
        return SafeRange(every.cells["safe_lo"], every.cells["safe_hi"], every.safe_basis, (every.table,))
    bounds = [(b, r) for r in rows for b in outer_bounds(r)]
    if not bounds:
        return None
    ends = intersection([b for b, _ in bounds])
    used = [r for b, r in bounds if not ends[0] or ends[0] == b[0] or ends[1] == b[1]]
    basis = SEARCH if any(r.cells["grid"] == SEARCH for r in used) else SAMPLE
    if inner and (inner.lo, inner.hi) == ends:
        basis = PROVED
    return SafeRange(*ends, basis, tuple(dict.fromkeys(r.table for r in used)), inner)


def intersection(ends: Sequence[Ends]) -> Ends:
    """Return the intersection of ranges around one centre; empty where one of them is."""
    if any(not lo for lo, _ in ends):
        return "", ""
    lo, hi = max((lo for lo, _ in ends), key=float.fromhex), min((hi for _, hi in ends), key=float.fromhex)
    return (lo, hi) if float.fromhex(lo) <= float.fromhex(hi) else ("", "")


def outer_bounds(row: TableRow) -> list[Ends]:
    """Return the ranges that hold the safe range for certain, by what one row has seen.

    Its own safe range is one; another ends before the input of its largest error, where that exceeds the budget.
    """
    found = [(row.cells["safe_lo"], row.cells["safe_hi"])] if row.safe_basis else []
    if row.max_basis and row.max_ulp > Decimal(BUDGET):
        fmt = format_named(row.cells["format"])
        start, last, centre = _domain(row.cells["problem"], fmt)
        at = int(fmt.ordinal(np.array([fmt.parse(row.cells["max_ulp_input"])]))[0])
        low, high = (at + 1, last) if at < centre else (start, at - 1)
        values = fmt.from_ordinal(np.array([low, high]))
        found.append((fmt.hex(values[0]), fmt.hex(values[1])) if at != centre else ("", ""))
    return found


@cache
def _domain(problem: str, fmt: Format) -> tuple[int, int, int]:
    """Return the ordinals of a domain's ends and of its centre."""
    grid = Grid("standard", problem_named(problem), fmt)
    return grid.start, grid.stop - 1, grid.centre
