"""What it costs to reach the loss by way of a rounded probability: the pipeline's errors, apart."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.studies.pipeline import figures
from harness.studies.pipeline.curves import curve_rows, digit_rows
from harness.studies.pipeline.errors import Pair, visit
from harness.studies.pipeline.round_trip import OCTAVES, round_trip_rows
from harness.studies.pipeline.rows import pipeline_rows, quantisation_rows
from harness.studies.study import Frames, Parameters, Study, Tables
from harness.tables import writer
from harness.tables.rows import Row
from harness.workflow.experiments import targets_in

ALONE = "exact loss at p"
SHOWN = ("naive", "clip_1e-7", "clamp_log_100", "xlogy")  # kernels of the reading view of ranges


def run(parameters: Parameters, part: str) -> Tables:
    """Visit the logits of one pair of formats, written as `float16-float32`."""
    pair, sigmoid = Pair.named(part), parameters["sigmoid"]
    targets = targets_in(pair.loss, parameters["targets"])
    found = visit(pair, targets, sigmoid, parameters["sigmoids"], parameters["kernels"], parameters["fused"])
    pipelines = pipeline_rows(pair, sigmoid, found, targets)
    quantised = quantisation_rows(pair, found, targets)
    return {
        "pipeline": pipelines,
        "pipeline_quantisation": quantised,
        "pipeline_ranges": range_rows(pipelines, quantised, sigmoid, "safe"),
        "pipeline_percent": range_rows(pipelines, quantised, sigmoid, "percent"),
        "pipeline_round_trip": round_trip_rows(pair, sigmoid),
        "pipeline_curves": curve_rows(pair, sigmoid, found, targets, parameters["fused"][0], parameters["drawn"]),
        "pipeline_digits": digit_rows(pair, sigmoid),
    }


def range_rows(pipelines: Sequence[Row], quantised: Sequence[Row], sigmoid: str, ends: str) -> list[Row]:
    """Return the ranges of every way from the logit to the loss: fused, the rounded probability alone, kernels."""
    alone = [{**r, "format": r["loss_format"], "kernel": ALONE} for r in quantised if r["sigmoid"] == sigmoid]
    return [
        {
            "probability_format": r["probability_format"],
            "loss_format": r["format"],
            "target": r["target"],
            "way": str(r["kernel"]).partition("+")[2] or r["kernel"],
            "lo": r[f"{ends}_lo"],
            "hi": r[f"{ends}_hi"],
        }
        for r in (*pipelines, *alone)
    ]


def read_ranges(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each pair and target: the fused form, the rounded probability alone, and some kernels."""
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


def read_pipeline(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the whole error, its two parts at the worst logit, and the kernel's own worst, in three digits."""
    short, at = writer.short, writer.decimal_input
    return pd.DataFrame(
        {
            "way": r["kernel"],
            "loss": r["format"],
            "target": r["target"],
            "whole (ulp)": ("" if r["exhaustive"] == "true" else "≥ ") + short(r["max_ulp"]),
            "at logit": at(r["max_ulp_input"]),
            "input quantisation": short(r["quantisation_ulp"].removeprefix("-")),
            "kernel": short(r["kernel_part_ulp"].removeprefix("-")),
            "kernel at its worst p": short(r["kernel_max_ulp"]),
            "infinite": r["spurious_inf"],
            "NaN": r["spurious_nan"],
            "zero": r["spurious_zero"],
            "within 4 ulp": interval(r["safe_lo"], r["safe_hi"]),
        }
        for r in frame.to_dict("records")
    )


def read_quantisation(frame: pd.DataFrame) -> pd.DataFrame:
    """Return each sigmoid's cost in three digits."""
    return pd.DataFrame(
        {
            "probability": r["probability_format"],
            "loss": r["loss_format"],
            "sigmoid": r["sigmoid"],
            "target": r["target"],
            "finite error (ulp)": ("" if r["exhaustive"] == "true" else "≥ ") + writer.short(r["max_ulp"]),
            "at logit": writer.decimal_input(r["max_ulp_input"]),
            "infinite losses": r["infinite"],
            "zero losses": r["zero"],
            "p = 0 below": writer.decimal_input(r["not_0_from"]),
            "p = 1 above": writer.decimal_input(r["not_1_to"]),
            "within 5 %": interval(r["percent_lo"], r["percent_hi"]),
        }
        for r in frame.to_dict("records")
    )


def read_round_trip(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the digits left by octave of the logit, positive and negative, and where the last is lost."""
    return pd.DataFrame(
        {
            "probability": r["probability_format"],
            "loss": r["loss_format"],
            "formula": r["formula"],
            **{
                f"{k} to {2 * k}": f"{float(r[f'digits_positive_{k}']):.1f} / {float(r[f'digits_negative_{k}']):.1f}"
                for k in OCTAVES
            },
            "none above": writer.decimal_input(r["largest_positive"]),
            "none below": writer.decimal_input(r["largest_negative"]),
            "none within ±": writer.decimal_input(r["smallest_positive"]),
        }
        for r in frame.to_dict("records")
    )


def read_curves(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one cell of eight, about one for each binade of the logit."""
    return frame.iloc[::8]


def answer(frames: Frames) -> list[str]:
    """Say where the probability is lost, what mixed precision changes, and what to do."""
    fused = _most(frames["pipeline"], "softplus_pair", "max_ulp")
    return [
        _saturation(frames),
        _mixed(frames),
        f"Keep the logit and use the fused form, which stays within {fused} ulp at every logit visited in every "
        "pair of formats; under mixed precision convert the logit to float32, not the probability.",
    ]


def _most(frame: pd.DataFrame, kernel: str, column: str) -> str:
    return f"{frame[frame['kernel'].str.endswith('+' + kernel)][column].astype(float).max():.2g}"


def _quantised(frames: Frames, a: str, b: str, column: str, sigmoid: str = "branched") -> str:
    """Return a logit of the row of target 0 for a pair of formats."""
    rows = frames["pipeline_quantisation"].set_index(["probability_format", "loss_format", "sigmoid", "target"])
    return writer.decimal_input(str(rows.loc[(a, b, sigmoid, "0"), column]))


def _saturation(frames: Frames) -> str:
    last = {f: _quantised(frames, f, f, "not_1_to") for f in ("bfloat16", "float16", "float32", "float64")}
    where = ", ".join(f"{x} in {f}" for f, x in last.items())
    return (
        f"The rounded probability fails, not the loss: `xlogy` stays within "
        f"{_most(frames['pipeline'], 'xlogy', 'kernel_max_ulp')} ulp of the exact loss at the p that it is given, "
        f"but p becomes 1, and the loss of target 0 infinite, for logits above {where}."
    )


def _mixed(frames: Frames) -> str:
    def percent(a: str, b: str) -> str:
        return _quantised(frames, a, b, "percent_hi")

    wide = [percent(a, "float32") for a in ("bfloat16", "float16")]
    same = [percent(a, a) for a in ("bfloat16", "float16")]
    instead = (
        "exactly as with the loss in 16 bits"
        if wide == same
        else f"with the loss in 16 bits above {same[0]} and {same[1]}"
    )
    return (
        f"A loss in float32 does not bring back what a 16-bit probability lost: with target 0 it is more than 5 % off "
        f"above a logit of {wide[0]} for bfloat16 and {wide[1]} for float16, {instead}."
    )


STUDY = Study(
    run,
    answer,
    draw=figures.DRAW,
    reading={
        "pipeline": read_pipeline,
        "pipeline_ranges": read_ranges,
        "pipeline_percent": read_ranges,
        "pipeline_quantisation": read_quantisation,
        "pipeline_round_trip": read_round_trip,
        "pipeline_curves": read_curves,
        "pipeline_digits": read_curves,
    },
)
