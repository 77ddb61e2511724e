"""All pairs of an 8-bit logit and an 8-bit target: what each kernel makes of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from mpmath import mp

from harness.figures import style
from harness.figures.frame import Layout
from harness.kernels import Kernel, kernels_of
from harness.numbers.formats import Format, format_named
from harness.problems import Problem, problem_named
from harness.studies.study import Frames, Parameters, Study, Tables
from harness.tables.rows import EXACT_DIGITS, Row, significant
from harness.tables.writer import percent, short
from harness.truth.certified import decimal, enclose, error_in_ulp, truth
from harness.truth.errors import Errors, measure
from harness.truth.fast import evaluate

Array = np.ndarray

PROBLEMS = ("bce_logits", "bce_logits_grad")
FORMATS = ("float8_e4m3fn", "float8_e5m2")
DRAWN = ("sigmoid_naive", "sigmoid_clip_machine_epsilon", "linear_softplus", "lse_log1p")
COUNTED = ("spurious_nan", "spurious_inf", "spurious_zero", "wrong_sign")
# Classes of error: 4 ulp of 3 or 4 bits are already up to the whole value, so these are finer than elsewhere.
LIMITS = (0.5, 1.0, 2.0, 4.0, 8.0)
LABELS = ("correctly rounded", "up to 1 ulp", "up to 2", "up to 4", "up to 8", "more")
LETTERS = dict(zip(COUNTED, "nizs"))  # in the map, beside the digits of the classes


def run(parameters: Parameters, part: str) -> Tables:
    """Run every kernel on every pair."""
    found: Tables = {"float8_pairs": [], "float8_pairs_map": []}
    for problem in map(problem_named, PROBLEMS):
        for kernel in kernels_of(problem.name):
            for fmt in map(format_named, FORMATS):
                row, classes = pairs(problem, kernel, fmt)
                found["float8_pairs"].append(row)
                if problem.name == PROBLEMS[0] and kernel.name in DRAWN:
                    found["float8_pairs_map"] += classes
    return found


def pairs(problem: Problem, kernel: Kernel, fmt: Format) -> tuple[Row, list[Row]]:
    """Return a kernel's row over all 65,536 pairs, and the class of its error at each pair of the domain."""
    every = np.arange(256, dtype=np.uint8).view(fmt.dtype)
    with np.errstate(all="ignore"):
        computed = np.broadcast_to(kernel(every[None, :], every[:, None]), (256, 256)).astype(np.float64)
    x, y = (every.astype(np.float64)[None, :], every.astype(np.float64)[:, None])
    nan = np.isnan(x) | np.isnan(y)
    target = (y >= 0) & (y <= 1)
    inside, limits = target & np.isfinite(x), target & np.isinf(x)
    outside = ~target & ~nan
    extreme, classes = in_domain(problem, kernel, fmt)
    row: Row = {
        "problem": problem.name,
        "kernel": kernel.name,
        "format": fmt.name,
        "pairs": computed.size,
        "in_domain": int(inside.sum()),
        **extreme,
        "infinite_logit": int(limits.sum()),
        "limit_missed": sum(
            bool(missed(problem, fmt, x[0, j], y[i, 0], computed[i, j])) for i, j in np.argwhere(limits)
        ),
        "outside": int(outside.sum()),
        "outside_finite": int((outside & np.isfinite(computed)).sum()),
        "nan_pairs": int(nan.sum()),
        "nan_hidden": int((nan & ~np.isnan(computed)).sum()),
    }
    return row, classes


def missed(problem: Problem, fmt: Format, x: float, y: float, computed: float) -> bool:
    """Tell whether a kernel misses the limit at an infinite logit."""
    limit = enclose(problem, (mp.mpf(x), mp.mpf(y)), bits=128).value
    return float(fmt.round(limit)) != computed


def in_domain(problem: Problem, kernel: Kernel, fmt: Format) -> tuple[Row, list[Row]]:
    """Measure a kernel at every pair of the domain."""
    x = fmt.from_ordinal(np.arange(*fmt.finite_ordinals(-np.inf, np.inf)))[None, :]
    y = fmt.from_ordinal(np.arange(*fmt.finite_ordinals(-0.0, 1.0)))[:, None]  # 0 with either sign
    with np.errstate(all="ignore"):
        exact = evaluate(problem, fmt, x, y)
        computed = np.broadcast_to(kernel(x, y), exact.value.shape)
        errors = measure(computed, exact, problem.nonnegative)
    t, n = np.unravel_index(int(errors.ulp.argmax()), errors.ulp.shape)
    point = tuple(mp.mpf(float(v)) for v in (x[0, n], y[t, 0]))
    value = truth(problem, point)
    extreme: Row = {
        "max_ulp": significant(error_in_ulp(fmt, computed[t, n], value)),
        "max_ulp_input": fmt.hex(x[0, n]),
        "max_ulp_target": fmt.hex(y[t, 0]),
        "max_ulp_computed": fmt.hex(computed[t, n]),
        "max_ulp_exact": decimal(value, EXACT_DIGITS),
        "correctly_rounded": significant(np.count_nonzero(errors.correctly_rounded) / computed.size),
        **{name: int(errors.outcomes[name].sum()) if name in errors.outcomes else 0 for name in COUNTED},
    }
    return extreme, [
        {"kernel": kernel.name, "format": fmt.name, "target": fmt.short(y[i, 0]), "classes": letters(errors, i)}
        for i in range(y.size)
    ]


def letters(errors: Errors, i: int) -> str:
    """Write the class of each error of a row as a digit, or a letter where the outcome is spurious."""
    found = [str(c) for c in np.searchsorted(LIMITS, errors.ulp[i])]
    for name, letter in LETTERS.items():
        for n in np.nonzero(errors.outcomes.get(name, np.zeros_like(errors.ulp, bool))[i])[0]:
            found[n] = letter
    return "".join(found)


def reading(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it is read: counts in words, three digits."""
    return pd.DataFrame(
        {
            "problem": frame["problem"],
            "kernel": frame["kernel"],
            "format": frame["format"],
            "max error (ulp)": frame["max_ulp"].map(short),
            "at logit": frame["max_ulp_input"].map(lambda v: f"{float.fromhex(v):g}"),
            "at target": frame["max_ulp_target"].map(lambda v: f"{float.fromhex(v):.3g}"),
            "correctly rounded": frame["correctly_rounded"].map(percent),
            "NaN / inf / zero / sign": frame[list(COUNTED)].agg(" / ".join, axis=1),
            "limits missed": frame["limit_missed"] + " of " + frame["infinite_logit"],
            "finite, target outside": frame["outside_finite"] + " of " + frame["outside"],
            "NaN hidden": frame["nan_hidden"] + " of " + frame["nan_pairs"],
        }
    )


def map_reading(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the map as it is read: how many logits are within 1 ulp at each target."""
    good = frame["classes"].map(lambda c: f"{sum(map(c.count, '01'))} of {len(c)}")
    return frame.drop(columns="classes").assign(**{"logits within 1 ulp": good})


def answer(frames: Frames) -> list[str]:
    """Say which kernels survive, how many pairs lie outside, and what hides NaN."""
    table = frames["float8_pairs"]
    loss = table[table["problem"] == PROBLEMS[0]]
    spurious = loss[list(COUNTED)].astype(int).sum(axis=1)
    broken = loss.assign(spurious=spurious).groupby("kernel")["spurious"].sum()
    whole = sorted(set(broken[broken == 0].index))
    worst = loss[loss["kernel"].isin(whole)]["max_ulp"].astype(float)
    outside = loss["outside_finite"].astype(int) / loss["outside"].astype(int)
    hidden = sorted(set(table[table["nan_hidden"].astype(int) > 0]["kernel"]))
    return [
        f"Of {len(broken)} kernels of the loss, {len(whole)} have no spurious result at any pair in either 8-bit format "
        f"({', '.join(whole)}), and their largest errors lie between {short(worst.min())} and {short(worst.max())} ulp.",
        f"A target outside [0, 1] gives a finite number in {100 * outside.min():.0f} to {100 * outside.max():.0f} % of "
        "the pairs, depending on kernel and format, so targets must be checked before the loss.",
        (f"A NaN that goes in comes out as a number in {', '.join(hidden)}." if hidden else "No kernel hides a NaN."),
    ]


def figure(frames: Frames) -> Figure:
    """Draw the class of each pair, a panel for each drawn kernel and format."""
    table = frames["float8_pairs_map"]
    colours = [c for _, c in style.CLASSES] + ["#000000", "#0072B2", "#56B4E9", "#CC79A7"]
    code = {c: i for i, c in enumerate([*map(str, range(len(LABELS))), *LETTERS.values()])}
    layout = Layout(7.4, 2, len(DRAWN), 1.5, left=0.95, right=0.1, top=0.8, bottom=1.0, gap_x=0.12, gap_y=0.5)
    whole = layout.figure("What is left of the loss in 8 bits, at every logit and target")
    for row, column in layout.places():
        fmt = format_named(FORMATS[row])
        chosen = table[(table["format"] == fmt.name) & (table["kernel"] == DRAWN[column])]
        image = np.array([[code[c] for c in classes] for classes in chosen["classes"]])
        ax = layout.panel(whole, row, column, (-0.5, image.shape[1] - 0.5), (-0.5, image.shape[0] - 0.5))
        ax.imshow(image, cmap=ListedColormap([to_rgb(c) for c in colours]), vmin=-0.5, vmax=len(colours) - 0.5,
                  aspect="auto", interpolation="nearest", origin="lower")  # fmt: skip
        _ticks(layout, ax, fmt, row, column)
        layout.heading(ax, DRAWN[column].replace("clip_", "clip_\n") if row == 0 else "")
    labels = [*LABELS, *(style.outcome_label(name) for name in COUNTED)]
    patches = [Patch(fc=c, ec="#000000", lw=0.4, label=label) for c, label in zip(colours, labels)]
    whole.legend(
        handles=patches, loc="lower left", bbox_to_anchor=(0.1, 0.0), ncols=5, frameon=False, columnspacing=1.4
    )
    return whole


def _ticks(layout: Layout, ax, fmt: Format, row: int, column: int) -> None:  # type: ignore[no-untyped-def]
    logits, targets = (-1.0, 0.0, 1.0), (0.0, 0.0625, 1.0)
    first = fmt.finite_ordinals(-np.inf, np.inf)[0]
    at = [int(fmt.ordinal(np.array([v]).astype(fmt.dtype))[0]) - first for v in logits]
    layout.x_ticks(ax, at, [f"{v:g}".replace("-", "−") for v in logits], name="logit x, in bit order" if row else "")
    if column == 0:
        up = [int(fmt.ordinal(np.array([v]).astype(fmt.dtype))[0]) for v in targets]
        layout.y_ticks(ax, up, [f"{v:g}" for v in targets])
        layout.y_label(ax, f"{fmt.name}\ntarget y", 48)


STUDY = Study(run, answer, {"float8_pairs": figure}, reading={"float8_pairs": reading, "float8_pairs_map": map_reading})
