"""The rows of a table, part by part: what is computed again of an input, which inputs are explained, where a range ends.

benchmarks/mutants.py makes small slips in harness/tables/rows.py, and what is here must notice.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from mpmath import mp

from harness.kernels import kernel_named, kernels_of
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.summary import NO_BAD_ABOVE, NO_BAD_BELOW, Summary
from harness.tables import rows
from harness.truth.certified import significant
from harness.truth.errors import RELATIVE_LIMIT, measure
from harness.truth.fast import evaluate

E5M2, F16, F32 = FORMATS["float8_e5m2"], FORMATS["float16"], FORMATS["float32"]
TANH, LOSS = PROBLEMS["tanh"], PROBLEMS["bce_logits"]
WORST = {"max_ulp": "7", "max_ulp_input": "0x1p+0", "max_ulp_computed": "of the row", "max_ulp_exact": "of the row"}
NOWHERE = dict.fromkeys(rows.OUTCOME_INPUTS)


def at(fmt, value):
    return int(fmt.ordinal(np.array([value]).astype(fmt.dtype))[0])


def case_of(function, grid="exhaustive", problem=TANH, fmt=E5M2, target=None):
    return Case(problem, "planted", function, Grid(grid, problem, fmt), target)


class TestInputsAgain:
    def test_twenty_five_digits_of_the_exact_value(self):
        found = rows.certified_extreme(case_of(lambda x: x, fmt=F32, grid="quick"), at(F32, 1.0))
        assert found["max_ulp_input"] == found["max_ulp_computed"] == "0x1p+0"
        assert found["max_ulp_exact"] == "7.615941559557648881194583e-1"  # tanh(1) = 0.7615941559557648881194582826...
        with mp.workprec(200):
            assert found["max_ulp"] == significant((1 - mp.tanh(1)) * 2**24)

    def test_a_row_for_each_target(self, monkeypatch):
        monkeypatch.setattr(rows, "why", lambda *inputs: dict.fromkeys(rows.WHY, ""))  # takes seconds
        kernel = kernel_named("bce_logits", "sigmoid_naive")
        targets = np.array([0.0, 0.25]).astype(E5M2.dtype)
        grid = Grid("quick", LOSS, E5M2, targets)
        summary = Summary(2, grid.cells)
        for block in grid.blocks(grid.cells):
            x = E5M2.from_ordinal(block.ordinals)[None]
            with np.errstate(all="ignore"):
                exact = evaluate(LOSS, E5M2, x, targets[:, None])
                summary.update(block, measure(kernel(x, targets[:, None]), exact, True), 4.0)
        found = rows.rows_of(LOSS, kernel, grid, targets, summary)
        assert [(row["target"], row["kernel"], tuple(row)) for row in found] == [
            (target, "sigmoid_naive", rows.COLUMNS) for target in ("0", "0.25")
        ]
        assert found[0]["inf_input"]

    def test_a_row_without_a_target(self):
        kernel = kernels_of("tanh")[0]
        grid = Grid("quick", TANH, E5M2)
        summary = Summary(1, grid.cells)
        for block in grid.blocks(grid.cells):
            x = E5M2.from_ordinal(block.ordinals)[None]
            with np.errstate(all="ignore"):
                summary.update(block, measure(kernel(x), evaluate(TANH, E5M2, x), False), 4.0)
        (found,) = rows.rows_of(TANH, kernel, grid, None, summary)
        assert (found["target"], found["kernel"]) == ("", kernel.name)

    def test_the_ratio_of_a_difference(self):
        def off(computed, exact, relative):
            case = SimpleNamespace(compute=lambda ordinals: np.array([computed]), exact=lambda ordinal: exact)
            return rows.difference(case, 0, relative)

        assert off(0.75, mp.mpf(1), False) == off(0.75, mp.mpf(1), True) == 0.25
        assert off(1.0, mp.mpf(-4), True) == 1.25 and off(1.0, mp.mpf(-4), False) == 5
        assert off(0.0, mp.mpf(0), True) == 0 and off(0.5, mp.mpf(0), True) == mp.inf
        exact = mp.ldexp(1, -701)  # nothing beside 1/2, to 400 bits
        assert off(0.5, exact, True) == RELATIVE_LIMIT == 2.0**700 and off(0.75, exact, True) == mp.inf


class TestPlaces:
    @pytest.fixture
    def case(self):
        return case_of(lambda x: x)

    def test_no_usual_extreme_is_empty(self, case):
        found = rows.places(case, NOWHERE, None, WORST)
        assert (found["usual_max_ulp"], found["usual_max_ulp_input"]) == ("", "")

    def test_the_row_s_own_is_not_computed_again(self, case):
        found = rows.places(case, NOWHERE, at(E5M2, 1.0), WORST)
        assert (found["usual_max_ulp"], found["usual_max_ulp_input"]) == ("7", "0x1p+0")

    def test_another_is(self, case):
        found = rows.places(case, NOWHERE, at(E5M2, 2.0), WORST)
        with mp.workprec(200):
            assert found["usual_max_ulp"] == significant((2 - mp.tanh(2)) * 8)  # ulp(0.96...) = 2^-3
        assert found["usual_max_ulp_input"] == "0x1p+1"

    def test_inputs_of_outcomes(self, case):
        located = NOWHERE | {"spurious_inf": at(E5M2, 4.0), "wrong_sign": at(E5M2, -0.5)}
        found = rows.places(case, located, None, WORST)
        assert [found[c] for c in rows.OUTCOME_INPUTS.values()] == ["", "0x1p+2", "", "-0x1p-1"]

    def test_the_condition_at_the_worst_input(self, case):
        with mp.workprec(200):
            expected = (1 - mp.tanh(1) ** 2) / mp.tanh(1)  # x f'(x) / f(x) at x = 1
            loss = mp.log1p(mp.exp(1)) - mp.mpf(0.25)
            with_target = (1 / (1 + mp.exp(-1)) - mp.mpf(0.25)) / loss
        assert rows.places(case, NOWHERE, None, WORST)["condition"] == significant(expected)
        assert rows.places(case, NOWHERE, None, WORST | {"max_ulp_input": ""})["condition"] == ""
        targeted = case_of(lambda x, y: x, problem=LOSS, target=E5M2.parse("0.25"))
        assert rows.places(targeted, NOWHERE, None, WORST)["condition"] == significant(with_target)


class TestWhy:
    @pytest.mark.parametrize(
        ("most", "above", "below", "located", "telling"),
        [
            ([1.0, 100.0], 5, -3, {"spurious_nan": 7, "spurious_inf": 9}, [7, 42]),
            ([1.0, 100.0], 5, -3, {"spurious_nan": None, "spurious_inf": 9}, [9, 42]),
            ([1.0, 100.0], 5, -3, None, [42]),
            ([1.0, 100.0], NO_BAD_ABOVE, NO_BAD_BELOW, {}, [42]),
            ([1.0, 4.0], 5, -3, {"spurious_zero": 3}, [5]),
            ([1.0, 4.0], NO_BAD_ABOVE, -3, None, [-3]),
            ([1.0, 4.0], 5, -3, {"spurious_nan": 7, "spurious_inf": 9}, [7]),
            ([1.0, 4.0], NO_BAD_ABOVE, NO_BAD_BELOW, {}, [42]),
        ],
    )
    def test_what_is_most_telling(self, most, above, below, located, telling):
        """Of the second of two targets; the budget is 4 ulp."""
        summary = SimpleNamespace(
            max_ulp=np.array([[9.0, 9.0], most]), measured=np.array([[0, 0], [0, 2]]), worst_at=lambda t: 41 + t,
            bad_above=np.array([1, above]), bad_below=np.array([-1, below]),
        )  # fmt: skip
        assert rows.telling_inputs(summary, 1, 4.0, located) == telling

    def test_what_was_not_measured_has_no_worst_error(self):
        none = np.array([NO_BAD_BELOW])
        summary = SimpleNamespace(
            max_ulp=np.array([[-1.0]]), measured=np.array([[0]]), bad_above=np.array([NO_BAD_ABOVE]), bad_below=none
        )
        assert rows.telling_inputs(summary, 0, 4.0, {}) == []

    @pytest.fixture
    def explained(self, monkeypatch):
        """Explanations of the inputs 1, 2 and 3, of which 1 and 3 have one cause."""
        causes = {1: "one", 2: "two", 3: "one"}
        monkeypatch.setattr(
            rows,
            "_explained",
            lambda case, o: SimpleNamespace(
                cause=causes[o], operation=f"at {o}", reason=f"Reason {o}.", bias_ulp=o / 4, rounding_ulp=o / 8
            ),
        )
        return case_of(kernels_of("tanh")[0])

    def test_the_first_input_has_the_cause_and_another_cause_is_added(self, explained):
        assert rows.why(explained, 2, [1, 2]) == {
            "bias_ulp": "0.5", "rounding_ulp": "0.25", "cause": "one", "operation": "at 1",
            "reason": "Reason 1. The largest finite error: Reason 2.", "remedy": "",
        }  # fmt: skip

    def test_the_same_cause_is_not_said_twice(self, explained):
        found = rows.why(explained, 3, [1, 3])
        assert (found["reason"], found["bias_ulp"], found["rounding_ulp"]) == ("Reason 1.", "0.75", "0.375")

    def test_without_a_worst_input_there_are_no_parts(self, explained):
        found = rows.why(explained, None, [2])
        assert [found[c] for c in ("bias_ulp", "rounding_ulp", "cause", "operation", "reason")] == [
            "", "", "two", "at 2", "Reason 2."
        ]  # fmt: skip

    def test_nothing_telling_or_no_kernel_is_not_explained(self, explained):
        assert rows.why(explained, 2, []) == rows.why(case_of(lambda x: x), 2, [1, 2]) == dict.fromkeys(rows.WHY, "")

    def test_an_input_is_explained_as_it_is(self):
        kernel = kernel_named("bce_logits", "sigmoid_naive")
        case = case_of(kernel, problem=LOSS, target=E5M2.parse("0"))
        found = rows.why(case, None, [at(E5M2, 16.0)])
        assert "16" in found["reason"] and found["cause"] and found["operation"]


class TestSafeRange:
    def test_the_centre_alone_may_be_safe(self):
        case = case_of(lambda x: x)
        assert rows.safe_range(case, -1, 1, 4.0) == {"safe_lo": "0x0p+0", "safe_hi": "0x0p+0"}

    @pytest.mark.parametrize(("below", "above"), [(-0.3, 0.7), (-40.0, 1000.0)])
    def test_between_samples_its_ends_are_searched_for(self, below, above):
        """A function that is right between two inputs, and 0 beyond them."""
        first, last = at(F16, below), at(F16, above)

        def function(x):
            good = (F16.ordinal(x) >= first) & (F16.ordinal(x) <= last)
            return np.where(good, evaluate(TANH, F16, x).rounded_working, 0).astype(F16.dtype)

        case = case_of(function, grid="quick", fmt=F16)
        ordinals = case.grid.ordinals()
        bad = ordinals[(ordinals < first) | (ordinals > last)]
        found = rows.safe_range(case, int(bad[bad < 0].max()), int(bad[bad > 0].min()), 4.0)
        assert found == {"safe_lo": F16.hex(np.float16(below)), "safe_hi": F16.hex(np.float16(above))}
        assert not {first - 1, last + 1} <= set(bad.tolist())

    def test_a_sampled_centre_that_is_bad_leaves_none(self):
        case = case_of(lambda x: x + 1, grid="quick", fmt=F16)
        assert rows.safe_range(case, NO_BAD_BELOW, case.grid.centre, 4.0) == {"safe_lo": "", "safe_hi": ""}
