"""One row of logits through one loss of K classes, operation by operation: what `harness explain` prints of it.

The row is written as the tables have it: logits with spaces between them, behind a semicolon the label, for a derivative
behind another the class of the logit that it is taken in.
"""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from typing import Any

import numpy as np

from harness import UsageError
from harness.checking.child import MEMORY_GIB, started
from harness.checking.class_causes import place_text
from harness.checking.class_rows import Array, ClassRows
from harness.checking.class_subject import ClassSubject
from harness.checking.subject import Options
from harness.explain.notation import magnitude, number
from harness.numbers.formats import Format
from harness.problems.classes import CLASS_PROBLEMS, HESSIAN, ClassProblem


def class_explanation(
    target_name: str, problem_name: str, fmt: Format, input_: str, target: str | None, timeout: float, options: Options
) -> str:
    """Return why a function of K logits is wrong on one row: what it computed, each operation, the reason.

    Raises UsageError for a row, label or class that cannot be used, Crash as `check` does.
    """
    problem = CLASS_PROBLEMS[problem_name]
    if ":" not in target_name:
        raise UsageError(
            f"{target_name!r} is no function of K classes; write path/to/file.py:function or module:function"
        )
    given, of = _row(problem, fmt, input_, target)
    exact = given.exact(0) if of is None else (given.hessian(0) if problem.name == HESSIAN else given.gradient(0))[of]
    subject = ClassSubject(target_name, problem, fmt, options)
    twice = [None if a is None else np.concatenate([a, a]) for a in (given.logits, given.labels)]
    with closing(started(subject, timeout, MEMORY_GIB, False)) as process:
        part = process.ask("load", *twice).parts[0]
        result = process.ask("evaluate", part, given.logits, given.labels)
        computed = float(np.reshape(result, -1)[of or 0])
        asked = part, given.logits, given.labels, of or 0, computed, exact
        found = process.ask("explain", *asked)
        operations = process.ask("operations", *asked) if not found.not_followed else ""
    place = place_text(fmt, given, (0, of))
    line = f"{target_name} as {problem.name} in {fmt.name} at {place}: {number(computed, fmt.dtype)} for {magnitude(exact, fmt, 9)}"
    return "\n\n".join(part for part in (line, operations, found.reason) if part)


def _row(problem: ClassProblem, fmt: Format, input_: str, target: str | None) -> tuple[ClassRows, int | None]:
    """Return one row of logits with its label as the tables write it, and the class of a derivative."""
    first, *more = (part.strip() for part in input_.split(";"))
    classes = [part.removeprefix("class ") for part in more if part.startswith("class ")]
    labels = [part for part in [*more, *([target] if target is not None else [])] if not part.startswith("class ")]
    logits = np.array([fmt.parse(text) for text in first.replace(",", " ").split()], fmt.dtype)[None, :]
    if logits.shape[1] < 2:
        raise UsageError(f"{problem.name} is a function of a row of logits; write --input '1.5 0 -inf'")
    if len(labels) != problem.has_target or len(classes) != problem.each_class:
        needs = " and ".join(
            ["a label (--target)"] * problem.has_target + ["the class ('; class 0')"] * problem.each_class
        )
        raise UsageError(f"{problem.name} at one row needs {needs or 'no label and no class'}")
    of = _number(classes[0], logits.shape[1], "class") if classes else None
    if not problem.has_target:
        return ClassRows(logits, None, None), of
    given, weights = _label(labels[0], fmt, logits.shape[1])
    return ClassRows(logits, given, [weights]), of


def _label(text: str, fmt: Format, classes: int) -> tuple[Array, list[Fraction]]:
    parts = text.replace(",", " ").split()
    if len(parts) == 1:
        at = _number(parts[0], classes, "label")
        return np.array([at]), [Fraction(int(i == at)) for i in range(classes)]
    if len(parts) != classes:
        raise UsageError(f"the label {text!r} has {len(parts)} numbers for {classes} classes")
    given = np.array([fmt.parse(part) for part in parts], fmt.dtype)[None, :]
    return given, [Fraction(float(v)) for v in given[0]]


def _number(text: str, classes: int, what: str) -> int:
    known: Any = text if text.isdigit() else -1
    if not 0 <= int(known) < classes:
        raise UsageError(f"the {what} {text!r} is no number from 0 to {classes - 1}")
    return int(known)
