"""Files of results, written and read in one place: each whole or not at all.

A file is written under a temporary name beside its place and renamed, so that a run that is killed leaves what was
there before.  Files that belong together are renamed together.  What summary files hold, see sweep/stored.py.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from harness import UsageError

# Names of experiments and tables: what a file's name, a wildcard of the Snakefile and a shell need no quoting for.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
UMASK = os.umask(0o022)  # it can only be read by setting it
os.umask(UMASK)
SEAL = "sha256"  # the key of a file's checksum


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it into place if all went well.

    What a killed run left of the same file is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.stem)}-*{glob.escape(path.suffix)}"):
        if _abandoned(left):
            left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    _locked(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~UMASK)  # as of any new file; mkstemp makes its own for one user
        temporary.replace(path)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """Give an empty folder in `root` for files that are moved from there; what a killed run left of such is removed."""
    root.mkdir(parents=True, exist_ok=True)
    for left in root.glob(".staged-*"):
        if _abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".staged-") as name:
        handle = os.open(name, os.O_RDONLY)
        _locked(handle)
        try:
            yield Path(name)
        finally:
            os.close(handle)


def _locked(handle: int) -> bool:
    """Lock an open file for as long as this process lives; tell whether it could be."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has it, or the file system has no locks
        return False
    return True


def _abandoned(path: Path) -> bool:
    """Tell whether a temporary file or folder is of a process that lives no more: whoever lives has it locked.

    One that is empty and of the last seconds may be of a process that is about to lock it.
    """
    try:
        state, handle = path.stat(), os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        empty = not any(path.iterdir()) if path.is_dir() else state.st_size == 0
        return (not empty or time.time() - state.st_mtime > 10) and _locked(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, in UTF-8 with Unix line ends."""
    write_texts({path: text})


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write text files that belong together, in UTF-8 with Unix line ends.

    None is touched unless all could be written.  They are then renamed from the last to the first, so that where the
    first names the others, it never names what is not there yet.
    """
    with ExitStack() as stack:
        temporaries = [stack.enter_context(replacing(path)) for path in texts]
        for temporary, text in zip(temporaries, texts.values(), strict=True):
            temporary.write_text(text, encoding="utf-8", newline="\n")


def to_json(value: Any) -> str:
    """Write a value as the text of a JSON file, keys in the order given; ValueError for NaN and infinities."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole, keys in the order given; ValueError for NaN and infinities."""
    write_text(path, to_json(value))


def read_text(path: Path, kind: str = "a text file") -> str:
    """Return a text file's text; UsageError where it is not there or not in UTF-8, which says what it should be."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as e:
        raise UsageError(f"{path} is not there; it should be {kind}") from e
    except OSError as e:
        raise UsageError(f"{path} cannot be read: {e.strerror}; it should be {kind}") from e
    except UnicodeDecodeError as e:
        raise UsageError(f"{path} is not {kind}: byte {e.start + 1} is not UTF-8") from e


def read_json(path: Path, kind: str = "a JSON file") -> Any:
    """Return what a JSON file holds; UsageError where it is not there or no JSON, which says what it should be."""
    text = read_text(path, kind)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as e:
        raise UsageError(f"{path} is not {kind} ({e})") from e


def sealed(value: Mapping[str, Any], key: str = SEAL) -> dict[str, Any]:
    """Return what a JSON file is to hold, with the SHA-256 of all of it at its end."""
    held = {k: v for k, v in value.items() if k != key}
    return {**held, key: sha256_of(to_json(held))}


def is_whole(found: Mapping[str, Any], key: str = SEAL) -> bool:
    """Tell whether what was read from a sealed file is what was written."""
    try:
        return sealed(found, key)[key] == found[key]
    except ValueError:  # a NaN, which no sealed file holds, or half of a surrogate pair
        return False


def write_sealed(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file whole, with the SHA-256 of everything in it at its end: what one stage hands to the next."""
    write_json(path, sealed(value))


def read_sealed(path: Path, kind: str, again: str, keys: Iterable[str] = ()) -> dict[str, Any]:
    """Return what `write_sealed` wrote, with the keys of its kind.

    Raises UsageError where the file is something else or was changed, with what to do `again`.
    """
    found = read_json(path, kind)
    if not isinstance(found, dict) or SEAL not in found:
        raise UsageError(f"{path} is not {kind} (it has no checksum); {again}")
    if not is_whole(found):
        raise UsageError(f"{path} does not match its checksum; {again}")
    if not set(keys) <= set(found):
        raise UsageError(f"{path} is not {kind} (keys are missing); {again}")
    return {k: v for k, v in found.items() if k != SEAL}


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def sha256_of(text: str) -> str:
    """Return the SHA-256, 64 hex digits, of the file that `write_text` makes of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
