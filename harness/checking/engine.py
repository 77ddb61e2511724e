"""Check a loss: `check` measures a function against a problem over a grid and returns a Report.

The same engine stands behind `harness.check` in Python and `harness check` on the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any

import numpy as np

from harness import UsageError
from harness.checking.arguments import listed, look_at
from harness.checking.beside import beside_gradient, other_function, property_notes, reasoned
from harness.checking.child import MEMORY_GIB, started
from harness.checking.exact import asked_problem, weights_given
from harness.checking.loops import other_loops
from harness.checking.parts import ON_CPU, ON_DEVICE, CalledPart
from harness.checking.properties import property_results
from harness.checking.recognition import Recognition
from harness.checking.repeats import POINTS, Repeats
from harness.checking.report import Report
from harness.checking.special import SpecialResult, special_results
from harness.checking.subject import Loaded, Options, Subject
from harness.explain.remedies import audited_share, measured
from harness.kernels import Kernel, kernel_named, kernels_of
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, Weights, gradient_of
from harness.problems.classes import CLASS_PROBLEMS, class_problem
from harness.problems.problem import hessian_of
from harness.sweep.grid import Grid
from harness.sweep.streaming import remembering, sweep
from harness.sweep.summary import Summary
from harness.tables.advice import advised
from harness.tables.rows import Row, rows_of
from harness.workflow.progress import Progress
from harness.workflow.targets import STANDARD_TARGETS, targets_in


def check(
    function: Callable[..., Any] | str,
    problem: str | Problem | None,
    format: str | Format,
    *,
    targets: Iterable[float | str] | float | str | None = None,
    grid: str = "standard",
    max_ulp: float = 4.0,
    gradient: bool = False,
    gradient_function: Callable[..., Any] | str | None = None,
    weights: Weights | Mapping[str, float] | str | None = None,
    exact: str | None = None,
    classes: int | None = None,
    labels: str = "integer",
    timeout: float = 60.0,
    memory: float = MEMORY_GIB,
    library: str | None = None,
    device: str = "cpu",
    each: bool = False,
    reduction: str | None = None,
    allow_flush: bool = False,
) -> Report:
    """Measure a function against a problem over a grid of a format and judge it by a budget in ulp.

    `function` is a Python function of NumPy, torch, JAX or TensorFlow arrays, f(x, y) or f(x), or a text: a kernel's
    name, path/to/file.py:function, or module:function.  `problem` and `format` are names (`harness list problems`);
    `targets` are numbers in [0, 1], or their texts, or one of them, by default those of the tables; `grid` is exhaustive, standard or
    quick; `max_ulp` is the budget.  `gradient` checks the derivative by the library's own autodiff too, or that of
    `gradient_function`.  `weights` (pos, weight, alpha, gamma, smoothing) choose a weighted loss, as the problem's name
    does: "bce_logits" with {"pos": 3} is `bce_logits@pos=3`.  With `problem` None, `exact` names one of your own in a
    file, `FILE:NAME` (see `harness.problem`).  `logsumexp` and `softmax_ce` are functions f(logits) and f(logits, labels) of
    rows of K `classes`, with `labels` integer, onehot or soft.  `timeout` is in seconds, for all calls of the function together (for each call on the
    exhaustive grid), `memory` in GiB.  `library` and `device` (cpu or cuda) say what its arrays are; `each` that it takes
    one number at a time, `reduction` (mean or sum) that it returns one number for all.  `allow_flush` lets pass what is over
    the budget only because subnormal numbers are flushed to 0, as XLA does on CPUs; the verdict says so.

    Raises UsageError for an unknown name, a target that does not fit, a budget that is not positive, or a function that
    breaks the contract, and Crash where it runs out of time or memory or ends its process.
    """
    fmt, options = (
        format if isinstance(format, Format) else format_named(format),
        Options(library, device, each, reduction, gradient, gradient_function),
    )
    look_at(function, problem, exact, classes, (max_ulp, timeout, memory), options)
    given = listed(targets)
    if isinstance(problem, str) and problem in CLASS_PROBLEMS:
        from harness.checking.classes import check_classes  # with NumPy's random numbers, which nothing else needs

        if allow_flush:
            raise UsageError(
                "--allow-flush is for functions of one input: those of K classes are not looked at for flushes"
            )
        chosen = weights_given(weights)
        return check_classes(
            function, class_problem(problem, classes, chosen, labels), fmt, classes=classes or 0, labels=labels,
            weights=chosen, grid=grid, max_ulp=max_ulp, options=options, timeout=timeout, memory=memory,
        )  # fmt: skip
    if classes is not None:
        raise UsageError(f"--classes belongs to {', '.join(CLASS_PROBLEMS)}")
    asked = asked_problem(problem, weights, exact)
    if given and not asked.has_target:
        raise UsageError(f"{asked.name} has no target; leave out --target")
    values = targets_of(asked, fmt, given) if asked.has_target else None
    if isinstance(function, str) and ":" not in function:
        return _check_kernel(_kernel(function, asked), asked, Grid(grid, asked, fmt, values), values, max_ulp, options)
    subject = Subject(function, asked, fmt, options)
    with remembering(), closing(started(subject, timeout, memory, grid == "exhaustive")) as process:
        loaded = process.ask("load")
        rows: list[Row] = []
        summaries: dict[str, Summary] = {}
        special: dict[str, list[SpecialResult]] = {}
        others: dict[str, Recognition | None] = {}
        notes = [*loaded.notes, *other_loops()]
        _affordable(loaded, asked, fmt, grid, values, timeout)
        for part in loaded.parts:
            of = problem_of(part, asked)
            if of is None:
                notes.append(f"Its {part} is not checked: no problem is declared as that of {asked.name}.")
                continue
            called = CalledPart(process.ask, part, of, fmt, ON_DEVICE if loaded.device else ON_CPU)
            if asked.has_target and not of.has_target:
                called.filled = values[:1] if values is not None else None
            at = values if of.has_target else None
            other = other_function(called, loaded.name, at)
            if part == "hessian":
                other = beside_gradient(other, others.get("gradient"))
                notes.append(f"Its second part, the Hessian, is held against {of.name}.")
            others[part] = other
            notes += Repeats(called, loaded.name, at, loaded.way).run()
            special[of.name] = special_results(called)
            found, summary = _measured(called, loaded, of, Grid(grid, of, fmt, at), at, max_ulp)
            rows += reasoned(found, other, called, max_ulp)
            summaries[of.name] = summary
            notes += property_notes(called, other, grid)
        if loaded.seconds:
            notes.append(f"It was called for each input by itself, {process.ask('called_alone')} times.")
        if not rows:
            raise UsageError(f"nothing of {loaded.name} can be checked: {' '.join(notes)}")
        return Report(rows, max_ulp, notes, special, summaries, loaded, allow_flush)


def targets_of(problem: Problem, fmt: Format, given: Iterable[float | str] | None) -> np.ndarray:
    """Return the targets given as numbers of the format, by default the problem's own, or else those of the tables."""
    chosen = tuple(map(str, given or ())) or problem.targets or STANDARD_TARGETS
    return targets_in(fmt, chosen, problem.target_domain)


def _affordable(
    loaded: Loaded, asked: Problem, fmt: Format, grid: str, targets: np.ndarray | None, timeout: float
) -> None:
    """Raise UsageError where calls for each input by itself would take longer than is allowed, all parts together."""
    calls = _calls(loaded, asked, fmt, grid, targets) if loaded.seconds else 0
    if loaded.seconds * calls <= timeout:
        return
    less = loaded.seconds * _calls(loaded, asked, fmt, "quick", targets)
    raise UsageError(
        f"{loaded.name} is called for each input by itself, some {calls} times on the {grid} grid: about "
        f"{loaded.seconds * calls:.2g} s, more than the {timeout:g} s that it may take (--timeout); --grid quick takes about "
        f"{less:.2g} s"
    )


def _calls(loaded: Loaded, asked: Problem, fmt: Format, grid: str, targets: np.ndarray | None) -> int:
    """Return how many results a check asks for, about: those of the grid, of the repeats, and of the properties."""
    problems = [of for part in loaded.parts if (of := problem_of(part, asked)) is not None]
    grids = [(of, Grid(grid, of, fmt, targets if of.has_target else None)) for of in problems]
    rows = {of.name: len(targets) if of.has_target and targets is not None else 1 for of in problems}
    return sum(
        over.size(over.cells) * rows[of.name] + 2 * POINTS + property_results(of, fmt, grid) for of, over in grids
    )


def problem_of(part: str, problem: Problem) -> Problem | None:
    """Return the problem that a part of a function is measured against: its own, its gradient, or its Hessian.

    None where none is declared.
    """
    if part == "loss":
        return problem
    return gradient_of(problem) if part == "gradient" else hessian_of(problem)


def _kernel(name: str, problem: Problem) -> Kernel:
    if name not in {k.name for k in kernels_of(problem.name)} and name.endswith(".py"):
        raise UsageError(f"{name!r} names a file without a function; write {name}:function")
    return kernel_named(problem.name, name)


def _check_kernel(
    kernel: Kernel, problem: Problem, grid: Grid, targets: np.ndarray | None, max_ulp: float, options: Options
) -> Report:
    """Measure a built-in kernel, and its twin for the gradient where that is asked for."""
    parts = [(kernel, problem, grid)]
    if options.gradient:
        slope = problem_of("gradient", problem)
        if slope is None:
            raise UsageError(f"{problem.name} has no gradient declared; leave out --gradient")
        parts.append((kernel_named(slope.name, kernel.name), slope, Grid(grid.name, slope, grid.fmt, targets)))
    rows: list[Row] = []
    summaries = {}
    for k, of, over in parts:
        found, summaries[of.name] = _swept(k, of, over, targets, max_ulp)
        rows += found
    return Report(rows, max_ulp, other_loops(), {}, summaries)


def _measured(
    called: CalledPart, loaded: Loaded, problem: Problem, grid: Grid, targets: np.ndarray | None, max_ulp: float
) -> tuple[list[Row], Summary]:
    """Sweep one part of a user's function; return its rows, with cures, and the summary that they come from."""
    kernel = Kernel(loaded.name, problem.name, called, "", loaded.name, "")
    called.plan(grid, targets)
    try:
        return _swept(kernel, problem, grid, targets, max_ulp, called.forget)
    finally:
        called.forget()


def _swept(
    kernel: Kernel,
    problem: Problem,
    grid: Grid,
    targets: np.ndarray | None,
    max_ulp: float,
    then: Callable[[], None] = lambda: None,
) -> tuple[list[Row], Summary]:
    label = f"{kernel.name} {grid.fmt.name}"
    told = Progress(label, grid.size(grid.cells))
    share = audited_share(problem, targets)
    done = sweep(problem, [kernel], grid, targets, budget=max_ulp, progress=told, audited_share=share)
    then()
    summary = done.summaries[kernel.name]
    rows = rows_of(problem, kernel, grid, targets, summary, max_ulp)
    # Cures are judged by the whole standard grid, whichever grid the kernel itself is checked on.
    every = None if targets is None else tuple(float(v) for v in targets)
    return advised(rows, max_ulp, lambda _: measured(problem.name, grid.fmt.name, every, max_ulp), closer=True), summary
