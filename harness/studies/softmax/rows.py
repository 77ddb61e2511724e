"""The rows of the study: every form on the vectors of each kind and number of classes, beside its bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from harness.numbers.formats import Format
from harness.studies.softmax.bounds import Logits, bound, check
from harness.studies.softmax.exact import Exact
from harness.studies.softmax.vectors import CLASSES, Vectors, kinds_of, vectors
from harness.studies.softmax.ways import LOSS, LSE, Way, ways_of
from harness.tables.rows import CONTRACT, EXACT_DIGITS, Row
from harness.truth.certified import decimal, error_in_ulp, significant

Array = np.ndarray
DECIDED = 2.0**-100  # an ulp error is known far better than this


@dataclass(frozen=True)
class Measured:
    """Hold one computed value against the truth; ulp, relative and absolute errors are infinite where it is not finite."""

    computed: Any
    exact: mpmath.mpf
    ulp: mpmath.mpf
    relative: mpmath.mpf
    absolute: mpmath.mpf

    @property
    def finite(self) -> bool:
        """Tell whether there is an error to speak of."""
        return bool(mpmath.isfinite(self.absolute))

    @property
    def outcome(self) -> str:
        """Return the name of a spurious outcome, or `finite`; every exact value is within the format's range."""
        value = float(self.computed)
        if not self.finite:
            return "spurious_nan" if np.isnan(value) else "spurious_inf"
        if value == 0:
            return "spurious_zero" if self.ulp > 0.5 else "finite"
        return "wrong_sign" if value * mpmath.sign(self.exact) < 0 or not self.exact else "finite"


def measure(fmt: Format, computed: Any, exact: mpmath.mpf) -> Measured:
    """Measure one value; 0 is the relative error of an exact 0, infinite that of anything else there."""
    if not np.isfinite(float(computed)):
        return Measured(computed, exact, mp.inf, mp.inf, mp.inf)
    ulp = error_in_ulp(fmt, computed, exact)
    if abs(ulp - 0.5) < DECIDED:
        raise ArithmeticError(f"the truth {exact} is too near to a tie to tell whether {computed} is correctly rounded")
    with mp.workprec(200):
        absolute = abs(mp.fsub(float(computed), exact, exact=True)) if exact else abs(mp.mpf(float(computed)))
        relative = absolute / abs(exact) if exact else (mp.inf if absolute else mp.mpf(0))
    return Measured(computed, exact, ulp, relative, absolute)


def study_rows(fmt: Format, parameters: Mapping[str, Any]) -> list[Row]:
    """Return a row for each form, K, kind and class; BoundBroken where an error exceeds its bound."""
    rows = []
    for k, count in parameters["vectors"].items():
        for kind in kinds_of(int(k)):
            v = vectors(fmt, kind, int(k), count, parameters["seed"])
            exact = [Exact(x) for x in v.exact]
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
    found = [measure(fmt, value, y) for value, y in zip(way(v.x, c), exact)]
    limits = bound(way.rule, Logits(v.exact, c, np.array([float(y) for y in exact]), fmt, way.order), way.everywhere)
    what = f"{way.problem} {way.name} in {fmt.name}, {v.k} {v.kind} logits, {target or 'all classes'}, vector"
    for i, (m, limit) in enumerate(zip(found, limits)):
        check(m.absolute, float(limit), f"{what} {i}")
    measured = [m for m in found if m.finite]
    outcomes = [m.outcome for m in found]
    row: Row = {
        "problem": way.problem,
        "kernel": way.name,
        "format": fmt.name,
        "target": target,
        "grid": "vectors",
        "points": len(found),
        "exhaustive": False,
        **_worst(v, found),
        "mean_ulp": significant(mp.fsum(m.ulp for m in measured) / len(measured)) if measured else "",
        "max_rel": significant(max(m.relative for m in measured)) if measured else "",
        "max_abs": significant(max(m.absolute for m in measured)) if measured else "",
        "correctly_rounded": significant(sum(m.ulp < 0.5 for m in found) / len(found)),
        **{name: outcomes.count(name) for name in ("spurious_nan", "spurious_inf", "spurious_zero", "wrong_sign")},
        "safe_lo": "",
        "safe_hi": "",
        "k": v.k,
        "kind": v.kind,
        **_beside(fmt, found, limits),
    }
    return {name: row[name] for name in [*CONTRACT, *(n for n in row if n not in CONTRACT)]}


def _worst(v: Vectors, found: Sequence[Measured]) -> Row:
    """Return the largest ulp error, with the vector that it occurs at as KIND:K:INDEX."""
    at = [i for i, m in enumerate(found) if m.finite]
    if not at:
        return dict.fromkeys(("max_ulp", "max_ulp_input", "max_ulp_computed", "max_ulp_exact"), "")
    i = max(at, key=lambda j: found[j].ulp)
    return {
        "max_ulp": significant(found[i].ulp),
        "max_ulp_input": f"{v.kind}:{v.k}:{i}",
        "max_ulp_computed": v.fmt.hex(found[i].computed),
        "max_ulp_exact": decimal(found[i].exact, EXACT_DIGITS),
    }


def _beside(fmt: Format, found: Sequence[Measured], limits: Array) -> Row:
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
