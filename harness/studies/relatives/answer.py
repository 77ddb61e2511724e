"""The answer in three sentences, every number from the tables."""

from __future__ import annotations

import pandas as pd

from harness.studies.study import Frames
from harness.tables.writer import decimal_input

STABLE = {
    "logit": "scipy",
    "binary_entropy": "xlog1py",
    "bernoulli_kl": "deviance",
    "focal": "branched",
    "focal_grad": "direct",
    "focal_g0.5_grad": "direct",
}


def answer(frames: Frames) -> list[str]:
    """Say which cutoff, which forms, and what autodiff does to the focal loss."""
    return [_log1mexp(frames), _probabilities(frames["relatives"]), _focal(frames)]


def _most(frame: pd.DataFrame, problem: str, kernel: str, formats: tuple[str, ...] = ()) -> str:
    """Return the largest error of a form over all formats, or some."""
    rows = frame[(frame["problem"] == problem) & (frame["kernel"] == kernel) & (frame["max_ulp"] != "")]
    rows = rows[rows["format"].isin(formats)] if formats else rows
    return f"{rows['max_ulp'].astype(float).max():.2g}"


def _log1mexp(frames: Frames) -> str:
    cutoffs = frames["relatives_cutoff"].set_index("format")
    log2 = cutoffs["log2_max_ulp"].astype(float)
    gain = log2 - cutoffs["best_max_ulp"].astype(float)
    each = ", ".join(f"{v:.2f} ulp in {name}" for name, v in log2.items())
    return (
        f"For log1mexp change from log(−expm1(−a)) to log1p(−e^−a) at log 2: the largest error found is {each}, no "
        f"cutoff betters that by more than {gain.max():.2g} ulp ({gain.idxmax()}, at "
        f"{float(cutoffs.loc[gain.idxmax(), 'best_from']):.3g}), while either form alone ends without a correct "
        f"digit or infinite."
    )


def _probabilities(frame: pd.DataFrame) -> str:
    naive = {p: _most(frame, p, k, ("float32",)) for p, k in (("logit", "naive"), ("binary_entropy", "naive"))}
    kl = _most(frame, "bernoulli_kl", "rel_entr", ("float32",))
    good = {p: _most(frame, p, STABLE[p]) for p in ("logit", "binary_entropy", "bernoulli_kl")}
    return (
        f"The textbook forms lose their digits where the value is small (in float32 {naive['logit']} ulp for logit "
        f"next to p = 1/2, {naive['binary_entropy']} for the entropy at small p, {kl} for a divergence by rel_entr "
        f"next to p = y), and these keep them in every format: SciPy's logit ({good['logit']} ulp), the entropy by "
        f"xlogy and xlog1py ({good['binary_entropy']} ulp), and the divergence by Loader's deviance with the "
        f"difference p − y taken before it is rounded ({good['bernoulli_kl']} ulp)."
    )


def _focal(frames: Frames) -> str:
    gradient = frames["relatives_gradient"].set_index(["problem", "kernel", "format"])

    def beyond(problem: str, kernel: str) -> str:
        return decimal_input(str(gradient.loc[(problem, kernel, "float32"), "finite_to"]))

    frame = frames["relatives"]
    good = max((_most(frame, p, STABLE[p]) for p in ("focal", "focal_grad", "focal_g0.5_grad")), key=float)
    at_0 = [
        100 * float(str(gradient.loc[(p, "branched", "float64"), "at_0_rel"]))
        for p in ("focal_grad", "focal_g0.5_grad")
    ]
    return (
        f"For the focal loss take the power of σ(−x), not of 1 − σ(x), and write its gradient by hand "
        f"({good} ulp at most, both): with γ = 1/2 autodiff of the usual form gives NaN or infinity for confident "
        f"correct predictions, in float32 above a logit of {beyond('focal_g0.5_grad', 'torchvision')}, of the stable "
        f"form above {beyond('focal_g0.5_grad', 'branched')}, and at a logit of 0, where |x| has no slope, that of the "
        f"two-branch form is off by {at_0[1]:.2g} % (γ = 2: {at_0[0]:.2g} %)."
    )
