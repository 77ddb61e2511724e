"""Run a function under check in a process of its own, within limits of time and memory.

The process is forked from this one before the function is loaded, so it costs milliseconds, and whatever the function
does happens there: what it prints goes to the standard error, and if it never returns, eats the memory or ends the
process, that is told in one sentence and nothing here is lost.  A function that exists only in this process, of a
library whose threads do not survive a fork (JAX, TensorFlow, or CUDA), is called here instead, see `Here`.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Any

from harness import Crash, UsageError
from harness.checking.class_subject import ClassSubject
from harness.checking.subject import Loaded, Subject
from harness.checking.surroundings import FORKS
from harness.sweep.own import one_line
from harness.workflow.time_limit import time_limit

POLL_S = 0.05  # between two looks at what memory is used
GIB = 1 << 30
LOADING = (
    "load"  # what finds the function, and imports its library: it has a time of its own, as long as all calls have
)
MEMORY_GIB = 8.0
NO_CHANNEL = 71  # the exit code of a child that cannot send its results


class Here:
    """Call a function under check in this process, where a fork would break its library; time is limited all the same.

    Its limit holds in a main thread, where a signal can end a call; there is no limit of memory.
    """

    def __init__(self, subject: Subject | ClassSubject, timeout: float):
        self.subject, self.timeout, self.spent = subject, timeout, 0.0

    def ask(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the subject returns; UsageError, or Crash where its time is up."""
        begun, left = time.monotonic(), max(self.timeout - self.spent, 0.001)
        sentence = out_of_time(self.subject.name, method, self.timeout, "timeout")
        try:
            with time_limit(left, Crash(sentence)):
                return getattr(self.subject, method)(*arguments)
        except UsageError:
            if time.monotonic() - begun >= left:  # a library may wrap what ends its call in an error of its own
                raise Crash(sentence) from None
            raise
        finally:
            self.spent += 0 if method == LOADING else time.monotonic() - begun

    def close(self) -> None:
        """End nothing, as there is no process apart; the library's settings are again those of the user."""
        self.subject.arrays.leave()


class Child:
    """Hold the process of a function under check: `ask` calls a method of its Subject there.

    `timeout` is in seconds, for all calls together (for each call where `each_call`), and once more for the file and the
    library that are loaded before them; `memory` in GiB.
    """

    def __init__(
        self, subject: Subject | ClassSubject, timeout: float, memory: float = MEMORY_GIB, each_call: bool = False
    ):
        self.name, self.timeout, self.memory, self.each_call = subject.name, timeout, memory, each_call
        self.spent = 0.0
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()  # else the child would write it a second time
        self.channel, theirs = Pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python 3.12 on, and of JAX, on threads: those of NumPy are idle
            self.process = os.fork()
        if self.process == 0:
            self.channel.close()
            _serve(theirs, subject)
        theirs.close()
        self.ended: int | None = None

    def ask(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the subject returns; UsageError as it raises, Crash where the process ends or is ended."""
        begun = time.monotonic()
        left = self.timeout if self.each_call else self.timeout - self.spent
        try:
            self.channel.send((method, arguments))
            answer = self._answer(begun + left, method)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise Crash(f"{self.name} {self._ending()}") from None
        finally:
            self.spent += 0 if method == LOADING else time.monotonic() - begun
        kind, value = answer
        if kind == "returned":
            return value
        raise value if isinstance(value, UsageError) else UsageError(str(value))

    def _answer(self, deadline: float, method: str) -> tuple[str, Any]:
        while not self.channel.poll(min(POLL_S, max(deadline - time.monotonic(), 0))):
            if time.monotonic() >= deadline:
                raise Crash(out_of_time(self.name, method, self.timeout, "--timeout"))
            if _resident(self.process) > self.memory * GIB:
                raise Crash(f"{self.name} ran out of memory: it uses more than {self.memory:g} GiB (--memory)")
        found = self.channel.recv()
        if not (isinstance(found, tuple) and len(found) == 2):
            raise EOFError
        return found

    def _ending(self) -> str:
        """Say how the process ended, or that it has not and no longer answers."""
        for _ in range(20):
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                self.ended = status
                code = os.waitstatus_to_exitcode(status)
                if code < 0:
                    return f"crashed with signal {-code} ({signal.Signals(-code).name})"
                if code == NO_CHANNEL:
                    break
                if code == FORKS:
                    return "forked its process again and again; a loss must leave its surroundings as they are"
                return f"ended its process with exit code {code}; it must return its results"
            time.sleep(0.01)
        return "closed the channel that its results come by; a loss must leave its surroundings as they are"

    def close(self) -> None:
        """End the process and what it has started."""
        self.channel.close()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process, signal.SIGKILL)
        if self.ended is None:
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            with suppress(ChildProcessError):
                self.ended = os.waitpid(self.process, 0)[1]


def out_of_time(name: str, method: str, timeout: float, option: str) -> str:
    """Say in one sentence that a function took longer than it may: to be loaded, or for its calls."""
    what = "what it imports and its first calls take" if method == LOADING else "its calls take"
    return f"{name} ran out of time: {what} more than {timeout:g} s ({option})"


def started(subject: Subject | ClassSubject, timeout: float, memory: float, each_call: bool) -> Child | Here:
    """Return a process of the subject's own; this one, where it is an object of a library that a fork would break."""
    return Here(subject, timeout) if _bound_here(subject) else Child(subject, timeout, memory, each_call)


def _bound_here(subject: Subject | ClassSubject) -> bool:
    if not hasattr(os, "fork"):
        return True
    live = not isinstance(subject.target, str) or callable(subject.options.gradient_function)
    threaded = [name for name in ("jax", "tensorflow") if name in sys.modules]
    torch = sys.modules.get("torch")
    return live and (bool(threaded) or (torch is not None and torch.cuda.is_initialized()))


# -- in the child -----------------------------------------------------------------------------------


def _serve(channel: Connection, subject: Subject | ClassSubject) -> None:
    """Answer calls until there are no more; the process never returns from here."""
    code = 70
    try:
        _apart()
        subject.surroundings.begin()
        subject.surroundings.apart = True
        while True:
            method, arguments = channel.recv()
            channel.send(_answered(subject, method, arguments))
    except (EOFError, KeyboardInterrupt):
        code = 0
    except BaseException:
        code = NO_CHANNEL
    finally:
        os._exit(code)


def _apart() -> None:
    """Leave the terminal's group, so that all of it can be ended at once, and send what is printed to standard error."""
    os.setsid()
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False, errors="replace")
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False, errors="replace")
    sys.stdin = open(os.devnull)  # noqa: SIM115 - for as long as the process lasts
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.disable()  # a crash is told in one sentence
    if (
        sys.modules.get("torch") is not None
    ):  # its threads stayed in the parent: a parallel loop would wait for them for ever
        sys.modules["torch"].set_num_threads(1)


def _answered(subject: Subject | ClassSubject, method: str, arguments: tuple) -> tuple[str, Any]:
    try:
        return "returned", getattr(subject, method)(*arguments)
    except UsageError as e:
        return "refused", UsageError(str(e))
    except BaseException as e:
        return "refused", UsageError(f"{subject.name} raised {one_line(e)}")


def _resident(process: int) -> int:
    """Return how many bytes of memory a process holds; 0 where the system does not tell."""
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


Ask = Callable[..., Any]
__all__ = ["Child", "Here", "Loaded", "started"]
