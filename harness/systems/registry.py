"""The register of systems: the losses of real libraries as users call them, found in the adapters' folder.

A library is one file in adapters/ (see there).  Importing this module, or any adapter, imports no library
under test: `System.load` does, and only run/worker.py calls it, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import numpy as np

from harness import UsageError, choices
from harness.problems import Problem, antiderivative_of, gradient_of, plugins, problem_named
from harness.systems import adapters

# What an adapter gives: f(x) or f(x, y), 1-D arrays of one format in, one array of that shape out.
Call = Callable[..., np.ndarray]

ALL_FORMATS = ("float16", "bfloat16", "float32", "float64")


class Unavailable(Exception):
    """A library, or one of its systems, gives no usable result; the message says why."""


@dataclass(frozen=True)
class Point:
    """Hold one input and target as they are typed: `x` with a decimal point, `y` as short as it goes, and a format."""

    x: str
    y: str
    fmt: str


@dataclass(frozen=True)
class System:
    """Describe one loss of one library as users call it.

    `name` is the library's own name of the function, `also` another public name of the same; `mode` says how it is called (eager, jit,
    model, ...).  `load` imports the library and returns the call, which gives losses per element,
    in whatever format the library returns.  `replica` names the kernel that is its documented
    formula (see replicas.kernel_of).  `notes` say where it differs from the replica, and why.
    `command` gives the line of shell that prints the value at a point, as a user would type it, or
    None where the format cannot be typed.

    The last three say how likely a user is to meet it: `taught` in the library's own introductions
    to binary classification; `public`, by a documented name; `by_default`, one of the calls that the
    figure of plateaus draws, in the mode in which it runs if nothing is said.
    """

    name: str
    library: str
    problem: str
    mode: str
    load: Callable[[], Call]
    replica: str
    notes: str = ""
    formats: tuple[str, ...] = ALL_FORMATS
    hard_targets: bool = False  # takes the targets 0 and 1 only
    label_smoothing: float = 0.0  # the exact problem is then at `effective_target`
    max_points: int | None = None  # called once per input: give it no more than these
    options: frozenset[str] = (
        frozenset()
    )  # arguments that change the loss, such as pos_weight: advice may not drop them
    alone: bool = True  # may be called on one element; not where it is compiled anew, for seconds, for each length
    command: Callable[[Point], str | None] | None = None
    also: str = ""
    taught: bool = False
    public: bool = True
    by_default: bool = False

    @property
    def key(self) -> str:
        """Return the text that identifies the system within its library."""
        return f"{self.name}:{self.problem}:{self.mode}"

    def effective_target(self, target: float) -> Fraction:
        """Return y (1 - s) + s / 2, the exact target that label smoothing s asks for."""
        s = Fraction(self.label_smoothing)
        return Fraction(float(target)) * (1 - s) + s / 2


@dataclass(frozen=True)
class Library:
    """Say which adapter module holds a library's systems, how its process is set up, and what its users do.

    `versions` are the import names whose __version__ is recorded, the library itself first.
    `notes` say why its systems differ from their replicas, as far as that was verified.
    `order` is its place among the libraries, the least first; libraries of one adapter stay together.
    `product` is what a user calls it (Keras is one, whatever its backend), the name itself if empty.
    `default_format` is the format of its results if nothing is said; `default_mode` ends the name of
    the mode that it takes of itself, empty where there is one mode or none is preferred.
    `trains` tells whether gradients can be had; `source_only` that nothing is called, the systems being
    the replicas themselves; `quick` that it is part of the quick table; `sample`
    on how many inputs its calls are made one element at a time.
    """

    name: str
    module: str
    versions: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""
    order: int = 500
    product: str = ""
    default_format: str = "float32"
    default_mode: str = ""
    trains: bool = True
    source_only: bool = False
    quick: bool = False
    sample: int = 32

    @property
    def family(self) -> str:
        """Return what a user calls the library, the same for each backend's process."""
        return self.product or self.name

    @property
    def backend(self) -> str:
        """Return what tells the library from others of its product; empty where it is the only one."""
        return self.name.removeprefix(f"{self.product}-") if self.product else ""


def differentiated(problem: str, gradient: bool = True) -> str:
    """Return the name of a problem's derivative, or with gradient=False its own; ValueError where none is declared."""
    if not gradient:
        return problem
    found = gradient_of(problem_named(problem))
    if found is None:
        raise ValueError(f"problem {problem!r} names no gradient")
    return found.name


def is_gradient(problem: str | Problem) -> bool:
    """Tell whether a problem, or the one of a name, is another's derivative."""
    return antiderivative_of(problem_named(problem) if isinstance(problem, str) else problem) is not None


def adapter_modules() -> list[str]:
    """Return the import names of the adapters, wherever `adapters.__path__` finds them."""
    return [f"{adapters.__name__}.{found.name}" for found in iter_modules(adapters.__path__)]


def libraries() -> list[Library]:
    """Return the libraries that adapters declare, in the order in which they are shown."""
    return list(_libraries(tuple(adapters.__path__)).values())


@cache
def _libraries(folders: tuple[str, ...]) -> dict[str, Library]:
    """Return the libraries by name; ValueError where two adapters declare one."""
    declared = [entry for module in adapter_modules() for entry in import_module(module).LIBRARIES]
    found: dict[str, Library] = {}
    for entry in sorted(declared, key=lambda entry: entry.order):
        if entry.name in found:
            raise ValueError(f"library {entry.name!r} is declared by {found[entry.name].module} and {entry.module}")
        found[entry.name] = entry
    return found


def shipped_libraries() -> list[Library]:
    """Return the libraries that adapters of installed packages declare, by the entry points xent_harness.systems.

    They can be named and listed; tables and pages have those of the harness's own adapters alone.
    """
    modules = map(import_module, plugins.loaded(plugins.SYSTEMS))
    return sorted((entry for module in modules for entry in module.LIBRARIES), key=lambda entry: entry.order)


def library_named(name: str) -> Library:
    """Return one library, of the harness's adapters or an installed package's; UsageError lists the known names."""
    known = _libraries(tuple(adapters.__path__))
    if name not in known:
        known = {**known, **{entry.name: entry for entry in shipped_libraries()}}
    if name not in known:
        raise UsageError(f"unknown library {name!r}; known libraries: {choices(name, known)}")
    return known[name]


@cache
def systems_in(module: str, library: str) -> dict[str, System]:
    """Return the systems that an adapter module declares for a library, by key; ValueError for a key used twice."""
    found: dict[str, System] = {}
    for system in import_module(module).systems(library):
        if system.key in found:
            raise ValueError(f"system {system.key!r} of {library} is declared twice")
        found[system.key] = system
    return found


def systems_of(library: str) -> list[System]:
    """Return the systems of a library; UsageError lists the known libraries."""
    entry = library_named(library)
    return list(systems_in(entry.module, entry.name).values())


def system_of(row: Mapping[str, object]) -> System:
    """Return the system that a row of the table is about; UsageError where its library or it is gone."""
    entry = library_named(str(row["library"]))
    key = f"{row['system']}:{row['problem']}:{row['mode']}"
    there = systems_in(entry.module, entry.name)
    if key not in there:
        raise UsageError(f"library {entry.name!r} has no system {key!r}")
    return there[key]
