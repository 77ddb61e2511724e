"""What stands beside a table's CSV, its sidecar in JSON: checksums of the table's files, provenance, and its own checksum.

Whoever reads a table asks here first whether it is the one that was written.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from harness import UsageError
from harness.workflow import files

SIDECAR_SEAL = "seal"  # the key of a sidecar's own checksum; its `sha256` are the other files'


def described(path: Path) -> dict[str, Any]:
    """Return what the sidecar of a table says, by any path of the table's; UsageError where it is missing or none."""
    sidecar = path.with_suffix(".json")
    found = files.read_json(sidecar, "a table's sidecar")
    if not isinstance(found, dict) or not isinstance(found.get("sha256"), dict):
        raise UsageError(f"{sidecar} is not a table's sidecar (it has no checksums); make the table again")
    if SIDECAR_SEAL in found and not files.is_whole(found, SIDECAR_SEAL):  # those of before had none
        raise UsageError(f"{sidecar} does not match its own checksum; make the table again")
    if not isinstance(found.setdefault("provenance", {}), dict):
        raise UsageError(f"{sidecar} is not a table's sidecar (its provenance is none); make the table again")
    return found


def as_signed(path: Path) -> None:
    """Raise UsageError where a table's CSV is not there, or is not the one that its sidecar, if it has one, was written with."""
    if not path.is_file():
        raise UsageError(f"there is no table {path}; make it first")
    sidecar = path.with_suffix(".json")
    for wait in (0.1, 0.2, 0.4, 0.0):
        if not sidecar.is_file() or described(path)["sha256"].get(path.name, "") == files.sha256(path):
            return
        time.sleep(wait)  # another job may be between renaming the one and the other
    raise UsageError(f"{path} does not match its checksum in {sidecar.name}; make the table again")
