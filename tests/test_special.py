"""The special values: limits against far points, known outcomes, planted faults."""

import math

import mpmath
import numpy as np
import pytest

from harness.kernels import Kernel, kernel_named, kernels_of, like
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.tables import special_points, special_values, writer
from harness.truth.certified import truth
from harness.workflow import files
from harness.workflow.dependencies import kernel_sources, sources
from harness.workflow.provenance import provenance

FLOAT32 = FORMATS["float32"]
GROWING = [p for p in PROBLEMS.values() if p.input == "logit" or p.name in ("exp", "expm1", "tanh")]


def outcomes(problem, kernel, fmt=FLOAT32):
    """Return {(input, target): outcome} of one kernel."""
    p = PROBLEMS[problem]
    found = special_values.rows_of(p, kernel, fmt, special_values.points_of(p, fmt))
    return {(r["input"], r["target"]): r["outcome"] for r in found}


def planted(problem, function):
    return outcomes(problem, Kernel("planted", problem, function, "", "", ""))


@pytest.mark.parametrize("problem", GROWING, ids=lambda p: p.name)
@pytest.mark.parametrize("fmt", [FORMATS[n] for n in special_values.NAMES], ids=lambda f: f.name)
def test_limits_agree_with_the_truth_far_out(problem, fmt):
    """At +-2^100 every one of these problems has rounded to its limit, or grown by 2^99 at least."""
    cases = [c for c in special_values.points_of(problem, fmt) if c.name in ("-inf", "+inf")]
    assert len(cases) == (6 if problem.has_target else 2)
    for c in cases:
        point = [mpmath.ldexp(1, 100) * (1 if c.name == "+inf" else -1)]
        far = truth(problem, (*point, *([] if c.target is None else [mpmath.mpf(float(c.target))])))
        if abs(far) > 2.0**98:
            assert float(c.expected) == math.copysign(math.inf, far)
        else:
            assert float(c.expected) == float(fmt.round(far))


@pytest.mark.parametrize(
    ("problem", "name", "target", "expected"),
    [
        ("bce", "+0", 0.0, 0.0), ("bce", "+0", 1.0, math.inf), ("bce", "1", 0.5, math.inf),
        ("bce", "1", 1.0, 0.0),
        ("bce_grad", "+0", 1.0, -math.inf), ("bce_grad", "+0", 0.0, 1.0), ("bce_grad", "1", 0.0, math.inf),
        ("bce_logits_grad", "-0", 0.5, 0.0), ("log", "-0", None, -math.inf), ("log1p", "-1", None, -math.inf),
    ],
)  # fmt: skip
def test_expected_values_at_zeros_and_poles(problem, name, target, expected):
    cases = {
        (c.name, None if c.target is None else float(c.target)): c
        for c in special_values.points_of(PROBLEMS[problem], FLOAT32)
    }
    assert float(cases[name, target].expected) == expected


def test_what_lies_outside_the_domain_expects_nothing():
    found = outcomes("log", kernel_named("log", "numpy"))
    assert found["-inf", ""] == "outside" and found["+inf", ""] == "ok"
    assert outcomes("bce", kernel_named("bce", "xlogy"))["+inf", "0"] == "outside"


def test_known_outcomes():
    naive = outcomes("bce", kernel_named("bce", "naive"))
    assert naive["+0", "0"] == "nan" and naive["1", "1"] == "nan" and naive["+0", "1"] == "ok"
    assert outcomes("bce", kernel_named("bce", "clamp_log_100"))["+0", "1"] == "finite"
    assert outcomes("bce", kernel_named("bce", "add_eps_1e-7"))["1", "1"] == "sign"
    assert outcomes("bce_logits", kernel_named("bce_logits", "lse_log1p"))["+inf", "1"] == "nan"
    assert set(outcomes("softplus", kernel_named("softplus", "shifted")).values()) == {"ok"}


def test_planted_faults_have_their_names():
    pair = kernel_named("bce_logits", "softplus_pair")
    swallowed = planted("bce_logits", lambda x, y: np.nan_to_num(pair(x, y)))
    assert swallowed["NaN", "0"] == "number" and swallowed["+inf", "0"] == "finite"
    assert planted("bce_logits", lambda x, y: -pair(x, y))["+0", "0"] == "sign"
    assert planted("bce_logits", lambda x, y: like(0, x) * (x + y))["-0", "1"] == "zero"
    assert planted("bce_logits", lambda x, y: pair(x, y) * like("1.00001", x))["-0", "0.5"] == "inexact"
    assert planted("bce_logits", lambda x, y: pair(x, y) / (x - x))["+0", "0.5"] == "inf"
    sound = planted("bce_logits", pair)
    assert all(sound[name, y] == "ok" for name in ("-0", "+0", "NaN") for y in ("0", "0.5", "1"))


def test_a_sign_is_wrong_however_small_the_numbers_are():
    point = special_points.SpecialPoint(
        "least", np.float64(1e-300), np.float64(0), mpmath.mpf(1e-300), np.float64(1e-300)
    )
    told = [special_points.outcome(PROBLEMS["bce"], FORMATS["float64"], point, v) for v in (-1e-300, 2e-300)]
    assert told == ["sign", "inexact"]  # their product underflows


def test_table_is_complete_and_its_bytes_repeat(tmp_path):
    special_values.special_values_job(tmp_path / "special_values")
    special_values.special_values_job(tmp_path / "again" / "special_values")
    for suffix in (".csv", ".md"):
        written = (tmp_path / f"special_values{suffix}").read_bytes()
        assert (tmp_path / "again" / f"special_values{suffix}").read_bytes() == written
    told = files.read_json(tmp_path / "special_values.json")["provenance"]
    ran = {*sources(["harness.tables.special_values"]), *kernel_sources()}
    assert told == provenance(ran) and "harness/cli/main.py" not in ran and "harness/kernels/primitives.py" in ran
    frame = writer.read(tmp_path / "special_values.csv")
    assert tuple(frame.columns) == (*special_values.COLUMNS, "id")
    kernels = {(p, k.name) for p in PROBLEMS for k in kernels_of(p)}
    assert set(zip(frame["problem"], frame["kernel"], strict=True)) == kernels
    assert set(frame["format"]) == set(special_values.NAMES) and set(frame["outcome"]) <= set(special_values.OUTCOMES)
    lines = (tmp_path / "special_values.md").read_text().splitlines()
    assert "| bce | naive | nan | -0, +0: y = 0. 1: y = 1 |" in lines
