"""The atlas: for every kernel and format its safe range, what fails beyond it, and a verdict.

The strongest that the tables know says what the safe ranges and the largest errors are; for the rest the
kernels themselves are run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from harness import UsageError
from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import FORMATS
from harness.problems import Problem, gradient_of, problem_named
from harness.sweep.streaming import BUDGET
from harness.tables import templates, writer
from harness.tables.atlas.failures import HARD, Failure, Sample, failures, with_known
from harness.tables.atlas.phrases import Ends, Phrases, by_target
from harness.tables.atlas.spoken import located, spoken_rows
from harness.tables.atlas.verdicts import (
    SAFE,
    SAFE_ENDS,
    SAFE_FOR_HARD,
    VERDICTS,
    Entry,
    is_hard,
    largest,
    of_training,
    usable,
)
from harness.tables.basis import EVERY_INPUT, PROVED
from harness.tables.identity import identified
from harness.tables.rows import Row
from harness.tables.strongest import Known, checksums_beside
from harness.tables.text import OUTCOME_LABELS, downward, short, upward
from harness.tables.views import Cells, Column, plain, shown
from harness.workflow import files
from harness.workflow.dependencies import kernel_sources, sources
from harness.workflow.provenance import of_one_measurement, provenance

COLUMNS = (
    "problem", "kernel", "format", "verdict", "safe_lo_hard", "safe_hi_hard", "safe_lo_all", "safe_hi_all",
    "max_ulp_hard", "plateau_y0", "plateau_y1", "dead_lo", "dead_hi", "failure", "use_instead",
    "fails", "max_basis_hard", "safe_basis_hard", "safe_basis_all",
    "safe_inner_lo_hard", "safe_inner_hi_hard", "safe_inner_lo_all", "safe_inner_hi_all", "safe_premises",
)  # fmt: skip
# The losses, whose entries say what becomes of their gradients too; then the gradients, and what both are made of.
WHICH, ENDS = {"hard": True, "all": False}, ("lo", "hi")  # ranges for hard targets, and for all
HARD_TARGETS = ("", *(f"{t:g}" for t in HARD))
LOSSES = ("bce_logits", "bce")
PARTS = ("sigmoid", "softplus", "log_sigmoid")
TITLE = "Which kernel is safe where, and what fails beyond"
PAGE = Path(__file__).with_name("atlas.md.j2")


def signs(text: str) -> str:
    """Write comparisons with the signs that print has."""
    return text.replace("<=", "≤").replace(">=", "≥")


def lines(text: str) -> str:
    """Write a kernel's failures one to a line of the cell, as Markdown takes it."""
    return signs(text).replace(". ", "<br>")


def judged(row: Cells) -> str:
    """Write a verdict, and which half of a training loss it is due to."""
    return f"{row['verdict']} ({row['fails']})" if row["fails"] else row["verdict"]


KERNEL = (*plain("kernel", "format"), Column("verdict", judged))
# What is shown: in LaTeX a table of all problems, in Markdown one for each.
PRINTED = (
    *plain("problem"),
    *KERNEL,
    Column("safe range", "safe", signs),
    Column("what fails", "failure", signs),
    Column("id", "id"),
)
LISTED = (
    *KERNEL,
    Column("safe range", "safe", signs),
    Column("what fails", "failure", lines),
    Column("use instead", "use_instead"),
    Column("id", "id"),
)

Key = tuple[str, str, str]  # names of problem, kernel and format
Entries = dict[Key, Entry]


def atlas_job(paths: Sequence[Path], out: Path) -> None:
    """Write the atlas, OUT.csv, .md, .tex and .json, of the kernels in the given tables (CSV).

    Its figures are the strongest in these tables and in those of the contract that stand beside them; the JSON names
    both with their checksums.  The kernels are run again, by which the JSON's provenance is; the tables beside it have
    their own.  UsageError where two of the given tables were measured with other versions or functions.
    """
    made_with = provenance({*sources(["harness.tables.atlas", "harness.kernels.gradients"]), *kernel_sources()})
    given, known = Known.of(paths), Known.beside(paths)
    sidecars = [p.with_suffix(".json") for p in paths if p.with_suffix(".json").is_file()]
    told = [(p, writer.described(p)["provenance"]) for p in sidecars]
    if told:
        of_one_measurement(told, "make the tables again", code=False)
    entries = survey({key[:3] for key in given.rows if key[3] in HARD_TARGETS}, known)
    if not entries:
        names = ", ".join(str(p) for p in paths) or "no table"
        raise UsageError(f"{names} has no row of {', '.join(p.name for p in problems())}; give the tables of these")
    rows, columns = identified([row_of(key, entries) for key in entries], COLUMNS, "atlas")
    writer.write(
        out.with_suffix(""), rows, columns, shown(rows, PRINTED), TITLE,
        markdown=markdown(rows),
        extra={"tables": {p.name: files.sha256(p) for p in paths}, "beside": checksums_beside(paths)}, measured_with=made_with,
    )  # fmt: skip


def problems() -> list[Problem]:
    """Return the problems that the atlas has, in its order."""
    losses = [problem_named(name) for name in LOSSES]
    return [*losses, *filter(None, map(gradient_of, losses)), *map(problem_named, PARTS)]


def survey(chosen: set[Key], known: Known) -> Entries:
    """Look at every kernel and format that is chosen, in the order of problems, kernels and formats."""
    entries: Entries = {}
    for problem in problems():
        samples: dict[str, Sample] = {}
        for kernel in kernels_of(problem.name):
            for name, fmt in FORMATS.items():
                if (problem.name, kernel.name, name) in chosen:
                    if name not in samples:
                        samples[name] = Sample(problem, fmt)
                    rows, nearest = spoken_rows(known, problem, kernel, fmt), located(known, problem, kernel, fmt)
                    entries[problem.name, kernel.name, name] = entry(samples[name], kernel, rows, nearest)
    return entries


def entry(
    sample: Sample,
    kernel: Kernel,
    rows: list[Row],
    nearest: Mapping[tuple[str, str], Sequence[str]] = MappingProxyType({}),
) -> Entry:
    """Run one kernel on a sample and find its failures, `nearest` those that tables located."""
    cases = sample.cases(kernel.name, kernel)
    computed, errors = sample.run(kernel)
    phrases = Phrases(sample.problem, sample.fmt, cases)
    found = with_known(failures(sample, cases, computed, errors), cases, nearest)
    return Entry(kernel, phrases, found, usable(sample, computed), rows)


def row_of(key: Key, entries: Entries) -> Row:
    """Return one row of the atlas: verdict, safe ranges, plateaus, dead gradients, failures and the alternative."""
    e, slope = entries[key], slope_of(key, entries)
    plateaus = e.first("stuck", 0.0, 1), e.first("stuck", 1.0, -1)
    dead = (slope.first("zero", 1.0, -1), slope.first("zero", 0.0, 1)) if slope else (None, None)
    verdict, fails = verdict_of(key, entries)
    return {
        **dict(zip(COLUMNS, (*key, verdict, *e.range(True), *e.range(False), e.worst["max_ulp"]))),
        "fails": fails,
        "max_basis_hard": e.worst["max_basis"],
        "safe_basis_hard": e.basis(True),
        "safe_basis_all": e.basis(False),
        **{f"plateau_y{y}": e.phrases.fmt.hex(f.value) if f else "" for y, f in enumerate(plateaus)},
        **{f"dead_{end}": e.phrases.hex(f.near) if f else "" for end, f in zip(("lo", "hi"), dead)},
        "failure": ". ".join(clauses(e, slope if slope is not e else None)),
        "use_instead": use_instead(key, entries),
        **{f"safe_inner_{end}_{name}": v for name, hard in WHICH.items() for end, v in zip(ENDS, e.inner(hard))},
        "safe_premises": e.premises(True) or e.premises(False),
        "safe": safe_range(e),
    }


def safe_range(e: Entry) -> str:
    """Write the safe range for hard targets: itself where it is known, else what is proved to lie inside and the outer bound."""
    ends, inner, basis = e.range(True), e.inner(True), e.basis(True)
    if basis == PROVED and e.premises(True):
        return f"{e.phrases.range(*ends)} (proved)"
    outer = e.phrases.range(*ends, basis in (PROVED, EVERY_INPUT))
    return f"⊇ {e.phrases.range(*inner)}, {outer}" if basis not in (PROVED, EVERY_INPUT) and inner[0] else outer


def verdict_of(key: Key, entries: Entries) -> tuple[str, str]:
    """Return the verdict of one kernel and format, of a loss with its gradient, and which half of that fails."""
    e, slope = entries[key], slope_of(key, entries)
    if slope is None:
        return e.verdict, "gradient not measured"
    return of_training(e, slope) if slope is not e else (e.verdict, "")


def slope_of(key: Key, entries: Entries) -> Entry | None:
    """Return the entry of a loss's gradient, None where the tables have none; of another problem its own entry."""
    gradient = gradient_of(problem_named(key[0])) if key[0] in LOSSES else None
    return entries.get((gradient.name, *key[1:])) if gradient else entries[key]


def clauses(e: Entry, gradient: Entry | None) -> list[str]:
    """Write what fails, target by target, and what becomes of the loss's gradient."""
    written = by_target({target: _target(e, target) for target in e.phrases.case})
    if e.verdict == SAFE_FOR_HARD:
        written.append("Soft targets: " + _worst_known(e, [r for r in e.rows if not is_hard(r)], every_target=False))
    if gradient:
        harm = {t: [_harm(gradient.phrases, f) for f in gradient.found if f.target == t] for t in HARD}
        harms = by_target({t: list(filter(None, h)) for t, h in harm.items()})
        written += [f"Gradient, {c}" for c in harms]
        if gradient.verdict == SAFE_FOR_HARD:
            written.append("Gradient, soft targets: " + _worst_known(gradient, gradient.rows, every_target=False))
        elif gradient.verdict != SAFE and not harms:
            written.append("Gradient: " + _worst_known(gradient, [r for r in gradient.rows if is_hard(r)]))
    return written


def _worst_known(e: Entry, rows: Sequence[Row], every_target: bool = True) -> str:
    """Write the largest error of some rows, at its exact input.

    It is a lower bound unless the rows are of every input, and of `every_target` that is spoken of.
    """
    worst, known = largest(rows), all(r["max_basis"] in (PROVED, EVERY_INPUT) for r in rows)
    if Decimal(str(worst["max_ulp"] or 0)) <= BUDGET:
        return "an outcome is wrong, or a pole is capped"
    y = f"y = {worst['target']}, " if worst["target"] else ""
    x = e.phrases.exactly(float.fromhex(str(worst["max_ulp_input"])))
    most = f"up to {short(worst['max_ulp'])}" if known and every_target else f">= {downward(str(worst['max_ulp']))}"
    return f"over 4 ulp ({most} at {y}{e.phrases.variable} = {x})"


def _harm(phrases: Phrases, f: Failure) -> str:
    """Write a gradient's failure that harms training, else nothing.

    NaN and infinity do; so does a value far off, 0 above all, where the prediction is confidently wrong.
    """
    if f.kind in ("nan", "inf"):
        return phrases.failure(f)
    if (f.target, f.side) not in ((1.0, -1), (0.0, 1)):
        return ""
    if f.kind == "inexact":
        return phrases.fading(f) if f.worst > 0.5 else ""
    return phrases.failure(f) if f.kind != "capped" or f.value == 0 else ""


def _target(e: Entry, target: float | None) -> list[str]:
    """Write one target's failures, from the low side to the high, or its error where there is none."""
    row = next(r for r in e.rows if r["target"] == ("" if target is None else f"{target:g}"))
    lo, hi = (str(row[end]) for end in SAFE_ENDS)
    safe: Ends = (float.fromhex(lo), float.fromhex(hi)) if lo else None
    found = [f for f in e.found if f.target == target]
    sure = row["safe_basis"] in (PROVED, EVERY_INPUT)
    texts = [t for side in (-1, 1) for t in e.phrases.side([f for f in found if f.side == side], safe, sure)]
    if all(f.kind == "capped" for f in found):
        texts += _elsewhere(e, row, bool(texts))
    return texts


def _elsewhere(e: Entry, row: Row, otherwise: bool) -> list[str]:
    """Write the largest error of a target of which the atlas's own sample found no failure but capped poles.

    The tables may know of one that this sample missed: then its worst input, and how many outcomes are spurious.
    """
    texts = [f"{label} at {row[name]} inputs" for name, label in OUTCOME_LABELS.items() if row.get(name)]
    if Decimal(str(row["max_ulp"] or 0)) > BUDGET:
        return [*texts, "in places " + _worst_known(e, [{**row, "target": ""}])]
    tried = "" if row["exhaustive"] == "true" else " tried"
    within = f"within {upward(str(row['max_ulp']))} ulp at every {e.phrases.variable}{tried}"
    return [*texts, f"otherwise {within}" if otherwise or texts else within]


def use_instead(key: Key, entries: Entries) -> str:
    """Return the best kernel of the same problem and format, where it is better than this one.

    Best is the best verdict, of a loss with its gradient, then the best of the loss alone, then the first in the list.
    """

    def rank(k: Key) -> tuple[int, ...]:
        return tuple(VERDICTS.index(v) for v in (verdict_of(k, entries)[0], entries[k].verdict))

    best = min((k for k in entries if (k[0], k[2]) == (key[0], key[2])), key=rank)
    return best[1] if rank(best) < rank(key) else ""


def markdown(rows: Sequence[Row]) -> str:
    """Write the atlas as Markdown: for each problem the verdicts at a glance, then a line for each kernel and format."""
    sections = []
    for problem in dict.fromkeys(r["problem"] for r in rows):
        mine = [r for r in rows if r["problem"] == problem]
        tables = {"glance": glance(mine), "kernels": shown(mine, LISTED)}
        sections.append({"problem": problem, **{k: writer.bare_markdown(t) for k, t in tables.items()}})
    return templates.render(PAGE, title=TITLE, sections=sections)


def glance(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the verdicts of one problem: a line for each kernel, a column for each format."""
    formats = dict.fromkeys(str(r["format"]) for r in rows)
    verdicts: dict[object, dict[str, object]] = {}
    for r in rows:
        verdicts.setdefault(r["kernel"], {})[str(r["format"])] = judged(r)
    lines = [{"kernel": kernel, **{f: of.get(f, "") for f in formats}} for kernel, of in verdicts.items()]
    return pd.DataFrame(lines)
