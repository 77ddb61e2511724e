"""Every page, Markdown and LaTeX table, and figure that is made from committed CSV is, byte for byte, what the code makes.

Nothing is swept here.  Figures and bounds that are drawn from summaries, which are too large to commit, are
compared where a run has left its summaries; CI compares them after the main job.
"""

import re
from pathlib import Path

import pytest

from harness.bounds import table as bounds_table
from harness.figures import catalogue, job, legible, style
from harness.kernels import all_kernels
from harness.search import table as search
from harness.studies import page as pages
from harness.studies import study
from harness.systems.exhaustive import table as every_input
from harness.systems.measure.inputs import QUESTION
from harness.systems.pages import FIGURES as SYSTEMS_FIGURES
from harness.systems.pages import figures as systems_figures
from harness.systems.pages import findings_page, known, probes, specials, systems_page, table
from harness.tables import contract, special_values, writer
from harness.tables.atlas import entries as atlas
from harness.tables.latex import to_latex
from harness.workflow import experiments

RESULTS, DOCS = Path("results"), Path("docs")
TABLES, FIGURES = RESULTS / "tables", RESULTS / "figures"
SWEPT, STUDIED = experiments.files(Path("experiments"))
EXPERIMENTS = {name: experiments.load(path) for name, path in SWEPT.items()}
QUESTIONS = {name: study.load(path) for name, path in STUDIED.items()}
FIGURES_OF_STUDIES = [(name, stem) for name, q in QUESTIONS.items() for stem in q.figures]
SEARCHES = [name for name, e in EXPERIMENTS.items() if e.search]
SWEEPS = [name for name in EXPERIMENTS if name not in SEARCHES]
BOUNDED = sorted(p.stem for p in TABLES.glob("bounds_*.csv"))
MAIN = [name for name, e in EXPERIMENTS.items() if e.main]
ATLAS = [TABLES / f"{name}.csv" for name in MAIN]


def rows_of(name: str) -> list[dict[str, object]]:
    """A committed table's rows, every cell as text."""
    return [{str(k): v for k, v in r.items()} for r in writer.read(TABLES / f"{name}.csv").to_dict("records")]


def same(text: str, path: Path) -> None:
    """Fail unless a file holds this text; say where they part."""
    there = path.read_text(encoding="utf-8")
    if text != there:
        pairs = zip([*text.splitlines(), ""], [*there.splitlines(), ""])
        i, (made, held) = next((i, pair) for i, pair in enumerate(pairs, 1) if pair[0] != pair[1])
        pytest.fail(f"{path}, line {i}:\n  held {held[:300]!r}\n  made {made[:300]!r}")


def drawn_by(path: Path) -> str:
    """A figure's SVG without the version that drew it, which a committed figure keeps until it is drawn anew."""
    return re.sub(r"xent-harness [0-9.]+", "xent-harness", path.read_text(encoding="utf-8"), count=1)


def same_svg(figure, path: Path, folder: Path) -> None:
    style.save(figure, folder, path.stem, ["svg"])
    assert drawn_by(folder / path.name) == drawn_by(path), f"{path} is drawn otherwise"
    assert legible.overlapping(figure) == [] and legible.beyond(figure) == [], path


@pytest.fixture(scope="module")
def frames():
    """What the studies' tables hold."""
    return {name: {t: writer.read(TABLES / f"{t}.csv") for t in q.tables} for name, q in QUESTIONS.items()}


@pytest.mark.parametrize("name", QUESTIONS)
def test_pages_and_tables_of_studies(name, frames):
    question = QUESTIONS[name]
    code = study.study_of(question)
    out = DOCS / "questions" / f"{name}.md"
    same(pages.page(question, code, frames[name], RESULTS, out), out)
    for t, caption in question.tables.items():
        shown = code.shown(t, frames[name][t])
        same(writer.to_markdown(shown, caption), TABLES / f"{t}.md")
        same(to_latex(shown, caption, t), TABLES / f"{t}.tex")


@pytest.mark.parametrize(("name", "stem"), FIGURES_OF_STUDIES)
def test_figures_of_studies(name, stem, frames, tmp_path):
    with style.context():
        same_svg(study.study_of(QUESTIONS[name]).draw[stem](frames[name]), FIGURES / f"{stem}.svg", tmp_path)


@pytest.mark.parametrize("name", SWEEPS)
def test_tables_of_sweeps(name):
    rows = rows_of(name)
    shown = contract.readable(rows)
    same(writer.to_markdown(shown, EXPERIMENTS[name].question, contract.note(rows)), TABLES / f"{name}.md")
    same(to_latex(shown, contract.caption(rows), name), TABLES / f"{name}.tex")


@pytest.mark.parametrize("name", SEARCHES)
def test_tables_of_searches(name):
    shown, question = search.readable(rows_of(name)), EXPERIMENTS[name].question
    same(writer.to_markdown(shown, question), TABLES / f"{name}.md")
    same(to_latex(shown, search.CAPTION, name), TABLES / f"{name}.tex")


@pytest.mark.parametrize("name", BOUNDED)
def test_tables_of_bounds(name):
    shown = bounds_table.readable(rows_of(name), name)
    same(writer.to_markdown(shown, bounds_table.TITLE, bounds_table.NOTE), TABLES / f"{name}.md")
    same(to_latex(shown, bounds_table.TITLE, name), TABLES / f"{name}.tex")


def test_atlas(tmp_path):
    atlas.atlas_job(ATLAS, tmp_path / "atlas.csv")
    for kind in ("csv", "md", "tex"):
        same((tmp_path / f"atlas.{kind}").read_text(encoding="utf-8"), TABLES / f"atlas.{kind}")


def test_special_values(tmp_path):
    committed = {(row["problem"], row["kernel"]) for row in rows_of("special_values")}
    new = {f"{k.problem} {k.name}" for k in all_kernels() if (k.problem, k.name) not in committed}
    assert not new, f"{TABLES}/special_values.csv has no rows of {', '.join(sorted(new))}: make it again"
    special_values.special_values_job(tmp_path / "special_values.csv")
    for kind in ("csv", "md", "tex"):
        same((tmp_path / f"special_values.{kind}").read_text(encoding="utf-8"), TABLES / f"special_values.{kind}")


def test_table_of_systems():
    shown = table.shown(rows_of("systems"))
    same(writer.to_markdown(shown, QUESTION, table.NOTE), TABLES / "systems.md")
    same(to_latex(shown, table.CAPTION, "systems"), TABLES / "systems.tex")


def test_table_of_systems_over_every_input():
    rows = rows_of("systems_exhaustive")
    shown, note = every_input.readable(rows), every_input.note(rows)
    same(writer.to_markdown(shown, every_input.QUESTION, note), TABLES / "systems_exhaustive.md")
    same(to_latex(shown, every_input.CAPTION, "systems_exhaustive"), TABLES / "systems_exhaustive.tex")


def test_table_of_special_values_of_systems(tmp_path):
    specials.write(tmp_path / "systems_special", rows_of("systems_special"), {})
    for kind in ("csv", "md", "tex"):
        made = (tmp_path / f"systems_special.{kind}").read_text(encoding="utf-8")
        same(made, TABLES / f"systems_special.{kind}")


@pytest.fixture(scope="module")
def systems():
    """The rows of the systems, and what they returned at the probes."""
    rows = known.rows_in(TABLES / "systems.csv")
    return rows, probes.returned(rows, TABLES / "systems_probes.csv")


def test_page_of_systems(systems):
    same(systems_page.page(*systems), DOCS / "systems.md")


def test_page_of_findings(systems):
    same(findings_page.page(systems[1]), DOCS / "findings.md")


def test_figures_of_systems(systems, tmp_path):
    systems_figures.draw(*systems, tmp_path)
    for name in SYSTEMS_FIGURES:
        assert drawn_by(tmp_path / f"{name}.svg") == drawn_by(FIGURES / f"{name}.svg"), name


# -- from summaries, where a run has left them ------------------------------------------------------


def summaries_of(name: str) -> list[Path]:
    paths = sorted((RESULTS / "summaries").glob(f"{name}.*.npz"))
    if not paths:
        pytest.skip(f"results/summaries has no summary of {name}: `snakemake {name}` makes them")
    return paths


@pytest.mark.parametrize("name", MAIN)
def test_figures_of_sweeps(name, tmp_path):
    paths = summaries_of(name)
    job.figures_job(EXPERIMENTS[name], paths, TABLES / f"{name}.csv", tmp_path)
    for stem in catalogue.figure_names(EXPERIMENTS[name]):
        assert drawn_by(tmp_path / f"{stem}.svg") == drawn_by(FIGURES / f"{stem}.svg"), stem
