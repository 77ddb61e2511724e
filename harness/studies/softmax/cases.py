"""Cases apart from the seeded vectors: growth with K, equal and confident logits, special values, two classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mpmath import mp

from harness.numbers.formats import Format
from harness.studies.softmax.exact import START_BITS, Exact
from harness.studies.softmax.forms import ADD, others, picked, sigmoid_loss
from harness.studies.softmax.rows import measure, study_row
from harness.studies.softmax.vectors import CLASSES, kinds_of, vectors
from harness.studies.softmax.ways import LOSS, LSE, WAYS, Way, way_named, ways_of
from harness.tables.rows import EXACT_DIGITS, Row
from harness.truth.certified import decimal, significant

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


# -- growth with K -------------------------------------------------------------------------------


def growth_rows(fmt: Format, parameters: Mapping[str, Any]) -> list[Row]:
    """Return the log-sum-exp's largest absolute error for normal logits of sd 1, for each form and K."""
    rows = []
    for k in parameters["growth"]:
        count = max(1, min(parameters["growth_vectors"], parameters["growth_logits"] // k))
        v = vectors(fmt, "normal_1", k, count, parameters["seed"] + 1)
        exact = [Exact(x).lse() for x in v.exact]
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
    losses = [Exact(v).loss(0) for v in x.astype(np.float64)]
    with mp.workprec(START_BITS):
        slopes = [mp.expm1(-y) for y in losses]
    with np.errstate(all="ignore"):
        computed = {n: way_named(LOSS, n)(x, c) for n in GAP_WAYS if way_named(LOSS, n).in_format(fmt.name)}
        computed |= {n: form(x, c) for n, form in GRADIENTS.items()}
    exact = {n: slopes if n in GRADIENTS else losses for n in computed}
    found = {n: [measure(fmt, v, y) for v, y in zip(computed[n], exact[n])] for n in computed}
    rows: list[Row] = []
    for i, gap in enumerate(at):
        row: Row = {"format": fmt.name, "gap": fmt.short(gap), "loss": decimal(losses[i], EXACT_DIGITS)}
        names = (*GAP_WAYS, *GRADIENTS)
        rows.append({**row, **{n: significant(found[n][i].relative) if n in found else "" for n in names}})
    summary: list[Row] = []
    for name, measured in found.items():
        wrong = [i for i, m in enumerate(measured) if m.relative > RIGHT]
        zero = [i for i, m in enumerate(measured) if m.outcome == "spurious_zero" or m.computed == 0]
        summary.append(
            {
                "format": fmt.name,
                "kernel": name,
                "right_to": "" if wrong[:1] == [0] else fmt.short(at[wrong[0] - 1] if wrong else at[-1]),
                "right_to_loss": "" if wrong[:1] == [0] else significant(losses[wrong[0] - 1 if wrong else -1]),
                "zero_from": fmt.short(at[zero[0]]) if zero else "",
                "zero_from_loss": significant(losses[zero[0]]) if zero else "",
                "last_gap": fmt.short(at[-1]),
            }
        )
    return rows, summary


# -- special values, and two classes -------------------------------------------------------------


def special_rows(fmt: Format) -> list[Row]:
    """Return what each form gives for masked and infinite logits, beside the limit."""
    rows = []
    for case, (logits, c) in SPECIAL.items():
        x, at = np.array([logits]).astype(fmt.dtype), np.array([c])
        lse, loss = LIMITS.get(case, ("", ""))
        exact = (
            None
            if np.isnan(logits).any() or max(logits) == np.inf or max(logits) == -np.inf
            else Exact(x[0].astype(float))
        )
        row: Row = {"case": case, "logits": " ".join(str(v).removesuffix(".0") for v in logits), "class": c}
        row["limit_logsumexp"] = lse or (significant(exact.lse()) if exact else "")
        row["limit_softmax_ce"] = loss or (significant(exact.loss(c)) if exact else "")
        for way in WAYS:
            if way.order == "sequential" and not way.everywhere:
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
            errors = [measure(fmt, s, Exact(x).loss(int(i))).ulp for s, x, i in zip(sigmoid, v.exact, c)]
            worst = max(worst, *errors)
    return [{"format": fmt.name, "losses": total, **count, "sigmoid_max_ulp": significant(worst)}]
