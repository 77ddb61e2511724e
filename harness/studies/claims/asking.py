"""Ask libraries what their lines of Python give, each library in a supervised process of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.studies.claims.lines import LINES, key
from harness.systems.registry import Library, Unavailable, library_named
from harness.systems.run.supervise import Request, Result, evaluate

# How entries call a library, and its name in the register of systems.
LIBRARIES = {
    "keras": "keras-tensorflow",
    "keras_torch": "keras-torch",
    "torch": "torch",
    "optax": "optax",
    "sklearn": "sklearn",
}
AT = np.zeros(1, np.float32)  # a line has its inputs in it; the worker wants some
LIMIT_S = 60.0

# Of a library and a line: what became of it.
Answers = Mapping[tuple[str, str], Result]


@dataclass(frozen=True)
class Answer:
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
        module="harness.studies.claims.lines",
        environment={**library.environment, LINES: json.dumps([library.versions, list(lines)])},
    )
    return evaluate(entry, [Request(key(library.name, line), AT) for line in lines], LIMIT_S)


def ask_all(lines: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Result]:
    """Ask each library, named as entries do, all of its lines in one process."""
    found: dict[tuple[str, str], Result] = {}
    for name in LIBRARIES:
        own = list(dict.fromkeys(line for library, line in lines if library == name))
        if own:
            results = ask(library_named(LIBRARIES[name]), own)
            found.update({(name, line): result for line, result in zip(own, results, strict=True)})
    return found


def answers_to(answers: Answers, library: str, lines: Sequence[str]) -> list[Answer]:
    """Return what a library answered to lines; Unavailable where it could not be run."""
    return [answer(LIBRARIES[library], answers[library, line]) for line in lines]


def answer(library: str, result: Result) -> Answer:
    """Return a result as an answer; Unavailable where there is none."""
    if result.status == "unavailable":
        raise Unavailable(f"{library}: {result.reason}")
    if result.output is None:
        return Answer(math.nan, result.reason.split(":")[0])
    return Answer(float(result.output[0]))
