"""What a number depends on besides its inputs: the harness's sources, versions, CPU features, C library.

The last bits of exp, log and their like differ between CPUs and C libraries, so two machines may make tables that
differ; each table's JSON names what its figures were measured with.  The sources are named by a digest of what the
measurement runs, not by a commit: the digest stays where only other files change, and it is as right in a wheel as
in a checkout with edits that no commit has.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

import harness
from harness import UsageError

FATAL = 128  # git's exit status where it cannot read a repository; 1 says that a file is not tracked
ROOT = Path(harness.__file__).parent
PACKAGES = ("numpy", "ml_dtypes", "mpmath", "gmpy2", "numpy_quaddtype", "pandas", "matplotlib", "snakemake")
# These write and draw tables; no measured figure depends on them.
SHOWING = ("pandas", "matplotlib", "snakemake")


def provenance(sources: Iterable[str] | None = None) -> dict:
    """Return what is needed to explain a difference between two machines' tables.

    `sources` are the files that a measurement runs, relative to the folder of the package (dependencies.sources gives
    them); by default all of the package.  NumPy's float32 and float64 functions differ between CPUs: the SIMD
    features found are named.  No time, no path and no commit is recorded, so that equal runs give equal bytes.
    """
    return {
        "version": harness.__version__,
        "sources": digest(all_sources() if sources is None else sources),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        **functions(),
    }


def functions() -> dict:
    """Return what NumPy's functions come from: its own loops, chosen by the CPU's features, and the C library's."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "libc": " ".join(platform.libc_ver()),
        "simd": simd_features(),
    }


def measured_alike(one: Mapping, other: Mapping) -> str:
    """Say in what two provenances differ that a measured figure depends on; nothing where they are alike."""
    pairs = [{**p, **p.get("packages", {})} for p in (one, other)]
    keys = [k for k in dict.fromkeys([*pairs[0], *pairs[1]]) if k not in ("packages", *SHOWING)]
    differing = [k for k in keys if pairs[0].get(k) != pairs[1].get(k)]
    then, now = (", ".join(f"{k} {_text(p.get(k, 'unknown'))}" for k in differing) for p in pairs)
    return f"{then} and with {now}" if differing else ""


def of_one_measurement(measured: Sequence[tuple[Path, Mapping]], again: str, code: bool = True) -> dict:
    """Return what all files of a measurement were measured with, without the commit, which changes where nothing else does.

    Each file comes with its provenance.  UsageError where two differ in more than what shows them, or `code` is false and
    they differ in more than the sources; it ends in what to do `again`.
    """
    left_out = {"commit"} if code else {"commit", "sources"}
    (first_path, first), *others = [(p, {k: v for k, v in told.items() if k not in left_out}) for p, told in measured]
    for path, told in others:
        differ = measured_alike(first, told)
        if differ:
            raise UsageError(f"{first_path} and {path} were measured with {differ}; {again}")
    return first


def functions_differ(recorded: dict) -> str:
    """Say how the functions under a recorded table differ from this machine's; nothing where they are the same."""
    here = functions()
    differing = [k for k in here if k in recorded and recorded[k] != here[k]]
    then, now = (", ".join(f"{k} {_text(p[k])}" for k in differing) for p in (recorded, here))
    return f"made with {then}; this machine has {now}" if differing else ""


def all_sources() -> list[str]:
    """Return every file of the package that code or a page comes from, relative to the folder that holds it, sorted."""
    found = [p for kind in ("*.py", "*.j2") for p in ROOT.rglob(kind)]
    return sorted(p.relative_to(ROOT.parent).as_posix() for p in found)


def digest(sources: Iterable[str]) -> str:
    """Return the SHA-256, 64 hex digits, of the names and contents of source files (see `provenance`), in any order."""
    found = hashlib.sha256()
    for name in sorted(sources):
        content = (ROOT.parent / name).read_bytes().replace(b"\r\n", b"\n")  # a checkout may have turned the line ends
        found.update(f"{Path(name).as_posix()}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def commit(package: Path = ROOT) -> str:
    """Return the commit of the source, with `-dirty` where files of the package differ from it.

    'unknown' outside a checkout of the harness: an installed package that merely lies inside somebody's repository
    is no part of it, so the package and the project's file must be tracked files at the repository's top.  'unreadable'
    with the reason where there is a repository that git cannot read: of another user, damaged, or no git here.
    """
    top = package.parent
    try:
        _git(top, "ls-files", "--error-unmatch", "--", f"{package.name}/__init__.py", "pyproject.toml")
        if _git(top, "rev-parse", "--show-prefix"):
            return "unknown"
        changed = _git(top, "status", "--porcelain", "--", package.name)
        return _git(top, "rev-parse", "HEAD") + ("-dirty" if changed else "")
    except OSError as e:
        return f"unreadable ({e.strerror})" if (top / ".git").exists() else "unknown"
    except subprocess.CalledProcessError as e:
        fatal = e.returncode == FATAL and (top / ".git").exists()
        return f"unreadable ({e.stderr.strip().splitlines()[0]})" if fatal and e.stderr.strip() else "unknown"


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


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
