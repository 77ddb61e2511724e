"""How a table's cells are written for people: three significant digits, inputs in decimal, outcomes in words.

A CSV file holds every digit, inputs as C99 hex floats; what is shown of it in Markdown, LaTeX, on pages and on the
command line is written by these functions.  Each takes a cell, or a whole row where several cells make one text, as
the CSV has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from harness.numbers.formats import FORMATS
from harness.problems import problem_named
from harness.truth.errors import SPURIOUS

# What goes wrong, in a word: outcome to label, in the order of the contract's columns.
OUTCOME_LABELS = dict(zip(SPURIOUS, ("NaN", "inf", "zero", "sign"), strict=True))


def as_cell(value: object) -> str:
    """Write a value as a CSV cell: truth values as true and false, None as nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def short(value: object) -> str:
    """Write a number with three significant digits, also beyond float64's range, where its exponent is kept as it is."""
    text = str(value)
    if text in ("", "inf", "nan"):
        return text
    mantissa, _, exponent = text.lower().partition("e")
    if exponent and abs(int(exponent)) > 300:
        return f"{float(mantissa):.3g}e{int(exponent):+d}"
    return f"{float(text):.3g}"


def upward(value: object) -> str:
    """Write a number with three significant digits, rounded up: what is at most the number is at most what is written."""
    return _directed(value, ROUND_CEILING)


def downward(value: object) -> str:
    """Write a number with three significant digits, rounded down: what reaches the number reaches what is written."""
    return _directed(value, ROUND_FLOOR)


def _directed(value: object, rounding: str) -> str:
    number = Decimal(str(value))
    return short(Context(prec=3, rounding=rounding).create_decimal(number) if number.is_finite() else value)


def percent(fraction: object) -> str:
    """Write a fraction in percent with three significant digits; nothing where there is none."""
    return "" if fraction == "" else f"{100 * float(str(fraction)):.3g} %"


def decimal_input(text: str) -> str:
    """Write a hex float with four significant digits, which tell an input roughly and not exactly.

    What is none, such as the name of a vector, stays as it is.
    """
    return f"{float.fromhex(text):.4g}" if text.lstrip("+-").startswith(("0x", "0X")) else text


def at_least(row: Mapping[str, object]) -> str:
    """Return the sign before a maximum: ≥ where it was found on a sample, nothing where every input was visited."""
    return "" if row["exhaustive"] in (True, "true") else "≥ "


def largest(row: Mapping[str, object], column: str = "max_ulp") -> str:
    """Write a row's maximum in three digits after its sign, see `at_least`; nothing where nothing finite was measured."""
    return at_least(row) + short(row[column]) if row[column] != "" else ""


def averaged(column: str, write: Callable[[object], str] = short) -> Callable[[Mapping[str, object]], str]:
    """Return the writer of a row's mean or share: ~ before it where it is one of a sample, which estimates the whole."""

    def text(row: Mapping[str, object]) -> str:
        over_all = row["exhaustive"] in (True, "true") or row[column] == ""
        return ("" if over_all else "~ ") + write(row[column])

    return text


def spurious(row: Mapping[str, object]) -> str:
    """Write how many inputs had which spurious outcome, such as `NaN 3, zero 12`; those that never occur go unsaid."""
    return ", ".join(f"{label} {row[name]}" for name, label in OUTCOME_LABELS.items() if row[name] not in ("", 0, "0"))


def safe(row: Mapping[str, object]) -> str:
    """Write a safe range in four digits: `all` where it is the whole domain, `none` where even the centre is bad.

    ⊆ before it where the inputs were a sample: it is then an outer bound, as inputs between those visited may fail.
    Nothing where nothing was swept, as in the rows of a search.
    """
    if row["safe_lo"] == "" and row["grid"] in ("rows", "vectors"):  # of K logits, which have no range
        return ""
    if row["safe_lo"] == "":
        return "none" if row["mean_ulp"] != "" else ""
    fmt, domain = FORMATS[str(row["format"])], problem_named(str(row["problem"])).domain
    ends = [max(domain[0], -fmt.max), min(domain[1], fmt.max)]
    outer = "" if row["exhaustive"] in (True, "true") else "⊆ "
    if [float.fromhex(str(row[c])) for c in ("safe_lo", "safe_hi")] == ends:
        return outer + "all"
    return f"{outer}[{decimal_input(str(row['safe_lo']))}, {decimal_input(str(row['safe_hi']))}]"
