"""What changes around a run: its place, its files' dates, its experiment, its division, and a second run beside it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from disturbances.place import SAME, Outcome, Place, one_sentence
from disturbances.steps import SHARDS, TABLE, TWO_FORMATS, start_worker, start_workflow, sweep, table, workflow

DAY = 86400.0
OTHER_TARGETS = TWO_FORMATS.replace("targets: [0, 1]", "targets: [0]")


def changes(place: Place) -> Iterator[Outcome]:
    """Give runs between whose steps something changes, and runs beside another."""
    yield "a moved checkout", moved(place)
    yield "files dated in the future", dated(place, time.time() + DAY)
    yield "files of before the clock was set back", dated(place, DAY)
    yield "an experiment edited between sweep and table", edited_between(place)
    yield "an experiment edited during a sweep", edited_during(place)
    yield "other shard counts (what the sidecar says of the division aside)", other_shards(place)
    yield "two runs of one shard at once", twice(place)
    yield "two runs of the workflow at once", two_workflows(place)


def moved(place: Place) -> str:
    """Run half, move the checkout, run again."""
    site = place.site(results=False)
    sweep(site, *SHARDS[0])
    site.folder = Path(shutil.move(site.folder, place.folder / "moved"))
    return place.judged(site)


def dated(place: Place, when: float) -> str:
    """Date all files, and run the workflow, which goes by dates."""
    site = place.site()
    for path in (site.folder / "results").rglob("*"):
        os.utime(path, (when, when))
    return place.judged(site, workflow)


def edited_between(place: Place) -> str:
    """Sweep, edit the experiment, and ask for its table."""
    site = place.site()
    path = site.folder / "experiments" / "small.yaml"
    path.write_text(OTHER_TARGETS)
    return place.refused(site, lambda: path.write_text(TWO_FORMATS), table)


def edited_during(place: Place) -> str:
    """Edit the experiment while a shard is swept: the table is of what was read at first, or refuses."""
    site = place.site()
    path = site.folder / "experiments" / "small.yaml"
    process = start_worker(site)
    time.sleep(place.random.uniform(0, 1))
    path.write_text(OTHER_TARGETS)
    process.communicate()
    before = site.state()
    status, said = table(site)
    if not one_sentence(status, said) or site.state() != before:
        return f"the table was made of both, or not refused as it should be ({status}): {said[-300:]}"
    path.write_text(TWO_FORMATS)
    return place.judged(site)


def other_shards(place: Place) -> str:
    """Divide the sweep otherwise: the table is the same, byte for byte, and its sidecar in all that is not of the division."""
    site = place.site(results=False)
    (site.folder / "experiments" / "small.yaml").write_text(TWO_FORMATS.replace("float16: 2", "float16: 1"))
    for fmt in ("float16", "bfloat16"):
        sweep(site, fmt, 0)
    paths = [f"results/summaries/small.{fmt}.0.npz" for fmt in ("float16", "bfloat16")]
    site.run("harness", "table", "experiments/small.yaml", *paths, "--out", TABLE)
    there, here = (folder / "results" / "tables" for folder in (place.pristine, site.folder))
    pairs = [(there / f"small.{kind}", here / f"small.{kind}") for kind in ("csv", "md", "tex")]
    differing = [one.name for one, other in pairs if not other.exists() or one.read_bytes() != other.read_bytes()]
    if _undivided(there / "small.json") != _undivided(here / "small.json"):
        differing.append("small.json")
    return f"differs: {', '.join(differing)}" if differing else SAME


def _undivided(sidecar: Path) -> dict:
    """Return what a sidecar says but for its division: the experiment's file names it, and each shard is audited by itself."""
    told = json.loads(sidecar.read_text()) if sidecar.exists() else {}
    return {key: value for key, value in told.items() if key not in ("audit", "experiment_sha256", "seal")}


def twice(place: Place) -> str:
    """Let two processes write one file."""
    site = place.site(results=False)
    processes = [start_worker(site) for _ in range(2)]
    ended = [(p.communicate()[1], p.returncode) for p in processes]
    if any(status for _, status in ended):
        return f"failed: {ended}"
    return place.judged(site)


def two_workflows(place: Place) -> str:
    """Start the workflow twice at once: the second is told of the lock, or finds all made."""
    site = place.site(results=False)
    first = start_workflow(site)
    while not list((site.folder / ".snakemake" / "locks").glob("*.lock")) and first.poll() is None:
        time.sleep(0.05)
    second = start_workflow(site)
    said = second.communicate()[1]
    first.communicate()
    if second.returncode and "LockException" not in said:
        return f"said: {said[-300:]}"
    return place.judged(site, workflow)
