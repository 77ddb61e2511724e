"""What people read of the tables of eps, in three digits, and the facts that the answer's sentences are filled with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from harness.numbers.formats import format_named
from harness.studies.epsilons.candidates import STABLE
from harness.studies.study import Frames
from harness.tables.strongest import Known
from harness.tables.text import OUTCOME_LABELS, decimal_input, percent, short
from harness.tables.views import Cells, Column, pick, plain


def _worst(column: str) -> Callable[[Cells], str]:
    """Write an error; ≥ where the inputs were a sample, as a maximum of a sample is a lower bound."""

    def write(row: Cells) -> str:
        known = row["exhaustive"] == "true" or row[column] in ("", "inf", "0")
        return ("" if known else "≥ ") + short(row[column])

    return write


def _spurious(row: Cells) -> str:
    """Write the counts of spurious outcomes that occur."""
    return ", ".join(f"{label} {row[name]}" for name, label in OUTCOME_LABELS.items() if row[name] != "0")


def _live_end(row: Cells) -> str:
    """Write the upper end of the live inputs; beside 1 as 1 − distance."""
    if row["dead_hi"] == "" or row["problem"] == "bce_logits":
        return decimal_input(row["dead_hi"])
    value = float(format_named(row["format"]).parse(row["dead_hi"]))
    return f"1 − {1 - value:.3g}" if value > 0.99 else f"{value:.4g}"


HARD = ("0", "1")  # the targets that the loss is measured at

SPURIOUS_COUNTS = Column("spurious", _spurious)
LARGEST_LOSSES = Column(
    "largest loss y = 0 / 1", lambda row: f"{short(row['largest_loss_y0'])} / {short(row['largest_loss_y1'])}"
)
BIAS = Column("bias at logit 10", "confident_bias", percent)
DEAD = Column("dead in p", "dead_p", short)

VIEWS = {
    "epsilons_best": [
        *plain("input", "form", "format"),
        Column("logits", "range", lambda limit: "all" if limit == "all" else f"≤ {limit}"),
        *plain("criterion", best_eps="best eps", down_to="as good down to"),
        Column("worst error", _worst("worst")),
        Column("stable form", _worst("worst_without_eps")),
        LARGEST_LOSSES,
        BIAS,
        DEAD,
        Column("alive in logit", "live_logit", short),
        SPURIOUS_COUNTS,
    ],
    "epsilons_circulating": [
        *plain("input", "form", "eps", "format"),
        Column("in the format", "eps_in_format", lambda v: f"{float.fromhex(v):.3g}"),
        Column("1 − eps", "one_minus_eps", lambda v: "1" if v == "0x1p+0" else "below 1"),
        Column("worst error, logits ≤ 10 (ulp)", _worst("worst_ulp_10")),
        BIAS,
        LARGEST_LOSSES,
        DEAD,
        SPURIOUS_COUNTS,
        Column("gradient NaN / inf", lambda row: f"{row['slope_nan']} / {row['slope_inf']}"),
    ],
    "epsilons_windows": [
        Column("format", "format"),
        Column("p", "precision"),
        Column("least eps with 1 + eps > 1", "one_plus_eps_above_1"),
        Column("least eps with 1 − eps < 1", "one_minus_eps_below_1"),
        Column("least normal", "least_normal"),
        Column("least that is not 0", "least_nonzero"),
        Column("−log of the least eps with 1 − eps < 1", "log_clamp", short),
        Column("−log of the least normal", "log_normal", short),
        Column("−log of the least not 0", "log_nonzero", short),
    ],
    "epsilons": [
        *plain("kernel", "format", "target"),
        Column("max error (ulp)", _worst("max_ulp")),
        Column("at input", "max_ulp_input", decimal_input),
        Column("max bias (ulp)", _worst("max_bias_ulp")),
        Column("max rounding (ulp)", _worst("max_rounding_ulp")),
        Column("largest loss", "largest_loss", lambda v: short(float.fromhex(v))),
        Column("dead up to", "dead_lo", decimal_input),
        Column("dead from", _live_end),
        SPURIOUS_COUNTS,
    ],
}


def facts(frames: Frames, known: Known) -> dict[str, Any]:
    """Compute which eps is best, what it costs, and what doing without one gives."""
    windows = frames["epsilons_windows"].set_index("format")["one_minus_eps_below_1"]
    clamp = pick(frames["epsilons_best"], input="probability", form="clamp", range="all", criterion="ulp")
    common = pick(frames["epsilons_circulating"], input="probability", eps="1e-7")
    clamped = pick(common, form="clamp")
    normal = pick(frames["epsilons_circulating"], input="probability", form="added", eps="least normal")
    whole = (normal[["spurious_nan", "spurious_inf", "dead_p"]] == "0").all(axis=1)
    at = {"input": "logit", "form": "clamp", "range": "10", "criterion": "ulp", "format": "float32"}
    after_sigmoid = pick(frames["epsilons_best"], **at).iloc[0]
    return {
        "formats": len(clamp),
        "sampled": list(clamp["format"][clamp["exhaustive"] != "true"]),
        "least_below_1": windows.to_dict(),
        "agreeing": sum(eps == windows[fmt] for fmt, eps in zip(clamp["format"], clamp["best_eps"])),
        "plateaus": {fmt: short(loss) for fmt, loss in zip(clamp["format"], clamp["largest_loss_y1"])},
        "idle": list(clamped["format"][clamped["one_minus_eps"] == "0x1p+0"]),
        "added_bias": pick(common, form="added", format="float32").iloc[0]["confident_bias"],
        "all_whole": whole.all(),
        "whole": list(normal["format"][whole]),
        "bits_lost": math.floor(math.log2(float(after_sigmoid["worst"]))),  # of a sample: at least so many
        "bits": format_named("float32").precision,
        "stable": STABLE["bce_logits"],
        "stable_error": known.largest("bce_logits", STABLE["bce_logits"], ["float32"], HARD).said,
    }
