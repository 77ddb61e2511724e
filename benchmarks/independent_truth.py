"""Reference values against an independent truth: Arb's balls, which hold every rounding by proof.

    PYTHONPATH=. python benchmarks/independent_truth.py              10^6 values of each problem: under half an hour
    PYTHONPATH=. python benchmarks/independent_truth.py --values N   of N values
    PYTHONPATH=. python benchmarks/independent_truth.py --write      and the table into docs/robustness.md

Of each problem half of the values are of inputs of float32, held in float64, half of float64, held in quad: the first
and the last of every cell, so both tails, and others drawn in each.  Each must lie within its tier's stated bound of
the ball that Arb gives in 192 bits or more from another form of the problem (harness/truth/arb.py); every hundredth is
also computed in mpmath, to 2^-160, and confirmed to 2^-159.  Exit status 1 where one does not.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import harness  # noqa: F401  before NumPy, whose loops it chooses
import numpy as np
from flint import arb, ctx
from mpmath import mp

from harness.numbers.formats import FORMATS, Format
from harness.numbers.wide import FLOAT64, huge, quad_fields, tiny, wide_dtype, widened
from harness.problems import PROBLEMS, WEIGHTED, Problem, Weights, problem_named
from harness.sweep.grid import Grid
from harness.truth.arb import FORMS, WEIGHTED_FORMS, OracleDisagreement, confirm, form_of
from harness.truth.arb import _fraction as fraction
from harness.truth.certified import truth
from harness.truth.fast import bound
from harness.workflow.targets import STANDARD_TARGETS, targets_in

ROOT = Path(__file__).parent.parent
TIERS = {"float32": "float64", "float64": "quad"}
BITS, MOST_BITS = 192, 1 << 16
CITED = 100  # of so many values one is computed in mpmath too
EXAMPLES = {"pos": 3, "weight": "0.7", "alpha": "0.25", "gamma": "1.5", "smoothing": "0.1"}
SEED = 1


@dataclass
class Compared:
    """Hold what a tier's values of one problem showed: how many, the worst (log2), its bound, and what disagreed."""

    problem: str
    fmt: str
    values: int
    worst: float
    bound: float
    cited: int
    wrong: list[str]


def compared(task: tuple[str, str, int]) -> Compared:
    """Compare values of one problem in one tier."""
    name, format_name, count = task
    problem, fmt = problem_named(name), FORMATS[format_name]
    columns = inputs(problem, fmt, count)
    wide = wide_dtype(fmt)
    values = fast_values(problem, columns, wide)
    stated, worst, wrong = bound(fmt, problem), 0.0, []
    points = zip(*(c.astype(float).tolist() for c in columns))
    for value, point in zip(values.tolist() if wide == FLOAT64 else values, map(list, points)):
        error = off(problem, point, value, wide)
        worst = max(worst, error)
        if not error <= stated:
            wrong.append(
                f"{name} in {format_name} at {point}: off by 2^{math.log2(error):.1f}"
                if error
                else f"{name} at {point}"
            )
    cited = range(0, len(values), CITED)
    wrong += [text for i in cited if (text := unconfirmed(problem, [float(c[i]) for c in columns]))]
    return Compared(name, format_name, len(values), worst, stated, len(cited), wrong)


def fast_values(problem: Problem, columns: list[np.ndarray], wide: np.dtype) -> np.ndarray:
    """Return what the tier gives: a target at a time, as in sweeps, since what a target costs is paid once for all."""
    x, *targets = columns
    values = np.empty(len(x), wide)
    for y in np.unique(targets[0]) if targets else [None]:
        here = slice(None) if y is None else targets[0] == y
        given = [widened(x[here][None, :], wide), *([] if y is None else [widened(np.array([[y]]), wide)])]
        with np.errstate(all="ignore"):
            values[here] = problem.fast(*given)[0]
    return values


def inputs(problem: Problem, fmt: Format, count: int) -> list[np.ndarray]:
    """Return inputs, and targets by turns: the first and last of every cell and others drawn, about `count` in all."""
    grid, width = Grid("quick", problem, fmt), 1 << fmt.cell_shift
    low = np.maximum(grid.cells * width, grid.start)
    last = np.minimum((grid.cells + 1) * width, grid.stop) - 1
    drawn = np.random.default_rng(SEED).random((len(grid.cells), max(2, -(-count // len(grid.cells)))))
    ordinals = low[:, None] + (drawn * (last - low + 1)[:, None]).astype(np.int64)
    ordinals = np.minimum(ordinals, last[:, None])
    ordinals[:, 0], ordinals[:, 1] = low, last
    x = fmt.from_ordinal(np.unique(np.concatenate([ordinals.ravel(), grid.critical_ordinals])))
    if not problem.has_target:
        return [x]
    targets = targets_in(fmt, problem.targets or STANDARD_TARGETS, problem.target_domain)
    return [x, targets[np.arange(len(x)) % len(targets)]]


def off(problem: Problem, point: list[float], value: object, wide: np.dtype) -> float:
    """Return a value's relative error by Arb, an upper end of it; infinite where it is beyond what stands for it."""
    bits, form, held = BITS, form_of(problem), in_arb(value)
    while bits <= MOST_BITS:
        with ctx.workprec(bits):
            error = distance(form(*map(arb, point)), held, wide)  # type: ignore[misc]
        if error is not None:
            return error
        bits *= 4
    return math.inf


def in_arb(value: object) -> arb:
    """Return a number of a wide format as a ball without a radius."""
    if isinstance(value, float) or not np.isfinite(value):
        return arb(float(value))
    sign, exponent, significand = quad_fields(np.asarray(value))
    return arb((-significand if sign else significand, exponent))


@cache
def stand_ins(wide: np.dtype) -> tuple[arb, arb]:
    """Return what stands for values too small and too large to matter."""
    least, most = tiny(wide), huge(wide)
    return (in_arb(float(least)), in_arb(float(most))) if wide == FLOAT64 else (in_arb(least), in_arb(most))


def distance(found: arb, held: arb, wide: np.dtype) -> float | None:
    """Return the upper end of |held - found| / |found|; None where the ball is too wide to tell."""
    least, most = stand_ins(wide)
    if not held.is_finite():
        return 0.0 if not found.is_finite() else math.inf
    if held == 0:
        return 0.0 if found == 0 else None if found.contains(0) else math.inf
    if not found.is_finite() or found.contains(0):
        return None
    for end, beyond in ((least, abs(found) <= least), (most, abs(found) >= most)):
        if abs(held) == end:
            return 0.0 if beyond else math.inf
    error = float((abs(held - found) / abs(found)).upper())
    return error if float(found.rel_accuracy_bits()) > 130 else None


def unconfirmed(problem: Problem, point: list[float]) -> str:
    """Compute a value in mpmath and let Arb confirm it; return what it says where it does not."""
    exact = tuple(map(mp.mpf, point))
    try:
        confirm(problem, [fraction(v) for v in exact], truth(problem, exact))
    except OracleDisagreement as e:
        return str(e)
    return ""


def names() -> list[str]:
    """Return the problems that have a form in Arb: the plain ones, and one with weights of each family."""
    weighted = [
        problem_named(base, Weights(**{w: EXAMPLES[w] for w in WEIGHTED[base].takes})).name
        for base in WEIGHTED_FORMS
        if base in WEIGHTED
    ]
    return [name for name in FORMS if name in PROBLEMS] + weighted


def main() -> int:
    """Compare all problems, two at a time; print each, then the count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=10**6, help="of each problem")
    parser.add_argument("--problem", action="append", help="only this; repeat for several")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write the table into docs/robustness.md")
    asked = parser.parse_args()
    began, rows, wrong = time.monotonic(), [], []
    # A little more than half, as some draws of small cells are alike.
    tasks = [(name, fmt, asked.values * 21 // 40) for name in asked.problem or names() for fmt in TIERS]
    with get_context("spawn").Pool(asked.processes) as pool:
        for found in pool.imap(compared, tasks):
            wrong += found.wrong
            worst = f"2^{math.log2(found.worst):.1f}" if found.worst else "0"
            tier = f"{TIERS[found.fmt]}, of {found.fmt}"
            counts = (
                f"{found.values:,}",
                worst,
                f"2^{math.log2(found.bound):.0f}",
                f"{found.cited:,}",
                str(len(found.wrong)),
            )
            rows.append((f"`{found.problem}`", tier, *counts))
            print(*rows[-1], *found.wrong[:3], sep=" | ", flush=True)
    minutes = (time.monotonic() - began) / 60
    total = sum(int(row[2].replace(",", "")) for row in rows)
    print(f"{total:,} values, {len(wrong)} disagree, {minutes:.1f} minutes")
    if asked.write:
        from generated import put_between, table

        headings = ("problem", "tier", "values", "worst relative error", "stated bound", "also in mpmath", "disagree")
        text = f"{total:,} values, {len(wrong)} disagree.\n\n" + table(headings, rows)
        put_between(ROOT / "docs" / "robustness.md", "benchmarks/independent_truth.py", text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
