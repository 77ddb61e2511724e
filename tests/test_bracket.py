"""The bracket of a safe range: what is proved lies inside it, premises are named, and what contradicts it is found."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from harness.bounds import inner
from harness.bounds.bound import bound_pieces
from harness.bounds.function_errors import FunctionErrors, function_errors
from harness.bounds.inner import AT_EVERY, SAMPLED, InnerRange, KernelPieces, Premises, inner_range
from harness.bounds.pieces import divide
from harness.bounds.table import inner_columns
from harness.kernels import kernel_named, kernels_of
from harness.kernels.primitives import MEASURED_AS
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET
from harness.tables.atlas.entries import safe_range
from harness.tables.atlas.verdicts import Entry
from harness.tables.basis import PROVED
from harness.tables.contradictions import contradictions
from harness.tables.strongest import InnerBound, Known, wider
from harness.workflow.targets import targets_in
from tests.test_atlas import FLOAT32, found_in, sound
from tests.test_strongest import EVERY, KEY, SWEPT, figures, put

F16, F32, F64 = (FORMATS[name] for name in ("float16", "float32", "float64"))
TARGETS = ("0", "1", "0.1")


@cache
def functions(fmt):
    return function_errors(fmt)


def inner_of(problem, name, fmt, grid_name="standard", errors=None, cells=None):
    """Return the cases of a kernel, one for each target, with their inner ranges."""
    p, kernel = PROBLEMS[problem], kernel_named(problem, name)
    y = targets_in(fmt, TARGETS) if p.has_target else None
    grid = Grid(grid_name, p, fmt, y)
    errors = errors or functions(fmt)
    pieces = divide(p, fmt, y, grid.cells if cells is None else cells)
    held = KernelPieces.joined([bound_pieces(p, [kernel], pieces, y, errors)], name, errors)
    cases = [Case(p, name, kernel, grid, target) for target in ([None] if y is None else y)]
    return [(case, inner_range(case, held, t)) for t, case in enumerate(cases)]


def flat(fmt, ulps):
    """Return functions that err by so many ulps everywhere."""
    cells = {name: Grid("standard", PROBLEMS[problem], fmt).cells for name, (problem, _) in MEASURED_AS.items()}
    return {name: FunctionErrors(fmt, int(c[0]), np.full(len(c), ulps)) for name, c in cells.items()}


class TestInnerRange:
    @pytest.mark.parametrize("problem", ["bce_logits", "bce", "bce_logits_grad", "bce_grad", "softplus", "log"])
    def test_lies_inside_the_safe_range_over_every_input(self, problem):
        """In float16, where every input is seen: at each input of the inner range, of every kernel, the error keeps the budget."""
        shown = 0
        for kernel in kernels_of(problem):
            for case, found in inner_of(problem, kernel.name, F16):
                if found.first is not None:
                    shown += 1
                    assert found.first <= case.grid.centre <= found.last
                    assert not case.bad(np.arange(found.first, found.last + 1), BUDGET).any(), (case.name, case.target)
        assert shown

    def test_a_bound_that_forgets_the_functions_is_noticed(self):
        """Negative control: with functions taken for exact the inner range reaches over inputs that fail."""
        wrong = []
        for kernel in kernels_of("bce_logits_grad")[:12]:
            for case, found in inner_of("bce_logits_grad", kernel.name, F16, errors=flat(F16, 0.0)):
                if found.first is not None:
                    wrong.append(case.bad(np.arange(found.first, found.last + 1), BUDGET).any())
        assert any(wrong)

    def test_zero_times_infinity_is_not_proved(self):
        """softplus(-x) overflows in float16 for x < -11, and its weight y = 0 makes NaN of it."""
        case, found = inner_of("bce_logits", "threshold20", F16)[0]
        assert case.target == 0 and -11.2 < float(F16.from_ordinal(np.array([found.first]))[0]) < -10.9

    def test_a_narrow_place_is_divided(self, monkeypatch):
        """Where softplus passes 1/2 its ulp doubles, and the piece around it has no bound within the budget."""
        errors = flat(F32, 2.6)
        found = inner_of("softplus", "logaddexp", F32, errors=errors)[0][1]
        low, high = (float(v) for v in F32.from_ordinal(np.array([found.first, found.last])))
        assert high > 1e38 and low < -80
        monkeypatch.setattr(inner.Walk, "_divide", lambda self, at, side: None)
        assert inner_of("softplus", "logaddexp", F32, errors=errors)[0][1].first > found.first

    def test_float64_is_proved_from_what_the_functions_err_by(self):
        """log is within 4 ulp where it is a premise that it errs by 1.5, but not where that is 4.1."""
        cells = F64.cell(F64.ordinal(np.array([2.0**-4, 2.0**4])))
        for ulps, wide in ((1.5, True), (4.1, False)):
            _, found = inner_of("log", "numpy", F64, errors=flat(F64, ulps), cells=np.arange(cells[0], cells[1]))[0]
            assert (found.last - found.first > 2**54) == wide

    def test_a_capped_pole_is_outside(self):
        """-log p clamped at 100 is 100 at p = 0, where the loss is infinite: the range ends before."""
        case, found = inner_of("bce", "clamp_log_100", F32)[1]
        assert case.target == 1 and found.first > case.grid.start
        right = inner_of("bce", "xlogy", F32, errors=flat(F32, 1.5))[1]
        assert right[1].first == right[0].grid.start

    def test_a_kernel_that_is_wrong_at_the_centre_has_none(self):
        _, found = inner_of("bce", "add_eps_1e-7", F32, errors=flat(F32, 4.1))[0]
        assert found == InnerRange(None, None, False)
        assert set(inner_columns(F32, found, Premises({}, SAMPLED, False)).values()) == {""}

    @pytest.mark.parametrize("parts", [1, 7, 1000, 8, 9])
    def test_parts_cover_what_is_divided(self, parts):
        first, last, owner = inner._divided(np.array([5, 9999]), np.array([5 + parts - 1, 9999]), np.array([3, 4]))
        covered = np.concatenate([np.arange(a, b + 1) for a, b in zip(first, last)])
        assert sorted(covered) == [*range(5, 5 + parts), 9999] and set(owner) == {3, 4}


class TestPremises:
    def test_name_what_the_kernel_calls(self):
        p, y = PROBLEMS["bce_logits"], targets_in(F32, TARGETS)
        cells = Grid("standard", p, F32).cells[2000:2003]
        kernels = [kernel_named("bce_logits", name) for name in ("softplus_pair", "sigmoid_naive")]
        found = bound_pieces(p, kernels, divide(p, F32, y, cells), y, functions(F32)).called
        assert found == {"softplus_pair": {"exp", "log1p"}, "sigmoid_naive": {"exp", "log"}}

    def test_are_written_in_words(self):
        text = Premises({"log1p": "1.57", "exp": "1.01"}, SAMPLED, True).text
        assert text == (
            "IEEE 754; exp <= 1.01 ulp and log1p <= 1.57 ulp on a sample with a margin; signs; bias; reference;"
            " some inputs as computed"
        )
        assert Premises({}, AT_EVERY, False).text == "IEEE 754; bias; reference"

    def test_the_margin_of_a_sample_holds_in_float32(self):
        """What is assumed of float64's functions is held against float32's, of which every input was seen."""
        known = Known.of([writer_path("exhaustive_primitives")])
        for name, errors in functions(F32).items():
            assert float(known.figures(*MEASURED_AS[name], "float32").maximum.ulp) <= errors.levels[0].max(), name


def writer_path(name):
    from tests.test_strongest import TABLES

    return TABLES / f"{name}.csv"


BOUNDED = {
    **KEY, "cells": "", "bounded": "", "max_bound_ulp": "", "function_errors": "", "safe_inner_lo": "-0x1p+5", "safe_inner_hi": "0x1p+6",
    "safe_premises": "IEEE 754; exp <= 1.25 ulp at every argument; signs; bias; reference",
}  # fmt: skip


class TestStrongest:
    def test_a_bracket_is_the_inner_and_the_outer_range(self, tmp_path):
        found = figures(Known.of([put(tmp_path, "t", SWEPT), put(tmp_path, "bounds_t", BOUNDED)])).safe
        assert (found.lo, found.hi, found.basis) == ("-0x1p+6", "0x1p+6", "sample")
        assert (found.inner.lo, found.inner.hi, found.inner.table) == ("-0x1p+5", "0x1p+6", "bounds_t")

    def test_a_range_that_both_give_is_proved(self, tmp_path):
        meeting = {**BOUNDED, "safe_inner_lo": "-0x1p+6"}
        found = figures(Known.of([put(tmp_path, "t", SWEPT), put(tmp_path, "bounds_t", meeting)])).safe
        assert found.basis == PROVED and "exp <= 1.25 ulp" in found.inner.premises
        every = figures(Known.of([put(tmp_path, "t", EVERY), put(tmp_path, "bounds_t", meeting)])).safe
        assert every.basis == "every_input"  # seen, which needs no premise

    def test_of_two_proofs_the_wider_counts_or_both(self):
        a, b = InnerBound("-0x1p+0", "0x1p+1", "A", "a"), InnerBound("-0x1p+1", "0x1p+1", "B", "b")
        assert wider(a, b) is b and wider(b, a) is b
        assert wider(replace(a, hi="0x1p+2"), b) == InnerBound("-0x1p+1", "0x1p+2", "A; B", "a")


class TestContradictions:
    @pytest.mark.parametrize(
        ("table", "bounds", "sentence"),
        [
            (SWEPT, {"safe_inner_hi": "0x1.8p+6"}, "is proved within the budget on [-0x1p+5, 0x1.8p+6]"),
            ({**EVERY, "safe_lo": "", "safe_hi": ""}, {}, "allows none only"),
            ({**SWEPT, "max_ulp": "5", "max_ulp_input": "0x1p+4"}, {}, "0x1.fffffep+3] only"),
            (SWEPT, {}, None),
            ({**SWEPT, "max_ulp": "5", "max_ulp_input": "-0x1.8p+5"}, {}, None),
        ],
    )
    def test_what_was_seen_to_fail_may_not_be_proved(self, tmp_path, table, bounds, sentence):
        put(tmp_path, "t", table)
        put(tmp_path, "bounds_t", {**BOUNDED, **bounds})
        found = [c for c in contradictions(tmp_path) if c.startswith("bounds_t")]
        assert (len(found) == 1 and sentence in found[0]) if sentence else found == []

    @pytest.mark.parametrize(("ulp", "wrong"), [("1.26", 1), ("1.25", 0)])
    def test_a_premise_that_a_table_exceeds_is_found(self, tmp_path, ulp, wrong):
        put(tmp_path, "t", {**EVERY, "problem": "exp", "kernel": "numpy", "target": "", "max_ulp": ulp})
        put(tmp_path, "bounds_t", BOUNDED)
        found = [c for c in contradictions(tmp_path) if "a premise" in c]
        assert len(found) == wrong

    def test_the_atlas_may_not_be_proved_beyond_the_tables(self, tmp_path):
        put(tmp_path, "t", SWEPT)
        put(tmp_path, "bounds_t", BOUNDED)
        ends = {
            f"safe_{end}_{which}": v for which in ("hard", "all") for end, v in (("lo", "-0x1p+6"), ("hi", "0x1p+6"))
        }
        row = {**KEY, **ends, "max_ulp_hard": "2.5", "failure": ""}
        for lo, wrong in (("-0x1p+5", 0), ("-0x1.4p+5", 2)):
            claims = {
                f"safe_inner_{end}_{which}": v for which in ("hard", "all") for end, v in (("lo", lo), ("hi", "0x1p+6"))
            }
            put(tmp_path, "atlas", {**row, **claims})
            assert len([c for c in contradictions(tmp_path) if "is proved on" in c]) == wrong


class TestAtlas:
    @pytest.mark.parametrize(
        ("inner_lo", "basis", "text"),
        [
            ("-0x1p+5", "sample", "⊇ [-32, 64], ⊆ [-64, 64]"),
            ("", "sample", "⊆ [-64, 64]"),
            ("-0x1p+6", PROVED, "[-64, 64] (proved)"),
            ("-0x1p+6", "every_input", "[-64, 64]"),
        ],
    )
    def test_says_the_bracket(self, inner_lo, basis, text):
        phrases = found_in(sound)[2]
        row = {
            **SWEPT, "safe_basis": basis, "safe_inner_lo": inner_lo, "safe_inner_hi": "0x1p+6" if inner_lo else "",
            "safe_premises": "" if basis == "every_input" else "IEEE 754",
        }  # fmt: skip
        assert safe_range(Entry(kernel_named("bce_logits", "softplus_pair"), phrases, [], True, [row])) == text
        assert phrases.fmt is FLOAT32
