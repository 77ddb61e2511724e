"""Numerical faults planted on purpose, one at a time, and the named test that finds each.

    PYTHONPATH=. python benchmarks/planted.py            all of them: a few minutes
    PYTHONPATH=. python benchmarks/planted.py --write    and the table into docs/robustness.md
    PYTHONPATH=. python benchmarks/planted.py NAME …     some of them

A fault is a piece of one module's source and what stands in its place.  A fork of this process loads that module so, and
runs the one test; no file is changed.  Exit status 1 where a fault is not found, or a test fails without any.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import harness  # noqa: F401  before NumPy, whose loops it chooses
import gmpy2  # noqa: F401
import ml_dtypes  # noqa: F401
import mpmath  # noqa: F401
import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pytest

ROOT = Path(__file__).parent.parent
FOUND, SURVIVED = "found", "survived"


@dataclass(frozen=True)
class Fault:
    """Hold one slip: its name, the module, what stands there and what is planted, and the test that finds it."""

    name: str
    module: str
    there: str
    planted: str
    test: str

    @property
    def path(self) -> Path:
        """Return the module's file."""
        return ROOT.joinpath(*self.module.split(".")).with_suffix(".py")

    def source(self) -> str:
        """Return the module's source with the fault; ValueError unless what it replaces stands there once."""
        text = self.path.read_text(encoding="utf-8")
        if text.count(self.there) != 1:
            raise ValueError(f"{self.name}: {self.module} has {self.there!r} {text.count(self.there)} times, not once")
        return text.replace(self.there, self.planted)


FORMATS, ERRORS, FAST = "harness.numbers.formats", "harness.truth.errors", "harness.truth.fast"
CERTIFIED, TALLY, SUMMARY = "harness.truth.certified", "harness.sweep.tally", "harness.sweep.summary"
ROWS, TEXT, GRID, CASE = "harness.tables.rows", "harness.tables.text", "harness.sweep.grid", "harness.sweep.case"
CORE = "tests/test_core.py::"


def core(name: str, module: str, there: str, planted: str, test: str) -> Fault:
    """Return a fault that a test of tests/test_core.py finds."""
    return Fault(name, module, there, planted, CORE + test)


FAULTS = (
    core("a tie goes up, not to even", FORMATS, "2 * rest == d and k & 1", "2 * rest == d", "TestNumbers::test_ties_go_to_even"),
    core("a power of two is in the binade below", FORMATS, "n >= d << e if", "n > d << e if", "TestNumbers::test_floor_log2_at_powers_of_two"),
    core("subnormals have ulps of their own", FORMATS, "max(floor_log2(v), self.emin) if v", "floor_log2(v) if v", "TestNumbers::test_an_ulp_is_never_below_the_least_subnormal"),
    core("midpoints of negative numbers are positive", FORMATS, "sign = -1 if float(a) < 0 or float(b) < 0 else 1", "sign = 1", "TestNumbers::test_midpoints_of_either_sign"),
    core("overflow begins at the largest number", FORMATS, "mpmath.mpf(self.max) + mpmath.mpf(self.ulp(self.max).numerator)", "mpmath.mpf(self.max)", "TestNumbers::test_midpoints_of_either_sign"),
    core("-0 is a number of its own", FORMATS, "ordinal = 0 if direction > 0 else -1", "ordinal = -1 if direction > 0 else 0", "TestNumbers::test_both_zeros_have_the_same_neighbours"),
    core("a range lacks its last number", FORMATS, "return start, stop + 1", "return start, stop", "TestNumbers::test_a_range_has_both_its_ends"),
    core("a hex float keeps its point", FORMATS, r're.sub(r"\.?0*p"', r're.sub(r"0*p"', "TestNumbers::test_hex"),
    core("a short decimal has a digit too few", FORMATS, "if float(self.round(text)) == v:", "if digits > 8 or float(self.round(text)) == v:", "TestNumbers::test_short"),
    core("zeros are not counted where the exact value is below 2^-126", ERRORS, "zero & (exact.rounded != 0)", "zero & (abs(exact.rounded) >= 2.0**-126)", "TestErrors::test_a_zero_is_spurious_down_to_the_least_number"),
    core("a block whose error is 1 is not looked at", ERRORS, "not most_relative[t] < 0.99 and not (ulp[t] * exact.ulp_per_value[t]).max() < 0.99", "not most_relative[t] < 1.01 and not (ulp[t] * exact.ulp_per_value[t]).max() < 1.01", "TestErrors::test_a_zero_alone_is_looked_at"),
    core("a sign is wrong at the exact value 0", ERRORS, "            other &= exact.value != 0\n", "            pass\n", "TestErrors::test_no_sign_is_wrong_where_the_exact_value_is_0"),
    core("below 0 is right of what cannot be negative", ERRORS, "        if not nonnegative:\n            other", "        if True:\n            other", "TestErrors::test_below_0_is_wrong_where_the_problem_cannot_be"),
    core("above 0 is right of what is negative", ERRORS, "if not nonnegative or (computed < 0).any():", "if (computed < 0).any():", "TestErrors::test_the_other_sign_is_wrong_in_either_direction"),
    core("a zero at a pole is spurious", ERRORS, "zero & (exact.rounded != 0) & ~np.isinf(exact.value)", "zero & (exact.rounded != 0)", "TestErrors::test_at_a_pole_a_finite_value_is_capped_and_nothing_else"),
    core("capped is bad", TALLY, 'if name != "capped":', "if name:", "TestErrors::test_at_a_pole_a_finite_value_is_capped_and_nothing_else"),
    core("outcomes are good", TALLY, "            bad |= mask[t, where]\n", "            pass\n", "TestErrors::test_every_other_outcome_is_bad"),
    core("an infinity is always spurious", ERRORS, "np.isinf(computed) & (computed != exact.rounded)", "np.isinf(computed)", "TestErrors::test_an_infinity_is_right_where_the_value_rounds_to_it"),
    core("an infinity of the other sign is right", ERRORS, "(computed != exact.rounded)", "(abs(computed) != abs(exact.rounded))", "TestErrors::test_an_infinity_is_right_where_the_value_rounds_to_it"),
    core("overflow to NaN is spurious", ERRORS, "nan & ~overflow_nan", "nan", "TestErrors::test_nan_is_right_where_a_format_overflows_to_it"),
    core("overflow to NaN is not correctly rounded", ERRORS, "correct | overflow_nan", "correct", "TestErrors::test_nan_is_right_where_a_format_overflows_to_it"),
    core("huge errors are scaled by a power too few", ERRORS, "    half = np.abs(", "    half = 2 * np.abs(", "TestErrors::test_errors_beyond_float64_are_kept_scaled"),
    core("the absolute error is in ulps", ERRORS, "return self.ulp[t] * self.exact.ulp[t]\n", "return self.ulp[t]\n", "TestErrors::test_each_error_is_what_it_says"),
    core("the relative error is multiplied by the value", FAST, "ratio = ulp / np.maximum(abs(value), tiny(wide))", "ratio = ulp * np.maximum(abs(value), tiny(wide))", "TestErrors::test_each_error_is_what_it_says"),
    core("the same in float64", FAST, "return 1 / np.clip(in_ulps, least, 2.0**53)", "return np.clip(in_ulps, least, 2.0**53)", "TestErrors::test_each_error_is_what_it_says"),
    core("the same in a table's row", ROWS, "difference / abs(exact) if exact", "difference * abs(exact) if exact", "TestRows::test_extremes_are_those_of_the_input_that_they_name"),
    core("open_.any becomes open_.all", FAST, "    if open_.any():\n        open_ &=", "    if open_.all():\n        open_ &=", "TestReference::test_next_to_a_power_of_two_one_point_is_settled_beside_others"),
    core("above a midpoint rounds down", FAST, "(even, low + 1, low)[which]", "(even, low, low + 1)[which]", "TestReference::test_what_is_next_to_a_midpoint_rounds_to_its_own_side"),
    core("the largest number overflows", FAST, "abs(rounded) > fmt.max", "abs(rounded) >= fmt.max", "TestReference::test_the_largest_number_is_no_overflow"),
    core("an audit never fails", FAST, "if not worst <= bound(fmt, problem):", "if worst is None:", "TestReference::test_an_audit_fails_where_the_bound_does_not_hold"),
    core("sides are exchanged where a value is rational", CERTIFIED, "(difference > 0) - (difference < 0)", "(difference < 0) - (difference > 0)", "TestReference::test_sides"),
    core("the ruler is the ulp of the computed value", CERTIFIED, "ulp = fmt.ulp(exact)", "ulp = fmt.ulp(float(computed))", "TestReference::test_the_ruler_is_the_ulp_of_the_exact_value"),
    core("digits round half up", CERTIFIED, "2 * rest > d or (2 * rest == d and whole % 2)", "2 * rest >= d", "TestReference::test_digits_round_to_nearest_even"),
    core("a number has eight digits", CERTIFIED, "def significant(value: object, digits: int = 9)", "def significant(value: object, digits: int = 8)", "TestReference::test_nine_digits"),
    core("the median is at a third", TALLY, "np.maximum(measured - 1, 0) // 2", "np.maximum(measured - 1, 0) // 3", "TestTally::test_a_lower_median"),
    core("the median is the upper one", TALLY, "np.maximum(measured - 1, 0) // 2", "measured // 2", "TestTally::test_a_lower_median"),
    core("what has no error counts as -1", TALLY, "self._ulp if self.errors.all_measured else np.maximum(self._ulp, 0)", "self._ulp", "TestTally::test_sums_and_counts_leave_out_what_was_not_measured"),
    core("what has no error counts in the mean", TALLY, "return self.block.count(self.errors.ulp >= 0)", "return np.full(self._ulp.shape[:2], self.block.per_cell)", "TestTally::test_sums_and_counts_leave_out_what_was_not_measured"),
    core("means count what lies beside a zero", TALLY, "return by_cell if beside is None else np.where", "return by_cell if True else np.where", "TestTally::test_means_leave_out_what_lies_beside_a_zero"),
    core("the first bad input below the centre counts", TALLY, "self.block.ordinals[below[-1]]", "self.block.ordinals[below[0]]", "TestTally::test_the_bad_inputs_nearest_to_the_centre"),
    core("the centre lies below itself", TALLY, "np.searchsorted(self.ordinals, self.centre)", 'np.searchsorted(self.ordinals, self.centre, "right")', "TestTally::test_the_bad_inputs_nearest_to_the_centre"),
    core("a summary keeps the farthest bad input", SUMMARY, "self.bad_below[t] = max(", "self.bad_below[t] = min(", "TestTally::test_a_summary_keeps_the_nearest_of_several_blocks"),
    core("of equal extremes the greatest input counts", SUMMARY, "b[1] < a[1]", "b[1] > a[1]", "TestTally::test_of_equal_extremes_the_least_input_counts"),
    core("merged cells stand as the parts were given", SUMMARY, "for p in parts], axis=-1)[..., order])", "for p in parts], axis=-1))", "TestTally::test_merged_summaries_count_all"),
    core("a sampled row claims every input", ROWS, '"exhaustive": case.grid.exhaustive', '"exhaustive": True', "TestRows::test_only_a_row_of_every_input_says_so"),
    core("a quick grid claims every input", GRID, '(name == "standard" and fmt.bits <= 16)', "fmt.bits <= 16", "TestRows::test_only_a_row_of_every_input_says_so"),
    core("a sampled maximum has no ≥", TEXT, 'return "" if row["exhaustive"] in (True, "true") else "≥ "', 'return ""', "TestRows::test_only_a_row_of_every_input_says_so"),
    core("shares are of the measured points", ROWS, "int(summary.correctly_rounded[t].sum()) / points", "int(summary.correctly_rounded[t].sum()) / max(int(summary.measured[t].sum()), 1)", "TestRows::test_shares_are_of_all_points"),
    core("a row with nothing finite is measured", ROWS, "if not summary.measured[t].any():", "if not summary.points.any():", "TestRows::test_a_row_with_nothing_finite_has_no_figures"),
    core("a safe range has the bad input", ROWS, "_boundary(case, bad_below, grid.centre, budget) + 1", "_boundary(case, bad_below, grid.centre, budget)", "TestRows::test_a_safe_range_ends_before_what_is_bad"),
    core("an empty safe range has its ends", ROWS, "if lo > grid.centre or hi < grid.centre:", "if lo > hi + 1:", "TestRows::test_a_bad_centre_leaves_no_safe_range"),
    core("the largest relative error is that of the largest ulp error", ROWS, '(int(summary.extreme_at[name][t]) for name in ("max_rel", "max_abs"))', '(int(summary.extreme_at[name][t]) for name in ("max_abs", "max_abs"))', "TestRows::test_extremes_are_those_of_the_input_that_they_name"),
    core("an upper bound is rounded down", TEXT, "return _directed(value, ROUND_CEILING)", "return _directed(value, ROUND_FLOOR)", "TestWords::test_directed_digits"),
)  # fmt: skip
# What `make test` plants: one of each room, and the two that nothing found once.
QUICK = (
    "midpoints of negative numbers are positive",
    "zeros are not counted where the exact value is below 2^-126",
    "open_.any becomes open_.all",
    "the median is at a third",
    "a sampled row claims every input",
)


class Planter(importlib.abc.MetaPathFinder):
    """Load one module with a fault in it, and all others as they are."""

    def __init__(self, fault: Fault):
        self.fault = fault

    def find_spec(self, name, path=None, target=None):
        """Return the spec of the faulty module; None for any other."""
        if name != self.fault.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        spec.loader = Planted(name, str(self.fault.path), self.fault)
        return spec


class Planted(importlib.machinery.SourceFileLoader):
    """Compile a module from its source with the fault; nothing is cached."""

    def __init__(self, name: str, path: str, fault: Fault):
        super().__init__(name, path)
        self.fault = fault

    def get_code(self, fullname):
        """Return the compiled faulty source."""
        return compile(self.fault.source(), str(self.fault.path), "exec")


def verdict(fault: Fault | None, tests: Sequence[str]) -> str:
    """Run tests in a fork of this process, with a fault planted or none; return what came of it.

    This process has loaded the libraries and, but for its first lines, nothing of the harness.
    """
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if not child:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            if fault is not None:
                sys.meta_path.insert(0, Planter(fault))
            # Plain assertions: pytest's own hook, which rewrites them, would load the module before the one above could.
            os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain", *tests]))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        if status not in (0, 1):
            raise RuntimeError(f"{fault and fault.name}: the test did not run:\n{said.read().decode()}")
        return FOUND if status else SURVIVED


def main() -> int:
    """Plant the faults, print what found each, and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="of faults; all by default")
    parser.add_argument("--write", action="store_true", help="write the table into docs/robustness.md")
    asked = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    chosen = [f for f in FAULTS if not asked.names or f.name in asked.names]
    for fault in chosen:
        fault.source()
    sound = verdict(None, sorted({f.test for f in chosen})) == SURVIVED
    print("without a fault", "all tests pass" if sound else "a test fails", sep=" | ")
    rows = []
    for fault in chosen:
        what = verdict(fault, [fault.test])
        rows.append((fault.name, f"`{fault.path.relative_to(ROOT)}`", what, f"`{fault.test.partition('::')[2]}`"))
        print(*rows[-1], sep=" | ", flush=True)
    found = sum(row[2] == FOUND for row in rows)
    print(f"{found} of {len(rows)} found")
    if asked.write:
        from generated import put_between, table

        text = f"{found} of {len(rows)} faults were found.\n\n" + table(("fault", "in", "outcome", "by"), rows)
        put_between(ROOT / "docs" / "robustness.md", "benchmarks/planted.py", text)
    return 0 if sound and found == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
