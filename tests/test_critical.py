"""Critical points: the zero of an exact value, which moves with the target, is visited by every grid with its neighbours."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mpmath import mp

from harness import check
from harness.kernels import kernel_named
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.search.space import SearchLine
from harness.sweep import grid as grids
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.systems.measure.inputs import Inputs
from harness.tables import resweep
from harness.tables.advice import advised
from harness.tables.rows import COLUMNS, rows_of
from harness.tables.strongest import Known
from harness.tables.text import as_cell
from harness.truth.certified import truth
from harness.workflow.targets import STANDARD_TARGETS, targets_in

FORMAT = FORMATS["float32"]
GRADIENT = PROBLEMS["bce_logits_grad"]
TARGETS = ("0.3", "0.1", "0.999", "0.5", "next_up_0")
MOVING = [p for p in PROBLEMS.values() if p.zero]


def unvisited(problem, fmt, name, targets):
    """Return the zeros and sign changes of the exact value inside the domain that a grid goes past."""
    y = targets_in(fmt, targets) if problem.has_target else [None]
    grid = Grid(name, problem, fmt, None if y[0] is None else y)
    ordinals = grid.ordinals()
    x = fmt.from_ordinal(ordinals).astype(float)
    inside = np.flatnonzero((x > problem.domain[0]) & (x < problem.domain[1]))
    found = []
    for target in y:
        point = () if target is None else (float(target),)
        with np.errstate(all="ignore"):
            value = problem.fast(x.astype(np.longdouble)[None], *(np.longdouble([[v]]) for v in point))[0]
        sign = np.sign(value)
        over = np.flatnonzero((sign[:-1] * sign[1:] < 0) & (np.diff(ordinals) > 1))
        turns = [i for i in over if i in inside]
        near = np.arange(-3, 4)
        turns += [
            i for i in inside[value[inside] == 0] if not np.isin(_in_domain(grid, ordinals[i] + near), ordinals).all()
        ]
        found += [(float(x[i]), *point) for i in turns]
    return found


def _in_domain(grid, ordinals):
    return ordinals[(ordinals >= grid.start) & (ordinals < grid.stop)]


class TestZeros:
    @pytest.mark.parametrize("name", ["quick", "standard"])
    @pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
    def test_no_sample_goes_past_a_sign_change(self, problem, name):
        assert unvisited(problem, FORMAT, name, TARGETS) == []

    @pytest.mark.parametrize("name", ["bce_logits_grad", "bce_grad"])
    def test_a_problem_that_does_not_name_its_zero_is_noticed(self, name):
        """Negative control."""
        problem = replace(PROBLEMS[name], zero=None)
        assert len(unvisited(problem, FORMAT, "standard", TARGETS)) >= 3

    @pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
    @pytest.mark.parametrize("problem", MOVING, ids=lambda p: p.name)
    def test_the_number_nearest_to_the_zero_is_visited(self, problem, fmt):
        """For targets of any size, the exact values on both sides of the number nearest to the zero are of both signs, or 0."""
        for y in targets_in(fmt, ("0.3", "0.1", "0.875", "next_up_0", "next_down_1")):
            at = int(Grid("quick", problem, fmt, [y]).zeros[0])
            assert np.isin(at, Grid("quick", problem, fmt, [y]).critical_ordinals)
            around = fmt.from_ordinal(np.array([at - 1, at, at + 1])).astype(float)
            value = [
                truth(problem, (mp.mpf(v), mp.mpf(float(y)))) for v in around if v >= 0 or problem.input == "logit"
            ]
            if problem.nonnegative:
                assert min(value) == 0
            else:
                assert min(value) <= 0 <= max(value)

    def test_hard_targets_have_no_zero_inside(self):
        for problem in MOVING:
            assert not len(Grid("quick", problem, FORMAT, np.float32([0, 1])).zeros)

    def test_a_grid_made_for_other_targets_is_refused(self):
        kernels, y = [kernel_named("bce_logits_grad", "softplus_pair")], np.float32([0.1, 0.3])
        for targets in (None, [0.1], y[:1]):
            with pytest.raises(ValueError, match="other targets"):
                sweep(GRADIENT, kernels, Grid("quick", GRADIENT, FORMAT, targets), y)
        assert Grid("quick", GRADIENT, FORMAT, y).made_for(y[1:])

    def test_an_exhaustive_grid_is_what_it_was(self):
        """Its blocks, and the inputs at which the reference is audited, do not depend on the targets."""
        for name in ("exhaustive", "standard"):
            with_, without = (Grid(name, GRADIENT, FORMATS["float16"], y) for y in (np.float16([0.1, 0.3]), None))
            assert np.array_equal(with_.critical_ordinals, without.critical_ordinals)
            blocks = zip(with_.blocks(with_.cells), without.blocks(without.cells), strict=True)
            for a, b in blocks:
                assert np.array_equal(a.ordinals, b.ordinals) and a.beside_zero is b.beside_zero is None


class TestWhatIsSaid:
    """`softplus_pair` with y = 0.1 in float32 errs by 5382541.88 ulp at -0x1.193ea8p+1, by the sweep over every input."""

    def test_a_users_check_meets_the_largest_error(self):
        row = check("softplus_pair", "bce_logits_grad", FORMAT, grid="quick", targets=["0.1"]).rows[0]
        assert row["max_ulp"] == "5382541.88" and row["max_ulp_input"] == "-0x1.193ea8p+1"

    def test_a_check_on_evenly_spread_inputs_misses_it(self, monkeypatch):
        """Negative control."""
        monkeypatch.setattr(grids.Grid, "zeros", np.empty(0, np.int64))
        row = check("softplus_pair", "bce_logits_grad", FORMAT, grid="quick", targets=["0.1"]).rows[0]
        assert float(row["max_ulp"]) < 1e5

    def test_means_leave_out_the_neighbours_of_a_zero(self, monkeypatch):
        """The mean over every input is 0.398 ulp; with 17 neighbours of the zero among 7,000 points it is 1,000."""

        def mean() -> float:
            rows = check("softplus_pair", "bce_logits_grad", FORMAT, grid="quick", targets=["0.1"]).rows
            return float(rows[0]["mean_ulp"])

        assert 0.2 < mean() < 0.6
        monkeypatch.setattr(grids.Grid, "_beside_zero", lambda self, ordinals, even: np.zeros(len(ordinals), bool))
        assert mean() > 100

    def test_searches_and_systems_visit_the_neighbours(self):
        y = np.float64(0.1)
        near = Grid("quick", GRADIENT, FORMATS["float64"], [y]).zeros[0] + np.arange(-8, 9)
        assert np.isin(near, SearchLine(GRADIENT, FORMATS["float64"], y).critical).all()
        grid = Grid("standard", GRADIENT, FORMAT, [0.1, 0.0625])
        assert np.isin(grid.zeros, Inputs(grid, 500).ordinals).all() and len(Inputs(grid, 500).x) <= 500

    @pytest.mark.parametrize("lost", [False, True])
    def test_one_row_swept_again_is_that_of_the_table(self, lost, monkeypatch):
        """Its points are those of the sweep of all targets; a sweep of its own target alone has others: the control."""
        y, kernel = targets_in(FORMAT, STANDARD_TARGETS[:4]), kernel_named("bce_grad", "naive")
        problem = PROBLEMS["bce_grad"]
        grid = Grid("quick", problem, FORMAT, y)
        made = advised(rows_of(problem, kernel, grid, y, sweep(problem, [kernel], grid, y).summaries["naive"]))
        frame = pd.DataFrame([{c: as_cell(r[c]) for c in COLUMNS} for r in made]).astype(str)
        if lost:
            monkeypatch.setattr(resweep.Task, "made_grid", lambda self: Grid(self.grid, problem, FORMAT, y[3:]))
        task = resweep._task("bce_grad", "float32", "quick", frame[3:], "all", [], resweep._figures(frame, Known(())))
        wrong = [text for _, text in resweep.again(task).wrong]
        assert any("points" in text for text in wrong) if lost else wrong == []
