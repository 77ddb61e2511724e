"""How a row is cited: what it says, how it was measured, a BibTeX entry, and the command that measures it again.

A row is found by its identifier (see identity.py) in the tables of a results folder; its sidecar says what it was
measured with.  The date is that of CITATION.cff, in the folder above the results or the working folder.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness import UsageError, __version__
from harness.kernels import kernels_of
from harness.problems import PROBLEMS
from harness.sweep.grid import GRIDS
from harness.tables import writer
from harness.tables.basis import SEARCH
from harness.tables.identity import IDENTITY, key_of
from harness.tables.text import decimal_input, largest, safe
from harness.workflow import files

# Where the same measurement stands in several tables, the first of these is cited; then the others by name.
MAIN_TABLES = ("logits", "probabilities", "gradients", "primitives")
OWN_TARGET = ("systems_exhaustive", "special_values")  # tables that the workflow makes by their names
MADE_BY = {
    "costs": ["python", "benchmarks/costs.py"],
    "realistic_logits": ["snakemake", "--forceall", "training"],
}
FEWEST = 4  # digits of an identifier, by which it may be found where no other row begins with them


@dataclass(frozen=True)
class Citation:
    """Hold a row of a table with its cells as text, the table's name, its sidecar and the day of the release."""

    row: dict[str, str]
    table: str
    described: dict[str, Any]
    released: dict[str, str]

    @property
    def names(self) -> list[str]:
        """Return the cells that name the row in its table; none in a table of the contract."""
        return [self.row[column] for column in key_of(self.table)]


def found(results: Path, identifier: str) -> Citation:
    """Return the row that an identifier, or its first digits, names; UsageError where none or several do."""
    wanted = identifier.strip().lower()
    if len(wanted) < FEWEST or not set(wanted) <= set("0123456789abcdef"):
        raise UsageError(
            f"{identifier!r} is no row's id: hex digits, {FEWEST} at least, as the tables' column id has them"
        )
    paths = sorted((results / "tables").glob("*.csv"), key=_order)
    if not paths:
        raise UsageError(f"{results} has no tables (no {results}/tables/*.csv); run `make results` first")
    matches: dict[str, Citation] = {}
    for path in paths:
        if wanted in files.read_text(path, "a table"):
            for row in _rows(path, wanted):
                matches.setdefault(row["id"], Citation(row, path.stem, _described(path), _released(results)))
    if len(matches) != 1:
        several = f"begins the ids of {len(matches)} rows; write all of one" if matches else "is no row's id"
        raise UsageError(f"{identifier!r} {several} in {results}/tables")
    return next(iter(matches.values()))


def _order(path: Path) -> tuple[int, str]:
    return (MAIN_TABLES.index(path.stem) if path.stem in MAIN_TABLES else len(MAIN_TABLES), path.stem)


def _rows(path: Path, wanted: str) -> list[dict[str, str]]:
    frame = writer.read(path)
    if "id" not in frame.columns or not (set(IDENTITY) <= set(frame.columns) or key_of(path.stem)):
        return []  # of a part of a row, as the systems' probes
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records") if row["id"].startswith(wanted)]


def _described(path: Path) -> dict[str, Any]:
    return writer.described(path)


def _released(results: Path) -> dict[str, str]:
    """Return what CITATION.cff says of the release: version, date, title, url; of what it does not say, nothing."""
    for folder in (results.resolve().parent, Path()):
        if (folder / "CITATION.cff").is_file():
            said = yaml.safe_load((folder / "CITATION.cff").read_text(encoding="utf-8"))
            keys = {"version": "version", "date-released": "date", "title": "title", "repository-code": "url"}
            return {name: str(said[key]) for key, name in keys.items() if key in said}
    return {"version": __version__}


def text(cited: Citation) -> str:
    """Return all that `harness cite` prints: the row, how it was measured, a line to paste, BibTeX and the command."""
    row = cited.row
    width = max(map(len, row))
    cells = [f"  {name:<{width}} {value}" for name, value in row.items() if value != ""]
    return "\n".join(
        [
            f"Row {row['id']} of results/tables/{cited.table}.csv",
            *cells,
            "",
            "To paste below a table:",
            f"  {note(cited)}",
            "",
            bibtex(cited),
            "",
            "Measured again by:",
            f"  {command(cited)}",
        ]
    )


def measured(row: Mapping[str, str]) -> str:
    """Return what a row of the contract measured, as a text names it: a kernel, or a call with its library and how it ran."""
    mode = row.get("mode", "").replace("_", " ")
    return f"{row['system']} ({row['library']}, {mode})" if row.get("system") else row["kernel"]


def named(cited: Citation) -> str:
    """Return what a row is of, in its table: the cells that name it."""
    row = cited.row
    if not cited.names:
        return f"{row['problem']}, {measured(row)}, {row['format']}"
    return ", ".join([cited.table.replace("_", " "), *filter(None, cited.names)])


def note(cited: Citation) -> str:
    """Return the sentence that stands below a table with this figure: format, grid, points, basis, versions."""
    row = cited.row
    if cited.names:
        return f"{named(cited)}; {measured_with(cited)}; row {row['id']}."
    target = f", target {row['target']}" if row["target"] else ""
    inputs = "every input" if row["exhaustive"] == "true" else f"a sample ({row['grid']} grid)"
    inputs = "found by search" if row["grid"] == SEARCH else inputs
    problem = PROBLEMS.get(row["problem"].partition("@")[0])  # functions of several inputs are in no such list
    figure, variable = largest(row), problem.variable if problem else "x"
    error = (
        f"max error {figure} ulp at {variable} = {decimal_input(row['max_ulp_input'])}" if figure else "nothing finite"
    )
    ranged = f"; within 4 ulp on {safe(row)}" if row["safe_lo"] else ""
    return (
        f"{row['problem']} by {measured(row)} in {row['format']}{target}: {error}{ranged}; {row['points']} points, "
        f"{inputs}; {measured_with(cited)}; row {row['id']}."
    )


def measured_with(cited: Citation) -> str:
    """Return what a figure depends on besides its input: versions, C library and CPU features."""
    row = cited.row
    system = [row["version"].replace("==", " ")] if row.get("version") else []
    return ", ".join([*system, versions(cited.described.get("provenance", {}), cited.released["version"])])


def versions(made: Mapping[str, Any], harness: str = __version__) -> str:
    """Return the versions, C library and CPU features of a sidecar's provenance, the harness's own if it has none."""
    packages = made.get("packages", {})
    named = [f"{name} {packages[name]}" for name in ("numpy", "mpmath") if packages.get(name)]
    simd = made.get("simd") or []
    own = [f"xent-harness {made.get('version', harness)}"]
    return ", ".join([*own, *named, *filter(None, [made.get("libc", "")]), *(simd and [" ".join(simd)])])


def bibtex(cited: Citation) -> str:
    """Return a BibTeX entry, @dataset, for the row; braces keep its names as they are."""
    row, release = cited.row, cited.released
    made = cited.described.get("provenance", {})
    fields = {
        "title": f"{{{{Row {row['id']}: {named(cited)}}}}}",
        "author": "{{The harness authors}}",
        "publisher": "{xent-harness}",
        "version": f"{{{release['version']}}}",
        "year": f"{{{release.get('date', '')[:4]}}}",
        "date": f"{{{release.get('date', '')}}}",
        "url": f"{{{release.get('url', 'the address from which you have the table')}}}",
        "note": f"{{results/tables/{cited.table}.csv, row {row['id']}; sources {made.get('sources', 'unknown')[:12]}}}",
    }
    lines = [f"  {name:<9} = {_escaped(value)}," for name, value in fields.items() if value not in ("{}", "")]
    return "\n".join([f"@dataset{{xent-harness:{row['id']},", *lines, "}"])


def _escaped(text: str) -> str:
    """Escape what BibTeX and LaTeX would read as a command."""
    return text.replace("\\", r"\textbackslash ").replace("_", r"\_").replace("%", r"\%").replace("&", r"\&")


def command(cited: Citation) -> str:
    """Return the command that measures the row again."""
    row, workflow = cited.row, ["snakemake", "--forceall", _target(cited.table)]
    if cited.names:
        return shlex.join(MADE_BY.get(cited.table, workflow))
    kernels = {k.name for k in kernels_of(row["problem"])} if row["problem"] else set()
    if row["grid"] in GRIDS and row["kernel"] in kernels:
        words = ["harness", "check", row["kernel"], "--problem", row["problem"], "--format", row["format"]]
        words += ["--grid", row["grid"], *(["--target", row["target"]] if row["target"] else []), "--json"]
        return shlex.join(words)
    return shlex.join(workflow)


def _target(table: str) -> str:
    """Return the workflow's name of what makes a table: its own, or that of the study whose name it begins with."""
    return table if table in OWN_TARGET or table.startswith(("worst_", "bounds_")) else table.split("_")[0]
