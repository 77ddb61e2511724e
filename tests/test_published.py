"""The page of published losses: what `check` says of a few of them now is what the page says."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.tables import prose
from harness.tables.text import downward

DOCS = Path(__file__).parent.parent / "docs"
MAKER = runpy.run_path(str(DOCS / "published.py"))
FUNCTIONS = MAKER["published"]()
PAGE = (DOCS / "published.md").read_text(encoding="utf-8")
LINES = [line for line in PAGE.splitlines() if line.startswith("| ")][2:]


def test_every_published_loss_has_its_line_and_its_source():
    assert len(FUNCTIONS) == len(LINES) >= 12
    for function, line in zip(FUNCTIONS.values(), LINES):
        problem, name, source = (part.strip() for part in function.__doc__.split("|"))
        assert line.startswith(f"| {name} | `{source}` | `{problem}` |") and ".py" in source
    assert PAGE.startswith(MAKER["HEAD"])


@pytest.mark.parametrize("name", ["optax", "tensorflow_weighted", "yolov5_smoothed"])
def test_a_line_is_what_check_says(name):
    assert MAKER["line"](FUNCTIONS[name]) in LINES


def test_a_maximum_is_a_lower_bound_that_no_table_contradicts():
    """Three losses are kernels of ours: theirs is what every input gives, where it is known; a sample of them gives less."""
    of = {line.split(",")[0]: line.split(" | ") for line in LINES if "pos_weight" not in line}
    same = {"| TensorFlow": "lse_log1p", "| Chainer": "lse_log1p", "| Optax": "logaddexp_pair"}
    for name, kernel in same.items():
        known = MAKER["known"]().largest("bce_logits", kernel, ["float32"], ["0", "1"])
        assert of[name][4] == f"≥ {downward(known.ulp)}", name
        assert float(
            harness.check(FUNCTIONS[name[2:].lower()], "bce_logits", "float32").rows[0]["max_ulp"]
        ) < 0.95 * float(known.ulp)
    assert not list(prose.unheld(PAGE)) and list(prose.unheld(PAGE.replace("| ≥ 2.88", "| 2.88")))


def test_a_planted_change_of_a_constant_changes_its_line():
    def changed(x, y):
        return FUNCTIONS["yolov5_smoothed"](x, np.where(y == 1, y, y + y.dtype.type(0.1)))

    changed.__doc__ = FUNCTIONS["yolov5_smoothed"].__doc__
    assert MAKER["line"](changed) not in LINES
