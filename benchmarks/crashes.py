"""What a run survives: kills at any moment, full disks, damaged files, strange surroundings.

    PYTHONPATH=. python benchmarks/crashes.py             50 kills of Snakemake, 50 of a worker: about an hour on two cores
    PYTHONPATH=. python benchmarks/crashes.py --kills 5   fewer
    PYTHONPATH=. python benchmarks/crashes.py --write     and the table into docs/robustness.md

Everything runs in copies of a small checkout with a reduced experiment, below a temporary folder.  After each case the
run is made whole again as a user would, and every file of its results, sidecars too, must then be byte for byte those
of an undisturbed run (but for the time that a sweep says it took), with no temporary file left; what could not go on must have said so in one sentence and left
previous results as they were.  Exit status 1 where that does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXPERIMENT = """
question: How wrong are two kernels?
problems: [bce_logits]
kernels: [sigmoid_clip_1e-7, lse_log1p]
formats: [float16, bfloat16]
targets: [0, 1]
grid: quick
shards: {float16: 2}
figures: false
"""
HUNT = """
question: Where is one kernel worst?
problems: [softplus]
kernels: [naive]
formats: [float16]
search: {budget: 4096}
"""
SHARDS = (("float16", 0), ("float16", 1), ("bfloat16", 0))
SUMMARIES = [f"results/summaries/small.{fmt}.{i}.npz" for fmt, i in SHARDS]
TABLE, SEARCH = "results/tables/small.csv", "results/searches/hunt.float16.0.json"
SEED = 1
SAME, SENTENCE = "complete, byte-identical", "one sentence, previous results intact"
State = dict[str, str]


@dataclass
class Site:
    """A small checkout in a folder of its own, and how its commands are run."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None  # run in the child, before its program

    def started(self, *words: str) -> subprocess.Popen:
        """Start `python -m …` in the checkout, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", *words], cwd=self.folder, env={**surroundings(), **self.environment}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=self.before,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, str]:
        """Run `python -m …`; return the exit status and what it said on standard error."""
        process = self.started(*words)
        said = process.communicate()[1]
        return process.returncode, said

    def state(self) -> State:
        """Return the checksum of every file of the results but logs, and of temporary ones too."""
        paths = [p for p in (self.folder / "results").rglob("*") if p.is_file() and "logs" not in p.parts]
        return {str(p.relative_to(self.folder)): hashlib.sha256(content(p)).hexdigest() for p in sorted(paths)}


def content(path: Path) -> bytes:
    """Return a file's bytes; a summary's without the nanoseconds that its sweep took, and what is the checksum of them."""
    data = path.read_bytes()
    if path.suffix != ".npz":
        return data
    try:
        with zipfile.ZipFile(path) as members:
            held = {name: members.read(name) for name in members.namelist() if name != "sha256"}
        told = json.loads(held.pop("description.json"))
        return repr((held, {k: v for k, v in told.items() if k != "nanoseconds"})).encode()
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError):  # damaged on purpose
        return data


def surroundings() -> dict[str, str]:
    """Return the environment of this process without what would lead to another checkout."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHASHSEED")}


# ---- the steps of a run, in processes of their own --------------------------------------------------------------


def sweep(site: Site, fmt: str, shard: int) -> tuple[int, str]:
    """Sweep one shard."""
    out = f"results/summaries/small.{fmt}.{shard}.npz"
    return site.run("harness", "sweep", "experiments/small.yaml", "-f", fmt, "--shard", str(shard), "--out", out)


def table(site: Site) -> tuple[int, str]:
    """Make the table of all shards."""
    return site.run("harness", "table", "experiments/small.yaml", *SUMMARIES, "--out", TABLE)


WHOLE = (
    "import sys\nfrom harness.cli.main import main\nfor line in sys.argv[1:]:\n    main(line.split()) and sys.exit(2)\n"
)


def whole(site: Site) -> tuple[int, str]:
    """Run all steps, one after another in one process: sweeps, table, search and its table."""
    lines = [
        *(
            f"sweep experiments/small.yaml -f {f} --shard {i} --out results/summaries/small.{f}.{i}.npz"
            for f, i in SHARDS
        ),
        f"table experiments/small.yaml {' '.join(SUMMARIES)} --out {TABLE}",
        f"search experiments/hunt.yaml -f float16 --out {SEARCH}",
        f"search-table experiments/hunt.yaml {SEARCH} --out results/tables/hunt.csv",
    ]
    (site.folder / "whole.py").write_text(WHOLE)
    return site.run("whole", *lines)


def workflow(site: Site, *options: str) -> tuple[int, str]:
    """Run the workflow, as `make` does: the lock of a run that was killed is removed first."""
    site.run("snakemake", "--cores", "1", "--unlock")
    return site.run("snakemake", "--cores", "1", *options, "small", "hunt")


def one_sentence(status: int, said: str) -> bool:
    """Tell whether a command ended in one sentence of the harness, and no traceback."""
    lines = [line for line in said.splitlines() if line.startswith("harness: ")]
    return status != 0 and len(lines) == 1 and "Traceback" not in said and "a fault of the harness" not in said


class Place:
    """A temporary folder with a pristine checkout, the results that an undisturbed run makes, and copies of both."""

    def __init__(self, folder: Path):
        self.folder, self.count = folder, 0
        self.pristine = folder / "pristine"
        made = self._made(self.pristine)
        assert whole(made)[0] == 0, whole(made)
        self.expected = made.state()
        self.random = random.Random(SEED)

    def _made(self, folder: Path) -> Site:
        (folder / "experiments").mkdir(parents=True)
        shutil.copytree(ROOT / "harness", folder / "harness", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "profiles", folder / "profiles")
        shutil.copytree(ROOT / "docs" / "captions", folder / "docs" / "captions")
        for name in ("Snakefile", "environment.yaml"):
            shutil.copy(ROOT / name, folder)
        for name in ("schema.yaml", "study_schema.yaml", "float8_pairs.yaml"):
            shutil.copy(ROOT / "experiments" / name, folder / "experiments")
        (folder / "experiments" / "small.yaml").write_text(EXPERIMENT)
        (folder / "experiments" / "hunt.yaml").write_text(HUNT)
        return Site(folder)

    def site(self, name: str = "", results: bool = True) -> Site:
        """Return a copy of the checkout, with its results or without."""
        self.count += 1
        ignored = shutil.ignore_patterns(".snakemake", *(() if results else ("results",)))
        return Site(Path(shutil.copytree(self.pristine, self.folder / (name or f"site{self.count}"), ignore=ignored)))

    def judged(self, site: Site, repaired: Callable[[Site], tuple[int, str]] = whole) -> str:
        """Make a site whole again and say whether its results are those of an undisturbed run."""
        status, said = repaired(site)
        if status:
            return f"the next run failed ({status}): {said[-300:]}"
        found = site.state()
        if found == self.expected:
            return SAME
        differing = sorted(k for k in {*found, *self.expected} if found.get(k) != self.expected.get(k))
        return f"differs: {', '.join(differing)}"


Outcome = tuple[str, str]  # what was tried, what came of it

# ---- kills ------------------------------------------------------------------------------------------------------


def killed(place: Place, start: Callable[[Site], subprocess.Popen], repaired, longest: float, group: bool) -> str:
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


def kills(place: Place, count: int) -> Iterator[Outcome]:
    """Give kills of Snakemake, alone and with its jobs, and of a worker."""

    def snakemake(site: Site) -> subprocess.Popen:
        return site.started("snakemake", "--cores", "1", "small", "hunt")

    def worker(site: Site) -> subprocess.Popen:
        return site.started("harness", "sweep", "experiments/small.yaml", "-f", "float16", "--out", SUMMARIES[0])

    began = time.monotonic()
    workflow(place.site(results=False))
    longest = time.monotonic() - began
    for i in range(count):
        yield (
            f"Snakemake killed{', and its jobs' if i % 2 else ''}",
            killed(place, snakemake, workflow, longest, i % 2 == 1),
        )
    yield from worker_kills(place, worker, count)


def worker_kills(place: Place, worker: Callable[[Site], subprocess.Popen], count: int) -> Iterator[Outcome]:
    """Give kills of a sweep's process."""
    began = time.monotonic()
    worker(place.site(results=False)).communicate()
    longest = 1.1 * (time.monotonic() - began)
    for _ in range(count):
        yield "a worker killed", killed(place, worker, whole, longest, False)


def start_worker(site: Site) -> subprocess.Popen:
    """Start the sweep of one shard."""
    return site.started("harness", "sweep", "experiments/small.yaml", "-f", "float16", "--out", SUMMARIES[0])


# ---- disks ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[bool]:
    """Mount a small disk in a folder while the block runs; give False where that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    there = shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield there
    finally:
        if there:
            subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a small disk's size, or whether it can be written to."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


SIZES = (1, 2, 3, 4, 6, 8, 10, 14, 20)  # pages of 4 KiB beyond what previous results take


def full_disk(place: Place, pages: int) -> Outcome:
    """Run everything anew on a disk that has some pages left, then with room again."""
    site, results = place.site(), None
    results = site.folder / "results"
    name = f"{pages * 4} KiB left on the disk"
    kept = place.folder / "kept"
    shutil.copytree(results, kept)
    try:
        with mounted(results, "64m") as there:
            if not there:
                return name, limited(site, place, pages * 4096)
            shutil.copytree(kept, results, dirs_exist_ok=True)
            used = sum(-(-p.stat().st_size // 4096) for p in results.rglob("*") if p.is_file()) + 1
            remount(results, f"size={(used + pages) * 4096}")
            return name, refused(site, place, lambda: remount(results, "size=64m"))
    finally:
        shutil.rmtree(kept)


def limited(site: Site, place: Place, size: int) -> str:
    """Let no file grow beyond a size, where no small disk can be mounted."""
    import resource

    site.before = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return refused(site, place, lambda: setattr(site, "before", None))


def refused(
    site: Site, place: Place, mend: Callable[[], object], tried: Callable[[Site], tuple[int, str]] = whole
) -> str:
    """Run in bad surroundings, then in good ones: complete, or one sentence with everything as it was."""
    status, said = tried(site)
    state = site.state()
    mend()
    if not status:
        return place.judged(site)
    if not one_sentence(status, said):
        return f"said: {said[-300:]}"
    if state != place.expected:
        return "previous results changed"
    again = place.judged(site)
    return SENTENCE if again == SAME else again


def read_only(place: Place) -> Outcome:
    """Run where results can be read and not written."""
    site = place.site()
    results, kept = site.folder / "results", place.folder / "kept"
    shutil.copytree(results, kept)
    try:
        with mounted(results, "64m") as there:
            if not there:
                return "read-only results", "not tried: no disk can be mounted here"
            shutil.copytree(kept, results, dirs_exist_ok=True)
            remount(results, "ro")
            return "read-only results", refused(site, place, lambda: remount(results, "rw"))
    finally:
        shutil.rmtree(kept)


# ---- damaged files ----------------------------------------------------------------------------------------------


def damaged(place: Place) -> Iterator[Outcome]:
    """Give each kind of file under results/ cut off and with one bit flipped: found, and mended by running again."""
    kinds = [SUMMARIES[0], SEARCH, *(f"results/tables/small.{k}" for k in ("csv", "md", "tex", "json"))]
    for path in kinds:
        for how in ("cut off", "one bit flipped"):
            site = place.site()
            file = site.folder / path
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 1
            file.write_bytes(bytes(data) if how != "cut off" else bytes(data[: len(data) // 2]))
            yield f"{Path(path).suffix} of {Path(path).parent.name}, {how}", found_damaged(place, site, path)
            shutil.rmtree(site.folder)


def found_damaged(place: Place, site: Site, path: str) -> str:
    """Ask the command that reads a file for it: a table's files are read by `harness verify`."""
    before = site.state()
    if path == SEARCH:
        status, said = site.run(
            "harness", "search-table", "experiments/hunt.yaml", SEARCH, "--out", "results/tables/hunt.csv"
        )
    elif path == SUMMARIES[0]:
        status, said = table(site)
    else:
        status, said = site.run("harness", "verify", "results")
        said = "harness: " if status == 1 and not said else said
    if not one_sentence(status, said):
        return f"not found ({status}): {said[-300:]}"
    if site.state() != before:
        return "previous results changed"
    again = place.judged(site)
    return SENTENCE if again == SAME else again


# ---- strange surroundings -----------------------------------------------------------------------------------------


def strange(place: Place) -> Iterator[Outcome]:
    """Give runs in other environments, places and orders."""
    foreign = place.folder / "foreign"
    (foreign / "harness").mkdir(parents=True, exist_ok=True)
    (foreign / "harness" / "__init__.py").write_text("raise SystemExit('another harness')\n")
    environments = {
        "a foreign PYTHONPATH": {"PYTHONPATH": str(foreign)},
        "locale C": {"LC_ALL": "C"},
        "locale C without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        "another time zone": {"TZ": "Asia/Kathmandu"},
        "hash seed 0": {"PYTHONHASHSEED": "0"},
        "hash seed 4242": {"PYTHONHASHSEED": "4242"},
        "a home that is not there": {"HOME": "/nowhere", "XDG_CACHE_HOME": "/nowhere"},
    }
    for name, environment in environments.items():
        site = place.site(results=False)
        site.environment = environment
        yield name, place.judged(site)
    for cores in sorted({0, max(os.sched_getaffinity(0))}):
        site = place.site(results=False)
        site.before = lambda core=cores: os.sched_setaffinity(0, {core})  # type: ignore[misc]
        yield f"core {cores} alone", place.judged(site)
    yield "a path with blanks and quotes", place.judged(place.site('a b\'s "c"', results=False))
    yield "a moved checkout", moved(place)
    yield "umask 077", with_umask(place)
    yield "another user", as_another(place)
    yield "files dated in the future", dated(place, time.time() + 86400)
    yield "files of before the clock was set back", dated(place, 86400.0)
    yield "a package is missing", without_package(place)
    yield "an experiment edited between sweep and table", edited(place)
    yield "other shard counts", other_shards(place)
    yield "two runs of one shard at once", twice(place)


def moved(place: Place) -> str:
    """Run half, move the checkout, run again."""
    site = place.site(results=False)
    sweep(site, *SHARDS[0])
    site.folder = Path(shutil.move(site.folder, place.folder / "moved"))
    return place.judged(site)


def with_umask(place: Place) -> str:
    """Run with a umask that keeps files to their user: they must be so."""
    site = place.site(results=False)
    site.before = lambda: (os.umask(0o077), None)[1]
    outcome = place.judged(site)
    modes = {oct(p.stat().st_mode & 0o777) for p in (site.folder / "results").rglob("*") if p.is_file()}
    return outcome if modes == {"0o600"} else f"modes {modes}"


def as_another(place: Place) -> str:
    """Run as a user to whom the results do not belong."""
    if os.getuid():
        return "not tried: only root can become another user"
    site = place.site()
    for path in (place.folder, site.folder):
        path.chmod(0o755)

    def nobody() -> None:
        os.setgid(65534)
        os.setuid(65534)

    site.before = nobody
    try:
        return refused(site, place, lambda: setattr(site, "before", None), table)
    except PermissionError:
        return "not tried: another user cannot run this Python"


def dated(place: Place, when: float) -> str:
    """Date all files, and run the workflow, which goes by dates."""
    site = place.site()
    for path in (site.folder / "results").rglob("*"):
        os.utime(path, (when, when))
    return place.judged(site, workflow)


def without_package(place: Place) -> str:
    """Run where a package of the workflow cannot be imported."""
    site, blocked = place.site(), place.folder / "blocked"
    blocked.mkdir()
    block = "import sys\nsys.modules['jsonschema'] = None\n"
    (blocked / "sitecustomize.py").write_text(block)
    site.environment = {"PYTHONPATH": str(blocked)}
    return refused(site, place, site.environment.clear, lambda s: sweep(s, *SHARDS[0]))


def edited(place: Place) -> str:
    """Sweep, edit the experiment, and ask for its table."""
    site = place.site()
    path = site.folder / "experiments" / "small.yaml"
    path.write_text(EXPERIMENT.replace("targets: [0, 1]", "targets: [0]"))
    return refused(site, place, lambda: path.write_text(EXPERIMENT), table)


def other_shards(place: Place) -> str:
    """Divide the sweep otherwise: the table's bytes are the same, and its sidecar names the other division."""
    site = place.site(results=False)
    (site.folder / "experiments" / "small.yaml").write_text(EXPERIMENT.replace("float16: 2", "float16: 1"))
    for fmt in ("float16", "bfloat16"):
        sweep(site, fmt, 0)
    paths = [f"results/summaries/small.{fmt}.0.npz" for fmt in ("float16", "bfloat16")]
    site.run("harness", "table", "experiments/small.yaml", *paths, "--out", TABLE)
    found = site.state()
    same = all(
        found[f"results/tables/small.{k}"] == place.expected[f"results/tables/small.{k}"] for k in ("csv", "md", "tex")
    )
    return SAME if same else "differs"


def twice(place: Place) -> str:
    """Let two processes write one file."""
    site = place.site(results=False)
    processes = [start_worker(site) for _ in range(2)]
    ended = [(p.communicate()[1], p.returncode) for p in processes]
    if any(status for _, status in ended):
        return f"failed: {ended}"
    return place.judged(site)


def two_workflows(place: Place) -> Outcome:
    """Start the workflow twice at once: the second is told of the lock, or finds all made."""
    site = place.site(results=False)
    first = site.started("snakemake", "--cores", "1", "small", "hunt")
    while not list((site.folder / ".snakemake" / "locks").glob("*.lock")) and first.poll() is None:
        time.sleep(0.05)
    second, said = site.run("snakemake", "--cores", "1", "small", "hunt")
    first.communicate()
    if second and "LockException" not in said:
        return "two runs of the workflow at once", f"said: {said[-300:]}"
    return "two runs of the workflow at once", place.judged(site, workflow)


def workflow_on_two_cores(place: Place) -> Outcome:
    """Run the workflow itself, on two cores."""
    site = place.site(results=False)
    return "the workflow on two cores", place.judged(
        site, lambda s: s.run("snakemake", "--cores", "2", "small", "hunt")
    )


# ---- all of it ------------------------------------------------------------------------------------------------------


def cases(place: Place, count: int) -> Iterator[Outcome]:
    """Give what was tried and what came of it, one after another."""
    for pages in SIZES:
        yield full_disk(place, pages)
    yield read_only(place)
    yield from damaged(place)
    yield from strange(place)
    yield two_workflows(place)
    yield workflow_on_two_cores(place)
    yield from kills(place, count)


def main() -> int:
    """Run all cases; print each, then the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="of Snakemake, and of a worker")
    parser.add_argument("--write", action="store_true", help="write the table into docs/robustness.md")
    asked = parser.parse_args()
    found: dict[Outcome, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        for outcome in cases(place, asked.kills):
            found[outcome] = found.get(outcome, 0) + 1
            print(*outcome, sep=" | ", flush=True)
    wrong = [outcome for outcome in found if outcome[1] not in (SAME, SENTENCE) and "not tried" not in outcome[1]]
    if asked.write:
        from generated import put_between
        from generated import table as written

        rows = [(what, str(times), outcome) for (what, outcome), times in found.items()]
        put_between(
            ROOT / "docs" / "robustness.md", "benchmarks/crashes.py", written(("what", "times", "outcome"), rows)
        )
    print(f"{sum(found.values())} cases, {len(wrong)} kinds of fault")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
