"""What `harness list` prints: everything that a command or an experiment's file can name, as plain tables."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from harness.kernels import all_kernels, kernels_of
from harness.numbers.formats import FORMATS
from harness.problems import WEIGHTED, known_names, plugins, problem_named
from harness.problems.classes import CLASS_PROBLEMS
from harness.sweep.grid import GRIDS

EXPERIMENTS = Path("experiments")
GRID_TEXT = {
    "exhaustive": "every input; formats of up to 32 bits",
    "standard": "every input in 8 and 16 bits; in float32 and float64 points in every cell and critical points",
    "quick": "a few points in every cell, and critical points",
}


def text(what: str, problem: str | None) -> str:
    """Return a plain table of problems, kernels (of one problem if given), formats, grids, systems or experiments.

    Raises UsageError for an unknown problem, and where the file of an experiment cannot be used.
    """
    return {
        "problems": _problems,
        "kernels": lambda: _kernels(problem),
        "formats": _formats,
        "grids": lambda: tabulate([(g, GRID_TEXT[g]) for g in GRIDS], ["grid", "inputs"]),
        "systems": _systems,
        "experiments": _experiments,
    }[what]()


def _problems() -> str:
    plugins.loaded(plugins.PROBLEMS)
    found = [problem_named(name) for name in known_names()]
    taken = {name: ", ".join(family.takes) for name, family in WEIGHTED.items()}
    rows = [(q.name, q.input, "yes" if q.has_target else "", taken.get(q.base, ""), q.formula) for q in found]
    rows += [
        (q.name, "K logits", "yes" if q.has_target else "", "smoothing" if q.has_target else "", q.formula)
        for q in CLASS_PROBLEMS.values()
    ]
    return tabulate(rows, ["problem", "input", "target", "weights", "formula"])


def _kernels(problem: str | None) -> str:
    plugins.loaded(plugins.KERNELS)
    kernels = all_kernels() if problem is None else kernels_of(problem_named(problem).name)
    return tabulate([(k.problem, k.name, k.source) for k in kernels], ["problem", "kernel", "source"])


def _formats() -> str:
    rows = [(f.name, f.bits, f.precision, f.hex(f.max), f.hex(f.smallest_subnormal)) for f in FORMATS.values()]
    return tabulate(rows, ["format", "bits", "precision", "largest", "least subnormal"])


def _systems() -> str:
    from harness.systems import registry

    systems = [
        s
        for library in [*registry.libraries(), *registry.shipped_libraries()]
        for s in registry.systems_of(library.name)
    ]
    rows = [(s.library, s.name, s.mode, s.problem) for s in systems]
    return tabulate(rows, ["library", "system", "mode", "problem"])


def _experiments() -> str:
    from harness.studies import study  # these need the extra `workflow`, which a check of one's own loss does without
    from harness.workflow import experiments

    sweeps, studies = experiments.files(EXPERIMENTS)
    found = [(name, experiments.load(p).question) for name, p in sweeps.items()]
    found += [(name, study.load(p).question) for name, p in studies.items()]
    return tabulate(found, ["experiment", "question"])
