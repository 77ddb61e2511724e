"""Which targets a loss accepts, which it gets wrong without a word, and where stable forms lose their digits."""

from __future__ import annotations

import pandas as pd

from harness.numbers.formats import format_named
from harness.studies.study import Frames, Parameters, Study, Tables
from harness.studies.targets import figures
from harness.studies.targets.formulas import EXPRESSIONS, formula_rows, promotion_rows
from harness.studies.targets.labels import accepted_rows, label_rows
from harness.studies.targets.map import map_rows, power_rows
from harness.studies.targets.smoothing import identity_rows, smoothing_rows
from harness.tables import writer

FORMATS = ("float16", "bfloat16", "float32", "float64")


def run(parameters: Parameters, part: str) -> Tables:
    """Run everything in one format."""
    fmt = format_named(part)
    labels = label_rows(fmt)
    return {
        "targets": map_rows(fmt, parameters["grid"].get(part, "standard"), parameters["kernels"]),
        "targets_powers": power_rows(fmt, parameters["step"].get(part, 1), parameters["fused"]),
        "targets_smoothing": smoothing_rows(fmt, parameters["smoothing"]),
        "targets_identity": identity_rows(fmt),
        "targets_labels": labels,
        "targets_accepted": accepted_rows(labels),
        "targets_promotion": promotion_rows(fmt),
        "targets_formulas": formula_rows(fmt),
    }


def read_map(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each kernel and format: the worst error at each target, and spurious outcomes there."""
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for r in frame.to_dict("records"):
        marks = "".join(f" {label}" for name, label in writer.SPURIOUS.items() if r[name] not in ("", "0"))
        least = "" if r["exhaustive"] == "true" else "≥ "
        line = lines.setdefault((r["problem"], r["kernel"], r["format"]), {})
        line[r["target_name"]] = (least + writer.short(r["max_ulp"]) if r["max_ulp"] else "") + marks
    return pd.DataFrame({"problem": p, "kernel": k, "format": f, **line} for (p, k, f), line in lines.items())


def read_powers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of the fused kernels side by side."""
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for r in frame.to_dict("records"):
        target = f"2^-{r['k']}" if r["near"] == "0" else f"1-2^-{r['k']}"
        lines.setdefault((r["format"], target), {})[r["kernel"]] = "≥ " + writer.short(r["max_ulp"])
    return pd.DataFrame({"format": f, "target": t, **line} for (f, t), line in lines.items())


def read_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Return each label's effect in short numbers."""
    at = writer.decimal_input
    return pd.DataFrame(
        {
            "problem": r["problem"],
            "kernel": r["kernel"],
            "format": r["format"],
            "label": r["label"],
            "verdict": r["verdict"],
            "inputs": r["points"],
            "finite": r["finite"],
            "negative": r["negative"],
            "right": r["right"],
            "least loss": at(r["least"]),
            "at": at(r["least_input"]),
            "gradients, low and high side": f"{at(r['gradient_low'])}, {at(r['gradient_high'])}",
        }
        for r in frame.to_dict("records")
    )


def read_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each formula, a column for each kind of labels; kernels that agree share a line.

    The result's type is left out; where formats disagree, each outcome is named.
    """
    lines: dict[str, dict[str, dict[str, None]]] = {}
    for r in frame.to_dict("records"):
        word = r["outcome"] if r["outcome"].startswith("finite, wrong") else r["outcome"].partition(", ")[0]
        word = "wrong" if word.startswith("finite, wrong") else word
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


def read_promotion(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each type of labels; `x*y` has a column for each format of the logit."""
    lines: dict[str, dict[str, str]] = {}
    for r in frame.to_dict("records"):
        with_logit = r["expression"] == list(EXPRESSIONS)[-1]
        column = f"x*y, {r['format']}" if with_logit else r["expression"]
        text = r["result"] + (f": {r['values']}" if r["values"] and not with_logit else "")
        lines.setdefault(r["labels"], {}).setdefault(column, text)
    columns = [*list(EXPRESSIONS)[:-1], *(f"x*y, {f}" for f in FORMATS)]
    return pd.DataFrame({"labels": name, **{c: line.get(c, "") for c in columns}} for name, line in lines.items())


def read_accepted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the counts with the lowest loss and slopes in three digits."""
    slopes = [
        f"{writer.short(a)} to {writer.short(b)}" if a else ""
        for a, b in zip(frame["least_slope"], frame["largest_slope"])
    ]
    counts = {c: frame[c] for c in ("label", "problem", "format", "kernels")}
    named = {"finite everywhere": "finite_everywhere", "finite somewhere": "finite_somewhere",
             "negative somewhere": "negative_somewhere"}  # fmt: skip
    return pd.DataFrame({
        **counts, **{title: frame[c] for title, c in named.items()},
        "lowest loss": frame["least"].map(writer.short), "size of the gradients": slopes,
    })  # fmt: skip


def read_smoothing(frame: pd.DataFrame) -> pd.DataFrame:
    """Return smoothed targets with the two parts of their error in three digits."""
    short = writer.short
    return pd.DataFrame(
        {
            "format": r["format"],
            "s": r["s"],
            "target": r["target"],
            "formula": r["formula"],
            "smoothed": r["value"],
            "exact": r["exact"],
            "rounding of s (ulp)": short(r["quantisation_ulp"]),
            "rounding (ulp)": short(r["rounding_ulp"]),
            "unchanged": "unchanged" if r["unchanged"] == "true" else "",
        }
        for r in frame.to_dict("records")
    )


def read_identity(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison with inputs in decimal."""
    at, short = writer.decimal_input, writer.short
    return pd.DataFrame(
        {
            "format": r["format"],
            "target": r["target"],
            "values of s": r["points"] if r["exhaustive"] == "true" else f"{r['points']} (sample)",
            "equal exactly": "yes" if r["identity_exact"] == "true" else "no",
            "differ as computed": r["differ"],
            "by at most (ulp)": r["largest_difference_ulp"],
            "mixed(s), max error (ulp)": short(r["mixed_max_ulp"]),
            "keras(2s), max error (ulp)": short(r["keras_max_ulp"]),
            "mixed changes nothing up to s": at(r["mixed_unchanged_to"]),
            "keras changes nothing up to its s": at(r["keras_unchanged_to"]),
        }
        for r in frame.to_dict("records")
    )


def answer(frames: Frames) -> list[str]:
    """Say what labels do, where digits go next to 1, and what to do."""
    return [_labels(frames), _next_to_1(frames), _advice(frames)]


def _labels(frames: Frames) -> str:
    labels = frames["targets_labels"]
    minus = labels[(labels["label"] == "-1") & (labels["problem"] == "bce_logits")]
    negative = minus["negative"].astype(int) > 0
    formulas = frames["targets_formulas"]
    silent = formulas[formulas["labels"].str.startswith("0/1") & formulas["outcome"].str.startswith("finite, wrong")]
    unsigned = silent[silent["labels"] == "0/1 uint8"]["formula"].unique()
    return (
        f"Labels of −1 are not refused: {int(negative.sum())} of {len(minus)} pairs of a kernel on logits and a format "
        f"return negative losses for them, without a lower bound; and unsigned 0/1 labels make {len(unsigned)} of the "
        f"formulas tried finite and wrong, since −y and 2y − 1 wrap around."
    )


def _next_to_1(frames: Frames) -> str:
    rows = frames["targets"]
    rows = rows[rows["problem"] == "bce_logits"].set_index(["kernel", "format", "target_name"])

    def error(kernel: str, fmt: str, target: str = "1-2^-p") -> str:
        r = rows.loc[(kernel, fmt, target)]
        return ("" if r["exhaustive"] == "true" else "≥ ") + writer.short(r["max_ulp"])

    lost = ", ".join(f"{error('lse_log1p', f)} in {f}" for f in ("float16", "bfloat16", "float32", "float64"))
    pair = rows.loc["softplus_pair"]["max_ulp"].astype(float).max()
    return (
        f"The log-sum-exp form `lse_log1p` loses a bit for every halving of 1 − y (ulp at the neighbour of 1: {lost}), "
        f"torch's form, `linear_softplus`, as much next to 0 ({error('linear_softplus', 'float32', '2^-p')} in float32), "
        f"while the sum of two softplus terms stays within {writer.short(pair)} ulp at every target and logit visited."
    )


def _advice(frames: Frames) -> str:
    rows = frames["targets_identity"]
    ones = rows[rows["target"] == "1"].set_index("format")
    kept = writer.decimal_input(ones.loc["bfloat16", "keras_unchanged_to"])
    return (
        "Check that targets lie in [0, 1], convert them to the loss's format before any arithmetic, take two softplus "
        f"terms for soft targets, and smooth in float32: in bfloat16 Keras's formula leaves a label of 1 as it is up to "
        f"s = {kept}, and y(1−s) + s(1−y), which is Keras's with 2s, up to "
        f"{writer.decimal_input(ones.loc['bfloat16', 'mixed_unchanged_to'])}."
    )


STUDY = Study(
    run,
    answer,
    draw=figures.DRAW,
    reading={
        "targets": read_map,
        "targets_powers": read_powers,
        "targets_labels": read_labels,
        "targets_accepted": read_accepted,
        "targets_formulas": read_formulas,
        "targets_promotion": read_promotion,
        "targets_smoothing": read_smoothing,
        "targets_identity": read_identity,
    },
)
