"""Kernels, their gradients, errors, outcomes and grids, each against something simpler."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

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
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import Tallies, sweep
from harness.sweep.tally import Block
from harness.tables import outcomes, usual, writer
from harness.tables.advice import ADVICE, advised, cures_of, unheld
from harness.tables.rows import COLUMNS, CONTRACT, rows_of
from harness.tables.strongest import Known
from harness.truth import certified, errors
from harness.truth.certified import round_to, truth
from harness.truth.fast import evaluate
from harness.workflow.targets import targets_in

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


TABLES = Path(__file__).parents[1] / "results" / "tables"


def swept(problem_name, format_name, targets=None, grid_name="standard", kernels=None):
    """Return the rows of a problem's kernels, by kernel and target, and their cases by the same."""
    problem, fmt = PROBLEMS[problem_name], FORMATS[format_name]
    grid = Grid(grid_name, problem, fmt)
    chosen = [kernel_named(problem_name, k) for k in kernels] if kernels else kernels_of(problem_name)
    y = targets_in(fmt, targets) if targets else None
    found = sweep(problem, chosen, grid, y).summaries
    rows, cases = {}, {}
    for k in chosen:
        for t, row in enumerate(rows_of(problem, k, grid, y, found[k.name])):
            rows[k.name, row["target"]] = row
            cases[k.name, row["target"]] = Case(problem, k.name, k, grid, None if y is None else y[t])
    return rows, cases


def every(case):
    """Return all inputs of an exhaustive grid in order of distance from the centre, with the errors there."""
    ordinals = case.grid.ordinals()
    x = case.fmt.from_ordinal(ordinals).astype(float)
    order = np.lexsort((ordinals, abs(x - case.problem.centre)))
    return ordinals[order], x[order], case.errors(ordinals[order])


@pytest.mark.parametrize(
    ("problem", "targets"),
    [("bce_logits", ("0", "0.1")), ("bce", ("0", "0.9")), ("bce_logits_grad", ("1",)), ("log1p", None)],
)
class TestWhere:
    def test_each_outcome_is_at_the_nearest_of_all_inputs(self, problem, targets):
        rows, cases = swept(problem, "float16", targets)
        met = 0
        for key, row in rows.items():
            _, x, errors = every(cases[key])
            for name, column in outcomes.COLUMNS.items():
                mask = errors.outcomes.get(name)
                expected = "" if mask is None else FORMATS["float16"].hex(x[int(mask[0].argmax())])
                assert row[column] == expected, (key, name)
                assert (row[column] != "") == (row[name] > 0)
                met += expected != ""
        assert met >= 2

    def test_the_usual_maximum_is_that_of_the_usual_inputs(self, problem, targets):
        rows, cases = swept(problem, "float16", targets)
        for key, row in rows.items():
            _, x, errors = every(cases[key])
            exact = abs(errors.exact.high[0])
            seen = (exact >= 2.0**-14) & (exact <= 65504)
            sigma = 1 / (1 + np.exp(20.0))
            if problem.startswith("bce_logits"):
                seen &= abs(x) <= 20
            elif problem == "bce":
                seen &= (sigma <= x) & (1 - x >= sigma)
            ulp = np.where(seen, errors.ulp[0], -1)
            if ulp.max() < 0:
                assert row["usual_max_ulp"] == row["usual_max_ulp_input"] == ""
                continue
            assert float(row["usual_max_ulp"]) == pytest.approx(ulp.max(), rel=1e-8), key
            at = float.fromhex(row["usual_max_ulp_input"])
            assert np.isclose(ulp[x == at].max(), ulp.max(), rtol=1e-8)

    def test_what_is_noted_block_by_block_is_the_same(self, problem, targets):
        rows, cases = swept(problem, "float16", targets)
        for key, row in rows.items():
            case, fmt = cases[key], FORMATS["float16"]
            ordinals = np.sort(every(case)[0])
            met = outcomes.OutcomeInputs(case.problem, fmt, 1)
            for part in np.array_split(ordinals, 7)[::-1]:
                met.add(part, case.errors(part))
            for name, column in outcomes.COLUMNS.items():
                at = met.located[0][name]
                assert row[column] == ("" if at is None else fmt.hex(fmt.from_ordinal(np.array([at]))[0])), (key, name)
            assert (met.usual(0) is None) == (row["usual_max_ulp"] == "")
            if met.usual(0) is not None:  # of several equally wrong either is one
                assert case.errors(np.array([met.usual(0)])).ulp[0, 0] == pytest.approx(
                    float(row["usual_max_ulp"]), rel=1e-8
                )


class TestWhereOnASample:
    def test_the_input_before_has_the_outcome_no_more(self):
        rows, cases = swept(
            "bce_logits", "float32", ("0", "1"), kernels=["sigmoid_naive", "sigmoid_log1p", "softplus_naive"]
        )
        met = 0
        for key, row in rows.items():
            case = cases[key]
            for name, column in outcomes.COLUMNS.items():
                if row[column]:
                    x = np.float32(float.fromhex(row[column]))
                    at = int(case.fmt.ordinal(np.array([x]))[0])
                    inside = at + (1 if at < case.grid.centre else -1)
                    has = [case.errors(np.array([o])).outcomes.get(name) is not None for o in (at, inside)]
                    assert has == [True, at == case.grid.centre], (key, name)
                    met += 1
        assert met >= 4
        assert rows["sigmoid_naive", "0"]["inf_input"] == "0x1.0a2b24p+4"  # (p - 1/2 ulp of 1) log 2, see test_explain
        assert rows["sigmoid_naive", "0"]["nan_input"] == "-0x1.62e43p+6"  # exp overflows from 128 log 2

    def test_a_boundary_that_is_not_followed_is_noticed(self, monkeypatch):
        """Negative control."""
        monkeypatch.setattr(outcomes, "followed", lambda case, name, ordinal: ordinal)
        monkeypatch.setattr(PROBLEMS["bce_logits"].__class__, "critical_points", lambda self, fmt: [0.0])
        with pytest.raises(AssertionError):
            self.test_the_input_before_has_the_outcome_no_more()

    def test_a_usual_range_of_all_inputs_is_noticed(self, monkeypatch):
        """Negative control: the usual maximum of a clamped loss is not that at 1e4."""
        right = swept("bce_logits", "float16", ("1",), kernels=["sigmoid_clip_1e-7"])[0]["sigmoid_clip_1e-7", "1"]
        monkeypatch.setattr(usual, "usual_range", lambda problem, fmt: fmt.finite_ordinals(*problem.domain))
        wrong = swept("bce_logits", "float16", ("1",), kernels=["sigmoid_clip_1e-7"])[0]["sigmoid_clip_1e-7", "1"]
        assert abs(float.fromhex(right["usual_max_ulp_input"])) <= 20
        assert wrong["usual_max_ulp_input"] != right["usual_max_ulp_input"]

    def test_usual_probabilities_end_at_sigmoid_of_20(self):
        for fmt in FORMATS.values():
            first, last = usual.usual_range(PROBLEMS["bce"], fmt)
            with mp.workprec(200):
                sigma = 1 / (1 + mp.exp(20))
                x = [mp.mpf(float(v)) for v in fmt.from_ordinal(np.array([first - 1, first, last, last + 1]))]
                assert x[0] < sigma <= x[1] and x[2] <= 1 - sigma < x[3], fmt.name


class TestReasons:
    def test_nan_is_explained_before_the_largest_error(self):
        row = swept("bce_logits", "float32", ("0",), kernels=["sigmoid_naive"])[0]["sigmoid_naive", "0"]
        assert row["reason"].startswith("exp(88.72284) overflows to inf, then log of zero, then 0 * inf: the loss ")
        assert "becomes nan. The largest finite error: " in row["reason"] and row["cause"] == "overflow"

    def test_a_row_with_nothing_finite_has_its_reason(self):
        row = swept("bernoulli_kl", "float16", ("0",), kernels=["naive"])[0]["naive", "0"]
        assert row["max_ulp"] == "" and row["spurious_nan"] == row["points"] and row["nan_input"] == "0x1p-1"
        assert "0 * inf" in row["reason"] and row["cause"] == "0 * inf"

    def test_the_nan_of_a_focal_loss_is_explained(self):
        rows = {k: r for k, r in swept("focal_grad", "float16")[0].items() if r["spurious_nan"]}
        assert rows and all("becomes nan" in r["reason"] and r["nan_input"] for r in rows.values())

    @pytest.mark.parametrize("problem", ["bce", "bce_logits", "bce_logits_grad"])
    def test_no_reason_has_an_exponent_that_no_float_has(self, problem):
        for row in swept(problem, "float64", ("0",), "quick")[0].values():
            exponents = [w.lower().partition("e")[2].rstrip(".,;:)") for w in row["reason"].replace("(", " ").split()]
            assert not any(e.lstrip("+-").isdigit() and int(e) not in range(-324, 309) for e in exponents), row[
                "reason"
            ]

    def test_columns(self):
        (row,) = swept("exp", "float16", kernels=["numpy"])[0].values()
        assert tuple(row) == COLUMNS and COLUMNS[: len(CONTRACT)] == CONTRACT


class TestRemedies:
    @pytest.mark.parametrize(
        ("problem", "fmt"), [("bce_logits", "float16"), ("bce_grad", "bfloat16"), ("log1p", "float16")]
    )
    def test_every_remedy_holds_in_its_own_table(self, problem, fmt):
        targets = ("0", "1", "0.1", "0.5", "next_up_0") if PROBLEMS[problem].has_target else None
        rows = advised(list(swept(problem, fmt, targets)[0].values()))
        assert any(r["remedy"] for r in rows) and not unheld(rows)
        for r in rows:
            over = float(r["max_ulp"] or "inf") > 4 or any(r[name] for name in errors.SPURIOUS)
            assert (
                (f"{r['remedy']} stays within 4 ulp" in r["reason"])
                if r["remedy"]
                else not over or "no built-in" in r["reason"]
            )

    def test_a_planted_remedy_is_caught(self):
        """Negative control."""
        rows = advised(list(swept("bce_logits", "float16", ("0", "0.5"))[0].values()))
        chosen = next(i for i, r in enumerate(rows) if r["remedy"])
        for planted in ("sigmoid_naive", "no_such_kernel"):
            rows[chosen] = {**rows[chosen], "remedy": planted}
            (sentence,) = unheld(rows)
            assert f"{planted} is no remedy" in sentence

    def test_a_cure_holds_by_what_is_known_of_every_input(self):
        rows = list(swept("bce_logits", "float32", ("0.5",), "quick")[0].values())
        first = next(r["remedy"] for r in advised(rows) if r["remedy"])
        stronger = {**next(r for r in rows if r["kernel"] == first), "exhaustive": True, "max_ulp": "4.5"}
        known = Known.with_tables({"every": writer.read(StringIO(writer.to_csv([stronger], COLUMNS)))}, Path("nowhere"))
        found = advised(rows, known=cures_of(rows, known))
        named = {r["remedy"] for r in found} - {""}
        assert named and first not in named and not unheld(found, known)
        planted = [{**r, "remedy": first} if r["remedy"] else r for r in found]  # which holds in this table alone
        assert not unheld(planted) and all(f"{first} is no remedy: 4.5 ulp" in s for s in unheld(planted, known))
        assert unheld(planted, known)

    def test_advice_is_given_anew_and_not_twice(self):
        rows = advised(list(swept("bce_logits", "float16", ("0", "0.5"))[0].values()))
        assert advised(rows) == rows
        told = "1 + 1 rounds to 1 (absorption): the loss 2 becomes 1"
        for old in (
            "; xlogy keeps it within 4 ulp.",
            "; no built-in kernel comes closer.",
            ".; no built-in kernel stays within 4 ulp; xlogy comes closest, with at least 5 ulp and 3 capped poles.",
        ):
            assert ADVICE.sub("", told + old).removesuffix(".") == told

    @pytest.mark.parametrize("name", ["logits", "probabilities", "gradients", "primitives"])
    def test_every_remedy_of_the_main_tables_holds(self, name):
        rows = writer.read(TABLES / f"{name}.csv").to_dict("records")
        assert any(r["remedy"] for r in rows) and not unheld(rows)
