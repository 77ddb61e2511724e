"""Train small networks with every loss in every format, and measure what becomes of them.

A part trains one model on one data set: a row for each loss, format and setting, and curves over the steps.  The
part `logits` measures the losses' errors on the logits that trained models give.  The summary and the causes
take all parts together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from harness import UsageError
from harness.kernels import kernel_named
from harness.numbers.formats import Format, format_named
from harness.studies.study import Parameters, Tables, joined
from harness.studies.training.causes import cause
from harness.studies.training.logits import STABLE, distribution, error_rows, logits_of_trained
from harness.studies.training.network import NEVER, DifferentiatedLoss, History, losses, train
from harness.studies.training.start import Setup, setup_named
from harness.tables.rows import Row
from harness.truth.certified import significant

Array = np.ndarray

DIGITS = 4
SPREAD = ("min", "median", "max")
CULPRIT = ("lost_logit", "lost_target", "lost_forward", "lost_backward")
WHO = ("problem", "kernel", "gradient", "format")


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold matrix products to one thread: the order in which BLAS sums up depends on their number.

    Raises UsageError where scikit-learn, which brings the data and the means to do so, is not installed.
    """
    try:
        import sklearn  # noqa: F401
        from threadpoolctl import threadpool_limits  # type: ignore[import-not-found,import-untyped]
    except ImportError as e:
        raise UsageError(
            "the study training needs scikit-learn, which is not installed; pip install '.[questions]' brings it"
        ) from e
    with threadpool_limits(1):
        yield


def run(parameters: Parameters, part: str) -> Tables:
    """Train one model on one data set, or, as part `logits`, measure errors on trained models' logits.

    Raises UsageError where scikit-learn is missing, and for an unknown data set or model.
    """
    with one_thread():
        if part == "logits":
            logits = distribution(logits_of_trained(parameters, parameters["trained"]))
            return {"realistic_logits": logits, "training_errors": error_rows(parameters, logits)}
        rows, curves = trained_rows(setup_named(part, parameters))
        return {"training": rows, "training_curves": curves}


def combine(parameters: Parameters, parts: list[Tables]) -> Tables:
    """Join the parts' tables and add the summary and the causes."""
    found = joined(parameters, parts)
    rows = found["training"]
    return {"training_summary": summary_rows(rows), "training_causes": cause_rows(rows), **found}


def trained_rows(setup: Setup) -> tuple[list[Row], list[Row]]:
    """Train with every loss in every format; return the rows of `training` and of `training_curves`."""
    formats = [format_named(name) for name in setup.parameters["formats"]]
    stable = {fmt.name: train(DifferentiatedLoss(kernel_named(*STABLE)), fmt, setup) for fmt in formats}
    rows: list[Row] = []
    curves: dict[tuple[str, str, str], list[Row]] = {}
    for loss in losses(setup.parameters["backward"]):
        for fmt in formats:
            history = train(loss, fmt, setup)
            who: Row = {"data": setup.data, "model": setup.model, **dict(zip(WHO, (*key(loss), fmt.name)))}
            rows += setting_rows(who, setup, loss, history, stable[fmt.name])
            curves.setdefault(key(loss), []).extend(curve_rows(who, setup, history))
    chosen = setup.parameters["curves"]
    shown = chosen["shown"] if f"{setup.data}-{setup.model}" == chosen["part"] else []
    return rows, [row for who in shown for row in curves[tuple(who)]]


def key(loss: DifferentiatedLoss) -> tuple[str, str, str]:
    """Return problem, kernel and the gradient's kernel, which is empty where it is the loss's own."""
    return loss.kernel.problem, loss.kernel.name, loss.backward


def setting_rows(who: Row, setup: Setup, loss: DifferentiatedLoss, history: History, stable: History) -> list[Row]:
    """Return one row a setting: what the seeds' runs came to, and which operation lost the first that was lost."""
    return [
        {
            **who,
            "setting": setting,
            "runs": history.test_error.shape[0],
            **_outcome(history, stable, c),
            **_culprit(loss, format_named(str(who["format"])), history.culprits.get(c)),
        }
        for c, setting in enumerate(setup.settings)
    ]


def _outcome(history: History, stable: History, c: int) -> Row:
    first, error = history.first_nonfinite[:, c], history.test_error[:, c]
    lost = history.first_gradient[:, c] != NEVER
    excess = (error - stable.test_error[:, c])[~lost]
    return {
        "nonfinite_loss": int((history.first_loss[:, c] != NEVER).sum()),
        "lost": int(lost.sum()),
        **spread("first_nonfinite", first[first != NEVER]),
        **spread("test_error", error),
        **spread("excess_error", excess),
        **spread("reported_loss", history.reported[-1, :, c]),
        **spread("true_loss", history.noted["true_loss"][-1, :, c]),
        **spread("gradient_norm", history.noted["gradient_norm"][-1, :, c]),
        **spread("gradient_error", largest(history.noted["gradient_error"][:, :, c])),
        **spread("dead", largest(history.noted["dead"][:, :, c])),
        **spread("stuck", largest(history.noted["stuck"][:, :, c])),
    }


def _culprit(loss: DifferentiatedLoss, fmt: Format, found: tuple[float, float] | None) -> Row:
    if found is None:
        return dict.fromkeys(CULPRIT, "")
    return dict(zip(CULPRIT, (fmt.hex(found[0]), f"{found[1]:.0f}", *cause(loss, fmt, *found))))


def largest(values: Array) -> Array:
    """Return the largest number of each column, NaN left out; NaN where there is no number."""
    filled = np.where(np.isnan(values), -np.inf, values).max(axis=0)
    return np.where(filled == -np.inf, np.nan, filled)


def spread(name: str, values: Array) -> Row:
    """Return least, lower median and largest of values as text; infinity and then NaN are largest, none is empty."""
    if not len(values):
        return {f"{name}_{which}": "" for which in SPREAD}
    ordered = np.sort(values.astype(np.float64))  # NaN comes last
    chosen = ordered[[0, (len(ordered) - 1) // 2, -1]]
    return {f"{name}_{which}": cell(v) for which, v in zip(SPREAD, chosen)}


def cell(value: float) -> str:
    """Write a number with 4 significant digits: the digits behind differ between processors."""
    return "nan" if np.isnan(value) else significant(value, DIGITS)


def curve_rows(who: Row, setup: Setup, history: History) -> list[Row]:
    """Return one row a noted step and setting: the reported and the true loss."""
    return [
        {
            **who,
            "setting": setting,
            "step": step,
            **spread("reported_loss", history.reported[step, :, c]),
            **spread("true_loss", history.noted["true_loss"][i, :, c]),
            **spread("gradient_norm", history.noted["gradient_norm"][i, :, c]),
        }
        for c, setting in enumerate(setup.settings)
        for i, step in enumerate(history.steps)
    ]


def summary_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return one row a loss and format over all data sets and models, with a setting's figures in columns of its own.

    `lost` counts runs; `excess_error` is the largest of the runs that were not lost, `stuck` of all runs.
    """
    settings = list(dict.fromkeys(r["setting"] for r in rows))
    found: dict[tuple, Row] = {}
    for who in dict.fromkeys(tuple(r[w] for w in WHO) for r in rows):
        of = [r for r in rows if tuple(r[w] for w in WHO) == who]
        by_setting = {s: [r for r in of if r["setting"] == s] for s in settings}
        found[who] = {
            **dict(zip(WHO, who)),
            "runs": sum(r["runs"] for r in by_setting[settings[0]]),
            **{f"lost_{s}": sum(r["lost"] for r in by_setting[s]) for s in settings},
            **{f"excess_error_{s}": most(r["excess_error_max"] for r in by_setting[s]) for s in settings},
            **{f"stuck_{s}": most(r["stuck_max"] for r in by_setting[s]) for s in settings},
        }
    return list(found.values())


def cause_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return, for each loss and format that lost runs, how many, and the cause in the first setting that did."""
    found = []
    for who in dict.fromkeys(tuple(r[w] for w in WHO) for r in rows):
        of = [r for r in rows if tuple(r[w] for w in WHO) == who]
        blamed = [r for setting in dict.fromkeys(r["setting"] for r in of) for r in of
                  if r["setting"] == setting and r["lost_logit"]]  # fmt: skip
        if blamed:
            lost = sum(r["lost"] for r in of)
            found.append(
                {**dict(zip(WHO, who)), "runs": sum(r["runs"] for r in of), "lost": lost}
                | {c: blamed[0][c] for c in ("data", "model", "setting", "first_nonfinite_min", *CULPRIT)}
            )
    return found


def most(cells: Iterable[str]) -> str:
    """Return the largest of cells that hold numbers, as it is written; empty where there is none."""
    numbers = [c for c in cells if c not in ("", "nan")]
    return max(numbers, key=float) if numbers else ""
