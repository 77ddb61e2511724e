"""The answer in three sentences, every number from the tables."""

from __future__ import annotations

import math

import pandas as pd

from harness.numbers.formats import format_named
from harness.studies.study import Frames
from harness.tables.writer import percent, short


def answer(frames: Frames) -> list[str]:
    """Say which eps is best, what it costs, and what to do instead."""
    return [_best(frames), _price(frames), _advice(frames)]


def _pick(frame: pd.DataFrame, **where: str) -> pd.DataFrame:
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame


def _best(frames: Frames) -> str:
    windows = frames["epsilons_windows"]
    least = ", ".join(f"{r['one_minus_eps_below_1']} in {r['format']}" for _, r in windows.iterrows())
    best = _pick(frames["epsilons_best"], input="probability", form="clamp", range="all", criterion="ulp")
    agree = [r["best_eps"] == _pick(windows, format=r["format"]).iloc[0]["one_minus_eps_below_1"] for _, r in best.iterrows()]  # fmt: skip
    whole = "in every format" if all(agree) else f"in {sum(agree)} of {len(agree)} formats"
    return (
        f"For a clamp the eps with the least worst error over all probabilities is {whole} the least power of two "
        f"that still makes 1 − eps less than 1 ({least}): a smaller one clamps at one end only, and a perfect "
        "prediction gives 0 · ∞ = NaN."
    )


def _price(frames: Frames) -> str:
    best = _pick(frames["epsilons_best"], input="probability", form="clamp", range="all", criterion="ulp")
    plateaus = ", ".join(f"{short(r['largest_loss_y1'])} in {r['format']}" for _, r in best.iterrows())
    table = _pick(frames["epsilons_circulating"], input="probability", eps="1e-7")
    clamps = _pick(table, form="clamp")
    useless = [r["format"] for _, r in clamps.iterrows() if r["one_minus_eps"] == "0x1p+0"]
    added = _pick(table, form="added", format="float32").iloc[0]
    return (
        f"Its price is a loss that stops at {plateaus} and a gradient that is 0 beyond; 1e-7 clamps nothing next to 1 "
        f"in {' and '.join(useless)}, and added in float32 it shifts the loss of a correct prediction at "
        f"logit 10 by {percent(added['confident_bias'])}."
    )


def _advice(frames: Frames) -> str:
    added = _pick(frames["epsilons_circulating"], input="probability", form="added", eps="least normal")
    clean = [r["format"] for _, r in added.iterrows() if {r["spurious_nan"], r["spurious_inf"], r["dead_p"]} == {"0"}]
    spared = "every format" if len(clean) == len(added) else ", ".join(clean)
    at = {"input": "logit", "form": "clamp", "range": "10", "criterion": "ulp"}
    half = _pick(frames["epsilons_best"], **at, format="float32").iloc[0]
    lost = math.floor(math.log2(float(half["worst"])))  # of a sample: at least so many
    return (
        f"If a probability is all there is, add the least normal number: in {spared} it gives neither NaN nor infinity "
        f"nor a dead gradient; better, take the loss from the logit: up to logit 10 even the best clamp after a sigmoid "
        f"loses at least {lost} of {format_named('float32').precision} bits in float32, the stable form was never found "
        f"more than {short(half['worst_without_eps'])} ulp off."
    )
