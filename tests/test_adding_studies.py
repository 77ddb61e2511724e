"""A new study is one YAML and one folder; nothing else is edited, and what one lacks is said in one sentence."""

import sys
from pathlib import Path

import pytest

import harness.studies
from harness.cli import list as listing
from harness.cli.main import main

FILE = """\
study: true
question: Which of the listed numbers are odd?
method: Division by two.
parameters: {below: 4}
parts: [small, large]
tables: {oddness: Each number, oddness_counts: How many}
figures: {oddness: As bars}
"""
CODE = {
    "__init__.py": "",
    "measure.py": """\
from harness.studies.study import joined


def run(parameters, part):
    first = 0 if part == "small" else parameters["below"]
    return {"oddness": [{"number": n, "odd": n % 2 == 1} for n in range(first, first + parameters["below"])]}


def combine(parameters, parts):
    rows = joined(parameters, parts)["oddness"]
    return {"oddness": rows, "oddness_counts": [{"numbers": len(rows), "odd": sum(r["odd"] for r in rows)}]}
""",
    "tables.py": """\
from harness.tables.views import Column

VIEWS = {"oddness": [Column("number", "number"), Column("odd?", "odd", lambda v: "yes" if v == "true" else "no")]}


def facts(frames, known):
    return {"odd": list(frames["oddness"]["number"][frames["oddness"]["odd"] == "true"])}
""",
    "figures.py": """\
from matplotlib.figure import Figure


def bars(frames):
    figure = Figure()
    figure.subplots().bar(frames["oddness"]["number"], frames["oddness"]["odd"] == "true")
    return figure


DRAW = {"oddness": bars}
""",
    "answer.md.j2": "- {{ odd | length }} are odd: {{ odd | series }}.\n",
}


class Place:
    """A temporary place for studies: a folder of experiments, a folder of code, and a folder of results."""

    def __init__(self, top: Path):
        self.top, self.yaml, self.code = top, top / "experiments" / "oddness.yaml", top / "studies" / "oddness"
        self.yaml.parent.mkdir()
        for schema in ("schema.yaml", "study_schema.yaml"):
            (self.yaml.parent / schema).write_bytes((Path("experiments") / schema).read_bytes())
        self.code.mkdir(parents=True)

    def add(self, leave=(), **changed):
        """Write the study's YAML and its folder, some files left out or otherwise."""
        self.yaml.write_text(changed.get("yaml", FILE))
        for name, text in CODE.items():
            if name not in leave:
                (self.code / name).write_text(changed.get(name.partition(".")[0], text))

    def run(self):
        """Run both parts, then tables, figure and page, as the workflow does; return the last exit status."""
        parts = [self.top / f"{part}.json" for part in ("small", "large")]
        for path in parts:
            status = main(["study", str(self.yaml), "--part", path.stem, "--out", str(path)])
            if status:
                return status
        results, page = self.top / "results", self.top / "docs" / "questions" / "oddness.md"
        return main(["page", str(self.yaml), *map(str, parts), "--results", str(results), "--out", str(page)])


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty place in which studies are found beside the project's own."""
    found = Place(tmp_path)
    monkeypatch.setattr(harness.studies, "__path__", [*harness.studies.__path__, str(tmp_path / "studies")])
    monkeypatch.setattr(listing, "EXPERIMENTS", tmp_path / "experiments")
    yield found
    for name in [n for n in sys.modules if n.split(".")[:3] == ["harness", "studies", "oddness"]]:
        del sys.modules[name]
    vars(harness.studies).pop("oddness", None)


def test_a_new_study_is_listed_run_and_shown(place, capsys):
    place.add()
    assert main(["list", "experiments"]) == 0
    assert "oddness       Which of the listed numbers are odd?" in capsys.readouterr().out
    assert place.run() == 0
    made = {str(p.relative_to(place.top)) for p in (place.top / "results").rglob("*") if p.is_file()}
    tables = {
        f"results/tables/{t}.{kind}" for t in ("oddness", "oddness_counts") for kind in ("csv", "md", "tex", "json")
    }
    assert made == {*tables, *(f"results/figures/oddness.{form}" for form in ("png", "svg", "pdf"))}
    assert (place.top / "results/tables/oddness_counts.csv").read_text() == "numbers,odd\n8,4\n"
    page = (place.top / "docs/questions/oddness.md").read_text()
    assert page.startswith("# Which of the listed numbers are odd?\n\n- 4 are odd: 1, 3, 5 and 7.\n")
    assert "| number | odd? |" in page and "| 3 | yes |" in page and "figures/oddness.png" in page


def test_a_study_may_have_no_figure_and_no_init(place):
    place.add(leave=("__init__.py", "figures.py"), yaml=FILE.replace("{oddness: As bars}", "{}"))
    assert place.run() == 0
    assert not (place.top / "results/figures").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"leave": list(CODE)}, "harness/studies/oddness has no measure.py, which holds run(parameters, part)"),
        ({"leave": ["measure.py"]}, "harness/studies/oddness has no measure.py, which holds run(parameters, part)"),
        ({"measure": "walk = None\n"}, "harness/studies/oddness/measure.py has no run(parameters, part)"),
        (
            {"leave": ["tables.py"]},
            "harness/studies/oddness has no tables.py, which holds VIEWS and facts(frames, known)",
        ),
        ({"tables": "VIEWS = {}\n"}, "harness/studies/oddness/tables.py has no facts(frames, known)"),
        ({"tables": "facts = dict\n"}, "harness/studies/oddness/tables.py has no VIEWS"),
        ({"figures": ""}, "harness/studies/oddness/figures.py has no DRAW"),
        ({"leave": ["figures.py"]}, "has captions for oddness; harness/studies/oddness draws none"),
        ({"figures": "DRAW = {'odd': None}\n"}, "has captions for oddness; harness/studies/oddness draws odd"),
        (
            {"leave": ["answer.md.j2"]},
            "harness/studies/oddness has no answer.md.j2, the answer, which opens with a recommendation",
        ),
        ({"answer": "- {{ even }}\n"}, "harness/studies/oddness/answer.md.j2: 'even' is undefined"),
        (
            {"tables": CODE["tables.py"].replace('{"oddness"', '{"odd"')},
            "harness/studies/oddness/tables.py shows odd; experiments/oddness.yaml has captions for the tables oddness, "
            "oddness_counts",
        ),
        (
            {"yaml": FILE.replace(", oddness_counts: How many", "")},
            "has captions for the tables oddness; its parts gave oddness, oddness_counts",
        ),
    ],
)
def test_what_a_study_lacks_is_said_in_one_sentence(place, capsys, changed, said):
    place.add(**changed)
    assert place.run() == 2
    told = capsys.readouterr().err
    assert told.startswith("harness: ") and told.endswith(f"{said}\n") and told.count("\n") == 1
    assert not list((place.top / "results").rglob("*.*")) and not (place.top / "docs/questions/oddness.md").exists()


def test_a_study_without_a_folder_is_told(place, capsys):
    place.add()
    place.code.rename(place.top / "elsewhere")
    assert place.run() == 2
    assert capsys.readouterr().err.endswith("has no code: there is no folder harness/studies/oddness\n")
