"""What the page, Markdown and LaTeX show of the study's tables: few columns, three digits."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from harness.numbers.formats import format_named
from harness.studies.epsilons.choice import SPURIOUS
from harness.tables.writer import decimal_input, percent, short


def _least(row: pd.Series, column: str) -> str:
    """Write an error; ≥ where the inputs were a sample, as a maximum of a sample is a lower bound."""
    sign = "" if row["exhaustive"] == "true" or row[column] in ("inf", "0") else "≥ "
    return sign + short(row[column])


def _spurious(row: pd.Series) -> str:
    """Write the counts of spurious outcomes that occur."""
    return ", ".join(f"{label} {row[name]}" for name, label in SPURIOUS.items() if row[name] != "0")


def _losses(row: pd.Series) -> str:
    return f"{short(row['largest_loss_y0'])} / {short(row['largest_loss_y1'])}"


def _range(limit: str) -> str:
    return "all" if limit == "all" else f"≤ {limit}"


def best(frame: pd.DataFrame) -> pd.DataFrame:
    """Show the best eps with its errors and its price."""
    rows = [
        {
            "input": r["input"],
            "form": r["form"],
            "format": r["format"],
            "logits": _range(r["range"]),
            "criterion": r["criterion"],
            "best eps": r["best_eps"],
            "as good down to": r["down_to"],
            "worst error": _least(r, "worst"),
            "stable form": _least(r, "worst_without_eps"),
            "largest loss y = 0 / 1": _losses(r),
            "bias at logit 10": percent(r["confident_bias"]),
            "dead in p": short(r["dead_p"]),
            "alive in logit": short(r["live_logit"]),
            "spurious": _spurious(r),
        }
        for _, r in frame.iterrows()
    ]
    return pd.DataFrame(rows)


def circulating(frame: pd.DataFrame) -> pd.DataFrame:
    """Show what the eps in circulation do in each format."""
    rows = [
        {
            "input": r["input"],
            "form": r["form"],
            "eps": r["eps"],
            "format": r["format"],
            "in the format": _decimal(r["eps_in_format"]),
            "1 − eps": "1" if r["one_minus_eps"] == "0x1p+0" else "below 1",
            "worst error, logits ≤ 10 (ulp)": _least(r, "worst_ulp_10"),
            "bias at logit 10": percent(r["confident_bias"]),
            "largest loss y = 0 / 1": _losses(r),
            "dead in p": short(r["dead_p"]),
            "spurious": _spurious(r),
            "gradient NaN / inf": f"{r['slope_nan']} / {r['slope_inf']}",
        }
        for _, r in frame.iterrows()
    ]
    return pd.DataFrame(rows)


def _decimal(text: str) -> str:
    return "0" if float.fromhex(text) == 0 else f"{float.fromhex(text):.3g}"


def windows(frame: pd.DataFrame) -> pd.DataFrame:
    """Show each format's window."""
    headings = {
        "format": "format",
        "precision": "p",
        "one_plus_eps_above_1": "least eps with 1 + eps > 1",
        "one_minus_eps_below_1": "least eps with 1 − eps < 1",
        "least_normal": "least normal",
        "least_nonzero": "least that is not 0",
        "log_clamp": "−log of the least eps with 1 − eps < 1",
        "log_normal": "−log of the least normal",
        "log_nonzero": "−log of the least not 0",
    }
    shown = frame.drop(columns="bins").rename(columns=headings)
    for heading in list(headings.values())[6:]:
        shown[heading] = shown[heading].map(short)
    return shown


def every(frame: pd.DataFrame) -> pd.DataFrame:
    """Show the whole table: worst error with its parts, where the gradient is dead, spurious outcomes."""
    rows = [
        {
            "kernel": r["kernel"],
            "format": r["format"],
            "target": r["target"],
            "max error (ulp)": _least(r, "max_ulp") if r["max_ulp"] else "",
            "at input": decimal_input(r["max_ulp_input"]),
            "max bias (ulp)": _least(r, "max_bias_ulp") if r["max_bias_ulp"] else "",
            "max rounding (ulp)": _least(r, "max_rounding_ulp") if r["max_rounding_ulp"] else "",
            "largest loss": _loss(r),
            "dead up to": decimal_input(r["dead_lo"]),
            "dead from": _top(r),
            "spurious": _spurious(r),
        }
        for _, r in frame.iterrows()
    ]
    return pd.DataFrame(rows)


def _loss(row: pd.Series) -> str:
    return short(float.fromhex(row["largest_loss"]))


def _top(row: pd.Series) -> str:
    """Write the upper end of the live inputs; beside 1 as 1 − distance."""
    if row["dead_hi"] == "" or row["problem"] == "bce_logits":
        return decimal_input(row["dead_hi"])
    value = format_named(row["format"]).parse(row["dead_hi"])
    return f"1 − {1 - float(value):.3g}" if float(value) > 0.99 else f"{float(value):.4g}"


READING: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "epsilons_best": best,
    "epsilons_circulating": circulating,
    "epsilons_windows": windows,
    "epsilons": every,
}
