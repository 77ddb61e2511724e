"""What a function must leave as it found it: standard output, NumPy, mpmath, threads, and the process itself.

A loss is a function of its inputs.  One that closes the standard output, replaces a function of NumPy, changes mpmath's
precision, forks, or leaves a thread behind may still return numbers, but nothing that is computed beside it can be
trusted, so it is refused in one sentence that says what it did.
"""

from __future__ import annotations

import io
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mpmath
import numpy as np

from harness import UsageError

GRACE_S = 0.5  # for threads that are about to end
# A pool forks anew for each process that is ended, without end: a process of its own that does so is ended with this code.
MOST_FORKS, FORKS = 16, 72

_watching: list[Surroundings] = []  # those whose function runs now


def _forked() -> None:
    for surroundings in _watching:
        surroundings.forks += 1
        if surroundings.forks > MOST_FORKS and surroundings.apart:
            os._exit(FORKS)


def _end_fork() -> None:
    """End a process that a function under check has forked, before it goes on as if it were this one."""
    if _watching:
        os._exit(0)


if hasattr(os, "register_at_fork"):  # where there are forks at all
    os.register_at_fork(after_in_parent=_forked, after_in_child=_end_fork)


class Surroundings:
    """Remember how things are, and tell what has changed."""

    def __init__(self) -> None:
        self.forks, self.apart = 0, False
        self.begin()

    def begin(self) -> None:
        """Take things as they are now for what must not change."""
        self.output = sys.stdout
        self.modules = {module: dict(vars(module)) for module in (np, math)}
        self.mpmath = (mpmath.mp.prec, mpmath.iv.prec)
        self.threads: set[threading.Thread] = set(threading.enumerate())

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch for forks while a user's function runs."""
        _watching.append(self)
        try:
            yield
        finally:
            _watching.remove(self)

    def check(self, name: str) -> None:
        """Raise UsageError where a function has changed what it must leave."""
        did = self._changed()
        if did:
            raise UsageError(f"{name} {did}; a loss must leave its surroundings as they are")

    def _changed(self) -> str:
        if self.forks:
            return "forked its process"
        if sys.stdout is not self.output:
            return "replaced sys.stdout"
        if self.output is not None and (self.output.closed or not _open(self.output)):
            return "closed the standard output"
        for module, before in self.modules.items():
            patched = [n for n, v in before.items() if vars(module).get(n, v) is not v and not n.startswith("__")]
            if patched:
                return f"replaced {module.__name__}.{patched[0]}"
        if (mpmath.mp.prec, mpmath.iv.prec) != self.mpmath:
            return f"changed mpmath's precision from {self.mpmath[0]} to {mpmath.mp.prec} bits"
        return self._thread()

    def _thread(self) -> str:
        deadline = time.monotonic() + GRACE_S
        left: list[Any] = [None]
        while left and time.monotonic() < deadline:
            left = [t for t in threading.enumerate() if t not in self.threads and t.is_alive()]
            if left:
                time.sleep(0.01)
        return f"left the thread {left[0].name!r} running" if left else ""


def _open(stream: Any) -> bool:
    """Tell whether the descriptor under a stream is open; a stream without one is."""
    try:
        os.fstat(stream.fileno())
    except (AttributeError, io.UnsupportedOperation):
        return True
    except (OSError, ValueError):
        return False
    return True
