"""How the pages about systems write numbers, inputs and versions, so that a reader can type them again."""

from __future__ import annotations

import mpmath

from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.tables.rows import Row

DIGITS = 6
NINES = 12  # characters that a reader counts


def number(value: mpmath.mpf | float) -> str:
    """Write a number with six significant digits, minus and exponent as they are printed."""
    v = mpmath.mpf(value)
    if mpmath.isnan(v):
        return "NaN"
    if not mpmath.isfinite(v):
        return "∞" if v > 0 else "−∞"
    if not v:
        return "0"
    return mpmath.nstr(v, DIGITS, strip_zeros=True).removesuffix(".0").replace("-", "−")


def given(row: Row, x: float) -> str:
    """Write an input by the fewest digits that name it in its format, long rows of nines by what is missing from 1."""
    fmt = format_named(str(row["format"]))
    text = fmt.short(x).removesuffix(".0")
    if len(text) > NINES and set(text[2:]) == {"9"} and 1 - float(f"1e-{len(text) - 2}") == x:
        text = f"1 − 1e-{len(text) - 2:02}"
    return text.replace("-", "−")


def variable(row: Row) -> str:
    """Return x for a logit, p for a probability."""
    return problem_named(str(row["problem"])).variable


def input_name(row: Row) -> str:
    """Return what the input is called in a heading."""
    return {"p": "probability p", "x": "logit x"}[variable(row)]


def version(row: Row) -> str:
    """Return the versions that were run as a page writes them; `not installed` where none was."""
    return str(row["version"]).replace("==", " ").replace(" ", " ") or "not installed"
