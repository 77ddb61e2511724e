"""Write docs/fix.md: what `harness fix` makes of naive losses, see docs/examples/naive_losses.py.

python docs/fix.py        writes the page; needs egglog (the extra fix); about ten minutes
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from pathlib import Path

import harness
from harness.checking.judge import ulps
from harness.checking.rewriting.code import VALUE
from harness.checking.rewriting.fixed import FixedLoss, spurious, usual_ulp, within
from harness.checking.rewriting.rules import RULES
from harness.workflow.files import write_text

DOCS = Path(__file__).parent
PAGE = DOCS / "fix.md"
EXAMPLES = DOCS / "examples" / "naive_losses.py"
FORMAT = "float32"
BUDGET = 4.0
HEAD = """\
# Fix a loss

<!-- skip: next "needs the extra fix; tests/test_fix.py runs such lines" -->

```sh
harness fix my_loss.py:loss --problem bce_logits
harness fix my_loss.py:loss -p bce -f float16 --target 0 --target 1
```

prints NumPy code that computes the same loss with smaller errors, its error table beside that of the loss, and what it
costs; or says that it found nothing better. In Python it is `harness.fix(function, problem, format)`, whose result has
`.code`, `.before` and `.after` (two reports of `harness.check`), `.changes`, `.cured` and `.text()`. It needs the extra
`fix` (egglog). It is for losses of one input and its target that are written in NumPy.

What happens:

1. The loss runs on values that record its operations, as `harness explain` has it, at ordinary and at outer inputs: code
   that computes another formula at another input, by an `if`, is refused. With a `--reduction` mean or sum, the formula is
   that of one element.
2. The formula is rewritten by egglog with {rules} rules, each an identity of real numbers on a stated domain
   (`harness/checking/rewriting/rules.py`). Among them are log(1 + e^a) = softplus(a), 1 - sigmoid(a) = sigmoid(-a) and
   a log b = xlogy(a, b). Rules of arithmetic bring a formula into their shape.
3. A clip, an eps or a threshold is a change of the function. The formula without it is rewritten as well, and the output
   says so; so is the formula of the targets 0 and 1, extended linearly between them. That is valid because all is
   measured against the exact function, and not against the loss.
4. The candidates are ranked by their true maximum over every float16 input of the usual range, then by failures beyond
   it. The best {confirmed} are measured in the format that was asked for, on its standard grid.
5. The best is printed if it is better, after `harness check` has measured its code like anybody's function.

A rule that is wrong makes candidates that are wrong, and those err: they are ranked last. What is printed stands on its
measurement and on no rule. The exit status is 0 for code within the budget over the usual range, 1 where there is none.
What Herbie makes of some of these expressions stands beside it in
[beside_ulpwise.md](../benchmarks/beside_ulpwise.md).

## {count} naive losses

Each is written anew, in its minimal form, after a kind that a study of numerical bugs reports:
[examples/naive_losses.py](examples/naive_losses.py) has them and names the studies. The figures are the largest errors of
`harness check` in {format} over the usual range, at the targets of the tables: logits up to 20 in size, or the probabilities that
belong, with a normal exact value. They stand on a sample, the standard grid, so that they are lower bounds.
The ranking before stands on every float16 input. Spurious are NaN, infinities, zeros and wrong signs over all
inputs. Of {count} losses {cured} are cured to {budget:g} ulp at every input tried over the usual range, and {before} more were within it
before. Between those inputs some err by more: `yes` says what was measured, and is no bound. So `log1mexp(x)` errs by
≥ 4.07 ulp at 0x1.03cbf8p+0 ([worst_relatives](../results/tables/worst_relatives.md)), and `sigmoid(x) * sigmoid(-x)` by ≥ 5.14
at 3.4053822.
{left}: of those the rules find nothing within it.

| loss | kind of | as | usual max ulp (≥), before | after (≥) | spurious, before | after | operations | cured, at inputs tried | fixed, in NumPy |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def naive() -> dict[str, Callable]:
    """Return the functions of the examples by name."""
    return {f.__name__: f for f in runpy.run_path(str(EXAMPLES))["NAIVE"]}


def described(function: Callable) -> tuple[str, str, str]:
    """Return the problem of a naive loss, what it is, and the study whose kind it is of."""
    problem, name, source = (part.strip() for part in (function.__doc__ or "").split("|"))
    return problem, name, source


def fixed(function: Callable) -> FixedLoss:
    """Fix a naive loss; one named for its mean or sum is reduced by that."""
    reduction = function.__name__.rsplit("_", 1)[-1]
    reduced = reduction if reduction in ("mean", "sum") else None
    return harness.fix(function, described(function)[0], FORMAT, reduction=reduced, max_ulp=BUDGET)


def line(function: Callable, found: FixedLoss) -> str:
    """Return the table's line on one naive loss."""
    problem, name, source = described(function)
    after = found.after if found.better else found.before
    cells = [
        f"{name} (`{function.__name__}`)", source, f"`{problem}`", worst(found.before), worst(after),
        failures(found.before), failures(after), "{} → {}".format(*found.operations) if found.better else found.operations[0],
        state(found), f"`{returned(found.code)}`" if found.better else "nothing better was found",
    ]  # fmt: skip
    return "| " + " | ".join(str(c).replace("|", r"\|") for c in cells) + " |"


def state(found: FixedLoss) -> str:
    """Say whether a loss is cured, was within the budget before, or is not."""
    if all(within(row, BUDGET) for row in found.before.rows):
        return "was within"
    return "yes" if found.cured else "better" if found.better else "no"


def worst(report: harness.Report) -> str:
    """Write the largest error of the usual range over all targets."""
    return ulps(max(report.rows, key=usual_ulp)["usual_max_ulp"]) or "nothing finite"


def failures(report: harness.Report) -> int:
    """Return how many outcomes are spurious, over all targets."""
    return sum(map(spurious, report.rows))


def returned(code: str) -> str:
    """Return what the code computes: the body of its function, in one line, without the change of format at its end."""
    *lines, last, end = [line.strip() for line in code.partition("def fixed(")[2].splitlines()[1:] if line.strip()]
    reduced = next((f"{name} of " for name in ("mean", "sum") if f".{name}()" in end), "")
    return "; ".join([*lines, reduced + last.removeprefix(f"{VALUE} = ")])


def page(functions: Sequence[Callable], results: Sequence[FixedLoss]) -> str:
    """Return the whole page."""
    from harness.checking.rewriting.fixing import CONFIRMED

    states = [state(r) for r in results]
    left = [f"`{f.__name__}`" for f, s in zip(functions, states) if s in ("no", "better")]
    before = states.count("was within")
    head = HEAD.format(
        rules=len(RULES), confirmed=CONFIRMED, count=len(results), format=FORMAT, budget=BUDGET,
        cured=states.count("yes"), before=before,
        left=f"Not cured are {', '.join(left)}" if left else "None is left",
    )  # fmt: skip
    return head + "".join(f"{line(f, r)}\n" for f, r in zip(functions, results))


if __name__ == "__main__":
    functions = list(naive().values())
    write_text(PAGE, page(functions, [fixed(f) for f in functions]))
