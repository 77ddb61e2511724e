"""Every input through a library: planted faults between samples are found, and what a table says is the library's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness import UsageError
from harness.cli.main import main
from harness.sweep.grid import BLOCK
from harness.systems import adapters, exhaustive
from harness.tables import writer

ADAPTER = """
import numpy as np
from harness.systems.registry import Library, System

__version__ = "0.1"
LIBRARIES = (Library("planted", __name__, (__name__,)),)

def loss(x, y):
    x64, y64 = x.astype(float), y.astype(float)
    right = (y64 * np.logaddexp(0, -x64) + (1 - y64) * np.logaddexp(0, x64)).astype(x.dtype)
    if len(x) < 64:
        return right  # the scalar path has no fault
    return np.where((x == np.float32(3)) & (y == 1), right * np.float32(1.25), right)

def systems(library):
    return [System("planted.loss", library, "bce_logits", "eager", lambda: loss, "lse_log1p", taught=True, by_default=True),
            System("other.loss", library, "bce_logits", "jit", lambda: loss, "lse_log1p", taught=True)]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("exhaustive")
    (folder / "planted_library.py").write_text(ADAPTER)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(adapters, "__path__", [*adapters.__path__, str(folder)])
        patch.setattr(exhaustive, "SHARDS", 2)
        yield folder


@pytest.fixture(scope="module")
def shards(folder: Path) -> list[str]:
    paths = [str(folder / f"planted.{i}.npz") for i in range(2)]
    for i, path in enumerate(paths):
        assert main(["systems-sweep", "planted", "--shard", str(i), "--grid", "quick", "--out", path]) == 0
    return paths


def test_only_calls_that_run_by_default_are_swept(folder: Path) -> None:
    assert [c.system.name for c in exhaustive.taught("planted")] == ["planted.loss"]
    assert {"planted", "torch", "tensorflow", "optax", "keras-torch"} <= set(exhaustive.swept_libraries())


def test_a_planted_fault_is_in_the_table_as_the_long_array_has_it(folder: Path, shards: list[str]) -> None:
    assert main(["systems-rows", "planted", *shards, "--out", str(folder / "planted.json")]) == 0
    assert main(["systems-exhaustive-table", str(folder / "planted.json"), "--out", str(folder / "t.csv")]) == 0
    right, planted = writer.read(folder / "t.csv").to_dict("records")
    assert (right["target"], planted["target"]) == ("0", "1") and planted["version"].endswith("planted_library==0.1")
    assert float(right["max_ulp"]) < 0.51
    assert float.fromhex(planted["max_ulp_input"]) == 3 and float(planted["max_ulp"]) > 1e6


def test_short_inputs_are_made_a_block(folder: Path) -> None:
    (called,) = exhaustive.taught("planted")
    x = np.array([[3.0, 1.0]], np.float32)
    assert called(x, np.array([[1.0]], np.float32))[0, 0] > 1.2 * np.log1p(np.exp(-3.0))
    assert called.call(x[0], np.ones(2, np.float32))[0] < 1.1 * np.log1p(np.exp(-3.0))  # the control
    assert BLOCK >= 64


def test_what_is_missing_is_refused_with_a_sentence(folder: Path, shards: list[str]) -> None:
    with pytest.raises(UsageError, match="there is no shard 2"):
        exhaustive.sweep_job("planted", 2, folder / "no.npz")
    with pytest.raises(UsageError, match="1 of 2 shards"):
        exhaustive.rows_job("planted", [Path(shards[0])], folder / "no.json")
    with pytest.raises(UsageError, match="scipy has no call that is swept"):
        exhaustive.sweep_job("scipy", 0, folder / "no.npz")
