"""What the page, Markdown and LaTeX show of the study's tables: few columns, three digits."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from harness.studies.softmax.vectors import CLASSES
from harness.studies.softmax.ways import LSE
from harness.tables.writer import short

SPURIOUS = {"spurious_nan": "NaN", "spurious_inf": "inf", "spurious_zero": "zero", "wrong_sign": "sign"}
MANY = 1000  # classes


def by_format(frame: pd.DataFrame) -> pd.DataFrame:
    """Show the largest ulp error found of each form by format, for few / many classes, and spurious outcomes."""
    formats = list(dict.fromkeys(frame["format"]))
    sums, near = frame["problem"] == LSE, frame["kind"] == "normalised"
    rows = _forms(frame[sums & ~near], "", formats)
    rows += _forms(frame[sums & near], "of log-probabilities", formats)
    for target in CLASSES:
        rows += _forms(frame[frame["target"] == target], target, formats)
    return pd.DataFrame(rows)


def _forms(frame: pd.DataFrame, label: str, formats: list[str]) -> list[dict[str, str]]:
    return [
        {"problem": problem, "class": label, "kernel": kernel}
        | {name: _cell(there[there["format"] == name]) for name in formats}
        for (problem, kernel), there in frame.groupby(["problem", "kernel"], sort=False)
    ]


def _cell(rows: pd.DataFrame) -> str:
    if not len(rows):
        return "–"
    few = rows["k"].astype(int) < MANY
    text = [f"{_worst(rows[few])} / {_worst(rows[~few])}"]
    for name, label in SPURIOUS.items():
        count = rows[name].astype(int).sum()
        text += [f"{label} {count}"] if count else []
    return ", ".join(text)


def _worst(rows: pd.DataFrame) -> str:
    errors = [float(v) for v in rows["max_ulp"] if v]
    return short(max(errors)) if errors else "–"


def confident(frame: pd.DataFrame) -> pd.DataFrame:
    """Show up to which gap each form is right and from which it is 0."""
    return pd.DataFrame(
        {
            "format": r["format"],
            "form": r["kernel"],
            "within 10 % to gap": r["right_to"] or "none",
            "loss there": short(r["right_to_loss"]),
            "0 from gap": r["zero_from"] or f"none to {r['last_gap']}",
            "exact loss there": short(r["zero_from_loss"]),
        }
        for _, r in frame.iterrows()
    )


def equal(frame: pd.DataFrame) -> pd.DataFrame:
    """Show the losses of K equal logits in decimal."""
    rows = []
    for _, r in frame.iterrows():
        computed = {n: _decimal(r[n]) for n in ("sequential", "pairwise", "wide_sum", "wide")}
        rows.append({"format": r["format"], "K": r["k"], "exact log K": short(r["exact"]), **computed})
    return pd.DataFrame(rows)


def _decimal(text: str) -> str:
    return f"{float.fromhex(text):.4g}" if text else "–"


def special(frame: pd.DataFrame) -> pd.DataFrame:
    """Show the special values with three digits."""
    names = [c for c in frame.columns if c.startswith(("limit", "logsumexp", "softmax_ce"))]
    shown = frame.copy()
    for name in names:
        shown[name] = [v if v == "undefined" else short(v) for v in shown[name]]
    heads = {n: n.replace("logsumexp", "lse").replace("softmax_ce_", "ce ").replace("softmax_ce", "ce").replace("_", " ")
             for n in names}  # fmt: skip
    return shown.rename(columns=heads)


def pairs(frame: pd.DataFrame) -> pd.DataFrame:
    """Show the counts, and the error with three digits."""
    shown = frame.copy()
    shown["sigmoid_max_ulp"] = [f"≥ {short(v)}" for v in shown["sigmoid_max_ulp"]]
    return shown.rename(columns={"log_softmax": "log softmax", "sigmoid_max_ulp": "error of the sigmoid form (ulp)"})


def growth(frame: pd.DataFrame) -> pd.DataFrame:
    """Show the error over the bound, a column for some K."""
    sizes = [k for k in dict.fromkeys(frame["k"]) if k in ("2", "16", "256", "4096", "65536")]
    rows = []
    for (fmt, kernel), there in frame.groupby(["format", "kernel"], sort=False):
        by_k = there.set_index("k")
        cells = {f"K = {k}": f"{short(by_k['max_abs'][k])} of {short(by_k['bound_abs'][k] or 'inf')}" for k in sizes}
        rows.append({"format": fmt, "kernel": kernel, **cells})
    return pd.DataFrame(rows)


def gap(frame: pd.DataFrame) -> pd.DataFrame:
    """Show every eighth gap with three digits."""
    shown = frame[[(i % 8) == 7 for i in frame.groupby("format").cumcount()]].copy()
    for name in shown.columns[2:]:
        shown[name] = [short(v) if v else "–" for v in shown[name]]
    return shown.rename(columns={n: n.replace("_", " ") for n in shown.columns})


READING: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "softmax": by_format,
    "softmax_confident": confident,
    "softmax_equal": equal,
    "softmax_special": special,
    "softmax_pairs": pairs,
    "softmax_growth": growth,
    "softmax_gap": gap,
}
