"""Measure every method of adding up on every size of batch, and where running sums stagnate, in one format a part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from mpmath import mp

from harness.numbers.formats import Format, format_named
from harness.studies.reductions.error_bounds import WIDER, check, early_share, unit
from harness.studies.reductions.losses import exact_sums, losses
from harness.studies.reductions.methods import LOOPED, METHODS, Reduction
from harness.studies.reductions.stagnation import measured, predicted, shortfall
from harness.studies.study import Parameters, Tables
from harness.tables.rows import EXACT_DIGITS, Row
from harness.truth.certified import decimal, significant

Array = np.ndarray


def run(parameters: Parameters, part: str) -> Tables:
    """Measure every method in one format; the part is the format's name."""
    fmt = format_named(part)
    x = losses(fmt, int(parameters["most"][fmt.name]), parameters)
    return {
        "reductions": reduction_rows(fmt, x, parameters),
        "reductions_shortfall": shortfall_rows(fmt, x),
        "reductions_stagnation": stagnation_rows(fmt, parameters),
    }


@dataclass(frozen=True)
class Batches:
    """Hold batches of one size, shape (batches, n), their exact sums, and the share of Kahan's exceptions."""

    fmt: Format
    x: Array
    sums: Sequence[Fraction]
    early: float

    @property
    def n(self) -> int:
        """Return the number of losses in each batch."""
        return self.x.shape[1]


def sizes(most: int) -> list[int]:
    """Return 1, 3, 10, 30, ... up to `most`."""
    found = [digit * 10**k for k in range(len(str(most))) for digit in (1, 3)]
    return [n for n in found if n <= most]


def batches(fmt: Format, x: Array, parameters: Mapping[str, Any]) -> Iterator[Batches]:
    """Yield the losses as batches of each size: several where n is small, one from 10^6 on."""
    total, counted = Fraction(0), 0
    for n in sizes(len(x)):
        count = max(1, min(parameters["batches"], parameters["losses_of_small_batches"] // n))
        part = x[: count * n].reshape(count, n)
        if count > 1:
            sums = exact_sums(part)
        else:
            total, counted = total + exact_sums(x[None, counted:n])[0], n
            sums = [total]
        yield Batches(fmt, part, sums, early_share(part) if n <= LOOPED else 1.0)


def reduction_rows(fmt: Format, x: Array, parameters: Mapping[str, Any]) -> list[Row]:
    """Return a row for each size and method; BoundBroken where an error exceeds its bound."""
    rows = []
    for b in batches(fmt, x, parameters):
        for method in METHODS:
            if fmt.name in method.formats and method.least <= b.n <= method.most:
                rows.append(reduction_row(method, b))
    return rows


def reduction_row(method: Reduction, b: Batches) -> Row:
    """Return one row: the worst batch's error, split into bias and rounding, beside the bound."""
    with np.errstate(all="ignore"):
        values = np.asarray(method.reduce(b.x)).astype(b.fmt.dtype)
    scale = 1 if method.quantity == "sum" else b.n
    exact = [s / scale for s in b.sums]
    own = _own(method, b) or exact
    errors = [_relative(v, e) for v, e in zip(values, exact)]
    worst = max(range(len(errors)), key=lambda i: errors[i])
    bound = method.bound(b.n, b.fmt, b.early)
    what = f"relative error of the {method.quantity} {method.name} of {b.n} losses in {b.fmt.name}"
    rounding = max(_relative(v, o) for v, o in zip(values, own))
    finite = math.isfinite(errors[worst])
    applies = finite and math.isfinite(bound) and max(float(b.n), *map(float, b.sums)) <= b.fmt.max
    return {
        "quantity": method.quantity,
        "method": method.name,
        "format": b.fmt.name,
        "n": b.n,
        "batches": len(values),
        "max_ulp": significant(_ulps(b.fmt, values[worst], exact[worst])) if finite else "",
        "max_rel": significant(_mpf(errors[worst])) if finite else "",
        "median_rel": significant(_mpf(sorted(errors)[len(errors) // 2])) if finite else "",
        "bias_rel": significant(_mpf(abs(own[worst] - exact[worst]) / exact[worst])),
        "rounding_rel": significant(_mpf(rounding)) if finite else "",
        "bound_rel": significant(bound) if math.isfinite(bound) else "",
        "within_bound": check(float(rounding), bound, what) if applies else "",
        "probable_rel": significant(math.sqrt(b.n) * unit(b.fmt)),
        "computed": b.fmt.hex(values[worst]),
        "exact": decimal(_mpf(exact[worst]), EXACT_DIGITS),
        "outcome": outcome(b.fmt, values, exact),
    }


def _own(method: Reduction, b: Batches) -> list[Fraction] | None:
    """Return the method's formula evaluated exactly, where it is another than the problem: a mean of rows' means."""
    if method.rows is None:
        return None
    lengths, start = method.rows(b.n), 0
    totals = [Fraction(0)] * len(b.x)
    for length in dict.fromkeys(lengths.tolist()):
        stop = start + length * int((lengths == length).sum())
        totals = [t + s / length for t, s in zip(totals, exact_sums(b.x[:, start:stop]))]
        start = stop
    return [t / len(lengths) for t in totals]


def _relative(value: np.generic, exact: Fraction) -> Fraction | float:
    v = float(value)  # type: ignore[arg-type]
    return abs(Fraction(v) - exact) / exact if math.isfinite(v) else math.inf


def _ulps(fmt: Format, value: np.generic, exact: Fraction) -> mp.mpf:
    return _mpf(abs(Fraction(float(value)) - exact) / fmt.ulp(exact))  # type: ignore[arg-type]


def _mpf(value: Fraction | float) -> mp.mpf:
    if not isinstance(value, Fraction):
        return mp.mpf(value)
    with mp.workprec(200):
        return mp.mpf(value.numerator) / value.denominator


def outcome(fmt: Format, values: Array, exact: Sequence[Fraction]) -> str:
    """Return the worst outcome of any batch: finite, overflow (the exact value does too), or spurious."""
    found = set()
    for v, e in zip(values, exact):
        number, beyond = float(v), not math.isfinite(float(fmt.round(e)))
        if math.isnan(number):
            found.add("spurious_nan")
        elif math.isinf(number):
            found.add("overflow" if beyond else "spurious_inf")
        elif number == 0 and e:
            found.add("spurious_zero")
    return next((o for o in ("spurious_nan", "spurious_inf", "spurious_zero", "overflow") if o in found), "finite")


def stagnation_rows(fmt: Format, parameters: Mapping[str, Any]) -> list[Row]:
    """Return a row for each size of equal losses: where the running sum should stop, and where it does."""
    rows = []
    for text in parameters["equal_losses"]:
        loss = float(fmt.round(text))
        s, n = predicted(fmt, loss)
        found = measured(fmt, loss, parameters["most_equal"]) if fmt.bits <= 32 else None
        if found is not None and found != (s, n):
            raise ValueError(f"{fmt.name}, losses of {loss}: the sum stops at {found}, not at {(s, n)}")
        rows.append(
            {
                "format": fmt.name,
                "loss": fmt.hex(loss),
                "last_sum": fmt.hex(s),
                "predicted_n": n,
                "measured_n": "" if found is None else found[1],
                "end": "overflows" if math.isinf(s) else "stagnates",
            }
        )
    return rows


def shortfall_rows(fmt: Format, x: Array) -> list[Row]:
    """Return a row for each accumulator: from which n the running sum of the losses falls short."""
    rows = []
    for name in (fmt.name, WIDER.get(fmt.name)):
        if name is not None:
            found = shortfall(x, format_named(name), fmt)
            cells = {k: significant(v) if isinstance(v, float) else v for k, v in found.items()}
            rows.append({"format": fmt.name, "accumulator": name, **cells})
    return rows
