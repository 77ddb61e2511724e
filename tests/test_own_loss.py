"""Checks of one's own loss: the page's examples and its table of hostile functions, in Python and on the command line."""

import io
import json
import re
import runpy
import subprocess
import sys
import textwrap
import time
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from timing import least_cpu

import harness
from harness import Crash, UsageError
from harness.checking.child import Child, Here
from harness.checking.functions import arranged, find
from harness.checking.libraries import NumpyArrays
from harness.cli.main import main
from harness.tables.rows import CONTRACT

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "own_loss.md").read_text(encoding="utf-8")
HOSTILE = ROOT / "docs" / "examples" / "hostile.py"
TABLE = re.findall(r"^\| `(\w+)` \| (.*?) \| ([0-3]) \| (.*?) \|$", PAGE, re.MULTILINE)


def good(x, y):
    tail = np.log1p(np.exp(-np.abs(x)))
    return y * (np.maximum(-x, 0) + tail) + (1 - y) * (np.maximum(x, 0) + tail)


def run(*arguments):
    """Run the command line; return status, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(a) for a in arguments])
    return status, out.getvalue(), err.getvalue()


def check(target, *more, problem="bce_logits", fmt="float16", y="0"):
    given = () if y is None else ("--target", y)
    return run("check", target, "--problem", problem, "--format", fmt, "--grid", "quick", *given, *more)


# -- the page -----------------------------------------------------------------------------------------


def hostile(function, status, said):
    """Check a hostile function; return what is not as the table says."""
    limits = ("--timeout", "1.5" if said == "ran out of time" else "30", "--memory", "0.5")
    got, out, err = check(f"{HOSTILE}:{function}", *limits, fmt="float32")
    text = out if got < 2 else err
    wrong = [] if got == status and said in text else [f"{function}: {got} {text}"]
    if got >= 2 and (out or err.count("\n") != 1 or "Traceback" in err):
        wrong.append(f"{function}: no single sentence: {out}{err}")
    if got < 2 and status >= 2:
        wrong.append(f"{function} passed")
    return wrong


@pytest.mark.parametrize(("function", "did", "status", "said"), TABLE, ids=[row[0] for row in TABLE])
def test_each_hostile_function_gets_its_sentence(function, did, status, said):
    assert hostile(function, int(status), said) == []


def test_a_wrong_line_of_the_table_is_found():
    assert hostile("masked", 3, "returned a masked array")
    assert hostile("masked", 2, "returned a list")
    assert hostile("loss", 2, "")


def test_the_table_has_every_hostile_function():
    declared = re.findall(r"^(?:async )?def ([a-z]\w*)", HOSTILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(declared) - {"loss"} == {row[0] for row in TABLE} and len(TABLE) > 40


def test_what_a_function_prints_goes_to_standard_error(capfd):
    status = main(
        ["check", f"{HOSTILE}:writes", "-p", "bce_logits", "-f", "float32", "-g", "quick", "-t", "0", "--json"]
    )
    out, err = capfd.readouterr()
    assert status == 0 and len(json.loads(out)) == 1 and "[{}]\nPASS\n" in err


# -- Python -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report():
    """A report on a loss that fails."""

    def bad(x, y):
        p = 1 / (1 + np.exp(-x))
        return -(y * np.log(p) + (1 - y) * np.log(1 - p))

    return harness.check(bad, "bce_logits", "float16", targets=[0, 1], grid="quick")


class TestReport:
    def test_it_is_what_the_command_prints(self, tmp_path):
        (tmp_path / "mine.py").write_text(
            "import numpy as np\n\ndef bad(x, y):\n    return -(1 - y) * np.log(1 - 1 / (1 + np.exp(-x)))\n"
        )
        target = f"{tmp_path}/mine.py:bad"
        status, out, _ = check(target)
        report = harness.check(target, "bce_logits", "float16", targets=["0"], grid="quick")
        assert status == 1 and not report.passed
        assert out == report.text() + "\n" and str(report) == report.text()

    def test_its_table_has_the_contract_columns_first(self, report):
        assert tuple(report.table.columns)[: len(CONTRACT)] == CONTRACT
        assert tuple(json.loads(report.to_json())[0])[: len(CONTRACT)] == CONTRACT
        assert report.table["max_ulp"].max() == pytest.approx(float(report.worst["max_ulp"]))

    def test_its_verdict_has_a_line_for_each_row(self, report):
        assert [line[:4] for line in report.verdict.splitlines()] == ["FAIL", "FAIL"]

    def test_its_picture_has_a_line_for_each_target(self, report):
        ax = report.plot()
        labels = [t.get_text() for t in ax.get_legend().get_texts()]
        assert ax.get_xlabel() == "logit x" and {"y = 0", "y = 1", "NaN"} <= set(labels)
        with pytest.raises(UsageError, match="'bce' was not checked; checked: bce_logits"):
            report.plot(problem="bce")

    def test_its_page_needs_nothing_beside_it(self, report, tmp_path):
        report.to_html(tmp_path / "report.html")
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert page.count("<svg") == 1 and "bad as bce_logits in float16" in page and "at infinities, NaN" in page
        assert "src=" not in page and 'href="http' not in page.replace("http://www.w3.org", "")
        report.to_html(tmp_path / "again.html")
        assert page == (tmp_path / "again.html").read_text(encoding="utf-8")

    def test_a_good_loss_passes(self):
        report = harness.check(good, "bce_logits", "float16", targets=[0, 0.5, 1], grid="quick")
        assert report.passed and all(line.startswith("PASS") for line in report.verdict.splitlines())

    def test_a_kernel_by_name_and_its_gradient(self):
        report = harness.check("softplus_pair", "bce_logits", "float16", targets=[0], grid="quick", gradient=True)
        assert [r["problem"] for r in report.rows] == ["bce_logits", "bce_logits_grad"] and report.loaded is None

    def test_unusable_input_raises(self):
        with pytest.raises(UsageError, match="unknown problem"):
            harness.check(good, "nothing", "float16")
        with pytest.raises(UsageError, match="not a number in"):
            harness.check(good, "bce_logits", "float16", targets=[2])
        with pytest.raises(Crash, match="ran out of time"):
            harness.check(lambda x, y: [0 for _ in iter(int, 1)], "bce_logits", "float16", timeout=0.5)


def test_a_hessian_that_is_not_declared_is_named(tmp_path):
    path = tmp_path / "of_probabilities.py"
    path.write_text(
        "import numpy as np\n\n\ndef objective(y_true, y_pred):\n"
        "    return (y_pred - y_true) / (y_pred * (1 - y_pred)), 0 * y_pred + 1\n"
    )
    for problem in ("bce", "focal_bce"):
        status, out, _ = check(f"{path}:objective", problem=problem)
        assert status == 1 and f"as {problem}_grad in float16" in out
        assert f"NOTE  Its hessian is not checked: no problem is declared as that of {problem}." in out


class Slow:
    """Stand for a Subject that takes its time, to be loaded and to be called."""

    name, target, surroundings = "slow", "slow.py:slow", SimpleNamespace(begin=lambda: None, apart=False)
    arrays = NumpyArrays()

    def load(self):
        time.sleep(0.02)

    evaluate = load


@pytest.mark.parametrize("made", [lambda: Here(Slow(), 60), lambda: Child(Slow(), 60)], ids=["here", "child"])
def test_importing_a_library_is_no_call(made):
    """TensorFlow may take half a minute to be imported: that is none of the time that calls may take."""
    with closing(made()) as process:
        process.ask("load")
        assert process.spent == 0
        process.ask("evaluate")
        assert process.spent >= 0.02


def test_a_gradient_beside_a_loss_has_its_name_in_the_verdict():
    asked = {"targets": [0], "grid": "quick"}
    both = harness.check("softplus_pair", "bce_logits", "float16", gradient=True, **asked).verdict.splitlines()
    assert [line.split(":")[0] for line in both] == ["PASS  bce_logits, target 0", "PASS  bce_logits_grad, target 0"]
    assert harness.check("softplus_pair", "bce_logits", "float16", **asked).verdict.startswith("PASS  target 0: ")


def test_an_objective_that_wants_weights_gets_ones(tmp_path):
    path = tmp_path / "objective.py"
    path.write_text(
        "import numpy as np\n\n\ndef weighted(preds, dtrain):\n    w, p = dtrain.get_weight(), 1 / (1 + np.exp(-preds))\n"
        "    return w * (p - dtrain.get_label()), w * p * (1 - p)\n\n\n"
        "def broken(preds, dtrain):\n    raise ValueError('no such thing')\n"
    )
    status, out, _ = check(f"{path}:weighted", fmt="float32")
    assert status == 1 and "as bce_logits_grad in float32" in out and "another function" not in out
    status, _, err = check(f"{path}:broken", fmt="float32")
    assert status == 2 and "raised ValueError: no such thing" in err


OBJECTIVES = """
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def plain(y_true, y_pred):
    p = sigmoid(y_pred)
    return p - y_true, p * (1 - p)


def doubled(y_true, y_pred):
    p = sigmoid(y_pred)
    return p - y_true, 2 * p * (1 - p)


def tripled(y_true, y_pred):
    p = sigmoid(y_pred)
    return p - y_true, 3 * p * (1 - p)


def both(y_true, y_pred):
    p = sigmoid(y_pred)
    return 2 * (p - y_true), 2 * p * (1 - p)
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("doubled", "2 times the problem everywhere, but its gradient is not: XGBoost takes 2 p (1 - p)"),
        ("tripled", "3 times the problem everywhere, but its gradient is not: scale both or neither"),
        ("both", "as its gradient is weighted; check both with --weights weight=2."),
        ("plain", "rounds to 1 (saturation): the Hessian 5.96046e-8 becomes 0"),
    ],
)
def test_a_hessian_is_called_one_and_advised_with_its_gradient(name, said, tmp_path):
    path = tmp_path / "objectives.py"
    path.write_text(OBJECTIVES)
    _, out, _ = check(f"{path}:{name}", fmt="float32")
    hessian = next(line for line in out.splitlines() if line.startswith("FAIL  sigmoid_grad"))
    assert said in hessian and ("--weights" in hessian) == (name == "both")
    assert "NOTE  Its second part, the Hessian, is held against sigmoid_grad." in out


COUNTED = """
import time

import numpy as np


def mean(x, y):
    with open({path!r}, "a") as file:
        file.write(".")
    return np.mean(np.logaddexp(0, x) - x * y)


def slow(x, y):
    time.sleep(0.01)
    return np.mean(np.logaddexp(0, x) - x * y)
"""


def test_calls_of_one_input_each_are_counted_where_they_are_made(tmp_path):
    made, path = tmp_path / "calls", tmp_path / "counted.py"
    path.write_text(COUNTED.format(path=str(made)))
    found = harness.check(f"{path}:mean", "bce_logits", "float16", targets=[0], grid="quick", reduction="mean")
    calls = made.stat().st_size
    assert f"It was called for each input by itself, {calls} times." in found.notes
    with pytest.raises(UsageError, match=r"some \d+ times on the quick grid: about") as refused:
        harness.check(f"{path}:slow", "bce_logits", "float16", targets=[0], grid="quick", reduction="mean", timeout=5)
    estimated = int(re.search(r"some (\d+) times", str(refused.value))[1])
    assert 0.8 * calls < estimated < 1.2 * calls
    # Negative control: a loss of whole arrays is called a few times, of which nothing is said.
    alike = harness.check(good, "bce_logits", "float16", targets=[0], grid="quick")
    assert not any("by itself" in note for note in alike.notes)


def fresh(code, *flags):
    """Run code in a new Python; return what it prints."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_harness_loads_nothing_else():
    loaded = (
        "print([m for m in ('numpy', 'mpmath', 'pandas', 'matplotlib', 'jinja2', 'snakemake') if m in sys.modules])"
    )
    assert fresh(f"import sys, harness; {loaded}") == "[]\n"
    checked = fresh(f"import sys, harness; harness.check; import harness.checking.engine; {loaded}")
    assert checked == "['numpy', 'mpmath']\n"


def test_a_loss_is_checked_without_the_packages_of_the_workflow():
    block = """
        import sys

        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("snakemake", "psutil", "pygments", "jsonschema", "yaml"):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, Absent())
        from harness.cli.main import main
        status = main(["check", "numpy:log1p", "-p", "log1p", "-f", "float16", "-g", "quick"])
        listed = [main(["list", what]) for what in ("problems", "kernels", "formats", "grids", "systems")]
        print("status", status, listed, main(["list", "experiments"]))
    """
    assert "status 0 [0, 0, 0, 0, 0] 2" in fresh(block)


def test_other_loops_than_the_tables_are_named(monkeypatch):
    from harness.checking import loops

    features = dict.fromkeys(loops.OTHERS, False)
    monkeypatch.setattr(loops, "_features", lambda: features)
    assert loops.other_loops() == []
    features["X86_V4"] = True
    assert "this CPU's X86_V4 loops" in loops.other_loops()[0]


# -- functions ----------------------------------------------------------------------------------------


def keyword_only(*, labels, logits):
    return logits, labels


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: (x, y),
        lambda a, b: (a, b),
        lambda y, p: (p, y),
        lambda y_true, y_pred: (y_pred, y_true),
        lambda y_pred, y_true: (y_pred, y_true),
        lambda input, target: (input, target),
        lambda labels, logits: (logits, labels),
        lambda labels=None, logits=None: (logits, labels),
        lambda y, t: (y, t),
        lambda t, y: (y, t),
        lambda x, y, alpha=0.25: (x, y),
        lambda *given: given,
        lambda weight=1, logits=0, labels=0: (logits, labels),
        keyword_only,
    ],
)  # fmt: skip
def test_the_order_of_arguments_is_told_from_their_names(function):
    assert arranged(function, "f", has_target=True)("input", "target") == ("input", "target")


def test_what_else_a_function_needs_is_named():
    with pytest.raises(UsageError, match="f also needs 'alpha', and gets an input and a target"):
        arranged(lambda x, y, alpha: x, "f", has_target=True)
    assert arranged(lambda x: x, "f", has_target=False)(3) == 3


def test_an_objective_gets_its_labels_from_its_data():
    called = arranged(lambda preds, dtrain: (preds, dtrain.get_label(), dtrain.get_weight()), "f", has_target=True)
    *given, weights = called("p", "y")
    assert given == ["p", "y"] and weights.size == 0  # as XGBoost's data have it
    of_lightgbm = arranged(lambda preds, train_data: train_data.get_weight(), "f", has_target=True)
    assert of_lightgbm("p", "y") is None


@pytest.fixture
def folder(tmp_path):
    """A file of losses and the sibling that it imports."""
    (tmp_path / "sibling_of_losses.py").write_text("GAMMA = 3\n")
    (tmp_path / "losses.py").write_text(
        textwrap.dedent(
            """
            import math
            import numpy as np
            from sibling_of_losses import GAMMA

            class Loss:
                def __init__(self, scale=1): self.scale = scale
                def __call__(self, x, y): return self.scale * x
                def method(self, y_true, y_pred): return self.scale * y_pred

            def scalar(x, y):
                return (max(-x, 0) if y else max(x, 0)) + math.log1p(math.exp(-abs(x)))

            def mean(x, y):
                tail = np.log1p(np.exp(-np.abs(x)))
                return (y * (np.maximum(-x, 0) + tail) + (1 - y) * (np.maximum(x, 0) + tail)).mean()

            def objective(preds, dtrain):
                p = 1 / (1 + np.exp(-preds))
                return p - dtrain.get_label(), p * (1 - p)

            def gradient(y, x):
                return np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x))) - y

            def good(x, y):
                tail = np.log1p(np.exp(-np.abs(x)))
                return y * (np.maximum(-x, 0) + tail) + (1 - y) * (np.maximum(x, 0) + tail)
            """
        )
    )
    return tmp_path / "losses.py"


def test_functions_objects_and_methods_are_found(folder):
    x = np.ones(2)
    assert find(f"{folder}:Loss(scale=GAMMA)")(x, x)[0] == 3
    assert find(f"{folder}:Loss.method")(0 * x, x)[0] == 1
    with pytest.raises(UsageError, match=r"Loss of .*losses\.py is a class; write .*losses\.py:Loss\(\)"):
        find(f"{folder}:Loss")
    with pytest.raises(UsageError, match=r"Loss\(1, 2\) of .* cannot be made: TypeError"):
        find(f"{folder}:Loss(1, 2)")
    with pytest.raises(UsageError, match=r"has no function 'none'; its functions: Loss, scalar, mean"):
        find(f"{folder}:none")


class TestWays:
    def test_a_function_of_one_number(self, folder):
        status, _, err = check(f"{folder}:scalar", fmt="float64")
        assert status == 2 and err.rstrip().endswith("is called with --each")
        assert check(f"{folder}:scalar", "--each", fmt="float64")[0] == 0

    def test_a_mean_is_called_for_each_input(self, folder):
        assert check(f"{folder}:mean")[0] == 2
        status, out, _ = check(f"{folder}:mean", "--reduction", "mean")
        assert status == 0 and "PASS" in out

    def test_a_mean_may_be_a_python_float_of_the_format(self, tmp_path):
        """As scikit-learn's are; one that has more digits than the format, or is asked for one by one, is refused."""
        (tmp_path / "means.py").write_text(
            "import numpy as np\n\n\ndef loss(x, y):\n    return float(np.mean(np.logaddexp(0, x) - x * y))\n\n\n"
            "def wide(x, y):\n    return float(np.mean(np.logaddexp(0, x.astype(float)) - x * y))\n"
        )
        assert check(f"{tmp_path}/means.py:loss", "--reduction", "mean")[0] < 2
        for name, way in (("wide", "--reduction=mean"), ("wide", "--each")):
            status, _, err = check(f"{tmp_path}/means.py:{name}", way)
            assert status == 2 and "a Python float, which is float64, for float16 inputs" in err

    def test_a_mean_that_takes_too_long_is_told_before(self, folder):
        status, _, err = check(
            f"{folder}:mean", "--reduction", "mean", "--timeout", "1", "--grid", "standard", fmt="float32"
        )
        assert status == 2 and "--grid quick" in err and err.count("\n") == 1

    def test_an_objective_is_checked_by_its_parts(self, folder):
        status, out, _ = check(f"{folder}:objective")
        assert status == 1 and "as bce_logits_grad in float16" in out

    def test_a_gradient_of_its_own(self, folder):
        status, out, _ = check(f"{folder}:good", "--gradient-function", f"{folder}:gradient", y="1")
        assert "as bce_logits in" in out and "as bce_logits_grad in" in out and status in (0, 1)
        status, _, err = check(f"{folder}:good", "--gradient")
        assert status == 2 and "NumPy has no autodiff" in err

    def test_no_device(self, folder):
        status, _, err = check(f"{folder}:good", "--device", "cuda")
        assert status == 2 and err.count("\n") == 1 and "NumPy computes on the CPU alone" in err


def test_special_inputs_are_reported_beside_the_verdict():
    def fails(x, y):
        if not len(x):
            raise ValueError("no examples")
        return np.where(np.isnan(x), np.zeros_like(x), good(np.nan_to_num(x), y))

    report = harness.check(fails, "bce_logits", "float16", targets=[0], grid="quick")
    assert report.passed
    outcomes = {(r.input, r.target): r.outcome for r in report.special["bce_logits"]}
    assert outcomes["NaN", "0"] == "number" and outcomes["an empty batch", ""] == "raises"
    assert "raises at an empty batch" in report.text() and "a number for NaN at NaN" in report.text()


def test_two_ways_that_differ_by_an_ulp_are_no_fault():
    def by_parity(x, y):
        found = good(x, y)
        return np.where(np.arange(x.size) % 8 == 7, np.nextafter(found, np.float32(9e9)), found)

    report = harness.check(by_parity, "bce_logits", "float32", targets=[0], grid="quick")
    assert report.passed
    assert any("differ in another order" in n and "by 1 ulp at most" in n for n in report.notes)


def test_what_a_row_says_is_of_the_long_arrays_of_the_sweep():
    """One at a time the worst result is right: neither the row's figures nor its reason may be of that."""

    def worse_in_arrays(x):
        exact = np.log1p(np.exp(-np.abs(x.astype(np.float64)))) + np.maximum(x, 0)
        off = np.where(np.abs(x) < 20, 1.5 * float(np.finfo(x.dtype).eps), 0) if len(x) >= 16 else 0
        return (exact * (1 + off)).astype(x.dtype)

    for fmt in ("float16", "float32"):
        (row,) = harness.check(worse_in_arrays, "softplus", fmt, max_ulp=1).rows
        assert 1 < float(row["max_ulp"]) < 4 and float(row["usual_max_ulp"]) > 1
        assert "in a long array the result is" in row["reason"] and float(row["rounding_ulp"]) == float(row["max_ulp"])


def test_what_is_not_followed_is_named_whatever_the_result(tmp_path):
    (tmp_path / "stacked.py").write_text(
        "import numpy as np\n\ndef loss(x, y):\n    l = np.stack([np.zeros_like(x), x])\n"
        "    m = l.max(axis=0)\n    return m + np.log(np.exp(l - m).sum(axis=0)) - x * y\n\n"
        "def plain(x, y):\n    return np.logaddexp(0, x) - x * y\n"
    )
    asked = ("-p", "bce_logits", "-f", "float32", "--input", "17.5", "-t", "0")
    _, out, _ = run("explain", f"{tmp_path}/stacked.py:loss", *asked)
    assert "Not followed: np.stack." in out and "operation  " not in out
    _, out, _ = run("explain", f"{tmp_path}/stacked.py:plain", *asked)
    assert "Not followed" not in out and "operation  " in out


def test_names_of_numpy_in_a_file_of_labels_first_are_followed(tmp_path):
    (tmp_path / "labels_first.py").write_text(
        "from numpy import asarray, exp, log\n\ndef loss(y_true, y_pred):\n    x = asarray(y_pred)\n"
        "    return log(1 + exp(x)) - y_true * x\n"
    )
    asked = ("-p", "bce_logits", "-f", "float32", "--input", "-17.5", "-t", "0")
    _, out, _ = run("explain", f"{tmp_path}/labels_first.py:loss", *asked)
    assert "1 + exp(-17.5) rounds to 1 (absorption)" in out and "Not followed" not in out


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("functools.partial(scaled, 1)", 0, "PASS"), ("Data()", 0, "PASS"), ("Data(gamma=3)", 0, "PASS"),
        ("Data.method", 0, "PASS"), ("Data.static", 0, "PASS"), ("Data.of_class", 0, "PASS"), ("made()", 0, "PASS"),
        ("star", 0, "PASS"), ("wrapped", 0, "PASS"), ("defaults", 0, "PASS"), ("arguments", 0, "PASS"),
        ("Data", 2, "is a class; write"), ("one", 2, "takes one argument, and gets an input and a target: write f(x, y)"),
        ("made", 2, "takes no argument"), ("three", 2, "also needs 'weight'"), ("cached", 2, "unhashable"),
        ("number", 2, "has no function 'number'"), ("Data.gamma", 2, "has no function 'Data.gamma'"),
        ("Data(", 2, "cannot be made: SyntaxError"), ("Data(1, 2, 3)", 2, "cannot be made: TypeError"),
    ],
)  # fmt: skip
def test_odd_functions_are_called_or_named(name, status, said, tmp_path):
    path = tmp_path / "odd.py"
    path.write_text(
        textwrap.dedent(
            """
            import argparse, dataclasses, functools
            import numpy as np

            arguments_given = argparse.ArgumentParser().parse_args()  # of this file: none
            number = 3

            def good(x, y):
                tail = np.log1p(np.exp(-np.abs(x)))
                return y * (np.maximum(-x, 0) + tail) + (1 - y) * (np.maximum(x, 0) + tail)

            def scaled(scale, x, y): return scale * good(x, y)
            def one(x): return x
            def three(x, y, weight): return weight * x
            def star(*given): return good(*given)
            def defaults(y_true=None, y_pred=None, *, gamma=2.0, reduction="none"): return good(y_pred, y_true)
            def made(): return good
            cached = functools.lru_cache(good)
            arguments = staticmethod(good)

            @functools.wraps(good)
            def wrapped(*given, **named): return good(*given, **named)

            @dataclasses.dataclass
            class Data:
                gamma: float = dataclasses.field(default=2.0)
                def __call__(self, y_true, y_pred): return good(y_pred, y_true)
                def method(self, x, y): return good(x, y)
                @staticmethod
                def static(x, y): return good(x, y)
                @classmethod
                def of_class(cls, x, y): return good(x, y)
            """
        )
    )
    got, out, err = check(f"{path}:{name}")
    assert got == status and said in (out if status < 2 else err), out + err
    assert status < 2 or (err.count("\n") == 1 and "Traceback" not in err)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("(v for v in [1])", "returned a generator for one input; return one number of float16"),
        ("True", "returned a bool for one input"), ("'loss'", "returned a str for one input"),
        ("1j", "returned a complex for one input"), ("type('F', (float,), {})(x)", "a Python float, which is float64"),
        ("[x, x]", "returned (2,) for one input"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_named_where_one_is_asked_for(returned, said, tmp_path):
    (tmp_path / "one.py").write_text(f"def f(x, y):\n    return {returned}\n")
    status, _, err = check(f"{tmp_path}/one.py:f", "--each")
    assert status == 2 and said in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"function": 3}, "the function is of type int; give a function, or the text"), ({"function": None}, "the function is None"),
        ({"gradient_function": 3}, "the gradient's function is of type int"), ({"problem": 3}, "the problem is of type int"),
        ({"problem": None, "exact": 3}, "exact is of type int"), ({"classes": "3"}, "classes '3' is not a whole number"),
        ({"max_ulp": "4"}, "--max-ulp 4 is not a positive number of ulps"), ({"max_ulp": float("nan")}, "--max-ulp nan is"),
        ({"timeout": 0}, "--timeout 0 is not a positive number of seconds"), ({"memory": -1}, "--memory -1 is not"),
        ({"timeout": "x"}, "--timeout x is"), ({"reduction": "max"}, "unknown reduction 'max'; known reductions: mean, sum"),
        ({"weights": 3}, "weights 3 are none; write a dict"), ({"targets": object}, "are no numbers; write a list"),
        ({"targets": [None]}, "'None' is not a number"), ({"grid": None}, "unknown grid None"),
        ({"device": "tpu"}, "NumPy computes on the CPU alone"), ({"library": 3}, "unknown library 3"),
    ],
)  # fmt: skip
def test_arguments_that_cannot_be_used_are_said_in_one_sentence(asked, said):
    given = {"function": good, "problem": "bce_logits", "format": "float16", "targets": [0], "grid": "quick", **asked}
    with pytest.raises(UsageError) as e:
        harness.check(given.pop("function"), given.pop("problem"), given.pop("format"), **given)
    assert said in str(e.value) and "\n" not in str(e.value)


def test_targets_may_be_one_number_a_text_or_an_array():
    for targets, expected in ((0.5, ["0.5"]), ("0.5", ["0.5"]), (np.array([0, 1]), ["0", "1"]), (np.float32(1), ["1"])):
        report = harness.check(good, "bce_logits", "float16", targets=targets, grid="quick")
        assert [r["target"] for r in report.rows] == expected


# -- what it costs ------------------------------------------------------------------------------------


# One that passes and one that fails: those that benchmarks/check.py times.
COSTS = textwrap.dedent(runpy.run_path(str(ROOT / "benchmarks" / "check.py"))["LOSSES"]["numpy"])


def test_a_loss_that_fails_costs_little_more_than_one_that_passes(tmp_path):
    # On a quiet machine 1.2 s and 1.0 s where the imports take 0.3 s; cures from whole summaries made it 1.5 times as much.
    (tmp_path / "costs.py").write_text(COSTS)
    asked = ("--problem", "bce_logits", "--format", "float32")
    commands = {name: ("-m", "harness", "check", f"{tmp_path}/costs.py:{name}", *asked) for name in ("passes", "fails")}
    took, _ = least_cpu({"imports": ("-c", "import numpy, mpmath"), **commands}, turns=4)
    assert took["fails"] < 1.4 * took["passes"] < 1.4 * 8 * took["imports"]
    assert took["passes"] > 2 * took["imports"]  # it has run at all


def test_cures_and_the_check_itself_share_one_audit(monkeypatch):
    from harness.explain import remedies
    from harness.sweep import streaming

    audits = []
    monkeypatch.setattr(streaming, "audit", lambda *given: audits.append(given) or -60.0)

    def counted(remember):
        audits.clear()
        streaming._audited.cache_clear()
        remedies.measured.cache_clear()
        if not remember:
            monkeypatch.setattr(streaming, "_audited", streaming._audited.__wrapped__)
        harness.check("sigmoid_naive", "bce_logits", "float32", targets=(0, 0.5, 1))
        return len(audits)

    assert counted(remember=True) == 3
    assert counted(remember=False) > 3
    monkeypatch.undo()
    streaming._audited.cache_clear()


def test_a_check_loads_neither_masked_arrays_nor_what_only_a_report_needs(tmp_path):
    (tmp_path / "costs.py").write_text(COSTS)
    code = (
        "import sys; from harness.cli.main import main;"
        f"main(['check', r'{tmp_path}/costs.py:fails', '-p', 'bce_logits', '-f', 'float32', '-g', 'quick', '-t', '0']);"
        "print(sorted({'numpy.ma', 'pandas', 'matplotlib', 'snakemake'} & set(sys.modules)), file=sys.stderr)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stderr == "[]\n"
