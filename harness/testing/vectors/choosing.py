"""Choose golden vectors: the fewest inputs that kill all wrong forms, several times each.

Candidates are the inputs that the committed tables name, the worst of every kernel and library and those next to a safe
range or of a spurious outcome, with the problem's critical inputs, special values and a few ordinary ones.  A wrong form is
a kernel, a replica of a library's formula or a planted fault that fails at a candidate; a candidate at which the control
fails too, the kernel that fails at fewest, is left out, as it tells nothing apart.  Greedily the candidate is taken that
kills most of those forms that have not been killed often enough: first of those that tables name, then of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import Format
from harness.problems import Problem
from harness.sweep.grid import Grid
from harness.systems.registry import libraries, systems_of
from harness.systems.replicas import kernel_of
from harness.tables import lines
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.special_points import points_of
from harness.testing.vectors.planted import Function, planted_in
from harness.truth.fast import evaluate
from harness.workflow.targets import STANDARD_TARGETS, targets_in

Array = np.ndarray
# Tables whose inputs are candidates; those of a study over thousands of targets are not.
TABLES = (
    "logits", "gradients", "probabilities", "primitives", "relatives", "exhaustive_logits", "exhaustive_gradients",
    "exhaustive_probabilities", "exhaustive_primitives", "worst_float64", "worst_joint", "systems", "systems_exhaustive",
)  # fmt: skip
BUDGET = 4  # ulps of the rounded exact value
OFTEN = 8  # how many vectors kill a form at least, where so many can
ORDINARY = 48  # of the quick grid, in each format
SPECIAL, WORST, FIRST, CRITICAL, PLAIN = "special", "worst", "first", "critical", "ordinary"
Point = tuple[float, float | None]


@dataclass(frozen=True)
class CandidateInputs:
    """Hold candidates: inputs and targets (None: a problem without) of the format, what each is for, exact values rounded.

    `finite` tells where the input is a number in the domain: special values have their limits.
    """

    x: Array
    y: Array | None
    purposes: tuple[str, ...]
    expected: Array

    @property
    def inputs(self) -> tuple[Array, ...]:
        """Return the arguments of a function."""
        return (self.x,) if self.y is None else (self.x, self.y)


@dataclass(frozen=True)
class WrongForm:
    """Hold a form that vectors are to kill: its name, what kind it is (kernel, library or planted), and what is wrong."""

    name: str
    kind: str
    told: str
    function: Function


def failing(fmt: Format, computed: Array, expected: Array) -> Array:
    """Tell where results fail: beyond 4 ulp of the rounded exact value, 0 or of the other sign where that is not, not NaN with it.

    Both are arrays of the format; the rule is that of every runner.
    """
    c, e = computed.astype(np.float64), expected.astype(np.float64)
    with np.errstate(all="ignore"):
        same = (c == e) | (np.isnan(c) & np.isnan(e))
        near = np.isfinite(c) & np.isfinite(e) & (abs(c - e) <= BUDGET * ulps(fmt, e))
        return ~(same | (near & ((c != 0) | (e == 0)) & (np.sign(c) * np.sign(e) >= 0)))


def ulps(fmt: Format, values: Array) -> Array:
    """Return the ulp of each number of a format, float64; below the least normal number its ulp."""
    exponent = np.frexp(np.where(np.isfinite(values), values, 1))[1] - 1
    return np.ldexp(1.0, np.where(values == 0, fmt.emin, np.maximum(exponent, fmt.emin)) - (fmt.precision - 1))


def run(fmt: Format, function: Function, given: CandidateInputs) -> Array:
    """Return what a function makes of candidates, an array of the format."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(function(*given.inputs), given.x.shape)


# -- candidates -------------------------------------------------------------------------------------------


def candidates(problem: Problem, fmt: Format, tables: Path) -> CandidateInputs:
    """Return the candidates of a problem in a format, from the tables of a folder, each once, its first purpose kept."""
    found: dict[tuple[int, int], tuple[Point, str]] = {}

    def add(x: float, y: float | None, purpose: str) -> None:
        if problem.domain[0] == 0 and x == 0 and np.signbit(x):  # from which side a pole is met there, nothing says
            return
        values = np.array([x, 0 if y is None else y]).astype(fmt.dtype)
        at = fmt.ordinal(values)
        found.setdefault((int(at[0]), int(at[1])), ((float(values[0]), y), purpose))

    for point in points_of(problem, fmt):
        if point.expected is not None:
            add(float(point.value), None if point.target is None else float(point.target), SPECIAL)
    for x, y, purpose in named(problem, fmt, tables):
        add(x, y, purpose)
    for x, purpose in ordinary(problem, fmt):
        for y in [None] if not problem.has_target else targets_in(fmt, STANDARD_TARGETS):
            add(x, None if y is None else float(y), purpose)
    points, purposes = zip(*found.values())
    at = np.array([p[0] for p in points]).astype(fmt.dtype)
    targets = np.array([p[1] for p in points]).astype(fmt.dtype) if problem.has_target else None
    return CandidateInputs(at, targets, purposes, rounded(problem, fmt, at, targets))


def rounded(problem: Problem, fmt: Format, x: Array, y: Array | None) -> Array:
    """Return the exact values, correctly rounded; at infinities and NaN what is expected there."""
    inside = np.isfinite(x.astype(np.float64))
    values = [a[None, inside] for a in (x, y) if a is not None]
    result = np.full(x.shape, np.nan).astype(fmt.dtype)
    with np.errstate(all="ignore"):
        result[inside] = evaluate(problem, fmt, *values).rounded_working[0]
    special = {
        (float(p.value), None if p.target is None else float(p.target)): p.expected for p in points_of(problem, fmt)
    }
    for i in np.flatnonzero(~inside):
        key = float(x[i]), None if y is None else float(y[i])
        result[i] = next((v for (a, b), v in special.items() if (a == key[0] or (a != a and key[0] != key[0])) and b == key[1]), np.nan)  # fmt: skip
    return result


def named(problem: Problem, fmt: Format, tables: Path) -> list[tuple[float, float | None, str]]:
    """Return the inputs that tables name, with their targets and what for: the worst first."""
    worst, first = [], []
    for path in (tables / f"{name}.csv" for name in TABLES):
        for _, row in lines.read(path, {problem.name}, fmt.name) if path.is_file() else []:
            if row["format"] != fmt.name or row.get("label_smoothing") or (problem.has_target and not row["target"]):
                continue
            y = float(fmt.parse(row["target"])) if problem.has_target else None
            whose = f"{row['kernel']}, {path.stem}.csv"
            worst += [(x, y, f"{WORST}: {whose}") for x in _inputs(fmt, row, ("max_ulp_input", "usual_max_ulp_input"))]
            beside = [(row.get("safe_lo", ""), -1), (row.get("safe_hi", ""), 1)]
            edges = [float(fmt.step(np.array([fmt.parse(text)]), step)[0]) for text, step in beside if text]
            start = _inputs(fmt, row, OUTCOME_INPUTS.values())
            lo, hi = problem.domain
            first += [(x, y, f"{FIRST}: {whose}") for x in (*start, *edges) if np.isfinite(x) and lo <= x <= hi]
    return [*worst, *first]


def _inputs(fmt: Format, row: Mapping[str, str], columns: Iterable[str]) -> list[float]:
    return [float(fmt.parse(row[c])) for c in columns if row.get(c)]


def ordinary(problem: Problem, fmt: Format) -> list[tuple[float, str]]:
    """Return the critical inputs with their neighbours, and some of the quick grid, spread over usual sizes."""
    grid = Grid("quick", problem, fmt)
    critical = {float(fmt.round(v)) for v in problem.critical_points(fmt)}
    at = fmt.ordinal(np.array(sorted(v for v in critical if np.isfinite(v))).astype(fmt.dtype))
    around = np.unique((at[:, None] + np.arange(-1, 2)).ravel())
    around = around[(around >= grid.start) & (around < grid.stop)]
    spread = np.geomspace(2.0**-12, 40, ORDINARY)
    if problem.input == "probability":
        spread = np.concatenate([np.geomspace(2.0**-12, 0.5, ORDINARY), 1 - np.geomspace(2.0**-8, 0.5, ORDINARY)])
    elif problem.domain[0] < 0:
        spread = np.concatenate([-spread, spread])
    return [*((float(v), CRITICAL) for v in fmt.from_ordinal(around)), *((float(v), PLAIN) for v in spread)]


# -- wrong forms --------------------------------------------------------------------------------------------


def control(problem: Problem, fmt: Format, given: CandidateInputs) -> Kernel:
    """Return the kernel that fails at fewest candidates of the targets 0 and 1, then at fewest of all, of equals the first."""
    hard = np.ones(given.x.shape, bool) if given.y is None else (given.y == 0) | (given.y == 1)

    def failures(k: Kernel) -> tuple[int, int]:
        fails = failing(fmt, run(fmt, k, given), given.expected)
        return int(fails[hard].sum()), int(fails.sum())

    return min(kernels_of(problem.name), key=failures)


def forms(problem: Problem, fmt: Format, right: Kernel) -> list[WrongForm]:
    """Return all forms that may be wrong: kernels but the control, replicas of libraries, and what is planted in the control."""
    found = [WrongForm(k.name, "kernel", k.notes, k) for k in kernels_of(problem.name) if k is not right]
    names: set[str] = set()
    for library in libraries():
        for system in systems_of(library.name):
            plain = not system.label_smoothing and fmt.name in system.formats and not system.mode.startswith("model")
            name = f"{library.name}: {system.name}"
            if system.problem != problem.name or not plain or name in names or system.replica == right.name:
                continue
            names.add(name)
            replica = kernel_of(system)
            found.append(WrongForm(name, "library", f"its documented formula, {system.replica}", replica))
    planted = (WrongForm(f.name, "planted", f.told, f.make(right, problem, fmt)) for f in planted_in(problem))
    return [*found, *planted]


# -- cover --------------------------------------------------------------------------------------------------


def cover(kills: Array, order: Sequence[int], often: int = OFTEN, taken: Sequence[int] = ()) -> list[int]:
    """Return columns of a truth table, forms × candidates, such that each row has `often` of its true ones, or all, in `order`.

    Greedily the column is taken that helps most rows; of equals the first in `order`.  Those `taken` already count.
    """
    had = kills[:, list(taken)].sum(axis=1)
    needed = np.maximum(np.minimum(had + kills[:, list(order)].sum(axis=1), often) - had, 0)
    chosen: list[int] = []
    left = kills[:, list(order)].copy()
    while needed.any():
        help_ = left[needed > 0].sum(axis=0)
        best = int(help_.argmax())
        chosen.append(order[best])
        needed = np.maximum(needed - left[:, best], 0)
        left[:, best] = False
    return chosen
