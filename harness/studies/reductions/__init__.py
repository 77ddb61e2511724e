"""How a batch's losses are added up: the error of sums and means against their number."""

from __future__ import annotations

import pandas as pd

from harness.numbers.formats import format_named
from harness.studies.reductions.figures import draw_means, draw_stagnation, draw_sums
from harness.studies.reductions.reading import READING
from harness.studies.reductions.rows import format_rows
from harness.studies.study import Frames, Parameters, Study, Tables
from harness.tables.writer import percent, short


def run(parameters: Parameters, part: str) -> Tables:
    """Measure every method in one format; the part is the format's name."""
    return format_rows(format_named(part), parameters)


def answer(frames: Frames) -> list[str]:
    """Say how wrong running sums are, what pairwise and compensated sums do, and what to use."""
    return [_running(frames), _better(frames), _advice(frames)]


def _pick(frame: pd.DataFrame, **where: str) -> pd.DataFrame:
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame


def _last(frames: Frames, **where: str) -> pd.Series:
    """Return the row of the largest batch."""
    return _pick(frames["reductions"], **where).iloc[-1]


def _power(n: str) -> str:
    return f"10^{len(n) - 1}" if n == "1" + "0" * (len(n) - 1) else n


def _running(frames: Frames) -> str:
    single = _last(frames, quantity="sum", method="sequential", format="float32")
    shorts = _pick(frames["reductions_shortfall"], format="float32", accumulator="float32").iloc[0]
    half = {name: _pick(frames["reductions_shortfall"], accumulator=name).iloc[0] for name in ("bfloat16", "float16")}
    return (
        f"A running sum of realistic losses stops growing: in bfloat16 half of it is missing from n = "
        f"{half['bfloat16']['short_0.5_n']} on, in float16 from {half['float16']['short_0.5_n']}, and in float32 1 % from "
        f"{short(shorts['short_0.01_n'])} and {percent(single['max_rel'])} at n = {_power(single['n'])}."
    )


def _better(frames: Frames) -> str:
    pairwise = _last(frames, quantity="sum", method="pairwise", format="float32")
    kahan = _last(frames, quantity="sum", method="kahan", format="float32")
    numpy = _last(frames, quantity="sum", method="numpy", format="bfloat16")
    checked = frames["reductions"]["within_bound"].eq("true").sum()
    return (
        f"Added by halves the same float32 losses are off by {short(pairwise['max_ulp'])} ulp, with Kahan's correction by "
        f"{short(kahan['max_ulp'])} (n = {_power(kahan['n'])}); np.sum goes by halves except in bfloat16, where it is a "
        f"running sum and misses {percent(numpy['max_rel'])} at n = {_power(numpy['n'])}; all {checked} errors that have a "
        "bound are below it."
    )


def _advice(frames: Frames) -> str:
    mixed = _last(frames, quantity="mean", method="means_mixed_rows", format="float32", n="1000")
    return (
        "Add 16-bit losses in float32, and float32 losses by halves or in float64; divide there, round once, and weight "
        f"rows by their length: the plain mean of the means of unequal rows is off by up to {percent(mixed['max_rel'])} at "
        f"n = {_power(mixed['n'])}, whatever the format."
    )


STUDY = Study(
    run,
    answer,
    draw={
        "reductions_sums": draw_sums,
        "reductions_means": draw_means,
        "reductions_stagnation": draw_stagnation,
    },
    reading=READING,
)
