"""The page of published losses: what `check` says of a few of them now is what the page says."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

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


def test_a_planted_change_of_a_constant_changes_its_line():
    def changed(x, y):
        return FUNCTIONS["yolov5_smoothed"](x, np.where(y == 1, y, y + y.dtype.type(0.1)))

    changed.__doc__ = FUNCTIONS["yolov5_smoothed"].__doc__
    assert MAKER["line"](changed) not in LINES
