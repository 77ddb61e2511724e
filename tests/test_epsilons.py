"""The study of eps: its bias against exact evaluation, its bins, dead zones, windows and choice."""

from __future__ import annotations

import json
from pathlib import Path

import mpmath
import numpy as np
import pytest
import yaml
from mpmath import mp

from harness.explain.expansions import value
from harness.explain.shadow import trace
from harness.numbers.formats import FORMATS, format_named
from harness.problems import problem_named
from harness.studies.epsilons.bias import bias, certified_parts, exact_bias, exact_pair
from harness.studies.epsilons.candidates import Bins, Eps, candidates, exponents, inputs, ladder, probabilities
from harness.studies.epsilons.choice import best_rows, window_rows
from harness.studies.epsilons.measure import EpsAtTarget, EpsTally, dead_end, run, study_row, sweep
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.truth.certified import truth
from harness.truth.classes import error_class

PARAMETERS = yaml.safe_load(Path("experiments/epsilons.yaml").read_text(encoding="utf-8"))["parameters"]
SMALL = {**PARAMETERS, "grid": dict.fromkeys(FORMATS, "quick")}
POINTS = {"bce": ("0.5", "0x1p-3", "0.0625", "1e-4", "0.9375", "0.999"), "bce_logits": ("0", "2.75", "-3", "7", "-9")}


def found_of(problem: str, fmt: str, *names: str, grid: str = "quick") -> list[tuple[EpsAtTarget, EpsAtTarget]]:
    """Sweep the clamp and the added eps of the given names; both targets of each, the stable form left out."""
    every = [Eps(n, n.replace("2^", "0x1p")) for n in names]
    g = Grid(grid, problem_named(problem), format_named(fmt))
    chosen, bins, ordinals = candidates(g.problem, every), Bins(g.fmt, PARAMETERS), inputs(g, every)
    tallies = sweep(g, chosen, bins)
    return [
        (EpsAtTarget(g, ordinals, bins, c, tally, 0), EpsAtTarget(g, ordinals, bins, c, tally, 1))
        for c, tally in zip(chosen[1:], tallies[1:])
    ]


def worst_disagreement(closed) -> float:  # type: ignore[no-untyped-def]
    """Return the largest relative difference of a closed form of the bias from the kernel evaluated exactly."""
    worst = 0.0
    for problem, points in POINTS.items():
        fmt = FORMATS["float32"]
        for candidate in candidates(problem_named(problem), [Eps("2^-4", "0x1p-4"), Eps("1e-3", "1e-3")])[1:]:
            eps = candidate.eps.rounded(fmt)
            for text in points:
                for target in (0.0, 1.0):
                    x, y = (np.array([v]).astype(fmt.dtype) for v in (float(fmt.round(text)), target))
                    with mp.workprec(300):
                        own = value(trace(candidate.kernel, x, y).exact)
                        exact = truth(problem_named(problem), (mp.mpf(float(x[0])), mp.mpf(target)), 300)
                        found = closed(
                            candidate.form, eps, *exact_pair(problem_named(problem).input, float(x[0]), target)
                        )
                        worst = max(worst, float(abs(found - (own - exact)) / exact))
    return worst


def test_the_closed_form_of_the_bias_is_the_kernel_evaluated_exactly() -> None:
    assert worst_disagreement(exact_bias) < 2.0**-70


@pytest.mark.parametrize(
    "planted",
    [
        lambda form, eps, a, b: exact_bias(form, eps, b, a),  # the other target's
        lambda form, eps, a, b: exact_bias(form, eps / 2, a, b),  # eps off by a binade
        lambda form, eps, a, b: exact_bias(form, eps, a, mp.mpf(1)),  # the upper clamp forgotten
    ],
)
def test_a_planted_fault_in_the_bias_is_seen(planted) -> None:  # type: ignore[no-untyped-def]
    assert worst_disagreement(planted) > 1e-6


@pytest.mark.parametrize("form", ["clamp", "added"])
@pytest.mark.parametrize("eps", [0.0, 2.0**-1, 1e-7, 2.0**-52, 2.0**-1074])
def test_the_bias_of_arrays_agrees_with_mpmath(form: str, eps: float) -> None:
    x = np.array([-800.0, -40.5, -20.0, -3.0, -1e-9, 0.0, 0.5, 7.0, 16.2, 36.5, 300.0])
    p, q = probabilities(problem_named("bce_logits"), x)
    log_p = -np.logaddexp(0, -x)
    with mp.workprec(2000):
        exact = [exact_bias(form, eps, *exact_pair("logit", float(v), 1.0)) for v in x]
        # Relative to bias or loss, the larger; subnormals have fewer bits.
        for fast, e, loss, a in zip(bias(form, eps, p, log_p, q), exact, -log_p, p):
            tolerance = mp.mpf(2) ** -46 * max(abs(e), mp.mpf(float(loss))) + (mp.mpf(2) ** -1074 if a else 1e-13)
            assert abs(mp.mpf(float(fast)) - e) <= tolerance


def test_bias_and_rounding_add_up_to_the_error() -> None:
    for both in found_of("bce", "float16", "2^-6", grid="standard"):
        for found in both:
            at = int(found.tally.largest_at["bias"][found.t])
            case = found.case
            own, rounding = certified_parts(case, found.candidate.form, found.eps, at)
            computed, exact = float(case.compute(np.array([at]))[0]), case.exact(at)
            total = abs(mp.mpf(computed) - exact) / mp.mpf(float(case.fmt.ulp(exact)))
            assert abs(own - rounding) - 1e-9 <= total <= own + rounding + 1e-9
            assert found.tally.largest["bias"][found.t] == pytest.approx(float(own), rel=1e-9)


@pytest.mark.parametrize("fmt", ["float16", "float32"])
def test_the_dead_zone_of_a_clamp_ends_beside_eps(fmt: str) -> None:
    clamp, added = found_of("bce", fmt, "2^-4")
    f = format_named(fmt)
    low, high = (int(f.ordinal(np.array([v]).astype(f.dtype))[0]) for v in (2.0**-4, 1 - 2.0**-4))
    for found in clamp:
        assert (dead_end(found, 1), dead_end(found, -1)) == (low - 1, high + 1)
    assert [dead_end(found, towards) for found in added for towards in (1, -1)] == [None] * 4


def test_every_input_in_the_dead_zone_has_no_gradient_and_none_between() -> None:
    found = found_of("bce_logits", "float16", "2^-4", grid="standard")[0][0]
    lo, hi = dead_end(found, 1), dead_end(found, -1)
    assert lo is not None and hi is not None
    x = found.grid.fmt.from_ordinal(np.arange(lo, hi + 1))[None, :]
    with np.errstate(all="ignore"):
        slope = found.candidate.slope(x, np.full((1, 1), found.case.target))[0].astype(float)
    assert slope[0] == slope[-1] == 0 and (slope[1:-1] != 0).all()


def test_the_window_of_each_format_follows_from_its_precision() -> None:
    for row in window_rows(PARAMETERS):
        p = format_named(str(row["format"])).precision
        assert row["one_plus_eps_above_1"] == f"2^-{p - 1}"
        assert row["one_minus_eps_below_1"] == f"2^-{p}"
        assert float(str(row["log_clamp"])) == pytest.approx(p * np.log(2), rel=1e-8)


def test_a_ladder_goes_past_the_subnormals() -> None:
    for name in PARAMETERS["grid"]:
        fmt = format_named(name)
        values = [e.rounded(fmt) for e in ladder(fmt, PARAMETERS) if e.name.startswith("2^")]
        assert values[0] == 0.5 and values[-3] == fmt.smallest_subnormal and values[-2:] == [0.0, 0.0]
        assert values == sorted(values, reverse=True)


def test_bins_hold_every_input_in_order_and_ranges_their_inputs() -> None:
    fmt, problem = FORMATS["float16"], problem_named("bce")
    bins = Bins(fmt, PARAMETERS)
    p, q = probabilities(problem, fmt.from_ordinal(np.arange(*fmt.finite_ordinals(0.0, 1.0))))
    places = bins.of(p, q)
    assert (np.diff(places) >= 0).all() and places[0] == 0 and places[-1] == bins.count - 1
    with np.errstate(divide="ignore"):
        logit = np.abs(np.log(p) - np.log(q))
    for limit in PARAMETERS["ranges"]:
        assert (bins.within(float(limit))[places] == (logit <= limit)).all()
    assert bins.within(np.inf).all()


def test_classes_are_those_of_the_figures() -> None:
    due = {0.0: 0, 4.0: 0, 4.1: 1, 30.0: 1, 1e3: 2, 2.0**22.9: 4, 2.0**23: 5, np.inf: 5}
    assert {ulp: error_class(ulp, FORMATS["float32"]) for ulp in due} == due


def rows_of(name: str) -> list[dict]:
    """Return the rows of one part on the small grid."""
    return run({**SMALL, "dense": {name: 6}, "step": {name: 40}}, f"{name}-probability")["epsilons"]


def test_a_part_is_the_same_each_time_and_has_one_set_of_columns() -> None:
    first, second = (json.dumps(rows_of("bfloat16")) for _ in range(2))
    assert first == second
    assert len({tuple(r) for r in json.loads(first)}) == 1


def test_the_best_eps_has_the_least_worst_error_and_no_nan() -> None:
    rows = rows_of("float16")
    chosen = {(r["form"], r["range"], r["criterion"]): r for r in best_rows(rows, SMALL) if r["input"] == "probability"}
    best = chosen["clamp", "all", "ulp"]
    powers = [r for r in rows if r["form"] == "clamp" and r["eps"].startswith("2^")]
    worst = {r["eps"]: max(mp.mpf(o["worst_ulp_all"]) for o in powers if o["eps"] == r["eps"]) for r in powers}
    assert mp.mpf(best["worst"]) == min(worst.values()) == worst[best["best_eps"]]
    assert best["spurious_nan"] == 0 and mpmath.isfinite(mp.mpf(best["worst"]))
    # Planted: had the best eps a spurious NaN, its error would be infinite and another one chosen.
    for r in powers:
        if r["eps"] == best["best_eps"]:
            r["worst_ulp_all"] = "inf"
    again = next(
        r for r in best_rows(rows, SMALL) if (r["form"], r["range"], r["criterion"]) == ("clamp", "all", "ulp")
    )
    assert again["best_eps"] != best["best_eps"]


def test_1e_7_clamps_one_end_in_float16_and_both_in_float32() -> None:
    by_format = {name: {r["kernel"]: r for r in rows_of(name) if r["target"] == "1"} for name in ("float16", "float32")}
    assert by_format["float16"]["clip_1e-7"]["one_minus_eps"] == "0x1p+0"
    assert by_format["float16"]["clip_1e-7"]["spurious_nan"] == 1
    assert by_format["float32"]["clip_1e-7"]["one_minus_eps"] == "0x1.fffffcp-1"
    assert by_format["float32"]["clip_1e-7"]["spurious_nan"] == 0


def test_study_row_states_what_the_kernel_returns() -> None:
    found = found_of("bce", "float32", "2^-10")[0][1]
    row, case = study_row(found), found.case
    assert isinstance(case, Case) and isinstance(found.tally, EpsTally)
    assert float.fromhex(str(row["largest_loss"])) == pytest.approx(10 * np.log(2), rel=1e-6)
    assert float(str(row["dead_p"])) == pytest.approx(2 * 2.0**-10, rel=1e-3)
    assert len(str(row["profile"])) == found.bins.count
    assert exponents(FORMATS["float16"], 3, 10) == [1, 2, 3, 13, 23, 24, 25, 26]
