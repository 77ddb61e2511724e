"""Judge the rows of a check by a budget, in words: what people meet first, then what lies beyond, then the reason."""

from __future__ import annotations

from collections.abc import Sequence

from mpmath import mp
from tabulate import tabulate

from harness.explain.notation import decimal_magnitude
from harness.explain.remedies import MOST_ULP
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import Row
from harness.tables.text import OUTCOME_LABELS, decimal_input, safe, short
from harness.tables.usual import range_text
from harness.truth.errors import SPURIOUS

OTHER = "another function"  # the cause of a row whose function is not the problem
FLUSH = "flush"  # the cause of a row that flushed subnormal numbers alone put over the budget
ROWS = "rows"  # the grid of functions of K classes, whose input is a row of logits
MOST_CHARACTERS = 40  # of a row that is shown


def over(row: Row, max_ulp: float) -> bool:
    """Tell whether a row breaks the budget: max_ulp exceeds it or is missing, or an outcome is spurious."""
    worst = mp.mpf(str(row["max_ulp"])) if row["max_ulp"] != "" else mp.inf
    return worst > max_ulp or any(row[name] for name in SPURIOUS)


def passes(row: Row, max_ulp: float, allow_flush: bool = False) -> bool:
    """Tell whether a row is within the budget, or would be but for flushed subnormal numbers where those are allowed."""
    return not over(row, max_ulp) or (allow_flush and row.get("cause") == FLUSH)


HEADINGS = (
    "target", "usual max ulp", "at input", "max ulp", "at input", "computed", "exact", "mean ulp",
    *OUTCOME_LABELS.values(), "safe range",
)  # fmt: skip


def cells(row: Row) -> tuple[str, ...]:
    """Write a row's cells under HEADINGS."""
    fmt = format_named(str(row["format"]))
    exact = decimal_magnitude(str(row["max_ulp_exact"]), fmt)
    found = (
        row["target"], ulps(row["usual_max_ulp"]), row["usual_max_ulp_input"], ulps(row["max_ulp"]), row["max_ulp_input"],
        row["max_ulp_computed"], exact, ulps(row["mean_ulp"]), *(row[name] for name in SPURIOUS), safe(row),
    )  # fmt: skip
    return tuple(shortened(str(cell)) for cell in found)


def shortened(text: str) -> str:
    """Return a cell as it is shown: of a row of logits, its label and the class of a derivative, the beginning of each."""
    logits, *more = text.split("; ")
    numbers = logits.split()
    if len(text) <= MOST_CHARACTERS or len(numbers) < 2:
        return text
    shown = [m if " " not in m or m.startswith("class") else f"{m.split()[0]} …" for m in more]
    return "; ".join([f"{numbers[0]} {numbers[1]} … ({len(numbers)} logits)", *shown])


def first_line(rows: Sequence[Row]) -> str:
    """Say what was measured: the function, the problem, the format, how many inputs."""
    first = rows[0]
    size = "all" if first["exhaustive"] else "a sample of"
    return f"{first['kernel']} as {first['problem']} in {first['format']}, {size} {first['points']} inputs"


def table_text(rows: Sequence[Row]) -> str:
    """Write the rows of one problem as a table under a line that says what was measured."""
    return f"{first_line(rows)}\n\n{tabulate([cells(r) for r in rows], HEADINGS, disable_numparse=True)}"


def ulps(value: object) -> str:
    """Write an error in ulp with three digits; beyond MOST_ULP, which no one can meet, only that it is."""
    return f"> {MOST_ULP:.0e}" if value != "" and mp.mpf(str(value)) > MOST_ULP else short(value)


def verdict(row: Row, max_ulp: float, allow_flush: bool = False, named: bool = False) -> str:
    """Write one row's verdict: the usual range first, then what happens beyond it, then the reason.

    A problem whose inputs are all usual has no range to name.  A row that passes although it flushes says so.  With
    `named` it begins with the problem, where a loss and its gradient are judged together.
    """
    at = [str(row["problem"])] if named else []
    at += [f"target {row['target']}"] if row["target"] != "" else []
    where = f"{', '.join(at)}: " if at else ""
    said = where + _errors(row, f" (budget {max_ulp:g})")
    if not over(row, max_ulp):
        return f"PASS  {said}."
    if row.get("cause") == OTHER:
        return f"FAIL  {where}another function than {row['problem']}: {row['reason']}"
    word = "PASS" if passes(row, max_ulp, allow_flush) else "FAIL"
    return f"{word}  {'; '.join([said, *_outcomes(row)])}. {row.get('reason', '')}".rstrip()


def _errors(row: Row, budget: str) -> str:
    """Write the largest error of the usual range, then that of all inputs if it is another."""
    known = "the maximum" if row["exhaustive"] else "the largest error found"
    usual = "" if row["grid"] == ROWS else range_text(problem_named(str(row["problem"])))
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
    if row["grid"] == ROWS:
        return [f"{row[name]} spurious {label}" for name, label in OUTCOME_LABELS.items() if row[name]]
    return [
        f"{row[name]} spurious {label}, the nearest at {decimal_input(str(row[OUTCOME_INPUTS[name]]))}"
        for name, label in OUTCOME_LABELS.items()
        if row[name]
    ]
