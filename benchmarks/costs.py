"""Time every known form, kernels and calls of libraries, and write results/tables/costs.csv, from which `harness recommend` reads.

    python benchmarks/costs.py [--results results]

The forms of one problem and format take turns on the same inputs, and the least of many times is each one's: another
process only ever adds time.  `ratio` is to the cheapest of them.  Libraries are timed where they are installed, their
call as a user makes it, with the arrays turned into theirs; their threads are held to one, as NumPy has one.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import Format, format_named
from harness.problems import PROBLEMS, Problem, gradient_of, problem_named
from harness.recommend.costs import COLUMNS, TABLE, TIMED_WEIGHTS
from harness.recommend.known import PLAIN_MODES
from harness.systems.registry import Unavailable, library_named, systems_of
from harness.systems.run.worker import version_of
from harness.tables import views, writer
from harness.tables.text import short

import numpy as np

FORMATS = ("float16", "bfloat16", "float32", "float64")
LIBRARIES = ("torch", "tensorflow", "jax", "optax", "sklearn", "scipy")
POINTS = 16384  # small enough for the cache, large enough to hide what a call costs
TURNS = 25
Timed = tuple[str, str, Callable[..., object]]  # name, version, call
TITLE = "Cost of every known form"
NOTE = (
    f"Nanoseconds an element of {POINTS} numbers in a call, the least of {TURNS} turns; `cost` is to the cheapest form of "
    "the problem and format. Only costs of one problem and format compare."
)


def problems() -> list[Problem]:
    """Return the problems whose forms are timed: all of one input, and weighted losses at one choice of weights."""
    weighted = [problem_named(f"{base}@{text}") for base, text in TIMED_WEIGHTS.items()]
    slopes = [slope for loss in weighted if (slope := gradient_of(loss)) is not None]
    return [*PROBLEMS.values(), *weighted, *slopes]


def inputs(problem: Problem, fmt: Format) -> tuple[np.ndarray, ...]:
    """Return logits of N(0, 4²), or the probabilities that belong to them, with targets 0 and 1 where there are any."""
    draw = np.random.default_rng(0)
    x, y = 4 * draw.standard_normal(POINTS), draw.random(POINTS) < 0.5
    if problem.input == "probability":
        x = (1 / (1 + np.exp(-x))).clip(1e-3, 1 - 1e-3)
    elif problem.domain[0] >= 0:
        x = abs(x) + 1e-3
    elif problem.domain[1] <= 0:
        x = -abs(x) - 1e-3
    given = (x.astype(fmt.dtype), y.astype(fmt.dtype))
    return given if problem.has_target else given[:1]


def libraries() -> Iterator[tuple[str, Timed]]:
    """Yield the calls of installed libraries, each with its problem: those that a recommendation may name."""
    for name in LIBRARIES:
        library = library_named(name)
        for system in systems_of(name):
            if system.mode not in PLAIN_MODES or system.label_smoothing or not system.public:
                continue
            try:
                call = system.load()
                version = version_of(library.versions)
            except (Unavailable, ImportError):
                break
            yield system.problem, (f"{name}:{system.key}", version, call)


def timed(forms: list[Timed], given: tuple[np.ndarray, ...]) -> dict[str, float]:
    """Return the least seconds of each form's calls, made in turns; forms that do not take the format are left out."""
    least: dict[str, float] = {}
    left = list(forms)
    with np.errstate(all="ignore"):
        for _ in range(TURNS + 1):  # the first is not counted: it compiles, and fills the cache
            for form in list(left):
                began = time.perf_counter()
                try:
                    form[2](*given)
                except Exception:  # a library's own error
                    left.remove(form)
                    continue
                took = time.perf_counter() - began
                least[form[0]] = min(took, least.get(form[0], took)) if form[0] in least else float("inf")
    return {name: seconds for name, seconds in least.items() if np.isfinite(seconds)}


def main(results: Path) -> None:
    """Time all forms and write the table."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):  # libraries are imported below
        os.environ.setdefault(name, "1")
    calls: dict[str, list[Timed]] = {}
    for problem_name, call in libraries():
        calls.setdefault(problem_name, []).append(call)
    rows = []
    for problem in problems():
        kernels: list[Kernel] = kernels_of(problem.name)
        forms = [*((k.name, "", k) for k in kernels), *calls.get(problem.name, [])]
        for fmt in map(format_named, FORMATS):
            least = timed(forms, inputs(problem, fmt))
            cheapest = min(least.values(), default=1.0)
            for name, version, _ in forms:
                if name in least:
                    ns, ratio = f"{least[name] / POINTS * 1e9:.3g}", f"{least[name] / cheapest:.3g}"
                    rows.append(dict(zip(COLUMNS, (problem.name, name, fmt.name, ns, ratio, version), strict=True)))
        print(problem.name, flush=True)
    shown = views.shown(rows, [*views.plain("problem", "kernel", "format"), views.Column("ns", "ns", short), views.Column("cost", "ratio", short)])  # fmt: skip
    extra = {"cpu": cpu(), "points": POINTS, "turns": TURNS}
    writer.write(results / "tables" / f"{TABLE}.csv", rows, COLUMNS, shown, TITLE, note=NOTE, extra=extra)


def cpu() -> str:
    """Return what the system calls its processor; empty where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    main(parser.parse_args().results)
