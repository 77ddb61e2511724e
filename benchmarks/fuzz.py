"""Bad input by the thousand: every file that a command reads, every option, every field of an experiment, random damage.

    PYTHONPATH=. python benchmarks/fuzz.py              the corpus, the fields and the options: about ten minutes
    PYTHONPATH=. python benchmarks/fuzz.py --damage N   and N files with random damage
    PYTHONPATH=. python benchmarks/fuzz.py --only fix   what has that word in the first column of the table
    PYTHONPATH=. python benchmarks/fuzz.py --write      and the table into docs/robustness.md

Each case runs one command in its own copy of a small world of valid files (tests/bad_input.py).  It must use its input,
or refuse it in one sentence with exit status 2 and leave every file as it was.  Exit status 1 where a case does not.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import harness  # noqa: F401  before NumPy, whose loops it chooses

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import bad_input  # noqa: E402
from generated import put_between, table  # noqa: E402

SEED = 1
# In a command whose input was used, an option or field of its own makes no case of bad input; it is counted all the same.
HEADINGS = (
    "bad input",
    "cases",
    "used",
    "answered no",
    "refused in one sentence, exit 2",
    "a user's crash, exit 3",
    "faults",
)
VERDICTS = ("used", "its answer is no", "refused", "a user's function crashed")


def cases(damage: int) -> Iterator[bad_input.Spoiled]:
    """Give all cases, in one order."""
    rng = random.Random(SEED)
    yield from bad_input.corpus()
    yield from bad_input.field_cases()
    for command in bad_input.COMMANDS:
        yield from bad_input.option_cases(command)
    yield from islice(bad_input.damaged(rng), damage)


def main() -> int:
    """Run all cases; print faults as they come, then the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--damage", type=int, default=2000, help="how many files with random damage")
    parser.add_argument("--write", action="store_true", help="write the table into docs/robustness.md")
    parser.add_argument("--only", default="", help="a word in the first column of the table: only those cases")
    asked = parser.parse_args()
    if asked.write and asked.only:
        parser.error("the table is of all cases: --write goes without --only")
    found: dict[str, Counter] = {}
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        master = bad_input.world(Path(folder) / "world")
        for case in (c for c in cases(asked.damage) if asked.only in c.kind):
            judged = bad_input.tried(case, master, Path(folder) / "copy")
            found.setdefault(case.kind, Counter())[judged.verdict] += 1
            if not judged.ok:
                faults += 1
                print(f"{case.kind}, {case.name}: {judged.verdict} ({judged.status}): {judged.error}", flush=True)
    rows = [counted(kind, counter) for kind, counter in found.items()]
    rows.append(counted("all", sum(found.values(), Counter())))
    text = table(HEADINGS, rows)
    print(text)
    if asked.write:
        put_between(ROOT / "docs" / "robustness.md", "benchmarks/fuzz.py", text)
    return 1 if faults else 0


def counted(kind: str, counter: Counter) -> list[str]:
    """Return a row of the table: how many cases of a kind there were, and what became of them."""
    good = [counter[verdict] for verdict in VERDICTS]
    return [kind, *(f"{n:,}" for n in (counter.total(), *good, counter.total() - sum(good)))]


if __name__ == "__main__":
    sys.exit(main())
