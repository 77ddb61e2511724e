"""Statements of the tables that contradict stronger ones.

What was seen at one input binds every statement about a range that holds it.  So a sample's maximum may not lie above
that over every input; the safe range over every input, and an inner range that is proved, must lie within whatever a
sample or a search allows; an a priori bound, and a function's error that is a premise, must hold for the largest error
known, and the bound be the same in every table; a cure must hold by it; and the atlas, the README and the pages may
claim no more than the strongest table.  `harness verify` looks for each of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from harness.kernels.primitives import MEASURED_AS
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.tables import contract, views, writer
from harness.tables.advice import unheld
from harness.tables.basis import EVERY_INPUT, PROVED, SEARCH
from harness.tables.prose import exceeded
from harness.tables.strongest import Ends, Known, SafeRange, TableRow, intersection, is_contract, outer_bounds

Placed = tuple[str, Mapping[str, str]]  # where a row stands, and the row

HARD = ("", "0", "1")
ROUNDED = Decimal(1 + 1e-8)  # maxima have nine digits: two of one truth may differ in the last
WITHIN = re.compile(r"within ([0-9.e+]+) ulp at every")
OF_TARGET = re.compile(r"y = (0 and 1|0|1): ")
NUMBER = re.compile(r"-?[0-9.]+(?:e[+-]?[0-9]+)?")
SAID = {
    "nan": ("NaN",),
    "inf": ("infinite", "-infinite"),
    "zero": ("0 ",),
    "sign": ("negative, down to", "wrong sign, up to"),
}
PREMISE = re.compile(r"(\w+) <= ([0-9.e+]+) ulp")
README_TABLE = re.compile(r"rows of `results/(tables/\w+)\.md`\):\n\n((?:\|.*\n)+)")


def contradictions(results: Path) -> list[str]:
    """Return every contradiction among the tables of a results folder, the README and the docs beside it, one text each."""
    tables = results / "tables"
    paths = sorted(tables.glob("*.csv"))
    known = Known.of(paths)
    found = [text for rows in known.rows.values() for text in of_one_key(rows)]
    found += [*brackets(known), *premises(known)]
    if (tables / "atlas.csv").is_file():
        found += atlas(tables / "atlas.csv", known)
    bounded = [
        (f"{path.name}:{line}", row)
        for path in paths
        if path.stem.startswith("bounds_")
        for line, row in enumerate(writer.read(path).to_dict("records"), 2)
    ]
    found += [*bounds(bounded, known), *bounds_of_two(bounded), *bounds_beside(bounded, tables)]
    found += [text for path in paths if is_contract(path) for text in cures(path, known)]
    found += systems(tables / "systems.csv", tables / "systems_exhaustive.csv")
    readme = results.parent / "README.md"
    written = [*([readme] if readme.is_file() else []), *sorted((results.parent / "docs").rglob("*.md"))]
    found += [text for page in written for text in exceeded(page, known)]
    return found + (list(quoted(readme, results)) if readme.is_file() else [])


def systems(sampled: Path, swept: Path) -> list[str]:
    """Tell where the systems' sample has a larger error than every input through the same call, in the same version."""
    if not (sampled.is_file() and swept.is_file()):
        return []
    key = ("library", "system", "problem", "mode", "format", "target", "version")
    pairs = (("max_ulp", "max_ulp"), ("near_ulp", "usual_max_ulp"))
    every = {tuple(str(r[c]) for c in key): r for r in writer.read(swept).to_dict("records")}
    found = []
    for line, row in enumerate(writer.read(sampled).to_dict("records"), 2):
        other = every.get(tuple(str(row[c]) for c in key))
        if other is None or row["label_smoothing"]:
            continue
        for mine, theirs in pairs:
            if row[mine] and other[theirs] and Decimal(str(row[mine])) > Decimal(str(other[theirs])) * ROUNDED:
                found.append(
                    f"{swept.name}: {other['kernel']} of target {other['target'] or 'none'} errs by {other[theirs]} ulp at "
                    f"most ({EVERY_INPUT}), {sampled.name}:{line} has {row[mine]}"
                )
    return found


def shortfalls(results: Path) -> list[str]:
    """Return where a search found less than another table has: true as a lower bound (≥), but a search that failed."""
    known = Known.of(sorted((results / "tables").glob("*.csv")))
    fell = [text for rows in known.rows.values() for text in _exceeded(rows, SEARCH)]
    return fell + list(joint(known))


def of_one_key(rows: Sequence[TableRow]) -> Iterator[str]:
    """Tell where rows of one problem, kernel, format and target disagree with every input's: maxima, then safe ranges."""
    yield from _exceeded(rows, EVERY_INPUT)
    for every in (r for r in rows if r.safe_basis == EVERY_INPUT):
        ends = every.cells["safe_lo"], every.cells["safe_hi"]
        for other, outer in ((r, outer) for r in rows for outer in outer_bounds(r)):
            if not inside(ends, outer):
                yield (
                    f"{every.where}: {_named(every)} has the safe range {_range(ends)} over every input,"
                    f" {other.where} allows {_range(outer)} only"
                )


def _exceeded(rows: Sequence[TableRow], basis: str) -> Iterator[str]:
    """Tell where a maximum on this basis is less than another of the same key."""
    measured = [r for r in rows if r.max_basis]
    for strong in (r for r in measured if r.max_basis == basis):
        for other in (r for r in measured if r.max_ulp > strong.max_ulp * ROUNDED):
            yield (
                f"{strong.where}: {_named(strong)} errs by {strong.cells['max_ulp']} ulp at most ({basis}),"
                f" {other.where} has {other.cells['max_ulp']} ({other.max_basis})"
            )


def joint(known: Known) -> Iterator[str]:
    """Tell where a search over inputs and targets together found less than a table has at one target.

    Such a search is told by its targets: it has one row for a problem, kernel and format, at the target that it found.
    """
    searched = [r for rows in known.rows.values() for r in rows if r.cells["grid"] == SEARCH]
    alone: dict[tuple[str, ...], list[TableRow]] = {}
    for r in searched:
        alone.setdefault((r.table, *r.key[:3]), []).append(r)
    of_targets = {table for (table, *_), rows in alone.items() if len(rows) > 1}
    for (table, *key), (row, *more) in alone.items():
        top = known.at_any_target(*key)
        if table in of_targets or more or not row.key[3] or top is None:
            continue
        if Decimal(top.ulp) > row.max_ulp * ROUNDED:
            yield (
                f"{row.where}: {_named(row)} errs by {row.cells['max_ulp']} ulp, the most that a search over"
                f" targets found; {top.table} has {top.ulp}"
            )


def brackets(known: Known) -> Iterator[str]:
    """Tell where an inner range reaches beyond what a table has seen to fail."""
    for key, inner in known.inner.items():
        for row, outer in ((r, outer) for r in known.rows.get(key, ()) for outer in outer_bounds(r)):
            if not inside((inner.lo, inner.hi), outer):
                yield (
                    f"{inner.table}: {_named(row)} is proved within the budget on {_range((inner.lo, inner.hi))},"
                    f" {row.where} allows {_range(outer)} only"
                )


def premises(known: Known) -> Iterator[str]:
    """Tell where a library function errs by more than a premise of a proof says."""
    said = {
        (name, fmt, ulp, bound.table)
        for (_, _, fmt, _), bound in known.inner.items()
        for name, ulp in PREMISE.findall(bound.premises)
    }
    for name, fmt, ulp, table in sorted(said):
        largest = known.figures(*MEASURED_AS[name], fmt).maximum
        if largest and Decimal(largest.ulp) > Decimal(ulp):
            yield f"{table}: {name} in {fmt} errs by {ulp} ulp at most, a premise; {largest.table} has {largest.ulp}"


def inside(ends: Ends, outer: Ends) -> bool:
    """Tell whether a range lies within another; the empty one lies within all."""
    lo, hi = ends
    if not lo:
        return True
    return (
        bool(outer[0]) and float.fromhex(outer[0]) <= float.fromhex(lo) and float.fromhex(hi) <= float.fromhex(outer[1])
    )


def atlas(path: Path, known: Known) -> Iterator[str]:
    """Tell where the atlas claims a wider range, or a smaller error, than the strongest tables allow."""
    for i, row in enumerate(writer.read(path).to_dict("records")):
        key, where = (row["problem"], row["kernel"], row["format"]), f"atlas.csv:{i + 2}: {' '.join(_key(row))}"
        of_key = {k[3]: rows for k, rows in known.rows.items() if k[:3] == key}
        for which, targets in (("hard", [t for t in HARD if t in of_key]), ("all", list(of_key))):
            ends = row[f"safe_lo_{which}"], row[f"safe_hi_{which}"]
            swept = [f.safe for t in targets if (f := known.figures(*key, t)).safe]
            allowed = intersection([(s.lo, s.hi) for s in swept if s]) if swept else ends
            if not inside(ends, allowed):
                yield f"{where} has the safe range {_range(ends)}, the tables allow {_range(allowed)}"
            inner = row.get(f"safe_inner_lo_{which}", ""), row.get(f"safe_inner_hi_{which}", "")
            shown = intersection([_proved(s) for s in swept if s])
            if not inside(inner, shown):
                yield f"{where} is proved on {_range(inner)}, the tables show {_range(shown)}"
        maxima = {t: known.figures(*key, t).maximum for t in of_key}
        top = max((Decimal(m.ulp) for t, m in maxima.items() if m and t in HARD), default=Decimal(0))
        if row["max_ulp_hard"] and Decimal(row["max_ulp_hard"]) * ROUNDED < top:
            yield f"{where} errs by {row['max_ulp_hard']} ulp for hard targets, the tables have {top}"
        yield from (f"{where} {text}" for text in unsaid(row, of_key))
        for target, within in statements(row["failure"]):
            largest = maxima.get(target)
            if largest and Decimal(largest.ulp) > within:
                y = f" for y = {target}" if target else ""
                yield f"{where} says within {within} ulp{y}, {largest.table} has {largest.ulp}"


def unsaid(row: Mapping[str, str], of_key: Mapping[str, Sequence[TableRow]]) -> Iterator[str]:
    """Tell which outcomes that tables located, of hard targets, the atlas's words do not have there or nearer to the centre."""
    fmt, centre = format_named(row["format"]), problem_named(row["problem"]).centre
    said = list(outcomes_said(row["failure"]))
    for target, rows in of_key.items():
        for other, kind in ((r, kind) for r in rows for kind in SAID if target in HARD):
            text = other.cells.get(f"{kind}_input")
            if not text:
                continue
            at = float.fromhex(text)
            named = [
                float(fmt.parse(n))
                for t, k, numbers in said
                for n in numbers
                if (t, k) in ((target, kind), (target, "stuck"))
            ]
            # A printed end has nine digits and is rounded so that the words hold there: outwards.
            nearer = [
                n
                for n in named
                if (n - centre) * (at - centre) >= 0 and abs(n - centre) <= abs(at - centre) + 1e-8 * abs(n)
            ]
            if not nearer:
                yield f"does not say of y = {target or 'none'} that {kind} is at {text}, as {other.where} does"


def outcomes_said(failure: str) -> Iterator[tuple[str, str, list[str]]]:
    """Read out of the atlas's words, but for those on a gradient, each outcome: target, kind, and the inputs it names."""
    for clause in failure.split(". "):
        of = OF_TARGET.match(clause)
        targets = (of[1].split(" and ") if of else [""]) if not clause.startswith(("Gradient", "Soft")) else []
        for phrase in clause[of.end() if of else 0 :].split("; "):
            kind = next((k for k, start in SAID.items() if phrase.startswith(start)), "")
            if kind or phrase.startswith("stuck"):
                where = re.split(r" for | at (?=[xp])| in places ", phrase.split(" (true")[0], maxsplit=1)[-1]
                yield from ((t, kind or "stuck", NUMBER.findall(where)) for t in targets)


def _proved(safe: SafeRange) -> Ends:
    """Return what is known to lie inside a safe range: itself, where it is known, else its inner range."""
    if safe.basis in (PROVED, EVERY_INPUT):
        return safe.lo, safe.hi
    return (safe.inner.lo, safe.inner.hi) if safe.inner else ("", "")


def statements(failure: str) -> Iterator[tuple[str, Decimal]]:
    """Read out of the atlas's words each "within X ulp at every x": the target, empty without one, and X."""
    for clause in failure.split(". "):
        of = OF_TARGET.match(clause)
        targets = (of[1].split(" and ") if of else [""]) if not clause.startswith("Gradient") else []
        for found in WITHIN.findall(clause):
            yield from ((target, Decimal(found)) for target in targets)


def bounds(rows: Sequence[Placed], known: Known) -> Iterator[str]:
    """Tell where an a priori bound that is finite everywhere lies below the largest error known."""
    for where, row in rows:
        if not row["bounded"] or Decimal(row["bounded"]) != 1 or not row["max_bound_ulp"]:
            continue
        largest = known.figures(*_key(row), row["target"]).maximum
        if largest and Decimal(largest.ulp) > Decimal(row["max_bound_ulp"]):
            yield f"{where}: {_bounded(row)}, {largest.table} has {largest.ulp}"


def bounds_of_two(rows: Sequence[Placed]) -> Iterator[str]:
    """Tell where two tables derive other bounds of one kernel in as many cells, from errors of functions known as well."""
    first: dict[tuple[str, ...], tuple[str, str]] = {}
    for where, row in rows:
        of = (*_key(row), *(row[c] for c in ("target", "cells", "bounded", "function_errors")))
        there, bound = first.setdefault(of, (where, row["max_bound_ulp"]))
        if bound != row["max_bound_ulp"]:
            yield f"{where}: {_bounded(row)}, in {there} by {bound}"


def bounds_beside(rows: Sequence[Placed], tables: Path) -> Iterator[str]:
    """Tell where a table of bounds has another largest error than the table that they are the bounds of."""
    measured: dict[str, dict[tuple[str, ...], Mapping[str, str]]] = {}
    for where, row in rows:
        name = where.partition(".")[0].removeprefix("bounds_")
        if name not in measured:
            path = tables / f"{name}.csv"
            there = views.records(writer.read(path)) if path.is_file() else []
            measured[name] = {(*_key(r), r["target"]): r for r in there}
        own = measured[name].get((*_key(row), row["target"]), {})
        for column in ("max_ulp", "max_ulp_input", "exhaustive"):
            if row["cells"] != "0" and column in row and row[column] != own.get(column, row[column]):
                yield f"{where}: {column} is {row[column] or 'empty'}, {name}.csv has {own[column] or 'empty'}"


def _bounded(row: Mapping[str, str]) -> str:
    """Say by how much a row of bounds is bounded."""
    return f"{' '.join(_key(row))}, target {row['target'] or 'none'}, is bounded by {row['max_bound_ulp']} ulp"


def cures(path: Path, known: Known) -> Iterator[str]:
    """Tell which cures of a table do not hold by the strongest that any table knows."""
    frame = writer.read(path)
    if "remedy" in frame:
        yield from (f"{path.name}: {text}" for text in unheld(views.records(frame), known))


def quoted(readme: Path, results: Path) -> Iterator[str]:
    """Tell which rows of a table that the README quotes, naming it, are not what that table shows."""
    for name, lines in README_TABLE.findall(readme.read_text(encoding="utf-8")):
        header, _, *rows = [_cells(line) for line in lines.splitlines()]
        path = results / f"{name}.csv"
        if not path.is_file():
            continue
        shown = contract.readable(writer.read(path))
        missing = [h for h in header if h not in shown.columns]
        if missing:
            yield f"README.md: a table of {path.stem} has the columns {', '.join(missing)}, which that table has not"
            continue
        there = {tuple(line) for line in shown[header].to_numpy()}
        yield from (f"README.md: {path.stem} has no row | {' | '.join(r)} |" for r in rows if tuple(r) not in there)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _key(row: Mapping[str, str]) -> tuple[str, str, str]:
    return row["problem"], row["kernel"], row["format"]


def _named(row: TableRow) -> str:
    return " ".join(row.key[:3]) + (f", target {row.key[3]}," if row.key[3] else "")


def _range(ends: Ends) -> str:
    return f"[{ends[0]}, {ends[1]}]" if ends[0] else "none"
