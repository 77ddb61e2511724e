"""The study `training`: networks, causes, weighted errors, each against something simpler."""

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from mpmath import mp

from harness import UsageError
from harness.kernels import kernel_named, kernels_of
from harness.numbers.formats import FORMATS
from harness.studies import study
from harness.studies.training import measure
from harness.studies.training.causes import cause
from harness.studies.training.logits import FINE, distribution, inputs, weighted, weights
from harness.studies.training.measure import spread, summary_rows, trained_rows
from harness.studies.training.network import (
    NEVER,
    Arithmetic,
    DifferentiatedLoss,
    backward,
    forward,
    losses,
    note,
    stepped,
    train,
)
from harness.studies.training.start import MARGIN, initial, separable, setup_named, split
from harness.tables import writer
from harness.tables.strongest import Known

ROOT = Path(__file__).parent.parent
PARAMETERS = yaml.safe_load((ROOT / "experiments" / "training.yaml").read_text(encoding="utf-8"))["parameters"]
SMALL = {**PARAMETERS, "seeds": 2, "examples": 40, "steps": 12, "note_every": 4}
LOSSES = losses(PARAMETERS["backward"])
KERNELS = len(kernels_of("bce_logits")) + len(kernels_of("bce"))
FOUR = [FORMATS[name] for name in PARAMETERS["formats"]]
STABLE = DifferentiatedLoss(kernel_named("bce_logits", "softplus_pair"))


def small_setup(model="mlp"):
    return setup_named(f"separable-{model}", SMALL)


class TestNetwork:
    x = np.array([[0.5, -1.25], [2.0, 0.75], [-0.375, 1.5]])
    y = np.array([1.0, 0.0, 1.0])
    weights = initial([2, 3, 1], seed=4, gain=1.0)

    def loss(self, flat):
        """Return the mean loss of weights in one row, in mpmath, written out unit by unit."""
        first, last = flat[:9], flat[9:]
        total = mp.mpf(0)
        for x, y in zip(self.x, self.y):
            hidden = [max(first[j] * x[0] + first[3 + j] * x[1] + first[6 + j], 0) for j in range(3)]
            z = mp.fsum(w * h for w, h in zip(last[:3], hidden)) + last[3]
            total += y * mp.log1p(mp.exp(-z)) + (1 - y) * mp.log1p(mp.exp(z))
        return total / len(self.y)

    def gradient(self, passes=backward):
        arithmetic = Arithmetic(FORMATS["float64"])
        logits, layers = forward(arithmetic, self.weights, self.x)
        _, slope = arithmetic.loss(STABLE, logits, self.y)
        return np.concatenate([g.ravel() for g in passes(arithmetic, self.weights, layers, slope)])

    def errors(self, computed):
        """Return the error of each component, relative to the gradient's largest."""
        flat = [mp.mpf(float(w)) for layer in self.weights for w in layer.ravel()]
        with mp.workdps(60):
            exact = [
                mp.diff(lambda t, i=i: self.loss([*flat[:i], flat[i] + t, *flat[i + 1 :]]), 0) for i in range(len(flat))
            ]
            return [float(abs(mp.mpf(float(c)) - e) / max(map(abs, exact))) for c, e in zip(computed, exact)]

    def test_the_gradient_is_the_derivative(self):
        assert max(self.errors(self.gradient())) < 2**-48

    def test_a_relu_that_passes_everything_on_is_noticed(self):
        def passes_all(arithmetic, layers, seen, slope):
            return backward(arithmetic, layers, [seen[0], np.where(seen[1] > 0, seen[1], 1.0)], slope)

        assert max(self.errors(self.gradient(passes_all))) > 2**-48

    @pytest.mark.parametrize("fmt", FOUR, ids=lambda f: f.name)
    def test_every_number_is_of_the_format(self, fmt):
        assert self.all_of(fmt, Arithmetic(fmt))

    def test_a_result_that_is_not_rounded_is_noticed(self):
        class Unrounded(Arithmetic):
            def rounded(self, values):
                return values

        assert not self.all_of(FORMATS["bfloat16"], Unrounded(FORMATS["bfloat16"]))

    def all_of(self, fmt, arithmetic):
        held = [a.astype(fmt.dtype).astype(arithmetic.accumulator) for a in (self.x, *self.weights)]
        logits, layers = forward(arithmetic, held[1:], held[0])
        _, slope = arithmetic.loss(STABLE, logits, self.y)
        found = backward(arithmetic, held[1:], layers, slope)
        after = stepped(arithmetic, held[1:], found, np.array(0.5, arithmetic.accumulator))
        every = [logits, *layers, *found, *after]
        return all(np.array_equal(a, a.astype(fmt.dtype).astype(a.dtype)) for a in every)

    def test_16_bit_products_are_summed_up_in_float32(self):
        """1 + 2048 * 2^-11 is 2; a sum rounded into float16 after each term stays at 1."""
        arithmetic = Arithmetic(FORMATS["float16"])
        row = np.concatenate([[1.0], np.full(2048, 2.0**-11)]).astype(np.float32)[None, :]
        assert arithmetic.rounded(row @ np.ones((2049, 1), np.float32)) == 2
        total = np.float16(0)
        for v in row[0].astype(np.float16):
            total += v
        assert total == 1


class TestLosses:
    x = np.linspace(-3, 3, 13)
    y = (np.arange(13) % 2).astype(np.float64)

    def test_every_kernel_is_there_once(self):
        names = [(m.kernel.problem, m.kernel.name, m.backward) for m in LOSSES]
        assert len(set(names)) == len(names) == KERNELS + len(PARAMETERS["backward"])

    @pytest.mark.parametrize("problem", ["bce_logits", "bce"])
    def test_loss_and_slope_are_those_of_the_logit(self, problem):
        name = {"bce_logits": "softplus_pair", "bce": "naive_log1p"}[problem]
        loss, slope = DifferentiatedLoss(kernel_named(problem, name))(self.x, self.y)
        for x, y, value, derivative in zip(self.x, self.y, loss, slope):
            with mp.workdps(40):
                z = mp.mpf(float(x)) * (1 if y else -1)
                exact, exact_slope = mp.log1p(mp.exp(-z)), -1 / (1 + mp.exp(z)) * (1 if y else -1)
                assert abs(float(value) / exact - 1) < 2**-46  # log(1 - p) of a rounded p loses bits up to x = 3
                assert abs(float(derivative) / exact_slope - 1) < 2**-46

    def test_without_the_sigmoid_the_slope_would_be_another(self):
        p = kernel_named("sigmoid", "branched")(self.x)
        _, slope = DifferentiatedLoss(kernel_named("bce", "naive_log1p"))(self.x, self.y)
        assert not np.allclose(slope, kernel_named("bce_grad", "naive_log1p")(p, self.y), rtol=0.1)

    @pytest.mark.parametrize("fmt", FOUR, ids=lambda f: f.name)
    def test_a_cause_is_named_where_and_only_where_the_slope_is_not_finite(self, fmt):
        for x in (0.5, -3.0, 12.0, -12.0, 40.0, -95.0, 120.0):
            for y in (0.0, 1.0):
                for loss in LOSSES:
                    with np.errstate(all="ignore"):
                        _, slope = loss(np.array([x]).astype(fmt.dtype), np.array([y]).astype(fmt.dtype))
                    named = cause(loss, fmt, x, y)[1]
                    assert np.isfinite(slope[0]) or named, (loss, x, y)
                    # An infinity on the way may come out as 0, as 1 / inf; a NaN never comes back.
                    assert not named.endswith("nan") or not np.isfinite(slope[0]), (loss, x, y, named)

    def test_the_branch_not_taken_is_blamed(self):
        loss = DifferentiatedLoss(kernel_named("bce_logits", "maechler"))
        assert cause(loss, FORMATS["float16"], 12.0, 1.0) == ("exp(12) = inf", "0 × slope of exp(12) = nan")
        assert cause(loss, FORMATS["float64"], 12.0, 1.0) == ("", "")


class TestRuns:
    def test_the_same_bytes_whatever_the_number_of_threads(self):
        pytest.importorskip("sklearn")
        from threadpoolctl import threadpool_limits as limits

        found = []
        for threads in (1, 1, 2):
            with limits(threads), measure.one_thread():
                run = train(STABLE, FORMATS["float32"], small_setup())
            found.append(run.logits.tobytes() + run.reported.tobytes())
        assert found[0] == found[1] == found[2]

    def test_training_helps_and_the_reported_loss_is_the_true_one(self):
        run = train(STABLE, FORMATS["float64"], small_setup("logistic"))
        first, last = run.noted["true_loss"][[0, -1]]
        assert (last[:, 0] < first[:, 0]).all()
        assert (run.first_nonfinite == NEVER).all()
        assert np.abs(run.reported[run.steps] / run.noted["true_loss"] - 1).max() < 2**-44

    def test_a_loss_that_divides_by_zero_is_lost(self):
        run = train(DifferentiatedLoss(kernel_named("bce", "naive")), FORMATS["float16"], small_setup("logistic"))
        wrong = list(SMALL["models"]["logistic"]["settings"]).index("wrong_start")
        assert (run.first_gradient[:, wrong] >= 0).all()
        assert (run.test_error[:, wrong] == 1).all()

    def test_true_loss_and_shares_of_dead_gradients(self):
        fmt = FORMATS["float32"]
        logits, targets = np.array([[[30.0, -30.0, 200.0, 0.5]]], np.float32), np.array([[[0.0, 0.0, 1.0, 1.0]]])
        slope = np.array([[[0.0, 0.0, 0.0, -0.25]]], np.float32)  # stuck, dead, rightly 0 (-e^-200), alive
        found = note(fmt, logits, targets, slope, [np.array([[[[3.0], [4.0]]]])])
        with mp.workdps(40):
            exact = mp.fsum(mp.log1p(mp.exp(v)) for v in (30, -30, -200, mp.mpf(-0.5))) / 4
        assert abs(found["true_loss"][0, 0] / exact - 1) < 2**-47
        assert (found["dead"][0, 0], found["stuck"][0, 0], found["gradient_norm"][0, 0]) == (0.5, 0.25, 5)

    def test_rows_have_the_spread_of_the_seeds(self):
        assert spread("v", np.array([3.0, np.nan, 1.0])) == {"v_min": "1", "v_median": "3", "v_max": "nan"}
        small = {**SMALL, "formats": ["bfloat16"], "backward": [], "steps": 4}
        rows, curves = trained_rows(setup_named("separable-logistic", small))
        assert len(rows) == KERNELS * 3 and not curves  # the curves are of another part
        own = [r for r in rows if r["kernel"] == "softplus_pair"]
        assert {r["excess_error_max"] for r in own} == {"0"}
        summary = summary_rows(rows + rows)
        assert len(summary) == KERNELS and summary[0]["runs"] == 4


class TestData:
    def test_a_plane_separates_with_a_margin(self):
        x, y = separable(3)
        again, _ = separable(3)
        assert x.tobytes() == again.tobytes()
        draw = np.random.Generator(np.random.PCG64([3, 0]))
        draw.standard_normal(x.shape)
        direction = draw.standard_normal(x.shape[1])
        side = x @ (direction / np.linalg.norm(direction))
        assert ((side > 0) == (y == 1)).all() and np.abs(side).min() >= MARGIN * (1 - 1e-12)

    def test_training_and_test_examples_are_all_and_apart(self):
        s = split("separable", 0, 200)
        assert len(s.train_y) == 200 and len(s.train_y) + len(s.test_y) == 1200
        assert np.abs(s.train_x.mean(axis=0)).max() < 1e-12

    @pytest.mark.parametrize("name, features", [("breast_cancer", 30), ("digits", 64)])
    def test_shipped_data(self, name, features):
        pytest.importorskip("sklearn")
        s = split(name, 1, 200)
        assert s.train_x.shape == (200, features) and set(s.test_y) == {0.0, 1.0} and np.isfinite(s.test_x).all()

    def test_without_scikit_learn_one_sentence_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "sklearn", None)
        for use in (lambda: measure.run(PARAMETERS, "separable-mlp"), lambda: split("digits", 0, 200)):
            with pytest.raises(UsageError, match=r"scikit-learn.*pip install '\.\[questions\]'"):
                use()

    def test_unknown_names_are_refused(self):
        with pytest.raises(UsageError, match="known data sets: breast_cancer, digits, separable"):
            split("iris", 0, 200)
        with pytest.raises(UsageError, match="known models: logistic, mlp"):
            setup_named("digits-forest", PARAMETERS)


class TestWeightedErrors:
    def test_mean_and_percentile_are_those_of_repeated_errors(self):
        draw = np.random.Generator(np.random.PCG64(5))
        ulp, weight = draw.random(50), draw.integers(0, 40, 50)
        every = np.sort(np.repeat(ulp, weight))
        mean, others, at = weighted(ulp, weight.astype(float))
        assert abs(mean / every.mean() - 1) < 1e-12 and others == 0
        assert ulp[at] == every[int(np.ceil(0.99 * len(every))) - 1]

    def test_what_is_not_finite_is_larger_than_any_and_not_in_the_mean(self):
        ulp, weight = np.array([1.0, -1.0, 3.0, np.inf]), np.array([50.0, 2.0, 50.0, 0.0])
        mean, others, at = weighted(ulp, weight)  # the infinite error was never met
        assert (mean, at) == (2.0, 1) and others == 2 / 102

    @pytest.mark.parametrize("fmt", FOUR, ids=lambda f: f.name)
    def test_weights_stay_in_their_cells(self, fmt):
        values = np.array([-40.5, -0.3, -0.00021, 0.125, 0.7, 17.3], np.float32)
        cells = FINE.cell(FINE.ordinal(values))
        counts = np.arange(12.0).reshape(2, 6)
        ordinals, weight = inputs(fmt, cells, counts)
        assert np.allclose(weight.sum(axis=1), counts.sum(axis=1), rtol=1e-12)
        own = fmt.cell(fmt.ordinal(values.astype(fmt.dtype)))
        assert np.array_equal(np.unique(fmt.cell(ordinals)), own)
        assert not np.isin(fmt.cell(ordinals + (1 << fmt.cell_shift)), own).any()  # the next cell is another

    def test_every_logit_is_counted_in_its_cell(self):
        setup = small_setup("logistic")
        run = train(STABLE, FORMATS["float64"], setup)
        rows = distribution([(setup, run)])
        usual = sum(r["count_usual"] for r in rows)
        assert usual == run.logits[:, 0].size
        cells, counts = weights(rows, ["usual"])
        at = np.searchsorted(cells, FINE.cell(FINE.ordinal(run.logits[0, 0, :1].astype(np.float32))))
        assert counts[int(run.targets[0, 0, 0]), at] >= 1
        for r in rows:
            assert float.fromhex(r["least"]) <= float.fromhex(r["largest"])


def sentences(frames):
    """The answer from tables, line by line."""
    return (
        study.study_of(study.load(ROOT / "experiments" / "training.yaml"))
        .answered(frames, Known.with_tables(frames, ROOT / "results" / "tables"))
        .splitlines()
    )


class TestAnswer:
    @pytest.fixture
    def frames(self):
        folder = ROOT / "results" / "tables"
        return {
            name: writer.read(folder / f"{name}.csv") for name in ("training", "training_summary", "training_errors")
        }

    def test_the_losses_that_lost_no_run_are_named(self, frames):
        said = " ".join(sentences(frames))
        assert "nan" not in said.replace("NaN", "") and "softplus_pair" in said and "lse_log1p" in said

    def test_a_run_that_is_lost_takes_its_loss_out_of_the_answer(self, frames):
        summary = frames["training_summary"]
        summary.loc[summary["kernel"] == "lse_log1p", "lost_usual"] = "1"
        assert "lse_log1p" not in " ".join(sentences(frames))
