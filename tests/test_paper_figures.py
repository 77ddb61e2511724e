"""`harness figure`: any figure as a paper needs it, with the panels and kernels asked for, from committed tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.text import Text

from harness import UsageError
from harness.cli import figure as drawing
from harness.cli.figure import CHOICES, Chosen, figure_job
from harness.cli.main import main
from harness.figures import legible, style
from harness.figures.paper import WIDTHS, on_paper
from harness.studies import study
from harness.tables import writer
from harness.workflow import experiments

RESULTS = Path("results")
ONE = Chosen(format=["float32"])
# One of each kind of study's figure: curves, heat map, strips, and what the key stands beside.
STUDIES = ("reductions_means", "pipeline_round_trip", "epsilons_best", "training_nonfinite", "targets_powers")


def drawn(name: str, chosen: Chosen, width: str):
    """A figure on paper, as `figure_job` draws it."""
    with style.context():
        return on_paper(drawing._drawing(name, chosen, RESULTS), WIDTHS[width])[0]


def texts(figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


def test_what_can_be_chosen_is_of_figures_that_there_are():
    studied = [study.load(p) for p in experiments.files(Path("experiments"))[1].values()]
    columns = {
        s: {c for t in q.tables for c in writer.read(RESULTS / f"tables/{t}.csv").columns}
        for q in studied
        for s in q.figures
    }
    for chosen, stems in CHOICES:
        assert all({c for names in chosen.values() for c in names} <= columns[stem] for stem in stems)


@pytest.mark.parametrize("stem", STUDIES)
def test_each_study_in_one_format_fits_a_page_legibly(stem):
    figure = drawn(stem, ONE, "page")
    assert legible.overlapping(figure) == [] and legible.beyond(figure) == []
    assert any("float32" in t for t in texts(figure)) and not any("bfloat16" in t for t in texts(figure))
    sizes = {t.get_fontsize() for t in figure.findobj(Text) if t.get_text()}
    assert min(sizes) >= 7 and max(sizes) <= 8


@pytest.mark.parametrize(
    ("name", "kernel", "width"),
    [
        ("bce_logits_worst", "lse_log1p", "column"),
        ("bce_plateaus", "clip_1e-7", "column"),
        ("targets_map", "logaddexp", "page"),
        ("systems_logits", "optax.sigmoid_binary_cross_entropy", "page"),
        ("systems_plateaus", "optax.sigmoid_binary_cross_entropy", "column"),
    ],
)
def test_only_the_kernel_asked_for_is_drawn(name, kernel, width):
    figure = drawn(name, Chosen(kernel=[kernel], format=["float16"]), width)
    assert legible.overlapping(figure) == [] and legible.beyond(figure) == []
    assert any(kernel.split("(")[0] in t for t in texts(figure)) or name == "systems_plateaus"
    assert not any("sigmoid_naive" in t or "torch" in t for t in texts(figure))


def test_the_same_bytes_each_time_and_no_date(tmp_path):
    first, second = (figure_job("bce_worst", ONE, "column", RESULTS, tmp_path / d / "x.pdf") for d in "ab")
    assert first.read_bytes() == second.read_bytes() and b"CreationDate" not in first.read_bytes()
    other = figure_job("bce_worst", Chosen(format=["float16"]), "column", RESULTS, tmp_path / "c" / "x.pdf")
    assert first.read_bytes() != other.read_bytes()  # negative control


@pytest.mark.parametrize(
    ("name", "chosen", "out", "said"),
    [
        ("bce_wors", Chosen(), "x.pdf", "no figure 'bce_wors'; did you mean bce_worst?"),
        ("bce_worst", Chosen(kernel=["naiv"]), "x.pdf", "no kernel 'naiv'; did you mean naive?"),
        ("bce_worst", Chosen(format=["float31"]), "x.pdf", "no format 'float31'; did you mean float32?"),
        ("bce_worst", Chosen(), "x.eps", "must end in .png, .svg, .pdf"),
        ("reductions_sums", Chosen(kernel=["kahan"]), "x.pdf", "--kernel cannot be chosen in reductions_sums; --format can"),
        ("bounds_logits_bce_logits", Chosen(), "x.pdf", "run `snakemake bounds_logits`"),
        ("systems_logits", Chosen(), "x.pdf", "ask for fewer formats"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_named(name, chosen, out, said, tmp_path):
    with pytest.raises(UsageError) as found:
        figure_job(name, chosen, "column", RESULTS, tmp_path / out)
    assert said in str(found.value)
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path, capsys):
    out = tmp_path / "worst.svg"
    assert main(["figure", "bce_worst", "--format", "float32", "--width", "column", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out) and "no bit right" in out.read_text(encoding="utf-8")
