"""What the page says of each formula: its card in every format, and the rows that stand behind it.

Verdicts, safe ranges, failures and alternatives are the atlas's; largest errors the strongest that the tables know.
What fails first is the input next to the safe range, and the nearest NaN, infinity, 0 or wrong sign: at each the kernel
is run and the exact value certified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import latex2mathml.converter
import numpy as np
from mpmath import mp

from harness.kernels import kernel_named
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, antiderivative_of, gradient_of, problem_named
from harness.report import wording
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.streaming import BUDGET
from harness.tables import writer
from harness.tables.atlas.entries import judged, signs
from harness.tables.atlas.phrases import Phrases
from harness.tables.atlas.spoken import weakest
from harness.tables.basis import EVERY_INPUT
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.strongest import Known, Maximum, TableRow
from harness.tables.text import OUTCOME_LABELS
from harness.tables.usual import usual_range
from harness.truth.certified import error_in_ulp, significant

Facts = dict[str, Any]
NEEDED = ("problem", "kernel", "format", "verdict", "failure", "use_instead")  # of the atlas
HARD = ("", "0", "1")


def cards(atlas: Path, known: Known) -> list[Facts]:
    """Return a card for each problem and kernel of the atlas, in its order, with what it says in each format."""
    found: dict[tuple[str, str], Facts] = {}
    for i, row in enumerate(writer.read(atlas, NEEDED).to_dict("records")):
        cells = {str(k): str(v) for k, v in row.items()}
        key = cells["problem"], cells["kernel"]
        card = found.setdefault(key, _described(*key))
        card["formats"][cells["format"]] = {**in_format(cells, known), "line": i + 2}
    return list(found.values())


def _described(problem_name: str, kernel_name: str) -> Facts:
    """Return what is told of a kernel whatever the format: what it takes, its formula as MathML, its source."""
    problem, kernel = problem_named(problem_name), kernel_named(problem_name, kernel_name)
    return {
        "key": f"{problem_name}/{kernel_name}",
        "kind": "formula",
        "name": kernel_name,
        "problem": problem_name,
        "input": problem.input,
        "gradient": antiderivative_of(problem) is not None,
        "formula": _mathml(kernel.formula),
        "source": kernel.source,
        "notes": kernel.notes,
        "formats": {},
    }


def _mathml(formula: str) -> str:
    """Convert a formula in LaTeX to MathML; empty for one that is no formula but words."""
    if "\\" not in formula and "^" not in formula:
        return ""
    return latex2mathml.converter.convert(formula.replace(r"\ ", r"\;"))


def in_format(cells: dict[str, str], known: Known) -> Facts:
    """Return what the card says in one format, from a row of the atlas and the strongest figures."""
    problem, fmt = problem_named(cells["problem"]), format_named(cells["format"])
    rows = rows_of(known, problem, cells["kernel"], fmt)
    slope = gradient_of(problem)
    halves = [("loss" if slope else "", problem), *([("gradient", slope)] if slope else [])]
    return {
        "verdict": cells["verdict"],
        "judged": judged(cells),
        "safe": safe_text(cells),
        "basis": cells["safe_basis_hard"],
        "firsts": [f for name, q in halves for f in first_failures(known, q, cells["kernel"], fmt, name)],
        "usual": _halved(halves, lambda q: usual_error(known, q, cells["kernel"], fmt)),
        "largest": _halved(halves, lambda q: largest_error(known, q, cells["kernel"], fmt)),
        "clauses": [c for c in signs(cells["failure"]).split(". ") if c],
        "instead": cells["use_instead"],
        "reason": next((r.cells.get("reason", "") for r in rows if r.cells.get("reason")), ""),
        "rows": sources(rows),
        "id": wording.identifier(cells),
    }


def _halved(halves: Sequence[tuple[str, Problem]], figure: Callable[[Problem], Facts | None]) -> list[Facts]:
    """Return a figure of a loss and of its gradient, or of a function alone; those that no table has are left out."""
    found = [(name, figure(problem)) for name, problem in halves]
    return [{"half": name, **facts} for name, facts in found if facts]


def safe_text(cells: dict[str, str]) -> str:
    """Write the safe range of a row of the atlas for hard targets as the atlas does, ⊆ before an outer bound."""
    problem, fmt = problem_named(cells["problem"]), format_named(cells["format"])
    phrases = Phrases(problem, fmt, [_case(problem, cells["kernel"], fmt, "0" if problem.has_target else "")])
    text = phrases.range(cells["safe_lo_hard"], cells["safe_hi_hard"], cells["safe_basis_hard"] == EVERY_INPUT)
    return signs(text)


def rows_of(known: Known, problem: Problem, kernel: str, fmt: Format) -> list[TableRow]:
    """Return all rows of a kernel in a format at hard targets, those of the largest errors first."""
    rows = [r for t in HARD for r in known.rows.get((problem.name, kernel, fmt.name, t), [])]
    return sorted(rows, key=lambda r: -r.max_ulp if r.max_basis else 0)


def sources(rows: Iterable[TableRow]) -> list[list[str]]:
    """Return where rows stand: table, line, target, basis and identifier of each."""
    return [
        [r.table, str(r.line), r.cells["target"], r.max_basis, wording.identifier(r.cells)]
        for r in sorted(rows, key=lambda r: (r.table, r.line))
    ]


def usual_error(known: Known, problem: Problem, kernel: str, fmt: Format) -> Facts | None:
    """Return the largest error of the usual range over hard targets, with its input; None where no table has one.

    Where every input was visited and the largest error of all lies in the usual range, it is that; else it is the
    largest that a table with a column for it has.
    """
    found: dict[str, Maximum] = {}
    for target in HARD:
        top = known.figures(problem.name, kernel, fmt.name, target).maximum
        rows = [r for r in known.rows.get((problem.name, kernel, fmt.name, target), []) if r.cells.get("usual_max_ulp")]
        if top is not None and top.basis == EVERY_INPUT and _is_usual(problem, fmt, top):
            found[target] = top
        elif rows:
            r = max(rows, key=lambda r: (r.max_basis == EVERY_INPUT, Decimal(r.cells["usual_max_ulp"])))
            x = r.cells["usual_max_ulp_input"]
            found[target] = Maximum(r.cells["usual_max_ulp"], x, "", "", r.max_basis, r.table)
    return _over_targets(found, known, problem, kernel, fmt)


def _is_usual(problem: Problem, fmt: Format, top: Maximum) -> bool:
    """Tell whether a largest error's input is in the usual range and its exact value a normal number."""
    first, last = usual_range(problem, fmt)
    at = int(fmt.ordinal(np.array([fmt.parse(top.input)]))[0])
    size = abs(mp.mpf(top.exact))
    return first <= at <= last and mp.mpf(fmt.min_normal) <= size <= mp.mpf(fmt.max)


def largest_error(known: Known, problem: Problem, kernel: str, fmt: Format) -> Facts | None:
    """Return the largest error known over hard targets, the strongest of each target, with its input."""
    figures = {t: known.figures(problem.name, kernel, fmt.name, t).maximum for t in HARD}
    return _over_targets({t: m for t, m in figures.items() if m is not None}, known, problem, kernel, fmt)


def _over_targets(found: dict[str, Maximum], known: Known, problem: Problem, kernel: str, fmt: Format) -> Facts | None:
    """Return the largest of several targets' maxima; its basis is the weakest, but for targets that are known to stay below."""
    if not found:
        return None
    target = max(found, key=lambda t: Decimal(found[t].ulp))
    top = found[target]
    bounded = {t: known.figures(problem.name, kernel, fmt.name, t).maximum for t in found}
    below = {t for t, m in bounded.items() if m and m.basis == EVERY_INPUT and Decimal(m.ulp) <= Decimal(top.ulp)}
    basis = weakest([top.basis, *(m.basis for t, m in found.items() if t not in below)])
    return {
        "error": wording.error(top.ulp, fmt, basis),
        "input": wording.given(fmt, float.fromhex(top.input)),
        "target": target,
        "basis": basis,
        "table": top.table,
    }


# -- what fails first -----------------------------------------------------------------------------


def first_failures(known: Known, problem: Problem, kernel: str, fmt: Format, half: str) -> list[Facts]:
    """Return the failure nearest to the centre over hard targets: the first error beyond the budget, the first outcome.

    The second is left out where it is the first.  `half` says which half of a training loss it is of.
    """
    over, outcomes = [], []
    for target in HARD:
        rows = known.rows.get((problem.name, kernel, fmt.name, target), [])
        if rows:
            case = _case(problem, kernel, fmt, target)
            over += [(case, o) for o in _beside_the_safe_range(known, case, target)]
            outcomes += [(case, o) for o in _with_outcomes(rows, case)]
    found = []
    for candidates in (over, outcomes):
        told = [(c, o) for c, o in sorted(candidates, key=_distance) if c.bad(np.array([o]), BUDGET)[0]]
        if told and told[0] not in found:
            found.append(told[0])
    return [_failure(case, ordinal, half) for case, ordinal in found]


def _case(problem: Problem, kernel: str, fmt: Format, target: str) -> Case:
    y = fmt.parse(target) if target else None
    return Case(problem, kernel, kernel_named(problem.name, kernel), Grid("standard", problem, fmt), y)


def _beside_the_safe_range(known: Known, case: Case, target: str) -> list[int]:
    """Return the inputs next to the strongest safe range; the centre where the range is empty."""
    ends = known.figures(case.problem.name, case.name, case.fmt.name, target).safe
    if ends is None:
        return []
    if not ends.lo:
        return [case.grid.centre]
    low, high = (int(o) for o in case.fmt.ordinal(np.array([case.fmt.parse(e) for e in (ends.lo, ends.hi)])))
    return [o for o in (low - 1, high + 1) if case.grid.start <= o < case.grid.stop]


def _with_outcomes(rows: Sequence[TableRow], case: Case) -> list[int]:
    """Return the inputs at which the tables have the nearest outcomes."""
    texts = {r.cells.get(column, "") for r in rows for column in OUTCOME_INPUTS.values()} - {""}
    return [int(o) for o in case.fmt.ordinal(np.array([case.fmt.parse(t) for t in sorted(texts)]))] if texts else []


def _distance(candidate: tuple[Case, int]) -> float:
    case, ordinal = candidate
    return abs(float(case.fmt.from_ordinal(np.array([ordinal]))[0]) / 2 - case.problem.centre / 2)


def _failure(case: Case, ordinal: int, half: str) -> Facts:
    """Return what comes at an input: the value computed, the exact value, and the error or outcome."""
    x, computed = case.fmt.from_ordinal(np.array([ordinal]))[0], case.compute(np.array([ordinal]))[0]
    truth, errors = case.exact(ordinal), case.errors(np.array([ordinal]))
    outcome = next((label for name, label in OUTCOME_LABELS.items() if name in errors.outcomes), "")
    ulp = "" if outcome else significant(error_in_ulp(case.fmt, computed, truth))
    return {
        "half": half,
        "what": {"NaN": "NaN", "inf": "infinity", "zero": "0", "sign": "wrong sign"}.get(outcome, "")
        or wording.error(ulp, case.fmt, EVERY_INPUT),
        "target": "" if case.target is None else f"{float(case.target):g}",
        "input": wording.given(case.fmt, x),
        "computed": wording.given(case.fmt, computed),
        "exact": wording.exact(truth, case.fmt),
    }
