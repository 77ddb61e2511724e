"""Targets: smoothing in fractions, labels outside [0, 1] against closed forms, NumPy's types, digits next to 1."""

import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.kernels import all_kernels, kernel_named
from harness.numbers.formats import FORMATS
from harness.studies.targets import formulas, smoothing
from harness.studies.targets.labels import accepted_rows, label_rows, verdict
from harness.studies.targets.measure import map_rows, named_targets, power_rows, powers

EXPERIMENT = yaml.safe_load((Path(__file__).parent.parent / "experiments" / "targets.yaml").read_text("utf-8"))
PARAMETERS = EXPERIMENT["parameters"]
WORKING = [FORMATS[name] for name in EXPERIMENT["parts"]]
NAMES = [f.name for f in WORKING]


@pytest.fixture(scope="module")
def labels():
    return label_rows(FORMATS["float32"])


class TestSmoothing:
    def test_mixed_is_keras_with_twice_the_parameter(self):
        assert smoothing.identity_holds()
        for y, s in (
            (Fraction(3, 7), Fraction(1, 11)),
            (Fraction(-5, 3), Fraction(9, 2)),
            (Fraction(1), Fraction(1, 10)),
        ):
            assert y * (1 - s) + s * (1 - y) == y * (1 - 2 * s) + 2 * s / 2
            assert smoothing.exact("mixed", y, s) == smoothing.exact("keras", y, 2 * s)

    def test_the_corners_see_a_wrong_formula(self, monkeypatch):
        """Negative control: Keras's formula with s instead of 0.5 s."""
        right = smoothing.exact
        monkeypatch.setattr(smoothing, "exact", lambda f, y, s: right(f, y, s) + (s / 2 if f == "keras" else 0))
        assert not smoothing.identity_holds()

    @pytest.mark.parametrize("name", ["bfloat16", "float16"])
    def test_the_largest_error_against_every_s_in_fractions(self, name):
        fmt = FORMATS[name]
        row = next(r for r in smoothing.identity_rows(fmt) if r["target"] == "1")
        s = fmt.from_ordinal(np.arange(*fmt.finite_ordinals(0.0, 0.5)))
        s = s[s >= np.asarray(2.0**-14).astype(fmt.dtype)]  # below, both are 1 and err by less than half
        computed = smoothing.keras(np.ones_like(s), s + s)
        most = max(abs(Fraction(float(c)) - (1 - Fraction(float(v)))) for c, v in zip(computed, s))
        assert float(most * 2**fmt.precision) == pytest.approx(float(row["keras_max_ulp"]), rel=1e-8)

    @pytest.mark.parametrize("fmt", WORKING, ids=NAMES)
    def test_what_leaves_a_positive_target_at_1(self, fmt):
        """1 - s rounds to 1 for s <= 2^-(p+1), the tie to even; the negative target is moved by the same s."""
        row = next(r for r in smoothing.identity_rows(fmt) if r["target"] == "1")
        last = float.fromhex(row["mixed_unchanged_to"])
        assert last == 2.0 ** -(fmt.precision + 1)
        s = np.array([last]).astype(fmt.dtype)
        assert smoothing.mixed(np.ones_like(s), s)[0] == 1 and smoothing.mixed(np.zeros_like(s), s)[0] == s[0]

    def test_parts_of_the_error(self):
        """In bfloat16 0.1 is 0.10009765625; 1 - that is a tie of neither kind: the parts are exact fractions."""
        row = next(
            r
            for r in smoothing.smoothing_rows(FORMATS["bfloat16"], ["0.1"])
            if r["formula"] == "mixed" and r["target"] == "1"
        )
        s, ulp = Fraction(0.10009765625), Fraction(1, 256)
        assert float(row["quantisation_ulp"]) == pytest.approx(float(abs(s - Fraction("0.1")) / ulp), rel=1e-8)
        computed = Fraction(float.fromhex(row["computed"]))
        assert float(row["rounding_ulp"]) == pytest.approx(float(abs(computed - (1 - s)) / ulp), rel=1e-8)


class TestLabels:
    def row(self, rows, problem, kernel, label):
        return next(r for r in rows if (r["problem"], r["kernel"], r["label"]) == (problem, kernel, label))

    def test_minus_one_from_a_logit_is_softplus_plus_x(self, labels):
        row = self.row(labels, "bce_logits", "softplus_pair", "-1")
        assert row["verdict"] == "accepted, negative"
        least, at = float.fromhex(row["least"]), float.fromhex(row["least_input"])
        assert least == pytest.approx(math.log1p(math.exp(at)) + at, rel=1e-6)
        low, high = float.fromhex(row["gradient_low"]), float.fromhex(row["gradient_high"])
        assert low == pytest.approx(1 + 1 / (1 + math.exp(10)), rel=1e-6)
        assert high == pytest.approx(1 + 1 / (1 + math.exp(-10)), rel=1e-6)
        assert 0 < row["right"] < row["points"]

    def test_the_label_2_mirrors_it(self, labels):
        mirrored = self.row(labels, "bce_logits", "softplus_pair", "2")
        assert mirrored["least"] == self.row(labels, "bce_logits", "softplus_pair", "-1")["least"]
        assert float.fromhex(mirrored["gradient_high"]) < 0

    def test_nan_stays_nan(self, labels):
        """A kernel that chooses by the label takes NaN for another number, and says that it is for hard targets alone."""
        chooses = {(k.problem, k.name) for k in all_kernels() if k.hard_targets_only}
        other = [r for r in labels if r["label"] == "nan" and (r["problem"], r["kernel"]) not in chooses]
        assert other and all(r["finite"] == 0 for r in other)

    def test_counts_add_up(self, labels):
        assert all(r["finite"] + r["nan"] + r["inf"] == r["points"] for r in labels)
        for row in accepted_rows(labels):
            assert row["finite_everywhere"] <= row["finite_somewhere"] <= row["kernels"]

    def test_a_kernel_that_refused_would_be_seen(self):
        """Negative control of the verdict."""
        assert verdict([math.nan, math.inf]) == "NaN or infinite"
        assert verdict([1.0, -2.0]) == "accepted, negative"
        assert verdict([1.0, math.nan]) == "accepted in part"


class TestNumPy:
    def found(self, fmt, formula, labels):
        rows = formulas.formula_rows(FORMATS[fmt])
        return next(r for r in rows if (r["formula"], r["labels"]) == (formula, labels))

    def test_types_before_any_loss(self):
        rows = {(r["labels"], r["expression"]): r for r in formulas.promotion_rows(FORMATS["float32"])}
        assert rows["bool", "-y"]["result"] == "TypeError"
        assert rows["bool", "1 - y"]["result"] == "int64"
        assert (rows["uint8", "2*y - 1"]["result"], rows["uint8", "2*y - 1"]["values"]) == ("uint8", "255, 1")
        assert rows["int64", "x*y"]["result"] == "float64" and rows["int8", "x*y"]["result"] == "float32"

    @pytest.mark.parametrize(
        "where, result", [("promotion_rows(f)", "float64"), ("fresh(promotion_rows, f)", "float32")]
    )
    def test_types_are_those_without_quad_numbers(self, where, result):
        """Once loaded, numpy-quaddtype promotes bfloat16 with a Python float to float64: a planted fault, and its cure."""
        run = (
            "from harness.numbers import formats, wide\n"
            "from harness.studies.targets.formulas import promotion_rows\n"
            "from harness.studies.targets.measure import in_fresh_process as fresh\n"
            "if __name__ == '__main__':\n"
            "    wide.quad(); f = formats.format_named('bfloat16')\n"
            f"    rows = {where}\n"
            "    print([r['result'] for r in rows if r['labels'] == 'bfloat16' and '(1 - s)' in r['expression']])\n"
        )
        done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == f"['{result}']"

    def test_unsigned_labels_are_wrong_where_they_are_negated(self):
        row = self.found("float32", "-y*log(p) - (1 - y)*log(1 - p)", "0/1 uint8")
        assert row["outcome"] == "finite, wrong"
        p = 1 / (1 + math.exp(-formulas.LOGIT))
        assert float(row["positive"]) == pytest.approx(255 * math.log(p), rel=1e-3)

    @pytest.mark.parametrize("labels, outcome", [("0/1 float", "finite, wrong"), ("-1/1 float", "right")])
    def test_the_margin_form_wants_signs(self, labels, outcome):
        row = self.found("float32", "log1p(exp(-y*x))", labels)
        assert row["outcome"] == outcome
        if labels.startswith("0/1"):
            assert float(row["negative"]) == pytest.approx(math.log(2), rel=1e-3)

    def test_a_nan_label_is_true(self):
        assert self.found("float32", "-log(where(y, p, 1 - p))", "NaN float")["outcome"] == "finite, wrong"

    def test_integer_labels_give_every_kernel_the_float_labels_losses(self):
        for row in formulas.formula_rows(FORMATS["float32"]):
            if row["formula"].startswith("kernel") and row["labels"] == "0/1 bool":
                assert row["outcome"] == "right", row

    def test_a_formula_with_the_wrong_sign_is_not_right(self, monkeypatch):
        """Negative control: a planted fault in the first formula."""
        name = next(iter(formulas.LOGIT_FORMULAS))
        monkeypatch.setitem(formulas.LOGIT_FORMULAS, name, lambda x, y: np.maximum(x, 0) + x * y)
        assert self.found("float32", name, "0/1 float")["outcome"] == "finite, wrong"


class TestNextToOne:
    @pytest.mark.parametrize("fmt", WORKING, ids=NAMES)
    def test_targets_are_numbers_of_the_format(self, fmt):
        for v in [*named_targets(fmt).values(), *(v for _, _, v in powers(fmt, 1))]:
            assert float(fmt.round(Fraction(v))) == v
        assert named_targets(fmt)["1-2^-p"] == fmt.next_down(1.0)

    def test_a_bit_is_lost_for_every_power(self):
        rows = power_rows(FORMATS["float16"], 1, PARAMETERS["fused"])
        lost = {(r["kernel"], r["near"], r["k"]): float(r["max_ulp"]) for r in rows}
        for k in range(3, 12):
            # x y is rounded by half an ulp of x, and what is left of x is 2^-k of it; the rest rounds by 2 ulp.
            assert 2 ** (k - 2) < lost["lse_log1p", "1", k] <= 2 ** (k - 1) + 2
            assert lost["linear_softplus", "0", k] > 2 ** (k - 2)
            assert lost["softplus_pair", "0", k] < 4 and lost["softplus_pair", "1", k] < 4

    def test_the_map_finds_it_and_clears_the_pair(self):
        rows = map_rows(FORMATS["bfloat16"], "quick", {"bce_logits": ["lse_log1p", "softplus_pair"]})
        worst = {(r["kernel"], r["target_name"]): float(r["max_ulp"]) for r in rows}
        assert worst["lse_log1p", "1-2^-p"] > 64
        assert max(v for (k, _), v in worst.items() if k == "softplus_pair") < 4

    def test_the_loss_is_that_of_the_product_that_rounded(self):
        """At y = 1 - 2^-24 and large x, x*y is half an ulp below x: the form returns 0, an ulp of x, or nothing between."""
        x = np.float32([[2.0**20 + 1]])
        y = np.float32([[1 - 2.0**-24]])
        exact = float(x[0, 0]) * 2.0**-24
        assert abs(float(kernel_named("bce_logits", "lse_log1p")(x, y)[0, 0]) - exact) >= 0.4 * exact
        assert abs(float(kernel_named("bce_logits", "softplus_pair")(x, y)[0, 0]) - exact) <= 2.0**-22 * exact

    def test_the_same_twice(self):
        fmt = FORMATS["float16"]
        assert json.dumps(formulas.promotion_rows(fmt)) == json.dumps(formulas.promotion_rows(fmt))
        assert json.dumps(power_rows(fmt, 4, ["lse_log1p"])) == json.dumps(power_rows(fmt, 4, ["lse_log1p"]))
