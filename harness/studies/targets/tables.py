"""What people read of labels, smoothing and targets from 0 to 1, and the facts that the answer is filled with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from harness.studies.study import Frames
from harness.studies.targets.formulas import EXPRESSIONS
from harness.tables.strongest import Known
from harness.tables.text import OUTCOME_LABELS, decimal_input, short
from harness.tables.views import Cells, Column, plain

PROBLEM = "bce_logits"
FORMATS = ("float16", "bfloat16", "float32", "float64")
*BEFORE_LOSS, WITH_LOGIT = EXPRESSIONS  # only the last one's result depends on the working format


def at_least(row: Cells) -> str:
    """Write a largest error, with ≥ where it is that of a sample; empty where no result is finite."""
    least = "" if row["exhaustive"] == "true" else "≥ "
    return least + short(row["max_ulp"]) if row["max_ulp"] else ""


def by_target(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each kernel and format: the worst error at each target, and spurious outcomes there."""
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for r in frame.to_dict("records"):
        marks = "".join(f" {label}" for name, label in OUTCOME_LABELS.items() if r[name] not in ("", "0"))
        line = lines.setdefault((r["problem"], r["kernel"], r["format"]), {})
        line[r["target_name"]] = at_least(r) + marks
    return pd.DataFrame({"problem": p, "kernel": k, "format": f, **line} for (p, k, f), line in lines.items())


def side_by_side(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each format and target: the errors of the fused kernels side by side."""
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for r in frame.to_dict("records"):
        target = f"2^-{r['k']}" if r["near"] == "0" else f"1-2^-{r['k']}"
        lines.setdefault((r["format"], target), {})[r["kernel"]] = "≥ " + short(r["max_ulp"])
    return pd.DataFrame({"format": f, "target": t, **line} for (f, t), line in lines.items())


def by_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each formula, a column for each kind of labels; kernels that agree share a line.

    The result's type is left out; where formats disagree, each outcome is named.
    """
    lines: dict[str, dict[str, dict[str, None]]] = {}
    for r in frame.to_dict("records"):
        wrong = r["outcome"].startswith("finite, wrong")
        word = "wrong" if wrong else r["outcome"].partition(", ")[0]
        lines.setdefault(r["formula"], {}).setdefault(r["labels"], {})[word] = None
    shown: dict[tuple[str, ...], list[str]] = {}
    for formula, line in lines.items():
        cells = tuple(" / ".join(sorted(words)) for words in line.values())
        shown.setdefault((*cells, "" if formula.startswith("kernel") else formula), []).append(formula)
    return pd.DataFrame(
        {"formula": _several(names), **dict(zip(next(iter(lines.values())), cells))}
        for (*cells, _), names in shown.items()
    )


def _several(names: list[str]) -> str:
    if len(names) == 1:
        return f"`{names[0]}`" if not names[0].startswith("kernel") else names[0]
    return f"{names[0]} and {len(names) - 1} other kernels"


def by_type(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each type of labels; `x*y` has a column for each format of the logit."""
    lines: dict[str, dict[str, str]] = {}
    for r in frame.to_dict("records"):
        with_logit = r["expression"] == WITH_LOGIT
        column = f"x*y, {r['format']}" if with_logit else r["expression"]
        text = r["result"] + (f": {r['values']}" if r["values"] and not with_logit else "")
        lines.setdefault(r["labels"], {}).setdefault(column, text)
    columns = [*BEFORE_LOSS, *(f"x*y, {f}" for f in FORMATS)]
    return pd.DataFrame({"labels": name, **{c: line.get(c, "") for c in columns}} for name, line in lines.items())


def _two(between: str, first: str, second: str, write: Callable[[str], str]) -> Callable[[Cells], str]:
    """Return the source of a column that shows two cells; nothing where the first is empty."""
    return lambda row: f"{write(row[first])}{between}{write(row[second])}" if row[first] else ""


VIEWS = {
    "targets": by_target,
    "targets_powers": side_by_side,
    "targets_labels": [
        *plain("problem", "kernel", "format", "label", "verdict", points="inputs"),
        *plain("finite", "negative", "right"),
        Column("least loss", "least", decimal_input),
        Column("at", "least_input", decimal_input),
        Column("gradients, low and high side", _two(", ", "gradient_low", "gradient_high", decimal_input)),
    ],
    "targets_accepted": [
        *plain("label", "problem", "format", "kernels"),
        *plain(
            finite_everywhere="finite everywhere",
            finite_somewhere="finite somewhere",
            negative_somewhere="negative somewhere",
        ),
        Column("lowest loss", "least", short),
        Column("size of the gradients", _two(" to ", "least_slope", "largest_slope", short)),
    ],
    "targets_formulas": by_labels,
    "targets_promotion": by_type,
    "targets_smoothing": [
        *plain("format", "s", "target", "formula", value="smoothed"),
        *plain("exact"),
        Column("rounding of s (ulp)", "quantisation_ulp", short),
        Column("rounding (ulp)", "rounding_ulp", short),
        Column("unchanged", "unchanged", {"true": "unchanged", "false": ""}.__getitem__),
    ],
    "targets_identity": [
        *plain("format", "target"),
        Column("values of s", lambda row: row["points"] + ("" if row["exhaustive"] == "true" else " (sample)")),
        Column("equal exactly", "identity_exact", {"true": "yes", "false": "no"}.__getitem__),
        *plain(differ="differ as computed", largest_difference_ulp="by at most (ulp)"),
        Column("mixed(s), max error (ulp)", "mixed_max_ulp", short),
        Column("keras(2s), max error (ulp)", "keras_max_ulp", short),
        Column("mixed changes nothing up to s", "mixed_unchanged_to", decimal_input),
        Column("keras changes nothing up to its s", "keras_unchanged_to", decimal_input),
    ],
}


def facts(frames: Frames, known: Known) -> dict[str, Any]:
    """Compute what labels outside [0, 1] do, where digits go next to 0 and 1, and what smoothing leaves as it is."""
    ones = frames["targets_identity"]
    ones = ones[ones["target"] == "1"].set_index("format")
    return {
        **_labels(frames["targets_labels"], frames["targets_formulas"]),
        **_next_to_an_end(frames["targets"], known),
        "keras_unchanged": decimal_input(ones.loc["bfloat16", "keras_unchanged_to"]),
        "mixed_unchanged": decimal_input(ones.loc["bfloat16", "mixed_unchanged_to"]),
    }


def _labels(labels: pd.DataFrame, formulas: pd.DataFrame) -> dict[str, Any]:
    """Count the pairs of kernel and format with negative losses at -1, and formulas that unsigned labels break.

    Losses fall where the least is the least logit itself; those by way of a sigmoid have a bound, and may reach it later.
    """
    minus_one = labels[(labels["label"] == "-1") & (labels["problem"] == "bce_logits")]
    sigmoid = minus_one["kernel"].str.startswith("sigmoid")
    logit = min(minus_one["least_input"], key=float.fromhex)
    follows = minus_one["least"].map(float.fromhex) == float.fromhex(logit)
    falling = minus_one[follows & ~sigmoid]
    silent = formulas[formulas["outcome"].str.startswith("finite, wrong")]
    return {
        "minus_one": len(minus_one),
        "negative": int((minus_one["negative"].astype(int) > 0).sum()),
        "falling": len(falling),
        "falling_kernels": falling["kernel"].nunique(),
        "falling_to": decimal_input(max(falling["least"], key=float.fromhex)),
        "least_logit": decimal_input(logit),
        "sigmoids": minus_one[sigmoid]["kernel"].nunique(),
        "sigmoid_pairs": int(sigmoid.sum()),
        "stopped": int((sigmoid & ~follows).sum()),
        "unsigned": silent[silent["labels"] == "0/1 uint8"]["formula"].nunique(),
    }


def _next_to_an_end(rows: pd.DataFrame, known: Known) -> dict[str, Any]:
    """Find the errors of the fused forms at the neighbour of 1 and next to 0, and the largest of softplus_pair."""
    rows = rows[rows["problem"] == PROBLEM].drop_duplicates(["format", "target_name"])
    target = rows.set_index(["format", "target_name"])["target"]

    def at(kernel: str, fmt: str, name: str) -> str:
        return known.largest(PROBLEM, kernel, [fmt], [target.loc[fmt, name]]).marked

    return {
        "next_to_1": {fmt: at("lse_log1p", fmt, "1-2^-p") for fmt in FORMATS},
        "next_to_0": at("linear_softplus", "float32", "2^-p"),
        "pair": known.largest_at_any_target(PROBLEM, "softplus_pair", FORMATS).said,
    }
