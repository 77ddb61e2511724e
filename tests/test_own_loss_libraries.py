"""Checks of losses written in torch, JAX and TensorFlow: arrays handed over bit by bit, libraries told, autodiff."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import harness
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

        def naive(input, target):
            p = torch.sigmoid(input)
            return -(target * torch.log(p) + (1 - target) * torch.log(1 - p))

        def classes(input, target):
            return F.cross_entropy(input, target, reduction="none")
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

        def naive(logits, labels):
            p = jax.nn.sigmoid(logits)
            return -(labels * jnp.log(p) + (1 - labels) * jnp.log(1 - p))

        def classes(labels, logits):
            return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)[:, 0]
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

        def naive(y_true, y_pred):
            p = tf.sigmoid(y_pred)
            return -(y_true * tf.math.log(p) + (1 - y_true) * tf.math.log(1 - p))

        def classes(labels, logits):
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

        class Reduced:  # as tf.keras.losses.Loss is called
            def call(self, y_true, y_pred):
                return loss(y_true, y_pred)

            def __call__(self, y_true, y_pred, sample_weight=None):
                return tf.reduce_mean(self.call(y_true, y_pred))
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


def fresh(code):
    """Run code in a process of its own; return all that it writes."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, timeout=500)
    assert done.returncode == 0 and "Traceback" not in done.stdout, done.stdout
    return done.stdout


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
    said = fresh(code)
    said = re.split(r"status (\d) of .*\n", said)
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
    assert usual and usual[0] < 16  # a softplus of a library loses a few ulp, and which depends on its vectors
    # What autodiff cannot see is told: torch and TensorFlow say that there is no way, JAX gives 0.
    refused = runs[3][0] == 2 and "no way from the result to the input" in runs[3][1]
    assert refused or (runs[3][0] == 1 and library == "jax"), runs[3]


def test_classes_and_explanations_of_a_library(library, tmp_path):
    path = tmp_path / f"{library}_losses.py"
    path.write_text(textwrap.dedent(SOURCES[library]))
    said = fresh(
        f"""
        from harness.cli.main import main
        at = ["-f", "float32"]
        print(main(["check", "{path}:classes", "-p", "softmax_ce", "--classes", "4", "-g", "quick", "--gradient", *at]))
        print(main(["explain", "{path}:naive", "-p", "bce_logits", "--input", "17.5", "-t", "0", *at]))
        """
    )
    assert f"arrays of {library}" in said and "as softmax_ce_grad@classes=4 in float32" in said
    assert (
        "PASS  softmax_ce@classes=4, target other: the largest error found is" in said
        and "raised" not in said.split("At the label -100")[0]
    )
    # Operation by operation: the sigmoid is blamed, not the logarithm.
    assert "expit(17.5) rounds to 1 (saturation), then log of zero: the loss 17.5 becomes inf." in said
    assert "Not followed" not in said and "local error, ulp" in said


def test_a_loss_of_keras_is_checked_as_it_is_called(tmp_path):
    pytest.importorskip("tensorflow")
    cases = [("Reduced().call", "-f float16 --gradient"), ("Reduced()", "-f float16 --reduction mean")]
    whole, mean = run_each(tmp_path, "tensorflow", cases)
    assert whole[0] == 0 and "as bce_logits_grad in float16" in whole[1], whole[1]
    assert mean[0] == 0 and "arrays of tensorflow" in mean[1], mean[1]


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


OBJECTIVES = """
import numpy as np


def logistic(preds, data):
    y, p = data.get_label(), 1 / (1 + np.exp(-preds))
    return p - y.astype(p.dtype), p * (1 - p)


def weighted(y_true, y_pred):
    p = 1 / (1 + np.exp(-y_pred))
    scale = np.where(y_true == 1, 3, 1).astype(p.dtype)
    return scale * (p - y_true.astype(p.dtype)), scale * p * (1 - p)
"""


def boosted(library, objective, estimator, rows=64):
    """Train a few rounds with an objective, by the library's own way or scikit-learn's; return the predictions' error."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, 2))
    y = (x[:, 0] > 0).astype(float)
    if library == "xgboost":
        import xgboost

        if estimator:
            margin = xgboost.XGBRegressor(n_estimators=5, objective=objective, base_score=0.0).fit(x, y).predict(x)
        else:
            data = xgboost.DMatrix(x, y)
            margin = xgboost.train({"base_score": 0.0}, data, 5, obj=objective).predict(data, output_margin=True)
    else:
        import lightgbm

        few = {"verbosity": -1, "min_child_samples": 2}
        if estimator:
            margin = lightgbm.LGBMRegressor(n_estimators=5, objective=objective, **few).fit(x, y).predict(x)
        else:
            margin = lightgbm.train({"objective": objective, **few}, lightgbm.Dataset(x, y), 5).predict(x)
    return float(np.mean((margin > 0) != (y > 0)))


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
def test_an_objective_that_a_booster_trains_with_is_checked_as_it_is(booster, tmp_path, monkeypatch, capsys):
    """The same two functions, as XGBoost and LightGBM call them: f(preds, data), and f(y_true, y_pred) in scikit-learn's way."""
    pytest.importorskip(booster)
    pytest.importorskip("sklearn")
    path = tmp_path / f"objectives_of_{booster}.py"
    path.write_text(OBJECTIVES)
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__(path.stem)
    assert boosted(booster, module.logistic, False) < 0.1 and boosted(booster, module.weighted, True) < 0.1
    given = ["-f", "float32", "-g", "quick", "-t", "0", "-t", "1"]
    assert main(["check", f"{path}:logistic", "-p", "bce_logits", *given]) == 1
    out = capsys.readouterr().out
    assert "as bce_logits_grad in float32" in out and "as sigmoid_grad in float32" in out and "saturation" in out
    assert main(["check", f"{path}:weighted", "-p", "bce_logits", "--weights", "pos=3", *given]) == 1
    out = capsys.readouterr().out
    assert (
        "as bce_logits_grad@pos=3 in" in out and "as bce_logits_hess@pos=3 in" in out and "another function" not in out
    )


def test_jax_keeps_the_user_s_x64_but_for_float64(tmp_path):
    """A constant of NumPy or Python is of float32 without x64, of float64 with it, where lax.clamp then refuses it."""
    pytest.importorskip("jax")
    path = tmp_path / "clamped.py"
    path.write_text(
        "import jax, numpy as np\n\n\ndef loss(x, y):\n"
        "    p = jax.lax.clamp(1e-6, jax.nn.sigmoid(x), 1 - 1e-6)\n"
        "    return -(y * jax.numpy.log(p) + (1 - y) * jax.numpy.log1p(-p))\n"
    )
    said = fresh(f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        import harness, jax
        from clamped import loss
        from harness import UsageError
        asked = dict(targets=[0], grid="quick")
        assert "clamps to 1e-06" in harness.check(loss, "bce_logits", "float32", **asked).verdict
        plain = lambda x, y: jax.nn.softplus(x) - x * y
        for fmt in ("bfloat16", "float16", "float64"):
            assert harness.check(plain, "bce_logits", fmt, **asked).worst["format"] == fmt
        assert not jax.config.jax_enable_x64
        harness.check(loss, "bce_logits", "float32", **asked)
        jax.config.update("jax_enable_x64", True)  # negative control: as the user has it
        try:
            harness.check(loss, "bce_logits", "float32", **asked)
        except UsageError as e:
            print("refused", e)
        assert jax.config.jax_enable_x64
    """)
    assert "refused" in said and "TypeError" in said


def stand_in(library, monkeypatch):
    """Let a library believe in a device called Stand-in, whose arrays lie in main memory; return what was put there."""
    put = []
    if library == "torch":
        import torch

        real = torch.Tensor.to
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Stand-in")

        def to(self, where, *more, **options):
            if where == "cuda":
                put.append(self.numel())
            return real(self, "cpu" if where == "cuda" else where, *more, **options)

        monkeypatch.setattr(torch.Tensor, "to", to)
    elif library == "jax":
        import jax

        class Device:
            device_kind = "Stand-in"

        on_cpu, real_devices, real_put = jax.devices("cpu")[0], jax.devices, jax.device_put

        def device_put(array, where):
            put.append(np.size(array))
            return real_put(array, on_cpu if isinstance(where, Device) else where)

        monkeypatch.setattr(jax, "devices", lambda kind: [Device()] if kind == "gpu" else real_devices(kind))
        monkeypatch.setattr(jax, "device_put", device_put)
    else:
        import tensorflow as tf

        real_device = tf.device
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda d: {"device_name": "Stand-in"})
        monkeypatch.setattr(tf, "device", lambda where: (put.append(where), real_device("CPU:0"))[1])
    return put


def test_on_a_device_a_function_gets_large_blocks_and_the_row_names_it(library, monkeypatch):
    """With a stand-in: there is no device where the tests run.  What is measured is the same as without one."""
    from harness.checking import engine

    put, sizes = stand_in(library, monkeypatch), []
    monkeypatch.setattr(engine, "ON_CPU", 1 << 10)
    if library == "torch":
        import torch.nn.functional as of

        softplus = of.softplus
    elif library == "jax":
        import jax

        softplus = jax.nn.softplus
    else:
        import tensorflow as tf

        softplus = tf.nn.softplus

    def loss(x, y):
        sizes.append(x.shape[0])
        return y * softplus(-x) + (1 - y) * softplus(x)

    reports = {}
    for device in ("cpu", "cuda"):
        sizes.clear()
        asked = {"targets": [0, 1], "grid": "quick", "library": library, "device": device}
        reports[device] = engine.check(loss, "bce_logits", "float32", **asked)
        reports[device, "most"] = max(sizes)
    assert put and reports["cpu"].loaded.device == "" and reports["cuda"].loaded.device == "Stand-in"
    assert reports["cpu", "most"] < reports["cuda", "most"]
    assert ", on Stand-in." in reports["cuda"].text() and ", on " not in reports["cpu"].text().split("NOTE")[1]
    assert '"device": "Stand-in"' in reports["cuda"].to_json() and set(reports["cuda"].table["device"]) == {"Stand-in"}
    one, other = ([{**r} for r in reports[d].rows] for d in ("cpu", "cuda"))
    assert [r["max_ulp"] for r in one] == [r["max_ulp"] for r in other]


@pytest.fixture
def pytorch():
    return pytest.importorskip("torch", reason="torch is an extra")


def weighted_module(pytorch, plain):
    """A loss with a weight that PyTorch moves, a buffer, or one that it does not know of; and a parameter."""

    class Weighted(pytorch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = pytorch.nn.Parameter(pytorch.ones(1))
            weight = pytorch.full((9,), 3.0)
            if plain:
                self.weight = weight
            else:
                self.register_buffer("weight", weight)

        def forward(self, input, target):
            return self.loss(input, target)

        def loss(self, input, target):
            return self.scale * self.weight * pytorch.nn.functional.softplus(input)

    return Weighted()


def test_a_module_is_moved_to_the_device_on_a_copy(pytorch):
    """On torch's device without memory: there is no other where the tests run."""
    from functools import partial

    arrays, module = arrays_of("torch", "meta"), weighted_module(pytorch, plain=False)
    given = [arrays.given(np.zeros(9, np.float32))] * 2
    for function in (module, module.loss, partial(module, target=given[1])):
        moved = arrays.placed(function)
        assert moved(*given[: 1 if isinstance(function, partial) else 2]).device.type == "meta"
        with pytest.raises(RuntimeError, match="device"):
            function(*given[: 1 if isinstance(function, partial) else 2])  # what was not moved
    assert {t.device.type for t in (module.scale, module.weight)} == {"cpu"}
    assert arrays_of("torch").placed(module) is module and arrays.placed(len) is len


def test_tensors_that_are_not_moved_are_named(pytorch):
    from harness.checking.subject import Options, Subject
    from harness.problems import problem_named

    weight = pytorch.ones(9)

    def closed(input, target):
        return input * weight

    def said(function, raises=UsageError):
        subject = Subject(function, problem_named("bce_logits"), FORMATS["float32"], Options("torch", "meta"))
        with pytest.raises(raises) as raised:
            subject.load()
        return str(raised.value)

    assert "; it holds weight on the CPU: make a module's tensors buffers (register_buffer)" in said(closed)
    plain = weighted_module(pytorch, plain=True)
    assert "it holds weight on the CPU" in said(plain) and "it holds weight on the CPU" in said(plain.loss)
    moved = weighted_module(pytorch, plain=False)  # it is called, and its result, without memory, cannot be read
    assert "no data" in said(moved, NotImplementedError)


def test_a_mean_is_never_judged_by_other_code_than_its_own():
    """Under torch's vmap log_sigmoid takes log(1 + e^-|x|): the loss at 20 would be 0.  Each input is then asked for by itself."""
    pytest.importorskip("torch")
    import torch.nn.functional as F

    def mean(input, target):
        return F.binary_cross_entropy_with_logits(input, target)

    def built(input, target):
        return (F.softplus(input) - input * target).mean()

    asked = {"targets": [1], "grid": "quick", "reduction": "mean", "library": "torch", "timeout": 500}
    found = harness.check(mean, "bce_logits", "float32", **asked)
    assert float(found.worst["usual_max_ulp"]) < 4 and any("for each input by itself" in n for n in found.notes)
    # Negative control: what vmap computes alike is still called for all inputs at once.
    alike = harness.check(built, "bce_logits", "float16", **asked)
    assert not any("for each input by itself" in n for n in alike.notes)


def test_a_mean_that_branches_on_its_values_is_called_one_by_one():
    pytest.importorskip("torch")
    import torch

    def mean(input, target):
        x, y = float(input), float(target)
        tail = torch.log1p(torch.exp(-abs(input)))
        return (tail + max(x, 0.0) - x * y).mean() if abs(x) < 1e30 else (torch.relu(input) - input * target).mean()

    asked = {"targets": [0], "grid": "quick", "reduction": "mean", "library": "torch", "timeout": 500}
    assert any("by itself" in n for n in harness.check(mean, "bce_logits", "float16", **asked).notes)


def test_a_step_within_a_kernel_of_torch_is_blamed_for_what_torch_made_of_it(tmp_path, capsys):
    """torch's log_sigmoid is 188 of the smallest numbers where SciPy's is 189, and the true one 189.5."""
    pytest.importorskip("torch")
    path = tmp_path / "weighted_of_torch.py"
    path.write_text(
        "import torch\nfrom torch import nn\nloss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0), reduction='none')\n"
    )
    at = ["-p", "bce_logits@pos=3", "-f", "float32", "--input", "0x1.882364p+6", "-t", "1"]
    assert main(["explain", f"{path}:loss", *at]) == 0
    last = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("(1 - 1) * 98.0346 - ("))
    assert last.split()[-1] == "%" and last.split()[-2] == "0", last
