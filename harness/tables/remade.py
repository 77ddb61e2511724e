"""Tables that are made again as a whole, since that takes seconds: what `harness verify` does with them.

The atlas says in words what other tables know, and the special values are those of kernels at a few points: no row says
enough of itself to be held against the kernel alone.  Each is made anew, from the tables beside it, and compared cell
by cell.  What libraries return at special inputs is recorded; what is expected there, and what became of it, follows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from io import StringIO
from itertools import zip_longest
from pathlib import Path

import numpy as np

from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.tables import views, writer
from harness.tables.atlas import atlas_job
from harness.tables.special_points import SpecialPoint, expected_at, outcome
from harness.tables.special_values import special_values_job

Wrong = Iterator[tuple[int, str]]  # lines of the CSV, and what is wrong in each


def unlike(path: Path) -> tuple[int, list[tuple[int, str]]]:
    """Make one of these tables again; return 0, of how many rows a kernel ran at their inputs, and where its cells differ."""
    return 0, list(TABLES[path.stem](path))


def _atlas(path: Path) -> Wrong:
    """Make the atlas again of the tables that its sidecar names."""
    given = [path.parent / name for name in writer.described(path).get("tables", ())]
    return _made_by(path, lambda out: atlas_job(given, out)) if given else iter(())


def _special_values(path: Path) -> Wrong:
    return _made_by(path, special_values_job)


def _made_by(path: Path, job: Callable[[Path], None]) -> Wrong:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / path.name
        job(out)
        yield from differences(path, out.read_text(encoding="utf-8"))


def _systems_special(path: Path) -> Wrong:
    """Tell which expected value, or outcome of a value that a library returned, is not what follows."""
    expected_of = cache(expected_at)
    for line, row in enumerate(views.records(writer.read(path)), 2):
        if not row["input_value"]:  # an empty batch
            continue
        problem, fmt = problem_named(row["problem"]), format_named(row["format"])
        target = fmt.parse(row["target"]) if row["target"] else None
        value = fmt.parse(row["input_value"])
        exact, expected = expected_of(problem, fmt, float(value), target)
        point = SpecialPoint(row["input"], value, target, exact, expected)
        now = {"expected": "" if expected is None else fmt.hex(expected)}
        if row["computed"]:
            computed = np.asarray(float.fromhex(row["computed"])).astype(fmt.dtype)
            now["outcome"] = outcome(problem, fmt, point, float(computed))
        yield from ((line, f"{name} is {row[name]}, now {v}") for name, v in now.items() if row[name] != v)


SAID = {"systems_special": "what is expected made again"}  # of what is not made again as a whole
TABLES: dict[str, Callable[[Path], Wrong]] = {
    "atlas": _atlas,
    "special_values": _special_values,
    "systems_special": _systems_special,
}


def differences(stated: Path, now: str) -> Wrong:
    """Yield the lines of a table and what is otherwise in the same table made again, a CSV file's text, cell by cell."""
    rows = zip_longest(*(views.records(writer.read(table)) for table in (stated, StringIO(now))), fillvalue={})
    for line, (row, again) in enumerate(rows, 2):
        if not row or not again:
            yield line, f"{stated.stem} has {'no such row' if row else 'a further row'} when it is made again"
            return
        for column in dict.fromkeys([*row, *again]):
            if row.get(column) != again.get(column):
                yield line, f"{column} is {row.get(column) or 'empty'}, made again {again.get(column) or 'empty'}"
