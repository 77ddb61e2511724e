"""The largest errors of a row are the largest: beyond float64's range, among equals, and where the value itself is huge.

A row's three maxima, its mean and their inputs are compared with those that mpmath finds by trying every input.
"""

from dataclasses import replace

import numpy as np
import pytest
from mpmath import mp

from harness.kernels import kernel_named
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.sweep.summary import merge
from harness.tables.rows import difference, rows_of
from harness.truth.certified import error_in_ulp, significant
from harness.truth.errors import measure
from harness.truth.fast import evaluate
from harness.workflow.targets import targets_in

LOSS = PROBLEMS["bce_logits"]
CASES = [
    ("sigmoid_clip_1e-7", "float64", "1"),  # 2e316 ulp in a tail, where the exact loss is subnormal or less
    ("sigmoid_clip_1e-7", "float64", "next_up_0"),
    ("sigmoid_clip_1e-7", "bfloat16", "1"),
    ("softplus_pair", "bfloat16", "next_up_0"),  # 1 - y rounds to 1: the loss is off by x y
    ("softplus_pair", "float32", "next_up_0"),
    ("lse_log", "float32", "1"),  # many errors of exactly 1: the first of them counts
    ("softplus_pair", "float64", "0.1"),
]


def cells_of(grid):
    """A few cells of each sort: the ends, the neighbourhood of 0, in between, and where the exact loss turns subnormal."""
    few = grid.cells[np.unique(np.linspace(0, len(grid.cells) - 1, 48).astype(int))]
    edge = -np.log(grid.fmt.min_normal) * np.array([-1.02, -1, -0.98, 0.98, 1, 1.02])
    return np.union1d(few, grid.fmt.cell(grid.fmt.ordinal(edge.astype(grid.fmt.dtype))))


def found(name, fmt, target, parts=1):
    kernel, grid = kernel_named("bce_logits", name), Grid("quick", LOSS, FORMATS[fmt])
    targets, cells = targets_in(grid.fmt, (target,)), cells_of(grid)
    shards = [sweep(LOSS, [kernel], grid, targets, part).summaries[name] for part in np.array_split(cells, parts)]
    return rows_of(LOSS, kernel, grid, targets, merge(shards))[0], Case(LOSS, name, kernel, grid, targets[0]), cells


def tried(case, cells):
    """What mpmath finds: (largest, input) of each measure over all finite results, the least in value; and the mean."""
    ordinals = case.grid.ordinals(cells)  # a critical input may be among those of its cell: it counts twice
    computed = case.compute(ordinals)
    kept = [(int(n), c) for n, c in zip(ordinals, computed) if np.isfinite(c)]
    measures = {
        "max_ulp": lambda n, c: error_in_ulp(case.fmt, c, case.exact(n)),
        "max_rel": lambda n, c: difference(case, n, relative=True),
        "max_abs": lambda n, c: difference(case, n, relative=False),
    }
    values = {name: [f(n, c) for n, c in kept] for name, f in measures.items()}
    best = {}
    for name, v in values.items():
        at = max(range(len(v)), key=lambda i: (v[i], -i))
        best[name] = significant(v[at]), case.fmt.hex(case.fmt.from_ordinal(np.array([kept[at][0]]))[0])
    with mp.workprec(4000):
        mean = mp.fsum(values["max_ulp"]) / len(kept)
    return best, mean


def near(text, mean):
    """Tell whether a mean is written to its nine digits."""
    return abs(mp.mpf(text) - mean) <= mean * mp.mpf("1e-8")


@pytest.mark.parametrize(("name", "fmt", "target"), CASES)
def test_every_maximum_is_the_largest_and_the_first_of_its_size(name, fmt, target):
    row, case, cells = found(name, fmt, target)
    best, mean = tried(case, cells)
    assert {m: (row[m], row[f"{m}_input"]) for m in best} == best
    assert near(row["mean_ulp"], mean)


def test_shards_merge_to_the_same_row():
    for case in CASES[:2]:
        assert found(*case, parts=5)[0] == found(*case)[0]


def test_planted_faults_are_caught(monkeypatch):
    """Without scaled errors, exact parts or exact ones, the comparison above fails."""
    from harness.truth import errors, fast

    def differs(case):
        row, at, cells = found(*case)
        best, mean = tried(at, cells)
        return {m: (row[m], row[f"{m}_input"]) for m in best} != best or not near(row["mean_ulp"], mean)

    with monkeypatch.context() as m:
        m.setattr(errors, "HUGE", np.inf)
        m.setattr("harness.sweep.tally.HUGE", np.inf)
        assert differs(CASES[0])
    with monkeypatch.context() as m:
        plain = fast.evaluate
        m.setattr("harness.sweep.streaming.evaluate", lambda *a: replace(plain(*a), parts=None))
        assert differs(CASES[3])


def test_wrong_signs_beside_a_nan_are_counted():
    """A kernel that gives NaN at one target and negative losses at another, both in one block."""
    fmt = FORMATS["float32"]
    x, y = np.linspace(1, 2, 8, dtype=np.float32)[None, :], np.array([[0.0], [0.5]], np.float32)
    computed = np.where(y == 0, np.float32(np.nan), -x).astype(np.float32)
    counted = measure(computed, evaluate(LOSS, fmt, x, y), nonnegative=True).outcomes
    assert counted["wrong_sign"].sum() == counted["spurious_nan"].sum() == 8
    assert not counted["wrong_sign"][0].any() and not counted["spurious_nan"][1].any()
