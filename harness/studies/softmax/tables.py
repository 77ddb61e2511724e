"""What people read of the tables of K classes, few columns with three digits, and the facts for the answer's sentences."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.studies.softmax.forms import ADD, LOSS, LSE, WAYS
from harness.studies.softmax.measure import GAP_WAYS, GRADIENTS
from harness.studies.study import Frames
from harness.sweep.vectors import CLASSES
from harness.tables import views
from harness.tables.strongest import Known
from harness.tables.text import OUTCOME_LABELS, short, upward
from harness.tables.views import Cells, Column, View, plain

MANY = 1000  # classes
SIZES = ("2", "16", "256", "4096", "65536")  # of the growth that is shown; the CSV has all


# -- the largest errors --------------------------------------------------------------------------


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
    for name, label in OUTCOME_LABELS.items():
        count = rows[name].astype(int).sum()
        text += [f"{label} {count}"] if count else []
    return ", ".join(text)


def _worst(rows: pd.DataFrame) -> str:
    errors = [float(v) for v in rows["max_ulp"] if v]
    return short(max(errors)) if errors else "–"


# -- the other tables ----------------------------------------------------------------------------


def growth(frame: pd.DataFrame) -> pd.DataFrame:
    """Show the error and its bound, a line for each form, a column for some K."""
    sizes = [k for k in dict.fromkeys(frame["k"]) if k in SIZES]
    rows = []
    for (fmt, kernel), there in frame.groupby(["format", "kernel"], sort=False):
        by_k = there.set_index("k")
        cells = {f"K = {k}": f"{short(by_k['max_abs'][k])} of {short(by_k['bound_abs'][k] or 'inf')}" for k in sizes}
        rows.append({"format": fmt, "kernel": kernel, **cells})
    return pd.DataFrame(rows)


def gap(frame: pd.DataFrame) -> pd.DataFrame:
    """Show every eighth gap of each format between the logit of the class asked for and the others."""
    return views.shown(frame[[(i % 8) == 7 for i in frame.groupby("format").cumcount()]], GAP)


def _known(text: str) -> str:
    """Write a number; a form that a format does not have leaves a dash."""
    return short(text) if text else "–"


def _decimal(text: str) -> str:
    """Write a hex float in decimal; a form that a format does not have leaves a dash."""
    return f"{float.fromhex(text):.4g}" if text else "–"


def _limit(text: str) -> str:
    return text if text == "undefined" else short(text)


def _zero_from(row: Cells) -> str:
    return row["zero_from"] or f"none to {row['last_gap']}"


GAP = [
    *plain("format", "gap"),
    *(Column(name.replace("_", " "), name, _known) for name in ("loss", *GAP_WAYS, *GRADIENTS)),
]
ABBREVIATED = {LSE: "lse", LOSS: "ce"}
VIEWS: dict[str, View] = {
    "softmax": by_format,
    "softmax_confident": [
        *plain("format", kernel="form"),
        Column("within 10 % to gap", "right_to", lambda v: v or "none"),
        Column("loss there", "right_to_loss", short),
        Column("0 from gap", _zero_from),
        Column("exact loss there", "zero_from_loss", short),
    ],
    "softmax_equal": [
        *plain("format", k="K"),
        Column("exact log K", "exact", short),
        *(Column(name, name, _decimal) for name in (*ADD, "wide")),
    ],
    "softmax_special": [
        *plain("case", "logits", "class"),
        *(Column(f"limit {name}", f"limit_{problem}", _limit) for problem, name in ABBREVIATED.items()),
        *(
            Column(f"{ABBREVIATED[way.problem]} {way.name}".replace("_", " "), f"{way.problem}_{way.name}", _limit)
            for way in WAYS
            if way.plain
        ),
    ],
    "softmax_pairs": [
        *plain("format", "losses", "softmax", "difference", log_softmax="log softmax"),
        *plain("log1p"),
        Column("error of the sigmoid form (ulp)", "sigmoid_max_ulp", lambda v: f"≥ {short(v)}"),
    ],
    "softmax_growth": growth,
    "softmax_gap": gap,
}


# -- the answer ----------------------------------------------------------------------------------


def facts(frames: Frames, known: Known) -> dict[str, Any]:
    """Compute what sums in 16 bits lose, what confident predictions lose, and what the advised form leaves."""
    return {
        **_sums(frames["softmax_equal"]),
        **_leads(frames["softmax_confident"], frames["softmax_gap"]),
        **_advised(frames["softmax"]),
    }


def _row(frame: pd.DataFrame, **where: str) -> pd.Series:
    """Return the last row where the columns have these values."""
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame.iloc[-1]


def _sums(equal: pd.DataFrame) -> dict[str, Any]:
    """Compute the losses of many equal logits, added one by one, and the worst of sums by halves or in float32."""
    rows = {name: _row(equal, format=name, k="30000") for name in ("float16", "bfloat16")}
    return {
        "classes": rows["float16"]["k"],
        "log_classes": rows["float16"]["exact"],
        **{f"{name}_sum": float.fromhex(row["sequential"]) for name, row in rows.items()},
        "other_sums_off": max(
            abs(float.fromhex(row[order]) - float(row["exact"]))
            for row in rows.values()
            for order in ("pairwise", "wide_sum")
        ),
    }


def _leads(confident: pd.DataFrame, gap: pd.DataFrame) -> dict[str, Any]:
    """Compute at which lead log_softmax first returns 0, the loss there, up to which lead log1p is right, and of which leads."""
    names = ("float32", "bfloat16")
    whole = all(float(v).is_integer() for v in gap[gap["format"].isin(names)]["gap"])
    found = {"gaps_tried": "whole gaps tried" if whole else "gaps tried"}
    for name in names:
        usual = _row(confident, format=name, kernel="log_softmax")
        found[f"{name}_zero_from"], found[f"{name}_zero_loss"] = usual["zero_from"], usual["zero_from_loss"]
        found[f"{name}_log1p_to"] = _row(confident, format=name, kernel="log1p")["right_to"]
    return found


def _advised(table: pd.DataFrame) -> dict[str, Any]:
    """Compute the error of log1p in float32 for 16-bit logits, the zeros of log_softmax there, and bounds held."""
    losses = table[(table["problem"] == LOSS) & table["format"].isin(["float16", "bfloat16"])]
    usual = losses[losses["kernel"] == "log_softmax_wide"]
    return {
        "advised_ulp": upward(max(losses[losses["kernel"] == "log1p_wide"]["max_ulp"], key=float)),
        "usual_zeros": usual["spurious_zero"].astype(int).sum(),
        "usual_losses": usual["points"].astype(int).sum(),
        "bounded": table["bounded"].astype(int).sum(),
    }
