"""Fixing losses: formulas are recorded and rewritten, every rule is an identity, and a wrong one does no harm."""

from __future__ import annotations

import math
import re
import runpy
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import harness
from harness import UsageError
from harness.checking.rewriting import changes, code
from harness.checking.rewriting.expression import X, Y, number, recorded
from harness.checking.rewriting.fixing import candidates, fix
from harness.checking.rewriting.ranking import OTHER
from harness.checking.rewriting.rules import CONSTANTS, RULES, Rule
from harness.cli.main import main
from harness.explain.followed import follow
from harness.problems import problem_named

DOCS = Path(__file__).parent.parent / "docs"
MAKER = runpy.run_path(str(DOCS / "fix.py"))
NAIVE = MAKER["naive"]()
HARD = np.array([0.0, 1.0], np.float16)


@pytest.fixture
def egglog():
    """Skip where the rewriting library is not installed: the extra `fix`, which the extra `test` brings."""
    return pytest.importorskip("egglog", reason="egglog, of the extra fix, is not installed")


def record(function, has_target=True):
    points = [(x, y) if has_target else (x,) for x in (-60.0, -2.0, 0.5, 3.0) for y in (0.0, 0.25, 1.0)]
    return recorded(follow, function, function.__name__, points)


# -- formulas -------------------------------------------------------------------------------------


def test_a_formula_is_recorded_as_it_is_written():
    def loss(x, y):
        return -y * np.log(np.clip(x, 1e-7, 1 - 1e-7))

    log = ("Log", ("Min", ("Max", X, number(1e-7)), number(1 - 1e-7)))
    assert record(loss) == ("Mul", ("Neg", Y), log)


@pytest.mark.parametrize("name", ["sigmoid_log", "softmax_shifted", "threshold_softplus", "kl_eps", "focal_of_loss"])
def test_the_code_of_a_formula_computes_what_the_loss_does(name):
    function = NAIVE[name]
    problem = problem_named(MAKER["described"](function)[0])
    again = code.compiled(code.source(record(function, problem.has_target), problem.variable, problem.has_target))
    x = np.linspace(0.05, 0.95, 7) if problem.input == "probability" else np.linspace(-4, 4, 9)
    inputs = (x, np.full_like(x, 0.25)) if problem.has_target else (x,)
    assert np.allclose(again(*inputs), function(*inputs), rtol=1e-13)


def test_a_branch_by_if_is_refused():
    def loss(x):
        return np.log1p(np.exp(x)) if x < 0 else x + np.log1p(np.exp(-x))

    with pytest.raises(UsageError, match=r"one formula at .* and another at .*np\.where"):
        record(loss, has_target=False)


def test_guards_are_taken_off_and_said():
    bare, said = changes.without_guards(record(NAIVE["sigmoid_clip"]))
    assert bare == record(NAIVE["sigmoid_log"])
    assert said == ("the clip at 1e-07 is removed", "the clip at 0.9999999 is removed")
    assert changes.without_guards(record(NAIVE["sigmoid_log"]))[1] == ()
    relu = ("Max", X, number(0))
    assert changes.without_guards(relu) == (relu, ())  # of max(x, 0) the limit is no guard


# -- rules ----------------------------------------------------------------------------------------

FUNCTIONS = {
    "N": lambda a: a, "Add": lambda a, b: a + b, "Mul": lambda a, b: a * b, "Div": lambda a, b: a / b, "Neg": lambda a: -a,
    "Pow": lambda a, b: a**b, "Sqrt": math.sqrt, "Exp": math.exp, "Expm1": math.expm1, "Log": math.log,
    "Log1p": math.log1p, "Tanh": math.tanh, "Max": max, "Min": min, "Abs": abs,
    "Softplus": lambda a: math.log1p(math.exp(a)), "Sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "Logaddexp": lambda a, b: math.log(math.exp(a) + math.exp(b)), "Xlogy": lambda a, b: a * math.log(b),
    "Xlog1py": lambda a, b: a * math.log1p(b), "Log1mexp": lambda a: math.log(-math.expm1(-a)),
    "Logit": lambda a: math.log(a / (1 - a)), "Where": lambda c, a, b: a if c > 0.5 else b,
    "BinaryKl": lambda y, p: y * math.log(y / p) + (1 - y) * math.log((1 - y) / (1 - p)),
}  # fmt: skip
POINTS = [
    {"a": 0.3, "b": 0.6, "c": 0.45, "Y": 0.35}, {"a": 0.75, "b": 0.2, "c": 0.9, "Y": 0.8},
    {"a": -1.25, "b": -0.5, "c": 0.7, "Y": 0.6}, {"a": 1.5, "b": 2.25, "c": -0.75, "Y": 0.1},
]  # fmt: skip


def tree(text):
    """A term of the rules' language as nested lists."""
    stack = [[]]
    for token in re.findall(r"[()]|[^\s()]+", text):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    return stack[0]


def value(term, at):
    if isinstance(term, str):
        return float(Fraction(*map(int, CONSTANTS[term].split()))) if term in CONSTANTS else at[term]
    return at["Y"] if term == ["Y"] else FUNCTIONS[term[0]](*(value(part, at) for part in term[1:]))


def disagreement(rule):
    """The points at which both sides of a rule are numbers and differ, and how many there are."""
    tried, apart = 0, []
    for line in tree(rule.told):
        if line[0] != "rewrite":
            continue
        for at in POINTS:
            try:
                left, right = (value(side, at) for side in line[1:3])
            except (ValueError, ZeroDivisionError, OverflowError, TypeError):  # beyond its domain
                continue
            if isinstance(left, complex) or isinstance(right, complex):
                continue
            tried += 1
            if not math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12):
                apart.append((line, at))
    return apart, tried


REWRITES = [rule for rule in RULES if rule.told.startswith("(rewrite")]


@pytest.mark.parametrize("rule", REWRITES, ids=lambda rule: rule.says)
def test_every_rule_is_an_identity(rule):
    apart, tried = disagreement(rule)
    assert apart == [] and tried >= 1


WRONG = Rule("1 - sigmoid(a) = sigmoid(a)", "nowhere", "(rewrite (Add _1 (Neg (Sigmoid a))) (Sigmoid a))")


def test_a_planted_wrong_rule_is_no_identity():
    assert disagreement(WRONG)[0]


# -- what comes out -------------------------------------------------------------------------------


def test_a_naive_loss_is_cured_and_its_code_passes_check(egglog, tmp_path):
    found = fix(NAIVE["sigmoid_clip"], "bce_logits", "float16", targets=(0, 0.5, 1))
    assert found.better and found.cured
    assert found.changes == ("the clip at 1e-07 is removed", "the clip at 0.9999999 is removed")
    alone = tmp_path / "alone.py"
    alone.write_text(found.code + "\nprint(fixed(np.array([30.0]), np.array([1.0]))[0])\n")
    printed = subprocess.run([sys.executable, str(alone)], capture_output=True, text=True, check=True).stdout
    assert float(printed) == pytest.approx(math.exp(-30), rel=1e-12)
    assert harness.check(code.compiled(found.code), "bce_logits", "float16", targets=(0, 1)).passed
    text = found.text()
    for part in ("def fixed(x, y):", "every float16 input", "Changed: the clip", "Cost: ", "within 4 ulp"):
        assert part in text


def test_a_reduced_loss_is_fixed_for_one_element_and_reduced_again(egglog):
    found = fix(NAIVE["sigmoid_log_mean"], "bce_logits", "float16", targets=(0, 1), reduction="mean")
    x, y = np.array([-20.0, 3.0, 30.0]), np.array([0.0, 1.0, 1.0])
    losses = np.log1p(np.exp(np.array([-20.0, -3.0, -30.0])))
    assert found.cured and code.compiled(found.code)(x, y) == pytest.approx(losses.mean(), rel=1e-14)


def test_what_is_good_is_left_as_it_is(egglog):
    def good(x):
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    found = fix(good, "softplus", "float16")
    assert not found.better and "nothing better was found" in found.text()


HALF_WRONG = Rule("softplus(a) = max(a, 0)", "nowhere", "(rewrite (Softplus a) (Max a _0))")


@pytest.mark.parametrize("wrong", [WRONG, HALF_WRONG], ids=lambda rule: rule.says)
def test_a_planted_wrong_rule_makes_wrong_candidates_and_no_wrong_result(egglog, wrong):
    formula = record(NAIVE["sigmoid_log"])
    problem = problem_named("bce_logits")
    right = {c.code for c in candidates(formula, problem, HARD, 4.0)}
    planted = [c for c in candidates(formula, problem, HARD, 4.0, (wrong,)) if c.code not in right]
    assert any(c.figure is OTHER for c in planted)
    found = fix(NAIVE["sigmoid_log"], "bce_logits", "float16", targets=(0, 1), rules=(wrong,))
    assert found.cured or not found.better


def test_candidates_are_the_same_each_time(egglog):
    formula = record(NAIVE["focal"], has_target=False)
    first, second = (candidates(formula, problem_named("focal"), None, 4.0) for _ in range(2))
    assert [c.code for c in first] == [c.code for c in second]


# -- refusals -------------------------------------------------------------------------------------


def test_without_egglog_one_sentence_names_the_extra(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "egglog", None)
    monkeypatch.setitem(sys.modules, "egglog.bindings", None)
    loss = tmp_path / "loss.py"
    loss.write_text("import numpy as np\ndef loss(x):\n    return np.log(1 + np.exp(x))\n")
    assert main(["fix", f"{loss}:loss", "-p", "softplus", "-f", "float16"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "xent-harness[fix]" in said


def test_losses_of_k_classes_are_refused(capsys):
    assert main(["fix", "numpy:log", "-p", "softmax_ce"]) == 2
    assert "rows of K logits" in capsys.readouterr().err


# -- the page -------------------------------------------------------------------------------------

PAGE = DOCS / "fix.md"


def lines():
    return [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][2:]


def test_the_page_has_a_line_for_each_naive_loss_and_counts_them():
    page = PAGE.read_text(encoding="utf-8")
    assert len(lines()) == len(NAIVE) >= 40 and f"## {len(NAIVE)} naive losses" in page
    cured = sum("| yes |" in line for line in lines())
    assert f"{cured} are cured to 4 ulp" in page and cured >= 40


@pytest.mark.parametrize("name", ["entropy_where", "log_of_sigmoid"])
def test_a_line_is_what_fix_finds(egglog, name):
    assert MAKER["line"](NAIVE[name], MAKER["fixed"](NAIVE[name])) in lines()
