"""What people read of the pipelines' tables, few columns with three digits, and the facts for the answer's sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from harness.studies.pipeline.measure import ALONE
from harness.studies.pipeline.round_trip import OCTAVES
from harness.studies.study import Frames
from harness.tables.strongest import Known, Maximum, together
from harness.tables.text import decimal_input, short
from harness.tables.views import Cells, Column, View, plain

SHOWN = ("naive", "clip_1e-7", "clamp_log_100", "xlogy")  # kernels of the ranges; the CSV has all
SIGMOID = "branched"  # of whose probabilities the answer speaks
SIXTEEN = ("bfloat16", "float16")


def ranges(frame: pd.DataFrame) -> pd.DataFrame:
    """Show a line for each pair and target: the fused form, the rounded probability alone, and some kernels."""
    fused = frame["way"].iloc[0]
    rows = []
    for (a, b, y), group in frame.groupby(["probability_format", "loss_format", "target"], sort=False):
        ends = {r.way: (r.lo, r.hi) for r in group.itertuples()}
        ways = {f"fused ({fused})": fused, ALONE: ALONE, **{k: k for k in SHOWN}}
        rows.append({"probability": a, "loss": b, "target": y, **{c: interval(*ends[w]) for c, w in ways.items()}})
    return pd.DataFrame(rows)


def interval(lo: str, hi: str) -> str:
    """Write a range of logits in short decimals; `all` where it has both of the format's ends."""
    if not lo:
        return "none"
    a, b = float.fromhex(lo), float.fromhex(hi)
    return "all" if -a == b > 1e4 else f"[{a:.3g}, {b:.3g}]"


def every_eighth(frame: pd.DataFrame) -> pd.DataFrame:
    """Show one cell of eight, about one for each binade of the logit."""
    return frame.iloc[::8]


def _size(text: str) -> str:
    """Write a signed part without its sign."""
    return short(text.removeprefix("-"))


def _largest(row: Cells) -> str:
    """Write the largest error; over a sample of logits it is a lower bound."""
    return ("" if row["exhaustive"] == "true" else "≥ ") + short(row["max_ulp"])


def _range(ends: str) -> Callable[[Cells], str]:
    return lambda row: interval(row[f"{ends}_lo"], row[f"{ends}_hi"])


def _digits(octave: int) -> Column:
    """Return the column of the logits from `octave` to twice that: the digits left, positive / negative."""
    names = [f"digits_{side}_{octave}" for side in ("positive", "negative")]
    return Column(f"{octave} to {2 * octave}", lambda row: " / ".join(f"{float(row[name]):.1f}" for name in names))


VIEWS: dict[str, View] = {
    "pipeline": [
        *plain(kernel="way", format="loss", target="target"),
        Column("whole (ulp)", _largest),
        Column("at logit", "max_ulp_input", decimal_input),
        Column("input quantisation", "quantisation_ulp", _size),
        Column("kernel", "kernel_part_ulp", _size),
        Column("kernel at its worst p", "kernel_max_ulp", short),
        *plain(spurious_inf="infinite", spurious_nan="NaN", spurious_zero="zero"),
        Column("within 4 ulp", _range("safe")),
    ],
    "pipeline_ranges": ranges,
    "pipeline_percent": ranges,
    "pipeline_quantisation": [
        *plain(probability_format="probability", loss_format="loss", sigmoid="sigmoid", target="target"),
        Column("finite error (ulp)", _largest),
        Column("at logit", "max_ulp_input", decimal_input),
        *plain(infinite="infinite losses", zero="zero losses"),
        Column("p = 0 below", "not_0_from", decimal_input),
        Column("p = 1 above", "not_1_to", decimal_input),
        Column("within 5 %", _range("percent")),
    ],
    "pipeline_round_trip": [
        *plain(probability_format="probability", loss_format="loss", formula="formula"),
        *map(_digits, OCTAVES),
        Column("none above", "largest_positive", decimal_input),
        Column("none below", "largest_negative", decimal_input),
        Column("none within ±", "smallest_positive", decimal_input),
    ],
    "pipeline_curves": every_eighth,
    "pipeline_digits": every_eighth,
}


def facts(frames: Frames, known: Known) -> dict[str, Any]:
    """Compute where the probability is lost, what a wider loss changes, and how far off the fused form is."""
    table, quantised = frames["pipeline"], frames["pipeline_quantisation"]
    fused = _most(known, "bce_logits", "softplus_pair", table, "max_ulp")
    anywhere = [known.at_any_target("bce_logits", "softplus_pair", f) for f in table["format"].unique()]
    return {
        "xlogy": _most(known, "bce", "xlogy", table, "kernel_max_ulp").said,
        "fused": fused.said,
        "anywhere": together([fused, *anywhere]).said,
        "targets": list(table["target"].unique()),
        "last_below_1": {f: _logit(quantised, f, f, "not_1_to") for f in (*SIXTEEN, "float32", "float64")},
        "mixed": {f: _logit(quantised, f, "float32", "percent_hi") for f in SIXTEEN},
        "alike": {f: _logit(quantised, f, f, "percent_hi") for f in SIXTEEN},
    }


def _most(known: Known, problem: str, kernel: str, frame: pd.DataFrame, column: str) -> Maximum:
    """Return the largest error known of a kernel in any pair of formats: of what it is given, in the loss's format.

    The pairs' own column has part of those inputs, of a format that the loss's includes.
    """
    own = frame[frame["kernel"].str.endswith("+" + kernel)]
    seen = max(own[column], key=float)
    return known.largest(problem, kernel, own["format"].unique(), own["target"].unique(), seen)


def _logit(quantised: pd.DataFrame, a: str, b: str, column: str) -> str:
    """Write a logit of the row of target 0 for a pair of formats."""
    rows = quantised.set_index(["probability_format", "loss_format", "sigmoid", "target"])
    return decimal_input(str(rows.loc[(a, b, SIGMOID, "0"), column]))
