"""The atlas: for every kernel and format its safe range, what fails beyond it, and a verdict.

The tables of the main experiments say what the safe ranges are; for the rest the kernels
themselves are run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Context, Decimal
from pathlib import Path

import pandas as pd
from mpmath import mp

from harness import UsageError
from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import FORMATS
from harness.problems import Problem, gradient_of, problem_named
from harness.tables import templates, writer
from harness.tables.atlas.failures import HARD, Failure, Sample, failures
from harness.tables.atlas.phrases import Ends, Phrases, by_target
from harness.tables.atlas.verdicts import SAFE_ENDS, SAFE_FOR_HARD, VERDICTS, Entry, is_hard, usable
from harness.tables.rows import Row
from harness.tables.text import decimal_input, short
from harness.tables.views import Column, plain, shown
from harness.workflow import files

COLUMNS = (
    "problem", "kernel", "format", "verdict", "safe_lo_hard", "safe_hi_hard", "safe_lo_all", "safe_hi_all",
    "max_ulp_hard", "plateau_y0", "plateau_y1", "dead_lo", "dead_hi", "failure", "use_instead",
)  # fmt: skip
# The losses, whose entries say what becomes of their gradients too; then the gradients, and what both are made of.
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


KERNEL = plain("kernel", "format", "verdict")
# What is shown: in LaTeX a table of all problems, in Markdown one for each.
PRINTED = (*plain("problem"), *KERNEL, Column("safe range", "safe", signs), Column("what fails", "failure", signs))
LISTED = (
    *KERNEL,
    Column("safe range", "safe", signs),
    Column("what fails", "failure", lines),
    Column("use instead", "use_instead"),
)

Key = tuple[str, str, str]  # names of problem, kernel and format
Entries = dict[Key, Entry]


def atlas_job(paths: Sequence[Path], out: Path) -> None:
    """Write the atlas, OUT.csv, .md, .tex and .json, of the kernels in the given tables (CSV)."""
    stated: dict[Key, list[Row]] = {}
    for path in paths:
        for row in writer.read(path).to_dict("records"):
            key = row["problem"], row["kernel"], row["format"]
            stated.setdefault(key, []).append({str(k): v for k, v in row.items()})
    entries = survey(stated)
    if not entries:
        names = ", ".join(str(p) for p in paths) or "no table"
        raise UsageError(f"{names} has no row of {', '.join(p.name for p in problems())}; give the tables of these")
    rows = [row_of(key, entries) for key in entries]
    writer.write(
        out.with_suffix(""), rows, COLUMNS, shown(rows, PRINTED), TITLE,
        markdown=markdown(rows), column_format="lllll" + "p{9cm}",
        extra={"tables": {p.name: files.sha256(p) for p in paths}},
    )  # fmt: skip


def problems() -> list[Problem]:
    """Return the problems that the atlas has, in its order."""
    losses = [problem_named(name) for name in LOSSES]
    return [*losses, *filter(None, map(gradient_of, losses)), *map(problem_named, PARTS)]


def survey(stated: dict[Key, list[Row]]) -> Entries:
    """Look at every kernel that the tables have a row of, in the order of problems, kernels and formats."""
    entries: Entries = {}
    for problem in problems():
        samples: dict[str, Sample] = {}
        for kernel in kernels_of(problem.name):
            for name, fmt in FORMATS.items():
                rows = stated.get((problem.name, kernel.name, name), [])
                if any(is_hard(r) for r in rows):
                    if name not in samples:
                        samples[name] = Sample(problem, fmt)
                    entries[problem.name, kernel.name, name] = entry(samples[name], kernel, rows)
    return entries


def entry(sample: Sample, kernel: Kernel, rows: list[Row]) -> Entry:
    """Run one kernel on a sample and find its failures."""
    cases = sample.cases(kernel.name, kernel)
    computed, errors = sample.run(kernel)
    phrases = Phrases(sample.problem, sample.fmt, cases)
    return Entry(kernel, phrases, failures(sample, cases, computed, errors), usable(sample, computed), rows)


def row_of(key: Key, entries: Entries) -> Row:
    """Return one row of the atlas: verdict, safe ranges, plateaus, dead gradients, failures and the alternative."""
    e, slope = entries[key], slope_of(key, entries)
    plateaus = e.first("stuck", 0.0, 1), e.first("stuck", 1.0, -1)
    dead = (slope.first("zero", 1.0, -1), slope.first("zero", 0.0, 1)) if slope else (None, None)
    return {
        **dict(zip(COLUMNS, (*key, e.verdict, *e.range(True), *e.range(False), e.max_ulp))),
        **{f"plateau_y{y}": e.phrases.fmt.hex(f.value) if f else "" for y, f in enumerate(plateaus)},
        **{f"dead_{end}": e.phrases.hex(f.near) if f else "" for end, f in zip(("lo", "hi"), dead)},
        "failure": ". ".join(clauses(e, slope if slope is not e else None)),
        "use_instead": use_instead(key, entries),
        "safe": e.phrases.range(*e.range(True)),
    }


def slope_of(key: Key, entries: Entries) -> Entry | None:
    """Return the entry of a loss's gradient, None where the tables have none; of another problem its own entry."""
    gradient = gradient_of(problem_named(key[0]))
    return entries.get((gradient.name, *key[1:])) if gradient else entries[key]


def clauses(e: Entry, gradient: Entry | None) -> list[str]:
    """Write what fails, target by target, and what becomes of the loss's gradient."""
    written = by_target({target: _target(e, target) for target in e.phrases.case})
    if e.verdict == SAFE_FOR_HARD:
        worst = max((r for r in e.rows if not is_hard(r)), key=lambda r: mp.mpf(r["max_ulp"] or 0))
        x = decimal_input(str(worst["max_ulp_input"]))
        at = f"y = {worst['target']}, {e.phrases.variable} = {x}"
        written.append(f"Soft targets: over 4 ulp (up to {short(worst['max_ulp'])} at {at})")
    if gradient:
        harm = {t: [_harm(gradient.phrases, f) for f in gradient.found if f.target == t] for t in HARD}
        written += [f"Gradient, {c}" for c in by_target({t: list(filter(None, h)) for t, h in harm.items()})]
    return written


def _harm(phrases: Phrases, f: Failure) -> str:
    """Write a gradient's failure that harms training, else nothing.

    NaN and infinity do; so does a value far off, 0 above all, where the prediction is confidently wrong.
    """
    if f.kind in ("nan", "inf"):
        return phrases.failure(f)
    if (f.target, f.side) not in ((1.0, -1), (0.0, 1)):
        return ""
    if f.kind == "inexact":
        return phrases.fading(f) if f.percent is not None and f.worst > 0.5 else ""
    return phrases.failure(f) if f.kind != "capped" or f.value == 0 else ""


def _target(e: Entry, target: float | None) -> list[str]:
    """Write one target's failures, from the low side to the high, or its error where there is none."""
    row = next(r for r in e.rows if r["target"] == ("" if target is None else f"{target:g}"))
    lo, hi = (str(row[end]) for end in SAFE_ENDS)
    safe: Ends = (float.fromhex(lo), float.fromhex(hi)) if lo else None
    found = [f for f in e.found if f.target == target]
    texts = [t for side in (-1, 1) for t in e.phrases.side([f for f in found if f.side == side], safe)]
    if all(f.kind == "capped" for f in found):
        seen = "" if row["exhaustive"] == "true" else " tried"
        within = f"within {_up(str(row['max_ulp']))} ulp at every {e.phrases.variable}{seen}"
        texts.append(f"otherwise {within}" if texts else within)
    return texts


def use_instead(key: Key, entries: Entries) -> str:
    """Return the best kernel of the same problem and format, where it is better than this one.

    Best is the best verdict, then the best verdict of its gradient, then the first in the list of kernels.
    """

    def rank(k: Key) -> tuple[int, int]:
        slope = slope_of(k, entries)
        return VERDICTS.index(entries[k].verdict), VERDICTS.index(slope.verdict) if slope else 0

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
        verdicts.setdefault(r["kernel"], {})[str(r["format"])] = r["verdict"]
    lines = [{"kernel": kernel, **{f: of.get(f, "") for f in formats}} for kernel, of in verdicts.items()]
    return pd.DataFrame(lines)


def _up(text: str) -> str:
    """Round a number up to 3 significant digits."""
    return f"{float(Context(prec=3, rounding=ROUND_CEILING).create_decimal(Decimal(text))):.3g}"
