"""A small checkout with reduced experiments, its undisturbed results, and the judge of what a disturbance left of them.

A case takes a copy of the checkout, a `Site`, disturbs a run in it, and runs again as a user would.  The files of its
results, sidecars too, must then be byte for byte those of the undisturbed run, but for the nanoseconds that a summary file
says its sweep took, with no temporary file left.  A run that could not go on must have said so in one sentence.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SEED = 1
SAME, SENTENCE = "complete, byte-identical", "one sentence, previous results intact"
State = dict[str, str]  # a file below a checkout, and the checksum of what it holds
Ended = tuple[int, str]  # an exit status, and what was said on standard error
Outcome = tuple[str, str]  # what was tried, and what came of it


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

    def run(self, *words: str) -> Ended:
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


def one_sentence(status: int, said: str) -> bool:
    """Tell whether a command ended in one sentence of the harness, and no traceback."""
    lines = [line for line in said.splitlines() if line.startswith("harness: ")]
    return status != 0 and len(lines) == 1 and "Traceback" not in said and "a fault of the harness" not in said


class Place:
    """A folder with a pristine checkout, the results that an undisturbed run makes, and copies of both."""

    def __init__(self, folder: Path, experiments: Mapping[str, str], made: Callable[[Site], Ended]):
        """Write the experiments' files, text by name, and make their results by `made`, which makes a copy's whole too."""
        self.folder, self.count, self.made = folder, 0, made
        self.pristine = folder / "pristine"
        self.random = random.Random(SEED)
        site = Site(self.pristine)
        copy_checkout(self.pristine)
        for name, text in experiments.items():
            (self.pristine / "experiments" / f"{name}.yaml").write_text(text)
        status, said = made(site)
        if status:
            raise RuntimeError(f"the undisturbed run failed ({status}): {said}")
        self.expected = site.state()

    def site(self, name: str = "", results: bool = True) -> Site:
        """Return a copy of the checkout, with its results or without."""
        self.count += 1
        ignored = shutil.ignore_patterns(".snakemake", *(() if results else ("results",)))
        return Site(Path(shutil.copytree(self.pristine, self.folder / (name or f"site{self.count}"), ignore=ignored)))

    def judged(self, site: Site, repaired: Callable[[Site], Ended] | None = None) -> str:
        """Make a site whole again and say whether its results are those of an undisturbed run."""
        status, said = (repaired or self.made)(site)
        if status:
            return f"the next run failed ({status}): {said[-300:]}"
        found = site.state()
        if found == self.expected:
            return SAME
        differing = sorted(k for k in {*found, *self.expected} if found.get(k) != self.expected.get(k))
        return f"differs: {', '.join(differing)}"

    def refused(self, site: Site, mend: Callable[[], object], tried: Callable[[Site], Ended] | None = None) -> str:
        """Run in bad surroundings, then in good ones: complete, or one sentence with everything as it was."""
        status, said = (tried or self.made)(site)
        state = site.state()
        mend()
        if not status:
            return self.judged(site)
        if not one_sentence(status, said):
            return f"said: {said[-300:]}"
        if state != self.expected:
            return "previous results changed"
        again = self.judged(site)
        return SENTENCE if again == SAME else again


def copy_checkout(folder: Path) -> None:
    """Copy what a run needs of this checkout, with one small study, which the workflow wants to exist."""
    (folder / "experiments").mkdir(parents=True)
    shutil.copytree(ROOT / "harness", folder / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    shutil.copytree(ROOT / "docs" / "captions", folder / "docs" / "captions")
    for name in ("Snakefile", "environment.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("schema.yaml", "study_schema.yaml", "float8_pairs.yaml"):
        shutil.copy(ROOT / "experiments" / name, folder / "experiments")
