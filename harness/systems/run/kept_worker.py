"""Answer block after block of one library's calls in this process: `python -m harness.systems.run.kept_worker FOLDER`.

FOLDER/job.json names the calls, each a system and a target.  Inputs and results do not travel: they lie in two files
that both processes map into their memory.  Once the systems are loaded the process writes a JSON line with the
library's versions to the standard output that it was started with; then it answers each line that it reads, which says
which calls to make and where their results go, with one that says that they are there, or why not.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from harness.systems import adapters
from harness.systems.registry import Call, Unavailable, systems_in
from harness.systems.run.worker import divert_stdout, load, message

INPUTS, RESULTS = "inputs", "results"


def mapped(folder: Path, calls: int, length: int, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs, shape (length,), and the results, shape (2, calls, length), as float32 arrays in shared files.

    There are two places for results, so that one can be read while the other is written.  `mode` is numpy.memmap's:
    w+ makes the files, r+ opens them.
    """
    shapes = {INPUTS: (length,), RESULTS: (2, calls, length)}
    found = [np.memmap(folder / name, np.float32, mode, shape=shape) for name, shape in shapes.items()]  # type: ignore[call-overload]
    return found[0], found[1]


def answer(call: Call, x: np.ndarray, target: str, out: np.ndarray) -> None:
    """Call a system at inputs x and one target, "" for none, and round its results into `out`; all of shape (n,)."""
    given = [x.copy()] if target == "" else [x.copy(), np.full(x.shape, float(target), x.dtype)]
    result = np.asarray(call(*given))
    if result.shape != x.shape:
        raise Unavailable(f"returned shape {result.shape} for inputs of shape {x.shape}")
    out[:] = result


def main(folder: Path) -> None:
    """Load the job's systems, then answer every line on standard input."""
    job = json.loads((folder / "job.json").read_text())
    channel, _ = divert_stdout(folder)
    adapters.__path__ = job["adapters"]

    def tell(**line: object) -> None:
        channel.write(json.dumps(line) + "\n")

    x, results = mapped(folder, len(job["calls"]), job["length"], "r+")
    systems, loaded, version = systems_in(job["module"], job["library"]), {}, ""
    try:
        for key, _ in job["calls"]:
            if key not in loaded:
                loaded[key], version = load(systems[key], job["versions"])
    except Unavailable as error:
        tell(failed=str(error))
        return
    tell(version=version)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            with np.errstate(all="ignore"):
                for i in asked["calls"]:
                    key, target = job["calls"][i]
                    answer(loaded[key], x, target, results[asked["place"], i])
        except Exception as error:  # whatever the library raises
            tell(failed=message(error))
            return
        tell(done=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # libraries' own shutdown may hang or crash; every answer has been written
