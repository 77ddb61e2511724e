"""What is shown of the relatives, one line for each form and a column for each format, and what the answer is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from harness.studies.study import Frames
from harness.tables.strongest import Known, Maximum, together
from harness.tables.text import OUTCOME_LABELS, decimal_input, downward, short, upward
from harness.tables.views import Column, plain

# The forms that the answer names: of the textbook, and those that keep their digits.
NAIVE = {"logit": "naive", "binary_entropy": "naive", "bernoulli_kl": "rel_entr"}
STABLE = {"logit": "scipy", "binary_entropy": "xlog1py", "bernoulli_kl": "deviance"}
STABLE_FOCAL = {"focal": "branched", "focal_grad": "direct", "focal_g0.5_grad": "direct"}
# By gamma, in words: the gradient of the focal loss.
FOCAL_GRADIENTS = {"two": "focal_grad", "half": "focal_g0.5_grad"}


def errors_by_format(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each form: its largest error in each format, over all targets, with its outcomes."""
    rows = []
    for (problem, kernel), group in frame.groupby(["problem", "kernel"], sort=False):
        line = {"problem": problem, "form": kernel}
        rows.append(line | {f: _worst(part) for f, part in group.groupby("format", sort=False)})
    return pd.DataFrame(rows)


def _worst(rows: pd.DataFrame) -> str:
    """Write the largest error of some rows, and which spurious outcomes they have."""
    known = [v for v in rows["max_ulp"] if v]
    least = "" if (rows["exhaustive"] == "true").all() else "≥ "
    error = least + short(max(known, key=float)) if known else "none finite"
    seen = [label for name, label in OUTCOME_LABELS.items() if (rows[name].astype(int) > 0).any()]
    return f"{error} ({', '.join(seen)})" if seen else error


def gradients_by_format(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each form: the logits within which its gradient is a number, and its error at 0."""
    rows = []
    for (problem, kernel), group in frame.groupby(["problem", "kernel"], sort=False):
        line = {"problem": problem, "gradient of": kernel}
        line |= {r["format"]: _interval(r["finite_from"], r["finite_to"]) for r in group.to_dict("records")}
        at_0 = group[group["format"] == "float64"].iloc[0]
        line["at logit 0"] = short(at_0["at_0"])
        line["relative error at 0"] = short(at_0["at_0_rel"])
        rows.append(line)
    return pd.DataFrame(rows)


def _interval(lo: str, hi: str) -> str:
    if not lo and not hi:
        return "all"
    return f"{decimal_input(lo) or '−∞'} to {decimal_input(hi) or '∞'}"


def one_in(step: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return the view that shows one row of `step`, as it is."""
    return lambda frame: frame.iloc[::step]


def _four_digits(number: str) -> str:
    return f"{float(number):.4g}"


def _at_cutoff(heading: str, name: str) -> Column:
    """Return the column of the largest error with one cutoff."""

    return Column(heading, lambda row: _seen(row[f"{name}_max_ulp"], row["exhaustive"]))


def _seen(ulp: str, exhaustive: str) -> str:
    """Write a largest error after ≥ where not every input was visited."""
    return ("" if exhaustive == "true" else "≥ ") + short(ulp)


VIEWS = {
    "relatives": errors_by_format,
    "relatives_cutoff": [
        *plain("format"),
        Column("best cutoffs", lambda row: f"{_four_digits(row['best_from'])} to {_four_digits(row['best_to'])}"),
        _at_cutoff("error there (ulp)", "best"),
        _at_cutoff("cutoff log 2", "log2"),
        _at_cutoff("cutoff 1/4", "quarter"),
        _at_cutoff("cutoff 1", "one"),
        _at_cutoff("cutoff 2", "two"),
        Column("beyond", lambda row: _seen(row["beyond_max_ulp"], row["beyond_exhaustive"])),
        Column("least mean error at", "mean_best", _four_digits),
        Column("mean there", "mean_best_ulp", short),
        Column("mean at log 2", "mean_log2_ulp", short),
    ],
    "relatives_gradient": gradients_by_format,
    "relatives_maechler": one_in(32),
    "relatives_cutoffs": one_in(32),
    "relatives_curves": one_in(400),
}


def facts(frames: Frames, known: Known) -> dict[str, Any]:
    """Compute what cutoffs cost, how far the forms err, and what autodiff does to the focal loss."""
    rows = frames["relatives"]
    formats = rows["format"].unique()

    def most(problem: str, form: str, *only: str) -> Maximum:
        targets = rows[rows["problem"] == problem]["target"].unique()
        return known.largest(problem, form, only or formats, targets)

    focal = [most(problem, form) for problem, form in STABLE_FOCAL.items()]
    return {
        **_cutoffs(frames["relatives_cutoff"].set_index("format")),
        "naive": {problem: most(problem, form, "float32").marked for problem, form in NAIVE.items()},
        "stable": {problem: most(problem, form).marked for problem, form in STABLE.items()},
        "focal_stable": together(focal).said,
        **_autodiff(frames["relatives_gradient"].set_index(["problem", "kernel", "format"])),
    }


def _cutoffs(cutoffs: pd.DataFrame) -> dict[str, Any]:
    """Compare the largest error with the cutoff log 2 with the least that any cutoff has, where every input was visited."""
    whole = cutoffs[cutoffs["exhaustive"] == "true"]
    gain = whole["log2_max_ulp"].astype(float) - whole["best_max_ulp"].astype(float)
    best = whole.loc[gain.idxmax()]
    return {
        "log2": {name: _seen(row["log2_max_ulp"], row["exhaustive"]) for name, row in cutoffs.iterrows()},
        "gain": upward(gain.max()),
        "gain_format": gain.idxmax(),
        "gain_cutoffs": f"{_four_digits(best['best_from'])} to {_four_digits(best['best_to'])}",
        "beyond": downward(max(cutoffs["beyond_max_ulp"], key=float)),
    }


def _autodiff(gradient: pd.DataFrame) -> dict[str, Any]:
    """Find where autodiff's gradient of the focal loss stops being a number, and its error at 0 in percent."""
    end = gradient["finite_to"].xs((FOCAL_GRADIENTS["half"], "float32"), level=("problem", "format"))
    off = gradient["at_0_rel"].xs(("branched", "float64"), level=("kernel", "format"))
    return {
        "finite_to": {form: decimal_input(logit) for form, logit in end.items()},
        "off_at_0": {gamma: f"{100 * float(off[problem]):.2g}" for gamma, problem in FOCAL_GRADIENTS.items()},
    }
