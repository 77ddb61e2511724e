"""What people read of the tables of sums and means, few columns with three digits, and the facts for the answer."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.studies.reductions.stagnation import SHORTFALLS
from harness.studies.study import Frames
from harness.tables.strongest import Known
from harness.tables.text import percent, short
from harness.tables.views import Column, View, pick, plain

SHOWN_N = (10, 10**3, 10**5, 10**6, 10**7, 10**8)  # on the page; the CSV has all


def by_size(frame: pd.DataFrame) -> pd.DataFrame:
    """Show the relative errors, sums before means, a line for each format and method, a column for some n."""
    sizes = [n for n in SHOWN_N if str(n) in set(frame["n"])]
    rows = []
    for (quantity, fmt, method), there in frame.groupby(["quantity", "format", "method"], sort=False):
        by_n = {int(r["n"]): r for _, r in there.iterrows()}
        cells = {f"n = 10^{len(str(n)) - 1}": _cell(by_n.get(n)) for n in sizes}
        last = there.iloc[-1]
        rows.append(
            {"of": quantity, "format": fmt, "method": method, **cells, "bound at the last n": short(last["bound_rel"])}
        )
    order = {"sum": 0, "mean": 1}
    return pd.DataFrame(sorted(rows, key=lambda r: order[str(r["of"])]))


def _cell(row: pd.Series | None) -> str:
    if row is None:
        return ""
    return short(row["max_rel"]) if row["max_rel"] else row["outcome"]


VIEWS: dict[str, View] = {
    "reductions": by_size,
    "reductions_stagnation": [
        *plain("format"),
        Column("each loss", "loss", lambda v: f"{float.fromhex(v):.4g}"),
        *plain("end"),
        Column("last sum", "last_sum", lambda v: "∞" if v == "inf" else f"{float.fromhex(v):.0f}"),
        *plain(predicted_n="predicted n"),
        Column("measured n", "measured_n", lambda v: v or "not run"),
    ],
    "reductions_shortfall": [
        *plain(format="losses in", accumulator="added in"),
        *(Column(f"{percent(s)} short from n", f"short_{s:g}_n", lambda v: v or "–") for s in SHORTFALLS),
        Column("exact sum overflows from n", "overflow_n", lambda v: v or "–"),
        *plain(last_growth_n="last grew at n", n="of"),
        Column("sum", "sum", short),
        Column("exact", "exact", short),
    ],
}


def facts(frames: Frames, known: Known) -> dict[str, Any]:
    """Compute how wrong running sums are, what pairwise and compensated sums do, and what rows of unequal length cost."""
    table, short_from = frames["reductions"], frames["reductions_shortfall"]
    single = _last(table, quantity="sum", method="sequential", format="float32")
    kahan = _last(table, quantity="sum", method="kahan", format="float32")
    numpy = _last(table, quantity="sum", method="numpy", format="bfloat16")
    mixed = _last(table, quantity="mean", method="means_mixed_rows", format="float32", n="1000")
    return {
        **{f"{f}_half_from": pick(short_from, accumulator=f).iloc[0]["short_0.5_n"] for f in ("bfloat16", "float16")},
        "percent_from": pick(short_from, format="float32", accumulator="float32").iloc[0]["short_0.01_n"],
        "running_rel": single["max_rel"],
        "running_n": _power(single["n"]),
        "halves_ulp": _last(table, quantity="sum", method="pairwise", format="float32")["max_ulp"],
        "kahan_ulp": kahan["max_ulp"],
        "kahan_n": _power(kahan["n"]),
        "numpy_rel": numpy["max_rel"],
        "numpy_n": _power(numpy["n"]),
        "bounded": table["within_bound"].eq("true").sum(),
        "unequal_rel": mixed["max_rel"],
        "unequal_n": _power(mixed["n"]),
    }


def _last(frame: pd.DataFrame, **where: str) -> pd.Series:
    """Return the row of the largest batch."""
    return pick(frame, **where).iloc[-1]


def _power(n: str) -> str:
    """Write a power of ten as 10^k, another number as it is."""
    return f"10^{len(n) - 1}" if n == "1" + "0" * (len(n) - 1) else n
