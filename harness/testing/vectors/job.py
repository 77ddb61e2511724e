"""Make golden vectors from committed tables: a file for each problem and format, and the table of what they kill.

A row is an input and a target in hex, the exact value correctly rounded (hex) and to 25 digits, the ulp of the former,
the condition number, what the row is for, and how many wrong forms fail at it.  Exact values are certified one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from mpmath import mp

from harness import UsageError
from harness.explain.condition import condition
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.tables import writer
from harness.tables.special_points import expected_at
from harness.testing.vectors.choosing import (
    CRITICAL,
    FIRST,
    PLAIN,
    SPECIAL,
    TABLES,
    WORST,
    CandidateInputs,
    WrongForm,
    candidates,
    control,
    cover,
    failing,
    forms,
    run,
    ulps,
)
from harness.truth.certified import decimal, round_to, significant, truth
from harness.workflow import files
from harness.workflow.dependencies import kernel_sources, sources
from harness.workflow.provenance import provenance

PROBLEMS = ("bce_logits", "bce", "bce_logits_grad", "bce_grad", "sigmoid", "softplus", "log_sigmoid", "log1mexp")
FORMATS = ("float16", "bfloat16", "float32", "float64")
COLUMNS = ("input", "target", "rounded", "exact", "ulp", "condition", "purpose", "kills")
KILLS = ("problem", "format", "form", "kind", "wrong", "vectors", "killed_by", "first_input", "first_target")
SHOWN = ("problem", "format", "form", "kind", "wrong", "vectors", "killed_by")
MOST = 1000  # rows of a file
DIGITS = 25
ORDER = (WORST, FIRST, SPECIAL, CRITICAL, PLAIN)
TITLE = "What the golden vectors kill"
NOTE = (
    "Each form that fails somewhere among the candidates, with how many of the vectors of its problem and format it fails at. "
    "`control` passes all of them."
)


@dataclass(frozen=True)
class ProblemVectors:
    """Hold the vectors of a problem in a format: chosen candidates, the control, and which forms fail at which of them."""

    problem: Problem
    fmt: Format
    given: CandidateInputs
    right: str
    killed: tuple[tuple[WrongForm, np.ndarray], ...]

    @property
    def rows(self) -> list[dict[str, str]]:
        """Return the rows of the file, in order of target and input."""
        counts = sum((fails.astype(int) for _, fails in self.killed), np.zeros(len(self.given.x), int))
        return [self._row(i, int(counts[i])) for i in range(len(counts))]

    def _row(self, i: int, kills: int) -> dict[str, str]:
        x = float(self.given.x[i])
        y = None if self.given.y is None else float(self.given.y[i])
        rounded, exact, kappa = answers(self.problem, self.fmt, x, y)
        if not np.array_equal(rounded, self.given.expected[i], equal_nan=True):
            raise AssertionError(
                f"{self.problem.name} {self.fmt.name} at {x!r}, {y!r}: {rounded} and {self.given.expected[i]}"
            )
        unit = ulps(self.fmt, np.array([float(rounded)]))[0]
        cells = self.fmt.hex(x), "" if y is None else self.fmt.hex(y), self.fmt.hex(rounded), exact
        last = self.fmt.hex(unit) if math.isfinite(float(rounded)) else "", kappa, self.given.purposes[i], str(kills)
        return dict(zip(COLUMNS, (*cells, *last), strict=True))

    @property
    def kills(self) -> list[dict[str, str]]:
        """Return the rows of the table of kills."""
        found = []
        head = {"problem": self.problem.name, "format": self.fmt.name, "vectors": str(len(self.given.x))}
        for form, fails in self.killed:
            first = int(fails.argmax()) if fails.any() else None
            y = "" if first is None or self.given.y is None else self.fmt.hex(self.given.y[first])
            at = {"first_input": "" if first is None else self.fmt.hex(self.given.x[first]), "first_target": y}
            row = {"form": form.name, "kind": form.kind, "wrong": form.told, "killed_by": str(int(fails.sum()))}
            found.append({**head, **row, **at})
        right = {
            "form": self.right,
            "kind": "control",
            "wrong": "",
            "killed_by": "0",
            "first_input": "",
            "first_target": "",
        }
        return [{**head, **right}, *found]


def answers(problem: Problem, fmt: Format, x: float, y: float | None) -> tuple[np.generic, str, str]:
    """Return the exact value correctly rounded, to 25 digits, and the condition number to nine; a limit at infinities."""
    if not math.isfinite(x):
        exact, rounded = expected_at(problem, fmt, x, y)
        if exact is None:
            raise UsageError(f"{x} lies outside the domain of {problem.name}")
        return rounded, "nan" if math.isnan(x) else decimal(exact, DIGITS), ""
    values = tuple(v for v in (x, y) if v is not None)
    point = tuple(mp.mpf(v) for v in values)
    kappa = condition(problem, *values)
    return (
        round_to(problem, fmt, point),
        decimal(truth(problem, point), DIGITS),
        "" if kappa != kappa else significant(kappa),
    )


def chosen(problem: Problem, fmt: Format, tables: Path) -> ProblemVectors:
    """Choose the vectors of a problem in a format from the tables of a folder; those of special values are all taken."""
    given = candidates(problem, fmt, tables)
    right = control(problem, fmt, given)
    passed = ~failing(fmt, run(fmt, right, given), given.expected)
    tried = [(form, failing(fmt, run(fmt, form.function, given), given.expected) & passed) for form in forms(problem, fmt, right)]  # fmt: skip
    tried = [(form, fails) for form, fails in tried if fails.any() or form.kind == "planted"]
    rank = [ORDER.index(p.partition(":")[0]) for p in given.purposes]
    order = sorted(np.flatnonzero(passed).tolist(), key=lambda i: rank[i])
    table = np.array([fails for _, fails in tried])
    special = [i for i in order if given.purposes[i] == SPECIAL]
    named = cover(table, [i for i in order if rank[i] < ORDER.index(SPECIAL)], taken=special)
    left = [i for i in order if i not in {*special, *named}]
    picked = {*special, *named, *cover(table, left, taken=[*special, *named])}
    y = given.y if given.y is not None else np.zeros_like(given.x)
    last = sorted(picked, key=lambda i: (float(y[i]), float(given.x[i]) if given.x[i] == given.x[i] else math.inf, i))[
        :MOST
    ]
    at = np.array(last)
    kept = CandidateInputs(given.x[at], None if given.y is None else given.y[at], tuple(given.purposes[i] for i in last), given.expected[at])  # fmt: skip
    return ProblemVectors(problem, fmt, kept, right.name, tuple((form, fails[at]) for form, fails in tried))


# -- files ------------------------------------------------------------------------------------------------


def vectors_job(tables: Path, out: Path, problems: Sequence[str] = PROBLEMS, formats: Sequence[str] = FORMATS) -> None:
    """Write PROBLEM.FORMAT.csv and .parquet of all problems and formats into a folder, and kills.csv, .md, .tex, .json.

    The JSON has the checksums of all files and the provenance.  ModuleNotFoundError without pyarrow, which writes Parquet;
    UsageError where the folder has no table.
    """
    if not any((tables / f"{name}.csv").is_file() for name in TABLES):
        raise UsageError(f"{tables} has none of the tables that vectors are chosen from, such as {TABLES[0]}.csv")
    import pyarrow  # noqa: F401  # pandas writes Parquet by it: better known before than after

    kills: list[Mapping[str, str]] = []
    checksums: dict[str, str] = {}
    counts: dict[str, int] = {}
    for name in problems:
        for fmt in map(format_named, formats):
            found = chosen(problem_named(name), fmt, tables)
            stem = f"{name}.{fmt.name}"
            checksums |= write(out / f"{stem}.csv", found.rows)
            counts[stem] = len(found.rows)
            kills += found.kills
            print(
                f"{stem}: {len(found.rows)} vectors, {sum(int(k['killed_by']) > 0 for k in found.kills)} forms killed",
                flush=True,
            )
    shown = pd.DataFrame(
        [[_shown(row, c) for c in SHOWN] for row in kills], columns=[c.replace("_", " ") for c in SHOWN]
    )
    code = sources(["harness.testing.vectors.job"]) + kernel_sources()
    made = {f"{t}.csv": files.sha256(tables / f"{t}.csv") for t in TABLES if (tables / f"{t}.csv").is_file()}
    extra = {"vectors": counts, "vectors_sha256": checksums, "tables_sha256": made}
    writer.write(out / "kills.csv", kills, KILLS, shown, TITLE, note=NOTE, extra=extra, measured_with=provenance(code))


def _shown(row: Mapping[str, str], column: str) -> str:
    """Return a cell of the table of kills as Markdown has it: what is wrong with a kernel is long, and said elsewhere."""
    return "" if column == "wrong" and row["kind"] != "planted" else row[column].replace("|", "\\|")


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Write vectors as CSV and as Parquet, every cell text but `kills`; return the checksums of both."""
    files.write_text(path, writer.to_csv(rows, COLUMNS))
    frame = pd.DataFrame([[*(row[c] for c in COLUMNS[:-1]), int(row["kills"])] for row in rows], columns=list(COLUMNS))
    parquet = path.with_suffix(".parquet")
    with files.replacing(parquet) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")
    return {p.name: files.sha256(p) for p in (path, parquet)}
