"""Findings: each cause shows in the committed tables, its operation gives the library's value, and its line prints it."""

from __future__ import annotations

import importlib.util
import inspect
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.systems.pages import causes, findings_page, known, probes
from harness.systems.pages.causes import Cause, same, tolerance
from harness.systems.pages.known_causes import CAUSES
from harness.systems.pages.surprises import rank
from harness.systems.registry import library_named

TABLES = Path("results/tables")
IDS = [f"{c.library}-{c.kinds[0]}-{c.x:g}" for c in CAUSES]


@pytest.fixture(scope="module")
def every() -> list[probes.Returned]:
    """What every system returned at the probes, of the committed tables."""
    return probes.returned(known.rows_in(TABLES / "systems.csv"), TABLES / "systems_probes.csv")


def test_there_are_ten_different_ones() -> None:
    assert len({(c.library, c.formula, c.x) for c in CAUSES}) == len(CAUSES) and len({c.formula for c in CAUSES}) >= 10
    assert len({library_named(c.library).family for c in CAUSES}) >= 5


@pytest.mark.parametrize("cause", CAUSES, ids=IDS)
def test_the_operation_alone_gives_what_the_library_returned(cause: Cause, every: list[probes.Returned]) -> None:
    fault = cause.fault(every)
    assert fault is not None and same(cause.computed(), fault.value)
    assert not same(float(fault.truth), fault.value) and cause.explains(fault)


def test_another_operation_is_no_cause(every: list[probes.Returned]) -> None:
    """Negative control: the form from which nothing is lost, and a library that was mended."""
    cause = next(c for c in CAUSES if c.kinds == ("cancelled",) and c.library == "torch")
    right = replace(cause, formula="np.log1p(np.exp(x))")
    fault = cause.fault(every)
    assert fault is not None and not same(right.computed(), fault.value) and not right.explains(fault)
    mended = replace(fault.returned, value=fault.returned.rounded)
    assert cause.fault([mended]) is None and list(causes.found([cause], [mended])) == []


def test_the_page_has_them_in_its_order(every: list[probes.Returned]) -> None:
    page = (Path("docs") / "findings.md").read_text(encoding="utf-8")
    shown = sorted(causes.found(CAUSES, every), key=lambda pair: rank(pair[1]))
    titles = [f"{library_named(c.library).family}: {c.title}" for c, _ in shown]
    assert re.findall(r"^## \d+\. (?!Not traced)(.*)$", page, re.MULTILINE) == titles
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1 : len(CAUSES) + 1]
    for text in sections:
        assert text.count("```sh\n") == 1 and "Operation at fault" in text and "own tests notice?** " in text
    assert [rank(f) for _, f in shown] == sorted(rank(f) for _, f in shown)


def test_issues_are_of_the_librarys_own_repository() -> None:
    owners = {"torch": "pytorch", "tensorflow": "tensorflow", "tf_keras": "(?:keras-team|tensorflow)", "keras": "keras-team",
              "sklearn": "scikit-learn", "optax": "jax-ml", "statsmodels": "statsmodels"}  # fmt: skip
    for cause in CAUSES:
        if cause.issue:
            owner = owners[library_named(cause.library).family]
            assert re.fullmatch(rf"https://github\.com/{owner}/[\w-]+/(issues|pull)/\d+", cause.issue[0])


# -- where the libraries are installed ------------------------------------------------------------------


def defaults(function: Callable) -> tuple[float, float]:
    found = inspect.signature(function).parameters
    return found["rtol"].default, found["atol"].default


def test_tolerances_are_those_of_the_libraries_tests() -> None:
    torch, tf = pytest.importorskip("torch"), pytest.importorskip("tensorflow")
    keras, sklearn = pytest.importorskip("keras.src.testing"), pytest.importorskip("sklearn.utils._testing")
    for name, (rtol, atol) in causes.TOLERANCES["torch"][1].items():
        found = torch.testing._comparison.default_tolerances(getattr(torch, name))
        assert found == (rtol, atol), name
    for family, function in (("tensorflow", tf.test.TestCase.assertAllClose), ("keras", keras.TestCase.assertAllClose)):
        assert defaults(function) == causes.TOLERANCES[family][1][""]
    close = sklearn.assert_allclose
    for name, rtol in (("float32", 1e-4), ("float64", 1e-7)):
        one = np.array([1.0], name)
        close(one * np.array(1 + 0.9 * rtol, name), one)
        with pytest.raises(AssertionError):
            close(one * np.array(1 + 1.9 * rtol, name), one)
    assert defaults(np.testing.assert_allclose) == causes.PLAIN[1][""] and defaults(close)[1] == 0.0


def test_a_tolerance_decides_by_the_error(every: list[probes.Returned]) -> None:
    torch = [f for c, f in causes.found(CAUSES, every) if f.kind == "cancelled" and c.library == "torch"]
    fault = next(f for f in torch if f.returned.fmt.name == "float32")
    tests = tolerance(fault)
    assert not tests.notices(fault) and replace(tests, absolute=1e-7).notices(fault)
    nan = next(f for _, f in causes.found(CAUSES, every) if math.isnan(f.value))
    assert replace(tests, absolute=1e9).notices(nan)


@pytest.mark.parametrize("cause", CAUSES, ids=IDS)
def test_the_line_prints_the_value(cause: Cause, every: list[probes.Returned]) -> None:
    fault = cause.fault(every)
    assert fault is not None
    missing = [m for m in library_named(cause.library).versions if importlib.util.find_spec(m) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: `make systems` brings it")
    line = str(findings_page._of_cause(cause, fault, every)["line"]).replace(
        "python -c", f"{sys.executable} -W ignore -c"
    )
    printed = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=300, check=True).stdout.split()
    assert np.isclose(float(printed[-1]), fault.value, rtol=1e-5, atol=0, equal_nan=True)


def test_graphs_are_wrong_by_the_order_in_which_their_optimizer_adds() -> None:
    """What the two causes say of it, at every tenth of a logit; switched off it is as in eager mode."""
    tf = pytest.importorskip("tensorflow")
    x = tf.constant(np.arange(0.1, 20, 0.1), tf.float32)
    y, e = tf.ones_like(x), tf.exp(-x)
    small = (e * tf.math.reciprocal(1 + e)).numpy()  # as the library computes it

    def gradient(arithmetic: bool) -> np.ndarray:
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": arithmetic})
        loss = tf.nn.sigmoid_cross_entropy_with_logits
        return tf.function(lambda x, y: tf.gradients(loss(labels=y, logits=x), x)[0])(x, y).numpy()

    try:
        assert np.array_equal(gradient(True), (1 - small) - 1) and np.array_equal(gradient(False), -small)
        assert not np.array_equal((1 - small) - 1, -small)  # negative control
    finally:
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": True})


def test_since_when_is_told_with_how_it_is_known() -> None:
    told = [cause.since for cause in CAUSES if cause.since is not None]
    assert len(told) >= len(CAUSES) - 1
    assert all(version and re.match(r"(read in|run with) ", known_by) for version, known_by in told)
