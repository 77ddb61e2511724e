"""Fix a loss: record its formula, rewrite it, measure what comes out, and return the code that errs least.

The candidates are ranked by every float16 input; the best few are measured in the format that was asked for, and the
best of these, as code, goes through the check that any user's function goes through.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import UsageError
from harness.checking.child import MEMORY_GIB, started
from harness.checking.engine import check, targets_of
from harness.checking.exact import asked_problem
from harness.checking.moderate import exactly, moderate_inputs
from harness.checking.rewriting.changes import Variant, variants
from harness.checking.rewriting.code import compiled, operations, source
from harness.checking.rewriting.expression import Expression
from harness.checking.rewriting.fixed import FixedLoss
from harness.checking.rewriting.ranking import Figure, ranking_of
from harness.checking.rewriting.rules import Rule, rules_of
from harness.checking.rewriting.saturation import RoundingWeight, by_size, equal_expressions
from harness.checking.subject import Options, Subject
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, Weights
from harness.problems.classes import CLASS_PROBLEMS

RANKED_IN = "float16"
CONFIRMED = 3  # candidates that are measured in the format asked for
AGREE = 64  # machine epsilons by which the recorded formula and the function may differ at moderate inputs
TIMED_ON, REPEATS = 1 << 14, 15  # elements, and calls of which the least time is taken


@dataclass(frozen=True)
class Rewriting:
    """Hold an expression that may replace a loss, what was changed of the function for it, its code and its figure."""

    expression: Expression
    changes: tuple[str, ...]
    code: str
    figure: Figure


def fix(
    function: Callable[..., Any] | str,
    problem: str | Problem | None,
    format: str | Format = "float32",
    *,
    targets: Iterable[float | str] | None = None,
    weights: Weights | Mapping[str, float] | str | None = None,
    exact: str | None = None,
    reduction: str | None = None,
    max_ulp: float = 4.0,
    timeout: float = 60.0,
    rules: tuple[Rule, ...] = (),
) -> FixedLoss:
    """Rewrite a NumPy loss so that it errs less, and return the code with its error table and cost.

    Arguments are those of `harness.check`; `rules` are rewrite rules besides the built-in ones.  `max_ulp` is what
    candidates are judged by: those within it over the usual range are ordered by failures beyond, then by error.
    Raises UsageError as `check` does, where the function cannot be followed or a rule speaks of none of its operations,
    and where egglog is not installed.
    """
    fmt = format if isinstance(format, Format) else format_named(format)
    if isinstance(problem, str) and problem in CLASS_PROBLEMS:
        raise UsageError(f"fix rewrites a loss of one input and its target; {problem} is one of rows of K logits")
    asked = asked_problem(problem, weights, exact)
    chosen = tuple(map(str, targets or ()))
    values = targets_of(asked, fmt, chosen or None) if asked.has_target else None
    subject = Subject(function, asked, fmt, Options(reduction=reduction))
    with closing(started(subject, timeout, MEMORY_GIB, False)) as process:
        loaded = process.ask("load")
        if loaded.library != "numpy" or loaded.parts != ("loss",):
            raise UsageError(f"{loaded.name} is no loss of NumPy arrays; fix rewrites those alone")
        recorded = process.ask("formula", _moderate_points(asked, values))
        before_seconds = process.ask("seconds", *_timed_on(asked, fmt, values))
        _same_function(process.ask, asked, fmt, values, recorded, loaded.name)
    # By default a format has targets of its own, next to 0 and 1, which those of another do not stand for.
    ranked_at = targets_of(asked, format_named(RANKED_IN), chosen or None) if asked.has_target else None
    found = candidates(recorded, asked, ranked_at, max_ulp, rules)
    best = _confirmed(found, asked, fmt, values, max_ulp)
    # A reduced loss would be called for each input by itself: its formula, which is the same, for all at once.
    whole = function if reduction is None else compiled(source(recorded, asked.variable, asked.has_target))
    before, after = (
        check(f, asked, fmt, targets=chosen or None, max_ulp=max_ulp, timeout=timeout)
        for f in (whole, compiled(best.code))
    )
    seconds = before_seconds, _seconds(compiled(best.code), _timed_on(asked, fmt, values))
    counts = operations(recorded), operations(best.expression)
    code = source(best.expression, asked.variable, asked.has_target, reduction=reduction)
    return FixedLoss(loaded.name, code, best.changes, before, after, seconds, counts, len(found))


def candidates(
    recorded: Expression, problem: Problem, targets: np.ndarray | None, max_ulp: float, rules: tuple[Rule, ...] = ()
) -> list[Rewriting]:
    """Return what the rules make of a formula, the formula itself among it, the best first by every float16 input.

    `targets` are numbers of float16.
    """
    fmt = format_named(RANKED_IN)
    probability = problem.input == "probability"
    tried = variants(recorded, problem.has_target)
    equal = equal_expressions(
        [v.expression for v in tried],
        rules_of(probability, problem.has_target, rules),
        (RoundingWeight(probability), by_size),
    )
    made: dict[Expression, Variant] = {}
    for variant in tried:
        for expression in (variant.expression, *equal[variant.expression]):
            made.setdefault(expression, variant)
    ranking = ranking_of(problem, fmt, targets)
    ranked = []
    for expression, variant in made.items():
        code = source(expression, problem.variable, problem.has_target)
        ranked.append(Rewriting(expression, variant.changes, code, ranking.figure(compiled(code))))
    return sorted(ranked, key=lambda c: _key(c, max_ulp))


def _key(c: Rewriting, max_ulp: float) -> tuple[Any, ...]:
    return *c.figure.key(max_ulp), operations(c.expression), c.code


def _confirmed(
    found: list[Rewriting], problem: Problem, fmt: Format, targets: np.ndarray | None, max_ulp: float
) -> Rewriting:
    """Return the best of the first candidates by what they err by in the format itself."""
    if fmt.name == RANKED_IN:
        return found[0]
    ranking = ranking_of(problem, fmt, targets)
    again = [Rewriting(c.expression, c.changes, c.code, ranking.figure(compiled(c.code))) for c in found[:CONFIRMED]]
    return min(again, key=lambda c: _key(c, max_ulp))


def _moderate_points(problem: Problem, targets: np.ndarray | None) -> list[tuple[float, ...]]:
    """Return inputs, with targets, at which a formula is recorded: ordinary ones, and outer ones where guards act."""
    outer = {"logit": [-60.0, 60.0], "probability": [1e-9, 1 - 1e-9]}.get(problem.input, [])
    inputs = [*map(float, moderate_inputs(problem)), *outer]
    return [(x,) for x in inputs] if targets is None else [(x, float(y)) for x in inputs for y in (0.0, 0.25, 1.0)]


def _same_function(
    ask: Callable[..., Any], problem: Problem, fmt: Format, targets: np.ndarray | None, recorded: Expression, name: str
) -> None:
    """Compare the recorded formula with the function itself at moderate inputs; UsageError where it is another."""
    again = compiled(source(recorded, problem.variable, problem.has_target))
    x = moderate_inputs(problem).astype(fmt.dtype)
    for y in [None] if targets is None else targets:
        inputs = (x,) if y is None else (x, np.full(len(x), y, fmt.dtype))
        with np.errstate(all="ignore"):
            ours = np.broadcast_to(again(*inputs), x.shape).astype(np.float64)
        theirs = ask("evaluate", "loss", *inputs).astype(np.float64)
        size = np.maximum(
            np.abs(theirs), np.abs(exactly(problem, x.astype(np.float64), None if y is None else float(y)))
        )
        both = np.isfinite(ours) & np.isfinite(theirs)
        if (np.abs(ours - theirs)[both] > AGREE * float(fmt.machine_epsilon) * np.maximum(size, 1)[both]).any():
            raise UsageError(f"{name} computes something else than the formula that was recorded of it")


def _timed_on(problem: Problem, fmt: Format, targets: np.ndarray | None) -> tuple[np.ndarray, ...]:
    x = np.resize(moderate_inputs(problem), TIMED_ON).astype(fmt.dtype)
    return (x,) if targets is None else (x, np.resize(targets, TIMED_ON).astype(fmt.dtype))


def _seconds(function: Callable[..., Any], inputs: tuple[np.ndarray, ...]) -> float:
    """Return the least time that a call takes, in seconds."""
    took = []
    with np.errstate(all="ignore"):
        for _ in range(REPEATS):
            begun = time.perf_counter()
            function(*inputs)
            took.append(time.perf_counter() - begun)
    return min(took)
