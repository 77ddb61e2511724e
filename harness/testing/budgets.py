"""Budgets: the largest error of each function and format as a sweep found it, which later versions may not exceed.

`harness budget` writes them to a YAML file, each with the input of the largest error in hex and with what it was measured
with.  A test measures again and fails where an error is larger, more outcomes are spurious, or the function is gone, and
says at which input; smaller errors pass.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mpmath import mp

from harness import UsageError
from harness.checking.engine import check
from harness.tables.rows import Row
from harness.testing.assertion import noticed
from harness.testing.control import require_caught
from harness.truth.errors import SPURIOUS
from harness.workflow import files
from harness.workflow.provenance import provenance

HEADER = (
    "# Written by `harness budget`: the largest errors that were measured.  Write it again where a change is meant.\n"
)


@dataclass(frozen=True)
class Budget:
    """Hold what a function may err by in a format for one target: ulp as a decimal, and counts of spurious outcomes."""

    function: str
    problem: str
    format: str
    target: str
    grid: str
    max_ulp: str
    max_ulp_input: str
    spurious: int


def measured(function: str, problem: str, format: str, targets: Sequence[str], grid: str) -> list[Budget]:
    """Measure a function and return its budgets, one for each target."""
    report = check(function, problem, format, targets=targets or None, grid=grid)
    return [_budget(function, row) for row in report.rows]


def _budget(function: str, row: Row) -> Budget:
    return Budget(
        function,
        str(row["problem"]),
        str(row["format"]),
        str(row["target"]),
        str(row["grid"]),
        str(row["max_ulp"]),
        str(row["max_ulp_input"]),
        sum(int(str(row[name])) for name in SPURIOUS),
    )


def write(path: Path, found: Iterable[Budget]) -> None:
    """Write budgets to a file, in place of those of the same function, problem, format and target, with provenance."""
    import yaml

    kept = {_key(b): b for b in (read(path) if path.exists() else [])}
    kept |= {_key(b): b for b in found}
    libraries = {name: _version(name) for name in ("torch", "jax", "tensorflow", "keras", "numpy", "scipy")}
    made = {"harness": provenance(), "libraries": {k: v for k, v in libraries.items() if v}}
    body = {"measured_with": made, "budgets": [asdict(kept[key]) for key in sorted(kept)]}
    files.write_text(path, HEADER + yaml.safe_dump(body, sort_keys=False, width=120))


def _key(budget: Budget) -> tuple[str, str, str, str]:
    return budget.function, budget.problem, budget.format, budget.target


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def read(path: Path) -> list[Budget]:
    """Read budgets; UsageError where the file is missing or is not one that `harness budget` wrote."""
    import yaml

    try:
        body: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [Budget(**entry) for entry in body["budgets"]]
    except FileNotFoundError as e:
        raise UsageError(f"there is no file {path}; `harness budget` writes it") from e
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError) as e:
        raise UsageError(f"{path} is not a file of budgets that `harness budget` wrote") from e


def assert_kept(budget: Budget) -> None:
    """Raise AssertionError where a function now errs by more than its budget says, naming the input."""
    targets = [budget.target] if budget.target else None
    report = check(budget.function, budget.problem, budget.format, targets=targets, grid=budget.grid)
    row = next(r for r in report.rows if str(r["problem"]) == budget.problem)
    now = _budget(budget.function, row)
    if now.spurious > budget.spurious:
        raise AssertionError(
            f"{_named(budget)}: {now.spurious} spurious outcomes, {budget.spurious} allowed. {row['reason']}"
        )
    if _number(now.max_ulp) > _number(budget.max_ulp):
        raise AssertionError(
            f"{_named(budget)}: {now.max_ulp} ulp at {now.max_ulp_input}, {budget.max_ulp} allowed "
            f"(measured then at {budget.max_ulp_input}). {noticed(row)}"
        )
    if budget.max_ulp != "":
        allowed = float(_number(budget.max_ulp))
        require_caught(budget.problem, budget.format, targets, allowed, f"keeps the budget of {_named(budget)}")


def _named(budget: Budget) -> str:
    target = f", target {budget.target}" if budget.target else ""
    return f"{budget.function} as {budget.problem} in {budget.format}{target}"


def _number(text: str) -> mp.mpf:
    return mp.mpf(text) if text else mp.inf
