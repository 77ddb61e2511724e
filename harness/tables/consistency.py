"""What a row says of itself: do its cells follow from one another, as every table's rows must?

No kernel is run and no truth computed: an error follows from the computed and the exact value beside it, a basis from
the grid, and no mean, share or count is beyond what bounds it.  So this holds for recorded systems, for vectors and for
pairs of formats as well, whose rows cannot be measured again from the table alone.  A check whose columns a table has
not says nothing of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

import mpmath
from mpmath import mp

from harness.numbers.formats import Format, format_named
from harness.tables.basis import BASES, bases
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.truth.certified import error_in_ulp, significant
from harness.truth.errors import OUTCOMES

Record = Mapping[str, str]  # a row as its table has it, cell by cell

# An error in ulps, the computed value that errs, and the exact value.
ERRORS = (
    ("max_ulp", "max_ulp_computed", "max_ulp_exact"),
    ("near_ulp", "near_ulp_computed", "near_ulp_exact"),
    ("log2_max_ulp", "log2_computed", "log2_exact"),
)
# What is at most what, of errors in ulps.
AT_MOST = (
    ("mean_ulp", "max_ulp"),
    ("usual_max_ulp", "max_ulp"),
    ("least_ulp", "max_ulp"),
    ("sampled_ulp", "max_ulp"),
)
# Counts of some of a row's points.
COUNTS = (*OUTCOMES, "capped", "evaluations_to_best", "kernel_spurious_nan", "kernel_spurious_inf")
# A mean that a sweep adds up in float64, and nine digits of each: what a comparison of two leaves open.
ROUNDED = mp.mpf("1e-8")
IMPROVEMENT_DIGITS = 4  # of a search's max_ulp / sampled_ulp


def inconsistencies(row: Record) -> list[str]:
    """Return what a row says otherwise than its other cells do, as sentences."""
    found: list[str] = []
    for check in (errors, stated_bases, order, usual, counts, located, improvement):
        try:
            found += check(row)
        except ValueError as error:
            found.append(f"a cell is not what its column holds: {error}")
    return list(dict.fromkeys(found))


def errors(row: Record) -> Iterator[str]:
    """Tell which error is not that of the computed value against the exact one, within what the latter's digits leave open."""
    for error, computed, exact in ERRORS:
        if {error, computed, exact} <= row.keys() and row[error] and row[exact]:
            fmt, value = format_named(row["format"]), float.fromhex(row[computed])
            with mp.workprec(400):
                middle, half = mp.mpf(row[exact]), half_digit(row[exact])
                ends = middle - half, middle + half
            now = written_error(fmt, value, middle)
            if row[error] != now:
                low, high = sorted(mp.mpf(written_error(fmt, value, v)) for v in ends)
                if not low <= mp.mpf(row[error]) <= high:
                    yield f"{error} is {row[error]}, {computed} and {exact} make it {now}"


def written_error(fmt: Format, computed: float, exact: mpmath.mpf) -> str:
    """Return an error in ulps as tables write it."""
    return significant(error_in_ulp(fmt, computed, exact))


def half_digit(text: str) -> mpmath.mpf:
    """Return half a unit in the last digit of a decimal number as it is written; 0 of 0 and of infinity, which are exact."""
    mantissa, _, exponent = text.partition("e")
    if mp.mpf(text) in (0, mp.inf, -mp.inf):
        return mp.mpf(0)
    return mp.mpf(10) ** (int(exponent or 0) - len(mantissa.partition(".")[2])) / 2


def stated_bases(row: Record) -> Iterator[str]:
    """Tell which basis is not the one that follows from the row's grid and from what it states."""
    if {*BASES, "grid", "exhaustive", "correctly_rounded"} <= row.keys():
        for name, basis in bases(row).items():
            if row[name] != basis:
                yield f"{name} is {row[name] or 'empty'}, by its grid {basis or 'empty'}"
        if row["grid"] == "search" and row["exhaustive"] != "false":
            yield f"exhaustive is {row['exhaustive']}, of a search, which does not see every input"


def order(row: Record) -> Iterator[str]:
    """Tell which error is larger than one that bounds it."""
    for less, more in AT_MOST:
        if row.get(less) and row.get(more) and _least(row[less]) > mp.mpf(row[more]) * (1 + ROUNDED):
            yield f"{less} is {row[less]}, more than {more}, {row[more]}"


def _least(text: str) -> mpmath.mpf:
    """Return the least that an error may be: an infinite one, of a search or a mean, is what float64 does not hold."""
    return min(mp.mpf(text), mp.mpf(sys.float_info.max))


def usual(row: Record) -> Iterator[str]:
    """Tell where the usual range's largest error is at the row's worst input and is not that row's error."""
    at = row.get("usual_max_ulp_input")
    if at and at == row["max_ulp_input"] and row["usual_max_ulp"] != row["max_ulp"]:
        yield f"usual_max_ulp is {row['usual_max_ulp']}, max_ulp at the same input {row['max_ulp']}"


def counts(row: Record) -> Iterator[str]:
    """Tell which count is beyond the row's points, whether all outcomes together are, and whether a share is beyond 1."""
    if not row.get("points"):
        return
    points = int(row["points"])
    for name in COUNTS:
        if row.get(name) and not 0 <= int(row[name]) <= points:
            yield f"{name} is {row[name]}, of {points} points"
    together = sum(int(row.get(name) or 0) for name in OUTCOMES)
    if together > points:
        yield f"points is {points}, and {together} of them have an outcome"
    share = row.get("correctly_rounded")
    if share and not 0 <= mp.mpf(share) <= 1 - mp.mpf(together) / max(points, 1) + ROUNDED:
        yield f"correctly_rounded is {share}, and {together} of {points} points have an outcome"


def located(row: Record) -> Iterator[str]:
    """Tell where an outcome is counted and no input named for it, or the other way round."""
    for name, column in OUTCOME_INPUTS.items():
        if {name, column} <= row.keys() and (float(row[name] or 0) > 0) != bool(row[column]):
            yield f"{name} is {row[name] or 'empty'} and {column} is {row[column] or 'empty'}"


def improvement(row: Record) -> Iterator[str]:
    """Tell where a search's improvement is not its largest error divided by that of its first sample."""
    if {"improvement", "sampled_ulp"} <= row.keys() and row["sampled_ulp"]:
        sampled = mp.mpf(row["sampled_ulp"])
        gain = significant(mp.mpf(row["max_ulp"]) / sampled, IMPROVEMENT_DIGITS) if 0 < sampled < mp.inf else ""
        if row["improvement"] != gain:
            yield f"improvement is {row['improvement'] or 'empty'}, max_ulp / sampled_ulp {gain or 'empty'}"
