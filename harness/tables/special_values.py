"""The table of special values: what every kernel makes of infinities, NaN, zeros and the domain's ends.

These are the inputs that a sweep's maxima say nothing about, and that reach losses from masks and overflows.
The expected value is the exact one rounded into the format; at an infinite input it is the limit,
which the problem's own terms take on there (their zero weights drop out).  Outcomes:
    ok        the expected value, or within the budget of it where it is an ordinary number
    inexact   an ordinary number beyond the budget
    nan       NaN, and a number is expected
    inf       infinite, and a finite number is expected
    zero      0, and another number is expected
    sign      of the other sign than expected, or negative where the problem cannot be
    finite    finite, and infinity is expected
    number    a number, and NaN is expected, since NaN went in
    outside   the input lies outside the domain: nothing is expected
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pandas as pd
from mpmath import mp

from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import FORMATS, Format
from harness.problems import PROBLEMS, Problem
from harness.sweep.streaming import BUDGET
from harness.tables import templates, writer
from harness.tables.rows import Row
from harness.truth.arb import cited, oracle
from harness.truth.certified import enclose, error_in_ulp, round_to

COLUMNS = ("problem", "kernel", "format", "input", "input_value", "target", "computed", "expected", "outcome")
OUTCOMES = ("ok", "inexact", "nan", "inf", "zero", "sign", "finite", "number", "outside")
NAMES = ("float16", "bfloat16", "float32", "float64")
TARGETS = (0.0, 0.5, 1.0)
TITLE = "Special values: infinities, NaN, zeros and the ends of domains"
PAGE = Path(__file__).with_name("special_values.md.j2")


@dataclass(frozen=True)
class SpecialPoint:
    """Hold a special input with its target and what is expected there, exact and rounded; None outside the domain."""

    name: str
    value: Any
    target: Any
    exact: mpmath.mpf | None
    expected: Any


def inputs_of(problem: Problem, fmt: Format) -> dict[str, float]:
    """Return the special inputs of a problem by name: the same for all, then its domain's finite ends."""
    found = {"-inf": -math.inf, "+inf": math.inf, "NaN": math.nan, "-0": -0.0, "+0": 0.0}
    if problem.input == "probability":
        least, below_1 = fmt.smallest_subnormal, fmt.next_down(1.0)
        found |= {"smallest subnormal": least, "largest below 1": below_1, "1": 1.0}
    if problem.domain[0] not in (-math.inf, 0.0):
        found |= {f"{problem.domain[0]:g}": problem.domain[0]}
    return found


def points_of(problem: Problem, fmt: Format) -> list[SpecialPoint]:
    """Return every special input and target of a problem with the value that is expected there."""
    targets = np.array(TARGETS).astype(fmt.dtype) if problem.has_target else [None]
    found = []
    for name, v in inputs_of(problem, fmt).items():
        value = np.asarray(v).astype(fmt.dtype)[()]
        for target in targets:
            exact, expected = expected_at(problem, fmt, v, target)
            found.append(SpecialPoint(name, value, target, exact, expected))
    return found


def expected_at(problem: Problem, fmt: Format, value: float, target: Any) -> tuple[mpmath.mpf | None, Any]:
    """Return the exact value, or limit, and its rounding; NaN for NaN, None outside the domain."""
    if math.isnan(value):
        return mp.nan, np.asarray(math.nan).astype(fmt.dtype)[()]
    if not problem.domain[0] <= value <= problem.domain[1]:
        return None, None
    point = tuple(mp.mpf(float(v)) for v in (value, target) if v is not None)
    if math.isinf(value):
        limit = enclose(problem, point, bits=128).value
        return limit, fmt.round(limit)
    exact = cited(problem, point)
    return exact, round_to(problem, fmt, point)


def outcome(problem: Problem, fmt: Format, point: SpecialPoint, computed: float) -> str:
    """Return what became of one evaluation, as the module describes it."""
    if point.expected is None or point.exact is None:
        return "outside"
    expected = float(point.expected)
    if computed == expected or (math.isnan(expected) and math.isnan(computed)):
        return "ok"
    if math.isnan(expected):
        return "number"
    if math.isnan(computed):
        return "nan"
    if computed * expected < 0 or (expected == 0 and computed < 0 and problem.nonnegative):
        return "sign"
    if math.isinf(expected):
        return "finite"
    if math.isinf(computed):
        return "inf"
    if computed == 0:
        return "zero"
    return "ok" if error_in_ulp(fmt, computed, point.exact) <= BUDGET else "inexact"


def rows_of(problem: Problem, kernel: Kernel, fmt: Format, points: Sequence[SpecialPoint]) -> list[Row]:
    """Run one kernel on special points and return a row for each."""
    inputs = [np.array([[p.value for p in points]], dtype=fmt.dtype)]
    if problem.has_target:
        inputs.append(np.array([[p.target for p in points]], dtype=fmt.dtype))
    with np.errstate(all="ignore"):
        computed = np.broadcast_to(kernel(*inputs), inputs[0].shape)[0]
    return [
        {
            "problem": problem.name, "kernel": kernel.name, "format": fmt.name,
            "input": p.name, "input_value": fmt.hex(p.value),
            "target": "" if p.target is None else f"{float(p.target):g}",
            "computed": fmt.hex(v), "expected": "" if p.expected is None else fmt.hex(p.expected),
            "outcome": outcome(problem, fmt, p, float(v)),
        }
        for p, v in zip(points, computed, strict=True)
    ]  # fmt: skip


def rows() -> list[Row]:
    """Return the rows of every kernel of every problem, formats one after the other."""
    found: list[Row] = []
    for problem in PROBLEMS.values():
        points = {name: points_of(problem, FORMATS[name]) for name in NAMES}
        for kernel in kernels_of(problem.name):
            for name in NAMES:
                found += rows_of(problem, kernel, FORMATS[name], points[name])
    return found


def special_values_job(out: Path) -> None:
    """Write the table, OUT.csv, .md, .tex and .json."""
    found = rows()
    read = unexpected(found)
    page = templates.render(
        PAGE, title=TITLE, budget=f"{BUDGET:g}",
        counted=writer.bare_markdown(counted(found)), unexpected=writer.bare_markdown(read),
    )  # fmt: skip
    writer.write(
        out.with_suffix(""), found, COLUMNS, read, TITLE,
        markdown=page, extra={"oracle": oracle()},
    )  # fmt: skip


def counted(found: Sequence[Row]) -> pd.DataFrame:
    """Return how often each outcome occurs, problem by problem."""
    tally = Counter((r["problem"], r["outcome"]) for r in found)
    problems = dict.fromkeys(r["problem"] for r in found)
    return pd.DataFrame([{"problem": p, **{o: str(tally[p, o]) for o in OUTCOMES}} for p in problems])


def unexpected(found: Sequence[Row]) -> pd.DataFrame:
    """Return what is not as expected: one line for each outcome of a kernel, with all its inputs."""
    groups: dict[tuple, list[Row]] = {}
    for r in found:
        if r["outcome"] not in ("ok", "outside"):
            groups.setdefault((r["problem"], r["kernel"], r["outcome"]), []).append(r)
    lines = [(*key, _where(members)) for key, members in groups.items()]
    return pd.DataFrame(lines, columns=["problem", "kernel", "outcome", "where"])


def _where(members: Sequence[Row]) -> str:
    """Write inputs, targets and formats, inputs together that fail alike."""
    formats: dict[tuple, list[str]] = {}
    for r in members:
        formats.setdefault((r["input"], r["target"]), []).append(str(r["format"]))
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for name, _ in formats):
        targets: dict[str, list[str]] = {}
        for (_, target), where in ((k, v) for k, v in formats.items() if k[0] == name):
            only = "" if len(where) == len(NAMES) else f" in {', '.join(where)}"
            targets.setdefault(only, []).append(target)
        said = [(f"y = {', '.join(t)}" if t[0] else "") + only for only, t in targets.items()]
        alike.setdefault("; ".join(s.strip() for s in said), []).append(name)
    return ". ".join(f"{', '.join(names)}{': ' if said else ''}{said}" for said, names in alike.items())
