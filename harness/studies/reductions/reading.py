"""What the page, Markdown and LaTeX show of the study's tables: few columns, three digits."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from harness.studies.reductions.stagnation import SHORTFALLS
from harness.tables.writer import percent, short

SHOWN_N = (10, 10**3, 10**5, 10**6, 10**7, 10**8)  # on the page; the CSV has all


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Show the relative errors by method and format, a column for some n."""
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


def stagnation(frame: pd.DataFrame) -> pd.DataFrame:
    """Show where the sum of equal losses stops."""
    rows = [
        {
            "format": r["format"],
            "each loss": f"{float.fromhex(r['loss']):.4g}",
            "end": r["end"],
            "last sum": "∞" if r["last_sum"] == "inf" else f"{float.fromhex(r['last_sum']):.0f}",
            "predicted n": r["predicted_n"],
            "measured n": r["measured_n"] or "not run",
        }
        for _, r in frame.iterrows()
    ]
    return pd.DataFrame(rows)


def shortfall(frame: pd.DataFrame) -> pd.DataFrame:
    """Show from which n a running sum of the losses is too small."""
    rows = [
        {
            "losses in": r["format"],
            "added in": r["accumulator"],
            **{f"{percent(s)} short from n": r[f"short_{s:g}_n"] or "–" for s in SHORTFALLS},
            "exact sum overflows from n": r["overflow_n"] or "–",
            "last grew at n": r["last_growth_n"],
            "of": r["n"],
            "sum": short(r["sum"]),
            "exact": short(r["exact"]),
        }
        for _, r in frame.iterrows()
    ]
    return pd.DataFrame(rows)


READING: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "reductions": summary,
    "reductions_stagnation": stagnation,
    "reductions_shortfall": shortfall,
}
