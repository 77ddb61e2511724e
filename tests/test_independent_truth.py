"""The program that compares reference values with Arb: what it compares, and that it finds what is off."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import independent_truth as program

from harness.numbers.formats import FORMATS
from harness.numbers.wide import FLOAT64, quad, tiny
from harness.problems import PROBLEMS
from harness.sweep.grid import Grid


def test_every_problem_is_compared():
    assert set(PROBLEMS) <= set(program.names()) and sum("@" in name for name in program.names()) >= 6


@pytest.mark.parametrize("fmt", ["float32", "float64"])
def test_every_cell_is_met_at_both_its_ends(fmt):
    problem, fmt = PROBLEMS["bce"], FORMATS[fmt]
    x, y = program.inputs(problem, fmt, 100)
    grid = Grid("quick", problem, fmt)
    assert {grid.start, grid.stop - 1} <= set(fmt.ordinal(x).tolist())
    assert set(fmt.cell(fmt.ordinal(x)).tolist()) == set(grid.cells.tolist())
    assert len(x) == len(y) and len(set(y.tolist())) == 9


@pytest.mark.parametrize(("wide", "bits"), [(FLOAT64, 48), (quad(), 107)])
def test_what_is_off_by_more_than_the_bound_is_found(wide, bits):
    problem, x = PROBLEMS["exp"], np.array([0.75]).astype(wide)
    value = problem.fast(x)[0]
    assert program.off(problem, [0.75], value if wide != FLOAT64 else float(value), wide) < 2.0**-bits
    planted = (problem.fast(x) * (1 + np.array([2.0]).astype(wide) ** (2 - bits)))[0]
    found = program.off(problem, [0.75], planted if wide != FLOAT64 else float(planted), wide)
    assert 2.0**-bits < found < 2.0 ** (3 - bits)


def test_what_stands_for_a_value_must_be_beyond_it():
    least = float(tiny(FLOAT64))
    assert program.off(PROBLEMS["exp"], [-1000.0], least, FLOAT64) == 0
    assert program.off(PROBLEMS["exp"], [-10.0], least, FLOAT64) == math.inf


def test_a_pole_and_a_zero_are_themselves():
    assert program.off(PROBLEMS["log"], [0.0], -math.inf, FLOAT64) == 0
    assert program.off(PROBLEMS["log"], [0.5], -math.inf, FLOAT64) == math.inf
    assert program.off(PROBLEMS["log"], [1.0], 0.0, FLOAT64) == 0
    assert program.off(PROBLEMS["log"], [1.5], 0.0, FLOAT64) == math.inf


def test_mpmath_is_confirmed_and_a_wrong_formula_is_not():
    assert program.unconfirmed(PROBLEMS["log"], [3.0]) == ""
    wrong = replace(PROBLEMS["log"], terms=PROBLEMS["log1p"].terms)
    assert "Arb proves" in program.unconfirmed(wrong, [3.0])
