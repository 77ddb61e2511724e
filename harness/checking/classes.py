"""Check a loss of K classes, on rows of logits: a log-sum-exp or a softmax cross-entropy, and their gradients.

A row of the table is what a sweep's would be, `max_ulp_input` holding all K logits, the label, and for a derivative the
class of the logit that it is taken in.  Nothing is said of other rows than those of class_rows.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from functools import partial
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness import UsageError
from harness.checking.beside import as_other
from harness.checking.child import started
from harness.checking.class_rows import (
    MOST_LOGITS,
    MOST_SLOPES,
    Array,
    ClassRows,
    rows_of_target,
    stable,
    stable_gradient,
    stable_hessian,
)
from harness.checking.class_subject import ClassSubject
from harness.checking.judge import ROWS
from harness.checking.loops import other_loops
from harness.checking.other_classes import recognise_classes
from harness.checking.report import Report
from harness.checking.subject import Options
from harness.explain.explanation import Explanation
from harness.numbers.formats import Format
from harness.problems.classes import CLASS_PROBLEMS, HESSIAN, ClassProblem
from harness.problems.weights import Weights
from harness.sweep.own import Function
from harness.tables.basis import bases
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import COLUMNS, EXACT_DIGITS, Row
from harness.truth.certified import decimal, significant
from harness.truth.errors import SPURIOUS
from harness.truth.softmax import Evaluation, evaluation

Place = tuple[int, "int | None"]  # a row, and the class of a derivative
IGNORED = -100  # what torch takes for a label that does not count, if nothing is said


def check_classes(
    function: Function | str,
    problem: ClassProblem,
    fmt: Format,
    *,
    classes: int,
    labels: str,
    weights: Weights,
    grid: str,
    max_ulp: float,
    options: Options,
    timeout: float,
    memory: float,
) -> Report:
    """Measure a function of K logits, and labels, on rows of a format; see `harness.check`.

    A gradient has a row of its own for each target: its largest error over all rows and classes.
    """
    smoothing = Fraction(weights.smoothing or 0)
    targets = ("",) if not problem.has_target else ("soft",) if labels == "soft" else ("top", "other")
    subject = ClassSubject(function, problem, fmt, options)
    rows: list[Row] = []
    unknown: list[str] = []
    with closing(started(subject, timeout, memory, False)) as process:
        tried = rows_of_target(fmt, classes, grid, targets[0], labels, smoothing)
        loaded = process.ask("load", tried.logits, tried.labels)
        for part in loaded.parts:
            of = _problem_of(part, problem)
            if of is None:
                unknown.append(f"Its {part} is not checked: no problem is declared as that of {problem.name}.")
                continue
            most = MOST_SLOPES if of.each_class else MOST_LOGITS
            found: list[Row] = []
            other = None
            if not smoothing:
                other = recognise_classes(of, fmt, classes, labels, partial(process.ask, "evaluate", part))
            for target in targets:
                given = rows_of_target(fmt, classes, grid, target, labels, smoothing, most)
                computed = process.ask("evaluate", part, given.logits, given.labels)
                name = of.of(classes, weights)
                why = None if other else partial(_why, process.ask, part, of.name, given, max_ulp)
                found.append(
                    row_of(subject.name, name, fmt, target, given, computed, not smoothing, of.name == HESSIAN, why)
                )
            rows += as_other(found, other, max_ulp)
        notes = [*loaded.notes, *other_loops(), *unknown]
        if not rows:
            raise UsageError(f"nothing of {subject.name} can be checked: {' '.join(unknown)}")
        if problem.has_target:
            of = _problem_of(loaded.parts[0], problem) or problem
            notes += _special(partial(process.ask, "evaluate", loaded.parts[0]), of, fmt, classes, labels)
    return Report(rows, max_ulp, notes, loaded=loaded)


def _problem_of(part: str, problem: ClassProblem) -> ClassProblem | None:
    """Return what a part of a function is measured against; None where nothing is declared."""
    name = {"gradient": problem.gradient, "hessian": problem.hessian}.get(part, problem.name)
    return CLASS_PROBLEMS.get(name)


def row_of(
    name: str,
    problem: str,
    fmt: Format,
    target: str,
    given: ClassRows,
    computed: Array,
    plain: bool,
    second: bool = False,
    why: Callable[..., Row] | None = None,
) -> Row:
    """Return the contract's row of results: every error against the exact value of its row, or of its row and class.

    Values of every class are first derivatives, or where `second` second ones.  `why(fmt, places, found, kinds)` tells what
    goes wrong.
    """
    places, values, exact = _places(given, computed, second)
    found = [evaluation(fmt, c, e, open_ties=True) for c, e in zip(values, exact)]
    kinds = [
        "capped" if mpmath.isinf(e) and np.isfinite(float(c)) else m.outcome for c, e, m in zip(values, exact, found)
    ]
    inputs = [lambda i=i, c=c: given.hex(fmt, i, c) for i, c in places]  # type: ignore[misc]
    finite = [m for m in found if m.finite]
    row: Row = dict.fromkeys(COLUMNS, "")
    row |= {
        "problem": problem, "kernel": name, "format": fmt.name, "target": target, "grid": ROWS, "points": len(found),
        "exhaustive": False, **_extremes(fmt, inputs, found),
        "mean_ulp": significant(mp.fsum(m.ulp for m in finite) / len(finite)) if finite else "",
        "correctly_rounded": significant(sum(bool(m.ulp < 0.5) for m in found) / len(found)),
        **{o: kinds.count(o) for o in SPURIOUS}, "capped": kinds.count("capped"),
    }  # fmt: skip
    for outcome, column in OUTCOME_INPUTS.items():
        row[column] = inputs[kinds.index(outcome)]() if outcome in kinds else ""
    row |= bases(row)
    row["usual_max_ulp"], row["usual_max_ulp_input"] = row["max_ulp"], row["max_ulp_input"]
    row |= why(fmt, places, found, kinds) if why else {}
    if plain:
        form = STABLE["hessian" if second else "gradient" if computed.ndim == 2 else "loss"]
        row["reason"] = " ".join(filter(None, [str(row["reason"]), f"{_beside(fmt, given, exact, form)}."]))
    return row


def _why(
    ask: Callable[..., Any],
    part: str,
    problem: str,
    given: ClassRows,
    max_ulp: float,
    fmt: Format,
    places: Sequence[Place],
    found: Sequence[Evaluation],
    kinds: Sequence[str],
) -> Row:
    """Return cause, operation and reason, each result explained where the function is."""
    from harness.checking.class_causes import caused  # for what fails alone

    def explain(place: Place, result: Evaluation) -> Explanation:
        i, of = place
        row = given.logits[i : i + 1], None if given.labels is None else given.labels[i : i + 1]
        return ask("explain", part, *row, of or 0, float(result.computed), result.exact)

    return caused(fmt, given, places, found, kinds, max_ulp, explain, problem)


def _places(
    given: ClassRows, computed: Array, second: bool
) -> tuple[Sequence[tuple[int, int | None]], Sequence[Any], Sequence[mpmath.mpf]]:
    """Return results one after the other: the row, and class, of each, its computed and its exact value."""
    if computed.ndim == 1:
        return [(i, None) for i in range(len(computed))], list(computed), [given.exact(i) for i in range(len(computed))]
    rows, classes = computed.shape
    exact = [v for i in range(rows) for v in (given.hessian(i) if second else given.gradient(i))]
    return [(i, c) for i in range(rows) for c in range(classes)], list(computed.reshape(-1)), exact


def _extremes(fmt: Format, inputs: Sequence[Callable[[], str]], found: Sequence[Evaluation]) -> Row:
    """Return the largest errors with the rows where they are."""
    at = [i for i, m in enumerate(found) if m.finite and mpmath.isfinite(m.exact)]
    if not at:
        return {}
    ulp = max(at, key=lambda i: found[i].ulp)
    rel, most = max(at, key=lambda i: found[i].relative), max(at, key=lambda i: found[i].absolute)
    return {
        "max_ulp": significant(found[ulp].ulp), "max_ulp_input": inputs[ulp](),
        "max_ulp_computed": fmt.hex(found[ulp].computed), "max_ulp_exact": decimal(found[ulp].exact, EXACT_DIGITS),
        "max_rel": significant(found[rel].relative), "max_rel_input": inputs[rel](),
        "max_abs": significant(found[most].absolute), "max_abs_input": inputs[most](),
    }  # fmt: skip


# The stable forms that results are held beside, and how a sentence writes them.
LARGEST = "m the largest logit"
STABLE: Mapping[str, tuple[Callable[[Array, Array | None], Array], str]] = {
    "loss": (stable, f"(m - x_c) + log1p(rest), {LARGEST} and rest the sum of the others' exp(x_i - m),"),
    "gradient": (
        stable_gradient,
        f"e_i / sum of e_j, e_i = exp(x_i - m) and {LARGEST}, less the label, taken as the others' share where that is 1,",
    ),
    "hessian": (
        stable_hessian,
        f"(e_i / s) (r_i / s), e_i = exp(x_i - m), {LARGEST}, s the sum of all and r_i that of the others,",
    ),
}


def _beside(
    fmt: Format, given: ClassRows, exact: Sequence[mpmath.mpf], form: tuple[Callable[[Array, Array | None], Array], str]
) -> str:
    """Say what the stable form does on the same rows."""
    function, written = form
    with np.errstate(all="ignore"):
        computed = function(given.logits, given.labels).reshape(-1)
    most = max((evaluation(fmt, c, e, open_ties=True).ulp for c, e in zip(computed, exact)), default=mp.mpf(0))
    if given.labels is None:
        written = written.replace("(m - x_c)", "m")
    return f"On these rows {written} errs by {significant(most, 3)} ulp"


# What is exact where the label's own class is masked.
OF_MASKED = {"softmax_ce": "loss is inf", "softmax_ce_grad": "derivative is -1", HESSIAN: "second derivative is 0"}


def _special(ask: Callable[..., Any], problem: ClassProblem, fmt: Format, classes: int, labels: str) -> list[str]:
    """Say what becomes of a masked class of one's own, of an ignored label, and of an empty batch."""
    x = np.zeros((1, classes)).astype(fmt.dtype)
    masked = x.copy()
    masked[0, 0] = -np.inf
    zero = np.zeros(1, np.int64) if labels == "integer" else np.eye(1, classes).astype(fmt.dtype)
    cases: Mapping[str, tuple[Array, Array]] = {
        f"the label's own class masked (-inf; the exact {OF_MASKED[problem.name]})": (masked, zero),
        "an empty batch": (x[:0], zero[:0]),
    }
    if labels == "integer":
        cases = {**cases, f"the label {IGNORED} (ignore_index)": (x, zero + IGNORED)}
    return [f"At {name}: {_said(ask, *given)}." for name, given in cases.items()]


def _said(ask: Callable[..., Any], logits: Array, labels: Array) -> str:
    try:
        found = ask(logits, labels)
    except UsageError as e:
        return str(e)
    if not len(found):
        return "returned an empty array"
    return f"returned {' '.join(f'{float(v):.9g}' for v in np.ravel(found[0])[:4])}"
