"""The reduced experiments of the small checkout, and the steps that make their results, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

from disturbances.place import ROOT, Ended, Site

sys.path.insert(0, str(ROOT / "tests"))

from reduced import HUNT, SWEEP

TWO_FORMATS = SWEEP.replace("formats: [float16]", "formats: [float16, bfloat16]") + "figures: false\n"
EXPERIMENTS = {"small": TWO_FORMATS, "hunt": HUNT}
SHARDS = (("float16", 0), ("float16", 1), ("bfloat16", 0))
SUMMARIES = [f"results/summaries/small.{fmt}.{i}.npz" for fmt, i in SHARDS]
TABLE, SEARCH = "results/tables/small.csv", "results/searches/hunt.float16.0.json"
TARGETS = ("small", "hunt")
LINES = [
    *(f"sweep experiments/small.yaml -f {f} --shard {i} --out results/summaries/small.{f}.{i}.npz" for f, i in SHARDS),
    f"table experiments/small.yaml {' '.join(SUMMARIES)} --out {TABLE}",
    f"search experiments/hunt.yaml -f float16 --out {SEARCH}",
    f"search-table experiments/hunt.yaml {SEARCH} --out results/tables/hunt.csv",
]
WHOLE = (
    "import sys\nfrom harness.cli.main import main\nfor line in sys.argv[1:]:\n    main(line.split()) and sys.exit(2)\n"
)


def sweep(site: Site, fmt: str, shard: int) -> Ended:
    """Sweep one shard."""
    out = f"results/summaries/small.{fmt}.{shard}.npz"
    return site.run("harness", "sweep", "experiments/small.yaml", "-f", fmt, "--shard", str(shard), "--out", out)


def start_worker(site: Site) -> subprocess.Popen:
    """Start the sweep of the first shard."""
    return site.started("harness", "sweep", "experiments/small.yaml", "-f", "float16", "--out", SUMMARIES[0])


def table(site: Site) -> Ended:
    """Make the table of all shards."""
    return site.run("harness", "table", "experiments/small.yaml", *SUMMARIES, "--out", TABLE)


def search_table(site: Site) -> Ended:
    """Make the table of the search."""
    return site.run("harness", "search-table", "experiments/hunt.yaml", SEARCH, "--out", "results/tables/hunt.csv")


def verify(site: Site) -> Ended:
    """Verify the tables; what it finds wrong is its answer, told on standard output and by exit status 1."""
    status, said = site.run("harness", "verify", "results")
    return status, said or ("harness: not verified\n" if status == 1 else "")


def whole(site: Site) -> Ended:
    """Run all steps, one after another in one process: sweeps, table, search and its table."""
    (site.folder / "whole.py").write_text(WHOLE)
    return site.run("whole", *LINES)


def start_workflow(site: Site) -> subprocess.Popen:
    """Start the workflow on one core."""
    return site.started("snakemake", "--cores", "1", *TARGETS)


def workflow(site: Site, cores: int = 1) -> Ended:
    """Run the workflow, as `make` does: the lock of a run that was killed is removed first."""
    site.run("snakemake", "--cores", "1", "--unlock")
    return site.run("snakemake", "--cores", str(cores), *TARGETS)
