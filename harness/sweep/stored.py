"""Summary files: zip files of NumPy arrays with a description and the digest of everything in them.

A file holds the summaries of all problems and kernels of one shard.  Its description says which experiment, format,
targets, grid and shard it is of; the digest tells a damaged file from a whole one.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from harness import UsageError
from harness.sweep.summary import CELL_FIELDS, EXTREMES, Summary
from harness.truth.errors import OUTCOMES
from harness.workflow.files import replacing

ROW_FIELDS = ("bad_below", "bad_above")
# What zipfile, zlib and json raise over bytes that no sweep wrote.
UNREADABLE = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    ValueError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the same inputs give the same bytes


def write_summaries(path: Path, summaries: Mapping[str, Mapping[str, Summary]], description: dict) -> None:
    """Write the summaries of a job, {problem: {kernel: summary}}, with its description.

    The kernels of one problem share their cells and targets.  The same summaries give the same bytes.
    """
    members: dict[str, bytes] = {}
    for problem, by_kernel in summaries.items():
        for name, array in _stack(list(by_kernel.values())).items():
            members[f"{problem}/{name}.npy"] = _npy(array)
    kernels = {problem: list(by_kernel) for problem, by_kernel in summaries.items()}
    members["description.json"] = json.dumps({**description, "kernels": kernels}, indent=1).encode()
    digest = hashlib.sha256()
    for name, data in members.items():
        digest.update(name.encode() + data)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as z:
        for name, data in {**members, "sha256": digest.hexdigest().encode()}.items():
            z.writestr(zipfile.ZipInfo(name, ZIP_DATE), data, zipfile.ZIP_DEFLATED, compresslevel=1)


def read_summaries(path: Path) -> tuple[dict[str, dict[str, Summary]], dict]:
    """Return the summaries, {problem: {kernel: summary}}, and the description that `write_summaries` wrote.

    Raises UsageError where the file is no such file, is cut off, or does not match its digest.
    """
    try:
        with zipfile.ZipFile(path) as z:
            members = {name: z.read(name) for name in z.namelist()}
        stated = members.pop("sha256").decode()
    except UNREADABLE as e:
        raise _damaged(path, e) from e
    digest = hashlib.sha256()
    for name, data in members.items():
        digest.update(name.encode() + data)
    if digest.hexdigest() != stated:
        raise UsageError(f"{path} does not match its checksum; delete it and run the sweep again")
    description = json.loads(members.pop("description.json"))
    arrays = {name: np.load(io.BytesIO(data)) for name, data in members.items()}
    try:
        return {
            problem: {kernel: _unstack(arrays, problem, i) for i, kernel in enumerate(kernels)}
            for problem, kernels in description["kernels"].items()
        }, description
    except KeyError as e:
        raise UsageError(f"{path} lacks {e}: another version wrote it; delete it and run the sweep again") from e


def read_description(path: Path) -> dict:
    """Return the description of a summary file without reading its arrays; UsageError where there is none."""
    try:
        with zipfile.ZipFile(path) as z:
            return json.loads(z.read("description.json"))
    except UNREADABLE as e:
        raise _damaged(path, e) from e


def _damaged(path: Path, e: Exception) -> UsageError:
    told = e.strerror if isinstance(e, OSError) and e.strerror else str(e) or type(e).__name__
    return UsageError(f"{path} is not a whole summary file ({told}); delete it and run the sweep again")


def _npy(array: np.ndarray) -> bytes:
    buffer: IO[bytes] = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()  # type: ignore[attr-defined]


def _stack(summaries: list[Summary]) -> dict[str, np.ndarray]:
    """Stack the fields of summaries with the same cells and targets along a first axis."""
    stacked = {name: np.stack([getattr(s, name) for s in summaries]) for name in (*CELL_FIELDS, *ROW_FIELDS)}
    stacked["cells"] = summaries[0].cells
    stacked["points"] = summaries[0].points
    for name in OUTCOMES:
        stacked[name] = np.stack([s.outcomes[name] for s in summaries]).astype(np.uint32)
    for name in EXTREMES:
        stacked[name] = np.stack([s.extreme[name] for s in summaries])
        stacked[name + "_at"] = np.stack([s.extreme_at[name] for s in summaries])
    return stacked


def _unstack(arrays: Mapping[str, np.ndarray], problem: str, i: int) -> Summary:
    def get(name: str) -> np.ndarray:
        return arrays[f"{problem}/{name}.npy"]

    summary = Summary(get("max_ulp").shape[1], get("cells"))
    for name in CELL_FIELDS:
        if get(name).shape[-1:] != summary.cells.shape:
            raise KeyError(f"{name} of each cell")
    for name in (*CELL_FIELDS, *ROW_FIELDS):
        setattr(summary, name, get(name) if name == "points" else get(name)[i])
    summary.outcomes = {name: get(name)[i].astype(np.int64) for name in OUTCOMES}
    summary.extreme = {name: get(name)[i] for name in EXTREMES}
    summary.extreme_at = {name: get(name + "_at")[i] for name in EXTREMES}
    return summary
