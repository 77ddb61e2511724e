"""Two result sets row by row: another machine's, another NumPy's, another commit's.

Rows are matched by their identifiers, table by table.  Where both sets were measured with the same functions (CPU
features, C library, NumPy), every figure is compared as it is.  Where they were not, errors move without that being
news: by up to SPREAD ulp, about the most by which NumPy's own loops differ in a float32 function (docs/method.md:
expm1 errs by 0.813 or by 2.620 ulp), or by a factor of FACTOR where a kernel amplifies them; and counts move with them.
Of tables of other columns (the atlas, bounds, claims, those of studies) every cell is compared as it is; where functions
differ only verdicts are, and which rows there are.  Costs never repeat, and are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mpmath import mp

from harness import UsageError
from harness.tables import writer
from harness.tables.identity import key_of
from harness.tables.rows import CONTRACT
from harness.tables.strongest import header
from harness.tables.text import short
from harness.workflow.provenance import measured_alike

SPREAD, FACTOR = 2.0, 2.0
MADE_WITH = ("machine", "system", "libc", "simd", "numpy")  # of a provenance, what functions depend on
FIGURES = ("max_ulp", "mean_ulp", "usual_max_ulp")
SIZE, COUNTS = ("points", "exhaustive"), ("spurious_nan", "spurious_inf", "spurious_zero", "wrong_sign")
RANGE = ("safe_lo", "safe_hi")
TIMED = "costs"  # a table of timings


@dataclass(frozen=True)
class ResultChange:
    """Hold what two result sets differ in: one line for each table, and one row for each changed figure."""

    lines: list[str]
    changed: pd.DataFrame  # table, id, problem, kernel, format, target, column, before, after

    @property
    def same(self) -> bool:
        """Tell whether no row changed beyond the spread, appeared or went."""
        return self.changed.empty


HEADINGS = ("table", "id", "problem", "kernel", "format", "target", "column", "before", "after")


def difference(before: Path, after: Path, spread: float = SPREAD) -> ResultChange:
    """Compare the tables of two results folders; figures in ulp may differ by `spread` where the functions did.

    Raises UsageError where a folder has no tables, or the two have none in common.
    """
    first, second = _tables(before), _tables(after)
    both = [name for name in first if name in second]
    if not both:
        raise UsageError(f"{before} and {after} have no table in common")
    lines = [f"{name}: only in {before if name in first else after}" for name in sorted({*first} ^ {*second})]
    rows: list[tuple[str, ...]] = []
    for name in both:
        made = measured_alike(*(_provenance(path) for path in (first[name], second[name])))
        found, compared = _compared(name, first[name], second[name], spread if made else 0.0)
        rows += found
        changed = len({row[1] for row in found})
        lines.append(f"{name}: {compared} rows, {changed} changed{f'; made with {made}' if made else ''}")
    return ResultChange(lines, pd.DataFrame(rows, columns=list(HEADINGS)))


def _tables(results: Path) -> dict[str, Path]:
    """Return the tables of a folder whose rows have identifiers, by name."""
    paths = sorted((results / "tables").glob("*.csv"))
    found = {p.stem: p for p in paths if p.stem != TIMED and (key_of(p.stem) or _contract_first(p))}
    if not found:
        raise UsageError(f"{results} has no tables (no {results}/tables/*.csv whose rows have identifiers)")
    return found


def _contract_first(path: Path) -> bool:
    """Tell whether a table begins with the contract's columns."""
    return header(path)[: len(CONTRACT)] == list(CONTRACT)


def _provenance(path: Path) -> dict:
    """Return what a table's functions come from, by its sidecar."""
    said = writer.described(path)["provenance"]
    flat = {**said, **said.get("packages", {})}
    return {name: flat[name] for name in MADE_WITH if name in flat}


def _compared(name: str, first: Path, second: Path, spread: float) -> tuple[list[tuple[str, ...]], int]:
    """Return the changed figures of a table's rows, and how many rows were compared."""
    one, other = (_by_id(path) for path in (first, second))
    found: list[tuple[str, ...]] = []
    compare = cells_changed if key_of(name) else changes
    for key in [*one, *(k for k in other if k not in one)]:
        row = one.get(key) or other[key]
        what = (name, key, *(row.get(column, "") for column in HEADINGS[2:6]))
        if key not in one or key not in other:
            found.append((*what, "row", *(("there", "gone") if key in one else ("not there", "new"))))
            continue
        found += [(*what, *change) for change in compare(one[key], other[key], spread)]
    return found, len({*one, *other})


def _by_id(path: Path) -> dict[str, dict[str, str]]:
    frame = writer.read(path)
    if "id" not in frame.columns:
        raise UsageError(f"{path} has no column id: it was made before rows had one; make it again")
    return {row["id"]: {str(k): v for k, v in row.items()} for row in frame.to_dict("records")}


def changes(one: dict[str, str], other: dict[str, str], spread: float) -> list[tuple[str, str, str]]:
    """Return column, before and after of what differs between two rows; without a spread, of everything measured.

    With one, counts of spurious outcomes are compared by whether there are any, and ranges are not: their ends move by
    as many inputs as the errors near the budget do.
    """
    found = [(c, one[c], other[c]) for c in SIZE if one[c] != other[c]]
    for column in (*COUNTS, *RANGE):
        a, b = one[column], other[column]
        if a != b and (not spread or (column in COUNTS and "0" in (a, b))):
            found.append((column, a, b))
    for column in FIGURES:
        a, b = one.get(column, ""), other.get(column, "")
        if a != b and ("" in (a, b) or _apart(mp.mpf(a), mp.mpf(b), spread)):
            found.append((column, short(a), short(b)) if short(a) != short(b) else (column, a, b))
    return found


def cells_changed(one: dict[str, str], other: dict[str, str], spread: float) -> list[tuple[str, str, str]]:
    """Return column, before and after of the cells that differ between two rows; with a spread, of the verdict alone."""
    columns = ["verdict"] if spread else [*one, *(c for c in other if c not in one)]
    return [(c, one.get(c, ""), other.get(c, "")) for c in columns if one.get(c, "") != other.get(c, "")]


def _apart(a: mp.mpf, b: mp.mpf, spread: float) -> bool:
    """Tell whether two errors differ by more than a spread, none where it is 0."""
    return abs(a - b) > spread and (not spread or max(a, b) > FACTOR * min(a, b))
