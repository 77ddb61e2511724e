"""Ask libraries what lines of Python give, each library in a supervised process of its own.

To the worker of that process a line is a system: one that, at whatever inputs, gives the number that the line
evaluates to.  It finds the lines in its environment, as JSON, with the import names of the library.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.systems.commands import evaluated
from harness.systems.registry import Call, Library, System, Unavailable, library_named
from harness.systems.run.supervise import Request, Result, evaluate

# How entries call a library, and its name in the register of systems.
LIBRARIES = {
    "keras": "keras-tensorflow",
    "keras_torch": "keras-torch",
    "tf_keras": "tf_keras",
    "tensorflow": "tensorflow",
    "torch": "torch",
    "jax": "jax",
    "optax": "optax",
    "sklearn": "sklearn",
}
AT = np.zeros(1, np.float32)  # a line has its inputs in it; the worker wants some
LIMIT_S = 60.0
LINES = "HARNESS_CLAIM_LINES"  # the variable that holds a process's lines

# Of a library and a line: what became of it.
Results = Mapping[tuple[str, str], Result]


@dataclass(frozen=True)
class LineValue:
    """Hold the number that a line gave, or NaN and the type of the error that it raised."""

    value: float
    raised: str = ""

    def __str__(self) -> str:
        """Return the error's type, or the number with three digits."""
        return self.raised or f"{self.value + 0.0:.3g}"  # + 0.0: no sign on a zero


def ask(library: Library, lines: Sequence[str]) -> list[Result]:
    """Evaluate lines in a process in which the library is imported; `np` is NumPy.

    A line is an expression that gives one number.  It is written as a user would write it, and
    what it raises is an answer.
    """
    entry = replace(
        library,
        module=__name__,
        environment={**library.environment, LINES: json.dumps([library.versions, list(lines)])},
    )
    return evaluate(entry, [Request(_system(library.name, line, ()).key, AT) for line in lines], LIMIT_S)


def ask_all(lines: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Result]:
    """Ask each library, named as entries do, all of its lines in one process."""
    found: dict[tuple[str, str], Result] = {}
    for name in LIBRARIES:
        own = list(dict.fromkeys(line for library, line in lines if library == name))
        if own:
            results = ask(library_named(LIBRARIES[name]), own)
            found.update({(name, line): result for line, result in zip(own, results, strict=True)})
    return found


def values_of(results: Results, library: str, lines: Sequence[str]) -> list[LineValue]:
    """Return what a library's lines gave; Unavailable where it could not be run."""
    return [value_of(LIBRARIES[library], results[library, line]) for line in lines]


def value_of(library: str, result: Result) -> LineValue:
    """Return what a line gave; Unavailable where its library could not be run."""
    if result.status == "unavailable":
        raise Unavailable(f"{library}: {result.reason}")
    if result.output is None:
        return LineValue(math.nan, result.reason.split(":")[0])
    return LineValue(float(result.output[0]))


# -- in the worker ----------------------------------------------------------------------------------


def systems(library: str) -> list[System]:
    """Return a system for each line in the environment."""
    names, lines = json.loads(os.environ[LINES])
    return [_system(library, line, tuple(names)) for line in lines]


def _system(library: str, line: str, names: tuple[str, ...]) -> System:
    return System(line, library, "", "line", partial(_load, line, names), "")


def _load(line: str, names: tuple[str, ...]) -> Call:
    """Import the library and return a call that evaluates the line, whatever its inputs."""
    value = evaluated("; ".join(f"import {name}" for name in names), line)()
    return lambda x: np.full(x.shape, float(value(x)))
