"""Checks of losses written in torch, JAX and TensorFlow: arrays handed over bit by bit, libraries told, autodiff."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from harness import UsageError
from harness.checking.libraries import ROOTS, arrays_of, candidates, taken
from harness.cli.main import main
from harness.numbers.formats import FORMATS

ROOT = Path(__file__).parent.parent
REAL = ("torch", "jax", "tensorflow")

SOURCES = {
    "torch": """
        import torch
        from torch import nn
        import torch.nn.functional as F

        def loss(input, target):
            return F.softplus(-input) * target + F.softplus(input) * (1 - target)

        def mean(input, target):
            return loss(input, target).mean()

        class Loss(nn.Module):
            def forward(self, labels, logits):
                return loss(logits, labels)

        made = Loss()

        def detached(input, target):
            return loss(input.detach(), target)
        """,
    "jax": """
        import jax
        import jax.numpy as jnp

        @jax.jit
        def loss(logits, labels):
            return labels * jax.nn.softplus(-logits) + (1 - labels) * jax.nn.softplus(logits)

        def mean(labels, logits):
            return loss(logits, labels).mean()

        class Loss:
            def __call__(self, y_true, y_pred):
                return loss(y_pred, y_true)

        made = Loss()

        def detached(logits, labels):
            return loss(jax.lax.stop_gradient(logits), labels)
        """,
    "tensorflow": """
        import tensorflow as tf

        @tf.function
        def loss(y_true, y_pred):
            return y_true * tf.math.softplus(-y_pred) + (1 - y_true) * tf.math.softplus(y_pred)

        def mean(y_true, y_pred):
            return tf.reduce_mean(loss(y_true, y_pred))

        class Loss:
            def __call__(self, labels, logits):
                return loss(labels, logits)

        made = Loss()

        def detached(y_true, y_pred):
            return loss(y_true, tf.stop_gradient(y_pred))
        """,
}


@pytest.fixture(params=REAL)
def library(request):
    pytest.importorskip(request.param)
    return request.param


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_bit_pattern_goes_there_and_back(library, fmt):
    arrays, f = arrays_of(library), FORMATS[fmt]
    bits = np.arange(1 << min(f.bits, 16)).astype(f.unsigned) << f.unsigned.type(f.bits - min(f.bits, 16))
    given = arrays.given(bits.view(f.dtype))
    assert type(given).__module__.split(".")[0] in {m for m, root in ROOTS.items() if root == library}
    back = arrays.taken(given)
    assert type(back) is np.ndarray and back.dtype == f.dtype and back.flags.writeable
    assert np.array_equal(back.view(f.unsigned), bits)


def run_each(folder, library, cases):
    """Check functions of a library in a process that has not loaded it, as users do; return status and words of each."""
    path = folder / f"{library}_losses.py"
    path.write_text(textwrap.dedent(SOURCES[library]))
    given = [[f"{path}:{name}", *more.split()] for name, more in cases]
    code = f"""
        from harness.cli.main import main
        for case in {given!r}:
            print("status", main(["check", *case, "-p", "bce_logits", "-g", "quick", "-t", "0"]), "of", case[0], flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, timeout=500)
    assert done.returncode == 0 and "Traceback" not in done.stdout, done.stdout
    said = re.split(r"status (\d) of .*\n", done.stdout)
    return list(zip(map(int, said[1::2]), said[0::2]))


def test_losses_of_a_library_are_checked_as_they_are(library, tmp_path):
    cases = [
        ("loss", "-f bfloat16 --gradient"),
        ("Loss()", "-f float32"),
        ("mean", "-f float16 --reduction mean"),
        ("detached", "-f float16 --gradient"),
    ]
    runs = run_each(tmp_path, library, cases)
    for status, said in runs[:3]:
        assert status in (0, 1) and f"arrays of {library}" in said and "for |x| <= 20" in said, said
    assert "as bce_logits_grad in bfloat16" in runs[0][1]
    usual = [float(line.split()[1]) for line in runs[1][1].splitlines() if line.startswith("0 ")]
    assert usual and usual[0] < 4
    # What autodiff cannot see is told: torch and TensorFlow say that there is no way, JAX gives 0.
    refused = runs[3][0] == 2 and "no way from the result to the input" in runs[3][1]
    assert refused or (runs[3][0] == 1 and library == "jax"), runs[3]


def test_without_a_device_one_sentence_says_so(library):
    try:
        assert arrays_of(library, "cuda").device
    except UsageError as e:
        assert "--device cuda" in str(e) and "this machine" in str(e)


def test_the_library_is_told_from_the_function(library, tmp_path, monkeypatch):
    path = tmp_path / f"told_{library}.py"
    path.write_text(textwrap.dedent(SOURCES[library]))
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__(path.stem)
    for function in (module.loss, module.mean, module.made):
        assert candidates(function, None)[0] == library
    assert candidates(module.loss, "numpy") == ["numpy"]


def test_annotations_tell_the_library():
    def annotated(x: "torch.Tensor", y: "torch.Tensor") -> "torch.Tensor":  # noqa: F821
        return x

    assert candidates(annotated, None)[0] == "torch"
    assert candidates(np.log1p, None) == ["numpy"]
    assert candidates(lambda x, y: np.exp(x), None) == ["numpy"]
    assert candidates(lambda x, y: abs(x), None)[0] == "numpy"


def test_a_result_in_another_library_is_taken_for_what_it_is(library):
    given = arrays_of(library).given(np.array([1.5, -0.0], np.float32))
    assert taken(given).tobytes() == np.array([1.5, -0.0], np.float32).tobytes()
    assert taken("text") == "text" and taken(None) is None


def test_an_array_of_no_known_library_comes_by_dlpack():
    pytest.importorskip("array_api_compat")

    class Other:
        """An array of a library that the harness has never heard of."""

        def __init__(self, values):
            self.values = values
            self.shape, self.dtype, self.device = values.shape, values.dtype, "cpu"

        def __dlpack__(self, **how):
            return self.values.__dlpack__(**how)

        def __dlpack_device__(self):
            return self.values.__dlpack_device__()

        def to_device(self, device, stream=None):
            return self

        def __array_namespace__(self):
            return np

    found = taken(Other(np.array([2.0, 3.0])))
    assert type(found) is np.ndarray and found.tolist() == [2, 3]


def test_an_unknown_library_is_named():
    with pytest.raises(UsageError, match="unknown library 'cupy'; known libraries: numpy, torch"):
        arrays_of("cupy")


def test_a_library_that_is_not_here_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["check", "numpy:log1p", "-p", "log1p", "-f", "float16", "--library", "torch"]) == 2
    assert "torch cannot be imported here" in capsys.readouterr().err


def test_a_library_that_is_imported_inside_is_told():
    def loss(y_true, y_pred):
        import keras

        return keras.losses.binary_crossentropy(y_true, y_pred)

    def inner(x, y):
        return (lambda v: __import__("math") and _torch(v))(x)

    def _torch(v):
        from torch.nn import functional

        return functional.softplus(v)

    assert candidates(loss, None)[0] == "tensorflow"
    assert candidates(_torch, None)[0] == "torch" and candidates(inner, None)[0] == "numpy"
