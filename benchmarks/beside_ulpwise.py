"""Set this harness beside what users would pick instead: ulpwise's survey, and the forms of Herbie's suite.

    python benchmarks/beside_ulpwise.py        writes benchmarks/beside_ulpwise.md; ten minutes

Needs ulpwise 0.3.4, egglog, and NumPy, SciPy, torch and JAX in one environment.  Each function that both know is measured
by both, from the same libraries in the same process's versions: ulpwise at its default of 600 points, the harness on its
standard grid, which is every input in 16 bits.  Times are those of this run.
"""

from __future__ import annotations

import importlib.metadata
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
from harness.checking.judge import ulps
from harness.checking.rewriting.fixed import spurious, usual_ulp
from harness.numbers.formats import format_named

import numpy as np

from generated import table

PAGE = Path(__file__).with_suffix(".md")
POINTS = 600  # ulpwise's default
VERSION = "0.3.4"
FORMATS = {"f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64"}
MISSED = 2.0  # times as large an error elsewhere is called a miss, so that rounding of a maximum is none

# ulpwise's name of each function, the harness's problem, and the functions that ulpwise calls, by library.
FUNCTIONS = {
    "exp": ("exp", {"numpy": "numpy:exp", "torch": "torch:exp", "jax": "jax.numpy:exp"}),
    "expm1": ("expm1", {"numpy": "numpy:expm1", "torch": "torch:expm1", "jax": "jax.numpy:expm1"}),
    "log": ("log", {"numpy": "numpy:log", "torch": "torch:log", "jax": "jax.numpy:log"}),
    "log1p": ("log1p", {"numpy": "numpy:log1p", "torch": "torch:log1p", "jax": "jax.numpy:log1p"}),
    "tanh": ("tanh", {"numpy": "numpy:tanh", "torch": "torch:tanh", "jax": "jax.numpy:tanh"}),
    "sigmoid": ("sigmoid", {"scipy": "scipy.special:expit", "torch": "torch:sigmoid", "jax": "jax.nn:sigmoid"}),
    "logit": ("logit", {"scipy": "scipy.special:logit", "torch": "torch.special:logit", "jax": "jax.scipy.special:logit"}),
    "softplus": ("softplus", {"torch": "torch.nn.functional:softplus", "jax": "jax.nn:softplus"}),
    "logsigmoid": ("log_sigmoid", {"torch": "torch.nn.functional:logsigmoid", "jax": "jax.nn:log_sigmoid"}),
}  # fmt: skip
# What ulpwise does not survey: NumPy has no bfloat16, and SciPy computes 16 bits in float32.
LEFT_OUT = {("numpy", "bf16"), ("scipy", "bf16"), ("scipy", "f16")}


@dataclass(frozen=True)
class Pair:
    """Hold what both found of one function of one library in one format."""

    function: str
    library: str
    format: str
    theirs: Any
    row: dict
    seconds: float
    ends: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Return the harness's maximum over ulpwise's."""
        return float(self.row["max_ulp"]) / self.theirs.max_ulp if self.theirs.max_ulp else math.inf

    @property
    def why(self) -> str:
        """Say where 600 points miss the maximum: between two of them, or outside their range; nothing where they do not."""
        if self.ratio < MISSED:
            return ""
        x = float.fromhex(str(self.row["max_ulp_input"]))
        return "between its points" if self.ends[0] <= x <= self.ends[1] else "outside its range"

    def cells(self) -> tuple[object, ...]:
        """Return the cells of the pair's line."""
        row = self.row
        sign = "" if row["exhaustive"] else "≥ "
        return (
            f"{self.library} {self.function}", FORMATS[self.format], self.theirs.n, ulps(self.theirs.max_ulp),
            self.theirs.nonfinite_mismatch, f"{self.theirs.seconds:.2f}", row["points"],
            sign + ulps(row["max_ulp"]), f"`{row['max_ulp_input']}`", spurious(row), f"{self.seconds:.2f}", self.why,
        )  # fmt: skip


def pairs() -> Iterator[Pair]:
    """Yield what both found of each function, library and format."""
    ours = {}
    asked = [
        (n, lib, f) for n, (_, calls) in FUNCTIONS.items() for lib in calls for f in FORMATS if (lib, f) not in LEFT_OUT
    ]
    for name, library, short in asked:
        problem, calls = FUNCTIONS[name]
        began = time.perf_counter()
        library_of = "numpy" if library == "scipy" else library
        report = harness.check(calls[library], problem, FORMATS[short], library=library_of, timeout=600)
        ours[name, library, short] = report.rows[0], time.perf_counter() - began
    # ulpwise loads the libraries into this process, after which no process of theirs can be forked.
    from ulpwise import survey

    registry = {entry.name: entry for entry in survey.REGISTRY}
    for name, library, short in asked:
        [theirs] = survey.survey([library], [short], POINTS, [name])
        points = survey.grid(registry[name].domain, short, POINTS)
        yield Pair(name, library, short, theirs, *ours[name, library, short], (float(points[0]), float(points[-1])))


# -- Herbie's suite -------------------------------------------------------------------------------

HERBIE = "herbie-fp/herbie at 1863fcf4fb1e (2026-08-14)"
REPORTS = "https://nightly.cs.washington.edu/reports/herbie/"


@dataclass(frozen=True)
class SuiteForm:
    """Hold an expression of Herbie's suite, and where it stands; the better form that the suite gives, if any.

    `output` is what Herbie made of it by a published report, of which `report` is the address below REPORTS.
    """

    name: str
    place: str
    problem: str
    naive: Callable
    better: Callable | None = None
    output: Callable | None = None
    report: str = ""


def logistic_better(x, y):
    return np.where(x <= 0, np.log(1 + np.exp(x)) - x * y, np.log(1 + np.exp(-x)) - -x * (1 - y))


def log1p_better(x):
    return np.where(1 + x == 1, x, x * np.log(1 + x) / ((1 + x) - 1))


def log1p_output(x):
    log = np.log(1 + x)
    return np.where(log <= 2.686244946081019e-06, x + (x * x) * (x * (1 / 3) - 1 / 2), log)


def tanh_output(x):
    far = (x <= -0.006392313756824013) | ~(x <= 0.006923448538232147)
    return np.where(far, 2 / (1 + np.exp(-2 * x)) - 1, (2 / 15 * x**5 + x) - x**3 * (1 / 3))


def distribution(x):
    e = np.exp(-np.abs(x))
    return e / ((1 + e) * (1 + e))


SUITE = (
    SuiteForm("Logistic regression 2", "mathematics/logistic-regression.fpcore", "bce_logits",
              lambda x, y: np.log(1 + np.exp(x)) - x * y, logistic_better, lambda x, y: np.log1p(np.exp(x)) - y * x,
              "1524002554:warfa:develop:f1a20fbf6d/34-Logisticregression2/graph.html"),
    SuiteForm("Logistic function from Lakshay Garg", "mathematics/logistic-regression.fpcore", "tanh",
              lambda x: 2 / (1 + np.exp(-2 * x)) - 1, None, tanh_output,
              "1547629814:warfa:develop:4ad0fa0d8e/mathematics/10-LogisticfunctionfromLakshayGarg/graph.html"),
    SuiteForm("Quotient of sum of exps, at b = 0", "mathematics/arvind.fpcore", "sigmoid",
              lambda x: np.exp(x) / (np.exp(x) + np.exp(0 * x)), lambda x: 1 / (1 + np.exp(0 - x)),
              lambda x: np.exp(x - np.log(np.exp(x) + np.exp(0 * x))),
              "1494063742:warfa:nightly:c19c766ab4/14-Quotientofsumofexps/graph.html"),
    SuiteForm("symmetry log of sum of exp, at b = 0", "mathematics/symmetry.fpcore", "softplus",
              lambda x: np.log(np.exp(x) + np.exp(0 * x))),
    SuiteForm("Logistic function, at s = 1", "graphics/pbrt.fpcore", "sigmoid", lambda x: 1 / (1 + np.exp(-x)), None,
              lambda x: 1 / (1 + np.exp(-(x / 1))),
              "1704924598:nightly:fix-rewrite-once:169df4f4b1/graphics/8-Logisticfunction/graph.html.gz"),
    SuiteForm("Logistic distribution, at s = 1", "graphics/pbrt.fpcore", "sigmoid_grad", distribution),
    SuiteForm("expm1 (example 3.7)", "hamming/series.fpcore", "expm1", lambda x: np.exp(x) - 1, np.expm1, np.expm1,
              "1646790092:warfa:inf-ordinary:44a381f9e1/hamming/19-expm1example37/graph.html.gz"),
    SuiteForm("ln(1 + x)", "numerics/every-cs.fpcore", "log1p", lambda x: np.log(1 + x), log1p_better, log1p_output, "1524998420:warfa:develop:fb9522aa62/numerics/11-ln1x/graph.html"),
)  # fmt: skip


def suite_cells() -> Iterator[tuple[object, ...]]:
    """Yield the cells of each expression and format: as it stands, as the suite and Herbie have it, as `harness fix` does."""
    for form in SUITE:
        for fmt in ("float32", "float64"):
            found = harness.fix(form.naive, form.problem, fmt)
            others = [told(harness.check(f, form.problem, fmt)) if f else ("", "") for f in (form.better, form.output)]
            after = found.after if found.better else found.before
            read = f" ([report]({REPORTS}{form.report}))" if form.report else ""
            yield (f"{form.name} (`bench/{form.place}`){read}", f"`{form.problem}`", fmt, *told(found.before),
                        *others[0], *others[1], *told(after))  # fmt: skip


def told(report: harness.Report) -> tuple[str, int]:
    """Write the largest error of the usual range over all targets, and count all spurious outcomes."""
    worst = max(report.rows, key=usual_ulp)
    return "≥ " + ulps(worst["usual_max_ulp"]), sum(map(spurious, report.rows))


# -- the page -------------------------------------------------------------------------------------


def page(found: list[Pair], suite: list[tuple[object, ...]]) -> str:
    """Return the page: both tables, with what they stand on."""
    missed = [p for p in found if p.why]
    more = [p for p in found if p.ratio < 1 / MISSED]
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in ("numpy", "scipy", "torch", "jax", "ulpwise"))
    between = sum(p.why == "between its points" for p in missed)
    ours, theirs = sum(p.seconds for p in found), sum(p.theirs.seconds for p in found)
    heads = ("function", "format", "points", "max ulp", "non-finite", "s", "points", "max ulp", "at input", "spurious", "s",
             "600 points miss it")  # fmt: skip
    suite_heads = ("expression", "as", "format", "as it stands: usual max ulp", "spurious", "the suite's better form",
                   "spurious", "Herbie's output", "spurious", "`harness fix`", "spurious")  # fmt: skip
    return f"""\
# Beside ulpwise and Herbie's suite

Written by `benchmarks/beside_ulpwise.py`; times are of one run on shared cores. {versions}.

## ulpwise

ulpwise {VERSION} surveys functions at {POINTS} points, spaced by the logarithm over a range that it has for each, and at
named edge values, against mpmath at 200 bits; the harness visits every input of 16-bit formats, and of float32 and
float64 its standard grid, a sample of every cell with critical points (so its figure there is a lower bound, ≥). Both
call the same function of the same library on the CPU. The first five columns of figures are ulpwise's (`survey`, its
default), then the harness's (`harness.check`, all it does, with the cures that it looks up and the process that it
starts). Of {len(found)} pairs, in {len(missed)} an error at least {MISSED:g} times as large as ulpwise's maximum lies elsewhere:
{between} times between its points, {len(missed) - between} times outside its range; in {len(more)} ulpwise's maximum is that much larger
than the harness's. In all ulpwise took {theirs:.0f} s, the harness {ours:.0f} s. The two measure in nearly the same unit: ulpwise takes the
spacing at the rounded exact value, the harness the ulp at the unrounded one; a non-finite result that should be finite is
counted apart by both. ulpwise surveys {n_functions()} functions and no loss; it has no gradients and no worst inputs.

{table(heads, [p.cells() for p in found])}
## Herbie's suite

Herbie rewrites expressions for a small mean error in bits over sampled inputs of float64. Its suite ({HERBIE}) has
{len(SUITE)} expressions that are a problem of this harness, by themselves or at one value of a parameter. For some the suite gives a
better form (`:alt`), its authors'; of some a report of Herbie's nightly runs was found and read, and what Herbie made of
the expression there is compared, rewritten in NumPy: reports are of different years, and another run may give another
form. Herbie itself was not run here; an empty cell says that no form was given or no report read. Figures are the largest
errors over the usual range that `harness.check` finds on the standard grid, over all targets, and counts of NaN,
infinities, zeros and wrong signs over all inputs. A mean of 0.0 bits, which Herbie reports of the second one's output, is
no bound on the largest error.

{table(suite_heads, suite)}"""


def n_functions() -> int:
    """Return how many functions ulpwise surveys."""
    from ulpwise import survey

    return len(survey.REGISTRY)


def main() -> int:
    """Measure, and write the page."""
    try:
        installed = importlib.metadata.version("ulpwise")
    except importlib.metadata.PackageNotFoundError:
        installed = "none"
    if installed != VERSION:
        print(
            f"ulpwise {VERSION} is compared and {installed} is installed: pip install ulpwise=={VERSION}",
            file=sys.stderr,
        )
        return 2
    suite = list(suite_cells())
    found = list(pairs())
    PAGE.write_text(page(found, suite), encoding="utf-8")
    return 0


if __name__ == "__main__":
    format_named("float32")  # the harness before the libraries: it chooses NumPy's loops
    sys.exit(main())
