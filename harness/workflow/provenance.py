"""What a number depends on besides its inputs: versions, CPU features, C library, commit.

The last bits of exp, log and their like differ between CPUs and C libraries, so two machines may make tables that
differ; each table's JSON names what it was made with.
"""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import numpy as np

PACKAGES = ("numpy", "ml_dtypes", "mpmath", "gmpy2", "numpy_quaddtype", "pandas", "matplotlib", "snakemake")


def provenance() -> dict:
    """Return what is needed to explain a difference between two machines' tables.

    NumPy's float32 and float64 functions differ between CPUs: the SIMD features found are named.
    No time and no path is recorded, so that equal runs give equal bytes.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        **functions(),
        "commit": commit(),
    }


def functions() -> dict:
    """Return what NumPy's functions come from: its own loops, chosen by the CPU's features, and the C library's."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "libc": " ".join(platform.libc_ver()),
        "simd": simd_features(),
    }


def functions_differ(recorded: dict) -> str:
    """Say how the functions under a recorded table differ from this machine's; nothing where they are the same."""
    here = functions()
    differing = [k for k in here if k in recorded and recorded[k] != here[k]]
    then, now = (", ".join(f"{k} {_text(p[k])}" for k in differing) for p in (recorded, here))
    return f"made with {then}; this machine has {now}" if differing else ""


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value) or "none"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def simd_features() -> list[str]:
    """Return the CPU features that NumPy's loops are chosen by."""
    config = np.show_config(mode="dicts")
    return list(config["SIMD Extensions"].get("found", []))  # type: ignore[index]


def commit() -> str:
    """Return the commit of the source, or 'unknown' outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
