"""What a run survives: kills at any moment, full disks, damaged files, strange surroundings, changes in its middle.

    PYTHONPATH=. python benchmarks/crashes.py             50 kills of Snakemake, 50 of a worker: about an hour on two cores
    PYTHONPATH=. python benchmarks/crashes.py --kills 5   fewer
    PYTHONPATH=. python benchmarks/crashes.py --write     and the table into docs/robustness.md

Everything runs in copies of a small checkout with reduced experiments, below a temporary folder; the folder disturbances
has a module for each kind of disturbance.  After each case the run is made whole again as a user would, and every file of
its results, sidecars too, must then be byte for byte those of an undisturbed run (but for the time that a sweep says it
took), with no temporary file left; what could not go on must have said so in one sentence and left previous results as they
were.  Exit status 1 where that does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import harness  # noqa: F401  before NumPy, whose loops it chooses
from disturbances.changes import changes
from disturbances.damage import damaged
from disturbances.disks import disks
from disturbances.environments import environments
from disturbances.kills import kills
from disturbances.place import SAME, SENTENCE, Outcome, Place
from disturbances.steps import EXPERIMENTS, whole
from generated import put_between, table

PAGE = Path(__file__).parent.parent / "docs" / "robustness.md"


def cases(place: Place, count: int) -> Iterator[Outcome]:
    """Give what was tried and what came of it, one after another, the kills last."""
    for kind in (disks, damaged, environments, changes):
        yield from kind(place)
    yield from kills(place, count)


def main() -> int:
    """Run all cases; print each, then the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="of Snakemake, and of a worker")
    parser.add_argument("--write", action="store_true", help="write the table into docs/robustness.md")
    asked = parser.parse_args()
    found: Counter[Outcome] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), EXPERIMENTS, whole)
        for outcome in cases(place, asked.kills):
            found[outcome] += 1
            print(*outcome, sep=" | ", flush=True)
    wrong = [outcome for outcome in found if outcome[1] not in (SAME, SENTENCE) and "not tried" not in outcome[1]]
    if asked.write:
        rows = [(what, str(times), outcome) for (what, outcome), times in found.items()]
        put_between(PAGE, "benchmarks/crashes.py", table(("what", "times", "outcome"), rows))
    print(f"{found.total()} cases, {len(wrong)} kinds of fault")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
