"""Tables drawn from every eps: the best one by each criterion, those in circulation, each format's window."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product, takewhile

import numpy as np
from mpmath import mp

from harness.numbers.formats import FORMATS, Format, format_named
from harness.problems import problem_named
from harness.studies.epsilons.candidates import CIRCULATING, FORMS, STABLE, Bins, least_exponent
from harness.studies.study import Parameters
from harness.tables.rows import Row
from harness.tables.text import OUTCOME_LABELS
from harness.truth.certified import significant

FIRST_RANGE = "10"  # the range |logit| <= L that tables show first
AS_GOOD = 1.01  # an eps counts as good as the best one within one percent
KNOWN = ("machine epsilon", "least normal", *CIRCULATING)


def best_rows(rows: Sequence[Row], parameters: Parameters) -> list[Row]:
    """Return the eps of the least worst error over both targets, for each criterion and range of logits.

    Where several in a row are equally good the largest is `best_eps` and the smallest `down_to`; a spurious NaN
    or infinity in the range counts as an infinite error.
    """
    limits = [f"{limit:g}" for limit in parameters["ranges"]]
    limits = [FIRST_RANGE, "all", *(limit for limit in limits if limit != FIRST_RANGE)]
    problems = [problem for problem in STABLE if any(r["problem"] == problem for r in rows)]
    found = []
    for limit, criterion, problem, form in product(limits, ("ulp", "abs"), problems, FORMS):
        if (limit, criterion, problem) == ("all", "abs", "bce_logits"):
            continue  # the loss is as large as the logit: every eps errs by the largest number
        for fmt in dict.fromkeys(str(r["format"]) for r in rows):
            there = [r for r in rows if (r["problem"], r["format"]) == (problem, fmt)]
            found.append(_best(there, problem, form, fmt, criterion, limit))
    return found


def _best(rows: Sequence[Row], problem: str, form: str, fmt: str, criterion: str, limit: str) -> Row:
    """Return the best eps of one form and format, from all rows of its problem and format."""
    column = f"worst_{criterion}_{limit}"
    powers = [r for r in rows if r["form"] == form and str(r["eps"]).startswith("2^")]
    worst = {str(eps): _worst(powers, eps, column) for eps in dict.fromkeys(r["eps"] for r in powers)}
    least = min(worst.values(), key=_number)
    best = next(eps for eps, value in worst.items() if value == least)
    smaller = list(worst)[list(worst).index(best) :]
    good = list(takewhile(lambda eps: _number(worst[eps]) <= _number(least) * AS_GOOD, smaller))
    chosen = [r for r in powers if r["eps"] == best]
    return {
        "input": problem_named(problem).input,
        "form": form,
        "format": fmt,
        "range": limit,
        "criterion": criterion,
        "exhaustive": chosen[0]["exhaustive"],
        "best_eps": best,
        "down_to": good[-1],
        "worst": least,
        "worst_without_eps": max((str(r[column]) for r in rows if r["form"] == "stable"), key=_number),
        **price(chosen),
    }


def price(both: Sequence[Row]) -> Row:
    """Return what an eps costs, from its rows for the targets 0 and 1."""
    return {
        **{f"largest_loss_y{t}": _decimal(r["largest_loss"]) for t, r in enumerate(both)},
        "confident_bias": max((str(r["confident_bias"]) for r in both), key=_number),
        "dead_p": max((str(r["dead_p"]) for r in both), key=_number),
        "live_logit": min((str(r["live_logit"]) for r in both), key=_number),
        **{name: sum(int(str(r[name])) for r in both) for name in (*OUTCOME_LABELS, "slope_nan", "slope_inf")},
    }


def _worst(rows: Sequence[Row], eps: object, column: str) -> str:
    return max((str(r[column]) for r in rows if r["eps"] == eps), key=_number)


def _number(text: str) -> mp.mpf:
    return mp.mpf(text)


def _decimal(text: object) -> str:
    return significant(float.fromhex(str(text)))


def circulating_rows(rows: Sequence[Row]) -> list[Row]:
    """Return one row for each eps in circulation, form, input and format, over both targets."""
    found = []
    for problem, form, known in product(STABLE, FORMS, KNOWN):
        for fmt in dict.fromkeys(str(r["format"]) for r in rows):
            key = (problem, form, fmt, known)
            both = [r for r in rows if (r["problem"], r["form"], r["format"], r["known_as"]) == key]
            errors = {f"worst_{c}_{FIRST_RANGE}": _worst(both, both[0]["eps"], f"worst_{c}_{FIRST_RANGE}")
                      for c in ("ulp", "rel")}  # fmt: skip
            found.append(
                {
                    "input": problem_named(problem).input,
                    "form": form,
                    "format": fmt,
                    "eps": known,
                    "eps_in_format": both[0]["eps_in_format"],
                    "one_minus_eps": both[0]["one_minus_eps"],
                    "exhaustive": both[0]["exhaustive"],
                    **errors,
                    **price(both),
                }
            )
    return found


def window_rows(parameters: Parameters) -> list[Row]:
    """Return, for each format, the powers of two between which an eps acts, and the losses that they allow."""
    return [_window(format_named(name), parameters) for name in FORMATS if name in parameters["grid"]]


def _window(fmt: Format, parameters: Parameters) -> Row:
    powers = range(1, least_exponent(fmt) + 3)
    below = max(k for k in powers if float(fmt.round(1 - mp.ldexp(1, -k))) < 1)
    above = max(k for k in powers if float(fmt.round(_exact_above(k))) > 1)
    nonzero = max(k for k in powers if float(fmt.round(mp.ldexp(1, -k))) > 0)
    return {
        "format": fmt.name,
        "precision": fmt.precision,
        "one_plus_eps_above_1": f"2^-{above}",
        "one_minus_eps_below_1": f"2^-{below}",
        "least_normal": f"2^{fmt.emin}",
        "least_nonzero": f"2^-{nonzero}",
        **{
            f"log_{name}": significant(k * mp.log(2))
            for name, k in (("clamp", below), ("normal", -fmt.emin), ("nonzero", nonzero))
        },
        "bins": " ".join(f"{-np.log2(edge):.4g}" for edge in Bins(fmt, parameters).edges[1:]),
    }


def _exact_above(k: int) -> mp.mpf:
    with mp.workprec(1400):
        return 1 + mp.ldexp(1, -k)
