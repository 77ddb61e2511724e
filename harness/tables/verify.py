"""What `harness verify` does: does a results folder still say what is true?

For every table it compares the checksums of its files; for every row of a kernel it computes the largest errors once
more, the kernel at that input and the truth in mpmath, and looks at both sides of each end of the safe range.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import UsageError
from harness.kernels import kernel_named, kernels_of
from harness.numbers.formats import Format, format_named
from harness.problems import problem_named
from harness.sweep.case import Case
from harness.sweep.grid import GRIDS, Grid
from harness.sweep.streaming import BUDGET
from harness.tables import writer
from harness.tables.rows import CONTRACT, certified_extreme, difference
from harness.truth.certified import significant
from harness.workflow import files
from harness.workflow.provenance import functions_differ


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


def verify(results: Path) -> Verification:
    """Check every table of a results folder; UsageError where there is none."""
    sidecars = sorted((results / "tables").glob("*.json"))
    if not sidecars:
        raise UsageError(f"{results} has no tables (no {results}/tables/*.json); run `make results` first")
    lines: list[str] = []
    wrong: list[str] = []
    for sidecar in sidecars:
        line, found = _table(sidecar)
        lines.append(line)
        wrong += found
    return Verification(lines, wrong)


def _table(sidecar: Path) -> tuple[str, list[str]]:
    """Return a line on one table, and what is wrong with it."""
    try:
        described = files.read_json(sidecar, "a table's sidecar")
        checksums, expected = described["sha256"], described["rows"]
    except UsageError as e:
        return f"{sidecar.stem}: unreadable", [str(e)]
    except (KeyError, TypeError) as e:
        return f"{sidecar.stem}: unreadable", [f"{sidecar} is not a table's sidecar (no {e})"]
    wrong = []
    for name, digest in checksums.items():
        path = sidecar.parent / name
        if not path.is_file():
            wrong.append(f"{path} is missing")
        elif files.sha256(path) != digest:
            wrong.append(f"{path} does not match its checksum in {sidecar.name}")
    path = sidecar.with_suffix(".csv")
    if not path.is_file():
        return f"{sidecar.stem}: no CSV", wrong
    frame = writer.read(path)
    if len(frame) != expected:
        wrong.append(f"{path} has {len(frame)} rows, {sidecar.name} says {expected}")
    if list(frame.columns[: len(CONTRACT)]) != list(CONTRACT):
        return f"{sidecar.stem}: {len(frame)} rows, checksums", wrong
    again, changed = 0, []
    for index, row in frame.iterrows():
        case = _case(row)
        again += case is not None
        changed += [f"{path}:{int(str(index)) + 2}: {text}" for text in _row(row, case)]
    line = f"{sidecar.stem}: {len(frame)} rows, {again} with the kernel run again"
    other = functions_differ(described.get("provenance", {})) if changed else ""
    return line + (f"; {other}" if other else ""), wrong + changed


def _case(row) -> Case | None:  # type: ignore[no-untyped-def]
    """Return the row's kernel with its grid; None for a system, which is not run here."""
    if row["problem"] and row["kernel"] in {k.name for k in kernels_of(row["problem"])}:
        problem, fmt = problem_named(row["problem"]), format_named(row["format"])
        kernel = kernel_named(problem.name, row["kernel"])
        target = fmt.parse(row["target"]) if row["target"] else None
        grid = row["grid"] if row["grid"] in GRIDS else "standard"  # a search visits no grid
        return Case(problem, kernel.name, kernel, Grid(grid, problem, fmt), target)
    return None


def _row(row, case: Case | None) -> list[str]:  # type: ignore[no-untyped-def]
    """Return what a row says otherwise than the kernel and the truth do now."""
    if case is None or not row["max_ulp_input"]:
        return []
    fmt = case.fmt
    at = _ordinal(fmt, row["max_ulp_input"])
    found = certified_extreme(case, at)
    if row["grid"] in GRIDS:
        found["max_rel"] = significant(difference(case, _ordinal(fmt, row["max_rel_input"]), relative=True))
        found["max_abs"] = significant(difference(case, _ordinal(fmt, row["max_abs_input"]), relative=False))
    wrong = [f"{name} is {row[name]}, now {value}" for name, value in found.items() if row[name] != value]
    return wrong + (_safe_range(row, case) if row["grid"] in GRIDS else [])


def _safe_range(row, case: Case) -> list[str]:  # type: ignore[no-untyped-def]
    """Check that each end is good and that what lies beyond it is not."""
    if not row["safe_lo"]:
        bad = case.bad(np.array([case.grid.centre - 1, case.grid.centre]), BUDGET)
        return [] if bad.any() else ["safe range is empty although the centre is good"]
    lo, hi = (_ordinal(case.fmt, row[c]) for c in ("safe_lo", "safe_hi"))
    wrong = []
    for name, end, beyond in (("safe_lo", lo, lo - 1), ("safe_hi", hi, hi + 1)):
        if case.bad(np.array([end]), BUDGET)[0]:
            wrong.append(f"{name} {row[name]} is not within the budget")
        if case.grid.start <= beyond < case.grid.stop and not case.bad(np.array([beyond]), BUDGET)[0]:
            wrong.append(f"the input beyond {name} {row[name]} is within the budget")
    return wrong


def _ordinal(fmt: Format, text: str) -> int:
    return int(fmt.ordinal(np.array([fmt.parse(text)]))[0])
