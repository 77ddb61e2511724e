"""What pages say of kernels' largest errors, read out of their sentences and tables, against what the tables know.

A sentence bounds an error by "at most 2.9 ulp", "within 2.9 ulp" or the like, and "≥ 2.9 ulp, the most known" says that no
table knows more; the bound is of the kernel that was named
last before it, in the formats and at the targets that the sentence names, in all where it names none.  A line of a table
states a maximum where its heading says so and no ≥ stands before it.  A kernel's name may be of several problems: where
none of them is named, that is taken for which the statement is nearest to the truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from harness.problems import PROBLEMS
from harness.tables.strongest import Known, Maximum

FORMATS = ("float16", "bfloat16", "float32", "float64")
# A formula, such as log1p(x), names no kernel.  How texts call kernels that they do not name.
CALLED = {
    "log-sum-exp form": "lse_log1p", "sum of two softplus terms": "softplus_pair", "The fused form": "softplus_pair",
}  # fmt: skip
PLAIN = re.compile(r"[a-z]+")  # such a name is a word of its own as well: it counts in backticks only
NUMBER = r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
BOUND = re.compile(
    rf"(?:within|at most|no more than|never (?:found )?more than|up to) {NUMBER} ulps?\b|{NUMBER} ulps? (?:off )?at (?:most|worst)|"
    rf"≥ {NUMBER} ulps?, the most known"
)
TARGET = re.compile(r"(?:\by =|\btargets?) (\d(?:\.\d+)?)(?: and (\d(?:\.\d+)?))?")
HARD = re.compile(r"\bhard (?:labels|targets)")
LIMIT = re.compile(r"\|x\| (?:≤|<=) (\d+)")
SENTENCE = re.compile(r"(?<=[.;]) |^- |\n")
HEADINGS = (
    "max error (ulp)",
    "worst (ulp)",
    "max ulp",
    "max ulp, usual",
)  # of a column of maxima


@dataclass(frozen=True)
class Statement:
    """Hold a bound that a page states: of which kernels (of any of some problems), formats and targets, and up to which |x|.

    No targets stand for every one.  `ulp` is the number as it is printed: rounded, or
    `cut` after three digits, as what follows ≥ is.
    """

    where: str
    problems: tuple[str, ...]
    kernel: str
    formats: tuple[str, ...]
    targets: tuple[str, ...]
    ulp: str
    limit: float | None = None
    cut: bool = False

    @property
    def most(self) -> Decimal:
        """Return the largest number that is printed so."""
        printed = Decimal(self.ulp)
        exponent = printed.as_tuple().exponent
        assert isinstance(exponent, int), "the pattern reads finite numbers only"
        return printed + Decimal(10 if self.cut else 5).scaleb(exponent - 1)


def exceeded(path: Path, known: Known) -> Iterator[str]:
    """Tell which statements of a page, a Markdown file, lie below what a table knows."""
    text = path.read_text(encoding="utf-8")
    named = sorted({key[1] for key in known.rows} | set(CALLED), key=len, reverse=True)
    for line, heading, number in unheld(text):
        yield f"{path.name}: {line[:60]!r} has {number} under {heading!r} without ≥, and names no kernel and format that a table knows"
    for said in [*sentences(text, named), *lines(text)]:
        largest = [_largest(said, problem, known) for problem in said.problems or _problems(said.kernel, known)]
        found = [m for m in largest if m]
        least = min(found, key=lambda m: Decimal(m.ulp), default=None)
        if least and len(found) == len(largest) and Decimal(least.ulp) > said.most:
            yield f"{path.name}: {said.where!r} says {said.ulp} ulp of {said.kernel}, {least.table} has {least.ulp}"


def _problems(kernel: str, known: Known) -> list[str]:
    return sorted({key[0] for key in known.rows if key[1] == kernel})


def _largest(said: Statement, problem: str, known: Known) -> Maximum | None:
    """Return the largest error known of what a statement is of, where it is one; beyond its limit nothing counts."""
    if said.targets and PROBLEMS[problem].has_target:
        found = [known.figures(problem, said.kernel, f, t).maximum for f in said.formats for t in said.targets]
    else:
        found = [known.at_any_target(problem, said.kernel, f) for f in said.formats]
    inside = [m for m in found if m and (said.limit is None or abs(float.fromhex(m.input)) <= said.limit)]
    return max(inside, key=lambda m: Decimal(m.ulp), default=None)


def sentences(text: str, named: Sequence[str]) -> Iterator[Statement]:
    """Read the bounds out of a page's sentences, given the kernels' names, longer ones first."""
    mention = re.compile("|".join(rf"`{re.escape(n)}`|(?<![\w`.]){re.escape(n)}(?![\w`(])" for n in named))
    for sentence in SENTENCE.split(text):
        if not sentence or sentence.startswith("|"):
            continue
        kernels = [(m.end(), m[0]) for m in mention.finditer(sentence) if m[0][0] == "`" or not PLAIN.fullmatch(m[0])]
        for bound in BOUND.finditer(sentence):
            before = [name.strip("`") for end, name in kernels if end <= bound.start()]
            if before:
                limit = LIMIT.search(sentence)
                yield Statement(
                    sentence[:60].strip(), tuple(p for p in PROBLEMS if f"`{p}`" in sentence),
                    CALLED.get(before[-1], before[-1]),
                    tuple(f for f in FORMATS if re.search(rf"\b{f}\b", sentence)) or FORMATS, _targets(sentence),
                    bound[1] or bound[2] or bound[3], float(limit[1]) if limit else None, bool(bound[3]),
                )  # fmt: skip


def _targets(sentence: str) -> tuple[str, ...]:
    """Return the targets that a sentence names, as the tables write them."""
    found = TARGET.search(sentence)
    if found:
        return tuple(t for t in found.groups() if t)
    return ("0", "1") if HARD.search(sentence) else ()


def lines(text: str) -> Iterator[Statement]:
    """Read the maxima without ≥ out of a page's tables that have a kernel and a format in each line."""
    for line, row in _rows(text):
        column = next((h for h in HEADINGS if re.fullmatch(NUMBER, row.get(h, ""))), "")
        target = row.get("target", row.get("y", ""))
        if column and {"kernel", "format"} <= set(row) and row["format"] in FORMATS:
            problems = (row["problem"],) if row.get("problem") in PROBLEMS else ()
            yield Statement(line[:60], problems, row["kernel"], (row["format"],), (target,), row[column])


def unheld(text: str) -> Iterator[tuple[str, str, str]]:
    """Find maxima without ≥ in tables that name no kernel and format, which no table can hold: line, heading and number."""
    for line, row in _rows(text):
        if not {"kernel", "format"} <= set(row):
            yield from ((line, h, row[h]) for h in HEADINGS if re.fullmatch(NUMBER, row.get(h, "")))


def _rows(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each line of a page's tables with its cells by their headings; an escaped bar divides no cells."""
    header: list[str] = []
    for line in text.splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.strip().strip("|"))] if line.startswith("|") else []
        if not cells or not header:
            header = cells
            continue
        yield line, dict(zip(header, cells))
