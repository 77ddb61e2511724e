"""The table of special values: what every kernel makes of infinities, NaN, zeros and the domain's ends.

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
from harness.tables import writer
from harness.tables.rows import Row
from harness.truth.arb import cited, oracle
from harness.truth.certified import enclose, error_in_ulp, round_to
from harness.workflow import files

COLUMNS = ("problem", "kernel", "format", "input", "input_value", "target", "computed", "expected", "outcome")
OUTCOMES = ("ok", "inexact", "nan", "inf", "zero", "sign", "finite", "number", "outside")
NAMES = ("float16", "bfloat16", "float32", "float64")
TARGETS = (0.0, 0.5, 1.0)
TITLE = "Special values: infinities, NaN, zeros and the ends of domains"
NOTE = f"""\
Only what is not as expected; the CSV holds every case. The expected value is the limit at an infinite input
and the exact value, rounded, elsewhere. **nan**, **inf**, **zero**, **sign**: the kernel gives that instead;
**finite**: a finite number where the value is infinite; **number**: a NaN goes in and a number comes out;
**inexact**: over {BUDGET:g} ulp; **outside**: outside the domain, where nothing is expected. Where no format
is named, it is so in all of them.
"""


@dataclass(frozen=True)
class Case:
    """Hold an input, its name and what is expected there, exact and rounded; None outside the domain."""

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


def cases_of(problem: Problem, fmt: Format) -> list[Case]:
    """Return every special input and target of a problem with the value that is expected there."""
    targets = np.array(TARGETS).astype(fmt.dtype) if problem.has_target else [None]
    found = []
    for name, v in inputs_of(problem, fmt).items():
        value = np.asarray(v).astype(fmt.dtype)[()]
        for target in targets:
            exact, expected = _expected(problem, fmt, v, target)
            found.append(Case(name, value, target, exact, expected))
    return found


def _expected(problem: Problem, fmt: Format, value: float, target: Any) -> tuple[mpmath.mpf | None, Any]:
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


def outcome(problem: Problem, fmt: Format, case: Case, computed: float) -> str:
    """Return what became of one evaluation, as the module describes it."""
    if case.expected is None or case.exact is None:
        return "outside"
    expected = float(case.expected)
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
    return "ok" if error_in_ulp(fmt, computed, case.exact) <= BUDGET else "inexact"


def rows_of(problem: Problem, kernel: Kernel, fmt: Format, cases: Sequence[Case]) -> list[Row]:
    """Run one kernel on all cases and return a row for each."""
    inputs = [np.array([[c.value for c in cases]], dtype=fmt.dtype)]
    if problem.has_target:
        inputs.append(np.array([[c.target for c in cases]], dtype=fmt.dtype))
    with np.errstate(all="ignore"):
        computed = np.broadcast_to(kernel(*inputs), inputs[0].shape)[0]
    return [
        {
            "problem": problem.name, "kernel": kernel.name, "format": fmt.name,
            "input": c.name, "input_value": fmt.hex(c.value),
            "target": "" if c.target is None else f"{float(c.target):g}",
            "computed": fmt.hex(v), "expected": "" if c.expected is None else fmt.hex(c.expected),
            "outcome": outcome(problem, fmt, c, float(v)),
        }
        for c, v in zip(cases, computed, strict=True)
    ]  # fmt: skip


def rows() -> list[Row]:
    """Return the rows of every kernel of every problem, formats one after the other."""
    found: list[Row] = []
    for problem in PROBLEMS.values():
        cases = {name: cases_of(problem, FORMATS[name]) for name in NAMES}
        for kernel in kernels_of(problem.name):
            for name in NAMES:
                found += rows_of(problem, kernel, FORMATS[name], cases[name])
    return found


def write(out: Path) -> None:
    """Write the table, OUT.csv, .md, .tex and .json."""
    base, found = out.with_suffix(""), rows()
    frame = readable(found)
    files.write_text(base.with_suffix(".csv"), writer.to_csv(found, COLUMNS))
    parts = [f"# {TITLE}\n\n{NOTE}", writer.bare_markdown(counted(found)), writer.bare_markdown(frame)]
    files.write_text(base.with_suffix(".md"), "\n".join(parts))
    files.write_text(base.with_suffix(".tex"), writer.to_latex(frame, TITLE, base.name, "lllp{10cm}"))
    writer.write_sidecar(base, len(found), {"oracle": oracle()})


def counted(found: Sequence[Row]) -> pd.DataFrame:
    """Return how often each outcome occurs, problem by problem."""
    tally = Counter((r["problem"], r["outcome"]) for r in found)
    problems = dict.fromkeys(r["problem"] for r in found)
    return pd.DataFrame([{"problem": p, **{o: str(tally[p, o]) for o in OUTCOMES}} for p in problems])


def readable(found: Sequence[Row]) -> pd.DataFrame:
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
