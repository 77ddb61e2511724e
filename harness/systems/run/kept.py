"""Keep a library's process at work: block after block of inputs through the same calls, without a start for each.

What supervise.py does for hostile calls costs a file for each answer; a sweep over every float32 input has millions
of them.  Here inputs and results lie in memory that both processes see, and only a line of text travels.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from harness.systems import adapters
from harness.systems.registry import Unavailable, library_named
from harness.systems.run.kept_worker import mapped
from harness.systems.run.supervise import START_LIMIT_S, Lines, ending, kill, started

# ASSUME: a block takes well under a second once its call is compiled; ten minutes are a hang.
BLOCK_LIMIT_S = 600.0
# One library computes at a time, beside the process that measures; its threads would wait for each other.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}  # fmt: skip
MEMORY = Path("/dev/shm")  # where files are memory, on Linux


class Worker:
    """Hold the process of one library, which answers `calls`, pairs of a system's key and a target ("" for none).

    Blocks have `length` inputs of float32.  `version` is the library's once it is loaded.  Raises Unavailable, from
    the start or from an answer, where the library is missing, raises, hangs or crashes.
    """

    def __init__(self, library: str, calls: Sequence[tuple[str, str]], length: int):
        entry = library_named(library)
        self.library, self.calls, self.length, self.place = library, list(calls), length, 0
        shared = MEMORY if os.access(MEMORY, os.W_OK) else None
        self._folder = tempfile.TemporaryDirectory(dir=shared)
        folder = Path(self._folder.name)
        # Plain arrays of the same memory: each slice of a memmap costs microseconds.
        self._inputs, self._results = map(np.asarray, mapped(folder, len(self.calls), length, "w+"))
        job = {"module": entry.module, "library": entry.name, "versions": list(entry.versions)}
        asked = {**job, "adapters": list(adapters.__path__), "calls": self.calls, "length": length}
        (folder / "job.json").write_text(json.dumps(asked))
        module = "harness.systems.run.kept_worker"
        self._process = started(module, folder, entry, ONE_THREAD, subprocess.PIPE)
        self._lines = Lines(self._process)
        try:
            self.version = str(self._told(START_LIMIT_S)["version"])
        except Unavailable:
            self.close()
            raise

    def answer(self, x: np.ndarray, calls: Sequence[int] | None = None) -> np.ndarray:
        """Return the results at inputs x of shape (n,), n up to `length`: shape (calls, n), those not asked undefined.

        Fewer inputs are repeated until they are as many.  `calls` are the positions of those asked, all by default.
        The array stays as it is until the call after the next.
        """
        self._inputs[:] = x if len(x) == self.length else np.resize(x, self.length)
        self.place = 1 - self.place
        asked = {"calls": list(range(len(self.calls)) if calls is None else calls), "place": self.place}
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # where the process has ended, what is read next says how
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
        self._told(BLOCK_LIMIT_S)
        return self._results[self.place, :, : len(x)]

    def close(self) -> None:
        """End the process and take its files away."""
        kill(self._process)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        del self._inputs, self._results
        self._folder.cleanup()

    def _told(self, limit: float) -> dict[str, object]:
        """Return the next line of the process; Unavailable where it says why not, or there is none in time."""
        text = self._lines.next(limit)
        if text is None:
            raise Unavailable(f"timed out after {limit:g} s")
        if not text:
            raise Unavailable(ending(self._process.wait()))
        line = json.loads(text)
        if "failed" in line:
            raise Unavailable(line["failed"])
        return line
