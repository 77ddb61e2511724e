"""Which figures an experiment has: their names, titles and captions, and what each shows.

All of it follows from the experiment's problems, kernels and targets, before anything is measured: so the workflow
knows which files there will be.  The main experiments' figures are named after the problem alone, those of others
begin with the experiment's name.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.kernels import Kernel
from harness.kernels.families import in_order
from harness.problems import Problem, gradient_of
from harness.workflow.experiments import Experiment

# More curves than this in one panel cannot be told apart.
MOST_CURVES = 5
HARD = ("0", "1")


@dataclass(frozen=True)
class Family:
    """Name kernels of one problem that are drawn in one panel."""

    title: str
    problem: Problem
    kernels: tuple[Kernel, ...]


@dataclass(frozen=True)
class Plan:
    """Describe one figure: its file's stem, how it is drawn, what it shows, and how to read it."""

    name: str
    kind: str  # "errors", "map", "plateaus" or "worst"
    title: str
    caption: str
    families: tuple[Family, ...]
    target: str | None = None

    def kernel_labels(self) -> list[str]:
        """Return the kernels' names in order, each after its problem where there are several."""
        several = len({f.problem.name for f in self.families}) > 1
        return [f"{f.problem.name}: {k.name}" if several else k.name for f in self.families for k in f.kernels]

    def family_edges(self) -> list[float]:
        """Return between which rows one family ends and the next begins, rows being 0, 1, ..."""
        ends = itertools.accumulate(len(f.kernels) for f in self.families)
        return [end - 0.5 for end in ends][:-1]


SAMPLE = "formats marked 'sample' show lower bounds."
ERRORS = (
    "Error in ulp of each kernel at every input, on an axis that widens {where}: thick lines are the largest "
    "error of each cell, thin ones the median; the first kernel of a row is drawn whole, the others where their errors "
    "differ from its by a factor of 1.4 or more, and those that nowhere differ by 2 share an entry; the tinted band is the usual range, to be read first; the grey "
    "area ends at max(1/2, κ/2) ulp of the condition number κ, a typical cost of an input that is off by half an ulp, which "
    "is κ/4 to κ; above twice that an error is the kernel's and not the problem's; "
    "the dashed line is 2^(p-1) ulp, where no bit is right; "
    "marks above it show outcomes such as a spurious NaN where they happen; " + SAMPLE
)
MAP = (
    "Largest error of each kernel (rows) along the input (columns): pale green is within 4 ulp, darker is "
    "worse, up to no bit right; hatching is a spurious outcome, blank where the format has no such input; " + SAMPLE
)
PLATEAUS = (
    "Loss and magnitude of its gradient as computed, against the exact value (thick grey), where the "
    "prediction is ever more wrong: a loss that runs flat is a plateau, a gradient of exactly 0 is dead."
)
WORST = (
    "Largest error in ulp of each kernel in each format, 'no bit right' from 2^(p-1) ulp on; "
    "≥ stands for a maximum over a sample, a lower bound; marks show spurious outcomes."
)
TITLES = {
    "errors": "How many ulp is {} off, and at which input?",
    "map": "Where does each kernel of {} fail?",
}


def figure_names(experiment: Experiment) -> list[str]:
    """Return the stems of an experiment's figures; each is written as .png, .svg and .pdf."""
    return [plan.name for plan in plans(experiment)]


def captions(experiment: Experiment) -> dict[str, str]:
    """Return how to read each figure, one sentence by stem."""
    return {plan.name: plan.caption for plan in plans(experiment)}


def plans(experiment: Experiment) -> list[Plan]:
    """Return an experiment's figures in the order of the report, the overview first."""
    maps, errors = (_by_input(experiment, kind) for kind in ("map", "errors"))
    return [*_worst(experiment), *maps, *_plateaus(experiment), *errors]


def drawn_targets(experiment: Experiment) -> list[str]:
    """Return the targets drawn against the input: the hard ones and the largest other plain number."""
    if experiment.targets == ["all"]:
        return [*HARD]
    hard = [t for t in experiment.targets if t in HARD]
    soft = [t for t in experiment.targets if t not in HARD and re.fullmatch(r"[0-9.]+", t)]
    chosen = hard + ([max(soft, key=float)] if soft else [])
    return chosen or experiment.targets[:1]


def _by_input(experiment: Experiment, kind: str) -> Iterator[Plan]:
    """Yield a figure for each problem and drawn target; problems without a target share one by input."""
    with_target = [q for q in experiment.problems if q.has_target]
    for problem in with_target:
        for target in drawn_targets(experiment):
            if kind == "errors" and target not in HARD and len(drawn_targets(experiment)) > 1:
                continue  # the map shows soft targets
            name = f"{_stem(problem, experiment)}_{kind}_y{target.replace('.', '_')}"
            title = TITLES[kind].format(problem.name) + f"  Target y = {target}"
            yield Plan(name, kind, title, _caption(kind, problem), families(problem, experiment), target)
    without = [q for q in experiment.problems if not q.has_target]
    for input_ in dict.fromkeys(q.input for q in without):
        chosen = [q for q in without if q.input == input_]
        title = TITLES[kind].format(", ".join(q.name for q in chosen))
        shown = tuple(f for q in chosen for f in families(q, experiment))
        yield Plan(f"{experiment.name}_{kind}_{input_}", kind, title, _caption(kind, chosen[0]), shown)


def _stem(problem: Problem, experiment: Experiment) -> str:
    """Begin a file's name: two experiments may have the same problem, and only the main one's goes by that alone."""
    return problem.name if experiment.main else f"{experiment.name}_{problem.name}"


def _caption(kind: str, problem: Problem) -> str:
    if kind == "map":
        return MAP
    where = "the neighbourhoods of 0 and 1" if problem.input == "probability" else "the decades about 1"
    return ERRORS.format(where=where)


def _plateaus(experiment: Experiment) -> Iterator[Plan]:
    for problem in experiment.problems:
        if problem.has_target and gradient_of(problem):
            title = f"Where does {problem.name} stop rising, and where does its gradient die?"
            yield Plan(
                f"{_stem(problem, experiment)}_plateaus", "plateaus", title, PLATEAUS, families(problem, experiment)
            )


def _worst(experiment: Experiment) -> Iterator[Plan]:
    """Yield a heat map for each problem with a target, and one for all the others."""
    for problem in experiment.problems:
        if problem.has_target:
            title = f"Which kernel of {problem.name} is worst, and in which format?"
            yield Plan(f"{_stem(problem, experiment)}_worst", "worst", title, WORST, families(problem, experiment))
    without = tuple(f for q in experiment.problems if not q.has_target for f in families(q, experiment))
    if without:
        title = "Which function is worst, and in which format?"
        yield Plan(f"{experiment.name}_worst", "worst", title, WORST, without)


def families(problem: Problem, experiment: Experiment) -> tuple[Family, ...]:
    """Divide a problem's kernels into families of at most MOST_CURVES; one kernel alone joins the last."""
    kernels = experiment.kernels[problem.name]
    if not problem.has_target:
        return _parts(problem.name, problem, kernels)
    found: list[tuple[str, list[Kernel]]] = []
    for title in in_order(k.family for k in kernels):
        members = [k for k in kernels if k.family == title]
        if len(members) == 1 and found and len(found[-1][1]) < MOST_CURVES:
            found[-1] = (f"{found[-1][0]} + {title}", found[-1][1] + members)
        elif members:
            found.append((title, members))
    return tuple(part for title, members in found for part in _parts(title, problem, members))


def _parts(title: str, problem: Problem, kernels: list[Kernel]) -> tuple[Family, ...]:
    parts = [tuple(kernels[i : i + MOST_CURVES]) for i in range(0, len(kernels), MOST_CURVES)]
    return tuple(Family(title + (", more" if i else ""), problem, part) for i, part in enumerate(parts))
