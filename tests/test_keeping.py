"""A loss kept right in a test suite: assertions, the pytest plugin, budgets; used as a project of its own would."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

import numpy as np
import pytest
import small_project

from harness import UsageError
from harness.cli.main import main
from harness.testing import Void, assert_ulp_within, budgets


def stable(x, y):
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


def naive(x, y):
    p = 1 / (1 + np.exp(-x))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


HARD = {"targets": [0]}


def test_a_loss_within_its_budget_passes():
    assert assert_ulp_within(stable, "bce_logits", "float32", 4, **HARD).passed


def test_a_loss_that_fails_is_told_with_its_input_in_hex():
    with pytest.raises(AssertionError) as e:
        assert_ulp_within(naive, "bce_logits", "float32", 4, **HARD)
    assert (
        not isinstance(e.value, Void) and "FAIL" in str(e.value) and "0x" in str(e.value) and "allclose" in str(e.value)
    )


def test_a_planted_fault_is_caught():
    def planted(x, y):
        return np.where(
            x == np.float32(2.5), np.nextafter(stable(x, y) * np.float32(1.000002), np.float32(9)), stable(x, y)
        )

    with pytest.raises(AssertionError):
        assert_ulp_within(planted, "bce_logits", "float32", 4, **HARD)


def test_a_check_that_nothing_could_break_is_void():
    with pytest.raises(Void, match="known to be wrong"):
        assert_ulp_within(stable, "bce_logits", "float16", 1e99, **HARD)


NUMPY_LOSSES = """
import numpy as np


def fixed(x, y):
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


def wrong(x, y):
    p = 1 / (1 + np.exp(-x))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))
"""


def project(folder: Path, tests: str, losses: str = NUMPY_LOSSES) -> subprocess.CompletedProcess[str]:
    return small_project.run(folder, losses, textwrap.dedent(tests))


def test_a_project_with_the_plugin(tmp_path):
    done = project(
        tmp_path,
        """
        @pytest.mark.ulp_within(problem="bce_logits", formats=["float16", "float32"], max_ulp=4, targets=[0])
        def test_fixed(ulp_case):
            ulp_case.check(losses.fixed)


        @pytest.mark.ulp_within(problem="bce_logits", formats=["float16"], max_ulp=4, targets=[0])
        def test_wrong(ulp_case):
            ulp_case.check(losses.wrong)
        """,
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert "test_wrong[bce_logits-float16]" in done.stdout and "FAIL" in done.stdout


TORCH_LOSSES = """
import torch
from torch.nn.functional import binary_cross_entropy_with_logits


def log1p(t):
    return torch.where(torch.abs(t) < torch.finfo(t.dtype).eps / 4, t, torch.log1p(t))


def fixed(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.clamp(x, min=0) - x * y + log1p(torch.exp(-torch.abs(x)))


def wrong(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return binary_cross_entropy_with_logits(x, y, reduction="none")


def planted(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.where(x == 2.5, 1.000002 * fixed(x, y), fixed(x, y))
"""


def test_a_project_whose_losses_are_of_torch(tmp_path):
    """One that fails, one that passes, a planted fault, and a check that is void."""
    pytest.importorskip("torch")
    tests = """
        @pytest.mark.ulp_within(problem="bce_logits", formats=["float32"], max_ulp=4, targets=[0])
        @pytest.mark.parametrize("name", ["fixed", "wrong", "planted"])
        def test_loss(ulp_case, name):
            ulp_case.check(getattr(losses, name))


        @pytest.mark.ulp_within(problem="bce_logits", formats=["float32"], max_ulp=1e99, targets=[0])
        def test_void(ulp_case):
            ulp_case.check(losses.fixed)
        """
    done = project(tmp_path, tests, TORCH_LOSSES)
    told = dict(re.findall(r"^FAILED test_losses.py::(\S+) - (\S+)", done.stdout, re.MULTILINE))
    assert "3 failed, 1 passed" in done.stdout, done.stdout
    assert len(told) == 3 and not any("fixed" in name for name in told)
    assert "harness.testing.control.Void: void" in done.stdout


def test_budgets_are_written_and_kept(tmp_path, monkeypatch):
    project(tmp_path, "def test_nothing(): pass\n")
    monkeypatch.chdir(tmp_path)
    asked = ["budget", "losses.py:fixed", "-p", "bce_logits", "-f", "float16", "-t", "0"]
    assert main(asked) == 0
    (found,) = budgets.read(Path("budgets.yaml"))
    assert found.max_ulp_input.startswith(("0x", "-0x")) and "numpy" in Path("budgets.yaml").read_text()
    done = project(
        tmp_path, '@pytest.mark.ulp_budgets("budgets.yaml")\ndef test_budgets(ulp_case):\n    ulp_case.check()\n'
    )
    assert "1 passed" in done.stdout, done.stdout
    text = Path("budgets.yaml").read_text().replace(f"'{found.max_ulp}'", "'0.25'")
    Path("budgets.yaml").write_text(text)
    (less,) = budgets.read(Path("budgets.yaml"))
    with pytest.raises(AssertionError, match=re.escape(found.max_ulp_input)):
        budgets.assert_kept(less)


@pytest.mark.parametrize("text", [None, "", "budgets: 3", "budgets: [{a: 1}]", "\x00"])
def test_what_is_no_file_of_budgets_is_named(text, tmp_path):
    path = tmp_path / "budgets.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match="budget"):
        budgets.read(path)
