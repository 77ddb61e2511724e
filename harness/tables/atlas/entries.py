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
from harness.problems import PROBLEMS
from harness.tables import writer
from harness.tables.atlas.failures import HARD, Failure, Sample, failures
from harness.tables.atlas.phrases import Ends, Phrases, by_target
from harness.tables.atlas.verdicts import SAFE, VERDICTS, Entry, is_hard, usable
from harness.tables.rows import Row
from harness.workflow import files

COLUMNS = (
    "problem", "kernel", "format", "verdict", "safe_lo_hard", "safe_hi_hard", "safe_lo_all", "safe_hi_all",
    "max_ulp_hard", "plateau_y0", "plateau_y1", "dead_lo", "dead_hi", "failure", "use_instead",
)  # fmt: skip
ATLAS_PROBLEMS = ("bce_logits", "bce", "bce_logits_grad", "bce_grad", "sigmoid", "softplus", "log_sigmoid")
TITLE = "Which kernel is safe where, and what fails beyond"
NOTE = """\
Verdicts. **safe**: at every input and every tested target within 4 ulp, no spurious outcome. **safe for hard
targets**: the same for y = 0 and 1. **limited**: for y = 0 and 1, and logits from -20 to 20 or the
probabilities that belong to them, within √ε max(1, |true value|), where ε is machine epsilon: no harm inside
that range, but read what fails beyond it. **unsafe**: the rest.

The safe range is for y = 0 and 1. x is a logit, p a probability; beyond means away from x = 0 or p = 0.5;
what is not mentioned is within 4 ulp. Gradients are reverse-mode autodiff of the formula as written. A kernel
on probabilities cannot recover what rounding p has lost: where the logit is at hand, use a kernel on logits.
What infinities and NaN give is in special_values.
"""

Entries = dict[tuple[str, str, str], Entry]


def write(paths: Sequence[Path], out: Path) -> None:
    """Write the atlas, OUT.csv, .md, .tex and .json, of the kernels in the given tables (CSV)."""
    stated: dict[tuple[str, str, str], list[Row]] = {}
    for path in paths:
        for row in writer.read(path).to_dict("records"):
            key = row["problem"], row["kernel"], row["format"]
            stated.setdefault(key, []).append({str(k): v for k, v in row.items()})
    entries = survey(stated)
    if not entries:
        names = ", ".join(str(p) for p in paths) or "no table"
        raise UsageError(f"{names} has no row of {', '.join(ATLAS_PROBLEMS)}; give the tables of these")
    rows = [row_of(key, entries) for key in entries]
    base = out.with_suffix("")
    files.write_text(base.with_suffix(".csv"), writer.to_csv(rows, COLUMNS))
    files.write_text(base.with_suffix(".md"), markdown(rows))
    reading = readable(rows).drop(columns="use instead")
    files.write_text(base.with_suffix(".tex"), writer.to_latex(reading, TITLE, base.name, "lllll" + "p{9cm}"))
    writer.write_sidecar(base, len(rows), {"tables": {p.name: files.sha256(p) for p in paths}})


def survey(stated: dict[tuple[str, str, str], list[Row]]) -> Entries:
    """Look at every kernel that the tables have a row of, in the order of problems, kernels and formats."""
    entries: Entries = {}
    for problem in (PROBLEMS[name] for name in ATLAS_PROBLEMS):
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


def row_of(key: tuple[str, str, str], entries: Entries) -> Row:
    """Return one row of the atlas."""
    problem, kernel, fmt = key
    e = entries[key]
    gradient = entries.get((PROBLEMS[problem].gradient or problem, kernel, fmt))
    plateaus = e.first("stuck", 0.0, 1), e.first("stuck", 1.0, -1)
    dead = (gradient.first("zero", 1.0, -1), gradient.first("zero", 0.0, 1)) if gradient else (None, None)
    return {
        **dict(zip(COLUMNS, (*key, e.verdict, *e.range(True), *e.range(False), e.max_ulp))),
        **{f"plateau_y{y}": e.phrases.fmt.hex(f.value) if f else "" for y, f in enumerate(plateaus)},
        **{f"dead_{end}": e.phrases.hex(f.near) if f else "" for end, f in zip(("lo", "hi"), dead)},
        "failure": ". ".join(clauses(e, gradient if PROBLEMS[problem].gradient else None)),
        "use_instead": use_instead(key, entries),
        "safe": e.phrases.range(*e.range(True)),
    }


def clauses(e: Entry, gradient: Entry | None) -> list[str]:
    """Write what fails, target by target, and what becomes of the loss's gradient."""
    written = by_target({target: _target(e, target) for target in e.phrases.case})
    if e.verdict == VERDICTS[1]:
        worst = max((r for r in e.rows if not is_hard(r)), key=lambda r: mp.mpf(r["max_ulp"] or 0))
        x = writer.decimal_input(str(worst["max_ulp_input"]))
        at = f"y = {worst['target']}, {e.phrases.variable} = {x}"
        written.append(f"Soft targets: over 4 ulp (up to {writer.short(worst['max_ulp'])} at {at})")
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
    lo, hi = (str(row[end]) for end in SAFE)
    safe: Ends = (float.fromhex(lo), float.fromhex(hi)) if lo else None
    found = [f for f in e.found if f.target == target]
    texts = [t for side in (-1, 1) for t in e.phrases.side([f for f in found if f.side == side], safe)]
    if all(f.kind == "capped" for f in found):
        seen = "" if row["exhaustive"] == "true" else " tried"
        within = f"within {_up(str(row['max_ulp']))} ulp at every {e.phrases.variable}{seen}"
        texts.append(f"otherwise {within}" if texts else within)
    return texts


def use_instead(key: tuple[str, str, str], entries: Entries) -> str:
    """Return the best kernel of the same problem and format, where it is better than this one.

    Best is the best verdict, then the best verdict of its gradient, then the first in the list of kernels.
    """

    def rank(k: tuple[str, str, str]) -> tuple[int, int]:
        gradient = entries.get((PROBLEMS[k[0]].gradient or k[0], *k[1:]))
        return VERDICTS.index(entries[k].verdict), VERDICTS.index(gradient.verdict) if gradient else 0

    best = min((k for k in entries if (k[0], k[2]) == (key[0], key[2])), key=rank)
    return best[1] if rank(best) < rank(key) else ""


def readable(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the rows as a reader wants them."""
    shown = [
        {
            "problem": r["problem"], "kernel": r["kernel"], "format": r["format"], "verdict": r["verdict"],
            "safe range": r["safe"], "what fails": r["failure"], "use instead": r["use_instead"],
        }
        for r in rows
    ]  # fmt: skip
    return pd.DataFrame(shown).replace({"<=": "≤", ">=": "≥"}, regex=True)


def markdown(rows: Sequence[Row]) -> str:
    """Write the atlas as Markdown, one section for each problem, one line of a cell for each clause."""
    frame = readable(rows)
    frame["what fails"] = frame["what fails"].str.replace(". ", "<br>")
    parts = [f"# {TITLE}\n\n{NOTE}"]
    for problem in dict.fromkeys(frame["problem"]):
        part = frame[frame["problem"] == problem].drop(columns="problem")
        glance = {k: dict(zip(g["format"], g["verdict"])) for k, g in part.groupby("kernel", sort=False)}
        brief = pd.DataFrame.from_dict(glance, orient="index").rename_axis("kernel").reset_index().fillna("")
        parts.append(f"## {problem}\n\n{writer.bare_markdown(brief)}\n{writer.bare_markdown(part)}")
    return "\n".join(parts)


def _up(text: str) -> str:
    """Round a number up to 3 significant digits."""
    return f"{float(Context(prec=3, rounding=ROUND_CEILING).create_decimal(Decimal(text))):.3g}"
