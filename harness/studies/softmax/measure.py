"""Measure every form of log-sum-exp and softmax cross-entropy, in one format a part.

First on seeded vectors of each kind and number of classes, where every error is held against its bound;
then where one thing alone is asked: growth with K, equal logits, a confident right prediction, special
values, and two classes beside the sigmoid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.formats import Format, format_named
from harness.studies.reductions.error_bounds import check
from harness.studies.softmax.error_bounds import Logits, bound
from harness.studies.softmax.forms import ADD, LOSS, LSE, WAYS, Way, sigmoid_loss, way_named, ways_of
from harness.studies.study import Parameters, Tables
from harness.sweep.vectors import CLASSES, Vectors, kinds_of, others, picked, vectors
from harness.tables.basis import BASES, bases
from harness.tables.outcomes import COLUMNS as OUTCOME_INPUTS
from harness.tables.rows import CONTRACT, EXACT_DIGITS, Row
from harness.tables.usual import LOGIT
from harness.truth.certified import decimal, significant
from harness.truth.errors import SPURIOUS
from harness.truth.softmax import START_BITS, Evaluation, SoftmaxTruth, evaluation

Array = np.ndarray

GROWN = ("naive", "shifted", "shifted_pairwise", "shifted_wide", "log1p", "log1p_pairwise")
GAP_WAYS = ("naive_softmax", "softmax", "difference", "log_softmax", "log_softmax_wide", "log1p", "log1p_wide")
GAP_CLASSES = 10
RIGHT = 0.1  # relative error: one digit
SPECIAL = {
    "another class masked": ([1.0, -np.inf, 2.0], 0),
    "own class masked": ([1.0, -np.inf, 2.0], 1),
    "all others masked": ([-np.inf, 2.0, -np.inf], 1),
    "all masked": ([-np.inf, -np.inf, -np.inf], 0),
    "another class +inf": ([1.0, np.inf, 2.0], 0),
    "own class +inf": ([1.0, np.inf, 2.0], 1),
    "two classes +inf": ([1.0, np.inf, np.inf], 1),
    "one NaN": ([1.0, np.nan, 2.0], 0),
}
# Log-sum-exp and loss as limits along each masked or infinite logit; a loss that depends on the way is undefined.
LIMITS = {"all masked": ("-inf", "undefined"), "another class +inf": ("inf", "inf"), "own class +inf": ("inf", "0"),
          "two classes +inf": ("inf", "undefined"), "one NaN": ("undefined", "undefined"),
          "own class masked": ("", "inf")}  # fmt: skip


def run(parameters: Parameters, part: str) -> Tables:
    """Measure every form in one format; the part is the format's name."""
    fmt = format_named(part)
    by_gap, confident = gap_rows(fmt)
    return {
        "softmax": study_rows(fmt, parameters),
        "softmax_confident": confident,
        "softmax_equal": equal_rows(fmt, parameters),
        "softmax_special": special_rows(fmt) if part == "float32" else [],  # alike in every format, which is tested
        "softmax_pairs": pair_rows(fmt, parameters),
        "softmax_growth": growth_rows(fmt, parameters),
        "softmax_gap": by_gap,
    }


# -- seeded vectors ------------------------------------------------------------------------------


def study_rows(fmt: Format, parameters: Mapping[str, Any]) -> list[Row]:
    """Return a row for each form, K, kind and class; BoundBroken where an error exceeds its bound."""
    rows = []
    for k, count in parameters["vectors"].items():
        for kind in kinds_of(int(k)):
            v = vectors(fmt, kind, int(k), count, parameters["seed"])
            exact = [SoftmaxTruth(x) for x in v.exact]
            lse = [e.lse() for e in exact]
            top = v.classes["top"]
            rows += [study_row(way, v, "", top, lse) for way in ways_of(LSE, fmt.name)]
            for name in CLASSES:
                c = v.classes[name]
                losses = [e.loss(int(i)) for e, i in zip(exact, c)]
                rows += [study_row(way, v, name, c, losses) for way in ways_of(LOSS, fmt.name)]
    return rows


def study_row(way: Way, v: Vectors, target: str, c: Array, exact: Sequence[mpmath.mpf]) -> Row:
    """Return one row: the contract's columns over the vectors, then K, kind and the bound."""
    fmt = v.fmt
    found = [evaluation(fmt, value, y) for value, y in zip(way(v.x, c), exact)]
    limits = bound(way.rule, Logits(v.exact, c, np.array([float(y) for y in exact]), fmt, way.order), way.everywhere)
    what = f"error of {way.problem} {way.name} in {fmt.name}, {v.k} {v.kind} logits, {target or 'all classes'}, vector"
    for i, (m, limit) in enumerate(zip(found, limits)):
        check(m.absolute, float(limit), f"{what} {i}")
    measured = [m for m in found if m.finite]
    outcomes, worst = [m.outcome for m in found], _largest(found, range(len(found)))
    row: Row = {
        "problem": way.problem,
        "kernel": way.name,
        "format": fmt.name,
        "target": target,
        "grid": "vectors",
        "points": len(found),
        "exhaustive": False,
        **_worst(v, found, worst),
        "mean_ulp": significant(mp.fsum(m.ulp for m in measured) / len(measured)) if measured else "",
        "max_rel": significant(max(m.relative for m in measured)) if measured else "",
        "max_abs": significant(max(m.absolute for m in measured)) if measured else "",
        "correctly_rounded": significant(sum(m.ulp < 0.5 for m in found) / len(found)),
        **{name: outcomes.count(name) for name in SPURIOUS},
        "safe_lo": "",
        "safe_hi": "",
        "k": v.k,
        "kind": v.kind,
        **_beside(found, limits),
        **_places(v, c if target else None, found, worst),
    }
    row |= bases(row)
    first = (*CONTRACT, *BASES)
    return {name: row[name] for name in [*first, *(n for n in row if n not in first)]}


def _worst(v: Vectors, found: Sequence[Evaluation], at: int | None) -> Row:
    """Return the largest ulp error, of the vector numbered `at`, with that vector as KIND:K:INDEX."""
    if at is None:
        return dict.fromkeys(("max_ulp", "max_ulp_input", "max_ulp_computed", "max_ulp_exact"), "")
    return {
        "max_ulp": significant(found[at].ulp),
        "max_ulp_input": _named(v, at),
        "max_ulp_computed": v.fmt.hex(found[at].computed),
        "max_ulp_exact": decimal(found[at].exact, EXACT_DIGITS),
    }


def _largest(found: Sequence[Evaluation], among: Iterable[int]) -> int | None:
    """Return which of some evaluations has the largest finite error, the first of equals; None where none has one."""
    return max((i for i in among if found[i].finite), key=lambda i: found[i].ulp, default=None)


def _named(v: Vectors, index: int | None) -> str:
    return "" if index is None else f"{v.kind}:{v.k}:{index}"


def _places(v: Vectors, c: Array | None, found: Sequence[Evaluation], worst: int | None) -> Row:
    """Return the first vector with each outcome, the largest error of the usual ones, and the condition at the worst.

    Usual are vectors whose logits are all of 20 at most in size, masked ones apart, where the exact value is normal.
    """
    most = _largest(found, (i for i, m in enumerate(found) if _usual(v, i, m)))
    first = {name: next((i for i, m in enumerate(found) if m.outcome == name), None) for name in OUTCOME_INPUTS}
    return {
        **{column: _named(v, first[name]) for name, column in OUTCOME_INPUTS.items()},
        "usual_max_ulp": "" if most is None else significant(found[most].ulp),
        "usual_max_ulp_input": _named(v, most),
        "condition": "" if worst is None else condition(v.exact[worst], None if c is None else int(c[worst])),
    }


def _usual(v: Vectors, index: int, m: Evaluation) -> bool:
    x = v.exact[index]
    return bool(np.abs(x[~np.isneginf(x)]).max() <= LOGIT and v.fmt.min_normal <= abs(m.exact) <= v.fmt.max)


def condition(x: Array, c: int | None) -> str:
    """Return the sum of |x_i df/dx_i / f| over the logits, f the log-sum-exp or the loss of class c.

    In float64, in which no term cancels: the derivatives are the softmax s_i, and for the class -(sum of the others' s_i).
    Infinite where f is 0 and a logit is not.
    """
    truth = SoftmaxTruth(x)
    value = truth.lse() if c is None else truth.loss(c)
    there = ~np.isneginf(x)
    shares = np.where(there, np.exp(x - truth.values[-1] - float(truth.rest(START_BITS))), 0.0)
    if c is not None:
        shares[c] = np.delete(shares, c).sum()
    weighted = float((np.abs(x[there]) * shares[there]).sum())
    if not value:
        return "inf" if weighted else "0"
    return significant(weighted / abs(value))


def _beside(found: Sequence[Evaluation], limits: Array) -> Row:
    """Return the bound at the largest absolute error in the same terms, and the largest share of its bound reached.

    Where the bound is infinite for some vectors, it says nothing of them: `bounded` counts the others.
    """
    at = [i for i, limit in enumerate(limits) if np.isfinite(limit)]
    if not at:
        return {"bounded": 0, "error_abs": "", "bound_abs": "", "share_of_bound": "", "below": ""}
    worst = max(at, key=lambda i: found[i].absolute)
    return {
        "bounded": len(at),
        "error_abs": significant(found[worst].absolute),
        "bound_abs": significant(float(limits[worst])),
        "share_of_bound": significant(max(found[i].absolute / float(limits[i]) for i in at if limits[i] > 0)),
        "below": True,
    }


# -- growth with K -------------------------------------------------------------------------------


def growth_rows(fmt: Format, parameters: Mapping[str, Any]) -> list[Row]:
    """Return the log-sum-exp's largest absolute error for normal logits of sd 1, for each form and K."""
    rows = []
    for k in parameters["growth"]:
        count = max(1, min(parameters["growth_vectors"], parameters["growth_logits"] // k))
        v = vectors(fmt, "normal_1", k, count, parameters["seed"] + 1)
        exact = [SoftmaxTruth(x).lse() for x in v.exact]
        for way in ways_of(LSE, fmt.name):
            if way.name in GROWN:
                row = study_row(way, v, "", v.classes["top"], exact)
                rows.append({n: row[n] for n in ("format", "kernel", "k", "points", "max_abs", "bound_abs", "max_ulp")})
    return rows


# -- equal logits --------------------------------------------------------------------------------


def equal_rows(fmt: Format, parameters: Mapping[str, Any]) -> list[Row]:
    """Return the loss of K equal logits, log K, as log_softmax computes it with each kind of sum."""
    base = way_named(LOSS, "log_softmax")
    rows = []
    for k in parameters["equal"]:
        x, c = np.zeros((1, k)).astype(fmt.dtype), np.zeros(1, int)
        with mp.workprec(200):
            row: Row = {"format": fmt.name, "k": k, "exact": decimal(mp.log(k), EXACT_DIGITS)}
        for order in ADD:
            way = Way(LOSS, order, base.form, base.rule, order)
            row[order] = fmt.hex(way(x, c)[0]) if way.in_format(fmt.name) else ""
        wide = way_named(LOSS, "log_softmax_wide")
        rows.append({**row, "wide": fmt.hex(wide(x, c)[0]) if wide.in_format(fmt.name) else ""})
    return rows


# -- a confident correct prediction --------------------------------------------------------------


def gaps(fmt: Format) -> Array:
    """Return gaps that the format holds, from a step up to where the loss falls below the least subnormal."""
    last = -np.log(fmt.smallest_subnormal) + np.log(GAP_CLASSES - 1)
    step = 2.0 ** np.floor(np.log2(last / 64))
    return np.arange(1, int(last / step) + 1) * step


def minus_one(x: Array, c: Array) -> Array:
    """Return the gradient for the logit of the class, softmax(x)_c - 1, as it is written."""
    e = np.exp(x - picked(x, c)[:, None])
    return picked(e, c) / ADD["sequential"](e) - np.ones(1, x.dtype)


def of_others(x: Array, c: Array) -> Array:
    """Return the same gradient as minus the others' share, -(sum of exp(x_i - m), i != c) / sum exp(x - m)."""
    rest = ADD["sequential"](np.exp(others(x, c) - picked(x, c)[:, None]))
    return -rest / (np.ones(1, x.dtype) + rest)


GRADIENTS = {"gradient_minus_one": minus_one, "gradient_of_others": of_others}


def gap_rows(fmt: Format) -> tuple[list[Row], list[Row]]:
    """Return relative errors by gap, and for each form up to which gap it is right and from which it is 0.

    The logits are the gap for the class asked for and 0 for nine others.
    """
    at = gaps(fmt)
    x = np.zeros((len(at), GAP_CLASSES)).astype(fmt.dtype)
    x[:, 0], c = at, np.zeros(len(at), int)
    losses = [SoftmaxTruth(v).loss(0) for v in x.astype(np.float64)]
    with mp.workprec(START_BITS):
        slopes = [mp.expm1(-y) for y in losses]
    with np.errstate(all="ignore"):
        computed = {n: way_named(LOSS, n)(x, c) for n in GAP_WAYS if way_named(LOSS, n).in_format(fmt.name)}
        computed |= {n: form(x, c) for n, form in GRADIENTS.items()}
    exact = {n: slopes if n in GRADIENTS else losses for n in computed}
    found = {n: [evaluation(fmt, v, y) for v, y in zip(computed[n], exact[n])] for n in computed}
    names = (*GAP_WAYS, *GRADIENTS)
    by_gap: list[Row] = [
        {
            "format": fmt.name,
            "gap": fmt.short(gap),
            "loss": decimal(losses[i], EXACT_DIGITS),
            **{n: significant(found[n][i].relative) if n in found else "" for n in names},
        }
        for i, gap in enumerate(at)
    ]
    return by_gap, [_confident(fmt, n, at, losses, evaluations) for n, evaluations in found.items()]


def _confident(fmt: Format, name: str, at: Array, losses: list[mpmath.mpf], found: list[Evaluation]) -> Row:
    """Return up to which gap a form has a right digit, and from which it is 0, with the exact losses there."""
    wrong = [i for i, e in enumerate(found) if e.relative > RIGHT]
    zero = [i for i, e in enumerate(found) if e.outcome == "spurious_zero" or e.computed == 0]
    never, last = wrong[:1] == [0], wrong[0] - 1 if wrong else -1
    return {
        "format": fmt.name,
        "kernel": name,
        "right_to": "" if never else fmt.short(at[last]),
        "right_to_loss": "" if never else significant(losses[last]),
        "zero_from": fmt.short(at[zero[0]]) if zero else "",
        "zero_from_loss": significant(losses[zero[0]]) if zero else "",
        "last_gap": fmt.short(at[-1]),
    }


# -- special values, and two classes -------------------------------------------------------------


def special_rows(fmt: Format) -> list[Row]:
    """Return what each form gives for masked and infinite logits, beside the limit."""
    rows = []
    for case, (logits, c) in SPECIAL.items():
        x, at = np.array([logits]).astype(fmt.dtype), np.array([c])
        lse, loss = LIMITS.get(case, ("", ""))
        known = not np.isnan(logits).any() and np.isfinite(max(logits))
        exact = SoftmaxTruth(x[0].astype(float)) if known else None
        row: Row = {"case": case, "logits": " ".join(str(v).removesuffix(".0") for v in logits), "class": c}
        row["limit_logsumexp"] = lse or (significant(exact.lse()) if exact else "")
        row["limit_softmax_ce"] = loss or (significant(exact.loss(c)) if exact else "")
        for way in WAYS:
            if way.plain:
                row[f"{way.problem}_{way.name}"] = significant(float(way(x, at)[0])) or "nan"
        rows.append(row)
    return rows


def pair_rows(fmt: Format, parameters: Mapping[str, Any]) -> list[Row]:
    """Return how many losses of two classes have the bits of the sigmoid cross-entropy of the difference."""
    count = dict.fromkeys(("softmax", "difference", "log_softmax", "log1p"), 0)
    total, worst = 0, mp.mpf(0)
    for kind in kinds_of(2):
        v = vectors(fmt, kind, 2, parameters["pairs"], parameters["seed"] + 2)
        for c in (v.classes[name] for name in CLASSES):
            total += len(c)
            with np.errstate(all="ignore"):
                sigmoid = sigmoid_loss(v.x, c)
            for name in count:
                count[name] += int(
                    (way_named(LOSS, name)(v.x, c).view(fmt.unsigned) == sigmoid.view(fmt.unsigned)).sum()
                )
            errors = [evaluation(fmt, s, SoftmaxTruth(x).loss(int(i))).ulp for s, x, i in zip(sigmoid, v.exact, c)]
            worst = max(worst, *errors)
    return [{"format": fmt.name, "losses": total, **count, "sigmoid_max_ulp": significant(worst)}]
