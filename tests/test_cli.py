"""The command line: what it prints, its exit status, and one sentence for input that cannot be used."""

import ast
import inspect
import json
import math
import textwrap

import pytest

from harness.cli import stages
from harness.cli.main import main
from harness.tables.rows import CONTRACT


@pytest.fixture
def loss_file(tmp_path):
    """Write user functions, good and bad."""
    path = tmp_path / "my_loss.py"
    path.write_text(
        textwrap.dedent(
            """
            import numpy as np

            def good(x, y):
                one, zero = np.ones_like(x), np.zeros_like(x)
                tail = np.log1p(np.exp(-np.abs(x)))
                return y * (np.maximum(-x, zero) + tail) + (one - y) * (np.maximum(x, zero) + tail)

            def bad(x, y):
                p = np.ones_like(x) / (np.ones_like(x) + np.exp(-x))
                return -(y * np.log(p) + (np.ones_like(x) - y) * np.log(np.ones_like(x) - p))

            def raises(x, y):
                raise KeyError("weights are missing")

            def changes(x, y):
                x += np.ones_like(x)
                return x

            def mean(x, y):
                return good(x, y).mean()

            def upcast(x, y):
                return good(x, y).astype(np.longdouble)

            def one_of(x):
                return np.log1p(x)

            not_callable = 3
            """
        )
    )
    return path


def run(capsys, *arguments):
    """Run the command line; return status, standard output, standard error."""
    status = main(list(arguments))
    out, err = capsys.readouterr()
    return status, out, err


def check(capsys, target, *more, problem="bce_logits", fmt="float32"):
    return run(capsys, "check", str(target), "--problem", problem, "--format", fmt, "--grid", "quick", *more)


class TestCheck:
    def test_good_function_passes(self, capsys, loss_file):
        status, out, err = check(capsys, f"{loss_file}:good", "--target", "0", "--target", "1")
        assert (status, err) == (0, "")
        assert out.count("PASS") == 2

    def test_bad_function_fails_with_its_reason(self, capsys, loss_file):
        status, out, _ = check(capsys, f"{loss_file}:bad", "--target", "0")
        assert status == 1
        assert "FAIL" in out and "spurious inf" in out

    def test_the_usual_range_is_told_first_and_then_what_is_beyond(self, capsys):
        _, out, _ = check(capsys, "sigmoid_clip_1e-7", "--target", "0", fmt="float64")
        verdict = out.splitlines()[-1]
        assert verdict.startswith("FAIL  target 0: for |x| <= 20 the largest error found is ")
        assert "; over all inputs it is > 1e+99 ulp" in verdict and "the loss < 4.94e-324 becomes 1e-7" in verdict
        row = out.splitlines()[4].split()
        assert float(row[1]) < 1e18
        assert not any(f"e-{n}" in out for n in (325, 400, 1000, 5000)) and "e+400" not in out

    def test_an_exact_value_keeps_its_exponent(self, capsys):
        """It was cut to 12 characters: 5.9604640274 for 5.9604640274e-8."""
        _, out, _ = check(capsys, "sigmoid_naive", "--target", "1")
        row = out.splitlines()[4].split()
        assert abs(float(row[6]) - 5.96e-8) < 1e-9 and row[6].endswith("e-8")

    def test_budget_decides(self, capsys, loss_file):
        within, _, _ = check(capsys, f"{loss_file}:good", "--target", "0", "--max-ulp", "3")
        over, _, _ = check(capsys, f"{loss_file}:good", "--target", "0", "--max-ulp", "0.51")
        assert (within, over) == (0, 1)

    def test_json_has_the_contract_columns_first(self, capsys, loss_file):
        _, out, _ = check(capsys, f"{loss_file}:good", "--json", "--target", "0.1")
        (row,) = json.loads(out)
        assert tuple(row)[: len(CONTRACT)] == CONTRACT
        assert row["target"] == "0.1" or row["target"] == 0.1
        assert isinstance(row["max_ulp"], float) and row["max_ulp"] < 4
        assert float.fromhex(row["max_ulp_input"])

    def test_a_user_function_equals_the_kernel_it_repeats(self, capsys, loss_file):
        rows = []
        for target in (f"{loss_file}:good", "softplus_pair"):
            _, out, _ = check(capsys, target, "--json", "--target", "0.9", fmt="float16")
            rows.append([v for k, v in json.loads(out)[0].items() if k in CONTRACT and k != "kernel"])
        assert rows[0] == rows[1]

    @pytest.mark.parametrize(
        ("function", "said"),
        [
            ("raises", "raised KeyError"),
            ("changes", "changed its input"),
            ("mean", "returned ()"),
            ("upcast", "returned float128"),
            ("absent", "has no function 'absent'"),
            ("not_callable", "has no function 'not_callable'"),
            ("one_of", "takes one argument, and gets an input and a target"),
        ],
    )
    def test_unusable_functions(self, capsys, loss_file, function, said):
        status, out, err = check(capsys, f"{loss_file}:{function}", "--target", "0")
        assert (status, out) == (2, "")
        assert said in err and err.count("\n") == 1

    def test_what_numpys_clip_makes_of_bfloat16_is_said(self, tmp_path, capsys):
        path = tmp_path / "clipped.py"
        path.write_text(
            "import numpy as np\ndef f(p, y):\n    return -np.log(np.clip(p, 1e-7, 1)) * y\n", encoding="utf-8"
        )
        assert main(["check", f"{path}:f", "-p", "bce", "-f", "bfloat16", "-t", "1"]) == 2
        assert (
            "returned float32 for bfloat16 inputs" in (said := capsys.readouterr().err) and "np.clip does not" in said
        )

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (
                ["check", "lse_log1p", "-p", "nothing", "-f", "float32"],
                "unknown problem 'nothing'; known problems: bce",
            ),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "float12"], "unknown format 'float12'; known formats"),
            (["check", "lse_log2p", "-p", "bce_logits", "-f", "float32"], "unknown kernel 'lse_log2p'"),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "float32", "-g", "all"], "unknown grid 'all'"),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "float64", "-g", "exhaustive"], "too many inputs"),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "float32", "-t", "one"], "'one' is not a number"),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "float32", "-t", "1.5"], "not a number in [0, 1]"),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "float32", "-t", "nan"], "not a number in [0, 1]"),
            (["check", "lse_log1p", "-p", "bce_logits", "-f", "float32", "--max-ulp", "nan"], "not a positive number"),
            (["check", "numpy", "-p", "log1p", "-f", "float32", "-t", "1"], "has no target"),
            (["check", "lse_log1p", "-f", "float32"], "--problem"),
            (["check", "no_such_file.py:f", "-p", "bce", "-f", "float32"], "there is no file no_such_file.py"),
            (["check", "no_such_module:f", "-p", "bce", "-f", "float32"], "cannot be imported"),
            (["reference", "bce_logits", "--logit", "1"], "needs --target"),
            (["reference", "bce_logits", "--probability", "1", "--target", "1"], "takes --logit"),
            (["reference", "bce", "--probability", "1.5", "--target", "1"], "outside [0, 1]"),
            (["reference", "log1p", "--input", "ten"], "'ten' is not a number"),
            (["reference", "log1p", "--input", "1", "--target", "1"], "has no target"),
            (["reference", "log1p", "--input", "1", "--digits", "0"], "--digits"),
            (["verify", "nowhere"], "has no tables"),
            (["list", "everything"], "everything"),
            (["frobnicate"], "frobnicate"),
        ],
    )
    def test_unusable_input(self, capsys, arguments, said):
        status, out, err = run(capsys, *arguments)
        assert (status, out) == (2, "")
        assert said in err and err.count("\n") == 1


class TestReference:
    def test_the_tail_has_its_digits(self, capsys):
        status, out, _ = run(capsys, "reference", "bce_logits", "--logit", "300", "--target", "1", "--digits", "30")
        assert status == 0
        assert out.startswith("5.1482") and out.strip().endswith("e-131")
        assert len(out.split("e")[0].replace(".", "")) == 30

    @pytest.mark.parametrize(
        ("arguments", "value"),
        [
            (["bce_logits", "--logit", "0", "--target", "0.5"], math.log(2)),
            (["bce", "--probability", "0x1p-1", "--target", "1"], math.log(2)),
            (["bce_grad", "--probability", "0.25", "--target", "1"], -4.0),
            (["bce_logits_grad", "--logit", "0", "--target", "0.5"], 0.0),
            (["log1p", "--input", "-0.5"], -math.log(2)),
            (["bce", "--probability", "0", "--target", "1"], math.inf),
            (["bce", "--probability", "0", "--target", "0"], 0.0),
        ],
    )
    def test_known_values(self, capsys, arguments, value):
        status, out, _ = run(capsys, "reference", *arguments, "--digits", "17")
        assert status == 0
        assert float(out) == value

    def test_decimals_are_taken_exactly(self, capsys):
        tenth = run(capsys, "reference", "log", "--input", "0.1", "--digits", "30")[1]
        nearest = run(capsys, "reference", "log", "--input", "0x1.999999999999ap-4", "--digits", "30")[1]
        assert tenth[:17] == nearest[:17] and tenth != nearest


def test_a_stage_calls_one_job_and_knows_no_more_of_its_room():
    """What a stage imports is a function NAME_job, or the module `job` where it must catch an error of it."""
    tree = ast.parse(inspect.getsource(stages))
    inside = [node for f in tree.body if isinstance(f, ast.FunctionDef) for node in ast.walk(f)]
    found = [alias.name for node in inside if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert len(found) == len(stages.stages.commands)
    assert all(name.endswith("_job") or name == "job" for name in found), found


@pytest.mark.parametrize("what", ["problems", "kernels", "formats", "grids", "experiments", "systems"])
def test_lists(capsys, what):
    status, out, err = run(capsys, "list", what)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) > 3


@pytest.mark.parametrize(
    "command", [[], ["check"], ["reference"], ["verify"], ["list"], ["sweep"], ["table"], ["search"]]
)
def test_help_teaches_by_example(capsys, command):
    status, out, _ = run(capsys, *command, "--help")
    assert status == 0
    assert "harness " in out.split("Example")[1]
