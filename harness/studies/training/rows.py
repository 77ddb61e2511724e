"""The tables of trained runs: one row a method, format and setting; curves; a summary of all parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.kernels import kernel_named
from harness.numbers.formats import Format, format_named
from harness.studies.training.causes import cause
from harness.studies.training.network import Method, methods
from harness.studies.training.runs import NEVER, Run, Task, train
from harness.tables.rows import Row
from harness.truth.certified import significant

Array = np.ndarray

DIGITS = 4
SPREAD = ("min", "median", "max")
STABLE = ("bce_logits", "softplus_pair")  # whose test error the others are compared with
CULPRIT = ("lost_logit", "lost_target", "lost_forward", "lost_backward")
WHO = ("problem", "kernel", "gradient", "format")


def trained_rows(task: Task) -> tuple[list[Row], list[Row]]:
    """Train with every method in every format; return the rows of `training` and of `training_curves`."""
    formats = [format_named(name) for name in task.parameters["formats"]]
    stable = {fmt.name: train(Method(kernel_named(*STABLE)), fmt, task) for fmt in formats}
    rows: list[Row] = []
    curves: dict[tuple[str, str, str], list[Row]] = {}
    for method in methods(task.parameters["backward"]):
        for fmt in formats:
            run = train(method, fmt, task)
            who: Row = {"data": task.data, "model": task.model, **dict(zip(WHO, (*key(method), fmt.name)))}
            rows += setting_rows(who, task, method, run, stable[fmt.name])
            curves.setdefault(key(method), []).extend(curve_rows(who, task, run))
    chosen = task.parameters["curves"]
    shown = chosen["shown"] if f"{task.data}-{task.model}" == chosen["part"] else []
    return rows, [row for who in shown for row in curves[tuple(who)]]


def key(method: Method) -> tuple[str, str, str]:
    """Return problem, kernel and the gradient's kernel, which is empty where it is the loss's own."""
    return method.loss.problem, method.loss.name, method.backward


def setting_rows(who: Row, task: Task, method: Method, run: Run, stable: Run) -> list[Row]:
    """Return one row a setting: what the seeds' runs came to, and which operation lost the first that was lost."""
    return [
        {
            **who,
            "setting": setting,
            "runs": run.test_error.shape[0],
            **_outcome(run, stable, c),
            **_culprit(method, format_named(str(who["format"])), run.culprits.get(c)),
        }
        for c, setting in enumerate(task.settings)
    ]


def _outcome(run: Run, stable: Run, c: int) -> Row:
    first, error = run.first_nonfinite[:, c], run.test_error[:, c]
    lost = run.first_gradient[:, c] != NEVER
    excess = (error - stable.test_error[:, c])[~lost]
    return {
        "nonfinite_loss": int((run.first_loss[:, c] != NEVER).sum()),
        "lost": int(lost.sum()),
        **spread("first_nonfinite", first[first != NEVER]),
        **spread("test_error", error),
        **spread("excess_error", excess),
        **spread("reported_loss", run.reported[-1, :, c]),
        **spread("true_loss", run.noted["true_loss"][-1, :, c]),
        **spread("gradient_norm", run.noted["gradient_norm"][-1, :, c]),
        **spread("gradient_error", largest(run.noted["gradient_error"][:, :, c])),
        **spread("dead", largest(run.noted["dead"][:, :, c])),
        **spread("stuck", largest(run.noted["stuck"][:, :, c])),
    }


def _culprit(method: Method, fmt: Format, found: tuple[float, float] | None) -> Row:
    if found is None:
        return dict.fromkeys(CULPRIT, "")
    return dict(zip(CULPRIT, (fmt.hex(found[0]), f"{found[1]:.0f}", *cause(method, fmt, *found))))


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


def curve_rows(who: Row, task: Task, run: Run) -> list[Row]:
    """Return one row a noted step and setting: the reported and the true loss."""
    return [
        {
            **who,
            "setting": setting,
            "step": step,
            **spread("reported_loss", run.reported[step, :, c]),
            **spread("true_loss", run.noted["true_loss"][i, :, c]),
            **spread("gradient_norm", run.noted["gradient_norm"][i, :, c]),
        }
        for c, setting in enumerate(task.settings)
        for i, step in enumerate(run.steps)
    ]


def summary_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return one row a method and format over all data sets and models, with a setting's figures in columns of its own.

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
    """Return, for each method and format that lost runs, how many, and the cause in the first setting that did."""
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
