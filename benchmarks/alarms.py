"""How often assertions of a test suite raise an alarm: for losses within their budget, and for such as are not.

    python benchmarks/alarms.py            a project of its own, tested in 20 processes; about six minutes
    python benchmarks/alarms.py --runs 3   fewer
    python benchmarks/alarms.py --write    and the table into docs/keeping.md

The project has sound losses in four formats, and as many planted faults: an alarm is false for the ones, and due for the
others.  Each process has a seed of Python's hashes of its own.  Exit status 1 where an alarm is false or missing.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import small_project  # noqa: E402
from generated import put_between, table  # noqa: E402

PAGE = ROOT / "docs" / "keeping.md"
FORMATS = ("float16", "bfloat16", "float32", "float64")
LOSSES = """\
import numpy as np


def bce_logits(x, y):
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x):
    z = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(z), z) / (1 + z)


def bce(p, y):
    return np.where(y == 1, -np.log(p), -np.log1p(-p))
"""
SOUND = {"bce_logits": "[0, 1]", "softplus": "None", "sigmoid": "None", "bce": "[0, 1]"}
# Each is wrong at few inputs: 9 units in the last place where the input is about 2, or 0.2.
PLANTED = """\
@pytest.mark.ulp_within(problem="{problem}", formats=["{format}"], max_ulp=4, targets={targets})
def test_planted_{problem}_{format}(ulp_case):
    def planted(x, *y):
        value = losses.{problem}(x, *y)
        far = value * (1 + 9 * np.asarray(ml_dtypes.finfo(value.dtype).eps, value.dtype))
        at = {at}
        return np.where((x > at) & (x < at * (1 + 1 / 16)), far, value)

    ulp_case.check(planted)
"""
SOUND_TEST = """\
@pytest.mark.ulp_within(problem="{problem}", formats=["{format}"], max_ulp=4, targets={targets})
def test_sound_{problem}_{format}(ulp_case):
    ulp_case.check(losses.{problem})
"""


def tests() -> str:
    """Return the source of all assertions: each loss in each format, sound and with its planted fault."""
    sources = ["import ml_dtypes\nimport numpy as np\n"]
    for problem, targets in SOUND.items():
        for fmt in FORMATS:
            given = {"problem": problem, "format": fmt, "targets": targets, "at": "0.2" if problem == "bce" else "2"}
            sources += [text.format(**given) for text in (SOUND_TEST, PLANTED)]
    return "\n\n".join(sources)


def alarms(folder: Path, seed: int) -> Counter:
    """Return how many assertions of each kind passed and failed, in a process of its own."""
    done = small_project.run(folder, LOSSES, tests(), "-rA", PYTHONHASHSEED=str(seed))
    told = re.findall(r"^(PASSED|FAILED|ERROR) \S*::test_(sound|planted)_", done.stdout, re.MULTILINE)
    if len(told) != 2 * len(SOUND) * len(FORMATS):
        raise SystemExit(f"the project's tests did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Counter((kind, outcome) for outcome, kind in told)


def main() -> int:
    """Count the alarms of all runs, print them, and write them where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="processes (20)")
    parser.add_argument("--write", action="store_true", help="write docs/keeping.md")
    asked = parser.parse_args()
    found: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for run in range(asked.runs):
            found += alarms(Path(folder), run)
    sound, planted = (found[kind, "PASSED"] + found[kind, "FAILED"] for kind in ("sound", "planted"))
    false, due = found["sound", "FAILED"], found["planted", "FAILED"]
    text = table(
        ["assertions about", "in all", "alarms"],
        [("losses within their budget", str(sound), str(false)), ("planted faults", str(planted), str(due))],
    )
    print(text)
    if asked.write:
        opening = f"{asked.runs} processes, each with {len(SOUND)} losses in {len(FORMATS)} formats and as many planted faults:\n\n"
        put_between(PAGE, "benchmarks/alarms.py", opening + text)
    return int(bool(false) or due < planted)


if __name__ == "__main__":
    sys.exit(main())
