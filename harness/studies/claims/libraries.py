"""Ask a library for a few values, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from typing import Any

# ASSUME: 120 s start any library and compute a handful of values, on a busy machine too.
LIMIT_S = 120
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow"}
# Each line prints one JSON value; an exception is a value, too: its type and first line.
PROGRAM = """
import importlib, importlib.metadata, json, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
package, lines = sys.argv[1], json.loads(sys.argv[2])
names = {"np": np, package: importlib.import_module(package)}
found = []
for line in lines:
    try:
        found.append(np.asarray(eval(line, names), dtype=float).ravel().tolist())
    except Exception as e:
        found.append(type(e).__name__ + ": " + str(e).strip().split("\\n")[0])
print()
print(json.dumps([importlib.metadata.version(sys.argv[3]), found]))
"""
DISTRIBUTION = {"sklearn": "scikit-learn"}


class NotThere(Exception):
    """A library cannot be run; the message says why."""


@dataclass(frozen=True)
class Answers:
    """Hold a library's name and version, and for each line a list of numbers or what was raised."""

    version: str
    values: list[Any]


@cache
def ask(package: str, *lines: str) -> Answers:
    """Evaluate Python expressions with a library imported; NotThere where it cannot be.

    `np` is NumPy.  The library's own process ends with the call, whatever it does.
    """
    distribution = DISTRIBUTION.get(package, package)
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, package, json.dumps(lines), distribution],
                cwd=folder, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, timeout=LIMIT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as e:
            raise NotThere(f"{package} did not answer within {LIMIT_S} s") from e
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise NotThere(f"{package} cannot be run: {last}")
    version, values = json.loads(done.stdout.strip().splitlines()[-1])
    return Answers(f"{distribution} {version}", values)
