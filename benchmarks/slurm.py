"""The workflow on a real Slurm of two nodes: undisturbed, a node killed, a job cancelled; the bytes of the local run.

    PYTHONPATH=. python benchmarks/slurm.py            minutes, on two idle cores
    PYTHONPATH=. python benchmarks/slurm.py --write    and the table into docs/howto/cluster.md

A sweep of every input of two 16-bit formats, in shards, with its table, runs once here by profiles/default, then on a Slurm
that is started for it (disturbances/slurm_cluster.py) by profiles/slurm.  Every file of the results, sidecars too, must be
byte for byte that of the local run, but for the nanoseconds that a summary file says its sweep took.  Where no Slurm can be
started it says why, and ends with exit status 0; exit status 1 where the bytes differ or a run fails.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from disturbances.place import SAME, Ended, Outcome, Place, Site
from disturbances.slurm_cluster import Cluster, unavailable, wait
from generated import put_between, table

ROOT = Path(__file__).parent.parent
EVERY = """
question: How wrong are two kernels at every input?
problems: [bce_logits]
kernels: [sigmoid_clip_1e-7, lse_log1p]
formats: [float16, bfloat16]
targets: [0, 1]
grid: exhaustive
shards: {float16: 8, bfloat16: 8}
figures: false
"""
# What this cluster lacks, and how often its jobs are looked at; the rest is the profile's.
HERE = (
    "--workflow-profile", "profiles/slurm", "--slurm-no-account", "--slurm-status-command", "squeue",
    "--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "10",
)  # fmt: skip
SECONDS = 1800.0


def locally(site: Site) -> Ended:
    """Run the workflow on this machine, by the default profile."""
    return site.run("snakemake", "--cores", "2", "small")


def on_slurm(site: Site) -> Ended:
    """Run the workflow on the cluster."""
    process = site.started("snakemake", *HERE, "small")
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    said = process.communicate()[1]
    timer.cancel()
    return process.returncode, said


def disturbed(place: Place, cluster: Cluster, disturb: Callable[[str], None] | None) -> str:
    """Run on the cluster, disturb what runs on its second node, and judge what is there at the end."""
    site = place.site(results=False)
    ended: list[Ended] = []
    run = threading.Thread(target=lambda: ended.append(on_slurm(site)))
    run.start()
    if disturb:
        wait(lambda: cluster.running("n2") or ended, "no job comes to the second node", SECONDS)
        time.sleep(place.random.uniform(0, 2))
        if ended:
            return "the run ended before it could be disturbed"
        disturb(cluster.running("n2")[0])
    run.join()
    return place.judged(site, lambda _: ended[0])


def cases(place: Place, cluster: Cluster) -> Iterator[Outcome]:
    """Give what was tried and what came of it, one after another."""
    yield "nothing disturbs it", disturbed(place, cluster, None)
    yield "a job is cancelled (scancel)", disturbed(place, cluster, cluster.cancel)
    yield (
        "a node dies in the middle (kill −9 of its daemon and of what it runs)",
        disturbed(place, cluster, lambda _: cluster.kill("n2")),
    )


def main() -> int:
    """Run all cases; print each, then write the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the table into docs/howto/cluster.md")
    asked = parser.parse_args()
    plugin = importlib.util.find_spec("snakemake_executor_plugin_slurm")
    reason = unavailable() or ("" if plugin else "Snakemake's executor for Slurm is not installed (the extra slurm)")
    if reason:
        print(f"skipped: {reason}")
        return 0
    found = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # munged wants its socket where all may come
        place = Place(Path(folder) / "place", {"small": EVERY}, locally)
        with Cluster(Path(folder) / "cluster") as cluster:
            for outcome in cases(place, cluster):
                found.append(outcome)
                print(*outcome, sep=" | ", flush=True)
    if asked.write:
        put_between(
            ROOT / "docs" / "howto" / "cluster.md", "benchmarks/slurm.py", table(("on two nodes", "outcome"), found)
        )
    return 0 if all(outcome == SAME for _, outcome in found) else 1


if __name__ == "__main__":
    sys.exit(main())
