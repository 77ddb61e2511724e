"""Worst-case search: what it finds against true maxima, and faults that a sample misses."""

import csv
import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp

from harness import UsageError
from harness.kernels import Kernel, kernel_named, like
from harness.numbers.division import changes
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.search import along, race, search_worst
from harness.search.along import ExactValues, LineSearch
from harness.search.exchange import EARLIER, exchange
from harness.search.interpolation import run_errors
from harness.search.job import search_job
from harness.search.noise import promise, upper_ends
from harness.search.pairs import bred, kept
from harness.search.published import known_inputs, known_pairs, published
from harness.search.race import OF_CELL, WorstInputs, raced
from harness.search.space import BoxSearch, SearchLine, SearchResult, divide_boxes, errors_at
from harness.search.table import search_table_job
from harness.search.windows import IN_ALL, search_windows
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import sweep
from harness.tables import writer
from harness.workflow import experiments, files
from harness.workflow.provenance import functions_differ

TABLES = Path(__file__).parent.parent / "results" / "tables"
FLOAT32, FLOAT64 = format_named("float32"), format_named("float64")
AROUND = 6  # cells on either side of the worst input that are visited whole where there is no table

# Errors of each sort: noise (log, softplus), a slope at a threshold (tensorflow), cancellation (target 0.1).
CASES = [
    ("log", "numpy", None),
    ("tanh", "expm1", None),
    ("softplus", "shifted", None),
    ("softplus", "tensorflow", None),
    ("bce_logits", "logaddexp", "0.1"),
    ("bce_logits", "maechler", "1"),
]


def tabled_maximum(case: Case, target: str | None) -> float | None:
    """Return the maximum of the committed exhaustive table, where this machine's functions are those under it."""
    table = TABLES / f"exhaustive_{'logits' if case.problem.name == 'bce_logits' else 'primitives'}.csv"
    if not table.exists() or functions_differ(json.loads(table.with_suffix(".json").read_text())["provenance"]):
        return None
    wanted = (case.problem.name, case.name, "float32", target or "")
    with table.open(encoding="utf-8") as f:
        row = next(r for r in csv.DictReader(f) if (r["problem"], r["kernel"], r["format"], r["target"]) == wanted)
    return float(row["max_ulp"])


def maximum_of_whole_cells(case: Case, found: SearchResult) -> float:
    """Return the largest error of every input of the cells around the worst input found."""
    grid = Grid("exhaustive", case.problem, FLOAT32)
    at = int(FLOAT32.cell(np.array([found.point[0]]))[0])
    cells = grid.cells[abs(grid.cells - at) <= AROUND]
    targets = None if case.target is None else np.array([case.target])
    kernel = kernel_named(case.problem.name, case.name)
    return float(sweep(case.problem, [kernel], grid, targets, cells).summaries[case.name].max_ulp.max())


@pytest.mark.parametrize(("problem", "name", "target"), CASES)
def test_a_search_finds_99_percent_of_the_true_float32_maximum(problem, name, target):
    """On 2^20 evaluations; the sample that it starts from does not find so much, save by luck."""
    kernel, exact = kernel_named(problem, name), problem_named(problem)
    value = FLOAT32.parse(target) if target else None
    found = search_worst(exact, kernel, FLOAT32, value, budget=1 << 20, seed=0)
    case = Case(exact, name, kernel, Grid("standard", exact, FLOAT32), value)
    true = tabled_maximum(case, target) or maximum_of_whole_cells(case, found)
    assert found.ulp >= 0.99 * true
    assert found.ulp <= true * (1 + 1e-6)
    assert found.sampled < 0.99 * true
    assert found.evaluations <= 1.02 * (1 << 20)
    assert found.trace == sorted(found.trace) and found.trace[-1][1] == found.ulp


def planted(fault) -> Kernel:
    """Return softplus's kernel with a fault: a function of the inputs and the kernel's results."""
    good = kernel_named("softplus", "logaddexp")
    return replace(good, name="planted", function=lambda x: fault(x, good.function(x)))


@pytest.mark.parametrize("fmt", [FLOAT32, FLOAT64], ids=lambda f: f.name)
def test_a_branch_is_found_to_the_exact_neighbouring_number(fmt):
    """x alone above a threshold loses e^-x: worst at the first number above it, which no sample hits."""
    threshold = 7.654321
    kernel = planted(lambda x, good: np.where(x > like(str(threshold), x), x, good))
    found = search_worst(problem_named("softplus"), kernel, fmt, None, budget=1 << 18)
    assert found.point == (int(fmt.ordinal(np.array([fmt.round(threshold)]))[0]) + 1,)
    assert found.sampled < found.ulp


def test_a_narrow_spike_is_found_at_its_tip():
    """An error that grows towards one input: the sample sees a slope, the search its tip."""
    tip = FLOAT64.round(-3.21)
    kernel = planted(lambda x, good: good * (1 + like("1e-12", x) / (abs(x - tip) + like("1e-9", x))))
    found = search_worst(problem_named("softplus"), kernel, FLOAT64, None, budget=1 << 19)
    assert abs(float(FLOAT64.from_ordinal(np.array(found.point))[0]) - float(tip)) < 1e-10
    assert found.sampled < 0.99 * found.ulp


def test_a_saturation_point_is_halved_to_by_the_kind_of_result():
    """From 5.4321 up the kernel returns NaN, which has no error: the last good number is visited."""
    threshold = FLOAT64.round(5.4321)
    kernel = planted(lambda x, good: np.where(x >= threshold, like("nan", x), good))
    run = LineSearch(SearchLine(problem_named("softplus"), FLOAT64), kernel, 1 << 16, 0)
    points = FLOAT64.ordinal(np.array([1.0, 2.0, 5.0, 6.0, 7.0, 50.0]))
    assert int(FLOAT64.ordinal(np.array([threshold]))[0]) in run.jumps(points, run.visit(points[None]))


def test_the_same_seed_gives_the_same_search_and_another_seed_another():
    def run(seed: int) -> SearchResult:
        return search_worst(problem_named("exp"), kernel_named("exp", "numpy"), FLOAT32, None, 1 << 17, seed)

    assert run(1) == run(1)
    assert run(1).trace != run(2).trace


def test_targets_are_searched_too():
    """Where a clamp sets in the error jumps, and it is largest for one target, which no fixed target is."""
    problem, kernel = problem_named("bce_logits"), kernel_named("bce_logits", "sigmoid_clamp_log_100")
    found = search_worst(problem, kernel, FLOAT32, None, 1 << 20)
    x, y = FLOAT32.from_ordinal(np.array(found.point))
    assert len(found.point) == 2 and 0 <= y <= 1
    case = Case(problem, kernel.name, kernel, Grid("standard", problem, FLOAT32), y)
    assert case.errors(FLOAT32.ordinal(np.array([x]))).ulp[0, 0] == found.ulp
    for fixed in ("0", "1", "0.1"):
        assert found.ulp > search_worst(problem, kernel, FLOAT32, FLOAT32.parse(fixed), 1 << 18).ulp
    assert found.trace == sorted(found.trace) and found.trace[-1][1] == found.ulp
    assert found.evaluations <= 1 << 20


def in_runs(problem: str, name: str, target: str | None, fmt, at: float, count: int, stride: int):
    """Return the ordinals of one run that starts at a number, and what interpolation says about their errors."""
    line = SearchLine(problem_named(problem), fmt, fmt.parse(target) if target else None)
    ordinals = fmt.ordinal(np.array([at], fmt.dtype)) + stride * np.arange(count)
    kernel = kernel_named(problem, name)
    error = run_errors(line.problem, kernel, fmt, lambda points: line.inputs(points[0]), ordinals[None, None])
    return ordinals, error[0]


@pytest.mark.parametrize("fmt", [FLOAT32, FLOAT64], ids=lambda f: f.name)
@pytest.mark.parametrize(("problem", "name", "target"), CASES)
def test_interpolated_errors_are_those_of_exact_values(problem, name, target, fmt):
    """On runs of every size in use, one across a power of two of the input and one of the exact value."""
    line = SearchLine(problem_named(problem), fmt, fmt.parse(target) if target else None)
    kernel = kernel_named(problem, name)
    for at, count, stride in ((0.2684, 8192, 1), (0.4999, 4096, 1), (1 - 2.0**-12, 8191, 1), (0.7, 33, 7)):
        ordinals, error = in_runs(problem, name, target, fmt, at, count, stride)
        assert len(ordinals) == count and ordinals[1] - ordinals[0] == stride and error.min() >= 0
        assert abs(error - errors_at(line.problem, kernel, fmt, line.inputs(ordinals))).max() < 2.0**-5


def test_interpolated_errors_hold_where_results_are_subnormal():
    """There float64 has no numbers between two results, so the exact values must be counted in ulps."""
    ordinals, error = in_runs("softplus", "shifted", None, FLOAT64, -744.0, 1024, 1 << 20)
    line = SearchLine(problem_named("softplus"), FLOAT64)
    exact = errors_at(line.problem, kernel_named("softplus", "shifted"), FLOAT64, line.inputs(ordinals))
    assert error.min() >= 0 and abs(error - exact).max() < 2.0**-5 and exact.max() > 0.4


def test_a_run_that_is_no_polynomial_is_left_out():
    """Negative control of the above: from 0.01 to 3 in 4096 steps, and across 0 from below."""
    step = int(np.diff(FLOAT32.ordinal(np.array([0.01, 3.0], np.float32)))[0]) // 4096
    assert in_runs("softplus", "shifted", None, FLOAT32, 0.01, 4096, step)[1].max() == -1
    assert in_runs("softplus", "shifted", None, FLOAT32, -1.0, 8192, 1 << 18)[1].max() == -1


@pytest.mark.parametrize("fmt", [FLOAT32, FLOAT64], ids=lambda f: f.name)
def test_one_wrong_result_in_a_run_is_seen_and_its_error_certified(fmt):
    """A run of 8192 inputs, one result of which is 64 ulp off: no sample would see it."""
    bad = fmt.step(fmt.round(0.3), 5000)
    kernel = planted(
        lambda x, good: np.where(x == bad, good * (1 + like("1e-5" if fmt is FLOAT32 else "1e-14", x)), good)
    )
    run = LineSearch(SearchLine(problem_named("softplus"), fmt), kernel, 1 << 16, 0)
    run.look_at_runs((fmt.ordinal(np.array([fmt.round(0.3)])) + np.arange(8192))[None, None])
    assert run.found.point == (int(fmt.ordinal(np.array([bad]))[0]),)
    assert run.found.ulp == run.errors(np.array([run.found.point]))[0] > 32
    assert run.found.interpolated == 8192 and run.found.evaluations < 16


def scattered(x, bits):
    """Return numbers in [-1, 1) that look random from one float64 input to the next."""
    return ((x.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - bits)) / 2.0 ** (bits - 1)) - 1


def strip(ends: tuple[float, float]) -> Kernel:
    """Return softplus with errors up to 40 ulp that look random where 2^-6 < |x| < 8, up to 60 in a strip of inputs."""

    def noisy(x, good):
        inside = (x >= ends[0]) & (x < ends[1])
        size = np.where((abs(x) > 2.0**-6) & (abs(x) < 8), np.where(inside, 60, 40), 0)
        return good * (1 + size * 2.0**-53 * scattered(x, 40))

    return planted(noisy)


def test_noise_is_looked_for_where_it_is_largest_not_where_a_sample_happened_to_be():
    """A strip of a 50th of a binade, among 18 binades of errors that are at most 42 ulp, where the sample saw 39."""
    ends = (1.74, 1.76)  # softplus is just below 2 there
    found = search_worst(problem_named("softplus"), strip(ends), FLOAT64, None, 1 << 18)
    assert ends[0] <= FLOAT64.from_ordinal(np.array(found.point))[0] < ends[1]
    assert found.sampled < 42 and found.ulp > 55


def test_the_end_of_a_tail_decides_and_not_a_group_of_large_errors():
    """Errors that end at 1.5 promise less than errors that thin out beyond 1.4; a group apart promises nothing more."""
    rng = np.random.default_rng(0)
    ended, thin = 1.5 - 0.05 * rng.random(1024), 0.9 + 0.1 * rng.exponential(size=1024)
    group = np.where(np.arange(1024) < 8, 1.4, 0.5) + 0.01 * rng.random(1024)
    end, tail, apart = promise(upper_ends(np.stack([ended, thin, group])), 1.6)
    assert tail > max(end, apart)


def test_boxes_are_divided_along_the_target_before_runs_become_short():
    low, high = np.zeros((2, 1), np.int64), np.array([[2048], [64]])
    first, last, parent = divide_boxes(low, high, 4, run=1024)
    assert (last - first)[0].tolist() == [2048] * 4 and (last - first)[1].tolist() == [16] * 4
    assert parent.tolist() == [0] * 4
    assert (divide_boxes(low, high, 4)[1][0] == [512, 1024, 1536, 2048]).all()


def test_worst_inputs_are_tried_on_all_rows(monkeypatch):
    """What is bad for softplus at x is bad for the loss of target 0 there and of target 1 at -x; others keep their own."""
    monkeypatch.setattr("harness.search.exchange.known_inputs", lambda fmt: known_inputs(FLOAT32))
    bad, good = "-0x1.4d62c9280789dp+0", "0x1.0p+0"
    named = [("softplus", "shifted", "", bad), ("bce_logits", "lse_log1p", "1", good), ("exp", "numpy", "", good)]
    rows = [
        {"problem": p, "kernel": k, "target": t, "max_ulp_input": x, "seed": n, "evaluations_to_best": 7 + n}
        for n, (p, k, t, x) in enumerate(named)
    ]
    exchange(rows, FLOAT64, joint=False)
    assert rows[1]["max_ulp_input"] == bad.removeprefix("-") and float(rows[1]["max_ulp"]) > 1.5
    assert (rows[1]["found_for"], rows[1]["seed"], rows[1]["evaluations_to_best"]) == ("softplus shifted", 0, 7)
    assert "found_for" not in rows[0]
    with mp.workprec(200):
        for r in rows[:2]:
            assert float.fromhex(r["max_ulp_input"]) in (float.fromhex(bad), -float.fromhex(bad))


def test_pairs_that_earlier_searches_found_are_tried(monkeypatch):
    """Negative control: without them a row keeps its own search's pair."""

    def exchanged():
        row = {"problem": "bce_logits", "kernel": "softplus_pair", "target": "0.5", "max_ulp_input": "0x1p+0"}
        rows = [row | {"seed": 0, "evaluations_to_best": 7}]
        exchange(rows, FLOAT32, joint=True)
        return rows[0]

    row = exchanged()
    assert float(row["max_ulp"]) > 4.5 and (row["found_for"], row["seed"]) == (EARLIER, "")
    monkeypatch.setattr("harness.search.exchange.known_pairs", lambda fmt: known_pairs(FLOAT64))
    assert "max_ulp" not in exchanged() and known_pairs(FLOAT64)[0].size == 0


def test_inputs_that_earlier_searches_found_are_tried():
    row = {
        "problem": "softplus",
        "kernel": "shifted",
        "target": "",
        "max_ulp_input": "0x1p+0",
        "seed": 0,
        "evaluations_to_best": 7,
    }
    exchange(rows := [row], FLOAT64, joint=False)
    assert float(rows[0]["max_ulp"]) > 1.597 and rows[0]["found_for"] == EARLIER
    exchange(rows := [{**row, "found_for": ""}], FLOAT32, joint=False)  # negative control: none are known
    assert rows[0]["found_for"] == "" and known_inputs(FLOAT32).size == 0


def test_powers_of_two_of_the_exact_value_are_found_to_the_neighbour():
    problem = problem_named("softplus")
    points = np.arange(*FLOAT32.finite_ordinals(-20.0, -0.5), 1 << 12)
    steps = changes(ExactValues(SearchLine(problem, FLOAT32)).binade, points)
    for k in range(-28, -1):
        with mp.workprec(200):
            x = mp.log(mp.expm1(mp.mpf(2) ** k))  # softplus(x) = 2^k
        nearest = int(FLOAT32.ordinal(np.array([FLOAT32.round(x)]))[0])
        assert abs(steps - nearest).min() <= 1


@pytest.mark.parametrize("fmt", [FLOAT32, FLOAT64], ids=lambda f: f.name)
def test_the_zero_of_a_gradient_is_visited_on_both_sides(fmt):
    """There the exact value has lost all but its last bits, and so has every kernel: no sample comes so near."""
    y = fmt.parse("0.1")
    found = search_worst(
        problem_named("bce_logits_grad"), kernel_named("bce_logits_grad", "softplus_pair"), fmt, y, 1 << 18
    )
    with mp.workprec(200):
        zero = mp.log(mp.mpf(float(y)) / (1 - mp.mpf(float(y))))
        x = fmt.from_ordinal(np.array(found.point) + np.array([-1, 1]))
        assert float(x[0]) < zero < float(x[1])
    assert found.ulp >= found.sampled > 1e6  # the sample visits it too, as every sampled grid does


def test_few_inputs_stand_for_many_where_results_lie_less_dense():
    exact = ExactValues(SearchLine(problem_named("sigmoid"), FLOAT32))
    low, high = (FLOAT32.ordinal(np.array(v, np.float32)) for v in ([1e-6, 4.0], [1.001e-6, 4.001]))
    few, many = exact.degrees(low, high)
    assert few <= 16 and many > 1000


def test_the_table_holds_the_worst_of_the_seeds_and_is_the_same_for_any_shards(tmp_path):
    file = tmp_path / "worst.yaml"
    schema = Path(__file__).parent.parent / "experiments" / "schema.yaml"
    (tmp_path / "schema.yaml").write_text(schema.read_text(encoding="utf-8"), encoding="utf-8")
    texts = []
    for shards in (1, 3):
        file.write_text(
            "question: Which input is worst?\nproblems: [log1p, exp]\nkernels: all\nformats: [float32]\n"
            f"targets: [0.1]\nsearch: {{budget: 4096, seeds: [3, 4]}}\nshards: {{float32: {shards}}}\n"
        )
        experiment = experiments.load(file)
        parts = [tmp_path / f"{shards}.{i}.json" for i in range(shards)]
        for i, part in enumerate(parts):
            search_job(experiment, FLOAT32, i, part)
        search_table_job(experiment, parts, tmp_path / "worst.csv")
        texts.append([(tmp_path / f"worst.{end}").read_bytes() for end in ("csv", "md", "tex")])
    assert texts[0] == texts[1]
    for r in writer.read(tmp_path / "worst.csv").to_dict("records"):
        exact, value = problem_named(r["problem"]), FLOAT32.parse(r["target"]) if r["target"] else None
        one = {s: search_worst(exact, kernel_named(r["problem"], r["kernel"]), FLOAT32, value, 4096, s) for s in (3, 4)}
        ulps = sorted(f.ulp for f in one.values())
        if r["found_for"]:  # more than its own search found
            assert float(r["least_ulp"]) == pytest.approx(ulps[0], rel=1e-6) and float(r["max_ulp"]) > ulps[1]
        else:
            assert [float(r["least_ulp"]), float(r["max_ulp"])] == pytest.approx(ulps, rel=1e-6)
            assert one[int(r["seed"])].ulp == ulps[1]
        assert int(r["points"]) == sum(f.evaluations for f in one.values())


def test_a_table_says_whose_search_found_a_worst_input(tmp_path, monkeypatch):
    """softplus(x) and log_sigmoid(-x) are the same but for the sign: no kernel of one may be left with less."""
    monkeypatch.setattr("harness.search.exchange.known_inputs", lambda fmt: known_inputs(FLOAT32))
    file, schema = tmp_path / "worst.yaml", Path(__file__).parent.parent / "experiments" / "schema.yaml"
    (tmp_path / "schema.yaml").write_text(schema.read_text(encoding="utf-8"), encoding="utf-8")
    file.write_text(
        "question: Which input is worst?\nproblems: [softplus, log_sigmoid]\nkernels: all\nformats: [float64]\n"
        "targets: [0]\nsearch: {budget: 8192, seeds: [0]}\nshards: {float64: 1}\n"
    )
    experiment = experiments.load(file)
    search_job(experiment, FLOAT64, 0, tmp_path / "part.json")
    search_table_job(experiment, [tmp_path / "part.json"], tmp_path / "worst.csv")
    rows = {(r["problem"], r["kernel"]): r for r in writer.read(tmp_path / "worst.csv").to_dict("records")}
    equal = [rows["softplus", "shifted"], rows["softplus", "logaddexp"], rows["log_sigmoid", "negated_softplus"]]
    assert len({r["max_ulp"] for r in equal}) == 1
    others = [r for r in rows.values() if r["found_for"]]
    assert others and all(tuple(r["found_for"].split()) in rows for r in others)
    assert others[0]["found_for"] in (tmp_path / "worst.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("problem", "name", "target"), [("expm1", "numpy", None), ("bce", "xlogy", "0")])
def test_what_others_found_is_known(problem, name, target, monkeypatch):
    """A search of float64 finds no less than the worst inputs published, which it would not find alone."""
    kernel, exact = kernel_named(problem, name), problem_named(problem)
    value = None if target is None else FLOAT64.parse(target)
    line = SearchLine(exact, FLOAT64, value)
    there = errors_at(exact, kernel, FLOAT64, line.inputs(published(exact, FLOAT64))).max()
    assert search_worst(exact, kernel, FLOAT64, value, budget=1 << 16).ulp >= there
    monkeypatch.setattr(along, "published", lambda *_: np.empty(0, np.int64))
    assert search_worst(exact, kernel, FLOAT64, value, budget=1 << 16).ulp < there
    assert published(exact, FLOAT32).size == 0  # float32 has its exhaustive tables


def box_search(problem: str, name: str, fmt, target: str | None, seed: int) -> LineSearch:
    line = SearchLine(problem_named(problem), fmt, None if target is None else fmt.parse(target))
    return LineSearch(line, kernel_named(problem, name), 1 << 18, seed)


def climbed_and_sampled(run: LineSearch, ends: tuple[float, float]) -> tuple[float, float]:
    """Return the largest error found by climbing windows between two numbers, and by three times as many random inputs."""
    low, high = (FLOAT64.ordinal(np.array([v])) for v in ends)
    sampled = run.visit(run.rng.integers(low[0], high[0], (1, 1 << 18))).max()
    climbed = SearchResult()
    run.found, sampled_result = climbed, run.found
    search_windows(run, (low[None], high[None]), (low[None], high[None]), 5 * IN_ALL * 2)
    assert 3 * climbed.interpolated <= sampled_result.evaluations
    return climbed.ulp, float(sampled)


def test_windows_are_climbed_to_what_random_inputs_do_not_reach():
    """Where roundings are what makes an error: their phases are linear, so bad inputs combine to worse ones."""
    climbed, sampled = climbed_and_sampled(box_search("bce_logits", "softplus_pair", FLOAT64, "0.1", 0), (0.565, 0.58))
    assert climbed > sampled + 0.02


def test_scattered_errors_cannot_be_climbed():
    """Negative control of the above: errors that are a hash of the input have no phases, and combinations find no more."""
    line, ends = SearchLine(problem_named("softplus"), FLOAT64), (1.70, 1.74)
    climbed, sampled = climbed_and_sampled(LineSearch(line, strip(ends), 1 << 18, 0), ends)
    assert climbed < sampled * 1.001


def test_parts_of_bad_pairs_make_worse_ones():
    """In a box of pairs a sample of as many finds less."""
    problem, kernel = problem_named("bce_logits"), kernel_named("bce_logits", "softplus_pair")

    run = BoxSearch(problem, kernel, FLOAT32, lambda p: tuple(FLOAT32.from_ordinal(q)[None] for q in p), 1 << 18, 0)
    low, high = (FLOAT32.ordinal(np.array(v, np.float32))[:, None] for v in ([-6.0, 1.6e-4], [-5.7, 2e-4]))
    sampled = run.visit(run.rng.integers(low, high, (2, 1 << 18))).max()
    _, ulp = bred(run, run.rng.integers(low, high, (2, 16384)), (low, high), 4096)
    assert run.found.evaluations < 1 << 19 and ulp[0] > sampled + 0.2


def test_no_input_has_all_of_the_pairs_kept():
    """64 pairs of one input and 64 of another, all worse: LEAST of them stay, each once."""
    points = np.array([[1] * 64 + [2] * 64 + list(range(3, 67)), [*range(64), *range(64), *range(64)]])
    ulp = np.concatenate([np.full(128, 2.0), np.ones(64)])
    found, errors = kept(np.repeat(points, 2, axis=1), np.repeat(ulp, 2), 64)
    assert np.unique(found, axis=1).shape == found.shape and (np.bincount(found[0])[1:3] == 4).all()
    assert (np.diff(errors) <= 0).all()


def test_the_worst_inputs_of_a_line_are_the_worst_of_each_cell():
    """In parts or at once, twice given or not; those beyond OF_CELL of a crowded cell stay out, however bad they are."""
    rng = np.random.default_rng(3)
    ordinals = FLOAT32.ordinal(rng.uniform(-4, 4, 4000).astype(np.float32))
    ulp = np.where(FLOAT32.cell(ordinals) == FLOAT32.cell(ordinals[:1]), 9.0, 1.0) + rng.random(4000)
    whole, parts = WorstInputs(FLOAT32), WorstInputs(FLOAT32)
    whole.add(ordinals, ulp)
    for part in np.array_split(np.r_[np.arange(4000), np.arange(0, 4000, 3)], 7):
        parts.add(ordinals[part], ulp[part])
        parts.keep()
    whole.keep()
    assert (whole.ordinals == parts.ordinals).all() and (whole.ulp == parts.ulp).all()
    for cell in np.unique(FLOAT32.cell(ordinals)):
        kept_there = whole.ulp[FLOAT32.cell(whole.ordinals) == cell]
        assert (np.sort(kept_there)[::-1] == np.sort(ulp[FLOAT32.cell(ordinals) == cell])[::-1][:OF_CELL]).all()


@pytest.mark.parametrize("own", [True, False])
def test_the_worst_inputs_race_to_their_worst_targets(own):
    """Where an error is the input's own and a target's besides; negative control: where it is the pair's, nothing is gained."""
    problem, kernel = problem_named("bce_logits"), kernel_named("bce_logits", "softplus_pair")
    run = BoxSearch(problem, kernel, FLOAT32, lambda p: tuple(FLOAT32.from_ordinal(q)[None] for q in p), 1 << 18, 0)

    def random_ulp(*parts):
        """Return errors in [0, 1) that look random, by a hash of the parts."""
        mixed = sum(
            np.asarray(p).astype(np.uint64) * np.uint64(k)
            for p, k in zip(parts, (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F))
        )
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
        return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53

    spent = 0

    def visit(points):
        nonlocal spent
        spent += points.shape[1]
        return random_ulp(points[0]) + random_ulp(points[1]) if own else random_ulp(*points)

    run.visit = visit
    inputs = FLOAT32.ordinal(np.linspace(1, 8, 1 << 16).astype(np.float32))
    worst = WorstInputs(FLOAT32)
    worst.add(inputs, random_ulp(inputs))
    worst.keep()
    assert raced(run, np.empty((2, 0), np.int64), np.empty(0), 1 << 16)[1].size == 0
    found, ulp = raced(run, np.stack([worst.ordinals, 0 * worst.ordinals]), worst.ulp.copy(), 1 << 16)
    assert (
        (np.diff(ulp) <= 0).all()
        and (found[1] >= 0).all()
        and (found[1] <= FLOAT32.ordinal(np.ones(1, np.float32))).all()
    )
    rng = np.random.default_rng(1)
    sampled = visit(
        np.stack([rng.choice(inputs, spent), rng.choice(FLOAT32.ordinal(rng.random(1 << 16, np.float32)), spent)])
    ).max()
    assert spent < 1 << 18
    assert (ulp[0] > sampled + 0.003) == own


def test_targets_lie_where_the_exact_value_is_just_below_a_power_of_two():
    problem, kernel = problem_named("bce_logits"), kernel_named("bce_logits", "logaddexp_pair")
    run = BoxSearch(problem, kernel, FLOAT32, lambda p: tuple(FLOAT32.from_ordinal(q)[None] for q in p), 1 << 10, 0)
    x = np.array([0.55, -3.0, 20.0, 0.0], np.float32)
    y = race._below_powers(run, np.stack([FLOAT32.ordinal(x), np.zeros(4, np.int64)]), (4, 400))
    assert np.isnan(y[3]).all() or not ((y[3] > 0) & (y[3] < 1)).any()  # L(0, y) is log 2 whatever y is
    y = y[:3].astype(np.float32).astype(float)
    value = np.logaddexp(0, x[:3, None].astype(float)) - y * x[:3, None]
    inside = (y >= 0) & (y <= 1)
    left = (np.exp2(np.ceil(np.log2(value))) / value - 1)[inside]  # of the power of two above
    assert inside.mean() > 0.9
    assert np.mean(left < 8 * 2.0**-24) > 0.4 and np.mean(left < 2.0**-10) > 0.7


def test_an_error_that_carries_over_a_power_of_two_is_found(monkeypatch):
    """Negative control: the same search without targets just below powers of two finds less."""

    def found():
        problem, kernel = problem_named("bce_logits"), kernel_named("bce_logits", "logaddexp_pair")
        return search_worst(problem, kernel, FLOAT32, None, 1 << 18, 2).ulp

    carried = found()
    monkeypatch.setattr(race, "_below_powers", lambda run, points, shape: np.full(shape, np.nan))
    assert carried > 3.23 > found() + 0.1


@pytest.fixture
def rehearsal():
    """Import benchmarks/search.py, which is a script."""
    path = Path(__file__).parent.parent / "benchmarks" / "search.py"
    spec = importlib.util.spec_from_file_location("rehearsal", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["rehearsal"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["rehearsal"]


def test_a_search_of_a_sparse_model_finds_more_than_a_sample_of_as_many_inputs(rehearsal, monkeypatch):
    """Float32 with 2^12 evaluations, against the true maxima; negative control: without noise and slopes it finds less."""
    rows = [
        {"problem": p, "kernel": k, "format": "float32", "target": t, "max_ulp": u}
        for p, k, t, u in (
            ("softplus", "shifted", "", "2.88690665"),
            ("log", "numpy", "", "3.83176174"),
            ("bce_logits", "threshold20", "0", "2.88690665"),
        )
    ]
    found = [rehearsal.rehearse(r, 1 << 12, 0) for r in rows]
    shares = [f.searched / f.sampled for f in found]
    monkeypatch.setattr(along, "look_for_noise", lambda *_: None)
    crippled = [rehearsal.rehearse(r, 1 << 12, 0).searched for r in rows]
    assert sum(shares) > len(rows) and sum(crippled) < sum(f.searched for f in found)


def test_a_search_table_has_the_provenance_of_its_searches_and_refuses_others(tmp_path):
    file, schema = tmp_path / "worst.yaml", Path(__file__).parent.parent / "experiments" / "schema.yaml"
    (tmp_path / "schema.yaml").write_text(schema.read_text(encoding="utf-8"), encoding="utf-8")
    file.write_text(
        "question: Which input is worst?\nproblems: [exp, log1p]\nkernels: all\nformats: [float32]\n"
        "search: {budget: 4096, seeds: [0]}\nshards: {float32: 2}\n"
    )
    experiment, parts = experiments.load(file), [tmp_path / f"{i}.json" for i in (0, 1)]
    for i, part in enumerate(parts):
        search_job(experiment, FLOAT32, i, part)
    told = [json.loads(part.read_text()) for part in parts]
    for t, part in zip(told, parts, strict=True):
        files.write_sealed(part, {**t, "provenance": {**t["provenance"], "sources": "as searched"}})
    search_table_job(experiment, parts, tmp_path / "worst.csv")
    stated = json.loads((tmp_path / "worst.json").read_text())["provenance"]
    assert stated["sources"] == "as searched" and "commit" not in stated
    with pytest.raises(UsageError, match="1 of 2 shards"):
        search_table_job(experiment, parts[:1], tmp_path / "worst.csv")
    files.write_sealed(parts[1], told[1])
    with pytest.raises(UsageError, match="sources as searched"):
        search_table_job(experiment, parts, tmp_path / "worst.csv")
    for t, part in zip(told, parts, strict=True):
        for found in t["found"]:
            found["seeds"]["0"]["ulp"] = "9.5"
        files.write_sealed(part, t)
    with pytest.raises(UsageError, match="sweep again"):
        search_table_job(experiment, parts, tmp_path / "worst.csv")


def test_every_binade_of_a_value_is_found_where_one_cell_of_inputs_has_many(monkeypatch):
    """1 - p has 48 binades in the last cell of p; a kernel that gives 0 there errs most just below a power of two."""
    kernel, most = kernel_named("bce", "clip_add_eps_1e-7"), 2.0**53

    def found(seed):
        return search_worst(problem_named("bce"), kernel, FLOAT64, np.float64(1), 1 << 17, seed).ulp

    assert all(found(seed) == most for seed in range(3))
    monkeypatch.setattr(along, "BINADES", 0)
    assert not any(found(seed) == most for seed in range(3))  # negative control: one binade between two points
