"""Strange surroundings: environment variables, cores, folders, umask, another user, a package that is missing."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from disturbances.place import Outcome, Place
from disturbances.steps import SHARDS, sweep, table, workflow

VARIABLES = {
    "locale C": {"LC_ALL": "C"},
    "locale C without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "another time zone": {"TZ": "Asia/Kathmandu"},
    "hash seed 0": {"PYTHONHASHSEED": "0"},
    "hash seed 4242": {"PYTHONHASHSEED": "4242"},
    "a home that is not there": {"HOME": "/nowhere", "XDG_CACHE_HOME": "/nowhere"},
}
NOBODY = 65534
# Linux's capabilities by which root passes over whose a file is: chown, dac_override, dac_read_search, fowner.
PASSING_OVER = range(4)
PR_CAPBSET_DROP = 24


def environments(place: Place) -> Iterator[Outcome]:
    """Give runs in other environments and as other users."""
    for name, variables in VARIABLES.items():
        yield name, with_variables(place, variables)
    yield "a foreign PYTHONPATH", with_foreign_modules(place)
    for core in sorted({0, max(os.sched_getaffinity(0))}):
        yield f"core {core} alone", on_core(place, core)
    yield "the workflow on two cores", place.judged(place.site(results=False), lambda s: workflow(s, cores=2))
    yield "a path with blanks and quotes", place.judged(place.site('a b\'s "c"', results=False))
    yield "umask 077", with_umask(place)
    yield "another user", as_another_user(place)
    yield "a package is missing", without_package(place)


def with_variables(place: Place, variables: dict[str, str]) -> str:
    """Run with environment variables."""
    site = place.site(results=False)
    site.environment = variables
    return place.judged(site)


def with_foreign_modules(place: Place) -> str:
    """Run where another package of the harness's name is on PYTHONPATH."""
    foreign = place.folder / "foreign"
    (foreign / "harness").mkdir(parents=True)
    (foreign / "harness" / "__init__.py").write_text("raise SystemExit('another harness')\n")
    return with_variables(place, {"PYTHONPATH": str(foreign)})


def on_core(place: Place, core: int) -> str:
    """Run on one core."""
    site = place.site(results=False)
    site.before = lambda: os.sched_setaffinity(0, {core})
    return place.judged(site)


def with_umask(place: Place) -> str:
    """Run with a umask that keeps files to their user: they must be so."""
    site = place.site(results=False)
    site.before = lambda: (os.umask(0o077), None)[1]
    outcome = place.judged(site)
    modes = {oct(p.stat().st_mode & 0o777) for p in (site.folder / "results").rglob("*") if p.is_file()}
    return outcome if modes == {"0o600"} else f"modes {modes}"


def as_another_user(place: Place) -> str:
    """Run as a user to whom the results do not belong, and who may only read them."""
    if os.getuid():
        return "not tried: only root can give files to another user"
    site = place.site()
    results = [site.folder / "results", *(site.folder / "results").rglob("*")]

    def mend() -> None:
        site.before = None
        _belong_to(0, results)

    _belong_to(NOBODY, results)
    site.before = _as_any_user
    return place.refused(site, mend, table)


def _as_any_user() -> None:
    """Give up what root may do to others' files; its programs, in root's own folders, can still be read."""
    libc = ctypes.CDLL(None)
    for capability in PASSING_OVER:
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def _belong_to(user: int, paths: list[Path]) -> None:
    for path in paths:
        os.chown(path, user, user)


def without_package(place: Place) -> str:
    """Run where a package of the workflow cannot be imported."""
    site, blocked = place.site(), place.folder / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text("import sys\nsys.modules['jsonschema'] = None\n")
    site.environment = {"PYTHONPATH": str(blocked)}
    return place.refused(site, site.environment.clear, lambda s: sweep(s, *SHARDS[0]))
