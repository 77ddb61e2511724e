"""What people read of the study `training`: its tables in few columns, and the answer."""

from __future__ import annotations

import pandas as pd

from harness.studies.study import Frames
from harness.studies.training.words import FROM, SETTINGS, method_name
from harness.tables.writer import short

COMPARED = ("linear_softplus", "maechler")  # far off but harmless, and nearly exact but harmful


def percent(cell: str) -> str:
    """Write a fraction in percent."""
    return cell if cell in ("", "nan") else f"{float(f'{100 * float(cell):.3g}'):g}"


def span(row: pd.Series, name: str, write=short) -> str:  # type: ignore[no-untyped-def]
    """Write median [least, largest]; the median alone where they are equal."""
    low, middle, high = (write(row[f"{name}_{w}"]) for w in ("min", "median", "max"))
    return middle if low == high else f"{middle} [{low}, {high}]"


def methods(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that say which loss a row is of."""
    names = [method_name(k, g) for k, g in zip(frame["kernel"], frame["gradient"])]
    return pd.DataFrame({"loss": names, "computed": [FROM[p] for p in frame["problem"]]})


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row a loss: for each format the runs lost in each setting, and the largest excess of test error."""
    shown = methods(frame)
    shown["format"] = list(frame["format"])
    shown["lost"] = [" / ".join(row[f"lost_{s}"] for s in SETTINGS) for _, row in frame.iterrows()]
    shown["error"] = [worst_excess(row) for _, row in frame.iterrows()]
    formats = list(dict.fromkeys(frame["format"]))
    shown["runs each"] = list(frame["runs"])
    wide = shown.drop_duplicates(["loss", "computed"])[["loss", "computed", "runs each"]].reset_index(drop=True)
    for name in formats:
        part = shown[shown["format"] == name].reset_index(drop=True)
        wide[f"{name}: lost"], wide[f"{name}: error +"] = part["lost"], part["error"]
    return wide


def worst_excess(row: pd.Series) -> str:
    """Return the largest excess of the test error of any run that was not lost, in percentage points."""
    found = [float(row[f"excess_error_{s}"]) for s in SETTINGS if row[f"excess_error_{s}"]]
    return f"{100 * max(found):.1f}" if found else ""


def causes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row a loss and format: what lost the first run."""
    shown = methods(frame)
    for column in ("format", "lost", "runs"):
        shown[column] = list(frame[column])
    shown["setting"] = [SETTINGS[s] for s in frame["setting"]]
    shown["first step"] = list(frame["first_nonfinite_min"])
    shown["logit"] = [f"{float.fromhex(c):.4g}" for c in frame["lost_logit"]]
    shown["y"] = list(frame["lost_target"])
    shown["loss at it"], shown["gradient at it"] = list(frame["lost_forward"]), list(frame["lost_backward"])
    return shown


def errors(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the worst error beside the weighted figures."""
    return pd.DataFrame(
        {
            "problem": frame["problem"],
            "kernel": frame["kernel"],
            "format": frame["format"],
            "y": frame["target"],
            "worst (ulp)": [
                ("" if e == "true" else "≥ ") + short(c) for c, e in zip(frame["max_ulp"], frame["exhaustive"])
            ],
            "mean on trained logits": [short(c) for c in frame["weighted_mean_ulp"]],
            "99 % are within": [short(c) for c in frame["weighted_p99_ulp"]],
            "not finite": [f"{percent(c)} %" for c in frame["weighted_nonfinite"]],
        }
    )


def runs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return median [least, largest] of the seeds."""
    shown = methods(frame)
    shown["format"] = list(frame["format"])
    shown["data, model"] = list(frame["data"] + ", " + frame["model"])
    shown["setting"] = [SETTINGS[s] for s in frame["setting"]]
    shown["lost"] = list(frame["lost"] + " of " + frame["runs"])
    rows = [row for _, row in frame.iterrows()]
    shown["first non-finite step"] = [span(r, "first_nonfinite") for r in rows]
    shown["test error (%)"] = [span(r, "test_error", percent) for r in rows]
    for column in ("reported_loss", "true_loss"):
        shown[column.replace("_", " ")] = [span(r, column) for r in rows]
    shown["gradient error"] = [span(r, "gradient_error") for r in rows]
    shown["stuck (%)"] = [span(r, "stuck", percent) for r in rows]
    return shown


def curves(frame: pd.DataFrame) -> pd.DataFrame:
    """Return every fifth of the noted steps."""
    frame = frame[frame["step"].isin(list(dict.fromkeys(frame["step"]))[::5])].reset_index(drop=True)
    shown = methods(frame)
    shown["format"] = list(frame["format"])
    shown["setting"] = [SETTINGS[s] for s in frame["setting"]]
    shown["step"] = list(frame["step"])
    for column in ("reported_loss", "true_loss", "gradient_norm"):
        shown[column.replace("_", " ")] = [span(r, column) for _, r in frame.iterrows()]
    return shown


def realistic(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cells' ends in decimal."""
    ends = {c: [f"{float.fromhex(v):.4g}" for v in frame[c]] for c in ("least", "largest")}
    return frame.assign(**ends).rename(columns=lambda c: c.replace("_", " "))


READING = {
    "training_summary": summary,
    "training_causes": causes,
    "training_errors": errors,
    "training": runs,
    "training_curves": curves,
    "realistic_logits": realistic,
}


def answer(frames: Frames) -> list[str]:
    """Say which losses kept all runs, what dead gradients cost, and that the worst error does not tell."""
    frame = frames["training_summary"]
    frame = frame.assign(
        who=[f"{k}" + (" of p" if p == "bce" else "") for k, p in zip(methods(frame)["loss"], frame["problem"])],
        lost=frame[[f"lost_{s}" for s in SETTINGS]].astype(int).sum(axis=1),
        excess=[float(worst_excess(r) or "nan") for _, r in frame.iterrows()],
    )
    return [_kept(frame), _dead(frame, frames["training"]), _told(frame, frames["training_errors"])]


def _kept(frame: pd.DataFrame) -> str:
    stuck = frame[[f"stuck_{s}" for s in SETTINGS]].replace("", "0").astype(float).max(axis=1)
    losses = frame.assign(stuck=stuck).groupby("who", sort=False)[["lost", "stuck", "excess"]].max()
    safe = losses[(losses["lost"] == 0) & (losses["stuck"] == 0)]
    return (
        f"Yes: {len(safe)} of {len(losses)} losses ({', '.join(safe.index)}) lost no run in any format and kept the test "
        f"error within {short(safe['excess'].max())} points of softplus_pair's; all together lost {_lost(frame, 'usual')} "
        "runs to NaN at a usual learning rate."
    )


def _lost(frame: pd.DataFrame, setting: str) -> str:
    """Write how many percent of the runs of a setting each format lost."""
    shares = []
    for name, part in frame.groupby("format", sort=False):
        share = part[f"lost_{setting}"].astype(int).sum() / part["runs"].astype(int).sum()
        shares.append(f"{percent(str(share))} % of the {name}")
    return ", ".join(shares[:-1]) + " and " + shares[-1]


def _dead(frame: pd.DataFrame, every: pd.DataFrame) -> str:
    start = frame.assign(
        stuck=pd.to_numeric(frame["stuck_wrong_start"]), cost=pd.to_numeric(frame["excess_error_wrong_start"])
    )
    worst = start[start["lost"] == 0].sort_values("cost", kind="stable").iloc[-1]
    clip = start[(start["kernel"] == "clip_1e-7") & (start["format"] == "float64")].iloc[0]
    own = every[(every["kernel"] == "clip_1e-7") & (every["format"] == "float64") & (every["setting"] == "wrong_start")]
    own = own.assign(ratio=own["true_loss_median"].astype(float) / own["reported_loss_median"].astype(float))
    lied = own.sort_values("ratio", kind="stable").iloc[-1]
    return (
        "A clamp that saves the run can cost it the gradient: from a confidently wrong start "
        f"{worst['who']} in {worst['format']} left up to {short(100 * worst['stuck'])} % of the examples wrong with "
        f"gradient 0 and a test error {short(100 * worst['cost'])} points higher, and {clip['who']} even in float64 "
        f"reported a loss of {short(lied['reported_loss_median'])} where the true one was {short(lied['true_loss_median'])}."
    )


def _told(frame: pd.DataFrame, errors: pd.DataFrame) -> str:
    far, near = COMPARED
    mean = errors[(errors["kernel"] == far) & (errors["format"] == "float32") & (errors["problem"] == "bce_logits")]
    most = max(mean["weighted_mean_ulp"], key=float)
    exact = errors[(errors["kernel"] == near) & (errors["format"] == "float32") & (errors["problem"] == "bce_logits")]
    own = frame[frame["gradient"] == ""].groupby("kernel")
    lost, runs = int(own["lost"].sum()[near]), 3 * int(frame["runs"].astype(int).groupby(frame["kernel"]).sum()[near])
    return (
        f"The loss's own error does not tell: {far} is off by {short(most)} ulp in the mean on trained models' logits "
        f"(float32) and lost {int(own['lost'].sum()[far])} runs, {near} is within "
        f"{short(max(exact['max_ulp'], key=float))} ulp and lost {lost} of {runs}, because a branch not taken overflows and "
        "its gradient is 0 · ∞; train from logits with a form that only exponentiates −|x|."
    )
