"""Studies: from their file to the page, with nothing said that the tables do not hold."""

import json
from pathlib import Path

import pytest

from harness import UsageError, experiments, store
from harness.studies import stage, study
from harness.studies.study import Study

FILE = """\
study: true
question: Is two less than three?
method: Counting.
parameters: {least: 2}
parts: [first, second]
tables: {counts: How many}
figures: {}
"""


def run(parameters, part):
    return {"counts": [{"part": part, "count": parameters["least"] + (part == "second")}]}


def answer(frames):
    return [f"The counts are {', '.join(frames['counts']['count'])}."]


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A study of two parts in a folder of its own."""
    folder = tmp_path / "experiments"
    folder.mkdir()
    (folder / "study_schema.yaml").write_text(Path("experiments/study_schema.yaml").read_text())
    (folder / "tiny.yaml").write_text(FILE)
    monkeypatch.setattr(stage, "study_of", lambda question: Study(run, answer))
    return folder / "tiny.yaml"


def parts_of(tiny: Path) -> list[Path]:
    paths = [tiny.parent / f"{p}.json" for p in ("first", "second")]
    for p in paths:
        stage.part_job(tiny, p.stem, p)
    return paths


def made(tiny: Path, paths: list[Path], name: str = "results") -> dict[str, bytes]:
    root = tiny.parent / name
    stage.page_job(tiny, paths, root, root / "page.md")
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_the_page_says_what_the_table_holds(tiny):
    paths = parts_of(tiny)
    files = made(tiny, paths)
    assert set(files) == {"page.md", *(f"tables/counts.{k}" for k in ("csv", "md", "tex", "json"))}
    assert b"The counts are 2, 3." in files["page.md"] and b"Is two less than three?" in files["page.md"]
    assert files["tables/counts.csv"] == b"part,count\nfirst,2\nsecond,3\n"
    paths[1].write_text(json.dumps({"counts": [{"part": "second", "count": 9}]}))
    assert b"The counts are 2, 9." in made(tiny, paths)["page.md"]


def test_a_second_run_gives_the_same_bytes(tiny):
    assert made(tiny, parts_of(tiny)) == made(tiny, parts_of(tiny))


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        ('{"counts": [{"part": "a", "count": 1}, {"part": "b"}]}', "columns"),
        ('{"other": [{"part": "a"}]}', "captions"),
    ],
)
def test_a_failing_study_leaves_results_as_they_were(tiny, faulty, said):
    paths = parts_of(tiny)
    before = made(tiny, paths)
    paths[0].write_text(faulty)
    with pytest.raises((UsageError, ValueError), match=said):
        made(tiny, paths)
    root = tiny.parent / "results"
    assert before == {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_an_answer_that_fails_leaves_results_as_they_were(tiny, monkeypatch):
    paths = parts_of(tiny)
    before = made(tiny, paths)
    paths[1].write_text(json.dumps({"counts": [{"part": "second", "count": 9}]}))

    def fails(frames):
        raise UsageError("no answer")

    monkeypatch.setattr(stage, "study_of", lambda question: Study(run, fails))
    with pytest.raises(UsageError, match="no answer"):
        made(tiny, paths)
    root = tiny.parent / "results"
    assert before == {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("question:", "qestion:"), "unknown key 'qestion'"),
        (("parts: [first, second]", "parts: [First]"), "parts"),
        (("tables: {counts: How many}", "tables: {}"), "tables"),
        (("study: true", "study: false"), "study"),
        (("method: Counting.", "method: ["), "cannot be read as YAML"),
    ],
)
def test_a_faulty_file_is_told_in_one_sentence(tiny, change, said):
    tiny.write_text(FILE.replace(*change))
    with pytest.raises(UsageError) as e:
        study.load(tiny)
    assert said in str(e.value) and "\n" not in str(e.value)


def test_an_unknown_part_is_told(tiny):
    with pytest.raises(UsageError, match="no part 'third'; its parts: first, second"):
        stage.part_job(tiny, "third", tiny.parent / "x.json")


def test_captions_without_a_figure_are_told(monkeypatch, tiny):
    tiny.write_text(FILE.replace("figures: {}", "figures: {missing: Nothing}"))
    question = study.load(tiny)
    monkeypatch.setattr(
        study.importlib, "import_module", lambda name: type("Module", (), {"STUDY": Study(run, answer)})
    )
    with pytest.raises(UsageError, match="missing"):
        study.study_of(question)


def test_every_study_has_its_module_and_captions():
    for path in experiments.files(Path("experiments"))[1].values():
        question = study.load(path)
        found = study.study_of(question)
        assert question.question.endswith("?") and question.tables
        assert set(found.reading) <= set(question.tables)


def test_what_the_committed_pages_say_comes_from_the_committed_tables():
    from harness import tables

    for name, path in experiments.files(Path("experiments"))[1].items():
        question = study.load(path)
        frames = {t: tables.read(Path(f"results/tables/{t}.csv")) for t in question.tables}
        page = Path(f"docs/questions/{name}.md").read_text(encoding="utf-8")
        assert " ".join(study.study_of(question).answer(frames)) in page, name
        for table in question.tables:
            sidecar = json.loads(Path(f"results/tables/{table}.json").read_text())
            assert sidecar["sha256"][f"{table}.csv"] == store.sha256(Path(f"results/tables/{table}.csv"))
