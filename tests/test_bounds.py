"""A priori bounds: above every measurement, and so tight that a planted fault breaks them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bounds import bound as bounds
from harness.bounds import rules
from harness.bounds.bound import Comparison, bound_ulp, check_bounds, compare
from harness.bounds.function_errors import FunctionErrors, function_errors
from harness.bounds.pieces import divide
from harness.bounds.running_error import RULES, Bounded, Setting
from harness.kernels import Kernel, kernel_named, kernels_of, like
from harness.numbers.formats import FORMATS, Format
from harness.numbers.wide import exact_mpf
from harness.problems import PROBLEMS
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.truth.certified import truth
from harness.workflow.targets import STANDARD_TARGETS, targets_in

FLOAT32 = FORMATS["float32"]
SWEPT = ("float16", "bfloat16", "float32")
TINY, HUGE = 2.0**-999, 2.0**999


@cache
def functions(fmt: Format) -> dict[str, FunctionErrors]:
    return function_errors(fmt)


def targets(problem: str, fmt: Format) -> np.ndarray | None:
    return np.array([0, 1, 0.1]).astype(fmt.dtype) if PROBLEMS[problem].has_target else None


def against(problem: str, fmt: Format, measured: list[Kernel], bounded: list[Kernel], cells=None, errors=None):  # type: ignore[no-untyped-def]
    """Return (summary, bound) for each pair of a measured kernel and a bounded one."""
    p, t = PROBLEMS[problem], targets(problem, fmt)
    grid = Grid("standard", p, fmt, t)
    cells = grid.cells if cells is None else cells
    found = sweep(p, measured, grid, t, cells).summaries
    bound = bound_ulp(p, bounded, fmt, t, cells, errors or functions(fmt))
    return [(found[m.name], bound[b.name]) for m, b in zip(measured, bounded)]


def violations(problem: str, fmt: Format, measured: list[Kernel], bounded: list[Kernel], **options) -> list:  # type: ignore[no-untyped-def, type-arg]
    pairs = against(problem, fmt, measured, bounded, **options)
    return [v for summary, bound in pairs for v in check_bounds(summary, bound, fmt)]


# -- soundness --------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", SWEPT)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_no_measurement_exceeds_its_bound(problem: str, fmt: str) -> None:
    kernels = kernels_of(problem)
    assert violations(problem, FORMATS[fmt], kernels, kernels) == []


@pytest.mark.parametrize("problem", PROBLEMS)
def test_no_float64_measurement_exceeds_its_bound(problem: str) -> None:
    fmt, kernels = FORMATS["float64"], kernels_of(problem)
    cells = Grid("standard", PROBLEMS[problem], fmt).cells
    middle = cells[abs(fmt.from_ordinal(cells << fmt.cell_shift)) < 1024][::40]
    assert violations(problem, fmt, kernels, kernels, cells=np.union1d(middle, cells[::400])) == []


@pytest.mark.parametrize("problem", ["bce", "bce_logits", "exp"])
def test_bounds_of_a_sampled_format_hold_at_every_input_of_some_cells(problem: str) -> None:
    p, kernels, t = PROBLEMS[problem], kernels_of(problem), targets(problem, FLOAT32)
    inputs = [0.0999, 0.95] if p.input == "probability" else [-17.2, 0.3]
    cells = np.sort(FLOAT32.cell(FLOAT32.ordinal(np.array(inputs, np.float32))))
    found = sweep(p, kernels, Grid("exhaustive", p, FLOAT32), t, cells).summaries
    bound = bound_ulp(p, kernels, FLOAT32, t, cells, functions(FLOAT32))
    assert [v for k in kernels for v in check_bounds(found[k.name], bound[k.name], FLOAT32)] == []


EXPRESSIONS = [
    lambda x, c: x + c,
    lambda x, c: x - c,
    lambda x, c: c - x,
    lambda x, c: x * c,
    lambda x, c: x / c,
    lambda x, c: c / x,
    lambda x, c: (x + c) - x,
    lambda x, c: x - x * c,
    lambda x, c: (x - c) * (x + c) / (x * c),
    lambda x, c: -(x - c) / c + x,
]
NUMBERS = st.floats(-100, 100, width=16).filter(lambda v: v != 0)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(EXPRESSIONS),
    NUMBERS,
    NUMBERS,
    st.integers(0, 30),
    st.sampled_from(["float16", "float32"]),
)
def test_rules_of_arithmetic_enclose_what_is_computed(expression, start, c, length, name) -> None:  # type: ignore[no-untyped-def]
    fmt = FORMATS[name]
    first = int(fmt.ordinal(np.array([start]))[0])
    x = fmt.from_ordinal(np.arange(first, first + length + 1))
    ends = tuple(np.array([[float(v)]]) for v in (x[0], x[-1]))
    setting = Setting(fmt, {}, ends)  # type: ignore[arg-type]
    constant = np.asarray(c).astype(fmt.dtype)
    value = expression(Bounded.of_input(setting), Bounded.of_input(setting).constant(constant))
    with np.errstate(all="ignore"):
        computed = expression(x, constant)
    for v, got in zip(x, computed):
        if np.isfinite(got) and np.isfinite(value.error[0, 0]):
            try:
                exact = expression(Fraction(float(v)), Fraction(float(constant)))
            except ZeroDivisionError:
                continue
            assert value.computed[0] <= got <= value.computed[1]
            assert Fraction(float(value.exact[0][0, 0])) <= exact <= Fraction(float(value.exact[1][0, 0]))
            assert abs(Fraction(float(got)) - exact) <= Fraction(float(value.error[0, 0]))


def test_x_minus_x_is_known_to_be_zero() -> None:
    ends = np.array([[8.0]]), np.array([[9.0]])
    x = Bounded.of_input(Setting(FLOAT32, {}, ends))
    one, zero = like(1, x), like(0, x)
    difference = x.__array_namespace__().maximum(x, zero) - x * one
    assert difference.error == 0 and difference.computed == (0, 0)


def test_undecided_branches_give_the_hull() -> None:
    ends = np.array([[-1.0]]), np.array([[2.0]])
    x = Bounded.of_input(Setting(FLOAT32, {}, ends))
    zero, three, five = like(0, x), like(3, x), like(5, x)
    value = x.__array_namespace__().where(x < zero, three, five)
    assert (value.computed[0], value.computed[1], value.error) == (3, 5, 0)


def test_overflow_and_nan_make_no_claim() -> None:
    p, t = PROBLEMS["bce_logits"], np.array([0, 1], np.float32)
    cells = FLOAT32.cell(FLOAT32.ordinal(np.array([1000.0], np.float32)))
    bound = bound_ulp(p, [kernel_named("bce_logits", "softplus_naive")], FLOAT32, t, cells, functions(FLOAT32))
    assert np.isinf(bound["softplus_naive"]).all()


def test_a_pole_does_not_spoil_the_cell_beside_it() -> None:
    p, t = PROBLEMS["bce"], np.array([0, 1], np.float32)
    first, last = (FLOAT32.cell(FLOAT32.ordinal(np.array([v], np.float32))) for v in (0, 1))
    bound = bound_ulp(p, [kernel_named("bce", "xlogy")], FLOAT32, t, np.union1d(first, last), functions(FLOAT32))
    assert (0 < bound["xlogy"][1, 0] < 5) and bound["xlogy"][0, 1] == 0  # y = 0: p = 1 is all of its cell


def test_an_operation_without_a_rule_is_named() -> None:
    x = Bounded.of_input(Setting(FLOAT32, {}, (np.ones((1, 1)), np.ones((1, 1)))))
    with pytest.raises(TypeError, match=r"no error bound is known for arcsinh; known operations: .*log1p"):
        x.__array_namespace__().arcsinh(x)


# -- pieces and function errors ---------------------------------------------------------------


@pytest.mark.parametrize("problem", PROBLEMS)
def test_pieces_cover_each_input_once_and_enclose_exact_values(problem: str) -> None:
    p, t = PROBLEMS[problem], targets(problem, FLOAT32)
    grid = Grid("standard", p, FLOAT32)
    pieces = divide(p, FLOAT32, t, grid.cells)
    assert pieces.first[0] == grid.start and pieces.last[-1] == grid.stop - 1
    assert (pieces.first[1:] == pieces.last[:-1] + 1).all()
    for i in np.random.default_rng(1).choice(len(pieces.first), 60):
        middle = FLOAT32.from_ordinal(pieces.first[i : i + 1] + (pieces.last[i] - pieces.first[i]) // 2)[0]
        for k, y in enumerate([()] if t is None else [(exact_mpf(v),) for v in t]):
            exact = truth(p, (exact_mpf(middle), *y))
            if TINY < abs(exact) < HUGE:  # beyond, the fast reference has stand-ins
                assert pieces.least[k, i] <= exact <= pieces.most[k, i]


@pytest.mark.parametrize("problem", ["bce_grad", "bce_logits"])
def test_a_bound_of_a_standard_target_is_the_same_whatever_the_others(problem: str) -> None:
    p = PROBLEMS[problem]
    cells, kernels = Grid("standard", p, FLOAT32).cells[::7], kernels_of(problem)
    few, all_of_them = targets_in(FLOAT32, ("0.1", "0")), targets_in(FLOAT32, STANDARD_TARGETS)
    narrow, wide = (bound_ulp(p, kernels, FLOAT32, t, cells, functions(FLOAT32)) for t in (few, all_of_them))
    for k in kernels:
        assert (narrow[k.name] == wide[k.name][[3, 0]]).all()


@given(st.lists(st.floats(0, 9), min_size=1, max_size=40), st.data())
@settings(deadline=None)
def test_function_errors_give_the_maximum_of_the_cells(maxima: list[float], data: st.DataObject) -> None:
    i = data.draw(st.integers(0, len(maxima) - 1))
    j = data.draw(st.integers(i, len(maxima) - 1))
    first = 4000
    errors = FunctionErrors(FLOAT32, first // 8, np.array(maxima))
    lo, hi = (FLOAT32.from_ordinal(np.array([(first // 8 + n) << FLOAT32.cell_shift])) for n in (i, j))
    found = errors.over(lo.astype(float), hi.astype(float))[0]
    assert found == max(maxima[i : j + 1])


# -- tightness, and negative controls ---------------------------------------------------------


@pytest.mark.parametrize("name", ["softplus_pair", "lse_log1p"])
def test_bounds_of_good_kernels_are_within_ten_times_the_measured(name: str) -> None:
    k = [kernel_named("bce_logits", name)]
    ((summary, bound),) = against("bce_logits", FLOAT32, k, k)
    c = compare(summary, bound)
    hard = Comparison(c.cells, c.bound[:2], c.measured[:2])
    assert hard.finite == 1
    assert np.mean(hard.bound[hard.active] <= 10 * hard.measured[hard.active]) > 0.99
    assert 1 <= hard.median_ratio(FLOAT32) <= 5


def test_where_no_bit_is_right_a_bound_counts_as_no_more_than_that() -> None:
    measured = np.array([[2.0**24, 2.0**23, 4.0]])
    c = Comparison(np.arange(3), np.array([[np.inf, 2.0**80, 6.0]]), measured)
    assert c.median_ratio(FLOAT32) == 1
    small = replace(c, measured=measured / 2**22)  # its third cell is not active
    assert small.median_ratio(FLOAT32) == (2**21 + 2**22) / 2


def planted(k: Kernel, change) -> Kernel:  # type: ignore[no-untyped-def]
    def function(x, *rest, **constants):  # type: ignore[no-untyped-def]
        return change(k.function(x, *rest, **constants), x)

    return replace(k, function=function)


@pytest.mark.parametrize("fmt", SWEPT)
@pytest.mark.parametrize("problem, name", [("bce_logits", "softplus_pair"), ("bce", "xlogy"), ("sigmoid", "branched")])
def test_an_error_of_eight_machine_epsilons_breaks_the_bound(problem: str, name: str, fmt: str) -> None:
    k = kernel_named(problem, name)
    fault = planted(k, lambda v, x: v * like(lambda f: 1 + 8 * f.machine_epsilon, x))
    assert violations(problem, FORMATS[fmt], [fault], [k])


def test_a_bound_without_the_bias_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    k = [kernel_named("bce_logits", "sigmoid_add_eps_1e-7")]
    monkeypatch.setattr(bounds, "_bias", lambda *arguments: 0.0)
    assert violations("bce_logits", FLOAT32, k, k)


@pytest.mark.parametrize("operation", ["add", "multiply", "divide"])
def test_a_bound_without_one_rounding_is_broken(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = RULES[operation]

    def faulty(a: Bounded, b: Bounded) -> Bounded:
        true = rule(a, b)
        assert isinstance(true, Bounded)
        return Bounded(true.setting, true.computed, true.exact, a.error + b.error, true.multiple)

    monkeypatch.setitem(RULES, operation, faulty)
    names = {
        "add": ("softplus", "shifted"),
        "multiply": ("bce_logits", "lse_log1p"),
        "divide": ("sigmoid", "branched"),
    }
    k = [kernel_named(*names[operation])]
    assert violations(names[operation][0], FORMATS["float16"], k, k)


def test_a_bound_with_half_the_functions_errors_is_broken() -> None:
    fmt, k = FORMATS["float16"], [kernel_named("softplus", "log1p")]
    half = {name: FunctionErrors(fmt, e.first, e.levels[0] / 2) for name, e in functions(fmt).items()}
    assert violations("softplus", fmt, k, k, errors=half)


def test_a_violation_names_cell_and_input() -> None:
    k = [kernel_named("exp", "numpy")]
    ((summary, bound),) = against("exp", FORMATS["float16"], k, k)
    c = int(np.argmax(summary.max_ulp[0]))
    bound[0, c] = 0.25
    (found,) = check_bounds(summary, bound, FORMATS["float16"])
    assert (found.target, found.cell, found.input) == (0, summary.cells[c], summary.max_ulp_at[0, c])
    assert found.measured > found.bound == 0.25


def test_every_operation_has_a_rule() -> None:
    assert set(rules.RULES) >= set(functions(FLOAT32))
