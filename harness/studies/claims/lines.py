"""Lines of Python as systems, for the worker: each gives the number that the line evaluates to.

The worker's environment holds the import names of the library and the lines, as JSON.
"""

from __future__ import annotations

import json
import os
from functools import partial

import numpy as np

from harness.systems.commands import evaluated
from harness.systems.registry import Call, System

LINES = "HARNESS_CLAIM_LINES"


def key(library: str, line: str) -> str:
    """Return the key of a line's system."""
    return _system(library, line, ()).key


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
