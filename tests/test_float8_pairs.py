"""All pairs of 8-bit logit and target are visited, and each class is counted."""

from dataclasses import replace

import numpy as np
import pytest

from harness.kernels import kernel_named
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.studies.float8_pairs.measure import FORMATS, pairs
from harness.truth.errors import SPURIOUS

PROBLEM = problem_named("bce_logits")
STABLE = kernel_named("bce_logits", "softplus_pair")


@pytest.mark.parametrize("name", FORMATS)
def test_every_pair_is_in_one_class(name):
    row, classes = pairs(PROBLEM, STABLE, format_named(name))
    assert row["pairs"] == 1 << 16
    assert sum(row[c] for c in ("in_domain", "infinite_logit", "outside", "nan_pairs")) == 1 << 16
    assert sum(len(r["classes"]) for r in classes) == row["in_domain"]
    assert all(row[c] == 0 for c in SPURIOUS)
    assert float(row["max_ulp"]) < 4


@pytest.mark.parametrize("name", FORMATS)
def test_planted_faults_are_counted(name):
    """A NaN hidden, an infinity on a finite logit, a limit missed: each shows in its own column."""

    def faulty(x, y):
        found = np.array(np.broadcast_to(STABLE.function(x, y), np.broadcast_shapes(x.shape, y.shape)))
        wide = x.astype(np.float64)
        found[:, (wide == 1)[0]] = np.nan
        found[np.broadcast_to(np.isnan(wide), found.shape)] = 0
        found[np.broadcast_to(np.isinf(wide), found.shape)] = 7
        return found

    good, bad = (pairs(PROBLEM, replace(STABLE, function=f), format_named(name))[0] for f in (STABLE.function, faulty))
    targets = good["in_domain"] // (254 if name == "float8_e4m3fn" else 248)
    assert bad["spurious_nan"] == targets and good["spurious_nan"] == 0
    assert bad["nan_hidden"] > good["nan_hidden"] == 0
    assert bad["limit_missed"] == bad["infinite_logit"] >= good["limit_missed"]
