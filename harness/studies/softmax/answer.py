"""The study's answer in three sentences, every number from the tables."""

from __future__ import annotations

import pandas as pd

from harness.studies.study import Frames
from harness.tables.writer import short


def answer(frames: Frames) -> list[str]:
    """Say what sums in 16 bits lose, what confident predictions lose, and what to use."""
    return [_sums(frames), _confident(frames), _advice(frames)]


def _row(frame: pd.DataFrame, **where: str) -> pd.Series:
    """Return the last row where the columns have these values."""
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame.iloc[-1]


def _sums(frames: Frames) -> str:
    table = frames["softmax_equal"]
    half, brain = (_row(table, format=name, k="30000") for name in ("float16", "bfloat16"))
    other = max(abs(float.fromhex(r[n]) - float(r["exact"])) for r in (half, brain) for n in ("pairwise", "wide_sum"))
    return (
        f"Exponentials added one by one in 16 bits stagnate: for {half['k']} equal logits the loss, "
        f"{short(half['exact'])}, comes out as {_value(half['sequential'])} in float16 and {_value(brain['sequential'])} in "
        f"bfloat16, while sums by halves or in float32 leave it off by {short(other)} at most."
    )


def _value(text: str) -> str:
    return short(float.fromhex(text))


def _confident(frames: Frames) -> str:
    table = frames["softmax_confident"]
    usual = {name: _row(table, format=name, kernel="log_softmax") for name in ("float32", "bfloat16")}
    safe = {name: _row(table, format=name, kernel="log1p") for name in usual}
    return (
        f"For a right class that leads nine others, lse − x_c and log_softmax return 0 from a gap of "
        f"{usual['float32']['zero_from']} in float32 (true loss {short(usual['float32']['zero_from_loss'])}) and "
        f"{usual['bfloat16']['zero_from']} in bfloat16 ({short(usual['bfloat16']['zero_from_loss'])}); log1p of the rest "
        f"stays within 10 % up to {safe['float32']['right_to']} and {safe['bfloat16']['right_to']}."
    )


def _advice(frames: Frames) -> str:
    table = frames["softmax"]
    losses = table[(table["problem"] == "softmax_ce") & table["format"].isin(["float16", "bfloat16"])]
    worst = max(float(v) for v in losses[losses["kernel"] == "log1p_wide"]["max_ulp"])
    zeros = losses[losses["kernel"] == "log_softmax_wide"]["spurious_zero"].astype(int).sum()
    checked = table["bounded"].astype(int).sum()
    return (
        "Compute (m − x_c) + log1p(rest), for 16-bit logits in float32 with one rounding at the end: every such loss here "
        f"was then within {short(worst)} ulp, while log_softmax in float32 still returned 0 for {zeros} of "
        f"{losses[losses['kernel'] == 'log_softmax_wide']['points'].astype(int).sum()}; all {checked} errors that have a "
        "bound, of whatever form, are below it."
    )
