"""Disks: full after some pages, and read-only."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from disturbances.place import Outcome, Place, Site

PAGE = 4096
SIZES = (1, 2, 3, 4, 6, 8, 10, 14, 20)  # pages beyond what previous results take


def disks(place: Place) -> Iterator[Outcome]:
    """Give full disks of nine sizes, and one that cannot be written to."""
    for pages in SIZES:
        yield f"{pages * 4} KiB left on the disk", full_disk(place, pages)
    yield "read-only results", read_only(place)


def full_disk(place: Place, pages: int) -> str:
    """Run everything anew on a disk that has some pages left, then with room again."""
    site = place.site()
    with on_a_disk(place, site) as results:
        if results is None:
            return limited(place, site, pages * PAGE)
        used = sum(-(-p.stat().st_size // PAGE) for p in results.rglob("*") if p.is_file()) + 1
        remount(results, f"size={(used + pages) * PAGE}")
        return place.refused(site, lambda: remount(results, "size=64m"))


def limited(place: Place, site: Site, size: int) -> str:
    """Let no file grow beyond a size, where no small disk can be mounted."""
    site.before = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return place.refused(site, lambda: setattr(site, "before", None))


def read_only(place: Place) -> str:
    """Run where results can be read and not written."""
    site = place.site()
    with on_a_disk(place, site) as results:
        if results is None:
            return "not tried: no disk can be mounted here"
        remount(results, "ro")
        return place.refused(site, lambda: remount(results, "rw"))


@contextlib.contextmanager
def on_a_disk(place: Place, site: Site) -> Iterator[Path | None]:
    """Put a site's results on a small disk of their own while the block runs; give None where that is not permitted."""
    results, kept = site.folder / "results", place.folder / "kept"
    shutil.copytree(results, kept)
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(results)]
    there = shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
    try:
        if there:
            shutil.copytree(kept, results, dirs_exist_ok=True)
        yield results if there else None
    finally:
        if there:
            subprocess.run(["umount", str(results)], check=True)
        shutil.rmtree(kept)


def remount(folder: Path, options: str) -> None:
    """Change a small disk's size, or whether it can be written to."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)
