"""Run one library's systems in this process: `python -m harness.systems.run.worker FOLDER`.

Reads FOLDER/job.json; for each request it writes a JSON line to the standard output that it was
started with, first when the system is loaded, then when its result lies in FOLDER.  The
library never sees that pipe: file descriptor 1 is a file by then, and what it prints is reported.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from harness.numbers.formats import format_named, format_of
from harness.systems import adapters
from harness.systems.registry import Call, System, Unavailable, systems_in

PRINTED_CHARACTERS = 200


def read_array(path: Path, dtype: str) -> np.ndarray:
    """Read an array that `write_array` wrote, its bits taken as numbers of the format named `dtype`."""
    return np.load(path).view(format_named(dtype).dtype)


def write_array(path: Path, values: np.ndarray) -> str:
    """Write an array as its bit patterns, since .npy knows no bfloat16; return its format's name."""
    fmt = format_of(values.dtype)
    np.save(path, np.ascontiguousarray(values).view(fmt.unsigned))
    return fmt.name


def divert_stdout(folder: Path) -> tuple[TextIO, BinaryIO]:
    """Return the channel to the supervisor, and the file that now stands in as standard output."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    printed = open(folder / "printed", "w+b", buffering=0)  # noqa: SIM115 - stays open as fd 1
    os.dup2(printed.fileno(), 1)
    return channel, printed


def _take_printed(printed: BinaryIO) -> str:
    """Return the start of what was printed since the last call, and forget it."""
    sys.stdout.flush()
    ctypes.CDLL(None).fflush(None)  # the C library has a buffer of its own
    printed.seek(0)
    text = printed.read().decode(errors="replace")
    printed.seek(0)
    printed.truncate()
    return text[:PRINTED_CHARACTERS]


def version_of(names: Sequence[str]) -> str:
    """Return the versions of imported libraries as they are recorded."""
    return " ".join(f"{n}=={import_module(n).__version__}" for n in names)


def load(system: System, versions: list[str]) -> tuple[Call, str]:
    """Load a system, and with it its library; return its call, and the versions.  Raises Unavailable, saying why not."""
    try:
        return system.load(), version_of(versions)
    except ModuleNotFoundError as error:
        raise Unavailable(f"not installed: {error}") from error
    except Exception as error:
        raise Unavailable(f"does not load: {message(error)}") from error


def message(error: BaseException) -> str:
    """Return the error's type and the first line of its message."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:300]


def _checked(result: Any, x: np.ndarray) -> np.ndarray:
    array = np.asarray(result)
    if array.shape != x.shape:
        raise Unavailable(f"returned shape {array.shape} for inputs of shape {x.shape}")
    if array.dtype.name not in ("float16", "bfloat16", "float32", "float64"):
        raise Unavailable(f"returned {array.dtype} for inputs of format {x.dtype}")
    return array


def _run(call: Call, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Call a system on one request; return what the supervisor is told."""
    x = read_array(folder / request["x"], request["format"])
    inputs = [x]
    if request["y"] is not None:
        y = read_array(folder / request["y"], request["format"])
        inputs.append(np.broadcast_to(y, x.shape).copy())
    started = time.perf_counter()
    refusals: dict[int, str] = {}
    try:
        with np.errstate(all="ignore"):
            result = _each(call, inputs, refusals) if request["alone"] else _checked(call(*inputs), x)
    except Unavailable:
        raise
    except Exception as error:  # whatever the library raises is its refusal
        return {"status": "refused", "reason": message(error)}
    seconds = time.perf_counter() - started
    written = write_array(folder / request["output"], result)
    return {"status": "ok", "format": written, "seconds": seconds, "refusals": refusals}


def _each(call: Call, inputs: list[np.ndarray], refusals: dict[int, str]) -> np.ndarray:
    """Call a system on one element at a time; NaN stands where it refused, and `refusals` gets its message.

    Raises what the first input raised where every one is refused.
    """
    found: list[np.ndarray | None] = []
    first: Exception | None = None
    for i in range(len(inputs[0])):
        one = [v[i : i + 1] for v in inputs]
        try:
            found.append(_checked(call(*one), one[0]))
        except Exception as error:
            refusals[i], first = message(error), first or error
            found.append(None)
    there = [v for v in found if v is not None]
    if not there:
        assert first is not None
        raise first
    dtype = np.result_type(*there) if len({v.dtype for v in there}) > 1 else there[0].dtype
    return np.concatenate([np.full(1, np.nan, dtype) if v is None else v.astype(dtype) for v in found])


def main(folder: Path) -> None:
    """Answer every request of the job in order."""
    job = json.loads((folder / "job.json").read_text())
    channel, printed = divert_stdout(folder)
    adapters.__path__ = job["adapters"]
    systems = systems_in(job["module"], job["library"])
    loaded: dict[str, tuple[Call, str]] = {}

    def tell(**line: Any) -> None:
        channel.write(json.dumps(line) + "\n")

    for request in job["requests"]:
        key, version = request["system"], ""
        try:
            if key not in systems:
                raise Unavailable(f"unknown system {key!r}")
            if key not in loaded:
                loaded[key] = load(systems[key], job["versions"])
            call, version = loaded[key]
            tell(index=request["index"], loaded=True)
            answer = _run(call, request, folder)
        except Unavailable as error:
            answer = {"status": "unavailable", "reason": str(error)}
        tell(index=request["index"], version=version, printed=_take_printed(printed), **answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # libraries' own shutdown may hang or crash; every answer has been written
