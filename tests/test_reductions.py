"""The study of reductions: methods against plain loops, exact sums, bounds and their breach, stagnation."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.kernels import kernel_named
from harness.numbers.formats import FORMATS, format_named
from harness.studies.reductions import methods as m
from harness.studies.reductions.error_bounds import BoundBroken, check, height, numpy_height, unit
from harness.studies.reductions.losses import exact_sums, losses
from harness.studies.reductions.measure import Batches, outcome, reduction_row, reduction_rows, sizes
from harness.studies.reductions.methods import METHODS, Reduction
from harness.studies.reductions.stagnation import measured, predicted, shortfall

NAMES = ("float16", "bfloat16", "float32", "float64")
PARAMETERS = {"seed": 7, "sd": 3, "batches": 3, "losses_of_small_batches": 3000}


def some(name: str, n: int = 700, count: int = 2) -> np.ndarray:
    """Return losses of shape (count, n)."""
    return losses(format_named(name), count * n, PARAMETERS).reshape(count, n)


@pytest.mark.parametrize("name", NAMES)
def test_sequential_rounds_every_partial_sum_into_the_format(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, fmt = some(name), format_named(name)
    for block in (m.BLOCK, 64):
        monkeypatch.setattr(m, "BLOCK", block)
        for batch, found in zip(x, m.sequential(x)):
            total = batch[0]
            for v in batch[1:]:
                total = fmt.round(Fraction(float(total)) + Fraction(float(v)))
            assert found == total and found.dtype == fmt.dtype


@pytest.mark.parametrize("name", NAMES)
def test_pairwise_is_a_tree_of_the_stated_height(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def tree(values: list) -> tuple:  # type: ignore[type-arg]
        level = [(v, 0) for v in values]
        while len(level) > 1:
            pairs = [(a[0] + b[0], 1 + max(a[1], b[1])) for a, b in zip(level[::2], level[1::2])]
            level = pairs + level[len(pairs) * 2 :]
        return level[0]

    for n in (1, 2, 3, 7, 64, 699):
        x = some(name)[:, :n]
        expected = [tree(list(batch)) for batch in x]
        assert [h for _, h in expected] == [height(n)] * len(x)
        for block in (m.BLOCK, 32):
            monkeypatch.setattr(m, "BLOCK", block)
            assert [float(v) for v in m.pairwise(x)] == [float(v) for v, _ in expected]


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_numpy_adds_by_the_tree_that_its_bound_supposes(name: str) -> None:
    def tree(x: np.ndarray) -> tuple[np.generic, int]:
        n = len(x)
        if n < 8:
            total = x[0]
            for v in x[1:]:
                total = total + v
            return total, n - 1
        if n <= 128:
            r = x[: n - n % 8].reshape(-1, 8)
            s = np.add.accumulate(r, axis=0)[-1]
            total = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
            for v in x[n - n % 8 :]:
                total = total + v
            return total, n // 8 - 1 + 3 + n % 8
        half = n // 2 - n // 2 % 8
        (a, i), (b, j) = tree(x[:half]), tree(x[half:])
        return a + b, 1 + max(i, j)

    batch = some(name, 5000)[0]
    for n in (1, 5, 8, 100, 128, 129, 1000, 5000):
        value, depth = tree(batch[:n])
        assert batch[:n].sum() == value and numpy_height(n) == depth


@pytest.mark.parametrize("name", NAMES)
def test_kahan_alone_and_in_batches_is_kahans_loop(name: str) -> None:
    x = some(name, 300)
    for batch, found in zip(x, m.kahan(x)):
        s, c = batch[0], batch[0] - batch[0]
        for v in batch[1:]:
            y = v - c
            t = s + y
            c = (t - s) - y
            s = t
        assert s == found == m.kahan(batch[None, :])[0]


@pytest.mark.parametrize("name", NAMES)
def test_lanes_hold_every_loss_once(name: str) -> None:
    x = some(name, 3 * m.LANES + 5)
    bound = 3 * (2 * unit(format_named(name)) + 1e-4)
    for found, exact in zip(m.kahan_lanes(x), exact_sums(x)):
        assert abs(float(found) - float(exact)) <= bound * float(exact)


@pytest.mark.parametrize("name", NAMES)
def test_exact_sums_are_exact(name: str) -> None:
    x = some(name, 100)
    assert exact_sums(x) == [sum((Fraction(float(v)) for v in batch), Fraction(0)) for batch in x]


def test_exact_sums_refuse_what_they_cannot_hold() -> None:
    with pytest.raises(ValueError, match="multiple of 2\\^-100"):
        exact_sums(np.array([[2.0**-101]]))


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_the_stable_kernels_and_do_not_depend_on_their_number(name: str) -> None:
    fmt = format_named(name)
    assert (losses(fmt, 50, PARAMETERS) == losses(fmt, 1000, PARAMETERS)[:50]).all()
    kernel = kernel_named("bce_logits", "softplus_pair")
    x = np.array([-3.0, 0.0, 2.5]).astype(fmt.dtype)
    if fmt.bits == 16:
        from harness.studies.reductions.losses import _table

        for target in (0, 1):
            direct = kernel(x, np.full(3, target).astype(fmt.dtype))
            assert (_table(fmt)[target, x.view(np.uint16)] == direct).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_method_stays_below_its_bound_and_rows_agree(name: str) -> None:
    fmt = format_named(name)
    rows = reduction_rows(fmt, losses(fmt, 10000, PARAMETERS), PARAMETERS)
    assert len({tuple(r) for r in rows}) == 1
    assert {r["method"] for r in rows if r["quantity"] == "sum"} >= {"sequential", "pairwise", "numpy", "kahan", "fsum"}
    assert sum(r["within_bound"] is True for r in rows) > len(rows) / 2
    assert json.dumps(rows) == json.dumps(reduction_rows(fmt, losses(fmt, 10000, PARAMETERS), PARAMETERS))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["a loss left out", "added one by one", "the bound of another format"])
def test_an_error_above_its_bound_stops_the_run(name: str, fault: str) -> None:
    fmt = format_named(name)
    x = some(name, 3000, 1)
    b = Batches(fmt, x, exact_sums(x), 0.0)
    pairwise = next(k for k in METHODS if k.name == "pairwise")
    exact = next(k for k in METHODS if k.name == "fsum")
    planted = {
        "a loss left out": Reduction("planted", "sum", lambda v: m.fsum(v[:, :-100]), exact.bound, 10**8),
        "added one by one": Reduction("planted", "sum", m.sequential, exact.bound, 10**8),
        "the bound of another format": Reduction("planted", "sum", m.pairwise, lambda n, f, e: pairwise.bound(n, f, e) / 2**9, 10**8),
    }[fault]  # fmt: skip
    with pytest.raises(BoundBroken, match=f"sum planted of 3000 losses in {name}"):
        reduction_row(planted, b)
    assert check(1e-9, 1e-9, "equal is within") is True


def test_a_mean_of_means_has_the_bias_of_its_rows() -> None:
    x = some("float64", 1000, 1)
    b = Batches(FORMATS["float64"], x, exact_sums(x), 0.0)
    v = [Fraction(float(e)) for e in x[0]]
    total = sum(v, Fraction(0)) / 1000
    mixed = [v[20 * i : 20 * i + 20] for i in range(5)] + [v[100 + 180 * i : 280 + 180 * i] for i in range(5)]
    short = [v[224 * i : 224 * i + 224] for i in range(5)]
    for name, rows in (("means_mixed_rows", mixed), ("means_short_last_row", short)):
        own = sum((sum(r, Fraction(0)) / len(r) for r in rows), Fraction(0)) / len(rows)
        row = reduction_row(next(k for k in METHODS if k.name == name), b)
        assert float(str(row["bias_rel"])) == pytest.approx(float(abs(own - total) / total), rel=1e-8)
        assert float(str(row["rounding_rel"])) < 1e-14


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 40.0), st.sampled_from(["float16", "bfloat16"]))
def test_the_predicted_end_of_a_running_sum_is_the_measured_one(loss: float, name: str) -> None:
    fmt = format_named(name)
    value = float(fmt.round(loss))
    s, n = predicted(fmt, value)
    assert (s, n) == measured(fmt, value, 10**6)
    assert s == math.inf or s == 2.0 ** (fmt.precision + math.ceil(math.log2(value)))


@pytest.mark.parametrize("name", NAMES)
def test_ones_stop_at_two_to_the_precision(name: str) -> None:
    fmt = format_named(name)
    assert predicted(fmt, 1.0) == (2.0**fmt.precision, 2**fmt.precision)


def test_a_float16_sum_of_losses_up_to_16_stagnates_and_of_larger_ones_overflows() -> None:
    assert predicted(FORMATS["float16"], 16.0)[0] == 2.0**15
    assert predicted(FORMATS["float16"], float(np.nextafter(np.float16(16), np.float16(17))))[0] == math.inf


def test_a_shortfall_is_where_the_sum_first_falls_short() -> None:
    ones = np.ones(5000, np.float16)
    found = shortfall(ones, FORMATS["float16"], FORMATS["float16"])
    assert found["last_growth_n"] == 2048 and found["sum"] == 2048.0
    assert found["short_0.5_n"] == 4096 and found["overflow_n"] == ""


def test_outcomes() -> None:
    fmt = FORMATS["float16"]
    inf, zero = np.array([np.inf], np.float16), np.zeros(1, np.float16)
    assert outcome(fmt, inf, [Fraction(70000)]) == "overflow"
    assert outcome(fmt, inf, [Fraction(60000)]) == "spurious_inf"
    assert outcome(fmt, zero, [Fraction(1)]) == "spurious_zero"
    assert outcome(fmt, np.array([np.nan], np.float16), [Fraction(1)]) == "spurious_nan"
    assert outcome(fmt, zero + 1, [Fraction(1)]) == "finite"
    assert sizes(100) == [1, 3, 10, 30, 100]
