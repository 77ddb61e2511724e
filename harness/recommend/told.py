"""What `harness recommend` prints: the ranking as a table, what is excluded and why, the code to paste; or all of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from harness import UsageError
from harness.numbers.formats import Format, parse_exact, to_fraction
from harness.problems import problem_named
from harness.problems.classes import CLASS_PROBLEMS
from harness.problems.weights import weights_of
from harness.recommend.known import RangeFigures
from harness.recommend.ranking import UNKNOWN, Ranked, Ranking, ranking
from harness.recommend.written import code, flushes
from harness.sweep.streaming import BUDGET
from harness.tables.basis import EVERY_INPUT, PROVED
from harness.tables.text import OUTCOME_LABELS, decimal_input
from harness.truth.errors import SPURIOUS
from harness.workflow.targets import STANDARD_TARGETS, targets_in

SHOWN = 12  # forms of the printed table, besides those on the front
HARD = ("0", "1")
NAMES = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX"}
WRONG = {**OUTCOME_LABELS, "spurious_inf": "infinity", "spurious_zero": "0", "wrong_sign": "a wrong sign"}


def recommendation(name: str, fmt: Format, range_: str | None, targets: str | None, weights: str | None, folder: Path) -> Ranking:  # fmt: skip
    """Return the ranking of the known forms of a problem; `folder` holds the tables, which may not be there.

    `range_` is lo,hi, two numbers; `targets` soft or hard; `weights` as `harness check` takes them.  UsageError for an
    unknown problem, one of K classes, one without a target that is given some, or a range without numbers.
    """
    if name in CLASS_PROBLEMS:
        raise UsageError(f"{name} has K logits; recommend ranks forms of one input, such as bce_logits")
    problem = problem_named(name, weights_of(weights) if weights else None)
    if targets and not problem.has_target:
        raise UsageError(f"{problem.name} has no target; leave out --targets")
    soft = targets == "soft"
    chosen = targets_in(fmt, problem.targets or (STANDARD_TARGETS if soft else HARD), problem.target_domain) if problem.has_target else None  # fmt: skip
    return ranking(problem, fmt, ends_of(range_, fmt) if range_ else None, chosen, soft, folder)


def ends_of(text: str, fmt: Format) -> tuple[int, int]:
    """Return the ordinals of the least and the greatest number of a format in a range lo,hi; UsageError where there is none."""
    parts = text.split(",")
    if len(parts) != 2:
        raise UsageError(f"--range {text!r} is not two numbers; write lo,hi such as --range=-20,20")
    lo, hi = map(parse_exact, parts)
    if lo > hi:
        raise UsageError(f"--range {text!r} ends before it begins; write the smaller number first")
    first, last = _at_least(fmt, lo), -1 - _at_least(fmt, -hi)
    if first > last:
        raise UsageError(f"--range {text!r} holds no number of {fmt.name}")
    return first, last


def _at_least(fmt: Format, bound: Fraction) -> int:
    """Return the ordinal of the least number of the format that is at least a bound; of both zeros the first."""
    near = min(max(float(fmt.round(bound)), -fmt.max), fmt.max)
    ordinal = int(fmt.ordinal(np.array([near]).astype(fmt.dtype))[0])
    if near == 0 and bound <= 0:
        return -1
    return ordinal + (to_fraction(near) < bound)


# -- text ------------------------------------------------------------------------------------------------


def text(found: Ranking, libraries: Sequence[str]) -> str:
    """Write a ranking: a headline, the table, what is excluded, and the code of the first form for some libraries."""
    rows = [r for i, r in enumerate(found.forms) if i < SHOWN or r.front]
    least = min((r.ns for r in found.forms if r.ns is not None), default=None)
    table = tabulate(
        [_cells(r, least, found) for r in rows], _headings(found), disable_numparse=True
    ) if rows else "Every known form gives NaN, infinity, 0 or a wrong sign there."  # fmt: skip
    left = len(found.forms) - len(rows)
    more = [f"{left} more in --json."] if left else []
    codes = [f"# {NAMES[name]}: {found.best.name}\n{code_of(found, name)}" for name in libraries]
    checks = "\n".join(dict.fromkeys(checked(found, name) for name in libraries or ("numpy",)))
    notes = [_legend(found), *more, *_unavoidable(found), *_excluded(found)]
    return "\n\n".join([_headline(found), table, "\n".join(notes), checks, *codes]).rstrip()


def code_of(found: Ranking, library: str) -> str:
    """Return the code of the ranking's first form for numpy, torch or jax."""
    inputs = found.asked.inputs
    form = found.best.form
    assert form is not None
    names = (inputs.problem.variable, "y")[: 1 + inputs.problem.has_target]
    return code(form, inputs.fmt, names, library)


def _headline(found: Ranking) -> str:
    inputs = found.asked.inputs
    at = "every input" if inputs.everything else f"inputs from {_decimal(found, 0)} to {_decimal(found, 1)}"
    of = f", {_targets(found)}" if found.asked.targets is not None else ""
    count = len(found.forms) + len(found.excluded)
    return f"{inputs.problem.name} in {inputs.fmt.name}, {at}{of}: {count} known forms, {len(found.excluded)} excluded"


def _targets(found: Ranking) -> str:
    return "soft targets" if found.asked.soft else f"targets {' and '.join(found.asked.names)}"


def _decimal(found: Ranking, end: int) -> str:
    inputs = found.asked.inputs
    return decimal_input(inputs.text((inputs.first, inputs.last)[end]))


def _headings(found: Ranking) -> list[str]:
    both = found.best.gradient is not None
    of = ["max ulp of loss", "of gradient"] if both else ["max ulp"]
    return ["", "form", *of, "ns", "cost", "safe range"]


def _cells(r: Ranked, least: Any, found: Ranking) -> list[str]:
    halves = [marked(r.loss)]
    if found.best.gradient is not None:
        halves.append(marked(r.gradient) if r.gradient else "not known")
    cost = ["", ""] if r.ns is None else [f"{r.ns:.3g}", f"{r.ns / least:.2f}"]
    return ["*" if r.front else "", r.name, *halves, *cost, safe(r, found)]


def marked(over: RangeFigures) -> str:
    """Write a largest error in three digits, after ≥ where more may be found."""
    return over.maximum.marked if over.maximum else "nothing finite"


def safe(r: Ranked, found: Ranking) -> str:
    """Write the safe range of both halves in four digits, after ⊆ where it is an outer bound; nothing where it is unknown."""
    if not all(h.safe_basis for h in r.halves):
        return ""
    low, high = r.safe
    if not low:
        return "none"
    inputs = found.asked.inputs
    outer = "" if all(h.safe_basis in (PROVED, EVERY_INPUT) for h in r.halves) else "⊆ "
    if (inputs.ordinal(low), inputs.ordinal(high)) == inputs.whole:
        return f"{outer}all"
    return f"{outer}[{decimal_input(low)}, {decimal_input(high)}]"


def _legend(found: Ranking) -> str:
    timed = any(r.ns is not None for r in found.forms)
    cost = (
        "; ns an element and cost against the cheapest as results/tables/costs.json says they were timed"
        if timed
        else ""
    )
    return (
        f"* on the Pareto front of error and cost; ≥ a lower bound: not every input was visited{cost}; "
        f"safe range: within {BUDGET:g} ulp."
    )


def _unavoidable(found: Ranking) -> list[str]:
    return [f"Every known form of the {half} gives NaN, infinity, 0 or a wrong sign somewhere there: that excludes none." for half in found.unavoidable]  # fmt: skip


def _excluded(found: Ranking) -> list[str]:
    """Return a line for each outcome of each half, with the kernels and calls that are excluded for it first of all."""
    groups: dict[tuple[bool, str], dict[str, None]] = {}
    for r in found.excluded:
        of = [(half != "loss", outcome) for half, _, outcome in (reason.partition(":") for reason in r.excluded)]
        of_gradient, outcome = min(of, key=lambda p: (p[0], SPURIOUS.index(p[1])))
        groups.setdefault((of_gradient, outcome), {})[_half_name(r, of_gradient)] = None
    order = sorted(groups, key=lambda g: (g[0], SPURIOUS.index(g[1])))
    halves = ("", "") if found.best.gradient is None else (" for the loss", " for the gradient")
    return [f"Excluded, {WRONG[g[1]]}{halves[g[0]]}: {', '.join(groups[g])}." for g in order]


def _half_name(r: Ranked, of_gradient: bool) -> str:
    """Return the name of the kernel of a half, or of the call."""
    if r.form is None:
        return r.name
    return r.form.gradient.name if of_gradient and r.form.gradient else r.form.loss.name


def checked(found: Ranking, library: str) -> str:
    """Return the command that checks a library's code, once it is saved as losses.py."""
    problem, fmt = found.asked.inputs.problem, found.asked.inputs.fmt
    targets = "" if found.asked.targets is None or found.asked.soft else "".join(f" -t {t}" for t in found.asked.names)
    slope = "" if found.best.gradient is None else " --gradient-function losses.py:gradient"
    flush = " --allow-flush" if flushes(library, fmt) else ""
    return f"Saved as losses.py, {NAMES[library]}'s code is checked by: harness check losses.py:loss -p {problem.name} -f {fmt.name}{targets}{slope}{flush}"


# -- JSON ------------------------------------------------------------------------------------------------


def to_json(found: Ranking, libraries: Sequence[str]) -> str:
    """Write a ranking as JSON: what was asked, all forms in order, those excluded, and the code by library."""
    inputs = found.asked.inputs
    facts = {
        "problem": inputs.problem.name,
        "format": inputs.fmt.name,
        "range": [inputs.text(inputs.first), inputs.text(inputs.last)],
        "targets": found.asked.names if found.asked.targets is not None else [],
        "forms": [_facts(r, found) for r in found.forms],
        "excluded": [_facts(r, found) for r in found.excluded],
        "unavoidable": list(found.unavoidable),
        "recommended": found.best.name,
        "code": {name: code_of(found, name) for name in libraries},
    }
    return json.dumps(facts, indent=1, ensure_ascii=False)


def _facts(r: Ranked, found: Ranking) -> dict[str, Any]:
    return {
        "form": r.name,
        "library": r.form is None,
        "front": r.front,
        "max_ulp": None if r.error == UNKNOWN else str(r.error),
        "ns": None if r.ns is None else float(r.ns),
        "safe_range": list(r.safe) if all(h.safe_basis for h in r.halves) else None,
        "loss": _half(r.loss),
        "gradient": _half(r.gradient) if r.gradient else None,
        "excluded": list(r.excluded),
    }


def _half(over: RangeFigures) -> dict[str, Any]:
    m = over.maximum
    return {
        "max_ulp": m.ulp if m else None,
        "max_ulp_input": m.input if m else None,
        "max_basis": m.basis if m else None,
        "table": m.table if m else None,
        "outcomes": {name: {"input": at, "target": target} for name, (at, target) in over.outcomes.items()},
        "safe_range": list(over.safe) if over.safe_basis else None,
        "safe_basis": over.safe_basis,
    }
