"""Kills −9 at random moments: of Snakemake, alone and with its jobs, and of a sweep."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from disturbances.place import Ended, Outcome, Place, Site
from disturbances.steps import start_worker, start_workflow, whole, workflow

Start = Callable[[Site], subprocess.Popen]


def kills(place: Place, count: int) -> Iterator[Outcome]:
    """Give so many kills of Snakemake, every other one with its jobs, and as many of a worker."""
    longest = _seconds(place, start_workflow)
    for i in range(count):
        told = f"Snakemake killed{', and its jobs' if i % 2 else ''}"
        yield told, killed(place, start_workflow, workflow, longest, group=i % 2 == 1)
    yield from worker_kills(place, count)


def worker_kills(place: Place, count: int) -> Iterator[Outcome]:
    """Give kills of a sweep's process."""
    longest = 1.1 * _seconds(place, start_worker)
    for _ in range(count):
        yield "a worker killed", killed(place, start_worker, whole, longest, group=False)


def killed(place: Place, start: Start, repaired: Callable[[Site], Ended], longest: float, group: bool) -> str:
    """Kill a process, or its whole group, at a random moment of its run; run again and judge."""
    site = place.site(results=False)
    process = start(site)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(place.random.uniform(0, longest))
    if process.poll() is None:
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate()
    outcome = place.judged(site, repaired)
    shutil.rmtree(site.folder)
    return outcome


def _seconds(place: Place, start: Start) -> float:
    """Return how long an undisturbed run takes."""
    began = time.monotonic()
    start(place.site(results=False)).communicate()
    return time.monotonic() - began
