"""What is shown of the trained runs, and what the answer is told.

A figure over the seeds is shown as its median [least, largest].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from harness.studies.study import Frames
from harness.tables.strongest import Known
from harness.tables.text import decimal_input, short
from harness.tables.views import Cells, Column, plain, shown

SETTINGS = {
    "usual": "usual rate",
    "high_rate": "high rate",
    "wrong_start": "confidently wrong start",
}
FROM = {"bce_logits": "from the logit", "bce": "from p = sigmoid(x)"}
COMPARED = ("linear_softplus", "maechler")  # far off but harmless, and nearly exact but harmful
CLAMPED = "clip_1e-7"  # whose gradient dies in every format
NOTED_STEPS = 5  # of which the view of the curves shows one


def loss_name(kernel: str, gradient: str) -> str:
    """Return the kernel, with the gradient's kernel where that is not its own."""
    return f"{kernel} + {gradient}" if gradient else kernel


def in_percent(fraction: str) -> str:
    """Write a fraction in percent, without the sign; empty and NaN as they are."""
    return fraction if fraction in ("", "nan") else f"{float(f'{100 * float(fraction):.3g}'):g}"


def over_seeds(heading: str, name: str, write: Callable[[str], str] = short) -> Column:
    """Return a column that shows median [least, largest]; the median alone where they are equal."""

    def text(row: Cells) -> str:
        low, middle, high = (write(row[f"{name}_{which}"]) for which in ("min", "median", "max"))
        return middle if low == high else f"{middle} [{low}, {high}]"

    return Column(heading, text)


def worst_excess(row: Cells) -> str:
    """Return the largest excess of the test error of any run that was not lost, in percentage points."""
    found = [float(row[f"excess_error_{s}"]) for s in SETTINGS if row[f"excess_error_{s}"]]
    return f"{100 * max(found):.1f}" if found else ""


LOSS = [
    Column("loss", lambda row: loss_name(row["kernel"], row["gradient"])),
    Column("computed", "problem", FROM.__getitem__),
]
SETTING = Column("setting", "setting", SETTINGS.__getitem__)
BY_FORMAT = [
    Column("lost", lambda row: " / ".join(row[f"lost_{s}"] for s in SETTINGS)),
    Column("error +", worst_excess),
]
CURVES = [
    *LOSS,
    *plain("format"),
    SETTING,
    *plain("step"),
    over_seeds("reported loss", "reported_loss"),
    over_seeds("true loss", "true_loss"),
    over_seeds("gradient norm", "gradient_norm"),
]


def losses_by_format(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line a loss: in each format the runs lost in each setting, and the largest excess of test error."""
    lines = []
    for _, of_loss in frame.groupby(["problem", "kernel", "gradient"], sort=False):
        rows = of_loss.to_dict("records")
        line = {c.heading: c.text(rows[0]) for c in [*LOSS, *plain(runs="runs each")]}
        lines.append(line | {f"{row['format']}: {c.heading}": c.text(row) for row in rows for c in BY_FORMAT})
    return pd.DataFrame(lines)


def some_steps(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the curves at some of the noted steps."""
    return shown(frame[frame["step"].isin(list(dict.fromkeys(frame["step"]))[::NOTED_STEPS])], CURVES)


VIEWS = {
    "training_summary": losses_by_format,
    "training_causes": [
        *LOSS,
        *plain("format", "lost", "runs"),
        SETTING,
        Column("first step", "first_nonfinite_min"),
        Column("logit", "lost_logit", decimal_input),
        *plain(lost_target="y", lost_forward="loss at it", lost_backward="gradient at it"),
    ],
    "training_errors": [
        *plain("problem", "kernel", "format", target="y"),
        Column("worst (ulp)", lambda row: ("" if row["exhaustive"] == "true" else "≥ ") + short(row["max_ulp"])),
        Column("mean on trained logits", "weighted_mean_ulp", short),
        Column("99 % are within", "weighted_p99_ulp", short),
        Column("not finite", "weighted_nonfinite", lambda share: f"{in_percent(share)} %"),
    ],
    "training": [
        *LOSS,
        *plain("format"),
        Column("data, model", lambda row: f"{row['data']}, {row['model']}"),
        SETTING,
        Column("lost", lambda row: f"{row['lost']} of {row['runs']}"),
        over_seeds("first non-finite step", "first_nonfinite"),
        over_seeds("test error (%)", "test_error", in_percent),
        over_seeds("reported loss", "reported_loss"),
        over_seeds("true loss", "true_loss"),
        over_seeds("gradient error", "gradient_error"),
        over_seeds("stuck (%)", "stuck", in_percent),
    ],
    "training_curves": some_steps,
    "realistic_logits": [
        *plain("target"),
        Column("least", "least", decimal_input),
        Column("largest", "largest", decimal_input),
        *(Column(f"count {s.replace('_', ' ')}", f"count_{s}") for s in SETTINGS),
    ],
}


def facts(frames: Frames, known: Known) -> dict[str, Any]:
    """Compute which losses kept all runs, what dead gradients cost, and what the worst error tells of that."""
    frame = frames["training_summary"]
    names = [loss_name(k, g) for k, g in zip(frame["kernel"], frame["gradient"])]
    frame = frame.assign(
        loss=[f"{name} of p" if problem == "bce" else name for name, problem in zip(names, frame["problem"])],
        lost=frame[[f"lost_{s}" for s in SETTINGS]].astype(int).sum(axis=1),
        excess=[float(worst_excess(row) or "nan") for row in frame.to_dict("records")],
        most_stuck=frame[[f"stuck_{s}" for s in SETTINGS]].replace("", "0").astype(float).max(axis=1),
    )
    return (
        _kept(frame) | _dead(frame) | _misreported(frames["training"]) | _told(frame, frames["training_errors"], known)
    )


def _kept(frame: pd.DataFrame) -> dict[str, Any]:
    """Find the losses that lost no run and left no example stuck, and the share of runs that each format lost."""
    losses = frame.groupby("loss", sort=False)[["lost", "most_stuck", "excess"]].max()
    safe = losses[(losses["lost"] == 0) & (losses["most_stuck"] == 0)]
    usual = frame.astype({"lost_usual": int, "runs": int}).groupby("format", sort=False)[["lost_usual", "runs"]].sum()
    return {
        "losses": len(losses),
        "safe": list(safe.index),
        "safe_excess": safe["excess"].max(),
        "lost_usual": {name: in_percent(str(lost / runs)) for name, lost, runs in usual.itertuples()},
    }


def _dead(frame: pd.DataFrame) -> dict[str, Any]:
    """Find the loss that lost no run and has the largest excess of test error from a confidently wrong start."""
    kept = frame[frame["lost"] == 0]
    cost = pd.to_numeric(kept["excess_error_wrong_start"])
    worst = kept.assign(cost=cost).sort_values("cost", kind="stable").iloc[-1]
    return {
        "dead_loss": worst["loss"],
        "dead_format": worst["format"],
        "dead_stuck": 100 * float(worst["stuck_wrong_start"]),
        "dead_cost": 100 * worst["cost"],
    }


def _misreported(runs: pd.DataFrame) -> dict[str, Any]:
    """Find where a clamp makes most of the reported loss of float64, from a confidently wrong start."""
    own = runs[(runs["kernel"] == CLAMPED) & (runs["format"] == "float64") & (runs["setting"] == "wrong_start")]
    ratio = own["true_loss_median"].astype(float) / own["reported_loss_median"].astype(float)
    worst = own.assign(ratio=ratio).sort_values("ratio", kind="stable").iloc[-1]
    return {
        "clamped": f"{CLAMPED} of p",
        "clamped_reported": worst["reported_loss_median"],
        "clamped_true": worst["true_loss_median"],
    }


def _told(frame: pd.DataFrame, errors: pd.DataFrame, known: Known) -> dict[str, Any]:
    """Compare a loss that errs much and is harmless with one that is nearly exact and loses runs."""
    far, near = COMPARED
    of = {
        name: errors[(errors["kernel"] == name) & (errors["format"] == "float32") & (errors["problem"] == "bce_logits")]
        for name in COMPARED
    }
    own = frame[frame["gradient"] == ""]
    return {
        "far": far,
        "far_mean": max(of[far]["weighted_mean_ulp"], key=float),
        "far_lost": own[own["kernel"] == far]["lost"].sum(),
        "near": near,
        "near_error": known.largest("bce_logits", near, ["float32"], ("0", "1")).said,
        "near_lost": own[own["kernel"] == near]["lost"].sum(),
        "near_runs": len(SETTINGS) * own[own["kernel"] == near]["runs"].astype(int).sum(),
    }
