"""Studies: from their file to the page, with nothing said that the tables do not hold."""

import json
import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from harness import UsageError
from harness.studies import job, remade, study
from harness.studies.page import anchor
from harness.studies.study import Study
from harness.tables import writer
from harness.tables.strongest import Known
from harness.workflow import experiments
from harness.workflow import files as store
from harness.workflow.dependencies import sources

FILE = """\
study: true
question: Is two less than three?
method: Counting.
parameters: {least: 2}
parts: [first, second]
tables: {counts: How many}
figures: {}
"""
STUDIES = experiments.files(Path("experiments"))[1]
TWO = FILE.replace("How many}", "How many, more: The same}").replace("figures: {}", "figures: {bar: As bars}")


def run(parameters, part):
    return {"counts": [{"part": part, "count": parameters["least"] + (part == "second")}]}


ANSWER = "- The counts are {{ counts | join(', ') }}.\n"


def facts(frames, known):
    return {"counts": list(frames["counts"]["count"])}


def stand_in(monkeypatch, made):
    """Let a study that no folder holds be found."""
    monkeypatch.setattr(job, "study_of", lambda question: made)
    monkeypatch.setattr(job, "measure_of", lambda question: made.run)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A study of two parts in a folder of its own."""
    folder = tmp_path / "experiments"
    folder.mkdir()
    (folder / "study_schema.yaml").write_text(Path("experiments/study_schema.yaml").read_text())
    (folder / "tiny.yaml").write_text(FILE)
    stand_in(monkeypatch, Study(run, ANSWER, facts))
    return folder / "tiny.yaml"


def rewritten(path: Path, **changed) -> None:
    """Write a part again with other keys, or with none of those that are None."""
    part = {**json.loads(path.read_text()), store.SEAL: None, **changed}
    store.write_sealed(path, {k: v for k, v in part.items() if v is not None})


def parts_of(tiny: Path) -> list[Path]:
    paths = [tiny.parent / f"{p}.json" for p in ("first", "second")]
    for p in paths:
        job.part_job(tiny, p.stem, p)
    return paths


def made(tiny: Path, paths: list[Path], name: str = "results") -> dict[str, bytes]:
    root = tiny.parent / name
    job.page_job(tiny, paths, root, root / "page.md")
    return held(root)


def held(root: Path) -> dict[str, bytes]:
    """What is in a folder: each file's bytes, b"" for a folder."""
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else b"" for p in root.rglob("*")}


def two(parameters, part):
    counts = run(parameters, part)["counts"]
    return {"counts": counts, "more": counts}


def bar(frames):
    figure = Figure()
    figure.subplots().bar(frames["counts"]["part"], frames["counts"]["count"].astype(int))
    return figure


def test_the_page_says_what_the_table_holds(tiny):
    paths = parts_of(tiny)
    files = made(tiny, paths)
    assert set(files) == {"page.md", "tables", *(f"tables/counts.{k}" for k in ("csv", "md", "tex", "json"))}
    assert b"The counts are 2, 3." in files["page.md"] and b"Is two less than three?" in files["page.md"]
    assert files["tables/counts.csv"] == b"part,count\nfirst,2\nsecond,3\n"
    rewritten(paths[1], tables={"counts": [{"part": "second", "count": 9}]})
    assert b"The counts are 2, 9." in made(tiny, paths)["page.md"]


def test_a_second_run_gives_the_same_bytes(tiny):
    assert made(tiny, parts_of(tiny)) == made(tiny, parts_of(tiny))


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        ({"counts": [{"part": "a", "count": 1}, {"part": "b"}]}, "columns"),
        ({"other": [{"part": "a"}]}, "captions for the tables counts; its parts gave counts, other"),
    ],
)
def test_a_failing_study_leaves_results_as_they_were(tiny, faulty, said):
    paths = parts_of(tiny)
    before = made(tiny, paths)
    rewritten(paths[0], tables=faulty)
    with pytest.raises((UsageError, ValueError), match=said):
        made(tiny, paths)
    root = tiny.parent / "results"
    assert before == held(root)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"provenance": {"libc": "another", "sources": "0"}},
            r"first\.json and .*second\.json were measured with .*libc",
        ),
        ({"study_sha256": "0"}, "second.json is of another study, or was run when tiny said something else"),
        ({"study": "other"}, "second.json is of another study"),
        ({"part": "first"}, "the parts of tiny are first, second; given are first, first"),
        ({"provenance": None}, "second.json is not what one part of a study found"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(tiny, changed, said):
    paths = parts_of(tiny)
    before = made(tiny, paths)
    rewritten(paths[1], **changed)
    with pytest.raises(UsageError, match=said):
        made(tiny, paths)
    assert before == held(tiny.parent / "results")


def test_a_table_says_what_its_parts_were_measured_with(tiny):
    paths = parts_of(tiny)
    told = {"libc": "of another machine", "sources": "1", "packages": {}}
    for path in paths:
        rewritten(path, provenance=told)
    assert json.loads(made(tiny, paths[::-1])["tables/counts.json"])["provenance"] == told
    assert made(tiny, paths[::-1]) == made(tiny, paths)  # in whichever order they are given


def test_what_is_said_of_a_study_does_not_make_its_parts_another_study(tiny):
    paths = parts_of(tiny)
    tiny.write_text(tiny.read_text().replace("How many", "As many"))
    made(tiny, paths)
    tiny.write_text(tiny.read_text().replace("least: 2", "least: 3"))
    with pytest.raises(UsageError, match="said something else"):
        made(tiny, paths)


def test_an_answer_that_fails_leaves_results_as_they_were(tiny, monkeypatch):
    paths = parts_of(tiny)
    before = made(tiny, paths)
    rewritten(paths[1], tables={"counts": [{"part": "second", "count": 9}]})

    def fails(frames, known):
        raise UsageError("no answer")

    stand_in(monkeypatch, Study(run, ANSWER, fails))
    with pytest.raises(UsageError, match="no answer"):
        made(tiny, paths)
    root = tiny.parent / "results"
    assert before == held(root)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("- {{ total }}\n", r"harness/studies/tiny/answer\.md\.j2: 'total' is undefined$"),
        ("- {% if total %}more{% endif %}\n", "'total' is undefined$"),
        ("- {{ counts | sum_of }}\n", "No filter named 'sum_of'"),
        ("- {% if counts %}\n", "Unexpected end of template"),
    ],
)
def test_an_undefined_fact_raises_and_leaves_results_as_they_were(tiny, monkeypatch, template, said):
    paths = parts_of(tiny)
    before = made(tiny, paths)
    rewritten(paths[1], tables={"counts": [{"part": "second", "count": 9}]})
    stand_in(monkeypatch, Study(run, template, facts))
    with pytest.raises(UsageError, match=said) as e:
        made(tiny, paths)
    assert before == held(tiny.parent / "results") and "\n" not in str(e.value)


@pytest.mark.parametrize("fails", ["view", "latex", "figure"])
def test_what_fails_late_leaves_all_as_it_was(tiny, monkeypatch, fails):
    """The first table is made by then, and must not be there without the second and the page."""
    tiny.write_text(TWO)
    stand_in(monkeypatch, Study(two, ANSWER, facts, {"bar": bar}))
    paths = parts_of(tiny)
    before = made(tiny, paths)
    assert {"tables/counts.csv", "tables/more.csv", "figures/bar.png", "figures/bar.svg"} <= set(before)
    rewritten(paths[1], tables={"counts": [{"part": "second", "count": 9}], "more": [{"part": "x", "count": 1}]})

    def broken(*given, **named):
        raise UsageError("broken")

    if fails == "latex":
        calls = iter([lambda *a: "ok", broken])
        monkeypatch.setattr(writer, "to_latex", lambda *a: next(calls)(*a))
    views = {"more": broken} if fails == "view" else {}
    draw = {"bar": broken if fails == "figure" else bar}
    stand_in(monkeypatch, Study(two, ANSWER, facts, draw, views=views))
    with pytest.raises(UsageError, match="broken"):
        made(tiny, paths)
    assert before == held(tiny.parent / "results")  # nothing is left over, either


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("question:", "qestion:"), "unknown key 'qestion'"),
        (("parts: [first, second]", "parts: [First]"), "parts"),
        (("tables: {counts: How many}", "tables: {}"), "tables"),
        (("study: true", "study: false"), "study"),
        (("parts: [first, second]", "parts: [first, first]"), "parts"),
        (("question: Is two less than three?", ""), "question"),
        (("method: Counting.", "method: 3"), "method"),
        (("tables: {counts: How many}", "tables: [counts]"), "tables"),
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
        job.part_job(tiny, "third", tiny.parent / "x.json")


def test_a_study_without_code_is_told(tiny):
    with pytest.raises(UsageError, match=r"has no code: there is no folder harness/studies/tiny$"):
        study.study_of(study.load(tiny))


def test_a_table_without_rows_is_told(tiny):
    paths = parts_of(tiny)
    for p in paths:
        rewritten(p, tables={"counts": []})
    with pytest.raises(ValueError, match="table counts has no rows"):
        made(tiny, paths)


def test_the_links_of_a_page_lead_somewhere(tiny, monkeypatch):
    tiny.write_text(TWO)
    stand_in(monkeypatch, Study(two, ANSWER, facts, {"bar": bar}))
    root = tiny.parent / "results"
    paths = parts_of(tiny)
    job.page_job(tiny, paths, root, tiny.parent / "docs" / "questions" / "tiny.md")
    page = (tiny.parent / "docs" / "questions" / "tiny.md").read_text()
    links = re.findall(r"\]\(([^)#]+)\)", page)
    own = [link for link in links if link.startswith("../../results")]
    assert len(own) == 2 + 2 * 4 and all((tiny.parent / "docs" / "questions" / link).is_file() for link in own)
    headings = {anchor(line.lstrip("# ")) for line in page.splitlines() if line.startswith("#")}
    inside = re.findall(r"\]\(#([^)]+)\)", page)
    assert len(inside) == 3 and set(inside) <= headings
    assert anchor("Logits within 5 %, by `x`") == "logits-within-5--by-x"


def test_a_long_table_is_cut_on_the_page_and_whole_in_the_csv(tiny):
    paths = parts_of(tiny)
    rows = [{"part": "first", "count": i} for i in range(100)]
    rewritten(paths[0], tables={"counts": rows})
    files = made(tiny, paths)
    assert b"The first 60 of 101 rows" in files["page.md"] and b"| first | 60 |" not in files["page.md"]
    assert b"first,99\n" in files["tables/counts.csv"] and b"| first | 99 |" in files["tables/counts.md"]


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_its_folder_and_captions(name):
    question = study.load(STUDIES[name])
    found = study.study_of(question)
    assert question.question.endswith("?") and question.tables
    assert set(found.views) <= set(question.tables)


@pytest.mark.parametrize("name", STUDIES)
def test_an_edit_of_what_is_shown_reruns_no_measurement(name):
    files = sources([f"harness.studies.{name}.measure"])
    assert f"harness/studies/{name}/measure.py" in files
    # The study of relatives measures along the steps of a figure's axis, which are no drawing.
    steps = {f"harness/figures/{f}.py" for f in ("__init__", "axes", "bins")}
    assert not [f for f in files if ("/figures" in f and f not in steps) or f == f"harness/studies/{name}/tables.py"]


def opening_faults(page):
    """What is wrong with how a page opens: a recommendation in bold, at most three sentences, none above 30 words."""
    answer = page.partition("\nGenerated from ")[0].partition("\n")[2].strip()
    head, _, more = answer.partition("\n\nIn more detail:\n\n")
    recommended, _, first = head.partition("\n\n")
    lines = [*first.splitlines(), *more.splitlines()]
    sentences = [
        s for t in (recommended.strip("*"), *lines) for s in re.split(r"(?<=[.!?]) +(?=[A-Z`])", t.removeprefix("- "))
    ]
    found = [f"{words} words: {s}" for s in sentences if (words := len(re.findall(r"\S*\w\S*", s))) > MOST_WORDS]
    found += [] if re.fullmatch(r"\*\*.+\*\*", recommended) else [f"no recommendation first: {recommended}"]
    found += [] if 1 <= len(first.splitlines()) <= 3 else [f"{len(first.splitlines())} sentences"]
    return found + [f"no list: {line}" for line in lines if not line.startswith("- ")]


MOST_WORDS = 30


@pytest.mark.parametrize("name", STUDIES)
def test_a_page_opens_with_the_recommendation_and_at_most_three_short_sentences(name):
    assert opening_faults(Path(f"docs/questions/{name}.md").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("It fails.\n\n- It works.\n", "no recommendation first"),
        ("**Do this.**\n\n- A.\n- B.\n- C.\n- D.\n", "4 sentences"),
        (f"**Do this.**\n\n- {'word ' * 31}\n", "31 words"),
        (f"**Do {'this ' * 30}**\n\n- A.\n", "31 words"),
        (f"**Do this.**\n\n- A.\n\nIn more detail:\n\n- B. {'Word ' * 31}\n", "31 words"),
        ("**Do this.**\n\n- A.\n\nIn more detail:\n\nB.\n", "no list"),
    ],
)
def test_a_planted_fault_of_an_opening_is_found(answer, said):
    (found,) = opening_faults(f"# Why?\n\n{answer}\nGenerated from the tables below\n")
    assert said in found


def method_faults(method):
    """The paragraphs of a method that should be lists: more than 60 words without a list."""
    return [p for p in re.split(r"\n\s*\n", method) if not p.lstrip().startswith("- ") and len(p.split()) > 60]


@pytest.mark.parametrize("name", STUDIES)
def test_a_method_has_no_long_paragraph(name):
    assert method_faults(study.load(STUDIES[name]).method) == []
    assert method_faults(f"Short.\n\n{'word ' * 61}") and not method_faults(f"- {'word ' * 61}")


@pytest.mark.parametrize("name", STUDIES)
def test_what_the_committed_pages_say_comes_from_the_committed_tables(name):
    question = study.load(STUDIES[name])
    frames = {t: writer.read(Path(f"results/tables/{t}.csv")) for t in question.tables}
    page = Path(f"docs/questions/{name}.md").read_text(encoding="utf-8")
    answer = study.study_of(question).answered(frames, Known.with_tables(frames, Path("results/tables")))
    assert answer in page
    for table in question.tables:
        sidecar = json.loads(Path(f"results/tables/{table}.json").read_text())
        assert sidecar["sha256"][f"{table}.csv"] == store.sha256(Path(f"results/tables/{table}.csv"))


class TestMadeAgain:
    """What `harness verify --deep` does with the tables of studies."""

    @pytest.fixture
    def results(self, tiny, monkeypatch):
        made(tiny, parts_of(tiny))
        results = tiny.parent.parent / "results"
        (tiny.parent / "results").rename(results)
        monkeypatch.setattr(remade, "study_of", lambda question: Study(run, ANSWER, facts))
        monkeypatch.setattr(remade, "measure_of", lambda question: run)
        monkeypatch.setattr(remade, "on_all_cores", lambda calls: [call() for call in calls])
        return results

    def test_tables_as_they_were_made_stand(self, results):
        assert remade.studies(results) == (["tiny: 1 tables made again"], [])

    def test_an_altered_cell_is_found(self, results):
        path = results / "tables" / "counts.csv"
        path.write_text(path.read_text().replace("second,3", "second,4"))
        path.with_suffix(".json").unlink()
        assert remade.studies(results)[1] == [f"{path}:3: count is 4, made again 3"]

    def test_what_cannot_be_made_again_is_said(self, results, monkeypatch):

        def lacking(parameters, part):
            raise UsageError("the study tiny needs scikit-learn")

        monkeypatch.setattr(remade, "measure_of", lambda question: lacking)
        assert remade.studies(results) == (["tiny: not made again, the study tiny needs scikit-learn"], [])
        monkeypatch.setattr(remade, "ASKS_LIBRARIES", ("tiny",))
        assert remade.studies(results) == (["tiny: not made again, its answers are those of libraries"], [])
        (results / "tables" / "counts.csv").unlink()
        assert remade.studies(results) == ([], [])
        assert "there is no folder" in remade.studies(results / "tables")[0][0]
