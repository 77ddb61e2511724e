"""Figures: what is planned is written, the same bytes each time, and what the summaries say is drawn."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from harness import UsageError, __version__
from harness.figures import job, legible, style
from harness.figures.apart import away
from harness.figures.axes import InputAxis
from harness.figures.bins import Curve, end_points, from_summaries
from harness.figures.catalogue import MOST_CURVES, captions, figure_names, plans
from harness.figures.curves import ErrorCurves
from harness.figures.envelope import _envelope as envelope
from harness.figures.envelope import envelope as envelope_of
from harness.figures.errors import LEAST, error_figure, legend_labels, shown, twins_of
from harness.figures.heatmap import number
from harness.figures.job import figures_job
from harness.figures.map import runs, strip
from harness.figures.paper import WIDTHS, on_paper
from harness.kernels import kernel_named
from harness.numbers.formats import FORMATS, Format
from harness.problems import PROBLEMS, problem_named
from harness.sweep import stored
from harness.sweep.grid import Grid
from harness.sweep.job import sweep_job
from harness.tables.job import table_job
from harness.truth.classes import error_class
from harness.truth.errors import OUTCOMES
from harness.workflow import experiments
from harness.workflow.experiments import Experiment

F16 = FORMATS["float16"]
KERNELS = {
    "bce_logits": ("sigmoid_naive", "sigmoid_clip_1e-12", "sigmoid_clip_1e-15", "lse_log1p"),
    "bce": ("naive", "clip_1e-7"),
    "tanh": ("numpy", "naive"),
}
REPOSITORY = list(experiments.files(Path(__file__).parent.parent / "experiments")[0].values())  # without studies


@pytest.fixture(scope="module")
def small() -> Experiment:
    problems = [problem_named(name) for name in KERNELS]
    kernels = {p: [kernel_named(p, k) for k in names] for p, names in KERNELS.items()}
    return Experiment("small", "A question.", problems, kernels, [F16], ["0", "1", "0.9"], "quick", {}, {}, main=True)


@pytest.fixture(scope="module")
def swept(small: Experiment, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path]:
    """Return the summary files and the table of the small experiment."""
    root = tmp_path_factory.mktemp("swept")
    path, table = root / "small.float16.0.npz", root / "small.csv"
    sweep_job(small, F16, 0, "quick", path)
    table_job(small, [path], table)
    return [path], table


@pytest.fixture(scope="module")
def drawn(small: Experiment, swept: tuple[list[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return figures_job(small, *swept, tmp_path_factory.mktemp("figures"))


def lines_of(experiment: Experiment, paths: list[Path], table: Path, name: str) -> dict[str, np.ndarray]:
    """Return the positions of each labelled line of a figure of errors."""
    plan = next(p for p in plans(experiment) if p.name == name)
    with style.context():
        figure = error_figure(plan, ErrorCurves(experiment, paths, table))
    return {str(line.get_label()): np.asarray(line.get_xdata()) for ax in figure.axes for line in ax.lines}


# -- what is planned and written ---------------------------------------------------------------


def test_every_named_figure_is_written_in_three_forms(small: Experiment, drawn: list[Path]) -> None:
    assert [p.name for p in drawn] == [f"{n}.{s}" for n in figure_names(small) for s in ("png", "svg", "pdf")]
    assert all(p.stat().st_size > 2000 for p in drawn)


def test_the_same_data_give_the_same_bytes(
    small: Experiment, swept: tuple[list[Path], Path], drawn: list[Path], tmp_path: Path
) -> None:
    """Drawn once more: the last figure of each kind."""
    of_kinds = {plan.kind: plan for plan in plans(small)}
    assert set(of_kinds) == set(job.DRAW)
    with style.context():
        again = [
            path
            for plan in of_kinds.values()
            for path in style.save(job.DRAW[plan.kind](plan, ErrorCurves(small, *swept)), tmp_path, plan.name)
        ]
    first = {path.name: path.read_bytes() for path in drawn}
    for path in again:
        assert path.read_bytes() == first[path.name], path.name


def test_names_and_captions_need_no_drawing_library() -> None:
    code = "import sys, harness.figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_figure_has_a_caption_of_one_sentence(small: Experiment) -> None:
    found = captions(small)
    assert list(found) == figure_names(small)
    assert all(c.endswith(".") and ". " not in c for c in found.values())


@pytest.mark.parametrize("path", REPOSITORY, ids=lambda p: p.stem)
def test_each_kernel_is_drawn_once_and_can_be_told_apart(path: Path) -> None:
    experiment = experiments.load(path)
    names = figure_names(experiment)
    assert len(names) == len(set(names)) and all(re.fullmatch(r"[a-z0-9_]+", n) for n in names)
    for plan in plans(experiment):
        assert all(len(f.kernels) <= min(MOST_CURVES, len(style.LINES)) for f in plan.families)
        in_plan = [(f.problem.name, k.name) for f in plan.families for k in f.kernels]
        problems = dict.fromkeys(p for p, _ in in_plan)
        assert sorted(in_plan) == sorted((p, k.name) for p in problems for k in experiment.kernels[p])


def test_svg_text_is_text_with_the_kernels_names(drawn: list[Path]) -> None:
    for path in drawn:
        if path.suffix == ".svg":
            texts = re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))
            problem = next((p for p in ("bce_logits", "bce") if path.name.startswith(p + "_")), "tanh")
            # Plateaus show one kernel of each kind.
            for kernel in KERNELS[problem][: 1 if "plateaus" in path.name else 2]:
                assert any(kernel in t for t in texts), (path.name, kernel)
            assert any("float16" in t for t in texts)


def test_missing_input_is_named(small: Experiment, swept: tuple[list[Path], Path], tmp_path: Path) -> None:
    paths, table = swept
    with pytest.raises(UsageError, match="0 shards of small in float16"):
        figures_job(small, [], table, tmp_path)
    rows = table.read_text(encoding="utf-8").splitlines()
    cut = tmp_path / "cut.csv"
    cut.write_text("\n".join(r for r in rows if not r.startswith("bce_logits,lse_log1p,")) + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no row of bce_logits lse_log1p in float16"):
        figures_job(small, paths, cut, tmp_path)
    assert not list(tmp_path.glob("*lse*"))


def test_metadata_name_version_and_identifier(drawn: list[Path]) -> None:
    for svg, pdf in zip((p for p in drawn if p.suffix == ".svg"), (p for p in drawn if p.suffix == ".pdf")):
        text, raw = svg.read_text(encoding="utf-8"), pdf.read_bytes()
        (found,) = re.findall(r"<dc:identifier>([0-9a-f]{10})</dc:identifier>", text)
        assert found == style.identifier(text) and f"xent-harness {__version__}" in text and "<dc:date>" not in text
        assert found.encode() in raw and f"xent-harness {__version__}".encode() in raw and b"/CreationDate" not in raw
    changed = text.replace("float16", "float17")  # negative control: another drawing
    assert style.identifier(changed) != found
    newer = text.replace(f"xent-harness {__version__}", "xent-harness 99")
    assert style.identifier(newer) == found  # another version that draws the same


# -- what a reader can read --------------------------------------------------------------------


@pytest.mark.parametrize("width", ["column", None])
def test_no_text_overlaps_another_and_none_is_too_small(
    small: Experiment, swept: tuple[list[Path], Path], width: str | None
) -> None:
    curves = ErrorCurves(small, *swept)
    with style.context():
        for plan in plans(small):
            if width and plan.name == "small_errors_input":
                continue
            draw = partial(job.DRAW[plan.kind], plan, curves)
            figure = on_paper(draw, WIDTHS[width])[0] if width else draw()
            assert legible.overlapping(figure) == [] and legible.beyond(figure) == [], plan.name
            if width:
                assert figure.get_figwidth() == WIDTHS[width]
                sizes = {t.get_fontsize() for t in figure.findobj(Text) if t.get_text()}
                assert min(sizes) >= 7 and max(sizes) <= 8, plan.name


def test_texts_and_marks_that_overlap_are_noticed() -> None:
    """Negative control."""
    figure = Figure(figsize=(2, 2))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set_autoscale_on(False)
    ax.text(0.5, 0.5, "first")
    assert legible.overlapping(figure) == [] == legible.beyond(figure)
    ax.plot([0.53], [0.52], ls="none", marker="x", ms=3)
    assert legible.overlapping(figure) == [("first", "mark")]
    ax.text(0.55, 0.5, "second")
    assert ("second", "first") in legible.overlapping(figure)
    ax.text(0.95, 0.2, "third")
    assert legible.beyond(figure) == ["third"]


@pytest.mark.parametrize("limits", [(-3.0, 5.0), (5.0, -3.0)])
def test_the_frame_cuts_no_mark_and_no_input_outside_is_marked(limits: tuple[float, float]) -> None:
    ax = Figure(figsize=(2, 1)).add_axes((0.1, 0.1, 0.8, 0.8))
    ax.set_xlim(*limits)
    for end in ax.get_xlim():
        style.marks(ax, "spurious_nan", np.array([end, 0.0, 40.0]), 0.5, "#000000", "mark")
    half = ax.lines[0].get_markersize() / 2 * ax.figure.dpi / 72
    box = ax.get_window_extent()
    at = [ax.transData.transform([(x, 0.5)])[0, 0] for drawn in ax.lines for x in drawn.get_xdata()]
    assert len(at) == 4 and all(box.x0 + half <= x <= box.x1 - half for x in at)
    assert not box.x0 + half <= ax.transData.transform([(limits[0], 0.5)])[0, 0] <= box.x1 - half  # negative control


def test_a_curve_is_drawn_where_it_is_away_from_another() -> None:
    flat, step = np.zeros(9), np.array([0, 0, 0, 0, 3, 3, 0, np.nan, 0.2])
    assert list(away(step, flat, 0.5)) == [False, False, False, True, True, True, True, True, True]
    assert not away(flat, flat, 0.5).any() and not away(step, step, 0.5).any()


# -- what is drawn -----------------------------------------------------------------------------


def envelope_holds(curve: Curve) -> bool:
    """Tell whether no median exceeds the largest error beside it."""
    known = ~np.isnan(curve.top)
    return bool(np.all(curve.median[known] <= curve.top[known]) and np.isnan(curve.median[~known]).all())


def test_envelope_is_above_the_median(small: Experiment, swept: tuple[list[Path], Path]) -> None:
    drawn = ErrorCurves(small, *swept)
    for problem, kernel in [(p, k) for p, names in KERNELS.items() for k in names]:
        for target in ["0", "1", "0.9"] if PROBLEMS[problem].has_target else [None]:
            curve = drawn.curve(problem_named(problem), kernel, F16, target)
            assert envelope_holds(curve) and np.all(np.diff(curve.at) >= 0) and np.nanmax(curve.top) > 0
            swapped = Curve(curve.at, curve.median, curve.top, curve.outcomes)  # negative control
            assert not envelope_holds(swapped)


def test_a_step_keeps_the_largest_error_and_the_median_of_its_cells(swept: tuple[list[Path], Path]) -> None:
    summary = stored.read_summaries(swept[0][0])[0]["bce_logits"]["lse_log1p"]
    problem = problem_named("bce_logits")
    summary.median_ulp[0], summary.max_ulp[0] = 0.25, 0.5
    plain = from_summaries(problem, F16, [summary], 0)
    assert set(plain.top) == {0.5} and set(plain.median) == {0.25}
    summary.max_ulp[0, 100] = 7.0
    at = InputAxis(problem).positions(F16.from_ordinal((summary.cells[100:101] << F16.cell_shift) + 64), F16)[0]
    peak = from_summaries(problem, F16, [summary], 0)
    assert peak.top.max() == 7 and abs(peak.at[peak.top.argmax()] - at) < 0.1


@pytest.mark.parametrize("outcome", ["spurious_inf", "wrong_sign"])
def test_a_planted_outcome_is_drawn_where_it_happens(
    small: Experiment, swept: tuple[list[Path], Path], tmp_path: Path, outcome: str
) -> None:
    (path,), table = swept
    assert f"lse_log1p {outcome}" not in lines_of(small, [path], table, "bce_logits_errors_y0")
    summaries, description = stored.read_summaries(path)
    summary = summaries["bce_logits"]["lse_log1p"]
    cell = int(F16.cell(F16.ordinal(np.array([3.0])))[0])
    summary.outcomes[outcome][0, summary.cells == cell] = 1
    planted = tmp_path / path.name
    stored.write_summaries(planted, summaries, description)
    marks = lines_of(small, [planted], table, "bce_logits_errors_y0")[f"lse_log1p {outcome}"]
    axis = InputAxis(problem_named("bce_logits"))
    assert np.allclose(marks, axis.positions(np.array([3.0]), F16), atol=0.1)
    curve = ErrorCurves(small, [planted], table).curve(axis.problem, "lse_log1p", F16, "0")
    assert [(o, lo < marks[0] < hi) for o, lo, hi in runs(curve, axis)] == [(outcome, True)]


def test_kernels_that_coincide_are_drawn_once(small: Experiment, swept: tuple[list[Path], Path]) -> None:
    drawn = ErrorCurves(small, *swept)
    problem = problem_named("bce_logits")
    curves = {n: drawn.curve(problem, n, F16, "0") for n in KERNELS["bce_logits"][1:]}
    twins = twins_of(curves, F16)
    # Both parameters round to 0 in float16.
    assert twins["sigmoid_clip_1e-15"] == "sigmoid_clip_1e-12" and twins["lse_log1p"] == "lse_log1p"
    changed = curves["sigmoid_clip_1e-15"]
    for factor, alone in ((1.9, False), (2.1, True)):
        curves["sigmoid_clip_1e-15"] = Curve(changed.at, changed.top * factor, changed.median, changed.outcomes)
        assert (twins_of(curves, F16)["sigmoid_clip_1e-15"] == "sigmoid_clip_1e-15") is alone
    outcomes = {**changed.outcomes, "wrong_sign": ~changed.outcomes["wrong_sign"]}
    curves["sigmoid_clip_1e-15"] = Curve(changed.at, changed.top, changed.median, outcomes)
    assert twins_of(curves, F16)["sigmoid_clip_1e-15"] == "sigmoid_clip_1e-15"


def test_a_legend_names_every_kernel() -> None:
    names = ["k_a", "k_b", "k_c", "k_d"]
    first = {"k_a": "k_a", "k_b": "k_a", "k_c": "k_a", "k_d": "k_a"}
    second = {"k_a": "k_a", "k_b": "k_a", "k_c": "k_c", "k_d": "k_c"}
    labels = legend_labels(names, {"float16": first, "float32": second})
    assert labels["k_a"] == "k_a,\nk_b" and labels["k_c"] == "k_c\n= …a in float16"
    assert labels["k_d"] == "k_d\n= …a in float16\n= …c in float32"


@pytest.mark.parametrize(
    "fmt", [FORMATS[n] for n in ("float16", "bfloat16", "float32", "float64")], ids=lambda f: f.name
)
def test_classes_of_error(fmt: Format) -> None:
    lost = 2.0 ** (fmt.precision - 1)
    cases = [(0.0, 0), (4.0, 0), (lost * (1 - 2**-20), 4), (lost, 5), (2 * lost, 5), (np.inf, 5)]
    assert [error_class(ulp, fmt) for ulp, _ in cases] == [index for _, index in cases]
    assert (
        number(lost, fmt) == "no bit right"
        and number(lost, fmt, "") == ""
        and number(3.14, fmt) == "3.1"
        and number(np.nan, fmt) == "–"
    )
    drawn = shown(np.array([0.0, 1.0, lost, np.inf]), fmt)
    assert list(drawn) == [LEAST, 0, fmt.precision - 1, fmt.precision - 1]


def test_an_infinity_that_is_due_is_no_failure() -> None:
    axis = InputAxis(problem_named("exp"))
    at = np.array([0.0, 5.0])
    nothing = {name: np.zeros(2, bool) for name in OUTCOMES}
    classes = strip(Curve(at, np.array([np.nan, 1e9]), np.full(2, np.nan), nothing), F16, axis)
    assert set(classes[(classes < len(style.CLASSES))]) == {0, 5}


# -- where inputs stand ------------------------------------------------------------------------


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda p: p.name)
@pytest.mark.parametrize("fmt", [FORMATS[n] for n in ("float16", "bfloat16", "float64")], ids=lambda f: f.name)
def test_positions_keep_the_order_of_inputs(problem, fmt: Format) -> None:  # type: ignore[no-untyped-def]
    axis = InputAxis(problem)
    grid = Grid("quick", problem, fmt)
    ordinals = np.union1d(np.linspace(grid.start, grid.stop - 1, 20001).astype(np.int64), grid.critical_ordinals)
    at = axis.positions(fmt.from_ordinal(ordinals), fmt)
    assert np.all(np.diff(at) >= 0) and axis.limits[0] <= at[0] and at[-1] <= axis.limits[1]
    for wide in (True, False):
        ticks, labels = axis.ticks(wide)
        assert len(set(ticks)) == len(labels) and all(axis.limits[0] <= t <= axis.limits[1] for t in ticks)


@pytest.mark.parametrize("fmt", [F16, FORMATS["bfloat16"]], ids=lambda f: f.name)
def test_end_points_are_complete_in_16_bits(fmt: Format) -> None:
    ordinals = fmt.ordinal(end_points(fmt).astype(fmt.dtype))
    half, one = (int(v) for v in fmt.ordinal(np.array([0.5, 1.0])))
    first_cell = range(1 << fmt.cell_shift)
    assert list(ordinals) == [*first_cell, *range(half, one + 1)]


def test_ticks_stand_at_their_numbers() -> None:
    real, unit = InputAxis(problem_named("bce_logits")), InputAxis(problem_named("bce"))
    for axis, written in itertools.product((real, unit), (True, False)):
        ticks = dict(zip(*reversed(axis.ticks(written))))
        for label, value in {
            "−100": -100.0,
            "0": 0.0,
            "1": 1.0,
            "10⁴": 1e4,
            "10⁻⁷": 1e-7,
            "0.99": 0.99,
        }.items():
            if label in ticks:
                assert np.isclose(axis.positions(np.array([value]), FORMATS["float64"])[0], ticks[label])


# -- the usual range, and what is the problem's own ---------------------------------------------


def background(experiment: Experiment, paths: list[Path], table: Path, name: str):  # type: ignore[no-untyped-def]
    """Return the first panel of a figure of errors: its line of the envelope, and the ends of its band of usual inputs."""
    plan = next(p for p in plans(experiment) if p.name == name)
    with style.context():
        ax = error_figure(plan, ErrorCurves(experiment, paths, table)).axes[0]
    (drawn,) = [line for line in ax.lines if line.get_label() == "condition envelope"]
    band = [(p.get_x(), p.get_x() + p.get_width()) for p in ax.patches if p.get_label() == "usual range"]
    return drawn, band


def test_the_band_is_the_usual_range(small: Experiment, swept: tuple[list[Path], Path]) -> None:
    axis = InputAxis(PROBLEMS["bce_logits"])
    ends = axis.positions(np.array([-20.0, 20.0]), F16)
    assert background(small, *swept, "bce_logits_errors_y0")[1] == [pytest.approx(tuple(ends))]
    least = InputAxis(PROBLEMS["bce"]).positions(np.array([2.0**-24, 1 - 2.0**-11]), F16)  # float16 has none nearer
    assert background(small, *swept, "bce_errors_y0")[1] == [pytest.approx(tuple(least))]
    assert background(small, *swept, "small_errors_input")[1] == []  # all inputs of tanh are usual


@pytest.mark.parametrize("target", ["0", "1"])
def test_the_envelope_is_half_the_condition_number(
    small: Experiment, swept: tuple[list[Path], Path], target: str
) -> None:
    """For y = 0 the loss is softplus(x), κ = |x| σ(x) / softplus(x): |x| far below 0, 1 far above."""
    drawn, _ = background(small, *swept, f"bce_logits_errors_y{target}")
    at, height = (np.asarray(v, float) for v in drawn.get_data())
    x = np.array([InputAxis(PROBLEMS["bce_logits"]).value(a) for a in at]) * (1 if target == "0" else -1)
    softplus = np.where(x < -30, np.exp(np.clip(x, -700, 0)), np.logaddexp(0, x))
    kappa = np.abs(x) / (1 + np.exp(np.minimum(-x, 700))) / softplus
    near = abs(x) < 600
    expected = shown(np.maximum(0.5, kappa / 2), F16)
    assert near.sum() > 30 and height[near] == pytest.approx(expected[near], abs=1e-6)
    assert height.max() > 4 and height.min() == -1  # log2 of ulp


def test_an_envelope_without_the_half_ulp_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: no result is known better than to half an ulp, however well conditioned the problem."""
    envelope.cache_clear()
    at, ulp = envelope_of(PROBLEMS["tanh"], None)
    assert ulp.min() == 0.5 and (np.diff(at) > 0).all()
    envelope.cache_clear()
    monkeypatch.setattr("harness.figures.envelope.max", lambda a, b: b, raising=False)
    assert envelope_of(PROBLEMS["tanh"], None)[1].min() < 0.5
    envelope.cache_clear()


@pytest.mark.parametrize("problem", ["bce_logits", "bce", "log", "log1p"])
@pytest.mark.parametrize("fmt", [F16, FORMATS["float64"]], ids=lambda f: f.name)
def test_a_position_has_the_input_that_stands_there(problem: str, fmt: Format) -> None:
    axis = InputAxis(PROBLEMS[problem])
    at = np.linspace(*axis.reach, 41)
    values = np.array([axis.value(a) for a in at])
    inside = (abs(at) >= 0.6) if problem != "bce" else (np.minimum(values, 1 - values) > 1e-12)
    assert axis.positions(values[inside], fmt) == pytest.approx(at[inside], abs=1e-3)
