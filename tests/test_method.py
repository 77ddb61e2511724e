"""The figures that docs/method.md quotes of libraries are those of the tables, and of the libraries where they are installed."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.systems.measure.rows import FURTHER
from harness.tables.writer import read
from harness.truth.fast import evaluate

METHOD = Path("docs/method.md").read_text(encoding="utf-8")
CALL = "keras.losses.BinaryCrossentropy(from_logits=True)"
QUOTED = re.search(
    rf"Keras ([\d.]+) on TensorFlow is an example: for float16 logits and y = 0,\s+`{re.escape(CALL)}` returns float32\. "
    r"It errs by at\s+most ([\d.]+) float16-ulp as returned, and by\s+([\d.]+) as the tables show it",
    METHOD,
)


def test_the_figure_of_a_wider_result_is_the_tables():
    rows = read(Path("results/tables/systems.csv")).to_dict("records")
    (row,) = [
        r for r in rows
        if (r["library"], r["system"], r["mode"], r["format"], r["problem"], r["target"])
        == ("keras-tensorflow", CALL, "eager", "float16", "bce_logits", "0")
    ]  # fmt: skip
    assert QUOTED and row["version"].startswith(f"keras=={QUOTED[1]} ")
    assert (row["upcast"], row["exhaustive"]) == ("float32", "true") and f"{float(row['max_ulp']):.5f}" == QUOTED[3]


def test_the_figure_of_a_wider_result_as_returned_is_the_librarys():
    """As returned it is in no table: the library is called, at every float16 logit."""
    pytest.importorskip("tensorflow", reason="the figure is of Keras on TensorFlow")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    keras = pytest.importorskip("keras", reason="the figure is of Keras on TensorFlow")
    assert QUOTED
    if keras.__version__ != QUOTED[1]:
        pytest.skip(f"the figure is of Keras {QUOTED[1]}, here is {keras.__version__}")
    fmt = FORMATS["float16"]
    x = fmt.from_ordinal(np.arange(*fmt.finite_ordinals(-np.inf, np.inf)))
    loss = keras.losses.BinaryCrossentropy(from_logits=True, reduction=None)
    returned = np.asarray(loss(np.zeros((len(x), 1), np.float16), x[:, None]))
    assert returned.dtype == np.float32
    exact = evaluate(PROBLEMS["bce_logits"], fmt, x[None, :], np.zeros((1, 1), np.float16)).value[0]
    exponent = np.maximum(np.frexp(exact)[1] - 1, -14)  # of exact values that are 0 in float64, that of the least
    off = np.abs(returned - exact) / np.ldexp(1.0, exponent - (fmt.precision - 1))
    assert f"{off.max():.5f}" == QUOTED[2]


def test_every_column_of_the_systems_table_is_explained():
    """Of a group that shares a beginning, that is named."""
    named = set(re.findall(r"`(\w+\*?)`", METHOD))
    groups = {name.removesuffix("*") for name in named if name.endswith("*")}
    unexplained = [c for c in FURTHER if c not in named and not any(c.startswith(g) for g in groups)]
    assert not unexplained, unexplained
    assert "planted_column" not in named and not any("planted_column".startswith(g) for g in groups)
