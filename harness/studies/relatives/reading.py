"""What the page shows of each table: one line for each form, a column for each format."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from harness.tables.writer import SPURIOUS, decimal_input, short


def read_relatives(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each form: its largest error in each format, over all targets, with its outcomes."""
    rows = []
    for (problem, kernel), group in frame.groupby(["problem", "kernel"], sort=False):
        line = {"problem": problem, "form": kernel}
        rows.append(line | {f: _worst(part) for f, part in group.groupby("format", sort=False)})
    return pd.DataFrame(rows)


def _worst(rows: pd.DataFrame) -> str:
    """Write the largest error of some rows, and which spurious outcomes they have."""
    known = [v for v in rows["max_ulp"] if v]
    least = "" if (rows["exhaustive"] == "true").all() else "≥ "
    error = least + short(max(known, key=float)) if known else "none finite"
    seen = [label for name, label in SPURIOUS.items() if (rows[name].astype(int) > 0).any()]
    return f"{error} ({', '.join(seen)})" if seen else error


def read_cutoff(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cutoffs in four digits, errors in three."""
    return pd.DataFrame(
        {
            "format": r["format"],
            "best cutoffs": f"{float(r['best_from']):.4g} to {float(r['best_to']):.4g}",
            "error there (ulp)": _least(r) + short(r["best_max_ulp"]),
            "cutoff log 2": _least(r) + short(r["log2_max_ulp"]),
            "cutoff 1/4": _least(r) + short(r["quarter_max_ulp"]),
            "cutoff 1": _least(r) + short(r["one_max_ulp"]),
            "cutoff 2": _least(r) + short(r["two_max_ulp"]),
            "least mean error at": f"{float(r['mean_best']):.4g}",
            "mean there": short(r["mean_best_ulp"]),
            "mean at log 2": short(r["mean_log2_ulp"]),
        }
        for r in frame.to_dict("records")
    )


def _least(row: dict) -> str:
    return "" if row["exhaustive"] == "true" else "≥ "


def read_gradient(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each form: the logits within which its gradient is a number, and its error at 0."""
    rows = []
    for (problem, kernel), group in frame.groupby(["problem", "kernel"], sort=False):
        line = {"problem": problem, "gradient of": kernel}
        line |= {r["format"]: _interval(r["finite_from"], r["finite_to"]) for r in group.to_dict("records")}
        at_0 = group[group["format"] == "float64"].iloc[0]
        line["at logit 0"] = short(at_0["at_0"])
        line["relative error at 0"] = short(at_0["at_0_rel"])
        rows.append(line)
    return pd.DataFrame(rows)


def _interval(lo: str, hi: str) -> str:
    if not lo and not hi:
        return "all"
    return f"{decimal_input(lo) or '−∞'} to {decimal_input(hi) or '∞'}"


def read_drawn(step: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return the reading that shows one row of `step`."""
    return lambda frame: frame.iloc[::step]


READING = {
    "relatives": read_relatives,
    "relatives_cutoff": read_cutoff,
    "relatives_gradient": read_gradient,
    "relatives_maechler": read_drawn(32),
    "relatives_cutoffs": read_drawn(32),
    "relatives_curves": read_drawn(400),
}
