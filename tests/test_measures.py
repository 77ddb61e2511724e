"""Kernels, their gradients, errors, outcomes and grids, each against something simpler."""

from dataclasses import replace

import numpy as np
import pytest
from mpmath import mp

from harness.kernels import all_kernels, kernel_named, kernels_of
from harness.kernels.duck_array import DuckArray
from harness.kernels.registry import Kernel, like, register
from harness.kernels.tape import gradient
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.sweep import summary
from harness.sweep.grid import Grid
from harness.sweep.streaming import Tallies, sweep
from harness.sweep.tally import Block
from harness.tables.rows import rows_of
from harness.truth import certified, errors
from harness.truth.certified import round_to, truth
from harness.truth.fast import evaluate
from harness.workflow.experiments import targets_in

KERNELS = all_kernels()
IDS = [f"{k.problem}-{k.name}" for k in KERNELS]


def inputs(kernel, fmt):
    problem = PROBLEMS[kernel.problem]
    grid = Grid("quick", problem, fmt)
    x = fmt.from_ordinal(grid.critical_ordinals)[None, :]
    return (x, targets_in(fmt, ("0", "1", "0.1"))[:, None]) if problem.has_target else (x,)


class Strict(DuckArray):
    """Hold an array and insist that every operand and result is in one format."""

    def __init__(self, value, dtype):
        assert value.dtype in (dtype, np.dtype(bool)), value.dtype
        self.value, self.dtype = value, dtype

    def constant(self, value):
        return Strict(value, self.dtype)

    def apply(self, name, *operands):
        return Strict(getattr(np, name)(*(o.value for o in operands)), self.dtype)


def strictly(kernel, fmt):
    return kernel(*(Strict(a, fmt.dtype) for a in inputs(kernel, fmt)))


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
class TestEveryKernel:
    def test_every_intermediate_is_in_the_working_format(self, fmt):
        with np.errstate(all="ignore"):
            for kernel in KERNELS:
                strictly(kernel, fmt)

    def test_shape_format_and_inputs_are_kept(self, fmt):
        with np.errstate(all="ignore"):
            for kernel in KERNELS:
                given = inputs(kernel, fmt)
                for a in given:
                    a.setflags(write=False)
                result = kernel(*given)
                assert result.dtype == fmt.dtype
                assert result.shape == np.broadcast_shapes(*(a.shape for a in given))

    def test_one_element_alone_gives_the_same_bits(self, fmt):
        with np.errstate(all="ignore"):
            for kernel in KERNELS:
                given = inputs(kernel, fmt)
                result = kernel(*given)
                for n in range(0, result.shape[1], max(1, result.shape[1] // 7)):
                    alone = kernel(given[0][:, n : n + 1], *given[1:])
                    assert alone.tobytes() == np.ascontiguousarray(result[:, n : n + 1]).tobytes(), kernel.name


def test_an_upcast_inside_a_kernel_is_caught():
    """Negative control."""

    def upcasts(x):
        xp = x.__array_namespace__()
        return xp.exp(xp.asarray(np.float64(0.5)) * x)

    with pytest.raises(AssertionError, match="float64"):
        strictly(Kernel("upcasts", "exp", upcasts, "", "", ""), FORMATS["float32"])


@pytest.mark.parametrize("kernel", KERNELS, ids=IDS)
def test_declarations_are_complete(kernel):
    assert kernel.problem in PROBLEMS
    assert kernel.formula and kernel.source and kernel.notes


def test_a_name_is_declared_once():
    with pytest.raises(ValueError, match="declared twice"):
        register(kernel_named("bce", "naive"))


class TestAutodiff:
    @pytest.mark.parametrize("problem", ["bce", "bce_logits"])
    def test_against_differences(self, problem):
        """Central differences in float64, away from clamps and branch points."""
        x = np.array([[0.2, 0.37, 0.61, 0.83]]) if problem == "bce" else np.array([[-3.1, -0.4, 0.7, 4.2]])
        y, h = np.array([[0.0], [0.3], [1.0]]), 1e-6
        for kernel in kernels_of(problem):
            slope = (kernel(x + h, y) - kernel(x - h, y)) / (2 * h)
            np.testing.assert_allclose(kernel_named(problem + "_grad", kernel.name)(x, y), slope, rtol=1e-6, atol=1e-8)

    def test_a_clamp_has_a_dead_zone(self):
        g = kernel_named("bce_grad", "clip_1e-7")
        p = np.array([[0.0, 1e-8, 2e-7, 0.5, 1.0]], np.float32)
        assert (g(p, np.float32([[1.0]])) == 0).tolist() == [[True, True, False, False, True]]

    def test_ties_share(self):
        def hinge(x):
            xp = x.__array_namespace__()
            return xp.maximum(x, like(0, x))

        assert gradient(hinge)(np.array([-1.0, 0.0, 1.0])).tolist() == [0.0, 0.5, 1.0]

    def test_a_branch_not_taken_still_gives_nan(self):
        def guarded(x):
            xp = x.__array_namespace__()
            return xp.where(x > like(0, x), xp.log(x), like(0, x))

        with np.errstate(all="ignore"):
            assert np.isnan(gradient(guarded)(np.array([0.0, 1.0]))).tolist() == [True, False]

    def test_a_wrong_rule_is_caught(self, monkeypatch):
        """Negative control."""
        from harness.kernels import tape

        monkeypatch.setitem(tape.RULES, "log", lambda xp, a: (xp.log(a), (lambda g: g,)))
        with pytest.raises(AssertionError):
            self.test_against_differences("bce")


class TestSlowly:
    """A plain loop with mpmath and no cleverness agrees with the sweep, number by number."""

    @pytest.mark.parametrize(
        "name", ["sigmoid_clip_1e-7", "sigmoid_naive", "linear_softplus", "sigmoid_add_eps_1e-7", "threshold20"]
    )
    @pytest.mark.parametrize("target", ["0", "0.1"])
    def test_statistics(self, name, target):
        problem, fmt, kernel = PROBLEMS["bce_logits"], FORMATS["float16"], kernel_named("bce_logits", name)
        grid, y = Grid("standard", problem, fmt), targets_in(FORMATS["float16"], (target,))
        cells = grid.cells[[5, 90, 170, 200, 236, 240, 270, 290, 330, 400, 490]]
        (row,) = rows_of(problem, kernel, grid, y, sweep(problem, [kernel], grid, y, cells).summaries[name])
        x = fmt.from_ordinal((cells[:, None] * 128 + np.arange(128)).ravel())
        with np.errstate(all="ignore"):
            computed = kernel(x, y)
        worst, total, measured, correct = mp.mpf(-1), mp.mpf(0), 0, 0
        counts = dict.fromkeys(errors.OUTCOMES, 0)
        for c, v in zip(computed, x):
            point = (mp.mpf(float(v)), mp.mpf(float(y[0])))
            exact, rounded = truth(problem, point), round_to(problem, fmt, point)
            correct += c == rounded
            if np.isfinite(c):
                error = certified.error_in_ulp(fmt, c, exact)
                worst, total, measured = max(worst, error), total + error, measured + 1
                counts["spurious_zero"] += c == 0 and rounded != 0
                counts["wrong_sign"] += c < 0
            else:
                counts["spurious_nan" if np.isnan(c) else "spurious_inf"] += 1
        assert float(row["max_ulp"]) == pytest.approx(float(worst), rel=1e-8)
        assert float(row["mean_ulp"]) == pytest.approx(float(total / measured), rel=1e-8)
        assert float(row["correctly_rounded"]) == pytest.approx(correct / len(x), rel=1e-8)
        assert {k: row[k] for k in counts} == counts

    def test_a_ruler_at_the_computed_value_is_caught(self, monkeypatch):
        """Negative control: the ulp must be the exact value's."""

        def wrong(fmt, computed, exact):
            """Measure in ulps of the computed value, as some libraries' tests do."""
            right = error_in_ulp(fmt, computed, exact)
            return right * mp.mpf(float(fmt.ulp(exact))) / mp.mpf(float(fmt.ulp(float(computed))))

        error_in_ulp = certified.error_in_ulp
        monkeypatch.setattr(certified, "error_in_ulp", wrong)
        with pytest.raises(AssertionError):
            self.test_statistics("sigmoid_add_eps_1e-7", "0")


class TestOutcomes:
    @pytest.mark.parametrize(
        ("x", "computed", "outcome"),
        [
            (1.0, np.nan, "spurious_nan"),
            (1.0, np.inf, "spurious_inf"),
            (1.0, -np.inf, "spurious_inf"),
            (1.0, 0.0, "spurious_zero"),
            (1.0, -0.0, "spurious_zero"),
            (1.0, -1.0, "wrong_sign"),
            (-200.0, 0.0, None),  # the exact value rounds to 0
            (-200.0, -1e-45, "wrong_sign"),
            (1.0, 1.3132616, None),
        ],
    )
    def test_one_value(self, x, computed, outcome):
        problem, fmt = PROBLEMS["bce_logits"], FORMATS["float32"]
        exact = evaluate(problem, fmt, np.array([[x]], np.float32), np.array([[0]], np.float32))
        found = errors.measure(np.array([[computed]], np.float32), exact, True).outcomes
        assert list(found) == ([outcome] if outcome else [])

    def test_a_pole(self):
        problem, fmt = PROBLEMS["bce"], FORMATS["float32"]
        with np.errstate(all="ignore"):
            exact = evaluate(problem, fmt, np.zeros((1, 3), np.float32), np.array([[1]], np.float32))
            found = errors.measure(np.array([[np.inf, 16.118096, np.nan]], np.float32), exact, True)
        assert found.ulp.tolist() == [[errors.NONE] * 3]
        assert {k: v.tolist() for k, v in found.outcomes.items()} == {
            "spurious_nan": [[False, False, True]],
            "capped": [[False, True, False]],
        }

    def test_overflow_to_nan_is_right_where_there_is_no_infinity(self):
        problem, fmt = PROBLEMS["exp"], FORMATS["float8_e4m3fn"]
        exact = evaluate(problem, fmt, np.array([[10.0]]).astype(fmt.dtype))
        found = errors.measure(np.array([[np.nan]]).astype(fmt.dtype), exact, True)
        assert found.outcomes == {} and found.correctly_rounded.all()


class TestTallies:
    def test_a_difference_in_one_bit_is_measured_apart(self):
        """The value that differs is not among those that are compared first."""
        problem, fmt = PROBLEMS["softplus"], FORMATS["float32"]
        good = kernel_named("softplus", "logaddexp")
        at = np.float32(1.0 + 77 * 2.0**-23)

        def wrong(x):
            return np.where(x == at, fmt.next_up(1.3132616), good(x)).astype(x.dtype)

        names = ("one", "same", "wrong")
        kernels = [replace(good, name=n, function=wrong if n == "wrong" else good.function) for n in names]
        grid = Grid("exhaustive", problem, fmt)
        cells = fmt.cell(fmt.ordinal(np.array([at])))
        assert cells[0] in grid.cells
        together = sweep(problem, kernels, grid, None, cells).summaries
        for kernel in kernels:
            alone = sweep(problem, [kernel], grid, None, cells).summaries[kernel.name]
            for field, value in vars(alone).items():
                assert np.array_equal(vars(together[kernel.name])[field], value, equal_nan=field == "median_ulp"), field
        assert together["one"].correctly_rounded != together["wrong"].correctly_rounded

    def test_results_that_agree_share_one_tally(self):
        problem, fmt = PROBLEMS["softplus"], FORMATS["float32"]
        x = np.linspace(1, 2, 2000, dtype=np.float32)[None]
        exact = evaluate(problem, fmt, x)
        tallies = Tallies(Block(fmt.ordinal(x[0]), 1, 0, True, 0), exact, True, 4.0)
        zeros = exact.rounded_working * 0
        assert tallies.of(zeros) is tallies.of(zeros.copy())
        assert tallies.of(-zeros) is not tallies.of(zeros)  # -0 is another result


class TestGrids:
    @pytest.mark.parametrize(
        ("fmt", "logits", "probabilities"), [("float16", 63488, 15361), ("bfloat16", 65280, 16257)]
    )
    def test_sixteen_bits_are_complete(self, fmt, logits, probabilities):
        for name, count in (("bce_logits", logits), ("bce", probabilities)):
            grid = Grid("standard", PROBLEMS[name], FORMATS[fmt])
            visited = grid.ordinals()
            assert grid.exhaustive and len(visited) == len(np.unique(visited)) == count

    @pytest.mark.parametrize("fmt", ["float32", "float64"])
    @pytest.mark.parametrize("name", ["bce_logits", "bce", "log"])
    def test_every_cell_and_every_critical_neighbour(self, fmt, name):
        f, problem = FORMATS[fmt], PROBLEMS[name]
        grid = Grid("standard", problem, f)
        visited = grid.ordinals()
        assert len(visited) == len(np.unique(visited))
        assert np.array_equal(np.unique(f.cell(visited)), grid.cells)
        assert np.isin(grid.critical_ordinals, visited).all()
        values = f.from_ordinal(grid.critical_ordinals).astype(float)
        assert problem.centre in values and f.next_up(problem.centre) in values
        assert values.min() >= problem.domain[0] and values.max() <= problem.domain[1]

    def test_merging_needs_different_cells(self):
        part = summary.Summary(1, np.array([1, 2]))
        with pytest.raises(ValueError, match="same cell"):
            summary.merge([part, summary.Summary(1, np.array([2, 3]))])

    @pytest.mark.parametrize("shards", [1, 2, 3, 7])
    def test_any_division_merges_to_the_same(self, shards):
        problem, fmt = PROBLEMS["bce"], FORMATS["bfloat16"]
        grid, y, kernel = (
            Grid("standard", problem, fmt),
            targets_in(FORMATS["bfloat16"], ("0", "0.9")),
            kernel_named("bce", "naive"),
        )
        parts = [
            sweep(problem, [kernel], grid, y, grid.shard_cells(i, shards)).summaries["naive"] for i in range(shards)
        ]
        rows = rows_of(problem, kernel, grid, y, summary.merge(parts[::-1]))
        assert rows == rows_of(problem, kernel, grid, y, sweep(problem, [kernel], grid, y).summaries["naive"])

    def test_a_lost_cell_is_noticed(self):
        """Negative control."""
        problem, fmt, kernel = PROBLEMS["exp"], FORMATS["float16"], kernel_named("exp", "numpy")
        grid = Grid("standard", problem, fmt)
        whole = sweep(problem, [kernel], grid, None).summaries["numpy"]
        lost = sweep(problem, [kernel], grid, None, grid.cells[:-1]).summaries["numpy"]
        assert whole.points.sum() == lost.points.sum() + 128
