"""A kernel is one function, and a problem one entry: each is added in a module of its own, found everywhere, and gone."""

import importlib.util
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from harness import UsageError
from harness.bounds.bound import bound_ulp
from harness.bounds.function_errors import function_errors
from harness.bounds.pieces import divide
from harness.cli.list import text as listed
from harness.explain import remedies
from harness.explain.explanation import explain
from harness.figures.catalogue import plans
from harness.figures.job import figures_job
from harness.kernels import all_kernels, kernel_named, kernels_of, registry
from harness.kernels.families import OTHER, in_order
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS, Problem, antiderivative_of, gradient_of, register
from harness.search.published import WORST, published
from harness.sweep.grid import Grid
from harness.sweep.job import sweep_job
from harness.tables import special_values, writer
from harness.tables.job import table_job
from harness.truth.fast import BOUND_BITS, audit
from harness.workflow import experiments
from harness.workflow.dependencies import sources

SCHEMA = Path(__file__).parent.parent / "experiments" / "schema.yaml"
F16 = FORMATS["float16"]
NAMES = ("added_linear", "added_choice", "added_sign")
KERNELS = r'''
"""Kernels of bce_logits: one in a family that there is, and two for hard targets alone, in a family of their own."""

from harness.kernels.activations import softplus_shifted
from harness.kernels.families import LINEAR_TERM
from harness.kernels.registry import kernel, like

CHOSEN = {
    "family": "chosen by the label", "hard_targets_only": True, "source": "this test", "notes": "hard targets alone",
    "formula": r"y = 1: \mathrm{sp}(-x);\ \text{else } \mathrm{sp}(x)",
}


@kernel(
    "bce_logits", "added_linear", family=LINEAR_TERM, formula=r"\mathrm{sp}(-x) + (1-y) x", source="this test",
    notes="cancels",
)
def added_linear(x, y):
    return softplus_shifted(-x) + (like(1, x) - y) * x


@kernel("bce_logits", "added_choice", **CHOSEN)
def added_choice(x, y):
    return x.__array_namespace__().where(y == like(1, x), softplus_shifted(-x), softplus_shifted(x))


@kernel("bce_logits", "added_sign", **CHOSEN)
def added_sign(x, y):
    return softplus_shifted(x.__array_namespace__().where(y == like(1, x), -x, x))
'''
PROBLEM = r'''
"""log cosh x, its derivative tanh x, and a kernel that overflows."""

import math

import numpy as np
from mpmath import mp

from harness.kernels.registry import kernel, like
from harness.numbers import wide
from harness.problems import PROBLEMS, Problem, register


def terms(x):
    """Give |x| + log1p(e^-2|x|) - log 2, near 0 as log1p(2 sinh(x/2)^2)."""
    if abs(x) < 1:
        return mp.mpf(0), [mp.log1p(2 * mp.sinh(x / 2) ** 2)]
    return abs(x), [mp.log1p(mp.exp(-2 * abs(x))), -mp.log(2)]


def fast(x):
    """Compute the same; near 0, 2 sinh(x/2)^2 is h^2 / (2 (1 + h)) with h = expm1(-|x|)."""
    a = np.abs(x)
    h = wide.expm1(-np.minimum(a, 1 + 0 * a))
    far = a + wide.log1p(wide.exp(-2 * a)) - np.log(2 + 0 * a)
    return np.where(a < 1, wide.log1p(h * h / (2 * (1 + h))), far)


REAL = (-math.inf, math.inf)
register(
    Problem(
        "log_cosh", "input", False, r"\log\cosh x", domain=REAL, centre=0.0, nonnegative=True, monotone_beyond=math.inf,
        terms=terms, fast=fast, gradient="slope_of_log_cosh", critical=lambda fmt: [1.0, -1.0], inside=(("exp", -1),),
    ),
    Problem(
        "slope_of_log_cosh", "input", False, r"\tanh x", domain=REAL, centre=0.0, nonnegative=False,
        terms=PROBLEMS["tanh"].terms, fast=PROBLEMS["tanh"].fast,
    ),
)


@kernel("log_cosh", "overflowing", formula=r"\log((e^x + e^{-x}) / 2)", source="this test", notes="overflows")
def overflowing(x):
    xp = x.__array_namespace__()
    return xp.log((xp.exp(x) + xp.exp(-x)) / like(2, x))
'''


@contextmanager
def registers():
    """Leave the registers as they were, and forget what was found out meanwhile."""
    problems, kernels = dict(PROBLEMS), dict(registry._KERNELS)
    try:
        yield
    finally:
        for there, before in ((PROBLEMS, problems), (registry._KERNELS, kernels)):
            there.clear()
            there.update(before)
        remedies.remedy.cache_clear()
        remedies._ranking.cache_clear()


def load(folder, name, source):
    """Run a new module, as a user's own would be."""
    path = folder / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def swept(folder, name, text):
    """Sweep an experiment on the quick grid and draw it; return it with its table and its figures."""
    shutil.copy(SCHEMA, folder)
    (folder / f"{name}.yaml").write_text(text)
    experiment = experiments.load(folder / f"{name}.yaml")
    summaries, table = folder / f"{name}.float16.0.npz", folder / f"{name}.csv"
    sweep_job(experiment, F16, 0, "quick", summaries)
    table_job(experiment, [summaries], table)
    return experiment, writer.read(table), figures_job(experiment, [summaries], table, folder)


def titles(experiment):
    """The panels of an experiment's first figure."""
    return [f.title for f in plans(experiment)[0].families]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("added")
    with registers():
        load(folder, "added_kernels", KERNELS)
        load(folder, "added_problem", PROBLEM)
        yield folder


@pytest.fixture(scope="module")
def kernels(folder):
    """The new kernels beside an old one: experiment, table, figures."""
    chosen = ", ".join(["lse_log1p", *NAMES])
    text = f"question: Are they right?\nproblems: [bce_logits]\nkernels: [{chosen}]\nformats: [float16]\n"
    return swept(folder, "kernels", text + "targets: [0, 1, 0.1]\n")


@pytest.fixture(scope="module")
def problem(folder):
    """The new problem and its gradient: experiment, table, figures."""
    text = "question: Where does it overflow?\nproblems: [log_cosh, slope_of_log_cosh]\n"
    return swept(folder, "problem", text + "formats: [float16]\n")


class TestKernel:
    @pytest.mark.parametrize("name", NAMES)
    def test_it_is_listed_and_differentiated(self, folder, name):
        assert name in listed("kernels", "bce_logits") and name in listed("kernels", "bce_logits_grad")
        kernel, slope = kernel_named("bce_logits", name), kernel_named("bce_logits_grad", name)
        assert slope is kernel_named("bce_logits_grad", name) and slope.family == kernel.family
        assert slope.hard_targets_only == kernel.hard_targets_only == (name != "added_linear")
        x, y, h = np.array([[-3.0, 0.5, 4.0]]), np.array([[0.0], [1.0]]), 1e-6
        np.testing.assert_allclose(slope(x, y), (kernel(x + h, y) - kernel(x - h, y)) / (2 * h), rtol=1e-8)

    def test_it_has_rows_in_the_table(self, kernels):
        rows = kernels[1].set_index(["kernel", "target"])["max_ulp"].astype(float)
        for name in NAMES[1:]:
            assert rows[name, "0"] < 4 and rows[name, "1"] < 4 < rows[name, "0.1"]
        assert rows["added_linear", "0"] > 1000 and rows["added_linear", "1"] < 4

    def test_it_is_drawn_with_its_family(self, kernels):
        assert titles(kernels[0]) == ["softplus and a linear term", "chosen by the label"]
        assert all(p.stat().st_size > 2000 for p in kernels[2])
        svg = next(p for p in kernels[2] if p.name == "kernels_bce_logits_worst.svg").read_text()
        assert all(name in svg for name in NAMES)

    def test_it_has_special_values_bounds_and_explanations(self, folder):
        problem = PROBLEMS["bce_logits"]
        cases, cells = special_values.points_of(problem, F16), Grid("quick", problem, F16).cells[::40]
        functions, targets = function_errors(F16), np.array([0, 1]).astype(F16.dtype)
        for kernel in (kernel_named("bce_logits", name) for name in NAMES):
            outcomes = special_values.rows_of(problem, kernel, F16, cases)
            assert any(r["kernel"] == kernel.name and r["outcome"] == "ok" for r in outcomes)
            bound = bound_ulp(problem, [kernel], F16, targets, cells, functions)[kernel.name]
            assert np.isfinite(bound).any()
            assert explain(kernel, problem, F16, -8.0, 0.0).reason

    def test_a_sweep_made_without_it_is_told_apart(self, kernels, folder):
        text = (folder / "kernels.yaml").read_text().replace("lse_log1p", "lse_log1p, lse_log")
        (folder / "later").mkdir()
        shutil.copy(SCHEMA, folder / "later")
        (folder / "later" / "kernels.yaml").write_text(text)
        later = experiments.load(folder / "later" / "kernels.yaml")
        summaries = [folder / "kernels.float16.0.npz"]
        for stage in (
            lambda: figures_job(later, summaries, folder / "kernels.csv", folder),
            lambda: table_job(later, summaries, folder / "later.csv"),
        ):
            with pytest.raises(UsageError, match="lacks lse_log of bce_logits; sweep again"):
                stage()


class TestProblem:
    def test_it_is_listed_with_its_gradient(self, folder):
        assert "log_cosh" in listed("problems", None)
        loss, slope = PROBLEMS["log_cosh"], PROBLEMS["slope_of_log_cosh"]
        assert gradient_of(loss) is slope and antiderivative_of(slope) is loss
        assert [k.name for k in kernels_of("slope_of_log_cosh")] == ["overflowing"]
        assert "overflowing" in listed("kernels", "slope_of_log_cosh")

    @pytest.mark.parametrize("fmt", ["float16", "float32", "float64"])
    def test_its_reference_is_audited(self, folder, fmt):
        f = FORMATS[fmt]
        x = np.array([-300.0, -1.0, -0.99, -0.01, 0.3, 1.5, 11.0]).astype(f.dtype)
        for name in ("log_cosh", "slope_of_log_cosh"):
            with np.errstate(all="ignore"):
                assert audit(PROBLEMS[name], f, x) <= -BOUND_BITS[f.bits <= 32]

    def test_its_own_inputs_are_visited_and_searched_around(self, folder):
        loss = PROBLEMS["log_cosh"]
        assert loss.critical_points(F16) == [0.0, 1.0, -1.0]
        assert F16.ordinal(F16.dtype.type(-1.0)) in Grid("quick", loss, F16).critical_ordinals
        around = FORMATS["float64"].from_ordinal(published(loss, FORMATS["float64"]))
        assert around.tolist() == [-float.fromhex(v) for v in WORST["exp"].split()]

    def test_it_has_rows_figures_and_special_values(self, problem):
        experiment, frame, drawn = problem
        rows = frame.set_index("problem")
        assert int(rows["spurious_inf"]["log_cosh"]) > 0 and int(rows["spurious_nan"]["slope_of_log_cosh"]) > 0
        assert [p.name for p in plans(experiment)] == ["problem_worst", "problem_map_input", "problem_errors_input"]
        assert "log_cosh" in next(p for p in drawn if p.suffix == ".svg").read_text()
        cases = special_values.points_of(PROBLEMS["log_cosh"], F16)
        found = special_values.rows_of(PROBLEMS["log_cosh"], kernel_named("log_cosh", "overflowing"), F16, cases)
        assert {r["input"]: r["outcome"] for r in found} == dict.fromkeys(["-inf", "+inf", "NaN", "-0", "+0"], "ok")

    def test_its_kernels_are_bounded_by_the_gradient_that_it_names(self, folder):
        loss = PROBLEMS["log_cosh"]
        cells = Grid("quick", loss, F16).cells
        bound = bound_ulp(loss, kernels_of("log_cosh"), F16, None, cells, function_errors(F16))["overflowing"]
        assert np.isfinite(bound).any()

    def test_a_sweep_of_a_gradient_depends_on_the_tape(self, problem):
        assert "harness/kernels/tape.py" in sources(["harness.sweep.job"], problem[0])

    def test_what_bounds_lack_is_said(self, folder):
        loss = PROBLEMS["log_cosh"]
        lacking = Problem(**{**vars(loss), "gradient": ""})
        with pytest.raises(UsageError, match="log_cosh is not monotone: bounds need its `gradient`, or `between`"):
            divide(lacking, F16, None, Grid("quick", loss, F16).cells)


def test_a_second_problem_of_a_name_is_refused():
    with pytest.raises(ValueError, match="'exp' is declared twice"):
        register(PROBLEMS["exp"])


def test_a_backward_pass_of_its_own_takes_the_twins_place(folder):
    @registry.kernel("slope_of_log_cosh", "overflowing", formula=r"\tanh x", source="this test", notes="none")
    def slope(x):
        return x.__array_namespace__().tanh(x)

    try:
        assert [k.function for k in kernels_of("slope_of_log_cosh")] == [slope]
    finally:
        del registry._KERNELS["slope_of_log_cosh", "overflowing"]


def test_families_keep_their_order():
    new = ("b", "a", OTHER, "gradient formulas", "no clamp", "b")
    assert in_order(new) == ["no clamp", "gradient formulas", "b", "a", OTHER]


def test_a_derivative_has_the_family_of_its_losss_kernel(folder):
    for loss in filter(gradient_of, [*PROBLEMS.values()]):
        slopes = {k.name: k for k in kernels_of(loss.gradient)}
        assert all(slopes[k.name].family == k.family for k in kernels_of(loss.name))


def test_what_was_added_is_gone_again(tmp_path):
    before = [*PROBLEMS], [(k.problem, k.name) for k in all_kernels()]
    with registers():
        load(tmp_path, "passing_kernels", KERNELS.replace("added_", "passing_"))
        load(tmp_path, "passing_problem", PROBLEM.replace("log_cosh", "passing"))
        assert "passing_linear" in listed("kernels", "bce_logits_grad") and "slope_of_passing" in listed(
            "problems", None
        )
    assert ([*PROBLEMS], [(k.problem, k.name) for k in all_kernels()]) == before
    with pytest.raises(UsageError, match="unknown kernel 'passing_linear'"):
        kernel_named("bce_logits_grad", "passing_linear")
