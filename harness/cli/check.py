"""What `harness check` and `harness reference` do: one loss measured and judged, one exact value printed.

`check` makes the rows that a table would have and a verdict in words; `reference` needs no kernel, only the truth.
"""

from __future__ import annotations

import json
import math
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

from mpmath import mp
from tabulate import tabulate

from harness import UsageError
from harness.explain.notation import decimal_magnitude
from harness.explain.remedies import MOST_ULP, measured
from harness.numbers.formats import Format, format_named, parse_exact
from harness.problems import problem_named
from harness.sweep import own
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.tables.advice import advised
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import CONTRACT, Row, rows_of
from harness.tables.text import OUTCOME_LABELS, decimal_input, safe, short
from harness.tables.usual import range_text
from harness.truth.arb import confirm_digits
from harness.truth.digits import certified
from harness.truth.errors import SPURIOUS
from harness.workflow.experiments import STANDARD_TARGETS, targets_in
from harness.workflow.progress import Progress

# Seconds after which `harness reference` refuses.
PATIENCE = 8.0


@dataclass(frozen=True)
class Report:
    """Hold the rows of one check and the budget they are judged by."""

    rows: list[Row]
    max_ulp: float

    @property
    def within(self) -> bool:
        """Tell whether every row is within the budget and has no spurious outcome."""
        return not any(over(r, self.max_ulp) for r in self.rows)


def over(row: Row, max_ulp: float) -> bool:
    """Tell whether a row breaks the budget: max_ulp exceeds it or is missing, or an outcome is spurious."""
    worst = mp.mpf(str(row["max_ulp"])) if row["max_ulp"] != "" else mp.inf
    return worst > max_ulp or any(row[name] for name in SPURIOUS)


def check(name: str, problem_name: str, fmt: Format, grid_name: str, targets: Sequence[str], max_ulp: float) -> Report:
    """Sweep one kernel or user function over a grid and judge it by a budget in ulp.

    `name` is a kernel's name, path/to/file.py:function, or module:function; `targets` are decimals or hex floats in
    [0, 1], by default those of the tables.  Raises UsageError for an unknown problem, grid, kernel or function, a
    function that breaks the contract, a target that does not fit, or a budget that is not positive.
    """
    problem = problem_named(problem_name)
    if not max_ulp > 0:
        raise UsageError(f"--max-ulp {max_ulp} is not a positive number of ulps")
    if targets and not problem.has_target:
        raise UsageError(f"{problem.name} has no target; leave out --target")
    Grid(grid_name, problem, fmt)  # an unknown grid is said before anything else
    kernel = own.find(name, problem)
    values = targets_in(fmt, tuple(targets) or STANDARD_TARGETS) if problem.has_target else None
    grid = Grid(grid_name, problem, fmt, values)
    done = sweep(
        problem, [kernel], grid, values, budget=max_ulp, progress=Progress(f"{name} {fmt.name}", grid.size(grid.cells))
    )
    rows = rows_of(problem, kernel, grid, values, done.summaries[kernel.name], max_ulp)
    # Cures are judged by the whole standard grid, whichever grid the kernel itself is checked on.
    every = None if values is None else tuple(float(v) for v in values)
    return Report(advised(rows, max_ulp, lambda _: measured(problem.name, fmt.name, every)), max_ulp)


def to_json(report: Report) -> str:
    """Write the rows as a JSON list of objects with the table's columns; numbers as numbers."""
    return json.dumps([{k: _json(k, v) for k, v in row.items()} for row in report.rows], indent=1)


TEXT = (
    "problem",
    "kernel",
    "format",
    "grid",
    "max_ulp_input",
    "max_ulp_computed",
    "max_ulp_exact",
    "safe_lo",
    "safe_hi",
    *OUTCOME_INPUTS.values(),
    "usual_max_ulp_input",
)


NUMBERS = {*CONTRACT, "usual_max_ulp", "condition"} - {*TEXT}


def _json(column: str, value: object) -> object:
    """Turn a table's text into a JSON value: null for nothing, infinities as text."""
    if value == "":
        return None
    if isinstance(value, (bool, int)) or column not in NUMBERS:
        return value
    number = float(str(value))
    return number if math.isfinite(number) else str(value)


def to_text(report: Report) -> str:
    """Write a table of the rows and, for each that breaks the budget, the verdict with its reason."""
    first = report.rows[0]
    size = "all" if first["exhaustive"] else "a sample of"
    lines = [f"{first['kernel']} as {first['problem']} in {first['format']}, {size} {first['points']} inputs", ""]
    fmt = format_named(str(first["format"]))
    shown = [
        (r["target"], ulps(r["usual_max_ulp"]), r["usual_max_ulp_input"], ulps(r["max_ulp"]), r["max_ulp_input"],
         r["max_ulp_computed"], decimal_magnitude(str(r["max_ulp_exact"]), fmt), ulps(r["mean_ulp"]),
         *(r[name] for name in SPURIOUS), safe(r))
        for r in report.rows
    ]  # fmt: skip
    headings = [
        "target",
        "usual max ulp",
        "at input",
        "max ulp",
        "at input",
        "computed",
        "exact",
        "mean ulp",
        *OUTCOME_LABELS.values(),
        "safe range",
    ]
    table = tabulate(shown, headings, disable_numparse=True)
    return "\n".join([*lines, table, "", *(verdict(r, report.max_ulp) for r in report.rows)])


def ulps(value: object) -> str:
    """Write an error in ulp with three digits; beyond MOST_ULP, which no one can meet, only that it is."""
    return f"> {MOST_ULP:.0e}" if value != "" and mp.mpf(str(value)) > MOST_ULP else short(value)


def verdict(row: Row, max_ulp: float) -> str:
    """Write one row's verdict: the usual range first, then what happens beyond it, then the reason.

    A problem whose inputs are all usual has no range to name.
    """
    where = f"target {row['target']}: " if row["target"] != "" else ""
    said = where + _errors(row, f" (budget {max_ulp:g})")
    if not over(row, max_ulp):
        return f"PASS  {said}."
    return f"FAIL  {'; '.join([said, *_outcomes(row)])}. {row.get('reason', '')}".rstrip()


def _errors(row: Row, budget: str) -> str:
    """Write the largest error of the usual range, then that of all inputs if it is another."""
    known = "the maximum" if row["exhaustive"] else "the largest error found"
    usual = range_text(problem_named(str(row["problem"])))
    if row["max_ulp"] == "":
        return "nothing finite"
    largest = f"{known} is {ulps(row['max_ulp'])} ulp"
    if not usual:
        return f"{largest}{budget}"
    at = decimal_input(str(row["max_ulp_input"]))
    if row["usual_max_ulp"] == "":
        return f"nothing finite for {usual}; beyond, {largest}, at {at}{budget}"
    said = f"for {usual} {known} is {ulps(row['usual_max_ulp'])} ulp"
    if row["max_ulp_input"] == row["usual_max_ulp_input"]:
        elsewhere = "none is larger elsewhere" if row["exhaustive"] else "no larger one was found elsewhere"
        return f"{said}, and {elsewhere}{budget}"
    return f"{said}; over all inputs it is {ulps(row['max_ulp'])} ulp, at {at}{budget}"


def _outcomes(row: Row) -> list[str]:
    """Write how often each spurious outcome occurs, and the input nearest to the centre at which it does."""
    return [
        f"{row[name]} spurious {label}, the nearest at {decimal_input(str(row[OUTCOME_INPUTS[name]]))}"
        for name, label in OUTCOME_LABELS.items()
        if row[name]
    ]


def reference(problem_name: str, inputs: dict[str, str | None], target: str | None, digits: int) -> str:
    """Return the exact value at an input as a decimal, correctly rounded to a number of significant digits.

    `inputs` has the texts given as logit, probability or input; one of them must fit the problem.  Decimals and hex
    floats are taken exactly as written, and Arb confirms the digits where it is installed.  Raises UsageError for an
    input of another kind or outside the domain, for a target that is missing or not asked for, and where the digits
    cannot be decided in about PATIENCE seconds.
    """
    problem = problem_named(problem_name)
    given = {name: text for name, text in inputs.items() if text is not None}
    if list(given) != [problem.input]:
        raise UsageError(f"{problem.name} takes --{problem.input} and nothing else as its input")
    if (target is not None) != problem.has_target:
        need = "needs --target, a number in [0, 1]" if problem.has_target else "has no target; leave out --target"
        raise UsageError(f"{problem.name} {need}")
    with _patience(f"{problem.name} to {digits} digits at this input takes more than {PATIENCE:g} s"):
        point = [_exact(given[problem.input], problem.input, *problem.domain)]
        if target is not None:
            point.append(_exact(target, "target", 0.0, 1.0))
        found = certified(problem, point, digits, PATIENCE / 2)
        confirm_digits(problem, point, found)
        return found


def _exact(text: str, name: str, lo: float, hi: float) -> Fraction:
    value = parse_exact(text)
    if not lo <= value <= hi:
        raise UsageError(f"{name} {text[:40]} is outside [{lo:g}, {hi:g}]")
    return value


@contextmanager
def _patience(sentence: str) -> Iterator[None]:
    """Raise UsageError where the block takes longer than PATIENCE; only in a main thread, where signals arrive."""

    def stop(*_: object) -> None:
        raise UsageError(sentence)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
