"""Do golden vectors still say what is true?  Their checksums, and every answer computed once more."""

from __future__ import annotations

from pathlib import Path

from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.tables import lines
from harness.testing.vectors.job import answers
from harness.workflow import files


def vectors(folder: Path, every: int = 1) -> tuple[list[str], list[str]]:
    """Return a line for a folder of vectors, and a sentence for each file and answer that is not what it should be.

    Answers are computed again of every so-many-th row, by mpmath.
    """
    described = files.read_json(folder / "kills.json", "the sidecar of golden vectors")
    checksums = {**described["sha256"], **described["vectors_sha256"]}
    wrong = [
        f"{folder / name} is missing or not as {folder / 'kills.json'} says"
        for name, checksum in checksums.items()
        if not (folder / name).is_file() or files.sha256(folder / name) != checksum
    ]
    paths = [folder / f"{stem}.csv" for stem in described["vectors"]]
    count = sum(described["vectors"].values())
    wrong += [text for path in paths if path.is_file() for text in _answers(path, every)]
    return [f"vectors: {count} in {len(paths)} files, answers computed again"], wrong


def _answers(path: Path, every: int) -> list[str]:
    base, _, name = path.stem.partition(".")
    problem, fmt = problem_named(base), format_named(name)
    wrong = []
    for line, row in lines.read(path)[::every]:
        x, y = (float(fmt.parse(row[c])) if row[c] else None for c in ("input", "target"))
        assert x is not None
        rounded, exact, kappa = answers(problem, fmt, x, y)
        if (fmt.hex(rounded), exact, kappa) != (row["rounded"], row["exact"], row["condition"]):
            wrong.append(f"{path}:{line}: {row['rounded']}, {row['exact']}; it is {fmt.hex(rounded)}, {exact}")
    return wrong
