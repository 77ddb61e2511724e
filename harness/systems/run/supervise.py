"""Run a library's systems in a worker process, and survive whatever the library does to it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import harness
from harness import UsageError
from harness.numbers.formats import format_of
from harness.systems import adapters
from harness.systems.registry import Library, library_named
from harness.systems.run.worker import read_array, write_array

# ASSUME: 90 s start any library on a busy machine; TensorFlow takes 10 s on an idle one.
START_LIMIT_S = 90.0


@dataclass(frozen=True)
class Request:
    """Ask for a system, by key, at 1-D inputs `x` and a target `y` of one format (0-D, or x's shape).

    `alone` has it called once for each input, an array of one element: another path through a library than a long
    array takes, and one refusal does not take the rest along.
    """

    system: str
    x: np.ndarray
    y: np.ndarray | None = None
    alone: bool = False


@dataclass(frozen=True)
class Result:
    """Say what became of a request.

    `status` is ok, refused (the library raised: `reason` is its message) or unavailable (`reason`
    says why: not installed, crashed, timed out, returned another shape).  `output` is None unless
    ok, and in the format that the library returned.  `printed` starts what went to standard output.
    `refusals` are the messages of inputs, by position, that were refused when each was called alone.
    """

    status: str
    reason: str = ""
    version: str = ""
    printed: str = ""
    seconds: float = 0.0
    output: np.ndarray | None = None
    refusals: Mapping[int, str] = field(default_factory=dict)


def evaluate(
    library: str | Library,
    requests: Sequence[Request],
    timeout_s: float = 120.0,
    start_s: float = START_LIMIT_S,
) -> list[Result]:
    """Answer the requests in a process of the library's own, in order.

    `timeout_s` limits each call, `start_s` the loading of the library and of each system.  After a
    crash or a time-out a new process takes up the rest, without the system that was to blame.
    Raises UsageError for an unknown library, or targets of another format than their inputs.
    """
    entry = library_named(library) if isinstance(library, str) else library
    results: dict[int, Result] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = _write_job(folder, entry, requests)
        pending = job["requests"]
        while pending:
            (folder / "job.json").write_text(json.dumps({**job, "requests": pending}))
            failure = _attempt(folder, entry, pending, results, timeout_s, start_s)
            pending = [r for r in pending if r["index"] not in results]
            if failure:
                pending = _blame(pending, failure, results)
    return [results[i] for i in range(len(requests))]


def _write_job(folder: Path, library: Library, requests: Sequence[Request]) -> dict[str, Any]:
    """Write each array once; return the job that worker.py reads."""
    files: dict[int, str] = {}

    def stored(array: np.ndarray) -> str:
        if id(array) not in files:
            files[id(array)] = f"input{len(files)}.npy"
            write_array(folder / files[id(array)], array)
        return files[id(array)]

    lines = []
    for index, r in enumerate(requests):
        if r.y is not None and r.y.dtype != r.x.dtype:
            raise UsageError(f"targets are {r.y.dtype}, but must have the inputs' format, {r.x.dtype}")
        y = None if r.y is None else stored(r.y)
        line = {
            "index": index,
            "system": r.system,
            "x": stored(r.x),
            "y": y,
            "format": format_of(r.x.dtype).name,
            "alone": r.alone,
        }
        lines.append({**line, "output": f"output{index}.npy"})
    return {
        "adapters": list(adapters.__path__),
        "module": library.module,
        "library": library.name,
        "versions": list(library.versions),
        "requests": lines,
    }


def _attempt(
    folder: Path,
    library: Library,
    pending: list[dict],
    results: dict[int, Result],
    timeout_s: float,
    start_s: float,
) -> str:
    """Run one worker until it ends; add its answers to `results`; return why it failed, or ''."""
    process = started("harness.systems.run.worker", folder, library)
    assert process.stdout is not None
    try:
        return _collect(process, folder, len(pending), results, timeout_s, start_s)
    finally:
        kill(process)
        process.stdout.close()


def started(
    module: str,
    folder: Path,
    library: Library,
    further: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen:
    """Start a module as a library's process, given a folder as its argument; its standard output is a pipe.

    `further` are settings of its environment besides the library's own.  The folder is its working directory, so that
    what the library drops there goes with it.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", **(further or {})}
    environment.update(library.environment)
    root = str(Path(harness.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, "-m", module, str(folder)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


def _collect(
    process: subprocess.Popen,
    folder: Path,
    expected: int,
    results: dict[int, Result],
    timeout_s: float,
    start_s: float,
) -> str:
    """Read answers until all are in; return why the worker failed, or ''."""
    answered, limit = 0, start_s
    lines = Lines(process)
    while answered < expected:
        text = lines.next(limit)
        if text is None:
            return f"timed out after {limit:g} s"
        if not text:
            return ending(process.wait())
        line = json.loads(text)
        if line.get("loaded"):
            limit = timeout_s
            continue
        results[line["index"]] = _result(folder, line)
        answered, limit = answered + 1, start_s
    return ""


class Lines:
    """Read lines from a process with a time limit each."""

    def __init__(self, process: subprocess.Popen):
        assert process.stdout is not None
        self.process, self.fd, self.buffer = process, process.stdout.fileno(), b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.fd, selectors.EVENT_READ)

    def next(self, limit: float) -> str | None:
        """Return the next line; '' once the process has ended, None when the limit has passed."""
        deadline = time.monotonic() + limit
        while b"\n" not in self.buffer:
            # A forked child may keep the pipe open after a crash, so the process is asked, too.
            ended = self.process.poll() is not None
            if self.selector.select(0 if ended else 0.2):
                chunk = os.read(self.fd, 1 << 16)
                self.buffer += chunk
                ended = ended or not chunk
                if chunk:
                    continue
            if ended:
                return ""
            if time.monotonic() > deadline:
                return None
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()


def _result(folder: Path, line: dict[str, Any]) -> Result:
    output = None
    if line["status"] == "ok":
        path = folder / f"output{line['index']}.npy"
        output = read_array(path, line["format"])
        path.unlink()
    return Result(
        line["status"],
        line.get("reason", ""),
        line["version"],
        line["printed"],
        line.get("seconds", 0.0),
        output,
        {int(i): reason for i, reason in line.get("refusals", {}).items()},
    )


def ending(code: int) -> str:
    """Say how a process ended, from its exit code: by itself, or by a signal."""
    if code < 0:
        return f"crashed with signal {-code} ({signal.Signals(-code).name})"
    return f"its process ended with exit code {code}"


def _blame(pending: list[dict], failure: str, results: dict[int, Result]) -> list[dict]:
    """Mark every request of the system that was running; return the others."""
    culprit = pending[0]["system"]
    for r in pending:
        if r["system"] == culprit:
            results[r["index"]] = Result("unavailable", failure)
    return [r for r in pending if r["system"] != culprit]


def kill(process: subprocess.Popen) -> None:
    """End the worker and the children that it left behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
