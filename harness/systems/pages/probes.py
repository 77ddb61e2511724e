"""What systems returned at the probes, the round inputs that pages cite, beside the truth there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mpmath
import numpy as np
from mpmath import mp

from harness import UsageError
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.systems.registry import is_gradient
from harness.tables import writer
from harness.tables.rows import Row
from harness.truth.arb import cited
from harness.truth.fast import evaluate
from harness.workflow import files


@dataclass(frozen=True)
class Returned:
    """Hold what a system returned at the probes in one format at one target: float64 arrays of shape (n,)."""

    row: Row
    x: np.ndarray
    value: np.ndarray
    exact: np.ndarray
    rounded: np.ndarray

    @property
    def fmt(self) -> Format:
        """Return the working format, that of the inputs."""
        return format_named(str(self.row["format"]))

    @property
    def problem(self) -> Problem:
        """Return the exact function that the system is measured against."""
        return problem_named(str(self.row["problem"]))

    @property
    def is_gradient(self) -> bool:
        """Tell whether the system returns a gradient: its problem is another's derivative."""
        return is_gradient(self.problem)

    @property
    def logit(self) -> np.ndarray:
        """Return the size of the inputs' logits; infinite at the probabilities 0 and 1."""
        if self.problem.input != "probability":
            return np.abs(self.x)
        with np.errstate(divide="ignore"):
            return np.abs(np.log(self.x) - np.log1p(-self.x))

    def at(self, x: float) -> float:
        """Return what the system returned at a probe `x`, which must be one of `self.x`."""
        return float(self.value[np.searchsorted(self.x, x)])

    def truth(self, x: float) -> mpmath.mpf:
        """Return the exact value at a probe, in mpmath."""
        point = (mp.mpf(x),) if self.row["target"] == "" else (mp.mpf(x), mp.mpf(float(self.target)))
        return cited(self.problem, point)

    @property
    def target(self) -> np.generic:
        """Return the target at which the truth is taken, in the working format."""
        return self.fmt.parse(str(self.row["target"]))


COLUMNS = ("id", "x", "value")
NEEDED = ("id", "library", "system", "problem", "mode", "format", "target", "version", "exhaustive")  # of the table
HARD = ("", "0", "1")


def told(row: Row) -> bool:
    """Tell whether the pages speak of a row: hard targets, or none, without label smoothing."""
    return str(row["target"]) in HARD and not row["label_smoothing"]


def write(path: Path, parts: Sequence[dict], made_with: dict) -> None:
    """Write what was returned at the probes as PATH.csv, one line for each row of the table (its `id`) and probe.

    Only the rows of which the pages speak are there (see `told`).  Inputs are in the row's format, values in that of
    `upcast` where it is not empty, both by the fewest digits that name them.  PATH.json holds the checksum and
    what they were measured with.
    """
    lines = [
        {"id": row["id"], "x": x, "value": value}
        for part in parts
        for row, probes in zip(part["rows"], part["probes"])
        if told(row)
        for x, value in zip(probes["x"], probes["value"])
    ]
    csv, name = writer.to_csv(lines, COLUMNS), path.with_suffix(".csv")
    described = writer.sidecar(path.name, len(lines), {name.name: files.sha256_of(csv)}, {}, made_with)
    files.write_texts({path.with_suffix(".json"): files.to_json(described), name: csv})


def rows_in(table: Path) -> list[Row]:
    """Read the systems' table: every cell as text, but for `exhaustive`."""
    held = writer.read(table, NEEDED).to_dict("records")
    return [{str(k): {"true": True, "false": False}.get(v, v) for k, v in row.items()} for row in held]


def returned(rows: Sequence[Row], path: Path) -> list[Returned]:
    """Return what the systems returned at the probes, in the order of their rows, without those that returned nothing.

    Raises UsageError where the file holds probes of a row that is not there: the two are then of different runs.
    """
    held = {str(key): group for key, group in writer.read(path, COLUMNS).groupby("id", sort=False)}
    unknown = set(held) - {str(row["id"]) for row in rows}
    if unknown:
        raise UsageError(f"{path} holds probes of rows that the table lacks ({sorted(unknown)[0]}); make both again")
    found = []
    for row in rows:
        if told(row) and row["id"] in held:
            group, fmt = held[str(row["id"])], format_named(str(row["upcast"] or row["format"]))
            x = np.array([float(v) for v in group["x"]])
            x = x.astype(format_named(str(row["format"])).dtype).astype(np.float64)
            value = np.array([float(v) for v in group["value"]]).astype(fmt.dtype).astype(np.float64)
            exact, rounded = _exact(str(row["problem"]), str(row["format"]), str(row["target"]), tuple(x))
            found.append(Returned(row, x, value, exact, rounded))
    return found


@cache
def _exact(problem: str, fmt: str, target: str, x: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return exact values, and the same rounded into the format."""
    f = format_named(fmt)
    inputs = [np.array(x).astype(f.dtype)[None, :]]
    if target:
        inputs.append(np.array([[f.parse(target)]]))
    with np.errstate(all="ignore"):
        exact = evaluate(problem_named(problem), f, *inputs)
        return exact.value[0].astype(np.float64), exact.rounded[0]
