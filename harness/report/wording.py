"""How the page writes errors, inputs and values: with the basis of each, and without exponents that nobody can meet."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

import mpmath
from mpmath import mp

from harness.numbers.formats import Format, format_named
from harness.tables.basis import EVERY_INPUT, PROVED
from harness.tables.text import short
from harness.truth.classes import bits

EXACT_DIGITS = 9
NO_BIT = "no bit right"


def error(ulp: str, fmt: Format, basis: str) -> str:
    """Write an error in ulp with ≥ where it is a lower bound; from 2^(p-1) ulp on no bit is right, and no size is told."""
    if ulp == "":
        return ""
    if Decimal(ulp) >= 2 ** bits(fmt):
        return NO_BIT
    return f"{'' if basis in (PROVED, EVERY_INPUT) else '≥ '}{short(ulp)} ulp"


def given(fmt: Format, value: float) -> dict[str, str]:
    """Return a number of the format as the page shows it: the shortest decimal that names it, and C99 hex."""
    return dict(zip(("decimal", "hex"), _given(fmt.name, float(value))))


@cache
def _given(name: str, v: float) -> tuple[str, str]:
    fmt = format_named(name)
    if mpmath.isnan(v) or mpmath.isinf(v):
        text = "NaN" if mpmath.isnan(v) else "infinity" if v > 0 else "−infinity"
        return text, ""
    return fmt.short(v).removesuffix(".0").replace("-", "−"), fmt.hex(v)


def exact(value: mpmath.mpf, fmt: Format) -> str:
    """Write an exact value with nine digits; one beyond the format's ends by the end that it lies beyond."""
    if not mpmath.isfinite(value):
        return "infinity" if value > 0 else "−infinity"
    sign = "−" if value < 0 else ""
    if 0 < abs(value) < mp.mpf(fmt.smallest_subnormal) / 2:
        return f"{sign}less than {short(fmt.smallest_subnormal)} / 2" if not sign else "between 0 and the least number"
    return (
        mpmath.nstr(value, EXACT_DIGITS, strip_zeros=True).removesuffix(".0").replace(".0e", "e").replace("-", "−")
        if value
        else "0"
    )


def identifier(cells: Mapping[str, str]) -> str:
    """Return the identifier of a row, empty where its table has none yet."""
    return cells.get("id", "")
